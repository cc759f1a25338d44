"""What a language model has written so far in, as much of it as can be shown already out: checked, and for good.

Half a link could still become one, and half an answer a refusal. So a piece is held back until the next ones have
settled what it is: an open bracket or tag, the word at the end, and all of it until one sentence says something.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.answer.check import CODE, clean_answer, marked_text, refuse_a_book, renumber
from rag.answer.refusals import says_something

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sql.records import Hit

STEP = 100  # a text is looked at again when it has grown by this part of its length: twice the text, twice the work
LONGEST_OPEN = 5000  # characters that a tag or the target of a link may have; what is open longer is none
OPEN_REFERENCE = re.compile(r"(?:^|\n)[ \t]{0,8}\[[^\[\]\n]{1,200}\]:[ \t]*\n?[ \t]*\S*[^\n]*\Z")
OPEN_TAG = re.compile(r"<(?:[a-zA-Z/!][^>]*)?\Z")
SPACE = re.compile(r"\s")


@dataclass
class Unfolding:
    """An answer that is being written. `written` is all of it, `shown` what has been given out."""

    model: str
    hits: Sequence[Hit]
    strict: bool = False
    written: str = ""
    shown: str = ""
    _looked_at: int = 0

    def more(self, piece: str) -> str:
        """Takes the next piece; returns what can be shown now beyond what has been, often nothing."""
        self.written += piece
        refuse_a_book(self.model, self.written)
        if len(self.written) - self._looked_at < len(self.written) // STEP or not SPACE.search(piece):
            return ""
        self._looked_at = len(self.written)
        return self._beyond(self._settled_text())

    def rest(self, text: str) -> str:
        """What of the final text has not been shown; nothing where it does not go on as what was shown."""
        return self._beyond(text)

    def _beyond(self, text: str) -> str:
        if not text.startswith(self.shown):
            return ""  # what came later has changed the meaning of what came before
        new, self.shown = text[len(self.shown) :], text
        return new

    def _settled_text(self) -> str:
        """The beginning of the answer that what is still to come will leave as it is."""
        cleaned = clean_answer(self.written[: settled(self.written)], self.hits)
        ended = cleaned.sentences[:-1]  # the last one may go on
        if not says_something([sentence.text for sentence in ended]):
            return self.shown
        if self.strict:  # whether the last one will stay is not known before its end
            text = marked_text(cleaned.text[: cleaned.sentences[-1].start], ended, strict=True)
            return renumber(text, len(cleaned.cited))[0]
        return marked_text(cleaned.text[: cleaned.sentences[-1].end], ended, strict=False)


def settled(text: str) -> int:
    """How much of a text that goes on is settled: up to a space before what is still open.

    >>> [text[: settled(text)] for text in ("See [the pa", "It is a <b", "At 1240 deg", "Is it so [1, ", "x < 5 is", "Put `a")]
    ['See', 'It is a', 'At 1240', 'Is it so', 'x < 5', 'Put']
    """
    end = len(text)
    least = max(0, end - LONGEST_OPEN)
    if (tag := text.rfind("<", least)) >= 0 and OPEN_TAG.match(text, tag):
        end = tag
    code = max((one.end() for one in CODE.finditer(text)), default=0)
    if (tick := text.find("`", max(code, text.rfind("\n") + 1))) >= 0:
        end = min(end, tick)
    for opening, closing in ("[]", "【】"):
        bracket = text.rfind(opening, least)
        if bracket >= 0 and is_open(text[bracket + 1 :], closing):
            end = min(end, bracket)
    if reference := OPEN_REFERENCE.search(text, least):
        end = min(end, reference.start())
    spaces = [text.rfind(space, 0, end) for space in " \t\n"]
    return max(*spaces, 0)


def is_open(text: str, closing: str) -> bool:
    """Whether what stands behind a bracket may still become a citation or a link."""
    _, closed, behind = text.partition(closing)
    if not closed:
        return True
    return not behind or (behind[0] == "(" and behind.count("(") > behind.count(")"))
