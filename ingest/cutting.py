"""What is asked of chunks, and how those of a store were made, in; how all of its documents are to be cut out.

A store has chunks of one kind: the settings of its newest ingest hold until others are named, and then for every document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.chunk import split_document
from sql.base.errors import UsageError
from sql.records.chunking import ChunkSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.document import Document
    from ingest.walk import Walk
    from rag.encoder.encoder import Encoder
    from sql.records import Chunk, DocumentWindow


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """What a user asks for; None is as the store has it, and in a new one the default."""

    size: int | None = None
    overlap: int | None = None
    headings: bool | None = None


AS_BEFORE = ChunkOptions()


def chosen_settings(
    options: ChunkOptions, stored: ChunkSettings | None, encoder: Encoder | None = None
) -> ChunkSettings:
    """The settings to cut with; `stored` are those of the store, None for a new one.

    Raises UsageError for chunks that cannot be, or that the encoder does not read.
    """
    known = stored or ChunkSettings()
    if options.size is not None and encoder is not None and options.size > encoder.max_document_tokens:
        raise UsageError(
            f"chunk size {options.size}: {encoder.identity.model} reads {encoder.max_document_tokens} tokens of a chunk: "
            "give no more than that"
        )
    try:
        return ChunkSettings(
            known.size if options.size is None else options.size,
            known.overlap if options.overlap is None else options.overlap,
            headings=known.headings if options.headings is None else options.headings,
        )
    except ValueError as error:
        raise UsageError(f"{error}: name another --chunk-size or --chunk-overlap") from error


def check_all_reached(
    found: Walk, windows: Iterable[DocumentWindow], stored: ChunkSettings | None, wanted: ChunkSettings
) -> None:
    """Raises UsageError where settings are new to a store and one of its documents would stay cut by others."""
    if stored is None or stored == wanted:
        return
    count, first = 0, ""
    for window in windows:
        for one in window.documents:
            cut = ChunkSettings.of_chunker(one.chunker)
            if one.chunk_count and cut not in {None, wanted} and not found.reaches(one.path):
                count, first = count + 1, first or one.path
    if count:
        raise UsageError(
            f"the store's chunks have {described(stored)}, and with {described(wanted)} every document has to be cut "
            f"again: {count} are not below the given paths ({first}): give their folders too, or leave the chunks as they are"
        )


def described(settings: ChunkSettings) -> str:
    """Settings in a few words, for messages."""
    headings = "with" if settings.headings else "without"
    return f"{settings.size} tokens, {settings.overlap} repeated, {headings} headings"


def fitting(settings: ChunkSettings, encoder: Encoder) -> tuple[int, int]:
    """The most tokens of a chunk and of its overlap: those of the settings, or less where the encoder reads less."""
    size = min(settings.size, encoder.max_document_tokens)
    return size, min(settings.overlap, size - 1)


def split(document: Document, encoder: Encoder, settings: ChunkSettings) -> list[Chunk]:
    """The chunks of a document, none longer than the encoder reads."""
    return split_document(document, encoder.tokenizer, *fitting(settings, encoder))
