"""What runs first in every command: from here on Ctrl-C ends it with a word and not with a traceback.

It imports only what the interpreter has loaded by then. What a command needs takes 100 ms to import, and more where it
loads a model, and a person who has mistyped is quicker.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

from sql.base.errors import EXIT_INTERRUPTED

TYPE_CHECKING = False  # as that of typing, which would have to be imported
if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn

OBJECTS_PER_COLLECTION = 100_000  # new ones that can be part of a cycle; Python's own number is 700, or 2,000


def prepare_process() -> None:
    """Makes an interrupt that nobody catches, or that is raised where nothing can be caught, end the process at once.

    A standard stream that the caller has closed becomes the null device, and a character that the encoding of stdout
    does not have is printed as an escape.
    """
    collect_garbage_seldom()
    sys.excepthook = report_uncaught
    sys.unraisablehook = report_unraisable
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Takes the lowest free number, which is that of the stream; else the next file would, one of the store.
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def collect_garbage_seldom() -> None:
    """Looks for garbage in cycles after many more new objects than Python would, and not at all when the process ends.

    A library that is imported makes objects by the hundred thousand, all of which stay: looking through them again and
    again, and once more at the end, was a fifth of the processor time of a command that loads torch. Memory that
    no cycle holds is given back at once, as ever.
    """
    gc.set_threshold(OBJECTS_PER_COLLECTION, 20, 20)
    atexit.register(gc.freeze)


def report_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What the interpreter calls for an exception that leaves the program."""
    if issubclass(kind, KeyboardInterrupt):
        leave_interrupted()
    sys.__excepthook__(kind, error, trace)


def report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """What the interpreter calls for an exception in a destructor, a weak reference's callback or while it shuts down."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        leave_interrupted()
    sys.__unraisablehook__(unraisable)


def leave_interrupted() -> NoReturn:
    """Ends the process from wherever it is: nothing is flushed that could wait or fail."""
    try:
        os.write(2, b"interrupted\n")
    finally:  # even where stderr is closed
        os._exit(EXIT_INTERRUPTED)
