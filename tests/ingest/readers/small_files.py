"""A small valid file of every format that is read, as bytes, for tests that break it."""

from __future__ import annotations

import io
import json
from functools import cache

import pptx
import xlsxwriter
from odf.opendocument import OpenDocumentSpreadsheet, OpenDocumentText
from odf.table import Table, TableCell, TableRow
from odf.text import H, P
from office_files import word_file, zipped
from pdf_writer import pdf, text

WORDS = "The cat sat on the mat"
CONTAINER = "<container><rootfiles><rootfile full-path='O/b.opf'/></rootfiles></container>"
BOOK = (
    "<package><manifest><item id='a' href='a.xhtml' media-type='application/xhtml+xml'/></manifest>"
    "<spine><itemref idref='a'/></spine></package>"
)
MAIL = (
    "From: a@example.org\r\nTo: b@example.org\r\nSubject: Cat\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n'
    f"{WORDS}\r\n--x\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=dog.txt\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nVGhlIGRvZyBydW5z\r\n--x--\r\n"
)


def slides() -> bytes:
    made, kept = pptx.Presentation(), io.BytesIO()
    made.slides.add_slide(made.slide_layouts[5]).shapes.title.text = WORDS
    made.save(kept)
    return kept.getvalue()


def workbook() -> bytes:
    kept = io.BytesIO()
    book = xlsxwriter.Workbook(kept, {"in_memory": True})
    book.add_worksheet("Budget").write_row(0, 0, ["cat", 2024, 0.5])
    book.close()
    return kept.getvalue()


def open_sheet() -> bytes:
    made, kept = OpenDocumentSpreadsheet(), io.BytesIO()
    table, row, cell = Table(name="Budget"), TableRow(), TableCell()
    cell.addElement(P(text=WORDS))
    row.addElement(cell)
    table.addElement(row)
    made.spreadsheet.addElement(table)
    made.write(kept)
    return kept.getvalue()


def open_text() -> bytes:
    made, kept = OpenDocumentText(), io.BytesIO()
    made.text.addElement(H(outlinelevel=1, text="Cat"))
    made.text.addElement(P(text=WORDS))
    made.write(kept)
    return kept.getvalue()


def book() -> bytes:
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "O/b.opf": BOOK,
            "O/a.xhtml": f"<html><body><h1>Cat</h1><p>{WORDS}</p></body></html>",
        }
    )


@cache
def small_files() -> dict[str, bytes]:
    """By suffix."""
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": ["# Cat\n", WORDS]}],
    }
    return {
        ".docx": word_file(f"<w:p><w:r><w:t>{WORDS}</w:t></w:r></w:p>"),
        ".pptx": slides(),
        ".xlsx": workbook(),
        ".ods": open_sheet(),
        ".odt": open_text(),
        ".epub": book(),
        ".pdf": pdf([text(WORDS, 72, 700)]),
        ".rtf": rf"{{\rtf1\ansi {{\fonttbl\f0 Times;}}\f0 {WORDS}\par {{\b bold}} \u8364?\par}}".encode(),
        ".xml": f"<?xml version='1.0'?><book><title>Cat</title><para a='b'>{WORDS}</para></book>".encode(),
        ".svg": f"<svg xmlns='http://www.w3.org/2000/svg'><text x='1' y='2'>{WORDS}</text></svg>".encode(),
        ".json": json.dumps({"cat": [1, 2.5, None, {"mat": WORDS}]}).encode(),
        ".ipynb": json.dumps(notebook).encode(),
        ".eml": MAIL.encode(),
        ".mbox": f"From a@example.org Mon Jan  1 10:00:00 2024\n{MAIL}\n".encode(),
        ".csv": b'cat,dog\none,"two\nlines"\nthree,4\n',
        ".html": f"<html><title>Cat</title><h1>Cat</h1><p>{WORDS}<table><tr><td>a</table>".encode(),
        ".md": f"---\ntitle: Cat\n---\n# Cat\n\n{WORDS}\n\n| a | b |\n|---|---|\n| c | d |\n".encode(),
        ".rst": f"Cat\n===\n\n{WORDS}::\n\n    code\n".encode(),
        ".adoc": f"= Cat\n\n{WORDS}\n\n----\ncode\n----\n\n|===\n|a |b\n|===\n".encode(),
        ".txt": WORDS.encode(),
        ".py": f'def cat():\n    """{WORDS}"""\n'.encode(),
    }
