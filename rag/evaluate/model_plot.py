"""A model report in, a PNG picture of it out: sizes, speed and quality side by side. The one door to matplotlib."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sql.base.errors import RagError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rag.evaluate.model_report import Figures, ModelReport

COLOURS = ("#8c96a3", "#c9a66b", "#2f6fa5", "#7fb0d8", "#1d9a78", "#9a5ba5", "#c2554d", "#5c7f3d")  # a form has one
MEGA = 1_000_000


def check_plot(path: Path) -> None:
    """Raises what `write_plot` would raise before anything has been measured.

    UsageError for a name that does not end in .png or a folder that is missing; RagError without matplotlib.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"--plot {path}: the picture is a PNG, give a name that ends in .png")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}, create it first")
    if find_spec("matplotlib") is None:
        raise RagError("--plot needs matplotlib, which is not installed: `pip install matplotlib`, or leave --plot out")


def write_plot(report: ModelReport, path: Path) -> None:
    """Writes the picture of a report; OSError where the file cannot be written."""
    figure = new_figure((13, 7.2), f"{report.model}\nwhat each form takes, and what it gives")
    places = figure.subplots(2, 3).flatten()
    rows = [row for row in report.forms if not row.missing]
    draw_bars(places[0], "on disk, MB", rows, [mega(row.disk_bytes) for row in rows], "{:.1f}")
    draw_bars(
        places[1],
        "memory while encoding, MB",
        rows,
        [mega(row.memory.encoding if row.memory else None) for row in rows],
        "{:.0f}",
    )
    draw_bars(places[2], "tokens a second, passages", rows, [row.tokens_per_second for row in rows], "{:,.0f}")
    draw_bars(
        places[3],
        "one short query, ms",
        rows,
        [row.query_seconds and 1000 * row.query_seconds for row in rows],
        "{:.2f}",
    )
    draw_cosines(places[4], rows)
    draw_kept(places[5], rows)
    figure.savefig(path, format="png")


def new_figure(inches: tuple[float, float], title: str) -> Any:
    """An empty figure of that size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # draws into memory: needs no screen
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    return figure


def draw_bars(place: Any, title: str, rows: Sequence[Figures], values: Sequence[float | None], form: str) -> None:
    """One horizontal bar a form, its value written beside it; nothing where it was not measured."""
    place.set_title(title, fontsize=11, loc="left")
    known = [value or 0.0 for value in values]
    bars = place.barh(range(len(rows)), known, color=colours(rows), height=0.62)
    labels = ["not measured" if value is None else form.format(value) for value in values]
    place.bar_label(bars, labels, padding=4, fontsize=9)
    name_rows(place, rows)
    place.set_xlim(0, 1.25 * max([*known, 1e-9]))
    place.xaxis.set_visible(False)
    frame(place, keep=("left",))


def draw_cosines(place: Any, rows: Sequence[Figures]) -> None:
    """How far each form's vectors are from float32's: a line from the least cosine to the mean one."""
    place.set_title("cosine to float32: least, and mean", fontsize=11, loc="left")
    for number, (row, colour) in enumerate(zip(rows, colours(rows), strict=True)):
        if row.cosine_mean is None or row.cosine_min is None:
            continue
        place.plot([row.cosine_min, row.cosine_mean], [number, number], color=colour, linewidth=3, alpha=0.5)
        place.plot(row.cosine_min, number, "|", color=colour, markersize=13, markeredgewidth=2.5)
        place.plot(row.cosine_mean, number, "o", color=colour, markersize=7)
        text = f"{row.cosine_min:.4f}, {row.cosine_mean:.4f}"
        place.annotate(text, (1, number), (4, 0), ("axes fraction", "data"), "offset points", va="center", fontsize=9)
    least = min([row.cosine_min for row in rows if row.cosine_min is not None], default=0.9)
    place.set_xlim(least - 0.05 * (1 - least) - 1e-4, 1 + 0.04 * (1 - least) + 1e-4)
    place.ticklabel_format(useOffset=False)
    place.tick_params(axis="x", labelsize=8)
    place.locator_params(axis="x", nbins=5)
    name_rows(place, rows)
    frame(place, keep=("left", "bottom"))


def draw_kept(place: Any, rows: Sequence[Figures]) -> None:
    """The share of float32's nDCG@10 that each form keeps, a group of bars for each set."""
    place.set_title("nDCG@10 kept, % of float32", fontsize=11, loc="left")
    forms = [(row, colour) for row, colour in zip(rows, colours(rows), strict=True) if row.kept]
    if not forms:
        place.text(0.5, 0.5, "no judged queries were given\n(--eval DIR)", ha="center", va="center", fontsize=10)
        place.set_axis_off()
        return
    sets, thick = list(forms[0][0].kept or {}), 0.8 / len(forms)
    shares = [[100 * (row.kept or {})[name] for name in sets] for row, _ in forms]
    for number, (values, (_, colour)) in enumerate(zip(shares, forms, strict=True)):
        middles = [group + (number - (len(forms) - 1) / 2) * thick for group in range(len(sets))]
        bars = place.barh(middles, values, color=colour, height=0.9 * thick)
        place.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, fontsize=8)
    values = [value for form in shares for value in form]
    # The bars would all look alike from 0 on; where the axis begins is written below it.
    first = min(99.0, min(values) - 0.25 * (max(values) - min(values))) - 0.5
    place.set_xlim(first, max(values) + 0.14 * (max(values) - first))
    place.set_yticks(range(len(sets)), [name.rstrip("/").rsplit("/", 1)[-1] for name in sets], fontsize=9)
    place.invert_yaxis()
    place.axvline(100, color="#444444", linewidth=0.8, linestyle=":")
    place.tick_params(axis="x", labelsize=8)
    place.set_xlabel(f"the axis begins at {first:.1f}", fontsize=8)
    frame(place, keep=("left", "bottom"))


def name_rows(place: Any, rows: Sequence[Figures]) -> None:
    """The forms' names, the first one on top."""
    place.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=9)
    place.set_ylim(len(rows) - 0.4, -0.6)


def frame(place: Any, keep: Sequence[str]) -> None:
    """Leaves the named sides of the frame."""
    for side in ("left", "right", "top", "bottom"):
        place.spines[side].set_visible(side in keep)


def colours(rows: Sequence[Figures]) -> list[str]:
    """A colour for each form."""
    return [COLOURS[number % len(COLOURS)] for number in range(len(rows))]


def mega(size: int | None) -> float | None:
    """Bytes as MB of 1,000,000 bytes."""
    return None if size is None else size / MEGA
