"""The groups of documents in, their rows in `document_groups` out; and the row policies that make readers feel them.

A group is a role of the server. Nothing of a document is written again when its groups change: a row for each of its group
opens a generation, and what is taken away is deleted. So a change holds with the next statement of any reader.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sql.base.errors import StoreError, UsageError
from sql.engine.cluster import delete_rows
from sql.engine.native import columns_of_rows
from sql.engine.statements import Statement, policy_statements, read_statement, server_statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from sql.engine.location import Location
    from sql.records import LiveDocument
    from sql.store.store import Store

EVERYONE = "everyone"  # the group that every user of the server is in who may read the tables
ALL_DOCUMENTS = "rag_all_documents"  # the role that no policy holds for
LONGEST_GROUP = 200  # characters
DOCUMENTS_PER_STATEMENT = 2_000


def check_group(name: str) -> str:
    """A group's name; UsageError where a role is not called so."""
    if not 0 < len(name) <= LONGEST_GROUP or name != name.strip() or not name.isprintable() or "," in name:
        raise UsageError(f"{name!r:.80} is not a group: give the name of a role, without commas, or {EVERYONE}")
    if name == ALL_DOCUMENTS:
        raise UsageError(f"{name} is not a group: whoever has this role sees every document, whatever its groups")
    return name


def named_groups(text: str) -> list[str]:
    """The names in `hr, board`, without those that are empty; not checked."""
    return [name.strip() for name in text.split(",") if name.strip()]


@dataclass
class DocumentGroups:
    """The groups of the documents of one store, which has to be on a server. Raises UsageError for any other."""

    store: Store

    def __post_init__(self) -> None:
        self.store.client.location.require_policies()

    def of_documents(self, documents: Sequence[LiveDocument] | None = None) -> dict[UUID, frozenset[str]]:
        """The groups of every published document that has some, or of those given; what opened an older version counts for
        nothing."""
        known = self.store.snapshot().documents() if documents is None else documents
        live = {one.generation for one in known}
        rows = self._rows(None if documents is None else [one.document_id for one in documents])
        return groups_by_document(row for row in rows if row["generation"] in live)

    def set(self, wanted: Mapping[UUID, Iterable[str]]) -> int:
        """Gives documents these groups and no others; returns of how many that was a change.

        Takes away before it gives: a run that ends between the two has left a document to fewer users than wanted, and the
        next one goes on. A document that is not published gets nothing.
        """
        goal = {document_id: frozenset(map(check_group, groups)) for document_id, groups in wanted.items()}
        if not goal:
            return 0
        self._require_table()
        with self.store.writing, self.store.writer.publishing() as still_ours:
            changed, left = 0, iter(goal.items())
            while some := dict(islice(left, DOCUMENTS_PER_STATEMENT)):
                still_ours()
                changed += self._set(some)
            return changed

    def _set(self, goal: Mapping[UUID, frozenset[str]]) -> int:
        rows = self._rows(goal)
        before = groups_by_document(rows)  # of all versions: what is taken away is taken from old ones too
        surplus: dict[frozenset[str], list[UUID]] = defaultdict(list)
        for document_id, groups in goal.items():
            if before.get(document_id, frozenset()) - groups:
                surplus[groups].append(document_id)
        for groups, documents in surplus.items():
            self._take_away(documents, groups)
        there = {(row["generation"], row["group_name"]) for row in (self._rows(goal) if surplus else rows)}
        live = self.store.snapshot().some_documents(list(goal))
        missing = [
            {"generation": one.generation, "document_id": one.document_id, "group_name": group}
            for one in live
            for group in sorted(goal[one.document_id])
            if (one.generation, group) not in there
        ]
        if missing:
            self.store.client.insert("document_groups", columns_of_rows(missing))
        return len({row["document_id"] for row in missing}.union(*surplus.values()))

    def _take_away(self, documents: list[UUID], groups: frozenset[str]) -> None:
        for first in range(0, len(documents), DOCUMENTS_PER_STATEMENT):
            some = [str(document_id) for document_id in documents[first : first + DOCUMENTS_PER_STATEMENT]]
            statement = Statement("delete_groups", {"document_ids": some, "groups": sorted(groups)})
            delete_rows(statement, self.store.client, self.store.cluster)

    def _rows(self, document_ids: Iterable[UUID] | None = None) -> list[dict[str, Any]]:
        """Those of some documents, or all."""
        if not self.store.made_with.has_groups():
            return []
        if document_ids is None:
            return self.store.client.query(Statement("document_groups"))
        ids, found = [str(one) for one in document_ids], []
        for first in range(0, len(ids), DOCUMENTS_PER_STATEMENT):
            some = {"document_ids": ids[first : first + DOCUMENTS_PER_STATEMENT]}
            found += self.store.client.query(Statement("some_document_groups", some))
        return found

    def _require_table(self) -> None:
        """Makes the table in a store that is older than it; StoreError where this user may not."""
        if self.store.made_with.has_groups():
            return
        if self.store.collection() is None:
            raise StoreError(
                f"the store {self.store.client.location} is empty: ingest documents before they get groups"
            )
        if self.store.cluster is not None:
            self.store.cluster.create((), {})
        else:
            for name in server_statements():
                self.store.client.create(name, {})
        self.store.made_with.forget()


def groups_by_document(rows: Iterable[dict[str, Any]]) -> dict[UUID, frozenset[str]]:
    """The groups in some rows of `document_groups`, by the document."""
    found: dict[UUID, set[str]] = defaultdict(set)
    for row in rows:
        found[row["document_id"]].add(row["group_name"])
    return {document_id: frozenset(groups) for document_id, groups in found.items()}


# Policies


def policy_script(location: Location) -> str:
    """The statements that put row policies on the tables of a store, for whoever may create them, as one text.

    They name the database, in which a cluster's local tables lie, because a policy looks tables up where its user is.
    """
    server = location.require_policies()
    database = f"{server.database}_local" if server.cluster else server.database
    texts = [f"{placed(read_statement(name), database)};" for name in policy_statements()]
    return "\n".join(texts)


def placed(text: str, database: str) -> str:
    """A statement about the tables of the database `rag` as one about those of another.

    >>> placed("ON rag.chunks USING generation IN (SELECT generation FROM rag.document_groups)", "docs")
    'ON `docs`.chunks USING generation IN (SELECT generation FROM `docs`.document_groups)'
    """
    quoted = "`" + database.replace("\\", "\\\\").replace("`", "\\`") + "`"
    return re.sub(r"\brag\.", lambda match: f"{quoted}.", text)
