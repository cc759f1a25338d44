"""The commands against a server, as a user meets them: the same answers as with the embedded engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_commands import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from server import Server


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory, server: Server, model_cache: Path) -> tuple[Desk, Desk, str]:
    """The same documents in an embedded store and on a server, and the database there."""
    folder = tmp_path_factory.mktemp("desk")
    embedded = Desk(folder, model_cache)
    assert embedded.run("ingest", "docs/").returncode == 0
    database = server.new_database()
    remote = Desk.__new__(Desk)
    remote.folder, remote.environment = folder, embedded.environment | {"RAG_DB": server.dsn(database, "reader")}
    ingested = remote.run("ingest", "docs/", "--db", server.dsn(database))
    assert (ingested.returncode, ingested.stderr) == (0, "")
    assert f"store clickhouse://127.0.0.1:{server.http}/{database}" in ingested.stdout
    return embedded, remote, database


@pytest.mark.parametrize(
    "arguments",
    [
        ("rag", "ask", "When is the old wood cut back?"),
        ("rag", "search", "bees in summer", "-k", "2"),
    ],
)
def test_a_reader_on_a_server_gets_the_answers_of_the_embedded_store(
    desks: tuple[Desk, Desk, str], arguments: tuple[str, ...]
) -> None:
    embedded, remote, _ = desks
    assert remote.json(*arguments) == embedded.json(*arguments)


def test_sql_on_a_server_is_read_only_unless_write(desks: tuple[Desk, Desk, str], server: Server) -> None:
    _, remote, database = desks
    assert remote.run("sql", "SELECT max(epoch) AS epoch FROM manifest").stdout.split() == ["epoch", "1"]
    for statement in ("DROP TABLE texts", "INSERT INTO collection SELECT * FROM collection", "SET readonly = 0"):
        finished = remote.run("sql", statement, "--db", server.dsn(database))
        assert (finished.returncode, finished.stdout) == (1, "")
        assert "opened read-only" in finished.stderr
    assert remote.run("sql", "DROP TABLE texts", "--write", "--db", server.dsn(database)).returncode == 0
    server.ask("CREATE TABLE texts AS chunks", database)


def test_a_dry_run_against_a_server_says_what_would_be_added_and_makes_nothing(
    desks: tuple[Desk, Desk, str], server: Server
) -> None:
    _, remote, _ = desks
    empty = server.new_database()
    finished = remote.run("ingest", "docs/", "--dry-run", "--db", server.dsn(empty))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "would add 2, replace 0, delete 0" in finished.stdout
    assert server.ask("SELECT count() FROM system.tables WHERE database = currentDatabase()", empty) == "0"
