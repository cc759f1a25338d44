"""The bytes of a zip in, the bytes of its entries out, within limits that count what was unpacked and not what was claimed.

Nothing is ever written to disk. What an archive says of itself is not believed: its sizes, its number of entries and the
names of its entries are the sender's to choose.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_ENTRIES = 20_000
MAX_ENTRY_BYTES = (
    64 << 20
)  # of one entry, unpacked: the text of 20,000 pages, and what a parser makes of it fits in memory
MAX_TOTAL_BYTES = 256 << 20  # of all that is unpacked of one archive
MAX_RATIO = 200  # unpacked to packed, where it matters: repetitive XML reaches 50, a bomb 1,000
_SMALL_BYTES = 32 << 20  # unpacked up to here an entry harms nobody, and a report may say one line 100,000 times
_STEP_BYTES = 1 << 16
_ENTRY_MARK = b"PK\x01\x02"  # before each entry of the directory
_OLD_OFFICE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_IS_ENCRYPTED = 0x1  # of an entry's flags
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the only ones that documents use
# What the zipfile module raises for archives that are broken, each for reasons of its own.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
    OverflowError, LookupError,
)  # fmt: skip


class Archive:
    """A zip whose entries are read by name; every refusal is an UnreadableDocument that begins with `source`."""

    def __init__(self, data: bytes, source: str) -> None:
        self._source = source
        self._unpacked = 0
        _refuse_other_files(data, source)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            entries = self._zip.infolist()
        except _BROKEN as error:
            raise UnreadableDocument(f"{source} is a damaged zip archive: {error}") from error
        self._entries = self._checked(entries)
        self._by_small_name = {name.lower(): name for name in reversed(self._entries)}

    def _checked(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        """The entries that are files, by name; none of them before all were looked at."""
        found: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            name = entry.filename.replace("\\", "/")
            if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
                raise UnreadableDocument(
                    f"{self._source} has an entry called {name!r:.80}, which leads out of the archive: no program that "
                    "writes documents makes such a name"
                )
            if name in found:
                raise UnreadableDocument(
                    f"{self._source} has two entries called {name!r:.80}, and programs differ in which they show: save "
                    "the document again"
                )
            if entry.flag_bits & _IS_ENCRYPTED:
                raise UnreadableDocument(f"{self._source} is encrypted ({name!r:.80}): save it without a password")
            if not name.endswith("/"):
                found[name] = entry
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files in it, folders divided by `/`, in the order of the archive."""
        return tuple(self._entries)

    def __contains__(self, name: str) -> bool:
        return self.found(name) != ""

    def found(self, name: str) -> str:
        """How the entry of this name is really spelt, in which letter case does not matter; "" where there is none."""
        if name in self._entries:
            return name
        return self._by_small_name.get(name.lower(), "")

    def read(self, name: str) -> bytes:
        """All bytes of an entry."""
        return b"".join(self._steps(name))

    def verify(self) -> None:
        """Unpack every entry once and keep none: for a library that opens the archive by itself afterwards."""
        for name in self._entries:
            for _ in self._steps(name):
                pass

    def rewritten(self, changed: Mapping[str, bytes]) -> bytes:
        """An archive of the same entries, those in `changed` with these bytes, for a library that opens it by itself."""
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_STORED) as copied:
            for name in self._entries:
                copied.writestr(name, changed[name] if name in changed else self.read(name))
        return kept.getvalue()

    def _steps(self, name: str) -> Iterator[bytes]:
        """An entry's bytes in pieces, the limits checked before the next one is unpacked."""
        entry = self._entries.get(self.found(name))
        if entry is None:
            raise UnreadableDocument(f"{self._source} has no {name}, so it is not what its name says")
        if entry.compress_type not in _METHODS:
            raise UnreadableDocument(
                f"{self._source}: its {name} is compressed by method {entry.compress_type}, which documents do not use"
            )
        size = 0
        try:
            with self._zip.open(entry) as opened:
                while step := opened.read(_STEP_BYTES):
                    size += len(step)
                    self._unpacked += len(step)
                    self._check_size(name, size, entry.compress_size)
                    yield step
        except _BROKEN as error:
            raise UnreadableDocument(f"{self._source} is a damaged zip archive, at its {name}: {error}") from error

    def _check_size(self, name: str, size: int, packed: int) -> None:
        if size > MAX_ENTRY_BYTES:
            raise UnreadableDocument(
                f"{self._source}: its {name} unpacks to more than {MAX_ENTRY_BYTES:,} bytes, which is the limit"
            )
        if self._unpacked > MAX_TOTAL_BYTES:
            raise UnreadableDocument(
                f"{self._source} unpacks to more than {MAX_TOTAL_BYTES:,} bytes, which is the limit: divide it"
            )
        if size > _SMALL_BYTES and size > MAX_RATIO * packed:
            raise UnreadableDocument(
                f"{self._source}: its {name} unpacks to more than {MAX_RATIO} times its size, as a zip bomb does"
            )


def _refuse_other_files(data: bytes, source: str) -> None:
    if data.startswith(_OLD_OFFICE_MARK):
        if _ENCRYPTED_PACKAGE in data:
            raise UnreadableDocument(f"{source} is encrypted: save it without a password")
        raise UnreadableDocument(f"{source} is an old Office file by its first bytes: save it in the current format")
    if not data:
        raise UnreadableDocument(f"{source} is empty, not a document as its name says")
    # before zipfile makes an object of each, of which an archive within the limit of a file can have two million
    if data.count(_ENTRY_MARK) > MAX_ENTRIES:
        raise UnreadableDocument(f"{source} is an archive of more than {MAX_ENTRIES:,} entries, which is the limit")
    if _ENTRY_MARK not in data:
        raise UnreadableDocument(f"{source} is not a zip archive, which a file of this type has to be")
