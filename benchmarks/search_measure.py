"""What every measurement of a search shares: what is right, a way to search and its settings, times, sizes, turns.

A *system* is a generator function of (folder of the data, folder to write in, rows): it builds its index, yields what it
`Built`, and clears up when it is continued. A *way* searches in it, with a setting that trades time for recall where it
has one. Of the settings of a way those are timed that are the first to reach a recall in TARGETS, or the best where none
does.

Each system lives in a process of its own. When all are built they are timed in turn, some rounds of one after another, so
that load on the machine falls on all of them alike. On a busy machine the CPU time of all threads says more than the
clock.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from search_data import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection

K = 10
QUERIES = 40  # timed
JUDGED = 100  # asked once for the recall: 0.001 is one neighbour missed
ROUNDS = 3
TARGETS = (0.98, 0.99, 0.995)


@dataclass(frozen=True)
class Way:
    """One way to search: the ids of the K nearest of a query, float32 (dimensions,), best first.

    settings: from cheap to thorough, `None` alone where there is nothing to set; label: their name.
    """

    name: str
    search: Callable[[np.ndarray, Any], list[int]]
    settings: tuple[Any, ...] = (None,)
    label: str = ""


@dataclass(frozen=True)
class Built:
    """A system that can be asked: its ways, how long it took to build (elapsed and CPU seconds), its bytes on disk."""

    ways: list[Way]
    seconds: float
    cpu_seconds: float
    bytes: int


@dataclass
class Point:
    """A way at one setting: recall@10 against float32 and, a round each, the median milliseconds of a query."""

    name: str
    recall: float
    reaches: list[float]
    build: float
    build_cpu: float
    bytes: int
    mib: float
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return asdict(self) | {"ms": min(self.walls, default=0.0), "cpu_ms": min(self.cpus, default=0.0)}


System = "Callable[[Path, Path, int], Iterator[Built]]"


# What is right


def truth(folder: Path, rows: int) -> np.ndarray:
    """The ten nearest rows of each judged query by float32, int64 (queries, K)."""
    path = folder / f"truth-{rows}-{JUDGED}.npy"
    if not path.exists():
        queries, vectors = np.load(folder / "queries.npy")[:JUDGED], read_rows(folder, rows)
        parts = [queries @ vectors[first : first + 50_000].T for first in range(0, rows, 50_000)]
        np.save(path, np.argsort(-np.concatenate(parts, axis=1), axis=1)[:, :K])
    return np.load(path)


def recall(way: Way, setting: Any, queries: np.ndarray, right: np.ndarray) -> float:
    """The share of the true ten that a way finds, over all queries."""
    found = [
        len(set(way.search(query, setting)) & set(ids.tolist())) for query, ids in zip(queries, right, strict=True)
    ]
    return sum(found) / right.size


def chosen_settings(recalls: Mapping[Any, float]) -> dict[Any, list[float]]:
    """Of settings with their recall, from cheap to thorough: those to time, with the targets that each is first to reach.

    Where no setting reaches a target the best one is among them, with no target.
    """
    chosen: dict[Any, list[float]] = {}
    for target in TARGETS:
        reaching = [setting for setting, share in recalls.items() if share >= target]
        if reaching:
            chosen.setdefault(reaching[0], []).append(target)
        else:
            chosen.setdefault(max(recalls, key=lambda setting: recalls[setting]), [])
    return chosen


def judged(way: Way, queries: np.ndarray, right: np.ndarray) -> dict[Any, float]:
    """The recall of each setting up to the first that reaches every target."""
    recalls: dict[Any, float] = {}
    for setting in way.settings:
        recalls[setting] = recall(way, setting, queries, right)
        if recalls[setting] >= TARGETS[-1]:
            break
    return recalls


# What it costs


def median_milliseconds(way: Way, setting: Any, queries: np.ndarray) -> tuple[float, float]:
    """The median elapsed and CPU time of a query in one round, after a few that warm up."""
    for query in queries[:3]:
        way.search(query, setting)
    wall, cpu = [], []
    for query in queries:
        started, used = time.perf_counter(), time.process_time()
        way.search(query, setting)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return 1000 * float(np.median(wall)), 1000 * float(np.median(cpu))


def own_mib() -> float:
    """Memory of this process that no file backs: the vectors that a build reads are mapped and not counted."""
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) / 1024


def size_of(path: Path) -> int:
    """Bytes below a folder, or of a file."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


class Stopwatch:
    """Elapsed and CPU seconds since it was made."""

    def __init__(self) -> None:
        self.started, self.used = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Both."""
        return time.perf_counter() - self.started, time.process_time() - self.used


# Turns


def in_turn(
    systems: Mapping[str, Any], folder: Path, rows: int, rounds: int = ROUNDS
) -> Iterator[tuple[str, list[Point]]]:
    """Builds every system in a process of its own, one after another, and times them in turn; yields each one's points.

    A system that fails says why on standard error and is left out.
    """
    truth(folder, rows)
    spawn = multiprocessing.get_context("spawn")
    workers: dict[str, Connection] = {}
    points: dict[str, list[Point]] = {}
    processes = []
    for name, system in systems.items():
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=work, args=(system, folder, folder / f"scratch-{name}", rows, theirs))
        process.start()
        theirs.close()
        processes.append(process)
        try:
            points[name], workers[name] = ours.recv(), ours
        except EOFError:
            print(f"{name}: left out")
            continue
        for point in points[name]:
            print(f"{point.name}: recall {point.recall:.4f}, built in {point.build:.1f} s", flush=True)
    for number in range(rounds):
        for name, worker in workers.items():
            worker.send(number)
            for point, (wall, cpu) in zip(points[name], worker.recv(), strict=True):
                point.walls.append(wall)
                point.cpus.append(cpu)
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", flush=True)
    for worker in workers.values():
        worker.close()
    for process in processes:
        process.join()
    yield from points.items()


def work(system: Any, folder: Path, scratch: Path, rows: int, asked: Connection) -> None:
    """A process of one system: builds it, sends its points, and times them whenever it is asked, until nobody can ask."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        for built in system(folder, scratch, rows):
            points, timed = points_of(built, folder, rows)
            asked.send(points)
            queries = np.load(folder / "queries.npy")[:QUERIES]
            while True:
                try:
                    asked.recv()
                except EOFError:
                    break
                asked.send([median_milliseconds(way, setting, queries) for way, setting in timed])
    except Exception:
        traceback.print_exc()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def points_of(built: Built, folder: Path, rows: int) -> tuple[list[Point], list[tuple[Way, Any]]]:
    """What is to be timed of a system, with its recall."""
    queries, right = np.load(folder / "queries.npy")[:JUDGED], truth(folder, rows)
    points, timed = [], []
    for way in built.ways:
        recalls = judged(way, queries, right)
        for setting, reaches in chosen_settings(recalls).items():
            name = way.name if setting is None else f"{way.name}, {way.label} {setting}"
            points.append(
                Point(name, recalls[setting], reaches, built.seconds, built.cpu_seconds, built.bytes, own_mib())
            )
            timed.append((way, setting))
    return points, timed
