"""Arrays that are longer than a server takes in one field of a form, 128 KiB: sent in pieces, and the same in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import (
    DIMENSIONS,
    chunks_of,
    open_store,
    publish_document,
    search,
    source_document,
    vectors_of,
    visible_texts,
    way,
)

from rag.int8.quantization import quantize_query
from sql.engine.parameters import PIECE_BYTES, bound, pieces_of
from sql.engine.statements import Statement
from sql.search.search import MAX_HIDDEN
from sql.store import ChunkBatch

if TYPE_CHECKING:
    from server import Server

FIRST = 1 << 62  # generations have as many digits in a store that was written to a million times


def test_what_is_short_or_not_for_a_server_stays_as_it_is() -> None:
    values = {"generations": list(range(FIRST, FIRST + 9_000)), "epoch": 7}
    for some, in_pieces in ((values, False), ({"generations": [1, 2, 3], "epoch": 7}, True)):
        text, found = bound("SELECT {generations:Array(UInt64)}, {epoch:UInt64}", some, in_pieces=in_pieces)
        assert text == "SELECT {generations:Array(UInt64)}, {epoch:UInt64}"
        assert list(found) == ["generations", "epoch"]


def test_a_long_array_is_put_together_where_its_parameter_stands_each_time() -> None:
    values = {"g": list(range(FIRST, FIRST + 6_000)), "other": [1]}
    text, found = bound("{g:Array(UInt64)} {other:Array(UInt8)} {g:Array(UInt64)}", values, in_pieces=True)
    together = "arrayConcat({g_piece_0:Array(UInt64)}, {g_piece_1:Array(UInt64)})"
    assert text == f"{together} {{other:Array(UInt8)}} {together}"
    assert list(found) == ["g_piece_0", "g_piece_1", "other"]


@pytest.mark.parametrize("element", [FIRST, "é'\\\n" * 30, [0.25] * 40], ids=["number", "text", "list"])
def test_pieces_are_short_and_the_whole_when_put_together(element: object) -> None:
    values = [element] * 9_000
    pieces = pieces_of(values)
    assert [one for piece in pieces for one in piece] == values
    assert len(pieces) > 1
    assert max(len(str(piece).encode()) for piece in pieces) < 131_072
    assert pieces_of(["a" * PIECE_BYTES]) == [["a" * PIECE_BYTES]]


def test_more_generations_than_a_field_holds_are_looked_up_and_deleted_on_a_server(server: Server) -> None:
    with open_store(server.dsn(server.new_database())) as store:
        publish_document(store, "a.txt", ["the cat sat"])
        (kept,) = store.snapshot().documents()
        many = [FIRST + number for number in range(8_000)]
        values = {"generations": [*many, kept.generation], "epoch": store.epoch()}
        assert store.client.query(Statement("published_among", values)) == [{"generation": kept.generation}]
        store.garbage.delete_generations(many)
        assert visible_texts(store) == {"a.txt": ["the cat sat"]}
        store.garbage.delete_generations([*many[1:], kept.generation])
        assert visible_texts(store) == {}


def test_a_filter_of_as_many_values_as_it_may_have_finds_the_same_on_a_server(server: Server) -> None:
    with open_store(server.dsn(server.new_database())) as store:
        publish_document(store, "it's a \\ 'name'.txt", ["the cat sat"])
        publish_document(store, "other.txt", ["the dog ran"])
        names = [f"folder '{number}' \\ of long names" for number in range(9_999)]
        names.insert(7_000, "it's a \\ 'name'.txt")
        found = search(store, quantize_query(np.ones(DIMENSIONS, np.float32)), 5, filter={"source": {"$in": names}})
        assert [hit.text for hit in found] == ["the cat sat"]


def test_a_server_with_as_many_hidden_generations_as_a_statement_names_is_searched(server: Server) -> None:
    with open_store(server.dsn(server.new_database())) as store:
        publish_document(store, "a.txt", ["the cat sat"])
        snapshot = store.snapshot()
        snapshot.searcher._hidden = [FIRST + number for number in range(MAX_HIDDEN)]
        draft = store.writer.begin(source_document("b.txt"))
        chunks = [(draft, chunk) for chunk in chunks_of(["a draft"])]
        store.writer.insert(ChunkBatch(chunks, vectors_of(["a draft"], DIMENSIONS)))
        found = search(store, quantize_query(np.ones(DIMENSIONS, np.float32)), 5, **way("two-stage"))
        assert [hit.text for hit in found] == ["the cat sat"]
