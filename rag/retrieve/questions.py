"""Texts in, questions out: what can be asked at all."""

from __future__ import annotations

from sql.base.errors import UsageError

LONGEST_QUESTION = 32_000  # characters; no encoder reads as many, and tokenizing 50 MB takes 8 GB


def check_question(question: str) -> None:
    """Raises UsageError for what is no question: nothing, a whole book, or bytes that are no text."""
    if not question.strip():
        raise UsageError("the question is empty: write it between quotes")
    if len(question) > LONGEST_QUESTION:
        raise UsageError(
            f"the question has {len(question):,} characters, more than the {LONGEST_QUESTION:,} that can be asked: shorten it"
        )
    if not question.isascii() and any("\ud800" <= character <= "\udfff" for character in question):
        raise UsageError("the question holds bytes that are not UTF-8: write it in the encoding of the terminal")
