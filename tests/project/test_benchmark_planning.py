"""The benchmark of other forms of the statements: it finds what it replaces, and each form returns the same rows."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest
from support import PROJECT


@pytest.fixture
def planning(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module benchmarks/planning.py."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    spec = importlib.util.spec_from_file_location("benchmark_planning", PROJECT / "benchmarks" / "planning.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_form_is_one_of_some_statement(planning: Any) -> None:
    forms = {form for name in planning.STATEMENTS for form in planning.forms_of(name)}
    assert forms == {"as it stands", "again", *planning.OTHERWISE}


@pytest.mark.slow
def test_every_form_of_every_statement_is_measured(
    planning: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["planning.py", "--chunks", "200", "--rounds", "2", "--embedded"])
    planning.main()  # stops where a form returns other rows
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| search_exact |")]
    assert [row[1] for row in rows] == list(planning.forms_of("search_exact"))
    assert all(len(row) == 9 for row in rows)
    assert {row[1] for row in rows if "late columns" in row[-1]} == {"chunks view"}
