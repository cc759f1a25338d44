"""A question for what a thing is in, how well each sentence says it out.

Many sentences name the thing, and come nearer to the question than the one that says what it is. That one mostly begins with
it, or is the first below a heading of its name, and goes on as `is a`, `means` or a dash. English and German.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rag.text.analyser import crude_stem, plain_words, stems, stop_words
from rag.text.languages import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sql.records import Hit

LONGEST_LOOK = 240  # characters of a sentence in which its subject and verb are looked for
MOST_TERM_WORDS = 4
FIRST_WORDS = 4  # of a sentence, stop words apart, that are taken for its subject
LIKELY, SURE = 0.7, 0.9  # how much a sentence looks like a definition, for its chunk to come before others

_ARTICLES = words_of("a an the any each every one der die das ein eine jeder jede jedes")
_TERM = r"(?:(?:an?|the|ein|eine|einem|einer|der|die|das|dem)\s+)?(?P<term>\S.{0,60}?)"
_END = r"(?:\s+(?:exactly|actually|for|about|used\s+for|gut|für|genau|eigentlich))*(?:\s+in\s+\w+)?\W*"
_ASKS = re.compile(
    r"\W*(?:(?:what|who|was|wer)(?:[’']s|\s+(?:is|are|was|were|ist|sind|bedeutet|bedeuten|heißt|macht|bewirkt))"
    r"|(?:please\s+)?(?:define|explain|erkläre?)|(?:the\s+)?(?:definition|meaning|purpose|bedeutung)\s+(?:of|von)"
    r"|what\s+is\s+meant\s+by|was\s+versteht\s+man\s+unter|wozu\s+dien(?:t|en))\s+"
    r"(?:(?:the|die|der)\s+(?:meaning|purpose|role|point|idea|definition|concept|bedeutung|aufgabe|rolle)\s+(?:of|von|des|der)\s+)?"
    + _TERM
    + _END,
    re.IGNORECASE,
)
_ASKS_DOING = re.compile(
    rf"\W*what\s+(?:does|do|did)\s+{_TERM}\s+(?:do|mean|stand\s+for|refer\s+to){_END}", re.IGNORECASE
)
_NAMES = re.compile(r"\W*(?P<term>\S.{0,60}?)\s+(?:meaning|definition|bedeutung)\W*", re.IGNORECASE)
_MARKS = re.compile(r"^[\s>*+|•`\"'“„(\[_:.~#=-]*(?:\d+[.)]\s+)?")
_ADDRESSES = re.compile(r"\]\([^)]*\)|<[^>]*>|:[a-z]+:(?=`)|\([^)]*\)")
_HEADINGS = re.compile(r"^(?:#{1,6}|={1,6})[ \t]+(.{1,80})$|^(.{1,80})\n[=~^\"'*+-]{3,80}[ \t]*$", re.MULTILINE)
_BEGINS = re.compile(r"\A|(?<=[.!?:])\s+|\n\s*")  # of sentences, roughly
_RELATION = re.compile(
    r"\b(?:of|by|in|from|for|why|how|when|where|von|vom|des|im|bei|für|warum|wie|wann|wo)\b|['’]s\b(?!\s+(?:an?|the)\b)"
    r"|\b(?:number|price|costs?|hours|phone|address|limit|size|name|version|port|value|date|time|email|deadline|default|nummer"
    r"|preis|kosten|öffnungszeiten|adresse|größe|wert|datum|uhrzeit|standard\w*)\W*$",
    re.IGNORECASE,
)
_SHORT_FORM = re.compile(r"\W{0,8}(?:[\w-]+[ \t]+){1,6}?\(([^()]{1,30})\)")
_IS = words_of("is are was were ist sind war waren")
_MEANS = words_of(
    "means mean refers refer describes describe stands stand allows allow lets let provides provide represents "
    "represent contains contain enables enable defines define consists consist helps help holds hold specifies "
    "specify determines determine controls control sets set ensures ensure makes make gives give creates create "
    "runs run bezeichnet bezeichnen bedeutet ermöglicht ermöglichen beschreibt beschreiben steht stehen dient "
    "dienen enthält enthalten legt bestimmt bestimmen stellt"
)
_WHAT_IT_IS = _ARTICLES | words_of(
    "when where what how simply just basically essentially our your their its another part used similar responsible nothing "
    "wenn wo was wie einfach unsere ihre teil verantwortlich zuständig"
)
_MARKED = re.compile(r"\s*(?:[*_`\"'”“)]*\s*(?:\([^)]*\)\s*)?(?::{1,2}|–|—|-|=)\s|[*_`\"'”“)]+\s*(?:\([^)]*\)\s*)?$)")


@cache
def left_out() -> frozenset[str]:
    """The stop words of both languages."""
    return stop_words("en") | stop_words("de")


@lru_cache(maxsize=100)
def asked_term(question: str) -> tuple[str, ...]:
    """The crude stems of what a question wants to know the meaning of; empty where it asks something else.

    >>> asked_term("What is a work queue?"), asked_term("mixin meaning"), asked_term("How do I start it?")
    (('work', 'queu'), ('mixi',), ())
    """
    found = next(filter(None, (one.fullmatch(question) for one in (_ASKS, _ASKS_DOING, _NAMES))), None)
    if found is None:
        return ()
    term = tuple(crude_stem(word) for word in plain_words(found["term"]) if word not in left_out())
    return term if len(term) <= MOST_TERM_WORDS else ()


def is_bare(question: str) -> bool:
    """Whether a term is asked for by itself, and neither in its relation to another nor as the value of something.

    >>> [is_bare(one) for one in ("What is a kiln?", "What is the height of a kiln?", "What is the phone number?")]
    [True, False, False]
    """
    return _RELATION.search(question) is None


def defining_first(hits: Sequence[Hit], term: Sequence[str]) -> list[Hit]:
    """The chunks, those first in which a sentence says what a term is, then those in which one looks a little like it; of equal
    ones as found."""
    return sorted(hits, key=lambda hit: -defined_in(term, hit)) if term else list(hits)


def defined_in(term: Sequence[str], hit: Hit) -> int:
    """2 for a chunk in which a sentence says what a term is, or which has a heading of it, 1 for one that may do so, 0 for
    others."""
    text = hit.text
    headings = [hit.heading.rsplit(" > ", 1)[-1], *(found[1] or found[2] for found in _HEADINGS.finditer(text))]
    if any(is_heading_of(term, heading) for heading in headings):
        return 2
    looks = (defines(term, text[start : start + LONGEST_LOOK]) for start in sentences_with(term, text))
    best = max(looks, default=0.0)
    return 2 if best >= SURE else 1 if best >= LIKELY else 0


def sentences_with(term: Sequence[str], text: str) -> set[int]:
    """Where the sentences begin that may hold a term, as far as stops and line ends show it: to divide hundreds of chunks into
    their sentences takes longer than to find them."""
    plain = text.casefold()
    if not all(stem in plain for stem in term):
        return set()
    begins = [begin.end() for begin in _BEGINS.finditer(text)]
    if len(plain) != len(text):  # ß is ss there, and places differ
        return set(begins)
    places = [found.start() for found in re.finditer(re.escape(min(term, key=plain.count)), plain)]
    return {begins[max(0, bisect_right(begins, place) - 1)] for place in places}


def is_heading_of(term: Sequence[str], heading: str) -> bool:
    """Whether what stands below a heading is about a term: it is the term, but perhaps for what that is a part of.

    >>> [is_heading_of(("poetry", "lock"), heading) for heading in ("lock", "Poetry lock", "Lock files", "Add a lock")]
    [True, True, False, False]
    """
    held, wanted = stems(heading, left_out()), set(term)
    return bool(held) and held <= wanted and len(wanted) - len(held) <= 1


def is_named(term: Sequence[str], heading: str) -> bool:
    """Whether a heading is a term, give or take a word.

    >>> [is_named(("work", "queu"), heading) for heading in ("Work queues", "Work queue limits", "Queue", "Work of clients")]
    [True, True, True, False]
    """
    held, wanted = stems(heading, left_out()), set(term)
    return bool(held and wanted) and (held <= wanted or wanted <= held) and abs(len(held) - len(wanted)) <= 1


def asked_stems(question: str) -> frozenset[str]:
    """The stems of a question without stop words."""
    return frozenset(stems(question, left_out()))


def subject_share(asked: frozenset[str], text: str) -> float:
    """The share of the stems of a question that a sentence begins with.

    >>> subject_share(frozenset({"kil", "heat"}), "The kiln is lit at dawn.")
    0.5
    """
    return len(asked & first_stems(text)) / max(1, len(asked))


@lru_cache(maxsize=6000)
def first_stems(text: str) -> frozenset[str]:
    """The stems of the first words of a sentence, without marks, addresses and stop words."""
    return frozenset([crude_stem(word) for word in read_words(text) if word not in left_out()][:FIRST_WORDS])


def read_words(text: str) -> list[str]:
    """The words of a sentence as they are read: without what its links lead to and what stands in brackets."""
    return plain_words(_ADDRESSES.sub(" ", _MARKS.sub("", text[:LONGEST_LOOK])))


def defines(term: Sequence[str], text: str) -> float:
    """How much a sentence looks like it says what a term means: 1 for `X is a`, less the further it is from that, 0 for none.

    >>> [defines(("kil",), text) for text in ("A kiln is an oven.", "Kiln: an oven.", "The kiln is hot.", "Light the kiln.")]
    [1.0, 0.8, 0.5, 0.0]
    """
    words = read_words(with_short_form(term, text))
    found = _place_of(term, [crude_stem(word) for word in words])
    if found is None:
        return 0.0
    start, end = found
    before = [word for word in words[:start] if word not in _ARTICLES]
    part = 1.0 if not before else 0.7 if len(before) <= MOST_TERM_WORDS else 0.5
    said = _said_of(words[end : end + 4])
    if said is None and not before and _introduces(term, text):
        said = 0.8
    if said is None:
        return 0.3 if not before else 0.0
    return part * said


def with_short_form(term: Sequence[str], text: str) -> str:
    """A sentence that begins with the short form of a term, where that is what is asked for and stands in brackets.

    >>> with_short_form(("sla",), "Service Level Agreements (SLAs) ensure timely responses.")
    'SLAs ensure timely responses.'
    """
    short = _SHORT_FORM.match(text)
    return f"{short[1]}{text[short.end() :]}" if short and stems(short[1]) == set(term) else text


def _place_of(term: Sequence[str], listed: Sequence[str]) -> tuple[int, int] | None:
    # Where the words of the term stand together, in any order, the first time.
    wanted = set(term)
    for start, stem in enumerate(listed):
        if stem in wanted and wanted <= set(listed[start : start + len(term) + 1]):
            end = max(
                place for place in range(start, min(start + len(term) + 1, len(listed))) if listed[place] in wanted
            )
            return start, end + 1
    return None


def _said_of(behind: Sequence[str]) -> float | None:
    # What the words behind a term say of it; `command` or `plugin` may come first.
    for place, word in enumerate(behind[:3]):
        follows = behind[place + 1] if place + 1 < len(behind) else ""
        if word in _IS:
            return _worth_of(word, follows) - 0.1 * place
        if word in _MEANS:
            return 0.8 - 0.1 * place
    return None


def _worth_of(verb: str, follows: str) -> float:
    # How much `is` with the word after it says what something is: `is a`, `are closures`, `is hot`, `is pronounced`.
    if follows in _WHAT_IT_IS:
        return 1.0
    if verb in {"are", "were"} and len(follows) > 3 and follows.endswith("s"):
        return 0.9
    return 0.3 if follows.endswith(("ed", "ing", "en", "iert")) else 0.5


def _introduces(term: Sequence[str], text: str) -> bool:
    # Whether a mark divides the term from the rest, as in `- **Kiln** - an oven` and in the first line of an item.
    plain = _MARKS.sub("", text[:LONGEST_LOOK])
    last = max(
        (match.end() for match in re.finditer(r"\w+", plain[:80]) if crude_stem(match[0].casefold()) in term), default=0
    )
    return last > 0 and _MARKED.match(plain, last) is not None
