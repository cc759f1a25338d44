"""The folder of an embedded store in, handles of the driver out: on the engine of this process, or on that of the process
that has the store.

A writer needs the store for itself. A reader takes it where it is free, and reads through the other process where not; when
that one ends, the next handle is on whatever there is then.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from sql.base.errors import StoreBusy, StoreError, StoreReplaced
from sql.engine.answering import answer_readers
from sql.engine.driver import connect_to_engine
from sql.engine.embedded import ENGINES, engine_time_zone
from sql.engine.folders import DATA, LOCK, PAYLOADS
from sql.engine.lock import begin_reading, end_reading, holder_answers, nobody_reads
from sql.engine.wire import HolderGone, HolderRefused, makes_room

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sql.engine.embedded import Engine

ROOM_SECONDS = 1.5  # that a store which was given up is left to the writer who wanted it
WRITER_SECONDS = 20.0  # that a writer waits for a store which it is going to be given
PAUSE = 0.02  # seconds between two looks whether the store is free or somebody answers
# How long a process that has the store is waited for: one that is going to answer; that is just opening or closing; no other.
PATIENCE: dict[bool | None, float] = {True: 10.0, None: 2.0, False: 0.0}


class Entrance:
    """The way of one client into a folder. Safe from any thread.

    A reader with `make_room` has that called, in a thread, when another process wants to write; it ends with `give_up`.
    """

    def __init__(self, folder: Path, *, read_only: bool, make_room: Callable[[], None] | None = None) -> None:
        self.folder = folder
        self.read_only = read_only
        self._make_room = make_room if read_only else None
        self._room_until = 0.0
        self.engine: Engine | None = None
        self.first_in_process = False
        self._guard = threading.Lock()
        self._answers = False
        self._reading: int | None = None
        self._data: tuple[int, int] | None = None  # which folder it is: another one may take its place
        self._session: list[str] = []  # what was set on a handle that was lost
        try:
            self._join()
        except StoreBusy as busy:
            if not read_only:
                self._join_for_writing(busy)
            elif holder_answers(folder / LOCK) is False:
                raise

    def _join_for_writing(self, busy: StoreBusy) -> None:
        """Waits for a store whose holder only reads it and makes room; StoreBusy where the holder does not.

        It is asked again now and then: on a busy machine a reader may have taken the store back meanwhile.
        """
        started = asked = time.monotonic()
        if not makes_room(self.folder, WRITER_SECONDS):
            raise busy
        while True:
            try:
                self._join()
                return
            except StoreBusy:
                now = time.monotonic()
                if now - started > WRITER_SECONDS:
                    raise
                if now - asked > ROOM_SECONDS:
                    makes_room(self.folder, ROOM_SECONDS)
                    asked = now
                time.sleep(PAUSE)

    @property
    def yields(self) -> bool:
        """Whether the folder is given to another process that wants to write."""
        return self._make_room is not None

    def _join(self) -> Engine:
        """The engine of this process on the folder, started where it is not running; StoreBusy where it cannot be."""
        if time.monotonic() < self._room_until:
            raise StoreBusy(f"the store {self.folder} is about to be opened by another process: try again")
        engine = self.engine = ENGINES.join(self.folder, write=not self.read_only)
        self.first_in_process = engine.clients == 1
        if self._make_room is not None:
            engine.make_room = self._make_room
        if self._answers:
            answer_readers(engine)
        return engine

    def connect(self) -> Any:
        """A handle for one thread. StoreBusy where another process has the store and does not answer."""
        with self._guard:
            handle = self._connect()
            try:
                for statement in self._session:
                    handle.command(statement)
            except BaseException:
                handle.close()
                raise
            self._session = []
        return handle

    def _connect(self) -> Any:
        started = time.monotonic()
        while True:
            try:
                engine = self.engine or self._join()
            except StoreBusy as busy:
                if not self.read_only:
                    raise
                handle = self._borrow(busy, time.monotonic() - started)
                if handle is not None:
                    return handle
                time.sleep(PAUSE)
            else:
                self._check_data()
                return connect_to_engine(engine, read_only=self.read_only)

    def _borrow(self, busy: StoreBusy, waited: float) -> Any:
        """A handle on the engine of the process that has the store; None where it is worth while to look again."""
        from sql.engine.borrowed import BorrowedHandle

        try:
            if self._reading is None:
                self._reading = begin_reading(self.folder / PAYLOADS)
            handle = BorrowedHandle(self.folder, engine_time_zone())
        except HolderRefused as refused:
            raise StoreBusy(f"{busy} ({refused})") from refused
        except HolderGone:
            if waited >= PATIENCE[holder_answers(self.folder / LOCK)]:
                raise busy from None
            return None
        try:
            self._check_data()
        except StoreError:
            handle.close()
            raise
        return handle

    def _check_data(self) -> None:
        """Raises StoreReplaced where the store is not the one that was opened: re-embedding puts another in its place."""
        status = (self.folder / DATA).stat()
        found = status.st_dev, status.st_ino
        if self._data not in {None, found}:
            raise StoreReplaced(f"the store {self.folder} was replaced by another one while it was open: open it again")
        self._data = found

    def lost(self, handle: Any) -> None:
        """What was set on a handle whose process has gone is set on the next one."""
        with self._guard:
            self._session = list(handle.session)

    def answer_readers(self) -> None:
        """Lets other processes read through this one for as long as it has the store."""
        self._answers = True
        if self.engine is not None:
            answer_readers(self.engine)

    def nobody_else_reads(self) -> bool:
        """Whether no other process reads the store, or may still want what it has read of."""
        return nobody_reads(self.folder / PAYLOADS)

    def give_up(self) -> None:
        """Gives the folder to another process, through which the next handle will read. No handle may be open."""
        with self._guard:
            engine, self.engine = self.engine, None
            self._room_until = time.monotonic() + ROOM_SECONDS
        if engine is not None:
            engine.make_room = None
            ENGINES.leave(engine)
            self._room_until = time.monotonic() + ROOM_SECONDS

    def leave(self) -> None:
        """Gives up what this client has of the folder."""
        engine, self.engine = self.engine, None
        reading, self._reading = self._reading, None
        if engine is not None:
            ENGINES.leave(engine)
        if reading is not None:
            end_reading(reading)

    def abandon(self) -> None:
        """Lets go of what belongs to the process that this one was forked from."""
        reading, self._reading = self._reading, None
        if reading is not None:
            os.close(reading)
