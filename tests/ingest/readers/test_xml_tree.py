"""XML: nothing is expanded, nothing outside is read, and what is too large or too deep is refused with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest.readers import xml_tree
from ingest.readers.xml_tree import first_named, local_name, named, namespace, parse_xml, text_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from pathlib import Path


def test_text_is_read_in_the_order_of_the_document_without_comments_and_instructions() -> None:
    root = parse_xml(b"<a>one<!-- no --><b> two</b><?no no?>\n<c>three<![CDATA[ & four]]></c></a>", "a.xml")
    assert text_of(root) == "one two three & four"
    assert text_of(None) == ""


def test_elements_are_found_in_any_namespace() -> None:
    root = parse_xml(b"<a xmlns:x='u:x'><x:b>1</x:b><c><b>2</b></c></a>", "a.xml")
    assert [element.text for element in named(root, "b")] == ["1", "2"]
    assert first_named(root, "none") is None
    assert (local_name("{u:x}b"), namespace("{u:x}b"), local_name("b"), namespace("b")) == ("b", "u:x", "b", "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_a_declared_encoding_counts(encoding: str) -> None:
    data = f"<?xml version='1.0' encoding='{encoding}'?><a>Größe</a>".encode(encoding)
    assert text_of(parse_xml(data, "a.xml")) == "Größe"


DECLARATIONS = [
    '<!ENTITY a "&#60;b/>">',
    '<!ENTITY a SYSTEM "file:///etc/hostname">',
    '<!ENTITY % a SYSTEM "http://127.0.0.1:9/a.dtd"> %a;',
    '<!ENTITY a "b"><!ENTITY c "&a;&a;">',
]


@pytest.mark.parametrize("declaration", DECLARATIONS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "euc-jp"])
def test_a_document_type_that_declares_more_than_plain_text_is_refused(declaration: str, encoding: str) -> None:
    data = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE r [{declaration}]><r>text</r>".encode(encoding)
    with pytest.raises(UnreadableDocument, match=r"^a.xml: it declares entities in its document type"):
        parse_xml(data, "a.xml")


def test_addresses_of_namespaces_may_be_entities_as_drawing_programs_write_them() -> None:
    declared = (
        '<!ENTITY ns_svg "http://www.w3.org/2000/svg"><!ENTITY ns_ai "http://ns.adobe.com/AdobeIllustrator/10.0/">'
    )
    markup = f'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://127.0.0.1:9/svg.dtd" [{declared}]>'
    root = parse_xml(
        f'{markup}<svg xmlns="&ns_svg;" xmlns:i="&ns_ai;"><text>Door &ns_ai;</text></svg>'.encode(), "a.svg"
    )
    assert (root.tag, text_of(root)) == (
        "{http://www.w3.org/2000/svg}svg",
        "Door http://ns.adobe.com/AdobeIllustrator/10.0/",
    )


def test_an_entity_of_plain_text_is_that_text_as_manuals_write_the_names_of_their_programs() -> None:
    declared = """<!ENTITY kiln "The Kiln &#x2014; 2.4"> <!ENTITY kiln "the second is not meant"> <!ENTITY % English "INCLUDE">
        <!ENTITY empty ""> <!ENTITY eacute "e">"""
    markup = (
        f'<!DOCTYPE book PUBLIC "-//OASIS//DTD DocBook XML V4.5//EN" "http://127.0.0.1:9/docbookx.dtd" [{declared}]>'
    )
    book = parse_xml(
        f"{markup}<book lang='&kiln;'><p>&kiln; fir&empty;es caf&eacute;s&nbsp;&none;.</p></book>".encode(), "a"
    )
    assert text_of(book) == "The Kiln — 2.4 fires cafes &none;."
    assert book.get("lang") == "The Kiln — 2.4"


@pytest.mark.parametrize("value", ["http://a.example/&#38;b;", "b&#60;c/>", "http://a.example/%b;", "a" * 1_001, "&c;"])
def test_an_entity_of_more_than_plain_text_is_refused(value: str) -> None:
    for before in ("", "<!ENTITY c 'c'>"):
        with pytest.raises(UnreadableDocument, match=r"declares entities|not well-formed"):
            parse_xml(f"<!DOCTYPE r [{before}<!ENTITY a '{value}'>]><r>&a;</r>".encode(), "a.xml")


def test_references_to_an_entity_do_not_make_a_document_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_tree, "MAX_EXPANDED_CHARACTERS", 5_000)
    markup = "<!DOCTYPE r [<!ENTITY a '" + "a" * 1_000 + "'>]><r>{}</r>"
    assert len(text_of(parse_xml(markup.format("&a;" * 5).encode(), "a.xml"))) == 5_000
    with pytest.raises(UnreadableDocument, match=r"^a.xml: it has entities that stand for more than 5,000 characters"):
        parse_xml(markup.format("&a;" * 6).encode(), "a.xml")


def test_many_references_to_an_address_do_not_grow_without_bounds() -> None:
    markup = "<!DOCTYPE r [<!ENTITY a 'http://" + "a" * 180 + "'>]><r><b c='" + "&a;" * 300_000 + "'/></r>"
    with pytest.raises(UnreadableDocument, match="amplification"):
        parse_xml(markup.encode(), "a.xml")


def test_entities_behind_a_long_comment_are_found() -> None:
    data = b"<!--" + b" " * 20_000 + b"--><!DOCTYPE r [<!ENTITY a SYSTEM 'b'>]><r>&a;</r>"
    with pytest.raises(UnreadableDocument, match="declares entities"):
        parse_xml(data, "a.xml")


def test_a_document_type_without_entities_is_read_and_nothing_that_it_names(tmp_path: Path) -> None:
    outside = tmp_path / "outside.dtd"
    outside.write_text("<!ENTITY name 'from outside'><!ELEMENT broken")  # would be an error if it were read
    for address in (outside.as_uri(), "http://127.0.0.1:9/outside.dtd", str(outside), ""):
        data = f"<!DOCTYPE r PUBLIC '-//X//Y' '{address}'><r>a&nbsp;b &name; &eacute;</r>".encode()
        assert text_of(parse_xml(data, "a.xml")) == "a b &name; é"


@pytest.mark.parametrize(
    "data", [b"", b"the cat", b"<a>", b"<a></b>", b"<a>&none;</a>", b"<a b='1' b='2'/>", b"<a>\0</a>", b"\xff<a/>"]
)
def test_what_is_not_well_formed_is_refused_with_the_name_of_the_entry(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=r"^a.docx: its word/b.xml is not well-formed XML: .*[^)]$"):
        parse_xml(data, "a.docx", "word/b.xml")


def test_what_nothing_declares_is_a_reference_all_the_same_where_a_document_may_be_a_part() -> None:
    for start in ("", "<?xml version='1.0' encoding='windows-1252'?>", "\ufeff<?xml version='1.0'?>\n"):
        data = f"{start}<a>&none;&nbsp;ü<b c='&x;'/></a>".encode("cp1252" if "1252" in start else "utf-8")
        assert text_of(parse_xml(data, "a.xml", with_undeclared=True)) == "&none; ü"


def test_an_id_that_comes_twice_or_is_no_name_does_not_keep_a_document_from_being_read() -> None:
    root = parse_xml(b"<a><b xml:id='i'>one</b> <b xml:id='i'>two</b> <b xml:id='3'>three</b></a>", "a.xml")
    assert text_of(root) == "one two three"
    with pytest.raises(UnreadableDocument, match=r"^a\.xml: it is not well-formed XML"):
        parse_xml(b"<a>" + b"<b xml:id='i'>one</b>" * 500 + b"<c>lost</a>", "a.xml")


def test_what_is_too_deep_too_long_or_has_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableDocument, match="depth"):
        parse_xml(b"<a>" * 300 + b"</a>" * 300, "a.xml")
    monkeypatch.setattr(xml_tree, "MAX_MARKS", 10)
    with pytest.raises(UnreadableDocument, match="more than 10 tags and attributes"):
        parse_xml(b"<a b='c'>" * 3 + b"</a>" * 3 + b"<a/><a/>", "a.xml")
    monkeypatch.setattr(xml_tree, "MAX_XML_BYTES", 8)
    with pytest.raises(UnreadableDocument, match="holds 9 bytes of XML, the limit is 8"):
        parse_xml(b"<a>bc</a>", "a.xml")


def test_a_reference_to_a_character_by_name_costs_the_same_wherever_it_stands() -> None:
    root = parse_xml(b"<!DOCTYPE r SYSTEM 'x'><r>" + b"&nbsp;" * 50_000 + b"</r>", "a.xml")
    assert "".join(root.itertext()) == "\xa0" * 50_000
