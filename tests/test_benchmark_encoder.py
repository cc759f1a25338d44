"""The encoder's modules: its texts are as long as it says, and peers give vectors in the order of the texts."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rag.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[Any, Any]]:
    """The modules benchmarks/encoder.py and benchmarks/peers.py."""
    loaded = []
    for name in ("peers", "encoder"):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", PROJECT / "benchmarks" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        loaded.append(module)
    peers, encoder = loaded
    yield encoder, peers
    for module in loaded:
        del sys.modules[module.__name__]


def test_passages_have_the_lengths_that_are_announced(modules: tuple[Any, Any], default_tokenizer: Tokenizer) -> None:
    encoder, _ = modules
    texts = encoder.passages(encoder.read_texts(None), default_tokenizer, 18)
    lengths = [len(ids) for ids in default_tokenizer.encode(texts)]
    assert np.mean(encoder.LENGTHS) == 180
    # A passage may begin or end within a word, which then is cut into other tokens.
    assert np.abs(np.subtract(lengths, encoder.LENGTHS * 2)).max() <= 4
    query = default_tokenizer.encode([encoder.query_text(texts[0], default_tokenizer)])[0]
    assert abs(len(query) - encoder.QUERY_TOKENS) <= 1


def test_a_corpus_shorter_than_a_passage_is_refused(modules: tuple[Any, Any], default_tokenizer: Tokenizer) -> None:
    with pytest.raises(SystemExit, match="the corpus has 2 tokens"):
        modules[0].passages(["two words"], default_tokenizer, 1)


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_vectors_come_back_in_the_order_of_the_texts(
    modules: tuple[Any, Any], tokenizer: Tokenizer, batch: int
) -> None:
    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        assert len(ids) <= batch
        return np.stack([mask.sum(axis=1), np.ones(len(ids))], axis=1).astype(np.float32)

    texts = ["cat dog", "the cat sat here", "a", "the dog runs to the cat"]
    vectors = modules[1].Batched("tokens", forward, tokenizer, batch).encode(texts)
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], [4, 6, 3, 8], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_every_cap_sets_all_variables_at_once(modules: tuple[Any, Any]) -> None:
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


def test_one_that_is_not_installed_names_its_package(modules: tuple[Any, Any]) -> None:
    _, peers = modules
    assert peers.Peer("made up", ("numpy", "no_such_engine"), lambda *_: None).missing == ["no_such_engine"]
