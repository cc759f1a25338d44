"""A process to be killed: `python crash_worker.py STORE SEED` edits documents for ever while threads read all of them.

Every chunk says which document, version and part it is, so that a reader can tell a whole document from a half or a
mixed one. On stdout: `ack VERSION NAMES` after each publication, around a deletion `deleting VERSION` and
`gone VERSION`, and `reads N` for what the readers have checked. A reader that sees something wrong prints
`VIOLATION ...`, and the process ends with 1.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from support import draft_document, open_store

from sql.search import cells
from sql.upkeep.cells import maintain_cells

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sql.store import Store

STEADY = [f"steady {number}" for number in range(6)]  # always there once published
FLEETING = "fleeting"  # deleted and brought back
READERS = 2
GRACE_SECONDS = 1.0


def version_texts(name: str, version: int) -> list[str]:
    """The chunks of a version of a document; how many there are depends on both."""
    parts = random.Random(f"{name} {version}").randint(1, 8)
    return [f"{name}|{version}|{part}|{parts}" for part in range(parts)]


def whole_versions(rows: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The version of each document; ValueError for one that is half, mixed, or has chunks twice or out of order."""
    found: dict[str, list[str]] = defaultdict(list)
    for source, text in rows:
        found[source].append(text)
    versions = {}
    for name, texts in found.items():
        version = int(texts[0].split("|")[1])
        if texts != version_texts(name, version):
            raise ValueError(f"{name} is not whole: {texts}")
        versions[name] = version
    return versions


def say(line: str) -> None:
    """A line for the parent in one write, which a kill cannot tear."""
    os.write(1, f"{line}\n".encode())


def read_for_ever(store: Store) -> None:
    """Whole-corpus reads, each checked; ends the process on the first that is wrong."""
    reads = 0
    while True:
        started = time.monotonic()
        rows = store.snapshot().chunk_texts()
        if time.monotonic() - started > GRACE_SECONDS:
            continue  # the store promises nothing to a reader slower than the grace period
        try:
            missing = set(STEADY) - set(whole_versions(rows))
            if missing:
                raise ValueError(f"absent: {sorted(missing)}")
        except ValueError as error:
            say(f"VIOLATION {error}")
            os._exit(1)
        reads += 1
        if reads % 5 == 0:
            say("reads 5")
        time.sleep(0.01)  # leaves the writer some of a small machine


def edit_for_ever(store: Store, seed: int) -> None:
    """Publishes new versions of a few documents at a time, deletes the fleeting one and makes new cells now and then."""
    choose = random.Random(seed)
    cells.RETRAIN_GROWTH = 0  # every time: new cells, and every document is moved into them
    while True:
        if choose.random() < 0.2:
            maintain_cells(store, least=1)
        version = store.epoch() + 1
        live = {document.source: document for document in store.snapshot().documents()}
        names = choose.sample([*STEADY, FLEETING], choose.randint(1, 4))
        deleted = [live[FLEETING]] if FLEETING in live and FLEETING not in names and choose.random() < 0.5 else []
        drafts = [draft_document(store, name, version_texts(name, version), language="") for name in names]
        if deleted:
            say(f"deleting {version}")
        store.writer.publish(drafts, deleted)
        say(f"ack {version} {','.join(names)}")
        if deleted:
            say(f"gone {version}")
        store.garbage.collect_unseen(GRACE_SECONDS)


def main() -> None:
    """Publishes every steady document once, then edits and reads until it is killed."""
    location, seed = sys.argv[1], int(sys.argv[2])
    store = open_store(location)
    if not store.snapshot().documents():
        version = store.epoch() + 1
        store.writer.publish(
            [draft_document(store, name, version_texts(name, version), language="") for name in STEADY]
        )
        say(f"ack {version} {','.join(STEADY)}")
    for _ in range(READERS):
        threading.Thread(target=read_for_ever, args=(store,), daemon=True).start()
    edit_for_ever(store, seed)


if __name__ == "__main__":
    main()
