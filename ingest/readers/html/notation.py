r"""Text with marks for what is raised, lowered or turned around in, plain text that says the same out.

A page shows 10 to the power of 6 with a small raised 6. Without it the text would say 106, so it becomes `10^6`; a raised
note mark becomes `[1]`, an ordinal stays `1st`, and a lowered 2 is `H2O` in a formula and `10_2` after a number.

>>> plain_text(f"10{RAISED}6{END} tonnes of H{LOWERED}2{END}O.{NOTE}3{END}")[0]
'10^6 tonnes of H2O.[3]'
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# NUL cannot be in a decoded file, so no text looks like a mark.
RAISED, LOWERED, NOTE, TURNED, END = "\0^", "\0_", "\0n", "\0r", "\0."
LINE_BREAK = "\0b"

_MARK = re.compile(r"\0(?:l(\d+);|([\^_nr.]))")
_LINES = r"((?:\0l\d+;)*)"
# A raised and a lowered number with a slash between them: browsers show one half, and 1<sup>1</sup>/<sub>2</sub> is 1.5.
_FRACTION = re.compile(
    rf"(\w?)\0\^{_LINES}\s*{_LINES}(\d{{1,6}})\s*\0\.\s*{_LINES}([/⁄∕])\s*{_LINES}\0_\s*{_LINES}(\d{{1,6}})\s*\0\.(\w?)"
)
_POWER_WITHOUT_NUMBER = re.compile(r"\^[-+−–±]\Z")
_ONE_TOKEN = re.compile(r"[-+−–±]?\w+(?:[.,]\w+)?[-+−–]?|[-+−–±*∗°∘∞⊤⊥]+")
_LAST_WORD = re.compile(r"[^\W\d_]{1,40}\Z")
_NUMBER = re.compile(r"[-+−–]?\d+")
_ROMAN = re.compile(r"(?<![^\W\d_])[IVXLCDMivxlcdm]+\Z")
_NOTE_MARKS = re.compile(r"[*†‡§¶#∗⁎]{1,4}|[\[(][^\[\]()]{1,40}[\])](?:[,;\s]*[\[(][^\[\]()]{1,40}[\])])*")
_NOTE_NUMBERS = re.compile(r"\d{1,3}(?:[,;\s–-]+\d{1,3})*|[a-z]")
_AFTER_NOTE = re.compile(r"\[[\w*†‡§¶#]{1,40}\][,;]?\Z")
_ISOTOPE = re.compile(r"(?!A\b)[A-Z][a-z]?(?![A-Za-z])")
_CHEMICAL = re.compile(r"[A-Z][A-Za-z]{0,5}\Z|[^\W\d_]{1,2}\Z")
_CLUSTER = re.compile(r".[\u0300-\u036f\u200d\ufe0f]*", re.DOTALL)
_RAISED_ALREADY = frozenset("®©™℠′″‴°º'\"’”∘")
_SIGNS = {"TM": "™", "SM": "℠", "o": "º", "a": "ª"}
_OPENING = frozenset(("", *"([{“‘«„‚<"))


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Endings that are raised by custom: after a number (1st, 2e), and in abbreviated words (Mme, Dr, Nos).
_ORDINALS = _words("st nd rd th er re ère e è ème eme ième nde ra ro do ta to te ter os as")
_ABBREVIATIONS = _words("me mes mme lle lles gr grs ie ve te tes os r rs ns na st nd rd th er re ère ème e")
_MAX_ABBREVIATED = 2  # letters before such an ending: M, D, S, Mr, Cie
# Words after which a raised number is a power all the same; else one after a word of three letters is a note.
_WITH_POWERS = _words(
    """sin cos tan cot sec csc sinh cosh tanh log exp lim det deg rad mol lux min hour day year sec
    mmhg kwh mhz ghz kpa mpa kgf inch foot feet yard mile acre"""
)


def line_mark(line: int) -> str:
    """What stands before the first character that is from this line of the file."""
    return f"\0l{line};"


def collapsed(text: str) -> str:
    """Text with each run of white space as one space, and with the line breaks it asked for."""
    lines = (" ".join(line.split()) for line in text.split(LINE_BREAK))
    return "\n".join(filter(None, lines))


class _Frame(NamedTuple):
    """A raised, lowered or turned piece that is being read."""

    kind: str
    parts: list[str]


class Plain(NamedTuple):
    """Text without marks, and (offset in it, line of the file) pairs in order."""

    text: str
    lines: list[tuple[int, int]]


def plain_text(marked: str) -> Plain:
    """The text with every mark replaced by what says the same."""
    if "\0" not in marked:
        return Plain(marked, [])
    pieces = _MARK.split(_FRACTION.sub(_fraction, marked))  # text, line or None, kind or None, text, ...
    frames = [_Frame("", [])]
    lines: list[tuple[int, int]] = []
    length = 0  # of the outermost frame's parts
    current = 0  # line: of the last mark, which may stand inside a piece
    for index in range(0, len(pieces), 3):
        if index:
            line, kind = pieces[index - 2], pieces[index - 1]
            if line:
                current = int(line)
                if not lines or lines[-1][0] < length:
                    lines.append((length, current))
            elif kind != END[1]:
                frames.append(_Frame(kind, []))
            elif len(frames) > 1:
                length += _close(frames, _next_text(pieces, index))
        frames[-1].parts.append(pieces[index])
        if len(frames) == 1 and pieces[index]:
            if lines and lines[-1][1] != current:
                lines.append((length, current))
            length += len(pieces[index])
    while len(frames) > 1:
        _close(frames, "")
    return Plain("".join(frames[0].parts), lines)


def _fraction(found: re.Match[str]) -> str:
    before, *lines, after = found.groups()
    return "".join((before, before and " ", *lines, after and " ", after))


def _next_text(pieces: list[str], index: int) -> str:
    """The text that follows a mark, if only line marks lie between."""
    while not pieces[index] and index + 3 < len(pieces) and pieces[index + 1]:
        index += 3
    return pieces[index]


def _close(frames: list[_Frame], following: str) -> int:
    """Write the last frame into the one around it; the characters that this adds if it is the outermost."""
    frame = frames.pop()
    content = " ".join("".join(frame.parts).split())
    around = frames[-1].parts
    written = _WRITTEN[frame.kind](content, _tail(around), following) if content else ""
    around.append(written)
    return len(written) if len(frames) == 1 else 0


def _tail(parts: list[str]) -> str:
    """The last characters of what was written; 60 show every word that decides anything."""
    tail = ""
    for part in reversed(parts):
        tail = part[-60:] + tail
        if len(tail) >= 60:
            break
    return tail


def _apart(written: str, following: str) -> str:
    """With a space behind it where a letter or a digit would run into it."""
    return f"{written} " if following[:1].isalnum() else written


def _grouped(content: str) -> str:
    return content if _ONE_TOKEN.fullmatch(content) else f"({content})"


def _raised(content: str, before: str, following: str) -> str:
    if content in _RAISED_ALREADY or content in ("TM", "SM"):
        return _SIGNS.get(content, content)
    if before[-1:].isspace() or before[-1:] in _OPENING:
        return _raised_apart(content, before.rstrip(), following)
    if _POWER_WITHOUT_NUMBER.search(before):  # 10<sup>-</sup><sup>6</sup>, as word processors write it
        return _apart(_grouped(content), following)
    last = before[-1]
    word = _LAST_WORD.search(before)
    if _is_ending(content, before, word[0] if word else ""):
        return content
    if content in ("o", "a") and (last.isdigit() or (content == "o" and word and word[0] in ("n", "N"))):
        return _SIGNS[content]
    if _NOTE_MARKS.fullmatch(content) or (_NOTE_NUMBERS.fullmatch(content) and _takes_notes(before, word)):
        return _note(content, before, following)
    if " " in content and word and len(word[0]) > _MAX_ABBREVIATED:
        return _apart(f" ({content})", following)
    return _apart(f"^{_grouped(content)}", following)


def _raised_apart(content: str, before: str, following: str) -> str:
    """A raised piece behind a space or nothing: a note's mark, a power all the same, an isotope, or small print."""
    if content.isdigit() and _ISOTOPE.match(following):
        return f"^{content}"
    if before[-1:].isdigit() and _NUMBER.fullmatch(content):
        return _apart(f"^{content}", following)
    if before and before[-1] not in _OPENING and _NOTE_NUMBERS.fullmatch(content) and content.isdigit():
        return _apart(f"[{content}]", following)
    return _apart(content, following)


def _is_ending(content: str, before: str, word: str) -> bool:
    """Whether a raised piece is the end of the word before it."""
    ending = content.lower()
    if ending in _ORDINALS and (before[-1].isdigit() or _ROMAN.search(before)):
        return True
    return 0 < len(word) <= _MAX_ABBREVIATED and word[0].isupper() and len(content) > 1 and ending in _ABBREVIATIONS


def _takes_notes(before: str, word: re.Match[str] | None) -> bool:
    """Whether a raised number here is rather a note than a power."""
    if word:
        letters = word[0]
        is_long = len(letters) > _MAX_ABBREVIATED or unicodedata.category(letters[-1]) == "Lo"
        return is_long and letters.lower() not in _WITH_POWERS
    if _AFTER_NOTE.search(before):
        return True
    return before[-1] not in ")]}|" and unicodedata.category(before[-1])[0] == "P"


def _note(content: str, before: str, following: str) -> str:
    label = content if content[0] in "[(" else f"[{content}]"
    last = before[-1:]
    glues = not last or last.isspace() or unicodedata.category(last)[0] == "P" or _AFTER_NOTE.search(before)
    return _apart(label if glues else f" {label}", following)


def _lowered(content: str, before: str, following: str) -> str:
    last = before[-1:]
    if last.isspace() or last in _OPENING:
        return _apart(content, following)
    if content.isdigit() and not following[:1].isdigit() and (last in ")]" or _CHEMICAL.search(before)):
        return content
    return _apart(f"_{_grouped(content)}", following)


def _turned(content: str, before: str, following: str) -> str:  # noqa: ARG001 - all of _WRITTEN are called alike
    """Text as it looks when it runs from right to left; letters that do so by themselves stay as they are."""
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in content):
        return content
    return "".join(reversed(_CLUSTER.findall(content)))


_WRITTEN: dict[str, Callable[[str, str, str], str]] = {
    RAISED[1]: _raised,
    LOWERED[1]: _lowered,
    NOTE[1]: _note,
    TURNED[1]: _turned,
}
