"""How documents are cut is chosen once for a store: later runs keep to it, and a change of it is for every document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from library import Library, counts
from support import QUANTIZER, hash_encoder, write_tiny_checkpoint

from ingest.command_line import command
from ingest.cutting import AS_BEFORE, ChunkOptions, chosen_settings
from rag.answer.candidates import candidate_sentences
from sql.base.errors import EXIT_OK, EXIT_USAGE, UsageError
from sql.base.terminal import run_command
from sql.records.chunking import ChunkSettings
from sql.store import Store
from sql.upkeep.stats import read_stats, stats_lines, stats_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

SENTENCES = [f"The cat {number} sat on the mat." for number in range(60)]
TEXT = "# Cats\n\n" + " ".join(SENTENCES)
SMALL = ChunkOptions(40, 10)


@pytest.fixture
def library(tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Library]:
    (tmp_path / "docs").mkdir()
    location = str(tmp_path / "store")
    with Store.open(location, write=True) as store:
        encoder, kernel = hash_encoder(tokenizer)
        store.prepare(encoder.identity, QUANTIZER)
        opened = Library(tmp_path / "docs", location, tokenizer, store, kernel)
        yield opened
        opened.store.close()


def cut(library: Library, chunks: ChunkOptions = AS_BEFORE, *paths: str) -> tuple[int, int, int, int, int]:
    """What a run with these options did."""
    found = library.found(*(library.folder / path for path in paths))
    return counts(library.sync_found(found, chunks=chunks))


def tokens(library: Library) -> list[int]:
    """The tokens of every chunk."""
    return [chunk.tokens for _, chunk in library.store.snapshot().chunks()]


def test_later_runs_keep_to_the_size_that_was_chosen(library: Library) -> None:
    library.write("a.md", TEXT)
    assert cut(library, SMALL) == (1, 1, 0, 0, 0)
    library.reopen()
    library.write("b.md", f"{TEXT} And more.")
    assert cut(library) == (2, 1, 1, 0, 0)
    assert 30 < max(tokens(library)) <= 40
    assert library.store.snapshot().chunk_settings() == ChunkSettings(40, 10)


def test_another_size_is_for_every_document_and_what_was_not_named_stays(library: Library) -> None:
    for name in "ab":
        library.write(f"{name}.md", f"{TEXT} {name}")
    cut(library, ChunkOptions(40, 10, headings=False))
    assert cut(library, ChunkOptions(size=80)) == (2, 2, 0, 0, 0)
    assert 60 < max(tokens(library)) <= 80
    assert library.store.snapshot().chunk_settings() == ChunkSettings(80, 10, headings=False)
    assert cut(library) == (2, 0, 2, 0, 0)


def test_another_size_is_refused_where_a_document_would_keep_the_old_one(library: Library) -> None:
    library.write("one/a.md", TEXT)
    library.write("two/b.md", f"{TEXT} b")
    cut(library, SMALL)
    before = tokens(library)
    with pytest.raises(
        UsageError, match=r"40 tokens, 10 repeated.*80 tokens.*1 are not below.*b\.md.*give their folders"
    ):
        cut(library, ChunkOptions(size=80), "one")
    assert (tokens(library), cut(library)) == (before, (2, 0, 2, 0, 0))
    assert cut(library, SMALL, "one") == (1, 0, 1, 0, 0)  # named again, it is no other size


def test_a_run_that_was_killed_while_it_cut_anew_is_gone_on_with(library: Library) -> None:
    for number in range(40):
        library.write(f"{number:02}.md", f"{TEXT} {number}")
    cut(library, ChunkOptions(200, 0))
    with pytest.raises(KeyboardInterrupt):
        library.sync_found(library.found(), batches_left=6, chunks=SMALL)
    library.reopen()
    assert max(tokens(library)) > 40
    summary = library.sync()
    assert 0 < summary.unchanged < 40
    assert max(tokens(library)) <= 40


def test_a_store_whose_documents_have_gone_still_knows_its_size(library: Library) -> None:
    file = library.write("a.md", TEXT)
    cut(library, SMALL)
    file.unlink()
    cut(library)
    assert (tokens(library), library.store.snapshot().chunk_settings()) == ([], ChunkSettings(40, 10))


def test_a_document_that_goes_while_others_are_cut_anew_does_not_bring_back_the_old_size(library: Library) -> None:
    library.write("a.md", TEXT)
    gone = library.write("b.md", f"{TEXT} b")
    cut(library, SMALL)
    gone.unlink()
    assert cut(library, ChunkOptions(size=80)) == (1, 1, 0, 1, 0)
    assert library.store.snapshot().chunk_settings() == ChunkSettings(80, 10)
    assert cut(library) == (1, 0, 1, 0, 0)


def test_headings_are_embedded_unless_they_are_not_wanted(library: Library) -> None:
    library.write("a.md", TEXT)
    codes = []
    for options in (SMALL, ChunkOptions(headings=False), AS_BEFORE, ChunkOptions(headings=True)):
        cut(library, options)
        snapshot = library.store.snapshot()
        hits = snapshot.document_chunks([one.document_id for one in snapshot.documents()])
        codes.append([vector.tobytes() for vector in snapshot.hit_vectors(hits).codes])
    with_headings, without, kept, again = codes
    assert (kept, again) == (without, with_headings)
    assert with_headings[0] == without[0]  # it holds the heading
    assert all(one != other for one, other in zip(with_headings[1:], without[1:], strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ChunkOptions(size=17), "chunk size 17: a chunk has at least 18 tokens"),
        (ChunkOptions(size=255), "chunk size 255: tiny reads 254 tokens"),
        (ChunkOptions(overlap=-1), "chunk overlap -1: chunks of 200 tokens overlap by 0 to 199"),
        (ChunkOptions(overlap=200), "chunk overlap 200: chunks of 200 tokens overlap by 0 to 199"),
        (ChunkOptions(size=30), "chunk overlap 30: chunks of 30 tokens overlap by 0 to 29: name another"),
    ],
)
def test_chunks_that_cannot_be_are_refused(tokenizer: Tokenizer, options: ChunkOptions, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen_settings(options, None, hash_encoder(tokenizer)[0])
    assert message in str(refused.value)


def test_the_settings_of_older_versions_are_those_that_all_had() -> None:
    assert ChunkSettings.of_chunker("structure-4/200+30, part, one of 2") == ChunkSettings()
    assert ChunkSettings.of_chunker("structure-6/50+0, given year") == ChunkSettings(50, 0, headings=False)
    assert ChunkSettings.of_chunker("langchain") is None


@pytest.mark.parametrize("overlap", [10, 39])
def test_a_sentence_in_overlapping_chunks_is_a_candidate_once(library: Library, overlap: int) -> None:
    library.write("a.md", TEXT)
    cut(library, ChunkOptions(40, overlap))
    snapshot = library.store.snapshot()
    hits = snapshot.document_chunks([one.document_id for one in snapshot.documents()])
    assert sum(len(hit.text) for hit in hits) > len(TEXT) * 1.1
    found = [one.quotation for one in candidate_sentences(snapshot.with_outlines(hits))]
    assert [one.text for one in found] == SENTENCES
    assert all(TEXT[one.start : one.end] == one.text for one in found)


def test_stats_tell_how_documents_are_cut(library: Library) -> None:
    assert stats_record(read_stats(library.store))["chunking"] is None
    library.write("a.md", TEXT)
    cut(library, SMALL)
    stats = read_stats(library.store)
    assert stats_record(stats)["chunking"] == {"size": 40, "overlap": 10, "headings": True}
    assert "chunking     at most 40 tokens, 10 of them repeated, embedded with headings" in list(stats_lines(stats))


def test_the_options_of_the_command_reach_the_store(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(TEXT)
    model = write_tiny_checkpoint(tmp_path / "tiny", tokenizer)
    asked = [str(tmp_path / "docs"), "--db", str(tmp_path / "store"), "--model", str(model), "--json"]
    options = ["--chunk-size", "40", "--chunk-overlap", "5", "--no-embed-headings"]
    assert run_command(command, [*asked, *options]) == EXIT_OK
    with Store.open(str(tmp_path / "store")) as store:
        assert store.snapshot().chunk_settings() == ChunkSettings(40, 5, headings=False)

    def would_replace(*options: str) -> int:
        capsys.readouterr()
        assert run_command(command, [*asked, "--dry-run", *options]) == EXIT_OK
        return len(json.loads(capsys.readouterr().out)["replace"])

    assert (would_replace(), would_replace("--chunk-size", "40"), would_replace("--chunk-size", "60")) == (0, 0, 1)
    assert (would_replace("--embed-headings"), would_replace("--no-embed-headings")) == (1, 0)
    assert run_command(command, [*asked, "--chunk-size", "300"]) == EXIT_USAGE
    assert "chunk size 300: tiny reads 254 tokens" in capsys.readouterr().err
