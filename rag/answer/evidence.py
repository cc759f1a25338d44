"""A question and the sentences that may answer it in, what speaks for each of them out: two rows of numbers a sentence.

The chunks of those that can win are read once more, with a state for every token, as the question is
(rag/answer/tokens.py). Beside that count the words that both hold, weighted by their rarity, exact names, and whether there
is anything of the kind that is asked for: a number, a time, a person, a place, a version.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.definitions import LIKELY, asked_term, is_bare
from rag.answer.forms import FORMS, asked_form, forms
from rag.answer.merit import FINER_OF_WORDS, Evidence, can_win
from rag.answer.tokens import compare_tokens, weighted
from rag.retrieve.words import Rarities
from rag.text.analyser import WORD, analyse, normalized, plain_words, stems, stop_words, without_marks
from rag.text.identifiers import folded, identifiers
from rag.text.kinds import KINDS, expected_kind, holds_kind
from rag.text.pronouns import leans_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.answer.candidates import Candidate
    from rag.encoder.encoder import Encoder
    from rag.text.identifiers import Identifier
    from sql.records import Hit

    Floats = NDArray[np.float64]

REMEMBERED_TEXTS = 6000  # sentences and headings whose words are not looked for again, some 3 kB each
WEIGHT_IN_STORE = 0.5  # of a word's rarity among all chunks, next to that among the sentences
AS_SUBJECT = 1.5  # of a name that the sentence begins with, where it is asked what that is
FIRST_WORDS = 2  # the mark of an item or an article among them
ASKS_MEANING = re.compile(
    r"\s*(?:what (?:does|do|is|are)(?: the)?|(?:the )?meaning of|was (?:macht|ist|bewirkt|bedeutet|heißt)(?: der| die| das)?"
    r"|wozu (?:dient|ist)(?: der| die| das)?)?[\s`'\"]*",
    re.IGNORECASE,
)
OF_MEANING = re.compile(
    r"[\s`'\"]*(?:option|setting|flag|parameter|command|argument|key|directive|field)?\s*(?:do|mean|for|gut)?[\s?.!]*",
    re.IGNORECASE,
)
SENTENCE_BEFORE = 0.5  # of a name in the sentence itself: what "it" may well refer to
OF_ANOTHER = 0.7  # of a name: the same member of something else, as `response.elapsed` for `r.elapsed`
WORD_IN_HEADING = 0.5  # of a word in the sentence itself: all sentences of a section have the same heading
MOST_PIECES = 3.0


def gather_evidence(
    question: str,
    query: NDArray[np.float32],
    candidates: Sequence[Candidate],
    encoder: Encoder,
    rarities: Rarities | None = None,
) -> Evidence:
    """What speaks for each candidate, of which there is at least one; `query` float32 (dimensions,) is the question's
    vector."""
    known = rarities or Rarities()
    hits = list({id(candidate.hit): candidate.hit for candidate in candidates}.values())
    words = compare_words(question, candidates, hits, known)
    of_words, before, after = words.shares
    expected = expected_kind(question, known.language)
    columns = [
        np.array([closeness(candidate.hit) for candidate in candidates]),
        of_words,
        before,
        before * leaning(candidates, known.language),
        after,
        share_of_names(question, identifiers(question), candidates),
        *kinds_held(question, expected, candidates, known.language),
    ]
    unread = np.stack(columns, axis=1)
    number = {id(hit): place for place, hit in enumerate(hits)}
    (asked,) = encoder.token_states([question], encoder.config.query_prompt)
    pieces = min(len(asked.spans) / max(1, len(WORD.findall(question))), MOST_PIECES)
    chunks = np.array([number[id(candidate.hit)] for candidate in candidates])
    written = forms(question, candidates, known.language)
    read = can_win(unread, chunks, pieces) | in_defining_chunks(written[:, FORMS.index("defines")], chunks)
    worth = [candidate for candidate, is_read in zip(candidates, read.tolist(), strict=True) if is_read]
    of_tokens, finer = compare_tokens(question, asked, query, worth, encoder, known)
    finer = np.hstack([finer, words.finer[read], written[read]])
    rows = np.hstack([of_tokens, unread[read]])
    term_words = len(asked_term(question)) if is_bare(question) else 0
    return Evidence(rows, read, words.missing_names, pieces, expected, finer, asked_form(question), term_words)


def in_defining_chunks(defining: Floats, chunks: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each candidate is of a chunk in which one looks like a definition of what is asked for: many that only name it
    are nearer. bool (candidates,); `defining` float64 (candidates,) says how much each does."""
    return np.isin(chunks, chunks[defining >= LIKELY])


def leaning(candidates: Sequence[Candidate], language: str) -> Floats:
    """1 for each candidate that begins with a pronoun for something that the sentence before it names, else 0."""
    return np.array([bool(one.before) and leans_back(one.quotation.text, language) for one in candidates], np.float64)


def closeness(hit: Hit) -> float:
    """How close a chunk comes to the question: its cosine, whatever the search has ordered it by."""
    return hit.score if hit.vector_score is None else hit.vector_score


# Words


@dataclass(frozen=True, slots=True)
class SharedWords:
    """`shares`: the columns `words`, `before` and `after`, each float64 (candidates,); `finer` those of FINER_OF_WORDS,
    float64 (candidates, FINER_OF_WORDS); the rest as in Evidence."""

    shares: tuple[Floats, Floats, Floats]
    finer: Floats
    missing_names: float


def compare_words(question: str, candidates: Sequence[Candidate], hits: Sequence[Hit], known: Rarities) -> SharedWords:
    """The words that each candidate shares with a question, and those that nothing found holds."""
    language = known.language
    asked = AskedWords.of(question, [c.judged for c in candidates], [c.section for c in candidates], known)
    own, before, after = (
        held_words(asked.keys, [keys(text, language) for text in texts])
        for texts in (
            [c.quotation.text for c in candidates], [c.before for c in candidates], [c.after for c in candidates]
        )
    )  # fmt: skip
    if not asked.keys:
        nothing = np.zeros(len(candidates))
        return SharedWords((nothing, nothing, nothing), np.zeros((len(candidates), len(FINER_OF_WORDS))), 0.0)
    weights = asked.weights / asked.weights.sum()
    with_before = np.maximum(asked.rows, before)
    shares = (
        weights @ asked.rows,
        weights @ (with_before - asked.rows),
        weights @ (np.maximum(with_before, after) - with_before),
    )
    of_names = asked.rarity * asked.is_name
    finer = np.column_stack(
        [
            weights @ own,
            weighted(asked.rows, asked.rarity),
            weighted(asked.rows, of_names),
            asked.rows.mean(axis=0),
            asked.rows[int(asked.weights.argmax())],
        ]
    )
    is_met = asked.rows.any(axis=1)
    absent = np.zeros(len(asked.keys))
    for place in np.flatnonzero((of_names > 0) & ~is_met).tolist():  # what a sentence holds, its chunk does
        texts = (f"{hit.heading}\n{hit.text}" for hit in hits)
        absent[place] = all(asked.keys[place].isdisjoint(keys(text, language)) for text in texts)
    return SharedWords(shares, finer, float(weighted(absent[:, None], of_names)[0]))


@dataclass(frozen=True, slots=True)
class AskedWords:
    """The words of a question: the keys of each, its weight, and whether each sentence holds it, float64 (words,
    sentences), WORD_IN_HEADING where only its heading does.

    `rarity` is that in the store, 0 for a stop word; `is_name` is 1 for capitalized words and those with digits.
    """

    keys: Sequence[frozenset[str]]
    weights: Floats
    rows: Floats
    rarity: Floats
    is_name: Floats

    @classmethod
    def of(cls, question: str, sentences: Sequence[str], headings: Sequence[str], known: Rarities) -> AskedWords:
        """The words of a question, held against sentences and the headings above them, one for each or none.

        A weight is inverse document frequency (Sparck Jones 1972), in the whole store and among the sentences, added up:
        what nearly every sentence holds says little, and so does what the whole store speaks of. Stop words, which the
        store does not count, have the former alone, among the sentences that hold any: rows of a table have none, and do
        not make `the` a rare word.
        """
        language, left_out = known.language, stop_words(known.language)
        bags = [keys(sentence, language) for sentence in sentences]
        of_prose = sum(not stems_of_stop_words(language).isdisjoint(bag) for bag in bags)
        above = [keys(heading, language) for heading in headings] or [frozenset[str]()] * len(bags)
        written = {normalized(word[0]): word[0] for word in reversed(list(WORD.finditer(question)))}
        first = next(iter(plain_words(question)), "")
        words = list(dict.fromkeys(plain_words(question)))
        wanted = [keys(word, language) for word in words]
        rows = np.maximum(held_words(wanted, bags), WORD_IN_HEADING * held_words(wanted, above))
        weights, rarity, is_name = [], [], []
        for word, row in zip(words, rows, strict=True):
            terms = analyse(word, language)  # none of a stop word
            in_store = known.rarity(terms[0]) if terms else 0.0
            is_stop = word in left_out
            among = of_prose if is_stop else len(bags)
            weights.append(WEIGHT_IN_STORE * in_store + math.log(1 + among / (1 + np.count_nonzero(row))))
            rarity.append(0.0 if is_stop else in_store or 1.0)
            capital = word != first and written.get(word, word)[:1].isupper()
            is_name.append(float(not is_stop and (capital or any(map(str.isdigit, word)))))
        return cls(wanted, np.array(weights), rows, np.array(rarity), np.array(is_name))


def held_words(wanted: Sequence[frozenset[str]], texts: Sequence[frozenset[str]]) -> Floats:
    """1 where a text (columns) has one of the keys of a word (rows), else 0; float64 (words, texts).

    >>> held_words([frozenset("ab"), frozenset("bc")], [frozenset("xb"), frozenset("c")]).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    of_key: dict[str, list[int]] = {}
    for number, some in enumerate(wanted):
        for key in some:
            of_key.setdefault(key, []).append(number)
    every, found = frozenset(of_key), np.zeros((len(wanted), len(texts)))
    rows, columns = list[int](), list[int]()
    for column, text in enumerate(texts):
        for key in text & every:  # few: a text holds hardly any word of a question
            rows += of_key[key]
            columns += [column] * len(of_key[key])
    found[rows, columns] = 1
    return found


def shared_words(
    question: str, sentences: Sequence[str], rarities: Rarities | None = None, headings: Sequence[str] = ()
) -> Floats:
    """The part of the question's words that each sentence holds, 0 to 1, a rare word counting more than a common one.

    A word that only the sentence's heading holds counts WORD_IN_HEADING; `headings` has one for each sentence, or none.
    """
    asked = AskedWords.of(question, sentences, headings, rarities or Rarities())
    return asked.weights @ asked.rows / asked.weights.sum() if len(asked.weights) else np.zeros(len(sentences))


@lru_cache(maxsize=REMEMBERED_TEXTS)
def keys(text: str, language: str) -> frozenset[str]:
    """What two texts share where they have a word in common: its terms in a language, and its crude stem in any, as it is
    written and as it is typed without accents."""
    typed = () if text.isascii() else stems(without_marks(normalized(text)))
    return frozenset({*analyse(text, language), *stems(text), *typed})


@lru_cache(maxsize=64)
def stems_of_stop_words(language: str) -> frozenset[str]:
    """What sentences of a language hold and bare names and numbers do not."""
    return frozenset(stems(" ".join(stop_words(language))))


# Exact names, and what is asked for


def share_of_names(question: str, names: Sequence[Identifier], candidates: Sequence[Candidate]) -> Floats:
    """The part of the exact names of a question that each candidate holds; 0 where it has none.

    Where the question only wants to know what one is, a sentence that begins with it holds AS_SUBJECT.
    """
    if not names:
        return np.zeros(len(candidates))
    shares = np.array([sum(held_share(name, candidate) for name in names) / len(names) for candidate in candidates])
    if len(names) == 1 and asks_meaning(question, names[0]):
        shares[[begins_with(names[0], candidate.quotation.text) for candidate in candidates]] = AS_SUBJECT
    return shares


def asks_meaning(question: str, name: Identifier) -> bool:
    """Whether a question is a name alone, or only asks what it is or does."""
    before, found, after = question.partition(name.text)
    return bool(found) and bool(ASKS_MEANING.fullmatch(before)) and bool(OF_MEANING.fullmatch(after))


def begins_with(name: Identifier, text: str) -> bool:
    """Whether a sentence begins with a name, apart from the mark of an item and an article: `- **roll_keep** is how many`."""
    return name.is_in(folded(" ".join(text.split(None, FIRST_WORDS)[:FIRST_WORDS])))


def held_share(name: Identifier, candidate: Candidate) -> float:
    """How much of a name a candidate holds, or its heading or context, or else the sentence before, which no row goes on from."""
    own = share_in(name, folded(f"{candidate.quotation.heading}\n{candidate.judged}"))
    if own or candidate.quotation.is_row:
        return own
    return SENTENCE_BEFORE if name.is_in(folded(candidate.before)) else 0.0


def share_in(name: Identifier, text: str) -> float:
    """How much of a name a text holds, as `folded` makes it: 1, OF_ANOTHER for its member of something else, or 0."""
    return 1.0 if name.is_in(text) else OF_ANOTHER if name.is_partly_in(text) else 0.0


def kinds_held(question: str, expected: str, candidates: Sequence[Candidate], language: str) -> list[Floats]:
    """For each of KINDS whether a candidate holds such a thing: zeros but for the one that is expected."""
    asked = set(plain_words(question))
    nothing = np.zeros(len(candidates))
    return [
        np.array([holds_kind(kind, candidate.quotation.text, asked, language) for candidate in candidates])
        if kind == expected
        else nothing
        for kind in KINDS
    ]
