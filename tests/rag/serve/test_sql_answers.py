"""SQL that asks: a real ClickHouse and chDB call a real server, as the statements of `ddl` let them."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from server import free_port
from serving import serving

from rag.commands.command_line import command
from rag.serve.guard import Access
from rag.serve.limits import MOST_KEYS, Refused
from sql.base.errors import StoreError, UsageError
from sql.engine.client import Client, parse_location
from sql.engine.free_sql import split_statements

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx2
    from server import Server
    from serving import Running

    from rag.library import Library

QUESTION = "where sat the cat"
TOKEN = "a token that nobody shows"  # noqa: S105
CITATION = ("source", "start", "end", "line", "page", "text", "score")


def asked_of(running: Running) -> list[dict[str, Any]]:
    """What the server has written down of requests from SQL; a line is written when its answer has been sent."""
    with running.client() as client:
        client.get("/healthz")  # what is answered before that has its line by then
    return [line for line in map(json.loads, running.lines) if line["path"].startswith("/v1/sql/")]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """The statements that `ddl` prints."""

    def run(*options: str) -> list[str]:
        capsys.readouterr()
        assert command(["ddl", *options]) == 0
        statements, rest = split_statements(capsys.readouterr().out)
        assert rest == ""
        return statements

    return run


@pytest.fixture
def install(server: Server, printed: Callable[..., list[str]]) -> Callable[..., None]:
    """Runs what `ddl` prints in a database of the server."""

    def run(database: str, *options: str) -> None:
        for statement in printed(*options):
            server.ask(statement, database)

    return run


@pytest.fixture
def database(server: Server, running: Running, install: Callable[..., None]) -> str:
    """A database that asks the server of this file."""
    name = server.new_database()
    install(name, "--url", running.url)
    return name


def rows(server: Server, statement: str, database: str) -> list[dict[str, Any]]:
    """What a SELECT returns."""
    text = server.ask(f"{statement} FORMAT JSONEachRow", database)
    return [json.loads(line) for line in text.splitlines()]


# Over HTTP


def posted(http: httpx2.Client, path: str, *keys: dict[str, Any]) -> list[dict[str, Any]]:
    reply = http.post(path, content="\n".join(map(json.dumps, keys)))
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in reply.text.splitlines()]


def test_each_key_has_the_row_of_its_answer_once(running: Running, http: httpx2.Client) -> None:
    keys = [{"question": question, "filter": ""} for question in (QUESTION, "the dog", QUESTION)]
    (first, second) = posted(http, "/v1/sql/answers", *keys)
    answer = http.post("/v1/ask", json={"question": QUESTION}).json()
    assert first == keys[0] | {
        "answer": answer["answer"],
        "answered": True,
        "confidence": answer["confidence"],
        "citations": [{name: citation[name] for name in CITATION} for citation in answer["citations"]],
        "status": 200,
        "error": "",
    }
    assert second["question"] == "the dog"


def test_what_is_wrong_with_one_question_is_in_its_row(http: httpx2.Client) -> None:
    given = [
        {"question": " ", "filter": ""},
        {"question": QUESTION, "filter": '{"source": {"$like": "%dog%"}}'},
        {"question": QUESTION, "filter": '{"sauce": 1}'},
        {"question": QUESTION, "filter": "{"},
    ]
    empty, filtered, unknown, broken = posted(http, "/v1/sql/answers", *given)
    assert empty["error"] == "the question is empty: write it between quotes"
    assert {citation["source"].rpartition("/")[2] for citation in filtered["citations"]} == {"dog.txt"}
    assert unknown["error"].startswith("chunks have no field sauce")
    assert broken["error"].startswith("filter: this is no JSON")
    assert {(row["answered"], row["status"]) for row in (empty, unknown, broken)} == {(False, 422)}


def test_bytes_that_are_no_text_come_back_as_the_key_that_they_were(http: httpx2.Client) -> None:
    reply = http.post("/v1/sql/answers", content=b'{"question":"caf\xe9","filter":""}\n')
    assert b'"question": "caf\xe9"' in reply.content
    assert b"half a character" in reply.content


@pytest.mark.parametrize("depth", [150, 900, 100_000])
def test_a_filter_that_is_nested_too_deep_is_an_error_of_its_row(http: httpx2.Client, depth: int) -> None:
    nested = '{"$not": ' * depth + '{"source": "x"}' + "}" * depth
    rows = posted(http, "/v1/sql/answers", *({"question": QUESTION, "filter": one} for one in (nested, "")))
    assert [row["status"] for row in rows] == [422, 200]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ('{"question":"x"}', 422, "a key has question, filter: make the dictionary with `python -m rag ddl`"),
        ('{"question":1,"filter":""}', 422, "a key has question, filter"),
        ("[]", 422, "a key has question, filter"),
        ("{", 422, "a key is no JSON"),
        pytest.param("[" * 100_000, 422, "a key is no JSON", id="nested"),
        ('{"question":"\\ud83d","filter":""}', 422, "a key is no JSON"),
        pytest.param(
            "\n".join(f'{{"question":"{n}","filter":""}}' for n in range(MOST_KEYS + 1)),
            413,
            "1,001 questions",
            id="many",
        ),
    ],
)
def test_what_no_dictionary_of_ours_sends_is_refused_as_a_whole(
    http: httpx2.Client, body: str, status: int, sentence: str
) -> None:
    reply = http.post("/v1/sql/answers", content=body)
    assert (reply.status_code, sentence in reply.json()["error"]["message"]) == (status, True)


def test_a_server_that_fails_before_the_first_row_says_so_by_its_status_and_later_in_the_row(
    http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.serve import answers

    honest = answers.answered

    def fails(library: Library, asked: Any) -> Any:
        if asked.question == QUESTION:
            raise StoreError("the store is away: wait")
        return honest(library, asked)

    monkeypatch.setattr(answers, "answered", fails)
    keys = [json.dumps({"question": question, "filter": ""}) for question in ("the dog", QUESTION)]
    later = http.post("/v1/sql/answers", content="\n".join(keys))
    told = [(row["status"], row["error"]) for row in map(json.loads, later.text.splitlines())]
    assert told == [(200, ""), (503, "the store is away: wait")]
    first = http.post("/v1/sql/answers", content=keys[1])
    assert (first.status_code, first.json()["error"]["message"]) == (503, "the store is away: wait")


# From a server


def test_one_select_has_the_answer_and_its_citations_and_asks_once(
    server: Server, database: str, running: Running
) -> None:
    expected = running.library.ask(QUESTION)
    before = len(asked_of(running))
    (row,) = rows(server, f"SELECT answer, answered, citations FROM rag_answer(question = '{QUESTION}')", database)
    assert row["answer"] == expected.text
    assert row["answered"]
    assert [(one["source"], one["start"], one["end"], one["page"]) for one in row["citations"]] == [
        (one.source, one.start, one.end, None) for one in expected.citations
    ]
    sources = f"SELECT citations.source[1] AS source FROM rag_answer(question = '{QUESTION}') WHERE answered"
    assert rows(server, sources, database) == [{"source": expected.citations[0].source}]
    lines = asked_of(running)[before:]
    assert [(line["path"], line["question"]) for line in lines] == [("/v1/sql/answers", QUESTION)] * 2


def test_rag_search_has_a_row_for_each_hit_the_best_first(server: Server, database: str, running: Running) -> None:
    found = rows(server, f"SELECT * FROM rag_search(question = '{QUESTION}', k = 2)", database)
    hits = running.library.search(QUESTION, k=2)
    assert [(row["source"], row["start"], row["text"], row["document_id"]) for row in found] == [
        (hit.source, hit.start, hit.text, str(hit.document_id)) for hit in hits
    ]
    assert [row["score"] for row in found] == pytest.approx([hit.score for hit in hits])


def test_a_user_who_may_only_read_asks_as_well(server: Server, database: str, running: Running) -> None:
    answer = server.ask(f"SELECT answer FROM rag_answer(question = '{QUESTION}')", database, user="reader")
    assert answer == running.library.ask(QUESTION).text


@pytest.mark.parametrize("question", ["Wo ist 'Müllers' Katze? {1..3} * | %41 \\ \"", "the\ncat\t猫"])
def test_any_text_is_asked_as_it_stands(server: Server, database: str, running: Running, question: str) -> None:
    quoted = question.replace("\\", "\\\\").replace("'", "\\'")
    rows(server, f"SELECT question FROM rag_answer(question = '{quoted}')", database)
    assert asked_of(running)[-1]["question"] == question


def test_each_row_of_a_table_is_answered_with_one_request(server: Server, database: str, running: Running) -> None:
    server.ask("CREATE TABLE tickets (id UInt8, body String) ENGINE = MergeTree ORDER BY id", database)
    server.ask(f"INSERT INTO tickets VALUES (1, '{QUESTION}'), (2, ''), (3, 'the dog'), (4, '{QUESTION}')", database)
    before = len(asked_of(running))
    statement = """
        SELECT id, found.answer AS answer, found.error AS error
        FROM (SELECT id, dictGet('rag_answers', ('answer', 'error'), (body, '')) AS found FROM tickets) ORDER BY id"""
    first, bad, _, again = rows(server, statement, database)
    assert first["answer"] == again["answer"] == running.library.ask(QUESTION).text
    assert (bad["answer"], bad["error"]) == ("", "question: it is empty")
    assert len(asked_of(running)) == before + 1


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("SELECT answer FROM rag_answer(question = ' ')", "the question is empty: write it between quotes"),
        ("SELECT source FROM rag_search(question = 'x', k = 101)", "k: input should be less than or equal to 100"),
        ("SELECT source FROM rag_search(question = '', k = 1)", "'question: it is empty'"),
        ("SELECT source FROM rag_search(question = 'x', k = 65537)", "k: input should be less than or equal to 100"),
        ("SELECT * FROM rag_answers", "ask with dictGet, rag_answer() or rag_search()"),
    ],
)
def test_a_question_that_cannot_be_asked_fails_with_the_servers_sentence(
    server: Server, database: str, statement: str, sentence: str
) -> None:
    with pytest.raises(AssertionError, match="Exception") as raised:
        server.ask(statement, database)
    assert sentence in str(raised.value)


def test_a_server_that_refuses_is_asked_once_and_its_sentence_is_the_error(
    server: Server, database: str, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(call: Callable[[], Any]) -> Any:
        raise Refused(429, "34 requests are in work or waiting, the most there may be: try again", "busy")

    monkeypatch.setattr(running.service.bench, "_admit", refuses)
    before = len(asked_of(running))
    with pytest.raises(AssertionError, match="RECEIVED_ERROR_TOO_MANY_REQUESTS") as raised:
        server.ask(f"SELECT answer FROM rag_answer(question = '{QUESTION}')", database)
    assert "the most there may be: try again" in str(raised.value)
    assert len(asked_of(running)) == before + 1


def test_the_token_is_sent_and_shown_to_nobody(
    server: Server, library: Library, documents: Path, install: Callable[..., None]
) -> None:
    database = server.new_database()
    with serving(library, documents, Access(token=TOKEN)) as guarded:
        install(database, "--url", guarded.url, "--token", "wrong")
        with pytest.raises(AssertionError, match="this server wants its token"):
            server.ask(f"SELECT answer FROM rag_answer(question = '{QUESTION}')", database)
        install(database, "--url", guarded.url, "--token", TOKEN.replace(" ", "-"))
        assert len(asked_of(guarded)) == 0
    with serving(library, documents, Access(token=TOKEN.replace(" ", "-"))) as guarded:
        install(database, "--url", guarded.url, "--token", TOKEN.replace(" ", "-"))
        (row,) = rows(server, f"SELECT answered FROM rag_answer(question = '{QUESTION}')", database)
        assert row["answered"]
    shown = [
        server.ask(f"SHOW CREATE {kind} {name} FORMAT TSVRaw", database)
        for kind, name in (("DICTIONARY", "rag_answers"), ("DICTIONARY", "rag_hits"), ("VIEW", "rag_answer"))
    ]
    shown.append(server.ask(f"SELECT * FROM system.tables WHERE database = '{database}'", database))
    assert TOKEN.replace(" ", "-") not in "".join(shown)
    assert "wrong" not in "".join(shown)


# A server that is away


def test_a_server_that_is_away_fails_at_once_and_our_client_says_what_to_do(
    server: Server, install: Callable[..., None]
) -> None:
    database = server.new_database()
    install(database, "--url", f"http://127.0.0.1:{free_port()}")
    with closing(Client(parse_location(server.dsn(database)))) as client, pytest.raises(StoreError) as raised:
        client.text(f"SELECT answer FROM rag_answer(question = '{QUESTION}')", None, None)
    assert "start the server there (`python -m rag serve`)" in str(raised.value)


ANSWER_TICKETS = """
    SELECT ticket, found.answer AS answer, found.error AS error
    FROM (SELECT id AS ticket, dictGet('rag_answers', ('answer', 'status', 'error'), (body, '')) AS found FROM {tickets})
    WHERE found.status IN (200, 422)"""
UNANSWERED = "(SELECT id, body FROM tickets WHERE id NOT IN (SELECT ticket FROM ticket_answers) ORDER BY id LIMIT 100)"


@pytest.fixture
def shop(server: Server, install: Callable[..., None]) -> str:
    """A database with tickets, which asks a server that is away."""
    name = server.new_database()
    install(name, "--url", f"http://127.0.0.1:{free_port()}")
    server.ask("CREATE TABLE tickets (id UInt8, body String) ENGINE = MergeTree ORDER BY id", name)
    server.ask(
        "CREATE TABLE ticket_answers (ticket UInt8, answer String, error String) ENGINE = MergeTree ORDER BY ticket",
        name,
    )
    return name


def refresh(server: Server, database: str) -> None:
    for verb in ("REFRESH", "WAIT"):
        server.ask(f"SYSTEM {verb} VIEW answer_tickets", database)


def test_a_refreshed_view_answers_what_came_while_the_server_was_away_each_ticket_once(
    server: Server, shop: str, running: Running, install: Callable[..., None]
) -> None:
    query = ANSWER_TICKETS.format(tickets=UNANSWERED)
    server.ask(
        f"CREATE MATERIALIZED VIEW answer_tickets REFRESH EVERY 1 YEAR APPEND TO ticket_answers AS {query}", shop
    )
    server.ask(f"INSERT INTO tickets VALUES (1, '{QUESTION}'), (2, ' ')", shop)
    with pytest.raises(AssertionError, match="Connection refused"):
        refresh(server, shop)
    assert rows(server, "SELECT id FROM tickets ORDER BY id", shop) == [{"id": 1}, {"id": 2}]
    install(shop, "--url", running.url)
    refresh(server, shop)
    server.ask("INSERT INTO tickets VALUES (3, 'the dog')", shop)
    before = len(asked_of(running))
    refresh(server, shop)
    refresh(server, shop)
    assert [line["question"] for line in asked_of(running)[before:]] == ["the dog"]
    first, bad, third = rows(server, "SELECT * FROM ticket_answers ORDER BY ticket", shop)
    assert (first["answer"], first["error"]) == (running.library.ask(QUESTION).text, "")
    assert (bad["answer"], bad["error"]) == ("", "the question is empty: write it between quotes")
    assert third["answer"] == running.library.ask("the dog").text


def test_a_view_that_answers_at_once_fails_the_insert_unless_errors_of_views_are_ignored(
    server: Server, shop: str, running: Running, install: Callable[..., None]
) -> None:
    query = ANSWER_TICKETS.format(tickets="tickets")
    server.ask(f"CREATE MATERIALIZED VIEW answer_at_once TO ticket_answers AS {query}", shop)
    with pytest.raises(AssertionError, match="Connection refused"):
        server.ask("INSERT INTO tickets VALUES (1, 'lost?')", shop)
    server.ask("INSERT INTO tickets SETTINGS materialized_views_ignore_errors = 1 VALUES (2, 'kept')", shop)
    assert {"id": 2} in rows(server, "SELECT id FROM tickets", shop)
    install(shop, "--url", running.url)
    before = len(asked_of(running))
    server.ask(f"INSERT INTO tickets VALUES (3, '{QUESTION}')", shop)
    (row,) = rows(server, "SELECT ticket, answer FROM ticket_answers", shop)
    assert row == {"ticket": 3, "answer": running.library.ask(QUESTION).text}
    assert len(asked_of(running)) == before + 1


# As the engine's own functions ask, and from chDB


def test_the_engines_own_functions_ask_by_the_collections_that_ddl_makes(
    server: Server, database: str, running: Running
) -> None:
    said = server.ask(f"SELECT aiGenerate('{QUESTION}', map('credentials', 'rag_chat'))", database)
    assert said.startswith(running.library.ask(QUESTION).text)
    encoder = running.library.encoder
    vector = server.ask(
        f"SELECT aiEmbed('the cat', '{encoder.config.model}', map('credentials', 'rag_embed'))", database
    )
    assert json.loads(vector) == pytest.approx(encoder.encode_documents(["the cat"])[0].tolist(), abs=1e-6)


def test_a_store_of_chdb_asks_the_server_that_serves_it(running: Running, printed: Callable[..., list[str]]) -> None:
    with closing(Client(running.library.store.client.location)) as client:
        for statement in printed("--url", running.url):
            client.text(statement, None, None)
        (row,) = client.rows(f"SELECT answer, citations FROM rag_answer(question = '{QUESTION}')")
        expected = running.library.ask(QUESTION)
        assert row["answer"] == expected.text
        assert [one["start"] for one in row["citations"]] == [one.start for one in expected.citations]


# The command


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "http://127.0.0.1:8000/v1", "http://ada:x@h", "http://h'", "file:///etc"]
)
def test_an_address_is_that_of_a_server_alone(url: str) -> None:
    with pytest.raises(UsageError, match="give the address of the server alone"):
        command(["ddl", "--url", url])


@pytest.mark.parametrize("port", [0, 65_536])
def test_an_address_has_a_port_that_there_is(port: int) -> None:
    with pytest.raises(UsageError, match=f"--url http://h:{port}: a port is 1 to 65535"):
        command(["ddl", "--url", f"http://h:{port}"])
