"""A file that gives several documents: each is known as `path#part`, and all of them live and go with their file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from library import Library, counts
from sections import SECTIONS
from support import QUANTIZER, chunks_of, hash_encoder, vectors_of, visible_texts

import ingest.command_line
from ingest.identity import CHUNKER, manifest_document
from ingest.readers import read_documents
from ingest.readers.table import SUFFIXES
from ingest.shard import Shard, take_shard
from rag.index.pipeline import LEAST_CHUNKS_PER_WINDOW
from sql.base.errors import EXIT_OK, EXIT_SOME_FAILED
from sql.base.terminal import run_command
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.synchronize import Summary
    from rag.text.tokenizer import Tokenizer
    from sql.records import LiveDocument


@pytest.fixture(autouse=True)
def with_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUFFIXES, ".sections", SECTIONS)


@pytest.fixture
def location(tmp_path: Path) -> str:
    """The engine in this process only: how documents are named does not depend on it."""
    return str(tmp_path / "store")


def sections(**bodies: str) -> str:
    """A file of sections; `whole` is the file itself."""
    return "\f".join(f"{'' if name == 'whole' else name}\n{body}" for name, body in bodies.items())


def document_at(library: Library, name: str) -> LiveDocument:
    (found,) = [one for one in library.store.snapshot().documents() if one.path == str(library.folder / name)]
    return found


def publish_part(library: Library, name: str, part: str, **changes: str) -> None:
    """Puts a part of a file into the store, as another run would have left it there."""
    path = library.folder / name
    documents = read_documents(path, str(path))
    (read,) = [document for document in documents if document.part == part]
    draft = library.store.writer.begin(replace(manifest_document(read, str(path), len(documents)), **changes))
    library.store.writer.insert(
        ChunkBatch([(draft, chunk) for chunk in chunks_of([read.text])], vectors_of([read.text]))
    )
    library.store.writer.publish([draft])


# Names


def test_each_part_of_a_file_is_a_document_of_its_own(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.write("a.sections", sections(one="the cat", two="the dog\n\nsat here", whole="the mat"))
    monkeypatch.chdir(library.folder)
    assert counts(library.sync(".")) == (1, 1, 0, 0, 0)
    assert [(one.path, one.source, one.format) for one in library.store.snapshot().documents()] == [
        (str(library.folder / name), name, "sections") for name in ("a.sections", "a.sections#one", "a.sections#two")
    ]
    assert visible_texts(library.store) == {
        "a.sections": ["the mat"], "a.sections#one": ["the cat"], "a.sections#two": ["the dog\n\nsat here"]
    }  # fmt: skip
    hits = library.store.snapshot().document_chunks([document_at(library, "a.sections#two").document_id])
    assert [(hit.source, hit.start, hit.line) for hit in hits] == [("a.sections#two", 0, 3)]


def test_a_part_is_called_by_what_follows_the_last_hash_of_its_source(library: Library) -> None:
    path = library.write("a.sections", "one#two\nthe cat")
    with pytest.raises(ValueError, match=r"its part is called 'one#two', which has to follow the last # there"):
        read_documents(path, "a.sections")


def test_two_parts_of_one_name_are_a_failure_and_not_one_document(library: Library) -> None:
    library.write("a.sections", "one\nthe cat\fone\nthe dog")
    summary = library.sync()
    assert counts(summary) == (1, 0, 0, 0, 1)
    assert summary.failed[0].reason == "holds more than one document that is called 'one'"


# What is unchanged


def test_a_second_run_over_parts_embeds_nothing_and_writes_nothing(library: Library) -> None:
    library.write("a.sections", sections(one="the cat", two="the dog", empty=""))
    library.write("b.sections", sections(only="the fox"))
    library.write("c.sections", "")
    assert counts(library.sync()) == (3, 3, 0, 0, 0)
    before = (library.blocks(), library.store.epoch())
    for _ in range(2):
        assert counts(library.sync()) == (3, 0, 3, 0, 0)
        assert library.kernel.texts == 0
        assert (library.blocks(), library.store.epoch()) == before
        library.reopen()


@pytest.mark.everyday("#one")
@pytest.mark.parametrize("lost", ["a.sections", "a.sections#one", "a.sections#empty"])
def test_a_part_that_is_missing_in_the_store_comes_back_though_its_file_is_unchanged(
    library: Library, lost: str
) -> None:
    library.write("a.sections", sections(whole="the mat", one="the cat", two="the dog", empty=""))
    library.sync()
    names, texts = library.names(), visible_texts(library.store)
    library.store.writer.publish([], [document_at(library, lost)])
    assert library.names() != names
    assert counts(library.sync()) == (1, 1, 0, 0, 0)
    assert (library.names(), visible_texts(library.store)) == (names, texts)
    assert counts(library.sync()) == (1, 0, 1, 0, 0)


def test_a_file_of_which_one_part_was_cut_by_another_chunker_is_cut_anew(library: Library) -> None:
    library.write("a.sections", sections(one="the cat", two="the dog"))
    library.sync()
    chunker = document_at(library, "a.sections#two").chunker
    publish_part(library, "a.sections", "two", chunker=chunker.replace(CHUNKER, "structure-1/200+30"))
    assert counts(library.sync()) == (1, 1, 0, 0, 0)
    assert document_at(library, "a.sections#two").chunker == chunker
    assert counts(library.sync()) == (1, 0, 1, 0, 0)


def test_parts_cut_by_another_chunker_go_with_their_file_too(library: Library) -> None:
    path = library.write("a.sections", sections(one="the cat", two="the dog"))
    for part in ("one", "two"):
        publish_part(library, "a.sections", part, chunker="structure-1/200+30, part, one of 2")
    path.unlink()
    assert counts(library.sync()) == (0, 0, 0, 1, 0)
    assert library.names() == []


# What changed


def test_a_part_that_a_changed_file_no_longer_gives_is_deleted(library: Library) -> None:
    library.write("a.sections", sections(one="the cat", two="the dog", three="the fox"))
    library.write("b.sections", sections(one="the mat", two="the sat"))
    library.sync()
    library.write("a.sections", sections(three="the fox", four="the dog"))
    assert counts(library.sync()) == (2, 1, 1, 0, 0)
    assert library.names() == ["a.sections#four", "a.sections#three", "b.sections#one", "b.sections#two"]
    assert (library.text("a.sections#four"), library.text("a.sections#three")) == ("the dog", "the fox")
    assert counts(library.sync()) == (2, 0, 2, 0, 0)


def test_a_file_may_turn_from_one_document_into_parts_and_back(library: Library) -> None:
    for bodies, names in (
        ({"whole": "the cat"}, ["a.sections"]),
        ({"one": "the cat", "two": "the dog"}, ["a.sections#one", "a.sections#two"]),
        ({"one": "the cat"}, ["a.sections#one"]),
        ({"whole": "the cat", "one": "the cat"}, ["a.sections", "a.sections#one"]),
        ({"whole": "the cat"}, ["a.sections"]),
    ):
        library.write("a.sections", sections(**bodies))
        assert counts(library.sync()) == (1, 1, 0, 0, 0)
        assert library.names() == names
        assert counts(library.sync()) == (1, 0, 1, 0, 0)


def test_parts_follow_every_version_of_their_file_back_and_forth(library: Library) -> None:
    first, second = sections(one="the cat", two="the dog", three="the fox"), sections(one="the cat", two="the mat")
    for content in (first, second, first):
        library.write("a.sections", content)
        assert counts(library.sync()) == (1, 1, 0, 0, 0)
        assert len(library.names()) == content.count("\f") + 1
    assert library.text("a.sections#two") == "the dog"


def test_a_file_that_is_gone_takes_all_its_parts_along_and_counts_once(library: Library) -> None:
    path = library.write("a.sections", sections(whole="the mat", one="the cat", two="the dog"))
    library.write("b.txt", "the fox")
    library.sync()
    path.unlink()
    assert counts(library.sync()) == (1, 0, 1, 1, 0)
    assert library.names() == ["b.txt"]


def test_a_file_whose_reading_fails_keeps_all_its_parts_however_far_it_was_read(library: Library) -> None:
    library.write("a.sections", sections(one="the cat", two="the dog"))
    library.sync()
    texts = visible_texts(library.store)
    for content in (sections(one="the mat", new="the fox", two="cannot be read"), b"\x00\x01\x02\xff" * 100):
        library.write("a.sections", content)
        for _ in range(2):
            summary = library.sync()
            assert counts(summary) == (1, 0, 0, 0, 1)
            assert summary.failed[0].path == str(library.folder / "a.sections")
            assert visible_texts(library.store) == texts
    library.write("a.sections", sections(one="the cat", two="the dog"))
    assert counts(library.sync()) == (1, 0, 1, 0, 0)


# Runs that end early


def test_an_interrupted_file_of_many_parts_is_no_file_that_is_done_and_is_made_whole_by_the_next_run(
    library: Library,
) -> None:
    parts = {f"p{number:03}": f"the cat {number}" for number in range(LEAST_CHUNKS_PER_WINDOW + 20)}
    library.write("a.sections", sections(**parts))
    with pytest.raises(KeyboardInterrupt) as interrupted:
        library.sync(batches_left=1)
    assert str(interrupted.value) == "0 of 1 file to read are in the store, and the same command continues from there"
    assert len(library.names()) == LEAST_CHUNKS_PER_WINDOW  # in one state with the file's content, and yet not all
    library.reopen()
    assert counts(library.sync()) == (1, 1, 0, 0, 0)
    assert len(library.names()) == len(parts)
    assert counts(library.sync()) == (1, 0, 1, 0, 0)


@dataclass
class Listener:
    """What a run says of its progress."""

    files: int = 0
    content_bytes: int = 0
    chunks: int = 0
    of: tuple[int, int] = (0, 0)

    def start(self, files: int, content_bytes: int) -> None:
        self.of = (files, content_bytes)

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:
        self.files += files
        self.content_bytes += content_bytes
        self.chunks += chunks


class EndsBeforeDeletions(Listener):
    """Ends a run when all files are done."""

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:
        super().advance(files, content_bytes, chunks)
        if self.files == self.of[0]:
            raise KeyboardInterrupt


def test_what_a_run_that_ended_early_did_not_delete_goes_without_an_embedding(library: Library) -> None:
    library.write("a.sections", sections(one="the cat", two="the dog", three="the fox"))
    library.sync()
    library.write("a.sections", sections(one="the cat", two="the mat"))
    with pytest.raises(KeyboardInterrupt, match="1 of 1 file to read are in the store"):
        library.sync(progress=EndsBeforeDeletions())
    library.reopen()
    assert library.names() == ["a.sections#one", "a.sections#three", "a.sections#two"]
    assert counts(library.sync()) == (1, 0, 1, 0, 0)
    assert library.kernel.texts == 0
    assert library.names() == ["a.sections#one", "a.sections#two"]
    assert library.text("a.sections#two") == "the mat"


# Which files are covered


def test_parts_are_deleted_below_the_given_folders_only(library: Library) -> None:
    for name in ("one/a.sections", "two/b.sections"):
        library.write(name, sections(one="the cat", two="the dog"))
    library.sync()
    for name in ("one/a.sections", "two/b.sections"):
        (library.folder / name).unlink()
    assert counts(library.sync(library.folder / "one")) == (0, 0, 0, 1, 0)
    assert library.names() == ["two/b.sections#one", "two/b.sections#two"]


def test_a_file_that_is_given_itself_owns_its_parts_and_nothing_beside_it(library: Library) -> None:
    library.write("a.sections", sections(one="the cat", two="the dog"))
    library.write("a.sections2.sections", sections(one="the cat"))
    library.sync()
    path = library.write("a.sections", sections(two="the dog"))
    (library.folder / "a.sections2.sections").unlink()
    assert counts(library.sync(path)) == (1, 1, 0, 0, 0)
    assert library.names() == ["a.sections#two", "a.sections2.sections#one"]


@pytest.mark.everyday("[2")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_file_and_all_its_parts_are_of_one_shard(library: Library, count: int) -> None:
    for number in range(8):
        library.write(f"{number}.sections", sections(one=f"cat {number}", two=f"dog {number}", three=f"fox {number}"))
    shards = [Shard(number, count) for number in range(1, count + 1)]

    def run() -> list[Summary]:
        return [library.sync_found(take_shard(library.found(), shard)) for shard in shards]

    assert sum(summary.indexed for summary in run()) == 8
    assert len(library.names()) == 24
    assert [(summary.indexed, summary.deleted) for summary in run()] == [(0, 0)] * count
    for number in range(8):
        library.write(f"{number}.sections", sections(two=f"dog {number}"))
    assert [sum(pair) for pair in zip(*((one.indexed, one.deleted) for one in run()), strict=True)] == [8, 0]
    assert len(library.names()) == 8
    for path in library.folder.iterdir():
        path.unlink()
    assert sum(summary.deleted for summary in run()) == 8
    assert library.names() == []


# A file that is called as a part


def test_a_file_whose_name_begins_with_another_files_name_and_a_hash_is_no_part_of_it(library: Library) -> None:
    library.write("a.md", "the cat")
    library.write("a.md#old.md", "the dog")
    library.write("c#.sections", sections(one="the fox", whole="the mat"))
    assert counts(library.sync()) == (3, 3, 0, 0, 0)
    names = ["a.md", "a.md#old.md", "c#.sections", "c#.sections#one"]
    assert library.names() == names
    assert counts(library.sync()) == (3, 0, 3, 0, 0)
    library.write("a.md", "the cat sat")
    assert counts(library.sync(library.folder / "a.md")) == (1, 1, 0, 0, 0)
    assert library.names() == names
    (library.folder / "c#.sections").unlink()
    assert counts(library.sync()) == (2, 0, 2, 1, 0)
    (library.folder / "a.md").unlink()
    assert counts(library.sync()) == (1, 0, 1, 1, 0)
    assert library.names() == ["a.md#old.md"]


def test_of_a_new_file_and_a_new_part_of_one_name_the_file_is_taken_and_the_other_file_fails(library: Library) -> None:
    library.write("a.sections", sections(**{"b.txt": "the cat", "one": "the dog"}))
    library.write("a.sections#b.txt", "the fox")
    for indexed, unchanged in ((1, 0), (0, 1)):
        summary = library.sync()
        assert counts(summary) == (2, indexed, unchanged, 0, 1)
        assert [(one.path, one.reason) for one in summary.failed] == [
            (
                str(library.folder / "a.sections"),
                f"holds a part with the name of the file {library.folder}/a.sections#b.txt: rename one of the two files",
            )
        ]
        assert library.names() == ["a.sections#b.txt"]
        assert library.text("a.sections#b.txt") == "the fox"


@pytest.mark.parametrize("given", ["", "a.sections#b.txt"])
def test_a_part_that_is_in_the_store_is_not_replaced_by_a_file_of_its_name(library: Library, given: str) -> None:
    container = library.write("a.sections", sections(**{"b.txt": "the cat", "one": "the dog"}))
    library.sync()
    library.write("a.sections#b.txt", "the fox")
    summary = library.sync(library.folder / given)
    assert [(one.path, one.reason) for one in summary.failed] == [
        (
            str(library.folder / "a.sections#b.txt"),
            f"has the name of a part of {container}: rename one of the two files",
        )
    ]
    assert (library.text("a.sections#b.txt"), library.text("a.sections#one")) == ("the cat", "the dog")
    library.write("a.sections", sections(**{"b.txt": "the cat sat"}))  # what had the name first keeps it
    library.sync()
    assert library.text("a.sections#b.txt") == "the cat sat"


def test_a_file_that_is_not_given_is_not_replaced_by_a_part_of_its_name(library: Library) -> None:
    library.write("a.sections#b.txt", "the fox")
    library.sync()
    container = library.write("a.sections", sections(**{"b.txt": "the cat"}))
    assert counts(library.sync(container)) == (1, 0, 0, 0, 1)
    assert library.text("a.sections#b.txt") == "the fox"
    assert counts(library.sync(library.folder / "a.sections#b.txt")) == (1, 0, 1, 0, 0)


def test_the_name_of_a_part_is_free_for_a_file_once_the_parts_file_is_gone_and_the_other_way_round(
    library: Library,
) -> None:
    container = library.write("a.sections", sections(**{"b.txt": "the cat", "one": "the dog"}))
    library.sync()
    container.unlink()
    path = library.write("a.sections#b.txt", "the fox")
    assert counts(library.sync()) == (1, 1, 0, 1, 0)
    assert library.names() == ["a.sections#b.txt"]
    assert library.text("a.sections#b.txt") == "the fox"
    path.unlink()
    library.write("a.sections", sections(**{"b.txt": "the cat", "one": "the dog"}))
    assert counts(library.sync()) == (1, 1, 0, 1, 0)
    assert library.names() == ["a.sections#b.txt", "a.sections#one"]
    assert library.text("a.sections#b.txt") == "the cat"
    assert counts(library.sync()) == (1, 0, 1, 0, 0)


# What a run tells


def test_progress_counts_files_and_their_bytes_once(library: Library) -> None:
    library.write("a.sections", sections(**{f"p{number}": f"the cat {number}" for number in range(150)}))
    library.write("b.sections", sections(one="cannot be read"))
    library.write("c.txt", "the cat")
    heard = Listener()
    assert counts(library.sync(progress=heard)) == (3, 2, 0, 0, 1)
    size = sum(path.stat().st_size for path in library.folder.iterdir())
    assert heard.of == (heard.files, heard.content_bytes) == (3, size)
    assert heard.chunks == 151


def test_a_dry_run_and_a_json_summary_count_and_name_files(
    library: Library, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "changed", "same"):
        library.write(f"{name}.sections", sections(whole="the mat", one="the cat", two="the dog"))
    library.sync()
    (library.folder / "gone.sections").unlink()
    library.write("changed.sections", sections(one="the cat"))
    library.write("new.sections", sections(one="the cat", two="the dog"))
    library.store.close()
    base = f"{library.folder}/"
    arguments = [str(library.folder), "--db", library.location]
    assert run_command(ingest.command_line.command, [*arguments, "--dry-run"]) == EXIT_OK
    assert capsys.readouterr().out.splitlines() == [
        f"add     {base}new.sections",
        f"replace {base}changed.sections",
        f"delete  {base}gone.sections",
        "would add 1, replace 1, delete 1 and leave 1 of 3 files unchanged; nothing was changed",
    ]
    run_command(ingest.command_line.command, [*arguments, "--dry-run", "--json"])
    record = json.loads(capsys.readouterr().out)
    assert [record[name] for name in ("add", "replace", "delete", "unchanged")] == [
        [f"{base}{name}.sections"] for name in ("new", "changed", "gone", "same")
    ]
    library.write("broken.sections", sections(one="the cat", two="cannot be read"))
    monkeypatch.setattr("rag.library.Library._load_encoder", lambda self, **_: hash_encoder(library.tokenizer)[0])
    assert run_command(ingest.command_line.command, [*arguments, "--json"]) == EXIT_SOME_FAILED
    record = json.loads(capsys.readouterr().out)
    counted = [record[name] for name in ("files", "indexed", "unchanged", "deleted", "chunks")]
    assert counted == [4, 2, 1, 1, 3]
    assert [one["path"] for one in record["failed"]] == [f"{base}broken.sections"]


# Shared ranges


@pytest.fixture
def shared(tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Library]:
    """A library whose vectors share ranges per dimension."""
    (tmp_path / "docs").mkdir()
    _, kernel = hash_encoder(tokenizer)
    quantizer = QUANTIZER.replace("per vector", "per dimension")
    location = str(tmp_path / "store")
    with Store.open(location, write=True) as store:
        yield Library(tmp_path / "docs", location, tokenizer, store, kernel, quantizer)


def test_ranges_fitted_again_code_every_part_and_those_that_are_gone_go_in_the_same_moment(shared: Library) -> None:
    shared.write("a.sections", sections(one="the cat", two="the dog", three="the fox"))
    shared.write("b.txt", "the mat")
    shared.sync()
    shared.write("a.sections", sections(one="the cat", three="the fox sat"))
    before = shared.store.epoch()
    again = shared.sync(recalibrate=True)
    assert (counts(again), shared.store.epoch()) == ((2, 2, 0, 0, 0), before + 1)
    assert shared.names() == ["a.sections#one", "a.sections#three", "b.txt"]
    used = shared.store.client.text(
        "SELECT path, argMax(calibration, epoch) FROM manifest WHERE kind = 'publish' GROUP BY path ORDER BY path",
        "TSV",
    )
    assert [row.split("\t")[1] for row in used.decode().splitlines()] == ["2", "2", "1", "2"]
    assert shared.store.snapshot().damaged_documents() == []
    assert counts(shared.sync()) == (2, 0, 2, 0, 0)
