"""A question is encoded on one thread of BLAS, and whoever computes besides has as many threads afterwards as before."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import write_tiny_checkpoint
from threadpoolctl import ThreadpoolController

from rag.compute.blas import one_blas_thread
from rag.encoder import kernel_numpy
from rag.encoder.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


def blas_threads() -> list[int]:
    """The number of threads of every BLAS that is loaded."""
    return [each["num_threads"] for each in ThreadpoolController().select(user_api="blas").info()]


def set_threads(number: int) -> None:
    """Sets the number of threads in a thread that ends: the one that has set it last may keep all others from it."""
    setting = threading.Thread(target=ThreadpoolController().limit, kwargs={"limits": number, "user_api": "blas"})
    setting.start()
    setting.join()


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """BLAS with two threads, however many processors there are."""
    (before,) = set(blas_threads()) or {0}
    set_threads(2)
    if set(blas_threads()) != {2}:
        pytest.skip("this NumPy has a BLAS whose threads nobody can set")
    yield
    set_threads(before)


def test_products_use_one_thread_and_afterwards_as_many_as_before() -> None:
    with one_blas_thread():
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


def test_the_number_comes_back_after_an_error() -> None:
    with pytest.raises(ValueError, match=r"^x$"), one_blas_thread():
        raise ValueError("x")
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_the_number_comes_back_however_callers_overlap(first_leaves_first: bool) -> None:
    first_is_in, first_may_leave = threading.Event(), threading.Event()

    def first() -> None:
        with one_blas_thread():
            first_is_in.set()
            assert first_may_leave.wait(20)

    other = threading.Thread(target=first)
    other.start()
    assert first_is_in.wait(20)
    with one_blas_thread():
        assert set(blas_threads()) == {1}
        if first_leaves_first:
            first_may_leave.set()
            other.join(20)
    first_may_leave.set()
    other.join(20)
    assert set(blas_threads()) == {2}


def test_a_question_is_encoded_on_one_thread(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = kernel_numpy.NumpyKernel(read_checkpoint(write_tiny_checkpoint(tmp_path / "model", tokenizer)))
    seen: list[int] = []
    attend = kernel_numpy.attend

    def watched(*values: Any) -> Any:
        seen.extend(blas_threads())
        return attend(*values)

    monkeypatch.setattr(kernel_numpy, "attend", watched)
    kernel.forward(np.array([[1, 2, 3]]), np.array([3]))
    assert set(seen) == {1}
    assert set(blas_threads()) == {2}
