"""A path in, the bytes of its file out, read with care; and the record in which a reader is given them."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING

from ingest.document import PART_MARK, Document
from ingest.readers.names import PROSE, without_template
from sql.base.errors import UnreadableDocument
from sql.records.metadata import NO_METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Self

    from ingest.document import Block
    from ingest.places import PageMark, Place
    from sql.records.metadata import MetadataValue

MAX_FILE_BYTES = 100_000_000  # a text file beyond this is a dump or a trap, and is held in memory whole
MAX_ENCLOSED_BYTES = 200_000_000  # of all files within a file, unpacked: a mailbox of 100 MB holds no more
_READ_BYTES = 1 << 20


@dataclass
class Allowance:
    """How many bytes of files within a file may still be read, at every depth together."""

    bytes_left: int = MAX_ENCLOSED_BYTES


@dataclass(frozen=True)
class RawFile:
    """What a reader is given: all bytes of a file, its own name, the name it is cited by, and its format by the table.

    A file within a file, such as an attachment, has a `depth` of 1 and more, and shares an allowance with those beside it
    (ingest/readers/enclosed.py). With `ocr`, text is to be recognised in pages that are pictures.
    """

    name: str
    source: str
    format: str
    data: bytes
    depth: int = 0
    allowance: Allowance = field(default_factory=Allowance, compare=False, repr=False)
    ocr: bool = False

    @property
    def suffix(self) -> str:
        """The end of the name with its dot, in small letters, without that of a template."""
        return PurePath(self.bare_name).suffix.lower()

    @property
    def bare_name(self) -> str:
        """The name without the suffix of a template, if it is a page of prose."""
        return without_template(self.name) if self.format in PROSE else self.name

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return sha256(self.data).hexdigest()

    def document(
        self,
        text: str,
        blocks: Iterable[Block],
        *,
        title: str = "",
        encoding: str = "",
        converted: bool = False,
        line_marks: tuple[tuple[int, int], ...] = (),
        page_marks: Iterable[PageMark] = (),
        places: Iterable[Place] = (),
        part: str = "",
        metadata: Mapping[str, MetadataValue] = NO_METADATA,
        remark: str = "",
        unread_pictures: int = 0,
    ) -> Document:
        """A document of this file; where it has no title, the file's name without its suffix is one.

        See Document for what each is. `part` is to be a name by which people find the part in the file, in which a `#`
        is written as %23 and no byte is lost: text that UTF-8 can hold.
        """
        end = PART_MARK + part if part else ""
        return Document(
            source=self.source + end,
            format=self.format,
            title=title or PurePath(self.bare_name + end).stem.removesuffix(".html"),
            text=text,
            blocks=tuple(blocks),
            encoding=encoding,
            content_hash=self.content_hash,
            content_bytes=len(self.data),
            converted=converted,
            line_marks=line_marks,
            page_marks=tuple(page_marks),
            places=tuple(places),
            part=part,
            metadata=dict(metadata),  # a plain one, which can be given to another process
            remark=remark,
            unread_pictures=unread_pictures,
        )


def file_bytes(path: Path, source: str, root: Path | None = None) -> bytes:
    """All bytes of a regular file of at most MAX_FILE_BYTES; for `root` see read_documents."""
    with OpenFolder() as opened:
        return opened.file_bytes(str(path.parent), path.name, source, root)


class OpenFolder:
    """Reads files one after the other, those of one folder through one descriptor; to be used in a `with` statement.

    A folder below a root is reached without following a link, and stays open until a file of another one is asked for. To
    reach it takes as long as to read a small file.
    """

    def __init__(self) -> None:
        self._of: tuple[str, Path] | None = None  # folder and root that the descriptor is for
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def file_bytes(self, folder: str, name: str, source: str, root: Path | None = None) -> bytes:
        """All bytes of a regular file of at most MAX_FILE_BYTES in a folder; for `root` see read_documents."""
        try:
            if root is None:
                path, descriptor = os.path.join(folder, name), None  # noqa: PTH118 - in a tenth of the time
            else:
                path, descriptor = name, self._open(folder, root, source)
            # before opening: to open a device can already do something
            _check_readable(os.stat(path, dir_fd=descriptor, follow_symlinks=root is None), source)
            return _read_all(path, source, descriptor)
        except OSError as error:
            raise UnreadableDocument(f"{source} cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # a name with a NUL
            raise UnreadableDocument(f"{source!r} cannot be read: {error}") from error

    def _open(self, folder: str, root: Path, source: str) -> int:
        if self._of != (folder, root):
            self._close()
            self._descriptor = _opened_folder(folder, root, source)
            self._of = folder, root
        return self._descriptor

    def _close(self) -> None:
        if self._of is not None:
            os.close(self._descriptor)
            self._of = None


def _opened_folder(folder: str, root: Path, source: str) -> int:
    """A descriptor of a folder, reached from `root` without following a link.

    O_NOFOLLOW speaks of the last part of a path only. Since the walk saw them as folders, any part may have been
    replaced by a link that leads out of the root, so each is opened from the one above it.
    """
    names = _folders_below(folder, root)
    descriptor = _open_folder(root, source)
    for name in names:
        try:
            below = _open_folder(name, source, descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _folders_below(folder: str, root: Path) -> list[str]:
    """The folders from a root to one in it. `Path.relative_to` takes as long as all system calls for a file."""
    top = os.path.join(root, "")  # noqa: PTH118 - text is what is compared
    below = os.path.join(folder, "")  # noqa: PTH118
    if not below.startswith(top):
        raise ValueError(f"{folder} is not below {root}")
    return below[len(top) :].split(os.sep)[:-1]  # noqa: PTH206


def _open_folder(name: Path | str, source: str, above: int | None = None) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
            raise
        reason = f"cannot be read: {os.path.basename(name)} was a folder and is one no longer"  # noqa: PTH119
        raise UnreadableDocument(f"{source} {reason}") from error


def _read_all(name: Path | str, source: str, folder: int | None = None) -> bytes:
    # O_NONBLOCK: a FIFO put in the file's place since the check must not keep us waiting for a writer
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        _check_readable(status, source)
        parts, total, room = [], 0, min(status.st_size + 1, _READ_BYTES)
        while part := os.read(descriptor, room):
            parts.append(part)
            total += len(part)
            room = _READ_BYTES if total > status.st_size else room
            if total > MAX_FILE_BYTES:  # it grows while it is read, or its size is a lie
                raise UnreadableDocument(_too_large(source, total))
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _check_readable(status: os.stat_result, source: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableDocument(f"{source} is a folder, not a file")
    if stat.S_ISLNK(status.st_mode):
        raise UnreadableDocument(f"{source} is a symbolic link, whose target is read only if it is given itself")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableDocument(f"{source} is a pipe, socket or device, not a file")
    if status.st_size > MAX_FILE_BYTES:
        raise UnreadableDocument(_too_large(source, status.st_size))


def _too_large(source: str, size: int) -> str:
    return f"{source} holds {size:,} bytes or more, the limit is {MAX_FILE_BYTES:,}: divide it into smaller files"
