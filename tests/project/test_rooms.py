"""Each outside thing is touched in one place only; which module may import which is the subject of test_order.py."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from support import PROJECT, run_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ROOMS = ("sql", "rag", "ingest")
DOORS = {
    "clickhouse_connect": {"sql/engine/borrowed.py", "sql/engine/driver.py"},
    "chdb": {"sql/engine/embedded.py"},
    "fcntl": {"sql/engine/lock.py"},
    "ctypes": {
        "ingest/box/confine.py",
        "ingest/readers/pdf/pdfium.py",
        "rag/evaluate/model_memory.py",
        "rag/compute/torch_door.py",
        "sql/engine/embedded.py",
        "sql/engine/folders.py",
    },
    "pyarrow": {"sql/upkeep/transfer.py"},
    "torch": {"rag/compute/torch_door.py"},
    "threadpoolctl": {"rag/compute/blas.py"},
    "transformers": {
        "rag/answer/models/local.py",
        "rag/encoder/kernel_float.py",
        "rag/answer/models/language_model.py",
        "rag/text/tokenizer_check.py",
    },
    "tokenizers": {"rag/text/tokenizer.py"},
    "matplotlib": {"rag/evaluate/model_plot.py"},
    "safetensors": {
        "rag/encoder/checkpoint.py",
        "rag/encoder/distilbert.py",
        "rag/answer/models/language_model.py",
        "rag/train/training.py",
    },
    "huggingface_hub": {"rag/encoder/weights.py"},
    "httpx2": {"rag/answer/models/served.py"},
    "http.client": set(),
    "langchain_core": {
        "rag/answer/models/chat_model.py",
        "rag/langchain/vector_store.py",
        "rag/langchain/retriever.py",
        "rag/langchain/documents.py",
        "rag/langchain/embeddings.py",
    },
    "prompt_toolkit": {"rag/commands/chat_terminal.py"},
    "rich": {"sql/base/terminal.py"},
    "fastapi": {"rag/serve/app.py"},
    "starlette": {"rag/serve/app.py"},
    "uvicorn": {"rag/serve/run.py"},
    "mcp": {"rag/serve/model_context.py"},
    "mcp_types": {"rag/serve/model_context.py"},
    "opentelemetry": {"sql/base/tracing.py"},
    "prometheus_client": {"rag/serve/telemetry.py"},
    "pydantic": {"rag/serve/bodies.py", "rag/serve/replies.py", "rag/serve/tools.py"},
    "markdown_it": {"ingest/readers/markdown.py"},
    "lxml": {"ingest/readers/xml_tree.py"},
    "xml": {"ingest/readers/xml_tree.py"},
    "zipfile": {"ingest/readers/archive.py", "rag/encoder/weights.py"},
    "Stemmer": {"rag/text/analyser.py"},
    "charset_normalizer": {"ingest/readers/decode.py"},
    "pypdfium2": {"ingest/readers/pdf/pdfium.py"},
    "rapidocr": {"ingest/readers/pdf/recognise.py"},
    "PIL": {"ingest/readers/pdf/picture.py"},
    "python_calamine": {"ingest/readers/spreadsheet.py"},
    "ray": {"ingest/ray.py"},
    "pickle": set(),
    "marshal": set(),
    "requests": set(),
    "urllib.request": set(),
    "socket": {"rag/serve/run.py", "sql/engine/wire.py"},
    "subprocess": {"ingest/box/process.py", "rag/evaluate/model_memory.py", "rag/encoder/weights.py"},
    "multiprocessing": set(),  # a fork with an open engine hangs
}
ENVIRONMENT = {"sql/base/settings.py", "sql/base/terminal.py"}  # the terminal asks for NO_COLOR and TERM
SQL_FILES = sorted((PROJECT / "sql").rglob("*.sql"))
QUERIES = {path.stem for path in (PROJECT / "sql" / "queries").glob("*.sql")}
ONE_ROW_OR_A_SET = {
    "settled",
    "epoch", "epoch_within_reach", "chunk_count", "cell_range", "count_matches", "table_names", "count_generations",
    "count_texts", "count_closed",
    "count_lengths", "count_postings", "count_places", "report_vectors", "shell_schema", "cancel_statements", "stats_rows",
    "score_everything", "score_everything_together", "rounding_errors", "visible_generations", "hits", "postings", "score_places",
    "score_places_in_cells", "cells_of_chunks", "hits_in_cells",
    "stats_pairs", "stats_vector", "unknown_errors", "migration_5_widest", "ladder_float_count",
    "newest_epoch", "probe", "unfinished_deletions", "give_up_deletions", "stop_merges", "lease", "may_delete", "create_database",
    "cancel_reader", "as_read", "reach_asker", "give_memory_back",
    "query_log_extent", "logged_hits", "forgotten_generations", "word_vector_counts",
    "migration_2_manifest_counts", "migration_2_empty_manifest",
    "migration_2_exchange_chunks", "migration_2_exchange_manifest", "migration_2_drop_chunks", "migration_2_drop_manifest",
}  # fmt: skip
SQL_TEXT = re.compile(
    r"\s*(SELECT|INSERT|CREATE|DELETE|ALTER|DROP|TRUNCATE|OPTIMIZE|SET|WITH)\b"
    r"|(?i:\s*(select\s.+\sfrom|insert\s+into|create\s+(table|view|function)|(delete|drop|alter)\s+(from|table|view))\s)",
    re.DOTALL,
)
ALLOWED_SQL = {
    ("sql/engine/driver.py", "SET readonly = 1"),  # a setting of the connection, with nothing in it to bind
    ("sql/engine/statements.py", "SET param_"),  # how values are shown to a reader who wants to paste them; never run
}


@cache
def modules() -> dict[str, tuple[ast.AST, ...]]:
    """Every module of ours, as all that it is made of; not read where tests are only collected, as by each process."""
    return {
        str(path.relative_to(PROJECT)): tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        for room in ROOMS
        for path in sorted((PROJECT / room).rglob("*.py"))
    }


def imports(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Every module named in an import, wherever it stands: at the top, in a function, for type checking only."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imported(name: str) -> frozenset[str]:
    return frozenset(imports(modules()[name]))


def imports_of(name: str, module: str) -> bool:
    return any(found == module or found.startswith(f"{module}.") for found in imported(name))


def attributes(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Every `name.attribute` in the code."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def strings(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Every string in the code but docstrings; of an f-string the parts that are written out."""
    docstrings = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def statements_named(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The name in every `Statement("name")`."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Statement":
            assert isinstance(node.args[0], ast.Constant), "a statement is picked by a name that can be searched for"
            yield str(node.args[0].value)


def is_command(name: str) -> bool:
    """Whether a module is the outermost layer, which may use every room and speak to the person."""
    return name.endswith(("/__main__.py", "/command_line.py", "sql/base/start.py")) or name.startswith("rag/commands/")


def test_nothing_in_the_rooms_imports_the_tests() -> None:
    test_modules = {path.stem for path in (PROJECT / "tests").rglob("*.py")} | {"tests"}
    found = [
        f"{name} imports {module}"
        for name, nodes in modules().items()
        for module in imports(nodes)
        if module in test_modules
    ]
    assert found == []


@pytest.mark.parametrize("library", DOORS)
def test_each_outside_library_is_imported_behind_its_door_only(library: str) -> None:
    users = {name for name in modules() if imports_of(name, library)}
    assert users <= DOORS[library]


def test_the_environment_is_read_in_the_settings_only() -> None:
    users = {
        name
        for name, nodes in modules().items()
        if {"os.environ", "os.getenv", "os.environb"} & set(attributes(nodes))
        or {"os.environ", "os.getenv"} & set(imports(nodes))
    }
    assert users == ENVIRONMENT
    asked = set(strings(modules()["sql/base/terminal.py"])) & {"NO_COLOR", "TERM", "RAG_DB", "RAG_MODEL", "HOME"}
    assert asked == {"NO_COLOR", "TERM"}


def test_only_the_terminal_and_the_commands_print_and_exit() -> None:
    for name, nodes in modules().items():
        if name == "sql/base/terminal.py" or is_command(name):
            continue
        calls = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert not calls & {"print", "input", "exit", "quit", "SystemExit"}, name
        assert not set(attributes(nodes)) & {"sys.stdout", "sys.stderr", "sys.stdin", "sys.exit", "os._exit"}, name


def test_no_python_file_holds_sql() -> None:
    found = {(name, text) for name, nodes in modules().items() for text in strings(nodes) if SQL_TEXT.match(text)}
    assert found == ALLOWED_SQL


@pytest.mark.parametrize(
    "text", ["SELECT 1", "\n  INSERT INTO t", "select a\nfrom t", "delete from t where", "Create Table t"]
)
def test_the_search_for_sql_would_find_it(text: str) -> None:
    assert SQL_TEXT.match(f"{text} ")


def test_no_statement_is_put_together_from_values() -> None:
    for name, nodes in modules().items():
        for node in nodes:
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and node.func.attr in {"query", "command", "execute", "raw_query"} and node.args:
                built = isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
                assert not built, f"{name}:{node.lineno}"


@pytest.mark.parametrize("path", SQL_FILES, ids=lambda path: path.stem)
def test_every_sql_file_opens_with_a_comment_and_holds_one_statement(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(r"-- \S", text)
    code = re.sub(r"--.*|'[^']*'", "", text)
    assert ";" not in code
    assert text.endswith("\n")


def test_every_query_file_is_used_and_every_statement_has_its_file() -> None:
    used = {statement for nodes in modules().values() for statement in statements_named(nodes)}
    assert used == QUERIES


def test_every_select_of_several_rows_has_an_order() -> None:
    for path in (PROJECT / "sql" / "queries").glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        assert re.search("ORDER BY|DELETE|INSERT|UPDATE", text) or path.stem in ONE_ROW_OR_A_SET, path.stem


def test_every_sql_file_is_part_of_the_package() -> None:
    from sql.engine.statements import read_statement, schema_statements

    assert len(schema_statements()) == len(list((PROJECT / "sql" / "schema").glob("*.sql")))
    for name in (*schema_statements(), *(f"queries/{query}.sql" for query in QUERIES)):
        assert read_statement(name).startswith("--")


@pytest.mark.parametrize("command", ["ingest", "rag", "sql"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_neither_a_model_nor_a_database(command: str, option: str) -> None:
    program = (
        "import runpy, sys\n"
        f"sys.argv = [{command!r}, {option!r}]\n"
        "try: runpy.run_module(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'chdb', 'clickhouse_connect', 'numpy', 'rich', 'pyarrow'}\n"
        "heavy |= {'huggingface_hub', 'langchain_core', 'httpx2', 'fastapi', 'uvicorn', 'mcp', 'pydantic', 'opentelemetry'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    finished = run_python("-c", program)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.strip()


def test_a_process_that_reads_files_starts_without_what_other_formats_need() -> None:
    program = (
        "import sys, ingest.box.worker, ingest.readers.markdown, rag.text.tokenizer\n"
        "heavy = {'numpy', 'pypdfium2', 'lxml', 'torch', 'chdb', 'clickhouse_connect'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    finished = run_python("-c", program)
    assert (finished.returncode, finished.stderr, finished.stdout) == (0, "", "[]\n")


def test_nothing_outside_its_package_imports_langchain() -> None:
    users = [name for name in modules() if imports_of(name, "rag.langchain")]
    assert [name for name in users if not name.startswith("rag/langchain/")] == []


def test_a_benchmark_that_uses_ingest_does_not_find_the_benchmark_of_that_name() -> None:
    for path in sorted((PROJECT / "benchmarks").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        used = re.search(r"^from ingest\.", text, re.MULTILINE)
        assert used is None or "sys.path" in text[: used.start()], f"{path.name} imports benchmarks/ingest.py instead"
