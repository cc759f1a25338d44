"""Cells: trained and moved without losing a row, searched without hiding one."""

from __future__ import annotations

import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import chunks_of, draft_document, open_store, search, source_document, way

from rag.int8.quantization import quantize_query, quantize_vectors, scores
from sql.base.errors import StoreError
from sql.engine.packed import unpack_vectors
from sql.engine.statements import Statement
from sql.search import cells as cells_module
from sql.search import search as search_module
from sql.search.cells import (
    MOST_CELLS,
    Cells,
    cell_count,
    cells_columns,
    count_near,
    nearest_centroids,
    train_cells,
    unit_rows,
)
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Snapshot, Store
from sql.upkeep import cells as upkeep_module
from sql.upkeep.cells import maintain_cells, move_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sql.engine.client import Row
    from sql.records import Candidate, Hit, LiveDocument, QuantizedQuery
    from sql.search.search import Step

DIMENSIONS, PER_DOCUMENT = 32, 4


def clustered(rows: int, seed: int = 0) -> NDArray[np.float32]:
    """Vectors around a few directions, as embeddings are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).standard_normal((12, DIMENSIONS))
    noisy = centres[random.integers(0, 12, rows)] + 0.4 * random.standard_normal((rows, DIMENSIONS))
    return unit_rows(noisy.astype(np.float32))


def fill(store: Store, vectors: NDArray[np.float32], prefix: str = "doc", extracted: bool = False) -> None:
    """Publishes vectors as documents of a few chunks each."""
    drafts, rows = [], []
    for first in range(0, len(vectors), PER_DOCUMENT):
        text = f"extracted {first}" if extracted else None
        draft = store.writer.begin(source_document(f"{prefix} {first}", text, metadata={"first": first}))
        drafts.append(draft)
        texts = [f"{prefix} {first} {index}" for index in range(min(PER_DOCUMENT, len(vectors) - first))]
        rows += [(draft, chunk) for chunk in chunks_of(texts)]
    store.writer.insert(ChunkBatch(rows, quantize_vectors(vectors)))
    store.writer.publish(drafts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", DIMENSIONS) as one:
        yield one


def table(store: Store) -> list[tuple[str, str]]:
    """What readers see, less the generations: everything of a chunk that must not change."""
    columns = "source, chunk_index, char_start, char_end, text, metadata, codes, scale, zero_point, norm, error, signs, row_hash"
    sql = f"SELECT hex(toString(({columns}))) AS row FROM chunks WHERE generation IN {live(store)} ORDER BY row"
    return [(line, "") for line in store.client.text(sql, "TSV").decode().splitlines()]


def live(store: Store) -> str:
    return f"({', '.join(str(document.generation) for document in store.snapshot().documents())})"


def recall(store: Store, queries: NDArray[np.float32], how: dict[str, Any], k: int = 10) -> float:
    found = 0
    for vector in queries:
        query = quantize_query(vector)
        right = {hit.text for hit in search(store, query, k, **way("exact"))}
        found += len(right & {hit.text for hit in search(store, query, k, **how)})
    return found / (k * len(queries))


def test_the_same_vectors_give_the_same_cells() -> None:
    vectors = clustered(500)
    first, second = train_cells(vectors, 500, None), train_cells(vectors, 500, None)
    assert (first.centroids == second.centroids).all()
    assert len(first.centroids) == cell_count(500) == 176
    assert np.allclose(np.linalg.norm(first.centroids, axis=1), 1, atol=1e-6)


def test_cells_that_follow_each_other_lie_nearer_than_others() -> None:
    centroids = train_cells(clustered(2_000), 2_000, None).centroids
    cosines = centroids @ centroids.T
    neighbours = np.mean([cosines[cell, cell + 1] for cell in range(len(centroids) - 1)])
    assert neighbours > cosines.mean() + 0.5 * (1 - cosines.mean())


def test_vectors_that_are_all_the_same_have_cells_too() -> None:
    cells = train_cells(np.ones((300, 4), np.float32), 300, None)
    assert np.allclose(cells.centroids, 0.5)
    assert cells.similarity == pytest.approx(1)


def test_a_vector_belongs_to_the_centroid_with_the_largest_product() -> None:
    vectors, centroids = clustered(100), clustered(9, seed=1)
    owners, products = nearest_centroids(vectors, centroids)
    for vector, owner, product in zip(vectors, owners, products, strict=True):
        every = [float(vector @ centroid) for centroid in centroids]
        assert owner == int(np.argmax(every))
        assert product == pytest.approx(max(every), abs=1e-6)


def test_products_with_thousands_of_centroids_are_not_all_held_at_once() -> None:
    vectors, centroids = np.ones((10_000, 4), np.float32), np.ones((4_000, 4), np.float32)
    assert peak_megabytes(lambda: nearest_centroids(vectors, centroids)) < 20  # all of them take 160


def peak_megabytes(work: Callable[[], object]) -> float:
    """The most memory that Python and NumPy hold of what `work` makes, at any moment of it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_a_sample_to_train_cells_on_takes_little_more_memory_than_its_float32_vectors() -> None:
    vectors = quantize_vectors(np.random.default_rng(0).standard_normal((50_000, 64)).astype(np.float32))
    restored = vectors.dequantize()
    size = restored.nbytes / 1e6
    assert peak_megabytes(vectors.dequantize) < 1.5 * size  # six times in one piece
    assert peak_megabytes(lambda: unit_rows(restored)) < 2 * size  # three times


def test_vectors_are_the_same_however_many_are_restored_and_scaled_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = quantize_vectors(clustered(50))
    restored = vectors.dequantize()
    units = unit_rows(restored)
    for at_once in (1, 7 * DIMENSIONS, 50 * DIMENSIONS + 1):
        monkeypatch.setattr("sql.records.vectors.NUMBERS_AT_ONCE", at_once)
        monkeypatch.setattr(cells_module, "ROWS_AT_ONCE", max(1, at_once // DIMENSIONS))
        assert np.array_equal(vectors.dequantize(), restored)
        assert np.array_equal(unit_rows(restored), units)


def test_numbers_of_a_new_version_go_on_after_those_of_the_last() -> None:
    first = train_cells(clustered(500), 500, None)
    second = train_cells(clustered(100), 100, first)
    assert (first.version, first.first_cell, second.version) == (1, 1, 2)
    assert second.first_cell == first.last_cell + 1


@pytest.mark.parametrize("vectors", [np.zeros((5, 3), np.float32), np.ones((5, 3), np.float32), clustered(1)])
def test_degenerate_vectors_have_cells_too(vectors: NDArray[np.float32]) -> None:
    cells = train_cells(vectors, len(vectors), None)
    assert np.isfinite(cells.centroids).all()
    assert set(cells.numbers(vectors)) <= set(range(cells.first_cell, cells.last_cell + 1))


def test_growth_and_other_vectors_are_drift_and_a_few_more_rows_are_not() -> None:
    cells = Cells(1, 1, clustered(4), 1000, 0.8)
    assert not cells.have_drifted(3999, 0.8)
    assert cells.have_drifted(4000, 0.8)
    assert cells.have_drifted(1000, 0.5)


def test_more_rows_are_no_reason_for_new_cells_where_there_can_be_no_more_of_them() -> None:
    centroids = np.zeros((MOST_CELLS, 2), np.float32)
    assert not Cells(1, 1, centroids, 10**8, 0.8).have_drifted(10**9, 0.8)
    assert Cells(1, 1, centroids[1:], 10**8, 0.8).have_drifted(10**9, 0.8)


def test_a_small_store_gets_no_cells(store: Store) -> None:
    fill(store, clustered(40))
    assert maintain_cells(store) == 0
    assert store.writer.cells() is None
    with pytest.raises(StoreError, match="has no cells"):
        search(store, quantize_query(clustered(1)[0]), 3, **way("cells"))


def test_moving_into_cells_changes_nothing_but_cell_and_generation(store: Store) -> None:
    fill(store, clustered(400), extracted=True)
    before, texts = table(store), store.client.text("SELECT text FROM texts ORDER BY text", "TSV")
    assert maintain_cells(store, least=100) == 100
    assert table(store) == before
    assert store.snapshot().damaged_documents() == []
    store.garbage.collect_unseen(grace_seconds=0)
    assert store.client.text("SELECT text FROM texts ORDER BY text", "TSV") == texts
    assert store.client.text("SELECT count(), countIf(cell = 0) FROM chunks", "TSV") == b"400\t0\n"


@pytest.mark.slow
def test_every_chunk_lies_in_the_cell_of_its_vector_moved_or_inserted(store: Store) -> None:
    fill(store, clustered(400))
    maintain_cells(store, least=100)
    fill(store, clustered(100, seed=3), "later")
    assert maintain_cells(store, least=100) == 0
    cells = store.writer.cells()
    assert cells is not None
    for hit in search(store, quantize_query(clustered(1)[0]), 500, **way("exact")):
        vector = store.snapshot().hit_vectors([hit]).dequantize()
        assert cells.numbers(vector).tolist() == [hit.cell]


def test_searching_all_cells_is_searching_exactly(store: Store) -> None:
    fill(store, clustered(400))
    maintain_cells(store, least=100)
    for vector in clustered(10, seed=5):
        query = quantize_query(vector)
        exact = search(store, query, 12, **way("exact"))
        assert search(store, query, 12, **way("cells", probes=1000)) == exact


def test_fewer_cells_are_read_where_the_nearest_stand_out_and_all_where_as_many_are_wanted() -> None:
    flat, steep = np.linspace(1, 0.8, 1000), np.concatenate([[1, 0.98], np.linspace(0.3, 0, 998)])
    assert [count_near(steep, probes) for probes in (1, 5, 80)] == [2, 2, 16]
    assert [count_near(flat, probes) for probes in (1, 5, 80)] == [2, 12, 192]
    for products in (flat, steep, 1000 * flat):
        counts = [count_near(products, probes) for probes in range(1, 1100)]
        assert counts == sorted(counts)
        assert counts[999:] == [1000] * 100
    assert count_near(1000 * steep, 80) == count_near(steep, 80)


def test_a_few_cells_hold_most_of_the_nearest_chunks(store: Store) -> None:
    fill(store, clustered(800))
    maintain_cells(store, least=100)
    queries = clustered(20, seed=5)
    assert recall(store, queries, way("cells", probes=12)) > 0.9
    assert recall(store, queries, way("cells", probes=1), k=3) < 1


@pytest.mark.everyday("[1]")
@pytest.mark.parametrize("probes", [1, 3])
def test_k_chunks_come_back_however_few_cells_are_searched_and_whatever_the_filter(store: Store, probes: int) -> None:
    fill(store, clustered(400))
    maintain_cells(store, least=100)
    query, how = quantize_query(clustered(1)[0]), way("cells", probes=probes)
    assert len(search(store, query, 399, **how)) == 399
    assert len(search(store, query, 60, filter={"line": 2}, **how)) == 60
    assert len(search(store, query, 100, per_document=1, **how)) == 100


def test_chunks_outside_the_newest_cells_are_found_while_a_move_has_only_begun(store: Store) -> None:
    vectors = clustered(400)
    fill(store, vectors)
    maintain_cells(store, least=100)
    old = store.writer.cells()
    assert old is not None
    new = train_cells(vectors, 400, old)
    store.client.insert("cells", cells_columns(new))
    store.writer.forget_cells()
    documents = store.snapshot().documents()
    move_documents(store, new, {document.generation: document.chunk_count for document in documents[:30]})
    assert len(store.snapshot().documents()) == 100
    for vector in vectors[:40:4]:
        query = quantize_query(vector)
        nearest = search(store, query, 1, **way("exact"))
        assert search(store, query, 1, **way("cells", probes=2)) == nearest
    assert maintain_cells(store, least=100) == 70  # the next run goes on where this one stopped


def test_drafts_that_come_while_a_store_is_searched_hide_no_published_chunk(store: Store) -> None:
    vectors = clustered(400)
    fill(store, vectors)
    maintain_cells(store, least=100)
    queries = [quantize_query(vector) for vector in clustered(10, seed=4)]
    how, epoch = way("cells", probes=4), store.epoch()
    before = [search(store, query, 10, **how) for query in queries]
    published = {document.source for document in store.snapshot().documents()}
    for _ in range(6):  # of the first 20 candidates that a search of 10 looks at, 17 are drafts now
        draft = store.writer.begin(source_document("draft"))
        chunks = [(draft, chunk) for chunk in chunks_of([f"draft {index}" for index in range(400)])]
        store.writer.insert(ChunkBatch(chunks, quantize_vectors(vectors)))
    steps: list[Step] = []
    assert [search(store, query, 10, watch=steps.append, **how) for query in queries] == before
    assert {step.statement.name for step in steps if step.stage == "search"} == {"search_cells"}
    assert {hit.source for hits in before for hit in hits} <= published
    assert store.epoch() == epoch


def test_a_move_that_lost_a_row_is_not_published(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, clustered(40))
    before = store.snapshot().documents()
    query = store.client.query

    def lossy(statement):  # type: ignore[no-untyped-def]
        rows = query(statement)
        return rows[1:] if statement.name == "count_generations" else rows

    monkeypatch.setattr(store.client, "query", lossy)
    with pytest.raises(StoreError, match="stays where it was, run the command again"):
        maintain_cells(store, least=10)
    assert store.snapshot().documents() == before


def fill_with_words(store: Store) -> list[LiveDocument]:
    """Publishes ten documents of two chunks with words, and one without chunks."""
    texts = [[f"the cat sat on mat {number}", f"a dog {number} ran"] for number in range(10)]
    drafts = [
        draft_document(store, f"doc {number}", some, DIMENSIONS, language="en")
        for number, some in enumerate([*texts, []])
    ]
    store.writer.publish(drafts)
    return store.snapshot().documents()


def test_words_are_counted_back_without_reading_those_of_all_documents(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, query = {one.generation for one in fill_with_words(store)}, store.client.query
    counted: list[int] = []

    def watched(statement: Statement) -> list[Row]:
        if statement.name == "count_postings":
            counted.extend(statement.values["generations"])  # type: ignore[arg-type]
        return query(statement)

    monkeypatch.setattr(store.client, "query", watched)
    assert maintain_cells(store, least=10) == 10
    assert len(counted) == 10
    assert not before & set(counted)


def test_words_are_copied_for_more_documents_at_once_than_are_published_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_with_words(store)
    execute, done = store.client.execute, []
    terms = "SELECT arraySort(groupArray(term)) FROM postings WHERE generation IN "
    before, epoch = store.client.text(f"{terms}{live(store)}", "TSV"), store.epoch()

    def watched(statement: Statement) -> None:
        done.append((statement.name, len(statement.values.get("old", ()))))  # type: ignore[arg-type]
        execute(statement)

    monkeypatch.setattr(store.client, "execute", watched)
    monkeypatch.setattr(upkeep_module, "WORD_DOCUMENTS_AT_ONCE", 4)
    monkeypatch.setattr(upkeep_module, "DOCUMENTS_AT_ONCE", 3)
    assert maintain_cells(store, least=10) == 10
    assert [count for name, count in done if name == "move_postings"] == [4, 4, 2]
    assert [count for name, count in done if name == "move_chunks"] == [3, 1, 3, 1, 2]
    assert store.epoch() == epoch + 5
    assert store.client.text(f"{terms}{live(store)}", "TSV") == before
    assert store.snapshot().damaged_documents() == []


def test_a_move_that_is_stopped_behind_the_words_is_gone_on_with_and_leaves_no_words_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_with_words(store)
    count, copy = "SELECT count(), uniqExact(generation) FROM postings", upkeep_module.copy_chunks
    before, moves = store.client.text(count, "TSV"), 0

    def copy_once(*arguments: object) -> None:
        nonlocal moves
        moves += 1
        if moves > 1:
            raise KeyboardInterrupt
        copy(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(upkeep_module, "DOCUMENTS_AT_ONCE", 3)
    monkeypatch.setattr(upkeep_module, "copy_chunks", copy_once)
    with pytest.raises(KeyboardInterrupt):
        maintain_cells(store, least=10)
    assert len(store.snapshot().documents()) == 11
    monkeypatch.setattr(upkeep_module, "copy_chunks", copy)
    store.writer.close()  # as the process that was stopped
    assert maintain_cells(store, least=10) == 7
    store.garbage.collect_unseen(grace_seconds=0)
    assert store.client.text(count, "TSV") == before


@pytest.mark.everyday("checksum")
@pytest.mark.parametrize("column", ["posting_count", "checksum_sum"])
def test_a_move_that_lost_words_is_not_published(store: Store, monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    before, query = fill_with_words(store), store.client.query
    old = {one.generation for one in before}

    def lossy(statement: Statement) -> list[Row]:
        rows = query(statement)
        if statement.name == "count_postings" and not old & set(statement.values["generations"]):  # type: ignore[arg-type]
            rows[0][column] -= 1
        return rows

    monkeypatch.setattr(store.client, "query", lossy)
    with pytest.raises(StoreError, match="not all of its words arrived"):
        maintain_cells(store, least=10)
    assert store.snapshot().documents() == before


def test_a_document_that_had_lost_words_before_is_moved_with_those_that_it_has(store: Store) -> None:
    (lost,) = [one for one in fill_with_words(store) if one.source == "doc 3"]
    condition = f"generation = {lost.generation} AND term = 'cat'"
    store.client.text(f"DELETE FROM postings WHERE {condition} SETTINGS lightweight_deletes_sync = 1", None)
    assert maintain_cells(store, least=10) == 10
    (moved,) = [one for one in store.snapshot().documents() if one.path == lost.path]
    assert moved.generation != lost.generation
    terms = f"SELECT arraySort(groupUniqArray(term)) FROM postings WHERE generation = {moved.generation} FORMAT TSV"
    assert store.client.text(terms, None).decode().strip() == "['3','dog','mat','ran','sat']"


def test_a_document_that_lost_a_chunk_is_not_moved_and_not_hidden(store: Store) -> None:
    fill(store, clustered(40))
    before = store.snapshot().documents()
    lost = f"generation = {before[3].generation} AND chunk_index = 2"
    store.client.text(f"DELETE FROM chunks WHERE {lost} SETTINGS lightweight_deletes_sync = 1", None)
    with pytest.raises(StoreError, match="chunks of a published document are missing"):
        maintain_cells(store, least=10)
    assert store.snapshot().documents() == before


@pytest.mark.everyday("[127]", "[300]")
@pytest.mark.parametrize("dimensions", [1, 127, 128, 300])
def test_stored_vectors_are_read_back_as_they_were_whatever_their_dimension(tmp_path: Path, dimensions: int) -> None:
    random = np.random.default_rng(dimensions)
    vectors = quantize_vectors(random.standard_normal((9, dimensions)).astype(np.float32))
    with open_store(tmp_path / "store", dimensions) as store:
        draft = store.writer.begin(source_document("a"))
        store.writer.insert(
            ChunkBatch([(draft, chunk) for chunk in chunks_of([str(row) for row in range(9)])], vectors)
        )
        store.writer.publish([draft])
        statement = Statement("generation_vectors", {"generations": [draft.generation]})
        generations, indexes, read = unpack_vectors(store.client.query_packed(statement), dimensions, None)
    assert set(generations) == {draft.generation}
    assert indexes.tolist() == list(range(9))
    assert (read.codes == vectors.codes).all()
    assert (read.scale == vectors.scale).all()
    assert (read.zero_point == vectors.zero_point).all()


def test_a_version_that_was_published_during_a_move_is_not_undone_by_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, clustered(8))
    cells = train_cells(clustered(8), 8, None)
    store.client.insert("cells", cells_columns(cells))
    copied = upkeep_module.copy_chunks

    def copy_and_be_overtaken(*arguments: object) -> None:
        copied(*arguments)  # type: ignore[arg-type]
        store.writer.forget_cells()
        draft = store.writer.begin(source_document("doc 0", metadata={"first": 0}))
        store.writer.insert(
            ChunkBatch([(draft, chunk) for chunk in chunks_of(["newer"])], quantize_vectors(clustered(1)))
        )
        store.writer.publish([draft])

    monkeypatch.setattr(upkeep_module, "copy_chunks", copy_and_be_overtaken)
    before = {document.source: document.generation for document in store.snapshot().documents()}
    move_documents(store, cells, dict.fromkeys(before.values(), 4))
    texts = store.client.text(
        f"SELECT text FROM chunks WHERE generation IN {live(store)} ORDER BY text", "TSV"
    ).decode()
    assert texts.splitlines() == ["doc 4 0", "doc 4 1", "doc 4 2", "doc 4 3", "newer"]
    moved = {document.source: document.generation for document in store.snapshot().documents()}
    assert moved["doc 4"] != before["doc 4"]
    assert store.snapshot().damaged_documents() == []


def test_a_move_of_nothing_that_is_still_current_takes_no_epoch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, clustered(4))
    cells = train_cells(clustered(4), 4, None)
    monkeypatch.setattr(Snapshot, "some_documents", lambda self, ids: [])
    epoch = store.epoch()
    move_documents(
        store, cells, {document.generation: document.chunk_count for document in store.snapshot().documents()}
    )
    assert store.epoch() == epoch
    assert store.snapshot().chunk_count() == 4


def test_readers_see_every_chunk_once_while_documents_are_moved(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_module, "RETRAIN_GROWTH", 0)
    vectors = clustered(300)
    fill(store, vectors)
    maintain_cells(store, least=100)
    query = quantize_query(vectors[0])
    right = [(hit.text, hit.score) for hit in search(store, query, 300, **way("exact"))]
    wrong: list[object] = []
    done = threading.Event()

    def read(how: dict[str, Any]) -> None:
        while not done.is_set():
            try:
                got = [(hit.text, hit.score) for hit in search(store, query, 300, **how)]
                if sorted(got) != sorted(right):
                    wrong.append((how, len(got), len(set(got))))
            except Exception as error:
                wrong.append(error)

    ways = [
        way("exact"),
        way("two-stage"),
        way("cells", probes=1000),
        way("cells"),
    ]
    threads = [threading.Thread(target=read, args=(how,)) for how in ways]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert maintain_cells(store, least=100) == 75
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_large_store_with_cells_is_searched_by_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, clustered(400))
    monkeypatch.setattr(search_module, "EXACT_UP_TO", 50)

    def last_search() -> str:
        steps: list[Step] = []
        search(store, quantize_query(clustered(1)[0]), 3, watch=steps.append)
        return [step.statement.name for step in steps if step.stage == "search"][-1]

    assert last_search() == "search_two_stage"
    maintain_cells(store, least=100)
    store.garbage.collect_unseen(grace_seconds=0)  # what was moved lies outside the cells until then, and is read
    assert last_search() == "search_settled_cells"


def searched(store: Store, query: QuantizedQuery, k: int, **how: Any) -> tuple[list[Hit], list[str]]:
    """The hits of a search, and the names of the statements that looked for them."""
    steps: list[Step] = []
    hits = search(store, query, k, watch=steps.append, **how)
    return hits, [step.statement.name for step in steps if step.stage == "search"]


@pytest.mark.everyday("how0")
@pytest.mark.parametrize(
    ("how", "names"),
    [
        (way("cells", probes=8), ["search_settled_cells", "search_cells"]),
        (way("exact"), ["search_settled", "search_exact_listed"]),
    ],
)
def test_the_short_form_of_a_search_finds_the_same_hits_in_the_same_order_as_the_whole_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], names: list[str]
) -> None:
    vectors = clustered(300)
    fill(store, np.concatenate([vectors, vectors[:100], vectors[:100]]))  # a third of them three times
    maintain_cells(store, least=100)
    store.garbage.collect_unseen(grace_seconds=0)
    search(store, quantize_query(vectors[0]), 1, **how)  # what is hidden has been listed after the first one
    questions = [(quantize_query(vector), k) for vector in vectors[:12:3] for k in (2, 3)]
    filtered = (
        quantize_query(vectors[5]),
        10,
        {"path": {"$ne": "doc 8"}, "$or": [{"first": {"$gte": 100}}, {"title": "doc 4"}]},
    )
    short = [searched(store, query, k, **how) for query, k in questions]
    # Three are equal: of a k that cuts between them the whole form decides.
    assert {tuple(ran) for _, ran in short} == {tuple(names[:1]), tuple(names)}
    near = [places(store, query, k, None, how) for query, k in questions] + [places(store, *filtered, how)]
    monkeypatch.setattr(search_module, "SETTLED", ())
    assert [hits for hits, _ in short] == [searched(store, query, k, **how)[0] for query, k in questions]
    assert near == [places(store, query, k, None, how) for query, k in questions] + [places(store, *filtered, how)]


def places(store: Store, query: QuantizedQuery, k: int, chosen: Any, how: dict[str, Any]) -> list[Candidate]:
    """The same chunks by their keys."""
    return store.snapshot().candidates(query, SearchRequest(k=k, filter=chosen, **how))


def test_the_whole_form_of_a_search_is_taken_while_an_old_version_of_a_document_is_there(store: Store) -> None:
    vectors = clustered(400)
    fill(store, vectors)
    maintain_cells(store, least=100)
    query, how = quantize_query(vectors[0]), way("cells", probes=4)
    store.garbage.collect_unseen(grace_seconds=0)
    assert searched(store, query, 3, **how)[1] == ["search_settled_cells"]
    fill(store, vectors[:4])  # the first document once more
    assert searched(store, query, 3, **how)[1] == ["search_cells"]


def test_two_stages_find_most_of_the_nearest_chunks_and_give_them_their_exact_scores(store: Store) -> None:
    vectors = clustered(800)
    fill(store, vectors)
    how = way("two-stage", candidates=100)
    assert recall(store, clustered(20, seed=5), how) > 0.9
    query = quantize_query(clustered(1, seed=9)[0])
    hits = search(store, query, 10, **how)
    assert scores(query, store.snapshot().hit_vectors(hits)).tolist() == [hit.score for hit in hits]
