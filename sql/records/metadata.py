"""What a document says of itself besides its text: names with plain values in, JSON text for the table out, and back.

A name is a letter or underscore and up to 63 letters, digits, `_`, `.` or `-`. A value is text, a number, true or
false, None, or a list of such.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sql.base.errors import InvalidMetadata

MetadataScalar = str | int | float | bool | None
MetadataValue = MetadataScalar | Sequence[MetadataScalar]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1
MAX_BYTES = 65_536  # of one document's metadata as JSON; every chunk of it carries a copy
_WORDS: dict[str, MetadataScalar] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 40  # characters; no number of 64 bits needs more
NO_METADATA: Mapping[str, MetadataValue] = MappingProxyType({})


def is_name(name: object) -> bool:
    """Whether metadata may be called so; nothing else ever reaches the database as a name.

    >>> is_name("year"), is_name("a.b-c"), is_name("1st"), is_name("year')--"), is_name("")
    (True, True, False, False, False)
    """
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def freeze_metadata(metadata: Mapping[str, MetadataValue]) -> Mapping[str, MetadataValue]:
    """A copy that cannot be changed, lists as tuples; raises InvalidMetadata for what the table cannot hold.

    >>> dict(freeze_metadata({"year": 1998, "tags": ["kiln", "glaze"]}))
    {'year': 1998, 'tags': ('kiln', 'glaze')}
    """
    if not isinstance(metadata, Mapping):
        raise InvalidMetadata(f"metadata must be a mapping of names to values, not {type(metadata).__name__}")
    frozen = MappingProxyType({check_name(name): freeze_value(name, value) for name, value in metadata.items()})
    size = len(metadata_json(frozen).encode())
    if size > MAX_BYTES:
        raise InvalidMetadata(f"metadata of {size} bytes as JSON: at most {MAX_BYTES} can be stored with a document")
    return frozen


def check_name(name: object) -> str:
    """The name itself; InvalidMetadata where it is none."""
    if not isinstance(name, str) or not is_name(name):
        raise InvalidMetadata(
            f"metadata cannot be called {name!r:.80}: a name is a letter or _ and up to 63 letters, digits, _ . or -"
        )
    return name


def freeze_value(name: str, value: MetadataValue) -> MetadataValue:
    """A value, or a tuple of values."""
    if isinstance(value, list | tuple):
        return tuple(check_scalar(name, item) for item in value)
    return check_scalar(name, value)


def check_scalar(name: str, value: object) -> MetadataScalar:
    """The value itself; InvalidMetadata where it is neither text, a finite number, a truth value nor None."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not encodable(value):
            raise InvalidMetadata(f"metadata {name} holds half a surrogate pair, which is not text: remove it")
        return value
    if isinstance(value, int) and LEAST_INTEGER <= value <= GREATEST_INTEGER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InvalidMetadata(
        f"metadata {name} cannot be {value!r:.80} ({type(value).__name__}): text, whole numbers of 64 bits, finite "
        "numbers, true, false, null and lists of them can be stored"
    )


def plain_value(text: str) -> MetadataScalar:
    """What a word without quotation marks means, by the core schema of YAML 1.2; else the word itself.

    Only what a value gives back as it is written becomes one: leading zeros, hexadecimal digits and more digits than
    64 bits hold stay text.

    >>> [plain_value(text) for text in ("12", "-1.50", "True", "null", "01097", "yes", "0x1F", "12345678901234567890")]
    [12, -1.5, True, None, '01097', 'yes', '0x1F', '12345678901234567890']
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return text
    if _INTEGER.fullmatch(text):
        whole = int(text)
        return whole if LEAST_INTEGER <= whole <= GREATEST_INTEGER else text
    number = float(text)
    # 0.12345678901234567890 has more digits than a float, and two such numbers would become one
    return number if math.isfinite(number) and Decimal(repr(number)) == Decimal(text) else text


def encodable(text: str) -> bool:
    """Whether text has a UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def metadata_json(metadata: Mapping[str, MetadataValue]) -> str:
    """The metadata as a JSON object, names in order, so that equal metadata is equal text."""
    return json.dumps(dict(metadata), ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))


def read_metadata(text: str) -> Mapping[str, MetadataValue]:
    """The metadata behind a JSON object of the table."""
    if text == "{}":
        return NO_METADATA
    values: dict[str, Any] = json.loads(text)
    return MappingProxyType({name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
