"""What a user says of files in, the metadata that each file is given out: for all of them, and by path or pattern.

What a document says of itself is weaker than what a metadata file says of its path, and that is weaker than what is said of
all files: who writes an option means it, and the fields inside of a PDF are often nobody's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ingest.selection import last_word, parsed, with_folders
from sql.base.errors import InvalidMetadata, UsageError
from sql.base.paths import printable
from sql.records.metadata import NO_METADATA, freeze_metadata
from sql.search.filters import parse_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pathspec import GitIgnoreSpec

    from ingest.found_files import FoundFile
    from sql.records.metadata import MetadataValue

    Metadata = Mapping[str, MetadataValue]

WILD = re.compile(r"[*?\[\\]")
EVERYTHING = "."


@dataclass(frozen=True)
class Rule:
    """The metadata of the files at a path, below a folder of this path, or that fit a pattern as in .gitignore.

    A path is one below the folder that was given, one as sources show it, or an absolute one. Raises UsageError, which
    begins with `where`, for a path that means nothing and for metadata that cannot be stored.
    """

    path: str
    metadata: Metadata
    where: str = "metadata"

    def __post_init__(self) -> None:
        if not self.path.strip() or "\0" in self.path:
            raise UsageError(f"{self.where}: the path {self.path!r} names no file: give a path, a folder or a pattern")
        if self.is_pattern and (self.path.startswith("!") or not parsed([self.path])):
            raise UsageError(
                f"{self.where}: the pattern {self.path!r} fits no file: write one as in .gitignore, such as *.md"
            )
        object.__setattr__(self, "metadata", checked_metadata(self.metadata, self.where))

    @property
    def is_pattern(self) -> bool:
        """Whether the path may stand for several; a file may be called so all the same."""
        return WILD.search(self.path) is not None


@dataclass(frozen=True)
class GivenMetadata:
    """What was said of files: `for_all` of each of them, `rules` of some; of rules for one file the last one holds.

    Where nothing was said at all, not even that there is nothing, documents keep what they were given before.
    """

    for_all: Metadata = field(default_factory=lambda: NO_METADATA)
    rules: Sequence[Rule] = ()
    was_said: bool = False
    _fitting: set[int] = field(default_factory=set, compare=False, repr=False)  # rules that a file was found for

    def __post_init__(self) -> None:
        object.__setattr__(self, "for_all", checked_metadata(self.for_all, "metadata"))

    @classmethod
    def said(cls, for_all: Metadata | None, by_path: Mapping[str, Metadata] | Sequence[Rule] | None) -> GivenMetadata:
        """What was said of all files and of some; None where nothing was."""
        rules: Iterable[Rule] = (
            [Rule(path, metadata, f"metadata of {path!r}") for path, metadata in by_path.items()]
            if isinstance(by_path, Mapping)
            else by_path or ()
        )
        return cls(for_all or NO_METADATA, tuple(rules), was_said=for_all is not None or by_path is not None)

    def of(self, file: FoundFile) -> Metadata:
        """The metadata that a file is given."""
        found: dict[str, MetadataValue] = {}
        for number in sorted(self._fitting_rules(file)) if self.rules else ():
            self._fitting.add(number)
            found |= self.rules[number].metadata
        return found | dict(self.for_all) if found else self.for_all

    def unused(self) -> list[str]:
        """The paths of rules for which no file has been found so far."""
        return [rule.path for number, rule in enumerate(self.rules) if number not in self._fitting]

    def _fitting_rules(self, file: FoundFile) -> Iterator[int]:
        relative, absolute = relative_names(file), absolute_names(file)
        for name in dict.fromkeys((EVERYTHING, *relative, *(f"/{one}" for one in absolute))):
            yield from self._by_path.get(name, ())
        for number, pattern in self._patterns:
            names = absolute if self.rules[number].path.startswith("/") else relative
            if any(last_word(pattern, name) for name in names):
                yield number

    @cached_property
    def _by_path(self) -> Mapping[str, list[int]]:
        # thousands of files may be named one by one, so they are looked up and not compared
        found: dict[str, list[int]] = {}
        for number, rule in enumerate(self.rules):
            found.setdefault(plain_path(rule.path), []).append(number)
            found.setdefault(plain_path(rule.path) + "/", []).append(number)
        return found

    @cached_property
    def _patterns(self) -> list[tuple[int, GitIgnoreSpec]]:
        patterns = [(number, parsed([rule.path])) for number, rule in enumerate(self.rules) if rule.is_pattern]
        return [(number, pattern) for number, pattern in patterns if pattern is not None]


def relative_names(file: FoundFile) -> list[str]:
    """What a file and the folders that it is in are called below the given folder, and as it was given."""
    below = below_root(file)
    source = plain_path(printable(file.source))
    return below if source.startswith("/") else [*below, *with_folders(source)]


def absolute_names(file: FoundFile) -> list[str]:
    """What a pattern that begins with a slash may mean, without the slash: a place in the given folder, or anywhere."""
    return [*below_root(file), *with_folders(plain_path(file.stored_path).removeprefix("/"))]


def below_root(file: FoundFile) -> list[str]:
    """A file and its folders, as they are called below the folder that was given."""
    if file.root is None:
        return [printable(file.name)]
    return with_folders(printable(file.path.relative_to(file.root).as_posix()))


def plain_path(path: str) -> str:
    """A path without what does not matter in it.

    >>> plain_path("./reports//2024/"), plain_path("//home/ada/a.md"), plain_path("./")
    ('reports/2024', '/home/ada/a.md', '.')
    """
    plain = os.path.normpath(path)
    return "/" + plain.lstrip("/") if plain.startswith("/") else plain


def parse_assignments(terms: Iterable[str]) -> Metadata:
    """The metadata of `--meta` options, whose values mean what they would mean in a `--filter`.

    >>> dict(parse_assignments(["year=2024", "draft=true", "zip=01097", 'tags=["kiln", "glaze"]']))
    {'year': 2024, 'draft': True, 'zip': '01097', 'tags': ('kiln', 'glaze')}
    """
    found: dict[str, MetadataValue] = {}
    for term in terms:
        name, sign, text = term.partition("=")
        name = name.strip()
        if not sign:
            raise UsageError(f"--meta {term!r:.80}: write name=value, such as year=2024")
        if name in found:
            raise UsageError(f'--meta {term!r:.80}: {name} is given twice; a list is written {name}=["a", "b"]')
        found |= checked_metadata({name: parse_value(text.strip())}, f"--meta {term!r:.80}")
    return found


def checked_metadata(metadata: Metadata, where: str) -> Metadata:
    """A copy that cannot be changed; UsageError where a document cannot have such metadata."""
    try:
        return freeze_metadata(metadata)
    except InvalidMetadata as error:
        raise UsageError(f"{where}: {error}") from error


NOTHING_SAID = GivenMetadata()
