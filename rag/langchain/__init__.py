"""The store, its search and the int8 encoder as LangChain sees them."""

from rag.langchain.embeddings import Int8DistilBertEmbeddings
from rag.langchain.retriever import QuantizedSQLRetriever
from rag.langchain.vector_store import QuantizedSQLVectorStore

__all__ = ["Int8DistilBertEmbeddings", "QuantizedSQLRetriever", "QuantizedSQLVectorStore"]
