"""The process that reads files for another: the bytes of one in, its documents and their chunks out, again and again.

It is started with nothing but two pipes and gives up all else before the first byte of a file reaches it. What it is told
comes from its parent and is trusted; what it answers is not.
"""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ingest.box.confine import confine, die_with, limit_time
from ingest.box.limits import Limits
from ingest.box.messages import Content, as_bytes, encode_document, from_bytes
from ingest.box.pipes import HEAD_BYTES
from ingest.chunk import split_document
from ingest.readers import documents_of
from ingest.readers.raw_file import RawFile
from ingest.readers.table import Reader
from rag.text.analyser import beginning, chunk_words, told_language
from sql.base.errors import UnreadableDocument, one_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.document import Document
    from rag.text.tokenizer import Tokenizer
    from sql.records import Chunk, ChunkWords

# A file is millions of small objects, few of them in cycles: looking for those every 700 takes some percent of the time.
OBJECTS_PER_COLLECTION = 50_000
# The first byte of an answer says what it is.
READY, DOCUMENT, DONE, UNREADABLE, TOO_LARGE, BROKEN = b"r", b"d", b".", b"u", b"m", b"b"


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut into chunks: see `ingest.chunk.split_document`. `tokenizer` is a tokenizer.json.

    With a `language` (rag.text.analyser.choose_language) the words of the chunks are made too, where it shows what
    language the document has without a look at others.
    """

    tokenizer: str
    tokenizer_tokens: int
    max_tokens: int
    overlap_tokens: int
    language: str | None = None

    @classmethod
    def by(cls, tokenizer: Tokenizer, max_tokens: int, overlap_tokens: int, language: str | None = None) -> Chunking:
        """As with this tokenizer."""
        return cls(tokenizer.library.to_str(), tokenizer.max_tokens, max_tokens, overlap_tokens, language)

    def splitter(self) -> Callable[[Document], Content]:
        """The function that cuts."""
        from rag.text.tokenizer import Tokenizer

        tokenizer = Tokenizer.from_bytes(self.tokenizer.encode(), self.tokenizer_tokens)

        def split(document: Document) -> Content:
            chunks = split_document(document, tokenizer, self.max_tokens, self.overlap_tokens)
            return Content(document, chunks, self._words(chunks))

        return split

    def _words(self, chunks: Sequence[Chunk]) -> list[ChunkWords] | None:
        texts = [chunk.text for chunk in chunks]
        language = None if self.language is None or not texts else told_language(beginning(texts), self.language)
        return None if language is None else [chunk_words(text, language) for text in texts]


@dataclass(frozen=True, slots=True)
class Channel:
    """The two pipes to the parent."""

    incoming: BinaryIO
    outgoing: BinaryIO

    def receive(self) -> bytes | None:
        """The next message; None where the parent has closed its end."""
        length = int.from_bytes(self.incoming.read(HEAD_BYTES), "little")
        return self.incoming.read(length) if length else None

    def answer(self, kind: bytes, content: bytes = b"") -> None:
        """Sends one message."""
        self.outgoing.write((len(kind) + len(content)).to_bytes(HEAD_BYTES, "little") + kind)
        self.outgoing.write(content)
        self.outgoing.flush()


def main(parent: int) -> None:
    """Reads files for the process of this number until it closes its end."""
    if not die_with(parent):
        return
    channel = open_channel()
    settings = from_bytes(channel.receive() or b"{}")
    if settings:
        import_uncompiled(settings["modules"])
        held = confine(Limits(*settings["limits"]))
        split = Chunking(*settings["chunking"]).splitter() if settings["chunking"] else Content
        collect_seldom()
        channel.answer(READY, as_bytes(held))
        while (message := channel.receive()) is not None:
            data = channel.receive() or b""
            answer(channel, from_bytes(message), data[1:], split)


def import_uncompiled(modules: Sequence[str]) -> None:
    """Imports those modules of which there is no bytecode yet, with what they import, so that Python can keep it.

    A confined process cannot write it: where an installer has compiled nothing, it would compile libraries in each run
    anew, which takes longer than reading a small folder.
    """
    for module in modules:
        with suppress(Exception):  # what is wrong with a module is said of the first file that needs it
            spec = find_spec(module)
            if spec is not None and spec.cached is not None and not Path(spec.cached).exists():
                import_module(module)


def collect_seldom() -> None:
    """Looks for garbage in cycles after many objects, and never among those that are there now."""
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    gc.enable()


def open_channel() -> Channel:
    """Takes the pipes away from where a library might print to, whose words would be taken for an answer."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
    return Channel(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"))


def answer(channel: Channel, job: dict[str, Any], data: bytes, split: Callable[[Document], Content]) -> None:
    """Reads one file and sends its documents; what a reader raises ends the file and not the process."""
    limit_time(job["seconds"])
    try:
        reader = Reader(job["format"], "", job["module"])
        file = RawFile(job["name"], job["source"], job["format"], data, ocr=job["ocr"])
        for document in documents_of(file, reader):
            channel.answer(DOCUMENT, encode_document(*split(document)))
    except UnreadableDocument as error:
        channel.answer(UNREADABLE, as_bytes(str(error)))
    except MemoryError:
        channel.answer(TOO_LARGE)
    except Exception as error:  # a fault of a reader, or of the library that it uses
        channel.answer(BROKEN, as_bytes(f"{type(error).__name__}: {one_reason(error)}"))
    else:
        channel.answer(DONE)
