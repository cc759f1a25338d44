"""Answers in the forms of OpenAI's chat completions, whole or in pieces, with the citations in a field of their own."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from rag.serve.answers import chat_text, sources_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rag.encoder.encoder import Encoder
    from rag.serve.bodies import ChatBody

    Record = dict[str, Any]

MODEL = "int8-rag"  # the name under which answers are asked for
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer in a conversation, under a name of its own."""

    asked: ChatBody
    encoder: Encoder
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Record) -> Record:
        """The answer as a completion."""
        text = chat_text(answer)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": None,
        }
        return self._record("chat.completion", [choice]) | cited(answer) | {"usage": self.usage(text)}

    def pieces(self, events: Iterable[tuple[str, Record]]) -> Iterator[bytes]:
        """The answer as server-sent events: its text as it comes, its sources, and the citations with the last piece."""
        said, coming = "", iter(events)
        first = next(coming)  # what fails before anything is said is no answer, and gets another status
        yield self._piece({"role": "assistant", "content": ""})
        for name, record in chain([first], coming):
            if name == "token":
                said += record["token"]
                yield self._piece({"content": record["token"]})
            elif name == "answer":
                # Of a text that later words have changed, all of it again: nothing can be taken back here.
                rest = sources_text(record) if said == record["answer"] and said else chat_text(record)
                rest = f"\n\n{rest}" if said and rest == chat_text(record) else rest
                if rest:
                    said += rest
                    yield self._piece({"content": rest})
                yield self._piece({}, "stop", cited(record))
        if self.asked.stream_options is not None and self.asked.stream_options.include_usage:
            yield data_event(self._record("chat.completion.chunk", []) | {"usage": self.usage(said)})
        yield DONE

    def usage(self, text: str) -> Record:
        """Tokens of the conversation and of the answer, as the encoder counts them."""
        count = self.encoder.tokenizer.count
        prompt, completion = sum(count(message.text) for message in self.asked.messages), count(text)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def _piece(self, delta: Record, reason: str | None = None, more: Record | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return data_event(self._record("chat.completion.chunk", [choice]) | (more or {}))

    def _record(self, kind: str, choices: list[Record]) -> Record:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.asked.model, "choices": choices}


def cited(answer: Record) -> Record:
    """What a completion has besides those of OpenAI: `answered` and `citations`."""
    return {"answered": answer["answered"], "citations": answer["citations"]}


def models(encoder_name: str, created: int) -> Record:
    """What there is to ask: answers, and vectors of the encoder."""
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": created, "owned_by": MODEL} for name in (MODEL, encoder_name)
        ],
    }


def data_event(record: Record) -> bytes:
    """A server-sent event without a name, as OpenAI's clients read them."""
    return f"data: {json.dumps(record, allow_nan=False)}\n\n".encode()


def named_event(name: str, record: Record) -> bytes:
    """A server-sent event with a name."""
    return f"event: {name}\n".encode() + data_event(record)
