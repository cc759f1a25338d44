"""A folder in, a store that matches it out: what a run embeds, replaces, deletes, and leaves alone."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from library import Library, counts
from support import (
    DIMENSIONS,
    PATIENCE,
    PROJECT,
    HashKernel,
    chunks_of,
    hash_encoder,
    publish_document,
    run_python,
    source_document,
    sync_with,
    tiny_config,
    visible_texts,
    write_tiny_checkpoint,
)

import ingest.command_line
from ingest.found_files import FoundFile
from ingest.readers import file_bytes
from ingest.readers.table import readable_types
from ingest.walk import Walk, is_below, lie_apart, walk
from rag.encoder.encoder import TOKENS_PER_BATCH, Encoder
from rag.index.indexer import Indexer
from rag.index.pipeline import (
    CHUNKS_FOR_AN_IDLE_ENCODER,
    LEAST_CHUNKS_PER_WINDOW,
    MOST_CHUNKS_PER_WINDOW,
    SECONDS_PER_WINDOW,
    Pipeline,
)
from sql.base.errors import (
    EXIT_ERROR,
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    RagError,
    StoreError,
    UnreadableDocument,
    UsageError,
)
from sql.base.paths import printable
from sql.base.terminal import run_command
from sql.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.text.tokenizer import Tokenizer

CANARY = "canary that must stay outside"


def forbid(path: Path) -> None:
    """Takes away the right to read a file or folder; skips the test for a user who needs no rights."""
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")


# What changed


@pytest.mark.either_back_end
def test_a_second_run_embeds_nothing_and_writes_nothing(library: Library) -> None:
    library.write("a.txt", "the cat sat")
    library.write("sub/b.md", "# Fox\n\nthe fox runs")
    assert counts(library.sync()) == (2, 2, 0, 0, 0)
    assert library.kernel.texts == 2
    before = (library.blocks(), library.store.epoch())
    assert counts(library.sync()) == (2, 0, 2, 0, 0)
    assert (library.kernel.calls, library.kernel.texts) == (0, 0)
    assert (library.blocks(), library.store.epoch()) == before
    library.reopen()
    assert counts(library.sync()) == (2, 0, 2, 0, 0)
    assert (library.blocks(), library.store.epoch()) == before


@pytest.mark.either_back_end
def test_touching_a_file_is_no_change_and_an_edit_of_equal_size_and_time_is_one(library: Library) -> None:
    path = library.write("a.txt", "the cat sat")
    library.sync()
    os.utime(path, (1, 1))
    assert counts(library.sync()) == (1, 0, 1, 0, 0)
    library.write("a.txt", "the dog sat")
    os.utime(path, (1, 1))
    assert counts(library.sync()) == (1, 1, 0, 0, 0)
    assert library.text("a.txt") == "the dog sat"
    assert library.kernel.texts == 1


@pytest.mark.either_back_end
def test_only_the_changed_file_is_embedded_again(library: Library) -> None:
    library.write("a.txt", "the cat")
    library.write("b.txt", "the dog")
    library.sync()
    library.write("b.txt", "the fox")
    assert counts(library.sync()) == (2, 1, 1, 0, 0)
    assert library.kernel.texts == 1
    assert (library.text("a.txt"), library.text("b.txt")) == ("the cat", "the fox")


@pytest.mark.either_back_end
def test_a_file_of_another_chunker_is_cut_anew(library: Library) -> None:
    path = library.write("a.txt", "the cat")
    publish_document(library.store, str(path)[1:], ["the old way to cut it"])
    assert list(library.plan().changed) == [FoundFile.given(path, str(path), 7, library.folder)]
    assert counts(library.sync()) == (1, 1, 0, 0, 0)
    assert library.text("a.txt") == "the cat"


def test_an_empty_file_is_indexed_once_and_found_by_nobody(library: Library) -> None:
    library.write("empty.txt", "")
    library.write("blank.txt", " \n\n ")
    assert counts(library.sync()) == (2, 2, 0, 0, 0)
    assert counts(library.sync()) == (2, 0, 2, 0, 0)
    assert visible_texts(library.store) == {}


@pytest.mark.either_back_end
def test_a_file_whose_format_has_text_and_that_has_none_is_named(library: Library) -> None:
    library.write("empty.txt", "")
    library.write("icon.svg", "<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0'/></svg>")  # most have none
    library.write("empty.xml", "<letter><line/></letter>")
    library.write("full.xml", "<letter><line>words</line></letter>")
    summary = library.sync(library.folder)
    assert [Path(note).name for note in summary.notes] == ["empty.xml, no text was found in it"]


@pytest.mark.either_back_end
def test_two_files_of_equal_content_are_two_documents(library: Library) -> None:
    library.write("a.txt", "the cat")
    library.write("b.txt", "the cat")
    library.sync()
    assert library.names() == ["a.txt", "b.txt"]
    assert library.store.snapshot().chunk_count() == 2


# What is gone


@pytest.mark.either_back_end
def test_files_that_are_gone_are_deleted_below_the_given_folders_only(library: Library) -> None:
    for name in ("one/a.txt", "one/b.txt", "two/c.txt"):
        library.write(name, "the cat")
    library.sync()
    (library.folder / "one" / "a.txt").unlink()
    (library.folder / "two" / "c.txt").unlink()
    assert counts(library.sync(library.folder / "one")) == (1, 0, 1, 1, 0)
    assert library.names() == ["one/b.txt", "two/c.txt"]
    assert counts(library.sync()) == (1, 0, 1, 1, 0)
    assert library.names() == ["one/b.txt"]


@pytest.mark.either_back_end
def test_a_folder_that_is_gone_takes_its_documents_along_when_its_parent_is_given(library: Library) -> None:
    library.write("one/deep/a.txt", "the cat")
    library.write("b.txt", "the dog")
    library.sync()
    shutil.rmtree(library.folder / "one")
    library.sync()
    assert library.names() == ["b.txt"]


@pytest.mark.either_back_end
def test_giving_one_file_deletes_nothing_beside_it(library: Library) -> None:
    library.write("a.txt", "the cat")
    library.write("b.txt", "the dog")
    library.sync()
    (library.folder / "b.txt").unlink()
    assert counts(library.sync(library.folder / "a.txt")) == (1, 0, 1, 0, 0)
    assert library.names() == ["a.txt", "b.txt"]


@pytest.mark.either_back_end
def test_a_given_path_that_is_missing_is_an_error_and_nothing_is_done(library: Library) -> None:
    library.write("one/a.txt", "the cat")
    library.write("two/b.txt", "the dog")
    library.sync()
    shutil.rmtree(library.folder / "two")
    library.write("one/new.txt", "the fox")
    with pytest.raises(RagError, match="two: No such file or directory; nothing was changed"):
        library.sync(library.folder / "one", library.folder / "two")
    assert library.names() == ["one/a.txt", "two/b.txt"]


@pytest.mark.either_back_end
def test_a_folder_that_cannot_be_listed_is_a_failure_and_keeps_its_documents(library: Library) -> None:
    library.write("one/a.txt", "the cat")
    library.write("two/deep/b.txt", "the dog")
    library.sync()
    forbid(library.folder / "two")
    try:
        summary = library.sync()
        with pytest.raises(RagError, match="Permission denied"):
            library.sync(library.folder / "two")
    finally:
        (library.folder / "two").chmod(0o755)
    assert counts(summary) == (1, 0, 1, 0, 1)
    assert "cannot be listed: Permission denied" in summary.failed[0].reason
    assert library.names() == ["one/a.txt", "two/deep/b.txt"]


@pytest.mark.either_back_end
def test_a_path_too_long_for_the_system_is_a_failure_and_keeps_the_documents_below_it(library: Library) -> None:
    library.write("a.txt", "the cat")
    descriptor, names = os.open(library.folder, os.O_RDONLY), []
    try:
        for _ in range(20):  # paths end at 4,096 bytes, folders can be nested deeper
            names.append("d" * 250)
            os.mkdir(names[-1], dir_fd=descriptor)
            descriptor, above = os.open(names[-1], os.O_RDONLY, dir_fd=descriptor), descriptor
            os.close(above)
    finally:
        os.close(descriptor)
    deep = "/".join([str(library.folder), *names, "b.txt"])
    publish_document(library.store, deep[1:], ["the dog"])
    summary = library.sync()
    assert counts(summary) == (1, 1, 0, 0, 1)
    assert summary.failed[0].reason == "File name too long"
    assert [document.path for document in library.store.snapshot().documents()] == [str(library.folder / "a.txt"), deep]


def test_documents_below_a_folder_that_could_not_be_read_are_not_covered() -> None:
    found = Walk(roots={"/docs"}, unreadable={"/docs/locked"})
    assert found.covers("/docs/a.txt")
    assert not found.covers("/docs/locked/a.txt")
    assert found.covers("/docs/locked-not/a.txt")
    assert not found.covers("/docs-secret/a.txt")


def test_everything_is_below_the_root_folder() -> None:
    assert is_below("/a.txt", {"/"})
    assert is_below("/docs", {"/docs"})
    assert not is_below("/docs-secret", {"/docs"})


def test_many_given_files_are_not_each_compared_with_each() -> None:
    given = [f"/docs/{number}.txt" for number in range(50_000)]  # two and a half thousand million comparisons
    found = Walk(roots=set(given), unreadable=set(given[::2]))
    assert lie_apart(found.roots)
    assert [found.covers(path) for path in given] == [False, True] * 25_000
    assert not lie_apart({*given, "/docs"})
    assert not lie_apart({*given, "/"})


@pytest.mark.either_back_end
def test_a_moved_file_is_found_at_its_new_place_only(library: Library) -> None:
    library.write("old/a.txt", "the cat sat")
    library.sync()
    (library.folder / "new").mkdir()
    (library.folder / "old" / "a.txt").rename(library.folder / "new" / "b.txt")
    assert counts(library.sync()) == (1, 1, 0, 1, 0)
    assert library.names() == ["new/b.txt"]
    assert library.text("new/b.txt") == "the cat sat"


# What cannot be read


@pytest.mark.either_back_end
def test_a_file_that_has_become_binary_keeps_its_last_version_and_counts_as_failed(library: Library) -> None:
    library.write("a.txt", "the cat")
    library.sync()
    library.write("a.txt", b"\x00\x01\x02\xff" * 100)
    for _ in range(2):
        summary = library.sync()
        assert counts(summary) == (1, 0, 0, 0, 1)
        assert summary.failed[0].path == str(library.folder / "a.txt")
        assert library.text("a.txt") == "the cat"


@pytest.mark.either_back_end
def test_a_file_that_may_not_be_read_any_more_keeps_its_last_version(library: Library) -> None:
    path = library.write("a.txt", "the cat")
    library.sync()
    forbid(path)
    summary = library.sync()
    assert counts(summary) == (1, 0, 0, 0, 1)
    assert "Permission denied" in summary.failed[0].reason
    assert library.text("a.txt") == "the cat"


@pytest.mark.either_back_end
def test_bad_files_never_end_the_run(library: Library) -> None:
    library.write("a.txt", "the cat")
    library.write("b.txt", b"\x7fELF\x00\x00\x00")
    library.write("c.html", b"\x00" * 5000)
    library.write("d.md", b"\xff\xfe\x00\xd8")
    library.write("e.md", "[" * 20_000 + ">" * 20_000)
    library.write("f.txt", "the dog")
    summary = library.sync()
    assert summary.files == 6
    assert summary.indexed + len(summary.failed) == 6
    assert {str(library.folder / name) for name in ("b.txt", "c.html")} <= {one.path for one in summary.failed}
    assert (library.text("a.txt"), library.text("f.txt")) == ("the cat", "the dog")
    assert all(one.reason for one in summary.failed)


@pytest.mark.either_back_end
def test_files_of_unknown_types_are_skipped_with_the_reason(library: Library) -> None:
    library.write("a.xyz", "the cat")
    library.write("nosuffix", "the cat")
    os.mkfifo(library.folder / "pipe.txt")
    summary = library.sync()
    assert counts(summary) == (0, 0, 0, 0, 0)
    assert {(Path(one.path).name, one.reason) for one in summary.skipped} == {
        ("a.xyz", "files of type .xyz are not supported"),
        ("nosuffix", "files of type nosuffix are not supported"),
        ("pipe.txt", "not a regular file"),
    }


# Where the walk goes


@pytest.mark.either_back_end
def test_symbolic_links_are_not_followed_and_nothing_outside_is_ever_stored(library: Library, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(CANARY)
    library.write("a.txt", "the cat")
    (library.folder / "link.txt").symlink_to(outside / "secret.txt")
    (library.folder / "linked").symlink_to(outside)
    (library.folder / "loop").symlink_to(library.folder)
    (library.folder / "self.txt").symlink_to("self.txt")
    (library.folder / "dangling.txt").symlink_to("nowhere.txt")
    summary = library.sync()
    assert counts(summary) == (1, 1, 0, 0, 0)
    assert {Path(one.path).name for one in summary.skipped} == {
        "link.txt",
        "linked",
        "loop",
        "self.txt",
        "dangling.txt",
    }
    assert CANARY not in " ".join(text for _, text in library.store.snapshot().chunk_texts())
    for table in ("chunks", "manifest", "texts"):
        assert CANARY.encode() not in library.store.client.text(f"SELECT * FROM {table}", "TSV")


@pytest.mark.either_back_end
def test_a_file_that_was_replaced_by_a_symbolic_link_is_deleted(library: Library, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(CANARY)
    path = library.write("a.txt", "the cat")
    library.sync()
    path.unlink()
    path.symlink_to(tmp_path / "secret.txt")
    assert counts(library.sync()) == (0, 0, 0, 1, 0)
    assert visible_texts(library.store) == {}


@pytest.mark.either_back_end
@pytest.mark.parametrize("swapped", ["sub", "sub/deep", "sub/deep/a.txt", "."])
def test_a_part_of_a_path_that_becomes_a_link_after_the_walk_leads_nowhere(
    library: Library, tmp_path: Path, swapped: str
) -> None:
    library.write("sub/deep/a.txt", "the cat")
    library.write("b.txt", "the dog")
    found = walk([str(library.folder)])
    outside, part = tmp_path / "outside", library.folder / swapped
    shutil.copytree(library.folder, outside)
    (outside / "sub" / "deep" / "a.txt").write_text(CANARY)
    shutil.move(part, tmp_path / "aside")
    part.symlink_to(outside / swapped)
    encoder, _ = hash_encoder(library.tokenizer)
    summary = sync_with(library.store, encoder, found)
    failed = {Path(one.path).name: one.reason for one in summary.failed}
    assert list(failed) == (["b.txt", "a.txt"] if swapped == "." else ["a.txt"])
    name = library.folder.name if swapped == "." else Path(swapped).name
    assert failed["a.txt"] in {
        f"cannot be read: {name} was a folder and is one no longer",
        "is a symbolic link, whose target is read only if it is given itself",
    }
    assert CANARY.encode() not in library.store.client.text("SELECT * FROM chunks", "TSV")


@pytest.mark.either_back_end
def test_a_file_below_a_folder_that_became_a_link_keeps_its_last_version(library: Library, tmp_path: Path) -> None:
    library.write("sub/a.txt", "the cat")
    library.sync()
    found = walk([str(library.folder)])
    shutil.move(library.folder / "sub", tmp_path / "aside")
    (tmp_path / "aside" / "a.txt").write_text(CANARY)
    (library.folder / "sub").symlink_to(tmp_path / "aside")
    encoder, _ = hash_encoder(library.tokenizer)
    assert counts(sync_with(library.store, encoder, found)) == (1, 0, 0, 0, 1)
    assert library.text("sub/a.txt") == "the cat"


@pytest.mark.either_back_end
def test_no_descriptor_stays_open_for_what_was_or_could_not_be_read(library: Library) -> None:
    library.write("sub/deep/a.txt", "the cat")
    library.write("sub/deep/b.txt", b"\x00\x01")
    found = walk([str(library.folder)])
    shutil.rmtree(library.folder / "sub" / "deep")
    for _ in range(3):
        for file in found.files:
            with pytest.raises(UnreadableDocument, match="No such file or directory"):
                file_bytes(file.path, file.source, file.root)
    library.write("sub/deep/a.txt", "the cat")
    assert file_bytes(found.files[0].path, "a.txt", library.folder) == b"the cat"
    assert [path for path in open_files() if path.startswith(str(library.folder))] == []


def open_files() -> list[str]:
    """What the descriptors of this process stand for; the engine opens and closes some of its own all the while."""
    found = []
    for number in os.listdir("/dev/fd"):
        with suppress(OSError):
            found.append(str(Path(f"/dev/fd/{number}").readlink()))
    return found


@pytest.mark.either_back_end
def test_a_symbolic_link_that_is_given_is_read_as_what_it_points_to(library: Library, tmp_path: Path) -> None:
    path = library.write("a.txt", "the cat")
    (tmp_path / "link").symlink_to(library.folder)
    (tmp_path / "link.txt").symlink_to(path)
    assert counts(library.sync(tmp_path / "link", tmp_path / "link.txt")) == (1, 1, 0, 0, 0)
    assert library.names() == ["a.txt"]


@pytest.mark.either_back_end
def test_a_folder_whose_name_only_begins_alike_is_another_folder(library: Library) -> None:
    library.write("docs/a.txt", "the cat")
    library.write("docs-secret/b.txt", "the dog")
    library.sync(library.folder / "docs", library.folder / "docs-secret")
    shutil.rmtree(library.folder / "docs-secret")
    assert counts(library.sync(library.folder / "docs")) == (1, 0, 1, 0, 0)
    assert library.names() == ["docs-secret/b.txt", "docs/a.txt"]


@pytest.mark.either_back_end
def test_hidden_and_ignored_folders_and_hidden_files_are_passed_over(library: Library) -> None:
    for name in (".git/a.txt", "node_modules/b.txt", "__pycache__/c.txt", "venv/d.txt", ".hidden.txt", "seen/e.txt"):
        library.write(name, "the cat")
    assert counts(library.sync()) == (1, 1, 0, 0, 0)
    assert library.names() == ["seen/e.txt"]


@pytest.mark.either_back_end
def test_a_hidden_folder_that_is_given_is_read(library: Library) -> None:
    library.write(".notes/a.txt", "the cat")
    assert counts(library.sync(library.folder / ".notes")) == (1, 1, 0, 0, 0)


@pytest.mark.either_back_end
def test_one_folder_in_several_spellings_is_read_once(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.write("sub/a.txt", "the cat")
    monkeypatch.chdir(library.folder)
    summary = library.sync("sub", "./sub/", "sub/a.txt", library.folder / "sub", "sub/../sub")
    assert counts(summary) == (1, 1, 0, 0, 0)
    assert [document.source for document in library.store.snapshot().documents()] == ["sub/a.txt"]
    for spelling in ("./sub", "sub//", ".", library.folder):
        assert counts(library.sync(spelling)) == (1, 0, 1, 0, 0)
        assert library.kernel.calls == 0
    assert [document.source for document in library.store.snapshot().documents()] == ["sub/a.txt"]


@pytest.mark.either_back_end
def test_the_source_is_the_path_as_it_was_given(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.write("sub/a.txt", "the cat")
    monkeypatch.chdir(library.folder)
    with pytest.raises(UsageError, match=r"a path is empty: nothing was changed, write \."):
        walk(["sub", ""])
    assert [file.source for file in walk(["."]).files] == ["sub/a.txt"]
    assert [file.source for file in walk(["sub"]).files] == ["sub/a.txt"]
    assert [file.source for file in walk([str(library.folder)]).files] == [f"{library.folder}/sub/a.txt"]


@pytest.mark.either_back_end
def test_files_come_in_the_same_order_however_the_disk_lists_them(library: Library) -> None:
    for name in ("b/2.txt", "a.txt", "b/1.txt", "c.txt", "b.txt", "B.txt"):
        library.write(name, "the cat")
    found = [os.path.relpath(file.path, library.folder) for file in walk([str(library.folder)]).files]
    assert found == ["B.txt", "a.txt", "b.txt", "c.txt", "b/1.txt", "b/2.txt"]


ODD_NAMES = [
    b"new\nline.txt",
    b"esc\x1b[31m.txt",
    b"bad\xff.txt",
    b"quote'\".txt",
    b"-leading.txt",
    "猫 \u202e.txt".encode(),
]


def test_files_with_odd_names_are_stored_found_and_deleted_like_others(library: Library) -> None:
    for name in ODD_NAMES:
        with open(os.fsencode(library.folder) + b"/" + name, "wb") as file:  # noqa: PTH123 (pathlib knows no bytes)
            file.write(b"the cat")
    assert counts(library.sync()) == (6, 6, 0, 0, 0)
    assert counts(library.sync()) == (6, 0, 6, 0, 0)
    assert "bad\\xff.txt" in library.names()
    for name in ODD_NAMES:
        os.unlink(os.fsencode(library.folder) + b"/" + name)  # noqa: PTH108
    assert counts(library.sync()) == (0, 0, 0, 6, 0)


@pytest.mark.either_back_end
def test_two_names_that_read_the_same_are_one_document_and_one_failure(library: Library) -> None:
    for name in (b"bad\xff.txt", rb"bad\xff.txt"):
        with open(os.fsencode(library.folder) + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(name)
    for indexed, unchanged in ((1, 0), (0, 1)):
        summary = library.sync()
        assert counts(summary) == (1, indexed, unchanged, 0, 1)
        assert summary.failed[0].reason == "another file's name reads the same: rename one of them"


def test_a_name_that_is_not_text_becomes_text_that_any_encoding_holds() -> None:
    assert printable(os.fsdecode(b"bad\xff.txt")) == "bad\\xff.txt"
    assert printable("猫.txt") == "猫.txt"


# Interruptions


@pytest.mark.either_back_end
def test_a_run_that_was_interrupted_goes_on_where_it_stopped(library: Library) -> None:
    files = LEAST_CHUNKS_PER_WINDOW + 88
    for number in range(files):
        library.write(f"{number:03}.txt", f"the cat {number}")
    with pytest.raises(KeyboardInterrupt) as interrupted:
        library.sync(batches_left=1)  # of the first window, whose texts are short
    published = len(library.store.snapshot().documents())
    assert published == LEAST_CHUNKS_PER_WINDOW
    assert str(interrupted.value) == (
        f"{published} of {files} files to read are in the store, and the same command continues from there"
    )
    assert library.store.snapshot().damaged_documents() == []
    library.reopen()
    assert counts(library.sync()) == (files, files - published, published, 0, 0)
    assert library.kernel.texts == files - published
    assert len(library.names()) == library.store.snapshot().chunk_count() == files
    assert library.store.snapshot().damaged_documents() == []


@pytest.mark.either_back_end
def test_a_document_longer_than_a_window_is_published_whole_or_not_at_all(library: Library) -> None:
    # no two chunks alike, of which one would not be encoded
    draw = random.Random(0)
    paragraphs = [
        f"{number} " + " ".join(draw.choices(["the", "cat", "sat", "on"], k=160))
        for number in range(LEAST_CHUNKS_PER_WINDOW + 20)
    ]
    library.write("long.txt", "\n\n".join(paragraphs))
    with pytest.raises(KeyboardInterrupt, match="0 of 1 file to read are in the store"):
        library.sync(batches_left=3 - (-LEAST_CHUNKS_PER_WINDOW // (TOKENS_PER_BATCH // 176)))  # 176 tokens, padded
    assert library.kernel.texts > LEAST_CHUNKS_PER_WINDOW
    assert library.store.snapshot().documents() == []
    library.sync()
    assert library.names() == ["long.txt"]
    assert library.store.snapshot().chunk_count() > LEAST_CHUNKS_PER_WINDOW


# How far it is


@dataclass
class Hands:
    """A clock whose hands are moved by what takes time."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class SlowKernel(HashKernel):
    """Takes its time for each text."""

    hands: Hands = field(default_factory=Hands)
    seconds: float = 1.0
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self.may_go_on.wait(60)
        self.hands.now += self.seconds * len(ids)
        return super().forward(ids, lengths)


@dataclass
class Listener:
    """Progress that compares what it is told with what readers see."""

    store: Store
    files: int = 0
    content_bytes: int = 0
    chunks: int = 0
    waited: int = 0  # the most chunks that were encoded and belonged to no file that readers see

    def start(self, files: int, content_bytes: int) -> None:
        pass

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:
        self.files += files
        self.content_bytes += content_bytes
        self.chunks += chunks
        if files:
            assert self.files == len(self.store.snapshot().documents())
        self.waited = max(self.waited, self.chunks - self.files)


def pipeline_of(library: Library, seconds: float) -> tuple[Pipeline, Listener, Hands]:
    """A pipeline whose encoder takes so many seconds for a text."""
    hands, heard = Hands(), Listener(library.store)
    kernel = SlowKernel(DIMENSIONS, hands=hands, seconds=seconds)
    kernel.may_go_on.set()
    encoder = Encoder(tiny_config(library.tokenizer), library.tokenizer, lambda: kernel)
    return Pipeline(Indexer(library.store, encoder.identity), encoder, heard, clock=hands), heard, hands


def add(pipeline: Pipeline, first: int, count: int) -> None:
    """Some documents of one chunk."""
    for number in range(first, first + count):
        text = f"the cat {number}"
        pipeline.add(source_document(f"{number}.txt", content=text), chunks_of([text]))


@pytest.mark.either_back_end
def test_a_slow_encoder_gets_small_windows_so_that_no_document_waits_for_long(library: Library) -> None:
    pipeline, heard, _ = pipeline_of(library, seconds=1.0)
    with pipeline:
        add(pipeline, 0, 3 * LEAST_CHUNKS_PER_WINDOW + 10)
        pipeline.wait()
        assert heard.files == pipeline.published > 2 * LEAST_CHUNKS_PER_WINDOW + 10
        assert heard.waited <= 3 * LEAST_CHUNKS_PER_WINDOW  # one is stored, one waits for that, one is encoded
        pipeline.finish()
    assert heard.files == heard.chunks == len(library.store.snapshot().documents()) == 3 * LEAST_CHUNKS_PER_WINDOW + 10
    assert heard.content_bytes == sum(len(f"the cat {number}") for number in range(heard.files))


@pytest.mark.either_back_end
def test_a_fast_encoder_gets_wide_windows_while_it_is_busy(library: Library) -> None:
    pipeline, heard, _ = pipeline_of(library, seconds=SECONDS_PER_WINDOW / 100)
    kernel = pipeline.encoder.kernel
    assert isinstance(kernel, SlowKernel)
    with pipeline:
        add(pipeline, 0, LEAST_CHUNKS_PER_WINDOW)
        pipeline.wait()
        assert heard.files == LEAST_CHUNKS_PER_WINDOW
        kernel.may_go_on.clear()
        add(pipeline, 1000, 100)  # as many as are encoded in the time of a window
        add(pipeline, 2000, 99)
        kernel.may_go_on.set()
        pipeline.wait()
        assert heard.files == LEAST_CHUNKS_PER_WINDOW + 100
        kernel.seconds = 0.0
        add(pipeline, 3000, 1)
        pipeline.wait()
        assert heard.files >= LEAST_CHUNKS_PER_WINDOW + 199
        pipeline.finish()


@pytest.mark.either_back_end
def test_an_encoder_that_has_nothing_to_do_gets_a_window_that_is_not_full(library: Library) -> None:
    pipeline, heard, _ = pipeline_of(library, seconds=SECONDS_PER_WINDOW / MOST_CHUNKS_PER_WINDOW)
    with pipeline:
        add(pipeline, 0, LEAST_CHUNKS_PER_WINDOW)
        pipeline.wait()
        add(pipeline, 1000, CHUNKS_FOR_AN_IDLE_ENCODER + 1)
        pipeline.wait()
        assert heard.files == LEAST_CHUNKS_PER_WINDOW + CHUNKS_FOR_AN_IDLE_ENCODER
        pipeline.finish()


@pytest.mark.either_back_end
def test_a_document_does_not_wait_for_others_that_are_slow_to_read(library: Library) -> None:
    pipeline, heard, hands = pipeline_of(library, seconds=0.0)
    with pipeline:
        for number, files in enumerate((0, 0, 3, 3)):
            add(pipeline, number, 1)
            pipeline.wait()
            assert heard.files == files
            hands.now += SECONDS_PER_WINDOW / 2
        pipeline.finish()
    assert heard.files == 4


def test_documents_are_read_and_stored_while_others_are_encoded(library: Library) -> None:
    pipeline, heard, _ = pipeline_of(library, seconds=0.0)
    kernel = pipeline.encoder.kernel
    assert isinstance(kernel, SlowKernel)
    with pipeline:
        kernel.may_go_on.clear()
        add(pipeline, 0, LEAST_CHUNKS_PER_WINDOW + 50)  # returns, though nothing can be encoded
        assert heard.files == 0
        kernel.may_go_on.set()
        pipeline.finish()
    assert heard.files == LEAST_CHUNKS_PER_WINDOW + 50


@dataclass
class Following:
    """A pipeline that has stored its first window, and has two more of 100 chunks, of which the encoder waits for a sign."""

    pipeline: Pipeline
    heard: Listener
    kernel: SlowKernel

    @classmethod
    def of(cls, library: Library) -> Following:
        pipeline, heard, _ = pipeline_of(library, seconds=SECONDS_PER_WINDOW / 100)
        kernel = pipeline.encoder.kernel
        assert isinstance(kernel, SlowKernel)
        add(pipeline, 0, LEAST_CHUNKS_PER_WINDOW)
        pipeline.wait()
        kernel.may_go_on.clear()
        kernel.seconds = 0.0
        # whether one does follow depends on which thread is faster: `has_before` has a test of its own
        pipeline._line.has_before = lambda step: True  # type: ignore[method-assign]
        add(pipeline, 1000, 200)
        return cls(pipeline, heard, kernel)


def test_windows_that_follow_each_other_soon_are_published_together(library: Library) -> None:
    before = library.store.snapshot().epoch
    following = Following.of(library)
    assert library.store.snapshot().epoch == before + 1
    with following.pipeline as pipeline:
        following.kernel.may_go_on.set()
        pipeline.finish()
    assert following.heard.files == len(library.store.snapshot().documents()) == LEAST_CHUNKS_PER_WINDOW + 200
    assert library.store.snapshot().epoch == before + 2
    assert library.store.snapshot().damaged_documents() == []


def test_what_waits_to_be_stored_with_the_next_window_is_stored_when_that_never_comes(library: Library) -> None:
    following = Following.of(library)
    patience = time.monotonic() + 60
    with suppress(KeyboardInterrupt), following.pipeline as pipeline:
        following.kernel.may_go_on.set()
        while not pipeline._waiting:
            assert time.monotonic() < patience
            time.sleep(0.01)
        assert following.heard.files == LEAST_CHUNKS_PER_WINDOW
        raise KeyboardInterrupt
    assert following.heard.files > LEAST_CHUNKS_PER_WINDOW
    assert following.heard.files == len(library.store.snapshot().documents())


def test_what_fails_while_it_is_stored_is_raised_and_leaves_no_thread(library: Library) -> None:
    class Refuses(Listener):
        def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:
            super().advance(files, content_bytes, chunks)
            if files:
                raise OSError("no space")

    for number in range(LEAST_CHUNKS_PER_WINDOW):
        library.write(f"{number:03}.txt", f"the cat {number}")
    with pytest.raises(OSError, match="no space"):
        library.sync(progress=Refuses(library.store))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("step")]
    assert library.store.snapshot().damaged_documents() == []


# The command


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> str:
    """A folder that `--model` takes."""
    return str(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tokenizer))


@dataclass
class Command:
    """`python -m ingest` in this process, with a store and a tiny model."""

    store: str
    model: str
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        options = ["--db", self.store, "--model", self.model]
        code = run_command(ingest.command_line.command, [*arguments, *options])
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture
def command(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str], location: str) -> Command:
    (tmp_path / "docs").mkdir(exist_ok=True)
    return Command(location, model, capsys)


def test_the_json_summary_has_the_promised_fields(command: Command, tmp_path: Path) -> None:
    (tmp_path / "docs" / "a.txt").write_text("the cat")
    (tmp_path / "docs" / "b.txt").write_bytes(b"\x00\x01")
    (tmp_path / "docs" / "c.xyz").write_text("")
    code, out, err = command.run(str(tmp_path / "docs"), "--json")
    assert (code, err) == (EXIT_SOME_FAILED, "")
    assert len(out.splitlines()) == 1
    record = json.loads(out)
    assert list(record) == ["files", "indexed", "unchanged", "deleted", "skipped", "failed", "chunks", "seconds"]
    assert [record[name] for name in ("files", "indexed", "unchanged", "deleted", "chunks")] == [2, 1, 0, 0, 1]
    for name, file in (("skipped", "c.xyz"), ("failed", "b.txt")):
        assert [(list(one), one["path"]) for one in record[name]] == [
            (["path", "reason"], str(tmp_path / "docs" / file))
        ]
    assert isinstance(record["seconds"], float)


@pytest.mark.either_back_end
def test_the_exit_code_is_0_when_all_is_well_and_types_that_are_skipped_are_well(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "docs" / "a.txt").write_text("the cat")
    (tmp_path / "docs" / "c.xyz").write_text("")
    code, out, err = command.run(str(tmp_path / "docs"))
    assert code == EXIT_OK
    assert out.startswith("1 file: 1 indexed, 0 unchanged, 0 deleted, 1 skipped (1 .xyz), 0 failed; 1 chunk in ")
    assert err == f"skipped {tmp_path}/docs/c.xyz: files of type .xyz are not supported\n"
    code, out, _ = command.run(str(tmp_path / "docs"))
    assert code == EXIT_OK
    assert out.startswith("1 file: 0 indexed, 1 unchanged")


@pytest.mark.everyday("chdb-pipe", "chdb-c.xyz")
@pytest.mark.either_back_end
@pytest.mark.parametrize("name", ["c.xyz", "report.dwg", "nosuffix", "pipe.txt"])
def test_a_file_that_was_named_itself_and_is_not_read_has_failed(command: Command, tmp_path: Path, name: str) -> None:
    path = tmp_path / "docs" / name
    if name == "pipe.txt":
        os.mkfifo(path)
    else:
        path.write_text("the cat")
    for options in ([], ["--dry-run"]):
        code, out, err = command.run(str(path), *options)
        assert code == EXIT_SOME_FAILED
        assert f"{path}: " in out + err
    code, out, _ = command.run(str(path), str(tmp_path / "docs"), "--json")
    record = json.loads(out)
    assert code == EXIT_SOME_FAILED
    assert [one["path"] for one in record["failed"]] == [str(path)]


@pytest.mark.either_back_end
def test_a_named_file_that_is_no_file_any_more_keeps_its_last_version(library: Library) -> None:
    path = library.write("a.txt", "the cat")
    library.sync()
    path.unlink()
    os.mkfifo(path)
    assert counts(library.sync(path)) == (0, 0, 0, 0, 1)
    assert library.text("a.txt") == "the cat"


@pytest.mark.either_back_end
def test_what_was_skipped_is_told_by_type(command: Command, tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / "docs" / f"{number}.psd").write_text("")
    for name in ("a.DWG", "b.dwg", "b.Dwg", "copyright", "v1.2 of all"):
        (tmp_path / "docs" / name).write_text("")
    (tmp_path / "docs" / "link").symlink_to("copyright")
    code, out, err = command.run(str(tmp_path / "docs"))
    kinds = "7 .psd, 3 .dwg, 2 without a type, 1 symbolic link"
    assert code == EXIT_OK
    assert err.splitlines() == [f"nothing to index: none of what was found is {readable_types()}"]
    assert f" 13 skipped ({kinds}; --dry-run names each), 0 failed; 0 chunks" in out


@pytest.mark.either_back_end
def test_what_a_pattern_deletes_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "docs" / "a.md").write_text("the cat")
    (tmp_path / "docs" / "b.txt").write_text("the dog")
    docs = str(tmp_path / "docs")
    assert command.run(docs)[2] == ""
    code, out, err = command.run(docs, "--include", "*.md")
    assert (code, " 1 deleted, 1 skipped (1 not included)" in out) == (EXIT_OK, True)
    left_out = "deleted from the store, though still in the folder: 1 file that this ingest leaves out by a pattern "
    assert left_out in err
    (tmp_path / "docs" / "a.md").unlink()
    code, out, err = command.run(docs, "--include", "*.md")
    assert (" 1 deleted, 1 skipped" in out, "still in the folder" in err) == (True, False)


def test_patterns_that_leave_out_everything_are_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "docs" / "a.md").write_text("the cat")
    for options in (["--include", "*.xyz"], ["--exclude", "*.md"]):
        code, _, err = command.run(str(tmp_path / "docs"), *options)
        assert code == EXIT_OK
        assert err.endswith("nothing to index: --include and --exclude leave out everything that could be read\n")


@pytest.mark.either_back_end
def test_an_empty_folder_is_no_silent_success(command: Command, tmp_path: Path) -> None:
    for options in ([], ["--dry-run"]):
        code, _, err = command.run(str(tmp_path / "docs"), *options)
        assert (code, err) == (EXIT_OK, "nothing to index: no files were found\n")


@pytest.mark.either_back_end
def test_a_name_cannot_forge_a_line_in_any_list(command: Command, tmp_path: Path) -> None:
    forged = "a\nfailed b.md: lost\u2028\u0085\u061c\u202e\rskip"
    for ending, content in (("txt", b"\x00\x01"), ("xyz", b""), ("md", b"the cat"), ("x\ny", b"")):
        (tmp_path / "docs" / f"{forged}.{ending}").write_bytes(content)
    (tmp_path / "docs" / f"{forged}.link").symlink_to("nowhere")
    for options, lines in ((["--dry-run"], 6), ([], 5)):  # five names; and one line of counts
        _, out, err = command.run(str(tmp_path / "docs"), *options)
        shown = (out + err).splitlines()
        assert len(shown) == lines
        assert all(line.isprintable() for line in shown)
        assert all(
            "a\\u000afailed b.md: lost\\u2028\\u0085\\u061c\\u202e\\u000dskip" in line
            for line in shown
            if "docs/" in line
        )
    _, out, _ = command.run(str(tmp_path / "docs"), "--json")
    assert {Path(one["path"]).name for one in json.loads(out)["skipped"]} == {
        f"{forged}.xyz", f"{forged}.x\ny", f"{forged}.link"
    }  # fmt: skip


def test_the_exit_code_is_1_for_a_missing_path_and_no_store_is_made(command: Command, tmp_path: Path) -> None:
    code, out, err = command.run(str(tmp_path / "nowhere"))
    assert (code, out) == (EXIT_ERROR, "")
    assert err.startswith(f"error: {tmp_path}/nowhere: No such file or directory; nothing was changed")
    with pytest.raises(StoreError, match=r"there is no store at|is empty"):
        Store.open(command.store)


@pytest.mark.either_back_end
@pytest.mark.parametrize("arguments", [[], [".", "--quantizer", "ternary"], [".", "--no-such-option"]])
def test_the_exit_code_is_2_for_a_wrong_call(command: Command, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.run(*arguments)
    assert ended.value.code == EXIT_USAGE
    error = command.capsys.readouterr().err
    assert error.startswith("python -m ingest: ")
    assert len(error.splitlines()) == 1


@pytest.mark.either_back_end
def test_the_exit_code_is_2_for_a_location_of_no_known_kind(command: Command, tmp_path: Path) -> None:
    command.store = "mysql://host/db"
    code, _, err = command.run(str(tmp_path / "docs"))
    assert code == EXIT_USAGE
    assert err.startswith("error: --db mysql")


@pytest.mark.either_back_end
def test_the_exit_code_is_4_when_a_file_failed_and_the_others_are_stored(command: Command, tmp_path: Path) -> None:
    (tmp_path / "docs" / "a.txt").write_text("the cat")
    (tmp_path / "docs" / "b.txt").write_bytes(b"\x00\x01")
    code, out, err = command.run(str(tmp_path / "docs"))
    assert code == EXIT_SOME_FAILED
    assert "1 indexed" in out
    assert err.startswith(f"failed {tmp_path}/docs/b.txt: ")
    with Store.open(command.store) as store:
        assert [document.source for document in store.snapshot().documents()] == [str(tmp_path / "docs" / "a.txt")]


@pytest.mark.either_back_end
def test_names_cannot_send_escapes_to_the_terminal(command: Command, tmp_path: Path) -> None:
    for name in ODD_NAMES:
        with open(os.fsencode(tmp_path) + b"/docs/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"\x00\x01")
    for arguments in (["--dry-run"], [], ["--json"], ["--dry-run", "--json"]):
        code, out, err = command.run(str(tmp_path / "docs"), *arguments)
        assert code == (EXIT_OK if "--dry-run" in arguments else EXIT_SOME_FAILED)
        for text in (out, err):
            assert not {"\x1b", "\u202e", "\udcff"} & set(text)
            assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.either_back_end
def test_another_quantizer_than_the_stores_is_refused(command: Command, tmp_path: Path) -> None:
    assert command.run(str(tmp_path / "docs"), "--quantizer", "symmetric")[0] == EXIT_OK
    assert command.run(str(tmp_path / "docs"))[0] == EXIT_OK
    code, _, err = command.run(str(tmp_path / "docs"), "--quantizer", "asymmetric")
    assert code == EXIT_ERROR
    assert "use `--quantizer symmetric --bits 8`" in err


@pytest.mark.either_back_end
def test_a_dry_run_tells_what_a_run_would_do_and_changes_nothing(library: Library, command: Command) -> None:
    for name in ("gone.txt", "changed.txt", "same.txt"):
        library.write(name, "the cat")
    library.sync()
    (library.folder / "gone.txt").unlink()
    library.write("changed.txt", "the dog")
    library.write("new.txt", "the fox")
    before = (library.blocks(), library.store.epoch())
    code, out, err = command.run(str(library.folder), "--dry-run")
    assert (code, err) == (EXIT_OK, "")
    assert out.splitlines() == [
        f"add     {library.folder}/new.txt",
        f"replace {library.folder}/changed.txt",
        f"delete  {library.folder}/gone.txt",
        "would add 1, replace 1, delete 1 and leave 1 of 3 files unchanged; nothing was changed",
    ]
    _, out, _ = command.run(str(library.folder), "--dry-run", "--json")
    assert json.loads(out) == {
        "add": [f"{library.folder}/new.txt"],
        "replace": [f"{library.folder}/changed.txt"],
        "delete": [f"{library.folder}/gone.txt"],
        "unchanged": [f"{library.folder}/same.txt"],
        "skipped": [],
        "failed": [],
    }
    assert (library.blocks(), library.store.epoch()) == before


def test_a_dry_run_for_a_new_store_loads_neither_a_model_nor_a_database(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("the cat")
    program = (
        "import sys; from ingest.command_line import command\n"
        "assert command(sys.argv[1:]) == 0\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'chdb', 'clickhouse_connect'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    finished = run_python("-c", program, str(tmp_path / "docs"), "--dry-run", "--db", str(tmp_path / "store"))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "would add 1" in finished.stdout
    assert not (tmp_path / "store").exists()


# Waits, after documents have been published, for the end of stdin.
STOPS_AFTER_THE_FIRST_WINDOW = """
import sys
import threading
from ingest.command_line import command
from sql.base import terminal
from sql.base.start import prepare_process

class Waits(terminal.Lines):
    def advance(self, files=0, content_bytes=0, chunks=0):
        super().advance(files, content_bytes, chunks)
        if files:
            terminal.note(f"published {files}")
            sys.stdin.read()

prepare_process()
terminal.Lines = Waits
sys.exit(terminal.run_command(command))
"""


def stopping_ingest(command: Command, folder: Path, files: int) -> subprocess.Popen[str]:
    """An ingest of so many small files, which waits as above."""
    for name in range(files):
        (folder / f"{name:03}.txt").write_text(f"the cat {name}")
    arguments = [str(folder), "--db", command.store, "--model", command.model]
    return subprocess.Popen(
        [sys.executable, "-c", STOPS_AFTER_THE_FIRST_WINDOW, *arguments],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.everyday("chdb-15")
@pytest.mark.either_back_end
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_ingest_that_is_ended_by_a_signal_says_what_is_in_the_store_and_goes_on_from_there(
    command: Command, tmp_path: Path, number: int, code: int, word: str
) -> None:
    files = 8 * LEAST_CHUNKS_PER_WINDOW  # far more than is on its way through the steps at a time
    with stopping_ingest(command, tmp_path / "docs", files) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr.readline() == f"published {LEAST_CHUNKS_PER_WINDOW}\n"
        process.send_signal(number)
        process.stdin.close()
        *published, told = process.stderr.read().splitlines()
        assert process.stdout.read() == ""
    assert process.returncode == code
    stored = LEAST_CHUNKS_PER_WINDOW + sum(int(line.removeprefix("published ")) for line in published)
    assert stored < files
    assert (
        told == f"{word}: {stored} of {files} files to read are in the store, and the same command continues from there"
    )
    _, out, _ = command.run(str(tmp_path / "docs"), "--json")
    record = json.loads(out)
    assert (record["unchanged"], record["indexed"]) == (stored, files - stored)


@pytest.mark.slow
def test_a_second_signal_does_not_wait_for_what_is_being_stored(command: Command, tmp_path: Path) -> None:
    with stopping_ingest(command, tmp_path / "docs", 2 * LEAST_CHUNKS_PER_WINDOW) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)  # for the step that is storing
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    _, out, _ = command.run(str(tmp_path / "docs"), "--json")
    assert json.loads(out)["unchanged"] >= LEAST_CHUNKS_PER_WINDOW


@pytest.mark.either_back_end
def test_documents_that_lost_their_chunks_with_a_damaged_file_are_made_again(library: Library) -> None:
    if not Path(library.location).is_dir():
        pytest.skip("what a server sets aside is its administrator's")
    library.write("a.txt", "the cat")
    library.write("sub/b.txt", "the dog")
    library.sync()
    library.store.close()
    for path in Path(library.location).glob("data/data/*/chunks/all_*/data.bin"):
        path.write_bytes(b"")
    library.store = Store.open(library.location, write=True)
    mended = library.sync(library.folder / "sub")
    assert (mended.indexed, mended.unchanged) == (1, 0)
    assert "still damaged: 1 document (" in mended.notes[-1]
    rest = library.sync()
    assert (rest.indexed, rest.unchanged) == (1, 1)
    assert rest.notes[-1] == "the store is whole again: 2 documents"
    assert (library.text("a.txt"), library.text("sub/b.txt")) == ("the cat", "the dog")
    library.reopen()
    assert library.store.set_aside == []
