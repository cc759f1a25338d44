"""A server that runs in a thread of the tests' process, on a free port of this machine."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx2

from rag.serve.app import Service, make_app
from rag.serve.batching import shared
from rag.serve.guard import Access
from rag.serve.limits import Limits
from rag.serve.run import Server, listen, make_server
from rag.serve.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.library import Library


@dataclass
class Running:
    """A server at work, and what is behind it."""

    url: str
    library: Library
    server: Server
    service: Service
    folder: Path
    lines: list[str] = field(default_factory=list)

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=30)


@contextmanager
def serving(
    library: Library, folder: Path, access: Access | None = None, *, allow_sql: bool = True
) -> Iterator[Running]:
    """A server over a library for as long as the block lasts."""
    lines: list[str] = []
    telemetry = Telemetry(lines.append, log_texts=True)
    batched = shared(library.encoder, telemetry.batch)
    served = replace(library, source=lambda: batched, _encoder=None)
    service = Service(served, Limits(at_once=4, waiting=60), telemetry, allow_sql=allow_sql)
    with listen("127.0.0.1", 0) as listener:
        server = make_server(make_app(service, access or Access(), lines.append), seconds=10)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield Running(url, library, server, service, folder, lines)
        finally:
            server.should_exit = True
            thread.join()
            batched.close()
