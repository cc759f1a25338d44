"""A store in, the same documents embedded by another model out, while readers go on with the old vectors.

The chunks are embedded again from their stored texts into a second store beside the first: documents whose files have
gone are in it too, and every citation stays where it was. Epochs and generations are those of the first store, so one
look at both manifests tells what is missing, and a run that was killed goes on there. When nothing is missing the two
change places in one step of the file system; only then is the old one removed.

This process never has both stores open, and the first one only for as long as it takes to read a batch.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rag.encoder.encoder import load_encoder
from rag.encoder.prompts import OWN_PROMPTS, Prompts
from rag.index.indexer import Indexer
from rag.index.surroundings import embedded_text
from rag.index.word_vectors import add_word_vectors
from rag.text.analyser import ANALYSER, beginning, choose_language, chunk_words
from sql.base.errors import RagError, StoreBusy, StoreError, UsageError
from sql.engine.client import parse_location
from sql.engine.entrance import ROOM_SECONDS
from sql.engine.folders import exchange_stores, finish_removal, remove_store
from sql.engine.native import columns_of_rows
from sql.engine.statements import Statement
from sql.engine.wire import makes_room
from sql.store import Draft, Store, generation_batches, manifest_row
from sql.store.stored import stored_chunk, stored_document, stored_places
from sql.store.word_vectors import WordVectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from sql.base.settings import Settings
    from sql.engine.client import Location, Row
    from sql.records import Chunk
    from sql.records.calibration import Quantizer
    from sql.store.collection import Collection

NEXT = ".next"  # what the second store is called
PATIENCE_SECONDS = 60.0  # how long another process may have the store before the run gives up


@dataclass
class Reembedding:
    """What a run did."""

    model: str = ""
    store: str = ""
    documents: int = 0
    chunks: int = 0
    switched: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Some documents as the first store holds them: manifest rows, chunks, extracted texts, languages of chunks, the
    keys of chunks whose float32 vectors are kept, and places.
    """

    rows: Sequence[Row]
    chunks: Sequence[Row] = ()
    texts: Sequence[Row] = ()
    languages: Sequence[Row] = field(default=())
    kept_floats: Sequence[Row] = field(default=())
    places: Sequence[Row] = field(default=())


@dataclass
class Reembedder:
    """One run: from a store to another one, with the encoder of the latter."""

    settings: Settings
    model: str
    source: Location
    target: Location
    quantizer: Mapping[str, Any]
    announce: Callable[[str], None] = lambda sentence: None
    progress: Callable[[int], None] = lambda chunks: None
    prompts: Prompts = OWN_PROMPTS
    encoder: Encoder | None = None
    done: Reembedding = field(default_factory=Reembedding)

    def run(self, *, switch: bool) -> Reembedding:
        """Copies until nothing is missing; then, with `switch`, lets both stores change places and removes the old."""
        started = time.monotonic()
        self.done.model = self.wanted_encoder().identity.model
        self.done.store = str(self.source if switch else self.target)
        if switch:
            finish_removal(folder_of(self.target))
        if switch and self.finished_before():
            return self.done
        while self.copy_missing():
            pass
        self.make_word_vectors()
        if switch:
            self.change_places()
        self.done.seconds = time.monotonic() - started
        return self.done

    def make_word_vectors(self) -> None:
        """Vectors of words by the new encoder, where the source has those of its own."""
        with opened(self.source) as store:
            wanted = WordVectors(store).exist
        if wanted:
            with opened(self.target, write=True) as store:
                add_word_vectors(store, self.wanted_encoder(), begin=True, announce=self.announce)

    def change_places(self) -> None:
        """Lets both stores change places, and removes the old one when nothing was added to it at the last moment."""
        folder, beside = folder_of(self.source), folder_of(self.target)
        patiently(lambda: exchange_stores(folder, beside), folder)
        self.done.switched = True
        # Between the last look at the old store and the exchange another process may have had a moment.
        self.source, self.target = self.target, self.source
        while self.copy_missing():
            pass
        remove_store(beside)

    def finished_before(self) -> bool:
        """Whether the store has the model already; what a run that was killed after the switch has left is removed."""
        with opened(self.source) as store:
            encoder, collection = self.wanted_encoder(), store.collection()
            if collection is None or collection.encoder != encoder.identity or lacks_errors(store):
                return False
            if collection.vector_quantizer != self.wanted_quantizer(collection):
                return False
            known = {row["generation"] for row in newest_rows(store)}
        if self.target.may_hold_store:
            with opened(self.target) as old:
                superseded = {row["generation"] for row in newest_rows(old)} <= known
            if superseded:
                remove_store(folder_of(self.target))
            else:
                self.announce(
                    f"{self.target} holds other versions of documents than {self.source}, and was left as it is"
                )
        return True

    def wanted_encoder(self) -> Encoder:
        """The encoder of the new vectors, loaded once."""
        if self.encoder is None:
            self.encoder = load_encoder(self.settings, self.model, prompts=self.prompts, announce=self.announce)
        return self.encoder

    def wanted_quantizer(self, collection: Collection) -> Quantizer:
        """How the new vectors become codes: as those of a store do, but for what is asked for."""
        return collection.vector_quantizer.changed(**self.quantizer)

    def copy_missing(self) -> int:
        """Embeds and publishes in the target what it lacks of the source; returns how many documents that were."""
        with opened(self.source) as store:
            rows, collection = newest_rows(store), store.collection()
        if collection is None:
            raise StoreError(f"the store {self.source} is empty: there is nothing to embed again")
        with opened(self.target, write=True) as store:
            quantizer = self.wanted_quantizer(collection)
            self.check_target(store, rows, quantizer)
            if store.collection() is None:
                store.prepare(self.wanted_encoder().identity, quantizer.name, ANALYSER)
            epochs = {row["document_id"]: row["epoch"] for row in newest_rows(store)}
        missing = [row for row in rows if row["epoch"] > epochs.get(row["document_id"], 0)]
        by_generation = {row["generation"]: row for row in missing}
        for generations in generation_batches(sorted(missing, key=lambda row: row["epoch"])):
            self.copy([by_generation[generation] for generation in generations])
        return len(missing)

    def check_target(self, store: Store, rows: Sequence[Row], quantizer: Quantizer) -> None:
        """Raises UsageError where the second store is something else than a copy that was begun with this model."""
        collection, place = store.collection(), store.client.location
        if store.is_cluster:
            raise UsageError(
                f"{place} is a cluster: embed into a folder or one server, export that and import it there"
            )
        if collection is None or self.done.switched:
            return
        if collection.encoder != self.wanted_encoder().identity:
            raise UsageError(
                f"{place} holds the documents embedded by {collection.encoder.model}: finish that with "
                f"`--model {collection.encoder.model}`, or remove {place} first"
            )
        if collection.vector_quantizer != quantizer:
            raise UsageError(
                f"{place} holds the documents as {collection.quantizer} codes: finish that with "
                f"`{collection.vector_quantizer.options}`, or remove {place} first"
            )
        epochs = {row["document_id"]: row["epoch"] for row in rows}
        if any(row["document_id"] not in epochs for row in newest_rows(store)):
            raise UsageError(f"{place} holds documents that {self.source} does not hold: give another place")

    def copy(self, rows: Sequence[Row]) -> None:
        """Embeds some documents of the source anew and publishes them in the target at their own epochs."""
        with opened(self.source) as store:
            batch = read_batch(store, rows)
        with opened(self.target, write=True) as store:
            encoder, collection = self.wanted_encoder(), store.collection()
            if collection is None:
                raise StoreError(f"{self.target} was removed while it was filled: run the command again")
            drafts, chunks = make_drafts(batch, encoder)
            if store.client.location.folder is None:  # an embedded store was cleared when it was opened
                store.garbage.delete_generations([draft.generation for draft in drafts])
            if chunks:
                vectors = encoder.encode_documents(
                    [embedded_text(chunk, draft.document, encoder) for draft, chunk in chunks], self.progress
                )
                indexer = Indexer(store, encoder.identity)
                languages = stored_languages(batch)
                words = [chunk_words(chunk.text, code) for (_, chunk), code in zip(chunks, languages, strict=True)]
                indexer.add(chunks, vectors, words, kept_floats(batch, vectors))
            store.writer.complete(drafts)
            published = {draft.generation: draft for draft in drafts}
            new = [
                manifest_row(published[row["generation"]], row["epoch"])
                if row["kind"] == "publish"
                else row | {"calibration": 0}
                for row in batch.rows
            ]
            if new:
                store.client.insert("manifest", columns_of_rows(new))
            store.writer.forget_drafts(published)
        self.done.documents += len(drafts)
        self.done.chunks += len(chunks)


def reembed(
    settings: Settings,
    model: str,
    db: str,
    into: str | None = None,
    *,
    quantizer: Mapping[str, Any] | None = None,
    prompts: Prompts = OWN_PROMPTS,
    announce: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int], None] = lambda chunks: None,
) -> Reembedding:
    """Embeds every document of a store with another model; the store changes at the end, in one step.

    `into` names another store that is filled instead, and stays beside the old one. Raises UsageError for a store on a
    server without it, StoreBusy where another process keeps the store open for more than a minute.
    """
    source = parse_location(db)
    source.require_store()
    if into is None and source.folder is None:
        raise UsageError(
            f"{source} is on a server, where stores cannot be swapped in one step: name a second database with --into, "
            "and then point readers to it with RAG_DB"
        )
    target = parse_location(into or f"{folder_of(source)}{NEXT}")
    if source.folder is not None and target.folder is not None and source.folder.resolve() == target.folder.resolve():
        raise UsageError(f"--into {target} is the store itself: name another one")
    worker = Reembedder(settings, model, source, target, quantizer or {}, announce, progress, prompts)
    return worker.run(switch=into is None)


# Reading the one store and writing the other


def folder_of(location: Location) -> Path:
    """The folder of an embedded store, without symbolic links."""
    if location.folder is None:
        raise UsageError(f"{location} is on a server and has no folder")
    return location.folder.resolve()


def patiently(work: Callable[[], Any], folder: Path | None = None) -> Any:
    """Does something with a store as soon as no other process has it; StoreBusy after a minute.

    A server that only reads the store in a `folder` is asked to give it up.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    asked = 0.0
    while True:
        try:
            return work()
        except StoreBusy:
            if (now := time.monotonic()) > until:
                raise
            if folder is not None and now - asked > ROOM_SECONDS:
                makes_room(folder, ROOM_SECONDS)
                asked = now
            time.sleep(0.1)


@contextmanager
def opened(location: Location, *, write: bool = False) -> Iterator[Store]:
    """A store, waited for if need be."""
    store: Store = patiently(lambda: Store.open(location, write=write))
    with store:
        yield store


def newest_rows(store: Store) -> list[Row]:
    """The newest manifest row of every document that was ever there; none of a store without tables."""
    if store.collection() is None:
        return []
    return store.client.query(Statement("newest_manifest", {"epoch": store.epoch()}))


def lacks_errors(store: Store) -> bool:
    """Whether the rounding error of a chunk is not known: version 4 kept none, and then only a new vector has one."""
    return bool(store.client.query(Statement("unknown_errors", {"epoch": store.epoch()}))[0]["chunk_count"])


def read_batch(store: Store, rows: Sequence[Row]) -> Batch:
    """Some documents, but for those that were replaced and collected in the meantime: a later round finds their like."""
    generations = {"generations": [row["generation"] for row in rows if row["kind"] == "publish"]}
    chunks = store.client.query(Statement("whole_chunks", generations))
    counts: dict[int, int] = {}
    for chunk in chunks:
        counts[chunk["generation"]] = counts.get(chunk["generation"], 0) + 1
    whole = [row for row in rows if row["kind"] == "delete" or counts.get(row["generation"], 0) == row["chunk_count"]]
    kept = {row["generation"] for row in whole}
    newest = {row["generation"] for row in newest_rows(store)} if len(whole) < len(rows) else set()
    for row in rows:
        if row["generation"] in newest - kept:
            raise StoreError(
                f"{row['source']}: {counts.get(row['generation'], 0)} of {row['chunk_count']} chunks are in the store: "
                "ingest its file again first"
            )
    return Batch(
        whole,
        [chunk for chunk in chunks if chunk["generation"] in kept],
        store.client.query(Statement("whole_texts", generations)),
        store.client.query(Statement("whole_lengths", generations)),
        store.client.query(Statement("whole_float_references", generations)),
        store.client.query(Statement("whole_places", generations)),
    )


def make_drafts(batch: Batch, encoder: Encoder) -> tuple[list[Draft], list[tuple[Draft, Chunk]]]:
    """Drafts of documents under their own generations, and their chunks in order.

    Raises RagError for a chunk that the encoder does not read whole.
    """
    texts = {row["generation"]: row["text"] for row in batch.texts}
    metadata = {row["generation"]: row["metadata"] for row in batch.chunks}
    places, drafts = stored_places(batch.places), {}
    for row in batch.rows:
        if row["kind"] == "publish":
            generation = row["generation"]
            document = stored_document(
                row, texts.get(generation), metadata.get(generation, "{}"), places.get(generation, ())
            )
            drafts[generation] = Draft(
                document, row["document_id"], generation, metadata.get(generation, "{}"), calibration=0
            )
    return list(drafts.values()), [(drafts[row["generation"]], new_chunk(row, encoder)) for row in batch.chunks]


def new_chunk(row: Row, encoder: Encoder) -> Chunk:
    """A chunk as it was, its tokens counted by another encoder."""
    tokens = encoder.tokenizer.count(row["text"])
    if tokens > encoder.max_document_tokens:
        raise RagError(
            f"{row['source']} has a chunk of {tokens} tokens, more than the {encoder.max_document_tokens} that "
            f"{encoder.identity.model} reads: ingest the files into a new store with another --db"
        )
    return stored_chunk(row, tokens)


def kept_floats(batch: Batch, vectors: NDArray[np.float32]) -> dict[int, list[float]]:
    """The new vectors, float32 (chunks, dimensions), of those chunks whose old ones are kept too, by their row."""
    kept = {(row["generation"], row["chunk_index"]) for row in batch.kept_floats}
    return {
        number: vectors[number].tolist()
        for number, row in enumerate(batch.chunks)
        if (row["generation"], row["chunk_index"]) in kept
    }


def stored_languages(batch: Batch) -> list[str]:
    """The languages that the chunks of a batch were indexed in; of those without words their document's own."""
    languages = {(row["generation"], row["chunk_index"]): str(row["language"]) for row in batch.languages}
    found = []
    for generation, group in groupby(batch.chunks, lambda row: row["generation"]):
        chunks = list(group)
        guessed = (
            None if (generation, 0) in languages else choose_language(beginning([c["text"] for c in chunks]), "auto")
        )
        found += [languages.get((generation, chunk["chunk_index"]), guessed or "") for chunk in chunks]
    return found
