"""A diagram (SmartArt) or a chart in, its words out: the points of a diagram as a list, the figures of a chart as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.composition import Cell, Table
from ingest.readers.office.package import child_of, name_of, number, value_of
from ingest.readers.xml_tree import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readers.composition import Composition
    from ingest.readers.office.package import Package
    from ingest.readers.xml_tree import Element

_MAX_POINTS = 10_000  # of a series of figures: a sparse one may claim any number
_TEXT_POINTS = ("node", "asst", "")  # the others are there for the layout


def write_drawing(composition: Composition, package: Package, part: str, kind: str, element: Element) -> None:
    """Write what the element of a part that refers to a diagram (`dgm:relIds`) or chart (`c:chart`) shows."""
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


def _write_chart(composition: Composition, chart: Element) -> None:
    """The title of a chart, and a row for each of its categories."""
    title = next(
        (text_of(found) for found in chart.iter("{*}title") if name_of(found.getparent().tag) == "c:chart"), ""
    )
    composition.write("paragraph", title)
    series = [found for found in chart.iter("{*}ser") if name_of(found.tag) == "c:ser"]
    names = [text_of(next(iter(_cached(found, "c:tx").values()), None)) for found in series]
    categories = [
        {index: text_of(point) for index, point in (_cached(found, "c:cat") or _cached(found, "c:xVal")).items()}
        for found in series
    ]
    values = [
        {index: text_of(point) for index, point in (_cached(found, "c:val") or _cached(found, "c:yVal")).items()}
        for found in series
    ]
    table = Table(composition.copies)
    table.row([Cell(""), *map(Cell, names)])
    shown = max(categories, key=len, default={})
    for index in sorted({*shown, *(place for column in values for place in column)}):
        table.row([Cell(shown.get(index, "")), *(Cell(_figure(column.get(index, ""))) for column in values)])
    composition.write("table", table.text)


def _figure(text: str) -> str:
    """A number as it is stored, without the noise of its last binary digits."""
    try:
        return text if len(text) < 16 else f"{float(text):.12g}"
    except ValueError:
        return text


def _cached(series: Element, name: str) -> dict[int, Element]:
    """The values that a chart keeps of what it shows, by their places."""
    found = child_of(series, name)
    if found is None:
        return {}
    points = (point for point in found.iter("{*}pt", "{*}v") if name_of(point.tag) in ("c:pt", "c:v"))
    cached: dict[int, Element] = {}
    for point in points:
        if len(cached) >= _MAX_POINTS:
            break
        if name_of(point.tag) == "c:pt":
            cached[number(value_of(point, "idx"))] = child_of(point, "c:v")
        elif name_of(point.getparent().tag) != "c:pt":
            cached[0] = point
    return cached
