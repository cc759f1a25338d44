"""Mails and mailboxes: which of their texts is read, what their header says, and attachments as documents of their own."""

from __future__ import annotations

from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import run_python

from ingest.readers import enclosed
from ingest.readers.enclosed import MAX_DEPTH, PartNames
from ingest.readers.mail import reader
from ingest.readers.mail.flowed import unflowed
from ingest.readers.mail.headers import plain_field
from ingest.readers.raw_file import Allowance, RawFile
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.document import Document

HEADER = b"From: Ann <ann@example.org>\nTo: Bob\nSubject: Tea\nDate: Mon, 02 Nov 2026 09:12:00 +0100\n"
SHOWN = "Tea\n\nFrom: Ann <ann@example.org>\nTo: Bob\nDate: Mon, 02 Nov 2026 09:12:00 +0100\n\n"


def read(data: bytes, name: str = "a.eml", **more: Any) -> list[Document]:
    documents = list(reader.read(RawFile(name, name, "email", data, **more)))
    for document in documents:
        held = "".join(document.text[block.start : block.end] for block in document.blocks)
        assert "".join(held.split()) == "".join(document.text.removeprefix("\ufeff").split())
    return documents


def text(data: bytes) -> str:
    """The text of the mail below its header."""
    return read(data)[0].text.removeprefix(SHOWN)


def mail(content: Any) -> bytes:
    """A MIME part as a mail."""
    return HEADER + content.as_bytes()


def with_attachments(*files: tuple[str, bytes]) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Tea"
    message.set_content("Hello")
    for name, data in files:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def test_the_header_is_metadata_and_the_subject_is_title_and_heading() -> None:
    (document,) = read(HEADER + b"\nHello,\n\ntea at four.\n-- \nAnn\n")
    assert document.title == "Tea"
    assert document.metadata == {
        "subject": "Tea",
        "from": "Ann <ann@example.org>",
        "to": "Bob",
        "date": "2026-11-02T09:12:00+01:00",
    }
    assert document.text == SHOWN + "Hello,\n\ntea at four.\n-- \nAnn\n"
    assert [(block.kind, block.heading) for block in document.blocks] == [
        ("heading", "Tea"),
        *[("paragraph", "Tea")] * 3,
    ]
    ((place, where),) = [(document.text[place.start : place.end], place.where) for place in document.places]
    assert (place, str(where)) == ("Hello,\n\ntea at four.\n-- \nAnn", "MailPart(number='1')")


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("=?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?q?Gr=C3=BC=C3?=\n =?utf-8?q?=9Fe?=", "Grüße"),  # a character in two words
        ("=?iso-8859-1?q?M=FCller=2C_Eva?= <eva@x.org>", "Müller, Eva <eva@x.org>"),
        ("=?utf-8?q?two?= =?utf-8?q?_words?= and", "two words and"),
        ("=?nonsense?q?a=FCb?=", "aüb"),
        ("=?utf-8?b?R3L?=", "Gr"),  # cut short
        ("a\n folded\n\tline", "a folded line"),
        ("Gr\udcc3\udcbc\udcc3\udc9fe", "Grüße"),  # UTF-8 without any word of it
        ("Gr\udcfc\udcdfe", "Grüße"),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("1 =? 2 ?= 3", "1 =? 2 ?= 3"),
    ],
)
def test_a_field_is_read_however_it_was_written(written: str, plain: str) -> None:
    assert plain_field(written) == plain


@pytest.mark.parametrize(
    ("kind", "encoding", "body", "shown"),
    [
        ("text/plain; charset=utf-8", "quoted-printable", b"Gr=C3=BC=C3=9Fe =\nall", "Grüße all"),
        ("text/plain; charset=utf-8", "base64", b"R3LDvMOfZQ==", "Grüße"),
        ("text/plain; charset=iso-8859-1", "8bit", b"Gr\xfc\xdfe", "Grüße"),
        ("text/plain; charset=us-ascii", "8bit", "Grüße".encode(), "Grüße"),  # what it says is wrong
        ("text/plain; charset=nonsense", "8bit", b"Gr\xfc\xdfe aus K\xf6ln", "Grüße aus Köln"),
        ("text/plain", "8bit", "Grüße".encode(), "Grüße"),
        ("text/plain; charset=iso-2022-jp", "7bit", "日本".encode("iso-2022-jp"), "日本"),
        ("text/plain; format=flowed", "7bit", b"one \ntwo\n", "one two"),
        ("text/plain; format=flowed; delsp=yes", "7bit", b"one \ntwo\n", "onetwo"),
        ("text/html; charset=utf-8", "8bit", "<p>Grüße<br>all</p><script>x</script>".encode(), "Grüße\nall"),
    ],
)
def test_a_text_is_decoded(kind: str, encoding: str, body: bytes, shown: str) -> None:
    header = f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    assert text(HEADER + header + body).strip() == shown


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_mail_that_was_saved_in_utf_16_is_read(encoding: str) -> None:
    assert text(("\ufeff" + HEADER.decode() + "\nGrüße").encode(encoding)) == "Grüße"


def test_quoted_lines_are_a_quote() -> None:
    (document,) = read(HEADER + b"\nYes.\n\n> Tea?\n> Or cake?\n")
    assert [block.kind for block in document.blocks[2:]] == ["paragraph", "quote"]


@pytest.mark.parametrize(
    ("flowed", "lines"),
    [
        ("a \nb\nc", "a b\nc"),
        ("> a \n> b\n>> c \n> d", "> a b\n>> c\n> d"),  # a flow ends where the depth changes
        (" >no quote\n From us", ">no quote\nFrom us"),  # spaces that were stuffed
        ("a \n-- \nAnn", "a\n-- \nAnn"),
        ("", ""),
        ("a \r\nb", "a b"),
    ],
)
def test_flowed_lines_are_joined(flowed: str, lines: str) -> None:
    assert unflowed(flowed) == lines


def alternative(plain: str, page: str) -> MIMEMultipart:
    both = MIMEMultipart("alternative")
    both.attach(MIMEText(plain, "plain"))
    both.attach(MIMEText(page, "html"))
    return both


def test_of_alternatives_the_plain_text_is_read_unless_it_is_empty() -> None:
    assert text(mail(alternative("plain", "<p>page</p>"))).strip() == "plain"
    assert text(mail(alternative(" \n", "<p>page</p>"))).strip() == "page"


def test_text_behind_alternatives_is_read_too() -> None:
    mixed = MIMEMultipart("mixed")
    mixed.attach(alternative("plain", "<p>page</p>"))
    mixed.attach(MIMEText("The list's own footer", "plain"))
    (document,) = read(mail(mixed))
    assert document.text == SHOWN + "plain\n\nThe list's own footer"
    assert [place.where.number for place in document.places] == ["1.1", "2"]  # type: ignore[union-attr]


def test_an_attachment_beside_the_page_that_is_not_shown_is_read() -> None:
    page = MIMEMultipart("mixed")
    page.attach(MIMEText("<p>page</p>", "html"))
    table = MIMEBase("text", "csv")
    table.set_payload("a;b\n1;2\n")
    table.add_header("Content-Disposition", "attachment", filename="x.csv")
    page.attach(table)
    both = MIMEMultipart("alternative")
    both.attach(MIMEText("plain", "plain"))
    both.attach(page)
    assert [document.source for document in read(mail(both))] == ["a.eml", "a.eml#x.csv"]


def test_an_attachment_is_a_document_that_its_own_reader_reads() -> None:
    first, second, third, fourth = read(
        with_attachments(("plan.csv", b"a;b\r\n1;2\r\n"), ("plan.csv", b"c;d\n"), ("a #1.md", b"# Tea\n\nHot.\n"))
    )
    assert (first.part, first.metadata["attachments"]) == ("", ("plan.csv", "plan.csv", "a #1.md"))
    assert [document.source for document in (second, third, fourth)] == [
        "a.eml#plan.csv",
        "a.eml#plan-2.csv",
        "a.eml#a %231.md",
    ]
    assert [document.format for document in (first, second, third, fourth)] == ["email", "csv", "csv", "markdown"]
    assert (second.text, second.converted, second.line_at(second.text.index("1"))) == ("a;b\r\n1;2\r\n", True, 2)
    assert len({document.content_hash for document in (first, second, third, fourth)}) == 1
    assert (fourth.title, [block.kind for block in fourth.blocks]) == ("Tea", ["heading", "paragraph"])


def test_an_attachment_that_cannot_be_read_is_a_remark_on_the_mail() -> None:
    documents = read(with_attachments(("a.zip", b"PK"), ("b.txt", b"\x7fELF"), ("c.txt", b"tea")))
    assert [document.source for document in documents] == ["a.eml", "a.eml#c.txt"]
    assert documents[0].remark == (
        "not read: a.zip has the suffix '.zip', which this program does not read; b.txt is an ELF program by its first "
        "bytes, not a text file as its name says"
    )


def test_a_picture_that_the_text_shows_needs_no_remark() -> None:
    related = MIMEMultipart("related")
    related.attach(MIMEText("<p>Hello <img src='cid:logo'></p>", "html"))
    picture = MIMEBase("image", "png")
    picture.set_payload(b"\x89PNG")
    picture.add_header("Content-Disposition", "inline", filename="logo.png")
    related.attach(picture)
    (document,) = read(mail(related))
    assert document.remark == ""


def test_a_mail_in_a_mail_is_a_part_and_so_are_its_attachments() -> None:
    inner = EmailMessage()
    inner["Subject"] = "The plan"
    inner.set_content("See below")
    inner.add_attachment(b"a;b\n", maintype="text", subtype="csv", filename="x.csv")
    outer = EmailMessage()
    outer["Subject"] = "Fwd"
    outer.set_content("For you")
    outer.add_attachment(inner)
    assert [(document.source, document.title) for document in read(outer.as_bytes())] == [
        ("a.eml", "Fwd"),
        ("a.eml#The plan.eml", "The plan"),
        ("a.eml#The plan.eml/x.csv", "x"),
    ]


def test_mails_in_mails_are_read_to_a_limit() -> None:
    message = EmailMessage()
    message["Subject"] = "0"
    message.set_content("the innermost")
    for number in range(1, MAX_DEPTH + 3):
        outer = EmailMessage()
        outer["Subject"] = str(number)
        outer.set_content("see below")
        outer.add_attachment(message)
        message = outer
    documents = read(message.as_bytes())
    assert len(documents) == MAX_DEPTH + 1
    assert f"lies in {MAX_DEPTH} files, one inside the other" in documents[-1].remark


def test_attachments_share_an_allowance() -> None:
    data = with_attachments(("a.txt", b"four"), ("b.txt", b"five!"), ("c.txt", b"six"))
    documents = read(data, allowance=Allowance(9))
    assert [document.source for document in documents] == ["a.eml", "a.eml#a.txt", "a.eml#b.txt"]
    assert "c.txt is one file too many" in documents[0].remark


def test_the_messages_of_a_mailbox_are_parts_by_their_numbers() -> None:
    box = (
        b"From ann@x Mon Nov  2 09:12:00 2026\n" + HEADER + b"\nOne.\n>From here on\n>>From quoted\n\n"
        b"From now on a sentence.\n\n"
        b"From bob@x Mon Nov  2 09:13:00 2026\n" + with_attachments(("x.csv", b"a;b\n")) + b"\n"
    )
    documents = read(box, "a.mbox")
    assert [document.source for document in documents] == ["a.mbox#1", "a.mbox#2", "a.mbox#2/x.csv"]
    assert documents[0].text.removeprefix(SHOWN) == "One.\nFrom here on\n>From quoted\n\nFrom now on a sentence.\n\n"
    assert [document.line_at(0) for document in documents[:2]] == [1, 13]
    assert box.splitlines()[12].startswith(b"From bob")


def test_a_mailbox_with_line_ends_of_windows_is_divided_alike() -> None:
    message = (b"From a\n" + HEADER + b"\nOne.\n\n").replace(b"\n", b"\r\n")
    assert [document.part for document in read(message * 3, "a.mbox")] == ["1", "2", "3"]


@pytest.mark.parametrize("begin", [b"", b"\n", b"\r\n\xef\xbb\xbf"[2:], b"\nFrom ann\n"])
def test_the_first_message_of_a_mailbox_needs_no_line_from(begin: bytes) -> None:
    box = begin + HEADER + b"\nOne.\n\nFrom bob\n" + HEADER + b"\nTwo.\n"
    documents = read(box, "a.mbox")
    assert [document.part for document in documents] == ["1", "2"]
    assert [document.text.removeprefix(SHOWN).strip() for document in documents] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.eml", b"the cat", "has none of the fields"),
        ("a.eml", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a mail of Outlook's own format"),
        ("a.mbox", b"From here on\nthe cat\n", "is not a mailbox"),
    ],
)
def test_what_is_no_mail_is_refused(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=rf"^{name} .*{reason}"):
        read(data, name)


def test_an_empty_mail_or_mailbox_is_no_document() -> None:
    assert read(b"") == read(b"\n", "a.mbox") == []


def test_no_file_of_the_system_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(with_attachments(("x.csv", b"a;b\n"), ("y", b"a;b\n")))
    program = (
        "import sys; from pathlib import Path; from ingest.readers import read_documents\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event == 'open' else None)\n"
        "assert len(read_documents(Path(sys.argv[1]), 'a.eml')) == 2\n"
        "assert not [name for name in seen if name.startswith('/etc')], seen\n"
    )
    finished = run_python("-c", program, str(tmp_path / "a.eml"))
    assert (finished.returncode, finished.stderr) == (0, "")


def test_names_of_parts_hold_no_folder_and_come_once() -> None:
    names = PartNames()
    assert [names.unique(name) for name in ("../../a.txt", "c:\\x\\a.txt", "a.txt", "", "a\0\u202eb#c", "a-2.txt")] == [
        "a.txt",
        "a-2.txt",
        "a-3.txt",
        "unnamed",
        "ab%23c",
        "a-2-2.txt",
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"Subject: a\n", b"From: b\n", b"Content-Type: multipart/mixed; boundary=x\n", b"\n", b"--x\n", b"--x--\n",
                b"Content-Type: text/html\n", b"Content-Type: message/rfc822\n", b"Content-Type: text/plain; charset*=x''%ff\n",
                b"Content-Transfer-Encoding: base64\n", b"====\n", b"=?utf-8?b?\xff?=", b"\xff\xfe", b"<p>a", b"From x\n",
                b"Content-Disposition: attachment; filename*0*=utf-8''%e4; filename*1=b.txt\n", b"> a \n", b"\0", b" \t",
            ]
        ),
        max_size=30,
    )
)  # fmt: skip
def test_any_bytes_are_a_mail_or_refused(pieces: list[bytes]) -> None:
    for name in ("a.eml", "a.mbox"):
        try:
            documents = read(b"Subject: a\n" + b"".join(pieces), name)
        except UnreadableDocument as error:
            assert str(error).startswith(name)  # noqa: PT017
        else:
            assert all(document.text.encode() is not None for document in documents)


def test_files_in_files_are_named_by_media_type_where_their_name_says_nothing() -> None:
    assert enclosed._reader("part-2", "text/csv") is not None
    assert enclosed._reader("part-2", "application/x-nothing") is None


def test_several_parts_of_which_no_boundary_is_found_are_text() -> None:
    header = b'Content-Type: multipart/mixed; boundary="nowhere"\n\n'
    assert text(HEADER + header + b"Hello,\n\ntea.\n") == "Hello,\n\ntea.\n"


def test_an_attachment_without_a_name_is_called_by_its_number_and_read_by_its_type() -> None:
    mixed = MIMEMultipart("mixed")
    mixed.attach(MIMEText("plain", "plain"))
    for kind in ("csv", "x-nothing"):
        part = MIMEBase("text" if kind == "csv" else "application", kind)
        part.set_payload("a;b\n1;2\n")
        part.add_header("Content-Disposition", "attachment")
        mixed.attach(part)
    documents = read(mail(mixed))
    assert [(document.source, document.format) for document in documents] == [
        ("a.eml", "email"),
        ("a.eml#part-2", "csv"),
    ]
    assert (
        documents[0].remark
        == "not read: part-3 is of the type 'application/x-nothing', which this program does not read"
    )


@pytest.mark.parametrize(
    ("before", "unit"),
    [
        (HEADER + b"Content-Type: text/plain", b"; a=b"),
        (HEADER + b"Content-Disposition: inline", b"; filename*0*=utf-8''b"),
        (b"Subject: ", b"=?utf-8?q?a?= "),
        (b"Subject: ", b"=?utf-8?q?"),
        (b"Date: ", b"("),
        (b"From: ", b'"\\'),
        (HEADER + b"Content-Type: text/plain; format=flowed\n\n", b"a \n"),
        (HEADER + b"Content-Type: text/plain; format=flowed\n\n", b">"),
    ],
)
def test_no_mail_takes_the_square_of_its_length(before: bytes, unit: bytes) -> None:
    assert len(read(before + unit * (1_000_000 // len(unit)) + b"\n\nbody\n")) == 1


@pytest.mark.parametrize("unit", [b"From a\n", b"\n\nFrom a\n", b">", b"From ", b"\nFrom a\nb"])
def test_no_mailbox_takes_the_square_of_its_length(unit: bytes) -> None:
    with pytest.raises(UnreadableDocument, match="is not a mailbox"):
        read(unit * (1_000_000 // len(unit)), "a.mbox")


def test_a_file_in_a_mailbox_is_found_by_the_name_of_its_part_or_refused() -> None:
    inner = EmailMessage()
    inner["Subject"] = "Plans"
    inner.set_content("See below.")
    for text in ("one", "two"):
        inner.add_attachment(text, filename="a.txt")
    box = RawFile("b.mbox", "b.mbox", "email", b"From a\nSubject: x\n\nhello\n\nFrom b\n" + bytes(inner) + b"\n")
    assert [reader.file_in(box, part).data.strip() for part in ("2/a.txt", "2/a-2.txt")] == [b"one", b"two"]
    assert {document.part for document in reader.read(box)} == {"1", "2", "2/a.txt", "2/a-2.txt"}
    for part, missing in (("3", "3"), ("2/b.txt", "b.txt"), ("2/a.txt/c", "c")):
        with pytest.raises(UnreadableDocument, match=f"holds no file that is called '{missing}'"):
            reader.file_in(box, part)
