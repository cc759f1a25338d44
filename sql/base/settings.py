"""The few settings that come from outside: the one place that reads the environment.

| variable | meaning | default |
|---|---|---|
| RAG_DB | the store: a folder, or the DSN of a ClickHouse server | `.rag` in the working directory |
| RAG_MODEL | the encoder: a hub id or a folder | the store's own, initially sentence-transformers/all-MiniLM-L6-v2 |
| RAG_CACHE | where int8 checkpoints are kept | `int8-rag` in the user's cache folder |
| RAG_COMPUTE | the encoder's arithmetic: auto, int8, bf16 or fp32 | auto |
| RAG_LLM | the language model: `hf:FOLDER_OR_ID`, `openai:MODEL@URL` or `langchain:PACKAGE:MODEL` | none: answers quote |
| RAG_RERANK | the cross-encoder that orders what a search has found: a hub id or a folder | none |
| RAG_READER | the model that marks the answer in what was found: a hub id or a folder | none: sentences are quoted |
| RAG_LOG_QUERIES | 1 keeps every question with its hits and answer in the store | 0: nothing is kept |
| RAG_LLM_KEY | the key that a served language model requires | none |
| RAG_TOKEN | the token that clients of `int8-rag serve` must send, or @FILE | none: only this machine is served |
| OMP_NUM_THREADS | how many threads torch computes with; MKL_NUM_THREADS does the same | one for each processor of the process |
| HF_HUB_OFFLINE | 1 asks neither the Hugging Face hub nor pip for a model | 0 |
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sql.base.errors import UsageError
from sql.base.paths import expand_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT_STORE = ".rag"
DEFAULT_K = 8  # chunks that a question looks for
STRATEGIES = ("auto", "exact", "two-stage", "cells")  # how vectors are searched; the first is the default
DEFAULT_ANSWER_TOKENS = 512  # of an answer that a language model writes
DEFAULT_MIN_CONFIDENCE = 0.24  # of an answer; one that is less probably right is withheld
READER_MIN_CONFIDENCE = 0.5  # of one that a reader has marked: it is more probable than no answer
QUANTIZERS = ("asymmetric", "symmetric")  # of vectors; the first is the default, here and below
CODE_BITS = (8, 4)  # of a number of a vector
GRANULARITIES = ("vector", "dimension", "collection")  # what shares a scale and zero-point
RANGE_METHODS = ("minmax", "percentile", "mse")  # how the range of numbers that have a code of their own is chosen
USUAL_RANGES = {8: "minmax", 4: "mse"}  # by the bits of a code: of few steps the outermost are best spent on no outlier
COMPUTE_MODES = ("auto", "int8", "bf16", "fp32")  # of the encoder's arithmetic
ENGINE_KEEPS_MILLISECONDS = 200  # none at all would take eight times the system's time
THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # torch's libraries read them
INSTRUCTION_CAPS = ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "ATEN_CPU_CAPABILITY")
RANKINGS = ("hybrid", "vector", "words")  # what chunks are compared by; the first is the default
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
    compute: str = COMPUTE_MODES[0]
    llm: str | None = None
    rerank: str | None = None
    reader: str | None = None
    log_queries: bool = False
    llm_key: str | None = field(default=None, repr=False)  # a secret: it must not be shown with the rest
    token: str | None = field(default=None, repr=False)  # another one


def read_settings(compute: str | None = None) -> Settings:
    """The settings of this process, with what a command line says of them; an empty variable counts as unset."""
    environment = {name: value for name, value in os.environ.items() if value}
    user_cache = environment.get("XDG_CACHE_HOME", "~/.cache")
    return Settings(
        store=environment.get("RAG_DB", DEFAULT_STORE),
        model=environment.get("RAG_MODEL"),
        cache=expand_user(environment.get("RAG_CACHE", f"{user_cache}/int8-rag"), "RAG_CACHE"),
        compute=compute or environment.get("RAG_COMPUTE", COMPUTE_MODES[0]),
        offline=is_on(environment.get("HF_HUB_OFFLINE")),
        log_queries=switch("RAG_LOG_QUERIES", environment.get("RAG_LOG_QUERIES")),
        llm=environment.get("RAG_LLM"),
        rerank=environment.get("RAG_RERANK"),
        reader=environment.get("RAG_READER"),
        llm_key=environment.get("RAG_LLM_KEY"),
        token=environment.get("RAG_TOKEN"),
    )


def is_on(value: str | None) -> bool:
    """Whether a variable that is a switch is on."""
    return value is not None and value.upper() in {"1", "ON", "YES", "TRUE"}


def switch(name: str, value: str | None) -> bool:
    """Whether a variable of ours is on; UsageError where it says neither, so that nothing is left out in silence."""
    if value is None or is_on(value):
        return value is not None
    if value.upper() in {"0", "OFF", "NO", "FALSE"}:
        return False
    raise UsageError(f"{name}={value:.40}: it is a switch, so give 1 or 0")


def traces_exporter() -> str | None:
    """Where spans go by the variables of OpenTelemetry: `otlp` for an endpoint, or what is named; None for nowhere."""
    if is_on(os.environ.get("OTEL_SDK_DISABLED")):
        return None
    named = os.environ.get("OTEL_TRACES_EXPORTER")
    if named:
        return None if named == "none" else named
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return "otlp" if any(os.environ.get(name) for name in endpoints) else None


def traces_protocol() -> str | None:
    """The protocol by which spans are to be sent, where one is named."""
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if os.environ.get(name):
            return os.environ[name]
    return None


def given_time_zone() -> str | None:
    """TZ, which the engine reads when it is loaded."""
    return os.environ.get("TZ")


def check_time_zone() -> None:
    """Raises UsageError where TZ names an offset of a day or more: the C library takes it, Python and the driver do not."""
    try:
        datetime.now().astimezone()
    except ValueError as error:
        raise UsageError(
            f"TZ={given_time_zone()}: it is a day or more away from UTC: name a zone such as Europe/Berlin"
        ) from error


@contextmanager
def other_time_zone(name: str) -> Iterator[None]:
    """Another TZ for a block of code, and the process's own one again behind it."""
    given = os.environ.get("TZ")
    os.environ["TZ"] = name
    try:
        yield
    finally:
        if given is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = given
        time.tzset()  # the C library remembers what it has read last


def free_engine_memory_soon() -> None:
    """Has the engine, where it is not loaded yet, give back memory that it has not used for ENGINE_KEEPS_MILLISECONDS.

    It keeps it for five seconds by itself, in which every kind of statement leaves some to a thread of its own. For a process
    that fills a store: a search that comes after a pause would have to ask for the memory again, half a millisecond of it.
    """
    os.environ.setdefault("JE_MALLOC_CONF", f"dirty_decay_ms:{ENGINE_KEEPS_MILLISECONDS}")  # of its jemalloc


def instruction_caps() -> list[str]:
    """What keeps the libraries in torch from using all instructions of the CPU; set by nobody but for measuring."""
    return [os.environ.get(name, "") for name in INSTRUCTION_CAPS]


def chosen_threads() -> bool:
    """Whether the user has said how many threads torch computes with."""
    return any(os.environ.get(name) for name in THREAD_COUNTS)


KEPT_FOR_READERS = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


def reader_environment() -> dict[str, str]:
    """What processes that read files get of the environment: nothing that could be a secret, and one thread each."""
    kept = {name: os.environ[name] for name in KEPT_FOR_READERS if name in os.environ}
    return {
        **kept,
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "MALLOC_ARENA_MAX": "2",
    }
