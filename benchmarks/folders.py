"""Many small files: the seconds of a second run over unchanged ones, and the peak memory of a first run over few and many.

    python benchmarks/folders.py [--few N] [--many N] [--model M]  (default: 1,000 and 10,000 files of 40 words)

Each run is a process of its own, `python -m ingest`. A run over one unchanged file tells what starting up takes. The model is
a tiny one with the tokenizer of the default model, so that the files and the store are measured and not the encoder; give
another with --model. `peak MB` is the largest resident set of the process alone, with the code of libraries; `own MB` the most
that it and those that read files have had together in memory that is no file (RssAnon). Beside other work compare the
processor's seconds, which `user and system` are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from encoder import whole_number

from rag.encoder.checkpoint import Checkpoint, expected_shapes, write_checkpoint
from rag.encoder.encoder import load_encoder
from sql.base.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = 40  # of a file
FILES_IN_A_FOLDER = 100
SAMPLE = 0.2  # seconds
AGAIN = 3  # runs over unchanged files


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=whole_number, default=1_000, metavar="N", help="files (default: 1000)")
    parser.add_argument("--many", type=whole_number, default=10_000, metavar="N", help="files (default: 10000)")
    parser.add_argument("--model", metavar="M", help="encoder: a hub id or a folder (default: a tiny one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = options.model or str(write_tiny_model(Path(scratch) / "tiny"))
        found = {f"{files:,} files": measured(Path(scratch), files, model) for files in (1, options.few, options.many)}
    few, many = (found[f"{files:,} files"] for files in (options.few, options.many))
    start = found["1 files"]["again"]
    print(
        json.dumps(
            {
                **found,
                "second run over start-up, seconds": round(many["again"]["seconds"] - start["seconds"], 2),
                "the same, user and system": round(many["again"]["user and system"] - start["user and system"], 2),
                "peak memory, many to few": round(many["first"]["peak MB"] / few["first"]["peak MB"], 2),
                "own memory, many to few": round(many["first"]["own MB"] / few["first"]["own MB"], 2),
            },
            indent=2,
        )
    )


def write_tiny_model(folder: Path) -> Path:
    """A checkpoint of one layer with drawn weights, for the default model's tokenizer."""
    encoder = load_encoder(read_settings())
    tokenizer = encoder.tokenizer.library.to_str().encode()
    small: dict[str, Any] = {"layers": 1, "heads": 2, "dimensions": 8, "hidden_dimensions": 16}
    config = replace(
        encoder.config, model="tiny", float_model="", tokenizer_sha256=sha256(tokenizer).hexdigest(), **small
    )
    draw = np.random.default_rng(0)
    tensors: dict[str, Any] = {
        name: draw.integers(-127, 128, shape).astype(np.int8)
        if name.endswith(".codes")
        else draw.uniform(0.001, 0.01, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    write_checkpoint(Checkpoint(config, tensors), tokenizer, folder)
    return folder


def write_files(folder: Path, files: int) -> None:
    """So many notes, no two alike, in folders of a hundred."""
    draw = random.Random(files)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9))) for _ in range(5_000)]
    for number in range(files):
        path = folder / f"{number // FILES_IN_A_FOLDER:05}" / f"{number:07}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Note {number}\n\n{' '.join(draw.choices(words, k=WORDS))}.\n", encoding="utf-8")


def measured(scratch: Path, files: int, model: str) -> dict[str, dict[str, float]]:
    """A first run, and the fastest of some over the same files."""
    folder = scratch / f"{files}"
    write_files(folder, files)
    command = [sys.executable, "-m", "ingest", str(folder), "--db", str(scratch / f"store-{files}"), "--model", model]
    first = run(command)
    again = min((run(command) for _ in range(AGAIN)), key=lambda one: one["seconds"])
    return {"first": first, "again": again}


def run(command: list[str]) -> dict[str, float]:
    """Seconds of the clock and of the processor, the largest resident set, and the own memory, of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    own: list[float] = [0.0]
    watch = Thread(target=sample_memory, args=(process.pid, own), daemon=True)
    watch.start()
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    watch.join()
    if status:
        raise SystemExit(errors)
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "user and system": round(usage.ru_utime + usage.ru_stime, 2),
        "peak MB": round(usage.ru_maxrss / 1000, 1),  # kilobytes on Linux
        "own MB": round(max(own), 1),
    }


def sample_memory(process: int, own: list[float]) -> None:
    """Appends what a process and those below it have in memory that is no file, in MB, until it has ended."""
    while (first := own_megabytes(process)) is not None:
        own.append(first + sum(own_megabytes(other) or 0.0 for other in below(process)))
        time.sleep(SAMPLE)


def own_megabytes(process: int) -> float | None:
    """What a process has in memory that is no file; None where it has ended, though nobody may have waited for it."""
    try:
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    except OSError:
        return None
    return None if found is None else int(found[1]) / 1000


def below(process: int) -> Iterator[int]:
    """The processes that a process has started."""
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, children.read_text(encoding="ascii").split())


if __name__ == "__main__":
    main()
