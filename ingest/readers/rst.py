"""reStructuredText in, its blocks out, as far as adornments, indentation and the first characters of a paragraph tell."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from ingest.document import Block, HeadingPath, plain_heading
from ingest.readers.decode import decode_text
from ingest.readers.paragraphs import is_too_large, paragraphs, text_start
from ingest.readers.text import text_blocks
from rag.text.sentences import line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*")
_RST_DIRECTIVE = re.compile(r"\.\.[ \t]+(?:code|code-block|sourcecode|parsed-literal|math|literalinclude)::")
_RST_LIST_ITEM = re.compile(r"[-*+•][ \t]|(?:\d{1,3}|\#|[A-Za-z])[.)][ \t]")
_RST_TABLE = re.compile(r"\+[-=+]+|={2,}[ \t]+=")


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a file of reStructuredText."""
    text, encoding = decode_text(file.data, file.source)
    title, blocks = rst_blocks(text)
    yield file.document(text, blocks, title=title, encoding=encoding)


def rst_blocks(text: str) -> tuple[str, list[Block]]:
    """Sections by their adornments, whose levels follow from the order of appearance; literal blocks; paragraphs."""
    if is_too_large(text):
        return "", text_blocks(text)
    path = HeadingPath()
    styles: list[tuple[str, bool]] = []
    blocks: list[Block] = []
    title, expects_literal = "", False
    for start, end in paragraphs(text, text_start(text), len(text)):
        is_indented = start > 0 and text[start - 1] in " \t"
        while not is_indented and (section := _rst_section(text, start, end)):
            style, heading, section_end = section
            if style not in styles:
                styles.append(style)
            title = title or heading
            blocks.append(Block(start, section_end, "heading", path.enter(styles.index(style) + 1, heading)))
            start, expects_literal = trimmed(text, section_end, end)[0], False
            if start >= end:
                break
        if start >= end:
            continue
        is_literal = expects_literal and is_indented
        kind = "code" if is_literal else _rst_kind(text, start, end, is_indented)
        if is_literal and blocks[-1].kind == "code":
            blocks[-1] = Block(blocks[-1].start, end, "code", path.path)  # a blank line does not end literal text
        else:
            blocks.append(Block(start, end, kind, path.path))
        expects_literal = is_literal or kind == "code" or text.endswith("::", start, end)
    return title, blocks


def _rst_section(text: str, start: int, end: int) -> tuple[tuple[str, bool], str, int] | None:
    """The style (adornment, overlined), title and end of the section title that begins here, if one does."""
    first, second, third = [*islice(line_spans(text, start, end), 3), None, None, None][:3]
    if first is None or second is None:
        return None
    over = _ADORNMENT.fullmatch(text, *first)
    if over and third:
        under = _ADORNMENT.fullmatch(text, *third)
        if under and under[1] == over[1] and not _ADORNMENT.fullmatch(text, *second):
            return (over[1], True), plain_heading(text[slice(*second)]), third[1]
    under = _ADORNMENT.fullmatch(text, *second)
    if over or not under:
        return None
    # docutils warns of an underline shorter than its title, and takes it from four characters on
    width, title_width = len(under[0].rstrip()), len(text[slice(*first)].rstrip())
    return ((under[1], False), plain_heading(text[slice(*first)]), second[1]) if width >= min(title_width, 4) else None


def _rst_kind(text: str, start: int, end: int, is_indented: bool) -> str:
    if _RST_DIRECTIVE.match(text, start, end):
        return "code"
    if _RST_LIST_ITEM.match(text, start, end):
        return "list"
    if _RST_TABLE.match(text, start, end):
        return "table"
    if _ADORNMENT.fullmatch(text, start, end):
        return "rule"
    return "quote" if is_indented else "paragraph"
