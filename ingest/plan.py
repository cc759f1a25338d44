"""The files that were found and the documents of a store in, what a sync has to do out.

Both are compared window by window, in the order of their paths, and what is kept of a file that is as it should be is its
place in the list: a plan of 100,000 files takes some megabytes.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, overload
from uuid import UUID

from ingest.document import PART_MARK
from ingest.found_files import Picked
from ingest.given_metadata import NOTHING_SAID
from ingest.identity import CHUNKER, document_path, given_names, parts_of, stored_files
from ingest.readers import OpenFolder
from ingest.twins import Twins
from sql.base.errors import UnreadableDocument, UsageError
from sql.base.paths import printable
from sql.records import DocumentWindow, path_id
from sql.records.metadata import NO_METADATA, metadata_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Set

    from ingest.document import Document
    from ingest.found_files import FoundFile
    from ingest.given_metadata import GivenMetadata, Metadata
    from ingest.identity import StoredFile
    from ingest.walk import LeftOut, Walk
    from sql.records import LiveDocument

NO_DOCUMENTS = (DocumentWindow("", None, ()),)  # of a store that there is not yet
IDS_AT_ONCE = 2_000  # documents that are deleted with one epoch
ID_BYTES = 16


class Claims:
    """Which file each document of the store belongs to, and which documents have to go, while files are read.

    What a file gives is known only when it has been read: until then what it gave before is kept.

    Two files can want the same document only where one has the name of a part of the other. Of no others is anything
    remembered but the ids of what has to go, and of files that gave parts, and are read again, the names of these.
    """

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}  # of documents that two files may want
        self._gave: dict[str, str] = {}  # see parts_of
        self._going = bytearray()  # ids

    def going(self) -> Iterator[list[UUID]]:
        """The documents to delete, some thousand at a time: of files that are gone, and parts that files no longer give.

        Some of them may have been given again since, by another file: see `sql.store.windows.documents_not_newer`.
        """
        step = IDS_AT_ONCE * ID_BYTES
        for first in range(0, len(self._going), step):
            some = self._going[first : first + step]
            yield [UUID(bytes=bytes(some[at : at + ID_BYTES])) for at in range(0, len(some), ID_BYTES)]

    def compare(self, marked: Iterable[str], found: Set[str], stored: Mapping[str, StoredFile]) -> None:
        """Looks which documents two files may want, in one window.

        `marked` are the paths of files that were found which hold the mark of a part, `found` those of which one may be a
        part, as far as they were found; `stored` is what stays in the store.
        """
        for path in marked:
            if (other := container(path)) in found or other in stored:
                self._owners[path] = path
        for file in stored.values():
            for one in file.documents:
                is_file = PART_MARK in one.path and one.path == file.path
                if one.path in self._owners or (is_file and container(one.path) in found):
                    self._owners[one.path] = file.path

    def remember(self, file: StoredFile) -> None:
        """A file that will be read again: what else than one document of its own path it gave before."""
        if [one.path for one in file.documents] != [file.path] or PART_MARK in file.path:
            self._gave[file.path] = parts_of(file)

    def release(self, paths: Iterable[str]) -> None:
        """Documents that are to go, unless a file that is read later gives them again."""
        for path in paths:
            self._going += path_id(path).bytes
            self._owners.pop(path, None)

    def take(self, file: FoundFile, documents: Sequence[Document]) -> None:
        """What a file gives, now that it has been read: all else that it gave before is to go.

        Raises UnreadableDocument, and changes nothing, where a document would take the place of another file's.
        """
        path = file.stored_path
        given = dict.fromkeys(document_path(path, document.part) for document in documents)
        for one in given:
            owner = self._owners.get(one, path)
            if owner != path:
                what = "has the name of a part of" if one == path else "holds a part with the name of the file"
                raise UnreadableDocument(f"{printable(file.source)} {what} {owner}: rename one of the two files")
        # a document of this path alone may be given by no other file: if there is one, it is this file's
        gave = self._gave.pop(path, None if PART_MARK in path else "")
        before = [document_path(path, part) for part in gave.split(PART_MARK)] if gave is not None else []
        self.release(one for one in before if one not in given)


def container(path: str) -> str:
    """The file that a document at a path with the mark of a part would be a part of."""
    return path.rpartition(PART_MARK)[0]


class Wishes:
    """The metadata that each file is to be given: what is said of it now, or else what it was given before.

    A file that was moved has what was given at its old place.
    """

    def __init__(self, said: GivenMetadata) -> None:
        self._said = said
        self._stored: Mapping[int, Metadata] = {}  # of the documents of this window that were given some, by generation
        self._before: dict[str, Metadata] = {}
        self._moved: dict[str, Metadata] = {}
        self._known: dict[str, Metadata] = {}  # the same for many files

    def look_up(self, stored: Mapping[int, Metadata]) -> None:
        """All metadata of the documents of a window that were given some, by generation."""
        self._stored = stored

    def remember(self, file: StoredFile, *, is_gone: bool = False) -> None:
        """What a file was given, to be kept where nothing is said."""
        if not self._said.was_said and (given := self._given_before(file)):
            given = self._known.setdefault(metadata_json(given), given)
            if is_gone:
                self._moved |= dict.fromkeys((one.content_sha256 for one in file.documents), given)
            else:
                self._before[file.path] = given

    def of(self, file: FoundFile, content_sha256: str) -> Metadata:
        """The metadata that a file of this content is to be given."""
        if self._said.was_said:
            return self._said.of(file)
        before = self._before.get(file.stored_path) if self._before else None
        return self._moved.get(content_sha256, NO_METADATA) if before is None else before

    def are_met(self, file: FoundFile, stored: StoredFile) -> bool:
        """Whether a file whose content is the same was given now what is to be given; one without text is given nothing."""
        if not self._said.was_said:
            return True
        wanted = self._said.of(file)
        with_text = [one for one in stored.documents if one.chunk_count]
        if any(set(given_names(one)) != set(wanted) for one in with_text):
            return False
        return not (wanted and with_text) or metadata_json(wanted) == metadata_json(self._given_before(stored))

    def unused(self) -> list[str]:
        """The paths of which something was said and for which no file was found."""
        return self._said.unused()

    def _given_before(self, file: StoredFile) -> Metadata:
        for one in file.documents:
            if names := given_names(one):
                stored = self._stored.get(one.generation, NO_METADATA)
                return {name: stored[name] for name in names if name in stored}
        return NO_METADATA


@dataclass
class SyncPlan:
    """What has to be done so that the store matches the files. Each list holds files, but for what was not read.

    `claims` tells which documents are to be deleted when all files have been read, `twins` which of the same content are
    in the store. `deleted` has the sources of files that are gone, of which `still_there` are only
    left out now, by a pattern or a name.
    """

    claims: Claims
    twins: Twins
    wishes: Wishes
    new: Picked
    changed: Picked
    unchanged: Picked
    deleted: Texts = field(default_factory=lambda: Texts())
    still_there: int = 0
    skipped: list[LeftOut] = field(default_factory=list)
    failed: list[LeftOut] = field(default_factory=list)

    @property
    def to_index(self) -> Picked:
        """Files to embed."""
        return self.new + self.changed

    def replace(self, place: int, known: StoredFile) -> None:
        """The file at a place is to be read again."""
        self.changed.append(place)
        self.claims.remember(known)
        self.wishes.remember(known)


class Texts(Sequence[str]):
    """Texts that can be many, in the bytes that they take."""

    def __init__(self) -> None:
        self._data, self._ends = bytearray(), array("Q")

    def append(self, text: str) -> None:
        """Adds a text behind the others."""
        self._data += text.encode()
        self._ends.append(len(self._data))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        place = range(len(self))[place]
        return self._data[self._ends[place - 1] if place else 0 : self._ends[place]].decode()


def make_plan(
    found: Walk,
    windows: Iterable[DocumentWindow],
    *,
    all_again: bool = False,
    ocr: bool = False,
    said: GivenMetadata = NOTHING_SAID,
    metadata: Callable[[Sequence[int]], Mapping[int, Metadata]] = lambda generations: {},
    chunker: str = CHUNKER,
    damaged: Set[str] = frozenset(),
) -> SyncPlan:
    """Compares files with documents by the SHA-256 of their content: no clock and no size decides anything.

    A file is unchanged where every document that it gave is there, cut by `chunker`, with the metadata that is said of it, and
    with `ocr` where no picture of it is left whose text could be recognised.
    `windows` are all documents of a store, see `sql.store.windows.document_windows`. `metadata` looks up that of documents by
    generation; it is asked for those that were given any. With `all_again` every file counts as changed, UsageError where a
    document has no file to be made from again; else those do whose documents are `damaged`, by their paths.
    """
    plan = SyncPlan(
        Claims(),
        Twins(),
        Wishes(said),
        Picked(found.files),
        Picked(found.files),
        Picked(found.files),
        skipped=list(found.skipped),
        failed=list(found.failed),
    )
    left = NotGiven()
    with OpenFolder() as opened:
        for window in windows:
            stored, met = stored_files(window.documents), Met()
            plan.twins.add(one for one in window.documents if one.path not in damaged)
            given = [one.generation for one in window.documents if given_names(one)]
            plan.wishes.look_up(metadata(given) if given else {})
            for place, file, path in found.files.between(window.after, window.upto):
                known = stored.get(path)
                met.add(path, is_stored=known is not None)
                if known is None:
                    plan.new.append(place)
                elif (
                    not all_again
                    and damaged.isdisjoint(one.path for one in known.documents)
                    and not (ocr and known.has_unread_pictures)
                    and (made := made_of(file, known, chunker, opened))
                    and plan.wishes.are_met(file, known)
                ):
                    plan.unchanged.append(place)
                    if len(made) < len(known.documents):
                        # what is left of another version, where a run ended before it was deleted
                        met.left_over += [one.path for one in set(known.documents) - set(made)]
                else:
                    plan.replace(place, known)
            pass_gone_files(plan, found, stored, met.stored, left)
            plan.claims.compare(met.marked, containers_found(found, window, stored, met), stored)
            plan.claims.release(met.left_over)
    if all_again and left.documents:
        raise UsageError(
            f"--recalibrate needs every document of the store, and {left.documents} cannot be found below the given "
            f"paths ({left.first}): give their folders too"
        )
    for picked in (plan.new, plan.changed, plan.unchanged):
        picked.sort()
    return plan


@dataclass
class Met:
    """What is remembered of the files of a window: no more than of its documents, though files may be many more."""

    stored: set[str] = field(default_factory=set)  # paths that the store has
    marked: list[str] = field(default_factory=list)  # that hold the mark of a part
    left_over: list[str] = field(default_factory=list)  # documents of older versions

    def add(self, path: str, *, is_stored: bool) -> None:
        """A file was found at a path."""
        if is_stored:
            self.stored.add(path)
        if PART_MARK in path:
            self.marked.append(path)


def containers_found(found: Walk, window: DocumentWindow, stored: Mapping[str, StoredFile], met: Met) -> Set[str]:
    """The files that were found of which another one, or a document that is a file of its own, may be a part by its name."""
    names = {container(path) for path in (*met.marked, *(path for path in stored if PART_MARK in path))}
    if not names:
        return names
    return {path for _, _, path in found.files.between(window.after, window.upto) if path in names}


@dataclass
class NotGiven:
    """Documents with text whose files are not below the given paths: how many, and the path of the first one."""

    documents: int = 0
    first: str = ""

    def count(self, file: StoredFile) -> None:
        """Adds the documents of a file."""
        for one in file.documents:
            if one.chunk_count:
                self.documents += 1
                self.first = self.first or one.path


def pass_gone_files(
    plan: SyncPlan, found: Walk, stored: dict[str, StoredFile], present: Set[str], left: NotGiven
) -> None:
    """Looks at the files of a window that were not found: those that are gone are to be deleted, others are counted."""
    for known in [known for path, known in stored.items() if path not in present]:
        if found.covers(known.path):
            plan.deleted.append(known.source)
            plan.still_there += os.path.lexists(known.path)
            plan.claims.release(one.path for one in known.documents)
            plan.wishes.remember(known, is_gone=True)
            del stored[known.path]
        else:
            left.count(known)


def made_of(file: FoundFile, stored: StoredFile, chunker: str, opened: OpenFolder) -> Sequence[LiveDocument]:
    """The documents in the store that a file gives as it is now, cut by this chunker; none where one is missing."""
    return stored.made_of(content_sha256(file, opened), chunker) if stored.is_cut_by(chunker) else ()


def content_sha256(file: FoundFile, opened: OpenFolder) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; empty where it cannot be read, which reading will report."""
    try:
        # whose name no message tells, so that it need not be put together
        return sha256(opened.file_bytes(file.folder, file.name, file.name, file.root)).hexdigest()
    except UnreadableDocument:
        return ""
