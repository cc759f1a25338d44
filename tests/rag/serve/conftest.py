"""A server that runs for the tests of a file: a small store, an encoder that hashes, a free port of this machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from serving import Running, serving
from support import hash_encoder

import ingest
from rag.library import Library
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer

TEXTS = {
    "cat.md": "# The cat\n\nThe cat sat on the mat.\n\n# The dog\n\nThe dog runs here.\n",
    "dog.txt": "The dog runs to the cat.\n",
    "one.txt": "One two three.\n",
}


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> Encoder:
    made, _ = hash_encoder(tokenizer)
    return made


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "docs"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@contextmanager
def filled(folder: Path, encoder: Encoder) -> Iterator[Library]:
    """A library for reading, over a store that is filled with the documents of a folder."""
    place = str(folder.parent / "store")
    with Library(Store.open(place, write=True), lambda: encoder) as writable:
        ingest.sync(writable, [folder])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag.answer.answer.DEFAULT_MIN_CONFIDENCE", 0.0)  # vectors that are hashes come close to nothing
        with Library(Store.open(place), lambda: encoder) as opened:
            yield opened


@pytest.fixture(scope="module")
def library(documents: Path, encoder: Encoder) -> Iterator[Library]:
    with filled(documents, encoder) as opened:
        yield opened


# For the page: a document that tries to be HTML, and a file whose pages can be drawn

HOSTILE = "The bird <img src=x onerror=document.title='taken'> sang <script>document.title='taken'</script> here.\n"


def written_pdf(*pages: str) -> bytes:
    """A file with a line of text on each page of 300 by 200 points; readers find the objects without a table of them."""
    kids = " ".join(f"{10 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj",
        f"2 0 obj<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>endobj",
        "3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj",
    ]
    for number, line in enumerate(pages):
        shown = f"BT /F1 12 Tf 1 0 0 1 40 120 Tm ({line}) Tj ET"
        content, page = 11 + 2 * number, 10 + 2 * number
        objects += [
            f"{page} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {content} 0 R>>endobj",
            f"{content} 0 obj<</Length {len(shown)}>>stream\n{shown}\nendstream endobj",
        ]
    return "\n".join(["%PDF-1.4", *objects, "trailer<</Root 1 0 R>>", "%%EOF", ""]).encode()


@pytest.fixture(scope="module")
def page_documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paged") / "docs"
    folder.mkdir()
    for name, text in (TEXTS | {"bird.txt": HOSTILE}).items():
        (folder / name).write_text(text)
    (folder / "plan.pdf").write_bytes(written_pdf("The first kiln is cold.", "The second kiln runs hot here."))
    return folder


@pytest.fixture(scope="module")
def page_library(page_documents: Path, encoder: Encoder) -> Iterator[Library]:
    with filled(page_documents, encoder) as opened:
        yield opened


@pytest.fixture(scope="module")
def running(library: Library, documents: Path) -> Iterator[Running]:
    with serving(library, documents) as one:
        yield one


@pytest.fixture(scope="module")
def http(running: Running) -> Iterator[httpx2.Client]:
    with running.client() as client:
        yield client
