"""LangChain's documents as those of the store, and hits as LangChain's documents: ids, texts and metadata, checked.

Metadata that plain columns of JSON can hold is stored under its own name, so that searches can be filtered by it; the
rest is kept together as one JSON text. What would come back changed is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from langchain_core.documents import Document

from sql.base.errors import InvalidMetadata, RagError
from sql.records import Chunk, SourceDocument, path_id
from sql.records.metadata import freeze_metadata
from sql.search.filters import COLUMNS, METADATA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sql.records import Hit
    from sql.search.filters import Filter

PATH_PREFIX = "langchain:"
FORMAT = "langchain"
# Names of metadata that are ours: the id of the document, and what plain metadata cannot hold, as JSON.
ID_NAME, JSON_NAME = "langchain_id", "langchain_json"
CONNECTIVES = {"$and", "$or", "$nor"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A text on its way into the store: the document it becomes and its one chunk."""

    id: str
    text: str
    document: SourceDocument

    @property
    def chunk(self) -> Chunk:
        """The whole text as a chunk; its tokens are not counted, since embeddings tokenize as they like."""
        return Chunk(0, self.text, 0, len(self.text), 1, 0, "", 0)


def make_entries(
    texts: Iterable[str], metadatas: Sequence[Mapping[str, Any]] | None, ids: Sequence[str | None] | None
) -> list[Entry]:
    """Texts, metadata and ids side by side, checked before anything is embedded."""
    given = list(texts)
    for name, values in (("metadatas", metadatas), ("ids", ids)):
        if values is not None and len(values) != len(given):
            raise ValueError(f"{len(given)} texts came with {len(values)} {name}: give one for each")
    return [
        make_entry(text, metadatas[row] if metadatas else {}, (ids[row] if ids else None) or str(uuid4()))
        for row, text in enumerate(given)
    ]


def make_entry(text: str, metadata: Mapping[str, Any], id_: str) -> Entry:
    """One text with its metadata; raises RagError for an empty one and for half a surrogate pair."""
    for name, value in (("text", text), ("id", id_)):
        if not isinstance(value, str):
            raise TypeError(f"the {name} {value!r:.80} is {type(value).__name__}: texts and ids are str")
    if not text:
        raise RagError(f"the text of the document {id_!r} is empty: there is nothing to find it by, leave it out")
    try:
        content, _ = text.encode(), id_.encode()
    except UnicodeEncodeError as error:
        raise RagError(f"the document {id_!r} holds half a surrogate pair, which is not text: remove it") from error
    source = metadata.get("source")
    document = SourceDocument(
        path=f"{PATH_PREFIX}{id_}",
        source=source if isinstance(source, str) and source else f"{PATH_PREFIX}{id_}",
        title="",
        format=FORMAT,
        encoding="utf-8",
        content_sha256=sha256(content).hexdigest(),
        content_bytes=len(content),
        chunker=FORMAT,
        metadata=stored_metadata(metadata, id_),
    )
    return Entry(id_, text, document)


def stored_metadata(metadata: Mapping[str, Any], id_: str) -> dict[str, Any]:
    """LangChain's metadata as the store's: plain values under their names, all else together as JSON.

    Raises InvalidMetadata for what is no JSON either.
    """
    plain = {name: value for name, value in metadata.items() if is_plain(name, value)}
    rest = {name: value for name, value in metadata.items() if name not in plain}
    if rest:
        try:
            written = json.dumps(rest, allow_nan=False)
            read = json.loads(written)
        except (TypeError, ValueError) as error:
            raise InvalidMetadata(f"the metadata of {id_!r} cannot be stored: {error}") from error
        if read != rest:  # a tuple within a dict, a number as a name
            raise InvalidMetadata(f"the metadata of {id_!r} would not come back as it is: {rest!r:.200}")
        plain[JSON_NAME] = written
    return plain | {ID_NAME: id_}


def is_plain(name: str, value: object) -> bool:
    """Whether metadata can be stored, and filtered by, under its own name."""
    if name in {ID_NAME, JSON_NAME} or isinstance(value, tuple):  # it would come back as a list
        return False
    try:
        freeze_metadata({name: value})  # type: ignore[dict-item]  # which is what has to be found out
    except InvalidMetadata:
        return False
    return True


def stored_filter(given: Filter) -> Filter:
    """A filter in which the name of a column means the metadata of documents that came through LangChain.

    Their place in a file says nothing, and their metadata may well hold a `source` or a `page`:

    >>> stored_filter({"year": 2020})
    {'$and': [{'year': 2020}]}
    """
    if not isinstance(given, Mapping):
        return given  # which is refused where filters are compiled
    return {"$and": [stored_entry(name, value) for name, value in given.items()]} if given else given


def stored_entry(name: str, value: Any) -> Filter:
    """One entry of a filter."""
    if name in CONNECTIVES and isinstance(value, list | tuple):
        return {name: [stored_filter(part) for part in value]}
    if name == "$not":
        return {name: stored_filter(value)}
    if name not in COLUMNS:
        return {name: value}
    through_langchain = {ID_NAME: {"$exists": True}}
    return {
        "$or": [
            {"$and": [through_langchain, {f"{METADATA_PREFIX}{name}": value}]},
            {"$and": [{"$not": through_langchain}, {name: value}]},
        ]
    }


def read_document(hit: Hit) -> Document:
    """A hit as LangChain's document: its own metadata if it came through LangChain, else its place in the file."""
    metadata = {name: list(value) if isinstance(value, tuple) else value for name, value in hit.metadata.items()}
    id_ = metadata.pop(ID_NAME, None)
    if id_ is not None:
        metadata |= json.loads(str(metadata.pop(JSON_NAME, "{}")))
        return Document(id=str(id_), page_content=hit.text, metadata=metadata)
    return Document(id=f"{hit.document_id}:{hit.chunk_index}", page_content=hit.text, metadata=metadata | hit.place())


def document_id(id_: str) -> UUID:
    """The id in the store of the document with an id of LangChain's."""
    return path_id(f"{PATH_PREFIX}{id_}")


def chunk_place(id_: str) -> tuple[UUID, int] | None:
    """Document and index behind the id of a chunk that `python -m ingest` has written; None for other ids."""
    name, separator, index = id_.partition(":")
    if not separator or not index.isascii() or not index.isdigit():
        return None
    try:
        return UUID(name), int(index)
    except ValueError:
        return None
