"""What the engine had put out of a result before it failed is never taken for a part of the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import open_store

from sql.base.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

FAILS_IN_THE_MIDDLE = (
    "SELECT number FROM numbers(1000000) SETTINGS max_result_bytes = 1000000, result_overflow_mode = 'throw'"
)


def test_a_result_that_failed_in_the_middle_leaves_nothing_for_the_next_one(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        store.client.rows("SET max_threads = 1")
        for _ in range(20):
            with pytest.raises(StoreError, match="Limit for result exceeded"):
                store.client.text(FAILS_IN_THE_MIDDLE, "Native")
            assert store.client.text("SELECT 'the next'", "TSV") == b"the next\n"
        setting = "SELECT value FROM system.settings WHERE name = 'max_threads'"
        assert store.client.text(setting, "TSV") == b"1\n"
