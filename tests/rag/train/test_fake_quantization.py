"""The encoder that learns computes what its checkpoint will, and rounding does not stop a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import save_distilbert

from rag.compute.plan import ComputePlan
from rag.encoder.convert import Recipe, smooth_model
from rag.encoder.kernel_numpy import NumpyKernel
from rag.encoder.kernel_torch import TorchKernel
from rag.encoder.weights import FloatModel
from rag.int8.quantization import Scheme
from rag.int8.quantization_torch import fake_quantize
from rag.train.fake_quantization import FakeQuantizedEncoder, learned_fake_quantize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.encoder.convert import SmoothedEncoder
    from rag.text.tokenizer import Tokenizer

ALIKE = 0.9995  # cosine of what two ways to compute the same recipe give at least
RECIPES = [Recipe(), Recipe("per-tensor"), Recipe(bits=4), Recipe("per-tensor", 4, "mse")]


@pytest.fixture(scope="module")
def smoothed(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> SmoothedEncoder:
    folder = tmp_path_factory.mktemp("model")
    save_distilbert(folder, tokenizer)
    return smooth_model(FloatModel("tiny", "", folder))


def some_ids() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lengths = np.array([32, 20, 7, 1])
    ids = np.random.default_rng(0).integers(5, 240, (4, 32))
    return ids * (np.arange(32) < lengths[:, None]), lengths


def vectors(encoder: FakeQuantizedEncoder) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = encoder(*map(torch.from_numpy, some_ids()))[0].numpy()
    return found


def directions(found: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def test_the_gradient_passes_straight_through_the_rounding_and_stops_at_the_ends_of_the_range() -> None:
    values = torch.tensor([-9.0, -7.4, -0.3, 0.4, 0.6, 6.9, 9.0], requires_grad=True)
    scale = torch.tensor(1.0, requires_grad=True)
    restored = learned_fake_quantize(values, scale, -7, 7)
    assert restored.tolist() == [-7, -7, 0, 0, 1, 7, 7]
    restored.backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]))
    assert values.grad is not None
    assert values.grad.tolist() == [0, 0, 3, 4, 5, 6, 0]
    # of the scale: code - value / scale where the value is in the range, the last code where it saturates
    assert scale.grad is not None
    expected = 1 * -7 + 2 * -7 + 3 * 0.3 + 4 * -0.4 + 5 * 0.4 + 6 * 0.1 + 7 * 7
    assert float(scale.grad) == pytest.approx(expected, rel=1e-5)


@given(st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30), st.sampled_from([0.25, 0.5, 2.0]))
def test_values_and_gradients_are_those_of_the_maths_for_a_fixed_scale(numbers: list[float], step: float) -> None:
    scheme = Scheme(symmetric=True, lo=-7, hi=7)  # steps that are powers of two divide exactly in float32 too
    ours, theirs = (torch.tensor(numbers, requires_grad=True) for _ in range(2))
    scale = torch.tensor(step)
    mine = learned_fake_quantize(ours, scale, scheme.lo, scheme.hi)
    reference = fake_quantize(theirs, scale, torch.tensor(0), scheme)
    assert torch.equal(mine, reference)
    mine.sum().backward()
    reference.sum().backward()
    # Between the last code and half a step beyond it the maths lets a gradient pass: the code is the last one. Here
    # it stops, and the scale gets it instead.
    assert ours.grad is not None
    assert theirs.grad is not None
    differing = ours.grad != theirs.grad
    beyond = ours.detach().abs() / step
    assert ((beyond[differing] > 7) & (beyond[differing] <= 7.5)).all()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.weights}-{recipe.bits}")
def test_what_learns_computes_what_its_checkpoint_computes(smoothed: SmoothedEncoder, recipe: Recipe) -> None:
    encoder = FakeQuantizedEncoder(smoothed, recipe)
    learning = vectors(encoder)
    for kernel in (NumpyKernel(encoder.checkpoint()), TorchKernel(encoder.checkpoint(), ComputePlan(product="float"))):
        running = directions(kernel.forward(*some_ids()))
        # A value at the edge between two codes may fall on either side: a few steps of 1/127 in all.
        assert (learning * running).sum(axis=1).min() > ALIKE
        assert np.abs(learning - running).max() < 0.02


def test_it_differs_from_another_recipe_by_more(smoothed: SmoothedEncoder) -> None:
    eight, four = (vectors(FakeQuantizedEncoder(smoothed, Recipe(bits=bits))) for bits in (8, 4))
    assert (eight * four).sum(axis=1).min() < ALIKE


def test_what_was_learned_is_in_the_checkpoint(smoothed: SmoothedEncoder) -> None:
    encoder = FakeQuantizedEncoder(smoothed, Recipe(bits=4))
    before = encoder.checkpoint().tensors
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    after = encoder.checkpoint()
    changed = {name for name, tensor in after.tensors.items() if not np.array_equal(tensor, before[name])}
    fixed = {name for name in before if name.startswith(("embeddings.word", "embeddings.position"))}
    fixed |= {name for name in before if name.endswith((".residual", ".input_scale"))}
    assert changed == set(before) - fixed
    assert (vectors(encoder) * directions(NumpyKernel(after).forward(*some_ids()))).sum(axis=1).min() > ALIKE


def test_everything_that_can_be_learned_gets_a_gradient(smoothed: SmoothedEncoder) -> None:
    encoder = FakeQuantizedEncoder(smoothed, Recipe())
    encoder(*map(torch.from_numpy, some_ids()))[0].square().mul(torch.arange(48)).sum().backward()
    without = [name for name, parameter in encoder.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("activations", ["static", "dynamic"])
def test_a_text_does_not_depend_on_its_neighbours(smoothed: SmoothedEncoder, activations: str) -> None:
    encoder = FakeQuantizedEncoder(smoothed, Recipe(), activations)
    ids, lengths = map(torch.from_numpy, some_ids())
    with torch.inference_mode():
        together, alone = encoder(ids, lengths)[0][1:2], encoder(ids[1:2], lengths[1:2])[0]
    assert float((together * alone).sum()) > 0.9999
