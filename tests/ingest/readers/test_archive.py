"""Archives: what is unpacked counts, not what is claimed, and names lead nowhere."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile

import pytest
from office_files import zipped

from ingest.readers import archive
from ingest.readers.archive import MAX_ENTRIES, Archive
from sql.base.errors import UnreadableDocument


def changed_sizes(data: bytes, claimed: int) -> bytes:
    """The archive with another size claimed for each entry, in the directory and before the entries."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = changed.find(mark)
        while place >= 0:
            struct.pack_into("<I", changed, place + offset, claimed)
            place = changed.find(mark, place + 4)
    return bytes(changed)


def test_an_entry_is_found_by_its_name_in_any_letter_case() -> None:
    opened = Archive(zipped({"word/Main.xml": "one", "a\\b.txt": "two"}), "a.docx")
    assert opened.names == ("word/Main.xml", "a/b.txt")
    assert opened.read("word/main.XML") == b"one"
    assert "a/b.txt" in opened
    with pytest.raises(UnreadableDocument, match=r"^a.docx has no word/other.xml, so it is not what its name says"):
        opened.read("word/other.xml")


@pytest.mark.parametrize("name", ["../up.xml", "a/../../b", "/etc/name", "C:/name", "..\\up", "\\\\server\\share"])
def test_a_name_that_leads_out_of_the_archive_is_refused(name: str) -> None:
    with pytest.raises(UnreadableDocument, match="leads out of the archive"):
        Archive(zipped({"a": "", name: ""}), "a.docx")


def test_two_entries_of_one_name_are_refused() -> None:
    kept = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(kept, "w") as made:
        warnings.simplefilter("ignore")
        made.writestr("a.xml", "one")
        made.writestr("a.xml", "two")
    with pytest.raises(UnreadableDocument, match=r"two entries called 'a.xml'"):
        Archive(kept.getvalue(), "a.docx")


def test_an_encrypted_entry_is_refused() -> None:
    data = bytearray(zipped({"a.xml": "text"}))
    data[data.find(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableDocument, match=r"is encrypted .*without a password"):
        Archive(bytes(data), "a.docx")


def test_an_encrypted_office_file_and_an_old_one_are_told_apart() -> None:
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    with pytest.raises(UnreadableDocument, match="old Office file by its first bytes"):
        Archive(old, "a.docx")
    with pytest.raises(UnreadableDocument, match="is encrypted"):
        Archive(old + "EncryptedPackage".encode("utf-16-le"), "a.docx")


@pytest.mark.parametrize("data", [b"", b"the cat", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(40)])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=r"^a.docx is (empty|not a zip archive)"):
        Archive(data, "a.docx")


def test_every_cut_of_an_archive_is_refused_or_read() -> None:
    data = zipped({"a.xml": "text " * 50, "b.xml": "other"})
    for end in range(len(data)):
        try:
            cut = Archive(data[:end], "a.docx")
        except UnreadableDocument:
            continue
        assert set(cut.names) <= {"a.xml", "b.xml"}


def test_a_byte_changed_anywhere_is_refused_or_changes_nothing_else() -> None:
    data = zipped({"a.xml": "text " * 50})
    for place in range(len(data)):
        changed = data[:place] + bytes((data[place] ^ 0xFF,)) + data[place + 1 :]
        try:
            opened = Archive(changed, "a.docx")
            read = [opened.read(name) for name in opened.names]
        except UnreadableDocument:
            continue
        assert read in ([b"text " * 50], [])


def test_a_small_claim_of_a_large_entry_is_refused() -> None:
    data = changed_sizes(zipped({"a.xml": bytes(300_000)}), 10)
    with pytest.raises(UnreadableDocument, match=r"damaged zip archive, at its a\.xml"):
        Archive(data, "a.docx").read("a.xml")


def test_a_large_claim_of_a_small_entry_reserves_nothing() -> None:
    data = changed_sizes(zipped({"a.xml": b"text"}), 0xFFFFFFF0)
    assert Archive(data, "a.docx").read("a.xml") == b"text"


def test_what_unpacks_to_very_much_more_than_it_was_is_refused_early() -> None:
    data = zipped({"a.xml": bytes(50 << 20)})
    opened = Archive(data, "a.docx")
    with pytest.raises(UnreadableDocument, match="200 times its size, as a zip bomb does"):
        opened.read("a.xml")
    assert opened._unpacked < 33 << 20


def test_repetitive_text_is_no_bomb() -> None:
    rows = b"<row><cell>the same</cell><cell>in every row</cell></row>" * 100_000
    data = zipped({"a.xml": rows})
    assert len(rows) > 200 * len(data)
    assert Archive(data, "a.docx").read("a.xml") == rows


def test_the_limits_count_what_was_unpacked_of_one_entry_and_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({"a": b"a" * 90_000, "b": b"b" * 90_000}, zipfile.ZIP_STORED)
    Archive(data, "a.docx").verify()
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 150_000)
    with pytest.raises(UnreadableDocument, match="unpacks to more than 150,000 bytes"):
        Archive(data, "a.docx").verify()
    monkeypatch.setattr(archive, "MAX_ENTRY_BYTES", 80_000)
    with pytest.raises(UnreadableDocument, match="its a unpacks to more than 80,000 bytes"):
        Archive(data, "a.docx").read("a")


def test_more_entries_than_a_document_has_are_refused_before_they_are_listed() -> None:
    data = zipped({"a": ""}) + b"PK\x01\x02" * MAX_ENTRIES
    with pytest.raises(UnreadableDocument, match="more than 20,000 entries"):
        Archive(data, "a.docx")


def test_a_method_that_no_document_uses_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="compressed by method 14"):
        Archive(zipped({"a": "text"}, zipfile.ZIP_LZMA), "a.docx").read("a")
