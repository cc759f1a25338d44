"""CSV and TSV: which character divides, which row names the columns, and that rows with line breaks stay whole."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import split_document
from ingest.document import Document
from ingest.readers import read_documents
from ingest.readers.delimited import find_table, table_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


def cut(text: str) -> list[tuple[str, str]]:
    """The blocks of a text as their kinds and what they hold."""
    return [(block.kind, text[block.start : block.end]) for block in table_blocks(text)]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1;2\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("Preis;Menge\n1,50;2,25\n3,75;4,00\n", ";"),  # decimal commas
        ("1,5;2,7\n3,5;4,7\n", ";"),  # and no header
        ("Betrag\tAnteil\n1.250,00\t12,5 %\n", "\t"),
        ('name,note\nAnn,"a; b; c"\nBob,"d; e; f"\n', ","),
        ('name;note\nAnn;"a, b, c"\nBob;d, e, f\n', ";"),
        ("city,since\nRome;Lazio,1871\nBonn,1949\n", ","),
        ("when,what\n10:30:00,tea\n11:45:00,cake\n", ","),
        ('"a","b"\n"1","2"\n', ","),
        ("word\neel\nelk\newe\n", ""),  # csv.Sniffer takes the e
        ("date\n2024-01-02\n2024-01-03\n", ""),
        ("remark\nWell, it rained.\nSo we went home, all of us, in the dark.\nNo.\n", ""),
        ("", ""),
        ("\ufeffa;b\n1;2\n", ";"),
        ("a;b\r\n1;2\r\n", ";"),
        ("a,b\r1,2\r3,4\r", ","),
        ("sep=;\na;b\n1;2\n", ";"),
        ("sep=^\na^b,c\n1^2,3\n", "^"),
        ("a,b,c\n1,2\n3,4,5\n6\n7,8,9\n", ","),  # ragged
        ("a;b;c;;;\n1;2;3;;;\n", ";"),
    ],
)
def test_the_delimiter_is_what_divides_rows_alike(text: str, delimiter: str) -> None:
    assert find_table(text, 1 if text.startswith("\ufeff") else 0).delimiter == delimiter


def test_a_tab_comes_first_where_the_name_says_so() -> None:
    text = "a,1\tb,2\nc,3\td,4\n"
    assert find_table(text, 0, ".tsv").delimiter == "\t"


@pytest.mark.parametrize(
    ("text", "has_header"),
    [
        ("name,age\nAnn,41\nBob,29\n", True),
        ("Ann,41\nBob,29\nCid,35\n", False),
        ("name,town\nAnn,Rome\nBob,Bonn\n", True),
        ("Ann,Rome\nBob,Bonn\nAnn,Bonn\n", False),  # Ann comes again
        ("2024-01-02,3.5\n2024-01-03,4.5\n", False),
        ("Land;2023;2024\nItalien;12,5;13,1\nSpanien;9,0;9,9\n", True),  # years over amounts
        ("a,b,c\n1,b,c\n2,b,c\n", True),  # short names may be values too
        ("ann@example.org,Ann\nbob@example.org,Bob\n", False),
        ("name,name\nAnn,Rome\n", False),
        ("value\n1\n2\n", True),
        ("1\n2\n", False),
        ("Kunde;Umsatz\nMeier;1.250,00 €\nHuber;n/a\n", True),
        ("a,b\n", True),
    ],
)
def test_the_header_is_told_by_what_stands_below_it(text: str, has_header: bool) -> None:
    assert find_table(text, 0).has_header is has_header
    assert cut(text)[0][0] == ("table" if has_header else "rows")


def test_what_stands_above_the_header_is_a_paragraph() -> None:
    text = "Umsatz 2024;;;\nStand: 3. Mai;;;\n\nKunde;Ort;Umsatz;Anteil\nMeier;Bonn;12,5;3 %\nHuber;Ulm;9,0;2 %\n"
    assert cut(text) == [
        ("paragraph", "Umsatz 2024;;;\nStand: 3. Mai;;;"),
        ("table", "Kunde;Ort;Umsatz;Anteil\nMeier;Bonn;12,5;3 %\nHuber;Ulm;9,0;2 %"),
    ]
    assert cut("sep=;\r\na;b\r\n1;2\r\n") == [("paragraph", "sep=;"), ("table", "a;b\r\n1;2")]


def test_a_row_with_line_breaks_is_a_block_of_its_own() -> None:
    text = 'name,note\nAnn,tea\nBob,"one\n\ntwo","3\n4"\nCid,cake\nDan,"five\nsix"\n'
    assert [found for _, found in cut(text)] == [
        "name,note\nAnn,tea",
        'Bob,"one\n\ntwo","3\n4"',
        "Cid,cake",
        'Dan,"five\nsix"',
    ]
    assert {kind for kind, _ in cut(text)} == {"table"}


def test_a_row_of_several_lines_is_no_title_above_the_table() -> None:
    assert [found for _, found in cut('"a\n\nb",\nc,d\ne,f\n')] == ['"a\n\nb",', "c,d\ne,f"]
    assert [found for _, found in cut('sep=,\n"","\n\n"\n"","1"\n')] == ["sep=,", '"","\n\n"', '"","1"']


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_doubled_quotation_mark_does_not_end_a_field(newline: str) -> None:
    text = newline.join(["a,b", '1,"say ""tea""', '"', "2,x"])
    assert [found for _, found in cut(text)] == ["a,b", newline.join(['1,"say ""tea""', '"']), "2,x"]


def test_a_quotation_mark_within_a_field_or_without_an_end_is_text() -> None:
    for text in ('size,part\n5" pipe,3\n6" pipe,4\n', 'name,age\n"Ann,41\nBob,29\n', 'a,b\nthe "big\none",2\n'):
        assert [found for _, found in cut(text)] == [text.strip()]


def test_the_text_is_that_of_the_file_and_its_lines_are_those_of_the_file(tmp_path: Path) -> None:
    data = "Straße;Maß\r\nÄußerer Ring;3,5\r\n".encode("cp1252")
    (tmp_path / "a.CSV").write_bytes(data)
    (document,) = read_documents(tmp_path / "a.CSV", "a.CSV")
    assert (document.text, document.encoding, document.converted) == (data.decode("cp1252"), "cp1252", False)
    assert (document.format, document.title, document.line_at(document.text.index("Ring"))) == ("csv", "a", 2)


def test_chunks_end_between_rows_and_know_the_header(tokenizer: Tokenizer) -> None:
    rows = [f'{number},"the cat sat\non the mat {number}"' for number in range(30)]
    text = "id,text\n" + "\n".join(rows) + "\n"
    document = Document("a.csv", "csv", "a", text, tuple(table_blocks(text)), "utf-8", "", 0)
    chunks = split_document(document, tokenizer, 60, 0)
    assert len(chunks) > 3
    for chunk in chunks:
        inside = [row for row in rows if row in chunk.text]
        assert chunk.text.removeprefix("id,text\n") == "\n".join(inside)
    assert {lead.text for chunk in chunks[1:] for lead in chunk.outline.leads} == {"id,text"}


def test_rows_without_a_header_repeat_none(tokenizer: Tokenizer) -> None:
    text = "".join(f"the cat {number},{number}\n" for number in range(100))
    document = Document("a.csv", "csv", "a", text, tuple(table_blocks(text)), "utf-8", "", 0)
    chunks = split_document(document, tokenizer, 60, 0)
    assert len(chunks) > 3
    assert not any(chunk.outline.leads for chunk in chunks)


FIELDS = st.text(st.sampled_from('ab1,;"\n\r |\té'), max_size=8)


@settings(max_examples=60)
@given(
    rows=st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1, max_size=6), delimiter=st.sampled_from(",;\t|")
)
def test_any_table_is_held_by_its_blocks_and_no_row_is_cut(rows: list[list[str]], delimiter: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    text = f"sep={delimiter}\n" + written.getvalue()
    blocks = table_blocks(text)
    held = "".join(text[block.start : block.end] for block in blocks)
    assert "".join(held.split()) == "".join(text.split())
    for block in blocks[1:]:
        assert text.count('"', 0, block.start) % 2 == 0, (text, block)
