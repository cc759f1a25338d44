"""Files of judged questions in, what a head learns from out: questions with their answers, or pairs with a label."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.train.pairs import held_out
from sql.base.errors import RagError
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LEAST_GROUPS = 10  # of articles, for whole ones to be kept back; of fewer, passages are


@dataclass(frozen=True, slots=True)
class ReadExample:
    """A question and a passage; `answers` are the texts that answer it, which the passage holds at `starts`.

    Without answers, the passage does not answer the question. `group` is the article that the passage is from.
    """

    question: str
    passage: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class RerankExample:
    """A question and a passage, and how well the passage fits: 0 not at all, 1 wholly."""

    question: str
    passage: str
    label: float


Example = ReadExample | RerankExample


def read_squad(path: Path) -> list[ReadExample]:
    """The questions of a file in the layout of SQuAD 2; RagError for another file, and for an answer that is not there.

    `data` is a list of articles with `title` and `paragraphs`; each of those has `context` and `qas`; each of those
    `question`, `answers` with `text` and `answer_start`, and `is_impossible` where there is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        articles = [
            (str(article.get("title", "")), paragraph)
            for article in content["data"]
            for paragraph in article["paragraphs"]
        ]
        found = [
            squad_example(path, title, str(paragraph["context"]), question)
            for title, paragraph in articles
            for question in paragraph["qas"]
        ]
    except OSError as error:
        raise RagError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RagError(
            f"{path} is no file in the layout of SQuAD 2 ({type(error).__name__}: {error!s:.80}): it needs data, "
            "paragraphs, context, qas, question and answers with text and answer_start"
        ) from error
    if not any(one.answers for one in found):
        raise RagError(
            f"{path} holds {counted(len(found), 'question')}, none with an answer: nothing can be learned from them"
        )
    return found


def squad_example(path: Path, title: str, context: str, question: dict[str, Any]) -> ReadExample:
    """A question of a paragraph; RagError where an answer does not stand where it is said to."""
    given = [] if question.get("is_impossible") else question["answers"]
    answers = tuple(str(answer["text"]) for answer in given)
    starts = tuple(int(answer["answer_start"]) for answer in given)
    for text, start in zip(answers, starts, strict=True):
        if not text or start < 0 or context[start : start + len(text)] != text:
            raise RagError(
                f"{path}: the answer {text!r:.60} to {question['question']!r:.80} does not stand at {start} of its "
                "context: correct answer_start, which counts code points"
            )
    return ReadExample(str(question["question"]), context, answers, starts, title)


def read_judged_pairs(path: Path) -> list[RerankExample]:
    """The pairs of a file of JSON lines with `question`, `passage` and `label` from 0 to 1; RagError for another file."""
    found = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                found.append(judged_pair(path, number, line))
    except (OSError, UnicodeDecodeError) as error:
        raise RagError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len({one.label > 0.5 for one in found}) < 2:
        raise RagError(
            f"{path} holds {len(found)} pairs, not some with labels above 0.5 and some below: nothing can be learned from them"
        )
    return found


def judged_pair(path: Path, number: int, line: str) -> RerankExample:
    """The pair of one line."""
    try:
        entry = json.loads(line)
        question, passage, label = entry["question"], entry["passage"], entry["label"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RagError(f"{path}:{number}: {line[:60]!r} is no JSON object with question, passage and label") from error
    if not (isinstance(question, str) and isinstance(passage, str)):
        raise RagError(f"{path}:{number}: question and passage have to be texts")
    if type(label) not in {int, float, bool} or not 0 <= label <= 1:
        raise RagError(f"{path}:{number}: the label is {label!r:.40}, it has to be a number from 0 (no fit) to 1")
    return RerankExample(question, passage, float(label))


def kept_back(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """Which examples are kept back for measuring: every tenth article, of fewer than ten articles every tenth passage.

    No passage is on both sides. Bool (examples,); none where there are fewer than ten passages, or questions to pairs.
    """
    titles = [one.group if isinstance(one, ReadExample) else one.question for one in examples]
    if len(set(titles)) < LEAST_GROUPS:
        titles = [one.passage for one in examples]
    groups = {title: number for number, title in enumerate(dict.fromkeys(titles))}
    out = held_out(len(groups))
    return np.array([out[groups[title]] for title in titles], dtype=np.bool_)
