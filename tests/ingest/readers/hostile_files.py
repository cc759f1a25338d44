"""Files that mean harm, made harmless: bombs of a few megabytes, nesting that is only deep, names and sizes that lie."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from base64 import encodebytes
from typing import TYPE_CHECKING

from pdf_writer import pdf, text
from small_files import MAIL, small_files

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKED = (".docx", ".pptx", ".xlsx", ".ods", ".odt", ".epub")
MAIN = {".docx": "word/main.xml", ".pptx": "ppt/slides/slide1.xml", ".xlsx": "xl/worksheets/sheet1.xml",
        ".ods": "content.xml", ".odt": "content.xml", ".epub": "O/b.opf"}  # fmt: skip
LAUGHS = "<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]>"
OUTSIDE = "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]>"
NAMED = "<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/a.dtd'>"


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: dict[str, bytes], twice: str = "") -> bytes:
    """A zip; the entry `twice` is in it twice."""
    kept = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, each in [*content.items(), *((name, content[name]) for name in content if name == twice)]:
            archive.writestr(name, each)
    return kept.getvalue()


def lying(data: bytes, offset_in_directory: int, offset_before: int, value: int) -> bytes:
    """An archive with another number for every entry, in the directory and before the entries."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x01\x02", offset_in_directory), (b"PK\x03\x04", offset_before)):
        place = changed.find(mark)
        while place >= 0:
            struct.pack_into("<I", changed, place + offset, value)
            place = changed.find(mark, place + 4)
    return bytes(changed)


def with_prolog(xml: bytes, prolog: str) -> bytes:
    """The document with another prolog, and a use of its entity `b` for all that is text."""
    root = xml.find(b"<", xml.find(b"?>") + 2 if xml.startswith(b"<?xml") else 0)
    return prolog.encode() + xml[root:]


def packed_cases(suffix: str) -> Iterator[tuple[str, bytes]]:
    """What can be wrong with an archive and with the XML in it."""
    whole, main = small_files()[suffix], MAIN[suffix]
    parts = entries(whole)
    xml = parts[main]
    end = xml.rindex(b"</")
    nested = b"<a>" * 20_000 + b"</a>" * 20_000
    yield "much of nothing", packed({**parts, main: xml + b" " * 4_000_000})
    yield "bomb beside", packed({**parts, "media/a.bin": bytes(4_000_000)})
    yield "bomb in a bomb", packed({**parts, main: packed({"a": bytes(4_000_000)})})
    yield "name that leads up", packed({**parts, "../../up.xml": b"x"})
    yield "name from the root", packed({**parts, "/etc/up.xml": b"x"})
    yield "name with backslashes", packed({**parts, "..\\..\\up.xml": b"x"})
    yield "entry that is twice there", packed(parts, twice=main)
    yield "small size claimed", lying(whole, 24, 22, 1)
    yield "large size claimed", lying(whole, 24, 22, 0x7FFFFFFF)
    yield "small packed size claimed", lying(whole, 20, 18, 1)
    yield "another checksum", lying(whole, 16, 14, 0)
    yield "encrypted by its flags", lying(whole, 8, 6, 0x00080001)
    yield "unknown packing", lying(whole, 10, 8, 99)
    yield "cut in the middle", whole[: len(whole) // 2]
    yield "cut at the end", whole[:-10]
    yield "something before it", b"MZ" + bytes(100) + whole
    yield "only the end of one", whole[-22:]
    yield "text with its name", b"The cat sat on the mat"
    yield "empty", b""
    yield "without its main part", packed({name: each for name, each in parts.items() if name != main})
    yield "entities in entities", packed({**parts, main: with_prolog(xml, LAUGHS)})
    yield "entity of a file", packed({**parts, main: with_prolog(xml, OUTSIDE)})
    yield "type from a network", packed({**parts, main: with_prolog(xml, NAMED)})
    yield "deep nesting", packed({**parts, main: xml[:end] + nested + xml[end:]})
    yield "broken XML", packed({**parts, main: xml[:end]})
    yield "no XML", packed({**parts, main: bytes(range(256)) * 10})


def other_cases() -> Iterator[tuple[str, str, bytes]]:
    """Suffix, what is wrong, and the file, of formats that are no archives."""
    small = small_files()
    word = entries(small[".docx"])
    yield ".docx", "bomb beyond the limit", packed({**word, MAIN[".docx"]: word[MAIN[".docx"]] + b" " * 40_000_000})
    page = pdf([text("cat", 72, 700)])
    yield ".pdf", "cut in the middle", page[: len(page) // 2]
    yield ".pdf", "cut at the end", page[:-30]
    yield ".pdf", "only a first line", b"%PDF-1.7\n"
    yield ".pdf", "text with its name", b"The cat sat on the mat"
    yield ".pdf", "empty", b""
    yield ".pdf", "zeros", bytes(10_000)
    yield ".pdf", "pages without end", page.replace(b"/Count 1", b"/Count 99999999")
    yield ".pdf", "a table that lies", page.replace(b"startxref\n", b"startxref\n9")
    yield ".pdf", "a length that lies", page.replace(b"/Length ", b"/Length 9999")
    yield ".pdf", "deep arrays", page.replace(b"/Type /Page ", b"/Type /Page /X " + b"[" * 2000 + b"]" * 2000 + b" ")
    for suffix in (".xml", ".svg"):
        whole = small[suffix]
        yield suffix, "entities in entities", with_prolog(whole, LAUGHS)
        yield suffix, "entity of a file", with_prolog(whole, OUTSIDE)
        yield suffix, "type from a network", with_prolog(whole, NAMED)
        yield suffix, "deep nesting", b"<a>" * 20_000 + b"</a>" * 20_000
        yield suffix, "cut in the middle", whole[: len(whole) // 2]
        yield suffix, "no XML", bytes(range(256)) * 10
    yield ".rtf", "deep groups", rb"{\rtf1 " + b"{" * 50_000 + b"cat" + b"}" * 50_000 + b"}"
    yield ".rtf", "bytes that are not there", rb"{\rtf1 cat \bin2000000000 x}"
    yield ".rtf", "groups that never end", rb"{\rtf1 " + b"{\\b " * 1000
    yield ".rtf", "groups that never began", rb"{\rtf1 cat" + b"}" * 1000 + b"dog"
    yield ".json", "deep nesting", b"[" * 100_000 + b"]" * 100_000
    yield ".json", "a long number", b'{"a": ' + b"9" * 100_000 + b"}"
    yield ".json", "names that are twice there", b'{"a": 1, "a": {"a": 2}}'
    yield ".ipynb", "deep nesting", b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield (
        ".ipynb",
        "cells that are none",
        json.dumps({"nbformat": 4, "cells": [1, None, "a", {"cell_type": 3}]}).encode(),
    )
    yield ".ipynb", "a list", b"[]"
    nested = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(300))
    bomb = encodebytes(packed({"[Content_Types].xml": bytes(4_000_000)})).decode()
    yield ".eml", "parts in parts", f"From: a@b\r\nMIME-Version: 1.0\r\n{nested}\r\ncat".encode()
    yield ".eml", "a boundary that never ends", MAIL.replace("--x--", "").encode()
    yield ".eml", "an attached bomb", MAIL.replace("dog.txt", "a.docx").replace("VGhlIGRvZyBydW5z", bomb).encode()
    yield ".eml", "a name that leads up", MAIL.replace("dog.txt", '"../../../up.txt"').encode()
    yield ".eml", "no base64", MAIL.replace("VGhlIGRvZyBydW5z", "=?=" * 1000).encode()
    yield ".eml", "a header without end", b"Subject: " + b"a" * 1_000_000
    yield ".mbox", "beginnings only", b"From a Mon Jan  1 10:00:00 2024\n" * 1000
    yield ".html", "deep nesting", b"<div>" * 10_000 + b"cat"
    yield ".html", "an attribute without end", b'<a href="' + b"x" * 1_000_000
    yield ".md", "deep quotations", b">" * 10_000 + b" cat"
    yield ".md", "brackets", b"[" * 50_000
    yield ".md", "a heading of aliases", b"---\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n---\ncat"
    yield ".rst", "lines of adornments", b"===\n" * 20_000
    yield ".csv", "a quotation without end", b'cat,"dog\n' * 2000
    yield ".txt", "zeros", bytes(100_000)
    yield ".txt", "half a character", b"\xff\xfe" + b"\xd8" * 101
    yield ".py", "deep indentation", b"".join(b" " * n + b"if x:\n" for n in range(500))


def hostile_files() -> dict[str, bytes]:
    """All of them, by a name that says what is wrong."""
    cases = [(suffix, what, data) for suffix in PACKED for what, data in packed_cases(suffix)]
    named = {f"{what}{suffix}": data for suffix, what, data in [*cases, *other_cases()]}
    assert len(named) >= 90
    return named
