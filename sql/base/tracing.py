"""The one door to OpenTelemetry: spans of what takes time, for whoever asks for them, and nothing for everybody else.

Nothing of OpenTelemetry is imported before somebody asks (its own variables, OTEL_TRACES_EXPORTER or an OTLP endpoint), and
until then a span is one comparison. A span holds names, times, counts and sizes, no text of a question, answer or document:
errors by their type alone, statements by the name of their file.
"""

from __future__ import annotations

import contextvars
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from sql.base.errors import UsageError
from sql.base.settings import traces_exporter, traces_protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

Result = TypeVar("Result")

NAME = "int8-rag"
PROTOCOL = "http/protobuf"
NO_SPAN: AbstractContextManager[Any] = nullcontext()

_provider: Any = None
_tracer: Any = None


# Beginning and ending


def start_if_asked(announce: Callable[[str], None]) -> None:
    """Sends spans where the variables of OpenTelemetry say so. Whoever asks without the extra `telemetry` is told.

    Raises UsageError for an exporter or a protocol that there is not.
    """
    wanted = traces_exporter()
    if wanted is None or _tracer is not None:
        return
    if wanted not in {"otlp", "console"}:
        raise UsageError(f"OTEL_TRACES_EXPORTER is {wanted!r}: spans go to otlp, console or none")
    if wanted == "otlp" and traces_protocol() not in {None, PROTOCOL}:
        raise UsageError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {traces_protocol()!r}: spans are sent as {PROTOCOL}")
    if not is_installed():
        announce('spans are asked for (OTEL_...) and not sent: `pip install "int8-rag[telemetry]"`')
        return
    start(provider_for(wanted, announce))


@contextmanager
def whole(name: str | None, announce: Callable[[str], None]) -> Iterator[None]:
    """What a command does, with spans where they are asked for; `name` is that of one around all of it."""
    start_if_asked(announce)
    try:
        with span(name) if name else NO_SPAN:
            yield
    finally:
        stop()


def is_installed() -> bool:
    """Whether the extra `telemetry` is there."""
    try:
        return all(find_spec(name) for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"))
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True)
class Lines:
    """A file for the exporter `console`, which writes whole spans: each is announced."""

    announce: Callable[[str], None]

    def write(self, text: str) -> None:
        """Announces a span."""
        self.announce(text.rstrip())

    def flush(self) -> None:
        """Nothing is held back."""


def provider_for(exporter: str, announce: Callable[[str], None]) -> Any:
    """A provider that sends spans by the variables of OpenTelemetry: endpoint, headers, sampler, batches, resource."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    resource = Resource.create()
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": NAME}))
    provider = TracerProvider(resource=resource)
    where = OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter(out=Lines(announce))
    provider.add_span_processor(BatchSpanProcessor(where))
    return provider


def start(provider: Any) -> None:
    """Makes spans with a provider from now on, until `stop`."""
    global _provider, _tracer
    _provider, _tracer = provider, provider.get_tracer(NAME)


def stop() -> None:
    """Sends what has not been sent, and makes no more spans."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.shutdown()


# Spans


def span(name: str, within: Any = None, **attributes: Any) -> AbstractContextManager[Any]:
    """A span for a block of code; `within` is what `here` has returned in another thread."""
    return NO_SPAN if _tracer is None else _open_span(name, within, attributes)


@contextmanager
def _open_span(name: str, within: Any, attributes: Mapping[str, Any], **more: Any) -> Iterator[Any]:
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with _tracer.start_as_current_span(name, within, attributes=named(attributes), **quiet, **more) as made:
        try:
            yield made
        except BaseException as error:
            failed(made, type(error).__name__)
            raise


def past(name: str, seconds: float, *, ago: float = 0.0, **attributes: Any) -> None:
    """A span of what took so many seconds and was done so many seconds ago, by default just now."""
    if _tracer is not None:
        ended = time.time_ns() - int(ago * 1e9)
        begun = ended - int(seconds * 1e9)
        _tracer.start_span(name, start_time=begun, attributes=named(attributes)).end(ended)


def here() -> Any:
    """The span that is open here, for another thread; None where there are no spans."""
    if _tracer is None:
        return None
    from opentelemetry.context import get_current

    return get_current()


def carried(call: Callable[[], Result]) -> Callable[[], Result]:
    """The same call, to be made in another thread within the span that is open here."""
    return call if _tracer is None else partial(contextvars.copy_context().run, call)


def request(headers: Mapping[str, str]) -> AbstractContextManager[Any]:
    """The span of a request, which goes on with that of the client where it has sent one (`traceparent`)."""
    if _tracer is None:
        return NO_SPAN
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    given = TraceContextTextMapPropagator().extract(headers)
    return _open_span("request", given, {}, kind=SpanKind.SERVER)


def describe(made: Any, name: str, error: str | None = None, **attributes: Any) -> None:
    """Names the span of a request when it is known what was asked for; `error` is the kind of what failed."""
    if made is None:
        return
    made.update_name(name)
    made.set_attributes(named(attributes))
    if error is not None:
        failed(made, error)


def failed(made: Any, kind: str) -> None:
    """Marks a span as that of something that failed."""
    from opentelemetry.trace import Status, StatusCode

    made.set_attribute("error.type", kind)
    made.set_status(Status(StatusCode.ERROR))


def named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as OpenTelemetry writes them: `rag_rows` is `rag.rows`, `http__route` `http.route`; without those of None.

    >>> named({"rag_rows": 3, "rag_model": None})
    {'rag.rows': 3}
    """
    written = {name.replace("__", ".").replace("rag_", "rag.", 1): value for name, value in attributes.items()}
    return {name: value for name, value in written.items() if value is not None}
