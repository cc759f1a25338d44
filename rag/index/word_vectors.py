"""A store and its encoder in, the table `word_vectors` out, by which SQL makes the vector of a question without the encoder.

Every word of the documents and of the encoder's vocabulary is run through the encoder once, as if it were a question, and
whitened: vectors of single words have most of their length in a few directions, which tell nothing about what a word means
(S. Arora, Y. Liang, T. Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", 2017; J. Su, J. Cao, W. Liu, Y. Ou,
"Whitening Sentence Representations for Better Semantics and Faster Retrieval", 2021, arXiv:2103.15316). docs/hybrid.md has
the figures, and those of the alternatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rag.int8.quantization import quantize_vectors
from rag.text.analyser import folded_words, forms_by_language
from sql.store.word_vectors import WordRows, WordVectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from sql.store import Store
    from sql.store.word_vectors import WordCounts

WORDS_AT_ONCE = 8_192  # are encoded and stored together: what a run that is killed has to do again
MOST_OF_VOCABULARY = 50_000  # words; multilingual encoders have up to 200,000, and their first ones are the most common
LONGEST_WORD = 64  # letters, as in rag_words.sql
# Of the mean variance, added to that of every direction: those in which the vectors hardly differ are not blown up.
SMOOTHING = 0.01


def add_word_vectors(
    store: Store, encoder: Encoder, *, begin: bool = False, announce: Callable[[str], None] = lambda sentence: None
) -> WordCounts | None:
    """Adds the vectors of words that have none, and makes damaged ones again; None for a store that has no word vectors.

    With `begin` it gets them. May be killed: the next call goes on.
    """
    table = WordVectors(store)
    if not begin and not table.exist:
        return None
    if begin or not table.have_new_views:
        table.create(encoder.identity.dimensions)
    table.delete_damaged()
    whitening = table.whitening(encoder.identity.dimensions)
    if whitening is None:
        words = vocabulary(encoder)
        announce(f"{store.client.location}: encoding the {len(words):,} words of the encoder's vocabulary (once)")
        vectors = encoder.encode_queries(words)
        whitening = find_whitening(vectors)
        unknown = set(table.unknown_words(words))
        rows = [row for row, word in enumerate(words) if word in unknown]
        table.insert(
            word_rows(encoder, [words[row] for row in rows], whiten(vectors[rows], whitening)), of_documents=False
        )
        table.set_whitening(whitening)  # last: it says that the vocabulary is complete
    missing = table.missing_words()
    for first in range(0, len(missing), WORDS_AT_ONCE):
        some = missing[first : first + WORDS_AT_ONCE]
        vectors = whiten(encoder.encode_queries(some), whitening)
        table.insert(word_rows(encoder, some, vectors), of_documents=True)
    return table.counts()


def word_vectors_sentence(counts: WordCounts) -> str:
    """What a person is told of the table."""
    return (
        f"word vectors: {counts.words:,} words, {counts.brought:,} of them from documents alone, "
        f"{counts.bytes / 1e6:.1f} MB before compression"
    )


def vocabulary(encoder: Encoder) -> list[str]:
    """The words that are one token of an encoder, folded, in the order of its vocabulary."""
    # `[unused7]` and `<pad>` are no words
    folded = (folded_words(token) for token in encoder.tokenizer.whole_words() if token[:1].isalnum())
    words = (found[0] for found in folded if len(found) == 1 and "_" not in found[0] and len(found[0]) <= LONGEST_WORD)
    return list(dict.fromkeys(words))[:MOST_OF_VOCABULARY]


def find_whitening(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """What makes vectors (n, dimensions) vary alike in all directions: float32 (1 + dimensions, dimensions), the mean that is
    subtracted and the symmetric matrix that then multiplies."""
    dimensions = vectors.shape[1]
    if not len(vectors):
        return np.vstack([np.zeros(dimensions), np.eye(dimensions)]).astype(np.float32)
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / len(vectors))
    smoothed = np.maximum(variances, 0) + SMOOTHING * max(float(variances.mean()), 1e-12)
    matrix = (directions / np.sqrt(smoothed)) @ directions.T
    return np.vstack([mean, matrix]).astype(np.float32)


def whiten(vectors: NDArray[np.float32], whitening: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (n, dimensions) as `find_whitening` says."""
    whitened: NDArray[np.float32] = (vectors - whitening[0]) @ whitening[1:]
    return whitened


def word_rows(encoder: Encoder, words: Sequence[str], vectors: NDArray[np.float32]) -> WordRows:
    """Words with their whitened vectors (words, dimensions) as they are stored."""
    pieces = np.maximum(1, np.array(encoder.tokenizer.counts(words), dtype=np.int64))
    return WordRows(words, forms_by_language(words), pieces, quantize_vectors(vectors))
