"""From a folder of documents to rows of the vector table: read, chunk, embed, write.

import ingest, rag

with rag.open(".rag", write=True) as library:
    ingest.sync(library, ["docs/"])
"""

from __future__ import annotations

TYPE_CHECKING = False  # as that of typing, which would be imported before Ctrl-C is minded (sql/base/start.py)
if TYPE_CHECKING:
    from typing import Any

    from ingest.synchronize import Summary, sync

__all__ = ["Summary", "sync"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ingest' has no attribute {name!r}")
    from ingest import synchronize

    value = getattr(synchronize, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
