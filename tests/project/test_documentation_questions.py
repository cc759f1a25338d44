"""benchmarks/documentation and benchmarks/encyclopedia: what each file of questions says, and trees as they are unpacked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

BENCHMARKS = PROJECT / "benchmarks"
FILES = sorted((BENCHMARKS / "documentation").glob("*.jsonl"))
WRITTEN = sorted((BENCHMARKS / "encyclopedia").glob("*.jsonl"))


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def unpack(folder: Path, commit: str, paths: list[str]) -> subprocess.CompletedProcess[bytes]:
    """What came of unpacking a commit of folder/clones/some+project as folder/trees/kiln."""
    script = (
        "import documentation_trees as trees, pathlib\n"
        f"tree = {{'project': 'some/project', 'commit': {commit!r}, 'paths': {paths!r}}}\n"
        "trees.unpack(tree, pathlib.Path('clones'), pathlib.Path('trees/kiln'))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PYTHONPATH": str(BENCHMARKS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_question_says_which_files_answer_it_and_how_a_right_sentence_reads_or_that_none_does(path: Path) -> None:
    about, *questions = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert set(about) == {"tree", "project", "commit", "licence", "paths"}
    assert re.fullmatch("[0-9a-f]{40}", about["commit"])
    assert len({one["question"] for one in questions}) == len(questions)
    answered = [one for one in questions if "sources" in one]
    assert len(answered) >= 40
    assert len(questions) - len(answered) >= 12
    for one in answered:
        assert one["sources"]
        assert re.compile(one["expected"]).search("") is None
    assert all(set(one) == {"question"} for one in questions if one not in answered)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_every_further_question_says_where_its_answer_begins_and_ends_and_copies_nothing(path: Path) -> None:
    questions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(questions) > 900
    assert len({one["question"] for one in questions}) > len(questions) - 5
    for one in questions:
        assert set(one) == {"doc_id", "question", "answer"}
        start, end = one["answer"]
        assert 0 <= start < end
    corpus = PROJECT.parent / "shared" / "eval" / path.stem / "corpus.jsonl"
    if not corpus.exists():
        pytest.skip(f"{corpus} is not there")
    documents = (json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines())
    texts = {one["_id"]: one["text"] for one in documents}
    for one in questions:
        answer = texts[one["doc_id"]][slice(*one["answer"])]
        assert answer.strip() == answer
        assert answer


def test_a_failed_clone_leaves_no_tree_that_looks_unpacked(tmp_path: Path) -> None:
    (tmp_path / "clones" / "some+project").mkdir(parents=True)
    ended = unpack(tmp_path, "a" * 40, ["docs"])
    assert ended.returncode != 0
    assert not (tmp_path / "trees" / "kiln").exists()


def test_a_tree_is_unpacked_as_its_commit_and_its_paths_say(tmp_path: Path) -> None:
    clone = tmp_path / "clones" / "some+project"
    (clone / "docs" / "man").mkdir(parents=True)
    git(clone, "init", "--quiet")
    (clone / "docs" / "kiln.md").write_text("The kiln is hot.", encoding="utf-8")
    (clone / "docs" / "man" / "kiln.1").write_text("kiln", encoding="utf-8")
    (clone / "code.py").write_text("", encoding="utf-8")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "first")
    commit = git(clone, "rev-parse", "HEAD")
    (clone / "docs" / "kiln.md").write_text("The kiln is cold.", encoding="utf-8")
    git(clone, "commit", "--quiet", "-am", "second")
    assert unpack(tmp_path, commit, ["docs", ":!docs/man"]).returncode == 0
    unpacked = [path for path in (tmp_path / "trees" / "kiln").rglob("*") if path.is_file()]
    assert [path.read_text(encoding="utf-8") for path in unpacked] == ["The kiln is hot."]
