"""Competitors in, out what each keeps of its speed when the machine has other work: at rest and busy, in one run.

The other work is processes that compute without end, children of the benchmark. For each competitor the two states
follow each other at once, round after round, and the median of the rounds counts: what else runs on the machine then
hits both alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from peers import Competitor

# Says that it runs, and ends by itself when the benchmark is gone, however that ended.
SPIN = """
import os, sys
print(flush=True)
while os.getppid() == int(sys.argv[1]):
    for _ in range(100_000):
        pass
"""
TEXTS_ALONE = 3  # how often the one passage is encoded in each round and state


@dataclass(frozen=True, slots=True)
class BusyFigures:
    """Medians of one competitor: tokens a second over all texts, and milliseconds for one passage alone."""

    name: str
    note: str
    rest_tokens_per_second: float
    busy_tokens_per_second: float
    rest_text_ms: float
    busy_text_ms: float

    @property
    def kept(self) -> float:
        """The part of its speed at rest that it has on the busy machine."""
        return self.busy_tokens_per_second / self.rest_tokens_per_second


@contextmanager
def busy_processes(count: int) -> Iterator[list[int]]:
    """So many processes that compute while the block runs; gives their ids."""
    spinning: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            command = [sys.executable, "-I", "-S", "-c", SPIN, str(os.getpid())]
            spinning.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        for process in spinning:
            assert process.stdout is not None
            process.stdout.readline()
        yield [process.pid for process in spinning]
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.communicate()


def measure_busy(
    competitors: Sequence[Competitor],
    texts: Sequence[str],
    alone: str,
    tokens: int,
    rounds: int,
    processes: int,
    beside: Callable[[int], AbstractContextManager[object]] = busy_processes,
) -> list[BusyFigures]:
    """The figures of all competitors, in their order; `tokens` is what all texts have, `alone` the passage by itself."""
    for competitor in competitors:
        competitor.encode(texts)
        competitor.encode([alone])
    whole: dict[tuple[int, bool], list[float]] = {}
    single: dict[tuple[int, bool], list[float]] = {}
    for _ in range(rounds):
        for number, competitor in enumerate(competitors):
            for busy in (False, True):
                with beside(processes if busy else 0):
                    whole.setdefault((number, busy), []).append(seconds(competitor, texts))
                    single.setdefault((number, busy), []).extend(
                        seconds(competitor, [alone]) for _ in range(TEXTS_ALONE)
                    )
    return [
        BusyFigures(
            competitor.name,
            competitor.note,
            *(tokens / median(whole[number, busy]) for busy in (False, True)),
            *(1000 * median(single[number, busy]) for busy in (False, True)),
        )
        for number, competitor in enumerate(competitors)
    ]


def seconds(competitor: Competitor, texts: Sequence[str]) -> float:
    """Wall time of encoding the texts once, tokens included."""
    started = time.perf_counter()
    competitor.encode(texts)
    return time.perf_counter() - started


def busy_record(row: BusyFigures) -> dict[str, Any]:
    """A row as JSON."""
    return {name: getattr(row, name) for name in (*BusyFigures.__slots__, "kept")}


def show_busy(rows: Sequence[BusyFigures]) -> None:
    """The figures as a table."""
    print(f"{'':31}{'tokens/s':>10}{'busy':>8}{'kept':>7}{'one text ms':>13}{'busy':>8}")
    for row in rows:
        print(
            f"{row.name:31}{row.rest_tokens_per_second:10.0f}{row.busy_tokens_per_second:8.0f}{row.kept:7.0%}"
            f"{row.rest_text_ms:13.1f}{row.busy_text_ms:8.1f}  {row.note}"
        )
