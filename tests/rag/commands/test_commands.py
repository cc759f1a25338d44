"""The commands as a user meets them, with real files and the default model; some in a process of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from commands_here import run_here
from models import save_distilbert
from support import PATIENCE

from sql.base.settings import DEFAULT_MIN_CONFIDENCE

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

GUIDE = (
    "# Garden\n\n## Watering\n\nTomatoes want a litre of water every morning.\r\n\n"
    "## Pruning\n\nÄpfel: cut back the old wood in February, before the buds open.\n"
)


class Desk:
    """A working directory with documents, and the commands run in it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"RAG_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "RAG_DB": "", "RAG_MODEL": ""}
        (folder / "docs").mkdir(parents=True)
        (folder / "docs" / "garden.md").write_text(GUIDE, newline="")
        (folder / "docs" / "page.html").write_text(
            "<html><title>Bees</title><body>\n<h1>Bees</h1>\n\n<p>A hive holds <b>forty thousand</b> bees in June.</p></body>"
        )

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_here(command, *arguments, cwd=self.folder, environment=self.environment)

    def start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own."""
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def json(self, command: str, *arguments: str) -> dict[str, object]:
        finished = self.run(command, *arguments, "--json")
        assert finished.returncode == 0, finished.stderr
        parsed: dict[str, object] = json.loads(finished.stdout)
        return parsed


def test_a_sentence_that_is_withheld_is_named(desk: Desk) -> None:
    question = "How much water do tomatoes need?"
    sentence = "Tomatoes want a litre of water every morning."
    finished = desk.run("rag", "ask", question, "--min-confidence", "1")
    assert (finished.returncode, finished.stdout) == (3, "No answer found.\n")
    first, *named = finished.stderr.splitlines()
    assert re.fullmatch(
        r"nearest, though it may not answer \(confidence 0\.\d\d; --min-confidence sets the bound\):", first
    )
    assert named == [f"  {sentence}", "  docs/garden.md:5  Garden > Watering"]
    withheld = json.loads(desk.run("rag", "ask", question, "--min-confidence", "1", "--json").stdout)
    assert (withheld["answered"], withheld["citations"], withheld["nearest"]["text"]) == (False, [], sentence)
    assert "nearest" not in json.loads(desk.run("rag", "ask", question, "--json").stdout)
    streamed = desk.run("rag", "ask", question, "--min-confidence", "1", "--stream")
    assert (streamed.stdout, streamed.stderr) == (finished.stdout, finished.stderr)


@pytest.fixture(scope="module")
def cache(model_cache: Path) -> Path:
    return model_cache


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("desk"), cache)
    ingested = desk.run("ingest", "docs/")
    assert ingested.returncode == 0, ingested.stderr
    return desk


def test_what_was_just_ingested_has_not_drifted(desk: Desk) -> None:
    found = desk.json("rag", "doctor", "--drift")  # in a process that has loaded the kernel of questions, if any
    again = found["encoded_again"]
    assert isinstance(again, dict)
    assert again["identical"] == again["chunks"] > 0
    assert found["findings"] == []


def test_an_answer_is_an_exact_quotation_of_the_file(desk: Desk) -> None:
    answer = desk.json("rag", "ask", "When is the old wood cut back?")
    assert answer.keys() == {"question", "answer", "citations", "answered", "confidence"}
    assert 0.3 < float(str(answer["confidence"])) <= 1
    assert answer["answered"] is True
    (first, *_) = answer["citations"]  # type: ignore[misc]
    text = (desk.folder / "docs" / "garden.md").read_bytes().decode()
    assert first["source"] == "docs/garden.md"
    assert text[first["start"] : first["end"]] == first["text"]
    assert (first["line"], first["page"]) == (9, None)
    assert "February" in first["text"]
    assert first["text"] in str(answer["answer"])


def test_an_answer_from_html_is_in_the_extracted_text_and_has_the_files_line(desk: Desk) -> None:
    answer = desk.json("rag", "ask", "How many bees live in a hive?")
    (first, *_) = answer["citations"]  # type: ignore[misc]
    assert (first["source"], first["line"]) == ("docs/page.html", 4)
    stored = desk.run("sql", "SELECT text FROM texts WHERE source = 'docs/page.html' FORMAT RawBLOB").stdout
    assert stored[first["start"] : first["end"]] == first["text"] == "A hive holds forty thousand bees in June."


def test_an_option_under_its_former_name_is_remarked_on_behind_the_output_that_it_always_had(desk: Desk) -> None:
    command = [sys.executable, "-m", "rag", "search", "hive", "--mode", "bm25", "-k", "1"]
    joined = subprocess.run(
        command,
        cwd=desk.folder,
        env=desk.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout
    assert "docs/page.html" in joined.splitlines()[0]
    assert joined.splitlines()[-1] == "--mode bm25 is called --ranking words now; the next version knows only that"


def test_the_answer_reads_well_in_a_terminal(desk: Desk) -> None:
    finished = desk.start("rag", "ask", "How much water do tomatoes need?")
    assert finished.returncode == 0
    assert finished.stderr == ""
    assert finished.stdout == (
        "Tomatoes want a litre of water every morning. [1]\n\n[1] docs/garden.md:5  Garden > Watering\n"
    )


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wie heißt der Schachweltmeister, der in dieser Stadt geboren ist?", "German"),
        ("Qui est le champion du monde dans cette ville?", "French"),
        ("Who won the chess championship of 1972?", ""),
    ],
)
def test_where_the_documents_are_in_another_language_than_an_unanswered_question_that_is_said(
    desk: Desk, question: str, language: str
) -> None:
    finished = desk.run("rag", "ask", question)
    assert finished.returncode == 3
    assert ("most documents are in English" in finished.stderr) == bool(language)
    assert (f"the question is in {language} and" in finished.stderr) == bool(language)


def test_a_question_that_nothing_answers_ends_with_3(desk: Desk) -> None:
    finished = desk.run("rag", "ask", "Who won the chess championship of 1972?")
    assert (finished.returncode, finished.stdout) == (3, "No answer found.\n")
    finished = desk.run("rag", "ask", "Who won the chess championship of 1972?", "--json")
    assert finished.returncode == 3
    withheld = json.loads(finished.stdout)
    assert 0 <= withheld.pop("confidence") < DEFAULT_MIN_CONFIDENCE
    assert withheld == {
        "question": "Who won the chess championship of 1972?",
        "answer": "",
        "citations": [],
        "answered": False,
    }


@pytest.fixture(scope="module")
def bare_desk(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Desk:
    """One whose store has tables and no documents."""
    desk = Desk(tmp_path_factory.mktemp("desk"), cache)
    (desk.folder / "empty").mkdir()
    assert desk.run("ingest", "empty").returncode == 0
    return desk


@pytest.mark.parametrize("arguments", [["ask", "Why?"], ["search", "why"], ["search", "why", "--ranking", "words"]])
def test_a_store_without_documents_is_called_empty(bare_desk: Desk, arguments: list[str]) -> None:
    finished = bare_desk.run("rag", *arguments, "--json")  # the sentence is on the other stream
    assert finished.returncode == 3
    assert finished.stderr == "the store .rag is empty: fill it with `python -m ingest FOLDER --db .rag`\n"
    assert json.loads(finished.stdout).keys() <= {
        "question",
        "answer",
        "citations",
        "answered",
        "confidence",
        "hits",
        "float32",
    }


def test_a_list_of_no_documents_says_that_the_store_is_empty(bare_desk: Desk) -> None:
    finished = bare_desk.run("rag", "list", "--format", "markdown")
    assert (finished.returncode, finished.stdout) == (3, "Nothing found.\n")
    assert finished.stderr == "the store .rag is empty: fill it with `python -m ingest FOLDER --db .rag`\n"


def test_nothing_is_found_in_a_store_without_documents(bare_desk: Desk) -> None:
    finished = bare_desk.run("rag", "search", "why")
    assert (finished.returncode, finished.stdout) == (3, "Nothing found.\n")
    assert finished.stderr == "the store .rag is empty: fill it with `python -m ingest FOLDER --db .rag`\n"


@pytest.mark.parametrize("command", ["ask", "search"])
def test_a_filter_that_no_document_passes_is_named(desk: Desk, command: str) -> None:
    finished = desk.run("rag", command, "How much water do tomatoes need?", "--filter", "source~none/*")
    assert finished.returncode == 3
    assert finished.stderr.startswith("no document passes the filter source~none/*: `python -m rag list")
    passed = desk.run("rag", command, "Who wrote Hamlet?", "--filter", "source~docs/*", "--ranking", "words")
    assert "passes the filter" not in passed.stderr


def test_search_gives_the_nearest_chunks_in_order(desk: Desk) -> None:
    hits = desk.json("rag", "search", "bees in summer", "-k", "2")["hits"]
    assert isinstance(hits, list)
    assert [hit["source"] for hit in hits] == ["docs/page.html", "docs/garden.md"]
    assert hits[0]["score"] > hits[1]["score"]
    assert {"source", "start", "end", "line", "page", "title", "heading", "text", "score"} <= hits[0].keys()


def test_every_mode_finds_chunks_and_says_what_their_scores_are(desk: Desk) -> None:
    found = {
        mode: desk.json("rag", "search", "forty thousand bees", "--ranking", mode)["hits"]
        for mode in ("vector", "words", "hybrid")
    }
    (vector, *_), (words,), (both, *_) = found.values()  # only one chunk holds a word of the question
    assert vector["source"] == words["source"] == both["source"] == "docs/page.html"
    assert (vector["vector_score"], vector["bm25_score"]) == (vector["score"], None)
    assert (words["vector_score"], words["bm25_score"]) == (None, words["score"])
    assert (both["vector_score"], both["bm25_score"]) == (vector["score"], words["score"])
    assert len(found["hybrid"]) == len(found["vector"])


def test_words_that_no_document_holds_are_found_by_no_word(desk: Desk) -> None:
    assert desk.run("rag", "search", "xylophone", "--ranking", "words").returncode == 3
    assert (
        desk.json("rag", "search", "xylophone")["hits"]
        == desk.json("rag", "search", "xylophone", "--ranking", "vector")["hits"]
    )


@pytest.mark.parametrize("mode", ["vector", "words", "hybrid"])
def test_every_mode_answers(desk: Desk, mode: str) -> None:
    answer = desk.json("rag", "ask", "How many bees does a hive hold in June?", "--ranking", mode)
    assert answer["answer"] == "A hive holds forty thousand bees in June. [1]"


@pytest.mark.everyday("hybrid")
@pytest.mark.parametrize("mode", ["vector", "words", "hybrid"])
def test_the_sql_that_is_shown_gives_the_same_hits_when_it_is_pasted(desk: Desk, mode: str) -> None:
    shown = desk.run("rag", "search", "bees in summer", "-k", "1", "--ranking", mode, "--show-sql", "--json")
    (hit,) = json.loads(shown.stdout)["hits"]
    epoch, *_, search = shown.stderr.strip().split("\n\n")
    assert desk.run("sql", epoch).stdout.split() == ["epoch", "1"]
    values = dict(re.findall(r"^SET param_(\w+) = '(.*)';$", search, re.MULTILINE))
    statement = search.split(";\n")[-1].rstrip(";")
    for name, value in values.items():
        statement = re.sub(rf"\{{{name}:([^}}]+)\}}", lambda m, v=value: f"CAST('{v}' AS {m[1]})", statement)
    row = json.loads(desk.run("sql", statement, "--format", "JSONEachRow").stdout)
    assert (row["source"], row["char_start"], row["score"]) == (hit["source"], str(hit["start"]), hit["score"]) or (
        row["source"],
        row["char_start"],
        row["score"],
    ) == (hit["source"], hit["start"], hit["score"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rag", "ask", "  "], 2, "the question is empty"),
        (["rag", "search", "x", "-k", "0"], 2, "at least 1 result"),
        (["rag", "ask", "x", "--db", "nowhere"], 1, "there is no store at nowhere: make one with `python -m ingest"),
        (
            ["rag", "ask", "x", "--db", "docs/garden.md"],
            1,
            "docs/garden.md is a file and no store: give --db the path of",
        ),
        (["rag", "ask", "x", "--db", "mysql://x"], 2, "--db mysql://... is not known"),
        (["rag", "ask", "x", "--model", "nobody/nothing"], 1, "no source has the model nobody/nothing"),
        (["rag", "ask", "x", "--model", "./nowhere"], 1, "there is no folder ./nowhere: name the folder of a model"),
        (["rag", "remove", ""], 2, "PATH: it is empty: write . if the working directory is meant"),
        (["rag", "export", ""], 2, "FOLDER: it is empty"),
        (["rag", "log", "--keep", ""], 2, "--keep is empty: write 90d"),
        (["ingest", ""], 2, "PATH: it is empty: write . if the working directory is meant"),
        (["rag", "ask", "word " * 300], 1, "is longer than the 256"),
        (["rag", "eval", "nowhere"], 1, "corpus.jsonl cannot be read"),
        (["ingest", "missing"], 1, "missing: No such file or directory; nothing was changed"),
        (["sql", "DROP TABLE chunks"], 1, "opened read-only"),
        (["sql", "INSERT INTO collection SELECT * FROM collection"], 1, "opened read-only"),
        (["sql", "SELECT * FROM file('/etc/hostname', 'LineAsString')"], 1, "opened read-only"),
        (["sql", "SELECT 1 SETTINGS max_threads = 1"], 1, "Cannot modify 'max_threads' setting"),
        (["sql", "SELECT nonsense"], 1, "your statement failed"),
        (["sql", "SELECT 1 +"], 1, "your statement failed: it ends where the engine expects more of it"),
        (
            ["sql", "SELECT 1 FROM chunks WHERE"],
            1,
            "your statement failed: it ends where the engine expects more of it",
        ),
        (["sql", "SELECT {n:UInt8}"], 1, "a view takes all of its own, such as epoch = {epoch:UInt64}"),
        (["sql", "SELECT * FROM rag_text_search(question = 'x')"], 1, "`python -m ingest --word-vectors` makes it"),
        (
            ["sql", "SELECT answer FROM rag_answer(question = 'x')"],
            1,
            "`python -m rag ddl` prints the SQL that makes it",
        ),
        (["sql", "  "], 2, "there is no statement to run"),
        (["sql", "SELECT 1", "--db", "nowhere"], 1, "there is no store at nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_remedy(desk: Desk, arguments: list[str], code: int, message: str) -> None:
    finished = desk.run(*arguments)
    assert finished.returncode == code
    assert finished.stdout == ""
    assert message in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert not (desk.folder / "nowhere").exists()


def test_another_model_is_refused_with_the_one_to_use(desk: Desk, tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_distilbert(tmp_path, tokenizer)
    for arguments in (["rag", "ask", "bees?"], ["ingest", "docs"]):
        finished = desk.run(*arguments, "--model", str(tmp_path))
        assert finished.returncode == 1
        assert "ask with `--model sentence-transformers/all-MiniLM-L6-v2`" in finished.stderr
    assert desk.json("rag", "ask", "How many bees live in a hive?")["answered"] is True


@pytest.mark.slow
def test_any_distilbert_can_be_used_from_ingest_to_answer(cache: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", cache)
    save_distilbert(tmp_path / "model", tokenizer)
    ingested = desk.json("ingest", "docs", "--model", str(tmp_path / "model"), "--quantizer", "symmetric")
    assert ingested["indexed"] == 2
    assert desk.json("rag", "search", "bees")["hits"]
    zero_points = desk.run("sql", "SELECT DISTINCT zero_point FROM chunks").stdout
    assert zero_points.split() == ["zero_point", "0"]


def test_the_model_can_be_copied_to_a_machine_without_sources(desk: Desk, tmp_path: Path) -> None:
    folder = desk.run("rag", "model", "path").stdout.strip()
    elsewhere = desk.environment | {"RAG_CACHE": str(tmp_path / "empty")}
    command = [sys.executable, "-m", "rag", "search", "bees", "--model", folder]
    assert subprocess.run(command, cwd=desk.folder, env=elsewhere, capture_output=True, check=False).returncode == 0
    assert not (tmp_path / "empty").exists()


@pytest.mark.slow
def test_control_characters_of_a_document_never_reach_the_terminal(desk: Desk, tmp_path: Path, cache: Path) -> None:
    evil = Desk(tmp_path, cache)
    (tmp_path / "docs" / "evil\x1b[31m.md").write_text(
        "The secret of the \x1b]0;owned\x07 lighthouse is \x9b31m a hidden lamp."
    )
    assert evil.run("ingest", "docs").returncode == 0
    for arguments in (["ask", "What is the secret of the lighthouse?"], ["search", "lighthouse", "-k", "1"]):
        printed = evil.run("rag", *arguments).stdout
        assert "hidden lamp" in printed
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed)


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """A folder in BEIR layout whose three questions are easy."""
    folder = tmp_path / "evaluation"
    folder.mkdir()
    corpus = {
        "d1": "Bees make honey from nectar.",
        "d2": "Trains run on steel rails.",
        "d3": "Bread is baked from flour.",
    }
    queries = {"q1": "What do bees make?", "q2": "What do trains run on?", "q3": "What is bread made of?"}
    answers = {"q1": ("honey", "d1"), "q2": ("steel rails", "d2"), "q3": ("flour", "d3")}

    def lines(rows: list[dict[str, object]]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    (folder / "corpus.jsonl").write_text(lines([{"_id": n, "title": "", "text": t} for n, t in corpus.items()]))
    (folder / "queries.jsonl").write_text(lines([{"_id": n, "text": t} for n, t in queries.items()]))
    (folder / "answers.jsonl").write_text(
        lines([{"_id": n, "question": queries[n], "answers": [a], "doc_id": d} for n, (a, d) in answers.items()])
    )
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"{n}\t{d}\t1\n" for n, (_, d) in answers.items())
    )
    return folder


@pytest.mark.slow
def test_an_evaluation_measures_both_models_and_the_answers(desk: Desk, evaluation: Path) -> None:
    result = desk.json("rag", "eval", str(evaluation), "--compare", "fp32")
    perfect = {"ndcg@10": 1.0, "recall@10": 1.0, "recall@100": 1.0, "mrr@10": 1.0}
    assert result["modes"] == {"vector": perfect, "bm25": perfect, "hybrid": perfect, "vector-fp32": perfect}
    answers = result["answers"]
    assert isinstance(answers, dict)
    known = {"questions": 3, "contains_answer": 1.0, "cites_document": 1.0, "abstained": 0.0}
    assert {name: answers[name] for name in known} == known


@pytest.mark.slow
def test_an_evaluation_in_a_symmetric_store_writes_symmetric_vectors(
    cache: Path, evaluation: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "desk", cache)
    save_distilbert(tmp_path / "model", tokenizer)
    desk.json("ingest", "docs", "--model", str(tmp_path / "model"), "--quantizer", "symmetric")
    assert desk.json("rag", "eval", str(evaluation), "--db", ".rag")["modes"]
    written = "SELECT groupUniqArray(zero_point), countIf(source IN ('d1', 'd2', 'd3')) FROM chunks FORMAT TSV"
    assert desk.run("sql", written).stdout == "[0]\t3\n"


def test_ctrl_c_ends_a_long_statement_at_once_with_130(desk: Desk) -> None:
    endless = "SELECT max(sipHash64(number)) FROM numbers(1000000000000)"
    process = subprocess.Popen(
        [sys.executable, "-m", "sql", endless],
        cwd=desk.folder,
        env=desk.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        time.sleep(4)
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert complaint == "interrupted\n"
    assert desk.run("sql", "SELECT 1 AS one").stdout == "one\n1\n"
