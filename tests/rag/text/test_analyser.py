"""Text becomes terms: folded, without stop words, stemmed by language; compounds show their parts."""

from __future__ import annotations

import importlib
import tracemalloc
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from support import PROJECT

from rag.text.analyser import (
    BEYOND_PLAIN_WORDS,
    LONGEST_TERM,
    LanguageChooser,
    analyse,
    choose_language,
    chunk_words,
    compound_parts,
    compounds_are_written_together,
    detect_language,
    forms_of,
    pattern_for,
    possible_parts,
    question_forms,
    stemmer,
    stop_words,
    term_forms,
    text_forms,
    word_pattern,
    words_in,
)
from rag.text.languages import LANGUAGES, MULTIPLE
from sql.base import settings

SENTENCES = {
    "en": "What is the capital of the country and who lives there?",
    "de": "Wie heißt die Hauptstadt des Landes und wer wohnt dort?",
    "fr": "Quelle est la capitale du pays et qui habite dans la ville ?",
    "es": "¿Cuál es la capital del país y quién vive en la ciudad?",
    "it": "Qual è la capitale del paese e chi abita nella città?",
    "nl": "Wat is de hoofdstad van het land en wie woont er?",
    "pt": "Qual é a capital do país e quem mora na cidade?",
    "sv": "Vad är landets huvudstad och vilka bor där?",
    "da": "Hvad er landets hovedstad, og hvem bor der efter krigen?",
    "no": "Hva er landets hovedstad, og hvem bor der etter krigen nå?",
    "fi": "Mikä on maan pääkaupunki ja ketkä siellä ovat?",
    "ru": "Какая столица у этой страны и кто там живет?",
    "el": "Ποια είναι η πρωτεύουσα της χώρας;",
    "ar": "ما هي عاصمة البلاد ومن يعيش هناك؟",
    "hi": "देश की राजधानी क्या है?",
    "": "東京都に行く",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_the_language_of_a_sentence_is_told_by_its_stop_words_or_its_script(language: str) -> None:
    assert detect_language(SENTENCES[language]) == language


@pytest.mark.parametrize("text", ["", "   ", "42 + 7 = 49", "Panthers Broncos", "x = foo(bar)", "😀"])
def test_text_without_function_words_has_no_language(text: str) -> None:
    assert detect_language(text) == ""


def test_a_language_can_be_given() -> None:
    english = SENTENCES["en"]
    assert [choose_language(english, wanted) for wanted in ("auto", "de", "none")] == ["en", "de", ""]


def test_a_text_that_shows_no_language_gets_those_of_its_neighbours() -> None:
    names = "Panthers, Broncos"
    assert choose_language(names, "auto") == MULTIPLE
    assert choose_language(names, "auto", ["de"]) == "de"
    assert choose_language(names, "auto", ["de", "en", "fr", "it"]) == "de en fr"
    assert choose_language(names, "none", ["de"]) == ""
    assert choose_language("Panther in Berlin", "auto") == "en"  # `in` is a word of four languages
    assert choose_language("Panther in Berlin", "auto", ["fr", "de", "en"]) == "de"
    assert choose_language(SENTENCES["en"], "auto", ["de"]) == "en"


def test_texts_that_stand_together_tell_each_other_their_language_in_any_order() -> None:
    texts = ["Glazes: celadon, tenmoku", SENTENCES["en"]]
    assert LanguageChooser().choose_all(texts) == ["en", "en"]
    assert LanguageChooser().choose_all(texts[::-1]) == ["en", "en"]
    assert LanguageChooser().choose_all(texts[:1]) == [MULTIPLE]
    assert LanguageChooser("auto", ("de", MULTIPLE, "")).choose_all(texts[:1]) == ["de"]
    assert LanguageChooser("fr").choose_all(texts) == ["fr", "fr"]
    assert LanguageChooser("none").choose_all(texts) == ["", ""]
    chooser = LanguageChooser("auto", ("de",))
    chooser.choose_all([SENTENCES["en"]] * 2)
    assert chooser.choose("Panthers, Broncos") == "en de"


def test_the_languages_of_the_command_line_are_those_there_are() -> None:
    assert ("auto", *LANGUAGES, "none") == settings.LANGUAGES


KNOWN_WORDS = sorted(
    {
        word
        for path in ("rag/text/languages.py", "rag/text/analyser.py", "docs/concepts.md")
        for word in (PROJECT / path).read_text(encoding="utf-8").lower().split()
    }
)


def plain_stemmer(language: str) -> Any:
    """The same algorithm in Python, which takes a hundred times as long."""
    name = LANGUAGES[language].stemmer
    module = importlib.import_module(f"snowballstemmer.{name}_stemmer")  # `snowballstemmer.stemmer` would be ours
    return getattr(module, f"{name.capitalize()}Stemmer")()


@pytest.mark.parametrize("language", LANGUAGES)
def test_stems_are_those_of_the_same_algorithms_in_python(language: str) -> None:
    plain = plain_stemmer(language)
    assert [stemmer(language).stemWord(word) for word in KNOWN_WORDS] == [plain.stemWord(word) for word in KNOWN_WORDS]


@pytest.mark.parametrize("language", LANGUAGES)
@given(words=some.lists(some.text(max_size=20), max_size=20))
@hypothesis_settings(max_examples=20, deadline=None)
def test_stems_of_any_text_are_those_of_the_same_algorithms_in_python(language: str, words: list[str]) -> None:
    plain = plain_stemmer(language)
    assert [stemmer(language).stemWord(word) for word in words] == [plain.stemWord(word) for word in words]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_stemmer_and_stop_words_in_normal_form(language: str) -> None:
    assert stemmer(language).stemWord("banana")
    stop_words = LANGUAGES[language].stop_words
    assert all(unicodedata.normalize("NFKC", word.casefold()) == word for word in stop_words)
    assert analyse(" ".join(stop_words), language) == []


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("en", "The codes are quantized, the CODE is not.", ["code", "quantiz", "code"]),
        ("en", "naïve cafés don't", ["naiv", "cafe", "don"]),
        ("en", "3.14 of 2,047", ["3", "14", "2", "047"]),
        ("de", "Die Straße, die STRASSE und die Straßen", ["strass", "strass", "strass"]),
        ("de", "schöne Häuser", ["schon", "haus"]),
        ("fr", "Les élèves étudiaient l'été", ["elev", "etudi", "ete"]),
        ("sv", "är röda ögon", ["röd", "ögon"]),
        ("da", "både børn og bønder", ["båd", "børn", "bønd"]),
        ("ru", "столицы и столица", ["столиц", "столиц"]),
        ("", "The Houses", ["the", "houses"]),
        ("", "東京都に行く", ["東京", "京都", "都に", "に行", "行く"]),
        ("", "Tokyo東京 x", ["tokyo", "東京", "x"]),
        ("", "水", ["水"]),
        ("", "ＦＵＬＬ ﬁne", ["full", "fine"]),
    ],
)
def test_terms_of_a_text(language: str, text: str, terms: list[str]) -> None:
    assert analyse(text, language) == terms


def test_words_of_scripts_with_vowel_signs_stay_whole() -> None:
    assert analyse("राजधानी", "") == ["राजधानी"]


@pytest.mark.parametrize("language", ["", "en", "de", MULTIPLE])
@pytest.mark.parametrize(
    "invisible",
    ["\u00ad", "\u2060", "\u200d", "\u200c", "\ufeff", "\u200e", "\u200f", "\u202a", "\u2066", "\u061c", "\u034f",
     "\u180e", "\ufe0f", "\U000e0020", "\u200b"],
)  # fmt: skip
def test_what_nobody_sees_divides_no_word(language: str, invisible: str) -> None:
    text = f"the ther{invisible}mo{invisible}couple{invisible} {invisible}is hot"
    whole = {form for forms in question_forms("thermocouple", language, [language]) for form in forms}
    assert whole <= set(chunk_words(text, language).terms)
    asked = {form for forms in question_forms(f"thermo{invisible}couple", language, [language]) for form in forms}
    assert whole <= asked
    assert detect_language(f"w{invisible}ho is t{invisible}he one") == "en"


def test_a_word_that_may_be_broken_is_found_whole_and_by_its_parts() -> None:
    assert analyse("thermo\u200bcouple", "") == ["thermocouple", "thermo", "couple"]
    thai = "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"
    assert analyse(f"{thai[:3]}\u200b{thai[3:]}", "") == analyse(thai, "")
    assert analyse(f"{thai}\u200bkiln", "") == [*analyse(thai, ""), "kiln"]


def test_a_persian_word_meets_its_three_spellings() -> None:
    joined, spaced, between = (
        "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645",
        "\u0645\u06cc \u062e\u0648\u0627\u0647\u0645",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    )
    terms = {text: set(analyse(text, "")) for text in (joined, spaced, between)}
    assert terms[between] == terms[joined] | terms[spaced]


def test_joiners_within_a_hindi_word_make_no_other_word_and_vowel_signs_do() -> None:
    for language in ("", "hi"):
        assert analyse("\u0915\u094d\u200d\u0937", language) == analyse("\u0915\u094d\u0937", language)
    assert analyse("\u0995\u09c1\u09b2", "") != analyse("\u0995\u09b2", "")


@pytest.mark.parametrize(
    ("language", "word", "forms"),
    [
        ("pt", "instalação", ("instal", "instalaca")),
        ("pt", "instalacao", ("instalaca",)),
        ("en", "résumé", ("resume", "resum")),
        ("en", "codes", ("code",)),
        ("sv", "får", ("får", "faar")),
        ("ru", "за́мок", ("замок",)),
        ("ru", "который", ("котор",)),
        ("", "café", ("cafe",)),
        ("en de", "glazes", ("glaze", "glaz")),
    ],
)
def test_forms_of_a_word(language: str, word: str, forms: tuple[str, ...]) -> None:
    assert term_forms(word, language) == forms


def test_a_chunk_is_as_long_as_its_words_and_not_as_their_forms() -> None:
    words = chunk_words("A instalação do forno", "pt")
    assert dict(words.terms) == {"instal": 1, "instalaca": 1, "forn": 1}
    assert words.length == 2


def test_stop_words_are_left_out_as_they_are_typed_too() -> None:
    assert analyse("nao sao voce", "pt") == analyse("fuer ueber koennen wahrend", "de") == analyse("perche", "it") == []


def test_stop_words_that_are_written_as_names_count() -> None:
    assert analyse("It was so. The IT of The Who; Who was it?", "en") == ["it", "the", "who"]
    assert analyse("THE KILN WAS HOT", "en") == ["kiln", "hot"]


def test_composed_and_decomposed_letters_are_the_same_word() -> None:
    for language in LANGUAGES:
        assert analyse(unicodedata.normalize("NFD", "årsmöte"), language) == analyse("årsmöte", language)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("fsync_after_insert", ["fsync_after_insert", "fsync", "after", "insert"]),
        ("parseLocation", ["parselocation", "parse", "location"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("DistilBERT", ["distilbert", "distil", "bert"]),
        ("Panthers NASA x_", ["panthers", "nasa", "x"]),
    ],
)
def test_identifiers_are_found_whole_and_by_their_parts(text: str, terms: list[str]) -> None:
    assert analyse(text, "") == terms


def test_a_chunk_counts_its_terms() -> None:
    words = chunk_words("The kiln and the kilns", "en")
    assert (words.language, dict(words.terms), words.length) == ("en", {"kiln": 2}, 2)


@hypothesis_settings(deadline=None)
@given(some.text(max_size=300), some.sampled_from(["", *LANGUAGES]))
def test_any_text_has_short_whole_terms_that_are_the_same_every_time(text: str, language: str) -> None:
    terms = analyse(text, language)
    assert all(term and len(term) <= 3 * LONGEST_TERM and not term.isspace() for term in terms)
    assert terms == analyse(text, language)


# Compounds


@pytest.mark.parametrize(
    ("compound", "vocabulary", "parts"),
    [
        ("Verteidigungsminister", "Verteidigung Minister", ["verteid", "minist"]),
        ("Energiekrise", "Energie Krisen", ["energi", "kris"]),
        ("Kulturrevolution", "Kultur Revolution", ["kultur", "revolution"]),
        ("Kinderbuchverlag", "Kind Buch Verlag Kinderbuch", ["kinderbuch", "verlag"]),
        ("Weltraumbahnhof", "Welt Raumbahnhof Raum Bahnhof", ["welt", "raum", "bahnhof"]),
        ("Energiekrise", "Energie", []),
        ("Krise", "Krise", []),
        ("Landen", "Land", []),
    ],
)
def test_a_german_compound_consists_of_words_that_the_documents_hold(
    compound: str, vocabulary: str, parts: list[str]
) -> None:
    (term,) = analyse(compound, "de")
    known = set(analyse(vocabulary, "de"))
    assert compound_parts(term, known, "de") == parts
    assert set(parts) <= possible_parts(term, "de")


def test_compounds_are_divided_only_where_they_are_written_together() -> None:
    assert {language for language in LANGUAGES if compounds_are_written_together(language)} == {
        "de", "nl", "sv", "da", "no", "fi"
    }  # fmt: skip
    assert not compounds_are_written_together("")


def test_a_swedish_compound_is_divided_too() -> None:
    (term,) = analyse("järnvägsstation", "sv")
    assert compound_parts(term, set(analyse("järnväg station", "sv")), "sv") == ["järnväg", "station"]


@hypothesis_settings(deadline=None)
@given(
    some.text("aberdnst", min_size=8, max_size=30),
    some.lists(some.text("aberdnst", min_size=4, max_size=8), max_size=9),
)
def test_the_parts_of_a_compound_are_among_the_possible_ones(term: str, vocabulary: list[str]) -> None:
    assert set(compound_parts(term, set(vocabulary), "de")) <= possible_parts(term, "de") & set(vocabulary)


def test_what_is_remembered_of_a_word_does_not_grow_with_the_languages_that_it_is_stemmed_in() -> None:
    chunk_words("warm up", MULTIPLE)
    words = [f"organisation{number}s" for number in range(500)]
    tracemalloc.start()
    try:
        for word in words:
            chunk_words(word, MULTIPLE)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(words) < 1500  # bytes; 6,900 with every stem of it


def slow_text_forms(text: str, language: str) -> list[tuple[str, ...]]:
    """`text_forms` by what `words_in` says of each word."""
    left_out = stop_words(language)
    return forms_of((word for word in words_in(text) if word.name or word.folded not in left_out), (language,))


ODD_WORDS = [
    "The",
    "the",
    "THE",
    "it",
    "IT",
    "Who",
    "who.",
    "I",
    "Walk!",
    "walk_Home",
    "parseIt",
    "7",
    "-",
    "é",
    "Straße",
    "東京",
    "...",
]
WORDS = some.lists(some.sampled_from(ODD_WORDS)).map(" ".join)


@given(text=WORDS | some.text(max_size=60), language=some.sampled_from(["en", "de", "", MULTIPLE]))
@hypothesis_settings(max_examples=150)
def test_the_words_of_a_text_are_counted_as_each_of_them_alone(text: str, language: str) -> None:
    assert text_forms(text, language) == slow_text_forms(text, language)


def test_a_text_of_plain_letters_has_the_same_words_by_the_short_pattern_as_by_the_long_one() -> None:
    plain = [letter for letter in map(chr, range(0x2C00)) if not BEYOND_PLAIN_WORDS.search(letter)]
    assert "é" in plain
    assert "д" in plain
    for letter in plain:
        text = f"a{letter}b {letter}1 {letter}{letter}"
        assert pattern_for(text).findall(text) == word_pattern().findall(text), hex(ord(letter))
    assert BEYOND_PLAIN_WORDS.search("\U0001f600")
