"""A chunk and its document in, the text that the encoder reads of it out: what stands above the chunk, then its own text.

"Press it for two seconds" means little without `Manual > Reset`, and a row of a table little without its header. Neither is
part of the chunk: its text, its offsets, its words and what is quoted of it stay the document's own. All is made of what a
store keeps of a chunk, so that it is embedded alike whenever and by whomever it is.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from sql.records.chunking import embeds_headings

if TYPE_CHECKING:
    from rag.encoder.encoder import Encoder
    from sql.records import Outline

SEPARATOR = " > "  # between the headings of a path


class Passage(Protocol):
    """A chunk or a hit."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def heading(self) -> str: ...
    @property
    def outline(self) -> Outline: ...


class Titled(Protocol):
    """What knows the title of a document and the name it goes by: the document, or a hit in it."""

    @property
    def title(self) -> str: ...
    @property
    def source(self) -> str: ...


class Described(Titled, Protocol):
    """The document of a passage."""

    @property
    def chunker(self) -> str: ...


def embedded_text(passage: Passage, document: Described, encoder: Encoder, tokens: int | None = None) -> str:
    """What the encoder reads of a passage: headings, what it cannot be understood without, and its text, line by line.

    The text is never cut. Where the encoder does not read as many tokens, headings are left out, the outermost first, and
    then the end of the rest. `tokens` are those of the text alone, where the encoder's tokenizer has counted them already.
    """
    headings = headings_above(passage, document) if embeds_headings(document.chunker) else []
    lead = "\n".join(one.text for one in passage.outline.leads if one.lead_start < passage.start)
    if not headings and not lead:
        return passage.text
    for first in range(len(headings) + 1):
        above = joined(headings[first:], lead, "")
        if encoder.reads_below(above, passage.text, tokens):
            return joined([], above, passage.text)
    return joined([], encoder.fitting_before(lead, passage.text), passage.text)


def headings_above(passage: Passage, document: Titled) -> list[str]:
    """The title of the document and the headings above a passage, outermost first, but for those that it holds itself.

    The name of a file, which is the title of a document without one, is none.
    """
    title = "" if document.title == PurePath(document.source).stem else document.title
    path = passage.heading.split(SEPARATOR) if passage.heading else []
    return [one for one in dict.fromkeys([title, *path]) if one and one not in passage.text]


def joined(headings: list[str], lead: str, text: str) -> str:
    """The parts on lines of their own, without those that are empty."""
    return "\n".join(part for part in (SEPARATOR.join(headings), lead, text) if part)
