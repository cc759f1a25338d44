"""Markdown that generators of pages extend: notes, tabs, footnotes and definitions that are indented, and MDX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office_files import read_bytes, shown

from ingest.chunk import split_document

if TYPE_CHECKING:
    from rag.text.tokenizer import Tokenizer


def blocks_of(text: str, name: str = "a.md") -> list[tuple[str, str]]:
    """Kind and text of every block; the text of the document is that of the file."""
    document = read_bytes(text.encode(), name)
    assert document.text == text
    return shown(document)


NOTE = "Text of the\n    note.\n\n    - one\n    - two\n\n    | a | b |\n    |---|---|\n    | c | d |\n\n    ```\n    ls\n    ```"
READ = [
    ("paragraph", "Text of the\n    note."),
    ("list", "- one"),
    ("list", "- two"),
    ("table", "| a | b |\n    |---|---|\n    | c | d |"),
    ("code", "```\n    ls\n    ```"),
]


@pytest.mark.parametrize(
    "opening",
    [
        "!!! note",
        '!!! tip "A title"',
        "??? note",
        '???+ warning "x"',
        '=== "Linux"',
        '===! "Linux"',
        "[^1]: Note.",
        "Kiln\n: A word.",
    ],
)
def test_what_is_indented_below_a_note_a_tab_a_footnote_or_a_definition_is_no_code(opening: str) -> None:
    assert blocks_of(f"{opening}\n\n    {NOTE}\n\nBye.") == [("paragraph", opening), *READ, ("paragraph", "Bye.")]


def test_a_note_may_begin_without_a_blank_line_and_end_without_one() -> None:
    assert blocks_of("!!! note\n    - one\n\n    two\nBye.") == [
        ("paragraph", "!!! note"),
        ("list", "- one"),
        ("paragraph", "two"),
        ("paragraph", "Bye."),
    ]
    assert blocks_of("!!! note\n    one\nBye.\n") == [
        ("paragraph", "!!! note"),
        ("paragraph", "one"),
        ("paragraph", "Bye."),
    ]


def test_notes_in_notes_are_read_and_code_in_them_stays_code() -> None:
    text = '=== "A"\n\n    !!! note\n\n        deep\n\n            code\n\n    more\n\n=== "B"\n\n\tx\n'
    assert blocks_of(text) == [
        ("paragraph", '=== "A"'),
        ("paragraph", "!!! note"),
        ("paragraph", "deep"),
        ("code", "code"),
        ("paragraph", "more"),
        ("paragraph", '=== "B"'),
        ("paragraph", "x"),
    ]


def test_a_heading_in_a_tab_is_one_up_to_the_end_of_the_tab_and_never_the_title() -> None:
    document = read_bytes(b'## Use\n\n=== "A"\n\n    # Install\n\n    one\n\ntwo\n', "a.md")
    assert [(block.kind, block.heading) for block in document.blocks] == [
        ("heading", "Use"),
        ("paragraph", "Use"),
        ("heading", "Install"),
        ("paragraph", "Install"),
        ("paragraph", "Use"),
    ]
    assert document.title == "Use"


@pytest.mark.parametrize(
    "text", ["Text.\n\n    code()\n", "!!!\n\n    code()\n", "What???\n\n    code()\n", "Use\n===\n\n    code()\n"]
)
def test_below_anything_else_it_is_code(text: str) -> None:
    assert blocks_of(text)[-1] == ("code", "code()")


def test_in_mdx_nothing_is_code_by_its_indentation() -> None:
    text = '<Tabs>\n  <TabItem value="a">\n\n    One *two*.\n\n    ```sh\n    ls\n    ```\n\n  </TabItem>\n</Tabs>\n'
    inner = [("paragraph", "One *two*."), ("code", "```sh\n    ls\n    ```")]
    assert [block for block in blocks_of(text, "a.mdx") if block[0] != "html"] == inner
    assert [block[0] for block in blocks_of(text)] == ["html", "code", "html"]


SIMPLE = "  Pot   Use\n------  -----\n     a  b c"
SEVERAL = "-------------\nPot    Use\nname\n------ ------\na      one\n       two\n\nb      three\n-------------"
NO_HEADER = "------ ------\na      one\n\nb      two\n------ ------"


@pytest.mark.parametrize("table", [SIMPLE, SEVERAL, NO_HEADER, "+---+---+\n| a | b |\n+===+===+\n| c | d |\n+---+---+"])
def test_a_table_of_pandoc_is_one_block(table: str) -> None:
    assert blocks_of(f"# Use\n\nText:\n\n{table}\n\n: A caption\n\nBye.")[1:] == [
        ("paragraph", "Text:"),
        ("table", table.strip()),
        ("paragraph", ": A caption"),
        ("paragraph", "Bye."),
    ]
    note = f"!!! note\n\n{table}\n".replace("\n", "\n    ").rstrip(" ")
    assert [kind for kind, _ in blocks_of(note)] == ["paragraph", "table"]


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{SIMPLE}\n```\n",
        "Text\nmore\n-- --\nend\n",
        "- - -\n",
        "Title\n-----\n\ntext\n",
        "------ ------\n\ntext\n",
        "a b\n----- ------\n\ntext\n",
        "------ ------\ntext\n\nmore\n",
    ],
)
def test_nothing_else_is_a_table_of_columns(text: str) -> None:
    assert "table" not in [kind for kind, _ in blocks_of(text)]


def test_the_header_of_a_table_of_columns_is_all_of_its_lines(default_tokenizer: Tokenizer) -> None:
    for table, header in ((SIMPLE, "Pot   Use"), (SEVERAL, "Pot    Use\nname")):
        chunk = split_document(read_bytes(table.encode(), "a.md"), default_tokenizer)[0]
        assert [lead.text for lead in chunk.outline.leads] == [header]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_end_counts_in_a_note(newline: str) -> None:
    document = read_bytes(f"!!! note\n\n    {NOTE}\n".replace("\n", newline).encode(), "a.md")
    assert [kind for kind, _ in shown(document)] == ["paragraph", *(kind for kind, _ in READ)]


LINES = st.sampled_from(
    [
        "",
        "!!! note",
        "    !!! note",
        '=== "A"',
        "[^1]: x",
        ": y",
        "    a",
        "\tb",
        "        c",
        "- d",
        "    - e",
        "    # f",
        "    ```",
        "g",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=14), st.sampled_from(["a.md", "a.mdx"]))
def test_blocks_hold_all_of_any_text_once(lines: list[str], name: str) -> None:
    blocks_of("\n".join(lines), name)


def test_many_notes_and_deep_ones_are_read_whole() -> None:
    deep = "".join(f"{'    ' * depth}!!! note\n\n" for depth in range(60)) + "    " * 60 + "end\n"
    assert blocks_of(deep)[-1][1].endswith("end")
    assert len(blocks_of("!!! note\n    text\n\n" * 3000)) == 6000
    assert blocks_of("\n-- --\nx\n" * 20_000)[-1] == (
        "paragraph",
        "x",
    )  # each begins what could be a table up to the end
