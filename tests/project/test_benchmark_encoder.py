"""The encoder's benchmark: texts are as long as it says, peers keep their order, and busy means busy."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from rag.text.tokenizer import Tokenizer


PATIENCE = 20  # seconds after which a process that should compute has failed to


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[Any, Any, Any]]:
    """The modules benchmarks/encoder.py, benchmarks/peers.py and benchmarks/busy.py."""
    loaded = []
    for name in ("peers", "busy", "encoder"):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", PROJECT / "benchmarks" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        loaded.append(module)
    peers, busy, encoder = loaded
    yield encoder, peers, busy
    for module in loaded:
        del sys.modules[module.__name__]


def test_passages_have_the_lengths_that_are_announced(
    modules: tuple[Any, Any, Any], default_tokenizer: Tokenizer
) -> None:
    encoder, _, _ = modules
    texts = encoder.passages(encoder.read_texts(None), default_tokenizer, 18)
    lengths = [len(ids) for ids in default_tokenizer.encode(texts)]
    assert np.mean(encoder.LENGTHS) == 180
    # A passage may begin or end within a word, which then is cut into other tokens.
    assert np.abs(np.subtract(lengths, encoder.LENGTHS * 2)).max() <= 4
    query = default_tokenizer.encode([encoder.query_text(texts[0], default_tokenizer)])[0]
    assert abs(len(query) - encoder.QUERY_TOKENS) <= 1


def test_a_corpus_shorter_than_a_passage_is_refused(
    modules: tuple[Any, Any, Any], default_tokenizer: Tokenizer
) -> None:
    with pytest.raises(SystemExit, match="the corpus has 2 tokens"):
        modules[0].passages(["two words"], default_tokenizer, 1)


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_vectors_come_back_in_the_order_of_the_texts(
    modules: tuple[Any, Any, Any], tokenizer: Tokenizer, batch: int
) -> None:
    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        assert len(ids) <= batch
        return np.stack([mask.sum(axis=1), np.ones(len(ids))], axis=1).astype(np.float32)

    texts = ["cat dog", "the cat sat here", "a", "the dog runs to the cat"]
    vectors = modules[1].Batched("tokens", forward, tokenizer, batch).encode(texts)
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], [4, 6, 3, 8], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_every_cap_sets_all_variables_at_once(modules: tuple[Any, Any, Any]) -> None:
    names = {frozenset(variables) for variables in modules[0].CAPS.values()}
    assert names == {
        frozenset(
            {
                "ONEDNN_MAX_CPU_ISA",
                "MKL_ENABLE_INSTRUCTIONS",
                "ATEN_CPU_CAPABILITY",
                "FBGEMM_ENABLE_INSTRUCTIONS",
            }
        )
    }


def test_one_that_is_not_installed_names_its_package(modules: tuple[Any, Any, Any]) -> None:
    _, peers, _ = modules
    assert peers.Peer("made up", ("numpy", "no_such_engine"), lambda *_: None).missing == ["no_such_engine"]


# Busy


def computed(process: int) -> float:
    """Seconds for which a process has had a processor, whole hundredths (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_busy_processes_compute_while_the_block_runs_and_are_gone_after_it(modules: tuple[Any, Any, Any]) -> None:
    with modules[2].busy_processes(2) as processes:
        assert len(set(processes)) == 2
        patience = time.monotonic() + PATIENCE
        while not all(computed(process) > 0.02 for process in processes):
            assert time.monotonic() < patience
            time.sleep(0.01)
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_busy_processes_are_gone_after_an_interrupt(modules: tuple[Any, Any, Any]) -> None:
    with pytest.raises(KeyboardInterrupt), modules[2].busy_processes(1) as processes:
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0], 0)


def test_every_competitor_is_measured_at_rest_and_busy_in_every_round(modules: tuple[Any, Any, Any]) -> None:
    _, peers, busy = modules
    seen: list[tuple[str, int, int]] = []
    beside = 0

    @contextmanager
    def others(count: int) -> Iterator[None]:
        nonlocal beside
        beside = count
        yield
        beside = -1

    def competitor(name: str) -> Any:
        def encode(texts: Sequence[str]) -> NDArray[np.float32]:
            seen.append((name, beside, len(texts)))
            time.sleep(0.02 if beside else 0)
            return np.zeros((len(texts), 1), dtype=np.float32)

        return peers.Competitor(name, encode, f"note of {name}")

    competitors = [competitor("one"), competitor("other")]
    rows = busy.measure_busy(competitors, ["a", "b"], "a", tokens=8, rounds=2, processes=3, beside=others)
    a_round = [
        call
        for name in ("one", "other")
        for state in (0, 3)
        for call in [(name, state, 2), *[(name, state, 1)] * busy.TEXTS_ALONE]
    ]
    warm_up = [("one", 0, 2), ("one", 0, 1), ("other", 0, 2), ("other", 0, 1)]
    assert seen == warm_up + 2 * a_round
    assert [(row.name, row.note) for row in rows] == [("one", "note of one"), ("other", "note of other")]
    for row in rows:
        assert row.busy_tokens_per_second <= 8 / 0.02
        assert row.busy_text_ms >= 20
        assert busy.busy_record(row)["kept"] == row.busy_tokens_per_second / row.rest_tokens_per_second


@pytest.mark.slow
def test_the_busy_benchmark_compares_both_ways_to_use_threads_with_float32(
    modules: tuple[Any, Any, Any],
    model_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    encoder, _, _ = modules
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    monkeypatch.setenv("RAG_CACHE", str(model_cache))
    options = ["--busy", "--texts", "2", "--rounds", "1", "--only", "int8-rag", "--json"]
    monkeypatch.setattr(sys, "argv", ["encoder.py", *options])
    encoder.main()
    found = json.loads(capsys.readouterr().out)
    assert found["run"]["busy_processes"] == 1
    assert found["run"]["tokens"] == pytest.approx(320, abs=8)
    names = [row["name"] for row in found["competitors"]]
    assert names[0].endswith("transformers float32")
    assert names[1:] == ["int8-rag", "int8-rag, shared batches"]
    for row in found["competitors"]:
        assert row["kept"] == pytest.approx(row["busy_tokens_per_second"] / row["rest_tokens_per_second"])
        assert min(row["rest_text_ms"], row["busy_text_ms"]) > 0


@pytest.mark.parametrize("wrong", ["0", "-1", "many"])
def test_a_number_of_busy_processes_is_one_or_more(
    modules: tuple[Any, Any, Any], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        modules[0].make_parser().parse_args([f"--busy={wrong}"])
    assert f"{wrong!r} is not a number of processes" in capsys.readouterr().err
