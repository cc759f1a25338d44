"""Markdown in, its blocks out: those of CommonMark, with tables and front matter."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import blockquote

from ingest.document import Block, HeadingPath, plain_heading
from ingest.readers.decode import decode_text
from ingest.readers.front_matter import FrontMatter, front_matter_end, read_front_matter
from ingest.readers.paragraphs import bounded, is_too_large, paragraphs, text_start
from rag.text.sentences import line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

_ATX_HEADING = re.compile(r"[ ]{0,3}(\#{1,6})[ \t]+(\S[^\r\n]*)")
_FENCE_LINE = re.compile(r"[ ]{0,3}(`{3,}+(?![^\r\n]*`)|~{3,}+)[ \t]*+([^\r\n]*)")
_MAX_NESTING = 200  # two for each list in a list; each takes two frames of Python's stack
_MAX_HEADING_SOURCE = 300  # characters; a longer "heading" is a paragraph that a line of dashes happens to follow
_TOKEN_KINDS = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "list_item_open": "list",
    "blockquote_open": "quote",
    "fence": "code",
    "code_block": "code",
    "html_block": "html",
    "hr": "rule",
}


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a Markdown file."""
    text, encoding = decode_text(file.data, file.source)
    title, blocks = markdown_blocks(text)
    front = front_matter_of(text, blocks)
    yield file.document(
        text,
        blocks,
        title=title,
        encoding=encoding,
        metadata=front.metadata,
        remark=f"front matter: {front.remark}" if front.remark else "",
    )


def markdown_blocks(text: str) -> tuple[str, list[Block]]:
    """CommonMark with tables and front matter; the title is the front matter's or the first heading of level 1."""
    start = text_start(text)
    front_end = front_matter_end(text, start)
    front = [Block(*trimmed(text, start, front_end), "front matter", "")] if front_end > start else []
    title = plain_heading(front_matter_of(text, front).title)
    titles: list[tuple[int, str]] = []
    blocks = None if is_too_large(text) else _parsed_markdown(text, front_end, titles)
    if blocks is None:
        titles = []
        blocks = bounded(text, _simple_markdown(text, front_end, titles))
    return title or _best_title(titles), front + blocks


def front_matter_of(text: str, blocks: list[Block]) -> FrontMatter:
    """The front matter of a text that was divided, empty where it has none."""
    if not blocks or blocks[0].kind != "front matter":
        return FrontMatter()
    return read_front_matter(text[blocks[0].start : blocks[0].end])


def _best_title(titles: list[tuple[int, str]]) -> str:
    """The first heading of level 1, or else the first of any."""
    return next((title for level, title in titles if level == 1), titles[0][1] if titles else "")


def _parsed_markdown(text: str, start: int, titles: list[tuple[int, str]]) -> list[Block] | None:
    """The blocks a CommonMark parser finds from `start` on, or None where it gives up."""
    lines = list(line_spans(text, start))
    try:
        tokens = _markdown_parser().parse(text[start:])
    except Exception:  # whatever a hostile text provokes in the parser, the text itself can still be read
        return None
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        return None  # there the parser takes the rest of the text for a part of the innermost list
    path = HeadingPath()
    blocks: list[Block] = []
    done = 0  # the first line that no block holds yet
    for position, token in enumerate(tokens):
        kind = _TOKEN_KINDS.get(token.type)
        if kind is None or token.map is None or token.level != (1 if kind == "list" else 0):
            continue
        first, last = max(token.map[0], done), token.map[1]
        if first >= last:
            continue
        blocks.extend(_uncovered_blocks(text, lines, done, first, path.path))
        done = last
        if kind == "heading" and len(tokens[position + 1].content) > _MAX_HEADING_SOURCE:
            kind = "paragraph"
        elif kind == "heading":
            heading = plain_heading(tokens[position + 1].content)
            titles.append((int(token.tag[1]), heading))
            path.enter(int(token.tag[1]), heading)
        elif kind == "paragraph" and _is_table(text, lines, first, last):
            kind = "table"
        span = trimmed(text, lines[first][0], lines[last - 1][1])
        if span[0] < span[1]:
            blocks.append(Block(*span, kind, path.path))
    blocks.extend(_uncovered_blocks(text, lines, done, len(lines), path.path))
    return blocks


@cache
def _markdown_parser() -> Any:
    """The one parser of all texts: of none does anything stay in it.

    To make one takes 1.5 ms, longer than to parse a small file, and leaves cycles of objects behind, 160 kB of them.
    """

    def flat_blockquote(state: Any, first: int, last: int, silent: bool) -> bool:
        """A quote as one block: what is in it is not parsed, which at every line costs as much as quotes are nested."""
        level, before = state.level, len(state.tokens)
        state.level = _MAX_NESTING  # where the parser skips what is inside, up to the end of the quote
        found: bool = blockquote(state, first, last, silent)
        state.level = level
        for token in state.tokens[before:]:
            token.level -= _MAX_NESTING - level
        return found

    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})
    parser.core.ruler.enableOnly(["normalize", "block"])  # blocks only: no text is ever rendered
    # Link definitions stay in the text, and looking for them is quadratic in a long run of lines.
    parser.block.ruler.disable("reference")
    parser.block.ruler.at("blockquote", flat_blockquote, {"alt": ["paragraph", "blockquote", "list"]})
    parser.parse("")  # which puts its rules in order, before several threads ask for them
    return parser


def _uncovered_blocks(text: str, lines: list[tuple[int, int]], first: int, last: int, heading: str) -> Iterator[Block]:
    """Paragraphs of the lines that the parser reports as part of nothing."""
    if first < last:
        for start, end in paragraphs(text, lines[first][0], lines[last - 1][1]):
            yield Block(start, end, "paragraph", heading)


def _is_table(text: str, lines: list[tuple[int, int]], first: int, last: int) -> bool:
    """Whether a paragraph is a table: its second line is a ruler (`|---|:-:|`), or its first two lines have cells.

    The parser's own tables are off: it makes six objects a cell, and all we need is where the table is.
    """
    if last - first < 2:
        return False
    start, end = lines[first + 1]
    ruler = set(text[start:end])
    return {"|", "-"} <= ruler <= set("|:- \t") or all(" | " in text[slice(*line)] for line in lines[first : first + 2])


def _simple_markdown(text: str, start: int, titles: list[tuple[int, str]]) -> Iterator[Block]:
    """Paragraphs between blank lines, fenced code, and `#` headings outside it; one look at each line."""
    path = HeadingPath()
    fence = ""  # the marks that opened the fenced code we are in
    for begin, end in paragraphs(text, start, len(text)):
        is_code = fence != ""
        for line_start, line_end in line_spans(text, begin, end):
            mark = _FENCE_LINE.match(text, line_start, line_end)
            if fence:
                fence = "" if mark and mark[1].startswith(fence) and not mark[2] else fence
            elif mark:
                fence, is_code = mark[1], True
            elif heading := _ATX_HEADING.match(text, line_start, line_end):
                yield from _simple_block(text, begin, line_start, is_code, path.path)
                level, title = len(heading[1]), plain_heading(heading[2].rstrip("# \t"))
                titles.append((level, title))
                yield Block(*trimmed(text, line_start, line_end), "heading", path.enter(level, title))
                begin, is_code = line_end, False
        yield from _simple_block(text, begin, end, is_code, path.path)


def _simple_block(text: str, start: int, end: int, is_code: bool, heading: str) -> Iterator[Block]:
    span = trimmed(text, start, end)
    if span[0] < span[1]:
        yield Block(*span, "code" if is_code else "paragraph", heading)
