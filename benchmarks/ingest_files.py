"""The docstrings of Python's standard library in, a folder of Markdown, HTML, PDF and DOCX files out: what everybody has.

A module is a document: its own docstring, then those of its classes and functions under headings with their signatures. The
formats take turns, and no text stands in two files. Sources are parsed and never run. The same Python makes the same files.
"""

from __future__ import annotations

import ast
import html
import sys
import sysconfig
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAST_CHARACTERS = 2000  # of a document; a module without words is none
LINE, LINES, LEADING = 92, 54, 13.0  # characters of a line and lines of a page in the PDF files
PROMPT = ">>>"


@dataclass
class Section:
    """A heading of level 1 to 3, and what stands under it: paragraphs, and blocks of code, which keep their lines."""

    level: int
    heading: str
    blocks: list[tuple[str, bool]] = field(default_factory=list)  # text, and whether it is code


def write_files(folder: Path, characters: int) -> list[Path]:
    """Files with about so many characters of text in all, below a folder that is made."""
    folder.mkdir(parents=True)
    written, left = [], characters
    suffixes = list(WRITERS)
    for number, (name, sections) in enumerate(documents()):
        if left <= 0:
            break
        suffix = suffixes[number % len(suffixes)]
        path = folder / f"{name}{suffix}"
        path.write_bytes(WRITERS[suffix](name, sections))
        written.append(path)
        left -= size_of(sections)
    return written


def documents() -> Iterator[tuple[str, list[Section]]]:
    """The modules of the standard library that have something to say, by name."""
    library = Path(sysconfig.get_path("stdlib"))
    for name in sorted(sys.stdlib_module_names):
        path = next((one for one in (library / f"{name}.py", library / name / "__init__.py") if one.is_file()), None)
        if path is None or name.startswith("_"):
            continue
        sections = list(sections_of(name, ast.parse(path.read_bytes())))
        if size_of(sections) >= LEAST_CHARACTERS:
            yield name, sections


def sections_of(heading: str, node: ast.AST, level: int = 1) -> Iterator[Section]:
    """The docstring of a module, class or function, and those of what is defined in it."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
        yield Section(level, heading, [(block, is_code(block)) for block in text.split("\n\n") if block.strip()])
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from sections_of(f"class {child.name}", child, min(level + 1, 3))
        elif isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield from sections_of(f"{child.name}({ast.unparse(child.args)})", child, min(level + 1, 3))


def is_code(block: str) -> bool:
    """Whether the lines of a block are to be kept as they are."""
    return PROMPT in block or all(line.startswith("  ") for line in block.splitlines())


def size_of(sections: list[Section]) -> int:
    """Characters of text."""
    return sum(len(section.heading) + sum(len(text) for text, _ in section.blocks) for section in sections)


# Formats


def markdown(name: str, sections: list[Section]) -> bytes:  # noqa: ARG001 - as every writer is called
    """Headings with #, code in fences."""
    parts = []
    for section in sections:
        parts.append(f"{'#' * section.level} {section.heading}")
        parts += [f"```\n{text}\n```" if code else text for text, code in section.blocks]
    return ("\n\n".join(parts) + "\n").encode()


def html_page(name: str, sections: list[Section]) -> bytes:
    """A page with the navigation that real ones have."""
    links = "".join(
        f'<li><a href="#{number}">{html.escape(one.heading)}</a></li>' for number, one in enumerate(sections)
    )
    parts = []
    for number, section in enumerate(sections):
        parts.append(f'<h{section.level} id="{number}">{html.escape(section.heading)}</h{section.level}>')
        parts += [
            f"<{tag}>{html.escape(text)}</{tag}>" for text, code in section.blocks for tag in ["pre" if code else "p"]
        ]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(name)}</title></head>\n'
        f"<body><nav><ul>{links}</ul></nav><main>\n{body}\n</main></body></html>\n"
    ).encode()


def docx_file(name: str, sections: list[Section]) -> bytes:  # noqa: ARG001 - as every writer is called
    """What python-docx writes."""
    from io import BytesIO

    import docx

    document = docx.Document()
    for section in sections:
        document.add_heading(section.heading, section.level)
        for text, code in section.blocks:
            document.add_paragraph(text if code else " ".join(text.split()), "macro" if code else None)
    written = BytesIO()
    document.save(written)
    return written.getvalue()


def pdf_file(name: str, sections: list[Section]) -> bytes:  # noqa: ARG001 - as every writer is called
    """Pages of lines, in fonts that every reader has: headings in bold, code in a fixed pitch."""
    lines: list[tuple[str, str]] = []
    for section in sections:
        lines += [("", "F1"), *((line, "F2") for line in textwrap.wrap(section.heading, LINE - 20))]
        for text, code in section.blocks:
            cut = text.splitlines() if code else textwrap.wrap(" ".join(text.split()), LINE)
            lines += [("", "F1"), *((line[:LINE], "F3" if code else "F1") for line in cut)]
    pages = [lines[first : first + LINES] for first in range(0, len(lines), LINES)]
    return pdf_bytes([page_content(page) for page in pages])


def page_content(lines: list[tuple[str, str]]) -> bytes:
    """The operators that show lines below each other."""
    sizes = {"F1": 10, "F2": 13, "F3": 8}
    shown = [
        f"BT /{font} {sizes[font]} Tf 72 {750 - LEADING * number:g} Td ({escaped(line)}) Tj ET"
        for number, (line, font) in enumerate(lines)
        if line.strip()
    ]
    return "\n".join(shown).encode("cp1252")


def escaped(line: str) -> str:
    """A line as a string of PDF, without what the fonts do not have."""
    known = line.encode("cp1252", "replace").decode("cp1252")
    return known.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def pdf_bytes(pages: list[bytes]) -> bytes:
    """A PDF file with these contents of pages."""
    fonts = {"F1": "Helvetica", "F2": "Helvetica-Bold", "F3": "Courier"}
    numbers = {name: 3 + number for number, name in enumerate(fonts)}
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{' '.join(f'{10 + 2 * n} 0 R' for n in range(len(pages)))}] /Count {len(pages)} >>".encode(),
    }
    for name, font in fonts.items():
        objects[numbers[name]] = (
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>".encode()
        )
    resources = " ".join(f"/{name} {number} 0 R" for name, number in numbers.items())
    for number, content in enumerate(pages):
        page = f"/Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {11 + 2 * number} 0 R"
        objects[10 + 2 * number] = f"<< {page} /Resources << /Font << {resources} >> >> >>".encode()
        objects[11 + 2 * number] = f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"
    written, table = bytearray(b"%PDF-1.7\n"), ["xref\n0 1\n0000000000 65535 f \n"]
    for number, body in sorted(objects.items()):
        table.append(f"{number} 1\n{len(written):010d} 00000 n \n")
        written += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(written)
    end = f"trailer\n<< /Size {max(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return bytes(written) + "".join(table).encode() + end.encode()


WRITERS: dict[str, Callable[[str, list[Section]], bytes]] = {
    ".md": markdown,
    ".html": html_page,
    ".pdf": pdf_file,
    ".docx": docx_file,
}
