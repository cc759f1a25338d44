"""The rows of all pages in, those out that stand on page after page at the same place: headers, footers, page numbers.

Such a row says nothing about the text that it stands beside, and would be found by every question that has its words.
It is one where it stands in the margin, apart from the text, no larger than the text, and says the same on three pages
or more, but for a number that counts with the pages. Where most pages have one at a height, whatever stands at that
height is one: the name of a chapter of two pages. A number that is that of its page needs no other page.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from ingest.readers.pdf.pieces import at_one_height

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.readers.pdf.layout import PageLayout, Row

_MARGIN = 0.13  # of the height of a page, at its top and its bottom
_APART = 0.45  # sizes of its letters between a row of furniture and the text
_LARGEST = 1.25  # times the size of the text
_PAGES = 3
_DENSITY = 0.3  # how many of the pages between the first and the last one have it
_MOST_ROWS = 8  # of furniture at one end of a page
_LONGEST = 60  # characters of what says no more than a page's number
_SAME_HEIGHT = 8.0  # points
_MOST_NUMBERS = 8  # of a row, each of which may be that of the page
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[\W_]*(?:(?:page|seite|p(?:ágina|agina|\.)?|s\.|страница)\s*)?([0-9]{1,5}|[ivxlcdm]{1,8}|[a-z]?-?[0-9]{1,4})"
    r"(?:\s*(?:of|von|de|sur|di|из|/)\s*([0-9]{1,5}))?[\W_]*",
    re.IGNORECASE,
)


class _Candidate(NamedTuple):
    page: PageLayout
    row: Row
    is_top: bool
    height: float  # of its middle, from the edge of the page that it is near


def set_apart(pages: Sequence[PageLayout], body_size: float) -> None:
    """Moves the furniture of each page from its rows to its `furniture`."""
    candidates = [candidate for page in pages for candidate in _candidates(page, body_size)]
    found = {id(candidate.row) for candidate in candidates if _is_page_number(candidate, len(pages))}
    repeated = list(_repeated(candidates))
    found |= {id(candidate.row) for candidate in repeated}
    slots = Counter(_slot(candidate) for candidate in repeated)
    common = {slot for slot, count in slots.items() if count >= max(_PAGES, len(pages) // 2)}
    found |= {id(candidate.row) for candidate in candidates if _slot(candidate) in common}
    if all(id(row) in found for page in pages for row in page.rows):
        return  # a file that says nothing else
    for page in pages:
        page.furniture = [row for row in page.rows if id(row) in found]
        if page.furniture:
            page.rows = [row for row in page.rows if id(row) not in found]


def _candidates(page: PageLayout, body_size: float) -> Iterator[_Candidate]:
    """The rows in the margins that stand apart from the text."""
    sheet = page.sheet
    margin = _MARGIN * (sheet.top - sheet.bottom)
    ordered = sorted(page.rows, key=lambda row: -row.area.top)
    inner = [row for row in ordered if sheet.bottom + margin < _middle(row) < sheet.top - margin]
    for is_top in (True, False):
        outer = [
            row
            for row in (ordered if is_top else ordered[::-1])
            if (_middle(row) >= sheet.top - margin if is_top else _middle(row) <= sheet.bottom + margin)
        ]
        for number, row in enumerate(outer[:_MOST_ROWS]):
            edge = abs((sheet.top if is_top else sheet.bottom) - _middle(row))
            if row.size <= _LARGEST * body_size and _is_apart(row, [*outer[number + 1 :], *inner], is_top):
                yield _Candidate(page, row, is_top, edge)


def _is_apart(row: Row, others: Sequence[Row], is_top: bool) -> bool:
    """Whether a gap divides a row from all rows further in; one beside it is the rest of a line that columns divided."""
    area = row.area
    gap = min(
        (
            area.bottom - other.area.top if is_top else other.area.bottom - area.top
            for other in others
            if not at_one_height(area, other.area)
        ),
        default=float("inf"),
    )
    return gap >= _APART * row.size


def _middle(row: Row) -> float:
    area = row.area
    return (area.top + area.bottom) / 2


def _slot(candidate: _Candidate) -> tuple[bool, int, int]:
    return candidate.is_top, round(candidate.height / 3), round(2 * candidate.row.size)


def _repeated(candidates: Sequence[_Candidate]) -> Iterator[_Candidate]:
    """Those that say the same at the same height on enough pages; `_readings` says what the same is."""
    groups: dict[tuple[bool, str], list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        for reading in _readings(candidate):
            groups[candidate.is_top, reading].append(candidate)
    for group in groups.values():
        if len(group) < _PAGES:
            continue
        usual = median(candidate.height for candidate in group)
        alike = [candidate for candidate in group if abs(candidate.height - usual) <= _SAME_HEIGHT]
        pages = {candidate.page.page for candidate in alike}
        if len(pages) >= _PAGES and len(pages) >= _DENSITY * (max(pages) - min(pages) + 1):
            yield from alike


def _readings(candidate: _Candidate) -> set[str]:
    """What a row says: as it stands, and with one of its numbers or all of them as distances from the page's."""
    text = " ".join(candidate.row.text.casefold().split())
    label = candidate.page.label.casefold()
    if label and not label.isdigit():
        text = re.sub(rf"(?<!\w){re.escape(label)}(?!\w)", "#", text)
    numbers = [found for found in _NUMBER.finditer(text) if len(found[0]) <= 6]
    readings = {text}
    for chosen in (*([number] for number in [*numbers[:_MOST_NUMBERS], *numbers[-1:]]), numbers):
        reading = text
        for found in reversed(chosen):
            distance = f"#{int(found[0]) - candidate.page.page}"
            reading = reading[: found.start()] + distance + reading[found.end() :]
        readings.add(reading)
    return readings


def _is_page_number(candidate: _Candidate, page_count: int) -> bool:
    text = candidate.row.text.strip()
    found = _PAGE_NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        return False
    number, total = found[1].casefold(), found[2]
    page = candidate.page
    return number in {str(page.page), page.label.casefold()} and total in {None, str(page_count)}
