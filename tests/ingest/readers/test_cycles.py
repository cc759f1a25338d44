"""What reading a file leaves behind: processes that read files look for garbage in cycles seldom, so there must be little."""

from __future__ import annotations

import gc
from pathlib import PurePath

import pytest
from small_files import small_files

from ingest.readers import documents_of
from ingest.readers.raw_file import RawFile
from ingest.readers.table import reader_of

FEW = 10  # objects a file; pypdfium2 makes a pointer type for each page, 5 objects


@pytest.mark.everyday(".docx", ".pdf", ".html")
@pytest.mark.parametrize("suffix", small_files())
def test_a_file_that_was_read_leaves_next_to_nothing_that_only_a_search_for_cycles_finds(suffix: str) -> None:
    reader = reader_of(PurePath(f"a{suffix}"))
    assert reader is not None
    file = RawFile(f"a{suffix}", f"a{suffix}", reader.format, small_files()[suffix])
    assert list(documents_of(file, reader))  # what is made once and kept is there now
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            for document in documents_of(file, reader):
                del document
        assert gc.collect() <= 5 * FEW
    finally:
        gc.enable()
