"""Vectors of words: what the table holds, and that SQL alone makes of a question what Python makes of it."""

from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
from server import PASSWORD, running_shards
from support import hash_encoder, sync_with

from ingest.command_line import command
from ingest.walk import walk
from rag.evaluate.doctor import describe_word_vectors
from rag.index.word_index import add_words
from rag.index.word_vectors import add_word_vectors, find_whitening, vocabulary, whiten
from rag.retrieve.retriever import VECTOR_SHARE, pieces_per_word
from rag.retrieve.words import rarity
from rag.text.analyser import ANALYSER, UNSPACED_RUN, bigrams, folded_words, forms_by_language
from sql.base.errors import StoreError, UsageError
from sql.engine.client import Client
from sql.search.words import K1, B
from sql.store import Store
from sql.store.groups import DocumentGroups
from sql.store.word_vectors import WordVectors
from sql.upkeep.cells import maintain_cells
from sql.upkeep.transfer import export_store, import_store, read_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from server import Server

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer

TEXTS = {
    "kilns.txt": "The kilns are fired with wood. A cone shows how hot it is.",
    "cats.txt": "The cat sat on the mat, and one of the cats slept.",
    "dogs.txt": "A dog runs here with two of the three cats.",
}
QUESTION = "How hot is a kiln fired with oak?"
ODD = (
    "Kiln’s thermo-couple ÄÖ ﬁre १२ क्षेत्र 東京都 iPhone東京は don't Straße thermo\u00adcouple a\u200bb ² ½ "
    "İstanbul ΑΣ 猫 가나다 ไทย x\u0302 می‌شود e.g. 3.14 ＡＢＣ naïve\u00a0café"
)


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> Encoder:
    return hash_encoder(tokenizer)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, folder: Path, encoder: Encoder) -> Path:
    place = tmp_path_factory.mktemp("word-vectors") / "store"
    with Store.open(str(place), write=True) as store:
        fill(store, folder, encoder, word_vectors=True)
    return place


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    with Store.open(str(place), write=True) as store:
        yield store


def fill(
    store: Store, folder: Path, encoder: Encoder, quantizer: str = "asymmetric int8 per vector", **how: Any
) -> Any:
    store.prepare(encoder.identity, quantizer, ANALYSER)
    return sync_with(store, encoder, walk([str(folder)]), "en", **how)


def select(store: Store, sql: str, **values: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.client.text(sql, "JSONEachRow", values or None).splitlines()]


def stored_words(store: Store) -> set[str]:
    return {row["word"] for row in select(store, "SELECT word FROM word_vectors")}


def question_vector(store: Store, question: str) -> dict[str, Any]:
    sql = "SELECT vector, terms, most, share FROM question_vector(epoch = {epoch:UInt64}, question = {question:String})"
    (row,) = select(store, sql, epoch=store.epoch(), question=question)
    return row


def test_sql_divides_a_text_into_the_words_of_the_analyser(store: Store) -> None:
    (row,) = select(store, "SELECT rag_words({text:String}) AS words", text=ODD)
    # letters that are written without spaces are words two by two, as they are terms two by two
    expected = [part for word in folded_words(ODD) for part in (bigrams(word) if UNSPACED_RUN.match(word) else [word])]
    assert row["words"] == expected


def test_every_word_of_the_documents_and_of_the_vocabulary_has_a_vector(store: Store, encoder: Encoder) -> None:
    texts = {word for text in TEXTS.values() for word in folded_words(text)}
    assert stored_words(store) == texts | set(vocabulary(encoder))
    assert "kilns" in texts
    assert "three" in vocabulary(encoder)
    assert not {"pad", "unk"} & set(vocabulary(encoder))  # special tokens, in brackets


def test_a_question_becomes_the_sum_of_its_words_by_their_rarity(store: Store, encoder: Encoder) -> None:
    whitening = find_whitening(encoder.encode_queries(vocabulary(encoder)))
    holders = {"hot": 1, "fired": 1}  # of three chunks; `kiln` and `oak` are in no text and not in the vocabulary
    vectors = whiten(encoder.encode_queries(list(holders)), whitening)
    total = sum(rarity(count, 3) * vector for count, vector in zip(holders.values(), vectors, strict=True))
    found = question_vector(store, QUESTION)
    assert found["vector"] == pytest.approx(total / np.linalg.norm(total), abs=0.02)
    assert found["most"] == pytest.approx(2 * rarity(1, 3))
    assert found["share"] == pytest.approx(VECTOR_SHARE / pieces_per_word("hot fired", encoder.tokenizer))
    assert sorted(term for term, _, _ in found["terms"]) == ["fire", "hot"]


def expected_scores(store: Store, question: str) -> dict[str, float]:
    """What text_search has to find, computed from what it is made of: sources with their scores, best first."""
    at, asked = {"epoch": store.epoch()}, question_vector(store, question)
    rows = select(store, "SELECT source, vector FROM live_vectors(epoch = {epoch:UInt64})", **at)
    vectors = {row["source"]: np.array(row["vector"]) for row in rows}
    found = select(
        store,
        "SELECT source, terms FROM lengths INNER JOIN live_documents(epoch = {epoch:UInt64}) AS documents USING generation",
        **at,
    )
    lengths = {row["source"]: row["terms"] for row in found}
    usual = sum(lengths.values()) / len(lengths)

    def score(source: str, vector: Any) -> float:
        terms = [forms_by_language([word])[0][1][3:] for word in folded_words(TEXTS[source.rsplit("/")[-1]])]
        norm = K1 * (1 - B + B * lengths[source] / usual)
        counts = {term: terms.count(term) for term, _, _ in asked["terms"]}
        bm25 = sum(weight * counts[term] / (counts[term] + norm) for term, _, weight in asked["terms"])
        share = asked["share"]
        return float(share * vector @ vectors[source] + (1 - share) * bm25 / asked["most"])

    def ranked(vector: Any) -> dict[str, float]:
        scores = {source: score(source, vector) for source in vectors}
        return dict(sorted(scores.items(), key=lambda item: -item[1]))

    first = np.array(asked["vector"])
    best = sum(vectors[source] for source in list(ranked(first))[:2])
    return ranked((first + best / np.linalg.norm(best)) / 2)


def test_text_search_scores_as_a_hybrid_search_with_a_refined_vector(store: Store) -> None:
    question = "Which cats sat on a mat?"
    sql = "SELECT source, score FROM rag_text_search(question = {question:String})"
    found = {row["source"]: row["score"] for row in select(store, sql, question=question)}
    expected = expected_scores(store, question)
    assert list(found) == list(expected)
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "quantizer", ["asymmetric int8 per dimension", "symmetric int8 per collection", "asymmetric int4 per vector"]
)
def test_text_search_knows_how_vectors_became_codes(
    tmp_path: Path, folder: Path, encoder: Encoder, quantizer: str
) -> None:
    with Store.open(str(tmp_path / "store"), write=True) as store:
        fill(store, folder, encoder, quantizer, word_vectors=True)
        sql = "SELECT source, score FROM rag_text_search(question = 'Which cats sat on a mat?')"
        found = {row["source"]: row["score"] for row in select(store, sql)}
        expected = expected_scores(store, "Which cats sat on a mat?")
    assert list(found) == list(expected)
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-3)


def test_k_and_a_condition_outside_narrow_down_what_is_found(store: Store) -> None:
    sql = "SELECT source FROM text_search(epoch = {epoch:UInt64}, question = 'hot cats', k = 2) WHERE chunk_index = 0 LIMIT 1"
    assert len(select(store, sql, epoch=store.epoch())) == 1


def test_a_k_larger_than_any_store_finds_all_and_does_not_wrap_around(store: Store) -> None:
    found = [
        select(
            store, f"SELECT source FROM text_search(epoch = {{epoch:UInt64}}, question = 'hot cats', k = {k})", epoch=at
        )
        for at in [store.epoch()]
        for k in (1000, 2**32, 2**32 + 1)
    ]
    assert found[0]
    assert found == [found[0]] * 3


def test_a_question_without_a_known_word_finds_nothing(store: Store) -> None:
    sql = "SELECT * FROM text_search(epoch = {epoch:UInt64}, question = {question:String}, k = 3)"
    assert select(store, sql, epoch=store.epoch(), question="oaken %'\\ {}") == []
    assert question_vector(store, "")["most"] == 0
    sql = "SELECT * FROM nearest_to_question(epoch = {epoch:UInt64}, question = 'the')"
    assert select(store, sql, epoch=store.epoch()) == []


def test_later_runs_go_on_with_new_words_and_see_only_what_is_published(
    tmp_path: Path, folder: Path, encoder: Encoder
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text(TEXTS["cats.txt"], encoding="utf-8")
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert fill(store, docs, encoder).word_vectors is None
        with pytest.raises(StoreError, match="rag_text_search"):
            select(store, "SELECT * FROM rag_text_search(question = 'cat')")
        fill(store, docs, encoder, word_vectors=True)
        before = store.epoch()
        assert "kilns" not in stored_words(store)
        (docs / "b.txt").write_text(TEXTS["kilns.txt"], encoding="utf-8")
        (docs / "a.txt").unlink()
        assert fill(store, docs, encoder).word_vectors.damaged == 0
        assert "kilns" in stored_words(store)
        (row,) = select(store, "SELECT source FROM rag_text_search(question = 'cat kilns')")
        assert row["source"].endswith("b.txt")
        sql = "SELECT source FROM text_search(epoch = {epoch:UInt64}, question = 'cat kilns', k = 9)"
        (row,) = select(store, sql, epoch=before)
        assert row["source"].endswith("a.txt")


def test_words_of_the_vocabulary_count_at_epochs_before_they_came(
    tmp_path: Path, encoder: Encoder, folder: Path
) -> None:
    # as for a user with groups, whose newest epoch is that of the documents that are open to him
    with Store.open(str(tmp_path / "store"), write=True) as store:
        fill(store, folder, encoder)
        before = store.epoch()
        (tmp_path / "later.txt").write_text("Three dogs.", encoding="utf-8")
        fill(store, tmp_path / "later.txt", encoder, word_vectors=True)
        assert store.epoch() > before
        sql = "SELECT source FROM text_search(epoch = {epoch:UInt64}, question = 'the cat', k = 1)"
        (row,) = select(store, sql, epoch=before)
        assert row["source"].endswith("cats.txt")


def test_what_is_damaged_is_found_and_made_again(tmp_path: Path, place: Path, encoder: Encoder, folder: Path) -> None:
    with Store.open(str(tmp_path / "store"), write=True) as store:
        fill(store, folder, encoder, word_vectors=True)
        words, whole = stored_words(store), describe_word_vectors(store)
        assert "damaged" not in whole
        # words of the vocabulary, of which the documents have one: both are there again as what they were
        change = (
            "ALTER TABLE word_vectors UPDATE scale = 9 WHERE word IN {words:Array(String)} SETTINGS mutations_sync = 1"
        )
        store.client.text(change, None, {"words": ["three", "to"]})
        assert "2 of them are damaged" in describe_word_vectors(store)
        add_word_vectors(store, encoder)
        assert (stored_words(store), describe_word_vectors(store)) == (words, whole)
        store.client.text(change, None, {"words": ["kilns"]})
        store.client.text("ALTER TABLE word_whitening DELETE WHERE row = 3 SETTINGS mutations_sync = 1", None)
        damaged = describe_word_vectors(store)
        assert "1 of them is damaged" in damaged
        assert "whitened is not known" in damaged
        add_word_vectors(store, encoder)
        assert (stored_words(store), describe_word_vectors(store)) == (words, whole)


def test_words_of_an_older_analyser_lose_their_vectors_and_get_them_by_the_next_ingest(
    tmp_path: Path, place: Path, encoder: Encoder
) -> None:
    shutil.copytree(place, tmp_path / "store", symlinks=True)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        before = select(store, "SELECT word, forms, codes FROM word_vectors ORDER BY word")
        store.revise(analyser="words 1")
        add_words(store, "en")
        assert stored_words(store) == set()
        add_word_vectors(store, encoder)
        assert select(store, "SELECT word, forms, codes FROM word_vectors ORDER BY word") == before


def test_a_store_with_views_of_an_older_version_gets_the_new_ones_with_its_next_run(
    tmp_path: Path, place: Path, encoder: Encoder
) -> None:
    shutil.copytree(place, tmp_path / "store", symlinks=True)
    sql = "SELECT source FROM rag_text_search(question = 'Which cats sat on a mat?')"
    with Store.open(str(tmp_path / "store"), write=True) as store:
        before = select(store, sql)
        store.client.text("DROP VIEW vector_of_words", None)
        for name in ("text_search", "rag_text_search"):
            old = f"CREATE OR REPLACE VIEW {name} AS SELECT source FROM chunks WHERE source = {{question:String}}"
            store.client.text(old, None)
        assert select(store, sql) == []
        add_word_vectors(store, encoder)
        assert select(store, sql) == before != []


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Ends a run after so many definitions of word vectors."""
    whole = Client.create

    def after(definitions: int) -> None:
        left = iter(range(definitions))

        def create(self: Client, name: str, *given: Any, **how: Any) -> None:
            if "word_vectors/" in name and next(left, None) is None:
                raise KeyboardInterrupt
            whole(self, name, *given, **how)

        monkeypatch.setattr(Client, "create", create)

    return after


@pytest.mark.everyday("[4]")
@pytest.mark.parametrize("definitions", [4, 8])  # the last view is the ninth
def test_what_a_run_that_was_killed_has_not_defined_the_next_one_does(
    tmp_path: Path, folder: Path, encoder: Encoder, killed: Callable[[int], None], definitions: int
) -> None:
    with Store.open(str(tmp_path / "store"), write=True) as store:
        killed(definitions)
        with pytest.raises(KeyboardInterrupt):
            fill(store, folder, encoder, word_vectors=True)
        killed(99)
        add_word_vectors(store, encoder)
        assert select(store, "SELECT source FROM rag_text_search(question = 'Which cats sat on a mat?')") != []


@pytest.mark.slow
def test_text_search_finds_the_same_in_cells(tmp_path: Path, place: Path, encoder: Encoder) -> None:
    shutil.copytree(place, tmp_path / "store", symlinks=True)
    sql = "SELECT source, score FROM rag_text_search(question = 'Which cats sat on a mat?')"
    with Store.open(str(tmp_path / "store"), write=True) as store:
        before = select(store, sql)
        assert maintain_cells(store, least=1) == 3
        assert select(store, sql) == before


@pytest.mark.slow
def test_of_a_user_with_groups_documents_and_words_of_others_are_no_part(
    server: Server, folder: Path, encoder: Encoder
) -> None:
    database = server.guarded_database()
    with Store.open(server.dsn(database), write=True) as store:
        fill(store, folder, encoder, word_vectors=True)
        (cats,) = [one.document_id for one in store.snapshot().documents() if one.source.endswith("cats.txt")]
        DocumentGroups(store).set({cats: ["hr"]})
        assert len(select(store, "SELECT source FROM rag_text_search(question = 'kilns of the three cat')")) == 3
    with Store.open(server.dsn(database, "anna")) as reader:
        (row,) = select(reader, "SELECT source FROM rag_text_search(question = 'kilns of the three cat')")
        assert row["source"].endswith("cats.txt")
        assert select(reader, "SELECT source FROM rag_text_search(question = 'kilns')") == []


@pytest.mark.slow
def test_a_server_searches_by_text_alone(server: Server, folder: Path, encoder: Encoder) -> None:
    with Store.open(server.dsn(server.new_database()), write=True) as store:
        fill(store, folder, encoder, word_vectors=True)
        sql = "SELECT source, score FROM rag_text_search(question = 'Which cats sat on a mat?')"
        found = {row["source"]: row["score"] for row in select(store, sql)}
        expected = expected_scores(store, "Which cats sat on a mat?")
        assert "damaged" not in describe_word_vectors(store)
    assert list(found) == list(expected)
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-3)


@pytest.mark.slow
def test_two_shards_search_by_text_as_one_store_does(
    tmp_path: Path, folder: Path, encoder: Encoder, killed: Callable[[int], None]
) -> None:
    shutil.copytree(folder, tmp_path / "docs")
    for number in range(12):  # more than one shard will draw
        (tmp_path / "docs" / f"{number}.txt").write_text(f"The mat of cat {number} is here.", encoding="utf-8")
    questions = ["Which cats sat on a mat?", QUESTION, "dog", "three of the two"]
    sql = "SELECT source, score FROM text_search(epoch = {epoch:UInt64}, question = {question:String}, k = 10)"
    vectors = "SELECT word, forms, pieces, codes, scale, zero_point FROM word_vectors ORDER BY word"
    with Store.open(str(tmp_path / "store"), write=True) as store:
        fill(store, tmp_path / "docs", encoder, word_vectors=True)
        expected = [select(store, sql, epoch=store.epoch(), question=each) for each in questions]
        words, described = select(store, vectors), describe_word_vectors(store)
    with running_shards() as shards:
        hosts = ",".join(f"127.0.0.1:{shard.http}" for shard in shards)
        place = f"clickhouse://{{}}:{quote(PASSWORD, safe='')}@{hosts}/rag_words?cluster=two"
        with Store.open(place.format("maintainer"), write=True) as cluster:
            fill(cluster, tmp_path / "docs", encoder, word_vectors=True)
            assert select(cluster, vectors) == words
            assert describe_word_vectors(cluster) == described
            for shard in shards:  # or nothing would be said of questions about both
                assert shard.ask("SELECT count() > 0 FROM chunks", "rag_words_local") == "1"
            for question, rows in zip(questions, expected, strict=True):
                assert_found(select(cluster, sql, epoch=cluster.epoch(), question=question), rows)
            damage = "ALTER TABLE word_vectors UPDATE scale = 9 WHERE word = 'kilns' SETTINGS mutations_sync = 1"
            shards[0].ask(damage, "rag_words_local")
            assert "1 of them is damaged" in describe_word_vectors(cluster)
            add_word_vectors(cluster, encoder)
            assert describe_word_vectors(cluster) == described
        with Store.open(place.format("reader")) as reader:  # who can set nothing
            assert_found(
                select(reader, "SELECT source, score FROM rag_text_search(question = {q:String})", q=QUESTION),
                expected[1],
            )
        with Store.open(place.format("maintainer").replace("/rag_words?", "/rag_words_later?"), write=True) as cluster:
            killed(28)  # of four times nine: on one of the nodes there is no view yet
            with pytest.raises(KeyboardInterrupt):
                fill(cluster, folder, encoder, word_vectors=True)
            killed(99)
            add_word_vectors(cluster, encoder)
        for shard in shards:
            assert shard.ask("SELECT source FROM rag_text_search(question = 'cat')", "rag_words_later", user="reader")


def assert_found(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """The same chunks in the same order, with scores that are equal but for the order in which numbers were added."""
    assert [row["source"] for row in found] == [row["source"] for row in expected]
    assert [row["score"] for row in found] == pytest.approx([row["score"] for row in expected], abs=1e-6)


@pytest.mark.slow
def test_an_export_takes_the_vectors_of_words_along(tmp_path: Path, store: Store, encoder: Encoder) -> None:
    rows = "SELECT word, of_documents, forms, pieces, codes, scale, zero_point FROM word_vectors ORDER BY word"
    expected, whitening = select(store, rows), WordVectors(store).whitening(encoder.identity.dimensions)
    export_store(store, tmp_path / "export")
    store.close()
    with Store.open(str(tmp_path / "copy"), write=True) as copy:
        import_store(copy, tmp_path / "export", read_export(tmp_path / "export"))
        assert select(copy, rows) == expected
        assert np.array_equal(WordVectors(copy).whitening(encoder.identity.dimensions), whitening)
        assert describe_word_vectors(copy).count("damaged") == 0


@pytest.mark.parametrize("other", [["--dry-run"], ["--shard", "1/2"], ["--reembed", "--model", "m"]])
def test_word_vectors_beside_half_a_run_are_refused(folder: Path, other: list[str]) -> None:
    with pytest.raises(UsageError, match="--word-vectors cannot be combined with"):
        command([str(folder), "--word-vectors", *other])


def test_whitened_vectors_vary_alike_in_all_directions() -> None:
    random = np.random.default_rng(0)
    vectors = (random.standard_normal((500, 4)) * [5, 1, 1, 0.5] + 3).astype(np.float32)
    whitened = whiten(vectors, find_whitening(vectors))
    assert whitened.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-3)
    assert np.cov(whitened.T, bias=True) == pytest.approx(np.eye(4), abs=0.3)
    assert math.isclose(float(np.trace(find_whitening(np.ones((1, 4), np.float32))[1:])) > 0, True)
