"""What an encoder learns from: every passage once an epoch, in the order of a seed, and no pair that gives itself away."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ingest.passages import read_passages
from rag.train.pairs import (
    Pair,
    Passage,
    batches_an_epoch,
    heading_pairs,
    held_out,
    schedule,
    short_texts,
    texts_sha256,
    unique_passages,
)
from sql.base.errors import RagError

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

GUIDE = """# Garden

## Watering

The dog runs here to the mat in the morning of one day.

## Pruning

The cat sat on a mat and the dog sat on two mats here.
"""


def passage(text: str, heading: str = "") -> Passage:
    return Passage(f"{heading}\n\n{text}", heading, text)


@pytest.mark.parametrize(("long", "short", "size"), [(40, 100, 8), (7, 3, 4), (1, 0, 2), (64, 64, 16)])
def test_an_epoch_holds_every_passage_once_and_at_most_as_many_short_texts(long: int, short: int, size: int) -> None:
    groups = [np.arange(long), np.arange(long, long + short)]
    lengths = np.random.default_rng(1).integers(4, 60, long + short)
    count = batches_an_epoch(groups, size)
    epoch = list(islice(schedule(lengths, groups, size, 0), count))
    items = np.concatenate(epoch)
    assert len(items) == len(set(items)) == long + min(long, short)
    assert set(range(long)) <= set(items)
    assert max(map(len, epoch)) <= size


def test_the_order_follows_from_the_seed_and_differs_between_epochs() -> None:
    groups, lengths = [np.arange(50)], np.arange(50)
    plan = [list(islice(schedule(lengths, groups, 5, seed), 20)) for seed in (0, 0, 1)]
    assert all(np.array_equal(one, other) for one, other in zip(plan[0], plan[1], strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(plan[0], plan[2], strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(plan[0][:10], plan[0][10:], strict=True))


def test_texts_of_like_length_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(4, 200, 400)
    batches = list(islice(schedule(lengths, [np.arange(400)], 10, 0), 40))
    widths = [np.ptp(lengths[batch]) for batch in batches]
    assert np.mean(widths) < 40  # of a random batch it would be about 160


def test_headings_and_sentences_are_learned_as_questions_would_be_asked() -> None:
    texts = short_texts(
        [passage("The cat sat on the mat. It was warm there all day.", "A garden guide"), passage("1.2.")]
    )
    assert texts == ["A garden guide", "The cat sat on the mat.", "It was warm there all day."]


def test_a_pair_needs_a_heading_and_a_body() -> None:
    pairs = heading_pairs(
        [passage("one", "a"), passage("two"), passage(" ", "b"), passage("one", "a"), passage("2", "b")]
    )
    assert pairs == [Pair("a", "one"), Pair("b", "2")]


def test_too_little_to_learn_from_is_refused_with_a_remedy() -> None:
    with pytest.raises(RagError, match="give more documents"):
        unique_passages([passage("one"), passage("one")])
    with pytest.raises(RagError, match="objective distill"):
        heading_pairs([passage("one", "a"), passage("two", "a")])


def test_every_tenth_passage_is_kept_back_and_none_of_a_few() -> None:
    assert held_out(9).sum() == 0
    assert np.flatnonzero(held_out(25)).tolist() == [9, 19]


def test_texts_that_run_into_each_other_have_another_digest() -> None:
    assert texts_sha256(["ab", "c"]) != texts_sha256(["a", "bc"])


def test_a_passage_of_a_file_knows_its_headings_and_its_body_does_not_hold_them(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    (tmp_path / "guide.md").write_text(GUIDE)
    (tmp_path / "broken.md").write_bytes(b"\x00\x01\x02" * 40)
    (tmp_path / "plain.txt").write_text("the cat sat here and the dog runs")
    reading = read_passages([str(tmp_path)], tokenizer)
    assert [one.path.rsplit("/", 1)[-1] for one in reading.failed] == ["broken.md"]
    assert {p.heading for p in reading.passages} == {"Garden", "Garden Watering", "Garden Pruning", ""} & {
        p.heading for p in reading.passages
    }
    for p in reading.passages:
        assert "#" not in p.body
        assert "Watering" not in p.body
        assert all(word in p.text.split() for word in p.body.split())
    assert any("The dog runs here" in p.body for p in reading.passages)
    assert [p.heading for p in reading.passages if p.body.startswith("the cat sat here")] == [""]


@pytest.mark.parametrize("given", ["folder", "file"])
def test_an_evaluation_corpus_gives_its_titles_as_headings(tmp_path: Path, tokenizer: Tokenizer, given: str) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(
        '{"_id": "1", "title": "A cat", "text": "The cat sat here."}\n{"_id": "2", "text": "A dog runs."}\n'
    )
    reading = read_passages([str(tmp_path if given == "folder" else corpus)], tokenizer)
    assert [(p.heading, p.body) for p in reading.passages] == [("A cat", "The cat sat here."), ("", "A dog runs.")]
    assert reading.passages[0].text == "A cat\n\nThe cat sat here."
