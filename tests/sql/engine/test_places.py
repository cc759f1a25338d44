"""Where a store may live: every legal path works, a folder of the user's is left alone, and reading needs no writing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands_here import run_main
from support import PROJECT, open_store, publish_document, run_python, visible_texts

from sql.base.errors import EXIT_ERROR, EXIT_USAGE, NoStore, StoreError, StoreMismatch, UsageError
from sql.engine.failures import explain_failure
from sql.engine.folders import MARKER, finish_removal, remove_store, unfinished_folder
from sql.engine.location import parse_location
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD_PATHS = {  # every part of each is a legal name
    "cut by the engine": b"FAQ?/x?progress=auto&a=b",
    "taken for patterns": b"{{slug}}/{a,b}/*[a-z]*",
    "of punctuation": b'100%25 %s %(x)s/#;:&!$()^`|<>/it\'s "so"/a\\b\\n',
    "not printable": b" a b /a\nb\r/\xff\xfe",
    "like something else": "窯 обжиг/file:x/.../~".encode(),
    "long": b"n" * 250,
}


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the content of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store with one document."""
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one"])
    return tmp_path / "store"


# Paths


@pytest.mark.everyday("of punctuation", "not printable")
@pytest.mark.parametrize("kind", ODD_PATHS)
def test_a_store_lives_at_any_path_and_nowhere_else(tmp_path: Path, kind: str) -> None:
    place = tmp_path / os.fsdecode(ODD_PATHS[kind])
    for text in ("one", "two"):
        with open_store(place) as store:
            publish_document(store, f"{text}.txt", [text] * 300)
            store.garbage.collect_unseen(grace_seconds=0)
    with Store.open(str(place)) as store:
        assert visible_texts(store) == {"one.txt": ["one"] * 300, "two.txt": ["two"] * 300}
    for parent in (tmp_path, *place.parents):
        if parent.is_relative_to(tmp_path) and parent != place:
            assert len(os.listdir(parent)) == 1
    assert set(os.listdir(place)) == {MARKER, "data", "lock", "tmp"}


def test_two_stores_whose_names_differ_behind_a_question_mark_share_nothing(tmp_path: Path) -> None:
    for name in ("x", "x?1", "x?2"):
        with open_store(tmp_path / name) as store:
            assert visible_texts(store) == {}
            publish_document(store, "a.txt", [name])
    assert sorted(os.listdir(tmp_path)) == ["x", "x?1", "x?2"]


def test_a_very_long_path_works_and_one_that_is_too_long_is_refused_in_a_sentence(tmp_path: Path) -> None:
    deep = tmp_path
    while len(str(deep)) < 2500:
        deep /= "d" * 200
    with open_store(deep) as store:
        publish_document(store, "a.txt", ["one"])
        assert visible_texts(store) == {"a.txt": ["one"]}
    for place in (tmp_path / ("n" * 256), tmp_path / "/".join(["d" * 200] * 30)):
        with pytest.raises(StoreError, match="has a path that is too long for this system: give --db a shorter one"):
            open_store(place)


def test_a_relative_path_a_link_and_a_slash_at_the_end_are_the_same_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("link").symlink_to("store")
    for name in ("store", "./store/", "link", "../" + folder.parent.name + "/store"):
        with Store.open(name) as store:
            assert visible_texts(store) == {"a.txt": ["one"]}


@pytest.mark.parametrize(
    ("text", "folder"),
    [("chdb:///a%3Fb%FF", os.fsdecode(b"/a?b\xff")), ("./a://b", "a:/b"), ("no:/scheme", "no:/scheme")],
)
def test_the_text_of_db_becomes_exactly_this_path(text: str, folder: str) -> None:
    assert parse_location(text).folder == Path(folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "--db is empty: give it the path"),
        ("a\0b", "NUL character"),
        ("~nobody-of-this-name/x", "there is no home folder for ~nobody-of-this-name: write ./~nobody"),
    ],
)
def test_what_cannot_be_a_path_is_wrong_usage(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_location(text)


@pytest.mark.parametrize(
    "command",
    [
        ("sql", "SELECT 1", "--db"),
        ("rag", "search", "a", "--db"),
        ("rag", "search", "a", "--model"),
        ("ingest", "--db", "x"),
        ("rag", "backup", "x", "--db"),
    ],
)
@pytest.mark.everyday("command0", "command3")
def test_a_user_without_a_home_is_one_sentence_wherever_a_path_is_given(
    command: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    store = [] if "--db" in command else ["--db", str(folder)]
    finished = run_main(*command, "~nobody-of-this-name/x", *store)
    assert finished.returncode == EXIT_USAGE, finished.stderr
    assert finished.stderr.splitlines()[-1].endswith("write ./~nobody-of-this-name for a folder of that name")
    assert len(finished.stderr.strip().splitlines()) == 1


# What is a store and what is not


@pytest.mark.parametrize(
    "names",
    [
        ["lock", "tmp/thesis.txt"],
        ["lock", "tmp/thesis.txt", "data/table.csv"],
        ["lock", "data/data/x", "data/metadata/x", "data/store/x", "letter.txt"],
        ["data/data/x", "data/metadata/x", "data/store/x"],
        ["data/table.csv", "tmp/thesis.txt"],
        [".hidden"],
        [".git/config"],
        ["removed/picture.png"],
        [f"{MARKER}/x"],
    ],
)
@pytest.mark.parametrize("write", [True, False])
def test_a_folder_that_is_no_store_is_refused_and_stays_as_it_is(
    tmp_path: Path, names: list[str], *, write: bool
) -> None:
    for name in names:
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text("years of work")
    before = tree(tmp_path)
    with pytest.raises(StoreError, match=r"is not a store, it holds|is not what marks a store|there is no store at"):
        Store.open(str(tmp_path / "mine"), write=write)
    with pytest.raises(StoreError):
        remove_store(tmp_path / "mine")
    if (tmp_path / "mine" / "removed").exists():
        with pytest.raises(StoreError):
            finish_removal(tmp_path / "mine")
    assert tree(tmp_path) == before


def test_an_empty_folder_becomes_a_store_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with open_store(tmp_path / "empty") as store:
        publish_document(store, "a.txt", ["one"])
    with open_store(tmp_path / "new" / "store"):
        pass
    assert (tmp_path / "new" / "store").stat().st_mode & 0o077 == 0
    assert json.loads((tmp_path / "empty" / MARKER).read_text()) == {"format": "int8-rag store", "version": 1}


def test_a_reader_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        with pytest.raises(NoStore):
            Store.open(str(tmp_path / name))
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_store_of_a_version_without_the_marker_is_known_by_its_data_and_gets_one(folder: Path) -> None:
    (folder / MARKER).unlink()
    (folder / ".DS_Store").touch()
    with Store.open(str(folder)) as store:
        assert visible_texts(store) == {"a.txt": ["one"]}
    assert (folder / MARKER).is_file()


def test_a_marker_that_a_kill_has_left_empty_counts_and_one_of_a_newer_version_is_refused(folder: Path) -> None:
    (folder / MARKER).write_text("")
    with Store.open(str(folder)) as store:
        assert visible_texts(store) == {"a.txt": ["one"]}
    (folder / MARKER).write_text('{"format": "int8-rag store", "version": 2}')
    with pytest.raises(StoreMismatch, match="newer int8-rag"):
        Store.open(str(folder))


def test_a_lock_that_is_a_link_is_not_written_through(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(tmp_path / "letter")
    with pytest.raises(StoreError, match="lock cannot be opened"):
        Store.open(str(folder))
    assert (tmp_path / "letter").read_text() == "dear"


def test_a_removed_store_takes_nothing_of_the_users_with_it(folder: Path) -> None:
    (folder / "tmp" / "thesis.txt").write_text("years of work")
    (folder / "letter").write_text("dear")
    remove_store(folder)
    assert tree(folder) == {"tmp": None, "tmp/thesis.txt": b"years of work", "letter": b"dear"}


def test_a_store_that_is_removed_leaves_nothing_also_where_the_first_try_was_killed(folder: Path) -> None:
    (folder / "data").rename(folder / "removed")
    finish_removal(folder)
    assert not folder.exists()


def test_a_file_is_no_place_for_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(StoreError, match="is a file: give --db the path of a folder"):
        open_store(tmp_path / "file")
    with pytest.raises(StoreError, match="lies below a file"):
        open_store(tmp_path / "file" / "store")


# Folders that get their name at the end


def test_a_failed_copy_leaves_nothing_behind_and_says_why(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"

    def fail() -> None:
        with unfinished_folder(target) as unfinished:
            (unfinished / "half").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreError, match=r"could not be finished \(No space left on device\), and what was written"):
        fail()
    assert sorted(os.listdir(tmp_path)) == ["store"]


def test_what_a_killed_copy_has_left_is_removed_and_what_is_somebodys_is_not(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "copy.part"
    mine.mkdir()
    (mine / "letter").write_text("dear")
    finished = run_main("rag", "backup", str(tmp_path / "copy"), "--db", str(folder))
    assert (finished.returncode, finished.stdout) == (EXIT_ERROR, "")
    assert "copy.part already exists and is in the way" in finished.stderr
    assert (mine / "letter").read_text() == "dear"
    (mine / "int8-rag-unfinished").touch()
    finished = run_main("rag", "backup", str(tmp_path / "copy"), "--db", str(folder))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert sorted(os.listdir(tmp_path)) == ["copy", "store"]
    assert sorted(os.listdir(tmp_path / "copy")) == ["data", MARKER, "lock", "tmp"]


# Reading without writing


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """A mount at a folder, where this user may mount; the test is skipped where not."""
    place.mkdir(exist_ok=True)
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a disk")
    if subprocess.run(["mount", *options, str(place)], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let us mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The same folder again at another place, where nothing can be written."""
    with mounted(folder.parent / "medium", "--bind", str(folder.parent)) as place:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        yield place / folder.name


def test_a_store_on_a_read_only_disk_can_be_asked_and_is_not_changed(folder: Path) -> None:
    before = tree(folder)
    with read_only(folder) as place:
        assert visible_in_process(place) == {"a.txt": ["one"]}
        for command in (["rag", "stats"], ["sql", "SELECT count() FROM chunks FORMAT TSV"], ["rag", "search", "one"]):
            finished = run_main(*command, "--db", str(place), *(["--ranking", "words"] if "search" in command else []))
            assert finished.returncode in {0, 1, 3}, finished.stderr
            assert "Read-only" not in finished.stderr
        with pytest.raises(StoreError, match="lies on a read-only disk, where it can only be asked: give --db"):
            open_store(place)
        with pytest.raises(StoreError, match="lies on a read-only disk"):
            open_store(place.parent / "new")
    assert tree(folder) == before


def test_two_processes_may_read_a_store_on_a_read_only_disk_at_once(folder: Path) -> None:
    with read_only(folder) as place, Store.open(str(place)) as store:
        finished = run_python("-m", "sql", "SELECT 1 AS one", "--db", str(place))
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "one\n1\n", "")
        assert visible_texts(store) == {"a.txt": ["one"]}


def test_what_a_reader_of_a_read_only_disk_made_for_itself_goes_with_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    with read_only(folder) as place:
        finished = run_main("sql", "SELECT text FROM chunks FORMAT TSV", "--db", str(place))
    assert (finished.returncode, finished.stdout) == (0, "one\n")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_store_of_another_user_can_be_asked(folder: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become another user")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    program = (
        "import sys; from sql.store import Store\n"
        "with Store.open(sys.argv[1]) as store: print(store.chunk_texts())\n"
        "try: Store.open(sys.argv[1], write=True)\n"
        "except Exception as error: print(error)\n"
    )
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    readable = subprocess.run([*nobody, "ls", str(folder)], capture_output=True, check=False).returncode == 0
    if not readable:
        pytest.skip("the folder of the tests is closed to other users")
    finished = subprocess.run(
        [*nobody, "env", "TMPDIR=/tmp", sys.executable, "-c", program, str(folder)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.stdout.splitlines()[0] == "[('a.txt', 'one')]", finished.stderr
    assert "cannot be written by this user: run the command as its owner" in finished.stdout.splitlines()[1]


def visible_in_process(place: Path) -> dict[str, list[str]]:
    """What a reader sees."""
    with Store.open(str(place)) as store:
        return visible_texts(store)


def fill(place: Path) -> None:
    """Takes the last byte of a disk."""
    with (place / "filler").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    assert shutil.disk_usage(place).free == 0


def test_a_store_on_a_full_disk_can_be_asked_and_to_write_is_refused_with_a_remedy(
    folder: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=8m", "tmpfs") as disk:
        shutil.copytree(folder, disk / "store", symlinks=True)
        fill(disk)
        assert visible_in_process(disk / "store") == {"a.txt": ["one"]}
        for place in ("store", "new"):
            with pytest.raises(
                StoreError, match="lies on a disk without room for another file: nothing was lost, free"
            ):
                open_store(disk / place)


def test_a_store_on_a_disk_without_inodes_can_be_asked_and_to_write_is_refused_with_a_remedy(
    folder: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=8m,nr_inodes=2000", "tmpfs") as disk:
        shutil.copytree(folder, disk / "store", symlinks=True)
        for number in range(os.statvfs(disk).f_ffree):
            (disk / str(number)).touch()
        assert visible_in_process(disk / "store") == {"a.txt": ["one"]}
        with pytest.raises(StoreError, match=r"without room for another file: .* free some space \(or inodes"):
            open_store(disk / "store")


def test_a_backup_to_a_full_disk_says_so_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=16k", "tmpfs") as disk:
        finished = run_main("rag", "backup", str(disk / "copy"), "--db", str(folder))
        assert finished.returncode == EXIT_ERROR
        assert "could not be finished (" in finished.stderr
        assert "make sure that its disk has space" in finished.stderr
        assert list(disk.iterdir()) == []


def test_a_file_for_which_there_is_no_room_is_reported_with_a_remedy(tmp_path: Path) -> None:
    message = (
        "Code: 76. DB::ErrnoException: Cannot open file a.txt: , errno: 28, strerror: No space left. (CANNOT_OPEN_FILE)"
    )
    error = explain_failure("the insert", parse_location(str(tmp_path)), RuntimeError(message))
    assert "no room for another file: nothing was lost, free some space (or inodes, see `df -i`)" in str(error)
