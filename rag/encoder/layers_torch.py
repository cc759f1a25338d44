"""Tokens of a batch in, what an encoder's layers make of them out: one program, which torch runs from its begin to its end.

One of the doors to torch. Called one by one from Python, each of the 600 operations of a batch gives the interpreter's lock
away and has to get it back, for which it waits up to 5 ms wherever another thread computes in Python, as those of a server
do. Beside two such threads passages were read at half the speed of the same functions compiled by `torch.jit.script`, which
take the lock once a batch. They are the same operations in the same order: the numbers are the same, bit for bit.

What is here is the arithmetic of most CPUs: oneDNN's int8 products, codes made in one pass, and torch's attention, in float32
or, with AMX, in bfloat16. Every other plan is computed layer by layer (rag/encoder/kernel_torch.py).
"""

# No `from __future__ import annotations`: what compiles these functions reads their types as they stand.
import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, Optional, TypeVar, cast

from rag.compute.torch_door import torch
from rag.encoder.attention_torch import SHORTEST, WIDTH_STEP
from rag.encoder.kernel import FULL, GELU_MINIMUM, ROUNDED

Function = TypeVar("Function", bound=Callable[..., Any])


class Product(NamedTuple):
    """An int8 product with weights packed for this CPU; `step` is that of the codes it reads."""

    packed: torch.Tensor
    scale: torch.Tensor
    zero_points: torch.Tensor
    bias: torch.Tensor
    step: float


class LayerParts(NamedTuple):
    """A layer: its products, its norms, and the factor of what each of the two sums adds, `residual` of the layer's input."""

    qkv: Product
    attention: Product
    up: Product
    down: Product
    down_bias: torch.Tensor
    residual: torch.Tensor
    middle_weight: torch.Tensor
    middle_bias: torch.Tensor
    middle_residual: torch.Tensor
    output_weight: torch.Tensor
    output_bias: torch.Tensor


def through(
    hidden: torch.Tensor,
    lengths: list[int],
    layers: list[LayerParts],
    heads: int,
    bias: Optional[torch.Tensor],  # noqa: UP045 - the compiler knows no other form
    eps: float,
    block: int,
    flash: bool,
) -> torch.Tensor:
    """What the last layer makes of what the first one reads, float32 (rows, dimensions): texts of these lengths, end to end.

    `bias` (heads, longest, longest) is added to the scores of attention, which is in bfloat16 where it is `flash`; the
    feed-forward takes `block` rows at a time.
    """
    for layer in layers:
        codes = cut(hidden)
        if flash:
            means = flash_attention(product(codes, layer.qkv, "none", torch.bfloat16), lengths, heads, bias)
        else:
            means = attention(product(codes, layer.qkv, "none"), lengths, heads, bias)
        summed = product(cut(means), layer.attention, "none").addcmul_(hidden, layer.residual)
        wide = [hidden.size(1)]
        attended = torch.layer_norm(summed, wide, layer.middle_weight, layer.middle_bias, eps)
        lowered = torch.addcmul(layer.down_bias, attended, layer.middle_residual)
        first = 0
        while first < attended.size(0):
            codes, scale = quantize_rows(product(cut(attended[first : first + block]), layer.up, "gelu"))
            lowered[first : first + block].addcmul_(product(codes, layer.down, "none"), scale)
            first += block
        hidden = torch.layer_norm(lowered, wide, layer.output_weight, layer.output_bias, eps)
    return hidden


def cut(values: torch.Tensor, zero_point: int = ROUNDED.zero_point) -> torch.Tensor:
    """The codes of values in their units: rounded, the zero-point added, saturated to 0..255; uint8."""
    return torch.quantize_per_tensor(values, 1.0, zero_point, torch.quint8).int_repr()


def product(codes: torch.Tensor, linear: Product, activation: str, output: torch.dtype = torch.float32) -> torch.Tensor:
    """oneDNN's int8 product; scales, bias and GELU are applied as it writes."""
    return torch.ops.onednn.qlinear_pointwise(
        codes,
        linear.step,
        0,
        linear.packed,
        linear.scale,
        linear.zero_points,
        linear.bias,
        1.0,
        0,
        output,
        activation,
        [],
        "none",
    )


def quantize_rows(
    values: torch.Tensor, least: float = -GELU_MINIMUM, top: int = FULL.top
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes 0..255 of numbers that are never below `least`, its own 0, and the scale of each row, float32 (rows, 1).

    By the operator that compresses tables of embeddings, in one pass behind that for the largest: a row of it is the codes
    and eight bytes of scale and least value.
    """
    ranges = torch.full([values.size(0), 2], least)
    ranges[:, 1] = torch.amax(values, [1])
    found = torch.ops.quantized.embedding_bag_byte_prepack_with_rowwise_min_max(values, ranges)
    return found[:, : values.size(1)].contiguous(), ranges[:, 1:].sub_(least).div_(top)


def attention(qkv: torch.Tensor, lengths: list[int], heads: int, bias: Optional[torch.Tensor]) -> torch.Tensor:  # noqa: UP045
    """torch's attention in float32: means of the values, float32 (rows, dimensions), 0 behind the last text."""
    wide = qkv.size(1) // 3
    means = torch.zeros(qkv.size(0), wide)
    number, first = 0, 0
    while number < len(lengths):  # neighbours of one length together
        length, texts = lengths[number], 1
        while number + texts < len(lengths) and lengths[number + texts] == length:
            texts += 1
        last = first + texts * length
        parts = qkv[first:last].view(texts, length, 3, heads, wide // heads).permute(2, 0, 3, 1, 4)
        own = bias[:, :length, :length] if bias is not None else None
        found = torch._C._nn.scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=own)
        means[first:last].view(texts, length, heads, wide // heads).transpose(1, 2).copy_(found)
        number, first = number + texts, last
    return means


def flash_attention(
    qkv: torch.Tensor,
    lengths: list[int],
    heads: int,
    bias: Optional[torch.Tensor],  # noqa: UP045
    shortest: int = SHORTEST,
) -> torch.Tensor:
    """The same in bfloat16, as `rag.encoder.attention_torch.FlashAttention`: neighbours of one padded width together."""
    wide = qkv.size(1) // 3
    means = torch.zeros(qkv.size(0), wide)
    number, first = 0, 0
    while number < len(lengths):
        width, own, last = flash_width(lengths[number]), [lengths[number]], first + lengths[number]
        while number + len(own) < len(lengths):
            tokens = lengths[number + len(own)]
            if (tokens if bias is not None else flash_width(tokens)) != (own[0] if bias is not None else width):
                break
            own.append(tokens)
            last += tokens
        parts = widened(qkv[first:last], own, width).view(len(own), width, 3, heads, wide // heads)
        parts = parts.permute(2, 0, 3, 1, 4)
        if width < shortest:
            parts = parts.float()
        mask = flash_mask(own, width, bias)
        found = torch._C._nn.scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=mask)
        narrowed(found.transpose(1, 2).flatten(2), own, means[first:last])
        number, first = number + len(own), last
    return means


def flash_width(tokens: int, shortest: int = SHORTEST, step: int = WIDTH_STEP) -> int:
    """What a text of so many tokens is padded to."""
    return tokens if tokens < shortest else (tokens + step - 1) // step * step


def widened(qkv: torch.Tensor, lengths: list[int], width: int) -> torch.Tensor:
    """The rows of texts (rows, 3 * dimensions) with rows of zeros behind each, up to a width."""
    if min(lengths) == width:
        return qkv
    wide = torch.zeros(len(lengths), width, qkv.size(1), dtype=qkv.dtype)
    first = 0
    for number, tokens in enumerate(lengths):
        wide[number, :tokens] = qkv[first : first + tokens]
        first += tokens
    return wide.view(len(lengths) * width, -1)


def narrowed(wide: torch.Tensor, lengths: list[int], target: torch.Tensor) -> None:
    """Puts the tokens of texts (texts, width, dimensions) end to end into `target` (rows, dimensions)."""
    first = 0
    for number, tokens in enumerate(lengths):
        target[first : first + tokens] = wide[number, :tokens]
        first += tokens


def flash_mask(
    lengths: list[int],
    width: int,
    bias: Optional[torch.Tensor],  # noqa: UP045
) -> Optional[torch.Tensor]:  # noqa: UP045
    """The bias of texts that hides what they are padded with, float32; None where there is neither."""
    own = bias[:, :width, :width] if bias is not None else None
    if min(lengths) == width:
        return own
    hidden = torch.zeros(len(lengths), 1, 1, width)
    for number, tokens in enumerate(lengths):
        hidden[number, :, :, tokens:] = -math.inf
    return hidden.expand(-1, 1, width, width) if own is None else own + hidden[:1]


def embedded(
    ids: torch.Tensor,
    lengths: torch.Tensor,
    types: Optional[torch.Tensor],  # noqa: UP045
    step: int,
    word_codes: torch.Tensor,
    word_scale: torch.Tensor,
    positions: torch.Tensor,
    second_type: Optional[torch.Tensor],  # noqa: UP045
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """What the first layer reads, float32 (rows, dimensions): a row for each token of padded ids (texts, tokens), the texts
    end to end, and a few at the end, up to a multiple of `step`, that belong to no text.
    """
    present = torch.arange(ids.size(1)) < lengths.unsqueeze(1)
    flat, places = ids[present], present.nonzero()[:, 1]
    rest = -flat.size(0) % step
    if rest:
        flat, places = torch.constant_pad_nd(flat, [0, rest]), torch.constant_pad_nd(places, [0, rest])
    words = word_codes[flat].float().mul_(word_scale[flat].unsqueeze(1))
    words.add_(positions[places])
    if types is not None and second_type is not None:
        words.addcmul_(torch.constant_pad_nd(types[present], [0, rest]).float().unsqueeze(1), second_type)
    return torch.layer_norm(words, [words.size(1)], weight, bias, eps)


def pooled(hidden: torch.Tensor, lengths: list[int], pooling: str) -> torch.Tensor:
    """One vector a text of texts that lie end to end: the mean over its rows, or its first row; or all of its rows."""
    every, wide = pooling == "tokens", hidden.size(1)
    vectors = torch.zeros(len(lengths), max(lengths), wide) if every else torch.empty(len(lengths), wide)
    number, first = 0, 0
    while number < len(lengths):
        length, texts = lengths[number], 1
        while number + texts < len(lengths) and lengths[number + texts] == length:
            texts += 1
        tokens = hidden[first : first + texts * length].view(texts, length, wide)
        if every:
            vectors[number : number + texts, :length] = tokens
        elif pooling == "cls":
            vectors[number : number + texts] = tokens[:, 0]
        else:
            vectors[number : number + texts] = tokens.mean(1)
        number, first = number + texts, first + texts * length
    return vectors


@cache
def compiled(function: Function) -> Function:
    """The same function as a program of torch, compiled once in a process; itself where torch cannot compile it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch prefers its other compiler by now, which needs one of C++ beside it
            script = torch.jit.script(function)
    except Exception:  # its own compiler has a dozen kinds of errors, and each leaves what it was given as it was
        return function

    def run(*given: Any) -> Any:
        with torch.jit.optimized_execution(False):  # as it stands: what is fused might be rounded otherwise
            return script(*given)

    return cast("Function", run)
