"""What a question's words tell of the answer, and sentences that lean on another."""

from __future__ import annotations

import pytest

from rag.text.kinds import expected_kind, holds_kind
from rag.text.pronouns import leans_back


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many balls did Josh Norman intercept?", "number"),
        ("In what year did the war end?", "time"),
        ("Whose idea was it?", "person"),
        ("What country is Normandy in?", "place"),
        ("Why is the kiln hot?", ""),
        ("How is it done?", ""),
        ("Wie viele Bälle fing er ab?", "number"),
        ("In welchem Jahrhundert war das?", "time"),
        ("Wer hat das gesagt?", "person"),
        ("Woher kamen die Normannen?", "place"),
        ("Wie wird der Ofen geheizt?", ""),
        ("Combien de balles a-t-il prises ?", "number"),
        ("¿Cuándo terminó la guerra?", "time"),
        ("Wie heeft dat gezegd?", "person"),
        ("Hvor mange var der i huset?", "number"),
        ("Где находится этот город?", "place"),
        ("Which Python versions does Click support?", "version"),
        ("Since which version is it so, and since when?", "version"),
        ("Welche Python-Version brauche ich?", "version"),
        ("Quelle est la version de Python ?", "version"),
        ("What does hatch version patch make of it?", ""),
        ("What is the version option?", ""),
        ("What is the conversion?", ""),
    ],
)
def test_a_question_tells_the_kind_of_its_answer(question: str, kind: str) -> None:
    assert expected_kind(question, "") == kind


@pytest.mark.parametrize(
    ("kind", "holds", "does_not"),
    [
        ("number", "He caught four of them.", "He caught some of them."),
        ("number", "It has 12 rooms.", "It has 7 rooms."),
        ("time", "It ended in 1763.", "It ended badly."),
        ("person", "The reforms began under Nikita Khrushchev.", "The reforms began under pressure."),
        ("person", "Tom Meier did it.", "Beyond War itself, look around."),
        ("place", "They landed in Normandy.", "They landed in spring."),
        ("version", "It needs Python 3.9.", "It needs Python 7, in no old version."),
        ("place", "Sie kamen aus der Türkei.", "Sie kamen aus der mode."),
    ],
)
def test_a_sentence_that_holds_such_a_thing_is_told_from_one_that_does_not(
    kind: str, holds: str, does_not: str
) -> None:
    asked = {"7", "war"}  # what the question says itself is no answer
    assert holds_kind(kind, holds, asked) > holds_kind(kind, does_not, asked)


def test_an_article_and_a_german_noun_are_no_name() -> None:
    assert holds_kind("person", "Der Antrag ist beim Vorgesetzten einzureichen.", (), "de") == 0
    assert holds_kind("person", "Der Antrag liegt bei Hans Meier.", (), "de") == 1


@pytest.mark.parametrize(
    ("text", "language", "leans"),
    [
        ("It takes two minutes.", "en", True),
        ("They were fired twice.", "en", True),
        ("This is enough for the kiln.", "en", True),
        ("This kiln is fired twice.", "en", False),
        ("Italy is warm.", "en", False),
        ("Er wird zweimal gebrannt.", "de", True),
        ("Diese Öfen werden zweimal gebrannt.", "de", False),
        ("Il museo è aperto.", "it", False),
        ("Il est ouvert tous les jours.", "fr", True),
    ],
)
def test_a_sentence_leans_back_where_it_begins_with_an_open_pronoun(text: str, language: str, leans: bool) -> None:
    assert leans_back(text, language) is leans
