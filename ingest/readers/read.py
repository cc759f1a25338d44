"""A file in, a Document out: its bytes read with care, decoded, and divided into blocks by its format."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ingest.document import Block, Document
from ingest.readers.blocks import code_blocks, markdown_blocks, rst_blocks, text_blocks
from ingest.readers.decode import decode_text
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MAX_FILE_BYTES", "NAMES", "SUFFIXES", "Block", "Document", "format_of", "read_document"]

MAX_FILE_BYTES = 100_000_000  # a text file beyond this is a dump or a trap, and is held in memory whole
_READ_BYTES = 1 << 20

_SUFFIXES_OF = {
    "markdown": ".md .markdown .mdown .mdx",
    "text": ".txt .text .log",
    "rst": ".rst",
    "html": ".html .htm .xhtml",
    "code": """.py .pyi .js .mjs .cjs .jsx .ts .mts .cts .tsx .java .kt .kts .scala .groovy .go .rs .c .h .cc .cpp .cxx
        .hh .hpp .hxx .cs .m .mm .swift .rb .php .pl .pm .lua .r .jl .ex .exs .erl .hs .ml .clj .dart .zig .sh .bash
        .zsh .fish .ps1 .bat .sql .proto .graphql .thrift .css .scss .less .toml .yaml .yml .ini .cfg .conf .properties
        .cmake .mk .tf .gradle .vue .svelte""",
}
SUFFIXES = {suffix: name for name, suffixes in _SUFFIXES_OF.items() for suffix in suffixes.split()}
_NAMES_OF = {
    "text": """readme license licence copying notice authors contributors changelog changes news install todo history
        maintainers""",
    "code": """makefile gnumakefile dockerfile containerfile jenkinsfile vagrantfile rakefile gemfile procfile justfile
        cmakelists.txt""",
}
NAMES = {name: format_name for format_name, names in _NAMES_OF.items() for name in names.split()}

_DECLARED_CHARSET = re.compile(
    rb"""<meta\b[^>]{0,400}?\bcharset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{1,40})"""
    rb"""|<\?xml\b[^>]{0,100}?\bencoding\s{0,9}=\s{0,9}["']([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_HEAD_BYTES = 4096  # where a declaration is looked for; browsers look at 1,024


def format_of(path: Path) -> str | None:
    """The format of a file by its name (`NAMES`) or suffix (`SUFFIXES`), in any letter case; None if it is not read."""
    return NAMES.get(path.name.lower()) or SUFFIXES.get(path.suffix.lower())


def read_document(path: Path, source: str, root: Path | None = None) -> Document:
    """The document in a file; `source` is the name it is shown and cited by.

    A file without text is a document without blocks. UnreadableDocument says in a sentence why a file is not text, is
    too large, or cannot be opened. No symbolic link is followed at the end of `path` nor anywhere below `root`, the
    folder that the file was found below; where links may be followed is decided before, by whoever walks folders.
    """
    format_name = format_of(path)
    if format_name is None:
        raise UnreadableDocument(f"{source} has the suffix {path.suffix!r}, which this program does not read")
    data = file_bytes(path, source, root)
    if format_name == "html":
        return _html_document(path, source, data)
    text, encoding = decode_text(data, source)
    title, blocks = _divided(text, format_name, path)
    return Document(
        source=source,
        format=format_name,
        title=title or path.stem,
        text=text,
        blocks=tuple(blocks),
        encoding=encoding,
        content_hash=hashlib.sha256(data).hexdigest(),
        content_bytes=len(data),
    )


def _divided(text: str, format_name: str, path: Path) -> tuple[str, list[Block]]:
    """The title, or "", and the blocks of a text that needs no conversion."""
    if format_name == "markdown":
        return markdown_blocks(text)
    if format_name == "rst":
        return rst_blocks(text)
    if format_name == "code":
        return path.name, code_blocks(text, path.suffix.lower())
    return "", text_blocks(text)


def _html_document(path: Path, source: str, data: bytes) -> Document:
    from ingest.readers.html import extract_html

    markup, encoding = decode_text(data, source, _declared_charset(data))
    page = extract_html(markup)
    return Document(
        source=source,
        format="html",
        title=page.title or path.stem,
        text=page.text,
        blocks=page.blocks,
        encoding=encoding,
        content_hash=hashlib.sha256(data).hexdigest(),
        content_bytes=len(data),
        converted=True,
        line_marks=page.line_marks,
    )


def _declared_charset(data: bytes) -> str:
    """The encoding that a page declares, or ""; believed only where the bytes are not Unicode."""
    match = _DECLARED_CHARSET.search(data[:_HEAD_BYTES])
    return (match[1] or match[2]).decode("ascii", "replace") if match else ""


def file_bytes(path: Path, source: str, root: Path | None = None) -> bytes:
    """All bytes of a regular file of at most MAX_FILE_BYTES; for `root` see read_document."""
    try:
        with _opened_folder(path, source, root) as folder:
            name = path if folder is None else path.name
            # before opening: to open a device can already do something
            _check_readable(os.stat(name, dir_fd=folder, follow_symlinks=folder is None), source)
            return _read_all(name, source, folder)
    except OSError as error:
        raise UnreadableDocument(f"{source} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a name with a NUL
        raise UnreadableDocument(f"{source!r} cannot be read: {error}") from error


@contextmanager
def _opened_folder(path: Path, source: str, root: Path | None) -> Iterator[int | None]:
    """A descriptor of the folder that holds `path`, reached from `root` without following a link; None without a root.

    O_NOFOLLOW speaks of the last part of a path only. Since the walk saw them as folders, any part may have been
    replaced by a link that leads out of the root, so each is opened from the one above it.
    """
    if root is None:
        yield None
        return
    descriptor = _open_folder(root, source)
    try:
        for name in path.relative_to(root).parts[:-1]:
            above, descriptor = descriptor, _open_folder(name, source, descriptor)
            os.close(above)
        yield descriptor
    finally:
        os.close(descriptor)


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
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        _check_readable(os.fstat(descriptor), source)
        parts, total = [], 0
        while part := file.read(_READ_BYTES):
            parts.append(part)
            total += len(part)
            if total > MAX_FILE_BYTES:  # it grows while it is read, or its size is a lie
                raise UnreadableDocument(_too_large(source, total))
    return b"".join(parts)


def _check_readable(status: os.stat_result, source: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableDocument(f"{source} is a folder, not a file")
    if stat.S_ISLNK(status.st_mode):
        raise UnreadableDocument(f"{source} is a symbolic link, whose target is read only where it is given")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableDocument(f"{source} is a pipe, socket or device, not a file")
    if status.st_size > MAX_FILE_BYTES:
        raise UnreadableDocument(_too_large(source, status.st_size))


def _too_large(source: str, size: int) -> str:
    return f"{source} holds {size:,} bytes or more, the limit is {MAX_FILE_BYTES:,}: divide it into smaller files"
