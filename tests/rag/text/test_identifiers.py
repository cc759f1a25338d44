"""What counts as an exact name in a question, and where a document holds it."""

from __future__ import annotations

import pytest

from rag.text.identifiers import folded, identifiers


@pytest.mark.parametrize(
    ("question", "name", "holding"),
    [
        ("Wo trage ich eine IPv4-Adresse ein?", "ipv4", "IPv4-Adressen tragen Sie hier ein."),
        ("Was kostet ein P-0137-Halter?", "p-0137", "Die P-0137-Halterung kostet 3 Euro."),
        ("Was tat die Covid-19-Pandemie?", "covid-19", "Während Covid-19 war alles zu."),
        ("Passt ein DIN-A4-Blatt?", "din-a4", "Papier in DIN-A4 passt."),
        ("Is it UTF-8?", "utf-8", "A UTF-8-encoded file is read."),
        ("Was kostet das iPhone-15-Pro?", "iphone-15-pro", "Das iPhone-15-Pro kostet 3 Euro."),
        ("How much does the P-0137-Blue cost?", "p-0137-blue", "P-0137-Blue costs 3 euros."),
    ],
)
def test_a_noun_that_is_joined_to_a_name_is_no_part_of_it(question: str, name: str, holding: str) -> None:
    (found,) = identifiers(question)
    assert (found.text, found.has_other_forms) == (name, False)
    assert found.is_in(folded(holding))


@pytest.mark.parametrize(
    ("question", "longer"),
    [
        ("What is P-0137?", "P-0137-B"),
        ("What is P-0137?", "P-0137-0191"),
        ("What is P-0137?", "XP-0137-Halter"),
        ("What is P-0137-Blue?", "P-0137-Red"),
        ("Was kostet ein P-0137-Halter?", "P-0137-Deckel"),
        ("What is broken in 2.1.3?", "2.1.3-beta"),
        ("What is in python3?", "python3-dev"),
    ],
)
def test_a_longer_name_is_another_one(question: str, longer: str) -> None:
    assert not identifiers(question)[0].is_in(folded(f"{longer} is here."))


@pytest.mark.parametrize("word", ["1990er-Jahren", "20-jährige", "Kund_innen", "2009-2017", "mid-1990s", "20-year-old"])
def test_counted_words_years_and_both_genders_are_no_names(word: str) -> None:
    assert identifiers(f"Was gilt für {word}?") == ()


@pytest.mark.parametrize(
    "name", ["3.10.1990", "1990-10-03", "1.234.567", "WW2-era", "requests.max-retries", "node.js-based"]
)
def test_what_a_document_may_well_write_otherwise_need_not_stand_in_it(name: str) -> None:
    (found,) = identifiers(f"What is {name}?")
    assert found.has_other_forms


@pytest.mark.parametrize(
    "name", ["192.168.100.200", "3.11.15", "P-0137-B", "config.yaml", "x86-64", "gpt-4-turbo", "libxml2-dev"]
)
def test_what_has_one_form_has_to_stand_in_a_document(name: str) -> None:
    (found,) = identifiers(f"What is {name}?")
    assert not found.has_other_forms
