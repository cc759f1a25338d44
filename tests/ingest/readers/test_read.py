"""Reading files: encodings, exact offsets, refusals, and the blocks of each format."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Block, Document
from ingest.readers import OpenFolder, raw_file, read_documents, reader_of
from ingest.readers.code import code_blocks
from ingest.readers.markdown import _simple_markdown, markdown_blocks
from ingest.readers.rst import rst_blocks
from ingest.readers.text import text_blocks
from rag.text.sentences import line_spans
from sql.base.errors import UnreadableDocument

HOSTILE_LINES = st.lists(
    st.sampled_from(
        [
            "# One", "## Two ##", "Title", "=====", "-----", "~~~~", "- item", "  - inner", "1. first", "> quote",
            ">> deep", "```py", "```", "~~~", "    code", "\tcode", "| a | b |", "|---|---|", "a | b", "[ref]: http://x",
            "<div>", "</div>", "<!-- note", "-->", "---", "title: Front", "***", "", "", "  ", "\u2028", "x\u2028# y",
            "\x0b", "\x0c# a", "text::", ".. code::", "def f(a):", "class A:", "    def g(self):", "}", "猫。",
            "e\u0301" * 3, "\u200b", "*" * 5,
        ]
    ),
    max_size=14,
)  # fmt: skip
HOSTILE_TEXT = st.builds(
    lambda lines, ends, mark: mark + "".join(line + ends[number % len(ends)] for number, line in enumerate(lines)),
    HOSTILE_LINES,
    st.lists(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]), min_size=1, max_size=3),
    st.sampled_from(["", "", "\ufeff"]),
)


def written(folder: Path, name: str, content: bytes | str) -> Document:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return only_document(path, name)


def only_document(path: Path, source: str) -> Document:
    (document,) = read_documents(path, source)
    return document


def outline(document: Document) -> list[tuple[str, str, str]]:
    return [(block.kind, block.heading, document.text[block.start : block.end]) for block in document.blocks]


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableDocument) as caught:
        read_documents(path, path.name)
    return str(caught.value)


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.md", "markdown"), ("A.MD", "markdown"), ("a.txt", "text"), ("README", "text"), ("License", "text"),
        ("a.rst", "rst"), ("a.htm", "html"), ("a.py", "code"), ("Makefile", "code"), ("CMakeLists.txt", "code"),
        ("a.exe", None), ("a", None), (".md", None), ("a.md.bak", None),
        ("page.html.md.erb", "markdown"), ("options.rst.inc", "rst"), ("A.ADOC.J2", "asciidoc"), ("view.html.erb", None),
        ("nginx.conf.j2", None), ("view.inc", None), (".md.erb", None),
    ],
)  # fmt: skip
def test_the_format_follows_from_the_name(name: str, expected: str | None) -> None:
    reader = reader_of(Path("folder") / name)
    assert (reader.format if reader else None) == expected


def test_a_page_that_a_program_completes_is_read_as_the_page_that_it_is(tmp_path: Path) -> None:
    text = "---\ntitle: Standards\n---\n# <%= current_page.data.title %>\n\nUse <%= tool %> daily.\n"
    document = written(tmp_path, "standards.html.md.erb", text.encode())
    assert (document.format, document.title, document.text) == ("markdown", "Standards", text)
    assert [text[block.start : block.end] for block in document.blocks if block.heading == "Standards"] == [
        "# <%= current_page.data.title %>",
        "Use <%= tool %> daily.",
    ]
    large = written(
        tmp_path, "b.md.j2", f"---\ntitle: Kilns\n---\n# {{{{ page.title }}}}\n\n{'word ' * 300_000}".encode()
    )
    assert {block.heading for block in large.blocks} == {"", "Kilns"}  # what is too large for the parser
    assert (
        written(tmp_path, "limits.mdx.j2", b"    indented").blocks == written(tmp_path, "l.mdx", b"    indented").blocks
    )
    assert written(tmp_path, "limits.md.j2", b"Ten.").title == "limits"


def test_a_suffix_that_is_not_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"x")
    assert refusal(tmp_path / "a.exe") == "a.exe has the suffix '.exe', which this program does not read"


# Encodings


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_text_of_utf8_is_what_open_reads_without_translation(tmp_path: Path, encoding: str, newline: str) -> None:
    document = written(tmp_path, "a.txt", f"Grüße{newline}{newline}zwei\u2028\x0b".encode(encoding))
    with (tmp_path / "a.txt").open(encoding="utf-8", newline="") as file:
        assert document.text == file.read()
    assert document.encoding == "utf-8"
    assert [document.text[block.start : block.end] for block in document.blocks] == ["Grüße", "zwei"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding_and_is_kept(tmp_path: Path, encoding: str) -> None:
    document = written(tmp_path, "a.txt", "\ufeffGrüße 猫 😀".encode(encoding))
    assert (document.text, document.encoding) == ("\ufeffGrüße 猫 😀", encoding)
    assert outline(document) == [("paragraph", "", "Grüße 猫 😀")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Hello, world.\r\n", "hi", "Größe 12 km\n", "这是一个句子。\n我们用它 来测试。\n"])
def test_utf16_shows_itself_without_a_mark(tmp_path: Path, text: str, encoding: str) -> None:
    document = written(tmp_path, "a.txt", text.encode(encoding))
    assert (document.text, document.encoding) == (text, encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Für die Größe der Straße gilt: überall schön.", "cp1252"),
        ("Été à la plage, où ça? Déjà vu.", "cp1252"),
        ("caf\xe9", "cp1252"),
        ("It’s the “best” – really…", "cp1252"),
        ("Привет, мир. Это обычный русский текст.", "cp1251"),
        ("これは日本語の文章です。テストのために書きました。", "cp932"),
        ("这是一个中文句子。我们用它来测试编码。", "gb18030"),
    ],
)
def test_a_legacy_encoding_is_recognized(tmp_path: Path, text: str, encoding: str) -> None:
    document = written(tmp_path, "a.txt", text.encode(encoding))
    assert (document.text, document.encoding) == (text, encoding)


@pytest.mark.parametrize(
    "content",
    [
        "Größe und Länge ".encode() + b"\xff" + "der Straße".encode(),
        "Größe und Straße".encode()[:-3] + b"\xc3",
        b"an overlong \xc0\xaf slash",
        b"a surrogate \xed\xa0\x80\xed\xb0\x80 pair",
    ],
)
def test_broken_utf8_is_refused_with_the_place(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert "is UTF-8 with a broken byte 0x" in refusal(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01\x01", b"%PDF-1.7\n", b"PK\x03\x04rest", bytes(range(256)) * 4, b"\x00\x01\x02\x03",
        b"\xff\xfea", b"\xff\xfe\x00\xd8", b"\xff\xfe\x00\x00abc", b"\xef\xbb\xbf\xff\xff",
        b"\x01\x02\x03\x80\x81", b"\xfe\xff\x00", b"\0" * 4096, b"\xef\xbb\xbf" + b"\0" * 9, b"a\0b\0\0c\0\0\0d\0",
        b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0@\0This program cannot be run",
        b"GIF89a\x10\0\x10\0\x80\0\0\xff\xff\xff\0\0\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x10\0\x10\0",
        b"\xca\xfe\xba\xbe\0\0\x004\0\x1d\n\0\x06\0\x0f\t\0\x10\0\x11\x08\0\x12\n\0\x13\0\x14",
        b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0D\xac\0\0\x88X\x01\0\x02\0\x10\0data",
        struct.pack("<256i", *range(256)), struct.pack("<256i", *range(-40_000, 40_000, 313)[:256]),
        struct.pack("<128d", *[number / 7 for number in range(128)]), bytes([200, 0, 190, 7, 0, 220] * 50),
    ],
)  # fmt: skip
def test_what_is_not_text_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    message = refusal(tmp_path / "a.txt")
    assert message.startswith("a.txt")
    assert "\n" not in message


ENGLISH = "The kiln was fired twice. It cracked at 1040 degrees, as it had before.\n"
OF_SCRIPTS = {
    "Latin": "Größe 12 km — “schön”, dit-il; część życia.\n",
    "Cyrillic": "Печь обжигали дважды. Она треснула при 1040 градусах.\n",
    "Greek": "Ο κλίβανος άναψε δύο φορές και ράγισε.\n",
    "Hebrew": "התנור הוסק פעמיים ונסדק.\n",
    "Arabic": "أُشعل الفرن مرتين ثم تشقق.\n",
    "Devanagari": "भट्ठी दो बार जलाई गई और वह फट गई।\n",
    "Gurmukhi": "ਭੱਠੀ ਦੋ ਵਾਰ ਬਾਲੀ ਗਈ।\n",
    "Thai": "เตาเผา ถูกเผา สองครั้ง\n",
    "Japanese": "窯は二度焚かれた。 そして、ひびが入った。\n",
    "Chinese": "窑烧了两次。\n一千零四十度时裂开了。\n",
    "Korean": "가마는 두 번 구워졌다. 그리고 금이 갔다.\n",
}


@pytest.mark.parametrize("times", [1, 50])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("script", OF_SCRIPTS)
def test_utf16_and_utf32_without_a_mark_are_known_in_every_script(
    tmp_path: Path, script: str, encoding: str, times: int
) -> None:
    text = OF_SCRIPTS[script] * times
    document = written(tmp_path, "a.txt", text.encode(encoding))
    assert (document.text, document.encoding) == (text, encoding)


@pytest.mark.parametrize(
    "text",
    [
        "text\0text",
        "hello\0",
        "\0hello world",
        ENGLISH * 40 + "\0" + ENGLISH * 41,
        ENGLISH + "\0" + ENGLISH,
        "".join(
            f"{name:\0<32}{number:\0<16}\n"
            for name, number in [("Ada Lovelace", "1815"), ("Grace Hopper", "1906")] * 50
        ),
        "".join(
            f"{name:\0<32}{number:\0<16}" for name, number in [("Ada Lovelace", "1815"), ("Grace Hopper", "1906")] * 50
        ),
        "".join(f"{name:<31}\0" for name in ["Kiln, large", "Glaze", "Clay, white"] * 50),
        "one\0two\0three\0four\0five\0" * 40,
        "./kiln notes.md\0./glazes/celadon.md\0",
        "\0" * 100_000 + ENGLISH * 3,
        ENGLISH * 3 + "\0" * 4096,
        "Größe\0" + OF_SCRIPTS["Cyrillic"] * 3,
        OF_SCRIPTS["Chinese"] + "\0" + OF_SCRIPTS["Chinese"],
        "\ufeff" + ENGLISH + "\0" + ENGLISH,
    ],
    ids=lambda text: repr(text[:24]),
)
def test_utf8_with_nuls_is_text_and_keeps_them(tmp_path: Path, text: str) -> None:
    for shift in ("", "x"):  # whether the number of bytes is even tells nothing
        document = written(tmp_path, "a.txt", shift + text)
        assert (document.text, document.encoding) == (shift + text, "utf-8")
        assert document.blocks


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Für die Größe der Straße gilt: überall schön.\0\0 Ende der Größe.\n", "cp1252"),
        ("".join(f"{name:\0<24}" for name in ["Größe in Köln", "Straße", "schön"] * 30), "cp1252"),
        ("Привет, мир. Это обычный русский текст. \0 Он продолжается дальше.\n" * 3, "cp1251"),
        ("\ufeff" + ENGLISH + "\0" + ENGLISH, "utf-16-le"),
        (ENGLISH * 20 + "\0\0" + ENGLISH * 20, "utf-16-be"),
        ("\0" * 40 + ENGLISH * 20, "utf-16-le"),
    ],
)
def test_nuls_in_other_encodings_stay_too(tmp_path: Path, text: str, encoding: str) -> None:
    document = written(tmp_path, "a.txt", text.encode(encoding))
    assert (document.text, document.encoding) == (text, encoding)


@pytest.mark.parametrize("name", ["a.md", "a.rst", "a.py", "a.html"])
def test_a_nul_disturbs_no_format(tmp_path: Path, name: str) -> None:
    document = written(tmp_path, name, "<p>One</p>\n\n# Two\n\nThe \0 end \0\n")
    assert document.text.replace("\ufffd", "\0").rstrip().endswith("The \0 end \0")


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=60), suffix=st.sampled_from([".txt", ".md", ".html", ".py", ".rst"]))
def test_any_bytes_are_read_or_refused_and_never_hold_a_surrogate(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    try:
        document = only_document(path, "any")
    except UnreadableDocument:
        return
    document.text.encode()
    assert document == only_document(path, "any")
    assert document.content_hash == hashlib.sha256(content).hexdigest()
    assert document.content_bytes == len(content)


# Files


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.rst", "a.py", "a.html"])
def test_a_file_without_text_is_a_document_without_blocks(tmp_path: Path, name: str, content: bytes) -> None:
    document = written(tmp_path, name, content)
    assert document.blocks == ()
    assert document.line_at(0) == 1


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    assert refusal(tmp_path / "a.md") == "a.md is a folder, not a file"


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.md")
    assert refusal(tmp_path / "a.md") == "a.md is a pipe, socket or device, not a file"


def test_a_fifo_that_takes_a_files_place_is_refused_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.md")
    with pytest.raises(UnreadableDocument, match="not a file"):
        raw_file._read_all(tmp_path / "a.md", "a.md")


def test_a_socket_and_a_device_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has room for 100 characters only
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("a.md")
        assert refusal(Path("a.md")) == "a.md is a pipe, socket or device, not a file"
    (tmp_path / "zero.md").symlink_to("/dev/zero")
    assert refusal(tmp_path / "zero.md") == "zero.md is a pipe, socket or device, not a file"


def test_files_of_one_folder_are_read_through_one_descriptor_and_no_link_leads_to_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.md", "a/2.md", "b/3.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    opened, open_folder = [], raw_file._open_folder
    monkeypatch.setattr(raw_file, "_open_folder", lambda *given: opened.append(str(given[0])) or open_folder(*given))
    with OpenFolder() as folder:
        for name in ("a/1.md", "a/2.md", "b/3.md"):
            path = tmp_path / name
            assert folder.file_bytes(str(path.parent), path.name, name, tmp_path) == name.encode()
        assert opened == [str(tmp_path), "a", str(tmp_path), "b"]
        (tmp_path / "c").symlink_to("a")
        with pytest.raises(UnreadableDocument, match="c was a folder and is one no longer"):
            folder.file_bytes(str(tmp_path / "c"), "1.md", "c/1.md", tmp_path)


def test_a_missing_file_and_a_loop_of_links_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.md") == "a.md cannot be read: No such file or directory"
    (tmp_path / "b.md").symlink_to("b.md")
    assert refusal(tmp_path / "b.md").startswith("b.md cannot be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "a.md").chmod(0)
    assert refusal(tmp_path / "a.md") == "a.md cannot be read: Permission denied"


def test_a_sparse_file_of_10_gb_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "a.md").open("wb") as file:
        file.truncate(10_000_000_000)
    assert "a.md holds 10,000,000,000 bytes or more, the limit is 100,000,000" in refusal(tmp_path / "a.md")


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.md").write_text("x" * 2000)
    monkeypatch.setattr(raw_file, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(raw_file, "_check_readable", lambda *_: None)  # as if it had been small then
    assert "a.md holds 2,000 bytes or more, the limit is 1,000" in refusal(tmp_path / "a.md")


# Lines


@settings(max_examples=200, deadline=None)
@given(HOSTILE_TEXT)
def test_a_line_number_counts_the_line_ends_before_it(text: str) -> None:
    document = Document("a", "text", "a", text, tuple(text_blocks(text)), "utf-8", "", 0)
    for number, (start, end) in enumerate(line_spans(text), start=1):
        assert {document.line_at(offset) for offset in range(start, end + 1)} == {number}
    assert document.page_at(0) == 0


# Blocks


@settings(max_examples=500, deadline=None)
@given(HOSTILE_TEXT, st.sampled_from(["markdown", "text", "rst", ".py", ".c", ".js", ".sql", ".yaml"]))
def test_blocks_are_ordered_trimmed_and_hold_every_character_that_is_no_space(text: str, format_name: str) -> None:
    blocks = {
        "markdown": lambda: markdown_blocks(text)[1],
        "rst": lambda: rst_blocks(text)[1],
        "text": lambda: text_blocks(text),
    }.get(format_name, lambda: code_blocks(text, format_name))()
    document = Document("a", format_name, "a", text, tuple(blocks), "utf-8", "", 0)  # checks the order itself
    covered = set[int]()
    for block in document.blocks:
        assert text[block.start : block.end].strip() == text[block.start : block.end]
        covered.update(range(block.start, block.end))
    visible = {index for index, character in enumerate(text) if not character.isspace()}
    assert visible - covered <= ({0} if text.startswith("\ufeff") else set())


@settings(max_examples=200, deadline=None)
@given(HOSTILE_TEXT)
def test_the_blocks_of_markdown_do_not_depend_on_the_kind_of_line_end(text: str) -> None:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    for newline in ("\r\n", "\r"):
        other = plain.replace("\n", newline)
        expected = [(kind, plain[start:end].replace("\n", newline)) for start, end, kind in spans(plain)]
        assert [(kind, other[start:end]) for start, end, kind in spans(other)] == expected


def spans(text: str) -> list[tuple[int, int, str]]:
    return [(block.start, block.end, block.kind) for block in markdown_blocks(text)[1]]


def test_blocks_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match=r"block 1\.\.3 overlaps one that ends at 2"):
        Document("a", "text", "a", "abc", (Block(0, 2, "paragraph", ""), Block(1, 3, "paragraph", "")), "utf-8", "", 3)
    with pytest.raises(ValueError, match="beyond the text of 3 characters"):
        Document("a", "text", "a", "abc", (Block(0, 4, "paragraph", ""),), "utf-8", "", 3)


def test_markdown_has_headings_lists_tables_code_and_quotes(tmp_path: Path) -> None:
    text = (
        '---\ntitle: "From the front"\n---\n# Guide\nIntro\nwrapped.\n\nSetup `now`\n---\n- one\n  more\n- two\n\n'
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\n# no heading\n```\n> quoted\n\n[ref]: http://x\n\n"
        "## [Next](x.md)\nEnd\n"
    )
    document = written(tmp_path, "a.md", text)
    assert document.title == "From the front"
    assert outline(document) == [
        ("front matter", "", '---\ntitle: "From the front"\n---'),
        ("heading", "Guide", "# Guide"),
        ("paragraph", "Guide", "Intro\nwrapped."),
        ("heading", "Guide > Setup now", "Setup `now`\n---"),
        ("list", "Guide > Setup now", "- one\n  more"),
        ("list", "Guide > Setup now", "- two"),
        ("table", "Guide > Setup now", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("code", "Guide > Setup now", "```sh\n# no heading\n```"),
        ("quote", "Guide > Setup now", "> quoted"),
        ("paragraph", "Guide > Setup now", "[ref]: http://x"),
        ("heading", "Guide > Next", "## [Next](x.md)"),
        ("paragraph", "Guide > Next", "End"),
    ]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("## Small\n\n# Large\n", "Large"),
        ("## Small\n", "Small"),
        ("no heading", "a"),
        ("\ufeff# Marked\n", "Marked"),
        ("---\ntitle: &a [*a, *a]\n---\n# Safe\n", "Safe"),
        ("---\ntitle: never closed\n", "a"),
    ],
)
def test_the_title_of_markdown_is_its_main_heading(tmp_path: Path, text: str, title: str) -> None:
    assert written(tmp_path, "a.md", text).title == title


def test_large_markdown_keeps_its_headings_and_its_fences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.readers.paragraphs.MAX_STRUCTURED_CHARACTERS", 10)
    text = "# One\nbelow\n\n```\n# no\n\n# heading\n```\n\n## Two ##\n\ntext"
    title, blocks = markdown_blocks(text)
    assert title == "One"
    assert [(block.kind, block.heading, text[block.start : block.end]) for block in blocks] == [
        ("heading", "One", "# One"),
        ("paragraph", "One", "below"),
        ("code", "One", "```\n# no"),
        ("code", "One", "# heading\n```"),
        ("heading", "One > Two", "## Two ##"),
        ("paragraph", "One > Two", "text"),
    ]


def test_large_markdown_has_headings_without_blank_lines_and_fences_of_any_length() -> None:
    text = "text\n# One\nbelow\n````md\n# no\n```\n# no\n````\n ## Two\n# Three\n~~~\n# open\n\n# to the end"
    found = [(block.kind, block.heading, text[block.start : block.end]) for block in _simple_markdown(text, 0, [])]
    assert found == [
        ("paragraph", "", "text"),
        ("heading", "One", "# One"),
        ("code", "One", "below\n````md\n# no\n```\n# no\n````"),
        ("heading", "One > Two", "## Two"),
        ("heading", "Three", "# Three"),
        ("code", "Three", "~~~\n# open"),
        ("code", "Three", "# to the end"),
    ]


@settings(max_examples=300, deadline=None)
@given(HOSTILE_TEXT)
def test_large_markdown_loses_no_character(text: str) -> None:
    blocks = list(_simple_markdown(text, 0, []))
    Document("a", "markdown", "a", text, tuple(blocks), "utf-8", "", 0)
    covered = {index for block in blocks for index in range(block.start, block.end)}
    assert {index for index, character in enumerate(text) if not character.isspace()} <= covered


@pytest.mark.parametrize("depth", [12, 99, 150])
@pytest.mark.parametrize("mark", ["- ", "> "])
def test_what_follows_lists_or_quotes_in_each_other_keeps_its_headings(mark: str, depth: int) -> None:
    text = mark * depth + "deep\n\n# Next\n\nText.\n"
    found = [(block.kind, block.heading) for block in markdown_blocks(text)[1]]
    assert found[1:] == [("heading", "Next"), ("paragraph", "Next")]


def test_a_quote_is_one_block_whatever_is_in_it() -> None:
    text = "> a\n> # b\nlazy\n> - c\n>\n> > d\n\n- x\n  > q\n  > - r\n  lazy\n\n  more\n- y\n\n> z\n"
    found = [(block.kind, text[block.start : block.end]) for block in markdown_blocks(text)[1]]
    assert found == [
        ("quote", "> a\n> # b\nlazy\n> - c\n>\n> > d"),
        ("list", "- x\n  > q\n  > - r\n  lazy\n\n  more"),
        ("list", "- y"),
        ("quote", "> z"),
    ]


def test_beyond_the_most_blocks_the_rest_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.readers.paragraphs.MAX_BLOCKS", 2)
    assert [(block.start, block.end) for block in text_blocks("a\n\nb\n\nc\n\nd\n")] == [(0, 1), (3, 10)]


def test_rst_has_sections_by_order_of_appearance_and_literal_blocks(tmp_path: Path) -> None:
    text = (
        "=====\nGuide\n=====\n\nIntro::\n\n    a = 1\n\n    b = 2\n\nSetup\n-----\n- one\n\n"
        ".. code-block:: sh\n\n   ls\n\nDeep\n~~~~\nx\n\nNext\n----\n\n====  ====\na     b\n====  ====\n"
    )
    document = written(tmp_path, "a.rst", text)
    assert document.title == "Guide"
    assert outline(document) == [
        ("heading", "Guide", "=====\nGuide\n====="),
        ("paragraph", "Guide", "Intro::"),
        ("code", "Guide", "a = 1\n\n    b = 2"),
        ("heading", "Guide > Setup", "Setup\n-----"),
        ("list", "Guide > Setup", "- one"),
        ("code", "Guide > Setup", ".. code-block:: sh\n\n   ls"),
        ("heading", "Guide > Setup > Deep", "Deep\n~~~~"),
        ("paragraph", "Guide > Setup > Deep", "x"),
        ("heading", "Guide > Next", "Next\n----"),
        ("table", "Guide > Next", "====  ====\na     b\n====  ===="),
    ]


PYTHON = """import x


# About it.
@wrap
class A:
    x = 1

    def f(self):
        pass

        y = 2

z = 3
"""
JAVA = """class A {
    int x;

    /** Doc. */
    public int f(int a) {
        return a;
    }
}
"""


@pytest.mark.parametrize(
    ("name", "text", "headings"),
    [
        ("a.py", PYTHON, ["", "A", "A > f", ""]),
        ("a.java", JAVA, ["A", "A > f"]),
        (
            "a.go",
            "package a\n\n// Foo.\ntype Foo struct {\n\ta int\n}\n\nfunc (f *Foo) Bar() {\n}\n",
            ["", "Foo", "Bar"],
        ),
        ("a.ts", "export class A {\n}\n\nexport const f = async (x) => {\n}\n", ["A", "f"]),
        ("a.rs", "pub fn f() {}\n\npub struct S;\n", ["f", "S"]),
        ("a.c", "#include <a.h>\n\nstatic int f(int a)\n{\n  return g(a);\n}\n", ["", "f"]),
        ("a.sql", "CREATE TABLE IF NOT EXISTS t (a Int8);\n\nSELECT 1;\n", ["t", ""]),
        ("a.toml", "[tool.x]\na = 1\n\n[b]\nc = 2\n", ["tool.x", "b"]),
    ],
)
def test_a_block_of_code_is_named_by_what_it_defines(tmp_path: Path, name: str, text: str, headings: list[str]) -> None:
    document = written(tmp_path, name, text)
    assert [block.heading for block in document.blocks] == headings
    assert document.title == name


# Hostile text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.md", ">" * 100_000 + " deep"),
        ("a.md", "[" * 100_000),
        ("a.md", "\n-" * 20_000),
        ("a.md", "[a]: b\n" * 10_000),
        ("a.md", "> - " * 25_000),
        ("a.md", "|a" * 5_000 + "\n" + "|-" * 5_000 + "\n" + "|b\n" * 5_000),
        ("a.md", "".join("  " * depth + "- a\n" for depth in range(300))),
        ("a.md", "---\na: &a [x]\n" + "b: *a\n" * 20_000 + "---\ntext"),
        ("a.md", "x" * 20_000_000),
        ("a.rst", "===\na\n" * 15_000),
        ("a.txt", "\n" * 1_000_000 + "end"),
        ("a.txt", "a\r" * 100_000),
        ("a.txt", " " * 1_000_000),
        ("a.py", "".join(" " * depth + "def a():\n" for depth in range(300))),
        ("a.c", "a(b " * 25_000),
        ("a.js", "export " * 15_000),
    ],
)  # fmt: skip
def test_hostile_text_is_read_whole(tmp_path: Path, name: str, content: str) -> None:
    assert written(tmp_path, name, content).text == content


def test_a_parser_that_fails_leaves_the_paragraphs(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_parser(_: bool) -> None:
        raise RecursionError

    monkeypatch.setattr("ingest.readers.markdown._markdown_parser", failing_parser)
    title, blocks = markdown_blocks("# A\n\nb\n")
    assert (title, [block.kind for block in blocks]) == ("A", ["heading", "paragraph"])
