"""What a Markdown file says of itself above its text: its front matter in, a title and metadata for filters out.

YAML stands between two lines of `---`, TOML between two of `+++`. Only events and plain values of the libraries are used,
so nothing in a file can make an object, and an alias counts by the size of what it stands for. Values are what YAML 1.2
takes them for, and what a number or a truth value would not give back as it is written stays text: `01097`, `yes`,
`2024-05-01`, 20 digits. A mapping becomes names with dots (`author.name`), also where it is an item of a list.

A file is never refused for its front matter. Where it cannot be read as a whole it is read entry by entry, and what is
left out is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from rag.text.sentences import line_spans
from sql.records.metadata import MAX_BYTES, NO_METADATA, encodable, is_name, metadata_json, plain_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sql.records.metadata import MetadataScalar, MetadataValue

MAX_CHARACTERS = 1_000_000  # of front matter; libyaml reads about as many a second
MAX_LINES = 100_000
MAX_DEPTH = 16  # of lists and mappings in each other
MAX_PIECES = 2000  # entries of broken front matter, each of which is given to a parser of its own
MAX_KEY_PARTS = 64  # between the dots of a name in TOML: tomllib takes the square of their number

_OPENING = re.compile(r"(---|\+\+\+)[ \t]*(?:\r\n|\r|\n)")
_CLOSINGS = {"---": ("---", "..."), "+++": ("+++",)}
_ENTRIES = {  # a line that begins an entry; of YAML in a broken file, where nothing else tells
    "---": re.compile(r"""(?:"[^"]{1,80}"|'[^']{1,80}'|\w[\w./-]{0,80}(?: [\w./-]{1,80}){0,8})[ \t]*:(?=[ \t]|$)"""),
    "+++": re.compile(r"""\[|(?:[\w.-]{1,200}|"[^"]{1,80}"|'[^']{1,80}')[ \t]*="""),
}
_PLAIN_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,63})[ \t]*+:[ \t]+([^\s\[{|>&].*)")
_COMMENT = re.compile(r"[ \t]#.*")
_TOML_TEXT = re.compile(r"""(\"(?:[^"\\]|\\.)*+"?+|'[^']*+'?+)|\#.*""")
_CORE_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))


class Scalar(NamedTuple):
    """One value, and the text that it is in the file."""

    text: str
    value: MetadataScalar


# A value of a file: a mapping, a list, a scalar, or None for what cannot be kept.
Tree: TypeAlias = "dict[str, Tree] | list[Tree] | Scalar | None"


class Unreadable(Exception):
    """A text that is not YAML or TOML, or is nested too deep; never leaves this module."""


@dataclass(frozen=True)
class FrontMatter:
    """What was read: the title or "", the metadata, and a sentence on what was left out, or "".

    Of a text whose second entry is broken the last is
    `cannot be read as a whole (line 3: did not find expected ',' or ']'); b: [1, 2 is left out`
    """

    title: str = ""
    metadata: Mapping[str, MetadataValue] = field(default_factory=lambda: NO_METADATA)
    remark: str = ""


def front_matter_end(text: str, start: int) -> int:
    """Where the front matter that begins at `start` ends; `start` where there is none.

    Between the two lines there must be an entry, or nothing: a line of dashes may as well be a rule above prose.
    """
    opening = _OPENING.match(text, start)
    if not opening:
        return start
    entry, closings = _ENTRIES[opening[1]], _CLOSINGS[opening[1]]
    is_blank, has_entry = True, False
    for line_start, line_end in islice(line_spans(text, opening.end()), MAX_LINES):
        if line_end - start > MAX_CHARACTERS:
            break
        line = text[line_start:line_end].rstrip()
        if line in closings:
            return line_end if has_entry or is_blank else start
        is_blank = is_blank and not line
        has_entry = has_entry or entry.match(line) is not None
    return start


@lru_cache(maxsize=1)  # the title of a document is asked for before its metadata
def read_front_matter(text: str) -> FrontMatter:
    """The front matter in its two lines of `---` or `+++`; where a name comes twice, the last one counts.

    >>> dict(read_front_matter("---\\ntitle: 'Kilns'  # a comment\\nzip: 01097\\ntags: [glaze, \\"a, b\\"]\\n---").metadata)
    {'title': 'Kilns', 'zip': '01097', 'tags': ('glaze', 'a, b')}
    """
    opening = _OPENING.match(text)
    if not opening:
        return FrontMatter()
    lines = [text[slice(*span)] for span in line_spans(text, opening.end())]
    if lines and lines[-1].rstrip() in _CLOSINGS[opening[1]]:
        lines.pop()
    parse = {"---": parse_yaml, "+++": parse_toml}[opening[1]]
    left_out: list[str] = []
    try:
        tree = parse("\n".join(lines))
    except Unreadable as error:
        tree = _tree_of_entries(lines, parse, _ENTRIES[opening[1]], left_out)
        left_out.insert(0, f"cannot be read as a whole ({error})")
    if not isinstance(tree, dict):
        return FrontMatter()
    title = tree.get("title")
    found: dict[str, Any] = {}
    for name, value in tree.items():
        _flatten(value, name, found, left_out, in_list=False)
    metadata = _fitting(found, left_out)
    return FrontMatter(title.text if isinstance(title, Scalar) else "", metadata, _remark(left_out))


def _remark(left_out: list[str]) -> str:
    """What was left out as the end of a sentence; many of a kind are counted."""
    some = "; ".join(left_out[:5])
    return some + (f"; and {len(left_out) - 5} more" if len(left_out) > 5 else "")


# Entry by entry


def _tree_of_entries(
    lines: list[str], parse: Callable[[str], Tree], entry: re.Pattern[str], left_out: list[str]
) -> dict[str, Tree]:
    """The entries of a text that is broken somewhere, each read alone; those that cannot be are named."""
    tree: dict[str, Tree] = {}
    table = ""  # the header of TOML that the entries are under
    for number, piece in enumerate(_pieces(lines, entry)):
        if number == MAX_PIECES:
            left_out.append(f"what follows the first {MAX_PIECES} entries is left out")
            break
        if parse is parse_toml and piece[0].startswith("["):
            table = piece[0] + "\n"
            continue
        read = _read_piece(piece, parse, table)
        if read is None:
            left_out.append(f"{piece[0].strip():.40} is left out")
        else:
            _merge(tree, read)
    return tree


def _pieces(lines: list[str], entry: re.Pattern[str]) -> Iterator[list[str]]:
    """The lines of each entry: one that begins an entry, and what follows it up to the next."""
    piece: list[str] = []
    for line in lines:
        if entry.match(line):
            if piece:
                yield piece
            piece = [line]
        elif piece:
            piece.append(line)
    if piece:
        yield piece


def _read_piece(piece: list[str], parse: Callable[[str], Tree], table: str) -> dict[str, Tree] | None:
    """One entry: as it stands; else with its tabs as spaces and without lines that are no part of it; else as text."""
    own = [line.expandtabs(2) for line in piece]
    stranger = next(
        (row for row, line in enumerate(own[1:], start=1) if line[:1] not in ("", " ", "-", "]", "}")), None
    )
    for attempt in (piece, own, own[:stranger]):
        try:
            tree = parse(table + "\n".join(attempt))
        except Unreadable:
            continue
        return tree if isinstance(tree, dict) else None
    plain = _PLAIN_LINE.fullmatch(piece[0].rstrip()) if parse is parse_yaml else None
    is_one_line = not any(map(str.strip, piece[1:])) or (stranger == 1 and plain and plain[2][0] not in "\"'")
    if plain and is_one_line:
        text = _COMMENT.sub("", plain[2]).rstrip()  # `title: A: B`, `by: @name`: what was meant is plain to see
        return {plain[1]: Scalar(text, text)}
    return None


def _merge(tree: dict[str, Tree], new: dict[str, Tree]) -> None:
    """Adds entries; tables of TOML that were read in pieces come together again."""
    for name, value in new.items():
        old = tree.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            old.extend(value)
        else:
            tree[name] = value


# YAML


@dataclass
class _Open:
    """A list or mapping whose end has not come yet; of a mapping the keys and values in turn."""

    is_mapping: bool
    anchor: str
    items: list[Tree] = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(frozen=True)
class _Anchored:
    """What an alias may stand for, with its size in characters and how deep it is."""

    value: Tree
    size: int
    height: int


_MERGE = Scalar("<<", "<<")  # the key that brings in the entries of another mapping, known by its identity


def parse_yaml(text: str) -> Tree:
    """The values of a YAML text, by its events alone; raises Unreadable.

    An alias to what holds it, and aliases that together stand for more than metadata can hold, are None.
    """
    import yaml

    try:
        return _YamlTree().built(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 2}: " if mark else ""  # counted from the line of dashes
        raise Unreadable(f"{place}{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise Unreadable("it holds a character that YAML does not allow") from error


class _YamlTree:
    """Builds the values of one text from the events of the parser, one pass and no recursion."""

    def __init__(self) -> None:
        self.root: Tree = None
        self.open: list[_Open] = []
        self.anchors: dict[str, _Anchored | None] = {}
        self.aliased = 0  # characters that the aliases so far stand for

    def built(self, events: Iterator[Any]) -> Tree:
        for event in events:
            kind = type(event).__name__
            if kind == "ScalarEvent":
                self.add(event.anchor, _Anchored(_yaml_scalar(event), len(event.value) + 3, 0))
            elif kind == "AliasEvent":
                self.add(None, self.target(event))
            elif kind in ("SequenceStartEvent", "MappingStartEvent"):
                self.begin(event, is_mapping=kind == "MappingStartEvent")
            elif kind in ("SequenceEndEvent", "MappingEndEvent"):
                done = self.open.pop()
                value = _mapping_of(done.items) if done.is_mapping else done.items
                self.add(done.anchor, _Anchored(value, done.size, done.height))
        return self.root

    def begin(self, event: Any, *, is_mapping: bool) -> None:
        if len(self.open) == MAX_DEPTH:
            raise Unreadable(f"line {event.start_mark.line + 2}: nested more than {MAX_DEPTH} deep")
        if event.anchor:
            self.anchors[event.anchor] = None  # until it is complete
        self.open.append(_Open(is_mapping, event.anchor or ""))

    def add(self, anchor: str | None, new: _Anchored) -> None:
        """Puts a value that is complete into the list or mapping that is open."""
        if anchor:
            self.anchors[anchor] = new
        if not self.open:
            self.root = new.value
            return
        parent = self.open[-1]
        parent.items.append(new.value)
        parent.size += new.size
        parent.height = max(parent.height, new.height + 1)

    def target(self, event: Any) -> _Anchored:
        """What an alias stands for, or None in its place; Unreadable where nothing has its name."""
        if event.anchor not in self.anchors:
            raise Unreadable(f"line {event.start_mark.line + 2}: nothing is called {event.anchor:.40}")
        found = self.anchors[event.anchor]
        if found is None or self.aliased + found.size > MAX_BYTES or len(self.open) + found.height > MAX_DEPTH:
            return _Anchored(None, 1, 0)
        self.aliased += found.size
        return found


def _mapping_of(items: list[Tree]) -> dict[str, Tree]:
    """Keys and values in turn as a mapping: of a key that comes twice the last value, `<<` below what is given itself."""
    own: dict[str, Tree] = {}
    merged: dict[str, Tree] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if key is _MERGE:
            for other in reversed(value if isinstance(value, list) else [value]):
                merged |= other if isinstance(other, dict) else {}
        elif isinstance(key, Scalar):
            own[key.text] = value
    return merged | own


def _yaml_scalar(event: Any) -> Scalar:
    """A scalar by the core schema of YAML 1.2 where it is plain, else its text."""
    is_plain = event.implicit[0] and event.tag is None
    if is_plain and event.value == "<<":
        return _MERGE
    return Scalar(event.value, plain_value(event.value) if is_plain or event.tag in _CORE_TAGS else event.value)


# TOML


def parse_toml(text: str) -> Tree:
    """The values of a TOML text; raises Unreadable."""
    import tomllib

    if any(_TOML_TEXT.sub("", line).count(".") > MAX_KEY_PARTS for line in text.split("\n")):
        raise Unreadable(f"a name has more than {MAX_KEY_PARTS} parts")
    try:
        return _toml_tree(tomllib.loads(text, parse_float=_toml_number), 0)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error) or "nested too deep") from error


def _toml_number(text: str) -> Scalar:
    return Scalar(text, plain_value(text.replace("_", "")))


def _toml_tree(value: Any, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise Unreadable(f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        return {name: _toml_tree(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_toml_tree(inner, depth + 1) for inner in value]
    if isinstance(value, bool | Scalar):
        return value if isinstance(value, Scalar) else Scalar(str(value).lower(), value)
    if isinstance(value, str):
        return Scalar(value, value)
    if isinstance(value, int):
        return Scalar(str(value), plain_value(str(value)))
    text = value.isoformat().replace("+00:00", "Z")  # dates and times
    return Scalar(text, text)


# Metadata


def _flatten(value: Tree, name: str, found: dict[str, Any], left_out: list[str], *, in_list: bool) -> None:
    """Adds a value to what was found, under its name or, for a mapping, under names with dots; depth is bounded."""
    if not is_name(name):
        left_out.append(f"{name!r:.40} cannot be the name of metadata")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}", found, left_out, in_list=in_list)
    elif isinstance(value, list):
        if not value:
            found.setdefault(name, [])
        for item in value:
            _flatten(item, name, found, left_out, in_list=True)
    elif value is None:
        left_out.append(f"an alias in {name} is left out")
    elif not in_list:
        found[name] = value.value
    elif isinstance(found.setdefault(name, []), list):
        found[name].append(value.value)


def _fitting(found: Mapping[str, Any], left_out: list[str]) -> Mapping[str, MetadataValue]:
    """The entries in their order, without those for which metadata has no room."""
    kept: dict[str, MetadataValue] = {}
    size = 2
    for name, value in found.items():
        entry = metadata_json({name: value})
        if not encodable(entry):
            left_out.append(f"{name} holds half a surrogate pair")
        elif size + len(entry.encode()) - 1 > MAX_BYTES:
            left_out.append(f"{name} is too long: metadata has {MAX_BYTES} bytes as JSON")
        else:
            size += len(entry.encode()) - 1
            kept[name] = tuple(value) if isinstance(value, list) else value
    return MappingProxyType(kept)
