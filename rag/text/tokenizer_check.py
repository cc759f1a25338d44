"""Whether transformers reads texts as a model's `tokenizer.json` does. One of the doors to transformers.

The encoder reads with the file, through the tokenizers library. transformers 5 builds the normalizer and the
pre-tokenizer of many classes anew from other files of the model, so that its ids, and those of everything that is built
on it, can differ. Which of the two a model was trained with its files do not tell: it is recorded and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sql.base.errors import ModelError, one_reason

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

# Upper case, accents composed and not, white space, punctuation, digits, other scripts, full width, ligatures, emoji.
SAMPLES = (
    "",
    "The cat sat on the mat.",
    "Don't PANIC: it's 3.14159, isn't it?",
    "  two  spaces, a\ttab and\na new line \n",
    "na\u00efve caf\u00e9 S\u00e3o Paulo \u00c5ngstr\u00f6m \u0130stanbul stra\u00dfe",
    "nai\u0308ve cafe\u0301",
    "def add(a_b, *args):\n    return a_b[0] != args['x'] # 100%",
    "https://example.org/a/b?c=d&e=f#g user@example.org",
    "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3067\u3059\u3002 \u4e2d\u6587\u53e5\u5b50\uff0c\ud55c\uad6d\uc5b4 \ubb38\uc7a5",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 "
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\uff26\uff55\uff4c\uff4c \uff37\uff49\uff44\uff54\uff48 \ufb01ne \u00bd \u00b2 \u2122 \u2026",
    "\u201cquoted\u201d \u2013 \u20ac5",
    "\U0001f642 thumbs \U0001f44d\U0001f3fd up",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found: `agrees` is None where transformers' tokenizer could not be had, and `note` says why."""

    agrees: bool | None
    note: str


def transformers_tokenizer(folder: Path) -> Any:
    """The tokenizer that transformers makes of a model's folder, without running any code in it; ModelError else."""
    try:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # transformers raises many kinds, and a panic in Rust is no Exception
        raise ModelError(one_reason(error)) from error


def compare_with_transformers(folder: Path, tokenizer: Tokenizer) -> Comparison:
    """Compares the ids of a model's `tokenizer.json` with those that transformers gives, on SAMPLES."""
    try:
        other = transformers_tokenizer(folder)
        theirs = [other(text)["input_ids"] for text in SAMPLES]
    except Exception as error:
        return Comparison(None, f"not compared with transformers' tokenizer: {one_reason(error)}")
    ours = tokenizer.encode(SAMPLES)
    different = [text for text, mine, its in zip(SAMPLES, ours, theirs, strict=True) if mine != list(its)]
    where = f"transformers {installed_version()} ({type(other).__name__}) on {len(SAMPLES)} texts"
    if not different:
        return Comparison(True, f"the same tokens as {where}")
    return Comparison(False, f"other tokens than {where}: {len(different)} differ, among them {different[0][:40]!r}")


def installed_version() -> str:
    """The version of transformers."""
    try:
        return version("transformers")
    except PackageNotFoundError:
        return "of an unknown version"
