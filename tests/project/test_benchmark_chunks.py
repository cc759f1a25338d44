"""The benchmark of chunks: its measures of tokens, against values that can be counted by hand."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from support import PROJECT

from sql.records import Hit


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module benchmarks/chunks.py."""
    spec = importlib.util.spec_from_file_location("benchmark_chunks", PROJECT / "benchmarks" / "chunks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmark_chunks", module)
    spec.loader.exec_module(module)
    return module


def measured(chunks: Any, hits: list[Hit], **how: int) -> dict[str, float]:
    """The measures where of 20 tokens with two characters each the tokens 4 to 7 are relevant."""
    given = chunks.Set("twenty", [], [], {"a": np.arange(0, 40, 2)})
    return dict(chunks.token_measures(given, chunks.Question("?", ("x",), {"a": 1}, (("a", 8, 16),)), hits, **how))


def hit(start: int, end: int) -> Hit:
    return Hit("a", "", "", start, end, 1, 0, "x" * (end - start), UUID(int=0), 0, 0.0)


@pytest.mark.parametrize(
    ("hits", "recall", "precision", "iou"),
    [
        ([hit(8, 16)], 1, 1, 1),
        ([hit(0, 12)], 1 / 2, 2 / 6, 2 / 8),
        ([hit(20, 40)], 0, 0, 0),
        ([hit(0, 12), hit(8, 20)], 1, 4 / 12, 4 / 12),  # two tokens are read twice and relevant once
    ],
)
def test_recall_precision_and_iou_count_tokens(
    chunks: Any, hits: list[Hit], recall: float, precision: float, iou: float
) -> None:
    found = measured(chunks, hits)
    assert [found[name] for name in ("recall", "precision", "IoU")] == pytest.approx([recall, precision, iou])


@pytest.mark.parametrize(("first", "recall"), [(hit(20, 40), 0), (hit(20, 30), 1)])
def test_who_reads_nine_tokens_reads_no_further(chunks: Any, first: Hit, recall: float) -> None:
    assert measured(chunks, [first, hit(8, 16)], room=9)["@1000"] == recall
