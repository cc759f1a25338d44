"""Front matter becomes metadata; whatever is in it, the file is read and the rest of it counts."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import hash_encoder

from ingest import front_matter
from ingest.front_matter import document_metadata, read_front_matter
from ingest.read import read_document
from ingest.sync import sync
from ingest.walk import walk
from rag.quantization import ASYMMETRIC
from sql import filters, metadata
from sql.metadata import freeze_metadata
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from rag.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("a: 1", {"a": 1}),
        ("a:   text of words  # and a comment", {"a": "text of words"}),
        ("a: 'it''s # no comment'", {"a": "it's # no comment"}),
        (r'a: "tab\t\"quoted\" \u"', {"a": 'tab\t"quoted" \\u'}),
        ("a: C#", {"a": "C#"}),
        ("a: True\nb: false\nc: null\nd: ~\ne:", {"a": True, "b": False, "c": None, "d": None, "e": None}),
        ("a: 1.5\nb: -2\nc: 1e3\nd: 1.2.3\ne: 12:30", {"a": 1.5, "b": -2, "c": 1000.0, "d": "1.2.3", "e": "12:30"}),
        (
            "a: 99999999999999999999\nb: 9999999999999999999\nc: 1e999",
            {"a": 1e20, "b": "9999999999999999999", "c": "1e999"},
        ),
        ("a: [1, two, '3', \"x, y\", true]", {"a": (1, "two", "3", "x, y", True)}),
        ("a: []", {"a": ()}),
        ("a:\n  - 1\n  - two\nb: 3", {"a": (1, "two"), "b": 3}),
        ("a:\n- one", {"a": ("one",)}),
        ("a:\n  nested: 1\nb: 2", {"b": 2}),
        ("a: 1\na: 2", {"a": 2}),
        ("a b: 1\n'q': 2\n1st: 3\nok: 4", {"ok": 4}),
        ("http://x.y\nok: 4", {"ok": 4}),
        ("# ok: 4", {}),
        ("- 1", {}),
    ],
)
def test_lines_become_values_of_their_types(lines: str, expected: dict[str, Any]) -> None:
    assert read_front_matter(f"---\n{lines}\n---") == expected


@given(st.text(alphabet=st.sampled_from("ab:-#[]'\", \n\\~1.e{}|>&*!%@`\t")) | st.text())
def test_any_front_matter_is_read_without_an_error_into_metadata_that_can_be_stored(text: str) -> None:
    freeze_metadata(read_front_matter(f"---\n{text}\n---"))


@pytest.mark.parametrize("module", [front_matter, filters, metadata])
def test_the_examples_of_the_docstrings_hold(module: Any) -> None:
    tested = doctest.testmod(module)
    assert (tested.failed, tested.attempted > 0) == (0, True)


def test_only_markdown_with_front_matter_has_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nyear: 1998\n---\n\n# Kilns\n")
    (tmp_path / "b.md").write_text("# Kilns\n\nyear: 1998\n")
    (tmp_path / "c.md").write_text(f"---\nlong: {'x' * 70_000}\n---\n\n# Kilns\n")
    found = [dict(document_metadata(read_document(tmp_path / name, name))) for name in ("a.md", "b.md", "c.md")]
    assert found == [{"year": 1998}, {}, {}]


def test_front_matter_can_be_filtered_by_after_an_ingest(tmp_path: Path, tokenizer: Tokenizer) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, year in (("old", 1998), ("new", 2024)):
        (docs / f"{name}.md").write_text(f"---\nyear: {year}\ntags: [kiln, {name}]\n---\n\nThe cat sat here.\n")
    encoder, _ = hash_encoder(tokenizer)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(encoder.identity, "asymmetric int8 per vector")
        sync(store, encoder, walk([str(docs)]), ASYMMETRIC)
        from rag.quantization import quantize_query

        query = quantize_query(encoder.encode_query("cat"))
        hits = store.search(query, 10, filter={"year": {"$gte": 2020}, "tags": "kiln"})
    assert {hit.title for hit in hits} == {"new"} or {hit.source.rsplit("/", 1)[-1] for hit in hits} == {"new.md"}
    assert dict(hits[0].metadata) == {"year": 2024, "tags": ("kiln", "new")}
