"""Work that may take too long in, its result out: a thread does it, so that waiting for it can end before it does."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

HELPERS = threading.local()  # `working` in the threads that do nothing but our statements


class NoAnswerInTime(Exception):
    """A call took longer than it may."""


def in_helper_thread(work: Callable[[], Result], limit: float | None) -> Result:
    """Waits for a thread doing `work`: waiting can be interrupted and can end, a running statement can not.

    Raises NoAnswerInTime where it is not done at `limit`, a time of the monotonic clock; the thread is left to itself.
    A thread that is kept for the next statement would save 0.4 ms, and can crash the interpreter when it ends.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        HELPERS.working = True
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True, name="statement")
    thread.start()
    thread.join(None if limit is None else max(0.0, limit - time.monotonic()))
    if failure:
        raise failure[0]
    if not outcome:
        raise NoAnswerInTime
    return outcome[0]
