"""Small real things that several test modules share: documents with vectors, an encoder that hashes, a tiny checkpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.synchronize import prepare, sync_walk
from rag.encoder.checkpoint import TOKENIZER_FILE, Checkpoint, EncoderConfig, expected_shapes, write_checkpoint
from rag.encoder.encoder import Encoder
from rag.encoder.kernel import OneBatchAtATime
from rag.int8.quantization import quantize_vectors
from rag.library import Library
from rag.text.analyser import chunk_words
from sql.base.settings import read_settings
from sql.records import Chunk, EncoderIdentity, QuantizedVectors, SourceDocument
from sql.records.metadata import NO_METADATA
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Draft, Store
from sql.store.snapshot import unwatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ingest.synchronize import Summary
    from ingest.walk import Walk
    from rag.text.tokenizer import Tokenizer
    from sql.base.settings import Settings
    from sql.records import ChunkWords, Hit, QuantizedQuery
    from sql.records.metadata import MetadataValue
    from sql.records.places import Place
    from sql.store.snapshot import Watch

PROJECT = Path(__file__).parent.parent
PATIENCE = 600  # seconds: ends what would never end, and nothing that only waits for a processor
QUANTIZER = "asymmetric int8 per vector"
DIMENSIONS = 8

# Stores


def identity(dimensions: int = DIMENSIONS, **changes: str) -> EncoderIdentity:
    """An encoder as a store remembers it."""
    names = {
        "model": "a-model",
        "model_revision": "1",
        "model_sha256": "a" * 64,
        "tokenizer_sha256": "b" * 64,
    } | changes
    return EncoderIdentity(**names, weights="int8", pooling="mean", dimensions=dimensions, max_tokens=64)


def open_store(location: Path | str, dimensions: int = DIMENSIONS) -> Store:
    """A store to write to, with its tables."""
    store = Store.open(str(location), write=True)
    try:
        store.prepare(identity(dimensions), QUANTIZER)
    except BaseException:
        store.close()
        raise
    return store


def source_document(
    path: str,
    extracted_text: str | None = None,
    content: str = "",
    metadata: Mapping[str, MetadataValue] = NO_METADATA,
    places: Sequence[Place] = (),
) -> SourceDocument:
    """A document of the manifest; only its path matters, and its extracted text if it has one."""
    return SourceDocument(
        path=f"/{path}",
        source=path,
        title=path.title(),
        format="text",
        encoding="utf-8",
        content_sha256=sha256(content.encode()).hexdigest(),
        content_bytes=len(content),
        chunker="by hand",
        extracted_text=extracted_text,
        metadata=metadata,
        places=places,
    )


def chunks_of(texts: Sequence[str]) -> list[Chunk]:
    """Texts as the chunks of one document, one a line."""
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    return [
        Chunk(index, text, int(start), int(start) + len(text), index + 1, 0, "", 1)
        for index, (text, start) in enumerate(zip(texts, starts, strict=False))
    ]


def vectors_of(texts: Sequence[str], dimensions: int = DIMENSIONS) -> QuantizedVectors:
    """A vector for each text, drawn with the text as the seed."""
    rows = [np.random.default_rng(list(text.encode())).standard_normal(dimensions) for text in texts]
    return quantize_vectors(np.array(rows, dtype=np.float32).reshape(-1, dimensions))


def draft_document(
    store: Store,
    path: str,
    texts: Sequence[str],
    dimensions: int = DIMENSIONS,
    language: str | None = None,
    words: Sequence[ChunkWords] = (),
) -> Draft:
    """A version of a document whose chunks are in the store and are not published yet; with words, or for a language."""
    draft = store.writer.begin(source_document(path, content="".join(texts)))
    if language is not None:
        words = [chunk_words(text, language) for text in texts]
    if texts:
        chunks = [(draft, chunk) for chunk in chunks_of(texts)]
        store.writer.insert(ChunkBatch(chunks, vectors_of(texts, dimensions), words))
    return draft


def publish_document(store: Store, path: str, texts: Sequence[str]) -> int:
    """A whole document at once; returns the epoch."""
    return store.writer.publish([draft_document(store, path, texts)])


def visible_texts(store: Store) -> dict[str, list[str]]:
    """What a reader sees now: the texts of each source, in reading order."""
    found: dict[str, list[str]] = defaultdict(list)
    for source, text in store.snapshot().chunk_texts():
        found[source].append(text)
    return dict(found)


def way(strategy: str = "auto", candidates: int | None = None, probes: int | None = None) -> dict[str, Any]:
    """The fields of a request that say how vectors are searched."""
    return {"strategy": strategy, "candidates": candidates, "probes": probes}


def search(
    store: Store, query: QuantizedQuery, k: int, epoch: int | None = None, *, watch: Watch = unwatched, **options: Any
) -> list[Hit]:
    """The k chunks nearest to a query at an epoch, by default the latest; `options` are fields of a request."""
    return store.snapshot(epoch).search(query, SearchRequest(k=k, **options), watch)


def retrieve(
    store: Store, question: str, k: int, encoder: Encoder | None = None, *, watch: Watch = unwatched, **options: Any
) -> list[Hit]:
    """The k chunks that fit a question best; without an encoder by words."""
    library = Library(store, (lambda: encoder) if encoder else None)
    return library.search(question, k=k, watch=watch, **options)


def sync_with(store: Store, encoder: Encoder, found: Walk, language: str = "auto", **how: Any) -> Summary:
    """A store that is prepared, made to match the files that were found, with an encoder of the test's."""
    return sync_walk(Library(store, lambda: encoder, language=language), found, **how)


def prepared(
    store: Store, settings: Settings | None = None, model: str | None = None, language: str = "auto", **how: Any
) -> Library:
    """A library to fill; `how` is about the quantizer of a new store."""
    library = Library(store, settings=settings or read_settings(), model=model, language=language)
    prepare(library, **how)
    return library


# Encoders


@dataclass
class HashKernel(OneBatchAtATime):
    """Vectors that are a function of the token ids alone; counts its work, and stops after `batches_left` batches."""

    dimensions: int
    name: str = "hash"
    pads: bool = True
    calls: int = 0
    texts: int = 0
    batches_left: int | None = field(default=None)
    pooling: str = "mean"
    read: list[int] = field(default_factory=list)  # of each batch whose tokens were asked for, by a copy too, its texts

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """One vector a text, float32 (texts, dimensions), or one of every token."""
        if self.pooling == "tokens":
            self.read.append(len(ids))
            states = [[np.random.default_rng(token).standard_normal(self.dimensions) for token in row] for row in ids]
            return np.array(states, dtype=np.float32)
        if self.batches_left is not None:
            if self.batches_left == 0:
                raise KeyboardInterrupt
            self.batches_left -= 1
        self.calls += 1
        self.texts += len(ids)
        rows = [
            np.random.default_rng(row[:length]).standard_normal(self.dimensions)
            for row, length in zip(ids, lengths, strict=True)
        ]
        return np.array(rows, dtype=np.float32)


def tiny_config(tokenizer: Tokenizer) -> EncoderConfig:
    """The architecture of an encoder with one layer of 8 numbers."""
    return EncoderConfig(
        model="tiny",
        model_revision="",
        model_sha256="a" * 64,
        tokenizer_sha256=sha256(tokenizer.library.to_str().encode()).hexdigest(),
        layers=1,
        heads=2,
        dimensions=DIMENSIONS,
        hidden_dimensions=16,
        vocabulary=tokenizer.library.get_vocab_size(),
        positions=256,
        max_tokens=256,
        layer_norm_eps=1e-12,
        pooling="mean",
        normalized=True,
        query_prompt="",
        document_prompt="",
    )


def hash_encoder(tokenizer: Tokenizer, batches_left: int | None = None) -> tuple[Encoder, HashKernel]:
    """An encoder that hashes, and its kernel to look at."""
    kernel = HashKernel(DIMENSIONS, batches_left=batches_left)
    return Encoder(tiny_config(tokenizer), tokenizer, lambda: kernel), kernel


def write_tiny_checkpoint(folder: Path, tokenizer: Tokenizer, **changes: Any) -> Path:
    """An int8 checkpoint of drawn weights that every command can run with `--model`; `changes` are of its config."""
    config, random = replace(tiny_config(tokenizer), **changes), np.random.default_rng(0)
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, shape in expected_shapes(config).items():
        if name.endswith(".codes"):
            tensors[name] = random.integers(-127, 128, shape).astype(np.int8)
        else:
            tensors[name] = random.uniform(0.001, 0.01, shape).astype(np.float32)
    write_checkpoint(Checkpoint(config, tensors), tokenizer.library.to_str().encode(), folder)
    assert (folder / TOKENIZER_FILE).is_file()
    return folder


# Processes


def run_python(*arguments: str, cwd: Path | None = None, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """A Python process of this environment that has ended, without settings of the user's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd or PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
