"""A model's own prompts in, those that are put before questions and documents out: the model's, or others that were given."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sql.base.errors import UsageError

if TYPE_CHECKING:
    from rag.encoder.checkpoint import EncoderConfig
    from rag.text.tokenizer import Tokenizer
    from sql.store import Collection


@dataclass(frozen=True, slots=True)
class Prompts:
    """What is put before questions and before documents; None where it is what the model itself says."""

    query: str | None = None
    document: str | None = None


OWN_PROMPTS = Prompts()


def choose_prompts(given: Prompts, collection: Collection | None) -> Prompts:
    """The prompts that were asked for, else those the store was built with, else the model's own."""
    if collection is None or not collection.encoder.prompts:
        return given
    stored = Prompts(**json.loads(collection.encoder.prompts))
    return Prompts(
        stored.query if given.query is None else given.query,
        stored.document if given.document is None else given.document,
    )


def with_prompts(config: EncoderConfig, given: Prompts, tokenizer: Tokenizer) -> EncoderConfig:
    """The config of an encoder that puts these before its texts.

    Raises UsageError for a prompt that leaves no room, and where the model leaves its prompts out of the mean over tokens.
    """
    query = config.query_prompt if given.query is None else given.query
    document = config.document_prompt if given.document is None else given.document
    if (query, document) == (config.query_prompt, config.document_prompt):
        return config
    for option, prompt in (("--query-prompt", query), ("--document-prompt", document)):
        if tokenizer.count(prompt) >= tokenizer.max_text_tokens:
            raise UsageError(
                f"{option} {prompt[:40]!r} takes all of the {tokenizer.max_text_tokens} tokens that {config.model} reads of "
                "a text: shorten it"
            )
    if (query or document) and not config.pools_prompts:
        raise UsageError(
            f"{config.model} leaves prompts out of the mean over tokens (include_prompt), which is not supported: give none"
        )
    record = json.dumps({"query": query, "document": document}, ensure_ascii=False)
    return replace(config, query_prompt=query, document_prompt=document, prompts=record)
