"""Scans that were read without `--ocr` are read again when it is asked for, once; what was recognised stays."""

from __future__ import annotations

from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from pdf_writer import lines, pdf, scanned, text

from ingest.plan import make_plan
from sql.store.windows import document_windows

if TYPE_CHECKING:
    from library import Library

SCAN = scanned(text("Invoice for three kilns", 40, 60, 16), media_box="[0 0 300 120]")


def files_to_read(library: Library, *, ocr: bool) -> list[str]:
    plan = make_plan(library.found(), document_windows(library.store.snapshot()), ocr=ocr)
    return [file.path.name for file in plan.to_index]


@pytest.mark.either_back_end
def test_only_files_with_pictures_of_text_are_read_again_for_it(library: Library) -> None:
    library.write("scan.pdf", SCAN)
    library.write("plain.pdf", pdf([lines("The kiln is hot.", 72, 700)]))
    mail = EmailMessage()
    mail["Subject"] = "Invoice"
    mail.set_content("See below.")
    mail.add_attachment(SCAN, maintype="application", subtype="pdf", filename="scan.pdf")
    library.write("mail.eml", bytes(mail))
    assert library.sync().indexed == 3
    assert files_to_read(library, ocr=False) == []
    assert files_to_read(library, ocr=True) == ["mail.eml", "scan.pdf"]


@pytest.mark.either_back_end
def test_what_was_recognised_stays_and_is_not_recognised_again(library: Library) -> None:
    pytest.importorskip("rapidocr")
    library.write("scan.pdf", SCAN)
    library.sync()
    assert library.store.snapshot().documents()[0].chunk_count == 0
    assert library.sync_found(library.found(), ocr=True).indexed == 1
    assert library.text("scan.pdf") == "Invoice for three kilns"
    for ocr in (True, False):
        assert files_to_read(library, ocr=ocr) == []
