"""The three losses apart: each is measured for itself, and what they keep multiplies to the whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from models import save_distilbert
from support import search, write_tiny_checkpoint

from ingest.corpus import index_corpus
from ingest.synchronize import prepare
from rag.commands.command_line import command
from rag.encoder.encoder import load_float_encoder
from rag.evaluate.beir import read_corpus, read_queries
from rag.evaluate.metrics import ndcg
from rag.evaluate.report import Judged, Qualities, Question, Rankings, graded, recall_of_first, report_losses, without
from rag.int8.quantization import dequantize, quantize_query
from rag.library import Library
from sql.base.errors import EXIT_ERROR, EXIT_OK, EXIT_USAGE, RagError, StoreError, UsageError
from sql.base.settings import GRANULARITIES, Settings
from sql.base.terminal import run_command
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer

WORDS = ("cat", "dog", "sat", "mat", "runs", "here", "one", "two", "three", "bird", "fish")
DOCUMENTS, QUERIES = 16, 4


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn documents, and queries that are judged to be about some of them."""
    folder, random = tmp_path_factory.mktemp("evaluation"), np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 12)) for _ in range(DOCUMENTS)]
    lines = [json.dumps({"_id": f"d{row}", "text": text}) for row, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    asked = [json.dumps({"_id": f"q{row}", "text": texts[row].rsplit(" ", 6)[0]}) for row in range(QUERIES)]
    (folder / "queries.jsonl").write_text("\n".join(asked))
    (folder / "qrels").mkdir()
    judged = [f"q{row}\td{document}\t{grade}" for row in range(QUERIES) for document, grade in ((row, 2), (row + 9, 1))]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged))
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(store=".rag", model=None, cache=tmp_path_factory.mktemp("cache"), offline=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> str:
    """A float model with drawn weights, of which the int8 one is made."""
    folder = tmp_path_factory.mktemp("model")
    save_distilbert(folder, tokenizer)
    return str(folder)


QRELS = {f"q{row}": {f"d{row}": 2, f"d{row + 9}": 1} for row in range(QUERIES)}


def judgements(evaluation: Path) -> Judged:
    return Judged(list(read_queries(evaluation)), QRELS)


def float_ndcg(floats: Encoder, evaluation: Path) -> float:
    """nDCG@10 of the float32 model, the slow and obvious way: every document is one chunk here."""
    documents = list(read_corpus(evaluation))
    vectors = floats.encode_documents([document.text for document in documents]).astype(np.float64)
    values = []
    for query in read_queries(evaluation):
        order = np.argsort(-(vectors @ floats.encode_queries([query.text])[0]), kind="stable")
        values.append(ndcg([documents[row].id for row in order], QRELS[query.id], 10))
    return sum(values) / len(values)


def searched_ndcg(store: Store, encoder: Encoder, evaluation: Path) -> float:
    """nDCG@10 as the store searches."""
    values = []
    for query in read_queries(evaluation):
        hits = search(store, quantize_query(encoder.encode_query(query.text)), DOCUMENTS)
        values.append(ndcg([hit.source for hit in hits], QRELS[query.id], 10))
    return sum(values) / len(values)


def no_floats() -> Encoder:
    raise RagError("the float weights are not here")


@dataclass(frozen=True)
class Measured:
    """Reports of one store that keeps all float vectors, and the same figures measured in the slow and obvious way."""

    judged: dict[str, Any]
    by_chunks: dict[str, Any]
    without_floats: dict[str, Any]
    sampled: list[dict[str, Any]]
    float_ndcg: float
    searched_ndcg: float
    cosines: NDArray[np.float64]
    errors: NDArray[np.float64]
    calibration: int | None


@pytest.fixture(scope="module", params=GRANULARITIES)
def measured(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    settings: Settings,
    model: str,
    evaluation: Path,
) -> Measured:
    """A store of each granularity, measured and closed again."""
    with Store.open(str(tmp_path_factory.mktemp("store")), write=True) as store:
        library = Library(store, settings=settings, model=model)
        encoder = prepare(library, granularity=request.param)
        index_corpus(library, evaluation, read_corpus(evaluation), keep_floats=1)
        floats = load_float_encoder(settings, encoder)
        calibration = store.snapshot(store.epoch()).calibration()
        return Measured(
            report_losses(store, encoder, lambda: floats, judgements(evaluation)),
            report_losses(store, encoder, lambda: floats),
            report_losses(store, encoder, no_floats),
            [report_losses(store, encoder, no_floats, chunks=6) for _ in range(2)],
            float_ndcg(floats, evaluation),
            searched_ndcg(store, encoder, evaluation),
            *stored_losses(store, encoder),
            calibration.version if calibration else None,
        )


def stored_losses(store: Store, encoder: Encoder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine of each stored vector with its float32 vector, and its error in proportion to the length, in NumPy."""
    texts = dict(store.snapshot().chunk_texts())
    sql = "SELECT source, codes, scale, zero_point FROM live_chunks(epoch = 1) ORDER BY source"
    rows = [json.loads(line) for line in store.client.text(sql, "JSONEachRow").splitlines()]
    vectors = encoder.encode_documents([texts[row["source"]] for row in rows])
    widths = np.array([[row["scale"]] for row in rows], dtype=np.float32)
    zeros = np.array([[row["zero_point"]] for row in rows])
    calibration = store.snapshot(store.epoch()).calibration()
    if calibration is not None and calibration.per_dimension:
        widths, zeros = calibration.scale[None], calibration.zero_point[None]
    restored = dequantize([row["codes"] for row in rows], widths, zeros).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = (restored * vectors).sum(axis=1) / (np.linalg.norm(restored, axis=1) * lengths)
    return cosines, np.linalg.norm(restored - vectors, axis=1) / lengths


def parts_multiply(losses: dict[str, Any]) -> bool:
    product = prod(losses[part]["kept"] for part in ("model", "vectors", "search") if losses[part]["kept"] is not None)
    return bool(product == pytest.approx(losses["kept"]))


@pytest.mark.everyday("dimension")
def test_the_three_parts_multiply_to_what_is_kept_from_the_float_model_to_the_search(measured: Measured) -> None:
    losses = measured.judged
    assert (losses["chunks"], losses["sampled"], losses["questions"]) == (DOCUMENTS, DOCUMENTS, QUERIES)
    assert losses["measure"] == "ndcg@10"
    assert 0 < measured.float_ndcg < 1
    assert losses["qualities"]["float32 model, float32 vectors"] == pytest.approx(measured.float_ndcg)
    assert losses["qualities"]["as searched"] == pytest.approx(measured.searched_ndcg)
    assert losses["kept"] == pytest.approx(measured.searched_ndcg / measured.float_ndcg)
    assert parts_multiply(losses)
    assert losses["search"] == {"kept": 1.0, "recall@10": 1.0}  # the exact search is the only one there is


@pytest.mark.everyday("dimension")
def test_chunks_as_questions_multiply_too_and_do_not_find_themselves(measured: Measured) -> None:
    losses = measured.by_chunks
    assert losses["measure"] == "recall@10"
    assert losses["questions"] == DOCUMENTS
    assert losses["qualities"]["float32 model, float32 vectors"] == 1
    assert 0.3 < losses["kept"] <= 1  # drawn weights: much is lost, so that the parts are not all alike
    assert parts_multiply(losses)


@pytest.mark.everyday("dimension")
def test_the_vector_part_in_sql_is_that_of_numpy(measured: Measured) -> None:
    found = measured.without_floats["vectors"]
    assert found["cosine_mean"] == pytest.approx(measured.cosines.mean(), rel=1e-5)
    assert found["cosine_least"] == pytest.approx(measured.cosines.min(), rel=1e-5)
    assert found["error_mean"] == pytest.approx(measured.errors.mean(), rel=1e-3)
    assert found["error_largest"] == pytest.approx(measured.errors.max(), rel=1e-3)
    assert found["vectors"] == DOCUMENTS
    assert found["saturated_share"] == 0
    assert (found["code_bytes"], found["float_bytes"]) == (48 + 13, 4 * 48)
    assert found["calibration"] == measured.calibration


def test_without_float_weights_the_model_part_is_said_to_be_unmeasured(measured: Measured) -> None:
    losses = measured.without_floats
    assert losses["model"] == {
        "kept": None,
        "not_measured": "the float weights are not here",
        "cosine_mean": None,
        "cosine_least": None,
    }
    assert losses["qualities"]["float32 model, float32 vectors"] is None
    assert losses["qualities"]["int8 model, float32 vectors"] == 1
    assert parts_multiply(losses)


def test_a_sample_of_the_chunks_is_enough_and_the_same_on_every_run(measured: Measured) -> None:
    losses, again = measured.sampled
    assert losses == again
    assert (losses["sampled"], losses["questions"]) == (6, 6)
    assert parts_multiply(losses)


def test_what_saturates_is_found_in_the_stored_table(
    tmp_path: Path, settings: Settings, model: str, evaluation: Path
) -> None:
    with Store.open(str(tmp_path / "store"), write=True) as store:
        library = Library(store, settings=settings, model=model)
        encoder = prepare(library, granularity="dimension", ranges="percentile")
        documents = list(read_corpus(evaluation))
        index_corpus(library, evaluation, documents[:3], keep_floats=1)  # too few to fit ranges on
        index_corpus(library, evaluation, documents, keep_floats=1)
        share = report_losses(store, encoder, no_floats)["vectors"]["saturated_share"]
    assert 0.2 < share < 0.8


def test_a_store_without_float_vectors_is_told_how_to_get_them(
    tmp_path: Path, settings: Settings, model: str, evaluation: Path
) -> None:
    with Store.open(str(tmp_path / "store"), write=True) as store:
        library = Library(store, settings=settings, model=model)
        encoder = prepare(library)
        index_corpus(library, evaluation, read_corpus(evaluation))
        with pytest.raises(StoreError, match=r"keeps no float32 vectors .* --keep-floats .*, or give --eval"):
            report_losses(store, encoder, no_floats)


def test_judged_queries_need_every_float_vector(
    tmp_path: Path, settings: Settings, model: str, evaluation: Path
) -> None:
    with Store.open(str(tmp_path / "store"), write=True) as store:
        library = Library(store, settings=settings, model=model)
        encoder = prepare(library)
        index_corpus(library, evaluation, read_corpus(evaluation), keep_floats=3)
        with pytest.raises(
            UsageError, match=rf"need the float32 vector of every chunk, and \d+ of {DOCUMENTS} were kept"
        ):
            report_losses(store, encoder, no_floats, judgements(evaluation))


# The parts, by hand


def test_a_search_that_misses_chunks_is_charged_to_the_search() -> None:
    chunks: list[Any] = [(None, number) for number in range(20)]
    all_of_them = chunks[:10]
    half = chunks[:5] + chunks[15:]
    question = Question(np.ones(1, dtype=np.float32), None, itself=chunks[19])
    for whole in (True, False):
        rankings = Rankings(None, [all_of_them], [all_of_them], [all_of_them], [half], {}, whole)
        assert rankings.search_recall() == 0.5
        assert rankings.qualities([question]) == Qualities(None, 1, 1, 0.5)


def test_nothing_can_be_kept_of_nothing() -> None:
    qualities = Qualities(0.0, 0.5, 0.5, 0.25)
    assert (qualities.model_kept, qualities.vectors_kept, qualities.search_kept, qualities.kept) == (None, 1, 0.5, None)


def test_rankings_are_compared_by_their_first_ten() -> None:
    chunks: list[Any] = [(None, number) for number in range(12)]
    assert recall_of_first(chunks, chunks[::-1]) == 0.8
    assert recall_of_first(chunks, []) == 1
    assert without(chunks, chunks[0]) == chunks[1:]
    assert graded(chunks[:3], {"a": 1, "b": 1}, {chunks[0]: "a", chunks[1]: "a", chunks[2]: "b"}) == 1


# The command


def test_the_command_fills_a_store_measures_it_and_prints_the_losses(
    tmp_path: Path, model: str, evaluation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    where = ["--model", model]
    assert run_command(command, ["report", "--eval", str(evaluation), "--json", *where]) == EXIT_OK
    losses = json.loads(capsys.readouterr().out)
    assert losses["qualities"]["as searched"] > 0
    kept = ["--db", str(tmp_path / "store"), *where]
    assert run_command(command, ["report", "--eval", str(evaluation), *kept]) == EXIT_OK
    printed = capsys.readouterr().out
    assert [line.split("  ")[0] for line in printed.splitlines()[1:5]] == [
        "int8 model",
        "int8 vectors",
        "search",
        "all together",
    ]
    assert f"{losses['kept']:.2%}" in printed
    assert "a vector takes 61 bytes, 192 in float32" in printed
    assert run_command(command, ["report", *kept, "--sample", "5"]) == EXIT_OK
    assert "5 questions to 5 of 16 chunks" in capsys.readouterr().out
    assert run_command(command, ["report", *kept, "--sample", "0"]) == EXIT_USAGE
    assert run_command(command, ["report", "--ladder", "--eval", str(evaluation), "--json", *kept]) == EXIT_OK
    ladder = json.loads(capsys.readouterr().out)
    assert (ladder["chunks"], ladder["questions"], ladder["budget"]) == (DOCUMENTS, QUERIES, None)
    rungs = {rung["name"]: rung for rung in ladder["rungs"]}
    assert rungs["8 bits"]["ndcg@10_kept"] == rungs["8 bits"]["recall@10"] == 1
    assert all(0 < rung["recall@10_of_float32"] <= 1 for rung in rungs.values())  # the set keeps all float32 vectors


def test_the_command_says_where_the_float_weights_are_missing_and_where_there_is_no_store(
    tmp_path: Path, tokenizer: Tokenizer, evaluation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = str(write_tiny_checkpoint(tmp_path / "tiny", tokenizer))
    assert run_command(command, ["report", "--eval", str(evaluation), "--model", tiny]) == EXIT_OK
    assert "int8 model            not measured" in capsys.readouterr().out
    assert run_command(command, ["report", "--db", str(tmp_path / "nowhere")]) == EXIT_ERROR
    assert "there is no store at" in capsys.readouterr().err
