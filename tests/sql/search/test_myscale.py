"""What differs for MyScale. It cannot run here: its statements are compared with their ClickHouse twins, and a marked
test runs against the server that RAG_TEST_MYSCALE_DSN names.
"""

from __future__ import annotations

import os
import re
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import DIMENSIONS, open_store, publish_document, search, visible_texts, way

from rag.int8.quantization import quantize_query
from sql.engine.lease import has_lease
from sql.engine.location import parse_location
from sql.engine.statements import PARAMETER, read_statement, statements_in
from sql.search.request import SearchRequest
from sql.store import Store

if TYPE_CHECKING:
    from server import Server

DSN = os.environ.get("RAG_TEST_MYSCALE_DSN", "")
VARIANTS = [
    (folder, path.name)
    for folder in ("myscale", "cluster")
    for path in sorted(files("sql").joinpath(folder, "queries").iterdir(), key=lambda path: path.name)
]


def parameters(text: str) -> dict[str, str]:
    return {match[1]: match[2] for match in PARAMETER.finditer(text)}


def columns(text: str) -> list[str]:
    """What the outermost SELECT returns, by the names that rows will have."""
    chosen = re.sub(r"--.*", "", text).split("FROM", 1)[0].split("SELECT", 1)[1]
    parts = re.split(r",(?![^(]*\))", chosen)
    return [re.split(r"\s+AS\s+|\s+", part.strip())[-1] for part in parts]


@pytest.mark.parametrize(("folder", "name"), VARIANTS)
def test_a_variant_takes_the_parameters_and_returns_the_columns_of_its_twin(folder: str, name: str) -> None:
    own, twin = read_statement(f"{folder}/queries/{name}"), read_statement(f"queries/{name}")
    assert own != twin
    assert parameters(own) == parameters(twin)
    assert columns(own) == columns(twin)
    assert ("/* filter */" in own) == ("/* filter */" in twin)


@pytest.mark.parametrize("name", ["search_two_stage", "rank_two_stage"])
def test_the_search_on_myscale_differs_from_its_twin_in_the_distance_alone(name: str) -> None:
    own = read_statement(f"myscale/queries/{name}.sql")
    twin = read_statement(f"queries/{name}.sql")
    hamming = "bitHammingDistance(signs, toFixedString(unhex({query_signs:String}), {sign_bytes:UInt16}))"
    index = "distance(signs, substring(unhex({query_signs:String}), 1, {sign_bytes:UInt16}))"
    assert twin[twin.index("SELECT") :].replace(hamming, index) == own[own.index("SELECT") :]


def test_the_engine_reads_every_statement_but_for_what_only_myscale_knows(server: Server) -> None:
    for name in (*statements_in("myscale"), *statements_in("myscale/optional"), *statements_in("myscale/queries")):
        text = re.sub(
            r"ADD VECTOR INDEX (\w+) (\w+) TYPE (\w+)\(([^)]*)\)", r"ADD INDEX \1 \2 TYPE \3", read_statement(name)
        )
        bound = PARAMETER.sub(lambda match: f"CAST('{EXAMPLES[match[2]]}' AS {match[2]})", text)
        server.ask(f"EXPLAIN AST {bound}")


EXAMPLES = {
    "UInt16": "8",
    "UInt32": "1",
    "UInt64": "1",
    "Int64": "1",
    "Float64": "1",
    "String": "00",
    "Array(UInt64)": "[1]",
    "Array(Int16)": "[1]",
    "Array(Float32)": "[1]",
}


def test_one_word_of_the_dsn_switches_the_dialect(server: Server) -> None:
    for dsn in ("myscale://h/db", "myscales://h/db", "clickhouse://h/db?dialect=myscale"):
        location = parse_location(dsn).server
        assert location is not None
        assert (location.dialect, location.variant) == ("myscale", "myscale")
    with Store.open(server.dsn(server.new_database(), dialect="myscale"), write=True) as store:
        request = store.snapshot(0).search_statements(
            quantize_query(np.ones(DIMENSIONS, dtype=np.float32)), SearchRequest(k=3, **way("exact"))
        )
        assert [statement.variant for statement in request] == ["myscale", "myscale"]
        assert not has_lease(store.client)


@pytest.mark.myscale
@pytest.mark.skipif(not DSN, reason="RAG_TEST_MYSCALE_DSN names no MyScale server")
def test_a_store_on_myscale_finds_what_it_was_given() -> None:
    with open_store(DSN.replace("clickhouse://", "myscale://")) as store:
        epoch = publish_document(store, "a.txt", ["one", "two", "three"])
        query = quantize_query(np.ones(DIMENSIONS, dtype=np.float32))
        exact = search(store, query, 3, epoch, **way("exact"))
        assert search(store, query, 3, epoch, **way("two-stage")) == exact
        assert visible_texts(store)["a.txt"] == ["one", "two", "three"]
        store.writer.publish([], store.snapshot().documents())
