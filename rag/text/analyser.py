"""Text in, the terms that BM25 counts out: words folded, without stop words, stemmed by language.

    language = detect_language("Die Zahlen werden gerundet.")       # "de"
    analyse("Die Zahlen werden gerundet.", language)                # ["zahl", "gerundet"]

A word may have several *forms*, by any of which it is met: `instalação` is `instal`, and `instalaca` for those who type
it without accents. A question's words have the forms of every language that a store holds.

A text's terms depend on the text and its language alone, so a store remembers ANALYSER and refuses terms of another one.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import chain
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.text.languages import LANGUAGES, MULTIPLE, SCRIPTS, UNKNOWN
from sql.records import ChunkWords

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set

# Raise the number whenever a text may get other terms than before.
ANALYSER = "words 2, snowball 3"
LONGEST_TERM = 64  # characters; what is longer is data and not a word
SHORTEST_PART = 4  # letters of a part of a compound; 3 and 5 find less in XQuAD German
LONGEST_COMPOUND = 40  # letters; the possible parts grow with the square
LANGUAGE_SAMPLE = 20_000  # characters that tell a document's language
LEAST_STOP_WORDS = 0.08  # of all words; below it the language is not one of ours, or it is no prose
MOST_NEIGHBOURS = 3  # languages whose forms a text gets that shows none itself
# Scripts that put no spaces between words, and Hangul, whose words carry their particles: two letters at a time.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese, Japanese, Korean
)
# Letters that Unicode does not take apart, as those write them who have no key for them.
PLAIN_LETTERS = str.maketrans(
    {"æ": "ae", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "œ": "oe", "þ": "th", "ŧ": "t"}
)
DIGRAPHS = str.maketrans({"å": "aa", "ä": "ae", "æ": "ae", "ö": "oe", "ø": "oe", "ü": "ue"})
BREAK, NON_JOINER = "\u200b", "\u200c"
# Nobody sees them, and no word ends at one (Unicode's Default_Ignorable_Code_Point); with them the Arabic tatweel, which
# only makes a word longer. BREAK and NON_JOINER are among them and looked at first.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u0640\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200d-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
BREAKS = re.compile(f"[{BREAK}{NON_JOINER}]+")
ARABIC_BREAK = re.compile(f"(?<=[\u0620-\u06ff]){NON_JOINER}+(?=[\u0620-\u06ff])")
WORD = re.compile(r"\w+")  # as it is written, whatever the language; `words_in` looks closer
# All from the first mark on, such as U+0301, but for Greek, Cyrillic and Armenian letters and for punctuation that people
# write in Latin texts: where a text has none, WORD finds the same words as `word_pattern`.
BEYOND_PLAIN_WORDS = re.compile(
    "[^\u0000-\u02ff\u0370-\u0482\u048a-\u0590\u2010-\u2027\u2030-\u205e\u20a0-\u20cf\u2100-\u2bff]"
)
SENTENCE_START = re.compile(r"(?:^|[.!?:;…\n\r])[^\w\n\r]*$")
BEFORE = 20  # characters before a word that tell whether it begins a sentence
STEMMERS = threading.local()
ALWAYS, NEVER, NAMED, WITHIN = "always", "never", "named", "within"  # where a word of a text counts
# Read and stemmed once while they are among the last that were met: 16 MB, of a folder of any size. Numbers and rare words fill
# any cache, and of running text one word in thirty or fewer is stemmed again.
KNOWN_WORDS = 20_000


# Languages


def beginning(texts: Sequence[str]) -> str:
    """As much of a document's text as tells its language."""
    some, length = [], 0
    for text in texts:
        some.append(text)
        length += len(text)
        if length >= LANGUAGE_SAMPLE:
            break
    return "\n".join(some)


def detect_language(text: str, usual: Sequence[str] = ()) -> str:
    """The language whose stop words a text holds most of, or that its script tells; UNKNOWN where neither does.

    Of languages that share its stop words the first of `usual` is chosen: "in" is English, German and Italian.
    """
    shown = shown_languages(text)
    return next((code for code in usual if code in shown), shown[0])


def shown_languages(text: str) -> list[str]:
    """The languages that a text may be in as far as it shows; more than one where they share its stop words."""
    counts: Counter[str] = Counter()
    for written, count in Counter(words_as_found(normal_form(text[:LANGUAGE_SAMPLE]))).items():
        counts[read_word(written)[1]] += count
    found = dict.fromkeys((code for code, language in LANGUAGES.items() if language.stop_words), 0)
    for word, count in counts.items():
        for code in languages_of_stop_words().get(word, ()):
            found[code] += count
    most = max(found.values())
    if most > LEAST_STOP_WORDS * counts.total():
        return [code for code, count in found.items() if count == most]
    return [script_language(counts)]


@cache
def languages_of_stop_words() -> dict[str, list[str]]:
    """Each stop word with the languages that it is one of."""
    languages: dict[str, list[str]] = {}
    for code, language in LANGUAGES.items():
        for word in language.stop_words:
            languages.setdefault(word, []).append(code)
    return languages


def script_language(words: Mapping[str, int]) -> str:
    """The language that most words, counted in `words`, show by the script of their first letter; UNKNOWN for Latin and
    all others."""
    scripts: Counter[str] = Counter()
    for word, count in words.items():
        scripts[unicodedata.name(word[0], "").split(" ")[0]] += count
    return SCRIPTS.get(scripts.most_common(1)[0][0], UNKNOWN) if scripts else UNKNOWN


def choose_language(text: str, wanted: str, usual: Sequence[str] = ()) -> str:
    """The language asked for, or where that is `auto` the text's own; `none` is UNKNOWN.

    A text that shows no language gets those of its neighbours (`usual`, the most common first): a code, or several with
    spaces between them; MULTIPLE where there are none.
    """
    if wanted != "auto":
        return UNKNOWN if wanted == "none" else wanted
    return detect_language(text, usual) or " ".join(usual[:MOST_NEIGHBOURS]) or MULTIPLE


def told_language(text: str, wanted: str) -> str | None:
    """The language that `choose_language` chooses whatever the neighbours of a text are; None where they have a say."""
    if wanted != "auto":
        return choose_language(text, wanted)
    shown = shown_languages(text)
    return shown[0] if len(shown) == 1 and shown[0] != UNKNOWN else None


@dataclass
class LanguageChooser:
    """Chooses the languages of texts one after the other: those asked for, or each text's own.

    `languages` are those of the texts that are there already; the ones chosen are counted with them.
    """

    wanted: str = "auto"
    languages: Sequence[str] = ()
    _seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._seen.update(codes_of(self.languages))

    def choose(self, text: str) -> str:
        """The language of a text."""
        return self.count(choose_language(text, self.wanted, [code for code, _ in self._seen.most_common()]))

    def count(self, language: str) -> str:
        """Counts the language of a text that was told by itself (`told_language`), and returns it."""
        if language in LANGUAGES:
            self._seen[language] += 1
        return language

    def choose_all(self, texts: Sequence[str]) -> list[str]:
        """The languages of texts that stand together: those that show one tell it to the others, whatever their order."""
        told = {
            text: self.choose(text)
            for text in texts
            if self.wanted != "auto" or detect_language(text[:LANGUAGE_SAMPLE])
        }
        return [told[text] if text in told else self.choose(text) for text in texts]


def codes_of(languages: Iterable[str]) -> list[str]:
    """The codes in what `choose_language` has chosen, each once and in order; those that are no code are left out."""
    return list(dict.fromkeys(code for language in languages for code in language.split() if code in LANGUAGES))


# Words


class Word(NamedTuple):  # which is made in a third of the time that a frozen dataclass takes
    """A word of a text: as it is written, without what is invisible, and with its parts, whose differences of width,
    composition and case are gone; `name` says that it is written as names and acronyms are."""

    written: str
    folded: str
    parts: tuple[str, ...]
    name: bool

    @property
    def acronym(self) -> bool:
        """Whether it is written in capitals, two or more."""
        return len(self.written) > 1 and self.written.isupper()


def words_in(text: str) -> Iterator[Word]:
    """The words of a text in order."""
    seen = normal_form(text)
    shouted = not any(letter.islower() for letter in seen)
    for match in pattern_for(seen).finditer(seen):
        written, folded, parts = read_word(match[0])
        capitals = not shouted and written[0].isupper() and not written.islower()
        name = capitals and ((written.isupper() and len(written) > 1) or not begins_sentence(seen, match.start()))
        yield Word(written, folded, parts, name)


def folded_words(text: str) -> list[str]:
    """The words of a text in order, without differences of width, composition and case."""
    return [read_word(written)[1] for written in words_as_found(normal_form(text))]


def words_as_found(seen: str) -> list[str]:
    """The words of a text in normal form, as they stand there."""
    found: list[str] = pattern_for(seen).findall(seen)
    return found


def pattern_for(seen: str) -> re.Pattern[str]:
    """What finds the words of a text in normal form. Nearly all texts hold nothing that the long pattern is for, which
    takes five times as long."""
    return WORD if seen.isascii() or not BEYOND_PLAIN_WORDS.search(seen) else word_pattern()


def normal_form(text: str) -> str:
    """A text without differences of width and composition, and without what nobody sees."""
    return text if text.isascii() else IGNORABLE.sub("", unicodedata.normalize("NFKC", text))


@lru_cache(maxsize=KNOWN_WORDS)
def read_word(found: str) -> tuple[str, str, tuple[str, ...]]:
    """A word as it stands in a text: as it is written without what is invisible, folded, and its parts."""
    written = BREAKS.sub("", found)
    return written, normalized(written), (*broken_parts(found), *identifier_parts(written))


def visible(text: str) -> str:
    """A text without the characters that nobody sees and no word ends at.

    >>> visible("thermo\u00adcouple, a\u2060b")
    'thermocouple, ab'
    """
    return text if text.isascii() else BREAKS.sub("", IGNORABLE.sub("", text))


def plain_words(text: str) -> list[str]:
    """The words of a text in order, without differences of case and without what nobody sees.

    >>> plain_words("The thermo\u00adcouple: TC-4.")
    ['the', 'thermocouple', 'tc', '4']
    """
    return WORD.findall(visible(text).casefold())


def crude_stem(word: str) -> str:
    """A word without its ending, whatever its language: six letters tell most words apart, and of those after the third,
    trailing e, n and s are dropped, which are the plurals and cases of English and German. Numbers and what holds a digit
    have no endings.

    >>> [crude_stem(word) for word in ("quantized", "dogs", "tc4")]
    ['quanti', 'dog', 'tc4']
    """
    return word[:3] + word[3:6].rstrip("ens") if word.isalpha() or not any(map(str.isdigit, word)) else word


def stems(text: str, left_out: Set[str] = frozenset()) -> set[str]:
    """The words of a text without their endings, crudely, but for some that are left out.

    Interned: each of some thousand remembered sentences would have its own copy.
    """
    return {intern(crude_stem(word)) for word in plain_words(text) if word not in left_out}


def begins_sentence(text: str, place: int) -> bool:
    """Whether a word at a place of a text is the first one of a sentence or a line."""
    return SENTENCE_START.search(text[max(0, place - BEFORE) : place]) is not None


def broken_parts(written: str) -> list[str]:
    """The parts of a word that may be broken at a space without width, or, as in Persian, is joined of two words.

    Letters that are written without spaces have none: their pairs are the same with breaks and without.
    """
    if written.isascii() or UNSPACED_RUN.match(written):
        return []
    parts = [BREAKS.sub("", part) for part in ARABIC_BREAK.sub(BREAK, written).split(BREAK)]
    return [normalized(part) for part in parts if len(part) > 1] if len(parts) > 1 else []


def analyse(text: str, language: str) -> list[str]:
    """The terms of a text in order, repetitions included: of each word its first form."""
    return [forms[0] for forms in text_forms(text, language)]


def text_forms(text: str, language: str) -> list[tuple[str, ...]]:
    """The forms of the words of a text in order, repetitions included.

    A stop word counts where it is written as a name: `IT`, and the `Who` of "The Who". `words_in` says the same of each
    word, and takes three times as long.
    """
    seen = normal_form(text)
    shouted = not any(letter.islower() for letter in seen)
    found: list[tuple[str, ...]] = []
    for match in pattern_for(seen).finditer(seen):
        forms, counts = forms_as_found(match[0], language)
        if counts is not ALWAYS and (
            shouted or counts is NEVER or (counts is WITHIN and begins_sentence(seen, match.start()))
        ):
            continue
        found += forms
    return found


@lru_cache(maxsize=KNOWN_WORDS)
def forms_as_found(found: str, language: str) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The forms of a word as it stands in a text, and where it counts: ALWAYS; or, as a stop word, NEVER, as an acronym
    (NAMED), or within a sentence (WITHIN)."""
    written, folded, parts = read_word(found)
    if folded not in stop_words(language):
        counts = ALWAYS
    elif not written[0].isupper() or written.islower():
        counts = NEVER
    else:
        counts = NAMED if written.isupper() and len(written) > 1 else WITHIN
    return word_forms(folded, parts, (language,)), counts


def question_forms(question: str, language: str, languages: Sequence[str]) -> list[tuple[str, ...]]:
    """The forms of the words of a question in `language`, for texts in `languages`; repetitions included.

    Stop words of the question's language are left out, unless they are written as an acronym or nothing else is asked
    for; a text's language has no form for its own.
    """
    words = list(words_in(question))
    some = any(letter.islower() for letter in question)
    left_out = stop_words(language)
    asked: list[tuple[str, ...]] = []
    for word in words:
        acronym = some and word.acronym
        if acronym or word.folded not in left_out:
            meant = [code for code in languages if acronym or word.folded not in stop_words(code)]
            asked += forms_of([word], meant)
    return asked or forms_of(words, languages)


def forms_of(words: Iterable[Word], languages: Sequence[str]) -> list[tuple[str, ...]]:
    """The forms of words and of their parts in texts of some languages."""
    codes = tuple(languages)
    return [forms for word in words for forms in word_forms(word.folded, word.parts, codes)]


@lru_cache(maxsize=KNOWN_WORDS)
def word_forms(folded: str, parts: tuple[str, ...], languages: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The forms of one word and of each of its parts; of letters that are written without spaces, each of their pairs."""
    if UNSPACED_RUN.match(folded):
        return tuple((pair,) for pair in bigrams(folded))
    found = (
        tuple(dict.fromkeys(form for code in languages for form in term_forms(part, code))) for part in (folded, *parts)
    )
    return tuple(forms for forms in found if forms)


def forms_by_language(words: Sequence[str]) -> list[list[str]]:
    """The forms of folded words in texts of every language and of none, each as `language term`; a language in which a word
    is a stop word is missing.

    >>> forms_by_language(["kilns"])[0][:3]
    [' kilns', 'en kiln', 'de kilns']
    """
    found: list[list[str]] = [[] for _ in words]
    for code in (UNKNOWN, *LANGUAGES):
        left_out = stop_words(code)
        for forms, word in zip(found, words, strict=True):
            if word not in left_out:
                forms += [f"{code} {form}" for each in word_forms(word, (), (code,)) for form in each]
    return found


def chunk_words(text: str, language: str) -> ChunkWords:
    """The terms of a chunk with their frequencies, as the store keeps them.

    Where all words are stop words they are what the chunk is about: the title of a song, an entry of a list.
    """
    forms = text_forms(text, language) or forms_of(words_in(text), (language,))
    return ChunkWords(language, Counter(chain.from_iterable(forms)), len(forms))


def normalized(text: str) -> str:
    """Text without differences of width, composition and case (Unicode NFKC and case folding)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def bigrams(run: str) -> list[str]:
    """Every two neighbours of a run of letters; the letter itself where it is alone."""
    return [run[place : place + 2] for place in range(len(run) - 1)] or [run]


def identifier_parts(written: str) -> list[str]:
    """The parts of `parse_location` and `parseLocation`, which are indexed beside the whole; none for a plain word."""
    if "_" not in written and (written.islower() or written[1:].islower() or not written[1:]):
        return []
    parts = [part.lower() for piece in written.split("_") for part in CAMEL_CASE.findall(piece)]
    return [part for part in parts if len(part) >= 3] if len(parts) > 1 else []


@cache
def stop_words(language: str) -> frozenset[str]:
    """The stop words of a language as they may be typed; none for what is not one language."""
    if language not in LANGUAGES:
        return frozenset()
    listed = LANGUAGES[language].stop_words
    return listed | {spelling for word in listed for spelling in spellings(word, language)}


def term_forms(word: str, language: str) -> tuple[str, ...]:
    """The forms of one normalized word in a text: as it is spelled, and where that differs as typed without accents.

    In several languages those of each; with MULTIPLE those of every one and the word itself.
    """
    word = word.strip("_")[:LONGEST_TERM]
    if language == MULTIPLE:
        codes: Sequence[str] = (UNKNOWN, *LANGUAGES)
    else:
        codes = language.split() or (UNKNOWN,)
    forms = [term_of(spelling, code) for code in codes for spelling in (word, *spellings(word, code))]
    return tuple(dict.fromkeys(form for form in forms if form))


def term_of(word: str, language: str) -> str:
    """The stem of one normalized word, without accents."""
    stem: str = stemmer(language).stemWord(word) if language else word
    return without_marks(stem, language)


def spellings(word: str, language: str) -> list[str]:
    """How else a normalized word may be typed where keys are missing: without accents, and with two letters for one."""
    if word.isascii() or not language:
        return []
    typed = [without_marks(word, language)]
    if LANGUAGES[language].digraphs:
        typed.append(without_marks(word.translate(DIGRAPHS), language))
    return [each for each in typed if each != word]


def without_marks(word: str, language: str = UNKNOWN) -> str:
    """Letters without their accents, `cafe` for `café`, but for those that are letters of their own in a language.

    Vowel signs and viramas of the scripts of India stay: a word is another one without them.
    """
    if word.isascii():
        return word
    kept = LANGUAGES[language].letters if language else ""
    letters = (
        letter if letter in kept else "".join(filter(is_no_accent, unicodedata.normalize("NFD", letter)))
        for letter in word
    )
    folded = unicodedata.normalize("NFC", "".join(letters))
    return "".join(letter if letter in kept else letter.translate(PLAIN_LETTERS) for letter in folded)


def is_no_accent(letter: str) -> bool:
    """Whether a character is anything but a mark that stands above, below or through a letter (combining classes 1,
    10 to 36 for Hebrew and Arabic, 200 and more for all alphabets)."""
    place = unicodedata.combining(letter)
    return not (place == 1 or 10 <= place <= 36 or place >= 200)


def stemmer(language: str) -> Any:
    """The Snowball stemmer of a language for the calling thread: it holds the word that it is at."""
    known: dict[str, Any] = STEMMERS.__dict__
    if language not in known:
        import Stemmer

        known[language] = Stemmer.Stemmer(LANGUAGES[language].stemmer, 0)  # `word_forms` remembers
    return known[language]


@cache
def word_pattern() -> re.Pattern[str]:
    """Words: runs of letters that are written without spaces, and other runs of letters, digits, marks and `_`.

    Marks are part of a word (`\\w` leaves them out): without them a word of Hindi would fall into pieces. So are the
    invisible characters at which a word may be broken or its letters stand apart.
    """
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)).startswith("M"))
    joined = BREAK + NON_JOINER
    return re.compile(
        rf"[{UNSPACED}][{UNSPACED}{joined}]*|(?![{UNSPACED}])[\w{marks}](?:(?![{UNSPACED}])[\w{marks}{joined}])*"
    )


UNSPACED_RUN = re.compile(rf"[{UNSPACED}]")
CAMEL_CASE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+")


# Compounds


def compounds_are_written_together(language: str) -> bool:
    """Whether words of this language may hold other words, as in German."""
    return bool(language and LANGUAGES[language].links)


def possible_parts(term: str, language: str) -> set[str]:
    """Every term that could be a part of this one, or of its end; which are words, the vocabulary has to say."""
    parts: set[str] = set()
    rests = [term] if len(term) <= LONGEST_COMPOUND else []
    while rests:
        rest = rests.pop()
        for cut in cuts(rest):
            new = set(endings(rest[cut:], language)) - parts
            rests += new
            parts |= new | set(beginnings(rest[:cut], language))
    return parts


def cuts(term: str) -> range:
    """The places at which a term may be divided."""
    return range(SHORTEST_PART, len(term) - SHORTEST_PART + 1)


def beginnings(text: str, language: str) -> list[str]:
    """The terms that the beginning of a compound may stand for: without a linking element, then stemmed."""
    stripped = [text[: len(text) - len(link)] for link in LANGUAGES[language].links if text.endswith(link)]
    return [term_of(word, language) for word in stripped if len(word) >= SHORTEST_PART]


def endings(text: str, language: str) -> tuple[str, str]:
    """The terms that the end of a compound may stand for: it has been stemmed with the whole, or can be stemmed more."""
    return text, term_of(text, language)


def compound_parts(term: str, vocabulary: Collection[str], language: str) -> list[str]:
    """The words of the vocabulary that a compound consists of, in order; none where it is no compound.

    The most even cut wins, and its second part may be cut again: `staat|sekretär`, `welt|krieg|end`.
    """
    best: tuple[int, list[str], str] | None = None
    for cut in cuts(term):
        lefts = [part for part in beginnings(term[:cut], language) if part in vocabulary]
        rights = [part for part in endings(term[cut:], language) if part in vocabulary]
        evenness = min(cut, len(term) - cut)
        if lefts and rights and (best is None or evenness > best[0]):
            best = evenness, lefts[:1], rights[0]
    if best is None:
        return []
    _, left, right = best
    return [*left, *(compound_parts(right, vocabulary, language) or [right])]
