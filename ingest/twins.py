"""Documents by their content in, for a new one an older one of the same content out: what was moved or copied has a twin."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING
from uuid import UUID

from ingest.identity import content_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sql.records import LiveDocument, SourceDocument

LEAST_PLACES = 64
VALUE_BYTES = 17


class Twins:
    """Documents by their content, each format, cut and part of a file apart: one that was moved or copied has a twin.

    So has one whose metadata alone are other than they were: what the store holds of it. Kept are numbers, of the content
    64 bits: whoever takes a twin's codes looks whether they are of the same text.
    """

    def __init__(self, documents: Iterable[LiveDocument] = ()) -> None:
        self._table = NumberTable()
        # what waits for its place in the table: where nothing changed nobody asks for a twin
        self._contents, self._ids = array("Q"), bytearray()
        self.add(documents)

    def add(self, documents: Iterable[LiveDocument]) -> None:
        """Documents that are in the store; of several of the same content the last one is the twin."""
        for document in documents:
            self._contents.append(content_number(document))
            self._ids += document.document_id.bytes

    def twin_of(self, document: SourceDocument) -> UUID | None:
        """A document of the same content, None where there is none; from now on this one is such a document too."""
        if self._contents:
            self._put_stored()
        own, content = document.document_id.int, content_number(document)
        known = self._table.get(content)
        if known is None:
            self._table.put(content, own << 1)
            return None
        twin, is_stored = known >> 1, known & 1
        return UUID(int=twin) if twin != own or is_stored else None

    def _put_stored(self) -> None:
        """Gives those that wait their places."""
        for number, content in enumerate(self._contents):
            own = int.from_bytes(self._ids[16 * number : 16 * number + 16], "big")
            self._table.put(content, own << 1 | 1)
        self._contents, self._ids = array("Q"), bytearray()


class NumberTable:
    """Numbers of 129 bits by numbers of 64 bits, in 25 bytes a place, of which at least a third are free.

    A dictionary of them takes 180 bytes for each. Open addressing: a number that finds its place taken goes into the next one.
    """

    def __init__(self) -> None:
        self._count = 0
        self._make(LEAST_PLACES)

    def _make(self, places: int) -> None:
        self._keys = array("Q", bytes(8 * places))
        self._values = bytearray(VALUE_BYTES * places)  # 0 where nothing is: a value is stored with 1 added
        self._mask = places - 1

    def get(self, key: int) -> int | None:
        """The value of a key, None where there is none."""
        return value_at(self._values, self._place(key))

    def put(self, key: int, value: int) -> None:
        """Sets the value of a key, below 2^130."""
        place = self._place(key)
        if value_at(self._values, place) is None:
            self._count += 1
            if 3 * self._count > 2 * len(self._keys):
                self._grow()
                place = self._place(key)
        self._write(place, key, value)

    def _place(self, key: int) -> int:
        """Where a key is, or is to be."""
        place = key & self._mask
        while self._keys[place] != key and value_at(self._values, place) is not None:
            place = place + 1 & self._mask
        return place

    def _write(self, place: int, key: int, value: int) -> None:
        self._keys[place] = key
        self._values[place * VALUE_BYTES : (place + 1) * VALUE_BYTES] = (value + 1).to_bytes(VALUE_BYTES, "little")

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._make(2 * len(keys))
        for place, key in enumerate(keys):
            if (value := value_at(values, place)) is not None:
                self._write(self._place(key), key, value)


def value_at(values: bytearray, place: int) -> int | None:
    """The value at a place, None where it is free."""
    stored = int.from_bytes(values[place * VALUE_BYTES : (place + 1) * VALUE_BYTES], "little")
    return stored - 1 if stored else None
