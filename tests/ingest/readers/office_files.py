"""Office files made by hand, as small as they can be: a body in, the bytes of the whole file out."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from ingest.readers.raw_file import RawFile
from ingest.readers.table import READERS

if TYPE_CHECKING:
    from ingest.document import Document

OFFICE = "http://schemas.openxmlformats.org"
RELATIONSHIPS = f"{OFFICE}/officeDocument/2006/relationships"
SPACES = (
    f'xmlns:w="{OFFICE}/wordprocessingml/2006/main" xmlns:r="{RELATIONSHIPS}" xmlns:p="{OFFICE}/presentationml/2006/main" '
    f'xmlns:a="{OFFICE}/drawingml/2006/main" xmlns:m="{OFFICE}/officeDocument/2006/math" '
    f'xmlns:mc="{OFFICE}/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml" '
    f'xmlns:dgm="{OFFICE}/drawingml/2006/diagram" xmlns:c="{OFFICE}/drawingml/2006/chart" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:x9="http://unknown.example/9"'
)
CORE = (
    f'<c:coreProperties xmlns:c="{OFFICE}/package/2006/metadata/core-properties" xmlns:d="http://purl.org/dc/elements/1.1/" '
    'xmlns:t="http://purl.org/dc/terms/">{}</c:coreProperties>'
)


def zipped(entries: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of the entries, in their order."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return kept.getvalue()


def relationships(*related: tuple[str, str]) -> str:
    """The relationships of a part: each a kind and the path of another part, with the ids r1, r2, ..."""
    listed = "".join(
        f'<Relationship Id="r{number}" Type="{RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(related, start=1)
    )
    return f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{listed}</Relationships>'


def word_file(
    body: str, core: str = "", pages: int = 0, more: dict[str, str | bytes] | None = None, **parts: str
) -> bytes:
    """A Word file; `parts` are the contents of styles, numbering, footnotes, endnotes, comments and settings.

    `more` are entries of the archive as they are, in the place of those that would be there.
    """
    tops = {"styles": "styles", "numbering": "numbering", "footnotes": "footnotes", "endnotes": "endnotes",
            "comments": "comments", "settings": "settings"}  # fmt: skip
    related = [(kind, f"{kind}.xml") for kind in parts]
    outer = [("officeDocument", "word/main.xml"), ("metadata/core-properties", "docProps/core.xml"),
             ("extended-properties", "docProps/app.xml")]  # fmt: skip
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relationships(*outer),
        "docProps/core.xml": CORE.format(core),
        "docProps/app.xml": f"<Properties><Pages>{pages}</Pages></Properties>",
        "word/main.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
        "word/_rels/main.xml.rels": relationships(*related),
    }
    entries.update(more or {})
    for kind, content in parts.items():
        entries[f"word/{kind}.xml"] = f"<w:{tops[kind]} {SPACES}>{content}</w:{tops[kind]}>"
    return zipped(entries)


def read_bytes(data: bytes, name: str) -> Document:
    """The one document of a file of this name."""
    suffix = f".{name.rpartition('.')[2]}"
    (reader,) = (reader for reader in READERS if suffix in reader.suffixes)
    (document,) = reader.read(RawFile(name, name, reader.format, data))
    return document


def check_blocks(document: Document) -> None:
    """Together the blocks hold every character that is not white space, and none begins or ends with white space."""
    covered = sum(1 for block in document.blocks for c in document.text[block.start : block.end] if not c.isspace())
    assert covered == sum(1 for c in document.text if not c.isspace())
    for block in document.blocks:
        text = document.text[block.start : block.end]
        assert text == text.strip()
    assert "\0" not in document.text
    document.text.encode()


def shown(document: Document) -> list[tuple[str, str]]:
    """Kind and text of every block."""
    check_blocks(document)
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]
