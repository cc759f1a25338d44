"""Requests drawn from the server's own description, right and wrong ones: none may make it fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving import Running

PATHS = (
    "/v1/ask",
    "/v1/search",
    "/v1/embeddings",
    "/v1/chat/completions",
    "/v1/documents",
    "/v1/span",
    "/v1/picture",
    "/v1/queries",
    "/v1/queries/explain",
    "/v1/sql/answers",
    "/v1/sql/hits",
    "/v1/models/{model}",
    "/v1/models",
    "/healthz",
)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_no_request_that_is_drawn_from_the_description_makes_the_server_fail(running: Running, path: str) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings

    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    method = "GET" if path in {"/v1/models/{model}", "/v1/models", "/healthz"} else "POST"
    operation = schema[path][method]

    right, wrong = (operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode)

    @given(case=right | wrong)
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def send(case: object) -> None:
        reply = case.call()  # type: ignore[attr-defined]
        assert reply.status_code < 500, reply.text

    send()
