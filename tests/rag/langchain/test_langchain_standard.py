"""The standard suites of langchain-tests, every optional test included, on a real store.

`STORE_PLACES` names where the store lies, so that the same suites can run on a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests
from langchain_tests.unit_tests.embeddings import EmbeddingsUnitTests
from support import write_tiny_checkpoint

from rag.langchain import Int8DistilBertEmbeddings, QuantizedSQLRetriever, QuantizedSQLVectorStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever

    from rag.text.tokenizer import Tokenizer


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Where an empty store can be made."""
    return str(tmp_path / "store")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tokenizer)


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, place: str) -> Iterator[QuantizedSQLVectorStore]:  # type: ignore[override]
        with QuantizedSQLVectorStore(self.get_embeddings(), place) as store:
            yield store


class TestEmbeddings(EmbeddingsUnitTests):
    @pytest.fixture(autouse=True)
    def model_folder(self, checkpoint: Path) -> None:
        self.folder = str(checkpoint)

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return Int8DistilBertEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.folder}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"RAG_MODEL": self.folder}, {}, {"model": self.folder}


class TestEmbeddingsAtWork(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def model_folder(self, checkpoint: Path) -> None:
        self.folder = str(checkpoint)

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return Int8DistilBertEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.folder}


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def filled_store(self, place: str) -> Iterator[None]:
        texts = ["one", "two", "three", "four", "five"]
        documents = [Document(page_content=text, metadata={"number": row}) for row, text in enumerate(texts)]
        embedding = DeterministicFakeEmbedding(size=6)
        with QuantizedSQLVectorStore.from_documents(documents, embedding, location=place) as self.store:
            yield

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return QuantizedSQLRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"vectorstore": self.store}

    @property
    def retriever_query_example(self) -> str:
        return "three"
