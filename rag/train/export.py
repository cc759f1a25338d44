"""A checkpoint that was made on request in, a folder to be used as `--model FOLDER` out; nothing is ever overwritten."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from rag.encoder.checkpoint import is_checkpoint, write_checkpoint
from rag.encoder.convert import quantize_model
from rag.train.pairs import texts_sha256
from sql.base.errors import ModelError
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rag.encoder.checkpoint import Checkpoint
    from rag.encoder.convert import Recipe
    from rag.encoder.weights import FloatModel


MOST_CALIBRATION_TEXTS = (
    512  # ranges hardly widen after the first few hundred, and each text is a run of the float model
)


def check_target(folder: Path) -> None:
    """Raises ModelError where something is in the way of a new checkpoint, or nothing can be written there."""
    if is_checkpoint(folder):
        raise ModelError(f"{folder} already holds a finished model: delete it, or write to another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} holds something other than a model: nothing was changed, write to another folder")
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise ModelError(f"{folder} cannot be written: {above} is not a folder that can be written to, choose another")


def named(checkpoint: Checkpoint, folder: Path, model: FloatModel, made: str = "") -> Checkpoint:
    """A checkpoint under the name of its folder, with how it was made: stores refuse to mix it with any other.

    Whoever asks a store that was built with it is led to the folder, and comparing with float32 to the float weights.
    """
    config = replace(
        checkpoint.config,
        model=str(folder.resolve()),
        model_revision="",
        float_model=model.name,
        weights=checkpoint.config.weights + made,
    )
    return replace(checkpoint, config=config)


def spread(texts: Sequence[str], most: int) -> Sequence[str]:
    """At most so many of the texts, evenly spread.

    >>> spread("abcdefg", 3)
    ['a', 'c', 'e']
    """
    return texts if len(texts) <= most else [texts[number * len(texts) // most] for number in range(most)]


def quantize_to(folder: Path, model: FloatModel, recipe: Recipe, texts: Sequence[str] = ()) -> Checkpoint:
    """Quantizes a model after training, its activations calibrated on (some of the) texts given, and writes the checkpoint.

    Raises ModelError for another architecture, and where something is in the way or the folder cannot be written.
    """
    check_target(folder)
    texts = spread(texts, MOST_CALIBRATION_TEXTS)
    checkpoint, tokenizer = quantize_model(model, recipe, texts)
    made = f", calibrated on {counted(len(texts), 'text')} ({texts_sha256(texts)[:12]})" if texts else ""
    result = named(checkpoint, folder, model, made)
    write_checkpoint(result, tokenizer, folder)
    return result
