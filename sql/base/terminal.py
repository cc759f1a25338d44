"""What the three commands share: printing, progress, and turning an error into one sentence and an exit code.

Data goes to stdout, everything else to stderr. Text of documents and file names is untrusted: what moves the cursor,
reorders or hides text never reaches the terminal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TextIO
from unicodedata import category

from sql.base.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, EXIT_USAGE, RagError, Terminated
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

# Unicode's categories of what is no visible character: controls, formats (they reorder, join or hide text), halves of
# surrogate pairs, and the two separators of lines and paragraphs.
UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
SOFT_HYPHEN = "\u00ad"
JOINERS = "\u200c\u200d"  # Persian and Indic words are spelt with them, and families and flags are drawn with them
HISTORY_LINES = 1000
SECONDS_PER_LINE = 60.0
SCRIPTS = {"rag": "int8-rag", "ingest": "int8-rag-ingest", "sql": "int8-rag-sql"}  # and the modules that they start
SPEED_SECONDS = 120.0  # files are done a window at a time, some seconds apart


class Progress(Protocol):
    """What a long run tells about itself while it works."""

    def start(self, files: int, content_bytes: int) -> None:
        """How much there is to do."""

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:
        """How much more has been done: files, and their bytes, when readers can find them; chunks when encoded."""


class Silence:
    """Progress that nobody watches."""

    def start(self, files: int, content_bytes: int) -> None:
        """Says nothing."""

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:
        """Says nothing."""


class Bar:
    """A bar on stderr: files, chunks, rate and the time left, by the bytes of the files that are done."""

    def __init__(self, live: Any) -> None:
        self.live = live
        self.task = live.add_task("", total=None, files=0, of=0, chunks=0)

    def start(self, files: int, content_bytes: int) -> None:
        """Sets the bar's length."""
        self.live.update(self.task, total=max(content_bytes, 1), of=files)

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:
        """Moves the bar."""
        fields = self.live.tasks[self.task].fields
        self.live.update(
            self.task, advance=content_bytes, files=fields["files"] + files, chunks=fields["chunks"] + chunks
        )


class Lines:
    """A line a minute on stderr, for a log and for a person without a terminal."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self.started = self.said = clock()
        self.files = self.of = self.chunks = 0

    def start(self, files: int, content_bytes: int) -> None:  # noqa: ARG002 - as every Progress is told
        """How many files there are to do."""
        self.of = files

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:  # noqa: ARG002
        """Says how far it is, where the last line is a minute old."""
        self.files += files
        self.chunks += chunks
        now = self.clock()
        if now - self.said >= SECONDS_PER_LINE:
            self.said = now
            note(f"... {how_far(self.files, self.of, self.chunks, now - self.started)}")


def how_far(files: int, of: int, chunks: int, seconds: float) -> str:
    """Files, chunks and their rate, as far as they are known.

    >>> how_far(120, 874, 3400, 65.0)
    '120 of 874 files, 3,400 chunks, 52 chunks/s'
    """
    parts = [f"{files:,} of {counted(of, 'file')}"] if of else []
    parts.append(counted(chunks, "chunk"))
    if seconds > 0.5 and (rate := chunk_rate(chunks, seconds)):
        parts.append(rate)
    return ", ".join(parts)


def chunk_rate(chunks: int, seconds: float) -> str:
    """Chunks a second; nothing where there were none, or next to none.

    >>> chunk_rate(832, 13.6), chunk_rate(1, 3.0), chunk_rate(0, 2.0)
    ('61 chunks/s', '0.3 chunks/s', '')
    """
    rate = chunks / seconds if seconds else 0.0
    if rate < 0.05:
        return ""
    return f"{rate:.0f} chunks/s" if rate >= 10 else f"{rate:.1f} chunks/s"


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """A progress bar where stderr is a terminal, a line a minute elsewhere, silence where that is wanted."""
    if quiet:
        yield Silence()
        return
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich import progress as rich_progress
    from rich.console import Console

    class HowFar(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> str:
            return how_far(task.fields["files"], task.fields["of"], task.fields["chunks"], task.elapsed or 0.0)

    with rich_progress.Progress(
        rich_progress.BarColumn(bar_width=30),
        HowFar(),
        rich_progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        speed_estimate_period=SPEED_SECONDS,
    ) as live:
        yield Bar(live)


@contextmanager
def step_progress(*, quiet: bool) -> Iterator[Callable[[int, int, float], None]]:
    """What hears of each step of a training (its number, all of them, the loss): a bar where stderr is a terminal, twenty
    plain lines elsewhere, nothing where that is wanted.
    """
    if quiet:
        yield lambda step, steps, loss: None
        return
    if not sys.stderr.isatty():
        yield note_step
        return
    from rich import progress as rich_progress
    from rich.console import Console

    with rich_progress.Progress(
        rich_progress.BarColumn(bar_width=30),
        rich_progress.TextColumn("step {task.completed:.0f}/{task.total:.0f}  loss {task.fields[loss]:.5f}"),
        rich_progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as live:
        task = live.add_task("", total=1, loss=0.0)
        yield lambda step, steps, loss: live.update(task, completed=step, total=steps, loss=loss)


def note_step(step: int, steps: int, loss: float) -> None:
    """A line for about every twentieth step, the first and the last."""
    if step in {1, steps} or step % max(1, steps // 20) == 0:
        note(f"step {step}/{steps}  loss {loss:.5f}")


def clean(text: str) -> str:
    """Text that cannot move the cursor, retitle the window or read otherwise than it is stored.

    Tabs and line ends stay, a soft hyphen is left out as it is within a line, and joiners stay where words and pictures
    are made with them; whatever else is no visible character is shown as an escape.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace(SOFT_HYPHEN, "")
    if text.isprintable():
        return text
    pairs = zip(" " + text, text, strict=False)
    return "".join(
        character if character in "\n\t" or joins(before, character) else shown_character(character)
        for before, character in pairs
    )


def joins(before: str, character: str) -> bool:
    """Whether a character is a joiner behind a letter, mark or symbol of a script that has joiners."""
    return character in JOINERS and not before.isascii() and category(before)[0] in "LMS"


def shown_character(character: str) -> str:
    """A character itself, or its escape where nothing would be seen of it."""
    if character.isprintable() or category(character) not in UNPRINTABLE:
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def one_line(text: str) -> str:
    """Clean text on a single line, white space folded."""
    return " ".join(clean(text).split())


def shown_name(name: str) -> str:
    """The name of a file or document on a line of its own or within one: nothing of it is folded, left out or obeyed.

    >>> print(shown_name("a\\nfailed b.md"))
    a\\u000afailed b.md
    """
    return name if name.isprintable() else "".join(map(shown_character, name))


def out(text: str = "") -> None:
    """A line of data on stdout."""
    sys.stdout.write(clean(text) + "\n")


def out_piece(text: str) -> None:
    """A piece of data on stdout that goes on, seen at once."""
    sys.stdout.write(clean(text))
    sys.stdout.flush()


class Flow:
    """Text that comes in pieces, on stdout or another stream: on a terminal its lines, which begin at a column, end between
    words."""

    def __init__(self, stream: TextIO | None = None, column: int = 0) -> None:
        self.width = shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() else 0
        self.column = self.start = column
        self.space = ""  # at the end of the last piece, where it is not known yet what follows

    def write(self, text: str) -> None:
        """Shows a piece at once. A word is shown whole where it comes in one piece."""
        out_piece(self.laid_out(text))

    def laid_out(self, text: str) -> str:
        """A piece as it is shown: clean and wrapped on a terminal, as it came elsewhere."""
        return self.wrapped(clean(text)) if self.width else text

    def wrapped(self, text: str) -> str:
        """A piece with line ends in the place of spaces behind which a word would not fit."""
        from rich.cells import cell_len

        shown = []
        text = self.space + text
        self.space = text[len(text.rstrip()) :]
        for space, word in re.findall(r"(\s*)(\S+)", text):
            length = cell_len(word)
            if "\n" in space:
                self.column = cell_len(space.rsplit("\n", 1)[1])
            elif space and self.column + len(space) + length > self.width >= length:
                space, self.column = "\n", self.start
            else:
                self.column += len(space)
            self.column += length
            shown.append(space + word)
        return "".join(shown)


def out_prose(text: str) -> None:
    """A line of prose on stdout; on a terminal it goes on in further lines between words."""
    out(Flow().laid_out(text))


def indented(line: str, indent: str) -> str:
    """A line behind an indentation for stderr; on a terminal it goes on in further lines, as far in, between words."""
    return f"{indent}{Flow(sys.stderr, len(indent)).laid_out(line)}".replace("\n", f"\n{indent}")


@contextmanager
def waiting() -> Iterator[Callable[[], None]]:
    """While it lasts, or until what it gives is called, something moves on stderr, where that is a terminal."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as moving:
        yield moving.stop


def out_json(value: Any) -> None:
    """One JSON document on stdout; control characters are escaped by JSON, others by \\u."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n")


def out_bytes(data: bytes) -> None:
    """What the database printed, as it is: for `python -m sql`, whose user asked for it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def as_started(text: str) -> str:
    """A text of ours with the commands in it called as this one was: `int8-rag ask` or else `python -m rag ask`.

    Who has started a script may have no `python` that knows our modules, or a file `rag.py` of their own beside them.
    """
    if os.path.basename(sys.argv[0] if sys.argv else "") not in SCRIPTS.values():  # noqa: PTH119 - no path need be made
        return text
    return re.sub(r"\bpython -m (rag|ingest|sql)\b", lambda found: SCRIPTS[found[1]], text)


def note(text: str) -> None:
    """A line for the person who watches, on stderr; that nobody watches any more is no reason to stop working."""
    with suppress(BrokenPipeError):
        sys.stderr.write(clean(as_started(text)) + "\n")
        sys.stderr.flush()


def is_terminal() -> bool:
    """Whether stdout is a terminal, so that a table is more welcome than tab-separated values."""
    return sys.stdout.isatty()


def is_typed() -> bool:
    """Whether a person types at stdin."""
    return sys.stdin is not None and sys.stdin.isatty()


def read_line(prompt: str) -> str:
    """A line that a person types, without its end; EOFError at Ctrl-D, KeyboardInterrupt at Ctrl-C."""
    if sys.stdout.isatty():
        return input(prompt)
    sys.stderr.write(prompt)  # stdout is a pipe or a file, and a prompt is no data
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def take_lines(
    read: Callable[[], str | None],
    take: Callable[[str], None],
    *,
    interrupted: Callable[[], None],
    failed: Callable[[], None] = lambda: None,
) -> None:
    """Takes what a person types until `read` returns None or the input ends; what fails with one line is said.

    Ctrl-C calls `interrupted`, an error `failed`, and the next line is read.
    """
    while True:
        try:
            line = read()
            if line is None:
                return
            take(line)
        except EOFError:
            out()
            return
        except Terminated:
            raise
        except KeyboardInterrupt:
            interrupted()
        except (RagError, OSError, MemoryError) as error:
            failed()
            note(f"error: {one_line(str(error) or type(error).__name__)}")


@contextmanager
def line_editing(history: Path, words: Sequence[str]) -> Iterator[None]:
    """Arrow keys, a history kept in a file that only its owner reads, and the tabulator key completing `words`."""
    try:
        import readline
    except ImportError:  # some builds of Python come without it
        yield
        return
    with suppress(OSError):  # a history that cannot be read or kept is no reason not to talk
        history.parent.mkdir(parents=True, exist_ok=True)
        history.touch(mode=0o600)
        readline.read_history_file(history)
    readline.set_history_length(HISTORY_LINES)
    readline.set_completer_delims(" \t\n,()=;")
    readline.set_completer(
        lambda text, number: next(iter([word for word in words if word.startswith(text)][number : number + 1]), None)
    )
    editor = "bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete"
    readline.parse_and_bind(editor)
    try:
        yield
    finally:
        with suppress(OSError):
            readline.write_history_file(history)


def emphasis(text: str) -> str:
    """Clean text in bold where stdout is a terminal that wants colour."""
    plain = clean(text)
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[1m{plain}\x1b[0m" if wanted else plain


def out_emphasized(prefix: str, text: str) -> None:
    """A line of data with one part in bold."""
    sys.stdout.write(clean(prefix) + emphasis(text) + "\n")


def run_command(command: Callable[[Sequence[str]], int], arguments: Sequence[str] | None = None) -> int:
    """Runs a command's main function; what it raises becomes one sentence on stderr and an exit code.

    A KeyboardInterrupt may carry a sentence for the person who pressed Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with sigterm_raised():
            code = command(given)
        sys.stdout.flush()
        return code
    except RagError as error:
        return report_error(error, str(error), error.exit_code, given)
    except KeyboardInterrupt as interrupt:
        ended, code = (
            ("terminated", EXIT_TERMINATED) if isinstance(interrupt, Terminated) else ("interrupted", EXIT_INTERRUPTED)
        )
        note(": ".join([ended, *map(str, interrupt.args)]))
        leave_now(code)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except MemoryError as error:
        return report_error(
            error, "there is not enough memory for this: give fewer or smaller files", EXIT_ERROR, given
        )
    except OSError as error:
        return report_error(error, f"{error.filename or 'the system'}: {error.strerror or error}", EXIT_ERROR, given)


@contextmanager
def sigterm_raised() -> Iterator[None]:
    """Lets SIGTERM end the work inside as Ctrl-C does, where nobody has decided otherwise."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def raise_terminated(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler is called with
    """The handler of SIGTERM."""
    raise Terminated


def report_error(error: BaseException, sentence: str, code: int, arguments: Sequence[str]) -> int:
    """One sentence on stderr; the whole traceback with --debug."""
    if "--debug" in arguments:
        import traceback

        sys.stderr.write(clean("".join(traceback.format_exception(error))))
    note(f"error: {one_line(sentence)}")
    return code


def end_with_usage(sentence: str) -> NoReturn:
    """One sentence on stderr; ends the command with the code of a wrong call."""
    note(sentence)
    raise SystemExit(EXIT_USAGE)


def leave_now(code: int) -> NoReturn:
    """Ends the process without waiting for a statement that is still running in its thread."""
    with suppress(OSError, ValueError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
