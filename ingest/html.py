"""The markup of a web page in, its readable text out, with the line of the file for every block of it.

Tags are found by patterns that pass over the markup once, because the standard library's html.parser is quadratic on
broken markup: with Python 3.11.7, 100 KB of `<a ` take it two minutes. Nothing a page refers to is ever fetched.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ingest.document import BYTE_ORDER_MARK, Block, HeadingPath, plain_heading
from rag.sentences import LINE_END

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = re.compile(r"""<(/?)([A-Za-z][^\s/>]*+)((?:[^>"'=]++|=\s*+(?:"[^"]*+"|'[^']*+')|[="'])*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>]++))?""")
# int() refuses such a number with a ValueError, which html.unescape lets through
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# What these hold has no tags in it; only the latter is text to read.
_RAW_CODE_NAMES = _words("script style iframe noembed noframes")
_RAW_TEXT_NAMES = _words("title textarea")
_RAW_END = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in sorted(_RAW_CODE_NAMES | _RAW_TEXT_NAMES)
}
_SKIPPED_NAMES = _words("template noscript svg object canvas audio video select datalist")
_VOID_NAMES = _words("area base br col embed hr img input link meta param source track wbr")
_ENDS_ITSELF = _words("p li td th tr dt dd option")  # its end tag may be left out

_HEADING_LEVELS = {f"h{level}": level for level in range(1, 7)}
_BLOCK_NAMES = _words(
    """address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure
    footer form head header hr html legend li main menu nav ol option p pre search section summary table tbody td tfoot
    th thead tr ul"""
) | frozenset(_HEADING_LEVELS)
_LIST_NAMES = _words("ul ol menu dir")
_CELL_NAMES = _words("td th")
# In a cell these are only a space; a heading or a list in a cell says that the table lays out the page.
_INSIDE_CELL = _words("address br center div dl dt dd figcaption figure form p section span")
_LINE_BREAK = "\0"  # marks a <br> until the spaces are gone; decoded text holds no NUL
_MAX_INDENT = 8  # levels of a nested list that are shown


class _Event(NamedTuple):
    """A piece of markup: a start tag, an end tag or text (where `name` is "")."""

    position: int
    name: str
    is_end: bool
    content: str  # the attributes of a tag, or the text
    raw: str = ""  # the element, such as script, of which the text is the whole content


@dataclass(frozen=True)
class Page:
    """What is read on a web page; `line_marks` pairs an offset of `text` with the line of the markup it came from."""

    title: str
    text: str
    blocks: tuple[Block, ...]
    line_marks: tuple[tuple[int, int], ...]


def extract_html(markup: str) -> Page:
    """The readable text of a page: paragraphs, list items and rows, headings and preformatted text as blocks.

    Scripts, styles, templates, hidden elements and form choices are left out; the description of an image (`alt`) is
    text. Rows and list items are lines, cells are divided by ` | `, other blocks by blank lines.
    """
    reader = _PageReader(LINE_END.sub("\n", markup.removeprefix(BYTE_ORDER_MARK)))
    return reader.page()


def _events(markup: str) -> Iterator[_Event]:
    """The tags and texts of the markup, in order."""
    position = 0
    endless: set[str] = set()  # raw elements that nothing ends any more: looking for it each time would be quadratic
    while position < len(markup):
        opening = markup.find("<", position)
        if opening != position:
            end = opening if opening >= 0 else len(markup)
            yield _Event(position, "", False, markup[position:end])
            position = end
        elif markup.startswith("<!--", position):
            position = _after(markup, "-->", position + 2)
        elif (tag := _TAG.match(markup, position)) is not None:
            name = tag[2].lower()
            yield _Event(position, name, bool(tag[1]), tag[3])
            position = tag.end()
            if name in _RAW_END and not tag[1] and not tag[3].endswith("/") and name not in endless:
                content_end = _raw_end(markup, position, name)
                if content_end is None:
                    endless.add(name)
                else:
                    yield _Event(position, "", False, markup[position:content_end], raw=name)
                    position = content_end
        elif markup.startswith(("<!", "<?", "</"), position):
            position = _after(markup, ">", position)
        elif markup[position + 1 : position + 2].isascii() and markup[position + 1 : position + 2].isalpha():
            return  # a tag that the file does not end: like a browser, drop it
        else:
            yield _Event(position, "", False, "<")
            position += 1


def _after(markup: str, mark: str, start: int) -> int:
    """The position behind the next mark; the end where there is none, as in a browser."""
    found = markup.find(mark, start)
    return found + len(mark) if found >= 0 else len(markup)


def _raw_end(markup: str, start: int, name: str) -> int | None:
    """Where the content of an element in which `<` begins no tag ends; None if its start tag is to be ignored."""
    end = _RAW_END[name].search(markup, start)
    if end:
        return end.start()
    return None if name in _RAW_TEXT_NAMES else len(markup)  # a title that never ends must not swallow the page


class _PageReader:
    """Walks through the events of a page and gathers its blocks."""

    def __init__(self, markup: str) -> None:
        self.markup = markup
        self.texts: list[str] = []
        self.blocks: list[Block] = []
        self.line_marks: list[tuple[int, int]] = []
        self.length = 0  # characters of all texts
        self.title = self.first_heading = self.main_heading = ""
        self.path = HeadingPath()
        self.pieces: list[str] = []  # of the block that is being read
        self.line, self.counted = 1, 0  # the line of the position `counted`
        self.block_line = 0  # where the block's text begins, 0 before it does
        self.heading_level = self.list_depth = self.quote_depth = 0
        self.in_pre = self.in_row = False
        self.cells = 0  # of the row that is being read
        self.marker = ""  # of the list item that is being read
        self.skipped, self.skip_depth = "", 0  # the element that is left out, and how often it is open in itself

    def page(self) -> Page:
        for event in _events(self.markup):
            if not event.name:
                self._read_text(event)
            elif event.is_end:
                self._read_end(event)
            else:
                self._read_start(event)
        self._flush()
        title = self.title or self.main_heading or self.first_heading
        return Page(title, "".join(self.texts), tuple(self.blocks), tuple(self.line_marks))

    def _read_text(self, event: _Event) -> None:
        if self.skipped or event.raw in _RAW_CODE_NAMES:
            return
        text = _unescaped(event.content)
        if event.raw == "title":
            self.title = self.title or plain_heading(text)
            return
        self._add(text, event.position)

    def _add(self, text: str, position: int) -> None:
        """Append text to the block that is being read."""
        if not self.block_line and text and not text.isspace():
            lead = len(text) - len(text.lstrip())
            self.line += self.markup.count("\n", self.counted, position)
            self.counted = position
            self.block_line = self.line + text.count("\n", 0, lead)
        self.pieces.append(text)

    def _read_start(self, event: _Event) -> None:
        name, attributes = event.name, event.content
        if self.skipped:
            if name != self.skipped or attributes.endswith("/"):
                return
            if name not in _ENDS_ITSELF:
                self.skip_depth += 1
                return
            self.skipped = ""
        if name in _VOID_NAMES:
            self._read_void(event)
        elif name in _SKIPPED_NAMES or _is_hidden(attributes):
            if not attributes.endswith("/"):  # XHTML's <svg/> holds nothing
                self.skipped, self.skip_depth = name, 1
        elif name in _BLOCK_NAMES:
            self._begin_block(name)

    def _read_void(self, event: _Event) -> None:
        if event.name == "hr":
            self._flush()
        elif event.name == "br":
            self.pieces.append(" " if self.in_row else _LINE_BREAK)
        elif event.name == "img" and "alt" in event.content:
            self._add(f" {_attributes(event.content).get('alt', '')} ", event.position)

    def _begin_block(self, name: str) -> None:
        if self.in_pre:
            return
        if self.in_row and name in _INSIDE_CELL:
            self.pieces.append(" ")
            return
        if name in _CELL_NAMES and self.in_row:
            if self.cells:
                self.pieces.append(" | ")
            self.cells += 1
            return
        self._flush()
        if name == "tr":
            self.in_row, self.cells = True, 0
        elif name == "pre":
            self.in_pre = True
        elif name in _HEADING_LEVELS:
            self.heading_level = _HEADING_LEVELS[name]
        elif name in _LIST_NAMES:
            self.list_depth += 1
        elif name == "li":
            self.marker = "  " * (min(max(self.list_depth, 1), _MAX_INDENT) - 1) + "- "
        elif name == "blockquote":
            self.quote_depth += 1

    def _read_end(self, event: _Event) -> None:
        name = event.name
        if self.skipped:
            if name == self.skipped:
                self.skip_depth -= 1
                if not self.skip_depth:
                    self.skipped = ""
            return
        if name == "pre" or (not self.in_pre and name in _BLOCK_NAMES):
            self._end_block(name)

    def _end_block(self, name: str) -> None:
        if self.in_row and (name in _CELL_NAMES or name in _INSIDE_CELL):
            self.pieces.append(" ")
            return
        self._flush()
        if name in _LIST_NAMES:
            self.list_depth = max(self.list_depth - 1, 0)
        elif name == "blockquote":
            self.quote_depth = max(self.quote_depth - 1, 0)

    def _flush(self) -> None:
        """End the block that is being read, if it holds text."""
        text = "".join(self.pieces)
        text = _verbatim(text) if self.in_pre else _collapsed(text)
        kind, marker = self._kind(), self.marker
        is_text = not text.isspace() and bool(text) and not (kind == "table" and not text.strip(" |"))
        if is_text:
            if kind == "heading":
                self._enter_heading(text)
            self._write(marker + text, kind)
        if is_text or kind != "list":
            self.marker = ""
        self.pieces, self.block_line, self.cells = [], 0, 0
        self.heading_level, self.in_pre, self.in_row = 0, False, False

    def _kind(self) -> str:
        if self.in_pre:
            return "code"
        if self.heading_level:
            return "heading"
        if self.in_row:
            return "table"
        if self.marker or self.list_depth:
            return "list"
        return "quote" if self.quote_depth else "paragraph"

    def _enter_heading(self, text: str) -> None:
        heading = plain_heading(text)
        self.path.enter(self.heading_level, heading)
        self.first_heading = self.first_heading or heading
        if self.heading_level == 1:
            self.main_heading = self.main_heading or heading

    def _write(self, text: str, kind: str) -> None:
        """Append a block, and the lines of the file it came from."""
        if self.blocks:
            joined = "\n" if kind == self.blocks[-1].kind and kind in ("list", "table") else "\n\n"
            self.texts.append(joined)
            self.length += len(joined)
        lead = len(text) - len(text.lstrip())
        line = max(self.block_line, 1)
        self.line_marks.append((self.length, line))
        if kind == "code":
            for mark in LINE_END.finditer(text):
                line += 1
                self.line_marks.append((self.length + mark.end(), line))
        self.blocks.append(Block(self.length + lead, self.length + len(text), kind, self.path.path))
        self.texts.append(text)
        self.length += len(text)


def _unescaped(text: str) -> str:
    """Text with its character references replaced; a number beyond every character becomes U+FFFD."""
    if "&" not in text:
        return text
    return html.unescape(_HUGE_REFERENCE.sub("\ufffd", text)).replace("\0", "\ufffd")


def _collapsed(text: str) -> str:
    """Text with each run of white space as one space, and with the line breaks it asked for."""
    lines = (" ".join(line.split()) for line in text.split(_LINE_BREAK))
    return "\n".join(filter(None, lines))


def _verbatim(text: str) -> str:
    """Preformatted text without the empty lines around it."""
    text = text.replace(_LINE_BREAK, "\n").rstrip()
    first = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, first) + 1 :]


def _attributes(markup: str) -> dict[str, str]:
    """The attributes of a tag by name, in small letters; the first of a name counts."""
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(markup):
        found.setdefault(name.lower(), _unescaped(value.strip("\"'")))
    return found


def _is_hidden(markup: str) -> bool:
    """Whether the attributes of a tag keep its content from being shown."""
    lowered = markup.lower()
    if "hidden" not in lowered and "none" not in lowered:
        return False
    attributes = _attributes(markup)
    style = "".join(attributes.get("style", "").lower().split())
    return "hidden" in attributes or "display:none" in style or "visibility:hidden" in style
