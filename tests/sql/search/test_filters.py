"""Filters in SQL against a slow and obvious reading of the same filter in Python; nothing but values ever gets through."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import DIMENSIONS, chunks_of, open_store, search, source_document, vectors_of, way

from rag.int8.quantization import quantize_query, scores
from sql.base.errors import InvalidFilter, InvalidMetadata
from sql.records.metadata import freeze_metadata, metadata_json, read_metadata
from sql.search import search as search_module
from sql.search.filters import MAX_CHOICES, compile_filter, glob_expression, parse_filter
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
QUERY = quantize_query(np.linspace(-1, 1, DIMENSIONS, dtype=np.float32))
MODES = ("exact", "two-stage")

# The slow and obvious twin


def matches(given: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a chunk, given as its columns and its metadata, passes a filter."""
    return all(entry_matches(name, value, row) for name, value in given.items())


def entry_matches(name: str, value: Any, row: Mapping[str, Any]) -> bool:
    if name == "$and":
        return all(matches(part, row) for part in value)
    if name == "$or":
        return any(matches(part, row) for part in value)
    if name == "$nor":
        return not any(matches(part, row) for part in value)
    if name == "$not":
        return not matches(value, row)
    if not isinstance(value, dict):
        value = {"$in": value} if isinstance(value, list | tuple) else {"$eq": value}
    if name in row["columns"]:
        found, there = [row["columns"][name]], True
    else:
        key = name.removeprefix("metadata.")
        stored = row["metadata"].get(key)
        found = list(stored) if isinstance(stored, list | tuple) else [stored]
        there = key in row["metadata"]
    return all(operator_matches(operator, operand, found, there) for operator, operand in value.items())


def operator_matches(operator: str, operand: Any, found: list[Any], there: bool) -> bool:
    if operator == "$not":
        return not all(operator_matches(inner, value, found, there) for inner, value in operand.items())
    if operator == "$exists":
        return there == operand
    if operator in {"$ne", "$nin"}:
        return not operator_matches({"$ne": "$eq", "$nin": "$in"}[operator], operand, found, there)
    if operator == "$eq":
        return any(same(value, operand) for value in found)
    if operator == "$in":
        return any(same(value, choice) for value in found for choice in operand)
    if operator in {"$like", "$glob"}:
        pattern = like_twin(operand) if operator == "$like" else glob_twin(operand)
        return any(isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) for value in found)
    return any(ordered(operator, value, operand) for value in found)


def same(value: Any, other: Any) -> bool:
    """Equal, and of one kind: True is not 1."""
    return kind(value) == kind(other) and value == other


def kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def ordered(operator: str, value: Any, other: Any) -> bool:
    if kind(value) != kind(other) or kind(value) not in {"number", "str"}:
        return False
    if isinstance(value, str):
        value, other = value.encode(), other.encode()
    return {"$lt": value < other, "$lte": value <= other, "$gt": value > other, "$gte": value >= other}[operator]


def like_twin(pattern: str) -> str:
    pieces = re.findall(r"\\.|%|_|.", pattern, re.DOTALL)
    return "".join({"%": ".*", "_": "."}.get(piece) or re.escape(piece[-1]) for piece in pieces)


def glob_twin(pattern: str) -> str:
    pieces = re.findall(r"\*\*/|\*\*|.", pattern, re.DOTALL)
    return "".join(
        {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece) or re.escape(piece) for piece in pieces
    )


# A library whose metadata has something of everything

TEXTS = ["kiln", "glaze", "Ä%_", "a\\b", "", "it's", '"quoted"', "1", "true", "line\nbreak", "kilns", "😀"]
NUMBERS = [0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, 1.0, 2.5, -1e300, float(2**53), 1e-9]
NAMES = ["year", "tags", "a.b-c", "_x", "title"]


def scalars() -> st.SearchStrategy[Any]:
    return st.sampled_from(TEXTS) | st.sampled_from(NUMBERS) | st.booleans() | st.none()


def metadata_of(number: int) -> dict[str, Any]:
    """The metadata of a document of the library; the same in every run."""
    random = np.random.default_rng(number)
    pool = [*TEXTS, *NUMBERS, True, False, None]

    def value() -> Any:
        return pool[random.integers(len(pool))]

    return {
        name: [value() for _ in range(random.integers(4))] if random.random() < 0.4 else value()
        for name in NAMES
        if random.random() < 0.6
    }


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, list[dict[str, Any]]]]:
    """A store of 60 documents of 1 to 3 chunks, and its chunks as the twin sees them."""
    rows: list[dict[str, Any]] = []
    with open_store(tmp_path_factory.mktemp("store")) as store:
        drafts, passages, texts = [], [], []
        for number in range(60):
            metadata = {} if number % 7 == 0 else metadata_of(number)
            source = f"docs/{'guide/' if number % 3 else ''}page{number}.{'md' if number % 2 else 'txt'}"
            document = source_document(source, metadata=metadata)
            draft = store.writer.begin(document)
            drafts.append(draft)
            own = [f"text {number} {index}" for index in range(1 + number % 3)]
            for chunk in chunks_of(own):
                passages.append((draft, chunk))
                columns = {"source": source, "path": f"/{source}", "format": "text", "heading": "", "page": 0}
                rows.append({"columns": columns | {"line": chunk.line, "title": source.title()}, "metadata": metadata})
            texts += own
        vectors = vectors_of(texts)
        store.writer.insert(ChunkBatch(passages, vectors))
        store.writer.publish(drafts)
        for row, (draft, chunk), score in zip(rows, passages, scores(QUERY, vectors), strict=True):
            row |= {"key": (draft.document_id, chunk.index), "score": float(score)}
        yield store, rows


def expected(rows: list[dict[str, Any]], given: Mapping[str, Any]) -> list[tuple[Any, float]]:
    found = [(row["key"], row["score"]) for row in rows if matches(given, row)]
    return sorted(found, key=lambda pair: -pair[1])


def found(store: Store, given: Mapping[str, Any], k: int = 1000, mode: str = "exact") -> list[tuple[Any, float]]:
    hits = search(store, QUERY, k, filter=given, **way(mode))
    return [((hit.document_id, hit.chunk_index), hit.score) for hit in hits]


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    """Filters of one name."""
    names = st.sampled_from([*NAMES, "metadata.title", "absent"])
    texts = st.sampled_from([*TEXTS, "x"])
    tests = st.one_of(
        scalars().map(lambda value: {"$eq": value}),
        scalars().map(lambda value: {"$ne": value}),
        st.lists(scalars(), max_size=4).map(lambda values: {"$in": values}),
        st.lists(scalars(), max_size=4).map(lambda values: {"$nin": values}),
        st.tuples(st.sampled_from(["$lt", "$lte", "$gt", "$gte"]), texts | st.sampled_from(NUMBERS)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        st.sampled_from(["%", "k%", "%ln%", "_", "\\%", "%\\\\%", "Ä\\%\\_"]).map(lambda value: {"$like": value}),
        st.sampled_from(["*", "**", "k*n", "docs/*", "docs/**/*.md", "?"]).map(lambda value: {"$glob": value}),
        st.booleans().map(lambda value: {"$exists": value}),
        scalars(),
        st.lists(scalars(), max_size=3),
    )
    tests = tests | tests.filter(lambda test: isinstance(test, dict)).map(lambda test: {"$not": test})
    own = st.one_of(
        st.tuples(st.just("source"), st.sampled_from(["docs/*", "docs/**/*.md"]).map(lambda glob: {"$glob": glob})),
        st.tuples(st.just("path"), st.sampled_from(["/docs/guide/*"]).map(lambda glob: {"$glob": glob})),
        st.tuples(st.just("line"), st.sampled_from([{"$gt": 1}, {"$lte": 1.5}, {"$in": [2, 3]}, 1])),
        st.tuples(st.just("format"), st.sampled_from(["text", "markdown", {"$ne": "text"}])),
    )
    return (st.tuples(names, tests) | own).map(lambda pair: {pair[0]: pair[1]})


def filters() -> st.SearchStrategy[dict[str, Any]]:
    """Filters with connectives around them."""
    return st.recursive(
        conditions(),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"$and": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"$or": parts}),
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"$nor": parts}),
            inner.map(lambda part: {"$not": part}),
        ),
        max_leaves=5,
    )


@settings(unhurried, max_examples=120)
@given(given=filters())
def test_a_filter_finds_in_sql_what_its_twin_finds_in_python(
    library: tuple[Store, list[dict[str, Any]]], given: dict[str, Any]
) -> None:
    store, rows = library
    assert sorted(found(store, given)) == sorted(expected(rows, given))


@pytest.mark.slow
@settings(unhurried, max_examples=1500)
@given(given=filters())
def test_hundreds_of_filters_find_in_sql_what_their_twins_find(
    library: tuple[Store, list[dict[str, Any]]], given: dict[str, Any]
) -> None:
    store, rows = library
    assert sorted(found(store, given)) == sorted(expected(rows, given))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "given",
    [
        {"year": {"$exists": True}},
        {"$or": [{"tags": "kiln"}, {"year": {"$gte": 1}}]},
        {"source": {"$glob": "docs/page*"}},
        {"absent": "x"},
    ],
    ids=str,
)
def test_exactly_k_come_back_whenever_k_match_and_they_are_the_nearest_of_those(
    library: tuple[Store, list[dict[str, Any]]], given: dict[str, Any], mode: str
) -> None:
    store, rows = library
    right = expected(rows, given)
    for k in (1, 3, len(right) or 1, len(right) + 5):
        hits = found(store, given, k, mode)
        assert len(hits) == min(k, len(right))
        assert set(hits) <= set(right)
        if mode == "exact":
            assert hits == right[:k]


def test_a_filter_that_leaves_fewer_candidates_than_k_is_answered_all_the_same(
    library: tuple[Store, list[dict[str, Any]]],
) -> None:
    store, rows = library
    given = {"line": {"$gt": 1}}
    hits = search(store, QUERY, 40, filter=given, **way("two-stage", candidates=1))
    assert [(hit.document_id, hit.chunk_index) for hit in hits] == [key for key, _ in expected(rows, given)][:40]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("per_document", [1, 2])
def test_of_one_document_come_no_more_than_asked_for_and_still_k_in_all(
    library: tuple[Store, list[dict[str, Any]]], per_document: int, mode: str
) -> None:
    store, rows = library
    right, taken = [], {}
    for key, score in expected(rows, {}):
        taken[key[0]] = taken.get(key[0], 0) + 1
        if taken[key[0]] <= per_document:
            right.append((key, score))
    for k in (5, len(right)):
        how = way(mode, candidates=5)
        hits = search(store, QUERY, k, per_document=per_document, **how)
        got = [((hit.document_id, hit.chunk_index), hit.score) for hit in hits]
        assert len(got) == k
        assert (mode == "two-stage" and k == 5) or got == right[:k]


def test_a_hit_carries_the_metadata_of_its_document_and_leads_to_its_vector(
    library: tuple[Store, list[dict[str, Any]]],
) -> None:
    store, rows = library
    hits = search(store, QUERY, 100)
    by_key = {row["key"]: row["metadata"] for row in rows}
    for hit in hits:
        stored = by_key[(hit.document_id, hit.chunk_index)]
        assert dict(hit.metadata) == {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()}
    assert scores(QUERY, store.snapshot().hit_vectors(hits)).tolist() == [hit.score for hit in hits]


# What is refused, and what is harmless


def hostile_names() -> list[Any]:
    """A hundred names that must never reach the database."""
    injections = [
        "year') OR 1=1 --", "'; DROP TABLE chunks; --", "a b", "a'b", 'a"b', "a`b", "a{b}", "{name_1:String}", "a;b",
        "a/*b*/", "a --b", "a\nb", "a\tb", "a\0b", "a\\b", "a,b", "a(b)", "a=b", "1a", "-a", ".a", "", " ", "a ", " a",
        "ä", "日本", "a" * 65, "a" * 10_000, "$where", "$expr", "$text", "$ne", "$gte", "$", "$$", "#", "a#", "@a", "a:b",
        "a|b", "a&b", "a*b", "a?b", "a[0]", "a->b", "a::b", "a%b", "a!b", "a~b", "a^b", "a+b", "a/b", "metadata.",
        "metadata.1", "metadata.a b", "metadata.metadata.'", "\ufeffa", "a\u200b", "ａ",
    ]  # fmt: skip
    others: list[Any] = [None, 1, 1.5, True, b"a", ("a",), frozenset("a")]
    return injections + others + [f"a{chr(code)}" for code in range(1, 33)]


def test_a_hundred_hostile_names_are_refused_before_anything_is_sent(
    library: tuple[Store, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = library
    sent: list[str] = []
    monkeypatch.setattr(store.client, "query", lambda statement: sent.append(statement.name))
    names = hostile_names()
    assert len(names) >= 99
    for name in names:
        for hostile in ({name: 1}, {"$and": [{"year": 1}, {name: {"$gte": 1}}]}, {"$not": {name: "x"}}):
            with pytest.raises(InvalidFilter):
                search(store, QUERY, 3, 0, filter=hostile)
    assert sent == []


@pytest.mark.parametrize(
    "given",
    [
        {"year": {"$gt": None}},
        {"year": {"$gt": True}},
        {"year": {"$gt": [1]}},
        {"year": {}},
        {"year": {"$bigger": 1}},
        {"year": float("nan")},
        {"year": float("inf")},
        {"year": 2**63},
        {"year": {"$in": 5}},
        {"year": {"$in": list(range(MAX_CHOICES + 1))}},
        {"year": {"$like": 5}},
        {"year": {"$like": "a\\"}},
        {"year": {"$like": "\\a"}},
        {"year": {"$exists": 1}},
        {"year": "\ud800"},
        pytest.param({"year": object()}, id="an object"),
        {"$and": []},
        {"$or": {"year": 1}},
        {"$and": [5]},
        {"$or": [{"line": n} for n in range(3000)]},
        [],
        "year",
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_filter_that_means_nothing_is_refused_with_a_sentence(given: Any) -> None:
    with pytest.raises(InvalidFilter, match=r"\w+ .*\w"):
        compile_filter(given)


def test_a_filter_nested_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {"year": 1}
    for _ in range(40):
        deep = {"$not": deep}
    with pytest.raises(InvalidFilter, match="write it flatter"):
        compile_filter(deep)
    flat: dict[str, Any] = {"$eq": 1}
    for _ in range(40):
        flat = {"$not": flat}
    with pytest.raises(InvalidFilter, match="write it flatter"):
        compile_filter({"year": flat})


@pytest.mark.parametrize(
    "value",
    [
        "' OR 1=1 --",
        "'); DROP TABLE chunks; --",
        "{k:UInt32}",
        "\\' OR true",
        "a\0b",
        "/* filter */",
        "#",
        "\\N",
        "NULL",
        "[1]",
    ],
)
@pytest.mark.everyday("DROP TABLE", "NULL")
def test_values_that_look_like_sql_are_compared_as_text(
    library: tuple[Store, list[dict[str, Any]]], value: str
) -> None:
    store, rows = library
    drafts = []
    for name, text in (("a", value), ("b", "else")):
        draft = store.writer.begin(source_document(name, metadata={"text": text, "list": [text, 1]}))
        store.writer.insert(ChunkBatch([(draft, chunks_of(["x"])[0])], vectors_of(["x"])))
        drafts.append(draft)
    store.writer.publish(drafts)
    try:
        for same_text in ({"text": value}, {"list": {"$in": [value, "?"]}}, {"text": {"$gte": value, "$lte": value}}):
            assert [hit.source for hit in search(store, QUERY, 500, filter=same_text)] == ["a"]
        assert len(search(store, QUERY, 500, filter={"text": {"$ne": value}})) == len(rows) + 1
        globbed = search(store, QUERY, 5, filter={"text": {"$glob": re.sub(r"[*?]", "?", value)}})
        assert [hit.metadata["text"] for hit in globbed] == [value]
    finally:
        store.writer.publish(
            [], [document for document in store.snapshot().documents() if document.source in {"a", "b"}]
        )


def test_no_name_and_no_value_is_part_of_the_sql() -> None:
    condition = compile_filter({"abcname": {"$in": ["abcvalue"], "$like": "abcpattern%"}, "abcother": 123456789})
    assert not re.search(r"abc|123456789", condition.text)
    assert {"abcname", "abcother", "abcpattern%"} <= {str(value) for value in condition.values.values()}


# Metadata and terms


@settings(unhurried, max_examples=200)
@given(
    metadata=st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", fullmatch=True), scalars() | st.lists(scalars(), max_size=3)
    )
)
def test_metadata_comes_back_from_its_json_as_it_was(metadata: dict[str, Any]) -> None:
    frozen = freeze_metadata(metadata)
    back = read_metadata(metadata_json(frozen))
    assert back == frozen
    assert [type(value) for value in back.values()] == [type(frozen[name]) for name in back]


@pytest.mark.parametrize(
    "metadata",
    [
        {"a b": 1},
        {1: 1},
        {"a": {"b": 1}},
        {"a": [[1]]},
        {"a": float("nan")},
        {"a": 2**63},
        {"a": b"x"},
        {"a": "\ud800"},
        {"a": "x" * 70_000},
        [],
    ],
    ids=lambda metadata: str(metadata)[:30],
)
def test_metadata_of_any_other_kind_is_refused_where_the_document_is_made(metadata: Any) -> None:
    with pytest.raises(InvalidMetadata):
        source_document("a", metadata=metadata)


def test_metadata_cannot_be_changed_through_what_it_was_made_from() -> None:
    tags = ["kiln"]
    given = {"tags": tags}
    document = source_document("a", metadata=given)
    tags.append("glaze")
    given["year"] = 5
    assert dict(document.metadata) == {"tags": ("kiln",)}
    with pytest.raises(TypeError):
        document.metadata["year"] = 5


@pytest.mark.parametrize(
    ("terms", "filter_"),
    [
        ([], None),
        (["year=1998"], {"year": {"$in": [1998, "1998"]}}),
        (["year = 1998"], {"year": {"$in": [1998, "1998"]}}),
        (["rate=1.50"], {"rate": {"$in": [1.5, "1.50"]}}),
        (["zip=01097"], {"zip": {"$eq": "01097"}}),
        (["order=12345678901234567891"], {"order": {"$eq": "12345678901234567891"}}),
        (["order>-9223372036854775809"], {"order": {"$gt": "-9223372036854775809"}}),
        (["draft=True"], {"draft": {"$in": [True, "True"]}}),
        (["draft=yes"], {"draft": {"$eq": "yes"}}),
        (["name=NaN"], {"name": {"$eq": "NaN"}}),
        (["name!=Null"], {"name": {"$nin": [None, "Null"]}}),
        (["name="], {"name": {"$eq": ""}}),
        (["name=[draft]"], {"name": {"$eq": "[draft]"}}),
        (["title=A b = c"], {"title": {"$eq": "A b = c"}}),
        (['year="1998"'], {"year": {"$eq": "1998"}}),
        (["draft!=true", "year<2.5"], {"$and": [{"draft": {"$nin": [True, "true"]}}, {"year": {"$lt": 2.5}}]}),
        (["source~docs/**/*.md"], {"source": {"$glob": "docs/**/*.md"}}),
        (['{"$or": [{"a": 1}, {"b": null}]}'], {"$or": [{"a": 1}, {"b": None}]}),
    ],
)
def test_terms_of_the_command_line_become_filters(terms: list[str], filter_: Any) -> None:
    assert parse_filter(terms) == filter_


@pytest.mark.parametrize(
    ("term", "sources"),
    [
        ("zip=01097", "text"),
        ("zip=1097", "number"),
        ("zip!=1097", "text"),
        ("order=12345678901234567891", "text"),
        ("order=12345678901234567892", "number"),
        ("year=1998", "number text"),
        ('year="1998"', "text"),
        ("draft=True", "number text"),
        ("draft=false", ""),
        ("title=Text", "text"),
        ("title=1984", "number"),
    ],
)
def test_a_term_finds_what_the_file_says(library: tuple[Store, list[dict[str, Any]]], term: str, sources: str) -> None:
    store, _ = library
    stored = {
        "text": {"zip": "01097", "order": "12345678901234567891", "year": "1998", "draft": "True"},
        "number": {"zip": 1097, "order": ["12345678901234567892", 1], "year": [1998.0], "draft": True},
    }
    drafts = []
    for name, metadata in stored.items():
        title = "1984" if name == "number" else "Text"
        draft = store.writer.begin(replace(source_document(name, metadata=metadata), title=title))
        store.writer.insert(ChunkBatch([(draft, chunks_of(["x"])[0])], vectors_of(["x"])))
        drafts.append(draft)
    store.writer.publish(drafts)
    try:
        ours = {"source": {"$in": list(stored)}}
        hits = search(store, QUERY, 500, filter={"$and": [ours, parse_filter([term])]})
        assert " ".join(sorted(hit.source for hit in hits)) == sources
    finally:
        store.writer.publish([], [document for document in store.snapshot().documents() if document.source in stored])


@pytest.mark.parametrize("term", ["year", "=5", "", "{", '{"a": }', '{"a": NaN}'])
def test_a_term_that_cannot_be_read_is_refused(term: str) -> None:
    with pytest.raises(InvalidFilter):
        compile_filter(parse_filter([term]) or {})


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("docs/*.md", "docs/a.md", True),
        ("docs/*.md", "docs/b/a.md", False),
        ("docs/**/*.md", "docs/a.md", True),
        ("docs/**/*.md", "docs/b/c/a.md", True),
        ("**.md", "docs/b/a.md", True),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("a", "a\n", False),
    ],
)
def test_a_path_pattern_stays_within_a_folder_unless_it_has_two_stars(pattern: str, path: str, fits: bool) -> None:
    assert bool(re.match(glob_expression(pattern).replace(r"\z", r"\Z"), path)) == fits


# The choice of the search


def steps_of(store: Store, **arguments: Any) -> list[str]:
    steps: list[str] = []
    search(store, QUERY, 3, **arguments, watch=lambda step: steps.append(step.statement.name))
    # Which of the two it is depends on whether a test before has left a chunk that is hidden.
    return ["search_settled" if name == "search_exact_listed" else name for name in steps]


def test_few_rows_are_searched_exactly_and_many_in_two_stages(
    library: tuple[Store, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = library
    with Store.open(store.client.location, write=True) as another:
        assert steps_of(another) == ["cell_range", "search_exact"]
        # What is hidden is listed from the second exact search at an epoch on.
        assert steps_of(another) == ["hidden_generations", "search_settled", "publications"]
        assert steps_of(another, filter={"line": 3}) == ["search_settled"]
    monkeypatch.setattr(search_module, "EXACT_UP_TO", 50)
    steps = ["cell_range", "hidden_generations", "search_two_stage", "publications"]
    with Store.open(store.client.location, write=True) as another:
        assert steps_of(another) == steps
        assert steps_of(another) == [steps[2]]  # what the table holds is known for this epoch
    assert "search_two_stage" in steps_of(store, filter={"year": {"$exists": True}})
    assert steps_of(store, filter={"line": 3}) == ["count_matches", "search_settled"]
    assert steps_of(store, **way("exact")) == ["search_settled"]
