"""SQL is source code: statements live in .sql files, Python picks one by name and binds typed values to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = int | float | str | UUID | list[int] | list[float] | list[str] | list[list[int]]

PARAMETER = re.compile(r"\{(\w+):([^}]+)\}")
FILTER_PLACE = "/* filter */"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a filter became: fragments of `sql/filters/` put together, and the values of their parameters."""

    text: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of `sql/queries/` with the values of its parameters, and perhaps a condition in its filter place."""

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    condition: Condition | None = None
    variant: str = ""  # the back end whose form it takes, where that has one of its own

    def __post_init__(self) -> None:
        if self.condition is not None:
            if FILTER_PLACE not in read_statement(f"queries/{self.name}.sql"):
                raise ValueError(f"{self.name}.sql has no place for a filter")
            object.__setattr__(self, "values", {**self.values, **self.condition.values})
        wanted = {match[1] for match in PARAMETER.finditer(self.text)}
        if wanted != set(self.values):
            raise ValueError(f"{self.name}.sql takes the parameters {sorted(wanted)}, not {sorted(self.values)}")

    @property
    def text(self) -> str:
        """The statement as it stands in its file, without the final newline."""
        text = variant_of(self.name, self.variant)
        return text if self.condition is None else text.replace(FILTER_PLACE, f"AND {self.condition.text}")

    def as_script(self) -> str:
        """The statement after `SET param_...` lines: can be pasted into any ClickHouse client."""
        settings = [f"SET param_{name} = '{escape_parameter(value)}';" for name, value in self.values.items()]
        return "\n".join([*settings, f"{self.text};"])


def with_literals(name: str, values: Mapping[str, str]) -> str:
    """The text of a file with literals in the place of its parameters that are named here, for a reader to run.

    For what takes no parameters, such as CREATE NAMED COLLECTION; the parameters of a view stay.
    """
    literals = {f"{{{key}:String}}": f"'{escape_literal(value)}'" for key, value in values.items()}
    return PARAMETER.sub(lambda match: literals.get(match[0], match[0]), read_statement(name))


def escape_parameter(value: Value) -> str:
    """A parameter's text form inside single quotes, as `SET param_x = '...'` reads it.

    It is parsed twice: as a string literal, and what that holds as a tab-separated field, or as an array of literals.
    """
    if isinstance(value, list):
        items = [f"'{escape_literal(item)}'" if isinstance(item, str) else str(item) for item in value]
        return escape_literal(f"[{','.join(items)}]")
    return escape_literal(str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n"))


def escape_literal(text: str) -> str:
    """What stands between the quotes of a string literal."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


@lru_cache(maxsize=1000)  # there is no end of filters
def without_comments(text: str) -> str:
    """A statement without the lines that are comments, which the driver would read again with every call."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


@cache
def read_statement(name: str) -> str:
    """The text of one .sql file below this folder."""
    return files("sql").joinpath(name).read_text(encoding="utf-8").rstrip()


@cache
def statements_in(folder: str) -> tuple[str, ...]:
    """The .sql files of one folder, in the order in which they are needed."""
    return tuple(f"{folder}/{name}" for name in file_names(folder))


def server_statements() -> tuple[str, ...]:
    """What a store on a server needs besides: the lease that keeps publishers apart."""
    return statements_in("server")


def local_statements() -> tuple[str, ...]:
    """What each node of a cluster needs besides."""
    return statements_in("server") + statements_in("cluster/local")


def cluster_statements() -> tuple[str, ...]:
    """The Distributed tables."""
    return statements_in("cluster")


def dialect_statements(dialect: str) -> tuple[str, ...]:
    """What a new store needs last: the lease and the groups, or, of MyScale, which has no lease, its own indexes."""
    if dialect != "myscale":
        return server_statements()
    return statements_in(dialect) + tuple(name for name in server_statements() if not name.endswith("_lease.sql"))


def policy_statements() -> tuple[str, ...]:
    """The role and the row policies that keep readers to the documents of their groups."""
    return statements_in("policies")


@cache
def variant_of(name: str, variant: str) -> str:
    """The text of a query as one back end has it: its own file where it has one, else everybody's."""
    own = files("sql").joinpath(variant, "queries", f"{name}.sql")
    return read_statement(f"{variant}/queries/{name}.sql" if variant and own.is_file() else f"queries/{name}.sql")


@cache
def schema_statements(*instead: str) -> tuple[str, ...]:
    """Every statement that a new store needs, in the order in which it needs them.

    `instead` names folders whose files take the place of those of the same name.
    """
    return with_others("schema", *instead)


@cache
def word_vector_statements(*instead: str) -> tuple[str, ...]:
    """The same for word vectors."""
    return with_others("word_vectors", *instead)


def with_others(folder: str, *instead: str) -> tuple[str, ...]:
    """The files of a folder, and those of other folders in the place of files of the same name."""
    places = {name: each for each in (folder, *instead) for name in file_names(each)}
    return tuple(f"{places[name]}/{name}" for name in file_names(folder))


def file_names(folder: str) -> list[str]:
    """The .sql files of a folder below this one, sorted."""
    return sorted(entry.name for entry in files("sql").joinpath(folder).iterdir() if entry.name.endswith(".sql"))


@cache
def read_fragment(name: str) -> str:
    """The condition in one file of `sql/filters/`, without the comment above it."""
    lines = read_statement(f"filters/{name}.sql").splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))
