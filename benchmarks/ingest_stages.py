"""Where the processor time of an ingest goes outside its encoder: the reading process by stage, and what is beside it.

    python benchmarks/ingest_stages.py [FOLDER] [--characters N]

Without a FOLDER the files are those of benchmarks/ingest.py. The first lines are an ingest into a new store: the encoder's
forward passes, the process that reads files, and the rest, which is the engine, the tokenizer, and Python in the parent. The
others are what the reading process does, done here without its box: to start, to read a format for the first time, which
imports libraries, to read, to cut into chunks, to take words apart, and to write down what it answers. All are seconds of
processors, so that other work on the machine changes them less than it changes the clock; with OMP_NUM_THREADS=1 least.
"""

from __future__ import annotations

import sys

# This file is called beside one that is named as a package of ours, which has to be found first.
sys.path.append(sys.path.pop(0))

import argparse
import os
import resource
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from encoder import whole_number
from ingest_files import write_files

from ingest.box.messages import encode_document
from ingest.chunk import split_document
from ingest.cutting import fitting
from ingest.readers import documents_of, opened_file
from ingest.synchronize import prepare, sync_walk
from ingest.walk import walk
from rag.library import Library
from rag.text.analyser import beginning, chunk_words, told_language
from rag.text.tokenizer import Tokenizer
from sql.records.chunking import ChunkSettings
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.encoder.encoder import Encoder

CHARACTERS = 400_000
Result = TypeVar("Result")


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="files to ingest (default: made ones)")
    parser.add_argument(
        "--characters", type=whole_number, default=CHARACTERS, metavar="N", help="in made files (default %(default)s)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "files"
        if options.folder is None:
            write_files(folder, options.characters)
        with Store.open(f"{scratch}/store", write=True) as store:
            library = Library(store)
            encoder = prepare(library)
            encoder.encode_documents(["warm up"] * 64)
            show(f"an ingest of {folder}", ingest_stages(library, encoder, folder))
            show("the reading process", reading_stages(encoder, folder))


def ingest_stages(library: Library, encoder: Encoder, folder: Path) -> Counter[str]:
    """Seconds of one ingest by who has used them."""
    spent: Counter[str] = Counter()
    forward = encoder.kernel.forward

    def timed_forward(*arguments: Any) -> Any:
        return timed(spent, "the encoder's forward passes", lambda: forward(*arguments))

    encoder.kernel.forward = timed_forward  # type: ignore[method-assign]
    try:
        before = os.times()
        sync_walk(library, walk([str(folder)]))
        after = os.times()
    finally:
        encoder.kernel.forward = forward  # type: ignore[method-assign]
    own, others = (sum(after[kind : kind + 2]) - sum(before[kind : kind + 2]) for kind in (0, 2))
    spent["the rest of this process"] = own - spent.total()
    spent["the reading process"] = others
    return spent


def reading_stages(encoder: Encoder, folder: Path) -> Counter[str]:
    """Seconds of what a reading process does with the same files."""
    spent: Counter[str] = Counter({"to start Python with our modules": start_seconds()})
    content = encoder.tokenizer.library.to_str().encode()
    tokenizer = timed(
        spent, "to make the tokenizer", lambda: Tokenizer.from_bytes(content, encoder.tokenizer.max_tokens)
    )
    size, overlap = fitting(ChunkSettings(), encoder)
    known: set[str] = set()
    for found in walk([str(folder)]).files:
        raw, reader = opened_file(found.path, found.source, found.root)
        stage = f"to read {reader.title}" + ("" if reader.title in known else ", the first file")
        known.add(reader.title)
        for document in timed(spent, stage, lambda: list(documents_of(raw, reader))):  # noqa: B023 - called at once
            chunks = timed(
                spent,
                "to cut into chunks",
                lambda: split_document(document, tokenizer, size, overlap),  # noqa: B023
            )
            texts = [chunk.text for chunk in chunks]
            language = timed(spent, "to tell the language", lambda: told_language(beginning(texts), "auto"))  # noqa: B023
            words = timed(
                spent,
                "to take words apart",
                lambda: [chunk_words(text, language or "") for text in texts],  # noqa: B023
            )
            timed(spent, "to write answers down", lambda: encode_document(document, chunks, words))  # noqa: B023
    return spent


def start_seconds() -> float:
    """What a Python takes that imports what a reading process begins with."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = f"import gc, sys; gc.disable(); sys.path[:] = {sys.path!r}; import ingest.box.worker, rag.text.tokenizer"
    subprocess.run([sys.executable, "-I", "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def timed(spent: Counter[str], stage: str, work: Callable[[], Result]) -> Result:
    """Does some work; the seconds that the thread computes are added to its stage."""
    started = time.thread_time()
    try:
        return work()
    finally:
        spent[stage] += time.thread_time() - started  # type: ignore[assignment]


def show(title: str, spent: Counter[str]) -> None:
    """Stages with their seconds, the longest first."""
    print(f"{title}: {spent.total():.2f} s of processors")
    for stage, seconds in spent.most_common():
        print(f"  {seconds:7.3f}  {stage}")


if __name__ == "__main__":
    main()
