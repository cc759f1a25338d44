"""What nobody can see any more in, deleted out: superseded generations, and drafts that a killed run has left behind."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sql.base.errors import StoreError, StoreUnreachable
from sql.engine.cluster import delete_rows
from sql.engine.lease import has_lease
from sql.engine.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sql.engine.client import Client
    from sql.engine.cluster import Cluster
    from sql.store.snapshot import Snapshot

# A reader fixes its epoch and may then search for as long as a statement may run; nothing it needs is deleted sooner.
GRACE_SECONDS = 60.0
GENERATIONS_PER_DELETE = 16_000  # every deletion rewrites parts of tables, whatever there is to delete in them
# Superseded generations on a server: its readers are other processes, whose statements nobody here can see end.
SERVER_GRACE_SECONDS = 600.0


@dataclass
class Garbage:
    """Deletes from one store; `now` gives the store at its latest epoch, `announce` is told what was left undone."""

    client: Client
    cluster: Cluster | None
    now: Callable[[], Snapshot]
    announce: Callable[[str], None]
    _dead_since: dict[int, float] = field(default_factory=dict)

    def collect(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """Deletes what this kind of store allows to: in the process that has an embedded one open, everything that has been
        invisible for `grace_seconds`; on a server, where other runs are at work, what was replaced long ago.
        """
        return self.collect_superseded() if self.client.is_server else self.collect_unseen(grace_seconds)

    def collect_at_once(self) -> int:
        """Deletes without grace what nobody sees, or as `collect` does where somebody may have begun to read it.

        For a process that has opened an embedded store just now or is about to close it: under its lock nobody can be
        reading but by way of this process.
        """
        return self.collect(GRACE_SECONDS if self.client.is_read_elsewhere else 0)

    def collect_unseen(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """Deletes generations that have been invisible for `grace_seconds` of this process; returns how many.

        What cannot be deleted now, for want of space, is left to the next time and announced: it harms nobody.
        """
        with self.client.writing:
            packed = self.client.query_packed(Statement("dead_generations", {"epoch": self.now().epoch}))
            found = np.frombuffer(packed, "<u8")  # of a folder that went away there may be a million
            dead = found[~np.isin(found, np.array(sorted(self.client.drafts), np.uint64))]
            return self._try_to_delete(
                array("Q", dead.tobytes()) if grace_seconds <= 0 else self._due(dead, grace_seconds)
            )

    def _due(self, dead: NDArray[np.uint64], grace_seconds: float) -> list[int]:
        """Those of the dead generations that have been seen dead for so long, in order."""
        now = time.monotonic()
        self._dead_since = {generation: self._dead_since.get(generation, now) for generation in dead.tolist()}
        return [generation for generation, since in self._dead_since.items() if now - since >= grace_seconds]

    def collect_superseded(self, grace_seconds: float = SERVER_GRACE_SECONDS) -> int:
        """On a server: deletes generations that were replaced more than `grace_seconds` ago, if this user may.

        Other runs may be at work, so drafts are left alone unless a newer version of their document is published; the
        age is told by the server's clock, because the runs of a timetable are too short to watch it pass.
        """
        if not self._may_delete():
            return 0
        values = {"grace_milliseconds": int(grace_seconds * 1000)}
        due = [row["generation"] for row in self.client.query(Statement("superseded_generations", values))]
        deleted = self._try_to_delete(due)
        if not has_lease(self.client):
            return deleted
        keeper = self.client if self.cluster is None else self.cluster.first()
        token = keeper.query(Statement("lease"))[0]["token"]
        keeper.execute(Statement("delete_leases", {"token": token}), repeatable=True)
        return deleted

    def _may_delete(self) -> bool:
        """Whether this user has the right to delete rows; a server too old to be asked counts as no."""
        try:
            keeper = self.client if self.cluster is None else self.cluster.first()
            return keeper.holds(Statement("may_delete"))
        except StoreUnreachable:
            raise
        except StoreError:
            return False

    def _try_to_delete(self, due: Sequence[int]) -> int:
        """Deletes generations; returns how many, 0 where that was given up."""
        try:
            self.delete_generations(due)
        except StoreError as error:
            self.announce(str(error))
            return 0
        return len(due)

    def delete_generations(self, due: Sequence[int]) -> None:
        """Deletes all that is stored of some generations; StoreError where the database does not get on with it."""
        for first in range(0, len(due), GENERATIONS_PER_DELETE):
            batch = {"generations": list(due[first : first + GENERATIONS_PER_DELETE])}
            self._delete(
                Statement("delete_postings", batch),
                Statement("delete_lengths", batch),
                Statement("delete_chunks", batch),
                Statement("delete_texts", batch),
                Statement("delete_places", batch),
                Statement("delete_float_references", batch),
            )
            if self.now().made_with.has_groups():
                self._delete(Statement("delete_group_generations", batch))

    def delete_words(self, generations: Sequence[int]) -> None:
        """Deletes the words of generations, which then can be found by their vectors alone."""
        for first in range(0, len(generations), GENERATIONS_PER_DELETE):
            batch = {"generations": list(generations[first : first + GENERATIONS_PER_DELETE])}
            self._delete(Statement("delete_postings", batch), Statement("delete_lengths", batch))

    def _delete(self, *statements: Statement) -> None:
        """Runs statements that delete rows, one after the other, on every shard there is."""
        for statement in statements:
            delete_rows(statement, self.client, self.cluster)
