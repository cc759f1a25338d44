"""Writes small PDF files in the format's own syntax, so that a test decides every operator, box and dictionary in them.

    data = pdf([page_of(text("Hello", 72, 700))])

A page is its content and what its dictionary says besides; objects that several pages share are given by number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FIRST_FREE = 10  # the numbers below are the writer's: 1 catalog, 2 page tree, 3 information, 4 to 9 fonts
FONTS = {
    "F1": "/Helvetica",
    "F2": "/Helvetica-Bold",
    "F3": "/Times-Roman",
    "F4": "/Courier",
    "F5": "/Symbol",
}


@dataclass
class Page:
    """The content stream of a page and entries of its dictionary: `/Rotate 90`, `/CropBox [...]`."""

    content: str
    entries: str = ""
    resources: str = ""
    media_box: str = "[0 0 612 792]"


@dataclass
class PdfParts:
    """What a file holds besides its pages: entries of its catalog, its information, objects by number."""

    catalog: str = ""
    information: str = ""
    objects: dict[int, str] = field(default_factory=dict)
    trailer: str = ""


def escaped(words: str) -> str:
    """Words in the syntax of a string, in Windows-1252 as the fonts are."""
    shown = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return "".join(c if c.isascii() else f"\\{c.encode('cp1252')[0]:03o}" for c in shown)


def text(words: str, x: float, y: float, size: float = 10, font: str = "F1", matrix: str = "1 0 0 1") -> str:
    """Operators that show words at a place."""
    return f"BT /{font} {size:g} Tf {matrix} {x:g} {y:g} Tm ({escaped(words)}) Tj ET\n"


def lines(words: str, x: float, y: float, size: float = 10, font: str = "F1", leading: float = 0) -> str:
    """Operators that show each line of `words` below the one before."""
    leading = leading or size * 1.2
    return "".join(
        text(line, x, y - number * leading, size, font) for number, line in enumerate(words.splitlines()) if line
    )


def pdf(pages: list[Page | str], parts: PdfParts | None = None) -> bytes:
    """The bytes of a file with these pages; page number n (from 0) is object 1000 + 2 n."""
    parts = parts or PdfParts()
    made = [Page(page) if isinstance(page, str) else page for page in pages]
    kids = " ".join(f"{1000 + 2 * number} 0 R" for number in range(len(made)))
    objects: dict[int, bytes] = {
        1: f"<< /Type /Catalog /Pages 2 0 R {parts.catalog} >>".encode(),
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(made)} >>".encode(),
        3: f"<< {parts.information} >>".encode("latin-1"),
    }
    for number, name in enumerate(FONTS.values()):
        encoding = "" if name == "/Symbol" else "/Encoding /WinAnsiEncoding"
        objects[4 + number] = f"<< /Type /Font /Subtype /Type1 /BaseFont {name} {encoding} >>".encode()
    fonts = " ".join(f"/{name} {4 + number} 0 R" for number, name in enumerate(FONTS))
    for number, page in enumerate(made):
        content = page.content.encode("latin-1")
        objects[1000 + 2 * number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox {page.media_box} /Contents {1001 + 2 * number} 0 R "
            f"/Resources << /Font << {fonts} >> {page.resources} >> {page.entries} >>"
        ).encode()
        objects[1001 + 2 * number] = stream(content)
    objects.update({number: body.encode("latin-1") for number, body in parts.objects.items()})
    return _file(objects, parts.trailer)


def with_meanings(pages: list[Page | str], meanings: dict[str, str]) -> bytes:
    """A file in whose font F1 some letters mean other characters, which are given in UTF-16."""
    all_meanings = {chr(code): f"{code:04X}" for code in range(32, 127)} | meanings
    pairs = " ".join(f"<{ord(letter):02X}> <{meaning}>" for letter, meaning in all_meanings.items())
    mapping = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def 1 begincodespacerange <00> <FF> "
        f"endcodespacerange {len(all_meanings)} beginbfchar {pairs} endbfchar endcmap end end"
    )
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 51 0 R >>"
    stream = f"<< /Length {len(mapping)} >>\nstream\n{mapping}\nendstream"
    return pdf(pages, PdfParts(objects={50: font, 51: stream})).replace(b"/F1 4 0 R", b"/F1 50 0 R")


def scanned(content: str, entries: str = "", media_box: str = "[0 0 612 792]") -> bytes:
    """A file whose one page is a picture of what a page with this content shows."""
    import zlib

    from ingest.readers.pdf.pdfium import opened, opened_page, picture_of

    with opened(pdf([Page(content, media_box=media_box)]), "plain.pdf") as file, opened_page(file, 1) as page:
        picture = picture_of(page, 2.5).image.convert("L")
    pixels = zlib.compress(picture.tobytes()).hex() + ">"
    image = (
        f"<< /Type /XObject /Subtype /Image /Width {picture.width} /Height {picture.height} /ColorSpace /DeviceGray "
        f"/BitsPerComponent 8 /Filter [/ASCIIHexDecode /FlateDecode] /Length {len(pixels)} >>\nstream\n{pixels}\nendstream"
    )
    width, height = media_box.strip("[]").split()[2:]
    shown = Page(f"q {width} 0 0 {height} 0 0 cm /I Do Q", entries, "/XObject << /I 50 0 R >>", media_box)
    return pdf([shown], PdfParts(objects={50: image}))


def stream(content: bytes, entries: str = "") -> bytes:
    """The body of an object that is a stream."""
    return f"<< {entries} /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def _file(objects: dict[int, bytes], trailer: str) -> bytes:
    written = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(written)
        written += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(written)
    written += b"xref\n0 1\n0000000000 65535 f \n"
    for number, offset in sorted(offsets.items()):
        written += f"{number} 1\n{offset:010d} 00000 n \n".encode()
    size = max(objects) + 1
    written += f"trailer\n<< /Size {size} /Root 1 0 R /Info 3 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(written)


def write_pdf(path: Path, pages: list[Page | str], parts: PdfParts | None = None) -> Path:
    """Writes the file and returns its path."""
    path.write_bytes(pdf(pages, parts))
    return path
