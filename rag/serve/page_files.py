"""The files of the page, as they lie in the package: read once, and found by their names in a table."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

PAGE = "page.html"
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, and what it is."""

    data: bytes
    media_type: str


def page_files() -> dict[str, PageFile]:
    """Every file of the page by its name."""
    folder = files("rag.serve") / "page"
    return {
        one.name: PageFile(one.read_bytes(), MEDIA_TYPES[ending])
        for one in folder.iterdir()
        if (ending := one.name.rpartition(".")[2]) in MEDIA_TYPES
    }
