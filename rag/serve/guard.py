"""What stands before every route: who may come in, how much they may bring, and what every answer has on it.

It is ASGI without a framework. A request that is refused gets one sentence and reaches nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import time
import traceback
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rag.serve.limits import LARGEST_BODY, Refused
from rag.serve.telemetry import Served
from sql.base import tracing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from rag.serve.telemetry import Telemetry

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

BODY_SECONDS = 30.0  # that a client may take to send its request
REQUEST_ID = re.compile(r"[\w.-]{1,64}")
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::\d{1,5})?", re.ASCII)
METHODS = frozenset({"GET", "POST"})  # of which there are routes; figures name no others
OPEN_PATHS = frozenset({"/", "/healthz"})  # what needs no token: they show nothing of the store
OPEN_FOLDER = "/page/"  # the files of the page, likewise
# Trusted types: no text can become HTML in the page, whatever a document holds.
HTML_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in: the token, the names that the server is called by, and the origins of pages that may use it.

    A page of another site can have its own name point to this machine, so names that are not known are refused; of a
    number there is no such trick.
    """

    host: str = "127.0.0.1"
    token: str | None = field(default=None, repr=False)
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def knows_host(self, given: str) -> bool:
        """Whether a Host header names this server."""
        match = HOST.fullmatch(given)
        if match is None:
            return False
        name = match["name"].lower().strip("[]")
        if name in self.hosts or name in {self.host.lower(), "localhost"}:
            return True
        return is_loopback(name) if is_loopback(self.host) else is_address(name)

    def knows_origin(self, origin: str, host: str) -> bool:
        """Whether a page may send requests: one of this server, or of an origin that was allowed."""
        scheme, _, place = origin.partition("://")
        return origin in self.origins or (scheme in {"http", "https"} and place.lower() == host.lower())

    def knows_token(self, authorization: str) -> bool:
        """Whether the token is the right one, in a time that does not depend on how much of it is right."""
        if self.token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode())


def is_address(name: str) -> bool:
    """Whether a name is a number of IPv4 or IPv6."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether a name is this machine's alone."""
    return name.lower() == "localhost" or (is_address(name) and ipaddress.ip_address(name).is_loopback)


@dataclass
class Guard:
    """An ASGI application around another one. `show` is given the traceback of what should not have happened."""

    app: App
    access: Access
    telemetry: Telemetry
    body_bytes: int = LARGEST_BODY
    show: Callable[[str], None] = lambda trace: None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "there are no web sockets here"})

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with tracing.request(headers) as span:
            await self._answer(scope, receive, send, headers, span)

    async def _answer(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, headers: Mapping[str, str], span: Any
    ) -> None:
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = request_id_of(headers)
        started, answer = time.monotonic(), Answer(send, request_id)
        try:
            self._check(scope["path"], headers)
            body = await self._body(headers, receive)
            await self.app(scope, replayed(body, receive), answer.send)
        except Refused as refused:
            await answer.refuse(refused)
        except Exception as error:
            self.show(traceback.format_exc())
            state["error"] = type(error).__name__
            if not answer.status:
                await answer.refuse(failure_of(error, request_id))
            elif not answer.is_whole:
                raise  # the connection is cut, so that nobody takes half of an answer for all of it
        finally:
            served = Served(
                request_id,
                scope["method"] if scope["method"] in METHODS else "other",
                getattr(scope.get("route"), "path", "other"),
                answer.status or 499,  # the client has gone before there was an answer
                time.monotonic() - started,
                state.get("question"),
                state.get("error") or answer.refused,
            )
            self.telemetry.served(served, span)

    def _check(self, path: str, headers: Mapping[str, str]) -> None:
        """Raises Refused for a request that may not come in."""
        host = headers.get("host", "")
        if not self.access.knows_host(host):
            raise Refused(
                421, f"this server is not called {host!r:.100}: start it with --allow-host NAME", "unknown-host"
            )
        origin = headers.get("origin")
        if origin is not None and not self.access.knows_origin(origin, host):
            raise Refused(
                403,
                f"pages of {origin!r:.100} may not use this server: start it with --allow-origin URL",
                "unknown-origin",
            )
        is_open = path in OPEN_PATHS or path.startswith(OPEN_FOLDER)
        if not is_open and not self.access.knows_token(headers.get("authorization", "")):
            raise Refused(401, "this server wants its token: send the header `Authorization: Bearer TOKEN`", "no-token")

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """All of a request's body; Refused for one that is too large or too slow."""
        told = headers.get("content-length", "0")
        if not told.isascii() or not told.isdigit() or int(told[:20]) > self.body_bytes:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self.body_bytes:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise Refused(408, f"the request did not arrive within {BODY_SECONDS:g} s", "slow-request") from error

    def _too_large(self) -> Refused:
        return Refused(
            413, f"the request is larger than the {self.body_bytes:,} bytes it may have: send less", "too-large"
        )


def request_id_of(headers: Mapping[str, str]) -> str:
    """The name of a request: the one that the client gives it, or a new one."""
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def replayed(body: bytes, receive: Receive) -> Receive:
    """What an application receives: the body that was read already, and then whatever comes."""
    read = False

    async def again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


@dataclass
class Answer:
    """What is sent back, with the headers that every answer has."""

    to: Send
    request_id: str
    status: int = 0
    is_whole: bool = False
    refused: str | None = None

    async def send(self, message: Message) -> None:
        """Sends a message of the application's."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), *HEADERS, (b"x-request-id", self.request_id.encode())]
            if any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers):
                headers.append((b"content-security-policy", HTML_POLICY.encode()))
            message = {**message, "headers": headers}
        elif not message.get("more_body", False):
            self.is_whole = True
        await self.to(message)

    async def refuse(self, refused: Refused) -> None:
        """Sends one sentence."""
        self.refused = refused.code
        body = json.dumps(error_record(refused)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": refused.status, "headers": headers + extra(refused)})
        await self.send({"type": "http.response.body", "body": body})


def failure_of(error: Exception, request_id: str) -> Refused:
    """What a client is told of an error that should not have happened: nothing but where to look for it."""
    return Refused(
        500, f"the server failed ({type(error).__name__}): its log has this request as {request_id}", "internal"
    )


def extra(refused: Refused) -> list[tuple[bytes, bytes]]:
    """What HTTP wants beside some of the statuses."""
    if refused.status == 401:
        return [(b"www-authenticate", b"Bearer")]
    return [(b"retry-after", b"1")] if refused.status in {429, 503} else []


TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def error_record(refused: Refused, parameter: str | None = None) -> dict[str, Any]:
    """An error in the form that OpenAI's clients know."""
    kind = TYPES.get(refused.status, "server_error" if refused.status >= 500 else "invalid_request_error")
    return {"error": {"message": str(refused), "type": kind, "code": refused.code, "param": parameter}}
