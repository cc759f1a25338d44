"""`kill -9` at random moments of an ingest, with readers all the time: no document is lost, half or there twice."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reading_worker import STEADY, version_text, whole_texts
from support import PATIENCE, PROJECT, write_tiny_checkpoint

from sql.base.errors import EXIT_BUSY, EXIT_OK
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.text.tokenizer import Tokenizer

READER = Path(__file__).parent / "reading_worker.py"
FLEETING = 12  # files that come, go and are moved
Text = tuple[str, int]  # of which document, and which version


@dataclass
class Folder:
    """A folder of files with numbered versions, and what the store may hold of each."""

    path: Path
    choose: random.Random
    now: dict[str, Text] = field(default_factory=dict)
    left: dict[str, set[Text | None]] = field(default_factory=dict)  # what runs that were killed may have left of each
    version: int = 0

    def edit(self) -> None:
        """Some files are changed, some come, some go, and some are moved."""
        self.left = {name: self.allowed(name) for name in {*self.left, *self.now}}
        self.version += 1
        for name in STEADY:
            if name not in self.now or self.choose.random() < 0.6:
                self.write(name)
        for number in range(FLEETING):
            name = f"fleeting{number}.txt"
            if name not in self.now:
                self.write(name)
            elif self.choose.random() < 0.3:
                self.remove(name)
            elif self.choose.random() < 0.3:
                text = self.now[name]
                self.remove(name)
                self.write(f"moved{self.version}-{number}.txt", text)
        for name in [name for name in self.now if name.startswith("moved")]:
            if self.choose.random() < 0.5:
                self.remove(name)

    def write(self, name: str, text: Text | None = None) -> None:
        self.now[name] = text or (name, self.version)
        (self.path / name).write_text(version_text(*self.now[name]))

    def remove(self, name: str) -> None:
        del self.now[name]
        (self.path / name).unlink()

    def allowed(self, name: str) -> set[Text | None]:
        """What the store may hold of a file after a run that was killed."""
        return {*self.left.get(name, {None}), self.now.get(name)}

    def check(self, location: Path, *, is_done: bool) -> None:
        """Whether the store holds what the files say, or said before; only the former after a run that was not killed."""
        with Store.open(str(location)) as store:
            assert store.snapshot().damaged_documents() == []
            stored = whole_texts(store.snapshot())
        if is_done:
            assert stored == self.now
            self.left = {name: {text} for name, text in self.now.items()}
        for name in {*stored, *self.now, *self.left}:
            assert stored.get(name) in self.allowed(name), name


@dataclass
class Readers:
    """Processes that read all the time, one after the other, and what they have said."""

    location: Path
    heard: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While it lasts, somebody reads."""
        thread = threading.Thread(target=self._read)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(PATIENCE)

    def _read(self) -> None:
        while not self._ended.is_set():
            command = [sys.executable, str(READER), str(self.location)]
            with subprocess.Popen(
                command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as process:
                assert process.stdout is not None
                threading.Thread(target=self._end, args=(process,), daemon=True).start()
                for line in process.stdout:
                    self._hear(line.strip())
                errors = process.stderr.read() if process.stderr else ""
            if errors and not self._ended.is_set():
                self.violations.append(errors)

    def _end(self, process: subprocess.Popen[str]) -> None:
        self._ended.wait(PATIENCE)
        process.kill()

    def _hear(self, line: str) -> None:
        if line.startswith("VIOLATION"):
            self.violations.append(line)
        else:
            self.heard[line] += 1


def run_ingest(folder: Folder, store: Path, model: Path, seconds: float | None) -> tuple[bool, float]:
    """One ingest, killed so many seconds after it has opened the store; whether it was, and how long it was at work."""
    command = [sys.executable, "-m", "ingest", str(folder.path), "--db", str(store), "--model", str(model)]
    until = time.monotonic() + PATIENCE
    while True:
        with subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            while process.poll() is None and not (store / "socket").exists():
                time.sleep(0.005)
            started = time.monotonic()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return True, time.monotonic() - started
            errors = process.stderr.read() if process.stderr else ""
        if process.returncode != EXIT_BUSY:  # a reader had the store just then
            assert process.returncode == EXIT_OK, errors
            return False, time.monotonic() - started
        assert time.monotonic() < until, errors


@pytest.mark.parametrize("kills", [1, pytest.param(100, marks=pytest.mark.slow)])
def test_no_document_is_lost_half_or_there_twice_when_an_ingest_is_killed(
    tmp_path: Path, tokenizer: Tokenizer, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    choose = random.Random(kills)
    (tmp_path / "docs").mkdir()
    model, store = write_tiny_checkpoint(tmp_path / "tiny", tokenizer), tmp_path / "store"
    folder, readers = Folder(tmp_path / "docs", choose), Readers(store)
    folder.edit()
    _, length = run_ingest(folder, store, model, None)
    folder.check(store, is_done=True)
    killed = runs = 0
    with readers.at_work():
        while killed < kills:
            folder.edit()
            was_killed, _ = run_ingest(folder, store, model, choose.uniform(0, length))
            killed, runs = killed + was_killed, runs + 1
            folder.check(store, is_done=not was_killed)
            assert readers.violations == []
        run_ingest(folder, store, model, None)
    folder.check(store, is_done=True)
    assert readers.violations == []
    assert readers.heard["read elsewhere"] > 0
    with capsys.disabled():
        print(f"\n{killed} kills in {runs} runs: {dict(readers.heard)} whole reads checked")
