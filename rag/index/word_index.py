"""A store without words of this analyser in, the same store with the words of all its chunks out, made from stored texts.

Stores of schema version 1 had none, and those of an older analyser are met by no question of today. Nothing is searched
by words before the last one has been counted back and a revision of the collection names the analyser; other words are
removed only after a revision has said so. So a run may be killed at any time: readers are told what to do, and the next
run goes on.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rag.text.analyser import ANALYSER, LanguageChooser, beginning, chunk_words
from sql.base.errors import StoreError
from sql.base.wording import counted
from sql.engine.statements import Statement
from sql.store import generation_batches
from sql.store.word_vectors import WordVectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sql.engine.client import Row
    from sql.records import ChunkWords, LiveDocument
    from sql.store import Store

Words = tuple[int, int, "ChunkWords"]  # generation and index of a chunk, and its words
REMOVING = "none: those of an older one are being removed"  # the analyser of a store while that is so


def add_words(store: Store, language: str = "auto", announce: Callable[[str], None] = lambda sentence: None) -> int:
    """Makes the words of every document that has none, or anew where another analyser made them; of how many documents.

    `language` is that of the documents: see rag.text.analyser.choose_language. Does nothing in a store whose words are
    complete. StoreError where some did not arrive; the next call goes on.
    """
    collection = store.collection()
    if collection is None or collection.analyser == ANALYSER:
        return 0
    if collection.analyser:
        announce(f"{store.client.location}: removing the words of the analyser {collection.analyser!r}")
        remove_words(store)
    missing = documents_without_words(store)
    if missing:
        announce(
            f"{store.client.location}: making the words of {counted(len(missing), 'document')} from their stored texts"
        )
    rows = [{"generation": one.generation, "chunk_count": one.chunk_count} for one in missing]
    chooser = LanguageChooser(language, store.snapshot().text_statistics().languages)
    for generations in generation_batches(rows):
        store_words(store, generations, chooser)
    if left := documents_without_words(store):
        raise StoreError(
            f"the words of {left[0].path} did not arrive in {store.client.location}: run the command again"
        )
    store.revise(analyser=ANALYSER)
    return len(missing)


def remove_words(store: Store) -> None:
    """Removes all words, of which another analyser has made some; from the first one on no reader is let to them."""
    store.revise(analyser=REMOVING)
    generations = [row["generation"] for row in store.client.query(Statement("word_generations"))]
    store.garbage.delete_words(generations)
    WordVectors(store).delete_all()
    store.revise(analyser="")


def documents_without_words(store: Store) -> list[LiveDocument]:
    """Documents with chunks whose words are missing or incomplete."""
    documents = [one for one in store.snapshot().documents() if one.chunk_count]
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


def store_words(store: Store, generations: Sequence[int], chooser: LanguageChooser) -> None:
    """The words of some generations, in place of what a killed run may have left of them."""
    store.garbage.delete_words(generations)
    texts = store.client.query(Statement("generation_texts", {"generations": list(generations)}))
    documents = [list(group) for _, group in groupby(texts, lambda row: row["generation"])]
    beginnings = [beginning([row["text"] for row in document]) for document in documents]
    rows = [
        words
        for document, language in zip(documents, chooser.choose_all(beginnings), strict=True)
        for words in document_words(document, language)
    ]
    store.writer.insert_words(rows)


def document_words(texts: Sequence[Row], language: str) -> list[Words]:
    """The words of the chunks of one document."""
    return [(row["generation"], row["chunk_index"], chunk_words(row["text"], language)) for row in texts]
