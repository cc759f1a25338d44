"""`python -m sql`: the shell through a pseudo-terminal, formats and files, and how statements are told apart."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import (
    PATIENCE,
    PROJECT,
    QUANTIZER,
    chunks_of,
    open_store,
    publish_document,
    source_document,
    write_tiny_checkpoint,
)

from rag.encoder.encoder import load_encoder
from rag.int8.quantization import quantize_vectors
from sql.base.errors import StoreError, UsageError
from sql.base.settings import read_settings
from sql.base.terminal import run_command
from sql.engine.client import Client, parse_location
from sql.engine.free_sql import has_code, returns_rows, split_statements
from sql.shell.command_line import command
from sql.shell.console import FORMATS, Console, own_format
from sql.shell.shell import HELP
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

ENDLESS = "SELECT max(sipHash64(number)) FROM numbers(1000000000000);"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory whose store holds two documents of three chunks."""
    folder = tmp_path_factory.mktemp("desk")
    with open_store(folder / ".rag") as store:
        publish_document(store, "a.txt", ["the cat", "a dog"])
        publish_document(store, "b.txt", ["one; two"])
    return folder


def environment(folder: Path, model: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    return kept | {
        "PYTHONPATH": str(PROJECT),
        "RAG_CACHE": str(folder / "cache"),
        "RAG_MODEL": model,
        "TERM": "dumb",
        "INPUTRC": os.devnull,
    }


@dataclass(frozen=True)
class Finished:
    """How a command ended and what it printed."""

    code: int
    out: bytes
    errors: bytes


class Run(Protocol):
    """Runs `python -m sql` in this process, in a folder."""

    def __call__(self, folder: Path, *arguments: str, typed: str = "", model: str = "") -> Finished:
        """How it ended; `typed` is what it finds on stdin, which is no terminal."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(folder: Path, *arguments: str, typed: str = "", model: str = "") -> Finished:
        monkeypatch.chdir(folder)
        for name, value in {"RAG_DB": "", "RAG_CACHE": str(folder / "cache"), "RAG_MODEL": model}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = run_command(command, arguments)
        return Finished(code, *capfdbinary.readouterr())

    return run


class Talk:
    """A shell on a pseudo-terminal: lines typed, and what appeared on the screen since the last one."""

    def __init__(self, folder: Path, *arguments: str, model: str = "") -> None:
        self.terminal, child = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sql", *arguments],
            cwd=folder, env=environment(folder, model), stdin=child, stdout=child, stderr=child, start_new_session=True,
        )  # fmt: skip
        os.close(child)
        self.wait_for("sql> ")

    def has_printed(self, seconds: float) -> bool:
        """Whether something appears on the screen within `seconds`."""
        poll = select.poll()  # not select.select, which knows the first 1,024 descriptors only
        poll.register(self.terminal, select.POLLIN)
        return bool(poll.poll(1000 * max(0.0, seconds)))

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """What appears up to `text` at the end of the screen."""
        seen, last = "", time.monotonic() + seconds
        while not seen.endswith(text):
            printed = self.has_printed(last - time.monotonic())
            assert printed, f"{text!r} did not appear within {seconds} s, but {seen!r}"
            try:
                seen += os.read(self.terminal, 65536).decode()
            except OSError:  # the other end is closed
                break
        return seen.replace("\r\n", "\n")

    def type(self, line: str, prompt: str = "sql> ") -> str:
        """Types a line; returns what it made appear, without the line itself and the next prompt."""
        os.write(self.terminal, line.encode() + b"\n")
        return self.wait_for(prompt).removeprefix(f"{line}\n").removesuffix(prompt)

    def press_ctrl_c_until_it_is_seen(self, times: int = 5) -> str:
        """What the shell answers to Ctrl-C at a prompt, up to the next one.

        One press may be too early: Python shows the prompt before it waits for a key, and a signal that comes between
        the two is looked at behind the next key only.
        """
        for _ in range(times):
            self.process.send_signal(signal.SIGINT)
            if self.has_printed(seconds=5):
                break
        return self.wait_for("sql> ")

    def end(self) -> int:
        """Types Ctrl-D and waits for the end."""
        os.write(self.terminal, b"\x04")
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def talk(folder: Path) -> Iterator[Talk]:
    shell = Talk(folder)
    yield shell
    shell.process.kill()
    shell.process.wait()
    os.close(shell.terminal)


# The shell


def test_a_statement_may_take_several_lines_and_sees_the_newest_epoch(talk: Talk) -> None:
    assert talk.type("SELECT source, count() AS chunks", "...> ") == ""
    assert talk.type("FROM live_chunks(epoch = {epoch:UInt64})", "...> ") == ""
    table = talk.type("GROUP BY source ORDER BY source;")
    assert [line.split("│")[1:3] for line in table.splitlines() if "│" in line] == [
        [" a.txt  ", "      2 "],
        [" b.txt  ", "      1 "],
    ]
    assert talk.end() == 0


def test_tables_and_schema_show_what_there_is(talk: Talk) -> None:
    tables = talk.type(".tables")
    assert re.search(r"│ chunks +│ MergeTree +│ +3 │", tables)
    assert re.search(r"│ nearest_chunks +│ View +│.*epoch:UInt64, query:Array\(Float32\) +│", tables)
    schema = talk.type(".schema chunks")
    assert schema.startswith("CREATE TABLE default.chunks\n(")
    assert "`codes` Array(Int8)" in schema
    everything = talk.type(".schema")
    assert everything.count("CREATE TABLE") == len(list((PROJECT / "sql" / "schema").glob("[1-4]*.sql")))
    assert "CREATE VIEW default.live_vectors" in everything


def test_an_error_is_one_sentence_and_the_shell_goes_on(talk: Talk) -> None:
    for line, message in (
        ("SELECT nonsense;", "Unknown expression"),
        ("DROP TABLE chunks;", "the store was opened read-only"),
        (".schema nothing", "there is no table nothing in .rag: there are "),
        (".nothing", "there is no command .nothing: .help lists them"),
        (".timing perhaps", ".timing takes on or off"),
        (".tables of mine", "takes no argument, and was given 'of mine'"),
        (".format a-b", "'a-b' is not a format: give table, csv"),
    ):
        complaint = talk.type(line)
        assert complaint.startswith("error: ")
        assert message in complaint
        assert complaint.count("\n") == 1
    assert "│ 3 │" in talk.type("SELECT count() AS n FROM chunks;")


def test_formats_files_and_timing_are_switched_by_commands(talk: Talk, folder: Path) -> None:
    assert talk.type(".format csv") == ""
    assert talk.type("SELECT 1 AS one, 'a' AS letter;") == '"one","letter"\n1,"a"\n'
    assert talk.type(".output results.csv") == talk.type("SELECT 1 AS one;") == talk.type("SELECT 2 AS two;") == ""
    assert (folder / "results.csv").read_text() == '"one"\n1\n"two"\n2\n'
    assert talk.type(".output") == talk.type(".timing on") == ""
    assert re.fullmatch(r'"one"\n1\n\d\.\d{3} s\n', talk.type("SELECT 1 AS one;"))
    assert talk.type(".timing off") == talk.type(".format parquet") == ""
    assert "error: Parquet is binary and would garble the terminal" in talk.type("SELECT 1 AS one;")
    assert talk.type(".output results.parquet") == talk.type("SELECT 1 AS one;") == ""
    assert "results.parquet already holds a result" in talk.type("SELECT 2 AS two;")
    assert pyarrow.parquet.read_table(folder / "results.parquet").to_pylist() == [{"one": 1}]


def test_several_statements_on_a_line_run_in_order_and_parameters_stay(talk: Talk) -> None:
    talk.type(".format tsv")
    assert talk.type("SELECT ';' AS a; SELECT 2 AS b; -- the end") == "a\n;\nb\n2\n"
    assert talk.type("SET param_epoch = 1; SET param_word = 'it''s; %';") == ""
    counted = "SELECT count() AS n, {word:String} AS word FROM live_chunks(epoch = {epoch:UInt64});"
    assert talk.type(counted).splitlines()[-1] == "2\tit\\'s; %"


def test_a_text_becomes_the_query_of_a_statement(tmp_path: Path, tokenizer: Tokenizer, run: Run) -> None:
    model = write_tiny_checkpoint(tmp_path / "model", tokenizer)
    encoder = load_encoder(read_settings(), str(model), few_texts=True)
    chunks = chunks_of(["the cat", "a dog", "one two three"])
    with Store.open(str(tmp_path / ".rag"), write=True) as store:
        store.prepare(encoder.identity, QUANTIZER)
        draft = store.writer.begin(source_document("a.txt"))
        vectors = quantize_vectors(encoder.encode_documents([chunk.text for chunk in chunks]))
        store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks], vectors))
        store.writer.publish([draft])
    view = "nearest_chunks(epoch = {epoch:UInt64}, query = {query:Array(Float32)})"
    nearest = f"SELECT text FROM {view} ORDER BY score DESC LIMIT 1"
    found = run(tmp_path, nearest, "--query", "a dog", model=str(model))
    assert found == Finished(0, b"text\na dog\n", b"")
    unused = run(tmp_path, "SELECT 1", "--query", "a dog")
    assert (unused.code, unused.out) == (2, b"")
    shell = Talk(tmp_path, "--format", "tsv", model=str(model))
    assert shell.type(".query one two three") == ""
    assert shell.type(f"{nearest};").splitlines()[-1] == "one two three"
    assert shell.type(".query") == ""
    assert "Substitution `query` is not set" in shell.type(f"{nearest};")
    assert shell.end() == 0
    os.close(shell.terminal)


def test_help_lists_every_command(talk: Talk) -> None:
    shown = talk.type(".help")
    assert [line.split()[0] for line in shown.splitlines()[1:]] == [
        ".tables", ".schema", ".format", ".output", ".timing", ".query", ".help", ".quit",
    ]  # fmt: skip
    os.write(talk.terminal, b".quit\n")
    assert talk.process.wait(timeout=PATIENCE) == 0


def test_ctrl_c_gives_up_the_line_and_not_the_shell(talk: Talk) -> None:
    talk.type("SELECT 'never", "...> ")
    assert talk.press_ctrl_c_until_it_is_seen() == "\nsql> "
    assert "│ 7 │" in talk.type("SELECT 7 AS n;")


def test_ctrl_c_stops_the_statement_that_is_running(talk: Talk) -> None:
    os.write(talk.terminal, ENDLESS.encode() + b"\n")
    time.sleep(1)
    talk.process.send_signal(signal.SIGINT)
    talk.wait_for("sql> ", seconds=20)
    running = "SELECT count() AS n FROM system.processes WHERE startsWith(query, 'SELECT max(');"
    assert "│ 0 │" in talk.type(running)
    assert talk.end() == 0


def test_what_was_typed_is_remembered_by_the_next_shell_and_read_by_its_owner_only(folder: Path) -> None:
    for _ in range(2):
        shell = Talk(folder)
        shell.type("SELECT 42 AS remembered;")
        assert shell.end() == 0
        os.close(shell.terminal)
    history = folder / "cache" / "sql_history"
    assert history.read_text().count("SELECT 42 AS remembered;") >= 1
    assert history.stat().st_mode & 0o077 == 0


def test_a_shell_may_write_where_it_was_asked_for(tmp_path: Path) -> None:
    with open_store(tmp_path / ".rag") as store:
        publish_document(store, "a.txt", ["the cat"])
    shell = Talk(tmp_path, "--write", "--format", "tsv")
    shell.type("CREATE TABLE notes (note String) ENGINE = MergeTree ORDER BY note;")
    shell.type("INSERT INTO notes VALUES ('one; two');")
    assert shell.type("SELECT * FROM notes;") == "note\none; two\n"
    assert shell.end() == 0
    os.close(shell.terminal)


# One statement


def test_every_format_is_one_of_the_engine(folder: Path) -> None:
    with closing(Client(parse_location(str(folder / ".rag")), read_only=True)) as client:
        for name in FORMATS:
            Console(client, name, output=folder / f"one.{name}").run("SELECT 1 AS one")
            assert (folder / f"one.{name}").stat().st_size > 0


def test_a_binary_result_is_not_one_byte_longer_than_the_engine_made_it(folder: Path, run: Run) -> None:
    printed = run(folder, "SELECT source, codes FROM chunks ORDER BY source, chunk_index", "--format", "parquet").out
    assert printed.endswith(b"PAR1")
    rows = pyarrow.parquet.read_table(pyarrow.BufferReader(printed)).to_pylist()
    assert [row["source"] for row in rows] == ["a.txt", "a.txt", "b.txt"]
    assert all(len(row["codes"]) == 8 for row in rows)


def test_json_lines_and_json_hold_the_rows(folder: Path, run: Run) -> None:
    query = "SELECT number AS n FROM numbers(2)"
    lines = run(folder, query, "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == [{"n": 0}, {"n": 1}]
    assert json.loads(run(folder, query, "--format", "json").out)["data"] == [{"n": 0}, {"n": 1}]


def test_a_failed_statement_leaves_the_file_of_an_earlier_one(folder: Path, run: Run) -> None:
    (folder / "kept.csv").write_text("mine")
    finished = run(folder, "SELECT nonsense", "--output", "kept.csv")
    assert finished.code == 1
    assert (folder / "kept.csv").read_text() == "mine"
    finished = run(folder, "SELECT 1", "--output", "nowhere/x.csv")
    assert (finished.code, finished.errors) == (1, b"error: nowhere/x.csv: No such file or directory\n")


def test_tables_and_schema_are_commands_of_their_own(folder: Path, run: Run) -> None:
    listed = run(folder, "--tables", "--format", "jsonl", "--timing")
    names = [json.loads(line)["name"] for line in listed.out.splitlines()]
    assert {"chunks", "manifest", "live_chunks", "nearest_chunks"} <= set(names)
    assert re.fullmatch(rb"\d\.\d{3} s\n", listed.errors)
    assert run(folder, "--schema", "manifest").out.startswith(b"CREATE TABLE default.manifest\n")
    refused = run(folder, "--schema", "manifest", "SELECT 1")
    assert (refused.code, refused.out) == (2, b"")


def test_without_a_terminal_a_statement_has_to_be_given(folder: Path, run: Run) -> None:
    finished = run(folder, typed="SELECT 1")
    assert (finished.code, finished.out) == (2, b"")
    assert finished.errors.endswith(b"or `-` to read it from stdin\n")
    assert run(folder, "-", typed="SELECT 1 AS one").out == b"one\n1\n"


# Statements


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("SELECT 1", [], "SELECT 1"),
        ("SELECT 1;;\n ; SELECT 2;", ["SELECT 1", "SELECT 2"], ""),
        ("SELECT ';' -- ;\n, 2; -- done;", ["SELECT ';' -- ;\n, 2"], ""),
        ("SELECT 'it''s;' , \"a;b\", `c;d`, 'e\\';';", ["SELECT 'it''s;' , \"a;b\", `c;d`, 'e\\';'"], ""),
        ("/* ; */ SELECT $x$ a;b $x$; SELECT 1 /* ;", ["/* ; */ SELECT $x$ a;b $x$"], "SELECT 1 /* ;"),
        ("SELECT 'open; SELECT 2;", [], "SELECT 'open; SELECT 2;"),
        ("-- nothing;", [], ""),
    ],
)
def test_a_semicolon_ends_a_statement_outside_of_literals_and_comments(
    text: str, statements: list[str], rest: str
) -> None:
    assert split_statements(text) == (statements, rest)


@given(st.lists(st.sampled_from(["SELECT 1", "SELECT 'a;b'", "/* ; */ SELECT 2", "SELECT `;`"]), max_size=4))
def test_what_is_joined_by_semicolons_comes_apart_again(statements: list[str]) -> None:
    assert split_statements("".join(f"{statement};" for statement in statements)) == (statements, "")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT 1 FORMAT CSV", "CSV"),
        ("SELECT 1 format JSON ; -- note", "JSON"),
        ("SELECT ' FORMAT CSV'", None),
        ("SELECT 1 -- FORMAT CSV", None),
    ],
)
def test_a_format_clause_counts_only_as_code(statement: str, found: str | None) -> None:
    assert own_format(statement) == found


def test_comments_alone_are_no_statement() -> None:
    assert not has_code("-- one\n/* two */ ")
    assert has_code("'--'")
    assert not returns_rows("-- SELECT 1")


def test_the_manual_lists_the_commands_of_the_shell() -> None:
    page = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z.][^`]*)` \| (.*) \|$", page.split("### The shell")[1], re.MULTILINE)
    assert {name.replace("\\|", "|"): meaning for name, meaning in rows} == HELP


@pytest.mark.parametrize("view", ["live_documents", "live_chunks", "live_vectors", "nearest_chunks"])
def test_a_view_that_is_named_without_its_parameters_is_told_with_them(
    folder: Path, view: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(Client(parse_location(str(folder / ".rag")), read_only=True)) as client:
        for statement in (f"SELECT count() FROM {view}", f"select * from\n{view} AS v WHERE 1 -- {view}(epoch = 1)"):
            with pytest.raises(
                StoreError, match=rf"^{view} is a view with parameters: write {view}\(.*epoch = {{epoch:UInt64}}"
            ):
                Console(client).run(statement)
        with pytest.raises(StoreError, match="no_such_table"):  # and other errors stay what they are
            Console(client).run(f"SELECT * FROM no_such_table -- FROM {view}")
    assert capfd.readouterr().out == ""


def test_of_two_statements_each_prints_its_header(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with closing(Client(parse_location(str(folder / ".rag")), read_only=False)) as client:
        Console(client, "csv").run("SELECT 1 AS a; SELECT ';' AS b;\nSET param_x = 'y'; SELECT {x:String} AS c")
        assert capfdbinary.readouterr().out == b'"a"\n1\n"b"\n";"\n"c"\n"y"\n'
        Console(client).run("CREATE TEMPORARY TABLE t (s String)")
        Console(client).run("INSERT INTO t FORMAT CSV\na;b\nc;\n")
        Console(client, "csv").run("SELECT s FROM t ORDER BY s")
        assert capfdbinary.readouterr().out == b'"s"\n"a;b"\n"c;"\n'


@pytest.mark.parametrize("words", ["INTO OUTFILE", "into /* a */ outfile"])
def test_a_read_only_store_writes_no_file_that_a_statement_names(folder: Path, tmp_path: Path, words: str) -> None:
    with closing(Client(parse_location(str(folder / ".rag")), read_only=True)) as client:
        with pytest.raises(UsageError, match="give --output FILE instead"):
            Console(client).run(f"SELECT 1 {words} '{tmp_path / 'x'}'")
        Console(client, "csv").run("SELECT 'INTO OUTFILE'")
    assert not list(tmp_path.iterdir())


def test_reading_a_file_in_a_read_only_store_is_refused_with_what_that_needs(folder: Path) -> None:
    sentence = r"or reading files and addresses with file\(\), url\(\) .*: add --write"
    with (
        closing(Client(parse_location(str(folder / ".rag")), read_only=True)) as client,
        pytest.raises(StoreError, match=sentence),
    ):
        Console(client).run("SELECT * FROM file('x.csv')")
