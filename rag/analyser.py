"""Text in, the terms that BM25 counts out: words folded, without stop words, stemmed by language.

    language = detect_language("Die Zahlen werden gerundet.")       # "de"
    analyse("Die Zahlen werden gerundet.", language)                # ["zahl", "gerundet"]

A text's terms depend on the text and its language alone, so a store remembers ANALYSER and refuses terms of another one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from sql.records import ChunkWords

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Raise the number whenever a text may get other terms than before.
ANALYSER = "words 1, snowball 3"
LONGEST_TERM = 64  # characters; what is longer is data and not a word
SHORTEST_PART = 4  # letters of a part of a compound; 3 and 5 find less in XQuAD German
LONGEST_COMPOUND = 40  # letters; the possible parts grow with the square
SAMPLE = 20_000  # characters that tell a document's language
LEAST_STOP_WORDS = 0.08  # of all words; below it the language is not one of ours, or it is no prose


@dataclass(frozen=True, slots=True)
class Language:
    """How the words of a language become terms.

    `stop_words` are closed classes (articles, pronouns, prepositions, conjunctions, auxiliaries), which also tell the
    language; `links` are the letters that may join the parts of a compound, none where compounds are written apart;
    `fold` says whether letters lose their diacritics, which would confuse words where these make letters of their own.
    """

    stemmer: str
    stop_words: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    fold: bool = True


def words_of(text: str) -> frozenset[str]:
    """The words between the spaces."""
    return frozenset(text.split())


# The stop words are our own choice from the grammars: no content words, and none that is rare.
LANGUAGES = {
    "en": Language(
        "english",
        words_of(
            "a about after again against all am an and any are as at be because been before being between both but by "
            "can could d did do does doing down during each few for from further had has have having he her here hers "
            "herself him himself his how i if in into is it its itself just ll m me more most my myself no nor not now "
            "of off on once only or other our ours out over own re s same she should so some such t than that the "
            "their theirs them themselves then there these they this those through to too under until up ve very was "
            "we were what when where which while who whom whose why will with would you your yours yourself"
        ),
    ),
    "de": Language(
        "german",
        words_of(
            "aber alle allem allen aller alles als also am an andere anderem anderen anderer anderes auch auf aus bei "
            "beim bin bis bist da damit dann das dass dein deine deinem deinen deiner dem den denn der des dich die "
            "dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er es "
            "etwas euch euer für gegen habe haben hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren "
            "ihrer ihres im in indem ins ist ja jede jedem jeden jeder jedes jene jenem jenen jener kann kein keine "
            "keinem keinen keiner können könnte man mein meine meinem meinen meiner mich mir mit muss müssen nach "
            "nicht noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seines selbst sich sie sind so soll "
            "sollte sondern sonst über um und uns unser unsere unter viel vom von vor während war waren warum was weil "
            "welche welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wo wollen wurde "
            "wurden würde würden zu zum zur zwar zwischen"
        ),
        links=("", "s", "es", "n", "en", "er", "e"),
    ),
    "fr": Language(
        "french",
        words_of(
            "a ai aie ainsi après au aucun aussi autre autres aux avait avant avec avoir c ce ceci cela celle celles "
            "celui ces cet cette ceux chaque chez ci comme comment d dans de depuis des donc dont du elle elles en "
            "encore entre est et étaient était étant être eu eux fut il ils j je l la le les leur leurs lors lui m ma "
            "mais me même mes moi mon n ne ni nos notre nous on ont ou où par parce pas peut plus pour pourquoi qu "
            "quand que quel quelle quelles quels qui quoi s sa sans se selon sera ses si soit son sont sous sur t ta "
            "tandis te tes toi ton tous tout toute toutes très tu un une vers vos votre vous y"
        ),
    ),
    "es": Language(
        "spanish",
        words_of(
            "a al algo algunas algunos ante antes aquel aquella aquello así aún aunque cada como cómo con contra cual "
            "cuál cuáles cuando cuándo cuánto cuántos de del desde donde dónde dos durante e él el ella ellas ellos en "
            "entre era eran es esa esas ese eso esos esta está estaba están estas este esto estos fue fueron ha había "
            "han hasta hay la las le les lo los más me mi mis mucho muy nada ni no nos nosotros o os otra otras otro "
            "otros para pero poco por porque que qué quien quién quienes se sea ser si sí sido sin sobre son su sus "
            "también tanto te tiene tienen todo todos tu tus un una unas uno unos y ya yo"
        ),
    ),
    "it": Language(
        "italian",
        words_of(
            "a abbiamo ad ai al alla alle allo altre altri altro anche ancora avere aveva c che chi ci ciò col come con "
            "contro cui da dai dal dalla dalle dallo degli dei del della delle dello di dopo dove e è ed era erano essa "
            "essere essi esso fra fu furono già gli ha hanno ho i il in io l la le lei lo loro lui ma mai me mentre mi "
            "mia mio molto ne negli nei nel nella nelle nello no noi non nostro o ogni per perché perciò più poi può "
            "qual quale quali quando quanti quanto quel quella quelle quelli quello questa queste questi questo qui se "
            "si sia sono sopra sotto sta stata stati stato su sua sue sugli sui sul sulla suo suoi tra tu tuo tutte "
            "tutti tutto un una uno vi voi"
        ),
    ),
    "nl": Language(
        "dutch",
        words_of(
            "aan al alle als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus een eens en er "
            "ge geen geweest haar had hadden heb hebben heeft hem het hier hij hoe hoeveel hun iemand iets ik in is ja "
            "je kan kon kunnen maar me meer men met mij mijn moet moeten na naar niet niets nog nu of om omdat onder "
            "ons ook op over reeds te tegen toch toen tot tussen u uit uw van veel voor waar waarom wanneer want waren "
            "was wat welk welke werd werden wie wij wil worden wordt zal ze zelf zich zij zijn zo zonder zou"
        ),
        links=("", "s", "e", "en", "n", "er"),
    ),
    "pt": Language(
        "portuguese",
        words_of(
            "a à ao aos aquela aquele aqueles aquilo as às até cada com como contra da das de dela dele deles depois "
            "do dos e é ela elas ele eles em entre era eram essa essas esse esses esta está estão estas estava este "
            "estes eu foi foram há isso isto já lhe lhes mais mas me mesmo meu minha muito na não nas nem no nos nós "
            "nossa nosso num numa o onde os ou outra outras outro outros para pela pelas pelo pelos pode por porque "
            "quais qual quando quanto quantos que quem são se seja sem ser será seu seus si sido sob sobre sua suas "
            "também te tem têm tinha toda todas todo todos tu tua um uma umas uns você vocês"
        ),
    ),
    "sv": Language(
        "swedish",
        words_of(
            "alla allt att av bara blev bli blir både de dem den denna deras dess dessa det detta dig din dina ditt du "
            "där då efter eller en er ett från för genom ha hade han hans har henne hennes hon honom hur här i icke "
            "ingen inom inte jag ju kan kunde man med mellan men mig min mina mitt mot mycket många måste ni nu när "
            "någon något några och om oss på samma sedan sig sin sina sitt ska skulle som så sådan till under upp ut "
            "utan vad var vara varför varit vem vi vid vilka vilken vilket åt än är även över"
        ),
        links=("", "s", "e", "a", "o", "u"),
        fold=False,
    ),
    "da": Language(
        "danish",
        words_of(
            "ad af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din disse dog du "
            "efter eller en end er et for fra før gennem ham han hans har havde have hende hendes her hos hun hvad "
            "hvem hver hvilke hvilken hvilket hvis hvor hvordan hvorfor hvornår i ikke ind ingen jeg jer jo kan kun "
            "kunne man mange med meget mellem men mig min mine mit mod ned nogen noget nogle nu når og også om op os "
            "over på selv sig sin sine sit skal skulle som sådan thi til ud under var ved vi vil ville vor være været"
        ),
        links=("", "s", "e", "er"),
        fold=False,
    ),
    "no": Language(
        "norwegian",
        words_of(
            "alle alt andre at av bare begge ble bli blir både da de deg dem den denne der deres det dette di din "
            "disse du då eller en enn er et etter for fordi fra før gjennom ha hadde han hans har henne hennes her hos "
            "hun hva hvem hver hvilke hvilken hvilket hvis hvor hvordan hvorfor i ikke ingen inn jeg kan kunne man "
            "mange med meg mellom men mer min mine mitt mot mye må ned noe noen nå når og også om opp oss over på seg "
            "selv sin sine sitt skal skulle slik som så til under ut uten var ved vi vil ville vår være vært"
        ),
        links=("", "s", "e"),
        fold=False,
    ),
    "fi": Language(
        "finnish",
        words_of(
            "ei eivät eli ennen että he heidän heille hän häneen hänelle hänen ilman itse ja jo joiden joissa joita "
            "jonka jos joss jossa josta jota joten jotka kaikki kanssa kuin kuinka kuka kun me meidän mihin mikä miksi "
            "milloin missä mistä mitkä mitä mukaan mutta muun myös ne niiden niin niitä noin nyt näiden nämä olen oli "
            "olivat olla olleet ollut on ovat se sekä sen siinä siitä silloin sillä sitä sitten tai te tuo tämä tämän "
            "tässä tästä tätä vaan vai vain vielä voi voidaan yli"
        ),
        links=("", "n"),
        fold=False,
    ),
    "ru": Language(
        "russian",
        words_of(
            "а без был была были было быть в вам вас во вот все всех всего вы где да даже для до его ее ей ему если "
            "есть еще же за здесь и из или им их к как какая какие какой каком когда который которая которые которых "
            "кто ли между меня мне много может можно мой мы на над нас не него нее ней нет ни них но ну о об однако он "
            "она они оно от по под после почему при про с сам своей своих себя сколько со так также такой там то того "
            "тоже только том ту ты у уже чего чем через что чтобы чье эта эти это этого этой этом этот я"
        ),
    ),
    # Told by their script; no list of stop words.
    "el": Language("greek"),
    "ar": Language("arabic"),
    "hi": Language("hindi", fold=False),
}
UNKNOWN = ""  # neither stop words nor stemming
SCRIPTS = {"GREEK": "el", "ARABIC": "ar", "DEVANAGARI": "hi"}
# Scripts that put no spaces between words, and Hangul, whose words carry their particles: two letters at a time.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese, Japanese, Korean
)


def detect_language(text: str) -> str:
    """The language whose stop words a text holds most of, or that its script tells; UNKNOWN where neither does."""
    words = word_pattern().findall(normalized(text[:SAMPLE]))
    counts = Counter(words)
    found = {
        code: sum(counts[word] for word in language.stop_words)
        for code, language in LANGUAGES.items()
        if language.stop_words
    }
    best = max(found, key=lambda code: found[code])
    if found[best] > LEAST_STOP_WORDS * len(words):
        return best
    return script_language(words)


def script_language(words: Iterable[str]) -> str:
    """The language that most words show by the script of their first letter; UNKNOWN for Latin and all others."""
    scripts = Counter(unicodedata.name(word[0], "").split(" ")[0] for word in words)
    return SCRIPTS.get(scripts.most_common(1)[0][0], UNKNOWN) if scripts else UNKNOWN


def choose_language(text: str, wanted: str) -> str:
    """The language asked for, or where that is `auto` the text's own; `none` is UNKNOWN."""
    if wanted == "auto":
        return detect_language(text)
    return UNKNOWN if wanted == "none" else wanted


def analyse(text: str, language: str) -> list[str]:
    """The terms of a text in order, repetitions included."""
    stop_words = LANGUAGES[language].stop_words if language else frozenset()
    terms: list[str] = []
    for written in word_pattern().findall(unicodedata.normalize("NFKC", text)):
        word = normalized(written)
        if word in stop_words:
            continue
        if UNSPACED_RUN.match(word):
            terms += bigrams(word)
            continue
        terms += [term_of(part, language) for part in (word, *identifier_parts(written))]
    return [term for term in terms if term]


def chunk_words(text: str, language: str) -> ChunkWords:
    """The terms of a chunk with their frequencies, as the store keeps them."""
    return ChunkWords(language, Counter(analyse(text, language)))


def normalized(text: str) -> str:
    """Text without differences of width, composition and case (Unicode NFKC and case folding)."""
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


@lru_cache(maxsize=200_000)
def term_of(word: str, language: str) -> str:
    """The term of one normalized word."""
    word = word.strip("_")[:LONGEST_TERM]
    if not language:
        return without_marks(word)
    stem: str = stemmer(language).stemWord(word)
    return without_marks(stem) if LANGUAGES[language].fold else stem


def without_marks(word: str) -> str:
    """Letters without their accents: `cafe` for `café`."""
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFD", word)
    return unicodedata.normalize(
        "NFC", "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")
    )


@cache
def stemmer(language: str) -> Any:
    """The Snowball stemmer of a language."""
    import snowballstemmer

    return snowballstemmer.stemmer(LANGUAGES[language].stemmer)


@cache
def word_pattern() -> re.Pattern[str]:
    """Words: runs of letters that are written without spaces, and other runs of letters, digits, marks and `_`.

    Marks are part of a word (`\\w` leaves them out): without them a word of Hindi would fall into pieces.
    """
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)).startswith("M"))
    return re.compile(rf"[{UNSPACED}]+|(?:(?![{UNSPACED}])[\w{marks}])+")


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
