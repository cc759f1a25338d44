"""A text that holds NULs goes through the store and comes back as the file has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support import hash_encoder, search, sync_with

from ingest.walk import walk
from rag.int8.quantization import quantize_query
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


def test_what_is_cited_of_a_text_with_nuls_is_what_the_file_holds(tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = "".join(
        f"{name:\0<40}{number:\0<9}\n" for number, name in enumerate(["Kiln, large", "Glaze", "Wet clay"] * 40)
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "export.txt").write_bytes(text.encode())
    (tmp_path / "docs" / "note.md").write_bytes(b"---\nby: Ada \0 Lovelace\n---\n\n# A \0 title\n\nThe cat\0 sat.\n")
    encoder, _ = hash_encoder(tokenizer)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(encoder.identity, "asymmetric int8 per vector")
        summary = sync_with(store, encoder, walk([str(tmp_path / "docs")]))
        query = quantize_query(encoder.encode_query("kiln"))
        hits = search(store, query, 100)
        filtered = search(store, query, 100, filter={"by": "Ada \0 Lovelace"})
        again = sync_with(store, encoder, walk([str(tmp_path / "docs")]))
    assert (summary.indexed, summary.failed, again.unchanged) == (2, [], 2)
    exported = sorted((hit for hit in hits if hit.source.endswith("export.txt")), key=lambda hit: hit.start)
    assert len(exported) > 1
    assert "\0\0" in exported[0].text
    assert all(hit.text == text[hit.start : hit.end] for hit in exported)
    assert {hit.text for hit in filtered} == {hit.text for hit in hits if hit.source.endswith("note.md")} != set()
