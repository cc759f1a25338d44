"""What a store holds of a document in, the records it was made of out: for what is written again somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sql.records import Chunk, Outline, SourceDocument
from sql.records.metadata import read_metadata
from sql.store.places import read_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sql.engine.client import Row
    from sql.records.places import Place


def stored_document(row: Row, text: str | None, metadata: str, places: Sequence[Place] = ()) -> SourceDocument:
    """The document of a manifest row; `text` is its extracted text, None where it has none."""
    names = ("path", "source", "title", "format", "encoding", "content_sha256", "chunker")
    return SourceDocument(
        **{name: str(row[name]) for name in names},
        content_bytes=row["content_bytes"],
        extracted_text=text,
        metadata=read_metadata(metadata),
        places=places,
    )


def stored_places(rows: Iterable[Row]) -> dict[int, list[Place]]:
    """The places of rows by their generation."""
    found: dict[int, list[Place]] = {}
    for row in rows:
        found.setdefault(row["generation"], []).append(read_place(row))
    return found


def stored_chunk(row: Row, tokens: int) -> Chunk:
    """The chunk of a row; an older export has no outline and no name of its place. `tokens` are those of its encoder."""
    return Chunk(
        index=row["chunk_index"],
        text=row["text"],
        start=row["char_start"],
        end=row["char_end"],
        line=row["line"],
        page=row["page"],
        heading=row["heading"],
        tokens=tokens,
        outline=Outline.from_json(row.get("outline", "")),
        place_name=row.get("place_name", ""),
    )
