"""One publisher at a time on a server: whoever holds the lease may take the next epoch and publish at it.

Embedding and inserting need no lease; only the epoch and the manifest rows do, for a few milliseconds a publication. A
holder that died keeps others waiting until its lease expires. It could not do harm if it came back to life: before it
publishes it looks whether the lease is still its own.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sql.base.errors import StoreBusy, StoreError, StoreUnreachable
from sql.engine.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sql.engine.client import Client, Row
    from sql.engine.statements import Value

LEASE_TIMEOUTS = (
    3.0  # a lease lasts as long as three statements may: the epoch, the manifest, and a look whether it arrived
)
PAUSE_SECONDS = (0.01, 0.05)  # between looks at a lease that is taken, drawn so that waiting runs do not march in step


def has_lease(client: Client) -> bool:
    """Whether publishers take turns by a lease: on a server, where there are several of them.

    MyScale cannot tell the order of two inserts, so there a lease would promise what it cannot keep.
    """
    server = client.location.server
    return server is not None and server.dialect == "clickhouse"


@dataclass
class PublishLease:
    """The right to publish in one database, held by one run at a time."""

    client: Client
    seconds: float
    holder: UUID = field(default_factory=uuid4)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Waits for the lease, gives its token, and gives it back. Raises StoreBusy where others do not let go of it."""
        token = self._acquire()
        try:
            yield token
        finally:
            self._release(token)

    def require(self, token: int) -> None:
        """Raises StoreError where the lease has expired or gone to another run."""
        row = self._state()
        if (row["token"], row["holder"], row["held"]) != (token, self.holder, True):
            raise StoreError(
                f"{self.client.location}: the lease to publish expired while this run held it; "
                "nothing was published, run the command again"
            )

    def _acquire(self) -> int:
        patience = time.monotonic() + self.seconds + 5
        while True:
            state = self._state()
            if state["held"] and state["holder"] == self.holder:
                return int(state["token"])
            if not state["held"]:
                self._ask_for(int(state["token"]) + 1)
                continue
            if time.monotonic() > patience:
                raise StoreBusy(
                    f"{self.client.location}: another run has been publishing for more than {self.seconds:.0f} s "
                    f"(token {state['token']}): wait until it has ended"
                )
            time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311  # no secret depends on it

    def _ask_for(self, token: int) -> None:
        values: dict[str, Value] = {"token": token, "holder": self.holder, "milliseconds": int(self.seconds * 1000)}
        # Where the connection was cut the next look tells whether we have it.
        with suppress(StoreUnreachable):
            self.client.execute(Statement("take_lease", values))

    def _release(self, token: int) -> None:
        """Lets the next one in; where that fails the lease expires by itself."""
        with suppress(StoreError):
            self.client.execute(Statement("release_lease", {"token": token, "holder": self.holder}), repeatable=True)

    def _state(self) -> Row:
        return self.client.query(Statement("lease"))[0]
