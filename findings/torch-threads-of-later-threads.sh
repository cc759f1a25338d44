#!/usr/bin/env bash
# torch 2.13.0: `torch.set_num_threads(1)` in one thread changes nothing for the main thread and for threads that have used
# torch before, and decides for every thread that uses torch for the first time later.
# Expected: a number for the whole process, as the documentation reads, or for the calling thread alone. So a worker that
# limits itself leaves its siblings with all threads and takes them from workers that are started after it.
# Seen: main 2, an older thread 2, a new thread 1. (A main thread that has set 2 and not used torch since has 1 as well.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile torch==2.13.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import threading

import torch


def in_a_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def older():
    seen.append(torch.get_num_threads())
    has_used_torch.set()
    number_is_set.wait()
    seen.append(torch.get_num_threads())


print("torch", torch.__version__)
torch.set_num_threads(2)
assert torch.get_num_threads() == 2
seen, has_used_torch, number_is_set = [], threading.Event(), threading.Event()
older_thread = threading.Thread(target=older)
older_thread.start()
has_used_torch.wait()
in_a_thread(lambda: torch.set_num_threads(1))
number_is_set.set()
older_thread.join()
found = {"main": torch.get_num_threads(), "older": seen, "new": in_a_thread(torch.get_num_threads)}
print("threads after another thread has set 1:", found)
assert found == {"main": 2, "older": [2, 2], "new": 1}
PYTHON
