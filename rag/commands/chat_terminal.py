"""The line that a person types in a conversation: with prompt_toolkit where it is installed, else as Python itself reads it.

The one door to prompt_toolkit, which the extra `chat` brings.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sql.base.terminal import is_terminal, line_editing, read_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


@contextmanager
def editing_terminal(history: Path, commands: Sequence[str]) -> Iterator[Callable[[str], str]]:
    """What reads a line behind a prompt, with a history that is kept for its owner alone and completion of commands.

    It raises EOFError at Ctrl-D and KeyboardInterrupt at Ctrl-C.
    """
    try:
        from prompt_toolkit import PromptSession
    except ImportError:
        with line_editing(history, commands):
            yield read_line
        return
    if not is_terminal():  # what is typed would be drawn into the data
        with line_editing(history, commands):
            yield read_line
        return
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    kept: FileHistory | InMemoryHistory = InMemoryHistory()
    with suppress(OSError):  # a history that cannot be kept is no reason not to talk
        history.parent.mkdir(parents=True, exist_ok=True)
        kept_file = history.with_suffix(".prompt")  # in another form than readline's
        kept_file.touch(mode=0o600)
        kept = FileHistory(str(kept_file))
    session: PromptSession[str] = PromptSession(
        history=kept,
        auto_suggest=AutoSuggestFromHistory(),
        completer=WordCompleter(list(commands), sentence=True),
        complete_while_typing=False,
    )
    yield session.prompt
