"""NumPy's matrix products on one thread while a question is encoded: the one place that talks to BLAS about threads.

    with one_blas_thread():
        products = codes @ weights

BLAS splits each of the many small products of a question over its threads, and those that are done spin until the last
one is. Beside other programs the last one often waits for a core itself, and a question then takes many times as long
(docs/models.md). A machine at rest loses nothing: most of a question's time goes into widening the weights.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np  # noqa: F401  # whose BLAS has to be loaded before the controller looks for it
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Iterator

_GUARD = threading.Lock()
_inside: list[ExitStack] = []  # a place for each caller that is inside; the first one holds what brings the number back


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it lasts, products of NumPy use one thread; BLAS has one number for the whole process.

    Where callers overlap, the first one sets the number and the last one brings it back. Nothing changes for a BLAS that
    cannot be told, such as Accelerate of macOS.
    """
    with _GUARD:
        if not _inside:
            number = ExitStack()
            number.enter_context(_controller().limit(limits=1, user_api="blas"))
            _inside.append(number)
        else:
            _inside.append(_inside[0])
    try:
        yield
    finally:
        with _GUARD:
            number = _inside.pop()
            if not _inside:
                number.close()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
