"""How long an ingest makes room for readers: for each that has just come, and for a third of the time at most."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from support import PATIENCE, hash_encoder, open_store

from sql.engine.answering import Answering
from sql.engine.courtesy import MOST_AT_ONCE, PAID_BACK, SECONDS_FOR_EACH, Courtesy, Credit
from sql.engine.wire import connect, knocking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer
    from sql.store import Store


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_nobody_is_waited_for_where_nobody_is() -> None:
    courtesy = Courtesy(Clock())
    courtesy.give_way()
    assert courtesy.seconds() == 0


def test_a_reader_is_waited_for_until_it_goes_or_its_time_is_over() -> None:
    clock = Clock()
    courtesy = Courtesy(clock)
    courtesy.arrive("a")
    assert courtesy.seconds() == SECONDS_FOR_EACH
    clock.now += 1
    courtesy.arrive("b")
    courtesy.leave("a")
    assert courtesy.seconds() == SECONDS_FOR_EACH
    courtesy.leave("b")
    assert courtesy.seconds() == 0
    courtesy.arrive("c")
    clock.now += SECONDS_FOR_EACH
    assert courtesy.seconds() == 0


def test_what_may_be_waited_is_a_third_of_the_time_whatever_readers_do() -> None:
    credit, now, waiting = Credit(), 100.0, 0.0
    credit.at(now, waiting=False)
    for _ in range(2_000):
        seconds = min(SECONDS_FOR_EACH, credit.at(now, waiting=False))
        waiting += seconds
        now += seconds
        credit.at(now, waiting=True)
        now += 0.25  # a batch
    assert waiting == pytest.approx(MOST_AT_ONCE + PAID_BACK * 2_000 * 0.25, rel=0.01)


def test_a_day_without_readers_earns_no_more_than_is_waited_at_once() -> None:
    credit = Credit()
    credit.at(0.0, waiting=False)
    assert credit.at(86_400.0, waiting=False) == MOST_AT_ONCE


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as store:
        store.client.answer_readers()
        yield store


def courtesy_of(store: Store) -> Courtesy:
    engine = store.client._engine
    assert engine is not None
    assert isinstance(engine.answers, Answering)
    return engine.answers.courtesy


def await_reader(courtesy: Courtesy) -> None:
    until = time.monotonic() + PATIENCE
    while not courtesy.seconds() and time.monotonic() < until:
        time.sleep(0.001)


def test_work_goes_on_when_a_reader_that_has_just_come_goes(held: Store, tmp_path: Path) -> None:
    held.client.give_way()
    wire = connect(tmp_path / "store")
    await_reader(courtesy_of(held))
    working = threading.Thread(target=held.client.give_way)
    working.start()
    wire.close()
    working.join(PATIENCE)
    assert not working.is_alive()
    assert courtesy_of(held).seconds() == 0


def test_a_command_knocks_before_it_has_loaded_anything_and_no_store_is_no_obstacle(
    held: Store, tmp_path: Path
) -> None:
    with knocking(tmp_path / "store"):
        await_reader(courtesy_of(held))
        assert courtesy_of(held).seconds() > 0
    with knocking(None), knocking(tmp_path / "nowhere"), knocking(tmp_path):
        pass


def test_an_encoder_asks_before_each_batch_whether_it_is_to_wait(tokenizer: Tokenizer) -> None:
    encoder, kernel = hash_encoder(tokenizer)
    asked: list[int] = []
    encoder.encode_documents(["kiln " * length for length in (1, 20, 40)], give_way=lambda: asked.append(kernel.calls))
    assert asked == list(range(kernel.calls))
    assert kernel.calls == 3
