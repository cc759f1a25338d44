"""The torch form of the maths makes the codes of the NumPy form, and passes a gradient straight through."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rag.int8.quantization as on_numpy
import rag.int8.quantization_torch as on_torch
from rag.int8.quantization import (
    ASYMMETRIC,
    ASYMMETRIC_UNSIGNED,
    SYMMETRIC,
    SYMMETRIC_FULL_RANGE,
    Scheme,
    scheme_of_bits,
)
from sql.base.errors import InvalidVector

settings.register_profile("unhurried", deadline=None, max_examples=50)
settings.load_profile("unhurried")

SCHEMES = [
    *(ASYMMETRIC, SYMMETRIC, SYMMETRIC_FULL_RANGE, ASYMMETRIC_UNSIGNED, on_numpy.QUERY),
    *(scheme_of_bits(bits, symmetric=symmetric) for bits in (2, 4) for symmetric in (True, False)),
]
GRANULARITIES = ["tensor", "channel", "dimension"]

any_float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
matrices = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=any_float32)
ordinary = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-100, 100, width=32))


def tensors(*values: np.ndarray) -> list[torch.Tensor]:
    return [torch.as_tensor(np.asarray(value)) for value in values]


@pytest.mark.everyday("channel")
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@given(values=matrices)
def test_torch_and_numpy_make_the_same_scales_zero_points_codes_and_numbers(
    scheme: Scheme, granularity: str, values: np.ndarray
) -> None:
    scale, zero_point = on_numpy.fit_parameters(values, scheme, granularity)
    codes = on_numpy.quantize(values, scale, zero_point, scheme)
    restored = on_numpy.dequantize(codes, scale, zero_point)

    (tensor,) = tensors(values)
    torch_scale, torch_zero_point = on_torch.fit_parameters(tensor, scheme, granularity)
    torch_codes = on_torch.quantize(tensor, torch_scale, torch_zero_point, scheme)
    assert (torch_scale.numpy() == scale).all()
    assert torch_scale.numpy().dtype == scale.dtype
    assert (torch_zero_point.numpy() == zero_point).all()
    assert torch_codes.numpy().dtype == codes.dtype
    assert (torch_codes.numpy() == codes).all()
    assert (on_torch.dequantize(torch_codes, torch_scale, torch_zero_point).numpy() == restored).all()
    assert (on_torch.fake_quantize(tensor, torch_scale, torch_zero_point, scheme).numpy() == restored).all()
    assert (on_torch.fake_quantize_by(tensor, scheme, granularity).numpy() == restored).all()


@pytest.mark.parametrize("scheme", [ASYMMETRIC, scheme_of_bits(4, symmetric=True)], ids=str)
@given(values=ordinary, scale=st.floats(0.015625, 50, width=32), zero_point=st.integers(-7, 7))
def test_torch_and_numpy_agree_on_numbers_beyond_the_range(
    scheme: Scheme, values: np.ndarray, scale: float, zero_point: int
) -> None:
    step, offset = np.float32(scale), np.int64(zero_point)
    codes = on_numpy.quantize(values, step, offset, scheme)
    assert (on_torch.quantize(*tensors(values, step, offset), scheme).numpy() == codes).all()


@pytest.mark.parametrize("scheme", [ASYMMETRIC, SYMMETRIC], ids=str)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@given(values=ordinary, clipped=st.floats(0, 0.9))
def test_torch_and_numpy_find_the_same_percentiles(
    scheme: Scheme, granularity: str, values: np.ndarray, clipped: float
) -> None:
    axis = on_numpy.AXES[granularity]
    expected = on_numpy.percentile_range(values, axis, scheme, clipped)
    found = on_torch.percentile_range(*tensors(values), axis, scheme, clipped)
    assert [end.numpy().tolist() for end in found] == [end.tolist() for end in expected]


@pytest.mark.everyday("channel")
@pytest.mark.parametrize("scheme", [ASYMMETRIC, scheme_of_bits(4, symmetric=True)], ids=str)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@settings(max_examples=10)
@given(values=ordinary)
def test_torch_and_numpy_find_ranges_of_the_same_squared_error(
    scheme: Scheme, granularity: str, values: np.ndarray
) -> None:
    axis = on_numpy.AXES[granularity]
    found = on_torch.mse_range(*tensors(values), axis, scheme)
    # Sums in another order may prefer another of two ranges that are as good.
    errors = [
        on_numpy.squared_error(values, np.asarray(low), np.asarray(high), axis, scheme)
        for low, high in (found, on_numpy.mse_range(values, axis, scheme))
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-9)


def test_the_gradient_is_1_inside_the_range_and_0_outside() -> None:
    values = torch.tensor([-9.0, -7.4, -7.0, 0.0, 3.3, 7.0, 7.4, 7.6, 100.0], requires_grad=True)
    scale, zero_point = torch.tensor(1.0), torch.tensor(0)
    result = on_torch.fake_quantize(values, scale, zero_point, scheme_of_bits(4, symmetric=True))
    assert result.tolist() == [-7, -7, -7, 0, 3, 7, 7, 7, 7]
    (result * torch.arange(1.0, 10.0)).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0, 2, 3, 4, 5, 6, 7, 0, 0]


def test_the_gradient_of_a_weight_is_masked_channel_by_channel() -> None:
    weight = torch.tensor([[1.0, 100.0], [1.0, 100.0]], requires_grad=True)
    scale, zero_point = torch.tensor([[1.0], [0.1]]), torch.zeros(2, 1, dtype=torch.int64)
    result = on_torch.fake_quantize(weight, scale, zero_point, SYMMETRIC)
    assert result[1].tolist() == pytest.approx([1, 12.7])
    result.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1, 1], [1, 0]]


def test_fake_quantization_keeps_the_type_of_its_numbers_and_lets_nan_be_seen() -> None:
    values = torch.tensor([1.0, float("nan")], dtype=torch.float64)
    result = on_torch.fake_quantize(values, torch.tensor(0.5), torch.tensor(0), SYMMETRIC)
    assert result.dtype == torch.float64
    assert result.isnan().tolist() == [False, True]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_range_that_is_not_finite_is_refused_on_torch_too(bad: float) -> None:
    with pytest.raises(InvalidVector, match="must be finite"):
        on_torch.choose_parameters(torch.tensor(0.0), torch.tensor(bad), ASYMMETRIC)


def test_what_has_no_code_is_refused_on_torch_too() -> None:
    with pytest.raises(InvalidVector, match="nan cannot be quantized"):
        on_torch.quantize(torch.tensor([float("nan")]), torch.tensor(1.0), torch.tensor(0), SYMMETRIC)
    with pytest.raises(InvalidVector, match="greater than 0"):
        on_torch.quantize(torch.tensor([1.0]), torch.tensor(0.0), torch.tensor(0), SYMMETRIC)
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        on_torch.percentile_range(torch.ones(1, 1), None, SYMMETRIC, 1.0)


def test_training_through_fake_quantization_finds_weights_that_rounding_alone_does_not() -> None:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(256, 8, generator=generator) @ torch.randn(8, 8, generator=generator)
    target = torch.randn(1, 8, generator=generator)
    scheme = scheme_of_bits(2, symmetric=True)

    def loss(weight: torch.Tensor) -> torch.Tensor:
        return (inputs @ (on_torch.fake_quantize_by(weight, scheme, "channel") - target).T).square().mean()

    weight = target.clone().requires_grad_()
    optimizer = torch.optim.Adam([weight], lr=0.02)
    rounded = best = loss(target).item()
    for _ in range(200):
        optimizer.zero_grad()
        current = loss(weight)
        current.backward()
        optimizer.step()
        best = min(best, current.item())
    assert best < 0.8 * rounded
