"""The int8 encoder: its kernels agree, a text's vector depends on the text alone, and little of float32 is lost."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from models import save_distilbert
from support import HashKernel, tiny_config, write_tiny_checkpoint

from rag.compute.plan import ComputePlan
from rag.encoder import kernel_numpy
from rag.encoder.checkpoint import Checkpoint, read_checkpoint
from rag.encoder.encoder import (
    TOKENS_PER_BATCH,
    Encoder,
    checkpoint_folder,
    encoder_folder_name,
    groups_of_like_length,
    load_encoder,
    load_float_encoder,
    pad,
    padded_length,
)
from rag.encoder.kernel import CENTRE, FULL, GELU_MINIMUM, ROUNDED, ZERO_POINT, FoldedLinear, Grid, fold, of_tokens
from rag.encoder.kernel_numpy import NumpyKernel, gelu, integer_product
from rag.encoder.kernel_torch import PRODUCTS, Int8Layer, TorchKernel, codes_in_one_pass, cut, quantize_activated
from rag.encoder.layers_torch import compiled
from rag.encoder.probe import pairs_saturate, rows_stand_alone, texts_stand_alone
from rag.encoder.states import Remembered, TokenStates
from sql.base.errors import RagError
from sql.base.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.text.tokenizer import Tokenizer

TEXTS = [
    "The cat sat on the mat.",
    "Quantization maps real numbers to a small set of integers, and keeps a scale and a zero-point beside them.",
    "x",
    "",
    "ClickHouse is a column store.",
    "Der Hund schläft unter dem Tisch, während es draußen regnet; die Katze sieht ihm dabei zu. " * 4,
    "def add(a, b):\n    return a + b",
    "🙂🙂🙂",
    "A vector of 384 numbers takes 1,536 bytes in float32 and 384 bytes as int8 codes.",
]


# Of 70 to 250 tokens, none a multiple of the step that texts are padded to.
LONG_TEXTS = [" ".join(["Storage engines keep columns apart and compress each by itself."] * n) for n in (6, 7, 11, 19)]


@pytest.fixture(scope="module")
def settings(model_cache: Path) -> Settings:
    return Settings(store=".rag", model=None, cache=model_cache, offline=True)


@pytest.fixture(scope="module")
def encoder(settings: Settings) -> Encoder:
    return load_encoder(settings)


@pytest.fixture(scope="module")
def checkpoint(settings: Settings, encoder: Encoder) -> Checkpoint:
    return read_checkpoint(checkpoint_folder(settings, DEFAULT_MODEL))


def test_vectors_are_float32_of_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_texts_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    assert np.array_equal(encoder.encode(TEXTS[::-1])[::-1], together)
    assert np.array_equal(np.stack([encoder.encode([text])[0] for text in TEXTS]), together)
    assert np.array_equal(encoder.encode(TEXTS * 5)[: len(TEXTS)], together)


def skip_where_it_saturates(plan: ComputePlan) -> None:
    """Leaves out what is documented as not chosen on a CPU that adds pairs of products in 16 bits (docs/models.md)."""
    if plan.mode == "int8" and plan.product == "onednn" and not plan.bounded_pairs and pairs_saturate():
        pytest.skip("this CPU adds pairs of products in 16 bits, and the probe chooses bounded weights there")


def with_plan(encoder: Encoder, checkpoint: Checkpoint, plan: ComputePlan) -> Encoder:
    return Encoder(encoder.config, encoder.tokenizer, lambda: TorchKernel(checkpoint, plan))


PLANS = [
    ComputePlan(),
    ComputePlan(attention="bfloat16"),
    ComputePlan(attention="flash bfloat16"),
    ComputePlan(bounded_pairs=True),
    pytest.param(ComputePlan("bf16"), marks=pytest.mark.slow),
    ComputePlan("bf16", attention="bfloat16"),
    ComputePlan("fp32"),
]


@pytest.mark.everyday("int8", "fp32")
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_every_plan_is_close_to_float32_and_a_text_never_feels_its_batch(
    settings: Settings, encoder: Encoder, checkpoint: Checkpoint, plan: ComputePlan
) -> None:
    skip_where_it_saturates(plan)
    planned, texts = with_plan(encoder, checkpoint, plan), [*LONG_TEXTS, *(text for text in TEXTS if len(text) > 10)]
    together = planned.encode(texts)
    cosine = (together * load_float_encoder(settings, encoder).encode(texts)).sum(axis=1)
    assert cosine.mean() > 0.9975
    assert cosine.min() > 0.99
    if plan.mode == "bf16" and not rows_stand_alone():
        pytest.skip("on this CPU a product in bfloat16 depends on its batch, and the probe never chooses it")
    if plan.attention == "flash bfloat16" and not texts_stand_alone():
        pytest.skip("on this CPU torch's attention in bfloat16 depends on the batch, and the probe never chooses it")
    assert np.array_equal(np.stack([planned.encode([text])[0] for text in texts]), together)


def test_the_float_product_gives_the_vectors_of_the_fast_one(encoder: Encoder, checkpoint: Checkpoint) -> None:
    skip_where_it_saturates(ComputePlan())
    plain, fast = (with_plan(encoder, checkpoint, ComputePlan(product=name)) for name in ("float", "onednn"))
    cosine = (plain.encode(TEXTS) * fast.encode(TEXTS)).sum(axis=1)
    prose = np.array([len(text.split()) > 3 for text in TEXTS])
    assert cosine[prose] == pytest.approx(1, abs=1e-3)
    assert cosine == pytest.approx(
        1, abs=5e-3
    )  # of three tokens, one unknown: a code that is rounded the other way shows


def test_the_numpy_kernel_is_as_close_to_float32_as_the_torch_one(
    settings: Settings, encoder: Encoder, checkpoint: Checkpoint
) -> None:
    # The two differ in the last bit of some sums, and a code that flips there changes others further on: what they
    # share is not the bits but the distance to float32.
    texts = [text for text in TEXTS if len(text) > 10]
    floats = load_float_encoder(settings, encoder).encode(texts)
    plain = Encoder(encoder.config, encoder.tokenizer, lambda: NumpyKernel(checkpoint))
    for vectors in (encoder.encode(texts), plain.encode(texts)):
        cosine = (vectors * floats).sum(axis=1)
        assert cosine.mean() > 0.9975
        assert cosine.min() > 0.99


def test_the_mean_of_the_states_of_all_tokens_is_the_vector(checkpoint: Checkpoint, encoder: Encoder) -> None:
    ids, lengths = pad(encoder.tokenizer.encode(["the cat sat", "a dog runs to the mat"]), 256)
    for kernel in (NumpyKernel(checkpoint), TorchKernel(checkpoint)):
        states, vectors = of_tokens(kernel).forward(ids, lengths), kernel.forward(ids, lengths)
        means = np.stack([row[:length].mean(axis=0) for row, length in zip(states, lengths, strict=True)])
        assert means == pytest.approx(vectors, abs=1e-5)


def test_every_token_of_a_text_has_a_state_however_long_the_text_is(encoder: Encoder) -> None:
    long = " ".join(["Storage engines keep columns apart."] * 100)
    of_long, of_short = encoder.token_states([long, "Köln cat"], "query: ")
    assert [long[start:end] for start, end in of_long.spans[:3]] == ["Storage", "engines", "keep"]
    assert of_long.spans.tolist() == encoder.tokenizer.spans(long).tolist()
    assert len(of_long.states) == len(of_long.spans) > encoder.config.max_tokens
    assert "Köln cat"[slice(*of_short.spans[-1])] == "cat"
    assert of_short.states.shape == (len(of_short.spans), 384)


def test_a_question_and_a_passage_are_read_once(checkpoint: Checkpoint, encoder: Encoder) -> None:
    batches: list[int] = []

    class Counting(NumpyKernel):
        def _of_all_tokens(self, ids: Any, lengths: Any, types: Any) -> Any:
            batches.append(len(ids))
            return super()._of_all_tokens(ids, lengths, types)

    counting = Encoder(encoder.config, encoder.tokenizer, lambda: Counting(checkpoint))
    vector = counting.encode_query("Where sat the cat?")
    assert vector == pytest.approx(counting.encode_queries(["Where sat the cat?"])[0], abs=1e-6)
    assert batches == [1, 1]
    (of_question,) = counting.token_states(["Where sat the cat?"])
    assert batches == [1, 1]
    (of_passage,) = counting.token_states(["Where sat the cat?"], "passage: ")
    assert batches == [1, 1, 1]
    counting.token_states(["Where sat the cat?"], "passage: ")
    assert batches == [1, 1, 1]
    assert of_question.spans.tolist() == of_passage.spans.tolist() != []


def test_what_has_not_been_read_for_the_longest_time_is_forgotten_first() -> None:
    def states(tokens: int) -> TokenStates:
        return TokenStates(np.zeros((tokens, 2), np.int64), np.zeros((tokens, 24), np.float16))  # 64 bytes a token

    remembered = Remembered(640)
    for name in ("a", "b"):
        remembered.put(name, "", states(4))
    remembered.put("b", "", states(4))
    assert remembered.get("a", "") is not None
    remembered.put("c", "", states(3))
    assert [remembered.get(name, "") is not None for name in ("a", "b", "c")] == [True, False, True]
    assert remembered.bytes == 448
    remembered.put("whole book", "", states(1000))
    assert (remembered.bytes, remembered.get("whole book", "")) == (448, None)


def test_the_kernels_agree_closely_where_rounding_cannot_pile_up(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path / "float", tokenizer, n_layers=1)
    settings = Settings(store=".rag", model=None, cache=tmp_path / "cache", offline=True)
    encoder = load_encoder(settings, str(tmp_path / "float"))
    checkpoint = read_checkpoint(checkpoint_folder(settings, str(tmp_path / "float")))
    plain = Encoder(encoder.config, encoder.tokenizer, lambda: NumpyKernel(checkpoint))
    texts = ["the cat sat here", "one two three", "a dog runs and runs and runs to the mat"]
    assert (plain.encode(texts) * encoder.encode(texts)).sum(axis=1) == pytest.approx(1, abs=1e-5)


def plain_linear(codes: NDArray[np.int8]) -> FoldedLinear:
    height = len(codes)
    return FoldedLinear(codes, np.ones(height, np.float32), np.zeros(height, np.float32), 1.0)


@pytest.mark.parametrize("name", sorted(PRODUCTS))
@pytest.mark.parametrize(("rows", "width", "height"), [(1, 1, 1), (3, 7, 5), (16, 384, 1152), (5, 1536, 384)])
def test_integer_products_are_exact(name: str, rows: int, width: int, height: int) -> None:
    skip_where_it_saturates(ComputePlan(product=name))
    random = np.random.default_rng(width)
    codes = random.integers(-127, 128, (height, width), dtype=np.int8)
    activations = random.integers(0, 256, (rows, width), dtype=np.uint8)
    expected = (activations.astype(np.int64) - ZERO_POINT) @ codes.T.astype(np.int64)
    found = PRODUCTS[name](plain_linear(codes), ZERO_POINT, "none")(torch.from_numpy(activations))
    assert np.array_equal(found.numpy().astype(np.int64), expected)
    assert np.array_equal(integer_product(activations - np.float32(ZERO_POINT), codes).astype(np.int64), expected)


@pytest.mark.parametrize("name", sorted(PRODUCTS))
def test_extreme_codes_do_not_saturate_the_product(name: str) -> None:
    # AVX2 without VNNI adds pairs of products in 16 bits: 2 * 255 * 127 would saturate at 32,767.
    skip_where_it_saturates(ComputePlan(product=name))
    found = PRODUCTS[name](plain_linear(np.full((16, 512), 127, np.int8)), 0, "none")(
        torch.full((4, 512), 255, dtype=torch.uint8)
    )
    assert found.tolist() == [[512 * 255 * 127.0] * 16] * 4


def test_both_products_scale_add_the_bias_and_activate_alike() -> None:
    skip_where_it_saturates(ComputePlan())
    random = np.random.default_rng(0)
    linear = FoldedLinear(
        random.integers(-127, 128, (24, 40), dtype=np.int8),
        random.uniform(0.001, 0.02, 24).astype(np.float32),
        random.normal(size=24).astype(np.float32),
        0.03,
    )
    codes = torch.from_numpy(random.integers(0, 256, (9, 40), dtype=np.uint8))
    for activation in ("none", "gelu"):
        fast, plain = (PRODUCTS[name](linear, ZERO_POINT, activation)(codes) for name in ("onednn", "float"))
        assert fast.numpy() == pytest.approx(plain.numpy(), abs=2e-3)


def test_codes_are_rounded_to_the_nearest_and_saturate() -> None:
    units = torch.tensor([[-1e9, -128.6, -0.51, -0.49, 0.49, 0.51, 126.6, 127.4, 300, 1e9]])
    expected = [0, 0, 127, 128, 128, 129, 255, 255, 255, 255]
    assert cut(units + CENTRE).tolist() == [expected]
    assert not codes_in_one_pass() or cut(units, ROUNDED).tolist() == [expected]
    assert (kernel_numpy.cut((units + CENTRE).numpy()) + ZERO_POINT).tolist() == [expected]


@pytest.mark.parametrize("grid", [FULL, ROUNDED], ids=["in passes", "in one pass"])
def test_every_row_after_gelu_is_quantized_within_half_a_step(grid: Grid) -> None:
    if grid == ROUNDED and not codes_in_one_pass():
        pytest.skip("this torch has no operator that makes codes in one pass")
    values = torch.randn(50, 1536, generator=torch.Generator().manual_seed(0)) * torch.logspace(-6, 3, 50).unsqueeze(1)
    activated = torch.nn.functional.gelu(values)
    codes, scale = quantize_activated(activated.clone(), grid)
    restored = codes.float() * scale - GELU_MINIMUM
    assert ((restored - activated).abs() <= 0.502 * scale).all()
    assert int(codes.amax(dim=1).min()) == 255
    twin, _ = kernel_numpy.quantize_activated(activated.numpy().copy())
    assert np.abs(twin - codes.numpy()).max() <= 1
    assert torch.equal(quantize_activated(activated[7:8].clone(), grid)[0], codes[7:8])


def test_a_torch_without_the_operators_that_make_codes_in_one_pass_gets_the_same_vectors_but_for_single_codes(
    encoder: Encoder, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_one = with_plan(encoder, checkpoint, ComputePlan()).encode(TEXTS)
    monkeypatch.setattr("rag.encoder.kernel_torch.codes_in_one_pass", lambda: False)
    in_passes = with_plan(encoder, checkpoint, ComputePlan()).encode(TEXTS)
    assert (in_one * in_passes).sum(axis=1) == pytest.approx(1, abs=1e-3)


# A CPU without bfloat16 takes a third of a second for each token of its products, so few are read in it.
@pytest.mark.parametrize(
    ("pooling", "attention", "batches"),
    [
        *(
            (pooling, "float32", ([3], [40, 40, 17], [200, 130, 130, 64, 2, 1]))
            for pooling in ("mean", "cls", "tokens")
        ),
        pytest.param("tokens", "flash bfloat16", ([70, 66, 2],), marks=pytest.mark.slow),
    ],
)
def test_one_program_for_all_layers_gives_the_numbers_that_its_operations_give_one_by_one(
    checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    pooling: str,
    attention: str,
    batches: Sequence[Sequence[int]],
) -> None:
    plan = ComputePlan(attention=attention)
    program = TorchKernel(checkpoint, plan)
    monkeypatch.setattr("rag.encoder.kernel_torch.compiled", lambda function: function)
    by_functions, by_layers = TorchKernel(checkpoint, plan), TorchKernel(checkpoint, plan)
    if program.parts is None:
        pytest.skip("this torch has no operator that makes codes in one pass, or no product of int8")
    by_layers.parts = None
    for of_program, function in zip(*((k.embed, k.pool, k.through) for k in (program, by_functions)), strict=True):
        assert of_program is not function  # which is what `compiled` returns where it cannot
    random = np.random.default_rng(0)
    for lengths in batches:
        ids = random.integers(0, checkpoint.config.vocabulary, (len(lengths), 256))
        found = []
        for kernel in (program, by_functions, by_layers):
            kernel.pooling = pooling
            found.append(kernel.forward(ids, np.array(lengths)))
        assert np.array_equal(found[0], found[1])
        assert np.array_equal(found[0], found[2])


def test_what_torch_cannot_compile_is_called_as_it_stands() -> None:
    def nothing_of_torch(value: int) -> str:
        return f"{value:>3}" + str(sorted({value}))

    assert compiled(nothing_of_torch)(2) == "  2[2]"


def test_what_is_folded_into_a_layer_is_exact_in_float(checkpoint: Checkpoint) -> None:
    # One layer by the checkpoint's plain numbers and by the folded ones, both in float64 and without any rounding.
    random = np.random.default_rng(0)
    tensors, layer = checkpoint.tensors, fold(checkpoint).layers[2]
    before = fold(checkpoint).layers[1].output_norm

    def weight(name: str) -> NDArray[np.float64]:
        return np.float64(tensors[f"layer.2.{name}.codes"]) * tensors[f"layer.2.{name}.scale"][:, None]

    def folded(linear: FoldedLinear, codes: NDArray[np.float64], zero_point: float) -> NDArray[np.float64]:
        return (codes - zero_point) @ (
            np.float64(linear.codes) * linear.scale[:, None] * linear.input_scale
        ).T + linear.bias

    normalized = random.normal(size=(6, 384))
    x = normalized * tensors["layer.1.output_norm.weight"] + tensors["layer.1.output_norm.bias"]
    y = normalized * before.weight + before.bias
    assert (y - CENTRE) * tensors["layer.2.qkv.input_scale"] == pytest.approx(x, abs=1e-5)
    plain = x @ weight("qkv").T + tensors["layer.2.qkv.bias"]
    found = folded(layer.qkv, y, CENTRE)
    assert found[:, :768] == pytest.approx(plain[:, :768], abs=1e-4)
    mixed, mixed_found = (np.full((6, 6), 1 / 6) @ values[:, 768:] for values in (plain, found))
    assert (mixed_found - CENTRE) * tensors["layer.2.attention.input_scale"] == pytest.approx(mixed, abs=1e-4)
    summed = (
        mixed @ weight("attention").T + tensors["layer.2.attention.bias"] + x * tensors["layer.1.output_norm.residual"]
    )
    assert folded(layer.attention, mixed_found, CENTRE) + y * before.residual == pytest.approx(summed, abs=1e-4)
    activated = np.abs(random.normal(size=(6, 1536)))
    lowered = (
        activated @ weight("down").T + tensors["layer.2.down.bias"] + x * tensors["layer.2.attention_norm.residual"]
    )
    z = x / tensors["layer.2.up.input_scale"] + CENTRE
    shifted = folded(layer.down, activated + GELU_MINIMUM, 0) + z * layer.attention_norm.residual
    assert shifted == pytest.approx(lowered, abs=1e-4)


def test_the_numpy_gelu_is_the_exact_one() -> None:
    values = np.linspace(-12, 12, 100_001, dtype=np.float32)
    assert gelu(values) == pytest.approx(torch.nn.functional.gelu(torch.from_numpy(values)).numpy(), abs=2e-6)
    assert -GELU_MINIMUM <= float(torch.nn.functional.gelu(torch.tensor(-0.7517916))) < -GELU_MINIMUM + 1e-6


def test_a_text_that_is_too_long_is_refused_and_never_cut(encoder: Encoder) -> None:
    with pytest.raises(RagError, match="longer than the 256"):
        encoder.encode(["word " * 255])
    assert encoder.encode(["word " * 254]).shape == (1, 384)


def test_batches_hold_one_padded_length_each_and_every_text_once() -> None:
    lengths = [3, 16, 17, 250, 256, 100, 16, 3] * 40
    found = groups_of_like_length(lengths, 256, pads=True)
    assert sorted(row for rows in found for row in rows) == list(range(len(lengths)))
    assert all(len({padded_length(lengths[row], 256) for row in rows}) == 1 for rows in found)
    assert max(sum(padded_length(lengths[row], 256) for row in rows) for rows in found) <= TOKENS_PER_BATCH


def test_where_nothing_is_padded_batches_are_full_and_texts_of_one_length_are_neighbours() -> None:
    lengths = [3, 16, 17, 250, 256, 100, 16, 3] * 40
    found = groups_of_like_length(lengths, 256, pads=False)
    order = [row for rows in found for row in rows]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[row] for row in order] == sorted(lengths, reverse=True)
    sizes = [sum(lengths[row] for row in rows) for rows in found]
    assert TOKENS_PER_BATCH - 256 < min(sizes[:-1]) <= max(sizes) <= TOKENS_PER_BATCH


def test_few_shapes_are_computed_however_the_lengths_of_texts_differ(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # oneDNN keeps hundreds of kilobytes for every shape: a corpus once took more than a gigabyte to encode.
    checkpoint = read_checkpoint(
        write_tiny_checkpoint(tmp_path / "tiny", tokenizer)
    )  # of few numbers, but as many rows
    shapes: set[tuple[int, ...]] = set()

    def remembered(compute: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def run(*given: torch.Tensor, **into: torch.Tensor) -> torch.Tensor:
            shapes.add(tuple(number for one in given for number in one.shape))
            return compute(*given, **into)

        return run

    kernel = TorchKernel(checkpoint, ComputePlan(product="float", attention="bfloat16"))
    for layer in kernel.layers:
        assert isinstance(layer, Int8Layer)
        for name in ("query_key_value", "attention", "up", "down"):
            monkeypatch.setattr(layer, name, remembered(getattr(layer, name)))
    monkeypatch.setattr(torch, "bmm", remembered(torch.bmm))
    random = np.random.default_rng(0)
    sizes = [random.integers(1, 257, texts) for texts in random.integers(1, 9, 150)]
    assert len({lengths.sum() for lengths in sizes}) > 100
    for lengths in sizes:
        kernel.forward(random.integers(0, checkpoint.config.vocabulary, (len(lengths), 256)), lengths)
    assert 4 < len({shape for shape in shapes if len(shape) == 2}) <= 2 * 38  # rows, times the two widths of inputs
    assert 4 < len({shape for shape in shapes if len(shape) > 2}) <= 2 * 13  # two products of attention, 64 to 256 wide


def test_progress_hears_of_every_text(encoder: Encoder) -> None:
    heard: list[int] = []
    encoder.encode_documents(TEXTS, heard.append)
    assert sum(heard) == len(TEXTS)


def test_a_folder_is_cached_by_its_content(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path, tokenizer)
    first = encoder_folder_name(tmp_path, str(tmp_path))
    save_distilbert(tmp_path, tokenizer, n_layers=2)
    assert encoder_folder_name(tmp_path, str(tmp_path)) != first


def test_a_checkpoint_folder_can_be_moved_and_named_as_the_model(
    settings: Settings, encoder: Encoder, tmp_path: Path
) -> None:
    copy = tmp_path / "copied"
    copy.symlink_to(checkpoint_folder(settings, DEFAULT_MODEL))
    elsewhere = Settings(store=".rag", model=None, cache=tmp_path / "empty", offline=True)
    assert load_encoder(elsewhere, str(copy)).identity == encoder.identity


def test_a_question_is_encoded_without_torch_and_a_new_process_finds_the_same_vector(
    settings: Settings, encoder: Encoder
) -> None:
    script = (
        "import sys; from pathlib import Path; from rag.encoder.encoder import load_encoder;"
        "from sql.base.settings import Settings;"
        f"e = load_encoder(Settings('.rag', None, Path({str(settings.cache)!r}), True), few_texts=True);"
        "v = e.encode_query('How large is a code?'); assert 'torch' not in sys.modules; print(v.tobytes().hex())"
    )
    first, second = (subprocess.check_output([sys.executable, "-c", script], text=True) for _ in range(2))
    assert first == second
    vector = np.frombuffer(bytes.fromhex(first.strip()), dtype=np.float32)
    assert float(vector @ encoder.encode_query("How large is a code?")) > 0.99


def test_a_kernel_that_is_made_ahead_is_made_once_and_what_fails_is_raised_to_who_asks(tokenizer: Tokenizer) -> None:
    made: list[HashKernel] = []
    failures = [OSError("no memory")]

    def make() -> HashKernel:
        if failures:
            raise failures[0]
        made.append(HashKernel(8))
        return made[-1]

    encoder = Encoder(tiny_config(tokenizer), tokenizer, make)
    encoder.make_kernel_ahead()
    with pytest.raises(OSError, match="no memory"):
        _ = encoder.kernel
    failures.clear()
    encoder.make_kernel_ahead()
    assert encoder.kernel is made[0]
    encoder.make_kernel_ahead()
    assert made == [encoder.kernel]
