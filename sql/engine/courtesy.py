"""When work that can wait makes room for readers: for the first seconds of each, and for a third of the time at most.

A process that answers for others while it ingests keeps all processors busy. A person who asks needs them for a second or
two, to start a program and to encode a question; the ingest has hours. So it stops between two batches while somebody
has just come. How long readers can make it wait is bounded, whatever they do: what was waited is paid back by work.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS_FOR_EACH = 3.0  # from when a reader comes; an answer takes less than two of them on two processors
MOST_AT_ONCE = 6.0  # seconds, when nobody has been waited for in a while
PAID_BACK = 0.5  # seconds of waiting that a second of work earns


@dataclass
class Credit:
    """How many seconds may be waited: what work has earned and waiting has not used yet."""

    seconds: float = MOST_AT_ONCE
    _at: float | None = None

    def at(self, now: float, *, waiting: bool) -> float:
        """What there is now; since the last call the process has waited, or worked."""
        passed = 0.0 if self._at is None else now - self._at
        self.seconds = min(MOST_AT_ONCE, self.seconds + (-passed if waiting else PAID_BACK * passed))
        self._at = now
        return self.seconds


@dataclass
class Courtesy:
    """Who has come when, and how long may still be waited. Safe from any thread."""

    clock: Callable[[], float] = time.monotonic
    _since: dict[object, float] = field(default_factory=dict)
    _credit: Credit = field(default_factory=Credit)
    _waiting: int = 0  # threads; several at a time wait together
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def arrive(self, reader: object) -> None:
        """A reader has come."""
        with self._changed:
            self._since[reader] = self.clock()

    def leave(self, reader: object) -> None:
        """A reader has gone."""
        with self._changed:
            self._since.pop(reader, None)
            self._changed.notify_all()

    def give_way(self) -> None:
        """Waits until those who have just come have gone, or have had their time."""
        with self._changed:
            while (seconds := self._seconds()) > 0:
                self._waiting += 1
                try:
                    self._changed.wait(seconds)
                finally:
                    self._seconds()
                    self._waiting -= 1

    def seconds(self) -> float:
        """How long is to be waited from now on; nothing mostly."""
        with self._changed:
            return max(0.0, self._seconds())

    def _seconds(self) -> float:
        now = self.clock()
        until = max((since + SECONDS_FOR_EACH for since in self._since.values()), default=now)
        return min(until - now, self._credit.at(now, waiting=self._waiting > 0))
