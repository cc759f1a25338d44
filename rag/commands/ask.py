"""`ask` and `search`: a question in, an answer with citations or a list of chunks out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rag.commands.remarks import note_empty, note_unanswered
from sql.base.errors import EXIT_NOTHING_FOUND, EXIT_OK, RagError, UsageError
from sql.base.settings import read_settings
from sql.base.terminal import (
    Flow,
    indented,
    is_terminal,
    note,
    one_line,
    out,
    out_emphasized,
    out_json,
    out_piece,
    out_prose,
    shown_name,
)
from sql.base.wording import counted
from sql.engine.location import parse_location
from sql.engine.wire import knocking

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from rag.answer.answer import Answer, Citation
    from rag.answer.check import GeneratedAnswer
    from rag.answer.events import Event
    from rag.answer.quotation import Context
    from rag.library import Library
    from rag.retrieve.inspection import Explanation
    from sql.records import Hit
    from sql.search.request import SearchRequest
    from sql.search.search import Step
    from sql.store.snapshot import Watch

NO_ANSWER = "No answer found."
DOUBTFUL = 0.5  # a confidence below which an answer is more often wrong than right, and shown with it
MOST_NOTED_LINES = 12  # of a sentence that is withheld, with what it brings along
SHOWN_STAGES = {"search", "words", "hits"}  # of --show-sql: the searches themselves, not what is looked up for them
SNIPPET = 240  # characters of a hit shown on a terminal


def ask(options: Namespace) -> int:
    """Answers a question with sentences of the documents, or says that nothing fits; a language model may write it."""
    with knocking(parse_location(options.db).real_folder):
        return ask_library(options)


def search(options: Namespace) -> int:
    """Lists the chunks that fit a query best, explains how they were found, or verifies how well that is done."""
    with knocking(parse_location(options.db).real_folder):
        return search_library(options)


def ask_library(options: Namespace) -> int:
    """What `ask` does when a process that has the store knows of it."""
    steps: list[Step] = []
    terms = ask_terms(options)
    request = read_request(options)
    with open_library(options) as library:
        rank_in_sql(library, options)
        if is_streamed(library, options):
            with library.ask_stream(request, watch=steps.append, **terms) as events:
                answer = stream_answer(
                    events, as_json=options.json, found=lambda: show_statements(steps, options, library)
                )
        else:
            answer = library.ask(request, watch=steps.append, **terms)
            show_statements(steps, options, library)
            show_whole(answer, as_json=options.json)
        if not answer.answered:
            note_unanswered(library, request, options)
    return EXIT_OK if answer.answered else EXIT_NOTHING_FOUND


def search_library(options: Namespace) -> int:
    """What `search` does then."""
    if options.verify:
        return verify(options)
    request = read_request(options)
    with open_library(options) as library:
        # Words need no encoder, and loading one takes longer than the search.
        if options.explain or options.model is not None:
            request = replace(request, vector=library.encoder.encode_query(request.question))
        if options.explain:
            return explain(library, replace(request, reranker=library.reranker()), options)
        steps: list[Step] = []
        rank_in_sql(library, options)
        record = search_record(library, request, steps.append) if options.json else None
        hits = library.search(request, watch=steps.append) if record is None else record["hits"]
        show_statements(steps, options, library)
        if not hits:
            note_empty(library, request.filter, options)
    if record is not None:
        out_json(record)
    else:
        show_hits(hits)
    return EXIT_OK if hits else EXIT_NOTHING_FOUND


def search_record(
    library: Library, query: str | SearchRequest, watch: Watch = lambda step: None, **options: Any
) -> dict[str, Any]:
    """The hits of a search as JSON, and what is proven of their order; null where a cross-encoder decides it."""
    logged: list[UUID] = []
    options |= {"watch": watch, "logged": logged.append}
    if library.reranker() is not None:
        hits, proven = library.search(query, **options), None
    else:
        hits, certificate = library.certified_search(query, **options)
        proven = certificate.record()
    kept = {"query_id": str(logged[0])} if logged else {}
    return {"hits": [hit_record(hit) for hit in hits], "float32": proven} | kept


def explain(library: Library, request: SearchRequest, options: Namespace) -> int:
    """Prints every statement of a search with its time and rows, and of every hit the scores of each stage."""
    from rag.retrieve.certified import certify_hits
    from rag.retrieve.inspection import explain_search

    snapshot, reranker = library.store.snapshot(), library.reranker()
    found = explain_search(library.retriever, snapshot, request)
    certificate = None if reranker else certify_hits(library.retriever, snapshot, request, found.hits)
    if options.json:
        out_json(
            {
                "hits": [
                    hit_record(hit) | {"hamming": distance}
                    for hit, distance in zip(snapshot.with_places(found.hits), found.distances, strict=True)
                ],
                "float32": certificate.record() if certificate else None,
                "sign_bits": found.bits,
                "steps": [step_record(step) for step in found.steps],
                "rerank": rerank_record(reranker.name, found) if reranker else None,
            }
        )
        return EXIT_OK if found.hits else EXIT_NOTHING_FOUND
    for number, step in enumerate(found.steps, start=1):
        out(
            f"{number}. {step.stage}: {step.statement.name}.sql, {1000 * step.seconds:.1f} ms, {counted(step.rows, 'row')}"
        )
    if reranker:
        milliseconds = f"{1000 * found.rerank_seconds:.1f} ms"
        out(
            f"{len(found.steps) + 1}. rerank: {one_line(reranker.name)}, {milliseconds}, {counted(found.reranked, 'chunk')}"
        )
    out()
    out(f"  score{'  found' if reranker else ''}   int8   bm25  signs of {found.bits}")
    for hit, distance in zip(found.hits, found.distances, strict=True):
        words = "" if hit.bm25_score is None else f"{hit.bm25_score:.3f}"
        before = "" if hit.search_score is None else f"{hit.search_score:7.3f}"
        scores = f"{hit.score:7.3f}{before}{hit.vector_score or 0:7.3f}{words:>7}{distance:7}  "
        out_emphasized(scores, shown_place(hit))
    for sentence in certificate.sentences() if certificate else []:
        out(sentence)
    for number, step in enumerate(found.steps, start=1):
        out()
        out(f"-- {number}. {step.stage}")
        out(step.statement.as_script())
    return EXIT_OK if found.hits else EXIT_NOTHING_FOUND


def rerank_record(model: str, found: Explanation) -> dict[str, Any]:
    """What a cross-encoder did in a search, as JSON."""
    return {"model": model, "chunks": found.reranked, "milliseconds": round(1000 * found.rerank_seconds, 3)}


def verify(options: Namespace) -> int:
    """Compares the search with the exact one, with stored vectors as queries."""
    from dataclasses import asdict

    from rag.retrieve.inspection import verify_search
    from sql.store import Store

    request = read_request(options)
    with Store.open(options.db) as store:
        result = verify_search(store.snapshot(), request)
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


def read_request(options: Namespace) -> SearchRequest:
    """What is asked for on the command line."""
    from rag.retrieve.questions import check_question
    from sql.search.filters import parse_filter
    from sql.search.request import SearchRequest

    if options.k < 1:
        raise UsageError(f"-k {options.k}: ask for at least 1 result")
    if options.per_document is not None and options.per_document < 1:
        raise UsageError(f"--per-document {options.per_document}: allow at least 1 chunk per document")
    if not getattr(options, "verify", False):
        check_question(options.question or "")
    return SearchRequest(
        options.question or "",
        options.k,
        filter=parse_filter(options.filter or []),
        ranking=options.ranking,
        strategy=options.strategy,
        candidates=options.candidates,
        probes=options.probes,
        per_document=options.per_document,
        language=options.language,
    )


def ask_terms(options: Namespace) -> dict[str, Any]:
    """How a language model is to write an answer."""
    if options.max_tokens < 1:
        raise UsageError(f"--max-tokens {options.max_tokens}: an answer has at least 1 token")
    if options.context is not None and options.context <= options.max_tokens:
        raise UsageError(
            f"--context {options.context}: it has to hold the {options.max_tokens} tokens of the answer and the passages"
        )
    return {
        "max_tokens": options.max_tokens,
        "context": options.context,
        "strict": options.strict,
        "min_confidence": options.min_confidence,
    }


def open_library(options: Namespace, *, yields: bool = False) -> Library:
    """The store named on the command line, for reading; with `yields` a writer of another process gets it."""
    import rag.library

    settings = read_settings()
    return rag.library.open(
        options.db,
        model=options.model,
        compute=options.compute,
        query_prompt=options.query_prompt,
        document_prompt=options.document_prompt,
        language=options.language,
        yields=yields,
        llm=getattr(options, "llm", None) or settings.llm,
        rerank=getattr(options, "rerank", None) or settings.rerank,
        reader=getattr(options, "reader", None) or settings.reader,
        log=getattr(options, "log", False) or None,
        announce=note,
    )


def rank_in_sql(library: Library, options: Namespace) -> None:
    """Has the statements of --show-sql give the hits and their scores by themselves, wherever they are pasted."""
    if options.show_sql:
        library.retriever.looks_at_all = False


def show_statements(steps: Sequence[Step], options: Namespace, library: Library) -> None:
    """Prints the SQL that found the chunks where that was asked for, and who has ordered them where it is not the SQL."""
    from sql.engine.statements import Statement

    if options.show_sql:
        show = note if options.json else out
        for statement in [Statement("epoch"), *(step.statement for step in steps if step.stage in SHOWN_STAGES)]:
            show(f"{statement.as_script()}\n")
        if reranker := library.reranker():
            show(f"-- the chunks that this finds are then ordered by {one_line(reranker.name)}\n")


def show_whole(answer: Answer | GeneratedAnswer, *, as_json: bool) -> None:
    """An answer as JSON or as text."""
    from rag.answer.answer import Answer

    if as_json:
        out_json(whole_record(answer))
    elif isinstance(answer, Answer):
        show_answer(answer)
    else:
        show_generated(answer)


def show_answer(answer: Answer) -> None:
    """The sentences, each with its number, then where each one stands; above them what a reader has marked in the best."""
    if not answer.answered:
        out(NO_ANSWER)
        note_nearest(answer)
        return
    if marked := answer.citations[0].answer_text:
        out_emphasized("", one_line(marked))
        out()
    for part in answer.parts:  # prose is on one line already; in several, line ends and spaces mean something
        (out if "\n" in part else out_prose)(part)
    out()
    show_citations(answer)
    if answer.confidence < DOUBTFUL:
        note(f"this may not answer the question (confidence {shown_confidence(answer)})")


def shown_confidence(answer: Answer) -> str:
    """Two digits, cut off: rounded up it could be the bound that it is below."""
    return f"{math.floor(100 * answer.confidence) / 100:.2f}"


def note_nearest(answer: Answer) -> None:
    """Names the sentence that was withheld: whoever asks may see at once whether it helps."""
    nearest = answer.nearest
    if nearest is None:
        return
    lines = f"{nearest.lead}{nearest.shown}".splitlines()
    if len(lines) == 1:
        lines = indented(lines[0], "  ").splitlines()
    else:
        more = ["…"] if len(lines) > MOST_NOTED_LINES else []
        lines = [f"  {line}" for line in (*lines[:MOST_NOTED_LINES], *more)]
    shown = "".join(f"{line}\n" for line in lines)
    note(
        f"nearest, though it may not answer (confidence {shown_confidence(answer)}; --min-confidence sets the bound):\n"
        f"{shown}  {shown_place_and_heading(nearest)}"
    )


def show_citations(answer: Answer | GeneratedAnswer) -> None:
    """The number and place of everything that an answer cites."""
    for number, citation in enumerate(answer.citations, start=1):
        out_emphasized(f"[{number}] ", shown_place_and_heading(citation))


def show_generated(answer: GeneratedAnswer) -> None:
    """What a language model wrote, where its passages stand, and which sentences those do not bear out."""
    for line in (answer.text or NO_ANSWER).split("\n"):
        out_prose(line)
    if answer.answered:
        out()
        show_citations(answer)
    show_checks(answer)


def show_checks(answer: GeneratedAnswer) -> None:
    """Says on stderr what the check of a written answer has found."""
    what = "left out" if answer.strict else "not supported"
    unsupported = {sentence.text: sentence for sentence in answer.sentences if not sentence.supported}
    for text, sentence in unsupported.items():
        reason = "its passages do not support it" if sentence.citations else "it cites no passage"
        note(f"{what}: {one_line(text)} ({reason})")
    if answer.is_cut:
        note("the language model did not finish its answer: use a larger --max-tokens")


# Answers as they come


def is_streamed(library: Library, options: Namespace) -> bool:
    """Whether an answer is shown as it comes: where that was asked for, and of a language model on a terminal."""
    if options.stream is not None:
        return bool(options.stream)
    return is_written(library) and is_terminal() and not options.json


def is_written(library: Library) -> bool:
    """Whether a language model writes the answers."""
    return library.llm not in {None, "none"}


def stream_answer(
    events: Iterable[Event], *, as_json: bool, found: Callable[[], None] = lambda: None
) -> Answer | GeneratedAnswer:
    """Shows the events of an answer as they come; returns the answer. `found` is called when the passages are known."""
    return stream_json(events, found) if as_json else stream_text(events, found)


def stream_json(events: Iterable[Event], found: Callable[[], None]) -> Answer | GeneratedAnswer:
    """A line for the passages, one for each piece, and the whole record; of a stream that breaks the last is an error."""
    from rag.answer.events import Finished, Passages

    try:
        for event in events:
            if isinstance(event, Passages):
                found()
            out_json(event_record(event))
            out_piece("")  # a program that reads a pipe wants each line when it comes
            if isinstance(event, Finished):
                return event.answer
    except RagError as error:
        out_json({"error": {"code": error.code, "message": str(error)}})
        raise
    raise KeyboardInterrupt


def stream_text(events: Iterable[Event], found: Callable[[], None]) -> Answer | GeneratedAnswer:
    """The text as it comes, then where its passages stand; what breaks off is said not to be whole."""
    from rag.answer.events import Finished, Passages, Token

    shown, flow = "", Flow()
    try:
        for event in events:
            if isinstance(event, Passages):
                found()
            elif isinstance(event, Token):
                shown += event.text  # first: Ctrl-C may come as soon as something is seen
                flow.write(event.text)
            elif isinstance(event, Finished):
                show_end(event.answer, shown)
                return event.answer
    except BaseException:
        if shown:
            out()
            note("the answer above is incomplete")
        raise
    raise KeyboardInterrupt


def show_end(answer: Answer | GeneratedAnswer, shown: str) -> None:
    """What comes after the text: all of it again where later words have changed what was shown, and the sources."""
    from rag.answer.answer import Answer

    if shown:
        out()
    if not answer.answered:
        out(NO_ANSWER)
        if isinstance(answer, Answer):
            note_nearest(answer)
    elif shown != answer.text:
        if shown:
            note("the final answer differs from the text above:")
        out(answer.text)
    if answer.answered:
        out()
        show_citations(answer)
    if not isinstance(answer, Answer):
        show_checks(answer)


def event_record(event: Event) -> dict[str, Any]:
    """An event as JSON; the last one is the record of `--json`."""
    from rag.answer.events import Passages, Token

    if isinstance(event, Passages):
        return {
            "passages": [hit_record(hit) for hit in event.hits],
            "left_out": [hit.place() for hit in event.left_out],
        }
    return {"token": event.text} if isinstance(event, Token) else whole_record(event.answer)


# Parts


def shown_place(found: Citation | Hit) -> str:
    """Where something stands, as people look it up: `report.pdf, page iv`; `guide.md:12` where only its line is known."""
    source = shown_name(found.source)
    return f"{source}, {one_line(found.place_name)}" if found.place_name else f"{source}:{found.line}"


def shown_place_and_heading(found: Citation | Hit) -> str:
    """The same with the headings above it."""
    return f"{shown_place(found)}  {one_line(found.heading)}" if found.heading else shown_place(found)


def snippet(text: str, most: int = SNIPPET) -> str:
    """The beginning of a text of one line."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def show_hits(hits: Sequence[Hit]) -> None:
    """A line of place and score for each hit, and the beginning of its text."""
    if not hits:
        out("Nothing found.")
    for hit in hits:
        out_emphasized(f"{hit.score:6.3f}  ", shown_place_and_heading(hit))
        out(f"        {snippet(one_line(hit.text))}")


def whole_record(answer: Answer | GeneratedAnswer) -> dict[str, Any]:
    """An answer as JSON, with what was found out about it where a language model wrote it, and the nearest sentence where it is
    withheld."""
    from rag.answer.answer import Answer

    if not isinstance(answer, Answer):
        return answer_record(answer) | {"checked": checked_record(answer)}
    nearest = {"nearest": citation_record(answer.nearest)} if answer.nearest else {}
    return answer_record(answer) | nearest


def answer_record(answer: Answer | GeneratedAnswer) -> dict[str, Any]:
    """An answer as JSON; offsets count code points, a line is 1-based, a page is null where the format has none."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "citations": [citation_record(citation) for citation in answer.citations],
        "answered": answer.answered,
        "confidence": round(answer.confidence, 6),
    } | ({"query_id": answer.query_id} if answer.query_id else {})


def citation_record(citation: Citation) -> dict[str, Any]:
    """A citation as JSON."""
    return {
        "source": citation.source,
        "start": citation.start,
        "end": citation.end,
        "line": citation.line,
        "page": citation.page or None,
        "page_label": citation.page_label or None,
        "place_name": citation.place_name or None,
        "places": [place.record() for place in citation.places],
        "heading": citation.heading,
        "text": citation.text,
        "score": round(citation.score, 6),
        "context": context_record(citation.context),
        "answer_span": span_record(citation),
        "truncated": citation.is_cut,
    }


def context_record(context: Context | None) -> dict[str, Any] | None:
    """What a quotation cannot be understood without, as JSON, with offsets like its own."""
    return None if context is None else {"start": context.start, "end": context.end, "text": context.text}


def span_record(citation: Citation) -> dict[str, Any] | None:
    """What a reader has marked in a citation, as JSON, with offsets like its own; null without a reader."""
    if citation.answer_span is None:
        return None
    start, end = citation.answer_span
    return {"start": start, "end": end, "text": citation.answer_text}


def checked_record(answer: GeneratedAnswer) -> dict[str, Any]:
    """What was found out about a generated answer, as JSON."""
    return {
        "model": answer.model,
        "passages": answer.passages,
        "sentences": [
            {"text": sentence.text, "citations": list(sentence.citations), "supported": sentence.supported}
            for sentence in answer.sentences
        ],
        "strict": answer.strict,
        "truncated": answer.is_cut,
        "left_out": [hit.place() for hit in answer.left_out],
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
        "rerank_score": hit.rerank_score,
        "search_score": hit.search_score,
        "document_id": str(hit.document_id),
        "chunk_index": hit.chunk_index,
    }
