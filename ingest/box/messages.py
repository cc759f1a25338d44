"""Documents and chunks in, bytes out, and back: the plain form in which a process that is not trusted gives its results.

Everything is JSON: lists of texts, numbers and truth values. Nothing in it can name code, as a pickle can; what comes
back is taken only where it has the types that the records declare, and the records' own checks look at it again.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from ingest.document import Block, Document
from ingest.places import Cells, MailPart, NotebookCell, PageMark, Place, Rectangle
from sql.records import Chunk, ChunkWords, Lead, Outline, Section
from sql.records.metadata import MetadataValue, freeze_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_WORDS = 2**31  # of a chunk
GREATEST = 2**63  # no offset or number of ours is as large
# What the annotations of the records name; they are not imported there at run time.
_NAMES: dict[str, Any] = {
    one.__name__: one
    for one in (
        *(Block, Document, Chunk, Lead, Outline, Section, Cells, MailPart, NotebookCell, PageMark, Place, Rectangle),
        *(Mapping, Sequence),
    )
} | {"MetadataValue": MetadataValue}
_METADATA = Mapping[str, MetadataValue]


class BadMessage(Exception):
    """What came is no such record."""


class Content(NamedTuple):
    """A document with its chunks, or without where they are not made yet, and the words of the chunks if they are made."""

    document: Document
    chunks: Sequence[Chunk] | None = None
    words: Sequence[ChunkWords] | None = None


class Codec(NamedTuple):
    """How values of one type become JSON and come back; `decode` raises BadMessage or ValueError."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def as_bytes(value: object) -> bytes:
    """A value as JSON in UTF-8; half a surrogate pair, which a text of another format may hold, comes back as it was."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def from_bytes(content: bytes) -> Any:
    """The value behind JSON; BadMessage where it is none."""
    try:
        return json.loads(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"no JSON: {error}") from error


def encode_document(
    document: Document, chunks: Sequence[Chunk] | None, words: Sequence[ChunkWords] | None = None
) -> bytes:
    """What `Content` holds. The texts of chunks are those of the document."""
    rows = None if chunks is None else [_codec(Chunk).encode(chunk) for chunk in chunks]
    word_rows = None if words is None else [[one.language, dict(one.terms), one.words] for one in words]
    return as_bytes([_codec(Document).encode(document), rows, word_rows])


def decode_document(content: bytes) -> Content:
    """What `encode_document` was given; BadMessage where the bytes are anything else.

    A chunk is cut from the document here, so that it can be nothing but what stands there.
    """
    message = from_bytes(content)
    try:
        row, chunk_rows, word_rows = message
        document: Document = _codec(Document).decode(row)
        if chunk_rows is None:
            return Content(document)
        chunks = [_decode_chunk(document, number, row) for number, row in enumerate(_listed(chunk_rows))]
        if word_rows is None:
            return Content(document, chunks)
        if len(_listed(word_rows)) != len(chunks):
            raise BadMessage(f"{len(chunks)} chunks of {document.source} have the words of {len(word_rows)}")
        return Content(document, chunks, [_decode_words(*_listed(row)) for row in word_rows])
    except BadMessage:
        raise
    except Exception as error:  # whatever it is that the records or we ourselves stumble over
        raise BadMessage(f"no document: {type(error).__name__}: {error}") from error


def _decode_chunk(document: Document, number: int, row: Any) -> Chunk:
    names = [field.name for field in fields(Chunk)]
    index, start, end = (_listed(row)[names.index(name)] for name in ("index", "start", "end"))
    if index != number or not (type(start) is type(end) is int and 0 <= start < end <= len(document.text)):
        raise BadMessage(f"chunk {number} of {document.source} is {index!r:.20}, {start!r:.20}..{end!r:.20}")
    row[names.index("text")] = document.text[start:end]
    chunk: Chunk = _codec(Chunk).decode(row)
    return chunk


def _decode_words(language: Any, terms: Any, words: Any) -> ChunkWords:
    if type(words) is not int or not 0 <= words < MOST_WORDS:
        raise BadMessage(f"{words!r:.20} is no number of words")
    if any(type(number) is not int or not 0 < number <= max(words, 1) for number in _of_type(terms, dict).values()):
        raise BadMessage("a term occurs as often as it cannot")
    "".join(terms).encode()  # half a surrogate pair, which no word holds, would end the whole run later
    return ChunkWords(_of_type(language, str), terms, words)


# Codecs


@cache
def _codec(hint: Any) -> Codec:
    """The codec of a type as a record declares it."""
    if hint in {str, bool}:
        return Codec(_same, lambda value: _of_type(value, hint))
    if hint is int:
        return Codec(_same, _integer)
    if hint is float:
        return Codec(float, lambda value: _of_type(value, float))
    if hint == _METADATA:
        return Codec(dict, lambda value: dict(freeze_metadata(_of_type(value, dict))))
    if is_dataclass(hint):
        return _record_codec(hint)
    if get_origin(hint) is tuple:
        return _tuple_codec(get_args(hint))
    if get_origin(hint) in {Union, types.UnionType}:
        return _union_codec(get_args(hint))
    raise TypeError(f"a record holds {hint}, for which there is no plain form")


def _record_codec(record: Any) -> Codec:
    """A record as the list of its fields, in order; the text of a chunk is left out."""
    hints = get_type_hints(record, localns=_NAMES)
    names = [field.name for field in fields(record)]
    codecs = [_codec(hints[name]) for name in names]
    values: Callable[[Any], Any] = attrgetter(*names) if len(names) > 1 else lambda one: (getattr(one, names[0]),)
    decoders = [codec.decode for codec in codecs]
    text = names.index("text") if record is Chunk else None

    def encode(one: Any) -> Any:
        row = [codec.encode(value) for codec, value in zip(codecs, values(one), strict=True)]
        if text is not None:
            row[text] = ""
        return row

    def decode(row: Any) -> Any:
        if len(_listed(row)) != len(decoders):
            raise BadMessage(f"{record.__name__} has {len(decoders)} fields, not {len(row)}")
        return record(*[decode(value) for decode, value in zip(decoders, row, strict=True)])

    if all(codec.encode is _same for codec in codecs) and text is None:
        return Codec(values, decode)
    return Codec(encode, decode)


def _tuple_codec(inner: tuple[Any, ...]) -> Codec:
    if len(inner) == 2 and inner[1] is Ellipsis:
        one = _codec(inner[0])
        return Codec(lambda many: list(map(one.encode, many)), lambda many: tuple(map(one.decode, _listed(many))))
    codecs = [_codec(hint) for hint in inner]

    def decode(row: Any) -> Any:
        if len(_listed(row)) != len(codecs):
            raise BadMessage(f"{len(codecs)} values are wanted, not {len(row)}")
        return tuple(codec.decode(value) for codec, value in zip(codecs, row, strict=True))

    return Codec(lambda row: [codec.encode(value) for codec, value in zip(codecs, row, strict=True)], decode)


def _union_codec(inner: tuple[Any, ...]) -> Codec:
    """One of several records, or of a record and None, with its name."""
    named = {hint.__name__: _codec(hint) for hint in inner if hint is not type(None)}

    def encode(one: Any) -> Any:
        return None if one is None else [type(one).__name__, named[type(one).__name__].encode(one)]

    def decode(value: Any) -> Any:
        if value is None and type(None) in inner:
            return None
        name, row = _listed(value)
        if not isinstance(name, str) or name not in named:
            raise BadMessage(f"{name!r:.40} is none of {', '.join(named)}")
        return named[name].decode(row)

    return Codec(encode, decode)


def _same(value: Any) -> Any:
    return value


def _of_type(value: Any, wanted: type) -> Any:
    if type(value) is not wanted:
        raise BadMessage(f"{wanted.__name__} is wanted, not {value!r:.40}")
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or not -GREATEST <= value < GREATEST:
        raise BadMessage(f"a whole number of 64 bits is wanted, not {value!r:.40}")
    return value


def _listed(value: Any) -> list[Any]:
    listed: list[Any] = _of_type(value, list)
    return listed
