"""torch as this program loads it, and how many threads it computes with: the one place that imports it.

    from rag.compute.torch_door import torch

OpenMP, which torch computes with, splits every operation over its threads and lets those that are done wait for the last
one, spinning. On a machine that does other things too, the last one is often waiting for a core itself, and an encoder
then keeps less than a third of its speed (docs/models.md). So batches are computed side by side instead, each by a
thread that shares no work (`limited`): no thread waits for another, whatever else runs.

In a container with a CPU quota torch starts as many threads as the machine has cores. Where nobody else has said how
many it should be, they are as many as the quota pays for.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.compute.processors import usable_processors
from sql.base.settings import chosen_threads

OURS = "torch" not in sys.modules  # else somebody else has loaded it, and decides over its threads

import torch  # noqa: E402

if OURS and not chosen_threads() and (processors := usable_processors()) < torch.get_num_threads():
    torch.set_num_threads(processors)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["batch_threads", "limited", "torch"]


def batch_threads() -> int:
    """How many threads may compute batches side by side: as many as torch has; 1 where they cannot be kept apart."""
    apart = openmp_setter() is not None and (mkl_setter() is not None or not torch.backends.mkl.is_available())
    return int(torch.get_num_threads()) if apart else 1


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """While it lasts, torch's operations that this thread calls use so many threads; others are not concerned.

    MKL's products use one in any case: split over several they are summed in another order, and a text's vector is not to
    depend on the number. `torch.set_num_threads` would also decide for all threads that have not called torch yet.
    """
    openmp, mkl = openmp_setter(), mkl_setter()
    before = torch.get_num_threads()  # torch takes its own default when a thread asks for the first time: not later
    mkl_before = mkl(1) if mkl else 0
    if openmp:
        openmp(threads)
    try:
        yield
    finally:
        if openmp:
            openmp(before)
        if mkl:
            mkl(mkl_before)


@cache
def openmp_setter() -> Callable[[int], object] | None:
    """`omp_set_num_threads` of the OpenMP that torch computes with, which holds for the calling thread alone.

    None where there is no such function, or it is not heard: torch can be built without OpenMP, and two of them can be
    in one process.
    """
    choose = library_function("omp_set_num_threads")
    if choose is None:
        return None
    before = torch.get_num_threads()
    choose(before + 1)
    heard = torch.get_num_threads() == before + 1
    choose(before)
    return choose if heard else None


@cache
def mkl_setter() -> Callable[[int], int] | None:
    """`mkl_set_num_threads_local` of the MKL in torch: for the calling thread alone, and returns what held before.

    MKL follows OpenMP until somebody calls `torch.set_num_threads`, and from then on has a number of its own.
    """
    return library_function("MKL_Set_Num_Threads_Local") if torch.backends.mkl.is_available() else None


def library_function(name: str) -> Callable[[int], int] | None:
    """A function of the libraries that torch has loaded, int -> int; None where none of them shows one of this name."""
    own = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    for library in (None, str(own)):
        try:
            function: Callable[[int], int] = getattr(ctypes.CDLL(library), name)
        except (AttributeError, OSError, TypeError):
            continue
        return function
    return None
