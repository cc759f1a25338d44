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
        ("<r><a>one</a><p>two</p></r>", "one\n\ntwo"),
        ("<r>one <b>two</b> three</r>", "one two three"),
        ("<r>one<p>two</p>three</r>", "one\n\ntwo\n\nthree"),
        ("<r><i><b>deep</b></i> tail</r>", "deep tail"),
        ("<r a='no'><!-- no --><?no?><p><![CDATA[x < y]]></p></r>", "x < y"),
        ("<r><list><item>a</item><item><p>b</p><p>c</p></item></list></r>", "- a\n- b\n\nc"),
        ("<r><p><b>One</b> <i>two</i></p></r>", "One two"),
        ("<r><ul><li><a>x</a><ul><li><p>y</p></li></ul></li></ul></r>", "- x\n  - y"),
        ("<r><orderedlist><listitem><para>a</para></listitem><listitem><para>b</para></listitem></orderedlist></r>", "1. a\n2. b"),
        ("<r><list list-type='order'><list-item><p>a</p></list-item></list><list><list-item><p>b</p></list-item></list></r>", "1. a\n- b"),
        ("<r><list><item><programlisting>a = 1</programlisting></item></list><p>b</p></r>", "a = 1\n\nb"),
        ("<r><variablelist><varlistentry><term><option>-a</option></term><term>-b</term><listitem><para>Use.</para><para>x</para></listitem></varlistentry></variablelist></r>",
         "-a, -b\nUse.\n\nx"),
        ("<r><dl><dt>a</dt><dd>one</dd><dt>b</dt></dl><p>x</p></r>", "a\none\n\nb\n\nx"),
        ("<r><p>See<footnote><para>A note,</para><para>long.</para></footnote> here.</p><p>Next<fn>b</fn>.</p></r>",
         "See [1] here.\n\n[1] A note, long.\n\nNext [2].\n\n[2] b"),
        ("<r><p>The<indexterm><primary>heat</primary></indexterm> heat.</p></r>", "The heat."),
        ("<r><p>10<sup>6</sup> of H<sub>2</sub>O, known<xref ref-type='bibr'><sup>3</sup></xref>.</p></r>", "10^6 of H2O, known [3]."),
        ("<r><methodsynopsis><type>bool</type><methodname>flush</methodname></methodsynopsis><p>x</p></r>", "bool flush\n\nx"),
        ("<r><table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table></r>", "a b | c"),
        ("<r><table><row><entry namest='c1' nameend='c2'>a</entry><entry morerows='1'>b</entry></row><row><entry>c</entry><entry>d</entry></row></table></r>",
         "a | | b\nc | d | b"),
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
    assert shown(read(f"<r><title>{'word ' * 100}</title><p>x</p></r>"))[0][0] == "paragraph"


@pytest.mark.parametrize(
    ("markup", "title", "path"),
    [
        ("<reference><title><xmlelement>keywords</xmlelement></title><section><title>Use</title><p>x</p></section></reference>",
         "keywords", "keywords > Use"),
        ("<article><front><article-meta><title-group><article-title>Kilns</article-title></title-group></article-meta></front>"
         "<body><sec><title>Methods</title><p>x</p></sec></body></article>", "Kilns", "Kilns > Methods"),
        ("<article><info><title>Kilns</title></info><section><info><title>Use</title></info><para>x</para></section></article>",
         "Kilns", "Kilns > Use"),
        ("<refentry><refnamediv><refname>fire</refname><refpurpose>Burns</refpurpose></refnamediv>"
         "<refsect1><title>Use</title><para>x</para></refsect1></refentry>", "fire", "fire > Use"),
        ("<r><section><title>Use</title><ref><article-title>Other</article-title></ref><p>x</p></section></r>", "Use", "Use"),
    ],
)  # fmt: skip
def test_a_title_is_that_of_what_it_stands_in_however_it_is_wrapped(markup: str, title: str, path: str) -> None:
    document = read(markup)
    assert (document.title, document.blocks[-1].heading) == (title, path)
    assert document.text.endswith("\n\nx")


def test_of_data_each_value_is_a_line_with_its_name_below_the_names_around_it() -> None:
    document = read(
        "<project>\n<version>1.2</version>\n<build/>\n<dependencies>\n<dependency>\n<id>kiln</id>\n<version>5.10</version>"
        "\n</dependency>\n<dependency>\n<id>pot</id></dependency>\n</dependencies>\n</project>"
    )
    assert [(block.heading, text) for block, (_, text) in zip(document.blocks, shown(document), strict=True)] == [
        ("", "version: 1.2"),
        ("dependencies > dependency", "id: kiln\nversion: 5.10"),
        ("dependencies > dependency", "id: pot"),
    ]
    assert {block.kind for block in document.blocks} == {"rows"}
    assert [document.line_at(document.text.index(word)) for word in ("1.2", "kiln", "5.10", "pot")] == [2, 6, 7, 10]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<r><string name='app'>Kiln</string><string name='off'>Is <b>off</b></string><string name='on'>On</string><a/></r>",
         "app: Kiln\noff: Is off\non: On"),
        ("<r><add key='Port'>80</add></r>", "Port: 80"),
        ("<r><x:a xmlns:x='u:x'>b\n c</x:a></r>", "a: b c"),
        (f"<r><a>b</a><c>{'Word. ' * 60}</c><d>e</d></r>", f"a: b\n\n{('Word. ' * 60).strip()}\n\nd: e"),
        ("<r><cd><artist>A</artist><title>T</title></cd></r>", "artist: A\ntitle: T"),
    ],
)  # fmt: skip
def test_data_is_read_by_values(markup: str, expected: str) -> None:
    assert read(markup).text == expected


FEED = """<rss><channel><title>News</title>
<item><title>Kilns &amp;amp; pots</title><link>http://a.example/1</link>
<description>&lt;p&gt;The &lt;b&gt;new&lt;/b&gt; kiln&amp;#8217;s hot.&lt;/p&gt;&lt;ul&gt;&lt;li&gt;Red&lt;/li&gt;&lt;/ul&gt;</description></item>
<item><title>Sale</title><description><![CDATA[Half<br>price]]></description></item>
</channel></rss>"""


def test_markup_in_the_text_of_a_feed_is_read_as_a_page_below_the_title_of_its_item() -> None:
    document = read(FEED)
    assert [(block.heading, text) for block, (_, text) in zip(document.blocks, shown(document), strict=True)] == [
        ("News", "News"),
        ("News > Kilns & pots", "Kilns & pots"),
        ("News > Kilns & pots", "link: http://a.example/1"),
        ("News > Kilns & pots", "The new kiln’s hot."),
        ("News > Kilns & pots", "- Red"),
        ("News > Sale", "Sale"),
        ("News > Sale", "Half\nprice"),
    ]
    assert (document.title, document.line_at(document.text.index("hot"))) == ("News", 3)


def test_code_that_shows_markup_stays_as_it_is() -> None:
    assert read("<r><p>a</p><codeblock>&lt;p&gt;x&lt;/p&gt;</codeblock></r>").text == "a\n\n<p>x</p>"


def test_a_reference_to_what_stands_in_another_file_is_left_out_alone_and_kept_in_a_sentence() -> None:
    document = read("<refsect1>&reftitle.note;<para>Set it in &php.ini;,&nbsp;caf&eacute;.</para></refsect1>")
    assert document.text == "Set it in &php.ini;, café."
    for markup in ("<r>&a;<b></r>", "<!DOCTYPE r []><r>&a;</r>"):
        with pytest.raises(UnreadableDocument, match="not well-formed XML"):
            read(markup)


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
    markup = f"<r><p/>{inner}</r>"
    document = read(markup)
    wanted = "".join("".join(etree.fromstring(markup).itertext()).split())
    assert "".join(document.text.split()).replace("-", "").replace("|", "") == wanted
    lines = [document.line_at(block.start) for block in document.blocks]
    assert lines == sorted(lines)
    read(SVG.format(inner.replace("<p>", "<text>").replace("</p>", "</text>")), "a.svg")


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_data_gives_lines_that_hold_all_its_text(inner: str) -> None:
    names = {"p": "y", "row": "z", "entry": "v", "section": "w", "pre": "u"}
    for name, other in names.items():
        inner = inner.replace(f"<{name}>", f"<{other}>").replace(f"</{name}>", f"</{other}>")
    markup = f"<r>{inner}</r>"
    lines = [line.partition(": ")[2] or line for line in read(markup).text.split("\n")]
    wanted = "".join("".join(etree.fromstring(markup).itertext()).split())
    assert "".join("".join(lines).split()).replace("-", "") == wanted
