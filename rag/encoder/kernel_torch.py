"""The encoder on torch: int8 weights times 8-bit activations with the CPU's int8 instructions, or float arithmetic.

One of the doors to torch. The fast matrix products are oneDNN's, reached through operators that torch does not document;
where one is missing or wrong, plain arithmetic on the same codes takes its place (rag/encoder/probe.py finds out).
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rag.compute.plan import ComputePlan
from rag.compute.torch_door import batch_threads, limited, torch
from rag.encoder.attention_torch import (
    Attention,
    BfloatAttention,
    DistanceBias,
    FlashAttention,
    FloatAttention,
    whole_width,
)
from rag.encoder.kernel import (
    FULL,
    GELU_MINIMUM,
    HALF_A_STEP,
    NARROW,
    ROUNDED,
    ZERO_POINT,
    FoldedLayer,
    FoldedLinear,
    FoldedNorm,
    Grid,
    bound_pairs,
    fold,
    leave_unfolded,
    scale_query,
)
from rag.encoder.layers_torch import LayerParts, Product, compiled, embedded, pooled, quantize_rows, through

F = torch.nn.functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from rag.encoder.checkpoint import Checkpoint

    # what a product reads (rows, in) -> its results (rows, out)
    Linear = Callable[[torch.Tensor], torch.Tensor]

# The feed-forward's middle is four times as wide as the rest: in blocks of rows it stays in the CPU's caches.
ROWS_PER_BLOCK = 320
# A batch is filled up with rows that belong to no text, to a number from a short list. oneDNN keeps a third of a megabyte
# for each number of rows that it has seen, and float products of odd numbers are summed in another order, while a
# text's vector is not to depend on its neighbours.
FEW_ROWS, STEP_OF_FEW, STEP_OF_MANY = 128, 16, 64
FLOAT_TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


class TorchKernel:
    """Runs a checkpoint with int8 weights in memory."""

    pads = False

    def __init__(self, checkpoint: Checkpoint, plan: ComputePlan | None = None) -> None:
        self.plan = plan or ComputePlan()
        self.name = f"torch {self.plan}"
        self.config = config = checkpoint.config
        self.pooling = self.config.pooling
        tensors = checkpoint.tensors
        self.word_codes = torch.as_tensor(tensors["embeddings.word.codes"])
        self.word_scale = torch.as_tensor(tensors["embeddings.word.scale"])
        positions = tensors["embeddings.position.codes"].astype("float32")
        self.positions = torch.as_tensor(positions * tensors["embeddings.position.scale"][:, None])
        self.second_type = torch.as_tensor(tensors["embeddings.second_type"]) if config.token_types > 1 else None
        integer = self.plan.mode == "int8"
        grid = NARROW if self.plan.bounded_pairs else ROUNDED if codes_in_one_pass() else FULL
        self.attention = make_attention(
            self.plan,
            config.dimensions // config.heads,
            grid.centre if integer else 0.0,
            DistanceBias(tensors.get("distance_bias")),
        )
        value_centre = 0.0 if self.attention.centred else grid.centre
        folded = fold(checkpoint, grid, value_centre) if integer else leave_unfolded(checkpoint)
        self.embedding_norm = Norm(folded.embedding_norm, config.layer_norm_eps)
        self.layers: list[Layer] = [
            Int8Layer(layer, self.plan, grid, self.attention, config.layer_norm_eps)
            if integer
            else FloatLayer(layer, FLOAT_TYPES[self.plan.mode], self.attention, config.layer_norm_eps)
            for layer in folded.layers
        ]
        self.norms = [self.embedding_norm, *(layer.output_norm for layer in self.layers)]
        self.parts = parts_of(self.layers, self.norms, self.plan, grid)
        self.embed, self.pool, self.through = (compiled(each) for each in (embedded, pooled, through))

    @property
    def threads(self) -> int:
        """As many as torch has."""
        return batch_threads()

    def limited(self, threads: int) -> AbstractContextManager[None]:
        """While it lasts, what the calling thread computes is spread over so many threads."""
        return limited(threads)

    def forward(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], types: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions), or those of all tokens; of a question or so, on one thread.

        That is too little to be shared.
        """
        given = None if types is None or self.second_type is None else torch.from_numpy(types)
        with torch.inference_mode(), limited_for(lengths):
            found = self._forward(torch.from_numpy(ids), torch.from_numpy(lengths), given)
        vectors: NDArray[np.float32] = found.numpy()
        return vectors

    def forward_both(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The pooled vectors and those of all tokens."""
        with torch.inference_mode(), limited_for(lengths):
            hidden = self._of_all_tokens(torch.from_numpy(ids), torch.from_numpy(lengths), None)
            vectors, every = (self.pool(hidden, lengths.tolist(), pooling) for pooling in (self.pooling, "tokens"))
        return vectors.numpy(), every.numpy()

    def _forward(self, ids: torch.Tensor, lengths: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        if self.pooling == "cls":
            return self._firsts(self._passed(ids, lengths, types, len(self.layers) - 1), lengths.tolist())
        return self.pool(self._of_all_tokens(ids, lengths, types), lengths.tolist(), self.pooling)

    def _of_all_tokens(self, ids: torch.Tensor, lengths: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        """What the last layer makes of every token, the texts end to end; float32 (rows, dimensions)."""
        return self._passed(ids, lengths, types, len(self.layers))

    def _passed(
        self, ids: torch.Tensor, lengths: torch.Tensor, types: torch.Tensor | None, layers: int
    ) -> torch.Tensor:
        """What the first layers make of every token: a row for each, and a few at the end to fill up."""
        norm, text_lengths = self.embedding_norm, lengths.tolist()
        words = self.word_codes, self.word_scale, self.positions, self.second_type
        step = step_of(sum(text_lengths))
        hidden = self.embed(ids, lengths, types, step, *words, norm.weight, norm.bias, norm.eps)
        heads = self.config.heads
        if self.parts is not None:
            flash = isinstance(self.attention, FlashAttention)
            bias = self.attention.bias(whole_width(max(text_lengths)))  # of what is padded too
            parts = self.parts[:layers]
            return self.through(hidden, text_lengths, parts, heads, bias, norm.eps, ROWS_PER_BLOCK, flash)
        for layer, before in zip(self.layers[:layers], self.norms, strict=False):
            means = self.attention(layer.qkv(hidden), text_lengths, heads)
            hidden = layer.finish(means, hidden, before.residual)
        return hidden

    def _firsts(self, hidden: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """What the last layer makes of the first token of each text, float32 (texts, dimensions): the rest is not needed."""
        last = self.layers[-1]
        means = self.attention.of_firsts(last.qkv(hidden), lengths, self.config.heads)
        places = torch.tensor([0, *lengths[:-1]]).cumsum(0)
        rest = (0, 0, 0, filled_up(len(lengths)) - len(lengths))
        residual = self.norms[-2].residual
        return last.finish(F.pad(means, rest), F.pad(hidden[places], rest), residual)[: len(lengths)]


def limited_for(lengths: NDArray[np.int64]) -> AbstractContextManager[None]:
    """One thread for a question or so, which is too little to be shared, and those there are for more."""
    return limited(1) if int(lengths.sum()) <= FEW_ROWS else nullcontext()


def filled_up(rows: int) -> int:
    """The number of rows that is computed for so many.

    >>> [filled_up(rows) for rows in (1, 16, 17, 129, 2000)]
    [16, 16, 32, 192, 2048]
    """
    step = step_of(rows)
    return -(-rows // step) * step


def step_of(rows: int) -> int:
    """What the number of rows is a multiple of when it is filled up."""
    return STEP_OF_FEW if rows <= FEW_ROWS else STEP_OF_MANY


def parts_of(layers: Sequence[Layer], norms: Sequence[Norm], plan: ComputePlan, grid: Grid) -> list[LayerParts] | None:
    """The layers as one program reads them; None where the plan is another than that of `rag.encoder.layers_torch`."""
    if (plan.mode, plan.product) != ("int8", "onednn") or plan.attention == "bfloat16" or not grid.rounds:
        return None
    return [layer.parts(before) for layer, before in zip(layers, norms, strict=False) if isinstance(layer, Int8Layer)]


def make_attention(plan: ComputePlan, head_dimensions: int, centre: float, bias: DistanceBias) -> Attention:
    """The attention of a plan, its results `centre` higher where it adds that itself."""
    if plan.attention == "flash bfloat16":
        return FlashAttention(centre, bias)
    return BfloatAttention(head_dimensions, centre, bias) if plan.attention == "bfloat16" else FloatAttention(bias)


class Norm:
    """A layer norm in the units of what reads it."""

    def __init__(self, norm: FoldedNorm, eps: float) -> None:
        self.weight, self.bias = torch.as_tensor(norm.weight), torch.as_tensor(norm.bias)
        self.residual = torch.as_tensor(norm.residual)
        self.eps = eps

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(values, self.weight.shape, self.weight, self.bias, self.eps)


class Layer(Protocol):
    """One layer of the encoder around its attention."""

    output_norm: Norm

    def qkv(self, hidden: torch.Tensor) -> torch.Tensor:
        """Query, key and value, (rows, 3 * dimensions), in the type that the attention wants."""
        ...

    def finish(self, means: torch.Tensor, hidden: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """The layer's output, float32 (rows, dimensions), of what attention found; `hidden` is the layer's input."""
        ...


class Int8Layer:
    """int8 weights times 8-bit codes: layer norms give codes before they are cut or rounded."""

    def __init__(self, layer: FoldedLayer, plan: ComputePlan, grid: Grid, attention: Attention, eps: float) -> None:
        def make(linear: FoldedLinear, zero_point: int, activation: str, output: torch.dtype = torch.float32) -> Linear:
            fitting = bound_pairs(linear, grid.pair_limit) if plan.bounded_pairs else linear
            return PRODUCTS[plan.product](fitting, zero_point, activation, output)

        self.grid = grid
        self.query_key_value = make(
            scale_query(layer.qkv, attention.query_scale), grid.zero_point, "none", attention.output
        )
        self.attention = make(layer.attention, grid.zero_point, "none")
        self.attention_norm = Norm(layer.attention_norm, eps)
        self.up = make(layer.up, grid.zero_point, "gelu")
        self.down = make(without_bias(layer.down), 0, "none")
        self.down_bias = torch.as_tensor(layer.down.bias)
        self.output_norm = Norm(layer.output_norm, eps)

    def qkv(self, hidden: torch.Tensor) -> torch.Tensor:
        """Query, key and value of every token."""
        return self.query_key_value(cut(hidden, self.grid))

    def finish(self, means: torch.Tensor, hidden: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Attention's linear and norm, then the two feed-forward linears and theirs."""
        attended = self.attention_norm(self.attention(cut(means, self.grid)).addcmul_(hidden, residual))
        lowered = torch.addcmul(self.down_bias, attended, self.attention_norm.residual)
        for rows, target in zip(attended.split(ROWS_PER_BLOCK), lowered.split(ROWS_PER_BLOCK), strict=True):
            codes, scale = quantize_activated(self.up(cut(rows, self.grid)), self.grid)
            target.addcmul_(self.down(codes), scale)
        return self.output_norm(lowered)

    def parts(self, before: Norm) -> LayerParts:
        """The same for one program of all layers; `before` is the norm that its input comes from. Its products are oneDNN's."""
        linears = (self.query_key_value, self.attention, self.up, self.down)
        qkv, attention, up, down = (linear.product for linear in linears if isinstance(linear, OnednnLinear))
        middle, last = self.attention_norm, self.output_norm
        of_norms = middle.weight, middle.bias, middle.residual, last.weight, last.bias
        return LayerParts(qkv, attention, up, down, self.down_bias, before.residual, *of_norms)


class FloatLayer:
    """The same weights, widened from int8 while they are used, in bfloat16 or float32 arithmetic."""

    def __init__(self, layer: FoldedLayer, dtype: torch.dtype, attention: Attention, eps: float) -> None:
        self.output = attention.output
        self.query_key_value = widened_linear(scale_query(layer.qkv, attention.query_scale), dtype)
        self.attention = widened_linear(layer.attention, dtype)
        self.attention_norm = Norm(layer.attention_norm, eps)
        self.up, self.down = widened_linear(layer.up, dtype, "gelu"), widened_linear(layer.down, dtype)
        self.output_norm = Norm(layer.output_norm, eps)

    def qkv(self, hidden: torch.Tensor) -> torch.Tensor:
        """Query, key and value of every token."""
        return self.query_key_value(hidden).to(self.output)

    def finish(self, means: torch.Tensor, hidden: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Attention's linear and norm, then the two feed-forward linears and theirs."""
        attended = self.attention_norm(torch.addcmul(self.attention(means).float(), hidden, residual))
        lowered = self.down(self.up(attended)).float()
        return self.output_norm(torch.addcmul(lowered, attended, self.attention_norm.residual))


def cut(values: torch.Tensor, grid: Grid = FULL) -> torch.Tensor:
    """Codes of values that are in their units, and centred if the grid wants that: saturated to 0..grid.top, never
    wrapped; uint8.
    """
    if not grid.rounds:
        return values.clamp(0, grid.top).to(torch.uint8)
    # One pass that rounds, adds and saturates; the three of the other way take four times as long. What it makes is a
    # tensor of torch's quantized kind, whose memory holds the codes.
    found = torch.quantize_per_tensor(values, 1.0, grid.zero_point, torch.quint8)
    return torch.empty(0, dtype=torch.uint8).set_(found.untyped_storage(), 0, found.shape, found.stride())


def quantize_activated(values: torch.Tensor, grid: Grid = FULL) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes 0..grid.top of GELU's results plus GELU_MINIMUM, and the scale of each row (rows, 1). Overwrites `values`."""
    if grid.rounds:
        return quantize_rows(values, -GELU_MINIMUM)
    largest = values.amax(dim=1, keepdim=True).add_(GELU_MINIMUM)
    steps = grid.top / largest
    codes = values.mul_(steps).add_(steps.mul_(GELU_MINIMUM).add_(HALF_A_STEP)).to(torch.uint8)
    return codes, largest.div_(grid.top)


@cache
def codes_in_one_pass() -> bool:
    """Whether torch has the operators that make codes in one pass, and they make the right ones.

    It says once in a process that a later release will not have them. That needs no one to act: the other way remains.
    """
    values = torch.arange(-200.0, 200.0, 0.3125).repeat(16, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            codes, (rows, scale) = cut(values, ROUNDED), quantize_rows(values + 200, 0.0)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
    expected = values.round().add_(ZERO_POINT).clamp_(0, FULL.top).to(torch.uint8)
    return torch.equal(codes, expected) and bool(((rows * scale - values - 200).abs() < 0.51 * scale).all())


def pool(hidden: torch.Tensor, present: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector a text: the mean over its tokens, or its first token; or those of all tokens."""
    if pooling == "tokens":
        return hidden * present.unsqueeze(2)
    if pooling == "cls":
        return hidden[:, 0].clone()
    weights = present.unsqueeze(2).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def without_bias(linear: FoldedLinear) -> FoldedLinear:
    """The same linear layer with a bias of zeros."""
    return FoldedLinear(linear.codes, linear.scale, linear.bias * 0, linear.input_scale)


def bias_of_codes(linear: FoldedLinear, zero_point: int) -> NDArray[np.float32]:
    """The bias with what the zero-point takes off: W (q - z) + b = W q + (b - z W 1), float32 (out,).

    oneDNN can take it off itself, and is a tenth slower then with hundreds of rows, and a third with few.
    """
    step = linear.scale.astype(np.float64) * linear.input_scale
    return np.asarray(linear.bias - zero_point * step * linear.codes.sum(axis=1, dtype=np.int64), dtype=np.float32)


class OnednnLinear:
    """oneDNN's int8 product with weights packed for this CPU; scales, bias and GELU are applied as it writes."""

    def __init__(self, linear: FoldedLinear, zero_point: int, activation: str, output: torch.dtype) -> None:
        scale, bias = torch.as_tensor(linear.scale), torch.as_tensor(bias_of_codes(linear, zero_point))
        packed = torch.ops.onednn.qlinear_prepack(torch.as_tensor(linear.codes), None)
        self.product = Product(packed, scale, torch.zeros(len(scale), dtype=torch.int32), bias, linear.input_scale)
        self.activation, self.output = activation, output

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        packed, scale, zero_points, bias, step = self.product
        return torch.ops.onednn.qlinear_pointwise(
            codes, step, 0, packed, scale, zero_points, bias, 1.0, 0, self.output, self.activation, [], "none"
        )


def onednn_linear(
    linear: FoldedLinear, zero_point: int, activation: str, output: torch.dtype = torch.float32
) -> Linear:
    """oneDNN's int8 product."""
    return OnednnLinear(linear, zero_point, activation, output)


def halved_linear(linear: FoldedLinear, zero_point: int, activation: str) -> Linear:
    """oneDNN's product for CPUs that add pairs of products in 16 bits (AVX2 without VNNI), exact for weights of any size.

    A code q is the sum of q // 2 and the rest, neither above 128, and 128 * 127 + 128 * 127 = 32,512 fits in 16 bits. The
    two are rows of one product, so the weights are read once. Without an activation: the halves are added behind it.
    """
    if activation != "none":
        raise ValueError(f"halves are added after the product, where {activation!r} would come too early")
    multiply = onednn_linear(without_bias(linear), 0, "none")
    constant = torch.as_tensor(bias_of_codes(linear, zero_point))

    def run(codes: torch.Tensor) -> torch.Tensor:
        lower = codes // 2
        halves = multiply(torch.cat([lower, codes - lower]))
        return halves[: len(codes)].add_(halves[len(codes) :]).add_(constant)

    return run


def float_linear(linear: FoldedLinear, zero_point: int, activation: str, output: torch.dtype = torch.float32) -> Linear:
    """The same in float arithmetic, exact while sums stay below 2^24; works wherever torch does."""
    block = 512  # 512 * 255 * 127 < 2^24: sums of one block are exact integers in float32
    weights, bias = torch.as_tensor(linear.codes), torch.as_tensor(bias_of_codes(linear, zero_point))
    scale = torch.as_tensor(linear.scale) * linear.input_scale

    def run(codes: torch.Tensor) -> torch.Tensor:
        values = codes.float()
        total = torch.zeros(len(values), len(weights))
        for first in range(0, weights.shape[1], block):
            total.addmm_(values[:, first : first + block], weights[:, first : first + block].float().t())
        total.mul_(scale).add_(bias)
        return (F.gelu(total) if activation == "gelu" else total).to(output)

    return run


PRODUCTS = {"onednn": onednn_linear, "float": float_linear}


def widened_linear(linear: FoldedLinear, dtype: torch.dtype, activation: str = "none") -> Linear:
    """A float product whose weights stay int8 in memory and are widened into `dtype` for each call."""
    codes, bias = torch.as_tensor(linear.codes), torch.as_tensor(linear.bias).to(dtype)
    scale = torch.as_tensor(linear.scale).unsqueeze(1)

    def run(values: torch.Tensor) -> torch.Tensor:
        weight = torch.empty(codes.shape, dtype=dtype)
        torch.mul(codes, scale, out=weight)
        total = F.linear(values.to(dtype), weight, bias)
        return F.gelu(total) if activation == "gelu" else total

    return run


def choose_product() -> str:
    """`onednn` where torch has the int8 operator and it computes a small product rightly, else `float`."""
    linear = random_linear(16, 64)
    codes = torch.randint(0, 256, (3, 64), dtype=torch.uint8)
    try:
        found = onednn_linear(linear, ZERO_POINT, "gelu")(codes)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return "float"
    expected = float_linear(linear, ZERO_POINT, "gelu")(codes)
    return "onednn" if torch.allclose(found, expected, rtol=1e-3, atol=1e-3) else "float"


def random_linear(height: int, width: int) -> FoldedLinear:
    """A linear layer with drawn weights."""
    random = np.random.default_rng(0)
    return FoldedLinear(
        random.integers(-40, 41, (height, width), dtype=np.int8),
        random.uniform(0.0005, 0.001, height).astype(np.float32),
        random.normal(size=height).astype(np.float32),
        0.02,
    )
