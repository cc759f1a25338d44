"""The int8 encoder beside its peers, in one run: tokens a second, one query, and cosine to float32.

    python benchmarks/encoder.py [--corpus FILE.jsonl] [--only NAMES] [--cap avx512_vnni|avx2] [--json]
    python benchmarks/encoder.py --busy [N] [--corpus FILE.jsonl] [--only NAMES] [--json]

Texts are passages of about 180 tokens (140 to 220), cut from the texts of a corpus in BEIR layout, else from docs/. Every
round runs all competitors in turn and the fastest round of each counts, so that a busy moment of the machine hits all
alike. Peers choose the size of their batches in a trial first; sentence-transformers keeps its default. The peers are
installed by `pip install int8-rag[benchmarks]`; one that is missing is skipped with a sentence.

--cap hides newer instructions of the CPU from oneDNN, MKL, FBGEMM and torch at once; other engines know no such cap, so that a
capped run compares what torch runs alone.

--busy measures at rest and beside N processes that compute without end, medians of the rounds: sentence-transformers, the
encoder, the same with batches that all threads share, and ONNX Runtime, or those of --only. To see it under a CPU quota,
run the benchmark in a container that has one (`docker run --cpus 1.5`): its children are in it too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from peers import Competitor, Encode, Forward

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer

LENGTHS = (180, 140, 220, 160, 200, 150, 210, 170, 190)  # tokens of a passage, [CLS] and [SEP] included; mean 180
QUERY_TOKENS = 16
CAPS = {
    "avx512_vnni": {
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI",
        "MKL_ENABLE_INSTRUCTIONS": "AVX512",
        "ATEN_CPU_CAPABILITY": "avx512",
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX512_E1",  # with VNNI; the engine of quantize_dynamic x86 is FBGEMM
    },
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
    },
}
BUSY_NAMES = "int8-rag, onnx"  # what --busy measures beside float32, unless --only says otherwise
LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnxruntime", "openvino")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one competitor; cosines are to the first one's vectors."""

    name: str
    note: str
    tokens_per_second: float
    ratio: float
    query_ms: float
    cosine_mean: float
    cosine_min: float


def main() -> None:
    """Prints a table, or JSON: one row a competitor."""
    options = make_parser().parse_args()
    cap_instructions(options.cap)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    from rag.encoder.encoder import load_encoder
    from sql.base.settings import read_settings

    ours = load_encoder(read_settings())
    texts = passages(read_texts(options.corpus), ours.tokenizer, options.texts)
    competitors = list(chosen(ours, texts, options))
    tokens = [len(ids) for ids in ours.tokenizer.encode(texts)]
    description = describe(texts, sum(tokens), options)
    if options.busy:
        from busy import busy_record, measure_busy, show_busy

        alone = texts[int(np.argmax(tokens))]
        busy_rows = measure_busy(competitors, texts, alone, sum(tokens), options.rounds, options.busy)
        report(options, description, [busy_record(row) for row in busy_rows], lambda: show_busy(busy_rows))
    else:
        rows = measure(competitors, texts, query_text(texts[0], ours.tokenizer), sum(tokens), options.rounds)
        report(options, description, [as_record(row) for row in rows], lambda: show(rows))


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, metavar="FILE", help="corpus.jsonl to take the texts from")
    parser.add_argument("--texts", type=int, default=64, metavar="N", help="passages to encode (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds to run (default %(default)s)")
    parser.add_argument(
        "--only", metavar="NAMES", help="competitors to run: parts of their names, between commas; float32 always runs"
    )
    parser.add_argument(
        "--busy",
        type=whole_number,
        nargs="?",
        const=1,
        metavar="N",
        help="measure at rest and beside N busy processes (without a number: 1)",
    )
    parser.add_argument("--cap", choices=CAPS, help="the newest instructions that may be used; runs torch alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def whole_number(text: str) -> int:
    """A number of processes, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes: give 1 or more")
    return int(text)


def cap_instructions(cap: str | None) -> None:
    """Starts this program again with the variables of a cap: libraries read them once, when they are loaded."""
    if cap is not None and any(os.environ.get(name) != value for name, value in CAPS[cap].items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | CAPS[cap])  # noqa: S606


# Texts


def read_texts(corpus: Path | None) -> list[str]:
    """The texts of a corpus, or the pages of docs/."""
    if corpus is None:
        folder = Path(__file__).parent.parent / "docs"
        return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))]
    return [json.loads(line)["text"] for line in corpus.read_text(encoding="utf-8").splitlines() if line.strip()]


def passages(texts: Sequence[str], tokenizer: Tokenizer, count: int) -> list[str]:
    """`count` passages of LENGTHS tokens in turn, cut from the texts laid end to end; begins again at their end."""
    whole = "\n".join(texts)
    spans = tokenizer.spans(whole)
    found: list[str] = []
    first = 0
    while len(found) < count:
        length = LENGTHS[len(found) % len(LENGTHS)] - tokenizer.special_tokens
        if first + length > len(spans):
            if not found:
                raise SystemExit(f"the corpus has {len(spans)} tokens: at least {length} are needed for one passage")
            first = 0
        found.append(whole[spans[first][0] : spans[first + length - 1][1]])
        first += length
    return found


def query_text(text: str, tokenizer: Tokenizer) -> str:
    """The beginning of a text, QUERY_TOKENS tokens long with the special ones."""
    spans = tokenizer.spans(text)[: QUERY_TOKENS - tokenizer.special_tokens]
    return text[spans[0][0] : spans[-1][1]]


# Competitors


def chosen(ours: Encoder, texts: Sequence[str], options: argparse.Namespace) -> Iterator[Competitor]:
    """Float32 first, to compare with; then our own forms, then the peers that are wanted and installed."""
    from peers import PEERS, sentence_transformers_float32

    from rag.encoder.weights import float_model
    from sql.base.settings import read_settings

    names = options.only or (BUSY_NAMES if options.busy else "")
    wanted = [part.strip().lower() for part in names.split(",") if part.strip()]
    with float_model(ours.config.model, offline=read_settings().offline) as weights:
        yield sentence_transformers_float32(weights, ours.config, ours.tokenizer)
        for form in ways(ours, texts) if options.busy else forms():
            if not wanted or any(part in form.name.lower() for part in wanted):
                yield form
        for peer in PEERS:
            if wanted and not any(part in peer.name.lower() for part in wanted):
                continue
            if options.cap and peer.packages:
                continue
            if peer.missing:
                print(f"{peer.name} is skipped: {', '.join(peer.missing)} not installed", file=sys.stderr)
                continue
            yield with_best_batch(peer.name, peer.make(weights, ours.config), ours.tokenizer, texts)


def forms() -> Iterator[Competitor]:
    """Our own ways to run the int8 checkpoint."""
    from peers import Competitor

    from rag.compute.plan import MODES
    from rag.encoder.encoder import load_encoder
    from sql.base.settings import read_settings

    for mode in MODES:
        if mode != "auto":
            encoder = load_encoder(read_settings(), compute=mode)
            yield Competitor(f"int8-rag {mode}", encoder.encode, encoder.kernel.name)


def ways(ours: Encoder, texts: Sequence[str]) -> Iterator[Competitor]:
    """Two ways to use the threads: batches side by side, one for each thread, and batches that all threads share."""
    from peers import Competitor

    def shared(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        return ours.kernel.forward(ids, mask.sum(axis=1))

    yield Competitor("int8-rag", ours.encode, ours.kernel.name)
    yield with_best_batch("int8-rag, shared batches", shared, ours.tokenizer, texts)


def with_best_batch(name: str, forward: Forward, tokenizer: Tokenizer, texts: Sequence[str]) -> Competitor:
    """A peer with the size of batches that a short trial finds fastest."""
    from peers import BATCHES, Batched

    ways = [Batched(name, forward, tokenizer, batch) for batch in BATCHES]
    trial = texts[: max(BATCHES)]
    for way in ways:
        way.encode(trial)
    return min(ways, key=lambda way: min(seconds(way.encode, trial) for _ in range(2))).competitor()


# Measuring


def measure(
    competitors: Sequence[Competitor], texts: Sequence[str], query: str, tokens: int, rounds: int
) -> list[Figures]:
    """The figures of all competitors, in their order; each one's fastest round counts."""
    vectors = [competitor.encode(texts) for competitor in competitors]
    fastest, shortest = ([float("inf")] * len(competitors) for _ in range(2))
    for _ in range(rounds):
        for number, competitor in enumerate(competitors):
            fastest[number] = min(fastest[number], seconds(competitor.encode, texts))
            shortest[number] = min(shortest[number], *(seconds(competitor.encode, [query]) for _ in range(20)))
    rows = []
    for number, competitor in enumerate(competitors):
        cosine = cosines(vectors[number], vectors[0])
        rows.append(
            Figures(
                competitor.name,
                competitor.note,
                tokens / fastest[number],
                fastest[0] / fastest[number],
                1000 * shortest[number],
                float(cosine.mean()),
                float(cosine.min()),
            )
        )
    return rows


def cosines(vectors: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosines between rows, float64 (texts,)."""
    one, other = vectors.astype(np.float64), reference.astype(np.float64)
    return np.asarray((one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1))


def seconds(encode: Encode, texts: Sequence[str]) -> float:
    """Wall time of encoding the texts once, tokens included."""
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


# Showing


def describe(texts: Sequence[str], tokens: int, options: argparse.Namespace) -> dict[str, Any]:
    """What was run, and on what."""
    import torch

    from rag.compute.processors import usable_processors

    return {
        "texts": len(texts),
        "tokens": tokens,
        "tokens_per_text": round(tokens / len(texts), 1),
        "query_tokens": QUERY_TOKENS,
        "rounds": options.rounds,
        "cap": options.cap,
        "busy_processes": options.busy or 0,
        "usable_processors": usable_processors(),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": {name: installed(name) for name in LIBRARIES},
    }


def installed(library: str) -> str | None:
    """A library's version, None where it is not installed."""
    try:
        return version(library)
    except ImportError:
        return None


def as_record(row: Figures) -> dict[str, Any]:
    """A row as JSON."""
    return {name: getattr(row, name) for name in Figures.__slots__}


def report(
    options: argparse.Namespace,
    description: dict[str, Any],
    records: list[dict[str, Any]],
    show_rows: Callable[[], None],
) -> None:
    """Prints what was run and its figures, as JSON or as a table."""
    if options.json:
        print(json.dumps({"run": description, "competitors": records}))
        return
    counted = (
        f"median of {options.rounds} rounds, {options.busy} busy"
        if options.busy
        else f"best of {options.rounds} rounds"
    )
    print(
        f"{description['texts']} passages of {description['tokens_per_text']} tokens on average, "
        f"{description['threads']} threads, {description['cpu_capability']}, cap {description['cap']}, {counted}"
    )
    print(", ".join(f"{name} {number}" for name, number in description["versions"].items() if number))
    show_rows()


def show(rows: Sequence[Figures]) -> None:
    """The figures as a table."""
    print(f"{'':31}{'tokens/s':>9}{'times':>7}{'query ms':>10}{'cos mean':>10}{'cos min':>9}")
    for row in rows:
        print(
            f"{row.name:31}{row.tokens_per_second:9.0f}{row.ratio:7.2f}{row.query_ms:10.2f}"
            f"{row.cosine_mean:10.5f}{row.cosine_min:9.5f}  {row.note}"
        )


if __name__ == "__main__":
    main()
