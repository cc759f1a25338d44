"""What reading a file yields: its text, the blocks the text is made of, and the way back to the file's lines."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from ingest.places import page_places
from rag.text.sentences import LINE_END
from sql.records.places import place_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ingest.places import PageMark, Place
    from sql.records.metadata import MetadataValue

BYTE_ORDER_MARK = "\ufeff"
PART_MARK = "#"  # between the name of a file and that of a part of it
PATH_SEPARATOR = " > "
MAX_HEADING_CHARACTERS = 120  # of one heading in a path: a runaway heading must not outweigh its text
_MAX_HEADINGS = 8  # in a path: code can be indented thousands of times

_ROLE = re.compile(r":[A-Za-z][\w:+.-]{0,60}:`([^`<>]*[^`<>\s])?\s?(?:<([^`<>]*)>)?`")  # :ref:`text <target>`
_RST_LINK = re.compile(r"`([^`<>]+?)\s?<[^`<>]*>`__?")
_EMPTY_LINK = re.compile(r"\[[¶#🔗]?\]\([^()]*\)(?:\{[^{}]*\})?")  # a place to link to, which shows nothing
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)|(?<!\w)\[([^\[\]]+)\]\[[^\[\]]*\]")
_TAG = re.compile(
    r"</?(?:a|abbr|b|br|code|em|font|i|img|kbd|small|span|strong|sub|sup|u)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
# What a heading may end with to be linked to: { #anchor .class }, {: #anchor }, [#anchor], a paragraph sign.
_ANCHOR = re.compile(r"(?:\s?(?:\{:?\s?[#.][^{}]*\}|\[#[^\[\]\s]+\]|¶|\uf0c1))+$")
_EMPHASIS = re.compile(r"[*`]+")


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document's text, `text[start:end]`, without white space at its ends.

    `kind` is heading, paragraph, list (one item), table, rows (a table without a header), code, quote, html, rule or
    front matter. `heading` is the path of the headings above (`Guide > Install`); a heading's own block carries the path
    that it opens.
    """

    start: int
    end: int
    kind: str
    heading: str


@dataclass(frozen=True)
class Document:
    """A file, or a part of one, as text. Offsets count code points of `text`; its blocks are in order and do not overlap.

    Together the blocks hold every character of `text` that is neither white space nor a leading byte-order mark.
    `text` is the decoded file itself, or, where `converted`, what was extracted from it; then `line_marks` holds
    (offset, line of the file) pairs in order. `content_hash` is the SHA-256 of the file's bytes, in hex, and
    `content_bytes` their number, for a part too: it is there by what the file held when it was read.

    `part` names a part of the file, "" the whole; `source`, the name to cite by, ends with it (`mails.mbox#12`).
    `metadata` is what searches can be filtered by, `remark` a sentence on what of the file could not be kept, or "".
    `unread_pictures` counts pages that are pictures, whose text was not asked for and would be recognised.
    `page_marks` say where pages begin, `places` where text stands in the original; both are in order, places do not
    overlap, and text may lie between them that has none, such as the divider of two cells.
    """

    source: str
    format: str
    title: str
    text: str
    blocks: tuple[Block, ...]
    encoding: str
    content_hash: str
    content_bytes: int
    converted: bool = False
    line_marks: tuple[tuple[int, int], ...] = ()
    part: str = ""
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    remark: str = ""
    page_marks: tuple[PageMark, ...] = ()
    places: tuple[Place, ...] = ()
    unread_pictures: int = 0

    def __post_init__(self) -> None:
        self._check_part()
        self._check_blocks()
        self._check_places()

    def _check_blocks(self) -> None:
        end = 0
        for block in self.blocks:
            if not end <= block.start < block.end:
                raise ValueError(f"{self.source}: block {block.start}..{block.end} overlaps one that ends at {end}")
            end = block.end
        if end > len(self.text):
            raise ValueError(f"{self.source}: a block ends at {end}, beyond the text of {len(self.text)} characters")

    def _check_part(self) -> None:
        if not self.part:
            return
        if PART_MARK in self.part or not self.source.endswith(PART_MARK + self.part):
            raise ValueError(f"{self.source}: its part is called {self.part!r}, which has to follow the last # there")
        if not self.converted:
            raise ValueError(f"{self.source}: the text of a part is not that of its file, so it is a converted one")

    def _check_places(self) -> None:
        before = -1
        for mark in self.page_marks:
            if not before < mark.offset < len(self.text):
                raise ValueError(
                    f"{self.source}: page {mark.page} begins at {mark.offset}, which is not after {before} and within "
                    f"the text of {len(self.text)} characters"
                )
            before = mark.offset
        end = 0
        for place in self.places:
            if place.start < end:
                raise ValueError(f"{self.source}: the place of {place.start}..{place.end} overlaps that up to {end}")
            end = place.end
        if end > len(self.text):
            raise ValueError(f"{self.source}: a place ends at {end}, beyond the text of {len(self.text)} characters")

    def line_at(self, offset: int) -> int:
        """The 1-based line of the user's file that holds this offset of the text."""
        if not self.converted:
            return bisect_right(self._line_starts, offset)
        mark = bisect_right(self.line_marks, offset, key=lambda pair: pair[0])
        return self.line_marks[mark - 1][1] if mark else 1

    def lines_of(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """Where in text[start:end] another line of the user's file begins, `start` first; () where the text is the file."""
        if not self.converted or not self.line_marks:
            return ()
        first = bisect_right(self.line_marks, start, key=lambda pair: pair[0])
        last = bisect_left(self.line_marks, end, key=lambda pair: pair[0])
        found = [(start, self.line_at(start))]
        for mark in self.line_marks[first:last]:
            if mark[1] != found[-1][1]:
                found.append(mark)
        return tuple(found)

    def page_at(self, offset: int) -> int:
        """The 1-based page of the user's file that holds this offset, 0 where none does."""
        mark = self._page_mark_at(offset)
        return mark.page if mark else 0

    def page_label_at(self, offset: int) -> str:
        """What the page that holds this offset is called: its label or else its number, "" where no page holds it."""
        mark = self._page_mark_at(offset)
        return mark.label or str(mark.page) if mark else ""

    def _page_mark_at(self, offset: int) -> PageMark | None:
        after = bisect_right(self.page_marks, offset, key=lambda mark: mark.offset)
        return self.page_marks[after - 1] if after else None

    def places_of(self, start: int, end: int) -> tuple[Place, ...]:
        """The places that hold some of text[start:end], in order; of those at its ends all that they hold."""
        first = bisect_right(self.places, start, key=lambda place: place.end)
        return self.places[first : bisect_left(self.places, end, key=lambda place: place.start)]

    def page_places(self) -> Iterator[Place]:
        """The pages as places, each of all the text that is on it."""
        return page_places(self.page_marks, len(self.text), self.format)

    def place_name(self, start: int, end: int) -> str:
        """What people call the place of text[start:end] in the original: `page iv`, `Budget!B2:C7`; "" without places."""
        first = max(bisect_right(self.page_marks, start, key=lambda mark: mark.offset) - 1, 0)
        after = bisect_left(self.page_marks, end, key=lambda mark: mark.offset)
        pages = page_places(self.page_marks[first:after], end, self.format)
        return place_name([*pages, *self.places_of(start, end)])

    @cached_property
    def _line_starts(self) -> array[int]:
        # an array and not a list: a file may hold millions of lines
        return array("q", chain((0,), (mark.end() for mark in LINE_END.finditer(self.text))))


class HeadingPath:
    """The headings that are open at a place of a document, outermost first."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> str:
        """Close the headings of this level and below, open this one, and return the path."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, title))
        return self.path

    def copy(self) -> HeadingPath:
        """The same headings, to be closed and opened apart."""
        other = HeadingPath()
        other._open = [*self._open]
        return other

    @property
    def path(self) -> str:
        """The titles joined with ` > `."""
        return PATH_SEPARATOR.join([title for _, title in self._open if title][:_MAX_HEADINGS])


def plain_heading(markup: str) -> str:
    """A heading as a reader says it: on one line, of bounded length, without emphasis, code marks, roles and anchors.

    >>> plain_heading("Use `make` in [the shell](sh.md) { #make }")
    'Use make in the shell'
    >>> plain_heading("The :class:`~app.Flask` object and :ref:`its context <context>` ¶")
    'The Flask object and its context'
    """
    plain = _RST_LINK.sub(r"\1", _ROLE.sub(_role_text, " ".join(markup[:2000].split())))
    plain = _TAG.sub("", _LINK.sub(r"\1\2", _EMPTY_LINK.sub("", plain))).strip()
    plain = _ANCHOR.sub("", plain) or plain  # a heading may be about `{#each}`
    return bounded_heading(_EMPHASIS.sub("", plain))


def bounded_heading(text: str) -> str:
    """A heading that has no markup, on one line and of bounded length."""
    title = " ".join(text.split())
    return title if len(title) <= MAX_HEADING_CHARACTERS else title[: MAX_HEADING_CHARACTERS - 1].rstrip() + "…"


def _role_text(role: re.Match[str]) -> str:
    """What a role of reStructuredText shows: its text, else its target, of which `~` leaves the last part."""
    shown = (role[1] or role[2] or "").removeprefix("!")
    return shown.rpartition(".")[2] if shown.startswith("~") else shown
