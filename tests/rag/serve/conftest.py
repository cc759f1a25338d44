"""A server that runs for the tests of a file: a small store, an encoder that hashes, a free port of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Running, serving
from support import hash_encoder

import ingest
from rag.library import Library
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer

TEXTS = {
    "cat.md": "# The cat\n\nThe cat sat on the mat.\n\n# The dog\n\nThe dog runs here.\n",
    "dog.txt": "The dog runs to the cat.\n",
    "one.txt": "One two three.\n",
}


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> Encoder:
    made, _ = hash_encoder(tokenizer)
    return made


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "docs"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def library(documents: Path, encoder: Encoder) -> Iterator[Library]:
    """A library for reading, over a store that is filled."""
    place = str(documents.parent / "store")
    with Library(Store.open(place, write=True), lambda: encoder) as writable:
        ingest.sync(writable, [documents])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag.answer.answer.DEFAULT_MIN_CONFIDENCE", 0.0)  # vectors that are hashes come close to nothing
        with Library(Store.open(place), lambda: encoder) as opened:
            yield opened


@pytest.fixture(scope="module")
def running(library: Library, documents: Path) -> Iterator[Running]:
    with serving(library, documents) as one:
        yield one


@pytest.fixture(scope="module")
def http(running: Running) -> Iterator[httpx2.Client]:
    with running.client() as client:
        yield client
