"""What a search tells about itself: its steps, the scores of each stage, and its recall; and many askers at once."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import (
    DIMENSIONS,
    chunks_of,
    hash_encoder,
    open_store,
    publish_document,
    search,
    source_document,
    vectors_of,
    way,
)

from rag.commands import command_line as program
from rag.int8.quantization import quantize_query, scores
from rag.retrieve.inspection import explain_search, found_part, verify_search
from rag.retrieve.retriever import Retriever
from sql.base.errors import RagError
from sql.base.settings import DEFAULT_K
from sql.search.request import SearchRequest
from sql.search.signs import query_signs, vector_signs
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer
    from sql.records import Hit

VECTOR = np.linspace(-1, 1, DIMENSIONS, dtype=np.float32)
QUERY = quantize_query(VECTOR)
TEXTS = [f"text {number}" for number in range(200)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as one:
        drafts, rows = [], []
        for first in range(0, len(TEXTS), 4):
            draft = one.writer.begin(source_document(f"{first}.txt", metadata={"first": first}))
            drafts.append(draft)
            rows += [(draft, chunk) for chunk in chunks_of(TEXTS[first : first + 4])]
        one.writer.insert(ChunkBatch(rows, vectors_of(TEXTS)))
        one.writer.publish(drafts)
        yield one


def test_an_explanation_has_every_statement_and_the_distances_that_python_counts(store: Store) -> None:
    request = SearchRequest(vector=VECTOR, ranking="vector", strategy="two-stage", candidates=30)
    told = explain_search(Retriever(), store.snapshot(), request)
    assert [(step.stage, step.statement.name, step.rows) for step in told.steps] == [
        ("hidden", "hidden_generations", 0),
        ("search", "search_two_stage", DEFAULT_K),
        ("published", "publications", len(TEXTS) // 4),
    ]
    assert all(step.seconds > 0 for step in told.steps)
    signs = vector_signs(store.snapshot().hit_vectors(told.hits))
    asked = np.frombuffer(query_signs(QUERY), dtype=np.uint8)
    assert told.distances == [int(np.unpackbits(row ^ asked).sum()) for row in signs]
    assert scores(QUERY, store.snapshot().hit_vectors(told.hits)).tolist() == [hit.score for hit in told.hits]


def test_the_exact_search_is_verified_as_perfect_and_a_hasty_one_is_not(store: Store) -> None:
    assert verify_search(store.snapshot(), SearchRequest(**way("exact")), 20).recall == 1.0
    hasty = verify_search(store.snapshot(), SearchRequest(**way("two-stage", candidates=6)), 20)
    assert (hasty.mode, hasty.queries) == ("two-stage", 20)
    assert hasty.worst <= hasty.recall < 1.0
    patient = verify_search(store.snapshot(), SearchRequest(**way("two-stage", candidates=len(TEXTS))), 20)
    assert patient.recall == 1.0


def test_a_hit_that_ties_with_the_last_place_counts_and_a_worse_one_does_not(store: Store) -> None:
    exact = search(store, QUERY, 4, **way("exact"))
    worse = search(store, QUERY, 10, **way("exact"))[6:]
    assert found_part(exact, exact) == 1.0
    assert found_part([*exact[:2], *worse[:2]], exact) == pytest.approx(1 / 3)
    assert found_part(worse, exact) == 0.0


def test_an_empty_store_cannot_be_verified(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store, pytest.raises(RagError, match="nothing to verify"):
        verify_search(store.snapshot(), SearchRequest(**way("exact")))


@pytest.mark.slow
def test_sixteen_threads_get_the_answers_of_one_while_documents_are_ingested(store: Store) -> None:
    epoch = store.epoch()
    queries = [quantize_query(vector) for vector in vectors_of(TEXTS[:16]).dequantize()]
    ways = [way("exact"), way("two-stage", candidates=50)]

    def answer(number: int, how: dict[str, Any]) -> list[Hit]:
        return search(store, queries[number], 10, epoch, filter={"first": {"$gte": 8}} if number % 2 else None, **how)

    right = [[answer(number, how) for how in ways] for number in range(16)]
    wrong: list[object] = []
    done = threading.Event()

    def ask(number: int) -> None:
        while True:
            for how, expected in zip(ways, right[number], strict=True):
                try:
                    if answer(number, how) != expected:
                        wrong.append((number, how))
                except Exception as error:
                    wrong.append(error)
            if done.is_set():
                return

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for number in range(5):
        publish_document(store, f"{4 * number}.txt", ["new", "words"])
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture
def ask(
    store: Store, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    """`python -m rag` on the store, with an encoder that hashes."""
    encoder, _ = hash_encoder(tokenizer)
    monkeypatch.setattr("rag.library.Library._load_encoder", lambda self, **options: encoder)

    def run(*arguments: str) -> tuple[int, str]:
        code = program.command([*arguments, "--ranking", "vector", "--db", str(store.client.location)])
        return code, capsys.readouterr().out

    return run


def test_the_filter_and_the_cap_of_the_command_line_reach_the_search(ask) -> None:  # type: ignore[no-untyped-def]
    code, printed = ask("search", "cat", "-k", "50", "--json", "--filter", "first>=40", "--filter", "source~1*.txt")
    hits = json.loads(printed)["hits"]
    assert (code, len(hits)) == (0, 50)
    assert all(hit["metadata"]["first"] >= 100 for hit in hits)
    code, printed = ask("search", "cat", "-k", "50", "--json", "--per-document", "1")
    assert len({hit["document_id"] for hit in json.loads(printed)["hits"]}) == 50
    assert ask("search", "cat", "--filter", "first=1")[0] == 3


def test_json_says_which_hits_and_ranks_are_certain_of_float32_vectors(ask) -> None:  # type: ignore[no-untyped-def]
    for more in ([], ["--explain"], ["--strategy", "two-stage", "--per-document", "1"]):
        code, printed = ask("search", "cat", "-k", "5", "--json", *more)
        found = json.loads(printed)
        told = found["float32"]
        assert (code, len(told["hits"]), told["unknown"]) == (0, 5, 0)
        assert told["certain"] == sum(hit["certain"] for hit in told["hits"])
        assert told["outsider"] == (told["certain"] < 5)
        assert all(first + 1 == second <= 5 for first, second in told["open"])
        for hit, bounds in zip(found["hits"], told["hits"], strict=True):
            assert bounds["lower"] <= hit["score"] <= bounds["upper"]


def test_explain_and_verify_print_json_too(ask, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("rag.retrieve.inspection.verify_search", partial(verify_search, sample=10))
    code, printed = ask("search", "cat", "-k", "3", "--explain", "--strategy", "two-stage", "--json")
    told = json.loads(printed)
    assert (code, len(told["hits"]), told["sign_bits"]) == (0, 3, 16)
    assert [step["statement"] for step in told["steps"]] == ["hidden_generations", "search_two_stage", "publications"]
    assert "SET param_candidates = '300';" in told["steps"][1]["sql"]
    assert all({"score", "hamming"} <= hit.keys() for hit in told["hits"])
    code, printed = ask("search", "cat", "-k", "3", "--explain", "--strategy", "two-stage")
    assert "2. search: search_two_stage.sql," in printed
    assert "bitHammingDistance" in printed
    assert "Their order is that of float32 vectors." in printed or "Which comes first is open" in printed
    code, printed = ask("search", "--verify", "--strategy", "two-stage", "--json")
    assert (code, json.loads(printed)["recall"]) == (0, 1.0)
    assert f"recall@{DEFAULT_K} 1.0000" in ask("search", "--verify", "--strategy", "exact")[1]
