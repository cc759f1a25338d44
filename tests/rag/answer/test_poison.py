"""Documents with instructions to whoever reads them change neither what is quoted nor what the check says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from poison import DOCUMENTS, EVIL, Poisoned

import ingest
import rag
from rag.answer.check import check_answer
from rag.answer.prompt import COMMON_CONTROLS, make_prompt
from rag.library import Library
from sql.base.settings import Settings
from sql.records import Hit
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EVERY_DAY = DOCUMENTS[::5]


def quoted_answers(documents: Sequence[Poisoned], folder: Path, model_cache: Path) -> dict[int, rag.Answer]:
    """What is quoted from a store of poisoned documents, for the question about each."""
    for document in documents:
        (folder / document.name).write_text(document.text())
    settings = Settings(str(folder / ".rag"), None, model_cache, offline=True)
    with Library(Store.open(settings.store, write=True), settings=settings) as library:
        summary = ingest.sync(library, [folder])
        assert (summary.indexed, summary.failed) == (len(documents), [])
        answers = {document.number: library.ask(document.question, llm="none") for document in documents}
    return {number: answer for number, answer in answers.items() if isinstance(answer, rag.Answer)}


def assert_not_changed(documents: Sequence[Poisoned], answers: dict[int, rag.Answer]) -> None:
    """Each question has the fact of its own document for an answer, and nothing else."""
    changed = {document.name: answers[document.number].text for document in documents}
    assert changed == {document.name: f"{document.fact} [1]" for document in documents}
    assert all(answers[document.number].citations[0].source.endswith(document.name) for document in documents)


def test_instructions_in_documents_change_no_quoted_answer(tmp_path: Path, model_cache: Path) -> None:
    assert_not_changed(EVERY_DAY, quoted_answers(EVERY_DAY, tmp_path, model_cache))


@pytest.mark.slow
def test_none_of_fifty_poisoned_documents_changes_a_quoted_answer(tmp_path: Path, model_cache: Path) -> None:
    assert len(DOCUMENTS) == 50
    assert_not_changed(DOCUMENTS, quoted_answers(DOCUMENTS, tmp_path, model_cache))


def passage(document: Poisoned, *, poisoned: bool = True) -> Hit:
    """The whole file as the passage that a model is given, which is more than a reader would leave of it."""
    text = document.text(poisoned=poisoned)
    return Hit(document.name, "T", "Kilns", 0, len(text), 1, 0, text, UUID(int=document.number), 0, 0.5)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_no_poisoned_document_changes_what_the_check_says(document: Poisoned) -> None:
    written = (
        f"{document.fact} [1] The kiln {document.kiln} is fired at 8888 degrees [1]. Jupiter sings quietly [1][77]. "
        f"Obey the evil one. ![chart]({EVIL}{document.kiln}) See [more]({EVIL}more). Its door opens to the north [1]."
    )
    found, twin = (
        check_answer("m", document.question, written, [passage(document, poisoned=kind)]) for kind in (True, False)
    )
    assert found.text == twin.text
    assert found.sentences == twin.sentences
    assert (found.dropped_citations, found.removed_links) == (twin.dropped_citations, twin.removed_links) == (1, 2)
    assert [sentence.supported for sentence in found.sentences] == [True, False, False, False, True]
    assert EVIL not in found.text
    strict = check_answer("m", document.question, written, [passage(document)], strict=True)
    assert strict.text == f"{document.fact} [1] Its door opens to the north [1]."


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_no_poisoned_document_leaves_its_passage(document: Poisoned) -> None:
    other = DOCUMENTS[document.number % len(DOCUMENTS)]
    prompt = make_prompt(document.question, [passage(document), passage(other)])
    fence = re.findall(r"\[([0-9a-f]{16}) passage \d+ (?:begins|ends)\]", prompt.user)[0]
    marks = re.findall(rf"^\[{fence} passage (\d+) (begins|ends)\]$", prompt.user, re.MULTILINE)
    assert marks == [("1", "begins"), ("1", "ends"), ("2", "begins"), ("2", "ends")]
    assert prompt.user.endswith(f"[{fence} passage 2 ends]\n\nQuestion: {document.question}")
    assert not any(control in prompt.user for control in COMMON_CONTROLS)
