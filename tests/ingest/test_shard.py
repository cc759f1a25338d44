"""Several processes, one corpus: every file in exactly one part, and deletions in one's own part only."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from argparse import ArgumentTypeError
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from commands_here import run_main
from support import (
    PATIENCE,
    PROJECT,
    hash_encoder,
    open_store,
    run_python,
    sync_with,
    visible_texts,
    write_tiny_checkpoint,
)

from ingest.ray import add_up
from ingest.shard import Shard, parse_shard, take_shard
from ingest.synchronize import Summary
from ingest.walk import LeftOut, walk
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from server import Server

    from rag.text.tokenizer import Tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty small files in two folders, and one that is skipped."""
    for number in range(40):
        path = tmp_path / "docs" / f"{number % 2}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the cat sat {number}")
    (tmp_path / "docs" / "x.xyz").touch()
    return tmp_path / "docs"


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_every_file_is_in_exactly_one_part(folder: Path, count: int) -> None:
    found = walk([str(folder)])
    parts = [take_shard(found, Shard(number, count)) for number in range(1, count + 1)]
    files = Counter(file.path for part in parts for file in part.files)
    assert files == Counter(file.path for file in found.files)
    assert sum(len(part.skipped) for part in parts) == 1
    assert [sum(part.covers(f"{folder}/gone-{n}.txt") for part in parts) for n in range(20)] == [1] * 20


def test_the_parts_are_of_about_the_same_size() -> None:
    parts = Counter(next(n for n in range(1, 5) if Shard(n, 4).holds(f"/docs/{name}.md")) for name in range(4000))
    assert all(900 < size < 1100 for size in parts.values())


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a part like 1/4 or 4/4"):
        parse_shard(text)


@pytest.mark.either_back_end
def test_runs_over_the_parts_make_the_store_of_one_run_and_delete_in_their_own_part_only(
    folder: Path, location: str, tokenizer: Tokenizer
) -> None:
    encoder, _ = hash_encoder(tokenizer)
    with open_store(location) as store:
        for number in (1, 2, 3):
            sync_with(store, encoder, take_shard(walk([str(folder)]), Shard(number, 3)))
        assert len(visible_texts(store)) == 40
        for path in folder.glob("*/*.txt"):
            path.unlink()
        deleted = [
            sync_with(store, encoder, take_shard(walk([str(folder)]), Shard(number, 3))).deleted for number in (1, 2, 3)
        ]
        assert sum(deleted) == 40
        assert min(deleted) > 0
        assert store.snapshot().documents() == []


@pytest.mark.slow
def test_processes_ingest_their_parts_side_by_side_into_one_server(
    folder: Path, server: Server, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    dsn = server.dsn(server.new_database())
    model = str(write_tiny_checkpoint(tmp_path / "tiny", tokenizer))
    assert run_main("ingest", str(folder / "0" / "0.txt"), "--db", dsn, "--model", model).returncode == 0
    writer = dsn.replace("maintainer", "writer")
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ingest",
                str(folder),
                "--db",
                writer,
                "--shard",
                f"{number}/2",
                "--model",
                model,
                "--json",
            ],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    outputs = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [error for _, error in outputs] == ["", ""]
    summaries = [json.loads(output) for output, _ in outputs]
    assert sum(summary["files"] for summary in summaries) == 40
    assert sum(summary["indexed"] for summary in summaries) == 39
    with open_store_as_reader(dsn) as store:
        assert len(visible_texts(store)) == 40
        assert store.snapshot().damaged_documents() == []


def open_store_as_reader(dsn: str) -> Store:
    return Store.open(dsn.replace("maintainer", "reader"))


def test_summaries_of_parts_are_added_up() -> None:
    parts = [
        Summary(3, 1, [LeftOut("a", "x")], [], indexed=2, deleted=0, chunks=7, seconds=2.0),
        Summary(4, 0, [], [LeftOut("b", "y")], indexed=3, deleted=1, chunks=5, seconds=1.0),
    ]
    assert add_up(parts) == Summary(7, 1, [LeftOut("a", "x")], [LeftOut("b", "y")], 5, 1, 12, 2.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ray", "2", "--shard", "1/2"], "--ray divides the files itself"),
        (["--ray", "0"], "at least 1 worker is needed"),
        (["--ray", "2", "--db", "folder"], "--ray needs a store on a server"),
        (["--shard", "3/2"], "3/2 is not a part like 1/4 or 4/4"),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder: Path, arguments: list[str], message: str) -> None:
    finished = run_main("ingest", str(folder), *arguments)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert message in finished.stderr


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed")
def test_workers_of_ray_make_the_store_of_one_run(
    folder: Path, server: Server, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    dsn = server.dsn(server.new_database())
    model = str(write_tiny_checkpoint(tmp_path / "tiny", tokenizer))
    with open_store(dsn):
        pass
    server.ask("TRUNCATE TABLE collection", dsn.rpartition("/")[2])
    assert run_python("-m", "ingest", str(folder / "0" / "0.txt"), "--db", dsn, "--model", model).returncode == 0
    finished = run_python(
        "-m", "ingest", str(folder), "--db", dsn, "--model", model, "--ray", "2", "--json", timeout=PATIENCE
    )
    assert finished.returncode == 0, finished.stderr
    summary = json.loads(finished.stdout)
    assert (summary["files"], summary["indexed"], summary["unchanged"], len(summary["skipped"])) == (40, 39, 1, 1)
    with open_store_as_reader(dsn) as store:
        assert len(visible_texts(store)) == 40
        assert store.snapshot().damaged_documents() == []
