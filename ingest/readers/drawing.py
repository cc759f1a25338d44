"""An SVG drawing in, its title, its descriptions and its texts out, in the order of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.composition import Composition
from ingest.readers.html.vocabulary import names
from ingest.readers.xml_tree import local_name, parse_xml, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element

_HIDDEN_SHAPES = names("metadata style script defs symbol clipPath mask pattern marker linearGradient radialGradient")
_SHAPES_WITH_TEXT = {"title": "heading", "desc": "paragraph", "text": "paragraph", "foreignObject": "paragraph"}
_MOVES = ("x", "y", "dx", "dy")


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a drawing, called by its own title."""
    yield drawing_document(file, parse_xml(file.data, file.source, with_undeclared=True))


def drawing_document(file: RawFile, root: Element) -> Document:
    """What is read of a drawing whose root is given."""
    composition = Composition()
    _read_shapes(root, composition)
    own = (child for child in root if local_name(child.tag) == "title")
    return composition.document(file, text_of(next(own, None)))


def _read_shapes(element: Element, composition: Composition) -> bool:
    """Write the texts of a drawing; whether there were any."""
    found = False
    for child in element:
        name = local_name(child.tag)
        if name in _HIDDEN_SHAPES or child.get("display") == "none" or child.get("visibility") == "hidden":
            continue
        if name in _SHAPES_WITH_TEXT:
            text = " ".join("".join(_pieces(child)).split())
            kind = _SHAPES_WITH_TEXT[name]
            composition.begin_line(child.sourceline or 0)
            if kind == "heading" and local_name(element.tag) == "svg" and text:
                composition.heading(1, text)
            else:
                composition.write("paragraph", text)
            found = found or bool(text)
        elif _read_shapes(child, composition):
            found = True
            if local_name(element.tag) == "switch":
                break  # the others say the same for programs that cannot show this one
            continue
        if found and local_name(element.tag) == "switch":
            break
    return found


def _pieces(element: Element) -> Iterator[str]:
    """The text of a shape, with a space where a part of it is moved to another place."""
    waiting: list[tuple[Element, bool]] = [(element, False)]
    while waiting:
        part, is_over = waiting.pop()
        if is_over:
            yield part.tail or ""
            continue
        if part is not element:
            if any(part.get(name) is not None for name in _MOVES) or local_name(part.tag) not in ("tspan", "a"):
                yield " "
            waiting.append((part, True))
        yield part.text or ""
        waiting += [(child, False) for child in reversed(part)]
