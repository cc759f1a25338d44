"""Text of JSON in, its values out one by one, each with the path of names to it, the record it is in, and where it stands.

Nothing is lost on the way: numbers keep all their digits, of names that come twice both values are given, and NaN and
Infinity, which other programs write, are words. It uses no stack of calls, so that nesting is a number to be compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The standard library's own, which undoes escapes and says where a string ends.
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 200  # of lists and objects in each other
_MAX_NAME = 100  # characters of a name in a path
_MAX_PATH = 200  # characters of a path, of which the end says most

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(
    r"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity)(?![\w.+-])"
)
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what an escape can make and no text may hold


class NotJson(ValueError):
    """A text that is not JSON, or is nested too deep; `position` is where in it."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.position = position


class Value(NamedTuple):
    """A value that is no list and no object.

    `path` leads to it from its record or the root: `town`, `orders[0].id`; the elements of a list share that of the list.
    `record` is a number that changes with each object of a list of objects, and with each object or list of the root.
    """

    path: str
    text: str
    record: int
    position: int
    is_string: bool
    is_next: bool  # in a list, behind another element


@dataclass(slots=True)
class _Open:
    """A list or object that is being read."""

    is_list: bool
    path: str
    record: int
    is_record: bool  # it is in a record, within which none begins
    count: int = 0
    name: str = ""


def values(text: str, start: int, end: int) -> Iterator[Value]:
    """The values of text[start:end], which may be several documents of JSON in a row; raises NotJson."""
    record, position = 0, start
    while (position := _after_space(text, position)) < end:
        stack: list[_Open] = []
        record += 1
        while True:
            found = text[position : position + 1] if position < end else ""
            if found in ("{", "["):
                record += 1
                stack.append(_opened(found == "[", stack, record))
                if len(stack) > MAX_DEPTH:
                    raise NotJson(f"more than {MAX_DEPTH} lists and objects in each other", position)
                position = _after_space(text, position + 1)
                if text[position : position + 1] != ("]" if found == "[" else "}"):
                    position = _named(text, position, stack[-1])
                    continue
            else:
                written, after = _scalar(text, position)
                within = stack[-1] if stack else _Open(is_list=True, path="", record=record, is_record=False)
                path = within.path if within.is_list else _joined(within.path, within.name)
                yield Value(path, written, within.record, position, found == '"', within.is_list and within.count > 1)
                position = _after_space(text, after)
            position = _closed(text, position, stack)
            if not stack:
                break
            position = _named(text, position, stack[-1])
    if position > end:
        raise NotJson("the text ends too early", end)


def _opened(is_list: bool, stack: list[_Open], record: int) -> _Open:
    if not stack:
        return _Open(is_list, "", record, is_record=False)
    above = stack[-1]
    if above.is_list:
        path = _bounded(f"{above.path}[{above.count - 1}]") if len(stack) > 1 else ""
    else:
        path = _joined(above.path, above.name)
    begins = not above.is_record and above.is_list and not is_list
    if begins or (len(stack) == 1 and not above.is_list):
        return _Open(is_list, path, record, is_record=begins)
    return _Open(is_list, path, above.record, above.is_record)


def _named(text: str, position: int, within: _Open) -> int:
    """Where the next value of a list or object begins, whose name, if it has one, is read."""
    within.count += 1
    if within.is_list:
        return position
    if text[position : position + 1] != '"':
        raise NotJson("a name in quotation marks is missing", position)
    name, position = _string(text, position)
    within.name = " ".join(name.split())[:_MAX_NAME] or '""'
    position = _after_space(text, position)
    if text[position : position + 1] != ":":
        raise NotJson("a colon is missing", position)
    return _after_space(text, position + 1)


def _closed(text: str, position: int, stack: list[_Open]) -> int:
    """Where it goes on behind a value: all that ends there is closed, and a comma is passed."""
    while stack:
        mark = text[position : position + 1]
        if mark == ("]" if stack[-1].is_list else "}"):
            stack.pop()
            position = _after_space(text, position + 1)
        elif mark == ",":
            return _after_space(text, position + 1)
        else:
            raise NotJson("a comma is missing", position)
    return position


def _scalar(text: str, position: int) -> tuple[str, int]:
    if text[position : position + 1] == '"':
        return _string(text, position)
    word = _WORD.match(text, position)
    if not word:
        raise NotJson("a value is missing", position)
    return word[0], word.end()


def _string(text: str, position: int) -> tuple[str, int]:
    try:
        string, end = scanstring(text, position + 1, False)  # line breaks in a string are let pass
    except ValueError as error:
        raise NotJson("a string does not end or has a broken escape", position) from error
    return _NO_TEXT.sub("\ufffd", string), end


def _joined(path: str, name: str) -> str:
    return _bounded(f"{path}.{name}" if path else name)


def _bounded(path: str) -> str:
    return path if len(path) <= _MAX_PATH else "…" + path[1 - _MAX_PATH :]


def _after_space(text: str, position: int) -> int:
    return _SPACE.match(text, position).end()  # type: ignore[union-attr] # it matches no space too
