"""benchmarks/serve.py: what it says where there is nothing to measure."""

from __future__ import annotations

import pytest
from support import PROJECT, run_python


@pytest.mark.parametrize(
    ("option", "given", "least"),
    [
        ("--overhead", "3", "4 or more, or 0 to leave it out"),
        ("--requests", "5", "6 or more, or 0 to leave it out"),
        ("--sustained", "5", "6 or more, or 0 to leave it out"),
        ("--memory", "-1", "10 or more, or 0 to leave it out"),
        ("--clients", "0", "1 or more"),
    ],
)
def test_too_little_to_measure_is_told_in_a_sentence(option: str, given: str, least: str) -> None:
    ended = run_python(str(PROJECT / "benchmarks" / "serve.py"), option, given)
    assert ended.returncode == 2
    said = f"error: {option} {given}: that is too little to measure, give {least}"
    assert ended.stderr.splitlines()[-1] == f"serve.py: {said}"
