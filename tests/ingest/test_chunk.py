"""Chunks: exact slices within the limit, that end where the document does, and that lose no character."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import MAX_CHARACTERS, _leads, chunker_name, split_document
from ingest.document import Document
from ingest.readers.asciidoc import asciidoc_blocks
from ingest.readers.code import code_blocks
from ingest.readers.html.page import extract_html
from ingest.readers.markdown import markdown_blocks
from ingest.readers.rst import rst_blocks
from ingest.readers.text import text_blocks
from sql.records import Outline
from sql.records.chunking import MIN_CHUNK_TOKENS, ChunkSettings

if TYPE_CHECKING:
    from rag.text.tokenizer import Tokenizer
    from sql.records import Chunk

# Characters on which a tokenizer's offsets and counts surprise: marks that join, letters that stand for many.
HOSTILE_WORDS = st.sampled_from(
    [
        "the", "cat", "sat.", "Here", "one,", "bird", "Dr.", "a.b", "猫猫。", "e\u0301\u0301", "\u0301", "\u200b",
        "\ufdfa", "각힣", "ﬁ", "İ", "😀", "\ue000", "\u2028", "x" * 30, "x" * 101, "_" * 25, "----------", "|",
        "\x0b", "\u202e", "\ufeff",
    ]
)  # fmt: skip
HOSTILE_LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "", "", "# ", "## ", "### ", "- ", "> ", "    ", "| ", "```", "1. "]),
        st.lists(HOSTILE_WORDS, max_size=12),
        st.sampled_from([" ", " ", "", "  \t"]),
        st.sampled_from(["\n", "\n\n", "\r\n", "\r"]),
    ).map(lambda line: line[0] + line[2].join(line[1]) + line[3]),
    max_size=25,
).map("".join)
LAWS = settings(max_examples=250, deadline=None)


def document_of(text: str, format_name: str = "markdown") -> Document:
    blocks = {
        "markdown": lambda: markdown_blocks(text)[1],
        "rst": lambda: rst_blocks(text)[1],
        "asciidoc": lambda: asciidoc_blocks(text)[1],
        "text": lambda: text_blocks(text),
        "code": lambda: code_blocks(text, ".py"),
    }[format_name]()
    return Document("a", format_name, "a", text, tuple(blocks), "utf-8", "", len(text.encode()))


def words(number: int, stop: str = ".") -> str:
    """A sentence of `number` tokens, the stop being one."""
    return "The " + " ".join(["cat"] * (number - 2)) + stop


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def assert_lawful(document: Document, chunks: list[Chunk], tokenizer: Tokenizer, max_tokens: int) -> None:
    covered = set[int]()
    for index, chunk in enumerate(chunks):
        assert chunk.index == index
        assert document.text[chunk.start : chunk.end] == chunk.text == chunk.text.strip()
        assert chunk.tokens == tokenizer.count(chunk.text) <= max_tokens
        assert len(chunk.text) <= MAX_CHARACTERS
        assert chunk.line == document.line_at(chunk.start)
        covered.update(range(chunk.start, chunk.end))
    assert [chunk.start for chunk in chunks] == sorted({chunk.start for chunk in chunks})
    assert [chunk.end for chunk in chunks] == sorted({chunk.end for chunk in chunks})
    visible = {index for index, character in enumerate(document.text) if not character.isspace()}
    assert visible - covered <= ({0} if document.text.startswith("\ufeff") else set())


# Laws


@LAWS
@given(
    HOSTILE_LINES,
    st.sampled_from(["markdown", "rst", "text", "code"]),
    st.integers(MIN_CHUNK_TOKENS, 60),
    st.floats(0, 1),
)
def test_chunks_are_exact_slices_within_the_limit_that_lose_nothing(
    tokenizer: Tokenizer, text: str, format_name: str, max_tokens: int, overlap: float
) -> None:
    document, repeated = document_of(text, format_name), int(overlap * (max_tokens - 1))
    chunks = split_document(document, tokenizer, max_tokens, repeated)
    assert_lawful(document, chunks, tokenizer, max_tokens)
    assert chunks == split_document(document, tokenizer, max_tokens, repeated)


@settings(max_examples=100, deadline=None)
@given(HOSTILE_LINES, st.integers(MIN_CHUNK_TOKENS, 60))
def test_the_laws_hold_for_the_default_tokenizer(default_tokenizer: Tokenizer, text: str, max_tokens: int) -> None:
    document = document_of(text)
    assert_lawful(document, split_document(document, default_tokenizer, max_tokens, 10), default_tokenizer, max_tokens)


@settings(max_examples=100, deadline=None)
@given(HOSTILE_LINES)
def test_the_laws_hold_for_pages(tokenizer: Tokenizer, text: str) -> None:
    page = extract_html(f"<h1>The cat</h1><p>{text}<ul><li>{text}</ul>")
    document = Document("a", "html", "a", page.text, page.blocks, "utf-8", "", 0, True, page.line_marks)
    assert_lawful(document, split_document(document, tokenizer, 30, 8), tokenizer, 30)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,  # a single [UNK] token
        "e" + "\u0301" * 10_000,
        "\u200b" * 20_000,
        "😀" * 20_000,
        "猫" * 20_000,
        "\ufdfa" * 5_000,
        "각" * 5_000,
        "cat " * 20_000,
        "cat" + " " * 50_000 + "sat",
        "# " + "cat " * 20_000,
        "# cat" + " " * 9_000 + "\n\n" * 9_000 + "sat",
        "```\n" + "the cat\n" * 5_000 + "```",
        "| a | b |\n|---|---|\n" + "| the | cat |\n" * 3_000,
        "\n".join(f"# Heading {number}" for number in range(2_000)),
        ">" * 100_000,
        "a.b" * 30_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_the_laws_hold_for_text_without_an_end_to_cut_at(tokenizer: Tokenizer, text: str) -> None:
    document = document_of(text)
    chunks = split_document(document, tokenizer, 60, 10)
    assert_lawful(document, chunks, tokenizer, 60)
    assert len(chunks) >= len("".join(text.split())) // MAX_CHARACTERS


# Where a chunk ends


def test_a_document_without_text_has_no_chunks(tokenizer: Tokenizer) -> None:
    assert split_document(document_of(""), tokenizer) == []
    assert split_document(document_of("\ufeff \n"), tokenizer) == []


def test_a_short_document_is_one_chunk(tokenizer: Tokenizer) -> None:
    (chunk,) = split_document(document_of("\ufeff\r\n# Cat\r\n\r\nThe cat sat. \r\n"), tokenizer)
    assert (chunk.text, chunk.start, chunk.line, chunk.page) == ("# Cat\r\n\r\nThe cat sat.", 3, 2, 0)
    assert (chunk.heading, chunk.tokens) == ("Cat", 6)


def test_sections_are_kept_apart_and_named_by_their_headings(tokenizer: Tokenizer) -> None:
    text = f"# Guide\n\n{words(15)}\n\n## One\n\n{words(15)}\n\n## Two\n\n{words(15)}"
    chunks = split_document(document_of(text), tokenizer, 40, 10)
    assert [(chunk.heading, chunk.text.split("\n")[0], chunk.line) for chunk in chunks] == [
        ("Guide", "# Guide", 1),
        ("Guide > One", "## One", 5),
        ("Guide > Two", "## Two", 9),
    ]


def test_tiny_sections_of_one_parent_share_a_chunk(tokenizer: Tokenizer) -> None:
    text = "# Guide\n\n## One\n\nThe cat.\n\n## Two\n\nThe mat.\n\n# Other\n\n## Three\n\nThe dog."
    assert texts(split_document(document_of(text), tokenizer, 60, 10)) == [
        "# Guide\n\n## One\n\nThe cat.\n\n## Two\n\nThe mat.",
        "# Other\n\n## Three\n\nThe dog.",
    ]


def test_a_heading_stays_with_the_text_below_it(tokenizer: Tokenizer) -> None:
    text = "# The\n\n## Cat\n\n" + words(39) + " " + words(39)
    chunks = split_document(document_of(text), tokenizer, 40, 10)
    assert chunks[0].text.startswith("# The\n\n## Cat\n\nThe cat cat")
    assert all("cat cat" in chunk.text for chunk in chunks)


def test_a_heading_that_nothing_follows_joins_the_section_before(tokenizer: Tokenizer) -> None:
    text = f"# One\n\n### The\n\n{words(20)}\n\n# Two\n"
    assert texts(split_document(document_of(text), tokenizer, 60, 10)) == [text.strip()]


def test_a_chunk_ends_between_paragraphs_rather_than_inside_one(tokenizer: Tokenizer) -> None:
    first, second, third = words(18), words(18), f"{words(9)} {words(9)}"
    text = "\n\n".join([first, second, third, third, third])
    chunks = split_document(document_of(text), tokenizer, 41, 0)
    assert texts(chunks) == [f"{first}\n\n{second}", f"{third}\n\n{third}", third]


def test_a_long_paragraph_is_cut_between_sentences_and_then_between_words(tokenizer: Tokenizer) -> None:
    sentences = [words(15), words(15), words(15), words(70)]
    chunks = split_document(document_of(" ".join(sentences)), tokenizer, 30, 0)
    assert texts(chunks)[0] == f"{words(15)} {words(15)}"
    assert all(chunk.text.endswith(("cat", ".")) for chunk in chunks)


def test_a_long_sentence_is_cut_rather_than_leaving_a_chunk_nearly_empty(tokenizer: Tokenizer) -> None:
    half = split_document(document_of(f"{words(30)} {words(50)} {words(50)}"), tokenizer, 60, 0)
    assert half[0].text == words(30)
    nearly_empty = split_document(document_of(f"{words(5)} {words(58)} {words(58)}"), tokenizer, 60, 0)
    assert nearly_empty[0].tokens > 45


def test_code_and_tables_are_cut_between_lines(tokenizer: Tokenizer) -> None:
    lines = [f"the = cat({number})" for number in range(3)] * 10
    for text in ("```\n" + "\n".join(lines) + "\n```", "| a | b |\n|---|---|\n" + "\n".join(f"| {x} |" for x in lines)):
        chunks = split_document(document_of(text), tokenizer, 40, 10)
        assert len(chunks) > 3
        assert "\n".join(chunk.text for chunk in chunks) == text  # whole lines, none twice


def test_the_last_two_chunks_of_a_section_are_about_as_long(tokenizer: Tokenizer) -> None:
    text = "\n\n".join(words(10) for _ in range(11))  # 110 tokens in chunks of 100
    assert [chunk.tokens for chunk in split_document(document_of(text), tokenizer, 100, 0)] == [60, 50]


# Overlap


def test_the_next_chunk_repeats_whole_sentences_up_to_the_overlap(tokenizer: Tokenizer) -> None:
    sentences = [words(8, mark) for mark in "!?" * 10]
    chunks = split_document(document_of(" ".join(sentences)), tokenizer, 40, 17)
    for before, after in pairwise(chunks):
        repeated = before.text[after.start - before.start :]
        assert repeated in (f"{sentences[1]} {sentences[0]}", f"{sentences[0]} {sentences[1]}")


def test_nothing_is_repeated_where_the_last_sentence_is_too_long(tokenizer: Tokenizer) -> None:
    chunks = split_document(document_of(" ".join([words(20)] * 6)), tokenizer, 40, 19)
    assert texts(chunks) == [f"{words(20)} {words(20)}"] * 3


def test_nothing_is_repeated_across_sections(tokenizer: Tokenizer) -> None:
    text = "\n\n".join(f"# Part {part}\n\n" + " ".join([words(5)] * 12) for part in "abc")
    chunks = split_document(document_of(text), tokenizer, 40, 10)
    parts = [chunk for chunk in chunks if chunk.text.startswith("# Part")]
    assert [chunk.heading for chunk in parts] == ["Part a", "Part b", "Part c"]
    assert all("# Part" not in chunk.text[1:] for chunk in chunks)


# Limits


@pytest.mark.parametrize(("max_tokens", "overlap"), [(255, 30), (MIN_CHUNK_TOKENS - 1, 0), (0, 0), (40, 40), (40, -1)])
def test_limits_the_encoder_cannot_keep_are_refused(tokenizer: Tokenizer, max_tokens: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="chunk"):
        split_document(document_of("the cat"), tokenizer, max_tokens, overlap)


def test_the_chunkers_name_tells_its_limits_apart() -> None:
    others = [ChunkSettings(100, 30), ChunkSettings(200, 10), ChunkSettings(headings=False)]
    assert len({chunker_name(one) for one in (ChunkSettings(), *others)}) == 4
    assert chunker_name() == chunker_name(ChunkSettings())


# Outlines


def outline_of(text: str, tokenizer: Tokenizer, max_tokens: int = 40, format_name: str = "markdown") -> list[Chunk]:
    """The chunks of a document, whose outlines give exact slices of it."""
    chunks = split_document(document_of(text, format_name), tokenizer, max_tokens, 0)
    for chunk in chunks:
        assert all(text[lead.lead_start : lead.lead_end] == lead.text for lead in chunk.outline.leads)
        assert all(chunk.start <= section.start < chunk.end for section in chunk.outline.sections)
        assert Outline.from_json(chunk.outline.as_json()) == chunk.outline
    return chunks


def test_a_chunk_of_several_sections_tells_the_heading_above_each_place(tokenizer: Tokenizer) -> None:
    text = "# A\n\nOne.\n\n## B\n\nTwo.\n\n## C\n\nThree."
    (chunk,) = outline_of(text, tokenizer)
    found = {word: chunk.outline.heading_at(text.index(word), chunk.heading) for word in ("One", "Two", "Three")}
    assert found == {"One": "A", "Two": "A > B", "Three": "A > C"}
    assert chunk.outline.is_heading(text.index("## B"), text.index("## B") + 4)
    assert not chunk.outline.is_heading(text.index("Two"), text.index("Two") + 4)


def test_a_chunk_within_one_section_has_no_outline(tokenizer: Tokenizer) -> None:
    chunks = outline_of("# A\n\n" + " ".join([words(10)] * 12), tokenizer)
    assert len(chunks) > 2
    assert {chunk.outline for chunk in chunks[1:]} == {Outline()}
    assert {chunk.outline.as_json() for chunk in chunks[1:]} == {""}


@pytest.mark.parametrize(
    ("format_name", "table", "header"),
    [
        ("markdown", "| cat | bird |\n|---|---|\n" + "| the cat | one |\n" * 30, "| cat | bird |"),
        ("rst", "+---+---+\n| a | b |\n+===+===+\n" + "| c | d |\n+---+---+\n" * 20, "| a | b |"),
        ("asciidoc", "|===\n|cat\n|bird\n\n" + "|the cat\n|one\n\n" * 30 + "|===\n", "|cat\n|bird"),
    ],
)
def test_the_header_of_a_table_belongs_to_its_rows_in_every_chunk(
    tokenizer: Tokenizer, format_name: str, table: str, header: str
) -> None:
    chunks = outline_of(f"The cat sat.\n\n{table}\nThe bird.\n", tokenizer, format_name=format_name)
    rows = [chunk for chunk in chunks if chunk.text.startswith(("| the", "|the", "| c", "+---+---+\n| c"))]
    assert len(rows) > 1
    for chunk in rows:
        lead = chunk.outline.lead_at(chunk.start, chunk.start + 9)
        assert lead is not None
        assert lead.text == header


def test_the_sentence_before_a_list_belongs_to_its_items_and_to_nothing_else(tokenizer: Tokenizer) -> None:
    text = "The cat. It sat here:\n\n" + "- one bird\n" * 30 + "\nThe cat sat.\n"
    chunks = outline_of(text, tokenizer)
    lead = chunks[-2].outline.lead_at(chunks[-2].start, chunks[-2].start + 10)
    assert lead is not None
    assert lead.text == "It sat here:"
    assert chunks[-1].outline.lead_at(text.index("The cat sat"), len(text) - 1) is None


@pytest.mark.parametrize("format_name", ["markdown", "rst"])
@pytest.mark.parametrize("end", [":::", ":::tip", ".. note::"])
def test_colons_that_open_or_close_a_note_introduce_nothing(tokenizer: Tokenizer, end: str, format_name: str) -> None:
    text = f"The cat sat.\n{end}\n\n" + "- one bird\n" * 30
    assert all(chunk.outline.leads == () for chunk in outline_of(text, tokenizer, format_name=format_name))


def test_a_chunk_does_not_end_between_a_colon_and_what_it_introduces(tokenizer: Tokenizer) -> None:
    text = words(26) + "\n\nIt sat here:\n\n- one bird\n- one cat\n- one bird\n- one cat\n\n" + words(20)
    assert not any(chunk.text.endswith(":") for chunk in outline_of(text, tokenizer))


@pytest.mark.parametrize("between", ["```sh\n", "{{< tabs >}}\n\n```sh\n"])
def test_a_chunk_does_not_end_between_a_colon_and_the_code_it_introduces(tokenizer: Tokenizer, between: str) -> None:
    code = "the cat sat\n" * 8
    for before in range(5, 36):
        text = f"{words(before)}\n\nIt sat here:\n\n{between}{code}```\n\n{words(20)}"
        for chunk in outline_of(text, tokenizer, 60):
            assert not chunk.text.endswith((":", "```sh", ">}}"))


def test_a_chunk_knows_how_the_list_or_code_goes_on_that_it_ends_in(tokenizer: Tokenizer) -> None:
    text = "The cat sat here:\n\n" + "".join(f"- one bird. The cat {'sat ' * n}\n" for n in range(8)) + "\nThe end.\n"
    chunks = outline_of(text, tokenizer)
    assert len(chunks) > 2
    for chunk in chunks[:-1]:
        assert chunk.outline.following.strip()
        assert text.startswith(chunk.outline.following + "\n", chunk.end)
    assert chunks[-1].outline.following == ""


def test_a_chunk_of_a_web_page_knows_the_line_of_each_of_its_sentences(tokenizer: Tokenizer) -> None:
    markup = "<ul>\n<li>The cat\nsat\nhere. The bird\nsat.\n\n\n<li>The dog sat.\n</ul><p>One\nand\ntwo. Three.</p>" * 8
    page = extract_html(markup)
    document = Document("a", "html", "a", page.text, page.blocks, "utf-8", "", 0, True, page.line_marks)
    chunks = split_document(document, tokenizer, 40, 0)
    assert len(chunks) > 2
    for chunk in chunks:
        assert Outline.from_json(chunk.outline.as_json()) == chunk.outline
        for offset in range(chunk.start, chunk.end):
            assert chunk.outline.line_at(offset) == document.line_at(offset)
    dog = chunks[0].start + chunks[0].text.index("The dog")
    assert (chunks[0].outline.line_at(dog), chunks[0].line + chunks[0].text[: dog - chunks[0].start].count("\n")) == (
        8,
        3,
    )


def test_a_chunk_of_a_text_file_counts_its_lines_by_itself(tokenizer: Tokenizer) -> None:
    assert [chunk.outline.lines for chunk in outline_of("The cat.\n\nThe bird.\n", tokenizer)] == [()]


def test_the_outlines_of_many_headings_and_tables_are_found_in_order(tokenizer: Tokenizer) -> None:
    text = "".join(f"# H{n}\n\n| a{n} | b |\n|---|---|\n| {n} | d |\n\n" for n in range(300))
    for chunk in outline_of(text, tokenizer):
        for section in chunk.outline.sections:
            assert text.startswith(f"# {section.heading}\n", section.start) or section.start == section.end
        for lead in chunk.outline.leads:
            assert lead.text.startswith("| a")


def test_two_tables_with_a_blank_line_between_have_a_header_each() -> None:
    text = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| c | d |\n|---|---|\n| 3 | 4 |\n"
    document = Document("a.md", "markdown", "a", text, tuple(markdown_blocks(text)[1]), "utf-8", "", 0)
    assert [lead.text for lead in _leads(text, document.blocks)] == ["| a | b |", "| c | d |"]


@pytest.mark.parametrize(
    ("first_row", "header"),
    [
        ("|" + "cat " * 300, None),  # which is too long to come with every row
        ("|" + "cat " * 150 + "\n|" + "dog " * 150, ("|" + "cat " * 150).strip()),
        ("|cat\n|" + "dog " * 200, "|cat\n|" + ("dog " * 200).strip()),
    ],
)
def test_a_header_of_several_lines_is_a_whole_row_or_its_first_line_and_never_cut(
    first_row: str, header: str | None
) -> None:
    text = f"|===\n{first_row}\n\n|the\n|bird\n|===\n"
    assert next((lead.text for lead in _leads(text, document_of(text, "asciidoc").blocks)), None) == header
