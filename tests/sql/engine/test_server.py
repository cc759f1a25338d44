"""A store on a real server: who may do what, what an error says, and that every call ends in time."""

from __future__ import annotations

import logging
import random
import subprocess
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from commands_here import run_main
from crash_worker import version_texts, whole_versions
from server import TABLES, Fault, Proxy, Server
from support import (
    DIMENSIONS,
    QUANTIZER,
    chunks_of,
    draft_document,
    identity,
    open_store,
    publish_document,
    search,
    source_document,
    vectors_of,
    visible_texts,
)

import sql.store.writer
from rag.int8.quantization import quantize_query
from sql.base.errors import NoStore, StoreBusy, StoreError, StoreMismatch, StoreUnreachable
from sql.engine.client import Client
from sql.engine.lease import PublishLease
from sql.engine.location import parse_location
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sql.engine.statements import Statement

QUERY = quantize_query(np.ones(DIMENSIONS, dtype=np.float32))
CHUNKS_COME = b"INTO+%60chunks%60"  # in the address: the body is compressed
MANIFEST_COMES = b"INTO+%60manifest%60"


def new_store(server: Server) -> str:
    """A database with a store of two documents."""
    name = server.new_database()
    with open_store(server.dsn(name)) as store:
        publish_document(store, "a.txt", ["one", "two"])
        publish_document(store, "b.txt", ["three"])
    return name


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """One for a test that changes it."""
    name = new_store(server)
    yield name
    server.ask(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[str]:
    """One for all tests that only read it, or try to."""
    name = new_store(server)
    before = rows_of(server, name)
    yield name
    assert rows_of(server, name) == before


def rows_of(server: Server, database: str) -> list[str]:
    """Everything in the database, table by table."""
    tables = server.ask("SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY 1", database)
    return [
        tables,
        *(server.ask(f"SELECT * FROM {table} ORDER BY ALL", database) for table in TABLES if table in tables.split()),
    ]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    files = (tmp_path / "cert.pem", tmp_path / "key.pem")
    subprocess.run([*command.split(), "-out", str(files[0]), "-keyout", str(files[1])], check=True, capture_output=True)
    return files


# Opening


def test_the_database_of_a_new_store_is_made_by_a_user_who_may(server: Server) -> None:
    name = f"{server.new_database()}_new"
    for opening in (lambda: Store.open(server.dsn(name)), lambda: Store.open(server.dsn(name, "writer"), write=True)):
        with pytest.raises(NoStore, match="the database does not exist: create it, or ingest as a user who may"):
            opening()
    with open_store(server.dsn(name)) as store:
        publish_document(store, "a.txt", ["one"])
        assert visible_texts(store) == {"a.txt": ["one"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pass%2Fwo", "guess"), "the server does not accept the user and password in --db"),
        (("maintainer:", "nobody:"), "the server does not accept the user and password in --db"),
        (("clickhouse://", "clickhouses://"), "no TLS with this server"),
        (("127.0.0.1", "no-such-host.invalid"), "there is no host with this name"),
    ],
)
def test_a_wrong_account_scheme_or_host_is_one_sentence(
    server: Server, shared: str, change: tuple[str, str], message: str
) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Store.open(server.dsn(shared).replace(*change))
    assert "\n" not in str(caught.value)
    assert "pass" not in str(caught.value).replace("password", "")


def test_an_engine_whose_dot_product_wraps_is_refused_with_the_remedy(
    server: Server, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Client.query

    def wrapped(self: Client, statement: Statement) -> list[dict[str, object]]:
        rows = real(self, statement)
        return [row | {"product": 1024} for row in rows] if statement.name == "probe" else rows

    monkeypatch.setattr(Client, "query", wrapped)
    with pytest.raises(StoreMismatch, match=r"computes dot products of integers that are not exact .* or newer"):
        Store.open(server.dsn(shared))


def test_a_store_from_before_the_lease_gets_one_when_its_maintainer_writes(server: Server, database: str) -> None:
    server.ask("DROP TABLE lease SYNC", database)
    with (
        Store.open(server.dsn(database, "writer"), write=True) as store,
        pytest.raises(StoreError, match=r"the user writer may not do this: .*CREATE TABLE"),
    ):
        store.prepare(identity(), QUANTIZER)
    with open_store(server.dsn(database)) as store:
        publish_document(store, "c.txt", ["four"])
        assert len(visible_texts(store)) == 3


# TLS


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_tls_needs_a_certificate_that_is_trusted_by_name_or_not_checked(
    server: Server, shared: str, certificate: tuple[Path, Path]
) -> None:
    with Proxy(server.http, certificate) as proxy:
        dsn = server.dsn(shared, port=proxy.port).replace("clickhouse://", "clickhouses://")
        with pytest.raises(StoreError, match=r"certificate is not trusted: name its authority with \?ca_cert=FILE"):
            Store.open(dsn)
        for options in (f"ca_cert={certificate[0]}", "verify=0"):
            with Store.open(f"{dsn}?{options}") as store:
                assert visible_texts(store) == {"a.txt": ["one", "two"], "b.txt": ["three"]}
        with pytest.raises(StoreError, match=r"the connection was cut|no answer"):
            Store.open(dsn.replace("clickhouses://", "clickhouse://") + "?timeout=3")


# Rights


def what_is_stored(server: Server, database: str) -> list[str]:
    """Everything in the database, and the names of all databases."""
    return [server.ask("SELECT name FROM system.databases ORDER BY 1"), *rows_of(server, database)]


def test_a_reader_may_ask_and_search_and_nothing_else(server: Server, shared: str) -> None:
    before = what_is_stored(server, shared)
    with Store.open(server.dsn(shared, "reader")) as store:
        assert visible_texts(store) == {"a.txt": ["one", "two"], "b.txt": ["three"]}
        assert {hit.text for hit in search(store, QUERY, 3)} == {"one", "two", "three"}
        for statement in (
            "INSERT INTO manifest SELECT * FROM manifest",
            "DELETE FROM chunks WHERE 1",
            "ALTER TABLE chunks DELETE WHERE 1",
            "DROP TABLE chunks",
            "TRUNCATE TABLE manifest",
            "CREATE TABLE other (a UInt8) ENGINE = Memory",
            "CREATE DATABASE rag_other",
            "SELECT * FROM file('/etc/hostname', 'LineAsString')",
            "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
            "SET readonly = 0",
        ):
            with pytest.raises(StoreError, match=r"may not do this|opened read-only"):
                store.client.text(statement, None)
    assert what_is_stored(server, shared) == before


def test_opening_as_a_reader_sends_nothing_that_writes(server: Server, shared: str) -> None:
    with Store.open(server.dsn(shared, "reader"), write=True) as store:  # as a careless caller might
        store.prepare(identity(), QUANTIZER)
        assert store.garbage.collect_superseded() == 0
        with pytest.raises(StoreError, match=r"the user reader may not do this: .*INSERT"):
            publish_document(store, "c.txt", ["four"])
        assert len(visible_texts(store)) == 2


def test_a_writer_may_insert_and_publish_and_leaves_garbage_and_definitions_to_the_maintainer(
    server: Server, database: str
) -> None:
    with Store.open(server.dsn(database, "writer"), write=True) as store:
        store.prepare(identity(), QUANTIZER)
        publish_document(store, "a.txt", ["new"])
        assert visible_texts(store) == {"a.txt": ["new"], "b.txt": ["three"]}
        assert store.garbage.collect_superseded(grace_seconds=0) == 0
        for statement in ("DELETE FROM chunks WHERE 1", "DROP TABLE chunks", "ALTER TABLE chunks DROP COLUMN page"):
            with pytest.raises(StoreError, match=r"the user writer may not do this"):
                store.client.text(statement, None)
    assert server.ask("SELECT count() FROM chunks", database) == "4"
    with Store.open(server.dsn(database), write=True) as store:
        assert store.garbage.collect_superseded(grace_seconds=0) == 1
    assert server.ask("SELECT count() FROM chunks", database) == "2"


# Garbage


def test_what_was_replaced_is_deleted_on_a_server_only_after_the_grace_period(server: Server, database: str) -> None:
    with Store.open(server.dsn(database), write=True) as store:
        publish_document(store, "a.txt", ["new"])
        store.writer.publish([], [document for document in store.snapshot().documents() if document.source == "b.txt"])
        assert store.garbage.collect_superseded(grace_seconds=3600) == 0
        time.sleep(0.2)
        assert store.garbage.collect_superseded(grace_seconds=0.1) == 2
        assert visible_texts(store) == {"a.txt": ["new"]}
    assert server.ask("SELECT count() FROM chunks", database) == "1"


def test_drafts_of_another_run_survive_the_garbage_collection_of_a_server(server: Server, database: str) -> None:
    with Store.open(server.dsn(database), write=True) as one, Store.open(server.dsn(database), write=True) as other:
        draft = draft_document(one, "a.txt", ["newer"])
        fresh = draft_document(one, "c.txt", ["four"])
        publish_document(other, "b.txt", ["changed"])
        assert other.garbage.collect_superseded(grace_seconds=0) == 1
        one.writer.publish([draft, fresh])
        assert visible_texts(one) == {"a.txt": ["newer"], "b.txt": ["changed"], "c.txt": ["four"]}


# The lease


def test_two_runs_that_ask_for_the_same_token_see_the_same_winner(server: Server, database: str) -> None:
    with closing(Client(parse_location(server.dsn(database)))) as client:
        leases = [PublishLease(client, 60) for _ in range(5)]
        token = leases[0]._state()["token"] + 1
        threads = [threading.Thread(target=lease._ask_for, args=(token,)) for lease in leases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = {lease._state()["holder"] for lease in leases}
        client.text("OPTIMIZE TABLE lease FINAL", None)  # merged parts remember the order of their rows
        assert {lease._state()["holder"] for lease in leases} == winners
        assert len(winners) == 1


def test_a_lease_keeps_others_out_until_it_is_given_back_or_expires(server: Server, database: str) -> None:
    with closing(Client(parse_location(server.dsn(database)))) as client:
        one, other = PublishLease(client, 60), PublishLease(client, 0.5)
        hasty = PublishLease(client, -4.5)  # gives up after half a second
        with (
            one.held(),
            pytest.raises(StoreBusy, match="another run has been publishing for more than"),
            hasty.held(),
        ):
            pass
        with other.held() as token:
            other.require(token)
            time.sleep(0.6)
            with pytest.raises(StoreError, match="the lease to publish expired while this run held it"):
                other.require(token)
            with one.held():
                pass


def test_runs_that_publish_at_the_same_time_take_different_epochs_and_lose_nothing(
    server: Server, database: str
) -> None:
    epochs: list[int] = []
    failures: list[BaseException] = []

    def publish(number: int) -> None:
        try:
            with Store.open(server.dsn(database), write=True) as store:
                epochs.extend(publish_document(store, f"{number}-{part}.txt", ["words"]) for part in range(4))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(epochs) == list(range(3, 19))
    with Store.open(server.dsn(database)) as store:
        assert (len(store.snapshot().documents()), store.snapshot().damaged_documents()) == (18, [])


# Faults. The proxy stands between the store and the server.


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.http) as running:
        yield running


@pytest.mark.everyday("[0]", "[300]")
@pytest.mark.parametrize(
    "length",
    [*(0, 20, 300, 600), *(pytest.param(one, marks=pytest.mark.slow) for one in (1, 40, 100, 200, 400, 500, 700))],
)
def test_a_read_whose_answer_breaks_off_is_sent_again_and_never_taken_for_less_than_it_is(
    server: Server, shared: str, proxy: Proxy, length: int
) -> None:
    with Store.open(server.dsn(shared, port=proxy.port)) as store:
        proxy.fault = fault = Fault(cut_response_after=length, times=2)
        assert {hit.text for hit in search(store, QUERY, 3)} == {"one", "two", "three"}
        assert fault.struck == (2 if length < 600 else fault.struck)


@pytest.mark.parametrize(
    "length", [0, 200, *(pytest.param(one, marks=pytest.mark.slow) for one in (30, 100, 300, 400))]
)
def test_a_store_whose_opening_breaks_off_is_opened_anew_and_stays_read_only(
    server: Server, shared: str, proxy: Proxy, length: int
) -> None:
    for number in range(3):  # the driver asks for version, time zone and settings first
        proxy.fault = Fault(cut_response_after=length, times=number)
        with Store.open(server.dsn(shared, port=proxy.port)) as store:
            assert len(visible_texts(store)) == 2
            with pytest.raises(StoreError, match="opened read-only"):
                store.client.text("TRUNCATE TABLE manifest", None)


@pytest.mark.parametrize("length", [0, 20, 100, 300, 500])
def test_what_sql_prints_is_never_a_part_of_the_answer(server: Server, shared: str, proxy: Proxy, length: int) -> None:
    with Store.open(server.dsn(shared, port=proxy.port)) as store:
        whole = store.client.text("SELECT number FROM numbers(1000)", "TSV")
        proxy.fault = Fault(cut_response_after=length)
        with pytest.raises(StoreUnreachable):
            store.client.text("SELECT number FROM numbers(1000)", "TSV")
    assert len(whole.split()) == 1000


@pytest.mark.everyday("fault0", "fault3")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(swallow=True), "no answer within 1.5 s: try again, or allow more with"),
        (Fault(trickle=0.2), "no answer within 1.5 s: try again, or allow more with"),
        (Fault(cut_response_after=0), "the connection was cut"),
        (Fault(cut_request_after=10), "the connection was cut"),
    ],
)
def test_every_read_ends_within_its_timeout_with_one_sentence(
    server: Server, shared: str, proxy: Proxy, fault: Fault, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(server.dsn(shared, port=proxy.port, timeout=1.5)) as store:
        proxy.fault = fault
        with caplog.at_level(logging.DEBUG), pytest.raises(StoreUnreachable, match=message) as caught:
            store.epoch()
        assert "\n" not in str(caught.value)
        proxy.fault = Fault()
        assert store.epoch() == 2  # the store is usable again without being opened anew
    assert not [record for record in caplog.records if record.name.startswith("clickhouse_connect")]


def test_others_in_the_process_keep_what_the_driver_logs(
    server: Server, shared: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(server.dsn(shared)) as store, caplog.at_level(logging.DEBUG):
        logger = logging.getLogger("clickhouse_connect.driver._backend.http_sync")
        assert logger.isEnabledFor(logging.ERROR)
        logger.error("somebody else's")
        assert store.epoch() == 2
    assert "somebody else's" in caplog.text


def test_a_server_that_is_gone_is_one_sentence_for_every_command(
    server: Server, shared: str, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.refuse()
    (tmp_path / "a.txt").write_text("words")
    for command in (["rag", "search", "x"], ["ingest", str(tmp_path)], ["sql", "SELECT 1"]):
        finished = run_main(*command, "--db", server.dsn(shared, port=proxy.port))
        assert (finished.returncode, finished.stdout) == (1, "")
        assert finished.stderr == (
            f"error: clickhouse://127.0.0.1:{proxy.port}/{shared}: nothing listens there: "
            "start the server, or check host and port in --db\n"
        )


@pytest.mark.everyday("response-manifest", "request-chunks")
@pytest.mark.parametrize(
    "table", ["chunks", "manifest", *(pytest.param(one, marks=pytest.mark.slow) for one in ("texts", "lease"))]
)
@pytest.mark.parametrize("side", ["request", "response"])
def test_an_insert_that_was_cut_off_is_neither_lost_nor_doubled(
    server: Server, database: str, proxy: Proxy, table: str, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql.store.writer, "SETTLE_SECONDS", 0.1)
    with Store.open(server.dsn(database, port=proxy.port), write=True) as store:
        draft = store.writer.begin(source_document("c.html", extracted_text="some words"))
        word = b"INTO lease" if table == "lease" else f"INTO+%60{table}%60".encode()
        limits = {f"cut_{side}_after": 450 if side == "request" else 0}
        proxy.fault = fault = Fault(only_if=word, times=1, **limits)
        texts = ["four", "five"]
        store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(texts)], vectors_of(texts)))
        assert store.writer.publish([draft]) == 3
        assert fault.struck == 1
        assert visible_texts(store)["c.html"] == texts
        assert store.snapshot().damaged_documents() == []
    assert server.ask("SELECT count(), uniqExact(row_hash) FROM chunks", database) == "5\t5"
    assert server.ask("SELECT count() FROM texts", database) == "1"
    assert server.ask("SELECT count() FROM manifest", database) == "3"


def test_a_publication_on_a_server_that_stays_away_publishes_nothing_and_can_be_repeated(
    server: Server, database: str, proxy: Proxy
) -> None:
    with Store.open(server.dsn(database, port=proxy.port, timeout=10), write=True) as store:
        draft = draft_document(store, "c.txt", ["four"])
        proxy.fault = Fault(cut_request_after=0)
        with pytest.raises(StoreUnreachable, match="the connection was cut: run the command again"):
            store.writer.publish([draft])
        proxy.fault = Fault()
        assert store.writer.publish([draft]) == 3
        assert visible_texts(store)["c.txt"] == ["four"]


@pytest.mark.parametrize("rounds", [4, pytest.param(80, marks=pytest.mark.slow)])
def test_whatever_breaks_while_documents_are_replaced_readers_see_whole_ones_and_what_was_acknowledged(
    server: Server, proxy: Proxy, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql.store.writer, "SETTLE_SECONDS", 0.05)
    choose, name = random.Random(rounds), server.new_database()
    acknowledged: dict[str, int] = {}
    failed = 0
    with (
        open_store(server.dsn(name)) as reader,
        Store.open(server.dsn(name, port=proxy.port, timeout=2), write=True) as store,
    ):
        for version in range(1, rounds + 1):
            names = choose.sample([f"document {number}" for number in range(5)], 3)
            proxy.fault = choose.choice(
                [
                    Fault(cut_request_after=choose.randint(0, 3000), times=choose.randint(1, 3)),
                    Fault(cut_response_after=choose.randint(0, 600), times=choose.randint(1, 3)),
                    Fault(cut_response_after=0, only_if=MANIFEST_COMES, times=1),
                    Fault(swallow=True, only_if=CHUNKS_COME),
                ]
            )
            try:
                store.writer.publish([draft_document(store, name, version_texts(name, version)) for name in names])
                acknowledged |= dict.fromkeys(names, version)
            except (StoreError, StoreBusy):
                failed += 1
            proxy.fault = Fault()
            seen = whole_versions(reader.snapshot().chunk_texts())
            assert reader.snapshot().damaged_documents() == []
            assert all(seen[name] >= published for name, published in acknowledged.items())
        store.writer.publish([draft_document(store, "last", version_texts("last", rounds))])
        assert whole_versions(reader.snapshot().chunk_texts())["last"] == rounds
        assert failed < rounds  # most faults are mended without anyone noticing
