"""Cells of a PDF's tables that are wrapped over lines are one cell; rows that only look like their rest stay rows."""

from __future__ import annotations

from pdf_writer import lines, pdf, text

from ingest.places import Rectangle
from ingest.readers.pdf.read import read
from ingest.readers.raw_file import RawFile

BEFORE = "The table shows what a potter has to buy in the town\nbefore the year begins, and what it costs there."


def table(*rows: tuple[str, ...]) -> bytes:
    """A page with a paragraph and, below it, these rows; an empty cell has no text."""
    cells = [text(cell, 72 + 150 * column, 600 - 12 * number)
             for number, row in enumerate(rows) for column, cell in enumerate(row) if cell]  # fmt: skip
    return pdf([lines(BEFORE, 72, 660) + "".join(cells)])


def rows_of(*rows: tuple[str, ...]) -> list[str]:
    (document,) = read(RawFile("plan.pdf", "plan.pdf", "pdf", table(*rows)))
    (block,) = [block for block in document.blocks if block.kind == "table"]
    return document.text[block.start : block.end].split("\n")


def test_the_lines_of_a_wrapped_cell_are_one_text() -> None:
    assert rows_of(
        ("Clay", "from the river, dug in", "12 EUR"),
        ("", "spring and left to dry un-", ""),
        ("", "til the frost is over", ""),
        ("Feldspar", "a powder", "14 EUR"),
        ("Quartz", "ground as fine as flour", "9 EUR"),
        ("", "by the mill", "a bag"),
    ) == [
        "Clay | from the river, dug in spring and left to dry until the frost is over | 12 EUR",
        "Feldspar | a powder | 14 EUR",
        "Quartz | ground as fine as flour by the mill | 9 EUR a bag",
    ]


def test_each_line_of_a_wrapped_cell_has_its_rectangle() -> None:
    data = table(("Clay", "from the river, dug in"), ("", "spring and dried"), ("Quartz", "a fine powder"))
    (document,) = read(RawFile("plan.pdf", "plan.pdf", "pdf", data))
    bottoms = {}
    for place in document.places:
        assert isinstance(place.where, Rectangle)
        bottoms[document.text[place.start : place.end]] = place.where.bottom
    assert bottoms["from the river, dug in"] == bottoms["Clay"] == bottoms["spring and dried"] + 12


def test_rows_with_an_empty_first_cell_stay_rows() -> None:
    for rows in (
        [("Europe", "France", "68"), ("", "Germany", "84"), ("Asia", "Japan", "124"), ("", "India", "1429")],
        [("void", "save( )", "draw"), ("", "restoreAll( )", "draw"), ("int", "clear( )", "erase")],
        [("width", "10 mm", "of the rim"), ("", "thin", "of the wall of a bowl"), ("height", "12 mm", "of the foot")],
        [("A", "a45", "x2732"), ("", "a46", "x2733"), ("B", "a47", "x2734")],
    ):
        assert rows_of(*rows) == [" | ".join(filter(None, row)) for row in rows]


def test_a_paragraph_below_a_table_is_no_part_of_its_last_cell() -> None:
    below = ("Clay", "from the river, dug in"), ("Quartz", "ground as fine as flour"), ("and more of it later.", "")
    assert rows_of(*below) == ["Clay | from the river, dug in", "Quartz | ground as fine as flour"]
