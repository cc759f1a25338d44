"""What quantizing a model saves and what it costs: a model's name in, figures of each of its forms out.

The forms are float32, the literature's recipe, and ours. Speed is measured in turns in one process, the fastest round of
each form counts; memory in a process of its own for each form; quality against the float32 form's vectors, and on judged
queries with float32 vectors that are compared exactly, so that nothing but the model makes a difference.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.encoder.checkpoint import WEIGHTS_FILE, Checkpoint, EncoderConfig, expected_shapes, write_checkpoint
from rag.encoder.encoder import Encoder, checkpoint_folder, load_encoder, load_float_encoder
from rag.encoder.weights import float_model
from rag.evaluate.evaluation import best_documents
from rag.evaluate.metrics import mean_measures
from rag.evaluate.model_memory import Memory, measure_apart, measure_encoder
from rag.text.sample_text import QUESTION, sample_passages
from sql.base.errors import ModelError
from sql.base.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rag.evaluate.beir import Query

PASSAGES, PASSAGE_TOKENS = 32, 180
PASSAGES_FOR_MEMORY = 24
ROUNDS, QUERIES_A_ROUND = 3, 15
MEASURE = "ndcg@10"
ARCHITECTURE = "distilbert-base-uncased"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to hold and run a model: how it is loaded, and how many bytes its weights are on disk.

    One that is not for `documents` runs questions only, and only they are measured.
    """

    name: str
    meaning: str
    load: Callable[[Settings, str], Encoder]
    disk_bytes: Callable[[Settings, str, Encoder], int]
    documents: bool = True


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Queries whose relevant documents are known: passages with their documents, queries, and grades by query."""

    name: str
    passages: Sequence[tuple[str, str]]
    queries: Sequence[Query]
    qrels: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one form of a model takes and gives; None where it could not be measured, with the reason in `missing`.

    Cosines compare with the first form, over the passages and queries of the sets, else over the timed passages. `ndcg`
    and `kept`, the share of the first form's, are by the name of the set.
    """

    name: str
    meaning: str
    disk_bytes: int | None = None
    memory: Memory | None = None
    tokens_per_second: float | None = None
    query_seconds: float | None = None
    cosine_mean: float | None = None
    cosine_min: float | None = None
    ndcg: Mapping[str, float] | None = None
    kept: Mapping[str, float] | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The figures of a model's forms, and what they were measured with; `architecture` maps forms to bytes on disk.

    `tokenizer` is what the tokenizer was made of, whether it `agrees` with the one of transformers, and a `note`.
    """

    model: str
    revision: str
    tokenizer: Mapping[str, str | bool | None]
    torch: str
    threads: int
    passages: int
    tokens: int
    forms: Sequence[Figures]
    architecture: Mapping[str, int | None]


# The forms


def forms() -> tuple[Form, ...]:
    """Every form, float32 first: what the others are compared with."""
    return (
        Form("float32", "the float model, run by transformers", load_float, float_bytes),
        Form("quantize_dynamic", "the literature's recipe: torch, Linear layers only", load_dynamic, dynamic_bytes),
        Form("int8", "ours, int8 arithmetic", load_ours("int8"), checkpoint_bytes),
        Form("int8 bf16", "ours, int8 weights in bfloat16 arithmetic", load_ours("bf16"), checkpoint_bytes),
        Form("int8 fp32", "ours, int8 weights in float32 arithmetic", load_ours("fp32"), checkpoint_bytes),
        Form("int8 numpy", "ours without torch, for one question", load_numpy, checkpoint_bytes, documents=False),
    )


def load_float(settings: Settings, model: str) -> Encoder:
    """The model in float32."""
    return load_float_encoder(settings, load_encoder(settings, model))


def load_dynamic(settings: Settings, model: str) -> Encoder:
    """The float model after `quantize_dynamic`; ModelError where torch no longer has it."""
    from rag.encoder.kernel_float import DynamicKernel

    encoder = load_encoder(settings, model)
    with float_model(encoder.config.model, offline=settings.offline) as weights:
        kernel = DynamicKernel(weights, encoder.config)
    return Encoder(encoder.config, encoder.tokenizer, lambda: kernel)


def load_ours(mode: str) -> Callable[[Settings, str], Encoder]:
    """How the int8 checkpoint is loaded to run in a mode of `rag.compute.plan`."""
    return lambda settings, model: load_encoder(settings, model, compute=mode)


def load_numpy(settings: Settings, model: str) -> Encoder:
    """The int8 checkpoint with the kernel of a process that has no torch."""
    from rag.encoder.checkpoint import read_checkpoint
    from rag.encoder.kernel_numpy import NumpyKernel

    encoder = load_encoder(settings, model)
    kernel = NumpyKernel(read_checkpoint(checkpoint_folder(settings, model)))
    return Encoder(encoder.config, encoder.tokenizer, lambda: kernel)


def float_bytes(settings: Settings, _model: str, encoder: Encoder) -> int:
    """Bytes of the published float weights."""
    with float_model(encoder.config.model, offline=settings.offline) as weights:
        return weights.weights.stat().st_size


def dynamic_bytes(_settings: Settings, _model: str, encoder: Encoder) -> int:
    """Bytes of a model after `quantize_dynamic`, saved by torch."""
    from rag.encoder.kernel_float import saved_bytes

    kernel: Any = encoder.kernel
    return saved_bytes(kernel.module)


def checkpoint_bytes(settings: Settings, model: str, _encoder: Encoder) -> int:
    """Bytes of the int8 checkpoint's weights."""
    return (checkpoint_folder(settings, model) / WEIGHTS_FILE).stat().st_size


# The report


def measure_model(
    settings: Settings,
    model: str,
    sets: Sequence[JudgedSet] = (),
    *,
    architecture: bool = True,
    announce: Callable[[str], None] = lambda sentence: None,
) -> ModelReport:
    """Measures every form of a model; takes about a minute, and with sets as long as three encodings of them.

    Raises ModelError where the model or its float weights are not to be had.
    """
    from rag.encoder.kernel_float import threads

    int8 = load_encoder(settings, model, announce=announce)
    encoders, rows = load_forms(settings, model)
    texts = timed_passages(int8, sets)
    tokens = sum(len(ids) for ids in int8.tokenizer.encode(texts))
    announce(f"measuring speed over {len(texts)} passages of {tokens / len(texts):.0f} tokens")
    rows = add_speed(rows, encoders, texts, tokens)
    announce("measuring memory")
    rows = [add_memory(row, settings, model, texts[:PASSAGES_FOR_MEMORY]) for row in rows]
    rows = add_quality(rows, encoders, texts, sets, announce)
    return ModelReport(
        model=int8.config.model,
        revision=int8.config.model_revision,
        tokenizer=tokenizer_record(int8.config),
        torch=version("torch"),
        threads=threads(),
        passages=len(texts),
        tokens=tokens,
        forms=rows,
        architecture=architecture_bytes() if architecture else {},
    )


def load_forms(settings: Settings, model: str) -> tuple[dict[str, Encoder], list[Figures]]:
    """The encoders of all forms by name, and a row for each with its bytes on disk, or why it cannot be had.

    Float32 has to be there; ModelError where it is not.
    """
    encoders: dict[str, Encoder] = {}
    rows = []
    for form in forms():
        row = Figures(form.name, form.meaning)
        try:
            encoders[form.name] = form.load(settings, model)
            row = replace(row, disk_bytes=form.disk_bytes(settings, model, encoders[form.name]))
        except ModelError as error:
            if not encoders:
                raise
            row = replace(row, missing=str(error))
        rows.append(row)
    return encoders, rows


def timed_passages(encoder: Encoder, sets: Sequence[JudgedSet]) -> list[str]:
    """The texts that are timed: passages of the sets at even distances, else made ones of about 180 tokens."""
    known = [text for each in sets for _, text in each.passages]
    if known:
        return known[:: max(1, len(known) // PASSAGES)][:PASSAGES]
    return sample_passages(encoder.tokenizer, PASSAGES, min(PASSAGE_TOKENS, encoder.max_document_tokens))


def add_speed(
    rows: Sequence[Figures], encoders: Mapping[str, Encoder], texts: Sequence[str], tokens: int
) -> list[Figures]:
    """The rows with tokens a second, and the seconds of one short query."""
    passages, query = (dict.fromkeys(encoders, float("inf")) for _ in range(2))
    for encoder in encoders.values():  # what is made on first use is made
        encoder.encode_documents(texts[:2])
        encoder.encode_query(QUESTION)
    for _ in range(ROUNDS):
        for name, encoder in encoders.items():
            if name in document_forms():
                passages[name] = min(passages[name], seconds(lambda: encoder.encode_documents(texts)))  # noqa: B023
            for _ in range(QUERIES_A_ROUND):
                query[name] = min(query[name], seconds(lambda: encoder.encode_query(QUESTION)))  # noqa: B023
    return [
        replace(
            row,
            tokens_per_second=tokens / passages[row.name] if row.name in document_forms() else None,
            query_seconds=query[row.name],
        )
        if row.name in encoders
        else row
        for row in rows
    ]


def document_forms() -> set[str]:
    """The names of the forms that documents are encoded with."""
    return {form.name for form in forms() if form.documents}


def seconds(work: Callable[[], object]) -> float:
    """Wall time of some work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def add_memory(row: Figures, settings: Settings, model: str, texts: Sequence[str]) -> Figures:
    """A row with its memory, measured in a process of its own."""
    if row.missing:
        return row
    given = list(texts) if row.name in document_forms() else [QUESTION]
    task = {"form": row.name, "model": model, "settings": asdict(settings), "texts": given}
    return replace(row, memory=measure_apart(json.loads(json.dumps(task, default=str))))


def measure_in_this_process(task: Mapping[str, Any], result: str) -> None:
    """What the process does that is made for one form: loads it, encodes the texts, writes what memory that took."""
    from rag.encoder.kernel_float import load_libraries

    load_libraries()
    settings = Settings(**(task["settings"] | {"cache": Path(task["settings"]["cache"])}))
    form = next(form for form in forms() if form.name == task["form"])
    memory = measure_encoder(lambda: form.load(settings, task["model"]), task["texts"])
    Path(result).write_text(json.dumps(asdict(memory)), encoding="utf-8")


# Quality


def add_quality(
    rows: Sequence[Figures],
    encoders: Mapping[str, Encoder],
    texts: Sequence[str],
    sets: Sequence[JudgedSet],
    announce: Callable[[str], None],
) -> list[Figures]:
    """The rows with cosines to the first form, and with nDCG@10 on each set."""
    cosines: dict[str, list[NDArray[np.float64]]] = {name: [] for name in encoders}
    ndcg: dict[str, dict[str, float]] = {name: {} for name in encoders}
    first = next(iter(encoders))
    for each in sets:
        found = {}
        for name, encoder in encoders.items():
            announce(f"encoding {each.name} with {name}")
            found[name] = encode_set(encoder, each, passages=name in document_forms())
        for name, (queries, passages) in found.items():
            cosines[name].append(row_cosines(queries, found[first][0]))
            if name in document_forms():
                cosines[name].append(row_cosines(passages, found[first][1]))
                ndcg[name][each.name] = mean_measures(rankings(passages, queries, each), each.qrels)[MEASURE]
    if not sets:
        vectors = {name: encoder.encode_documents(texts) for name, encoder in encoders.items()}
        cosines = {name: [row_cosines(vectors[name], vectors[first])] for name in encoders}
    return [
        with_quality(row, np.concatenate(cosines[row.name]), ndcg[row.name], ndcg[first])
        if row.name in encoders
        else row
        for row in rows
    ]


def with_quality(
    row: Figures, cosines: NDArray[np.float64], ndcg: Mapping[str, float], reference: Mapping[str, float]
) -> Figures:
    """A row with its cosines and nDCG@10, and the share of the first form's that it keeps."""
    kept = {name: kept_part(value, reference[name]) for name, value in ndcg.items()}
    return replace(row, cosine_mean=float(cosines.mean()), cosine_min=float(cosines.min()), ndcg=ndcg, kept=kept)


def encode_set(
    encoder: Encoder, judged: JudgedSet, *, passages: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The vectors of a set's queries and, where wanted, of its passages; float32 (n, dimensions) each."""
    texts = [text for _, text in judged.passages] if passages else []
    return encoder.encode_queries([query.text for query in judged.queries]), encoder.encode_documents(texts)


def rankings(passages: NDArray[np.float32], queries: NDArray[np.float32], judged: JudgedSet) -> dict[str, list[str]]:
    """The documents of each query, best first, each scored by its best passage."""
    names, owners = np.unique([source for source, _ in judged.passages], return_inverse=True)
    return {
        query.id: best_documents(passages @ vector, names, owners)
        for query, vector in zip(judged.queries, queries, strict=True)
    }


def row_cosines(vectors: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of each vector to the one in its place, float64 (n,)."""
    one, other = vectors.astype(np.float64), reference.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(lengths, 1e-300))


def kept_part(part: float, whole: float) -> float:
    """How much of a measure is kept; all of it where there was nothing."""
    return part / whole if whole else 1.0


# An architecture without its weights


def architecture_bytes() -> dict[str, int | None]:
    """Bytes on disk of ARCHITECTURE in each form, by name: drawn weights, really quantized, really written.

    None stands where torch no longer has `quantize_dynamic`.
    """
    from rag.encoder.kernel_float import (
        float_bytes_on_disk,
        module_tensors,
        quantize_linears,
        random_distilbert,
        saved_bytes,
    )

    module = random_distilbert()
    tensors = module_tensors(module)
    try:
        dynamic: int | None = saved_bytes(quantize_linears(module))
    except ModelError:
        dynamic = None
    return {
        "float32": float_bytes_on_disk(module),
        "quantize_dynamic": dynamic,
        "int8": checkpoint_file_bytes(tensors, architecture_config(module.config)),
    }


def checkpoint_file_bytes(tensors: dict[str, NDArray[np.float32]], config: EncoderConfig) -> int:
    """Bytes of the int8 checkpoint of float tensors; what calibration would find is 1 everywhere."""
    from rag.encoder.convert import quantize_tensors

    quantized = quantize_tensors(tensors, config)
    for name, shape in expected_shapes(config).items():
        quantized.setdefault(name, np.ones(shape, dtype=np.float32))
    with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder:
        write_checkpoint(Checkpoint(config, quantized), b"", Path(folder) / "checkpoint")
        return (Path(folder) / "checkpoint" / WEIGHTS_FILE).stat().st_size


def architecture_config(config: Any) -> EncoderConfig:
    """The checkpoint's config for a `transformers.DistilBertConfig`."""
    return EncoderConfig(
        model=ARCHITECTURE,
        model_revision="",
        model_sha256="0" * 64,
        tokenizer_sha256="0" * 64,
        layers=config.n_layers,
        heads=config.n_heads,
        dimensions=config.dim,
        hidden_dimensions=config.hidden_dim,
        vocabulary=config.vocab_size,
        positions=config.max_position_embeddings,
        max_tokens=config.max_position_embeddings,
        layer_norm_eps=1e-12,
        pooling="mean",
        normalized=True,
        query_prompt="",
        document_prompt="",
    )


# The report as JSON


def report_record(report: ModelReport) -> dict[str, Any]:
    """A report as JSON: every key is always there, null stands for what could not be measured."""
    return {
        "model": report.model,
        "revision": report.revision,
        "tokenizer": dict(report.tokenizer),
        "torch": report.torch,
        "threads": report.threads,
        "passages": report.passages,
        "tokens": report.tokens,
        "forms": [form_record(row, report.forms[0]) for row in report.forms],
        "architecture": [
            {"name": ARCHITECTURE, "form": name, "disk_bytes": size} for name, size in report.architecture.items()
        ],
    }


def tokenizer_record(config: EncoderConfig) -> dict[str, str | bool | None]:
    """What a checkpoint remembers of its tokenizer."""
    return {"used": config.tokenizer_source, "agrees": config.tokenizer_agrees, "note": config.tokenizer_note}


def form_record(row: Figures, first: Figures) -> dict[str, Any]:
    """A form as JSON; bytes in memory are what the process grew by."""
    memory = row.memory
    return {
        "name": row.name,
        "meaning": row.meaning,
        "disk_bytes": row.disk_bytes,
        "weights_bytes": memory.weights if memory else None,
        "loaded_bytes": memory.loaded if memory else None,
        "encoding_bytes": memory.encoding if memory else None,
        "tokens_per_second": row.tokens_per_second,
        "times_float32": speedup(row, first),
        "query_ms": None if row.query_seconds is None else 1000 * row.query_seconds,
        "cosine_mean": row.cosine_mean,
        "cosine_min": row.cosine_min,
        "ndcg@10": dict(row.ndcg or {}),
        "kept": dict(row.kept or {}),
        "missing": row.missing,
    }


def speedup(row: Figures, first: Figures) -> float | None:
    """How many times as many tokens a second as the first form."""
    if row.tokens_per_second is None or not first.tokens_per_second:
        return None
    return row.tokens_per_second / first.tokens_per_second
