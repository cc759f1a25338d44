"""A store whose words an older analyser has made, and what has to be true of it later."""

from __future__ import annotations

from support import QUANTIZER, draft_document, identity, retrieve

from sql.base.errors import StoreMismatch
from sql.records import ChunkWords
from sql.store import Store

TEXTS = {"kiln": ["The kilns are hot.", "All the kilns of the town"], "list": ["kilns: one, two"], "empty": []}
OLD = "words 0"


def write_old_store(location: str) -> None:
    """A store whose words an older analyser has made, that left them as they are."""
    with Store.open(location, write=True) as store:
        store.prepare(identity(), QUANTIZER, OLD)
        for path, texts in TEXTS.items():
            draft = draft_document(store, path, texts, words=[ChunkWords("", {"old": 1, "kilns": 1}) for _ in texts])
            store.writer.publish([draft])


def kilns(store: Store) -> list[tuple[str, int]]:
    return sorted((hit.source, hit.chunk_index) for hit in retrieve(store, "kiln", 9, ranking="words"))


ALL = [("kiln", 0), ("kiln", 1), ("list", 0)]


def assert_made_anew(store: Store) -> None:
    assert kilns(store) == ALL
    assert store.snapshot(store.epoch()).term_frequencies(["old"]) == {}
    assert store.snapshot().damaged_documents() == []
    assert store.client.text("SELECT count() FROM lengths", "TSV") == b"3\n"


def reader_finds(store: Store) -> str:
    """What a reader meets: a clear refusal, or everything there is."""
    try:
        found = kilns(store)
    except StoreMismatch:
        return "refused"
    return "all" if found == ALL else f"some: {found}"
