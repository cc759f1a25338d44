"""Pieces go through all steps in order, each step has one at a time, and what fails is raised while the rest is finished."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import dataclass, field

import pytest

from rag.index.line import Dropped, Line

PATIENCE = 60


@dataclass(eq=False)
class Piece:
    """What the steps have done to it."""

    number: int
    done: list[str] = field(default_factory=list)


@dataclass
class Steps:
    """Two steps that note what they do; each waits for its gate."""

    first_may: threading.Event = field(default_factory=threading.Event)
    second_may: threading.Event = field(default_factory=threading.Event)
    finished: list[int] = field(default_factory=list)
    fails_at: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        self.first_may.set()
        self.second_may.set()

    def first(self, piece: Piece) -> None:
        assert self.first_may.wait(PATIENCE)
        self._note("first", piece)

    def second(self, piece: Piece) -> None:
        assert self.second_may.wait(PATIENCE)
        self._note("second", piece)
        self.finished.append(piece.number)

    def _note(self, step: str, piece: Piece) -> None:
        if self.fails_at == (step, piece.number):
            raise OSError("no space")
        piece.done.append(step)


def line_of(steps: Steps) -> Line[Piece]:
    return Line((steps.first, steps.second))


def put_all(line: Line[Piece], count: int) -> None:
    for number in range(count):
        line.put(Piece(number))


def test_pieces_go_through_all_steps_in_order() -> None:
    steps = Steps()
    line, pieces = line_of(steps), [Piece(number) for number in range(20)]
    for piece in pieces:
        line.put(piece)
    line.wait()
    assert steps.finished == list(range(20))
    assert all(piece.done == ["first", "second"] for piece in pieces)
    line.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("step")]


def test_a_step_does_not_wait_for_the_next_one_but_never_gets_far_ahead() -> None:
    steps = Steps()
    line, pieces = line_of(steps), [Piece(number) for number in range(6)]
    steps.second_may.clear()
    putting = threading.Thread(target=lambda: [line.put(piece) for piece in pieces])
    putting.start()
    putting.join(0.2)
    assert (
        putting.is_alive()
    )  # one is stored, one waits for that, one has been encoded, one waits: the others stay outside
    assert len([piece for piece in pieces if piece.done]) <= 3
    steps.second_may.set()
    putting.join(PATIENCE)
    line.wait()
    line.close()
    assert steps.finished == list(range(6))


def test_a_step_knows_whether_another_piece_is_on_its_way_to_it() -> None:
    steps, heard = Steps(), []
    line: Line[Piece]

    def second(piece: Piece) -> None:
        heard.append(line.has_before(1))
        steps.second(piece)

    line = Line((steps.first, second))
    steps.first_may.clear()
    line.put(Piece(0))
    line.put(Piece(1))  # waits before the first step, which has one
    steps.first_may.set()
    line.wait()
    line.close()
    assert heard == [True, False]


@pytest.mark.parametrize("step", ["first", "second"])
def test_what_a_step_raises_is_raised_once_and_for_all_and_what_was_before_it_is_finished(step: str) -> None:
    steps, told = Steps(fails_at=(step, 2)), threading.Event()
    line = Line((steps.first, steps.second), told.set)
    with pytest.raises(OSError, match="no space"):
        put_all(line, 1000)
    assert told.wait(PATIENCE)
    with pytest.raises(OSError, match="no space"):
        line.wait()
    line.drop()
    assert steps.finished == [0, 1]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("step")]


def test_what_reached_the_last_step_is_finished_when_the_rest_is_dropped() -> None:
    steps = Steps()
    steps.second_may.clear()
    line = line_of(steps)

    def first(piece: Piece) -> None:
        if piece.number == 1:
            while True:  # until it is told
                line.check()

    line.steps = (first, steps.second)
    put_all(line, 3)
    threading.Timer(0.1, steps.second_may.set).start()
    line.drop()
    assert steps.finished == [0]
    with pytest.raises(Dropped):
        line.check()


def test_a_step_can_wait_for_what_is_before_its_piece() -> None:
    steps = Steps()
    seen: list[list[int]] = []

    def first(piece: Piece) -> None:
        line.wait_for_later(0)
        seen.append(list(steps.finished))

    line = Line((first, steps.second))
    put_all(line, 4)
    line.wait()
    line.close()
    assert seen == [list(range(number)) for number in range(4)]


def test_nobody_keeps_a_piece_that_is_done() -> None:
    line = line_of(Steps())
    piece = Piece(0)
    kept = weakref.ref(piece)
    line.put(piece)
    line.wait()
    del piece
    line.put(Piece(1))
    line.wait()
    gc.collect()
    assert kept() is None
    line.close()
