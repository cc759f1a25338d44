"""Other recipes than the default: each is a checkpoint that every kernel runs, and none is taken for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import save_distilbert

from rag.encoder.checkpoint import WEIGHTS_FILE, pack, read_checkpoint, unpack, write_checkpoint
from rag.encoder.convert import Recipe, quantize_model
from rag.encoder.encoder import load_encoder
from rag.encoder.weights import FloatModel
from rag.train.export import check_target, quantize_to
from sql.base.errors import ModelError
from sql.base.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> FloatModel:
    folder = tmp_path_factory.mktemp("model")
    save_distilbert(folder, tokenizer)
    return FloatModel("tiny", "", folder)


@given(st.lists(st.lists(st.integers(-7, 7), min_size=5, max_size=5), max_size=6))
def test_packing_and_unpacking_codes_changes_nothing(rows: list[list[int]]) -> None:
    codes = np.array(rows, dtype=np.int8).reshape(-1, 5)
    packed = pack(codes)
    assert packed.shape == (len(codes), 3)
    assert np.array_equal(unpack(packed, 5), codes)


@pytest.mark.parametrize("code", [8, -8, -128, 127])
def test_a_code_that_does_not_fit_is_refused_and_not_wrapped(code: int) -> None:
    with pytest.raises(ModelError, match="4 bits"):
        pack(np.array([[code]], dtype=np.int8))


def test_four_bits_take_half_the_room_on_disk_and_come_back_as_they_were(model: FloatModel, tmp_path: Path) -> None:
    sizes = {}
    for bits in (8, 4):
        checkpoint, tokenizer = quantize_model(model, Recipe(bits=bits))
        write_checkpoint(checkpoint, tokenizer, tmp_path / str(bits))
        sizes[bits] = (tmp_path / str(bits) / WEIGHTS_FILE).stat().st_size
        restored = read_checkpoint(tmp_path / str(bits))
        assert restored.config == checkpoint.config
        assert restored.tensors.keys() == checkpoint.tensors.keys()
        assert all(np.array_equal(tensor, checkpoint.tensors[name]) for name, tensor in restored.tensors.items())
    codes = sum(tensor.size for name, tensor in checkpoint.tensors.items() if "layer" in name and "codes" in name)
    assert sizes[8] - sizes[4] == pytest.approx(codes / 2, rel=0.01)


def test_a_changed_byte_of_packed_codes_is_noticed(model: FloatModel, tmp_path: Path) -> None:
    write_checkpoint(*quantize_model(model, Recipe(bits=4)), tmp_path / "model")
    path = tmp_path / "model" / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="changed"):
        read_checkpoint(tmp_path / "model")


def test_one_scale_for_all_of_a_tensor_is_equal_in_all_channels(model: FloatModel) -> None:
    tensors = quantize_model(model, Recipe("per-tensor"))[0].tensors
    linear = [tensor for name, tensor in tensors.items() if name.startswith("layer.") and name.endswith(".scale")]
    assert len(linear) == 3 * 4
    assert all((scale == scale[0]).all() for scale in linear)
    assert len(set(tensors["embeddings.word.scale"])) > 1
    assert all(np.abs(tensors[f"layer.{layer}.up.codes"]).max() == 127 for layer in range(3))


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"bits": 5}, "5 bits"), ({"weights": "per-row"}, "per-row"), ({"ranges": "widest"}, "widest")],
)
def test_a_recipe_that_does_not_exist_is_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(ModelError, match=word):
        Recipe(**changes)  # type: ignore[arg-type]


def test_every_recipe_is_another_encoder_to_a_store(model: FloatModel) -> None:
    recipes = [Recipe(w, b, r) for w in ("per-channel", "per-tensor") for b in (8, 4) for r in ("minmax", "percentile")]
    assert len({recipe.description for recipe in recipes}) == len(recipes)
    identities = [quantize_model(model, recipe)[0].config.identity for recipe in recipes[:3]]
    assert len({identity.weights for identity in identities}) == 3


def test_calibrating_on_texts_changes_the_steps_of_activations_and_smooths_anew(model: FloatModel) -> None:
    texts = ["the cat sat here", "one two three", "a dog runs"]
    plain, calibrated = quantize_model(model)[0].tensors, quantize_model(model, texts=texts)[0].tensors
    again = quantize_model(model, texts=texts[::-1])[0].tensors
    steps = [name for name in plain if name.endswith(".input_scale")]
    assert all(plain[name] != calibrated[name] for name in steps)
    assert all(np.allclose(again[name], calibrated[name]) for name in steps)  # the order of the texts does not matter
    assert np.array_equal(plain["embeddings.word.codes"], calibrated["embeddings.word.codes"])


def test_a_folder_that_was_made_on_request_is_a_model_of_its_own_name(model: FloatModel, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    texts = ["the cat sat", "a dog runs"]
    written = quantize_to(folder, model, Recipe("per-tensor", 4), texts)
    encoder = load_encoder(Settings("", None, tmp_path, offline=True), str(folder))
    assert encoder.config == written.config
    assert encoder.identity.model == str(folder)
    assert encoder.config.float_model == "tiny"
    assert encoder.identity.weights.startswith(
        "4-bit weights per tensor, calibrated 8-bit activations, calibrated on 2"
    )
    other = quantize_to(tmp_path / "other", model, Recipe("per-tensor", 4), texts[:1])
    assert other.config.weights != written.config.weights


@pytest.mark.parametrize("kind", ["file", "full", "model", "below a file"])
def test_nothing_that_is_there_is_overwritten(model: FloatModel, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    if kind == "file":
        target.write_text("mine")
    elif kind == "full":
        target.mkdir()
        (target / "notes.txt").write_text("mine")
    elif kind == "model":
        quantize_to(target, model, Recipe())
    else:
        (tmp_path / "file").write_text("mine")
        target = tmp_path / "file" / "out"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ModelError, match=r"another folder|choose another"):
        quantize_to(target, model, Recipe())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_empty_folder_and_one_in_a_folder_that_is_not_there_are_fine(tmp_path: Path) -> None:
    check_target(tmp_path)
    check_target(tmp_path / "a" / "b")
