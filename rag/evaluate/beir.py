"""Evaluation sets in BEIR layout: a folder in; documents, queries, judgements and known answers out.

    corpus.jsonl      {"_id": "d1", "title": "...", "text": "..."}                       title may be missing
    queries.jsonl     {"_id": "q1", "text": "..."}
    qrels/test.tsv    query-id <tab> corpus-id <tab> score, below a line with these names; score is a grade
    answers.jsonl     {"_id": "q1", "question": "...", "answers": ["..."], "doc_id": "d1"}        optional
                      {"_id": "q2", "question": "...", "answers": [], "unanswerable": true}

Other fields are ignored, as are blank lines. Files are read a line at a time: a corpus need not fit in memory, its ids
must. The layout is that of Thakur et al., "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information
Retrieval Models", 2021, arXiv:2104.08663.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

CORPUS = "corpus.jsonl"
QUERIES = "queries.jsonl"
QRELS = "qrels/test.tsv"
ANSWERS = "answers.jsonl"


class DatasetError(RagError):
    """A folder or a line in it is not what the BEIR layout says."""

    code: ClassVar[str] = "dataset"


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A document to search; `title` is empty where it has none."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query to search with."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A question, the texts that count as its answer, and the document that holds it.

    Without answers the documents are known not to hold any; `document_id` then names the one that comes closest, or is "".
    """

    id: str
    question: str
    answers: tuple[str, ...]
    document_id: str

    @property
    def answerable(self) -> bool:
        """Whether the documents hold an answer."""
        return bool(self.answers)


@dataclass(frozen=True, slots=True)
class Judgements:
    """The grades of documents, `qrels[query][document]`, and how many lines named something unknown.

    Lines of an unknown query are left out: there is no text to search with. Lines of an unknown document are kept, as
    trec_eval keeps them: what is relevant and cannot be found counts against the result.
    """

    qrels: Mapping[str, Mapping[str, int]]
    unknown_queries: int
    unknown_documents: int


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Documents, queries, and the grades of documents for queries, `qrels[query][document]`."""

    corpus: list[CorpusDocument]
    queries: list[Query]
    qrels: Mapping[str, Mapping[str, int]]


def read_evaluation_set(folder: Path) -> EvaluationSet:
    """A folder in BEIR layout; DatasetError where it is none."""
    corpus, queries = list(read_corpus(folder)), list(read_queries(folder))
    judgements = read_judgements(folder, {query.id for query in queries}, {document.id for document in corpus})
    return EvaluationSet(corpus, queries, judgements.qrels)


def read_corpus(folder: Path) -> Iterator[CorpusDocument]:
    """The documents of corpus.jsonl, in its order."""
    for place, fields in unique_objects(folder / CORPUS):
        title = None if fields.get("title") is None else text_field(fields, "title", place)
        yield CorpusDocument(id_field(fields, "_id", place), title or "", text_field(fields, "text", place))


def read_queries(folder: Path) -> Iterator[Query]:
    """The queries of queries.jsonl, in its order."""
    for place, fields in unique_objects(folder / QUERIES):
        yield Query(id_field(fields, "_id", place), text_field(fields, "text", place))


def read_answers(folder: Path) -> Iterator[KnownAnswer]:
    """The known answers of answers.jsonl, in its order; none where there is no such file."""
    if not (folder / ANSWERS).exists():
        return
    for place, fields in unique_objects(folder / ANSWERS):
        yield KnownAnswer(
            id_field(fields, "_id", place),
            text_field(fields, "question", place),
            answers_field(fields, place),
            "" if is_unanswerable(fields, place) and "doc_id" not in fields else id_field(fields, "doc_id", place),
        )


def read_judgements(folder: Path, queries: Container[str], documents: Container[str]) -> Judgements:
    """The grades in qrels/test.tsv, given the ids of the known queries and documents."""
    qrels: dict[str, dict[str, int]] = {}
    unknown_queries = unknown_documents = 0
    for place, query, document, grade in qrels_lines(folder / QRELS):
        unknown_documents += document not in documents
        if query not in queries:
            unknown_queries += 1
            continue
        grades = qrels.setdefault(query, {})
        if grades.setdefault(document, grade) != grade:
            raise DatasetError(
                f"{place}: query {query!r} and document {document!r} were graded {grades[document]} further up and "
                f"{grade} here: keep one of the lines"
            )
    return Judgements(qrels, unknown_queries, unknown_documents)


def qrels_lines(path: Path) -> Iterator[tuple[str, str, str, int]]:
    """Place, query, document and grade of each line below the header."""
    for number, (place, line) in enumerate(text_lines(path)):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 3 or not all(columns):
            raise DatasetError(f"{place}: {line[:80]!r} is not three columns (query-id, corpus-id, score) between tabs")
        grade = whole_number(columns[2])
        if number == 0 and grade is not None:
            raise DatasetError(f"{place}: the line query-id, corpus-id, score is missing above the first judgement")
        if number > 0 and grade is None:
            raise DatasetError(f"{place}: the score {columns[2]!r} is not a whole number")
        if grade is not None:
            yield place, columns[0], columns[1], grade


def whole_number(text: str) -> int | None:
    """The integer that a text holds, None if it holds anything else."""
    try:
        return int(text)
    except ValueError:
        return None


def unique_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and fields of each JSON object in a file of one a line; raises for an `_id` seen before."""
    seen: set[str] = set()
    for place, line in text_lines(path):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{place}: this is not JSON ({error}); each line must be one object") from error
        if not isinstance(fields, dict):
            raise DatasetError(f"{place}: this is JSON but not an object; each line must be one object")
        identity = id_field(fields, "_id", place)
        if identity in seen:
            raise DatasetError(f"{place}: the _id {identity!r} was used further up: ids must be unique in a file")
        seen.add(identity)
        yield place, fields


def text_lines(path: Path) -> Iterator[tuple[str, str]]:
    """`file:number` and text of each line that is not blank."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                place = f"{path}:{number}"
                try:
                    # A byte-order mark would make the first line broken JSON.
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
                except UnicodeDecodeError as error:
                    raise DatasetError(f"{place}: this is not UTF-8 ({error}): convert the file") from error
                if text.strip():
                    yield place, text
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}): a folder in BEIR layout holds {CORPUS}, {QUERIES} and {QRELS}"
        ) from error


def text_field(fields: Mapping[str, Any], name: str, place: str) -> str:
    """A field that must be text."""
    if name not in fields:
        raise DatasetError(f"{place}: the field {name} is missing")
    return storable_text(fields[name], name, place)


def id_field(fields: Mapping[str, Any], name: str, place: str) -> str:
    """A field that must be text and not empty."""
    identity = text_field(fields, name, place)
    if not identity:
        raise DatasetError(f"{place}: the field {name} is empty")
    return identity


def is_unanswerable(fields: Mapping[str, Any], place: str) -> bool:
    """The field `unanswerable`, true where the documents hold no answer; false where there is no such field."""
    value = fields.get("unanswerable", False)
    if not isinstance(value, bool):
        raise DatasetError(f"{place}: the field unanswerable is {json.dumps(value)[:40]} and neither true nor false")
    return value


def answers_field(fields: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """The field `answers`: a list of at least one text; of a question without an answer an empty one."""
    answers, none = fields.get("answers"), is_unanswerable(fields, place)
    if not isinstance(answers, list) or not (answers or none):
        raise DatasetError(
            f'{place}: the field answers must be a list of at least one text, or empty beside "unanswerable": true'
        )
    if answers and none:
        raise DatasetError(f"{place}: the question has answers and is said to be unanswerable: keep one of the two")
    return tuple(storable_text(answer, "answers", place) for answer in answers)


def storable_text(value: Any, name: str, place: str) -> str:
    """A value that must be text which UTF-8 can hold: JSON can spell half a character (a lone surrogate)."""
    if not isinstance(value, str):
        raise DatasetError(f"{place}: the field {name} is {json.dumps(value)[:40]} and not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(f"{place}: the field {name} holds half a character: {error}") from error
    return value
