"""The examples in docstrings are what Python answers."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest
from support import PROJECT

MODULES = [
    ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    for path in sorted((PROJECT / "ingest").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_hold(name: str) -> None:
    tested = doctest.testmod(import_module(name))
    assert (tested.failed, tested.attempted > 0) == (0, True)


def test_there_are_examples() -> None:
    assert {"ingest.identity", "ingest.numerals", "ingest.places", "ingest.readers.html.lists"} <= set(MODULES)
