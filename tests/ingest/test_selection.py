"""Which files below a folder are read: patterns of the user, and those of the folder's own .gitignore files."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from library import counts

from ingest.plan import NO_DOCUMENTS, make_plan
from ingest.selection import Ignored, Selection
from ingest.walk import walk
from sql.base.errors import EXIT_OK, EXIT_USAGE, UsageError
from sql.base.terminal import run_command

if TYPE_CHECKING:
    from pathlib import Path

    from library import Library


def grow(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")


def chosen(folder: Path, selection: Selection | None = None) -> list[str]:
    """The files found, below the folder."""
    return [file.path.relative_to(folder).as_posix() for file in walk([str(folder)], selection or Selection()).files]


def reasons(folder: Path, selection: Selection) -> dict[str, str]:
    return {
        one.path.removeprefix(f"{folder}/"): one.reason
        for one in walk([str(folder)], selection).skipped
    }  # fmt: skip


def test_what_programs_make_for_programs_is_read_only_where_it_is_asked_for(tmp_path: Path) -> None:
    grow(
        tmp_path,
        "html/searchindex.js",
        "html/index.html",
        "jquery.MIN.js",
        "page.min.css",
        "mine.js",
        "searchindex.json",
    )
    assert chosen(tmp_path) == ["mine.js", "searchindex.json", "html/index.html"]
    assert set(reasons(tmp_path, Selection())) == {"html/searchindex.js", "jquery.MIN.js", "page.min.css"}
    assert chosen(tmp_path, Selection(include=("*.js",))) == ["jquery.MIN.js", "mine.js", "html/searchindex.js"]
    assert len(walk([str(tmp_path / "html" / "searchindex.js")]).files) == 1


def test_only_what_is_included_and_nothing_that_is_excluded_is_read(tmp_path: Path) -> None:
    grow(tmp_path, "a.md", "b.txt", "old/c.md", "new/old.md", "new/d.md")
    selection = Selection(include=("*.md",), exclude=("old/",))
    assert chosen(tmp_path, selection) == ["a.md", "new/d.md", "new/old.md"]
    assert reasons(tmp_path, selection) == {"b.txt": "not included", "old": "excluded"}


def test_a_pattern_with_a_slash_begins_at_the_given_folder(tmp_path: Path) -> None:
    grow(tmp_path, "manual/a.md", "x/manual/b.md", "c.md")
    assert chosen(tmp_path, Selection(include=("/manual/",))) == ["manual/a.md"]
    assert chosen(tmp_path, Selection(include=("manual/",))) == ["manual/a.md", "x/manual/b.md"]
    assert chosen(tmp_path, Selection(exclude=("**/b.md",))) == ["c.md", "manual/a.md"]


def test_a_file_that_is_given_itself_is_read_whatever_the_patterns_say(tmp_path: Path) -> None:
    grow(tmp_path, "a.md")
    (tmp_path / ".gitignore").write_text("a.md\n")
    assert [file.path.name for file in walk([str(tmp_path / "a.md")], Selection(exclude=("*.md",))).files] == ["a.md"]


def test_what_git_ignores_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    grow(tmp_path, "a.md", "build/b.md", "sub/c.md", "sub/keep.md")
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "sub" / ".gitignore").write_text("*.md\n!keep.md\n")
    assert chosen(tmp_path) == ["a.md", "sub/keep.md"]
    assert reasons(tmp_path, Selection()) == {"build": "ignored by git", "sub/c.md": "ignored by git"}
    assert chosen(tmp_path, Selection(gitignore=False)) == ["a.md", "build/b.md", "sub/c.md", "sub/keep.md"]


def test_lines_that_are_no_patterns_say_nothing(tmp_path: Path) -> None:
    grow(tmp_path, "a.md", "b.md")
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf# comment\n\n!\n/\n\xff\xfe\n[z-a].md\nb.md\r\n")
    assert chosen(tmp_path) == ["a.md"]


def test_a_gitignore_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    grow(tmp_path, "docs/a.md")
    (tmp_path / "outside").write_text("*.md\n")
    (tmp_path / "docs" / ".gitignore").symlink_to(tmp_path / "outside")
    assert chosen(tmp_path / "docs") == ["a.md"]


@pytest.mark.parametrize("pattern", ["", "#x", "!a.md", "/", "[z-a].md", "[[:nothing:]].md"])
def test_a_pattern_that_is_none_is_refused_by_its_option(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"--exclude .*give"):
        Selection(exclude=(pattern,))


def test_the_command_refuses_it_too_before_it_does_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import ingest.command_line

    grow(tmp_path, "a.md")
    code = run_command(
        ingest.command_line.command, [str(tmp_path), "--include", "!x", "--db", str(tmp_path / "store"), "--dry-run"]
    )
    assert (code, "--include !x" in capsys.readouterr().err) == (EXIT_USAGE, True)


@pytest.mark.either_back_end
def test_a_document_that_is_left_out_from_now_on_is_deleted(library: Library) -> None:
    library.write("a.md", "One.")
    library.write("b.md", "Two.")
    library.sync()
    library.write(".gitignore", "b.md\n")
    assert counts(library.sync()) == (1, 0, 1, 1, 0)
    assert library.names() == ["a.md"]


def test_the_folder_of_the_store_is_never_read(tmp_path: Path) -> None:
    grow(tmp_path, "a.md", "store/b.md", "other/store/c.md")
    assert chosen(tmp_path, Selection(store=tmp_path / "store")) == ["a.md", "other/store/c.md"]


NAMES = st.sampled_from(["a", "b.md", "c.txt", "d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
PATTERNS = st.builds(
    lambda before, path, after: before + path + after,
    st.sampled_from(["", "/", "!", "**/", "*/"]),
    st.one_of(PATHS, st.sampled_from(["*", "*.md", "?", "[ab]*", "a/**", "**/d"])),
    st.sampled_from(["", "/", "/**"]),
).filter(lambda pattern: not pattern.endswith("**/"))  # which the library reads as files too, and nobody writes


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@example(paths={"a/a"}, patterns=["!*", "a"], below=[])
@example(paths={"a/b.md", "c.txt", "a/c.txt"}, patterns=["*", "!*/", "!*.md.md"], below=[])
@example(paths={"a/b.md", "a/d"}, patterns=["a/**", "!a/b.md.md"], below=[])
@settings(max_examples=40, deadline=None)
@given(
    paths=st.sets(PATHS, min_size=1, max_size=8),
    patterns=st.lists(PATTERNS, max_size=4),
    below=st.lists(PATTERNS, max_size=2),
)
def test_git_itself_would_leave_out_the_same(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str], patterns: list[str], below: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("git")
    kept = [path for path in sorted(paths) if not any(other.startswith(path + "/") for other in paths)]
    grow(folder, *(path + ".md" for path in kept))
    (folder / ".gitignore").write_text("\n".join(patterns))
    if (folder / "a").is_dir():
        (folder / "a" / ".gitignore").write_text("\n".join(below))
    assert sorted(chosen(folder)) == listed_by_git(folder)


def listed_by_git(folder: Path) -> list[str]:
    """The files that git does not leave out, in order."""
    subprocess.run(["git", "init", "-q", folder], check=True, capture_output=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "-z"],
        cwd=folder, check=True, capture_output=True, text=True, env={"HOME": str(folder), "PATH": "/usr/bin:/bin:/usr/local/bin"},
    ).stdout.split("\0")  # fmt: skip
    return sorted(one for one in listed if one and not one.endswith(".gitignore"))


CLASSES = ["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    "pattern",
    [
        *(f"[[:{name}:]].md" for name in CLASSES),
        *(f"[^[:{name}:]].md" for name in CLASSES),
        "[][:digit:]_].md",
        "[[:upper:][:digit:]-].md",
        "\\[[:digit:]].md",
        "[:digit:].md",
        "[[:nothing:]].md",
        "[[]d].md",
    ],
)
def test_a_class_of_characters_is_that_of_git(tmp_path: Path, pattern: str) -> None:
    grow(tmp_path, *(f"{chr(code)}.md" for code in range(1, 128) if chr(code) not in "./\n\r"), "[d].md", ":].md")
    (tmp_path / ".gitignore").write_text(pattern + "\n")
    assert sorted(chosen(tmp_path)) == listed_by_git(tmp_path)


def test_nothing_is_ignored_where_no_file_says_so() -> None:
    assert not Ignored().holds("a.md")


@pytest.mark.parametrize("between", ["\n", "\0"])
def test_a_list_of_files_is_read_from_stdin_and_nothing_beside_them_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], between: str
) -> None:
    import ingest.command_line

    names = ["a.md", "ä b.md"] if between == "\n" else ["a.md", "two\nlines.md"]
    grow(tmp_path, *names, "c.md")
    given = between.join(str(tmp_path / name) for name in names) + between
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(os.fsencode(given))))
    code = run_command(ingest.command_line.command, ["-", "--dry-run", "--json", "--db", str(tmp_path / "store")])
    assert code == EXIT_OK
    assert json.loads(capsys.readouterr().out)["add"] == [str(tmp_path / name) for name in names]


def test_an_empty_list_is_a_mistake(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import ingest.command_line

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n\n")))
    assert run_command(ingest.command_line.command, ["-", "--dry-run"]) == EXIT_USAGE
    assert "one path per line" in capsys.readouterr().err


# What is remembered of a file


def test_a_file_that_was_found_takes_no_more_memory_however_deep_its_folder_lies(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a folder with a long name"] * 20)
    folder.mkdir(parents=True)
    for number in range(500):
        (folder / f"{number:03}.md").touch()
    walk([str(tmp_path)])  # what is imported or kept once is not counted
    tracemalloc.start()
    try:
        plan = make_plan(walk([str(tmp_path)]), NO_DOCUMENTS)
        taken, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(plan.new) == 500
    assert taken / 500 < 100
    assert peak / 500 < 200
    first = plan.new[0]
    assert (str(first.path), first.source, first.stored_path) == (str(folder / "000.md"),) * 3


def test_a_file_that_is_given_by_a_link_of_another_name_keeps_the_name_that_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.md").touch()
    (tmp_path / "latest.md").symlink_to("notes.md")
    monkeypatch.chdir(tmp_path)
    (file,) = walk(["./latest.md"]).files
    assert (file.source, file.path, file.stored_path) == ("latest.md", tmp_path / "notes.md", f"{tmp_path}/notes.md")
