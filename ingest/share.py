"""One part of a corpus for each of several processes: `--shard 2/4` takes every file whose path hashes to the second part.

The parts depend on the paths alone, so processes that know nothing of each other cover every file exactly once, and a
process deletes only documents of its own part.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from sql.base.paths import printable

if TYPE_CHECKING:
    from ingest.walk import Walk


@dataclass(frozen=True, slots=True)
class Share:
    """Part `number`, counted from 1, of `count`."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"share {self.number}/{self.count}: the first number is 1 to the second")

    def holds(self, path: str) -> bool:
        """Whether a path belongs to this part: BLAKE2b-64 of the path, modulo the number of parts."""
        digest = blake2b(path.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_share(text: str) -> Share:
    """`2/4` as a share."""
    number, _, count = text.partition("/")
    try:
        return Share(int(number), int(count))
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a part like 1/4 or 4/4") from error


def take_share(found: Walk, share: Share) -> Walk:
    """The walk of one part; what was refused is told by the part that its path belongs to."""
    return replace(
        found,
        files=[file for file in found.files if share.holds(printable(file.path))],
        skipped=[refusal for refusal in found.skipped if share.holds(refusal.path)],
        failed=[refusal for refusal in found.failed if share.holds(refusal.path)],
        part=share.holds,
        alone=share.count == 1,
    )
