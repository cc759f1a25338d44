"""Ingest: chunks a second beside what its encoder does alone, and bytes a vector on disk against float32.

    python benchmarks/ingest_rate.py [FOLDER ...] [--busy [N]]  (default: docs/, repeated until there are 500 chunks)

The rate counts reading, chunking, words, encoding, quantizing and the fsynced inserts, with the model loaded and warm. The
encoder's is that for the texts of the same chunks, given to it at once after each repetition. With --busy, N processes
compute without end all the while. The bytes are those of merged parts, column by column; the float32 table, in the same
engine, holds the same vectors dequantized.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from busy import busy_processes
from encoder import whole_number

from ingest.synchronize import prepare, sync_walk
from ingest.walk import walk
from rag.library import Library
from sql.store import Store

LEAST_CHUNKS = 500
VECTOR_COLUMNS = ("codes", "scale", "zero_point", "norm", "error")
BYTES = """
SELECT column, sum(column_data_compressed_bytes) AS bytes, sum(rows) AS row_count
FROM system.parts_columns WHERE database = currentDatabase() AND table = {table:String} AND active GROUP BY column
"""


def main() -> None:
    """Prints both figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=["docs"])
    parser.add_argument(
        "--busy",
        type=whole_number,
        nargs="?",
        const=1,
        default=0,
        metavar="N",
        help="measure beside N busy processes (without a number: 1)",
    )
    options = parser.parse_args()
    with (
        busy_processes(options.busy),
        tempfile.TemporaryDirectory() as scratch,
        Store.open(f"{scratch}/store", write=True) as store,
    ):
        library = Library(store)
        encoder = prepare(library)
        encoder.encode_documents(["warm up"] * 64)
        chunks, seconds, copies = 0, 0.0, 0
        encoded, encoding = 0, 0.0
        while chunks < LEAST_CHUNKS:
            folder = Path(scratch) / f"copy-{copies}"
            for given in options.folders:
                shutil.copytree(given, folder / Path(given).name)
            started = time.perf_counter()
            chunks += sync_walk(library, walk([str(folder)])).chunks
            seconds += time.perf_counter() - started
            copies += 1
            texts = chunk_texts(store)
            started = time.perf_counter()
            encoder.encode_documents(texts)
            encoding += time.perf_counter() - started
            encoded += len(texts)
        alone = encoded / encoding
        print(
            f"{chunks} chunks in {seconds:.1f} s: {chunks / seconds:.1f} chunks/s, {chunks / seconds / alone:.0%} of the "
            f"{alone:.1f} that the encoder does alone; {options.busy} busy beside it ({encoder.kernel.name})"
        )
        show_bytes(store)


def chunk_texts(store: Store) -> list[str]:
    """The texts of all chunks, each once."""
    return [text for (text,) in rows_of(store, "SELECT DISTINCT text FROM chunks")]


def rows_of(store: Store, sql: str, **values: str) -> list[list[Any]]:
    """The rows of a SELECT."""
    answer = store.client.text(sql, "JSONCompactEachRow", values)
    return [json.loads(line) for line in answer.splitlines()]


def show_bytes(store: Store) -> None:
    """Bytes a vector of our columns, and of an Array(Float32) with the same vectors, merged into one part each.

    Copies of a chunk count once, or they would compress each other away. Small parts keep all columns in one file, of
    which the engine tells no sizes: both tables are told to make wide ones.
    """
    wide = "ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 0, index_granularity = 256"
    store.client.text(
        f"CREATE TABLE codes {wide} AS SELECT {', '.join(VECTOR_COLUMNS)} FROM chunks LIMIT 1 BY text", None
    )
    store.client.text(
        f"CREATE TABLE floats {wide} AS SELECT rag_dequantize(codes, scale, zero_point) AS vector FROM chunks LIMIT 1 BY text",
        None,
    )
    found = {}
    for table in ("codes", "floats"):
        store.client.text(f"OPTIMIZE TABLE {table} FINAL", None)
        for column, size, rows in rows_of(store, BYTES, table=table):
            found[column] = int(size) / int(rows)  # JSON has wide integers as strings
    ours = sum(found[column] for column in VECTOR_COLUMNS)
    print("bytes a vector on disk: " + ", ".join(f"{column} {found[column]:.1f}" for column in VECTOR_COLUMNS))
    print(f"int8 {ours:.1f}, float32 {found['vector']:.1f}: {found['vector'] / ours:.2f} times smaller")


if __name__ == "__main__":
    main()
