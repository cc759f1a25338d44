"""Chunks of documents whose content the store holds already in, their codes out: what was moved or copied is not embedded.

Only codes of the same text, with the same headings above it, are taken, whatever was expected of the two documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rag.index.surroundings import embedded_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from rag.encoder.encoder import Encoder
    from sql.records import QuantizedVectors
    from sql.records.calibration import Calibration
    from sql.store import Snapshot


class Reused(NamedTuple):
    """The rows of a window that need no encoder, and their codes, (rows, dimensions)."""

    rows: list[int]
    codes: QuantizedVectors


class Wanted(NamedTuple):
    """What is embedded of a chunk, its place in its document, and a document in which to look, None where there is none."""

    text: str
    place: int
    twin: UUID | None


def codes_of_twins(
    snapshot: Snapshot, wanted: Sequence[Wanted], encoder: Encoder, calibration: Calibration | None
) -> Reused | None:
    """The codes of those chunks of which their twin, a document that the store shows, has embedded the same text.

    None is returned where nothing is found, or codes of other ranges than `calibration` are.
    """
    ids = list(dict.fromkeys(one.twin for one in wanted if one.twin is not None))
    documents = {document.document_id: document for document in snapshot.some_documents(ids)} if ids else {}
    hits = snapshot.with_outlines(snapshot.document_chunks(list(documents))) if documents else []
    found = {(hit.document_id, hit.chunk_index): hit for hit in hits}
    matches = [
        (row, hit)
        for row, one in enumerate(wanted)
        if one.twin is not None
        and (hit := found.get((one.twin, one.place))) is not None
        and embedded_text(hit, documents[one.twin], encoder) == one.text
    ]
    if not matches:
        return None
    codes = snapshot.hit_vectors([hit for _, hit in matches])
    return Reused([row for row, _ in matches], codes) if version(codes.calibration) == version(calibration) else None


def version(calibration: Calibration | None) -> int:
    """The number of a calibration, 0 where vectors have ranges of their own."""
    return calibration.version if calibration is not None else 0
