"""The query log: what is kept of a question, why it was answered so, what it finds now, and that it harms no search."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from support import PROJECT, hash_encoder

import ingest
from rag.commands.command_line import command
from rag.evaluate.replay import replay_query
from rag.library import Library
from sql.base.errors import EXIT_ERROR, EXIT_NOTHING_FOUND, EXIT_OK, EXIT_USAGE, StoreError, UsageError
from sql.base.settings import read_settings
from sql.base.terminal import run_command
from sql.engine.embedded import ENGINES
from sql.records.queries import LoggedQuery, Retention
from sql.store import Store
from sql.store.query_log import NoSuchQuery, QueryLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from server import Server

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer

pytestmark = pytest.mark.either_back_end

EVIL = "cat's \\ \"mat\"\n\ttab, ünï 猫\x00 {x:String} %s '); DROP TABLE chunks"
TEXTS = {"cat.md": "# The cat\n\nThe cat sat on the mat.\n", "dog.txt": "The dog runs to the cat.\n"}


@pytest.fixture
def encoder(tokenizer: Tokenizer) -> Encoder:
    return hash_encoder(tokenizer)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    for name, text in TEXTS.items():
        (place / name).write_text(text)
    return place


@pytest.fixture
def place(location: str, folder: Path, encoder: Encoder) -> str:
    """A store that is filled, on either back end."""
    fill(location, folder, encoder)
    return location


def fill(location: str, folder: Path, encoder: Encoder) -> None:
    with Library(Store.open(location, write=True), lambda: encoder) as library:
        ingest.sync(library, [folder])


def open_logging(location: str, encoder: Encoder, said: Callable[[str], None] = lambda sentence: None) -> Library:
    """A library that is open for reading and logs."""
    store = Store.open(location)
    return Library(store, lambda: encoder, log=QueryLog(store, said))


def logged(location: str) -> list[dict[str, Any]]:
    with Store.open(location) as store:
        return QueryLog(store).newest(100)


def test_a_question_is_kept_with_its_hits_scores_and_answer(place: str, encoder: Encoder) -> None:
    ids: list[UUID] = []
    with open_logging(place, encoder) as library:
        hits = library.search(EVIL, k=2, filter={"source": {"$like": "%"}}, logged=ids.append)
        answer = library.ask("where sat the cat")
        ids.append(UUID(answer.query_id))
        assert library.search("cat", vector=encoder.encode_query("cat"), k=1, logged=ids.append)
        kept = QueryLog(library.store)
        (search,) = kept.newest(1, str(ids[0]))
        _, rows = kept.explain(ids[0])
        (asked,) = kept.newest(1, str(ids[1]))
        epoch = library.store.epoch()
    assert len(set(ids)) == 3
    assert search["question"] == EVIL
    assert json.loads(search["request"])["filter"] == {"source": {"$like": "%"}}
    assert (search["kind"], search["epoch"], search["answered"], search["hit_count"]) == ("search", epoch, 1, len(hits))
    for row, hit in zip(rows, hits, strict=True):
        assert (row["source"], row["char_start"], row["char_end"], row["text"]) == (
            hit.source,
            hit.start,
            hit.end,
            hit.text,
        )
        assert (row["score"], row["vector_score"]) == (hit.score, hit.vector_score)
        assert row["bm25_score"] == hit.bm25_score
    assert rows[0]["stages"][0] == "encode"
    assert {"search", "epoch"} & set(rows[0]["stages"]) or "words" in rows[0]["stages"]
    assert 0 < sum(rows[0]["stage_milliseconds"]) <= rows[0]["milliseconds"]
    assert (asked["kind"], asked["answer"], bool(asked["answered"])) == ("ask", answer.text, answer.answered)


def test_nothing_is_kept_unless_it_was_wanted(place: str, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    import rag

    monkeypatch.setenv("RAG_LOG_QUERIES", "")
    with Library(Store.open(place), lambda: encoder) as library:
        library.search("cat")
        library.ask("cat")
    assert logged(place) == []
    with rag.open(place) as opened:
        assert opened.log is None
    monkeypatch.setenv("RAG_LOG_QUERIES", "1")
    with rag.open(place) as opened:
        assert opened.log is not None
    with rag.open(place, log=False) as opened:
        assert opened.log is None


def test_a_log_that_cannot_be_written_fails_no_search_and_says_so_once(
    place: str, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    ids: list[UUID] = []
    with open_logging(place, encoder, said.append) as library:

        def refuse(*_arguments: Any) -> None:
            raise StoreError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr("sql.engine.client.Client.insert", refuse)
            for _ in range(2):
                assert library.search("cat", logged=ids.append)
        assert said == ["the query was not logged: the disk is full"]
        assert ids == []
        assert library.search("cat", logged=ids.append)
        assert len(ids) == 1
        half = LoggedQuery("search", "half a character: \ud800", {}, 1, (), answered=False, milliseconds=1.0)
        assert library.log is not None
        assert not library.log.write(half)


HOLDER = """
import sys, time
from sql.store import Store
with Store.open(sys.argv[1], write=True):
    print("open", flush=True)
    time.sleep(60)
"""


def test_a_search_beside_an_ingest_finds_its_hits_and_stays_unlogged(
    folder: Path, encoder: Encoder, tmp_path: Path
) -> None:
    place = str(tmp_path / "store")
    fill(place, folder, encoder)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, place], cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    said: list[str] = []
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with open_logging(place, encoder, said.append) as library:
            assert len(library.search("the cat", k=2)) == 2
            holder.send_signal(signal.SIGINT)
            holder.wait(20)
            deadline = time.monotonic() + 20
            while not logged_in(library) and time.monotonic() < deadline:
                library.search("the dog", k=1)
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout:
            holder.stdout.close()
    assert said == ["the query was not logged: another process has the store"]
    assert {row["question"] for row in logged(place)} == {"the dog"}  # as soon as the store is free


def logged_in(library: Library) -> list[dict[str, Any]]:
    return QueryLog(library.store).newest(1)


def test_a_logging_reader_lets_others_read_and_write_afterwards(place: str, folder: Path, encoder: Encoder) -> None:
    with open_logging(place, encoder) as library:
        library.search("cat")
    (folder / "new.txt").write_text("A new cat.\n")
    fill(place, folder, encoder)
    assert len(logged(place)) == 1
    with Store.open(place) as store:
        assert len(store.snapshot().documents()) == 3
        assert store.snapshot().damaged_documents() == []


def test_a_reader_that_gives_way_to_writers_keeps_nothing_open_between_two_questions(
    folder: Path, encoder: Encoder, tmp_path: Path
) -> None:
    place = str(tmp_path / "store")
    fill(place, folder, encoder)
    store = Store.open(place, yields=True)
    ids: list[UUID] = []
    with Library(store, lambda: encoder, log=QueryLog(store)) as library:
        for question in ("cat", "dog"):
            library.search(question, logged=ids.append)
            assert ENGINES.engine is not None
            assert ENGINES.engine.clients == 1
    assert len(ids) == 2


@pytest.mark.slow
def test_a_user_of_a_server_who_may_only_read_is_answered_and_told_once_that_nothing_is_kept(
    server: Server, folder: Path, encoder: Encoder
) -> None:
    database = server.new_database()
    fill(server.dsn(database), folder, encoder)
    said: list[str] = []
    with open_logging(server.dsn(database, user="reader"), encoder, said.append) as library:
        for question in ("cat", "dog"):
            assert library.search(question)
    assert len(said) == 1
    assert said[0].startswith("the query was not logged: ")
    assert logged(server.dsn(database)) == []


# Explain and replay


def test_a_query_is_named_by_the_beginning_of_its_id(place: str, encoder: Encoder) -> None:
    with open_logging(place, encoder) as library:
        for question in ("cat", "dog"):
            library.search(question)
        log = QueryLog(library.store)
        newest, _ = log.newest(2)
        assert log.find(str(newest["query_id"])[:13].upper())["question"] == "dog"
        with pytest.raises(NoSuchQuery, match="no logged query has an id"):
            log.find("zz")
        with pytest.raises(NoSuchQuery, match="no logged query has an id"):
            log.find("")


def test_a_replay_finds_the_same_at_its_epoch_and_what_is_new_today(place: str, folder: Path, encoder: Encoder) -> None:
    ids: list[UUID] = []
    with open_logging(place, encoder) as library:
        library.search("the cat", k=2, ranking="words", logged=ids.append)
    (folder / "third.txt").write_text("The cat, the cat, the cat.\n")
    fill(place, folder, encoder)
    said: list[str] = []
    with Library(Store.open(place), lambda: encoder) as library:
        then = replay_query(library, str(ids[0]), announce=said.append)
        now = replay_query(library, str(ids[0]), today=True)
    assert (then.same_hits, then.epoch, said) == (True, then.logged["epoch"], [])
    assert not now.same_hits
    assert [place[0] for place, _ in now.new] == [str(folder / "third.txt")]
    assert len(now.gone) == 1
    assert now.record()["epoch_now"] == now.epoch > now.record()["epoch_then"]
    assert len(logged(place)) == 1  # a replay is not logged


def test_a_replay_at_an_epoch_that_is_gone_asks_today_and_says_so(place: str, folder: Path, encoder: Encoder) -> None:
    ids: list[UUID] = []
    with open_logging(place, encoder) as library:
        with library.ask_stream("where is the dog") as events:
            *_, finished = events
        ids.append(UUID(finished.answer.query_id))  # type: ignore[union-attr]
    (folder / "dog.txt").write_text("The dog sat here.\n")
    fill(place, folder, encoder)
    with Store.open(place, write=True) as store:
        store.garbage.collect_unseen(0)
        _, rows = QueryLog(store).explain(ids[0])
    assert [bool(row["text"]) for row in rows if row["source"].endswith("dog.txt")] == [False]
    said: list[str] = []
    with Library(Store.open(place), lambda: encoder) as library:
        found = replay_query(library, str(ids[0]), announce=said.append)
    assert len(said) == 1
    assert "no longer kept whole" in said[0]
    assert found.epoch > found.logged["epoch"]


def test_a_query_with_a_reranker_of_the_callers_own_is_not_replayed(place: str, encoder: Encoder) -> None:
    class Backwards:
        def scores(self, question: str, texts: list[str]) -> list[float]:
            return [-float(len(text)) for text in texts if question]

    ids: list[UUID] = []
    with open_logging(place, encoder) as library:
        library.search("cat", reranker=Backwards(), logged=ids.append)
        with pytest.raises(UsageError, match="ranked by Backwards"):
            replay_query(library, str(ids[0]))


# Retention


def test_only_the_newest_queries_are_kept_where_that_was_said_and_no_document_goes(
    place: str, encoder: Encoder
) -> None:
    with open_logging(place, encoder) as library:
        for number in range(5):
            library.search(f"cat {number}", ranking="words")
            time.sleep(0.002)  # queries of one millisecond go together
    with Store.open(place, write=True) as store:
        before = len(store.snapshot().documents())
        assert QueryLog(store).keep("2") == 3
        assert QueryLog(store).retention == Retention(newest=2)
        assert len(store.snapshot().documents()) == before
        assert store.snapshot().damaged_documents() == []
    assert [row["question"] for row in logged(place)] == ["cat 4", "cat 3"]
    with open_logging(place, encoder) as library:  # the first query of a process looks
        library.search("cat 5")
    assert [row["question"] for row in logged(place)] == ["cat 5", "cat 4"]
    with Store.open(place, write=True) as store:
        assert QueryLog(store).keep("0") == 2
        assert QueryLog(store).keep("all") == 0
    assert logged(place) == []


def test_queries_of_an_age_are_forgotten(place: str, encoder: Encoder) -> None:
    with open_logging(place, encoder) as library:
        library.search("new")
    with Store.open(place, write=True) as store:
        copied = (
            "INSERT INTO queries SELECT * REPLACE (generateUUIDv4() AS query_id, now64(3) - INTERVAL 3 DAY AS asked_at, "
            "'old' AS question) FROM queries"
        )
        store.client.rows(copied)
        assert {row["question"] for row in QueryLog(store).newest(9)} == {"new", "old"}
        assert QueryLog(store).keep("4d") == 0
        assert QueryLog(store).keep("2d") == 1
        assert [row["question"] for row in QueryLog(store).newest(9)] == ["new"]


@pytest.mark.parametrize(("value", "on"), [("1", True), ("yes", True), ("0", False), ("off", False), ("", False)])
def test_the_switch_of_the_log_is_on_or_off(value: str, on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LOG_QUERIES", value)
    assert read_settings().log_queries is on


def test_a_switch_that_says_neither_on_nor_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LOG_QUERIES", "90d")
    with pytest.raises(UsageError, match="RAG_LOG_QUERIES=90d: it is a switch, so give 1 or 0"):
        read_settings()


@pytest.mark.parametrize("text", ["90", "90d", "12h", "all", ""])
def test_how_long_queries_are_kept_can_be_said_by_number_and_age(text: str) -> None:
    assert Retention.from_text(text) == {
        "90": Retention(newest=90), "90d": Retention(hours=2160), "12h": Retention(hours=12),
    }.get(text, Retention())  # fmt: skip


@pytest.mark.parametrize("text", ["-1", "3w", "d", "1.5d", "forever", "99999999999"])
def test_how_long_queries_are_kept_is_refused_where_it_means_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="write 90d, 12h, 1000"):
        Retention.from_text(text)


def test_a_query_without_words_is_no_query() -> None:
    with pytest.raises(ValueError, match="nobody could ask it again"):
        LoggedQuery("search", "", {}, 1, (), answered=False, milliseconds=1.0)


# Commands


@pytest.fixture
def asked(tmp_path: Path, folder: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A folder of a store, whose commands encode by hashes."""
    place = str(tmp_path / "store")
    fill(place, folder, encoder)
    monkeypatch.setattr("rag.library.Library._load_encoder", lambda *_arguments, **_options: encoder)
    monkeypatch.setenv("RAG_LOG_QUERIES", "")
    return place


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run_command(command, list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_commands_keep_list_explain_and_replay(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    db = ("--db", asked)
    assert run(capsys, "log", *db) == (
        EXIT_NOTHING_FOUND,
        "No query was kept: --log or RAG_LOG_QUERIES=1 keeps those that are asked.\n",
        "",
    )
    _, out, _ = run(capsys, "search", "the cat", "--json", *db)
    assert "query_id" not in json.loads(out)
    _, out, _ = run(capsys, "search", "the cat", "--json", "--log", *db)
    identity = json.loads(out)["query_id"]
    run(capsys, "ask", "who is there", "--log", *db)

    code, out, err = run(capsys, "log", *db)
    assert (code, err, out.count("\n")) == (EXIT_OK, "", 2)
    assert f"{identity[:8]}  " in out
    assert out.endswith("  the cat\n")
    listed = json.loads(run(capsys, "log", "--json", "-n", "1", *db)[1])["queries"]
    assert [one["question"] for one in listed] == ["who is there"]

    code, out, _ = run(capsys, "explain", identity[:8], "--show-sql", *db)
    assert code == EXIT_OK
    assert out.startswith(f"SET param_query_id = '{identity}';")
    assert "rank   score    int8    bm25   cited" in out
    explained = json.loads(run(capsys, "explain", identity, "--json", *db)[1])
    assert explained["hits"][0]["rank"] == 1
    assert explained["hits"][0]["text"]

    code, out, _ = run(capsys, "replay", identity, *db)
    assert (code, out.splitlines()[2]) == (EXIT_OK, "the same 2 hits in the same order")
    assert json.loads(run(capsys, "replay", identity, "--today", "--json", *db)[1])["same_hits"] is True

    assert run(capsys, "log", "--keep", "1", *db)[:2] == (EXIT_OK, "queries are kept: 1; 1 forgotten\n")
    assert run(capsys, "explain", identity, *db)[0] == EXIT_ERROR
    assert run(capsys, "log", "--keep", "3w", *db)[0] == EXIT_USAGE
    assert run(capsys, "log", "-n", "0", *db)[0] == EXIT_USAGE
