"""The LangChain classes beyond the standard suites: types, scores, other stores, threads, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from support import prepared, retrieve, source_document, vectors_of, write_tiny_checkpoint

from ingest.synchronize import sync_walk
from ingest.walk import walk
from rag.int8.quantization import quantize_query, quantize_vectors, scores
from rag.langchain import Int8DistilBertEmbeddings, QuantizedSQLRetriever, QuantizedSQLVectorStore
from rag.langchain.embeddings import text_windows
from rag.langchain.vector_store import embedding_name
from rag.retrieve.mmr import choose_diverse
from sql.base.errors import (
    InvalidFilter,
    InvalidMetadata,
    InvalidVector,
    RagError,
    StoreError,
    StoreMismatch,
    UsageError,
)
from sql.base.settings import GRANULARITIES, read_settings
from sql.records import Chunk
from sql.records.places import Page, Place
from sql.store import ChunkBatch, Store
from sql.upkeep.stats import read_stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.text.tokenizer import Tokenizer

SIZE = 16
TEXTS = [f"text {number}" for number in range(12)]


class Words(Embeddings):
    """Vectors of any length: each text has a direction of its own and is as long as the text."""

    def embed_query(self, text: str) -> list[float]:
        direction = np.random.default_rng(list(text.encode())).standard_normal(SIZE)
        return [float(number) for number in direction * len(text)]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def store(place: str) -> Iterator[QuantizedSQLVectorStore]:
    with QuantizedSQLVectorStore(Words(), place) as store:
        yield store


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> str:
    return str(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tokenizer))


def exact_cosine(a: str, b: str) -> float:
    x, y = (np.array(Words().embed_query(text)) for text in (a, b))
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


# What goes in comes out


METADATA: list[dict[str, Any]] = [
    {},
    {"whole": 1, "real": 1.0, "true": True, "nothing": None, "text": "1", "list": [1, "a", None, 2.5], "empty": []},
    {"big": 2**63 - 1, "huge": 2**70, "tiny": 5e-324, "minus": -0.5},
    {"nested": {"list": [{"deep": [1, 2.0, True]}]}, "a name with spaces": 1, "ключ": "значение", "": "empty name"},
    {"source": "somewhere.pdf", "page": 3, "id": "mine", "langchain_id": "not ours", "langchain_json": "{"},
    {"quotes": "'; DROP TABLE chunks; -- \\' {x:String} %s \x00 \n\t 😀", "lists of lists": [[1], [2, [3]]]},
]


def test_metadata_comes_back_exactly_as_it_went_in(store: QuantizedSQLVectorStore) -> None:
    documents = [Document(page_content=f"text {row}", metadata=data, id=str(row)) for row, data in enumerate(METADATA)]
    store.add_documents(documents)
    found = store.get_by_ids([str(row) for row in range(len(METADATA))])
    assert found == documents
    assert [repr(document.metadata) for document in found] != []
    for before, after in zip(METADATA, (document.metadata for document in found), strict=True):
        assert {name: repr(value) for name, value in before.items()} == {n: repr(value) for n, value in after.items()}


@pytest.mark.parametrize(
    "metadata",
    [{"day": date(2026, 11, 25)}, {"pair": (1, 2)}, {"real": float("nan")}, {"nested": {1: 2}}, {"long": "x" * 70_000}],
)
def test_metadata_that_would_come_back_changed_is_refused_before_anything_is_stored(
    store: QuantizedSQLVectorStore, metadata: dict[str, Any]
) -> None:
    with pytest.raises(InvalidMetadata):
        store.add_texts(["fine", "not fine"], [{}, metadata])
    assert store.similarity_search("fine") == []


def test_ids_are_kept_or_made_and_an_id_given_twice_keeps_its_last_text(store: QuantizedSQLVectorStore) -> None:
    ids = store.add_texts(["one", "two", "three"], ids=["a", None, "a"])
    assert (ids[0], ids[2]) == ("a", "a")
    assert len(ids[1]) == 36
    assert [document.page_content for document in store.get_by_ids(["a", ids[1]])] == ["three", "two"]
    strange = ["", "ü / ; '", "langchain:x", "1" * 5000, "c1cb1a8a-8e55-1e5c-71b1-65d0a463b7f7:0"]
    stored = store.add_texts(strange[1:], ids=strange[1:])
    assert stored == strange[1:]
    assert [document.id for document in store.get_by_ids(strange)] == strange[1:]
    assert store.delete(strange[1:])
    assert store.get_by_ids(strange) == []


def test_nothing_is_stored_of_a_call_that_makes_no_sense(store: QuantizedSQLVectorStore) -> None:
    with pytest.raises(ValueError, match="2 texts came with 1 ids"):
        store.add_texts(["one", "two"], ids=["a"])
    with pytest.raises(ValueError, match="1 texts came with 2 metadatas"):
        store.add_texts(["one"], [{}, {}])
    with pytest.raises(RagError, match="'b' is empty"):
        store.add_texts(["one", ""], ids=["a", "b"])
    with pytest.raises(RagError, match="surrogate"):
        store.add_texts(["one", "\ud800"])
    with pytest.raises(TypeError, match="the id 7 is int"):
        store.add_texts(["one"], ids=[7])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="metric: there is no such argument"):
        store.add_texts(["one"], metric="cosine")
    with pytest.raises(ValueError, match="a batch of 0 texts"):
        store.add_texts(["one"], batch_size=0)
    with pytest.raises(RagError, match="k is 0"):
        store.add_texts(["one"]) and store.similarity_search("one", k=0)
    assert len(store.similarity_search("one", k=9)) == 1


def test_many_texts_are_stored_in_batches(store: QuantizedSQLVectorStore) -> None:
    ids = store.add_texts(TEXTS, batch_size=5)
    assert store.store.epoch() == 3
    assert [document.page_content for document in store.get_by_ids(ids)] == TEXTS
    store.delete(ids[:7])
    assert [document.page_content for document in store.get_by_ids(ids)] == TEXTS[7:]


def test_delete_without_ids_deletes_all(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(TEXTS)
    assert store.delete()
    assert store.similarity_search("text 1") == []


# Scores


def test_scores_are_cosines_whatever_the_lengths_of_the_vectors(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(TEXTS)
    found = store.similarity_search_with_score("text 3", k=12)
    expected = sorted(((exact_cosine("text 3", text), text) for text in TEXTS), reverse=True)
    assert [document.page_content for document, _ in found] == [text for _, text in expected]
    assert [score for _, score in found] == pytest.approx([cosine for cosine, _ in expected], abs=0.02)
    assert all(-1 <= score <= 1 for _, score in found)
    relevance = store.similarity_search_with_relevance_scores("text 3", k=12)
    assert [score for _, score in relevance] == [max(0.0, score) for _, score in found]
    near = store.similarity_search_with_relevance_scores("text 3", k=12, score_threshold=0.3)
    assert [document for document, _ in near] == [document for document, score in found if score >= 0.3]


def test_a_vector_finds_what_its_text_finds(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(TEXTS)
    by_vector = store.similarity_search_by_vector(Words().embed_query("text 5"), k=3)
    assert by_vector == store.similarity_search("text 5", k=3)
    diverse = store.max_marginal_relevance_search_by_vector(Words().embed_query("text 5"), k=3)
    assert diverse == store.max_marginal_relevance_search("text 5", k=3)


def test_a_diverse_search_chooses_by_marginal_relevance(store: QuantizedSQLVectorStore) -> None:
    store.add_texts([*TEXTS, "text 3!", "text 3?"])
    nearest = store.similarity_search("text 3", k=8)
    assert store.max_marginal_relevance_search("text 3", k=8, fetch_k=8, lambda_mult=1) == nearest

    def unit(text: str) -> NDArray[np.float32]:
        vector = np.array(Words().embed_query(text))
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)

    vectors = quantize_vectors(np.stack([unit(document.page_content) for document in nearest]))
    rows = choose_diverse(scores(quantize_query(unit("text 3")), vectors), vectors, 4, 0.3)
    found = store.max_marginal_relevance_search("text 3", k=4, fetch_k=8, lambda_mult=0.3)
    assert found == [nearest[row] for row in rows]
    with pytest.raises(RagError, match=r"within 0\.\.1"):
        store.max_marginal_relevance_search("text 3", lambda_mult=2)


def test_zeros_have_a_cosine_of_0_and_other_numbers_are_refused(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(["one"])
    assert len(store.similarity_search_by_vector([0.0] * SIZE)) == 1
    for vector in ([float("nan")] * SIZE, [float("inf")] * SIZE, []):
        with pytest.raises((InvalidVector, StoreMismatch)):
            store.similarity_search_by_vector(vector)


# Filters

POTS: list[dict[str, Any]] = [
    {"year": 2019, "kind": "bowl", "tags": ["blue", "small"]},
    {"year": 2024, "kind": "bowl", "tags": [], "page": 3},
    {"year": 2021.5, "kind": "vase", "source": "catalogue.pdf", "page": 4},
    {"kind": "vase", "sold": True, "source": "catalogue.pdf", "title": "A vase"},
]


FILTERED: list[tuple[dict[str, Any], set[int]]] = [
    ({"kind": "bowl"}, {0, 1}),
    ({"kind": ["bowl", "cup"], "year": {"$gt": 2020}}, {1}),
    ({"year": {"$gte": 2019, "$lt": 2022}}, {0, 2}),
    ({"$or": [{"sold": True}, {"tags": "blue"}]}, {0, 3}),
    ({"$not": {"kind": "bowl"}}, {2, 3}),
    ({"kind": {"$like": "v%"}}, {2, 3}),
    ({"source": "catalogue.pdf"}, {2, 3}),
    ({"source": {"$glob": "*.pdf"}, "page": 4}, {2}),
    ({"page": {"$gte": 3}}, {1, 2}),
    ({"page": {"$ne": 3}}, {0, 2, 3}),
    ({"$nor": [{"page": 3}, {"title": "A vase"}]}, {0, 2}),
    ({"title": {"$exists": True}}, {3}),
    ({"langchain_id": {"$in": ["1", "3"]}}, {1, 3}),
    ({"source": "'; DROP TABLE chunks; --"}, set()),
    ({}, {0, 1, 2, 3}),
]


@pytest.fixture
def pots(store: QuantizedSQLVectorStore) -> QuantizedSQLVectorStore:
    store.add_texts(TEXTS[: len(POTS)], POTS, ids=[str(row) for row in range(len(POTS))])
    return store


def test_filters_look_at_the_metadata(pots: QuantizedSQLVectorStore) -> None:
    for condition, rows in FILTERED:
        found = pots.similarity_search("bowl", k=9, filter=condition)
        assert {int(str(document.id)) for document in found} == rows, condition
        assert pots.max_marginal_relevance_search("bowl", k=1, filter=condition)[:1] == found[:1]
        assert len(pots.similarity_search("bowl", k=2, filter=condition)) == min(2, len(rows))


def test_a_filter_that_means_nothing_is_refused(pots: QuantizedSQLVectorStore) -> None:
    for condition in ({"year": {"$near": 2000}}, {"$and": {}}, {"a b": 1}, "year > 2000", {"$or": [7]}):
        with pytest.raises(InvalidFilter):
            pots.similarity_search("bowl", filter=condition)
    with pytest.raises(TypeError, match="namespace"):
        pots.similarity_search("bowl", namespace="mine")


def test_filters_reach_every_search(pots: QuantizedSQLVectorStore) -> None:
    bowls = {"kind": "bowl"}
    expected = pots.similarity_search("bowl", filter=bowls)
    assert len(expected) == 2
    assert pots.similarity_search_by_vector(Words().embed_query("bowl"), filter=bowls) == expected
    assert [each for each, _ in pots.similarity_search_with_score("bowl", filter=bowls)] == expected
    relevant = pots.similarity_search_with_relevance_scores("bowl", filter=bowls)
    assert [each for each, _ in relevant] == expected
    assert asyncio.run(pots.asimilarity_search("bowl", filter=bowls)) == expected
    assert pots.as_retriever(search_kwargs={"filter": bowls}).invoke("bowl") == expected
    retriever = QuantizedSQLRetriever(vectorstore=pots, filter=bowls)
    assert retriever.invoke("bowl") == asyncio.run(retriever.ainvoke("bowl")) == expected
    assert len(retriever.invoke("bowl", filter=None)) == len(POTS)


# By words


WORDS = {
    "fox": "The quick brown fox jumps over the lazy dog.",
    "kiln": "The kiln was fired at 1240 degrees.",
    "kilns": "Two kilns stand behind the workshop; both kilns are old.",
    "other": "Nothing to see here.",
}


def test_words_find_what_has_them_and_need_no_vector(place: str) -> None:
    class Unwilling(Words):
        def embed_query(self, text: str) -> list[float]:
            raise AssertionError(f"a search by words embeds nothing, but {text!r} was to be")

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [Words().embed_query(text) for text in texts]

    with QuantizedSQLVectorStore(Unwilling(), place, language="en") as store:
        store.add_texts(list(WORDS.values()), ids=list(WORDS))
        found = store.similarity_search_with_score("kiln", ranking="words")
        assert {document.id for document, _ in found} == {"kiln", "kilns"}
        assert found[0][1] > found[1][1] > 0
        assert asyncio.run(store.asimilarity_search_with_score("kiln", ranking="words")) == found
        assert store.similarity_search("zebra", ranking="words") == []
        with pytest.raises(UsageError, match="no upper end"):
            store.similarity_search_with_relevance_scores("kiln", ranking="words")
        store.delete(["kiln"])
        assert [document.id for document in store.similarity_search("kiln", ranking="words")] == ["kilns"]


@pytest.mark.everyday("1-True")
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_a_short_text_without_a_language_is_found_beside_others_in_any_order(
    place: str, apart: bool, order: int
) -> None:
    texts = {"prose": "All the glazes of the shop are in the shed.", "list": "Glazes: celadon, tenmoku, shino."}
    ids = list(texts)[::order]
    with QuantizedSQLVectorStore(Words(), place) as store:
        for some in [[each] for each in ids] if apart else [ids]:
            store.add_texts([texts[each] for each in some], ids=some)
        for question in ("glazes", "Where are the glazes?", "glaze", "GLAZES"):
            found = {str(each.id) for each in store.similarity_search(question, k=5, ranking="words")}
            assert found == set(texts), question


def test_the_first_text_of_an_old_store_has_its_words_made_anew(place: str) -> None:
    with QuantizedSQLVectorStore(Words(), place, language="en") as store:
        store.add_texts(["hot kilns"], ids=["old"])
        store.store.revise(analyser="words 0")
        with pytest.raises(StoreMismatch, match="was written with the analyser 'words 0'"):
            store.similarity_search("kiln", ranking="words")
        store.add_texts(["cold kilns"], ids=["new"])
        assert {each.id for each in store.similarity_search("kiln", ranking="words")} == {"old", "new"}


def test_a_hybrid_search_finds_by_both(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(list(WORDS.values()), ids=list(WORDS))
    by_both = store.similarity_search_with_score("kiln", k=4, ranking="hybrid")
    assert {by_both[0][0].id, by_both[1][0].id} == {"kiln", "kilns"}
    assert len(by_both) == 4
    assert asyncio.run(store.asimilarity_search_with_score("kiln", k=4, ranking="hybrid")) == by_both
    relevance = store.similarity_search_with_relevance_scores("kiln", k=4, ranking="hybrid")
    assert [score for _, score in relevance] == [max(0.0, score) for _, score in by_both]
    retriever = QuantizedSQLRetriever(vectorstore=store, ranking="hybrid", k=2)
    assert retriever.invoke("kiln") == [document for document, _ in by_both[:2]]
    assert [each.id for each in retriever.invoke("kiln", ranking="words")] != []
    with pytest.raises(UsageError, match="'nonsense' is not known"):
        store.similarity_search("kiln", ranking="nonsense")
    for ranking in ("words", "hybrid"):
        found = store.similarity_search("kiln", ranking=ranking, filter={"langchain_id": {"$in": ["kilns", "other"]}})
        assert found[0].id == "kilns"
        assert {document.id for document in found} <= {"kilns", "other"}


def test_the_int8_encoder_searches_by_both_as_the_project_itself_does(garden: Path, place: str) -> None:
    with QuantizedSQLVectorStore(location=place, read_only=True) as store:
        embeddings = store.embeddings
        assert isinstance(embeddings, Int8DistilBertEmbeddings)
        hits = retrieve(store.store, "where sat the cat", 3, embeddings.encoder)
        found = store.similarity_search_with_score("where sat the cat", k=3, ranking="hybrid")
        by_default = QuantizedSQLRetriever(vectorstore=store, k=3).invoke("where sat the cat")
    assert by_default == [document for document, _ in found]
    assert [(document.page_content, score) for document, score in found] == [(hit.text, hit.score) for hit in hits]


# Embeddings


def test_the_store_remembers_its_embedding_and_refuses_another(place: str) -> None:
    with QuantizedSQLVectorStore(DeterministicFakeEmbedding(size=6), place) as store:
        store.add_texts(["one"], ids=["a"])
    with QuantizedSQLVectorStore(DeterministicFakeEmbedding(size=8), place) as store:
        with pytest.raises(StoreMismatch, match=r"made by langchain_core.DeterministicFakeEmbedding \(6 dimensions\)"):
            store.add_texts(["two"])
        with pytest.raises(StoreMismatch, match="8"):
            store.similarity_search("one")
    with QuantizedSQLVectorStore(Words(), place, read_only=True) as store:
        with pytest.raises(StoreMismatch):
            store.similarity_search("one")
        assert [document.page_content for document in store.get_by_ids(["a"])] == ["one"]
        with pytest.raises(StoreMismatch, match="6 dimensions and the query has 3"):
            store.similarity_search_by_vector([1.0, 2.0, 3.0])


def test_the_name_of_an_embedding_is_its_class_and_model_or_what_is_given(place: str) -> None:
    class Hosted(Words):
        model = "text-embedding-9"

    assert embedding_name(Hosted()).endswith("Hosted text-embedding-9")
    with QuantizedSQLVectorStore(Hosted(), place, embedding_name="ours", quantizer="symmetric") as store:
        store.add_texts(["one"])
        collection = store.store.collection()
    assert collection is not None
    assert (collection.encoder.model, collection.encoder.dimensions, collection.scheme) == ("ours", SIZE, "symmetric")
    with pytest.raises(RagError, match="asymmetric, symmetric"):
        QuantizedSQLVectorStore(Hosted(), place, quantizer="4 bit")


def test_embeddings_are_those_of_the_encoder_and_plain_floats(checkpoint: str) -> None:
    embeddings = Int8DistilBertEmbeddings(checkpoint)
    texts = ["the cat", "a dog runs here", "the cat"]
    vectors = embeddings.embed_documents(texts)
    assert vectors == embeddings.encoder.encode_documents(texts).tolist()
    assert embeddings.embed_query("the cat") == embeddings.encoder.encode_query("the cat").tolist()
    assert {type(number) for vector in vectors for number in vector} == {float}
    assert embeddings.embed_documents([]) == []


def test_a_text_too_long_for_the_encoder_is_the_mean_of_its_windows(checkpoint: str) -> None:
    embeddings = Int8DistilBertEmbeddings(checkpoint)
    room = embeddings.encoder.max_document_tokens
    long = " ".join(["cat"] * room + ["dog"] * (room // 2))
    first, second = embeddings.encoder.encode_documents([" ".join(["cat"] * room), " ".join(["dog"] * (room // 2))])
    mean = first.astype(np.float64) * room + second * (room // 2)
    (vector,) = embeddings.embed_documents([long])
    assert vector == pytest.approx((mean / np.linalg.norm(mean)).tolist(), abs=1e-6)


@given(words=st.lists(st.sampled_from(["cat", "dog", "ü", "the,", "x1"]), max_size=12), room=st.integers(1, 5))
def test_windows_hold_every_token_once_and_none_is_too_long(tokenizer: Tokenizer, words: list[str], room: int) -> None:
    text = " ".join(words)
    windows = text_windows(text, replace(tokenizer, max_tokens=room + tokenizer.special_tokens))
    assert all(tokens <= room for _, tokens in windows)
    ids = [token for window, _ in windows for token in tokenizer.library.encode(window, add_special_tokens=False).ids]
    if all(len(tokenizer.spans(word)) == 1 for word in words):  # elsewhere a window may begin within a word
        assert ids == tokenizer.library.encode(text, add_special_tokens=False).ids


# A store that `python -m ingest` fills


def test_metadata_say_on_request_what_is_certain_of_float32_vectors(pots: QuantizedSQLVectorStore) -> None:
    for ranking in ("vector", "hybrid", "words"):
        plain = pots.similarity_search_with_score("clay bowl", k=3, ranking=ranking)
        certified = pots.similarity_search_with_score("clay bowl", k=3, ranking=ranking, certify=True)
        assert [document.id for document, _ in certified] == [document.id for document, _ in plain]
        for document, score in certified:
            told = document.metadata["float32"]
            assert told["lower"] <= score <= told["upper"]
            assert isinstance(told["certain"], bool)
        assert all("float32" not in document.metadata for document, _ in plain)


@pytest.fixture
def garden(tmp_path: Path, place: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two documents, indexed in the store."""
    monkeypatch.setenv("RAG_MODEL", checkpoint)
    folder = tmp_path / "garden"
    folder.mkdir()
    (folder / "cat.md").write_text("# Cats\n\nThe cat sat here.\n\n## Mats\n\nA mat of the cat.\n")
    (folder / "dog.txt").write_text("One dog runs to two cats.\n")
    ingest_folder(folder, place)
    return folder


def ingest_folder(folder: Path, place: str) -> int:
    with Store.open(place, write=True) as store:
        library = prepared(store, read_settings())
        return sync_walk(library, walk([str(folder)])).deleted


def test_chunks_of_files_come_back_with_their_place(garden: Path, place: str) -> None:
    with QuantizedSQLVectorStore(location=place, read_only=True) as store:
        found = store.similarity_search("the cat", k=9)
        assert {document.metadata["source"] for document in found} == {
            str(garden / "cat.md"),
            str(garden / "dog.txt"),
        }
        for document in found:
            place_in_file = document.metadata
            text = (garden / place_in_file["source"]).read_text()
            assert text[place_in_file["start"] : place_in_file["end"]] == document.page_content
            assert text.count("\n", 0, place_in_file["start"]) + 1 == place_in_file["line"]
            assert place_in_file["page"] is None
        assert store.get_by_ids([str(document.id) for document in found]) == found
        sources = {"source": {"$glob": "**/cat.md"}}
        assert {each.metadata["source"] for each in store.similarity_search("dog", k=9, filter=sources)} == {
            str(garden / "cat.md")
        }
        assert len(store.similarity_search("the cat", k=9, per_document=1)) == 2


def test_every_way_to_a_chunk_of_a_file_brings_its_place_in_the_original(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(["one"])
    draft = store.store.writer.begin(source_document("a.pdf", "the cat", places=[Place(0, 7, Page(4, "iv"))]))
    chunk = Chunk(0, "the cat", 0, 7, 1, 4, "", 2, place_name="page iv")
    store.store.writer.insert(ChunkBatch([(draft, chunk)], vectors_of(["the cat"], SIZE)))
    store.store.writer.publish([draft])
    ways = [
        store.similarity_search("the cat", k=2),
        store.similarity_search_by_vector(Words().embed_query("the cat"), k=2),
        store.max_marginal_relevance_search("the cat", k=2),
        store.get_by_ids([f"{draft.document_id}:0"]),
    ]
    found = [each.metadata for documents in ways for each in documents if each.page_content == "the cat"]
    assert [(one["page_label"], one["place_name"], len(one["places"])) for one in found] == [("iv", "page iv", 1)] * 4


def test_files_and_langchain_documents_live_in_one_store(garden: Path, place: str) -> None:
    with QuantizedSQLVectorStore(location=place) as store:
        store.add_texts(["the dog sat on a mat"], [{"number": 1}], ids=["mat"])
        (chunk, *_) = [each for each in store.similarity_search("a dog", k=9) if each.id != "mat"]
        with pytest.raises(StoreError, match="cannot be deleted alone"):
            store.delete(["mat", str(chunk.id)])
        assert store.get_by_ids(["mat"]) != []
    assert ingest_folder(garden, place) == 0
    (garden / "dog.txt").unlink()
    assert ingest_folder(garden, place) == 1
    with QuantizedSQLVectorStore(location=place) as store:
        assert [document.metadata for document in store.get_by_ids(["mat"])] == [{"number": 1}]
        assert store.delete()
        assert {document.metadata["source"] for document in store.similarity_search("cat", k=9)} == {
            str(garden / "cat.md")
        }


@pytest.mark.everyday("dimension")
@pytest.mark.parametrize("granularity", GRANULARITIES[1:])
def test_a_store_whose_vectors_share_ranges_is_written_with_them(
    garden: Path, tmp_path: Path, granularity: str
) -> None:
    place = str(tmp_path / "calibrated")
    with Store.open(place, write=True) as store:
        library = prepared(store, read_settings(), granularity=granularity)
        sync_walk(library, walk([str(garden)]))
    with QuantizedSQLVectorStore(location=place) as store:
        store.add_texts(["One dog runs to two cats.", "the mat"], ids=["dog", "mat"])
        assert store.store.snapshot().damaged_documents() == []
        found = store.similarity_search_with_score("the cat sat", k=9)
        query = np.array(store.embeddings.embed_query("the cat sat"))
        texts = [document.page_content for document, _ in found]
        cosines = np.array(store.embeddings.embed_documents(texts)) @ query
        assert len(found) == len({document.id for document, _ in found}) >= 4
        assert [score for _, score in found] == pytest.approx(cosines.tolist(), abs=0.05)
        diverse = store.max_marginal_relevance_search("the cat sat", k=9, lambda_mult=1)
        assert diverse == [document for document, _ in found]


def test_a_retriever_can_be_opened_on_a_folder_alone(garden: Path, place: str) -> None:
    with QuantizedSQLRetriever.open(place, k=1) as retriever:
        assert len(retriever.invoke("the cat")) == 1
        assert len(retriever.invoke("the cat", k=2)) == 2
        assert len(asyncio.run(retriever.ainvoke("the cat", k=2))) == 2
    with pytest.raises(StoreError, match="closed"):
        retriever.invoke("the cat")
    with pytest.raises(StoreError, match="there is no store"):
        QuantizedSQLRetriever.open(f"{place}-elsewhere")


def test_a_read_only_store_is_not_written_to(garden: Path, place: str) -> None:
    with QuantizedSQLVectorStore(location=place, read_only=True) as store, pytest.raises(StoreError, match="read-only"):
        store.add_texts(["the cat"])


# LangChain's own machinery


def test_retrievers_of_langchain_use_every_kind_of_search(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(TEXTS)
    nearest = store.similarity_search("text 3", k=5)
    assert store.as_retriever(search_kwargs={"k": 5}).invoke("text 3") == nearest
    strict = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.9})
    assert strict.invoke("text 3") == nearest[:1]
    diverse = store.as_retriever(search_type="mmr", search_kwargs={"k": 3, "lambda_mult": 0.2})
    assert diverse.invoke("text 3") == store.max_marginal_relevance_search("text 3", k=3, lambda_mult=0.2)
    assert asyncio.run(diverse.ainvoke("text 3")) == diverse.invoke("text 3")


def test_the_indexing_api_adds_skips_and_deletes(store: QuantizedSQLVectorStore) -> None:
    records = InMemoryRecordManager("test")
    records.create_schema()

    def run(texts: list[str]) -> dict[str, int]:
        documents = [Document(page_content=text, metadata={"source": "s"}) for text in texts]
        counts = index(documents, records, store, cleanup="full", source_id_key="source", key_encoder="sha256")
        return {name: count for name, count in counts.items() if count}

    assert run(TEXTS) == {"num_added": 12}
    assert run(TEXTS) == {"num_skipped": 12}
    assert run(TEXTS[:10]) == {"num_skipped": 10, "num_deleted": 2}
    assert {document.page_content for document in store.similarity_search("text", k=99)} == set(TEXTS[:10])


# Threads and the event loop


class Handshake(Words):
    """Waits in every call until the event loop has answered: for ever, where the call keeps the loop from running."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.answers = 0

    def wait_for_loop(self) -> None:
        answered = threading.Event()
        self.loop.call_soon_threadsafe(answered.set)
        assert answered.wait(60), "the event loop stood still"
        self.answers += 1

    def before(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def met(*given: Any, **named: Any) -> Any:
            self.wait_for_loop()
            return method(*given, **named)

        return met

    def embed_query(self, text: str) -> list[float]:
        self.wait_for_loop()
        return super().embed_query(text)


def test_the_event_loop_goes_on_while_an_asynchronous_method_works(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> int:
        meeting = Handshake(asyncio.get_running_loop())
        for method in (QuantizedSQLVectorStore.get_by_ids, QuantizedSQLVectorStore.delete):
            monkeypatch.setattr(QuantizedSQLVectorStore, method.__name__, meeting.before(method))
        store = await QuantizedSQLVectorStore.afrom_texts(
            ["one", "two"], meeting, [{}, {}], ids=["1", "2"], location=place
        )
        assert [each.id for each in await store.asimilarity_search("two", k=1)] == ["2"]
        assert [each.id for each in await store.amax_marginal_relevance_search("two", k=2)] == ["2", "1"]
        assert [each.id for each in await store.aget_by_ids(["2"])] == ["2"]
        assert await store.adelete(["2"])
        await asyncio.to_thread(store.close)
        return meeting.answers

    assert asyncio.run(work()) >= 6


def test_sixteen_threads_get_what_one_gets_while_another_writes(store: QuantizedSQLVectorStore) -> None:
    store.add_texts(TEXTS, ids=TEXTS)
    alone = [store.similarity_search_with_score(text, k=1) for text in TEXTS]
    done = threading.Event()

    def write() -> int:
        number = 0
        while not done.is_set():
            store.add_texts([f"other {number}"], ids=[f"other {number % 3}"])
            number += 1
        return number

    with ThreadPoolExecutor(17) as pool:
        writer = pool.submit(write)
        try:
            found = list(pool.map(lambda text: store.similarity_search_with_score(text, k=1), TEXTS * 8))
        finally:
            done.set()
        assert writer.result() > 0
    assert found == alone * 8


def test_two_stores_on_one_folder_lose_nothing_of_each_other(place: str) -> None:
    with QuantizedSQLVectorStore(Words(), place) as first, QuantizedSQLVectorStore(Words(), place) as second:
        first.add_texts(["zero"], ids=["zero"])
        with ThreadPoolExecutor(8) as pool:
            stores = [first, second] * 12
            ids = list(pool.map(lambda row: stores[row].add_texts([f"text {row}"], ids=[str(row)])[0], range(24)))
        assert [document.page_content for document in second.get_by_ids(ids)] == [f"text {row}" for row in range(24)]
        assert first.store.epoch() == 25
        assert first.store.snapshot().damaged_documents() == []


def test_superseded_versions_are_removed_in_time(
    store: QuantizedSQLVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.langchain.vector_store.GRACE_SECONDS", -1.0)
    for _ in range(3):
        store.add_texts(["one", "two"], ids=["1", "2"])
    stats = read_stats(store.store)
    assert (stats.live_rows, stats.dead_rows) == (2, 0)


@pytest.mark.slow
def test_stores_of_all_codes_answer_alike(tmp_path: Path) -> None:
    found = []
    for scheme, bits in (("asymmetric", 8), ("symmetric", 8), ("asymmetric", 4)):
        with QuantizedSQLVectorStore(Words(), str(tmp_path / f"{scheme}{bits}"), quantizer=scheme, bits=bits) as store:
            store.add_texts(TEXTS)
            collection = store.store.collection()
            assert collection is not None
            assert collection.quantizer.startswith(f"{scheme} int{bits} ")
            found.append([document.page_content for document in store.similarity_search("text 3", k=5)])
    assert found[0] == found[1]
    assert found[2][:2] == found[0][:2]  # 4 bits may order what comes after in another way


def test_codes_of_bits_that_no_store_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="codes of 5 bits cannot be stored: give 8 or 4"):
        QuantizedSQLVectorStore(Words(), str(tmp_path / "store"), bits=5)
    Store.open(str(tmp_path / "another"), write=True).close()  # which it would not be, were the first left open
