"""HTML markup in, the elements and texts it means out: start tags and end tags in balance, by the rules of HTML's parser.

Optional end tags are supplied, misnested ones put right, and raw text is told from tags, as the standard's tree
construction does (https://html.spec.whatwg.org/multipage/parsing.html), but no tree is built: what is read is the text
with the elements that are open around it, in the order of the file.

Libraries that build the tree were tried. turbohtml 1.15.4 and selectolax 1.0.2 don't tell where a text stands, and make
2 GB of 400 KB of `<p><b id=1><p><b id=2>...`, since each paragraph holds all the unclosed elements again; justhtml
3.16.0 tells it, and is quadratic on a run of `<`. turbohtml is what the tests compare with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.readers.html.events import Element, Event, Kind, attributes_of
from ingest.readers.html.open_elements import OpenElements
from ingest.readers.html.vocabulary import (
    CELLS,
    CLOSES_PARAGRAPH,
    ENDS_BLOCK,
    FORMATTING,
    HEADINGS,
    HTML,
    IGNORED_STARTS,
    LEAVES_FOREIGN,
    LEVELS,
    MARKERS,
    MATH,
    NO_TABLE,
    OUTSIDE_CELLS,
    RAW,
    REST_IS_TEXT,
    SECTIONS,
    SVG,
    TABLE_PARTS,
    THOROUGH_ENDS,
    VOID,
    WITH_REFERENCES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = re.compile(r"""<(/?)([A-Za-z][^\t\n\f\r />]*+)((?:[^>"'=]++|=[\t\n\f\r ]*+(?:"[^"]*+"|'[^']*+')|[="'])*+)>""")
_OPENING = re.compile(r"<(?:[A-Za-z!?]|/.)", re.DOTALL)  # before anything else `<` is text
_UNENDED_END = re.compile(r"</[A-Za-z]")
_COMMENT_END = re.compile(r"--!?>")
_SCRIPT_MARK = re.compile(r"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)
_DOCTYPE = re.compile(r"<!doctype[\t\n\f\r ]*+([^\t\n\f\r >]*+)([^>]*+)>?", re.IGNORECASE)
# Document types with which browsers imitate their predecessors, of those still met.
_QUIRKY = re.compile(
    r"""["'](?:-//IETF//|-//W3C//DTD HTML (?:2|3|4\.0 (?:Transitional|Frameset))"""
    r"""|-//W3C//DTD HTML 4\.01 (?:Transitional|Frameset)//[^"']*["'][\t\n\f\r ]*+$)""",
    re.IGNORECASE,
)
_XML = re.compile(r"\s*+<\?xml\b|(?:[^<]|<(?!html\b))*+<html\b[^>]*\bxmlns\b", re.IGNORECASE)
_HEAD_CHARACTERS = 5000  # where a page says that it is XHTML

_MAX_UNCLOSED = 16  # formatting elements that a new paragraph opens again; without a limit the work is quadratic
_MAX_LIKE = 3  # of them with the same attributes: the standard's own limit
_MAX_CROSSED = 8  # blocks through which the end of a formatting element reaches: the standard's own limit
_RAW_END = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in sorted(RAW - {"script"})}


def read_markup(markup: str) -> Iterator[Event]:
    r"""The elements and texts of a page, whose line ends are `\n`, in order.

    Each start has its end. Only a formatting element (`b`, `s`) can end before one that it holds, as in
    `<b><p>bold</b> not bold</p>`.
    """
    return _Reader(markup).events()


class _Reader(OpenElements):
    """Goes through the markup once, and decides what each tag opens and ends."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.markup = markup
        self.form: Element | None = None
        self.is_xml = _XML.match(markup[:_HEAD_CHARACTERS]) is not None
        self.has_quirks, self.has_begun = True, False
        self.endless: set[str] = set()  # titles that nothing ends: looking for it each time would be quadratic

    # Tokens

    def events(self) -> Iterator[Event]:
        """All events of the markup."""
        while self.position < len(self.markup):
            self._read_token()
            yield from self.out
            self.out.clear()
        while len(self.stack) > 1:
            self._pop()
        yield from self.out

    def _read_token(self) -> None:
        markup, position = self.markup, self.position
        opening = _OPENING.search(markup, position)
        if opening is None or opening.start() != position:
            self.position = opening.start() if opening else len(markup)
            self._text(position, self.position)
        elif markup.startswith("<!--", position):
            self.position = self._comment_end(position)
        elif (tag := _TAG.match(markup, position)) is not None:
            self.position = tag.end()
            self.has_begun = True
            if tag[1]:
                self._end_tag(tag[2].lower())
            else:
                self._start_tag(tag[2].lower(), tag[3], position)
        elif markup.startswith("<![CDATA[", position) and self.stack[-1].space != HTML:
            end = self._after("]]>", position + 9)
            self._text(position + 9, end - 3 if markup.endswith("]]>", position + 9, end) else end, is_raw=True)
            self.position = end
        elif markup.startswith(("<!", "<?", "</"), position) and _UNENDED_END.match(markup, position) is None:
            self._declaration(position)
            self.position = self._after(">", position)
        else:
            self.position = len(markup)  # a tag that the file does not end: like a browser, drop it

    def _after(self, mark: str, start: int) -> int:
        """The position behind the next mark; the end where there is none, as in a browser."""
        found = self.markup.find(mark, start)
        return found + len(mark) if found >= 0 else len(self.markup)

    def _comment_end(self, start: int) -> int:
        if self.markup.startswith(("<!-->", "<!--->"), start):
            return self._after(">", start)
        end = _COMMENT_END.search(self.markup, start + 4)
        return end.end() if end else len(self.markup)

    def _declaration(self, position: int) -> None:
        doctype = None if self.has_begun else _DOCTYPE.match(self.markup, position)
        if doctype:
            self.has_quirks = doctype[1].lower() != "html" or _QUIRKY.search(doctype[2].strip()) is not None

    def _raw_content(self, name: str, attributes: str) -> int | None:
        """Where the content of an element in which `<` begins no tag ends; None if its start tag is to be ignored."""
        if attributes.endswith("/") and attributes[-2:-1] in ("", " ", "\n", "\t", "'", '"'):
            return self.position  # <script src="x"/>, as XHTML has it, must not swallow the page
        if name == "script":
            return self._script_end()
        end = _RAW_END[name].search(self.markup, self.position)
        if end:
            return end.start()
        return None if name in WITH_REFERENCES else len(self.markup)  # nor must a title that never ends

    def _script_end(self) -> int:
        """Where a script ends: not at an end tag for a script that a comment in it writes."""
        in_comment = in_inner = False
        for mark in _SCRIPT_MARK.finditer(self.markup, self.position):
            if mark[0] == "<!--":
                in_comment = True
            elif mark[0] == "-->":
                in_comment = in_inner = False
            elif not mark[1]:
                in_inner = in_comment
            elif in_inner:
                in_inner = False
            else:
                return mark.start()
        return len(self.markup)

    def _text(self, start: int, end: int, *, is_raw: bool = False) -> None:
        text = self.markup[start:end]
        if not text:
            return
        in_table = False
        if not text.isspace():
            self._leave_column_group()
            if self._is_html_here():
                self._reopen_formatting()
            in_table = self._context().name in OUTSIDE_CELLS
        self.out.append(Event(Kind.TEXT, self.stack[-1], text, start, is_raw, in_table))

    # Formatting elements, which are opened again in the next paragraph
    def _active(self) -> Iterator[Element]:
        """The formatting elements since the last marker, newest first: at most _MAX_UNCLOSED."""
        for entry in reversed(self.formatting):
            if entry is None:
                return
            yield entry

    def _add_formatting(self, element: Element) -> None:
        attributes = attributes_of(element.attributes)
        active = list(self._active())
        like = [one for one in active if one.name == element.name and attributes_of(one.attributes) == attributes]
        if len(like) >= _MAX_LIKE:
            self._no_longer_format(like[-1])
        elif len(active) >= _MAX_UNCLOSED:
            self._no_longer_format(active[-1])
        self.formatting.append(element)

    def _no_longer_format(self, element: Element) -> None:
        for index, entry in enumerate(self._active(), 1):
            if entry is element:
                del self.formatting[-index]
                return

    def _reopen_formatting(self) -> None:
        if not self.formatting:
            return
        start = len(self.formatting)
        while start and (entry := self.formatting[start - 1]) is not None and not entry.is_open:
            start -= 1
        for index in range(start, len(self.formatting)):
            entry = self.formatting[index]
            if entry is not None:
                self.formatting[index] = self._insert(entry.name, entry.attributes, self.position)

    def _end_formatting(self, name: str) -> None:
        """The standard's adoption agency: end a formatting element, also one in which blocks are still open."""
        element = next((entry for entry in self._active() if entry.name == name), None)
        if element is None:
            self._end_other(name)
        elif not element.is_open:
            self._no_longer_format(element)
        elif element.index >= self.stack[-1].scope_at:
            blocks = self._blocks_above(element)
            if len(blocks) < _MAX_CROSSED:
                self._no_longer_format(element)
                self._take_out(element, blocks)

    def _blocks_above(self, element: Element) -> list[int]:
        """The indices of at most _MAX_CROSSED special elements inside this one, innermost first."""
        blocks: list[int] = []
        index = self.stack[-1].special_at
        while index > element.index and len(blocks) < _MAX_CROSSED:
            blocks.append(index)
            index = self.stack[index - 1].special_at
        return blocks

    def _take_out(self, element: Element, blocks: list[int]) -> None:
        """Close a formatting element around open blocks, and the phrases between them that are no formatting."""
        if not blocks:
            self._pop_to(element.index)
            return
        self._pop_to(blocks[0] + 1)
        active = {id(entry) for entry in self._active()}
        for index in range(element.index + 1, blocks[0]):
            between = self.stack[index]
            if between.is_open and index not in blocks and id(between) not in active:
                self._forget(between, is_over=True)
        self._forget(element, is_over=True)

    # Start tags

    def _start_tag(self, name: str, attributes: str, position: int) -> None:
        if not self._is_html_here() and not (name == "svg" and self.stack[-1].name == "annotation-xml"):
            if not self._leaves_foreign(name, attributes):
                self._start_foreign(name, attributes, position, self.stack[-1].space)
                return
            while not self._is_html_here():
                self._pop()
        elif self.stack[-1].space == MATH and name in ("mglyph", "malignmark"):
            self._start_foreign(name, attributes, position, MATH)
            return
        if name in IGNORED_STARTS:
            return
        if name in TABLE_PARTS:
            self._start_table_part(name, attributes, position)
            return
        self._leave_column_group(name)
        if name in RAW:
            self._start_raw(name, attributes, position)
        elif name in VOID or name == "image":
            self._start_void("img" if name == "image" else name, attributes, position)
        else:
            self._start_in_body(name, attributes, position)
            if self.is_xml and attributes.endswith("/") and self.stack[-1].position == position:
                self._no_longer_format(self.stack[-1])
                self._pop()

    def _leaves_foreign(self, name: str, attributes: str) -> bool:
        if name == "font":
            return not attributes_of(attributes).keys().isdisjoint(("color", "face", "size"))
        return name in LEAVES_FOREIGN

    def _start_foreign(self, name: str, attributes: str, position: int, space: str) -> None:
        self._insert(name, attributes, position, space)
        if attributes.endswith("/"):
            self._pop()

    def _start_void(self, name: str, attributes: str, position: int) -> None:
        if name == "hr":
            self._close_paragraph()
            if self._in_scope("select"):
                self._imply_ends()
        elif name == "input" and self._in_scope("select"):
            self._pop_to(self._place("select"))
        if name not in ("hr", "base", "basefont", "bgsound", "link", "meta", "param", "source", "track"):
            self._reopen_formatting()
        self._insert(name, attributes, position)
        self._pop()

    def _start_raw(self, name: str, attributes: str, position: int) -> None:
        if name in self.endless:
            return
        end = self._raw_content(name, attributes)
        if end is None:
            self.endless.add(name)
            return
        if name == "xmp":
            self._close_paragraph()
        if name in ("xmp", "iframe", "textarea", "noembed"):
            self._reopen_formatting()
        element = self._insert(name, attributes, position)
        if end > self.position:
            text, is_raw = self.markup[self.position : end], name not in WITH_REFERENCES
            self.out.append(
                Event(Kind.TEXT, element, text, self.position, is_raw, self._context().name in OUTSIDE_CELLS)
            )
        self.position = end
        self._pop()

    def _start_in_body(self, name: str, attributes: str, position: int) -> None:
        if name in ("form", "select") and self._is_refused(name):
            return
        before = _BEFORE_START.get(name)
        if before:
            before(self, name)
        elif name in CLOSES_PARAGRAPH:
            self._close_paragraph()
        else:
            self._reopen_formatting()
        space = name if name in (SVG, MATH) else HTML
        element = self._insert(name, attributes, position, space)
        if space != HTML and attributes.endswith("/"):
            self._pop()
        elif name in FORMATTING:
            self._add_formatting(element)
        elif name in MARKERS:
            self.formatting.append(None)
        elif name == "form":
            self.form = element
            if self._context().name in OUTSIDE_CELLS:
                self._pop()  # a form straight in a table holds nothing
        elif name == REST_IS_TEXT:
            self._text_to_the_end(element)

    def _is_refused(self, name: str) -> bool:
        """Whether a start tag is to be ignored: a form in a form; a second select ends the first."""
        if name == "select":
            is_refused = self._in_scope(name)
            if is_refused:
                self._pop_to(self._place(name))
            return is_refused
        return self.form is not None and not self.places["template"]

    def _text_to_the_end(self, element: Element) -> None:
        start, self.position = self.position, len(self.markup)
        if start < self.position:
            self.out.append(Event(Kind.TEXT, element, self.markup[start:], start, is_raw=True))

    def _before_heading(self, name: str) -> None:  # noqa: ARG002 - all of _BEFORE_START are called alike
        self._close_paragraph()
        if self.stack[-1].name in HEADINGS:
            self._pop()

    def _before_item(self, name: str) -> None:
        stop = self.stack[-1].item_stop_at
        place = max(self._place(item) for item in (("li",) if name == "li" else ("dd", "dt")))
        if place > 0 and place >= stop:
            self._imply_ends(besides=self.stack[place].name)
            self._pop_to(place)
        self._close_paragraph()

    def _before_button(self, name: str) -> None:
        if self._in_scope(name):
            self._imply_ends()
            self._pop_to(self._place(name))
        self._reopen_formatting()

    def _before_anchor(self, name: str) -> None:
        open_one = next((entry for entry in self._active() if entry.name == name), None)
        if open_one is not None:
            self._end_formatting(name)
            self._no_longer_format(open_one)
            if open_one.is_open:
                self._forget(open_one, is_over=True)
        self._reopen_formatting()

    def _before_nobr(self, name: str) -> None:
        self._reopen_formatting()
        if self._in_scope(name):
            self._end_formatting(name)
            self._reopen_formatting()

    def _before_option(self, name: str) -> None:
        if self._in_scope("select"):
            self._imply_ends(besides="optgroup" if name == "option" else "")
        elif self.stack[-1].name == "option":
            self._pop()
        self._reopen_formatting()

    def _before_ruby_text(self, name: str) -> None:
        if self._in_scope("ruby"):
            self._imply_ends(besides="rtc" if name in ("rt", "rp") else "")

    def _before_table(self, name: str) -> None:
        if self._context().name in OUTSIDE_CELLS:
            self._pop_to(self._place(name))
        elif not self.has_quirks:
            self._close_paragraph()

    # Tables

    def _leave_column_group(self, name: str = "") -> None:
        if self.stack[-1].name == "colgroup" and name != "template":
            self._pop()

    def _start_table_part(self, name: str, attributes: str, position: int) -> None:
        if self._context().name in NO_TABLE:
            return  # a row or cell without a table is only its text
        while self._is_beyond(self._context().name, name):
            self._pop_to(self.stack[-1].table_context_at)
        self._pop_to(self.stack[-1].table_context_at + 1)
        if name in CELLS or name == "tr":
            if self._context().name == "table":
                self._insert("tbody", "", position)
            if name != "tr" and self._context().name in SECTIONS:
                self._insert("tr", "", position)
        if name == "col":
            return
        self._insert(name, attributes, position)
        if name in MARKERS:
            self.formatting.append(None)

    def _is_beyond(self, open_part: str, name: str) -> bool:
        """Whether a part of a table has to end before another can begin."""
        if name == "col" and open_part == "colgroup":
            return False
        return LEVELS[open_part] >= LEVELS[name] or open_part in ("caption", "colgroup")

    # End tags

    def _end_tag(self, name: str) -> None:
        top = self.stack[-1]
        if top.space != HTML:
            place = self._place(name)
            if place > top.html_at:
                self._pop_to(place)
                return
            if name in ("br", "p"):
                while not self._is_html_here():
                    self._pop()
        if name in IGNORED_STARTS:
            return
        if name == "template":
            self._end_template()
        elif name in TABLE_PARTS or name == "table":
            self._end_table_part(name)
        elif name == "br":
            self._start_void(name, "", self.position)
        elif name == "p":
            self._end_paragraph()
        elif name == "form" and not self.places["template"]:
            self._end_form()
        elif name in HEADINGS:
            self._end_scoped(HEADINGS, self.stack[-1].scope_at)
        elif name == "li":
            self._end_scoped({name}, self.stack[-1].list_scope_at, besides=name)
        elif name in ("dd", "dt"):
            self._end_scoped({name}, self.stack[-1].scope_at, besides=name)
        elif name in ENDS_BLOCK or name in ("applet", "form", "marquee", "object"):
            self._end_scoped({name}, self.stack[-1].scope_at)
        elif name in FORMATTING:
            self._end_formatting(name)
        else:
            self._end_other(name)

    def _end_scoped(self, ended: frozenset[str] | set[str], scope_at: int, besides: str = "") -> None:
        """End the innermost of some elements, unless a scope lies between."""
        place = max(self._place(name) for name in ended)
        if place > 0 and place >= scope_at:
            self._imply_ends(besides=besides)
            self._pop_to(place)

    def _end_other(self, name: str) -> None:
        """End an element of phrasing, unless a block lies between."""
        place = self._place(name)
        if place > 0 and place >= self.stack[-1].special_at:
            self._pop_to(place)

    def _end_paragraph(self) -> None:
        place = self._place("p")
        if place <= 0 or place < self.stack[-1].button_scope_at:
            self._insert("p", "", self.position)
            place = self._place("p")
        self._pop_to(place)

    def _end_form(self) -> None:
        form, self.form = self.form, None
        if form is None or not form.is_open or form.index < self.stack[-1].scope_at:
            return
        self._imply_ends()
        if self.stack[-1] is form:
            self._pop()
        else:
            self._forget(form, is_over=False)  # what is open in it stays in it

    def _end_template(self) -> None:
        place = self._place("template")
        if place > 0:
            self._imply_ends(implied=THOROUGH_ENDS)
            self._pop_to(place)

    def _end_table_part(self, name: str) -> None:
        place = self._place(name)
        if place > 0 and place >= self.stack[-1].table_scope_at:
            self._pop_to(place)


_BEFORE_START = {
    **dict.fromkeys(HEADINGS, _Reader._before_heading),
    **dict.fromkeys(("li", "dd", "dt"), _Reader._before_item),
    **dict.fromkeys(("option", "optgroup"), _Reader._before_option),
    **dict.fromkeys(("rb", "rtc", "rt", "rp"), _Reader._before_ruby_text),
    "a": _Reader._before_anchor,
    "button": _Reader._before_button,
    "nobr": _Reader._before_nobr,
    "table": _Reader._before_table,
}
