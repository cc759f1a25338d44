"""`serve` and `mcp`: the store answers over HTTP, or to the program that has started it."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rag.commands.ask import open_library
from sql.base.errors import EXIT_INTERRUPTED, EXIT_OK, UsageError
from sql.base.paths import expand_user
from sql.base.settings import read_settings
from sql.base.terminal import leave_now, note

if TYPE_CHECKING:
    from argparse import Namespace
    from types import FrameType
    from typing import NoReturn

    from rag.library import Library
    from rag.serve.telemetry import Telemetry

NEEDED = ("fastapi", "uvicorn", "prometheus_client", "mcp")
LONGEST_TOKEN_FILE = 10_000  # bytes


def serve(options: Namespace) -> int:
    """Answers questions over HTTP until it is stopped: REST, OpenAI's API, and the Model Context Protocol."""
    require_extra("serve")
    from rag.serve.app import Service, make_app
    from rag.serve.guard import Access, is_loopback
    from rag.serve.limits import Limits
    from rag.serve.run import listen, make_server
    from rag.serve.telemetry import Telemetry

    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port {options.port}: a port is a number from 0, for any that is free, to 65535")
    token = read_token(options.token)
    if token is None and not is_loopback(options.host):
        raise UsageError(
            f"--host {options.host} can be reached from elsewhere: set a token that clients must send, with "
            "RAG_TOKEN or --token @FILE"
        )
    limits = Limits()
    telemetry = Telemetry(note, log_texts=options.log_texts)
    access = Access(
        options.host,
        token,
        frozenset(name.lower() for name in options.allow_host or []),
        frozenset(origin.rstrip("/") for origin in options.allow_origin or []),
    )
    reopen = partial(open_shared, options, telemetry)
    with (
        listen(options.host, options.port) as listener,
        Service(reopen(), limits, telemetry, options.allow_sql, reopen) as service,
    ):
        app = make_app(service, access, note if options.debug else lambda trace: None)
        port = listener.getsockname()[1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        ready = {
            "level": "info",
            "listening": f"http://{host}:{port}",
            "store": str(service.library.store.client.location),
        }
        note(json.dumps(ready))  # the address takes connections already
        server = make_server(app, limits.seconds)
        server.run(sockets=[listener])
        if server.force_exit:
            leave_now(EXIT_INTERRUPTED)  # without waiting for the threads of requests
    return EXIT_OK


def serve_protocol(options: Namespace) -> int:
    """Answers the program that started it over stdin and stdout, using the Model Context Protocol."""
    require_extra("mcp")
    from rag.serve.limits import Limits
    from rag.serve.model_context import make_server, over_stdio
    from rag.serve.work import Workbench

    async def answer(library: Library) -> None:
        bench = Workbench(Limits())
        await over_stdio(make_server(lambda: library, bench.run, allow_sql=options.allow_sql))

    # With Python's own handler asyncio would end its tasks first, one of which waits for stdin in a thread.
    signal.signal(signal.SIGINT, raise_interrupted)
    with open_library(options, yields=True) as library:
        asyncio.run(answer(library))
    return EXIT_OK


def raise_interrupted(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler is called with
    """The handler of Ctrl-C."""
    raise KeyboardInterrupt


def require_extra(command: str) -> None:
    """Raises UsageError where the libraries of servers are not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"`python -m rag {command}` needs the extra `serve` ({', '.join(missing)} missing): "
            'install it with `pip install "int8-rag[serve]"`'
        )


def read_token(given: str | None) -> str | None:
    """The token of --token or RAG_TOKEN, or of the file that one of them names behind @; None where neither is set."""
    text = given if given is not None else read_settings().token
    if text is None:
        return None
    if text.startswith("@"):
        path = expand_user(text[1:], "--token")
        try:
            with path.open("rb") as file:
                text = file.read(LONGEST_TOKEN_FILE).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it holds more than ASCII"
            raise UsageError(f"--token @{path}: the file cannot be read ({reason})") from error
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError("--token: a token has one or more visible ASCII characters, and no spaces")
    return text


def open_shared(options: Namespace, telemetry: Telemetry) -> Library:
    """The store named on the command line, for reading, with an encoder that computes for all threads at once."""
    from rag.serve.batching import shared

    library = open_library(options, yields=True)
    try:
        encoder = library.document_encoder()  # that of many texts: it is loaded once and asked often
        encoder.make_kernel_ahead()
        batched = shared(encoder, telemetry.batch)
        return replace(library, source=lambda: batched, _encoder=None)
    except BaseException:
        library.close()
        raise
