"""What a language model wrote in, whether it says that its passages hold no answer out.

A model is told the very words to write then, and often writes others. A text that speaks of nothing but what the
passages lack is no answer; one sentence about the subject makes it an answer. Where it cites a passage, each sentence has
to name the passages, or whatever it calls what it was given, to count as such.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_ANSWER_WORDS = "NO ANSWER"  # what a model is told to write where its passages hold none
LONGEST_REFUSAL = 1200  # characters; what is longer says something

_SENTINEL_FIRST = re.compile(r"\W*NO[ _-]ANSWER\b")
_SENTINEL_ALONE = re.compile(r"(?:^|[.!?:\n])[\s*_\"'`]*NO[ _-]ANSWER[\s*_\"'`.!]*(?=$|\n)")

_SOURCE = (
    r"(?:passages?|contexts?|(?:con)?texts?|documents?|documentation|excerpts?|extracts?|sources?|snippets?|"
    r"information|material|content|sections?|references|"
    r"passagen?|textstellen?|texten?|dokumente?n?|kontext|abschnitten?|auszügen?|auszüge|unterlagen|quellen?|"
    r"informationen|textpassagen?|extraits?|contexte|textes?|pasajes?|contexto|textos?|documentos?|passaggi|"
    r"contesto|testi|documenti|passagens?|trechos?)"
)
# What only the one who was given them calls so: a statement about them is hardly one about the subject.
_GIVEN = (
    r"(?:passages|excerpts|extracts|snippets|passagen|textstellen|textpassagen|auszügen?|auszüge|"
    r"extraits|pasajes|passaggi|passagens|trechos|context|kontext|contexte|contexto|contesto|"
    r"(?:given|provided|available|retrieved|supplied|vorliegenden|fournis|proporcionados) \w+|"
    r"(?:texts?|documents?|information|material|sources?) (?:provided|given))"
)
_TOLD = (
    r"(?:mention|stat|specif|provid|giv|answer|includ|contain|cover|discuss|address|describ|indicat|explain|disclos|"
    r"present|reveal|list|say|said|tell|told|detail|refer|clarif)\w*"
)
_WANTED = r"(?:answer|information|mention|details?|data|reference|indication|evidence|statement|such|relevant|clue)"
_NEGATED = r"(?:(?:do|does|did|is|are|was|were|can|could|has|have) ?(?:not|n't)|cannot|fails? to|failed to|never)"
_SPEAKS = (
    r"(?:enthält|enthalten|nenn|genannt|erwähn|beantwort|sag|steh|geht|gehen|gibt|geben|hervor|angegeben|mach|liefer|"
    r"biet|beinhalt|beschr|entnehm|äußer|gefunden|finden|contien|mention|indiqu|répond|dit|disent|précis|donn|menciona|"
    r"dice|respond|indica|conten|menzion|dicono|cont[êé]m|informa)\w*"
)
_ASKED = r"(?:find|answer|determine|locate|see|tell|know|say|have|give|provide|identify|help)"
_PHRASES = (
    # The passages do not say; they hold nothing; they are silent.
    rf"\b{_SOURCE}\b.{{0,60}}?\b{_NEGATED} (?:\w+ ){{0,3}}?{_TOLD}",
    rf"\b{_SOURCE}\b.{{0,60}}?\b{_NEGATED} (?:\w+ ){{0,2}}?(?:have|hold|offer) (?:\w+ ){{0,2}}?{_WANTED}\b",
    rf"\b{_SOURCE}\b.{{0,60}}?\b(?:contain|hold|have|has|give|provide|include|offer|make)s? (?:no|neither) (?:\w+ )?{_WANTED}\b",
    rf"\b{_SOURCE}\b.{{0,60}}?\b(?:contain|hold|say|offer|provide)s? nothing\b",
    rf"\b{_SOURCE}\b.{{0,60}}?\b(?:lacks?|omits?|(?:is|are) (?:silent|insufficient|irrelevant|unrelated)) ?",
    rf"\b{_SOURCE}\b.{{0,60}}?\b(?:is|are) not (?:enough|sufficient|relevant|related)\b",
    rf"\b(?:none of|neither of|nothing in)(?: the| these| those)?(?: \w+){{0,2}} {_SOURCE}\b",
    rf"\bnot something (?:that )?(?:the|these) {_GIVEN} {_TOLD}|^no (?:\w+ )?(?:passage|excerpt|snippet|source) {_TOLD}",
    rf"^(?:i|we) (?:have|found|find|see) no (?:\w+ )?{_WANTED}\b",
    rf"\b(?:ninguno de los|ningún|nessuno dei|nessun|aucun(?: des)?|nenhum(?: dos)?) {_SOURCE}\b",
    rf"\bno (?:\w+ )?{_GIVEN} {_TOLD}|\bthere(?:'s| is) nothing\b.{{0,60}}?\b{_SOURCE}\b",
    rf"(?:\bnot|n't)(?: \w+){{0,3}} in (?:the|any|these|those|this|your)(?: \w+)? {_GIVEN}\b",
    rf"\b(?:answer|information)\b.{{0,20}}?(?:\bnot|n't) in (?:the|any|these|those|this|your)(?: \w+)? {_SOURCE}\b",
    rf"\b(?:unclear|unknown|uncertain)\b.{{0,40}}?\b{_GIVEN}|\b{_GIVEN}\b.{{0,60}}?\b(?:unclear|unknown|uncertain)\b",
    rf"(?:\bnot|n't)(?: \w+){{0,2}} (?:{_TOLD}|clear|found|listed)\b.{{0,60}}?\b{_SOURCE}\b",
    rf"\b{_SOURCE}\b.{{0,80}}?\bnot(?: \w+){{0,2}} (?:{_TOLD}|clear|found|listed)",
    r"(?:\bnot|n't)(?: explicitly| directly| clearly)? (?:mentioned|stated|specified|answerable)[.!]?$",
    rf"^(?:this|that|it|the|such) ?(?:{_WANTED})?(?: is|'s)(?: not|n't) (?:provided|known|available|given)[.!]?$",
    # I cannot find this.
    r"^(?:[\w',]+ ){0,6}?\b(?:i|we)(?:'m| am| was| are| were)? "
    r"(?:cannot|can ?not|can't|could not|couldn't|unable|do not|don't|did not|didn't|not able)"
    rf"(?: to)?(?: \w+){{0,2}} {_ASKED}\b",
    r"\b(?:unable|not possible|impossible) to (?:answer|determine|say|tell|know|provide)\b",
    r"^(?:cannot|can not|can't)(?: be)? (?:answer|determin|establish|infer)\w*\b",
    # There is no information; it cannot be determined.
    r"\bthere(?:'s| is| are| was| were)(?: \w+)? (?:no|not any|not enough|n't any|insufficient)(?: \w+){0,2}? "
    rf"{_WANTED}\b",
    rf"^(?:sorry, |unfortunately, )?no (?:\w+ ){{0,2}}{_WANTED}(?: (?:is|was|could|can|about|on|regarding|in|found)\b.{{0,40}}?"
    r"\b(?:given|found|provided|available|mentioned|passages?|context)\b|[.!]?$)",
    r"\b(?:question|answer|this|it|that)\b.{0,40}?\b(?:cannot|can't|can not|could not|couldn't) be "
    r"(?:answered|determined|found|inferred|established|given)",
    r"\b(?:insufficient|not enough|not sufficient) (?:\w+ )?(?:information|context|details?|data)\b",
    r"^(?:the answer is )?(?:unknown|unanswerable|not found|not available|not applicable|n/a)[.!]?$",
    # German, French, Spanish, Italian, Portuguese
    rf"\b{_SOURCE}\b.{{0,60}}?\b{_SPEAKS}.{{0,60}}?\b(?:nicht|nichts|kein\w*|pas|aucune?)\b",
    rf"\b{_SOURCE}\b.{{0,60}}?\b(?:nicht|nichts|kein\w*|ne|n'|no|non|não) ?(?:\w+ )?(?:\w+ )?{_SPEAKS}",
    rf"\b(?:nicht|nichts|kein\w*)\b.{{0,60}}?\b{_SOURCE}\b.{{0,60}}?\b{_SPEAKS}",
    rf"\b{_SPEAKS}.{{0,60}}?\b{_SOURCE}\b.{{0,60}}?\b(?:nicht|nichts|kein\w*)\b",
    rf"\b{_SPEAKS} (?:\w+ ){{0,3}}?(?:nicht|nichts|kein\w*)\b.{{0,60}}?\b{_SOURCE}\b",
    r"\b(?:ich|wir) (?:kann|konnte|können|konnten|weiß|wissen|finde|finden|habe|haben)\b.{0,60}?\b(?:nicht|nichts|kein\w*)\b",
    r"\b(?:kann|konnte|können|konnten|finde|finden|sehe|weiß) (?:ich|wir)\b.{0,60}?\b(?:nicht|nichts|kein\w*)\b",
    r"^(?:leider )?(?:\w+ ){0,3}?keine? (?:\w+ )?(?:antwort|information\w*|angabe\w*|hinweis\w*)\b",
    r"\blässt sich\b.{0,60}?\bnicht (?:\w+ )?(?:beantworten|entnehmen|bestimmen|ermitteln|sagen|herauslesen)",
    r"\bfrage\b.{0,30}?\bnicht (?:\w+ )?beantwort|\bnirgend(?:s|wo) (?:genannt|erwähnt|angegeben)",
    r"\bnicht (?:\w+ )?(?:erwähnt|genannt|angegeben|bekannt)[.!]?$",
    r"\bje ne (?:peux|trouve|sais|connais)\b|\bil n'y a aucune? (?:information|réponse|mention)",
    r"\bno (?:se menciona|se indica|puedo|encuentro|encontré|hay información|lo sé)\b",
    rf"\b{_SOURCE}\b.{{0,40}}?\b(?:bevat|geeft|noemt|vermeldt|zegt|zeggen)(?:ten|ven|en)?\b.{{0,40}}?\b(?:geen|niet|niets)\b",
    r"\bik (?:kan|kon|vind|weet)\b.{0,60}?\b(?:niet|geen|niets)\b",
    r"\bnon (?:è menzionat|posso|trovo|so\b)|\bnão (?:há informa|encontr|posso|é mencionad|sei\b)",
)
_REFUSES = re.compile("|".join(f"(?:{phrase})" for phrase in _PHRASES))
# "They only describe the museum.": what the passages hold instead, after what they lack.
_INSTEAD = re.compile(
    rf"^(?:they|these|those|instead,? (?:they|the \w+)|the (?:\w+ )?{_SOURCE}|sie|diese) (?:are |sind )?"
    r"(?:only|just|merely|mainly|mostly|instead|rather|nur|lediglich|about|focus\w*)\b"
)
# In "if the text is not found" the text lacks something and not the passages.
_CONDITION = re.compile(r"\b(?:if|when|whenever|unless|wenn|falls|sobald|si|se|quand|cuando)\b")
# Of contexts only *the* context: an application context and a context manager are subjects.
_ABOUT_GIVEN = re.compile(
    rf"(?:(?<!\w)(?<!\w )|\b(?:the|this|your|any|given|provided|available|retrieved|im|der|den|dem|le|el|il|o|do|no) )"
    r"(?:context|kontext|contexte|contexto|contesto)\b(?! (?:manager|menu|window|object|process|switch|path|root|variable|class|"
    r"provider|type|length|size|key|value|file|lock))"
    rf"|\b(?!context|kontext|contest|contexto){_GIVEN}\b"
)
_COURTESY = re.compile(
    r"^(?:i'm |i am |we are |we're )?(?:very )?(?:sorry|please|if you|you (?:may|might|could|can)|let me know|feel free|"
    r"unfortunately|apologies|i apologi[sz]e|therefore, no|bitte|leider|falls|wenn sie|tut mir leid|es tut mir leid|"
    r"entschuldigung|désolé|lo siento|mi dispiace)\b|^(?:sorry|no)[.!,]?$"
)


def is_refusal(text: str, cited: bool) -> bool:
    """Whether a text says that there is no answer; `cited` tells whether it rests on a passage that was given.

    >>> is_refusal("I cannot find this in the passages.", False), is_refusal("No. The lock is never stale.", True)
    (True, False)
    """
    if _SENTINEL_FIRST.match(text):
        return True
    if len(text) > LONGEST_REFUSAL:
        return False
    if not cited and _SENTINEL_ALONE.search(text):
        return True
    plain = " ".join(text.replace("’", "'").replace("*", "").split())
    sentences = [plain[start:end].casefold() for start, end in split_sentences(plain)]
    if cited and not all(_ABOUT_GIVEN.search(sentence) for sentence in sentences):
        return False
    refusals = [refuses(sentence) for sentence in sentences]
    return any(refusals) and all(
        refusal or _COURTESY.search(sentence) is not None or _INSTEAD.match(sentence) is not None
        for refusal, sentence in zip(refusals, sentences, strict=True)
    )


def says_something(sentences: Sequence[str]) -> bool:
    """Whether the first sentences of a text keep it from being a refusal, whatever comes after.

    >>> says_something(["The lock is stale."]), says_something(["I cannot find this.", "Sorry."])
    (True, False)
    """
    if not sentences or _SENTINEL_FIRST.match(sentences[0]):
        return False
    plain = (" ".join(sentence.replace("’", "'").replace("*", "").split()).casefold() for sentence in sentences)
    return any(not (refuses(one) or _COURTESY.search(one) or _INSTEAD.match(one)) for one in plain)


def refuses(sentence: str) -> bool:
    """Whether a sentence, in small letters, says that something is not said."""
    found = _REFUSES.search(sentence)
    return found is not None and (
        _CONDITION.search(sentence, 0, found.start()) is None or _ABOUT_GIVEN.search(sentence) is not None
    )
