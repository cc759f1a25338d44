"""Keys of a ClickHouse dictionary in, a row for each of them out, both as the engine's JSONEachRow: how SQL asks.

A dictionary that keeps nothing sends the keys of a block of rows in one request. What is wrong with one of them is a
column of its row, so that one bad question does not fail a table of them; what is wrong with all is the request's status.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from rag.serve import answers
from rag.serve.bodies import AskBody, SearchBody
from rag.serve.limits import MOST_KEYS, Refused
from rag.serve.tools import checked
from sql.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from rag.library import Library

    Record = dict[str, Any]

MEDIA_TYPE = "application/x-ndjson"
AT_ONCE = 4  # keys of one request that are in work: others have their turn between them
BAD_KEY = 422  # the status of what is wrong with a key and not with the server
CITATION = ("source", "start", "end", "line", "page", "text", "score")
HIT = (*CITATION, "document_id", "chunk_index")


@dataclass(frozen=True, slots=True)
class Dictionary:
    """What a dictionary of the engine asks for: the fields of its keys, and the row of a key."""

    key: dict[str, type]
    answer: Callable[[Library, Record], Record]
    nothing: Record  # its row where there is an error

    def keys(self, body: bytes) -> list[Record]:
        """The keys of a request, each once; Refused where these are none, or too many.

        Text of the engine may hold any bytes, which come back as they were: by its key a row is found again.
        """
        lines = list(dict.fromkeys(line for line in body.split(b"\n") if line.strip()))
        if len(lines) > MOST_KEYS:
            raise Refused(
                413,
                f"there are {len(lines):,} questions in one request, and at most {MOST_KEYS:,} are taken: ask for fewer rows, "
                "with LIMIT in a subquery",
                "too-large",
            )
        return [self._key(line) for line in lines]

    def _key(self, line: bytes) -> Record:
        try:
            key = json.loads(line.decode("utf-8", "surrogateescape"))
            written(key)
        except (ValueError, RecursionError) as error:
            raise Refused(BAD_KEY, f"a key is no JSON: {error}", "usage") from error
        kinds = {name: type(value) for name, value in key.items()} if isinstance(key, dict) else None
        if kinds != self.key:
            names = ", ".join(self.key)
            raise Refused(BAD_KEY, f"a key has {names}: make the dictionary with `python -m rag ddl`", "usage")
        return dict(key)

    def row(self, library: Library, key: Record) -> bytes:
        """The row of a key; an error of the library's where it cannot be had."""
        return written(key | self.answer(library, key) | {"status": 200, "error": ""})

    def failed(self, key: Record, refused: Refused) -> bytes:
        """The row of a key that was refused: with 422 for good, else it may be asked again."""
        return written(key | self.nothing | {"status": refused.status, "error": str(refused)})


def written(row: Record) -> bytes:
    """A row as the engine reads it; ValueError for half a character, which is in no text."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogateescape") + b"\n"


async def rows_of(
    dictionary: Dictionary, keys: list[Record], work: Callable[[Record], Awaitable[bytes]]
) -> AsyncGenerator[bytes]:
    """The row of each key in their order, as it is done; Refused where the server cannot even begin.

    `work` gives the row of one key, or raises Refused.
    """

    async def row(key: Record) -> bytes | Refused:
        try:
            return await work(key)
        except Refused as refused:
            return refused

    coming: Iterator[Record] = iter(keys)
    at_work = deque((key, asyncio.ensure_future(row(key))) for key in islice(coming, AT_ONCE))
    begun = False
    try:
        while at_work:
            key, task = at_work.popleft()
            found = await task
            if isinstance(found, Refused) and found.status != BAD_KEY and not begun:
                raise found
            begun = True
            at_work.extend((one, asyncio.ensure_future(row(one))) for one in islice(coming, 1))
            yield dictionary.failed(key, found) if isinstance(found, Refused) else found
    finally:
        left = [task for _, task in at_work]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


# The dictionaries


def answer_of(library: Library, key: Record) -> Record:
    """The columns of an answer."""
    asked = checked(AskBody, {"question": key["question"], "filter": filter_of(key)})
    record = answers.answered(library, asked)
    return {name: record[name] for name in ("answer", "answered", "confidence")} | {
        "citations": [{name: citation[name] for name in CITATION} for citation in record["citations"]]
    }


def hits_of(library: Library, key: Record) -> Record:
    """The column of hits, the best first."""
    asked = checked(SearchBody, {"question": key["question"], "k": key["k"], "filter": filter_of(key)})
    return {"hits": [{name: hit[name] for name in HIT} for hit in answers.found_hits(library, asked)["hits"]]}


def filter_of(key: Record) -> Any:
    """The filter of a key; none where it is empty."""
    try:
        return json.loads(key["filter"]) if key["filter"] else None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"filter: this is no JSON ({error}): '' is no filter") from error


ANSWERS = Dictionary(
    {"question": str, "filter": str},
    answer_of,
    {"answer": "", "answered": False, "confidence": 0.0, "citations": []},
)
HITS = Dictionary({"question": str, "k": int, "filter": str}, hits_of, {"hits": []})
