"""An evaluation in, a PNG picture of it out: measures with their intervals, risk by coverage, and what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rag.evaluate.abstention import risk_area, risk_coverage, roc_area
from rag.evaluate.metrics import mean
from rag.evaluate.model_plot import COLOURS, frame, new_figure
from rag.evaluate.resampling import LEVEL, mean_interval
from rag.evaluate.runs import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rag.evaluate.resampling import Interval
    from rag.evaluate.runs import Comparison
    from rag.evaluate.set_evaluation import SetEvaluation

SHOWN_OF_MODES = ("ndcg@10", "recall@10", "mrr@10")
SHOWN_OF_ANSWERS = ("contains_answer", "first_contains_answer", "cites_document", "f1", "abstained", "refused")
BETTER, WORSE, SAME = "#1d9a78", "#c2554d", "#8c96a3"


def write_plot(found: SetEvaluation, comparison: Comparison | None, path: Path) -> None:
    """Writes the picture of an evaluation; OSError where the file cannot be written."""
    figure = new_figure((13, 7.8), f"means with their {LEVEL:.0%} intervals, over questions")
    places = figure.subplots(2, 2).flatten()
    draw_measures(places[0], "search", mode_rows(found))
    draw_measures(places[1], "answers", answer_rows(found))
    draw_risk(places[2], found)
    if comparison is None:
        draw_queries(places[3], found)
    else:
        draw_differences(places[3], comparison)
    figure.savefig(path, format="png")


def mode_rows(found: SetEvaluation) -> list[tuple[str, float, Interval, str]]:
    """A row for each measure and mode: its name, mean, interval and colour."""
    return [
        (f"{measure}  {mode}", *mean_and_interval(found.values[mode][measure]), COLOURS[2 + number % 6])
        for measure in SHOWN_OF_MODES
        for number, mode in enumerate(found.rankings)
    ]


def answer_rows(found: SetEvaluation) -> list[tuple[str, float, Interval, str]]:
    """A row for each measure of answers."""
    values = found.values.get(ANSWERS, {})
    return [
        (name.replace("_", " "), *mean_and_interval(values[name]), COLOURS[2])
        for name in SHOWN_OF_ANSWERS
        if name in values
    ]


def mean_and_interval(values: Any) -> tuple[float, Interval]:
    """The mean over questions, and how far it may be off."""
    numbers = list(values.values())
    return mean(numbers), mean_interval(numbers)


def draw_measures(place: Any, title: str, rows: Sequence[tuple[str, float, Interval, str]]) -> None:
    """A dot for each mean on the line of its interval."""
    place.set_title(title, fontsize=11, loc="left")
    if not rows:
        nothing(place, "no known answers were given\n(answers.jsonl)")
        return
    for number, (_, middle, (low, high), colour) in enumerate(rows):
        place.plot([low, high], [number, number], color=colour, linewidth=3, alpha=0.45, solid_capstyle="round")
        place.plot(middle, number, "o", color=colour, markersize=6)
        place.annotate(
            f"{middle:.3f}", (1, number), (4, 0), ("axes fraction", "data"), "offset points", va="center", fontsize=9
        )
    place.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=9)
    place.set_ylim(len(rows) - 0.4, -0.6)
    place.set_xlim(-0.02, 1.02)
    place.grid(axis="x", color="#e4e7ea", linewidth=0.8)
    place.tick_params(axis="x", labelsize=8)
    frame(place, keep=("left", "bottom"))


def draw_risk(place: Any, found: SetEvaluation) -> None:
    """How many answers are wrong if only the most certain ones are given, and where the program stands today."""
    place.set_title("wrong answers, if only the most certain were given", fontsize=11, loc="left")
    if not found.judged:
        nothing(place, "no known answers were given\n(answers.jsonl)")
        return
    certainties = [one.certainty for one in found.judged]
    right = [one.known.answerable and one.right for one in found.judged]
    curve = risk_coverage(certainties, right)
    place.step(
        [0, *(one.coverage for one in curve)], [curve[0].risk, *(one.risk for one in curve)], where="pre",
        color=COLOURS[2], linewidth=1.6,
    )  # fmt: skip
    given = [is_right for one, is_right in zip(found.judged, right, strict=True) if one.answered]
    if given:
        share, risk = len(given) / len(right), 1 - sum(given) / len(given)
        place.plot(share, risk, "o", color=COLOURS[6], markersize=8)
        place.annotate(
            f"given today: {share:.0%},\n{risk:.0%} of them wrong", (share, risk), (-8, 10), textcoords="offset points",
            ha="right", fontsize=9,
        )  # fmt: skip
    area = roc_area(certainties, [one.known.answerable for one in found.judged])
    told = f"AURC {risk_area(curve):.3f}" + ("" if area is None else f", AUROC {area:.3f}")
    place.set_xlabel("share of questions that get an answer", fontsize=9)
    place.text(0.98, 0.04, told, ha="right", transform=place.transAxes, fontsize=9)
    place.set_xlim(0, 1.02)
    place.set_ylim(0, max(0.05, 1.08 * max(one.risk for one in curve)))
    place.tick_params(labelsize=8)
    place.grid(color="#e4e7ea", linewidth=0.8)
    frame(place, keep=("left", "bottom"))


def draw_queries(place: Any, found: SetEvaluation) -> None:
    """How nDCG@10 is distributed over the queries: the mean hides those for which nothing was found."""
    place.set_title(f"queries by nDCG@10, {found.looked_at}", fontsize=11, loc="left")
    numbers = list(found.values[found.looked_at]["ndcg@10"].values())
    counts, edges = np.histogram(numbers, bins=np.linspace(0, 1, 11))
    bars = place.bar(edges[:-1] + 0.05, counts, width=0.085, color=COLOURS[2])
    place.bar_label(bars, [str(count) if count else "" for count in counts], fontsize=8, padding=2)
    place.set_xticks(np.linspace(0, 1, 6))
    place.tick_params(labelsize=8)
    place.set_ylabel("queries", fontsize=9)
    frame(place, keep=("left", "bottom"))


def draw_differences(place: Any, comparison: Comparison) -> None:
    """What has changed since the saved run; what decides is written in bold, what is significant is coloured."""
    place.set_title(f"change since {comparison.name[-60:]}", fontsize=11, loc="left")
    shown = [
        one
        for one in comparison.differences
        if one.measure in (SHOWN_OF_ANSWERS if one.section == ANSWERS else SHOWN_OF_MODES)
    ]
    for number, one in enumerate(shown):
        colour = SAME if not one.significant else BETTER if one.difference > 0 else WORSE
        place.plot(one.interval, [number, number], color=colour, linewidth=3, alpha=0.5, solid_capstyle="round")
        place.plot(one.difference, number, "o", color=colour, markersize=6)
        p_value = one.p_value if one.adjusted is None else one.adjusted
        place.annotate(
            f"{one.difference:+.3f}  p {p_value:.2g}", (1, number), (4, 0), ("axes fraction", "data"), "offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    place.axvline(0, color="#444444", linewidth=0.8, linestyle=":")
    place.set_yticks(range(len(shown)), [f"{one.measure}  {one.section}" for one in shown], fontsize=8)
    for label, one in zip(place.get_yticklabels(), shown, strict=True):
        label.set_fontweight("bold" if one.adjusted is not None else "normal")
    place.set_ylim(len(shown) - 0.4, -0.6)
    widest = max([abs(edge) for one in shown for edge in one.interval] + [1e-3])
    place.set_xlim(-1.08 * widest, 1.08 * widest)
    place.tick_params(axis="x", labelsize=8)
    frame(place, keep=("left", "bottom"))


def nothing(place: Any, reason: str) -> None:
    """An empty place that says why."""
    place.text(0.5, 0.5, reason, ha="center", va="center", fontsize=10)
    place.set_axis_off()
