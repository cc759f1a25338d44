"""A mail (`.eml`) or a mailbox (`.mbox`) in; a document for each message and each attachment out.

The messages of a mailbox are its parts 1, 2, 3; an attachment is a part by its name, `mail.eml#plan.pdf`,
`box.mbox#3/plan.pdf`, and its own reader reads it. An attachment that cannot be read becomes a remark on its mail.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ingest.document import PART_MARK
from ingest.readers.enclosed import PartNames, enclosed_documents, enclosed_file
from ingest.readers.mail.message import Mail
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingest.document import Document
    from ingest.readers.mail.message import Attachment
    from ingest.readers.raw_file import RawFile

FORMAT = "email"
MAILBOXES = (".mbox", ".mbx")
_MAX_NAMED = 5  # attachments or messages that a remark names
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# A message begins behind a blank line with a line `From `, and a field of its header below: a sentence may begin so too.
# The first one of a mailbox that was cut off, or that a program wrote by itself, may have only its header.
_BEGINNING = re.compile(
    rb"(?:\A(?:\xef\xbb\xbf)?[\r\n]*+|(?<=\n\n)|(?<=\n\r\n))From [^\r\n]*\r?\n(?=>?[!-9;-~]+:)"
    rb"|\A(?:\xef\xbb\xbf)?[\r\n]*+(?=[!-9;-~]+:)"
)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def read(file: RawFile) -> Iterator[Document]:
    """The documents of a mail, or of all mails of a mailbox."""
    if file.data.startswith(_OLD_OFFICE):
        raise UnreadableDocument(f"{file.source} is a mail of Outlook's own format: save it as .eml")
    if not file.data.strip():
        return
    yield from _mailbox_documents(file) if file.suffix in MAILBOXES else _mail_documents(file)


def file_in(file: RawFile, part: str) -> RawFile:
    """The file that is a part of a mail or a mailbox, such as `plan.pdf`, `3/plan.pdf` or `forwarded.eml/plan.pdf`.

    UnreadableDocument where there is none that is called so, and as `read` raises it.
    """
    first, _, rest = part.partition("/")
    for name, inner_name, media_type, data in _files_in(file):
        if name == first:
            inner, _ = enclosed_file(file, inner_name, name, data, media_type)
            return file_in(inner, rest) if rest else inner
    raise UnreadableDocument(f"{file.source} holds no file that is called {first!r}")


def _files_in(file: RawFile) -> Iterator[tuple[str, str, str, bytes]]:
    """Of each file in a mail or mailbox what it is called as a part, its own name, its media type and its bytes."""
    if file.format != FORMAT:
        return
    if file.suffix in MAILBOXES:
        for number, (_, data) in enumerate(_messages(file.data), start=1):
            yield str(number), f"{number}.eml", "", data
        return
    for part, attachment in _named(Mail(file.data, file.source).attachments):
        yield part, attachment.name, attachment.media_type, attachment.data


def _named(attachments: Iterable[Attachment]) -> Iterator[tuple[str, Attachment]]:
    """Each with what it is called as a part."""
    names = PartNames()
    for attachment in attachments:
        yield names.unique(attachment.name), attachment


def _mail_documents(file: RawFile) -> Iterator[Document]:
    mail = Mail(file.data, file.source)
    found: list[Document] = []
    unread: list[str] = []
    for part, attachment in _named(mail.attachments):
        try:
            found += enclosed_documents(file, attachment.name, part, attachment.data, attachment.media_type)
        except UnreadableDocument as error:
            if not attachment.is_shown:
                unread.append(str(error).removeprefix(f"{file.source}{PART_MARK}"))
    if mail.attachments:
        mail.metadata["attachments"] = tuple(attachment.name[:200] for attachment in mail.attachments[:50])
    yield file.document(
        mail.text,
        mail.blocks,
        title=mail.title,
        converted=True,
        line_marks=((0, 1),),
        places=mail.places,
        metadata=mail.metadata,
        remark=_remark(unread),
    )
    yield from found


def _mailbox_documents(file: RawFile) -> Iterator[Document]:
    """The messages as parts by their numbers; one that cannot be read is skipped, unless it is the only one."""
    found: list[Document] = []
    unread: list[str] = []
    for number, (line, data) in enumerate(_messages(file.data), start=1):
        try:
            documents = enclosed_documents(file, f"{number}.eml", str(number), data)
        except UnreadableDocument as error:
            unread.append(str(error).removeprefix(f"{file.source}{PART_MARK}"))
            continue
        found += [replace(documents[0], line_marks=((0, line),)), *documents[1:]] if documents else []
    if not found:
        raise UnreadableDocument(
            f"{file.source} is not a mailbox: no message begins with a From line and a header below it"
        )
    if unread:
        found[0] = replace(found[0], remark="; ".join(filter(None, (found[0].remark, _remark(unread)))))
    yield from found


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages of a mailbox, each with the line of the file that it begins in."""
    spans = [beginning.span() for beginning in _BEGINNING.finditer(data)]
    line, counted = 1, 0
    for (start, first), (end, _) in pairwise([*spans, (len(data), 0)]):
        line += data.count(b"\n", counted, start)
        counted = start
        yield line, _QUOTED_FROM.sub(rb"\1", data[first:end])


def _remark(unread: list[str]) -> str:
    more = f", and {len(unread) - _MAX_NAMED} more" if len(unread) > _MAX_NAMED else ""
    return f"not read: {'; '.join(unread[:_MAX_NAMED])}{more}" if unread else ""
