"""What the server tells of itself: a line of JSON for each request, and figures for Prometheus. The one door to its client.

No text of a question, answer or document is in either, unless the lines are asked to hold questions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from sql.base.tracing import describe

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class Served:
    """One request that is done; `path` is that of its route, never what a client has written into it."""

    request_id: str
    method: str
    path: str
    status: int
    seconds: float
    question: str | None = None
    error: str | None = None


class Telemetry:
    """Counts and writes down. Each server has its own figures. Safe from any thread."""

    def __init__(self, write: Callable[[str], None], *, log_texts: bool = False) -> None:
        self.log_texts = log_texts
        self._write = write
        registry = self._registry = CollectorRegistry()
        labels = ["method", "path", "status"]
        self._requests = Counter("rag_requests", "Requests that were answered.", labels, registry=registry)
        self._seconds = Histogram(
            "rag_request_seconds",
            "Time from a request to the end of its answer.",
            ["path"],
            registry=registry,
            buckets=SECONDS,
        )
        self._batches = Histogram(
            "rag_batch_requests", "Requests in a batch of the encoder.", registry=registry, buckets=SIZES
        )
        self._texts = Counter("rag_encoded_texts", "Texts that were encoded.", registry=registry)
        self._taken = Gauge("rag_requests_taken", "Requests that are worked on or waiting.", registry=registry)
        self._epoch = Gauge("rag_epoch", "The newest epoch of the store that was answered from.", registry=registry)

    def watch_work(self, taken: Callable[[], float]) -> None:
        """Where to look up how many requests are in work."""
        self._taken.set_function(taken)

    def batch(self, requests: int, texts: int) -> None:
        """A batch of the encoder."""
        self._batches.observe(requests)
        self._texts.inc(texts)

    def epoch(self, epoch: int) -> None:
        """The newest epoch that was seen."""
        self._epoch.set(epoch)

    def served(self, one: Served, span: Any = None) -> None:
        """A request is done; `span` is that of OpenTelemetry, if there is one."""
        self._requests.labels(one.method, one.path, str(one.status)).inc()
        self._seconds.labels(one.path).observe(one.seconds)
        self._write(json.dumps(self._line(one), ensure_ascii=True))
        describe(
            span,
            f"{one.method} {one.path}",
            one.error if one.status >= 500 else None,
            http__request__method=one.method,
            http__route=one.path,
            http__response__status_code=one.status,
            rag_request_id=one.request_id,
            rag_question=one.question if self.log_texts else None,
        )

    def _line(self, one: Served) -> dict[str, Any]:
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "error" if one.status >= 500 else "info",
            "request_id": one.request_id,
            "method": one.method,
            "path": one.path,
            "status": one.status,
            "milliseconds": round(1000 * one.seconds, 1),
        }
        if one.error is not None:
            line["error"] = one.error
        if self.log_texts and one.question is not None:
            line["question"] = one.question
        return line

    def figures(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self._registry)
