"""A question and the chunks found for it in; a text by a language model out, held against those chunks, all of it or as it
comes.

`rag/answer/prompt.py` says what the model is given, `rag/answer/check.py` what becomes of what it wrote, and
`rag/answer/models/` are the models.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from rag.answer.check import check_answer
from rag.answer.events import Event, Finished, Passages, Token, in_pieces
from rag.answer.prompt import fitting_prompt
from rag.answer.unfolding import Unfolding
from sql.base.errors import UsageError
from sql.base.settings import DEFAULT_ANSWER_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rag.answer.answer import Answer
    from rag.answer.check import GeneratedAnswer
    from rag.answer.prompt import LanguageModel
    from sql.records import Hit


@dataclass(frozen=True, slots=True)
class Terms:
    """How an answer is to be written.

    It has at most `max_tokens` tokens; prompt and answer together have at most `context`, where the model itself reads
    more or does not say. `strict` leaves out what the passages do not bear out, instead of marking it.
    """

    max_tokens: int = DEFAULT_ANSWER_TOKENS
    context: int | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens {self.max_tokens}: an answer has at least 1 token")
        if self.context is not None and self.context <= self.max_tokens:
            raise UsageError(
                f"context {self.context}: it has to hold the {self.max_tokens} tokens of the answer and the passages"
            )


def generate_answer(
    model: LanguageModel,
    question: str,
    hits: Sequence[Hit],
    terms: Terms,
    announce: Callable[[str], None] = lambda sentence: None,
) -> GeneratedAnswer:
    """A language model's answer from the chunks that were found, checked against them.

    Chunks that leave no room for the answer are dropped whole, the farthest first; `announce` hears of it. Raises
    RagError where not even the nearest fits, and where the model fails or breaks off.
    """
    prompt, count = fitting_prompt(model, question, hits, terms.max_tokens, terms.context)
    announce_left_out(model, hits, count, terms, announce)
    said: list[str] = []
    is_whole = model.write(prompt, terms.max_tokens, said.append)
    return finished_answer(model, question, "".join(said), hits, count, terms, is_whole)


def stream_answer(
    model: LanguageModel,
    question: str,
    hits: Sequence[Hit],
    terms: Terms,
    announce: Callable[[str], None] = lambda sentence: None,
    cancelled: threading.Event | None = None,
) -> Iterator[Event]:
    """The same answer as it comes: the passages that the model was given, pieces of checked text, the answer.

    Where `cancelled` is set, the events end without the last one.
    """
    prompt, count = fitting_prompt(model, question, hits, terms.max_tokens, terms.context)
    announce_left_out(model, hits, count, terms, announce)
    yield Passages(tuple(hits[:count]), tuple(hits[count:]))
    unfolding = Unfolding(model.name, hits[:count], strict=terms.strict)
    for piece in in_pieces(partial(model.write, prompt, terms.max_tokens), cancelled or threading.Event()):
        if isinstance(piece, bool):
            answer = finished_answer(model, question, unfolding.written, hits, count, terms, piece)
            if rest := unfolding.rest(answer.text):
                yield Token(rest)
            yield Finished(answer)
        elif shown := unfolding.more(piece):
            yield Token(shown)


def quoted_events(answer: Answer, hits: Sequence[Hit]) -> Iterator[Event]:
    """The events of an answer that is quoted: its passages, its sentences one by one, the answer."""
    yield Passages(tuple(hits))
    between = answer.separator
    yield from (Token(f"{between if number else ''}{part}") for number, part in enumerate(answer.parts))
    yield Finished(answer)


def finished_answer(
    model: LanguageModel,
    question: str,
    written: str,
    hits: Sequence[Hit],
    count: int,
    terms: Terms,
    is_whole: bool,
) -> GeneratedAnswer:
    """What a model wrote from the first `count` chunks, checked."""
    answer = check_answer(model.name, question, written, hits[:count], strict=terms.strict, is_cut=not is_whole)
    return replace(answer, left_out=tuple(hits[count:]))


def announce_left_out(
    model: LanguageModel, hits: Sequence[Hit], count: int, terms: Terms, announce: Callable[[str], None]
) -> None:
    """Says which chunks the model's context has no room for."""
    if count < len(hits):
        places = ", ".join(f"{hit.source}:{hit.line}" for hit in hits[count:])
        announce(
            f"{count} of {len(hits)} passages fit {model.name} with {terms.max_tokens} tokens of answer; "
            f"left out: {places}"
        )
