"""The one door to the web framework: routes, each of which takes a body that is checked and returns what the library says."""

# No `from __future__ import annotations`: the framework reads the annotations of routes when they are made.

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, TypeVar

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.routing import Route

from rag.library import Library
from rag.serve import answers, replies, views
from rag.serve.batching import SharedEncoder
from rag.serve.bodies import (
    AskBody,
    ChatBody,
    EmbeddingsBody,
    Kept,
    KeptOne,
    Listing,
    Measure,
    Picture,
    PlacedSpan,
    SearchBody,
)
from rag.serve.chat import MODEL, Completion, models, named_event
from rag.serve.guard import Access, Guard, error_record, extra, failure_of
from rag.serve.limits import Limits, Refused, refusal_of
from rag.serve.model_context import make_server, over_http
from rag.serve.page_files import PAGE, page_files
from rag.serve.sql_rows import ANSWERS, HITS, MEDIA_TYPE, Dictionary, rows_of
from rag.serve.telemetry import CONTENT_TYPE, Telemetry
from rag.serve.tools import plain, sentence_of
from rag.serve.work import Workbench
from sql.base.errors import RagError, StoreReplaced, UsageError
from sql.base.options import program_version

Result = TypeVar("Result")

HEALTH_SECONDS = 10.0  # that the store may take to be read
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": replies.ErrorReply, "description": text}
    for status, text in (
        (401, "the token is missing or wrong"),
        (413, "the request is too large"),
        (422, "something in the request is not as it should be"),
        (429, "too many requests are in work or waiting"),
        (503, "the store or a model cannot be used now, or there was no answer in time"),
    )
}

KEYS = {"requestBody": {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}},
    409: {"model": replies.ErrorReply, "description": "the file is not the one that was stored"},
}


@dataclass
class Service:
    """What all routes share: the library, the threads it works in, and what is told of it.

    `reopen` opens the library anew where another store has taken the place of its own.
    """

    library: Library
    limits: Limits
    telemetry: Telemetry
    allow_sql: bool = False
    reopen: Callable[[], Library] | None = None
    started: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.bench = Workbench(self.limits)
        # Looked up once: the library waits with it while it loads a language model.
        self.encoder = self.library.encoder
        self.measuring = threading.Lock()
        self._renewing = threading.Lock()
        self.telemetry.watch_work(lambda: float(self.bench.taken))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.library.close()

    async def run(self, call: Callable[[], Any]) -> Any:
        """What a call of the library returns, in a thread; Refused for what it cannot do."""
        return await self.fresh(lambda: self.bench.run(call))

    async def fresh(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """What an attempt to read the store returns, tried again with the store that has taken its place, if one has.

        Refused for what the library cannot do.
        """
        library = self.library
        try:
            try:
                return await attempt()
            except Refused:
                raise
            except Exception as error:
                if not await asyncio.to_thread(self._renew, library, error):
                    raise
            return await attempt()
        except RagError as error:
            raise refusal_of(error) from error

    def _renew(self, failed: Library, error: Exception) -> bool:
        """Whether there is another library now than the one with which something has failed: opened here, or meanwhile."""
        with self._renewing:
            if self.library is not failed:
                return True
            if self.reopen is None or not isinstance(error, StoreReplaced):
                return False
            before, self.library = self.encoder, self.reopen()
            self.encoder = self.library.encoder
        failed.close()
        if isinstance(before, SharedEncoder):
            before.close()
        return True

    async def reply(self, call: Callable[[], dict[str, Any]]) -> Response:
        """The record that a call of the library returns, written as JSON in the same thread: of 2,000 vectors that takes long."""
        response: Response = await self.run(lambda: JSONResponse(call()))
        return response

    async def events(self, make: Callable[[], Iterator[bytes]], failed: Callable[[Refused], bytes]) -> Response:
        """An answer in pieces. What fails before the first piece is an answer of its own, later it is the last piece."""

        async def begun() -> tuple[bytes, AsyncGenerator[bytes]]:
            stream = self.bench.stream(make)
            return await anext(stream, b""), stream

        first, stream = await self.fresh(begun)

        async def pieces() -> AsyncIterator[bytes]:
            yield first
            try:
                async for piece in stream:
                    yield piece
            except (RagError, Refused) as error:
                yield failed(refusal_of(error) if isinstance(error, RagError) else error)
            finally:
                await stream.aclose()

        return StreamingResponse(pieces(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


class Routes:
    """What is served, a method for each route."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.files = page_files()

    @property
    def library(self) -> Library:
        """The library as it is now."""
        return self.service.library

    async def page(self) -> Response:
        """The page, for whoever looks here with a browser."""
        return await self.page_file(PAGE)

    async def page_file(self, name: str) -> Response:
        """A file of the page; its name is looked up in a table and never opened."""
        if name not in self.files:
            raise HTTPException(404)
        file = self.files[name]
        return Response(file.data, media_type=file.media_type)

    async def health(self) -> Response:
        """Whether the store can be read."""
        try:  # not behind other requests: a server with much to do is well
            epoch = await asyncio.wait_for(self.service.fresh(self._epoch), HEALTH_SECONDS)
        except (Refused, TimeoutError):
            return JSONResponse({"status": "unavailable"}, 503)
        self.service.telemetry.epoch(epoch)
        return JSONResponse({"status": "ok", "epoch": epoch})

    async def _epoch(self) -> int:
        return await asyncio.to_thread(lambda: self.library.store.epoch())

    async def metrics(self) -> Response:
        """Figures in the text format of Prometheus."""
        return Response(self.service.telemetry.figures(), media_type=CONTENT_TYPE)

    async def ask(self, body: AskBody, request: Request) -> Response:
        """Answers a question with cited quotations, or with what a language model writes of them."""
        request.state.question = body.question
        if not body.stream:
            return await self.service.reply(
                lambda: answers.answered(self.library, answers.in_context(self.library, body))
            )
        return await self._named_events(
            lambda: answers.answer_events(self.library, answers.in_context(self.library, body))
        )

    async def search(self, body: SearchBody, request: Request) -> Response:
        """Finds the chunks that fit a query best, and says what is proven of their order."""
        request.state.question = body.query
        if not body.stream:
            return await self.service.reply(lambda: answers.found(self.library, body))
        return await self._named_events(lambda: answers.search_events(self.library, body))

    async def _named_events(self, make: Callable[[], Iterator[tuple[str, dict[str, Any]]]]) -> Response:
        return await self.service.events(
            lambda: (named_event(name, record) for name, record in make()),
            lambda refused: named_event("error", error_record(refused)),
        )

    # What SQL asks

    async def answer_keys(self, request: Request) -> Response:
        """Answers the keys of a ClickHouse dictionary: JSONEachRow of `question` and `filter` in, a row for each out."""
        return await self._rows(ANSWERS, request)

    async def find_keys(self, request: Request) -> Response:
        """Finds the chunks for the keys of a ClickHouse dictionary: `question`, `k` and `filter`."""
        return await self._rows(HITS, request)

    async def _rows(self, dictionary: Dictionary, request: Request) -> Response:
        keys = dictionary.keys(await request.body())
        if len(keys) == 1:
            request.state.question = keys[0]["question"]
        rows = rows_of(dictionary, keys, lambda key: self.service.run(lambda: dictionary.row(self.library, key)))
        first = await anext(rows, b"")

        async def pieces() -> AsyncIterator[bytes]:
            try:
                yield first
                async for row in rows:
                    yield row
            finally:
                await rows.aclose()  # what is not begun when the client goes is not done

        return StreamingResponse(pieces(), media_type=MEDIA_TYPE)

    async def no_list(self) -> Response:
        """What a SELECT from a dictionary gets, which asks for all keys there are."""
        raise Refused(405, "there is no list of all answers: ask with dictGet, rag_answer() or rag_search()", "usage")

    # What the page shows beside an answer

    async def store(self) -> Response:
        """What the store holds."""
        return await self.service.reply(lambda: views.store(self.library))

    async def documents(self, body: Listing) -> Response:
        """Lists the documents, a page at a time."""
        return await self.service.reply(lambda: answers.documents(self.library, body))

    async def span(self, body: PlacedSpan) -> Response:
        """A piece of a document as it is stored, such as a citation, with what stands around it."""
        return await self.service.reply(lambda: views.placed_span(self.library, body))

    async def picture(self, body: Picture) -> Response:
        """A page of a PDF, drawn from the file while that is what was stored, with a span of its text marked."""
        return Response(await self.service.run(lambda: views.picture(self.library, body)), media_type="image/png")

    async def queries(self, body: Kept) -> Response:
        """Lists the questions that were kept, the newest first, where the server keeps any."""
        return await self.service.reply(lambda: plain(views.queries(self.library, body)))

    async def explain(self, body: KeptOne) -> Response:
        """Tells why a question that was kept was answered as it was: its hits with the score of each stage."""
        return await self.service.reply(lambda: plain(views.explained(self.library, body)))

    async def ladder(self, body: Measure) -> Response:
        """Measures what ever more bits, candidates and cells find and cost; takes a while."""
        return await self._measured(lambda: views.ladder(self.library, body))

    async def losses(self, body: Measure) -> Response:
        """Measures what the int8 model, the int8 vectors and the search each cost; loads the float32 model."""
        return await self._measured(lambda: views.losses(self.library, body))

    async def _measured(self, measure: Callable[[], dict[str, Any]]) -> Response:
        def alone() -> dict[str, Any]:
            if not self.service.measuring.acquire(blocking=False):
                raise Refused(429, "something is being measured already: try again when that is done", "measuring")
            try:
                record: dict[str, Any] = plain(measure())
                return record
            finally:
                self.service.measuring.release()

        return await self.service.reply(alone)

    # As OpenAI's clients expect

    async def list_models(self) -> Response:
        """What can be asked."""
        return JSONResponse(models(self._encoder_name, self.service.started))

    async def one_model(self, model: str) -> Response:
        """One of them."""
        found = [one for one in models(self._encoder_name, self.service.started)["data"] if one["id"] == model]
        if not found:
            raise self._unknown_model(model)
        return JSONResponse(found[0])

    async def embeddings(self, body: EmbeddingsBody) -> Response:
        """Vectors of texts."""
        if body.model != self._encoder_name:
            raise self._unknown_model(body.model)
        return await self.service.reply(lambda: answers.embeddings(self.library, body))

    async def chat(self, body: ChatBody, request: Request) -> Response:
        """Answers the last message of a conversation."""
        if body.model != MODEL:
            raise self._unknown_model(body.model)
        try:
            asked = AskBody(question=body.question(), max_tokens=body.most_tokens)
        except ValueError as error:
            raise Refused(422, str(error), "usage") from error
        request.state.question = asked.question
        completion, full = Completion(body, self.service.encoder), partial(self._in_conversation, asked, body)
        if body.stream:
            return await self.service.events(
                lambda: completion.pieces(answers.answer_events(self.library, full())),
                lambda refused: named_event("error", error_record(refused)),
            )
        return await self.service.reply(lambda: completion.whole(answers.answered(self.library, full())))

    def _in_conversation(self, asked: AskBody, body: ChatBody) -> AskBody:
        return answers.in_conversation(self.library, asked, body.turns())

    @property
    def _encoder_name(self) -> str:
        return self.service.encoder.config.model

    def _unknown_model(self, name: str) -> Refused:
        known = f"{MODEL} answers, {self._encoder_name} makes vectors"
        return Refused(404, f"there is no model {name!r:.200} for this: {known}", "model_not_found")


def make_app(service: Service, access: Access, show: Callable[[str], None] = lambda trace: None) -> Guard:
    """The application: routes behind the guard. `show` is given the traceback of what should not have happened."""
    protocol = over_http(
        make_server(lambda: service.library, service.run, allow_sql=service.allow_sql), service.limits.body_bytes
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with protocol.run():
            yield
        service.bench.close()

    app = FastAPI(
        title="int8-rag",
        version=program_version(),
        docs_url=None,  # their pages load programs from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(HTTPBearer(auto_error=False))] if access.token else [],
    )
    routes = Routes(service)
    get = partial(app.add_api_route, methods=["GET"])
    post = partial(app.add_api_route, methods=["POST"], responses=ERRORS)
    # The framework compares a path with one route after the other: what is asked most comes first.
    post("/v1/embeddings", routes.embeddings)
    post("/v1/ask", routes.ask, responses=ERRORS | {200: {"model": replies.AnswerReply}})
    post("/v1/search", routes.search, responses=ERRORS | {200: {"model": replies.SearchReply}})
    post("/v1/chat/completions", routes.chat)
    get("/", routes.page, include_in_schema=False)
    get("/page/{name}", routes.page_file, include_in_schema=False)
    get("/healthz", routes.health)
    get("/metrics", routes.metrics)
    get("/v1/models", routes.list_models)
    get("/v1/models/{model:path}", routes.one_model)
    for path, endpoint in (("/v1/sql/answers", routes.answer_keys), ("/v1/sql/hits", routes.find_keys)):
        post(path, endpoint, responses=ERRORS | {200: {"content": {MEDIA_TYPE: {}}}}, openapi_extra=KEYS)
        get(path, routes.no_list, include_in_schema=False)
    get("/v1/store", routes.store, responses=ERRORS | {200: {"model": replies.StoreReply}})
    post("/v1/documents", routes.documents, responses=ERRORS | {200: {"model": replies.DocumentsReply}})
    post("/v1/span", routes.span, responses=ERRORS | {200: {"model": replies.PlacedSpanReply}})
    post("/v1/picture", routes.picture, responses=ERRORS | PICTURE)
    post("/v1/queries", routes.queries)
    post("/v1/queries/explain", routes.explain)
    post("/v1/ladder", routes.ladder)
    post("/v1/losses", routes.losses)
    app.router.routes.append(Route("/mcp", Protocol(protocol.handle_request), methods=["POST"]))
    handlers: dict[type[Exception], Any] = {
        Refused: answer_refused,
        RequestValidationError: answer_invalid,
        HTTPException: answer_http,
        Exception: answer_failure,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    return Guard(app, access, service.telemetry, service.limits.body_bytes, show)


@dataclass
class Protocol:
    """What a route calls, which takes an object for an application and a function for an endpoint."""

    handle: Callable[[Any, Any, Any], Any]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serves one request."""
        await self.handle(scope, receive, send)


# Errors


async def answer_refused(request: Request, error: Refused) -> Response:
    """One sentence for a request that is not served."""
    return refused_response(request, error)


async def answer_invalid(request: Request, error: RequestValidationError) -> Response:
    """One sentence for a body that is not as it should be."""
    return refused_response(request, Refused(422, sentence_of(error.errors()), UsageError.code))


async def answer_http(request: Request, error: HTTPException) -> Response:
    """One sentence for a path or a method that there is not."""
    sentence = {
        404: "there is nothing here: see /openapi.json",
        405: "this is not done with this method: see /openapi.json",
    }
    text = sentence.get(error.status_code, str(error.detail))
    return refused_response(request, Refused(error.status_code, text, "http"), error.headers)


async def answer_failure(request: Request, error: Exception) -> Response:
    """One sentence for what should not have happened; the guard hears of the error as well, and writes it down."""
    return refused_response(request, failure_of(error, request.state.request_id))


def refused_response(request: Request, refused: Refused, headers: Any = None) -> Response:
    """A refusal as it is sent; the log has its code."""
    request.state.error = refused.code
    more = {name.decode(): value.decode() for name, value in extra(refused)}
    return JSONResponse(error_record(refused), refused.status, headers=dict(headers or {}) | more)
