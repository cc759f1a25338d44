"""A text in, the exact names in it out: part numbers, versions, addresses, dates, options, names of files and of code.

An embedding blurs them and a stemmer cuts them, so they are compared letter by letter. Two of the same shape, such as
P-0137 and P-0191, are rivals: what is said of the one answers no question for the other.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

from rag.text.analyser import detect_language, visible

_SEPARATORS = re.compile(r"[\s|\"'“”„‚‘’«»`(){}\[\]<>,;=，、。（）「」]+")
_ESCAPED = re.compile(r"\\(?=[^\w\s]|_)")  # Markdown: max\_connections
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
_NOUN = 4  # letters of a noun that all its forms share
_LONGEST = 200  # characters of an identifier; beyond it a "word" is data

_MEASURE = re.compile(r"[\d.,:/%+-]*\d[\d.,:/%+-]*[^\W\d_]{0,3}")  # 1,000; 3.5kg; 19th; 24/7
_COUNTED_WORD = re.compile(r"\d+s?(-[^\W\d_]{2,})+|[a-z]+-\d{4}s", re.IGNORECASE)  # 20-year-old; 20-jährig; mid-1990s
_YEARS = re.compile(r"(?:1\d|20)\d\d-(?:(?:1\d|20)?\d\d)")  # 2009-2017
_BOTH_GENDERS = re.compile(r"[^\W\d_]+_inn?en?", re.IGNORECASE)  # Kund_innen
_COMPOUND = re.compile(r"(.*\d[^-]*)-([^\W\d_]{3,})")  # IPv4-Adressen, Covid-19-Pandemie
_ENDINGS = "encoded|based|compatible|style|like|only|ready|enabled|aware|specific|formatted|related|era"
_ORDINARY = re.compile(rf".*-(?:{_ENDINGS})")  # WW2-era, node.js-based
# Words behind a name that make it another one, also in German: an iPhone-15-Pro.
_VARIANTS = re.compile(
    "pro|max|mini|plus|turbo|air|lite|light|ultra|opus|sonnet|haiku|beta|alpha|rc|snapshot|preview|base|large|small|red|blue|green"
    "|black|white|rot|blau|grün|schwarz|weiß|gelb",
    re.IGNORECASE,
)
_DOTTED_NUMBER = re.compile(r"\d+(?:\.\d+){2,}|\d+(?:-\d+)+")  # an address, a version, a date, a book's number
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OTHER_FORMS = re.compile(r"\d{4}-\d{2}-\d{2}.*|\d{1,2}\.\d{1,2}\.\d{4}|\d{1,3}(?:\.\d{3}){2}")  # days, and 1.234.567
_OPTION = re.compile(r"--?[^\W\d_][\w-]*")
_CAMEL = re.compile(r"[a-z]+\d*[A-Z]")
_DOTTED_NAME = re.compile(r"[^\W\d_][\w/-]*(?:\.[^\W\d]\w+)+(?:-\w+)*")
_LETTERS, _DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+")
_CODE = re.compile(r"[^\W\d_]+-?\d+")  # E1234, UTF-8, P-0137: written with or without the hyphen
_VERSION = re.compile(r"v(\d+(?:\.\d+)*)")  # v3, v2.1.3
_TELLING_MEMBER = re.compile(r".*\.([A-Z]\w*[a-z]\w*[A-Z]\w*|[^\W_]\w*_\w+)")  # http.PoolTimeout, pd.read_csv
_MEMBER_OF_VARIABLE = re.compile(
    r"[a-z]{1,2}\.([^\W\d]\w{4,})"
)  # r.headers; what is shorter may be the suffix of a file
_OPTION_OF_TWO = re.compile(r"--(no-)?(\w[\w-]*)")  # --no-verify and --verify, which manuals write as --[no-]verify
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # of max_connections and maxConnections


@dataclass(frozen=True, slots=True)
class Identifier:
    """An exact name: as it was written, folded; its shape; whether it could have been written in another form; its `parts`, as
    `max` and `connections`; of a member of something (`a.PoolTimeout`) that alone, which is telling if it is a name by itself;
    and the `noun` that German has joined to it, as far as its endings leave it alone."""

    text: str
    shape: str
    has_other_forms: bool
    parts: frozenset[str] = frozenset()
    member: str = ""
    has_telling_member: bool = False
    noun: str = ""

    @property
    def has_digits(self) -> bool:
        """Whether it is one of many that differ by a number."""
        return "0" in self.shape

    def is_in(self, text: str) -> bool:
        """Whether a text, as `folded` makes it, holds this very name and not only a longer one around it."""
        return _pattern(self.text, self.noun).search(text) is not None

    def is_partly_in(self, text: str) -> bool:
        """Whether a text, as `folded` makes it, holds the name of the same member of something else: `response.elapsed` for
        `r.elapsed`, and `PoolTimeout` by itself for `httpx.PoolTimeout`."""
        return (
            self.member != "" and _member_pattern(self.member, is_name=self.has_telling_member).search(text) is not None
        )

    def has_rival_in(self, tokens: tuple[Identifier, ...], *, all_of_shape: bool) -> bool:
        """Whether there is another name of the same shape among some. Unless `all_of_shape`, E1235 is one for E1234 and F1234 is
        not, and min_connections is one for max_connections and read_timeout is not."""
        return any(
            one.shape == self.shape and one.text != self.text and (all_of_shape or self._is_near(one)) for one in tokens
        )

    def _is_near(self, other: Identifier) -> bool:
        """Whether two names differ by their digits alone or, without any, share a part."""
        if self.has_digits:
            return _DIGITS.sub("0", other.text) == _DIGITS.sub("0", self.text)
        return not self.parts.isdisjoint(other.parts)


def folded(text: str) -> str:
    """A text as identifiers are looked for in it: without differences of case, width and dashes, or escapes."""
    return unicodedata.normalize("NFKC", visible(_ESCAPED.sub("", text))).translate(_DASHES).casefold()


def identifiers(text: str) -> tuple[Identifier, ...]:
    """The exact names in a text, each once, in order.

    >>> [one.text for one in identifiers("How much does part P-0137 cost, and 20 of maxSize in 3.1.4?")]
    ['p-0137', 'maxsize', '3.1.4']
    """
    found: dict[str, Identifier] = {}
    for piece in _SEPARATORS.split(visible(_ESCAPED.sub("", text))):
        written = unicodedata.normalize("NFKC", piece[:_LONGEST]).translate(_DASHES).strip("*!?.:…~&§€$£#").rstrip("-")
        if any(map(str.isalnum, written)) and _is_identifier(written) and not _is_prefix(piece):
            name, noun = without_noun(written, text)
            if not noun or _is_identifier(name):
                found.setdefault(name.casefold(), replace(_identifier(name), noun=noun))
    return tuple(found.values())


def without_noun(written: str, text: str) -> tuple[str, str]:
    """A name in a German text without the noun that is joined to it, and the beginning of that, which no ending changes; the
    name and nothing where there is none.

    >>> without_noun("IPv4-Adressen", "Wo stehen die IPv4-Adressen?"), without_noun("P-0137-B", "Was kostet das P-0137-B?")
    (('IPv4', 'adre'), ('P-0137-B', ''))
    """
    compound = _COMPOUND.fullmatch(written)
    if compound is None or not compound[2].istitle() or _VARIANTS.fullmatch(compound[2]):
        return written, ""
    return (compound[1], compound[2].casefold()[:_NOUN]) if detect_language(text) == "de" else (written, "")


def _identifier(written: str) -> Identifier:
    telling = _TELLING_MEMBER.fullmatch(written) if "/" not in written else None
    member = telling or _MEMBER_OF_VARIABLE.fullmatch(written)
    parts = frozenset(part.casefold() for part in _PARTS.findall(written))
    return Identifier(
        written.casefold(),
        _shape(written),
        _has_other_forms(written),
        parts,
        member[1].casefold() if member else "",
        telling is not None,
    )


def _is_prefix(piece: str) -> bool:
    """Whether a word is what others begin with: `-webkit-`."""
    return piece.startswith("-") and piece.endswith("-")


def _is_identifier(written: str) -> bool:
    if _YEARS.fullmatch(written):
        return False
    if _DOTTED_NUMBER.fullmatch(written) or _OPTION.fullmatch(written):
        return True
    if any(one.fullmatch(written) for one in (_MEASURE, _COUNTED_WORD, _BOTH_GENDERS)):
        return False
    if any(map(str.isdigit, written)) or "_" in written.strip("_") or "::" in written:
        return True
    return bool(_CAMEL.match(written) or _DOTTED_NAME.fullmatch(written) or (written[0] == "/" and len(written) > 2))


def _shape(written: str) -> str:
    """Letters as `a` and digits as 0, a run of either as one; names in camel case are all of one shape."""
    if _CAMEL.match(written) and written.isalnum():
        return "aA"
    shape = _DIGITS.sub("0", _LETTERS.sub("a", written))
    return re.sub(r"(a_)+a", "a_a", re.sub(r"(a-)+a", "a", shape))


def _has_other_forms(written: str) -> bool:
    """Whether a document may well name the same thing otherwise, as it does a day, or speak of it by an example of its own,
    as it does of a file that is named by a day, or of the WW2-era as that of the war."""
    looks_ordinary = _DOTTED_NAME.fullmatch(written) and "-" in written.rpartition(".")[2]  # as node.js-based does
    return bool(looks_ordinary or _OTHER_FORMS.fullmatch(written) or _ORDINARY.fullmatch(written))


@lru_cache(maxsize=1000)
def _pattern(name: str, noun: str = "") -> re.Pattern[str]:
    """What matches the name alone: P-0137 is neither in XP-0137 nor in P-01370, 2.1.3 not in 2.1.3.4; but with its noun, or
    with an ordinary word behind it."""
    before = r"(?<![\w-])" if name.startswith("-") else r"(?<!\w)(?<!\d[.-])" if name[0].isdigit() else r"(?<!\w)"
    after = r"(?!\w)"
    if _DATE.fullmatch(name):
        after = r"(?!\d|-\w)"  # a time may follow: 2026-11-28T10:00
    elif name[0] == "-":
        after = r"(?![\w]|-\w)"
    elif any(map(str.isdigit, name)):
        joined = rf"(?:(?:{_ENDINGS})\b{f'|{noun}' if noun else ''})"
        after = rf"(?!\w|-(?!{joined})\w|\.\d)"  # UTF-8-encoded
    elif "." in name:
        after = r"(?!\w|\.\w)"
    inner = re.escape(name)
    if version := _VERSION.fullmatch(name):
        number = re.escape(version[1])
        inner = rf"(?:v|(?:version|release)s?:? ?){number}(?:\.0)*"
        if version[1].count(".") > 1:
            inner = rf"(?:{inner}|(?<![\w.-]){number})"
    elif "." in name and _DOTTED_NUMBER.fullmatch(name):
        inner = f"v?{inner}"
    elif option := _OPTION_OF_TWO.fullmatch(name):
        no = r"(?:no-|\[no-\])" if option[1] else r"(?:\[no-\])?"
        inner = rf"--{no}{re.escape(option[2])}"
    elif _CODE.fullmatch(name):
        letters, digits = _LETTERS.search(name), _DIGITS.search(name)
        inner = rf"{re.escape(letters[0] if letters else '')}[- ]?{digits[0] if digits else ''}"
    return re.compile(before + inner + after)


@lru_cache(maxsize=1000)
def _member_pattern(member: str, *, is_name: bool) -> re.Pattern[str]:
    """What matches the member of anything, or the member alone if that is a name by itself."""
    before = r"(?<!\w)" if is_name else r"(?<=\.)"
    return re.compile(rf"{before}{re.escape(member)}(?!\w)")
