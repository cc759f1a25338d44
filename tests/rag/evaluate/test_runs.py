"""Saved runs: what is kept is read again, what is no run is refused, and a comparison is one of the same questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.evaluate.beir import KnownAnswer, Query
from rag.evaluate.runs import Run, RunError, compare_runs, question_digests, read_run, run_path, save_run
from sql.base.errors import UsageError

QUESTIONS = {f"q{number}": "same" for number in range(20)}


def run_with(ndcg: float, *, refused: float | None = None, questions: dict[str, str] = QUESTIONS) -> Run:
    values = {"hybrid": {"ndcg@10": dict.fromkeys(questions, ndcg), "mrr@10": dict.fromkeys(questions, 0.5)}}
    if refused is not None:
        values["answers"] = {"refused": dict.fromkeys(questions, refused)}
    return Run(values, questions, {"model": "m"})


def test_a_saved_run_is_read_as_it_was(tmp_path: Path) -> None:
    path = run_path("before", tmp_path, "--save")
    save_run(run_with(0.5), path)
    save_run(run_with(0.75), path)  # in its place
    assert read_run(path, "--against") == run_with(0.75)
    assert [one.name for one in path.parent.iterdir()] == ["before.json"]


def test_a_run_lies_in_the_cache_or_where_a_path_says(tmp_path: Path) -> None:
    assert run_path("main.2", tmp_path, "--save") == tmp_path / "runs" / "main.2.json"
    assert run_path("quality/main.json", tmp_path, "--save") == Path("quality/main.json")
    for name in ("", "../up", "a/b", ".hidden", "x" * 200):
        with pytest.raises(UsageError, match="a run is called by letters"):
            run_path(name, tmp_path, "--save")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no saved run"),
        ("[]", "does not say that its form is 1"),
        ('{"form": 2}', "does not say that its form is 1"),
        ('{"form": 1, "values": {}}', "is missing"),
        ('{"form": 1, "values": {"hybrid": {"ndcg@10": {"q1": "x"}}}, "questions": {}, "made_with": {}}', "no numbers"),
        ('{"form": 1, "values": {"hybrid": 3}, "questions": {}, "made_with": {}}', "no numbers"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(RunError, match=message):
        read_run(tmp_path / "x.json", "--against")


def test_a_run_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    save_run(run_with(0.5), run_path("monday", tmp_path, "--save"))
    with pytest.raises(RunError, match=r"there is no run .*tuesday\.json; .*\(monday\)"):
        read_run(run_path("tuesday", tmp_path, "--against"), "--against")


def test_a_run_that_cannot_be_written_is_an_error_of_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be saved"):
        save_run(run_with(0.5), tmp_path / "file" / "x.json")


def test_a_fall_of_all_questions_is_significantly_worse_and_a_rise_is_better() -> None:
    worse = compare_runs("monday", run_with(0.75), run_with(0.5))
    assert worse.worse
    assert worse.sentence.startswith("significantly worse than monday: ndcg@10 of hybrid 0.7500 -> 0.5000 (-0.2500")
    better = compare_runs("monday", run_with(0.5), run_with(0.75))
    assert not better.worse
    assert better.sentence.startswith("significantly better than monday")
    same = compare_runs("monday", run_with(0.5), run_with(0.5))
    assert not same.worse
    assert same.sentence.startswith("not significantly different from monday")


def test_one_thing_that_got_worse_is_not_made_good_by_another_that_got_better() -> None:
    found = compare_runs("monday", run_with(0.5, refused=1.0), run_with(0.9, refused=0.0))
    assert found.worse
    assert "refused of answers" in found.sentence
    assert "ndcg@10" not in found.sentence


def test_a_measure_that_does_not_decide_is_shown_and_decides_nothing() -> None:
    before, now = run_with(0.5), run_with(0.5)
    now.values["hybrid"]["mrr@10"].update(dict.fromkeys(QUESTIONS, 0.1))  # type: ignore[attr-defined]
    found = compare_runs("monday", before, now)
    assert not found.worse
    (mrr,) = [one for one in found.differences if one.measure == "mrr@10"]
    assert mrr.difference == pytest.approx(-0.4)
    assert (mrr.p_value < 0.01, mrr.adjusted) == (True, None)


def test_only_questions_that_stayed_the_same_are_compared() -> None:
    before = run_with(1.0, questions={"q1": "as it was", "q2": "same", "q3": "same"})
    now = run_with(0.0, questions={"q1": "changed", "q2": "same", "q4": "same"})
    found = compare_runs("monday", before, now)
    assert (found.shared, found.only_one) == (1, 4)
    assert {one.questions for one in found.differences} == {1}
    assert not found.worse  # one question shows nothing
    with pytest.raises(RunError, match="saved from another set"):
        compare_runs("monday", run_with(1.0, questions={"q1": "other"}), now)


def test_a_digest_changes_with_text_grade_and_answer() -> None:
    def digests(text: str, grade: int, answer: str) -> dict[str, str]:
        return question_digests([Query("q1", text)], {"q1": {"d1": grade}}, [KnownAnswer("q1", text, (answer,), "d1")])

    first = digests("tea?", 1, "green")
    assert first == digests("tea?", 1, "green")
    assert len({one["q1"] for one in (first, digests("tee?", 1, "green"), digests("tea?", 2, "green"))}) == 3
    assert digests("tea?", 1, "black") != first
