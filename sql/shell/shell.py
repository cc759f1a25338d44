"""The shell of `python -m sql`: lines typed by a person in, results out, until `.quit` or Ctrl-D.

A statement may take several lines and ends with a semicolon. A line that begins with a dot is a command to the shell.
An error is one sentence and the shell goes on; Ctrl-C gives up the line, or stops the statement that is running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sql.base.errors import UsageError
from sql.base.paths import expand_user
from sql.base.terminal import line_editing, out, read_line, take_lines
from sql.engine.free_sql import split_statements
from sql.shell.console import FORMATS, known_format

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sql.shell.console import Console

PROMPT, CONTINUED = "sql> ", "...> "
HELP = {
    "STATEMENT;": "run SQL, which may take several lines",
    ".tables": "list tables and views",
    ".schema [TABLE]": "show the definition of a table or view, or of all of them",
    ".format [NAME]": f"print results as {', '.join(FORMATS)} or a format of ClickHouse's",
    ".output [FILE]": "write results to a file; without a name, print them again",
    ".timing on|off": "say how long each statement took",
    ".query [TEXT]": "set {query:Array(Float32)} to the vector of a text; without one, unset it",
    ".help": "show this list",
    ".quit": "leave, as Ctrl-D does",
}
LEAVE = {".quit", ".exit", "quit", "exit"}


@dataclass(slots=True)
class Shell:
    """A conversation: what has been typed of the statement so far, and the console that runs it."""

    console: Console
    embed: Callable[[str], list[float]]
    pending: str = ""

    def talk(self, history: Path) -> None:
        """Reads and runs lines until the person leaves."""
        with line_editing(history, self.words()):
            take_lines(self.next_line, self.take, interrupted=self.give_up, failed=self.forget)

    def next_line(self) -> str | None:
        """What is typed next; None where the person leaves."""
        line = read_line(CONTINUED if self.pending else PROMPT)
        leaves = not self.pending and line.strip().rstrip(";").lower() in LEAVE
        return None if leaves else line

    def take(self, line: str) -> None:
        """Runs a command to the shell, or the statements that this line completes."""
        if not self.pending and line.lstrip().startswith("."):
            self.obey(*line.split(None, 1))
            return
        statements, self.pending = split_statements(f"{self.pending}\n{line}" if self.pending else line)
        for statement in statements:
            self.console.run(statement)

    def forget(self) -> None:
        """Forgets the beginning of a statement."""
        self.pending = ""

    def give_up(self) -> None:
        """Forgets the line, and stops a statement that is still running."""
        self.forget()
        out()
        self.console.client.cancel()

    def obey(self, name: str, argument: str = "") -> None:
        """Runs a command that begins with a dot; raises UsageError for one there is not."""
        takes_one: dict[str, Callable[[str], None]] = {
            ".schema": self.console.schema,
            ".format": self.set_format,
            ".output": self.set_output,
            ".timing": self.set_timing,
            ".query": self.set_query,
        }
        takes_none: dict[str, Callable[[], None]] = {".tables": self.console.tables, ".help": show_help}
        if name in takes_one:
            takes_one[name](argument.strip())
        elif name not in takes_none:
            raise UsageError(f"there is no command {name}: .help lists them")
        elif argument.strip():
            raise UsageError(f"{name} takes no argument, and was given {argument.strip()!r}")
        else:
            takes_none[name]()

    def set_format(self, name: str) -> None:
        """Sets the format of results; without a name, what suits the reader."""
        known_format(name or "table")
        self.console.format = name or None

    def set_output(self, file: str) -> None:
        """Sends results to a file, or back to the screen."""
        self.console.output = expand_user(file, ".output") if file else None

    def set_timing(self, switch: str) -> None:
        """Turns the timing on or off."""
        if switch not in {"on", "off"}:
            raise UsageError(".timing takes on or off")
        self.console.timing = switch == "on"

    def set_query(self, text: str) -> None:
        """Makes the vector of a text the value of `{query:Array(Float32)}`."""
        self.console.query = self.embed(text) if text else None

    def words(self) -> list[str]:
        """What the tabulator key completes: commands, and names of tables and views."""
        return [name.split()[0] for name in HELP if name.startswith(".")] + self.console.table_names()


def show_help() -> None:
    """Lists what can be typed."""
    for name, meaning in HELP.items():
        out(f"{name:18}{meaning}")
