"""Source code in, its blocks out, each under the name of the class or function that it is in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.document import Block, HeadingPath, plain_heading
from ingest.readers.decode import decode_text
from ingest.readers.paragraphs import bounded, text_start
from rag.text.sentences import line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

_NAME = r"([A-Za-z_$][\w$]{0,79})"
_MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|sealed|virtual|override|async|open|"
    r"data|inline|suspend|partial|unsafe|extern|pub|pub\(crate\)|const|declare|case|implicit|fileprivate|mutating)"
    r"[ ]+)*"  # not possessive: `const` is also how an arrow function begins
)
_TYPES = r"(?:class|interface|enum|record|struct|trait|object|protocol|extension|namespace|module|union|type)"
_FUNCTIONS = r"(?:function\*?|func|fun|fn|def|sub|impl|mod|macro_rules!)"
_GO_RECEIVER = r"(?:\([^()]{0,80}\)[ ]*)?"
_KEYWORD_DEFINITION = rf"{_MODIFIERS}(?:{_TYPES}|{_FUNCTIONS})[ ]+{_GO_RECEIVER}{_NAME}"
_ARROW_FUNCTION = rf"{_MODIFIERS}(?:let|var|const)[ ]+{_NAME}[ ]*=[ ]*(?:async[ ]*)?(?:\(|function\b)"
# A method without a keyword (Java, C#, C): words, a name, an opening parenthesis, and no semicolon at the end.
_TYPED_FUNCTION = (
    r"(?!(?:return|else|new|throw|delete|await|if|for|while|switch|case|goto)\b)"
    rf"[A-Za-z_][\w:<>,\[\]*&~ ]{{0,120}}?[ *&]{_NAME}[ ]?\([^;]*\Z"
)
_CURLY = f"{_KEYWORD_DEFINITION}|{_ARROW_FUNCTION}|{_TYPED_FUNCTION}"

_DEFINITIONS_OF = {
    ".py .pyi": rf"(?:async[ ]+)?(?:def|class)[ ]+{_NAME}",
    ".js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .svelte": f"{_KEYWORD_DEFINITION}|{_ARROW_FUNCTION}",
    ".java .cs .c .h .cc .cpp .cxx .hh .hpp .hxx .m .mm .dart .groovy .gradle .zig": _CURLY,
    ".kt .kts .scala .go .rs .swift .php .rb .lua .pl .pm .jl .ex .exs .ml .proto .graphql .thrift .ps1": (
        _KEYWORD_DEFINITION + rf"|(?:message|service|defmodule|local function)[ ]+{_NAME}"
    ),
    ".r": rf"{_NAME}[ ]*(?:<-|=)[ ]*function\b",
    ".sh .bash .zsh .fish": rf"(?:function[ ]+)?{_NAME}[ ]*\(\)|function[ ]+{_NAME}",
    ".sql": rf"(?i:create)[ ]+(?:(?i:or replace|temporary|temp|materialized)[ ]+)*(?i:table|view|function|procedure|"
    rf"trigger|index|database|schema)[ ]+(?:(?i:if not exists)[ ]+)?[\"`\[]?{_NAME}",
    ".toml .ini .cfg .conf": r"\[{1,2}([^\[\]\r\n]{1,80})\]",
    ".yaml .yml": r"([A-Za-z_][\w.-]{0,79}):",
}
_DEFINITIONS = {
    suffix: re.compile(pattern) for suffixes, pattern in _DEFINITIONS_OF.items() for suffix in suffixes.split()
}
_ANY_DEFINITION = re.compile(_KEYWORD_DEFINITION)
_LEADS_IN = ("#", "//", "/*", "*", "--", "@", '"""', "[<", "%", ";")  # comments and decorators above a definition
_MAX_CODE_LINE = 200  # characters of a line in which a definition is looked for: minified code is one line


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a file of source code, whose title is its whole name."""
    text, encoding = decode_text(file.data, file.source)
    yield file.document(text, code_blocks(text, file.suffix), title=file.name, encoding=encoding)


def code_blocks(text: str, suffix: str) -> list[Block]:
    """Code: a block begins after a blank line, at the lowest indentation or at a definition.

    Its heading is the name of the class or function it is in (`Index > search`), as far as a pattern can tell.
    """
    return bounded(text, _code_blocks(text, _DEFINITIONS.get(suffix, _ANY_DEFINITION)))


def _code_blocks(text: str, definition: re.Pattern[str]) -> Iterator[Block]:
    path = HeadingPath()
    start, end, heading = -1, -1, ""
    leads_in = True  # only comments and decorators so far: the definition below them names the block
    after_blank = True
    for line_start, line_end in line_spans(text, text_start(text)):
        first, last = trimmed(text, line_start, line_end)
        if first == last:
            after_blank = True
            continue
        indent = first - line_start
        match = definition.match(text, first, min(line_end, first + _MAX_CODE_LINE))
        begins = start < 0 or (after_blank and (indent == 0 or match or text.startswith(_LEADS_IN, first)))
        if begins:
            if start >= 0:
                yield Block(start, end, "code", heading)
            start, leads_in = first, True
        if match:
            path.enter(indent, plain_heading(next(filter(None, match.groups()))))
        elif not text.startswith(("}", ")", "]", "{"), first):
            path.enter(indent, "")  # a statement closes what is indented as far as it is
        if begins or (leads_in and match):
            heading = path.path
        leads_in = leads_in and not match and text.startswith(_LEADS_IN, first)
        end, after_blank = last, False
    if start >= 0:
        yield Block(start, end, "code", heading)
