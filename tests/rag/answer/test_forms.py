"""How a sentence is written and what a question asks for, told by their words and marks."""

from __future__ import annotations

import math
from uuid import UUID

import numpy as np
import pytest

from rag.answer.candidates import candidate_sentences
from rag.answer.forms import ASKED, FORMS, asked_form, forms
from rag.answer.merit import FEATURES, NETWORK_INPUTS
from sql.records import Hit
from sql.records.documents import Outline

KINDS_OF_QUESTION = ("how", "what", "why", "whether", "keywords")


def hit(text: str, source: str = "kiln.md", heading: str = "Kilns", start: int = 0) -> Hit:
    return Hit(source, "Kilns", heading, start, start + len(text), 1, 0, text, UUID(int=1), 0, 0.5, outline=Outline())


def written(question: str, text: str, language: str = "en") -> dict[str, float]:
    """What is seen of the first sentence of a text."""
    return dict(zip(FORMS, forms(question, candidate_sentences([hit(text)]), language)[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How do I fire a kiln?", "how"),
        ("What is a kiln?", "what"),
        ("Wie kann ich den Ofen heizen?", "how"),
        ("Which kiln is hot?", "what"),
        ("Welche Öfen gibt es?", "what"),
        ("Why is the kiln cold?", "why"),
        ("warum ist der Ofen kalt", "why"),
        ("Can I open it?", "whether"),
        ("Darf man ihn öffnen?", "whether"),
        ("kiln door open", "keywords"),
        ("waste of heat", "keywords"),
        ("--max-heat", "keywords"),
    ],
)
def test_a_question_is_of_the_kind_that_its_first_words_say(question: str, kind: str) -> None:
    asked = dict(zip(ASKED, asked_form(question), strict=True))
    assert [name for name in KINDS_OF_QUESTION if asked[name]] == [kind]


def test_whoever_asks_for_a_command_asks_how() -> None:
    assert dict(zip(ASKED, asked_form("What's the command to fire a kiln?"), strict=True))["how"] == 1


def test_a_question_that_begins_with_other_words_is_none_of_them_and_no_row_of_words() -> None:
    assert not any(asked_form("The kiln is cold, what now?")[:5])
    assert not any(asked_form("The kiln is cold?")[:5])


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("- A kiln is a very hot oven.", {"item"}),
        ("1. A kiln is a very hot oven.", {"item"}),
        ("| kiln | hot and very dry indeed |", {"row"}),
        ("A kiln is an oven of `heat` and stone.", {"code_names"}),
        ("A kiln is an oven of max_heat and stone.", {"code_names"}),
        ("A kiln is an oven:\n\n- of stone\n- of clay", {"announces", "row"}),
        ("A kiln is an oven of these sorts:", {"colon"}),
        ("A kiln, an oven.", {"few_words"}),
        ("(A kiln is a very hot oven.)", {"aside"}),
        ("A kiln is [a hot oven](oven.md) of stone.", {"link"}),
        ("Set the kiln on dry stones of any sort.", {"instruction", "modal"}),
        ("One can put the kiln on dry stones.", {"modal"}),
        ("A kiln isn’t an oven for bread and cake.", {"negation"}),
        ("By default a kiln is cold and dark.", {"default"}),
        ("Refer to another page on kilns and ovens.", {"reference"}),
    ],
)
def test_a_sentence_has_the_signs_that_show_in_it(text: str, signs: set[str]) -> None:
    found = written("Who was here?", text)
    counted = {"rank", "of_document", "new_words", "new_share", "first"}
    assert {name for name in FORMS if found[name] and name not in counted} == signs


@pytest.mark.parametrize(
    ("question", "text", "sign"),
    [
        ("What is the default heat?", "It defaults to 900 degrees in the kiln.", "default_asked"),
        ("How do I heat it?", "The kiln is heated by `fire --now` at night.", "how_code"),
        ("How do I heat it?", "To heat the kiln, burn dry wood at night.", "how_instruction"),
        ("Can I heat it?", "You must heat the kiln at night only.", "whether"),
        ("Can I heat it?", "The kiln is never hot in the night.", "whether"),
        ("Why is it hot?", "It is hot because of the fire in it.", "because"),
        ("The kiln fails to start", "Make sure that the door of it is shut.", "remedy"),
        ("kiln heat", "The kiln stands in the yard of stone.", "keywords_new"),
    ],
)
def test_a_sign_counts_more_where_it_is_asked_for(question: str, text: str, sign: str) -> None:
    assert written(question, text)[sign] > 0
    assert written("Who was here?", text)[sign] == 0


def test_what_a_sentence_says_beyond_the_question_is_counted_without_stop_words_and_endings() -> None:
    again, more = (
        written("Does the kiln heat stones?", text) for text in ("The kilns heat a stone.", "The kiln heats clay.")
    )
    assert (again["new_words"], again["new_share"]) == (0, 0)
    assert (more["new_words"], more["new_share"]) == (math.log(2), pytest.approx(1 / 3))


def test_a_sentence_that_was_pasted_is_as_new_as_the_others() -> None:
    text = "The kiln is hot. A glaze is white and dry. The oven stands in a yard."
    columns = [FORMS.index(name) for name in ("new_words", "new_share", "keywords_new")]
    pasted, *others = forms("The kiln is hot.", candidate_sentences([hit(text)]), "en")[:, columns]
    assert pasted == pytest.approx(np.mean(others, axis=0))
    assert forms("Is the kiln hot?", candidate_sentences([hit(text)]), "en")[0, columns].tolist() == [0, 0, 0]
    assert forms("The kiln is hot.", candidate_sentences([hit("The kiln is hot.")]), "en")[0, columns].tolist() == [
        0,
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("source", "heading", "is_of_changes"),
    [
        ("CHANGELOG.md", "Kilns", 1),
        ("kiln.md", "What's new", 1),
        ("kiln.md", "Kilns > Version 2.1", 1),
        ("kiln.md", "Kilns", 0),
        ("exchange.md", "Exchanges and interchanges", 0),
        ("kiln.md", "3.1 Firing", 0),
        ("changes/kiln.md", "Kilns", 0),
    ],
)
def test_a_list_of_changes_is_told_by_the_name_of_its_file_or_its_heading(
    source: str, heading: str, is_of_changes: float
) -> None:
    found = forms("kiln", candidate_sentences([hit("A kiln is hot now.", source, heading)]), "en")
    assert found[0, FORMS.index("changes")] == is_of_changes


def test_the_chunk_that_was_found_first_and_the_document_that_was_found_most_show() -> None:
    hits = [hit("The kiln is hot.", "a.md"), hit("The oven is hot.", "b.md"), hit("A fire is hot.", "a.md", start=90)]
    found = forms("kiln", candidate_sentences(hits), "en")
    assert found[:, FORMS.index("rank")].tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert found[:, FORMS.index("of_document")].tolist() == pytest.approx([2 / 3, 1 / 3, 2 / 3])


def test_of_no_sentence_there_is_a_table_without_rows() -> None:
    assert forms("kiln", [], "en").shape == (0, len(FORMS))


def test_no_two_inputs_of_the_network_have_one_name() -> None:
    assert len(set(NETWORK_INPUTS)) == len(NETWORK_INPUTS)
    assert not set(FEATURES) & set(FORMS)
