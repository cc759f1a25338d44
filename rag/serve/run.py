"""The one door to the web server: an application in, requests served until the process is told to end.

On SIGTERM and Ctrl-C no new request is taken, and those that are in work are finished; at a second signal they are not.
"""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from sql.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

MOST_CONNECTIONS = 1_000  # at a time; one more gets 503
BACKLOG = 512


class Server(uvicorn.Server):
    """A web server that ends well when it is told to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """While it lasts, signals end the server, and nothing else hears of them. Only a main thread hears of any."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is called with
        """Ends the server when what it does is done; at the second time at once."""
        self.force_exit, self.should_exit = self.should_exit, True


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; UsageError where there is none to be had. Port 0 takes one that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol has to be named: asyncio turns the delay of small packets off for TCP alone, and 40 ms would be waited.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"--host {host} --port {port}: cannot listen there ({reason}): choose another --port"
        ) from error
    return listener


def make_server(app: Any, seconds: float) -> Server:
    """A server of an application, whose requests have `seconds` to end when it is told to."""
    config = uvicorn.Config(
        app,
        log_config=None,  # the application writes its own lines
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(seconds) + 1,
    )
    return Server(config)
