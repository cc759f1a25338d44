"""The bytes of an insert: what the engine reads from them is what was put in."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PROJECT, open_store, run_python

from sql.engine.native import columns_of_rows, native_block, varint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sql.engine.client import Client

UUIDS = [UUID(int=0), UUID("00112233-4455-6677-8899-aabbccddeeff"), UUID(int=2**128 - 1)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder: Path = tmp_path_factory.mktemp("native") / "store"
    with open_store(folder) as store:
        yield store.client


def read_back(client: Client, definition: str, columns: dict[str, object]) -> list[tuple[object, ...]]:
    client.text("DROP TABLE IF EXISTS t SYNC", None)
    client.text(f"CREATE TABLE t ({definition}) ENGINE = MergeTree ORDER BY n", None)
    client.insert("t", columns)  # type: ignore[arg-type]
    result = client._run("read", lambda handle: handle.query("SELECT * FROM t ORDER BY n"), repeatable=True)
    return [tuple(row) for row in result.result_rows]


@pytest.mark.parametrize("kind", ["UInt8", "UInt16", "UInt32", "UInt64", "Int8", "Int16", "Int32", "Int64"])
def test_whole_numbers_come_back_to_their_limits(client: Client, kind: str) -> None:
    limits = np.iinfo(kind.lower())
    numbers = np.array([limits.min, 0, 1, limits.max], dtype=kind.lower())
    rows = read_back(client, f"n UInt32, x {kind}", {"n": np.arange(4, dtype=np.uint32), "x": numbers})
    assert [row[1] for row in rows] == numbers.tolist()


@pytest.mark.parametrize("kind", ["Float32", "Float64"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_come_back_bit_for_bit_whatever_the_order_of_their_bytes(client: Client, kind: str, order: str) -> None:
    native = np.dtype(kind.lower())
    numbers = np.array([0.1, -1e30, np.finfo(native).tiny, np.inf], dtype=native).astype(native.newbyteorder(order))
    rows = read_back(client, f"n UInt32, x {kind}", {"n": np.arange(4, dtype=np.uint32), "x": numbers})
    assert [row[1] for row in rows] == numbers.tolist()


def test_vectors_uuids_and_bytes_of_one_length_come_back(client: Client) -> None:
    vectors = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    fixed = np.frombuffer(bytes(range(15)), dtype="V5")
    columns = {"n": np.arange(3, dtype=np.uint32), "v": vectors, "f": fixed, "u": UUIDS}
    rows = read_back(client, "n UInt32, v Array(Int8), f FixedString(5), u UUID", columns)
    assert [list(row[1]) for row in rows] == vectors.tolist()  # type: ignore[call-overload]
    assert [row[2] for row in rows] == [bytes(range(first, first + 5)) for first in (0, 5, 10)]
    assert [row[3] for row in rows] == UUIDS


def test_vectors_without_numbers_and_columns_without_rows_are_columns_too(client: Client) -> None:
    empty = {"n": np.arange(2, dtype=np.uint32), "v": np.empty((2, 0), np.int8)}
    assert [list(row[1]) for row in read_back(client, "n UInt32, v Array(Int8)", empty)] == [[], []]  # type: ignore[call-overload]
    nothing = {"n": np.empty(0, np.uint32), "t": []}
    assert read_back(client, "n UInt32, t String", nothing) == []


def test_numbers_and_text_are_cast_to_what_the_table_has(client: Client) -> None:
    columns = {"n": np.arange(2, dtype=np.uint32), "t": ["en", "de"], "w": np.array([3, 4], np.uint16)}
    rows = read_back(client, "n UInt32, t LowCardinality(String), w UInt64", columns)
    assert rows == [(0, "en", 3), (1, "de", 4)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), min_size=1, max_size=20))
def test_any_text_comes_back(client: Client, texts: list[str]) -> None:
    rows = read_back(client, "n UInt32, t String", {"n": np.arange(len(texts), dtype=np.uint32), "t": texts})
    assert [row[1] for row in rows] == texts


@pytest.mark.parametrize("length", [0, 127, 128, 16_383, 16_384, 70_000])
def test_a_text_of_any_length_comes_back(client: Client, length: int) -> None:
    columns = {"n": np.zeros(1, np.uint32), "t": ["ä" * (length // 2) + "x" * (length % 2)]}
    assert read_back(client, "n UInt32, t String", columns)[0][1] == columns["t"][0]


@given(st.integers(0, 2**63))
def test_a_varint_says_its_number(number: int) -> None:
    read = io.BytesIO(varint(number)).read()
    assert sum((byte & 127) << (7 * place) for place, byte in enumerate(read)) == number
    assert [byte >> 7 for byte in read] == [1] * (len(read) - 1) + [0]


@pytest.mark.parametrize(
    ("columns", "error", "says"),
    [
        ({"a": ["x"], "b": ["x", "y"]}, ValueError, r"one length, not \[1, 2\]"),
        ({"a": [1, 2], "b": np.zeros(2, np.uint8)}, TypeError, "a holds neither text nor UUIDs"),
        ({"a": ["x", UUIDS[0]]}, TypeError, "a holds neither"),
        ({"a": np.array(["x"])}, TypeError, "cannot be a column"),
        ({"a": np.zeros((1, 1, 1), np.int8)}, TypeError, r"shape \(1, 1, 1\) cannot be a column"),
    ],
)
def test_what_is_no_column_is_refused(columns: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        native_block(columns)  # type: ignore[arg-type]


def test_rows_become_columns_whose_numbers_come_back_to_the_largest(client: Client) -> None:
    rows = [{"n": 0, "t": "publish", "x": 2**64 - 1, "u": UUIDS[1]}, {"n": 1, "t": "delete", "x": 0, "u": UUIDS[0]}]
    definition = "n UInt8, t Enum8('publish' = 1, 'delete' = 2), x UInt64, u UUID"
    assert read_back(client, definition, columns_of_rows(rows)) == [tuple(row.values()) for row in rows]


def test_documents_are_published_and_put_into_cells_without_pandas_which_the_driver_would_import_for_lists(
    tmp_path: Path,
) -> None:
    program = (
        "import sys; sys.path.append(sys.argv[2])\n"
        "from sql.upkeep.cells import maintain_cells\n"
        "from support import open_store, publish_document\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    publish_document(store, 'a.txt', ['one', 'two'])\n"
        "    assert maintain_cells(store, least=1) == 1\n"
        "print({'chdb', 'pandas'} & set(sys.modules))\n"
    )
    finished = run_python("-c", program, str(tmp_path / "store"), str(PROJECT / "tests"))
    assert (finished.stdout, finished.stderr) == ("{'chdb'}\n", "")
