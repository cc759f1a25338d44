"""NumPy's matrix products on one thread while a question is encoded: the one place that talks to BLAS about threads.

    with one_blas_thread():
        products = codes @ weights

BLAS splits each of the many small products of a question over its threads, and those that are done spin until the last
one is. Beside other programs the last one often waits for a core itself, and a question then takes many times as long
(docs/models.md). A machine at rest loses nothing: most of a question's time goes into widening the weights.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np  # noqa: F401  # whose BLAS has to be loaded before the controller looks for it
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOLDER = threading.Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it lasts, products of NumPy use one thread; BLAS has one number for the whole process.

    Where callers overlap, the first one sets the number and brings it back, and the others leave it alone: what a second
    one found and brought back would be the first one's. Nothing changes for a BLAS that cannot be told, such as
    Accelerate of macOS.
    """
    if not _HOLDER.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _HOLDER.release()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
