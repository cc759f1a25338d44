"""A store as LangChain sees it: a VectorStore, in which each document is a row.

Each LangChain document is one document of the store with one chunk, so it appears, changes and disappears whole:

    store = QuantizedSQLVectorStore(Int8DistilBertEmbeddings(), ".rag")
    store.add_texts(["The kiln is fired at 1240 degrees."], [{"source": "kiln.md"}], ids=["kiln"])
    store.similarity_search("How hot is the kiln?", k=1)

Nothing else imports this module, and LangChain with it.
"""

from __future__ import annotations

import asyncio
import warnings
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from langchain_core.vectorstores import VectorStore

from rag.encoder.encoder import choose_model
from rag.index.indexer import Indexer
from rag.index.word_index import add_words
from rag.int8.quantization import finite_floats, quantize_query
from rag.langchain.documents import PATH_PREFIX, chunk_place, document_id, make_entries, read_document, stored_filter
from rag.langchain.embeddings import Int8DistilBertEmbeddings, unit_length
from rag.library import Library
from rag.retrieve.mmr import choose_diverse, query_cosines
from rag.retrieve.retriever import Retriever
from rag.text.analyser import ANALYSER, chunk_words
from sql.base.errors import InvalidVector, StoreError, StoreMismatch, UsageError
from sql.base.settings import CODE_BITS, LANGUAGES, QUANTIZERS, read_settings
from sql.records import MAX_DIMENSIONS, EncoderIdentity
from sql.records.calibration import Quantizer
from sql.search.request import SearchRequest
from sql.store import GRACE_SECONDS, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.langchain.documents import Entry
    from sql.records import Hit, QuantizedQuery, QuantizedVectors
    from sql.search.filters import Filter

VECTOR = "vector"  # the ranking whose scores are cosines, which is what LangChain means by similarity
LANGCHAIN_K = 4  # LangChain's own
FETCH_K = 20  # candidates of a diverse search, LangChain's own
BATCH = 500  # documents that are embedded, stored and published together
MODEL_ATTRIBUTES = ("model", "model_name", "model_id", "deployment")  # where embeddings keep the name of their model


# The vector store


class QuantizedSQLVectorStore(VectorStore):
    """A store of int8 vectors in SQL as a LangChain vector store.

    Any embeddings may be used: their float vectors are scaled to length 1 and quantized here. The store remembers which
    embedding made its vectors and refuses another. It can also be one that `python -m ingest` filled: its chunks come
    back as documents with the metadata `source`, `start`, `end`, `line`, `page` and `heading`.

    Scores are cosines: 1 for the same direction, 0 for unrelated texts, down to -1. Relevance scores are the same with
    everything below 0 as 0. Every search takes `filter`, a mapping such as `{"year": {"$gte": 2020}}` over the metadata
    (`sql/search/filters.py`), and `per_document`, the most chunks of one document. Safe to use from any thread; asynchronous
    methods never block the event loop.
    """

    def __init__(
        self,
        embedding: Embeddings | None = None,
        location: str | None = None,
        *,
        embedding_name: str | None = None,
        quantizer: str = QUANTIZERS[0],
        bits: int = CODE_BITS[0],
        language: str = LANGUAGES[0],
        read_only: bool = False,
    ) -> None:
        """Opens the store at a folder or DSN, by default RAG_DB or `.rag`; a new one gets its tables with the first text.

        `embedding` is by default the int8 encoder that the store was made with. `embedding_name` is what the store
        remembers of other embeddings, by default their class and model. `quantizer`, asymmetric or symmetric, and `bits`
        of a code, 8 or 4, are for a new store. `language` is that of the words: a code such as `en`, `none`, or `auto` to
        find it out text by text; a text that shows none gets that of the others.
        Raises StoreBusy where another process has the store, StoreError for a read-only one that is not there.
        """
        for name, value, known in (("quantizer", quantizer, QUANTIZERS), ("language", language, LANGUAGES)):
            if value not in known:
                raise UsageError(f"the {name} {value!r} is not known: give one of {', '.join(known)}")
        if bits not in CODE_BITS:
            raise UsageError(f"codes of {bits} bits cannot be stored: give {' or '.join(map(str, CODE_BITS))}")
        self.location = location or read_settings().store
        self.store = Store.open(self.location, write=not read_only)
        model = choose_model(read_settings(), None, self.store.collection())
        self._embedding = embedding or Int8DistilBertEmbeddings(model)
        self._embedding_name = embedding_name
        self._quantizer = Quantizer(QUANTIZERS[0]).changed(quantizer, bits=bits)
        self._language = language
        self._library = Library(self.store, self._own_encoder, language=language)
        if not isinstance(self._embedding, Int8DistilBertEmbeddings):
            self._library.retriever = Retriever()  # how it cuts words is not known here
        self._indexer: Indexer | None = None
        self._swept_at = monotonic()

    def close(self) -> None:
        """Gives the store back, so that another process can open it."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def embeddings(self) -> Embeddings:
        """The embeddings that were given, or those the store was made with."""
        return self._embedding

    def _own_encoder(self) -> Encoder:
        if not isinstance(self._embedding, Int8DistilBertEmbeddings):
            raise UsageError(f"{embedding_name(self._embedding)} embeds texts, which this search does not do itself")
        return self._embedding.encoder

    # Writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int = BATCH,
        **kwargs: Any,
    ) -> list[str]:
        """Stores texts with their metadata and returns their ids; a text whose id is there takes that one's place.

        Texts are embedded and published `batch_size` at a time, and each batch appears at once. Without an id a text
        gets a UUID. Raises ValueError where the numbers of texts, metadatas and ids differ, InvalidMetadata for what JSON
        cannot hold, StoreMismatch where the store was made with another embedding.
        """
        refuse_others(kwargs)
        entries = make_entries(texts, metadatas, ids)
        for batch in in_groups(entries, batch_size):
            self._write(batch, self.embeddings.embed_documents([entry.text for entry in batch]))
        return [entry.id for entry in entries]

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int = BATCH,
        **kwargs: Any,
    ) -> list[str]:
        """The same, with the embeddings' own asynchronous method and the database in a thread."""
        refuse_others(kwargs)
        entries = make_entries(texts, metadatas, ids)
        for batch in in_groups(entries, batch_size):
            vectors = await self.embeddings.aembed_documents([entry.text for entry in batch])
            await asyncio.to_thread(self._write, batch, vectors)
        return [entry.id for entry in entries]

    def delete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> bool:
        """Deletes documents by their ids, or without ids all that came through LangChain; unknown ids are no error.

        Raises StoreError for the id of a chunk that `python -m ingest` has written.
        """
        refuse_others(kwargs)
        if self.store.collection() is None:
            return True
        with self.store.writing:
            if ids is None:
                found = [each for each in self.store.snapshot().documents() if each.path.startswith(PATH_PREFIX)]
                self.store.writer.publish([], found)
            for batch in in_groups(list(dict.fromkeys(ids or ()))):
                documents = self.store.snapshot().some_documents([document_id(each) for each in batch])
                known = {each.path.removeprefix(PATH_PREFIX) for each in documents}
                self._refuse_ingested([each for each in batch if each not in known])
                self.store.writer.publish([], documents)
            self._sweep()
        return True

    async def adelete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> bool:
        """The same in a thread."""
        return await asyncio.to_thread(self.delete, ids, **kwargs)

    def _write(self, entries: Sequence[Entry], floats: Sequence[Sequence[float]]) -> None:
        """Quantizes and publishes one batch."""
        rows = self._rows(floats)
        if len(rows) != len(entries):
            raise InvalidVector(f"the embedding made {len(rows)} vectors of {len(entries)} texts")
        newest = {entry.id: row for row, entry in enumerate(entries)}  # of an id given twice, the last text counts
        with self.store.writing:
            indexer = self._prepare(rows.shape[1])
            drafts = [(self.store.writer.begin(entries[row].document), entries[row].chunk) for row in newest.values()]
            # A sentence is little to tell a language by: one that shows none gets that of the texts around it.
            languages = indexer.languages.choose_all([chunk.text for _, chunk in drafts])
            words = [chunk_words(chunk.text, language) for (_, chunk), language in zip(drafts, languages, strict=True)]
            indexer.add(drafts, rows[list(newest.values())], words)
            self.store.writer.publish([draft for draft, _ in drafts])
            self._sweep()

    def _prepare(self, dimensions: int) -> Indexer:
        """What writes rows; makes the tables of a new store, and an old one's words anew where another analyser made them.

        Raises StoreMismatch where an old one holds vectors of another embedding.
        """
        if dimensions > MAX_DIMENSIONS:
            raise InvalidVector(f"vectors of {dimensions} dimensions: at most {MAX_DIMENSIONS} can be searched exactly")
        self._check_embedding(dimensions)
        if self.store.collection() is None:
            self.store.prepare(self._identity(dimensions), self._quantizer.name, ANALYSER)
        add_words(self.store, self._language)
        if self._indexer is None:
            self._indexer = Indexer(self.store, self._identity(dimensions), self._language)
        return self._indexer

    def _sweep(self) -> None:
        """Now and then removes versions that nobody can be reading any more."""
        if monotonic() - self._swept_at > GRACE_SECONDS:
            self.store.garbage.collect(GRACE_SECONDS)
            self._swept_at = monotonic()

    def _refuse_ingested(self, ids: Sequence[str]) -> None:
        """Raises StoreError where an id is that of a chunk which belongs to a file."""
        chunks = {each: place for each in ids if (place := chunk_place(each)) is not None}
        for document in self.store.snapshot().some_documents([place[0] for place in chunks.values()]) if chunks else ():
            raise StoreError(
                f"a chunk of {document.source} cannot be deleted alone: remove the file and run `python -m ingest` again"
            )

    # Reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of these ids in the order of the ids; unknown ids are left out."""
        if self.store.collection() is None:
            return []
        places = {each: chunk_place(each) or (document_id(each), 0) for each in ids}
        found: dict[str, Document] = {}
        for batch in in_groups(sorted({place[0] for place in places.values()} | {document_id(each) for each in ids})):
            chunks = self.store.snapshot().document_chunks(batch)
            found |= {str(document.id): document for document in self._documents(chunks)}
        return [found[each] for each in ids if each in found]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The same in a thread."""
        return await asyncio.to_thread(self.get_by_ids, ids)

    def similarity_search(self, query: str, k: int = LANGCHAIN_K, **kwargs: Any) -> list[Document]:
        """The k documents nearest to a text, nearest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    async def asimilarity_search(self, query: str, k: int = LANGCHAIN_K, **kwargs: Any) -> list[Document]:
        """The same, with the embeddings' own asynchronous method and the database in a thread."""
        return [document for document, _ in await self.asimilarity_search_with_score(query, k, **kwargs)]

    def similarity_search_by_vector(
        self, embedding: Sequence[float], k: int = LANGCHAIN_K, **kwargs: Any
    ) -> list[Document]:
        """The k documents nearest to a vector, nearest first."""
        return [document for document, _ in self._nearest(embedding, k, **kwargs)]

    async def asimilarity_search_by_vector(
        self, embedding: Sequence[float], k: int = LANGCHAIN_K, **kwargs: Any
    ) -> list[Document]:
        """The same in a thread."""
        return await asyncio.to_thread(self.similarity_search_by_vector, embedding, k, **kwargs)

    def similarity_search_with_score(
        self, query: str, k: int = LANGCHAIN_K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The k documents that fit a text best, each with its score, best first.

        `ranking` says what is compared: `vector` meanings, where the score is the cosine; `words`, and `hybrid` both,
        where it is that of the project's own search. Raises UsageError for another one. `mode` is its former name.
        With `certify` the metadata of each has `float32`: between what its score by float32 vectors lies, and whether it
        is certain to be one of the k best by them.
        """
        if self.store.collection() is None:
            return []
        options = with_ranking(kwargs)
        vector = self._checked(self.embeddings.embed_query(query)) if needs_vector(options) else None
        return self._best(query, vector, k, **options)

    async def asimilarity_search_with_score(
        self, query: str, k: int = LANGCHAIN_K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same, with the embeddings' own asynchronous method and the database in a thread."""
        if await asyncio.to_thread(self.store.collection) is None:
            return []
        options = with_ranking(kwargs)
        if not needs_vector(options):
            return await asyncio.to_thread(self._best, query, None, k, **options)
        vector = await self.embeddings.aembed_query(query)
        return await asyncio.to_thread(lambda: self._best(query, self._checked(vector), k, **options))

    def max_marginal_relevance_search(
        self, query: str, k: int = LANGCHAIN_K, fetch_k: int = FETCH_K, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """k of the fetch_k documents nearest to a text that are also unlike each other.

        lambda_mult 1 looks at the nearness alone, 0 at the differences alone.
        """
        if self.store.collection() is None:
            return []
        vector = self._checked(self.embeddings.embed_query(query))
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    async def amax_marginal_relevance_search(
        self, query: str, k: int = LANGCHAIN_K, fetch_k: int = FETCH_K, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """The same, with the embeddings' own asynchronous method and the database in a thread."""
        if await asyncio.to_thread(self.store.collection) is None:
            return []
        vector = await self.embeddings.aembed_query(query)
        search = self.max_marginal_relevance_search_by_vector
        return await asyncio.to_thread(lambda: search(self._checked(vector), k, fetch_k, lambda_mult, **kwargs))

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = LANGCHAIN_K,
        fetch_k: int = FETCH_K,
        lambda_mult: float = 0.5,
        **kwargs: Any,
    ) -> list[Document]:
        """k of the fetch_k documents nearest to a vector that are also unlike each other."""
        if self.store.collection() is None:
            return []
        query = self._query(embedding)
        hits = self._find(query, max(k, fetch_k), **kwargs)
        if not hits:
            return []
        vectors = self.store.snapshot().hit_vectors(hits)
        rows = choose_diverse(self._cosines(query, hits, vectors), vectors, k, lambda_mult)
        return self._documents([hits[row] for row in rows])

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = LANGCHAIN_K,
        fetch_k: int = FETCH_K,
        lambda_mult: float = 0.5,
        **kwargs: Any,
    ) -> list[Document]:
        """The same in a thread."""
        search = self.max_marginal_relevance_search_by_vector
        return await asyncio.to_thread(search, embedding, k, fetch_k, lambda_mult, **kwargs)

    def _best(
        self,
        query: str,
        vector: Sequence[float] | None,
        k: int,
        *,
        ranking: str = VECTOR,
        filter: Filter | None = None,  # noqa: A002 - the word everyone uses for it
        per_document: int | None = None,
        certify: bool = False,
        rerank: str | None = None,
    ) -> list[tuple[Document, float]]:
        """The documents that fit a text and its vector best by a ranking, or by a cross-encoder, each with its score."""
        if ranking == VECTOR and vector is not None and not certify and not rerank:
            return self._nearest(vector, k, filter=filter, per_document=per_document)
        row = None if vector is None else self._rows([vector])[0]
        wanted = None if filter is None else stored_filter(filter)
        request = SearchRequest(query, k, row, wanted, ranking, per_document=per_document, language=self._language)
        if certify:
            return self._certified(request, rerank)
        return [(read_document(hit), hit.score) for hit in self._library.search(request, rerank=rerank)]

    def _certified(self, request: SearchRequest, rerank: str | None) -> list[tuple[Document, float]]:
        """The documents of a search, with what is proven of each score under the name `float32` of their metadata."""
        if not self._has_unit_length():
            raise UsageError(
                "certify: the vectors of this model are not normalized, so a score here is no inner product that could be "
                "certified: use `certified_search` of rag.Library"
            )
        hits, certificate = self._library.certified_search(request, rerank=rerank)
        documents = [read_document(hit) for hit in hits]
        for place, document in enumerate(documents):
            document.metadata["float32"] = certificate.hit_record(place)
        return [(document, hit.score) for document, hit in zip(documents, hits, strict=True)]

    def _documents(self, hits: Sequence[Hit]) -> list[Document]:
        """Hits as LangChain's documents, with their places in the original where they have any."""
        placed = self.store.snapshot().with_places(hits) if any(hit.place_name for hit in hits) else hits
        return [read_document(hit) for hit in placed]

    def _nearest(self, embedding: Sequence[float], k: int, **kwargs: Any) -> list[tuple[Document, float]]:
        """The documents nearest to a vector, each with its cosine."""
        if self.store.collection() is None:
            return []
        query = self._query(embedding)
        hits = self._find(query, k, **kwargs)
        cosines = self._cosines(query, hits).tolist()
        found = list(zip(self._documents(hits), cosines, strict=True))
        return sorted(found, key=lambda pair: -pair[1])

    def _cosines(
        self, query: QuantizedQuery, hits: Sequence[Hit], vectors: QuantizedVectors | None = None
    ) -> NDArray[np.float64]:
        """The cosines of a query with hits, float64 (hits,); their vectors are looked up where they are needed."""
        if self._has_unit_length():
            # Codes are rounded, so that the product of two vectors of length 1 may be a little more than 1.
            return np.asarray(np.clip(np.array([hit.score for hit in hits]), -1, 1))
        if not hits:
            return np.empty(0)
        return query_cosines(query, self.store.snapshot().hit_vectors(hits) if vectors is None else vectors)

    def _find(
        self,
        query: QuantizedQuery,
        k: int,
        *,
        filter: Filter | None = None,  # noqa: A002 - the word everyone uses for it
        per_document: int | None = None,
    ) -> list[Hit]:
        """The k chunks nearest to a query."""
        wanted = None if filter is None else stored_filter(filter)
        snapshot = self.store.snapshot()
        hits = snapshot.search(query, SearchRequest(k=k, filter=wanted, per_document=per_document))
        if wanted and not hits:
            snapshot.refuse_hopeless(wanted)
        return hits

    def _query(self, embedding: Sequence[float]) -> QuantizedQuery:
        """A float vector as the query of a search; StoreMismatch where the store's vectors have other dimensions."""
        (row,) = self._rows([embedding])
        collection = self.store.collection()
        if collection is not None and collection.encoder.dimensions != len(row):
            raise StoreMismatch(
                f"the vectors of {self.location} have {collection.encoder.dimensions} dimensions and the query has "
                f"{len(row)}: use the embedding {collection.encoder.model}, or another location"
            )
        return quantize_query(row)

    def _rows(self, vectors: Sequence[Sequence[float]]) -> NDArray[np.float32]:
        """Vectors of the embedding as float32 (n, dimensions), as they are stored and searched with."""
        if len({len(vector) for vector in vectors}) > 1:
            raise InvalidVector("the embedding made vectors of different lengths")
        rows = finite_floats(vectors, "vectors", ("row", "dimension")).astype(np.float64)
        # Those of our own encoder are as they should be, and scaled again would differ in their last bit.
        own = isinstance(self.embeddings, Int8DistilBertEmbeddings)
        return (rows if own else unit_length(rows)).astype(np.float32)

    def _has_unit_length(self) -> bool:
        """Whether stored vectors have length 1: all but those of an int8 encoder whose own are not normalized."""
        embeddings = self.embeddings
        return not isinstance(embeddings, Int8DistilBertEmbeddings) or embeddings.encoder.config.normalized

    def _checked(self, vector: list[float]) -> list[float]:
        """A vector of the embeddings themselves; StoreMismatch where the store was made with others."""
        self._check_embedding(len(vector))
        return vector

    def _check_embedding(self, dimensions: int) -> None:
        """Raises StoreMismatch where the store was made with another embedding."""
        collection = self.store.collection()
        identity = self._identity(dimensions)
        if collection is not None and collection.encoder != identity:
            stored = collection.encoder
            raise StoreMismatch(
                f"the vectors of {self.location} were made by {stored.model} ({stored.dimensions} dimensions), and now "
                f"{identity.model} ({dimensions}) is in use: open the store with that embedding, or use another location"
            )

    def _identity(self, dimensions: int) -> EncoderIdentity:
        """What the store remembers of the embedding."""
        if isinstance(self.embeddings, Int8DistilBertEmbeddings):
            return self.embeddings.encoder.identity
        name = self._embedding_name or embedding_name(self.embeddings)
        return EncoderIdentity(name, "", "", "", "unknown", "unknown", dimensions, 0)

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = LANGCHAIN_K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        refuse_unbounded(kwargs)
        return super()._similarity_search_with_relevance_scores(query, k, **kwargs)

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = LANGCHAIN_K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        refuse_unbounded(kwargs)
        return await super()._asimilarity_search_with_relevance_scores(query, k, **kwargs)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """A score as a relevance: 1 for the same direction, 0 for unrelated and for opposed texts."""
        return lambda score: min(1.0, max(0.0, score))

    # Making one

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Opens a store, stores texts in it and returns it; other arguments are those of the constructor."""
        store = cls(embedding, **kwargs)
        try:
            store.add_texts(texts, metadatas, ids=ids)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> Self:
        """The same, with the embeddings' own asynchronous method and the database in a thread."""
        store = await asyncio.to_thread(lambda: cls(embedding, **kwargs))
        try:
            await store.aadd_texts(texts, metadatas, ids=ids)
        except BaseException:
            store.close()
            raise
        return store


def with_ranking(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a search, with `ranking` in place of `mode`, its former name."""
    options = dict(kwargs)
    mode = options.pop("mode", None)
    return options if mode is None else {"ranking": former_mode(mode)} | options


def former_mode(mode: str) -> str:
    """The ranking that a mode was; by words it was `bm25`."""
    warnings.warn("mode is called ranking now, and its value bm25 words", DeprecationWarning, stacklevel=2)
    return {"bm25": "words"}.get(mode, mode)


def needs_vector(kwargs: Mapping[str, Any]) -> bool:
    """Whether a search compares meanings, so that its text has to be embedded."""
    return bool(kwargs.get("ranking", VECTOR) != "words")


def refuse_unbounded(kwargs: Mapping[str, Any]) -> None:
    """Raises UsageError for a search whose scores have no upper end and so cannot be made a relevance."""
    if not needs_vector(with_ranking(kwargs)):
        raise UsageError("scores by words have no upper end: relevance scores need the ranking vector or hybrid")


def embedding_name(embedding: Embeddings) -> str:
    """What tells an embedding from others: its class and the name of its model, if it has one."""
    kind = type(embedding)
    models = (getattr(embedding, name, None) for name in MODEL_ATTRIBUTES)
    model = next((model for model in models if isinstance(model, str) and model), "")
    return f"{kind.__module__.split('.')[0]}.{kind.__qualname__} {model}".rstrip()


def refuse_others(kwargs: Mapping[str, Any]) -> None:
    """Raises TypeError for arguments that would be accepted and then ignored."""
    if kwargs:
        raise TypeError(f"{', '.join(sorted(kwargs))}: there is no such argument")


def in_groups(items: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """Items in groups of at most `size`."""
    if size < 1:
        raise ValueError(f"a batch of {size} texts: it must hold at least 1")
    for first in range(0, len(items), size):
        yield items[first : first + size]
