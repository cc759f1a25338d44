"""Query, key and value of every token in, the weighted means of the values out. One of the doors to torch.

The texts of a batch lie end to end, without padding. Texts of one length that are neighbours are computed together, so
there is no mask and no work for tokens that are not there. Three forms compute the same. `FloatAttention` is torch's own,
in float32. `FlashAttention` is the same in bfloat16, for CPUs with AMX: a text is padded to a multiple of 16, since torch
computes the exponentials behind the last whole multiple one by one, which takes 50 % longer at 190 tokens than at 192.
`BfloatAttention` is for CPUs that multiply bfloat16 and where exponentials would take most of the time (AVX-512 BF16):

- scores come out of the product in steps of 1/128 octave, since 128 * log2(e) / sqrt(head dimensions) is folded into the
  query. Such a score, as an integer, plus 127 * 128 *is* the bfloat16 number 2^(score / 128), up to its mantissa being
  read as linear between powers of two (N. Schraudolph, "A Fast, Compact Approximation of the Exponential Function",
  1999). The error of at most 6 % is alike for all scores and leaves with the sum they are divided by, but for its
  variation; what that costs is measured in docs/models.md.
- the sum of the weights is one more column of the values, which holds ones: no second pass.

No maximum is subtracted. Instead the length of the longest query times that of the longest key bounds every score of a
head (Cauchy-Schwarz); a head beyond SCORE_LIMIT is computed in float32. Models have a few of these, and bfloat16 would
not tell their large scores apart.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rag.compute.torch_door import torch
from rag.encoder.families import distance_bias

F = torch.nn.functional

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

OCTAVE = 128  # a bfloat16 has 7 bits of mantissa: adding 128 to its bits doubles it
ONE = 127 * OCTAVE  # the bits of 1.0 in bfloat16
OCTAVES = OCTAVE * math.log2(math.e)  # steps of scores in 1 of a natural exponent
SCORE_LIMIT = 80 * OCTAVE  # 2^80 for one weight leaves room for a sum of thousands below 2^127
SHORTEST = 64  # below so many tokens the exponentials are few and float32 is as fast
WIDTH_STEP = 16  # texts are padded up to a multiple: oneDNN keeps half a megabyte for every shape it has seen


class Attention(Protocol):
    """One way to compute attention."""

    query_scale: float
    output: torch.dtype
    centred: bool
    bias: DistanceBias

    def __call__(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        """Means of the values, float32 (rows, dimensions), of qkv (rows, 3 * dimensions): texts of these lengths.

        Rows behind the last text are 0.
        """
        ...

    def of_firsts(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        """The same of the first token of each text alone, float32 (texts, dimensions)."""
        ...


class DistanceBias:
    """What MPNet adds to scores by the distance of key and query; nothing for other encoders.

    It depends on the distance alone, so that of a short text is the beginning of that of a longer one.
    """

    def __init__(self, table: NDArray[np.float32] | None = None) -> None:
        self.table = table
        self.bounds = torch.tensor(0.0) if table is None else torch.from_numpy(np.abs(table).max(axis=0))  # (heads,)
        self._longest = torch.empty(0, 0, 0)
        self._longest_steps = torch.empty(0, 0, 0, dtype=torch.bfloat16)

    def __call__(self, tokens: int) -> torch.Tensor | None:
        """The bias of a text, float32 (heads, tokens, tokens), or None."""
        if self.table is None:
            return None
        found = self._longest  # looked at once: another thread may put a longer one there
        if found.shape[1] < tokens:
            found = self._longest = torch.from_numpy(distance_bias(self.table, tokens))
        return found[:, :tokens, :tokens]

    def steps(self, tokens: int) -> torch.Tensor | None:
        """The same in steps of scores, bfloat16."""
        bias = self(tokens)
        if bias is None:
            return None
        found = self._longest_steps
        if found.shape[1] < tokens:
            found = self._longest_steps = (bias * OCTAVES).to(torch.bfloat16)
        return found[:, :tokens, :tokens]


def masked(bias: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """A bias of scores that lets no query see keys which are not there."""
    return bias.masked_fill(~present, -math.inf)


class FloatAttention:
    """torch's attention in float32. `query_scale` is what the query was multiplied by beforehand."""

    query_scale, output, centred = 1.0, torch.float32, False

    def __init__(self, bias: DistanceBias | None = None) -> None:
        self.bias = bias or DistanceBias()

    def __call__(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        means = torch.zeros(len(qkv), qkv.shape[1] // 3)
        for rows, texts in runs(lengths):
            query, key, value = split_heads(qkv[rows], texts, heads)
            found = F.scaled_dot_product_attention(query, key, value, attn_mask=self.bias(query.shape[2]))
            by_head(means[rows], texts, heads).copy_(found)
        return means

    def of_firsts(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        """The means of the first token of each text alone."""
        return first_means(qkv, lengths, heads, self.bias, 1 / math.sqrt(qkv.shape[1] // (3 * heads)))


class FlashAttention:
    """torch's attention in bfloat16, plus `centre`, which float32 adds at the end."""

    query_scale, output, centred = 1.0, torch.bfloat16, True

    def __init__(self, centre: float = 0.0, bias: DistanceBias | None = None) -> None:
        self.centre = centre
        self.bias = bias or DistanceBias()

    def __call__(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        means = torch.zeros(len(qkv), qkv.shape[1] // 3)
        # A bias is too large to be written out for each text: with one, only texts of one length share it.
        width_of = flash_width if self.bias.table is None else int
        first = 0
        for _, neighbours in groupby(lengths, key=width_of):
            own = list(neighbours)
            rows = slice(first, first + sum(own))
            self._of_one_width(qkv[rows], means[rows], own, heads)
            first = rows.stop
        return means

    def _of_one_width(self, qkv: torch.Tensor, means: torch.Tensor, lengths: list[int], heads: int) -> None:
        width = flash_width(lengths[0])
        query, key, value = split_heads(widened(qkv, lengths, width), len(lengths), heads)
        if width < SHORTEST:
            query, key, value = query.float(), key.float(), value.float()
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=self._mask(lengths, width))
        narrowed(found.transpose(1, 2).flatten(2), lengths, means)
        if self.centre:
            means += self.centre

    def of_firsts(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        """The means of the first token of each text alone, in float32: they are few."""
        scale = 1 / math.sqrt(qkv.shape[1] // (3 * heads))
        return first_means(qkv.float(), lengths, heads, self.bias, scale).add_(self.centre)

    def _mask(self, lengths: list[int], width: int) -> torch.Tensor | None:
        """The bias of texts that hides what they are padded with, float32; None where there is neither."""
        bias = self.bias(width)
        if min(lengths) == width:
            return bias
        hidden = torch.zeros(len(lengths), 1, 1, width)
        for number, tokens in enumerate(lengths):
            hidden[number, :, :, tokens:] = -math.inf
        return hidden.expand(-1, 1, width, width) if bias is None else bias + hidden[:1]


class BfloatAttention:
    """Attention in bfloat16 with exponentials by shifting bits, plus `centre`, which float32 adds at the end."""

    output, centred = torch.bfloat16, True

    def __init__(self, head_dimensions: int, centre: float = 0.0, bias: DistanceBias | None = None) -> None:
        self.query_scale = OCTAVES / math.sqrt(head_dimensions)
        self.centre = torch.tensor(centre)
        self.bias = bias or DistanceBias()

    def __call__(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        means = torch.zeros(len(qkv), qkv.shape[1] // 3)
        for rows, texts in runs(lengths):
            found = by_head(means[rows], texts, heads)
            parts = split_heads(qkv[rows], texts, heads)
            if found.shape[2] < SHORTEST:
                self._exactly(parts, found, self.bias(found.shape[2]))
                continue
            safe = score_bounds(qkv[rows], texts, heads) + self.bias.bounds * OCTAVES < SCORE_LIMIT
            width = whole_width(found.shape[2])
            bias, steps = self.bias(found.shape[2]), self.bias.steps(width)
            self._quickly(parts, found, width, steps)
            for text in range(texts):
                if not bool(safe[text].all()):
                    risky = ~safe[text]
                    exact = torch.empty_like(found[text, risky])
                    own = None if bias is None else bias[risky]
                    self._exactly(parts[:, text, risky].unsqueeze(1), exact.unsqueeze(0), own)
                    found[text, risky] = exact
        return means

    def of_firsts(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        """The means of the first token of each text alone, in float32: they are few."""
        return first_means(qkv.float(), lengths, heads, self.bias, math.log(2) / OCTAVE).add_(self.centre)

    def _quickly(self, parts: torch.Tensor, means: torch.Tensor, width: int, bias: torch.Tensor | None) -> None:
        """Texts of one length, each in the memory of the one before, which is still in the CPU's caches.

        parts is (3, texts, heads, tokens, head dimensions), means the same without the 3; `bias` (heads, width, width) is
        in steps of scores.
        """
        _, texts, heads, tokens, narrow = parts.shape
        pairs = parts.new_zeros(2, heads, width, narrow)
        # Rows behind the last token are 0, their ones too: whatever weight they get, nothing is added.
        weighted = parts.new_zeros(heads, width, narrow + 1)
        weighted[:, :tokens, narrow] = 1
        scores, bits = parts.new_empty(heads, width, width), torch.empty(heads, width, width, dtype=torch.int16)
        sums = parts.new_empty(heads, width, narrow + 1)
        query, keys, weights = pairs[0], pairs[1].transpose(1, 2), bits.view(torch.bfloat16)
        for text in range(texts):
            pairs[:, :, :tokens] = parts[:2, text]
            weighted[:, :tokens, :narrow] = parts[2, text]
            if bias is None:
                torch.bmm(query, keys, out=scores)
            else:
                torch.baddbmm(bias, query, keys, out=scores)
            bits.copy_(scores).add_(ONE)
            torch.bmm(weights, weighted, out=sums)
            found = sums[:, :tokens].float()
            torch.addcdiv(self.centre, found[..., :narrow], found[..., narrow:], out=means[text])

    def _exactly(self, parts: torch.Tensor, means: torch.Tensor, bias: torch.Tensor | None) -> None:
        """The same by torch's attention in float32: parts is (3, texts, heads, tokens, head dimensions)."""
        query, key, value = parts.float()
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=math.log(2) / OCTAVE)
        torch.add(found, self.centre, out=means)


def first_means(
    qkv: torch.Tensor, lengths: Sequence[int], heads: int, biases: DistanceBias, scale: float
) -> torch.Tensor:
    """The means that the first token of each text finds, float32 (texts, dimensions), by torch's attention."""
    means = torch.empty(len(lengths), qkv.shape[1] // 3)
    number = 0
    for rows, texts in runs(lengths):
        query, key, value = split_heads(qkv[rows], texts, heads)
        bias = biases(key.shape[2])
        mask = None if bias is None else bias[:, :1]
        found = F.scaled_dot_product_attention(query[:, :, :1], key, value, attn_mask=mask, scale=scale)
        by_head(means[number : number + texts], texts, heads).copy_(found)
        number += texts
    return means


def runs(lengths: Sequence[int]) -> Iterator[tuple[slice, int]]:
    """Neighbours of one length: their rows, and how many texts they are."""
    first = 0
    for length, same in groupby(lengths):
        texts = sum(1 for _ in same)
        yield slice(first, first + texts * length), texts
        first += texts * length


def whole_width(tokens: int) -> int:
    """What a text of so many tokens is padded to.

    >>> [whole_width(tokens) for tokens in (64, 65, 190)]
    [64, 80, 192]
    """
    return -(-tokens // WIDTH_STEP) * WIDTH_STEP


def flash_width(tokens: int) -> int:
    """What torch's attention pads a text to: short ones are computed in float32 as they are.

    >>> [flash_width(tokens) for tokens in (63, 64, 65)]
    [63, 64, 80]
    """
    return tokens if tokens < SHORTEST else whole_width(tokens)


def widened(qkv: torch.Tensor, lengths: Sequence[int], width: int) -> torch.Tensor:
    """The rows (rows, 3 * dimensions) of texts with rows of zeros behind each, up to a width."""
    if min(lengths) == width:
        return qkv
    wide = qkv.new_empty(len(lengths), width, qkv.shape[1])
    number = 0
    for rows, texts in runs(lengths):
        own, tokens = wide[number : number + texts], lengths[number]
        own[:, :tokens] = qkv[rows].view(texts, tokens, -1)
        own[:, tokens:] = 0
        number += texts
    return wide.view(len(lengths) * width, -1)


def narrowed(wide: torch.Tensor, lengths: Sequence[int], target: torch.Tensor) -> None:
    """Puts the tokens of texts (texts, width, dimensions) end to end into `target` (rows, dimensions)."""
    number = 0
    for rows, texts in runs(lengths):
        own, tokens = wide[number : number + texts], lengths[number]
        target[rows].view(texts, tokens, -1).copy_(own[:, :tokens])
        number += texts


def split_heads(qkv: torch.Tensor, texts: int, heads: int) -> torch.Tensor:
    """Query, key and value of each head of texts of one length: a view (3, texts, heads, tokens, head dimensions)."""
    rows, wide = qkv.shape
    return qkv.view(texts, rows // texts, 3, heads, wide // (3 * heads)).permute(2, 0, 3, 1, 4)


def by_head(values: torch.Tensor, texts: int, heads: int) -> torch.Tensor:
    """The rows (rows, dimensions) of texts of one length: a view (texts, heads, tokens, head dimensions)."""
    rows, wide = values.shape
    return values.view(texts, rows // texts, heads, wide // heads).transpose(1, 2)


def score_bounds(qkv: torch.Tensor, texts: int, heads: int) -> torch.Tensor:
    """No score of a head of a text is larger than this, float32 (texts, heads)."""
    rows, wide = qkv.shape
    parts = qkv.view(rows, 3 * heads, wide // (3 * heads))[:, : 2 * heads]
    # 1.02: the lengths are sums of bfloat16 numbers and rounded to such themselves
    longest = torch.linalg.vector_norm(parts, dim=2).view(texts, rows // texts, 2, heads).amax(1).float()
    bounds: torch.Tensor = longest[:, 0] * longest[:, 1] * 1.02
    return torch.nan_to_num_(bounds, nan=math.inf)
