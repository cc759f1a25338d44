"""Lets the engine of the chdb wheel take CREATE ROLE, CREATE USER, GRANT and CREATE ROW POLICY, as a server does.

The wheel has ClickHouse's access control, but not the code that reads from the configuration where such things are to be kept:
of `<user_directories>` it looks at the file of users alone, and the classes that keep them in a folder or in Keeper are not
in the library. The file is read into a store in memory (MemoryAccessStorage) that would take everything; what refuses is the
object around it (UsersConfigAccessStorage), which is all that the engine asks. So here every pointer to the outer object is
turned to the inner one, and from then on the statements are carried out by the code that a server carries them out with.

Both are found by what C++ keeps of a class: its name, the type that points to the name, the table of virtual functions that
points to the type, and the object that points to the table.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

OUTER, INNER = "UsersConfigAccessStorage", "MemoryAccessStorage"
LIBRARY = "_chdb.abi3.so"
POINTER = 8  # bytes
PAGE = 4096
PRESENT = 1 << 63  # of a page, in /proc/self/pagemap
LARGEST_OBJECT = 4096  # bytes: the inner object lies in the outer one
MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")


def make_access_writable() -> None:
    """Makes the store of users, roles and policies of the running engine take new ones. RuntimeError if it is not found."""
    memory = os.open("/proc/self/mem", os.O_RDWR)  # which a thread that ends meanwhile cannot make a crash of
    try:
        library = [Region(memory, start, end) for start, end in mappings("r--p", LIBRARY)]
        heap = [Region(memory, *pages) for mapping in mappings("rw-p", "") for pages in present(*mapping)]
        found = [
            (holder, inner)
            for outer in objects(OUTER, library, heap)
            for inner in objects(INNER, library, [Region(memory, outer, outer + LARGEST_OBJECT)])
            for holder in holders(
                outer, heap
            )  # of an object; a number of this search, which lies in memory too, has none
        ]
        if len({inner for _, inner in found}) != 1:
            raise RuntimeError(f"no {OUTER} with one {INNER} in it: this chdb is built otherwise")
        for holder, inner in found:
            os.pwrite(memory, struct.pack("Q", inner), holder)
    finally:
        os.close(memory)


@dataclass(frozen=True)
class Region:
    """A part of the memory of this process, which `memory` is open on."""

    memory: int
    start: int
    end: int

    def bytes(self) -> bytes:
        """What stands there; nothing where it is not there any more."""
        try:
            return os.pread(self.memory, self.end - self.start, self.start)
        except OSError:
            return b""

    def words(self) -> NDArray[np.uint64]:
        """The same, eight bytes by eight."""
        found = self.bytes()
        return np.frombuffer(found, np.uint64, len(found) // POINTER)


def objects(name: str, library: Sequence[Region], heap: Iterable[Region]) -> list[int]:
    """The addresses of what looks like an object of a class of ClickHouse's."""
    filled = library[-1:]  # by the loader, with pointers
    label = re.escape(f"N2DB{len(name)}{name}E\0".encode())
    labels = [region.start + found.start() for region in library for found in re.finditer(label, region.bytes())]
    types = [place - POINTER for address in labels for place in places(address, filled)]  # the name is its second word
    tables = [place + POINTER for address in types for place in places(address, filled)]  # functions follow the type
    return [place for address in tables for place in places(address, heap)]


def holders(address: int, heap: Iterable[Region]) -> list[int]:
    """The shared pointers to an object: its address, and then that of the count of its holders, which lies just before it."""
    found = []
    for region in heap:
        words = region.words()
        places = np.flatnonzero(words[:-1] == np.uint64(address))
        found += [
            region.start + POINTER * int(place)
            for place in places
            if 0 < address - int(words[place + 1]) <= 8 * POINTER
        ]
    return found


def places(address: int, regions: Iterable[Region]) -> list[int]:
    """Where a pointer to an address stands."""
    return [
        region.start + POINTER * int(place)
        for region in regions
        for place in np.flatnonzero(region.words() == np.uint64(address))
    ]


def mappings(rights: str, name: str) -> Iterator[tuple[int, int]]:
    """The parts of this process's memory with some rights that belong to a file of this name; to none where it is empty."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        match = MAPPING.fullmatch(line)
        if match is not None and match[3] == rights and match[4].rpartition("/")[2] == name:
            yield int(match[1], 16), int(match[2], 16)


def present(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The pages between two addresses that have ever been written: most of what is reserved has not."""
    with Path("/proc/self/pagemap").open("rb") as pagemap:
        pagemap.seek(start // PAGE * POINTER)
        pages = np.frombuffer(pagemap.read((end - start) // PAGE * POINTER), np.uint64)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], pages >= PRESENT, [False]])))
    for first, last in edges.reshape(-1, 2):
        yield start + PAGE * int(first), start + PAGE * int(last)
