"""What a Markdown file says of itself above its text: the lines of its front matter in, metadata for filters out.

Of YAML only what front matter is made of is read: `name: value` with plain or quoted text, numbers, true, false and
null, and lists in brackets or one item a line. A line of any other kind, a name that metadata cannot have and nested
mappings are passed over: a file is never refused for its front matter.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from sql.errors import InvalidMetadata
from sql.metadata import NO_METADATA, check_scalar, freeze_metadata, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.document import Document
    from sql.metadata import MetadataScalar, MetadataValue

MAX_LINES = 1000
MAX_ITEMS = 200
ENTRY = re.compile(r"([^\s:#][^:]*?)[ \t]*:(?:[ \t]+(.*))?")
ITEM = re.compile(r"[ \t]*-[ \t]+(.*)")
COMMENT = re.compile(r"(?:^|[ \t])#.*$")
QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')[ \t]*(?:#.*)?""")
PIECE = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,]*?)[ \t]*(?:,|$)""")
INTEGER, NUMBER = re.compile(r"[-+]?\d{1,19}"), re.compile(r"[-+]?(?:\d+\.\d*|\.?\d+)(?:[eE][-+]?\d+)?")
WORDS: dict[str, MetadataScalar] = {"true": True, "false": False, "null": None, "~": None, "": None}
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


def document_metadata(document: Document) -> Mapping[str, MetadataValue]:
    """The metadata of a document that was read; empty where it has no front matter."""
    if not document.blocks or document.blocks[0].kind != "front matter":
        return NO_METADATA
    block = document.blocks[0]
    try:
        return freeze_metadata(read_front_matter(document.text[block.start : block.end]))
    except InvalidMetadata:  # more of it than a document can carry
        return NO_METADATA


def read_front_matter(text: str) -> dict[str, MetadataValue]:
    """The entries between two lines of `---`; where a name comes twice, the last one counts.

    >>> read_front_matter("---\\ntitle: 'Kilns'  # a comment\\nyear: 1998\\ntags: [glaze, \\"a, b\\"]\\n---")
    {'title': 'Kilns', 'year': 1998, 'tags': ('glaze', 'a, b')}
    """
    found: dict[str, MetadataValue] = {}
    items: list[MetadataScalar] = []
    name = ""  # of the list whose items may follow, one a line
    for line in text.splitlines()[1 : MAX_LINES + 1]:
        if line.rstrip() in {"---", "..."}:
            break
        item, entry = ITEM.fullmatch(line), ENTRY.fullmatch(line)
        if item and name and len(items) < MAX_ITEMS:
            items.append(read_scalar(item[1]))
            found[name] = tuple(items)
        elif entry and is_name(entry[1]):
            value = COMMENT.sub("", entry[2] or "").strip()
            name, items = ("" if value else entry[1]), []
            found[entry[1]] = read_value(entry[2] or "")
        elif line.strip() and not line.lstrip().startswith("#"):
            found = {key: value for key, value in found.items() if key != name or items}  # it opened something nested
            name = ""
    return found


def read_value(text: str) -> MetadataValue:
    """A list in brackets, or one value."""
    inner = COMMENT.sub("", text).strip()
    if not (inner.startswith("[") and inner.endswith("]")):
        return read_scalar(text)
    pieces = [match[1] for match in PIECE.finditer(inner[1:-1]) if match[0]]
    return tuple(read_scalar(piece) for piece in pieces[:MAX_ITEMS])


def read_scalar(text: str) -> MetadataScalar:
    """One value: quoted text, a number, true, false, null, or the text as it stands, dates too.

    >>> [read_scalar(text) for text in ("'12'", "12", "1.5", "yes", "true", "2024-05-01", "~")]
    ['12', 12, 1.5, 'yes', True, '2024-05-01', None]
    """
    quoted = QUOTED.fullmatch(text.strip())
    if quoted:
        inside = quoted[1][1:-1]
        if quoted[1].startswith("'"):
            return inside.replace("''", "'")
        return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[0]), inside)
    plain = COMMENT.sub("", text).strip()
    if plain.lower() in WORDS:
        return WORDS[plain.lower()]
    value: MetadataScalar = plain
    if INTEGER.fullmatch(plain):
        value = int(plain)
    elif NUMBER.fullmatch(plain) and math.isfinite(float(plain)):
        value = float(plain)
    try:
        return check_scalar("value", value)
    except InvalidMetadata:  # a whole number of more than 64 bits
        return plain
