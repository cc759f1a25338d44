"""The files that a walk found, each with the identity and the name it will have; a million of them in some 30 MB.

What the files of a folder have in common is kept once, and of each file its name and its size. A file is put together when
it is asked for.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, overload

from sql.base.paths import printable
from sql.records import path_key
from sql.records.documents import LAST_CHARACTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

ESCAPE = "\\"  # with which `printable` begins what stands for a byte


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a type that can be read, in a `folder` whose path is real and absolute, and was given as `source_folder`.

    `root` is the folder that was given and below which the file was found; None where it was given itself, by
    `source_name` if that is a link of another name.
    """

    name: str
    size: int
    folder: str
    source_folder: str
    root: Path | None = None
    source_name: str = ""

    @classmethod
    def given(cls, path: Path, source: str, size: int, root: Path | None = None) -> Self:
        """The file at a real and absolute path, which was given as `source`."""
        above, name = os.path.split(source)
        return cls(path.name, size, str(path.parent), above, root, name if name != path.name else "")

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.folder, self.name)

    @property
    def stored_path(self) -> str:
        """The same as text that any encoding can hold: what names it in a store."""
        return printable(os.path.join(self.folder, self.name))  # noqa: PTH118 - in a tenth of the time

    @property
    def source(self) -> str:
        """The path as it was given."""
        return os.path.join(self.source_folder, self.source_name or self.name)  # noqa: PTH118 - as it was given


class Shared(NamedTuple):
    """What the files of a folder have in common."""

    folder: str
    source_folder: str
    root: Path | None
    source_name: str


class FoundFiles(Sequence[FoundFile]):
    """Files in the order in which they were found.

    >>> files = FoundFiles([FoundFile("a.md", 3, "/docs", "docs"), FoundFile("b.md", 5, "/docs", "docs")])
    >>> len(files), files[1].source
    (2, 'docs/b.md')
    """

    def __init__(self, files: Iterable[FoundFile] = ()) -> None:
        self._shared: list[Shared] = []
        self._known: dict[Shared, int] = {}
        self._names = bytearray()  # one after the other, as the system has them, each with a NUL behind it
        self._ends = array("Q")  # where each name ends, the NUL included
        self._sizes = array("Q")
        self._of = array("I")  # which of `_shared` holds
        for file in files:
            self.append(file)

    def append(self, file: FoundFile) -> None:
        """Adds a file behind the others."""
        shared = Shared(file.folder, file.source_folder, file.root, file.source_name)
        number = self._known.setdefault(shared, len(self._shared))
        if number == len(self._shared):
            self._shared.append(shared)
        self._names += os.fsencode(file.name) + b"\0"
        self._ends.append(len(self._names))
        self._sizes.append(file.size)
        self._of.append(number)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> FoundFile: ...
    @overload
    def __getitem__(self, place: slice) -> FoundFiles: ...
    def __getitem__(self, place: int | slice) -> FoundFile | FoundFiles:
        if isinstance(place, slice):
            return FoundFiles(self._at(one) for one in range(len(self))[place])
        return self._at(range(len(self))[place])

    def __iter__(self) -> Iterator[FoundFile]:
        return map(self._at, range(len(self)))

    def _at(self, place: int) -> FoundFile:
        name = os.fsdecode(bytes(self._names[self._ends[place - 1] if place else 0 : self._ends[place] - 1]))
        shared = self._shared[self._of[place]]
        return FoundFile(name, self._sizes[place], shared.folder, shared.source_folder, shared.root, shared.source_name)

    def that(self, wanted: Callable[[FoundFile], bool]) -> FoundFiles:
        """Those for which `wanted` holds."""
        return FoundFiles(filter(wanted, self))

    @property
    def hold_escapes(self) -> bool:
        """Whether a path of them may hold what `printable` writes for bytes that are not UTF-8."""
        if any(ESCAPE in printable(shared.folder) for shared in self._shared):
            return True
        try:
            return ESCAPE in self._names.decode()
        except UnicodeDecodeError:
            return True

    def between(self, after: str, upto: str | None) -> Iterator[tuple[int, FoundFile, str]]:
        """Place, file and stored path of those whose path has a key above `after` and, where there is an end, at most `upto`.

        See `sql.records.path_key`. Folders that lie elsewhere are not looked into.
        """
        starts = [printable(os.path.join(shared.folder, "")) for shared in self._shared]  # noqa: PTH118 - as above
        reached = [may_hold(path_key(start), after, upto) for start in starts]
        if not any(reached):
            return
        for place, of in enumerate(self._of):
            if reached[of]:
                file = self._at(place)
                path = starts[of] + printable(file.name)  # its `stored_path`, in a fifth of the time
                key = path_key(path)
                if after < key and (upto is None or key <= upto):
                    yield place, file, path


def may_hold(start: str, after: str, upto: str | None) -> bool:
    """Whether a folder whose files' keys begin with `start` may hold some above `after` and, if there is an end, up to it."""
    return (upto is None or start <= upto) and after <= start + LAST_CHARACTER


class Picked(Sequence[FoundFile]):
    """Some of the files that were found, known by their places; picked up while a folder is compared with a store."""

    def __init__(self, files: FoundFiles, places: Iterable[int] = ()) -> None:
        self._files = files
        self._places = array("Q", places)

    def append(self, place: int) -> None:
        """Picks the file at a place up."""
        self._places.append(place)

    def sort(self) -> None:
        """Puts them into the order in which they were found."""
        self._places = array("Q", sorted(self._places))

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> FoundFile: ...
    @overload
    def __getitem__(self, place: slice) -> Picked: ...
    def __getitem__(self, place: int | slice) -> FoundFile | Picked:
        if isinstance(place, slice):
            return Picked(self._files, self._places[place])
        return self._files[self._places[place]]

    def __iter__(self) -> Iterator[FoundFile]:
        return map(self._files.__getitem__, self._places)

    def __add__(self, other: Picked) -> Picked:
        return Picked(self._files, self._places + other._places)
