"""What reaches the terminal: no control characters, one sentence an error, the promised exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.base.errors import RagError, StoreBusy, UsageError
from sql.base.options import Parser
from sql.base.terminal import (
    Flow,
    Lines,
    clean,
    how_far,
    indented,
    note,
    one_line,
    out_json,
    out_prose,
    progress_bar,
    run_command,
    shown_name,
)

if TYPE_CHECKING:
    from pathlib import Path

PAYLOADS = [
    "\x1b]0;owned\x07", "\x1b[2J\x1b[H", "\x1b]8;;http://x\x1b\\link", "\x1b]52;c;aGk=\x07", "\x9b31m", "a\bb", "a\rb",
    "\u202eevil", "\u2066x\u2069", "\x00", "\x7f", "\u2028line", "\ufeff", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_control_character_is_printed(payload: str) -> None:
    shown = clean(payload)
    assert all(character in "\n\t" or character.isprintable() for character in shown)


def test_no_character_that_cannot_be_seen_is_printed_as_it_is() -> None:
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    hidden = [chr(number) for number in range(sys.maxunicode + 1) if category(chr(number)) in unseen]
    assert {"\u061c", "\u200b", "\u2060", "\u00ad", "\U000e0041"} <= set(hidden)
    assert {chr(number) for number in map(ord, hidden) if chr(number) in clean(chr(number))} == {"\n", "\t"}
    assert [character for character in hidden if not shown_name(f"a{character}b").isprintable()] == []
    assert [character for character in hidden if not shown_name(f"می{character}b").isprintable()] == []


def test_joiners_stay_in_the_words_and_pictures_that_are_made_with_them() -> None:
    for text in ("می\u200cخواهم", "क\u094d\u200dष", "👩\u200d🔬"):
        assert clean(text) == text
    assert clean("pay\u200dpal \u200c 👩\u200d\u200d\u200d") == "pay\\u200dpal \\u200c 👩\u200d\\u200d\\u200d"
    assert clean("Donau\u00addampfer") == "Donaudampfer"


def test_a_name_is_shown_with_everything_that_is_in_it_on_one_line() -> None:
    name = "a\nfailed  b\t\u202e\u061cc\r\u2028 é猫.md"
    assert shown_name(name) == "a\\u000afailed  b\\u0009\\u202e\\u061cc\\u000d\\u2028 é猫.md"
    assert len(one_line(shown_name(name)).splitlines()) == 1


def test_messages_call_our_commands_as_the_one_that_was_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser(prog="python -m rag", epilog="for python -m ingest")
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/int8-rag", "ask"])
    note("run `python -m ingest FOLDER --db d`, `python -m rag list`; python -m pip stays")
    with pytest.raises(SystemExit):
        parser.parse_args(["--unknown"])
    assert capsys.readouterr().err == (
        "run `int8-rag-ingest FOLDER --db d`, `int8-rag list`; python -m pip stays\n"
        "int8-rag: unrecognized arguments: --unknown; see `int8-rag --help`\n"
    )
    assert "usage: int8-rag [-h]" in parser.format_help()
    assert "for int8-rag-ingest" in parser.format_help()
    monkeypatch.setattr(sys, "argv", ["/somewhere/rag/__main__.py"])
    note("`python -m rag list`")
    assert capsys.readouterr().err == "`python -m rag list`\n"
    assert "usage: python -m rag [-h]" in parser.format_help()


@pytest.mark.parametrize(
    ("given_words", "said"),
    [
        (
            ["ask", "--lnguage", "de"],
            "python -m rag ask: unrecognized arguments: --lnguage de; did you mean --language?; ",
        ),
        (
            ["ask", "--langauge=de"],
            "python -m rag ask: unrecognized arguments: --langauge=de; did you mean --language?; ",
        ),
        (["ask", "--store", "x"], "python -m rag ask: unrecognized arguments: --store x; did you mean --db?; "),
        (["ask", "--top-k=3"], "python -m rag ask: unrecognized arguments: --top-k=3; "),  # where there is no -k
        (["ask", "more", "words"], "python -m rag ask: unrecognized arguments: more words; "),
        (["--zzz", "ask"], "python -m rag: unrecognized arguments: --zzz; "),
        (
            ["ask", "--json"],
            "python -m rag ask: unrecognized arguments: --json; ",
        ),  # of --version only dashes and s, on
    ],
)
def test_an_unknown_option_is_refused_by_its_command_which_names_the_one_that_was_meant(
    given_words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser(prog="python -m rag")
    ask = parser.add_subparsers().add_parser("ask")
    ask.add_argument("--language")
    ask.add_argument("--version")
    ask.add_argument("--db")
    with pytest.raises(SystemExit):
        parser.parse_args(given_words)
    command = said.partition(":")[0]
    assert capsys.readouterr().err == f"{said}see `{command} --help`\n"


@pytest.mark.parametrize(
    ("given_words", "said"),
    [
        (
            ["how", "long", "is", "a", "cycle"],
            'put a question of several words in quotes: "how long is a cycle"',
        ),
        (["how", "-k", "3", "long"], 'put a question of several words in quotes: "how long"'),
        (["how", "long", "--jsn"], "unrecognized arguments: long --jsn"),
        (["how", "-k", "many"], "argument -k: 'many' is not a whole number"),
        (["how", "-p", "high"], "argument -p: 'high' is not a number"),
    ],
)
def test_a_question_without_quotes_and_a_word_in_place_of_a_number_are_called_that(
    given_words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser(prog="rag ask")
    parser.add_argument("question")
    parser.add_argument("-k", type=int)
    parser.add_argument("-p", type=float)
    with pytest.raises(SystemExit):
        parser.parse_args(given_words)
    assert capsys.readouterr().err == f"rag ask: {said}; see `rag ask --help`\n"


@pytest.mark.parametrize(
    ("given_words", "said"),
    [
        (["aks"], "python -m rag: argument COMMAND: invalid choice: 'aks' "),
        (["ask", "--ranking", "hybird"], "python -m rag ask: argument --ranking: invalid choice: 'hybird' "),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_with_the_one_that_was_meant(
    given_words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser(prog="python -m rag")
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("ask").add_argument("--ranking", choices=["hybrid", "words"])
    commands.add_parser("list")
    with pytest.raises(SystemExit):
        parser.parse_args(given_words)
    message = capsys.readouterr().err
    assert message.startswith(said)
    assert f"; did you mean {'ask' if given_words == ['aks'] else 'hybrid'}?; see `python -m rag" in message


def test_a_question_in_place_of_a_command_is_told_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="rag")
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("ask")
    with pytest.raises(SystemExit):
        parser.parse_args(["How long is it?"])
    said = "rag: argument COMMAND: 'How long is it?' is no command: put `ask` before a question; see `rag --help`\n"
    assert capsys.readouterr().err == said


def test_a_choice_that_is_like_none_is_refused_without_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="python -m rag")
    parser.add_argument("--k", choices=["hybrid", "words"])
    with pytest.raises(SystemExit):
        parser.parse_args(["--k", "zzz"])
    assert "did you mean" not in capsys.readouterr().err


@given(st.text())
def test_clean_text_is_printable_or_tab_or_newline_or_space(text: str) -> None:
    for character in clean(text):
        assert character in "\n\t" or ord(character) >= 0x20
        assert not 0x7F <= ord(character) <= 0x9F


def test_one_line_folds_lines_so_that_no_line_can_be_forged() -> None:
    assert one_line("file.md\nerror: all is lost") == "file.md error: all is lost"


def test_json_escapes_what_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    out_json({"text": "".join(PAYLOADS)})
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert all(character == "\n" or 0x20 <= ord(character) < 0x7F for character in printed)
    assert json.loads(printed)["text"] == "".join(PAYLOADS)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (RagError("k is 0: it must be\nat least 1"), 1, "error: k is 0: it must be at least 1\n"),
        (UsageError("no"), 2, "error: no\n"),
        (StoreBusy("in use"), 75, "error: in use\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: Permission denied\n"),
        (MemoryError(), 1, "error: there is not enough memory for this: give fewer or smaller files\n"),
    ],
)
def test_an_error_is_one_sentence_and_a_code(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, sentence: str
) -> None:
    def command(arguments: object) -> int:
        raise error

    assert run_command(command, []) == code
    assert capsys.readouterr() == ("", sentence)


def test_debug_shows_the_traceback_too(capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: object) -> int:
        raise RagError("no")

    assert run_command(command, ["--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["rag", "ingest", "sql"])
@pytest.mark.parametrize("arguments", [[], ["--nonsense"]])
def test_wrong_usage_is_exit_code_2_and_one_line(module: str, arguments: list[str]) -> None:
    finished = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1
    assert f"python -m {module}" in finished.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = (
        "from sql.base.terminal import out, run_command\n"
        "run_command(lambda a: [out('x' * 99) for _ in range(9999)] and 0, [])"
    )
    reading, writing = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    _, complaint = process.communicate()
    assert (process.returncode, complaint) == (0, "")


def test_a_watcher_that_goes_away_does_not_end_the_work(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from sql.base.terminal import note, run_command\n"
        "def command(arguments):\n"
        "    sys.stdin.read()\n"
        "    note('x')\n"
        "    note('y')\n"
        "    open(arguments[0], 'w').write('done')\n"
        "    return 0\n"
        "raise SystemExit(run_command(command, sys.argv[1:]))"
    )
    reading, writing = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "file"], stdin=subprocess.PIPE, stderr=writing)
    os.close(writing)
    os.close(reading)
    process.communicate()
    assert process.returncode == 0
    assert (tmp_path / "file").read_text() == "done"


def test_without_a_terminal_a_line_a_minute_says_how_far_a_run_is(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 59.0, 60.0, 61.0, 119.0, 125.0, 126.0])
    lines = Lines(lambda: next(times))
    lines.start(874, 10**9)
    for files, chunks in ((0, 100), (0, 100), (20, 100), (0, 100), (0, 100), (1000, 9500), (0, 1)):
        lines.advance(files=files, chunks=chunks)
    assert capsys.readouterr() == (
        "",
        "... 20 of 874 files, 300 chunks, 5.0 chunks/s\n... 1,020 of 874 files, 10,000 chunks, 80 chunks/s\n",
    )


def test_progress_is_silent_where_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(quiet=True) as progress:
        assert not isinstance(progress, Lines)
    with progress_bar(quiet=False) as progress:
        assert isinstance(progress, Lines)
    assert how_far(0, 0, 20, 0.1) == "20 chunks"


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["one two ", "three four"], "one two\nthree four"),
        (["one", " two", " three", " four"], "one two\nthree four"),
        (["one two\nthree four five"], "one two\nthree four\nfive"),
        (["onetwothreefourfive six"], "onetwothreefourfive\nsix"),  # which no line holds
        (["日本語日本 one"], "日本語日本\none"),  # each as wide as two letters
    ],
)
def test_text_that_comes_in_pieces_is_broken_between_words(pieces: list[str], shown: str) -> None:
    flow = Flow()
    flow.width = 11
    assert "".join(map(flow.wrapped, pieces)) == shown


def test_prose_on_a_terminal_goes_on_between_words_and_as_far_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    out_prose("one two three four")
    assert capsys.readouterr().out == "one two\nthree four\n"
    assert indented("one two three four", "  ") == "  one two\n  three four"
    monkeypatch.undo()
    out_prose("one two three four")
    assert capsys.readouterr().out == "one two three four\n"
    assert indented("one two three four", "  ") == "  one two three four"


def test_text_in_a_pipe_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    Flow().write("word " * 100)
    assert capsys.readouterr().out == "word " * 100
