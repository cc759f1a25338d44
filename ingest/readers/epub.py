"""An EPUB in, its text out in the order in which it is read, each chapter by the reader of web pages.

Pictures, styles, scripts and the table of contents are left out; a chapter that has no heading of its own is called what
the table of contents calls it. A book that is encrypted is refused; letters of fonts that are only scrambled harm nobody.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from ingest.readers.archive import Archive
from ingest.readers.composition import Composition, facts, listed
from ingest.readers.decode import declared_charset, decode_text
from ingest.readers.html.page import extract_html
from ingest.readers.html.vocabulary import VOID
from ingest.readers.xml_tree import first_named, named, parse_xml, text_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
_CONTENTS = "application/x-dtbncx+xml"
# The two ways to scramble a font, which are no encryption of the text.
_SCRAMBLED_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
# An element that closes itself: in HTML it would stay open, and all that follows would be in it.
_CLOSED = re.compile(r"""<([A-Za-z][\w:.-]*+)((?:[^<>"'/]|"[^"]*+"|'[^']*+'|/(?!>))*+)/>""")
_MAX_MISSING = 5  # chapters that a remark lists


class _Item(NamedTuple):
    """An entry of the manifest."""

    path: str
    kind: str
    is_contents: bool


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a book."""
    yield _Book(file).document()


class _Book:
    """The parts of a book and what was read of them."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._archive = Archive(file.data, file.source)
        if _CONTAINER not in self._archive:
            raise UnreadableDocument(f"{file.source} is a zip archive without the {_CONTAINER} of an EPUB")
        self._root_path = self._find_package()
        self._package = self._parse(self._root_path)
        self._items = {item.get("id", ""): self._item(item) for item in named(self._package, "item")}
        self._refuse_encrypted()

    def _parse(self, path: str) -> Element:
        return parse_xml(self._archive.read(path), self._file.source, path)

    def _find_package(self) -> str:
        for found in named(self._parse(_CONTAINER), "rootfile"):
            path: str = found.get("full-path", "")
            if path in self._archive:
                return path
        raise UnreadableDocument(f"{self._file.source} is an EPUB whose {_CONTAINER} names no package that is in it")

    def _item(self, item: Element) -> _Item:
        path = _resolved(self._root_path, item.get("href", ""))
        return _Item(path, item.get("media-type", ""), "nav" in item.get("properties", "").split())

    def _refuse_encrypted(self) -> None:
        if _ENCRYPTION not in self._archive:
            return
        pages = {self._archive.found(item.path) for item in self._items.values() if item.kind in _PAGES}
        for data in named(self._parse(_ENCRYPTION), "EncryptedData"):
            method, reference = first_named(data, "EncryptionMethod"), first_named(data, "CipherReference")
            algorithm = method.get("Algorithm", "") if method is not None else ""
            path = _resolved("", reference.get("URI", "")) if reference is not None else ""
            if algorithm not in _SCRAMBLED_FONTS and self._archive.found(path) in pages:
                raise UnreadableDocument(
                    f"{self._file.source} is encrypted, as shops do with books that only their own programs open: it can "
                    "be read where it was bought without such a protection"
                )

    def document(self) -> Document:
        """All chapters, each once."""
        composition = Composition()
        titles = dict(reversed([*self._titles()]))  # the first title of a page counts
        missing: dict[str, None] = {}
        done = set()
        for item in self._reading_order():
            path = self._archive.found(item.path)
            if not path:
                missing[item.path] = None
            elif path not in done and not item.is_contents and item.kind in _PAGES:
                done.add(path)
                page = extract_html(self._markup(path))
                composition.add(page.text, page.blocks, titles.get(path, ""))
        return composition.document(self._file, *self._facts(), listed(_remarks(missing)))

    def _reading_order(self) -> Iterator[_Item]:
        spine = first_named(self._package, "spine")
        for reference in named(spine, "itemref") if spine is not None else ():
            item = self._items.get(reference.get("idref", ""))
            if item is not None:
                yield item

    def _markup(self, path: str) -> str:
        data = self._archive.read(path)
        markup, _ = decode_text(data, f"{self._file.source}: its {path}", declared_charset(data))
        return _CLOSED.sub(_with_end, markup)

    def _titles(self) -> Iterator[tuple[str, str]]:
        """The pages that the table of contents leads to, and what it calls them."""
        for item in self._items.values():
            if not (item.is_contents or item.kind == _CONTENTS) or item.path not in self._archive:
                continue
            try:
                root = self._parse(item.path)
            except UnreadableDocument:  # the book can be read without it
                continue
            for link in named(root, "a", "navPoint"):
                target = link if item.is_contents else first_named(link, "content")
                label = link if item.is_contents else first_named(link, "navLabel")
                address = target.get("href", target.get("src", "")) if target is not None else ""
                title = text_of(label)
                path = self._archive.found(_resolved(item.path, address))
                if path and title:
                    yield path, title

    def _facts(self) -> tuple[str, dict[str, str]]:
        values: dict[str, list[str]] = {}
        metadata = first_named(self._package, "metadata")
        for name in ("title", "creator", "language", "date"):
            values[name] = [text_of(found) for found in named(metadata, name)] if metadata is not None else []
        modified = [
            text_of(found) for found in named(self._package, "meta") if found.get("property") == "dcterms:modified"
        ]
        first = {name: found[0] if found else "" for name, found in values.items()}
        found = facts(
            author=", ".join(filter(None, values["creator"])), created=first["date"], modified="".join(modified[:1]),
            language=first["language"],
        )  # fmt: skip
        return first["title"], {name: str(value) for name, value in found.items()}


def _remarks(missing: dict[str, None]) -> Iterator[str]:
    if missing:
        names = ", ".join([*missing][:_MAX_MISSING]) + (", ..." if len(missing) > _MAX_MISSING else "")
        yield f"chapters that the book names and does not hold: {names}"


def _resolved(base: str, address: str) -> str:
    """The entry that a link in the entry `base` leads to, "" for one that leads elsewhere."""
    path = unquote(address.partition("#")[0])
    if not path or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path):
        return "" if path or not base else base
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(base), path)).lstrip("/")


def _with_end(tag: re.Match[str]) -> str:
    return tag[0] if tag[1].lower() in VOID else f"<{tag[1]}{tag[2]}></{tag[1]}>"
