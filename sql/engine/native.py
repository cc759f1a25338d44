"""ClickHouse's Native format: the columns of an insert in, the bytes of one block out.

The driver takes lists, and makes a Python object of every code of every vector on its way to the bytes that the codes
are already. The format: https://clickhouse.com/docs/interfaces/formats/Native
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Column = Sequence[str] | Sequence[UUID] | NDArray[Any]

NUMBERS = {
    np.dtype(name.lower()): name
    for name in ("UInt8", "UInt16", "UInt32", "UInt64", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64")
}


def native_block(columns: Mapping[str, Column]) -> bytes:
    """One block of rows, column by column. The engine casts what is not of the table's type.

    A column is an array of numbers (n,), of vectors (n, numbers of each), or of bytes of one length (n,), dtype void; or
    a list of text or of UUIDs. Raises ValueError where they are not of one length, TypeError for anything else.
    """
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"columns of one block have one length, not {sorted(lengths)}")
    parts = [varint(len(columns)), varint(lengths.pop())]
    for name, column in columns.items():
        kind, data = array_column(column) if isinstance(column, np.ndarray) else list_column(name, column)
        parts += [text(name), text(kind), data]
    return b"".join(parts)


def columns_of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows of texts, UUIDs and whole numbers, none of them negative, as the columns of a block.

    Lists of numbers would go through the driver, which imports pandas for them: half a second and 50 MB.
    """
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: np.array(column, np.uint64) if isinstance(column[0], int) else column for name, column in columns.items()
    }


def array_column(column: NDArray[Any]) -> tuple[str, bytes]:
    """The type of an array's column, and its data."""
    if column.dtype.kind == "V":
        return f"FixedString({column.dtype.itemsize})", column.tobytes()
    kind = NUMBERS.get(column.dtype.newbyteorder("="))
    if kind is None or column.ndim not in (1, 2):
        raise TypeError(f"{column.dtype} of shape {column.shape} cannot be a column of a table")
    data = column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes()
    if column.ndim == 1:
        return kind, data
    rows, numbers = column.shape
    ends = np.arange(1, rows + 1, dtype="<u8") * np.uint64(numbers)
    return f"Array({kind})", ends.astype("<u8", copy=False).tobytes() + data


def list_column(name: str, column: Sequence[str] | Sequence[UUID]) -> tuple[str, bytes]:
    """The type of a list's column, and its data; texts and names repeat from row to row, and are encoded once."""
    values = set(column)
    if all(isinstance(value, str) for value in values):
        encoded = {value: text(value) for value in values}  # type: ignore[arg-type]
        return "String", b"".join([encoded[value] for value in column])
    if all(isinstance(value, UUID) for value in values):
        halves = np.frombuffer(b"".join([value.bytes for value in column]), dtype=">u8")  # type: ignore[union-attr]
        return "UUID", halves.astype("<u8").tobytes()
    raise TypeError(f"the column {name} holds neither text nor UUIDs: give its numbers as an array")


def text(value: str) -> bytes:
    """A text: how many bytes of UTF-8, and these."""
    encoded = value.encode()
    return varint(len(encoded)) + encoded


def varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first, all but the last with the eighth bit set (LEB128).

    >>> varint(300).hex()
    'ac02'
    """
    if number < 128:
        return SMALL[number]
    groups = bytearray()
    while number >= 128:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


SMALL = [bytes([number]) for number in range(128)]
