"""Reading evaluation sets: what they hold, and what is said about lines that are wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rag.evaluate.beir import (
    CorpusDocument,
    DatasetError,
    KnownAnswer,
    Query,
    read_answers,
    read_corpus,
    read_judgements,
    read_queries,
)
from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = "query-id\tcorpus-id\tscore"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two documents, two queries, three judgements."""
    write_objects(
        tmp_path / "corpus.jsonl",
        {"_id": "d1", "title": "Tea", "text": "Green tea.", "metadata": {}},
        {"_id": "d2", "text": "Black coffee."},
    )
    write_objects(tmp_path / "queries.jsonl", {"_id": "q1", "text": "tea?"}, {"_id": "q2", "text": "coffee?"})
    write_qrels(tmp_path, HEADER, "q1\td1\t2", "q1\td2\t0", "q2\td2\t1")
    return tmp_path


def write_objects(path: Path, *objects: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(fields) + "\n" for fields in objects))


def write_qrels(folder: Path, *lines: str) -> None:
    (folder / "qrels").mkdir(exist_ok=True)
    (folder / "qrels" / "test.tsv").write_text("".join(line + "\n" for line in lines))


def test_a_folder_is_read_in_its_order(folder: Path) -> None:
    assert list(read_corpus(folder)) == [
        CorpusDocument("d1", "Tea", "Green tea."),
        CorpusDocument("d2", "", "Black coffee."),
    ]
    assert list(read_queries(folder)) == [Query("q1", "tea?"), Query("q2", "coffee?")]
    judgements = read_judgements(folder, {"q1", "q2"}, {"d1", "d2"})
    assert judgements.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}}
    assert (judgements.unknown_queries, judgements.unknown_documents) == (0, 0)


def test_known_answers_are_read_where_there_are_any(folder: Path) -> None:
    assert list(read_answers(folder)) == []
    write_objects(
        folder / "answers.jsonl", {"_id": "q1", "question": "tea?", "answers": ["green", "Green"], "doc_id": "d1"}
    )
    assert list(read_answers(folder)) == [KnownAnswer("q1", "tea?", ("green", "Green"), "d1")]


def test_a_question_may_be_known_to_have_no_answer(folder: Path) -> None:
    write_objects(
        folder / "answers.jsonl",
        {"_id": "q1", "question": "tea?", "answers": [], "unanswerable": True},
        {"_id": "q2", "question": "milk?", "answers": [], "unanswerable": True, "doc_id": "d2"},
        {"_id": "q3", "question": "coffee?", "answers": ["black"], "unanswerable": False, "doc_id": "d2"},
    )
    found = list(read_answers(folder))
    assert [(one.answerable, one.document_id) for one in found] == [(False, ""), (False, "d2"), (True, "d2")]


def test_documents_before_a_broken_line_are_read_since_a_corpus_is_streamed(folder: Path) -> None:
    with (folder / "corpus.jsonl").open("a") as file:
        file.write("{broken\n")
    documents = read_corpus(folder)
    assert [next(documents).id, next(documents).id] == ["d1", "d2"]
    with pytest.raises(DatasetError, match=r"corpus\.jsonl:3: this is not JSON"):
        next(documents)


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_no_part_of_the_data(folder: Path) -> None:
    (folder / "queries.jsonl").write_bytes(b'\xef\xbb\xbf{"_id": "q1", "text": "tea?"}\r\n\r\n  \n')
    (folder / "qrels" / "test.tsv").write_bytes(f"{HEADER}\r\nq1\td1\t1\r\n\r\n".encode())
    assert list(read_queries(folder)) == [Query("q1", "tea?")]
    assert read_judgements(folder, {"q1"}, {"d1"}).qrels == {"q1": {"d1": 1}}


def test_line_separators_inside_a_text_do_not_end_its_line(folder: Path) -> None:
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "one\u2028two\x85three"}\n', encoding="utf-8")
    assert [query.text for query in read_queries(folder)] == ["one\u2028two\x85three"]


def test_judgements_of_unknown_queries_and_documents_are_counted(folder: Path) -> None:
    write_qrels(folder, HEADER, "q1\td1\t1", "q1\tgone\t1", "lost\td1\t1", "lost\tgone\t1")
    judgements = read_judgements(folder, {"q1", "q2"}, {"d1", "d2"})
    assert judgements.qrels == {"q1": {"d1": 1, "gone": 1}}
    assert (judgements.unknown_queries, judgements.unknown_documents) == (2, 2)


def test_a_judgement_that_is_repeated_counts_once(folder: Path) -> None:
    write_qrels(folder, HEADER, "q1\td1\t1", "q1\td1\t1")
    assert read_judgements(folder, {"q1"}, {"d1"}).qrels == {"q1": {"d1": 1}}


READERS: dict[str, Callable[[Path], Any]] = {
    "corpus.jsonl": lambda folder: list(read_corpus(folder)),
    "queries.jsonl": lambda folder: list(read_queries(folder)),
    "qrels/test.tsv": lambda folder: read_judgements(folder, {"q1"}, {"d1"}),
    "answers.jsonl": lambda folder: list(read_answers(folder)),
}


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named_with_what_a_folder_has_to_hold(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DatasetError, match=rf"{name} cannot be read .*No such file.*: a folder in BEIR layout holds"):
        READERS[name](folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", '{"_id": "d1", "text": "a"}\n\n[]\n', "3: this is JSON but not an object"),
        ("corpus.jsonl", '{"_id": "d1"}\n', "1: the field text is missing"),
        ("corpus.jsonl", '{"text": "a"}\n', "1: the field _id is missing"),
        ("corpus.jsonl", '{"_id": "", "text": "a"}\n', "1: the field _id is empty"),
        ("corpus.jsonl", '{"_id": 7, "text": "a"}\n', "1: the field _id is 7 and not text"),
        ("corpus.jsonl", '{"_id": "d1", "text": null}\n', "1: the field text is null and not text"),
        ("corpus.jsonl", '{"_id": "d1", "text": "a"}\n' * 2, "2: the _id 'd1' was used further up"),
        ("corpus.jsonl", '{"_id": "d1", "text": "\\ud800"}\n', "1: the field text holds half a character"),
        ("corpus.jsonl", "[" * 100_000, "1: this is not JSON"),
        ("corpus.jsonl", b'{"_id": "d1", "text": "a"}\n\xff\n', "2: this is not UTF-8"),
        ("queries.jsonl", '{"_id": "q1", "question": "a"}\n', "1: the field text is missing"),
        ("answers.jsonl", '{"_id": "q1", "question": "a", "answers": [], "doc_id": "d"}', "1: the field answers must"),
        ("answers.jsonl", '{"_id": "q1", "question": "a", "answers": "b", "doc_id": "d"}', "1: the field answers must"),
        ("answers.jsonl", '{"_id": "q", "question": "a", "answers": ["b"], "unanswerable": true}', "1: .* keep one of"),
        ("answers.jsonl", '{"_id": "q", "question": "a", "answers": [], "unanswerable": 1}', "1: .* neither true nor"),
        ("answers.jsonl", '{"_id": "q1", "question": "a", "answers": [1], "doc_id": "d"}', "1: the field answers is 1"),
        ("answers.jsonl", '{"_id": "q1", "question": "a", "answers": ["b"]}', "1: the field doc_id is missing"),
        ("qrels/test.tsv", "q1\td1\t1\n", "1: the line query-id, corpus-id, score is missing"),
        ("qrels/test.tsv", f"{HEADER}\nq1 d1 1\n", "2: 'q1 d1 1' is not three columns"),
        ("qrels/test.tsv", f"{HEADER}\nq1\t0\td1\t1\n", "2: .* is not three columns"),
        ("qrels/test.tsv", f"{HEADER}\nq1\td1\thigh\n", "2: the score 'high' is not a whole number"),
        ("qrels/test.tsv", f"{HEADER}\nq1\td1\t1\nq1\td1\t2\n", "3: query 'q1' and document 'd1' were graded 1"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_file_number_and_reason(
    folder: Path, name: str, content: str | bytes, message: str
) -> None:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=rf"{name}:{message}") as failure:
        READERS[name](folder)
    assert isinstance(failure.value, RagError)
