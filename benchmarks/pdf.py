"""Seconds of a processor for the text of PDF files: the reader with places and structure against pypdf's plain text.

    python benchmarks/pdf.py FOLDER

Both read the same bytes, file by file and in turn, in one process; the best of three counts. A file that pypdf cannot
read is left out. What is compared is not the same work: pypdf gives the text of a page in the order of the file.
"""

from __future__ import annotations

import argparse
import logging
import sys
from io import BytesIO
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest.readers.pdf.read import read
from ingest.readers.raw_file import RawFile
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 3


def main() -> None:
    """Prints a line for each file and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder with PDF files, searched to its depth")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # pypdf tells of every fault that it mends
    totals = [0.0, 0.0]
    pages = 0
    print(f"{'file':40} {'pages':>6} {'here':>8} {'pypdf':>8} {'times':>6}")
    for path in sorted(options.folder.rglob("*.pdf")):
        data = path.read_bytes()
        try:
            count = with_pypdf(data)
            seconds = [best(lambda data=data: ours(data)), best(lambda data=data: with_pypdf(data))]
        except Exception as error:  # pypdf raises many kinds
            if not isinstance(error, UnreadableDocument):
                print(f"{path.name[:40]:40} left out: {type(error).__name__}")
            continue
        pages += count
        totals = [total + each for total, each in zip(totals, seconds, strict=True)]
        show(path.name, count, seconds)
    if pages:
        show("all", pages, totals)
        print(f"{1000 * totals[0] / pages:.1f} ms a page here, {1000 * totals[1] / pages:.1f} with pypdf")


def ours(data: bytes) -> None:
    """Reads a file as an ingest does."""
    for document in read(RawFile("file.pdf", "file.pdf", "pdf", data)):
        assert document.converted


def with_pypdf(data: bytes) -> int:
    """Reads the text of all pages with pypdf; their number."""
    from pypdf import PdfReader

    pages = PdfReader(BytesIO(data)).pages
    for page in pages:
        page.extract_text()
    return len(pages)


def best(work: Callable[[], object]) -> float:
    """The fewest seconds of a processor that the work took."""
    taken = []
    for _ in range(RUNS):
        started = process_time()
        work()
        taken.append(process_time() - started)
    return min(taken)


def show(name: str, pages: int, seconds: list[float]) -> None:
    """Prints one line."""
    print(f"{name[:40]:40} {pages:6} {seconds[0]:8.3f} {seconds[1]:8.3f} {seconds[1] / seconds[0]:6.1f}")


if __name__ == "__main__":
    main()
