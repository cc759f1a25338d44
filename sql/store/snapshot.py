"""A store at one epoch: everything that is read of it there, and what needs to be read only once while the epoch lasts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from sys import intern
from typing import TYPE_CHECKING, Any, TypeVar

from sql.base.errors import StoreError, StoreMismatch
from sql.base.settings import CODE_BITS, STRATEGIES
from sql.engine.packed import read_vectors, unpack_vectors
from sql.engine.statements import Statement
from sql.records import Candidate, Hit, ListedDocument, LiveDocument, TextStatistics
from sql.records.calibration import Calibration
from sql.records.chunking import ChunkSettings
from sql.records.metadata import NO_METADATA, read_metadata
from sql.search.certificate import (
    QueryBound,
    bounded_hit,
    bounded_rival,
    certify,
    rivals_statement,
    rivals_wanted,
)
from sql.search.certificate_among_all import (
    REPLACED,
    Rounding,
    certify_among_all,
    rounding_statement,
)
from sql.search.everything import SCORED_ROW, Postings, postings_statement
from sql.search.filters import compile_filter, refuse_hopeless
from sql.search.holders import HELD_UP_TO, HELD_UP_TO_OF_SERVER, Holders
from sql.search.search import WIDER, Runner, Searcher, VectorSearch, code_values, documents_statement
from sql.search.signs import query_signs
from sql.search.small_store import SmallStore
from sql.search.words import (
    PLACE_ROW,
    best_places,
    bm25_statement,
    hybrid_hits_statement,
    large_bm25_statement,
    places_statement,
    word_hits_statement,
)
from sql.store.hit_reader import HitReader, hit_keys
from sql.store.places import read_place
from sql.store.stored import stored_chunk, stored_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from sql.engine.client import Client, Row
    from sql.records import Chunk, QuantizedQuery, QuantizedVectors, WordQuery
    from sql.records.metadata import MetadataValue
    from sql.records.places import Place
    from sql.search.certificate import Certificate, WordsShare
    from sql.search.certificate_among_all import Scored
    from sql.search.everything import Everything, Visible
    from sql.search.filters import Filter
    from sql.search.request import SearchRequest
    from sql.search.search import Step
    from sql.search.words import WordScores
    from sql.store.collection import Collection, CollectionTable

    Watch = Callable[[Step], None]

Counted = TypeVar("Counted", bound=Postings)

AUTO = STRATEGIES[0]
CELLS = "cells"
MOST_FREQUENCIES = 100_000  # terms whose frequency is remembered


def unwatched(step: Step) -> None:
    """Nobody hears of the statements that are run."""


@dataclass(eq=False)
class Snapshot:
    """Reads of one moment, whatever is written meanwhile. Safe from any thread.

    What it finds stays readable for as long as a statement may run after a later epoch has replaced it (sql/store/garbage.py).
    """

    client: Client
    made_with: CollectionTable
    searcher: Searcher
    _calibration: list[Calibration | None] = field(default_factory=list)  # empty until it was looked for
    _statistics: TextStatistics | None = None
    _frequencies: dict[str, int] = field(default_factory=dict)  # how many chunks hold each term
    _analyser_is_fresh: bool = False
    _rounding: Rounding | None = None

    def __post_init__(self) -> None:
        self._small = SmallStore(self.searcher)
        self._hits = HitReader(self.client)

    @property
    def epoch(self) -> int:
        """The moment that is read; 0 before anything was published."""
        return self.searcher.epoch

    # What the codes and words were made with

    @property
    def collection(self) -> Collection | None:
        """What the store was made with; None for one without tables."""
        return self.made_with.newest()

    @property
    def dimensions(self) -> int:
        """Numbers in one vector; 1 for a store without tables, which has none."""
        return self.collection.encoder.dimensions if self.collection else 1

    def calibration(self) -> Calibration | None:
        """The ranges that the codes share, None where each vector has its own or nothing is published.

        Raises StoreMismatch where they were fitted on vectors of another encoder.
        """
        collection = self.collection
        if collection is None or not collection.vector_quantizer.calibrated:
            return None
        if not self._calibration:
            rows = self.client.query(Statement("calibration", {"epoch": self.epoch}))
            self._calibration = [self.checked_calibration(rows[0]) if rows else None]
        return self._calibration[0]

    def checked_calibration(self, row: Row) -> Calibration:
        """The calibration of a row, if it is one for this store."""
        collection = self.collection
        calibration = Calibration.from_row(row, collection.vector_quantizer.bits if collection else CODE_BITS[0])
        made_by = collection.encoder.model_sha256 if collection else ""
        if calibration.model_sha256 != made_by:
            raise StoreMismatch(
                f"calibration {calibration.version} of {self.client.location} was fitted on vectors of the weights "
                f"{calibration.model_sha256[:8]} and the store holds those of {made_by[:8]}: "
                "ingest the documents into a new store with another --db"
            )
        return calibration

    def check_analyser(self, analyser: str) -> None:
        """Raises StoreMismatch where words cut by `analyser` cannot be compared with those of the store.

        Another process may make words anew, so the answer is looked up once an epoch.
        """
        if not self._analyser_is_fresh:
            self.made_with.forget()
            self._analyser_is_fresh = True
        self.made_with.check_analyser(analyser)

    # Search by vectors

    def search(self, query: QuantizedQuery, request: SearchRequest, watch: Watch = unwatched) -> list[Hit]:
        """The chunks nearest to the query, best first; exactly k if k are there. `watch` is told of every statement."""
        rows = self.searcher.search(self._vector_search(query, request), watch)
        return [read_hit(row) for row in rows]

    def candidates(self, query: QuantizedQuery, request: SearchRequest, watch: Watch = unwatched) -> list[Candidate]:
        """The same chunks by their keys: nothing else is read of them."""
        search = replace(self._vector_search(query, request), places_only=True)
        rows = self.searcher.search(search, watch)
        return [Candidate(row["generation"], row["chunk_index"], row["score"]) for row in rows]

    def search_statements(self, query: QuantizedQuery, request: SearchRequest) -> list[Statement]:
        """The statements of a search to be shown: the one that fixes the epoch, and the search at it.

        Of cells and two stages what is published is looked up afterwards, which is not among them.
        """
        search = self.searcher.first_statement(self._vector_search(query, request))
        return [self.client.localize(statement) for statement in (Statement("epoch"), search)]

    def search_documents(self, query: QuantizedQuery, request: SearchRequest) -> list[tuple[str, float]]:
        """Source and score of the k documents nearest to the query, each by its best chunk; always exact."""
        rows = self.client.query(documents_statement(self._vector_search(query, request)))
        return [(row["source"], row["score"]) for row in rows]

    def as_chosen(self, request: SearchRequest) -> SearchRequest:
        """A request that does not say how to search, as the store's budget has it; any other as it is.

        With a filter the way is chosen by what the filter leaves, and only what it takes is the budget's.
        """
        choice = self.collection.choice if self.collection else None
        said = request.strategy != AUTO or request.candidates is not None or request.probes is not None
        if choice is None or said:
            return request
        # as of a user whom a row policy keeps from them
        has_no_cells = choice.strategy == CELLS and not self.searcher.has_cells()
        return replace(
            request,
            strategy=AUTO if request.filter or has_no_cells else choice.strategy,
            candidates=choice.candidates_for(request.k),
            probes=choice.probes,
        )

    def _vector_search(self, query: QuantizedQuery, request: SearchRequest) -> VectorSearch:
        return VectorSearch(self.as_chosen(request), query, self.epoch, self.calibration())

    # Search by words

    def text_statistics(self) -> TextStatistics:
        """What BM25 has to know of all chunks."""
        found = self._statistics
        if found is None:
            rows = self.client.query(Statement("text_statistics", {"epoch": self.epoch}))
            found = self._statistics = TextStatistics(
                chunk_count=sum(row["chunk_count"] for row in rows),
                term_count=sum(row["term_count"] for row in rows),
                languages=tuple(str(row["language"]) for row in rows),
            )
        return found

    def term_frequencies(self, terms: Iterable[str], watch: Watch = unwatched) -> dict[str, int]:
        """How many chunks hold each of the terms; terms that none holds are left out. A term is counted once."""
        known = self._frequencies
        if len(known) > MOST_FREQUENCIES:
            known = self._frequencies = {}
        asked = sorted(set(terms))
        if new := [term for term in asked if term not in known]:
            values: dict[str, Any] = {"terms": new, "epoch": self.epoch}
            rows = Runner(self.client, watch)("rarity", Statement("term_frequencies", values))
            known |= dict.fromkeys(new, 0) | {row["term"]: row["chunk_count"] for row in rows}
        return {term: known[term] for term in asked if known[term]}

    def word_frequencies(self, words: Sequence[Sequence[str]], watch: Watch = unwatched) -> list[int]:
        """How many chunks hold each of some words in any of its forms, which are terms of no other word."""
        if not words:
            return []
        values: dict[str, Any] = {
            "terms": [form for forms in words for form in forms],
            "words": [number for number, forms in enumerate(words, start=1) for _ in forms],
            "epoch": self.epoch,
        }
        rows = Runner(self.client, watch)("rarity", Statement("word_frequencies", values))
        found = {row["word"]: row["chunk_count"] for row in rows}
        return [found.get(number, 0) for number in range(1, len(words) + 1)]

    def holders(self, terms: Sequence[str], watch: Watch = unwatched) -> Holders | None:
        """All postings of some terms in chunks that can be seen; None where there are too many to bring them here.

        How often the terms occur is remembered.
        """
        run = Runner(self.client, watch)
        most = HELD_UP_TO_OF_SERVER if self.client.is_server else HELD_UP_TO
        if self.searcher.table(run)["row_count"] > most or self.searcher.hidden_generations(run) is None:
            return None
        packed = run.packed("words", postings_statement(terms), SCORED_ROW.itemsize)
        return self._remembered(Holders.unpack(packed, terms, lambda every: self.searcher.shown(every, run)))

    def rank_by_words(
        self, query: WordQuery, request: SearchRequest, near: Sequence[Candidate] = (), watch: Watch = unwatched
    ) -> WordScores:
        """Places and BM25 scores of the k best chunks by words, of the chunks `near` first; none without a word.

        `per_document` of the request is how many of one document, besides those of the chunks `near`.
        """
        run = Runner(self.client, watch)
        if request.condition is not None or self.searcher.known_hidden() is None:
            rows = run("words", bm25_statement(query, request, self.epoch, near))
        else:
            rows = self._rank_in_large_table(query, request, near, run)
        return {(row["generation"], row["chunk_index"]): row["score"] for row in rows}

    def _rank_in_large_table(
        self, query: WordQuery, request: SearchRequest, near: Sequence[Candidate], run: Runner
    ) -> list[Row]:
        """The k best rows that are published, where a search by vectors has listed the hidden generations."""
        k = limit = request.k
        while (hidden := self.searcher.known_hidden()) is not None:
            rows = run("words", large_bm25_statement(query, replace(request, k=limit), self.epoch, near, hidden))
            published = self.searcher.published(rows, run)
            if len(published) >= k or len(rows) < limit:
                return published[:k]
            limit *= WIDER
        return run("words", bm25_statement(query, request, self.epoch, near))

    def word_hits(self, scores: WordScores, request: SearchRequest, watch: Watch = unwatched) -> list[Hit]:
        """The k best of chunks whose BM25 scores are known."""
        return [read_hit(row) for row in Runner(self.client, watch)("hits", word_hits_statement(scores, request))]

    def hybrid_hits(
        self,
        scores: WordScores,
        query: QuantizedQuery,
        request: SearchRequest,
        watch: Watch = unwatched,
        *,
        vector_share: float,
        most: float,
        in_sql: bool = False,
    ) -> list[Hit]:
        """The k best of chunks whose BM25 scores are known by both scores together.

        One statement reads their vectors and another one the texts of the k; `in_sql` does everything in one, which takes
        longer and says of itself what it ranks by.
        """
        search, run = self._vector_search(query, request), Runner(self.client, watch)
        if in_sql:
            statement = hybrid_hits_statement(scores, search, vector_share=vector_share, most=most)
            return [read_hit(row) for row in run("hits", statement)]
        places = list(scores)
        statement = places_statement(places, search, self.searcher.cells_of(places, run))
        packed = run.packed("scores", statement, PLACE_ROW.itemsize)
        return self.hits_at(best_places(packed, scores, request, vector_share, most), watch)

    # Search of everything

    def visible(self, watch: Watch = unwatched) -> Visible:
        """The generations that are published; of a large store not all of them. Read once an epoch."""
        return self._small.visible(watch)

    def score_everything(
        self, query: QuantizedQuery, request: SearchRequest, terms: Sequence[str], watch: Watch = unwatched
    ) -> Everything:
        """The inner products of all chunks that pass the filter, and all postings of some terms: for a small store.

        How often the terms occur is remembered.
        """
        return self._remembered(self._small.everything(self._vector_search(query, request), terms, watch))

    def postings(self, terms: Sequence[str], watch: Watch = unwatched) -> Everything:
        """All postings of some terms alone, and no filter: for a small store. How often the terms occur is remembered."""
        return self._remembered(self._small.postings(terms, watch))

    def _remembered(self, found: Counted) -> Counted:
        if len(self._frequencies) <= MOST_FREQUENCIES:
            self._frequencies |= found.term_counts
        return found

    def hits_at(
        self, scored: Sequence[tuple[tuple[int, ...], dict[str, float]]], watch: Watch = unwatched
    ) -> list[Hit]:
        """Hits from the places of chunks, generation and index, each with its scores by their names; in this order.

        Before them stands the cell where that is known. StoreError where one was collected since it was found.
        """
        rows = self._hits.rows([place for place, _ in scored], watch) if scored else []
        return [read_hit(row | scores) for row, (_, scores) in zip(rows, scored, strict=True)]

    def refuse_hopeless(self, given: Filter) -> None:
        """Raises InvalidFilter where a filter, which nothing has passed, asks for a name or a type that no chunk has."""
        rows = self.client.query(Statement("metadata_names", {"epoch": self.epoch}))
        refuse_hopeless(given, {row["name"]: set(row["types"]) for row in rows})

    # Hits

    def hit_vectors(self, hits: Sequence[Hit]) -> QuantizedVectors:
        """The stored vectors of hits, in their order; StoreError where one was collected since it was found."""
        if not hits:
            raise ValueError("there are no hits whose vectors could be read")
        return read_vectors(self._rows_of_hits(hits, Statement("hit_vectors", hit_keys(hits))), self.calibration())

    def with_outlines(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with the outlines of their chunks: which heading stands where, and the headers of tables."""
        outlines = self._hits.outlines(hits)
        return [replace(hit, outline=outline) for hit, outline in zip(hits, outlines, strict=True)]

    def with_places(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with the places of their text in the original; nothing is read where no chunk has one."""
        placed = [hit for hit in hits if hit.place_name]
        if not placed:
            return list(hits)
        found = self.span_places([(hit.generation, hit.start, hit.end) for hit in placed])
        known = {(hit.generation, hit.chunk_index): tuple(places) for hit, places in zip(placed, found, strict=True)}
        return [replace(hit, places=known.get((hit.generation, hit.chunk_index), ())) for hit in hits]

    def span_places(self, spans: Sequence[tuple[int, int, int]]) -> list[list[Place]]:
        """The places that hold some of each span, given as the generation of its document, start and end; in order."""
        if not spans:
            return []
        generations, starts, ends = (list(column) for column in zip(*spans, strict=True))
        values: dict[str, Any] = {"generations": generations, "starts": starts, "ends": ends}
        places = stored_places(self.client.query(Statement("span_places", values)))
        return [
            [place for place in places.get(generation, ()) if place.start < end and place.end > start]
            for generation, start, end in spans
        ]

    def hit_distances(self, query: QuantizedQuery, hits: Sequence[Hit]) -> list[int]:
        """In how many sign bits hits differ from a query, in their order."""
        signs = query_signs(query)
        values = hit_keys(hits) | {"query_signs": signs.hex(), "sign_bytes": len(signs)}
        return [row["distance"] for row in self._rows_of_hits(hits, Statement("hit_distances", values))]

    def certify(
        self, query: QuantizedQuery, request: SearchRequest, hits: Sequence[Hit], words: WordsShare | None = None
    ) -> Certificate:
        """What is proven of the hits of a request, by which vectors take part, about their order by float32 vectors.

        `query` is its vector as codes, and `words` the part of words in the scores, if they have one. All visible chunks
        that pass the filter are looked at, so it also says whether the search has missed one.
        """
        search, bound = self._bounded_search(query, request)
        values = code_values(query, search.calibration)
        rows = self._rows_of_hits(hits, Statement("hit_bounds", hit_keys(hits) | values))
        found = self.client.query(rivals_statement(search, values, bound, words))
        return certify(
            [bounded_hit(hit, row, bound, words) for hit, row in zip(hits, rows, strict=True)],
            [bounded_rival(row) for row in found],
            search.k,
            request.per_document,
            all_rivals=len(found) < rivals_wanted(search),
        )

    def certify_among_all(
        self, query: QuantizedQuery, request: SearchRequest, hits: Sequence[Hit], scored: Scored
    ) -> Certificate:
        """The same where the scores of all chunks that can be seen and pass the filter are at hand: for a small store."""
        search, bound = self._bounded_search(query, request)
        return certify_among_all(hits, scored, self.rounding(), search, bound)

    def _bounded_search(self, query: QuantizedQuery, request: SearchRequest) -> tuple[VectorSearch, QueryBound]:
        if request.vector is None:
            raise ValueError("a certificate is about the request's vector, and it has none")
        search = self._vector_search(query, request)
        return search, QueryBound.of(request.vector, query, search.calibration)

    def rounding(self) -> Rounding:
        """What rounding may have changed in every chunk that can be seen: for a small store. Read once an epoch."""
        rounding = self._rounding
        if rounding is None:
            packed = self.client.query_packed(rounding_statement())
            rounding = self._rounding = Rounding.unpack(packed, self.visible())
        return rounding

    def _rows_of_hits(self, hits: Sequence[Hit], statement: Statement) -> list[Row]:
        rows = self.client.query(statement) if hits else []
        found = {(row["cell"], row["generation"], row["chunk_index"]): row for row in rows}
        try:
            return [found[(hit.cell, hit.generation, hit.chunk_index)] for hit in hits]
        except KeyError as error:
            raise StoreError(REPLACED) from error

    # Documents and chunks

    def sample_vectors(self, rows: int) -> QuantizedVectors:
        """Vectors of some visible chunks, the same ones for the same content."""
        packed = self.client.query_packed(Statement("sample_vectors", {"epoch": self.epoch, "rows": rows}))
        return unpack_vectors(packed, self.dimensions, self.calibration())[2]

    def documents(self) -> list[LiveDocument]:
        """Every document, ordered by path."""
        return self.client.query_records(Statement("live_documents", {"epoch": self.epoch}), read_document)

    def some_documents(self, document_ids: Sequence[UUID]) -> list[LiveDocument]:
        """The documents of these ids, ordered by path; ids of no document are passed over."""
        rows = self.client.query(Statement("some_documents", self._of_documents(document_ids)))
        return [read_document(row) for row in rows]

    def document_metadata(self) -> dict[int, Mapping[str, MetadataValue]]:
        """The metadata of every document that has some, by generation; one without chunks has none."""
        rows = self.client.query(Statement("document_metadata", {"epoch": self.epoch}))
        return {row["generation"]: read_metadata(row["metadata"]) for row in rows}

    def listed_documents(self, given: Filter | None = None) -> list[ListedDocument]:
        """Every document with what people want to know of it, by path; with a filter those with a chunk that passes it."""
        rows = self.client.query(Statement("listed_documents", {"epoch": self.epoch}))
        if given:
            passing = self.passing_generations(given)
            rows = [row for row in rows if row["generation"] in passing]
        metadata = self.document_metadata()
        return [read_listed(row, metadata.get(row["generation"], NO_METADATA)) for row in rows]

    def passing_generations(self, given: Filter) -> set[int]:
        """The generations of the documents with a chunk that passes a filter; InvalidFilter for one that none can pass."""
        statement = Statement("filtered_generations", {"epoch": self.epoch}, compile_filter(given))
        passing = {row["generation"] for row in self.client.query(statement)}
        if not passing:
            self.refuse_hopeless(given)
        return passing

    def document_text(self, document: LiveDocument) -> str:
        """The text that the offsets of a document count in.

        Of a format that is not converted only chunks are stored: what lies between them was white space, and here it is
        line ends and spaces of the same number.
        """
        texts = self.client.query(Statement("whole_texts", {"generations": [document.generation]}))
        return str(texts[0]["text"]) if texts else joined_chunks(self.document_chunks([document.document_id]))

    def document_pages(self, document: LiveDocument) -> list[Place]:
        """The pages of a document that have text, in order; none where its format has no pages."""
        rows = self.client.query(Statement("document_pages", {"generation": document.generation}))
        return [read_place(row) for row in rows]

    def document_chunks(self, document_ids: Sequence[UUID]) -> list[Hit]:
        """Every chunk of these documents, in reading order, with the score 1; unknown ids are passed over."""
        rows = self.client.query(Statement("document_chunks", self._of_documents(document_ids)))
        return [read_hit(row) for row in rows]

    def _of_documents(self, document_ids: Sequence[UUID]) -> dict[str, Any]:
        return {"epoch": self.epoch, "document_ids": [str(document_id) for document_id in document_ids]}

    def chunk_texts(self) -> list[tuple[str, str]]:
        """Source and text of every chunk, in a fixed order."""
        rows = self.client.query(Statement("chunk_texts", {"epoch": self.epoch}))
        return [(row["source"], row["text"]) for row in rows]

    def chunks(self) -> list[tuple[LiveDocument, Chunk]]:
        """Every chunk with its document, in a fixed order."""
        documents = {document.generation: document for document in self.documents()}
        rows = self.client.query(Statement("visible_chunks", {"epoch": self.epoch}))
        return [(documents[row["generation"]], stored_chunk(row, row["tokens"])) for row in rows]

    def chunk_settings(self) -> ChunkSettings | None:
        """How the newest ingest has cut documents into chunks; None where no document came from a file."""
        rows = self.client.query(Statement("newest_chunker", {"epoch": self.epoch}))
        return ChunkSettings.of_chunker(rows[0]["chunker"]) if rows else None

    def chunk_count(self) -> int:
        """How many chunks can be seen."""
        return int(self.client.query(Statement("chunk_count", {"epoch": self.epoch}))[0]["chunk_count"])

    def damaged_documents(self) -> list[str]:
        """Paths of documents whose chunks are not what the manifest promises or cannot be; empty for a sound store."""
        values = {"epoch": self.epoch}
        rows = self.client.query(Statement("damaged_documents", values))
        rows += self.client.query(Statement("damaged_errors", values))
        rows += self.client.query(Statement("damaged_words", values))
        rows += self.client.query(Statement("damaged_places", values))
        return sorted({row["path"] for row in rows})


def read_hit(row: Row) -> Hit:
    """A hit from a row of a search."""
    values = {name: row[name] for name in Hit.__slots__ if name in row}
    values |= {"start": row["char_start"], "end": row["char_end"], "metadata": read_metadata(row["metadata"])}
    return Hit(**values)


def read_document(row: Row) -> LiveDocument:
    """A document from a row of the manifest."""
    # few texts for all documents: each row brings its own
    return LiveDocument(**{**row, "format": intern(str(row["format"])), "chunker": intern(str(row["chunker"]))})


def read_listed(row: Row, metadata: Mapping[str, MetadataValue] = NO_METADATA) -> ListedDocument:
    """A document from a row of the manifest, with what is shown of it."""
    more = ("place_count", "written_milliseconds")
    document = read_document({name: value for name, value in row.items() if name not in more})
    written_at = datetime.fromtimestamp(row["written_milliseconds"] / 1000, UTC)
    return ListedDocument(document, row["place_count"], written_at, metadata)


def joined_chunks(chunks: Sequence[Hit]) -> str:
    """The text that chunks in reading order are pieces of; two may share some of it, or leave white space out."""
    parts: list[str] = []
    position = 0
    for chunk in chunks:
        gap = chunk.start - position
        if gap > 0:
            parts.append("\n" * min(gap, 2) + " " * (gap - 2))
            position = chunk.start
        parts.append(chunk.text[position - chunk.start :])
        position = max(position, chunk.end)
    return "".join(parts)
