"""Requests in, threads for them out: a bounded number at a time, a bounded number behind them, and an end to waiting."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from rag.serve.limits import Refused
from sql.base.tracing import carried

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from rag.serve.limits import Limits

Result = TypeVar("Result")
Item = TypeVar("Item")

END = object()  # of a stream


class Workbench:
    """Where requests are worked on. Used from the event loop's thread."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._threads = ThreadPoolExecutor(limits.at_once, thread_name_prefix="request")
        self._guard = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many requests are in work or waiting."""
        return self._taken

    async def run(self, call: Callable[[], Result]) -> Result:
        """What a call returns, or raises; Refused where too many wait, or it takes too long.

        A call that takes too long goes on in its thread, whose place stays taken; one that waits is forgotten.
        """
        job = self._admit(call)
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.wrap_future(job)
        except TimeoutError as error:
            raise self._too_slow() from error

    async def stream(self, make: Callable[[], Iterator[Item]]) -> AsyncGenerator[Item]:
        """The items of an iterator that runs in a thread, as they come; it is closed when nobody listens any more.

        Refused as above, where the time is that of the whole.
        """
        loop, arrived = asyncio.get_running_loop(), asyncio.Queue[Any]()
        left = threading.Event()

        def tell(item: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived.put_nowait, item)

        def work() -> None:
            try:
                for item in make():
                    if left.is_set():
                        break
                    tell(item)
                tell(END)
            except BaseException as error:  # raised again where the items are awaited
                tell(error)

        job, until = self._admit(work), loop.time() + self.limits.seconds
        try:
            while (item := await next_of(arrived, until)) is not END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        except TimeoutError as error:
            raise self._too_slow() from error
        finally:
            left.set()
            job.cancel()

    def _admit(self, call: Callable[[], Result]) -> Any:
        with self._guard:
            if self._taken >= self.limits.at_once + self.limits.waiting:
                raise Refused(
                    429, f"{self._taken} requests are in work or waiting, the most there may be: try again", "busy"
                )
            self._taken += 1
        job = self._threads.submit(carried(call))
        job.add_done_callback(self._leave)
        return job

    def _leave(self, job: object) -> None:  # noqa: ARG002 - what a callback is given
        with self._guard:
            self._taken -= 1

    def _too_slow(self) -> Refused:
        return Refused(503, f"there was no answer within {self.limits.seconds:g} s: try again, or ask for less", "slow")

    def close(self) -> None:
        """Waits for what is in work; nothing else is begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)


async def next_of(arrived: asyncio.Queue[Any], until: float) -> Any:
    """What comes next; TimeoutError where nothing is there at that time of the loop.

    What is there already is for a client that reads slowly too. No timeout is around the `yield` of a stream: it would
    cancel whoever is reading.
    """
    if not arrived.empty():
        return arrived.get_nowait()
    return await asyncio.wait_for(arrived.get(), until - asyncio.get_running_loop().time())
