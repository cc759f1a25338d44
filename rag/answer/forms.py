"""A question and the sentences that may answer it in, how they are written out: a row of numbers a sentence, and one for the
question.

Whoever asks how something is done wants an instruction or a command, and whoever asks for a default wants one. A sentence that
says again what was asked, or that only refers to another page, comes near to the question and answers nothing. The words are
English and German; in other languages the signs that are made of words are 0.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.definitions import asked_stems, asked_term, defines, is_named, subject_share
from rag.text.analyser import WORD, stems, stop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.answer.candidates import Candidate

    Floats = NDArray[np.float64]

# What the network sees of a sentence, in the order of the columns.
FORMS = (
    "rank",  # 1 for the chunk that was found first, then a half, a third...
    "of_document",  # share of the found chunks that are of its document
    "item",  # whether it is an item of a list,
    "row",  # a row of a table or a setting,
    "code",  # holds lines of code,
    "code_names",  # or names of code;
    "announces",  # brings along what it announces,
    "colon",  # or ends with a colon;
    "few_words",  # has fewer than six words;
    "context",  # has a context,
    "below_question",  # or the heading above asks;
    "aside",  # begins with a bracket
    "link",  # or holds a link;
    "instruction",  # says what to do,
    "modal",  # what can or must be done,
    "negation",  # that something is not so,
    "default",  # or what a default is;
    "reference",  # refers to another place;
    "changes",  # is of a list of changes;
    "new_words",  # logarithm of 1 and the number of its words that the question does not have,
    "new_share",  # and their share of its words;
    "default_asked",  # says what a default is where one is asked for,
    "how_code",  # holds code where it is asked how,
    "how_instruction",  # or what to do;
    "whether",  # says what can be done, or that it cannot, where it is asked whether;
    "because",  # gives a reason where one is asked for,
    "remedy",  # or a remedy where something goes wrong;
    "keywords_new",  # `new_share` where the question is a row of words
    "subject",  # share of the question's words that it begins with
    "defines",  # how much it looks like it says what a thing is, where that is asked,
    "named",  # and whether it is the first below a heading of that name;
    "first",  # or below any heading
)
# And of the question.
ASKED = (
    "how",  # whether it asks how something is done,
    "what",
    "why",
    "whether",
    "keywords",  # or not at all;
    "default",  # whether it speaks of a default;
    "words",  # how many words it has, of 20
)
LONGEST = 400  # characters of a sentence that are looked at
MOST_WORDS = 20
FEW_WORDS = 6


def _pattern(words: str, before: str = r"\b", after: str = r"\b") -> re.Pattern[str]:
    return re.compile(f"{before}(?:{'|'.join(words.split())}){after}".replace("_", r"\s+"), re.IGNORECASE)


_HOW = _pattern(
    "how_(?:do|can|to|should|would|could|does) what(?:’|')?s_the_(?:way|command) (?:what|which)_(?:command|option|setting|flag) "
    "which_environment wie_(?:kann|muss|soll|mache|stelle|lässt|wird)",
    before=r"^\W*",
)
_WHAT = _pattern(r"what(?:[’']s)? which was welche\w*", before=r"^\W*")
_WHY = _pattern("why warum weshalb wieso", before=r"^\W*", after="")
_WHETHER = _pattern(
    "can does do is are will should must may has have did was were kann ist sind darf muss hat wird", before=r"^\W*"
)
_ASKING = _pattern(
    r"who what when where why which how whose whom wer was wann wo warum welche\w* wie wessen wem wen",
)
_WRONG = _pattern(
    "error fail exception warning not_found denied refused can(?:no|'|’)t (?:does|is)n['’]t wrong problem fehler",
    before="",
    after="",
)
_DEFAULT = _pattern("defaults? standard(?:mäßig|wert)")
_LINE_OF_CODE = re.compile(r"```|~~~|^\s{4}\S|^\$ |>>> ", re.MULTILINE)
_NAME_OF_CODE = re.compile(r"`|\b\w+_\w+\b|(?<![\w-])--\w|\w\(\)")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s")
_MODAL = _pattern("can must should may use need have_to set run kann muss soll darf")
_INSTRUCTION = _pattern(
    "to if_you in_order_to use set run add create make call pass you_(?:can|must|should|need|may) um wenn_sie verwenden setzen",
    before=r"^\W*",
)
_NEGATION = re.compile(r"\b(?:not|no|never|cannot|nicht|kein\w*)\b|n['’]t\b", re.IGNORECASE)
_REFERENCE = _pattern(
    "see refer_to for_(?:more|further)_(?:details?|information) read_(?:more_)?about described_in documentation siehe"
)
_BECAUSE = _pattern("because since so_that in_order_to due_to reason weil damit da denn wegen")
_REMEDY = _pattern(
    "resolve fix solution make_sure ensure workaround instead avoid try solve beheb stattdessen", after=r"\w*"
)
_CHANGES = re.compile(
    r"(?<!ex)(?<!inter)change|release|what.?s.?new|\bnews\b|\bhistory\b|änderung|versionshinweis|(?:\bv|version )\d+\.\d+"
    r"|^\d+\.\d+\.\d+",
    re.IGNORECASE,
)
_LINK = re.compile(r"\]\(|`_|:ref:|https?:")


def asked_form(question: str) -> tuple[float, ...]:
    """The numbers of ASKED.

    >>> asked_form("How do I fire a kiln?"), asked_form("kiln default heat")
    ((1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3), (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.15))
    """
    found = [one.search(question) is not None for one in (_HOW, _WHAT, _WHY, _WHETHER)]
    asks = any(found) or "?" in question or _ASKING.search(question) is not None
    words = min(len(WORD.findall(question)), MOST_WORDS) / MOST_WORDS
    return (*map(float, found), float(not asks), float(_DEFAULT.search(question) is not None), words)


def forms(question: str, candidates: Sequence[Candidate], language: str) -> Floats:
    """The columns of FORMS, float64 (candidates, FORMS); `language` is that of the stop words, which are not counted."""
    how, _, why, whether, keywords, default, _ = asked_form(question)
    is_wrong = _WRONG.search(question) is not None
    asked = stems(question)
    term, asked_words = asked_term(question), asked_stems(question)
    are_first = first_below_headings(candidates)
    ranks: dict[int, int] = {}
    for one in candidates:
        ranks.setdefault(id(one.hit), len(ranks))
    of_hits = {id(one.hit): one.hit.source for one in candidates}
    of_documents = Counter(of_hits.values())
    rows = []
    for one, is_first in zip(candidates, are_first, strict=True):
        quotation = one.quotation
        written, said = of_sentence(quotation.text[:LONGEST], language)
        new = said - asked
        share = len(new) / max(1, len(said))
        row = written | {
            "rank": 1 / (1 + ranks[id(one.hit)]),
            "of_document": of_documents[one.hit.source] / len(of_hits),
            "row": quotation.is_row,
            "announces": quotation.lines,
            "context": quotation.context is not None,
            "below_question": quotation.question != "",
            "changes": any(map(_CHANGES.search, (quotation.heading, PurePath(one.hit.source).name))),
            "new_words": math.log1p(len(new)),
            "new_share": share,
            "default_asked": default and written["default"],
            "how_code": how and (written["code"] or written["code_names"]),
            "how_instruction": how and written["instruction"],
            "whether": whether and (written["modal"] or written["negation"]),
            "because": why and written["because"],
            "remedy": is_wrong and written["remedy"],
            "keywords_new": keywords * share,
            "subject": subject_share(asked_words, quotation.text),
            "defines": defines(term, quotation.text) if term else 0.0,
            "named": is_first and is_named(term, one.section),
            "first": is_first,
        }
        rows.append([float(row[name]) for name in FORMS])
    found = np.array(rows).reshape(-1, len(FORMS))
    return as_new_as_others(found) if keywords else found


def first_below_headings(candidates: Sequence[Candidate]) -> list[bool]:
    """Whether each sentence is the first below its heading, as far as its chunk shows."""
    above: dict[int, str] = {}
    found = []
    for one in candidates:
        hit, quotation = one.hit, one.quotation
        if id(hit) in above:
            found.append(above[id(hit)] != quotation.heading)
        else:  # what stands before it in the chunk is a heading
            found.append(quotation.start > hit.start or quotation.start == 0)
        above[id(hit)] = quotation.heading
    return found


def as_new_as_others(found: Floats) -> Floats:
    """The columns, in which a sentence that says no more than the question is as new as the others are on average: who pastes
    a sentence looks for it."""
    nothing_new = found[:, FORMS.index("new_share")] == 0
    if nothing_new.all():
        return found
    for name in ("new_words", "new_share", "keywords_new"):
        column = found[:, FORMS.index(name)]
        column[nothing_new] = column[~nothing_new].mean()
    return found


@lru_cache(maxsize=6000)
def of_sentence(text: str, language: str) -> tuple[dict[str, bool], frozenset[str]]:
    """What shows in a sentence alone, and the crude stems of its words but for stop words."""
    written = {
        "item": _ITEM.match(text) is not None,
        "code": _LINE_OF_CODE.search(text) is not None,
        "code_names": _NAME_OF_CODE.search(text) is not None,
        "colon": text.rstrip().endswith(":"),
        "few_words": len(WORD.findall(text)) < FEW_WORDS,
        "aside": text.lstrip()[:1] in ("(", "["),
        "link": _LINK.search(text) is not None,
        "instruction": _INSTRUCTION.search(text) is not None,
        "modal": _MODAL.search(text) is not None,
        "negation": _NEGATION.search(text) is not None,
        "default": _DEFAULT.search(text) is not None,
        "reference": _REFERENCE.search(text) is not None,
        "because": _BECAUSE.search(text) is not None,
        "remedy": _REMEDY.search(text) is not None,
    }
    return written, frozenset(stems(text, stop_words(language)))
