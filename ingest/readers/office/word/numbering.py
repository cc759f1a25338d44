"""The numbers of lists and headings, which stand in no run of text: counted here as Word counts them (ECMA-376, 17.9)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ingest.readers.office.numbers import numeral
from ingest.readers.office.package import child_of, chosen, is_on, name_of, number, setting, value_of

if TYPE_CHECKING:
    from ingest.readers.office.word.styles import Styles
    from ingest.readers.xml_tree import Element

LEVELS = 9
BULLET = "-"
_NO_LIST = "0"  # the id by which a paragraph says that it has no number although its style has
_PLACE_OF_NUMBER = re.compile("%([1-9])")
_MAX_MARKER = 60  # characters


class _Level(NamedTuple):
    """One level of a list: `text` is `%1.%2` for a number with that of the level above before it."""

    start: int = 1
    style: str = "decimal"
    text: str = ""
    restarts_after: int = LEVELS  # the deepest level, counted from 1, behind which it begins again; 0: none
    is_legal: bool = False  # all numbers are decimal
    linked_style: str = ""
    digits: int = 0


class _List(NamedTuple):
    """What `w:num` refers to: the counters it shares with others, its levels, and where it begins again."""

    counters: str
    levels: list[_Level]
    starts: dict[int, int]


class Numbering:
    """Counts the numbers of a document from its beginning."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._styles = styles
        self._abstract: dict[str, Element] = {}
        self._numbers: dict[str, Element] = {}
        for child in root if root is not None else ():
            kind = name_of(child.tag)
            if kind == "w:abstractNum":
                self._abstract.setdefault(value_of(child, "w:abstractNumId"), child)
            elif kind == "w:num":
                self._numbers.setdefault(value_of(child, "w:numId"), child)
        self._lists: dict[str, _List | None] = {}
        self._counters: dict[str, list[int | None]] = {}
        self._begun: set[str] = set()

    def marker(self, properties: Element | None, style: str) -> tuple[str, int] | None:
        """What stands before the next paragraph, and its level from 0; None where it is in no list.

        `properties` are those of the paragraph, `style` is the id of its style. "" is the marker of what is in a list and
        has none.
        """
        direct = child_of(properties, "w:numPr")
        styled_id, styled_level, of = self._styles.numbering(style)
        number_id = setting(direct, "w:numId") or styled_id
        found = self._list(number_id) if number_id and number_id != _NO_LIST else None
        if found is None:
            return None
        asked = setting(direct, "w:ilvl")
        if not asked and number_id == styled_id:
            linked = {level.linked_style: str(place) for place, level in reversed([*enumerate(found.levels)])}
            linked.pop("", None)
            asked = linked.get(style) or linked.get(of) or styled_level
        index = min(max(number(asked), 0), LEVELS - 1)
        return self._counted(number_id, found, index), index

    def _counted(self, number_id: str, of: _List, index: int) -> str:
        counters = self._counters.setdefault(of.counters, [None] * LEVELS)
        if number_id not in self._begun:
            self._begun.add(number_id)
            for level in of.starts:
                counters[level] = None
        before = counters[index]
        counters[index] = of.starts.get(index, of.levels[index].start) if before is None else before + 1
        for deeper in range(index + 1, LEVELS):
            if index < of.levels[deeper].restarts_after:
                counters[deeper] = None
        return self._written(of, counters, index)

    def _written(self, of: _List, counters: list[int | None], index: int) -> str:
        level = of.levels[index]
        if level.style == "bullet":
            return BULLET

        def shown(place: re.Match[str]) -> str:
            counted = int(place[1]) - 1
            number = counters[counted]
            if number is None:
                number = of.starts.get(counted, of.levels[counted].start)
            style = "decimal" if level.is_legal else of.levels[counted].style
            return numeral(number, style).zfill(of.levels[counted].digits)

        return _PLACE_OF_NUMBER.sub(shown, level.text[:_MAX_MARKER]).strip()

    def _list(self, number_id: str) -> _List | None:
        if number_id not in self._lists:
            self._lists[number_id] = self._read_list(number_id)
        return self._lists[number_id]

    def _read_list(self, number_id: str) -> _List | None:
        element = self._numbers.get(number_id)
        abstract_id = setting(element, "w:abstractNumId")
        abstract = self._abstract.get(abstract_id)
        linked = self._styles.number_links.get(setting(abstract, "w:numStyleLink"), "")
        if linked in self._numbers and linked != number_id:  # the levels stand with a style
            abstract_id = setting(self._numbers[linked], "w:abstractNumId")
            abstract = self._abstract.get(abstract_id)
        if element is None or abstract is None:
            return None
        levels = [_Level() for _ in range(LEVELS)]
        starts: dict[int, int] = {}
        for child in abstract:
            if name_of(child.tag) == "w:lvl":
                levels[_index_of(child)] = _read_level(child)
        for override in element:
            if name_of(override.tag) != "w:lvlOverride":
                continue
            index = _index_of(override)
            replaced = child_of(override, "w:lvl")
            if replaced is not None:
                levels[index] = _read_level(replaced)
            if setting(override, "w:startOverride"):
                starts[index] = number(setting(override, "w:startOverride"))
        return _List(abstract_id, levels, starts)


def _index_of(level: Element) -> int:
    return min(max(number(value_of(level, "w:ilvl")), 0), LEVELS - 1)


def _read_level(level: Element) -> _Level:
    style, digits = _style_of(level)
    restart = setting(level, "w:lvlRestart")
    return _Level(
        start=number(setting(level, "w:start"), 0 if child_of(level, "w:start") is None else 1),
        style=style,
        text=setting(level, "w:lvlText"),
        restarts_after=number(restart, LEVELS) if restart else LEVELS,
        is_legal=is_on(level, "w:isLgl"),
        linked_style=setting(level, "w:pStyle"),
        digits=digits,
    )


def _style_of(level: Element) -> tuple[str, int]:
    """The format of a level's numbers and the digits they have at least: `001, 002, ...` is a custom format of three."""
    alternatives = child_of(level, "mc:AlternateContent")
    found = child_of(level, "w:numFmt")
    if alternatives is not None:
        found = child_of(chosen(alternatives), "w:numFmt")
    if found is None:
        return "decimal", 0
    style, custom = value_of(found, "w:val", "decimal"), value_of(found, "w:format").split(",")[0].strip()
    if style == "custom":
        return "decimal", len(custom) if custom.isdecimal() else 0
    return style, 0
