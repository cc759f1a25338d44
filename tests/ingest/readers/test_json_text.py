"""JSON and JSON Lines: a line for each value, a block for each record, and nothing changed on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import growth

from ingest.readers import json_text
from ingest.readers.json_values import MAX_DEPTH, NotJson, values
from ingest.readers.raw_file import RawFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.document import Document


def read(text: str, name: str = "a.json") -> Document:
    (document,) = json_text.read(RawFile(name, name, "json", text.encode()))
    held = "".join(document.text[block.start : block.end] for block in document.blocks)
    assert "".join(held.split()) == "".join(document.text.removeprefix("\ufeff").split())
    return document


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('{"name": "Caf\\u00e9", "age": 41}', "name: Café\nage: 41"),
        (
            '{"big": 12345678901234567890123, "price": 1.50, "far": 1E400}',
            "big: 12345678901234567890123\nprice: 1.50\nfar: 1E400",
        ),
        ('{"a": NaN, "b": -Infinity, "c": true, "d": null}', "a: NaN\nb: -Infinity\nc: true\nd: null"),
        ('{"a": 1, "a": 2}', "a: 1\na: 2"),  # both
        ('{"tags": ["tea", "cake", 3]}', "tags: tea, cake, 3"),
        ('{"town": {"name": "Ulm", "at": {"lat": 48.4}}}', "town.name: Ulm\ntown.at.lat: 48.4"),
        ('[{"a": 1}, {"a": 2, "b": [{"c": 3}]}]', "a: 1\n\na: 2\nb[0].c: 3"),
        ('{"orders": [{"id": 1}, {"id": 2}]}', "orders[0].id: 1\n\norders[1].id: 2"),
        ('{"a": [], "b": {}, "c": ""}', "c:"),
        ('"tea"', "tea"),
        ("[1, 2]", "1, 2"),
        ("[[1, 2], [3]]", "1, 2\n3"),
        ('\ufeff{"a": 1}', "a: 1"),
        ('{"a": "x\\ud83d\\ude00\\ud800\\u0000y"}', "a: x😀\ufffd\ufffdy"),
        ('{"": 1, "a b\\n": 2}', '"": 1\na b: 2'),
        ('{"a": 1}\n{"a": 2}', "a: 1\n\na: 2"),  # several in a row
        ("{}", ""),
    ],
)
def test_each_value_is_a_line_with_the_path_to_it(written: str, shown: str) -> None:
    document = read(written)
    assert (document.text, document.converted, document.remark) == (shown, True, "")


@pytest.mark.parametrize("indent", [None, 2])
def test_minified_and_indented_are_read_alike(indent: int | None) -> None:
    data = {"people": [{"name": "Ann", "likes": ["tea", "cake"]}, {"name": "Bob", "likes": []}], "of": {"year": 2024}}
    text = read(json.dumps(data, indent=indent)).text
    assert text == "people[0].name: Ann\npeople[0].likes: tea, cake\n\npeople[1].name: Bob\n\nof.year: 2024"


def test_a_line_is_that_of_the_file() -> None:
    document = read('[\n  {\n    "a": 1,\n    "b": [\n 2, \n 3]\n  },\n  {"a": 4}\n]')
    assert document.text == "a: 1\nb: 2, 3\n\na: 4"
    assert [document.line_at(document.text.index(digit)) for digit in "1234"] == [3, 5, 6, 8]


def test_records_are_blocks_and_long_texts_paragraphs() -> None:
    prose = "The cat sat. " * 30
    document = read(json.dumps([{"a": 1, "b": 2}, {"a": 3, "text": prose, "c": 4}]))
    assert [(block.kind, document.text[block.start : block.end]) for block in document.blocks] == [
        ("rows", "a: 1\nb: 2"),
        ("rows", "a: 3"),
        ("paragraph", f"text: {prose.strip()}"),
        ("rows", "c: 4"),
    ]


def test_a_line_of_json_lines_is_a_record_and_a_broken_one_costs_no_other() -> None:
    document = read('{"a": "\\u00fc"}\n\n{"a": 1\n{"a": {"b": 2}, "c": 3}\r\n"x\u2028y"\n', "a.jsonl")
    assert document.text == 'a: ü\n\n{"a": 1\n\na.b: 2\nc: 3\n\nx\u2028y'
    assert [document.line_at(block.start) for block in document.blocks] == [1, 3, 4, 5]
    assert document.remark == "line 3 cannot be read as JSON and was taken as it is"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, // why\n}',
        '{"a": 1,}',
        "the cat",
        '{"a" 1}',
        "[1",
        '{"a": "',
        "[1 2]",
        "{'a': 1}",
        '{"a": "\\x"}',
        "01",
        "]",
    ],
)
def test_what_is_no_json_is_read_as_plain_text(text: str) -> None:
    document = read(text)
    assert (document.text, document.converted) == (text, False)
    assert document.remark.startswith("read as plain text: it is no valid JSON (line 1: ")
    lines = read(f"{text}\n", "a.jsonl")
    assert (lines.text, lines.converted) == (f"{text}\n", False)


def test_nesting_is_read_to_a_limit() -> None:
    deepest = read("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH).text
    assert (deepest[0], deepest[-6:], len(deepest)) == ("…", "[0]: 1", 203)
    assert "in each other" in read("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).remark
    assert "in each other" in read('{"a":' * 100_000).remark


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


def leaves(tree: Any) -> list[Any]:
    """The slow twin: all that is no list and no object, in order."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    return [leaf for value in tree for leaf in leaves(value)] if isinstance(tree, list) else [tree]


@settings(max_examples=80)
@given(tree=TREES, indent=st.sampled_from([None, 1]))
def test_the_values_are_those_that_the_standard_library_reads(tree: Any, indent: int | None) -> None:
    text = json.dumps(tree, indent=indent)
    found = [value.text for value in values(text, 0, len(text))]
    expected = [leaf.replace("\0", "\ufffd") if isinstance(leaf, str) else json.dumps(leaf) for leaf in leaves(tree)]
    assert found == expected
    read(text)


@given(st.text(alphabet='{}[]",:1ae\\ \n', max_size=30))
def test_nothing_that_the_standard_library_reads_is_refused(text: str) -> None:
    try:
        json.loads(text, strict=False)
    except ValueError:
        is_json = False
    else:
        is_json = True
    try:
        list(values(text, 0, len(text)))
    except NotJson:
        assert not is_json
    read(text)


@pytest.mark.parametrize(
    "text",
    [
        lambda n: "[" + "1," * (n // 2) + "1]",
        lambda n: "[" + '{"a":1},' * (n // 8) + "1]",
        lambda n: "[" * 100 + "]" * 100 + " 1" * (n // 2),
        lambda n: '{"a":"' + "b" * n + '"}',
        lambda n: "[" + " " * n + "]",
        lambda n: "\n" * n + "1",
        lambda n: '"' * n,
        lambda n: '{"a":{"b":1},' + '"c":[1],' * (n // 8) + '"d":1}',
    ],
)
def test_twice_the_json_is_twice_the_work(text: Callable[[int], str]) -> None:
    once, twice = growth(lambda written: list(values(written, 0, len(written))), text, 3000)
    assert twice.is_about_twice(once), (once, twice)
