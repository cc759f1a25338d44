"""Pieces of work in, each through several steps out, in order: every step is a thread that has a piece of its own.

While one piece is stored the next is encoded, so that a run takes as long as its slowest step. One piece at most waits
before each step: what there is at a time does not grow with the work.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Piece = TypeVar("Piece")


class Dropped(Exception):
    """The piece that a step has is not wanted any more."""


@dataclass
class Line(Generic[Piece]):
    """Steps that change pieces, one after the other; one thread hands the pieces over and learns what failed.

    A piece whose step fails is dropped, and so are those behind it; those before it go on to the end. The threads start with
    the first piece, and end with `close` or `drop`. `on_failure` is called at once, by the thread that has failed.
    """

    steps: Sequence[Callable[[Piece], None]]
    on_failure: Callable[[], None] = lambda: None
    _state: Condition = field(default_factory=Condition)
    _waiting: list[deque[Piece]] = field(default_factory=list)  # the pieces before each step
    _at_work: set[int] = field(default_factory=set)  # the steps that have a piece
    _threads: list[Thread] = field(default_factory=list)
    _failure: BaseException | None = None
    _ended: int = 0  # steps below this one begin no piece any more
    _closed: bool = False

    def __post_init__(self) -> None:
        self._waiting = [deque() for _ in self.steps]

    def put(self, piece: Piece) -> None:
        """Hands over a piece, as soon as the first step has room. Raises what a step has raised."""
        self._start()
        with self._state:
            self._state.wait_for(lambda: self._failure is not None or not self._waiting[0])
            self._raise_failure()
            self._waiting[0].append(piece)
            self._state.notify_all()

    @property
    def is_idle(self) -> bool:
        """Whether the first step could begin with a piece now."""
        with self._state:
            return 0 not in self._at_work and not self._waiting[0]

    def wait(self) -> None:
        """Returns when all pieces have gone through all steps. Raises what a step has raised."""
        with self._state:
            self._state.wait_for(lambda: self._failure is not None or self._is_empty(range(len(self.steps))))
            self._raise_failure()

    def close(self) -> None:
        """Ends the threads when all pieces have gone through all steps."""
        with self._state:
            self._closed = True
            self._state.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads, self._closed = [], False

    def drop(self) -> None:
        """Ends the threads: the last step goes on to the end with what has reached it, the others drop what they have."""
        self._end_steps(len(self.steps) - 1, Dropped())
        self.close()

    # For the steps

    def check(self) -> None:
        """Raises Dropped where the first step's piece is not wanted any more; for one that takes long."""
        if self._ended:
            raise Dropped

    def wait_for_later(self, step: int) -> None:
        """Returns when the steps behind this one have no piece; raises Dropped where this one's is not wanted any more."""
        with self._state:
            self._state.wait_for(lambda: step < self._ended or self._is_empty(range(step + 1, len(self.steps))))
            if step < self._ended:
                raise Dropped

    def has_before(self, step: int) -> bool:
        """Whether a piece is on its way to this step, whose own one is not counted."""
        with self._state:
            return bool(self._waiting[step]) or (step > self._ended and not self._is_empty(range(step)))

    # The threads

    def _start(self) -> None:
        if not self._threads:
            # daemons, so that one that waits for a server keeps nobody from leaving
            self._threads = [
                Thread(target=self._work, args=(number,), name=f"step {number + 1}", daemon=True)
                for number in range(len(self.steps))
            ]
            for thread in self._threads:
                thread.start()

    def _work(self, number: int) -> None:
        while self._takes_one(number):
            pass

    def _takes_one(self, number: int) -> bool:
        """Does a step for the next piece, which nobody here keeps afterwards; False where there is none any more."""
        with self._state:
            self._state.wait_for(lambda: self._waiting[number] or self._is_over(number))
            if not self._waiting[number]:
                return False
            piece = self._waiting[number].popleft()
            self._at_work.add(number)
            self._state.notify_all()
        try:
            self.steps[number](piece)
        except BaseException as error:
            self._end_steps(number + 1, error)
        self._hand_on(number, piece)
        return True

    def _hand_on(self, number: int, piece: Piece) -> None:
        following = number + 1
        with self._state:
            if following < len(self.steps):
                self._state.wait_for(lambda: number < self._ended or not self._waiting[following])
                if number >= self._ended:
                    self._waiting[following].append(piece)
            self._at_work.discard(number)
            self._state.notify_all()

    def _is_over(self, number: int) -> bool:
        return number < self._ended or (self._closed and self._is_empty(range(number + 1)))

    def _is_empty(self, steps: range) -> bool:
        return not any(self._waiting[step] or step in self._at_work for step in steps)

    def _end_steps(self, ended: int, error: BaseException) -> None:
        with self._state:
            if self._failure is None:
                self._failure = error
            self._ended = max(self._ended, ended)
            for waiting in self._waiting[: self._ended]:
                waiting.clear()
            self._state.notify_all()
        if not isinstance(error, Dropped):
            self.on_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
