#!/usr/bin/env bash
# polars 2.1.0: what goes across columns is added up in the type of the columns. Of Int8 columns `mean_horizontal` gives, as a
# Float64, a mean that lies outside of the numbers, `sum_horizontal` wraps, and `dot` wraps and puts the result into an Int64.
# Expected: as down a column, where `sum` of Int8 is an Int64 and `mean` is right; so are `list.sum` and `arr.sum`.
# Seen: the mean of 100 and 100 is -28, and [100, 100, 100] times itself is 48 and not 30000. Issue 21515 of polars is of
# `sum_horizontal`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile polars==2.1.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import polars as pl

print("polars", version("polars"))
codes = pl.DataFrame({"a": [100, 100, 100], "b": [100, 100, 100]}, schema={"a": pl.Int8, "b": pl.Int8})
seen = codes.select(
    mean_across=pl.mean_horizontal("a", "b").first(),
    sum_across=pl.sum_horizontal("a", "b").first(),
    dot=pl.col("a").dot("b"),
    mean_down=pl.col("a").mean(),
    sum_down=pl.col("a").sum(),
    list_sum=pl.concat_list("a", "b").list.sum().first(),
)
print(seen.schema)
print(seen.row(0, named=True))
assert seen.row(0) == (-28.0, -56, 48, 100.0, 300, 200)
assert seen.schema["mean_across"] == pl.Float64 and seen.schema["dot"] == pl.Int64
PYTHON
