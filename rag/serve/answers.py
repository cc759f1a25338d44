"""What a client asks for in, the library's answer as a record out: the same for HTTP, for OpenAI's clients and for tools."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from rag.answer.events import Finished, Passages, Token
from rag.commands.ask import NO_ANSWER, event_record, hit_record, search_record, whole_record
from rag.commands.documents import listed_record
from rag.serve.limits import LONGEST_SPAN
from sql.base.errors import UsageError
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.library import Library
    from rag.serve.bodies import AskBody, EmbeddingsBody, Listing, Query, Question, SearchBody, Span
    from sql.records import LiveDocument
    from sql.store import Snapshot

    Record = dict[str, Any]

FIRST_SOURCE = "\n\n[1] "
EVENT_NAMES = {Passages: "passages", Token: "token", Finished: "answer"}


def in_context(library: Library, asked: AskBody) -> AskBody:
    """The same with its question as it has to be asked by itself, where it leans on what was asked before."""
    from rag.answer.follow_up import Turn

    turns = [Turn(turn.question, turn.answer) for turn in asked.turns]
    return asked.model_copy(update={"question": library.follow_up(asked.question, turns)}) if turns else asked


def in_conversation(library: Library, asked: AskBody, said: Sequence[tuple[str, str]]) -> AskBody:
    """The same after what was said in a chat. A client sends its questions as they were typed, so that each of them may
    lean on those before; by rules, for a language model would have to be asked about each.
    """
    from rag.answer.follow_up import Turn, self_contained

    turns: list[Turn] = []
    for question, answer in said:
        turns.append(Turn(self_contained(question, turns), without_sources(answer)))
    return asked.model_copy(update={"question": library.follow_up(asked.question, turns)}) if turns else asked


def answered(library: Library, asked: Question) -> Record:
    """The record of `ask --json`."""
    return whole_record(library.ask(asked.question, **asked.options()))


def answer_events(library: Library, asked: Question) -> Iterator[tuple[str, Record]]:
    """The same as it comes, each event with its name: the passages, the text in pieces, at last the whole record."""
    with library.ask_stream(asked.question, **asked.options()) as events:
        for event in events:
            yield EVENT_NAMES[type(event)], event_record(event)


def found(library: Library, asked: SearchBody) -> Record:
    """The record of `search --json`; without a certificate where none is wanted."""
    if not asked.certify:
        return found_hits(library, asked) | {"float32": None}
    return search_record(library, asked.query, **asked.options())


def found_hits(library: Library, asked: Query) -> Record:
    """The hits alone, without what is proven of them."""
    return {"hits": [hit_record(hit) for hit in library.search(asked.query, **asked.options())]}


def search_events(library: Library, asked: SearchBody) -> Iterator[tuple[str, Record]]:
    """A hit at a time, at last the whole record."""
    record = found(library, asked)
    for hit in record["hits"]:
        yield "hit", hit
    yield "hits", record


# A conversation


def chat_text(answer: Record) -> str:
    """What is said in a conversation: the answer, and below it where its numbers lead."""
    return "".join([answer["answer"] or NO_ANSWER, sources_text(answer)])


def sources_text(answer: Record) -> str:
    """Where the numbers of an answer lead, a line each; nothing for an answer without any."""
    lines = [f"[{number}] {place_text(one)}" for number, one in enumerate(answer["citations"], start=1)]
    return "\n\n" + "\n".join(lines) if lines else ""  # which begins with FIRST_SOURCE


def without_sources(said: str) -> str:
    """What was said in a conversation without what stands below it, empty where it was no answer."""
    text = said.rpartition(FIRST_SOURCE)[0] or said
    return "" if text.strip() == NO_ANSWER else text


def place_text(citation: Record) -> str:
    """The place of a citation as people look it up."""
    place = citation["place_name"]
    return f"{citation['source']}, {place}" if place else f"{citation['source']}:{citation['line']}"


# Vectors


def embeddings(library: Library, asked: EmbeddingsBody) -> Record:
    """Vectors of texts in OpenAI's form. UsageError where they are none, or another number of dimensions is wanted."""
    encoder = library.encoder
    try:
        texts = asked.texts()
    except ValueError as error:
        raise UsageError(str(error)) from error
    dimensions = encoder.config.dimensions
    if asked.dimensions not in {None, dimensions}:
        raise UsageError(
            f"dimensions is {asked.dimensions}, and the vectors of {encoder.config.model} have {dimensions}"
        )
    encode = encoder.encode_queries if asked.input_type == "query" else encoder.encode_documents
    vectors = encode(texts)
    tokens = sum(len(ids) for ids in encoder.tokenizer.encode(texts))
    if asked.encoding_format == "base64":
        shown: list[Any] = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
    else:
        shown = vectors.tolist()
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(shown)],
        "model": encoder.config.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


# Documents


def read_span(library: Library, asked: Span) -> Record:
    """A piece of the stored text of a document; no file is opened. UsageError for a document or span there is not."""
    source, text = stored_text(library, asked.source)
    return span_record(source, text, asked)


def stored_text(library: Library, name: str) -> tuple[str, str]:
    """The source of the document of this source or path, and its text; UsageError for a document there is not."""
    snapshot = library.store.snapshot()
    document = document_called(snapshot, name)
    return document.source, snapshot.document_text(document)


def span_record(source: str, text: str, asked: Span) -> Record:
    """A piece of a text; UsageError for one that it does not have, or that is too long."""
    end = min(len(text), asked.start + LONGEST_SPAN) if asked.end is None else asked.end
    if not asked.start < end <= len(text) or end - asked.start > LONGEST_SPAN:
        raise UsageError(
            f"the span {asked.start}..{end}: one of this document lies within its {len(text):,} characters, and has from "
            f"1 to {LONGEST_SPAN:,} of them"
        )
    return {
        "source": source,
        "start": asked.start,
        "end": end,
        "characters": len(text),
        "text": text[asked.start : end],
    }


def document_called(snapshot: Snapshot, name: str) -> LiveDocument:
    """The one document of the store that has this source or path; UsageError where there is none, or several."""
    listed = snapshot.listed_documents({"$or": [{"source": name}, {"path": name}]})
    if len(listed) != 1:
        why = "no document" if not listed else counted(len(listed), "document")
        raise UsageError(f"{why} of the store called {name!r:.300}: list_documents shows sources and paths")
    return listed[0].document


def documents(library: Library, asked: Listing) -> Record:
    """Some documents of the store, ordered by path."""
    listed = library.store.snapshot().listed_documents(asked.filter)
    listed.sort(key=lambda one: one.document.path)
    behind = [one for one in listed if asked.after is None or one.document.path > asked.after]
    shown = behind[: asked.limit]
    more = len(behind) > len(shown)
    return {
        "documents": [listed_record(one) for one in shown],
        "total": len(listed),
        "next": shown[-1].document.path if more else None,
    }
