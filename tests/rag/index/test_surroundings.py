"""What the encoder reads of a chunk: the headings above it and the header of its table too, and never less than its text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support import hash_encoder

from ingest.chunk import split_document
from ingest.identity import manifest_document
from ingest.readers import markdown
from ingest.readers.raw_file import RawFile
from rag.index.surroundings import embedded_text, headings_above

if TYPE_CHECKING:
    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer
    from sql.records import Chunk, SourceDocument

HEADED = "# Guide\n\nThe cat sat on the mat.\n\n## Reset\n\n" + "The dog runs to the cat. " * 20
TABLE = "# Guide\n\n| name | age |\n|---|---|\n" + "".join(f"| cat | {number} |\n" for number in range(40))


@pytest.fixture
def encoder(tokenizer: Tokenizer) -> Encoder:
    return hash_encoder(tokenizer)[0]


def passages(text: str, encoder: Encoder, size: int = 40, name: str = "a.md") -> tuple[SourceDocument, list[Chunk]]:
    """A Markdown file as a document of a store, and its chunks."""
    (document,) = markdown.read(RawFile(name, name, "markdown", text.encode()))
    return manifest_document(document, f"/{name}"), split_document(document, encoder.tokenizer, size, 0)


def test_the_headings_that_a_chunk_does_not_hold_stand_above_its_text(encoder: Encoder) -> None:
    document, (first, second, *later) = passages(HEADED, encoder)
    assert embedded_text(first, document, encoder) == first.text
    assert second.text.startswith("## Reset")
    assert embedded_text(second, document, encoder) == f"Guide\n{second.text}"
    assert later
    for chunk in later:
        assert embedded_text(chunk, document, encoder) == f"Guide > Reset\n{chunk.text}"


def test_rows_have_the_header_of_their_table_above_them_and_the_chunk_stays_as_it_is(encoder: Encoder) -> None:
    document, (first, *later) = passages(TABLE, encoder)
    assert "| name | age |" in first.text
    for chunk in later:
        assert embedded_text(chunk, document, encoder) == f"Guide\n| name | age |\n{chunk.text}"
        assert chunk.text == TABLE[chunk.start : chunk.end]
        assert "name" not in chunk.text


def test_items_have_the_sentence_above_them_that_introduces_their_list(encoder: Encoder) -> None:
    text = "The cat has these toys:\n\n" + "".join(f"- the mat {number}\n" for number in range(40))
    document, (_, *later) = passages(text, encoder)
    assert {embedded_text(chunk, document, encoder).partition("\n")[0] for chunk in later} == {
        "The cat has these toys:"
    }


def test_a_title_is_the_first_heading_and_the_name_of_a_file_is_none(encoder: Encoder) -> None:
    document, chunks = passages("---\ntitle: Cats\n---\n## Reset\n\n" + "The dog runs. " * 20, encoder)
    assert headings_above(chunks[-1], document) == ["Cats", "Reset"]
    document, chunks = passages("The dog runs. " * 20, encoder, name="cats.md")
    assert (document.title, headings_above(chunks[-1], document)) == ("cats", [])


def test_a_document_that_was_cut_without_headings_is_embedded_without_them(encoder: Encoder) -> None:
    document, chunks = passages(TABLE, encoder)
    without = replace(document, chunker=document.chunker.replace("+headings", ""))
    assert embedded_text(chunks[-1], without, encoder) == f"| name | age |\n{chunks[-1].text}"


def test_what_does_not_fit_is_left_out_outermost_first_and_never_the_text(encoder: Encoder) -> None:
    text = "# " + "cat " * 30 + "\n\n## " + "dog " * 20 + "\n\n### Mat mat mat mat\n\n" + "The mat sat. " * 300
    kept = []
    for size in range(170, encoder.max_document_tokens + 1, 6):
        document, chunks = passages(text, encoder, size)
        chunk = chunks[1]
        embedded = embedded_text(chunk, document, encoder)
        assert embedded.endswith(chunk.text)
        assert encoder.reads_document(embedded)
        kept.append(embedded.removesuffix(chunk.text).rstrip("\n"))
    path = f"{'cat ' * 29}cat > {'dog ' * 19}dog > Mat mat mat mat"
    assert list(dict.fromkeys(kept)) == [path, path.partition(" > ")[2], "Mat mat mat mat", ""]


def test_a_header_that_does_not_fit_is_shortened(encoder: Encoder) -> None:
    header = "| " + " | ".join(f"name {number}" for number in range(100)) + " |"
    document, chunks = passages(f"{header}\n|---|\n" + "| the cat sat |\n" * 60, encoder)
    text = embedded_text(chunks[-1], document, encoder)
    lead, _, rest = text.partition("\n")
    assert rest == chunks[-1].text
    assert header.startswith(lead)
    assert len(lead) > 10
    assert encoder.reads_document(text)
    assert encoder.max_document_tokens - encoder.tokenizer.count(text) < 4


@pytest.mark.parametrize("prompt", ["", "passage: ", "passage:"])
def test_known_tokens_of_a_chunk_leave_out_what_counting_them_again_does(encoder: Encoder, prompt: str) -> None:
    encoder = replace(encoder, config=replace(encoder.config, document_prompt=prompt))
    text = "# " + "cat " * 30 + "\n\n## " + "dog, " * 20 + "\n\n### Mat-mat\u200bmat mat\n\n" + "The mat's sat. " * 300
    lengths = set()
    for size in range(120, encoder.max_document_tokens + 1):
        document, chunks = passages(text, encoder, size)
        for chunk in chunks[1:3]:
            embedded = embedded_text(chunk, document, encoder, chunk.tokens)
            assert embedded == embedded_text(chunk, document, encoder)
            lengths.add(len(embedded) - len(chunk.text))
    assert len(lengths) == 4  # all headings, one fewer, one, none
