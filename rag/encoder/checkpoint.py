"""The int8 checkpoint: one safetensors file with an encoder's int8 weights, and the tokenizer beside it.

Never a pickle, never a float32 copy. The header carries the architecture, where the weights came from, and a digest of
every tensor, so that a truncated, foreign or changed file is refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.encoder.families import DISTANCE_BUCKETS
from rag.encoder.heads import HeadConfig, head_shapes
from sql.base.errors import ModelError
from sql.records import MAX_DIMENSIONS, EncoderIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ENCODER_FORMAT = "int8-rag encoder 1"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
POOLINGS = ("mean", "cls")
SIZE_LIMITS = {  # no encoder comes near; beyond them a config would fill the memory before anything else is looked at
    "layers": 1000,
    "heads": 1000,
    "dimensions": MAX_DIMENSIONS,
    "hidden_dimensions": 1 << 20,
    "vocabulary": 1 << 24,
    "positions": 1 << 20,
    "max_tokens": 1 << 20,
    "token_types": 2,
}
WEIGHTS_INT8_PER_CHANNEL = "int8 weights per channel, calibrated 8-bit activations"


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Everything about an encoder that is not a tensor; sizes count numbers, `max_tokens` includes the special ones."""

    model: str
    model_revision: str
    model_sha256: str
    tokenizer_sha256: str
    layers: int
    heads: int
    dimensions: int
    hidden_dimensions: int
    vocabulary: int
    positions: int
    max_tokens: int
    layer_norm_eps: float
    pooling: str
    normalized: bool
    query_prompt: str
    document_prompt: str
    weights: str = WEIGHTS_INT8_PER_CHANNEL
    float_model: str = ""  # what the float weights go by, where that is not `model`
    linear_bits: int = 8  # of the codes of linear layers; 4 are stored two to a byte, in memory every code has its own
    tokenizer_source: str = TOKENIZER_FILE  # what the tokenizer beside the weights was made of
    tokenizer_agrees: bool | None = None  # with the one that transformers makes of the model; None where not compared
    tokenizer_note: str = "not compared with transformers' tokenizer: the checkpoint is older than the comparison"
    token_types: int = 1  # 2 where the second of a pair of texts is embedded differently; a single text has one
    head: HeadConfig | None = None  # of a cross-encoder or a reader
    prompts: str = ""  # JSON of those that were given in place of the model's own; empty where these are used
    pools_prompts: bool = True  # False where the model leaves the tokens of its prompts out of the mean over tokens
    distance_buckets: int = 0  # kinds of distances with a bias of attention (MPNet); 0 where there is no such bias

    def __post_init__(self) -> None:
        if isinstance(self.head, dict):  # as the header of a file holds it
            object.__setattr__(self, "head", HeadConfig(**self.head))
        self._check_types()
        if self.dimensions % self.heads:
            raise ModelError(f"{self.model}: {self.dimensions} dimensions cannot be split over {self.heads} heads")
        if self.linear_bits not in {4, 8}:
            raise ModelError(f"{self.model}: linear layers of {self.linear_bits} bits cannot be read: only of 8 or 4")
        if self.distance_buckets not in {0, DISTANCE_BUCKETS}:
            raise ModelError(
                f"{self.model}: distance_buckets is {self.distance_buckets!r:.40}, it has to be {DISTANCE_BUCKETS} or 0"
            )
        if self.max_tokens > self.positions:
            raise ModelError(f"{self.model}: {self.max_tokens} tokens do not fit its {self.positions} positions")

    def _check_types(self) -> None:
        """Raises ModelError for what no encoder has: these come out of JSON files that anybody may have written."""
        for name, limit in SIZE_LIMITS.items():
            size = getattr(self, name)
            if type(size) is not int or not 1 <= size <= limit:
                raise ModelError(
                    f"{self.model}: {name} is {size!r:.40}, it has to be a whole number from 1 to {limit:,}"
                )
        if type(self.layer_norm_eps) not in {int, float} or not 0 < self.layer_norm_eps < 1:
            raise ModelError(
                f"{self.model}: layer_norm_eps is {self.layer_norm_eps!r:.40}, it has to be between 0 and 1"
            )
        for name in ("query_prompt", "document_prompt"):
            if not isinstance(getattr(self, name), str):
                raise ModelError(f"{self.model}: {name} is {getattr(self, name)!r:.40}, it has to be a text")
        poolings = (self.head.pooling,) if self.head else POOLINGS
        if self.pooling not in poolings:
            raise ModelError(f"{self.model}: pooling {self.pooling!r:.40} is not one of {', '.join(poolings)}")

    @property
    def tokenizer_warning(self) -> str | None:
        """A sentence for whoever converts a model whose tokens differ from those that transformers gives; else None."""
        if self.tokenizer_agrees is not False:
            return None
        return (
            f"the tokenizer.json of {self.model}, which is used, gives {self.tokenizer_note}; vectors of such texts are "
            "not those of sentence-transformers"
        )

    @property
    def identity(self) -> EncoderIdentity:
        """What a store remembers of this encoder."""
        return EncoderIdentity(**{name: getattr(self, name) for name in EncoderIdentity.__slots__})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An encoder's config and tensors by name.

    `*.codes` are int8 (out, in) with `*.scale` float32 (out,). The rest is float32: biases, layer norms, `*.residual`, the
    factors by which a smoothed layer norm's output is multiplied where it is added to what follows, `*.input_scale`, the
    step of the 8-bit codes that a linear reads, `embeddings.second_type`, what is added to the tokens of a second text, and
    MPNet's `distance_bias` (buckets, heads) of attention.
    """

    config: EncoderConfig
    tensors: dict[str, NDArray[Any]]

    def __post_init__(self) -> None:
        for name, shape in expected_shapes(self.config).items():
            tensor = self.tensors.get(name)
            dtype = np.int8 if name.endswith(".codes") else np.float32
            if tensor is None or tensor.shape != shape or tensor.dtype != dtype:
                found = "nothing" if tensor is None else f"{tensor.dtype} {tensor.shape}"
                raise ModelError(f"{self.config.model}: {name} should be {np.dtype(dtype)} {shape} and is {found}")
            if dtype is np.float32 and not np.isfinite(tensor).all():
                raise ModelError(f"{self.config.model}: {name} holds numbers that are not finite")

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors in memory."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


def expected_shapes(config: EncoderConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor of an encoder of this architecture, with its shape."""
    wide, deep = config.dimensions, config.hidden_dimensions
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word.codes": (config.vocabulary, wide),
        "embeddings.word.scale": (config.vocabulary,),
        "embeddings.position.codes": (config.positions, wide),
        "embeddings.position.scale": (config.positions,),
        "embeddings.norm.weight": (wide,),
        "embeddings.norm.bias": (wide,),
        "embeddings.norm.residual": (wide,),
    }
    if config.distance_buckets:
        shapes["distance_bias"] = (config.distance_buckets, config.heads)
    linears = {"qkv": (3 * wide, wide), "attention": (wide, wide), "up": (deep, wide), "down": (wide, deep)}
    for layer in range(config.layers):
        for name, shape in linears.items():
            shapes[f"layer.{layer}.{name}.codes"] = shape
            shapes[f"layer.{layer}.{name}.scale"] = shape[:1]
            shapes[f"layer.{layer}.{name}.bias"] = shape[:1]
            if name != "down":
                shapes[f"layer.{layer}.{name}.input_scale"] = (1,)
        for norm in ("attention_norm", "output_norm"):
            shapes[f"layer.{layer}.{norm}.weight"] = (wide,)
            shapes[f"layer.{layer}.{norm}.bias"] = (wide,)
            shapes[f"layer.{layer}.{norm}.residual"] = (wide,)
    if config.token_types > 1:
        shapes["embeddings.second_type"] = (wide,)
    return shapes | (head_shapes(config.head, wide) if config.head else {})


def write_checkpoint(checkpoint: Checkpoint, tokenizer: bytes, folder: Path) -> None:
    """Writes a checkpoint folder, whole or not at all; one that is already there is replaced.

    Raises ModelError where the folder cannot be written.
    """
    from safetensors.numpy import save_file

    # In C order: version 0.8 of the library writes any other as it lies in memory, under the shape that it does not have.
    tensors = {name: np.asarray(tensor, order="C") for name, tensor in stored(checkpoint).items()}
    metadata = {
        "format": ENCODER_FORMAT,
        "config": (config := json.dumps(asdict(checkpoint.config))),
        "config_sha256": sha256(config.encode()).hexdigest(),
        "tensors_sha256": digest(tensors),
    }
    with replaced_folder(folder) as draft:
        save_file(tensors, draft / WEIGHTS_FILE, metadata=metadata)
        (draft / TOKENIZER_FILE).write_bytes(tokenizer)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to write into, which takes the place of `folder` at the end, and is gone if anything fails.

    Raises ModelError where it cannot be written.
    """
    from safetensors import SafetensorError

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            yield draft
            for file in draft.glob("*.safetensors"):
                file.chmod(0o644)  # a cache may be shared; what is in it is no secret
            draft.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except (OSError, SafetensorError) as error:  # the library's own error where the disk is full
        if not (folder / WEIGHTS_FILE).exists():  # another process may have written the same checkpoint meanwhile
            reason = getattr(error, "strerror", None) or error
            raise ModelError(
                f"the int8 model cannot be written to {folder}: {reason}; set RAG_CACHE to a folder that can"
            ) from error


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds an int8 checkpoint of ours; reads the header only."""
    try:
        return read_header(folder / WEIGHTS_FILE).get("format") == ENCODER_FORMAT
    except (OSError, ValueError):
        return False


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in a folder; ModelError where it is damaged, foreign or goes with another tokenizer."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / WEIGHTS_FILE
    remedy = "delete the folder and run the command again"
    try:
        header = read_header(path)
        tensors = load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{path} is not a complete int8 checkpoint ({error}): {remedy}") from error
    if header.get("format") != ENCODER_FORMAT:
        raise ModelError(f"{path} has the format {header.get('format')!r} and not {ENCODER_FORMAT!r}: {remedy}")
    config_sha256 = sha256(header.get("config", "").encode()).hexdigest()
    if header.get("tensors_sha256") != digest(tensors) or header.get("config_sha256", config_sha256) != config_sha256:
        raise ModelError(f"{path} has been changed since it was written, its digest differs: {remedy}")
    try:
        config = EncoderConfig(**json.loads(header["config"]))
        tokenizer = (folder / TOKENIZER_FILE).read_bytes()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder} is not a complete int8 checkpoint ({error}): {remedy}") from error
    if sha256(tokenizer).hexdigest() != config.tokenizer_sha256:
        raise ModelError(f"{folder / TOKENIZER_FILE} is not the tokenizer of {config.model}: {remedy}")
    return Checkpoint(config, in_memory(tensors, config))


def stored(checkpoint: Checkpoint) -> dict[str, NDArray[Any]]:
    """The tensors as the file holds them: codes of 4 bits are two to a byte, under the name `*.codes4`."""
    if checkpoint.config.linear_bits == 8:
        return checkpoint.tensors
    return {
        f"{name}4" if is_linear(name) else name: pack(tensor) if is_linear(name) else tensor
        for name, tensor in checkpoint.tensors.items()
    }


def in_memory(tensors: dict[str, NDArray[Any]], config: EncoderConfig) -> dict[str, NDArray[Any]]:
    """The tensors of a file as a checkpoint holds them: every code a byte of its own."""
    if config.linear_bits == 8:
        return tensors
    shapes = expected_shapes(config)
    return {
        name.removesuffix("4"): unpack(tensor, shapes.get(name.removesuffix("4"), (0, 0))[-1])
        if name.endswith(".codes4")
        else tensor
        for name, tensor in tensors.items()
    }


def is_linear(name: str) -> bool:
    """Whether a tensor holds the codes of a linear layer."""
    return name.startswith("layer.") and name.endswith(".codes")


def pack(codes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Codes -7..7 (rows, columns) two to a byte, (rows, half the columns, rounded up); an even column has the low bits.

    >>> pack(np.array([[-7, 7, 0]], dtype=np.int8)).tolist()
    [[241, 8]]
    """
    if codes.size and np.abs(codes.astype(np.int16)).max() > 7:
        raise ModelError("codes beyond -7..7 cannot be stored in 4 bits")
    halves = np.pad((codes + 8).astype(np.uint8), ((0, 0), (0, codes.shape[1] % 2)))
    return np.asarray(halves[:, ::2] | halves[:, 1::2] << 4, dtype=np.uint8)


def unpack(packed: NDArray[np.uint8], columns: int) -> NDArray[np.int8]:
    """The codes (rows, columns) of `pack`, int8.

    >>> unpack(np.array([[241, 8]], dtype=np.uint8), 3).tolist()
    [[-7, 7, 0]]
    """
    if packed.dtype != np.uint8 or packed.ndim != 2:
        raise ModelError(f"codes of 4 bits should be uint8 with two axes, and are {packed.dtype} {packed.shape}")
    halves = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), 2 * packed.shape[1])
    return np.ascontiguousarray(halves[:, :columns].astype(np.int8) - 8)


def read_header(path: Path) -> dict[str, str]:
    """The metadata in the header of a safetensors file; OSError or ValueError where there is none to be read."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= 100_000_000:
            raise ValueError("the header of the file is damaged")
        try:
            metadata = json.loads(file.read(length)).get("__metadata__", {})
            return {str(name): str(value) for name, value in metadata.items()}
        except (AttributeError, RecursionError) as error:
            raise ValueError("the header of the file is damaged") from error


def digest(tensors: dict[str, NDArray[Any]]) -> str:
    """SHA-256 over all tensors: names, shapes and bytes, ordered by name."""
    total = sha256()
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        total.update(f"{name}{tensor.dtype}{tensor.shape}".encode())
        total.update(tensor.data)
    return total.hexdigest()
