"""`rag chat` as its users meet it: a script through a pipe, and a person at a terminal."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import time
from contextlib import chdir, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from language_models import EVENT_STREAM, completion, events
from support import PROJECT

import ingest
from rag.answer.events import Token
from rag.commands.ask import stream_answer
from rag.commands.chat import HELP, Chat
from rag.commands.command_line import command, make_parser
from rag.library import Library
from sql.base.errors import StoreBusy
from sql.base.settings import Settings
from sql.base.terminal import Flow, out_piece, run_command
from sql.store import Store

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from language_models import Request

POTTERY = """# Firing

Stoneware is fired at 1240 degrees. Earthenware needs 1060 degrees.

# History

Josiah Spode perfected bone china around 1790. Josiah Spode was born in Stoke in 1733.
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A folder with a store of one document."""
    folder = tmp_path_factory.mktemp("chat")
    (folder / "pottery.md").write_text(POTTERY)
    settings = Settings(str(folder / ".rag"), None, model_cache, offline=True)
    with Library(Store.open(settings.store, write=True), settings=settings) as library, chdir(folder):
        ingest.sync(library, ["pottery.md"])
    return folder


@dataclass
class Talk:
    code: int
    stdout: str
    stderr: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]


@pytest.fixture
def talk(
    place: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Talk]:
    """A session of `python -m rag chat` with these lines on its standard input, in this process."""

    def run(*lines: str, options: tuple[str, ...] = ()) -> Talk:
        monkeypatch.chdir(place)
        for name in ("RAG_DB", "RAG_MODEL", "RAG_LLM", "RAG_LLM_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("RAG_CACHE", str(model_cache))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        code = run_command(command, ["chat", *options])
        return Talk(code, *capsys.readouterr())

    return run


def test_a_session_through_a_pipe(talk: Callable[..., Talk]) -> None:
    session = talk(
        "At how many degrees is stoneware fired?", "", "Who perfected bone china?", "When was he born?", "/history"
    )
    assert session.code == 0
    assert session.stderr == "asked as: When was Josiah Spode born?\n"
    first, *_ = session.stdout.split("\n\n")
    assert first == "? At how many degrees is stoneware fired?\nStoneware is fired at 1240 degrees. [1]"
    assert "\n\n? Who perfected bone china?\n" in session.stdout  # not the empty line between them, nor /history
    assert "\n\n? When was he born?\n" in session.stdout
    assert session.stdout.count("? ") == 3
    assert "Josiah Spode was born in Stoke in 1733." in session.stdout
    assert session.stdout.endswith(
        "1. At how many degrees is stoneware fired?\n2. Who perfected bone china?\n3. When was Josiah Spode born?\n"
    )


def test_json_is_one_record_a_question_with_the_question_as_it_was_asked(talk: Callable[..., Talk]) -> None:
    session = talk("At how many degrees is stoneware fired?", "And earthenware?", "/k 0", options=("--json",))
    first, second = session.records
    assert [record["asked"] for record in (first, second)] == [
        "At how many degrees is stoneware fired?",
        "At how many degrees is earthenware fired?",
    ]
    assert second["question"] == "And earthenware?"
    assert any("1060" in citation["text"] for citation in second["citations"])


def test_commands_change_the_search_and_show_what_it_did(talk: Callable[..., Talk], place: Path) -> None:
    question = "At how many degrees is stoneware fired?"
    session = talk(
        *(question, "/sources", "/sources 1", "/sql", "/filter source=other.md", "/filter", question),
        *("/filter off", "/k 1", "/k", question, "/new", "And when?", "/save talk.md", "/save talk.jsonl", "/help"),
    )
    assert session.code == 0
    assert "\n[1] pottery.md:3  Firing\npottery.md:3  Firing\n\nStoneware is fired at 1240 degrees.\n" in session.stdout
    assert "SELECT max(epoch) AS epoch FROM manifest;" in session.stdout
    assert "No answer found." in session.stdout
    assert "filter: source=other.md\nno document passes the filter source=other.md: " in session.stderr
    assert "\nk: 1\n" in session.stderr
    assert "asked as" not in session.stderr  # after /new a question leans on nothing
    for name in HELP:
        assert name in session.stderr
    saved = (place / "talk.md").read_text()
    assert saved.startswith(f"## {question}\n\nStoneware is fired at 1240 degrees. [1]\n\n- [1] pottery.md:3\n")
    records = [json.loads(line) for line in (place / "talk.jsonl").read_text().splitlines()]
    assert [record["answered"] for record in records] == [True, False, True, False]
    again = talk("/save talk.md")
    assert (again.code, again.stderr) == (2, "error: talk.md exists already: name a new file\n")


MISTAKES = {
    "/never": "there is no command /never: /help lists them",
    "/k many": "/k many: give the number of chunks to find, at least 1",
    "/filter $bad=1": "$bad",
    "/filter nope=1": "chunks have no field nope to filter by",
    "/filter page=one": "page is compared with a text and holds only values of the type number",
    "/sources": "there is no answer to show sources of",
    "/sources 7": "there is no answer",
    "/sql": "nothing has been searched for yet",
    "/new now": "/new takes no argument, and was given 'now'",
    "/save": "name the file to write to",
    "/save nowhere/talk.md": "nowhere/talk.md cannot be written: No such file or directory",
    "/save a\0b": "cannot be written",
}


def test_a_mistake_is_one_sentence_and_the_session_goes_on(talk: Callable[..., Talk]) -> None:
    session = talk(*MISTAKES, "/K 7", "/quit", "/never reached")
    assert session.code == 2
    *sentences, last = session.stderr.splitlines()
    assert last == "k: 7"
    assert len(sentences) == len(MISTAKES)
    for sentence, message in zip(sentences, MISTAKES.values(), strict=True):
        assert sentence.startswith("error: ")
        assert message in sentence


def test_a_filter_that_nothing_can_pass_leaves_the_one_before_as_it_was(talk: Callable[..., Talk]) -> None:
    session = talk("/filter source=pottery.md", "/filter nope=1", "/filter", "At how many degrees is stoneware fired?")
    assert session.code == 2
    assert session.stderr.endswith("\nfilter: source=pottery.md\n")
    assert "Stoneware is fired at 1240 degrees." in session.stdout


def test_a_filter_that_no_document_passes_is_named_where_it_leaves_no_answer(talk: Callable[..., Talk]) -> None:
    session = talk("/filter source~none/*", "At how many degrees is stoneware fired?", "/filter off", "Spode?")
    said = [line for line in session.stderr.splitlines() if "passes" in line]
    assert len(said) == 1
    assert said[0].startswith("no document passes the filter source~none/*: `python -m rag list --db ")


@pytest.mark.parametrize("line", ["Thanks!", "ok, thank you very much", "Vielen Dank", "hello"])
def test_a_mere_courtesy_is_no_question_and_the_next_one_does_not_lean_on_it(
    talk: Callable[..., Talk], line: str
) -> None:
    session = talk("At how many degrees is stoneware fired?", line, "And earthenware?", "/history")
    assert session.stderr.count("ask a question about the documents") == 1
    assert "1. At how many degrees is stoneware fired?\n2. At how many degrees is earthenware fired?" in session.stdout


@pytest.mark.parametrize("line", ["thanks.md", "Hello, what is stoneware?", "nice"])
def test_what_only_begins_like_a_courtesy_is_asked(talk: Callable[..., Talk], line: str) -> None:
    assert f"1. {line}" in talk(line, "/history").stdout


def test_a_question_after_a_file_that_cannot_be_written_is_answered(talk: Callable[..., Talk]) -> None:
    session = talk("/save nowhere/talk.md", "At how many degrees is stoneware fired?")
    assert session.code == 2
    assert "Stoneware is fired at 1240 degrees." in session.stdout


def test_a_session_ends_with_the_code_of_its_first_error(
    talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_held(*_: Any, **__: Any) -> None:
        raise StoreBusy(".rag is in use by process 7")

    monkeypatch.setattr(Library, "ask", is_held)
    session = talk("At how many degrees is stoneware fired?", "/never")
    assert session.code == 75
    assert "error: .rag is in use by process 7\n" in session.stderr


def test_what_was_set_is_said(talk: Callable[..., Talk]) -> None:
    session = talk("/k 3", "/filter source=pottery.md", "/filter off")
    assert session.stderr == "k: 3\nfilter: source=pottery.md\nfilter: none\n"


def test_a_question_that_fails_has_a_record_too(talk: Callable[..., Talk]) -> None:
    session = talk("x" * 40_000, "At how many degrees is stoneware fired?", options=("--json",))
    failed, answered = session.records
    assert failed["error"]["code"] == "usage"
    assert answered["answered"]
    assert session.code == 2


def test_a_session_in_which_nothing_was_answered_ends_with_3(talk: Callable[..., Talk]) -> None:
    assert talk("Who won the chess championship of 1972?").code == 3
    assert talk().code == 0
    assert talk("Stoneware?", options=("-k", "0")).code == 2


def test_a_language_model_understands_and_answers(talk: Callable[..., Talk], serve: Any) -> None:
    def reply(request: Request) -> None:
        body = request.server.seen[-1][2]
        rewriting = body["messages"][0]["content"].startswith("You rewrite")
        said = "When was Josiah Spode born?" if rewriting else "Josiah Spode was born in Stoke in 1733 [1]."
        request.send(completion(said))

    server = serve(reply)
    session = talk(
        "Who perfected bone china?", "And when was that man born?", options=("--json", "--llm", f"openai:{server.spec}")
    )
    assert [record["asked"] for record in session.records] == [
        "Who perfected bone china?",
        "When was Josiah Spode born?",
    ]
    assert session.records[1]["answer"] == "Josiah Spode was born in Stoke in 1733 [1]."
    assert len(server.seen) == 3  # the first question leans on nothing


# A person


def library_of(place: Path, model_cache: Path) -> Library:
    settings = Settings(str(place / ".rag"), None, model_cache, offline=True)
    return Library(Store.open(settings.store), settings=settings)


def test_ctrl_c_stops_one_answer_and_ctrl_d_the_session(
    place: Path, model_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed: Iterator[str | type[BaseException]] = iter(
        [KeyboardInterrupt, "/never", "At how many degrees is stoneware fired?", EOFError, "not reached"]
    )

    def read() -> str:
        line = next(typed)
        if isinstance(line, str):
            return line
        raise line

    options: Namespace = make_parser().parse_args(["chat", "--db", str(place / ".rag")])
    with library_of(place, model_cache) as library:
        Chat(library, options).talk(read)
    assert next(typed) == "not reached"
    shown = capsys.readouterr()
    assert "Stoneware is fired at 1240 degrees. [1]" in shown.out
    assert "error: there is no command /never" in shown.err


class Terminal:
    """A real terminal with `python -m rag chat` in it."""

    def __init__(self, place: Path, model_cache: Path, *options: str) -> None:
        import pty

        self.child, self.master = pty.fork()
        if self.child == 0:  # pragma: no cover - another process
            os.chdir(place)
            settings = {
                "RAG_CACHE": str(model_cache),
                "HF_HUB_OFFLINE": "1",
                "PYTHONPATH": str(PROJECT),
                "TERM": "xterm",
            }
            arguments = [sys.executable, "-m", "rag", "chat", *options]
            os.execve(sys.executable, arguments, {**os.environ, **settings})  # noqa: S606
        self.seen = ""

    def read(self) -> None:
        """Takes what is shown, and says where the cursor is when it is asked."""
        import select

        with suppress(OSError):  # the other end is closed
            if select.select([self.master], [], [], 0.1)[0]:
                piece = os.read(self.master, 65536).decode("utf-8", "replace")
                if "\x1b[6n" in piece:
                    os.write(self.master, b"\x1b[1;1R")
                self.seen += piece

    def wait_for(self, text: str) -> None:
        """Reads until a text has been shown, colours and movements left out."""
        deadline = time.monotonic() + 60
        while text not in self.plain():
            self.read()
            if time.monotonic() > deadline:
                os.kill(self.child, signal.SIGKILL)
                raise AssertionError(self.plain())

    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r", "", self.seen)

    def ended(self) -> int:
        """The exit code, when it has ended; after a minute it is made to."""
        for _ in range(600):
            child, status = os.waitpid(self.child, os.WNOHANG)
            if child:
                return os.waitstatus_to_exitcode(status)
            self.read()
            time.sleep(0.1)
        os.kill(self.child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())


def test_ctrl_c_right_after_the_first_words_says_that_they_are_no_whole_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_flow: Flow, text: str) -> None:
        out_piece(text)
        raise KeyboardInterrupt

    monkeypatch.setattr(Flow, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stream_answer(iter([Token("Stoneware is fired.")]), as_json=False)
    assert "the answer above is incomplete" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("leave", ["\x04", "exit\r"])
def test_a_conversation_in_a_real_terminal(place: Path, model_cache: Path, serve: Any, leave: str) -> None:
    def reply(request: Request) -> None:
        request.send_response(200)
        for name, value in EVENT_STREAM.items():
            request.send_header(name, value)
        request.end_headers()
        while not request.server.leaving:
            request.wfile.write(events(["Stoneware is fired at 1240 degrees [1]. "], None, done=False))
            request.wfile.flush()
            time.sleep(0.05)

    server = serve(reply)
    terminal = Terminal(place, model_cache, "--llm", f"openai:{server.spec}")
    terminal.wait_for("Ctrl-D leaves")
    terminal.wait_for("leaves\n?")
    terminal.type("At how many degrees is stoneware fired?\r")
    terminal.wait_for("fired at 1240 degrees [1]. Stoneware is fired")
    terminal.type("\x03")
    terminal.wait_for("the answer above is incomplete")
    terminal.type("/k\r")
    terminal.wait_for("k: 8\n?")
    terminal.type(leave)
    assert terminal.ended() == 0
