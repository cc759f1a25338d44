"""Whatever a file holds, it ends as documents or as one failed file with a sentence on it, and its reader lives on."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest
from hostile_files import PACKED, hostile_files
from small_files import small_files
from support import PATIENCE

from ingest.box.limits import MEBIBYTE, Limits
from ingest.box.messages import decode_document
from ingest.box.process import ReadingProcess
from ingest.readers.raw_file import RawFile
from ingest.readers.table import READERS, reader_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(memory_bytes=1024 * MEBIBYTE, seconds=PATIENCE, output_bytes=8_000_000)
HOSTILE = hostile_files()
# Of archives, and of the XML in those whose readers parse it themselves; the others may be read as far as they can be.
BAD_ARCHIVES = {"bomb beyond the limit", "name that leads up", "name from the root", "name with backslashes", "unknown packing",
                "entry that is twice there", "encrypted by its flags", "cut in the middle", "only the end of one"}  # fmt: skip
BAD_XML = {
    "bomb in a bomb",
    "entities in entities",
    "entity of a file",
    "deep nesting",
    "broken XML",
    "no XML",
    "empty",
}
SHEETS = {".xlsx", ".ods"}


@pytest.fixture(scope="module")
def reading() -> Iterator[ReadingProcess]:
    """One process for all of them: a reader that crashed would take the rest along."""
    process = ReadingProcess.start(LIMITS)
    process.wait_until_ready(None)
    yield process
    process.close()


def outcome(process: ReadingProcess, name: str, data: bytes) -> str:
    """The reason why a file is not read, "" where it is."""
    reader = reader_of(PurePath(name))
    assert reader is not None
    try:
        contents = process.read(RawFile(name, name, reader.format, data), reader)
    except UnreadableDocument as error:
        return str(error)
    for content in contents:
        document = decode_document(content).document
        assert document.source.startswith(name)
    return ""


@pytest.mark.parametrize("suffix", small_files())
def test_the_small_files_that_others_are_made_of_are_read(reading: ReadingProcess, suffix: str) -> None:
    assert outcome(reading, f"a{suffix}", small_files()[suffix]) == ""


def test_there_is_a_small_file_of_every_format() -> None:
    readers = [reader_of(PurePath(f"a{suffix}")) for suffix in small_files()]
    assert {reader.format for reader in readers if reader} == {reader.format for reader in READERS}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence_or_read_as_far_as_it_can_be(
    reading: ReadingProcess, name: str
) -> None:
    reason = outcome(reading, name, HOSTILE[name])
    assert "its reader" not in reason, reason
    assert "takes longer" not in reason
    assert "memory" not in reason
    assert not reason or reason.startswith(name)
    assert "\n" not in reason
    path = PurePath(name)
    if path.suffix in PACKED and path.stem in (BAD_ARCHIVES if path.suffix in SHEETS else BAD_ARCHIVES | BAD_XML):
        assert reason
    assert reading.alive
