"""A float encoder and the ranges of its activations in, the same encoder with activations that fit 8 bits out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.encoder.distilbert import layer_norms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.encoder.distilbert import FloatTensors


@dataclass(frozen=True, slots=True)
class ActivationRanges:
    """What was observed while a float model ran: smallest and largest value of each channel of each layer norm, in the
    order in which data passes them, and the largest magnitude that each layer's attention gave.
    """

    norms: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
    attention: list[float]


def widest(observed: Sequence[ActivationRanges]) -> ActivationRanges:
    """The ranges that hold all that were observed."""
    norms = [
        (np.min([low for low, _ in same], axis=0), np.max([high for _, high in same], axis=0))
        for same in zip(*(ranges.norms for ranges in observed), strict=True)
    ]
    return ActivationRanges(norms, [max(same) for same in zip(*(ranges.attention for ranges in observed), strict=True)])


def smooth_layer_norms(
    tensors: FloatTensors, ranges: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> tuple[FloatTensors, FloatTensors]:
    """The same encoder with layer norms whose channels have like ranges around zero, and what to add them with.

    A few channels of every layer norm are many times larger than the rest and would take most of the 8 bits of a token.
    With the middle m and half the width of each channel's range known, the norm gives (x - m) / s instead of x, the
    linears that read it have their columns multiplied by s and W m added to their biases, and the residual becomes
    `* s`, its m added to the bias of the other summand: the same outputs at no cost, in float. s is the square root of
    the channel's width over the median one, as in SmoothQuant (Xiao et al. 2022, arXiv:2211.10438, with alpha = 0.5).
    """
    smoothed, factors = dict(tensors), {}
    layers = (len(ranges) - 1) // 2
    for (name, norm, users, receiver), (low, high) in zip(layer_norms(layers), ranges, strict=True):
        middle, factor = np.zeros_like(low), np.ones_like(low)
        if receiver:  # the last norm is the encoder's output and stays as it is
            middle = np.asarray((low + high) / 2, dtype=np.float32)
            width = (high - low) / 2
            factor = np.sqrt(np.maximum(width / (np.median(width) or 1), 1e-3)).astype(np.float32)
            smoothed[f"{norm}.weight"] = smoothed[f"{norm}.weight"] / factor
            smoothed[f"{norm}.bias"] = (smoothed[f"{norm}.bias"] - middle) / factor
            for user in users:
                smoothed[f"{user}.bias"] = smoothed[f"{user}.bias"] + smoothed[f"{user}.weight"] @ middle
                smoothed[f"{user}.weight"] = smoothed[f"{user}.weight"] * factor
            smoothed[f"{receiver}.bias"] = smoothed[f"{receiver}.bias"] + middle
        factors[name] = factor
    return smoothed, factors


def input_scales(ranges: ActivationRanges, factors: FloatTensors) -> FloatTensors:
    """The step of the 8-bit codes that each linear reads: static, from the observed ranges, symmetric around zero.

    The second linear of the feed-forward has none: what GELU lets through varies so much from token to token that its
    codes get their scale while the encoder runs.
    """
    layers = len(ranges.attention)
    scales = {}
    for (name, _, _, _), (low, high), user in zip(
        layer_norms(layers),
        ranges.norms,
        [f"layer.{n}.{part}" for n in range(layers) for part in ("qkv", "up")],
        strict=False,
    ):
        scales[user] = float(((high - low) / 2 / factors[name]).max())
    scales |= {f"layer.{layer}.attention": float(limit) for layer, limit in enumerate(ranges.attention)}
    return {
        f"{name}.input_scale": np.array([max(limit, 1e-12) / 127], dtype=np.float32) for name, limit in scales.items()
    }
