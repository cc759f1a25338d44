"""A question of a conversation and what was said before in, the same question as a stranger would have to ask it out.

Rules, for English and German: a pronoun becomes what was asked about, `and earthenware?` the last question about
earthenware, `why?` the last question with a why. What they do not recognise stays as it is. A language model does better
(rag/answer/conversation.py), and is asked only where these rules see that a question leans on another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.answer.pronouns import CLAUSE_OPENERS, GRAMMARS, PLURAL, SUBJECTS, WORD, Grammar
from rag.text.analyser import detect_language
from rag.text.identifiers import identifiers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.text.identifiers import Identifier

    Alike = Callable[[str, Sequence[str]], Sequence[float]]  # how like a text each of some phrases is, as a cosine

MARKS = re.compile(r"(?<!\s)\s*\[(?:\d{1,4}|not supported)\]")
NUMBER = re.compile(r"\d[\d.,:-]*")
CLEARLY = 0.2  # of a cosine; parts of a question that are not its subject are seldom asked for anew
LEAST_ALIKE = 0.15  # of a cosine, to stand for the same
FEW_WORDS = 4  # of a question that may lean on another without a word that says so
SHORT = 5  # words; a longer question with a word that nothing is known of may well explain it itself
OWNING = "'s"
OF = frozenset({"for", "of", "für", "von"})
SETTING = re.compile(r"[^\W\d]+(?:[._-][^\W\d]+)+")  # kiln.heat, max_heat
# What is said of a thing and cannot be switched off itself.
DEFAULT_OF = re.compile(
    r"(?:the|der|die|das|den|dem)\s+(?:default(?:\s+value|\s+setting)?|standardwert|voreinstellung)\s+(?:of|for|von)\s+",
    re.IGNORECASE,
)
BRACKETS = re.compile(r"\((.+)\)\Z")
ONE = re.compile(r"(?:an?|one|every|each)\b", re.IGNORECASE)
WITH_QUESTION = ")?"  # the end of one that has something that was said beside it


@dataclass(frozen=True, slots=True)
class Turn:
    """A question as it was asked in the end, self-contained, and its answer; empty where there was none."""

    question: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that name something and their place in a question; `lead` is the word before them, in small letters."""

    text: str
    start: int
    end: int
    is_name: bool = False
    lead: str = ""


def self_contained(question: str, turns: Sequence[Turn], alike: Alike | None = None) -> str:
    """A question that can be understood without the turns before it; itself where it can or where no rule applies.

    `alike` tells which phrase means most what a text means; without it the subject is taken.

    >>> self_contained("And how long does it take?", [Turn("How is the old kiln fired?")])
    'How long does the old kiln take?'
    """
    if not turns:
        return question
    grammar = grammar_of(question, turns[-1].question)
    asked, opened = without_opener(question, grammar)
    if opened and is_fragment(asked, grammar):
        if " of " in asked and not asked.startswith("of "):  # a thing that is named in full
            return question
        if question[: question.index(asked)].rstrip().casefold().endswith("mit"):  # whose case would be wrong elsewhere
            asked = re.sub(rf"^{grammar.determined}", "", asked)
        if not WORD.search(asked):
            return question
        found = with_referents(asked, turns, grammar)
        if found.endswith(WITH_QUESTION):
            return capitalized(found)
        if WORD.findall(asked)[0].casefold() in CLAUSE_OPENERS:  # and if it fails?
            return capitalized(with_question(found, turns))
        if doing := other_doing(asked, turns[-1].question, grammar):
            return f"{doing}{found}"
        return completed(found, turns[-1].question, grammar, alike)
    if is_bare(asked, grammar):
        return f"{bare(turns[-1].question)}, {grammar.conjunction} {lowered(bare(asked))}?"
    if grammar.asks_more.fullmatch(asked):
        return with_question(asked, turns)
    if not opened and is_led(asked, grammar):
        return completed(lowered(asked), turns[-1].question, grammar, alike)
    found = with_referents(asked, turns, grammar)
    return capitalized(found) if opened else found


def leans(question: str, turns: Sequence[Turn]) -> bool:
    """Whether a question may not be understood without those before it: its words say so, or they are few.

    >>> [leans(question, [Turn("Who built it?")]) for question in ("And Spode?", "Was he paid?", "What does the index cost?")]
    [True, True, False]
    """
    if not turns:
        return False
    grammar = grammar_of(question, turns[-1].question)
    words = [word.casefold() for word in WORD.findall(question)]
    opened = without_opener(question, grammar)[1]
    return (
        opened
        or len(words) < FEW_WORDS
        or grammar.asks_more.fullmatch(question) is not None
        or any(word in grammar.referring for word in words)
    )


def grammar_of(question: str, before: str) -> Grammar:
    """The grammar of a question's language; of one that shows none, that of the question before."""
    languages = [detect_language(text, ["en", "de"]) for text in (question, before)]
    return next((GRAMMARS[language] for language in languages if language in GRAMMARS), GRAMMARS["en"])


# Half a question: "and earthenware?"


def without_opener(question: str, grammar: Grammar) -> tuple[str, bool]:
    """A question without the words that tie it to the one before, and whether it had any."""
    opener = grammar.openers.match(question)
    return (question[opener.end() :].strip(), True) if opener else (question.strip(), False)


def is_fragment(asked: str, grammar: Grammar) -> bool:
    """Whether this is no question of its own: it has no verb that could be one's, as far as that can be told."""
    words = [word.casefold() for word in WORD.findall(asked)]
    return bool(words) and not (set(words) & grammar.auxiliaries) and words[0] not in grammar.question_words


def is_bare(asked: str, grammar: Grammar) -> bool:
    """Whether only a question word is there, as in `why?` and `since when?`."""
    words = [word.casefold() for word in WORD.findall(asked)]
    behind = words[1:] if set(words[:1]) & grammar.prepositions else words
    return (
        0 < len(words) < FEW_WORDS
        and any(word in grammar.question_words for word in behind)
        and all(word in grammar.question_words | grammar.around_question_words for word in behind)
    )


def is_led(asked: str, grammar: Grammar) -> bool:
    """Whether this is a few words behind a preposition, or `which` and a noun: `on macOS?`, `with which algorithm?`."""
    words = [word.casefold() for word in WORD.findall(asked)]
    is_short = 1 < len(words) < FEW_WORDS and asked.rstrip().endswith("?")
    if not is_short or set(words) & (grammar.auxiliaries | grammar.referring):
        return False
    return words[0] in grammar.leading or (len(words) == 2 and grammar.asks_which.match(asked) is not None)


def other_doing(fragment: str, before: str, grammar: Grammar) -> str:
    """The beginning of the question before, as far as what is done, where a fragment tells what else is done with the same;
    else "".

    >>> other_doing("disable it?", "How do I set a timeout?", GRAMMARS["en"])
    'How do I '
    """
    first, *others = [word.casefold() for word in WORD.findall(fragment)]
    has_object = bool(set(others[:1]) & grammar.determiners or set(others) & grammar.of_things)
    doing = grammar.somebody_does.search(before)
    return before[: doing.start(1)] if doing and has_object and first in grammar.verbs else ""


def completed(fragment: str, before: str, grammar: Grammar, alike: Alike | None) -> str:
    """The question before with a part of it replaced by a fragment of the same kind, or with the fragment added."""
    piece, base = bare(fragment), bare(before)
    first, *others = WORD.finditer(piece)
    if any(word[0].casefold() in grammar.question_words for word in (first, *others[:1])):  # with which algorithm
        return f"{base}, {grammar.conjunction} {piece}?"
    if first[0].casefold() in grammar.prepositions:
        led = re.compile(rf"\b{re.escape(first[0])}\s+(?:{grammar.determined})?[^\s?]*[^\s?,]", re.IGNORECASE)
        place = led.search(base)
        if place is None and first[0].casefold() in OF and rival_names(piece, base):  # the default of a.b, and for a.c?
            return completed(piece[first.end() :], before, grammar, alike)
        whole = f"{base[: place.start()]}{piece}{base[place.end() :]}" if place else f"{base} {piece}"
        return f"{capitalized(whole)}?"
    replaced = parallel(piece, base, grammar, alike)
    if replaced is None:
        return f"{base}, {grammar.conjunction} {piece}?"
    start, end = replaced
    return f"{capitalized(base[:start] + piece + base[end:])}?"


def parallel(piece: str, base: str, grammar: Grammar, alike: Alike | None) -> tuple[int, int] | None:
    """The span of a question that a fragment stands for: a number for a number, a name for one, else what is most alike."""
    if NUMBER.fullmatch(piece) and (numbers := list(NUMBER.finditer(base))):
        return numbers[-1].span()
    if rivals := rival_names(piece, base):
        return rivals[-1]
    phrases = phrases_of(base, grammar)
    names = [phrase for phrase in phrases if phrase.is_name]
    if names and piece[0].isupper() and (grammar.capitals_are_names or len(WORD.findall(piece)) > 1):
        return names[-1].start, names[-1].end
    if not phrases:
        return None
    chosen = most_alike(piece, phrases, grammar, alike) if alike else subject(phrases, grammar)
    if chosen is None or (chosen.lead in grammar.question_words and grammar.capitals_are_names and piece[0].isupper()):
        return None  # which S3 are supported
    return chosen.start, chosen.end


def rival_names(piece: str, base: str) -> list[tuple[int, int]]:
    """Where exact names stand in a question that one in a fragment may stand for: of its shape, or else of its kind."""
    wanted = identifiers(piece)
    if not wanted:
        return []
    found = [(match.span(), identifiers(match[0])) for match in re.finditer(r"[^\s,;?!()]+", base)]
    named = [(span, names[0]) for span, names in found if names]
    alike = [span for span, name in named if name.shape == wanted[0].shape]
    return alike or [span for span, name in named if kind_of(name) == kind_of(wanted[0]) != ""]


def kind_of(name: Identifier) -> str:
    """Whether an exact name is an option or a setting; "" for others, which are alike only by their shape."""
    if name.text.startswith("-"):
        return "option"
    return "setting" if SETTING.fullmatch(name.text) else ""


# Pronouns


def with_referents(asked: str, turns: Sequence[Turn], grammar: Grammar) -> str:
    """A question whose first pronoun is replaced by what it stands for; where that is not known, with the question before."""
    for match in WORD.finditer(asked):
        word = match[0].casefold()
        if word not in grammar.referring or not refers_back(asked, match, grammar):
            continue
        if word in grammar.demonstratives | grammar.of_actions and grammar.of_statements.match(asked, match.end()):
            return with_question(asked, turns)
        if word in grammar.of_actions and grammar.of_events.match(turns[-1].question):
            return with_question(asked, turns)
        if action := action_of(asked[: match.start()], word, turns[-1].question, grammar):
            return beside(asked, action)
        referent = referent_of(word, turns, grammar)
        if referent is None:
            return with_question(asked, turns) if len(WORD.findall(asked)) <= SHORT else asked
        text = grammar.inflected(DEFAULT_OF.sub("", referent), word, asked[match.end() :])
        if text is None:  # where the word itself has to stay
            return beside(asked, referent)
        replaced = f"{asked[: match.start()]}{text}{asked[match.end() :]}"
        return capitalized(replaced) if asked[0].isupper() else replaced
    return asked


def with_question(asked: str, turns: Sequence[Turn]) -> str:
    """A question with the one before in brackets, or with what stands in brackets there: brackets do not grow."""
    before = bare(turns[-1].question)
    if within := BRACKETS.search(before):
        before = within[1]
    return beside(asked, before)


def beside(asked: str, said: str) -> str:
    """A question with something that was said in brackets."""
    return f"{bare(asked)} ({said}{WITH_QUESTION}"


def refers_back(asked: str, pronoun: re.Match[str], grammar: Grammar) -> bool:
    """Whether a pronoun speaks of an earlier question: not of nothing (`is it possible to`), nor of its own sentence."""
    before, behind = asked[: pronoun.start()], asked[pronoun.end() :]
    if grammar.empty.search(f"{before}\x00{pronoun[0]}{behind}"):
        return False
    if not grammar.capitals_are_names and pronoun.start() and pronoun[0][0].isupper():
        return False  # können SIE mir sagen: whoever is asked
    stands_alone = grammar.alone.match(behind) or grammar.of_statements.match(behind)
    if pronoun[0].casefold() in grammar.demonstratives and not stands_alone:
        return False
    *others, own = grammar.clause_ends.split(before)
    if pronoun[0].casefold() in grammar.owning and not own.rstrip().endswith(" of"):
        others.append(own)  # does a hive lose ITS queen
    return not any(phrases_of(clause, grammar) for clause in others)


def action_of(before: str, word: str, question: str, grammar: Grammar) -> str:
    """What somebody wanted to do, where `it` can only mean the doing of it; else "".

    >>> action_of("How long does", "it", "How do I reset the password?", GRAMMARS["en"])
    'reset the password'
    """
    lead = [found.casefold() for found in WORD.findall(before)][-1:]
    if word not in grammar.of_actions or (lead and lead[0] not in grammar.auxiliaries):
        return ""
    doing = grammar.somebody_does.search(bare(question))
    return doing[1].strip() if doing else ""


def referent_of(word: str, turns: Sequence[Turn], grammar: Grammar) -> str | None:
    """What a pronoun stands for: the person or thing that was asked about last, or that the answer named."""
    for turn in reversed(turns):
        answer = MARKS.sub("", turn.answer)
        phrases = phrases_of(bare(turn.question), grammar)
        if word in grammar.of_places:
            found = grammar.place_in(turn.question) or grammar.place_in(answer)
        elif word in grammar.of_persons:
            found = person(turn.question, phrases, answer, grammar)
        else:
            found = thing(word, turn.question, phrases, answer, grammar)
        if found:
            return found
    return None


def person(question: str, phrases: Sequence[Phrase], answer: str, grammar: Grammar) -> str | None:
    """The person of a turn: whom the answer names where the question was who, else whom the question names."""
    asked = [phrase.text for phrase in phrases if phrase.is_name]
    said = [phrase.text for phrase in names_of(answer, grammar)]
    found = [*said, *asked] if grammar.asks_who.search(question) else [*asked, *said]
    return found[0] if found else None


def thing(word: str, question: str, phrases: Sequence[Phrase], answer: str, grammar: Grammar) -> str | None:
    """The thing of a turn: what the answer is about where the question asked which, else what the question is about."""
    if grammar.asks_which.search(question) and (about := grammar.answer_subject.match(answer)):
        named = [one.casefold() for one in WORD.findall(about[1])]
        if named and named[0] not in grammar.stop | SUBJECTS:  # WE have two kilns
            return about[1] if 0 < len(named) <= FEW_WORDS else None
    fitting = [phrase for phrase in phrases if grammar.fits(phrase.text, word)]
    if not fitting and grammar.asks_who.search(question):
        return None  # who can see my salary, and why can THEY
    possible = fitting or [phrase for phrase in phrases if word not in PLURAL or not ONE.match(phrase.text)]
    return subject(possible, grammar).text if possible else None


# Phrases


def subject(phrases: Sequence[Phrase], grammar: Grammar) -> Phrase:
    """What a question is about: the first of its phrases behind no preposition and no `how many` or `which`."""
    return next(
        iter(
            [
                *free_phrases(phrases, grammar),
                *(phrase for phrase in phrases if phrase.lead not in grammar.prepositions),
                *phrases,
            ]
        )
    )


def most_alike(piece: str, phrases: Sequence[Phrase], grammar: Grammar, alike: Alike) -> Phrase | None:
    """The phrase that means most what a fragment means; of those behind a preposition and the like only one that does so
    clearly more than any other, and none where none is like it at all."""
    scores = alike(piece, [phrase.text for phrase in phrases])
    free = free_phrases(phrases, grammar)
    fair = [score if phrase in free else score - CLEARLY for phrase, score in zip(phrases, scores, strict=True)]
    return phrases[fair.index(max(fair))] if max(scores) >= LEAST_ALIKE else None


def free_phrases(phrases: Sequence[Phrase], grammar: Grammar) -> list[Phrase]:
    """Those behind no preposition and no `how many` or `which`."""
    behind = grammar.prepositions | grammar.question_words | {"many-of"}
    return [phrase for phrase in phrases if phrase.lead not in behind or phrase.lead in {"who", "what"}]


def phrases_of(question: str, grammar: Grammar) -> list[Phrase]:
    """The words of a question that name things or persons, in order.

    >>> [one.text for one in phrases_of("At how many degrees is the old kiln fired in Kent?", GRAMMARS["en"])]
    ['degrees', 'the old kiln', 'Kent']
    """
    found: list[Phrase] = []
    for run in grammar.runs(question):
        if span := grammar.named_by(question, run):
            text = question[slice(*span)]
            if run.determined and span[0] == 0:
                text = lowered(text)
            if text.endswith(OWNING):
                text = text[: -len(OWNING)]
            names = [word for word in WORD.findall(text) if word[0].isupper()]
            is_name = bool(names) and span[0] > 0 and (grammar.capitals_are_names or len(names) > 1)
            found.append(Phrase(text, *span, is_name, run.lead))
    return found


def names_of(text: str, grammar: Grammar) -> list[Phrase]:
    """Names of persons in a text, as far as capital letters tell: two words side by side."""
    return [
        Phrase(match[0], match.start(), match.end(), True)
        for match in grammar.full_name.finditer(text)
        if match[0].split()[0].casefold() not in grammar.stop
    ]


# Letters


def bare(question: str) -> str:
    """A question without the mark at its end."""
    return question.strip().rstrip("?!. ")


def lowered(text: str) -> str:
    """A text that begins with a small letter, unless its first word is written in capitals."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def capitalized(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]
