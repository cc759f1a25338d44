"""What a user says of who may read which files (`--acl`) in, the groups of each file out.

A rule is a path, a folder or a pattern as in .gitignore, and the groups that may read what it fits. Of several that fit a file
the last one holds alone. A file of rules has one a line: the pattern, white space, groups; as CODEOWNERS has owners.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from ingest.given_metadata import GivenMetadata, Rule
from ingest.identity import stored_files
from ingest.readers.raw_file import file_bytes
from sql.base.errors import UnreadableDocument, UsageError
from sql.base.paths import expand_user
from sql.engine.statements import Statement
from sql.store.groups import ALL_DOCUMENTS, DOCUMENTS_PER_STATEMENT, DocumentGroups, check_group, named_groups
from sql.store.windows import document_windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ingest.found_files import FoundFile
    from ingest.walk import Walk
    from sql.records import DocumentWindow, SourceDocument
    from sql.store import Store

GROUPS = "groups"
# The pattern of a line, in which a backslash stands before white space that belongs to it, and what comes after it.
LINE = re.compile(r"((?:\\.|[^\s\\])+)(?:\s+(.*))?")
COMMENT = re.compile(r"(?:^|\s)#")  # behind the groups, or where there are none


@dataclass(frozen=True)
class Acl:
    """Rules in their order; of those that fit a file the last one holds. Raises UsageError for one that means nothing."""

    rules: tuple[Rule, ...]
    _given: GivenMetadata = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_given", GivenMetadata(rules=self.rules, was_said=True))

    @classmethod
    def said(cls, groups_by_path: Mapping[str, Iterable[str]] | None) -> Acl | None:
        """Rules from paths and their groups; None where nothing was said."""
        if groups_by_path is None:
            return None
        return cls(tuple(rule(path, groups, f"groups of {path!r}") for path, groups in groups_by_path.items()))

    @classmethod
    def parse(cls, terms: Iterable[str]) -> Acl:
        """Rules from `--acl` options: PATTERN=GROUP,GROUP, or the name of a file that has a rule on each line."""
        return cls(tuple(one for term in terms for one in parse_term(term)))

    def groups(self, file: FoundFile) -> frozenset[str]:
        """The groups that may read a file; none where no rule fits it."""
        said = str(self._given.of(file).get(GROUPS, ""))
        return frozenset(said.split(",")) if said else frozenset()

    def unused(self) -> list[str]:
        """The paths of rules for which no file has been found so far."""
        return self._given.unused()


def rule(path: str, groups: Iterable[str], where: str) -> Rule:
    """A rule; UsageError, which begins with `where`, for a path or a group that is none."""
    try:
        names = [check_group(name) for name in groups]
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    return Rule(path, {GROUPS: ",".join(sorted(set(names)))}, where)


def parse_term(term: str) -> list[Rule]:
    """The rules of one option.

    >>> [(one.path, one.metadata["groups"]) for one in parse_term("people/=hr,board")]
    [('people/', 'board,hr')]
    """
    path, sign, groups = term.rpartition("=")
    if sign:
        return [rule(path, named_groups(groups), f"--acl {term!r:.80}")]
    return read_rules(term)


def read_rules(name: str) -> list[Rule]:
    """The rules in a file, in its order; UsageError, with the line, for what is none."""
    path = acl_path(name)
    try:
        text = file_bytes(path, name, None).decode("utf-8-sig")
    except (UnreadableDocument, UnicodeDecodeError) as error:
        raise UsageError(
            f"--acl {name!r:.80} is neither PATTERN=GROUP,GROUP nor a readable file of rules ({error})"
        ) from error
    rules = []
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{name}, line {number}"
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = LINE.fullmatch(line.strip())
        if found is None:
            raise UsageError(
                f"{where}: {line.strip()!r:.80} ends with a backslash: write the character it escapes, or two backslashes"
            )
        pattern = re.sub(r"\\(\s)", r"\1", found[1])
        said = COMMENT.split(found[2] or "", maxsplit=1)[0]
        rules.append(rule(pattern, said.replace(",", " ").split(), where))
    return rules


def acl_path(name: str) -> Path:
    """The file of rules that an option names."""
    return expand_user(name, "--acl").resolve()


def files_of_rules(terms: Iterable[str]) -> list[Path]:
    """The files that some of the options name."""
    return [acl_path(term) for term in terms if "=" not in term]


# What it means for a store


def wanted_groups(acl: Acl, found: Walk, window: DocumentWindow) -> dict[UUID, frozenset[str]]:
    """The groups that the documents of a window are to have whose files were found."""
    stored = stored_files(window.documents)
    return {
        document.document_id: acl.groups(file)
        for _, file, path in found.files.between(window.after, window.upto)
        if (known := stored.get(path))
        for document in known.documents
    }


@dataclass
class Regrouping:
    """Opens the documents of files that were found to the groups that are said of them, while an ingest goes on.

    Those that are in the store are opened, and closed, before anything else is done with them: newer versions of them are
    never read by whom they are not for any longer. New ones are opened when they are published.
    """

    acl: Acl
    found: Walk
    store: Store
    changed: int = 0  # documents that got other groups
    _given: bytearray = field(default_factory=bytearray)  # ids of the documents that were read
    _places: array[int] = field(default_factory=lambda: array("I"))  # which of `_groups` each of them is to have
    _groups: dict[frozenset[str], int] = field(default_factory=dict)

    def through(self, windows: Iterable[DocumentWindow]) -> Iterator[DocumentWindow]:
        """The same windows; the documents of each have their groups when it comes."""
        for window in windows:
            self.changed += DocumentGroups(self.store).set(wanted_groups(self.acl, self.found, window))
            yield window

    def take(self, file: FoundFile, documents: Iterable[SourceDocument]) -> None:
        """A file gives documents, which are going to be published."""
        place = self._groups.setdefault(self.acl.groups(file), len(self._groups))
        for document in documents:
            self._given += document.document_id.bytes
            self._places.append(place)

    def finish(self) -> None:
        """Opens what was taken, now that it is published."""
        groups = list(self._groups)
        for first in range(0, len(self._places), DOCUMENTS_PER_STATEMENT):
            places = self._places[first : first + DOCUMENTS_PER_STATEMENT]
            ids = [UUID(bytes=bytes(self._given[at * 16 : (at + 1) * 16])) for at in range(first, first + len(places))]
            wanted = {one: groups[place] for one, place in zip(ids, places, strict=True)}
            self.changed += DocumentGroups(self.store).set(wanted)


def group_notes(store: Store, changed: int) -> list[str]:
    """What a user should know of the groups that documents have now."""
    closed = count_closed(store) if store.made_with.has_groups() else 0
    notes = [f"documents whose groups were changed: {changed}"] if changed else []
    if closed:
        notes.append(f"documents without a group, which only the role {ALL_DOCUMENTS} can read: {closed}")
    return notes


def count_closed(store: Store) -> int:
    """The documents of a store without a group; 0 where none has one, for then nobody wants groups there."""
    (row,) = store.client.query(Statement("count_closed", {"epoch": store.epoch()}))
    return int(row["closed"]) if row["group_rows"] else 0


def count_changes(acl: Acl, found: Walk, store: Store) -> int:
    """Of how many documents that are in the store the groups would be changed."""
    groups, changes = DocumentGroups(store), 0
    for window in document_windows(store.snapshot()):
        wanted = wanted_groups(acl, found, window)
        before = groups.of_documents(window.documents)
        changes += sum(before.get(document_id, frozenset()) != said for document_id, said in wanted.items())
    return changes
