"""A statement with its values in, the text and the values that the driver sends out: arrays as it sends them fastest.

A server takes no field of a form that is longer than 128 KiB (`http_max_field_value_size`, which no client can change for
itself), and each parameter is such a field. A long array is therefore sent in pieces, which the statement puts together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sql.engine.statements import PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sql.engine.statements import Value

SHORT_LIST = 16  # numbers of a parameter that the driver writes down quickly enough
PIECE_BYTES = 100_000
NUMBER_BYTES = 25  # at most, of a Float64 with the comma behind it; integers have fewer


@dataclass(frozen=True, slots=True)
class NumberList:
    """The text of an array parameter, which the driver takes as it is; it would look at each character of a string."""

    text: str

    def __str__(self) -> str:
        return self.text


def bound(text: str, values: Mapping[str, Value], *, in_pieces: bool) -> tuple[str, dict[str, Any]]:
    """The text of a statement and its values for the driver; long arrays `in_pieces`, for a server."""
    found: dict[str, Any] = {}
    divided: dict[str, list[str]] = {}
    for name, value in values.items():
        pieces = pieces_of(value) if in_pieces and isinstance(value, list) and len(value) > SHORT_LIST else [value]
        if len(pieces) == 1:
            found[name] = number_list(value)
            continue
        divided[name] = [f"{name}_piece_{number}" for number in range(len(pieces))]
        found |= {key: number_list(piece) for key, piece in zip(divided[name], pieces, strict=True)}
    return (put_together(text, divided) if divided else text), found


def pieces_of(values: list[Any]) -> list[list[Any]]:
    """A list in parts whose texts have at most PIECE_BYTES each; one element may be longer."""
    pieces: list[list[Any]] = [[]]
    size = 0
    for value in values:
        length = bytes_of(value)
        if size + length > PIECE_BYTES and pieces[-1]:
            pieces.append([])
            size = 0
        pieces[-1].append(value)
        size += length
    return pieces


def bytes_of(value: Any) -> int:
    """How long an element of an array is at most, with the comma behind it; every character of a text may be escaped."""
    if isinstance(value, list):
        return 2 + sum(map(bytes_of, value))
    return 3 + 2 * len(value.encode(errors="replace")) if isinstance(value, str) else NUMBER_BYTES


def put_together(text: str, divided: Mapping[str, list[str]]) -> str:
    """A statement with several parameters in the place of each that is divided."""

    def replaced(found: Any) -> str:
        names = divided.get(found[1])
        parts = ", ".join(f"{{{name}:{found[2]}}}" for name in names or ())
        return f"arrayConcat({parts})" if names else found[0]

    return PARAMETER.sub(replaced, text)


def number_list(value: Any) -> Any:
    """A list of many numbers, or of lists of numbers, as the text of an array parameter, for the driver takes a millisecond
    to write a vector down; any other value as it is."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return NumberList(array_text(map(array_text, value)))
    many = isinstance(value, list) and len(value) > SHORT_LIST and isinstance(value[0], int | float)
    return NumberList(array_text(value)) if many else value


def array_text(values: Iterable[Any]) -> str:
    """An array as the engine writes it, of numbers or of such texts."""
    return f"[{','.join(map(str, values))}]"
