"""`model`: checkpoints fetched, measured, quantized by other recipes, and trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sql.base.errors import EXIT_OK, UsageError
from sql.base.paths import expand_user
from sql.base.settings import read_settings
from sql.base.terminal import note, one_line, out, out_json, shown_name, step_progress
from sql.base.wording import counted

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from rag.encoder.convert import Recipe
    from rag.encoder.encoder import Encoder
    from rag.encoder.weights import FloatModel
    from rag.evaluate.head_report import HeadReport
    from rag.evaluate.model_report import Figures, JudgedSet, ModelReport
    from rag.train.heads import HeadSummary
    from rag.train.pairs import Passage
    from rag.train.training import TrainingOptions, TrainingSummary


def fetch_model(options: Namespace) -> int:
    """Makes sure that the int8 checkpoint of a model is in the cache, downloading its float weights if need be."""
    return show_checkpoint(options, fetch=True)


def show_model_path(options: Namespace) -> int:
    """Prints the folder with the int8 checkpoint of a model: what has to be copied to a machine without a network."""
    return show_checkpoint(options, fetch=False)


def show_checkpoint(options: Namespace, *, fetch: bool) -> int:
    """Prints the folder with a model's checkpoint, made first where it is missing; `fetch` also asks pip for weights."""
    from rag.encoder.checkpoint import read_checkpoint
    from rag.encoder.encoder import check_task, checkpoint_folder, choose_model

    settings, (model, task) = read_settings(), headed_model(options)
    model = model or choose_model(settings, options.model)
    folder = checkpoint_folder(settings, model, task=task, fetch=fetch, announce=note)
    if task is not None:  # what lies there may be of another kind
        check_task(read_checkpoint(folder).config, task)
    out(str(folder))
    return EXIT_OK


def headed_model(options: Namespace) -> tuple[str | None, str | None]:
    """The cross-encoder or reader that the options name, with what its head does; two Nones for an encoder."""
    from rag.encoder.heads import READ, RERANK

    named = [("--model", options.model), ("--rerank", options.rerank), ("--reader", options.reader)]
    given = [option for option, model in named if model]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: name one model at a time")
    if options.rerank:
        return options.rerank, RERANK
    return (options.reader, READ) if options.reader else (None, None)


def report_model(options: Namespace) -> int:
    """Measures a model in float32, after torch's quantize_dynamic and in each int8 form: size, memory, speed, quality.

    Of a cross-encoder or a reader: in float32 and int8, what changes in the order of passages or in what is marked.
    """
    model, task = headed_model(options)
    if model is not None and task is not None:
        return report_head(options, model, task)
    plot = Path(options.plot) if options.plot else None
    if plot is not None:
        from rag.evaluate.model_plot import check_plot, write_plot

        check_plot(plot)
    from rag.encoder.encoder import choose_model, load_encoder
    from rag.evaluate.model_report import measure_model, report_record

    settings = read_settings()
    model = choose_model(settings, options.model)
    encoder = load_encoder(settings, model, announce=note)
    sets = [read_judged_set(folder, encoder) for folder in options.eval]
    report = measure_model(settings, model, sets, architecture=options.architecture != "none", announce=note)
    if plot is not None:
        write_plot(report, plot)
    if options.json:
        out_json(report_record(report))
    else:
        show_report(report)
    return EXIT_OK


def report_head(options: Namespace, model: str, task: str) -> int:
    """Measures a cross-encoder or a reader."""
    from rag.encoder.encoder import choose_model, load_encoder
    from rag.encoder.heads import RERANK
    from rag.evaluate.beir import read_answers
    from rag.evaluate.head_report import answered_questions, judged_questions, measure_head

    if options.plot:
        raise UsageError("--plot draws the figures of an encoder: leave it out for a cross-encoder or a reader")
    settings, asked = read_settings(), []
    if options.eval:
        encoder = load_encoder(settings, choose_model(settings, None), announce=note)
    for folder in options.eval:
        judged = read_judged_set(folder, encoder)
        if task == RERANK:
            asked += judged_questions(judged, encoder)
        else:
            asked += answered_questions(judged.passages, list(read_answers(Path(folder))))
    report = measure_head(settings, model, task, asked, announce=note)
    if options.json:
        out_json(report.record())
    else:
        show_head_report(report)
    return EXIT_OK


def show_head_report(report: HeadReport) -> None:
    """The figures of a cross-encoder or a reader as a table: a row for each form, a dash where nothing was measured."""
    columns = {
        "disk MB": ("disk_bytes", 1e-6, ".1f"),
        "weights MB": ("weights_bytes", 1e-6, ".1f"),
        "ms": ("milliseconds", 1, ".1f"),
        "tokens/s": ("tokens_per_second", 1, ".0f"),
        "corr.": ("correlation", 1, ".5f"),
        "ranks": ("ranks_changed", 1, ".2f"),
        "first kept": ("first_kept", 1, ".1%"),
        "spans kept": ("spans_kept", 1, ".1%"),
        "decided alike": ("decisions_kept", 1, ".1%"),
        report.measure: ("quality", 1, ".4f"),
        "kept": ("kept", 1, ".2%"),
    }
    shown = {
        title: column
        for title, column in columns.items()
        if any(getattr(row, column[0]) is not None for row in report.forms)
    }
    pairs, questions = counted(report.pairs, "pair"), counted(report.questions, "question")
    out(f"{one_line(report.model)}: {pairs}, {report.tokens} tokens; {questions} compared")
    out(f"{'form':12}" + "".join(f"{title:>14}" for title in shown))
    for row in report.forms:
        values = [(getattr(row, name), factor, form) for name, factor, form in shown.values()]
        cells = ["-" if value is None else format(factor * value, form) for value, factor, form in values]
        out(f"{row.name:12}" + "".join(f"{cell:>14}" for cell in cells))


def read_judged_set(folder: str, encoder: Encoder) -> JudgedSet:
    """An evaluation set whose documents are cut as they are for a store."""
    from ingest.corpus import corpus_document
    from ingest.cutting import split
    from rag.evaluate.beir import read_evaluation_set
    from rag.evaluate.model_report import JudgedSet
    from sql.records.chunking import ChunkSettings

    given = read_evaluation_set(Path(folder))
    passages = [
        (entry.id, chunk.text)
        for entry in given.corpus
        for chunk in split(corpus_document(entry), encoder, ChunkSettings())
    ]
    return JudgedSet(folder, passages, given.queries, given.qrels)


def show_report(report: ModelReport) -> None:
    """The figures as tables: a row for each form, then nDCG@10, then the sizes of an architecture."""
    out(
        f"{report.model}: {counted(report.passages, 'passage')}, {report.tokens} tokens, {counted(report.threads, 'thread')}"
    )
    out(f"tokenizer: {report.tokenizer['used']}; {report.tokenizer['note']}")
    titles = ("disk MB", "weights MB", "encoding MB", "tokens/s", "times", "query ms", "cos mean", "cos min")
    out(f"{'form':17}" + "".join(f"{title:>12}" for title in titles))
    for row in report.forms:
        cells = report_cells(row, report.forms[0])
        out(f"{row.name:17}" + (row.missing or "".join(f"{cell:>12}" for cell in cells)))
    if sets := list(report.forms[0].ndcg or {}):
        out(f"{'ndcg@10 (kept)':17}" + "".join(f"  {name.rstrip('/').rsplit('/', 1)[-1]:>18}" for name in sets))
        for row in report.forms:
            if row.ndcg and row.kept:
                out(f"{row.name:17}" + "".join(f"{row.ndcg[name]:10.4f}  {row.kept[name]:8.2%}" for name in sets))
    if report.architecture:
        from rag.evaluate.model_report import ARCHITECTURE

        sizes = (
            f"{form} {'-' if size is None else f'{size / 1e6:.1f} MB'}" for form, size in report.architecture.items()
        )
        out(f"{ARCHITECTURE} on disk, drawn weights: {', '.join(sizes)}")


def report_cells(row: Figures, first: Figures) -> list[str]:
    """A form's figures as text; `-` where one is not known."""
    from rag.evaluate.model_report import speedup

    memory, times = row.memory, speedup(row, first)

    def cell(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    def mega(size: int | None) -> str:
        return cell(None if size is None else size / 1e6, ".1f")

    return [
        mega(row.disk_bytes),
        mega(memory.weights if memory else None),
        mega(memory.encoding if memory else None),
        cell(row.tokens_per_second, ".0f"),
        cell(times, ".2f"),
        cell(None if row.query_seconds is None else 1000 * row.query_seconds, ".2f"),
        cell(row.cosine_mean, ".5f"),
        cell(row.cosine_min, ".5f"),
    ]


def requantize(options: Namespace) -> int:
    """Quantizes a model by a recipe of one's own, after training, and writes its checkpoint to a folder."""
    from rag.encoder.checkpoint import WEIGHTS_FILE
    from rag.encoder.encoder import choose_model
    from rag.encoder.weights import float_model
    from rag.train.export import check_target, quantize_to

    settings, folder = read_settings(), Path(options.out)
    check_target(folder)
    recipe = recipe_of(options)
    with float_model(choose_model(settings, options.model), offline=settings.offline) as model:
        texts = [passage.text for passage in passages_to_learn(options.calibrate, model)] if options.calibrate else []
        checkpoint = quantize_to(folder, model, recipe, texts)
    if checkpoint.config.tokenizer_warning:
        note(checkpoint.config.tokenizer_warning)
    if options.json:
        size = (folder / WEIGHTS_FILE).stat().st_size
        out_json({"folder": str(folder), "weights": checkpoint.config.weights, "bytes": size})
    else:
        out(str(folder))
    return EXIT_OK


def train_model(options: Namespace) -> int:
    """Trains a model and writes its checkpoint to a folder: for its own quantization, on documents without labels, or to
    read or rerank, on judged questions.
    """
    from dataclasses import asdict

    from rag.encoder.encoder import choose_model
    from rag.encoder.weights import float_model
    from rag.train.export import check_target

    settings, folder = read_settings(), Path(options.out)
    check_kind_of_training(options)
    check_target(folder)
    with float_model(choose_model(settings, options.model), offline=settings.offline) as model:
        try:
            summary = train_encoder(model, folder, options) if options.qat else train_to_judge(model, folder, options)
        except KeyboardInterrupt:
            note("the same command continues from the last saved step")
            raise
    if options.json:
        out_json(asdict(summary))
    else:
        show_training(summary)
    return EXIT_OK


def check_kind_of_training(options: Namespace) -> None:
    """Raises UsageError for options of another kind of training than the one that was asked for."""
    if options.qat and not options.paths:
        raise UsageError("--qat learns from documents: give at least one PATH")
    if not options.qat and (options.paths or options.objective):
        given = options.paths[0] if options.paths else f"--objective {options.objective}"
        raise UsageError(f"--reader and --rerank learn from their FILE alone: leave out {given}")


def train_encoder(model: FloatModel, folder: Path, options: Namespace) -> TrainingSummary:
    """What `--qat` does."""
    from rag.train.training import choose_device, train

    training = training_options(options, options.objective or "distill", max_tokens=128)
    choose_device(options.device)
    passages = passages_to_learn(options.paths, model)
    with step_progress(quiet=options.json) as progress:
        return train(model, passages, folder, training, device=options.device, announce=note, progress=progress)


def train_to_judge(model: FloatModel, folder: Path, options: Namespace) -> HeadSummary:
    """What `--reader` and `--rerank` do."""
    from rag.train.heads import train_head
    from rag.train.labelled import read_judged_pairs, read_squad

    objective = "read" if options.reader else "rerank"
    training = training_options(options, objective, max_tokens=256)
    read = read_squad if options.reader else read_judged_pairs
    examples = read(expand_user(options.reader or options.rerank, f"--{'reader' if options.reader else 'rerank'}"))
    with step_progress(quiet=options.json) as progress:
        return train_head(model, examples, folder, training, device=options.device, announce=note, progress=progress)


def training_options(options: Namespace, objective: str, *, max_tokens: int) -> TrainingOptions:
    """How to train, as the command line says; RagError where that cannot be."""
    from rag.train.training import TrainingOptions

    return TrainingOptions(
        recipe=recipe_of(options),
        objective=objective,
        steps=options.steps,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        max_tokens=max_tokens if options.max_tokens is None else options.max_tokens,
    )


def passages_to_learn(paths: Sequence[str], model: FloatModel) -> list[Passage]:
    """The passages below paths; what could not be read is said on stderr."""
    from ingest.passages import read_passages
    from rag.encoder.distilbert import model_tokenizer

    found = read_passages(paths, model_tokenizer(model))
    for left_out in found.failed:
        note(f"failed {shown_name(left_out.path)}: {one_line(left_out.reason)}")
    return found.passages


def recipe_of(options: Namespace) -> Recipe:
    """The recipe for a linear layer's weights that the options name."""
    from rag.encoder.convert import Recipe

    return Recipe(weights=options.weights, bits=options.bits, ranges=options.ranges)


def show_training(summary: TrainingSummary | HeadSummary) -> None:
    """What a run did, in a few lines."""
    from rag.train.training import TrainingSummary

    out(f"{summary.folder}: {summary.weights}, {summary.bytes / 1e6:.1f} MB")
    what = (
        counted(summary.texts, "text")
        if isinstance(summary, TrainingSummary)
        else counted(summary.examples, "question")
    )
    out(
        f"{summary.steps} steps on {what} in {summary.seconds:.0f} s on {summary.device}, "
        f"loss {summary.first_loss:.5f} at first, {summary.last_loss:.5f} at last"
    )
    if not isinstance(summary, TrainingSummary):
        show_head(summary)
    elif summary.cosine_before is not None and summary.cosine_after is not None:
        out(
            f"cosine to float32 on {summary.held_out} passages kept back: {summary.cosine_after:.4f}, "
            f"without training {summary.cosine_before:.4f}"
        )


def show_head(summary: HeadSummary) -> None:
    """What a trained head does on the questions that were kept back, and how to use it."""
    names = {"auc": "area under the curve", "f1": "F1", "exact": "exact"}
    for form in ("float32", "int8"):
        figures = {name: getattr(getattr(summary, form), name) for name in names}
        if known := [f"{names[name]} {value:.4f}" for name, value in figures.items() if value is not None]:
            out(f"{form} on {summary.held_out} questions kept back: {', '.join(known)}")
    option = "--reader" if summary.task == "read" else "--rerank"
    out(f"use it with {option} {summary.folder}")
