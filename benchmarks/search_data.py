"""Vectors to measure the search with: real embeddings, grown by perturbation; `make search-data` builds them once.

    python benchmarks/search_data.py [--texts ../shared/eval] [--into .bench/search] [--rows 1000000]

1. Texts: docs/ and, below --texts, the corpora and queries of every folder in BEIR layout. They are cut into windows of
   96 tokens that overlap by 48, and embedded with the default model, 512 windows a file; what is there is not done again.
2. Queries: 400 questions of the folders; where there are none, windows that are taken out of the rows.
3. Growth: the first rows are the real vectors. Each further one is a perturbation: a real vector x, drawn to and fro
   with one of its 20 nearest neighbours y, plus noise with the covariance of the real vectors,

       normalize((1 - t) x + t y + NOISE * noise / |noise|),   t uniform in 0..0.5

   drawn block by block of 10,000 rows with the number of the block as the seed, so any number of rows can be made again.

float32, 384 numbers a row, in `vectors.f32`; a killed run goes on where it stopped. `texts.json` holds the windows and the
questions; the text of a grown row is the beginning of the window it was drawn from and the end of its neighbour.
"""

from __future__ import annotations

import argparse
import json
from functools import cached_property
from pathlib import Path

import numpy as np

from rag.encoder.encoder import load_encoder
from rag.evaluate.beir import read_corpus, read_queries
from sql.base.settings import DEFAULT_MODEL, read_settings

WINDOW, STRIDE = 96, 48  # tokens
WINDOWS_PER_FILE = 512
QUERIES = 400
NEIGHBOURS = 20
NOISE = 0.5
BLOCK = 10_000
DEFAULT_TEXTS, DEFAULT_FOLDER = "../shared/eval", ".bench/search"


class Growth:
    """Any number of rows from the real vectors."""

    def __init__(self, folder: Path) -> None:
        self.base = np.load(folder / "base.npy")
        self.queries = np.load(folder / "queries.npy")

    @cached_property
    def neighbours(self) -> np.ndarray:
        """The nearest real vectors of each real vector, int64 (n, NEIGHBOURS)."""
        found = []
        for first in range(0, len(self.base), 1000):
            near = self.base[first : first + 1000] @ self.base.T
            found.append(np.argpartition(-near, NEIGHBOURS, axis=1)[:, :NEIGHBOURS])
        return np.concatenate(found)

    @cached_property
    def spread(self) -> np.ndarray:
        """A matrix that turns white noise into noise with the covariance of the real vectors."""
        return np.linalg.cholesky(np.cov(self.base.T) + 1e-6 * np.eye(self.base.shape[1])).astype(np.float32)

    def parents(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Which real vector each row of a block is drawn from, and to which neighbour of that one."""
        own = random.integers(0, len(self.base), BLOCK)
        return own, self.neighbours[own, random.integers(0, NEIGHBOURS, BLOCK)]

    def texts(self, number: int, windows: list[str]) -> list[str]:
        """The texts of a block: of each row the first two thirds of its own window and the last third of the other."""
        pairs = zip(*self.parents(np.random.default_rng(number)), strict=True)
        grown = [
            windows[own][: 2 * len(windows[own]) // 3] + windows[other][2 * len(windows[other]) // 3 :]
            for own, other in pairs
        ]
        real = windows[BLOCK * number : BLOCK * (number + 1)]
        return real + grown[len(real) :]

    def block(self, number: int) -> np.ndarray:
        """Rows BLOCK * number onwards, float32 (BLOCK, dimensions), each of length 1."""
        random = np.random.default_rng(number)
        own, other = self.parents(random)
        share = random.uniform(0, 0.5, (BLOCK, 1)).astype(np.float32)
        noise = random.standard_normal((BLOCK, self.base.shape[1]), dtype=np.float32) @ self.spread.T
        noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        rows = (1 - share) * self.base[own] + share * self.base[other] + noise
        real = self.base[BLOCK * number : BLOCK * (number + 1)]
        rows[: len(real)] = real
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main() -> None:
    """Builds what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, default=Path(DEFAULT_TEXTS), help="a folder of folders in BEIR layout")
    parser.add_argument("--into", type=Path, default=Path(DEFAULT_FOLDER))
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    if not (options.into / "queries.npy").exists():
        embed(options.texts, options.into)
    grow(options.into, options.rows)


def embed(texts: Path, folder: Path) -> None:
    """Makes `base.npy` and `queries.npy`."""
    encoder = load_encoder(read_settings(), DEFAULT_MODEL)
    sets = sorted(path.parent for path in texts.glob("*/corpus.jsonl"))
    passages = [path.read_text(encoding="utf-8") for path in sorted(Path("docs").glob("*.md"))]
    passages += [f"{document.title}\n{document.text}" for one in sets for document in read_corpus(one)]
    windows = list(dict.fromkeys(window for passage in passages for window in cut(passage, encoder.tokenizer)))
    print(f"{len(windows)} windows of {len(sets)} sets and docs/", flush=True)
    (folder / "base").mkdir(exist_ok=True)
    for first in range(0, len(windows), WINDOWS_PER_FILE):
        path = folder / "base" / f"{first:07}.npy"
        if not path.exists():
            save(path, encoder.encode_documents(windows[first : first + WINDOWS_PER_FILE]))
            print(f"{first} windows", end="\r", flush=True)
    base = np.concatenate([np.load(path) for path in sorted((folder / "base").glob("*.npy"))])
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    questions = [query.text for one in sets for query in read_queries(one)]
    random = np.random.default_rng(0)
    if questions:
        chosen = random.choice(len(questions), min(QUERIES, len(questions)), replace=False)
        asked = [questions[number] for number in chosen]
        queries = encoder.encode_queries(asked)
    else:
        taken = random.choice(len(base), min(QUERIES, len(base) // 10), replace=False)
        queries, base = base[taken], np.delete(base, taken, axis=0)
        asked, gone = [windows[number] for number in taken], set(taken.tolist())
        windows = [window for number, window in enumerate(windows) if number not in gone]
    save(folder / "base.npy", base)
    save(folder / "queries.npy", queries)
    (folder / "texts.json").write_text(json.dumps({"windows": windows, "questions": asked}))
    (folder / "made_of.json").write_text(json.dumps({"windows": len(base), "sets": [one.name for one in sets]}))


def cut(passage: str, tokenizer: object) -> list[str]:
    """The windows of a passage; its tail belongs to the last one."""
    spans = tokenizer.spans(passage)
    starts = range(0, max(1, len(spans) - STRIDE), STRIDE)
    return [passage[spans[start][0] : spans[min(start + WINDOW, len(spans)) - 1][1]] for start in starts if len(spans)]


def grow(folder: Path, rows: int) -> None:
    """Makes or lengthens `vectors.f32`, which holds whole blocks."""
    path, growth = folder / "vectors.f32", Growth(folder)
    dimensions = growth.base.shape[1]
    done = path.stat().st_size // (4 * dimensions * BLOCK) if path.exists() else 0
    with path.open("r+b" if path.exists() else "wb") as file:
        file.seek(done * 4 * dimensions * BLOCK)
        for number in range(done, -(-rows // BLOCK)):
            file.write(growth.block(number).astype(np.float32).tobytes())
            file.flush()
    print(f"{rows} rows in {path}")


def read_rows(folder: Path, rows: int) -> np.ndarray:
    """The first rows, float32 (rows, dimensions), mapped and not read."""
    dimensions = np.load(folder / "queries.npy", mmap_mode="r").shape[1]
    return np.memmap(folder / "vectors.f32", dtype=np.float32, mode="r").reshape(-1, dimensions)[:rows]


def save(path: Path, array: np.ndarray) -> None:
    """Writes an array whole or not at all."""
    part = path.with_suffix(".part.npy")
    np.save(part, array.astype(np.float32))
    part.rename(path)


if __name__ == "__main__":
    main()
