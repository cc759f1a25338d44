"""The paths a user gave in, the files to ingest out, each with the identity and the name it will have.

Nothing outside the given paths is ever read: symbolic links met on the way are left alone, special files too.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.read import format_of
from sql.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

IGNORED_FOLDERS = {"__pycache__", "node_modules", "venv"}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a type that can be read: `path` is real and absolute, `source` is the path as it was given."""

    path: Path
    source: str
    size: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A path that was not ingested, and why."""

    path: str
    reason: str


@dataclass
class Walk:
    """What was found below the given paths."""

    files: list[FoundFile] = field(default_factory=list)
    skipped: list[Refusal] = field(default_factory=list)
    failed: list[Refusal] = field(default_factory=list)
    roots: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    part: Callable[[str], bool] = lambda path: True  # which paths are this run's own, see `ingest/share.py`
    alone: bool = True  # whether no other run has another part

    def covers(self, path: str) -> bool:
        """Whether a document at `path` would have been seen, were its file still there."""
        return (
            self.part(path)
            and any(is_below(path, root) for root in self.roots)
            and not any(is_below(path, folder) for folder in self.unreadable)
        )


def walk(paths: Sequence[str]) -> Walk:
    """Every file below the given files and folders, in a fixed order, each once.

    Raises RagError where a given path is missing or cannot be listed: then nothing at all is done, for a folder that is
    not there (an unmounted disk) must not look like one whose files were deleted.
    """
    found = Walk()
    for given in paths:
        root = Path(given).expanduser()
        try:
            real = root.resolve(strict=True)
            status = real.stat()
            entries = sorted(os.listdir(real)) if stat.S_ISDIR(status.st_mode) else None
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RagError(f"{given}: {reason}; nothing was changed, give a file or folder that can be read") from error
        name = os.path.normpath(given)
        found.roots.append(printable(real))
        if entries is None:
            take_file(found, real, name, status)
        else:
            walk_folder(found, real, name, entries)
    found.files = each_once(found)
    return found


def each_once(found: Walk) -> list[FoundFile]:
    """The files without repetitions. Two names that read the same once escaped would be one document: one is refused."""
    files: dict[str, FoundFile] = {}
    for file in found.files:
        first = files.setdefault(printable(file.path), file)
        if first.path != file.path:
            found.failed.append(
                Refusal(printable(file.source), "another file's name reads the same: rename one of them")
            )
    return list(files.values())


def walk_folder(found: Walk, folder: Path, name: str, entries: Sequence[str]) -> None:
    """Adds the files below one folder; iterative, so that no depth of folders is too much."""
    pending: list[tuple[Path, str, Sequence[str]]] = [(folder, name, entries)]
    while pending:
        folder, name, entries = pending.pop()
        folders = []
        for entry, path, status in entries_of(found, folder, name, entries):
            source = os.path.join(name, entry) if name != "." else entry  # noqa: PTH118 (keeps the path as given)
            if stat.S_ISLNK(status.st_mode):
                found.skipped.append(
                    Refusal(printable(source), "a symbolic link: its target is read only where it is given")
                )
            elif stat.S_ISDIR(status.st_mode):
                if not (entry.startswith(".") or entry in IGNORED_FOLDERS):
                    folders.append((path, source))
            elif not entry.startswith("."):
                take_file(found, path, source, status)
        for path, source in reversed(folders):
            try:
                pending.append((path, source, sorted(os.listdir(path))))
            except OSError as error:
                found.unreadable.append(printable(path))
                found.failed.append(Refusal(printable(source), f"the folder cannot be listed: {error.strerror}"))


def entries_of(
    found: Walk, folder: Path, name: str, entries: Sequence[str]
) -> Iterator[tuple[str, Path, os.stat_result]]:
    """The entries of a folder with their status; one that vanished meanwhile is gone, one that fails is reported."""
    for entry in entries:
        path = folder / entry
        try:
            yield entry, path, path.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            found.unreadable.append(printable(path))
            found.failed.append(Refusal(printable(os.path.join(name, entry)), str(error.strerror)))  # noqa: PTH118


def take_file(found: Walk, path: Path, source: str, status: os.stat_result) -> None:
    """Adds one file, or says why it is left out."""
    if not stat.S_ISREG(status.st_mode):
        found.skipped.append(Refusal(printable(source), "not a regular file"))
    elif format_of(path) is None:
        found.skipped.append(Refusal(printable(source), f"files of type {path.suffix or path.name} are not supported"))
    else:
        found.files.append(FoundFile(path, source, status.st_size))


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder itself or below it (`docs-secret` is not below `docs`)."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def printable(path: Path | str) -> str:
    """A path as text that any encoding can hold: bytes that are not UTF-8 become \\x escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
