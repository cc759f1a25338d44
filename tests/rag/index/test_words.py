"""The word index and the searches over it: BM25 equal to a reference, live chunks only, both scores put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import bm25s
import numpy as np
import pytest
from support import QUANTIZER, chunks_of, draft_document, hash_encoder, open_store, search, source_document

import rag.retrieve.retriever
import rag.retrieve.words
import sql.search.everything
import sql.search.search
import sql.store.snapshot
from rag.int8.quantization import quantize_query, quantize_vectors
from rag.library import Library
from rag.retrieve.retriever import VECTOR_SHARE, Retriever, pieces_per_word
from rag.retrieve.words import (
    COMPOUND_WEIGHT,
    OTHER_LANGUAGE_WEIGHT,
    question_language,
    question_languages,
    rarity,
    weighed_words,
)
from rag.text.analyser import ANALYSER, analyse, chunk_words
from sql.base.errors import StoreError, StoreMismatch, UsageError
from sql.engine.statements import Statement
from sql.records import Chunk, ChunkWords, TextStatistics, WordQuery
from sql.search.request import SearchRequest
from sql.search.words import K1, B, words_checksum
from sql.store import ChunkBatch, Store
from sql.store.snapshot import unwatched
from sql.upkeep.cells import maintain_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer
    from sql.records import Hit
    from sql.search.search import Step

TEXTS = {
    "kiln": ["The kiln is fired at a high temperature.", "A glaze melts in the kiln. The kiln cools slowly."],
    "bread": ["Bread is baked in an oven.", "The oven and the kiln are both hot, but bread needs less heat."],
    "glaze": ["Glazes are made of silica, alumina and a flux."],
}


@dataclass
class Shelf:
    """A store with an encoder, filled with texts and their words."""

    store: Store
    encoder: Encoder

    def publish(self, path: str, texts: Sequence[str], language: str = "en") -> int:
        """A whole document; its vectors are those of the encoder."""
        draft = self.store.writer.begin(source_document(path))
        chunks = [Chunk(number, text, 0, len(text), 1, 0, "", 1) for number, text in enumerate(texts)]
        vectors = quantize_vectors(self.encoder.encode_documents(texts))
        words = [chunk_words(text, language) for text in texts]
        self.store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks], vectors, words))
        return self.store.writer.publish([draft])

    @property
    def library(self) -> Library:
        """A new one, that remembers nothing."""
        return Library(self.store, lambda: self.encoder)

    def word_query(self, question: str) -> WordQuery | None:
        """What a question asks of the word index."""
        return weighed_words(self.store.snapshot(), question, "auto", unwatched)


@pytest.fixture
def shelf(tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Shelf]:
    encoder, _ = hash_encoder(tokenizer)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(encoder.identity, QUANTIZER, ANALYSER)
        yield Shelf(store, encoder)


@pytest.fixture
def full(shelf: Shelf) -> Shelf:
    for path, texts in TEXTS.items():
        shelf.publish(path, texts)
    return shelf


def places(hits: Sequence[Hit]) -> list[tuple[str, int]]:
    return [(hit.source, hit.chunk_index) for hit in hits]


def rounded(hits: Sequence[Hit]) -> list[Hit]:
    """Hits without what the order of additions makes of their scores."""
    return [
        replace(hit, score=round(hit.score, 9), bm25_score=None if hit.bm25_score is None else round(hit.bm25_score, 9))
        for hit in hits
    ]


def reference_scores(corpus: Sequence[Sequence[str]], question: Sequence[str]) -> list[float]:
    """The BM25 score of every text by another program."""
    model = bm25s.BM25(method="lucene", k1=K1, b=B)
    model.index([list(terms) for terms in corpus], show_progress=False)
    known = [term for term in question if term in model.vocab_dict]
    return [float(score) for score in model.get_scores(known)] if known else [0.0] * len(corpus)


# BM25


def test_bm25_scores_are_those_of_the_reference(full: Shelf) -> None:
    texts = {(path, number): text for path, some in TEXTS.items() for number, text in enumerate(some)}
    for question in ("the kiln", "hot kiln glaze", "kiln kiln oven", "bread heat silica unknown"):
        expected = reference_scores([analyse(text, "en") for text in texts.values()], analyse(question, "en"))
        wanted = {place: score for place, score in zip(texts, expected, strict=True) if score > 0}
        hits = Library(full.store, language="en").search(question, k=10, ranking="words")
        assert dict(zip(places(hits), (hit.score for hit in hits), strict=True)) == pytest.approx(wanted, rel=1e-5)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_bm25_scores_of_a_random_collection_are_those_of_the_reference(shelf: Shelf) -> None:
    random = np.random.default_rng(5)
    words = [f"w{number}" for number in range(60)]
    texts = [" ".join(random.choice(words, random.integers(1, 40), p=zipf(60))) for _ in range(150)]
    for first in range(0, 150, 10):
        shelf.publish(f"d{first}", texts[first : first + 10], "")
    for _ in range(5):
        question = " ".join(random.choice(words, 4))
        expected = reference_scores([text.split() for text in texts], question.split())
        hits = Library(shelf.store, language="none").search(question, k=150, ranking="words")
        found = {int(hit.source[1:]) + hit.chunk_index: hit.score for hit in hits}
        assert [found.get(number, 0.0) for number in range(150)] == pytest.approx(expected, rel=1e-5)


def zipf(count: int) -> NDArray[np.float64]:
    weights = 1 / np.arange(1, count + 1)
    return np.asarray(weights / weights.sum())


def test_rarity_worked_out_by_hand() -> None:
    assert rarity(0, 0) == pytest.approx(np.log(2))
    assert rarity(1, 10) == pytest.approx(np.log(1 + 9.5 / 1.5))
    assert rarity(10, 10) > 0


def test_statistics_count_what_can_be_seen_and_nothing_else(full: Shelf) -> None:
    store = full.store

    def kiln() -> tuple[TextStatistics, dict[str, int]]:
        epoch = store.epoch()
        return store.snapshot(epoch).text_statistics(), store.snapshot(epoch).term_frequencies(["kiln", "oven"])

    lengths = {path: sum(len(analyse(text, "en")) for text in texts) for path, texts in TEXTS.items()}
    before = (TextStatistics(5, sum(lengths.values()), ("en",)), {"kiln": 3, "oven": 2})
    assert kiln() == before
    draft_document(store, "draft", ["kiln oven"], language="en")
    assert kiln() == before  # not published
    first = store.epoch()
    full.publish("bread", ["Brot backt im Ofen."], "de")
    after = (TextStatistics(4, lengths["kiln"] + lengths["glaze"] + 3, ("en", "de")), {"kiln": 2})
    assert kiln() == after
    assert store.snapshot(first).text_statistics() == before[0]
    assert store.snapshot(first).term_frequencies(["kiln", "oven"]) == before[1]
    store.writer.publish([], [document for document in store.snapshot().documents() if document.source == "kiln"])
    assert kiln() == (TextStatistics(2, lengths["glaze"] + 3, ("de", "en")), {})


def test_replaced_and_deleted_words_are_not_found_and_leave_the_tables(full: Shelf) -> None:
    store = full.store
    full.publish("kiln", ["Nothing about it."])
    assert places(full.library.search("kiln", k=9, ranking="words")) == [("bread", 1)]
    store.writer.publish([], [document for document in store.snapshot().documents() if document.source == "bread"])
    assert full.library.search("kiln", k=9, ranking="words") == []
    assert store.garbage.collect_unseen(grace_seconds=0) == 2
    for table in ("chunks", "lengths", "postings"):
        assert store.client.text(f"SELECT uniqExact(generation) FROM {table}", "TSV") == b"2\n", table
    assert store.snapshot().damaged_documents() == []


def test_a_search_at_an_epoch_scores_with_the_statistics_of_that_epoch(full: Shelf) -> None:
    epoch = full.store.epoch()
    before = full.library.search("hot kiln", epoch=epoch, k=9, ranking="words")
    full.publish("more", ["kiln"] * 50)
    assert full.library.search("hot kiln", epoch=epoch, k=9, ranking="words") == before
    assert full.library.search("hot kiln", k=9, ranking="words")[0].score != before[0].score


# Writing


def test_words_that_did_not_arrive_whole_publish_nothing(shelf: Shelf) -> None:
    store = shelf.store
    for damage in (
        "DELETE FROM postings WHERE term = 'kiln'",
        "ALTER TABLE postings UPDATE frequency = 9 WHERE term = 'kiln'",
        "DELETE FROM lengths WHERE chunk_index = 1",
    ):
        epoch = store.epoch()
        draft = draft_document(store, "kiln", TEXTS["kiln"], language="en")
        store.client.text(damage, None)
        with pytest.raises(StoreError, match=r"kiln: of its \d+ words \d+ arrived in .*; nothing was published"):
            store.writer.publish([draft])
        assert store.epoch() == epoch


def test_damage_to_the_words_of_a_published_document_is_found(full: Shelf) -> None:
    assert full.store.snapshot().damaged_documents() == []
    full.store.client.text("DELETE FROM postings WHERE term = 'silica'", None)
    full.store.client.text("DELETE FROM lengths WHERE chunk_index = 1 AND terms = 5", None)
    assert "/glaze" in full.store.snapshot().damaged_documents()


def test_checksums_in_sql_and_in_python_agree_beyond_64_bits(shelf: Shelf) -> None:
    words = ChunkWords("en", {"größe": 2**31, "猫": 3, "x": 1})
    draft = shelf.store.writer.begin(source_document("big"))
    chunk = Chunk(2**32 - 2, "x", 0, 1, 1, 0, "", 1)
    vectors = quantize_vectors(shelf.encoder.encode_documents(["x"]))
    shelf.store.writer.insert(ChunkBatch([(draft, chunk)], vectors, [words]))
    (row,) = shelf.store.client.query(Statement("count_postings", {"generations": [draft.generation]}))
    assert row["checksum_sum"] == words_checksum(words, chunk.index)


def test_chunks_and_words_must_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="0 chunks came with the words of 1"):
        ChunkBatch([], quantize_vectors(np.empty((0, 8), dtype=np.float32)), [ChunkWords("", {})])
    with pytest.raises(ValueError, match="at least once"):
        ChunkWords("", {"a": 0})
    with pytest.raises(ValueError, match="came twice"):
        WordQuery(("a", "a"), (1.0, 1.0), 1.0, 1.0)


# Languages


def test_a_question_without_a_language_of_its_own_gets_the_most_common_one(shelf: Shelf) -> None:
    shelf.publish("de", ["Die Panther verteidigten.", "Der Panther läuft.", "Das Spiel der Panther"], "de")
    shelf.publish("en", ["The panthers play."], "en")
    statistics = shelf.store.snapshot().text_statistics()
    questions = {"Panther": "de", "what are the panthers": "en", "Qui sont les panthères dans la ville ?": "de"}
    assert {text: question_language(text, statistics, "auto") for text in questions} == questions
    assert question_language("Panther", statistics, "fr") == "fr"


def test_a_question_gets_the_forms_of_every_language_of_the_store(shelf: Shelf) -> None:
    shelf.publish("de", ["Die Panther verteidigten.", "Der Panther läuft.", "Das Spiel der Panther"], "de")
    shelf.publish("en", ["The panthers play."], "en")
    statistics = shelf.store.snapshot().text_statistics()
    assert statistics.languages == ("de", "en")
    questions = {
        "Panther": ("", ["de", "en"]),
        "what are the panthers": ("en", ["de", "en"]),
        "Qui sont les panthères dans la ville ?": ("fr", ["de", "en"]),
    }
    assert {text: question_languages(text, statistics, "auto") for text in questions} == questions
    assert question_languages("Panther", statistics, "fr") == ("fr", ["fr"])


@pytest.mark.everyday("languages2")
@pytest.mark.parametrize(
    "languages",
    [
        ["mul", "en"],
        ["en", ""],
        ["de", "en", "en de"],
        *(pytest.param(one, marks=pytest.mark.slow) for one in (["en", "mul"], ["", "en", "en"], ["mul"], [""])),
    ],
)
def test_a_text_of_any_language_holds_the_words_that_stand_in_it(shelf: Shelf, languages: list[str]) -> None:
    for number, language in enumerate(languages):
        shelf.publish(str(number), [f"deliveries: monday {number}"], language)
        shelf.publish(f"other {number}", [f"kiln shelf {number}"], language)
    for question in ("deliveries", "When are the deliveries?", "DELIVERIES", "Wann sind die deliveries?"):
        found = {hit.source for hit in shelf.library.search(question, k=99, ranking="words")}
        assert found == {str(number) for number in range(len(languages))}, question


def test_texts_without_a_language_are_met_by_other_forms_of_their_words(shelf: Shelf) -> None:
    lists = ("mul", "en de", "de en")
    for language in lists:
        shelf.publish(language, ["glazes, glaze: celadon"], language)
    shelf.publish("prose", ["All the glazes are in the shed, and the kiln is hot."], "en")
    shelf.publish("prosa", ["Die Öfen und die Glasuren stehen im Schuppen."], "de")
    for question in ("glaze", "glazes", "glazed", "Where are the glazes?"):
        hits = shelf.library.search(question, k=9, ranking="words")
        assert {hit.source for hit in hits} == {*lists, "prose"}, question


def test_several_forms_of_a_word_in_one_chunk_count_once(shelf: Shelf) -> None:
    alone = Counter({"kiln": 1})
    for number, terms in enumerate([{"glaze": 1}, {"glaze": 1, "glaz": 1}, {"glaz": 1}, alone]):
        publish_words(shelf, str(number), ChunkWords("mul", terms, 2))
    shelf.publish("en", ["hot kiln"], "en")
    shelf.publish("de", ["heiss kiln"], "de")
    words = shelf.word_query("glazes")
    assert words is not None
    assert (words.terms, len(set(words.words))) == (("glaz", "glaze"), 1)
    assert words.weights == pytest.approx([rarity(3, 6)] * 2)  # three chunks hold it, whatever its form
    hits = shelf.library.search("glazes", k=9, ranking="words")
    assert sorted(hit.source for hit in hits) == ["0", "1", "2"]
    assert [hit.score for hit in hits] == pytest.approx([hits[0].score] * 3)
    hybrid = {hit.source: hit.bm25_score for hit in shelf.library.search("glazes", k=9)}
    assert hybrid == pytest.approx({hit.source: hit.score for hit in hits} | dict.fromkeys(["3", "en", "de"], 0.0))


def test_forms_of_another_language_than_the_questions_count_half(shelf: Shelf) -> None:
    shelf.publish("en", ["All the glazes are here."], "en")
    shelf.publish("de", ["Die glazes sind hier."], "de")
    words = shelf.word_query("What are the glazes?")
    assert words is not None
    assert dict(zip(words.terms, words.weights, strict=True)) == pytest.approx(
        {"glaze": rarity(2, 2), "glaz": OTHER_LANGUAGE_WEIGHT * rarity(2, 2)}
    )
    assert words.most == pytest.approx(rarity(2, 2))
    hits = shelf.library.search("What are the glazes?", k=9, ranking="words")
    assert [hit.source for hit in hits] == ["en", "de"]


def publish_words(shelf: Shelf, path: str, words: ChunkWords) -> None:
    draft = shelf.store.writer.begin(source_document(path))
    chunk = Chunk(0, path, 0, len(path), 1, 0, "", 1)
    vectors = quantize_vectors(shelf.encoder.encode_documents([path]))
    shelf.store.writer.insert(ChunkBatch([(draft, chunk)], vectors, [words]))
    shelf.store.writer.publish([draft])


ACCENTS = [
    ("pt", "A instalação está no prédio e não na rua.", "instalacao"),
    ("pt", "As configurações são do forno.", "configuracoes"),
    ("fr", "Les données de la société sont dans le bâtiment.", "donnees"),
    ("fr", "C'est une œuvre de la sécurité.", "oeuvre securite"),
    ("en", "The cliché of his résumé is an appliqué.", "resume cliche applique"),
    ("en", "This is Søren of Łódź, who has a café.", "soren lodz cafe"),
    ("it", "La qualità è della città.", "qualita"),
    ("es", "La configuración del teléfono está en el árbol.", "configuracion telefono arbol"),
    ("de", "Die Öfen und die Größe für den Müller", "oefen groesse mueller"),
    ("da", "Det er i Århus og i København.", "aarhus koebenhavn"),
    ("sv", "Det är en smörgås för mig i Malmö.", "smoergaas malmoe"),
    ("mul", "Đà Nẵng, Iğdır, Brașov, Reşiţa, Poincaré", "da nang igdir brasov resita poincare"),
]


def test_words_meet_however_their_accents_are_typed(shelf: Shelf) -> None:
    for language, accented, typed in ACCENTS:
        shelf.publish(f"accents {typed}", [accented], language)
        shelf.publish(f"typed {typed}", [typed], language)
    for language, accented, typed in ACCENTS:
        both = {f"accents {typed}", f"typed {typed}"}
        for word in typed.split():
            assert both <= {hit.source for hit in shelf.library.search(word, k=9, ranking="words")}, word
        for word in accented.replace(",", "").replace(".", "").split():
            if not word.isascii() and analyse(word, language):
                assert f"accents {typed}" in {hit.source for hit in shelf.library.search(word, k=9, ranking="words")}, (
                    word
                )


def test_letters_of_their_own_are_not_merged_with_others(shelf: Shelf) -> None:
    shelf.publish("sheep", ["Ett får står på ängen"], "sv")
    shelf.publish("father", ["Min far står där"], "sv")
    assert [hit.source for hit in shelf.library.search("far", k=9, ranking="words")] == ["father"]
    assert [hit.source for hit in shelf.library.search("får", k=9, ranking="words")] == ["sheep"]


# Names that are stop words


NAMES: dict[str, set[str]] = {
    "WAS": {"was"},
    "was": {"was"},
    "What does WAS stand for?": {"was"},
    "The Who": {"who"},
    "the who": {"who"},
    "IT": {"it"},
    "Who works in IT?": {"it"},
    "to be or not to be": {"hamlet"},
    "kiln": {"kiln"},
    "What is the kiln?": {"kiln"},
    "WHAT IS THE KILN": {"kiln"},
}


def test_names_and_acronyms_that_are_stop_words_are_found(shelf: Shelf) -> None:
    shelf.publish("was", ["The application server WAS is made by a company, and it was there before."])
    shelf.publish("who", ["The songs were played by The Who in Leeds for those who paid."])
    shelf.publish("it", ["Ask the IT department about that."])
    shelf.publish("hamlet", ["To be or not to be"])
    shelf.publish("kiln", ["It is what it is: the kiln was hot. Who fired it?"])
    for question, found in NAMES.items():
        assert {hit.source for hit in shelf.library.search(question, k=9, ranking="words")} == found, question


def test_a_compound_of_the_question_finds_its_parts_at_half_their_weight(shelf: Shelf) -> None:
    shelf.publish("de", ["Der Minister spricht.", "Die Verteidigung hält.", "Ein Tisch."], "de")
    words = shelf.word_query("Was sagt der Verteidigungsminister?")
    assert words is not None
    assert dict(zip(words.terms, words.weights, strict=True)) == pytest.approx(
        {"minist": COMPOUND_WEIGHT * rarity(1, 3), "verteid": COMPOUND_WEIGHT * rarity(1, 3)}
    )
    assert words.most == pytest.approx(2 * rarity(0, 3))  # of what was asked: `sagt` and the compound
    hits = shelf.library.search("Was sagt der Verteidigungsminister?", k=5, ranking="words")
    assert {hit.chunk_index for hit in hits} == {0, 1}


# Both together


def test_a_hybrid_score_is_the_weighted_mean_of_cosine_and_share_of_the_most_bm25(full: Shelf) -> None:
    question = "the hot kiln"
    hits = full.library.search(question, k=9)
    words = full.word_query(question)
    assert words is not None
    assert words.most == pytest.approx(rarity(1, 5) + rarity(3, 5))
    # `the` is one piece of this tokenizer, `hot` three letters and `kiln` four.
    share = VECTOR_SHARE / (8 / 3)
    assert len(hits) == 5
    vector = {
        place: hit.score for hit in full.library.search(question, k=9, ranking="vector") for place in places([hit])
    }
    bm25 = {place: hit.score for hit in full.library.search(question, k=9, ranking="words") for place in places([hit])}
    for hit, place in zip(hits, places(hits), strict=True):
        assert hit.vector_score == pytest.approx(vector[place])
        assert hit.bm25_score == pytest.approx(bm25.get(place, 0.0))
        assert hit.score == pytest.approx(share * vector[place] + (1 - share) * bm25.get(place, 0.0) / words.most)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_hybrid_search_that_looks_at_few_candidates_gives_each_its_exact_scores(
    full: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = {place: hit for hit in full.library.search("hot kiln", k=9) for place in places([hit])}
    monkeypatch.setattr(rag.retrieve.retriever, "FUSED_CANDIDATES", 1)
    hits = full.library.search("hot kiln", k=1)
    (nearest,) = full.library.search("hot kiln", k=1, ranking="vector")
    (best,) = full.library.search("hot kiln", k=1, ranking="words")
    candidates = [everything[place] for place in {*places([nearest]), *places([best])}]
    assert hits == [max(candidates, key=lambda hit: hit.score)]


def test_without_a_common_word_a_hybrid_search_is_a_vector_search(full: Shelf) -> None:
    for question in ("xylophone", "the and of", "?"):
        vector = full.library.search(question, k=3, ranking="vector")
        assert len(vector) == 3
        assert full.library.search(question, k=3) == vector
        assert full.library.search(question, k=3, ranking="words") == []


def test_hits_by_words_have_cosines_where_the_request_has_a_vector(full: Shelf) -> None:
    bare = full.library.search("hot kiln", k=9, ranking="words")
    vector = full.encoder.encode_query("hot kiln")
    rich = full.library.search("hot kiln", k=9, ranking="words", vector=vector)
    assert [replace(hit, vector_score=None) for hit in rich] == bare
    query = quantize_query(vector)
    cosines = {place: hit.score for hit in search(full.store, query, 9) for place in places([hit])}
    assert [hit.vector_score for hit in rich] == pytest.approx([cosines[place] for place in places(rich)])


def test_pieces_per_word_worked_out_by_hand(tokenizer: Tokenizer) -> None:
    assert pieces_per_word("the cat", tokenizer) == 1
    assert pieces_per_word("The bird!", tokenizer) == 2.5  # b ##i ##r ##d
    assert pieces_per_word("?", tokenizer) == 1


# Refusals and the open interface


def test_modes_that_cannot_be_had_are_refused_with_the_remedy(full: Shelf) -> None:
    with pytest.raises(UsageError, match="'magic' is not known: choose one of hybrid, vector, words"):
        full.library.search("x", k=1, ranking="magic")
    for ranking in ("vector", "hybrid"):
        with pytest.raises(UsageError, match=f"the ranking '{ranking}' compares vectors and the request has none"):
            Retriever().retrieve(full.store.snapshot(), SearchRequest("x", ranking=ranking))


def test_words_of_another_analyser_are_refused_with_the_remedy(
    full: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    full.store.made_with.check_analyser(ANALYSER)
    monkeypatch.setattr(rag.retrieve.words, "ANALYSER", "words 0")
    with pytest.raises(
        StoreMismatch, match=r"was written with the analyser 'words 2.*, and now 'words 0' is in use: have them made"
    ):
        full.library.search("kiln", k=1)
    assert full.library.search("kiln", k=1, ranking="vector")
    with pytest.raises(StoreMismatch, match="ingest the documents into a new store"):
        full.store.prepare(full.encoder.identity, QUANTIZER, "words 2")


def test_a_store_without_words_can_be_searched_by_vectors_only(tmp_path: Path) -> None:
    with open_store(tmp_path / "bare") as store, pytest.raises(StoreMismatch, match="has no words"):
        Library(store).search("kiln", k=1, ranking="words")


@dataclass
class LongestFirst:
    """A reranker that anyone can follow."""

    seen: list[int] = field(default_factory=list)

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Length of each text."""
        assert question == "hot kiln"
        self.seen.append(len(texts))
        return [len(text) for text in texts]


def test_a_reranker_orders_more_candidates_than_are_asked_for(full: Shelf) -> None:
    rerank = LongestFirst()
    hits = full.library.search("hot kiln", k=2, reranker=rerank)
    lengths = Counter({text: len(text) for texts in TEXTS.values() for text in texts})
    assert [(hit.text, hit.score) for hit in hits] == lengths.most_common(2)
    assert rerank.seen == [5]


# Filters, caps and cells


def test_a_filter_holds_for_words_and_for_both_and_leaves_the_rarity_as_it_is(full: Shelf) -> None:
    unfiltered = {place: hit for hit in full.library.search("hot kiln", k=9) for place in places([hit])}
    for ranking in ("words", "hybrid"):
        hits = full.library.search("hot kiln", k=9, ranking=ranking, filter={"source": "kiln"})
        assert sorted(places(hits)) == [("kiln", 0), ("kiln", 1)]
        assert [hit.bm25_score for hit in hits] == [unfiltered[place].bm25_score for place in places(hits)]
    assert full.library.search("hot kiln", k=9, filter={"source": "nowhere"}) == []
    assert places(full.library.search("oven", k=9, ranking="words", filter={"path": {"$glob": "/br*"}})) == [
        ("bread", 0),
        ("bread", 1),
    ]


def test_a_cap_for_one_document_leaves_its_best_chunks(full: Shelf) -> None:
    for ranking in ("words", "hybrid"):
        hits = full.library.search("hot kiln", k=9, ranking=ranking)
        best = list({hit.source: hit for hit in reversed(hits)}.values())
        capped = full.library.search("hot kiln", k=9, ranking=ranking, per_document=1)
        assert sorted(places(capped)) == sorted(places(best))
        assert [hit.score for hit in capped] == sorted((hit.score for hit in best), reverse=True)


@pytest.mark.everyday("large")
@pytest.mark.parametrize("size", ["small", "middling", "large"])
def test_k_documents_come_back_however_many_chunks_of_one_are_better(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setattr(rag.retrieve.retriever, "FUSED_CANDIDATES", 4)
    if size != "small":
        monkeypatch.setattr(sql.search.everything, "EVERYTHING_UP_TO", 0)
    if size == "large":
        monkeypatch.setattr(sql.search.search, "EXACT_UP_TO", 0)
        shelf.library.search("kiln", k=1, ranking="vector")
    shelf.publish("long", ["kiln kiln kiln"] * 1_200)
    for number in range(6):
        shelf.publish(f"short {number}", [f"a kiln of brick and clay {number}", "no such word"])
    for ranking in ("words", "hybrid"):
        for given in (None, {"source": {"$glob": "*"}}):
            hits = shelf.library.search("kiln", k=7, ranking=ranking, per_document=1, filter=given)
            assert len({hit.source for hit in hits}) == len(hits) == 7
            assert all("kiln" in hit.text for hit in hits) or ranking == "hybrid"
        hits = shelf.library.search("kiln", k=8, ranking=ranking, per_document=2)
        assert Counter(hit.source for hit in hits)["long"] == 2
        assert len(hits) == 8


def test_a_document_is_shown_by_its_best_chunk_by_words_though_another_is_nearer(shelf: Shelf) -> None:
    shelf.publish("long", ["wheel of clay", "the glaze of the kiln", "clay"])
    shelf.publish("short", ["the wheel"])
    uncapped = shelf.library.search("the glaze of the kiln", k=9)
    best = {hit.source: hit for hit in reversed(uncapped)}
    capped = shelf.library.search("the glaze of the kiln", k=9, per_document=1)
    assert {hit.source: hit for hit in capped} == best


def test_words_move_with_the_chunks_into_their_cells(full: Shelf) -> None:
    before = full.library.search("hot kiln", k=9)
    assert maintain_cells(full.store, least=1) == len(TEXTS)
    after = full.library.search("hot kiln", k=9)
    assert [(hit.text, hit.bm25_score) for hit in after] == [(hit.text, hit.bm25_score) for hit in before]
    full.store.garbage.collect_unseen(grace_seconds=0)
    assert full.library.search("hot kiln", k=9) == after
    assert full.store.snapshot().damaged_documents() == []


# Large stores


@pytest.mark.parametrize(("held_up_to", "statement"), [(0, "search_bm25_large"), (10**6, "postings")])
def test_words_in_a_large_store_are_ranked_as_in_a_small_one_whatever_drafts_and_old_versions_it_holds(
    full: Shelf, monkeypatch: pytest.MonkeyPatch, held_up_to: int, statement: str
) -> None:
    monkeypatch.setattr(sql.store.snapshot, "HELD_UP_TO", held_up_to)
    late = full.store.writer.begin(source_document("late"))
    full.publish("bread", ["Bread is baked in a hot oven."])  # an old version of it stays in the tables
    question = "the hot kiln and the oven"
    right = {ranking: full.library.search(question, k=4, ranking=ranking) for ranking in ("hybrid", "words")}
    monkeypatch.setattr(sql.search.everything, "EVERYTHING_UP_TO", 0)
    monkeypatch.setattr(sql.search.search, "EXACT_UP_TO", 0)
    steps: list[Step] = []

    def found(ranking: str) -> list[Hit]:
        return full.library.search(question, k=4, ranking=ranking, watch=steps.append)

    assert {ranking: rounded(found(ranking)) for ranking in right} == {
        ranking: rounded(hits) for ranking, hits in right.items()
    }
    assert sum(step.statement.name == statement for step in steps) == 2
    texts = ["hot kiln", "hot oven", "hot hot kiln oven", "kiln oven", "hot kiln oven"]
    chunks = [(late, chunk) for chunk in chunks_of(texts)]
    vectors = quantize_vectors(full.encoder.encode_documents(texts))
    full.store.writer.insert(ChunkBatch(chunks, vectors, [chunk_words(text, "en") for text in texts]))
    steps.clear()
    for ranking in ("words", "hybrid"):
        assert rounded(found(ranking)) == rounded(right[ranking])
    if not held_up_to:  # all of the first four were the draft's, so more were asked for
        assert [step.statement.values["k"] for step in steps if step.stage == "words"][:2] == [4, 32]


def test_what_cannot_be_among_the_best_is_left_out_and_changes_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    words = [f"w{number}" for number in range(60)]
    texts = [" ".join(random.choice(words, 12, p=zipf(60))) for _ in range(120)]
    for first in range(0, 120, 20):
        shelf.publish(f"doc {first}", texts[first : first + 20])
    monkeypatch.setattr(rag.retrieve.retriever, "FUSED_CANDIDATES", 40)
    monkeypatch.setattr(sql.search.everything, "EVERYTHING_UP_TO", 0)
    questions = [" ".join(random.choice(words, 4, p=zipf(60))) for _ in range(25)]
    fetched: list[int] = []

    def ask(question: str) -> list[Hit]:
        def watch(step: Step) -> None:
            if step.stage == "scores":
                fetched.append(len(step.statement.values["generations"]))  # type: ignore[arg-type]

        return shelf.library.search(question, k=5, watch=watch)

    pruned = [ask(question) for question in questions]
    few = sum(fetched)
    fetched.clear()
    monkeypatch.setattr(rag.retrieve.retriever, "contenders", lambda scores, *_: scores)
    assert [ask(question) for question in questions] == pruned
    assert few < sum(fetched) / 2


def test_the_frequency_of_a_term_is_counted_once_an_epoch(full: Shelf) -> None:
    counted: list[object] = []

    def frequencies(*terms: str) -> dict[str, int]:
        watch = lambda step: counted.append(step.statement.values["terms"])  # noqa: E731
        return full.store.snapshot(full.store.epoch()).term_frequencies(terms, watch=watch)

    assert frequencies("kiln", "nothing") == {"kiln": 3}
    assert frequencies("kiln", "nothing", "oven") == {"kiln": 3, "oven": 2}
    assert counted == [["kiln", "nothing"], ["oven"]]
    full.publish("more", ["Another kiln."])
    assert frequencies("kiln", "oven") == {"kiln": 4, "oven": 2}
    assert counted[2:] == [["kiln", "oven"]]
