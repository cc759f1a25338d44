"""Spans of OpenTelemetry: what takes time is told to whoever asks, under the client's own span, and no text is in it."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from serving import serving
from support import PATIENCE, run_python

import ingest
from rag.library import Library
from sql.base import tracing
from sql.base.errors import UsageError
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from rag.encoder.encoder import Encoder

export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
QUESTION = "where sat the cat"


@pytest.fixture
def spans() -> Iterator[Any]:
    """What keeps the spans that are made meanwhile."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider, kept = TracerProvider(), export.InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.start(provider)
    try:
        yield kept
    finally:
        tracing.stop()


def named(kept: Any, name: str, count: int = 1) -> Any:
    """The last one of so many spans of a name; that of a request ends a moment after its answer has come."""
    end = time.monotonic() + PATIENCE
    while len(found := [one for one in kept.get_finished_spans() if one.name == name]) < count:
        assert time.monotonic() < end, shown(kept)
        time.sleep(0.001)
    assert len(found) == count
    return found[-1]


def shown(kept: Any) -> str:
    """Everything that would be sent."""
    return "\n".join(one.to_json() for one in kept.get_finished_spans())


def test_a_request_goes_on_with_the_span_of_its_client_and_holds_the_stages_of_the_question(
    spans: Any, http: httpx2.Client
) -> None:
    http.post("/v1/ask", json={"question": QUESTION}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    request = named(spans, "POST /v1/ask")
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT
    assert request.attributes["http.route"] == "/v1/ask"
    assert request.attributes["http.response.status_code"] == 200
    stages = ("rag.encode", "rag.search", "rag.rank", "rag.hits", "rag.answer")
    for name in stages:
        stage = named(spans, name)
        assert stage.parent.span_id == request.context.span_id
        assert request.start_time <= stage.start_time <= stage.end_time <= request.end_time
    starts = [named(spans, name).start_time for name in stages]
    assert starts == sorted(starts)
    assert named(spans, "rag.search").attributes["db.query.summary"] == "score_everything"


def test_stages_of_a_stream_are_those_of_its_request(spans: Any, http: httpx2.Client) -> None:
    http.post("/v1/ask", json={"question": QUESTION, "stream": True})
    request = named(spans, "POST /v1/ask")
    assert named(spans, "rag.answer").parent.span_id == request.context.span_id


def test_spans_hold_no_text_unless_the_lines_do(spans: Any, library: Library, documents: Path) -> None:
    for texts in (False, True):
        with serving(library, documents) as running, running.client() as http:
            running.service.telemetry.log_texts = texts
            http.post("/v1/ask", json={"question": QUESTION})
            http.post("/v1/search", json={"query": QUESTION, "filter": {"nonsense-name": 1}})
            named(spans, "POST /v1/search")
        assert (QUESTION in shown(spans)) == texts
        assert "sat on the mat" not in shown(spans)
        assert "nonsense-name" not in shown(spans)
        spans.clear()


def test_what_fails_is_told_by_its_kind_and_not_by_its_words(
    spans: Any, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **more: object) -> None:
        raise ArithmeticError("a secret of a document")

    monkeypatch.setattr("rag.serve.answers.answered", fail)
    http.post("/v1/ask", json={"question": QUESTION})
    failed = named(spans, "POST /v1/ask")
    assert (failed.status.status_code.name, failed.attributes["error.type"]) == ("ERROR", "ArithmeticError")
    assert "secret" not in shown(spans)
    http.post("/v1/ask", json={"question": QUESTION, "k": 0})
    assert named(spans, "POST /v1/ask", 2).status.status_code.name == "UNSET"  # what the client can mend is no failure


def test_an_ingest_has_spans_of_reading_encoding_and_writing(
    spans: Any, documents: Path, library: Library, tmp_path: Path, encoder: Encoder
) -> None:
    (tmp_path / "a-name-of-mine.md").write_text("The cat sat on the mat.\n")
    place = str(library.store.client.location)
    with Library(Store.open(place, write=True), lambda: encoder) as writable:
        ingest.sync(writable, [tmp_path])
    whole = named(spans, "ingest")
    for name in ("ingest.read", "ingest.encode", "ingest.write"):
        assert named(spans, name).parent.span_id == whole.context.span_id
    assert named(spans, "ingest.encode").attributes["rag.chunks"] == 1
    assert "a-name-of-mine" not in shown(spans)


def test_nobody_who_does_not_ask_loads_opentelemetry_or_gets_a_span(http: httpx2.Client) -> None:
    assert tracing.here() is None
    assert tracing.span("x") is tracing.request({}) is tracing.NO_SPAN
    program = "import sys, rag, ingest\nrag.open, ingest.sync\nassert 'opentelemetry' not in sys.modules"
    assert run_python("-c", program).returncode == 0


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (
        "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "'jaeger': spans go to otlp, console or none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "'grpc': spans are sent as http/protobuf",
        ),
    ],
)
def test_an_exporter_there_is_not_is_refused(
    environment: pytest.MonkeyPatch, given: dict[str, str], message: str
) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    with pytest.raises(UsageError, match=message):
        tracing.start_if_asked(lambda sentence: None)


@pytest.mark.parametrize(
    "given", [{}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}]
)
def test_nothing_is_sent_where_nobody_asks(environment: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    tracing.start_if_asked(pytest.fail)
    assert tracing.here() is None


def test_without_the_extra_whoever_asks_for_spans_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    environment.setattr(tracing, "is_installed", lambda: False)
    said = list[str]()
    tracing.start_if_asked(said.append)
    assert said == ['spans are asked for (OTEL_...) and not sent: `pip install "int8-rag[telemetry]"`']


def test_the_console_is_told_of_spans_as_of_everything_else(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "console")
    said = list[str]()
    with tracing.whole("rag search", said.append):
        pass
    assert json.loads("".join(said))["name"] == "rag search"


def test_spans_arrive_at_the_endpoint_that_the_environment_names(environment: pytest.MonkeyPatch) -> None:
    arrived: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            import gzip

            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            arrived.append((self.path, gzip.decompress(body) if packed else body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
            with tracing.whole("rag ask", pytest.fail):
                tracing.past("rag.encode", 0.1)
        finally:
            collector.shutdown()
            thread.join()
    ((path, body),) = arrived
    assert path == "/v1/traces"
    assert all(word in body for word in (b"rag ask", b"rag.encode", b"service.name", b"int8-rag"))
    assert tracing.here() is None
