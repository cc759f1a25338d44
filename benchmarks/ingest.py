"""Ingest end to end beside its own encoder and beside other programs on the same folder: at rest and beside a busy process.

    python benchmarks/ingest.py [FOLDER] [--characters N] [--rounds N] [--busy N] [--peers PYTHON] [--json]

Without a FOLDER the files are Markdown, HTML, PDF and DOCX made of the docstrings of Python's standard library, the same on
every run (benchmarks/ingest_files.py). Each round ingests them into a new store, with the model loaded and warm; then the
encoder alone is given the same texts, chunks with the headings above them as the ingest has embedded them, and the ratio of
the two rates is the first figure: how busy the rest keeps it. The processor time of both is the second: what the rest costs
where all processors are taken. Tokens are those that the encoder reads.

--peers names the Python of an environment in which peers are installed, apart from this one's (pip install
langchain-huggingface langchain-community langchain-text-splitters sentence-transformers docx2txt beautifulsoup4 lxml pypdf txtai
chromadb onnx). They run in the same rounds, each in its turn: see benchmarks/ingest_peers.py. Each cuts the files as its
documentation shows it, so they embed other texts than we do, of about as many characters, which are shown. Medians are shown.

Where other work takes the processors, compare processor times, with OMP_NUM_THREADS=1: threads that wait for each other spin.
"""

from __future__ import annotations

import sys

# This file is called as a package of ours is, which has to be found first.
sys.path.append(sys.path.pop(0))

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from busy import busy_processes
from encoder import whole_number
from ingest_files import write_files
from ingest_peers import PEERS

from ingest.synchronize import prepare, sync_walk
from ingest.walk import walk
from rag.encoder.weights import float_model
from rag.index.surroundings import embedded_text
from rag.library import Library
from sql.base.settings import DEFAULT_MODEL
from sql.store import Store

if TYPE_CHECKING:
    from rag.encoder.encoder import Encoder

CHARACTERS = 400_000


@dataclass
class Figures:
    """What the rounds of one state gave; lists hold one number a round."""

    busy: int
    chunks: int = 0
    tokens: int = 0
    characters: int = 0
    seconds: list[float] = field(default_factory=list)
    encoder_seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    encoder_processor_seconds: list[float] = field(default_factory=list)
    peers: dict[str, list[float]] = field(default_factory=dict)  # seconds
    peer_processor_seconds: dict[str, list[float]] = field(default_factory=dict)
    peer_characters: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def of_the_encoder(self) -> float:
        """Tokens a second of the ingest by those of the encoder alone: the median of the rounds."""
        return median(alone / whole for alone, whole in zip(self.encoder_seconds, self.seconds, strict=True))

    @property
    def of_the_work(self) -> float:
        """The same by processor time."""
        pairs = zip(self.encoder_processor_seconds, self.processor_seconds, strict=True)
        return median(alone / whole for alone, whole in pairs)


def main() -> None:
    """Prints a table, or JSON."""
    options = make_parser().parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "files"
        if options.folder is None:
            write_files(folder, options.characters)
        found = [Figures(busy) for busy in sorted({0, options.busy})]
        for _ in range(options.rounds):
            for figures in found:
                with busy_processes(figures.busy):
                    measure_ours(folder, Path(scratch), figures)
                    if options.peers:
                        measure_peers(options.peers, folder, figures)
    show(found, as_json=options.json)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="files to ingest (default: made ones)")
    parser.add_argument(
        "--characters",
        type=whole_number,
        default=CHARACTERS,
        metavar="N",
        help="of text in the files that are made (default %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=whole_number, default=3, metavar="N", help="rounds to run (default %(default)s)"
    )
    parser.add_argument(
        "--busy", type=processes, default=1, metavar="N", help="busy processes beside it (default %(default)s; 0: none)"
    )
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter of an environment that has the peers")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def processes(text: str) -> int:
    """A number of processes, or none."""
    return 0 if text == "0" else whole_number(text)


def measure_ours(folder: Path, scratch: Path, figures: Figures) -> None:
    """One ingest into a new store, and the encoder alone on its chunks."""
    with tempfile.TemporaryDirectory(dir=scratch) as place, Store.open(f"{place}/store", write=True) as store:
        library = Library(store)
        encoder = prepare(library)
        encoder.encode_documents(["warm up"] * 64)
        seconds, work = timed(lambda: sync_walk(library, walk([str(folder)])))
        figures.seconds.append(seconds)
        figures.processor_seconds.append(work)
        texts = embedded_texts(library)
        measure_encoder(encoder, texts, figures)
        figures.chunks, figures.characters = len(texts), sum(map(len, texts))
        figures.tokens = sum(encoder.tokenizer.counts(texts))


def embedded_texts(library: Library) -> list[str]:
    """What the encoder was given of each chunk of a store."""
    snapshot, encoder = library.store.snapshot(), library.document_encoder()
    documents = {document.document_id: document for document in snapshot.documents()}
    hits = snapshot.with_outlines(snapshot.document_chunks(list(documents)))
    return [embedded_text(hit, documents[hit.document_id], encoder) for hit in hits]


def measure_encoder(encoder: Encoder, texts: list[str], figures: Figures) -> None:
    """The texts given to the encoder at once; one that comes twice is encoded once, as in an ingest."""
    seconds, work = timed(lambda: encoder.encode_documents(list(dict.fromkeys(texts))))
    figures.encoder_seconds.append(seconds)
    figures.encoder_processor_seconds.append(work)


def timed(work: Any) -> tuple[float, float]:
    """Seconds by the clock, and those of processors, of processes that have ended meanwhile too."""
    started, used = time.perf_counter(), sum(os.times()[:4])
    work()
    return time.perf_counter() - started, sum(os.times()[:4]) - used


def measure_peers(python: str, folder: Path, figures: Figures) -> None:
    """Every peer once, each in a process of its own."""
    with float_model(DEFAULT_MODEL) as weights:
        for name in PEERS:
            script = str(Path(__file__).with_name("ingest_peers.py"))
            finished = subprocess.run(
                [python, script, name, str(weights.folder), str(folder)], capture_output=True, text=True, check=False
            )
            if finished.returncode:
                figures.left_out[name] = (finished.stderr.strip().splitlines() or ["it says nothing"])[-1]
            else:
                done = json.loads(finished.stdout.splitlines()[-1])
                label = f"{name} {done['version']}"
                figures.peers.setdefault(label, []).append(done["seconds"])
                figures.peer_processor_seconds.setdefault(label, []).append(done["processor_seconds"])
                figures.peer_characters[label] = done["characters"]


def show(found: list[Figures], *, as_json: bool) -> None:
    """The figures as a table, or as JSON."""
    if as_json:
        ratios = ({"of_the_encoder": one.of_the_encoder, "of_the_work": one.of_the_work} for one in found)
        print(json.dumps([asdict(one) | ratio for one, ratio in zip(found, ratios, strict=True)]))
        return
    for one in found:
        seconds = median(one.seconds)
        print(f"{one.busy} busy beside it: {one.chunks} chunks, {one.tokens} tokens in {seconds:.1f} s")
        print(
            f"  {one.tokens / seconds:.0f} tokens/s, {one.of_the_encoder:.0%} of the encoder's own "
            f"({one.tokens / median(one.encoder_seconds):.0f}); by processor time {one.of_the_work:.0%}"
        )
        for name, taken in one.peers.items():
            more = one.peer_characters[name] / one.characters
            work = median(one.peer_processor_seconds[name]) / median(one.processor_seconds)
            print(
                f"  {name}: {median(taken):.1f} s, {median(taken) / seconds:.1f} times as long, {work:.1f} times as much "
                f"processor time, for {more:.2f} times as many characters"
            )
        for name, reason in one.left_out.items():
            print(f"  {name} left out: {reason}")


if __name__ == "__main__":
    main()
