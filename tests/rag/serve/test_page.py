"""The files of the page as the server gives them, and what it tells the page of citations and of the store."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from serving import serving

from rag.serve.guard import Access
from rag.serve.page_files import page_files
from rag.serve.replies import DocumentsReply, PlacedSpanReply, StoreReply
from sql.store.query_log import QueryLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from rag.library import Library

FILES = {name: file.data.decode() for name, file in page_files().items()}


@pytest.fixture(scope="module")
def paged(page_library: Library, page_documents: Path) -> Iterator[httpx2.Client]:
    """A client of a server over the documents of the page's tests."""
    with serving(page_library, page_documents) as running, running.client() as client:
        yield client


def sentence(reply: httpx2.Response) -> str:
    return str(reply.json()["error"]["message"])


# Files


def test_the_page_is_served_with_a_policy_that_lets_nothing_but_its_own_files_run(paged: httpx2.Client) -> None:
    reply = paged.get("/")
    policy = reply.headers["content-security-policy"]
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
    assert "<main" in reply.text


def test_no_file_of_the_page_has_inline_code_or_needs_another_server() -> None:
    html = FILES["page.html"]
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", html) == []
    places = [place for text in FILES.values() for place in re.findall(r"https?://[^\s\"')]+", text)]
    assert set(places) == {"http://www.w3.org/2000/svg"}  # a name of XML, not an address


def test_no_module_makes_html_out_of_text() -> None:
    words = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "new Function")
    assert [(name, word) for name, text in FILES.items() for word in words if word in text] == []


def test_every_file_that_is_named_is_there_and_every_file_is_named(paged: httpx2.Client) -> None:
    named = {name for text in FILES.values() for name in re.findall(r"""(?:/page/|["']\./)([\w.]+)["']""", text)}
    assert named == set(FILES) - {"page.html"}
    kinds = {"mjs": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for name in named:
        reply = paged.get(f"/page/{name}")
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
        assert reply.text == FILES[name]


@pytest.mark.parametrize(
    "name", ["app.py", "..%2fapp.py", "%2e%2e/app.py", "page.mjs%00", "", "nothing.mjs", "C:%5cx.css"]
)
def test_no_other_file_can_be_had_by_its_name(paged: httpx2.Client, name: str) -> None:
    assert paged.get(f"/page/{name}").status_code == 404


def test_no_way_leads_from_the_page_to_the_store_without_the_token(page_library: Library, page_documents: Path) -> None:
    ways = ("/page/../v1/store", "/page/%2e%2e/v1/store", "/page//v1/store", "/page/..%2fv1%2fstore")
    with serving(page_library, page_documents, Access(token="secret")) as running:  # noqa: S106
        host, port = running.url.removeprefix("http://").split(":")
        connection = HTTPConnection(host, int(port))  # which sends a path as it is
        for path, status in [*((way, 404) for way in ways), ("/v1/store", 401)]:
            connection.request("GET", path)
            reply = connection.getresponse()
            assert (reply.status, b"documents" in reply.read()) == (status, False), path
        connection.close()


# Citations


def cited(paged: httpx2.Client, question: str, source: str) -> Any:
    """The first citation of an answer from one document."""
    body = {"question": question, "filter": {"source": {"$like": f"%{source}"}}}
    return paged.post("/v1/ask", json=body).json()["citations"][0]


def test_a_span_is_the_citation_with_what_stands_around_it(paged: httpx2.Client, page_documents: Path) -> None:
    found = cited(paged, "where sat the cat", "cat.md")
    text = (page_documents / "cat.md").read_text()
    for around in (0, 7, 4_000):
        body = {name: found[name] for name in ("source", "start", "end")} | {"around": around}
        record = paged.post("/v1/span", json=body).json()
        PlacedSpanReply.model_validate(record)
        start, end = found["start"], found["end"]
        assert record["text"] == found["text"]
        assert record["before"] == text[max(0, start - around) : start]
        assert record["after"].rstrip() == text[end : end + around].rstrip()


@pytest.mark.parametrize("path", ["/v1/span", "/v1/picture"])
@pytest.mark.parametrize("source", ["/etc/passwd", "../secret.txt", "docs/nowhere.md"])
def test_what_is_no_document_of_the_store_is_not_shown(
    paged: httpx2.Client, page_documents: Path, path: str, source: str
) -> None:
    (page_documents.parent / "secret.txt").write_text("secret")
    reply = paged.post(path, json={"source": source, "start": 0, "end": 4})
    assert (reply.status_code, sentence(reply)[:38]) == (422, "no document of the store called " + repr(source)[:6])


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"end": 90_000}, 422), ({"start": 5, "end": 5}, 422), ({"around": 4_001}, 422), ({"arround": 1}, 422)],
)
def test_a_span_that_there_is_not_is_one_sentence(paged: httpx2.Client, wrong: dict[str, int], status: int) -> None:
    source = cited(paged, "where sat the cat", "cat.md")["source"]
    reply = paged.post("/v1/span", json={"source": source, "start": 0, "end": 5} | wrong)
    assert reply.status_code == status
    assert sentence(reply)


def yellow(picture: bytes) -> int:
    """How many pixels of a picture are marked."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    return sum(count for count, colour in image.getcolors(1 << 24) or [] if colour == (255, 235, 80))


def test_a_page_is_drawn_with_the_citation_marked_while_its_file_is_the_one_that_was_stored(
    paged: httpx2.Client, page_documents: Path
) -> None:
    found = cited(paged, "the second kiln runs hot", "plan.pdf")
    body = {name: found[name] for name in ("source", "start", "end")}
    assert found["page"] == 2
    drawn = paged.post("/v1/picture", json=body)
    assert drawn.headers["content-type"] == "image/png"
    assert yellow(drawn.content) > 500
    other = paged.post("/v1/picture", json=body | {"page": 1})
    assert (other.status_code, yellow(other.content)) == (200, 0)
    beyond = paged.post("/v1/picture", json=body | {"page": 3})
    assert (beyond.status_code, "has pages 1 to 2, not 3" in sentence(beyond)) == (422, True)
    file = page_documents / "plan.pdf"
    data = file.read_bytes()
    file.write_bytes(data.replace(b"kiln", b"barn"))
    try:
        changed = paged.post("/v1/picture", json=body)
    finally:
        file.write_bytes(data)
    assert (changed.status_code, "has changed since it was stored" in sentence(changed)) == (409, True)
    assert changed.json()["error"]["code"] == "document-changed"


def test_only_pages_of_a_pdf_are_drawn(paged: httpx2.Client) -> None:
    found = cited(paged, "where sat the cat", "cat.md")
    reply = paged.post("/v1/picture", json={name: found[name] for name in ("source", "start", "end")} | {"page": 1})
    assert (reply.status_code, "only pages of pdf files can be drawn" in sentence(reply)) == (422, True)


# The store


def test_the_store_tells_what_it_holds_and_not_where_it_lies(paged: httpx2.Client, page_library: Library) -> None:
    record = paged.get("/v1/store").json()
    StoreReply.model_validate(record)
    assert record["documents"] == len(page_library.documents()) == 5
    assert [(one["format"], one["documents"]) for one in record["formats"]] == [
        ("text", 3),
        ("markdown", 1),
        ("pdf", 1),
    ]
    assert sum(one["chunks"] for one in record["languages"]) == record["chunks"] == page_library.stats().live_rows
    assert record["stats"]["vector"]["float32_bytes"] == page_library.stats().float_bytes
    assert str(page_library.store.client.location) not in json.dumps(record)


def test_documents_are_listed_a_page_at_a_time(paged: httpx2.Client) -> None:
    first = paged.post("/v1/documents", json={"limit": 3}).json()
    rest = paged.post("/v1/documents", json={"limit": 3, "after": first["next"]}).json()
    DocumentsReply.model_validate(first)
    sources = [one["source"].rpartition("/")[2] for part in (first, rest) for one in part["documents"]]
    assert (sources, rest["next"]) == (["bird.txt", "cat.md", "dog.txt", "one.txt", "plan.pdf"], None)


# The log


def test_a_server_that_keeps_no_questions_shows_none(paged: httpx2.Client) -> None:
    assert paged.post("/v1/queries", json={}).json() == {"kept": False, "queries": []}
    reply = paged.post("/v1/queries/explain", json={"query_id": "00000000-0000-4000-8000-000000000000"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "no-such-query")


def test_questions_that_are_kept_are_listed_with_the_reasons_of_their_answers(
    page_library: Library, page_documents: Path
) -> None:
    with (
        closing(QueryLog(page_library.store)) as log,
        serving(replace(page_library, log=log, _encoder=page_library.encoder), page_documents) as running,
        running.client() as client,
    ):
        answer = client.post("/v1/ask", json={"question": "The cat sat on the mat.", "k": 2}).json()
        (kept,) = client.post("/v1/queries", json={}).json()["queries"]
        explained = client.post("/v1/queries/explain", json={"query_id": kept["query_id"]}).json()
        assert client.post("/v1/queries/explain", json={"query_id": "x"}).status_code == 422
    assert (kept["query_id"], kept["question"], kept["hits"]) == (answer["query_id"], answer["question"], 2)
    assert [hit["rank"] for hit in explained["hits"]] == [1, 2]
    best = max(hit["best_citation"] or 0 for hit in explained["hits"])
    assert best == pytest.approx(max(one["score"] for one in answer["citations"]), abs=1e-3)


# Measurements


def test_a_measurement_is_bounded_and_runs_alone(paged: httpx2.Client, page_library: Library) -> None:
    ladder = paged.post("/v1/ladder", json={"sample": 2}).json()
    assert (ladder["chunks"], ladder["questions"]) == (page_library.stats().live_rows, 2)
    assert [rung["name"] for rung in ladder["rungs"]] == ["signs", "4 bits", "8 bits"]
    assert paged.post("/v1/ladder", json={"sample": 201}).status_code == 422
    losses = paged.post("/v1/losses", json={"sample": 2})
    assert (losses.status_code, "keeps no float32 vectors" in sentence(losses)) == (503, True)


def test_a_second_measurement_at_the_same_time_is_sent_away(page_library: Library, page_documents: Path) -> None:
    with serving(page_library, page_documents) as running, running.client() as client:
        running.service.measuring.acquire()
        reply = client.post("/v1/ladder", json={})
        running.service.measuring.release()
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "measuring")
