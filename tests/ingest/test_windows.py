"""Files and documents are compared window by window, and it makes no difference how small the windows are."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest
from library import Library, counts
from sections import SECTIONS
from support import hash_encoder, publish_document

from ingest.found_files import FoundFile, FoundFiles
from ingest.plan import Texts
from ingest.readers.table import SUFFIXES
from ingest.twins import LEAST_PLACES, NumberTable
from sql.records import path_key
from sql.store.windows import document_windows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sql.records import LiveDocument

NAMES = ("a.md", "a.md!b", "a.md b", "a.md#1", "a.md#2", "a.md.md", "a/b.md", "b#/c.md", "\\\t'.md", "\U0010ffff.md")


def small_windows(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("sql.store.windows.DOCUMENTS_PER_WINDOW", rows)


def paths(documents: Iterable[LiveDocument]) -> list[str]:
    return [one.path for one in documents]


@pytest.mark.either_back_end
def test_windows_hold_every_document_once_and_none_ends_among_the_parts_of_a_file(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = library.store
    store.prepare(hash_encoder(library.tokenizer)[0].identity, library.quantizer)
    for name in NAMES:
        publish_document(store, name, ["the cat"])
    publish_document(store, "a.md", ["the cat sat"])  # a second row of the manifest
    store.writer.publish([], [one for one in store.snapshot().documents() if one.path.endswith("a.md.md")])
    expected = sorted(paths(store.snapshot().documents()), key=path_key)
    assert len(expected) == len(NAMES) - 1
    for rows in (1, 2, 3, 10_000):
        small_windows(monkeypatch, rows)
        windows = list(document_windows(store.snapshot()))
        assert [path for window in windows for path in paths(window.documents)] == expected
        assert (len(windows) == 1) == (rows == 10_000)
        assert [window.upto for window in windows[:-1]] == [window.after for window in windows[1:]]
        assert (windows[0].after, windows[-1].upto) == ("", None)
        parts = [path for path in expected if path.endswith(("a.md", "a.md#1", "a.md#2"))]
        assert any(set(parts) <= set(paths(window.documents)) for window in windows)


@pytest.mark.either_back_end
def test_edits_moves_and_a_folder_that_goes_away_are_seen_through_small_windows(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 1)
    monkeypatch.setattr("ingest.plan.IDS_AT_ONCE", 2)
    monkeypatch.setitem(SUFFIXES, ".sections", SECTIONS)
    for name in ("a/1.md", "a/2.md", "a/3.md", "b.md", "b.md#x.md", "z/1.md"):
        library.write(name, f"the cat {name}")
    library.write("c.sections", "one\nthe dog\ftwo\nthe fox\fthree\nthe mat")
    assert counts(library.sync()) == (7, 7, 0, 0, 0)
    assert counts(library.sync()) == (7, 0, 7, 0, 0)
    library.write("c.sections", "two\nthe fox sat")
    library.write("b.md", "the cat sat")
    (library.folder / "z" / "1.md").rename(library.folder / "0.md")
    shutil.rmtree(library.folder / "a")
    assert counts(library.sync()) == (4, 3, 1, 4, 0)
    assert library.names() == ["0.md", "b.md", "b.md#x.md", "c.sections#two"]
    assert library.kernel.texts == 2
    assert counts(library.sync()) == (4, 0, 4, 0, 0)
    assert library.store.snapshot().damaged_documents() == []


@pytest.mark.either_back_end
def test_what_a_run_deletes_is_not_what_the_same_run_gives_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 1)
    monkeypatch.setitem(SUFFIXES, ".sections", SECTIONS)
    library.write("c.sections", "one\nthe dog\fb.txt\nthe fox")
    library.sync()
    (library.folder / "c.sections").unlink()
    library.write("c.sections#b.txt", "the mat")
    for expected in ((1, 1, 0, 1, 0), (1, 0, 1, 0, 0)):
        assert counts(library.sync()) == expected
        assert library.names() == ["c.sections#b.txt"]
        assert library.text("c.sections#b.txt") == "the mat"


# What the plan keeps of many


def test_files_are_found_again_by_their_place_and_by_their_keys(tmp_path: Path) -> None:
    given = [FoundFile(name, place, f"/d{place % 3}", f"d{place % 3}", tmp_path) for place, name in enumerate(NAMES)]
    given.append(FoundFile("\udcff.md", 7, "/d0", "d0", None, "link.md"))  # a name that is not UTF-8
    found = FoundFiles(given)
    assert (list(found), found[-1], list(found[2:5])) == (given, given[-1], given[2:5])
    assert list(found.that(lambda file: file.size % 2 == 1)) == [file for file in given if file.size % 2 == 1]
    keys = sorted(path_key(file.stored_path) for file in given)
    for after, upto in zip(["", *keys], [*keys, None], strict=True):
        wanted = [file for file in given if path_key(file.stored_path) == upto]
        assert [file for _, file, _ in found.between(after, upto)] == wanted
    assert [place for place, _, _ in found.between("", None)] == list(range(len(given)))


def test_a_table_of_numbers_says_what_a_dictionary_says() -> None:
    choose, table, expected = random.Random(0), NumberTable(), dict[int, int]()
    for _ in range(10 * LEAST_PLACES):
        key = choose.choice((choose.getrandbits(64), choose.randint(0, 50), choose.randint(0, 50) << 40))
        assert table.get(key) == expected.get(key)
        value = choose.choice((0, choose.getrandbits(129)))
        table.put(key, value)
        expected[key] = value
    assert [table.get(key) for key in expected] == list(expected.values())


def test_texts_are_kept_as_they_are() -> None:
    texts = Texts()
    for text in ("a", "", "ä\0\U0010ffff"):
        texts.append(text)
    assert (list(texts), texts[-1], texts[:2]) == (["a", "", "ä\0\U0010ffff"], "ä\0\U0010ffff", ["a", ""])
