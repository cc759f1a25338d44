"""Small valid files with bytes changed at random: each is read or refused, and no reader stumbles over one."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest
from small_files import small_files
from support import PATIENCE

from ingest.box.limits import MEBIBYTE, Limits
from ingest.box.messages import decode_document
from ingest.box.process import Crashed, ReadingProcess
from ingest.readers.raw_file import RawFile
from ingest.readers.table import reader_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(memory_bytes=1024 * MEBIBYTE, seconds=PATIENCE, output_bytes=64 * MEBIBYTE)
EVERY_DAY = 25  # files of each format
LONG = int(os.environ.get("FUZZ_ROUNDS", "300"))
INTERESTING = (
    b"\x00",
    b"\xff",
    b"<",
    b">",
    b"&",
    b"[" * 40,
    b"(" * 40,
    b"{" * 40,
    b"-1",
    b"999999999",
    b"\x7f\xff\xff\xff",
)


def changed(data: bytes, chance: random.Random) -> bytes:
    """The file with one to four changes: bytes replaced, removed, repeated, moved, or put between others."""
    content = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place, length = chance.randrange(len(content) + 1), chance.choice((1, 1, 2, 8, 64))
        piece = content[place : place + length]
        match chance.randrange(6):
            case 0:
                content[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = piece * chance.randint(1, 20)
            case 3:
                content[place : place + length] = chance.choice(INTERESTING)
            case 4:
                other = chance.randrange(len(content) + 1)
                content[other:other] = piece
            case 5:
                del content[place if chance.random() < 0.1 else len(content) :]
    return bytes(content)


@dataclass
class Reading:
    """A process that reads, and the next one where it has ended."""

    process: ReadingProcess

    @classmethod
    def started(cls) -> Reading:
        process = ReadingProcess.start(LIMITS)
        process.wait_until_ready(None)
        return cls(process)

    def stumbles_over(self, suffix: str, seed: int) -> str:
        """What is wrong where a changed file is neither read nor refused."""
        name, data = f"a{suffix}", changed(small_files()[suffix], random.Random(f"{suffix} {seed}"))
        reader = reader_of(PurePath(name))
        assert reader is not None
        try:
            for content in self.process.read(RawFile(name, name, reader.format, data), reader):
                decode_document(content)
        except UnreadableDocument as error:
            return f"seed {seed}: {error}" if "its reader failed" in str(error) else ""
        except Crashed as error:
            self.process.close()
            self.process = self.started().process
            return f"seed {seed}: {error}"
        return ""


@pytest.fixture(scope="module")
def reading() -> Iterator[Reading]:
    started = Reading.started()
    yield started
    started.process.close()


@pytest.mark.parametrize("suffix", small_files())
def test_files_with_a_few_changed_bytes_are_read_or_refused(reading: Reading, suffix: str) -> None:
    assert [found for seed in range(EVERY_DAY) if (found := reading.stumbles_over(suffix, seed))] == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", small_files())
def test_very_many_files_with_changed_bytes_are_read_or_refused(reading: Reading, suffix: str) -> None:
    seeds = range(EVERY_DAY, EVERY_DAY + LONG)
    assert [found for seed in seeds if (found := reading.stumbles_over(suffix, seed))] == []
