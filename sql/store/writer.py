"""The one way in: documents become drafts that nobody sees, are counted back, and are published all at once."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from sql.base.errors import StoreError, StoreUnreachable
from sql.base.settings import CODE_BITS
from sql.base.sums import MASK_64
from sql.base.wording import counted
from sql.engine.lease import LEASE_TIMEOUTS, PublishLease, has_lease
from sql.engine.native import columns_of_rows
from sql.engine.statements import Statement
from sql.records import GENERATION_RANDOM_BITS, first_generation
from sql.records.metadata import metadata_json
from sql.search.cells import read_cells
from sql.search.words import length_columns, posting_columns
from sql.store.places import draft_places, place_columns
from sql.store.rows import Draft, chunk_columns, deletion_row, manifest_row, some_of, text_hash

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from sql.engine.client import Client
    from sql.engine.cluster import Cluster
    from sql.records import ChunkWords, LiveDocument, SourceDocument
    from sql.records.calibration import Calibration
    from sql.search.cells import Cells
    from sql.store.collection import CollectionTable
    from sql.store.rows import ChunkBatch
    from sql.store.snapshot import Snapshot

ROWS_PER_INSERT = 20_000  # far below the 1,048,449 rows at which the engine splits one insert into several parts
WORD_ROWS_PER_INSERT = 4_000  # chunks; each has some 50 postings
SETTLE_SECONDS = 0.3  # after a cut connection, for an insert that the server had in hand to become visible or not
# A generation is, from its highest bits on: the epoch after which it was begun, the run that began it, a number, and a
# bucket of its document, by which the shards of a cluster divide everything that has a generation.
BUCKET_BITS, NUMBER_BITS = 8, 12
BUCKETS = 1 << BUCKET_BITS
RUN_BITS = GENERATION_RANDOM_BITS - NUMBER_BITS - BUCKET_BITS


@dataclass
class Writer:
    """Puts documents into one store. Safe from any thread; those that write take turns where they have to.

    `now` gives the store at its latest epoch. A thread that does several things which belong together holds `writing`
    meanwhile.
    """

    client: Client
    cluster: Cluster | None
    made_with: CollectionTable
    now: Callable[[], Snapshot]
    _drafts: set[int] = field(default_factory=set)  # of those in client.drafts, the ones begun here
    _begun_at: int | None = None
    _run: int = field(default_factory=lambda: secrets.randbits(RUN_BITS))
    _number: int = 0
    _cells: list[Cells | None] = field(default_factory=list)  # empty until they were looked for

    def close(self) -> None:
        """Gives up what was begun here and is not published."""
        with self.writing:
            self.client.drafts.difference_update(self._drafts)

    @property
    def writing(self) -> threading.RLock:
        """Held by the one thread that writes, of all that have the store open in this process."""
        return self.client.writing

    # Drafts

    def begin(self, document: SourceDocument) -> Draft:
        """A fresh, invisible generation for a document."""
        return Draft(
            document, document.document_id, self.new_generation(document.document_id), metadata_json(document.metadata)
        )

    def new_generation(self, document_id: UUID) -> int:
        """The number of a fresh generation of a document, which is not garbage until `forget_drafts`."""
        return self._new_generation(document_id.int % BUCKETS)

    def next_generation(self, generation: int) -> int:
        """A fresh generation of the document that has a generation; its rows stay on the shard that they are on."""
        return self._new_generation(generation % BUCKETS)

    def _new_generation(self, bucket: int) -> int:
        with self.writing:
            # Runs that know nothing of each other share a generation as seldom as they draw the same 20 bits in the same
            # epoch and reach the same number with documents of one bucket; and one can see when it was begun.
            if self._begun_at is None:
                self._begun_at = self.now().epoch
            if self._number >> NUMBER_BITS:
                self._run, self._number = secrets.randbits(RUN_BITS), 0
            within = (self._run << NUMBER_BITS | self._number) << BUCKET_BITS | bucket
            generation = first_generation(self._begun_at) | within
            self._number += 1
            self._drafts.add(generation)
            self.client.drafts.add(generation)
            return generation

    def forget_drafts(self, generations: Iterable[int]) -> None:
        """Drafts that have been published; what is begun from now on gets a higher number."""
        with self.writing:
            known = set(generations)
            self._drafts.difference_update(known)
            self.client.drafts.difference_update(known)
            self._begun_at = None

    # Rows

    def cells(self) -> Cells | None:
        """The newest version of the cells, which new chunks are put into; None while there are none."""
        found = self._cells  # looked at once: another thread may be at `forget_cells`
        if not found:
            found = self._cells = [read_cells(self.client.query_packed(Statement("cells")))]
        return found[0]

    def forget_cells(self) -> None:
        """Looks for a newer version of the cells before the next insert."""
        self._cells = []

    def insert(self, batch: ChunkBatch) -> None:
        """Stores chunks of drafts. They stay invisible until `publish`."""
        self._insert_words(batch)
        collection = self.made_with.newest()
        bits = collection.vector_quantizer.bits if collection else CODE_BITS[0]
        for first in range(0, len(batch.chunks), ROWS_PER_INSERT):
            rows = range(first, len(batch.chunks))[:ROWS_PER_INSERT]
            self._insert_references(batch, rows)
            columns = chunk_columns(batch, rows, self.cells(), bits)
            drafts = {batch.chunks[row][0].generation: batch.chunks[row][0] for row in rows}
            self._insert_surely("chunks", columns, lambda drafts=drafts: self._arrived_chunks(drafts.values()))  # type: ignore[misc]

    def _insert_references(self, batch: ChunkBatch, rows: range) -> None:
        kept = [row for row in rows if row in batch.references]
        if kept:
            columns: dict[str, list[Any]] = {
                "generation": [batch.chunks[row][0].generation for row in kept],
                "chunk_index": [batch.chunks[row][1].index for row in kept],
                "vector": [list(batch.references[row]) for row in kept],
            }
            self.client.insert("float_references", columns)

    def _insert_words(self, batch: ChunkBatch) -> None:
        """Stores the words of chunks and counts them in their drafts."""
        rows = [
            (draft.generation, chunk.index, words)
            for (draft, chunk), words in zip(batch.chunks, batch.words, strict=False)
        ]
        checksums = self.insert_words(rows)
        for (draft, _), words, checksum in zip(batch.chunks, batch.words, checksums, strict=False):
            draft.words_count += 1
            draft.posting_count += len(words.terms)
            draft.words_checksum = (draft.words_checksum + checksum) & MASK_64

    def insert_words(self, rows: Sequence[tuple[int, int, ChunkWords]]) -> list[int]:
        """Stores words of chunks, given by generation and index; returns the checksum of each (`words_checksum`).

        Lengths go before postings, so that every generation with postings can be found.
        """
        checksums: list[int] = []
        for first in range(0, len(rows), WORD_ROWS_PER_INSERT):
            some = rows[first : first + WORD_ROWS_PER_INSERT]
            lengths = length_columns(some)
            checksums += lengths["checksum"].tolist()
            self.client.insert("lengths", lengths)
            if postings := posting_columns(some):
                self.client.insert("postings", postings)
        return checksums

    def _insert_texts(self, drafts: Sequence[Draft]) -> None:
        rows: list[dict[str, Any]] = [
            {
                "generation": draft.generation,
                "document_id": draft.document_id,
                "source": draft.document.source,
                "text": text,
                "row_hash": text_hash(text),
            }
            for draft in drafts
            if (text := draft.document.extracted_text) is not None
        ]
        if rows:
            generations = [row["generation"] for row in rows]
            self._insert_surely("texts", columns_of_rows(rows), lambda: self._arrived_texts(generations))

    def _insert_places(self, drafts: Sequence[Draft]) -> None:
        rows = draft_places(drafts)
        while some := list(islice(rows, ROWS_PER_INSERT)):
            columns = place_columns(some)
            touched = {draft.generation: draft for draft, _ in some}
            self._insert_surely("places", columns, lambda touched=touched: self._arrived_places(touched.values()))  # type: ignore[misc]

    def add_calibration(self, calibration: Calibration) -> Calibration:
        """Stores fitted ranges under the next version; what was fitted alike and is not stored twice keeps its own.

        Nothing is read with them until a generation is published that names the version.
        """
        with self.writing:
            return self._add_calibration(calibration)

    def _add_calibration(self, calibration: Calibration) -> Calibration:
        rows = self.client.query(Statement("calibration_newest"))
        newest = self.now().checked_calibration(rows[0]) if rows else None
        if newest is not None and newest.same_fit(calibration):
            return newest
        stored = replace(calibration, version=newest.version + 1 if newest else 1)
        row = stored.row(stored.version)
        self.now().checked_calibration(row)
        self.client.insert("calibrations", {name: [value] for name, value in row.items()})
        return stored

    # Publishing

    def publish(self, drafts: Sequence[Draft], deleted: Iterable[LiveDocument] = ()) -> int:
        """Makes drafts the current versions of their documents and deletes others, all at once; returns the epoch.

        Raises StoreError, and publishes nothing, where what has arrived is not what was sent.
        """
        removed = list(deleted)
        if not drafts and not removed:
            return self.now().epoch
        names = [draft.document_id for draft in drafts] + [document.document_id for document in removed]
        if len(set(names)) < len(names):
            raise ValueError(
                "a document can be published or deleted only once in one epoch: readers could not tell which"
            )
        with self.writing:
            self._check_calibrations(drafts, set(names))
            self.complete(drafts)
            epoch = self.publish_rows(
                lambda epoch: (
                    [manifest_row(draft, epoch) for draft in drafts]
                    + [deletion_row(document, epoch) for document in removed]
                )
            )
            self.forget_drafts(draft.generation for draft in drafts)
            self._begun_at = epoch
        return epoch

    def complete(self, drafts: Sequence[Draft]) -> None:
        """Stores the extracted texts and the places of drafts and counts back everything; StoreError where some is missing."""
        self._insert_texts(drafts)
        self._insert_places(drafts)
        self._verify(drafts)
        self._verify_words(drafts)
        self._verify_places(drafts)

    def publish_rows(self, rows_at: Callable[[int], list[dict[str, Any]]]) -> int:
        """Takes the next epoch and inserts the manifest rows for it, all of which appear at the same time.

        Where there are none to insert the epoch stays what it was. Returns the newest epoch.
        """
        with self.writing, self.publishing() as still_ours:
            epoch = int(self.client.query(Statement("newest_epoch"))[0]["epoch"]) + 1
            rows = rows_at(epoch)
            if not rows:
                return epoch - 1
            self._carry_groups(rows, epoch - 1)
            still_ours()
            # One insert of one block is one part.
            generations = [row["generation"] for row in rows]
            self._insert_surely("manifest", columns_of_rows(rows), lambda: self._arrived_manifest(epoch, generations))
            if self.cluster is not None:
                self._commit(epoch)
        return epoch

    def _carry_groups(self, rows: Sequence[dict[str, Any]], epoch: int) -> None:
        """Opens new versions to the groups of the versions before them; whoever may not read those never sees these."""
        if not self.made_with.has_groups():
            return
        new = {row["document_id"]: row["generation"] for row in rows if row["kind"] == "publish"}
        values: dict[str, Any] = {"document_ids": [str(document_id) for document_id in new], "epoch": epoch}
        carried = [
            row | {"generation": new[row["document_id"]]}
            for row in self.client.query(Statement("carried_groups", values))
        ]
        if carried:
            self.client.insert("document_groups", columns_of_rows(carried))

    @contextmanager
    def publishing(self) -> Iterator[Callable[[], None]]:
        """The right to take the next epoch; yields a check that it has not been lost meanwhile.

        Of an embedded store one process writes, and in it the thread that holds `writing`; on a server it takes the lease.
        """
        server = self.client.location.server
        if server is None or not has_lease(self.client):
            yield lambda: None
            return
        lease = PublishLease(
            self.client if self.cluster is None else self.cluster.first(), LEASE_TIMEOUTS * server.timeout
        )
        with lease.held() as token:
            yield lambda: lease.require(token)

    def _commit(self, epoch: int) -> None:
        """Lets readers of a cluster read at an epoch; a second row for it says nothing new."""
        try:
            self.client.insert("commits", columns_of_rows([{"epoch": epoch}]))
        except StoreUnreachable:
            time.sleep(SETTLE_SECONDS)
            self.client.insert("commits", columns_of_rows([{"epoch": epoch}]))

    def _check_calibrations(self, drafts: Sequence[Draft], replaced: set[UUID]) -> None:
        """Raises StoreError where codes of different calibrations would be visible at once: one query reads them all."""
        versions = {draft.calibration for draft in drafts if draft.chunk_count}
        if versions <= {0}:
            return
        now = self.now()
        used = now.calibration()
        if used is None or versions == {used.version}:
            others: list[LiveDocument] = []
        else:
            others = [one for one in now.documents() if one.chunk_count and one.document_id not in replaced]
        if len(versions) > 1 or others:
            first = others[0].source if others else drafts[0].document.source
            raise StoreError(
                f"codes of calibration {max(versions)} cannot be published beside older ones of "
                f"{counted(len(others), 'document')} ({first}): calibrate again with all folders of the store"
            )

    # What has arrived

    def _insert_surely(self, table: str, columns: dict[str, Any], arrived: Callable[[], set[int]]) -> None:
        """An insert that, where the connection was cut, looks which generations are there and sends the others again.

        Nothing is sent twice that was seen to have arrived. Rows that arrive only after the look are counted as too
        many before they are published, and of rows in the manifest a second copy says nothing new.
        """
        try:
            self.client.insert(table, columns)
        except StoreUnreachable:
            time.sleep(SETTLE_SECONDS)
            there = arrived()
            rows = [row for row, generation in enumerate(columns["generation"]) if generation not in there]
            if rows:
                self.client.insert(table, {name: some_of(values, rows) for name, values in columns.items()})

    def _arrived_chunks(self, drafts: Iterable[Draft]) -> set[int]:
        """The drafts all of whose chunks so far are in the store."""
        sent = {draft.generation: (draft.chunk_count, draft.row_hash_sum) for draft in drafts}
        rows = self.client.query(Statement("count_generations", {"generations": sorted(sent)}))
        return {
            row["generation"] for row in rows if sent[row["generation"]] == (row["chunk_count"], row["row_hash_sum"])
        }

    def _arrived_texts(self, generations: list[int]) -> set[int]:
        """The drafts whose extracted text is in the store."""
        rows = self.client.query(Statement("count_texts", {"generations": generations}))
        return {row["generation"] for row in rows}

    def _arrived_places(self, drafts: Iterable[Draft]) -> set[int]:
        """The drafts all of whose places so far are in the store."""
        sent = {draft.generation: (draft.place_count, draft.place_checksum) for draft in drafts}
        return {generation for generation, counted in self._counted_places(sent).items() if counted == sent[generation]}

    def _counted_places(self, generations: Iterable[int]) -> dict[int, tuple[int, int]]:
        """How many places of generations are in the store, and their checksum."""
        rows = self.client.query(Statement("count_places", {"generations": sorted(generations)}))
        return {row["generation"]: (row["place_count"], row["checksum_sum"]) for row in rows}

    def _arrived_manifest(self, epoch: int, generations: list[int]) -> set[int]:
        """The generations that have a manifest row at an epoch."""
        rows = self.client.query(Statement("published_generations", {"epoch": epoch, "generations": generations}))
        return {row["generation"] for row in rows}

    def _verify(self, drafts: Sequence[Draft]) -> None:
        """Counts back what has arrived: rows, highest index and the sum of the hashes."""
        generations = [draft.generation for draft in drafts]
        rows = self.client.query(Statement("count_generations", {"generations": generations}))
        found = {row["generation"]: (row["chunk_count"], row["last_index"], row["row_hash_sum"]) for row in rows}
        texts = {
            row["generation"]: (row["text_count"], row["row_hash_sum"])
            for row in self.client.query(Statement("count_texts", {"generations": generations}))
        }
        for draft in drafts:
            sent = (draft.chunk_count, draft.chunk_count - 1, draft.row_hash_sum)
            arrived = found.get(draft.generation, (0, -1, 0))
            extracted = draft.document.extracted_text
            sent_text = (0, 0) if extracted is None else (1, text_hash(extracted))
            if arrived != sent or texts.get(draft.generation, (0, 0)) != sent_text:
                raise StoreError(
                    f"{draft.document.source}: what arrived in {self.client.location} ({counted(arrived[0], 'chunk')}) is not "
                    f"what was sent ({counted(draft.chunk_count, 'chunk')}); nothing was published, run the command again"
                )

    def _verify_words(self, drafts: Sequence[Draft]) -> None:
        """Counts back what has arrived of their words."""
        generations = {"generations": [draft.generation for draft in drafts if draft.words_count]}
        if not generations["generations"]:
            return
        lengths = {row["generation"]: row for row in self.client.query(Statement("count_lengths", generations))}
        postings = {row["generation"]: row for row in self.client.query(Statement("count_postings", generations))}
        nothing = {"chunk_count": 0, "posting_count": 0, "checksum_sum": 0}
        for draft in drafts:
            promised, stored = (found.get(draft.generation, nothing) for found in (lengths, postings))
            sent = (draft.words_count, draft.posting_count, draft.words_checksum)
            if sent != tuple(promised[name] for name in nothing) or sent[1:] != (
                stored["posting_count"],
                stored["checksum_sum"],
            ):
                raise StoreError(
                    f"{draft.document.source}: of its {draft.posting_count} words {stored['posting_count']} arrived in "
                    f"{self.client.location}; nothing was published, run the command again"
                )

    def _verify_places(self, drafts: Sequence[Draft]) -> None:
        """Counts back what has arrived of their places."""
        placed = [draft for draft in drafts if draft.place_count]
        found = self._counted_places(draft.generation for draft in placed) if placed else {}
        for draft in placed:
            arrived = found.get(draft.generation, (0, 0))
            if arrived != (draft.place_count, draft.place_checksum):
                raise StoreError(
                    f"{draft.document.source}: of its {draft.place_count} places {arrived[0]} arrived in "
                    f"{self.client.location} as they were sent; nothing was published, run the command again"
                )
