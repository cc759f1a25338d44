"""A Jupyter notebook in (nbformat 3 and 4), its cells out: Markdown as it is read elsewhere, code, and outputs that are text.

Every piece knows the cell it is from, by its place in the notebook.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ingest.document import Block, HeadingPath, plain_heading
from ingest.places import NotebookCell, Place
from ingest.readers.decode import decode_text
from ingest.readers.markdown import markdown_blocks
from rag.text.sentences import trimmed
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from sql.records.metadata import MetadataValue

MAX_OUTPUT = 2000  # characters of the text of one output: a training run prints a line a second
_MAX_CELL_OUTPUT = 8000  # of all outputs of a cell
_ATX = re.compile(r"\s{0,3}(#{1,6})(?:[ \t]+(.*))?", re.DOTALL)
_EMBEDDED = re.compile(r"data:[\w/+.-]{0,60}(?:;[\w=-]{0,40}){0,4},[A-Za-z0-9+/=%\r\n]{100,}+")  # a picture as text
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_NO_TEXT = re.compile("[\0\x1b\ud800-\udfff]")
_OBJECT = re.compile(r"<[^<>\n]{1,200}>")  # how an object without text of its own shows itself


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a notebook."""
    written, encoding = decode_text(file.data, file.source)
    notebook = _parsed(written, file.source)
    writer = _Writer()
    for number, cell in enumerate(_cells(notebook), start=1):
        writer.write_cell(number, cell)
    yield file.document(
        "".join(writer.texts),
        writer.blocks,
        title=plain_heading(_text(_dict(notebook.get("metadata")).get("title"))) or writer.title,
        encoding=encoding,
        converted=True,
        places=writer.places,
        metadata=_metadata(notebook),
    )


def _parsed(written: str, source: str) -> dict[str, Any]:
    try:
        notebook = json.loads(written.removeprefix("\ufeff"), parse_int=_bounded_integer, strict=False)
    except json.JSONDecodeError as error:
        raise UnreadableDocument(
            f"{source} is not a notebook: line {error.lineno} is not JSON ({error.msg})"
        ) from error
    except RecursionError as error:
        raise UnreadableDocument(f"{source} is not a notebook: its JSON is nested deeper than any notebook") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells", notebook.get("worksheets")), list):
        raise UnreadableDocument(f"{source} is not a notebook: it has no list of cells")
    return notebook


def _bounded_integer(digits: str) -> int:
    """A number of a notebook: those that are of use are small, and Python refuses to read very long ones."""
    return int(digits[:9])


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells in order; before nbformat 4 they were on worksheets."""
    sheets = [notebook, *filter(_dict, _list(notebook.get("worksheets")))]
    for sheet in sheets:
        yield from map(_dict, _list(sheet.get("cells")))


def _metadata(notebook: dict[str, Any]) -> dict[str, MetadataValue]:
    """The language of the code and the name of its kernel."""
    metadata = _dict(notebook.get("metadata"))
    kernel = _dict(metadata.get("kernelspec"))
    languages = (
        _dict(metadata.get("language_info")).get("name"),
        kernel.get("language"),
        *(cell.get("language") for cell in _cells(notebook)),
    )
    found = {
        "language": next(filter(None, map(_text, languages)), ""),
        "kernel": _text(kernel.get("display_name") or kernel.get("name")),
    }
    return {name: value[:100] for name, value in found.items() if value}


class _Writer:
    """The text of a notebook as it grows."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.blocks: list[Block] = []
        self.places: list[Place] = []
        self._titles: list[tuple[int, str]] = []
        self._path = HeadingPath()
        self._length = 0

    @property
    def title(self) -> str:
        """The first heading of level 1, or else the first of any."""
        return next((title for level, title in self._titles if level == 1), self._titles[0][1] if self._titles else "")

    def write_cell(self, number: int, cell: dict[str, Any]) -> None:
        """Append a cell of any kind with its outputs."""
        first = len(self.blocks)
        source = _source(cell)
        if cell.get("cell_type") == "heading":  # of nbformat 3
            level = cell.get("level")
            source = f"{'#' * (min(max(level, 1), 6) if isinstance(level, int) else 1)} {source}"
        if cell.get("cell_type") in ("markdown", "heading"):
            self._write_markdown(source)
        else:
            self._write(source, "code" if cell.get("cell_type") == "code" else "paragraph")
            for output in _outputs(cell):
                self._write(output, "code")
        blocks = self.blocks[first:]
        if blocks:
            self.places.append(Place(blocks[0].start, blocks[-1].end, NotebookCell(number)))

    def _write_markdown(self, source: str) -> None:
        start = self._begin(source)
        for block in markdown_blocks(source)[1]:
            if block.kind == "heading":
                level, title = _heading(source[block.start : block.end])
                self._titles.append((level, title))
                self._path.enter(level, title)
            self.blocks.append(Block(start + block.start, start + block.end, block.kind, self._path.path))

    def _write(self, text: str, kind: str) -> None:
        start = self._begin(text)
        span = trimmed(text, 0, len(text))
        if span[0] < span[1]:
            self.blocks.append(Block(start + span[0], start + span[1], kind, self._path.path))

    def _begin(self, text: str) -> int:
        """Append a text and say where it begins; a blank one is none."""
        if not text.strip():
            return self._length
        divider = "\n\n" if self.texts else ""
        self.texts += (divider, text)
        start = self._length + len(divider)
        self._length = start + len(text)
        return start


def _heading(source: str) -> tuple[int, str]:
    """The level and the title of a heading in Markdown."""
    atx = _ATX.fullmatch(source)
    if atx:
        return len(atx[1]), plain_heading((atx[2] or "").rstrip("# \t"))
    title, _, underline = source.rstrip().rpartition("\n")
    return 1 if underline.strip().startswith("=") else 2, plain_heading(title)


def _source(cell: dict[str, Any]) -> str:
    text = _text(cell.get("source", cell.get("input")))
    return _EMBEDDED.sub("data:", text).strip("\r\n")


def _outputs(cell: dict[str, Any]) -> Iterator[str]:
    """The outputs that are text, each up to a length."""
    left = _MAX_CELL_OUTPUT
    for output in map(_dict, _list(cell.get("outputs"))):
        text = _bounded(_ANSI.sub("", _output(output)).strip("\r\n"), min(left, MAX_OUTPUT))
        left -= len(text)
        if text.strip():
            yield text


def _output(output: dict[str, Any]) -> str:
    if output.get("output_type") in ("error", "pyerr"):
        return ": ".join(filter(None, (_text(output.get("ename")), _text(output.get("evalue")))))
    data = _dict(output.get("data")) or output  # in nbformat 3 the forms of an output stand beside its type
    text = _text(data.get("text/plain", data.get("text")))
    return "" if _OBJECT.fullmatch(text.strip()) else text


def _bounded(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    end = text.rfind("\n", 0, length)
    return f"{text[: end if end > length // 2 else length].rstrip()} …" if length > 1 else ""


def _text(value: Any) -> str:
    """A text, which a notebook may hold as the list of its lines."""
    joined = "".join(filter(_is_text, value)) if isinstance(value, list) else value if isinstance(value, str) else ""
    return _NO_TEXT.sub(lambda found: found[0] if found[0] == "\x1b" else "\ufffd", joined)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
