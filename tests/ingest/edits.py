"""Random edits of a folder, and what a store has to hold after each: a model of the sync that fits into a dict.

A file's own documents are made here afresh each time, by its reader and the splitter; what is modelled is everything around
them: which files count, which version of one that cannot be read is kept, and what each was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import hash_encoder

from ingest.cutting import split
from ingest.given_metadata import NOTHING_SAID, GivenMetadata
from ingest.identity import manifest_document
from ingest.readers import read_documents
from rag.index.surroundings import embedded_text
from rag.int8.quantization import quantize_vectors
from rag.library import Library as Asked
from sql.base.errors import UnreadableDocument
from sql.records.chunking import ChunkSettings

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from library import Library

    from rag.encoder.encoder import Encoder
    from sql.records.metadata import MetadataValue

    Metadata = Mapping[str, MetadataValue]

WORDS = ("kiln", "glaze", "celadon", "bisque", "raku", "slip", "wheel", "clay", "ash", "cone")
FOLDERS = ("", "a", "a/b", "c")
MAIL = "From: a@example.org\nSubject: {0}\nDate: Fri, 1 Mar 2024 10:00:00 +0000\n\n{1}\n\n"
UNREADABLE = b"PK\003\004 is no text"
IGNORE = ".gitignore"
MOST_FILES = 12


@dataclass(frozen=True)
class Chunk:
    """What the store has to say of a chunk."""

    text: str
    start: int
    end: int
    line: int
    place_name: str
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Expected:
    """What the store has to say of a document."""

    title: str
    format: str
    content: str
    chunks: tuple[Chunk, ...]
    metadata: tuple[tuple[str, Any], ...]
    places: int


@dataclass
class Edits:
    """A folder that is edited at random, what its store was told last, and the model of what the store holds."""

    library: Library
    choose: random.Random
    encoder: Encoder = field(init=False)
    kept: dict[str, dict[str, Expected]] = field(default_factory=dict)  # by file, then by document
    given: dict[str, dict[str, Any]] = field(default_factory=dict)  # by file
    deleted: dict[str, bytes] = field(default_factory=dict)  # files that can be restored
    said: GivenMetadata = NOTHING_SAID
    numbers: int = 0

    def __post_init__(self) -> None:
        self.encoder = hash_encoder(self.library.tokenizer)[0]

    # Editing

    def edit(self) -> str:
        """One random edit; what was done."""
        self.said = NOTHING_SAID
        edits: tuple[Callable[[], str], ...] = (
            *(self.add, self.add, self.grow, self.shrink, self.move, self.delete, self.restore, self.swap, self.touch),
            *(self.copy, self.give, self.give, self.ignore, self.spoil, self.empty, self.move_folder, self.nothing),
        )
        return self.choose.choice(edits)()

    def files(self) -> list[str]:
        """The files of the folder, whether they count or not."""
        found = (path for path in self.library.folder.rglob("*") if path.is_file() and path.name != IGNORE)
        return sorted(str(path.relative_to(self.library.folder)) for path in found)

    def one(self) -> Path | None:
        """One of the files."""
        files = self.files()
        return self.library.folder / self.choose.choice(files) if files else None

    def text(self, paragraphs: int) -> str:
        """Some paragraphs, each with words to search by and a number that no other has."""
        some = []
        for _ in range(paragraphs):
            self.numbers += 1
            words = " ".join(self.choose.choices(WORDS, k=self.choose.randint(3, 12)))
            some.append(f"The {words} of number {self.numbers}.")
        return "\n\n".join(some)

    def content(self, suffix: str) -> bytes:
        """A file of a format."""
        text = self.text(self.choose.randint(1, 6))
        if suffix == ".md":
            front = "---\nyear: 1998\nauthor: Ada\n---\n\n" if self.choose.random() < 0.3 else ""
            return f"{front}# {self.choose.choice(WORDS)}\n\n{text}\n".encode()
        if suffix == ".html":
            return "".join(f"<p>{part}</p>\n" for part in text.split("\n\n")).encode()
        if suffix == ".csv":
            rows = (f"{number},{part}" for number, part in enumerate(text.split("\n\n")))
            return ("number,text\n" + "\n".join(rows) + "\n").encode()
        if suffix == ".mbox":
            mails = (
                f"From a@example.org\n{MAIL.format(number, part)}" for number, part in enumerate(text.split("\n\n"))
            )
            return "".join(mails).encode()
        return f"{text}\n".encode()

    def new_place(self, suffix: str) -> Path:
        """Where there is no file yet."""
        self.numbers += 1
        folder = self.library.folder / self.choose.choice(FOLDERS)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"f{self.numbers}{suffix}"

    def add(self) -> str:
        if len(self.files()) >= MOST_FILES:
            return self.delete()
        suffix = self.choose.choice((".md", ".txt", ".html", ".csv", ".mbox"))
        path = self.new_place(suffix)
        path.write_bytes(self.content(suffix))
        return f"add {path.name}"

    def grow(self) -> str:
        if (path := self.one()) is None:
            return self.add()
        path.write_bytes(path.read_bytes() + self.content(path.suffix))
        return f"grow {path.name}"

    def shrink(self) -> str:
        if (path := self.one()) is None:
            return self.add()
        data = path.read_bytes()
        path.write_bytes(data[: self.choose.randint(0, len(data))])
        return f"shrink {path.name}"

    def move(self) -> str:
        if (path := self.one()) is None:
            return self.add()
        target = self.new_place(path.suffix)
        path.rename(target)
        return f"move {path.name} to {target.relative_to(self.library.folder)}"

    def move_folder(self) -> str:
        here = [self.library.folder / name for name in ("a", "c") if (self.library.folder / name).is_dir()]
        if not here:
            return self.move()
        folder = self.choose.choice(here)
        self.numbers += 1
        target = folder.with_name(f"{folder.name}{self.numbers}")
        folder.rename(target)
        return f"move {folder.name}/ to {target.name}/"

    def delete(self) -> str:
        if (path := self.one()) is None:
            return self.add()
        self.deleted[str(path.relative_to(self.library.folder))] = path.read_bytes()
        path.unlink()
        return f"delete {path.name}"

    def restore(self) -> str:
        if not self.deleted:
            return self.add()
        name = self.choose.choice(sorted(self.deleted))
        self.library.write(name, self.deleted.pop(name))
        return f"restore {name}"

    def swap(self) -> str:
        """A file of another format at the same place but for its suffix, or two files in each other's place."""
        if (path := self.one()) is None or (other := self.one()) is None:
            return self.add()
        if path != other and path.suffix == other.suffix:
            data = path.read_bytes()
            path.write_bytes(other.read_bytes())
            other.write_bytes(data)
            return f"swap {path.name} and {other.name}"
        target = path.with_suffix(".txt" if path.suffix == ".md" else ".md")
        path.replace(target)
        return f"rename {path.name} to {target.name}"

    def touch(self) -> str:
        if (path := self.one()) is None:
            return self.add()
        path.write_bytes(path.read_bytes())
        path.touch()
        return f"touch {path.name}"

    def copy(self) -> str:
        if (path := self.one()) is None or len(self.files()) >= MOST_FILES:
            return self.delete()
        target = self.new_place(path.suffix)
        target.write_bytes(path.read_bytes())
        return f"copy {path.name} to {target.name}"

    def spoil(self) -> str:
        if (path := self.one()) is None:
            return self.add()
        path.write_bytes(UNREADABLE)
        return f"spoil {path.name}"

    def empty(self) -> str:
        if (path := self.one()) is None:
            return self.add()
        path.write_bytes(b"")
        return f"empty {path.name}"

    def give(self) -> str:
        """Other metadata, or none, for all files and for some."""
        some = {"team": self.choose.choice(("blue", "red")), "floor": self.choose.randint(1, 3)}
        for_all = {name: value for name, value in some.items() if self.choose.random() < 0.5}
        by_path = {
            path: {"year": self.choose.randint(2000, 2003)}
            for path in ("*.md", "a/", "c", "*.txt")
            if self.choose.random() < 0.3
        }
        self.said = GivenMetadata.said(for_all, by_path)
        return f"give {for_all} {by_path}"

    def ignore(self) -> str:
        """Files of a format are left out from now on, or are not any longer."""
        line = self.choose.choice(("*.csv", "a/", "*.html", ""))
        self.library.write(IGNORE, f"{line}\n")
        return f"ignore {line!r}"

    def nothing(self) -> str:
        return "nothing"

    # The model

    def sync(self) -> None:
        """One run, of the program and of the model."""
        self.library.sync(said=self.said)
        self.model()

    def counting(self) -> list[str]:
        """The files that count, by the one line that the .gitignore has."""
        path = self.library.folder / IGNORE
        line = path.read_text().strip() if path.is_file() else ""
        if not line:
            return self.files()
        if line.endswith("/"):
            return [name for name in self.files() if line.rstrip("/") not in Path(name).parts[:-1]]
        return [name for name in self.files() if Path(name).suffix != line[1:]]

    def model(self) -> None:
        """What the store is to hold now."""
        names = self.counting()
        gone = {name: self.kept[name] for name in self.kept if name not in names}
        kept: dict[str, dict[str, Expected]] = {}
        given: dict[str, dict[str, Any]] = {}
        for name in names:
            path = self.library.folder / name
            try:
                made = self.documents(path)
            except UnreadableDocument:
                if name in self.kept:
                    kept[name], given[name] = self.kept[name], self.given[name]
                continue
            has_text = any(document.chunks for document in made.values())
            given[name] = self.wanted(name, path, gone) if has_text else {}
            kept[name] = {one: with_metadata(document, given[name]) for one, document in made.items()}
        self.kept, self.given = kept, given

    def wanted(self, name: str, path: Path, gone: Mapping[str, Mapping[str, Expected]]) -> dict[str, Any]:
        """What a file is given: what is said, what it had, or what one of the same content that is gone had."""
        if self.said.was_said:
            found = {}
            for rule in self.said.rules:
                fits = (
                    Path(name).suffix == rule.path[1:]
                    if "*" in rule.path
                    else name.startswith(f"{rule.path.strip('/')}/")
                )
                found |= dict(rule.metadata) if fits else {}
            return found | dict(self.said.for_all)
        if name in self.kept:
            return self.given[name]
        content = sha256(path.read_bytes()).hexdigest()
        before = [one for one, documents in gone.items() if self.given[one] and holds(documents, content)]
        return self.given[max(before, key=lambda one: str(self.library.folder / one))] if before else {}

    def documents(self, path: Path) -> dict[str, Expected]:
        """The documents of a file, as an ingest into an empty store would have them."""
        found = {}
        for document in read_documents(path, str(path)):
            chunks, described = split(document, self.encoder, ChunkSettings()), manifest_document(document, str(path))
            codes = self.codes([embedded_text(chunk, described, self.encoder) for chunk in chunks])
            found[document.source] = Expected(
                document.title,
                document.format,
                document.content_hash,
                tuple(
                    Chunk(chunk.text, chunk.start, chunk.end, chunk.line, chunk.place_name, code)
                    for chunk, code in zip(chunks, codes, strict=True)
                ),
                tuple(sorted(document.metadata.items())) if chunks else (),
                len([*document.page_places(), *document.places]),
            )
        return found

    def codes(self, texts: list[str]) -> list[tuple[int, ...]]:
        """The codes of texts, embedded here and now."""
        if not texts:
            return []
        vectors = self.encoder.encode_documents(texts)
        return [tuple(row) for row in quantize_vectors(vectors).codes.tolist()]

    # The store

    def stored(self) -> dict[str, Expected]:
        """What the store holds, in the form of the model."""
        snapshot = self.library.store.snapshot()
        listed = snapshot.listed_documents()
        hits = snapshot.document_chunks([one.document.document_id for one in listed])
        codes = snapshot.hit_vectors(hits).codes.tolist() if hits else []
        chunks: dict[str, list[Chunk]] = {}
        for hit, row in zip(hits, codes, strict=True):
            chunk = Chunk(hit.text, hit.start, hit.end, hit.line, hit.place_name, tuple(row))
            chunks.setdefault(hit.source, []).append(chunk)
        return {
            one.document.source: Expected(
                one.document.title,
                one.document.format,
                one.document.content_sha256,
                tuple(chunks.get(one.document.source, ())),
                tuple(sorted(one.metadata.items())),
                one.place_count,
            )
            for one in listed
        }

    def expected(self) -> dict[str, Expected]:
        """What it has to hold."""
        return {source: document for documents in self.kept.values() for source, document in documents.items()}

    def found_by(self, word: str) -> set[tuple[str, int]]:
        """The chunks that a search by words finds, by source and start."""
        asked = Asked(self.library.store, lambda: self.encoder)
        hits = asked.search(word, k=1000, ranking="words") if self.kept else []
        return {(hit.source, hit.start) for hit in hits}

    def holding(self, word: str) -> set[tuple[str, int]]:
        """The chunks that hold a word."""
        return {
            (source, chunk.start)
            for source, document in self.expected().items()
            for chunk in document.chunks
            if word in chunk.text.lower()
        }


def with_metadata(document: Expected, given: Mapping[str, Any]) -> Expected:
    """A document that was given some; one without text has none."""
    if not document.chunks:
        return document
    metadata = tuple(sorted((dict(document.metadata) | dict(given)).items()))
    return Expected(document.title, document.format, document.content, document.chunks, metadata, document.places)


def holds(documents: Mapping[str, Expected], content: str) -> bool:
    """Whether the documents of a file were made of this content."""
    return any(document.content == content for document in documents.values())
