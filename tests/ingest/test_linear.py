"""Readers, sentences and chunks take time in proportion to the text, whatever it is made of.

Work is counted, not timed: calls of functions, and characters copied by slices. What only the engine of regular
expressions can waste is met by texts so long that taking the square of their length would never end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from work import growth

from ingest.chunk import split_document
from ingest.document import Document, plain_heading
from ingest.readers import markdown
from ingest.readers.asciidoc import asciidoc_blocks
from ingest.readers.code import code_blocks
from ingest.readers.delimited import table_blocks
from ingest.readers.markdown import markdown_blocks
from ingest.readers.paragraphs import MAX_STRUCTURED_LINES
from ingest.readers.rst import rst_blocks
from ingest.readers.text import text_blocks
from rag.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.text.tokenizer import Tokenizer

READERS: dict[str, Callable[[str], Any]] = {
    "markdown": markdown_blocks,
    "large markdown": lambda text: list(markdown._simple_markdown(text, 0, [])),
    "rst": rst_blocks,
    "text": text_blocks,
    "python": lambda text: code_blocks(text, ".py"),
    "c": lambda text: code_blocks(text, ".c"),
    "sql": lambda text: code_blocks(text, ".sql"),
    "csv": table_blocks,
    "asciidoc": asciidoc_blocks,
    "sentences": split_sentences,
    "heading": plain_heading,
}
# Characters of the shorter text, every day and in the long suite: what wastes little of a short one wastes more of that
LENGTHS = [600, pytest.param(3000, marks=pytest.mark.slow)]
# What a text is made of, repeated up to a length
UNITS = [
    "# a\n", "# a\n\n", "# a\nb\n", "a\n=\n", "a\nb\n-\n\n", "#", "# ", "## a ##\n", "===\na\n", "a\n===\n\n",
    "===\na\n===\n", "| a | b |\n", "|", " | ", "|-|\n", "+--+\n", "[a]: b\n", "[a]:\nb\n'c\n", "[a]: <\n", "[",
    "[](", "![a](b) ", "]", "> ", "> a\n", ">\n", "> > a\nb\n", "> # a\n", "> ```\n", "> - ", "- > ", "- a\n",
    "- a\n\n", "- ", "1. a\n", "1. ", "  - a\n", "- # a\n", "- ```\n", "*a_ ", "***\n", "* ", "`", "` `` ", "```\n",
    "~~~\n```\n", "``` a\n", "~", "    a\n", "    a\n\n", "\ta\n", "<div>\n", "<!-- \n", "<!-- a\n\n", "<?\n\n",
    "<", "<a ", "&amp;", "\\", "a\n", "a\n\n", "a", "a ", " ", "   \n", "\t", "\n", "\r", "a\r", "a\r\n\r\n", ".",
    ". ", "A b. ", "e.g. ", "A. ", ".\"", ")", "a!]\"", "a.[1][2] ", "\"(", ".\n", "猫。", "」", "e\u0301", "\ufeff",
    "\0", "a\0", "a::\n\n  b\n\n", ".. code::\n\n  b\n\n", "a\n---\n", "1) a\n\n", "=", "-", "def a():\n",
    "def a():\n\n", "class a { ", "a(b ", "export ", "}\n", "create or replace ", "[a]\n", "a:\n", "---\n", "+++\n",
    "{#a} ", ":a:`b` ", "\n-", ".)", "``````````\n", "==\n",
    '"', '"a\n', ',"', ',"a\n', '"a"",', '""', '","', '"a\n",', "a;b\n", ";",
    "`a. B", "`a. B` ", "``a. B ` ", "+-+\n", "+-+-+\n| a | b |\n", "| | b |\n", ">\n> a\n",
    "== a\n", "|===\n", "====\n", "[a]\n", ":a: b\n", "a:: ", "a,b\n", ", ",
]  # fmt: skip
# Texts that grow in another way
GROWING: dict[str, Callable[[int], str]] = {
    "quotes in quotes": lambda n: "> " * (n // 4) + "a\n" + "b\n" * (n // 4),
    "ever deeper quotes": lambda n: "\n".join(">" * depth + " a" for depth in range(int((2 * n) ** 0.5))),
    "ever deeper lists": lambda n: "".join("  " * depth + "- a\n" for depth in range(int(n**0.5))),
    "deep lists": lambda n: "".join("  " * (row % 8) + "- a\n" for row in range(n // 11)),
    "ever longer backticks": lambda n: "\n".join("`" * length for length in range(int((2 * n) ** 0.5))),
    "open fence": lambda n: "```\n" + "a\n" * (n // 2),
    "wide table": lambda n: "|a" * (n // 8) + "\n" + "|-" * (n // 8) + "\n" + "|b\n" * (n // 8),
    "underlined text": lambda n: "a\n" * (n // 2) + "===",
    "heading and spaces": lambda n: "# a" + " " * n + "b",
    "heading and marks": lambda n: "# a" + " #" * (n // 2) + "b",
    "literal text": lambda n: "a::\n\n" + "  b\n\n" * (n // 5),
    "ever deeper code": lambda n: "".join(" " * depth + "def a():\n" for depth in range(int((2 * n) ** 0.5))),
    "stop and spaces": lambda n: "a." + " " * n + "b",
    "stop and brackets": lambda n: ". " + "( " * (n // 2),
    "stop and citations": lambda n: "." + "[1]" * (n // 3),
}  # fmt: skip
FRONT_MATTER: dict[str, Callable[[int], str]] = {
    "list in brackets": lambda n: f"---\na: [{'b, ' * (n // 3)}]\n---\n",
    "list": lambda n: "---\na:\n" + "- b\n" * (n // 4) + "---\n",
    "entries": lambda n: "---\n" + "".join(f"a{number}: 1\n" for number in range(n // 8)) + "---\n",
    "spaces": lambda n: f"---\na{' ' * n}b\n---\n",
    "value of spaces": lambda n: f"---\na: b{' ' * n}c\n---\n",
    "colons": lambda n: f"---\n{'a: ' * (n // 3)}\n---\n",
    "broken lists": lambda n: "---\n" + "a: [\n" * (n // 5) + "---\n",
    "open quotes": lambda n: "---\n" + 'a: "b\n' * (n // 6) + "---\n",
    "words": lambda n: f"---\n{'a b ' * (n // 4)}\n---\n",
    "aliases": lambda n: f"---\na: &a b\nc: [{'*a, ' * (n // 4)}]\n---\n",
    "anchors": lambda n: "---\n" + "".join(f"a{number}: &a{number} b\n" for number in range(n // 12)) + "---\n",
    "merges": lambda n: "---\na: &a {b: c}\n" + "".join(f"d{number}: {{<<: *a}}\n" for number in range(n // 16)) + "---\n",
    "brackets": lambda n: f"---\na: {'[' * n}\n---\n",
    "no end": lambda n: "---\n" + "a: 1\n" * (n // 5),
    "toml": lambda n: "+++\n" + "".join(f"a{number} = 1\n" for number in range(n // 9)) + "+++\n",
    "toml list": lambda n: f"+++\na = [{'1,' * (n // 2)}]\n+++\n",
    "toml tables": lambda n: "+++\n" + "".join(f"[a{number}]\nb = 1\n" for number in range(n // 12)) + "+++\n",
    "toml array of tables": lambda n: "+++\n" + "[[a]]\nb = 1\n" * (n // 12) + "+++\n",
    "toml key": lambda n: f"+++\n{'.'.join('a' * (n // 2))} = 1\n+++\n",
    "toml quotes": lambda n: "+++\n" + '"\\' * (n // 2) + "\n+++\n",
    "toml broken": lambda n: "+++\n" + "a = [\n" * (n // 6) + "+++\n",
}  # fmt: skip


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("reader", READERS)
def test_the_square_would_be_noticed(reader: str, length: int) -> None:
    def wasteful(text: str) -> None:
        for start in range(0, len(text), 4):
            READERS[reader](text[start : start + 4])
            text[start:]

    once, twice = growth(wasteful, lambda n: "a b\n" * (n // 4), length)
    assert not twice.is_about_twice(once)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.everyday("- a", "# a", "```", "|")
def test_twice_the_text_is_twice_the_work(unit: str, length: int) -> None:
    for name, reader in READERS.items():
        once, twice = growth(reader, lambda n: (unit * n)[:n], length)
        assert twice.is_about_twice(once), (name, once, twice)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", GROWING)
def test_twice_of_what_grows_is_twice_the_work(name: str, length: int) -> None:
    for reader_name, reader in READERS.items():
        once, twice = growth(reader, GROWING[name], length)
        assert twice.is_about_twice(once), (reader_name, once, twice)


@pytest.mark.parametrize("name", FRONT_MATTER)
def test_twice_the_front_matter_is_twice_the_work(name: str) -> None:
    once, twice = growth(markdown_blocks, FRONT_MATTER[name], 3000)
    assert twice.is_about_twice(once), (once, twice)


@pytest.mark.parametrize("reader", [name for name in READERS if name != "markdown"])
def test_no_pattern_takes_the_square_of_a_long_text(reader: str) -> None:
    for unit in " \t\n=*`[].(\")-#|<>\\a_~:+,;0'{}&/猫。" + "\0\ufeff":
        READERS[reader](unit * 100_000)
        READERS[reader]("a" + unit * 100_000 + "b")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*GROWING, *FRONT_MATTER])
def test_long_markdown_is_read_to_its_end(name: str) -> None:
    text = (GROWING | FRONT_MATTER)[name](100_000) + "\n\n# The end\n"
    found = markdown_blocks(text)[1][-1]
    assert found.end == len(text) - 1


def test_more_headings_than_the_parser_is_given_are_read_one_by_one() -> None:
    number = MAX_STRUCTURED_LINES + 1
    assert sum(block.kind == "heading" for block in markdown_blocks("# a\n" * number)[1]) == number


@pytest.mark.parametrize(
    "unit", ["# a\n", "# a\nb\n\n", "A b. ", "a\n", "- a\n", "```\na\n```\n", "| a | b |\n", "a" * 90 + " ", "\0"]
)
@pytest.mark.everyday("- a", "```")
def test_twice_the_text_is_twice_the_work_of_chunks(tokenizer: Tokenizer, unit: str) -> None:
    def chunked(text: str) -> None:
        title, found = markdown_blocks(text)
        split_document(Document("a.md", "markdown", title, text, tuple(found), "utf-8", "", 0), tokenizer)

    once, twice = growth(chunked, lambda n: (unit * n)[:n], 8000)
    assert twice.is_about_twice(once), (once, twice)
