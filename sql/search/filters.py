"""Which chunks a search may find: a filter as plain Python values in, a condition with bound values out.

    {"year": {"$gte": 2020}, "$or": [{"tags": "glaze"}, {"source": {"$glob": "docs/**/*.md"}}]}

A name is a column (source, title, heading, path, format, line, page) or a name of the documents' metadata; where both
exist, `metadata.NAME` means the metadata. The condition is put together from the files in `sql/filters/`; names and
values only ever travel as parameters, each with a number of its own.

Meaning: text is compared with text by its UTF-8 bytes, numbers with numbers whether whole or not, true and false with
themselves; values of other types never match. A list matches where one of its items does. null means null or absent.
$ne, $nin and $not are the exact opposite of what they negate, so they match where the name is absent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sql.base.errors import InvalidFilter
from sql.engine.statements import Condition, read_fragment
from sql.records.metadata import GREATEST_INTEGER, LEAST_INTEGER, encodable, is_name, plain_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sql.engine.statements import Value

Filter = Mapping[str, Any]

MAX_DEPTH = 16
MAX_CONDITIONS = 256
MAX_CHOICES = 10_000  # values of one $in
METADATA_PREFIX = "metadata."
COMPARISONS = ("$lt", "$lte", "$gt", "$gte")
OPERATORS = ("$eq", "$ne", "$in", "$nin", *COMPARISONS, "$like", "$glob", "$exists", "$not")
TERM = re.compile(r"\s*([^\s=!<>~]+)\s*(!=|>=|<=|=|>|<|~)\s*(.*)", re.DOTALL)
CHOOSING = {"=": "$in", "!=": "$nin"}
TERM_OPERATORS = {"=": "$eq", "!=": "$ne", ">=": "$gte", "<=": "$lte", ">": "$gt", "<": "$lt"}
OPERATOR_SIGNS = ("=", "<", ">", "~", "!")
ALL_OPERATORS = " ".join([*TERM_OPERATORS, "~"])


@dataclass(frozen=True, slots=True)
class Field:
    """What a filter can look at: the fragments that yield its values, by their type; a column has one of them."""

    name: str
    fragments: Mapping[str, str]
    of_document: bool = False  # known to the manifest, not to the chunk
    is_column: bool = True


COLUMNS = {
    "source": Field("source", {"text": "values_source"}),
    "title": Field("title", {"text": "values_title"}),
    "heading": Field("heading", {"text": "values_heading"}),
    "path": Field("path", {"text": "values_path"}, of_document=True),
    "format": Field("format", {"text": "values_format"}, of_document=True),
    "line": Field("line", {"integer": "values_line"}),
    "page": Field("page", {"integer": "values_page"}),
}
METADATA_FRAGMENTS = {
    "text": "values_texts",
    "integer": "values_integers",
    "number": "values_numbers",
    "truth": "values_truths",
}


def compile_filter(given: Filter) -> Condition:
    """The condition of a filter; InvalidFilter, before anything is sent, for what it cannot mean."""
    compiler = Compiler()
    text = compiler.all_of(given, depth=0)
    return Condition(text, compiler.values)


@dataclass
class Compiler:
    """Puts fragments together and collects the values they bind."""

    values: dict[str, Value] = field(default_factory=dict)
    fragments: int = 0

    def all_of(self, given: object, depth: int) -> str:
        """A mapping: every entry has to be met."""
        if not isinstance(given, Mapping):
            raise InvalidFilter(f'a filter is a mapping such as {{"year": {{"$gte": 2020}}}}, not {given!r:.80}')
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"the filter is nested more than {MAX_DEPTH} deep: write it flatter")
        return self.joined("AND", [self.entry(name, value, depth) for name, value in given.items()], "everything")

    def entry(self, name: object, value: object, depth: int) -> str:
        """One entry of a mapping: a connective with its parts, or a name with what it must be."""
        if name in {"$and", "$or", "$nor"}:
            if not isinstance(value, list | tuple) or not value:
                raise InvalidFilter(f"{name} takes a list of filters, not {value!r:.80}")
            parts = [self.all_of(part, depth + 1) for part in value]
            if name == "$and":
                return self.joined("AND", parts, "everything")
            either = self.joined("OR", parts, "nothing")
            return negated(either) if name == "$nor" else either
        if name == "$not":
            return negated(self.all_of(value, depth + 1))
        if isinstance(name, str) and name.startswith("$"):
            raise InvalidFilter(f"{name:.80} is in the place of a name, where only $and, $or, $nor and $not can be")
        return self.named(find_field(name), value, depth)

    def named(self, place: Field, value: object, depth: int) -> str:
        """What one name must be: a value, or operators that all have to be met."""
        if not isinstance(value, Mapping):
            return self.test(place, "$in" if isinstance(value, list | tuple) else "$eq", value, depth)
        if not value:
            raise InvalidFilter(f"{place.name} has no operator: one of {', '.join(OPERATORS)} is needed")
        tests = [self.test(place, operator, operand, depth) for operator, operand in value.items()]
        return self.joined("AND", tests, "everything")

    def test(self, place: Field, operator: object, operand: object, depth: int) -> str:
        """One operator with its operand."""
        if operator == "$not":
            if depth > MAX_DEPTH:
                raise InvalidFilter(f"the filter is nested more than {MAX_DEPTH} deep: write it flatter")
            return negated(self.named(place, operand, depth + 1))
        if operator in {"$eq", "$ne"}:
            same = self.one_of(place, [operand])
            return negated(same) if operator == "$ne" else same
        if operator in {"$in", "$nin"}:
            if not isinstance(operand, list | tuple | set | frozenset) or len(operand) > MAX_CHOICES:
                raise InvalidFilter(f"{operator} of {place.name} takes a list of at most {MAX_CHOICES} values")
            among = self.one_of(place, list(operand))
            return negated(among) if operator == "$nin" else among
        if operator in COMPARISONS:
            return self.compared(place, str(operator), operand)
        if operator == "$like":
            return self.over(place, ("text",), "text_like", {"value": like_pattern(place, operand)})
        if operator == "$glob":
            return self.over(place, ("text",), "text_matches", {"value": glob_expression(checked_text(place, operand))})
        if operator == "$exists":
            if not isinstance(operand, bool):
                raise InvalidFilter(f"$exists of {place.name} takes true or false, not {operand!r:.80}")
            there = self.fragment("everything") if place.is_column else self.fragment("exists", {"name": place.name})
            return there if operand else negated(there)
        raise InvalidFilter(f"{operator!r:.80} is not an operator: {', '.join(OPERATORS)} are known")

    def one_of(self, place: Field, choices: list[Any]) -> str:
        """Equality with one of several values, each compared with those of its own type."""
        kinds: dict[str, list[Any]] = {}
        for choice in choices:
            kinds.setdefault(value_type(place, choice), []).append(choice)
        tests = []
        if texts := kinds.get("text"):
            tests.append(self.over(place, ("text",), "text_in", {"value": texts}))
        if integers := kinds.get("integer"):
            tests.append(self.over(place, ("integer", "number"), "integer_in", {"value": integers}))
        if numbers := kinds.get("number"):
            tests.append(self.over(place, ("integer", "number"), "number_in", {"value": numbers}))
        if truths := kinds.get("truth"):
            tests.append(self.over(place, ("truth",), "truth_in", {"value": [int(truth) for truth in truths]}))
        if "null" in kinds:
            tests.append(self.fragment("nothing" if place.is_column else "is_null", {"name": place.name}))
        return self.joined("OR", tests, "nothing")

    def compared(self, place: Field, operator: str, operand: object) -> str:
        """Less, at most, greater, at least."""
        kind = value_type(place, operand)
        if kind == "text":
            return self.over(place, ("text",), "text_compare", {"test": operator, "value": str(operand)})
        if kind == "integer":
            return self.over(place, ("integer", "number"), "integer_compare", {"test": operator, "value": operand})
        if kind == "number":
            return self.over(place, ("integer", "number"), "number_compare", {"test": operator, "value": operand})
        raise InvalidFilter(f"{operator} of {place.name} takes text or a number, not {operand!r:.80}")

    def over(self, place: Field, kinds: Iterable[str], test: str, values: Mapping[str, Any]) -> str:
        """A test of the values that a field has of the given types; what has none of them never passes."""
        tests = [
            self.fragment(test, values, hole="/* values */", filling=self.fragment(name, {"name": place.name}))
            for kind in kinds
            if (name := place.fragments.get(kind))
        ]
        either = self.joined("OR", tests, "nothing")
        if not place.of_document or not tests:
            return either
        return self.fragment("of_document", hole="/* condition */", filling=either)

    def joined(self, connective: str, parts: list[str], none: str) -> str:
        """Conditions with AND or OR between them."""
        if not parts:
            return self.fragment(none)
        return parts[0] if len(parts) == 1 else f"({f' {connective} '.join(parts)})"

    def fragment(self, name: str, values: Mapping[str, Any] | None = None, *, hole: str = "", filling: str = "") -> str:
        """One file of `sql/filters/` with a number of its own in its parameters, which are bound to the values."""
        self.fragments += 1
        if self.fragments > 4 * MAX_CONDITIONS:
            raise InvalidFilter(f"the filter has more than {MAX_CONDITIONS} conditions: use $in for a list of values")
        text = read_fragment(name)
        for parameter, value in (values or {}).items():
            if f"{{{parameter}_#:" in text:
                self.values[f"{parameter}_{self.fragments}"] = value
        text = text.replace("#", str(self.fragments))
        return text.replace(hole, filling) if hole else text


def demands(given: Filter) -> Iterator[tuple[Field, set[str]]]:
    """What a chunk needs to pass a filter, as far as that can be said of one name alone: the field, and of which types its
    value has to be (text, number, truth), none for any. What stands below a negation demands nothing.
    """
    for name, value in given.items():
        if name in {"$and", "$or"}:
            for part in value:
                yield from demands(part)
        elif not str(name).startswith("$"):
            tests = (
                value if isinstance(value, Mapping) else {"$in" if isinstance(value, list | tuple) else "$eq": value}
            )
            for operator, operand in tests.items():
                yield from demand(find_field(name), operator, operand)


def demand(place: Field, operator: str, operand: Any) -> Iterator[tuple[Field, set[str]]]:
    """What one operator demands."""
    if operator in {"$like", "$glob"}:
        yield place, {"text"}
    elif operator in {"$eq", "$in", *COMPARISONS}:
        choices = list(operand) if operator == "$in" else [operand]
        types = {"number" if kind == "integer" else kind for kind in (value_type(place, one) for one in choices)}
        if choices and "null" not in types:
            yield place, types
    elif operator == "$exists" and operand is True:
        yield place, set()


def refuse_hopeless(given: Filter, known: Mapping[str, set[str]]) -> None:
    """Raises InvalidFilter where a filter asks for a name that no chunk has, or for values of a type that none has there.

    `known` has the names of the metadata with the types of their values: text, number, truth, list, null. To be asked
    where nothing was found, which would else look like an answer.
    """
    for place, wanted in demands(given):
        held = {"text" if "text" in place.fragments else "number"} if place.is_column else known.get(place.name)
        if held is None:
            names = [*COLUMNS, *(name if name not in COLUMNS else f"{METADATA_PREFIX}{name}" for name in sorted(known))]
            raise InvalidFilter(f"chunks have no field {place.name} to filter by; the fields are {', '.join(names)}")
        if wanted and "list" not in held and not wanted & held:
            raise InvalidFilter(
                f"{place.name} is compared with a {' or a '.join(sorted(wanted))} and holds only values of the type "
                f"{' and '.join(sorted(held))}: give one of that type"
            )


def negated(condition: str) -> str:
    """The opposite."""
    return f"NOT ({condition})"


def find_field(name: object) -> Field:
    """The column or the metadata behind a name; InvalidFilter where nothing can be called so."""
    if isinstance(name, str):
        if name in COLUMNS:
            return COLUMNS[name]
        own = name.removeprefix(METADATA_PREFIX)
        if is_name(own):
            return Field(own, METADATA_FRAGMENTS, is_column=False)
    raise InvalidFilter(
        f"{name!r:.80} cannot be filtered by: a name is one of {', '.join(COLUMNS)}, or that of metadata, a letter or _ "
        "and up to 63 letters, digits, _ . or -"
    )


def value_type(place: Field, value: object) -> str:
    """text, integer, number, truth or null; InvalidFilter for any other value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, str):
        checked_text(place, value)
        return "text"
    if isinstance(value, int) and LEAST_INTEGER <= value <= GREATEST_INTEGER:
        return "integer"
    if isinstance(value, float) and math.isfinite(value):
        return "number"
    raise InvalidFilter(
        f"{place.name} cannot be compared with {value!r:.80}: text, whole numbers of 64 bits, finite numbers, true, "
        "false and null can be"
    )


def checked_text(place: Field, value: object) -> str:
    """The text itself."""
    if not isinstance(value, str) or not encodable(value):
        raise InvalidFilter(f"{place.name} needs text here, not {value!r:.80}")
    return value


def like_pattern(place: Field, value: object) -> str:
    """A LIKE pattern; InvalidFilter where a backslash stands before anything but %, _ or a backslash."""
    pattern = checked_text(place, value)
    if re.search(r"\\(?![%_\\])", re.sub(r"\\\\", "", pattern)):
        raise InvalidFilter(f"the pattern {pattern!r:.80}: a backslash can only stand before %, _ or another backslash")
    return pattern


def glob_expression(pattern: str) -> str:
    r"""A path pattern as a regular expression: `*` and `?` stay within a folder, `**` goes through any number of them.

    >>> glob_expression("docs/**/*.md")
    '\\A(?s:docs/(?:.*/)?[^/]*\\.md)\\z'
    """
    pieces = []
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern, re.DOTALL):
        pieces.append({"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece) or re.escape(piece))
    return rf"\A(?s:{''.join(pieces)})\z"


def parse_filter(terms: Sequence[str]) -> Filter | None:
    """The filter of `--filter` options, which all have to be met: JSON objects, or terms such as `year>=2020`.

    A value is text in quotation marks, or a word that means what it would mean in front matter: a number, true, false,
    null or text. `=` and `!=` of a number, true, false or null mean the same word as text too. `~` takes a path pattern.

    >>> parse_filter(["year>=2020", "source~docs/*.md", '{"tags": {"$in": ["kiln"]}}'])
    {'$and': [{'year': {'$gte': 2020}}, {'source': {'$glob': 'docs/*.md'}}, {'tags': {'$in': ['kiln']}}]}
    """
    parts = [parse_term(term) for term in terms]
    if len(parts) <= 1:
        return parts[0] if parts else None
    return {"$and": parts}


def parse_term(term: str) -> Filter:
    """One `--filter`."""
    if term.lstrip().startswith("{"):
        try:
            given = json.loads(term)
        except json.JSONDecodeError as error:
            raise InvalidFilter(f"--filter {term!r:.80} is not JSON: {error}") from error
        return dict(given)
    found = TERM.fullmatch(term)
    if not found:
        raise InvalidFilter(
            f"--filter {term!r:.80}: write name=value or a JSON object; the operators are {ALL_OPERATORS}"
        )
    name, operator, text = found.groups()
    if text.startswith(OPERATOR_SIGNS):
        raise InvalidFilter(
            f"--filter {term!r:.80}: there is no operator {operator}{text[0]}, there are {ALL_OPERATORS}; "
            f"a text that begins with {text[0]} has to be in double quotes"
        )
    if operator == "~":
        return {name: {"$glob": text}}
    value = parse_value(text.strip())
    if operator in CHOOSING and not isinstance(value, str | list | dict):
        # Whether a file has 1998 or "1998" is not to be seen from a question for year=1998: both are meant.
        return {name: {CHOOSING[operator]: [value, text.strip()]}}
    return {name: {TERM_OPERATORS[operator]: value}}


def parse_value(text: str) -> Any:
    """The value of a term: JSON in quotation marks or brackets, else what the word would mean in front matter.

    >>> parse_value("12"), parse_value("True"), parse_value('"12"'), parse_value("blue"), parse_value("01097")
    (12, True, '12', 'blue', '01097')
    """
    if not text.startswith(('"', "[", "{")):
        return plain_value(text) if text else text
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return text
