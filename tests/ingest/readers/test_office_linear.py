"""Readers of office files, books, RTF and XML take time in proportion to the file, whatever it is made of."""
# ruff: noqa: E501 - a unit is easier to compare in one line

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from office_files import SPACES, read_bytes, relationships, word_file, zipped
from test_opendocument import flat
from test_slides import presentation, shape, slide
from work import growth

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = "<w:r><w:t>a </w:t></w:r>"
UP = "<w:r><w:rPr><w:vertAlign w:val='superscript'/></w:rPr><w:t>2</w:t></w:r>"
STYLES = "<w:style w:type='paragraph' w:styleId='H'><w:name w:val='heading 1'/></w:style>"
NUMBERING = (
    "<w:abstractNum w:abstractNumId='1'><w:lvl w:ilvl='0'><w:lvlText w:val='%1.'/></w:lvl></w:abstractNum>"
    "<w:num w:numId='1'><w:abstractNumId w:val='1'/></w:num>"
)


def word(unit: str, inside: str = "{}") -> Callable[[int], str]:
    """A body that repeats a unit."""
    return lambda number: inside.format(unit * number)


BODIES: dict[str, Callable[[int], str]] = {
    "paragraphs": word(f"<w:p>{RUN}</w:p>"),
    "runs": word(RUN, "<w:p>{}</w:p>"),
    "raised runs": word(UP, "<w:p>{}</w:p>"),
    "raised and not": word(UP + RUN, "<w:p>{}</w:p>"),
    "headings": word(f"<w:p><w:pPr><w:pStyle w:val='H'/></w:pPr>{RUN}</w:p>"),
    "items": word(f"<w:p><w:pPr><w:numPr><w:numId w:val='1'/></w:numPr></w:pPr>{RUN}</w:p>"),
    "rows": word(f"<w:tr><w:tc><w:p>{RUN}</w:p></w:tc><w:tc><w:p/></w:tc></w:tr>", "<w:tbl>{}</w:tbl>"),
    "cells": word(f"<w:tc><w:p>{RUN}</w:p></w:tc>", "<w:tbl><w:tr>{}</w:tr></w:tbl>"),
    "merged cells": word(f"<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p>{RUN}</w:p></w:tc><w:tc><w:p/></w:tc></w:tr>", "<w:tbl>{}</w:tbl>"),
    "tables": word(f"<w:tbl><w:tr><w:tc><w:p>{RUN}</w:p></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"),
    "fields": word("<w:r><w:fldChar w:fldCharType='begin'/></w:r>", "<w:p>{}</w:p>"),
    "deleted ends": word(f"<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>{RUN}</w:p>"),
    "notes": lambda number: "".join(f"<w:p><w:r><w:footnoteReference w:id='{place % 50}'/></w:r></w:p>" for place in range(number)),
    "boxes": word(f"<w:p><w:r><w:pict><w:txbxContent><w:p>{RUN}</w:p></w:txbxContent></w:pict></w:r></w:p>"),
    "pages": word("<w:p><w:r><w:lastRenderedPageBreak/><w:t>a</w:t></w:r></w:p>"),
}  # fmt: skip


def check(read: Callable[[str], Any], text: Callable[[int], str], number: int = 150) -> None:
    once, twice = growth(read, lambda length: text(max(length // 10, 1)), number * 10)
    assert twice.is_about_twice(once), (once, twice)


@pytest.mark.parametrize("name", BODIES)
def test_twice_the_word_document_is_twice_the_work(name: str) -> None:
    notes = "".join(f"<w:footnote w:id='{place}'><w:p>{RUN}</w:p></w:footnote>" for place in range(50))

    def read(body: str) -> None:
        read_bytes(
            word_file(body, styles=STYLES, numbering=NUMBERING, footnotes=notes, pages=body.count("Rendered") + 1),
            "a.docx",
        )

    check(read, BODIES[name])


SLIDES: dict[str, Callable[[int], str]] = {
    "paragraphs": lambda number: shape("<a:p><a:r><a:t>a</a:t></a:r></a:p>" * number),
    "runs": lambda number: shape(f"<a:p>{'<a:r><a:t>a</a:t></a:r>' * number}</a:p>"),
    "numbers": lambda number: shape("<a:p><a:pPr><a:buAutoNum type='arabicPeriod'/></a:pPr><a:r><a:t>a</a:t></a:r></a:p>" * number),
    "shapes": lambda number: shape("<a:p><a:r><a:t>a</a:t></a:r></a:p>") * number,
    "placeholders": lambda number: "".join(shape("<a:p><a:r><a:t>a</a:t></a:r></a:p>", f"<p:nvPr><p:ph idx='{place}'/></p:nvPr>") for place in range(number)),
}  # fmt: skip


@pytest.mark.parametrize("name", SLIDES)
def test_twice_the_slide_is_twice_the_work(name: str) -> None:
    check(lambda shapes: read_bytes(presentation(slide(shapes)), "a.pptx"), SLIDES[name])


def test_twice_the_relationships_of_a_slide_are_twice_the_work() -> None:
    def read(shapes: str) -> None:
        many = (("slideLayout", "../layout.xml"),) * shapes.count("<p:sp>")
        read_bytes(presentation(slide(shapes), related=many), "a.pptx")

    check(read, SLIDES["shapes"])


def test_twice_the_slides_are_twice_the_work() -> None:
    check(
        lambda text: read_bytes(presentation(*[slide(shape("<a:p/>"))] * len(text)), "a.pptx"),
        lambda number: "x" * (number // 5),
    )


TEXTS: dict[str, Callable[[int], str]] = {
    "paragraphs": word("<text:p>a</text:p>"),
    "spans": word("<text:span>a</text:span>", "<text:p>{}</text:p>"),
    "items": word("<text:list-item><text:p>a</text:p></text:list-item>", "<text:list>{}</text:list>"),
    "lists": word("<text:list xml:id='a' text:continue-list='a'><text:list-item><text:p>a</text:p></text:list-item></text:list>"),
    "rows": word("<table:table-row><table:table-cell table:number-rows-spanned='9'><text:p>a</text:p></table:table-cell><table:table-cell/></table:table-row>", "<table:table>{}</table:table>"),
    "headings": word("<text:h text:outline-level='2'>a</text:h>"),
    "notes": word("<text:p>a<text:note><text:note-body><text:p>b</text:p></text:note-body></text:note></text:p>"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_twice_the_open_text_is_twice_the_work(name: str) -> None:
    check(lambda body: read_bytes(flat(body.replace("xml:id='a'", "")), "a.fodt"), TEXTS[name])


RTF = [
    "a", "\\par a", "\\u233?", "\\'e9", "{\\super 2}", "{\\b a}", "\\pard\\intbl a\\cell\\row ", "a\\cell ", "{\\footnote a}\\par ", "{\\listtext 1.}a\\par ",
    "{\\*\\x a}", "{\\shptxt a\\par b}", "\\trowd\\clvmrg\\cellx1\\intbl a\\cell\\row ", "\\s1 a\\par ", "{\\*\\annotation a}", "\\bin3 }}}", "\\line ",
]  # fmt: skip


@pytest.mark.parametrize("unit", RTF)
def test_twice_the_rtf_is_twice_the_work(unit: str) -> None:
    check(lambda body: read_bytes(("{\\rtf1{\\stylesheet{\\s1 heading 1;}}" + body).encode(), "a.rtf"), word(unit), 300)


MARKUP = [
    "<a>b</a>",
    "<a/>b",
    "<title>a</title>",
    "<row><cell>a</cell></row>",
    "<p>a <b>c</b> d</p>",
    "<item>a</item>",
    "<text>a<tspan x='1'>b</tspan></text>",
    "<switch><text>a</text></switch>",
]


@pytest.mark.parametrize("unit", MARKUP)
@pytest.mark.parametrize("root", ["r", "svg"])
def test_twice_the_xml_is_twice_the_work(unit: str, root: str) -> None:
    check(lambda body: read_bytes(f"<{root}>{body}</{root}>".encode(), "a.xml"), word(unit))


def test_very_many_entries_styles_and_relationships_are_read_in_one_go() -> None:
    many = 500
    styles = "".join(f"<w:style w:styleId='s{n}'><w:basedOn w:val='s{n + 1}'/></w:style>" for n in range(many))
    body = "".join(f"<w:p><w:pPr><w:pStyle w:val='s{n}'/></w:pPr>{RUN}</w:p>" for n in range(many))
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": "",
        "_rels/.rels": relationships(*[("image", "x.png")] * many, ("officeDocument", "d.xml")),
        "d.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
        "_rels/d.xml.rels": relationships(("styles", "s.xml")),
        "s.xml": f"<w:styles {SPACES}>{styles}</w:styles>",
        **{f"x{n}.png": "" for n in range(many)},
    }
    assert read_bytes(zipped(entries), "a.docx").text.count("a") == many
