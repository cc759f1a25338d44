"""The kinds of arithmetic an encoder can run in, and what was decided for a CPU.

| mode | arithmetic | weights in memory |
|---|---|---|
| int8 | int8 weights times 8-bit activations, summed in 32 bits | int8 |
| bf16 | bfloat16 weights, widened from int8 while they are used, times bfloat16 activations | int8 |
| fp32 | the same in float32 | int8 |
| auto | the fastest of these that computes rightly on this CPU | |
"""

from __future__ import annotations

from dataclasses import dataclass

from sql.base.errors import UsageError
from sql.base.settings import COMPUTE_MODES as MODES


def check_mode(mode: str) -> str:
    """The mode; UsageError where there is none of this name."""
    if mode not in MODES:
        raise UsageError(f"--compute {mode}: it must be one of {', '.join(MODES)}")
    return mode


@dataclass(frozen=True, slots=True)
class ComputePlan:
    """How a kernel runs: its mode; for int8 the matrix product; the form of attention (rag/encoder/attention_torch.py).

    `bounded_pairs` says that the product adds pairs in 16 bits, for which weights are made to fit.
    """

    mode: str = "int8"
    product: str = "onednn"
    attention: str = "float32"
    bounded_pairs: bool = False

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.mode, MODES[1:]),
            (self.product, ("onednn", "float")),
            (self.attention, ("float32", "bfloat16", "flash bfloat16")),
        ):
            if value not in allowed:
                raise ValueError(f"a plan holds one of {', '.join(allowed)}, not {value!r}")

    def __str__(self) -> str:
        """`int8 (onednn, bfloat16 attention)`."""
        parts = [self.product] if self.mode == "int8" else []
        parts += ["weights bounded for 16-bit sums"] if self.bounded_pairs else []
        return f"{self.mode} ({', '.join([*parts, f'{self.attention} attention'])})"
