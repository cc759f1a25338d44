"""The styles of a Word document in; what a paragraph or run looks like by its style, and by those that it is based on, out.

The names of built-in styles are stored in English whatever the language of Word is, while ids are translated: the style
`berschrift1` is called `heading 1`. So names and outline levels are asked, and an id only where it has no style.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ingest.readers.office.package import child_of, is_on, number, setting, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readers.xml_tree import Element

TITLE_LEVEL = 0
_MAX_BASES = 20  # styles above each other; Word allows ten
_BODY_LEVEL = 9  # the outline level of what is no heading
_HEADING_NAME = re.compile(r"heading ?([1-9])", re.IGNORECASE)
_QUOTES = ("quote", "intense quote", "block text", "blockquote", "quotations")
_CODE = ("html preformatted", "source code", "macro text", "preformatted text", "code", "verbatim", "plain text")


@dataclass(frozen=True, slots=True)
class Look:
    """How text looks, as far as it says anything: `raised`, `lowered` or "", and whether nobody is to read it."""

    script: str = ""
    is_hidden: bool = False
    is_struck: bool = False


def look_of(properties: Element | None, base: Look) -> Look:
    """The look that properties of a run give to text which looked like `base` without them."""
    if properties is None:
        return base
    script = {"superscript": "raised", "subscript": "lowered", "baseline": "-"}.get(
        setting(properties, "w:vertAlign"), ""
    )
    struck = [is_on(properties, name) for name in ("w:strike", "w:dstrike") if child_of(properties, name) is not None]
    return Look(
        script.strip("-") if script else base.script,
        is_on(properties, "w:vanish") if child_of(properties, "w:vanish") is not None else base.is_hidden,
        any(struck) if struck else base.is_struck,
    )


class Styles:
    """The styles of a document by their ids."""

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, Element] = {}
        self.default = ""
        for style in root if root is not None else ():
            identifier = value_of(style, "w:styleId")
            if identifier:
                self._styles.setdefault(identifier, style)
                if value_of(style, "w:default") in ("1", "true", "on") and value_of(style, "w:type") == "paragraph":
                    self.default = self.default or identifier
        self._levels: dict[str, int | None] = {}
        self._looks: dict[str, Look] = {}
        self._kinds: dict[str, str] = {}
        self._numbers: dict[str, tuple[str, str, str]] = {}

    def _with_bases(self, identifier: str) -> Iterator[Element]:
        """A style, then the one it is based on, and so on."""
        for _ in range(_MAX_BASES):
            style = self._styles.get(identifier)
            if style is None:
                return
            yield style
            identifier = setting(style, "w:basedOn")

    def heading_level(self, identifier: str) -> int | None:
        """1 to 9 for a heading, 0 for the title of the document, None for other text."""
        if identifier not in self._levels:
            self._levels[identifier] = self._heading_level(identifier)
        return self._levels[identifier]

    def _heading_level(self, identifier: str) -> int | None:
        if identifier not in self._styles:
            return _level_by_name(identifier)
        for style in self._with_bases(identifier):
            outline = setting(style, "w:pPr", "w:outlineLvl")
            if outline:
                return outline_level(outline)
            level = _level_by_name(setting(style, "w:name"))
            if level is not None:
                return level
        return None

    def kind(self, identifier: str) -> str:
        """The kind of block that text of this style is, other than a heading or an item of a list."""
        if identifier not in self._kinds:
            self._kinds[identifier] = self._kind(identifier)
        return self._kinds[identifier]

    def _kind(self, identifier: str) -> str:
        for style in self._with_bases(identifier):
            name = setting(style, "w:name").lower()
            if name in _QUOTES:
                return "quote"
            if name in _CODE:
                return "code"
        return "paragraph"

    def numbering(self, identifier: str) -> tuple[str, str, str]:
        """The id of the numbers that a style asks for, the level, and the style that says so; "" for what none says."""
        if identifier not in self._numbers:
            self._numbers[identifier] = self._numbering(identifier)
        return self._numbers[identifier]

    def _numbering(self, identifier: str) -> tuple[str, str, str]:
        number_id = level = of = ""
        for style in self._with_bases(identifier):
            asked = child_of(style, "w:pPr", "w:numPr")
            if asked is not None:
                level = level or setting(asked, "w:ilvl")
                if not number_id and setting(asked, "w:numId"):
                    number_id, of = setting(asked, "w:numId"), value_of(style, "w:styleId")
        return number_id, level, of

    def look(self, identifier: str) -> Look:
        """How text of this style looks."""
        if identifier not in self._looks:
            look = Look()
            for style in reversed(list(self._with_bases(identifier))):
                look = look_of(child_of(style, "w:rPr"), look)
            self._looks[identifier] = look
        return self._looks[identifier]

    @cached_property
    def number_links(self) -> dict[str, str]:
        """The numbers that styles of lists stand for, by the ids of the styles."""
        return {name: setting(style, "w:pPr", "w:numPr", "w:numId") for name, style in self._styles.items()}


def outline_level(value: str) -> int | None:
    """The level of a heading by its outline level, which counts from 0; None for that of body text."""
    level = number(value, _BODY_LEVEL)
    return level + 1 if 0 <= level < _BODY_LEVEL else None


def _level_by_name(name: str) -> int | None:
    if name.lower() == "title":
        return TITLE_LEVEL
    found = _HEADING_NAME.fullmatch(name)
    return int(found[1]) if found else None
