"""What several threads ask for at one time in, one computation for all of it: what is asked meanwhile is the next.

Most of a statement over a small store is planning, which eight questions need once where they come together. Nobody waits for
others to come: who finds nobody at work begins at once, and whoever comes while that one works is served with all who do, by
the first of them.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_TOGETHER = 32  # of one computation: as many requests as a server has in work


def heard_by_all(watches: Iterable[Callable[[Item], None]]) -> Callable[[Item], None]:
    """Tells all of those who share a computation what one of them would hear."""
    everybody = list(watches)

    def hear(told: Item) -> None:
        for watch in everybody:
            watch(told)

    return hear


class Apart(Exception):
    """Raised by a computation that gains nothing by several: each of them is to have its own."""


@dataclass(eq=False)
class Asking(Generic[Item, Result]):
    """One thread's part: what it asks for, and, once it is `told`, its result, or that it is to lead, or to go alone."""

    item: Item
    told: threading.Event = field(default_factory=threading.Event)
    results: list[Result] = field(default_factory=list)  # one, or none yet
    leads: bool = False


class Together(Generic[Item, Result]):
    """Computes what threads ask for, those with the same key together. Safe from any thread.

    `compute` has one result for each item, in order, as it has for each alone. Where it fails for several, each of them is
    computed alone in its own thread: an error, and a Ctrl-C, is that of one and touches no other.
    """

    def __init__(self, compute: Callable[[Sequence[Item]], Sequence[Result]], most: int = MOST_TOGETHER) -> None:
        self.compute = compute
        self.most = most
        self._lock = threading.Lock()
        # A key is there while somebody with it is at work; those are its others, in the order in which they came.
        self._waiting: dict[Hashable, deque[Asking[Item, Result]]] = {}

    def ask(self, key: Hashable, item: Item) -> Result:
        """The result of an item, or the error that it has alone."""
        own: Asking[Item, Result] = Asking(item)
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is None:
                self._waiting[key], own.leads = deque(), True
            else:
                waiting.append(own)
        if not own.leads:
            self._wait(key, own)
        if own.leads:
            self._lead(key, own)
        return own.results[0] if own.results else self.compute([item])[0]

    def _wait(self, key: Hashable, own: Asking[Item, Result]) -> None:
        """Waits to be served or to lead; who is interrupted meanwhile leaves its place."""
        try:
            own.told.wait()
        except BaseException:
            with self._lock:
                waiting = self._waiting.get(key, deque())
                if own in waiting:
                    waiting.remove(own)
                elif own.leads:
                    self._pass_on(key)
            raise

    def _lead(self, key: Hashable, own: Asking[Item, Result]) -> None:
        """Computes for all that wait, as many as there may be; where that fails for several, none of them has a result."""
        others: list[Asking[Item, Result]] = []
        try:
            with self._lock:
                waiting = self._waiting[key]
                others += [waiting.popleft() for _ in range(min(len(waiting), self.most - 1))]
            together = [own, *others]
            try:
                results = self.compute([one.item for one in together])
            except Exception:
                if not others:
                    raise
            else:
                for one, result in zip(together, results, strict=True):
                    one.results.append(result)
        finally:
            with self._lock:
                self._pass_on(key)
            for other in others:
                other.told.set()

    def _pass_on(self, key: Hashable) -> None:
        """Lets the first one that waits lead; nobody is at work where there is none."""
        waiting = self._waiting[key]
        if waiting:
            waiting[0].leads = True
            waiting.popleft().told.set()
        else:
            del self._waiting[key]
