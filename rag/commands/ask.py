"""`ask` and `search`: a question in, an answer with citations or a list of chunks out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sql.base.errors import EXIT_NOTHING_FOUND, EXIT_OK, UsageError
from sql.base.settings import read_settings
from sql.base.terminal import note, one_line, out, out_emphasized, out_json, shown_name

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rag.answer.answer import Answer
    from rag.answer.check import GeneratedAnswer
    from rag.answer.quotation import Context
    from rag.encoder.encoder import Encoder
    from sql.records import Hit
    from sql.search.search import Step
    from sql.store import Store

NO_ANSWER = "No answer found."
LONGEST_QUESTION = 32_000  # characters; no encoder reads as many, and tokenizing 50 MB takes 8 GB
SHOWN_STAGES = {"search", "words", "hits"}  # of --show-sql: the searches themselves, not what is looked up for them
SNIPPET = 240  # characters of a hit shown on a terminal


def ask(options: Namespace) -> int:
    """Answers a question with sentences of the documents, or says that nothing fits; a language model may write it."""
    from rag.answer.answer import answer_from_store
    from rag.retrieve.retriever import Retriever

    spec = language_model_spec(options)
    with open_store(options) as store:
        encoder = store_encoder(store, options)
        vector = encoder.encode_query(options.question)
        hits = store.with_outlines(find_to_answer(store, encoder, options, vector))
        answer = answer_from_store(Retriever(store, encoder, options.language), options.question, vector, hits)
        note_empty(store, hits)
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
    from rag.answer.models.choice import check_spec

    check_spec(spec)
    return spec


def generate(options: Namespace, spec: str, hits: Sequence[Hit]) -> int:
    """Shows what a language model makes of the chunks that were found."""
    from rag.answer.generation import generate_answer
    from rag.answer.models.choice import load_language_model

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
        note_empty(store, hits)
    if options.json:
        out_json({"hits": [hit_record(hit) for hit in hits]})
    else:
        show_hits(hits)
    return EXIT_OK if hits else EXIT_NOTHING_FOUND


def explain(store: Store, encoder: Encoder, options: Namespace) -> int:
    """Prints every statement of a search with its time and rows, and of every hit the scores of each stage."""
    from rag.int8.quantization import quantize_query
    from rag.retrieve.inspection import explain_search
    from rag.retrieve.retriever import Retriever

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
        out_emphasized(scores, f"{shown_name(hit.source)}:{hit.line}")
    for number, step in enumerate(found.steps, start=1):
        out()
        out(f"-- {number}. {step.stage}")
        out(step.statement.as_script())
    return EXIT_OK if found.hits else EXIT_NOTHING_FOUND


def verify(options: Namespace) -> int:
    """Compares the search with the exact one, with stored vectors as queries."""
    from dataclasses import asdict

    from rag.retrieve.inspection import verify_search
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
    from sql.search.filters import parse_filter
    from sql.search.search import SearchOptions

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
    from rag.encoder.encoder import choose_model, load_encoder

    settings = read_settings(options.compute)
    model = choose_model(settings, options.model, store.collection())
    encoder = load_encoder(settings, model, few_texts=True, announce=note)
    store.check_encoder(encoder.identity)
    return encoder


def find_to_answer(store: Store, encoder: Encoder, options: Namespace, vector: NDArray[np.float32]) -> list[Hit]:
    """The chunks to answer from: those that fit best, of which for a question with exact names those that hold them.

    A search knows the parts of such a name and not the name itself.
    """
    from rag.answer.answer import NAMED_CANDIDATES, with_names_first
    from rag.text.identifiers import identifiers

    names = identifiers(options.question)
    found = find(store, encoder, options, vector, k=options.k * NAMED_CANDIDATES if names else options.k)
    return with_names_first(found, names)[: options.k]


def find(
    store: Store,
    encoder: Encoder | None,
    options: Namespace,
    vector: NDArray[np.float32] | None = None,
    k: int | None = None,
) -> list[Hit]:
    """The chunks that fit a question best; prints the SQL that found them where that was asked for."""
    from rag.retrieve.retriever import Retriever
    from sql.engine.statements import Statement

    arguments = search_arguments(options)
    retriever = Retriever(store, encoder, options.language)
    steps: list[Step] = []
    hits = retriever.retrieve(
        options.question, k or options.k, mode=options.mode, vector=vector, watch=steps.append, **arguments
    )
    if options.show_sql:
        show = note if options.json else out
        statements = [Statement("epoch"), *(step.statement for step in steps if step.stage in SHOWN_STAGES)]
        for statement in statements:
            show(f"{statement.as_script()}\n")
    return hits


def note_empty(store: Store, hits: Sequence[Hit]) -> None:
    """Says so where nothing was found because nothing is there."""
    if not hits and store.chunk_count() == 0:
        place = store.client.location
        note(f"the store {place} is empty: fill it with `python -m ingest FOLDER --db {place}`")


def show_answer(answer: Answer) -> None:
    """The sentences, each with its number, then where each one stands."""
    if not answer.answered:
        out(NO_ANSWER)
        return
    for part in answer.parts:
        for line in part.split("\n"):
            out(f"{' ' * (len(line) - len(line.lstrip(' ')))}{one_line(line)}")
    out()
    for number, citation in enumerate(answer.citations, start=1):
        heading = f"  {one_line(citation.heading)}" if citation.heading else ""
        out_emphasized(f"[{number}] ", f"{shown_name(citation.source)}:{citation.line}{heading}")


def show_generated(answer: GeneratedAnswer) -> None:
    """What a language model wrote, where its passages stand, and which sentences those do not bear out."""
    if not answer.answered:
        out(NO_ANSWER)
        return
    out(answer.text)
    out()
    for number, citation in enumerate(answer.citations, start=1):
        heading = f"  {one_line(citation.heading)}" if citation.heading else ""
        out_emphasized(f"[{number}] ", f"{shown_name(citation.source)}:{citation.line}{heading}")
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
        out_emphasized(f"{hit.score:6.3f}  ", f"{shown_name(hit.source)}:{hit.line}{heading}")
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
                "context": context_record(citation.context),
                "truncated": citation.is_cut,
            }
            for citation in answer.citations
        ],
        "answered": answer.answered,
    }


def context_record(context: Context | None) -> dict[str, Any] | None:
    """What a quotation cannot be understood without, as JSON, with offsets like its own."""
    return None if context is None else {"start": context.start, "end": context.end, "text": context.text}


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
        **hit.place(),
        "text": hit.text,
        "metadata": dict(hit.metadata),
        "score": hit.score,
        "vector_score": hit.vector_score,
        "bm25_score": hit.bm25_score,
        "document_id": str(hit.document_id),
        "chunk_index": hit.chunk_index,
    }
