"""The one door to sockets: messages between two processes of one user, over a Unix-domain socket in a store's folder.

A message is a head, which is JSON, and a body of bytes; before both stand their lengths. Whoever is at the other end is
asked for by the kernel: processes of other users get no word.
"""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOCOL = 1  # the version of what is said over a wire
SOCKET = "socket"  # its name in the folder of a store
LENGTHS = struct.Struct(">IQ")  # of the head and the body
LARGEST_HEAD = 64 << 20  # bytes: a statement and all values that are bound to it
LARGEST_BODY = 1 << 30
TO_WRITE = "to write"  # what the greeting of a writer wants, who asks for the store itself
STALLED_SECONDS = 60.0  # that may pass between two pieces of one message
DESCRIPTORS = (
    "/proc/self/fd"  # of Linux: a folder that is open has a short path there, and a socket's has 107 bytes at most
)
LOCAL_PEERCRED = 1  # of macOS, which Python has no name for; its level is 0


class WireBroken(ConnectionError):
    """The other end is gone, or does not speak as it should."""


class HolderGone(Exception):
    """The process that has the store has ended, or closed it, before it answered."""


class HolderRefused(Exception):
    """The process that has the store lets this one not read; the message says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes over a wire at a time."""

    head: dict[str, Any]
    body: bytes = b""


@dataclass(eq=False)
class Wire:
    """One end of a connection. One thread may receive while others send."""

    socket: socket.socket
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # Not settimeout, which would put both directions into another mode under the hands of the other thread.
        stalled = struct.pack("ll", int(STALLED_SECONDS), 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, stalled)

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Sends a message; WireBroken where it cannot be delivered."""
        text = json.dumps(head).encode()
        if len(text) > LARGEST_HEAD or len(body) > LARGEST_BODY:
            raise ValueError(f"a message of {len(text):,} and {len(body):,} bytes is too large to be sent")
        try:
            with self._sending:
                self.socket.sendall(LENGTHS.pack(len(text), len(body)) + text)
                if body:
                    self.socket.sendall(body)
        except OSError as error:
            raise WireBroken(f"a message could not be sent: {error.strerror}") from error

    def receive(self, seconds: float | None = None) -> Message | None:
        """The next message, waited for as long as it takes or `seconds`; None where the other end has hung up instead.

        Raises WireBroken for half a message, one that is too long or none at all, and where time is up.
        """
        first = self._receive_some(LENGTHS.size, seconds)
        if not first:
            return None
        head_length, body_length = LENGTHS.unpack(first + self._receive_all(LENGTHS.size - len(first)))
        if head_length > LARGEST_HEAD or body_length > LARGEST_BODY:
            raise WireBroken(f"a message of {head_length:,} and {body_length:,} bytes is too long")
        text, body = self._receive_all(head_length), self._receive_all(body_length)
        try:
            head = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WireBroken("a message has no head that could be read") from error
        if not isinstance(head, dict):
            raise WireBroken("a message has no head that could be read")
        return Message(head, body)

    def _receive_all(self, length: int) -> bytes:
        pieces, left = [], length
        while left:
            piece = self._receive_some(min(left, 1 << 20), STALLED_SECONDS)
            if not piece:
                raise WireBroken("a message broke off")
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _receive_some(self, most: int, seconds: float | None) -> bytes:
        """At least one byte, nothing at the end."""
        poll = select.poll()
        try:
            poll.register(self.socket, select.POLLIN)
            if not poll.poll(None if seconds is None else seconds * 1000):
                raise WireBroken(f"nothing arrived within {seconds:g} s")
            return self.socket.recv(most)
        except (OSError, ValueError) as error:  # a ValueError for one that another thread has closed
            if isinstance(error, WireBroken):
                raise
            raise WireBroken(f"nothing can be received: {error}") from error

    def hang_up(self) -> None:
        """Ends the connection for both; a thread that waits at either end is woken."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the descriptor back. In a forked process the connection stays with the other one."""
        self.socket.close()


def listen(folder: Path) -> socket.socket:
    """A socket in the folder of a store, for its owner alone; to be called by the holder of the store's lock.

    Raises OSError where the file system has no sockets, or something else is in the way.
    """
    remove_socket(folder)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with place_of(folder) as path:
            listener.bind(path)
            Path(path).chmod(0o600)  # before anybody can connect
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(folder: Path) -> Wire:
    """A wire to the process that listens in the folder of a store; WireBroken where there is none of this user."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with place_of(folder) as path:
            connected.connect(path)
        wire = Wire(connected)
        if not is_same_user(connected):
            raise WireBroken(f"{folder / SOCKET} belongs to another user")
    except OSError as error:
        connected.close()
        raise error if isinstance(error, WireBroken) else WireBroken(str(error)) from error
    return wire


@contextmanager
def knocking(folder: Path | None) -> Iterator[None]:
    """While it lasts, the process that listens in the folder of a store, if there is one, knows that somebody is coming.

    It makes room meanwhile (sql/engine/courtesy.py): for a command that takes a second until it has its first statement.
    """
    wire = None
    with suppress(WireBroken):
        wire = None if folder is None else connect(folder)
    try:
        yield
    finally:
        if wire is not None:
            wire.close()


def makes_room(folder: Path, seconds: float) -> bool:
    """Whether the process that has a store, and only reads it, is going to give it to this one, which wants to write.

    It has `seconds` to say so. One of an older version takes this for a reader's greeting, and does not say it.
    """
    try:
        wire = connect(folder)
    except WireBroken:
        return False
    try:
        wire.send({"protocol": PROTOCOL, "wants": TO_WRITE})
        answer = wire.receive(seconds)
    except WireBroken:
        return False
    finally:
        wire.close()
    return answer is not None and answer.head.get("yields") is True


def accept(listener: socket.socket) -> Wire | None:
    """A wire to the next process that connects; None where it is of another user, OSError when nobody listens any more."""
    connected, _ = listener.accept()
    try:
        if is_same_user(connected):
            return Wire(connected)
    except OSError:
        pass
    connected.close()
    return None


def stop_listening(folder: Path, listener: socket.socket) -> None:
    """No further process can connect; a thread that waits for one is woken."""
    remove_socket(folder)
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def remove_socket(folder: Path) -> None:
    """Removes the socket of a store, which a killed process may have left; nothing else that bears its name.

    To be called by the holder of the lock: then nobody else can be listening there.
    """
    path = folder / SOCKET
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def is_same_user(connected: socket.socket) -> bool:
    """Whether the process at the other end is of the user of this one; False where the system cannot tell."""
    if hasattr(socket, "SO_PEERCRED"):
        record = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        _, user, _ = struct.unpack("iII", record)
    else:
        _, user = struct.unpack_from("II", connected.getsockopt(0, LOCAL_PEERCRED, 76))
    return bool(user == os.geteuid())


@contextmanager
def place_of(folder: Path) -> Iterator[str]:
    """A path of the socket that is short enough, however long that of the folder may be."""
    if not Path(DESCRIPTORS).is_dir():
        yield str(folder / SOCKET)
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"{DESCRIPTORS}/{opened}/{SOCKET}"
    finally:
        os.close(opened)
