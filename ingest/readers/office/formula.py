"""A formula of Office (ECMA-376, 22.1) in, one line of text out, by the rules by which those of web pages are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.html.mathml import STACKED, Formula
from ingest.readers.office.package import child_of, name_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.readers.xml_tree import Element

# What has the same parts in MathML: its name there, and the parts in their order there.
_SAME = {
    "m:sSup": ("msup", ("m:e", "m:sup")),
    "m:sSub": ("msub", ("m:e", "m:sub")),
    "m:sSubSup": ("msubsup", ("m:e", "m:sub", "m:sup")),
    "m:limLow": ("munder", ("m:e", "m:lim")),
    "m:limUpp": ("mover", ("m:e", "m:lim")),
}
_PROPERTIES = frozenset(("w:rPr", "m:rPr", "m:ctrlPr", "w:del", "w:moveFrom"))
_INTEGRAL = "∫"  # the operator of a sum that names none


def formula_text(element: Element) -> str:
    """The formula in one line."""
    formula = Formula()
    _read(element, formula)
    return formula.line()


def _read(parent: Element, formula: Formula) -> None:
    for child in parent:
        name = name_of(child.tag)
        if name == "m:t":
            formula.start("mtext")
            formula.text(child.text or "")
            formula.end()
        elif name in _SAME:
            written, parts = _SAME[name]
            _write(formula, written, [child_of(child, part) for part in parts])
        elif name in _RULES:
            _RULES[name](child, formula)
        elif name not in _PROPERTIES and not name.endswith("Pr"):
            _read(child, formula)


def _write(formula: Formula, name: str, parts: list[Element | None]) -> None:
    formula.start(name)
    for part in parts:
        _argument(part, formula)
    formula.end()


def _argument(part: Element | None, formula: Formula) -> None:
    formula.start("mrow")
    if part is not None:
        _read(part, formula)
    formula.end()


def _setting(element: Element, properties: str, name: str, otherwise: str) -> str:
    found = child_of(element, properties, name)
    return otherwise if found is None else value_of(found, "m:val", value_of(found, "w:val"))


def _sign(text: str, formula: Formula) -> None:
    formula.start("mo")
    formula.text(text)
    formula.end()


def _fraction(element: Element, formula: Formula) -> None:
    is_stacked = _setting(element, "m:fPr", "m:type", "bar") == "noBar"
    _write(formula, STACKED if is_stacked else "mfrac", [child_of(element, "m:num"), child_of(element, "m:den")])


def _root(element: Element, formula: Formula) -> None:
    degree = child_of(element, "m:deg")
    if degree is not None and any(True for _ in degree.iter("{*}t")):
        _write(formula, "mroot", [child_of(element, "m:e"), degree])
    else:
        _write(formula, "msqrt", [child_of(element, "m:e")])


def _prescripts(element: Element, formula: Formula) -> None:
    formula.start("mmultiscripts")
    _argument(child_of(element, "m:e"), formula)
    formula.start("mprescripts")
    formula.end()
    _argument(child_of(element, "m:sub"), formula)
    _argument(child_of(element, "m:sup"), formula)
    formula.end()


def _sum(element: Element, formula: Formula) -> None:
    formula.start("msubsup")
    formula.start("mrow")
    _sign(_setting(element, "m:naryPr", "m:chr", _INTEGRAL), formula)
    formula.end()
    _argument(child_of(element, "m:sub"), formula)
    _argument(child_of(element, "m:sup"), formula)
    formula.end()
    _argument(child_of(element, "m:e"), formula)


def _delimited(element: Element, formula: Formula) -> None:
    _sign(_setting(element, "m:dPr", "m:begChr", "("), formula)
    divider = _setting(element, "m:dPr", "m:sepChr", "|")
    is_first = True
    for child in element:
        if name_of(child.tag) == "m:e":
            if not is_first:
                _sign(divider, formula)
            _argument(child, formula)
            is_first = False
    _sign(_setting(element, "m:dPr", "m:endChr", ")"), formula)


def _matrix(element: Element, formula: Formula) -> None:
    formula.start("mtable")
    for row in element:
        if name_of(row.tag) == "m:mr":
            _write(formula, "mtr", [cell for cell in row if name_of(cell.tag) == "m:e"])
    formula.end()


def _equations(element: Element, formula: Formula) -> None:
    _write(formula, STACKED, [row for row in element if name_of(row.tag) == "m:e"])


_RULES: dict[str, Callable[[Element, Formula], None]] = {
    "m:f": _fraction,
    "m:rad": _root,
    "m:sPre": _prescripts,
    "m:nary": _sum,
    "m:d": _delimited,
    "m:m": _matrix,
    "m:eqArr": _equations,
}
