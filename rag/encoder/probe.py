"""A CPU in, the plan to run an encoder by out: every kind of arithmetic is tried once on a small problem and timed.

One of the doors to torch. What was found is kept in the cache, beside the CPU, torch and settings that it holds for.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.compute.plan import ComputePlan
from rag.compute.torch_door import limited, torch
from rag.encoder.attention_torch import BfloatAttention, FlashAttention, FloatAttention
from rag.encoder.kernel import ZERO_POINT
from rag.encoder.kernel_torch import (
    PRODUCTS,
    choose_product,
    float_linear,
    onednn_linear,
    random_linear,
    widened_linear,
)
from sql.base.settings import instruction_caps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rag.encoder.attention_torch import Attention

ROWS, WIDE, DEEP, HEADS = 256, 384, 1536, 12  # a small batch through the widest linear of an encoder
TEXTS, TOKENS = 4, 190  # and through its attention; few texts have a multiple of 16 tokens
ROUNDS = 7
HOPELESS = 4  # times the fastest: on CPUs without bfloat16, that would take most of the probe's time
# int8 keeps its place unless another kind is clearly faster: a probe of milliseconds is not exact.
CLEARLY = 0.9


@dataclass(frozen=True, slots=True)
class Findings:
    """What the probe saw: milliseconds of each kind on the same small problem, and what works.

    `int8_product` is `onednn` where torch's int8 operator computes rightly, else `float`; `saturates` whether its sums of
    two products saturate in 16 bits. `bf16_steady` is False where bfloat16 would be taken and a row's product depends on
    the rows beside it, `flash_steady` where torch's attention in bfloat16 would be and depends on the texts beside one.
    """

    processor: str
    instructions: str
    torch_version: str
    threads: int
    int8_product: str
    saturates: bool
    int8_ms: float
    bf16_ms: float
    fp32_ms: float
    bfloat16_attention_ms: float
    flash_attention_ms: float
    float32_attention_ms: float
    bf16_steady: bool = True
    flash_steady: bool = True

    def plan(self, mode: str = "auto") -> ComputePlan:
        """The plan for a mode on this CPU."""
        chosen = self.fastest() if mode == "auto" else mode
        return ComputePlan(
            mode=chosen,
            product=self.int8_product,
            attention="float32" if chosen == "fp32" else self.attention(),
            bounded_pairs=chosen == "int8" and self.int8_product == "onednn" and self.saturates,
        )

    def reason(self, mode: str = "auto") -> str:
        """Why the plan for a mode is what it is, in milliseconds of the probe."""
        times = f"int8 {self.int8_ms:.2f} ms, bf16 {self.bf16_ms:.2f} ms, fp32 {self.fp32_ms:.2f} ms"
        attention = (
            f"flash bfloat16 {self.flash_attention_ms:.2f} ms, bfloat16 {self.bfloat16_attention_ms:.2f} ms, "
            f"float32 {self.float32_attention_ms:.2f} ms"
        )
        chosen = "asked for" if mode != "auto" else "int8 unless another is clearly faster"
        return f"{chosen} (one linear: {times}; attention: {attention})"

    def attention(self) -> str:
        """The form of attention beside int8 and bfloat16: float32 unless another is clearly faster."""
        forms = {"flash bfloat16": self.flash_attention_ms, "bfloat16": self.bfloat16_attention_ms}
        if not self.flash_steady:
            del forms["flash bfloat16"]
        name = min(forms, key=lambda form: forms[form])
        return name if forms[name] < CLEARLY * self.float32_attention_ms else "float32"

    def fastest(self) -> str:
        """The mode that `auto` stands for. Never one in which a text's vector depends on its batch."""
        rivals = {"bf16": self.bf16_ms, "fp32": self.fp32_ms}
        if not self.bf16_steady:
            del rivals["bf16"]
        name = min(rivals, key=lambda rival: rivals[rival])
        return name if rivals[name] < CLEARLY * self.int8_ms else "int8"


def cached_findings(folder: Path, *, fresh: bool = False) -> Findings:
    """The findings for this CPU, torch and settings, from the cache or, the first time or `fresh`, by probing it."""
    path = folder / f"probe-{machine_fingerprint()}.json"
    try:
        if not fresh:
            return Findings(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        pass  # not there, half written or of another version
    findings = probe()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(findings)), encoding="utf-8")
        draft.replace(path)
    except OSError:
        pass  # a cache that cannot be written costs a quarter of a second each time, and nothing else
    return findings


def machine_fingerprint() -> str:
    """A digest of all that decides what the probe would find."""
    known = [processor_name(), instructions(), torch.__version__, torch.get_num_threads(), *instruction_caps(), "5"]
    return sha256(json.dumps(known).encode()).hexdigest()[:16]


def probe() -> Findings:
    """Tries every kind of arithmetic; takes about half a second of one processor.

    On one thread, which waits for no other, and by the time that it computes: other work on the machine, and a CPU quota
    that is used up, count for nothing.
    """
    linear = random_linear(DEEP, WIDE)
    codes = torch.randint(0, 256, (ROWS, WIDE), dtype=torch.uint8)
    values = torch.randn(ROWS, WIDE)
    with torch.inference_mode(), limited(1):
        product = choose_product()
        products = milliseconds(
            {
                "int8_ms": partial(PRODUCTS[product](linear, ZERO_POINT, "gelu"), codes),
                "bf16_ms": partial(widened_linear(linear, torch.bfloat16, "gelu"), values),
                "fp32_ms": partial(widened_linear(linear, torch.float32, "gelu"), values),
            }
        )
        attentions = milliseconds(
            {
                "bfloat16_attention_ms": attention_of(BfloatAttention(WIDE // HEADS)),
                "flash_attention_ms": attention_of(FlashAttention()),
                "float32_attention_ms": attention_of(FloatAttention()),
            }
        )
        saturates = product == "onednn" and pairs_saturate()
        flash_steady = (
            attentions["flash_attention_ms"] >= CLEARLY * attentions["float32_attention_ms"] or texts_stand_alone()
        )
        steady = products["bf16_ms"] >= CLEARLY * products["int8_ms"] or rows_stand_alone()
    return Findings(
        processor=processor_name(),
        instructions=instructions(),
        torch_version=torch.__version__,
        threads=torch.get_num_threads(),
        int8_product=product,
        saturates=saturates,
        **products,
        **attentions,
        bf16_steady=steady,
        flash_steady=flash_steady,
    )


def attention_of(attention: Attention) -> Callable[[], object]:
    """A call of an attention on a few texts."""
    qkv = torch.randn(TEXTS * TOKENS, 3 * WIDE).to(attention.output)
    return partial(attention, qkv, [TOKENS] * TEXTS, HEADS)


def milliseconds(
    works: Mapping[str, Callable[[], object]], clock: Callable[[], float] = thread_time
) -> dict[str, float]:
    """The fastest of some rounds of each, after one that does not count; one that is hopelessly behind is spared the rest.

    By the clock of the calling thread, which stands still while others have its processor.
    """
    fastest = dict.fromkeys(works, float("inf"))
    for number in range(ROUNDS + 1):
        limit = HOPELESS * min(fastest.values())
        for name in [name for name in works if fastest[name] <= limit]:
            started = clock()
            works[name]()
            if number:
                fastest[name] = min(fastest[name], 1000 * (clock() - started))
    return {name: round(value, 4) for name, value in fastest.items()}


def pairs_saturate() -> bool:
    """Whether sums of two products saturate: 255 * 127 + 255 * 127 is more than 16 bits hold."""
    extreme = replace(random_linear(32, 64), codes=np.full((32, 64), 127, dtype=np.int8))
    codes = torch.full((64, 64), 255, dtype=torch.uint8)
    found, expected = (make(extreme, 0, "none")(codes) for make in (onednn_linear, float_linear))
    return not torch.allclose(found, expected, rtol=1e-4)


def rows_stand_alone() -> bool:
    """Whether a row's product in bfloat16 is the same whatever rows it is computed with.

    With AMX, oneDNN 3.x of torch 2.13 divides long sums in another way for many rows than for few: of 115,000 results of
    300 rows, 21 differed from those of the same rows among 600.
    """
    values, linear = torch.randn(2 * ROWS, DEEP), random_linear(WIDE, DEEP)
    product = widened_linear(linear, torch.bfloat16)
    return all(torch.equal(product(values)[:rows], product(values[:rows])) for rows in (64, ROWS))


def texts_stand_alone() -> bool:
    """Whether what torch's attention in bfloat16 finds for a text is the same whatever texts and threads it is computed with.

    It packs its operands where there is much to compute for each thread, and shorter texts bring a mask along.
    """
    attention = FlashAttention()
    for tokens in (64, TOKENS, 250):
        lengths = [tokens] * (TEXTS - 1) + [tokens - 1]
        qkv = torch.randn(sum(lengths), 3 * WIDE).to(torch.bfloat16)
        together = attention(qkv, lengths, HEADS)[:tokens]
        for threads in (1, 4):
            with limited(threads):
                if not torch.equal(attention(qkv[:tokens], [tokens], HEADS), together):
                    return False
    return True


def processor_name() -> str:
    """The CPU as it calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"model name", "CPU part"}:
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def instructions() -> str:
    """The instructions that matter, as torch sees them: `AVX512, VNNI, BF16`. Nothing is decided by it but the cache."""
    cpu: Any = torch.cpu
    known = {"_is_vnni_supported": "VNNI", "_is_avx512_bf16_supported": "BF16", "_is_amx_tile_supported": "AMX"}
    extra = [label for name, label in known.items() if hasattr(cpu, name) and getattr(cpu, name)()]
    return ", ".join([str(torch.backends.cpu.get_cpu_capability()), *extra])
