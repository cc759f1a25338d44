"""An exact slice of a document in, the same as people read it out: one line of prose, or the lines that mean something."""

from __future__ import annotations

import re
from itertools import pairwise

from rag.text.markup_lines import MARKUP_LINE, OPTION_LINE
from rag.text.sentences import indent_of

_MARK = re.compile(r"[ \t]*(?!>>>)((?:>(?!=)[ \t]?)+|//[/!]*)[ \t]?")  # of a quote in Markdown and mail, of a comment
_IS_NUMBER_BELOW = re.compile(r"\A[^\n>]*\n> ?\d[^\n]*\Z")  # a wrapped sentence of two lines that compares: `x\\n> 3`
_ELEMENT = re.compile(r"\A[ \t]*<(\w+)[^<>]*>([^<>]*)</\1>[ \t]*\Z")  # of HTML in Markdown, that is all of a line
_CODE_LINE = re.compile(
    r"""[ \t]*(?:
    </?[\w:-]+(?:[ ][^<>]*)?>(?:.*>)?[ \t]*\Z
    |.*(?:[;{}(\[]|->|=>|\):|\\)[ \t]*\Z
    |@\w[\w.]*(?:\(.*)?\Z|\.\w+\(|[})\]]|/\*|\*/|\$[ ]|>>>[ ]|\#!
    |(?:def|class|fn|func|function|if|elif|else|for|while|try|except|with)\b.*:[ \t]*(?:\#.*)?\Z
    |(?:from[ ][\w.]+[ ])?import[ ][\w.*{]
    |[\w.\[\]\"']+(?:,[ ][\w.*]+)*[ ]?[-+*/|]?=[ ]?\S
    |(?:(?:await[ ]|return[ ])?[\w.:]+|return[ ])\(.*\)[;,]?[ \t]*\Z
    )""",
    re.VERBOSE,
)
_LISTING_END = re.compile(r"(?:-{4,}|\.{4,})[ \t]*\Z")
_OPENS = re.compile(r"[:{(\[][ \t]*\Z|\A<\w[^<>]*(?<!/)>[ \t]*\Z")
_CLOSES = re.compile(r"[})\]]|</")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})|(-{4,}|\.{4,})[ \t]*\Z")  # of Markdown; of AsciiDoc
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣◦·]|\w{1,3}[.)]|#\.)[ \t]")
_LEAST_INDENT = 2  # columns; of code below the sentence that announces it
_STEP = 4  # columns of an indentation that nothing else tells


def shown_text(text: str, *, lines: bool) -> str:
    """A quotation as it is read. `lines` says that its line ends mean something; those of code always do.

    >>> shown_text("If it changes\\n> to 256, it\\n> stops.", lines=False)
    'If it changes to 256, it stops.'
    """
    pieces = _without_marks(text.splitlines())
    pieces = _with_plain_titles(_without_markup(pieces) if lines else pieces)
    all_code = is_code(pieces)
    if not lines and not all_code:
        return " ".join(_as_one_row(pieces).split())
    in_code = _are_in_code(pieces, all_code=all_code)
    if all_code:
        pieces = _dedented(pieces)
    kept = (piece.rstrip() for piece, is_in_code in zip(pieces, in_code, strict=False) if piece.strip() or is_in_code)
    return "\n".join(kept).strip("\n")


def _with_plain_titles(lines: list[str]) -> list[str]:
    """Lines, the titles of code without the element that they are: `<span class="file">a.rs</span>` above a fence.

    Any other element stays as it is, for it may be code.
    """
    in_code = _are_in_code(lines, all_code=False)
    titled: list[str] = []
    is_above_fence = False
    for line, is_in_code in reversed(list(zip(lines, in_code, strict=True))):
        titled.append(_ELEMENT.sub(r"\2", line) if is_above_fence and not is_in_code else line)
        if line.strip():
            is_above_fence = is_in_code and _FENCE.match(line) is not None
    return titled[::-1]


def _are_in_code(lines: list[str], *, all_code: bool) -> list[bool]:
    """Whether each line stands in code: between fences, in what is indented below a blank line and no list, or, if most is
    code, anywhere behind the first line of it."""
    fence, base, after_blank, begun = "", 0, False, False
    found: list[bool] = []
    for line in lines:
        mark, is_blank = _FENCE.match(line), not line.strip()
        indent = indent_of(line)
        if not fence and not is_blank and (indent < base or (after_blank and not base)):
            base = indent if indent >= _LEAST_INDENT and after_blank and not _ITEM.match(line) else 0
        found.append(fence != "" or mark is not None or base > 0 or begun)
        if fence:
            fence = "" if line.strip() == fence else fence
        elif mark:
            fence = mark[1] or mark[2]
        begun = begun or (all_code and _CODE_LINE.match(line) is not None)
        after_blank = is_blank
    return found


def _as_one_row(lines: list[str]) -> str:
    """Lines as one; those of a row of a grid by its cells, which stand between bars below each other."""
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) < 2:
        return " ".join(lines)
    bars = [
        place
        for place, mark in enumerate(lines[0])
        if mark == "|" and all(line[place : place + 1] == "|" for line in lines)
    ]
    if len(bars) < 2 or any(line[0] != "|" or len(line) != bars[-1] + 1 for line in lines):
        return " ".join(lines)
    cells = (" ".join(line[before + 1 : after] for line in lines) for before, after in pairwise(bars))
    return f"| {' | '.join(cells)} |"


def _without_markup(lines: list[str]) -> list[str]:
    """Lines without those of mere markup between a sentence and what it has brought along, such as `{{< tab >}}`."""
    kept, number = lines[:1], 1
    while number < len(lines) and lines[number].strip() and not _is_markup(lines[number]):
        kept.append(lines[number])
        number += 1
    options = False  # whether there was markup above, to which lines of options belong
    while number < len(lines):
        line = lines[number]
        if line.strip() and not _is_markup(line) and not (options and OPTION_LINE.match(line)):
            break
        options = options or _is_markup(line)
        number += 1
    return [*kept, "", *lines[number:]] if options else lines


def _is_markup(line: str) -> bool:
    """Whether a line is mere markup; a `{% tag %}` further in is the code of a template."""
    return MARKUP_LINE.match(line) is not None and not re.match(r"[ \t]+\{%", line)


def is_code(lines: list[str]) -> bool:
    """Whether most of several lines can only be code, or the first, and the others are indented."""
    first, *others = [line for line in lines if line.strip()] or [""]
    if not others:
        return False
    begins = _CODE_LINE.match(first) is not None
    if begins and all(line.startswith(("  ", "\t")) or _CLOSES.match(line) for line in others):
        return True
    return 2 * (begins + sum(_CODE_LINE.match(line) is not None for line in others)) > 1 + len(others)


def _without_marks(lines: list[str]) -> list[str]:
    """Lines without the mark of a quote or comment, where each but the first, which begins anywhere, has the same."""
    found = [_MARK.match(line) for line in lines]
    marks = {
        match[1].strip() if match else "" for match, line in zip(found[1:], lines[1:], strict=True) if line.strip()
    }
    if len(marks) != 1 or "" in marks or _IS_NUMBER_BELOW.search("\n".join(lines)):
        return lines
    return [
        line[match.end() :] if match and match[1].strip() in marks else line
        for match, line in zip(found, lines, strict=True)
    ]


def _dedented(lines: list[str]) -> list[str]:
    """Code without the indentation that all of it has, and without a fence of AsciiDoc that closes what it did not open.

    The indentation of the first line was left out of the quotation.
    """
    if _LISTING_END.match(lines[-1]) and lines[-1] not in lines[:-1]:
        lines = lines[:-1]
    indents = sorted({len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()})
    if not indents:
        return lines
    step = min((after - before for before, after in pairwise(indents)), default=_STEP)
    outermost = next(line for line in lines[1:] if line[: indents[0] + 1].strip())
    goes_in = _OPENS.search(lines[0]) and not _CLOSES.match(outermost, indents[0])
    base = max(indents[0] - step, 0) if goes_in else indents[0]
    return [lines[0], *(line[min(base, len(line) - len(line.lstrip())) :] for line in lines[1:])]
