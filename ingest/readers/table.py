"""Which files are read, and by what: for each format its suffixes and names, and the module that reads it.

A reader is a module with one function:

    def read(file: RawFile) -> Iterator[Document]

It gets the bytes of a file whatever they are; whether they are what the name promised is for it to say, by an
UnreadableDocument whose message begins with `file.source`. Readers of text decode them by ingest/readers/decode.py.
`file.document(...)` makes a document of the file. A file that holds several gives each a `part` of its own, a name by
which it is found in the file again (`attachments/plan.pdf`, `12`); they come in the same order on every run. Names are
the reader's to keep apart, such as those of two attachments that are called alike.

What a document of a format that is converted needs, besides its text and its blocks:

- `converted=True`: offsets count in the text that was extracted, which the store keeps;
- `line_marks` where the file has lines that people can find, `page_marks` where it has pages or slides
  (ingest/places.py), else neither;
- `places` as exact as the format knows them: rectangles, cells, the cell of a notebook, the part of a mail. Text that is
  in no place of the original, such as ` | ` between two cells, has none;
- blocks of the kinds that the chunker knows (ingest/document.py): a table is one block with a line for each row, the
  header first; a heading opens a path;
- `metadata` for filters, `remark` for what of it could not be kept.

The module is imported when the first file of the format is read: to list files or to show a help text needs none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ingest.readers.names import PROSE, suffix_of, without_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import PurePath

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile


@dataclass(frozen=True, slots=True)
class Reader:
    """How the files of a format are read.

    `format` is what the store and filters call it, `title` what people do. `suffixes` have their dot; `names` are whole
    names of files, which count before a suffix; both are in small letters and fit in any. `boxed` formats are read in
    a process of their own only (ingest/box): those that a library or anything else than our own code for text parses. A
    record of plain values: it can be given to another process.
    """

    format: str
    title: str
    module: str
    suffixes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    boxed: bool = True

    @property
    def read(self) -> Callable[[RawFile], Iterable[Document]]:
        """The function that makes documents of a file's bytes."""
        read: Callable[[RawFile], Iterable[Document]] = import_module(self.module).read
        return read


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


READERS = (
    Reader("markdown", "Markdown", "ingest.readers.markdown", _words(".md .markdown .mdown .mdx"), boxed=False),
    Reader("rst", "reStructuredText", "ingest.readers.rst", _words(".rst"), boxed=False),
    Reader("html", "HTML", "ingest.readers.html.page", _words(".html .htm .xhtml"), boxed=False),
    Reader("pdf", "PDF", "ingest.readers.pdf.read", (".pdf",)),
    Reader("csv", "CSV", "ingest.readers.delimited", _words(".csv .tsv .tab"), boxed=False),
    Reader("asciidoc", "AsciiDoc", "ingest.readers.asciidoc", _words(".adoc .asciidoc .asc .asciidoctor"), boxed=False),
    Reader("json", "JSON", "ingest.readers.json_text", _words(".json .jsonl .ndjson .geojson"), boxed=False),
    Reader("notebook", "notebooks", "ingest.readers.notebook", _words(".ipynb")),
    Reader("email", "e-mail", "ingest.readers.mail.reader", _words(".eml .mbox .mbx")),
    Reader("docx", "Word documents", "ingest.readers.office.word.document", _words(".docx .docm .dotx .dotm")),
    Reader("odt", "OpenDocument texts", "ingest.readers.odt.document", _words(".odt .ott .fodt")),
    Reader("xml", "XML", "ingest.readers.markup", _words(".xml .dbk .docbook .dita .tei .nxml .fb2")),
    Reader("svg", "SVG", "ingest.readers.drawing", _words(".svg")),
    Reader("rtf", "Rich Text Format", "ingest.readers.rtf.document", _words(".rtf")),
    Reader("epub", "EPUB", "ingest.readers.epub", _words(".epub")),
    Reader("pptx", "presentations", "ingest.readers.office.slides", _words(".pptx .pptm .ppsx .ppsm .potx .potm")),
    Reader(
        "spreadsheet",
        "spreadsheets",
        "ingest.readers.spreadsheet",
        _words(".xlsx .xlsm .xltx .xltm .xlsb .xls .ods .ots .fods"),
    ),
    Reader(
        "text",
        "plain text",
        "ingest.readers.text",
        _words(".txt .text .log"),
        _words(
            """readme license licence copying notice authors contributors changelog changes news install todo history
            maintainers"""
        ),
        boxed=False,
    ),
    Reader(
        "code",
        "source code",
        "ingest.readers.code",
        _words(
            """.py .pyi .js .mjs .cjs .jsx .ts .mts .cts .tsx .java .kt .kts .scala .groovy .go .rs .c .h .cc .cpp .cxx
            .hh .hpp .hxx .cs .m .mm .swift .rb .php .pl .pm .lua .r .jl .ex .exs .erl .hs .ml .clj .dart .zig .sh .bash
            .zsh .fish .ps1 .bat .sql .proto .graphql .thrift .css .scss .less .toml .yaml .yml .ini .cfg .conf
            .properties .cmake .mk .tf .gradle .vue .svelte"""
        ),
        _words(
            """makefile gnumakefile dockerfile containerfile jenkinsfile vagrantfile rakefile gemfile procfile justfile
            cmakelists.txt"""
        ),
        boxed=False,
    ),
)
SUFFIXES = {suffix: reader for reader in READERS for suffix in reader.suffixes}
SPHINX_INDEX = "searchindex.js"  # of the words of a manual: a sixth of the chunks of Borg's
MINIFIED = (".min.js", ".min.mjs", ".min.css")
NAMES = {name: reader for reader in READERS for name in reader.names}


def reader_of(path: PurePath | str) -> Reader | None:
    """The reader of a file by its name or else its suffix, in any letter case; None where it is not read."""
    name = os.path.basename(path).lower()  # noqa: PTH119 - of each of a million files
    return NAMES.get(name) or SUFFIXES.get(suffix_of(name)) or _reader_of_template(name)


def _reader_of_template(name: str) -> Reader | None:
    """The reader of a page of prose that a program completes; None where it is none.

    >>> [one and one.format for one in map(_reader_of_template, ("kiln.md.erb", "kiln.html.erb", "kiln.inc"))]
    ['markdown', None, None]
    """
    reader = SUFFIXES.get(suffix_of(without_template(name)))
    return reader if reader is not None and reader.format in PROSE else None


def is_generated(name: str) -> bool:
    """Whether a program has made a file of this name for programs: nobody asks what it says, and each is thousands of words.

    >>> is_generated("searchindex.js"), is_generated("jquery.min.js"), is_generated("search.js")
    (True, True, False)
    """
    return name.lower() == SPHINX_INDEX or name.lower().endswith(MINIFIED)


def readable_types() -> str:
    """What is read, for people: `Markdown, HTML or plain text`."""
    *others, last = (reader.title for reader in READERS)
    return f"{', '.join(others)} or {last}"
