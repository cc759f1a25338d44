"""The requests of Open WebUI, as its backend (routers/openai.py) makes them, and what it reads of the replies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from support import PROJECT

if TYPE_CHECKING:
    import httpx2

HEADERS = {
    "Content-Type": "application/json",
    "Authorization": "Bearer none",
    "X-OpenWebUI-User-Name": "Ada%20Lovelace",
    "X-OpenWebUI-User-Id": "7",
    "X-OpenWebUI-User-Role": "admin",
    "X-OpenWebUI-Chat-Id": "3f",
}
# Advanced parameters of a chat or a model, as its apply_model_params_to_body_openai puts them into the body.
PARAMETERS: dict[str, Any] = {
    "temperature": 0.8,
    "top_p": 0.9,
    "min_p": 0.05,
    "max_tokens": 256,
    "frequency_penalty": 1.1,
    "presence_penalty": 0.0,
    "seed": 1,
    "stop": ["\n\n"],
    "logit_bias": {"5432": 100},
    "reasoning": {"effort": "low"},
}
TITLE = (
    "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n### Output:\n"
    'JSON format: { "title": "your concise title here" }\n### Chat History:\n<chat_history>\nUSER: where sat the cat\n'
    "ASSISTANT: The cat sat on the mat. [1]\n</chat_history>"
)


def streamed(text: str) -> tuple[str, dict[str, int] | None, bool]:
    """What its interface makes of a stream: the text, the usage, and whether it was told of the end."""
    said, usage, ended = "", None, False
    for line in text.split("\n"):
        if line.startswith("data: "):
            if line[6:].strip() == "[DONE]":
                ended = True
                continue
            data = json.loads(line[6:])
            usage = data.get("usage") or usage
            for choice in data.get("choices", []):
                said += choice.get("delta", {}).get("content") or ""
    return said, usage, ended


def test_the_connection_is_verified_and_its_models_are_listed(http: httpx2.Client) -> None:
    reply = http.get("/v1/models", headers=HEADERS)
    assert reply.status_code == 200
    listed = reply.json()["data"]
    assert "int8-rag" in [model["id"] for model in listed]
    assert "error" not in reply.json()


@pytest.mark.parametrize("parts", [False, True])
def test_a_chat_is_streamed_with_its_usage_whatever_its_parameters_are(http: httpx2.Client, parts: bool) -> None:
    question: Any = "where sat the cat"
    if parts:  # the last message may be in parts
        question = [{"type": "text", "text": question, "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": question}]
    body = {"stream": True, "model": "int8-rag", "messages": messages, "stream_options": {"include_usage": True}}
    reply = http.post("/v1/chat/completions", headers=HEADERS, content=json.dumps(body | PARAMETERS))
    assert reply.status_code == 200, reply.text
    assert "text/event-stream" in reply.headers["Content-Type"]
    said, usage, ended = streamed(reply.text)
    assert said.startswith("The cat sat on the mat. [1]")
    assert re.search(r"^\[1\] .*cat\.md:3$", said, re.MULTILINE)
    assert usage is not None
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert ended


def test_a_task_in_the_background_such_as_a_title_gets_a_message(http: httpx2.Client) -> None:
    body = {
        "model": "int8-rag",
        "messages": [{"role": "user", "content": TITLE}],
        "stream": False,
        "max_completion_tokens": 1000,
    }
    reply = http.post("/v1/chat/completions", headers=HEADERS, content=json.dumps(body))
    assert reply.status_code == 200, reply.text
    assert isinstance(
        reply.json()["choices"][0]["message"]["content"], str
    )  # no title in it: the first words are taken


def test_what_is_refused_is_a_record_that_it_shows(http: httpx2.Client) -> None:
    body = {
        "model": "int8-rag",
        "messages": [{"role": "user", "content": "cat"}],
        "tools": [{"type": "function"}],
        "stream": True,
    }
    reply = http.post("/v1/chat/completions", headers=HEADERS, content=json.dumps(body))
    assert (reply.status_code, reply.headers["Content-Type"]) == (422, "application/json")
    assert "tools" in reply.json()["error"]["message"]


def test_the_page_says_how_to_connect_it() -> None:
    page = (PROJECT / "docs" / "server.md").read_text()
    assert "Open WebUI" in page
    assert "OPENAI_API_BASE_URL=http://" in page
