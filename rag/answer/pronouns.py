"""What rules for follow-up questions have to know of a language: small closed classes of words, English and German."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.text.languages import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

WORD = re.compile(r"[^\W_]+(?:['’._-][^\W_]+)*")


def pattern(text: str) -> re.Pattern[str]:
    """A pattern in which capital letters make no difference."""
    return re.compile(text, re.IGNORECASE)


CLAUSE_END = "."  # in place of the word after a run


@dataclass
class Run:
    """Words in a row, each a start and an end, and the words before and after them in small letters."""

    words: list[tuple[int, int]] = field(default_factory=list)
    lead: str = ""
    determined: bool = False
    follow: str = CLAUSE_END


@dataclass(frozen=True)
class Grammar:
    """The closed classes of a language, all in small letters.

    `openers` tie a question to the one before, `referring` words stand for something in it. `empty` finds a pronoun, as
    \\x00, that stands for nothing; `alone` what follows a demonstrative that has no noun. `clause_ends` lie between what may
    name a thing and a pronoun that then stands for it.
    """

    conjunction: str
    openers: re.Pattern[str]
    question_words: frozenset[str]
    around_question_words: frozenset[str]
    auxiliaries: frozenset[str]
    prepositions: frozenset[str]
    determiners: frozenset[str]
    other: frozenset[str]  # adverbs, conjunctions and the like that no phrase holds
    of_things: frozenset[str]
    of_persons: frozenset[str]
    of_places: frozenset[str]
    demonstratives: frozenset[str]
    empty: re.Pattern[str]
    alone: re.Pattern[str]
    clause_ends: re.Pattern[str]
    asks_who: re.Pattern[str]
    asks_which: re.Pattern[str]
    answer_subject: re.Pattern[str]
    place: re.Pattern[str]
    of_actions: frozenset[str]
    of_statements: re.Pattern[str]  # what follows a demonstrative that means all that was said
    asks_more: re.Pattern[str]  # the whole of a question that only wants more of the same
    leading: frozenset[str]  # prepositions that begin a few words which go on with a question
    verbs: frozenset[str]  # what else may be done with the same
    of_events: re.Pattern[str]  # a question about something that happens
    owning: frozenset[str]
    somebody_does: re.Pattern[str]
    capitals_are_names: bool
    participle: re.Pattern[str]
    full_name: re.Pattern[str] = re.compile(
        r"\b[A-ZÄÖÜÉ][^\W\d_]+(?:[ -](?:von|van|de|da|[A-Z]\.|[A-ZÄÖÜÉ][^\W\d_]+))+\b"
    )
    stop: frozenset[str] = field(init=False)
    referring: frozenset[str] = field(init=False)
    determined: str = field(init=False)  # a pattern: a determiner and a space

    def __post_init__(self) -> None:
        referring = self.of_things | self.of_persons | self.of_places | self.demonstratives
        object.__setattr__(self, "referring", referring)
        ends = self.question_words | self.auxiliaries | self.prepositions | self.other | referring
        object.__setattr__(self, "stop", ends - self.determiners)
        object.__setattr__(self, "determined", rf"(?:{'|'.join(sorted(self.determiners))})\s+")

    def runs(self, question: str) -> Iterator[Run]:
        """The runs of words that may name something. A determiner begins a new one, and `of` goes on with one."""
        run = Run()
        end, lead, joins = 0, "", False
        for match in WORD.finditer(question):
            word = match[0].casefold()
            if run.words and question[end : match.start()].strip():  # a comma, a dash
                yield run
                run, joins = Run(), False
            of_question = word in self.around_question_words and (lead in self.question_words or lead == "many-of")
            if word == JOINING and run.words:
                joins = True
            elif word in self.determiners and not (word in SUBJECTS and lead in DO):
                if not joins:
                    if run.words:
                        run.follow = word
                        yield run
                    run = Run(lead=lead)
                run.determined = run.determined or not run.words
                run.words.append(match.span())
                joins = False
            elif word in self.stop or of_question:
                if run.words:
                    run.follow = word
                    yield run
                    run = Run()
                lead, joins = ("many-of" if of_question else word), False
            else:
                if not run.words:
                    run.lead = lead
                run.words.append(match.span())
                lead, joins = "", False
            end = match.end()
        if run.words:
            yield run

    def named_by(self, question: str, run: Run) -> tuple[int, int] | None:
        """The part of a run that names something, without a verb at its beginning or end; None where nothing is
        left."""
        found = list(run.words)
        least = 1 + run.determined
        if not self.capitals_are_names:  # every noun has one
            while found and not question[found[-1][0]].isupper():
                found.pop()
            if found and found[0][0] == 0 and not run.determined:
                found = found[1:]  # the first word of a question has one anyway
            return (found[0][0], found[-1][1]) if len(found) >= least else None
        if run.lead in DO and len(found) > least:
            found.pop()  # what does the index COST, how does celadon GET its colour
        elif run.lead in MODAL and run.follow in self.determiners:
            return None  # who can SEE my salary, can RESTIC ENCRYPT the data, where `it` is the data
        elif (
            run.determined
            and found[0][0] == 0
            and run.follow in self.prepositions
            and question[found[-1][1] - 1] == "s"
        ):
            found.pop()  # my build FAILS with an error
        elif run.lead in CLAUSE_OPENERS and run.follow == CLAUSE_END and len(found) > least:
            found.pop()  # what happens when the hub RESTARTS
        elif run.lead in self.auxiliaries and self.participle.fullmatch(question[slice(*found[-1])]):
            found.pop()  # is stoneware FIRED, when the disk is FULL
        elif not run.determined and (run.lead in SUBJECTS or run.lead in VERB_FOLLOWS or run.lead in self.referring):
            found = found[1:]  # how do I RESET it, who INVENTED porcelain
        if len(found) < least:
            return None
        if not run.determined and found[0][0] > 0 and question[found[0][0]].isupper():
            names = [place for place in found if question[place[0]].isupper()]
            found = names if found[: len(names)] == names else found
        return found[0][0], found[-1][1]

    def place_in(self, text: str) -> str | None:
        """A place that a text names, with its preposition."""
        match = self.place.search(text)
        return match[1] if match else None

    def fits(self, phrase: str, word: str) -> bool:
        """Whether a pronoun may stand for a phrase, by gender and number as far as its determiner shows them."""
        wanted = GENDERS.get(word)
        given = WORD.match(phrase)
        shown = GENDER_OF_DETERMINER.get(given[0].casefold()) if given and not self.capitals_are_names else None
        if self.capitals_are_names:
            if word in PLURAL:
                return phrase.casefold().endswith("s")
            return word not in SINGULAR or not PLURAL_NOUN.search(phrase)
        return wanted is None or shown is None or bool(set(wanted) & set(shown))

    def inflected(self, referent: str, word: str, behind: str) -> str | None:
        """A referent in the form of a pronoun; None where the pronoun stays and the referent is added."""
        if not self.capitals_are_names:
            return german(referent, word)
        if word in self.of_places:
            return referent
        text = re.sub(r"^(?:an?|one|which)\s+", "the ", referent, flags=re.IGNORECASE)
        follows = WORD.match(behind.lstrip())
        owns = word in {"its", "his", "their"} or (
            word == "her" and follows is not None and follows[0].casefold() not in self.stop | self.determiners
        )
        if owns:
            return f"{text}'" if text.endswith("s") else f"{text}'s"
        return text


JOINING = "of"
CLAUSE_OPENERS = words_of("if when while because once wenn falls weil")
MODAL = words_of("can could will would shall should may might must")
SUBJECTS = words_of("i we you one man ich wir")
VERB_FOLLOWS = words_of("who what")
DO = words_of("do does did")
PLURAL = words_of("they them their these those")
SINGULAR = words_of("it its this that")
PLURAL_NOUN = re.compile(r"^(?!an?\b|one\b)(?:.*\s)?[^\W\d_A-Z][\w-]+(?<![suio'’])s$")  # backups; neither bus nor Atlas
GENDERS = {
    "er": "m",
    "ihn": "m",
    "ihm": "mn",
    "sie": "fp",
    "ihr": "f",
    "es": "n",
    "ihnen": "p",
    "dieser": "m",
    "dieses": "n",
}
GENDER_OF_DETERMINER = {
    "der": "mf",
    "den": "mp",
    "dem": "mn",
    "die": "fp",
    "das": "n",
    "ein": "mn",
    "eine": "f",
    "einen": "m",
    "einem": "mn",
    "einer": "f",
    "eines": "mn",
    "des": "mn",
}


def german(referent: str, word: str) -> str | None:
    """A German referent in the case of a pronoun, as article and adjective show it; None for a pronoun that has to stay.

    What `ein` alone does not show, its gender, the pronoun does; where neither does, `ein` stays.

    >>> german("der alte Ofen", "ihn"), german("eine Glasur", "sie"), german("der Ofen", "sein")
    ('den alten Ofen', 'die Glasur', None)
    >>> german("ein Konto", "es"), german("ein Ofen", "er"), german("ein Konto", "das")
    ('das Konto', 'der Ofen', 'ein Konto')
    """
    if word not in {"er", "sie", "es", "ihn", "ihm", "ihnen", "das", "dies", "dieser", "dieses"}:
        return None
    article, _, rest = referent.partition(" ")
    if article.casefold() in {"ein", "einem", "dem"} and word in {"es", "dieses"}:
        article = "das"
    elif article.casefold() == "ein" and word in {"das", "dies"}:
        return referent
    plain = {"ein": "der", "eine": "die", "einen": "der", "einem": "der", "einer": "die", "den": "der", "dem": "der"}
    known = plain.get(article.casefold(), article.casefold())
    if not rest or known not in {"der", "die", "das"}:
        return referent
    if word in {"ihn", "ihm", "ihnen"}:
        known = "den" if word in {"ihn", "ihnen"} else "dem"
        rest = re.sub(r"\b([a-zäöüß]+)e[rs]?\b(?=\s)", r"\1en", rest)
    return f"{known} {rest}"


ENGLISH = Grammar(
    conjunction="and",
    openers=pattern(
        r"\s*(?:(?:and|but|or|so|ok|okay|then)\b[,\s]+)*(?:(?:what|how) about\s+|(?:and|but|or|so)\b[,\s]+)"
    ),
    question_words=words_of("who whom whose what which when where why how"),
    around_question_words=words_of(
        "long much many often far old big large high deep fast hot cold late soon since until not so else exactly"
    ),
    auxiliaries=words_of(
        "is are was were be been am do does did has have had can could will would shall should may might must "
        "isn't aren't wasn't weren't doesn't don't didn't can't cannot won't"
    ),
    prepositions=words_of(
        "in on at for from with without to into by about under over between among during after before "
        "against per via of "
        "within towards near behind through across until since as like than"
    ),
    determiners=words_of("the a an my our your any some each every all one no both either"),
    other=words_of(
        "i me we us you there here now then today yet still also too only just ever never always usually "
        "again twice once up off out "
        "please tell show give explain describe and or but if because while whether not very more most less least"
    ),
    of_things=words_of("it its they them their"),
    of_persons=words_of("he him his she her"),
    of_places=words_of("there"),
    demonstratives=words_of("this that these those"),
    empty=pattern(
        r"\b(?:is|was|isn't|wasn't|would|will)\s+\x00it\s+(?:be\s+|not\s+)?"
        r"(?:possible|allowed|necessary|true|safe|legal|better|best|okay|ok|worth|that)\b(?!\s*(?:[?.!]|$))"
        r"|\b(?:is|was|isn't|wasn't)\s+\x00it\s+(?:\w+\s+)?(?!\w*ed\b|open|closed|close|due|similar|equal|able)\w+\s+to\b"
        r"|\bdoes\s+\x00it\s+(?:matter|make sense)\b|\bwhat time is \x00it\b|\x00it take\w*\b.*\bto\s+\w+\s+\w"
        r"|\b(?:is|are|was|were|be|been|isn't|aren't)\s+\x00there\b|\x00there\s+(?:is|are|was|were)\b"
    ),
    alone=pattern(
        r"\s*(?:$|[?.,!]|(?:is|are|was|were|does|do|did|mean|work|happen|cost|take|come|change|apply|help|true|so|possible"
        r"|for|in|of|to|with|also|still|even|always|ever|automatically)\b)"
    ),
    clause_ends=pattern(r",|\b(?:and|or|but|if|when|because|while|before|after|once|so)\b"),
    asks_who=pattern(r"\bwho(?:m|se)?\b"),
    asks_which=pattern(r"\b(?:which|what (?:kind|sort|type|glaze|material))\b|^\s*who\b"),
    answer_subject=pattern(
        r"\s*(?:the |an? )?((?:[^\W_][\w'’-]*\s){0,3}?[^\W_][\w'’-]*)\s+(?:is|are|was|were|has|have|can|holds?|comes?)\b"
    ),
    place=re.compile(r"\b((?:in|at|to|near)\s+(?:the\s+)?[A-Z][\w'’-]+(?:\s[A-Z][\w'’-]+)*)"),
    of_actions=words_of("it this that"),
    of_statements=pattern(
        r"\s+(?:possible|true|so|right|correct|allowed|normal|safe|enough|legal)\b"
        r"|\s+(?:does(?:n't|\s+not)|did(?:n't|\s+not)|will\s+not|won't)\s+(?:help|work|do)\b"
    ),
    asks_more=pattern(
        r"\s*(?:please\s+)?(?:(?:(?:can|could) you\s+)?(?:show|give|tell)\s+me\s+)?(?:for\s+)?(?:an?|some|any|another)?\s*"
        r"(?:more\s+)?(?:examples?|details?|more(?: about (?:it|this|that))?)(?:,?\s+please)?[\s?.!]*"
        r"|which ones?(?:\s+(?:is|are|was|were|do|does|can|should|would|will|has|have)\b.*|[\s?.!]*)"
        r"|(?:automatical|manual|local|remote|permanent|temporari|complete|partial|safe|quick|recursive|dai|week|month|hour|year)ly"
        r"[\s?.!]*"
    ),
    leading=words_of("on in for with without by from to at under via until within"),
    verbs=words_of(
        "disable enable remove delete change set get use add keep stop start turn switch skip ignore avoid limit raise lower "
        "increase decrease reset restart restore move rename copy list show see find check test verify undo revert update "
        "upgrade install uninstall configure run edit export import share hide close open cancel"
    ),
    of_events=pattern(r"\s*what happens\b"),
    owning=words_of("its his her their"),
    somebody_does=pattern(r"\b(?:do|can|could|should|would|must|may|shall|to)\s+(?:i|we|you|one)\s+(.+)"),
    capitals_are_names=True,
    participle=pattern(
        r"\w+(?:ed|ing)|born|made|built|known|sold|found|written|held|kept|done|cut|put|set|paid|sent|spoken|given|taken|called"
        r"|hot|cold|open|free|safe|different|available|big|large|old|heavy|cost|work|mean"
        r"|full|empty|down|up|missing|wrong|slow|busy|ready|broken|lost"
    ),
)

GERMAN = Grammar(
    conjunction="und",
    openers=pattern(
        r"\s*(?:(?:und|aber|oder|also|ok|okay|dann)\b[,\s]+)*"
        r"(?:(?:was ist|wie ist es|wie steht es|wie wäre es) mit\s+|(?:und|aber|oder|also)\b[,\s]+)"
    ),
    question_words=words_of(
        "wer wen wem wessen was welche welcher welches welchen welchem wann wo wohin woher warum wieso "
        "weshalb wie womit wofür wozu"
    ),
    around_question_words=words_of(
        "lange viel viele oft weit alt groß hoch tief schnell heiß kalt spät bald seit bis nicht so sonst genau"
    ),
    auxiliaries=words_of(
        "ist sind war waren sein bin wird werden wurde wurden hat haben hatte hatten kann können konnte "
        "könnte soll sollte "
        "muss müssen darf dürfen will wollen möchte gibt gab heißt heißen dauert kostet brennt braucht "
        "liegt steht geht "
        "funktioniert bedeutet macht kommt hält passiert"
    ),
    prepositions=words_of(
        "in im ins an am ans auf für aus von vom mit ohne zu zum zur bei beim durch um über unter nach "
        "vor seit während gegen pro je "
        "zwischen wegen als"
    ),
    determiners=words_of("der die das den dem des ein eine einen einem einer eines jeder jede jedes alle kein keine"),
    other=words_of(
        "ich mich mir wir uns du man sich hier jetzt dann heute noch auch nur schon immer nie wieder "
        "bitte und oder aber wenn weil ob "
        "nicht sehr mehr meisten es gebrannt gebaut gemacht geboren gegründet erfunden"
    ),
    of_things=words_of(
        "es ihn ihm ihr ihnen sie er sein seine seinen seiner seinem ihre ihren ihrer ihrem davon dafür "
        "damit darin dazu daran darauf"
    ),
    of_persons=frozenset(),
    of_places=words_of("dort"),
    demonstratives=words_of("das dies dieser dieses"),
    empty=pattern(
        r"\b(?:gibt|gab|geht|handelt)\s+\x00es\b|\x00es\s+(?:gibt|gab|regnet)\b|\b\x00es,\s+(?:bis|dass|wenn)\b"
        r"|\b(?:ist|war|wäre)\s+\x00es\s+(?:möglich|erlaubt|nötig|wahr|besser|richtig|sinnvoll)\b"
    ),
    alone=pattern(r"\s*(?:$|[?.,!]|(?:ist|sind|war|so|genau|denn|bedeuten|funktionieren|kosten)\b)"),
    clause_ends=pattern(r",|\b(?:und|oder|aber|wenn|weil|bevor|nachdem)\b"),
    asks_who=pattern(r"\b(?:wer|wen|wem|wessen)\b"),
    asks_which=pattern(r"\bwelche[rsnm]?\b"),
    answer_subject=pattern(
        r"\s*((?:[^\W_][\w'’-]*\s){0,3}?[^\W_][\w'’-]*)\s+(?:ist|sind|war|waren|hat|haben|wird|werden)\b"
    ),
    place=re.compile(r"\b((?:in|im|bei|nach)\s+(?:der\s+|dem\s+)?[A-ZÄÖÜ][\w'’-]+(?:\s[A-ZÄÖÜ][\w'’-]+)*)"),
    of_actions=words_of("es das dies"),
    of_statements=pattern(r"\s+(?:möglich|wahr|so|richtig|erlaubt|normal|sicher|genug)\b"),
    asks_more=pattern(
        r"\s*(?:bitte\s+)?(?:(?:zeig|gib|nenn)e?\s+mir\s+)?(?:zum\s+|ein\s+|noch\s+ein\s+)?(?:mehr(?:\s+dazu)?|beispiele?|(?:mehr\s+)?"
        r"(?:details|einzelheiten))(?:,?\s+bitte)?[\s?.!]*"
        r"|welche[rs]? davon\b.*"
    ),
    leading=words_of("auf in im für mit ohne bei beim unter am ab"),
    verbs=frozenset(),  # they stand at the end
    of_events=pattern(r"\s*was passiert\b"),
    owning=words_of("sein seine seinen seiner seinem ihre ihren ihrer ihrem"),
    somebody_does=pattern(r"\b(?:kann|muss|soll|darf|könnte|sollte)\s+(?:ich|man|wir)\s+(.+)"),
    capitals_are_names=False,
    participle=pattern(
        r"ge\w+(?:t|en)|\w+iert|be\w+t|ver\w+(?:t|en)|er\w+(?:t|en)|hoch|heiß|alt|groß|offen|teuer|lang|schwer"
    ),
)
GRAMMARS = {"en": ENGLISH, "de": GERMAN}
