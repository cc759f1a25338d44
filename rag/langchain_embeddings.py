"""The int8 encoder as LangChain embeddings: texts in, lists of floats out, none of them cut."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.encoder import Encoder, choose_model, load_encoder
from sql.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Int8DistilBertEmbeddings(Embeddings):
    """The int8 encoder as LangChain embeddings: vectors of length 1 for the default model, computed on this CPU.

    A text longer than the encoder reads is embedded window by window, and its vector is the mean of theirs, weighted by
    their tokens: nothing of it is left out. The encoder is loaded when it is first needed; ModelError is raised then
    where no source has the model.
    """

    def __init__(self, model: str | None = None, *, few_texts: bool = False) -> None:
        """`model` is a hub id or a folder; by default RAG_MODEL, or the project's own model.

        `few_texts` is for a process that asks and does not index: it can do without torch.
        """
        self.model = model or choose_model(read_settings(), None)
        self._few_texts = few_texts
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None

    @property
    def encoder(self) -> Encoder:
        """The encoder behind the embeddings, loaded once."""
        with self._loading:
            if self._encoder is None:
                self._encoder = load_encoder(read_settings(), self.model, few_texts=self._few_texts)
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
        tokenizer = self.encoder.tokenizer
        room = tokenizer.max_text_tokens - tokenizer.count(prompt)
        windows = [text_windows(text, tokenizer.spans(text), room) for text in texts]
        if not windows:
            return []
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


def text_windows(text: str, spans: NDArray[np.int64], room: int) -> list[tuple[str, int]]:
    """A text as pieces of at most `room` tokens, each with their number; one piece where it fits.

    spans: int64 (tokens, 2), the start and end of each token in the text.
    """
    if len(spans) <= room:
        return [(text, len(spans))]
    firsts = range(0, len(spans), room)
    return [(text[spans[first][0] : spans[first:][:room][-1][1]], len(spans[first:][:room])) for first in firsts]


def unit_length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (n, dimensions) scaled to length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))
