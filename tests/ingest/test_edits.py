"""Random scripts of edits: after each step the store holds what a model in memory says, and what an empty one would."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from edits import WORDS, Edits
from library import Library
from support import QUANTIZER, hash_encoder

from rag.text.analyser import ANALYSER
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

STEPS, FEW_STEPS = 8, 4
EVERY_DAY, AT_LENGTH = range(1000, 1002), range(200)
FEW_DOCUMENTS = 3  # of a window in which files and store are compared: every second script meets many windows


@pytest.fixture
def library(tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Library]:
    (tmp_path / "docs").mkdir()
    location = str(tmp_path / "store")
    encoder, kernel = hash_encoder(tokenizer)
    with Store.open(location, write=True) as store:
        store.prepare(encoder.identity, QUANTIZER, ANALYSER)
        yield Library(tmp_path / "docs", location, tokenizer, store, kernel)


@pytest.fixture
def windows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small windows in every second script."""
    if seed % 2:
        monkeypatch.setattr("sql.store.windows.DOCUMENTS_PER_WINDOW", FEW_DOCUMENTS)


def run_script(library: Library, seed: int, steps: int) -> None:
    """Edits, syncs and compares, again and again."""
    choose = random.Random(seed)
    edits = Edits(library, choose)
    done: list[str] = []
    for step in range(steps):
        for _ in range(4 if step == 0 else choose.randint(1, 3)):
            done.append(edits.edit())
        edits.sync()
        stored, expected = edits.stored(), edits.expected()
        assert sorted(stored) == sorted(expected), done
        for source, document in expected.items():
            assert stored[source] == document, (source, done)
        word = choose.choice(WORDS)
        assert edits.found_by(word) == edits.holding(word), (word, done)
        assert library.store.snapshot().damaged_documents() == [], done


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("seed", EVERY_DAY)
@pytest.mark.everyday("[1000]")
def test_a_store_equals_the_model_after_each_edit(library: Library, seed: int) -> None:
    run_script(library, seed, FEW_STEPS)


@pytest.mark.slow
@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("seed", AT_LENGTH)
def test_a_store_equals_the_model_after_each_edit_of_two_hundred_scripts(library: Library, seed: int) -> None:
    run_script(library, seed, STEPS)
