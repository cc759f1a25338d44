"""What the tokenizer makes of a text before the encoder reads it: pieces that fit, and words that stay apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import save_bert, unigram_tokenizer
from tokenizers.normalizers import BertNormalizer

from rag.answer.answer import rank_sentences
from rag.encoder.encoder import load_encoder
from rag.langchain.embeddings import Int8DistilBertEmbeddings, text_windows
from rag.text.tokenizer import KnownWords, Tokenizer, with_spaces
from sql.base.settings import Settings
from sql.records import Hit

if TYPE_CHECKING:
    from rag.encoder.encoder import Encoder


@dataclass(frozen=True)
class CountedTokenizer(Tokenizer):
    """A tokenizer that remembers how many characters each count has read."""

    counted: list[int] = field(default_factory=list)

    def count(self, text: str) -> int:
        self.counted.append(len(text))
        return super().count(text)


@pytest.fixture(scope="module")
def unigram() -> Tokenizer:
    return unigram_tokenizer(max_tokens=12)


@pytest.fixture(scope="module")
def unigram_encoder(tmp_path_factory: pytest.TempPathFactory, unigram: Tokenizer) -> Encoder:
    folder = tmp_path_factory.mktemp("unigram")
    save_bert(folder / "model", unigram, max_position_embeddings=16)
    return load_encoder(Settings(store=".rag", model=None, cache=folder / "cache", offline=True), str(folder / "model"))


# Pieces


def test_a_unigram_tokenizer_gives_a_piece_more_tokens_than_it_had_in_the_text(unigram: Tokenizer) -> None:
    # Why every cut is counted again: what follows a cut gets a mark of its own for the beginning of a word.
    assert unigram.count("catsdogs") == 2
    assert unigram.count("cats") + unigram.count("dogs") == 3


TEXTS = st.text(st.sampled_from("catdogs xyzü,\n\x0c\u200bﷺ"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, prompt=st.sampled_from(["", "query: ", "do"]), room=st.integers(5, 9))
def test_pieces_make_up_the_whole_text_and_each_fits_as_it_is_read(
    unigram: Tokenizer, text: str, prompt: str, room: int
) -> None:
    room += unigram.count(prompt)
    pieces = list(unigram.windows(text, room, prompt))
    assert [start for start, _, _ in pieces] == [0, *(end for _, end, _ in pieces[:-1])]
    assert pieces[-1][1] == len(text)
    for start, end, tokens in pieces:
        assert tokens == unigram.count(prompt + text[start:end])
        assert tokens <= room or end - start == 1
    _, end, tokens = pieces[0]
    assert unigram.fitting(text, room, prompt) == (text[:end] if tokens <= room else "")


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from(["cats", "dogs", "catsdogs", "dogsx", "cat"]), min_size=1, max_size=30))
def test_a_piece_ends_where_one_more_token_of_the_text_would_be_too_many(unigram: Tokenizer, words: list[str]) -> None:
    text, room = " ".join(words), 7
    found = unigram.fitting(text, room)
    ends = [int(end) for _, end in unigram.spans(text)]
    longest = max(end for end in [*ends, len(text)] if unigram.count(text[:end]) <= room)
    assert len(found.rstrip()) == len(text[:longest].rstrip())


def test_only_a_character_that_is_too_long_itself_exceeds_the_limit(unigram: Tokenizer) -> None:
    text = "cats ﷺ dogs"  # one character that the normalizer writes out in eighteen
    assert unigram.count("ﷺ") > 6
    pieces = [(text[start:end], tokens) for start, end, tokens in unigram.windows(text, 6)]
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece.strip() for piece, tokens in pieces if tokens > 6] == ["ﷺ"]
    assert unigram.fitting("ﷺ cats", 6) == ""


def test_a_long_text_is_counted_in_pieces_and_not_from_each_cut_to_its_end(unigram: Tokenizer) -> None:
    counted = CountedTokenizer(unigram.library, unigram.max_tokens)
    text = "catsdogsxyzcatsdogs" * 2000
    windows = list(counted.windows(text, 10))
    assert len(windows) > 1000
    assert sum(counted.counted) < 12 * len(text)
    assert max(sorted(counted.counted)[:-1]) < 100  # once the whole, to see whether it fits


# Long texts in answers and in LangChain


LONG = "catsdogsxyz" * 40


def test_a_sentence_longer_than_the_encoder_reads_is_judged_by_its_beginning(unigram_encoder: Encoder) -> None:
    # Eight tokens, and then a character of eighteen: cut behind the tenth token, all eighteen would be read.
    text = f"{'cats ' * 8}ﷺ {'dogs ' * 8}cats."
    hit = Hit("long.txt", "", "", 0, len(text), 1, 0, text, UUID(int=1), 0, 0.5)
    (citation,) = rank_sentences("dogs", unigram_encoder.encode_query("dogs"), [hit], unigram_encoder)
    assert citation.text == text
    assert unigram_encoder.fitting_document(text).split() == ["cats"] * 8


def test_langchain_embeds_all_of_a_long_text_with_a_unigram_tokenizer(
    unigram_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = Int8DistilBertEmbeddings("unigram")
    monkeypatch.setattr(embeddings, "_encoder", unigram_encoder)
    texts = [LONG, f"{LONG} cats", "cats", ""]
    vectors = embeddings.embed_documents(texts)
    assert len(vectors) == 4
    assert vectors[0] != vectors[1]
    windows = text_windows(LONG, unigram_encoder.tokenizer)
    assert "".join(piece for piece, _ in windows) == LONG


# Characters that divide words unseen


@pytest.mark.parametrize("character", [*"\x0b\x0c\x1c\x1d\x1e\x1f\x85\u200b\u2028\u2029"])
def test_what_ends_a_line_or_page_keeps_the_words_on_either_side_apart(
    default_tokenizer: Tokenizer, unigram: Tokenizer, character: str
) -> None:
    text, spaced = f"the cat{character}dogs run", "the cat dogs run"
    for tokenizer in (default_tokenizer, unigram):
        assert tokenizer.encode([text]) == tokenizer.encode([spaced])
        assert tokenizer.count(text) == tokenizer.count(spaced)
        assert tokenizer.spans(text).tolist() == tokenizer.spans(spaced).tolist()


def test_every_line_end_of_python_and_every_white_space_divides_words(default_tokenizer: Tokenizer) -> None:
    expected = default_tokenizer.encode(["cat dog"])
    dividing = [chr(code) for code in range(0x3100) if chr(code).isspace() or len(f"a{chr(code)}b".splitlines()) > 1]
    assert [character for character in dividing if default_tokenizer.encode([f"cat{character}dog"]) != expected] == []


def test_offsets_are_those_of_the_text_as_it_stands() -> None:
    text = "one\x0btwo\x0c\x85\u200bthree\r\nfour"
    assert len(with_spaces(text)) == len(text)
    assert with_spaces(text) == "one two   three\r\nfour"


# Counting by words


MIXED = st.text(
    st.sampled_from(
        "The caténé\u0301猫あ[SEP]#.,_07-\x7f\xad \n\t\x0b\x0c\x1c\x85\xa0\u200b\u2003\u2028\u3000\0\ufffd"
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(MIXED, max_size=4))
def test_the_tokens_of_a_text_are_those_of_its_words_where_the_tokenizer_divides_at_spaces(
    default_tokenizer: Tokenizer, texts: list[str]
) -> None:
    assert default_tokenizer.divides_at_spaces
    whole = [len(ids) - default_tokenizer.special_tokens for ids in default_tokenizer.encode(texts)]
    assert default_tokenizer.counts(texts) == default_tokenizer.counts_by_words(texts) == whole


WORDS = [
    "The",
    "the",
    "THE",
    "cats",
    "a.b",
    "[MASK]",
    "x[mask]y",
    "py3",
    "in-PY3-it",
    "3.14",
    "a" * 150,
    "##s",
    "é",
    "the\xad",
]


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_word_has_as_many_tokens_as_the_library_makes_of_it_whatever_is_known_of_its_parts(
    default_tokenizer: Tokenizer, lowercase: bool
) -> None:
    other = Tokenizer.from_bytes(default_tokenizer.library.to_str().encode(), 256)
    other.library.normalizer = BertNormalizer(lowercase=lowercase)
    other.library.add_tokens(["py3"])
    assert other.divides_at_spaces
    assert other.counts_by_words(WORDS) == [len(ids) for ids in other.encode_plain(WORDS)]


def test_a_tokenizer_that_takes_spaces_into_its_tokens_counts_the_whole_text(unigram: Tokenizer) -> None:
    assert not unigram.divides_at_spaces
    text = "catsdogs :cats"
    assert unigram.counts([text]) == [len(unigram.encode([text])[0]) - unigram.special_tokens]


def test_a_token_that_holds_a_space_is_counted_as_one(default_tokenizer: Tokenizer) -> None:
    other = Tokenizer.from_bytes(default_tokenizer.library.to_str().encode(), 256)
    other.library.add_tokens(["new york"])
    assert not other.divides_at_spaces
    assert (other.count("in new york"), default_tokenizer.count("in new york")) == (2, 3)


def test_a_word_is_tokenized_once_whatever_texts_it_stands_in_until_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []

    def lengths(words: list[str]) -> list[int]:
        asked.append(sorted(words))
        return [len(word) for word in words]

    monkeypatch.setattr("rag.text.tokenizer.MOST_KNOWN", 8)
    known = KnownWords()
    assert known.sums(["cat dog cat", ""], lengths) == [9, 0]
    assert known.sums(["dog cat", "birds"], lengths) == [6, 5]
    assert known.sums(["cat"], lengths) == [3]
    assert asked == [["cat", "dog"], ["birds"], ["cat"]]
