"""The maths of `rag.int8.quantization` on torch tensors: the same codes, on any device, and fake quantization for training.

One of the doors to torch. Floats are divided in float64 as in the NumPy form, so both make the same codes, number for
number; schemes and the names of ranges and granularities are the NumPy form's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.compute.torch_door import torch
from rag.int8.quantization import AXES, CLIPPED_SHARE, LEAST_SCALE, RATIOS, look_up
from sql.base.errors import InvalidVector
from sql.records import FLOAT32_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.int8.quantization import Scheme

    Range = tuple[torch.Tensor, torch.Tensor]


def choose_parameters(
    minimum: torch.Tensor, maximum: torch.Tensor, scheme: Scheme
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale (float32) and zero-point (int64) for ranges of numbers, both of the shape of `minimum`, without gradient.

    A range is widened to include 0; the range of nothing but 0 has scale 1 and zero-point 0. Raises InvalidVector for
    a range that is upside down or beyond float32.
    """
    low, high = minimum.detach().to(torch.float64), maximum.detach().to(torch.float64)
    if not bool(((low >= -FLOAT32_MAX) & (low <= high) & (high <= FLOAT32_MAX)).all()):
        raise InvalidVector("a range to quantize must be finite, its maximum not below its minimum, and within float32")
    low, high = low.clamp(max=0), high.clamp(min=0)
    step = (
        torch.maximum(-low, high) / max(-scheme.lo, scheme.hi)
        if scheme.symmetric
        else (high - low) / (scheme.hi - scheme.lo)
    )
    scale = torch.where(step == 0, 1.0, step.clamp(min=LEAST_SCALE)).to(torch.float32)
    if scheme.symmetric:
        return scale, torch.zeros(scale.shape, dtype=torch.int64, device=scale.device)
    zero_point = (scheme.lo - torch.round(low / scale.to(torch.float64))).clamp(scheme.lo, scheme.hi)
    return scale, torch.where(step == 0, 0, zero_point).to(torch.int64)


def quantize(values: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, scheme: Scheme) -> torch.Tensor:
    """Codes of numbers, in `scheme.dtype`: clip(round(x / scale) + zero_point, lo, hi), shapes broadcast.

    Numbers beyond the range saturate, infinities included; NaN has no code and raises InvalidVector.
    """
    if not bool(((scale > 0) & torch.isfinite(scale)).all()):
        raise InvalidVector(f"a scale must be finite and greater than 0, unlike one of {scale}")
    codes = unlimited_codes(values.detach(), scale, zero_point)
    if bool(torch.isnan(codes).any()):
        raise InvalidVector("nan cannot be quantized: it has no place in any range")
    return codes.clamp(scheme.lo, scheme.hi).to(getattr(torch, scheme.dtype.name))


def unlimited_codes(values: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor) -> torch.Tensor:
    """round(x / scale) + zero_point as float64, before it is clipped."""
    return torch.round(values.to(torch.float64) / scale.to(torch.float64)) + zero_point


def dequantize(codes: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor) -> torch.Tensor:
    """The float32 numbers that codes stand for: scale * (code - zero_point), shapes broadcast."""
    steps = codes.to(torch.int64) - zero_point
    return (steps * scale.to(torch.float64)).clamp(-FLOAT32_MAX, FLOAT32_MAX).to(torch.float32)


class FakeQuantization(torch.autograd.Function):  # type: ignore[misc]
    """Quantize and dequantize as one step of a network, with a gradient that passes straight through.

    The rounding's own gradient is 0 everywhere, and nothing could be learned: it is taken as 1 for numbers whose code
    is within the range, and stays 0 for those that saturate (Y. Bengio et al., "Estimating or Propagating Gradients
    Through Stochastic Neurons for Conditional Computation", 2013, arXiv:1308.3432; Krishnamoorthi 2018, section 2.4).
    """

    @staticmethod
    def forward(
        context: Any, values: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, scheme: Scheme
    ) -> torch.Tensor:
        """`values` as their codes can say them, in the type of `values`."""
        codes = unlimited_codes(values, scale, zero_point)
        context.save_for_backward((codes >= scheme.lo) & (codes <= scheme.hi))
        steps = codes.clamp(scheme.lo, scheme.hi) - zero_point
        return (steps * scale.to(torch.float64)).clamp(-FLOAT32_MAX, FLOAT32_MAX).to(values.dtype)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient inside the range, 0 outside; none for scale, zero-point and scheme."""
        (inside,) = context.saved_tensors
        return gradients[0] * inside, None, None, None


def fake_quantize(values: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, scheme: Scheme) -> torch.Tensor:
    """dequantize(quantize(values)), number for number, with a straight-through gradient for `values` alone.

    `scale` and `zero_point` broadcast with `values`: of shape () for a tensor, (channels, 1) for the channels of a
    weight (out, in). NaN stays NaN, so that a loss that has run away is seen as such.
    """
    result: torch.Tensor = FakeQuantization.apply(values, scale, zero_point, scheme)
    return result


def fake_quantize_by(
    values: torch.Tensor, scheme: Scheme, granularity: str = "tensor", ranges: str = "minmax"
) -> torch.Tensor:
    """`values` (rows, columns) fake-quantized with the range they have right now: weights in training."""
    return fake_quantize(values, *fit_parameters(values, scheme, granularity, ranges), scheme)


def minmax_range(values: torch.Tensor, axis: int | None, scheme: Scheme) -> Range:  # noqa: ARG001
    """The least and the greatest value along an axis, which is kept with length 1."""
    if axis is None:
        shape = (1,) * values.ndim
        return values.amin().reshape(shape), values.amax().reshape(shape)
    return values.amin(dim=axis, keepdim=True), values.amax(dim=axis, keepdim=True)


def percentile_range(values: torch.Tensor, axis: int | None, scheme: Scheme, clipped: float = CLIPPED_SHARE) -> Range:
    """The range that leaves a share of the values along an axis outside; the same two values as the NumPy form."""
    if not 0 <= clipped < 1:
        raise ValueError(f"a share of {clipped} cannot be clipped: it must be at least 0 and below 1")
    if axis is None:
        low, high = percentile_range(values.reshape(-1, 1), 0, scheme, clipped)
        return low.reshape((1,) * values.ndim), high.reshape((1,) * values.ndim)
    ordered = (values.abs() if scheme.symmetric else values).sort(dim=axis).values
    count = values.shape[axis]
    if scheme.symmetric:
        high = ordered.narrow(axis, count - 1 - int(count * clipped), 1)
        return -high, high
    outside = int(count * clipped / 2)
    return ordered.narrow(axis, outside, 1), ordered.narrow(axis, count - 1 - outside, 1)


def mse_range(values: torch.Tensor, axis: int | None, scheme: Scheme) -> Range:
    """The range along an axis whose codes have the least squared error, of those that the NumPy form tries."""
    least_value, greatest = minmax_range(values, axis, scheme)
    low, high = least_value.clamp(max=0), greatest.clamp(min=0)
    least = squared_error(values, low, high, axis, scheme)
    for moves_low, moves_high in ((True, True),) if scheme.symmetric else ((True, True), (True, False), (False, True)):
        widest_low, widest_high = low, high
        for ratio in RATIOS[1:]:
            tried_low = widest_low * ratio if moves_low else widest_low
            tried_high = widest_high * ratio if moves_high else widest_high
            error = squared_error(values, tried_low, tried_high, axis, scheme)
            better = error < least
            low, high = torch.where(better, tried_low, low), torch.where(better, tried_high, high)
            least = torch.where(better, error, least)
    return low, high


def squared_error(
    values: torch.Tensor, low: torch.Tensor, high: torch.Tensor, axis: int | None, scheme: Scheme
) -> torch.Tensor:
    """What quantizing with a range loses: the sum of squared differences along an axis, which is kept, in float64."""
    scale, zero_point = choose_parameters(low, high, scheme)
    lost = dequantize(quantize(values, scale, zero_point, scheme), scale, zero_point).to(torch.float64) - values
    squares = lost.square()
    return squares.sum().reshape((1,) * values.ndim) if axis is None else squares.sum(dim=axis, keepdim=True)


RANGES: dict[str, Callable[[torch.Tensor, int | None, Scheme], Range]] = {
    "minmax": minmax_range,
    "percentile": percentile_range,
    "mse": mse_range,
}


def fit_parameters(
    values: torch.Tensor, scheme: Scheme, granularity: str = "tensor", ranges: str = "minmax"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero-point of a matrix, shapes that broadcast with it: one for each channel, vector, dimension, or one."""
    axis = look_up(AXES, granularity, "granularity")
    low, high = look_up(RANGES, ranges, "range")(values.detach(), axis, scheme)
    return choose_parameters(low, high, scheme)
