"""Letters of a PDF in the order in which they stand, whatever the order in which they were written, and with their accents."""

from __future__ import annotations

import pytest
from pdf_writer import pdf, text, with_meanings

from ingest.readers.pdf.read import read
from ingest.readers.raw_file import RawFile


def text_of(data: bytes) -> str:
    (document,) = read(RawFile("plan.pdf", "plan.pdf", "pdf", data))
    return document.text


def test_a_raised_number_that_is_written_first_stands_behind_its_letter() -> None:
    raised = text("2", 85.9, 704, 6)
    assert text_of(pdf([text("chi", 73, 700) + raised + text("= 5", 95, 700)])) == "chi2 = 5"
    assert text_of(pdf([text("2", 78.1, 704, 6) + text("x", 73, 700) + text("= 5", 86, 700)])) == "x2 = 5"
    assert text_of(pdf([raised + text("chi", 73, 700) + text("= 5", 95, 700)])) == "chi2 = 5"


def test_a_line_that_is_written_in_parts_reads_from_left_to_right() -> None:
    may = text("M", 72, 700) + text("15", 94, 700) + text("ay", 80.33, 700)
    assert text_of(pdf([may])) == "May 15"
    assert text_of(pdf([text("fired", 105, 700) + text("Bowls", 75, 700)])) == "Bowls fired"


def test_numbers_in_a_row_stand_as_they_are_shown_though_the_file_has_them_from_the_right() -> None:
    assert text_of(pdf([text("007", 92, 700) + text("125", 72, 700)])) == "125 007"


def test_a_word_that_is_drawn_twice_with_a_shadow_is_not_mixed_with_it() -> None:
    assert text_of(pdf([text("Kilns", 72, 700, 20) + text("Kilns", 74, 700, 20)])) in {"Kilns", "Kilns Kilns"}


def test_small_letters_over_a_sign_are_not_divided_by_it() -> None:
    over = text("by rule", 100, 704, 5)
    assert "by rule" in text_of(pdf([over + text("a", 92, 700) + text("=", 106.5, 700, 9) + text("b", 122, 700)]))


def test_mirrored_words_keep_the_order_of_the_file() -> None:
    assert text_of(pdf([text("Bowls are fired", 300, 700, matrix="-1 0 0 1")])) == "Bowls are fired"


ABOVE_O = 72 + 15.56  # where the fourth letter of schon stands
ACCENT = ABOVE_O + 2.78 - 1.67  # as far before the middle of the letter as the accent's own


@pytest.mark.parametrize(
    "page",
    [
        text("sch", 72, 700) + text("¨", ACCENT, 700) + text("on", ABOVE_O, 700),
        text("scho", 72, 700) + text("¨", ACCENT, 700) + text("n", ABOVE_O + 5.56, 700),
        text("sch", 72, 700) + text("¨", ACCENT, 702) + text("on", ABOVE_O, 700),
    ],
    ids=["first", "after", "raised"],
)
def test_an_accent_over_a_letter_is_part_of_it_in_whatever_order_they_were_written(page: str) -> None:
    assert text_of(pdf([page + text("genug", 105, 700)])) == "schön genug"


def test_several_accents_of_a_line_go_to_a_letter_each() -> None:
    words = "".join(
        text("¨", 72 + 60 * n + 1.11, 700) + text("offnen", 72 + 60 * n, 700) + text("´", 73.11 + 60 * n + 19.46, 700)
        for n in range(3)
    )
    assert text_of(pdf([words])) == " ".join(["öffnén"] * 3)


def test_an_accent_that_lies_over_no_letter_stays_what_it_is() -> None:
    assert text_of(pdf([text("the signs ´ and ¨ alone", 72, 700)])) == "the signs ´ and ¨ alone"


def test_marks_that_follow_their_letter_are_one_character_with_it_and_a_dotless_i_gets_its_dots_from_them() -> None:
    assert (
        text_of(with_meanings([text("naAve eBtC", 72, 700)], {"A": "01310308", "B": "0301", "C": "00E9"}))
        == "naïve été"
    )


@pytest.mark.parametrize(
    ("glyph", "expected"),
    [
        ("06440627", "\u0645\u0644\u0627\u0646"),  # lam and alef, as word processors write them
        ("FEFB", "\u0645\u0644\u0627\u0646"),  # their ligature as a character of its own
        ("FDF2", "\u0645\u0627\u0644\u0644\u0647\u0646"),
        ("0644064E", "\u0645\u0644\u064e\u0646"),  # a letter and its vowel
        ("05D105D2", "\u0645\u05d1\u05d2\u0646"),
    ],
)
def test_the_letters_of_a_ligature_that_is_read_from_the_right_come_in_their_order(glyph: str, expected: str) -> None:
    assert text_of(with_meanings([text("CBA", 72, 700)], {"A": "0645", "B": glyph, "C": "0646"})) == expected


def test_a_ligature_that_could_be_either_is_turned_where_others_of_the_page_are() -> None:
    glyphs = {"A": "06450645", "B": "0645062D", "C": "06440627"}  # meem and hah: a ligature in both orders
    assert text_of(with_meanings([text("CB", 72, 700)], glyphs)) == "\u0645\u062d\u0644\u0627"


@pytest.mark.parametrize("glyph", ["00660069", "FB01"])
def test_a_space_that_lies_below_a_ligature_divides_no_word(glyph: str) -> None:
    def shown(behind: str) -> str:  # B is the ligature
        return text_of(with_meanings([f"BT /F1 10 Tf 72 700 Td [(The B) {behind} (nder)] TJ ET"], {"B": glyph}))

    assert shown("400 ( ) -122") == "The finder"  # back, and on by as much: the next letter touches the ligature
    assert shown("( )") == "The fi nder"
