#!/usr/bin/env bash
# threadpoolctl 3.8.0 with NumPy 2.4.6 (OpenBLAS on pthreads): two threads each compute inside `threadpool_limits(1)`, the
# first one leaves before the second. When both have left, BLAS has one thread for the rest of the process.
# Expected: as many as before, since every limit has ended: the documented use is a context manager that restores.
# Seen: 2 threads before, 1 after. The second block has noted the first one's limit as the number to bring back. Version 3.8
# lets only one thread set limits at a time, and the second one's block takes that over at its end.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile threadpoolctl==3.8.0 numpy==2.4.6
cd "$work"
OPENBLAS_NUM_THREADS=2 "$work/venv/bin/python" -I - <<'PYTHON'
import threading
from importlib.metadata import version

import numpy  # noqa: F401
from threadpoolctl import threadpool_info, threadpool_limits


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def first():
    with threadpool_limits(1, user_api="blas"):
        first_is_in.set()
        second_is_in.wait()
    first_has_left.set()


def second():
    first_is_in.wait()
    with threadpool_limits(1, user_api="blas"):
        second_is_in.set()
        first_has_left.wait()


print("threadpoolctl", version("threadpoolctl"), "numpy", version("numpy"))
first_is_in, second_is_in, first_has_left = threading.Event(), threading.Event(), threading.Event()
before = blas_threads()
both = [threading.Thread(target=work) for work in (first, second)]
for thread in both:
    thread.start()
for thread in both:
    thread.join()
after = blas_threads()
print("threads of BLAS before:", before, "after both blocks:", after)
assert before == [2]
assert after == [1]
with threadpool_limits(1, user_api="blas"):
    pass
print("after one more block:", blas_threads())
assert blas_threads() == [1]
PYTHON
