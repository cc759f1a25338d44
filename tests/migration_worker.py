"""A migration to be killed: `python migration_worker.py STORE N` ends itself with SIGKILL before its Nth statement.

It counts whatever changes the database; with an N that is never reached it prints how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from rag.index.word_index import add_words
from sql.engine.client import Client
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES = ("create", "change", "execute", "insert")


def stop_before(number: int, stop: Callable[[], None]) -> list[int]:
    """Has `stop` called before the Nth change of any client from now on; returns the counter."""
    counter = [0]

    def counting(change: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: Any, **named: Any) -> None:
            counter[0] += 1
            if counter[0] == number:
                stop()
            change(*arguments, **named)

        return counted

    for name in CHANGES:
        setattr(Client, name, counting(getattr(Client, name)))
    return counter


def main() -> None:
    """Migrates a store."""
    counter = stop_before(int(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL))
    with Store.open(sys.argv[1], write=True) as store:
        add_words(store)
    print(counter[0])


if __name__ == "__main__":
    main()
