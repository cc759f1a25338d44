"""Chunks of documents whose content the store holds already in, their codes out: what was moved or copied is not embedded.

Only codes of the same text are taken, whatever was expected of the two documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sql.records import Chunk, QuantizedVectors
    from sql.records.calibration import Calibration
    from sql.store import Snapshot


class Reused(NamedTuple):
    """The rows of a window that need no encoder, and their codes, (rows, dimensions)."""

    rows: list[int]
    codes: QuantizedVectors


def codes_of_twins(
    snapshot: Snapshot, chunks: Sequence[Chunk], twins: Sequence[UUID | None], calibration: Calibration | None
) -> Reused | None:
    """The codes of those chunks whose twin, a document that the store shows, has a chunk of the same text there.

    `twins` are the documents in which to look, one a chunk, None where there is none. None is returned where nothing is
    found, or codes of other ranges than `calibration` are.
    """
    documents = list(dict.fromkeys(twin for twin in twins if twin is not None))
    hits = snapshot.document_chunks(documents) if documents else []
    found = {(hit.document_id, hit.chunk_index): hit for hit in hits}
    matches = [
        (row, hit)
        for row, (chunk, twin) in enumerate(zip(chunks, twins, strict=True))
        if twin is not None and (hit := found.get((twin, chunk.index))) is not None and hit.text == chunk.text
    ]
    if not matches:
        return None
    codes = snapshot.hit_vectors([hit for _, hit in matches])
    return Reused([row for row, _ in matches], codes) if version(codes.calibration) == version(calibration) else None


def version(calibration: Calibration | None) -> int:
    """The number of a calibration, 0 where vectors have ranges of their own."""
    return calibration.version if calibration is not None else 0
