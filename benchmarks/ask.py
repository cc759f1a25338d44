"""Cold `python -m rag ask`: wall time of the whole command, and where it goes.

    python benchmarks/ask.py [--db .rag] [--runs 5] [--question "..."] [--busy 4]

With `--busy` the command and the encoding of the question alone are measured at rest and beside so many processes that
compute without end, in turn; the question with one thread of BLAS, as it is, and with BLAS's own number of threads.

Each run is a new process with the files in the page cache. The stages are measured inside such a process, in the order
in which the command passes them; `with torch` is the same question answered by the torch kernel, import included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from busy import busy_processes

STAGES = """
import json, sys, time
start = time.perf_counter()
stages = {}
def done(name):
    global start
    now = time.perf_counter()
    stages[name] = now - start
    start = now
if sys.argv[3] == "torch":
    import torch
    done("import torch")
import numpy, clickhouse_connect, chdb
done("import numpy, driver, chDB")
from rag.answer.answer import answer_question
from rag.encoder.encoder import load_encoder
from rag.int8.quantization import quantize_query
from sql.base.settings import read_settings
from sql.search.request import SearchRequest
from sql.store import Store
done("import our own modules")
store = Store.open(sys.argv[1])
done("open the store")
encoder = load_encoder(read_settings(), store.collection().encoder.model, few_texts=True)
encoder.kernel
done("load the int8 model")
vector = encoder.encode_query(sys.argv[2])
done("encode the question")
hits = store.snapshot().search(quantize_query(vector), SearchRequest(k=5))
done("SQL search")
answer_question(sys.argv[2], vector, hits, encoder)
done("choose sentences")
store.close()
print(json.dumps(stages))
"""


QUESTION = """
import json, statistics, sys, time
from contextlib import nullcontext
from rag.encoder import kernel_numpy
from rag.encoder.encoder import load_encoder
from sql.base.settings import read_settings
from sql.store import Store
with Store.open(sys.argv[1]) as store:
    encoder = load_encoder(read_settings(), store.collection().encoder.model, few_texts=True)
encoder.encode_query(sys.argv[2])
one, found = kernel_numpy.one_blas_thread, {"one thread": [], "all threads": []}
for _ in range(20):
    for name, limit in (("one thread", one), ("all threads", nullcontext)):
        kernel_numpy.one_blas_thread = limit
        started = time.perf_counter()
        encoder.encode_query(sys.argv[2])
        found[name].append(time.perf_counter() - started)
print(json.dumps({name: statistics.median(times) for name, times in found.items()}))
"""


def compare_busy(command: list[str], db: str, question: str, runs: int, others: int) -> None:
    """Prints the medians at rest and beside `others` processes, which follow each other round after round."""
    seconds: dict[tuple[str, int], list[float]] = {}
    for _ in range(runs):
        for count in (0, others):
            with busy_processes(count):
                started = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                seconds.setdefault(("the whole command", count), []).append(time.perf_counter() - started)
                found = json.loads(subprocess.check_output([sys.executable, "-c", QUESTION, db, question]))
            for name, median in found.items():
                seconds.setdefault((f"the question, {name}", count), []).append(median)
    for (name, count), times in sorted(seconds.items()):
        print(f"{name:28} beside {count} processes {1000 * statistics.median(times):7.0f} ms")


def main() -> None:
    """Prints the median of each stage over the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", default=".rag")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--question", default="How many bytes does one stored vector take?")
    parser.add_argument("--busy", type=int, metavar="N", help="compare with N other processes that compute")
    options = parser.parse_args()
    command = [sys.executable, "-m", "rag", "ask", options.question, "--db", options.db]
    if options.busy:
        compare_busy(command, options.db, options.question, options.runs, options.busy)
        return
    times = []
    for _ in range(options.runs + 1):  # the first run warms the page cache and is left out
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    print(f"python -m rag ask: median {statistics.median(times[1:]):.2f} s, fastest {min(times[1:]):.2f} s")
    for kernel in ("numpy", "torch"):
        runs = [
            json.loads(subprocess.check_output([sys.executable, "-c", STAGES, options.db, options.question, kernel]))
            for _ in range(options.runs)
        ]
        medians = {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
        print(f"\nwith the {kernel} kernel: {sum(medians.values()):.2f} s")
        for stage, seconds in medians.items():
            print(f"  {stage:28} {1000 * seconds:7.0f} ms")


if __name__ == "__main__":
    main()
