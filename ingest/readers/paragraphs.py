"""What the readers of text share: paragraphs between blank lines, and the bounds beyond which a text is only divided there.

Every recogniser of blocks returns such that together hold every character that is neither white space nor a leading
byte-order mark.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from ingest.document import BYTE_ORDER_MARK, Block
from rag.text.sentences import trimmed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_STRUCTURED_CHARACTERS = 5_000_000  # beyond either bound a text is divided at blank lines and `#` headings only:
MAX_STRUCTURED_LINES = 200_000  # a Markdown parser makes up to ten objects a line
MAX_BLOCKS = 1_000_000  # what follows the last one is a block of its own, so that memory is bounded

_BLANK_LINES = re.compile(r"(?>\r\n|\r|\n)(?:[^\S\r\n]*+(?>\r\n|\r|\n))++")


def text_start(text: str) -> int:
    return 1 if text.startswith(BYTE_ORDER_MARK) else 0


def paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of each run of lines that are not blank."""
    for gap in _BLANK_LINES.finditer(text, start, end):
        span = trimmed(text, start, gap.start())
        if span[0] < span[1]:
            yield span
        start = gap.end()
    span = trimmed(text, start, end)
    if span[0] < span[1]:
        yield span


def bounded(text: str, blocks: Iterable[Block]) -> list[Block]:
    """The blocks, of which the last holds the rest of the text where there are more than MAX_BLOCKS."""
    kept = list(islice(blocks, MAX_BLOCKS))
    if len(kept) == MAX_BLOCKS:
        last = kept[-1]
        kept[-1] = Block(last.start, trimmed(text, last.start, len(text))[1], "paragraph", last.heading)
    return kept


def is_too_large(text: str) -> bool:
    if len(text) > MAX_STRUCTURED_CHARACTERS:
        return True
    return text.count("\n") + text.count("\r") > MAX_STRUCTURED_LINES
