"""Text in, the encoder's tokens out: counted for the chunker, as ids for the encoder.

The one door to the `tokenizers` library. It reads a `tokenizer.json` alone, so neither torch nor transformers is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Tokenizer:
    """A fast tokenizer without truncation or padding; `max_tokens` counts the special tokens too."""

    library: Any
    max_tokens: int

    @classmethod
    def from_file(cls, path: Path, max_tokens: int) -> Tokenizer:
        """The tokenizer of `tokenizer.json`; ModelError where the file is missing or is not one."""
        try:
            return cls.from_bytes(path.read_bytes(), max_tokens)
        except (OSError, ModelError) as error:
            raise ModelError(f"{path} is not a tokenizer.json that can be used: {error}") from error

    @classmethod
    def from_bytes(cls, content: bytes, max_tokens: int) -> Tokenizer:
        """The tokenizer in the content of a `tokenizer.json`; ModelError where it is none."""
        from tokenizers import Tokenizer as LibraryTokenizer

        try:
            library = LibraryTokenizer.from_buffer(content)
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"the tokenizers library cannot read it: {error}") from error
        library.no_truncation()
        library.no_padding()
        return cls(library, max_tokens)

    @cached_property
    def special_tokens(self) -> int:
        """How many tokens are added to every text ([CLS] and [SEP] for BERT)."""
        return int(self.library.num_special_tokens_to_add(False))

    @property
    def max_text_tokens(self) -> int:
        """The longest text, in tokens, that the encoder reads whole."""
        return self.max_tokens - self.special_tokens

    def spans(self, text: str) -> NDArray[np.int64]:
        """Start and end, in code points, of each token of `text` without the special ones; int64, shape (n, 2)."""
        offsets = self.library.encode(text, add_special_tokens=False).offsets
        return np.array(offsets, dtype=np.int64).reshape(-1, 2)

    def count(self, text: str) -> int:
        """Number of tokens of `text` without the special ones."""
        return len(self.library.encode(text, add_special_tokens=False))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with the special tokens; never cut."""
        return [encoding.ids for encoding in self.library.encode_batch(list(texts), add_special_tokens=True)]
