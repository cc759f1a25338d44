"""The documents cannot drift: their commands run and print what they say, and their options, SQL and links are real."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from commands_here import run_here, run_program_here
from support import PATIENCE, PROJECT

from rag.answer import answer, merit, quotation
from sql.base import settings
from sql.search import search

if TYPE_CHECKING:
    from collections.abc import Iterator

README = PROJECT / "README.md"
PAGES = [README, PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").glob("*.md"))]
COOKBOOK = PROJECT / "docs" / "sql-cookbook.md"
LANGCHAIN_PAGE = PROJECT / "docs" / "langchain.md"
LIBRARY_PAGE = PROJECT / "docs" / "library.md"
MAINTENANCE_PAGE = PROJECT / "docs" / "maintenance.md"
TRANSCRIPT_PAGES = [  # in this order
    README,
    PROJECT / "docs" / "models.md",
    PROJECT / "docs" / "commands.md",
    COOKBOOK,
    MAINTENANCE_PAGE,
]
TABLE_PAGE = PROJECT / "docs" / "table.md"
ASKED_PAGES = (
    "quantization.md",
    "concepts.md",
    "hybrid.md",
    "langchain.md",
    "table.md",
)  # what is asked, and its answers
TABLES = (
    "chunks",
    "manifest",
    "texts",
    "places",
    "lengths",
    "postings",
    "cells",
    "collection",
    "calibrations",
    "float_references",
    "queries",
)
NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
EXIT_CODE = re.compile(r"#\s*exit code (\d+)\s*$")
# The last command of a line, where it is one of ours, and what the shell does before it.
LAST_COMMAND = re.compile(r"(?:(?P<before>.*) (?P<joint>&&|\|) )?(?P<script>int8-rag(?:-ingest|-sql)?) (?P<words>.*)")
MODULES = {"int8-rag": "rag", "int8-rag-ingest": "ingest", "int8-rag-sql": "sql"}
DOCUMENTED_CACHE = "/home/ada/.cache/int8-rag"


# Reading a page


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, where it begins, and the block that shows its output, if there is one."""

    page: str
    line: int
    language: str
    text: str
    output: Block | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def fenced_blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in order; an output is the text or json block that follows its commands at once."""
    blocks: list[Block] = []
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start()) + 1
        block = Block(page.name, line, match[1], match[2])
        follows = text[: match.start()].rstrip().endswith("```")
        if block.language in {"text", "json"} and follows and blocks[-1].language in {"sh", "python", "sql"}:
            last = blocks.pop()
            block = Block(last.page, last.line, last.language, last.text, block)
        blocks.append(block)
    return blocks


def tables(page: Path) -> Iterator[list[list[str]]]:
    """The tables of a page, each as rows of cells, the header first and without the line below it."""
    rows: list[list[str]] = []
    for line in [*page.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            yield [row for row in rows if set("".join(row)) != {"-"}]
            rows = []


def table_under(page: Path, header: str) -> dict[str, list[str]]:
    """The table whose first header cell is `header`, as its first cells with their further ones."""
    return {row[0]: row[1:] for rows in tables(page) if rows[0][0] == header for row in rows[1:]}


def command_blocks() -> list[Block]:
    return [block for page in TRANSCRIPT_PAGES for block in fenced_blocks(page) if block.language == "sh"]


# The commands


@dataclass(frozen=True)
class Run:
    """One command line of a document, the folder it ran in and what came of it."""

    folder: Path
    command: str
    expected_code: int
    code: int
    output: str
    errors: str


@pytest.fixture(scope="module")
def environment(model_cache: Path) -> dict[str, str]:
    """The environment of a user who has installed the project and fetched the model, and has no network."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAG_", "HF_"))}
    return inherited | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "RAG_CACHE": str(model_cache),
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a docs/ of a few pages: embedding all of them takes as long as all that is done with them."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "docs").mkdir()
    for name in ASKED_PAGES:
        shutil.copy(PROJECT / "docs" / name, folder / "docs")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages whose commands begin in an empty folder."""
    return {name: tmp_path_factory.mktemp("empty") for name in ("commands.md", COOKBOOK.name)}


@pytest.fixture(scope="module")
def transcript(environment: dict[str, str], workplace: Path, folders: dict[str, Path]) -> dict[str, list[Run]]:
    """Every command of the documents, run once in the order in which a reader meets them.

    Those of the README are processes, as in the long suite; of the others the last command of a line is run in this one.
    """
    return {
        str(block): [
            run_line(line, folders.get(block.page, workplace), environment, here=block.page != README.name)
            for line in block.text.splitlines()
        ]
        for block in command_blocks()
    }


def run_line(line: str, folder: Path, environment: dict[str, str], *, here: bool = False) -> Run:
    expected = EXIT_CODE.search(line)
    last = LAST_COMMAND.fullmatch(line) if here else None
    if last is None:
        ended = run_shell(line, folder, environment)
    else:
        given = ""
        if last["before"]:
            before = run_shell(last["before"], folder, environment)
            assert before.returncode == 0, before.stderr
            given = before.stdout if last["joint"] == "|" else ""
        words = shlex.split(last["words"], comments=True)
        ended = run_here(MODULES[last["script"]], *words, cwd=folder, environment=environment, given=given)
    cache = environment["RAG_CACHE"]
    output, errors = (text.replace(cache, DOCUMENTED_CACHE) for text in (ended.stdout, ended.stderr))
    errors = re.sub(r"^\.\.\. .*\n", "", errors, flags=re.MULTILINE)  # how far it was each minute, on a busy machine
    return Run(folder, line, int(expected[1]) if expected else 0, ended.returncode, output, errors)


def run_shell(line: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("block", command_blocks(), ids=str)
def test_documented_commands_do_what_the_page_says(block: Block, transcript: dict[str, list[Run]]) -> None:
    assert_as_documented(block, transcript[str(block)])


@pytest.mark.slow
def test_the_readme_is_true_of_the_whole_manual(environment: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "docs", tmp_path / "docs")
    for block in blocks_of(README, "sh"):
        assert_as_documented(block, [run_line(line, tmp_path, environment) for line in block.text.splitlines()])


def assert_as_documented(block: Block, runs: list[Run]) -> None:
    for run in runs:
        assert run.code == run.expected_code, f"{run.command}\n{run.errors}{run.output}"
    if block.output is None:
        return
    if block.output.language == "json":
        found = json.loads(runs[-1].output)
        assert same_shape(json.loads(block.output.text), found), f"{runs[-1].command} prints {runs[-1].output}"
        return
    printed = "".join(run.errors + run.output for run in runs)
    assert output_pattern(block.output.text).fullmatch(normalized(printed)), f"{block} prints:\n{printed}"


def normalized(text: str) -> str:
    """Text in which every number is 0 and white space is single: what differs from run to run is left out."""
    lines = (" ".join(NUMBER.sub("0", line).split()) for line in text.strip().splitlines())
    return "\n".join(lines)


def output_pattern(documented: str) -> re.Pattern[str]:
    """A pattern of a documented output: `...` stands for anything, on a line of its own for any lines."""
    return re.compile(re.escape(normalized(documented)).replace(r"\.\.\.", ".*"), re.DOTALL)


def same_shape(documented: Any, found: Any) -> bool:
    """Whether two JSON values have the same keys and types; an empty list has the shape of any list."""
    if isinstance(documented, dict) and isinstance(found, dict):
        return documented.keys() == found.keys() and all(same_shape(documented[key], found[key]) for key in found)
    if isinstance(documented, list) and isinstance(found, list):
        return not documented or not found or same_shape(documented[0], found[0])
    numbers = (int, float)
    both_numbers = isinstance(documented, numbers) and isinstance(found, numbers)
    return type(documented) is type(found) or (both_numbers and bool not in {type(documented), type(found)})


def test_numbers_and_dots_are_all_that_an_output_may_differ_in() -> None:
    pattern = output_pattern("2 files in 0.1 s\n...\nthe end\n")
    assert pattern.fullmatch(normalized("31 files in 1.25 s\na\nb\nthe end\n"))
    assert not pattern.fullmatch(normalized("2 folders in 0.1 s\na\nthe end\n"))


def test_shapes_differ_in_a_key_or_a_type() -> None:
    assert same_shape({"a": [{"b": 1}], "c": []}, {"a": [{"b": 0.5}], "c": ["x"]})
    assert not same_shape({"a": 1}, {"a": 1, "b": 2})
    assert not same_shape({"a": 1}, {"a": True})


def test_a_citation_is_the_documents_text_from_start_to_end(transcript: dict[str, list[Run]]) -> None:
    runs = [run for runs in transcript.values() for run in runs if " ask " in run.command and "--json" in run.command]
    found = [(run.folder, citation) for run in runs for citation in json.loads(run.output)["citations"]]
    assert found
    for folder, citation in found:
        with (folder / citation["source"]).open(newline="", encoding="utf-8") as file:
            text = file.read()
        assert text[citation["start"] : citation["end"]] == citation["text"]
        assert text.count("\n", 0, citation["start"]) + 1 == citation["line"]


def test_benchmarks_of_the_readme_have_a_help_text(environment: dict[str, str]) -> None:
    scripts = sorted(set(re.findall(r"`python (benchmarks/\w+\.py)", README.read_text(encoding="utf-8"))))
    assert scripts
    for script in scripts:
        command = [sys.executable, script, "--help"]
        ended = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert "usage:" in ended.stdout


# Options, settings and constants


def option_tables() -> dict[str, list[list[str]]]:
    page = PROJECT / "docs" / "commands.md"
    return {rows[0][0].strip("`"): rows[1:] for rows in tables(page) if rows[0][0].startswith("`int8-rag")}


@pytest.mark.parametrize("command", option_tables())
def test_option_tables_say_what_help_says(command: str, environment: dict[str, str]) -> None:
    wide = environment | {"COLUMNS": "1000"}  # so that no line is wrapped
    script, *words = command.split()
    ended = run_here(MODULES[script], *words, "--help", cwd=PROJECT, environment=wide)
    assert ended.returncode == 0
    # An entry begins after two spaces; where its option is long, its text has a line of its own.
    entries = re.findall(r"^  (\S.*(?:\n {3,}\S.*)*)", ended.stdout, re.MULTILINE)
    shown = [" ".join(entry.split()) for entry in entries if not entry.startswith("-h,")]
    assert [f"{option.strip('`')} {meaning}" for option, meaning in option_tables()[command]] == shown


def test_the_defaults_of_a_search_are_those_of_the_code() -> None:
    meanings = dict(option_tables()["int8-rag search"])
    assert meanings["`--probes N`"].endswith(f"(default {search.PROBES})")
    candidates = f"(default {search.CANDIDATES}, or {search.CANDIDATES_PER_RESULT} per hit if that is more)"
    assert meanings["`--candidates N`"].endswith(candidates)


def test_every_command_has_an_option_table(environment: dict[str, str]) -> None:
    text = run_here("rag", "--help", cwd=PROJECT, environment=environment).stdout
    commands = re.findall(r"^    (\w+)  ", text, re.MULTILINE)
    documented = {name.split()[1] for name in option_tables() if name.startswith("int8-rag ")}
    assert documented == set(commands)
    assert {"int8-rag-ingest", "int8-rag-sql"} <= option_tables().keys()


@pytest.mark.parametrize("page", [README, PROJECT / "docs" / "commands.md"], ids=lambda page: page.name)
def test_both_forms_of_each_command_are_documented_the_scripts_first(page: Path) -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    text = page.read_text(encoding="utf-8")
    for script, entry in scripts.items():
        module = f"python -m {entry.partition('.')[0]}"
        assert 0 <= text.index(script) < text.index(module)
    assert all(name in text for name in ("`ingest.py`", "`rag.py`", "`sql.py`"))  # the reason


def test_messages_are_written_with_the_longer_form_of_each_command() -> None:
    """They are shown with the one that was used (sql/base/terminal.py, as_started); docstrings are documents."""
    short = []
    for path in (path for folder in ("ingest", "rag", "sql") for path in (PROJECT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [one for one in ast.walk(tree) if isinstance(one, ast.Constant) and id(one) not in docstrings]
        short += [f"{path}:{one.lineno}" for one in texts if isinstance(one.value, str) and "`int8-rag" in one.value]
    assert short == []


def test_the_documented_commands_are_this_environments(environment: dict[str, str]) -> None:
    shown = {
        form: subprocess.check_output(["/bin/sh", "-c", f"{form} --version"], text=True, env=environment)
        for form in ("int8-rag", "python -m rag")
    }
    assert shown["int8-rag"] == shown["python -m rag"]


def test_the_settings_table_is_that_of_the_code() -> None:
    lines = [line for line in (settings.__doc__ or "").splitlines() if line.startswith("|")]
    assert "\n".join(lines) in README.read_text(encoding="utf-8")
    read = set(re.findall(r'environment\.get\("((?:RAG|HF)_\w+)"', Path(settings.__file__).read_text(encoding="utf-8")))
    assert {line.split("|")[1].strip() for line in lines[2:]} == read | {settings.THREAD_COUNTS[0]}


def test_the_answers_page_has_the_weights_and_thresholds_of_the_code() -> None:
    page = PROJECT / "docs" / "answers.md"
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^   \| (\w+) \| (-?[\d.]+) \| (-?[\d.]+) \|", text, re.MULTILINE)
    weights = {name: (float(known), float(strange)) for name, known, strange in rows}
    assert weights == {name: both for name, both in merit.WEIGHTS.items() if any(both)}
    text = " ".join(text.split())
    assert f"below {settings.DEFAULT_MIN_CONFIDENCE}" in text
    assert f"at least {answer.FURTHER_SENTENCES} times the best" in text
    assert f"At most {quotation.MOST_LINES} lines and {quotation.MOST_CHARACTERS:,} characters" in text
    assert f"The {settings.DEFAULT_K} chunks nearest" in text
    assert f"fewer than {quotation.FEWEST_WORDS} words" in text


# SQL

RUN_BLOCKS = """
import json, sys
from sql.engine.client import Client, parse_location
client = Client(parse_location(".rag"))
epoch = client.text("SELECT max(epoch) FROM manifest", "TabSeparated").decode()
first = f"SET param_epoch = {epoch}; SET param_query = '{sys.argv[1]}';"
results = []
for block in json.load(sys.stdin):
    wanted = "JSONCompact" if block.lstrip().startswith(("SELECT", "WITH", "DESCRIBE")) else None
    printed = client.text(first + block, wanted)
    results.append(json.loads(printed) if wanted else None)
client.close()
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def sql_results(
    transcript: dict[str, list[Run]], environment: dict[str, str], workplace: Path
) -> dict[str, dict[str, Any]]:
    """What every SQL block of docs/table.md returns, run in order on a store of docs/, and the columns of its tables."""
    assert transcript  # whose first command has made the store
    blocks = {str(block): block.text for block in fenced_blocks(TABLE_PAGE) if block.language == "sql"}
    blocks |= {name: f"DESCRIBE TABLE {name}" for name in TABLES}
    vector = next(block.text for block in fenced_blocks(TABLE_PAGE) if block.language == "python")

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-c", *arguments],
            input=json.dumps(list(blocks.values())),
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return dict(zip(blocks, json.loads(run(RUN_BLOCKS, run(vector).strip())), strict=True))


@pytest.mark.parametrize("block", [str(block) for block in fenced_blocks(TABLE_PAGE) if block.language == "sql"])
def test_documented_sql_returns_rows(block: str, sql_results: dict[str, dict[str, Any]]) -> None:
    text = next(each.text for each in fenced_blocks(TABLE_PAGE) if str(each) == block)
    result = sql_results[block]
    if "HAVING stored != promised" in text:
        assert result["data"] == []  # the store is sound
    elif text.startswith(("SELECT", "WITH")):
        assert result["data"]


def test_the_search_of_the_table_page_finds_the_page_about_its_question(sql_results: dict[str, dict[str, Any]]) -> None:
    search = next(block for block in fenced_blocks(TABLE_PAGE) if "FROM nearest_chunks" in block.text)
    assert "docs/quantization.md" in {row[0] for row in sql_results[str(search)]["data"]}


@pytest.mark.parametrize("table", TABLES)
def test_the_table_page_lists_the_columns_of_the_tables(table: str, sql_results: dict[str, dict[str, Any]]) -> None:
    described = [(row[0], row[1]) for row in sql_results[table]["data"]]
    documented = [
        [(row[0], row[1]) for row in rows[1:]] for rows in tables(TABLE_PAGE) if rows[0][:2] == ["column", "type"]
    ]
    assert described in documented


def test_the_table_page_counts_the_tables_there_are() -> None:
    counts = {
        folder: sum(
            "CREATE TABLE" in path.read_text(encoding="utf-8") for path in (PROJECT / "sql" / folder).glob("*.sql")
        )
        for folder in ("schema", "word_vectors", "server")
    }
    assert counts == {"schema": 11, "word_vectors": 2, "server": 2}
    said = "A store has eleven tables, two more with `--word-vectors`, and on a server two more:"
    assert said in TABLE_PAGE.read_text(encoding="utf-8")


def test_the_table_page_names_the_views_and_functions_there_are() -> None:
    files = [path.stem for folder in ("schema", "word_vectors") for path in (PROJECT / "sql" / folder).glob("*.sql")]
    names = {name.split("_", 1)[1] for name in files if name >= "50"}
    assert set(table_under(TABLE_PAGE, "name")) == names


# Python, and the SQL of the cookbook

BLOCK_END = "\x1e"
RUN_RECIPES = f"""
import json, sys
from sql.shell.command_line import embed
from sql.engine.client import Client, parse_location
from sql.shell.console import Console
from sql.base.terminal import out_bytes
client = Client(parse_location(".rag"), read_only=True)
console = Console(client, "tsv", query=embed(client, sys.argv[1]))
for recipe in json.load(sys.stdin):
    console.run(recipe)
    out_bytes({BLOCK_END!r}.encode())
client.close()
"""


def blocks_of(page: Path, language: str) -> list[Block]:
    return [block for block in fenced_blocks(page) if block.language == language]


def run_blocks(program: str, *arguments: str, folder: Path, environment: dict[str, str], given: str = "") -> list[str]:
    """What a program printed up to each mark that it set."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        input=given, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split(BLOCK_END)


def run_python_blocks(page: Path, folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """What each Python block of a page prints, run from top to bottom as one program."""
    blocks = blocks_of(page, "python")
    program = "".join(f"{block.text}\nprint(end={BLOCK_END!r})\n" for block in blocks)
    printed = run_program_here(program, cwd=folder, environment=environment)
    return dict(zip(map(str, blocks), printed.split(BLOCK_END), strict=False))


@pytest.fixture(scope="module")
def page_results(
    transcript: dict[str, list[Run]],
    environment: dict[str, str],
    workplace: Path,
    folders: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """What the Python of the pages and the recipes of the cookbook print, on the stores that their commands made."""
    assert transcript
    results = run_python_blocks(LANGCHAIN_PAGE, workplace, environment)
    results |= run_python_blocks(LIBRARY_PAGE, tmp_path_factory.mktemp("library"), environment)
    results |= run_python_blocks(COOKBOOK, folders[COOKBOOK.name], environment)
    recipes = blocks_of(COOKBOOK, "sql")
    question = re.search(r"sql> \.query (.*)", COOKBOOK.read_text(encoding="utf-8"))
    assert question
    printed = run_blocks(
        RUN_RECIPES,
        question[1],
        folder=folders[COOKBOOK.name],
        environment=environment,
        given=json.dumps([recipe.text for recipe in recipes]),
    )
    return results | dict(zip(map(str, recipes), printed, strict=False))


@pytest.mark.parametrize(
    "block",
    [*blocks_of(LANGCHAIN_PAGE, "python"), *blocks_of(LIBRARY_PAGE, "python"), *blocks_of(COOKBOOK, "sql")],
    ids=str,
)
def test_documented_python_and_recipes_print_what_the_page_says(block: Block, page_results: dict[str, str]) -> None:
    assert block.output is not None
    printed = page_results[str(block)]
    assert output_pattern(block.output.text).fullmatch(normalized(printed)), f"{block} prints:\n{printed}"


# Links and files


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual Markdown sites make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        aim = page.parent / name if name else page
        assert aim.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(aim), f"{page.name} links to {target}"


def test_every_page_of_the_manual_is_linked_from_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"(docs/{page.name})" not in text] == []


def test_the_manual_has_no_file_that_an_ingest_would_skip() -> None:
    """Else the first command of the README names files that are no documents; pictures lie beside what makes them."""
    assert {path.suffix for path in (PROJECT / "docs").iterdir()} == {".md"}


def test_files_that_the_pages_name_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"`((?:ingest|rag|sql|benchmarks|tests)/[\w./]*)`", page.read_text(encoding="utf-8")):
            assert (PROJECT / name).exists(), f"{page.name} names {name}"
