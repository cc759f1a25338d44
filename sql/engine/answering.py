"""The holder's side of reading a store that another process has: statements of others in, their results out.

chDB lets one process at a time into a folder, so the one that is in answers for the others, over a socket in the store
(`sql/engine/wire.py`). What comes over it is not trusted: the engine itself is asked what kind of statement a text is,
and runs it on a handle that can change nothing, with bounds on memory and on the result.
"""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sql.engine.courtesy import Courtesy
from sql.engine.driver import connect_to_engine, run_bound, settle
from sql.engine.failures import READONLY
from sql.engine.free_sql import READS, SESSION, first_word, split_statements, writes_file
from sql.engine.lock import note_holder
from sql.engine.statements import Statement
from sql.engine.wire import PROTOCOL, TO_WRITE, Wire, WireBroken, accept, listen, stop_listening

if TYPE_CHECKING:
    from sql.engine.embedded import Engine

MOST_READERS = 64  # connections at a time; a reader has one for each of its threads that is at work
GREETING_SECONDS = 10.0  # after which a peer that has connected and says nothing is given up
CLOSING_SECONDS = 2.0  # that running statements of others have to end by themselves when the store is closed
STOPPING_SECONDS = 10.0  # that one has to end after it was told to
LARGEST_RESULT = 512 << 20  # bytes of one result, as the engine counts them
MEMORY_SHARE = 4  # a statement of a reader may use one part in so many of the machine's memory
MOST_APPROVED = 500  # texts of statements whose kind is remembered
LONGEST_APPROVED = 20_000  # characters of such a text
LONGEST_ERROR = 10_000  # characters of what the engine says
ZONE = re.compile(r"[\w+./-]{1,100}")


class NotAllowed(Exception):
    """A statement that the engine may not even be shown; an error of the kind that it has for those that write."""

    code = READONLY

    def __init__(self, kind: str) -> None:
        super().__init__(f"Code: {READONLY}. DB::Exception: Cannot execute {kind} in readonly mode. (READONLY)")


def answer_readers(engine: Engine) -> None:
    """Lets other processes read through the engine of this one from now on, where the system has sockets.

    Where it has none, they are told that the store is in use.
    """
    if engine.answers is not None or engine.shadow is not None:
        return
    try:
        engine.answers = Answering(engine)
    except (OSError, RuntimeError):  # a file system without sockets; no thread to be had
        note_holder(engine.lock, answers=False)


class Answering:
    """The open socket of a store, and a thread for each process that reads through it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.courtesy = Courtesy()
        self._listener = listen(engine.folder)
        self._guard = threading.Lock()
        self._visits: set[Visit] = set()
        self._number = 0
        self._closing = False
        self._approved: dict[str, str] = {}
        self._approving = threading.Lock()
        self._judge: Any = None  # a handle of its own: a value that is bound on one makes it forget those that were set
        threading.Thread(target=self._accept, daemon=True, name="readers").start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                wire = accept(self._listener)
            except OSError:
                time.sleep(0.05)  # no descriptor is free, or the listener was closed, which ends the loop
                continue
            if wire is not None:
                self._admit(wire)

    def _admit(self, wire: Wire) -> None:
        """Begins a visit, or sends the peer away where there are too many."""
        with self._guard, suppress(RuntimeError):  # no further thread can be had
            if not self._closing and len(self._visits) < MOST_READERS:
                self._number += 1
                visit = Visit(self, wire, f"reader {self._number}")
                self.courtesy.arrive(visit)
                try:
                    visit.thread.start()
                except RuntimeError:
                    self.courtesy.leave(visit)
                    raise
                self._visits.add(visit)
                return
        with suppress(WireBroken):
            wire.send({"protocol": PROTOCOL, "refused": f"{len(self._visits)} connections read through it already"})
        wire.close()

    def forget(self, visit: Visit) -> None:
        """A visit is over."""
        self.courtesy.leave(visit)
        with self._guard:
            self._visits.discard(visit)

    def close(self) -> bool:
        """Ends all visits; statements that are running get a moment. Whether nothing is left in the engine."""
        with self._guard:
            self._closing = True
            visits = list(self._visits)
        stop_listening(self.engine.folder, self._listener)
        until = time.monotonic() + CLOSING_SECONDS
        for visit in visits:
            visit.await_answer(max(0.0, until - time.monotonic()))
        for visit in visits:
            visit.wire.hang_up()
        until = time.monotonic() + STOPPING_SECONDS
        for visit in visits:
            visit.thread.join(max(0.0, until - time.monotonic()))
        if any(visit.thread.is_alive() for visit in visits):
            return False
        if self._judge is not None:
            self._judge.close()
        return True

    def give_way(self) -> None:
        """Waits while a reader that has just come may need the processors."""
        self.courtesy.give_way()

    def abandon(self) -> None:
        """Closes descriptors that a forked process has got; the connections stay with the other one."""
        self._listener.close()
        for visit in self._visits:
            visit.wire.close()

    # Statements

    def connect(self, reader: str, zone: str) -> Any:
        """A handle that only reads, for one visit, whose statements can be told from others by the name of the reader."""
        settings: dict[str, int | str] = {
            "log_comment": reader,
            "max_memory_usage": memory_bytes() // MEMORY_SHARE,
            "max_result_bytes": LARGEST_RESULT,
            "result_overflow_mode": "throw",
        }
        if ZONE.fullmatch(zone):
            settings["session_timezone"] = zone
        return connect_to_engine(self.engine, read_only=True, settings=settings)

    def approve(self, text: str) -> str:
        """One statement as the engine reads it; NotAllowed for what does not only read.

        `readonly` is not enough: it allows KILL QUERY, SYSTEM STOP MERGES and INTO OUTFILE. And what a text looks like to
        us is not enough to go by, where a quotation mark may begin something else for the engine.
        """
        known = self._approved.get(text)
        if known is not None:
            return known
        read = self._as_read(Statement("as_read", {"statement": text}))
        if first_word(read) not in READS | SESSION:
            raise NotAllowed(first_word(read).upper())
        if writes_file(read):
            raise NotAllowed("INTO OUTFILE")
        if len(text) <= LONGEST_APPROVED:
            if len(self._approved) >= MOST_APPROVED:
                self._approved = {}
            self._approved[text] = read
        return read

    def _as_read(self, question: Statement) -> str:
        with self._approving:
            if self._judge is None:
                self._judge = connect_to_engine(self.engine, read_only=True)
            return str(self._judge.query(question.text, parameters=dict(question.values)).result_rows[0][0])

    def parts(self, text: str) -> list[tuple[str, str]]:
        """The statements of a text, each with how the engine reads it."""
        statements, rest = split_statements(text)
        texts = [*statements, rest] if rest else statements
        return [(one, self.approve(one)) for one in (texts if len(texts) > 1 else [text])]

    def stop_statement(self, reader: str, running: threading.Thread) -> None:
        """Stops what a reader is running; it is tried again where it had not quite begun."""
        statement = Statement("cancel_reader", {"reader": reader})
        until = time.monotonic() + STOPPING_SECONDS
        control = connect_to_engine(self.engine, read_only=False)
        try:
            while running.is_alive() and time.monotonic() < until:
                control.command(statement.text, parameters=dict(statement.values))
                running.join(0.05)
        finally:
            control.close()


@dataclass(eq=False)
class Visit:
    """One connection of a reader: what is set on its handle lasts as long.

    This thread listens, so that it hears when the reader hangs up; another one runs the statement.
    """

    answering: Answering
    wire: Wire
    reader: str
    handle: Any = None
    running: threading.Thread | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._serve, daemon=True, name=self.reader)

    def _serve(self) -> None:
        try:
            self._greet()
            while (message := self.wire.receive()) is not None:
                if "stop" in message.head:
                    self._stop()
                else:
                    self._begin(message.head)
        except Exception:
            # A broken peer, or none any more: nobody is left who could be told.
            self.wire.hang_up()
        finally:
            with suppress(Exception):
                self._stop()
            if self.running is None and self.handle is not None:
                with suppress(Exception):
                    self.handle.close()
            self.wire.close()
            self.answering.forget(self)

    def _greet(self) -> None:
        greeting = self.wire.receive(GREETING_SECONDS)
        if greeting is None:
            raise WireBroken("the reader has hung up")
        if greeting.head.get("protocol") != PROTOCOL:
            self.wire.send({"protocol": PROTOCOL, "refused": "it is of another version"})
            raise WireBroken("the reader is of another version")
        if greeting.head.get("wants") == TO_WRITE:
            room = self.answering.engine.room()
            self.wire.send({"protocol": PROTOCOL, "yields": room is not None})
            if room is not None:
                threading.Thread(target=room, daemon=True, name="making room").start()  # it ends this visit too
            raise WireBroken("a writer has nothing to read here")
        self.handle = self.answering.connect(self.reader, str(greeting.head.get("zone", "")))
        self.wire.send({"protocol": PROTOCOL, "process": os.getpid()})

    def _begin(self, request: dict[str, Any]) -> None:
        """Runs a statement beside this thread."""
        text, values = request["statement"], request.get("values", {})
        if not isinstance(text, str) or not isinstance(values, dict):
            raise WireBroken("a request has no statement")
        if self.running is not None:
            self.running.join()
        self.running = threading.Thread(target=self._answer, args=(text, values), daemon=True, name=self.reader)
        self.running.start()

    def _answer(self, text: str, values: dict[str, str]) -> None:
        try:
            self.wire.send(*self._run(text, values))
        except WireBroken:
            self.wire.hang_up()

    def _run(self, text: str, values: dict[str, str]) -> tuple[dict[str, Any], bytes]:
        """The head and the body of an answer, which may be an error of the driver's or ours."""
        try:
            body, session = b"", []
            for one, read in self.answering.parts(text):
                body = run_bound(self.handle, one, values)
                if first_word(read) in SESSION:
                    session.append(read)
            return {"session": session}, body
        except Exception as error:
            if not isinstance(error, NotAllowed) and not settle(self.handle):
                raise WireBroken("the handle cannot be used any more") from error
            return {"error": str(error)[:LONGEST_ERROR], "code": getattr(error, "code", None)}, b""

    def await_answer(self, seconds: float) -> None:
        """Waits until the statement that is running, if one is, has been answered."""
        running = self.running
        if running is not None:
            with suppress(RuntimeError):  # not started yet
                running.join(seconds)

    def _stop(self) -> None:
        running = self.running
        if running is None:
            return
        if running.is_alive():
            self.answering.stop_statement(self.reader, running)
        if not running.is_alive():
            self.running = None


def memory_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
