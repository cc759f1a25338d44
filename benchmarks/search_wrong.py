"""What the engine's own ways to search vectors get wrong, seen on the first rows of the data, beside a scan and ours.

Every cell of the table comes from a run: rows are filtered, deleted, updated and doubled, and what a search then finds is
compared with what is right by float32. "full scan" means that the engine answers without its codes or its index, in the
time that this takes and without a word; whether it uses them is read from the plan.
"""

from __future__ import annotations

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from search_clickhouse import FLOATS, QUANTIZED, Engine, literal
from search_data import read_rows
from search_measure import K
from search_ours import open_store, search

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROWS, ASKED = 5_000, 20
GROUPS = 100  # a filter leaves one row in so many
TWINS = 3 * K  # rows that hold the same vector
CODES = "vector_search_use_quantized_codes = 1, vector_search_index_fetch_multiplier = 16"
QUESTIONS = {
    "ORDER BY distance LIMIT 10": "plain",
    "filter, 1 row in 100": "filtered",
    "after DELETE of 9 rows in 10": "deleted",
    "after UPDATE of one vector": "updated",
    "30 equal vectors, before and after a merge": "ties",
    "a key behind the distance": "key",
    "LIMIT 1001": "many",
    "dotProduct": "product",
    "through a view": "view",
}


@dataclass(frozen=True)
class Data:
    """Vectors, float32 (ROWS, 384), and queries, float32 (ASKED, 384)."""

    vectors: np.ndarray
    queries: np.ndarray

    def nearest(self, query: np.ndarray, among: np.ndarray) -> set[int]:
        """The K nearest of some rows."""
        return set(among[np.argsort(-(self.vectors[among] @ query), kind="stable")[:K]].tolist())


def told(found: Sequence[Sequence[int]], right: Sequence[set[int]]) -> str:
    """How many rows searches gave of those that they had to give, and how many of them are right."""
    wanted = sum(map(len, right))
    good = sum(len(set(ids) & true) for ids, true in zip(found, right, strict=True))
    return f"{sum(map(len, found)) / len(found):.1f} of {wanted / len(found):.0f} rows, recall {good / wanted:.2f}"


# The engine's own


@dataclass(frozen=True)
class Kind:
    """One of the engine's ways: its column, its settings, and the words of a plan that show that it is used."""

    name: str
    column: str
    settings: str
    seen_in_plan: str
    not_asked: tuple[str, ...] = ()


KINDS = (
    Kind("Float32, every row compared", f"v {FLOATS}", "max_threads = 2", ""),
    Kind(
        "vector_similarity (HNSW)",
        f"v {FLOATS}, INDEX near v TYPE vector_similarity('hnsw', 'cosineDistance', 384)",
        "hnsw_candidate_list_size_for_search = 256",
        "vector_similarity",
        ("updated",),  # makes the graph anew, in which engine 26.9.2.1 hung
    ),
    *(
        Kind(f"Quantized({args})", f"v {FLOATS} CODEC(Quantized({args}))", CODES, "quantized shortlist")
        for args in QUANTIZED.values()
    ),
)


class Asked:
    """A table of one kind; every method puts one question to it and says what came back."""

    def __init__(self, kind: Kind, scratch: Path, data: Data) -> None:
        self.kind, self.data = kind, data
        self.engine = Engine(scratch, f"part UInt8, twin UInt8, {kind.column}")
        self.every = np.arange(ROWS)
        self.fill(data.vectors)

    def fill(self, vectors: np.ndarray, parts: int = 1) -> None:
        """Other rows, in so many parts; wide ones, as large parts are."""
        self.engine.run("TRUNCATE TABLE t")
        self.engine.run("ALTER TABLE t MODIFY SETTING min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0")
        for ids in np.array_split(np.arange(len(vectors), dtype=np.uint32), parts):
            flag = np.zeros(len(ids), dtype=np.uint8)
            self.engine.insert(
                "id, part, twin, v", id=ids, part=(ids % GROUPS).astype(np.uint8), twin=flag, v=vectors[ids]
            )

    def ids(self, query: np.ndarray, where: str = "", settings: str = "") -> list[int]:
        """A search in the form that the engine speeds up."""
        return self.engine.ids(f"{self.statement(query, where)} SETTINGS {settings or self.kind.settings}")

    @staticmethod
    def statement(
        query: np.ndarray, where: str = "", score: str = "cosineDistance(v, {})", limit: int = K, table: str = "t"
    ) -> str:
        """A search."""
        return f"SELECT id FROM {table} {where} ORDER BY {score.format(literal(query) + '::' + FLOATS)} LIMIT {limit}"

    def filtered(self) -> str:
        """Rows that a condition leaves."""
        left = self.every[self.every % GROUPS == 7]
        found = [self.ids(query, "WHERE part = 7") for query in self.data.queries]
        return told(found, [self.data.nearest(query, left) for query in self.data.queries])

    def deleted(self) -> str:
        """Rows that a DELETE leaves."""
        self.engine.run("DELETE FROM t WHERE id % 10 != 0")
        left = self.every[self.every % 10 == 0]
        found = [self.ids(query) for query in self.data.queries]
        answer = told(found, [self.data.nearest(query, left) for query in self.data.queries])
        self.fill(self.data.vectors)
        return answer

    def updated(self) -> str:
        """The vectors of the other rows."""
        new = literal(self.data.queries[0])
        try:
            self.engine.run(f"ALTER TABLE t UPDATE v = {new} WHERE id = 5 SETTINGS mutations_sync = 2")
        except Exception as error:  # of the engine, which has one class for all
            return f"refused: {str(error).split('.')[1].strip():.60}"
        lengths = self.engine.run("SELECT id FROM t WHERE id != 5 AND arrayAll(x -> x = 0, v)").split()
        first = self.ids(self.data.queries[0])[:1]
        self.fill(self.data.vectors)
        return f"{len(lengths):,} other vectors are zero" if lengths else f"found: {'yes' if first == [5] else 'no'}"

    def ties(self) -> str:
        """Which of equal rows are given, before and after parts are merged."""
        vectors = self.data.vectors.copy()
        vectors[:: ROWS // TWINS][:TWINS] = self.data.queries[0]
        self.fill(vectors, parts=4)
        before = [self.ids(self.data.queries[0]) for _ in range(5)]
        self.engine.finish()
        after = [self.ids(self.data.queries[0]) for _ in range(5)]
        self.fill(self.data.vectors)
        return "the same rows" if len({tuple(sorted(ids)) for ids in before + after}) == 1 else "other rows"

    def used(self, statement: str) -> str:
        """Whether the plan of a search uses what the column has for it."""
        if not self.kind.seen_in_plan:
            return "a scan as ever"
        plan = self.engine.run(f"EXPLAIN indexes = 1 {statement} SETTINGS {self.kind.settings}")
        return "used" if self.kind.seen_in_plan in plan else "full scan"

    def plain(self) -> str:
        """The form that the engine speeds up."""
        return self.used(self.statement(self.data.queries[0]))

    def key(self) -> str:
        """A second key that puts rows of one distance in order."""
        return self.used(self.statement(self.data.queries[0], score="cosineDistance(v, {}), id"))

    def many(self) -> str:
        """More rows than a thousand."""
        return self.used(self.statement(self.data.queries[0], limit=1001))

    def product(self) -> str:
        """The inner product, which for vectors of length 1 gives the same order."""
        return self.used(self.statement(self.data.queries[0], score="dotProduct(v, {}) DESC"))

    def view(self) -> str:
        """A view over the table."""
        self.engine.run("CREATE VIEW seen AS SELECT id, v FROM t WHERE twin = 0")
        return self.used(self.statement(self.data.queries[0], table="seen"))


# Ours


class OursAsked:
    """A store, searched in two stages; the same questions."""

    def __init__(self, scratch: Path, data: Data) -> None:
        self.store, self.data, self.every = open_store(scratch), data, np.arange(ROWS)
        self.put(self.every, data.vectors)

    def put(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """A document a row, whose text is the row's number and whose metadata its group."""
        from rag.int8.quantization import quantize_vectors
        from sql.records import Chunk, SourceDocument
        from sql.store import ChunkBatch

        drafts = [
            self.store.writer.begin(
                SourceDocument(
                    f"/{row}", f"{row}", "", "text", "utf-8", "", 0, "none", metadata={"part": int(row % GROUPS)}
                )
            )
            for row in ids
        ]
        chunks = [
            (draft, Chunk(0, str(row), 0, len(str(row)), 1, 0, "", 1)) for draft, row in zip(drafts, ids, strict=True)
        ]
        self.store.writer.insert(ChunkBatch(chunks, quantize_vectors(np.ascontiguousarray(vectors)), ()))
        self.store.writer.publish(drafts)

    def ids(self, query: np.ndarray, k: int = K, **how: Any) -> list[int]:
        """The rows that a search in two stages finds."""
        from rag.int8.quantization import quantize_query

        return [int(hit.text) for hit in search(self.store, quantize_query(query), k, strategy="two-stage", **how)]

    def filtered(self) -> str:
        """Documents with a value in their metadata."""
        left = self.every[self.every % GROUPS == 7]
        found = [self.ids(query, filter={"part": 7}) for query in self.data.queries]
        return told(found, [self.data.nearest(query, left) for query in self.data.queries])

    def deleted(self) -> str:
        """Nine documents in ten are deleted."""
        gone = [one for one in self.store.snapshot().documents() if int(one.source) % 10]
        self.store.writer.publish([], gone)
        left = self.every[self.every % 10 == 0]
        found = [self.ids(query) for query in self.data.queries]
        answer = told(found, [self.data.nearest(query, left) for query in self.data.queries])
        self.put(self.every[self.every % 10 != 0], self.data.vectors[self.every % 10 != 0])
        return answer

    def updated(self) -> str:
        """One document is replaced."""
        self.put(np.array([5]), self.data.queries[:1])
        first = self.ids(self.data.queries[0])[:1]
        sql = "SELECT count() FROM chunks WHERE arrayAll(x -> x = 0, codes)"
        lost = int(self.store.client.text(sql, "TSV"))
        self.put(np.array([5]), self.data.vectors[5:6])
        return f"{lost:,} other vectors are zero" if lost else f"found: {'yes' if first == [5] else 'no'}"

    def ties(self) -> str:
        """Equal rows are ordered by document."""
        rows = self.every[:: ROWS // TWINS][:TWINS]
        self.put(rows, np.repeat(self.data.queries[:1], len(rows), axis=0))
        before = [self.ids(self.data.queries[0]) for _ in range(5)]
        self.store.client.text("OPTIMIZE TABLE chunks FINAL", None)
        after = [self.ids(self.data.queries[0]) for _ in range(5)]
        return "the same rows" if len({tuple(ids) for ids in before + after}) == 1 else "other rows"

    def statements(self, k: int = K) -> str:
        """Whether signs are compared first."""
        from rag.int8.quantization import quantize_query
        from sql.search.request import SearchRequest

        query, request = quantize_query(self.data.queries[0]), SearchRequest(k=k, strategy="two-stage")
        names = [statement.name for statement in self.store.snapshot().search_statements(query, request)]
        return "used" if any("two_stage" in name for name in names) else "full scan"

    def plain(self) -> str:
        """A search as ever."""
        return self.statements()

    def key(self) -> str:
        """Every statement has one."""
        return self.statements()

    def many(self) -> str:
        """More rows than a thousand."""
        return f"{self.statements(1001)}, {len(self.ids(self.data.queries[0], 1001)):,} rows"

    def product(self) -> str:
        """Every statement is one."""
        return self.statements()

    def view(self) -> str:
        """`nearest_chunks` compares every code."""
        return "a scan as ever"


# The table


def answers(kind: Kind | None, scratch: Path, folder: Path) -> list[str]:
    """Every question put to one kind, or to ours."""
    data = Data(
        np.ascontiguousarray(read_rows(folder, ROWS)), np.load(folder / "queries.npy")[:ASKED].astype(np.float32)
    )
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    asked = Asked(kind, scratch, data) if kind else OursAsked(scratch, data)
    left_out = kind.not_asked if kind else ()
    found = [getattr(asked, question)() if question not in left_out else "not asked" for question in QUESTIONS.values()]
    shutil.rmtree(scratch, ignore_errors=True)
    return found


def show_wrong(folder: Path) -> None:
    """Asks every kind in a process of its own, which holds one engine, and prints a Markdown table, a column a kind."""
    kinds = {kind.name: kind for kind in KINDS} | {"ours, in two stages": None}
    spawn = multiprocessing.get_context("spawn")
    columns = {}
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        for name, kind in kinds.items():
            columns[name] = pool.submit(answers, kind, folder / "scratch-wrong", folder).result()
            print(f"{name}: {'; '.join(columns[name])}", flush=True)
    print(f"| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for number, question in enumerate(QUESTIONS):
        print(f"| {question} | {' | '.join(column[number] for column in columns.values())} |")
