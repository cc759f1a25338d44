"""Web pages: what is read, what is left out, where it stood, and markup made to break readers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Document
from ingest.html import extract_html
from ingest.read import read_document

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE_MARKUP = st.lists(
    st.sampled_from(
        [
            "<p>", "</p>", "<div hidden>", "</div>", "<ul>", "<li>", "</ul>", "<table>", "<tr>", "<td>", "</table>",
            "<pre>", "</pre>", "<h1>", "</h1>", "<h3>", "<br>", "<script>", "</script>", "<title>", "</title>",
            "<svg/>", "<b", "<a x='", '"', "'", ">", "<", "<!--", "-->", "<!", "</", "&amp;", "&#xD800;", "&#0;", "&",
            "a", " b ", "\n", "\r\n", "\t", "猫", "\u2028", "\ufeff", "<blockquote>", "<img alt='pic'>",
            "<template>", "<p hidden>", "<textarea>",
        ]
    ),
    max_size=25,
).map("".join)  # fmt: skip


def text_of(markup: str) -> str:
    return extract_html(markup).text


def read(folder: Path, content: bytes | str) -> Document:
    path = folder / "page.html"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_document(path, "page.html")


def test_a_page_becomes_blocks_with_the_lines_they_stood_on(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "<!DOCTYPE html>\r\n<title>My &amp; page</title>\r\n<h1>Main\r\ntitle</h1>\r\n<p>First   para\r\n<b>bold</b>."
        "\r\n<ul><li>one<li>two <ul><li>deep</ul></ul>\r\n<table><tr><th>Name<th>Value</tr>\r\n"
        "<tr><td><p>a</p><td>1</table>\r\n<h2>Sub &lt;x&gt;</h2>\r\n<pre>\r\nx  = 1\r\n  y\r\n</pre>"
        "<blockquote>Said</blockquote>",
    )
    assert document.text == (
        "Main title\n\nFirst para bold.\n\n- one\n- two\n  - deep\n\n"
        "Name | Value\na | 1\n\nSub <x>\n\nx  = 1\n  y\n\nSaid"
    )
    assert (document.title, document.format, document.converted) == ("My & page", "html", True)
    assert [
        (block.kind, block.heading, document.text[block.start : block.end], document.line_at(block.start))
        for block in document.blocks
    ] == [
        ("heading", "Main title", "Main title", 3),
        ("paragraph", "Main title", "First para bold.", 5),
        ("list", "Main title", "- one", 7),
        ("list", "Main title", "- two", 7),
        ("list", "Main title", "- deep", 7),
        ("table", "Main title", "Name | Value", 8),
        ("table", "Main title", "a | 1", 9),
        ("heading", "Main title > Sub <x>", "Sub <x>", 10),
        ("code", "Main title > Sub <x>", "x  = 1\n  y", 12),
        ("quote", "Main title > Sub <x>", "Said", 14),
    ]
    assert document.line_at(document.text.index("  y")) == 13


@pytest.mark.parametrize(
    "markup",
    [
        "<script>if (a<b) write('<p>no</p>')</script>", "<style>p { color: red }</style>", "<template>no</template>",
        "<noscript>no</noscript>", "<svg><title>no</title><text>no</text></svg>", "<div hidden>no <div>no</div></div>",
        "<p hidden>no", "<div style='color: red; display : none'>no</div>", "<span STYLE=visibility:hidden>no</span>",
        "<select><option>no</select>", "<!-- no -->", "<!-- <p>no</p> -->", "<?php no ?>", "<![CDATA[no]]>",
        "<iframe>no</iframe>", "<script src=x />", "<svg/>", "<img src='http://127.0.0.1:9/x.png'>",
        "<SCRIPT>no</script >",
    ],
)  # fmt: skip
def test_what_is_not_shown_is_left_out(markup: str) -> None:
    assert text_of(f"<p>before</p>{markup}<p>after</p>") == "before\n\nafter"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("a<br>b<br/><br>c", "a\nb\nc"),
        ("<img alt='A chart of sales'> below", "A chart of sales below"),
        ("x &lt;b&gt; &amp;amp; &eacute;&#233;&nbsp;y", "x <b> &amp; éé y"),
        ("&#xD800;&#0;&#99999999999;", "\ufffd\ufffd\ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("<p title='a > b'>text</p>", "text"),
        ("<p title=\"never closed>text</p>", "text"),
        ("<textarea>typed <b></textarea>", "typed <b>"),
        ("<table><tr><td>a</td><td></td><td>c</td></tr><tr><td></td></tr></table>", "a | | c"),
        ("<table><tr><td><h2>Layout</h2><p>text</p></td></tr></table>", "Layout\n\ntext"),
        ("text <b", "text"),
    ],
)  # fmt: skip
def test_text_is_read_as_a_browser_shows_it(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


def test_without_a_title_the_first_main_heading_is_one() -> None:
    assert extract_html("<h2>Small</h2><h1>Large</h1>").title == "Large"
    assert extract_html("<title></title><h2>Small</h2>").title == "Small"
    assert extract_html("<title>never closed<h2>Small</h2>").title == "Small"


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        ("<meta charset='windows-1251'><p>Привет, мир".encode("cp1251"), "cp1251", "Привет, мир"),
        ("<meta http-equiv=x content='text/html; charset=Shift_JIS'>日本".encode("cp932"), "cp932", "日本"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><p>café</p>".encode("cp1252"), "cp1252", "café"),
        ("<meta charset=iso-8859-1><p>Größe".encode(), "utf-8", "Größe"),
        (b"<meta charset=utf-16><p>plain", "utf-8", "plain"),
        ("<meta charset=unicode_escape><p>Gr\xf6\xdfe \\ud800".encode("cp1252"), "cp1252", "Größe \\ud800"),
        ("<meta charset=koi8-r><p>x".encode("utf-16"), "utf-16-le", "x"),
        ("<meta charset=nonsense><p>caf\xe9".encode("cp1252"), "cp1252", "café"),
    ],
)  # fmt: skip
def test_a_declared_charset_is_believed_only_where_the_bytes_allow_it(
    tmp_path: Path, content: bytes, encoding: str, expected: str
) -> None:
    document = read(tmp_path, content)
    assert (document.encoding, document.text) == (encoding, expected)


@settings(max_examples=500, deadline=None)
@given(HOSTILE_MARKUP)
def test_any_markup_gives_ordered_blocks_that_hold_the_whole_text(markup: str) -> None:
    page = extract_html(markup)
    page.text.encode()  # no lone surrogates
    assert "\0" not in page.text
    document = Document("a", "html", "a", page.text, page.blocks, "utf-8", "", 0, True, page.line_marks)
    covered = {index for block in document.blocks for index in range(block.start, block.end)}
    assert {index for index, character in enumerate(page.text) if not character.isspace()} <= covered
    lines = [document.line_at(block.start) for block in document.blocks]
    assert lines == sorted(lines)
    assert not lines or lines[-1] <= markup.count("\n") + markup.count("\r") + 1
    assert page == extract_html(markup)


@pytest.mark.parametrize(
    "unit",
    [
        "<", "<!", "</", "<a ", "<a/", "<a b=\"", "<a a='b'c='", "<a =", "=\"", "&", "&#", "&amp;", "<!--", "<![CDATA[",
        "<?", "<div>", "<p hidden>", "<div hidden>", "<title>", "<textarea>", "<script>", "<script></scrip", "<ul><li>",
        "<tr><td>", "<h1>a", "<pre>", "<br>", "<svg>",
    ],
)  # fmt: skip
def test_hostile_markup_takes_linear_time(unit: str) -> None:
    started = time.perf_counter()
    extract_html(unit * (100_000 // len(unit)))
    assert time.perf_counter() - started < 3  # html.parser of Python 3.11 takes 118 s for the fourth


def test_deep_nesting_huge_attributes_and_many_references_are_read() -> None:
    assert text_of("<div>" * 100_000 + "deep") == "deep"
    assert text_of(f"<p data-x='{'y' * 10_000_000}'>text") == "text"
    assert text_of("&eacute;" * 100_000) == "é" * 100_000
    assert text_of("<p>open<b>" * 20_000).count("open") == 20_000
