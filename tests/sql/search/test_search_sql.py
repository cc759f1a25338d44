"""Search in SQL against the slow and obvious arithmetic of NumPy: the same floats, in the same order."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import chdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import DIMENSIONS, draft_document, open_store, publish_document, search, source_document, vectors_of

from rag.int8.quantization import dequantize, quantize_query, scores
from sql.base.errors import RagError, StoreError
from sql.engine.statements import Statement, escape_parameter
from sql.records import MAX_DIMENSIONS, Chunk, QuantizedQuery, QuantizedVectors
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from server import Server

CHUNKS_PER_DOCUMENT = 3
Bare = Callable[[list[str], str], list[bytes]]
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module", params=["chdb", "server"])
def anything_goes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that takes vectors of any dimension, so that many dimensions need one store only; on each back end."""
    if request.param == "chdb":
        place = str(tmp_path_factory.mktemp("store"))
    else:
        running: Server = request.getfixturevalue("server")
        place = running.dsn(running.new_database())
    with open_store(place) as store:
        store.client.text("ALTER TABLE chunks DROP CONSTRAINT dimensions", None)
        store.client.text("ALTER TABLE chunks MODIFY COLUMN signs String", None)
        yield store


@pytest.fixture(scope="module")
def bare(anything_goes: Store, request: pytest.FixtureRequest) -> Iterator[Bare]:
    """Runs statements one after another in a session of another client; gives what each printed."""
    location = anything_goes.client.location
    if location.server is not None:
        running: Server = request.getfixturevalue("server")
        place = {"database": location.server.database, "session_id": location.server.database}
        yield lambda statements, form: [running.ask_bytes(sql, default_format=form, **place) for sql in statements]
        return
    assert location.folder is not None
    connection = chdb.connect(str(location.folder.resolve() / "data"))
    yield lambda statements, form: [connection.query(sql, form).bytes() for sql in statements]
    connection.close()


@pytest.fixture
def library(anything_goes: Store) -> Iterator[Store]:
    """A store with an old, a current and a deleted document."""
    store = anything_goes
    publish_document(store, "a.txt", ["old"])
    publish_document(store, "gone.txt", ["gone"])
    gone = [document for document in store.snapshot().documents() if document.source == "gone.txt"]
    store.writer.publish(
        [draft_document(store, "a.txt", ["one", "two"]), draft_document(store, "b.txt", ["three"])], gone
    )
    yield store
    store.writer.publish([], store.snapshot().documents())
    store.garbage.collect_unseen(grace_seconds=0)


@contextmanager
def stored(store: Store, vectors: QuantizedVectors) -> Iterator[list[tuple[UUID, int]]]:
    """Vectors as chunks of documents; yields the document and the index of each row, and leaves the store empty."""
    drafts, rows = [], []
    for first in range(0, len(vectors), CHUNKS_PER_DOCUMENT):
        draft = store.writer.begin(source_document(f"{first}.txt"))
        drafts.append(draft)
        for index in range(min(CHUNKS_PER_DOCUMENT, len(vectors) - first)):
            rows.append((draft, Chunk(index, "text", 0, 4, 1, 0, "", 1)))
    store.writer.insert(ChunkBatch(rows, vectors))
    store.writer.publish(drafts)
    try:
        yield [(draft.document_id, chunk.index) for draft, chunk in rows]
    finally:
        store.writer.publish([], store.snapshot().documents())
        store.garbage.collect_unseen(grace_seconds=0)


def expected_ranking(
    query: QuantizedQuery, vectors: QuantizedVectors, places: Sequence[tuple[UUID, int]]
) -> list[tuple[UUID, int, float]]:
    """Every row with its score, best first; ties by document and chunk, as ClickHouse orders them."""
    rows = [(*place, float(score)) for place, score in zip(places, scores(query, vectors), strict=True)]
    return sorted(rows, key=lambda row: (-row[2], uuid_order(row[0]), row[1]))


def uuid_order(value: UUID) -> tuple[int, int]:
    """ClickHouse compares the second half of a UUID before the first (its documentation of the type says so)."""
    return value.int & 2**64 - 1, value.int >> 64


def assert_same_ranking(store: Store, query: QuantizedQuery, vectors: QuantizedVectors) -> None:
    with stored(store, vectors) as places:
        expected = expected_ranking(query, vectors, places)
        for k in {1, max(1, len(places) // 2), len(places) + 10}:
            found = [(hit.document_id, hit.chunk_index, hit.score) for hit in search(store, query, k)]
            assert found == expected[:k]


def random_vectors(random: np.random.Generator, rows: int, dimensions: int) -> QuantizedVectors:
    """Codes and zero-points of the whole range, each row twice over, so that there are ties."""
    codes = random.integers(-128, 128, (rows, dimensions)).astype(np.int8)
    scale = random.uniform(1e-3, 1e-2, rows).astype(np.float32)
    zero_point = random.integers(-128, 128, rows).astype(np.int8)
    return QuantizedVectors(np.tile(codes, (2, 1)), np.tile(scale, 2), np.tile(zero_point, 2))


def random_query(random: np.random.Generator, dimensions: int) -> QuantizedQuery:
    return QuantizedQuery(random.integers(-2047, 2048, dimensions).astype(np.int16), float(random.uniform(1e-5, 1e-3)))


# The arithmetic


@pytest.mark.everyday("server-1024", "chdb-1]", "chdb-3]", "chdb-1000")
@pytest.mark.parametrize(
    "dimensions",
    [1, 8, 384, *(pytest.param(one, marks=pytest.mark.either_back_end) for one in (2, 3, 7, 31, 32, 64, 1000, 1024))],
)
def test_scores_and_order_in_sql_are_those_of_exact_integers(anything_goes: Store, dimensions: int) -> None:
    random = np.random.default_rng(dimensions)
    vectors = random_vectors(random, 20, dimensions)
    assert_same_ranking(anything_goes, random_query(random, dimensions), vectors)


EXTREME_CODES = st.sampled_from([-128, -127, -1, 0, 1, 127])
EXTREME_QUERY_CODES = st.sampled_from([-2047, -1, 0, 1, 2047])


@st.composite
def vectors_and_query(draw: st.DrawFn) -> tuple[QuantizedVectors, QuantizedQuery]:
    """A few vectors of one dimension with codes, zero-points and scales at and within their limits."""
    dimensions = draw(st.integers(1, 24) | st.integers(25, 1024))
    rows = draw(st.integers(1, 6))
    if draw(st.booleans()):
        random = np.random.default_rng(draw(st.integers(0, 2**32)))
        codes = random.integers(-128, 128, (rows, dimensions))
        query = random.integers(-2047, 2048, dimensions)
    else:
        codes = np.resize(draw(st.lists(EXTREME_CODES, min_size=1, max_size=24)), (rows, dimensions))
        query = np.resize(draw(st.lists(EXTREME_QUERY_CODES, min_size=1, max_size=24)), dimensions)
    scale = draw(st.lists(st.floats(2**-126, 2.0**100, width=32), min_size=rows, max_size=rows))
    zero_point = draw(st.lists(EXTREME_CODES, min_size=rows, max_size=rows))
    query_scale = draw(st.floats(1e-40, 1e35))
    return (
        QuantizedVectors(codes.astype(np.int8), np.array(scale, dtype=np.float32), np.array(zero_point, dtype=np.int8)),
        QuantizedQuery(query.astype(np.int16), query_scale),
    )


@pytest.mark.either_back_end
@settings(unhurried, max_examples=8)
@given(case=vectors_and_query())
def test_any_codes_scales_and_zero_points_score_alike_in_sql_and_numpy(
    anything_goes: Store, case: tuple[QuantizedVectors, QuantizedQuery]
) -> None:
    vectors, query = case
    assert_same_ranking(anything_goes, query, vectors)


@pytest.mark.slow
@settings(unhurried, max_examples=300)
@given(case=vectors_and_query())
def test_hundreds_of_cases_score_alike_in_sql_and_numpy(
    anything_goes: Store, case: tuple[QuantizedVectors, QuantizedQuery]
) -> None:
    vectors, query = case
    assert_same_ranking(anything_goes, query, vectors)


@pytest.mark.either_back_end
@pytest.mark.parametrize("code", [-128, 127])
@pytest.mark.parametrize("query_code", [-2047, 2047])
@pytest.mark.everyday("chdb-2047-127", "chdb--2047--128")
def test_the_largest_sums_of_the_largest_vectors_are_exact(anything_goes: Store, code: int, query_code: int) -> None:
    codes = np.full((2, MAX_DIMENSIONS), code, dtype=np.int8)
    zero_points = np.array([-128, 127], dtype=np.int8)
    query = QuantizedQuery(np.full(MAX_DIMENSIONS, query_code, dtype=np.int16), 1.0)
    vectors = QuantizedVectors(codes, np.ones(2, dtype=np.float32), zero_points)
    assert scores(query, vectors).tolist() == [MAX_DIMENSIONS * query_code * (code - int(zero)) for zero in zero_points]
    assert_same_ranking(anything_goes, query, vectors)


def test_a_product_of_two_int8_arrays_wraps_which_is_why_the_query_is_int16(anything_goes: Store) -> None:
    # measured on engine 26.9.2.1: 1,024 times -128 * -128 is 16,777,216 and comes out as 0
    sql = "SELECT dotProduct(arrayResize(CAST([], 'Array({0})'), 1024, -128), arrayResize([-128::Int8], 1024, -128))"
    assert anything_goes.client.text(sql.replace("{0}", "Int8"), "TSV") == b"0\n"
    assert anything_goes.client.text(sql.replace("{0}", "Int16"), "TSV") == b"16777216\n"
    types = "SELECT toTypeName(dotProduct([1::Int8], [1::Int8])), toTypeName(dotProduct([1::Int16], [1::Int8]))"
    assert anything_goes.client.text(types, "TSV") == b"Int16\tInt32\n"


def test_the_nearest_chunk_is_first_where_the_int8_product_puts_it_last(anything_goes: Store) -> None:
    # 3 * 127 * 127 = 48,387 wraps to -17,149
    codes = np.array([[127, 127, 127], [1, 0, 0]], dtype=np.int8)
    vectors = QuantizedVectors(codes, np.ones(2, dtype=np.float32), np.zeros(2, dtype=np.int8))
    with stored(anything_goes, vectors):
        naive = "SELECT chunk_index, dotProduct([127, 127, 127]::Array(Int8), codes) AS s FROM chunks ORDER BY s DESC"
        assert anything_goes.client.text(naive, "TSV") == b"1\t127\n0\t-17149\n"
        hits = search(anything_goes, QuantizedQuery(np.array([127, 127, 127], dtype=np.int16), 1.0), 2)
    assert [(hit.chunk_index, hit.score) for hit in hits] == [(0, 48387.0), (1, 127.0)]


# What is asked for


def test_equal_scores_come_in_the_same_order_on_every_run(anything_goes: Store) -> None:
    vectors = QuantizedVectors(
        np.ones((30, 4), dtype=np.int8), np.ones(30, dtype=np.float32), np.zeros(30, dtype=np.int8)
    )
    query = QuantizedQuery(np.ones(4, dtype=np.int16), 1.0)
    with stored(anything_goes, vectors) as places:
        expected = sorted(places, key=lambda place: (uuid_order(place[0]), place[1]))
        for _ in range(3):
            assert [(hit.document_id, hit.chunk_index) for hit in search(anything_goes, query, 30)] == expected


def test_documents_are_ranked_by_their_best_chunk(anything_goes: Store) -> None:
    random = np.random.default_rng(5)
    vectors, query = random_vectors(random, 20, 16), random_query(random, 16)
    with stored(anything_goes, vectors) as places:
        best: dict[str, float] = {}
        names = {document.document_id: document.source for document in anything_goes.snapshot().documents()}
        for document_id, _, score in expected_ranking(query, vectors, places):
            best.setdefault(names[document_id], score)
        assert anything_goes.snapshot().search_documents(query, SearchRequest(k=100)) == list(best.items())
        assert anything_goes.snapshot().search_documents(query, SearchRequest(k=4)) == list(best.items())[:4]


def test_asking_for_more_chunks_than_there_are_returns_all_of_them(anything_goes: Store) -> None:
    vectors = vectors_of(["one", "two", "three"])
    query = quantize_query(np.ones(DIMENSIONS, dtype=np.float32))
    with stored(anything_goes, vectors):
        for k in (3, 4, 10**12):
            assert len(search(anything_goes, query, k)) == 3
            assert len(anything_goes.snapshot().search_documents(query, SearchRequest(k=k))) == 1


@pytest.mark.parametrize("k", [0, -1])
def test_asking_for_less_than_one_chunk_is_refused(anything_goes: Store, k: int) -> None:
    with pytest.raises(RagError, match=f"k is {k}: it must be at least 1"):
        search(anything_goes, quantize_query(np.ones(DIMENSIONS, dtype=np.float32)), k)


def test_a_query_of_another_dimension_is_an_error_and_not_a_wrong_answer(anything_goes: Store) -> None:
    with stored(anything_goes, vectors_of(["one"])), pytest.raises(StoreError, match="search_exact failed"):
        search(anything_goes, quantize_query(np.ones(DIMENSIONS + 1, dtype=np.float32)), 1)


# SQL to paste


def test_the_shown_statements_find_the_same_rows_in_a_bare_client(library: Store, bare: Bare) -> None:
    query, epoch = quantize_query(np.linspace(-1, 1, DIMENSIONS, dtype=np.float32)), library.epoch()
    script = "\n".join(
        statement.as_script() for statement in library.snapshot(epoch).search_statements(query, SearchRequest(k=2))
    )
    results = bare([statement.rstrip(";") for statement in script.split(";\n")], "JSONEachRow")
    fixed, found = ([json.loads(line) for line in result.splitlines()] for result in results if result)
    assert fixed == [{"epoch": epoch}]
    assert [(row["source"], row["text"], row["chunk_index"], row["score"]) for row in found] == [
        (hit.source, hit.text, hit.chunk_index, hit.score) for hit in search(library, query, 2, epoch)
    ]


@settings(unhurried, max_examples=60)
@given(value=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\\\t\n\r\0\b{}:`\"-")))
def test_any_text_survives_being_set_as_a_parameter(bare: Bare, value: str) -> None:
    statements = [f"SET param_x = '{escape_parameter(value)}'", "SELECT {x:String}"]
    assert bare(statements, "RawBLOB")[1] == value.encode()


@settings(unhurried, max_examples=40)
@given(values=st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\\\t\n\r\0[],\""))))
def test_any_array_of_texts_survives_being_set_as_a_parameter(bare: Bare, values: list[str]) -> None:
    statements = [f"SET param_x = '{escape_parameter(values)}'", "SELECT {x:Array(String)} AS x"]
    assert json.loads(bare(statements, "JSONEachRow")[1])["x"] == values


def test_a_statement_with_other_parameters_than_its_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"epoch\.sql takes the parameters \[\], not \['k'\]"):
        Statement("epoch", {"k": 1})


# Views and functions for other clients


def select(store: Store, sql: str) -> list[dict[str, Any]]:
    lines = store.client.text(sql, "JSONEachRow").splitlines()
    return [json.loads(line) for line in lines]


def test_live_documents_shows_the_documents_of_an_epoch(library: Store) -> None:
    epoch = library.epoch()
    now = select(library, f"SELECT source, chunk_count FROM live_documents(epoch = {epoch}) ORDER BY source")
    assert now == [{"source": "a.txt", "chunk_count": 2}, {"source": "b.txt", "chunk_count": 1}]
    before = select(library, f"SELECT source FROM live_documents(epoch = {epoch - 1}) ORDER BY source")
    assert before == [{"source": "a.txt"}, {"source": "gone.txt"}]


def test_live_chunks_shows_the_chunks_of_an_epoch(library: Store) -> None:
    epoch = library.epoch()
    now = select(library, f"SELECT text FROM live_chunks(epoch = {epoch}) ORDER BY source, chunk_index")
    assert [row["text"] for row in now] == ["one", "two", "three"]
    before = select(library, f"SELECT text FROM live_chunks(epoch = {epoch - 1}) ORDER BY source")
    assert [row["text"] for row in before] == ["old", "gone"]


def test_live_vectors_shows_the_floats_behind_the_codes(library: Store) -> None:
    rows = select(
        library, f"SELECT text, vector FROM live_vectors(epoch = {library.epoch()}) ORDER BY source, chunk_index"
    )
    expected = vectors_of(["one", "two"]).dequantize().tolist() + vectors_of(["three"]).dequantize().tolist()
    assert [np.float32(row["vector"]).tolist() for row in rows] == expected


def test_nearest_chunks_finds_for_a_float_vector_what_the_search_finds(library: Store) -> None:
    vector = np.random.default_rng(3).standard_normal(DIMENSIONS).astype(np.float32)
    literal = ", ".join(str(float(number)) for number in vector)
    rows = select(
        library,
        f"SELECT source, text, score FROM nearest_chunks(epoch = {library.epoch()}, query = [{literal}]) ORDER BY score DESC",
    )
    hits = search(library, quantize_query(vector), 10)
    assert [(row["source"], row["text"], row["score"]) for row in rows] == [
        (hit.source, hit.text, hit.score) for hit in hits
    ]


def test_a_view_without_an_epoch_is_an_error(library: Store) -> None:
    with pytest.raises(StoreError):
        library.client.text("SELECT count() FROM live_chunks", "TSV")


@settings(unhurried, max_examples=40)
@given(vector=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_a_query_is_quantized_alike_in_sql_and_python(anything_goes: Store, vector: list[float]) -> None:
    literal = f"[{', '.join(map(repr, vector))}]::Array(Float32)"
    query = quantize_query(np.array(vector, dtype=np.float32))
    (row,) = select(anything_goes, f"SELECT rag_query_codes({literal}) AS codes, rag_query_scale({literal}) AS scale")
    assert row["codes"] == query.codes.tolist()
    assert float(row["scale"]) == query.scale  # a large one is written without a point


@settings(unhurried, max_examples=40)
@given(
    codes=st.lists(st.integers(-128, 127), min_size=1, max_size=8),
    scale=st.floats(2**-126, 2.0**120, width=32),
    zero_point=st.integers(-128, 127),
)
def test_codes_become_the_same_floats_in_sql_and_python(
    anything_goes: Store, codes: list[int], scale: float, zero_point: int
) -> None:
    call = f"rag_dequantize({codes}::Array(Int8), {scale!r}::Float32, {zero_point}::Int8)"
    (row,) = select(anything_goes, f"SELECT {call} AS vector, toTypeName({call}) AS type")
    assert row["type"] == "Array(Float32)"
    assert np.float32(row["vector"]).tolist() == dequantize(codes, np.float32(scale), zero_point).tolist()


@settings(unhurried, max_examples=8)
@given(case=vectors_and_query())
def test_rag_score_is_the_score_of_the_search(
    anything_goes: Store, case: tuple[QuantizedVectors, QuantizedQuery]
) -> None:
    vectors, query = case
    (row,) = select(
        anything_goes,
        f"SELECT rag_score({query.codes.tolist()}::Array(Int16), {query.scale!r}::Float64, "
        f"{vectors.codes[0].tolist()}::Array(Int8), {float(vectors.scale[0])!r}::Float32, {vectors.zero_point[0]}::Int8) "
        "AS score",
    )
    assert row["score"] == scores(query, vectors)[0]
