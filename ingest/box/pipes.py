"""Bytes of a known number over a pipe: how a parent and the process that reads files for it speak with each other.

A message is 8 bytes, the length of what follows with the lowest byte first, and then that many bytes. On the parent's side
nothing blocks for longer than is allowed, and nothing is kept beyond what is allowed, whatever the other side does.
"""

from __future__ import annotations

import os
import select
from time import monotonic

HEAD_BYTES = 8
_PIECE = 1 << 16


class TooLate(Exception):
    """The other side has not read or written in time."""


class TooMuch(Exception):
    """The other side wants to send more than is allowed."""


class Ended(Exception):
    """The other side has closed its end."""


def send(descriptor: int, content: bytes, deadline: float) -> None:
    """Writes a message to a pipe that does not block; TooLate or Ended where the other side does not take it."""
    rest = memoryview(len(content).to_bytes(HEAD_BYTES, "little") + content)
    while rest:
        _wait(descriptor, select.POLLOUT, deadline)
        try:
            rest = rest[os.write(descriptor, rest[:_PIECE]) :]
        except BlockingIOError:
            continue
        except OSError as error:
            raise Ended from error


def receive(descriptor: int, most: int, deadline: float) -> bytes:
    """Reads a message of at most `most` bytes from a pipe that does not block."""
    length = int.from_bytes(_exactly(descriptor, HEAD_BYTES, deadline), "little")
    if length > most:
        raise TooMuch
    return _exactly(descriptor, length, deadline)


def _exactly(descriptor: int, length: int, deadline: float) -> bytes:
    content = bytearray()
    while len(content) < length:
        _wait(descriptor, select.POLLIN, deadline)
        try:
            piece = os.read(descriptor, min(length - len(content), _PIECE * 16))
        except BlockingIOError:
            continue
        if not piece:
            raise Ended
        content += piece
    return bytes(content)


def _wait(descriptor: int, event: int, deadline: float) -> None:
    left = deadline - monotonic()
    waiting = select.poll()
    waiting.register(descriptor, event)
    if left <= 0 or not waiting.poll(left * 1000):
        raise TooLate
