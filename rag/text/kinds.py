"""A question in, the kind of thing that would answer it out: a number, a time, a person, a place or a version.

It is told by the question's words.

    kind = expected_kind("Wie viele Bälle fing Josh Norman ab?", "en")    # "number", whichever language was guessed
    holds_kind("number", "Er fing vier ab.", {"bälle"})                   # True

A table of rules for the languages whose stop words are known. A sentence is looked at by its letters alone, whatever
its language: for digits, names of months, capitals.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.text.analyser import detect_language, plain_words, stop_words, visible
from rag.text.languages import words_of

if TYPE_CHECKING:
    from collections.abc import Container

KINDS = ("number", "time", "person", "place", "version")

# `version` is nearly the same word in all these languages, and goes before the rest: `which versions since 2020`.
_ASKED_VERSION = re.compile(
    r"\b(?:what|which|welche[rsnm]?|quel(?:le)?s?|qué|quale?|welke?|que|vilken|hvilken|какая)"
    r"(?:'s|\s(?:is|are|ist|est|es|è|é|är|er))?(?:\s(?:the|die|la|a|de))?\s(?!(?:does|do|did|can|must)\b)(?:[\w.]+\s){0,2}(?:\w+-)?"
    r"(?:versi(?:on|ón|e|one)(?:en|er|es|s)?|versão|versões|версия)\b(?!\s(?:option|flag|command|control)\b)",
    re.IGNORECASE,
)
# What asks for each of the others, in the order of KINDS, so that `hvor mange` is a number and no place.
_ASKED = {
    "en": (
        r"how (?:many|much|long|old|far|often|tall|high|large|big|fast|deep|wide|heavy)\b"
        r"|(?:what|which) (?:percent\w*|number|amount|size|population|age|temperature|distance)\b",
        r"when\b|(?:what|which) (?:\w+ )?(?:year|date|day|month|century|decade|time|era|period)s?\b",
        r"who(?:m|se)?\b|(?:what|which) (?:person|man|woman|author|leader|president|king|queen|scientist)\b",
        r"where\b|(?:what|which) (?:\w+ )?(?:countr|cit|state|place|town|count|region|continent|location|island|river)"
        r"(?:y|ies|s)?\b",
    ),
    "de": (
        r"wie ?(?:viele?n?|lange?|alt|weit|oft|groß|hoch|schnell|tief|breit|schwer|häufig|teuer)\b"
        r"|welche[rsnm]? (?:prozentsatz|anteil|anzahl|größe|zahl|temperatur|alter|entfernung|höhe)\b",
        r"wann\b|welche[rsnm]? (?:\w+ )?(?:jahr|jahrhundert|jahrzehnt|datum|tag|monat|zeit|zeitraum)e?[sn]?\b",
        r"we(?:r|m|n|ssen)\b",
        r"wo(?:her|hin)?\b|welche[rsnm]? (?:\w+ )?(?:land|ländern?|stadt|städten?|ort|staat|region|kontinent|insel|fluss)"
        r"e?[sn]?\b",
    ),
    "fr": (
        r"combien\b|quel(?:le)?s? (?:pourcentage|nombre|âge|distance|taille|quantité)\b",
        r"quand\b|quel(?:le)?s? (?:année|date|siècle|jour|mois|époque)\b",
        r"qui\b",
        r"où\b|quel(?:le)?s? (?:pays|ville|région|lieu)\b",
    ),
    "es": (
        r"cuánt[oa]s?\b|qué (?:porcentaje|número|cantidad|edad)\b",
        r"cuándo\b|qué (?:año|fecha|siglo|día|mes|década)\b",
        r"quién(?:es)?\b",
        r"(?:a?dónde)\b|qué (?:país|ciudad|región|lugar)\b",
    ),
    "it": (
        r"quant[oiae]\b|quale? (?:percentuale|numero|età)\b",
        r"quando\b|(?:quale?|che) (?:anno|data|secolo|giorno|mese)\b",
        r"chi\b",
        r"(?:d'?ove|dov'è)\b|(?:quale?|che) (?:paese|città|regione)\b",
    ),
    "nl": (
        r"hoeveel\b|hoe (?:lang|oud|vaak|ver|hoog|groot|diep|snel)\b|welk (?:percentage|aantal)\b",
        r"wanneer\b|welke? (?:jaar|datum|eeuw|dag|maand)\b",
        r"wie\b",
        r"waar(?:heen|vandaan)?\b|welke? (?:land|stad|plaats)\b",
    ),
    "pt": (
        r"quant[oa]s?\b|qual (?:percentagem|porcentagem|número|idade)\b",
        r"quando\b|que (?:ano|data|século|dia|mês)\b",
        r"quem\b",
        r"a?onde\b|que (?:país|cidade|região|lugar)\b",
    ),
    "sv": (
        r"hur (?:många|mycket|långt?|länge|gammalt?|ofta|högt?|stort?)\b",
        r"när\b|vilket (?:år|datum|århundrade)\b",
        r"vem\b",
        r"var(?:ifrån)?\b|vilket land\b|vilken stad\b",
    ),
    "da": (
        r"hvor (?:mange|meget|langt?|længe|gammelt?|ofte|højt?|stort?)\b",
        r"hvornår\b|hvilke[nt] (?:år|dato|århundrede)\b",
        r"hvem\b",
        r"hvor(?:fra|hen)?\b|hvilke[nt] (?:land|by)\b",
    ),
    "no": (
        r"hvor (?:mange|mye|langt?|lenge|gammelt?|ofte|høyt?|stort?)\b",
        r"når\b|hvilke[nt] (?:år|dato|århundre)\b",
        r"hvem\b",
        r"hvor(?:fra|hen)?\b|hvilke[nt] (?:land|by)\b",
    ),
    "fi": (
        r"kuinka (?:monta|paljon|pitkä|vanha|usein|kauan|suuri)\b|montako\b",
        r"milloin\b|minä (?:vuonna|päivänä)\b",
        r"kuka\b|ketkä\b|kenen\b",
        r"missä\b|mistä\b|mihin\b",
    ),
    "ru": (
        r"сколько\b|как (?:долго|часто|далеко)\b",
        r"когда\b|как(?:ом|ой) (?:году|веке|день)\b",
        r"к(?:то|ого|ому|ем)\b",
        r"где\b|куда\b|откуда\b",
    ),
}  # fmt: skip


# What a question may begin with, in those languages.
ASKING = words_of(
    """who whom whose when where what which why how wer wem wen wessen wann wo woher wohin was welche welcher welches
    welchem welchen warum wie wieviel wieviele qui que quoi quand où combien comment pourquoi quel quelle quels quelles
    quién quiénes cuándo dónde cuánto cuánta cuántos cuántas qué cuál cuáles cómo chi cosa quando dove quanto quanta
    quanti quante quale quali perché come wanneer waar waarom hoe hoeveel welk quem onde quantos quantas qual quais vem
    när var hur vilken vilket vilka varför hvem hvornår hvor hvordan hvorfor hvilken hvilket hvilke kuka milloin missä
    mistä mihin kuinka miksi mikä кто кого кому когда где куда откуда сколько почему как какой какая какое какие"""
)
_NUMBER_WORDS = words_of(
    """two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen half quarter
    third twice once several zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig vierzig fünfzig
    hundert tausend million millionen milliarde milliarden dutzend hälfte drittel viertel einmal zweimal dreimal deux
    trois quatre cinq sept huit neuf dix cent mille dos tres cuatro cinco seis siete ocho nueve diez cien mil due tre
    quattro cinque sei sette otto nove dieci cento twee drie vier vijf zes zeven acht negen tien honderd duizend"""
)
_TIME_WORDS = words_of(
    """january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday century centuries decade decades year years day days daily morning noon evening
    night midnight today o'clock januar jänner februar märz mai juni juli oktober dezember montag dienstag mittwoch
    donnerstag freitag samstag sonntag jahrhundert jahrhunderts jahrhunderten jahrzehnt jahrzehnte jahr jahre jahren tag
    tage tagen täglich uhr morgens abends mittags nachts janvier février mars avril juin juillet août septembre octobre
    novembre décembre siècle an ans année années enero febrero marzo abril mayo junio julio agosto septiembre octubre
    noviembre diciembre siglo año años gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre secolo
    anno anni januari februari maart mei augustus eeuw jaar janeiro fevereiro março maio junho julho setembro outubro
    novembro dezembro século ano anos"""
)
_CAPITAL = r"[^\W\d_a-zß-öø-ÿа-яё]"
_YEAR = re.compile(r"(?<![\w.,])(?:1\d{3}|20\d\d)(?:s|er)?(?![\w,])|\b\d{1,2}(?:st|nd|rd|th)\b")
_NAME = re.compile(
    rf"(?<!\w){_CAPITAL}[\w.'’-]+(?:\s(?:(?:of|the|von|van|der|de|la|le|du|di|da|del|bin|al)\s){{0,2}}"
    rf"{_CAPITAL}[\w.'’-]+)*"
)
_AT_PLACE = re.compile(
    r"\b(?:in|at|near|from|to|of|on|around|across|throughout|into|im|aus|bei|nach|an|am|auf|von|vom|zu|zum|zur|durch|à|"
    r"au|aux|en|dans|de|du|a|al|desde|del|da|dal|nel|nella|te|op|bij|naar|em|no|na|do|till?|från|fra|på|ved|i|в|на|из)"
    rf"\s(?:(?:the|der|die|das|den|dem|des|la|le|les|el|los|il|het|o|os)\s)?({_CAPITAL}[\w'’-]+)"
)


@lru_cache(maxsize=len(_ASKED))
def _patterns(language: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"\b(?:{rule})", re.IGNORECASE) for rule in _ASKED[language])


def expected_kind(question: str, language: str) -> str:
    """The kind of thing that a question asks for, "" where its words tell none; its own language goes before `language`.

    >>> [expected_kind(text, "") for text in ("Who was it?", "In welchem Jahr?", "Why?")], expected_kind("Combien?", "fr")
    (['person', 'time', ''], 'number')
    """
    if _ASKED_VERSION.search(question):
        return "version"
    spoken = detect_language(question, [language])
    known = spoken if spoken in _ASKED else language
    if known not in _ASKED:
        return ""
    found = [
        (match.start(), kind)
        for kind, rule in zip(KINDS[:-1], _patterns(known), strict=True)
        if (match := rule.search(question))
    ]
    return min(found, key=lambda one: one[0])[1] if found else ""


def holds_kind(kind: str, text: str, asked: Container[str], language: str = "") -> float:
    """How much a text looks as if it held such a thing, 0 to 1, the words that were `asked` with (folded) left out."""
    return _TESTS[kind](visible(text), asked, language)


def _holds_number(text: str, asked: Container[str], _language: str) -> float:
    return float(
        any((word in _NUMBER_WORDS or any(map(str.isdigit, word))) and word not in asked for word in plain_words(text))
    )


def _holds_time(text: str, asked: Container[str], _language: str) -> float:
    """A year or an ordinal is surely one; a number, a month or `morning` may well be."""
    if any(match[0].casefold() not in asked for match in _YEAR.finditer(text)):
        return 1.0
    words = plain_words(text)
    return 0.5 * any((word in _TIME_WORDS or any(map(str.isdigit, word))) and word not in asked for word in words)


def _holds_person(text: str, asked: Container[str], language: str) -> float:
    """A name of two words or more, or where nouns have no capitals a single one that begins no sentence.

    The first word of a text has a capital whatever it is: with what was asked for it is no name.

    >>> [_holds_person(text, (), "de") for text in ("Der Antrag ist da.", "Hans Meier kam.", "Heute kam Doktor Meier.")]
    [0.0, 1.0, 1.0]
    >>> [_holds_person(text, {"flask"}, "en") for text in ("Beyond Flask itself, look.", "Tom Flask did it.", "It is Tom.")]
    [0.0, 0.0, 1.0]
    """
    for match in _NAME.finditer(text):
        words = plain_words(match[0])
        named = [word for word in words if word not in stop_words(language)]
        of_several = len(named) > 1 if language == "de" else len(words) > 1 or match.start() > 0
        if match.start() == 0 and len(words) > 1:
            named = [word for word in named if word != words[0]]
        if of_several and any(word not in asked for word in named):
            return 1.0
    return 0.0


def _holds_place(text: str, asked: Container[str], _language: str) -> float:
    return float(any(match[1].casefold() not in asked for match in _AT_PLACE.finditer(text)))


def _holds_version(text: str, asked: Container[str], _language: str) -> float:
    return float(any(any(map(str.isdigit, word)) and word not in asked for word in plain_words(text)))


_TESTS = {
    "number": _holds_number,
    "time": _holds_time,
    "person": _holds_person,
    "place": _holds_place,
    "version": _holds_version,
}
