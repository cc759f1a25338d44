"""Text in, the character spans of its sentences out: by rules for English and German that other languages survive.

A dot ends a sentence unless it belongs to an abbreviation, an initial, a number, an address or a file name. Every
pattern here walks the text once: 100 KB of dots or brackets take less than a second.
"""

from __future__ import annotations

import re
from itertools import compress
from typing import TYPE_CHECKING

from rag.text.languages import words_of
from rag.text.markup_lines import BLOCK_MARKS, DIRECTIVE_ALONE, NOTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LINE_END = re.compile(r"\r\n|\r|\n")  # not str.splitlines: a form feed or U+2028 ends no line of a file

_SPACES = re.compile(r"\s*")
_INDENT = re.compile(r"[ \t]*")
_TAIL = 64  # characters that are looked at together for white space at an end

_FULL_WIDTH_STOPS = "。！？｡"  # end a sentence without a space after them
_STOP = re.compile(
    r"(?P<run>[.!?…।؟۔。！？｡]+)"
    r"(?P<closers>[\"'”’»«›“)\]}*_`」』）】》〉]*)(?:\[\d{1,3}\])*"  # «» close in German and open in French; [3] cites
)
_OPENERS = re.compile(r"[\s\"'“„‚‘«»‹(\[{*_`¿¡]*")
_LETTERS = re.compile(r"[^\W\d_]{1,20}")
_MAX_TITLE = 200  # characters; what is longer is a paragraph that a line of dashes happens to follow
_TIMES_A_TITLE = 8  # as long as the line below it, a paragraph is no title
_MAX_CELLS, _MAX_ROW = 8, 1000  # of a row with a line for each cell; characters
_LOOK_BACK = 24  # characters; no abbreviation is longer

# Of a program's help, what stands before what an option does: beside it, or above it.
_OPTION = r"--?[A-Za-z]\S*(?:[ ]\S+){0,4}(?<![.!?:;,])(?:[ ]{2,}|\t+)(?=\S)(?![^\r\n]*\\[ \t]*(?:\Z|[\r\n]))"
_OPTION_ALONE = r"--?[A-Za-z][^\s,=]*(?:[ =][^\s,=]+|,[ ]--?[^\s,=]+){0,2}[ \t]*"
_LINE_MARK = re.compile(
    r"[ \t]*(?:"
    r"(?P<item>[-*+•‣◦·](?=[ \t])|\.(?=[ \t]+\S)|(?P<number>\d{1,3})[.)](?=[ \t]))"
    r"|(?P<heading>\#{1,6}(?=[ \t]))"
    r"|(?P<row>\||\+(?:[-=]+\+)+(?=[ \t]*\Z))|(?P<quote>>[> \t]*\Z)"  # the blank line of a quotation
    rf"|(?P<note>{NOTE}|{DIRECTIVE_ALONE}|\+(?=[ \t]*\Z))"  # a plus alone goes on with an item of AsciiDoc
    r"|(?P<underline>(?:=+|--+|(?P<rule>[*_~^+\#])(?P=rule){2,})(?=[ \t]*\Z))"
    r"|(?P<fence>`{3,8}|~{3,8})"
    rf"|(?P<option>{_OPTION}))"
)
OPTION_ROW = re.compile(rf"{_OPTION}|{_OPTION_ALONE}(?:\r\n|\r|\n)[ \t]+\S")
"""The beginning of an option of a program's help with what it does, beside it or below it and further in."""
_INDENTED_OPTION = re.compile(rf"[ \t]+{_OPTION_ALONE}\Z")
_LONGEST_OPTION = 80  # characters of a line that is an option alone
_TERM = re.compile(
    r"[ \t]+[A-Za-z<\[][^\s(){}=\"']+(?:[ ][^\s(){}=\"']+){0,3}(?<![.!?:;,])[ ]{2,}(?=[\w(\[])(?![^\r\n]*[\\;{,][ \t]*\Z)"
)
_FEWEST_TERMS = 3  # below each other; two lines are soon alike
_LONGEST_HELP = 400  # characters; what a row says that is longer is told apart into its sentences
_QUOTED = re.compile(r"[ \t]{0,3}>(?!>>|=)[ \t]?(\d)?")
_GRID_LINE = re.compile(r"[ \t]*[|+]")
_NO_FIRST_CELL = re.compile(r"[ \t]*\|[ \t]+\|")
_GRID_RULER = re.compile(r"[ \t]*\+(?:[-=]+\+)+[ \t]*\Z")
_MAX_GRID_ROW = 2000  # characters
_BACKTICKS = re.compile(r"`+")
_BARE_FENCE = re.compile(r"(?:(?<=[\r\n])|(?<!.))[ \t]*(`{3,8}|~{3,8})[ \t]*(?=[\r\n]|\Z)", re.DOTALL)


_BEFORE_NAMES = words_of(
    """dr mr mrs ms prof hr fr st mt gen col lt sgt capt maj rep sen gov pres rev hon messrs mme mlle dipl ing
    fa lfd med vs cf viz approx ca bzw resp evtl ggf inkl exkl zzgl vgl sog bspw insb einschl gem geb gest e.g i.e z.b d.h u.a
    o.ä i.d.r z.t v.a u.u s.o s.u"""
)
_BEFORE_NUMBERS = words_of(
    """no nos nr fig figs abb tab vol art sec ch chap eq eqs ref refs p pp s bd kap abs ziff anm max min str tel
    jan feb mar mär apr jun jul aug sep sept oct okt nov dec dez"""
)
_BEFORE_ANYTHING = words_of("jh al inc ltd co corp bros jr sr usw usf mio mrd dept univ a.m p.m")
_SPACED_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:z\.\s?B|d\.\s?h|u\.\s?a|o\.\s?ä|v\.\s?a|z\.\s?T|z\.\s?Z|u\.\s?U|s\.\s?o|s\.\s?u|i\.\s?A|m\.\s?E"
    r"|i\.\s?d\.\s?R|i\.\s?e|e\.\s?g)$"
)
_AFTER_ORDINALS = words_of(
    """januar jänner februar märz april mai juni juli august september oktober november dezember jahrhundert
    jahrhunderts jahrtausend weltkrieg weltkriegs quartal kapitel auflage klasse platz tag jahr mal stock"""
)
_BEFORE_ORDINALS = words_of("der die das den dem des im")  # am 15. may end a sentence
# The words that so often begin a sentence that they end one after "U.S." or an initial.
_STARTERS = words_of(
    """the this that these those it its he she they we you in on at for from with as if when while but and however
    then there here what who why how an to by after before also because since our my his her their not yes so such
    all some many most each der die das den dem des ein eine einer es er sie wir ihr ich im am auf aus bei mit nach
    von zu zum zur für wenn als da dann doch aber und oder auch wie was wer warum diese dieser dieses nicht kein keine
    man hier dort"""
)


def line_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    r"""Start and end of each line of text[start:end], without its line end; `\r\n`, `\r` and `\n` end a line."""
    end = len(text) if end is None else end
    for mark in LINE_END.finditer(text, start, end):
        yield start, mark.start()
        start = mark.end()
    yield start, end


def indent_of(line: str) -> int:
    """The columns before the first character of a line that is no space, with tab stops every 4."""
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())


def line_begin(text: str, position: int, begin: int = 0) -> int:
    r"""Where the line begins that a position is on, at `begin` if that is later.

    >>> line_begin("one\ntwo", 5), line_begin("one\ntwo", 5, 5)
    (4, 5)
    """
    return max(text.rfind("\n", begin, position), text.rfind("\r", begin, position), begin - 1) + 1


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the white space at its ends; start == end where nothing is left.

    It looks at the white space alone and not at what lies between, so a long text can be trimmed many times.
    """
    start = _match_end(_SPACES, text, start, end)
    while start < end:
        tail = text[max(start, end - _TAIL) : end]
        kept = len(tail.rstrip())
        end -= len(tail) - kept
        if kept:
            break
    return start, end


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of every sentence, trimmed and in order; together they hold each character that is not a space.

    A blank line ends a sentence, and so does the beginning or end of a quotation (`> `). A heading, a table row, a line of
    fenced code and one that opens or closes a note or a tab (`:::tip`) are one each, an option or command of a program's help
    is one with the lines below it that are further in, and a list item begins a new one; any other line end is a space.
    A row may have a line for each cell (AsciiDoc) if a blank line ends it, and several lines between the rulers of a grid
    (reStructuredText). Nothing ends between the backticks of code.

    >>> [("Dr. No met J. Bond. It rained."[a:b]) for a, b in split_sentences("Dr. No met J. Bond. It rained.")]
    ['Dr. No met J. Bond.', 'It rained.']
    """
    without_capitals = _is_without_capitals(text[:4096])
    sentences: list[tuple[int, int]] = []
    for start, end, is_prose in _with_grid_rows(text, _with_whole_rows(text, _paragraphs(text))):
        if is_prose:
            sentences.extend(_prose_sentences(text, start, end, without_capitals))
        else:
            sentences.append(trimmed(text, start, end))
    return sentences


def _is_without_capitals(sample: str) -> bool:
    """Whether this is a text written in small letters, where a small letter may begin a sentence."""
    return 200 * sum(map(str.isupper, sample)) < sum(map(str.islower, sample))


def _paragraphs(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start, end and whether it is prose, of each run of lines that no sentence crosses."""
    closing_fences = _last_bare_fences(text)
    fence = ""  # the marks that opened the fenced code the line is in
    start, end, in_item = -1, -1, False
    row = -1  # the columns that the first line of a row is in, -1 in anything else
    columns = _columns_of_terms(text)
    in_quote: bool | None = None  # of the paragraph, None where its lines have not told yet
    for line_start, line_end in line_spans(text):
        is_quote = _is_quoted(text, line_start, line_end)
        mark = _LINE_MARK.match(text, line_start, line_end)
        in_paragraph = start >= 0 and not in_item and not (mark and mark["number"] and _hangs(text, end, line_start))
        kind = _line_kind(text, line_start, line_end, mark, fence != "", in_paragraph)
        if mark and mark["fence"] and (fence or kind == "fence"):
            kind = "unit"
            if not fence and closing_fences.get(mark["fence"], -1) > line_end:
                fence = mark["fence"]
            elif fence and text[mark.start("fence") : line_end].strip() == fence:
                fence = ""
        if kind == "row" and start >= 0 and text.count("`", max(start, line_start - _MAX_ROW), line_start) % 2:
            kind = "text"  # within code
        if kind == "text" and (
            line_start in columns or ((start < 0 or row >= 0) and _is_option(text, line_start, line_end))
        ):
            kind = "row"
        goes_on = in_quote is None or is_quote in (None, in_quote)
        if kind == "text" and start >= 0 and goes_on and _indent_at(text, line_start, line_end) > row:
            end, in_quote = line_end, is_quote if in_quote is None else in_quote
            continue
        if kind == "underline" and start >= 0 and row < 0 and not _closes_block(text, start, end, line_start, line_end):
            yield start, line_end, line_end - start > _MAX_TITLE
            start = -1
            continue
        if start >= 0:
            yield start, end, row < 0 or end - start > _LONGEST_HELP
            start = -1
        if kind in ("text", "item", "row"):
            start, end, in_item = line_start, line_end, kind == "item"
            row = _indent_at(text, line_start, line_end) if kind == "row" else -1
            in_quote = is_quote if start else None  # the text may begin in the middle of a line
        elif kind != "blank":
            yield line_start, line_end, False
    if start >= 0:
        yield start, end, row < 0 or end - start > _LONGEST_HELP


def _columns_of_terms(text: str) -> frozenset[int]:
    """Where the lines begin of some terms below each other whose explanations begin in the same column."""
    found: set[int] = set()
    terms: list[int] = []
    column = -1
    for start, end in line_spans(text) if "   " in text else ():
        term = _TERM.match(text, start, end)
        if not term and start < end and _indent_at(text, start, end) >= column > 0:
            continue  # the explanation goes on
        if not term or term.end() - start != column:
            terms, column = [], term.end() - start if term else -1
        if term:
            terms.append(start)
        if len(terms) >= _FEWEST_TERMS:
            found.update(terms[-_FEWEST_TERMS:])
    return frozenset(found)


def _is_option(text: str, start: int, end: int) -> bool:
    """Whether a line that is further in is an option alone, with what it does below it and further in still."""
    if end - start > _LONGEST_OPTION or not _INDENTED_OPTION.match(text, start, end):
        return False
    below = LINE_END.match(text, end)
    return below is not None and _indent_at(text, below.end(), len(text)) > _indent_at(text, start, end)


def _indent_at(text: str, start: int, end: int) -> int:
    """The spaces and tabs that a line begins with."""
    return _match_end(_INDENT, text, start, end) - start


def _closes_block(text: str, start: int, end: int, line_start: int, line_end: int) -> bool:
    """Whether a line below a paragraph ends a block of AsciiDoc: what has a full stop, or is many times as long, is no title."""
    mark = text[line_start:line_end].strip()
    if mark not in BLOCK_MARKS:
        return False
    start, end = trimmed(text, max(start, line_begin(text, end)), end)
    return _STOP.match(text, end - 1) is not None or end - start > _TIMES_A_TITLE * len(mark)


def _is_quoted(text: str, start: int, end: int) -> bool | None:
    """Whether a line is one of a quotation in a mail or in Markdown; None for `> 5`, which may as well compare."""
    mark = _QUOTED.match(text, start, end)
    return None if mark and mark[1] else mark is not None


def _hangs(text: str, end: int, below: int) -> bool:
    """Whether the line that ends at `end` is further in than the one that begins at `below`, as the lines of an item are, whose
    number a slice of a document may lack."""
    above = line_begin(text, end)
    return _indent_at(text, above, end) > _indent_at(text, below, len(text))


def _with_whole_rows(text: str, paragraphs: Iterable[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
    """The same, with the lines of a row that has one for each cell as one run.

    Each line stays by itself where there are many without a blank one, for then they are several rows.
    """
    row: list[tuple[int, int, bool]] = []
    for one in paragraphs:
        start, end, is_prose = one
        is_cell = not is_prose and holds_one_cell(text[start:end])
        if row and (len(LINE_END.findall(text, row[-1][1], start)) > 1 or not (is_cell or is_prose)):
            yield from _one_row(row)
            row = []
        if is_cell or row:
            row.append(one)
        else:
            yield one
    yield from _one_row(row)


def holds_one_cell(line: str) -> bool:
    """Whether a line is a cell of a row that has a line for each.

    >>> holds_one_cell("|The port"), holds_one_cell("|name |port"), holds_one_cell("|===")
    (True, False, False)
    """
    return line.count("|") == 1 and line.lstrip().startswith("|") and line.strip("|= \t") != ""


def _one_row(lines: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    if len(lines) > _MAX_CELLS or (lines and lines[-1][1] - lines[0][0] > _MAX_ROW):
        return lines
    return [(lines[0][0], lines[-1][1], False)] if lines else []


def _with_grid_rows(text: str, paragraphs: Iterable[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
    """The same, with the lines of each row of a grid (`+---+---+`) as one run."""
    table: list[tuple[int, int, bool]] = []
    for one in paragraphs:
        is_line = not one[2] and _GRID_LINE.match(text, one[0], one[1]) is not None
        if table and not (is_line and len(LINE_END.findall(text, table[-1][1], one[0])) == 1):
            yield from _grid_rows(text, table)
            table = []
        if is_line:
            table.append(one)
        else:
            yield one
    yield from _grid_rows(text, table)


def _grid_rows(text: str, lines: list[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
    """The rows and rulers of a table. Where no ruler stands between its rows, only a line whose first cell is empty goes on.

    A table of a database has a ruler above and below its header and one at its end, and each line is a row.
    """
    rulers = [_GRID_RULER.match(text, start, end) is not None for start, end, _ in lines]
    if not any(rulers):
        yield from lines
        return
    is_grid = sum(rulers[1:-1]) > 1 or any("=" in text[line[0] : line[1]] for line in compress(lines, rulers))
    row: list[tuple[int, int, bool]] = []
    for line, is_ruler in zip(lines, rulers, strict=True):
        goes_on = is_grid or _NO_FIRST_CELL.match(text, line[0], line[1]) is not None
        if row and (is_ruler or not goes_on):
            yield from _one_grid_row(row)
            row = []
        if is_ruler:
            yield line
        else:
            row.append(line)
    yield from _one_grid_row(row)


def _one_grid_row(lines: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    if not lines or lines[-1][1] - lines[0][0] > _MAX_GRID_ROW:
        return lines
    return [(lines[0][0], lines[-1][1], False)]


def _line_kind(text: str, start: int, end: int, mark: re.Match[str] | None, in_fence: bool, in_paragraph: bool) -> str:
    """What a line is: blank, unit (a sentence of its own), row (one with what is further in), item, underline, fence, or text."""
    if start == end or text[start:end].isspace():
        return "blank"
    if in_fence or text.find(" | ", start, end) >= 0:
        return "unit"
    if mark is None or mark.lastgroup is None:
        return "text"
    if mark["number"] and in_paragraph and mark["number"] != "1":
        return "text"  # CommonMark's rule: "5. Mai" at the start of a wrapped line begins no list
    if mark["item"]:
        return "item"
    if mark["underline"]:
        return "underline"
    if mark["fence"]:
        return "text" if "`" in text[mark.end() : end] else "fence"
    if mark["option"]:
        return "row"
    return "unit"


def _last_bare_fences(text: str) -> dict[str, int]:
    """Where each kind of closing fence occurs last: a slice of a document may hold a fence that nothing closes."""
    if "```" not in text and "~~~" not in text:
        return {}
    return {mark[1]: mark.start(1) for mark in _BARE_FENCE.finditer(text)}


def _prose_sentences(text: str, start: int, end: int, without_capitals: bool) -> Iterator[tuple[int, int]]:
    """The sentences of one paragraph."""
    code = _code_spans(text, start, end)
    code_start, code_end = next(code, (end, end))
    for stop in _STOP.finditer(text, start, end):
        while code_end <= stop.start():
            code_start, code_end = next(code, (end, end))
        if code_start < stop.end() < code_end:
            continue
        if _ends_sentence(text, start, stop, end, without_capitals):
            yield trimmed(text, start, stop.end())
            start = stop.end()
    rest = trimmed(text, start, end)
    if rest[0] < rest[1]:
        yield rest


def _code_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of what stands between backticks in a paragraph, with them: as many close it as open it.

    A backtick that nothing closes is an accent, a mark of feet or a slip, and so is one that the next of its kind cannot close.
    """
    runs = [mark.span() for mark in _BACKTICKS.finditer(text, start, end)]
    after: dict[int, tuple[int, int]] = {}  # for each number of backticks the next run
    following: list[tuple[int, int] | None] = []
    for run in reversed(runs):
        following.append(after.get(run[1] - run[0]))
        after[run[1] - run[0]] = run
    done = start
    for opening, closing in zip(runs, reversed(following), strict=True):
        if opening[0] >= done and closing and _is_code(text, opening, closing):
            done = closing[1]
            yield opening[0], done


def _is_code(text: str, opening: tuple[int, int], closing: tuple[int, int]) -> bool:
    r"""Whether two runs of backticks have code between them: none opens behind a letter or `\`, or between a space and the code.

    Two and more may have a space on both sides: ``` `` `a` `` ```.
    """
    before = text[opening[0] - 1] if opening[0] else ""
    if before.isalnum() or before == "\\":
        return False
    spaces = text[opening[1]].isspace(), text[closing[0] - 1].isspace()
    return spaces == (False, False) or (spaces == (True, True) and opening[1] - opening[0] > 1)


def _ends_sentence(text: str, start: int, stop: re.Match[str], end: int, without_capitals: bool) -> bool:
    """Whether the sentence that began at `start` ends with this stop."""
    after = stop.end()
    if after >= end:
        return False  # the paragraph ends it
    if stop["run"].startswith(".") and _begins_line(text, stop.start()):
        # `.. highlight:: python` of reStructuredText, `... x = 1` of a session of Python, an item of AsciiDoc
        return False
    if stop["run"][-1] in _FULL_WIDTH_STOPS:
        return not (stop["closers"] and "\u3041" <= text[after] <= "\u309f")  # 「はい。」と goes on
    if not text[after].isspace():
        return False
    following = _match_end(_OPENERS, text, after, end)
    if following >= end:
        return False
    if text[following].islower() and not without_capitals:
        return False
    return stop["run"] != "." or not _is_abbreviation(text, start, stop.start(), following, end)


def _begins_line(text: str, position: int) -> bool:
    """Whether only spaces stand before a position on its line, as far as is looked back."""
    before = text[max(0, position - _LOOK_BACK) : position].rstrip(" \t")
    return not before or before[-1] in "\r\n"


def _match_end(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    """Where the pattern, which may match nothing, stops matching."""
    match = pattern.match(text, start, end)
    return match.end() if match else start


def _is_abbreviation(text: str, start: int, dot: int, following: int, end: int) -> bool:
    """Whether the dot at `dot` belongs to the word before it, given the word that follows."""
    before = text[max(start, dot - _LOOK_BACK) : dot]
    words = before.split()
    if not words:
        return False
    word = words[-1].lstrip("\"'“„‚‘«»‹([{*_`-–—/").casefold()
    is_first = len(words) == 1 and dot - start <= _LOOK_BACK
    if is_first and (len(word) == 1 or re.fullmatch(r"[\d.]{1,8}|[ivx]{1,5}", word)):
        return True  # "2. Install" is a numbered heading
    if word in _BEFORE_NAMES or _SPACED_ABBREVIATION.search(before):
        return True
    letters = _LETTERS.match(text, following, end)
    next_word = letters[0].casefold() if letters else ""
    if word in _BEFORE_NUMBERS and (text[following].isdigit() or len(next_word) == 1):
        return True
    if word.isdigit():
        before_it = words[-2].casefold() if len(words) > 1 else ""
        is_ordinal = before_it in _BEFORE_ORDINALS and next_word not in _STARTERS
        return len(word) <= 2 and (next_word in _AFTER_ORDINALS or is_ordinal)
    is_initial = len(word) == 1 and word.isalpha()
    is_dotted = "." in word and all(len(part) <= 3 and part.isalpha() for part in word.split("."))
    return (is_initial or is_dotted or word in _BEFORE_ANYTHING) and next_word not in _STARTERS
