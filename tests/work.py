"""Work counted instead of timed: calls of functions, and characters that slices copy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Work(NamedTuple):
    """What a function has done to a text."""

    calls: int
    copied: int  # characters

    def is_about_twice(self, half: Work) -> bool:
        return all(twice <= 2.5 * once + 1000 for twice, once in zip(self, half, strict=True))


class Counted(str):
    """A text that counts the characters that slices copy."""

    __slots__ = ("copied",)
    copied: int

    def __getitem__(self, key: Any) -> str:
        if isinstance(key, slice):
            self.copied += len(range(*key.indices(len(self))))
        return str.__getitem__(self, key)


def work_of(function: Callable[[str], Any], text: str) -> Work:
    counted = Counted(text)
    counted.copied = 0
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(counted)
    finally:
        sys.setprofile(before)
    return Work(calls, counted.copied)


def growth(function: Callable[[str], Any], text: Callable[[int], str], length: int) -> tuple[Work, Work]:
    function(text(100))  # imports and caches
    return work_of(function, text(length)), work_of(function, text(2 * length))
