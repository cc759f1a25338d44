"""The name of a user in, what he reaches of a store on a server out: documents, tables, and what goes round the row policies.

It is read from what the server says of users, roles, rights and policies, which only an administrator may see; nobody has
to know the user's password.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sql.base.errors import UsageError
from sql.engine.statements import Statement, policy_statements, read_statement
from sql.store.groups import ALL_DOCUMENTS, EVERYONE, DocumentGroups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sql.engine.client import Client, Row
    from sql.store.store import Store

POLICY = re.compile(r"ON rag\.(\w+)\nUSING (.+)\n")
WITHOUT_CONTENT = {"collection", "calibrations", "lease", "commits", "word_whitening"}
INERT = {"View", "Distributed"}  # read other tables, with the rights of whoever asks
DICTIONARY = "Dictionary"  # reads other tables, or asks a server, with rights of its own
# What lets a user change what he may read, or read past the policies: how the right begins, and what it does.
WAYS_ROUND = {
    "all": "may do everything here, so he may change what he can read",
    "alter": "may change tables, and so move rows to where no policy is",
    "backup": "may copy tables as a whole",
    "create row policy": "may make row policies",
    "alter row policy": "may change row policies",
    "drop row policy": "may drop row policies",
    "access management": "may give himself roles and change row policies",
    "role admin": "may give himself any role",
    "create user": "may make users",
    "alter user": "may change users",
    "impersonate": "may take the place of other users",
    "set definer": "may make views that read with the rights of others",
    "file": "may read files of the server",
    "disk": "may read the disks of the server",
    "read": "may read files or other servers",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What a user reaches of a store. `leaks` are sentences, and there should be none."""

    user: str
    roles: tuple[str, ...]
    documents: int
    all_documents: int
    groups: Mapping[str, int]  # of the user, how many documents each has
    guarded: tuple[str, ...]  # tables that the user may read, of whose rows a policy leaves his own
    leaks: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "user": self.user,
            "roles": list(self.roles),
            "documents": self.documents,
            "all_documents": self.all_documents,
            "groups": dict(self.groups),
            "tables": list(self.guarded),
            "leaks": list(self.leaks),
        }


@dataclass(frozen=True)
class Account:
    """A user with all roles that he has or could take, and what these may do."""

    user: str
    roles: frozenset[str]
    rights: Sequence[Row]

    @classmethod
    def of(cls, user: str, client: Client) -> Account:
        """The account of a user; UsageError where the server knows none of this name."""
        known = [row["name"] for row in client.query(Statement("reach_users"))]
        if user not in known:
            raise UsageError(f"--as {user!r:.80}: the server knows no such user; it has {', '.join(known)}")
        given = client.query(Statement("reach_roles"))
        roles = {row["granted"] for row in given if row["user"] == user}
        while more := {row["granted"] for row in given if row["role"] in roles} - roles:
            roles |= more
        rights = [row for row in client.query(Statement("reach_rights")) if row["user"] == user or row["role"] in roles]
        return cls(user, frozenset(roles), rights)

    def may(self, right: str, database: str, table: str) -> bool:
        """Whether a right holds for a table. The server does not say of `rag*` that it is no name, so both are taken for it."""
        return any(
            row["right"] in {right, "all"}
            and database.startswith(row["database"])
            and (not row["table"] or table.startswith(row["table"]))
            for row in self.rights
        )

    def may_read(self, table: Row) -> bool:
        """Whether the user may read a table, or ask a dictionary."""
        rights = ("select", "dictget") if table["engine"] == DICTIONARY else ("select",)
        return any(self.may(right, table["database"], table["name"]) for right in rights)

    def is_meant_by(self, policy: Row) -> bool:
        """Whether a policy holds for the user."""
        names = {self.user, *self.roles}
        if policy["apply_to_all"]:
            return not names & set(policy["apply_to_except"])
        return bool(names & set(policy["apply_to_list"]))


def reach_of(user: str, store: Store) -> Reach:
    """What a user reaches of a store. StoreError where whoever asks may not see the users and policies of the server, and
    UsageError where the policies hold for him too.
    """
    # The tables of a cluster lie in the local database of each node, and so do the policies on them.
    client = store.client if store.cluster is None else store.cluster.first()
    account = Account.of(user, client)
    own = {*account.roles, EVERYONE}
    guards = client.query(Statement("reach_policies"))
    require_free(client, guards)
    groups = DocumentGroups(store).of_documents()
    documents = store.snapshot().documents()
    is_free = ALL_DOCUMENTS in account.roles
    seen = [one for one in documents if is_free or groups.get(one.document_id, frozenset()) & own]
    counts = Counter(group for one in seen for group in groups.get(one.document_id, frozenset()) & own)
    tables = [row for row in client.query(Statement("reach_tables")) if account.may_read(row)]
    database = (
        store.client.location.require_policies().database if store.cluster is None else store.cluster.local_database
    )
    leaks = [] if is_free else [*leaking_tables(account, tables, guards, database), *ways_round(account, database)]
    guarded = [] if is_free else [row["name"] for row in tables if row["name"] in conditions()]
    return Reach(
        user,
        tuple(sorted(account.roles)),
        len(seen),
        len(documents),
        dict(sorted(counts.items())),
        tuple(guarded),
        tuple(leaks),
    )


def require_free(client: Client, guards: Iterable[Row]) -> None:
    """UsageError where whoever asks is held by policies himself: of what they hide from him he could not say who sees it."""
    (row,) = client.query(Statement("reach_asker"))
    asker = Account.of(row["name"], client)
    if ALL_DOCUMENTS not in asker.roles and any(asker.is_meant_by(guard) for guard in guards):
        raise UsageError(
            f"the row policies hold for {asker.user}, who asks, so they cannot see what others can reach: "
            f"GRANT {ALL_DOCUMENTS} TO {asker.user}"
        )


def leaking_tables(account: Account, tables: Iterable[Row], guards: Sequence[Row], database: str) -> Iterator[str]:
    """What can be read of tables for which no policy holds as it should."""
    for table in tables:
        name = table["name"]
        if table["engine"] == DICTIONARY:
            yield (
                f"{table['database']}.{name} is a dictionary, for which no policy holds: he is told what those may read "
                "as whom it asks"
            )
        elif table["has_own_rights"]:
            yield f"{table['database']}.{name} reads with other rights than his own: no policy holds for him there"
        elif table["database"] != database or name in WITHOUT_CONTENT or table["engine"] in INERT:
            continue
        else:
            yield from open_policies(account, name, [row for row in guards if row["table"] in {name, ""}])


def open_policies(account: Account, table: str, guards: Iterable[Row]) -> Iterator[str]:
    """Why the policies on a table do not keep a user to his documents."""
    wanted = conditions().get(table)
    opening = [row for row in guards if account.is_meant_by(row) and not row["is_restrictive"]]
    if not opening:
        yield f"{table} has no row policy that holds for him: he reads all of it"
    for row in opening:
        if wanted is None or bare(row["condition"]) != bare(wanted):
            yield f"{table} is opened by the row policy {row['name']} ({row['condition']:.100}): of several one is enough"


def ways_round(account: Account, database: str) -> Iterator[str]:
    """Rights with which a user reads what his policies leave out, or changes them."""
    if account.may("insert", database, "document_groups"):
        yield "he may insert into document_groups, and so open any document to himself"
    told = set()
    for row in account.rights:
        right = row["right"]
        says = next((text for start, text in WAYS_ROUND.items() if right == start or right.startswith(f"{start} ")), "")
        if says and database.startswith(row["database"]) and says not in told:
            told.add(says)
            yield f"he {says} ({right.upper()})"


@cache
def conditions() -> dict[str, str]:
    """The condition of our policy on each table."""
    found = (POLICY.search(read_statement(name)) for name in policy_statements())
    return {match[1]: match[2] for match in found if match is not None}


def bare(condition: str) -> str:
    """A condition without what the server writes in its own way, and without the name of a database.

    >>> bare("generation IN (SELECT generation FROM rag.document_groups)")
    'generationinselectgenerationfromdocument_groups'
    """
    return re.sub(r"\w+\.(?=document_groups)|[\s()`]", "", condition).lower()
