"""A question in, what it asks of the word index out: its words in the languages of the store, weighed by their rarity."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.text.analyser import (
    ANALYSER,
    analyse,
    choose_language,
    codes_of,
    compound_parts,
    compounds_are_written_together,
    detect_language,
    plain_words,
    possible_parts,
    question_forms,
)
from rag.text.languages import MULTIPLE, UNKNOWN
from sql.base.errors import StoreMismatch
from sql.base.settings import LANGUAGES
from sql.records import TextStatistics, WordQuery

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sql.search.everything import Postings
    from sql.store import Snapshot
    from sql.store.snapshot import Watch

COMPOUND_WEIGHT = 0.5  # of a part of a compound, next to the compound itself; 0.3 to 0.7 do equally well
# Of a word in the form of another language than the question's, next to its form in that: in a store of XQuAD English and
# German 0.5 finds more than 0 and than 1.
OTHER_LANGUAGE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Rarities:
    """How many chunks of a store hold each term of a question, in the question's language; nothing of a store without words."""

    language: str = ""
    frequencies: Mapping[str, int] = field(default_factory=dict)
    chunks: int = 0

    def rarity(self, term: str) -> float:
        """The inverse document frequency of a term, 0 where nothing is known."""
        return rarity(self.frequencies.get(term, 0), self.chunks) if self.chunks else 0.0


@dataclass(frozen=True, slots=True)
class AskedWords:
    """The words of a question as the word index may hold them.

    `words`: the forms of each word, and how often it is asked; `together`: the languages in which they may be compounds;
    `foreign`: forms of other languages than the question's; `terms`: all forms, and all that may be parts of compounds.
    """

    words: Mapping[tuple[str, ...], int]
    together: Sequence[str]
    foreign: Collection[str]
    terms: Sequence[str]

    def with_several_forms(self, frequencies: Collection[str]) -> list[list[str]]:
        """The forms that there are of each word that has several."""
        return [found for word in self.words if len(found := [term for term in word if term in frequencies]) > 1]

    def weighed(
        self, statistics: TextStatistics, frequencies: Mapping[str, int], shared: Mapping[str, int]
    ) -> WordQuery | None:
        """With the weights that follow from how many chunks hold each term; None where no chunk holds any.

        `shared` says how many hold any of several forms of a word, by the first of them that there is.
        """
        if not frequencies:
            return None
        return weigh_words(self.words, frequencies, statistics, self.together, shared, self.foreign)


def asked_words(snapshot: Snapshot, question: str, language: str) -> AskedWords | None:
    """The words of a question in a language, or `auto`, in the languages of a store; None where there are none.

    Raises StoreMismatch for words of another analyser.
    """
    snapshot.check_analyser(ANALYSER)
    statistics = snapshot.text_statistics()
    if not statistics.languages:
        return None
    language, languages = question_languages(question, statistics, language)
    asked = count_words(question_forms(question, language, languages))
    if not asked:
        return None
    together = [code for code in languages if compounds_are_written_together(code) and language in {UNKNOWN, code}]
    forms = {term for word in asked for term in word}
    parts = {part for term in forms for code in together for part in possible_parts(term, code)}
    foreign: set[str] = set()
    if language in codes_of(statistics.languages):
        foreign = forms - {form for forms in question_forms(question, language, [language]) for form in forms}
    return AskedWords(asked, together, foreign, sorted(forms | parts))


def weighed_words(snapshot: Snapshot, question: str, language: str, watch: Watch) -> WordQuery | None:
    """What a question in a language, or `auto`, asks of the word index, with the rarity that its words have at an epoch.

    None where no chunk holds any of its words. Raises StoreMismatch for words of another analyser.
    """
    asked = asked_words(snapshot, question, language)
    if asked is None:
        return None
    frequencies = snapshot.term_frequencies(asked.terms, watch)
    several = asked.with_several_forms(frequencies)
    counts = snapshot.word_frequencies(several, watch)
    shared = {found[0]: count for found, count in zip(several, counts, strict=True)}
    return asked.weighed(snapshot.text_statistics(), frequencies, shared)


def weighed_among(everything: Postings, asked: AskedWords, statistics: TextStatistics) -> WordQuery | None:
    """The same where all postings of the asked terms are at hand."""
    frequencies = {term: count for term, count in everything.term_counts.items() if count}
    several = asked.with_several_forms(frequencies)
    shared = {found[0]: everything.word_count(found) for found in several}
    return asked.weighed(statistics, frequencies, shared)


def word_rarities(snapshot: Snapshot, question: str, language: str = LANGUAGES[0]) -> Rarities:
    """How rare the words of a question are among the chunks of an epoch."""
    statistics = snapshot.text_statistics()
    if not statistics.languages:
        return Rarities()
    try:
        snapshot.check_analyser(ANALYSER)
    except StoreMismatch:  # its words are of another analyser: a search by meaning works without them
        return Rarities()
    language = question_language(question, statistics, language)
    terms = {term for word in plain_words(question) for term in analyse(word, language)}
    return Rarities(language, snapshot.term_frequencies(terms), statistics.chunk_count)


def question_language(question: str, statistics: TextStatistics, wanted: str) -> str:
    """The one language to analyse a question in: the wanted one, else its own where the store holds it, else the store's."""
    language, _ = question_languages(question, statistics, wanted)
    known = codes_of(statistics.languages)
    return language if wanted != "auto" or language in known or not known else known[0]


def question_languages(question: str, statistics: TextStatistics, wanted: str) -> tuple[str, list[str]]:
    """The language of a question, whose stop words it is asked without, and those whose forms its words get.

    These are all that the store holds: names and single words show no language, and a name may stand in any text.
    """
    if wanted != "auto":
        language = choose_language(question, wanted)
        return language, [language]
    known = codes_of(statistics.languages)
    language = detect_language(question, known)
    if not known or UNKNOWN in statistics.languages:
        known.append(UNKNOWN)
    # Texts that have the forms of every language are met by those of the question's own.
    return language, [*known, language] if language and MULTIPLE in statistics.languages else known


def count_words(words: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Words, given by their forms, with how often each is asked; those that share a form are one word.

    >>> count_words([("kiln",), ("kilns", "kiln"), ("hot",)])
    {('kiln', 'kilns'): 2, ('hot',): 1}
    """
    counts: dict[tuple[str, ...], int] = {}
    word_of: dict[str, tuple[str, ...]] = {}
    for forms, times in Counter(words).items():
        met = dict.fromkeys(word_of[form] for form in forms if form in word_of)
        merged = tuple(dict.fromkeys(form for word in (*met, forms) for form in word))
        counts[merged] = times + sum(counts.pop(word) for word in met)
        word_of |= dict.fromkeys(merged, merged)
    return counts


def weigh_words(
    asked: Mapping[tuple[str, ...], int],
    frequencies: Mapping[str, int],
    statistics: TextStatistics,
    together: Sequence[str],
    shared: Mapping[str, int],
    foreign: Collection[str] = (),
) -> WordQuery:
    """The asked words, given by their forms, and the parts of compounds among them, with their weights.

    A word weighs its rarity times its repetitions in the question, as in the sum of BM25 over the words of a question.
    Its rarity is that of a chunk with any of its forms: `shared` counts these by the first form that there is, where
    there are several. Words of the languages `together` may be compounds. `foreign` forms are those of other languages
    than the question's.
    """
    count = statistics.chunk_count
    weights: dict[tuple[str, ...], float] = {}
    for word, times in asked.items():
        found = [term for term in word if term in frequencies]
        holding = shared.get(found[0], frequencies[found[0]]) if found else 0
        weights[word] = times * rarity(holding, count)
    most = sum(weights.values())
    word_of = {term: word for word in asked for term in word}
    for word, times in asked.items():
        parts = (part for term in word for code in together for part in compound_parts(term, frequencies.keys(), code))
        for part in dict.fromkeys(parts):
            whole = word_of.setdefault(part, (part,))
            weight = COMPOUND_WEIGHT * times * rarity(frequencies[part], count)
            weights[whole] = weights.get(whole, 0.0) + weight
    number_of = {word: number for number, word in enumerate(weights, start=1)}
    found = sorted(term for term, word in word_of.items() if term in frequencies and word in weights)
    numbers = tuple(number_of[word_of[term]] for term in found)
    return WordQuery(
        tuple(found),
        tuple(weights[word_of[term]] * (OTHER_LANGUAGE_WEIGHT if term in foreign else 1) for term in found),
        statistics.average_length,
        most,
        numbers if len(set(numbers)) < len(numbers) else (),
    )


def rarity(frequency: int, chunk_count: int) -> float:
    """Inverse document frequency in the form of Lucene, above 0: ln(1 + (N - n + 0.5) / (n + 0.5)).

    >>> round(rarity(1, 10), 4), round(rarity(10, 10), 4)
    (1.9924, 0.0465)
    """
    return math.log(1 + (chunk_count - frequency + 0.5) / (frequency + 0.5))
