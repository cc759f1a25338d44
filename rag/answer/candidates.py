"""Found chunks in, the sentences of them that may answer a question out, each with those around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.answer.quotation import quotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer.quotation import Quotation
    from sql.records import Hit

JUDGED_CHARACTERS = 300  # of a sentence and what it brings along, about as many as a long sentence has


@dataclass(frozen=True, slots=True)
class Candidate:
    """A quotation that may answer, with what is known of it before it is compared with the question."""

    quotation: Quotation
    hit: Hit
    before: str  # the sentence before it, of the same chunk
    after: str = ""  # and the one after it

    @property
    def judged(self) -> str:
        """What is compared with the question: a row means little without its header, an item without its list, and an
        answer without what was asked."""
        quotation = self.quotation
        context = quotation.context.text if quotation.context else ""
        own = quotation.text[: self.judged_end - quotation.start]
        return "\n".join(text for text in (quotation.question, context, own) if text)

    @property
    def judged_end(self) -> int:
        """Where what is compared of it ends: a sentence with a long list or much code would hold something of everything."""
        quotation = self.quotation
        return min(quotation.end, quotation.start + JUDGED_CHARACTERS) if quotation.lines else quotation.end

    @property
    def section(self) -> str:
        """The heading of its section, whose words it need not repeat."""
        return self.quotation.heading.rsplit(" > ", 1)[-1]


def candidate_sentences(hits: Sequence[Hit]) -> list[Candidate]:
    """Every sentence of the chunks that could answer a question, once, as it stands in its best chunk.

    Of two overlapping chunks the one in which it brings along more has it.
    """
    found: dict[tuple[str, int], Candidate] = {}
    for hit in hits:
        some = list(quotations(hit))
        texts = ["", *(quotation.text for quotation in some), ""]
        for quotation, before, after in zip(some, texts, texts[2:], strict=False):
            place = (hit.source, quotation.start)
            known = found.get(place)
            if known is None:
                found[place] = Candidate(quotation, hit, before, after)
            elif known.quotation.end < quotation.end:
                found[place] = replace(known, quotation=quotation)
    return list(found.values())
