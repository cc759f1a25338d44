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
from rag.text.columns import RULER
from rag.text.sentences import line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

_ATX_HEADING = re.compile(r"[ ]{0,3}(\#{1,6})[ \t]+(\S[^\r\n]*)")
_FENCE_LINE = re.compile(r"[ ]{0,3}(`{3,}+(?![^\r\n]*`)|~{3,}+)[ \t]*+([^\r\n]*)")
_MAX_NESTING = 200  # two for each list in a list; each takes two frames of Python's stack
# What Python-Markdown and others indent by four columns without making it code: below the first line of a note or a tab, and
# below the paragraph of a footnote or a definition.
_NOTE_OPENING = re.compile(r"[ ]{0,3}(?:[!?]{3}\+?[ \t]+[\w\"]|={3}[!+]?[ \t]+\")")
_DEFINES = re.compile(r"[ ]{0,3}\[\^[^\]\s]{1,80}\]:|[ ]{0,3}:[ \t]+\S")
_MAX_INDENTED = 10  # notes in notes: each is parsed for itself
_INDENT, _ONE_INDENT = 4, re.compile(r" {4}| {0,3}\t| {1,3}")
_DASHES = re.compile(r"[ ]{0,3}-{3,}[ \t]*\Z")  # the first and the last line of a table whose rows have several lines
_GRID = re.compile(r"[ ]{0,3}\+(?:[-:]{2,}\+)+[ \t]*")
_MAX_HEADER_LINES, _MAX_TABLE_LINES = 6, 5000
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

# What a program puts something for: an expression of ERB, Jinja, Liquid, Handlebars...
_COMPLETED = re.compile(r"(?:<%[^%]*%>|\{\{[^{}]*\}\}|\{%[^%]*%\}|\s)+")


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a Markdown file."""
    text, encoding = decode_text(file.data, file.source)
    title, blocks = markdown_blocks(text, has_code_by_indent=file.suffix != ".mdx")
    front = front_matter_of(text, blocks)
    yield file.document(
        text,
        blocks,
        title=title,
        encoding=encoding,
        metadata=front.metadata,
        remark=f"front matter: {front.remark}" if front.remark else "",
    )


def markdown_blocks(text: str, *, has_code_by_indent: bool = True) -> tuple[str, list[Block]]:
    """CommonMark with tables and front matter; the title is the front matter's or the first heading of level 1.

    In MDX no code is told by its indentation: elements hold their text as far in as they are.
    """
    start = text_start(text)
    front_end = front_matter_end(text, start)
    front = [Block(*trimmed(text, start, front_end), "front matter", "")] if front_end > start else []
    title = plain_heading(front_matter_of(text, front).title)
    titles: list[tuple[int, str]] = []
    blocks = None if is_too_large(text) else _parsed_markdown(text, front_end, titles, has_code_by_indent, title)
    if blocks is None:
        titles = []
        blocks = bounded(text, _simple_markdown(text, front_end, titles, title))
    return title or _best_title(titles), front + blocks


def front_matter_of(text: str, blocks: list[Block]) -> FrontMatter:
    """The front matter of a text that was divided, empty where it has none."""
    if not blocks or blocks[0].kind != "front matter":
        return FrontMatter()
    return read_front_matter(text[blocks[0].start : blocks[0].end])


def _best_title(titles: list[tuple[int, str]]) -> str:
    """The first heading of level 1, or else the first of any."""
    return next((title for level, title in titles if level == 1), titles[0][1] if titles else "")


def _heading(markup: str, of_page: str) -> str:
    """A heading in plain text; one that a program completes (`# {{ page.title }}`) is that of the page.

    >>> _heading("The *kiln*", "Pots"), _heading("<%= current_page.data.title %>", "Pots"), _heading("`{{ x }}`", "Pots")
    ('The kiln', 'Pots', '{{ x }}')
    """
    return of_page if _COMPLETED.fullmatch(markup.strip()) else plain_heading(markup)


def _parsed_markdown(
    text: str, start: int, titles: list[tuple[int, str]], has_code_by_indent: bool, of_page: str
) -> list[Block] | None:
    """The blocks a CommonMark parser finds from `start` on, or None where it gives up."""
    try:
        division = _Division(text, titles, has_code_by_indent, of_page)
        division.divide(list(line_spans(text, start)), text[start:], HeadingPath(), 0)
    except _TooDeep:
        return None  # there the parser takes the rest of the text for a part of the innermost list
    except Exception:  # whatever a hostile text provokes in the parser, the text itself can still be read
        return None
    return division.blocks


class _TooDeep(Exception):
    """Lists are nested deeper than the parser goes."""


class _Division:
    """The blocks of a text, as they are found."""

    def __init__(self, text: str, titles: list[tuple[int, str]], has_code_by_indent: bool, of_page: str) -> None:
        self.blocks: list[Block] = []
        self._text, self._titles, self._of_page = text, titles, of_page
        self._parser = _markdown_parser(has_code_by_indent)

    def divide(self, lines: list[tuple[int, int]], source: str, path: HeadingPath, depth: int) -> None:
        """Add the blocks of these lines of the text, which `source` holds; both are without the indentation of their note."""
        tables = _column_tables(self._text, lines) if "--" in source else {}
        if tables:
            covered = {number for first, last in tables.items() for number in range(first, last)}
            source = "\n".join(
                "" if number in covered else self._text[slice(*line)] for number, line in enumerate(lines)
            )
        tokens = self._parser.parse(source)
        if any(token.level >= _MAX_NESTING - 1 for token in tokens):
            raise _TooDeep
        done = 0  # the first line that no block holds yet
        for position, token in enumerate(tokens):
            kind = _TOKEN_KINDS.get(token.type)
            if kind is None or token.map is None or token.level != (1 if kind == "list" else 0):
                continue
            first, last = max(token.map[0], done), token.map[1]
            if first >= last:
                continue
            self._add_uncovered(lines, done, first, path, tables)
            if kind == "heading" and len(tokens[position + 1].content) > _MAX_HEADING_SOURCE:
                kind = "paragraph"
            elif kind == "heading":
                heading = _heading(tokens[position + 1].content, self._of_page)
                if not depth:
                    self._titles.append((int(token.tag[1]), heading))
                path.enter(int(token.tag[1]), heading)
            elif kind == "paragraph":
                kind = "table" if _is_table(self._text, lines, first, last) else kind
                done = self._add_paragraph(lines, first, last, kind, path, depth)
                continue
            self._add(lines, first, last, kind, path)
            done = last
        self._add_uncovered(lines, done, len(lines), path, tables)

    def _add_paragraph(
        self, lines: list[tuple[int, int]], first: int, last: int, kind: str, path: HeadingPath, depth: int
    ) -> int:
        """Add a paragraph and what is indented below it, if it opens a note or the like; the first line behind them."""
        opens = _NOTE_OPENING.match(self._text, *lines[first]) is not None
        head = first + 1 if opens else last
        defines = any(_DEFINES.match(self._text, *line) for line in lines[first:last])
        end = _indented_end(self._text, lines, head) if opens or defines else head
        if end == head or depth == _MAX_INDENTED:
            self._add(lines, first, last, kind, path)
            return last
        self._add(lines, first, head, kind, path)
        inner = [_without_indent(self._text, *line) for line in lines[head:end]]
        self.divide(inner, "\n".join(self._text[slice(*line)] for line in inner), path.copy(), depth + 1)
        return end

    def _add(self, lines: list[tuple[int, int]], first: int, last: int, kind: str, path: HeadingPath) -> None:
        start, end = trimmed(self._text, lines[first][0], lines[last - 1][1])
        if start < end:
            self.blocks.append(Block(start, end, kind, path.path))

    def _add_uncovered(
        self, lines: list[tuple[int, int]], first: int, last: int, path: HeadingPath, tables: dict[int, int]
    ) -> None:
        """Tables of columns, which the parser was not shown, and paragraphs of the lines that it reports as part of nothing."""
        for begin in [number for number in tables if first <= number < last]:
            self._add_lines(lines, first, begin, path)
            first = min(tables[begin], last)
            self._add(lines, begin, first, "table", path)
        self._add_lines(lines, first, last, path)

    def _add_lines(self, lines: list[tuple[int, int]], first: int, last: int, path: HeadingPath) -> None:
        if first < last:
            for start, end in paragraphs(self._text, lines[first][0], lines[last - 1][1]):
                self.blocks.append(Block(start, end, "paragraph", path.path))


def _column_tables(text: str, lines: list[tuple[int, int]]) -> dict[int, int]:
    """The tables of pandoc whose columns stand below each other: their first lines, in order, and the line behind each.

    A ruler of the columns stands below a header of one line, which a blank line precedes and where the table ends with one; or
    it begins the table, or follows a header that a line of dashes precedes, and the table ends with such a line or ruler.
    """
    tables: dict[int, int] = {}
    fence, done = "", 0
    for number, line in enumerate(lines):
        mark = _FENCE_LINE.match(text, *line)
        if mark and (not fence or (mark[1].startswith(fence) and not mark[2])):
            fence = "" if fence else mark[1]
        if (
            fence
            or number < done
            or not text.startswith("-", trimmed(text, *line)[0])
            or not RULER.match(text[slice(*line)])
        ):
            continue
        found = _column_table(text, lines, number, done)
        if found is not None:
            tables[found[0]] = done = found[1]
    return tables


def _column_table(text: str, lines: list[tuple[int, int]], ruler: int, done: int) -> tuple[int, int] | None:
    """The lines of the table that this ruler is in, if it is in one."""

    def is_blank(number: int) -> bool:
        return not 0 <= number < len(lines) or not text[slice(*lines[number])].strip()

    first = ruler
    while first > done and ruler - first <= _MAX_HEADER_LINES and not is_blank(first - 1):
        first -= 1
    is_simple = ruler - first == 1 and text[slice(*lines[first])].strip("- \t") != ""
    if is_blank(ruler + 1) or not (first == ruler or is_simple or _DASHES.match(text[slice(*lines[first])])):
        return None
    for number in range(ruler + 1, min(len(lines), ruler + _MAX_TABLE_LINES)):
        line = text[slice(*lines[number])]
        if is_simple and is_blank(number + 1):
            return first, number + 1
        if not is_simple and (RULER.match(line) or _DASHES.match(line)):  # the end, or another table begins
            return (first, number + 1) if is_blank(number + 1) and number > ruler + 1 else None
    return None


def _indented_end(text: str, lines: list[tuple[int, int]], first: int) -> int:
    """The line behind those from `first` on that are indented by four columns, blank ones between them included."""
    end = first
    for number in range(first, len(lines)):
        line = text[slice(*lines[number])]
        if not line.strip():
            continue
        if len(line.expandtabs(_INDENT)) - len(line.expandtabs(_INDENT).lstrip(" ")) < _INDENT:
            break
        end = number + 1
    return end


def _without_indent(text: str, start: int, end: int) -> tuple[int, int]:
    """A line without the indentation of the note that it is in."""
    indent = _ONE_INDENT.match(text, start, end)
    return (indent.end() if indent else start), end


@cache
def _markdown_parser(has_code_by_indent: bool) -> Any:
    """The one parser of all texts of a kind: of none does anything stay in it.

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
    if not has_code_by_indent:
        parser.block.ruler.disable("code")
    parser.block.ruler.at("blockquote", flat_blockquote, {"alt": ["paragraph", "blockquote", "list"]})
    parser.parse("")  # which puts its rules in order, before several threads ask for them
    return parser


def _is_table(text: str, lines: list[tuple[int, int]], first: int, last: int) -> bool:
    """Whether a paragraph is a table: its second line is a ruler (`|---|:-:|`), its first the frame of a grid (`+---+`), or both
    have cells.

    The parser's own tables are off: it makes six objects a cell, and all we need is where the table is.
    """
    if last - first < 2:
        return False
    if _GRID.fullmatch(text, *lines[first]):
        return True
    start, end = lines[first + 1]
    ruler = set(text[start:end])
    return {"|", "-"} <= ruler <= set("|:- \t") or all(" | " in text[slice(*line)] for line in lines[first : first + 2])


def _simple_markdown(text: str, start: int, titles: list[tuple[int, str]], of_page: str = "") -> Iterator[Block]:
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
                level, title = len(heading[1]), _heading(heading[2].rstrip("# \t"), of_page)
                titles.append((level, title))
                yield Block(*trimmed(text, line_start, line_end), "heading", path.enter(level, title))
                begin, is_code = line_end, False
        yield from _simple_block(text, begin, end, is_code, path.path)


def _simple_block(text: str, start: int, end: int, is_code: bool, heading: str) -> Iterator[Block]:
    span = trimmed(text, start, end)
    if span[0] < span[1]:
        yield Block(*span, "code" if is_code else "paragraph", heading)
