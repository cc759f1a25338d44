"""`eval`: an evaluation set in; what the search finds, what the answers are worth, and what has changed out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.commands.measure import index_set, measured
from sql.base.errors import EXIT_OK, EXIT_WORSE, UsageError
from sql.base.options import program_version
from sql.base.settings import read_settings
from sql.base.terminal import note, one_line, out, out_json, shown_name
from sql.base.wording import counted

if TYPE_CHECKING:
    from argparse import Namespace

    from rag.evaluate.runs import Run
    from rag.evaluate.set_evaluation import SetEvaluation
    from rag.library import Library
    from sql.search.request import SearchRequest


def evaluate(options: Namespace) -> int:
    """Indexes a folder in BEIR layout, measures the search on its judged queries and the answers to its questions, and
    compares them with a saved run. Exits with 5 if they are significantly worse. With --from-store the questions are made
    from the documents of a store, and what a float32 model finds counts as right.
    """
    check_options(options)
    from rag.evaluate.evaluation_plot import write_plot
    from rag.evaluate.model_plot import check_plot
    from rag.evaluate.runs import compare_runs, read_run, run_path, save_run

    cache, plot = read_settings().cache, Path(options.plot) if options.plot else None
    # What cannot be read or written is said before an hour of measuring, not after it.
    before = read_run(run_path(options.against, cache, "--against"), "--against") if options.against else None
    saved = run_path(options.save, cache, "--save") if options.save else None
    if plot is not None:
        check_plot(plot)
    found, run, more = measured_as_asked(options)
    record = found.record() | more
    comparison = None if before is None else compare_runs(options.against, before, run)
    if comparison is not None:
        record["against"] = comparison.record()
    if options.worst:
        record["worst"] = found.worst(options.worst, before)
    if saved is not None:
        save_run(run, saved)
        record["saved"] = str(saved)
    if plot is not None:
        write_plot(found, comparison, plot)
    if options.json:
        out_json(record)
    else:
        show_evaluation(record)
    return EXIT_WORSE if comparison is not None and comparison.worse else EXIT_OK


def check_options(options: Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    if options.worst is not None and options.worst < 1:
        raise UsageError(f"--worst {options.worst}: list at least 1 question")
    if (options.folder is None) != options.from_store:
        raise UsageError(
            "give a folder with judged queries, or --from-store for questions made from the store's documents"
        )
    if options.from_store and (options.compare or options.rerank or options.reader):
        raise UsageError("--from-store already compares with float32: leave out --compare, --rerank and --reader")


def measured_as_asked(options: Namespace) -> tuple[SetEvaluation, Run, dict[str, Any]]:
    """What was found, the same as it is saved, and what more is to be said of it."""
    if options.from_store:
        return evaluate_own(options)
    return (*measured(options.db, lambda location: evaluate_in(location, options)), {})


def evaluate_own(options: Namespace) -> tuple[SetEvaluation, Run, dict[str, Any]]:
    """What a store finds for questions that are made from its own documents and its query log."""
    import rag.library
    from rag.encoder.encoder import load_float_encoder
    from rag.evaluate.set_evaluation import SetEvaluation
    from rag.evaluate.store_questions import evaluate_store
    from sql.search.request import SearchRequest

    request = SearchRequest(strategy=options.strategy, candidates=options.candidates, probes=options.probes)
    with rag.library.open(
        options.db,
        model=options.model,
        compute=options.compute,
        query_prompt=options.query_prompt,
        document_prompt=options.document_prompt,
        log=False,
        announce=note,
    ) as library:
        asked = evaluate_store(library, request, lambda: load_float_encoder(library.settings, library.encoder))
        found = SetEvaluation(asked.given, asked.rankings, [])
        return found, found.run(made_with(library, request, "own documents")), {"from_store": asked.record()}


def evaluate_in(location: str, options: Namespace) -> tuple[SetEvaluation, Run]:
    """What a store at a given place finds and answers, and the same as it is saved."""
    import rag.library
    from ingest.corpus import corpus_document
    from rag.encoder.encoder import load_float_encoder
    from rag.evaluate.beir import read_answers, read_evaluation_set
    from rag.evaluate.set_evaluation import evaluate_set
    from sql.search.request import SearchRequest

    folder = Path(options.folder)
    request = SearchRequest(strategy=options.strategy, candidates=options.candidates, probes=options.probes)
    given, answers = read_evaluation_set(folder), list(read_answers(folder))
    with rag.library.open(
        location,
        write=True,
        model=options.model,
        compute=options.compute,
        query_prompt=options.query_prompt,
        document_prompt=options.document_prompt,
        rerank=options.rerank or (settings := read_settings()).rerank,
        reader=options.reader or settings.reader,
        log=False,
        announce=note,
    ) as library:
        index_set(library, folder, given, quiet=options.json)
        texts = {entry.id: corpus_document(entry).text for entry in given.corpus}
        floats = None
        if options.compare == "fp32":
            floats = lambda: load_float_encoder(library.settings, library.encoder)  # noqa: E731
        found = evaluate_set(library, given, answers, request, texts, floats)
        return found, found.run(made_with(library, request, folder.name))


def made_with(library: Library, request: SearchRequest, name: str) -> dict[str, Any]:
    """What else may explain a difference between two runs."""
    encoder = library.encoder.identity
    return {
        "version": program_version(),
        "set": name,
        "model": encoder.model,
        "weights": encoder.weights,
        "quantizer": collection.quantizer if (collection := library.store.collection()) else "",
        "strategy": request.strategy,
        "candidates": request.candidates,
        "probes": request.probes,
        "rerank": library.rerank,
        "reader": library.reader,
    }


def show_evaluation(result: dict[str, Any]) -> None:
    """The measures as a table, how much of the float32 model int8 keeps, how sure all of it is, and what came out worst."""
    modes, intervals = result["modes"], result["intervals"]
    names = list(next(iter(modes.values())))
    out(f"{'mode':14}" + "".join(f"{name:>12}" for name in names))
    for mode, measures in modes.items():
        out(f"{mode:14}" + "".join(f"{measures[name]:12.4f}" for name in names))
    if "vector-fp32" in modes and all(modes["vector-fp32"].values()):
        kept = {name: modes["vector"][name] / modes["vector-fp32"][name] for name in names}
        out(f"{'kept by int8':14}" + "".join(f"{kept[name]:12.2%}" for name in names))
    bounds = ", ".join(f"{mode} {between(intervals[mode]['ndcg@10'])}" for mode in modes)
    if own := result.get("from_store"):
        kinds = ", ".join(f"{count} {kind}" for kind, count in own["questions"].items())
        out(f"questions: {kinds}; relevant are the 10 chunks of {own['chunks']} that float32 finds")
    queries = f"{result['queries']:,} {'query' if result['queries'] == 1 else 'queries'}"
    out(f"{queries}; ndcg@10 lies between, with {intervals['level']:.0%}: {bounds}")
    if answers := result.get("answers"):
        show_answers(answers, intervals["answers"])
    for one in result.get("worst", []):
        show_question(one)
    if against := result.get("against"):
        show_comparison(against)
    if "saved" in result:
        note(f"saved as {shown_name(result['saved'])}")


def between(interval: list[float], form: str = ".4f") -> str:
    """An interval in words."""
    return f"{interval[0]:{form}} to {interval[1]:{form}}"


def show_answers(answers: dict[str, Any], intervals: dict[str, list[float]]) -> None:
    """What answers are worth, a line for each thing that can be said of them."""
    citations, abstention = answers["citations"], answers["abstention"]
    contained = f" ({between(intervals['contains_answer'], '.1%')})" if "contains_answer" in intervals else ""
    out(
        f"answers to {counted(answers['answerable'], 'question')}: {answers['contains_answer']:.1%}{contained} hold a known "
        f"answer, {answers['cites_document']:.1%} cite its document, {answers['abstained']:.1%} found none"
    )
    out(
        f"  {answers['first_contains_answer']:.1%} hold it in the first of {answers['sentences']:.2f} sentences; exact match "
        f"{answers['exact_answerable']:.1%}, F1 {answers['f1_answerable']:.1%}"
    )
    if none := answers.get("unanswerable"):
        out(
            f"questions without an answer, {none['questions']}: {none['abstained']:.1%} got none; over all, exact match "
            f"{answers['exact']:.1%}, F1 {answers['f1']:.1%}"
        )
    if citations["count"]:
        useful = "" if citations["holds_answer"] is None else f", {citations['holds_answer']:.1%} hold a known answer"
        out(
            f"citations, {citations['count']}: {citations['resolvable']:.2%} lead to their document, "
            f"{citations['literal']:.2%} stand there word for word{useful}"
        )
    area = abstention["auroc"]
    told = (
        ""
        if area is None
        else f"with an answer and without are told apart: area {area:.3f} ({between(intervals['auroc'], '.3f')}); "
    )
    error = abstention["calibration_error"]
    off = "" if error is None else f", off by {error:.3f} on average where an answer is given"
    out(f"confidence: {told}mean risk over all coverages {abstention['aurc']:.3f}{off}")


def show_question(one: dict[str, Any]) -> None:
    """A question that came out badly: what was wanted, and what came instead."""
    change = f", {one['change']:+.3f}" if "change" in one else ""
    out()
    out(f"{one_line(one['id'])}{change}  {one_line(one['question'])}")
    if "relevant" in one:
        rank = f"at rank {one['best_rank']}" if one["best_rank"] else "not found"
        wanted = ", ".join(map(one_line, one["relevant"][:3]))
        first = one_line(one["found_first"] or "nothing")
        out(f"  ndcg@10 {one['ndcg@10']:.3f}: {wanted} {rank}, first {first}")
    if "answer" in one:
        expected = " / ".join(map(one_line, one["known_answers"][:3])) or "no answer"
        out(
            f"  {'right' if one['right'] else 'wrong'}: {one_line(one['answer'])[:200] or 'no answer'}; known: {expected}"
        )


def show_comparison(against: dict[str, Any]) -> None:
    """A run against a saved one: the measures that decide, and the verdict."""
    out()
    for one in against["differences"]:
        if one["p_adjusted"] is not None:
            out(
                f"{one['section']:14}{one['measure']:>16} {one['before']:8.4f} -> {one['now']:.4f}   {one['difference']:+.4f} "
                f"({between(one['interval'], '+.4f')})   p = {one['p_adjusted']:.2g}"
            )
    if against["questions_of_one_only"]:
        one_only = against["questions_of_one_only"]
        verbs = ("is", "was") if one_only == 1 else ("are", "were")
        note(f"{counted(one_only, 'question')} {verbs[0]} in one of the two runs only and {verbs[1]} left out")
    out(one_line(against["sentence"]))
