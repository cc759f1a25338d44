"""Books: chapters in the order of the spine, by the reader of web pages, and none that is encrypted."""
# ruff: noqa: E501 - the markup of a case is easier to compare in one line

from __future__ import annotations

import pytest
from office_files import check_blocks, read_bytes, zipped

from ingest.readers.epub import _CLOSED
from sql.base.errors import UnreadableDocument

CONTAINER = "<container><rootfiles><rootfile full-path='{}' media-type='application/oebps-package+xml'/></rootfiles></container>"
ENCRYPTED = (
    "<encryption xmlns:e='http://www.w3.org/2001/04/xmlenc#'><e:EncryptedData><e:EncryptionMethod Algorithm='{}'/><e:CipherData>"
    "<e:CipherReference URI='{}'/></e:CipherData></e:EncryptedData></encryption>"
)


def book(
    chapters: dict[str, str], order: str, more: dict[str, str] | None = None, items: str = "", metadata: str = ""
) -> bytes:
    """A book with its package in the folder `O`; `order` lists the names of the chapters without their suffix."""
    manifest = "".join(
        f"<item id='{name}' href='{name}.xhtml' media-type='application/xhtml+xml'/>" for name in chapters
    )
    spine = "".join(f"<itemref idref='{name}'/>" for name in order.split())
    package = f"<package><metadata>{metadata}</metadata><manifest>{manifest}{items}</manifest><spine>{spine}</spine></package>"
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER.format("O/book.opf"),
            "O/book.opf": package,
            **{f"O/{name}.xhtml": f"<html><body>{text}</body></html>" for name, text in chapters.items()},
            **(more or {}),
        }
    )


def test_chapters_come_in_the_order_of_the_spine_and_once() -> None:
    document = read_bytes(book({"a": "<h1>A</h1><p>one", "b": "<h1>B</h1><ul><li>two</ul>"}, "b a b"), "x.epub")
    check_blocks(document)
    assert document.text == "B\n\n- two\n\nA\n\none"
    assert [(block.kind, block.heading) for block in document.blocks] == [
        ("heading", "B"),
        ("list", "B"),
        ("heading", "A"),
        ("paragraph", "A"),
    ]


def test_what_a_book_says_of_itself_is_title_and_metadata() -> None:
    metadata = (
        "<t xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>A Book</dc:title><dc:title>Sub</dc:title><dc:creator>Ann"
        "</dc:creator><dc:creator>Bob</dc:creator><dc:language>de</dc:language><dc:date>1999</dc:date></t>"
        "<meta property='dcterms:modified'>2020-01-02T00:00:00Z</meta>"
    )
    document = read_bytes(book({"a": "<p>x"}, "a", metadata=metadata), "x.epub")
    assert (document.title, dict(document.metadata)) == (
        "A Book",
        {"author": "Ann, Bob", "created": "1999", "modified": "2020-01-02T00:00:00Z", "language": "de"},
    )


def test_a_chapter_without_a_heading_is_called_what_the_contents_call_it() -> None:
    nav = "<html xmlns='http://www.w3.org/1999/xhtml'><nav><ol><li><a href='a.xhtml#x'>First &amp; last</a></li></ol></nav></html>"
    items = "<item id='nav' href='nav.xhtml' media-type='application/xhtml+xml' properties='nav'/>"
    made = book({"a": "<p>one", "b": "<h2>B</h2>"}, "nav a b", {"O/nav.xhtml": nav}, items)
    document = read_bytes(made, "x.epub")
    assert (document.text, [block.heading for block in document.blocks]) == ("one\n\nB", ["First & last", "B"])

    ncx = (
        "<!DOCTYPE ncx PUBLIC '-//NISO//DTD ncx 2005-1//EN' 'http://127.0.0.1:9/ncx.dtd'><ncx><navMap><navPoint><navLabel><text>Old"
        "</text></navLabel><content src='../O/a.xhtml'/></navPoint></navMap></ncx>"
    )
    items = "<item id='ncx' href='t/toc.ncx' media-type='application/x-dtbncx+xml'/>"
    document = read_bytes(book({"a": "<p>one"}, "a", {"O/t/toc.ncx": ncx.replace("../O/", "../")}, items), "x.epub")
    assert document.blocks[0].heading == "Old"
    document = read_bytes(book({"a": "<p>one"}, "a", {"O/t/toc.ncx": "<broken"}, items), "x.epub")
    assert (document.text, document.blocks[0].heading) == ("one", "")


def test_an_element_that_closes_itself_does_not_swallow_what_follows() -> None:
    body = "<head><title/></head><script src='x'/><p>one<span class=\"a > b\" hidden='1'/> two<br/>three<a id='n'/></p><style/>"
    assert read_bytes(book({"a": body}, "a"), "x.epub").text == "one two\nthree"
    for unit in ("<a ", "<a b='", "<a/", "<", "/", '<a b="c"'):
        _CLOSED.sub("", unit * 100_000)


def test_names_are_found_behind_percent_signs_and_missing_chapters_are_named() -> None:
    items = "<item id='c' href='my%20file.xhtml' media-type='application/xhtml+xml'/><item id='d' href='d.xhtml' media-type='text/html'/>"
    document = read_bytes(book({}, "c d e", {"O/my file.xhtml": "<p>found"}, items), "x.epub")
    assert (document.text, document.remark) == ("found", "chapters that the book names and does not hold: O/d.xhtml")


def test_an_encrypted_book_is_refused_and_one_with_scrambled_fonts_is_not() -> None:
    aes = ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "O/a.xhtml")
    with pytest.raises(UnreadableDocument, match=r"^x.epub is encrypted, as shops do"):
        read_bytes(book({"a": "<p>x"}, "a", {"META-INF/encryption.xml": aes}), "x.epub")
    font = ENCRYPTED.format("http://www.idpf.org/2008/embedding", "O/font.otf")
    assert read_bytes(book({"a": "<p>x"}, "a", {"META-INF/encryption.xml": font}), "x.epub").text == "x"


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"a": ""}, "a zip archive without the META-INF/container.xml of an EPUB"),
        ({"META-INF/container.xml": CONTAINER.format("no.opf")}, "names no package that is in it"),
        ({"META-INF/container.xml": CONTAINER.format("a.opf"), "a.opf": "<a"}, "its a.opf is not well-formed XML"),
        ({"META-INF/container.xml": CONTAINER.format("../../etc/a.opf")}, "names no package that is in it"),
    ],
)
def test_what_is_no_book_is_refused_with_a_sentence(entries: dict[str, str | bytes], reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=rf"^x.epub.*{reason}"):
        read_bytes(zipped(entries), "x.epub")
