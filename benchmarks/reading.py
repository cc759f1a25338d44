"""Reading an embedded store during an ingest: seconds to the answer, by a new process and by one that has its encoder loaded.

    python benchmarks/reading.py [FOLDER ...] [--asks N]  (default: docs/, repeated until the ingest has lasted long enough)

An ingest runs as a process of its own. Meanwhile `python -m rag ask` is started N times, one after the other, and in this
process the store is opened, searched and closed as often. Both are done again when the ingest has ended. The goal is an answer
within 2 seconds at any time; the time that a command takes to load its libraries and its encoder is in the first figure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from encoder import whole_number

import rag
from sql.base.errors import EXIT_NOTHING_FOUND, EXIT_OK
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "How many bytes does one stored vector take?"
COPIES = 100  # of the folders' Markdown files, no two alike: more than an ingest gets through before it is stopped


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=["docs"])
    parser.add_argument("--asks", type=whole_number, default=10, metavar="N", help="how often (default: 10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        corpus, store = Path(scratch) / "corpus", f"{scratch}/store"
        ingest([*options.folders], store).wait()  # something to be asked for from the first moment on
        with rag.open(store) as library:
            vector = library.encoder.encode_query(QUESTION)

        def search() -> None:
            with rag.open(store) as library:
                library.search(QUESTION, vector=vector, ranking="vector")

        for copy in range(COPIES):
            for number, folder in enumerate(options.folders):
                for path in Path(folder).rglob("*.md"):
                    target = corpus / f"{copy}-{number}" / path.relative_to(folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(f"# Copy {copy}\n\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
        running = ingest([str(corpus)], store)
        try:
            while running.poll() is None and not (Path(store) / "socket").exists():
                time.sleep(0.01)  # the ingest has to come first: it needs the store for itself
            during = measured(lambda: ask(store), options.asks), measured(search, options.asks)
            if running.poll() is not None:
                raise SystemExit("the ingest ended before the last answer: give more or larger folders")
        finally:
            running.terminate()
            running.wait()
        with Store.open(store) as opened:
            documents = len(opened.snapshot().documents())
        at_rest = measured(lambda: ask(store), options.asks), measured(search, options.asks)
    names = ("python -m rag ask", "open, search and close")
    print(
        json.dumps(
            {
                "documents": documents,
                "during an ingest": dict(zip(names, during, strict=True)),
                "at rest": dict(zip(names, at_rest, strict=True)),
            },
            indent=2,
        )
    )


def ingest(paths: list[str], store: str) -> subprocess.Popen[bytes]:
    """An ingest as a process of its own."""
    command = [sys.executable, "-m", "ingest", *paths, "--db", store]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(store: str) -> None:
    """One command, which has to have an answer, or to find none."""
    command = [sys.executable, "-m", "rag", "ask", QUESTION, "--db", store]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode not in (EXIT_OK, EXIT_NOTHING_FOUND):
        raise SystemExit(finished.stderr)


def measured(work: Callable[[], None], times: int) -> dict[str, float]:
    """Median and worst seconds."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return {"median": round(statistics.median(seconds), 3), "worst": round(max(seconds), 3)}


if __name__ == "__main__":
    main()
