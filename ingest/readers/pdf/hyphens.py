"""The end of a line and the beginning of the next in, what stands between them out: a hyphen, a space, or nothing.

PDFium gives one mark to a hyphen that only divides a word at the end of a line and to one that belongs to it, as in
well-known, and drops the line end. Which it is, the rest of the document tells: a word that it has elsewhere in one piece
was divided, one that it has elsewhere with its hyphen keeps it. Where it tells nothing, a small letter goes on with the
word, as most words at line ends do; a capital or a digit begins the second half of a compound.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from ingest.readers.pdf.pieces import LINE_HYPHEN

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_COMPOUND = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)+")
_LAST = re.compile(r"[\w'’‐-]*\w(?=[-‐\x02]$)")
_FIRST = re.compile(r"[\w'’‐-]*\w")
_GOES_ON = re.compile(r"\w[–—/]$")  # 10–20, and/or, an address
_DASHES = ("-", "‐", LINE_HYPHEN)
_AFTER_A_HANGING_HYPHEN = frozenset(
    (
        "and",
        "or",
        "to",
        "nor",
        "und",
        "oder",
        "bis",
        "et",
        "ou",
        "y",
        "o",
        "e",
        "ed",
        "en",
        "of",
        "och",
        "og",
        "i",
        "lub",
    )
)


class LineEnds:
    """Joins lines; `lines` are all those of the document."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def between(self, line: str, following: str) -> tuple[str, str]:
        """The line without a hyphen that only divides a word, and what is to stand between it and the following one."""
        if not line.endswith(_DASHES):
            return line, "" if _GOES_ON.search(line) and following[:1].isalnum() else " "
        bare, last, first = line[:-1], _LAST.search(line), _FIRST.match(following)
        if not last:  # a dash, not a hyphen
            return bare + (line[-1] if line[-1] != LINE_HYPHEN else "-"), " "
        hyphened = bare + ("-" if line[-1] == LINE_HYPHEN else line[-1])
        if not first:
            return hyphened, " "
        if first[0].casefold() in _AFTER_A_HANGING_HYPHEN:
            return hyphened, " "  # pre- and post-war
        return (bare, "") if self._is_divided(last[0], first[0]) else (hyphened, "")

    def _is_divided(self, last: str, first: str) -> bool:
        before, after = re.split("[-‐]", last)[-1], re.split("[-‐]", first)[0]
        is_word = before.isalpha() and (len(before) == 1 or not before.isupper())
        if not is_word or not after[:1].islower():
            return before.isupper() and after.isupper() and f"{before}{after}".casefold() in self._known[0]
        words, compounds = self._known
        if f"{before}{after}".casefold() in words:
            return True
        if f"{before}-{after}".casefold() in compounds:
            return False
        has_more_hyphens = before != last or after != first
        return not (has_more_hyphens and before.casefold() in words)

    @cached_property
    def _known(self) -> tuple[set[str], set[str]]:
        """The words and the parts of compounds that stand within lines, in small letters."""
        tokens: set[str] = set()
        for line in self._lines:
            inner = line.casefold()
            if line.endswith(_DASHES):  # its last word is half of one
                inner = inner.rpartition(" ")[0]
            tokens.update(inner.split())
        words = {token for token in tokens if token.isalpha()}
        compounds: set[str] = set()
        for token in tokens - words:
            words.update(_WORD.findall(token))
            for compound in _COMPOUND.findall(token):
                parts = re.split("[-‐]", compound)
                compounds.update(f"{one}-{other}" for one, other in pairwise(parts))
        return words, compounds
