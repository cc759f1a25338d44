"""Metadata that a user gives to files: which ones, what it goes before, when it is kept, and that nothing is embedded for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from library import Library, counts
from support import QUANTIZER, hash_encoder

from ingest.given_metadata import GivenMetadata, Rule, parse_assignments
from ingest.metadata_file import read_rules
from ingest.walk import walk
from rag.commands.documents import show_list
from sql.base.errors import UsageError
from sql.search.filters import parse_filter
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer
    from sql.records.metadata import MetadataValue

OWN = "---\nauthor: Ada\nyear: 1998\n---\n\n# Kiln\n\nThe kiln cools for a day.\n"


@pytest.fixture
def library(tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Library]:
    (tmp_path / "docs").mkdir()
    location = str(tmp_path / "store")
    with Store.open(location, write=True) as store:
        store.prepare(hash_encoder(tokenizer)[0].identity, QUANTIZER)
        yield Library(tmp_path / "docs", location, tokenizer, store, hash_encoder(tokenizer)[1])


def said(by_path: dict[str, Any] | None = None, **for_all: MetadataValue) -> GivenMetadata:
    return GivenMetadata.said(for_all or None, by_path)


def metadata(library: Library) -> dict[str, dict[str, MetadataValue]]:
    """The metadata of each document in the store, by its name in the folder."""
    listed = library.store.snapshot().listed_documents()
    return {one.document.path.removeprefix(f"{library.folder}/"): dict(one.metadata) for one in listed}


def passing(library: Library, term: str) -> list[str]:
    """The documents that pass a `--filter`."""
    listed = library.store.snapshot().listed_documents(parse_filter([term]))
    return [one.document.path.removeprefix(f"{library.folder}/") for one in listed]


# What is given


def test_given_metadata_are_stored_beside_those_of_the_document_and_can_be_filtered_by(library: Library) -> None:
    library.write("a.md", OWN)
    library.write("b.md", "The glaze runs.\n")
    library.sync(said=GivenMetadata.said(parse_assignments(["team=blue", "floor=3"]), None))
    assert metadata(library) == {
        "a.md": {"author": "Ada", "year": 1998, "team": "blue", "floor": 3},
        "b.md": {"team": "blue", "floor": 3},
    }
    assert passing(library, "floor>=3") == ["a.md", "b.md"]
    assert passing(library, "floor>3") == []


def test_what_is_said_of_all_goes_before_a_rule_and_a_rule_before_the_document(library: Library) -> None:
    library.write("a.md", OWN)
    library.sync(said=said({"a.md": {"author": "Grace", "year": 2001}}, year=2024))
    assert metadata(library) == {"a.md": {"author": "Grace", "year": 2024}}


def test_of_several_rules_for_a_file_the_last_one_holds(library: Library) -> None:
    library.write("a.md", "The kiln.\n")
    library.write("2024/b.md", "The glaze.\n")
    library.sync(said=said({"*.md": {"kind": "note", "year": 1}, "2024/": {"year": 2024}}))
    assert metadata(library) == {"a.md": {"kind": "note", "year": 1}, "2024/b.md": {"kind": "note", "year": 2024}}
    library.sync(said=said({"2024/": {"year": 2024}, "*.md": {"kind": "note", "year": 1}}))
    assert metadata(library)["2024/b.md"] == {"kind": "note", "year": 1}


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("sub/b.md", True),
        ("./sub/b.md", True),
        ("/sub/b.md", True),
        ("sub", True),
        ("sub/", True),
        (".", True),
        ("docs/sub/b.md", True),
        ("*.md", True),
        ("**/b.*", True),
        ("docs/*/b.md", True),
        ("/*/b.md", True),
        ("s?b/", True),
        ("b.md", False),  # a path is a place; a file of this name anywhere is **/b.md
        ("/b.md", False),
        ("/*.md", False),
        ("su", False),
        ("*.txt", False),
    ],
)
def test_a_path_means_a_place_and_a_pattern_what_it_means_in_gitignore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, fits: bool
) -> None:
    target = tmp_path / "docs" / "sub" / "b.md"
    target.parent.mkdir(parents=True)
    target.write_text("The kiln.")
    monkeypatch.chdir(tmp_path)
    (file,) = walk(["docs"]).files
    given = said({path: {"year": 2024}})
    assert dict(given.of(file)) == ({"year": 2024} if fits else {})
    assert given.unused() == ([] if fits else [path])
    assert dict(said({str(target): {"year": 2024}}).of(file)) == {"year": 2024}
    assert dict(said({f"{tmp_path}/**/*.md": {"year": 2024}}).of(file)) == {"year": 2024}


def test_a_folder_above_the_given_one_fits_no_pattern_that_does_not_begin_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "work1" / "docs").mkdir(parents=True)
    (tmp_path / "work1" / "docs" / "a.md").write_text("The kiln.")
    (file,) = walk([str(tmp_path / "work1" / "docs")]).files
    assert dict(said({"work*/": {"year": 2024}}).of(file)) == {}


def test_a_file_whose_name_looks_like_a_pattern_is_meant_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "plan [final].md").write_text("The kiln.")
    (file,) = walk([str(tmp_path)]).files
    assert dict(said({"plan [final].md": {"year": 2024}}).of(file)) == {"year": 2024}


def test_every_part_of_a_file_has_its_metadata_and_a_document_without_text_none(library: Library) -> None:
    letter = "From: a@example.org\nSubject: {}\nDate: Fri, 1 Mar 2024 10:00:00 +0000\n\n{}\n\n"
    library.write("box.mbox", "".join(f"From a@example.org\n{letter.format(f'No {n}', 'The kiln.')}" for n in (1, 2)))
    library.write("empty.md", "")
    library.sync(said=said(team="blue"))
    assert [one.get("team") for one in metadata(library).values()] == ["blue", "blue", None]
    assert counts(library.sync(said=said(team="blue"))) == (2, 0, 2, 0, 0)


# A later run


def test_a_change_of_metadata_alone_is_noticed_and_embeds_nothing(library: Library) -> None:
    library.write("a.md", OWN)
    library.write("b.md", "The glaze runs.\n")
    library.sync(said=said({"a.md": {"team": "blue"}}))
    assert counts(library.sync(said=said({"a.md": {"team": "blue"}}))) == (2, 0, 2, 0, 0)
    assert counts(library.sync(said=said({"a.md": {"team": "red"}}))) == (2, 1, 1, 0, 0)
    assert library.kernel.texts == 0
    assert metadata(library)["a.md"]["team"] == "red"
    assert library.store.snapshot().damaged_documents() == []


def test_what_is_not_given_any_longer_shows_what_the_document_says_of_itself_again(library: Library) -> None:
    library.write("a.md", OWN)
    library.sync(said=said(author="Grace", team="blue"))
    library.sync(said=said(team="blue"))
    assert library.kernel.texts == 0
    assert metadata(library)["a.md"] == {"author": "Ada", "year": 1998, "team": "blue"}
    library.sync(said=GivenMetadata.said({}, None))
    assert metadata(library)["a.md"] == {"author": "Ada", "year": 1998}


def test_a_type_alone_is_a_change(library: Library) -> None:
    library.write("a.md", "The kiln.\n")
    library.sync(said=said(floor=3))
    library.sync(said=said(floor="3"))
    assert metadata(library) == {"a.md": {"floor": "3"}}


def test_a_run_that_says_nothing_leaves_what_was_given_also_where_the_text_has_changed(library: Library) -> None:
    library.write("a.md", OWN)
    library.write("b.md", "The glaze runs.\n")
    library.sync(said=said({"a.md": {"author": "Grace"}}))
    library.write("a.md", OWN + "\nIt is opened in the morning.\n")
    assert counts(library.sync()) == (2, 1, 1, 0, 0)
    assert metadata(library) == {"a.md": {"author": "Grace", "year": 1998}, "b.md": {}}
    assert "morning" in library.text("a.md")


def test_a_file_that_was_moved_keeps_what_it_was_given(library: Library) -> None:
    old = library.write("a.md", OWN)
    library.sync(said=said(team="blue"))
    old.rename(library.folder / "b.md")
    library.sync()
    assert library.kernel.texts == 0
    assert metadata(library) == {"b.md": {"author": "Ada", "year": 1998, "team": "blue"}}


def test_metadata_that_have_no_room_beside_those_of_the_document_fail_that_file_alone(library: Library) -> None:
    library.write("a.md", f"---\nabstract: {'kiln ' * 7000}\n---\n\nThe kiln.\n")
    library.write("b.md", "The glaze runs.\n")
    library.sync()
    summary = library.sync(said=said(note="glaze " * 7000))
    assert [one.path.rpartition("/")[2] for one in summary.failed] == ["a.md"]
    assert "at most 65536" in summary.failed[0].reason
    assert set(metadata(library)["a.md"]) == {"abstract"}
    assert set(metadata(library)["b.md"]) == {"note"}


def test_paths_that_fit_no_file_are_told(library: Library) -> None:
    library.write("a.md", "The kiln.\n")
    summary = library.sync(said=said({"a.md": {"year": 1}, "b.md": {"year": 2}, "*.txt": {"year": 3}}))
    assert summary.notes == ["2 paths of metadata fit no file that was found: b.md, *.txt"]


def test_thousands_of_files_that_are_named_one_by_one_are_looked_up(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("The kiln.")
    (file,) = walk([str(tmp_path)]).files
    given = said({f"{number}.md": {"year": number} for number in range(2_000)} | {"a.md": {"year": 1}})
    assert all(dict(given.of(file)) == {"year": 1} for _ in range(2_000))  # four million comparisons would take minutes


# Files and options


def write_rules(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


RULES = [("reports/", {"year": 2024, "draft": True}), ("a, b.md", {"zip": "01097", "tags": ("kiln", "glaze")})]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "m.csv",
            "\ufeffpath,year,draft,zip,tags\r\nreports/,2024,true,,\r\n"
            '\r\n"a, b.md",,,01097,"[""kiln"", ""glaze""]"\r\n',
        ),
        ("m.csv", 'year;path;draft;zip;tags\n2024;reports/;true\n;a, b.md;;01097;["kiln", "glaze"]\n'),
        (
            "m.tsv",
            'path\tyear\tdraft\tzip\ttags\nreports/\t2024\ttrue\t\t\na, b.md\t\t\t01097\t"[""kiln"", ""glaze""]"\n',
        ),
        (
            "m.JSONL",
            '{"path": "reports/", "year": 2024, "draft": true}\n\n'
            '{"zip": "01097", "path": "a, b.md", "tags": ["kiln", "glaze"]}\n',
        ),
        ("m.json", json.dumps(dict(RULES))),
        ("m.json", json.dumps([{"path": path, **metadata} for path, metadata in RULES])),
    ],
)
def test_rules_are_read_in_every_form_with_their_types(tmp_path: Path, name: str, text: str) -> None:
    rules = read_rules(write_rules(tmp_path, name, text))
    assert [(rule.path, dict(rule.metadata)) for rule in rules] == RULES


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("m.yaml", "a: 1", "its suffix must name its format, one of .csv"),
        ("m.csv", "", "is empty"),
        ("m.csv", "file,year\na.md,1\n", "line 1: no column is called path"),
        ("m.csv", "path,year,year\na.md,1,2\n", "line 1: two columns are called 'year'"),
        ("m.csv", "path,year\na.md,1,2\n", "line 2: 3 cells below 2 names"),
        ("m.csv", "path,year\n,1\n", "line 2: the path '' names no file"),
        ("m.csv", "path,1st\na.md,1\n", "line 2: metadata cannot be called '1st'"),
        ("m.csv", b"path,year\n\xff,1\n", "byte 10 is not UTF-8"),
        ("m.jsonl", '{"path": "a.md"}\n{"year": 1}\n', "line 2: {'year': 1} is no object with a path"),
        ("m.jsonl", '{"path": "a.md", "year": 1\n', "line 1 is not JSON"),
        ("m.json", '{"a.md": {"year": 1, "year": 2}}', "'year' is given twice"),
        ("m.json", '{"a.md": {"year": {"from": 1}}}', "metadata year cannot be {'from': 1}"),
        ("m.json", '{"a.md": 2024}', "2024 is no object of names and values"),
        ("m.json", '"a.md"', "write an object such as"),
        ("m.json", '{"!*.md": {"year": 1}}', "the pattern '!*.md' fits no file"),
    ],
)
def test_a_metadata_file_that_is_wrong_is_refused_with_the_place_and_the_rule(
    tmp_path: Path, name: str, text: str | bytes, complaint: str
) -> None:
    path = write_rules(tmp_path, name, text)
    with pytest.raises(UsageError) as caught:
        read_rules(path)
    assert str(caught.value).startswith(f"--meta-file {path}")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("term", "complaint"),
    [
        ("year", "write name=value"),
        ("1st=2", "metadata cannot be called '1st'"),
        ("=2", "metadata cannot be called ''"),
        ('year={"from": 1}', "metadata year cannot be {'from': 1}"),
        ("team=red", 'team is given twice; a list is written team=["a", "b"]'),
    ],
)
def test_an_option_that_is_wrong_is_refused_with_the_rule(term: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_assignments(["team=blue", term])
    assert str(caught.value).startswith(f"--meta '{term}'")
    assert complaint in str(caught.value)


def test_a_rule_with_metadata_that_cannot_be_stored_names_its_path() -> None:
    with pytest.raises(UsageError, match=r"^metadata of 'a\.md': metadata year cannot be nan"):
        said({"a.md": {"year": float("nan")}})
    with pytest.raises(UsageError, match="names no file"):
        Rule(" ", {})


def test_a_list_of_documents_shows_their_metadata(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    library.write("a.md", "The kiln.\n")
    library.sync(said=said(year=2024, note="word " * 40))
    show_list(library.store.snapshot().listed_documents())
    line = capsys.readouterr().out.splitlines()[1]
    assert 'a.md  note="word word' in line
    assert line.endswith("…")
