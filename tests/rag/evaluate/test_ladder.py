"""The ladder: every rung finds what NumPy finds with the same bits, and costs the bytes that it compares."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import chunks_of, identity, open_store, source_document

from rag.commands.command_line import command
from rag.evaluate import ladder as ladder_module
from rag.evaluate.budget import choose_search
from rag.evaluate.ladder import Ladder, Rung, Table, chunk_questions, measure_ladder
from rag.evaluate.report import Question, vector_losses
from rag.int8.quantization import quantize_query, quantize_vectors, vector_scheme
from sql.base.errors import EXIT_ERROR, EXIT_OK, RagError
from sql.base.terminal import run_command
from sql.records.calibration import Quantizer
from sql.search.signs import query_signs, vector_signs
from sql.store import ChunkBatch, Store
from sql.upkeep.cells import maintain_cells

if TYPE_CHECKING:
    from pathlib import Path

ROWS, DIMENSIONS, PER_DOCUMENT = 400, 32, 4
VECTORS = np.random.default_rng(3).standard_normal((ROWS, DIMENSIONS)).astype(np.float32)
CODES = quantize_vectors(VECTORS)
QUESTION = np.random.default_rng(4).standard_normal(DIMENSIONS).astype(np.float32)


def fill(store: Store, floats: int = ROWS) -> None:
    """A hundred documents of four chunks each, of which so many keep their float32 vector."""
    drafts, chunks = [], []
    for first in range(0, ROWS, PER_DOCUMENT):
        drafts.append(store.writer.begin(source_document(f"{first}.txt")))
        texts = [str(row) for row in range(first, first + PER_DOCUMENT)]
        chunks += [(drafts[-1], chunk) for chunk in chunks_of(texts)]
    references = {row: VECTORS[row].tolist() for row in range(floats)}
    store.writer.insert(ChunkBatch(chunks, CODES, references=references))
    store.writer.publish(drafts)


@dataclass(frozen=True)
class Measured:
    """A store, its ladder by eight of its chunks, which these are, and some rungs of it by a judged question."""

    folder: Path
    ladder: Ladder
    questions: list[int]
    judged: Ladder


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("ladder") / "store"
    near = {f"{row // PER_DOCUMENT * PER_DOCUMENT}.txt": 1 for row in sorted(first_ten(by_codes(QUESTION)))}
    rungs = [Rung("8 bits"), Rung("signs"), Rung("two-stage", candidates=300)]
    with open_store(folder, DIMENSIONS) as store:
        fill(store)
        snapshot = store.snapshot()
        documents = {document.document_id: int(document.source.split(".")[0]) for document in snapshot.documents()}
        keys = [question.itself for question in chunk_questions(snapshot, 8)]
        return Measured(
            folder,
            measure_ladder(snapshot, questions=8),
            [documents[key[0]] + key[1] for key in keys if key],
            measure_ladder(snapshot, [Question(QUESTION, None, grades=near)], rungs),
        )


@pytest.fixture(scope="module")
def ladder(measured: Measured) -> Ladder:
    return measured.ladder


def first_ten(scores: np.ndarray, itself: int | None = None) -> set[int]:
    order = [row for row in np.argsort(-scores, kind="stable").tolist() if row != itself]
    return set(order[:10])


def expected(questions: list[int], scores_of: Any, truth_of: Any) -> float:
    """The recall that these rows as questions have."""
    vectors = CODES.dequantize()
    found = [len(first_ten(scores_of(vectors[row]), row) & first_ten(truth_of(vectors[row]), row)) for row in questions]
    return sum(found) / (10 * len(questions))


def by_codes(vector: np.ndarray) -> np.ndarray:
    return np.asarray(CODES.dequantize() @ quantize_query(vector).codes)


def by_floats(vector: np.ndarray) -> np.ndarray:
    return np.asarray(VECTORS.astype(np.float64) @ vector)


def by_signs(vector: np.ndarray) -> np.ndarray:
    asked = np.frombuffer(query_signs(quantize_query(vector)), dtype=np.uint8)
    return np.asarray(-np.unpackbits(vector_signs(CODES) ^ asked, axis=1).sum(axis=1, dtype=np.int64))


def by_four_bits(vector: np.ndarray) -> np.ndarray:
    middles = CODES.codes.astype(np.int32) // 16 * 16 + 8
    return np.asarray((CODES.scale[:, None] * (middles - CODES.zero_point[:, None])) @ quantize_query(vector).codes)


@pytest.mark.parametrize(("rung", "scores_of"), [("signs", by_signs), ("4 bits", by_four_bits)])
def test_fewer_bits_find_what_numpy_finds_with_them(measured: Measured, rung: str, scores_of: Any) -> None:
    (price,) = (one for one in measured.ladder.prices if one.rung.name == rung)
    # The signs of several chunks may differ from the question's in as many bits as the tenth's: one of these or another.
    ties = 0.05 if rung == "signs" else 0
    assert price.recall == pytest.approx(expected(measured.questions, scores_of, by_codes), abs=ties + 1e-9)
    assert price.float_recall == pytest.approx(expected(measured.questions, scores_of, by_floats), abs=ties + 1e-9)
    assert price.recall < 1
    assert price.milliseconds is price.cpu_milliseconds is None


def test_eight_bits_are_the_truth_and_nearly_that_of_float32(measured: Measured) -> None:
    (price,) = (one for one in measured.ladder.prices if one.rung.name == "8 bits")
    assert price.recall == 1
    assert price.float_recall == pytest.approx(expected(measured.questions, by_codes, by_floats))
    assert price.milliseconds is not None
    assert price.cpu_milliseconds is not None


def test_of_a_store_of_4_bits_these_are_all_that_there_is(tmp_path: Path) -> None:
    four = Quantizer("asymmetric", bits=4)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(identity(DIMENSIONS), four.name)
        draft = store.writer.begin(source_document("0.txt"))
        chunks = [(draft, chunk) for chunk in chunks_of([str(row) for row in range(30)])]
        codes = quantize_vectors(VECTORS[:30], vector_scheme(four))
        store.writer.insert(ChunkBatch(chunks, codes, references=dict(enumerate(VECTORS[:30].tolist()))))
        store.writer.publish([draft])
        prices = measure_ladder(store.snapshot(), questions=4).prices
        losses = vector_losses(store.snapshot())
        chosen = choose_search(store, "recall=0.99", 4)
    assert [price.rung.name for price in prices] == ["signs", "4 bits", "two-stage"]
    signs, exact, two_stage = prices
    assert exact.recall == 1
    assert exact.float_recall is not None
    assert exact.float_recall < 1
    assert exact.milliseconds is not None
    assert (exact.stored, two_stage.stored) == (DIMENSIONS // 2 + 5, DIMENSIONS // 2 + 5 + signs.stored)
    assert losses["code_bytes"] == DIMENSIONS // 2 + 13
    assert losses["error_mean"] == pytest.approx(float(np.mean(codes.errors() / np.linalg.norm(VECTORS[:30], axis=1))))
    assert "finds" in chosen


def test_more_candidates_find_no_less_and_read_more(ladder: Ladder) -> None:
    prices = [price for price in ladder.prices if price.rung.name == "two-stage"]
    assert [price.rung.candidates for price in prices] == [20, 50, 100, 200, 300]  # fewer than there are chunks
    assert [price.recall for price in prices] == sorted(price.recall for price in prices)
    assert prices[0].recall < prices[-1].recall
    signs, codes = 2 * DIMENSIONS // 8, DIMENSIONS + 5
    assert [price.read for price in prices] == [signs + codes * count / ROWS for count in (20, 50, 100, 200, 300)]
    assert {price.stored for price in prices} == {signs + codes}


def test_with_judgements_a_rung_has_what_it_keeps_of_the_exact_searchs_ndcg(measured: Measured) -> None:
    exact, signs, two_stage = measured.judged.prices
    assert measured.judged.questions == 1
    assert exact.ndcg_kept == two_stage.ndcg_kept == 1
    assert signs.ndcg_kept is not None
    assert signs.ndcg_kept < 1


def test_recall_of_float32_needs_the_float32_vector_of_every_chunk(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", DIMENSIONS) as store:
        fill(store, floats=ROWS - 1)
        assert not Table.of(store.snapshot()).all_floats
        (price,) = measure_ladder(store.snapshot(), rungs=[Rung("8 bits")], questions=2).prices
        assert price.float_recall is None


def test_cells_are_rungs_that_read_their_share_of_the_table(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", DIMENSIONS) as store:
        fill(store)
        maintain_cells(store, least=100)
        store.garbage.collect_unseen(grace_seconds=0)
        table = Table.of(store.snapshot())
        assert [rung.probes for rung in table.rungs() if rung.name == "cells"] == [
            4,
            8,
            16,
            32,
            64,
            96,
            128,
        ]  # of 160 cells
        few, many = [Rung("cells", probes=16), Rung("cells", probes=128)]
        prices = measure_ladder(store.snapshot(), rungs=[few, many], questions=8).prices
    assert prices[0].recall < prices[1].recall
    assert 0.02 < prices[0].read / (DIMENSIONS + 5) < 0.3
    assert 0.7 < prices[1].read / (DIMENSIONS + 5) < 1


def test_the_command_prints_a_line_a_rung_and_the_same_as_json(
    measured: Measured, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_module, "CANDIDATES", (100,))
    where = ["--db", str(measured.folder)]
    assert run_command(command, ["report", "--ladder", *where, "--sample", "4", "--json"]) == EXIT_OK
    printed = json.loads(capsys.readouterr().out)
    assert (printed["chunks"], printed["questions"]) == (ROWS, 4)
    assert [rung["name"] for rung in printed["rungs"]] == ["signs", "4 bits", "8 bits", "two-stage"]
    assert printed["rungs"][2]["recall@10"] == 1
    assert run_command(command, ["report", "--ladder", *where, "--sample", "4"]) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert [line[:26].strip() for line in lines[1:-1]] == ["signs", "4 bits", "8 bits", "two-stage, 100 candidates"]
    assert "100.00%" in lines[3]
    assert lines[-1].startswith(f"{ROWS} chunks, 4 questions")


def test_an_empty_store_has_no_ladder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(tmp_path / "store") as store, pytest.raises(RagError, match="nothing to measure"):
        measure_ladder(store.snapshot())
    assert run_command(command, ["report", "--ladder", "--db", str(tmp_path / "store")]) == EXIT_ERROR
    assert "nothing to measure" in capsys.readouterr().err
