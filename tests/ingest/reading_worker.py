"""A process that reads: `python reading_worker.py STORE` opens a store, reads all of it and closes it, again and again.

Every document says in each of its paragraphs which text it is, so that a reader can tell a whole one from a half or a doubled
one. On stdout: `read WHERE` after each read, through the other process (`elsewhere`) or with an engine of its own (`here`),
and `VIOLATION ...` for what must not be.
"""

from __future__ import annotations

import os
import random
import sys
import time
from typing import TYPE_CHECKING

from sql.base.errors import NoStore, StoreBusy
from sql.store import Store
from sql.store.snapshot import joined_chunks

if TYPE_CHECKING:
    from sql.records import Hit
    from sql.store import Snapshot

STEADY = [f"steady{number}.txt" for number in range(6)]  # are changed and never deleted or moved
READS = 5  # before the store is closed and opened again


def version_text(name: str, version: int) -> str:
    """The text of a version of a document; how long it is depends on both."""
    parts = random.Random(f"{name} {version}").randint(1, 9)
    return "\n\n".join(f"{name} {version} {part} of {parts}: " + "the cat sat " * 12 for part in range(parts)) + "\n"


def whole_texts(snapshot: Snapshot) -> dict[str, tuple[str, int]]:
    """Which text each file has, by its name; ValueError for a document that is half, mixed, doubled or out of order."""
    documents = snapshot.documents()
    chunks: dict[str, list[Hit]] = {}
    for hit in snapshot.document_chunks([document.document_id for document in documents]):
        chunks.setdefault(hit.source, []).append(hit)
    found = {}
    for document in documents:
        text = joined_chunks(chunks.get(document.source, []))
        name, version = text.split()[:2] if text else ("nothing", "0")
        if (
            text.split() != version_text(name, int(version)).split()
            or len(chunks[document.source]) != document.chunk_count
        ):
            raise ValueError(f"{document.source} is not whole: {text[:200]!r}")
        found[os.path.basename(document.path)] = name, int(version)  # noqa: PTH119 - a path of the store
    if len(found) < len(documents):
        raise ValueError(f"a document is there twice: {sorted(document.path for document in documents)}")
    return found


def say(line: str) -> None:
    """A line for the parent in one write."""
    os.write(1, f"{line}\n".encode())


def read_again_and_again(location: str) -> None:
    """Reads, checks what was read, and lets others have the store in between."""
    seen: set[str] = set()
    while True:
        try:
            with Store.open(location) as store:
                for _ in range(READS):
                    texts = whole_texts(store.snapshot())
                    if missing := seen - set(texts):
                        raise ValueError(f"absent: {sorted(missing)}")
                    seen |= set(texts) & set(STEADY)
                    say("read elsewhere" if "chdb" not in sys.modules else "read here")
        except ValueError as error:
            say(f"VIOLATION {error}")
            return
        except (NoStore, StoreBusy):
            pass
        if "chdb" in sys.modules:
            return  # the next process looks through the other one again
        time.sleep(0.02)


if __name__ == "__main__":
    read_again_and_again(sys.argv[1])
