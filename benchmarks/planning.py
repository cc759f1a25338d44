"""What it costs to say a piece of SQL once: statements as they stand beside the same ones through views and functions.

    python benchmarks/planning.py [--chunks 3000 100000] [--rounds 40] [--embedded]

A store of drawn vectors and words, in this process and on a real server on loopback (`tests/server.py`), is searched with
every form of every statement in turn, in a new order each round. Printed are the clock and the CPU time
of all threads of the engine for the statement, and the CPU time of its EXPLAIN, which plans and does not search: the quartile
of the fastest, since what else runs on the machine only adds, and its proportion to that of the statement as it stands. That
statement takes part twice, which shows how far the figures can be trusted. Each form must return the same rows of the same
types, and what its plan lacks is named: *late columns* are those that are read for the rows of the LIMIT only.

    generations view   the visible generations from a view that holds nothing else
    documents view     the same from live_documents
    chunks view        the visible chunks from live_chunks
    search view        the whole search but its order and limit from a view with its values as parameters
    function           the score, or what a term adds to BM25, from a SQL function
    WITH               the visible generations as a common table expression
    EXCEPT, COLUMNS    the columns of a hit by those that it has not, or by a pattern
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

if TYPE_CHECKING:
    from collections.abc import Iterator

DIMENSIONS, PER_DOCUMENT, TERMS, VOCABULARY, K, PLACES = 384, 20, 30, 5_000, 5, 100
EPOCH = 1
FIRST_GENERATION = EPOCH << 40
VISIBLE = """SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'"""
HIT = (
    *("source", "title", "heading", "char_start", "char_end", "line", "page", "place_name", "text", "metadata"),
    *("document_id", "cell", "generation", "chunk_index"),
)
NOT_OF_A_HIT = ("tokens", "outline", "codes", "scale", "zero_point", "norm", "error", "signs", "row_hash")
PRODUCT = "scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})"
SCORE = f"{PRODUCT}\n        * {{query_scale:Float64}}"
TERM_SCORE = """transform(term, {terms:Array(String)}, {weights:Array(Float64)}, 0.) * frequency
        / (frequency + {k1:Float64} * (1 - {b:Float64} + {b:Float64} * length / {average_length:Float64}))"""
VIEWS = {
    "planning_generations": VISIBLE.replace("FROM", "AS generation FROM", 1),
    "planning_search": f"SELECT {', '.join(HIT)}, {SCORE} AS score FROM chunks WHERE generation IN ({VISIBLE})",
}
FUNCTIONS = {
    "planning_product": "(query, query_sum, query_offset, codes, scale, zero_point) -> "
    "scale * (dotProduct(query, codes) - zero_point * query_sum + query_offset)",
    "planning_term": "(weight, frequency, length, k1, b, average_length) -> "
    "weight * frequency / (frequency + k1 * (1 - b + b * length / average_length))",
}
FUNCTION = "planning_product({query:Array(Int16)}, {query_sum:Int64}, {query_offset:Int64}, codes, scale, zero_point)"
WEIGHT = "transform(term, {terms:Array(String)}, {weights:Array(Float64)}, 0.)"
TERM_FUNCTION = f"planning_term({WEIGHT}, frequency, length, {{k1:Float64}}, {{b:Float64}}, {{average_length:Float64}})"
CHUNKS_VIEW = "FROM live_chunks(epoch = {epoch:UInt64}) WHERE true"
SOME = "document_id IN {document_ids:Array(UUID)}"
SEARCH_VIEW = """SELECT * FROM planning_search(query = {query:Array(Int16)}, query_sum = {query_sum:Int64},
    query_offset = {query_offset:Int64}, query_scale = {query_scale:Float64}, epoch = {epoch:UInt64})"""
# What stands in the place of which piece of a statement.
OTHERWISE = {
    "generations view": {VISIBLE: "SELECT generation FROM planning_generations(epoch = {epoch:UInt64})"},
    "documents view": {VISIBLE: "SELECT generation FROM live_documents(epoch = {epoch:UInt64})"},
    "chunks view": {
        f"FROM chunks WHERE generation IN ( {VISIBLE} )": CHUNKS_VIEW,
        f"FROM chunks WHERE {SOME} AND generation IN ( {VISIBLE} )": f"{CHUNKS_VIEW} AND {SOME}",
    },
    "search view": {
        f"SELECT {', '.join(HIT)}, {SCORE} AS score FROM chunks WHERE generation IN ( {VISIBLE} ) ORDER": f"{SEARCH_VIEW} ORDER"
    },
    "function": {PRODUCT: FUNCTION, TERM_SCORE: TERM_FUNCTION},
    "WITH": {f"IN ( {VISIBLE} )": "IN visible"},
    "EXCEPT": {f"SELECT {', '.join(HIT)}": f"SELECT * EXCEPT ({', '.join(NOT_OF_A_HIT)})"},
    "COLUMNS": {f"SELECT {', '.join(HIT)}": f"SELECT COLUMNS('^({'|'.join(HIT)})$')"},
}
STATEMENTS = (
    "search_exact",
    "search_exact_per_document",
    "search_two_stage",
    "search_bm25",
    "hybrid_hits",
    "document_chunks",
)
FILL = {
    "manifest": """
        SELECT
            toUUID(concat('00000000-0000-4000-8000-', leftPad(hex(number), 12, '0'))) AS document_id, {epoch:UInt64},
            {first:UInt64} + number * 256 AS generation, 'publish', concat('/', toString(number)) AS path, path, '', 'text',
            'utf-8', '', 0, 'none', {per_document:UInt32}, 0, 0, 0, 0, now64(3)
        FROM (SELECT arrayJoin(range({documents:UInt32})) AS number)""",
    "chunks": """
        SELECT
            0 AS cell, {first:UInt64} + intDiv(number, {per_document:UInt32}) * 256 AS generation,
            number % {per_document:UInt32} AS chunk_index,
            toUUID(concat('00000000-0000-4000-8000-', leftPad(hex(intDiv(number, {per_document:UInt32})), 12, '0'))),
            toString(intDiv(number, {per_document:UInt32})), '', '', 0, 600, 1, 0, '', 150,
            arrayStringConcat(arrayMap(i -> hex(sipHash64(number, i)), range(40))), '{}', '',
            arrayMap(i -> toInt8(sipHash64(number, i, 1) % 256 - 128), range({dimensions:UInt16})) AS codes,
            0.002, sipHash64(number) % 20, 1, 0.01,
            arrayStringConcat(arrayMap(i -> char(sipHash64(number, i, 2) % 256), range({sign_bytes:UInt16}))), 0
        FROM (SELECT arrayJoin(range({first_row:UInt32}, {last_row:UInt32})) AS number)""",
    # The square of a number drawn between 0 and 1: some words are common and most are rare.
    "postings": """
        SELECT DISTINCT
            concat('w', toString(toUInt32(pow(sipHash64(number, i) % 100000 / 100000, 2) * {vocabulary:UInt32}))),
            {first:UInt64} + intDiv(number, {per_document:UInt32}) * 256, number % {per_document:UInt32}, 1 + i % 3, 60
        FROM (SELECT arrayJoin(range({first_row:UInt32}, {last_row:UInt32})) AS number) ARRAY JOIN range({terms:UInt32}) AS i""",
}
ROWS_PER_FILL = 20_000


def main() -> None:
    """Prints a table for each place and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[3_000, 100_000], help="sizes of the store")
    parser.add_argument("--rounds", type=int, default=40, help="rounds (default %(default)s)")
    parser.add_argument("--embedded", action="store_true", help="in this process only, without a server")
    parser.add_argument("--statement", choices=STATEMENTS, help="this one only (default: all)")
    options = parser.parse_args()
    from server import running_server

    wanted = (options.statement,) if options.statement else STATEMENTS
    for chunks in options.chunks:
        with tempfile.TemporaryDirectory() as folder:
            measure(f"{chunks:,} chunks, embedded", folder, chunks, options.rounds, wanted)
    if not options.embedded:
        with running_server() as server:
            for chunks in options.chunks:
                place = server.dsn(server.new_database())
                assert server.process is not None
                cpu = ~server.process.pid << 3 | 2  # the CPU clock of another process: clock_getcpuclockid(3)
                measure(f"{chunks:,} chunks, server", place, chunks, options.rounds, wanted, cpu)


def measure(
    title: str,
    place: str,
    chunks: int,
    rounds: int,
    wanted: tuple[str, ...],
    cpu: int = time.CLOCK_PROCESS_CPUTIME_ID,
) -> None:
    """One table: every statement in every form; `cpu` is the clock of the process that the engine works in."""
    from support import open_store

    with open_store(place, DIMENSIONS) as store, helpers(store.client, fill(store.client, chunks)) as client:
        print(f"\n{title}, {rounds} rounds\n")
        print("| statement | form | clock | of it as it stands | CPU | of it | planning | of it | the plan lacks |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name in wanted:
            measure_forms(client, name, values_of(chunks), rounds, cpu)


def fill(client: Any, chunks: int) -> int:
    """Drawn documents in the tables of an empty store, all published at one epoch; their number."""
    documents = -(-chunks // PER_DOCUMENT)
    values = {
        "epoch": EPOCH, "first": FIRST_GENERATION, "documents": documents, "per_document": PER_DOCUMENT,
        "dimensions": DIMENSIONS, "sign_bytes": DIMENSIONS // 4, "vocabulary": VOCABULARY, "terms": TERMS,
    }  # fmt: skip
    for table, select in FILL.items():
        for first in range(0, chunks if "first_row" in select else 1, ROWS_PER_FILL):
            rows = {"first_row": first, "last_row": min(first + ROWS_PER_FILL, chunks)}
            run(client, f"INSERT INTO {table} {select}", values | rows)
        client.text(f"OPTIMIZE TABLE {table} FINAL", None)  # no merge is to go on behind what is measured
    return documents


@contextmanager
def helpers(client: Any, documents: int) -> Iterator[Any]:
    """The views and functions of the other forms; functions belong to the whole server and are dropped again."""
    print(f"{documents:,} documents are stored", file=sys.stderr)
    try:
        for name, text in VIEWS.items():
            client.text(f"CREATE VIEW {name} AS {text}", None)
        for name, text in FUNCTIONS.items():
            client.text(f"CREATE OR REPLACE FUNCTION {name} AS {text}", None)
        yield client
    finally:
        for name in FUNCTIONS:
            client.text(f"DROP FUNCTION IF EXISTS {name}", None)


def values_of(chunks: int) -> dict[str, Any]:
    """The values of every parameter of the statements, the same on every run."""
    drawn = random.Random(0)
    query = [drawn.randint(-2047, 2047) for _ in range(DIMENSIONS)]
    rows = sorted(drawn.sample(range(chunks), PLACES))
    document_ids = [f"00000000-0000-4000-8000-{number:012X}" for number in range(3)]
    return {
        "query": query, "query_sum": sum(query), "query_offset": 0, "query_scale": 1e-4, "k": K, "epoch": EPOCH,
        "query_signs": drawn.randbytes(DIMENSIONS // 4).hex(), "sign_bytes": DIMENSIONS // 4, "candidates": 300,
        "begun_later": (EPOCH + 1) << 40, "dead": [], "per_document": 2, "document_ids": document_ids,
        "terms": ["w40", "w400", "w2000"], "weights": [2.0, 3.0, 5.0], "average_length": 60.0, "k1": 1.2, "b": 0.75,
        "near_generations": [], "near_indexes": [], "vector_share": 0.5, "most": 9.0,
        "generations": [FIRST_GENERATION + row // PER_DOCUMENT * 256 for row in rows],
        "indexes": [row % PER_DOCUMENT for row in rows], "scores": [drawn.uniform(0, 9) for _ in rows],
    }  # fmt: skip


def forms_of(name: str) -> dict[str, str]:
    """The statement as it stands, twice, and in every other form that it can take, each on one line."""
    from sql.engine.statements import read_statement

    lines = read_statement(f"queries/{name}.sql").replace("/* filter */", "").splitlines()
    stands = one_line("\n".join(line for line in lines if not line.lstrip().startswith("--")))
    forms = {"as it stands": stands, "again": f"{stands} "}
    for form, pieces in OTHERWISE.items():
        text = stands
        for piece, other in pieces.items():
            text = text.replace(one_line(piece), one_line(other))
        if text != stands:
            forms[form] = f"WITH visible AS ({VISIBLE}) {text}" if form == "WITH" else text
    return forms


def one_line(text: str) -> str:
    """SQL with single spaces only."""
    return " ".join(text.split())


def measure_forms(client: Any, name: str, values: dict[str, Any], rounds: int, cpu: int) -> None:
    """Prints the rows of one statement."""
    forms = forms_of(name)
    stands = forms["as it stands"]
    wanted, plan = rows_of(client, stands, values), features(client, stands, values)
    for form, text in forms.items():
        assert rows_of(client, text, values) == wanted, f"{name}, {form}: other rows"
    times: dict[tuple[str, str], list[tuple[float, float]]] = {
        (form, kind): [] for form in forms for kind in ("", "EXPLAIN ")
    }
    for _ in range(rounds):
        for form, kind in random.sample(list(times), len(times)):
            clock, used = time.perf_counter(), time.clock_gettime(cpu)
            run(client, kind + forms[form], values)
            times[form, kind].append((time.perf_counter() - clock, time.clock_gettime(cpu) - used))
    for form, text in forms.items():
        cells = []
        for kind, which in (("", 0), ("", 1), ("EXPLAIN ", 1)):
            own, other = (fastest([pair[which] for pair in times[one, kind]]) for one in (form, "as it stands"))
            cells += [f"{1e3 * own:.1f} ms", f"{own / other:.2f}"]
        lacks = ", ".join(sorted(plan - features(client, text, values)))
        print(f"| {name} | {form} | {' | '.join(cells)} | {lacks} |", flush=True)


def fastest(seconds: list[float]) -> float:
    """The time that a quarter of the runs stays below."""
    return quantiles(seconds, n=4)[0]


def run(client: Any, text: str, values: dict[str, Any], output_format: str | None = None) -> str:
    """What a statement prints, with the values that it takes."""
    used = {key: value for key, value in values.items() if f"{{{key}:" in text}
    return str(client.text(text, output_format, used).decode())


def rows_of(client: Any, text: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows by the names of their columns, each value with its type."""
    lines = run(client, text, values, "JSONCompactEachRowWithNamesAndTypes").splitlines()
    names, types, *rows = (json.loads(line) for line in lines)
    return [{name: (kind, value) for name, kind, value in zip(names, types, row, strict=True)} for row in rows]


def features(client: Any, text: str, values: dict[str, Any]) -> set[str]:
    """What a plan saves reading by."""
    plan = run(client, f"EXPLAIN indexes = 1 {text}", values, "TSVRaw")
    signs = {"late columns": "LazilyRead", "index": "Condition: (", "prewhere": "Prewhere"}
    return {feature for feature, sign in signs.items() if sign in plan}


if __name__ == "__main__":
    main()
