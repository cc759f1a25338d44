"""A folder of documents and a store that is to match it, for tests of the sync."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support import QUANTIZER, HashKernel, hash_encoder, sync_with, visible_texts

from ingest.cutting import AS_BEFORE
from ingest.given_metadata import NOTHING_SAID, GivenMetadata
from ingest.plan import make_plan
from ingest.walk import walk
from sql.store import Store
from sql.store.windows import document_windows

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.cutting import ChunkOptions
    from ingest.plan import SyncPlan
    from ingest.synchronize import Summary
    from ingest.walk import Walk
    from rag.text.tokenizer import Tokenizer
    from sql.base.terminal import Progress


@dataclass
class Library:
    """A folder of documents, a store, and an encoder whose work is counted."""

    folder: Path
    location: str
    tokenizer: Tokenizer
    store: Store
    kernel: HashKernel
    quantizer: str = QUANTIZER

    def write(self, name: str, text: str | bytes) -> Path:
        """A file below the folder; its parents are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def sync(
        self,
        *paths: Path | str,
        batches_left: int | None = None,
        progress: Progress | None = None,
        recalibrate: bool = False,
        said: GivenMetadata = NOTHING_SAID,
    ) -> Summary:
        """One run over the given paths, or the whole folder."""
        return self.sync_found(self.found(*paths), batches_left, progress, recalibrate=recalibrate, said=said)

    def sync_found(
        self,
        found: Walk,
        batches_left: int | None = None,
        progress: Progress | None = None,
        *,
        recalibrate: bool = False,
        said: GivenMetadata = NOTHING_SAID,
        ocr: bool = False,
        chunks: ChunkOptions = AS_BEFORE,
    ) -> Summary:
        """One run over what was found."""
        encoder, self.kernel = hash_encoder(self.tokenizer, batches_left)
        self.store.prepare(encoder.identity, self.quantizer)
        return sync_with(
            self.store, encoder, found, progress=progress, recalibrate=recalibrate, said=said, ocr=ocr, chunks=chunks
        )

    def found(self, *paths: Path | str) -> Walk:
        """The files below the given paths, or the whole folder."""
        return walk([str(path) for path in paths or (self.folder,)])

    def plan(self, *paths: Path | str) -> SyncPlan:
        """What a run would do."""
        return make_plan(self.found(*paths), document_windows(self.store.snapshot()))

    def names(self) -> list[str]:
        """The documents in the store, relative to the folder."""
        return [os.path.relpath(document.path, self.folder) for document in self.store.snapshot().documents()]

    def text(self, name: str) -> str:
        """The chunks of one document in the store, joined."""
        texts = visible_texts(self.store)
        return " ".join(texts[str(self.folder / name)])

    def blocks(self) -> str:
        """How many blocks each table was ever given: any insert and any deletion changes it, a merge does not."""
        sql = (
            "SELECT table, max(max_block_number), max(data_version) FROM system.parts "
            "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY 1"
        )
        return self.store.client.text(sql, "TSV").decode()

    def reopen(self) -> None:
        """What a new process would see."""
        self.store.close()
        self.store = Store.open(self.location, write=True)


def counts(summary: Summary) -> tuple[int, int, int, int, int]:
    """Files, indexed, unchanged, deleted, failed."""
    return summary.files, summary.indexed, summary.unchanged, summary.deleted, len(summary.failed)
