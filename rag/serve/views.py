"""What the page shows beside an answer: where its citations stand, what the store holds, and what int8 costs there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.serve.answers import document_called, span_record, stored_text
from sql.base.errors import UsageError
from sql.base.terminal import shown_name

if TYPE_CHECKING:
    from rag.library import Library
    from rag.serve.bodies import Kept, KeptOne, Measure, Picture, PlacedSpan
    from sql.store import Snapshot

    Record = dict[str, Any]


def placed_span(library: Library, asked: PlacedSpan) -> Record:
    """A piece of a document with what stands before and behind it; UsageError as for `read_span`."""
    source, text = stored_text(library, asked.source)
    record = span_record(source, text, asked)
    start, end = record["start"], record["end"]
    return record | {
        "before": text[max(0, start - asked.around) : start],
        "after": text[end : end + asked.around],
    }


def picture(library: Library, asked: Picture) -> bytes:
    """A page of a PDF of the store as PNG, with the rectangles of a span marked, as `rag show --png` draws it.

    The document is one of the manifest, and its file is drawn only while its hash is the one stored there. UsageError for
    a document or page there is not, or one that cannot be drawn; DocumentChanged for a file that is another one now.
    """
    from ingest.readers.pdf.picture import draw_page
    from rag.commands.show import first_page, places_of, unchanged_file
    from sql.records.places import Rectangle

    snapshot = library.store.snapshot()
    document = document_called(snapshot, asked.source)
    source = shown_name(document.source)
    if asked.start >= asked.end:
        raise UsageError(f"the span {asked.start}..{asked.end} of {source} is empty: its end lies behind its start")
    places = places_of(snapshot, document, (asked.start, asked.end))
    page = asked.page or first_page(places)
    if page is None:
        raise UsageError(f"the span {asked.start}..{asked.end} is on no page of {source}: say which `page` to draw")
    rectangles = [place.where for place in places if isinstance(place.where, Rectangle)]
    data = unchanged_file(document)
    try:
        return draw_page(data, page, rectangles, source=source)
    except ValueError as error:
        raise UsageError(f"page {page}: {error}") from error


# What the store holds


def store(library: Library) -> Record:
    """Documents by format, chunks by language, and the numbers of `rag stats`."""
    from sql.upkeep.stats import stats_record

    if library.store.collection() is None:
        return {"documents": 0, "chunks": 0, "formats": [], "languages": [], "stats": None}
    stats = stats_record(library.stats())
    del stats["store"]  # a place on the machine of the server
    snapshot = library.store.snapshot()
    return {
        "documents": stats["documents"],
        "chunks": stats["live_rows"],
        "formats": formats(snapshot),
        "languages": languages(snapshot),
        "stats": stats,
    }


def formats(snapshot: Snapshot) -> list[Record]:
    """How many documents and bytes there are of each format, the most common one first."""
    from sql.engine.statements import Statement

    return list(map(dict, snapshot.client.query(Statement("format_statistics", {"epoch": snapshot.epoch}))))


def languages(snapshot: Snapshot) -> list[Record]:
    """How many chunks there are of each language, the most common one first; "" is that of chunks without words."""
    from sql.engine.statements import Statement

    rows = snapshot.client.query(Statement("text_statistics", {"epoch": snapshot.epoch}))
    return [{"language": row["language"], "chunks": row["chunk_count"]} for row in rows]


# What was asked


def queries(library: Library, asked: Kept) -> Record:
    """The newest questions that were kept; none, and `kept` false, where this server keeps no questions."""
    from rag.commands.queries import query_record
    from sql.store.query_log import QueryLog

    if library.log is None:
        return {"kept": False, "queries": []}
    return {"kept": True, "queries": [query_record(row) for row in QueryLog(library.store).newest(asked.limit)]}


def explained(library: Library, asked: KeptOne) -> Record:
    """Why a question that was kept was answered so, as `rag explain --json`; NoSuchQuery for one there is not."""
    from rag.commands.queries import explained_record
    from sql.store.query_log import NoSuchQuery, QueryLog

    if library.log is None:
        raise NoSuchQuery("this server keeps no questions: start it with RAG_LOG_QUERIES=1")
    kept = QueryLog(library.store)
    _, rows = kept.explain(kept.find(str(asked.query_id))["query_id"])
    return explained_record(rows)


# What int8 costs


def ladder(library: Library, asked: Measure) -> Record:
    """What `rag report --ladder` measures, with chunks of the store as questions."""
    from rag.evaluate.ladder import measure_ladder

    return measure_ladder(library.store.snapshot(), questions=asked.sample).record()


def losses(library: Library, asked: Measure) -> Record:
    """What `rag report` measures; StoreError where the store keeps no float32 vectors."""
    from rag.encoder.encoder import load_float_encoder
    from rag.evaluate.report import report_losses

    encoder = library.encoder
    return report_losses(
        library.store, encoder, lambda: load_float_encoder(library.settings, encoder), None, asked.sample
    )
