"""Files in, what is in each out, in the same order: read ahead by processes of their own while the caller does other work.

The caller and the processes take the files in their order, whoever has time. A format that the table calls boxed is read
by a process alone; of others the caller reads what nobody has begun, so that it never waits for a process to start, and a
small folder of text starts none. What waits for the caller is bounded in bytes and in files, however many there are.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.box.limits import Limits
from ingest.box.messages import BadMessage, Content, decode_document
from ingest.box.process import Crashed, ReadingProcess
from ingest.readers import documents_of, opened_file, reader_of
from rag.compute.processors import usable_processors
from sql.base.errors import UnreadableDocument
from sql.base.paths import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from ingest.box.worker import Chunking
    from ingest.document import Document
    from ingest.found_files import FoundFile
    from ingest.readers.raw_file import RawFile
    from ingest.readers.table import Reader
    from sql.records import Chunk

    Result = list[bytes] | BaseException | None  # what came of a file; None where the caller is to read it

MOST_FILES_AHEAD = 256
MOST_BYTES_AHEAD = 32_000_000
FEW_BYTES = 200_000  # of text in all, which are read and cut in the time that a process takes to start


@dataclass(frozen=True, slots=True)
class Reading:
    """A file and its documents, each with its chunks, and their words if a process has made them; or why it cannot be read."""

    file: FoundFile
    contents: Sequence[Content] = ()
    failure: UnreadableDocument | None = None

    def documents(self) -> Sequence[Content]:
        """The documents; raises UnreadableDocument where the file cannot be read."""
        if self.failure is not None:
            raise self.failure
        return self.contents


@dataclass
class ReadAhead:
    """Reads some files; to be used in a `with` statement, whose end ends all processes.

    `split` makes chunks of a document here, `chunking` says how a process does the same; without it they are made here.
    With `ocr`, text is recognised in pages that are pictures.
    """

    files: Sequence[FoundFile]
    split: Callable[[Document], Sequence[Chunk]] = lambda document: ()
    chunking: Callable[[], Chunking | None] = lambda: None
    limits: Limits = field(default_factory=Limits)
    ocr: bool = False
    processes: int = field(default_factory=lambda: 1 if usable_processors() < 4 else 2)
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _next: int = 0  # the first file that nobody has begun
    _wanted: int = 0  # the file that the caller is at
    _done: dict[int, Result] = field(default_factory=dict)
    _running: set[ReadingProcess] = field(default_factory=set)
    _closed: bool = False
    _given_up: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        if self._is_worth_it():
            for _ in range(min(self.processes, len(self.files))):
                # a daemon, so that one that waits for a slow disk keeps nobody from leaving
                thread = threading.Thread(target=self._work, name="reading", daemon=True)
                thread.start()
                self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._turn:
            self._closed = True
            for process in self._running:
                process.kill()
            self._turn.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def __iter__(self) -> Iterator[Reading]:
        for number, file in enumerate(self.files):
            if (reading := self._reading(number, file)) is None:
                return
            yield reading

    def give_up(self) -> None:
        """Ends the iteration, also for a caller who waits for a file just now; may be called by any thread."""
        with self._turn:
            self._given_up = True
            self._turn.notify_all()

    # The caller's side

    def _is_worth_it(self) -> bool:
        """Whether processes are needed, or would be done sooner."""
        return sum(file.size for file in self.files) > FEW_BYTES or any(map(is_boxed, self.files))

    def _reading(self, number: int, file: FoundFile) -> Reading | None:
        source = printable(file.source)
        with self._turn:
            self._wanted = number
            self._turn.notify_all()
            if self._next == number and not is_boxed(file):
                self._next += 1
                result = None
            else:
                self._turn.wait_for(lambda: self._given_up or number in self._done)
                if self._given_up:
                    return None
                result = self._done.pop(number)
        try:
            return Reading(file, self._contents(file, result))
        except UnreadableDocument as error:
            return Reading(file, failure=error)
        except BadMessage as error:
            reason = f"{source} cannot be read: what its reader made of it is none ({error})"
            return Reading(file, failure=UnreadableDocument(reason))

    def _contents(self, file: FoundFile, result: Result) -> list[Content]:
        if isinstance(result, BaseException):
            raise result
        if result is not None:
            return [self._decoded(content) for content in result]
        raw, reader = self._raw(file)
        return [Content(document, self.split(document)) for document in documents_of(raw, reader)]

    def _decoded(self, message: bytes) -> Content:
        content = decode_document(message)
        return content if content.chunks is not None else Content(content.document, self.split(content.document))

    # A process's side: a thread each

    def _work(self) -> None:
        process: ReadingProcess | None = None
        while (number := self._take()) is not None:
            try:
                raw, reader = self._raw(self.files[number])
                result, process = self._read(raw, reader, process)
            except BaseException as error:
                result = error
            self._give(number, result)
        if process is not None:
            self._end(process)

    def _read(
        self, file: RawFile, reader: Reader, process: ReadingProcess | None
    ) -> tuple[Result, ReadingProcess | None]:
        """What a file gives, and the process for the next one. A file is not to blame for what was in a process before."""
        while True:
            if process is None or not process.alive:
                try:
                    process = self._start(process)
                except Crashed as error:
                    return UnreadableDocument(f"{file.source} {error}") if reader.boxed else None, None
            try:
                return process.read(file, reader), process
            except UnreadableDocument as error:
                return error, process
            except Crashed as error:
                if process.files == 1:
                    return UnreadableDocument(f"{file.source} {error}"), process

    def _start(self, old: ReadingProcess | None) -> ReadingProcess:
        if old is not None:
            self._end(old)
        process = ReadingProcess.start(self.limits)
        with self._turn:
            self._running.add(process)
            if self._closed:
                process.kill()
        try:
            process.wait_until_ready(self.chunking(), self._modules())
        except BaseException:
            self._end(process)
            raise
        return process

    def _modules(self) -> set[str]:
        """What reads the first files."""
        readers = (reader_of(file.name) for file in self.files[:MOST_FILES_AHEAD])
        return {reader.module for reader in readers if reader is not None}

    def _end(self, process: ReadingProcess) -> None:
        with self._turn:
            self._running.discard(process)
        process.close()

    def _take(self) -> int | None:
        """The next file, when there is room for what is in it; None when there is none left."""
        with self._turn:
            self._turn.wait_for(lambda: self._closed or self._next >= len(self.files) or self._has_room())
            if self._closed or self._next >= len(self.files):
                return None
            self._next += 1
            return self._next - 1

    def _has_room(self) -> bool:
        """Whether another file may be begun: always the one that the caller waits for."""
        if self._next == self._wanted:
            return True
        waiting = sum(len(one) for result in self._done.values() if isinstance(result, list) for one in result)
        return self._next - self._wanted < MOST_FILES_AHEAD and waiting < MOST_BYTES_AHEAD

    def _give(self, number: int, result: Result) -> None:
        with self._turn:
            self._done[number] = result
            self._turn.notify_all()

    # Files

    def _raw(self, file: FoundFile) -> tuple[RawFile, Reader]:
        """The bytes of a file, opened here: a process for reading opens none."""
        return opened_file(file.path, printable(file.source), file.root, ocr=self.ocr)


def is_boxed(file: FoundFile) -> bool:
    """Whether the table wants a file to be read by a process alone."""
    reader = reader_of(file.name)
    return reader is not None and reader.boxed
