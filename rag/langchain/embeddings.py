"""The int8 encoder as LangChain embeddings: texts in, lists of floats out, none of them cut."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.encoder.encoder import Encoder, choose_model, load_encoder
from rag.encoder.prompts import Prompts
from sql.base.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from rag.text.tokenizer import Tokenizer


class Int8DistilBertEmbeddings(Embeddings):
    """The int8 encoder as LangChain embeddings: vectors of length 1 for the default model, computed on this CPU.

    A text longer than the encoder reads is embedded window by window, and its vector is the mean of theirs, weighted by
    their tokens: nothing of it is left out. The encoder is loaded when it is first needed; ModelError is raised then
    where no source has the model.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        few_texts: bool = False,
    ) -> None:
        """`model` is a hub id or a folder; by default RAG_MODEL, or the project's own model.

        `query_prompt` and `document_prompt` are put before questions and passages in place of the model's own.
        `few_texts` is for a process that asks and does not index: it can do without torch.
        """
        self.model = model or choose_model(read_settings(), None)
        self._prompts = Prompts(query_prompt, document_prompt)
        self._few_texts = few_texts
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None

    @property
    def encoder(self) -> Encoder:
        """The encoder behind the embeddings, loaded once."""
        with self._loading:
            if self._encoder is None:
                self._encoder = load_encoder(
                    read_settings(), self.model, prompts=self._prompts, few_texts=self._few_texts
                )
        return self._encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of passages."""
        encoder = self.encoder
        return self._embed(texts, encoder.config.document_prompt, encoder.encode_documents)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        encoder = self.encoder
        return self._embed([text], encoder.config.query_prompt, encoder.encode_queries)[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of passages, computed in a thread."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """The vector of a question, computed in a thread."""
        return await asyncio.to_thread(self.embed_query, text)

    def _embed(
        self, texts: Sequence[str], prompt: str, encode: Callable[[Sequence[str]], NDArray[np.float32]]
    ) -> list[list[float]]:
        if not texts:
            return []
        windows = [text_windows(text, self.encoder.tokenizer, prompt) for text in texts]
        vectors = encode([window for parts in windows for window, _ in parts])
        weights = [np.array([weight for _, weight in parts], dtype=np.float64) for parts in windows]
        ends = np.cumsum([len(parts) for parts in windows])
        rows = (vectors[end - len(weight) : end] for end, weight in zip(ends, weights, strict=True))
        return [self._merge(row, weight).tolist() for row, weight in zip(rows, weights, strict=True)]

    def _merge(self, vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """One vector (dimensions,) of the windows of a text (windows, dimensions)."""
        if len(vectors) == 1:
            return np.asarray(vectors[0])
        mean = weights @ vectors.astype(np.float64) / weights.sum()
        whole = unit_length(mean[None])[0] if self.encoder.config.normalized else mean
        return np.asarray(whole, dtype=np.float32)


def text_windows(text: str, tokenizer: Tokenizer, prompt: str = "") -> list[tuple[str, int]]:
    """The whole text in pieces that the encoder reads behind `prompt`, each with the number of its own tokens."""
    before = tokenizer.count(prompt)
    pieces = tokenizer.windows(text, tokenizer.max_text_tokens, prompt)
    return [(text[start:end], tokens - before) for start, end, tokens in pieces]


def unit_length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (n, dimensions) scaled to length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))
