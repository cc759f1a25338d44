"""A mail in, what is read of it out: its header and texts in order, and its attachments apart.

Of alternatives the plain text is read, and the web page where there is none. Parts are numbered as IMAP numbers them.
"""

from __future__ import annotations

import codecs
import re
from email import message_from_bytes
from typing import TYPE_CHECKING, NamedTuple

from ingest.document import PATH_SEPARATOR, Block, bounded_heading
from ingest.places import MailPart, Place
from ingest.readers.html.page import extract_html
from ingest.readers.mail.flowed import unflowed
from ingest.readers.mail.headers import decoded, field_of, is_mail, metadata_of, plain_field
from ingest.readers.paragraphs import paragraphs
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message
    from typing import Any

    from sql.records.metadata import MetadataValue

_MAX_NESTING = 40  # of parts in parts; a mail that was forwarded often has ten
_MAX_PARTS = 10_000
_MAX_FIELD = 10_000  # characters of a field with parameters
_SHOWN_FIELDS = (("From", "from"), ("To", "to"), ("Cc", "cc"), ("Date", "date"))
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")
# What a web archive holds for the browser beside its pages, whatever type the program gave it.
_FOR_BROWSERS = ("text/css", "text/javascript", "text/xml")
_FOR_BROWSERS_BY_PLACE = re.compile(r"(?:\.css|\.js|\.xml|[/\\]tabstrip\.html?)\Z", re.IGNORECASE)


class TextPart(NamedTuple):
    """A text that a mail shows."""

    number: str
    text: str
    blocks: tuple[Block, ...]


class Attachment(NamedTuple):
    """A file that a mail holds; `is_shown` says that the mail shows it itself, as a picture in its text."""

    name: str
    media_type: str
    data: bytes
    is_shown: bool


def narrow(data: bytes) -> bytes:
    """The bytes of a mail; in UTF-8 where an editor has saved the whole file in UTF-16."""
    return data.decode("utf-16", "replace").encode() if data.startswith(_UTF_16) else data


class Mail:
    """What is read of a mail: `text` with its blocks and places, `metadata`, `title` and `attachments`."""

    def __init__(self, data: bytes, source: str) -> None:
        try:
            message = message_from_bytes(narrow(data).lstrip(b"\xef\xbb\xbf\r\n"))
            if not is_mail(message):
                raise UnreadableDocument(f"{source} has none of the fields that the header of a mail has")
            self.metadata: dict[str, MetadataValue] = metadata_of(message)
            self.title = bounded_heading(field_of(message, "subject"))
            self.attachments: list[Attachment] = []
            self._parts_left = _MAX_PARTS
            texts = list(self._texts(message, "", 0))
        except RecursionError as error:
            raise UnreadableDocument(f"{source} has parts nested deeper than can be read") from error
        self.text, self.blocks, self.places = _written(self.title, _header_lines(message), texts)

    def _texts(self, part: Message, number: str, depth: int) -> Iterator[TextPart]:
        """The texts that a part shows; its attachments are put aside."""
        self._parts_left -= 1
        if depth > _MAX_NESTING or self._parts_left < 0:
            return
        _shorten_fields(part)
        kind = part.get_content_type()
        children = part.get_payload() if part.is_multipart() else None
        if kind.startswith("message/") and isinstance(children, list):
            self._attach_message(part, children, number or "1")
        elif isinstance(children, list):
            yield from self._texts_of_several(part, children, number, depth)
        elif _is_for_browsers(part):
            return
        elif not kind.startswith("multipart/") and _is_attachment(part):  # several parts without a boundary are text
            self._attach(part, number or "1")
        else:
            yield from _text_of(part, number or "1")

    def _texts_of_several(self, part: Message, children: list[Any], number: str, depth: int) -> Iterator[TextPart]:
        prefix = f"{number}." if number else ""
        read = [
            list(self._texts(child, f"{prefix}{index}", depth + 1)) for index, child in enumerate(children, start=1)
        ]
        if part.get_content_type() != "multipart/alternative":
            for texts in read:
                yield from texts
            return
        shown = [index for index, texts in enumerate(read) if any(text.text.strip() for text in texts)]
        plain = [index for index in shown if children[index].get_content_type() == "text/plain"]
        yield from read[(plain or shown)[0]] if shown else ()

    def _attach(self, part: Message, number: str) -> None:
        data = _payload(part)
        kind = part.get_content_type()
        name = plain_field(_file_name(part)) or f"part-{number.replace('.', '-')}"
        is_shown = part.get("content-disposition") is None or not str(
            part["content-disposition"]
        ).strip().lower().startswith("attachment")
        self.attachments.append(
            Attachment(name, kind, data, is_shown and not kind.startswith(("text/", "application/")))
        )

    def _attach_message(self, part: Message, children: list[Any], number: str) -> None:
        """A mail within the mail; of a report on its delivery only that mail is read."""
        if part.get_content_type() != "message/rfc822" or not children:
            return
        name = plain_field(_file_name(part)) or field_of(children[0], "subject") or f"part-{number.replace('.', '-')}"
        if not name.lower().endswith(".eml"):
            name = f"{name[:100]}.eml"
        try:
            data = children[0].as_bytes()
        except (
            LookupError,
            ValueError,
            TypeError,
            AttributeError,
        ):  # of headers that cannot be written as they were read
            return
        self.attachments.append(Attachment(name, "message/rfc822", data, is_shown=False))


def _shorten_fields(part: Message) -> None:
    """Cut the fields whose parameters are looked at, which takes the standard library the square of their length."""
    for name in ("content-type", "content-disposition"):
        if len(value := str(part.get(name, ""))) > _MAX_FIELD:
            part.replace_header(name, value[:_MAX_FIELD])


def _file_name(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except (LookupError, ValueError, TypeError):  # parameters in an encoding that is none
        return ""


def _is_attachment(part: Message) -> bool:
    """Whether a part is a file: by its own word, by its kind, or because it has a name."""
    disposition = str(part.get("content-disposition", "")).strip().lower()
    if disposition.startswith("attachment") or part.get_content_maintype() != "text":
        return True
    name = _file_name(part)
    return bool(name and _SUFFIX.search(name)) or part.get_content_type() == "text/calendar"


def _is_for_browsers(part: Message) -> bool:
    """Whether a part without a name is a style, a script or a list of files, and no text of the mail."""
    location = str(part.get("content-location", ""))[-_MAX_FIELD:].strip()
    is_such = part.get_content_type() in _FOR_BROWSERS or bool(_FOR_BROWSERS_BY_PLACE.search(location))
    return is_such and not _file_name(part)


def _payload(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (LookupError, ValueError, TypeError):
        payload = None
    return payload if isinstance(payload, bytes) else b""


def _text_of(part: Message, number: str) -> Iterator[TextPart]:
    """A part that is shown, as text and its blocks."""
    text = decoded(_payload(part), _parameter(part, "charset")).removeprefix("\ufeff")
    if part.get_content_type() == "text/html":
        page = extract_html(text)
        yield TextPart(number, page.text, page.blocks)
        return
    if _parameter(part, "format").lower() == "flowed":
        text = unflowed(text, deletes_space=_parameter(part, "delsp").lower() == "yes")
    text = text.replace("\r\n", "\n").replace("\0", "\ufffd")
    blocks = (
        Block(start, end, "quote" if text.startswith(">", start) else "paragraph", "")
        for start, end in paragraphs(text, 0, len(text))
    )
    yield TextPart(number, text, tuple(blocks))


def _parameter(part: Message, name: str) -> str:
    try:
        value = part.get_param(name)
    except (LookupError, ValueError, TypeError):
        return ""
    return (value[2] if isinstance(value, tuple) else value or "").strip()


def _header_lines(message: Message) -> str:
    fields = ((shown, field_of(message, name)) for shown, name in _SHOWN_FIELDS)
    return "\n".join(f"{shown}: {value}" for shown, value in fields if value)


def _written(title: str, header: str, texts: Iterable[TextPart]) -> tuple[str, tuple[Block, ...], tuple[Place, ...]]:
    """The text of a mail, its subject first, with its blocks and the place of each of its parts."""
    written: list[str] = []
    blocks: list[Block] = []
    places: list[Place] = []
    length = 0
    for kind, piece in (("heading", title), ("paragraph", header)):
        if piece:
            length += 2 if written else 0
            blocks.append(Block(length, length + len(piece), kind, title))
            written.append(piece)
            length += len(piece)
    for part in texts:
        if part.blocks:
            length += 2 if written else 0
            for block in part.blocks:
                heading = PATH_SEPARATOR.join(filter(None, (title, block.heading)))
                blocks.append(Block(length + block.start, length + block.end, block.kind, heading))
            first, last = part.blocks[0].start, part.blocks[-1].end
            places.append(Place(length + first, length + last, MailPart(part.number)))
            written.append(part.text)
            length += len(part.text)
    return "\n\n".join(written), tuple(blocks), tuple(places)
