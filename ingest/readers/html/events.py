"""What a page consists of, in the order of the file: starts and ends of elements, and the texts between them."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from ingest.readers.html.vocabulary import HTML

_ATTRIBUTE = re.compile(r"""([^\t\n\f\r />"'=]++)(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+("[^"]*+"|'[^']*+'|[^\t\n\f\r >]++))?""")


class Kind(Enum):
    """What an event is."""

    START = 1
    END = 2
    TEXT = 3


class Element:
    """An element that was opened; its fields ending in `_at` are indices on the stack of open elements."""

    __slots__ = (
        "attributes", "button_scope_at", "effect", "html_at", "index", "is_open", "is_over", "item_stop_at",
        "list_scope_at", "name", "position", "scope_at", "space", "special_at", "table_context_at", "table_scope_at",
    )  # fmt: skip

    def __init__(self, name: str, attributes: str, position: int, space: str = HTML) -> None:
        self.name, self.attributes, self.position, self.space = name, attributes, position, space
        self.index = self.html_at = self.special_at = self.item_stop_at = 0
        self.scope_at = self.list_scope_at = self.button_scope_at = 0
        self.table_scope_at = self.table_context_at = 0
        self.is_open = False  # whether an end tag finds it
        self.is_over = False  # whether its end has been told
        self.effect: object = None  # for whoever reads the events


class Event(NamedTuple):
    """A start, an end or a text. Of a text, `text` is the markup as it stands at `position`.

    `is_raw`: it has no character references. `in_table`: it stands straight in a table or row, outside of its cells.
    """

    kind: Kind
    element: Element
    text: str = ""
    position: int = 0
    is_raw: bool = False
    in_table: bool = False


def attributes_of(markup: str) -> dict[str, str]:
    """The attributes of a tag by name in small letters, as they stand in the markup; the first of a name counts."""
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(markup):
        quoted = value[:1] in ("'", '"') and len(value) > 1
        found.setdefault(name.lower(), value[1:-1] if quoted else value)
    return found
