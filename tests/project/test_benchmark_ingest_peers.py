"""The benchmark of ingest beside its encoder and peers: its files are the same each time, and it runs to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import PROJECT

from ingest.readers import read_documents

if TYPE_CHECKING:
    from pathlib import Path


def test_the_files_are_the_same_on_every_run_and_of_all_formats_with_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    import ingest_files

    first, second = (ingest_files.write_files(tmp_path / name, 25_000) for name in ("first", "second"))
    assert {path.suffix for path in first} == set(ingest_files.WRITERS)
    text = {path.name: path.read_bytes() for path in first if path.suffix != ".docx"}  # a DOCX file holds the time
    assert text == {path.name: path.read_bytes() for path in second if path.suffix != ".docx"}
    name, sections = next(iter(ingest_files.documents()))
    words = sections[0].blocks[0][0].split()
    for suffix, write in ingest_files.WRITERS.items():
        (tmp_path / f"{name}{suffix}").write_bytes(write(name, sections))
        (document,) = read_documents(tmp_path / f"{name}{suffix}", name + suffix)
        assert " ".join(words) in " ".join(document.text.split())
        assert [block.heading for block in document.blocks if block.kind == "heading"][:1] == [sections[0].heading]


@pytest.mark.slow
def test_an_ingest_is_measured_at_rest_and_busy_and_a_peer_that_is_not_there_is_left_out(
    tmp_path: Path, model_cache: Path
) -> None:
    (tmp_path / "kiln.md").write_text("# Kiln\n\nThe kiln fires at 1,280 degrees.\n")
    script = str(PROJECT / "benchmarks" / "ingest.py")
    finished = subprocess.run(
        [sys.executable, script, str(tmp_path), "--rounds", "1", "--json", "--peers", sys.executable],
        env=os.environ | {"RAG_CACHE": str(model_cache), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    rest, busy = json.loads(finished.stdout)
    assert (rest["busy"], busy["busy"], rest["chunks"], busy["chunks"]) == (0, 1, 1, 1)
    for figures in (rest, busy):
        assert 0 < figures["of_the_encoder"] < 1
        assert set(figures["left_out"]) == {"langchain", "txtai", "chroma"}
