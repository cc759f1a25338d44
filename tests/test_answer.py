"""The extractive answer: exact quotations with their places, or none at all."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest

from rag.answer import Answer, answer_question, candidate_sentences, count_lines, shared_words, stems
from rag.encoder import Encoder, load_encoder
from sql.records import Hit
from sql.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = (
    "# Visiting\n\n"
    "The museum opens at nine in the morning.\nTickets cost twelve euros, and children enter for free.\n\n"
    "The café on the roof serves soup until four o'clock. Dogs are not allowed anywhere in the building.\n"
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(Settings(store=".rag", model=None, cache=tmp_path_factory.mktemp("cache"), offline=True))


def hit(text: str, start: int = 0, line: int = 1, score: float = 0.5, source: str = "visit.md") -> Hit:
    return Hit(source, "Visiting", "Visiting", start, start + len(text), line, 0, text, UUID(int=1), 0, score)


def ask(question: str, hits: Sequence[Hit], encoder: Encoder) -> Answer:
    query = encoder.encode_query(question)
    vectors = encoder.encode_documents([one.text for one in hits]) if hits else np.empty((0, 384), np.float32)
    scored = [
        hit(one.text, one.start, one.line, float(vector @ query), one.source)
        for one, vector in zip(hits, vectors, strict=True)
    ]
    return answer_question(question, query, scored, encoder)


@pytest.mark.parametrize(
    ("question", "sentence", "line"),
    [
        ("When does the museum open?", "The museum opens at nine in the morning.", 3),
        ("What is the price of a ticket?", "Tickets cost twelve euros, and children enter for free.", 4),
        ("Are dogs allowed in the museum?", "Dogs are not allowed anywhere in the building.", 6),
    ],
)
def test_the_sentence_that_answers_is_quoted_first_with_its_line(
    encoder: Encoder, question: str, sentence: str, line: int
) -> None:
    answer = ask(question, [hit(TEXT)], encoder)
    assert (answer.citations[0].text, answer.citations[0].line) == (sentence, line)
    assert answer.text.startswith(f"{sentence} [1]")


def test_every_quotation_is_the_texts_own_at_its_offsets(encoder: Encoder) -> None:
    before = "x" * 100
    answer = ask("What does a ticket cost and when does the museum open?", [hit(TEXT, start=100, line=9)], encoder)
    assert answer.answered
    for citation in answer.citations:
        assert (before + TEXT)[citation.start : citation.end] == citation.text


@pytest.mark.parametrize(
    "question",
    [
        "Who discovered penicillin?",
        "How do I configure a Kubernetes ingress?",
        "asdf qwer zxcv",
        "???",
        "Was kostet ein Flug nach Lima?",
    ],
)
def test_a_question_that_the_documents_cannot_answer_gets_none(encoder: Encoder, question: str) -> None:
    answer = ask(question, [hit(TEXT)], encoder)
    assert not answer.answered
    assert answer.text == ""


def test_nothing_found_is_no_answer(encoder: Encoder) -> None:
    assert not ask("When does it open?", [], encoder).answered
    assert not ask("When does it open?", [hit("# Visiting"), hit("| --- | --- |")], encoder).answered


def test_overlapping_chunks_offer_a_sentence_once() -> None:
    second = TEXT.index("Tickets")
    found = candidate_sentences("?", [hit(TEXT, score=0.9), hit(TEXT[second:], start=second, line=4, score=0.4)])
    assert len(found) == len({(one.start, one.end) for one in found}) == 4
    assert {one.score for one in found} == {0.9}


def test_a_question_is_never_the_answer(encoder: Encoder) -> None:
    text = "When does the museum open?\n\n```\nask 'When does the museum open?'\n```\n\nThe museum opens at nine."
    answer = ask("When does the museum open?", [hit(text)], encoder)
    assert [citation.text for citation in answer.citations] == ["The museum opens at nine."]


def test_headings_and_rules_are_no_candidates() -> None:
    found = candidate_sentences(
        "?", [hit("# How to open the door\n\n---\n\n| a | b |\n|---|---|\n\nTurn the round handle.")]
    )
    assert [one.text for one in found] == ["Turn the round handle."]


def test_a_sentence_longer_than_the_encoder_reads_is_quoted_whole(encoder: Encoder) -> None:
    sentence = "The museum opens at nine " + "and then again at ten " * 100 + "in the morning."
    answer = ask("When does the museum open?", [hit(sentence[:700])], encoder)
    assert answer.citations[0].text == sentence[:700].strip()


def test_rare_words_count_more_than_common_ones() -> None:
    sentences = ["The cat is here.", "The dog is here.", "The parrot is here.", "It is the end."]
    scores = shared_words("Is the parrot here?", sentences)
    assert int(np.argmax(scores)) == 2
    assert scores[2] == pytest.approx(1)
    assert shared_words("?!", sentences).tolist() == [0, 0, 0, 0]


def test_stems_ignore_case_and_endings() -> None:
    assert stems("Quantized QUANTIZATION") == {"quanti"}
    assert stems("dog dogs") == {"dog"}
    assert stems("open opens") == {"ope"}


def test_lines_are_counted_by_every_kind_of_line_end() -> None:
    assert count_lines("a\nb\r\nc\rd") == 3
