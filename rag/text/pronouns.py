"""A sentence in, whether it begins with a pronoun for something that another sentence names out.

>>> [leans_back(text, "en") for text in ("It takes two minutes.", "This is enough.", "This kiln is hot.")]
[True, True, False]
"""

from __future__ import annotations

import re
from functools import lru_cache

from rag.text.analyser import detect_language

_OPEN = {
    "en": "It|He|She|They|Its|His|Her|Their|(?:This|That|These|Those) (?:is|are|was|were|has|have|had|can|may|will|would|does"
    "|do|did|means|makes|allows)",
    "de": "Er|Sie|Es|Sein(?:e[nrms]?)?|Ihre?[nrms]?|Dies|Diese[rs]? (?:ist|sind|war|waren|wird|werden|hat|haben|kann|können)"
    "|Dadurch|Damit|Dabei|Dazu|Daher",
    "fr": "Il|Elle|Ils|Elles|Cela|Ceci|C'est|C’est|Sa|Son|Ses|Leurs?",
    "es": "Él|Ella|Ellos|Ellas|Esto|Eso|Su|Sus",
    "it": "Esso|Essa|Essi|Esse|Lui|Lei|Ciò|Questo è|Questa è",
    "nl": "Hij|Zij|Ze|Dit (?:is|was|zijn|heeft|kan|wordt)|Dat (?:is|was)|Zijn|Hun",
    "pt": "Ele|Ela|Eles|Elas|Isto|Isso|Seu|Sua|Seus|Suas",
    "sv": "Han|Hon|Den (?:är|var|har|kan)|Det|Detta|Hans|Hennes|Deras",
    "da": "Han|Hun|Den (?:er|var|har|kan)|Det|Dette|Hans|Hendes|Deres",
    "no": "Han|Hun|Den (?:er|var|har|kan)|Det|Dette|Hans|Hennes|Deres",
    "fi": "Hän|He|Se|Ne|Tämä on|Hänen|Heidän",
    "ru": "Он|Она|Оно|Они|Это|Его|Её|Ее|Их",
}

_ANY = re.compile(rf"[\W_]*(?:{'|'.join(_OPEN.values())})\b")


@lru_cache(maxsize=len(_OPEN))
def _pattern(language: str) -> re.Pattern[str]:
    return re.compile(rf"[\W_]*(?:{_OPEN[language]})\b")


def leans_back(text: str, language: str) -> bool:
    """Whether a sentence begins with such a pronoun in its own language, or in `language` where it shows none."""
    if not _ANY.match(text):  # which language it is need not be found out
        return False
    spoken = detect_language(text, [language]) or language
    return spoken in _OPEN and _pattern(spoken).match(text) is not None
