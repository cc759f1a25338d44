"""An ordered list's tag in, the numbers of its items out, as a browser shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.numerals import FIRST_WITHOUT_ROMAN, letters, roman
from ingest.readers.html.elements import declarations, whole_number
from ingest.readers.html.events import Kind, attributes_of
from ingest.readers.html.markup import read_markup
from ingest.readers.html.vocabulary import names

if TYPE_CHECKING:
    from ingest.readers.html.events import Element

LIST_NAMES = names("ul ol menu dir")
_REVERSED_LIST = re.compile(r"<ol\b[^>]{0,500}\breversed\b", re.IGNORECASE)


@dataclass
class OpenList:
    """A list that is open: the number of its next item and what the number after it adds; 0 where items have none."""

    number: int = 1
    step: int = 0
    style: str = "1"


def opened_list(element: Element, lengths: dict[int, int]) -> OpenList:
    """The list that a tag opens; `lengths` are those of list_lengths."""
    if element.name != "ol":
        return OpenList()
    style = style_of_numbers(element)
    if style == "none":
        return OpenList()
    attributes = attributes_of(element.attributes)
    is_reversed = "reversed" in attributes
    first = lengths.get(element.position, 1) if is_reversed else 1
    return OpenList(whole_number(attributes.get("start", ""), first), -1 if is_reversed else 1, style or "1")


def list_lengths(markup: str) -> dict[int, int]:
    """How many items each list has, by the position of its tag: one that is numbered backwards begins with it.

    Where no list is, nobody asks, and the page is not read for it.
    """
    if not _REVERSED_LIST.search(markup):
        return {}
    lengths: dict[int, int] = {}
    open_lists: list[int] = []
    for event in read_markup(markup):
        if event.kind is Kind.START and event.element.name in LIST_NAMES:
            open_lists.append(event.element.position)
            lengths[open_lists[-1]] = 0
        elif event.kind is Kind.END and event.element.name in LIST_NAMES:
            open_lists.pop()
        elif event.kind is Kind.START and event.element.name == "li" and open_lists:
            lengths[open_lists[-1]] += 1
    return lengths


def style_of_numbers(element: Element) -> str:
    """1, a, A, i or I as an attribute asks for it, or "none", or ""."""
    if not element.attributes:
        return ""
    attributes = attributes_of(element.attributes)
    style = declarations(attributes.get("style", ""))
    asked = style.get("list-style-type") or next(iter(style.get("list-style", "").split()), "")
    kind = attributes.get("type", "")
    return _NUMBER_STYLES.get(asked) or (kind if kind in ("1", "a", "A", "i", "I") else "")


_NUMBER_STYLES = {
    "decimal": "1", "lower-alpha": "a", "lower-latin": "a", "upper-alpha": "A", "upper-latin": "A", "lower-roman": "i",
    "upper-roman": "I", "none": "none",
}  # fmt: skip


def numeral(number: int, style: str) -> str:
    """A list item's number with its dot.

    >>> [numeral(28, style) for style in ("1", "a", "I")]
    ['28.', 'ab.', 'XXVIII.']
    """
    if style in ("a", "A") and number > 0:
        written = letters(number)
    elif style in ("i", "I") and 0 < number < FIRST_WITHOUT_ROMAN:
        written = roman(number)
    else:
        return f"{number}."
    return f"{written.upper() if style.isupper() else written}."
