"""The parent's side of one process that reads files: a file in, the answers for it out, whatever the process does.

It is a fresh interpreter and no fork, which would hang beside threads of the engine and of torch. It has no environment
of the user's, so no secrets, and a session of its own, so Ctrl-C reaches the parent alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from ingest.box.messages import BadMessage, as_bytes, from_bytes
from ingest.box.pipes import Ended, TooLate, TooMuch, receive, send
from ingest.box.worker import BROKEN, DOCUMENT, DONE, READY, TOO_LARGE, UNREADABLE
from sql.base.errors import UnreadableDocument
from sql.base.settings import reader_environment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.box.limits import Limits
    from ingest.box.worker import Chunking
    from ingest.readers.raw_file import RawFile
    from ingest.readers.table import Reader

# Where modules are looked for is what it is here, and not what the working directory of a user might hold.
_PROGRAM = """
import gc, json, sys
gc.disable()  # what imports make stays
sys.path[:] = json.loads(sys.argv[1])
from ingest.box.worker import main
main(int(sys.argv[2]))
"""
START_SECONDS = 120.0  # it takes less than one at rest
_MOST_REASON = 10_000  # bytes of what a process says of itself


class Crashed(Exception):
    """The process has ended for a reason that the files before may have part in: what there is to say of the file."""


@dataclass(eq=False)
class ReadingProcess:
    """One process with its limits; `held` names the protections that it has, see ingest/box/confine.py."""

    process: subprocess.Popen[bytes]
    limits: Limits
    held: list[str] = field(default_factory=list)
    files: int = 0  # that it was given

    @classmethod
    def start(cls, limits: Limits) -> ReadingProcess:
        """A process that is about to start, see `wait_until_ready`; Crashed where the system makes no more."""
        command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), str(os.getpid())]
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=reader_environment(),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise Crashed(f"cannot be read: no process for it can be started ({error.strerror})") from error
        started = cls(process, limits)
        for descriptor in started._pipes:
            os.set_blocking(descriptor, False)
        return started

    def wait_until_ready(self, chunking: Chunking | None, modules: Iterable[str] = ()) -> None:
        """Tells it its limits, and which `modules` it will need; Crashed where it does not answer."""
        incoming, outgoing = self._pipes
        deadline = monotonic() + START_SECONDS
        settings = {
            "limits": astuple(self.limits),
            "chunking": astuple(chunking) if chunking else None,
            "modules": list(modules),
        }
        try:
            send(incoming, as_bytes(settings), deadline)
            message = receive(outgoing, _MOST_REASON, deadline)
            self.held = [str(one) for one in from_bytes(message.removeprefix(READY))]
        except (Ended, TooLate, TooMuch, BadMessage) as error:
            self.kill()
            raise Crashed(f"cannot be read: no process for it can be started ({self._how_it_ended()})") from error

    def read(self, file: RawFile, reader: Reader) -> list[bytes]:
        """The documents of a file as `decode_document` takes them.

        Raises UnreadableDocument for what the file is to blame for, and Crashed where the process ended. After either a
        process may be gone: see `alive`.
        """
        self.files += 1
        seconds = self.limits.seconds_for(len(file.data))
        deadline = monotonic() + seconds
        job = {
            "name": file.name,
            "source": file.source,
            "format": file.format,
            "module": reader.module,
            "ocr": file.ocr,
        }
        try:
            send(self._pipes[0], as_bytes({**job, "seconds": seconds}), deadline)
            send(self._pipes[0], b"=" + file.data, deadline)
            return self._answers(file.source, deadline)
        except TooLate:
            self.kill()
            raise UnreadableDocument(f"{file.source} {_too_long(seconds)}") from None
        except TooMuch:
            self.kill()
            raise UnreadableDocument(
                f"{file.source} holds more than {self.limits.output_bytes:,} bytes of text and structure, the limit"
            ) from None
        except BadMessage as error:
            self.kill()
            raise Crashed(f"cannot be read: its reader does not answer as it should ({error})") from error
        except Ended as error:
            self.kill()
            if self.process.returncode == -signal.SIGXCPU:
                raise UnreadableDocument(f"{file.source} {_too_long(seconds)}") from None
            raise Crashed(f"cannot be read: its reader crashed ({self._how_it_ended()})") from error

    def _answers(self, source: str, deadline: float) -> list[bytes]:
        documents: list[bytes] = []
        left = self.limits.output_bytes
        while True:
            message = receive(self._pipes[1], left, deadline)
            left -= len(message)
            kind, content = message[:1], message[1:]
            if kind == DOCUMENT:
                documents.append(content)
            elif kind == DONE:
                return documents
            elif kind == TOO_LARGE:
                self.kill()
                raise Crashed(f"needs more than {self.limits.memory_bytes:,} bytes of memory to be read, the limit")
            elif kind in {UNREADABLE, BROKEN}:
                raise UnreadableDocument(_reason(source, kind, content))
            else:
                raise BadMessage(f"{kind!r} is no answer")

    @property
    def alive(self) -> bool:
        """Whether it can be given another file."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Ends it at once. What has it keeps nothing of it; safe to do twice and from any thread."""
        self.process.kill()
        with suppress(OSError):
            self.process.wait()

    def close(self) -> None:
        """Ends it and closes the pipes; by the thread that reads from them."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def _pipes(self) -> tuple[int, int]:
        assert self.process.stdin is not None  # noqa: S101 - as they were asked for
        assert self.process.stdout is not None  # noqa: S101
        return self.process.stdin.fileno(), self.process.stdout.fileno()

    def _how_it_ended(self) -> str:
        code = self.process.returncode
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"


def _too_long(seconds: float) -> str:
    return f"takes longer to read than the {seconds:.3g} s that a file of its size may"


def _reason(source: str, kind: bytes, content: bytes) -> str:
    """What the process said as a sentence on the file."""
    text = from_bytes(content) if len(content) < _MOST_REASON else "its reader has too much to say of it"
    if not isinstance(text, str):
        raise BadMessage("no reason")
    if kind == UNREADABLE:
        return text if text.startswith(source) else f"{source} cannot be read: {text}"
    return f"{source} cannot be read: its reader failed ({text})"
