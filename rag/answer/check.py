"""What a language model wrote and the chunks that it was given in, an answer held against those chunks out.

It is checked before anybody sees it: citations of passages that were not given are dropped, links and images that no
passage holds are removed, and sentences that their passages do not bear out are marked in the text, or left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.answer.answer import Citation
from rag.answer.prompt import passage_text
from rag.answer.refusals import NO_ANSWER_WORDS, is_refusal
from rag.text.analyser import WORD, detect_language, stems, words_in
from rag.text.identifiers import folded, identifiers
from rag.text.sentences import split_sentences
from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sql.records import Hit

LONGEST_ANSWER = 100_000  # characters; no answer to a question is longer, and something that goes wrong may well be
LEAST_SHARED_WORDS = 0.5  # of a sentence's words, to count as borne out by the passages it cites

# What a model thinks before it answers; where its template has opened the thought, only the end of it is written.
THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)|\A(?:(?!<think>).)*?</think>[ \t]*(?=\n|\Z)", re.DOTALL)
CITED_NUMBERS = r"\d{1,4}(?:\s?[-–]\s?\d{1,4})?"
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,1000}`", re.DOTALL)
IN_CODE = re.compile(r"\S\Z|[=(,\[{:][ \t]*\Z")  # before a bracket of code that cites nothing: `args[0]`, x = [1, 2]
MARK = re.compile(rf"[\[【]\s?({CITED_NUMBERS}(?:\s?[,;]\s?{CITED_NUMBERS}){{0,20}})\s?(?:†[^\]】]{{0,80}})?[\]】]")
STOP_BEFORE_MARKS = re.compile(r"([.!?…。！？])([ \t]{1,4})(?=\[\d{1,4}\])")
CITATION = re.compile(r"[ \t]{0,4}\[(\d{1,4})\]")
NOT_SUPPORTED = "[not supported]"  # stands behind a sentence that its passages do not bear out
CUT_SHORT = " …"  # stands behind a text that the model did not bring to its end
EMPTY_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]*")
GROUPED = re.compile(r"([1-9]\d{0,2}(?:\.\d{3})+)(,\d+)?|([1-9]\d{0,2}(?:,\d{3})+)(\.\d+)?")
SPACED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[ \u00a0\u202f]\d{3})+(?![\d.,]?\d)")
CAPITAL_NOUNS = ("de",)  # languages in which a capital letter makes no name

# Every way Markdown and HTML have of making a reader's program fetch an address or offer to.
IMAGE_OR_LINK = re.compile(r"(!?)\[([^\[\]]{0,500})\]\(((?:[^()]|\([^()]{0,200}\)){0,1000})\)")
BEGUN_LINK = re.compile(r"\]\((\s{0,20}<?([^\s()<>]{0,2000}))")  # whatever the pattern above is too short for
IMAGE_MARK = re.compile(r"!(?=\[(?!\s?\d{1,4}[\s,;\]–-])[^\[\]]{0,500}\])")  # of one whose address stands elsewhere
REFERENCE = re.compile(r"^[ \t]{0,8}\[[^\[\]\n]{1,200}\]:[ \t]*\n?[ \t]*(\S+).*$", re.MULTILINE)
TAG = re.compile(r"</?(?![a-zA-Z+.-]{1,30}://)[a-zA-Z][^<>]{0,4000}=[^<>]{0,4000}>")
ADDRESS = re.compile(
    r"(?:\b[a-zA-Z][a-zA-Z0-9+.-]{1,30}://|\b(?:javascript|mailto|vbscript):|\bdata:(?=[\w.+-]{0,80}[/,;])|\bwww\.)[^\s<>\"'`()\[\]{}|\\^]{1,4000}"
)
MOST_NESTED = 20  # links in the text of links; what is left is no link any more either, but its text stays
LINK_REMOVED = "[link removed]"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a generated answer; `citations` count from 1, `supported` is what `bears_out` found.

    `start` and `end` are its place in the text, its citations included, before sentences are marked or left out.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GeneratedAnswer:
    """A checked answer: [n] in `text` is citations[n - 1], a whole passage that the model was given.

    `sentences` are all that the model wrote, those included that `strict` has left out of the text. `left_out` are the
    chunks for which the model's context had no room; `is_cut` says that the model did not come to its end. `query_id` is
    that in the query log, "" outside of it.
    """

    question: str
    model: str
    text: str
    citations: tuple[Citation, ...]
    sentences: tuple[Sentence, ...]
    passages: int
    dropped_citations: int
    removed_links: int
    left_out: tuple[Hit, ...] = ()
    is_cut: bool = False
    strict: bool = False
    confidence: float = 0.0  # that of the quotations: the probability that the best of them answers the question
    query_id: str = ""

    @property
    def answered(self) -> bool:
        """Whether the model gave an answer."""
        return bool(self.text)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a model wrote without what must not be shown; [n] in `text` is passage cited[n - 1] of those given, from 1."""

    text: str
    cited: tuple[int, ...]
    sentences: tuple[Sentence, ...]
    dropped_citations: int
    removed_links: int

    @property
    def says_nothing(self) -> bool:
        """Whether it is no answer, or says that there is none."""
        return is_no_answer(self.text, cited=bool(self.cited))


def clean_answer(written: str, hits: Sequence[Hit]) -> Cleaned:
    """What a model wrote, without thoughts, foreign links and citations of nothing, and its sentences, each checked."""
    text, removed = remove_links(THOUGHT.sub("", written).strip(), [hit.text for hit in hits])
    text, cited, dropped = renumber(text, len(hits))
    passages = [passage_text(hits[number - 1]) for number in cited]
    return Cleaned(text, tuple(cited), tuple(check_sentences(text, passages)), dropped, removed)


def check_answer(
    model: str, question: str, written: str, hits: Sequence[Hit], *, strict: bool = False, is_cut: bool = False
) -> GeneratedAnswer:
    """What a model wrote, held against the chunks it was given; raises RagError where it is longer than any answer.

    Sentences that their passages do not bear out are marked, or with `strict` left out; where none is left, there is no
    answer. `is_cut` says that the model did not come to its end.
    """
    refuse_a_book(model, written)
    cleaned = clean_answer(written, hits)
    if cleaned.says_nothing:
        cleaned = replace(cleaned, text="", cited=(), sentences=())
    text = marked_text(cleaned.text, cleaned.sentences, strict=strict)
    text, used, _ = renumber(text, len(cleaned.cited))
    cited = [cleaned.cited[number - 1] for number in used]
    return GeneratedAnswer(
        question=question,
        model=model,
        text=text + CUT_SHORT if text and is_cut else text,
        citations=tuple(whole_passage(hits[number - 1]) for number in cited),
        sentences=tuple(renumbered(sentence, used) for sentence in cleaned.sentences),
        passages=len(hits),
        dropped_citations=cleaned.dropped_citations,
        removed_links=cleaned.removed_links,
        is_cut=is_cut,
        strict=strict,
    )


def refuse_a_book(model: str, written: str) -> None:
    """Raises RagError for what is longer than any answer."""
    if len(written) > LONGEST_ANSWER:
        raise RagError(
            f"{model} wrote {len(written):,} characters, more than the {LONGEST_ANSWER:,} of the longest answer: "
            "use a smaller --max-tokens"
        )


def marked_text(text: str, sentences: Sequence[Sentence], *, strict: bool) -> str:
    """A text in which the sentences that are not supported are marked, or with `strict` left out with their spaces.

    >>> marked_text("Yes. No.", [Sentence("No.", (), False, 5, 8)], strict=False)
    'Yes. No. [not supported]'
    """
    parts, done = [], 0
    for sentence in sentences:
        if sentence.supported:
            continue
        if strict:
            parts.append(text[done : sentence.start])
        else:
            parts.append(f"{text[done : sentence.end]} {NOT_SUPPORTED}")
        done = sentence.end
    marked = "".join([*parts, text[done:]])
    return tidied(marked) if strict and parts else marked


def tidied(text: str) -> str:
    """A text without the empty places that sentences have left: bullets of nothing, double spaces, blank lines."""
    lines = [re.sub(r"(?<=\S)[ \t]{2,}", " ", line).rstrip() for line in text.split("\n")]
    kept = [line for line in lines if not EMPTY_ITEM.fullmatch(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def renumbered(sentence: Sentence, used: Sequence[int]) -> Sentence:
    """A sentence with the numbers that its citations have now; those of passages that nothing shown cites are gone."""
    return replace(sentence, citations=tuple(used.index(number) + 1 for number in sentence.citations if number in used))


def is_no_answer(text: str, *, cited: bool) -> bool:
    """Whether a model said nothing, or that the passages hold no answer."""
    said = MARK.sub("", text.replace(LINK_REMOVED, ""))
    words = " ".join(WORD.findall(said)).casefold()
    return words in {"", NO_ANSWER_WORDS.casefold(), f"{NO_ANSWER_WORDS} found".casefold()} or is_refusal(
        said.strip(), cited
    )


def whole_passage(hit: Hit) -> Citation:
    """A chunk as a citation: its text is the file's text[start:end]."""
    return Citation(
        hit.source,
        hit.start,
        hit.end,
        hit.line,
        hit.page,
        hit.heading,
        hit.text,
        hit.score,
        generation=hit.generation,
        place_name=hit.place_name,
    )


def remove_links(text: str, passages: Sequence[str]) -> tuple[str, int]:
    """A text without images, and without links and addresses but for those that stand in a passage; and how many went.

    An address of an image is asked for as soon as the answer is shown, and what a document made the model write into it
    (CVE-2025-32711) leaves with the request; that of a passage still tells who asked. Only whole addresses count: one that
    was made longer is another one.
    """
    known = {bare_address(match[0]) for passage in passages for match in ADDRESS.finditer(passage)}
    removed = 0

    def unless_known(address: str, whole: str, otherwise: str) -> str:
        nonlocal removed
        if bare_address(address.strip("<> \t\n")) in known:
            return whole
        removed += 1
        return otherwise

    def without_link(match: re.Match[str]) -> str:
        picture, label, inside = match.groups()
        text = f"[{label}]" if not picture and label.strip().isdigit() else label  # a citation that was made a link
        return unless_known("" if picture else (inside.split() or [""])[0], match[0], text)

    def without_address(match: re.Match[str]) -> str:
        return unless_known(match[0], match[0], LINK_REMOVED)

    def without_reference(match: re.Match[str]) -> str:
        return unless_known(match[1], match[0], "")

    def without_tag(_match: re.Match[str]) -> str:
        return unless_known("", "", "")

    def without_begun_link(match: re.Match[str]) -> str:
        return unless_known(match[2], match[0], f"] ({match[1]}")

    before = None
    while before != text:  # what is taken out may bring the halves of another link together
        before = text
        for _ in range(MOST_NESTED):  # an image may be the text of a link
            if (shorter := IMAGE_OR_LINK.sub(without_link, text)) == text:
                break
            text = shorter
        text = IMAGE_MARK.sub(without_tag, text)
        text = BEGUN_LINK.sub(without_begun_link, TAG.sub(without_tag, REFERENCE.sub(without_reference, text)))
        text = ADDRESS.sub(without_address, text)
    return text.strip(), removed


def bare_address(address: str) -> str:
    """An address without the punctuation of the sentence that it ends."""
    return address.rstrip(".,;:!?*_~")


def renumber(text: str, passages: int) -> tuple[str, list[int], int]:
    """A text whose citations count from 1 in the order of their first use; the passages those are; how many were dropped.

    >>> renumber("So it is [3]. And so [7], too [1, 3].", 3)
    ('So it is [1]. And so, too [2][1].', [3, 1], 1)
    """
    order: list[int] = []
    dropped = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal dropped
        kept = []
        for number in cited_numbers(match[1], passages):
            if not 1 <= number <= passages:
                dropped += 1
                continue
            if number not in order:
                order.append(number)
            kept.append(f"[{order.index(number) + 1}]")
        return "".join(kept) or "\x00"

    code = code_brackets(text)
    text = MARK.sub(lambda match: match[0] if match.start() in code else replace(match), text)
    return re.sub(r"[ \t]{0,8}\x00", "", text).strip(), order, dropped


def code_brackets(text: str) -> set[int]:
    """Where brackets stand that belong to code and cite nothing. One in code behind a space does cite: some models put all of
    an answer in a fence.

    >>> code_brackets("so `args[0]` it is [1]")
    {8}
    """
    return {
        mark.start()
        for code in CODE.finditer(text)
        for mark in MARK.finditer(text, code.start(), code.end())
        if IN_CODE.search(text[max(code.start(), mark.start() - 20) : mark.start()])
    }


def cited_numbers(listed: str, passages: int) -> Iterator[int]:
    """The numbers in `1, 3` or `2-4`; of a range as many as there are passages."""
    for part in re.split(r"[,;]", listed):
        first, *last = (int(number) for number in re.findall(r"\d+", part))
        yield from range(first, min(last[0], first + passages) + 1) if last else (first,)


def check_sentences(text: str, cited: Sequence[str]) -> Iterator[Sentence]:
    """The sentences of an answer, each with its citations and whether they bear it out."""
    # `It is. [1]` is one sentence, whose citation follows its stop: as `It is .[1]`, where all else stays in its place.
    attached = STOP_BEFORE_MARKS.sub(r"\2\1", text)
    code = code_brackets(text)
    for start, end in split_sentences(attached):
        marks = [mark for mark in CITATION.finditer(text, start, end) if mark.end() - len(mark[1]) - 2 not in code]
        numbers = tuple(dict.fromkeys(int(mark[1]) for mark in marks))
        words = without_spans(text, start, end, [mark.span() for mark in marks]).strip()
        if WORD.search(words):
            sources = [cited[number - 1] for number in numbers if 1 <= number <= len(cited)]
            yield Sentence(words, numbers, bears_out(words, sources), start, end)


def without_spans(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> str:
    """text[start:end] without some spans of it, in order."""
    kept = []
    for first, last in spans:
        kept.append(text[start:first])
        start = last
    return "".join([*kept, text[start:end]])


def bears_out(sentence: str, passages: Sequence[str]) -> bool:
    """Whether passages hold every number and name of a sentence and at least half of its words, compared as `stems` are.

    A check of words and not of meaning: what it flags deserves a look, and what it passes may still be wrong.

    >>> bears_out("The kiln is fired at 1240 degrees.", ["Fire the kiln: 1240 degrees."])
    True
    >>> bears_out("The kiln is fired at 1280 degrees.", ["Fire the kiln: 1240 degrees."])
    False
    """
    said, given = stems(sentence), set().union(*map(stems, passages))
    return (
        bool(passages)
        and holds_figures(figures(sentence), set().union(*map(figures, passages)))
        and len(said & given) >= LEAST_SHARED_WORDS * len(said)
        and all(stems(name) <= given for name in names_in(sentence))
        and all(any(name.is_in(folded(passage)) for passage in passages) for name in identifiers(sentence))
    )


def figures(text: str) -> set[str]:
    """The numbers in a text, whichever way their thousands are grouped and their decimals marked.

    >>> sorted(figures("1.240 or 1,240.50 Grad, 40 000, 3,5 h and 10-20 min."))
    ['10', '1240', '1240.50', '20', '3.5', '40000']
    """
    joined = SPACED.sub(lambda number: "".join(number[0].split()), text)
    return {plain_figure(number) for number in re.findall(r"\d+(?:[.,]\d+)*", joined)}


def plain_figure(number: str) -> str:
    """A number with a dot for its decimals and nothing between its thousands."""
    if grouped := GROUPED.fullmatch(number):
        whole, decimals = re.sub(r"[.,]", "", grouped[1] or grouped[3]), grouped[2] or grouped[4] or ""
        number = f"{whole}.{decimals[1:]}" if decimals else whole
    return number.replace(",", ".")


def holds_figures(said: set[str], given: set[str]) -> bool:
    """Whether each number is given, or is the beginning of one that is given, as 3.10 of 3.10.4, or the end, as a year of a day.

    >>> holds_figures({"3.10", "2024"}, {"3.10.4", "01.02.2024"}), holds_figures({"3.5"}, {"5.3", "3", "5"})
    (True, False)
    """
    dotted = [one for one in given if one.count(".") > 1]
    return all(
        one in given
        or any(other.startswith(f"{one}.") or other.endswith(f".{one}") for other in dotted)
        or (one.count(".") > 1 and set(one.split(".")) <= given)
        for one in said
    )


def names_in(sentence: str) -> list[str]:
    """The words of a sentence that are written as names are: with a capital letter within it, or all in capitals.

    In German, where every noun has one, only those that stand side by side, such as a first name and a surname.

    >>> names_in("In 1794 the potter Josiah Spode left the BBC."), names_in("Im Ofen brannte Josiah Spode Porzellan.")
    (['Josiah', 'Spode', 'BBC'], ['Josiah', 'Spode', 'Porzellan'])
    """
    words = list(words_in(sentence))
    capitals = [word.name for word in words]
    if detect_language(sentence) not in CAPITAL_NOUNS:
        return [word.written for word in words if word.name]
    return [
        word.written
        for number, word in enumerate(words)
        if word.acronym
        or (word.name and any(capitals[max(0, number - 1) : number] + capitals[number + 1 : number + 2]))
    ]
