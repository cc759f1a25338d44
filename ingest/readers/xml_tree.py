"""The bytes of an XML document in, the tree of its elements out: bounded work, and nothing outside is ever read.

Elements nest 256 deep at most, which is the parser's own limit; so a reader may call itself for each level.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import html5
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from lxml import etree

from ingest.readers.decode import declared_charset, decode_text
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

Element = Any  # lxml.etree._Element, for which no types are at hand
MAX_XML_BYTES = 64 << 20
MAX_MARKS = 8_000_000  # tags and attributes: the tree takes about 100 bytes for each
_PROLOG_STEP = 4096
_HUGE = ", use XML_PARSE_HUGE option"  # no option of ours: what it guards against is a document that takes all memory
MAX_ENTITY_CHARACTERS = 1_000
MAX_EXPANDED_CHARACTERS = 16 << 20  # of a document, in what its own entities stand for
# The one kind of entity that is let through: a name, a version, an address, without a reference to another entity and
# without markup. The parser expands it in attributes only, and bounds itself how much that makes of a file.
_PLAIN = re.compile(r"[^<&%]*")
_DECLARATION = re.compile(r"<\?xml[^>]*>")
_DECLARATION_BYTES = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\?xml[^>]{0,200}>)?(?!\x00)")
_ENTITY_ELEMENT = "entity"
_WRONG_IDS = (etree.ErrorTypes.DTD_ID_REDEFINED, etree.ErrorTypes.DTD_XMLID_VALUE)


class _PrologIsOver(Exception):
    """The first element begins."""


class _DeclaresEntity(Exception):
    """The document type declares an entity that is more than plain text."""


def parse_xml(data: bytes, source: str, name: str = "", *, with_undeclared: bool = False) -> Element:
    """The root of a document, `name` being the entry of `source` that it stands in, if it is not all of it.

    Comments and processing instructions are left out. UnreadableDocument for what is not well-formed, for what declares
    entities other than plain text, for their expansion has no bounds, and for what is too large or deep. A reference to an
    entity is the text that the document declares, and one by name to a character that character; any other stands as it is
    written, where the document type declares them elsewhere; `with_undeclared` also where there is no document type, as in
    a part of a larger document.
    """
    where = f"its {name}" if name else "it"
    if len(data) > MAX_XML_BYTES:
        raise UnreadableDocument(f"{source}: {where} holds {len(data):,} bytes of XML, the limit is {MAX_XML_BYTES:,}")
    if data.count(b"<") + data.count(b"=") > MAX_MARKS:
        raise UnreadableDocument(f"{source}: {where} has more than {MAX_MARKS:,} tags and attributes: divide it")
    data = _as_known_encoding(data, source, where)
    try:
        root = _parsed(data, with_undeclared=with_undeclared)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        if _HUGE in str(error):
            limit = error_text(error).replace(_HUGE, "")
            raise UnreadableDocument(
                f"{source}: {where} is too large or deep for the parser: {limit}: divide it"
            ) from error
        raise UnreadableDocument(f"{source}: {where} is not well-formed XML: {error_text(error)}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        _write_entities(root, source, where)
    return root


def _parsed(data: bytes, *, with_undeclared: bool) -> Element:
    parser = _parser()
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if _has_only_wrong_ids(parser):
            return etree.fromstring(data, _parser(recover=True))
        start = _DECLARATION_BYTES.match(data)
        if not with_undeclared or error.code != etree.ErrorTypes.ERR_UNDECLARED_ENTITY or start is None:
            raise
        # With a document type whose file is not at hand, every reference could be declared there.
        typed = data[: start.end()] + b"<!DOCTYPE any SYSTEM ''>" + data[start.end() :]
        try:
            return _parsed(typed, with_undeclared=False)
        except etree.XMLSyntaxError:
            raise error from None  # of the document as it is


def _parser(*, recover: bool = False) -> etree.XMLParser:
    # collect_ids has to stay as it is: without it libxml2 2.14 opens the document type's file, whatever load_dtd says
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, recover=recover,
    )  # fmt: skip


def _has_only_wrong_ids(parser: etree.XMLParser) -> bool:
    """Whether all that a parser complains of is that an `xml:id` comes twice or is no name, which no reader minds."""
    complaints = parser.error_log
    return len(complaints) > 0 and all(complaint.type in _WRONG_IDS for complaint in complaints)


def error_text(error: Exception) -> str:
    """What a parser says is wrong, without the name that it gives to bytes in memory."""
    return " ".join(str(error).split(" (<string>")[0].split()) or type(error).__name__


def _as_known_encoding(data: bytes, source: str, where: str) -> bytes:
    """The document itself once its beginning was read by expat, which stops where an entity is declared.

    Expat knows the encodings of one byte a character and those of Unicode. The other parser knows more, and would load
    what a document type in one of them names; so such a document is decoded first.
    """
    try:
        _read_prolog(data)
    except (ValueError, LookupError):  # "multi-byte encodings are not supported", "unknown encoding"
        text, _ = decode_text(data, source, declared_charset(data))
        data = _DECLARATION.sub("", text, count=1).encode()
        _as_known_encoding(data, source, where)
    except _DeclaresEntity as error:
        raise UnreadableDocument(
            f"{source}: {where} declares entities in its document type that are not plain text of at most "
            f"{MAX_ENTITY_CHARACTERS:,} characters, which are not expanded: save it without them"
        ) from error
    except expat.ExpatError as error:
        raise UnreadableDocument(f"{source}: {where} is not well-formed XML: {error}") from error
    return data


def _read_prolog(data: bytes) -> None:
    """Read what stands before the first element."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = _end_prolog
    parser.EntityDeclHandler = _refuse_entity
    try:
        for start in range(0, len(data), _PROLOG_STEP):
            parser.Parse(data[start : start + _PROLOG_STEP], False)
        parser.Parse(b"", True)
    except _PrologIsOver:
        return


def _end_prolog(*_: object) -> None:
    raise _PrologIsOver


def _refuse_entity(name: str, is_parameter: bool, value: str | None, *_: object) -> None:  # noqa: ARG001 - expat's
    if value is None or len(value) > MAX_ENTITY_CHARACTERS or not _PLAIN.fullmatch(value):
        raise _DeclaresEntity


def _write_entities(root: Element, source: str, where: str) -> None:
    """Replace references by what the document declares, or by the characters that they name, such as &nbsp;."""
    declared = {entity.name: entity.content for entity in root.getroottree().docinfo.internalDTD.iterentities()}
    expanded = 0
    for entity in list(root.iter(etree.Entity)):
        written = etree.Element(_ENTITY_ELEMENT)
        written.text = declared.get(entity.name, html5.get(f"{entity.name};", entity.text)).replace("\0", "\ufffd")
        expanded += len(written.text)
        if expanded > MAX_EXPANDED_CHARACTERS:
            limit = f"{MAX_EXPANDED_CHARACTERS:,} characters"
            raise UnreadableDocument(
                f"{source}: {where} has entities that stand for more than {limit} of text: divide it"
            )
        written.tail, entity.tail = entity.tail, None
        entity.getparent().replace(entity, written)


@lru_cache(maxsize=4096)
def local_name(tag: str) -> str:
    """The name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]


@lru_cache(maxsize=4096)
def namespace(tag: str) -> str:
    """The namespace of an element or attribute, or ""."""
    return tag[1:].rpartition("}")[0]


def text_of(element: Element | None) -> str:
    """All text in an element, in the order of the document, in one line; "" for no element."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def named(root: Element, *names: str) -> Iterator[Element]:
    """The elements at any depth that are called by one of the names, in whatever namespace."""
    yield from root.iter(*(f"{{*}}{name}" for name in names))


def first_named(root: Element, *names: str) -> Element | None:
    """The first of `named`, or None."""
    return next(iter(named(root, *names)), None)
