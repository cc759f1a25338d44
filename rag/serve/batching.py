"""Texts of many requests in, their vectors out, computed together: what is asked while one batch is computed is the next.

Nobody waits for a batch to fill. A text's vector depends on the text alone (rag/encoder/encoder.py), so nobody gets
another one than by itself; eight questions in a batch take a fourth of the time that they take one by one.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.encoder.encoder import Encoder
from rag.serve.readers import Readers
from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from rag.encoder.states import TokenStates

    Vectors = NDArray[np.float32]

SLICE = 32  # texts of one request that are computed before others have their turn
MOST_TEXTS = 128  # of a batch: a question behind it waits a second or less


@dataclass(eq=False)
class Batcher:
    """A thread that computes what other threads ask for: a row for each text, in whatever form `compute` returns them.

    `watch` hears of each batch: its requests and its texts, which are `most` or fewer unless one request has more.
    """

    compute: Callable[[Sequence[str]], Any]
    watch: Callable[[int, int], None] = lambda requests, texts: None
    most: int = MOST_TEXTS
    _waiting: deque[tuple[list[str], Future[Any]]] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False
    _thread: threading.Thread | None = None

    def submit(self, texts: list[str]) -> Future[Any]:
        """The rows of some texts, later; RagError after `close`."""
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise RagError("the encoder has been closed: nothing is encoded any more")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="encoder")
                self._thread.start()
            self._waiting.append((texts, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Computes what waits, and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            self.watch(len(batch), sum(len(texts) for texts, _ in batch))
            try:
                rows = self.compute([text for texts, _ in batch for text in texts])
            except BaseException as error:
                # Of several, one may be at fault, such as a text that is too long.
                if len(batch) == 1:
                    batch[0][1].set_exception(error)
                else:
                    self._one_by_one(batch)
                continue
            first = 0
            for texts, future in batch:
                future.set_result(rows[first : first + len(texts)])
                first += len(texts)

    def _next_batch(self) -> list[tuple[list[str], Future[Any]]]:
        """Those that have waited longest, as many as fit; none when there will be no more."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            batch: list[tuple[list[str], Future[Any]]] = []
            room = self.most
            while self._waiting and (not batch or len(self._waiting[0][0]) <= room):
                batch.append(self._waiting.popleft())
                room -= len(batch[-1][0])
            return batch

    def _one_by_one(self, batch: Sequence[tuple[list[str], Future[Any]]]) -> None:
        for texts, future in batch:
            try:
                future.set_result(self.compute(texts))
            except BaseException as error:
                future.set_exception(error)


@dataclass(frozen=True)
class SharedEncoder(Encoder):
    """An encoder whose batches hold texts of several threads; otherwise the one it was made of, vector for vector."""

    batcher: Batcher = field(kw_only=True, repr=False, compare=False)
    questions: Batcher = field(kw_only=True, repr=False, compare=False)  # whose tokens are read with them
    passages: Readers = field(kw_only=True, repr=False, compare=False)  # of answers

    def read_questions(self, questions: Sequence[str]) -> list[tuple[Vectors, TokenStates]]:
        """The vector of each question and those of its tokens, which share a batch with the questions of other threads."""
        found: list[tuple[Vectors, TokenStates]] = self.questions.submit(list(questions)).result()
        return found

    def _read_tokens(self, texts: Sequence[str], prompt: str) -> list[TokenStates]:
        """Those of passages share a batch with the passages of other threads, and one that several ask for is read once."""
        if not texts or prompt != self.config.document_prompt:
            return super()._read_tokens(texts, prompt)
        return self.passages.states_of(texts)

    def close(self) -> None:
        """Computes what waits, and ends the threads."""
        self.batcher.close()
        self.questions.close()
        self.passages.close()

    def encode(
        self,
        texts: Sequence[str],
        progress: Callable[[int], None] = lambda count: None,
        give_way: Callable[[], None] = lambda: None,  # noqa: ARG002 - who gives way is the batcher's thread
    ) -> Vectors:
        """Vectors of texts as they stand, float32 (texts, dimensions); RagError for a text that is too long."""
        listed = list(texts)
        slices = [listed[first : first + SLICE] for first in range(0, len(listed), SLICE)]
        found = [np.empty((0, self.config.dimensions), dtype=np.float32)]
        for future in [self.batcher.submit(each) for each in slices]:
            found.append(future.result())
            progress(len(found[-1]))
        return np.concatenate(found)


def shared(encoder: Encoder, watch: Callable[[int, int], None] = lambda requests, texts: None) -> SharedEncoder:
    """An encoder for many threads made of an ordinary one."""

    def read(passages: Sequence[str]) -> list[TokenStates]:
        return encoder.token_states(passages, encoder.config.document_prompt)

    found = SharedEncoder(
        encoder.config,
        encoder.tokenizer,
        lambda: encoder.kernel,
        batcher=Batcher(encoder.encode, watch),
        questions=Batcher(encoder.read_questions, watch),
        passages=Readers(read, lambda: encoder.kernel.threads, lambda: encoder.kernel.limited(1), watch),
    )
    object.__setattr__(found, "_remembered", encoder._remembered)  # what one has read the other need not read again
    return found
