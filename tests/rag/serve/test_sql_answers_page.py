"""docs/sql-answers.md: each of its statements runs on a real ClickHouse that asks a real server, and prints what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from serving import serving
from support import PROJECT

import ingest
from rag.commands.command_line import command
from rag.encoder.encoder import load_encoder
from rag.library import Library
from sql.base.settings import DEFAULT_MIN_CONFIDENCE, Settings
from sql.engine.free_sql import split_statements
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from server import Server
    from serving import Running

PAGE = (PROJECT / "docs" / "sql-answers.md").read_text(encoding="utf-8")
COOKBOOK = (PROJECT / "docs" / "sql-cookbook.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)\n```(?:\n\n```text\n(.*?\n)```)?", PAGE, re.DOTALL)
FRACTION = re.compile(r"\d\.\d+")
PARAMETERS = {"default_format": "TabSeparatedWithNames"}


def printed(server: Server, database: str, capsys: pytest.CaptureFixture[str], url: str) -> list[str]:
    """What each statement of the page prints, in order; the view that is refreshed has been before anything is read."""
    capsys.readouterr()
    command(["ddl", "--url", url])
    for statement in split_statements(capsys.readouterr().out)[0]:
        server.ask(statement, database)
    outputs = []
    for statement, _ in EXAMPLES:
        if "FROM ticket_answers\n" in statement:
            server.ask("SYSTEM REFRESH VIEW answer_tickets", database)
            server.ask("SYSTEM WAIT VIEW answer_tickets", database)
        outputs.append(server.ask_bytes(statement, database=database, **PARAMETERS).decode())
    return outputs


def test_every_statement_of_the_page_runs(server: Server, running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = printed(server, server.new_database(), capsys, running.url)
    shown = [output.splitlines()[:1] for output in outputs]
    assert shown == [text.splitlines()[:1] for _, text in EXAMPLES]  # the names of the columns


@pytest.fixture
def shop(server: Server, tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """The manuals of the cookbook's shop, in a store on the server."""
    # The server of the other tests, whose vectors are hashes, has every answer let through.
    monkeypatch.setattr("rag.answer.answer.DEFAULT_MIN_CONFIDENCE", DEFAULT_MIN_CONFIDENCE)
    monkeypatch.chdir(tmp_path)
    for text, name in re.findall(r"^printf '(.*)' > (shop/\S+)$", COOKBOOK, re.MULTILINE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.replace("\\n", "\n"))
    place = server.dsn(server.new_database())
    encoder = load_encoder(Settings(store=place, model=None, cache=model_cache, offline=True))
    with Library(Store.open(place, write=True), lambda: encoder) as library:
        ingest.sync(library, ["shop"])
    with Library(Store.open(place), lambda: encoder) as library:
        yield library


@pytest.mark.slow
def test_the_page_shows_what_its_statements_print(
    server: Server, shop: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(shop, tmp_path) as running:
        outputs = printed(server, server.new_database(), capsys, running.url)
    # The last digits of scores are those of a machine.
    shown = [FRACTION.sub("0", output) for output in outputs]
    assert shown == [FRACTION.sub("0", text) for _, text in EXAMPLES]
