"""How documents are cut into chunks and what is embedded with each: what a store remembers, and each document's name of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# One character can be this many tokens: U+FDFA stands for 18 letters in a tokenizer that uses NFKC.
MIN_CHUNK_TOKENS = 18

_HEADINGS = "+headings"
_NAME = re.compile(r"(\d+)\+(\d+)(\+headings)?")
_CHUNKER = re.compile(r"structure-(\d+)/([^,]*)")
_FIRST_WITH_SETTINGS = 6  # older ones cut all documents alike


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """The most tokens of a chunk, how many of them it may repeat of the one before, and whether headings are embedded.

    The defaults are measured: docs/chunks.md. Raises ValueError where a chunk could not hold one character, or would be
    nothing but a repetition.
    """

    size: int = 200  # below the 254 that the default encoder reads, so that the headings have room
    overlap: int = 30  # one sentence of usual length: what "it" and "this" at a chunk's start refer to
    headings: bool = True

    def __post_init__(self) -> None:
        if self.size < MIN_CHUNK_TOKENS:
            raise ValueError(f"chunk size {self.size}: a chunk has at least {MIN_CHUNK_TOKENS} tokens")
        if not 0 <= self.overlap < self.size:
            raise ValueError(
                f"chunk overlap {self.overlap}: chunks of {self.size} tokens overlap by 0 to {self.size - 1}"
            )

    @property
    def name(self) -> str:
        """The form in which a store keeps them.

        >>> ChunkSettings(200, 30).name, ChunkSettings(120, 0, headings=False).name
        ('200+30+headings', '120+0')
        """
        return f"{self.size}+{self.overlap}" + (_HEADINGS if self.headings else "")

    @classmethod
    def from_name(cls, name: str) -> ChunkSettings:
        """The settings of a name; ValueError where it is none."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"{name!r} does not say how documents are cut into chunks, as 200+30+headings does")
        return cls(int(match[1]), int(match[2]), headings=match[3] is not None)

    @classmethod
    def of_chunker(cls, chunker: str) -> ChunkSettings | None:
        """Those by which a document was cut, by the name of what cut it; None where it did not come from a file.

        >>> ChunkSettings.of_chunker("structure-9/120+0, part, one of 2")
        ChunkSettings(size=120, overlap=0, headings=False)
        """
        match = _CHUNKER.match(chunker)
        if match is None:
            return None
        return cls.from_name(match[2]) if int(match[1]) >= _FIRST_WITH_SETTINGS else cls()


def embeds_headings(chunker: str) -> bool:
    """Whether the chunks of a document are embedded with their headings, by the name of what cut it.

    >>> embeds_headings("structure-9/200+30+headings, part, one of 2"), embeds_headings("structure-6/200+30")
    (True, False)
    """
    return chunker.partition(",")[0].endswith(_HEADINGS)
