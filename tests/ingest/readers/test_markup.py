"""XML of any kind and SVG: text by elements, headings by their names, and the lines of the file."""
# ruff: noqa: E501 - the markup of a case is easier to compare in one line

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from office_files import check_blocks, read_bytes, shown

from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from ingest.document import Document


def read(markup: str, name: str = "a.xml") -> Document:
    document = read_bytes(markup.encode(), name)
    check_blocks(document)
    return document


def test_elements_are_blocks_and_titles_are_headings_of_what_is_around_them() -> None:
    document = read(
        "<book>\n<title>Kilns</title>\n<chapter>\n<title>Use</title>\n<para>Heat <emphasis>slowly</emphasis>, see\n<xref/>above.</para>\n"
        "<figure><title>A kiln</title><caption>Side</caption></figure>\n<para>More.</para></chapter><chapter><para>No title.</para></chapter></book>"
    )
    assert document.text == "Kilns\n\nUse\n\nHeat slowly, see above.\n\nA kiln\n\nSide\n\nMore.\n\nNo title."
    assert [(block.kind, block.heading, document.line_at(block.start)) for block in document.blocks] == [
        ("heading", "Kilns", 2),
        ("heading", "Kilns > Use", 4),
        ("paragraph", "Kilns > Use", 5),
        ("heading", "Kilns > Use > A kiln", 7),
        ("paragraph", "Kilns > Use > A kiln", 7),
        ("paragraph", "Kilns > Use", 8),
        ("paragraph", "Kilns", 8),
    ]
    assert (document.title, document.converted, document.format) == ("Kilns", True, "xml")


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<r><a>one</a><b>two</b></r>", "one\n\ntwo"),
        ("<r>one <b>two</b> three</r>", "one two three"),
        ("<r>one<p>two</p>three</r>", "one\n\ntwo\n\nthree"),
        ("<r><i><b>deep</b></i> tail</r>", "deep tail"),
        ("<r a='no'><!-- no --><?no?><a><![CDATA[x < y]]></a></r>", "x < y"),
        ("<r><list><item>a</item><item><p>b</p><p>c</p></item></list></r>", "- a\n\nb\n\nc"),
        ("<r><programlisting>\n  if a:\n    b\n</programlisting></r>", "if a:\n    b"),
        ("<r><table><title>T</title><tgroup><thead><row><entry>A</entry><entry>B</entry></row></thead><tbody><row><entry>1</entry><entry/></row></tbody></tgroup></table><p>x</p></r>",
         "T\n\nA | B\n1 |\n\nx"),
        ("<r><tr><td>a</td></tr></r>", "a"),
        ("<FictionBook><p>text</p><binary>AAAA</binary></FictionBook>", "text"),
        ("<r/>", ""),
        ("<x:r xmlns:x='u:x'><x:title>t</x:title><x:p>p\u00adq</x:p></x:r>", "t\n\npq"),
    ],
)  # fmt: skip
def test_the_text_is_read_by_elements(markup: str, expected: str) -> None:
    assert read(markup).text == expected


def test_a_long_title_is_text() -> None:
    assert shown(read(f"<r><title>{'word ' * 100}</title></r>"))[0][0] == "paragraph"


def test_a_declared_encoding_that_only_some_parsers_know_is_read() -> None:
    data = "<?xml version='1.0' encoding='Shift_JIS'?>\n<!DOCTYPE r SYSTEM 'r.dtd'>\n<r>日本語の文書です。</r>".encode(
        "cp932"
    )
    document = read_bytes(data, "a.xml")
    assert (document.text, document.line_at(0)) == ("日本語の文書です。", 3)


SVG = "<svg xmlns='http://www.w3.org/2000/svg'>{}</svg>"


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (
            "<title>Plan</title><desc>Of a kiln</desc><g><title>part</title><text>door</text></g>",
            "Plan\n\nOf a kiln\n\npart\n\ndoor",
        ),
        ("<text>two <tspan>words</tspan><tspan x='0' dy='1em'>below</tspan></text>", "two words below"),
        (
            "<style>no</style><script>no</script><metadata>no</metadata><defs><text>no</text></defs><text>yes</text>",
            "yes",
        ),
        (
            "<g display='none'><text>no</text></g><text visibility='hidden'>no</text><path d='M0 0'/><text>yes</text>",
            "yes",
        ),
        (
            "<switch><foreignObject><div><p>one</p><p>two</p></div></foreignObject><text>one t...</text></switch><text>x</text>",
            "one two\n\nx",
        ),
        ("<switch><g><text>a</text></g><text>a</text></switch>", "a"),
        ("<a><text>linked</text></a>", "linked"),
    ],
)
def test_of_a_drawing_the_texts_are_read(inner: str, expected: str) -> None:
    document = read(SVG.format(inner), "a.svg")
    assert document.text == expected


def test_a_drawing_is_called_by_its_own_title() -> None:
    assert read(SVG.format("<g><title>part</title></g><title>Plan</title>"), "a.svg").title == "Plan"
    assert read(SVG.format("<text>x</text>"), "plan.svg").title == "plan"


def test_what_is_not_well_formed_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnreadableDocument, match=r"^a.xml: it is not well-formed XML: "):
        read("<r><a></r>")


def test_elements_too_deep_for_the_parser_are_called_so_and_no_option_of_its_library_is_recommended() -> None:
    with pytest.raises(
        UnreadableDocument, match=r"^a.xml: it is too large or deep for the parser: .*depth.*"
    ) as caught:
        read("<a>" * 5000 + "x" + "</a>" * 5000)
    assert "XML_PARSE_HUGE" not in str(caught.value)
    assert "well-formed" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("<row>a<entry>b</entry></row>", "a\n\nb"),
        ("<row><entry>b</entry>a</row>", "b\n\na"),
        ("<row><entry>b</entry><note>a</note></row>", "b\n\na"),
        ("<row>a<entry/></row>", "a"),
        ("<row><entry>b</entry><colspec/><entry>a</entry></row>", "b | a"),
    ],
)
def test_a_row_with_words_outside_its_cells_loses_none_of_them(row: str, expected: str) -> None:
    assert read(f"<r>{row}</r>").text == expected


TREES = st.recursive(
    st.sampled_from(["", "a", " b ", "\n", "é&amp;"]),
    lambda inner: st.tuples(
        st.sampled_from(["p", "title", "row", "entry", "item", "pre", "x", "section", "text", "switch", "g"]),
        st.lists(inner, max_size=4),
    ).map(lambda pair: f"<{pair[0]}>{''.join(pair[1])}</{pair[0]}>"),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_tree_gives_blocks_that_hold_all_its_text(inner: str) -> None:
    document = read(f"<r>{inner}</r>")
    wanted = "".join("".join(etree.fromstring(f"<r>{inner}</r>").itertext()).split())
    assert "".join(document.text.split()).replace("-", "").replace("|", "") == wanted
    lines = [document.line_at(block.start) for block in document.blocks]
    assert lines == sorted(lines)
    read(SVG.format(inner.replace("<p>", "<text>").replace("</p>", "</text>")), "a.svg")
