"""`--watch`: a change below the folders is in the store without another command, and errors are not the end of it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands_here import run_main
from support import PROJECT, visible_texts, write_tiny_checkpoint

from ingest.watch import changes_below, run_again_and_again
from sql.base.errors import EXIT_INTERRUPTED, EXIT_USAGE, RagError, StoreBusy
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> str:
    return str(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tokenizer))


def test_a_watched_folder_is_followed_until_ctrl_c(tmp_path: Path, model: str) -> None:
    docs, store = tmp_path / "docs", tmp_path / "docs" / "store"  # whose changes must not count
    docs.mkdir()
    (docs / "a.txt").write_text("the cat")
    arguments = [str(docs), "--watch", "--json", "--db", str(store), "--model", model]
    with subprocess.Popen(
        [sys.executable, "-m", "ingest", *arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None

        def next_run() -> tuple[int, int, int]:
            record = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return record["files"], record["indexed"], record["deleted"]

        try:
            assert next_run() == (1, 1, 0)
            (docs / "b.txt").write_text("the dog")
            assert next_run() == (2, 1, 0)
            (docs / "a.txt").unlink()
            assert next_run() == (1, 0, 1)
            (docs / "b.txt").write_text("the bird")
            assert next_run() == (1, 1, 0)
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == ""
        finally:
            process.kill()
    assert process.returncode == EXIT_INTERRUPTED
    with Store.open(str(store)) as opened:
        assert visible_texts(opened) == {str(docs / "b.txt"): ["the bird"]}


def test_what_changes_during_a_run_is_seen_after_it_and_hidden_files_and_the_store_never_count(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    changes = changes_below([tmp_path], tmp_path / "store", sweep_seconds=600)
    next(changes)
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "store" / "part").write_text("")
    (tmp_path / "a.txt").write_text("")
    next(changes)
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "b.txt").write_text("")
    next(changes)


def test_without_any_notice_a_sweep_comes(tmp_path: Path) -> None:
    changes = changes_below([tmp_path], None, sweep_seconds=0)
    for _ in range(3):
        next(changes)


def test_an_error_of_a_later_run_is_told_and_that_of_the_first_is_raised() -> None:
    ends = iter([None, RagError("the folder is gone"), StoreBusy("the store is in use"), None])
    runs, told = [], []

    def run() -> None:
        runs.append(end := next(ends))
        if end is not None:
            raise end

    run_again_and_again(run, iter([None] * 4), told.append)
    assert len(runs) == 4
    assert told == ["the folder is gone; watching goes on", "the store is in use; the next run tries again"]

    def fail() -> None:
        raise RagError("no such folder")

    with pytest.raises(RagError, match="no such folder"):
        run_again_and_again(fail, iter([None] * 4), told.append)


@pytest.mark.parametrize("option", ["--dry-run", "--recalibrate", "-"])
def test_what_does_not_go_with_watching_is_refused(tmp_path: Path, option: str) -> None:
    ended = run_main("ingest", str(tmp_path), option, "--watch", "--db", str(tmp_path / "store"))
    assert (ended.returncode, "--watch cannot be combined with" in ended.stderr) == (EXIT_USAGE, True)
