"""Filters that nothing can pass: an unknown name, a value of another type, an operator that there is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import DIMENSIONS, chunks_of, open_store, retrieve, search, source_document, vectors_of

from rag.int8.quantization import quantize_query
from sql.base.errors import InvalidFilter
from sql.search.filters import parse_filter
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUERY = quantize_query(np.linspace(-1, 1, DIMENSIONS, dtype=np.float32))


@pytest.fixture
def rated(tmp_path: Path) -> Iterator[Store]:
    """A store whose documents have a few names of metadata."""
    with open_store(tmp_path / "store") as store:
        publish_with(store, "a.txt", {"stars": 3, "zip": "01097", "tags": ["kiln", 7], "line": 4})
        publish_with(store, "b.txt", {"stars": 4.5, "draft": True})
        yield store


def publish_with(store: Store, path: str, metadata: dict[str, Any]) -> None:
    """A document of one chunk."""
    draft = store.writer.begin(source_document(path, metadata=metadata))
    store.writer.insert(ChunkBatch([(draft, chunks_of(["text"])[0])], vectors_of(["text"])))
    store.writer.publish([draft])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"nosuch": 3},
            "chunks have no field nosuch to filter by; the fields are source, title, heading, path, format, line, page, "
            "draft, metadata.line, stars, tags, zip",
        ),
        ({"$or": [{"nosuch": {"$exists": True}}, {"stars": 9}]}, "chunks have no field nosuch"),
        ({"$and": [{"stars": {"$gt": 9}}, {"metadata.page": 3}]}, "chunks have no field page"),
        ({"stars": "many"}, "stars is compared with a text and holds only values of the type number"),
        ({"zip": 1097}, "zip is compared with a number and holds only values of the type text"),
        (
            {"draft": {"$in": ["yes", 1]}},
            "draft is compared with a number or a text and holds only values of the type truth",
        ),
        ({"line": {"$glob": "4*"}}, "line is compared with a text and holds only values of the type number"),
        ({"source": 3}, "source is compared with a number and holds only values of the type text"),
    ],
)
@pytest.mark.everyday("given1-", "given5-", "given6-")
def test_a_filter_that_nothing_can_pass_is_refused_with_what_there_is(
    rated: Store, given: dict[str, Any], sentence: str
) -> None:
    assert search(rated, QUERY, 5, filter=given) == []
    with pytest.raises(InvalidFilter, match=f"^{re.escape(sentence)}"):
        retrieve(rated, "text", 5, ranking="vector", vector=np.ones(DIMENSIONS, np.float32), filter=given)


@pytest.mark.parametrize(
    "given",
    [
        {"stars": 9},
        {"tags": "clay"},
        {"tags": {"$gt": 9}},
        {"source": {"$glob": "nowhere/*"}},
        {"zip": None, "stars": 9},
        {"stars": 9, "nosuch": {"$ne": 3}},
        {"$not": {"nosuch": {"$exists": False}}},
        {"$nor": [{"stars": 3}, {"stars": 4.5}, {"nosuch": 1}]},
        {"stars": {"$in": []}},
    ],
)
@pytest.mark.everyday("given0", "given4")
def test_a_filter_that_something_could_pass_finds_nothing_without_an_error(rated: Store, given: dict[str, Any]) -> None:
    assert retrieve(rated, "text", 5, ranking="vector", vector=np.ones(DIMENSIONS, np.float32), filter=given) == []


@pytest.mark.parametrize("term", ["stars=<3", "stars==3", "stars=>3", "stars<>3", "stars=~a", "stars>>3", "name~=x"])
def test_an_operator_that_there_is_not_is_refused_with_those_there_are(term: str) -> None:
    with pytest.raises(InvalidFilter, match=r"there is no operator .., there are = != >= <= > < ~; a text that begins"):
        parse_filter([term])
    assert parse_filter(['stars="<3"']) == {"stars": {"$eq": "<3"}}
