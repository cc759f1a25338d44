"""A diagram (SmartArt) or a chart in, its words out: the points of a diagram as a list, the figures of a chart as a table."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ingest.readers.composition import Cell, Table
from ingest.readers.number_formats import serial_shown
from ingest.readers.office.package import child_of, name_of, number, value_of
from ingest.readers.xml_tree import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ingest.readers.composition import Composition
    from ingest.readers.office.package import Package
    from ingest.readers.xml_tree import Element

_MAX_POINTS = 10_000  # of a series of figures: a sparse one may claim any number
_MAX_LEVELS = 20  # of categories
_TEXT_POINTS = ("node", "asst", "")  # the others are there for the layout


def write_drawing(composition: Composition, package: Package, part: str, kind: str, element: Element) -> None:
    """Write what the element of a part that refers to a diagram (`dgm:relIds`) or chart (`c:chart`, `cx:chart`) shows."""
    target = package.target(part, value_of(element, "r:dm" if kind == "dgm:relIds" else "r:id"))
    if not target:
        return
    if kind == "dgm:relIds":
        for depth, text in _points(package.parse(target)):
            composition.item(depth, f"- {text}")
    else:
        _write_chart(composition, package.parse(target))


def _points(model: Element) -> Iterator[tuple[int, str]]:
    """The texts of a diagram in the order of its tree, each with its depth."""
    texts: dict[str, str] = {}
    for point in model.iter("{*}pt"):
        if name_of(point.tag) == "dgm:pt" and value_of(point, "type") in _TEXT_POINTS:
            paragraphs = (text_of(paragraph) for paragraph in point.iter("{*}p"))
            texts[value_of(point, "modelId")] = " ".join(filter(None, paragraphs))
    below: dict[str, list[tuple[int, str]]] = {}
    for link in model.iter("{*}cxn"):
        if value_of(link, "type", "parOf") == "parOf" and value_of(link, "destId") in texts:
            place = (number(value_of(link, "srcOrd")), value_of(link, "destId"))
            below.setdefault(value_of(link, "srcId"), []).append(place)
    has_parent = {name for children in below.values() for _, name in children}
    roots = [name for parent in below if parent not in texts for _, name in sorted(below[parent])]
    roots += [name for name in texts if name not in has_parent]
    waiting = [(0, name) for name in reversed(roots)]
    while waiting:
        depth, name = waiting.pop()
        text = texts.pop(name, "")  # a point is read once, whatever its links say
        if text:
            yield depth, text
        waiting += [(depth + 1, child) for _, child in sorted(below.pop(name, ()), reverse=True)]
    yield from ((0, text) for text in texts.values() if text)  # what is linked in a circle


class _Series(NamedTuple):
    """A row of figures of a chart: its name, and by their places the categories, outer ones first, and the figures."""

    name: str
    categories: dict[int, tuple[str, ...]]
    figures: dict[int, str]


def _write_chart(composition: Composition, chart: Element) -> None:
    """The title of a chart, and a table of its series: a row for each category, a column for each series.

    Series that have other categories, as the points of a scatter chart, have tables of their own.
    """
    title = next(
        (
            text_of(found)
            for found in chart.iter("{*}title")
            if name_of(found.getparent().tag) in ("c:chart", "cx:chart")
        ),
        "",
    )
    composition.write("paragraph", title)
    found = _series_of_2016(chart) if name_of(chart.tag) == "cx:chartSpace" else _series(chart)
    for series in _with_same_categories(found):
        _write_series(composition, series)


def _series(chart: Element) -> Iterator[_Series]:
    mark = next(iter(chart.iter("{*}date1904")), None)
    since_1904 = mark is not None and value_of(mark, "val", "1") in ("1", "true")
    for element in chart.iter("{*}ser"):
        if name_of(element.tag) == "c:ser":
            yield _read_series(element, since_1904)


def _series_of_2016(chart: Element) -> Iterator[_Series]:
    """The series of a kind of chart that came with Office 2016 (funnel, waterfall, treemap), whose data stand apart."""
    data = {value_of(found, "id"): found for found in chart.iter("{*}data") if name_of(found.tag) == "cx:data"}
    for element in chart.iter("{*}series"):
        identifier = child_of(element, "cx:dataId")
        found = data.get(value_of(identifier, "val")) if identifier is not None else None
        if found is not None:
            categories, figures = (_dimension(child_of(found, name)) for name in ("cx:strDim", "cx:numDim"))
            name = text_of(child_of(element, "cx:tx", "cx:txData", "cx:v"))
            yield _Series(name, categories, {place: texts[-1] for place, texts in figures.items()})


def _dimension(parent: Element | None) -> dict[int, tuple[str, ...]]:
    if parent is None:
        return {}
    levels = []
    for level in islice(parent.iterchildren("{*}lvl"), _MAX_LEVELS):
        code = value_of(level, "formatCode", "General") if name_of(parent.tag) == "cx:numDim" else ""
        points = islice(level.iterchildren("{*}pt"), _MAX_POINTS)
        levels.append({number(value_of(point, "idx")): _shown(text_of(point), code, False) for point in points})
    return _by_place(levels) if levels else {}


def _with_same_categories(found: Iterable[_Series]) -> Iterator[list[_Series]]:
    """Series that follow each other and have the same categories, as far as both have some."""
    together: list[_Series] = []
    shared: dict[int, tuple[str, ...]] = {}
    for series in found:
        if any(shared.get(place, texts) != texts for place, texts in series.categories.items()):
            yield together
            together, shared = [], {}
        together.append(series)
        shared.update(series.categories)
    yield together


def _read_series(element: Element, since_1904: bool) -> _Series:
    name, categories, figures = (
        _cached(element, names, since_1904) for names in (("c:tx",), ("c:cat", "c:xVal"), ("c:val", "c:yVal"))
    )
    joined = " ".join(texts[-1] for texts in name.values())  # of each cell that it is taken from
    return _Series(joined, categories, {place: texts[-1] for place, texts in figures.items()})


def _write_series(composition: Composition, together: Sequence[_Series]) -> None:
    table = Table(composition.copies)
    shown = max((series.categories for series in together), key=len, default={})
    levels = max((len(texts) for texts in shown.values()), default=1)
    table.row([Cell("")] * levels + [Cell(series.name) for series in together])
    for place in sorted({*shown, *(place for series in together for place in series.figures)}):
        texts = shown.get(place, ())
        cells = [""] * (levels - len(texts)) + [*texts] + [series.figures.get(place, "") for series in together]
        table.row([*map(Cell, cells)])
    composition.write("table", table.text)


def _cached(series: Element, names: Sequence[str], since_1904: bool) -> dict[int, tuple[str, ...]]:
    """The texts that a chart keeps of what it shows, by their places: one of each level of its categories."""
    found = next((part for part in (child_of(series, name) for name in names) if part is not None), None)
    if found is None:
        return {}
    elements = (level for level in found.iter("{*}lvl") if name_of(level.tag) == "c:lvl")
    levels = [_points_of(level, "", since_1904) for level in islice(elements, _MAX_LEVELS)]
    if not levels:
        are_numbers = any(True for _ in found.iter("{*}numCache", "{*}numLit"))
        code = next((text_of(element) for element in found.iter("{*}formatCode")), "") or "General" * are_numbers
        levels = [_points_of(found, code, since_1904)]
    return _by_place(levels)


def _by_place(levels: Sequence[dict[int, str]]) -> dict[int, tuple[str, ...]]:
    """The texts of levels by their places, outer ones first, of levels whose inner ones come first."""
    inner, *outer = levels
    texts, above = {}, [""] * len(outer)
    for place in sorted({*inner, *(place for level in outer for place in level)}):  # an outer text holds until the next
        above = [level.get(place, text) for level, text in zip(outer, above, strict=True)]
        texts[place] = (*reversed(above), inner.get(place, ""))
    return texts


def _points_of(parent: Element, code: str, since_1904: bool) -> dict[int, str]:
    """The values in an element by their places, numbers in their own format or else that of this code."""
    texts: dict[int, str] = {}
    for point in islice(parent.iter("{*}pt", "{*}v"), 2 * _MAX_POINTS):
        if name_of(point.tag) == "c:pt":
            text = text_of(child_of(point, "c:v"))
            texts[number(value_of(point, "idx"))] = _shown(text, value_of(point, "formatCode", code), since_1904)
        elif name_of(point.tag) == "c:v" and name_of(point.getparent().tag) != "c:pt":
            texts[0] = text_of(point)
    return texts


def _shown(text: str, code: str, since_1904: bool) -> str:
    """A value as the sheet shows it that it comes from; text where it has no format."""
    try:
        return serial_shown(float(text), code, since_1904=since_1904) if code else text
    except ValueError:
        return text
