"""What a searcher remembers of what was published: never more than was, never less than there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import chunks_of, open_store, search, source_document, vectors_of, way

import sql.search.publications
import sql.search.search
from rag.int8.quantization import quantize_query
from sql.search.publications import Publications
from sql.search.search import Runner, Step
from sql.store import ChunkBatch, Draft, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUERY = quantize_query(vectors_of(["one"]).dequantize()[0])
TWO_STAGE = way("two-stage")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as one:
        yield one


def packed(*pairs: tuple[int, int]) -> bytes:
    return np.array(pairs, dtype="<u8").tobytes()


def insert(store: Store, name: str, texts: list[str], draft: Draft | None = None) -> Draft:
    draft = draft or store.writer.begin(source_document(name))
    rows = [(draft, chunk) for chunk in chunks_of(texts)]
    store.writer.insert(ChunkBatch(rows, vectors_of(texts)))
    return draft


def published(steps: list[Step]) -> list[tuple[object, int]]:
    return [(step.statement.values["after"], step.rows) for step in steps if step.statement.name == "publications"]


def asked_for(steps: list[Step]) -> list[object]:
    return [step.statement.values["generations"] for step in steps if step.statement.name == "published_among"]


def test_a_generation_is_visible_from_the_epoch_of_its_publication_on() -> None:
    known = Publications.none().extended(packed((30, 2), (10, 1), (2**63, 3)), 3)
    assert known.visible([10, 30, 2**63, 20, 2**63 + 1], 2).tolist() == [True, True, False, False, False]
    assert known.visible([10, 30, 2**63], 3).tolist() == [True, True, True]
    assert known.visible([], 3).tolist() == []
    assert Publications.none().visible([10], 9).tolist() == [False]


def test_what_comes_later_is_added_to_what_is_known() -> None:
    known = Publications.none().extended(packed((30, 1), (10, 1)), 1).extended(packed((20, 2)), 2)
    assert known.generations.tolist() == [10, 20, 30]
    assert known.epochs.tolist() == [1, 2, 1]
    assert known.known_until == 2


def test_only_what_was_published_since_the_last_look_is_read(store: Store) -> None:
    store.writer.publish([insert(store, "a", ["one"]), insert(store, "b", ["two"])])
    steps: list[Step] = []
    search(store, QUERY, 2, watch=steps.append, **TWO_STAGE)
    search(store, QUERY, 2, watch=steps.append, **TWO_STAGE)
    first = store.epoch()
    store.writer.publish([insert(store, "c", ["three"])])
    search(store, QUERY, 3, watch=steps.append, **TWO_STAGE)
    assert published(steps) == [(0, 2), (first, 1)]


def test_a_reader_at_an_earlier_epoch_does_not_see_what_another_one_knows(store: Store) -> None:
    store.writer.publish([insert(store, "a", ["one"])])
    before = store.epoch()
    store.writer.publish([insert(store, "b", ["two"])])
    assert len(search(store, QUERY, 2, **TWO_STAGE)) == 2
    assert [hit.source for hit in search(store, QUERY, 2, before, **TWO_STAGE)] == ["a"]


@pytest.mark.parametrize("per_document", [None, 1])
def test_a_draft_begun_before_the_epoch_whose_rows_come_after_the_first_search_hides_nothing(
    store: Store, per_document: int | None
) -> None:
    late = store.writer.begin(source_document("a"))
    store.writer.publish(
        [insert(store, "a", ["two", "five"]), insert(store, "b", ["three"]), insert(store, "c", ["four"])]
    )  # none as near as the draft's `one`, which is met in any order of equal scores
    right = search(store, QUERY, 2, per_document=per_document, **way("exact"))
    assert search(store, QUERY, 2, per_document=per_document, **TWO_STAGE) == right
    insert(store, "a", ["one", "one", "two"], late)
    steps: list[Step] = []
    for _ in range(2):
        assert search(store, QUERY, 2, per_document=per_document, watch=steps.append, **TWO_STAGE) == right
    assert asked_for(steps) == [[late.generation]]  # met once, it is hidden while the epoch lasts
    assert "search_exact" not in {step.statement.name for step in steps}


def test_an_exact_search_that_has_listed_what_is_hidden_is_not_deceived_by_a_draft_whose_rows_come_since(
    store: Store,
) -> None:
    late = store.writer.begin(source_document("a"))
    store.writer.publish([insert(store, "a", ["one", "two"]), insert(store, "b", ["three"])])
    right = search(store, QUERY, 2, **way("exact"))
    assert search(store, QUERY, 2, **way("exact")) == right
    insert(store, "a", ["one", "one", "two"], late)
    steps: list[Step] = []
    assert search(store, QUERY, 2, watch=steps.append, **way("exact")) == right
    # The short form finds the draft, whose rows take places; then what is hidden is passed over.
    names = [step.statement.name for step in steps if step.stage == "search"]
    assert (names[0], names[-1]) == ("search_settled", "search_exact_listed")
    assert len(search(store, QUERY, 9, **way("exact"))) == 3


def test_of_more_publications_than_are_remembered_those_of_the_hits_are_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sql.search.search, sql.search.publications):
        monkeypatch.setattr(module, "MOST_PUBLICATIONS", 2)
    drafts = [insert(store, name, [name]) for name in ("one", "two", "three", "four")]
    store.writer.publish(drafts)
    steps: list[Step] = []
    for _ in range(2):
        found = search(store, QUERY, 4, watch=steps.append, **TWO_STAGE)
        assert found[0].source == "one"
        assert len(found) == 4
    remembered = sorted(draft.generation for draft in drafts)[:2]
    others = sorted({draft.generation for draft in drafts} - set(remembered))
    assert published(steps) == [(0, 2)]
    assert asked_for(steps) == [others, others]


def test_a_draft_begun_after_the_epoch_is_dropped_without_asking(store: Store) -> None:
    store.writer.publish([insert(store, "a", ["one"]), insert(store, "b", ["two"])])
    epoch, steps = store.epoch(), list[Step]()
    search(store, QUERY, 2, epoch, **TWO_STAGE)
    draft = insert(store, "c", ["one"])
    rows = [{"generation": draft.generation}, {"generation": store.snapshot().documents()[0].generation}]
    run = Runner(store.client, steps.append)
    assert store.snapshot(epoch).searcher.published(rows, run) == rows[1:]
    assert steps == []


def test_a_draft_that_is_met_makes_no_list_of_hidden_generations_where_there_is_none(store: Store) -> None:
    late = store.writer.begin(source_document("a"))
    store.writer.publish([insert(store, "a", ["one"]), insert(store, "b", ["two"])])
    store.writer.publish([insert(store, "a", ["one"])])  # the first one is hidden now, although it was published
    insert(store, "a", ["one"], late)
    epoch, run = store.epoch(), Runner(store.client, lambda step: None)
    assert store.snapshot(epoch).searcher.published([{"generation": late.generation}], run) == []
    assert store.snapshot(epoch).searcher.known_hidden() is None
    hits = search(store, QUERY, 2, epoch, **TWO_STAGE)
    assert [hit.generation for hit in hits] == [document.generation for document in store.snapshot().documents()]


def test_a_publication_that_arrives_late_is_looked_for_before_its_rows_are_dropped(store: Store) -> None:
    draft = insert(store, "a", ["one"])
    store.writer.publish([insert(store, "b", ["two"]), insert(store, "c", ["three"])])
    epoch = store.epoch()
    assert len(search(store, QUERY, 2, epoch, **TWO_STAGE)) == 2
    columns = "document_id, epoch, kind, path, source, title, format, encoding, content_sha256, content_bytes, chunker"
    store.client.text(
        f"INSERT INTO manifest ({columns}, generation, chunk_count, row_hash_sum) SELECT '{draft.document_id}', epoch, "
        f"kind, 'a', 'a', title, format, encoding, content_sha256, content_bytes, chunker, {draft.generation}, 1, 0 "
        f"FROM manifest WHERE epoch = {epoch} LIMIT 1",
        None,
    )
    with Store.open(store.client.location, write=True) as another:
        assert search(another, QUERY, 1, epoch, **TWO_STAGE)[0].source == "a"
    store.snapshot(epoch).searcher._hidden = None  # a list of what is hidden that was made after the row had arrived
    assert search(store, QUERY, 1, epoch, **TWO_STAGE)[0].source == "a"
