"""A question and the chunks found for it in; a text by a language model out, held against those chunks.

`rag/answer/prompt.py` says what the model is given, `rag/answer/check.py` what becomes of what it wrote, and
`rag/answer/models/` are the models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.answer.check import check_answer
from rag.answer.prompt import fitting_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.answer.check import GeneratedAnswer
    from rag.answer.prompt import LanguageModel
    from sql.records import Hit


def generate_answer(
    model: LanguageModel,
    question: str,
    hits: Sequence[Hit],
    max_tokens: int,
    announce: Callable[[str], None] = lambda sentence: None,
) -> GeneratedAnswer:
    """A language model's answer from the chunks that were found, checked against them.

    Chunks that leave no room for the answer are dropped whole, the farthest first; `announce` hears of it. Raises
    RagError where not even the nearest fits, and where the model fails.
    """
    prompt, count = fitting_prompt(model, question, hits, max_tokens)
    if count < len(hits):
        announce(
            f"{count} of {len(hits)} passages fit {model.name} with {max_tokens} tokens of answer; the rest are left out"
        )
    return check_answer(model.name, question, model.complete(prompt, max_tokens), hits[:count])
