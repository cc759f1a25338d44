"""A process that reads files can do nothing else, and whatever becomes of it, one file has failed and the others are read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mischief import MISCHIEF
from support import PATIENCE, PROJECT

from ingest.box.ahead import ReadAhead
from ingest.box.confine import FILE_SYSTEM, PROTECTIONS, RESOURCES, SYSTEM_CALLS
from ingest.box.limits import MEBIBYTE, Limits
from ingest.box.messages import decode_document
from ingest.box.process import Crashed, ReadingProcess
from ingest.box.protections import describe_protections
from ingest.found_files import FoundFile
from ingest.readers.raw_file import RawFile
from ingest.readers.table import SUFFIXES
from sql.base.errors import UnreadableDocument
from sql.base.settings import reader_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(memory_bytes=1024 * MEBIBYTE, seconds=PATIENCE, output_bytes=2_000_000)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than limits of resources")


@pytest.fixture(autouse=True)
def with_mischief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUFFIXES, ".mischief", MISCHIEF)


def started(limits: Limits = LIMITS) -> ReadingProcess:
    process = ReadingProcess.start(limits)
    process.wait_until_ready(None)
    return process


@pytest.fixture(scope="module")
def reading() -> Iterator[ReadingProcess]:
    process = started()
    yield process
    process.close()


def done(process: ReadingProcess, name: str, argument: object = "") -> str:
    """What a process says that has done something."""
    file = RawFile("a.mischief", "docs/a.mischief", "mischief", f"{name} {argument}".encode())
    (content,) = process.read(file, MISCHIEF)
    return decode_document(content)[0].text


def is_gone(pid: int) -> bool:
    """Whether there is no such process; one that has ended and that nobody has asked about counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# What it may do


def test_what_readers_need_is_left(reading: ReadingProcess) -> None:
    assert done(reading, "say", "the cat") == "the cat"
    assert done(reading, "work_in_a_thread", "sat") == "sat"
    assert done(reading, "read_a_file", os.__file__).endswith(" bytes")


def test_it_has_nothing_of_the_environment_that_could_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LLM_KEY", "secret")
    monkeypatch.setenv("HOME", "/home/of/somebody")
    process = started()
    names = done(process, "environment").split()
    process.close()
    assert not {"RAG_LLM_KEY", "HOME"} & set(names)
    assert "TOKENIZERS_PARALLELISM" in names


def test_it_loads_neither_torch_nor_an_engine() -> None:
    program = "import sys, ingest.box.worker; print({'torch', 'chdb', 'transformers'} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert finished.stdout == "set()\n"


# What it may not do


@on_linux
@pytest.mark.parametrize(
    "name",
    [
        "write_a_file",
        "append_to_a_file",
        "make_a_folder",
        "remove_a_file",
        "rename_a_file",
        "link_a_file",
        "change_a_mode",
    ],
)
def test_files_cannot_be_made_changed_or_removed(reading: ReadingProcess, tmp_path: Path, name: str) -> None:
    path = tmp_path / "kept.txt"
    if name not in {"write_a_file", "make_a_folder"}:
        path.write_text("kept")
        path.chmod(0o600)
    before = [(one.name, one.read_text(), one.stat().st_mode) for one in tmp_path.iterdir()]
    assert done(reading, name, path).startswith("refused: ")
    assert [(one.name, one.read_text(), one.stat().st_mode) for one in tmp_path.iterdir()] == before


@on_linux
@pytest.mark.parametrize(
    "name", ["open_a_socket", "fork", "run_a_program", "signal_a_process", "change_limits_of_a_process"]
)
def test_there_is_no_network_and_no_other_process(reading: ReadingProcess, name: str) -> None:
    if SYSTEM_CALLS not in reading.held:
        pytest.skip("this kernel or processor has no filter of system calls that we know")
    assert done(reading, name, os.getpid()).startswith("refused: ")


def test_a_file_of_the_user_cannot_even_be_read(reading: ReadingProcess, tmp_path: Path) -> None:
    if FILE_SYSTEM not in reading.held:
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "letter.txt").write_text("dear")
    assert done(reading, "read_a_file", tmp_path / "letter.txt") == "refused: PermissionError"
    assert done(reading, "read_a_file", PROJECT / "README.md") == "refused: PermissionError"


def test_few_files_can_be_open(reading: ReadingProcess) -> None:
    assert done(reading, "open_files", 10) == "opened 10"
    assert done(reading, "open_files", 100) == "refused: OSError"


@on_linux
def test_it_says_which_protections_hold(reading: ReadingProcess) -> None:
    assert RESOURCES in reading.held
    assert set(reading.held) <= set(PROTECTIONS)


def test_the_doctor_names_what_a_machine_has_and_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    held = started()
    held.close()
    sentence = describe_protections()
    assert sentence.startswith(f"in processes with {' and '.join(held.held)}")
    assert (", without " in sentence) == (len(held.held) < len(PROTECTIONS))
    monkeypatch.setattr("sys.executable", "/no/python")
    assert describe_protections().startswith("no files of other programs: one cannot be read: no process for it")


# What becomes of the file


@pytest.mark.parametrize(
    ("content", "limits", "reason"),
    [
        ("crash SIGSEGV", LIMITS, "cannot be read: its reader crashed (SIGSEGV)"),
        ("crash SIGKILL", LIMITS, "cannot be read: its reader crashed (SIGKILL)"),
        ("leave 3", LIMITS, "cannot be read: its reader crashed (exit code 3)"),
        ("raise_an_error b", LIMITS, "cannot be read: its reader failed (KeyError: 'b')"),
        ("go_deeper", LIMITS, "cannot be read: its reader failed (RecursionError: maximum recursion depth exceeded)"),
        ("take_memory 3000000000", LIMITS, "needs more than 1,073,741,824 bytes of memory to be read, the limit"),
        ("many 5000", LIMITS, "holds more than 2,000,000 bytes of text and structure, the limit"),
        ("answer_nonsense ffffffffffffff7f", LIMITS, "holds more than 2,000,000 bytes of text and structure, the limit"),
        ("answer_nonsense 010000000000000078", LIMITS, "cannot be read: its reader does not answer as it should"),
        ("answer_nonsense 040000000000000064585858", LIMITS, "cannot be read: what its reader made of it is none (no JSON"),
    ],
)  # fmt: skip
def test_a_process_that_ends_or_goes_too_far_is_one_file_that_failed(
    tmp_path: Path, content: str, limits: Limits, reason: str
) -> None:
    if content.startswith("take_memory") and sys.platform == "darwin":
        pytest.skip("macOS does not keep the limit of memory")
    found = []
    for number, each in enumerate(["say before", content, "say after"]):
        path = tmp_path / f"{number}.mischief"
        path.write_text(each)
        found.append(FoundFile.given(path, path.name, len(each)))
    with ReadAhead(found, limits=limits, processes=1) as readings:
        before, between, after = list(readings)
    assert [one.document.text for one in (*before.documents(), *after.documents())] == ["before", "after"]
    with pytest.raises(UnreadableDocument) as caught:
        between.documents()
    assert str(caught.value).startswith(f"1.mischief {reason}")


@pytest.mark.parametrize("content", ["sleep 3600", "compute"])
def test_a_process_that_takes_too_long_is_ended(content: str) -> None:
    process = started(replace(LIMITS, seconds=0.5))
    with pytest.raises(UnreadableDocument, match=r"^docs/a\.mischief takes longer to read than the 0.5 s that a file"):
        done(process, *content.split())
    assert not process.alive
    process.close()


def test_a_reader_that_raises_leaves_its_process_for_the_next_file(reading: ReadingProcess) -> None:
    with pytest.raises(UnreadableDocument):
        done(reading, "raise_an_error")
    assert reading.alive
    assert done(reading, "say", "on") == "on"


def test_a_file_is_read_again_where_the_process_had_read_others_before(tmp_path: Path) -> None:
    """A process that an earlier file has damaged ends at a later one, which is not to blame."""
    process = started()
    assert done(process, "say", "once") == "once"
    process.kill()
    with pytest.raises(Crashed):
        done(process, "say", "twice")
    path = tmp_path / "a.mischief"
    path.write_text("say twice")
    file = RawFile(path.name, path.name, "mischief", path.read_bytes())
    ahead = ReadAhead([], limits=LIMITS)
    fresh = started()
    fresh.files = 5
    fresh.process.kill()
    result, last = ahead._read(file, MISCHIEF, fresh)
    assert isinstance(result, list)
    assert decode_document(result[0])[0].text == "twice"
    assert last is not None
    last.close()
    process.close()


# Bytecode


def test_a_reader_without_bytecode_is_compiled_once_and_not_in_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uncompiled_reader.py").write_text("import its_library\n")
    (tmp_path / "its_library.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    process = ReadingProcess.start(LIMITS)
    process.wait_until_ready(None, ["uncompiled_reader", "missing_reader"])
    process.close()
    compiled = {path.name.partition(".")[0] for path in (tmp_path / "__pycache__").iterdir()}
    assert compiled == {"uncompiled_reader", "its_library"}


@on_linux
def test_no_reader_starts_a_thread_when_it_is_imported_which_would_not_be_confined() -> None:
    program = (
        "import os\n"
        "from importlib import import_module\n"
        "from ingest.readers.table import READERS\n"
        "for reader in READERS:\n"
        "    import_module(reader.module)\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    environment = reader_environment() | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "1\n"


# Ends


@on_linux
def test_a_process_ends_with_its_parent_whatever_it_is_doing() -> None:
    program = (
        "import sys, threading\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from mischief import MISCHIEF\n"
        "from ingest.box.limits import Limits\n"
        "from ingest.box.process import ReadingProcess\n"
        "from ingest.readers.raw_file import RawFile\n"
        "process = ReadingProcess.start(Limits())\n"
        "process.wait_until_ready(None)\n"
        "print(process.process.pid, flush=True)\n"
        "process.read(RawFile('a', 'a', 'mischief', b'sleep 3600'), MISCHIEF)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
        parent.wait()
    wait_until_gone(pid)


@on_linux
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_an_ingest_whose_reader_hangs_and_leaves_no_process(tmp_path: Path, number: int, code: int) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.mischief").write_text("sleep 3600")
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from mischief import MISCHIEF\n"
        "from ingest.box import ahead\n"
        "from ingest.readers.table import SUFFIXES\n"
        "from ingest.walk import walk\n"
        "from sql.base.terminal import run_command\n"
        "SUFFIXES['.mischief'] = MISCHIEF\n"
        "class Told(ahead.ReadingProcess):\n"
        "    def read(self, *given):\n"
        "        print(self.process.pid, flush=True)\n"
        "        return super().read(*given)\n"
        "ahead.ReadingProcess = Told\n"
        "def command(arguments):\n"
        "    with ahead.ReadAhead(walk(arguments).files) as readings:\n"
        "        list(readings)\n"
        "    return 0\n"
        "sys.exit(run_command(command, sys.argv[1:]))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "docs")],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as ingest:
        assert ingest.stdout is not None
        assert ingest.stderr is not None
        pid = int(ingest.stdout.readline())
        ingest.send_signal(number)
        assert "Traceback" not in ingest.stderr.read()
    assert ingest.returncode == code
    wait_until_gone(pid)
