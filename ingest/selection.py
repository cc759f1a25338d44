"""Patterns of a user and of `.gitignore` files in, which paths below a folder are wanted out.

All patterns are those of gitignore(5), and match the path of a file below the folder that was given. Of files in
`.gitignore` the nearest decides, as in git; what lies above the given folder is never read.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pathspec import GitIgnoreSpec

from ingest.readers.raw_file import file_bytes
from sql.base.errors import UnreadableDocument, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

GITIGNORE = ".gitignore"
FOLDER_GROUP = "ps_d"  # of the library's regular expressions: the slash after the folder that a pattern fits
MOST_PATTERN_BYTES = 1_000_000  # of one .gitignore; a larger one is no list that a person has written
LONGEST_PATH = 4096  # characters; a longer pattern fits nothing, and sets that never end would take long
SET = re.compile(r"\\.|\[([!^]?\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*\])")
CLASS = re.compile(r"\[:([a-z]+):\]")
# As git has them, in ASCII alone. There is no slash among them: a set never fits one.
CHARACTERS_OF_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \t",
    "cntrl": "\x01-\x1f\x7f",
    "digit": "0-9",
    "graph": "0-~!-.",
    "lower": "a-z",
    "print": "0-~ -.",
    "punct": ":-@[-`{-~!-.",
    "space": "\t\r ",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
EXCLUDED, NOT_INCLUDED = "excluded", "not included"  # why a file is left out


@dataclass(frozen=True)
class Selection:
    """Which files below a given folder are read: those that fit `include`, if there is any, and fit nothing else.

    Raises UsageError where a pattern is none.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    gitignore: bool = True
    store: Path | None = None  # real path of the folder of the store, which is never a document of itself

    def __post_init__(self) -> None:
        for option, patterns in (("--include", self.include), ("--exclude", self.exclude)):
            for pattern in patterns:
                if pattern.startswith("!"):
                    raise UsageError(f"{option} {pattern}: a pattern names what it is for; give it without the !")
                if not parsed([pattern]):
                    raise UsageError(
                        f"{option} {pattern!r} matches nothing: give a pattern as in .gitignore, like *.md"
                    )

    @cached_property
    def _included(self) -> GitIgnoreSpec | None:
        return parsed(self.include)

    @cached_property
    def _excluded(self) -> GitIgnoreSpec | None:
        return parsed(self.exclude)

    def why_not(self, path: str, ignored: Ignored, *, folder: bool = False) -> str:
        """Why the file or folder at a path below the given folder is left out, "" where it is not."""
        name = path + "/" if folder else path
        if self._excluded and last_word(self._excluded, name):
            return EXCLUDED
        if self.gitignore and ignored.holds(name):
            return "ignored by git"
        if self._included and not folder and not any(last_word(self._included, one) for one in with_folders(path)):
            return NOT_INCLUDED
        return ""


@dataclass(frozen=True)
class Ignored:
    """The `.gitignore` files that hold for a folder, the outermost first: each with the folder, below the given one, of it."""

    files: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    def below(self, folder: Path, path: str, root: Path) -> Ignored:
        """What holds in the folder at `path` below the given one, with its own file if it has one."""
        spec = read_patterns(folder / GITIGNORE, root)
        return self if spec is None else Ignored((*self.files, (path + "/" if path else "", spec)))

    def holds(self, name: str) -> bool:
        """Whether a file, or a folder whose name ends with a slash, is ignored; the nearest file that speaks of it says."""
        for prefix, spec in reversed(self.files):
            said = last_word(spec, name.removeprefix(prefix))
            if said is not None:
                return said
        return False


def last_word(spec: GitIgnoreSpec, name: str) -> bool | None:
    """What the last pattern that fits a file, or a folder whose name ends with a slash, says of it; None where none fits.

    A pattern that fits only a folder above is passed over: a folder that is ignored is never looked into, so one that is
    looked into is not. (`check_file` of the library lets such a pattern win over a later one that fits the file itself.)
    """
    for pattern in reversed(spec.patterns):
        if pattern.include is not None and fits(pattern, name):
            return pattern.include
    return None


def fits(pattern: Any, name: str) -> bool:
    """Whether a pattern fits the file or folder of this name itself. A match that ends at a slash is that of a folder."""
    bare = name.removesuffix("/")
    for match in (*pattern.regex.finditer(bare), *pattern.regex.finditer(name)):
        slash = match.end(FOLDER_GROUP) if FOLDER_GROUP in pattern.regex.groupindex else -1
        if slash == len(name) or (slash == -1 and match.string is bare):
            return True
    return False


def with_folders(path: str) -> list[str]:
    """A file and the folders that it is in: `a/b.md` and `a/`."""
    parts = path.split("/")
    return [path, *("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))]


def read_patterns(path: Path, root: Path) -> GitIgnoreSpec | None:
    """The patterns of a `.gitignore`, which must be a file and no link; None where there are none."""
    try:
        data = file_bytes(path, path.name, root)
    except UnreadableDocument:
        return None
    if len(data) > MOST_PATTERN_BYTES:
        return None
    return parsed(data.decode("utf-8-sig", "surrogateescape").splitlines())


def parsed(lines: Iterable[str]) -> GitIgnoreSpec | None:
    """Lines as patterns; None where none of them is one. A line that is no pattern says nothing, as in git."""
    kept = [plain for line in lines if is_pattern(plain := with_plain_sets(line))]
    return compiled(kept) if kept else None


def with_plain_sets(pattern: str) -> str:
    """A pattern with the characters of classes in their place: `[[:digit:]_]` is `[0-9_]`. "" where a class is unknown.

    The library, up to 1.1.1, hands a class to `re`, which takes it for the letters of its name.
    """

    def plain(found: re.Match[str]) -> str:
        inside = found[1]
        return found[0] if inside is None else "[" + CLASS.sub(lambda one: CHARACTERS_OF_CLASSES[one[1]], inside)

    if "[:" not in pattern or len(pattern) > LONGEST_PATH:
        return pattern
    try:
        return SET.sub(plain, pattern)
    except KeyError:
        return ""


def compiled(lines: Iterable[str]) -> GitIgnoreSpec:
    """Patterns by the library. `re` warns of a bracket in a set, `[[]`, since it may nest sets one day; in git it is itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return GitIgnoreSpec.from_lines(lines)


def is_pattern(line: str) -> bool:
    """Whether a line of a `.gitignore` says anything: not a blank, a comment, or what cannot be a pattern."""
    try:
        return any(pattern.include is not None for pattern in compiled([line]).patterns)
    except (ValueError, re.error):  # the second for a range that runs backwards, [z-a]
        return False
