"""What each granularity, range and width of vector codes costs: nDCG@10 and recall@10 of the same vectors in float32.

    python benchmarks/vector_quantization.py DIR [DIR ...] [--bits 8 4] [--sample 2048]

DIR is a folder in BEIR layout. Its documents are cut and encoded once by the default int8 model; then the vectors are
quantized in each way, restored, and compared with every query. Ranges of dimensions and collections are fitted on the
first vectors, as `python -m ingest` does. Of nDCG@10 the share that is kept; recall@10 is that of the ten chunks nearest by
float32. Beside them: the mean cosine of vectors before and after, their rounding error in proportion to their length, the
share of numbers that were clipped, and the bytes of the codes of a vector, two of 4 bits in a byte. How fast either is
searched: `benchmarks/search.py measure ours ours-4-bits`.
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
from ingest.cutting import split
from rag.encoder.encoder import load_encoder
from rag.evaluate.beir import read_corpus, read_judgements, read_queries
from rag.evaluate.evaluation import best_documents
from rag.evaluate.metrics import mean_measures
from rag.index.vector_coder import CALIBRATION_VECTORS
from rag.int8.quantization import AXES, RANGES, choose_parameters, dequantize, quantize, quantize_query, scheme_of_bits
from sql.base.settings import GRANULARITIES, RANGE_METHODS, read_settings
from sql.records.chunking import ChunkSettings

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

    def recall(self, vectors: NDArray[np.float32]) -> float:
        """Which part of the ten chunks nearest by the chunks' own vectors these vectors find, in the mean of the queries."""
        queries = np.stack(list(self.queries.values())).T
        near, found = (nearest_of_each(some @ queries) for some in (self.vectors, vectors))
        return float(np.mean([len(set(one) & set(other)) / len(one) for one, other in zip(near, found, strict=True)]))

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
            "| bits | scheme | granularity | range | recall@10 | nDCG@10 kept | cosine | error | clipped | bytes |\n"
            "|---|---|---|---|---|---|---|---|---|---|"
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
                            f"| {corpus.recall(restored):.4f} | {kept:.2%} | {mean_cosine(corpus.vectors, restored):.5f} "
                            f"| {mean_error(corpus.vectors, restored):.2%} | {clipped:.3%} "
                            f"| {-(-bits * corpus.vectors.shape[1] // 8)} |",
                            flush=True,
                        )


def encode_corpus(folder: Path) -> Corpus:
    """Chunks and queries of a folder, encoded."""
    encoder = load_encoder(read_settings())
    texts, sources = [], []
    for entry in read_corpus(folder):
        for chunk in split(corpus_document(entry), encoder, ChunkSettings()):
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


def nearest_of_each(scores: NDArray[np.float32], k: int = 10) -> list[list[int]]:
    """The rows of the k highest scores of each column of (rows, columns)."""
    return [list(map(int, column)) for column in np.argsort(-scores, axis=0, kind="stable")[:k].T]


def mean_error(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """The mean length of what has changed, in proportion to what was there."""
    return float((np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)).mean())


def mean_cosine(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """The mean cosine between rows."""
    products = np.einsum("ij,ij->i", before, after, dtype=np.float64)
    lengths = np.linalg.norm(before, axis=1) * np.maximum(np.linalg.norm(after, axis=1), 1e-12)
    return float((products / lengths).mean())


if __name__ == "__main__":
    main()
