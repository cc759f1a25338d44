"""The server over real HTTP: the same answers as the library's, the clients that people have, and one sentence for an error."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shlex
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from language_models import Parrot
from mcp import Client
from serving import serving
from support import PATIENCE, PROJECT, publish_document

from rag.answer.follow_up import Turn
from rag.commands.ask import answer_record, hit_record
from rag.library import Library
from rag.serve.answers import chat_text, without_sources
from rag.serve.replies import AnswerReply, ErrorReply, SearchReply
from sql.base.errors import ModelError, StoreError
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx2
    import openai
    from serving import Running

QUESTION = "where sat the cat"


def events_of(text: str) -> list[tuple[str, Any]]:
    """The names and records of server-sent events."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        data = lines["data"]
        found.append((lines.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found


def until(holds: Callable[[], bool]) -> None:
    """Waits for what the server is about to do."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


# The library's own answers


def test_an_answer_over_http_is_the_record_of_the_library(running: Running, http: httpx2.Client) -> None:
    reply = http.post("/v1/ask", json={"question": QUESTION, "k": 2})
    assert reply.json() == json.loads(json.dumps(answer_record(running.library.ask(QUESTION, k=2))))
    assert reply.json()["answered"]
    AnswerReply.model_validate(reply.json())


def test_a_search_over_http_is_the_record_of_search_json(running: Running, http: httpx2.Client) -> None:
    body = {"query": "the cat", "k": 2, "filter": {"source": {"$like": "%dog%"}}, "ranking": "words"}
    reply = http.post("/v1/search", json=body)
    hits, certificate = running.library.certified_search(body.pop("query"), **body)  # type: ignore[arg-type]
    expected = {"hits": [hit_record(hit) for hit in hits], "float32": certificate.record()}
    assert reply.json() == json.loads(json.dumps(expected))
    assert [hit["title"] for hit in reply.json()["hits"]] == ["dog"]
    SearchReply.model_validate(reply.json())


def test_a_question_that_leans_on_the_one_before_is_asked_in_full(running: Running, http: httpx2.Client) -> None:
    before = {"question": "Where sat the cat?", "answer": "On the mat. [1]"}
    for stream in (False, True):
        reply = http.post("/v1/ask", json={"question": "And the dog?", "turns": [before], "stream": stream})
        record = events_of(reply.text)[-1][1] if stream else reply.json()
        assert record["question"] == running.library.follow_up("And the dog?", [Turn(**before)]) == "Where sat the dog?"
    assert http.post("/v1/ask", json={"question": "And?", "turns": [before] * 21}).status_code == 422


def test_a_search_without_a_certificate_has_the_same_hits(http: httpx2.Client) -> None:
    certified, plain = (
        http.post("/v1/search", json={"query": "the cat", "certify": on}).json() for on in (True, False)
    )
    assert plain == certified | {"float32": None}
    assert certified["float32"] is not None


def test_what_no_chunk_passes_is_no_answer_and_no_error(http: httpx2.Client) -> None:
    reply = http.post("/v1/ask", json={"question": QUESTION, "filter": {"source": "nowhere.md"}})
    assert (reply.status_code, reply.json()["answered"], reply.json()["citations"]) == (200, False, [])


def test_a_streamed_answer_is_the_same_in_pieces(http: httpx2.Client) -> None:
    whole = http.post("/v1/ask", json={"question": QUESTION}).json()
    reply = http.post("/v1/ask", json={"question": QUESTION, "stream": True})
    events = events_of(reply.text)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "".join(record["token"] for name, record in events if name == "token") == whole["answer"]
    assert [name for name, _ in events][:2] == ["passages", "token"]
    assert events[-1] == ("answer", whole)


def test_a_streamed_search_sends_a_hit_at_a_time(http: httpx2.Client) -> None:
    whole = http.post("/v1/search", json={"query": "the cat"}).json()
    events = events_of(http.post("/v1/search", json={"query": "the cat", "stream": True}).text)
    assert [record for name, record in events if name == "hit"] == whole["hits"]
    assert events[-1] == ("hits", whole)


def test_a_stream_that_cannot_begin_has_the_status_of_its_error(http: httpx2.Client) -> None:
    reply = http.post("/v1/ask", json={"question": "  ", "stream": True})
    assert (reply.status_code, reply.json()["error"]["message"]) == (
        422,
        "the question is empty: write it between quotes",
    )


def test_clients_at_once_get_the_answers_that_each_gets_alone(http: httpx2.Client) -> None:
    questions = [f"{word} {other}" for word in ("cat", "dog", "mat") for other in "abcd"]
    alone = [http.post("/v1/ask", json={"question": one, "k": 3}).json() for one in questions]
    together: list[Any] = [None] * len(questions)

    def ask(number: int) -> None:
        together[number] = http.post("/v1/ask", json={"question": questions[number], "k": 3}).json()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


# The page of the manual


def curl_examples() -> list[tuple[str, str | None]]:
    """The calls of the page and the output that it shows of each, if it does."""
    text = (PROJECT / "docs" / "server.md").read_text(encoding="utf-8")
    return re.findall(r"```sh\n(curl .*?)\n```(?:\n\n```json\n(.*?)\n```)?", text)


def shape(value: Any) -> Any:
    """A record without its values: keys, and types of what is not null."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("command", "output"), curl_examples())
def test_the_calls_of_the_page_work_and_return_what_it_shows(
    running: Running, command: str, output: str | None
) -> None:
    words = shlex.split(command.replace("http://127.0.0.1:8000", running.url))
    ended = subprocess.run([*words, "--fail"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr
    if output:
        assert shape(json.loads(ended.stdout)) == shape(json.loads(output))
    else:
        assert '"error":{' not in ended.stdout.replace(" ", "")


# What it tells of itself


def test_health_names_the_epoch_and_figures_count_requests_by_route(running: Running, http: httpx2.Client) -> None:
    assert http.get("/healthz").json() == {"status": "ok", "epoch": running.library.store.epoch()}
    http.get("/v1/models/no%2Fsuch")
    figures = http.get("/metrics").text
    assert 'rag_requests_total{method="GET",path="/v1/models/{model:path}",status="404"}' in figures
    assert f"rag_epoch {float(running.library.store.epoch())}" in figures


def test_each_request_has_a_line_with_its_name_and_the_question_where_that_is_wanted(
    running: Running, http: httpx2.Client
) -> None:
    reply = http.post("/v1/ask", json={"question": QUESTION}, headers={"x-request-id": "mine-1"})
    assert reply.headers["x-request-id"] == "mine-1"
    assert http.get("/healthz", headers={"x-request-id": "no name"}).headers["x-request-id"].isalnum()
    until(lambda: any('"mine-1"' in one for one in running.lines))  # which is written after the answer has been sent
    (line,) = [one for one in map(json.loads, running.lines) if one["request_id"] == "mine-1"]
    assert (line["path"], line["status"], line["question"]) == ("/v1/ask", 200, QUESTION)


def test_the_description_names_every_route_and_closed_forms(http: httpx2.Client) -> None:
    described = http.get("/openapi.json").json()
    assert {"/v1/ask", "/v1/search", "/v1/embeddings", "/v1/chat/completions", "/v1/models", "/healthz"} <= set(
        described["paths"]
    )
    assert described["components"]["schemas"]["AskBody"]["additionalProperties"] is False


def test_the_page_loads_nothing_from_elsewhere(http: httpx2.Client) -> None:
    page = http.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    assert "://" not in page.text


def test_a_store_that_cannot_be_read_is_said_to_be_unavailable_and_nothing_more(
    running: Running, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: Store) -> int:
        raise StoreError("the store /home/ada/secret is gone")

    monkeypatch.setattr(Store, "epoch", fail)
    reply = http.get("/healthz")
    assert (reply.status_code, reply.json()) == (503, {"status": "unavailable"})
    reply = http.post("/v1/ask", json={"question": "x"})
    assert (reply.status_code, reply.headers["retry-after"], reply.json()["error"]["code"]) == (503, "1", "store")


# One sentence for an error

WRONG: list[tuple[str, Any, int, str]] = [
    ("/v1/ask", {"question": "x", "filtr": {}}, 422, "filtr: there is no such field here"),
    ("/v1/ask", {"k": 1}, 422, "question: this field is needed"),
    ("/v1/ask", {"question": "x", "k": 101}, 422, "k: input should be less than or equal to 100"),
    ("/v1/ask", {"question": "x", "k": "5"}, 422, "k: input should be a valid integer"),
    ("/v1/ask", {"question": "x", "filter": "year=5"}, 422, "filter: it has to be a JSON object"),
    ("/v1/ask", {"question": "x" * 8_001}, 422, "question: string should have at most 8000 characters"),
    ("/v1/ask", {"question": "\ud800"}, 422, "half a character, which is no text"),
    ("/v1/ask", {"question": "x", "language": "klingon"}, 422, "the language 'klingon' is not known"),
    ("/v1/search", {"query": "x", "filter": {"yeer": 3}}, 422, "yeer"),
    ("/v1/search", {"query": "x", "filter": {"source": {"$regex": "x"}}}, 422, "'$regex' is not an operator"),
    ("/v1/search", {"query": "cat " * 300}, 422, "is longer than the 256 that tiny reads: shorten it"),
    ("/v1/embeddings", {"model": "tiny", "input": []}, 422, "input has 0 texts"),
    ("/v1/embeddings", {"model": "tiny", "input": [1, 2]}, 422, "numbers of tokens, which mean nothing"),
    ("/v1/embeddings", {"model": "tiny", "input": ["cat", " "]}, 422, "input has an empty text"),
    ("/v1/embeddings", {"model": "tiny", "input": "cat", "dimensions": 3}, 422, "dimensions is 3"),
    ("/v1/embeddings", {"model": "other", "input": "cat"}, 404, "there is no model 'other' for this"),
    ("/v1/chat/completions", {"model": "int8-rag", "messages": []}, 422, "messages: list should have at least 1 item"),
    (
        "/v1/chat/completions",
        {"model": "int8-rag", "messages": [{"role": "system", "content": "x"}]},
        422,
        "no message of the role user",
    ),
    (
        "/v1/chat/completions",
        {"model": "int8-rag", "messages": [{"role": "user", "content": "x"}], "tools": []},
        422,
        "tools: there is no such field here",
    ),
    ("/v1/nothing", {}, 404, "there is nothing here"),
    ("/healthz", {}, 405, "not done with this method"),
]


@pytest.mark.parametrize(("path", "body", "status", "sentence"), WRONG)
def test_what_is_wrong_is_said_in_one_sentence(
    http: httpx2.Client, path: str, body: Any, status: int, sentence: str
) -> None:
    reply = http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert reply.status_code == status, reply.text
    error = ErrorReply.model_validate(reply.json()).error
    assert sentence in error.message
    assert "\n" not in error.message


def test_a_forgotten_content_type_is_named(http: httpx2.Client) -> None:
    reply = http.post(
        "/v1/ask", content='{"question": "cat"}', headers={"content-type": "application/x-www-form-urlencoded"}
    )
    message = ErrorReply.model_validate(reply.json()).error.message
    assert message == "the body: send a JSON object with the header Content-Type: application/json"


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "\x00", '{"question": NaN}', "[" * 20_000])
def test_a_body_that_is_no_record_is_an_error_of_the_client(http: httpx2.Client, text: str) -> None:
    reply = http.post("/v1/ask", content=text, headers={"content-type": "application/json"})
    assert 400 <= reply.status_code < 500
    ErrorReply.model_validate(reply.json())


def test_what_should_not_happen_is_named_in_the_log_and_not_told(
    running: Running, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.serve.answers.answered", lambda library, asked: 1 / 0)
    reply = http.post("/v1/ask", json={"question": "x"}, headers={"x-request-id": "fails"})
    assert (reply.status_code, "division" in reply.text) == (500, False)
    assert "its log has this request as fails" in reply.json()["error"]["message"]
    until(lambda: any("division by zero" in line for line in running.lines))  # written after the answer has been sent
    running.lines[:] = [line for line in running.lines if line.startswith("{")]


# OpenAI's client


@pytest.fixture(scope="module")
def openai_client(running: Running) -> openai.OpenAI:
    import openai

    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("form", ["float", "base64"])
def test_openais_client_gets_the_vectors_of_the_encoder(
    running: Running, openai_client: openai.OpenAI, form: Any
) -> None:
    texts = ["the cat", "one two three", "the dog"] * 30
    found = openai_client.embeddings.create(model="tiny", input=texts, encoding_format=form)
    rows = [one.embedding for one in found.data]
    vectors = [np.frombuffer(base64.b64decode(row), "<f4") if isinstance(row, str) else row for row in rows]
    np.testing.assert_array_equal(np.array(vectors, np.float32), running.library.encoder.encode_documents(texts))
    assert found.usage.prompt_tokens == sum(map(len, running.library.encoder.tokenizer.encode(texts)))
    assert [one.index for one in found.data] == list(range(90))


def test_openais_client_lists_what_there_is_to_ask(openai_client: openai.OpenAI) -> None:
    assert [model.id for model in openai_client.models.list()] == ["int8-rag", "tiny"]
    assert openai_client.models.retrieve("int8-rag").id == "int8-rag"


MESSAGES: Any = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "who runs here"},
    {"role": "assistant", "content": "The dog."},
    {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
]


def test_openais_client_gets_an_answer_with_its_sources_in_the_message_and_beside_it(
    running: Running, openai_client: openai.OpenAI
) -> None:
    answer = answer_record(running.library.ask(QUESTION))
    found = openai_client.chat.completions.create(model="int8-rag", messages=MESSAGES, temperature=0)
    text = found.choices[0].message.content or ""
    first = answer["citations"][0]
    assert text.startswith(answer["answer"])
    assert f"\n[1] {first['source']}:{first['line']}" in text
    assert found.model_extra == {"answered": True, "citations": answer["citations"]}
    assert found.choices[0].finish_reason == "stop"
    assert found.usage is not None
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def test_openais_client_gets_the_same_answer_in_pieces(openai_client: openai.OpenAI) -> None:
    whole = openai_client.chat.completions.create(model="int8-rag", messages=MESSAGES)
    pieces = list(
        openai_client.chat.completions.create(
            model="int8-rag", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    said = [piece.choices[0] for piece in pieces if piece.choices]
    assert "".join(choice.delta.content or "" for choice in said) == whole.choices[0].message.content
    assert [choice.finish_reason for choice in said if choice.finish_reason] == ["stop"]
    assert pieces[-1].usage == whole.usage
    assert pieces[-2].model_extra == whole.model_extra


def test_a_follow_up_in_a_chat_is_asked_in_full(
    running: Running, openai_client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    ask = Library.ask

    def noted(library: Library, question: str, **options: Any) -> Any:
        asked.append(question)
        return ask(library, question, **options)

    monkeypatch.setattr(Library, "ask", noted)
    messages: list[Any] = []
    for question in ("Where sat the cat?", "And the dog?"):
        messages.append({"role": "user", "content": question})
        found = openai_client.chat.completions.create(model="int8-rag", messages=messages)
        messages.append({"role": "assistant", "content": found.choices[0].message.content})
    assert asked == ["Where sat the cat?", "Where sat the dog?"]


def test_what_was_said_is_read_without_its_sources() -> None:
    citation = {"source": "a.md", "place_name": None, "line": 3}
    said = chat_text({"answer": "The cat. [1]\n\nThe dog. [2]", "citations": [citation, citation]})
    assert said.endswith("[1] a.md:3\n[2] a.md:3")
    assert without_sources(said) == "The cat. [1]\n\nThe dog. [2]"
    assert (without_sources("No answer found."), without_sources("Hello.")) == ("", "Hello.")


def test_a_conversation_that_nothing_answers_says_so(
    openai_client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.answer.answer.DEFAULT_MIN_CONFIDENCE", 1.0)
    whole = openai_client.chat.completions.create(model="int8-rag", messages=MESSAGES)
    pieces = openai_client.chat.completions.create(model="int8-rag", messages=MESSAGES, stream=True)
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert (whole.choices[0].message.content, said) == ("No answer found.", "No answer found.")


def test_openais_client_raises_the_sentence_of_an_error(openai_client: openai.OpenAI) -> None:
    import openai

    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-9' for this: int8-rag answers, tiny makes"):
        openai_client.chat.completions.create(model="gpt-9", messages=MESSAGES)


@pytest.mark.slow
def test_langchains_chat_model_talks_to_the_server(running: Running) -> None:
    pytest.importorskip("langchain_openai")
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    model = ChatOpenAI(model="int8-rag", base_url=f"{running.url}/v1", api_key="none")  # type: ignore[arg-type]
    whole = model.invoke(QUESTION)
    assert "".join(str(piece.content) for piece in model.stream(QUESTION)) == whole.content
    embeddings = OpenAIEmbeddings(
        model="tiny",
        base_url=f"{running.url}/v1",
        api_key="none",
        check_embedding_ctx_length=False,  # type: ignore[arg-type]
    )
    found = embeddings.embed_query("the cat")
    np.testing.assert_array_equal(np.array(found, np.float32), running.library.encoder.encode_documents(["the cat"])[0])


# The Model Context Protocol over HTTP


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_protocols_own_client_asks_over_http(running: Running, mode: str) -> None:
    async def ask() -> Any:
        async with Client(f"{running.url}/mcp", mode=mode) as client:
            tools = await client.list_tools()
            return [tool.name for tool in tools.tools], await client.call_tool("ask", {"question": QUESTION})

    names, found = asyncio.run(ask())
    assert names == ["ask", "search", "read_span", "list_documents", "sql"]
    assert found.structured_content == json.loads(json.dumps(answer_record(running.library.ask(QUESTION))))


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_client_of_an_older_version_is_answered_in_its_own(http: httpx2.Client, version: str) -> None:
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    headers = {"accept": "application/json, text/event-stream"}
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    assert http.post("/mcp", json=message, headers=headers).json()["result"]["protocolVersion"] == version
    headers["mcp-protocol-version"] = version
    called = {"name": "search", "arguments": {"query": "the mat", "filtr": 1}}
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": called}
    result = http.post("/mcp", json=message, headers=headers).json()["result"]
    assert (result["isError"], result["content"][0]["text"]) == (True, "search: filtr: there is no such field here")


# Ends and beginnings


def test_a_document_that_is_published_meanwhile_is_found_by_the_next_request(
    running: Running, http: httpx2.Client
) -> None:
    before = http.get("/healthz").json()["epoch"]
    with Store.open(str(running.folder.parent / "store"), write=True) as writer:
        publish_document(writer, "/new.txt", ["two mat mat"])
    assert http.get("/healthz").json()["epoch"] > before
    hits = http.post("/v1/search", json={"query": "mat", "k": 9, "ranking": "vector"}).json()["hits"]
    assert "two mat mat" in [hit["text"] for hit in hits]


# A language model


def test_what_a_language_model_writes_comes_in_pieces_and_whole_with_what_was_checked(
    library: Library, documents: Path
) -> None:
    spec = "openai:parrot@http://127.0.0.1:9/v1"
    models: Any = {spec: Parrot("The cat sat on the mat. [1] Dogs fly to the moon. [1]")}
    with serving(replace(library, llm=spec, _language_models=models), documents) as one, one.client() as http:
        asked = {"question": QUESTION, "k": 1, "filter": {"source": {"$like": "%cat.md"}}}
        whole = http.post("/v1/ask", json=asked).json()
        assert [sentence["supported"] for sentence in whole["checked"]["sentences"]] == [True, False]
        assert "moon" not in http.post("/v1/ask", json=asked | {"strict": True}).json()["answer"]
        events = events_of(http.post("/v1/ask", json=asked | {"stream": True}).text)
        tokens = [record["token"] for name, record in events if name == "token"]
        assert len(tokens) > 1
        assert ("".join(tokens), events[-1]) == (whole["answer"], ("answer", whole))
        chat = {"model": "int8-rag", "messages": [{"role": "user", "content": QUESTION}]}
        said = http.post("/v1/chat/completions", json=chat).json()["choices"][0]["message"]["content"]
        streamed = events_of(http.post("/v1/chat/completions", json=chat | {"stream": True}).text)[:-1]
        pieces = [record["choices"][0]["delta"].get("content", "") for _, record in streamed]
        assert "".join(pieces) == said
        assert len(pieces) > 3


def test_a_language_model_that_fails_in_the_middle_of_a_stream_is_its_last_event(
    library: Library, documents: Path
) -> None:
    class Broken(Parrot):
        def write(self, prompt: Any, max_tokens: int, say: Any) -> bool:
            super().write(prompt, max_tokens, say)
            raise ModelError("the language model has gone")

    spec = "openai:broken@http://127.0.0.1:9/v1"
    models: Any = {spec: Broken("The cat sat on the mat. [1] The dog runs here. [1] The")}
    with serving(replace(library, llm=spec, _language_models=models), documents) as one, one.client() as http:
        asked = {"question": QUESTION, "k": 1}
        whole = http.post("/v1/ask", json=asked)
        assert (whole.status_code, whole.json()["error"]["message"]) == (503, "the language model has gone")
        reply = http.post("/v1/ask", json=asked | {"stream": True})
        names = [name for name, _ in events_of(reply.text)]
        assert reply.status_code == 200
        assert (names[0], names[-1], "answer" in names) == ("passages", "error", False)
        assert events_of(reply.text)[-1][1]["error"]["message"] == "the language model has gone"
