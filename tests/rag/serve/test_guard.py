"""Who may come in: hosts, origins, tokens and sizes, tried on an application that only says that it was reached."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from rag.serve.guard import Access, Guard, is_loopback
from rag.serve.telemetry import Telemetry

HERE = "127.0.0.1:8000"


@dataclass
class Reached:
    """An application; it keeps the bodies that it gets."""

    bodies: list[bytes] = field(default_factory=list)
    kind: bytes = b"text/plain"

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", self.kind)]})
        await send({"type": "http.response.body", "body": b"reached"})


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def sentence(self) -> str:
        return str(json.loads(self.body)["error"]["message"])


def request(
    app: Any, access: Access, headers: dict[str, str], path: str = "/v1/ask", pieces: tuple[bytes, ...] = (b"",)
) -> Got:
    """What comes back through a guard for one request."""
    guard = Guard(app, access, Telemetry(lambda line: None), body_bytes=10)
    sent: list[Any] = []
    coming = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    ]

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(guard(scope, receive, send))
    start, *bodies = sent
    found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Got(start["status"], found, b"".join(one["body"] for one in bodies))


LOCAL, OPEN = Access(), Access("0.0.0.0", "secret", frozenset({"docs.example"}), frozenset({"https://app.example"}))  # noqa: S104
TOKEN = {"authorization": "Bearer secret"}
COMING_IN: list[tuple[Access, dict[str, str], int]] = [
    (LOCAL, {"host": HERE}, 200),
    (LOCAL, {"host": "localhost"}, 200),
    (LOCAL, {"host": "[::1]:8000"}, 200),
    (LOCAL, {"host": "evil.example"}, 421),
    (LOCAL, {"host": "127.0.0.1.evil.example"}, 421),
    (LOCAL, {"host": "10.0.0.1"}, 421),
    (LOCAL, {"host": "localhost@evil.example"}, 421),
    (LOCAL, {}, 421),
    (LOCAL, {"host": HERE, "origin": f"http://{HERE}"}, 200),
    (LOCAL, {"host": HERE, "origin": "http://127.0.0.1:9000"}, 403),
    (LOCAL, {"host": HERE, "origin": "https://evil.example"}, 403),
    (LOCAL, {"host": HERE, "origin": "null"}, 403),
    (OPEN, {"host": "192.168.1.7:8000"} | TOKEN, 200),
    (OPEN, {"host": "DOCS.example"} | TOKEN, 200),
    (OPEN, {"host": "evil.example"} | TOKEN, 421),
    (OPEN, {"host": "docs.example", "origin": "https://app.example"} | TOKEN, 200),
    (OPEN, {"host": "docs.example", "origin": "https://app.example.evil"} | TOKEN, 403),
    (OPEN, {"host": "docs.example"}, 401),
    (OPEN, {"host": "docs.example", "authorization": "Bearer secre"}, 401),
    (OPEN, {"host": "docs.example", "authorization": "Bearer secrets"}, 401),
    (OPEN, {"host": "docs.example", "authorization": "Basic secret"}, 401),
    (OPEN, {"host": "docs.example", "authorization": "bearer secret"}, 200),
    (OPEN, {"host": "docs.example", "authorization": "Bearer \u00e9"}, 401),
]


@pytest.mark.parametrize(("access", "headers", "status"), COMING_IN)
def test_only_known_hosts_origins_and_tokens_come_in(access: Access, headers: dict[str, str], status: int) -> None:
    app = Reached()
    got = request(app, access, headers)
    assert got.status == status
    assert len(app.bodies) == (status == 200)
    if status != 200:
        assert got.sentence
        assert "secret" not in got.sentence


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/healthz", 200), ("/page/page.css", 200), ("/page", 401), ("/pages", 401), ("/v1/store", 401)],
)
def test_the_page_and_the_health_need_no_token_and_all_else_does(path: str, status: int) -> None:
    assert request(Reached(), OPEN, {"host": "docs.example"}, path).status == status


def test_who_has_no_token_is_told_which_header_to_send() -> None:
    got = request(Reached(), OPEN, {"host": "docs.example"})
    assert got.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer TOKEN" in got.sentence


@pytest.mark.parametrize(
    ("told", "pieces", "status"),
    [
        ("10", (b"0123456789",), 200),
        (None, (b"01234", b"56789"), 200),
        ("11", (b"",), 413),
        ("9" * 5_000, (b"",), 413),
        ("-1", (b"",), 413),
        ("5", (b"01234", b"567890"), 413),
        (None, (b"0123456789", b"x"), 413),
    ],
)
def test_a_body_is_read_up_to_its_limit_whatever_is_told_of_it(told: str | None, pieces: Any, status: int) -> None:
    app = Reached()
    headers = {"host": HERE} | ({} if told is None else {"content-length": told})
    got = request(app, LOCAL, headers, pieces=pieces)
    assert got.status == status
    assert app.bodies == ([b"".join(pieces)] if status == 200 else [])


def test_html_alone_has_a_policy_and_every_answer_the_other_headers() -> None:
    page, text = (
        request(Reached(kind=kind), LOCAL, {"host": HERE}) for kind in (b"text/html; charset=utf-8", b"text/plain")
    )
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "content-security-policy" not in text.headers
    for got in (page, text, request(Reached(), LOCAL, {"host": "evil.example"})):
        assert (got.headers["x-content-type-options"], got.headers["cache-control"]) == ("nosniff", "no-store")
        assert len(got.headers["x-request-id"]) == 32


def test_a_web_socket_is_refused() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(Reached(), LOCAL, Telemetry(lambda line: None))({"type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_loopback_is_this_machine_and_nothing_that_only_begins_like_it() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "127.0.0.1.example", "localhost.example", "10.0.0.1", "")))  # noqa: S104
