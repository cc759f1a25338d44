"""The bytes of an RTF file in, its tokens out, each looked at once: braces, control words and symbols, and runs of bytes.

Written here and not taken from a package: striprtf, the one that is kept up, gives text without headings, notes or the
structure of tables, replaces by regular expressions what only a stack of groups can tell, and reads `\\bin` data as text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN, CLOSE, WORD, BYTES = "{", "}", "word", "bytes"
_TOKEN = re.compile(
    rb"\\(?P<word>[A-Za-z]{1,32})(?P<number>-?[0-9]{1,9})?[ ]?"
    rb"|\\'(?P<hex>[0-9A-Fa-f]{2})"
    rb"|\\(?P<symbol>[^A-Za-z'])"
    rb"|(?P<brace>[{}])"
    rb"|(?P<text>[^\\{}\r\n]++)"
    rb"|[\r\n]++"
    rb"|\\",
    re.DOTALL,
)


class Token(NamedTuple):
    """A piece of the file: `text` is the word or symbol, `number` what stands behind a word, `data` the bytes of text."""

    kind: str
    text: str = ""
    number: int | None = None
    data: bytes = b""


def tokens(data: bytes) -> Iterator[Token]:
    """All tokens, without the line ends between them and without binary data."""
    position, end = 0, len(data)
    while position < end:
        found = _TOKEN.match(data, position)
        if found is None:
            return
        position = found.end()
        if found["text"] is not None:
            yield Token(BYTES, data=found["text"])
        elif found["word"] is not None:
            word = found["word"].decode("ascii")
            number = int(found["number"]) if found["number"] is not None else None
            if word == "bin":
                position += max(number or 0, 0)
            yield Token(WORD, word, number)
        elif found["hex"] is not None:
            yield Token(BYTES, data=bytes.fromhex(found["hex"].decode("ascii")), text="'")
        elif found["symbol"] is not None:
            yield Token(WORD, found["symbol"].decode("latin-1"))
        elif found["brace"] is not None:
            yield Token(found["brace"].decode("ascii"))
