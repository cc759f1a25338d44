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

from rag.encoder.states import TokenStates
from rag.serve.batching import MOST_TEXTS, SLICE, Batcher, shared
from rag.serve.limits import Limits, Refused
from rag.serve.readers import MOST_PASSAGES, Readers
from rag.serve.work import Workbench, next_of
from sql.base.errors import ModelError, RagError, StoreReplaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

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


def test_texts_of_many_threads_share_batches_and_have_the_vectors_they_have_alone(tokenizer: Tokenizer) -> None:
    alone, _ = hash_encoder(tokenizer)
    batches: list[tuple[int, int]] = []
    encoder = shared(alone, lambda requests, texts: batches.append((requests, texts)))
    texts = [
        [f"cat {letter} {number}" for number in range(count)]
        for letter, count in zip("abcdef", (1, 2, 3, 1, 40, 1), strict=True)
    ]
    expected = [alone.encode_documents(each) for each in texts]
    gate, plain, found = threading.Event(), alone.encode, dict[int, Any]()
    encoder.batcher.compute = lambda given: gate.wait() and plain(given)  # type: ignore[assignment,return-value]
    encoder.batcher.submit(["first"])
    wait_until(lambda: not encoder.batcher._waiting)

    def encode(number: int) -> None:
        found[number] = encoder.encode_documents(texts[number])

    threads = [threading.Thread(target=encode, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    wait_until(lambda: sum(len(one) for one, _ in encoder.batcher._waiting) == 48)
    gate.set()
    for thread in threads:
        thread.join()
    encoder.batcher.close()
    for number, vectors in enumerate(expected):
        np.testing.assert_array_equal(found[number], vectors)
    assert batches == [(1, 1), (7, 48)]  # the request of 40 texts has come in two slices


def test_questions_of_many_threads_share_a_batch_and_their_tokens_are_remembered(tokenizer: Tokenizer) -> None:
    alone, _ = hash_encoder(tokenizer)
    batches: list[tuple[int, int]] = []
    encoder = shared(alone, lambda requests, texts: batches.append((requests, texts)))
    asked = [f"cat {'dog ' * number}" for number in range(5)]
    gate, plain, found = threading.Event(), encoder.questions.compute, dict[str, Any]()
    encoder.questions.compute = lambda given: gate.wait() and plain(given)
    encoder.questions.submit(["first"])
    wait_until(lambda: not encoder.questions._waiting)

    def encode(question: str) -> None:
        found[question] = encoder.encode_query(question)

    threads = [threading.Thread(target=encode, args=(question,)) for question in asked]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(encoder.questions._waiting) == len(asked))
    gate.set()
    for thread in threads:
        thread.join()
    encoder.close()
    assert batches == [(1, 1), (5, 5)]
    for question in asked:
        np.testing.assert_array_equal(found[question], alone.encode_query(question))
        (states,), (expected,) = encoder.token_states([question]), alone.token_states([question])
        np.testing.assert_array_equal(states.spans, expected.spans)
        np.testing.assert_array_equal(states.states, expected.states)


def test_passages_of_many_threads_share_a_batch_and_one_that_several_ask_for_is_read_once(tokenizer: Tokenizer) -> None:
    alone, _ = hash_encoder(tokenizer)
    batches: list[tuple[int, int]] = []
    encoder = shared(alone, lambda requests, texts: batches.append((requests, texts)))
    asked = [[f"cat {'dog ' * number}", "the mat"] for number in range(5)]
    gate, plain, found, read = threading.Event(), encoder.passages.read, dict[int, Any](), list[str]()
    encoder.passages.read = lambda given: gate.wait() and plain(given)
    read_tokens = alone._read_tokens
    object.__setattr__(alone, "_read_tokens", lambda texts, prompt: read.extend(texts) or read_tokens(texts, prompt))
    encoder.passages.ask(["first"])
    wait_until(lambda: not encoder.passages._waiting)

    def read_one(number: int) -> None:
        found[number] = encoder.token_states(asked[number])

    threads = [threading.Thread(target=read_one, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    wait_until(lambda: encoder.passages._requests == 1 + len(asked))
    gate.set()
    for thread in threads:
        thread.join()
    encoder.token_states(["the mat"])  # which is remembered
    encoder.close()
    assert batches == [(1, 1), (5, 6)]
    assert len(read) == len(set(read)) == 7
    afresh, _ = hash_encoder(tokenizer)
    for number, texts in enumerate(asked):
        for states, expected in zip(found[number], afresh.token_states(texts), strict=True):
            np.testing.assert_array_equal(states.spans, expected.spans)
            np.testing.assert_array_equal(states.states, expected.states)


def states_of(text: str) -> TokenStates:
    return TokenStates(np.zeros((1, 2), np.int64), np.full((1, 1), len(text), np.float16))


def test_readers_divide_what_waits_among_those_that_are_idle_and_read_nothing_twice() -> None:
    batches: list[list[str]] = []
    both, gate = threading.Barrier(3), threading.Event()

    def read(texts: Sequence[str]) -> list[TokenStates]:
        batches.append(list(texts))
        if len(batches) < 3:
            both.wait()
            gate.wait()
        return [states_of(text) for text in texts]

    readers = Readers(read, lambda: 2, nullcontext)
    readers.ask([])  # starts the threads
    wait_until(lambda: readers._idle == 2)
    first = readers.ask(["aa", "bb", "cc", "dd"])
    both.wait()
    again = readers.ask(["aa", "e", "dd", *(f"many {number}" for number in range(20))])
    assert (again[0], again[2]) == (first[0], first[3])
    gate.set()
    assert [float(asked.states.result().states[0, 0]) for asked in again[:4]] == [2, 1, 2, 6]
    readers.close()
    assert sorted(batches[:2]) == [["aa", "bb"], ["cc", "dd"]]
    assert max(map(len, batches)) == MOST_PASSAGES
    texts = [text for batch in batches for text in batch]
    assert len(texts) == len(set(texts)) == 25
    with pytest.raises(RagError, match="has been closed"):
        readers.ask(["aa"])


def test_a_passage_that_cannot_be_read_is_an_error_of_the_requests_that_need_it() -> None:
    gate = threading.Event()

    def read(texts: Sequence[str]) -> list[TokenStates]:
        gate.wait()
        if "bad" in texts:
            raise RagError("this one is bad")
        return [states_of(text) for text in texts]

    readers = Readers(read, lambda: 1, nullcontext)
    readers.ask(["first"])
    wait_until(lambda: not readers._waiting)
    asked = readers.ask(["good", "bad", "too"])
    gate.set()
    assert [type(one.states.exception()) for one in asked] == [type(None), RagError, type(None)]
    readers.close()


def test_readers_that_cannot_be_started_tell_everybody_why() -> None:
    def count() -> int:
        raise ModelError("there is no model")

    readers = Readers(lambda texts: [], count, nullcontext)
    for _ in range(2):
        with pytest.raises(ModelError, match="there is no model"):
            readers.states_of(["text"])
    readers.close()


def test_a_text_that_is_too_long_is_an_error_of_its_own_request_alone(tokenizer: Tokenizer) -> None:
    alone, _ = hash_encoder(tokenizer)
    encoder = shared(alone)
    good, bad = encoder.batcher.submit(["cat"]), None
    gate = threading.Event()
    plain = encoder.batcher.compute
    encoder.batcher.compute = lambda given: gate.wait() and plain(given)  # type: ignore[assignment,return-value]
    futures = [encoder.batcher.submit([text]) for text in ("dog", "cat " * 300, "mat")]
    gate.set()
    bad = futures[1].exception()
    assert isinstance(bad, RagError)
    assert "shorten it" in str(bad)
    for future, text in ((good, "cat"), (futures[0], "dog"), (futures[2], "mat")):
        np.testing.assert_array_equal(future.result(), alone.encode([text]))
    encoder.batcher.close()
    with pytest.raises(RagError, match="has been closed"):
        encoder.encode(["cat"])


def test_a_large_request_lets_others_in_between_its_slices() -> None:
    order: list[int] = []
    gate = threading.Event()

    def compute(texts: Sequence[str]) -> NDArray[np.float32]:
        gate.wait()
        order.append(len(texts))
        return np.zeros((len(texts), 1), np.float32)

    batcher = Batcher(compute)
    batcher.submit(["first"])
    wait_until(lambda: not batcher._waiting)
    for _ in range(8):
        batcher.submit(["text"] * SLICE)
    batcher.submit(["question"])
    gate.set()
    batcher.close()
    assert order == [1, MOST_TEXTS, MOST_TEXTS, 1]


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
