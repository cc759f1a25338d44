"""A found chunk in, what can be quoted of it out: its sentences, rows and items, each an exact slice.

A sentence that announces a list, a table or code brings it along, within bounds and cut between items. A row has the
header of its table as context, an item the sentence that introduces its list: they are quoted too, and stand elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from rag.text.analyser import WORD
from rag.text.columns import RULER, column_rows, has_columns
from rag.text.markup_lines import (
    ABOVE_LISTING,
    BLOCK_MARKS,
    COMMENT,
    DOMAIN_DIRECTIVE,
    MARKUP,
    MARKUP_LINE,
    OBJECT_OPTIONS,
    OPTION_LINE,
)
from rag.text.sentences import OPTION_ROW, indent_of, line_begin, line_spans, split_sentences, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sql.records import Hit
    from sql.records.documents import Outline

MOST_LINES = 20  # of what a sentence brings along; and so many characters
MOST_CHARACTERS = 1200
REMEMBERED_CHUNKS = 1000  # whose quotations are not looked for again, some 5 kB each
FEWEST_WORDS = 3  # below it a line is a heading, a cell or a fragment

_UNDERLINED = re.compile(
    r"[\r\n][ \t]*(?!\+[ \t]*$)([=~^\"#*+-])\1*[ \t]*$"
)  # a heading of Markdown or reStructuredText
_PAIR = re.compile(r"[^:=\r\n]{1,200}(?::\s|=)\s*\S")  # dedupingInterval: 2000
_SETTING = re.compile(r"(?:- )?(?:export )?[\"']?[^\W\d][\w.$-]{0,80}[\"']?[ \t]{0,40}(?::(?:\s|\Z)|=)")
_QUESTION_MARK = re.compile(r"[?？؟\u037e⁇⁈⁉‽⸮፧﹖][!！.…]*[\"'*_`)\]»”’“«」』）》〉~\s]*(?:\[\d+\]\s*)*$")
_GREEK_QUESTION = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff][\"'*_)\]»”\s]*;[\"'*_)\]»”\s]*$")

_DELIMITED = re.compile(r"[^\r\n.!?|]*[^\s|][,;\t|](?!\s*$)[^\r\n.!?]*$")  # the header of a CSV or TSV file
_COLON = re.compile(r"[:：][*_`\"”»)\s]*$")
_TRAILS_OFF = re.compile(r"(?:\.\.\.|…)[*_`\"»)\s]*$")  # `So do it explicitly...` above the code that does
_FULL_STOP = re.compile(r"[.!…。！][\"'*_)\]”»]*\Z")
_STOPPED = re.compile(r"[.!?…。！？।۔;][\"'*_`)\]»”’“«」』）》〉\s]*(?:\[\d+\]\s*)*$")
_ANNOUNCES = re.compile(
    r"\b(?:following|follows|below|these|those are|such as|for example|e\.g\.|folgend\w*|folgt|unten|diese[sr]?|"
    r"zum beispiel|z\. ?b\.|suivant\w*|ci-dessous|voici|siguiente\w*|abajo|seguent\w*|seguinte\w*|abaixo|volgende|"
    r"hieronder)\b",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣◦·][ \t]|(?:\d{1,3}|[a-zA-Z])[.)][ \t]|#?\.[ \t])")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_LISTING = re.compile(r"(?:-{4,}|\.{4,})[ \t]*\Z")  # of AsciiDoc, and what stands above its fence
_ATTRIBUTES = re.compile(r"\[[^\[\]]+\][ \t]*\Z")  # of a block of AsciiDoc
_MOST_ABOVE_LISTING = 8  # lines
# Or the anchor that AsciiDoc and reStructuredText have above one.
_HEADING = re.compile(r"(?:#{1,6}|={1,6})\s|\[\[[^\[\]]+\]\][ \t]*\Z|\.\.[ \t]+_[^\n]{1,200}:[ \t]*\Z")
_DIRECTIVE = re.compile(r"\.\.[ \t]+[\w:-]+::[ \t]")  # of reStructuredText, with what it is about: `.. option:: --all`
_ANY_DIRECTIVE = re.compile(r"[ \t]*\.\.[ \t]+[\w:+-]+::(?:[ \t]|\Z)")
# Those that no sentence announces but by a colon: they speak for themselves.
_ASIDE = re.compile(
    r"[ \t]*\.\.[ \t]+(?:admonition|attention|caution|danger|deprecated|error|hint|important|note|rubric|seealso|tip|todo"
    r"|topic|versionadded|versionchanged|versionremoved|warning)::",
    re.IGNORECASE,
)
# Those that describe a thing of a program: `.. function:: range(stop)`, `.. py:class:: Kiln`.
_DESCRIPTION = re.compile(
    r"[ \t]*\.\.[ \t]+((?:[a-z]+:)?(?:attribute|class|cmdoption|confval|data|decorator|describe|envvar|exception|function|macro"
    r"|member|method|module|object|option|program|property|struct|type|var))::[ \t]+\S"
)
BLANK_LINE = re.compile(r"(?:\r\n|\r|\n)[ \t]*(?:\r\n|\r|\n)")
_HEADING_END = re.compile(r"[ \t]*(?:#+|\{[^{}]*\}|\[#[^\[\]]*\])?[ \t]*$")
_QUOTE_MARK = re.compile(r"(?!>>>)(?:>(?!=)[ \t]*)+(?=[^\s\d])")  # of Markdown and mail
_GRID = re.compile(r"[ \t]*\+[-=+]+\+")


@dataclass(frozen=True, slots=True)
class Context:
    """What a quotation cannot be understood without: its own exact slice of the text, elsewhere."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Quotation:
    """A span of a document that can be quoted, in code points; `is_cut` where more belongs to it than is quoted.

    `lines` says that its line ends mean something: it has brought along a list, a table or code.
    """

    start: int
    end: int
    text: str
    heading: str
    context: Context | None = None
    lines: bool = False
    is_cut: bool = False
    question: str = ""  # the heading right above it, where that asks what it answers

    @property
    def is_row(self) -> bool:
        """Whether it is a row of a table or a line that gives a name a value: all of it is about its first cell."""
        if self.context is not None and (is_delimited(self.context.text) or has_columns(self.context.text)):
            return True
        return len(cells(self.text)) > 1 or any(one.match(self.text) for one in (_PAIR, OPTION_ROW))


def quotations(hit: Hit) -> Sequence[Quotation]:
    """What can be quoted of a chunk, in order. Headings, mere markup and questions are left out.

    What follows a question answers it, up to the end of its paragraph or list, however short: `Not at present.` The
    question is its context, unless it is the heading.
    """
    return _quotations(hit.text, hit.start, hit.heading, hit.outline)


@lru_cache(maxsize=REMEMBERED_CHUNKS)
def _quotations(whole: str, first: int, path: str, outline: Outline) -> tuple[Quotation, ...]:
    """The same of the text of a chunk, which begins at `first`, below a path of headings."""
    return tuple(_found(whole, first, path, outline))


def _found(whole: str, first: int, path: str, outline: Outline) -> Iterator[Quotation]:
    headers = {(lead.lead_start, lead.lead_end) for lead in outline.leads}
    above = _Above(whole)
    unseen = _Unseen(whole)
    for begin, end in _with_whole_answers(whole, _spans_and_rows(whole, first, outline)):
        start = _after_mark(whole, begin, end)
        if unseen.hold(start, end):
            continue
        place = first + start, first + end
        text = whole[start:end]
        above.pass_to(start)
        is_heading = outline.is_heading(*place) or is_markup(text)
        if is_heading or asks(text):
            above.enter(start, end, is_heading=is_heading)
            continue
        asked, above.last_end = above.question, end
        if place in headers and (len(cells(text)) > 1 or is_delimited(text) or has_columns(text)):
            continue
        lead = outline.lead_at(*place)
        context = None if lead is None else Context(lead.lead_start, lead.lead_end, lead.text)
        if context is None and asked is not None and not above.is_heading:
            context = Context(first + asked[0], first + asked[1], whole[slice(*asked)])
        last, is_cut = carried(whole, start, end, outline.following)
        if last == end and DOMAIN_DIRECTIVE.match(text):
            continue
        if says_something(whole[start:last], context, is_answer=asked is not None):
            heading = outline.heading_at(place[0], path)
            question = _unmarked(whole[slice(*asked)]) if asked is not None and above.is_heading else ""
            yield Quotation(
                place[0],
                first + last,
                whole[start:last],
                heading,
                context,
                lines=last > end,
                is_cut=is_cut,
                question=question,
            )


def _after_mark(text: str, start: int, end: int) -> int:
    """Where a sentence begins behind the marks of a quotation; `> 5` may as well compare."""
    mark = _QUOTE_MARK.match(text, start, end) if start == line_begin(text, start) else None
    return mark.end() if mark else start


def _with_whole_answers(text: str, divided: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans, of which a word or two that answer a question right above (`Yes.`) are one with the sentence after them."""
    above = (0, 0)
    opening: tuple[int, int] | None = None
    for span in divided:
        if opening and _goes_on(text, opening, span):
            span = opening[0], span[1]
        elif opening:
            yield opening
            above = opening
        opening = None
        if _is_opening(text, *span) and asks(_unmarked(text[slice(*above)])):
            opening = span
        else:
            yield span
            above = span
    if opening:
        yield opening


def _is_opening(text: str, start: int, end: int) -> bool:
    """Whether a sentence is a word or two with a stop."""
    is_short = sum(1 for _ in islice(WORD.finditer(text, start, end), FEWEST_WORDS)) < FEWEST_WORDS
    return is_short and _FULL_STOP.search(text, start, end) is not None


def _goes_on(text: str, opening: tuple[int, int], span: tuple[int, int]) -> bool:
    """Whether a sentence tells more of the same paragraph."""
    between = text[opening[1] : span[0]]
    is_apart = between.strip() or BLANK_LINE.search(between) or _ITEM.match(text, span[0])
    return not (is_apart or is_markup(text[slice(*span)]) or asks(text[slice(*span)]))


class _Unseen:
    """What no reader of a text sees: comments of HTML and Markdown, options of mkdocstrings. Asked about spans in order."""

    def __init__(self, text: str) -> None:
        found = [*COMMENT.finditer(text)] if any(one in text for one in ("<!--", "<%#", "{#", "{%")) else []
        if ":::" in text:
            found += OBJECT_OPTIONS.finditer(text)
        self._spans = sorted(one.span() for one in found)
        self._next = 0

    def hold(self, start: int, end: int) -> bool:
        """Whether one of them, which may have several paragraphs, holds all of a span."""
        while self._next < len(self._spans) and self._spans[self._next][1] < end:
            self._next += 1
        return self._next < len(self._spans) and self._spans[self._next][0] <= start


class _Above:
    """The question that stands above a place of a text, if what stands there answers it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.question: tuple[int, int] | None = None
        self.is_heading = False
        self.last_end = -1  # of what has been said since, -1 for nothing

    def enter(self, start: int, end: int, *, is_heading: bool) -> None:
        """A heading, a line of markup or a question; only a heading that says something ends the one above."""
        if asks(_unmarked(self._text[start:end])):
            self.question, self.is_heading = (start, end), is_heading
        elif WORD.search(self._text, start, end):
            self.question = None
        self.last_end = -1

    def pass_to(self, start: int) -> None:
        """A new paragraph after an answer ends it, unless it is the next item of a list."""
        is_new = self.last_end >= 0 and BLANK_LINE.search(self._text, self.last_end, start)
        if is_new and not _ITEM.match(self._text, line_begin(self._text, start)):
            self.question = None


def _unmarked(text: str) -> str:
    """A heading without its marks: `Why?` of `## Why? { #why }`."""
    lines = (_HEADING_END.sub("", line) for line in text.splitlines() if WORD.search(line))
    return " ".join(lines).strip("#* \t")


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the sentences of a text; of settings (`name: value`), which no stop divides, of each line."""
    for start, end in split_sentences(text):
        lines = [trimmed(text, *span) for span in line_spans(text, start, end)]
        if len(lines) > 1 and all(_SETTING.match(text, *line) for line in lines if line[0] < line[1]):
            yield from (line for line in lines if line[0] < line[1])
        else:
            yield start, end


def _spans_and_rows(whole: str, begin: int, outline: Outline) -> Iterator[tuple[int, int]]:
    """The spans of a chunk's text; each row below the header of delimited text or of columns, which no stop divides, is one."""
    done = 0
    for lead in outline.leads:
        first = max((lead.lead_start if lead.lead_start >= begin else lead.start) - begin, done)
        last = min(lead.end - begin, len(whole))
        if first < last and is_delimited(lead.text):
            yield from ((done + start, done + end) for start, end in spans(whole[done:first]))
            yield from _rows(whole, first, last)
            done = last
        elif first < last and has_columns(lead.text):
            yield from ((done + start, done + end) for start, end in spans(whole[done:first]))
            if lead.lead_start >= begin and first < lead.lead_end - begin <= last:
                yield first, lead.lead_end - begin
                first = lead.lead_end - begin
            yield from column_rows(whole, first, last)
            done = last
    yield from ((done + start, done + end) for start, end in spans(whole[done:]))


def _rows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The rows of delimited text, several lines where a field in quotation marks has them."""
    begin = -1
    for line in line_spans(text, start, end):
        begin = line[0] if begin < 0 else begin
        if text.count('"', begin, line[1]) % 2 == 0:
            row, begin = trimmed(text, begin, line[1]), -1
            if row[0] < row[1]:
                yield row
    rest = trimmed(text, begin, end) if begin >= 0 else (end, end)
    if rest[0] < rest[1]:
        yield rest


def is_delimited(header: str) -> bool:
    """Whether the line above rows is that of a CSV or TSV file.

    >>> is_delimited("name;city"), is_delimited("| name | city |"), is_delimited("Such as these, first:")
    (True, False, False)
    """
    return _DELIMITED.match(header) is not None and not _COLON.search(header) and " | " not in header


def is_markup(text: str) -> bool:
    """Whether a sentence is a heading, a rule, a fence or a tag."""
    return MARKUP.match(text) is not None or _UNDERLINED.search(text) is not None


def asks(text: str) -> bool:
    """Whether a sentence asks: nearest to a question of all, and no answer."""
    return _QUESTION_MARK.search(text) is not None or _GREEK_QUESTION.search(text) is not None


def says_something(text: str, context: Context | None = None, *, is_answer: bool = False) -> bool:
    """Whether a text is more than a word or two by themselves: it has three, or a name and a value, or a context, or
    answers the question above."""
    if len(WORD.findall(text)) >= FEWEST_WORDS:
        return True
    is_pair = len(cells(text)) > 1 or _PAIR.match(text) is not None
    return (is_pair or is_answer or context is not None) and WORD.search(text) is not None


def cells(text: str) -> list[str]:
    """The cells of a row of a table that hold something; one for a text without a bar."""
    return [cell for cell in text.split("|") if WORD.search(cell)]


# What a sentence brings along


def carried(text: str, start: int, end: int, following: str = "", *, again: bool = True) -> tuple[int, bool]:
    """Where a sentence ends with what it announces, and whether more of that follows; its own end where it is nothing.

    `following` is how the document goes on behind the text, of which nothing is brought along. A paragraph that is announced
    may announce something `again`.
    """
    begin = line_begin(text, start)
    item = _ITEM.match(text, begin)
    lines = _Lines(text + following, end, len(item[0].expandtabs(4)) if item else indent_of(text[begin:start]))
    if lines.rest_of_line.strip() or lines.first is None:
        return end, False
    kind = lines.kind
    announces = (
        _COLON.search(text, start, end)
        or _DIRECTIVE.match(text, start, end)
        or (kind == "fence" and _TRAILS_OFF.search(text, start, end) and WORD.search(text, start, end))
        or (
            kind != "paragraph"
            and not _ASIDE.match(lines.first)
            and (_ANNOUNCES.search(text, start, end) or _is_left_open(text, start, end, lines))
        )
    )
    says_nothing = kind == "paragraph" and (lines.is_elsewhere or _ATTRIBUTES.match(lines.first))
    if kind == "heading" or not announces or says_nothing:
        return end, False
    if kind == "table" and text.startswith("|", start):
        return end, False  # a row may say `see below`, and brings along no other
    indent = indent_of(text[begin:start])
    below = indent_of(lines.first)
    # Code is further in than colons by themselves, all else no further out than the sentence.
    if below <= lines.colons_depth if lines.colons_depth >= 0 else below < indent:
        return end, False
    if item and below == indent and kind == "list":
        return end, False  # the next item of the list that the sentence stands in, or what comes after that list
    if below == indent and _DIRECTIVE.match(text, start, end):
        return end, False  # what is not indented below a directive, such as `.. versionadded:: 2.0`, is no part of it
    whole, is_cut = _bounded_end(lines, end, len(text))
    if again and kind == "paragraph" and not is_cut and _COLON.search(text, end, whole):  # `Example:`
        further = carried(text, line_begin(text, whole) + below, whole, following, again=False)
        return further if further[0] - end <= MOST_CHARACTERS else (whole, is_cut)
    return whole, is_cut


def _is_left_open(text: str, start: int, end: int, lines: _Lines) -> bool:
    """Whether a sentence has no stop and goes on in the list, or, after a blank line, in the fence or table below it.

    A row, a setting and a line of code have no stop either.
    """
    if lines.kind in ("code", "directive") or _STOPPED.search(text, start, end) or _SETTING.match(text, start, end):
        return False
    sentence = text[start:end]
    if len(WORD.findall(sentence)) < FEWEST_WORDS or "|" in sentence or _GRID.match(sentence):
        return False
    return lines.kind == "list" or lines.after_blank


class _Lines:
    """The lines that follow a sentence, and what they are.

    Markup between the two is left out where it stands no further in than the `column` of the sentence: further in it is code
    that a template is written in.
    """

    def __init__(self, text: str, end: int, column: int = 0) -> None:
        self.text = text
        spans = line_spans(text, end)
        first_start, first_end = next(spans)
        self.rest_of_line = text[first_start:first_end]
        self.spans = [span for span, _ in zip(spans, range(4 * MOST_LINES), strict=False)]
        self.after_blank = bool(self.spans) and _is_blank(text[slice(*self.spans[0])])
        self.is_elsewhere = False  # the first of what the sentence announces, which a line of markup stands for
        self.colons_depth = -1  # where that is code below colons that stand by themselves, their depth
        del self.spans[: self._markup_lines(column)]
        self.first = text[slice(*self.spans[0])] if self.spans else None
        self.opening, self.closing = self._fences()
        second = text[slice(*self.spans[1])] if len(self.spans) > 1 else ""
        self.kind = "fence" if self.closing else _kind(self.first or "", second)

    def _markup_lines(self, column: int) -> int:
        """How many lines stand above the first that says something."""
        owner: re.Match[str] | None = None  # the last line of markup, to which lines further in may belong
        at, depth = 0, 0
        for number, span in enumerate(self.spans):
            line = self.text[slice(*span)]
            if _is_blank(line) or (owner and _belongs(line, owner, depth)):
                continue
            if owner and _stands_for(owner) and indent_of(line) > depth:
                return at  # a text below it
            owner, at, depth = MARKUP_LINE.match(line), number, indent_of(line)
            if owner is None or depth > column:
                return number
            self.colons_depth = depth if owner["literal"] else -1
            self.is_elsewhere = self.is_elsewhere or _stands_for(owner)
        return len(self.spans)

    def _fences(self) -> tuple[int, str]:
        """The number of the line that opens what is between fences, and the line that closes it, "" where there are none.

        A listing of AsciiDoc may have a title, attributes and the frame of an example above its fence, one of Markdown an
        element of HTML, such as the name of its file.
        """
        for number, span in enumerate(self.spans[: _MOST_ABOVE_LISTING + 1]):
            line = self.text[slice(*span)]
            if fence := _FENCE.match(line):
                return number, fence[1]
            if number and _LISTING.match(line):
                return number, line.strip()
            if not ABOVE_LISTING.match(line) and (line.strip() or not number):
                break
        return 0, ""

    def units(self) -> Iterator[tuple[int, int]]:
        """Start and end of each item, row, line of code or paragraph that belongs to what begins here."""
        base = indent_of(self.first or "")
        unit: tuple[int, int] | None = None
        after_blank = False
        for number, (start, end) in enumerate(self.spans):
            line = self.text[start:end]
            if _is_blank(line):
                after_blank = True
                continue
            if number and self._ends(line, base, after_blank=after_blank):
                break
            joins = unit is not None and self.kind in ("list", "paragraph") and not self._begins(line, base)
            if unit is not None and not joins:
                yield unit
            unit = (unit[0] if joins and unit else start, trimmed(self.text, start, end)[1])
            after_blank = False
            if number > self.opening and self.closing and line.strip() == self.closing:
                break
        if unit is not None:
            yield unit

    @property
    def is_open(self) -> bool:
        """Whether code between fences ends beyond the text, or beyond what was looked at of it."""
        inner = self.spans[self.opening + 1 :]
        return self.closing != "" and not any(self.text[slice(*span)].strip() == self.closing for span in inner)

    def _ends(self, line: str, base: int, *, after_blank: bool) -> bool:
        """Whether a line that is not blank comes after what began."""
        if self.kind == "fence":
            return False
        if self.kind == "directive":
            return indent_of(line) < base or (indent_of(line) == base and not self._describes_another(line))
        if self.kind == "columns":
            return after_blank
        if _HEADING.match(line):
            return True
        if self.kind == "table":
            return after_blank or not ("|" in line or _GRID.match(line))
        if self.kind == "paragraph":
            return after_blank or any(one.match(line) for one in (_ITEM, _FENCE, MARKUP_LINE))
        if self.kind == "code":
            return indent_of(line) < base
        if self.kind == "list" and line.rstrip(" \t") in BLOCK_MARKS:
            return True
        return indent_of(line) < base or (after_blank and indent_of(line) == base and not _ITEM.match(line))

    def _describes_another(self, line: str) -> bool:
        """Whether a line describes the next of several things of one kind, as `.. function:: dict()` may after another."""
        here, there = _DESCRIPTION.match(self.first or ""), _DESCRIPTION.match(line)
        return here is not None and there is not None and here[1] == there[1]

    def _begins(self, line: str, base: int) -> bool:
        """Whether a line begins a unit of its own."""
        return self.kind == "list" and indent_of(line) <= base and _ITEM.match(line) is not None


def _kind(line: str, following: str) -> str:
    """What a line begins."""
    if RULER.match(line) or RULER.match(following):
        return "columns"
    if _HEADING.match(line) or _UNDERLINED.search(f"\n{following}"):
        return "heading"
    if line.lstrip().startswith("|") or " | " in line or _GRID.match(line):
        return "table"
    if _ITEM.match(line):
        return "list"
    if _ANY_DIRECTIVE.match(line):
        return "directive"
    return "code" if indent_of(line) >= 2 else "paragraph"


def _is_blank(line: str) -> bool:
    """Whether a line says nothing, be it of a quotation (`>`)."""
    return not line.strip("> \t\r\f\v")


def _stands_for(owner: re.Match[str]) -> bool:
    """Whether a reader of the page sees what stands in another file where this line of markup is."""
    return bool(owner["described"] or owner["elsewhere"])


def _belongs(line: str, owner: re.Match[str], depth: int) -> bool:
    """Whether a line is part of the line of markup above it, which stands at a depth."""
    if owner["shortcode"] or owner["literal"] or indent_of(line) <= depth:
        return False
    return not _stands_for(owner) or OPTION_LINE.match(line) is not None or owner[0].lstrip().startswith(":")


def _bounded_end(lines: _Lines, end: int, limit: int) -> tuple[int, bool]:
    """The end of the last unit within the bounds, and whether there are more; what goes on beyond the limit ends there."""
    first = lines.spans[0][0]
    last = end
    for start, unit_end in lines.units():
        count = sum(start <= unit_end for start, _ in lines.spans if start < unit_end)
        if count > MOST_LINES or min(unit_end, limit) - first > MOST_CHARACTERS:
            return last, True
        if unit_end > limit:
            last = limit if start < limit else last
            return last if last > first else end, True
        last = unit_end
    if lines.is_open and last <= lines.spans[lines.opening][1]:
        return end, True  # a fence with nothing below it
    return last, lines.is_open
