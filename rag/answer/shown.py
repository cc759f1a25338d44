"""An exact slice of a document in, the same as people read it out: one line of prose, or the lines that mean something."""

from __future__ import annotations

import re
from itertools import pairwise

_MARK = re.compile(r"[ \t]*(?!>>>)((?:>(?!=)[ \t]?)+|//[/!]*)[ \t]?")  # of a quote in Markdown and mail, of a comment
_IS_NUMBER_BELOW = re.compile(r"\A[^\n>]*\n> ?\d[^\n]*\Z")  # a wrapped sentence of two lines that compares: `x\\n> 3`
_ELEMENT = re.compile(r"\A[ \t]*<(\w+)[^<>]*>([^<>]*)</\1>[ \t]*\Z")  # of HTML in Markdown, that is all of a line
_CODE_LINE = re.compile(
    r"""[ \t]*(?:
    .*(?:[;{}(\[]|->|=>|\):|\\)[ \t]*\Z
    |@\w[\w.]*(?:\(.*)?\Z|\.\w+\(|[})\]]|/\*|\*/|\$[ ]|>>>[ ]|\#!
    |(?:def|class|fn|func|function|if|elif|else|for|while|try|except|with)\b.*:[ \t]*(?:\#.*)?\Z
    |(?:from[ ][\w.]+[ ])?import[ ][\w.*{]
    |[\w.\[\]\"']+(?:,[ ][\w.*]+)*[ ]?[-+*/|]?=[ ]?\S
    |(?:(?:await[ ]|return[ ])?[\w.:]+|return[ ])\(.*\)[;,]?[ \t]*\Z
    )""",
    re.VERBOSE,
)
_LISTING_END = re.compile(r"(?:-{4,}|\.{4,})[ \t]*\Z")
_OPENS = re.compile(r"[:{(\[][ \t]*\Z")
_STEP = 4  # columns of an indentation that nothing else tells


def shown_text(text: str, *, lines: bool) -> str:
    """A quotation as it is read. `lines` says that its line ends mean something; those of code always do.

    >>> shown_text("If it changes\\n> to 256, it\\n> stops.", lines=False)
    'If it changes to 256, it stops.'
    """
    pieces = [_ELEMENT.sub(r"\2", line) for line in _without_marks(text.splitlines())]
    if is_code(pieces):
        pieces = _dedented(pieces)
    elif not lines:
        pieces = [" ".join(" ".join(pieces).split())]
    return "\n".join(piece.rstrip() for piece in pieces if piece.strip())


def is_code(lines: list[str]) -> bool:
    """Whether most of several lines can only be code, or the first, and the others are indented."""
    first, *others = [line for line in lines if line.strip()] or [""]
    if not others:
        return False
    begins = _CODE_LINE.match(first) is not None
    if begins and all(line.startswith(("  ", "\t")) for line in others):
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
    base = max(indents[0] - step, 0) if _OPENS.search(lines[0]) else indents[0]
    return [lines[0], *(line[min(base, len(line) - len(line.lstrip())) :] for line in lines[1:])]
