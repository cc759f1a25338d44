"""Independent pieces of work in, their results out as they are done: some threads, each of which takes the next piece.

A thread that gets less of the machine takes fewer pieces. None waits for another, so a busy machine costs what its other
work takes and no more.
"""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from sql.base.tracing import carried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MOST_THREADS = 16  # searches at one time: they wait for each other's statements for the most part


def side_by_side(
    compute: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    receive: Callable[[Piece, Result], None],
    threads: int,
    prepare: Callable[[], AbstractContextManager[None]],
) -> None:
    """Calls `compute` for each piece in one of `threads` threads, and `receive` with each result in the calling one.

    `prepare` is entered once in each thread. The threads live as long as the call, so that nothing outlives a fork. The
    first exception, of either function or an interrupt, ends the work and is raised when no thread runs any more.
    """
    waiting, done = deque(pieces), SimpleQueue[Any]()
    expected = len(waiting)

    def work() -> None:
        try:
            with prepare():
                for piece in taken_from(waiting):
                    done.put((piece, compute(piece), None))
        except BaseException as error:
            done.put((None, None, error))

    workers = [Thread(target=work, name=f"batches-{number}") for number in range(threads)]
    try:
        for worker in workers:
            worker.start()
        for _ in range(expected):
            piece, result, error = done.get()
            if error is not None:
                raise error
            receive(piece, result)
    finally:
        waiting.clear()
        for worker in workers:
            if worker.ident is not None:
                worker.join()


def at_one_time(
    compute: Callable[[Piece], Result], pieces: Sequence[Piece], threads: int = MOST_THREADS
) -> list[Result]:
    """What `compute` returns for each piece, in their order, by several threads; the first exception is raised.

    >>> at_one_time(len, ["a", "bcd", "ef"])
    [1, 3, 2]
    """
    calls = [carried(partial(compute, piece)) for piece in pieces]
    threads = min(threads, len(calls))
    if threads < 2:
        return [call() for call in calls]
    found: dict[int, Result] = {}
    side_by_side(lambda number: calls[number](), range(len(calls)), found.__setitem__, threads, nullcontext)
    return [found[number] for number in range(len(calls))]


def taken_from(waiting: deque[Piece]) -> Iterator[Piece]:
    """Pieces until there are none left; other threads take from the same."""
    while True:
        try:
            piece = waiting.popleft()
        except IndexError:
            return
        yield piece
