"""Ingest: chunks a second, and bytes a vector on disk against float32 in the same engine.

    python benchmarks/ingest_rate.py [FOLDER ...]          (default: docs/, repeated until there are 500 chunks)

The rate counts reading, chunking, encoding, quantizing and the fsynced inserts, with the model loaded and warm. The
bytes are those of merged parts, column by column; the float32 table holds the same vectors dequantized.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from ingest.sync import prepare_store, sync
from ingest.walk import walk
from sql.settings import read_settings
from sql.store import Store

LEAST_CHUNKS = 500
VECTOR_COLUMNS = ("codes", "scale", "zero_point", "norm")
BYTES = """
SELECT column, sum(column_data_compressed_bytes) AS bytes, sum(rows) AS row_count
FROM system.parts_columns WHERE database = currentDatabase() AND table = {table:String} AND active GROUP BY column
"""


def main() -> None:
    """Prints both figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=["docs"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Store.open(f"{scratch}/store", write=True) as store:
        encoder, scheme = prepare_store(store, read_settings())
        encoder.encode_documents(["warm up"] * 64)
        chunks, seconds, copies = 0, 0.0, 0
        while chunks < LEAST_CHUNKS:
            folder = Path(scratch) / f"copy-{copies}"
            for given in options.folders:
                shutil.copytree(given, folder / Path(given).name)
            started = time.perf_counter()
            chunks += sync(store, encoder, walk([str(folder)]), scheme).chunks
            seconds += time.perf_counter() - started
            copies += 1
        print(f"{chunks} chunks in {seconds:.1f} s: {chunks / seconds:.0f} chunks/s ({encoder.kernel.name})")
        show_bytes(store)


def show_bytes(store: Store) -> None:
    """Bytes a vector of our columns, and of an Array(Float32) with the same vectors, merged into one part each.

    Copies of a chunk count once, or they would compress each other away. Small parts keep all columns in one file, of
    which the engine tells no sizes: both tables are told to make wide ones.
    """
    handle = store.client._handle()
    wide = "ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 0, index_granularity = 256"
    handle.command(f"CREATE TABLE codes {wide} AS SELECT {', '.join(VECTOR_COLUMNS)} FROM chunks LIMIT 1 BY text")
    handle.command(
        f"CREATE TABLE floats {wide} AS SELECT rag_dequantize(codes, scale, zero_point) AS vector FROM chunks LIMIT 1 BY text"
    )
    found = {}
    for table in ("codes", "floats"):
        handle.command(f"OPTIMIZE TABLE {table} FINAL")
        for column, size, rows in handle.query(BYTES, parameters={"table": table}).result_rows:
            found[column] = size / rows
    ours = sum(found[column] for column in VECTOR_COLUMNS)
    print("bytes a vector on disk: " + ", ".join(f"{column} {found[column]:.1f}" for column in VECTOR_COLUMNS))
    print(f"int8 {ours:.1f}, float32 {found['vector']:.1f}: {found['vector'] / ours:.2f} times smaller")


if __name__ == "__main__":
    main()
