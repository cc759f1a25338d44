"""`eval` as a team uses it: a set with questions that have no answer, figures that are kept, and a run that got worse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rag.commands.command_line import command
from sql.base.errors import EXIT_ERROR, EXIT_OK, EXIT_USAGE, EXIT_WORSE
from sql.base.terminal import run_command

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = {
    "bees": "Bees make honey from nectar. A hive holds forty thousand of them in June.",
    "trains": "Trains run on steel rails. The first ones were drawn by horses.",
    "bread": "Bread is baked from flour and water. It rises for two hours.",
}
KNOWN = {
    "q1": ("What do bees make?", ["honey"], "bees"),
    "q2": ("What do trains run on?", ["steel rails"], "trains"),
    "q3": ("How long does bread rise?", ["two hours"], "bread"),
    "q4": ("Who won the chess championship of 1972?", [], ""),
}


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_set(folder: Path, known: dict[str, tuple[str, list[str], str]] = KNOWN) -> Path:
    """A set in BEIR layout whose last question the documents cannot answer."""
    (folder / "qrels").mkdir(parents=True)
    write_lines(folder / "corpus.jsonl", [{"_id": key, "title": "", "text": text} for key, text in CORPUS.items()])
    write_lines(folder / "queries.jsonl", [{"_id": key, "text": text} for key, (text, _, _) in known.items()])
    judged = [f"{key}\t{document}\t1\n" for key, (_, answers, document) in known.items() if answers]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    rows = [
        {"_id": key, "question": text, "answers": answers}
        | ({"doc_id": document} if answers else {"unanswerable": True})
        for key, (text, answers, document) in known.items()
    ]
    write_lines(folder / "answers.jsonl", rows)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A folder with a set, its store, a saved run and a picture; what the run printed is in `printed.json`."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_set(folder / "set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAG_CACHE", str(model_cache))
        printed: list[dict[str, Any]] = []
        patch.setattr("rag.commands.evaluation.out_json", printed.append)
        words = ["eval", str(folder / "set"), "--db", str(folder / "store"), "--json"]
        words += ["--save", str(folder / "first.json"), "--plot", str(folder / "figures.png"), "--worst", "2"]
        assert run_command(command, words) == EXIT_OK
    (folder / "printed.json").write_text(json.dumps(printed[0], allow_nan=False))
    return folder


def test_answers_refusals_and_citations_are_measured(place: Path) -> None:
    printed = json.loads((place / "printed.json").read_text())
    perfect = {"ndcg@10": 1.0, "recall@10": 1.0, "recall@100": 1.0, "mrr@10": 1.0}
    assert printed["modes"] == {"vector": perfect, "bm25": perfect, "hybrid": perfect}
    assert printed["queries"] == 3
    answers = printed["answers"]
    assert (answers["questions"], answers["answerable"]) == (4, 3)
    assert (answers["contains_answer"], answers["cites_document"], answers["abstained"]) == (1.0, 1.0, 0.0)
    assert answers["unanswerable"] == {"questions": 1, "abstained": 1.0}
    assert answers["citations"]["count"] >= 3
    assert (answers["citations"]["resolvable"], answers["citations"]["literal"]) == (1.0, 1.0)
    assert answers["abstention"]["auroc"] == 1.0
    assert answers["abstention"]["curve"][-1]["coverage"] == 1.0
    assert answers["abstention"]["curve"][-1]["risk"] == 0.25  # the question without an answer
    assert 0 < answers["f1_answerable"] < answers["f1"] < 1  # whole sentences; a refusal counts as 1
    assert printed["intervals"]["hybrid"]["ndcg@10"] == [1.0, 1.0]
    assert printed["worst"] == []  # nothing came out wrong


def test_the_figures_are_drawn(place: Path) -> None:
    from matplotlib.image import imread

    picture = imread(place / "figures.png")
    assert picture.shape[0] > 500
    assert picture[..., :3].std() > 0.1  # not empty


def test_a_run_is_compared_with_a_saved_one_without_indexing_again(
    place: Path, monkeypatch: pytest.MonkeyPatch, model_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(model_cache))
    saved = json.loads((place / "first.json").read_text())
    once = [name for name, values in saved["values"]["answers"]["contains_answer"].items() if values]
    assert once == ["q1", "q2", "q3"]
    monkeypatch.setattr("rag.index.pipeline.Pipeline.add", refuse)
    words = ["eval", str(place / "set"), "--db", str(place / "store"), "--against", str(place / "first.json")]
    assert run_command(command, words) == EXIT_OK
    out, _ = capsys.readouterr()
    assert "not significantly different from" in out
    assert "questions without an answer, 1: 100.0% got none" in out


def refuse(*_arguments: Any) -> None:
    raise AssertionError("a document was indexed again")


@pytest.mark.slow
def test_a_run_that_got_worse_ends_with_5_and_lists_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(model_cache))
    known = {f"q{number}": KNOWN[f"q{1 + number % 3}"] for number in range(12)}
    write_set(tmp_path / "set", known)
    store = ["--db", str(tmp_path / "store")]
    assert run_command(command, ["eval", str(tmp_path / "set"), *store, "--save", "good"]) == EXIT_OK
    monkeypatch.setattr("rag.answer.answer.DEFAULT_MIN_CONFIDENCE", 1.1)  # nothing is answered any more
    capsys.readouterr()
    words = [
        "eval",
        str(tmp_path / "set"),
        *store,
        "--against",
        "good",
        "--worst",
        "12",
        "--plot",
        str(tmp_path / "x.png"),
    ]
    assert run_command(command, words) == EXIT_WORSE
    out, _ = capsys.readouterr()
    assert "significantly worse than good: contains_answer of answers 1.0000 -> 0.0000" in out
    assert "q0, -0.500  What do bees make?\n" in out
    assert "  wrong: no answer; known: honey\n" in out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--against", "never-saved"], EXIT_ERROR, "save one with --save first"),
        (["--save", "a/b"], EXIT_USAGE, "a run is called by letters"),
        (["--worst", "0"], EXIT_USAGE, "at least 1 question"),
        (["--plot", "figures.svg"], EXIT_USAGE, "ends in .png"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(
    tmp_path: Path,
    words: list[str],
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))
    assert run_command(command, ["eval", str(tmp_path / "no set"), *words]) == code
    assert sentence in capsys.readouterr().err
