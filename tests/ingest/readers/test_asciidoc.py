"""AsciiDoc: headings, lists, fences and tables as blocks of the file's own text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.readers import read_documents
from ingest.readers.asciidoc import asciidoc_blocks

if TYPE_CHECKING:
    from pathlib import Path


def cut(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in asciidoc_blocks(text)[1]]


def headings(text: str) -> list[str]:
    return [block.heading for block in asciidoc_blocks(text)[1] if block.kind == "heading"]


def test_headings_open_a_path_and_the_first_is_the_title() -> None:
    text = "= The *Manual*\n\n== Install\n\n=== On `Linux`\n\ntext\n\n== Use ==\n"
    assert headings(text) == [
        "The Manual",
        "The Manual > Install",
        "The Manual > Install > On Linux",
        "The Manual > Use",
    ]
    assert asciidoc_blocks(text)[0] == "The Manual"
    assert asciidoc_blocks(text)[1][3].heading == "The Manual > Install > On Linux"


def test_headings_with_a_line_below_are_headings_too() -> None:
    text = "The Manual\n==========\n\nInstall it\n----------\n\nOn Linux\n~~~~~~~~\n\ntext\n\nnot a heading\n---\n"
    assert headings(text) == ["The Manual", "The Manual > Install it", "The Manual > Install it > On Linux"]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("----\na\n\n== b\n----\nc", [("code", "----\na\n\n== b\n----"), ("paragraph", "c")]),
        ("....\na\n----\n....", [("code", "....\na\n----\n....")]),
        ("```rust\na\n\nb\n```\n", [("code", "```rust\na\n\nb\n```")]),
        (".T\n[source,java]\n----\na\n----\n", [("code", ".T\n[source,java]\n----\na\n----")]),
        ("-----\na\n----\nb\n-----\n", [("code", "-----\na\n----\nb\n-----")]),  # only its own fence ends it
        ("----\na\n\nb\n", [("code", "----\na\n\nb")]),  # or the end of the file
        ("////\na\n\nb\n////\n", [("html", "////\na\n\nb\n////")]),
        (
            "* a\n** b\n- c\n. d\n1. e\n",
            [("list", "* a"), ("list", "** b"), ("list", "- c"), ("list", ". d"), ("list", "1. e")],
        ),
        ("* a\ngoes on\n+\nmore\n", [("list", "* a\ngoes on\n+\nmore")]),
        ("Term:: its\nmeaning\n", [("list", "Term:: its\nmeaning")]),
        ("std::vector and a:b are no terms\n", [("paragraph", "std::vector and a:b are no terms")]),
        ("NOTE: Mind\nthe gap.\n", [("paragraph", "NOTE: Mind\nthe gap.")]),
        ("[NOTE]\n====\na\n\nb\n====\n", [("paragraph", "[NOTE]\n====\na"), ("paragraph", "b\n====")]),
        ("____\na\n____\n", [("quote", "____\na\n____")]),
        ("====\n----\na\n----\n====\n", [("code", "====\n----\na\n----\n====")]),
        ("a\n\n indented\n\nb", [("paragraph", "a"), ("code", "indented"), ("paragraph", "b")]),
        ("[[here]]\n== A\nb", [("heading", "[[here]]\n== A"), ("paragraph", "b")]),
        ("[[here]]\n", [("paragraph", "[[here]]")]),
        (
            '[cols="1,2"]\n|===\n|a |b\n\n|c\n|d\n|===\n',
            [("paragraph", '[cols="1,2"]'), ("table", "|===\n|a |b\n\n|c\n|d\n|===")],
        ),
        ("*bold* text\n.5 is no title", [("paragraph", "*bold* text\n.5 is no title")]),
        ("", []),
    ],
)
def test_what_a_block_is_and_where_it_ends(text: str, blocks: list[tuple[str, str]]) -> None:
    assert cut(text) == blocks


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_header_is_metadata(newline: str, tmp_path: Path) -> None:
    lines = ["= Tea", "Ann Author <ann@x.org>", ":revdate: 2024-05-01", ":toc:", ":keywords: leaf, cup", "", "Hot.", ""]
    data = newline.join(lines).encode()
    (tmp_path / "a.adoc").write_bytes(data)
    (document,) = read_documents(tmp_path / "a.adoc", "a.adoc")
    assert (document.text.encode(), document.converted, document.title) == (data, False, "Tea")
    assert document.metadata == {"author": "Ann Author", "revdate": "2024-05-01", "keywords": "leaf, cup"}
    assert [block.kind for block in document.blocks] == ["heading", "front matter", "paragraph"]
    assert document.line_at(document.blocks[-1].start) == 7


LINES = st.sampled_from(
    ["= a", "== b", "abcd", "----", "====", "****", "____", "--", "|===", "|a |b", "[x]", "[[y]]", ".T", "* i", "+", "", "", " c",
     ":a: b", "//", "////", "a::", "```", "++++", "\ufeff", "<1> x", "....", "!==="]
)  # fmt: skip


@settings(max_examples=150)
@given(lines=st.lists(LINES, max_size=14), newline=st.sampled_from(["\n", "\r\n", "\r"]))
def test_blocks_hold_everything_in_order(lines: list[str], newline: str) -> None:
    text = newline.join(lines)
    end, held = 0, ""
    for block in asciidoc_blocks(text)[1]:
        assert end <= block.start < block.end
        end = block.end
        held += text[block.start : block.end]
    assert "".join(held.split()) == "".join(text.removeprefix("\ufeff").split())
