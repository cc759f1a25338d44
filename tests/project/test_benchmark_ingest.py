"""The benchmark of ingest runs to its end on a small folder: rates, and bytes on disk."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import TYPE_CHECKING

import pytest
from support import PROJECT

if TYPE_CHECKING:
    from pathlib import Path


BENCHMARKS = PROJECT / "benchmarks"


@pytest.mark.slow
def test_ingest_is_measured_beside_its_encoder_and_every_column_has_a_size(
    tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    spec = importlib.util.spec_from_file_location("benchmark_ingest", PROJECT / "benchmarks" / "ingest_rate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "kiln.md").write_text(
        "# Kiln\n\nThe kiln fires at 1,280 degrees.\n\n# Glaze\n\nIt is blue.\n"
    )
    monkeypatch.setattr(module, "LEAST_CHUNKS", 2)
    monkeypatch.setenv("RAG_CACHE", str(model_cache))
    monkeypatch.setattr(sys, "argv", ["ingest_rate.py", str(tmp_path / "notes"), "--busy"])
    module.main()
    shown = capsys.readouterr().out
    rate, alone = map(float, re.findall(r"([\d.]+) chunks/s, \d+% of the ([\d.]+) that", shown)[0])
    assert min(rate, alone) > 0
    assert "1 busy beside it" in shown
    sizes = [float(size) for size in re.findall(r"(?:codes|scale|zero_point|norm|error|int8|float32) ([\d.]+)", shown)]
    assert len(sizes) == 7
    assert min(sizes) > 0
    assert sizes[5] == pytest.approx(sum(sizes[:5]), abs=0.5)


@pytest.mark.parametrize("name", sorted(path.name for path in BENCHMARKS.glob("*.py")))
def test_a_benchmark_finds_the_package_ingest_and_not_the_benchmark_of_that_name(name: str) -> None:
    source = (BENCHMARKS / name).read_text(encoding="utf-8")
    imports = re.search(r"^(?:from|import) ingest\b", source, re.MULTILINE)
    assert imports is None or "sys.path" in source[: imports.start()]
