"""Drift: a fresh store has none; what later vectors, forged codes and old versions leave behind is found, with its remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import chunks_of, hash_encoder, source_document

from ingest.synchronize import prepare, sync_walk
from ingest.walk import walk
from rag.commands import command_line as program
from rag.evaluate.drift import Drift, EncodedAgain, encoding_findings, examine_drift
from rag.index.indexer import Indexer
from rag.library import Library
from sql.base.errors import NoStore, UsageError
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders of documents."""
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("pets/cat.md", "# Cats\n\nThe cat sat here.\n"),
        ("pets/dog.txt", "One dog runs to two cats.\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "top.txt").write_text("A mat of the cat.\n")
    return tmp_path


def filled(folder: Path, tokenizer: Tokenizer, granularity: str = "vector") -> Library:
    encoder, _ = hash_encoder(tokenizer)
    library = Library(Store.open(str(folder / "store"), write=True), lambda: encoder, language="en")
    prepare(library, granularity=granularity)
    sync_walk(library, walk(["pets", "top.txt"]))
    return library


@pytest.fixture
def library(folder: Path, tokenizer: Tokenizer) -> Iterator[Library]:
    with filled(folder, tokenizer) as library:
        yield library


def add_scaled(library: Library, source: str, factor: float, rows: int = 30) -> None:
    """A document of drawn vectors that are so many times as long as others."""
    random = np.random.default_rng(len(source))
    vectors = factor * random.standard_normal((rows, library.encoder.identity.dimensions))
    writer = library.store.writer
    draft = writer.begin(source_document(source))
    chunks = [(draft, chunk) for chunk in chunks_of([f"text {row}" for row in range(rows)])]
    Indexer(library.store, library.encoder.identity).add(chunks, vectors.astype(np.float32), ())
    writer.publish([draft])


def told(drift: Drift, words: str) -> str:
    """The remedy of the one finding with some words."""
    (found,) = [one for one in drift.findings if words in one.finding]
    return found.remedy


def test_a_fresh_store_has_not_drifted_and_gets_the_same_codes_again(library: Library) -> None:
    drift = examine_drift(library, 10)
    assert drift.findings == []
    assert drift.encoded_again == EncodedAgain(3, 3, 0.0, 1.0)
    assert [(row["folder"], row["language"], row["chunk_count"]) for row in drift.groups] == [
        ("", "en", 1),
        ("pets", "en", 2),
    ]
    assert all(0 < row["relative_error"] <= row["greatest_relative_error"] < 0.02 for row in drift.groups)


def test_codes_that_the_encoder_does_not_make_are_found(library: Library) -> None:
    library.store.client.text("ALTER TABLE chunks UPDATE codes = arrayReverse(codes) WHERE source = 'top.txt'", None)
    drift = examine_drift(library, 10)
    assert drift.encoded_again is not None
    assert (drift.encoded_again.chunks, drift.encoded_again.identical) == (3, 2)
    assert "ingest the documents into a new store" in told(drift, "1 of 3 chunks get other codes on this CPU")


def test_a_step_here_and_there_needs_no_remedy() -> None:
    (found,) = encoding_findings(EncodedAgain(10, 4, 0.01, 0.9999), 8)
    assert found.finding.startswith("6 of 10 chunks get other codes on this CPU: 1.00% of the numbers")
    assert found.remedy.startswith("nothing needs to be done")


def test_vectors_outside_shared_ranges_are_found_by_their_folder(folder: Path, tokenizer: Tokenizer) -> None:
    encoder, _ = hash_encoder(tokenizer)
    with Library(Store.open(str(folder / "store"), write=True), lambda: encoder) as library:
        prepare(library, granularity="dimension")
        add_scaled(library, "early/short.txt", 1, rows=300)
        assert not [one for one in examine_drift(library, 1).findings if "of the numbers of" in one.finding]
        add_scaled(library, "late/long.txt", 50)
        drift = examine_drift(library, 1)
    assert "--recalibrate" in told(drift, "of the numbers of late written on")
    assert "--recalibrate" in told(drift, "rounding changes the vectors of late written on")


def test_vectors_that_are_too_long_are_found_where_the_encoder_normalizes_its_own(library: Library) -> None:
    add_scaled(library, "late/long.txt", 50)
    found = [one.finding for one in examine_drift(library, 1).findings if "have lengths from" in one.finding]
    assert bool(found) == library.encoder.config.normalized
    assert all(one.startswith("vectors of late written on") for one in found)


def test_errors_that_an_older_version_did_not_keep_are_counted_and_the_remedy_is_named(library: Library) -> None:
    library.store.client.text("ALTER TABLE chunks UPDATE error = inf WHERE source = 'top.txt'", None)
    assert "--reembed" in told(examine_drift(library, 1), "the rounding errors of 1 chunk are not known")


def test_scores_are_distributed_by_folder_in_sql(library: Library) -> None:
    vector = library.encoder.encode_query("cat").tolist()
    statement = (
        "SELECT folder, chunk_count, least_score, median_score, greatest_score FROM"
        " score_drift(epoch = {epoch:UInt64}, query = {query:Array(Float32)}) ORDER BY folder"
    )
    rows = library.sql(statement, {"query": vector})
    assert [(row["folder"], row["chunk_count"]) for row in rows] == [("", 1), ("pets", 2)]
    best = library.search("cat", k=1, ranking="vector")[0].score
    assert max(row["greatest_score"] for row in rows) == pytest.approx(best)
    assert all(row["least_score"] <= row["median_score"] <= row["greatest_score"] for row in rows)


def test_an_empty_store_is_named(tmp_path: Path) -> None:
    with Library(Store.open(str(tmp_path / "store"), write=True)) as library, pytest.raises(NoStore, match="is empty"):
        examine_drift(library, 1)


def test_the_command_prints_lines_or_json(
    folder: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder, _ = hash_encoder(tokenizer)
    monkeypatch.setattr("rag.library.Library._load_encoder", lambda self, **options: encoder)
    filled(folder, tokenizer).close()
    arguments = ["doctor", "--drift", "--db", str(folder / "store")]
    assert program.command(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["encoded again: 3 of 3 chunks have the stored codes, byte for byte", "nothing has drifted"]
    assert program.command([*arguments, "--json", "--sample", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (len(found["groups"]), found["encoded_again"]["chunks"], found["findings"]) == (2, 2, [])
    with pytest.raises(UsageError, match="--sample 0: encode at least 1 chunk"):
        program.command([*arguments, "--sample", "0"])
