"""Requests and texts of many clients: how many are in work, what becomes of those that are too slow, what shares a batch."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import PATIENCE, hash_encoder

from rag.serve.batching import shared
from rag.serve.limits import Limits, Refused
from rag.serve.readers import MOST_CHARACTERS, Readers
from rag.serve.work import Workbench, next_of
from sql.base.errors import ModelError, RagError, StoreReplaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rag.text.tokenizer import Tokenizer


def test_one_request_more_than_may_wait_is_sent_away_and_the_others_are_served() -> None:
    bench, gate = Workbench(Limits(at_once=1, waiting=2)), threading.Event()

    async def work() -> list[Any]:
        tasks = [asyncio.create_task(bench.run(gate.wait)) for _ in range(4)]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    *served, sent_away = asyncio.run(work())
    assert served == [True, True, True]
    assert (sent_away.status, str(sent_away)) == (
        429,
        "3 requests are in work or waiting, the most there may be: try again",
    )
    bench.close()
    assert bench.taken == 0


def test_a_request_that_takes_too_long_is_given_up_and_keeps_its_place_until_it_is_done() -> None:
    bench, gate = Workbench(Limits(at_once=1, waiting=0, seconds=0.01)), threading.Event()

    async def work() -> None:
        for status in (503, 429):
            with pytest.raises(Refused) as refused:
                await bench.run(gate.wait)
            assert refused.value.status == status
        gate.set()
        while bench.taken:
            await asyncio.sleep(0.001)

    asyncio.run(work())
    bench.close()


def test_a_stream_hands_over_items_as_they_come_and_stops_when_nobody_listens() -> None:
    bench, made, asked_for = Workbench(Limits(at_once=1)), list[int](), threading.Semaphore(0)

    def items() -> Iterator[int]:
        for number in range(100):
            asked_for.acquire()
            made.append(number)
            yield number

    async def work() -> list[int]:
        stream, found = bench.stream(items), []
        for _ in range(3):
            asked_for.release()
            found.append(await anext(stream))
        await stream.aclose()
        for _ in range(97):
            asked_for.release()
        return found

    assert asyncio.run(work()) == [0, 1, 2]
    bench.close()
    assert made == [0, 1, 2, 3]


def test_what_was_made_in_time_is_there_for_a_client_that_reads_slowly() -> None:
    async def work() -> None:
        arrived, past = asyncio.Queue[int](), asyncio.get_running_loop().time() - 1
        arrived.put_nowait(1)
        assert await next_of(arrived, past) == 1
        with pytest.raises(TimeoutError):
            await next_of(arrived, past)

    asyncio.run(work())


def test_a_stream_raises_what_its_iterator_raises() -> None:
    bench = Workbench(Limits(at_once=1))

    def items() -> Iterator[int]:
        yield 1
        raise RagError("it broke")

    async def work() -> None:
        stream = bench.stream(items)
        assert await anext(stream) == 1
        with pytest.raises(RagError, match="it broke"):
            await anext(stream)

    asyncio.run(work())
    bench.close()


# Batches


def wait_until(holds: Callable[[], bool]) -> None:
    """Waits for what another thread is about to do."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def in_threads(call: Callable[[Any], Any], given: Sequence[Any]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, args=(one,)) for one in given]
    for thread in threads:
        thread.start()
    return threads


class Gated:
    """An encoder whose readers, one of them, wait at a gate, and what becomes of what is asked of it meanwhile."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.alone, _ = hash_encoder(tokenizer)
        self.batches: list[tuple[int, int]] = []
        self.encoder = shared(self.alone, lambda requests, texts: self.batches.append((requests, texts)))
        self.readers, gate = self.encoder.readers, threading.Event()
        self.first = self.readers.ask(lambda texts: gate.wait() and texts, ["first"])
        wait_until(lambda: not self.readers._waiting)
        self.gate = gate

    def waiting(self) -> int:
        return sum(map(len, self.readers._waiting.values()))

    def open(self, threads: list[threading.Thread]) -> None:
        self.gate.set()
        for thread in threads:
            thread.join()
        self.encoder.close()


def test_texts_of_many_threads_share_batches_and_have_the_vectors_they_have_alone(tokenizer: Tokenizer) -> None:
    gated, found = Gated(tokenizer), dict[int, Any]()
    texts = [
        [f"cat {letter} {number}" for number in range(count)]
        for letter, count in zip("abcdef", (1, 2, 3, 1, 40, 1), strict=True)
    ]

    def encode(number: int) -> None:
        found[number] = gated.encoder.encode_documents(texts[number])

    threads = in_threads(encode, range(len(texts)))
    wait_until(lambda: gated.waiting() == 48)
    gated.open(threads)
    for number, each in enumerate(texts):
        np.testing.assert_array_equal(found[number], gated.alone.encode_documents(each))
    assert gated.batches == [(1, 1), (6, 48)]


def test_questions_of_many_threads_share_a_batch_and_their_tokens_are_remembered(tokenizer: Tokenizer) -> None:
    gated, found = Gated(tokenizer), dict[str, Any]()
    asked = [f"cat {'dog ' * number}" for number in range(5)]

    def encode(question: str) -> None:
        found[question] = gated.encoder.encode_query(question)

    threads = in_threads(encode, asked)
    wait_until(lambda: gated.waiting() == len(asked))
    gated.open(threads)
    assert gated.batches == [(1, 1), (5, 5)]
    afresh, _ = hash_encoder(tokenizer)
    for question in asked:
        np.testing.assert_array_equal(found[question], afresh.encode_query(question))
        (states,), (expected,) = gated.encoder.token_states([question]), afresh.token_states([question])
        np.testing.assert_array_equal(states.spans, expected.spans)
        np.testing.assert_array_equal(states.states, expected.states)


def test_passages_of_many_threads_share_a_batch_and_one_that_several_ask_for_is_read_once(tokenizer: Tokenizer) -> None:
    gated, found, read = Gated(tokenizer), dict[int, Any](), list[str]()
    asked = [[f"cat {'dog ' * number}", "the mat"] for number in range(5)]
    read_tokens = gated.alone._read_tokens
    object.__setattr__(
        gated.alone, "_read_tokens", lambda texts, prompt: read.extend(texts) or read_tokens(texts, prompt)
    )

    def read_one(number: int) -> None:
        found[number] = gated.encoder.token_states(asked[number])

    threads = in_threads(read_one, range(len(asked)))
    wait_until(lambda: sum(len(one.requests) for one in gated.readers._asked.values()) == 11)
    gated.open(threads)
    gated.encoder.token_states(["the mat"])  # which is remembered
    assert gated.batches == [(1, 1), (5, 6)]
    assert len(read) == len(set(read)) == 6
    afresh, _ = hash_encoder(tokenizer)
    for number, texts in enumerate(asked):
        for states, expected in zip(found[number], afresh.token_states(texts), strict=True):
            np.testing.assert_array_equal(states.spans, expected.spans)
            np.testing.assert_array_equal(states.states, expected.states)


def test_readers_divide_what_waits_among_those_that_are_idle_and_read_nothing_twice() -> None:
    batches: list[list[str]] = []
    both, gate = threading.Barrier(3), threading.Event()

    def read(texts: Sequence[str]) -> list[int]:
        batches.append(list(texts))
        if len(batches) < 3:
            both.wait()
            gate.wait()
        return [len(text) for text in texts]

    readers = Readers(lambda: 2, nullcontext)
    readers.ask(read, [])  # starts the threads
    wait_until(lambda: readers._idle == 2)
    first = readers.ask(read, ["aa", "bb", "cc", "dd"])
    both.wait()
    again = readers.ask(read, ["aa", "e", "dd", *(f"{number:02}" * (MOST_CHARACTERS // 16) for number in range(20))])
    assert (again[0], again[2]) == (first[0], first[3])
    assert [one.found.done() for one in first] == [False] * 4
    gate.set()
    assert [asked.found.result() for asked in again[:4]] == [2, 1, 2, MOST_CHARACTERS // 8]
    readers.close()
    assert sorted(batches[:2]) == [["aa", "bb"], ["cc", "dd"]]
    assert max(sum(map(len, batch)) for batch in batches) <= MOST_CHARACTERS
    texts = [text for batch in batches for text in batch]
    assert len(texts) == len(set(texts)) == 25
    with pytest.raises(RagError, match="has been closed"):
        readers.ask(read, ["aa"])


def test_a_text_that_waits_in_a_long_request_has_the_turn_of_a_short_one_that_asks_for_it_too() -> None:
    order, gate = list[str](), threading.Event()

    def read(texts: Sequence[str]) -> Sequence[str]:
        gate.wait()
        order.extend(texts)
        return texts

    readers = Readers(lambda: 1, nullcontext)
    readers.ask(read, ["first"])
    wait_until(lambda: not readers._waiting)
    long = [f"{number:02}" * (MOST_CHARACTERS // 2) for number in range(9)]
    slow = readers.ask(read, [*long, "cat"])[-1]
    (fast,) = readers.ask(read, ["cat"])
    assert fast is slow
    gate.set()
    assert fast.found.result() == "cat"
    readers.close()
    assert order == ["first", "cat", *long]


def test_a_text_that_cannot_be_read_is_an_error_of_the_requests_that_need_it() -> None:
    gate = threading.Event()

    def read(texts: Sequence[str]) -> Sequence[str]:
        gate.wait()
        if "bad" in texts:
            raise RagError("this one is bad")
        return texts

    readers = Readers(lambda: 1, nullcontext)
    readers.ask(read, ["first"])
    wait_until(lambda: not readers._waiting)
    asked = readers.ask(read, ["good", "bad", "too"])
    gate.set()
    assert [type(one.found.exception()) for one in asked] == [type(None), RagError, type(None)]
    readers.close()


def test_readers_that_cannot_be_started_tell_everybody_why() -> None:
    def threads() -> int:
        raise ModelError("there is no model")

    readers = Readers(threads, nullcontext)
    for _ in range(2):
        with pytest.raises(ModelError, match="there is no model"):
            readers.results(list, ["text"])
    readers.close()


def test_a_text_that_is_too_long_is_an_error_of_its_own_request_alone(tokenizer: Tokenizer) -> None:
    gated, found = Gated(tokenizer), dict[str, Any]()

    def encode(text: str) -> None:
        try:
            found[text] = gated.encoder.encode([text])
        except RagError as error:
            found[text] = error

    bad = "cat " * 300
    threads = in_threads(encode, ["dog", bad, "mat"])
    wait_until(lambda: gated.waiting() == 3)
    gated.open(threads)
    assert gated.batches == [(1, 1), (3, 3)]
    assert isinstance(found[bad], RagError)
    assert "shorten it" in str(found[bad])
    for text in ("dog", "mat"):
        np.testing.assert_array_equal(found[text], gated.alone.encode([text]))
    with pytest.raises(RagError, match="has been closed"):
        gated.encoder.encode(["cat"])


def test_short_requests_are_read_between_the_batches_of_a_large_one_and_do_not_keep_it_waiting() -> None:
    order, gate = list[str](), threading.Event()

    def reading(name: str) -> Callable[[Sequence[str]], Sequence[str]]:
        return lambda texts: (gate.wait() and order.append(name)) or texts

    readers, large, small = Readers(lambda: 1, nullcontext), reading("large"), reading("small")
    readers.ask(large, ["first"])
    wait_until(lambda: not readers._waiting)
    for number in range(3):  # one of three batches
        readers.ask(large, [f"{number} {place:03}" + " " * (MOST_CHARACTERS // 100 - 5) for place in range(300)])
    for number in range(3):
        readers.ask(small, [f"question {number}"])
    for number in range(3):  # as long as a batch
        readers.ask(reading(f"passages {number}"), [f"{number}" * MOST_CHARACTERS])
    gate.set()
    readers.close()
    assert order[:2] == ["large", "small"]
    places = [order.index(f"passages {number}") for number in range(3)]
    assert places == sorted(places)
    assert places[2] < len(order) - 1 - order[::-1].index("large")
    assert order.count("large") == 1 + 9


# A store that another one takes the place of


class Opened:
    """A library over a store that has been replaced, or over the one that is there now."""

    def __init__(self, says: str | None) -> None:
        self.says, self.encoder, self.closed = says, f"encoder of {says}", False

    def ask(self) -> str:
        if self.says is None:
            raise StoreReplaced("the store was replaced by another one while it was open: open it again")
        return self.says

    def close(self) -> None:
        self.closed = True


def service_over(library: Opened, reopen: Callable[[], Opened] | None) -> Any:
    from rag.serve.app import Service
    from rag.serve.telemetry import Telemetry

    return Service(library, Limits(at_once=4), Telemetry(lambda line: None), reopen=reopen)  # type: ignore[arg-type]


async def test_requests_at_once_open_a_store_that_was_replaced_one_time_and_all_get_their_answers() -> None:
    opened, old = list[Opened](), Opened(None)

    def reopen() -> Opened:
        opened.append(Opened("new"))
        return opened[-1]

    service = service_over(old, reopen)
    answers = await asyncio.gather(*(service.run(lambda: service.library.ask()) for _ in range(8)))
    assert answers == ["new"] * 8
    assert (len(opened), old.closed, service.encoder) == (1, True, "encoder of new")
    service.bench.close()


async def test_a_store_that_cannot_be_opened_again_is_a_503_and_the_next_request_tries_anew() -> None:
    tries = [ModelError("the model two is not on this machine"), None]

    def reopen() -> Opened:
        if (error := tries.pop(0)) is not None:
            raise error
        return Opened("new")

    service = service_over(Opened(None), reopen)
    with pytest.raises(Refused, match="the model two is not on this machine") as refused:
        await service.run(lambda: service.library.ask())
    assert (refused.value.status, refused.value.code) == (503, "model")
    assert await service.run(lambda: service.library.ask()) == "new"
    service.bench.close()


async def test_where_nobody_can_open_it_again_the_client_is_told_to() -> None:
    service = service_over(Opened(None), None)
    with pytest.raises(Refused, match="open it again") as refused:
        await service.run(lambda: service.library.ask())
    assert (refused.value.status, refused.value.code) == (503, "store-replaced")
    service.bench.close()
