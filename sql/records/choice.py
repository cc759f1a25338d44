"""The way of searching that was chosen for a budget, as a store remembers it: one JSON object."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

CHOSEN_AT = 10  # chunks that the searches looked for by which it was chosen


@dataclass(frozen=True, slots=True)
class SearchChoice:
    """How a store searches where a search does not say: chosen for a `budget`, with what was measured when it was chosen.

    strategy: `auto` where the budget asks for nothing else than what is done anyway; candidates and probes: what it takes,
    for ten chunks, None where it takes none; recall: of the exact answer, 0 to 1; milliseconds: of a search; chunks: how
    many there were.
    """

    budget: str
    strategy: str
    candidates: int | None
    probes: int | None
    recall: float
    milliseconds: float
    chunks: int

    def to_json(self) -> str:
        """As the table `collection` holds it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SearchChoice | None:
        """The choice that a table holds; None where nothing was chosen."""
        return cls(**json.loads(text)) if text else None

    def candidates_for(self, k: int) -> int | None:
        """Candidates of a search for k chunks: as many for each as were measured, and never fewer."""
        return None if self.candidates is None else -(-self.candidates * max(k, CHOSEN_AT) // CHOSEN_AT)
