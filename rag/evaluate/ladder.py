"""The ladder of a store: every rung that a search can stand on, what it finds, and what it costs on this corpus.

    signs       the bits that the first of two stages compares, alone
    4 bits      the upper half of every code, alone
    8 bits      every code: the exact search; of a store whose codes have 4 bits these are the whole of them
    two-stage   signs first, then the codes of so many candidates
    cells       the codes of the cells nearest to the query, of so many

The questions are chunks of the store, each of which is not to be found itself, or those of an evaluation set. A rung has
recall@10 of what the exact search finds; of what float32 finds, where the store keeps the float32 vector of every chunk;
and where judgements are given the part that it keeps of the exact search's nDCG@10, of the documents of the ten chunks
that either finds. Rungs that the store can search by are timed in turn, question by question, so that load on the machine
falls on all alike. Signs and four bits alone are no way to search here, so they have no time: they say what more bits are
worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.evaluate.report import QUESTIONS, TOP, graded, mean, quotient, recall_of_first, without
from rag.int8.quantization import quantize_query
from sql.base.errors import RagError
from sql.base.settings import CODE_BITS
from sql.engine.packed import read_vectors
from sql.engine.statements import Statement
from sql.search.cells import read_cells
from sql.search.request import SearchRequest
from sql.search.search import LEAST_ASSIGNED, code_values
from sql.search.signs import query_signs, sign_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from rag.evaluate.report import Question
    from sql.records import QuantizedQuery
    from sql.search.cells import Cells
    from sql.store import Snapshot

    Key = tuple[UUID, int]

CANDIDATES = (20, 50, 100, 200, 300, 500, 1000, 2000, 5000)
PROBES = (4, 8, 16, 32, 64, 96, 128, 256)
TIMED = 20  # questions
CODE_EXTRAS = 5  # bytes of a scale and a zero-point
CELL_BYTES = 4
SIGNS, FOUR_BITS, EIGHT_BITS, TWO_STAGE, CELLS = "signs", "4 bits", "8 bits", "two-stage", "cells"
EXACT = "exact"
STRATEGIES = {EIGHT_BITS: EXACT, TWO_STAGE: "two-stage", CELLS: "cells"}  # of the rungs that a store searches by


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to rank: its name, and how many candidates or probes it takes, where it takes any.

    `own_strategy` is how a store searches by it where the name alone does not tell: 4 bits are a part of a code or all of it.
    """

    name: str
    candidates: int | None = None
    probes: int | None = None
    own_strategy: str | None = None

    @property
    def strategy(self) -> str | None:
        """How the store searches by it, None where it cannot."""
        return self.own_strategy or STRATEGIES.get(self.name)

    def request(self, k: int) -> SearchRequest:
        """A search for k chunks on this rung, if there is one."""
        if self.strategy is None:
            raise ValueError(f"no search goes by {self.name} alone")
        return SearchRequest(k=k, strategy=self.strategy, candidates=self.candidates, probes=self.probes)

    def record(self) -> dict[str, Any]:
        """As `python -m rag report --ladder --json` names it."""
        return {"name": self.name, "candidates": self.candidates, "probes": self.probes}


@dataclass(frozen=True, slots=True)
class Price:
    """What a rung finds, as parts of 1, and what it costs: bytes for each vector of the store, milliseconds of a search.

    read: bytes of codes and signs that a search compares; stored: bytes of what the rung needs of a vector. None: not
    measured. The CPU time is that of all threads of this process, so None with a server, which has its own.
    """

    rung: Rung
    recall: float
    float_recall: float | None
    ndcg_kept: float | None
    read: float
    stored: int
    milliseconds: float | None
    cpu_milliseconds: float | None

    def record(self) -> dict[str, Any]:
        """As `python -m rag report --ladder --json` prints it."""
        return self.rung.record() | {
            f"recall@{TOP}": self.recall,
            f"recall@{TOP}_of_float32": self.float_recall,
            f"ndcg@{TOP}_kept": self.ndcg_kept,
            "bytes_read": self.read,
            "bytes_stored": self.stored,
            "ms": self.milliseconds,
            "cpu_ms": self.cpu_milliseconds,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: its query, its float32 vector, and the chunk that asks or the judged grades of documents."""

    query: QuantizedQuery
    vector: Sequence[float]
    itself: Key | None = None
    grades: Any = None


@dataclass(frozen=True, slots=True)
class Found:
    """The chunks that a rung finds for a question, best first, and the documents they are of."""

    keys: list[Key]
    sources: dict[Key, str]


@dataclass(frozen=True, slots=True)
class Ladder:
    """The prices of some rungs, and how many chunks and questions they were measured with."""

    chunks: int
    questions: int
    prices: list[Price]

    def record(self) -> dict[str, Any]:
        """As `python -m rag report --ladder --json` prints it."""
        rungs = [price.record() for price in self.prices]
        return {"chunks": self.chunks, "questions": self.questions, "rungs": rungs}


def measure_ladder(
    snapshot: Snapshot,
    judged: Sequence[Question] = (),
    rungs: Sequence[Rung] | None = None,
    questions: int = QUESTIONS,
) -> Ladder:
    """The price of every rung, or of some, by judged questions or by so many chunks; RagError for a store without any."""
    table = Table.of(snapshot)
    asked = [asked_by(question) for question in judged] or chunk_questions(snapshot, questions)
    if not asked:
        raise RagError(f"the store {snapshot.client.location} holds no chunks: there is nothing to measure")
    chosen = list(table.rungs() if rungs is None else rungs)
    found = {rung: [ranked(snapshot, rung, question) for question in asked] for rung in {*chosen, table.exact}}
    exact = [one.keys for one in found[table.exact]]
    floats = [by_floats(snapshot, question) for question in asked] if table.all_floats else None
    times = timed(snapshot, [rung for rung in chosen if rung.strategy], asked[:TIMED])
    prices = [
        Price(
            rung,
            recall(found[rung], exact),
            None if floats is None else recall(found[rung], floats),
            kept_quality(found[rung], found[table.exact], asked) if judged else None,
            table.read_bytes(rung, asked),
            table.stored_bytes(rung),
            *times.get(rung, (None, None)),
        )
        for rung in chosen
    ]
    return Ladder(table.rows, len(asked), prices)


# What is there


@dataclass(frozen=True)
class Table:
    """What decides which rungs there are and what they read: vectors, their dimensions and the bits of a code, cells and the
    rows in each."""

    rows: int
    dimensions: int
    bits: int
    cells: Cells | None
    cell_rows: dict[int, int]
    all_floats: bool

    @classmethod
    def of(cls, snapshot: Snapshot) -> Table:
        """The table of a store."""
        client, rows = snapshot.client, snapshot.chunk_count()
        found = client.query(Statement("ladder_cell_rows"))
        cell_rows = {row["cell"]: row["row_count"] for row in found}
        cells = read_cells(client.query_packed(Statement("cells")))
        (floats,) = client.query(Statement("ladder_float_count", {"epoch": snapshot.epoch}))
        bits = snapshot.collection.vector_quantizer.bits if snapshot.collection else CODE_BITS[0]
        return cls(rows, snapshot.dimensions, bits, cells, cell_rows, rows > 0 and floats["kept"] == rows)

    @property
    def code_bytes(self) -> int:
        """Bytes of the codes of a vector with their scale and zero-point."""
        return packed_bytes(self.dimensions, self.bits) + CODE_EXTRAS

    @property
    def exact(self) -> Rung:
        """The rung of all bits that a code has."""
        return Rung(EIGHT_BITS) if self.bits == CODE_BITS[0] else Rung(FOUR_BITS, own_strategy=EXACT)

    def rungs(self) -> list[Rung]:
        """Those that there are, from few bits to many, and then those that look at a part."""
        found = [Rung(SIGNS), *([Rung(FOUR_BITS)] if self.bits == CODE_BITS[0] else []), self.exact]
        found += [Rung(TWO_STAGE, candidates=count) for count in CANDIDATES if count < self.rows]
        if self.cells is not None and self.assigned >= LEAST_ASSIGNED * sum(self.cell_rows.values()):
            found += [Rung(CELLS, probes=count) for count in PROBES if count < len(self.cells.centroids)]
        return found

    @property
    def assigned(self) -> int:
        """Rows that lie in the newest cells."""
        cells = self.cells
        if cells is None:
            return 0
        return sum(rows for cell, rows in self.cell_rows.items() if cells.first_cell <= cell <= cells.last_cell)

    def read_bytes(self, rung: Rung, questions: Sequence[Asked]) -> float:
        """Bytes that a search on a rung compares, for each vector of the store."""
        if rung.name == TWO_STAGE:
            return sign_bytes(self.dimensions) + self.code_bytes * min(1.0, (rung.candidates or 0) / self.rows)
        if rung.name == CELLS:
            return self.code_bytes * self.share_of_cells(rung.probes or 0, questions)
        return self.stored_bytes(rung)

    def share_of_cells(self, probes: int, questions: Sequence[Asked]) -> float:
        """The part of the rows that so many cells hold, with all rows outside the newest cells, which are always read."""
        every, cells = sum(self.cell_rows.values()), self.cells
        if cells is None:
            return 1.0
        read = [
            sum(self.cell_rows.get(cell, 0) for cell in cells.to_read(question.query.codes, probes))
            for question in questions
        ]
        return (mean(read) + every - self.assigned) / every

    def stored_bytes(self, rung: Rung) -> int:
        """Bytes of what a rung needs of a vector."""
        return {
            SIGNS: sign_bytes(self.dimensions),
            FOUR_BITS: packed_bytes(self.dimensions, 4) + CODE_EXTRAS,
            EIGHT_BITS: self.code_bytes,
            TWO_STAGE: self.code_bytes + sign_bytes(self.dimensions),
            CELLS: self.code_bytes + CELL_BYTES,
        }[rung.name]


def packed_bytes(dimensions: int, bits: int) -> int:
    """Bytes of codes that lie bit by bit behind each other."""
    return -(-dimensions * bits // 8)


# Questions


def asked_by(question: Question) -> Asked:
    """A judged question."""
    return Asked(quantize_query(question.vector), question.vector.tolist(), grades=question.grades)


def chunk_questions(snapshot: Snapshot, count: int) -> list[Asked]:
    """Chunks of the store as questions: what else is like this?"""
    rows = snapshot.client.query(Statement("ladder_questions", {"epoch": snapshot.epoch, "rows": count}))
    if not rows:
        return []
    vectors = read_vectors(rows, snapshot.calibration()).dequantize()
    return [
        Asked(quantize_query(vector), vector.tolist(), (row["document_id"], row["chunk_index"]))
        for row, vector in zip(rows, vectors, strict=True)
    ]


# Rankings


def ranked(snapshot: Snapshot, rung: Rung, question: Asked) -> Found:
    """The first ten that a rung finds for a question, without the chunk that asks."""
    if rung.strategy:
        hits = snapshot.search(question.query, rung.request(TOP + 1))
        pairs = [((hit.document_id, hit.chunk_index), hit.source) for hit in hits]
    else:
        rows = snapshot.client.query(bits_statement(snapshot, rung, question.query, TOP + 1))
        pairs = [((row["document_id"], row["chunk_index"]), row["source"]) for row in rows]
    return Found(without([key for key, _ in pairs], question.itself)[:TOP], dict(pairs))


def bits_statement(snapshot: Snapshot, rung: Rung, query: QuantizedQuery, k: int) -> Statement:
    """The ranking of all chunks by a part of their bits."""
    values: dict[str, Any] = {"epoch": snapshot.epoch, "k": k}
    if rung.name == SIGNS:
        signs = query_signs(query)
        return Statement("ladder_signs", values | {"query_signs": signs.hex(), "sign_bytes": len(signs)})
    codes = code_values(query, snapshot.calibration())
    del codes["query_scale"]
    return Statement("ladder_four_bits", values | codes)


def by_floats(snapshot: Snapshot, question: Asked) -> list[Key]:
    """The first ten by float32 vectors."""
    values: dict[str, Any] = {"epoch": snapshot.epoch, "k": TOP + 1, "vector": question.vector}
    rows = snapshot.client.query(Statement("ladder_floats", values))
    return without([(row["document_id"], row["chunk_index"]) for row in rows], question.itself)[:TOP]


def recall(found: Sequence[Found], right: Sequence[list[Key]]) -> float:
    """The mean part of what is right that is found."""
    return mean([recall_of_first(one.keys, keys) for one, keys in zip(found, right, strict=True)])


def kept_quality(found: Sequence[Found], exact: Sequence[Found], questions: Sequence[Asked]) -> float | None:
    """nDCG@10 of a rung divided by that of the exact search."""

    def quality(rankings: Sequence[Found]) -> float:
        graded_ones = zip(rankings, questions, strict=True)
        return mean([graded(one.keys, question.grades, one.sources) for one, question in graded_ones])

    return quotient(quality(found), quality(exact))


# Times


def timed(
    snapshot: Snapshot, rungs: Sequence[Rung], questions: Sequence[Asked]
) -> dict[Rung, tuple[float, float | None]]:
    """Median milliseconds of a search for ten chunks on each rung, elapsed and of the CPU, after one that warms up."""
    embedded = snapshot.client.location.server is None
    taken: dict[Rung, list[tuple[float, float]]] = {rung: [] for rung in rungs}
    for number, question in enumerate([*questions[:1], *questions]):
        for rung in rungs:
            request = rung.request(TOP)
            started, used = perf_counter(), process_time()
            snapshot.search(question.query, request)
            if number:
                taken[rung].append((1000 * (perf_counter() - started), 1000 * (process_time() - used)))
    medians = {rung: np.median(np.array(pairs), axis=0).tolist() for rung, pairs in taken.items()}
    return {rung: (wall, cpu if embedded else None) for rung, (wall, cpu) in medians.items()}
