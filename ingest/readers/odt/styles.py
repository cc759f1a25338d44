"""The styles of an OpenDocument text in; how text looks and what stands before the items of its lists out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ingest.numerals import FIRST_WITHOUT_ROMAN, letters, roman
from ingest.readers.odt.names import all_named, child_of, name_of, value_of, whole
from ingest.readers.office.numbers import repeated_letter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readers.xml_tree import Element

LEVELS = 10
BULLET = "-"
_MAX_PARENTS = 20  # styles above each other
_PLACE_OF_NUMBER = re.compile("%([0-9]{1,2})%")
_MAX_MARKER = 60  # characters


@dataclass(frozen=True, slots=True)
class Look:
    """How text looks: `raised`, `lowered` or "", and whether nobody is to read it."""

    script: str = ""
    is_hidden: bool = False
    is_struck: bool = False


class _Level(NamedTuple):
    """A level of a list: its kind is number, sign or "" for one that is not described."""

    kind: str = ""
    style: str = ""
    prefix: str = ""
    suffix: str = ""
    shown: int = 1  # levels, this one the last
    start: int = 1
    in_step: bool = False  # aa, bb instead of aa, ab
    pattern: str = ""  # %1%.%2%


class ListStyle:
    """The levels of a list's style."""

    def __init__(self, element: Element | None) -> None:
        self._levels = [_Level() for _ in range(LEVELS)]
        for child in element if element is not None else ():
            place = whole(value_of(child, "text:level"), 0) - 1
            if 0 <= place < LEVELS:
                self._levels[place] = _read_level(child)

    def start(self, depth: int) -> int:
        """The first number of a level."""
        return self._levels[depth].start

    def marker(self, counters: list[int | None], depth: int) -> str:
        """What stands before an item whose level and those above have these numbers."""
        level = self._levels[depth]
        if level.kind != "number":
            return BULLET if level.kind == "sign" else ""
        if not level.style:
            return ""
        written = [self._numeral(counters, place) for place in range(depth + 1)]
        if level.pattern:
            return _PLACE_OF_NUMBER.sub(
                lambda place: written[int(place[1]) - 1] if 0 < int(place[1]) <= len(written) else "", level.pattern
            ).strip()
        joined = ".".join(filter(None, written[max(depth + 1 - level.shown, 0) :]))
        return f"{level.prefix}{joined}{level.suffix}".strip()

    def _numeral(self, counters: list[int | None], place: int) -> str:
        level, number = self._levels[place], counters[place]
        return _numeral(level.start if number is None else number, level)


def _read_level(element: Element) -> _Level:
    kind = name_of(element.tag)
    if kind in ("text:list-level-style-bullet", "text:list-level-style-image"):
        return _Level("sign")
    return _Level(
        kind="number",
        style=value_of(element, "style:num-format"),
        prefix=value_of(element, "style:num-prefix")[:_MAX_MARKER],
        suffix=value_of(element, "style:num-suffix")[:_MAX_MARKER],
        shown=whole(value_of(element, "text:display-levels"), 1),
        start=whole(value_of(element, "text:start-value"), 1),
        in_step=value_of(element, "style:num-letter-sync") == "true",
        pattern=value_of(element, "loext:num-list-format")[:_MAX_MARKER],
    )


def _numeral(number: int, level: _Level) -> str:
    style = level.style
    if not style:
        return ""
    if style in ("a", "A") and number > 0:
        written = repeated_letter(number) if level.in_step else letters(number)
    elif style in ("i", "I") and 0 < number < FIRST_WITHOUT_ROMAN:
        written = roman(number)
    else:
        return str(number)
    return written.upper() if style.isupper() else written


class Styles:
    """The styles of all parts of a document; of two that are called alike that of the part given first counts."""

    def __init__(self, parts: list[Element]) -> None:
        self._styles: dict[tuple[str, str], Element] = {}
        self._lists: dict[str, Element] = {}
        self._list_styles: dict[str, ListStyle] = {}
        self._looks: dict[tuple[str, str], Look] = {}
        outline = None
        for part in parts:
            for style in all_named(part, "style:style"):
                self._styles.setdefault((value_of(style, "style:family"), value_of(style, "style:name")), style)
            for style in all_named(part, "text:list-style"):
                self._lists.setdefault(value_of(style, "style:name"), style)
            for style in all_named(part, "text:outline-style"):
                outline = style if outline is None else outline
        self.outline = ListStyle(outline)

    def _with_parents(self, family: str, name: str) -> Iterator[Element]:
        for _ in range(_MAX_PARENTS):
            style = self._styles.get((family, name))
            if style is None:
                return
            yield style
            name = value_of(style, "style:parent-style-name")

    def list_style(self, name: str) -> ListStyle:
        """The style of lists of this name, one that writes nothing where there is none."""
        if name not in self._list_styles:
            self._list_styles[name] = ListStyle(self._lists.get(name))
        return self._list_styles[name]

    def kind(self, name: str) -> str:
        """Title, quote, code or paragraph, by the names of a paragraph's style and of those above it."""
        names = [name, *(value_of(style, "style:parent-style-name") for style in self._with_parents("paragraph", name))]
        return next((_KINDS[one] for one in names if one in _KINDS), "paragraph")

    def look(self, family: str, name: str) -> Look:
        """How text of a style looks."""
        key = (family, name)
        if key not in self._looks:
            look = Look()
            for style in reversed([*self._with_parents(family, name)]):
                look = _look_of(child_of(style, "style:text-properties"), look)
            self._looks[key] = look
        return self._looks[key]


_KINDS = {
    "Title": "title",
    "Quotations": "quote",
    "Preformatted_20_Text": "code",
    "Source_20_Code": "code",
    "Preformatted Text": "code",
}


def _look_of(properties: Element | None, base: Look) -> Look:
    if properties is None:
        return base
    position = value_of(properties, "style:text-position").split(" ")[0]
    script = (
        "raised" if position == "super" or position[:1].isdigit() else "lowered" if position[:1] in ("s", "-") else ""
    )
    if position in ("0%", "0"):
        script = ""
    struck = value_of(properties, "style:text-line-through-style") or value_of(
        properties, "style:text-line-through-type"
    )
    display = value_of(properties, "text:display")
    return Look(
        script if position else base.script,
        display == "none" if display else base.is_hidden,
        struck != "none" if struck else base.is_struck,
    )
