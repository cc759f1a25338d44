"""Language models that tests talk to: one that says what it was told to, and a server that speaks OpenAI's protocol."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rag.answer.prompt import LanguageModel, Prompt


@dataclass
class Parrot:
    """A language model that says what it was told to, in pieces of a few letters, and remembers what it was asked."""

    answer: str
    context: int | None = 10_000
    piece: int = 3
    is_whole: bool = True
    name: str = "parrot"
    controls: tuple[str, ...] = ("<|end|>",)
    prompts: list[Prompt] = field(default_factory=list)

    def count_tokens(self, prompt: Prompt) -> int:
        return len(prompt.user)

    def write(self, prompt: Prompt, max_tokens: int, say: Callable[[str], None]) -> bool:  # noqa: ARG002
        self.prompts.append(prompt)
        for start in range(0, len(self.answer), self.piece):
            say(self.answer[start : start + self.piece])
        return self.is_whole


def complete(model: LanguageModel, prompt: Prompt, max_tokens: int) -> str:
    """All that a model says."""
    said: list[str] = []
    model.write(prompt, max_tokens, said.append)
    return "".join(said)


class Server(ThreadingHTTPServer):
    """A server on loopback that answers every request in one way and remembers what it was sent."""

    daemon_threads = True

    def __init__(self, reply: Callable[[Request], None]) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.reply = reply
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.leaving = False

    @property
    def spec(self) -> str:
        return f"m@http://127.0.0.1:{self.server_port}/v1"


class Request(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        with suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
            self.server.reply(self)

    def send(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for header, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(content)


def completion(text: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def events(pieces: Sequence[str], finish: str | None = "stop", *, done: bool = True) -> bytes:
    """A completion as servers stream it: an event a piece, one that says why it ended, one that ends it."""
    deltas: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": None}}]
    deltas += [{"delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    if finish:
        deltas.append({"delta": {}, "finish_reason": finish})
    lines = [json.dumps({"choices": [delta]}) for delta in deltas] + (["[DONE]"] if done else [])
    return "".join(f"data: {line}\n\n" for line in lines).encode()


EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


@contextmanager
def starting_servers() -> Iterator[Callable[[Callable[[Request], None]], Server]]:
    """What starts servers that answer in a way that it is given; they are stopped at the end."""
    servers: list[tuple[Server, Thread]] = []

    def start(reply: Callable[[Request], None]) -> Server:
        server = Server(reply)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.leaving = True
        server.shutdown()
        thread.join()
        server.server_close()
