"""What a cross-encoder does to a search and a reader to an answer: small ones, trained here on a task they must solve."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from support import write_tiny_checkpoint
from toy_heads import KEYS, MOST_TOKENS, NUMBERS, passages, question_of, train_reader, train_reranker

import ingest
import rag
from rag.answer.reading import LONGEST_SPAN, best_sum, rank_readings
from rag.commands.command_line import command
from rag.encoder.heads import READ, RERANK
from rag.encoder.pairs import load_float_pair_model, load_pair_model
from rag.evaluate.head_report import Asked, correlation, graded, ranks, said
from rag.retrieve.rerank import CrossEncoder, reranked
from sql.base.settings import Settings
from sql.base.terminal import run_command

if TYPE_CHECKING:
    from pathlib import Path

    from rag.encoder.pairs import PairModel
    from rag.library import Library
    from rag.text.tokenizer import Tokenizer
    from sql.search.search import Step

TEXTS = {
    "a.txt": "the dog runs to and of the sat.",
    "b.txt": "a mat of the sat and to here.",
    "c.txt": "here and the two of a sat to.",
    "d.txt": "of the sat runs here and to a.",
    "e.txt": "the sat to a cat and of here.",
}


class Bench:
    """A store of a few texts, with a cross-encoder that finds animals and a reader that finds numbers."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.folder, self.store = folder, str(folder / "store")
        self.settings = Settings(store=".rag", model=None, cache=folder / "cache", offline=True)
        self.model = str(write_tiny_checkpoint(folder / "encoder", tokenizer))
        self.rerank, self.reader = str(folder / "rerank"), str(folder / "reader")
        self.losses = {
            RERANK: train_reranker("bert", folder / "rerank", tokenizer, steps=200),
            READ: train_reader("bert", folder / "reader", tokenizer, steps=80),
        }
        (folder / "docs").mkdir()
        for name, text in TEXTS.items():
            (folder / "docs" / name).write_text(text)
        with rag.open(self.store, write=True, model=self.model) as library:
            ingest.sync(library, str(folder / "docs"))

    def open(self, **options: Any) -> Library:
        library = rag.open(self.store, model=self.model, **options)
        library.settings = self.settings
        return library

    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = run_command(command, [*arguments, "--db", self.store, "--model", self.model])
        return code, capsys.readouterr().out


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), tokenizer)


@pytest.fixture
def cache(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_CACHE", str(bench.settings.cache))
    for name in ("RAG_DB", "RAG_MODEL", "RAG_RERANK", "RAG_READER", "RAG_LLM"):
        monkeypatch.delenv(name, raising=False)


# The models by themselves


def rerank_accuracy(model: PairModel, count: int) -> float:
    """How many of so many new pairs a cross-encoder judges rightly."""
    draw = random.Random(1)
    drawn, right = passages(draw, KEYS, 0.9), 0
    for key in KEYS:
        texts = [next(drawn) for _ in range(count)]
        scores = model.scores(question_of(key), texts)
        right += sum((score > 0.5) == (key in text.split()) for score, text in zip(scores, texts, strict=True))
    return right / (count * len(KEYS))


def test_in_int8_a_trained_cross_encoder_still_solves_its_task(bench: Bench) -> None:
    model = load_pair_model(bench.settings, bench.rerank, RERANK)
    assert bench.losses[RERANK] < 0.1
    assert rerank_accuracy(model, 60) > 0.97
    draw = random.Random(2)
    drawn = passages(draw, KEYS, 0.9)
    texts = [next(drawn) for _ in range(40)]
    floats = load_float_pair_model(bench.settings, model)
    found, expected = (one.scores(question_of("cat"), texts) for one in (model, floats))
    assert np.corrcoef(found, expected)[0, 1] > 0.99


# Searches


def test_a_cross_encoder_puts_what_it_scores_highest_first_and_every_stage_keeps_its_score(bench: Bench) -> None:
    with bench.open(rerank=bench.rerank) as library:
        for key, name in (("cat", "e.txt"), ("dog", "a.txt"), ("mat", "b.txt")):
            hits = library.search(question_of(key), k=3)
            assert hits[0].source.endswith(name)
            assert hits[0].rerank_score == hits[0].score > 0.9 > 0.1 > hits[1].score
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            plain = {hit.source: hit for hit in library.search(question_of(key), k=9, rerank="none")}
            assert len(plain) == len(TEXTS)
            for hit in hits:
                before = plain[hit.source]
                assert (hit.search_score, hit.vector_score, hit.bm25_score) == pytest.approx(
                    (before.score, before.vector_score, before.bm25_score)
                )
                assert before.rerank_score is before.search_score is None


def test_a_cross_encoder_reads_more_chunks_than_are_wanted_with_their_headings(bench: Bench) -> None:
    with bench.open() as library:
        seen: list[list[str]] = []
        model = load_pair_model(bench.settings, bench.rerank, RERANK)

        class Listening(CrossEncoder):
            def scores(self, question: str, texts: Any) -> list[float]:
                seen.append(list(texts))
                return super().scores(question, texts)

        steps: list[Step] = []
        hits = library.search(question_of("cat"), k=1, reranker=Listening(model), watch=steps.append)
        assert len(hits) == 1
        assert sorted(seen[0]) == sorted(TEXTS.values())
    markdown = rag.Hit("a.md", "Zoo", "Zoo > Cats", 9, 15, 1, 0, "the mat", hits[0].document_id, 0, 0.5)
    assert reranked(Listening(model), question_of("cat"), [markdown])[0].search_score == 0.5
    assert seen[-1] == ["Zoo > Cats\nthe mat"]


def test_search_shows_the_cross_encoders_part_in_json_in_the_explanation_and_below_the_sql(
    bench: Bench, cache: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["search", question_of("dog"), "-k", "2", "--rerank", bench.rerank]
    code, printed = bench.run(capsys, *words, "--json")
    found = json.loads(printed)
    assert (code, found["float32"]) == (0, None)
    assert found["hits"][0]["source"].endswith("a.txt")
    assert found["hits"][0]["rerank_score"] == found["hits"][0]["score"] > found["hits"][1]["score"]
    explained = json.loads(bench.run(capsys, *words, "--explain", "--json")[1])
    assert explained["rerank"]["model"] == bench.rerank
    assert explained["rerank"]["chunks"] == len(TEXTS)
    assert [hit["source"] for hit in explained["hits"]] == [hit["source"] for hit in found["hits"]]
    text = bench.run(capsys, *words, "--explain")[1]
    assert f". rerank: {bench.rerank}, " in text
    assert "  score  found   int8   bm25  signs of" in text
    shown = bench.run(capsys, *words, "--show-sql")[1]
    assert f"-- the chunks that this finds are then ordered by {bench.rerank}" in shown


def test_langchains_retriever_orders_by_a_cross_encoder_too(bench: Bench, cache: None) -> None:
    from rag.langchain import Int8DistilBertEmbeddings, QuantizedSQLRetriever

    embedding = Int8DistilBertEmbeddings(bench.model)
    retriever = QuantizedSQLRetriever.open(bench.store, embedding, k=2, rerank=bench.rerank)
    try:
        for key, name in (("cat", "e.txt"), ("mat", "b.txt")):
            assert retriever.invoke(question_of(key))[0].metadata["source"].endswith(name)
    finally:
        retriever.close()


# Answers


def test_a_reader_marks_the_answer_and_the_sentence_around_it_is_quoted(bench: Bench) -> None:
    with bench.open(reader=bench.reader) as library:
        answer = library.ask("how many", k=6)
    (citation,) = answer.citations
    text = TEXTS["c.txt"]
    assert citation.source.endswith("c.txt")
    assert citation.text == text[citation.start : citation.end] == text
    assert citation.answer_span == (text.index("two"), text.index("two") + 3)
    assert citation.answer_text == "two"
    assert 0.5 < citation.score <= 1


def test_where_a_reader_marks_nothing_there_is_no_answer(bench: Bench) -> None:
    with bench.open(reader=bench.reader) as library:
        assert not library.ask("how many", k=6, filter={"source": {"$like": "%d.txt"}}).answered


def test_ask_says_what_was_marked_first_and_gives_its_place_in_json(
    bench: Bench, cache: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_READER", bench.reader)
    code, printed = bench.run(capsys, "ask", "how many", "-k", "6", "--rerank", bench.rerank)
    assert code == 0
    assert printed.splitlines()[:3] == ["two", "", f"{TEXTS['c.txt']} [1]"]
    record = json.loads(bench.run(capsys, "ask", "how many", "-k", "6", "--json")[1])
    start = TEXTS["c.txt"].index("two")
    assert record["citations"][0]["answer_span"] == {"start": start, "end": start + 3, "text": "two"}


def test_an_answer_is_found_wherever_in_a_long_passage_it_stands(bench: Bench) -> None:
    model = load_pair_model(bench.settings, bench.reader, READ)
    assert model.encoder.config.max_tokens == MOST_TOKENS
    sentence = "the sat of a here and to runs . "
    for before in range(6):
        text = sentence * before + "of the three and sat here . " + sentence * (5 - before)
        hit = rag.Hit("long.txt", "", "", 100, 100 + len(text), 1, 0, text, UUID(int=1), 0, 0.5)
        start, end = rank_readings("how many", [hit], model)[0].answer_span or (0, 0)
        assert text[start - 100 : end - 100] == "three"


def test_the_best_span_is_the_one_that_trying_all_finds() -> None:
    random_numbers = np.random.default_rng(0)
    for count in (1, 5, 29, 30, 31, 80):
        starts, ends = random_numbers.normal(size=(2, count))
        best = max(
            starts[first] + ends[last]
            for first in range(count)
            for last in range(first, min(count, first + LONGEST_SPAN))
        )
        first, last, total = best_sum(starts, ends)
        assert total == starts[first] + ends[last] == best
        assert first <= last < first + LONGEST_SPAN


# Evaluation


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same texts as an evaluation set."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "qrels").mkdir()
    lines = {
        "corpus.jsonl": [{"_id": name, "title": "", "text": text} for name, text in TEXTS.items()],
        "queries.jsonl": [{"_id": key, "text": question_of(key)} for key in KEYS],
        "answers.jsonl": [{"_id": "n", "question": "how many", "answers": ["two"], "doc_id": "c.txt"}],
    }
    for name, records in lines.items():
        (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))
    relevant = {"cat": "e.txt", "dog": "a.txt", "mat": "b.txt"}
    grades = "".join(f"{key}\t{name}\t1\n" for key, name in relevant.items())
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + grades)
    return folder


def test_an_evaluation_measures_the_reranked_mode_and_the_marked_answers(
    bench: Bench, cache: None, capsys: pytest.CaptureFixture[str], judged: Path
) -> None:
    capsys.readouterr()
    words = ["--rerank", bench.rerank, "--reader", bench.reader, "--model", bench.model, "--json"]
    assert run_command(command, ["eval", str(judged), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["modes"]) == ["vector", "bm25", "hybrid", "hybrid+rerank"]
    assert found["modes"]["hybrid+rerank"]["mrr@10"] == 1.0
    assert found["answers"]["exact"] == found["answers"]["f1"] == 1.0


def test_a_report_says_what_int8_changes_in_the_order_and_in_what_is_marked(
    bench: Bench, cache: None, capsys: pytest.CaptureFixture[str], judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(*words: str) -> tuple[dict[str, Any], dict[str, Any]]:
        capsys.readouterr()
        assert run_command(command, ["model", "report", *words, "--json"]) == 0
        first, ours, _ = json.loads(capsys.readouterr().out)["forms"]
        assert (first["name"], ours["name"]) == ("float32", "int8")
        return first, ours

    monkeypatch.setenv("RAG_MODEL", bench.model)
    first, ours = report("--rerank", bench.rerank, "--eval", str(judged))
    assert ours["correlation"] > 0.99
    assert (ours["first_kept"], ours["kept"], first["correlation"]) == (1.0, 1.0, None)
    assert ours["ndcg@10"] == first["ndcg@10"] == 1.0
    assert 0 < ours["disk_bytes"] < first["disk_bytes"] / 2
    assert 0 < ours["weights_bytes"] < first["weights_bytes"]
    first, ours = report("--reader", bench.reader, "--eval", str(judged))
    assert (ours["spans_kept"], ours["decisions_kept"], ours["f1"], ours["kept"]) == (1.0, 1.0, 1.0, 1.0)
    _, ours = report("--reader", bench.reader)
    assert 0.5 < ours["spans_kept"] <= 1
    assert ours["f1"] is None
    assert run_command(command, ["model", "report", "--rerank", bench.rerank]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["form", "float32", "int8", "int8"]
    for words, code, message in (
        (["--rerank", bench.rerank, "--reader", bench.reader], 2, "--rerank and --reader: name one model at a time"),
        (["--reader", bench.model], 1, "is an encoder, which gives texts vectors; what is needed here is a reader"),
    ):
        assert run_command(command, ["model", "path", *words]) == code
        assert message in capsys.readouterr().err


def test_ranks_and_correlations_are_those_that_can_be_counted_by_hand() -> None:
    assert ranks(np.array([0.1, 0.3, 0.3])).tolist() == [2, 0, 1]
    assert correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])) == pytest.approx(1)
    assert correlation(np.array([1.0, 1.0]), np.array([1.0, 2.0])) == 0
    judged = Asked("", ["x", "y", "z"], ["a", "b", "a"], {"b": 1})
    assert graded(judged, np.array([3.0, 2.0, 1.0])) == pytest.approx(1 / np.log2(3))
    assert said(judged, [(0, 1, -2.0), (0, 1, -1.0), (0, 0, -np.inf)]) == ""
    assert said(judged, [(0, 1, 0.5), (0, 1, 1.5), (0, 0, -np.inf)]) == "y"


# Longer training


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_trained_for_a_minute_both_kinds_solve_their_tasks_in_int8_as_in_float32(
    tmp_path: Path, tokenizer: Tokenizer, kind: str
) -> None:
    settings = Settings(store=".rag", model=None, cache=tmp_path / "cache", offline=True)
    train_reranker(kind, tmp_path / "rerank", tokenizer, steps=800)
    train_reader(kind, tmp_path / "reader", tokenizer, steps=500)
    model = load_pair_model(settings, str(tmp_path / "rerank"), RERANK)
    assert rerank_accuracy(model, 200) > 0.99
    assert rerank_accuracy(load_float_pair_model(settings, model), 200) > 0.99
    reader = load_pair_model(settings, str(tmp_path / "reader"), READ)
    floats, draw = load_float_pair_model(settings, reader), random.Random(3)
    drawn = passages(draw, NUMBERS, 0.6)
    texts = [next(drawn) for _ in range(200)]
    pairs = [windows[0] for windows in reader.encoder.tokenizer.pairs("how many", texts)]
    for one in (reader, floats):
        marked = []
        for pair, text, numbers in zip(pairs, texts, one.outputs(pairs), strict=True):
            starts, ends = numbers[pair.first :][: len(pair.spans)].T.astype(np.float64)
            first, last, total = best_sum(starts, ends)
            start, end = int(pair.spans[first][0]), int(pair.spans[last][1])
            marked.append(text[start:end] if total > numbers[0].sum() else "")
        wanted = [next((word for word in text.split() if word in NUMBERS), "") for text in texts]
        assert np.mean([found == expected for found, expected in zip(marked, wanted, strict=True)]) > 0.99
