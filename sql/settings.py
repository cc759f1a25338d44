"""The few settings that come from outside: the one place that reads the environment.

| variable | meaning | default |
|---|---|---|
| RAG_DB | the store: a folder, or the DSN of a ClickHouse server | `.rag` in the working directory |
| RAG_MODEL | the encoder: a hub id or a folder | the store's own, at first sentence-transformers/all-MiniLM-L6-v2 |
| RAG_CACHE | where int8 checkpoints are kept | `int8-rag` in the user's cache folder |
| HF_HUB_OFFLINE | 1 asks neither the Hugging Face hub nor pip for a model | 0 |
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STORE = ".rag"
DEFAULT_K = 5  # chunks that a question looks for
SEARCH_MODES = ("auto", "exact", "two-stage", "cells")  # how chunks are searched; the first is the default
QUANTIZERS = ("asymmetric", "symmetric")  # of vectors; the first is the default
RETRIEVAL_MODES = ("hybrid", "vector", "bm25")  # what a question is compared by; the first is the default
# Whose stop words and stemmer the words get; `auto` finds out, `none` has neither.
LANGUAGES = ("auto", "en", "de", "fr", "es", "it", "nl", "pt", "sv", "da", "no", "fi", "ru", "el", "ar", "hi", "none")
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; options on the command line go before it."""

    store: str
    model: str | None
    cache: Path
    offline: bool


def read_settings() -> Settings:
    """The settings of this process; an empty variable counts as unset."""
    environment = {name: value for name, value in os.environ.items() if value}
    user_cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Settings(
        store=environment.get("RAG_DB", DEFAULT_STORE),
        model=environment.get("RAG_MODEL"),
        cache=Path(environment.get("RAG_CACHE") or user_cache / "int8-rag").expanduser(),
        offline=environment.get("HF_HUB_OFFLINE", "0").upper() in {"1", "ON", "YES", "TRUE"},
    )
