"""Web pages: what is read, what is left out, where it stood, and markup made to break readers."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
import turbohtml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.document import Document
from ingest.readers import read_documents
from ingest.readers.html.events import Element, Kind
from ingest.readers.html.markup import read_markup
from ingest.readers.html.page import extract_html
from rag.text.sentences import LINE_END

if TYPE_CHECKING:
    from pathlib import Path

TABLE_PARTS = ("table", "tbody", "thead", "tr", "colgroup")
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
    return read_documents(path, "page.html")[0]


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


# What each kind of element says in the text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("10<sup>6</sup> tonnes", "10^6 tonnes"),
        ("2<sup>64</sup>.", "2^64."),
        ("10<sup>-6</sup> m and 10<sup>−6</sup> m", "10^-6 m and 10^−6 m"),
        ("25 m<sup>2</sup> and 3 km<sup>2</sup>", "25 m^2 and 3 km^2"),
        ("12<sup>3</sup>4", "12^3 4"),
        ("10 <sup>6</sup>", "10 ^6"),
        ("2<sup>2<sup>3</sup></sup>", "2^(2^3)"),
        ("e<sup>-x/2</sup>y", "e^(-x/2) y"),
        ("(a+b)<sup>2</sup>, sin<sup>2</sup>x", "(a+b)^2, sin^2 x"),
        ("<sup>14</sup>C dating", "^14C dating"),
        ("SO<sub>4</sub><sup>2−</sup>, Na<sup>+</sup>", "SO4^2−, Na^+"),
        ("10<sup>\n6\n</sup>", "10^6"),
        ("10<sup>−</sup><sup>6</sup> m s<sup>-</sup><sup>1</sup>", "10^−6 m s^-1"),
        ("1<sup>1</sup>/<sub>2</sub> cups, <sup>3</sup>\u2044<sub>4</sub>inch", "1 1/2 cups, 3\u20444 inch"),
        ("m<sup>2</sup>/y<sub>2</sub>, 1<sup>\n3\n</sup>\n/\n<sub>\n4</sub>", "m^2/y2, 1 3/4"),
        ("10<span style='vertical-align: super'>6</span>", "10^6"),
        ("10<sup></sup>6", "106"),
    ],
)  # fmt: skip
def test_a_raised_number_is_not_glued_to_the_one_before_it(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("H<sub>2</sub>O, C<sub>6</sub>H<sub>12</sub>O<sub>6</sub>, Ca(OH)<sub>2</sub>", "H2O, C6H12O6, Ca(OH)2"),
        ("log<sub>2</sub>8 is not log28", "log_2 8 is not log28"),
        ("101<sub>2</sub> is 5", "101_2 is 5"),
        ("x<sub>max</sub>, a<sub>n+1</sub>, x<sub>i</sub><sup>2</sup>", "x_max, a_(n+1), x_i^2"),
        ("<sub>Small print.</sub>", "Small print."),
        ("x<span style='vertical-align:sub'>i</span>", "x_i"),
    ],
)
def test_a_lowered_number_is_not_glued_to_another_number(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("It was disproved.<sup>12</sup> Then", "It was disproved.[12] Then"),
        ("It was disproved<sup>12</sup> then", "It was disproved [12] then"),
        ("in 1990<sup><a href='#fn2'>2</a></sup>.", "in 1990 [2]."),
        ("a word<a href='#fn1'><sup>1</sup></a>", "a word [1]"),
        ("5<sup class='reference'><a href='#cite_note-1'>[1]</a></sup>", "5 [1]"),
        ("in 1990<a class='footnote-reference brackets' href='#id1'>2</a> then", "in 1990 [2] then"),
        ("5<sup>†</sup> and 7<sup>*</sup>", "5 [†] and 7 [*]"),
        ("said.<sup>1</sup><sup>2</sup> word<sup>1,2</sup>", "said.[1][2] word [1,2]"),
        ("said.<sup>a</sup> 12<sup>a</sup>", "said.[a] 12ª"),
        ("said 5 years ago<sup>[citation needed]</sup>", "said 5 years ago [citation needed]"),
        ("<p><sup>1</sup>The note itself", "1 The note itself"),
        ("<a href='#s'>E = mc<sup>2</sup></a> <a href='/k'>km<sup>2</sup></a> m<sup><a href='/k'>2</a></sup>",
         "E = mc^2 km^2 m^2"),
    ],
)  # fmt: skip
def test_the_mark_of_a_note_is_not_glued_to_a_number_or_word(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("1<sup>st</sup> 2<sup>nd</sup> 11<sup>TH</sup>", "1st 2nd 11TH"),
        ("M<sup>me</sup> Curie, D<sup>r</sup> Roux, XX<sup>e</sup> siècle", "Mme Curie, D^r Roux, XXe siècle"),
        ("n<sup>o</sup> 5, 20<sup>o</sup>C, 5<sup>′</sup>", "nº 5, 20ºC, 5′"),
        ("Name<sup>TM</sup> and Name<sup>®</sup>", "Name™ and Name®"),
    ],
)
def test_endings_and_signs_that_are_raised_by_custom_stay_in_their_word(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<msup><mn>2</mn><mn>64</mn></msup>", "2^64"),
        ("<msup><mrow><mo>(</mo><mi>a</mi><mo>+</mo><mi>b</mi><mo>)</mo></mrow><mn>2</mn></msup>", "(a+b)^2"),
        ("<msup><mi>e</mi><mrow><mo>−</mo><mi>x</mi></mrow></msup>", "e^−x"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a+b)/2"),
        ("<mn>1</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>", "1 1/2"),
        ("<msqrt><mn>2</mn></msqrt><mroot><mi>x</mi><mn>3</mn></mroot>", "√2 root(3)(x)"),
        ("<msup><msqrt><mn>2</mn></msqrt><mn>3</mn></msup><mo>+</mo><msup><mn>4</mn><mrow></mrow></msup>", "(√2)^3+4"),
        ("<mo>(</mo><mfrac linethickness='0.0pt'><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>", "(n; k)"),
        ("<mfrac linethickness='0.5pt'><mi>n</mi><mi>k</mi></mfrac>", "n/k"),
        ("<msub><mi>x</mi><mi>i</mi></msub><mo>,</mo><msubsup><mi>y</mi><mn>1</mn><mn>2</mn></msubsup>", "x_i,y_1^2"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>", "∑_(i=1)^n"),
        ("<mover><mi>x</mi><mo>→</mo></mover>", "x^→"),
        ("<mn>2</mn><mo>&InvisibleTimes;</mo><mn>3</mn><mi>x</mi>", "2 3x"),
        ("<mi>sin</mi><mo>&ApplyFunction;</mo><mi>x</mi>", "sin x"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd>"
         "</mtr></mtable>", "[1, 2; 3, 4]"),
        ("<mmultiscripts><mi>C</mi><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>", "_6^14 C"),
        ("<semantics><msup><mi>x</mi><mn>2</mn></msup><annotation>x^{2}</annotation></semantics>", "x^2"),
        ("<mtext>area in m<sup>2</sup></mtext>", "area in m^2"),
    ],
)  # fmt: skip
def test_a_formula_becomes_a_line_in_which_no_number_is_another_one(markup: str, expected: str) -> None:
    assert text_of(f"<p>a <math>{markup}</math> b") == f"a {expected} b"


def test_a_formula_is_kept_apart_from_the_numbers_beside_it() -> None:
    assert text_of("2<math><mn>3</mn></math>4") == "2 3 4"
    drawn = "<span class='katex-html' aria-hidden='true'>2<span>64</span></span>"
    assert text_of(f"<math><msup><mn>2</mn><mn>64</mn></msup></math>{drawn}") == "2^64"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("at most <del>5</del><ins>7</ins> MB", "at most 7 MB"),
        ("<s>old</s> new", "new"),
        ("<strike>old</strike> new", "new"),
        ("<span style='text-decoration: line-through'>$50</span> $30", "$30"),
        ("<p><s>old<p>old</s> new", "new"),
        ("<b><s>old</b> old</s> new", "new"),
        ("<b><del>old</b> new", "new"),
    ],
)
def test_what_a_page_takes_back_is_not_its_text(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<q>Say <q>it</q> now</q>", "“Say ‘it’ now”"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp>字<rt>ji</rt></ruby>", "漢(kan)字(ji)"),
        ("<bdo dir=rtl>123</bdo> <bdo dir=ltr>456</bdo>", "321 456"),
        ("inter<wbr>na&shy;tio&#8203;nal", "international"),
        ("10&nbsp;000", "10 000"),
        ("<abbr title='no'>WHO</abbr> <data value=1>one</data> <time datetime=x>noon</time>", "WHO one noon"),
        ("<meter value=.6>60 %</meter> <progress>half</progress> <u>u</u><var>x</var>", "60 % half ux"),
        ("<kbd>Ctrl</kbd>+<samp>C</samp> <code>a</code> <mark>b</mark> <small>c</small>", "Ctrl+C a b c"),
        ("<button>Go</button> <label>Name <input value=x></label> <input type=hidden value=no>", "Go Name x"),
        ("<input type=password value=no><input type=submit value=Send>", "Send"),
        ("<picture><source srcset=no><img alt='A map'></picture> <map><area alt=no></map>", "A map"),
        ("<details><summary>More</summary>Hidden until it is opened</details>", "More\n\nHidden until it is opened"),
        ("<fieldset><legend>Size</legend>big</fieldset>", "Size\n\nbig"),
        ("<figure><img alt=Chart><figcaption>Sales</figcaption></figure>", "Chart\n\nSales"),
        ("<hgroup><h1>A</h1><p>b</p></hgroup><address>c</address>", "A\n\nb\n\nc"),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\nb\n\nc\nd"),
        ("<dl><dt>a</dt>\n<dt>b</dt>\n<dd>\n<p>c</p><p>d</p></dd></dl>e", "a\nb\nc\n\nd\n\ne"),
        ("<dl><div><dt>a</dt><dd>b<p>c</p></dd></div><dt>d</dt></dl>e", "a\nb\n\nc\n\nd\n\ne"),
        ("<dl><dt>a</dt><dd><ul><li>b<li>c</ul><dt></dt><dd>d</dl>", "a\n\n- b\n- c\n\nd"),
        ("<dl><dt>a</dt><dd><pre>b</pre>c</dd></dl>", "a\n\nb\n\nc"),
        ("<dialog open>asked</dialog><div hidden=until-found>found</div>", "asked\n\nfound"),
        ("<span aria-hidden=true>seen</span> <span class=visually-hidden>heard</span>", "seen heard"),
        ("<xmp><b>x</b></xmp>a<listing>y</listing><plaintext>z</p>", "<b>x</b>\n\na\n\ny\n\nz</p>"),
        ("<pre>a<br>b<div>c</div><div>d\n</div>e</pre>", "a\nb\nc\nd\ne"),
        ("&copy 2024 &notit; &#13;x", "© 2024 ¬it; x"),
        ("<body hidden><p>A script will show it.", "A script will show it."),
        ("<h2><p>Inside</p></h2>text", "Inside\n\ntext"),
    ],
)  # fmt: skip
def test_each_element_is_read_as_it_is_shown(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<ol start=9><li>a<li value=20>b<li>c</ol>", "9. a\n20. b\n21. c"),
        ("<ol reversed><li>a<li>b<ul><li>x</ul></ol>", "2. a\n1. b\n  - x"),
        ("<ol reversed start=5><li>a<li>b</ol>", "5. a\n4. b"),
        ("<ol type=a start=26><li>x<li>y</ol><ol type=I><li>x<li style='list-style-type:decimal'>y</ol>",
         "z. x\naa. y\nI. x\n2. y"),
        ("<ol style='list-style: none'><li>a</ol>", "- a"),
    ],
)  # fmt: skip
def test_list_items_have_the_numbers_that_are_shown(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("<tr><th>Kind<th colspan=2>Size<th>n<tr><td>a<td>1<td>2<td>3", "Kind | Size | | n\na | 1 | 2 | 3"),
        ("<tr><td rowspan=2>Apple<td>red<tr><td>green<tr><td>Pear<td>-", "Apple | red\nApple | green\nPear | -"),
        ("<tr><td>1<td rowspan=2>x<tr><td>2<tr><td>3<td>y", "1 | x\n2 | x\n3 | y"),
        ("<tr><td colspan=3>All of it<tr><td>a<td>b<td>c", "All of it\na | b | c"),
        ("<thead><tr><td rowspan=0>h<tbody><tr><td>a", "h\na"),
        ("<caption>Sizes<tr><td>a<td>b", "Sizes\n\na | b"),
        ("<tfoot><tr><td>sum</tfoot><tbody><tr><td>a", "sum\na"),
        ("<tr><td>a</td>stray<td>b", "a\n\nstray\n\nb"),
    ],
)  # fmt: skip
def test_the_cells_of_a_table_stand_in_their_columns(rows: str, expected: str) -> None:
    assert text_of(f"<table>{rows}</table>") == expected


def test_a_table_that_is_made_to_grow_repeats_no_more_than_its_own_size() -> None:
    markup = "<table><tr>" + f"<td rowspan=1000>{'x' * 90}" * 20 + "<tr><td>y" * 900
    assert len(text_of(markup)) < 4 * len(markup)


def test_a_heading_is_its_text_without_the_sign_that_links_to_it() -> None:
    page = extract_html(
        "<h1>The <code>&lt;sub&gt;</code> element and *args<a class='headerlink' href='#sub' title='Permalink'>¶</a></h1>"
    )
    assert page.text == page.title == page.blocks[0].heading == "The <sub> element and *args"


# Which elements are open: the rules of HTML's parser


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<ul><li hidden>no<li>yes</ul>", "- yes"),
        ("<p hidden>no<div>yes</div>", "yes"),
        ("<p hidden>no<h2>yes</h2>", "yes"),
        ("<dl><dt hidden>no<dd>yes</dl>", "yes"),
        ("<table><tr><td hidden>no<td>yes<tr hidden><td>no<tr><td>yes</table>", "yes\nyes"),
        ("<table><tbody hidden><tr><td>no<tbody><tr><td>yes</table>yes", "yes\n\nyes"),
        ("<div><p hidden>no</div>yes", "yes"),
        ("<div hidden><p>no<p>no<div>no</div>no</div>yes", "yes"),
        ("<div hidden><p>no</p></span>no</div>yes", "yes"),
        ("<div hidden></p>no</div>yes", "yes"),
        ("<div hidden><p>no</p><ul><li hidden>no<li>no</ul>no</div>yes", "yes"),
        ("<p><b hidden>no<p>no</b>yes", "yes"),
        ("<a hidden href=x>no<a href=y>yes</a>", "yes"),
        ("<svg><path/><style/></svg>yes", "yes"),
        ("<svg><g>no<p>yes", "yes"),
        ("<math><mi>x</mi><![CDATA[y<z]]></math>", "x y<z"),
        ("<script><!-- <script> </script> no --></script>yes", "yes"),
        ("<!-->yes<!---> yes<!-- no --!> yes", "yes yes yes"),
        ("<select><option>no<p>no</select>yes", "yes"),
        ("<p popover>no<p style='visibility: collapse'>no<p>yes", "yes"),
        ("<?xml version='1.0'?><html xmlns='x'><p hidden='hidden'/>yes<s/> yes", "yes yes"),
    ],
)  # fmt: skip
def test_a_hidden_element_ends_where_a_browser_ends_it(markup: str, expected: str) -> None:
    assert text_of(markup) == expected


def soup(tags: str) -> st.SearchStrategy[str]:
    """Markup of some tags in any order, and words that differ."""
    names = tags.split()
    pieces = st.one_of(
        st.sampled_from([f"<{name}>" for name in names]), st.sampled_from([f"</{name}>" for name in names]), st.none()
    )
    doctypes = st.sampled_from(["", "<!doctype html>"])
    return st.builds(
        lambda doctype, parts: doctype + "".join(part or f"w{number} " for number, part in enumerate(parts)),
        doctypes,
        st.lists(pieces, max_size=16),
    )


def open_around_words(markup: str) -> dict[str, list[str]]:
    """The names of the elements that are open around each word."""
    open_elements: list[Element] = []
    around: dict[str, list[str]] = {}
    for event in read_markup(markup):
        if event.kind is Kind.START:
            open_elements.append(event.element)
        elif event.kind is Kind.END:
            open_elements.remove(event.element)
        else:
            path = [element.name for element in open_elements]
            if event.in_table:  # the standard puts such a text before the table
                table = len(path) - 1 - path[::-1].index("table")
                path = path[:table] + [name for name in path[table:] if name not in TABLE_PARTS]
            around.update(dict.fromkeys(event.text.split(), sorted(path)))
    return around


def parents_of_words(markup: str) -> dict[str, list[str]]:
    """The same as a parser that builds the whole tree has it."""
    around: dict[str, list[str]] = {}
    pending: list[tuple[turbohtml.Node, list[str]]] = [(turbohtml.parse(markup, scripting=True), [])]
    while pending:
        node, path = pending.pop()
        if isinstance(node, turbohtml.Text):
            around.update(dict.fromkeys(node.data.split(), sorted(path)))
        elif isinstance(node, turbohtml.Element) and node.tag not in ("html", "head", "body"):
            path = [*path, node.tag.lower()]
        pending += [(child, path) for child in node.children]
    return around


@example("<select><option><hr>w3 ")
@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        soup("p div ul li ol dl dt dd h1 h2 pre form button section span sup del blockquote ruby rt rp hr br"),
        soup("p div table tr td th tbody thead caption colgroup col span"),
        soup("p div b i a s nobr font h1 li ul"),
        soup("svg math mi g foreignObject p div b desc mtext td br font object"),
        soup("p div select option optgroup hr input button b span"),
    )
)
def test_the_same_elements_are_open_around_each_word_as_in_the_tree_of_a_browser(markup: str) -> None:
    assert open_around_words(markup) == parents_of_words(markup)


LINES_AND_TAGS = [
    "<p>", "<p\n>", "</p>", "<b>", "</b\n>", "<ul>", "<li>", "</ul>", "<table>", "<tr>", "<td>", "</table>", "<pre>",
    "</pre>", "<h1>", "</h1>", "<br>", "<sup>2</sup>", "<sub>1\n2</sub>", "<!--\n-->", "<q>", "</q>", "<ruby>", "<rt>",
    "&#10;", "\n", "\r\n", "\r", "word", "word", "word", "word",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LINES_AND_TAGS), max_size=30))
def test_every_word_has_the_line_where_it_stands_in_the_file(parts: list[str]) -> None:
    markup = "".join(f" w{index} " if part == "word" else part for index, part in enumerate(parts))
    page = extract_html(markup)
    document = Document("a", "html", "a", page.text, page.blocks, "utf-8", "", 0, True, page.line_marks)
    lines = {
        word: number for number, line in enumerate(LINE_END.split(markup), 1) for word in re.findall(r"w\d+", line)
    }
    found = {match[0]: document.line_at(match.start()) for match in re.finditer(r"w\d+", page.text)}
    assert found == lines


def calls_to_read(markup: str) -> int:
    """How many calls it takes to read a page: a measure of the work that no other process changes."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        extract_html(markup)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "unit",
    [
        "<", "<!", "</", "<a ", "<a/", "<a b=\"", "<a a='b'c='", "<a =", "=\"", "&", "&#", "&amp;", "<!--", "<![CDATA[",
        "<?", "<div>", "<p hidden>", "<div hidden>", "<title>", "<textarea>", "<script>", "<script></scrip", "<ul><li>",
        "<tr><td>", "<h1>a", "<pre>", "<br>", "<svg>", "<b>", "<a>x", "<b><p>", "<p></b>", "<table>a", "<i><table>",
        "<table><tr><td>", "<select><option>", "<math><msup>", "<sup>a", "<q>", "<button>", "<span></b>", "<rt>",
        "<td rowspan=9>", "<form><div></form>", "<object><b>", "</p>", "<s><div>x</s>", "<b id={}><p>", "<i a={}>",
        "<p><button><div>", "<li><div>", "<object></b>", "<b><span><div></b>",
    ],
)  # fmt: skip
def test_hostile_markup_takes_linear_work(unit: str) -> None:
    def markup(size: int) -> str:
        return "".join(unit.replace("{}", str(number)) for number in range(size // len(unit)))

    assert calls_to_read(markup(6_000)) < 2.6 * calls_to_read(markup(3_000)) + 200
    extract_html(markup(50_000))  # what scans to the end again and again, within one call, would not come back


def test_unclosed_formatting_is_opened_again_a_bounded_number_of_times() -> None:
    markup = "".join(f"<p><b id={number}>w" for number in range(2000))
    assert sum(1 for _ in read_markup(markup)) < 50 * 2000


def test_deep_nesting_huge_attributes_and_many_references_are_read() -> None:
    assert text_of("<div>" * 50_000 + "deep") == "deep"
    assert text_of(f"<p data-x='{'y' * 10_000_000}'>text") == "text"
    assert text_of("&eacute;" * 100_000) == "é" * 100_000
    assert text_of("<p>open<b>" * 3_000).count("open") == 3_000
