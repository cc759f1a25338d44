"""What is counted and ranked here from the postings of some terms is what the statements of SQL count and rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import QUANTIZER, chunks_of, hash_encoder, source_document

import sql.search.everything
import sql.store.snapshot
from rag.int8.quantization import quantize_vectors
from rag.library import Library
from rag.retrieve.words import asked_words, weighed_among, weighed_words
from rag.text.analyser import ANALYSER, chunk_words
from sql.records import Candidate
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Store
from sql.store.snapshot import unwatched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.text.tokenizer import Tokenizer
    from sql.search.holders import Holders
    from sql.search.search import Step

WORDS = [f"w{number}" for number in range(25)]
PARTS = ["minister", "verteidigung", "verteidigungsminister", "glaçage", "glacage"]
QUESTIONS = ["w1 w2 glaçage", "verteidigungsminister w3", "w4", "w5 w6 w7 w8 minister w9 glacage", "w1 w1 w2"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Iterator[Library]:
    """Chunks of drawn words in three languages, many of them equal, with an old version, a deletion and a draft."""
    encoder, _ = hash_encoder(tokenizer)
    random = np.random.default_rng(21)
    with Store.open(str(tmp_path_factory.mktemp("stores") / "store"), write=True) as store:
        store.prepare(encoder.identity, QUANTIZER, ANALYSER)
        library = Library(store, lambda: encoder)
        for number, language in enumerate(["de", "fr", "en", "de", "", "fr"] * 2):
            texts = [
                " ".join([*random.choice(WORDS, random.integers(1, 9)), str(random.choice(PARTS))]) for _ in "12345"
            ]
            publish(library, f"doc {number}", [*texts, "w1 w2 w3", "w1 w2 w3"], language)
        publish(library, "doc 3", ["w1 w4 minister", "w2"], "de")
        publish(library, "gone", ["w1 w2 w3 w4 minister"] * 9, "de")
        gone = [document for document in store.snapshot().documents() if document.path == "/gone"]
        store.writer.publish([], gone)
        publish(library, "draft", ["w1 w2 w3 w4 minister"] * 9, "de", finish=False)
        yield library


def publish(library: Library, path: str, texts: list[str], language: str, *, finish: bool = True) -> None:
    draft = library.store.writer.begin(source_document(path))
    words = [chunk_words(text, language) for text in texts]
    vectors = quantize_vectors(library.encoder.encode_documents(texts))
    library.store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(texts)], vectors, words))
    if finish:
        library.store.writer.publish([draft])


def held(library: Library, question: str, language: str) -> tuple[Holders, object]:
    snapshot = Store(library.store.client).snapshot()
    asked = asked_words(snapshot, question, language)
    assert asked is not None
    holders = snapshot.holders(asked.terms)
    assert holders is not None
    return holders, weighed_among(holders, asked, snapshot.text_statistics())


@pytest.mark.everyday("auto")
@pytest.mark.parametrize("language", ["auto", "de", "fr"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_rarity_is_what_the_statements_count(library: Library, question: str, language: str) -> None:
    holders, words = held(library, question, language)
    snapshot = Store(library.store.client).snapshot()
    counted = snapshot.term_frequencies(holders.terms)
    assert {term: count for term, count in holders.term_counts.items() if count} == counted
    assert words == weighed_words(snapshot, question, language, unwatched)


@pytest.mark.everyday("auto")
@pytest.mark.parametrize("language", ["auto", "de", "fr"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_best_are_those_of_sql_with_chunks_found_by_meaning_first(
    library: Library, question: str, language: str
) -> None:
    holders, _ = held(library, question, language)
    snapshot = Store(library.store.client).snapshot()
    words = weighed_words(snapshot, question, language, unwatched)
    assert words is not None
    chunks = [(document.generation, index) for document in snapshot.documents() for index in range(2)]
    near = [Candidate(generation, index, 0.5) for generation, index in chunks[::2]]
    for k, some in ((1000, []), (1000, near), (len(near) + 5, near), (7, [])):
        right = snapshot.rank_by_words(words, SearchRequest(question, k, language=language), some)
        assert holders.best(words, k, some) == pytest.approx(right)
    assert holders.best(words, 0) == {}


def test_terms_that_no_chunk_holds_are_held_by_none(library: Library) -> None:
    holders = library.store.snapshot().holders(["nowhere", "never"])
    assert holders is not None
    assert holders.term_counts == {"nowhere": 0, "never": 0}
    assert len(holders.places) == 0


def test_a_draft_whose_rows_come_after_the_look_at_what_is_hidden_is_not_counted(library: Library) -> None:
    store = Store(library.store.client)
    snapshot = store.snapshot()
    before = snapshot.holders(["w1"])
    publish(library, "later draft", ["w1", "w1 w2"], "en", finish=False)
    after = snapshot.holders(["w1"])
    assert before is not None
    assert after is not None
    assert after.term_counts == before.term_counts


def test_a_larger_store_counts_and_ranks_in_sql(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql.search.everything, "EVERYTHING_UP_TO", 0)
    request = library.request("w1 w2 minister", k=12)
    found: dict[int, list] = {}
    for most in (10**6, 3):
        monkeypatch.setattr(sql.store.snapshot, "HELD_UP_TO", most)
        steps: list[Step] = []
        other = Library(Store(library.store.client), lambda: library.encoder)
        found[most] = [
            (hit.source, hit.chunk_index, round(hit.score, 9)) for hit in other.search(request, watch=steps.append)
        ]
        names = {step.statement.name for step in steps}
        assert ("postings" in names) == (most > 3)
        assert ("term_frequencies" in names) == (most == 3)
    assert found[3] == found[10**6]
