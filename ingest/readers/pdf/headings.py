"""The paragraphs and the outline of a document in; those that are headings, and their levels, out.

What the outline names is a heading at the outline's level. Besides, a short paragraph is one that is larger than the
text, or bold where the text is not; larger ones stand above smaller ones, bold ones of the text's size below them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.readers.pdf.paragraphs import Paragraph
    from ingest.readers.pdf.pdfium import Bookmark

_LARGER = 1.12  # times the size of the text
_LONGEST, _LONGEST_BOLD = 200, 120  # characters
_NUMBER = re.compile(
    r"(?:(?:chapter|section|part|kapitel|abschnitt|teil)\s+)?(?:[0-9ivx]+|[a-z])(?:\.[0-9]+)*[.:)]?\s+", re.IGNORECASE
)
_NUMBERED = re.compile(r"(\d+(?:\.\d+)*)[.)]?\s+\w")
_WORD = re.compile(r"[^\W\d_]{2,}")
_NO_END = re.compile(r"[.,;!?]$")
_NOTHING = re.compile(r"[\W_]+")
_DEEPEST = 20


def find_headings(paragraphs: Sequence[Paragraph], bookmarks: Sequence[Bookmark], body_size: float) -> None:
    """Turns paragraphs into headings with a level from 1."""
    depth = _by_outline(paragraphs, bookmarks)
    text_is_bold = _is_mostly_bold(paragraphs)
    others = [
        paragraph
        for paragraph in paragraphs
        if paragraph.kind != "heading" and _looks_like_one(paragraph, body_size, text_is_bold)
    ]
    sizes = sorted({round(2 * paragraph.size) for paragraph in others}, reverse=True)
    for paragraph in others:
        paragraph.kind = "heading"
        level = sizes.index(round(2 * paragraph.size)) + 1
        paragraph.level = depth + min(level, _DEEPEST) + _number_depth(paragraph, body_size)


def _by_outline(paragraphs: Sequence[Paragraph], bookmarks: Sequence[Bookmark]) -> int:
    """Makes headings of what the outline names on the page that it leads to; returns its greatest depth there."""
    on_page: dict[tuple[int, str], list[Paragraph]] = defaultdict(list)
    for paragraph in paragraphs:
        if paragraph.kind in {"paragraph", "list"} and len(paragraph.rows) <= 4:
            for name in _names(paragraph.text):
                on_page[paragraph.rows[0][0], name].append(paragraph)
    depth = 0
    for mark in bookmarks:
        named = [
            paragraph
            for name in _names(mark.title)
            for paragraph in on_page.get((mark.page, name), ())
            if paragraph.kind != "heading"
        ]
        if named:
            largest = max(named, key=lambda paragraph: paragraph.size)
            largest.kind, largest.level = "heading", mark.depth + 1
            depth = max(depth, mark.depth + 1)
    return depth


def _names(title: str) -> list[str]:
    """What a title may be called: its letters and digits, with its number and without."""
    shown = title.strip()
    return list(
        dict.fromkeys(
            name for text in (shown, _NUMBER.sub("", shown, count=1)) if (name := _NOTHING.sub("", text).casefold())
        )
    )


def _is_mostly_bold(paragraphs: Sequence[Paragraph]) -> bool:
    letters = [(len(piece.text), piece.is_bold) for paragraph in paragraphs for piece in paragraph.pieces]
    return 2 * sum(length for length, is_bold in letters if is_bold) > sum(length for length, _ in letters)


def _looks_like_one(paragraph: Paragraph, body_size: float, text_is_bold: bool) -> bool:
    if paragraph.kind not in {"paragraph", "list"}:
        return False
    text = paragraph.text
    if len(text) > _LONGEST or not _WORD.search(text):
        return False
    if paragraph.size >= _LARGER * body_size:
        return (len(paragraph.rows) <= 4 and paragraph.kind == "paragraph") or paragraph.is_bold
    if paragraph.kind == "list" and not _NUMBERED.match(text):
        return False
    is_bold = not text_is_bold and paragraph.is_bold and paragraph.size >= 0.95 * body_size
    return is_bold and len(text) <= _LONGEST_BOLD and len(paragraph.rows) <= 2 and not _NO_END.search(text)


def _number_depth(paragraph: Paragraph, body_size: float) -> int:
    """How many numbers stand before a heading's last one, where no size of letters tells its level: 2 for 1.4.2."""
    if paragraph.size >= _LARGER * body_size:
        return 0
    found = _NUMBERED.match(paragraph.text)
    return found[1].count(".") if found else 0
