"""A store over several nodes: the same tables on each in a local database, and Distributed tables over them.

The database of the DSN holds the Distributed tables, which have the names that all statements use; the local tables lie
in the database of the same name with `_local` behind it. What changes local tables (definitions, deletions) is sent to
each node in turn, because it has to work without Keeper too.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sql.base.errors import StoreError, UsageError
from sql.engine.client import Client
from sql.engine.location import Location
from sql.engine.statements import Statement, cluster_statements, local_statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sql.engine.location import Server
    from sql.engine.statements import Value


def delete_rows(statement: Statement, client: Client, cluster: Cluster | None) -> None:
    """A DELETE on every shard there is, or by the client where there are none; done when it returns."""
    if cluster is not None:
        cluster.change(statement)
    else:
        client.delete(statement)


@dataclass
class Cluster:
    """The nodes behind a store's client."""

    client: Client
    server: Server
    _local_clients: dict[tuple[str, int], Client] = field(default_factory=dict)

    @property
    def local_database(self) -> str:
        """The database of the local tables, the same on every node."""
        return f"{self.server.database}_local"

    def hosts(self) -> list[tuple[str, int]]:
        """Every node's host and HTTP port: those of the DSN, or, where it names one, what that one says of the cluster."""
        rows = self.client.query(Statement("cluster_hosts", {"cluster": self.server.cluster}))
        if not rows:
            raise UsageError(
                f"{self.client.location}: the server does not know the cluster {self.server.cluster}: "
                "?cluster= must be a name in its remote_servers"
            )
        if len(self.server.hosts) > 1 or len(rows) == 1:
            if len(self.server.hosts) != len(rows):
                raise UsageError(
                    f"{self.client.location} names {len(self.server.hosts)} nodes and the cluster "
                    f"{self.server.cluster} has {len(rows)}: name every node, or only one if all have the same port"
                )
            return list(self.server.hosts)
        port = self.server.hosts[0][1]
        return [(row["host"], port) for row in rows]

    def create(
        self, definitions: tuple[str, ...], values: dict[str, Value], over: tuple[str, ...] | None = None
    ) -> None:
        """The local tables on every node, then the Distributed tables and the views over them, or what `over` names.

        The first node has them last: what is there is there on every node, for a run that was killed before is seen by what
        that one lacks.
        """
        for local in self.local_clients(create=True):
            for name in (*definitions, *local_statements()):
                local.create(name, values, engine=self._engine())
        names = {"cluster": self.server.cluster, "local": self.local_database}
        views = tuple(name for name in definitions if name.rpartition("/")[2] >= "50")
        over = (*cluster_statements(), *views) if over is None else over
        for host, port in reversed(self.hosts()):
            with closing(Client(self._place(host, port, self.server.database), create_database=True)) as node:
                for name in over:
                    node.create(name, values | names)

    def alter(self, name: str) -> None:
        """A change of a table that may be repeated: of the local one on every node, then of the Distributed ones."""
        for local in self.local_clients():
            local.create(name, {})
        for host, port in self.hosts():
            with closing(Client(self._place(host, port, self.server.database))) as node:
                node.create(name, {})

    def change(self, statement: Statement) -> None:
        """A deletion from the local tables of every node, or a change of their rows that may be repeated."""
        for local in self.local_clients():
            local.execute(statement, repeatable=True)

    def first(self) -> Client:
        """The node whose lease decides who may publish."""
        return next(self.local_clients())

    def local_clients(self, *, create: bool = False) -> Iterator[Client]:
        """A client for the local tables of each node in turn."""
        for host, port in self.hosts():
            if (host, port) not in self._local_clients:
                place = self._place(host, port, self.local_database)
                try:
                    self._local_clients[host, port] = Client(place, create_database=create)
                except StoreError as error:
                    raise type(error)(f"{error} (a node of the cluster {self.server.cluster})") from error
            yield self._local_clients[host, port]

    def close(self) -> None:
        """Closes what was opened on the way."""
        while self._local_clients:
            self._local_clients.popitem()[1].close()

    def _place(self, host: str, port: int, database: str) -> Location:
        server = replace(self.server.at(host, port), database=database, cluster="", replicated=False)
        return Location(self.client.location.text, None, server)

    def _engine(self) -> str:
        return "ReplicatedMergeTree" if self.server.replicated else "MergeTree"
