"""A document on its way into a store and as it stands there: what the manifest knows of it, and its chunks."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

from sql.records.metadata import NO_METADATA, freeze_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sql.records.metadata import MetadataValue
    from sql.records.places import Place


@dataclass(frozen=True, slots=True)
class Section:
    """From `start` on the path of headings is `heading`; text[start:end] is the heading itself, empty where none stands."""

    start: int
    end: int
    heading: str


@dataclass(frozen=True, slots=True)
class Lead:
    """What text[start:end] cannot be understood without: `text`, which stands at text[lead_start:lead_end].

    The header of a table for its rows, and the sentence that introduces a list for its items.
    """

    start: int
    end: int
    lead_start: int
    lead_end: int
    text: str


@dataclass(frozen=True, slots=True)
class Outline:
    """What the text of a chunk does not show of itself; offsets are those of the document, in code points.

    `sections` are empty where the heading of the chunk holds for all of it. `lines` pairs an offset with the 1-based line of
    the file that its text was extracted from, up to the next offset; empty where the text is the file's own. `following` is
    how the document goes on behind the chunk, to the end of a line, where that may belong to a list, a table or code in it.
    """

    sections: tuple[Section, ...] = ()
    leads: tuple[Lead, ...] = ()
    lines: tuple[tuple[int, int], ...] = ()
    following: str = ""

    def heading_at(self, offset: int, otherwise: str) -> str:
        """The path of headings at a place of the chunk."""
        above = [section for section in self.sections if section.start <= offset]
        return above[-1].heading if above else otherwise

    def is_heading(self, start: int, end: int) -> bool:
        """Whether a span lies within a heading."""
        return any(section.start <= start and end <= section.end for section in self.sections)

    def lead_at(self, start: int, end: int) -> Lead | None:
        """What a span cannot be understood without, where there is such a thing outside of it."""
        leads = [lead for lead in self.leads if lead.start <= start and end <= lead.end]
        return leads[-1] if leads else None

    def line_at(self, offset: int) -> int:
        """The line of the file that text of the chunk was extracted from, 0 where that is not known."""
        above = bisect_right(self.lines, offset, key=lambda pair: pair[0])
        return self.lines[above - 1][1] if above else 0

    def as_json(self) -> str:
        """The form in which the table holds it; empty where there is nothing to say."""
        if self == NO_OUTLINE:
            return ""
        lists: dict[str, Sequence[object]] = {
            "sections": [[one.start, one.end, one.heading] for one in self.sections],
            "leads": [[one.start, one.end, one.lead_start, one.lead_end, one.text] for one in self.leads],
            "lines": self.lines,
            "following": self.following,
        }
        return json.dumps(
            {name: rows for name, rows in lists.items() if rows}, ensure_ascii=False, separators=(",", ":")
        )

    @classmethod
    def from_json(cls, text: str) -> Outline:
        """An outline as the table holds it."""
        if not text:
            return NO_OUTLINE
        lists = json.loads(text)
        return cls(
            tuple(Section(*row) for row in lists.get("sections", ())),
            tuple(Lead(*row) for row in lists.get("leads", ())),
            tuple((offset, line) for offset, line in lists.get("lines", ())),
            lists.get("following", ""),
        )


NO_OUTLINE = Outline()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of one document: `document.text[start:end] == text`, offsets in code points.

    `line` is the 1-based line of the user's file on which the chunk starts, `page` its 1-based page or 0 where the
    format has none, `heading` the path of headings above it (`Guide > Install`) or "", `tokens` the number of the
    encoder's tokens in `text` without the special ones. `outline` tells the headings of a chunk that has several,
    `place_name` what people call its place in the original, "" where no place of the document holds any of it.
    """

    index: int
    text: str
    start: int
    end: int
    line: int
    page: int
    heading: str
    tokens: int
    outline: Outline = NO_OUTLINE
    place_name: str = ""

    def __post_init__(self) -> None:
        if not self.text or self.end - self.start != len(self.text):
            raise ValueError(f"chunk {self.index} spans {self.start}..{self.end} but holds {len(self.text)} characters")


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """One document as the manifest knows it.

    `path` is absolute and is the document's identity, `source` the path as it was given; `extracted_text` is the text
    that offsets count in where the format had to be converted, None where they count in the file itself. `metadata` is
    what searches can be filtered by: names with text, numbers, truth values, None or lists of them; it is copied and
    cannot be changed. `places` say where its text stands in the original. Raises InvalidMetadata where the metadata holds
    anything else.
    """

    path: str
    source: str
    title: str
    format: str
    encoding: str
    content_sha256: str
    content_bytes: int
    chunker: str
    extracted_text: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=lambda: NO_METADATA)
    places: Sequence[Place] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", freeze_metadata(self.metadata))

    @property
    def document_id(self) -> UUID:
        """BLAKE2b-128 of the path: the same file has the same id in every run."""
        return path_id(self.path)


def path_id(path: str) -> UUID:
    """The id of the document at a path."""
    return UUID(bytes=blake2b(path.encode(), digest_size=16).digest())


def path_key(path: str) -> str:
    """What documents are ordered by where they are read in windows (sql/queries/documents_between.sql).

    In the order of these keys nothing lies between `path` and `path#part`, and so all that a file gave is in one window.

    >>> sorted(["a.md!", "a.md", "a.md#1", "a.md b"], key=path_key)
    ['a.md', 'a.md#1', 'a.md b', 'a.md!']
    """
    return path.replace("#", MARK)


def last_key(key: str) -> str:
    """Where a window may end that reaches as far as a key: behind all that begins with it and the mark of a part.

    Cut at its first mark, for any of them may be the one. What lies in a folder that is called `C#` is in one window.
    """
    return key.partition(MARK)[0] + MARK + LAST_CHARACTER


MARK = "\x01"  # what a `#` is in a key, so that a part follows its file
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class LiveDocument:
    """A published document, with what tells whether its file has changed since."""

    document_id: UUID
    generation: int
    path: str
    source: str
    title: str
    format: str
    content_sha256: str
    content_bytes: int
    chunker: str
    chunk_count: int
    row_hash_sum: int


@dataclass(frozen=True, slots=True)
class DocumentWindow:
    """The documents whose keys (`path_key`) lie above `after` and, but for the last window, at most at `upto`."""

    after: str
    upto: str | None
    documents: Sequence[LiveDocument]


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A published document with what people want to know of it; `written_at` is when, by the clock of its database.

    `metadata` is stored with chunks, so a document without any shows none.
    """

    document: LiveDocument
    place_count: int
    written_at: datetime
    metadata: Mapping[str, MetadataValue] = field(default_factory=lambda: NO_METADATA)
