"""Quantization-aware training: a float encoder and passages in, an encoder trained for its own rounding out.

The float model is the teacher (`distill`), or headings are to find their passages (`contrastive`); no labels are needed.
A run that is interrupted goes on from its last saved state, which is kept beside the output folder until that is whole,
and ends with the weights of a run that was not interrupted. One of the doors to torch.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rag.compute.plan import ComputePlan
from rag.compute.torch_door import torch
from rag.encoder.checkpoint import WEIGHTS_FILE, digest, read_header, write_checkpoint
from rag.encoder.convert import Recipe, quantize_smoothed, smooth_model
from rag.encoder.encoder import groups_of_like_length, pad
from rag.encoder.kernel_float import FloatKernel, distilbert_model
from rag.encoder.kernel_torch import TorchKernel, pool
from rag.text.tokenizer import Tokenizer
from rag.train.export import check_target, named
from rag.train.fake_quantization import FakeQuantizedEncoder
from rag.train.pairs import (
    batches_an_epoch,
    heading_pairs,
    held_out,
    schedule,
    short_texts,
    texts_sha256,
    unique_passages,
)
from sql.base.errors import ModelError, RagError
from sql.base.wording import counted

F = torch.nn.functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.checkpoint import Checkpoint, EncoderConfig
    from rag.encoder.convert import SmoothedEncoder
    from rag.encoder.kernel import Kernel
    from rag.encoder.weights import FloatModel
    from rag.train.pairs import Passage

    Batch = tuple[torch.Tensor, torch.Tensor]  # padded ids (texts, tokens) and true lengths (texts,)

# What each objective moves: a vector that is nearly right by much, or a good model's own sense of likeness by little. The
# last two are those of rag/train/heads.py, whose heads begin with drawn weights.
LEARNING_RATES = {"distill": 1e-4, "contrastive": 2e-5, "read": 2e-4, "rerank": 2e-4}
DEVICES = ("auto", "cpu", "cuda")
TEMPERATURE = 0.05  # of the contrastive softmax over cosines, as in SimCSE (Gao et al. 2021, arXiv:2104.08821)
WARM_UP = 0.05  # share of the steps over which the learning rate rises; then it falls to 0 along a cosine
SAVE_EVERY = 20  # steps that an interruption costs at most
EXACT = ComputePlan(product="float")  # of what is measured: the same on every CPU
STATE_FORMAT = "int8-rag training 1"
STATE_FILE = "state.safetensors"


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train. `steps` are batches; without them `epochs` decides. `max_tokens` is where training texts are cut,
    `hidden_weight` how much the vectors of single tokens count beside those of texts when the float model is imitated.
    """

    recipe: Recipe = field(default_factory=Recipe)
    objective: str = "distill"
    steps: int | None = None
    epochs: int = 3
    batch_size: int = 16
    learning_rate: float | None = None
    seed: int = 0
    max_tokens: int = 128
    hidden_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.objective not in LEARNING_RATES:
            raise RagError(f"the objective {self.objective}: one of {', '.join(LEARNING_RATES)} is needed")
        for name, least in {"steps": 1, "epochs": 1, "batch_size": 2, "seed": 0, "max_tokens": 4}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise RagError(f"{name.replace('_', ' ')} {value}: at least {least} is needed")
        if not (0 < self.rate < 1):  # NaN compares as False
            raise RagError(
                f"the learning rate {self.rate}: a number above 0 and below 1 is needed, 1e-5 to 1e-3 are usual"
            )

    @property
    def rate(self) -> float:
        """The highest learning rate, the objective's own unless another was given."""
        return LEARNING_RATES[self.objective] if self.learning_rate is None else self.learning_rate


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What a run did. Cosines to the float model are means over passages kept back, None where there were too few;
    `before` is the same recipe without training.
    """

    folder: str
    weights: str
    texts: int
    steps: int
    resumed_at: int
    device: str
    first_loss: float
    last_loss: float
    held_out: int
    cosine_before: float | None
    cosine_after: float | None
    bytes: int
    seconds: float


class Task(Protocol):
    """What is to be learned from: items that the schedule puts into batches, and the loss of a batch."""

    texts: list[str]
    lengths: NDArray[np.int64]
    groups: list[NDArray[np.int64]]

    def loss(self, student: FakeQuantizedEncoder, items: NDArray[np.int64]) -> torch.Tensor:
        """The mean loss of a batch, a scalar."""
        ...


def train(
    model: FloatModel,
    passages: Sequence[Passage],
    folder: Path,
    options: TrainingOptions,
    *,
    device: str = "auto",
    announce: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> TrainingSummary:
    """Trains a model on passages and writes its checkpoint to `folder`, which must not be there yet or be empty.

    `progress` hears of every step: its number, all of them, the loss. The same call goes on where an interrupted one
    stopped. Raises RagError or ModelError where there is nothing to learn from, the loss is no longer a number, the
    state belongs to other options, or a folder cannot be written.
    """
    started = time.monotonic()
    check_target(folder)
    on = choose_device(device)
    unique = unique_passages(passages)
    back = held_out(len(unique))
    smoothed = smooth_model(model)
    student = FakeQuantizedEncoder(smoothed, options.recipe).to(on)
    kept = [passage for passage, out in zip(unique, back, strict=True) if not out]
    task = make_task(model, smoothed, kept, options, on)
    run = take_steps(student, task, folder, smoothed, options, announce, progress)
    trained = trained_checkpoint(student, folder, model, options, len(run.batches))
    write_checkpoint(trained, smoothed.tokenizer, folder)
    run.state.remove()
    measured = [passage.text for passage, out in zip(unique, back, strict=True) if out]
    before, after = mean_cosines(model, smoothed, [quantize_smoothed(smoothed, options.recipe), trained], measured)
    return TrainingSummary(
        folder=str(folder),
        weights=trained.config.weights,
        texts=len(task.texts),
        steps=len(run.batches),
        resumed_at=run.resumed_at,
        device=str(on),
        first_loss=run.losses[0],
        last_loss=float(np.mean(run.losses[-10:])),
        held_out=len(measured),
        cosine_before=before,
        cosine_after=after,
        bytes=(folder / WEIGHTS_FILE).stat().st_size,
        seconds=time.monotonic() - started,
    )


def choose_device(name: str) -> torch.device:
    """The device to train on; `auto` is a CUDA device where there is one."""
    if name not in DEVICES:
        raise RagError(f"the device {name}: one of {', '.join(DEVICES)} is needed")
    if name == "cuda" and not torch.cuda.is_available():
        raise RagError("the device cuda: torch finds none on this machine, use `--device cpu`")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


# What is learned


def make_task(
    model: FloatModel,
    smoothed: SmoothedEncoder,
    passages: Sequence[Passage],
    options: TrainingOptions,
    device: torch.device,
) -> Task:
    """The task of the objective."""
    tokens = Tokens(smoothed, options.max_tokens, device)
    if options.objective == "contrastive":
        return Contrast(passages, tokens)
    return Distillation(model, smoothed.config, passages, tokens, options.hidden_weight)


class Tokens:
    """Texts to batches of token ids on a device; what is longer than the limit loses its end, but for the last token."""

    def __init__(self, smoothed: SmoothedEncoder, limit: int, device: torch.device) -> None:
        self.limit, self.device, self.config = min(limit, smoothed.config.max_tokens), device, smoothed.config
        self.tokenizer = Tokenizer.from_bytes(smoothed.tokenizer, smoothed.config.max_tokens)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, at most the limit."""
        return [
            ids if len(ids) <= self.limit else ids[: self.limit - 1] + ids[-1:] for ids in self.tokenizer.encode(texts)
        ]

    def batch(self, ids: Sequence[list[int]]) -> Batch:
        """Token ids filled up with zeros, and the true lengths."""
        padded, lengths = pad(ids, self.limit)
        return torch.from_numpy(padded).to(self.device), torch.from_numpy(lengths).to(self.device)


class Distillation:
    """Vectors of passages, headings and sentences are to be those of the float model."""

    def __init__(
        self,
        model: FloatModel,
        config: EncoderConfig,
        passages: Sequence[Passage],
        tokens: Tokens,
        hidden_weight: float,
    ) -> None:
        long, short = [passage.text for passage in passages], short_texts(passages)
        self.texts = [config.document_prompt + text for text in long] + [config.query_prompt + text for text in short]
        self.tokens = tokens
        self.ids = tokens.encode(self.texts)
        self.lengths = np.array([len(ids) for ids in self.ids])
        self.groups = [np.arange(len(long)), np.arange(len(long), len(self.texts))]
        self.teacher = distilbert_model(model).to(tokens.device)
        self.hidden_weight = hidden_weight

    def loss(self, student: FakeQuantizedEncoder, items: NDArray[np.int64]) -> torch.Tensor:
        """The mean of |student - teacher|^2 / |teacher|^2 over vectors (of length 1: 2 - 2 cosine), and over tokens."""
        ids, lengths = self.tokens.batch([self.ids[item] for item in items])
        present = torch.arange(ids.shape[1], device=ids.device) < lengths.unsqueeze(1)
        with torch.no_grad():  # in every step anew, so that an interruption cannot change what a batch is compared with
            wanted_hidden = self.teacher(input_ids=ids, attention_mask=present.long()).last_hidden_state
            wanted = pooled(wanted_hidden, present, self.tokens.config)
        vectors, hidden = student(ids, lengths)
        loss = relative_error(vectors, wanted)
        if self.hidden_weight:
            loss = loss + self.hidden_weight * relative_error(hidden[present], wanted_hidden[present])
        return loss


def pooled(hidden: torch.Tensor, present: torch.Tensor, config: EncoderConfig) -> torch.Tensor:
    """Vectors (texts, dimensions) of hidden states, of length 1 where the model's are."""
    vectors = pool(hidden, present, config.pooling)
    return F.normalize(vectors, eps=1e-12) if config.normalized else vectors


def relative_error(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The mean of |found - wanted|^2 / |wanted|^2 over rows, a scalar."""
    return ((found - wanted).square().sum(1) / wanted.square().sum(1).clamp_min(1e-12)).mean()


class Contrast:
    """A heading is to be nearer to its own passage than to the other passages of the batch, and the other way round."""

    def __init__(self, passages: Sequence[Passage], tokens: Tokens) -> None:
        pairs, config = heading_pairs(passages), tokens.config
        self.short = [config.query_prompt + pair.short for pair in pairs]
        self.long = [config.document_prompt + pair.passage for pair in pairs]
        self.texts = self.short + self.long
        self.tokens = tokens
        self.short_ids, self.long_ids = tokens.encode(self.short), tokens.encode(self.long)
        self.lengths = np.array([len(ids) for ids in self.long_ids])
        self.groups = [np.arange(len(pairs))]

    def loss(self, student: FakeQuantizedEncoder, items: NDArray[np.int64]) -> torch.Tensor:
        """InfoNCE (van den Oord et al. 2018, arXiv:1807.03748) over the batch in both directions."""
        short, _ = student(*self.tokens.batch([self.short_ids[item] for item in items]))
        long, _ = student(*self.tokens.batch([self.long_ids[item] for item in items]))
        cosines = F.normalize(short) @ F.normalize(long).T
        # A passage under the same heading is no wrong answer, nor is the same passage under another one.
        same = torch.tensor(
            [[self.short[a] == self.short[b] or self.long[a] == self.long[b] for b in items] for a in items],
            device=cosines.device,
        )
        same.fill_diagonal_(fill_value=False)
        logits = (cosines / TEMPERATURE).masked_fill(same, -torch.inf)
        own = torch.arange(len(items), device=cosines.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


# The loop


def take_steps(
    student: FakeQuantizedEncoder,
    task: Task,
    folder: Path,
    smoothed: SmoothedEncoder,
    options: TrainingOptions,
    announce: Callable[[str], None],
    progress: Callable[[int, int, float], None],
) -> Run:
    """Takes all steps that are planned, from the last saved one on; the state that is kept beside `folder` stays there."""
    steps = options.steps or options.epochs * batches_an_epoch(task.groups, options.batch_size)
    planned = list(islice(schedule(task.lengths, task.groups, options.batch_size, options.seed), steps))
    run = Run(student, task, planned, options, State(state_folder(folder), run_fingerprint(smoothed, task, options)))
    run.resume()
    device = next(student.parameters()).device
    announce(
        f"learning from {counted(len(task.texts), 'text')} in {counted(steps, 'step')} of {options.batch_size} on {device}"
    )
    if run.resumed_at:
        announce(f"continuing from step {run.resumed_at} of {steps}")
    run.finish(progress)
    return run


class Run:
    """Steps from the first or the last saved one to the end."""

    def __init__(
        self,
        student: FakeQuantizedEncoder,
        task: Task,
        batches: list[NDArray[np.int64]],
        options: TrainingOptions,
        state: State,
    ) -> None:
        self.student, self.task, self.batches, self.options, self.state = student, task, batches, options, state
        self.optimizer = torch.optim.AdamW(student.parameters(), lr=options.rate, weight_decay=0.0, fused=True)
        self.losses: list[float] = []
        self.resumed_at = 0

    def resume(self) -> int:
        """Restores the saved state, if there is one; returns how many steps are done."""
        self.losses = self.state.read(self.student, self.optimizer)
        self.resumed_at = len(self.losses)
        return self.resumed_at

    def finish(self, progress: Callable[[int, int, float], None]) -> None:
        """Takes all steps that are left."""
        steps = len(self.batches)
        for step in range(len(self.losses), steps):
            self.losses.append(self.take(step))
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
                self.check_weights(step)
                self.state.write(self.student, self.optimizer, self.losses)
            progress(step + 1, steps, self.losses[-1])

    def take(self, step: int) -> float:
        """One step of the optimizer; returns the loss before it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate * rate_factor(step, len(self.batches))
        loss = self.task.loss(self.student, self.batches[step])
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self.stopped(f"the loss is {value}", step)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return value

    def check_weights(self, step: int) -> None:
        """Raises RagError where a weight is no longer finite: such a state must not replace a good one."""
        if not all(bool(parameter.isfinite().all()) for parameter in self.student.parameters()):
            raise self.stopped("a weight is no longer a finite number", step)

    def stopped(self, reason: str, step: int) -> RagError:
        """Why training cannot go on, and what is left of it."""
        saved = self.state.saved_steps()
        kept = f"the state after step {saved} is kept in {self.state.folder}" if saved else "nothing was written"
        return RagError(
            f"{reason} at step {step + 1}: {kept}; train with a learning rate below {self.options.rate:g} and another --out"
        )


def rate_factor(step: int, steps: int) -> float:
    """The share of the learning rate that a step is taken with: up in a line, then down along a cosine; in 0..1.

    >>> [round(rate_factor(step, 5), 2) for step in range(5)]
    [1.0, 0.9, 0.65, 0.35, 0.1]
    """
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step + 1 - warm) / (steps - warm + 1)))


# The state between steps


class State:
    """The trainable weights, the optimizer's averages and the losses so far, in one safetensors file that is replaced whole.

    A batch follows from the seed and the number of its step, and nothing else is drawn, so no random state is kept.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self.path = folder / STATE_FILE
        self.draft = self.path.with_suffix(".draft")

    def saved_steps(self) -> int:
        """Steps that the saved state holds, 0 where there is none."""
        return len(json.loads(read_header(self.path)["losses"])) if self.path.exists() else 0

    def read(self, student: FakeQuantizedEncoder, optimizer: torch.optim.Optimizer) -> list[float]:
        """Puts what was saved into the student and the optimizer; returns the losses so far, none without a state."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not self.folder.exists() or {path.name for path in self.folder.iterdir()} <= {self.draft.name}:
            return []  # a crash during the first saving leaves a draft
        remedy = "delete that folder to begin anew, or write to another folder"
        try:
            header = read_header(self.path)
            tensors = load_file(self.path)
            losses: list[float] = json.loads(header["losses"])
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelError(f"{self.folder} holds no readable training state ({error}): {remedy}") from error
        if header.get("format") != STATE_FORMAT or header.get("fingerprint") != self.fingerprint:
            raise ModelError(
                f"{self.folder} holds the state of a training run with another model, other texts or other options: "
                f"repeat the command that began it, {remedy}"
            )
        with torch.no_grad():
            for name, parameter in student.named_parameters():
                parameter.copy_(tensors[f"{name}.weight"])
                average, square = (
                    tensors[f"{name}.{part}"].to(parameter.device, copy=True) for part in ("average", "square")
                )
                step = torch.tensor(float(len(losses)), device=parameter.device)
                optimizer.state[parameter] = {"step": step, "exp_avg": average, "exp_avg_sq": square}
        return losses

    def write(self, student: FakeQuantizedEncoder, optimizer: torch.optim.Optimizer, losses: list[float]) -> None:
        """Replaces the saved state; a crash leaves the old one or the new one. ModelError where that is impossible."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        tensors: dict[str, torch.Tensor] = {}
        for name, parameter in student.named_parameters():
            state = optimizer.state[parameter]
            parts = {"weight": parameter.detach(), "average": state["exp_avg"], "square": state["exp_avg_sq"]}
            tensors |= {f"{name}.{part}": tensor.cpu().contiguous() for part, tensor in parts.items()}
        metadata = {"format": STATE_FORMAT, "fingerprint": self.fingerprint, "losses": json.dumps(losses)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, self.draft, metadata=metadata)
            with self.draft.open("rb") as file:
                os.fsync(file.fileno())
            self.draft.replace(self.path)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"the training state cannot be written to {self.folder} ({error}): make room or choose another "
                "--out, and run the command again"
            ) from error

    def remove(self) -> None:
        """Deletes the state, which is of no use beside a finished model."""
        shutil.rmtree(self.folder, ignore_errors=True)


def state_folder(folder: Path) -> Path:
    """Where the state is kept while the output folder is not there yet."""
    whole = folder.resolve()
    return whole.with_name(f"{whole.name}.training")


def run_fingerprint(smoothed: SmoothedEncoder, task: Task, options: TrainingOptions) -> str:
    """What has to be the same for a run to go on: the model, the texts, and all options that change a weight."""
    parts = {
        "model": smoothed.config.model_sha256,
        "tokenizer": smoothed.config.tokenizer_sha256,
        "texts": texts_sha256(task.texts),
        "options": asdict(options),
    }
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


# The result


def trained_checkpoint(
    student: FakeQuantizedEncoder, folder: Path, model: FloatModel, options: TrainingOptions, steps: int
) -> Checkpoint:
    """The checkpoint of what was learned; its description holds a digest, for two runs may have the same options."""
    checkpoint = student.checkpoint()
    made = f", trained {steps} steps ({options.objective}, {digest(checkpoint.tensors)[:12]})"
    return named(checkpoint, folder, model, made)


def mean_cosines(
    model: FloatModel, smoothed: SmoothedEncoder, checkpoints: Sequence[Checkpoint], texts: Sequence[str]
) -> list[float | None]:
    """The mean cosine of each checkpoint's vectors of texts to those of the float model; None without texts."""
    if not texts:
        return [None] * len(checkpoints)
    tokens = Tokens(smoothed, smoothed.config.max_tokens, torch.device("cpu"))
    ids = tokens.encode([smoothed.config.document_prompt + text for text in texts])
    groups = groups_of_like_length(
        [len(one) for one in ids], tokens.limit, pads=True
    )  # for all kernels alike: rows are compared

    def directions(kernel: Kernel) -> NDArray[np.float32]:
        parts = [kernel.forward(*pad([ids[row] for row in rows], tokens.limit)) for rows in groups]
        vectors = np.concatenate(parts)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)

    wanted = directions(FloatKernel(model, smoothed.config))
    return [float((directions(TorchKernel(one, EXACT)) * wanted).sum(axis=1).mean()) for one in checkpoints]
