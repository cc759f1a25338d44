"""A store without words in, the same store with the words of all its chunks out, made from the stored texts.

Stores of schema version 1 had none. Nothing is searched by words before the last one has been counted back and a
revision of the collection names the analyser, so a run that is killed leaves the store as it was for readers, and the
next one makes the documents that are missing.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rag.analyser import ANALYSER, SAMPLE, choose_language, chunk_words
from sql.errors import StoreError
from sql.statements import Statement
from sql.tend import batches
from sql.words import length_columns, posting_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sql.client import Row
    from sql.records import ChunkWords, LiveDocument
    from sql.store import Store

Words = tuple[int, int, "ChunkWords"]  # generation and index of a chunk, and its words


def add_words(store: Store, language: str = "auto", announce: Callable[[str], None] = lambda sentence: None) -> int:
    """Makes the words of every document that has none, if the store has no analyser; returns of how many documents.

    `language` is that of the documents: see rag.analyser.choose_language.
    """
    collection = store.collection()
    if collection is None or collection.analyser:
        return 0
    missing = documents_without_words(store)
    if missing:
        announce(f"{store.client.location}: making the words of {len(missing)} documents from their stored texts")
    rows = [{"generation": one.generation, "chunk_count": one.chunk_count} for one in missing]
    for generations in batches(rows):
        store_words(store, generations, language)
    if left := documents_without_words(store):
        raise StoreError(
            f"the words of {left[0].path} did not arrive in {store.client.location}: run the command again"
        )
    store.revise(analyser=ANALYSER)
    return len(missing)


def documents_without_words(store: Store) -> list[LiveDocument]:
    """Documents with chunks whose words are missing or incomplete."""
    documents = [one for one in store.documents() if one.chunk_count]
    generations = {"generations": [one.generation for one in documents]}
    lengths = {row["generation"]: row for row in store.client.query(Statement("count_lengths", generations))}
    postings = {row["generation"]: row for row in store.client.query(Statement("count_postings", generations))}
    nothing = {"chunk_count": 0, "posting_count": 0, "checksum_sum": 0}

    def has_words(document: LiveDocument) -> bool:
        promised, stored = (found.get(document.generation, nothing) for found in (lengths, postings))
        return promised["chunk_count"] == document.chunk_count and all(
            promised[name] == stored[name] for name in ("posting_count", "checksum_sum")
        )

    return [document for document in documents if not has_words(document)]


def store_words(store: Store, generations: Sequence[int], language: str) -> None:
    """The words of some generations, in place of what a killed run may have left of them."""
    some = {"generations": list(generations)}
    for statement in (Statement("delete_postings", some), Statement("delete_lengths", some)):
        store.client.execute(statement)
    texts = store.client.query(Statement("generation_texts", some))
    rows = [
        words
        for _, group in groupby(texts, lambda row: row["generation"])
        for words in document_words(list(group), language)
    ]
    # As for new chunks: lengths before postings, so that every generation with postings can be found.
    store.client.insert("lengths", length_columns(rows))
    if postings := posting_columns(rows):
        store.client.insert("postings", postings)


def document_words(texts: Sequence[Row], language: str) -> list[Words]:
    """The words of the chunks of one document, whose language its beginning tells."""
    chosen = choose_language(beginning([row["text"] for row in texts]), language)
    return [(row["generation"], row["chunk_index"], chunk_words(row["text"], chosen)) for row in texts]


def beginning(texts: Sequence[str]) -> str:
    """As much of a document's text as tells its language."""
    some, length = [], 0
    for text in texts:
        some.append(text)
        length += len(text)
        if length >= SAMPLE:
            break
    return "\n".join(some)
