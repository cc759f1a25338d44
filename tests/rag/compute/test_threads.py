"""Batches are computed side by side: every thread works alone, and the user's own choice of threads is kept."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import hash_encoder, run_python, tiny_config

from rag.compute.processors import usable_processors
from rag.compute.side_by_side import side_by_side
from rag.compute.torch_door import batch_threads, limited, openmp_setter, torch
from rag.encoder.encoder import Encoder, load_encoder
from rag.encoder.kernel import OneBatchAtATime
from sql.base.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.kernel import Kernel
    from rag.text.tokenizer import Tokenizer

PATIENCE = 20  # seconds after which a test that waits for another thread has failed
TEXTS = [f"{'storage engines keep columns apart ' * (number % 9 + 1)}{number}" for number in range(60)]


# Threads of a batch


@pytest.fixture
def torch_with_three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("torch_with_three_threads")
def test_vectors_are_the_same_bits_whatever_the_number_of_threads(model_cache: Path) -> None:
    encoder = load_encoder(Settings(store=".rag", model=None, cache=model_cache, offline=True))
    assert encoder.kernel.threads == batch_threads() == (3 if openmp_setter() else 1)
    together = encoder.encode(TEXTS)
    torch.set_num_threads(1)
    assert encoder.kernel.threads == 1
    assert np.array_equal(encoder.encode(TEXTS), together)


@pytest.mark.usefixtures("torch_with_three_threads")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the wheels of other systems may lack OpenMP")
def test_a_limit_holds_for_the_calling_thread_alone_and_ends() -> None:
    seen: dict[str, int] = {}

    def ask(name: str) -> None:
        seen[name] = torch.get_num_threads()

    def in_another_thread(name: str) -> None:
        thread = threading.Thread(target=ask, args=(name,))
        thread.start()
        thread.join()

    with limited(1):
        ask("within")
        in_another_thread("another thread")
    ask("afterwards")
    assert seen == {"within": 1, "another thread": 3, "afterwards": 3}


def test_batches_are_computed_at_the_same_time_and_each_text_gets_its_own_vector(tokenizer: Tokenizer) -> None:
    both = threading.Barrier(2)
    plain, _ = hash_encoder(tokenizer)

    class Meeting:
        """Hashes like the plain one, once another thread is computing a batch too."""

        name, pads, threads = "meeting", True, 2

        def limited(self, threads: int) -> nullcontext[None]:
            assert threads == 1
            return nullcontext()

        def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
            both.wait(PATIENCE)
            return plain.kernel.forward(ids, lengths)

    texts = [f"the cat {number}" for number in range(10)]
    heard: list[int] = []
    encoder = Encoder(tiny_config(tokenizer), tokenizer, Meeting)
    assert np.array_equal(encoder.encode(texts, heard.append), plain.encode(texts))
    assert sum(heard) == len(texts)
    assert len(heard) > 1


# Side by side


def in_threads(compute: Callable[[int], int], pieces: range, receive: Callable[[int, int], None]) -> None:
    side_by_side(compute, pieces, receive, 3, nullcontext)


def test_every_piece_is_computed_once_and_received_in_the_calling_thread() -> None:
    received: dict[int, int] = {}
    computing, receiving = set(), set()

    def square(piece: int) -> int:
        computing.add(threading.get_ident())
        return piece * piece

    def receive(piece: int, result: int) -> None:
        receiving.add(threading.get_ident())
        received[piece] = result

    in_threads(square, range(100), receive)
    assert received == {piece: piece * piece for piece in range(100)}
    assert receiving == {threading.get_ident()}
    assert not computing & receiving


@pytest.mark.parametrize("error", [IndexError("out of range"), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_an_error_of_a_piece_is_raised_and_no_thread_runs_on(error: BaseException) -> None:
    before = threading.active_count()

    def fail(piece: int) -> int:
        if piece == 5:
            raise error
        return piece

    with pytest.raises(type(error)) as caught:
        in_threads(fail, range(6), lambda piece, result: None)
    assert caught.value is error
    assert threading.active_count() == before


def test_an_error_of_the_receiver_ends_the_work() -> None:
    computed: list[int] = []
    received = threading.Event()
    before = threading.active_count()

    def receive(piece: int, result: int) -> None:
        received.set()
        raise KeyboardInterrupt

    def compute(piece: int) -> int:
        if piece:
            received.wait(PATIENCE)
            time.sleep(0.001)  # what is left would take half a minute
        computed.append(piece)
        return piece

    pieces = 100_000
    with pytest.raises(KeyboardInterrupt):
        in_threads(compute, range(pieces), receive)
    assert threading.active_count() == before
    assert len(computed) < pieces


# The kernel


class Idle(OneBatchAtATime):
    """A kernel that computes nothing."""

    name, pads = "idle", True

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:  # noqa: ARG002
        """Zeros."""
        return np.zeros((len(ids), 8), dtype=np.float32)


def kernels_of(encoders: list[Encoder]) -> list[Kernel]:
    """The kernel that each of the encoders gives, asked for in threads that start together."""
    start = threading.Barrier(len(encoders))
    found: list[Kernel] = []

    def ask(encoder: Encoder) -> None:
        start.wait(PATIENCE)
        found.append(encoder.kernel)

    threads = [threading.Thread(target=ask, args=(encoder,)) for encoder in encoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_threads_that_ask_together_get_one_kernel_that_was_made_once(tokenizer: Tokenizer) -> None:
    made: list[Kernel] = []
    all_asked = threading.Event()

    def make() -> Kernel:
        made.append(Idle())
        all_asked.wait(0.2)  # gives the others time to ask as well
        return made[-1]

    found = kernels_of([Encoder(tiny_config(tokenizer), tokenizer, make)] * 4)
    assert len(made) == 1
    assert found == made * 4


def test_two_encoders_make_their_kernels_at_the_same_time(tokenizer: Tokenizer) -> None:
    both = threading.Barrier(2)

    def make() -> Kernel:
        both.wait(PATIENCE)  # broken where one has to wait until the other is done
        return Idle()

    encoders = [Encoder(tiny_config(tokenizer), tokenizer, make) for _ in range(2)]
    assert len(set(map(id, kernels_of(encoders)))) == 2


def test_a_kernel_that_could_not_be_made_is_made_by_the_next_to_ask(model_cache: Path) -> None:
    settings = Settings(store=".rag", model=None, cache=model_cache, offline=True)
    encoder = load_encoder(settings, compute="int8")
    choose = sys.modules["rag.encoder.encoder"].choose_kernel  # type: ignore[attr-defined]
    failures = [KeyboardInterrupt()]

    def interrupted(*given: Any, **named: Any) -> Kernel:
        if failures:
            raise failures.pop()
        return choose(*given, **named)  # type: ignore[no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag.encoder.encoder.choose_kernel", interrupted)
        with pytest.raises(KeyboardInterrupt):
            encoder.encode(["a"])
        assert encoder.encode(["a"]).shape == (1, 384)


# Processors


@pytest.mark.parametrize(
    ("membership", "files", "most"),
    [
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {"cpu.max": "100000 100000"}, 1),
        ("0::/", {"cpu.max": "20000 100000"}, 1),
        ("0::/jobs/one", {"jobs/one/cpu.max": "max 100000", "jobs/cpu.max": "90000 100000"}, 1),
        ("0::/jobs/one", {"jobs/two/cpu.max": "100000 100000"}, None),
        (
            "1:cpu,cpuacct:/a",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "50000", "cpu,cpuacct/a/cpu.cfs_period_us": "50000"},
            1,
        ),
        ("1:cpu:/host/c0ffee\n0::/", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("0::/", {"cpu.max": "much\n"}, None),
        ("0::/../../elsewhere", {"../cpu.max": "100000 100000"}, None),
        ("nonsense", {}, None),
    ],
)
def test_a_quota_counts_wherever_it_is_written(
    tmp_path: Path, membership: str, files: dict[str, str], most: int | None
) -> None:
    groups = tmp_path / "groups"
    groups.mkdir()
    (tmp_path / "membership").write_text(membership)
    for name, content in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(content)
    unlimited = usable_processors(tmp_path / "none", tmp_path / "none")
    assert usable_processors(groups, tmp_path / "membership") == (most or unlimited)


THREADS = """
import json
import os
{before}
import rag.compute.processors
rag.compute.processors.usable_processors = lambda: 1
from rag.compute.torch_door import torch
print(json.dumps(torch.get_num_threads()))
"""


def threads_found(before: str = "") -> int:
    """torch's threads in a fresh process that may use one processor."""
    return int(json.loads(run_python("-c", THREADS.format(before=before)).stdout))


@pytest.mark.slow
def test_a_quota_limits_the_threads_of_torch_unless_the_user_has_chosen() -> None:
    assert threads_found("import os; os.environ.pop('OMP_NUM_THREADS', None)") == 1
    assert threads_found("import os; os.environ['OMP_NUM_THREADS'] = '2'") == min(2, os.cpu_count() or 1)
    assert threads_found("import torch; torch.set_num_threads(3)") == 3
