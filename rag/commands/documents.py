"""`list` and `remove`: the documents of a store as a table, and fewer of them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sql.base.errors import EXIT_NOTHING_FOUND, EXIT_OK, StoreError, to_run
from sql.base.paths import printable
from sql.base.terminal import note, one_line, out, out_json, shown_name

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence

    from ingest.identity import StoredFile
    from sql.records import ListedDocument, LiveDocument
    from sql.records.metadata import MetadataValue

LONGEST_METADATA = 100  # characters, of what is shown of a document in one line


def list_documents(options: Namespace) -> int:
    """Lists the documents of the store: format, chunks, size and age of each."""
    from sql.search.filters import parse_filter
    from sql.store import Store

    with Store.open(options.db) as store:
        listed = store.snapshot().listed_documents(parse_filter(options.filter or []))
        if not listed:
            every = store.snapshot().listed_documents() if options.filter else []
            note(
                f"no document passes the filter {one_line(' '.join(options.filter))}; the store has {len(every):,}, such as "
                f"{shown_name(every[0].document.source)}"
                if every
                else store.emptiness
            )
    if options.paths:
        documents = [one.document for one in listed]
        found: set[str] = set()
        for name in options.paths:
            meant = named_or_below(name, documents)
            found.update(one.path for one in meant)
            if not meant and not options.filter:
                note(str(unknown(name, options.db, documents)))
        listed = [one for one in listed if one.document.path in found]
    if options.format:
        formats = Counter(one.document.format for one in listed)
        listed = [one for one in listed if one.document.format in options.format]
        if formats and not listed:
            there = ", ".join(f"{count:,} {name}" for name, count in formats.most_common())
            note(f"no document is of the format {one_line(', '.join(options.format))}; there are {there}")
    if options.json:
        out_json({"documents": [listed_record(one) for one in listed]})
    else:
        show_list(listed)
    return EXIT_OK if listed else EXIT_NOTHING_FOUND


def show_list(listed: Sequence[ListedDocument]) -> None:
    """A line for each document, and how much it is together for the person who watches."""
    if not listed:
        out("Nothing found.")
        return
    now = datetime.now(UTC)
    out(f"{'format':10}{'chunks':>8}{'bytes':>14}{'age':>9}  source")
    for one in listed:
        document = one.document
        numbers = f"{document.chunk_count:8,}{document.content_bytes:14,}{age(now - one.written_at):>9}"
        metadata = f"  {shown_metadata(one.metadata)}" if one.metadata else ""
        out(f"{document.format:10}{numbers}  {shown_name(document.source)}{metadata}")
    note(f"documents: {len(listed):,}, chunks: {sum(one.document.chunk_count for one in listed):,}")


def shown_metadata(metadata: Mapping[str, MetadataValue]) -> str:
    """Metadata on one line of bounded length, text in quotation marks.

    >>> shown_metadata({"year": 2024, "tags": ("kiln", "glaze")})
    'year=2024 tags=["kiln", "glaze"]'
    """
    line = one_line(" ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in metadata.items()))
    return line if len(line) <= LONGEST_METADATA else line[: LONGEST_METADATA - 1] + "…"


def age(since: timedelta) -> str:
    """How long ago something was, in the largest unit of which it is one or more; a clock that runs ahead counts as now.

    >>> age(timedelta(seconds=59)), age(timedelta(hours=30)), age(timedelta(days=800))
    ('0 min', '1 d', '800 d')
    """
    minutes = max(0, int(since.total_seconds())) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 24 * 60 else f"{minutes // (24 * 60)} d"


def listed_record(one: ListedDocument) -> dict[str, Any]:
    """A document as JSON; times are in UTC."""
    document = one.document
    return {
        "source": document.source,
        "path": document.path,
        "title": document.title,
        "format": document.format,
        "bytes": document.content_bytes,
        "sha256": document.content_sha256,
        "chunks": document.chunk_count,
        "place_count": one.place_count,
        "metadata": dict(one.metadata),
        "written_at": one.written_at.isoformat(timespec="seconds"),
        "document_id": str(document.document_id),
    }


# Which documents a name means


def named(name: str, documents: Iterable[LiveDocument]) -> list[LiveDocument]:
    """The documents that a name means: one by its source or path, or else all that a file of this name gave."""
    from ingest.identity import stored_files

    known = list(documents)
    paths = {name, printable(os.path.abspath(os.path.expanduser(name)))}  # noqa: PTH100, PTH111 - links stay what they are
    if exact := [one for one in known if one.source == name or one.path in paths]:
        return exact
    files = stored_files(known).values()
    return [one for file in files if file.path in paths or file.source == name for one in file.documents]


def named_or_below(name: str, documents: Iterable[LiveDocument]) -> list[LiveDocument]:
    """The documents that a name means, parts of a file among them, or those of all files below a folder of this name."""
    from ingest.identity import stored_files

    known = list(documents)
    of_file = {one.path: file for file in stored_files(known).values() for one in file.documents}
    if found := named(name, known):
        whole = [of_file[one.path] for one in found if one.path == of_file[one.path].path]
        parts = [part for file in whole for part in file.documents]
        return list({one.path: one for one in (*found, *parts)}.values())
    folder = printable(os.path.abspath(os.path.expanduser(name))).rstrip("/") + "/"  # noqa: PTH100, PTH111
    return [one for one in known if one.path.startswith(folder)]


def file_of(document: LiveDocument, documents: Iterable[LiveDocument]) -> StoredFile:
    """The file that a document came from, with all others that it gave."""
    from ingest.identity import stored_files

    return next(file for file in stored_files(documents).values() if document in file.documents)


def unknown(name: str, location: object, documents: Iterable[LiveDocument] = ()) -> StoreError:
    """What is said where a name means no document: which one may be meant, whose path ends so or is spelled much like it."""
    sources = [one.source for one in documents]
    plain = re.sub(r":\d+\Z", "", name)  # as a citation has it
    ends = [source for source in sources if source.endswith(f"/{plain}")] or get_close_matches(plain, sources, 1, 0.85)
    meant = f"; did you mean {shown_name(ends[0])}?" if ends else ""
    shows = to_run("rag list", location)
    return StoreError(f"{location} has no document {shown_name(name)}: {shows} shows those it has{meant}")


# remove


def remove(options: Namespace) -> int:
    """Deletes documents from the store, not their files; for a file all its parts, for a folder all documents below it."""
    from ingest.identity import stored_files
    from sql.engine.client import parse_location
    from sql.store import Store

    location = parse_location(options.db)
    location.require_store()
    with Store.open(location, write=not options.dry_run, announce=note) as store:
        documents = store.snapshot().documents() if store.collection() else []
        chosen: dict[str, LiveDocument] = {}
        for name in options.paths:
            found = named_or_below(name, documents)
            if not found:
                raise unknown(name, location, documents)
            chosen |= {one.path: one for one in found}
        if not options.dry_run:
            store.writer.publish([], chosen.values())
            store.garbage.collect()
    files = {one.path: file.path for file in stored_files(documents).values() for one in file.documents}
    there = {path for path in chosen if os.path.lexists(files[path])}
    show_removed(list(chosen.values()), there, options)
    return EXIT_OK


def show_removed(removed: Sequence[LiveDocument], there: set[str], options: Namespace) -> None:
    """What was removed, or would be, and what will come back."""
    if options.json:
        records = [
            {"source": one.source, "path": one.path, "chunks": one.chunk_count, "file_exists": one.path in there}
            for one in removed
        ]
        out_json({"removed": records, "dry_run": options.dry_run})
    else:
        for one in removed:
            out(f"{'would remove' if options.dry_run else 'removed'} {shown_name(one.source)}")
        if len(removed) > 1:
            note(f"documents: {len(removed):,}, chunks: {sum(one.chunk_count for one in removed):,}")
    if len(there) == 1:
        note(
            "the file of 1 document is still there: the next ingest of its folder brings it back, unless the file is moved or "
            "deleted"
        )
    elif there:
        note(
            f"the files of {len(there):,} documents are still there: the next ingest of their folders brings them back, unless "
            "they are moved or deleted"
        )
