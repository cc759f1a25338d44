"""The paragraphs of a slide in, what stands before each: a dash, a number, or nothing.

A paragraph rarely says so itself: its shape may, the layout of its slide, the master of the layout, or the style of the
master for titles, bodies and other text (ECMA-376, 19.3.1 and 21.1.2.4).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ingest.readers.office.numbers import numeral
from ingest.readers.office.package import child_of, name_of, number, value_of

if TYPE_CHECKING:
    from ingest.readers.office.package import Package
    from ingest.readers.xml_tree import Element

TITLES = ("title", "ctrTitle")
LEVELS = 9
_AUTO = re.compile(r"(arabic|alphaLc|alphaUc|romanLc|romanUc)(Period|ParenR|ParenBoth|Plain|Minus)")
_STYLES = {
    "arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman", "romanUc": "upperRoman",
}  # fmt: skip
_SIGNS = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Plain": "{}", "Minus": "{} -"}


class Bullet(NamedTuple):
    """`kind` is none, sign or number; of a number its scheme and where it begins."""

    kind: str
    scheme: str = ""
    start: int = 1


NO_BULLET = Bullet("none")


class Placeholder(NamedTuple):
    """What a shape of a slide stands for; ("", "") for one of its own."""

    kind: str
    number: str


def placeholder_of(shape: Element) -> Placeholder:
    """The placeholder of the layout that a shape fills."""
    for part in ("p:nvSpPr", "p:nvGraphicFramePr", "p:nvPicPr"):
        found = child_of(shape, part, "p:nvPr", "p:ph")
        if found is not None:
            return Placeholder(value_of(found, "type", "obj"), value_of(found, "idx", "0"))
    return Placeholder("", "")


def bullet_of(properties: Element | None) -> Bullet | None:
    """What properties of a paragraph say about its bullet, None for nothing."""
    for child in properties if properties is not None else ():
        kind = name_of(child.tag)
        if kind == "a:buNone":
            return NO_BULLET
        if kind in ("a:buChar", "a:buBlip"):
            return Bullet("sign")
        if kind == "a:buAutoNum":
            return Bullet("number", value_of(child, "type"), number(value_of(child, "startAt"), 1))
    return None


class Bullets:
    """What layouts and masters say, each read once."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._layouts: dict[str, str] = {}  # of each slide
        self._trees: dict[str, Element] = {}
        self._shapes: dict[str, dict[str, Element]] = {}  # of each part, by number and by kind of placeholder
        self._known: dict[tuple[str, Placeholder], list[Bullet | None]] = {}

    def of(self, slide: str, placeholder: Placeholder, shape_style: Element | None, depth: int) -> Bullet:
        """The bullet of a paragraph that says nothing itself; `shape_style` is the `a:lstStyle` of its text."""
        own = bullet_of(_level(shape_style, depth))
        if own is not None:
            return own
        if slide not in self._layouts:
            self._layouts[slide] = next(iter(self._package.related("slideLayout", slide)), "")
        layout = self._layouts[slide]
        key = (layout, placeholder)
        if key not in self._known:
            self._known[key] = [self._inherited(layout, placeholder, level) for level in range(LEVELS)]
        return self._known[key][depth] or NO_BULLET

    def _inherited(self, layout: str, placeholder: Placeholder, depth: int) -> Bullet | None:
        if not placeholder.kind or not layout:
            return None
        master = next(iter(self._package.related("slideMaster", layout)), "")
        is_title = placeholder.kind in TITLES
        general = "title" if is_title else "body"
        found = self._of_placeholder(layout, placeholder, depth)
        if found is None and master:
            found = self._of_placeholder(master, Placeholder(general, ""), depth)
        if found is None and master:
            style = child_of(self._tree(master), "p:txStyles", f"p:{general}Style")
            found = bullet_of(_level(style, depth))
        return found

    def _of_placeholder(self, part: str, wanted: Placeholder, depth: int) -> Bullet | None:
        if part not in self._shapes:
            found: dict[str, Element] = {}
            self._shapes[part] = found
            for shape in self._tree(part).iter("{*}sp"):
                kind, identifier = placeholder_of(shape)
                found.setdefault(f"number {identifier}", shape)
                found.setdefault(f"kind {kind}", shape)
        has_number = wanted.number not in ("", "0")
        shape = self._shapes[part].get(f"number {wanted.number}" if has_number else f"kind {wanted.kind}")
        return bullet_of(_level(child_of(shape, "p:txBody", "a:lstStyle"), depth))

    def _tree(self, part: str) -> Element:
        if part not in self._trees:
            self._trees[part] = self._package.parse(part)
        return self._trees[part]


def _level(style: Element | None, depth: int) -> Element | None:
    return child_of(style, f"a:lvl{depth + 1}pPr")


class Counters:
    """Counts the numbered paragraphs of one text body."""

    def __init__(self) -> None:
        self._last: list[tuple[Bullet, int] | None] = [None] * LEVELS

    def marker(self, bullet: Bullet, depth: int) -> str:
        """What stands before the next paragraph, "" for nothing."""
        self._last[depth + 1 :] = [None] * (LEVELS - depth - 1)
        if bullet.kind != "number":
            self._last[depth] = None
            return "-" if bullet.kind == "sign" else ""
        last = self._last[depth]
        counted = last[1] + 1 if last is not None and last[0] == bullet else bullet.start
        self._last[depth] = (bullet, counted)
        scheme = _AUTO.match(bullet.scheme)
        if scheme is None:
            return f"{counted}."
        return _SIGNS[scheme[2]].format(numeral(counted, _STYLES[scheme[1]]))
