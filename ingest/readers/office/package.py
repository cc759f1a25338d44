"""An Office file in, its parts out: each by the relationship that another has to it, never by a name that is only usual."""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from ingest.readers.archive import Archive
from ingest.readers.composition import facts
from ingest.readers.xml_tree import first_named, local_name, namespace, parse_xml, text_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element
    from sql.records.metadata import MetadataValue

# The strict form of the standard has namespaces of its own for the same elements.
_STRICT = (
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"),
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main", b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"http://purl.oclc.org/ooxml/presentationml/main", b"http://schemas.openxmlformats.org/presentationml/2006/main"),
    (b"http://purl.oclc.org/ooxml/drawingml/", b"http://schemas.openxmlformats.org/drawingml/2006/"),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
)  # fmt: skip
_TYPES = "[Content_Types].xml"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PREFIXES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w:",
    "http://schemas.openxmlformats.org/presentationml/2006/main": "p:",
    "http://schemas.openxmlformats.org/drawingml/2006/main": "a:",
    "http://schemas.openxmlformats.org/drawingml/2006/diagram": "dgm:",
    "http://schemas.openxmlformats.org/drawingml/2006/chart": "c:",
    "http://schemas.microsoft.com/office/drawing/2014/chartex": "cx:",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m:",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc:",
    _RELATIONSHIPS: "r:",
}
_ADDRESSES = {prefix: address for address, prefix in _PREFIXES.items()}
# Of the extensions that a part may hold an alternative for, those of Microsoft and of the standard are read.
_KNOWN_EXTENSIONS = (
    "http://schemas.microsoft.com/office/",
    "http://schemas.openxmlformats.org/",
    "urn:schemas-microsoft-com:",
)
_PLACEHOLDER_TITLES = ("powerpoint presentation", "word document", "document", "presentation", "untitled", "slide 1")
_GENERATED_TITLE = "microsoft word - "


@lru_cache(maxsize=8192)
def name_of(tag: object) -> str:
    """The usual name of an element or attribute: `w:p` for a paragraph; without a prefix where it has no usual one."""
    if not isinstance(tag, str):
        return ""
    return _PREFIXES.get(namespace(tag), "") + local_name(tag)


@lru_cache(maxsize=1024)
def _full_name(name: str) -> str:
    prefix, colon, local = name.rpartition(":")
    return f"{{{_ADDRESSES[prefix + colon]}}}{local}" if colon else local


def value_of(element: Element, name: str, otherwise: str = "") -> str:
    """The value of an attribute by its usual name."""
    value: str = element.get(_full_name(name), otherwise)
    return value


def child_of(element: Element | None, *names: str) -> Element | None:
    """The first child called by the first name, of it the one called by the second, and so on; None where one is missing."""
    for name in names:
        if element is None:
            return None
        element = element.find(_full_name(name))
    return element


def setting(element: Element | None, *names: str) -> str:
    """The `w:val` of such a descendant, or ""."""
    found = child_of(element, *names)
    return value_of(found, "w:val") if found is not None else ""


def is_on(element: Element | None, *names: str) -> bool:
    """Whether a property is there and not switched off."""
    found = child_of(element, *names)
    return found is not None and value_of(found, "w:val", "1") not in ("0", "false", "off", "none")


def number(text: str, otherwise: int = 0) -> int:
    """A whole number of at most nine digits."""
    text = text.strip()
    return int(text) if text.removeprefix("-").isdecimal() and len(text) <= 9 else otherwise


def chosen(alternatives: Element) -> Element | None:
    """The one of several alternatives that is shown: the first whose extensions are known, else the fallback."""
    for alternative in alternatives:
        kind = name_of(alternative.tag)
        if kind == "mc:Choice":
            needed = (alternative.nsmap.get(prefix) or "" for prefix in alternative.get("Requires", "").split())
            if all(address.startswith(_KNOWN_EXTENSIONS) for address in needed):
                return alternative
        elif kind == "mc:Fallback":
            return alternative
    return None


def unwrapped(
    container: Element, wanted: Container[str], is_wrapper: Callable[[str, Element], bool]
) -> Iterator[tuple[str, Element]]:
    """The elements of these names in a container with their names, in order, through wrappers and the alternative shown.

    However deep wrappers lie in each other, it takes no stack.
    """
    waiting = [container.iterchildren()]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
            continue
        name = name_of(child.tag)
        if name in wanted:
            yield name, child
        elif name == "mc:AlternateContent":
            found = chosen(child)
            if found is not None:
                waiting.append(found.iterchildren())
        elif name and is_wrapper(name, child):
            waiting.append(child.iterchildren())


class Relation(NamedTuple):
    """What a part refers to: the last word of the relationship's type, and the name of the other part."""

    kind: str
    target: str


class Package:
    """The parts of an Office file."""

    def __init__(self, file: RawFile) -> None:
        self.source = file.source
        self._archive = Archive(file.data, file.source)
        if _TYPES not in self._archive:
            raise UnreadableDocument(f"{file.source} is a zip archive without the parts of an Office document")
        self._relations: dict[str, dict[str, Relation]] = {}

    def __contains__(self, part: str) -> bool:
        return part in self._archive

    def parse(self, part: str) -> Element:
        """The root element of a part."""
        data = self._archive.read(part)
        if b"http://purl.oclc.org/ooxml/" in data:
            for strict, usual in _STRICT:
                data = data.replace(strict, usual)
        return parse_xml(data, self.source, part)

    def data(self, part: str) -> bytes:
        """The bytes of a part."""
        return self._archive.read(part)

    def media_type(self, part: str) -> str:
        """What kind of file a part is said to be, or ""."""
        by_suffix = ""
        for kind in self.parse(_TYPES):
            if not isinstance(kind.tag, str):
                continue
            if kind.get("PartName", "").lstrip("/").lower() == part.lower():
                return str(kind.get("ContentType", ""))
            if kind.get("Extension", "").lower() == posixpath.splitext(part)[1].removeprefix(".").lower():
                by_suffix = str(kind.get("ContentType", ""))
        return by_suffix

    def relations(self, part: str = "") -> dict[str, Relation]:
        """What a part refers to within the file, by the ids of the relationships; "" is the file itself."""
        if part not in self._relations:
            self._relations[part] = dict(self._read_relations(part))
        return self._relations[part]

    def _read_relations(self, part: str) -> Iterator[tuple[str, Relation]]:
        folder, name = posixpath.split(part)
        listed = posixpath.join(folder, "_rels", f"{name}.rels")
        if listed not in self._archive:
            return
        for relation in self.parse(listed):
            if not isinstance(relation.tag, str) or relation.get("TargetMode", "") == "External":
                continue
            target = relation.get("Target", "")
            path = posixpath.normpath(posixpath.join("/", folder, unquote(target)))
            if target.startswith("/") and target[1:] in self._archive:
                path = target
            yield relation.get("Id", ""), Relation(relation.get("Type", "").rpartition("/")[2], path.lstrip("/"))

    def related(self, kind: str, part: str = "") -> list[str]:
        """The parts there are that a part has a relationship of this kind with."""
        return [found.target for found in self.relations(part).values() if found.kind == kind and found.target in self]

    def target(self, part: str, identifier: str) -> str:
        """The part that a relationship of this id leads to, "" where there is none."""
        relation = self.relations(part).get(identifier)
        return relation.target if relation is not None and relation.target in self else ""

    def main_part(self, root: str) -> tuple[str, Element]:
        """The name of the part that the document begins in and its root, which has to be called so."""
        for part in self.related("officeDocument"):
            tree = self.parse(part)
            if name_of(tree.tag) == root:
                return part, tree
            raise UnreadableDocument(
                f"{self.source} begins with an element {name_of(tree.tag)!r:.40} and not {root!r}: it is another kind of "
                "Office document than its name says"
            )
        raise UnreadableDocument(f"{self.source} is an Office file without a document in it")

    def optional(self, kind: str, part: str = "") -> Element | None:
        """The root of the first part of this kind, None where there is none."""
        return next((self.parse(found) for found in self.related(kind, part)), None)

    def facts(self) -> tuple[str, dict[str, MetadataValue]]:
        """The title that the file says it has, "" for one that the program made up, and its other properties."""
        core = self.optional("core-properties")
        if core is None:
            return "", {}
        title, author, created, modified, language = (
            text_of(first_named(core, name)) for name in ("title", "creator", "created", "modified", "language")
        )
        is_made_up = title.lower() in _PLACEHOLDER_TITLES or title.lower().startswith(_GENERATED_TITLE)
        return "" if is_made_up else title, facts(author=author, created=created, modified=modified, language=language)
