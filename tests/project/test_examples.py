"""The examples in docstrings say what happens: every one of them is run."""

from __future__ import annotations

import doctest
import importlib

import pytest
from support import PROJECT

WITH_EXAMPLES = [
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("sql", "rag", "ingest")
    for path in sorted((PROJECT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_in_docstrings_say_what_happens(module: str) -> None:
    tested = doctest.testmod(importlib.import_module(module))
    assert tested.failed == 0
    assert tested.attempted > 0
