"""A question for what a thing is is told from others, and the sentence that says it from those that only name the thing."""

from __future__ import annotations

import time
from uuid import UUID

import pytest

from rag.answer.answer import looked_at, most_telling, possible_answers
from rag.answer.definitions import asked_term, defines, defining_first, is_bare, is_named
from sql.records import Hit


def hit(text: str, heading: str = "") -> Hit:
    return Hit("kiln.md", "Kilns", heading, 0, len(text), 1, 0, text, UUID(int=1), 0, 0.5)


@pytest.mark.parametrize(
    ("question", "term"),
    [
        ("What is a saggar?", ("saggar",)),
        ("what are saggars", ("saggar",)),
        ("What's the work queue?", ("work", "queu")),
        ("What is a saggar in pottery?", ("saggar",)),
        ("What does bisque firing mean?", ("bisqu", "firing")),
        ("What is a saggar used for?", ("saggar",)),
        ("What is the role of the kiln master?", ("kil", "master")),
        ("Who is the kiln master?", ("kil", "master")),
        ("what does glaze do", ("glaz",)),
        ("What does TC stand for?", ("tc",)),
        ("define saggar", ("saggar",)),
        ("saggar meaning", ("saggar",)),
        ("Was ist eine Kapsel?", ("kapsel",)),
        ("Was bedeutet Schrühbrand?", ("schrüh",)),
        ("Was versteht man unter einem Schrühbrand?", ("schrüh",)),
        ("Wozu dient die Kapsel?", ("kapsel",)),
    ],
)
def test_a_question_for_what_a_thing_is_names_it(question: str, term: tuple[str, ...]) -> None:
    assert asked_term(question) == term


@pytest.mark.parametrize(
    "question",
    [
        "How do I fire a saggar?",
        "What happens when the kiln cools?",
        "What does the kiln show?",
        "Which saggar is best?",
        "Who made the first saggar of white clay in the old works?",
        "saggar",
        "",
        "What is the?",
    ],
)
def test_other_questions_have_no_term(question: str) -> None:
    assert asked_term(question) == ()


@pytest.mark.parametrize(
    ("question", "sentence", "others"),
    [
        ("What is a saggar?", "A saggar is a box of clay.", ["A saggar is fired twice.", "Put it into a saggar."]),
        ("What is a saggar?", "- **Saggar** - a box of clay", ["- **Other** - a saggar of clay", "Saggars crack."]),
        (
            "What is xkiln?",
            "The [`xkiln` command](https://a.example/is) is the easiest way to fire.",
            ["Run `xkiln build`."],
        ),
        ("What does `glaze` do?", "`glaze` ensures that pots are tight.", ["The `glaze` step comes last."]),
        (
            "What is an SLA?",
            "Service Level Agreements (SLAs) ensure timely answers.",
            ["Name the SLA by what it is about."],
        ),
        ("What is a kiln?", "Put simply, a **kiln** is an oven.", ["The kiln is lit at dawn."]),
        ("What are seals?", "**Seals** (or stamps) are marks of the maker.", ["Seals are pressed into clay."]),
        ("Was ist eine Kapsel?", "Eine Kapsel ist ein Kasten aus Ton.", ["Die Kapsel ist heiß."]),
    ],
)
def test_the_sentence_that_says_what_it_is_looks_more_like_it_than_others(
    question: str, sentence: str, others: list[str]
) -> None:
    term = asked_term(question)
    assert defines(term, sentence) >= 0.7 > max(defines(term, other) for other in others)


def test_chunks_that_define_come_first_and_else_as_they_were_found() -> None:
    texts = ["The saggar is hot.", "It cools.", "Fire it. A saggar is a box of clay.", "Saggars crack."]
    found = defining_first([hit(text) for text in texts], asked_term("What is a saggar?"))
    assert [one.text for one in found] == [texts[2], texts[0], texts[1], texts[3]]
    assert defining_first(found, ()) == found
    surer = [hit("A saggar helps much."), hit("A saggar is a box.")]
    assert defining_first(surer, asked_term("What is a saggar?")) == surer[::-1]
    german = [hit("Eine Maß ist groß."), hit("Es ist heiß. Ein Maß ist ein Krug.")]
    assert defining_first(german, asked_term("Was ist ein Maß?"))[0] is german[1]
    below = [hit("It cools."), hit("Of clay.", "Kilns > Saggars")]
    assert [one.text for one in defining_first(below, asked_term("What is a saggar?"))] == ["Of clay.", "It cools."]


@pytest.mark.parametrize(
    "text", ["See [here].\n\n## Saggars\n\nOf clay.", "Kilns\n=====\n\nSaggars\n-------\n\nOf clay."]
)
def test_a_chunk_with_a_heading_of_the_term_defines_it(text: str) -> None:
    found = defining_first([hit("It cools."), hit(text)], asked_term("What is a saggar?"))
    assert found[0].text == text


def test_an_exact_name_counts_more_than_a_definition() -> None:
    texts = ["Saggar 7 is a box.", "P-0137 goes in.", "P-0137 is a box."]
    found = most_telling("What is P-0137?", [hit(text) for text in texts])
    assert [one.text for one in found] == [texts[2], texts[1], texts[0]]


def test_more_chunks_are_looked_at_where_some_may_define_or_hold_a_name() -> None:
    assert [looked_at(question, 8) for question in ("What is a saggar?", "Where is P-0137?", "Why is it hot?")] == [
        200,
        32,
        8,
    ]


@pytest.mark.parametrize(
    "question",
    [
        "What is the phone number?",
        "What are the opening hours?",
        "Explain why the kiln is hot",
        "What is the price of a kiln?",
    ],
)
def test_what_is_asked_for_its_value_needs_no_definition(question: str) -> None:
    assert not is_bare(question)


def test_a_cross_encoder_is_not_given_hundreds_of_chunks() -> None:
    assert (
        looked_at("What is a saggar?", 8, is_reranked=True) == looked_at("Where is P-0137?", 8, is_reranked=True) == 32
    )


def test_a_heading_of_one_word_more_or_less_is_of_the_term() -> None:
    term = asked_term("What is the kiln lock?")
    assert [
        is_named(term, heading) for heading in ("Kiln lock", "The kiln lock file", "Lock", "Lock your oven now")
    ] == [
        True,
        True,
        True,
        False,
    ]
    assert not is_named((), "")
    assert not is_named((), "Kilns")


@pytest.mark.parametrize("piece", [" ", "what is ", "a ", "for ", "is a x ", "**", "(", "](", "\u00e9", "mean ", "in "])
def test_no_question_and_no_sentence_takes_long(piece: str) -> None:
    started = time.process_time()
    for text in (piece * 20_000, "what is " + piece * 20_000, piece * 20_000 + "mean?!x"):
        asked_term(text)
        defines(("a", "x"), text)
    assert time.process_time() - started < 5  # a pattern that takes a power of the length takes hours


def test_a_sentence_that_only_repeats_the_question_is_no_answer_but_a_row_may_have_it_beside() -> None:
    text = 'Try `find "What is a saggar?" --all` now.\n\nA saggar is a box.\n'
    found = [one.quotation.text for one in possible_answers("What is a saggar?", [hit(text)])]
    assert any(one.startswith("A saggar is a box") for one in found)
    assert not any("find" in one for one in found)
    pasted = [one.quotation.text for one in possible_answers("A saggar is a box.", [hit(text)])]
    assert any(one.startswith("A saggar is a box") for one in pasted)
    row = "| question | answer |\n| --- | --- |\n| What is a saggar? | a box of clay |\n"
    assert any("a box of clay" in one.quotation.text for one in possible_answers("What is a saggar?", [hit(row)]))
