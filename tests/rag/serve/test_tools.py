"""The tools of the Model Context Protocol, asked by the official SDK's own client: in this process and over stdio."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, MCPError, StdioServerParameters
from support import PROJECT, write_tiny_checkpoint

from rag.commands.ask import answer_record
from rag.serve.limits import Limits
from rag.serve.model_context import make_server
from rag.serve.tools import plain
from rag.serve.work import Workbench

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from rag.library import Library
    from rag.text.tokenizer import Tokenizer

QUESTION = "where sat the cat"


@pytest.fixture(scope="module")
def talk(library: Library) -> Iterator[Callable[..., Any]]:
    """Does something with a client that is connected to a server in this process."""
    bench = Workbench(Limits())

    def work(what: Callable[[Client], Awaitable[Any]], *, allow_sql: bool = False) -> Any:
        async def connected() -> Any:
            async with Client(make_server(lambda: library, bench.run, allow_sql=allow_sql)) as client:
                return await what(client)

        return asyncio.run(connected())

    yield work
    bench.close()


def call(talk: Callable[..., Any], tool: str, /, *, allow_sql: bool = False, **arguments: Any) -> Any:
    """The record of a tool, which its text has to be too; or the sentence of its error."""
    found = talk(lambda client: client.call_tool(tool, arguments), allow_sql=allow_sql)
    (text,) = found.content
    if found.is_error:
        assert found.structured_content is None
        return text.text
    assert json.loads(text.text, parse_constant=pytest.fail) == found.structured_content
    return found.structured_content


def refused(talk: Callable[..., Any], what: Callable[[Client], Awaitable[Any]]) -> str:
    """The sentence of an error of the protocol."""

    async def failing(client: Client) -> str:
        with pytest.raises(MCPError) as error:
            await what(client)
        return str(error.value)

    return str(talk(failing))


def test_tools_have_closed_forms_and_sql_only_where_it_is_allowed(talk: Callable[..., Any]) -> None:
    tools = talk(lambda client: client.list_tools()).tools
    assert [tool.name for tool in tools] == ["ask", "search", "read_span", "list_documents"]
    for tool in tools:
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations.read_only_hint
    more = talk(lambda client: client.list_tools(), allow_sql=True).tools
    assert [tool.name for tool in more][4:] == ["sql"]


def test_ask_and_search_return_what_the_library_does(talk: Callable[..., Any], library: Library) -> None:
    assert call(talk, "ask", question=QUESTION, k=2) == json.loads(
        json.dumps(answer_record(library.ask(QUESTION, k=2)))
    )
    hits = call(talk, "search", query="the cat", filter={"source": {"$like": "%dog%"}}, ranking="words")["hits"]
    assert [hit["text"] for hit in hits] == ["The dog runs to the cat."]


def test_a_citation_can_be_read_with_what_stands_around_it(talk: Callable[..., Any], documents: Path) -> None:
    citation = call(talk, "ask", question=QUESTION)["citations"][0]
    span = call(talk, "read_span", source=citation["source"], start=citation["start"], end=citation["end"])
    assert span["text"] == citation["text"]
    whole = call(talk, "read_span", source=str(documents / "cat.md"))
    assert (whole["start"], whole["end"]) == (0, whole["characters"])
    assert citation["text"] in whole["text"] or citation["source"] != whole["source"]


def test_documents_are_listed_a_page_at_a_time(talk: Callable[..., Any]) -> None:
    names, after = [], None
    while True:
        page = call(talk, "list_documents", limit=2, after=after)
        assert page["total"] == 3
        names += [one["source"].rpartition("/")[2] for one in page["documents"]]
        after = page["next"]
        if after is None:
            break
    assert names == ["cat.md", "dog.txt", "one.txt"]
    assert call(talk, "list_documents", filter={"format": "markdown"})["total"] == 1


SENTENCES: list[tuple[str, dict[str, Any], str]] = [
    ("search", {"query": "cat", "filtre": {"source": "x"}}, "search: filtre: there is no such field here"),
    ("search", {"query": "cat", "filter": {"sorce": "x"}}, "sorce"),
    ("search", {"query": "cat", "k": 0}, "search: k: input should be greater than or equal to 1"),
    ("search", {}, "search: query: this field is needed"),
    ("ask", {"question": " "}, "the question is empty"),
    ("read_span", {"source": "/etc/hostname"}, "no document of the store called '/etc/hostname'"),
    ("read_span", {"source": "../../etc/hostname"}, "no document of the store"),
    ("list_documents", {"limit": 1_001}, "limit: input should be less than or equal to 1000"),
]


@pytest.mark.parametrize(("tool", "arguments", "sentence"), SENTENCES)
def test_what_a_caller_can_mend_is_an_error_of_one_sentence(
    talk: Callable[..., Any], tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    said = call(talk, tool, **arguments)
    assert sentence in said
    assert "\n" not in said


def test_a_span_lies_within_its_document(talk: Callable[..., Any], documents: Path) -> None:
    source = str(documents / "one.txt")
    for start, end in ((0, 15), (14, 14), (5, 3), (99, None)):
        assert "lies within its 14 characters" in call(talk, "read_span", source=source, start=start, end=end)


def test_documents_are_resources_and_nothing_else_is(talk: Callable[..., Any], documents: Path) -> None:
    listed = talk(lambda client: client.list_resources()).resources
    assert [str(one.name).rpartition("/")[2] for one in listed] == ["cat.md", "dog.txt", "one.txt"]
    found = talk(lambda client: client.read_resource(str(listed[2].uri))).contents[0]
    assert (
        found.text == (documents / "one.txt").read_text().rstrip()
    )  # the white space behind the last chunk is not stored
    assert talk(lambda client: client.list_resource_templates()).resource_templates[0].uri_template.startswith("rag://")
    for uri in ("file:///etc/hostname", "rag://documents/../x", "rag://documents/00000000-0000-0000-0000-000000000000"):
        assert "is no document of the store" in refused(talk, lambda client, uri=uri: client.read_resource(uri))


def test_a_tool_that_there_is_not_is_named(talk: Callable[..., Any]) -> None:
    said = refused(talk, lambda client: client.call_tool("sql", {"statement": "SELECT 1"}))
    assert said == "there is no tool 'sql', only ask, search, read_span, list_documents"


# SQL


def test_sql_reads_the_tables_with_values_vectors_and_a_limit(talk: Callable[..., Any]) -> None:
    rows = call(
        talk,
        "sql",
        allow_sql=True,
        statement="SELECT source, line FROM live_chunks(epoch = {epoch:UInt64}) WHERE line > {least:UInt32} ORDER BY ALL",
        parameters={"least": 0},
        limit=2,
    )
    assert (len(rows["rows"]), rows["more"]) == (2, True)
    assert rows["rows"][0]["source"].endswith("cat.md")
    statement = "SELECT length({query:Array(Float32)}) AS n"
    assert call(talk, "sql", allow_sql=True, statement=statement, query="cat") == {"rows": [{"n": 8}], "more": False}


def test_numbers_that_are_none_are_null_and_other_types_are_text(talk: Callable[..., Any]) -> None:
    values = "nan AS a, -inf AS b, toDate('2026-01-02') AS c, [1, nan] AS d, generateUUIDv4() AS e, number AS n"
    statement = f"SELECT {values} FROM numbers(1)"
    (row,) = call(talk, "sql", allow_sql=True, statement=statement)["rows"]
    assert (row["a"], row["b"], row["c"], row["d"], len(row["e"]), row["n"]) == (
        None,
        None,
        "2026-01-02",
        [1.0, None],
        36,
        0,
    )
    assert plain({1: (b"\xff", float("inf"))}) == {"1": ["ff", None]}


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE chunks",
        "KILL QUERY WHERE 1",
        "SYSTEM STOP MERGES",
        "SET readonly = 0",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT file('/etc/hostname')",
        "SELECT `file`('/etc/hostname')",
        "SELECT \"file\" /* x */ ('/etc/hostname')",
        "SELECT FILE('/etc/hostname')",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT aiGenerate('x')",
        "SELECT dictGet('rag_answers', 'answer', ('x', ''))",
        "SELECT * FROM rag_answer(question = 'x')",
        "SELECT 1; SELECT 2",
        "WITH x AS (SELECT * FROM executable('x', 'CSV', 'a String')) SELECT * FROM x",
    ],
)
def test_sql_that_changes_something_or_reads_elsewhere_is_refused(talk: Callable[..., Any], statement: str) -> None:
    said = call(talk, "sql", allow_sql=True, statement=statement)
    assert isinstance(said, str)
    assert "\n" not in said


def test_sql_may_speak_of_what_it_may_not_call(talk: Callable[..., Any]) -> None:
    statement = (
        "SELECT 'file(x) url(' AS a, count() AS file FROM live_chunks(epoch = {epoch:UInt64}) WHERE source != 'url('"
    )
    (row,) = call(talk, "sql", allow_sql=True, statement=statement)["rows"]
    assert row["a"] == "file(x) url("


# Over stdio


@pytest.mark.parametrize("mode", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
def test_the_command_answers_over_stdio_until_its_client_hangs_up(
    library: Library, tokenizer: Tokenizer, tmp_path: Path, mode: str
) -> None:
    model = str(write_tiny_checkpoint(tmp_path / "model", tokenizer))
    place = str(library.store.client.location)  # which it reads through this process
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "rag", "mcp", "--db", place, "--model", model],
        cwd=str(PROJECT),
        env={name: value for name, value in os.environ.items() if not name.startswith("RAG_")},
    )

    async def ask() -> Any:
        async with Client(command, mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools][:2] == ["ask", "search"]
            return await client.call_tool("search", {"query": "the mat", "ranking": "words", "k": 1})

    found = asyncio.run(ask())
    assert "The cat sat on the mat." in found.structured_content["hits"][0]["text"]
