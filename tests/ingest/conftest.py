"""A folder, a store, and an encoder whose work is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from library import Library
from support import QUANTIZER, hash_encoder

from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


@pytest.fixture
def library(tmp_path: Path, tokenizer: Tokenizer, location: str) -> Iterator[Library]:
    folder = tmp_path / "docs"
    folder.mkdir()
    encoder, kernel = hash_encoder(tokenizer)
    store = Store.open(location, write=True)
    opened = Library(folder, location, tokenizer, store, kernel)
    try:
        store.prepare(encoder.identity, QUANTIZER)
        yield opened
    finally:
        opened.store.close()
