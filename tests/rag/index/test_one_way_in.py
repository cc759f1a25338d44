"""The same documents become the same rows whoever brings them: ingest, LangChain, re-embedding, import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import write_tiny_checkpoint

import ingest
import rag
from ingest.reembed import reembed
from ingest.synchronize import prepare
from rag.index.indexer import Indexer
from rag.index.pipeline import Pipeline
from rag.langchain import Int8DistilBertEmbeddings, QuantizedSQLVectorStore
from rag.langchain.documents import make_entries
from sql.base.settings import read_settings
from sql.base.terminal import Silence
from sql.store import Store
from sql.upkeep.transfer import export_store, import_store, read_export

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

TEXTS = ["The cat sat on the mat.", "The dog runs to the cat.", "one two three", "Die Katze und der Hund.", "x" * 700]
METADATA: list[dict[str, Any]] = [
    {"year": 1998},
    {"tags": ["a", "b"]},
    {},
    {"source": "katze.md"},
    {"deep": {"a": [1]}},
]
IDS = [f"text-{number}" for number in range(len(TEXTS))]
ROWS = """
SELECT chunks.row_hash, chunks.scale, chunks.zero_point, manifest.path, manifest.row_hash_sum
FROM chunks INNER JOIN manifest ON manifest.generation = chunks.generation ORDER BY ALL
"""
WORDS = "SELECT term, frequency, length FROM postings ORDER BY ALL"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> str:
    return str(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tokenizer))


def stored(location: Path | str) -> tuple[list[bytes], list[bytes]]:
    """Hashes and places of all rows, and all words, of a store."""
    with Store.open(str(location)) as store:
        assert store.snapshot().damaged_documents() == []
        rows, words = (store.client.text(sql, "TSV").splitlines() for sql in (ROWS, WORDS))
    assert len(rows) == len(TEXTS)
    return rows, words


def ingested(location: Path, model: str, granularity: str) -> None:
    """The documents brought by what `ingest` writes with."""
    with rag.open(str(location), write=True, model=model, language="en") as library:
        encoder = prepare(library, granularity=granularity)
        pipeline = Pipeline(Indexer(library.store, encoder.identity, "en"), encoder, Silence())
        for entry in make_entries(TEXTS, METADATA, IDS):
            pipeline.add(entry.document, [entry.chunk])
        pipeline.finish()


@pytest.mark.parametrize(
    "granularity", ["vector", *(pytest.param(one, marks=pytest.mark.slow) for one in ("dimension", "collection"))]
)
def test_row_hashes_and_words_are_equal_through_all_four_ways_in(tmp_path: Path, model: str, granularity: str) -> None:
    ingested(tmp_path / "ingest", model, granularity)
    expected = stored(tmp_path / "ingest")

    if granularity == "vector":  # which is what LangChain makes of a new store
        with QuantizedSQLVectorStore(
            Int8DistilBertEmbeddings(model), str(tmp_path / "langchain"), language="en"
        ) as store:
            store.add_texts(TEXTS, METADATA, ids=IDS)
        assert stored(tmp_path / "langchain") == expected

    done = reembed(read_settings(), model, str(tmp_path / "ingest"), str(tmp_path / "reembed"))
    assert done.chunks == len(TEXTS)
    assert stored(tmp_path / "reembed") == expected

    with Store.open(str(tmp_path / "ingest")) as store:
        export_store(store, tmp_path / "export")
    with Store.open(str(tmp_path / "import"), write=True) as store:
        import_store(store, tmp_path / "export", read_export(tmp_path / "export"))
    assert stored(tmp_path / "import") == expected


HEADED = (
    "# Guide\n\nThe cat sat.\n\n## Reset\n\n"
    + "The dog runs to the cat. " * 40
    + "\n\n| name | age |\n|---|---|\n"
    + "".join(f"| cat | {number} |\n" for number in range(60))
)
VECTORS = "SELECT text, scale, zero_point, codes FROM chunks ORDER BY ALL"


def vectors(location: Path | str) -> set[bytes]:
    """Each text with its vector."""
    with Store.open(str(location)) as store:
        assert store.snapshot().damaged_documents() == []
        return set(store.client.text(VECTORS, "TSV").splitlines())


@pytest.mark.slow
def test_headings_and_headers_are_embedded_alike_through_all_ways_in(tmp_path: Path, model: str) -> None:
    for name in ("docs", "moved"):
        (tmp_path / name).mkdir()
    (tmp_path / "docs" / "a.md").write_text(HEADED)

    with rag.open(str(tmp_path / "ingest"), write=True, model=model, language="en") as library:
        ingest.sync(library, [tmp_path / "docs"])
    expected = vectors(tmp_path / "ingest")

    reembed(read_settings(), model, str(tmp_path / "ingest"), str(tmp_path / "reembed"))
    assert vectors(tmp_path / "reembed") == expected

    with Store.open(str(tmp_path / "ingest")) as store:
        export_store(store, tmp_path / "export")
    with Store.open(str(tmp_path / "import"), write=True) as store:
        import_store(store, tmp_path / "export", read_export(tmp_path / "export"))
    assert vectors(tmp_path / "import") == expected

    # A copy, whose vectors are taken over, has those that it would have alone.
    (tmp_path / "moved" / "b.md").write_text(HEADED)
    for store_name in ("import", "alone"):
        with rag.open(str(tmp_path / store_name), write=True, model=model, language="en") as library:
            ingest.sync(library, [tmp_path / "moved"])
        assert vectors(tmp_path / store_name) == expected

    bare = texts_alone(tmp_path / "bare", model, [line.split(b"\t")[0].decode() for line in expected])
    assert expected.isdisjoint(bare - expected)
    assert len(bare - expected) == len(expected) - 1  # all but the first, which holds its headings


def texts_alone(location: Path, model: str, written: list[str]) -> set[bytes]:
    """The vectors of the same texts without anything above them, as LangChain brings them."""
    texts = [text.replace("\\n", "\n") for text in written]
    with QuantizedSQLVectorStore(Int8DistilBertEmbeddings(model), str(location), language="en") as store:
        store.add_texts(texts)
    return vectors(location)
