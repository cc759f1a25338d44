"""The search of a store as a LangChain retriever: a question in, LangChain's documents out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from langchain_core.retrievers import BaseRetriever

from rag.langchain.embeddings import Int8DistilBertEmbeddings
from rag.langchain.vector_store import LANGCHAIN_K, VECTOR, QuantizedSQLVectorStore, former_mode, with_ranking
from sql.base.settings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings


class QuantizedSQLRetriever(BaseRetriever):
    """The search of a store as a LangChain retriever. Its fields can also be given with each call, as `k` here:

    retriever = QuantizedSQLRetriever.open(".rag")  # a store that `python -m ingest` has filled
    retriever.invoke("How large is an int8 code?", k=2)

    `ranking`, `filter`, `per_document` and `certify` are those of the vector store's searches. By default the ranking is
    `hybrid`, the best one measured, for the project's own embeddings and `vector` for others. `rerank` names a cross-encoder,
    a hub id or a folder, that orders what was found. `mode` is the former name of `ranking`.
    """

    vectorstore: QuantizedSQLVectorStore
    k: int = LANGCHAIN_K
    ranking: str | None = None
    mode: str | None = None
    filter: dict[str, Any] | None = None
    per_document: int | None = None
    certify: bool = False
    rerank: str | None = None

    @classmethod
    def open(cls, location: str | None = None, embedding: Embeddings | None = None, **fields: Any) -> Self:
        """A retriever on the store at a folder or DSN, which it opens read-only."""
        return cls(vectorstore=QuantizedSQLVectorStore(embedding, location, read_only=True), **fields)

    def close(self) -> None:
        """Gives the store back."""
        self.vectorstore.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

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
        ranking = self.ranking or (former_mode(self.mode) if self.mode else RANKINGS[0] if own else VECTOR)
        fields = {"k": self.k, "ranking": ranking, "filter": self.filter, "per_document": self.per_document}
        return fields | {"certify": self.certify, "rerank": self.rerank} | with_ranking(given)
