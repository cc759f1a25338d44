"""benchmarks/experience.py: what it counts as right, on a tree of two files and with the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

KILN = "# Kiln\n\nThe kiln reaches 1240 degrees after nine hours. The door stays shut until the next morning.\n"
GLAZE = "# Glaze\n\nThe white glaze holds forty parts of feldspar. A second coat makes the white glaze run.\n"
RIGHT = {"question": "How hot does the kiln get?", "sources": ["kiln.md"], "expected": "1240\\s+degrees"}
QUESTIONS = [
    {"tree": "two files of this test"},
    RIGHT,
    RIGHT | {"expected": "1300"},
    RIGHT | {"sources": ["glaze.md"]},
    {"question": "Who won the chess championship?", "sources": ["kiln.md"], "expected": "1240"},
    {"question": "How hot does the kiln get in winter?"},
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> dict[str, Any]:
    """The record that the benchmark prints about the two files."""
    folder = tmp_path_factory.mktemp("experience")
    (folder / "tree").mkdir()
    (folder / "tree" / "kiln.md").write_text(KILN, encoding="utf-8")
    (folder / "tree" / "glaze.md").write_text(GLAZE, encoding="utf-8")
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)), encoding="utf-8")
    command = [sys.executable, str(PROJECT / "benchmarks" / "experience.py"), "questions.jsonl", "tree", "--json"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "RAG_CACHE": str(model_cache), "HF_HUB_OFFLINE": "1"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    record: dict[str, Any] = json.loads(ended.stdout)
    return record


@pytest.mark.slow
def test_a_quotation_is_right_by_its_file_and_its_pattern(report: dict[str, Any]) -> None:
    verdicts = [question["verdict"] for question in report["questions"]]
    assert verdicts == ["first", "wrong", "wrong", "none", "answered all the same"]


@pytest.mark.slow
def test_the_counts_are_those_of_the_questions(report: dict[str, Any]) -> None:
    assert report["counts"] == {
        "questions with an answer": 4,
        "right file cited": 2,
        "right sentence first": 1,
        "right sentence shown": 1,
        "wrong shown": 2,
        "none": 1,
        "questions without an answer": 1,
        "of these answered all the same": 1,
    }


@pytest.mark.slow
def test_what_was_shown_stands_with_its_file_and_line(report: dict[str, Any]) -> None:
    assert report["questions"][0]["shown"][0].startswith("kiln.md:3  The kiln reaches 1240 degrees")
