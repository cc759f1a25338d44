"""Ask your own documents: an int8 DistilBERT, int8 vectors with scale and zero-point, and search in plain SQL.

    import rag

    with rag.open(".rag") as library:
        answer = library.ask("How many bytes does one stored vector take?")

Names are imported when they are used first, so that `import rag` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as that of typing, which would be imported before Ctrl-C is minded (sql/base/start.py)
if TYPE_CHECKING:
    from typing import Any

    from rag.answer.answer import Answer, Citation
    from rag.answer.check import GeneratedAnswer
    from rag.answer.events import AnswerStream, Finished, Passages, Token
    from rag.answer.follow_up import Turn
    from rag.library import Library, open  # noqa: A004 - as `gzip.open` and `tarfile.open` are called
    from sql.base.errors import (
        InvalidFilter,
        ModelError,
        NoStore,
        RagError,
        StoreBusy,
        StoreError,
        StoreMismatch,
        UsageError,
    )
    from sql.records import Hit, LiveDocument
    from sql.search.request import SearchRequest
    from sql.upkeep.stats import Stats

__all__ = [
    "Answer",
    "AnswerStream",
    "Citation",
    "Finished",
    "GeneratedAnswer",
    "Hit",
    "InvalidFilter",
    "Library",
    "LiveDocument",
    "ModelError",
    "NoStore",
    "Passages",
    "RagError",
    "SearchRequest",
    "Stats",
    "StoreBusy",
    "StoreError",
    "StoreMismatch",
    "Token",
    "Turn",
    "UsageError",
    "open",
]

_HOMES = {
    "rag.library": ("Library", "open"),
    "rag.answer.answer": ("Answer", "Citation"),
    "rag.answer.check": ("GeneratedAnswer",),
    "rag.answer.events": ("AnswerStream", "Finished", "Passages", "Token"),
    "rag.answer.follow_up": ("Turn",),
    "sql.records": ("Hit", "LiveDocument"),
    "sql.search.request": ("SearchRequest",),
    "sql.upkeep.stats": ("Stats",),
    "sql.base.errors": (
        "InvalidFilter",
        "ModelError",
        "NoStore",
        "RagError",
        "StoreBusy",
        "StoreError",
        "StoreMismatch",
        "UsageError",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
