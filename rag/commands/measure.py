"""`doctor`, `report` and `stats`: what int8 costs, and what is there."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sql.base.errors import EXIT_ERROR, EXIT_OK, UsageError
from sql.base.settings import read_settings
from sql.base.terminal import as_started, note, one_line, out, out_json, progress_bar
from sql.base.wording import counted

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from rag.evaluate.beir import EvaluationSet
    from rag.library import Library

Result = TypeVar("Result")


# A store that is filled for the purpose


def measured(location: str | None, measure: Callable[[str], Result]) -> Result:
    """What is measured on the store at a place, or without one on a temporary store."""
    if location is not None:
        return measure(location)
    with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder:
        return measure(folder)


def index_set(library: Library, folder: Path, given: EvaluationSet, *, quiet: bool, keep_floats: int = 0) -> None:
    """Puts the documents of a set into the store and shows how far it is."""
    from ingest.corpus import index_corpus
    from ingest.synchronize import prepare

    prepare(library)
    with progress_bar(quiet=quiet) as progress:
        progress.start(len(given.corpus), sum(len(document.text) for document in given.corpus))
        index_corpus(library, folder, given.corpus, progress, keep_floats=keep_floats)


# doctor


def diagnose(options: Namespace) -> int:
    """Shows which arithmetic the encoder uses on this CPU and why, what protects this machine from the files that are read,
    and whether model and store are available.
    """
    if options.user is not None:
        return diagnose_reach(options)
    if options.drift:
        return diagnose_drift(options)
    from ingest.box.protections import describe_protections
    from rag.evaluate.doctor import examine

    settings = read_settings(options.compute)
    findings = examine(settings, options.model, options.db, fresh=options.fresh)
    findings["reading"] = describe_protections()
    if options.json:
        out_json(findings)
    else:
        width = max(len(name) for name in findings)
        for name, value in findings.items():
            sentence = value["sentence"] if isinstance(value, dict) else value
            out(as_started(f"{name.replace('_', ' '):{width}}  {sentence}"))
    return EXIT_OK


def diagnose_drift(options: Namespace) -> int:
    """What `--drift` prints instead."""
    import rag.library
    from rag.evaluate.drift import drift_lines, examine_drift

    if options.sample < 1:
        raise UsageError(f"--sample {options.sample}: encode at least 1 chunk again")
    with rag.library.open(options.db, model=options.model, compute=options.compute, announce=note) as library:
        found = examine_drift(library, options.sample)
    if options.json:
        out_json(found.record())
    else:
        for line in drift_lines(found):
            out(line)
    return EXIT_OK


def diagnose_reach(options: Namespace) -> int:
    """What `--as` prints instead; the exit code 1 where the user reaches more than the documents of his groups."""
    from sql.engine.client import parse_location
    from sql.store import Store
    from sql.upkeep.reach import reach_of

    location = parse_location(options.db)
    location.require_policies()
    if options.drift:
        raise UsageError("--as and --drift look at different things: give one of them")
    with Store.open(location) as store:
        found = reach_of(options.user, store)
    if options.json:
        out_json(found.record())
    else:
        groups = ", ".join(f"{name} {count}" for name, count in found.groups.items())
        out(f"user       {found.user}, roles: {', '.join(found.roles) or 'none'}")
        out(f"documents  {found.documents} of {found.all_documents}{f' ({groups})' if groups else ''}")
        out(f"tables     {', '.join(found.guarded) or 'none'}")
        for leak in found.leaks or ("none",):
            out(f"leaks      {leak}")
    return EXIT_ERROR if found.leaks else EXIT_OK


# report


def report(options: Namespace) -> int:
    """Measures what the int8 model, the int8 vectors and the search each cost, on a store that keeps float32 vectors.

    With --ladder: what more and more bits, candidates and cells find and cost on this corpus.
    """
    if options.sample < 1:
        raise UsageError(f"--sample {options.sample}: compare at least 1 chunk")
    location = options.db if options.eval is not None else options.db or read_settings().store
    measure, show = (ladder_in, show_ladder) if options.ladder else (report_in, show_losses)
    found = measured(location, lambda location: measure(location, options))
    if options.json:
        out_json(found)
    else:
        show(found)
    return EXIT_OK


def report_in(location: str, options: Namespace) -> dict[str, Any]:
    """The losses of the store at a place, which is filled first where an evaluation set is given."""
    import rag.library
    from rag.encoder.encoder import load_float_encoder
    from rag.evaluate.beir import read_evaluation_set
    from rag.evaluate.budget import check_budget
    from rag.evaluate.report import Judged, report_losses

    judged = None
    with rag.library.open(location, write=options.eval is not None, model=options.model, announce=note) as library:
        if options.eval is not None:
            given = read_evaluation_set(Path(options.eval))
            judged = Judged(given.queries, given.qrels)
            index_set(library, Path(options.eval), given, quiet=options.json, keep_floats=1)
        encoder = library.document_encoder()
        losses = report_losses(
            library.store, encoder, lambda: load_float_encoder(library.settings, encoder), judged, options.sample
        )
        return losses | {"budget": check_budget(library.store.snapshot())}


def ladder_in(location: str, options: Namespace) -> dict[str, Any]:
    """The ladder of the store at a place, which is filled first where an evaluation set is given."""
    import rag.library
    from rag.evaluate.beir import read_evaluation_set
    from rag.evaluate.budget import check_budget
    from rag.evaluate.ladder import measure_ladder
    from rag.evaluate.report import QUESTIONS, Judged, judged_questions

    with rag.library.open(location, write=options.eval is not None, model=options.model, announce=note) as library:
        questions = []
        if options.eval is not None:
            given = read_evaluation_set(Path(options.eval))
            index_set(library, Path(options.eval), given, quiet=options.json, keep_floats=1)
            questions = judged_questions(Judged(given.queries, given.qrels), library.document_encoder(), None)
        snapshot = library.store.snapshot()
        ladder = measure_ladder(snapshot, questions, questions=min(options.sample, QUESTIONS))
        return ladder.record() | {"budget": check_budget(snapshot)}


def show_ladder(ladder: dict[str, Any]) -> None:
    """A line a rung; a dash where nothing was measured."""
    columns = {
        "recall@10": ("recall@10", "{:.2%}"),
        "of float32": ("recall@10_of_float32", "{:.2%}"),
        "nDCG kept": ("ndcg@10_kept", "{:.2%}"),
        "read": ("bytes_read", "{:,.0f} B"),
        "stored": ("bytes_stored", "{:,} B"),
        "clock": ("ms", "{:.1f} ms"),
        "CPU": ("cpu_ms", "{:.1f} ms"),
    }
    out(f"{'':26}" + "".join(f"{name:>11}" for name in columns))
    for rung in ladder["rungs"]:
        values = [(rung[name], form) for name, form in columns.values()]
        cells = ["-" if value is None else form.format(value) for value, form in values]
        out(f"{rung_name(rung):26}" + "".join(f"{cell:>11}" for cell in cells))
    out(
        f"{counted(ladder['chunks'], 'chunk')}, {counted(ladder['questions'], 'question')}, the ten nearest chunks of each; "
        "bytes for each vector"
    )
    show_budget(ladder["budget"])


def rung_name(rung: dict[str, Any]) -> str:
    """A rung with what it is set to."""
    settings = [f"{rung[name]} {name}" for name in ("candidates", "probes") if rung[name] is not None]
    return ", ".join([rung["name"], *settings])


def show_losses(losses: dict[str, Any]) -> None:
    """What each step keeps, as a table whose lines multiply to the last."""
    model, vectors, search = losses["model"], losses["vectors"], losses["search"]
    out(f"{'':16}{'kept of ' + losses['measure']:>18}   how far it is from float32")
    if model["not_measured"]:
        out(f"{'int8 model':16}{'not measured':>18}   {one_line(model['not_measured'])}")
    else:
        out(f"{'int8 model':16}{share(model['kept']):>18}   cosine {cosines(model)}")
    codes = f"{vectors['quantizer'].split()[1]} vectors"  # int8 or int4
    out(
        f"{codes:16}{share(vectors['kept']):>18}   cosine {cosines(vectors)}; error {vectors['error_mean']:.2%} of "
        f"the length, at most {vectors['error_largest']:.2%}; {vectors['saturated_share']:.3%} of the numbers saturated"
    )
    recall = next(value for name, value in search.items() if name.startswith("recall"))
    out(f"{'search':16}{share(search['kept']):>18}   finds {recall:.2%} of what the exact search finds")
    out(f"{'all together':16}{share(losses['kept']):>18}")
    out(
        f"{counted(losses['questions'], 'question')} to {losses['sampled']} of {counted(losses['chunks'], 'chunk')}, "
        f"{vectors['quantizer']}; a vector takes {vectors['code_bytes']:.0f} bytes, {vectors['float_bytes']:.0f} in float32"
    )
    show_budget(losses["budget"])


def show_budget(budget: dict[str, Any] | None) -> None:
    """Whether searches keep to the budget that they were given, where there is one, and what to do if not."""
    if budget is None:
        return
    name = rung_name({**budget, "name": budget["strategy"]})
    remedy = f"no longer holds: give `--budget {budget['budget']}` to an ingest again"
    out(
        f"budget {budget['budget']}: {name}; {budget['recall']:.2%} in {budget['milliseconds']:.1f} ms among "
        f"{counted(budget['chunks'], 'chunk')} when it was chosen, {budget['recall_now']:.2%} in "
        f"{budget['milliseconds_now']:.1f} ms among {budget['chunks_now']:,} now: {'holds' if budget['holds'] else remedy}"
    )


def share(kept: float | None) -> str:
    """A part as a percentage."""
    return "of nothing" if kept is None else f"{kept:.2%}"


def cosines(losses: dict[str, Any]) -> str:
    """Mean and least cosine to the float32 vectors."""
    return f"{losses['cosine_mean']:.5f} (least {losses['cosine_least']:.5f})"


# stats


def stats(options: Namespace) -> int:
    """Counts the rows of a store and what a vector takes, column by column."""
    from sql.store import Store
    from sql.upkeep.stats import read_stats, stats_lines, stats_record

    with Store.open(options.db) as store:
        found = read_stats(store)
    if options.json:
        out_json(stats_record(found))
    else:
        for line in stats_lines(found):
            out(line)
    return EXIT_OK
