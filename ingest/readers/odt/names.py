"""The names of OpenDocument's elements and attributes as its standard writes them: `text:p`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ingest.readers.xml_tree import local_name, namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readers.xml_tree import Element

_ADDRESS = re.compile(
    r"urn:(?:oasis:names:tc:opendocument:xmlns|[\w:]*documentfoundation[\w:]*:xmlns):([a-z]+)(?:-[a-z-]+)?:1\.[0-9]"
)
_TEXT_ADDRESS = "urn:oasis:names:tc:opendocument:xmlns:{}:1.0"
_LIBRE_OFFICE = "urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0"


@lru_cache(maxsize=8192)
def name_of(tag: object) -> str:
    """The usual name of an element or attribute; without a prefix where it is not of OpenDocument."""
    if not isinstance(tag, str):
        return ""
    found = _ADDRESS.fullmatch(namespace(tag))
    return f"{found[1]}:{local_name(tag)}" if found else local_name(tag)


@lru_cache(maxsize=1024)
def _full_name(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_LIBRE_OFFICE if prefix == 'loext' else _TEXT_ADDRESS.format(prefix)}}}{local}"


def value_of(element: Element | None, name: str, otherwise: str = "") -> str:
    """The value of an attribute by its usual name."""
    if element is None:
        return otherwise
    value: str = element.get(_full_name(name), otherwise)
    return value


def child_of(element: Element | None, name: str) -> Element | None:
    """The first child called so, or None."""
    return element.find(_full_name(name)) if element is not None else None


def all_named(element: Element, name: str) -> Iterator[Element]:
    """All descendants called so."""
    yield from element.iter(_full_name(name))


def whole(text: str, otherwise: int) -> int:
    """A whole number of at most nine digits."""
    return int(text) if text.isdecimal() and len(text) <= 9 else otherwise
