"""Requests drawn from the server's own description, right and wrong ones: none may make it fail."""

from __future__ import annotations

import json
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


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v1/sql/answers", "/v1/sql/hits"])
def test_no_keys_of_a_dictionary_make_the_server_fail(running: Running, path: str) -> None:
    """Their lines of JSON are no form that schemathesis can fill in."""
    pytest.importorskip("hypothesis")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    texts = st.text() | st.sampled_from(
        ["the cat", "", " ", "\ud800", "\0", '{"source": "a.md"}', '{"a": {"$in": []}}', "[]"]
    )
    key = {"question": texts, "filter": texts} | ({"k": st.integers()} if path.endswith("hits") else {})
    right, wrong, statuses = st.fixed_dictionaries(key).map(json.dumps), st.text(), set[int]()

    @given(keys=st.lists(right, max_size=3) | st.lists(right | wrong, max_size=3))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def send(keys: list[str]) -> None:
        reply = client.post(path, content="\n".join(keys).encode("utf-8", "surrogatepass"))
        assert reply.status_code < 500, reply.text
        statuses.add(reply.status_code)
        if reply.status_code == 200:
            rows = [json.loads(line) for line in reply.content.decode("utf-8", "surrogateescape").split("\n") if line]
            assert {row["status"] for row in rows} <= {200, 422}, rows

    with running.client() as client:
        send()
    assert statuses == {200, 422}
