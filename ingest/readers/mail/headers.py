"""The header of a mail in, its fields as plain text out, however they were written.

The standard library's own reading raises where base64 is cut short and where an encoding is unknown, which spam and old
mails have; so encoded words are read here, and a word that is broken costs no other.
"""

from __future__ import annotations

import binascii
import codecs
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ingest.readers.decode import decode_text
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from email.message import Message

    from sql.records.metadata import MetadataValue

_MAX_FIELD = 1000  # characters of a field that are kept: a mail to a whole company names everyone
_FIELDS = ("subject", "from", "to", "cc", "date")
_KNOWN_FIELDS = frozenset((*_FIELDS, "received", "message-id", "content-type", "mime-version", "return-path", "sender"))
_ENCODED_WORD = re.compile(r"=\?([\w.:-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?([^?]*)\?=")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
# Encodings of 7 bits: their bytes are ASCII, so that only what the mail says tells them.
_SEVEN_BITS = frozenset(("iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_3", "iso2022_kr", "hz"))


def field_of(message: Message, name: str) -> str:
    """A field of a header on one line, "" where there is none; the first, where it comes twice."""
    for field, value in message.raw_items():
        if field.lower() == name:
            return plain_field(str(value)[: 20 * _MAX_FIELD])[:_MAX_FIELD]
    return ""


def plain_field(written: str) -> str:
    """A field as people read it, without folding, encoded words and bytes that no encoding was named for.

    >>> plain_field("=?utf-8?Q?Gr=C3=BC=C3?= =?utf-8?Q?=9Fe?= aus =?iso-8859-1?b?S/ZsbiA=?=")
    'Grüße aus Köln'
    """
    try:
        raw = written.encode("utf-8", "surrogateescape")  # the parser's form of bytes beyond ASCII
    except UnicodeEncodeError:
        raw = written.encode("utf-8", "replace")
    text = " ".join(decoded(raw).split())
    pieces: list[str] = []
    end, held, held_charset = 0, b"", ""
    for word in _ENCODED_WORD.finditer(text):
        between = text[end : word.start()]
        charset = word[1].lower()
        if held and (between.strip() or charset != held_charset):
            pieces.append(decoded(held, held_charset))
            held = b""
        if between.strip() or not end:
            pieces.append(between)
        held, held_charset, end = held + _word_bytes(word[2], word[3]), charset, word.end()
    pieces += (decoded(held, held_charset), text[end:])
    return " ".join("".join(pieces).split())


def _word_bytes(encoding: str, written: str) -> bytes:
    data = written.encode("utf-8")
    if encoding in "qQ":
        return _HEX.sub(lambda digits: bytes((int(digits[1], 16),)), data.replace(b"_", b" "))
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        return data


def decoded(data: bytes, charset: str = "") -> str:
    """Bytes of a mail as text: by what they show themselves to be, by the encoding that is named, or as guessed.

    What is named is often wrong, so UTF-8 that is valid comes before it. Of broken text the broken bytes become U+FFFD.
    """
    try:
        name = codecs.lookup(charset).name if charset else ""
        if name in _SEVEN_BITS:
            return data.decode(name)
        return decode_text(data, "", charset)[0]
    except (UnreadableDocument, UnicodeDecodeError, LookupError, ValueError):
        pass
    try:
        return decode_text(data, "")[0]
    except UnreadableDocument:
        return data.decode("utf-8", "replace")


def is_mail(message: Message) -> bool:
    """Whether a header has any field of a mail."""
    return any(name.lower() in _KNOWN_FIELDS for name in message.keys())  # noqa: SIM118 - no dictionary


def metadata_of(message: Message) -> dict[str, MetadataValue]:
    """The subject, the people and the date (ISO 8601, with the time zone that the mail names), each where there is one."""
    fields: dict[str, MetadataValue] = {}
    for name in _FIELDS:
        if value := field_of(message, name):
            fields[name] = _date(value) if name == "date" else value
    return fields


def _date(written: str) -> str:
    try:
        return parsedate_to_datetime(written).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return written
