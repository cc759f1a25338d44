"""A language model's float weights in, an int8 checkpoint of it out, and that read back as a torch module that runs.

Any causal language model that transformers knows by itself. Linear and embedding weights become int8, each row with a
scale of its own; the rest stays float32. Weights are read one tensor at a time from safetensors, in one file or several,
so that no more than one of them is ever held as floats. Pickles are not read, and no code of a model's folder ever runs.
One of the doors to torch and transformers.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from hashlib import sha256
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.answer.models.int8_modules import Int8Embedding, Int8Linear
from rag.compute.torch_door import torch
from rag.encoder.checkpoint import digest, read_header, replaced_folder
from rag.encoder.weights import INDEX_FILE, file_sha256, language_model_folder
from rag.int8.quantization import quantize_channels
from sql.base.errors import InvalidVector, ModelError, one_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sql.base.settings import Settings

    Tensors = dict[str, NDArray[Any]]

LANGUAGE_MODEL_FORMAT = "int8-rag language model 1"
FIRST_FILE = "model.safetensors"
BYTES_A_FILE = 256_000_000  # of the int8 checkpoint: what is held at once while it is written or checked
SMALL_FILES = ("*.json", "*.jinja", "vocab.txt", "merges.txt", "tokenizer.model")  # all that is not weights
LARGEST_SMALL_FILE = 200_000_000  # bytes
# Sizes in a config that no model comes near; beyond them building its layers would fill the memory first.
LARGEST_SIZES = {"num_hidden_layers": 1000, "hidden_size": 1 << 18, "vocab_size": 1 << 24, "intermediate_size": 1 << 22}


def language_model_checkpoint(
    settings: Settings, name: str, announce: Callable[[str], None] = lambda sentence: None
) -> Path:
    """The folder with the int8 checkpoint of a language model; made of its float weights on first use.

    `name` is a folder or a hub id; a folder that is such a checkpoint already is taken as it is. Raises ModelError.
    """
    source = language_model_folder(name, offline=settings.offline)
    if is_language_model(source):
        return source
    folder = settings.cache / "language-models" / language_model_folder_name(source, name)
    if not is_language_model(folder):
        announce(f"quantizing {name} to int8 (once; kept in {folder})")
        quantize_language_model(source, folder)
    return folder


def language_model_folder_name(source: Path, name: str) -> str:
    """A folder name for a model: its name, and a digest of its small files and of size and time of its weights."""
    total = sha256(str(source.resolve()).encode())
    for file in sorted(path for path in source.iterdir() if path.is_file()):
        state = file.stat()
        total.update(f"{file.name} {state.st_size} {state.st_mtime_ns}".encode())
    return re.sub(r"[^\w.-]+", "-", name.rstrip("/").rsplit("/", 1)[-1])[:60] + f"-{total.hexdigest()[:16]}"


def is_language_model(folder: Path) -> bool:
    """Whether a folder holds an int8 checkpoint of a language model; reads a header only."""
    try:
        return read_header(folder / FIRST_FILE).get("format") == LANGUAGE_MODEL_FORMAT
    except (OSError, ValueError, AttributeError):
        return False


# From floats to int8


def quantize_language_model(source: Path, folder: Path) -> None:
    """Writes the int8 checkpoint of the float model in `source` to `folder`, whole or not at all.

    Raises ModelError for an architecture that transformers does not know, weights that are no safetensors, do not go
    with the config, are missing or are not finite.
    """
    module = empty_model(source)
    read_tokenizer(source, module.get_input_embeddings().num_embeddings)  # before anything is written
    small = small_files(source)
    with replaced_folder(folder) as draft:
        for path in small:
            shutil.copyfile(path, draft / path.name)
        write_files(quantized_tensors(module, source), draft, {path.name: file_sha256(path) for path in small})


def small_files(source: Path) -> list[Path]:
    """What goes with the weights: config, tokenizer and chat template; never code."""
    found = {path for pattern in SMALL_FILES for path in source.glob(pattern) if path.is_file()}
    for path in found:
        if path.stat().st_size > LARGEST_SMALL_FILE:
            raise ModelError(f"{path} has {path.stat().st_size:,} bytes: no tokenizer or config is as large as that")
    return sorted(path for path in found if path.name != INDEX_FILE)


def quantized_tensors(module: Any, source: Path) -> Iterator[Tensors]:
    """The tensors of a model one after the other, each as codes and scale or as floats, under the name it has in it."""
    state = module.state_dict(keep_vars=True)
    places, kinds = tensor_places(module), int8_kinds(module)
    missing = dict.fromkeys(places.values())
    for written_name, tensor in float_tensors(source):
        name = places.get(written_name) or places.get(f"{module.base_model_prefix}.{written_name}")
        if name is None or name not in missing:  # buffers of older versions, and the second name of a tied weight
            continue
        del missing[name]
        expected = tuple(state[name].shape)
        if tuple(tensor.shape) != expected:
            raise ModelError(
                f"{source}: the weights {written_name} have the shape {tuple(tensor.shape)}, config.json wants {expected}"
            )
        yield quantized_tensor(f"{source}: the weights {written_name}", name, tensor, kinds.get(name))
    if missing:
        raise ModelError(
            f"{source} lacks the weights {next(iter(missing))}"
            + (f" and {len(missing) - 1} others" if len(missing) > 1 else "")
            + ": the files are not a complete model of the architecture in config.json"
        )


def quantized_tensor(place: str, name: str, tensor: torch.Tensor, kind: type | None) -> Tensors:
    """One tensor as it is stored: `NAME.codes` (rows, in) and `NAME.scale`, or float32 under its own name."""
    if not tensor.is_floating_point():
        raise ModelError(f"{place} are {str(tensor.dtype).removeprefix('torch.')} and not floats: give the float model")
    floats = tensor.float().numpy()
    if kind is None:
        if not np.isfinite(floats).all():
            raise ModelError(f"{place} hold numbers that are not finite")
        return {name: np.ascontiguousarray(floats)}
    try:
        codes, scale = quantize_channels(np.ascontiguousarray(floats.T) if kind.__name__ == "Conv1D" else floats)
    except InvalidVector as error:
        raise ModelError(f"{place} cannot be quantized: {error}") from error
    return {f"{name}.codes": codes, f"{name}.scale": scale}


def float_tensors(source: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and tensors of a model's safetensors files, one at a time."""
    from safetensors import SafetensorError, safe_open

    for path in weight_files(source):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (no mapping)
                    yield name, file.get_tensor(name)
        except (OSError, SafetensorError, RuntimeError, ValueError) as error:
            raise ModelError(f"{path} cannot be read as safetensors: {one_reason(error)}") from error


def weight_files(source: Path) -> list[Path]:
    """The files with the float weights; ModelError where there are none, or one that the index names is missing."""
    if (source / INDEX_FILE).is_file():
        try:
            named = json.loads((source / INDEX_FILE).read_text(encoding="utf-8"))["weight_map"].values()
            names = sorted({str(name) for name in named})
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelError(f"{source / INDEX_FILE} is not an index of weights: {one_reason(error)}") from error
    else:
        names = [FIRST_FILE]
    for name in names:
        if "/" in name or "\\" in name or not name.endswith(".safetensors"):
            raise ModelError(f"{source / INDEX_FILE} names {name!r}: int8-rag reads only safetensors files next to it")
        if not (source / name).is_file():
            raise ModelError(
                f"{source} holds no {name}: int8-rag reads safetensors only, pickled weights could run code; "
                "save the model with transformers' save_pretrained and give its folder"
            )
    return [source / name for name in names]


def write_files(tensors: Iterator[Tensors], folder: Path, small: dict[str, str]) -> None:
    """Writes tensors into files of at most about BYTES_A_FILE, each with its digest and those of the small files."""
    from safetensors.numpy import save_file

    held: Tensors = {}
    written = 0

    def write() -> None:
        nonlocal held, written
        name = f"model-{written:05}.safetensors" if written else FIRST_FILE
        metadata = {"format": LANGUAGE_MODEL_FORMAT, "tensors_sha256": digest(held), "small_files": json.dumps(small)}
        save_file(held, folder / name, metadata=metadata)
        held, written = {}, written + 1

    for some in tensors:
        held |= some
        if sum(tensor.nbytes for tensor in held.values()) >= BYTES_A_FILE:
            write()
    if held:
        write()


# From int8 to a model that runs


def load_torch_module(folder: Path) -> Any:
    """The model of an int8 checkpoint as a torch module, ready to generate.

    Raises ModelError where the checkpoint is damaged, changed or not whole.
    """
    module = empty_model(folder)
    places = tensor_places(module)
    owners: dict[str, list[str]] = {}
    for alias, name in places.items():
        owners.setdefault(name, []).append(alias)
    for tensors in checked_files(folder):
        for name, tensor in tensors.items():
            if name.endswith(".codes"):
                stored = name.removesuffix(".codes")
                for alias in owners[stored]:
                    put_int8(module, alias, tensor, tensors[f"{stored}.scale"])
            elif not name.endswith(".scale"):
                for alias in owners[name]:
                    put_float(module, alias, tensor)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_meta:
            raise ModelError(f"{folder} lacks the weights {name}: {REMEDY}")
    return module.eval()


REMEDY = "delete the folder and run the command again"


def checked_files(folder: Path) -> Iterator[Tensors]:
    """The tensors of each file of an int8 checkpoint, whose digests have been compared."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    for path in sorted(folder.glob("*.safetensors")):
        try:
            header, tensors = read_header(path), load_file(path)
            small = json.loads(header.get("small_files", "{}"))
        except (OSError, ValueError, SafetensorError) as error:
            raise ModelError(f"{path} is not a complete int8 checkpoint ({one_reason(error)}): {REMEDY}") from error
        if header.get("format") != LANGUAGE_MODEL_FORMAT or header.get("tensors_sha256") != digest(tensors):
            raise ModelError(f"{path} has been changed since it was written, its digest differs: {REMEDY}")
        for name, expected in small.items():
            if not (folder / name).is_file() or file_sha256(folder / name) != expected:
                raise ModelError(f"{folder / name} is not the file that was written with the weights: {REMEDY}")
        yield tensors


def put_int8(module: Any, name: str, codes: NDArray[np.int8], scale: NDArray[np.float32]) -> None:
    """Puts an int8 layer in the place of the layer whose weight has this name."""
    path = name.removesuffix(".weight")
    layer = module.get_submodule(path)
    if isinstance(layer, torch.nn.Embedding):
        made: torch.nn.Module = Int8Embedding(codes, scale)
    else:
        bias = layer.bias
        made = Int8Linear(codes, scale, None)
        made.bias = None if bias is None else bias.detach()  # on no device yet where it comes later
    parent, _, last = path.rpartition(".")
    setattr(module.get_submodule(parent), last, made)


def put_float(module: Any, name: str, tensor: NDArray[np.float32]) -> None:
    """Puts a tensor that stays float32 in its place."""
    path, _, last = name.rpartition(".")
    layer = module.get_submodule(path)
    made = torch.as_tensor(tensor)
    is_parameter = last in dict(layer.named_parameters(recurse=False))
    setattr(layer, last, torch.nn.Parameter(made, requires_grad=False) if is_parameter else made)


# The architecture


def empty_model(folder: Path) -> Any:
    """The model of a folder's config.json with weights that have shapes and no memory.

    Raises ModelError for a config that is broken or of an architecture that transformers does not know by itself: code
    in the folder is not an alternative.
    """
    import transformers

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call,unused-ignore]
    read_config(folder)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        for name, limit in LARGEST_SIZES.items():
            size = getattr(config, name, None)  # None and lists are for the architecture to judge
            if isinstance(size, int) and not 1 <= size <= limit:
                raise ModelError(
                    f"{folder / 'config.json'}: {name} is {size!r}, it has to be a number from 1 to {limit:,}"
                )
        with parameters_without_memory():
            return transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False, dtype=torch.float32)
    except ModelError:
        raise
    except Exception as error:  # a config can be wrong in as many ways as there are architectures
        raise ModelError(
            f"{folder / 'config.json'} is not a causal language model that transformers {transformers.__version__} knows: "
            f"{one_reason(error)}"
        ) from error


def read_config(folder: Path) -> None:
    """Raises ModelError where config.json is not a JSON object, or says that the weights are quantized already."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {one_reason(error)}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is not a JSON object")
    if config.get("quantization_config"):
        raise ModelError(f"{path} says that the weights are quantized already: give the float model")


def read_tokenizer(folder: Path, rows: int) -> Any:
    """The tokenizer of a model's folder, for a model with so many rows of embeddings.

    Raises ModelError where there is none that transformers can read by itself, or one with tokens beyond the rows.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # transformers raises many kinds
        raise ModelError(f"{folder} holds no tokenizer that transformers can read: {one_reason(error)}") from error
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if not 0 <= highest < rows:
        raise ModelError(
            f"{folder}: the tokenizer's tokens go up to {highest}, and the model has rows for 0 to {rows - 1}: "
            "they do not belong together"
        )
    return tokenizer


class Building(local):
    """Whether the running thread is making a module without memory."""

    empty = False


BUILDING = Building()


def without_memory(_module: torch.nn.Module, _name: str, parameter: torch.nn.Parameter | None) -> Any:
    """What torch asks for each parameter that any module gets: one on the device `meta` in its place, or None."""
    if not BUILDING.empty or parameter is None or parameter.is_meta:
        return None
    return torch.nn.Parameter(parameter.to("meta"), requires_grad=False)


# Once and for good: adding and taking away such a hook would disturb threads that are making modules of their own.
torch.nn.modules.module.register_module_parameter_registration_hook(without_memory)


@contextmanager
def parameters_without_memory() -> Iterator[None]:
    """While it lasts, every parameter that a module of this thread gets is on the device `meta`; buffers stay real.

    `torch.device("meta")` would take the buffers too, and tables of angles that are computed while a model is made are
    in no file of weights.
    """
    BUILDING.empty = True
    try:
        yield
    finally:
        BUILDING.empty = False


def tensor_places(module: Any) -> dict[str, str]:
    """Every name of a stored tensor, with the first name of the tensor it stands for: tied weights have several."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensor), name) for name, tensor in module.state_dict(keep_vars=True).items()}


def int8_kinds(module: Any) -> dict[str, type]:
    """The weights that become int8, each with the class of its layer.

    Of these very classes: a subclass computes something of its own, and keeps its floats.
    """
    from transformers.pytorch_utils import Conv1D

    return {
        f"{name}.weight": type(layer)
        for name, layer in module.named_modules()
        if type(layer) in {torch.nn.Linear, torch.nn.Embedding, Conv1D}
    }
