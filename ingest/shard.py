"""One shard of a corpus for each of several processes: `--shard 2/4` takes every file whose path hashes to the second.

The shards depend on the paths alone, so processes that know nothing of each other cover every file exactly once, and a
process deletes only documents of its own shard.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.walk import Walk


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `number`, counted from 1, of `count`; a file and all that it holds are in one."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"shard {self.number}/{self.count}: the first number is 1 to the second")

    def holds(self, path: str) -> bool:
        """Whether the file at a path belongs to this shard: BLAKE2b-64 of the path, modulo the number of shards."""
        digest = blake2b(path.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """`2/4` as a shard."""
    number, _, count = text.partition("/")
    try:
        return Shard(int(number), int(count))
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a part like 1/4 or 4/4") from error


def take_shard(found: Walk, shard: Shard) -> Walk:
    """The walk of one shard; what was left out is told by the shard that its path belongs to."""
    return replace(
        found,
        files=found.files.that(lambda file: shard.holds(file.stored_path)),
        skipped=[one for one in found.skipped if shard.holds(one.path)],
        failed=[one for one in found.failed if shard.holds(one.path)],
        is_ours=shard.holds,
        alone=shard.count == 1,
    )
