"""A reader that does what its file says, none of it harmful: how the limits of reading processes are tried.

The file is the name of a function below and what it is given. What that says is the text of the document.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.document import Block
from ingest.readers.table import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

MISCHIEF = Reader("mischief", "what a file says", __name__, (".mischief",))


def read(file: RawFile) -> Iterator[Document]:
    """One document that says what came of it; many for `many`."""
    name, _, argument = file.data.decode().partition(" ")
    if name == "many":
        for part in range(int(argument)):
            yield file.document("x" * 1000, (), converted=True, part=str(part))
        return
    text = said(name, argument)
    yield file.document(text, [Block(0, len(text), "paragraph", "")] if text else [])


def said(name: str, argument: str) -> str:
    """What a function says, or the name of the error that the system has answered with."""
    try:
        return str(globals()[name](argument))
    except OSError as error:
        return f"refused: {type(error).__name__}"


# Harmless


def say(argument: str) -> str:
    return argument


def work_in_a_thread(argument: str) -> str:
    found: list[str] = []
    thread = threading.Thread(target=found.append, args=(argument,))
    thread.start()
    thread.join()
    return found[0]


def read_a_file(argument: str) -> str:
    return f"{len(Path(argument).read_bytes())} bytes"


def environment(argument: str) -> str:
    return " ".join(sorted(os.environ))


# What a process must not do


def write_a_file(argument: str) -> str:
    return f"wrote {Path(argument).write_text('x')}"


def append_to_a_file(argument: str) -> str:
    with Path(argument).open("a") as file:
        return f"wrote {file.write('x')}"


def make_a_folder(argument: str) -> str:
    return f"made {Path(argument).mkdir()}"


def remove_a_file(argument: str) -> str:
    return f"removed {Path(argument).unlink()}"


def rename_a_file(argument: str) -> str:
    return f"renamed to {Path(argument).rename(argument + '.new')}"


def link_a_file(argument: str) -> str:
    return f"linked {Path(argument + '.link').symlink_to(argument)}"


def change_a_mode(argument: str) -> str:
    return f"changed {Path(argument).chmod(stat.S_IRWXU)}"


def open_a_socket(argument: str) -> str:
    with socket.socket() as opened:
        return f"opened {opened}"


def fork(argument: str) -> str:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return f"forked {child}"


def run_a_program(argument: str) -> str:
    os.execv("/bin/true", ["true"])  # noqa: S606
    return "ran"


def signal_a_process(argument: str) -> str:
    os.kill(int(argument), 0)
    return "signalled"


def change_limits_of_a_process(argument: str) -> str:
    return f"limited {resource.prlimit(int(argument), resource.RLIMIT_NOFILE)}"


# How a process ends, or does not


def crash(argument: str) -> str:
    os.kill(os.getpid(), getattr(signal, argument))
    time.sleep(3600)
    return "went on"


def leave(argument: str) -> str:
    os._exit(int(argument))


def sleep(argument: str) -> str:
    time.sleep(float(argument))
    return "awake"


def compute(argument: str) -> str:
    while True:
        pass


def take_memory(argument: str) -> str:
    return f"took {len(bytearray(int(argument)))}"


def open_files(argument: str) -> str:
    return f"opened {len([os.open(__file__, os.O_RDONLY) for _ in range(int(argument))])}"


def go_deeper(argument: str) -> str:
    return go_deeper(argument)


def raise_an_error(argument: str) -> str:
    raise KeyError(argument)


def answer_nonsense(argument: str) -> str:
    """Writes into whichever pipe leads to the parent."""
    for number in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, bytes.fromhex(argument))
        except OSError:
            continue
    return "said"
