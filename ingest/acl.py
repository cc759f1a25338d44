"""What a user says of who may read which files (`--acl`) in, the groups of each file out.

A rule is a path, a folder or a pattern as in .gitignore, and the groups that may read what it fits. Of several that fit a file
the last one holds alone. A file of rules has one a line: the pattern, white space, groups; as CODEOWNERS has owners.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.given_metadata import GivenMetadata, Rule
from ingest.identity import stored_files
from ingest.readers.raw_file import file_bytes
from sql.base.errors import UnreadableDocument, UsageError
from sql.base.paths import expand_user
from sql.store.groups import ALL_DOCUMENTS, DocumentGroups, check_group, named_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from uuid import UUID

    from ingest.found_files import FoundFile
    from ingest.walk import Walk
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
            f"--acl {name!r:.80} is neither PATTERN=GROUP,GROUP nor a file of rules that can be read ({error})"
        ) from error
    rules = []
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{name}, line {number}"
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = LINE.fullmatch(line.strip())
        if found is None:
            raise UsageError(
                f"{where}: {line.strip()!r:.80} ends with a backslash: write what it stands before, or two"
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


def wanted_groups(acl: Acl, found: Walk, store: Store) -> dict[UUID, frozenset[str]]:
    """The groups that the documents of the files which were found are to have, of those that are in the store."""
    stored = stored_files(store.snapshot().documents())
    return {
        document.document_id: acl.groups(file)
        for file in found.files
        if file.stored_path in stored
        for document in stored[file.stored_path].documents
    }


def open_to_groups(acl: Acl, found: Walk, store: Store) -> int:
    """Gives the documents of files that were found the groups that are said of them; returns how many got others."""
    return DocumentGroups(store).set(wanted_groups(acl, found, store))


def group_notes(acl: Acl | None, found: Walk, store: Store, changed: int) -> list[str]:
    """What a user should know of the groups that documents have now."""
    groups = wanted_groups(acl, found, store) if acl is not None else None
    closed = sum(not one for one in groups.values()) if groups is not None else count_closed(store)
    notes = [f"documents whose groups were changed: {changed}"] if changed else []
    if closed:
        notes.append(f"documents without a group, which only the role {ALL_DOCUMENTS} can read: {closed}")
    return notes


def count_closed(store: Store) -> int:
    """The documents of a store without a group; 0 where none has one, for then nobody wants groups there."""
    groups = DocumentGroups(store).of_documents() if store.made_with.has_groups() else {}
    return sum(one.document_id not in groups for one in store.snapshot().documents()) if groups else 0


def count_changes(acl: Acl, found: Walk, store: Store) -> int:
    """Of how many documents that are in the store the groups would be changed."""
    before, wanted = DocumentGroups(store).of_documents(), wanted_groups(acl, found, store)
    return sum(before.get(document_id, frozenset()) != groups for document_id, groups in wanted.items())
