"""The files that were found and the documents of a store in, what a sync has to do out."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ingest.document import PART_MARK
from ingest.given_metadata import NOTHING_SAID
from ingest.identity import CHUNKER, Twins, document_path, given_names, stored_files
from ingest.readers import OpenFolder
from sql.base.errors import UnreadableDocument, UsageError
from sql.base.paths import printable
from sql.records.metadata import NO_METADATA, metadata_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ingest.document import Document
    from ingest.given_metadata import GivenMetadata, Metadata
    from ingest.identity import StoredFile
    from ingest.walk import FoundFile, LeftOut, Walk
    from sql.records import LiveDocument


class Claims:
    """Which file each document of the store belongs to, and which documents have to go, while files are read.

    What a file gives is known only when it has been read: until then what it gave before is kept.

    A document may have to do with another file than the one at its path only where that holds the mark of a part; of no
    others is anything remembered, however many there are.
    """

    def __init__(self, stored: dict[str, StoredFile]) -> None:
        self._stored = stored
        self._owners = {
            one.path: file.path for file in stored.values() for one in file.documents if PART_MARK in one.path
        }
        self._going: dict[str, LiveDocument] = {}

    @property
    def going(self) -> list[LiveDocument]:
        """The documents to delete: of files that are gone, and parts that their files no longer give."""
        return list(self._going.values())

    def expect(self, path: str) -> None:
        """A file has been found; its name is its own, unless a document of another file has it already."""
        if PART_MARK in path:
            self._owners.setdefault(path, path)

    def release(self, documents: Iterable[LiveDocument]) -> None:
        """Documents that are to go, unless a file that is read later gives them again."""
        for document in documents:
            self._going[document.path] = document
            self._owners.pop(document.path, None)

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
        for one in given:
            if PART_MARK in one:
                self._owners[one] = path
            self._going.pop(one, None)
        if path in self._stored:
            self.release(one for one in self._stored[path].documents if one.path not in given)


class Wishes:
    """The metadata that each file is to be given: what is said of it now, or else what it was given before.

    `stored` is all metadata of the documents that were given some, by generation. A file that was moved has what was given
    at its old place.
    """

    def __init__(self, said: GivenMetadata, stored: Mapping[int, Metadata]) -> None:
        self._said = said
        self._stored = stored
        self._before: dict[str, Metadata] = {}
        self._moved: dict[str, Metadata] = {}

    def remember(self, file: StoredFile, *, is_gone: bool = False) -> None:
        """What a file was given, to be kept where nothing is said."""
        if not self._said.was_said and (given := self._given_before(file)):
            if is_gone:
                self._moved |= {one.content_sha256: given for one in file.documents}
            else:
                self._before[file.path] = given

    def of(self, file: FoundFile, content_sha256: str) -> Metadata:
        """The metadata that a file of this content is to be given."""
        if self._said.was_said:
            return self._said.of(file)
        before = self._before.get(file.stored_path)
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
    in the store.
    """

    claims: Claims
    twins: Twins
    wishes: Wishes
    new: list[FoundFile] = field(default_factory=list)
    changed: list[FoundFile] = field(default_factory=list)
    unchanged: list[FoundFile] = field(default_factory=list)
    deleted: list[StoredFile] = field(default_factory=list)
    skipped: list[LeftOut] = field(default_factory=list)
    failed: list[LeftOut] = field(default_factory=list)

    @property
    def to_index(self) -> list[FoundFile]:
        """Files to embed."""
        return self.new + self.changed


def make_plan(
    found: Walk,
    documents: Sequence[LiveDocument],
    *,
    all_again: bool = False,
    ocr: bool = False,
    said: GivenMetadata = NOTHING_SAID,
    metadata: Callable[[], Mapping[int, Metadata]] = dict,
    chunker: str = CHUNKER,
) -> SyncPlan:
    """Compares files with documents by the SHA-256 of their content: no clock and no size decides anything.

    A file is unchanged where every document that it gave is there, cut by `chunker`, with the metadata that is said of it, and
    with `ocr` where no picture of it is left whose text could be recognised.
    `metadata` looks up that of documents by generation; it is asked where some were given any. With `all_again` every file
    counts as changed; UsageError where a document has no file to be made from again.
    """
    stored = stored_files(documents)
    wishes = Wishes(said, metadata() if any(map(given_names, documents)) else {})
    plan = SyncPlan(Claims(stored), Twins(documents), wishes, skipped=list(found.skipped), failed=list(found.failed))
    present = {file.stored_path: file for file in found.files}
    missing = [known for path, known in stored.items() if path not in present]
    plan.deleted = [known for known in missing if found.covers(known.path)]
    for known in plan.deleted:
        plan.claims.release(known.documents)
        wishes.remember(known, is_gone=True)
    not_given = [one for known in missing if not found.covers(known.path) for one in known.documents if one.chunk_count]
    if all_again and not_given:
        raise UsageError(
            f"--recalibrate needs every document of the store, and {len(not_given)} cannot be found below the given "
            f"paths ({not_given[0].path}): give their folders too"
        )
    with OpenFolder() as opened:
        for path, file in present.items():
            plan.claims.expect(path)
            known_file = stored.get(path)
            if known_file is None:
                plan.new.append(file)
            elif (
                not all_again
                and not (ocr and known_file.has_unread_pictures)
                and (made := made_of(file, known_file, chunker, opened))
                and wishes.are_met(file, known_file)
            ):
                plan.unchanged.append(file)
                if len(made) < len(known_file.documents):
                    # what is left of another version, where a run ended before it was deleted
                    plan.claims.release(set(known_file.documents) - set(made))
            else:
                plan.changed.append(file)
                wishes.remember(known_file)
    return plan


def made_of(file: FoundFile, stored: StoredFile, chunker: str, opened: OpenFolder) -> Sequence[LiveDocument]:
    """The documents in the store that a file gives as it is now, cut by this chunker; none where one is missing."""
    return stored.made_of(content_sha256(file, opened), chunker) if stored.is_cut_by(chunker) else ()


def content_sha256(file: FoundFile, opened: OpenFolder) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; empty where it cannot be read, which reading will report."""
    try:
        return sha256(opened.file_bytes(file.folder, file.name, printable(file.source), file.root)).hexdigest()
    except UnreadableDocument:
        return ""
