"""A language model with int8 weights says nearly what its float one does, takes a quarter of the room, and runs no code."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from language_models import complete
from models import gpt2, language_tokenizer, llama, save_language_model, save_reciting_model
from safetensors.numpy import load_file, save_file

from rag.answer.models import language_model
from rag.answer.models.int8_modules import Int8Embedding, Int8Linear, choose_linear, quantize_tokens
from rag.answer.models.language_model import (
    LANGUAGE_MODEL_FORMAT,
    is_language_model,
    language_model_checkpoint,
    language_model_folder_name,
    load_torch_module,
    parameters_without_memory,
    quantize_language_model,
    weight_files,
)
from rag.answer.models.local import LocalModel, end_tokens
from rag.answer.prompt import Prompt
from rag.encoder.kernel import FoldedLinear
from rag.encoder.kernel_torch import float_linear, halved_linear, random_linear
from rag.int8.quantization import ASYMMETRIC_UNSIGNED, choose_parameters, quantize, quantize_channels
from sql.base.errors import ModelError
from sql.base.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IDS = torch.randint(0, 256, (3, 50), generator=torch.Generator().manual_seed(3))
MODELS = {
    "llama": llama,
    "llama with a tied head": lambda: llama(tie_word_embeddings=True),
    "gpt2": gpt2,
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=".rag", model=None, cache=tmp_path / "cache", offline=True)


def int8_twin(model: Any, folder: Path, **options: Any) -> Any:
    """The same model by way of its files and an int8 checkpoint."""
    save_language_model(model, folder / "float", **options)
    quantize_language_model(folder / "float", folder / "int8")
    return load_torch_module(folder / "int8")


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=IDS).logits.flatten(0, 1)
    return found


# The layers


@pytest.mark.parametrize("product", ["onednn", "float"])
@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (2, 5, 24)])
def test_an_int8_linear_is_the_float_one_within_the_steps_of_its_codes(product: str, shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    weight, bias = random.normal(size=(40, 24)).astype(np.float32), random.normal(size=40).astype(np.float32)
    values = torch.as_tensor(random.normal(3, 2, size=shape).astype(np.float32))  # not around zero
    found = Int8Linear(*quantize_channels(weight), bias, product)(values)
    expected = torch.nn.functional.linear(values, torch.as_tensor(weight), torch.as_tensor(bias))
    assert found.shape == expected.shape
    _, scale = quantize_channels(weight)
    _, step, _ = quantize_tokens(values.reshape(-1, 24))
    # Half a step of the other factor for every product: |x| * w / 2 + |W| * s / 2, and both halves together.
    bound = float(values.abs().sum(-1).max()) * scale.max() / 2 + float(step.max()) / 2 * np.abs(weight).sum(1).max()
    assert float((found - expected).abs().max()) <= bound + 24 * float(step.max()) * scale.max() / 4


def test_an_int8_linear_multiplies_its_own_codes_exactly() -> None:
    random = np.random.default_rng(1)
    codes, scale = quantize_channels(random.normal(size=(30, 64)).astype(np.float32))
    values = torch.as_tensor(random.normal(size=(9, 64)).astype(np.float32))
    inputs, step, zero_point = (each.double().numpy() for each in quantize_tokens(values))
    expected = step * (inputs - zero_point) @ (codes.astype(np.float64) * scale[:, None]).T
    for product in ("onednn", "float"):
        found = Int8Linear(codes, scale, None, product)(values).numpy()
        assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("product", ["onednn", "float"])
@pytest.mark.parametrize(("rows", "width", "height"), [(1, 64, 32), (3, 7, 5), (16, 384, 48), (64, 512, 64)])
def test_codes_whose_pairs_do_not_fit_in_16_bits_are_multiplied_exactly(
    product: str, rows: int, width: int, height: int
) -> None:
    # AVX2 without VNNI adds pairs of products in 16 bits: 255 * 127 + 255 * 127 would saturate at 32,767.
    random = np.random.default_rng(rows)
    codes = random.choice(np.array([-127, 127], dtype=np.int8), (height, width))
    codes[0], codes[1] = 127, -127
    inputs = random.choice(np.array([0, 1, 128, 254, 255], dtype=np.uint8), (rows, width))
    inputs[0] = 255
    linear = FoldedLinear(codes, np.ones(height, np.float32), np.zeros(height, np.float32), 1.0)
    for make in (choose_linear(product), halved_linear):
        found = make(linear, 0, "none")(torch.from_numpy(inputs))
        assert np.array_equal(found.numpy().astype(np.int64), inputs.astype(np.int64) @ codes.T.astype(np.int64))


def test_halves_keep_bias_zero_point_and_scales() -> None:
    linear = random_linear(16, 64)
    codes = torch.randint(0, 256, (5, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found, expected = (make(linear, 128, "none")(codes) for make in (halved_linear, float_linear))
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    with pytest.raises(ValueError, match="halves are added after the product"):
        halved_linear(linear, 128, "gelu")


def test_a_tokens_codes_are_those_of_the_one_definition() -> None:
    rows = (
        torch.randn(40, 96, generator=torch.Generator().manual_seed(0)) * torch.logspace(-4, 4, 40).unsqueeze(1) + 0.3
    )
    codes, scale, zero_point = quantize_tokens(rows)
    floats = rows.numpy()
    expected_scale, expected_zero = choose_parameters(floats.min(1), floats.max(1), ASYMMETRIC_UNSIGNED)
    assert scale[:, 0].numpy() == pytest.approx(expected_scale, rel=1e-6)
    assert zero_point[:, 0].numpy() == pytest.approx(expected_zero, abs=1)  # a half may fall either way in float32
    twin = quantize(floats, scale.numpy(), zero_point.numpy(), ASYMMETRIC_UNSIGNED)
    assert np.abs(twin.astype(int) - codes.numpy().astype(int)).max() <= 1


def test_a_token_of_zeros_gives_the_bias_and_zero_stays_zero() -> None:
    codes, scale = quantize_channels(np.eye(4, dtype=np.float32))
    bias = np.array([1, 2, 3, 4], dtype=np.float32)
    values = torch.tensor([[0, 0, 0, 0], [5.1, 0, 0, 0]])
    found = Int8Linear(codes, scale, bias)(values)
    assert found[0].tolist() == [1, 2, 3, 4]
    assert found[1].numpy() == pytest.approx([6.1, 2, 3, 4], abs=1e-5)


def test_a_token_does_not_depend_on_the_tokens_beside_it() -> None:
    codes, scale = quantize_channels(np.random.default_rng(0).normal(size=(16, 32)).astype(np.float32))
    linear = Int8Linear(codes, scale, None)
    rows = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    rows[4] *= 1000
    assert torch.allclose(linear(rows)[0], linear(rows[:1])[0], atol=1e-6)


def test_embedding_rows_come_back_within_half_a_step() -> None:
    table = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    codes, scale = quantize_channels(table)
    ids = torch.tensor([[3, 3, 49], [0, 1, 2]])
    found = Int8Embedding(codes, scale)(ids)
    assert found.shape == (2, 3, 8)
    assert (np.abs(found.numpy() - table[ids.numpy()]) <= 0.501 * scale[ids.numpy()][..., None]).all()


# Whole models


@pytest.mark.parametrize("name", MODELS)
def test_int8_logits_are_close_to_float_ones(tmp_path: Path, name: str) -> None:
    model = MODELS[name]()
    plain, quantized = logits(model), logits(int8_twin(model, tmp_path))
    cosine = torch.nn.functional.cosine_similarity(plain, quantized, dim=1)
    spread = float(plain.std())
    agreement = float((plain.argmax(1) == quantized.argmax(1)).float().mean())
    assert float(cosine.mean()) > 0.999
    assert float(cosine.min()) > 0.997
    assert float((plain - quantized).abs().max()) < 0.3 * spread
    assert float((plain - quantized).abs().mean()) < 0.04 * spread
    assert agreement > 0.9  # random logits lie closer together than those of a trained model


@pytest.mark.parametrize("name", MODELS)
def test_every_linear_and_embedding_is_int8_and_no_matrix_is_float(tmp_path: Path, name: str) -> None:
    module = int8_twin(MODELS[name](), tmp_path)
    kinds = [type(layer).__name__ for layer in module.modules()]
    assert not {"Linear", "Conv1D", "Embedding"} & set(kinds)
    assert "Int8Linear" in kinds
    assert "Int8Embedding" in kinds
    assert all(tensor.dim() < 2 for tensor in module.parameters())
    for path in (tmp_path / "int8").glob("*.safetensors"):
        for stored, tensor in load_file(path).items():
            assert tensor.dtype == np.int8 or tensor.ndim == 1, stored


def test_the_weights_take_a_quarter_of_the_float_ones(tmp_path: Path) -> None:
    model = llama(hidden_size=256, intermediate_size=512)
    module = int8_twin(model, tmp_path)
    floats = sum(parameter.nbytes for parameter in model.parameters())
    files = [sum(path.stat().st_size for path in (tmp_path / kind).glob("*.safetensors")) for kind in ("float", "int8")]
    assert files[1] < 0.27 * files[0]
    # oneDNN's packed weights are as large as the codes; the tensors that the modules show are the small rest.
    packed = sum(layer.out_features * layer.in_features for layer in module.modules() if isinstance(layer, Int8Linear))
    shown = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
    assert packed + shown < 0.27 * floats


def test_weights_in_several_files_give_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = gpt2()
    whole = logits(int8_twin(model, tmp_path / "whole"))
    monkeypatch.setattr(language_model, "BYTES_A_FILE", 20_000)
    parts = int8_twin(model, tmp_path / "parts", max_shard_size="100KB")
    assert len(list((tmp_path / "parts" / "float").glob("*.safetensors"))) > 2
    assert len(list((tmp_path / "parts" / "int8").glob("*.safetensors"))) > 2
    assert torch.equal(whole, logits(parts))


def test_half_precision_weights_are_read(tmp_path: Path) -> None:
    model = llama()
    plain = logits(model)
    quantized = logits(int8_twin(model.to(torch.bfloat16), tmp_path))
    assert float(torch.nn.functional.cosine_similarity(plain, quantized, dim=1).min()) > 0.98


def test_weights_without_the_prefix_of_the_head_are_read(tmp_path: Path) -> None:
    # The published gpt2 has h.0... where today's class has transformer.h.0..., and buffers that are gone.
    model = gpt2()
    expected = logits(int8_twin(model, tmp_path / "a"))
    save_language_model(model, tmp_path / "b" / "float")
    path = tmp_path / "b" / "float" / "model.safetensors"
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(path).items()}
    save_file(tensors | {"h.0.attn.masked_bias": np.zeros(1, np.float32)}, path)
    quantize_language_model(tmp_path / "b" / "float", tmp_path / "b" / "int8")
    assert torch.equal(expected, logits(load_torch_module(tmp_path / "b" / "int8")))


def test_an_empty_model_takes_no_memory_and_models_of_other_threads_keep_theirs() -> None:
    made: list[torch.nn.Module] = []
    with parameters_without_memory():
        empty = torch.nn.Linear(1000, 1000)
        other = Thread(target=lambda: made.append(torch.nn.Linear(2, 2)))
        other.start()
        other.join()
    assert empty.weight.is_meta
    assert not made[0].weight.is_meta
    assert not torch.nn.Linear(2, 2).weight.is_meta


# The model that generates


WORDS = ["Tomatoes", " want", " water", ".", " [1]"]
PROMPT = Prompt("Be brief.", "What do tomatoes want?")


@pytest.mark.parametrize("template", [None, "default"])
def test_a_model_generates_what_it_has_learned(tmp_path: Path, settings: Settings, template: str | None) -> None:
    options = {} if template else {"template": None}
    save_reciting_model(tmp_path / "model", WORDS, **options)
    model = LocalModel(settings, str(tmp_path / "model"))
    assert complete(model, PROMPT, 20) == "Tomatoes want water. [1]"
    assert complete(model, PROMPT, 2) == "Tomatoes want"


def test_the_marks_of_turns_are_known_as_controls(tmp_path: Path, settings: Settings) -> None:
    save_reciting_model(tmp_path / "model", WORDS)
    model = LocalModel(settings, str(tmp_path / "model"))
    assert {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"} <= set(model.controls)
    assert model.context == 8192


def test_a_template_that_refuses_a_system_turn_gets_all_in_one(tmp_path: Path, settings: Settings) -> None:
    refusing = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ messages[0].content }}<|assistant|>"
    )
    save_reciting_model(tmp_path / "model", WORDS, refusing)
    model = LocalModel(settings, str(tmp_path / "model"))
    assert model.tokenizer.decode(model.tokens(PROMPT)[0]) == "Be brief.\n\nWhat do tomatoes want?<|assistant|>"


def test_a_template_that_always_fails_is_one_sentence(tmp_path: Path, settings: Settings) -> None:
    save_reciting_model(tmp_path / "model", WORDS, "{{ raise_exception('never') }}")
    with pytest.raises(ModelError, match="chat template fails: never"):
        complete(LocalModel(settings, str(tmp_path / "model")), PROMPT, 3)


def test_further_end_tokens_are_taken_from_the_generation_config(tmp_path: Path, settings: Settings) -> None:
    save_reciting_model(tmp_path / "model", WORDS)
    model = LocalModel(settings, str(tmp_path / "model"))
    dot = model.tokenizer.convert_tokens_to_ids(" water")
    (tmp_path / "model" / "generation_config.json").write_text(json.dumps({"eos_token_id": [259, dot]}))
    shorter = LocalModel(settings, str(tmp_path / "model"))
    assert complete(shorter, PROMPT, 20) == "Tomatoes want water"
    assert end_tokens([[1, 2], 2, None, "x", -1, 300], 272) == [1, 2]


def test_the_first_use_quantizes_and_later_ones_read_the_checkpoint(tmp_path: Path, settings: Settings) -> None:
    save_reciting_model(tmp_path / "model", WORDS)
    heard: list[str] = []
    first = language_model_checkpoint(settings, str(tmp_path / "model"), heard.append)
    assert language_model_checkpoint(settings, str(tmp_path / "model"), heard.append) == first
    assert len(heard) == 1
    assert is_language_model(first)
    (copied := tmp_path / "copied").symlink_to(first)
    assert language_model_checkpoint(replace(settings, cache=tmp_path / "none"), str(copied)) == copied
    assert not (tmp_path / "none").exists()


def test_changed_weights_get_another_place_in_the_cache(tmp_path: Path) -> None:
    save_language_model(llama(), tmp_path)
    before = language_model_folder_name(tmp_path, str(tmp_path))
    save_language_model(llama(num_hidden_layers=2), tmp_path)
    assert language_model_folder_name(tmp_path, str(tmp_path)) != before


# What is refused


def refused(folder: Path, settings: Settings, message: str) -> None:
    """Loading a folder fails with one sentence, and leaves nothing in the cache."""
    with pytest.raises(ModelError, match=message) as error:
        LocalModel(settings, str(folder))
    assert "\n" not in str(error.value)
    assert not [path for path in settings.cache.rglob("*") if path.is_file()]


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


CANARY = "from pathlib import Path\nPath({path!r}).write_text('ran')\nraise SystemExit\n"


@pytest.mark.parametrize("model_type", ["llama", "never-heard-of"])
def test_code_of_a_models_folder_never_runs(tmp_path: Path, settings: Settings, model_type: str) -> None:
    folder = save_reciting_model(tmp_path / "model", WORDS)
    canary = CANARY.format(path=str(tmp_path / "ran"))
    for name in ("configuration_evil", "modeling_evil", "tokenization_evil"):
        (folder / f"{name}.py").write_text(canary)
    names = {
        "AutoConfig": "configuration_evil.Evil",
        "AutoModelForCausalLM": "modeling_evil.Evil",
        "AutoTokenizer": ["tokenization_evil.Evil", None],
    }
    change_config(folder, auto_map=names, model_type=model_type)
    tokenizer_config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config | {"auto_map": names}))
    if model_type == "llama":
        model = LocalModel(settings, str(folder))
        assert complete(model, PROMPT, 20) == "Tomatoes want water. [1]"
        assert not list(settings.cache.rglob("*.py"))
    else:
        refused(folder, settings, "not a causal language model that transformers")
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_refused(tmp_path: Path, settings: Settings) -> None:
    folder = save_language_model(llama(), tmp_path / "model")
    torch.save(llama().state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refused(folder, settings, "reads safetensors only, pickled weights could run code")


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.pop(name)


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.update({name: value(tensors[name])})


def with_nan(tensor: Any) -> Any:
    changed = tensor.copy()
    changed.flat[3] = np.nan
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("model.layers.1.mlp.up_proj.weight"), r"lacks the weights model\.layers\.1\.mlp\.up_proj\.weight:"),
        (drop("model.norm.weight"), r"lacks the weights model\.norm\.weight"),
        (put("lm_head.weight", with_nan), "only finite numbers"),
        (put("model.norm.weight", with_nan), "not finite"),
        (put("lm_head.weight", lambda t: t[:100]), r"have the shape \(100, 64\), config.json wants \(272, 64\)"),
        (put("lm_head.weight", lambda t: (t * 100).astype(np.int8)), "are int8 and not floats"),
        (lambda tensors: (tensors.clear(), tensors.update(a=np.zeros(3, np.float32))), "and 29 others"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, settings: Settings, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    folder = save_language_model(llama(), tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    refused(folder, settings, message)


@pytest.mark.parametrize("kept", [0, 7, 200, 20_000, -1])
def test_truncated_weights_are_refused(tmp_path: Path, settings: Settings, kept: int) -> None:
    folder = save_language_model(llama(), tmp_path / "model")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    refused(folder, settings, "cannot be read as safetensors")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "is not an index of weights"),
        ("[]", "is not an index of weights"),
        ('{"weight_map": 3}', "is not an index of weights"),
        ('{"weight_map": {"a": "../../elsewhere.safetensors"}}', "names '../../elsewhere.safetensors'"),
        ('{"weight_map": {"a": "weights.bin"}}', "names 'weights.bin'"),
        ('{"weight_map": {"a": "model-00009.safetensors"}}', r"holds no model-00009\.safetensors"),
    ],
)
def test_a_broken_index_is_refused(tmp_path: Path, settings: Settings, index: str, message: str) -> None:
    folder = save_language_model(llama(), tmp_path / "model")
    (folder / "model.safetensors.index.json").write_text(index)
    refused(folder, settings, message)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": "wide"},
        {"hidden_size": -64},
        {"num_attention_heads": 0},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": 10**9},
        {"vocab_size": 10**12},
        {"vocab_size": None},
        {"hidden_act": "nonsense"},
        {"rope_parameters": "x"},
        {"model_type": "bert-like"},
        {"model_type": 5},
        {"architectures": {}, "model_type": "t5"},
        {"quantization_config": {"quant_method": "gptq"}},
    ],
    ids=str,
)
def test_a_config_of_nonsense_is_refused(tmp_path: Path, settings: Settings, changes: dict[str, Any]) -> None:
    folder = save_language_model(llama(), tmp_path / "model")
    change_config(folder, **changes)
    refused(folder, settings, r"config\.json")


@pytest.mark.parametrize("content", ["", "[]", '"x"', "{", "\x00" * 30, "[" * 100_000])
def test_a_config_that_is_no_object_is_refused(tmp_path: Path, settings: Settings, content: str) -> None:
    folder = save_language_model(llama(), tmp_path / "model")
    (folder / "config.json").write_text(content)
    refused(folder, settings, r"config\.json")


def test_a_tokenizer_of_more_tokens_than_the_model_has_rows_is_refused(tmp_path: Path, settings: Settings) -> None:
    folder = save_language_model(llama(), tmp_path / "model", language_tokenizer([f"word{n}" for n in range(100)]))
    refused(folder, settings, "go up to 359, and the model has rows for 0 to 271")


def test_a_truncated_tokenizer_is_refused(tmp_path: Path, settings: Settings) -> None:
    folder = save_language_model(llama(), tmp_path / "model")
    path = folder / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:500])
    refused(folder, settings, "no tokenizer that transformers can read")


def test_a_changed_or_truncated_checkpoint_is_refused(tmp_path: Path, settings: Settings) -> None:
    save_language_model(llama(), tmp_path / "model")
    folder = language_model_checkpoint(settings, str(tmp_path / "model"))
    path = folder / "model.safetensors"
    content = path.read_bytes()
    changed = bytearray(content)
    changed[-100] ^= 1
    path.write_bytes(changed)
    with pytest.raises(ModelError, match="has been changed"):
        load_torch_module(folder)
    path.write_bytes(content[:-1])
    with pytest.raises(ModelError, match="not a complete int8 checkpoint"):
        load_torch_module(folder)
    path.write_bytes(content)
    change_config(folder, rms_norm_eps=0.5)
    with pytest.raises(ModelError, match=r"config\.json is not the file that was written"):
        load_torch_module(folder)


def test_a_checkpoint_that_lacks_one_of_its_files_is_refused(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_model, "BYTES_A_FILE", 20_000)
    save_language_model(llama(), tmp_path / "model")
    folder = language_model_checkpoint(settings, str(tmp_path / "model"))
    sorted(folder.glob("*.safetensors"))[-1].unlink()
    with pytest.raises(ModelError, match="lacks the weights"):
        load_torch_module(folder)


def test_a_model_that_no_source_has_is_one_sentence(settings: Settings) -> None:
    with pytest.raises(ModelError, match="no source has the language model nobody/nothing"):
        LocalModel(settings, "nobody/nothing")
    with pytest.raises(ModelError, match=r"^there is no folder /no/where: name the folder of a model"):
        LocalModel(settings, "/no/where")


def test_the_files_of_a_single_one_and_of_several_are_found(tmp_path: Path) -> None:
    save_language_model(llama(), tmp_path / "one")
    assert [path.name for path in weight_files(tmp_path / "one")] == ["model.safetensors"]
    save_language_model(llama(), tmp_path / "more", max_shard_size="200KB")
    assert len(weight_files(tmp_path / "more")) > 1
    assert LANGUAGE_MODEL_FORMAT.startswith("int8-rag")
