"""How fast one node compares sign bits: what a plan for a large store divides by its shards.

A table of random bits, 96 bytes a row as 384 dimensions have them, in an embedded engine; the best of several rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

BYTES = 96


def main() -> None:
    """Prints the rows and bytes a second, and what 1,000,000,000 rows would take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows in the table (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds (default %(default)s)")
    options = parser.parse_args()
    from sql.engine.client import Client
    from sql.engine.location import parse_location

    with tempfile.TemporaryDirectory() as folder:
        client = Client(parse_location(folder))
        table = f"CREATE TABLE signs (id UInt64, signs FixedString({BYTES}) CODEC(NONE)) ENGINE = MergeTree ORDER BY id"
        client.text(f"{table} SETTINGS index_granularity = 256", None)
        fill = f"INSERT INTO signs SELECT number, randomFixedString({BYTES}) FROM numbers({options.rows})"
        client.text(fill, None)
        nearest = (
            f"SELECT id FROM signs ORDER BY bitHammingDistance(signs, (SELECT randomFixedString({BYTES}))) LIMIT 300"
        )
        times = []
        for _ in range(options.rounds):
            started = time.perf_counter()
            client.text(nearest, "Null")
            times.append(time.perf_counter() - started)
        client.close()
    best = min(times)
    print(f"{options.rows:,} rows in {best * 1e3:.1f} ms: {options.rows / best / 1e6:.0f} million rows/s")
    print(
        f"{options.rows * BYTES / best / 1e9:.1f} GB/s; a shard of 31,250,000 rows {best * 31.25e6 / options.rows:.2f} s"
    )


if __name__ == "__main__":
    main()
