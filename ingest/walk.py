"""The paths a user gave in, the files to ingest out.

Nothing outside the given paths is ever read: symbolic links met on the way are left alone, special files too.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.found_files import ESCAPE, FoundFile, FoundFiles
from ingest.readers.names import suffix_of
from ingest.readers.table import is_generated, reader_of
from ingest.selection import GITIGNORE, Ignored, Selection
from sql.base.errors import RagError, UsageError
from sql.base.paths import expand_user, printable
from sql.records import path_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Set

IGNORED_FOLDERS = {"__pycache__", "node_modules", "venv"}
SUFFIX = re.compile(r"\.\w{1,12}")  # what is longer, or holds spaces, is a part of the name
SHOWN_KINDS = 8
EVERYTHING = Selection()  # that git does not ignore


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that was not ingested, and why; `kind` is what others that were skipped for the same reason share."""

    path: str
    reason: str
    kind: str = ""


@dataclass
class Walk:
    """What was found below the given paths."""

    files: FoundFiles = field(default_factory=FoundFiles)
    skipped: list[LeftOut] = field(default_factory=list)
    failed: list[LeftOut] = field(default_factory=list)
    roots: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    is_ours: Callable[[str], bool] = lambda path: True  # which paths are this run's own, see `ingest/shard.py`
    alone: bool = True  # whether no other run has another shard

    def covers(self, path: str) -> bool:
        """Whether the file at `path` would have been seen, were it still there."""
        return self.is_ours(path) and self.reaches(path)

    def reaches(self, path: str) -> bool:
        """Whether this run, or another one with a shard of the same paths, would have seen the file at `path`."""
        return is_below(path, self.roots) and not is_below(path, self.unreadable)


def walk(paths: Sequence[str], selection: Selection = EVERYTHING) -> Walk:
    """Every file below the given files and folders, in a fixed order, each once; a file that is given itself is wanted.

    Raises RagError where a given path is missing or cannot be listed: then nothing at all is done, for a folder that is
    not there (an unmounted disk) must not look like one whose files were deleted.
    """
    found = Walk()
    for given in paths:
        if not given:
            raise UsageError("a path is empty: nothing was changed, write . if the working directory is meant")
        root = expand_user(given, "PATH")
        try:
            real = root.resolve(strict=True)
            status = real.stat()
            entries = sorted(os.listdir(real)) if stat.S_ISDIR(status.st_mode) else None
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RagError(f"{given}: {reason}; nothing was changed, give a file or folder that can be read") from error
        name = os.path.normpath(given)
        found.roots.add(printable(real))
        if entries is None:
            take_given_file(found, real, name, status)
        else:
            walk_folder(found, real, name, entries, selection)
    found.files = each_once(found, apart=len(found.roots) == len(paths) and lie_apart(found.roots))
    return found


def each_once(found: Walk, *, apart: bool) -> FoundFiles:
    """The files without repetitions. Two names that read the same once escaped would be one document: one is refused.

    Where no given path lies below another, they are `apart`: a file is found once, and two names can only read the same where
    one of them holds an escape.
    """
    if apart and not found.files.hold_escapes:
        return found.files
    files, places = FoundFiles(), dict[int, int]()
    for file in found.files:
        path = file.stored_path
        if not apart or ESCAPE in path:
            place = places.setdefault(path_id(path).int, len(files))
            if place < len(files):
                first = files[place]
                if (first.folder, first.name) != (file.folder, file.name):
                    found.failed.append(
                        LeftOut(printable(file.source), "another file's name reads the same: rename one of them")
                    )
                continue
        files.append(file)
    return files


def lie_apart(roots: Set[str]) -> bool:
    """Whether no path lies below another one."""
    return not any(above in roots for root in roots for above in islice(beginnings(root), 1, None))


def walk_folder(found: Walk, folder: Path, name: str, entries: Sequence[str], selection: Selection) -> None:
    """Adds the files below one folder; iterative, so that no depth of folders is too much."""
    root = folder
    pending: list[tuple[Path, str, Ignored]] = [(folder, name, Ignored())]
    while pending:
        folder, name, ignored = pending.pop()
        if folder != root:
            entries = listing(found, folder, name)
        within = relative(folder, root)
        if selection.gitignore and GITIGNORE in entries:
            ignored = ignored.below(folder, within, root)
        folders: list[tuple[Path, str]] = []
        real, given_as = str(folder), name if name != "." else ""
        for entry, path, status in entries_of(found, real, name, entries):
            source = os.path.join(given_as, entry)  # noqa: PTH118 (keeps the path as given)
            if stat.S_ISLNK(status.st_mode):
                reason = "a symbolic link: its target is read only if it is given itself"
                found.skipped.append(LeftOut(printable(source), reason, "symbolic link"))
                continue
            is_folder = stat.S_ISDIR(status.st_mode)
            if entry.startswith(".") or (is_folder and (entry in IGNORED_FOLDERS or Path(path) == selection.store)):
                continue
            below = f"{within}/{entry}" if within else entry
            if reason := selection.why_not(below, ignored, folder=is_folder):
                found.skipped.append(LeftOut(printable(source), reason, reason))
            elif is_folder:
                folders.append((Path(path), source))
            elif left_out := why_left_out(entry, source, status) or why_unwanted(entry, source, selection):
                found.skipped.append(left_out)
            else:
                found.files.append(FoundFile(entry, status.st_size, real, given_as, root))
        pending += [(inner, source, ignored) for inner, source in reversed(folders)]


def listing(found: Walk, folder: Path, source: str) -> Sequence[str]:
    """The entries of a folder in order; none, and a failure, where it cannot be listed."""
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        found.unreadable.add(printable(folder))
        found.failed.append(LeftOut(printable(source), f"the folder cannot be listed: {error.strerror}"))
        return []


def relative(folder: Path, root: Path) -> str:
    """The path of a folder below another, with slashes; "" of that folder itself."""
    return folder.relative_to(root).as_posix() if folder != root else ""


def entries_of(
    found: Walk, folder: str, name: str, entries: Sequence[str]
) -> Iterator[tuple[str, str, os.stat_result]]:
    """The entries of a folder with path and status; one that vanished meanwhile is gone, one that fails is reported."""
    for entry in entries:
        path = os.path.join(folder, entry)  # noqa: PTH118 - in a tenth of the time
        try:
            yield entry, path, os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.unreadable.add(printable(path))
            found.failed.append(LeftOut(printable(os.path.join(name, entry)), str(error.strerror)))  # noqa: PTH118


def take_given_file(found: Walk, path: Path, source: str, status: os.stat_result) -> None:
    """Adds a file that was given itself; one that is not read has failed, and keeps the version that is in the store."""
    if left_out := why_left_out(path.name, source, status):
        found.failed.append(left_out)
        found.unreadable.add(printable(path))
    else:
        found.files.append(FoundFile.given(path, source, status.st_size))


def why_left_out(name: str, source: str, status: os.stat_result) -> LeftOut | None:
    """Why a file of this name is not read; None where it is."""
    if not stat.S_ISREG(status.st_mode):
        return LeftOut(printable(source), "not a regular file", "special file")
    if reader_of(name) is not None:
        return None
    suffix = suffix_of(name)
    kind = suffix.lower() if SUFFIX.fullmatch(suffix) else ""
    shown = suffix if kind else name
    return LeftOut(printable(source), f"files of type {printable(shown)} are not supported", kind or "without a type")


def why_unwanted(name: str, source: str, selection: Selection) -> LeftOut | None:
    """Why a file that could be read is not, below a folder for which nobody has said what to read; None where it is."""
    if selection.include or not is_generated(name):
        return None
    return LeftOut(
        printable(source),
        "made by a program for programs: name it with --include or by its own path to read it",
        "generated",
    )


def kinds_of(skipped: Iterable[LeftOut]) -> str:
    """What was skipped, by kind, the most frequent first.

    >>> kinds_of([LeftOut("a.pdf", "", ".pdf"), LeftOut("b", "", "symbolic link"), LeftOut("c.pdf", "", ".pdf")])
    '2 .pdf, 1 symbolic link'
    """
    counts = sorted(Counter(one.kind for one in skipped).items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{count} {plural(kind, count)}" for kind, count in counts[:SHOWN_KINDS]]
    others = sum(count for _, count in counts[SHOWN_KINDS:])
    return ", ".join([*shown, *([f"{others} of other types"] if others else [])])


def plural(kind: str, count: int) -> str:
    """`2 .pdf`, `2 without a type`, `2 symbolic links`."""
    return f"{kind}s" if count > 1 and kind in {"symbolic link", "special file"} else kind


def is_below(path: str, folders: Set[str]) -> bool:
    """Whether a path is one of some folders or below one (`docs-secret` is not below `docs`), however many there are."""
    return any(folder in folders for folder in beginnings(path))


def beginnings(path: str) -> Iterator[str]:
    """A path and the folders above it, the innermost first, each once.

    >>> list(beginnings("/docs/a.txt"))
    ['/docs/a.txt', '/docs', '/']
    """
    yield path
    end = len(path)
    while (end := path.rfind(os.sep, 0, end)) > 0:
        yield path[:end]
    if path.startswith(os.sep) and path != os.sep:
        yield os.sep
