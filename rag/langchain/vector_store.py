"""The store, its search and the int8 encoder as LangChain sees them: VectorStore, BaseRetriever, Embeddings.

Each LangChain document is one document of the store with one chunk, so it appears, changes and disappears whole:

    store = QuantizedSQLVectorStore(Int8DistilBertEmbeddings(), ".rag")
    store.add_texts(["The kiln is fired at 1240 degrees."], [{"source": "kiln.md"}], ids=["kiln"])
    store.similarity_search("How hot is the kiln?", k=1)

Nothing else imports this module, and LangChain with it.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore

from rag.encoder.encoder import choose_model
from rag.index.vector_coder import CALIBRATION_VECTORS, VectorCoder
from rag.index.word_index import add_words
from rag.int8.quantization import VECTOR_SCHEMES, finite_floats, quantize_query
from rag.langchain.documents import PATH_PREFIX, chunk_place, document_id, make_entries, read_document, stored_filter
from rag.langchain.embeddings import Int8DistilBertEmbeddings, unit_length
from rag.retrieve.mmr import choose_diverse, query_cosines
from rag.retrieve.retriever import VECTOR_SHARE, Retriever
from rag.text.analyser import ANALYSER, LanguageChooser, chunk_words
from sql.base.errors import InvalidVector, StoreError, StoreMismatch, UsageError
from sql.base.settings import LANGUAGES, QUANTIZERS, RETRIEVAL_MODES, read_settings
from sql.records import MAX_DIMENSIONS, EncoderIdentity
from sql.store import GRACE_SECONDS, Passages, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from numpy.typing import NDArray

    from rag.langchain.documents import Entry
    from sql.records import ChunkWords, Hit, QuantizedQuery, QuantizedVectors
    from sql.search.filters import Filter
__all__ = ["Int8DistilBertEmbeddings", "QuantizedSQLRetriever", "QuantizedSQLVectorStore"]

VECTOR = "vector"  # the mode whose scores are cosines, which is what LangChain means by similarity
DEFAULT_K = 4  # LangChain's own
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
        language: str = LANGUAGES[0],
        read_only: bool = False,
    ) -> None:
        """Opens the store at a folder or DSN, by default RAG_DB or `.rag`; a new one gets its tables with the first text.

        `embedding` is by default the int8 encoder that the store was made with. `embedding_name` is what the store
        remembers of other embeddings, by default their class and model. `quantizer` is for a new store: asymmetric or
        symmetric. `language` is that of the words: a code such as `en`, `none`, or `auto` to find it out text by text;
        a text that shows none gets that of the others.
        Raises StoreBusy where another process has the store, StoreError for a read-only one that is not there.
        """
        for name, value, known in (("quantizer", quantizer, QUANTIZERS), ("language", language, LANGUAGES)):
            if value not in known:
                raise UsageError(f"the {name} {value!r} is not known: give one of {', '.join(known)}")
        self.location = location or read_settings().store
        self.store = Store.open(self.location, write=not read_only)
        model = choose_model(read_settings(), None, self.store.collection())
        self._embedding = embedding or Int8DistilBertEmbeddings(model)
        self._embedding_name = embedding_name
        self._quantizer = quantizer
        self._language = language
        self._retrievers: dict[str, Retriever] = {}
        self._chooser: LanguageChooser | None = None
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
        for batch in batches(entries, batch_size):
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
        for batch in batches(entries, batch_size):
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
                found = [each for each in self.store.documents() if each.path.startswith(PATH_PREFIX)]
                self.store.publish([], found)
            for batch in batches(list(dict.fromkeys(ids or ()))):
                documents = self.store.some_documents([document_id(each) for each in batch])
                known = {each.path.removeprefix(PATH_PREFIX) for each in documents}
                self._refuse_ingested([each for each in batch if each not in known])
                self.store.publish([], documents)
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
            self._prepare(rows.shape[1])
            vectors = self._codes(rows[list(newest.values())])
            drafts = [(self.store.begin(entries[row].document), entries[row].chunk) for row in newest.values()]
            words = self._words([chunk.text for _, chunk in drafts])
            self.store.insert(Passages(drafts, vectors, words))
            self.store.publish([draft for draft, _ in drafts])
            self._sweep()

    def _prepare(self, dimensions: int) -> None:
        """Makes the tables of a new store, and the words of an old one anew where another analyser made them.

        Raises StoreMismatch where an old one holds vectors of another embedding.
        """
        if dimensions > MAX_DIMENSIONS:
            raise InvalidVector(f"vectors of {dimensions} dimensions: at most {MAX_DIMENSIONS} can be searched exactly")
        self._check_embedding(dimensions)
        if self.store.collection() is None:
            self.store.prepare(self._identity(dimensions), f"{self._quantizer} int8 per vector", ANALYSER)
        add_words(self.store, self._language)

    def _codes(self, rows: NDArray[np.float32]) -> QuantizedVectors:
        """Vectors (n, dimensions) as the codes of this store, with the ranges that its vectors share if they do."""
        collection = self.store.collection()
        kind = collection.vector_quantizer.kind if collection else self._quantizer
        coder = VectorCoder.for_store(self.store, self._identity(rows.shape[1]), VECTOR_SCHEMES[kind])
        if coder.needs_sample:
            coder.calibrate(rows[:CALIBRATION_VECTORS])
        return coder.encode(rows)

    def _words(self, texts: Sequence[str]) -> list[ChunkWords]:
        """The words of texts, by which they can be found too.

        A sentence is little to tell a language by: one that shows none gets that of the texts around it.
        """
        if self._chooser is None:
            statistics = self.store.text_statistics(self.store.epoch())
            self._chooser = LanguageChooser(self._language, statistics.languages)
        languages = self._chooser.choose_all(texts)
        return [chunk_words(text, language) for text, language in zip(texts, languages, strict=True)]

    def _sweep(self) -> None:
        """Now and then removes versions that nobody can be reading any more."""
        if monotonic() - self._swept_at > GRACE_SECONDS:
            if self.store.client.is_server:  # where other processes are at work on drafts of theirs
                self.store.collect_superseded()
            else:
                self.store.collect_garbage(GRACE_SECONDS)
            self._swept_at = monotonic()

    def _refuse_ingested(self, ids: Sequence[str]) -> None:
        """Raises StoreError where an id is that of a chunk which belongs to a file."""
        chunks = {each: place for each in ids if (place := chunk_place(each)) is not None}
        for document in self.store.some_documents([place[0] for place in chunks.values()]) if chunks else ():
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
        for batch in batches(sorted({place[0] for place in places.values()} | {document_id(each) for each in ids})):
            for hit in self.store.document_chunks(batch):
                document = read_document(hit)
                found[str(document.id)] = document
        return [found[each] for each in ids if each in found]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The same in a thread."""
        return await asyncio.to_thread(self.get_by_ids, ids)

    def similarity_search(self, query: str, k: int = DEFAULT_K, **kwargs: Any) -> list[Document]:
        """The k documents nearest to a text, nearest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    async def asimilarity_search(self, query: str, k: int = DEFAULT_K, **kwargs: Any) -> list[Document]:
        """The same, with the embeddings' own asynchronous method and the database in a thread."""
        return [document for document, _ in await self.asimilarity_search_with_score(query, k, **kwargs)]

    def similarity_search_by_vector(
        self, embedding: Sequence[float], k: int = DEFAULT_K, **kwargs: Any
    ) -> list[Document]:
        """The k documents nearest to a vector, nearest first."""
        return [document for document, _ in self._nearest(embedding, k, **kwargs)]

    async def asimilarity_search_by_vector(
        self, embedding: Sequence[float], k: int = DEFAULT_K, **kwargs: Any
    ) -> list[Document]:
        """The same in a thread."""
        return await asyncio.to_thread(self.similarity_search_by_vector, embedding, k, **kwargs)

    def similarity_search_with_score(
        self, query: str, k: int = DEFAULT_K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The k documents that fit a text best, each with its score, best first.

        `mode` says what is compared: `vector` meanings, where the score is the cosine; `bm25` words, and `hybrid` both,
        where it is that of the project's own search. Raises UsageError for another mode.
        """
        if self.store.collection() is None:
            return []
        vector = self._checked(self.embeddings.embed_query(query)) if needs_vector(kwargs) else None
        return self._best(query, vector, k, **kwargs)

    async def asimilarity_search_with_score(
        self, query: str, k: int = DEFAULT_K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same, with the embeddings' own asynchronous method and the database in a thread."""
        if await asyncio.to_thread(self.store.collection) is None:
            return []
        if not needs_vector(kwargs):
            return await asyncio.to_thread(self._best, query, None, k, **kwargs)
        vector = await self.embeddings.aembed_query(query)
        return await asyncio.to_thread(lambda: self._best(query, self._checked(vector), k, **kwargs))

    def max_marginal_relevance_search(
        self, query: str, k: int = DEFAULT_K, fetch_k: int = FETCH_K, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """k of the fetch_k documents nearest to a text that are also unlike each other.

        lambda_mult 1 looks at the nearness alone, 0 at the differences alone.
        """
        if self.store.collection() is None:
            return []
        vector = self._checked(self.embeddings.embed_query(query))
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    async def amax_marginal_relevance_search(
        self, query: str, k: int = DEFAULT_K, fetch_k: int = FETCH_K, lambda_mult: float = 0.5, **kwargs: Any
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
        k: int = DEFAULT_K,
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
        vectors = self.store.hit_vectors(hits)
        rows = choose_diverse(self._cosines(query, hits, vectors), vectors, k, lambda_mult)
        return [read_document(hits[row]) for row in rows]

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = DEFAULT_K,
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
        mode: str = VECTOR,
        filter: Filter | None = None,  # noqa: A002 - the word everyone uses for it
        per_document: int | None = None,
    ) -> list[tuple[Document, float]]:
        """The documents that fit a text and its vector best, in one of the modes, each with its score."""
        if mode == VECTOR and vector is not None:
            return self._nearest(vector, k, filter=filter, per_document=per_document)
        row = None if vector is None else self._rows([vector])[0]
        wanted = None if filter is None else stored_filter(filter)
        hits = self._retriever(mode).retrieve(query, k, mode=mode, vector=row, filter=wanted, per_document=per_document)
        return [(read_document(hit), hit.score) for hit in hits]

    def _retriever(self, mode: str) -> Retriever:
        """The project's own search by words, and by both; statistics of the words are read once an epoch."""
        if mode not in self._retrievers:
            embeddings = self.embeddings
            if mode != "bm25" and isinstance(embeddings, Int8DistilBertEmbeddings):
                self._retrievers[mode] = Retriever(self.store, embeddings.encoder, self._language)
            else:
                self._retrievers[mode] = ForeignRetriever(self.store, None, self._language)
        return self._retrievers[mode]

    def _nearest(self, embedding: Sequence[float], k: int, **kwargs: Any) -> list[tuple[Document, float]]:
        """The documents nearest to a vector, each with its cosine."""
        if self.store.collection() is None:
            return []
        query = self._query(embedding)
        hits = self._find(query, k, **kwargs)
        cosines = self._cosines(query, hits).tolist()
        found = [(read_document(hit), cosine) for hit, cosine in zip(hits, cosines, strict=True)]
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
        return query_cosines(query, self.store.hit_vectors(hits) if vectors is None else vectors)

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
        hits = self.store.search(query, k, filter=wanted, per_document=per_document)
        if wanted and not hits:
            self.store.refuse_hopeless(wanted)
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
        return (unit_length(rows) if self._has_unit_length() else rows).astype(np.float32)

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
        self, query: str, k: int = DEFAULT_K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        refuse_unbounded(kwargs)
        return super()._similarity_search_with_relevance_scores(query, k, **kwargs)

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = DEFAULT_K, **kwargs: Any
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


class ForeignRetriever(Retriever):
    """The same search over vectors of another embedding, whose vocabulary is not ours to look into."""

    def vector_share(self, question: str) -> float:  # noqa: ARG002 - it is the same for all
        """The part of the cosine in a hybrid score: that of an encoder which knows every word."""
        return VECTOR_SHARE


def needs_vector(kwargs: Mapping[str, Any]) -> bool:
    """Whether a search compares meanings, so that its text has to be embedded."""
    return bool(kwargs.get("mode", VECTOR) != "bm25")


def refuse_unbounded(kwargs: Mapping[str, Any]) -> None:
    """Raises UsageError for a search whose scores have no upper end and so cannot be made a relevance."""
    if not needs_vector(kwargs):
        raise UsageError("scores of the mode 'bm25' have no upper end: relevance scores need the mode vector or hybrid")


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


def batches(items: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """Items in groups of at most `size`."""
    if size < 1:
        raise ValueError(f"a batch of {size} texts: it must hold at least 1")
    for first in range(0, len(items), size):
        yield items[first : first + size]


# The retriever


class QuantizedSQLRetriever(BaseRetriever):
    """The search of a store as a LangChain retriever. Its fields can also be given with each call, as `k` here:

    retriever = QuantizedSQLRetriever.open(".rag")  # a store that `python -m ingest` has filled
    retriever.invoke("How large is an int8 code?", k=2)

    `mode`, `filter` and `per_document` are those of the vector store's searches. By default the mode is `hybrid`, the best
    one measured, for the project's own embeddings and `vector` for others.
    """

    vectorstore: QuantizedSQLVectorStore
    k: int = DEFAULT_K
    mode: str | None = None
    filter: dict[str, Any] | None = None
    per_document: int | None = None

    @classmethod
    def open(cls, location: str | None = None, embedding: Embeddings | None = None, **fields: Any) -> Self:
        """A retriever on the store at a folder or DSN, which it opens read-only."""
        return cls(vectorstore=QuantizedSQLVectorStore(embedding, location, read_only=True), **fields)

    def close(self) -> None:
        """Gives the store back."""
        self.vectorstore.close()

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
        **kwargs: Any,
    ) -> list[Document]:
        return self.vectorstore.similarity_search(query, **self._arguments(kwargs))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        **kwargs: Any,
    ) -> list[Document]:
        return await self.vectorstore.asimilarity_search(query, **self._arguments(kwargs))

    def _arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, and what was given with the call in their place."""
        own = isinstance(self.vectorstore.embeddings, Int8DistilBertEmbeddings)
        mode = self.mode or (RETRIEVAL_MODES[0] if own else VECTOR)
        return {"k": self.k, "mode": mode, "filter": self.filter, "per_document": self.per_document} | dict(given)
