"""What a store remembers of the encoder whose vectors it holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """Everything about an encoder that decides whether two of its vectors may be compared.

    `prompts` is a JSON object of `query` and `document`, what is put before questions and before documents; empty where that
    is what the model itself says.
    """

    model: str
    model_revision: str
    model_sha256: str
    tokenizer_sha256: str
    weights: str
    pooling: str
    dimensions: int
    max_tokens: int
    prompts: str = ""
