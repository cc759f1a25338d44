"""Words of an older analyser are made anew from the stored texts, wherever that is stopped; readers are told meanwhile."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from migration_worker import CHANGES, stop_before
from old_words import OLD, assert_made_anew, kilns, reader_finds, write_old_store
from support import draft_document, retrieve

from rag.index.word_index import REMOVING, add_words
from rag.text.analyser import ANALYSER
from sql.base.errors import StoreMismatch
from sql.engine.client import Client
from sql.engine.statements import Statement
from sql.records import ChunkWords
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path


class Stopped(BaseException):
    """What stops a run before one of its changes."""


def test_words_of_an_older_analyser_are_made_anew(tmp_path: Path) -> None:
    write_old_store(str(tmp_path / "store"))
    said: list[str] = []
    with Store.open(str(tmp_path / "store"), write=True) as store:
        remedy = rf"was written with the analyser '{OLD}'.*next ingest or with `python -m rag migrate --db {tmp_path}"
        with pytest.raises(StoreMismatch, match=remedy):
            kilns(store)
        epoch = store.epoch()
        assert add_words(store, announce=said.append) == 2
        assert add_words(store, announce=said.append) == 0
        assert [sentence.partition(": ")[2] for sentence in said] == [
            f"removing the words of the analyser '{OLD}'",
            "making the words of 2 documents from their stored texts",
        ]
        assert store.epoch() == epoch
        assert_made_anew(store)


@pytest.mark.slow
def test_a_run_that_is_stopped_is_completed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_old_store(str(tmp_path / "old"))
    number = 1
    while stop_and_finish(
        shutil.copytree(tmp_path / "old", tmp_path / str(number), symlinks=True), number, monkeypatch
    ):
        number += 1
    assert number > 8  # three revisions, two deletions before and two after, two inserts


def stop_and_finish(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Stops a run before its Nth change, looks as a reader, finishes it; whether it got that far."""

    def stop() -> None:
        raise Stopped

    stopped = False
    with monkeypatch.context() as patch:
        for name in CHANGES:
            patch.setattr(Client, name, getattr(Client, name))  # to be put back
        with Store.open(str(folder), write=True) as store:
            stop_before(number, stop)
            try:
                add_words(store)
            except Stopped:
                stopped = True
    with Store.open(str(folder)) as store:
        assert reader_finds(store) in (("refused", "all") if stopped else ("all",))
    with Store.open(str(folder), write=True) as store:
        add_words(store)
        assert_made_anew(store)
    return stopped


@pytest.mark.slow
def test_a_reader_is_refused_from_the_first_change_on_and_let_in_after_the_last(tmp_path: Path) -> None:
    write_old_store(str(tmp_path / "store"))
    with Store.open(str(tmp_path / "store"), write=True) as store:
        add_words(store)
        assert len(retrieve(store, "kiln", 9, ranking="words")) == 3
        # Another process makes words anew, and this one reads at a later epoch.
        Store(store.client).revise(analyser=REMOVING)
        store.writer.publish([draft_document(store, "more", ["more"], language="en")])
        with pytest.raises(StoreMismatch, match="removed"):
            retrieve(store, "kiln", 9, ranking="words")
        Store(store.client).revise(analyser=ANALYSER)
        assert len(retrieve(store, "kiln", 9, ranking="words")) == 3


@pytest.mark.slow
def test_generations_that_only_old_readers_see_lose_their_words_too(tmp_path: Path) -> None:
    write_old_store(str(tmp_path / "store"))
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.writer.publish([draft_document(store, "kiln", ["A kiln"], words=[ChunkWords("", {"old": 1})])])
        add_words(store)
        rows = store.client.query(Statement("word_generations"))
        assert len(rows) == 2
        assert kilns(store) == [("kiln", 0), ("list", 0)]
