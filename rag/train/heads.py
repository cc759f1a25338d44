"""Judged questions in, an encoder with a head that reads or reranks out, trained for its own rounding.

The encoder begins as the one that gives texts vectors, the head with small drawn weights. Everything but the rows of the
embeddings learns, with the rounding of the int8 kernels in the forward pass (rag/train/fake_quantization.py). Batches, saved
states and what an interruption leaves are those of rag/train/training.py. One of the doors to torch.

Sources: J. Devlin et al. 2019, arXiv:1810.04805, sections 4.2 and 4.3 (start and end of an answer, the first token for
none); R. Nogueira and K. Cho 2019, arXiv:1901.04085 (a question and a passage scored as one text).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.reading import OVERLAP, ReadPassage
from rag.compute.torch_door import torch
from rag.encoder.checkpoint import WEIGHTS_FILE, Checkpoint, write_checkpoint
from rag.encoder.convert import Recipe, quantize_weight, smooth_tensors
from rag.encoder.distilbert import distilbert_weights
from rag.encoder.encoder import Encoder, pad
from rag.encoder.heads import READ, RERANK, Head, HeadConfig
from rag.encoder.kernel_torch import TorchKernel
from rag.encoder.pairs import PairModel
from rag.evaluate.abstention import roc_area
from rag.evaluate.answer_measures import exact_match, f1
from rag.text.tokenizer import Tokenizer
from rag.train.export import check_target
from rag.train.fake_quantization import FakeQuantizedEncoder
from rag.train.labelled import ReadExample, RerankExample, kept_back
from rag.train.training import EXACT, choose_device, take_steps, trained_checkpoint

F = torch.nn.functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.convert import SmoothedEncoder
    from rag.encoder.distilbert import FloatTensors
    from rag.encoder.weights import FloatModel
    from rag.text.tokenizer import TokenPair
    from rag.train.labelled import Example
    from rag.train.training import TrainingOptions

OUTPUT_DEVIATION = 0.02  # of the drawn weights of a new head's output, as BERT's own begin
NEW_HEADS = {READ: HeadConfig(READ), RERANK: HeadConfig(RERANK, "tanh", "sigmoid")}


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """What a head does on questions that it has not seen.

    `auc` is the area under the curve for answerable or not, or for labels above 0.5 or not. A reader's `f1` and `exact` are
    means over the questions that have an answer, of its best span, whether or not it would give one. None without questions.
    """

    auc: float | None = None
    f1: float | None = None
    exact: float | None = None


@dataclass(frozen=True, slots=True)
class HeadSummary:
    """What a run did. Figures are those of examples kept back: of what was learned in float32, and of the int8 kernels."""

    folder: str
    weights: str
    task: str
    examples: int
    steps: int
    resumed_at: int
    device: str
    first_loss: float
    last_loss: float
    held_out: int
    float32: HeldOutFigures
    int8: HeldOutFigures
    bytes: int
    seconds: float


def train_head(
    model: FloatModel,
    examples: Sequence[Example],
    folder: Path,
    options: TrainingOptions,
    *,
    judged: Sequence[Example] | None = None,
    device: str = "auto",
    announce: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> HeadSummary:
    """Trains a head of the options' objective, `read` or `rerank`, on an encoder, and writes the checkpoint to `folder`.

    `judged` are examples to measure with; by default some are kept back. The same call goes on where an interrupted one
    stopped, and ends with the same weights. Raises RagError or ModelError as `training.train` does.
    """
    started = time.monotonic()
    check_target(folder)
    on = choose_device(device)
    back = np.zeros(len(examples), dtype=np.bool_) if judged is not None else kept_back(examples)
    learned = [one for one, out in zip(examples, back, strict=True) if not out]
    measured = [one for one, out in zip(examples, back, strict=True) if out] if judged is None else judged
    smoothed = headed_start(model, options)
    student = HeadedStudent(smoothed, options.recipe).to(on)
    task = HeadTask(learned, smoothed, options, on)
    run = take_steps(student, task, folder, smoothed, options, announce, progress)
    trained = trained_checkpoint(student, folder, model, options, len(run.batches))
    # The float model that it began as has no such head: there is none to measure against.
    trained = replace(trained, config=replace(trained.config, float_model=trained.config.model))
    write_checkpoint(trained, smoothed.tokenizer, folder)
    run.state.remove()
    with student.encoder.in_float32():
        in_float32 = figures(task, measured, student.outputs)
    return HeadSummary(
        folder=str(folder),
        weights=trained.config.weights,
        task=options.objective,
        examples=len(learned),
        steps=len(run.batches),
        resumed_at=run.resumed_at,
        device=str(on),
        first_loss=run.losses[0],
        last_loss=float(np.mean(run.losses[-10:])),
        held_out=len(measured),
        float32=in_float32,
        int8=figures(task, measured, pair_model(trained, task.tokenizer).outputs),
        bytes=(folder / WEIGHTS_FILE).stat().st_size,
        seconds=time.monotonic() - started,
    )


# What learns


def headed_start(model: FloatModel, options: TrainingOptions) -> SmoothedEncoder:
    """The smoothed encoder with a head whose weights are drawn: the same for the same seed."""
    tensors, config = distilbert_weights(model)
    head = NEW_HEADS[options.objective]
    return smooth_tensors(model, tensors | drawn_head(head, config["dim"], options.seed), config, head)


def drawn_head(head: HeadConfig, wide: int, seed: int) -> FloatTensors:
    """The tensors of a new head: drawn weights and biases of 0, float32. Its dense linear keeps the size of what it reads."""
    random = np.random.default_rng(seed)
    parts = [("head.output", head.outputs, OUTPUT_DEVIATION)]
    if head.task == RERANK:
        parts.append(("head.dense", wide, wide**-0.5))
    tensors: FloatTensors = {}
    for name, height, deviation in parts:
        tensors[f"{name}.weight"] = random.normal(0, deviation, (height, wide)).astype(np.float32)
        tensors[f"{name}.bias"] = np.zeros(height, dtype=np.float32)
    return tensors


class HeadedStudent(torch.nn.Module):  # type: ignore[misc]
    """An encoder that learns, with a head that learns in float32: it is a thousandth of what is computed."""

    def __init__(self, smoothed: SmoothedEncoder, recipe: Recipe) -> None:
        super().__init__()
        self.encoder = FakeQuantizedEncoder(smoothed, recipe)
        self.limit = smoothed.config.max_tokens
        start = self.encoder.start.tensors
        self.output = linear_of(start["head.output.weight"], start["head.output.bias"])
        self.dense: torch.nn.Linear | None = None
        if "head.dense.codes" in start:
            weight = start["head.dense.codes"] * start["head.dense.scale"][:, None]
            self.dense = linear_of(weight, start["head.dense.bias"])

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Raw outputs: (texts, 1) of a cross-encoder, (texts, tokens, 2) of a reader."""
        vectors, _ = self.encoder(ids, lengths, types)
        if self.dense is not None:
            vectors = torch.tanh(self.dense(vectors))
        return self.output(vectors)

    def outputs(self, pairs: Sequence[TokenPair]) -> list[NDArray[np.float32]]:
        """The raw outputs of each pair, as `PairModel.outputs` has them."""
        found: list[NDArray[np.float32]] = []
        device = self.output.weight.device
        with torch.inference_mode():
            for pair in pairs:
                given = (torch.tensor([part], device=device) for part in (pair.ids, pair.types))
                ids, types = given
                found.append(self(ids, torch.tensor([len(pair.ids)], device=device), types)[0].cpu().numpy())
        return found

    def checkpoint(self) -> Checkpoint:
        """What has been learned, as a checkpoint; raises ModelError where it is not finite."""
        trained = self.encoder.checkpoint()
        tensors = dict(trained.tensors)
        for name, linear in (("head.output", self.output), ("head.dense", self.dense)):
            if linear is None:
                continue
            weight, bias = (part.detach().cpu().numpy().copy() for part in (linear.weight, linear.bias))
            tensors[f"{name}.bias"] = bias
            if name == "head.dense":
                tensors[f"{name}.codes"], tensors[f"{name}.scale"] = quantize_weight(weight, Recipe())
            else:
                tensors[f"{name}.weight"] = weight
        return Checkpoint(trained.config, tensors)


def linear_of(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> torch.nn.Linear:
    """A linear layer with these weights."""
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(np.asarray(weight, dtype=np.float32)))
        linear.bias.copy_(torch.from_numpy(bias))
    return linear


# What is learned


class HeadTask:
    """Pairs of a question and (a window of) its passage, and what the head is to say of each."""

    def __init__(
        self, examples: Sequence[Example], smoothed: SmoothedEncoder, options: TrainingOptions, device: torch.device
    ) -> None:
        self.limit, self.device = min(options.max_tokens, smoothed.config.max_tokens), device
        self.reads = options.objective == READ
        self.tokenizer = Tokenizer.from_bytes(smoothed.tokenizer, self.limit)
        self.pairs: list[TokenPair] = []
        self.targets: list[tuple[float, float]] = []
        for example in examples:
            for pair in self.windows(example):
                self.pairs.append(pair)
                self.targets.append(
                    span_target(example, pair) if isinstance(example, ReadExample) else (example.label, 0.0)
                )
        self.texts = [repr(example) for example in examples]  # what a run that goes on has to have in common
        self.lengths = np.array([len(pair.ids) for pair in self.pairs])
        self.groups = [np.arange(len(self.pairs))]

    def windows(self, example: Example) -> list[TokenPair]:
        """What is read of an example: for a reader all of the passage, in windows, for a cross-encoder its beginning."""
        return self.tokenizer.pairs(example.question, [example.passage], OVERLAP if self.reads else None)[0]

    def loss(self, student: HeadedStudent, items: NDArray[np.int64]) -> torch.Tensor:
        """The mean cross-entropy of start and end, or of the label."""
        pairs = [self.pairs[item] for item in items]
        ids, lengths = pad([pair.ids for pair in pairs], self.limit)
        types, _ = pad([pair.types for pair in pairs], self.limit)
        outputs = student(*(torch.from_numpy(part).to(self.device) for part in (ids, lengths, types)))
        targets = torch.tensor([self.targets[item] for item in items], device=self.device)
        if not self.reads:
            return F.binary_cross_entropy_with_logits(outputs[:, 0], targets[:, 0])
        allowed = torch.from_numpy(np.stack([answerable(pair, ids.shape[1]) for pair in pairs])).to(self.device)
        logits = outputs.masked_fill(~allowed.unsqueeze(2), -torch.inf)
        wanted = targets.long()
        return (F.cross_entropy(logits[:, :, 0], wanted[:, 0]) + F.cross_entropy(logits[:, :, 1], wanted[:, 1])) / 2


def span_target(example: ReadExample, pair: TokenPair) -> tuple[int, int]:
    """The first and last token of the first answer in a pair; twice 0, the first token, where the window does not hold it."""
    if not example.answers:
        return 0, 0
    start, end = example.starts[0], example.starts[0] + len(example.answers[0])
    overlapping = np.flatnonzero((pair.spans[:, 0] < end) & (pair.spans[:, 1] > start))
    if not len(overlapping) or pair.spans[:, 0].min() > start or pair.spans[:, 1].max() < end:
        return 0, 0
    return pair.first + int(overlapping[0]), pair.first + int(overlapping[-1])


def answerable(pair: TokenPair, tokens: int) -> NDArray[np.bool_]:
    """Which places an answer may have in a pair: its first token, for none, and those of the passage; bool (tokens,)."""
    places = np.zeros(tokens, dtype=np.bool_)
    places[0] = True
    places[pair.first : pair.first + len(pair.spans)] = True
    return places


# What has been learned


def pair_model(checkpoint: Checkpoint, tokenizer: Tokenizer) -> PairModel:
    """The trained model as it will run, on the plainest kernel: the same on every CPU."""
    kernel = TorchKernel(checkpoint, EXACT)
    assert checkpoint.config.head is not None  # noqa: S101 - it was trained with one
    return PairModel(
        Encoder(checkpoint.config, tokenizer, lambda: kernel), Head(checkpoint.config.head, checkpoint.tensors)
    )


def figures(
    task: HeadTask,
    examples: Sequence[Example],
    outputs: Callable[[Sequence[TokenPair]], list[NDArray[np.float32]]],
) -> HeldOutFigures:
    """What a model says of examples, against what they are."""
    windows = [task.windows(example) for example in examples]
    said = iter(outputs([pair for same in windows for pair in same]))
    found = [[next(said) for _ in same] for same in windows]
    if not examples:
        return HeldOutFigures()
    if not task.reads:
        scores = [float(same[0][0]) for same in found]
        return HeldOutFigures(roc_area(scores, [one.label > 0.5 for one in examples if isinstance(one, RerankExample)]))
    readings = [
        best_reading(example.passage, pairs, logits)
        for example, pairs, logits in zip(examples, windows, found, strict=True)
    ]
    questions = [one for one in examples if isinstance(one, ReadExample)]
    answered = [
        (exact_match(text, one.answers), f1(text, one.answers))
        for one, (_, text) in zip(questions, readings, strict=True)
        if one.answers
    ]
    exact, words = np.mean(answered, axis=0) if answered else (None, None)
    return HeldOutFigures(
        auc=roc_area([margin for margin, _ in readings], [bool(one.answers) for one in questions]),
        f1=None if words is None else float(words),
        exact=None if exact is None else float(exact),
    )


def best_reading(passage: str, pairs: Sequence[TokenPair], logits: Sequence[NDArray[np.float32]]) -> tuple[float, str]:
    """By how much the best span of a passage is ahead of no answer, over its windows, and the span's text."""
    span = ReadPassage(pairs, logits).best_span(0, len(passage))
    return (-np.inf, "") if span is None else (span.margin, passage[span.start : span.end])
