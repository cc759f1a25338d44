"""Two shards for a demonstration: `serve` starts them and prints the DSN; `demo` also runs an ingest and a question.

    python benchmarks/cluster.py serve          until Ctrl-C
    python benchmarks/cluster.py demo           ingests docs/ in two processes, asks, compares with an embedded store

The shards are real ClickHouse servers on loopback out of the chdb wheel (see `tests/server.py`), each in a process of
its own, without Keeper and replicas.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
QUESTION = "How many bytes does one stored vector take?"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["serve", "demo"])
    action = parser.parse_args().action
    from server import running_shards

    with running_shards() as shards:
        hosts = ",".join(f"127.0.0.1:{shard.http}" for shard in shards)
        dsn = f"clickhouse://maintainer:{password()}@{hosts}/rag_demo?cluster=two"
        print(f"export RAG_DB='{dsn}'", flush=True)
        if action == "demo":
            demonstrate(dsn, [shard.ask for shard in shards])
            return
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            return


def password() -> str:
    """The password of the demonstration's users, as a DSN holds it."""
    from server import PASSWORD

    return urllib.parse.quote(PASSWORD, safe="")


def demonstrate(dsn: str, asks: list[object]) -> None:
    """An ingest in two processes, a question to the shards and to an embedded store, and where the chunks lie."""
    with tempfile.TemporaryDirectory() as folder:
        run("ingest", "docs/table.md", "--db", dsn)  # makes the tables
        parts = [start("ingest", "docs/", "--db", dsn, "--shard", f"{number}/2") for number in (1, 2)]
        for part in parts:
            print(part.communicate()[0].strip())
        run("ingest", "docs/", "--db", f"{folder}/store")
        answers = [answer(place) for place in (dsn, f"{folder}/store")]
    for number, ask in enumerate(asks, start=1):
        print(f"shard {number}: {ask('SELECT count() FROM chunks', 'rag_demo_local')} chunks")  # type: ignore[operator]
    print(f"{QUESTION}\n{answers[0]['answer']}")
    same = answers[0] == answers[1]
    print("the embedded store gives the same answer" if same else f"the embedded store says: {answers[1]['answer']}")
    raise SystemExit(0 if same else 1)


def start(*arguments: str) -> subprocess.Popen[str]:
    """A command of ours on its way."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, cwd=PROJECT, env=os.environ, stdout=subprocess.PIPE, text=True)


def run(*arguments: str) -> str:
    """What a command of ours prints; ends the demonstration where it fails."""
    process = start(*arguments)
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(process.returncode)
    print(output.strip())
    return output


def answer(place: str) -> dict[str, object]:
    """The answer to the question as JSON."""
    process = start("rag", "ask", QUESTION, "--db", place, "--json")
    parsed: dict[str, object] = json.loads(process.communicate()[0])
    return parsed


if __name__ == "__main__":
    main()
