r"""RTF: characters of every kind of encoding, groups that are no text, numbers of lists, tables and notes."""
# ruff: noqa: E501 - a file of a case is easier to compare in one line

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office_files import check_blocks, read_bytes, shown

from ingest.readers.rtf.tokens import tokens
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from ingest.document import Document

FONTS = (
    r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 MS Gothic;}{\f3\fcharset2 Symbol;}"
    r"{\f4\fcharset2{\*\panose 05}Wingdings;}}"
)


def read(body: str, before: str = "") -> Document:
    document = read_bytes(
        rf"{{\rtf1\ansi\ansicpg1252\deff0{FONTS}{before}\pard\plain {body}}}".encode("latin-1"), "a.rtf"
    )
    check_blocks(document)
    return document


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"Gr\'f6\'dfe", "Größe"),
        (r"{\f1 \'cf\'f0\'e8\'e2\'e5\'f2}!", "Привет!"),
        (r"{\f2 \'93\'fa\'96{\b\'7b}}", "日\ufffd{"),
        (r"{\f2 \'93\'fa\'96\'7b \'83A}", "日本 ア"),
        (r"{\f3 a\'b3}{\f4 \'fc}", "α≥✓"),
        (r"{\f3 \u-4000?}", ""),
        (r"\u8364?5, \u-10179?\u-8704?", "€5, 😀"),
        (r"\uc2\u26085\'93\'fa\uc0\u26412 x", "日本x"),
        (r"{\uc0 \u8364 a}\u8364?b", "€a€b"),
        (r"\u8364{?}c", "€?c"),
        (r"\u-10179? x", "\ufffd x"),
        (r"\u-8704?x", "\ufffdx"),
        (r"a\~b\-c\_d \{e\} \\ \emdash\ldblquote f\rdblquote", "a bc-d {e} \\ —“f”"),
        ("a\\tab b\\line c\r\nd", "a b\ncd"),
        ("one\\\ntwo\\par three", "one\n\ntwo\n\nthree"),
        (r"10{\super 6} H{\sub 2}O x{\up6 2}", "10^6 H2O x^2"),
        (r"a {\v hidden}\v no\v0 b", "a b"),
        (r"a {\strike old}b{\deleted gone}", "a b"),
        (r"{\field{\*\fldinst HYPERLINK {\fldrslt no} x}{\fldrslt link}}", "link"),
        (r"{\pict\pngblip 89504e47}{\header no}{\footerf no}{\*\unheard{of} no}{\xe index}text", "text"),
        (r"{\loch\i0\*\cs7\cf0 text}{\*\cs7 no}", "text"),  # StarOffice
        (
            r"{\list\listid1{\listlevel{\leveltext\'02\'00.;}{\levelnumbers\'01;}}}{\listoverride{\listlevel{\leveltext\'01\'b7}}}a",
            "a",
        ),
        ("a\x11b\x02", "ab"),
        (r"{\upr{no}{\*\ud{\u26085?yes}}}", "日yes"),
        (r"{\object{\*\objdata 0102}{\result shown}}", "shown"),
        (
            r"{\shp{\*\shpinst\shpleft0{\sp{\sn no}{\sv no}}{\shptxt boxed\par twice}}{\shprslt no}}anchor",
            "anchor\n\nboxed\n\ntwice",
        ),
        (r"{\pict\bin5 a}}{\}done", "done"),
        (r"a}}}}b", "ab"),
        (r"{{{a", "a"),
        ("a\\", "a}"),
        ("\\'4", "'4"),
        (r"{\*\generator no;}{\info{\title no}{\comment no}}x", "x"),
    ],
)
def test_the_text_is_what_is_shown(body: str, expected: str) -> None:
    assert read(body).text == expected


@pytest.mark.parametrize(
    ("header", "data", "expected"),
    [
        (r"\mac", b"\\'8a", "ä"), (r"\pca", b"\\'84", "ä"), (r"\ansi\ansicpg1250", b"\\'f8", "ř"), (r"\ansi\ansicpg65001", "猫".encode(), "猫"),
        (r"\ansi\ansicpg936", b"\\'c4\\'e3", "你"), (r"\ansi\ansicpg4711", b"\\'e4", "ä"), (r"\ansi", b"\xe4", "ä"),
    ],
)  # fmt: skip
def test_the_code_page_of_the_file_counts(header: str, data: bytes, expected: str) -> None:
    assert read_bytes(b"{\\rtf1" + header.encode() + b" " + data + b"}", "a.rtf").text == expected


def test_headings_are_known_by_outline_levels_and_by_the_names_of_styles() -> None:
    styles = r"{\stylesheet{\ql Normal;}{\s1\sbasedon0\outlinelevel0 Rubrik 1;}{\s2 heading 2;}{\s3\sbasedon2 Mine;}{\s4 Title;}{\*\cs5 Char;}{\s6\outlinelevel9\sbasedon1 Text;}}"
    body = (
        r"{\s4 Whole\par}\pard\s1 One\par\pard\s3 Two\par\pard text\par\pard\outlinelevel1 Direct\par\pard\s6 more\par"
    )
    document = read(body, styles)
    assert [(block.kind, block.heading) for block in document.blocks] == [
        ("heading", "Whole"), ("heading", "Whole > One"), ("heading", "Whole > One > Two"), ("paragraph", "Whole > One > Two"),
        ("heading", "Whole > One > Direct"), ("paragraph", "Whole > One > Direct"),
    ]  # fmt: skip
    assert document.title == "Whole"


def test_what_a_file_says_of_itself_is_title_and_metadata() -> None:
    info = r"{\info{\title Re\'f6port}{\author Ann}{\creatim\yr2024\mo1\dy2\hr3\min4}{\printim\yr1999}{\operator no}}"
    document = read("x", info)
    assert (document.title, dict(document.metadata), document.text) == (
        "Reöport",
        {"author": "Ann", "created": "2024-01-02T03:04"},
        "x",
    )


def test_lists_have_the_numbers_that_are_shown() -> None:
    body = (
        r"\pard{\listtext\pard\plain 1.\tab}\ls1 one\par{\listtext 1.1\tab}\ilvl1 two\par\pard{\pntext\f3\'b7\tab}{\*\pn\pnlvlblt{\pntxtb\'b7}}three\par"
        r"\pard{\listtext\f4 \'a7\tab}four\par\pard plain"
    )
    assert read(body).text == "1. one\n  1.1 two\n- three\n- four\n\nplain"


ROW = r"\trowd\cellx1\cellx2\pard\intbl {}\cell {}\cell\row"


def test_tables_are_blocks_with_a_line_for_each_row() -> None:
    body = (
        r"before\par"
        + ROW.format("Name", "Value")
        + ROW.format(r"a\par b", "1")
        + r"\pard\par"
        + ROW.format("x", "y")
        + r"\pard after"
    )
    assert shown(read(body)) == [
        ("paragraph", "before"), ("table", "Name | Value\na b | 1"), ("table", "x | y"), ("paragraph", "after"),
    ]  # fmt: skip


def test_merged_cells_and_tables_in_tables_keep_their_words() -> None:
    merged = (
        r"\trowd\clvmgf\cellx1\cellx2\pard\intbl Year\cell 1\cell\row\trowd\clvmrg\cellx1\cellx2\pard\intbl \cell 2\cell\row"
        r"\trowd\cellx1\cellx2\pard\intbl in\nestcell side\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables\par}\cell 3\cell\row"
    )
    assert read(merged).text == "Year | 1\nYear | 2\nin, side, | 3"


def test_notes_follow_what_refers_to_them_and_comments_stand_at_the_end() -> None:
    note = r"{\super\chftn{\footnote\pard\plain{\super\chftn} N%s.\par Two}}"
    body = (
        rf"One.{note % 1} More{{\*\atnid A}}{{\*\atnauthor Ann}}\chatn{{\*\annotation{{\*\atndate 1}}Why?}}.\par{{\listtext 1.\tab}}item.{note % 2}\par"
        rf"{{\listtext 2.\tab}}b\par\pard Text.{note % 3}\par" + ROW.format("x." + note % 4, "y") + r"\pard end"
    )
    assert read(body).text == (
        "One.[1] More.\n\n[1] N1.\nTwo\n\n1. item.[2]\n2. b\n\n[2] N2.\nTwo\n\nText.[3]\n\n[3] N3.\nTwo\n\nx.[4] | y\n\n"
        "[4] N4.\nTwo\n\nend\n\nComments\n\nAnn: Why?"
    )


@pytest.mark.parametrize("data", [b"", b"the cat", b"{\\html}", b"\xd0\xcf\x11\xe0"])
def test_what_is_no_rtf_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=r"^a.rtf does not begin with \{\\rtf"):
        read_bytes(data, "a.rtf")


def test_groups_may_be_deep_but_not_without_end() -> None:
    assert read("{" * 4000 + "deep" + "}" * 4000).text == "deep"
    with pytest.raises(UnreadableDocument, match="more than 5,000 groups in groups"):
        read("{" * 6000)


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "}",
        "\\",
        "\\'",
        "\\u1?",
        "\\par ",
        "\\cell ",
        "\\row ",
        "\\bin9 ",
        "\\*",
        "a",
        "{\\f1 ",
        "\\super a",
        "{\\footnote ",
    ],
)
def test_a_long_row_of_anything_is_read_to_its_end(unit: str) -> None:
    try:
        read_bytes(b"{\\rtf1" + unit.encode() * 30_000, "a.rtf")
    except UnreadableDocument as error:
        assert "groups in groups" in str(error)  # noqa: PT017 - either is right


PIECES = st.sampled_from(
    ["{", "}", "{\\footnote ", "{\\*\\x ", "{\\fonttbl{\\f1\\fcharset128 A;}}", "\\f1 ", "\\'93", "\\u-10179?", "\\u233?", "\\uc2", "\\super ", "\\plain ",
     "\\par ", "\\pard ", "\\intbl ", "\\trowd\\clvmrg\\cellx1 ", "\\cell ", "\\row ", "{\\listtext 1.\\tab}", "{\\upr{a}{\\*\\ud ", "{\\shptxt ", "\\v ",
     "\\bin2 ", "\\chftn ", "{\\info{\\title ", "{\\*\\annotation ", "a", " b ", "é", "\\line ", "\\strike ", "{\\stylesheet{\\s1 heading 1;}}", "\\s1 "]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=30))
def test_any_file_gives_blocks_that_hold_the_whole_text(pieces: list[str]) -> None:
    document = read_bytes(b"{\\rtf1\\ansi " + "".join(pieces).encode("cp1252"), "a.rtf")
    check_blocks(document)
    assert document == read_bytes(b"{\\rtf1\\ansi " + "".join(pieces).encode("cp1252"), "a.rtf")


def test_binary_data_is_no_text_whatever_it_holds() -> None:
    assert [token.text or token.data for token in tokens(b"a\\bin3 }}}b\\bin99 c")] == [b"a", "bin", b"b", "bin"]
