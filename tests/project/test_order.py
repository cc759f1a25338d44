"""Imports run down one list of packages and never round in a circle; floors and files stay small enough to be looked over."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from support import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Graph = Mapping[str, set[str]]

# From the ground up: each may import itself and what stands before it. The name of a whole package is its `__init__`, the
# face that users import.
ORDER = (
    *("sql.base", "sql.records", "sql.engine", "sql.search", "sql.store", "sql.upkeep", "sql.shell", "sql"),
    *("rag.text", "rag.compute", "rag.int8", "rag.encoder", "rag.index", "rag.retrieve", "rag.answer", "rag.library"),
    *("rag.langchain", "rag.evaluate", "rag.train", "rag", "rag.serve", "rag.commands"),
    *(
        "ingest.numerals",
        "ingest.places",
        "ingest.document",
        "ingest.readers",
        "ingest.selection",
        "ingest.found_files",
        "ingest.walk",
        "ingest.given_metadata",
        "ingest.metadata_file",
        "ingest.chunk",
        "ingest.box",
        "ingest.identity",
        "ingest.twins",
        "ingest.acl",
        "ingest.cutting",
    ),
    *("ingest.plan", "ingest.synchronize", "ingest.corpus", "ingest.passages", "ingest.reembed", "ingest.shard"),
    *("ingest.watch", "ingest.ray", "ingest", "ingest.options", "ingest.command_line"),
)
PACKAGES = ("sql", "rag", "ingest")
TOP_FLOOR = {"sql": 8, "rag": 15}  # how many packages and modules may stand right below
LONGEST_FILE = 600  # lines
REASON = "Long because"  # how a line of a longer file's docstring begins

# What does not keep to the rules yet. A test fails for what is not listed here and for what need not be listed any more.
UPWARD: set[tuple[str, str]] = set()
IN_CIRCLES: set[str] = set()
TOO_LONG: set[str] = set()


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named_modules(tree: ast.AST, modules: Mapping[str, object]) -> Iterator[str]:
    """The modules of ours that a file imports, wherever it does: at the top, in a function, for type checking only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                longer = f"{node.module}.{alias.name}"
                if longer in modules or node.module in modules:
                    yield longer if longer in modules else node.module


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """For each module, given with its source, those that it imports."""
    return {name: set(named_modules(ast.parse(source), sources)) - {name} for name, source in sources.items()}


def places(order: Sequence[str], module: str) -> list[str]:
    """The names in the order that hold a module: its own, those of packages it is in, but no face of a whole one."""
    return [name for name in order if module == name or ("." in name and module.startswith(f"{name}."))]


def has_place(order: Sequence[str], module: str) -> bool:
    return bool(places(order, module))


def place_in(order: Sequence[str], module: str) -> int:
    """The place of a module's package; of the longest name, where one is within another."""
    return order.index(max(places(order, module), key=len))


def looks_anywhere(module: str) -> bool:
    """Whether a module is a command or serves, the outermost layer."""
    return module.startswith(("rag.commands.", "rag.serve.")) or module.endswith((".__main__", ".command_line"))


def upward_imports(graph: Graph, order: Sequence[str]) -> set[tuple[str, str]]:
    return {
        (module, imported)
        for module, found in graph.items()
        if not looks_anywhere(module)
        for imported in found
        if place_in(order, imported) > place_in(order, module)
    }


def reachable(graph: Graph, start: str) -> set[str]:
    """All that a module imports, and what that imports, and so on; itself where there is a way back."""
    found: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += graph[module]
    return found


def in_circles(graph: Graph) -> set[str]:
    """The modules that import themselves by way of others: those of strongly connected components of several."""
    return {module for module in graph if module in reachable(graph, module)}


def is_too_long(source: str) -> bool:
    """Whether a file has more lines than it may, and its docstring gives no reason."""
    reasons = [line for line in (ast.get_docstring(ast.parse(source)) or "").splitlines() if line.startswith(REASON)]
    return len(source.splitlines()) > LONGEST_FILE and not reasons


def floor(folder: Path) -> set[str]:
    """The packages and modules right below a package; folders of .sql files are not Python's."""
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py", "__main__.py"}
    return modules | {path.parent.name for path in folder.glob("*/__init__.py")}


FILES = {module_name(path): path for package in PACKAGES for path in sorted((PROJECT / package).rglob("*.py"))}
SOURCES = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """Of all modules; not made where tests are only collected, which each of several processes does."""
    return import_graph(SOURCES)


def test_every_module_has_a_place_in_the_order(graph: Graph) -> None:
    assert [name for name in graph if not looks_anywhere(name) and not has_place(ORDER, name)] == []


def test_no_module_imports_what_stands_after_it(graph: Graph) -> None:
    assert upward_imports(graph, ORDER) == UPWARD


def test_no_module_imports_itself_by_way_of_others(graph: Graph) -> None:
    assert in_circles(graph) == IN_CIRCLES


def test_no_file_is_longer_than_can_be_looked_over_unless_it_says_why() -> None:
    found = {str(FILES[name].relative_to(PROJECT)) for name, source in SOURCES.items() if is_too_long(source)}
    assert found == TOO_LONG


@pytest.mark.parametrize("package", TOP_FLOOR)
def test_the_top_floor_of_a_package_can_be_taken_in_at_a_glance(package: str) -> None:
    assert len(floor(PROJECT / package)) <= TOP_FLOOR[package], sorted(floor(PROJECT / package))


@pytest.mark.parametrize("path", [path for path in FILES.values() if path.name == "__init__.py"], ids=module_name)
def test_every_package_says_what_it_is_for(path: Path) -> None:
    first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
    assert first.endswith(".")


# That these tests would find something: made-up projects


MADE_UP = {
    "low.one": "import json\n",
    "low.two": "def work():\n    from high import three\n",
    "high.three": "from low import one, two\nif TYPE_CHECKING:\n    from high.four import Four\n",
    "high.four": "import low.one\n",
    "high.command_line": "import low.two, high.three\n",
}


def test_imports_are_found_in_functions_for_type_checking_and_of_modules_by_name() -> None:
    assert import_graph(MADE_UP) == {
        "low.one": set(),
        "low.two": {"high.three"},
        "high.three": {"low.one", "low.two", "high.four"},
        "high.four": {"low.one"},
        "high.command_line": {"low.two", "high.three"},
    }


def test_an_import_of_a_name_is_one_of_the_package_that_has_it() -> None:
    assert import_graph({"a": "", "a.b": "from a import Thing", "c": "from a.b import Other"}) == {
        "a": set(),
        "a.b": {"a"},
        "c": {"a.b"},
    }


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (("x.low", "x.high"), {("x.low.two", "x.high.three")}),
        (("x.high", "x.low"), {("x.high.three", "x.low.two")}),
    ],
)
def test_an_import_that_runs_up_is_found_and_one_that_runs_down_is_none(
    order: Sequence[str], expected: set[tuple[str, str]]
) -> None:
    graph = {"x.low.two": {"x.high.three"}, "x.high.three": {"x.low.two", "x.high.four"}, "x.high.four": set[str]()}
    assert upward_imports(graph, order) == expected


def test_a_command_may_look_anywhere_and_others_may_not() -> None:
    order = ("x.commands", "x.high")
    assert upward_imports({"x.commands.command_line": {"x.high"}, "x.high": set()}, order) == set()
    assert upward_imports({"x.commands.other": {"x.high"}, "x.high": set()}, order) == {("x.commands.other", "x.high")}


def test_the_face_of_a_package_is_not_the_place_of_all_that_is_in_it() -> None:
    order = ("rag.text", "rag.index.rows", "rag", "rag.index")
    assert not has_place(order, "rag.new")
    assert not has_place(order, "rag.texts")
    assert [place_in(order, name) for name in ("rag.text.words", "rag", "rag.index", "rag.index.rows")] == [0, 2, 3, 1]


def test_circles_of_two_of_many_and_beside_each_other_are_found() -> None:
    graph = {
        "before": {"a"},
        "a": {"b"},
        "b": {"a", "after"},
        "after": set(),
        "one": {"two"},
        "two": {"three"},
        "three": {"one", "after"},
    }
    assert in_circles(graph) == {"a", "b", "one", "two", "three"}
    assert in_circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == set()


@pytest.mark.parametrize(
    ("lines", "docstring", "expected"),
    [
        (LONGEST_FILE - 1, "Short.", False),
        (LONGEST_FILE, "Long.", True),
        (LONGEST_FILE, "Long.\n\nLong because it is one table.", False),
        (LONGEST_FILE, "It is long. Long because nobody looked.", True),
    ],
)
def test_a_long_file_needs_a_reason_at_the_beginning_of_a_line(lines: int, docstring: str, *, expected: bool) -> None:
    docstring_lines = docstring.count("\n") + 1
    source = f'"""{docstring}"""\n' + "x = 1\n" * (lines - docstring_lines + 1)
    assert is_too_long(source) is expected


def test_a_floor_counts_packages_and_modules_and_no_folder_of_statements(tmp_path: Path) -> None:
    for name in ("__init__.py", "__main__.py", "one.py", "two/__init__.py", "two/three.py", "queries/four.sql"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert floor(tmp_path) == {"one.py", "two"}
