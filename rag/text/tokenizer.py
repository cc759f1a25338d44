"""Text in, the encoder's tokens out: counted for the chunker, as ids for the encoder.

The one door to the `tokenizers` library. It reads a `tokenizer.json` alone, so neither torch nor transformers is loaded.

A text that is cut has to be counted again. Where a Unigram model divides text, or a cut falls within a word, the piece
alone can have more tokens than it had in the text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

from sql.base.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Set
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

# What ends a line, a page or a field, or divides words unseen. BERT's normalizer deletes the most of them and joins the
# words on either side; others leave them as they are, and the word gets an unknown token. U+2028 and U+2029 are spaces to
# BERT already.
UNSEEN_SPACES = re.compile("[\x0b\x0c\x1c-\x1f\x85\u200b\u2028\u2029]")
SPACE_MARKS = ("\u2581", "\u0120")  # of Unigram tokenizers, and of those by bytes
LEAST_PASSAGE = 16  # tokens of a passage that there has to be room for behind a question
MOST_KNOWN = 500_000  # characters of words whose tokens are remembered: some 70,000 words
RUNS = re.compile("[0-9A-Za-z]+")


@dataclass
class KnownWords:
    """How many tokens words have, each tokenized once; for all threads. When it is full, it begins anew."""

    _counts: dict[str, int] = field(default_factory=dict)
    _characters: int = 0

    def sums(self, texts: Sequence[str], count: Callable[[list[str]], list[int]]) -> list[int]:
        """The tokens of the words of each text together; `count` tells those of words."""
        known = self._counts  # looked at once: another thread may begin anew
        words = [text.split() for text in texts]
        if new := [word for word in set(chain.from_iterable(words)) if word not in known]:
            known.update(zip(new, count(new), strict=True))
            self._characters += sum(map(len, new))
        if self._characters > MOST_KNOWN:
            self._counts, self._characters = {}, 0
        return [sum(map(known.__getitem__, each)) for each in words]


@dataclass(frozen=True, slots=True)
class PlainWords:
    """Words in ASCII as BERT's tokenizers read them. `added` are tokens that are found before words are divided."""

    token_to_id: Callable[[str], int | None]
    lowercase: bool
    added: Set[str]

    def holds(self, word: str) -> bool:
        """Whether a word is divided at its marks and nowhere else."""
        if not (word.isascii() and word.isprintable()):
            return False
        lowered = word.lower()
        return not any(token in lowered for token in self.added)

    def is_token(self, run: str) -> bool:
        """Whether letters and digits are one token."""
        return self.token_to_id(run.lower() if self.lowercase else run) is not None


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a model reads of a question and a passage, or of a window of the passage.

    `ids` are the tokens of both with the special ones, `types` 0 for those of the question and 1 from the passage on. The
    passage's tokens begin at `first`; `spans`, int64 (n, 2), are their places in it, in code points.
    """

    ids: list[int]
    types: list[int]
    first: int
    spans: NDArray[np.int64]


@dataclass(frozen=True)
class Tokenizer:
    """A fast tokenizer without truncation or padding; `max_tokens` counts the special tokens too."""

    library: Any
    max_tokens: int
    _known: KnownWords = field(default_factory=KnownWords, init=False, repr=False, compare=False)

    @classmethod
    def from_file(cls, path: Path, max_tokens: int) -> Tokenizer:
        """The tokenizer of `tokenizer.json`; ModelError where the file is missing or is not one."""
        try:
            return cls.from_bytes(path.read_bytes(), max_tokens)
        except (OSError, ModelError) as error:
            raise ModelError(f"{path} is not a tokenizer.json that can be used: {error}") from error

    @classmethod
    def from_bytes(cls, content: bytes, max_tokens: int) -> Tokenizer:
        """The tokenizer in the content of a `tokenizer.json`; ModelError where it is none."""
        from tokenizers import Tokenizer as LibraryTokenizer

        try:
            library = LibraryTokenizer.from_buffer(content)
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"the tokenizers library cannot read it: {error}") from error
        library.no_truncation()
        library.no_padding()
        return cls(library, max_tokens)

    @cached_property
    def special_tokens(self) -> int:
        """How many tokens are added to every text ([CLS] and [SEP] for BERT)."""
        return int(self.library.num_special_tokens_to_add(False))

    @property
    def max_text_tokens(self) -> int:
        """The longest text, in tokens, that the encoder reads whole."""
        return self.max_tokens - self.special_tokens

    def spans(self, text: str) -> NDArray[np.int64]:
        """Start and end, in code points, of each token of `text` without the special ones; int64, shape (n, 2)."""
        return as_spans(self._offsets(text))

    def starts(self, text: str) -> list[int]:
        """Where each token of `text` starts, in code points, without the special ones."""
        return [start for start, _ in self._offsets(text)]

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        offsets: list[tuple[int, int]] = self.library.encode(with_spaces(text), add_special_tokens=False).offsets
        return offsets

    @cached_property
    def divides_at_spaces(self) -> bool:
        """Whether the tokens of a text are those of its words, whatever stands beside them.

        BERT's tokenizers cut at every space before they do anything else. Others take a space for a part of a token.
        """
        from tokenizers.normalizers import BertNormalizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        added = [token.content for token in self.library.get_added_tokens_decoder().values()]
        return (
            isinstance(self.library.pre_tokenizer, BertPreTokenizer)
            and isinstance(self.library.normalizer, BertNormalizer | None)
            and not any(character.isspace() for content in added for character in content)
        )

    def count(self, text: str) -> int:
        """Number of tokens of `text` without the special ones."""
        return self.counts([text])[0]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text without the special ones."""
        return self.counts_by_words(texts) if self.divides_at_spaces else self._counts_whole(texts)

    def counts_by_words(self, texts: Sequence[str]) -> list[int]:
        """The tokens of the words of each text, which is fast: they are exact where the tokenizer `divides_at_spaces`."""
        return self._known.sums(texts, self._counts_of_words if self._plain is not None else self._counts_whole)

    def _counts_of_words(self, words: list[str]) -> list[int]:
        """The tokens of words in a quarter of the time that the library takes for them, where `_plain` knows most.

        BERT's pre-tokenizer makes a token of every mark in ASCII, and divides the words there; what is left between the
        marks is nearly always a token of the vocabulary.
        """
        plain = self._plain
        runs = [RUNS.findall(word) if plain is not None and plain.holds(word) else None for word in words]
        known = {run: 1 for some in runs for run in some or () if plain is not None and plain.is_token(run)}
        unknown = list(dict.fromkeys(run for some in runs for run in some or () if run not in known))
        counts = self._counts_whole([*unknown, *(word for word, some in zip(words, runs, strict=True) if some is None)])
        known |= zip(unknown, counts, strict=False)
        others = iter(counts[len(unknown) :])
        return [
            next(others) if some is None else len(word) + sum([known[run] - len(run) for run in some])
            for word, some in zip(words, runs, strict=True)
        ]

    @cached_property
    def _plain(self) -> PlainWords | None:
        """Which words have tokens that can be told without the library; None where its tokens are not BERT's."""
        from tokenizers.models import WordPiece

        if not (self.divides_at_spaces and isinstance(self.library.model, WordPiece)):
            return None
        normalizer = self.library.normalizer
        added = frozenset(token.content.lower() for token in self.library.get_added_tokens_decoder().values())
        return PlainWords(self.library.token_to_id, normalizer is not None and normalizer.lowercase, added)

    def _counts_whole(self, texts: Sequence[str]) -> list[int]:
        spaced = [with_spaces(text) for text in texts]
        return [len(encoding) for encoding in self.library.encode_batch_fast(spaced, add_special_tokens=False)]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with the special tokens; never cut."""
        spaced = [with_spaces(text) for text in texts]
        return [encoding.ids for encoding in self.library.encode_batch_fast(spaced, add_special_tokens=True)]

    def encode_plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text without the special tokens."""
        spaced = [with_spaces(text) for text in texts]
        return [encoding.ids for encoding in self.library.encode_batch_fast(spaced, add_special_tokens=False)]

    def whole_words(self) -> list[str]:
        """The tokens that are a word of their own or its beginning, without the mark that says so, in order of their numbers.

        WordPiece marks the others, with `##`; tokenizers of other kinds mark the space before a word.
        """
        tokens = sorted(self.library.get_vocab(), key=self.library.token_to_id)
        for mark in SPACE_MARKS:
            if any(token.startswith(mark) for token in tokens):
                return [token.removeprefix(mark) for token in tokens if token.startswith(mark) and token != mark]
        return [token for token in tokens if not token.startswith("##")]

    @cached_property
    def unknown_id(self) -> int | None:
        """The token of what it does not know; None where it knows every byte."""
        model = json.loads(self.library.to_str())["model"]
        if "unk_id" in model:
            return None if model["unk_id"] is None else int(model["unk_id"])
        found = self.library.token_to_id(model["unk_token"]) if model.get("unk_token") else None
        return None if found is None else int(found)

    def encode_with_spans(self, texts: Sequence[str]) -> list[tuple[list[int], NDArray[np.int64]]]:
        """Token ids of each text as `encode` gives them, and where in it each token stands: int64 (tokens, 2), an empty
        span for a special one."""
        spaced = [with_spaces(text) for text in texts]
        return [
            (encoding.ids, as_spans(encoding.offsets))
            for encoding in self.library.encode_batch(spaced, add_special_tokens=True)
        ]

    def pairs(self, question: str, passages: Sequence[str], overlap: int | None = None) -> list[list[TokenPair]]:
        """A question with each passage, as a model with two segments reads them; only a passage is ever cut.

        One pair a passage, with as much of its beginning as fits; with an `overlap` as many as it takes to read all of it,
        each window beginning with so many tokens of the one before. Raises UsageError for a question that leaves a passage
        no room.
        """
        asked = self.library.encode(with_spaces(question), add_special_tokens=False)
        room = self.max_tokens - int(self.library.num_special_tokens_to_add(True)) - len(asked)
        if room < LEAST_PASSAGE:
            raise UsageError(
                f"the question has {len(asked)} tokens, and the model reads {self.max_tokens} of a question and a passage "
                "together: shorten the question"
            )
        spaced = [with_spaces(passage) for passage in passages]
        found = []
        for passage in self.library.encode_batch(spaced, add_special_tokens=False):
            passage.truncate(room, stride=min(overlap or 0, room // 2))
            windows = [passage] if overlap is None else [passage, *passage.overflowing]
            found.append([self._pair(asked, window) for window in windows])
        return found

    def _pair(self, asked: Any, window: Any) -> TokenPair:
        """A question and (a window of) a passage with the special tokens around them."""
        both = self.library.post_process(asked, window, True)
        first = both.sequence_ids.index(1) if len(window) else len(both) - 1
        types = [0] * first + [1] * (len(both) - first)
        return TokenPair(both.ids, types, first, as_spans(window.offsets))

    def fitting(self, text: str, max_tokens: int, prompt: str = "") -> str:
        """The longest beginning of `text` that has, with `prompt` before it, at most `max_tokens` without special ones.

        Empty where not even the first character has room.
        """
        _, end, tokens = next(self.windows(text, max_tokens, prompt))
        return text[:end] if tokens <= max_tokens else ""

    def windows(self, text: str, max_tokens: int, prompt: str = "") -> Iterator[tuple[int, int, int]]:
        """Start, end and tokens of pieces that make up the whole of `text`, each as long as it may be.

        A piece has at most `max_tokens` without the special ones, counted as the encoder will read it, alone and with
        `prompt` before it; only a single character can have more. A text that fits, and an empty one, is one piece.
        """
        if (tokens := self.count(prompt + text)) <= max_tokens:
            yield 0, len(text), tokens
            return
        ends = list(
            accumulate((end for _, end in self._offsets(text)), max)
        )  # tokens may share a character, or have none
        most, start = max(1, max_tokens - self.count(prompt)), 0
        while start < len(text):
            first = bisect_right(ends, start)
            cuts = ends[first : first + most]
            if not cuts or cuts[-1] == ends[-1]:
                cuts[-1:] = [len(text)]
            end, tokens = self._longest(text, start, cuts, max_tokens, prompt)
            yield start, end, tokens
            start = end

    def _longest(self, text: str, start: int, cuts: list[int], max_tokens: int, prompt: str) -> tuple[int, int]:
        """The last of the cuts up to which a piece fits, and its tokens; found near the end first, then by halves."""

        def tokens_until(end: int) -> int:
            return self.count(prompt + text[start:end])

        if (tokens := tokens_until(cuts[-1])) <= max_tokens:
            return cuts[-1], tokens
        fits, exceeds, step, found = -1, len(cuts) - 1, 1, 0
        while exceeds - fits > 1:
            tried = max(exceeds - step, (fits + exceeds) // 2)
            step *= 2
            if (tokens := tokens_until(cuts[tried])) <= max_tokens:
                fits, found = tried, tokens
            else:
                exceeds = tried
        if fits >= 0:
            return cuts[fits], found
        end = cuts[0]
        while (tokens := tokens_until(end)) > max_tokens and end - start > 1:
            end = (start + end + 1) // 2
        return end, tokens


def with_spaces(text: str) -> str:
    """The text with a space for every character that divides words without being taken for one; as long as it was.

    >>> with_spaces("one page\\x0canother")
    'one page another'
    """
    return UNSEEN_SPACES.sub(" ", text)


def as_spans(offsets: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Starts and ends as an array, int64 (n, 2)."""
    import numpy as np  # not at the top: who only counts tokens does without

    return np.array(offsets, dtype=np.int64).reshape(-1, 2)
