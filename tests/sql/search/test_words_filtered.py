"""Words among the chunks that pass a filter: what old versions and drafts say does not let a chunk through."""

from __future__ import annotations

from typing import Any

import pytest
from support import draft_document, open_store

from sql.engine.statements import Statement
from sql.search.filters import compile_filter

FOX: dict[str, Any] = {
    "terms": ["fox"],
    "weights": [1.0],
    "average_length": 2.0,
    "k1": 1.2,
    "b": 0.75,
    "k": 10,
    "near_generations": [],
    "near_indexes": [],
}
FORMS = {"words": [1], "per_document": 10}


@pytest.mark.everyday("server-search_bm25_filtered", "chdb-search_bm25_forms")
@pytest.mark.parametrize(("name", "more"), [("search_bm25_filtered", {}), ("search_bm25_forms_filtered", FORMS)])
def test_a_chunk_passes_a_filter_by_what_is_published_at_the_epoch(
    location: str, name: str, more: dict[str, Any]
) -> None:
    with open_store(location) as store:
        old = draft_document(store, "a.txt", ["blue hen", "red fox"], language="en")
        first = store.writer.publish([old])
        new = draft_document(store, "a.txt", ["red fox", "blue hen", "blue hen"], language="en")
        second = store.writer.publish([new])
        draft_document(store, "b.txt", ["red fox", "red fox"], language="en")

        def found(epoch: int, line: int) -> list[tuple[int, int]]:
            statement = Statement(name, FOX | more | {"epoch": epoch}, compile_filter({"line": line}))
            return [(row["generation"], row["chunk_index"]) for row in store.client.query(statement)]

        assert [found(first, line) for line in (1, 2, 3)] == [[], [(old.generation, 1)], []]
        assert [found(second, line) for line in (1, 2, 3)] == [[(new.generation, 0)], [], []]
