"""One answer held against the known ones: contained, exact match, F1, and what its citations are worth.

Exact match and F1 are those of SQuAD's own evaluation scripts: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine
Comprehension of Text", 2016, arXiv:1606.05250, section 6.1, and for questions without an answer Rajpurkar, Jia and
Liang, "Know What You Don't Know", 2018, arXiv:1806.03822. What they call a prediction is here all that is shown.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b", re.ASCII)  # of English, the only ones that SQuAD leaves out
PUNCTUATION = str.maketrans("", "", string.punctuation)


def without_case(text: str) -> str:
    """Text without differences of case and white space."""
    return " ".join(text.casefold().split())


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether a text holds one of the answers as it is written, but for case and white space."""
    shown = without_case(text)
    return any(without_case(answer) in shown for answer in answers)


def normalized_answer(text: str) -> str:
    """An answer as SQuAD compares it: in small letters, without punctuation, without English articles, single spaces.

    >>> normalized_answer("The  Eiffel-Tower, in Paris!")
    'eiffeltower in paris'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1 where a prediction is one of the answers, else 0; an empty one is right where there is no answer.

    >>> exact_match("the two minutes.", ["Two minutes"]), exact_match("", [])
    (1.0, 1.0)
    """
    given = normalized_answer(prediction)
    return float(any(given == normalized_answer(answer) for answer in known(answers)))


def f1(prediction: str, answers: Sequence[str]) -> float:
    """The harmonic mean of precision and recall of words, for the answer that a prediction comes closest to.

    F1 = 2 P R / (P + R), where P is the share of the prediction's words that the answer holds too, and R the share of the
    answer's words that the prediction holds, each word as often as it stands in both.

    >>> round(f1("steep it for two minutes", ["two minutes"]), 4)
    0.5714
    """
    words = normalized_answer(prediction).split()
    return max(f1_of_words(words, normalized_answer(answer).split()) for answer in known(answers))


def f1_of_words(given: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of two bags of words; where one is empty, 1 if the other is empty too."""
    if not (given and wanted):
        return float(given == wanted)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted))


def known(answers: Sequence[str]) -> list[str]:
    """The answers that SQuAD compares with: those of which something is left, or that nothing is to be said."""
    return [answer for answer in answers if normalized_answer(answer)] or [""]
