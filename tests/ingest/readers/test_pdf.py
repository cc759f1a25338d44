"""What is read of a PDF: its words in the order in which people read them, and each where an independent library finds it."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pdf_writer import Page, PdfParts, lines, pdf, scanned, text, with_meanings
from pdfminer.high_level import extract_pages
from pdfminer.layout import LAParams, LTChar
from pdfminer.pdfpage import PDFPage

from ingest.chunk import split_document
from ingest.places import Rectangle
from ingest.readers.pdf.read import read
from ingest.readers.raw_file import RawFile
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from rag.text.tokenizer import Tokenizer

BODY = """The potter opens the kiln at dawn and waits
until the first bowls have cooled down enough
to be lifted out with bare hands."""
OTHER = """Glazes are mixed in the shed behind the house,
where nobody minds the dust that rises from
the sacks of feldspar, chalk and quartz."""
FORM_FONTS = "/DR << /Font << /F1 4 0 R >> >> /DA (/F1 10 Tf 0 g)"


def document_of(data: bytes, name: str = "plan.pdf") -> Document:
    (document,) = read(RawFile(name, name, "pdf", data))
    return document


def blocks_of(data: bytes) -> list[tuple[str, str]]:
    document = document_of(data)
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def texts_of(data: bytes) -> list[str]:
    return [shown for _, shown in blocks_of(data)]


def joined(words: str) -> str:
    return " ".join(words.split())


# Paragraphs


def test_the_lines_of_a_paragraph_are_one_line_and_a_gap_divides_paragraphs() -> None:
    page = lines(BODY, 72, 700) + lines(OTHER, 72, 640)
    assert blocks_of(pdf([page])) == [("paragraph", joined(BODY)), ("paragraph", joined(OTHER))]


def test_an_indented_line_begins_a_paragraph_and_so_does_one_after_a_line_with_room() -> None:
    indented = lines(BODY, 72, 700) + text("Then the bowls are washed, and those with cracks", 92, 664)
    assert len(blocks_of(pdf([indented + text("go back into the clay.", 72, 652)]))) == 2
    with_room = lines(BODY + "\nThen they are washed.", 72, 700)
    assert texts_of(pdf([with_room]))[0] == joined(BODY)


def test_a_paragraph_goes_on_from_page_to_page_where_its_sentence_does() -> None:
    first, last = BODY.split("\n", 1)
    goes_on = pdf([lines(first, 72, 80), lines(last, 72, 700)])
    assert texts_of(goes_on) == [joined(BODY)]
    document = document_of(goes_on)
    assert [(mark.offset, mark.page) for mark in document.page_marks] == [(0, 1), (document.text.index("until"), 2)]
    assert len(texts_of(pdf([lines(BODY, 72, 100), lines(OTHER, 72, 700)]))) == 2


@pytest.mark.parametrize(
    ("first", "second", "elsewhere", "expected"),
    [
        ("the infor-", "mation is here", "", "the information is here"),
        ("a well-", "known potter", "every well-known kiln", "a well-known potter"),
        ("a well-", "known potter", "a wellknown kiln", "a wellknown potter"),
        ("an Anglo-", "American kiln", "", "an Anglo-American kiln"),
        ("the COVID-", "19 years", "", "the COVID-19 years"),
        ("a PDF-", "based plan", "", "a PDF-based plan"),
        ("the pre-", "and post-war kilns", "", "the pre- and post-war kilns"),
        ("a state-of-", "the-art kiln", "kind of clay", "a state-of-the-art kiln"),
        ("a well-estab-", "lished kiln", "", "a well-established kiln"),
        ("a kiln -", "a hot one", "", "a kiln - a hot one"),
        ("pages 10–", "20 and more", "", "pages 10–20 and more"),
        ("clay and/", "or sand", "", "clay and/or sand"),
        ("a kiln –", "a hot one", "", "a kiln – a hot one"),
        ("Töpfer-", "öfen sind alt", "", "Töpferöfen sind alt"),
    ],
)
def test_a_hyphen_at_a_line_end_goes_where_it_only_divides_a_word(
    first: str, second: str, elsewhere: str, expected: str
) -> None:
    page = text(first, 72, 700) + text(second, 72, 688) + text(elsewhere, 72, 600)
    assert texts_of(pdf([page]))[0] == expected


def test_a_soft_hyphen_is_seen_at_a_line_end_only() -> None:
    page = text("the inBforB", 72, 700) + text("mation", 72, 688)
    assert texts_of(with_meanings([page], {"B": "00AD"})) == ["the information"]


def test_items_of_lists_keep_their_marks_and_the_lines_below() -> None:
    page = lines("Needed are:", 72, 700)
    for number, item in enumerate(("clay from the river", "water"), 1):
        page += text(f"{number}.", 80, 690 - 30 * number) + text(item, 110, 690 - 30 * number)
    page += text("•", 80, 600) + text("a wheel that turns", 95, 600) + text("without a noise", 95, 588)
    assert blocks_of(pdf([page])) == [
        ("paragraph", "Needed are:"),
        ("list", "1. clay from the river"),
        ("list", "2. water"),
        ("list", "• a wheel that turns without a noise"),
    ]


@pytest.mark.parametrize("word", ["kiln.", "(NE)", "it.", "USA.", "1998.", "no)"])
def test_a_word_at_the_end_of_a_sentence_is_no_mark_of_a_list_where_a_line_begins_with_it(word: str) -> None:
    page = lines(
        f"The potter works from the morning to the night in\n{word} The bowls are sold in the village.", 72, 700
    )
    assert len(blocks_of(pdf([page]))) == 1


@pytest.mark.parametrize("mark", ["1.", "(12)", "a)", "(bb)", "iv.", "XII.", "•"])
def test_numbers_letters_and_bullets_are_marks_of_lists(mark: str) -> None:
    page = text("Needed are:", 72, 700) + text(f"{mark} clay from the river", 80, 680)
    assert blocks_of(pdf([page]))[1] == ("list", f"{mark} clay from the river")


def test_the_cells_of_a_table_stand_apart_row_by_row() -> None:
    rows = [("Bowl", "Price", "Weight"), ("Blue", "12 EUR", "300 g"), ("Green", "14 EUR", "280 g")]
    page = lines(BODY, 72, 700)
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            page += text(cell, 72 + 150 * column, 600 - 15 * number)
    assert blocks_of(pdf([page]))[1] == (
        "table",
        "Bowl | Price | Weight\nBlue | 12 EUR | 300 g\nGreen | 14 EUR | 280 g",
    )


# Order


def two_columns(by_turns: bool) -> str:
    left, right = [f"{BODY}\n{OTHER}", f"{OTHER}\n{BODY}"]
    heading = text("A title as wide as both of the columns that stand below it", 72, 720, 18)
    if not by_turns:
        return heading + lines(left, 72, 680) + lines(right, 320, 680)
    pairs = zip(left.splitlines(), right.splitlines(), strict=True)
    return heading + "".join(
        text(one, 72, 680 - 12 * number) + text(other, 320, 680 - 12 * number)
        for number, (one, other) in enumerate(pairs)
    )


@pytest.mark.parametrize("by_turns", [True, False])
def test_columns_are_read_one_after_the_other_in_whatever_order_they_were_written(by_turns: bool) -> None:
    found = joined(document_of(pdf([two_columns(by_turns)])).text)
    assert found.endswith(" ".join(map(joined, (BODY, OTHER, OTHER, BODY))))


@pytest.mark.parametrize("by_turns", [True, False])
def test_three_narrow_columns_with_a_page_number_in_their_gutter_are_three(by_turns: bool) -> None:
    texts = [f"{BODY}\n{OTHER}", f"{OTHER}\n{BODY}", f"{BODY}\n{OTHER}"]
    columns = [[text(line, 30 + 190 * number, 680 - 9 * row, 8) for row, line in enumerate(each.splitlines())]
               for number, each in enumerate(texts)]  # fmt: skip
    ordered = zip(*columns, strict=True) if by_turns else columns
    page = "".join("".join(part) for part in ordered) + text("12", 213, 300, 8)
    found = joined(document_of(pdf([page])).text)
    assert found.replace(" 12", "") == " ".join(map(joined, texts))


def test_what_is_written_last_and_stands_first_is_read_first() -> None:
    assert texts_of(pdf([lines(OTHER, 72, 600) + lines(BODY, 72, 700)])) == [joined(BODY), joined(OTHER)]


@pytest.mark.parametrize(
    ("angle", "matrix", "x", "y"),
    [(90, "0 1 -1 0", 100, 100), (180, "-1 0 0 -1", 500, 600), (270, "0 -1 1 0", 300, 700)],
)
def test_a_turned_page_is_read_as_it_is_shown(angle: int, matrix: str, x: float, y: float) -> None:
    a, b = {90: (12, 0), 180: (0, 12), 270: (-12, 0)}[angle]
    content = "".join(
        text(line, x + a * number, y + b * number, matrix=matrix) for number, line in enumerate(BODY.splitlines())
    )
    data = pdf([Page(content, f"/Rotate {angle}")])
    assert texts_of(data) == [joined(BODY)]
    first = document_of(data).places[0].where
    assert isinstance(first, Rectangle)
    wide, high = first.right - first.left, first.top - first.bottom
    assert (wide > high) == (angle == 180)


def test_what_the_crop_box_cuts_off_is_left_out() -> None:
    page = Page(lines(BODY, 172, 600) + text("cut here", 20, 700), "/CropBox [100 100 500 700]")
    assert texts_of(pdf([page])) == [joined(BODY)]


# Headings


def test_larger_and_bold_lines_are_headings_one_below_the_other() -> None:
    page = (
        text("Kilns", 72, 720, 20)
        + text("Firing", 72, 690, 14)
        + lines(BODY, 72, 670)
        + text("Glazes", 72, 620, 10, "F2")
        + lines(OTHER, 72, 600)
        + text("Tools", 72, 540, 14)
        + lines(BODY, 72, 520)
    )
    document = document_of(pdf([page]))
    paths = {document.text[block.start : block.end]: block.heading for block in document.blocks}
    assert paths["Firing"] == "Kilns > Firing"
    assert paths[joined(OTHER)] == "Kilns > Firing > Glazes"
    assert paths[joined(BODY)] == "Kilns > Tools"
    assert document.title == "Kilns"


def outline(*entries: tuple[str, int]) -> PdfParts:
    """A flat outline of titles and indices of pages."""
    last = 19 + len(entries)
    objects = {19: f"<< /Type /Outlines /First 20 0 R /Last {last} 0 R /Count {len(entries)} >>"}
    for number, (title, page) in enumerate(entries):
        following = f"/Next {21 + number} 0 R" if number + 1 < len(entries) else ""
        objects[20 + number] = f"<< /Title ({title}) /Parent 19 0 R /Dest [{1000 + 2 * page} 0 R /Fit] {following} >>"
    return PdfParts("/Outlines 19 0 R", objects=objects)


def test_what_the_outline_names_is_a_heading_whatever_it_looks_like() -> None:
    pages = [
        text("1 Of clay", 72, 720) + lines(BODY, 72, 690) + text("Glazes", 72, 640, 10, "F2") + lines(OTHER, 72, 620),
        text("Of fire", 72, 720) + lines(BODY, 72, 690),
    ]
    document = document_of(pdf(pages, outline(("Of clay", 0), ("Of fire", 1))))
    assert [block.heading for block in document.blocks] == [
        "1 Of clay", "1 Of clay", "1 Of clay > Glazes", "1 Of clay > Glazes", "Of fire", "Of fire",
    ]  # fmt: skip


# Pages


def test_pages_are_called_as_they_call_themselves() -> None:
    labels = PdfParts("/PageLabels << /Nums [0 << /S /r >> 2 << /S /D /St 1 /P (A-) >>] >>")
    document = document_of(pdf([lines(f"Part {letter}.\n{BODY}", 72, 700) for letter in "abcd"], labels))
    offsets = [document.text.index(f"Part {letter}") for letter in "abcd"]
    assert [document.page_at(offset) for offset in offsets] == [1, 2, 3, 4]
    assert [document.page_label_at(offset) for offset in offsets] == ["i", "ii", "A-1", "A-2"]


def with_furniture(number: int, body: str, footer: str) -> str:
    return text("Handbook of kilns", 72, 760, 8) + lines(body, 72, 700) + text(footer, 280, 30, 8)


def test_headers_footers_and_page_numbers_are_in_no_block() -> None:
    bodies = [BODY, OTHER, BODY + "\nOnce a year.", OTHER]
    data = pdf([with_furniture(n, body, f"Page {n + 7} of 90") for n, body in enumerate(bodies)])
    assert texts_of(data) == [joined(BODY), joined(OTHER), *texts_of(pdf([lines(bodies[2], 72, 700)])), joined(OTHER)]


def test_the_number_of_its_page_alone_in_a_margin_is_furniture_even_in_a_file_of_one_page() -> None:
    assert texts_of(pdf([lines(BODY, 72, 700) + text("- 1 -", 300, 30)])) == [joined(BODY)]
    assert texts_of(pdf([lines(BODY, 72, 700) + text("17", 300, 30)])) == [joined(BODY), "17"]


def test_a_footer_in_which_any_of_the_numbers_counts_with_the_pages_is_furniture() -> None:
    pages = [
        with_furniture(n, body, f"16:21 Aug 05, 2020 Frm {n + 4:05} Fmt 4702")
        for n, body in enumerate([BODY, OTHER] * 2)
    ]
    assert texts_of(pdf(pages)) == [joined(BODY), joined(OTHER)] * 2


def test_a_footer_that_columns_divide_is_furniture() -> None:
    footer = text("16:21 Aug 05", 72, 30, 6) + text("Jkt 250001", 250, 30, 6) + text("Proposed rules", 400, 30, 6)
    pages = [two_columns(by_turns) + footer for by_turns in (True, False, True)]
    assert texts_of(pdf(pages)) == 3 * texts_of(pdf([two_columns(True)]))


def test_the_first_line_of_pages_that_are_alike_is_no_furniture() -> None:
    pages = [lines(f"Record {number}\n{BODY}", 72, 740) for number in range(1, 5)]
    assert sum("Record" in shown for shown in texts_of(pdf(pages))) == 4
    alone = [text("The kiln is hot.", 72, 400)] * 4
    assert texts_of(pdf(alone)) == ["The kiln is hot."] * 4


# What is laid over pages, and what is hidden


def test_values_of_forms_are_read_where_they_are_shown() -> None:
    field = (
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Ada Lovelace) /Rect [130 596 330 616] "
        "/DA (/F1 10 Tf 0 g) /P 1000 0 R >>"
    )
    parts = PdfParts(f"/AcroForm << /Fields [60 0 R] /NeedAppearances true {FORM_FONTS} >>", objects={60: field})
    document = document_of(pdf([Page(text("Name:", 72, 602), "/Annots [60 0 R]")], parts))
    assert document.text.split() == ["Name:", "Ada", "Lovelace"]
    where = document.places_of(document.text.index("Ada"), len(document.text))[-1].where
    assert isinstance(where, Rectangle)
    assert 70 <= where.left <= where.right <= 330
    assert 590 <= where.bottom <= where.top <= 620


def note(words: str, box: tuple[int, int, int, int], number: int, kind: str = "FreeText") -> dict[int, str]:
    """A note laid over a page, with what it shows, as objects `number` and `number` + 1."""
    left, bottom, right, top = box
    shown = text(words, 2, 4)
    frame = f"/BBox [0 0 {right - left} {top - bottom}] /Resources << /Font << /F1 4 0 R >> >>"
    return {
        number: f"<< /Type /Annot /Subtype /{kind} /Rect [{left} {bottom} {right} {top}] /AP << /N {number + 1} 0 R >> "
        f"/DA (/F1 10 Tf 0 g) /Contents ({words}) >>",
        number + 1: f"<< /Type /XObject /Subtype /Form {frame} /Length {len(shown)} >>\nstream\n{shown}\nendstream",
    }


@pytest.mark.parametrize("kind", ["FreeText", "Stamp"])
def test_notes_laid_over_a_page_come_behind_its_text_each_by_itself(kind: str) -> None:
    objects = note("Too hot", (150, 690, 220, 704), 70, kind) | note("ask Ada", (240, 678, 300, 692), 80, kind)
    data = pdf(
        [Page(lines(BODY, 72, 700), "/Annots [70 0 R 80 0 R]"), lines(OTHER, 72, 700)], PdfParts(objects=objects)
    )
    assert texts_of(data) == [joined(BODY), "Too hot", "ask Ada", joined(OTHER)]
    only = pdf([Page("", "/Annots [70 0 R]")], PdfParts(objects=objects))
    assert texts_of(only) == ["Too hot"]


@pytest.mark.parametrize("off", ["Draft", "Final"])
def test_a_layer_that_is_switched_off_is_not_read(off: str) -> None:
    number = {"Draft": 70, "Final": 71}[off]
    parts = PdfParts(
        f"/OCProperties << /OCGs [70 0 R 71 0 R] /D << /OFF [{number} 0 R] >> >>",
        objects={70: "<< /Type /OCG /Name (Draft) >>", 71: "<< /Type /OCG /Name (Final) >>"},
    )
    content = f"/OC /L0 BDC {text('Draft words', 72, 700)} EMC /OC /L1 BDC {text('Final words', 72, 660)} EMC\n"
    page = Page(content + text("Other words", 72, 620), resources="/Properties << /L0 70 0 R /L1 71 0 R >>")
    kept = [word for word in ("Draft", "Final", "Other") if word != off]
    assert texts_of(pdf([page], parts)) == [f"{word} words" for word in kept]


def test_text_that_is_never_drawn_is_read_as_in_a_scan_and_letters_too_small_to_see_are_not() -> None:
    page = f"3 Tr {lines(BODY, 72, 700)} 0 Tr {text('xmp-id-4711', 72, 600, 0.9)}"
    assert texts_of(pdf([page])) == [joined(BODY)]


def test_glyphs_without_a_meaning_and_letters_beyond_16_bits_move_nothing() -> None:
    page = text("CAB A", 72, 700) + text("bowls", 200, 700, font="F3")
    document = document_of(with_meanings([page], {"A": "D835DC34", "B": "FB00", "C": "0000"}))
    assert document.text == "𝐴ff 𝐴 bowls"
    where = document.places_of(document.text.index("bowls"), len(document.text))[0].where
    assert isinstance(where, Rectangle)
    assert where.left == pytest.approx(200, abs=1)


# What a file says of itself


def test_the_title_and_metadata_are_those_of_the_file_unless_a_program_made_them_up() -> None:
    parts = PdfParts(information="/Title (Kilns of the North) /Author (A. Potter) /CreationDate (D:20240131120000Z)")
    document = document_of(pdf([lines(BODY, 72, 700)], parts))
    assert document.title == "Kilns of the North"
    assert document.metadata == {"author": "A. Potter", "created": "2024-01-31", "pages": 1}
    for made_up in ("Microsoft Word - ", "untitled", "Slide 1", ""):
        assert document_of(pdf([lines(BODY, 72, 700)], PdfParts(information=f"/Title ({made_up})"))).title == "plan"
    named = PdfParts(information="/Title (Microsoft Word - Kilns.docx)")
    assert document_of(pdf([lines(BODY, 72, 700)], named)).title == "Kilns"


def test_pages_without_text_are_named_in_a_remark_unless_they_are_blank() -> None:
    drawing = "10 w 100 100 m 300 300 l S"
    document = document_of(pdf([lines(BODY, 72, 700), drawing, "", drawing]))
    assert document.remark.startswith("2 of 4 pages have no text but pictures (pages 2, 4)")
    assert document_of(pdf([lines(BODY, 72, 700), ""])).remark == ""
    assert document_of(pdf([drawing])).blocks == ()


def test_the_text_of_a_picture_is_recognised_where_that_is_asked_for_and_installed() -> None:
    data = scanned(text("Invoice for three kilns", 40, 60, 16), media_box="[0 0 300 120]")
    plain = document_of(data)
    assert (plain.text, plain.metadata) == ("", {"pages": 1})
    assert plain.remark.endswith("(page 1): --ocr reads pictures of text, with pip install 'int8-rag[ocr]'")
    pytest.importorskip("rapidocr")
    (document,) = read(RawFile("scan.pdf", "scan.pdf", "pdf", data, ocr=True))
    assert (document.text, document.remark) == ("Invoice for three kilns", "")
    assert document.metadata == {"pages": 1, "recognised_pages": 1}
    where = document.places[0].where
    assert isinstance(where, Rectangle)
    assert (where.left, where.bottom) == pytest.approx((40, 57), abs=6)
    assert (where.right, where.top) == pytest.approx((193, 72), abs=8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty, not a PDF"),
        (b"PK\3\4 a zip archive", "is not a PDF"),
        (b"%PDF-1.7\nnothing else", "is a damaged PDF"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_a_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=f"^plan.pdf .*{reason}"):
        document_of(data)


def encrypted(user_password: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf([lines(BODY, 72, 700)]))))
    writer.encrypt(user_password, "owner", algorithm="AES-256")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def test_an_encrypted_file_opens_without_a_password_or_says_that_it_needs_one() -> None:
    assert texts_of(encrypted("")) == [joined(BODY)]
    with pytest.raises(UnreadableDocument, match=r"^plan.pdf is encrypted and needs a password"):
        document_of(encrypted("secret"))


def test_a_file_cut_short_gives_what_it_has_or_a_sentence() -> None:
    data = pdf([lines(BODY, 72, 700), lines(OTHER, 72, 700)])
    refused = []
    for sixteenth in range(16):
        try:
            document = document_of(data[: len(data) * sixteenth // 16])
        except UnreadableDocument as error:
            refused.append(str(error))
        else:
            assert set(document.text.split()) <= set(f"{BODY} {OTHER}".split())
    assert all(reason.startswith("plan.pdf is ") for reason in refused)


# Places

TEST_FILES = {
    "paragraphs": pdf([lines(BODY, 72, 700) + lines(OTHER, 72, 640)]),
    "hyphens": pdf([text("the infor-", 72, 700) + text("mation of a well-", 72, 688) + text("known kiln", 72, 676)]),
    "columns": pdf([two_columns(True), two_columns(False)]),
    "turned": pdf([Page(text("up the wall", 100, 100, matrix="0 1 -1 0") + lines(BODY, 72, 700), "/Rotate 90")]),
    "cropped": pdf([Page(lines(BODY, 172, 600), "/CropBox [100 100 500 700]", media_box="[50 50 612 792]")]),
    "furniture": pdf([with_furniture(n, body, f"{n + 1}") for n, body in enumerate([BODY, OTHER, BODY])]),
    "two directions in a word": with_meanings([text("in CDEPython now", 72, 700)], {"C": "0645", "D": "0646", "E": "0627"}),
    "a stack": pdf(["".join(text(letter, 72, 700 - 9 * row) for row, letter in enumerate("UPON"))]),
    "fonts": pdf([text("Courier beside", 72, 700, 12, "F4") + text("Times and", 180, 700, 12, "F3") + text("x2", 240, 703, 6)]),
}  # fmt: skip


def independent_letters(data: bytes) -> Iterator[list[tuple[str, float, float]]]:
    """For each page its characters and their middles in the file's own coordinates, as pdfminer sees them."""
    boxes = [page.mediabox for page in PDFPage.get_pages(BytesIO(data))]
    for box, page in zip(boxes, extract_pages(BytesIO(data), laparams=LAParams(all_texts=True)), strict=True):
        yield [
            (char.get_text(), (char.x0 + char.x1) / 2 + box[0], (char.y0 + char.y1) / 2 + box[1])
            for char in characters_in(page)
        ]


def characters_in(item: object) -> Iterator[LTChar]:
    if isinstance(item, LTChar):
        yield item
    elif hasattr(item, "__iter__"):
        for inner in item:
            yield from characters_in(inner)


@pytest.fixture(autouse=True)
def unturned(monkeypatch: pytest.MonkeyPatch) -> None:
    """pdfminer turns coordinates with the page; places are those of the page before it is turned."""
    original = PDFPage.__init__

    def without_turn(self: PDFPage, *arguments: object, **named: object) -> None:
        original(self, *arguments, **named)
        self.rotate = 0

    monkeypatch.setattr(PDFPage, "__init__", without_turn)


@pytest.mark.parametrize("name", TEST_FILES)
def test_the_rectangles_of_every_chunk_hold_its_words_for_another_library(name: str, tokenizer: Tokenizer) -> None:
    data = TEST_FILES[name]
    document = document_of(data)
    letters = list(independent_letters(data))
    chunks = split_document(document, tokenizer, 40, 10)
    assert chunks
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        held: Counter[str] = Counter()
        shown: Counter[str] = Counter()
        for place in document.places_of(chunk.start, chunk.end):
            rectangle = place.where
            assert isinstance(rectangle, Rectangle)
            held.update(letters_within(rectangle, letters[rectangle.page - 1]))
            shown.update(letter for letter in document.text[place.start : place.end] if letter.isalnum())
        assert held == shown
        assert not Counter(filter(str.isalnum, chunk.text)) - held


def letters_within(rectangle: Rectangle, letters: list[tuple[str, float, float]]) -> Iterator[str]:
    for letter, x, y in letters:
        if rectangle.left <= x <= rectangle.right and rectangle.bottom <= y <= rectangle.top and letter.isalnum():
            yield letter


def test_a_page_is_closed_before_the_next_one_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    from pypdfium2 import PdfPage

    open_pages: list[int] = []
    most = 0
    original_init, original_close = PdfPage.__init__, PdfPage.close

    def opening(self: PdfPage, *arguments: object, **named: object) -> None:
        nonlocal most
        original_init(self, *arguments, **named)
        open_pages.append(id(self))
        most = max(most, len(open_pages))

    def closing(self: PdfPage, *arguments: object, **named: object) -> None:
        open_pages.remove(id(self))
        original_close(self, *arguments, **named)

    monkeypatch.setattr(PdfPage, "__init__", opening)
    monkeypatch.setattr(PdfPage, "close", closing)
    document = document_of(pdf([lines(BODY, 72, 700)] * 20))
    assert len(document.page_marks) == 20
    assert (most, open_pages) == (1, [])
