"""A small store is searched without candidates: every chunk by both scores, in two statements."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import QUANTIZER, chunks_of, hash_encoder, source_document

import sql.search.everything
import sql.store.snapshot
from rag.int8.quantization import quantize_query, quantize_vectors
from rag.library import Library
from rag.text.analyser import ANALYSER, chunk_words
from sql.base.errors import RagError
from sql.search.everything import Visible, first_of_each
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.text.tokenizer import Tokenizer
    from sql.engine.statements import Statement
    from sql.records import Hit
    from sql.search.search import Step

WORDS = [f"w{number}" for number in range(40)]
PARTS = ["minister", "verteidigung", "verteidigungsminister", "minister der verteidigung", "glaçage", "glacage"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Iterator[Library]:
    """Chunks of drawn words in three languages, some of them the same, with an old version, a deletion and a draft."""
    encoder, _ = hash_encoder(tokenizer)
    random = np.random.default_rng(11)

    def drawn() -> str:
        return " ".join([*random.choice(WORDS, random.integers(1, 12)), str(random.choice(PARTS))])

    with Store.open(str(tmp_path_factory.mktemp("stores") / "store"), write=True) as store:
        store.prepare(encoder.identity, QUANTIZER, ANALYSER)
        library = Library(store, lambda: encoder)
        for number, language in enumerate(["de", "fr", "en", "de", "", "fr"] * 2):
            publish(library, f"doc {number}", [drawn() for _ in range(8)] + ["w1 w2 w3"] * 2, language)
        publish(library, "doc 3", [drawn() for _ in range(5)], "de")
        publish(library, "gone", ["w1 w2 w3 w4 minister"] * 9, "de")
        store.writer.publish([], [document for document in documents(store) if document.path == "/gone"])
        publish(library, "draft", ["w1 w2 w3 w4 minister"] * 9, "de", finish=False)
        yield library


def documents(store: Store) -> list:
    return store.snapshot().documents()


def publish(library: Library, path: str, texts: Sequence[str], language: str, *, finish: bool = True) -> None:
    draft = library.store.writer.begin(source_document(path))
    words = [chunk_words(text, language) for text in texts]
    vectors = quantize_vectors(library.encoder.encode_documents(texts))
    library.store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(texts)], vectors, words))
    if finish:
        library.store.writer.publish([draft])


def questions(count: int) -> list[str]:
    random = np.random.default_rng(12)
    return [" ".join([*random.choice(WORDS, 3), str(random.choice(PARTS))]) for _ in range(count)]


def same(left: Sequence[Hit], right: Sequence[Hit]) -> bool:
    def key(hit: Hit) -> Hit:
        return replace(
            hit,
            score=round(hit.score, 9),
            vector_score=round(hit.vector_score or 0, 9),
            bm25_score=round(hit.bm25_score or 0, 9),
        )

    return [key(hit) for hit in left] == [key(hit) for hit in right]


@pytest.mark.everyday("0-None-hybrid", "given1-words")
@pytest.mark.parametrize("number", [3, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ranking", ["hybrid", "words"])
@pytest.mark.parametrize("given", [None, {"source": {"$glob": "doc ?"}}])
@pytest.mark.parametrize("held_up_to", [0, 1_000_000])
def test_hits_and_scores_are_those_of_candidates_that_miss_nothing(
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    held_up_to: int,
    given: dict | None,
    ranking: str,
    number: int,
) -> None:
    monkeypatch.setattr(sql.store.snapshot, "HELD_UP_TO", held_up_to)
    asked = [library.request(question, k=12, filter=given, ranking=ranking) for question in questions(number)]
    if given:  # words alone are looked for in the postings, where filters see nothing
        asked = [replace(request, vector=library.encoder.encode_query(request.question)) for request in asked]
    found = [library.search(request) for request in asked]
    monkeypatch.setattr(sql.search.everything, "EVERYTHING_UP_TO", 0)
    other = Library(Store(library.store.client), lambda: library.encoder)  # it remembers nothing
    for request, hits in zip(asked, found, strict=True):
        assert len(hits) == 12
        right = other.search(replace(request, k=100))
        if ranking == "words":  # which of equal ones come is chosen otherwise
            right = sorted(right, key=lambda hit: (-round(hit.score, 9), hit.document_id.int % 2**64, hit.chunk_index))
        assert same(hits, right[:12]), request.question


def test_equal_chunks_come_in_the_order_of_the_exact_search(library: Library) -> None:
    vector = library.encoder.encode_query("w1 w2 w3")
    snapshot, request = library.store.snapshot(), SearchRequest("w1 w2 w3", k=20, vector=vector)
    everything = snapshot.score_everything(quantize_query(vector), request, [])
    ranked = [everything.place(row) for row in everything.best(everything.products, 20).tolist()]
    exact = snapshot.search(quantize_query(vector), replace(request, strategy="exact"))
    assert len({hit.score for hit in exact}) < 10  # most of them are equal
    assert ranked == [(hit.generation, hit.chunk_index) for hit in exact]


def test_a_search_that_follows_another_takes_two_statements(library: Library) -> None:
    steps: list[Step] = []
    for question in ("w1 w2 minister", "w7 w8 glacage"):
        steps.clear()
        library.search(question, watch=steps.append)
    assert [step.statement.name for step in steps] == ["score_everything", "hits"]


def anew(library: Library) -> Library:
    """The same store without what searches have left behind."""
    return Library(Store(library.store.client), lambda: library.encoder)


def drawn_requests(library: Library, count: int) -> list[SearchRequest]:
    """Searches of every kind, several of each filter."""
    random = np.random.default_rng(13)
    filters: list[dict | None] = [None, None, {"source": {"$glob": "doc 1*"}}, {"source": "doc 3"}]
    return [
        SearchRequest(
            question,
            k=int(random.integers(1, 40)),
            vector=library.encoder.encode_query(question),
            filter=filters[random.integers(len(filters))],
            ranking=str(random.choice(["hybrid", "hybrid", "vector", "words"])),
            per_document=[None, None, 2][random.integers(3)],
            language=str(random.choice(["auto", "de", "fr"])),
        )
        for question in questions(count)
    ]


def test_searches_that_come_together_find_what_each_finds_alone(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, apart, requests = anew(library), anew(library), drawn_requests(library, 30)
    alone = [apart.certified_search(request) for request in requests]
    steps: list[list[Step]] = [[] for _ in requests]
    client, read = busy.store.client, busy.store.client.query_packed

    def read_slowly(statement: Statement) -> bytes:
        time.sleep(0.1)  # so that the others come meanwhile
        return read(statement)

    monkeypatch.setattr(client, "query_packed", read_slowly)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda n: busy.certified_search(requests[n], watch=steps[n].append), range(30)))
    assert found == alone
    heard = Counter(id(step) for some in steps for step in some)
    shared = {step.statement.name for some in steps for step in some if heard[id(step)] > 1}
    assert {"score_everything_together", "hits"} <= shared


def test_many_searches_find_what_each_finds_and_share_statements(library: Library) -> None:
    requests = [replace(request, vector=None) for request in drawn_requests(library, 20)]
    steps: list[Step] = []
    assert library.search_many(requests, watch=steps.append) == [library.search(request) for request in requests]
    assert len({id(step) for step in steps}) < len(steps)
    assert library.search_many([]) == []
    ((first,), (second,)) = library.search_many(["w1 w2", "w1 w2"], k=1)
    assert first == second


def test_of_many_searches_what_is_wrong_with_one_is_said_before_any_is_searched(library: Library) -> None:
    steps: list[Step] = []
    with pytest.raises(RagError, match="question is empty"):
        library.search_many(["w1", " "], watch=steps.append)
    assert not steps
    with pytest.raises(RagError, match="no_such_name"):
        library.search_many(["w1", SearchRequest("w1", filter={"no_such_name": 1})])


def test_what_is_wrong_with_one_search_touches_no_other_that_comes_with_it(library: Library) -> None:
    busy = anew(library)

    def searched(number: int) -> str:
        try:
            wrong = {"filter": {"no_such_name": 1}} if number % 3 == 0 else {"k": 0} if number % 3 == 1 else {}
            return busy.search(f"w{number} w2", **wrong)[0].source
        except RagError as error:
            return type(error).__name__

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(searched, range(12)))
    assert set(found[0::3]) == {"InvalidFilter"}
    assert set(found[1::3]) == {"UsageError"}
    assert not {*found[2::3]} & {"InvalidFilter", "UsageError"}


def test_a_search_by_words_takes_two_statements_and_finds_what_has_one_of_them(library: Library) -> None:
    library.search("w9", ranking="words")
    steps: list[Step] = []
    hits = library.search("w20", k=200, ranking="words", watch=steps.append)
    assert [step.statement.name for step in steps] == ["postings", "hits"]
    assert 0 < len(hits) < 100
    assert all("w20" in hit.text.split() and hit.vector_score is None for hit in hits)


def test_the_frequencies_of_its_words_are_remembered(library: Library) -> None:
    library.search("w11 w12 w13")
    steps: list[Step] = []
    found = library.store.snapshot().term_frequencies(["w11", "w12", "w13"], steps.append)
    assert not steps
    assert found == Store(library.store.client).snapshot().term_frequencies(["w11", "w12", "w13"])


def test_an_earlier_epoch_is_searched_as_it_was(library: Library) -> None:
    before = library.search("w1 w2 w3 w4 minister", k=200)
    assert not {hit.source for hit in before} & {"gone", "draft"}
    last = library.store.epoch()
    earlier = library.search("w1 w2 w3 w4 minister", k=200, epoch=last - 1)
    assert sources_of(earlier)["gone"] == 9
    assert sources_of(before) | {"gone": 9} == sources_of(earlier)


def sources_of(hits: Sequence[Hit]) -> dict[str, int]:
    return {source: sum(hit.source == source for hit in hits) for source in {hit.source for hit in hits}}


def test_what_another_store_of_the_same_engine_publishes_is_seen_at_once(library: Library) -> None:
    before = library.store.epoch()
    assert library.store.epoch() == before
    with Store.open(str(library.store.client.location), write=True) as other:
        publish(Library(other, lambda: library.encoder), "late", ["seldom seen"], "en")
        assert library.store.epoch() == before + 1
        assert library.search("seldom", k=1)[0].source == "late"


def test_no_more_than_so_many_of_one_document_are_taken() -> None:
    order, owners = np.array([5, 3, 0, 4, 1, 2]), np.array([7, 7, 8, 7, 8, 7])
    assert first_of_each(order, owners, 1).tolist() == [5, 4]
    assert first_of_each(order, owners, 2).tolist() == [5, 3, 4, 2]
    assert first_of_each(order, owners, 9).tolist() == order.tolist()


def test_a_store_without_documents_has_no_places() -> None:
    visible = Visible.unpack(b"")
    assert visible.places(np.array([1, 2], np.uint64), np.array([0, 1], np.uint32)).tolist() == [-1, -1]
    assert visible.is_small
