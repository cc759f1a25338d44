"""Query, key and value of every token in, the weighted means of the values out. One of the doors to torch.

The texts of a batch lie end to end, without padding. Texts of one length that are neighbours are computed together, so
there is no mask and no work for tokens that are not there. Two forms compute the same. `FloatAttention` is torch's own,
in float32. `BfloatAttention` is for CPUs that multiply bfloat16 (AVX-512 BF16, AMX), where exponentials would take most
of the time:

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

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OCTAVE = 128  # a bfloat16 has 7 bits of mantissa: adding 128 to its bits doubles it
ONE = 127 * OCTAVE  # the bits of 1.0 in bfloat16
SCORE_LIMIT = 80 * OCTAVE  # 2^80 for one weight leaves room for a sum of thousands below 2^127
SHORTEST = 64  # below so many tokens the exponentials are few and float32 is as fast
SCORES_AT_ONCE = 2 * 192 * 192  # for each head; more leave the CPU's caches


class Attention(Protocol):
    """One way to compute attention."""

    query_scale: float
    output: torch.dtype
    centred: bool

    def __call__(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        """Means of the values, float32 (rows, dimensions), of qkv (rows, 3 * dimensions): texts of these lengths."""
        ...


class FloatAttention:
    """torch's attention in float32. `query_scale` is what the query was multiplied by beforehand."""

    query_scale, output, centred = 1.0, torch.float32, False

    def __call__(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        means = torch.empty(len(qkv), qkv.shape[1] // 3)
        for rows, texts in runs(lengths):
            query, key, value = split_heads(qkv[rows], texts, heads)
            by_head(means[rows], texts, heads).copy_(F.scaled_dot_product_attention(query, key, value))
        return means


class BfloatAttention:
    """Attention in bfloat16 with exponentials by shifting bits, plus `centre`, which float32 adds at the end."""

    output, centred = torch.bfloat16, True

    def __init__(self, head_dimensions: int, centre: float = 0.0) -> None:
        self.query_scale = OCTAVE * math.log2(math.e) / math.sqrt(head_dimensions)
        self.centre = torch.tensor(centre)

    def __call__(self, qkv: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
        means = torch.empty(len(qkv), qkv.shape[1] // 3)
        for rows, texts in runs(lengths):
            self._texts(qkv[rows], by_head(means[rows], texts, heads))
        return means

    def _texts(self, qkv: torch.Tensor, means: torch.Tensor) -> None:
        """Texts of one length; means is (texts, heads, tokens, head dimensions)."""
        texts, heads, tokens, _ = means.shape
        query, key, value = split_heads(qkv, texts, heads)
        if tokens < SHORTEST:
            self._exactly(query, key, value, means)
            return
        safe = score_bounds(qkv, texts, heads) < SCORE_LIMIT
        for some in slices(texts, max(1, SCORES_AT_ONCE // tokens**2)):
            parts = (query[some], key[some], value[some])
            if bool(safe[some].all()):
                self._quickly(*parts, means[some])
            else:
                self._by_pairs(*parts, safe[some], means[some])

    def _by_pairs(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, safe: torch.Tensor, means: torch.Tensor
    ) -> None:
        """Each head of each text by its own bound: what becomes of a text depends on that text alone."""
        for chosen, compute in ((safe, self._quickly), (~safe, self._exactly)):
            if bool(chosen.any()):
                asked, held, carried = (part[chosen].unsqueeze(1) for part in (query, key, value))
                found = torch.empty(asked.shape)
                compute(asked, held, carried, found)
                means[chosen] = found.squeeze(1)

    def _quickly(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, means: torch.Tensor) -> None:
        """Query, key, value and means are (texts, heads, tokens, head dimensions)."""
        texts, heads, tokens, narrow = query.shape
        weighted = torch.empty(texts, heads, tokens, narrow + 1, dtype=torch.bfloat16)
        weighted[..., narrow] = 1
        weighted[..., :narrow] = value
        flat = (texts * heads, tokens, -1)
        scores = torch.bmm(query.reshape(flat), key.reshape(flat).transpose(1, 2))
        weights = scores.to(torch.int16).add_(ONE).view(torch.bfloat16)
        sums = torch.bmm(weights, weighted.view(flat)).view(texts, heads, tokens, -1).float()
        torch.addcdiv(self.centre, sums[..., :narrow], sums[..., narrow:], out=means)

    def _exactly(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, means: torch.Tensor) -> None:
        """The same by torch's attention in float32."""
        scale = math.log(2) / OCTAVE
        found = F.scaled_dot_product_attention(query.float(), key.float(), value.float(), scale=scale)
        torch.add(found, self.centre, out=means)


def runs(lengths: Sequence[int]) -> Iterator[tuple[slice, int]]:
    """Neighbours of one length: their rows, and how many texts they are."""
    first = 0
    for length, same in groupby(lengths):
        texts = sum(1 for _ in same)
        yield slice(first, first + texts * length), texts
        first += texts * length


def slices(rows: int, size: int) -> Iterator[slice]:
    """The rows in order, so many at a time."""
    yield from (slice(first, min(first + size, rows)) for first in range(0, rows, size))


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
