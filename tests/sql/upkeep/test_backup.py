"""A backup of a store that another process has open: the documents of one moment, sound, and the writer goes on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import PROJECT, open_store, publish_document, visible_texts

from sql.base.errors import StoreBusy
from sql.engine.folders import LOCK, locked
from sql.engine.location import parse_location
from sql.store import Store
from sql.upkeep.backup import copy_store

if TYPE_CHECKING:
    from pathlib import Path

# Publishes two documents of the same number at once, again and again; a word for each, so that somebody can wait for it.
WRITER = """
import sys; sys.path.insert(0, "tests")
from support import draft_document, open_store
with open_store(sys.argv[1]) as store:
    for number in range(10 ** 9):
        texts = [f"{number} {part}" for part in range(2 + number % 5)]
        store.writer.publish([draft_document(store, name, texts, language="en") for name in ("a.txt", "b.txt")])
        print(number, flush=True)
"""


def test_a_store_that_another_process_writes_to_is_copied_at_one_moment(tmp_path: Path) -> None:
    store, copy = tmp_path / "store", tmp_path / "copy"
    told: list[str] = []
    command = [sys.executable, "-c", WRITER, str(store)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            before = int(writer.stdout.readline())
            counts = copy_store(parse_location(str(store)), parse_location(str(copy)), told.append)
            assert writer.poll() is None
            after = int(writer.stdout.readline())  # of a publication that may have been long ago
        finally:
            writer.kill()
    assert before < after
    assert ["read through it" in sentence for sentence in told] == [True]
    with Store.open(str(copy)) as opened:
        texts = visible_texts(opened)
        assert opened.snapshot().damaged_documents() == []
        assert len(opened.snapshot().term_frequencies([str(number) for number in range(2)])) == 2  # words came along
    number = int(texts["a.txt"][0].split()[0])
    assert number >= before
    assert texts == {name: [f"{number} {part}" for part in range(2 + number % 5)] for name in ("a.txt", "b.txt")}
    assert counts == (2, 2 * (2 + number % 5))


def test_a_store_whose_holder_answers_nobody_is_not_copied_and_leaves_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["the cat"])
    with locked(tmp_path / "store"), pytest.raises(StoreBusy):
        copy_store(parse_location(str(tmp_path / "store")), parse_location(str(tmp_path / "copy")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    assert (tmp_path / "store" / LOCK).exists()
