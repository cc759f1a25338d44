"""The int8 encoder: its kernels agree, a text's vector depends on the text alone, and little of float32 is lost."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from models import save_distilbert

from rag.checkpoint import Checkpoint, read_checkpoint
from rag.encoder import Encoder, batches, cache_name, checkpoint_folder, load_encoder, load_float_encoder, padded_length
from rag.kernel import CODE_OFFSET, GELU_MINIMUM, shifted_bias
from rag.kernel_numpy import NumpyKernel, gelu, integer_product
from rag.kernel_torch import PRODUCTS, TorchKernel, choose_product, quantize_rows, quantize_shifted_rows
from sql.errors import RagError
from sql.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from rag.tokenizer import Tokenizer

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


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(store=".rag", model=None, cache=tmp_path_factory.mktemp("cache"), offline=True)


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


def test_the_float_product_gives_the_vectors_of_the_fast_one(encoder: Encoder, checkpoint: Checkpoint) -> None:
    plain = Encoder(encoder.config, encoder.tokenizer, lambda: TorchKernel(checkpoint, "float"))
    assert (plain.encode(TEXTS) * encoder.encode(TEXTS)).sum(axis=1) == pytest.approx(1, abs=1e-3)


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
        assert cosine.mean() > 0.998
        assert cosine.min() > 0.985


def test_the_kernels_agree_closely_where_rounding_cannot_pile_up(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path / "float", tokenizer, n_layers=1)
    settings = Settings(store=".rag", model=None, cache=tmp_path / "cache", offline=True)
    encoder = load_encoder(settings, str(tmp_path / "float"))
    checkpoint = read_checkpoint(checkpoint_folder(settings, str(tmp_path / "float")))
    plain = Encoder(encoder.config, encoder.tokenizer, lambda: NumpyKernel(checkpoint))
    texts = ["the cat sat here", "one two three", "a dog runs and runs and runs to the mat"]
    assert (plain.encode(texts) * encoder.encode(texts)).sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", sorted(PRODUCTS))
@pytest.mark.parametrize(("rows", "width", "height"), [(1, 1, 1), (3, 7, 5), (16, 384, 1152), (5, 1536, 384)])
def test_integer_products_are_exact(name: str, rows: int, width: int, height: int) -> None:
    random = np.random.default_rng(width)
    codes = random.integers(-127, 128, (height, width), dtype=np.int8)
    activations = random.integers(0, 256, (rows, width), dtype=np.uint8)
    expected = (activations.astype(np.int64) - CODE_OFFSET) @ codes.T.astype(np.int64)
    found = PRODUCTS[name](torch.from_numpy(codes), torch.ones(height))(torch.from_numpy(activations), CODE_OFFSET)
    assert np.array_equal(found.numpy().astype(np.int64), expected)
    assert np.array_equal(integer_product(activations - np.float32(CODE_OFFSET), codes).astype(np.int64), expected)


@pytest.mark.parametrize("name", sorted(PRODUCTS))
def test_extreme_codes_do_not_saturate_the_product(name: str) -> None:
    # AVX2 without VNNI adds pairs of products in 16 bits: 2 * 255 * 127 would saturate at 32,767.
    codes = torch.full((16, 512), 127, dtype=torch.int8)
    found = PRODUCTS[name](codes, torch.ones(16))(torch.full((4, 512), 255, dtype=torch.uint8), 0)
    assert found.tolist() == [[512 * 255 * 127.0] * 16] * 4


def test_this_torch_has_the_fast_product() -> None:
    assert choose_product() == "onednn"


def test_rows_are_quantized_within_half_a_step_and_independently() -> None:
    rows = torch.randn(50, 384, generator=torch.Generator().manual_seed(0)) * torch.logspace(-6, 6, 50).unsqueeze(1)
    codes, scale, zero_point = quantize_rows(rows)
    restored = (codes.float() - zero_point) * scale
    assert ((restored - rows).abs() <= 0.5001 * scale).all()
    assert torch.equal(quantize_rows(rows[7:8])[0], codes[7:8])
    assert quantize_rows(torch.zeros(2, 8))[0].unique().tolist() == [CODE_OFFSET]


def test_the_shift_after_gelu_is_undone_by_the_bias(checkpoint: Checkpoint) -> None:
    name = "layer.3.down"
    weight = checkpoint.tensors[f"{name}.codes"] * checkpoint.tensors[f"{name}.scale"][:, None]
    activated = torch.nn.functional.gelu(torch.randn(20, 1536, generator=torch.Generator().manual_seed(0)) * 2)
    codes, scale, _ = quantize_shifted_rows(activated.clone())
    restored = (codes.float() * scale).numpy() - np.float32(GELU_MINIMUM)
    assert (np.abs(restored - activated.numpy()) <= 0.501 * scale.numpy()).all()
    shifted = (restored + np.float32(GELU_MINIMUM)) @ weight.T + shifted_bias(checkpoint, name)
    assert shifted == pytest.approx(restored @ weight.T + checkpoint.tensors[f"{name}.bias"], abs=1e-4)


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
    found = batches(lengths, 256)
    assert sorted(row for rows in found for row in rows) == list(range(len(lengths)))
    assert all(len({padded_length(lengths[row], 256) for row in rows}) == 1 for rows in found)


def test_progress_hears_of_every_text(encoder: Encoder) -> None:
    heard: list[int] = []
    encoder.encode_documents(TEXTS, heard.append)
    assert sum(heard) == len(TEXTS)


def test_a_folder_is_cached_by_its_content(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path, tokenizer)
    first = cache_name(tmp_path, str(tmp_path))
    save_distilbert(tmp_path, tokenizer, n_layers=2)
    assert cache_name(tmp_path, str(tmp_path)) != first


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
        "import sys; from pathlib import Path; from rag.encoder import load_encoder; from sql.settings import Settings;"
        f"e = load_encoder(Settings('.rag', None, Path({str(settings.cache)!r}), True), few_texts=True);"
        "v = e.encode_query('How large is a code?'); assert 'torch' not in sys.modules; print(v.tobytes().hex())"
    )
    first, second = (subprocess.check_output([sys.executable, "-c", script], text=True) for _ in range(2))
    assert first == second
    vector = np.frombuffer(bytes.fromhex(first.strip()), dtype=np.float32)
    assert float(vector @ encoder.encode_query("How large is a code?")) > 0.99
