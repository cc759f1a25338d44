"""What each granularity, range and width of vector codes costs: nDCG@10 kept of the same vectors in float32.

    python benchmarks/vector_quantization.py DIR [DIR ...] [--bits 8 4] [--sample 2048]

DIR is a folder in BEIR layout. Its documents are cut and encoded once by the default int8 model; then the vectors are
quantized in each way, restored, and compared with every query. Ranges of dimensions and collections are fitted on the
first vectors, as `python -m ingest` does. Beside nDCG@10: the mean cosine of vectors before and after, and the share of
numbers that were clipped.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

import numpy as np

from ingest.corpus import corpus_document
from ingest.synchronize import split
from rag.encoder.encoder import load_encoder
from rag.evaluate.beir import read_corpus, read_judgements, read_queries
from rag.evaluate.evaluation import best_documents
from rag.evaluate.metrics import mean_measures
from rag.index.vector_coder import CALIBRATION_VECTORS
from rag.int8.quantization import AXES, RANGES, choose_parameters, dequantize, quantize, quantize_query, scheme_of_bits
from sql.base.settings import GRANULARITIES, RANGE_METHODS, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rag.int8.quantization import Scheme


@dataclass(frozen=True)
class Corpus:
    """An encoded set: vectors of its chunks and queries, whose document each chunk is of, and the judgements."""

    vectors: NDArray[np.float32]
    names: NDArray[np.str_]
    owners: NDArray[np.int64]
    queries: Mapping[str, NDArray[np.float32]]
    qrels: Mapping[str, Mapping[str, int]]

    def ndcg(self, vectors: NDArray[np.float32]) -> float:
        """nDCG@10 with these vectors in the place of the chunks' own; the queries have their codes of 12 bits."""
        rankings = {}
        for name, query in self.queries.items():
            coded = quantize_query(query)
            restored = (coded.codes * coded.scale).astype(np.float32)
            rankings[name] = best_documents(vectors @ restored, self.names, self.owners)
        return mean_measures(rankings, self.qrels)["ndcg@10"]


def main() -> None:
    """Prints a table for each folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 4], help="widths of codes (default 8 4)")
    parser.add_argument(
        "--sample", type=int, default=CALIBRATION_VECTORS, help="vectors to fit on (default %(default)s)"
    )
    options = parser.parse_args()
    for folder in options.folders:
        corpus = encode_corpus(folder)
        fitted = min(options.sample, len(corpus.vectors))
        full = corpus.ndcg(corpus.vectors)
        print(
            f"\n{folder.name}: {len(corpus.vectors)} chunks, ranges fitted on {fitted}, nDCG@10 in float32 {full:.4f}\n"
        )
        print(
            "| bits | scheme | granularity | range | nDCG@10 kept | cosine | clipped |\n|---|---|---|---|---|---|---|"
        )
        for bits in options.bits:
            for symmetric in (False, True):
                for granularity in GRANULARITIES:
                    for ranges in RANGE_METHODS:
                        scheme = scheme_of_bits(bits, symmetric=symmetric)
                        restored, clipped = restore(corpus.vectors, scheme, granularity, ranges, options.sample)
                        kept = corpus.ndcg(restored) / full
                        print(
                            f"| {bits} | {'symmetric' if symmetric else 'asymmetric'} | {granularity} | {ranges} "
                            f"| {kept:.2%} | {mean_cosine(corpus.vectors, restored):.5f} | {clipped:.3%} |",
                            flush=True,
                        )


def encode_corpus(folder: Path) -> Corpus:
    """Chunks and queries of a folder, encoded."""
    encoder = load_encoder(read_settings())
    texts, sources = [], []
    for entry in read_corpus(folder):
        for chunk in split(corpus_document(entry), encoder):
            texts.append(chunk.text)
            sources.append(entry.id)
    queries = list(read_queries(folder))
    judgements = read_judgements(folder, {query.id for query in queries}, set(sources))
    names, owners = np.unique(sources, return_inverse=True)
    query_vectors = encoder.encode_queries([query.text for query in queries])
    named = {query.id: vector for query, vector in zip(queries, query_vectors, strict=True)}
    return Corpus(encoder.encode_documents(texts), names, owners, named, judgements.qrels)


def restore(
    vectors: NDArray[np.float32], scheme: Scheme, granularity: str, ranges: str, sample: int
) -> tuple[NDArray[np.float32], float]:
    """The vectors after quantization, and the share of numbers that lay outside of the ranges."""
    fitted_on = vectors if granularity == "vector" else vectors[:sample]
    low, high = RANGES[ranges](fitted_on, AXES[granularity], scheme)
    scale, zero_point = choose_parameters(low, high, scheme)
    codes = quantize(vectors, scale, zero_point, scheme)
    clipped = float(((vectors < np.minimum(low, 0)) | (vectors > np.maximum(high, 0))).mean())
    return dequantize(codes, scale, zero_point), clipped


def mean_cosine(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """The mean cosine between rows."""
    products = np.einsum("ij,ij->i", before, after, dtype=np.float64)
    lengths = np.linalg.norm(before, axis=1) * np.maximum(np.linalg.norm(after, axis=1), 1e-12)
    return float((products / lengths).mean())


if __name__ == "__main__":
    main()
