"""`python -m ingest --ray N`: N Ray workers, each of which ingests its shard of the files into one store on a server.

Every worker is `python -m ingest --shard i/N` in a process of its own, so the paths have to be the same on every node.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.shard import Shard
from sql.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.synchronize import Summary

ADDED = ("files", "unchanged", "indexed", "deleted", "chunks")


def ingest_shards(work: Callable[[Shard], Summary], count: int) -> Summary:
    """Does `work` for each of `count` shards on Ray's workers and adds up what they did.

    Ray's own address (RAY_ADDRESS) decides whether that is a cluster or this machine. Raises UsageError where Ray is
    not installed; an error of a worker is raised here as it was raised there.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs the package ray: run `pip install ray`") from error

    def run(pickled: bytes, foreign: list[str]) -> Summary:
        """What a worker is given needs none of our modules until those places of imports are gone."""
        import sys

        sys.path[:] = [place for place in sys.path if place not in foreign]
        work, shard = ray.cloudpickle.loads(pickled)
        return work(shard)  # type: ignore[no-any-return]

    ours = not ray.is_initialized()
    if ours:
        ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    try:
        remote, foreign = ray.remote(num_cpus=1)(run), foreign_places()
        tasks = [ray.cloudpickle.dumps((work, Shard(number, count))) for number in range(1, count + 1)]
        parts = ray.get([remote.remote(task, foreign) for task in tasks])
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        if ours:
            ray.shutdown()
    return add_up(parts)


def foreign_places() -> list[str]:
    """Places of imports that Ray's workers have and this process does not.

    Ray puts the working directory before all others, where a file of the user's may have the name of one of our packages.
    """
    here = str(Path.cwd())
    return [] if here in {str(Path(place).absolute()) for place in sys.path} else [here]


def add_up(parts: Sequence[Summary]) -> Summary:
    """One summary of runs that went on side by side: their counts added, the time of the longest."""
    total: dict[str, Any] = {name: sum(getattr(part, name) for part in parts) for name in ADDED}
    first = parts[0]
    return type(first)(
        **total,
        skipped=[one for part in parts for one in part.skipped],
        failed=[one for part in parts for one in part.failed],
        seconds=max(part.seconds for part in parts),
    )
