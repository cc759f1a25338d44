"""How long a row takes that SQL has answered: by dictGet, by aiGenerate, and by one request after the other without SQL.

    int8-rag serve &
    python benchmarks/sql_answers.py --url http://127.0.0.1:8000 --rows 40

The engine is chDB in this process, in a folder of its own; the server is one that runs. Questions are sentences of the
store's chunks, each asked once, so that nothing can be remembered. Each round has all ways in turn, for the machine may have
other work, and the median of the rounds is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import tempfile
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx2
from chdb.session import Session

from rag.commands.command_line import command
from sql.engine.free_sql import split_statements

if TYPE_CHECKING:
    from collections.abc import Callable

WAYS = {
    "dictGet": "SELECT countIf(a != '') FROM (SELECT dictGet('rag_answers', 'answer', (body, '')) AS a FROM tickets)",
    "aiGenerate": "SELECT countIf(a != '') FROM (SELECT aiGenerate(body, map('credentials', 'rag_chat')) AS a FROM tickets)",
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--url", default="http://127.0.0.1:8000", help="where `int8-rag serve` listens (default %(default)s)"
    )
    parser.add_argument("--rows", type=int, default=40, help="questions of each way and round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default %(default)s)")
    options = parser.parse_args()
    with httpx2.Client(base_url=options.url, timeout=120) as http, tempfile.TemporaryDirectory() as folder:
        run = engine(folder, options.url)
        texts = chunk_texts(http)
        seconds: dict[str, list[float]] = {way: [] for way in ("one after another", *WAYS)}
        for number in range(options.rounds + 1):
            drawn = iter(questions(texts, options.rows * len(seconds), number))
            for way, kept in seconds.items():
                asked = [next(drawn) for _ in range(options.rows)]
                spent = by_sql(run, WAYS[way], asked) if way in WAYS else timed(partial(one_by_one, http, asked))
                if number:  # the first round loads what is loaded once
                    kept.append(spent)
    for way, kept in seconds.items():
        print(f"{way:18}{1000 * median(kept) / options.rows:8.0f} ms a row")


def engine(folder: str, url: str) -> Callable[[str], Any]:
    """Runs statements in a new chDB that can ask the server."""
    session = Session(folder)
    session.query("CREATE DATABASE shop")
    session.query("USE shop")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        command(["ddl", "--url", url])
    for statement in split_statements(printed.getvalue())[0]:
        session.query(statement)
    session.query("CREATE TABLE tickets (id UInt32, body String) ENGINE = MergeTree ORDER BY id")
    return session.query


def chunk_texts(http: httpx2.Client) -> list[str]:
    """Texts of the store."""
    found = [
        http.post("/v1/search", json={"query": word, "k": 100, "certify": False}).json()
        for word in ("a", "how", "where")
    ]
    return [hit["text"] for one in found for hit in one["hits"]]


def questions(texts: list[str], count: int, seed: int) -> list[str]:
    """Different questions of five to twelve words from texts of the store."""
    drawn, found = random.Random(seed), dict[str, None]()
    while len(found) < count:
        words = drawn.choice(texts).split()
        first = drawn.randrange(max(1, len(words) - 12))
        found[" ".join(words[first : first + drawn.randint(5, 12)])[:300] + f" {seed}.{len(found)}"] = None
    return list(found)


def one_by_one(http: httpx2.Client, asked: list[str]) -> None:
    """Asks each question in a request of its own, over one connection."""
    for question in asked:
        http.post("/v1/ask", json={"question": question}).raise_for_status()


def by_sql(run: Callable[[str], Any], statement: str, asked: list[str]) -> float:
    """Seconds that the statement takes, over a table of these questions."""
    run("TRUNCATE TABLE tickets")
    rows = ", ".join(f"({number}, '{text}')" for number, text in enumerate(map(quoted, asked)))
    run(f"INSERT INTO tickets VALUES {rows}")
    return timed(lambda: run(statement))


def quoted(text: str) -> str:
    """What stands between the quotes of a literal."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def timed(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
