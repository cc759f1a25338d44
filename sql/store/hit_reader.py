"""Places of chunks in, what is shown of them out: the searches of several threads share a statement where they come together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sql.base.errors import StoreError
from sql.engine.statements import Statement
from sql.records import NO_OUTLINE, Outline
from sql.search.certificate_among_all import REPLACED
from sql.search.everything import hits_statement
from sql.search.search import Runner
from sql.search.together import Together, heard_by_all
from sql.search.words import cell_hits_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sql.engine.client import Client, Row
    from sql.records import Hit
    from sql.search.search import Step

FEW_HITS = 200  # of one search; those of a whole ingest have a statement of their own


@dataclass(frozen=True, slots=True)
class Wanted:
    """The places of some chunks, each generation and index, before them the cell where that is known; and who watches."""

    places: Sequence[tuple[int, ...]]
    watch: Callable[[Step], None]


class HitReader:
    """Reads what is shown of chunks. Safe from any thread."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._rows = Together(self._read_rows)
        self._outlines = Together(self._read_outlines)

    def rows(self, places: Sequence[tuple[int, ...]], watch: Callable[[Step], None]) -> list[Row]:
        """A row for each of some places, of which there is at least one; StoreError for one whose chunk is gone."""
        found = self._rows.ask(len(places[0]), Wanted(places, watch))
        if any(row is None for row in found):
            raise StoreError(REPLACED)
        return [row for row in found if row is not None]

    def _read_rows(self, several: Sequence[Wanted]) -> list[list[Row | None]]:
        places: Any = list(dict.fromkeys(place for wanted in several for place in wanted.places))
        statement = hits_statement(places) if len(places[0]) == 2 else cell_hits_statement(places)
        rows = Runner(self.client, heard_by_all(wanted.watch for wanted in several))("hits", statement)
        found: dict[tuple[int, ...], Row] = {(row["generation"], row["chunk_index"]): row for row in rows}
        return [[found.get(place[-2:]) for place in wanted.places] for wanted in several]

    def outlines(self, hits: Sequence[Hit]) -> list[Outline]:
        """The outline of each hit's chunk."""
        if len(hits) > FEW_HITS:
            return self._read_outlines([hits])[0]
        return self._outlines.ask(None, hits) if hits else []

    def _read_outlines(self, several: Sequence[Sequence[Hit]]) -> list[list[Outline]]:
        hits = {(hit.generation, hit.chunk_index): hit for some in several for hit in some}
        rows = self.client.query(Statement("hit_outlines", hit_keys(list(hits.values()))))
        found = {
            place: Outline.from_json(row["outline"])
            for row in rows
            if (place := (row["generation"], row["chunk_index"])) in hits
        }
        return [[found.get((hit.generation, hit.chunk_index), NO_OUTLINE) for hit in some] for some in several]


def hit_keys(hits: Sequence[Hit]) -> dict[str, Any]:
    """The keys of hits, column by column."""
    return {
        "cells": sorted({hit.cell for hit in hits}),
        "generations": sorted({hit.generation for hit in hits}),
        "indexes": sorted({hit.chunk_index for hit in hits}),
    }
