"""The text of a file in, its blocks in order out: one recogniser each for plain text, Markdown, reST and code.

Every recogniser returns a title, "" where the text names none, and blocks that together hold every character that is
neither white space nor a leading byte-order mark.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from ingest.document import BYTE_ORDER_MARK, Block, HeadingPath, plain_heading
from ingest.readers.front_matter import front_matter_end, read_front_matter
from rag.text.sentences import line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_STRUCTURED_CHARACTERS = 5_000_000  # beyond either bound a text is divided at blank lines and `#` headings only:
MAX_STRUCTURED_LINES = 200_000  # a Markdown parser makes up to ten objects a line
MAX_BLOCKS = 1_000_000  # what follows the last one is a block of its own, so that memory is bounded

_BLANK_LINES = re.compile(r"(?>\r\n|\r|\n)(?:[^\S\r\n]*+(?>\r\n|\r|\n))++")
_ATX_HEADING = re.compile(r"[ ]{0,3}(\#{1,6})[ \t]+(\S[^\r\n]*)")
_FENCE_LINE = re.compile(r"[ ]{0,3}(`{3,}+(?![^\r\n]*`)|~{3,}+)[ \t]*+([^\r\n]*)")


def text_blocks(text: str) -> list[Block]:
    """Plain text: a paragraph is what blank lines enclose."""
    paragraphs = (Block(start, end, "paragraph", "") for start, end in _paragraphs(text, _text_start(text), len(text)))
    return _bounded(text, paragraphs)


def _text_start(text: str) -> int:
    return 1 if text.startswith(BYTE_ORDER_MARK) else 0


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of each run of lines that are not blank."""
    for gap in _BLANK_LINES.finditer(text, start, end):
        span = trimmed(text, start, gap.start())
        if span[0] < span[1]:
            yield span
        start = gap.end()
    span = trimmed(text, start, end)
    if span[0] < span[1]:
        yield span


def _bounded(text: str, blocks: Iterable[Block]) -> list[Block]:
    """The blocks, of which the last holds the rest of the text where there are more than MAX_BLOCKS."""
    kept = list(islice(blocks, MAX_BLOCKS))
    if len(kept) == MAX_BLOCKS:
        last = kept[-1]
        kept[-1] = Block(last.start, trimmed(text, last.start, len(text))[1], "paragraph", last.heading)
    return kept


def _is_too_large(text: str) -> bool:
    if len(text) > MAX_STRUCTURED_CHARACTERS:
        return True
    return text.count("\n") + text.count("\r") > MAX_STRUCTURED_LINES


# Markdown

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


def markdown_blocks(text: str) -> tuple[str, list[Block]]:
    """CommonMark with tables and front matter; the title is the front matter's or the first heading of level 1."""
    start = _text_start(text)
    front_end = front_matter_end(text, start)
    title = plain_heading(read_front_matter(text[start:front_end]).title) if front_end > start else ""
    front = [Block(*trimmed(text, start, front_end), "front matter", "")] if front_end > start else []
    titles: list[tuple[int, str]] = []
    blocks = None if _is_too_large(text) else _parsed_markdown(text, front_end, titles)
    if blocks is None:
        titles = []
        blocks = _bounded(text, _simple_markdown(text, front_end, titles))
    return title or _best_title(titles), front + blocks


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


def _markdown_parser() -> Any:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import blockquote

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
    return parser


def _uncovered_blocks(text: str, lines: list[tuple[int, int]], first: int, last: int, heading: str) -> Iterator[Block]:
    """Paragraphs of the lines that the parser reports as part of nothing."""
    if first < last:
        for start, end in _paragraphs(text, lines[first][0], lines[last - 1][1]):
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
    for begin, end in _paragraphs(text, start, len(text)):
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


# reStructuredText

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*")
_RST_DIRECTIVE = re.compile(r"\.\.[ \t]+(?:code|code-block|sourcecode|parsed-literal|math|literalinclude)::")
_RST_LIST_ITEM = re.compile(r"[-*+•][ \t]|(?:\d{1,3}|\#|[A-Za-z])[.)][ \t]")
_RST_TABLE = re.compile(r"\+[-=+]+|={2,}[ \t]+=")


def rst_blocks(text: str) -> tuple[str, list[Block]]:
    """Sections by their adornments, whose levels follow from the order of appearance; literal blocks; paragraphs."""
    if _is_too_large(text):
        return "", text_blocks(text)
    path = HeadingPath()
    styles: list[tuple[str, bool]] = []
    blocks: list[Block] = []
    title, expects_literal = "", False
    for start, end in _paragraphs(text, _text_start(text), len(text)):
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


# Code

_NAME = r"([A-Za-z_$][\w$]{0,79})"
_MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|sealed|virtual|override|async|open|"
    r"data|inline|suspend|partial|unsafe|extern|pub|pub\(crate\)|const|declare|case|implicit|fileprivate|mutating)"
    r"[ ]+)*"  # not possessive: `const` is also how an arrow function begins
)
_TYPES = r"(?:class|interface|enum|record|struct|trait|object|protocol|extension|namespace|module|union|type)"
_FUNCTIONS = r"(?:function\*?|func|fun|fn|def|sub|impl|mod|macro_rules!)"
_GO_RECEIVER = r"(?:\([^()]{0,80}\)[ ]*)?"
_KEYWORD_DEFINITION = rf"{_MODIFIERS}(?:{_TYPES}|{_FUNCTIONS})[ ]+{_GO_RECEIVER}{_NAME}"
_ARROW_FUNCTION = rf"{_MODIFIERS}(?:let|var|const)[ ]+{_NAME}[ ]*=[ ]*(?:async[ ]*)?(?:\(|function\b)"
# A method without a keyword (Java, C#, C): words, a name, an opening parenthesis, and no semicolon at the end.
_TYPED_FUNCTION = (
    r"(?!(?:return|else|new|throw|delete|await|if|for|while|switch|case|goto)\b)"
    rf"[A-Za-z_][\w:<>,\[\]*&~ ]{{0,120}}?[ *&]{_NAME}[ ]?\([^;]*\Z"
)
_CURLY = f"{_KEYWORD_DEFINITION}|{_ARROW_FUNCTION}|{_TYPED_FUNCTION}"

_DEFINITIONS_OF = {
    ".py .pyi": rf"(?:async[ ]+)?(?:def|class)[ ]+{_NAME}",
    ".js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .svelte": f"{_KEYWORD_DEFINITION}|{_ARROW_FUNCTION}",
    ".java .cs .c .h .cc .cpp .cxx .hh .hpp .hxx .m .mm .dart .groovy .gradle .zig": _CURLY,
    ".kt .kts .scala .go .rs .swift .php .rb .lua .pl .pm .jl .ex .exs .ml .proto .graphql .thrift .ps1": (
        _KEYWORD_DEFINITION + rf"|(?:message|service|defmodule|local function)[ ]+{_NAME}"
    ),
    ".r": rf"{_NAME}[ ]*(?:<-|=)[ ]*function\b",
    ".sh .bash .zsh .fish": rf"(?:function[ ]+)?{_NAME}[ ]*\(\)|function[ ]+{_NAME}",
    ".sql": rf"(?i:create)[ ]+(?:(?i:or replace|temporary|temp|materialized)[ ]+)*(?i:table|view|function|procedure|"
    rf"trigger|index|database|schema)[ ]+(?:(?i:if not exists)[ ]+)?[\"`\[]?{_NAME}",
    ".toml .ini .cfg .conf": r"\[{1,2}([^\[\]\r\n]{1,80})\]",
    ".yaml .yml": r"([A-Za-z_][\w.-]{0,79}):",
}
_DEFINITIONS = {
    suffix: re.compile(pattern) for suffixes, pattern in _DEFINITIONS_OF.items() for suffix in suffixes.split()
}
_ANY_DEFINITION = re.compile(_KEYWORD_DEFINITION)
_LEADS_IN = ("#", "//", "/*", "*", "--", "@", '"""', "[<", "%", ";")  # comments and decorators above a definition
_MAX_CODE_LINE = 200  # characters of a line in which a definition is looked for: minified code is one line


def code_blocks(text: str, suffix: str) -> list[Block]:
    """Code: a block begins after a blank line, at the lowest indentation or at a definition.

    Its heading is the name of the class or function it is in (`Index > search`), as far as a pattern can tell.
    """
    return _bounded(text, _code_blocks(text, _DEFINITIONS.get(suffix, _ANY_DEFINITION)))


def _code_blocks(text: str, definition: re.Pattern[str]) -> Iterator[Block]:
    path = HeadingPath()
    start, end, heading = -1, -1, ""
    leads_in = True  # only comments and decorators so far: the definition below them names the block
    after_blank = True
    for line_start, line_end in line_spans(text, _text_start(text)):
        first, last = trimmed(text, line_start, line_end)
        if first == last:
            after_blank = True
            continue
        indent = first - line_start
        match = definition.match(text, first, min(line_end, first + _MAX_CODE_LINE))
        begins = start < 0 or (after_blank and (indent == 0 or match or text.startswith(_LEADS_IN, first)))
        if begins:
            if start >= 0:
                yield Block(start, end, "code", heading)
            start, leads_in = first, True
        if match:
            path.enter(indent, plain_heading(next(filter(None, match.groups()))))
        elif not text.startswith(("}", ")", "]", "{"), first):
            path.enter(indent, "")  # a statement closes what is indented as far as it is
        if begins or (leads_in and match):
            heading = path.path
        leads_in = leads_in and not match and text.startswith(_LEADS_IN, first)
        end, after_blank = last, False
    if start >= 0:
        yield Block(start, end, "code", heading)
