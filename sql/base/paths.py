"""Paths as people write them in, paths that can be opened out."""

from __future__ import annotations

import os
from pathlib import Path

from sql.base.errors import UsageError


def expand_user(text: str, what: str) -> Path:
    """A path with `~` or `~user` at its beginning replaced by a home folder; UsageError where there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        name = Path(text).parts[0]
        raise UsageError(
            f"{what} {text}: there is no home folder for {name}: write ./{name} for a folder of that name"
        ) from error


def printable(path: Path | str) -> str:
    """A path as text that any encoding can hold: bytes that are not UTF-8 become \\x escapes."""
    if isinstance(path, str) and path.isascii():
        return path  # as nearly all are, of a hundred thousand files
    return os.fsencode(path).decode("utf-8", "backslashreplace")
