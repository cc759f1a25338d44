"""Front matter becomes metadata; whatever is in it, the file is read and the rest of it counts."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import hash_encoder, search, sync_with

from ingest.readers import front_matter, read_documents
from ingest.readers.front_matter import front_matter_end, read_front_matter
from ingest.readers.markdown import markdown_blocks
from ingest.walk import walk
from sql.records import metadata
from sql.records.metadata import freeze_metadata
from sql.search import filters
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("a: 1", {"a": 1}),
        ("a:   text of words  # and a comment", {"a": "text of words"}),
        ("a: 'it''s # no comment'", {"a": "it's # no comment"}),
        (r'a: "tab\t\"quoted\" \u00e9"', {"a": 'tab\t"quoted" é'}),
        ("a: C#", {"a": "C#"}),
        ("a: True\nb: false\nc: null\nd: ~\ne:", {"a": True, "b": False, "c": None, "d": None, "e": None}),
        (
            "a: 1.5\nb: -2\nc: 1e3\nd: 1.2.3\ne: 12:30\nf: +5\ng: .5",
            {"a": 1.5, "b": -2, "c": 1e3, "d": "1.2.3", "e": "12:30", "f": 5, "g": 0.5},
        ),
        ("a: 9223372036854775807\nb: -9223372036854775808", {"a": 2**63 - 1, "b": -(2**63)}),
        ("a: 9223372036854775808\nb: 12345678901234567891", {"a": "9223372036854775808", "b": "12345678901234567891"}),
        (
            "a: 99999999999999999999999999.5\nb: 1e999\nc: .inf\nd: .nan",
            {"a": "9" * 26 + ".5", "b": "1e999", "c": ".inf", "d": ".nan"},
        ),
        ("a: 0.12345678901234567891\nb: 3.141592653589793", {"a": "0.12345678901234567891", "b": 3.141592653589793}),
        (
            "a: 01097\nb: 00\nc: -012\nd: 0\ne: 0o17\nf: 0x1F\ng: 007.5",
            {"a": "01097", "b": "00", "c": "-012", "d": 0, "e": "0o17", "f": "0x1F", "g": "007.5"},
        ),
        ("a: 1_000\nb: 1,000\nc: 190:20:30\nd: 0b11", {"a": "1_000", "b": "1,000", "c": "190:20:30", "d": "0b11"}),
        (
            "a: yes\nb: No\nc: on\nd: OFF\ne: y\nf: tRUE\ng: TRUE",
            {"a": "yes", "b": "No", "c": "on", "d": "OFF", "e": "y", "f": "tRUE", "g": True},
        ),
        (
            "a: 2024-05-01\nb: 2024-05-01T10:00:00Z\nc: 2024-05-01 10:00:00 +01:00",
            {"a": "2024-05-01", "b": "2024-05-01T10:00:00Z", "c": "2024-05-01 10:00:00 +01:00"},
        ),
        ("a: '12'\nb: \"true\"\nc: 'null'\nd: ''", {"a": "12", "b": "true", "c": "null", "d": ""}),
        (
            "a: !!str 12\nb: !!int '7'\nc: ! 5\nd: !mine 6\ne: !!timestamp 2024-05-01\nf: !!binary aGk=",
            {"a": "12", "b": 7, "c": "5", "d": "6", "e": "2024-05-01", "f": "aGk="},
        ),
        ("a: !!python/object/apply:os.getcwd []\nb: !!python/name:os.getcwd", {"a": (), "b": ""}),
        ("a: [\n  glaze,\n  kiln\n]\nb: 1", {"a": ("glaze", "kiln"), "b": 1}),
        ("a: [\nglaze,  # green\n kiln,\n]", {"a": ("glaze", "kiln")}),
        ("a: >-\n  All about\n  celadon\nb: 1", {"a": "All about celadon", "b": 1}),
        ("a: >\n  one\n  two\n\n  three\n", {"a": "one two\nthree\n"}),
        ("a: |\n  one\n   two\nb: |-\n  x: y", {"a": "one\n two\n", "b": "x: y"}),
        (
            "a: \"two lines\n  of text\"\nb: 'it''s\n  two'\nc: plain\n  text",
            {"a": "two lines of text", "b": "it's two", "c": "plain text"},
        ),
        ("a: [1, two, '3', \"x, y\", true]", {"a": (1, "two", "3", "x, y", True)}),
        ("a: []", {"a": ()}),
        ("a:\n  - 1\n  - two\nb: 3", {"a": (1, "two"), "b": 3}),
        ("a:\n- one", {"a": ("one",)}),
        ("a:\n  b: 1\n  c:\n    d: [2, 3]\ne: 4", {"a.b": 1, "a.c.d": (2, 3), "e": 4}),
        ("a: {b: 1, 'c d': 2, e: {}}", {"a.b": 1}),
        ("a:\n  - b: Ada\n    c: 1\n  - b: Grace\n  - Alan", {"a.b": ("Ada", "Grace"), "a.c": (1,), "a": ("Alan",)}),
        ("a: [[1, 2], [3]]", {"a": (1, 2, 3)}),
        ("a: &x [1, 2]\nb: *x\nc: &y z\nd: *y", {"a": (1, 2), "b": (1, 2), "c": "z", "d": "z"}),
        ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3", {"a.b": 1, "a.c": 2, "d.b": 1, "d.c": 3}),
        ("a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}", {"a.b": 1, "c.b": 2, "c.d": 3, "e.b": 1, "e.d": 3}),
        ("a: &x [1, *x]\nb: 2", {"a": (1,), "b": 2}),
        ("a: &x {c: *x, d: 1}\nb: 2", {"a.d": 1, "b": 2}),
        ("? [a, b]\n: 1\n? {c: d}\n: 2\nok: 4", {"ok": 4}),
        ("a: 1\na: 2", {"a": 2}),
        ("a: {b: 1}\na: {c: 2}", {"a.c": 2}),
        ("a b: 1\n'q': 2\n1st: 3\nok: 4\ná: 5", {"q": 2, "ok": 4}),
        ("http://x.y\nok: 4", {"ok": 4}),
        ("# ok: 4", {}),
        ("- 1", {}),
    ],
)
def test_lines_become_values_of_their_types(lines: str, expected: dict[str, Any]) -> None:
    assert read_front_matter(f"---\n{lines}\n---").metadata == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("title: Kilns: a history\nyear: 1998", {"title": "Kilns: a history", "year": 1998}),
        (
            "a: @potter\nb: `code`\nc: *bold* word\nd: 100%\ne: %x",
            {"a": "@potter", "b": "`code`", "c": "*bold* word", "d": "100%", "e": "%x"},
        ),
        ('a: "Kilns" and glazes\nb: 1', {"a": '"Kilns" and glazes', "b": 1}),
        ("a: 'it's'\nb: 1", {"a": "'it's'", "b": 1}),
        ("a: 1\nwhat is this\nb: 2", {"a": 1, "b": 2}),
        ("a: b: c  # why\nd: 2", {"a": "b: c", "d": 2}),
        ("tags:\n\t- glaze\n\t- kiln\nb: 1", {"tags": ("glaze", "kiln"), "b": 1}),
        ("a: [1, 2\nb: 3", {"b": 3}),
        ("a: {x: 1\nb: 3", {"b": 3}),
        ("a: [1, 2}\nb: 3", {"b": 3}),
        ('a: "one\n  two\nb: 3', {"b": 3}),
        ("a:\n    b: 1\n  c: 2\nd: 3", {"d": 3}),
        ("a: bell \x07\nb: 3", {"a": "bell \x07", "b": 3}),
        ("a: nul \0\nb: 3", {"a": "nul \0", "b": 3}),
        ("a: *nowhere\nb: 3", {"a": "*nowhere", "b": 3}),
        ("{% if x %}\na: 1\n{% endif %}\nb: {{ site.b }}\nc: 3", {"a": 1, "c": 3}),
        ("<<<<<<< HEAD\na: 1\n=======\nb: 2\n>>>>>>> other\nc: 3", {"a": 1, "b": 2, "c": 3}),
    ],
)
def test_what_is_broken_costs_itself_alone_and_is_remarked_upon(lines: str, expected: dict[str, Any]) -> None:
    found = read_front_matter(f"---\n{lines}\n---")
    assert found.metadata == expected
    assert found.remark.startswith("cannot be read as a whole (")


def test_of_broken_front_matter_a_bounded_number_of_entries_is_read() -> None:
    entries = "".join(f"a{number}: 1\n" for number in range(front_matter.MAX_PIECES + 5))
    found = read_front_matter(f"---\n{entries}b: [\n---")
    assert len(found.metadata) == front_matter.MAX_PIECES
    assert found.remark.endswith("what follows the first 2000 entries is left out")


@pytest.mark.parametrize("levels", [9, 30, 3000])
def test_aliases_that_stand_for_billions_of_values_are_left_out(levels: int) -> None:
    bomb = "a0: &a0 [ha, ha, ha]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, levels)
    )
    metadata = read_front_matter(f"---\n{bomb}ok: 1\n---").metadata
    assert (metadata["a1"], metadata["ok"]) == (("ha",) * 27, 1)
    assert len(str(metadata)) < 200_000


def test_mappings_in_mappings_by_aliases_are_no_deeper_than_written_ones() -> None:
    chain = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{x: *a{n - 1}}}\n" for n in range(1, 500))
    metadata = read_front_matter(f"---\n{chain}ok: 1\n---").metadata
    assert (metadata["a2.x.x.x"], metadata["ok"]) == (1, 1)
    assert max(name.count(".") for name in metadata) <= front_matter.MAX_DEPTH


@pytest.mark.parametrize(
    "lines", ["a: " + "[" * 5000, "a: " + "{a: " * 5000, "".join(" " * n + "a:\n" for n in range(900))]
)
def test_what_is_nested_too_deep_is_left_out_and_the_rest_is_kept(lines: str) -> None:
    found = read_front_matter(f"---\nb: 1\n{lines}\nc: 2\n---")
    assert (found.metadata["b"], found.metadata["c"]) == (1, 2)
    assert found.remark


def test_metadata_that_is_too_long_costs_the_long_entries_alone() -> None:
    long_list = "".join(f"  - item {number}\n" for number in range(20_000))
    found = read_front_matter(f"---\nyear: 1998\nitems:\n{long_list}author: Ada\nabout: {'x' * 70_000}\n---")
    assert found.metadata == {"year": 1998, "author": "Ada"}
    assert found.remark == "; ".join(
        f"{name} is too long: metadata has 65536 bytes as JSON" for name in ("items", "about")
    )
    freeze_metadata(found.metadata)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('title = "Kilns"  # a comment\nyear = 1998', {"title": "Kilns", "year": 1998}),
        (
            "draft = true\nrate = 1.5\ntags = ['glaze',\n  'kiln',\n]",
            {"draft": True, "rate": 1.5, "tags": ("glaze", "kiln")},
        ),
        (
            "a = 12345678901234567891\nb = 1_000\nc = inf\nd = 0.12345678901234567891",
            {"a": "12345678901234567891", "b": 1000, "c": "inf", "d": "0.12345678901234567891"},
        ),
        (
            "date = 2024-05-01\nat = 2024-05-01T10:00:00Z\nhour = 10:30:00",
            {"date": "2024-05-01", "at": "2024-05-01T10:00:00Z", "hour": "10:30:00"},
        ),
        ("a = 1\n[params]\nb = 2\n[params.c]\nd = [3]", {"a": 1, "params.b": 2, "params.c.d": (3,)}),
        ("[[author]]\nname = 'Ada'\n[[author]]\nname = 'Grace'", {"author.name": ("Ada", "Grace")}),
        (
            "a = 1\nb = nonsense\n[params]\nc = 2\nd =\n[[author]]\nname = 'Ada'\n[[author]]\nname = 'Grace'",
            {"a": 1, "params.c": 2, "author.name": ("Ada", "Grace")},
        ),
        ("a = " + "[" * 3000 + "\nb = 1", {"b": 1}),
        (".".join("a" * 40_000) + " = 1\nb = 1", {"b": 1}),
    ],
)
def test_front_matter_in_toml_is_read_too(lines: str, expected: dict[str, Any]) -> None:
    assert read_front_matter(f"+++\n{lines}\n+++").metadata == expected


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("---\na: 1\n---\nText", 12),
        ("---\r\na: 1\r\n...\r\nText", 14),
        ("--- \n---\nText", 8),
        ("---\n'a': 1\n---", 14),
        ("+++\na = 1\n+++\nText", 13),
        ("---\na: 1\n+++\n", 0),
        ("---\n\n# A slide\n\nIts text.\n\n---\n", 0),
        ("---\nProse below a rule.\n---\n", 0),
        ("----\na: 1\n----\n", 0),
        (" ---\na: 1\n---\n", 0),
        ("---\na: 1\n", 0),
        ("Text\n---\na: 1\n---\n", 0),
    ],
)
def test_front_matter_stands_between_its_two_lines_at_the_very_top(text: str, ends: int) -> None:
    assert front_matter_end(text, 0) == ends


@pytest.mark.parametrize(
    ("front", "title"),
    [
        ("title: >-\n  All about\n  kilns", "All about kilns"),
        ('title: "Kilns: a\n  history"', "Kilns: a history"),
        ("title: 1984", "1984"),
        ("title: 1.10", "1.10"),
        ("title: Kilns: a history", "Kilns: a history"),
        ("title: [a, b]", "Heading"),
        ("params:\n  title: Inner", "Heading"),
        ("title:", "Heading"),
    ],
)
def test_the_title_is_the_text_that_the_front_matter_gives_it(front: str, title: str) -> None:
    assert markdown_blocks(f"---\n{front}\n---\n\n# Heading\n")[0] == title


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-#[]'\", \n\\~1.e{}|>&*!%@`\t")) | st.text())
def test_any_front_matter_is_read_without_an_error_into_metadata_that_can_be_stored(text: str) -> None:
    freeze_metadata(read_front_matter(f"---\n{text}\n---").metadata)
    freeze_metadata(read_front_matter(f"+++\n{text}\n+++").metadata)


@pytest.mark.parametrize("module", [front_matter, filters, metadata])
def test_the_examples_of_the_docstrings_hold(module: Any) -> None:
    tested = doctest.testmod(module)
    assert (tested.failed, tested.attempted > 0) == (0, True)


def test_only_markdown_with_front_matter_has_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nyear: 1998\n---\n\n# Kilns\n")
    (tmp_path / "b.md").write_text("# Kilns\n\nyear: 1998\n")
    (tmp_path / "c.md").write_text(f"---\nlong: {'x' * 70_000}\n---\n\n# Kilns\n")
    found = [dict(read_documents(tmp_path / name, name)[0].metadata) for name in ("a.md", "b.md", "c.md")]
    assert found == [{"year": 1998}, {}, {}]


def test_front_matter_can_be_filtered_by_after_an_ingest(tmp_path: Path, tokenizer: Tokenizer) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, year in (("old", 1998), ("new", 2024)):
        (docs / f"{name}.md").write_text(f"---\nyear: {year}\ntags: [kiln, {name}]\n---\n\nThe cat sat here.\n")
    encoder, _ = hash_encoder(tokenizer)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(encoder.identity, "asymmetric int8 per vector")
        sync_with(store, encoder, walk([str(docs)]))
        from rag.int8.quantization import quantize_query

        query = quantize_query(encoder.encode_query("cat"))
        hits = search(store, query, 10, filter={"year": {"$gte": 2020}, "tags": "kiln"})
    assert {hit.title for hit in hits} == {"new"} or {hit.source.rsplit("/", 1)[-1] for hit in hits} == {"new.md"}
    assert dict(hits[0].metadata) == {"year": 2024, "tags": ("kiln", "new")}


def test_an_ingest_remarks_upon_front_matter_that_is_not_whole(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(12):
        (tmp_path / "docs" / f"{number:02}.md").write_text("---\na: 1\ntags: [b\n---\n\nText.\n")
    (tmp_path / "docs" / "whole.md").write_text("---\na: 1\n---\n\nText.\n")
    encoder, _ = hash_encoder(tokenizer)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(encoder.identity, "asymmetric int8 per vector")
        summary = sync_with(store, encoder, walk([str(tmp_path / "docs")]))
    assert summary.indexed == 13
    assert summary.notes[0].endswith(
        "00.md, front matter: cannot be read as a whole (line 4: did not find expected ',' or ']'); tags: [b is left out"
    )
    assert summary.notes[-1] == "2 more files could not be read in full"
    assert len(summary.notes) == 11
