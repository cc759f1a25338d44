"""Who may read which files, as a user says it: rules, and what they make of the documents of a store on a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import hash_encoder, open_store, sync_with

from ingest.acl import Acl
from ingest.walk import walk
from sql.base.errors import UsageError
from sql.store.groups import DocumentGroups

if TYPE_CHECKING:
    from server import Server

    from rag.text.tokenizer import Tokenizer
    from sql.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files, two of them below people/, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("mat.md", "people/pay.md", "people/old pay.md"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the cat sat on {name}", encoding="utf-8")
    return tmp_path / "docs"


def said(acl: Acl, folder: Path) -> dict[str, set[str]]:
    """The groups of each file below a folder."""
    return {file.name: set(acl.groups(file)) for file in walk([str(folder)]).files}


def test_the_last_rule_that_fits_a_file_holds_alone(folder: Path) -> None:
    acl = Acl.parse(["*=everyone", "people/=hr,board", "old*=", "nothing/=hr"])
    assert said(acl, folder) == {"mat.md": {"everyone"}, "pay.md": {"hr", "board"}, "old pay.md": set()}
    assert acl.unused() == ["nothing/"]
    assert said(Acl.parse(["people/=hr"]), folder)["mat.md"] == set()


def test_a_file_of_rules_says_the_same_as_options(folder: Path) -> None:
    rules = "# who\n\n*  everyone # all\npeople/ hr, board\t# two\npeople/old\\ pay.md   # nobody\n"
    Path("access.txt").write_text(rules, encoding="utf-8")
    assert Acl.parse(["access.txt"]).rules[0].path == "*"
    assert said(Acl.parse(["access.txt"]), folder) == said(
        Acl.parse(["*=everyone", "people/=hr,board", "people/old pay.md="]), folder
    )


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("no-such-file", "is neither PATTERN=GROUP,GROUP nor a readable file of rules"),
        ("=hr", "names no file"),
        ("!x*=hr", "fits no file"),
        ("*=rag_all_documents", "sees every document"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(folder: Path, term: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Acl.parse([term])


def test_a_line_that_means_nothing_is_named_and_not_passed_over(folder: Path) -> None:
    Path("access.txt").write_text("* everyone\npeople\\\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"access.txt, line 2: .* ends with a backslash"):
        Acl.parse(["access.txt"])


def groups_of(store: Store) -> dict[str, set[str]]:
    """The groups of each document, by the name of its file."""
    found = DocumentGroups(store).of_documents()
    return {Path(one.path).name: set(found.get(one.document_id, ())) for one in store.snapshot().documents()}


def test_an_ingest_gives_documents_groups_and_embeds_nothing_for_other_ones(
    server: Server, folder: Path, tokenizer: Tokenizer
) -> None:
    encoder, kernel = hash_encoder(tokenizer)
    with open_store(server.dsn(server.new_database())) as store:
        first = sync_with(store, encoder, walk(["docs"]), acl=Acl.parse(["*=everyone", "people/=hr"]))
        assert groups_of(store) == {"mat.md": {"everyone"}, "pay.md": {"hr"}, "old pay.md": {"hr"}}
        assert first.notes == ["documents whose groups were changed: 3"]
        embedded = kernel.texts
        second = sync_with(store, encoder, walk(["docs"]), acl=Acl.parse(["people/=legal", "x/=hr"]))
        assert groups_of(store) == {"mat.md": set(), "pay.md": {"legal"}, "old pay.md": {"legal"}}
        assert second.notes == [
            "1 path of --acl fits no file that was found: x/",
            "documents whose groups were changed: 3",
            "documents without a group, which only the role rag_all_documents can read: 1",
        ]
        (folder / "people" / "pay.md").write_text("the dog runs here", encoding="utf-8")
        (folder / "new.md").write_text("one two three", encoding="utf-8")
        third = sync_with(store, encoder, walk(["docs"]))
        assert groups_of(store)["pay.md"] == {"legal"}
        assert third.notes == ["documents without a group, which only the role rag_all_documents can read: 2"]
        assert kernel.texts == embedded + 2
