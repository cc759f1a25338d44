"""The arithmetic of the encoder's kernels: attention by shifted bits, weights for 16-bit sums, and the plan for a CPU."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from commands_here import run_main
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PROJECT

from rag.compute.plan import ComputePlan, check_mode
from rag.encoder.attention_torch import ONE, SCORE_LIMIT, BfloatAttention, FlashAttention, FloatAttention, score_bounds
from rag.encoder.kernel import FULL, NARROW, SHRINK_STEPS, FoldedLinear, bound_pairs, pair_sums, scale_query
from rag.encoder.kernel_torch import choose_product, float_linear, random_linear
from rag.encoder.probe import Findings, cached_findings, milliseconds, probe
from sql.base.errors import UsageError
from sql.base.settings import INSTRUCTION_CAPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADS, WIDE, TOKENS = 4, 64, 96

# Attention


def drawn_qkv(lengths: list[int], size: float = 1.0) -> torch.Tensor:
    """Query, key and value of texts that lie end to end, float32 (rows, 3 * dimensions)."""
    return torch.randn(sum(lengths), 3 * WIDE, generator=torch.Generator().manual_seed(len(lengths))) * size


def in_bfloat16(attention: BfloatAttention, qkv: torch.Tensor) -> torch.Tensor:
    scaled = qkv.clone()
    scaled[:, :WIDE] *= attention.query_scale
    return scaled.to(torch.bfloat16)


def test_shifted_bits_are_powers_of_two_within_six_percent() -> None:
    scores = torch.arange(-80 * 128, 80 * 128, dtype=torch.int16)
    found = (scores + ONE).view(torch.bfloat16).double()
    ratio = found / torch.exp2(scores.double() / 128)
    assert 1.0 <= float(ratio.min()) <= float(ratio.max()) < 1.0615
    assert torch.equal(found[::128], torch.exp2(scores[::128].double() / 128))


def test_attention_in_bfloat16_is_close_to_float32() -> None:
    lengths = [96, 90, 81, 81, 81, 5, 1]
    qkv = drawn_qkv(lengths, 1.5)
    quick = BfloatAttention(WIDE // HEADS, 128.5)
    difference = quick(in_bfloat16(quick, qkv), lengths, HEADS) - 128.5 - FloatAttention()(qkv, lengths, HEADS)
    assert float(difference.abs().max()) < 0.15
    assert float(difference.square().mean().sqrt()) < 0.02


def test_torchs_attention_in_bfloat16_is_close_to_float32_and_does_not_see_what_a_text_is_padded_with() -> None:
    lengths = [96, 90, 81, 81, 81, 5, 1]
    qkv = drawn_qkv(lengths, 1.5)
    found = FlashAttention(128.5)(qkv.to(torch.bfloat16), lengths, HEADS)
    difference = found - 128.5 - FloatAttention()(qkv, lengths, HEADS)
    assert float(difference.abs().max()) < 0.05
    assert float(difference.square().mean().sqrt()) < 0.01


def test_texts_that_are_padded_to_one_width_together_get_the_bits_that_each_gets_alone() -> None:
    lengths = [96, 90, 81, 70, 70, 5]
    qkv, attention = drawn_qkv(lengths).to(torch.bfloat16), FlashAttention()
    alone = [attention(own, [len(own)], HEADS) for own in qkv.split(lengths)]
    assert torch.equal(attention(qkv, lengths, HEADS), torch.cat(alone))


def test_attention_is_that_of_the_formula_and_stays_within_a_text() -> None:
    lengths = [7, 5, 5, 1]
    qkv = drawn_qkv(lengths)
    expected = []
    for text in qkv.double().split(lengths):
        query, key, value = text.view(len(text), 3, HEADS, -1).permute(1, 2, 0, 3)
        weights = torch.softmax(query @ key.transpose(1, 2) / (WIDE // HEADS) ** 0.5, dim=2)
        expected.append((weights @ value).transpose(0, 1).reshape(len(text), WIDE))
    assert torch.allclose(FloatAttention()(qkv, lengths, HEADS).double(), torch.cat(expected), atol=1e-5)


def test_scores_beyond_what_bits_hold_are_computed_in_float32_and_the_other_texts_do_not_feel_it() -> None:
    lengths = [90, 90, 90]
    qkv, large = drawn_qkv(lengths), slice(90, 180)
    quick = BfloatAttention(WIDE // HEADS)
    alone = quick(in_bfloat16(quick, qkv), lengths, HEADS)
    qkv[large, : 2 * WIDE] *= 12
    scaled = in_bfloat16(quick, qkv)
    beyond = score_bounds(scaled, 3, HEADS) > SCORE_LIMIT
    assert [row.tolist() for row in beyond] == [[False] * HEADS, [True] * HEADS, [False] * HEADS]
    found = quick(scaled, lengths, HEADS)
    others = [*range(90), *range(180, 270)]
    assert torch.equal(found[others], alone[others])
    expected = FloatAttention()(
        scaled.float() / torch.tensor([quick.query_scale] * WIDE + [1.0] * 2 * WIDE), lengths, HEADS
    )
    assert float((found - expected)[large].abs().max()) < 1e-3


def test_no_score_is_above_its_bound() -> None:
    qkv = drawn_qkv([TOKENS] * 4, 2.0).to(torch.bfloat16)
    query, key, _ = qkv.double().view(4, TOKENS, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
    largest = (query @ key.transpose(2, 3)).abs().amax(dim=(2, 3))
    assert (largest <= score_bounds(qkv, 4, HEADS)).all()


def test_a_keys_bias_changes_no_attention() -> None:
    linear = FoldedLinear(
        np.random.default_rng(0).integers(-127, 128, (3 * WIDE, WIDE), dtype=np.int8),
        np.full(3 * WIDE, 0.002, np.float32),
        np.random.default_rng(1).normal(size=3 * WIDE).astype(np.float32),
        0.02,
    )
    codes = torch.randint(0, 256, (TOKENS, WIDE), dtype=torch.uint8)
    plain, without = (
        FloatAttention()(float_linear(one, 128, "none")(codes), [TOKENS], HEADS)
        for one in (linear, scale_query(linear, 1.0))
    )
    assert torch.allclose(plain, without, atol=1e-4)


# Sums of 16 bits


def linear_of(codes: np.ndarray) -> FoldedLinear:  # type: ignore[type-arg]
    height = len(codes)
    return FoldedLinear(codes.astype(np.int8), np.ones(height, np.float32), np.zeros(height, np.float32), 1.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([FULL, NARROW]))
def test_no_pair_of_bounded_weights_can_overflow_16_bits(seed: int, width: int, grid: object) -> None:
    assert grid in {FULL, NARROW}
    limit = grid.pair_limit  # type: ignore[attr-defined]
    codes = np.random.default_rng(seed).integers(-127, 128, (5, width))
    bounded = bound_pairs(linear_of(codes), limit)
    assert pair_sums(bounded.codes).max() <= limit
    assert grid.top * limit <= 2**15 - 1  # type: ignore[attr-defined]
    # Each weight is off by no more than what its pair had too much, and the rounding.
    excess = max(0.0, float(pair_sums(codes).max()) - limit)
    assert np.abs(bounded.codes * bounded.scale[:, None] - codes).max() <= excess + 1.5


def bound_one_channel(codes: list[int], limit: int) -> tuple[list[float], float]:
    """The slow twin of `bound_pairs`: one channel's codes, and the factor by which its weights shrank."""
    pairs = [codes[first : first + 2] for first in range(0, len(codes), 2)]
    least = min(1.0, (limit - 1) / max(1, *(sum(map(abs, pair)) for pair in pairs)))
    tries = []
    for part in np.linspace(0, 1, SHRINK_STEPS):
        factor = least + (1 - least) * float(part)
        found: list[float] = []
        for pair in pairs:
            rounded = [float(np.rint(code * factor)) for code in pair]
            excess = max(0.0, sum(map(abs, rounded)) - limit)
            share = min(math.ceil(excess * abs(rounded[0]) / max(sum(map(abs, rounded)), 1)), excess)
            lowered = zip(rounded, (share, excess - share), strict=False)
            found += [math.copysign(abs(code) - less, code) for code, less in lowered]
        error = np.square(np.array(found) / factor - np.array(codes)).sum()
        tries.append((float(error), len(tries), found, factor))
    _, _, found, factor = min(tries)
    return found, factor


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([120, 128, 171]))
def test_the_shrinking_that_changes_a_channel_least_is_found(seed: int, width: int, limit: int) -> None:
    codes = np.random.default_rng(seed).integers(-127, 128, (5, width))
    codes[0] = 127
    plain = [bound_one_channel(channel.tolist(), limit) for channel in codes]
    bounded = bound_pairs(linear_of(codes), limit)
    assert bounded.codes.tolist() == [found for found, _ in plain]
    assert bounded.scale.tolist() == [float(np.float32(1 / factor)) for _, factor in plain]


def test_weights_without_a_large_pair_stay_as_they_are() -> None:
    codes = np.array([[100, -28, 3], [64, 64, -127]])
    bounded = bound_pairs(linear_of(codes), 128)
    assert np.array_equal(bounded.codes, codes)
    assert bounded.scale.tolist() == [1.0, 1.0]


AVX2 = dict(zip(INSTRUCTION_CAPS, ("AVX2", "AVX2", "avx2"), strict=True))
AVX2_SCRIPT = """
import json, numpy as np, torch
from rag.answer.models.int8_modules import choose_linear
from rag.encoder.kernel import NARROW, FoldedLinear, bound_pairs
from rag.encoder.kernel_torch import float_linear, onednn_linear
from rag.encoder.probe import pairs_saturate
random = np.random.default_rng(0)
codes = random.choice(np.array([-127, -90, 90, 127], dtype=np.int8), (64, 384))
linear = bound_pairs(FoldedLinear(codes, np.ones(64, np.float32), np.zeros(64, np.float32), 1.0), NARROW.pair_limit)
worst = torch.full((48, 384), NARROW.top, dtype=torch.uint8)
drawn = torch.randint(0, NARROW.top + 1, (48, 384), dtype=torch.uint8)
same = [torch.equal(onednn_linear(linear, 0, "none")(x), float_linear(linear, 0, "none")(x)) for x in (worst, drawn)]
plain = FoldedLinear(codes, np.ones(64, np.float32), np.zeros(64, np.float32), 1.0)
full = torch.full((48, 384), 255, dtype=torch.uint8)
whole = torch.equal(choose_linear("onednn")(plain, 0, "none")(full), float_linear(plain, 0, "none")(full))
print(json.dumps({"saturates": pairs_saturate(), "bounded": same, "language models": whole}))
"""


@pytest.mark.skipif(not torch.backends.cpu.get_cpu_capability().startswith("AVX"), reason="caps are for x86-64")
def test_bounded_weights_and_language_models_are_exact_where_avx2_saturates() -> None:
    environment = os.environ | AVX2
    finished = subprocess.run(
        [sys.executable, "-c", AVX2_SCRIPT], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(finished.stdout) == {"saturates": True, "bounded": [True, True], "language models": True}


# The plan for a CPU

VNNI = Findings(
    processor="a CPU",
    instructions="AVX512, VNNI",
    torch_version="2",
    threads=2,
    int8_product="onednn",
    saturates=False,
    int8_ms=1.0,
    bf16_ms=20.0,
    fp32_ms=4.0,
    bfloat16_attention_ms=9.0,
    flash_attention_ms=8.0,
    float32_attention_ms=3.0,
)


@pytest.mark.parametrize(
    ("findings", "plan"),
    [
        (VNNI, ComputePlan()),
        (replace(VNNI, bfloat16_attention_ms=1.0), ComputePlan(attention="bfloat16")),
        (replace(VNNI, bf16_ms=0.5, bfloat16_attention_ms=1.0), ComputePlan("bf16", attention="bfloat16")),
        (replace(VNNI, bfloat16_attention_ms=2.0, flash_attention_ms=1.0), ComputePlan(attention="flash bfloat16")),
        (
            replace(VNNI, bfloat16_attention_ms=2.0, flash_attention_ms=1.0, flash_steady=False),
            ComputePlan(attention="bfloat16"),
        ),
        (replace(VNNI, bf16_ms=0.5, bf16_steady=False), ComputePlan()),
        (replace(VNNI, bf16_ms=0.95), ComputePlan()),
        (replace(VNNI, saturates=True, int8_ms=2.0), ComputePlan(bounded_pairs=True)),
        (replace(VNNI, int8_product="float", int8_ms=6.0), ComputePlan("fp32", product="float")),
    ],
    ids=[
        "VNNI",
        "AVX-512 BF16",
        "AMX",
        "AMX with attention",
        "AMX whose texts depend on each other",
        "AMX whose rows depend on each other",
        "hardly faster",
        "AVX2",
        "no int8 product",
    ],
)
def test_auto_takes_what_was_clearly_fastest(findings: Findings, plan: ComputePlan) -> None:
    assert findings.plan("auto") == plan


def test_a_mode_that_is_asked_for_is_kept_however_slow() -> None:
    assert VNNI.plan("bf16").mode == "bf16"
    assert VNNI.plan("fp32") == ComputePlan("fp32")
    with pytest.raises(UsageError, match="must be one of auto, int8, bf16, fp32"):
        check_mode("int4")


def test_the_cpu_is_probed_once_and_a_damaged_finding_is_replaced(tmp_path: Path) -> None:
    first = cached_findings(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "int8_ms": 123.0}))
    assert cached_findings(tmp_path).int8_ms == 123.0
    path.write_text(path.read_text()[:20])
    assert cached_findings(tmp_path).processor == first.processor
    assert json.loads(path.read_text())["processor"] == first.processor
    assert torch.get_num_threads() == first.threads


def test_a_probe_measures_what_the_thread_computes_and_not_what_it_waits() -> None:
    """Sleeping stands for a processor that others have."""

    def waits() -> None:
        time.sleep(0.01)

    def computes() -> None:
        started = time.thread_time()
        while time.thread_time() < started + 0.001:
            pass

    found = milliseconds({"waits": waits, "computes": computes})
    assert found["waits"] < found["computes"]


def test_a_kind_that_is_hopelessly_behind_is_spared_and_others_are_measured_to_the_end() -> None:
    now, calls = 0.0, {"quick": 0, "slow": 0, "quicker at last": 0}

    def work(name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            nonlocal now
            calls[name] += 1
            now += seconds / calls[name] if name == "quicker at last" else seconds

        return run

    works = {name: work(name, seconds) for name, seconds in (("quick", 2.0), ("slow", 9.0), ("quicker at last", 8.0))}
    found = milliseconds(works, lambda: now)
    assert found == {"quick": 2000, "slow": 9000, "quicker at last": 1000}
    assert calls == {"quick": 8, "slow": 2, "quicker at last": 8}


def test_probing_leaves_the_threads_of_the_process_as_they_are() -> None:
    seen: set[int] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            asker = threading.Thread(target=lambda: seen.add(torch.get_num_threads()))
            asker.start()
            asker.join()

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert probe().threads == 3
        assert torch.get_num_threads() == 3
    finally:
        ended.set()
        watcher.join()
        torch.set_num_threads(before)
    assert seen == {3}


def test_this_torch_has_the_fast_product_and_the_plain_one_is_its_twin() -> None:
    assert choose_product() == "onednn"
    codes = torch.randint(0, 256, (5, 64), dtype=torch.uint8)
    linear = random_linear(16, 64)
    assert math.isfinite(float(float_linear(linear, 128, "gelu")(codes).sum()))


def test_the_doctor_names_the_arithmetic_and_makes_no_store(tmp_path: Path) -> None:
    finished = run_main("rag", "doctor", "--json", "--db", str(tmp_path / "none"), "--compute", "int8")
    assert finished.returncode == 0, finished.stderr
    findings = json.loads(finished.stdout)
    assert findings["compute"].startswith("int8: int8 (")
    assert "there is no store at" in findings["store"]
    assert findings["reading"].startswith("in processes with limits of resources")
    assert not (tmp_path / "none").exists()
