"""A library in; out comes how its vectors have changed over days, folders and languages, and what to do about it.

Three things are looked at: codes at the ends of shared ranges, which later vectors may have outgrown; rounding errors and
lengths; and whether a sample of chunks, encoded again on this CPU, gets the very codes that are stored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.index.surroundings import embedded_text
from rag.index.vector_coder import VectorCoder, drift_threshold
from sql.base.errors import NoStore, RagError
from sql.base.wording import counted
from sql.engine.packed import read_vectors
from sql.engine.statements import Statement
from sql.store.stored import stored_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.library import Library
    from sql.engine.client import Row
    from sql.records import QuantizedVectors
    from sql.records.calibration import Calibration

FEWEST_CHUNKS = 20  # of a group: fewer say little about it
LARGER_ERROR = 1.5  # times the relative error of all chunks
LENGTH_MARGIN = 0.05  # by which a restored vector of length 1 is longer or shorter at most; a few thousandths are usual
# Of a vector encoded on another CPU, or by arithmetic of another kind, by the bits of a code: a step of 4 bits is 17 of 8.
LEAST_COSINE = {8: 0.999, 4: 0.99}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that has changed, and what helps."""

    finding: str
    remedy: str


@dataclass(frozen=True, slots=True)
class EncodedAgain:
    """A sample of chunks encoded on this CPU: how many have the stored codes, scale and zero-point byte for byte, which part
    of the numbers has other codes, and the least cosine of a stored and a new vector."""

    chunks: int
    identical: int
    other_codes: float
    least_cosine: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Rows of the view vector_drift, the sample, None where it could not be encoded, and what was found."""

    groups: list[Row]
    encoded_again: EncodedAgain | None
    findings: list[Finding]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def examine_drift(library: Library, sample: int) -> Drift:
    """Looks at all visible vectors, and encodes a sample of chunks again. Raises NoStore for an empty store."""
    store = library.store
    collection = store.collection()
    if collection is None:
        raise NoStore(f"the store {store.client.location} is empty: there is nothing to compare")
    snapshot = store.snapshot()
    groups = store.client.query(Statement("vector_drift", {"epoch": snapshot.epoch}))
    findings = [
        *unknown_findings(groups),
        *saturation_findings(groups, snapshot.calibration(), snapshot.dimensions),
        *error_findings(groups, shares_ranges=snapshot.calibration() is not None),
    ]
    try:
        again = encode_again(library, sample)
        findings += length_findings(groups) if library.encoder.config.normalized else []
        findings += encoding_findings(again, collection.vector_quantizer.bits)
    except RagError as error:
        again = None
        findings.append(Finding(f"no chunk was encoded again: {error}", "use the model that the store was made with"))
    return Drift(groups, again, findings)


def encode_again(library: Library, sample: int) -> EncodedAgain:
    """Encodes the same chunks whenever it is called for the same content, and compares their codes with the stored ones."""
    # Not that of questions: its arithmetic is of another kind, and gives codes that are near and not the same.
    store, encoder = library.store, library.document_encoder()
    snapshot = store.snapshot()
    rows = store.client.query(Statement("sample_chunks", {"epoch": snapshot.epoch, "rows": sample}))
    if not rows:
        return EncodedAgain(0, 0, 0.0, 1.0)
    documents = {document.generation: document for document in snapshot.documents()}
    texts = [embedded_text(stored_chunk(row, row["tokens"]), documents[row["generation"]], encoder) for row in rows]
    coder = VectorCoder.for_store(store, encoder.identity)
    return compared(read_vectors(rows, snapshot.calibration()), coder.encode(encoder.encode_documents(texts)))


def compared(stored: QuantizedVectors, new: QuantizedVectors) -> EncodedAgain:
    """Stored vectors and new ones of the same chunks, row by row."""
    other = stored.codes != new.codes
    same = ~other.any(axis=1) & (stored.scale == new.scale) & (stored.zero_point == new.zero_point)
    one, two = (vectors.dequantize().astype(np.float64) for vectors in (stored, new))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    cosines = np.einsum("ij,ij->i", one, two) / np.where(lengths > 0, lengths, 1)
    return EncodedAgain(len(stored), int(same.sum()), float(other.mean()), float(np.where(same, 1, cosines).min()))


def unknown_findings(groups: Sequence[Row]) -> Iterator[Finding]:
    """Chunks of an older version, whose rounding errors nobody knows."""
    unknown = sum(row["unknown_errors"] for row in groups)
    if unknown:
        yield Finding(
            f"the rounding errors of {counted(unknown, 'chunk')} are not known, because an older version did not keep them",
            "embed the documents again with `python -m ingest --reembed --model M`, M being the model of the store",
        )


def saturation_findings(groups: Sequence[Row], calibration: Calibration | None, dimensions: int) -> Iterator[Finding]:
    """Groups of which more numbers than in the sample lie at the ends of shared ranges, and so outside."""
    if calibration is None:
        return
    quantizer = calibration.quantizer
    # the part of numbers spread evenly over a range that get its two outermost codes
    ends = 1 / (quantizer.highest_code - quantizer.lowest_code)
    threshold = drift_threshold(calibration, dimensions) + ends
    for row in groups:
        if row["saturated"] > threshold:
            yield Finding(
                f"{row['saturated']:.2%} of the numbers of {described(row)} have the lowest or the highest code, and at most "
                f"{threshold:.2%} were to be expected: the ranges of calibration {calibration.version} cut them",
                "fit new ranges with `python -m ingest PATH... --recalibrate`, with all folders of the store",
            )


def error_findings(groups: Sequence[Row], *, shares_ranges: bool) -> Iterator[Finding]:
    """Groups whose vectors lose much more by rounding than those of the store do on average."""
    known = [row for row in groups if row["relative_error"] > 0]
    chunks = sum(row["chunk_count"] for row in known)
    usual = sum(row["relative_error"] * row["chunk_count"] for row in known) / chunks if chunks else 0.0
    for row in known:
        if row["chunk_count"] >= FEWEST_CHUNKS and row["relative_error"] > LARGER_ERROR * usual:
            yield Finding(
                f"rounding changes the vectors of {described(row)} by {row['relative_error']:.2%} of their length, those of "
                f"the store by {usual:.2%}",
                "fit new ranges with `python -m ingest PATH... --recalibrate`, with all folders of the store"
                if shares_ranges
                else "measure what that costs with `python -m rag report`, and ingest into a new store with `--range mse` if "
                "it is much",
            )


def length_findings(groups: Sequence[Row]) -> Iterator[Finding]:
    """Groups with vectors that are not as long as the encoder makes all of its own."""
    for row in groups:
        if not 1 - LENGTH_MARGIN <= row["least_norm"] <= row["greatest_norm"] <= 1 + LENGTH_MARGIN:
            yield Finding(
                f"vectors of {described(row)} have lengths from {row['least_norm']:.3f} to {row['greatest_norm']:.3f}, and the "
                "encoder makes all of length 1: they were cut, or are not its own",
                "fit new ranges with `python -m ingest PATH... --recalibrate` where vectors share them; else ingest the "
                "documents into a new store with another --db",
            )


def encoding_findings(again: EncodedAgain, bits: int) -> Iterator[Finding]:
    """A sample that has other codes now; a step here and there makes no difference to an answer."""
    if again.identical == again.chunks:
        return
    found = (
        f"{again.chunks - again.identical:,} of {counted(again.chunks, 'chunk')} get other codes on this CPU: "
        f"{again.other_codes:.2%} of the numbers, least cosine {again.least_cosine:.5f}"
    )
    if again.least_cosine >= LEAST_COSINE[bits]:
        yield Finding(found, "nothing needs to be done: that is the arithmetic of another CPU or of `--compute`")
    else:
        yield Finding(
            found, "the vectors are not those of this encoder: ingest the documents into a new store with another --db"
        )


def described(row: Row) -> str:
    """A group in a few words."""
    language = f", language {row['language']}" if row["language"] else ""
    return f"{row['folder'] or 'the top folder'} written on {row['day']}{language} ({counted(row['chunk_count'], 'chunk')})"


def drift_lines(drift: Drift) -> Iterator[str]:
    """The same for a person: a line a group, the sample, and every finding with its remedy."""
    yield f"{'day':10}  {'language':8}{'chunks':>9}{'saturated':>11}{'error':>8}{'length':>16}  folder"
    for row in drift.groups:
        length = f"{row['least_norm']:.3f}..{row['greatest_norm']:.3f}"
        yield (
            f"{row['day']:10}  {row['language']:8}{row['chunk_count']:9,}{row['saturated']:11.2%}{row['relative_error']:8.2%}"
            f"{length:>16}  {row['folder']}"
        )
    if again := drift.encoded_again:
        yield f"encoded again: {again.identical:,} of {counted(again.chunks, 'chunk')} have the stored codes, byte for byte"
    for one in drift.findings:
        yield f"{one.finding}: {one.remedy}"
    if not drift.findings:
        yield "nothing has drifted"
