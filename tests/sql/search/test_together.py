"""What several threads ask for at one time is computed once, and each gets what it would have had alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sql.search.together import Apart, Asking, Together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECONDS = 10.0


class Doubling:
    """Doubles numbers, refuses 13, and keeps what it was given; the first computation waits until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.began, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        if not self.began.is_set():
            self.began.set()
            assert self.may_go_on.wait(SECONDS)
        if 13 in numbers:
            raise ValueError("13 cannot be doubled")
        return [2 * number for number in numbers]


def asked_behind(
    doubling: Doubling, together: Together, numbers: Sequence[int], key: Callable = lambda n: None
) -> list:
    """The results, or the errors, of numbers that are asked for, one after the other, while 0 is being doubled."""

    def ask(number: int) -> object:
        try:
            return together.ask(key(number), number)
        except Exception as error:
            return str(error)

    with ThreadPoolExecutor(len(numbers) + 1) as threads:
        first = threads.submit(ask, 0)
        assert doubling.began.wait(SECONDS)
        rest = []
        for count, number in enumerate(numbers, start=1):
            rest.append(threads.submit(ask, number))
            while sum(map(len, together._waiting.values())) + len(doubling.batches) - 1 < count:
                assert not rest[-1].done()  # it waits, or is being computed beside the first
        doubling.may_go_on.set()
        assert first.result(SECONDS) == 0
        return [one.result(SECONDS) for one in rest]


def test_what_comes_while_one_is_computed_is_computed_together() -> None:
    doubling = Doubling()
    assert asked_behind(doubling, Together(doubling), [1, 2, 3]) == [2, 4, 6]
    assert doubling.batches == [[0], [1, 2, 3]]


def test_no_more_than_so_many_are_computed_together_and_none_is_forgotten() -> None:
    doubling = Doubling()
    assert asked_behind(doubling, Together(doubling, most=2), [1, 2, 3]) == [2, 4, 6]
    assert doubling.batches == [[0], [1, 2], [3]]


def test_an_error_is_that_of_one_alone() -> None:
    doubling = Doubling()
    assert asked_behind(doubling, Together(doubling), [1, 13, 3]) == [2, "13 cannot be doubled", 6]
    assert doubling.batches[:2] == [[0], [1, 13, 3]]
    assert sorted(doubling.batches[2:]) == [[1], [3], [13]]


def test_who_is_alone_waits_for_nobody_and_leaves_nothing_behind() -> None:
    together = Together(lambda numbers: [2 * number for number in numbers])
    assert [together.ask(None, number) for number in (1, 2)] == [2, 4]
    assert not together._waiting


def test_an_error_of_one_that_is_alone_is_raised_once() -> None:
    doubling = Doubling()
    doubling.began.set()
    with pytest.raises(ValueError, match="13 cannot"):
        Together(doubling).ask(None, 13)
    assert doubling.batches == [[13]]


def test_what_gains_nothing_by_several_is_computed_for_each() -> None:
    doubling = Doubling()

    def compute(numbers: Sequence[int]) -> list[int]:
        if len(numbers) > 1:
            raise Apart
        return doubling(numbers)

    assert asked_behind(doubling, Together(compute), [1, 2]) == [2, 4]
    assert sorted(doubling.batches) == [[0], [1], [2]]


@pytest.mark.parametrize("already_leads", [False, True])
def test_who_is_interrupted_while_it_waits_leaves_its_place_to_the_next(
    monkeypatch: pytest.MonkeyPatch, *, already_leads: bool
) -> None:
    class CtrlC(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if already_leads:
                super().wait(timeout)
            raise KeyboardInterrupt

    def asking(item: int) -> Asking:
        return Asking(item, CtrlC()) if item == 1 else Asking(item)

    monkeypatch.setattr("sql.search.together.Asking", asking)
    doubling = Doubling()
    together = Together(doubling, most=1)
    with ThreadPoolExecutor(3) as threads:
        numbers = [threads.submit(together.ask, None, 0)]
        assert doubling.began.wait(SECONDS)
        for waiting, number in enumerate((1, 2)):
            numbers.append(threads.submit(together.ask, None, number))
            while not numbers[-1].done() and len(together._waiting[None]) <= already_leads * waiting:
                pass
        doubling.may_go_on.set()
        assert isinstance(numbers[1].exception(SECONDS), KeyboardInterrupt)
        assert [numbers[0].result(SECONDS), numbers[2].result(SECONDS)] == [0, 4]
    assert doubling.batches == [[0], [2]]
    assert not together._waiting
