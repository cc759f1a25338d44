"""The name of a language model in, the model out.

`hf:FOLDER_OR_ID` runs here, `openai:MODEL@URL` is asked on a server, `langchain:PACKAGE:MODEL` is a chat model of LangChain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sql.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.answer.prompt import LanguageModel
    from sql.base.settings import Settings


def check_spec(spec: str | None) -> None:
    """Raises UsageError where a language model is named in a way that is not offered; loads nothing."""
    if spec is None:
        return
    kind, _, rest = spec.partition(":")
    if kind == "openai":
        from rag.answer.models.served import parse_served

        parse_served(rest)
    elif kind == "langchain":
        from rag.answer.models.chat_model import parse_chat_model

        parse_chat_model(rest)
    elif kind != "hf" or not rest.strip():
        raise UsageError(
            f"--llm {spec} is not known: give hf:FOLDER_OR_ID for a local model, openai:MODEL@URL for a served one, "
            "or langchain:PACKAGE:MODEL for a chat model of LangChain"
        )


def load_language_model(
    settings: Settings, spec: str, announce: Callable[[str], None] = lambda sentence: None
) -> LanguageModel:
    """The language model that a name stands for; ModelError where it cannot be had."""
    check_spec(spec)
    kind, _, rest = spec.partition(":")
    if kind == "openai":
        from rag.answer.models.served import ServedModel

        return ServedModel(rest, settings.llm_key)
    if kind == "langchain":
        from rag.answer.models.chat_model import ChatModel

        return ChatModel(rest)
    from rag.answer.models.local import LocalModel

    return LocalModel(settings, rest, announce)
