"""Vectors of words in, rows of the table `word_vectors` out, which the views of `sql/word_vectors/` make questions of.

Only stores that were asked to have them have the tables and views. A row depends on the word and the encoder alone, so
nothing is published, replaced or collected here: words are added, and what is damaged is deleted to be made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.engine.cluster import delete_rows
from sql.engine.statements import Statement, word_vector_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sql.records import QuantizedVectors
    from sql.store.store import Store

TABLE = "word_vectors"
CLUSTER_FOLDER = "cluster/word_vectors"  # what a cluster has in the place of everybody's
WORDS_PER_INSERT = 20_000  # one block of an insert, which arrives whole or not at all


@dataclass(frozen=True, slots=True)
class WordRows:
    """Words with their forms (`language term`), the tokens that each is cut into, int64 (words,), and their vectors."""

    words: Sequence[str]
    forms: Sequence[Sequence[str]]
    pieces: NDArray[np.int64]
    vectors: QuantizedVectors

    def __post_init__(self) -> None:
        if not len(self.words) == len(self.forms) == len(self.pieces) == len(self.vectors.codes):
            raise ValueError(
                f"{len(self.words)} words have {len(self.forms)} lists of forms, {len(self.pieces)} counts of pieces and "
                f"{len(self.vectors.codes)} vectors: each needs one"
            )


@dataclass(frozen=True, slots=True)
class WordCounts:
    """How many words have a vector, how many of these documents have brought, how many are damaged; bytes before compression."""

    words: int
    brought: int
    damaged: int
    bytes: int


@dataclass(frozen=True)
class WordVectors:
    """The word vectors of one store."""

    store: Store

    @property
    def exist(self) -> bool:
        """Whether the store was asked to have them."""
        return TABLE in self.store.made_with.table_names()

    @property
    def have_new_views(self) -> bool:
        """Whether the views are those of this version, which has one more than an older one, up to that which is made last."""
        return {"vector_of_words", "rag_text_search"} <= self.store.made_with.table_names()

    def create(self, dimensions: int) -> None:
        """Makes the tables and functions that are missing, and the views anew."""
        if self.store.cluster is not None:
            over = word_vector_statements(CLUSTER_FOLDER)
            self.store.cluster.create(word_vector_statements(), {"dimensions": dimensions}, over)
        else:
            for name in word_vector_statements():
                self.store.client.create(name, {"dimensions": dimensions})

    def missing_words(self) -> list[str]:
        """The words of the documents that have no vector yet."""
        statement = Statement("missing_words", {"epoch": self.store.epoch()})
        return [row["word"] for row in self.store.client.query(statement)]

    def unknown_words(self, words: Sequence[str]) -> list[str]:
        """Those of some words that have no vector yet."""
        return [row["word"] for row in self.store.client.query(Statement("unknown_words", {"words": list(words)}))]

    def counts(self) -> WordCounts:
        """The table in numbers."""
        (row,) = self.store.client.query(Statement("word_vector_counts"))
        return WordCounts(**row)

    def delete_damaged(self) -> None:
        """Deletes what is not as it was written."""
        if self.counts().damaged:
            # first, for as long as it is there the vocabulary is complete: words of it that no document has come back too
            self._delete(Statement("delete_word_whitening"))
            self._delete(Statement("delete_damaged_words"))

    def delete_all(self) -> None:
        """Deletes what another analyser has made, whose terms no posting has any more; the next ingest makes it again."""
        if self.exist:
            self._delete(Statement("delete_word_whitening"))
            self._delete(Statement("delete_word_vectors"))

    def _delete(self, statement: Statement) -> None:
        delete_rows(statement, self.store.client, self.store.cluster)

    def insert(self, rows: WordRows, *, of_documents: bool) -> None:
        """Stores the vectors of words. Those of documents count from the newest epoch on, and those of the vocabulary at every
        one: the newest that a user with groups sees may be older than they are.
        """
        epoch = self.store.epoch() if of_documents else 0
        for first in range(0, len(rows.words), WORDS_PER_INSERT):
            some = range(first, len(rows.words))[:WORDS_PER_INSERT]
            vectors = rows.vectors.rows(some)
            self.store.client.insert(
                TABLE,
                {
                    "word": [rows.words[row] for row in some],
                    "epoch": np.full(len(some), epoch, np.uint64),
                    "of_documents": np.full(len(some), of_documents, np.uint8),
                    "forms": [array_literal(rows.forms[row]) for row in some],
                    "pieces": rows.pieces[some.start : some.stop].astype(np.uint16),
                    "codes": vectors.codes,
                    "scale": vectors.scale,
                    "zero_point": vectors.zero_point,
                },
            )

    def whitening(self, dimensions: int) -> NDArray[np.float32] | None:
        """What is done to word vectors, float32 (1 + dimensions, dimensions): mean and matrix; None if a row is missing."""
        rows = self.store.client.query(Statement("word_whitening"))
        if [row["row"] for row in rows] != list(range(dimensions + 1)):
            return None
        return np.array([row["vector"] for row in rows], dtype=np.float32)

    def set_whitening(self, whitening: NDArray[np.float32]) -> None:
        """Stores it in one block, in place of what is left of another."""
        self._delete(Statement("delete_word_whitening"))
        columns: dict[str, Any] = {"row": np.arange(len(whitening), dtype=np.uint16), "vector": whitening}
        self.store.client.insert("word_whitening", columns)


def array_literal(texts: Sequence[str]) -> str:
    """Letters and spaces as the engine reads an Array(String) out of text.

    >>> array_literal(["en kiln", " kiln"])
    "['en kiln',' kiln']"
    """
    return "[" + ",".join(f"'{text}'" for text in texts) + "]"
