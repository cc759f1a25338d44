"""Questions with passages in, what a model with a head says of each pair out: how well they fit, or where the answer is.

A pair's result depends on the pair alone, never on its neighbours in a batch: batches hold pairs of like length, and are
computed side by side like those of any encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.encoder.checkpoint import read_checkpoint
from rag.encoder.encoder import Encoder, check_task, checkpoint_folder, encoder_of
from rag.encoder.heads import RERANK, Head
from rag.encoder.weights import float_model
from sql.base.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from rag.text.tokenizer import TokenPair
    from sql.base.settings import Settings


@dataclass(frozen=True)
class PairModel:
    """An encoder of pairs with a head, ready to run. Safe to use from any thread."""

    encoder: Encoder
    head: Head

    @property
    def name(self) -> str:
        """What the model goes by."""
        return self.encoder.config.model

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """A cross-encoder's score of each passage, float32 (passages,); a higher one fits the question better.

        What of a passage does not fit behind the question is not read. Raises UsageError for a question that leaves it no
        room.
        """
        pairs = [windows[0] for windows in self.encoder.tokenizer.pairs(question, passages)]
        outputs = self.outputs(pairs)
        return self.head.scores(np.array([output[0] for output in outputs], dtype=np.float32))

    def outputs(self, pairs: Sequence[TokenPair]) -> list[NDArray[np.float32]]:
        """The head's raw outputs for each pair: float32 (1,) of a cross-encoder, (tokens, 2) of a reader, the logits of an
        answer's start and end.
        """
        found: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(pairs)
        if not pairs:
            return found

        def receive(rows: list[int], vectors: NDArray[np.float32]) -> None:
            # one by one: products of other shapes are summed in another order
            for row, vector in zip(rows, vectors, strict=True):
                found[row] = self.head(vector if self.head.config.task == RERANK else vector[: len(pairs[row].ids)])

        self.encoder.compute([pair.ids for pair in pairs], receive, [pair.types for pair in pairs])
        return found


def load_pair_model(
    settings: Settings,
    model: str,
    task: str,
    *,
    compute: str | None = None,
    announce: Callable[[str], None] = lambda sentence: None,
) -> PairModel:
    """The int8 model of a hub id or folder whose head does a task of rag/encoder/heads.py, from its checkpoint in the cache.

    It is made there first where it is missing; `announce` hears of it. Raises ModelError where no source has the model,
    or where it is of another kind.
    """
    folder = checkpoint_folder(settings, model, task=task, announce=announce)
    checkpoint = read_checkpoint(folder)
    check_task(checkpoint.config, task)
    assert checkpoint.config.head is not None  # noqa: S101 - as just checked
    head = Head(checkpoint.config.head, checkpoint.tensors)
    return PairModel(encoder_of(checkpoint, folder, settings, few_texts=False, compute=compute), head)


def load_float_pair_model(settings: Settings, model: PairModel) -> PairModel:
    """The same model in float32, to measure against; needs its float weights again."""
    from rag.encoder.kernel_float import FloatKernel

    encoder = model.encoder
    if encoder.config.float_model == encoder.config.model:
        raise ModelError(
            f"{model.name} was trained for its int8 form and has no float32 weights to compare with: what it does in float32 "
            "was measured at the end of its training"
        )
    with float_model(encoder.config.float_model or encoder.config.model, offline=settings.offline) as weights:
        kernel = FloatKernel(weights, encoder.config)
    return PairModel(Encoder(encoder.config, encoder.tokenizer, lambda: kernel), kernel.head)
