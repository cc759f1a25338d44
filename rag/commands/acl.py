"""`acl`: which groups may read which documents, shown and changed, and the SQL that makes a server heed it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sql.base.errors import EXIT_OK, UsageError
from sql.base.terminal import note, out, out_json

if TYPE_CHECKING:
    from argparse import Namespace
    from uuid import UUID


def acl(options: Namespace) -> int:
    """Shows how many documents each group may read in a store on a server, or gives documents other groups."""
    from sql.engine.client import parse_location

    location = parse_location(options.db)
    location.require_policies()
    if options.print_sql:
        from sql.store.groups import policy_script

        if options.paths or options.groups is not None or options.json:
            raise UsageError("--print-sql prints the policies of the whole store: give no PATH, --groups or --json")
        out(policy_script(location))
        return EXIT_OK
    if options.groups is None:
        if options.paths:
            raise UsageError("PATHs are given other groups: say which with --groups hr,board, or none with --groups ''")
        return show_groups(options)
    if not options.paths:
        raise UsageError("--groups says who may read the documents at PATHs: give some, such as docs/")
    return set_groups(options)


def show_groups(options: Namespace) -> int:
    """Lists the groups with what they may read, and counts what nobody may."""
    from sql.store import Store
    from sql.store.groups import DocumentGroups

    with Store.open(options.db) as store:
        groups, documents = DocumentGroups(store).of_documents(), store.snapshot().documents()
    counted, chunks = Counter[str](), Counter[str]()
    for one in documents:
        for group in groups.get(one.document_id, ()):
            counted[group] += 1
            chunks[group] += one.chunk_count
    closed = sum(not groups.get(one.document_id) for one in documents)
    if options.json:
        listed = [{"group": name, "documents": counted[name], "chunks": chunks[name]} for name in sorted(counted)]
        out_json({"groups": listed, "without_group": closed})
        return EXIT_OK
    out(f"{'documents':>9}{'chunks':>9}  group")
    for name in sorted(counted):
        out(f"{counted[name]:9,}{chunks[name]:9,}  {name}")
    out(f"{closed:9,}{'':9}  (none)")
    return EXIT_OK


def set_groups(options: Namespace) -> int:
    """Gives the documents at some paths these groups and no others."""
    from rag.commands.documents import named_or_below, unknown
    from sql.store import Store
    from sql.store.groups import DocumentGroups, named_groups

    groups = named_groups(options.groups)
    with Store.open(options.db, write=True, announce=note) as store:
        documents = store.snapshot().documents() if store.collection() else []
        chosen: dict[UUID, list[str]] = {}
        for name in options.paths:
            found = named_or_below(name, documents)
            if not found:
                raise unknown(name, store.client.location)
            chosen |= {one.document_id: groups for one in found}
        changed = DocumentGroups(store).set(chosen)
    if options.json:
        out_json({"documents": len(chosen), "changed": changed, "groups": groups})
    else:
        out(f"documents: {len(chosen)}, changed: {changed}, groups: {', '.join(groups) or '(none)'}")
    return EXIT_OK
