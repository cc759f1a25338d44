"""The files that were found and the documents of a store in, what a sync has to do out."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ingest.identity import Twins, document_path, stored_files
from ingest.readers import file_bytes
from sql.base.errors import UnreadableDocument, UsageError
from sql.base.paths import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingest.document import Document
    from ingest.identity import StoredFile
    from ingest.walk import FoundFile, LeftOut, Walk
    from sql.records import LiveDocument


class Claims:
    """Which file each document of the store belongs to, and which documents have to go, while files are read.

    What a file gives is known only when it has been read: until then what it gave before is kept.
    """

    def __init__(self, stored: dict[str, StoredFile]) -> None:
        self._stored = stored
        self._owners = {one.path: file.path for file in stored.values() for one in file.documents}
        self._going: dict[str, LiveDocument] = {}

    @property
    def going(self) -> list[LiveDocument]:
        """The documents to delete: of files that are gone, and parts that their files no longer give."""
        return list(self._going.values())

    def expect(self, path: str) -> None:
        """A file has been found; its name is its own, unless a document of another file has it already."""
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
        path = printable(file.path)
        given = dict.fromkeys(document_path(path, document.part) for document in documents)
        for one in given:
            owner = self._owners.get(one, path)
            if owner != path:
                what = "has the name of a part of" if one == path else "holds a part with the name of the file"
                raise UnreadableDocument(f"{printable(file.source)} {what} {owner}: rename one of the two files")
        for one in given:
            self._owners[one] = path
            self._going.pop(one, None)
        if path in self._stored:
            self.release(one for one in self._stored[path].documents if one.path not in given)


@dataclass
class SyncPlan:
    """What has to be done so that the store matches the files. Each list holds files, but for what was not read.

    `claims` tells which documents are to be deleted when all files have been read, `twins` which of the same content are
    in the store.
    """

    claims: Claims
    twins: Twins
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


def make_plan(found: Walk, documents: Sequence[LiveDocument], *, all_again: bool = False) -> SyncPlan:
    """Compares files with documents by the SHA-256 of their content: no clock and no size decides anything.

    A file is unchanged where every document that it gave is there, cut as today. With `all_again` every file counts as
    changed; UsageError where a document has no file to be made from again.
    """
    stored = stored_files(documents)
    plan = SyncPlan(Claims(stored), Twins(documents), skipped=list(found.skipped), failed=list(found.failed))
    present = {printable(file.path): file for file in found.files}
    missing = [known for path, known in stored.items() if path not in present]
    plan.deleted = [known for known in missing if found.covers(known.path)]
    for known in plan.deleted:
        plan.claims.release(known.documents)
    not_given = [one for known in missing if not found.covers(known.path) for one in known.documents if one.chunk_count]
    if all_again and not_given:
        raise UsageError(
            f"--recalibrate needs every document of the store, and {len(not_given)} cannot be found below the given "
            f"paths ({not_given[0].path}): give their folders too"
        )
    for path, file in present.items():
        plan.claims.expect(path)
        known_file = stored.get(path)
        if known_file is None:
            plan.new.append(file)
        elif not all_again and (made := made_of(file, known_file)):
            plan.unchanged.append(file)
            # what is left of another version, where a run ended before it was deleted
            plan.claims.release(set(known_file.documents) - set(made))
        else:
            plan.changed.append(file)
    return plan


def made_of(file: FoundFile, stored: StoredFile) -> Sequence[LiveDocument]:
    """The documents in the store that a file gives as it is now, cut as today; none where one of them is missing."""
    return stored.made_of(content_sha256(file)) if stored.is_cut_as_today else ()


def content_sha256(file: FoundFile) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; empty where it cannot be read, which reading will report."""
    try:
        return sha256(file_bytes(file.path, printable(file.source), file.root)).hexdigest()
    except UnreadableDocument:
        return ""
