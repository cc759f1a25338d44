"""A document in, its chunks out: exact slices of its text, each within the encoder's token limit.

The text is cut into units (a heading, a sentence, a line of code), which are counted in tokens and packed. A chunk ends
by preference where a section ends, then a block, a sentence, a line, a word. Units stream through, so that memory is
bounded by the text and the chunks, not by the tokens.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from enum import IntEnum
from itertools import accumulate, groupby, islice
from typing import TYPE_CHECKING, NamedTuple

from ingest.document import PATH_SEPARATOR
from rag.text.columns import RULER
from rag.text.markup_lines import MARKUP_LINE
from rag.text.sentences import LINE_END, holds_one_cell, line_begin, line_spans, split_sentences, trimmed
from sql.records import NO_OUTLINE, Chunk, Lead, Outline, Section
from sql.records.chunking import MIN_CHUNK_TOKENS, ChunkSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingest.document import Block, Document
    from rag.text.tokenizer import Tokenizer

# To be raised with every change of a reader, of this file, or of rag/index/surroundings.py that changes what is stored.
_VERSION = "structure-10"
DEFAULT = ChunkSettings()
MAX_CHARACTERS = 8000  # of one chunk: a "word" of 100,000 characters is a single [UNK] token

_PIECE_CHARACTERS = 32_000  # tokenized at a time
_MAX_LEAD = 1000  # characters of a header or an introducing sentence that is kept with every chunk it belongs to
_LINE_KINDS = frozenset(
    ("code", "table", "rows", "html", "front matter")
)  # divided by lines and never repeated as overlap


class _Break(IntEnum):
    """What lies before a unit, best place for a chunk to end first."""

    SECTION = 0
    BLOCK = 1
    SENTENCE = 2
    LINE = 3
    WORD = 4
    LEAD = 5  # the unit is what the sentence before it introduces with a colon
    HEADING = 6  # the unit belongs to the heading before it


# How much emptier a chunk may get, as a share of the limit, to end at a better place.
_PENALTIES = {
    _Break.SECTION: 0.0,
    _Break.BLOCK: 0.0,
    _Break.SENTENCE: 0.2,
    _Break.LINE: 0.3,
    _Break.WORD: 0.8,  # a sentence is cut only where the chunk would be left nearly empty
    _Break.LEAD: 0.7,
    _Break.HEADING: 9.0,
}


class _Unit(NamedTuple):
    """A span that is not divided further; `size` is its tokens, or more where it is long in characters."""

    start: int
    end: int
    before: _Break
    heading: str
    is_heading: bool
    is_sentence: bool
    size: int = 0


class _Span(NamedTuple):
    """What becomes a chunk."""

    start: int
    end: int
    heading: str
    tokens: int


def chunker_name(settings: ChunkSettings = DEFAULT) -> str:
    """What decides where chunks begin and end and what is embedded of them; a document of another one is cut anew.

    >>> chunker_name(ChunkSettings(200, 30))
    'structure-10/200+30+headings'
    """
    return f"{_VERSION}/{settings.name}"


def split_document(
    document: Document,
    tokenizer: Tokenizer,
    max_tokens: int = DEFAULT.size,
    overlap_tokens: int = DEFAULT.overlap,
) -> list[Chunk]:
    """The chunks of a document in order, each of at most `max_tokens` tokens as the tokenizer counts its text alone.

    Every character of a block is in at least one chunk. Within a section that does not fit one chunk, the next begins
    with up to `overlap_tokens` of whole sentences of the one before.
    """
    _check_limits(tokenizer, max_tokens, overlap_tokens)
    units = _counted_units(document, tokenizer, max_tokens)
    drafts = _packed(units, max_tokens, overlap_tokens)
    spans = _without_contained(_verified(document.text, drafts, tokenizer, max_tokens))
    outlines = _Outlines(document)
    return [
        Chunk(
            index=index,
            text=document.text[start:end],
            start=start,
            end=end,
            line=document.line_at(start),
            page=document.page_at(start),
            heading=heading,
            tokens=tokens,
            outline=outlines.of(start, end, heading),
            place_name=document.place_name(start, end),
        )
        for index, (start, end, heading, tokens) in enumerate(spans)
    ]


def _check_limits(tokenizer: Tokenizer, max_tokens: int, overlap_tokens: int) -> None:
    if not MIN_CHUNK_TOKENS <= max_tokens <= tokenizer.max_text_tokens:
        raise ValueError(f"a chunk has {MIN_CHUNK_TOKENS} to {tokenizer.max_text_tokens} tokens, not {max_tokens}")
    if not 0 <= overlap_tokens < max_tokens:
        raise ValueError(f"chunks of {max_tokens} tokens overlap by 0 to {max_tokens - 1}, not {overlap_tokens}")


# Outlines

# A line of code, of an item or of what is said below a directive; the next item, row or directive.
_GOES_ON = re.compile(r"[ \t]|(?:[-*+•‣◦·]|(?:\d{1,3}|[a-zA-Z])[.)]|\.\.|\#\.)[ \t]|[|+]")
_MOST_FOLLOWING = 80  # characters: enough to tell what a line is
_MAX_HEADER_LINES = 5
_DIVIDER = "|:=+- \t"  # what the line between the header of a table and its rows is made of
_OPENS_NOTE = re.compile(
    r"[ \t]*(?::{3,}|\.\.[ \t])"
)  # a line of a note or a directive, whose colons introduce nothing


class _Outlines:
    """The sections and leads of a document, and those that a chunk has part in."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._sections = list(_sections(document.blocks))
        self._leads = list(_leads(document.text, document.blocks))
        self._section_starts = [section.start for section in self._sections]
        self._lead_starts = [lead.start for lead in self._leads]
        self._lead_ends = [lead.end for lead in self._leads]

    def of(self, start: int, end: int, heading: str) -> Outline:
        """The outline of the chunk text[start:end] with this heading."""
        first, last = bisect_left(self._section_starts, start), bisect_left(self._section_starts, end)
        sections = self._sections[first:last]
        if sections and sections[0].start > start:
            above = self._sections[first - 1].heading if first else ""
            sections = [Section(start, start, above), *sections]
        leads = self._leads[bisect_right(self._lead_ends, start) : bisect_left(self._lead_starts, end)]
        if not leads and all(section.start == section.end and section.heading == heading for section in sections):
            sections = []
        lines = self._document.lines_of(start, end)
        following = _following(self._document.text, end)
        outline = Outline(tuple(sections), tuple(leads), lines, following)
        return outline if outline != NO_OUTLINE else NO_OUTLINE


def _following(text: str, end: int) -> str:
    """How a text goes on behind a chunk, to the end of a line, where that line may be one of a list, a table or code."""
    start = trimmed(text, end, len(text))[0]
    if start == len(text) or not _GOES_ON.match(text, line_begin(text, start)):
        return ""
    line_end = LINE_END.search(text, start, start + _MOST_FOLLOWING)
    return text[end : line_end.start() if line_end else start + _MOST_FOLLOWING]


def _sections(blocks: Iterable[Block]) -> Iterator[Section]:
    """A section for each heading, and for each block whose path of headings is not that of the one before it."""
    heading = ""
    for block in blocks:
        if block.kind == "heading":
            yield Section(block.start, block.end, block.heading)
        elif block.heading != heading:
            yield Section(block.start, block.start, block.heading)
        heading = block.heading


def _leads(text: str, blocks: Iterable[Block]) -> Iterator[Lead]:
    """The header of each table for its rows, and the sentence with a colon before a list for the items of the list."""
    previous: Block | None = None
    for run in _runs(text, blocks):
        kind, start, end = run[0].kind, run[0].start, run[-1].end
        found = None
        if kind == "table":
            found = _header(text, start, end)
        elif kind == "list" and previous is not None and _introduces(text, previous):
            found = _last_sentence(text, previous)
        if found is not None and found[1] - found[0] <= _MAX_LEAD:
            yield Lead(max(start, found[1]), end, *found, text[slice(*found)])
        previous = run[-1]


def _runs(text: str, blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """The blocks in runs of one kind; a blank line divides two tables, of which each has a header of its own."""
    for kind, group in groupby(blocks, lambda block: block.kind):
        run: list[Block] = []
        for block in group:
            if kind == "table" and run and len(LINE_END.findall(text, run[-1].end, block.start)) > 1:
                yield run
                run = []
            run.append(block)
        yield run


def _header(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The first row of a table, above the line that divides it from the others if it has one."""
    rows = (trimmed(text, *span) for span in line_spans(text, start, end))
    spans = list(islice((span for span in rows if span[0] < span[1]), 1 + _MAX_HEADER_LINES + 1))
    has_frame = not text[slice(*spans[0])].strip(_DIVIDER)
    while spans and not text[slice(*spans[0])].strip(_DIVIDER):
        del spans[0]  # the frame of a table in reStructuredText
    if len(spans) < 2:
        return None
    if holds_one_cell(text[slice(*spans[0])]):
        # A row of several lines, of which none is cut: half a row would be taken for a header.
        line_end = LINE_END.search(text, spans[0][0] + _MAX_LEAD, end)
        first = split_sentences(text[spans[0][0] : line_end.start() if line_end else end])[0]
        return spans[0][0], spans[0][0] + first[1]
    ruler = next((number for number, span in enumerate(spans) if RULER.match(text[slice(*span)])), 0)
    if has_frame and ruler > 1:
        return spans[0][0], spans[ruler - 1][1]  # of several lines, between a frame and the ruler of the columns
    return spans[0]


def _introduces(text: str, block: Block) -> bool:
    """Whether a block ends with a colon that says that something follows."""
    if not text.endswith((":", "："), block.start, block.end):
        return False
    return _OPENS_NOTE.match(text, line_begin(text, block.end, block.start), block.end) is None


def _is_markup(text: str, block: Block) -> bool:
    """Whether a block only opens tabs, is a label, or is a directive without a text."""
    return all(MARKUP_LINE.match(text[slice(*span)]) for span in line_spans(text, block.start, block.end))


def _last_sentence(text: str, block: Block) -> tuple[int, int]:
    """The sentence that a block ends with."""
    begin = max(block.start, block.end - _MAX_LEAD - 1)
    start, end = split_sentences(text[begin : block.end])[-1]
    return begin + start, begin + end


# Units

_FENCE_ALONE = re.compile(r"(?:`{3,}|~{3,})[^`\r\n]+\Z")  # opens code: ```sh


def _units(document: Document) -> Iterator[_Unit]:
    """Headings, sentences and lines in order, not counted yet."""
    after_heading, heading, after_colon = False, None, False
    for block in document.blocks:
        is_heading = block.kind == "heading"
        before = _Break.LEAD if after_colon else _Break.BLOCK
        if after_heading:
            before = _Break.HEADING
        elif is_heading or block.heading != heading:
            before = _Break.SECTION
        for start, end, inner in _block_spans(document.text, block):
            yield _Unit(start, end, before, block.heading, is_heading, block.kind not in _LINE_KINDS and not is_heading)
            before = _Break.LEAD if _FENCE_ALONE.match(document.text, start, end) else inner
        after_heading, heading = is_heading, block.heading
        if not (after_colon and _is_markup(document.text, block)):  # which stands between a lead and what it introduces
            after_colon = block.kind not in _LINE_KINDS and _introduces(document.text, block)


def _block_spans(text: str, block: Block) -> Iterator[tuple[int, int, _Break]]:
    """The spans of a block's units, each with what lies between it and the next one."""
    for start, end in _pieces(text, block.start, block.end):
        if block.kind == "heading":
            yield *trimmed(text, start, end), _Break.LINE
        elif block.kind in _LINE_KINDS:
            yield from _lines(text, start, end)
        else:
            for sentence_start, sentence_end in split_sentences(text[start:end]):
                yield start + sentence_start, start + sentence_end, _Break.SENTENCE


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int, _Break]]:
    """The lines that are not blank; a blank line after one is as good a place to end as a sentence."""
    previous = None
    for span in line_spans(text, start, end):
        line_start, line_end = trimmed(text, *span)
        if line_start < line_end:
            if previous:
                yield (*previous, _Break.LINE)
            previous = line_start, line_end
        elif previous:
            yield (*previous, _Break.SENTENCE)
            previous = None
    if previous:
        yield (*previous, _Break.LINE)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span in pieces of bounded length that end at a line or else at a space, if there is one."""
    while end - start > _PIECE_CHARACTERS:
        cut = _cut(text, start, start + _PIECE_CHARACTERS)
        yield start, cut
        start = cut
    yield start, end


def _cut(text: str, start: int, end: int) -> int:
    """The best place to cut text[start:] by `end`: behind a line in the later half, else behind a word, else `end`."""
    newline = line_begin(text, end, start)
    if newline > start + (end - start) // 2:
        return newline
    if text[end - 1].isspace() or text[end : end + 1].isspace():
        return end
    words = text[start:end].rsplit(None, 1)
    return start + len(words[0]) if len(words) == 2 else end


def _counted_units(document: Document, tokenizer: Tokenizer, max_tokens: int) -> Iterator[_Unit]:
    """The units with their sizes; a long one is divided, so that a heading is never left without text for its size."""
    position = 0
    for batch in _batches(_units(document)):
        counts = tokenizer.counts_by_words([document.text[unit.start : unit.end] for unit in batch])
        for unit, tokens in zip(batch, counts, strict=True):
            start, end, before, heading, is_heading, is_sentence, _ = unit
            if tokens <= max_tokens // 2 and end - start <= MAX_CHARACTERS // 2:
                size = _size(tokens, end - position, max_tokens)
                yield _Unit(start, end, before, heading, is_heading, is_sentence, size)
                position = end
                continue
            for part in _parts(document.text, unit, tokenizer, max_tokens // 4):
                yield part._replace(size=_size(part.size, part.end - position, max_tokens))
                position = part.end


def _size(tokens: int, characters: int, max_tokens: int) -> int:
    """Of a unit: the characters count too, with the white space before them, which a chunk contains."""
    return min(max(tokens, -(-characters * max_tokens // MAX_CHARACTERS)), max_tokens)


def _parts(text: str, unit: _Unit, tokenizer: Tokenizer, max_tokens: int) -> list[_Unit]:
    """A unit that fills most of a chunk in parts that can be packed, cut at lines or else at words."""
    spans = _fitting_spans(text, unit.start, unit.end, tokenizer, max_tokens)
    parts = [unit._replace(start=start, end=end, size=tokens, is_sentence=False) for start, end, tokens in spans]
    return [parts[0], *(part._replace(before=_Break.WORD) for part in parts[1:])]


def _batches(units: Iterable[_Unit]) -> Iterator[list[_Unit]]:
    """The units in lists of a bounded number of characters, which the tokenizer can share out to all cores."""
    batch: list[_Unit] = []
    characters = 0
    for unit in units:
        batch.append(unit)
        characters += unit.end - unit.start
        if characters >= _PIECE_CHARACTERS or len(batch) >= 1000:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _fitting_spans(
    text: str, start: int, end: int, tokenizer: Tokenizer, max_tokens: int
) -> list[tuple[int, int, int]]:
    """Start, end and tokens of parts of a long span, each within the limits as counted alone."""
    fitting: list[tuple[int, int, int]] = []
    pending = list(reversed(list(_token_cuts(text, start, end, tokenizer, max_tokens))))
    while pending:
        part_start, part_end = pending.pop()
        tokens = tokenizer.count(text[part_start:part_end])
        if tokens <= max_tokens or part_end - part_start == 1:
            fitting.append((part_start, part_end, tokens))
        else:
            # Cut inside a word, its parts can count more tokens than they did together.
            middle = _cut(text, part_start, (part_start + part_end + 1) // 2)
            halves = (trimmed(text, middle, part_end), trimmed(text, part_start, middle))
            pending.extend(half for half in halves if half[0] < half[1])
    return fitting


def _token_cuts(text: str, start: int, end: int, tokenizer: Tokenizer, max_tokens: int) -> Iterator[tuple[int, int]]:
    """Parts of about `max_tokens` tokens, and at most MAX_CHARACTERS characters, of a long span."""
    token_starts = [start + token for token in tokenizer.starts(text[start:end])]
    while start < end:
        beyond = bisect_left(token_starts, start) + max_tokens
        limit = token_starts[beyond] if beyond < len(token_starts) else end
        limit = min(max(limit, start + 1), start + MAX_CHARACTERS, end)  # tokens of one character share its start
        cut = limit if limit == end else _cut(text, start, limit)
        part = trimmed(text, start, cut)
        if part[0] < part[1]:
            yield part
        start = cut


# Packing


def _packed(units: Iterator[_Unit], max_tokens: int, overlap_tokens: int) -> Iterator[tuple[int, int, str]]:
    """Start, end and heading of the chunks that the units make."""
    window: list[_Unit] = []  # from the overlap on, with enough units ahead to see whether the section ends
    fresh = 0  # the first unit of the window that no chunk holds yet
    while True:
        ahead = sum(unit.size for unit in window[fresh:])
        for unit in units:
            window.append(unit)
            ahead += unit.size
            if ahead > 3 * max_tokens:
                break
        if fresh == len(window):
            return
        end = _chunk_end(window, fresh, max_tokens, overlap_tokens)
        content = next((unit for unit in window[:end] if not unit.is_heading), window[end - 1])
        yield window[0].start, window[end - 1].end, content.heading
        overlap = _overlap(window, end, max_tokens, overlap_tokens)
        del window[: end - overlap]
        fresh = overlap


def _chunk_end(window: list[_Unit], fresh: int, max_tokens: int, overlap_tokens: int) -> int:
    """How many units of the window the next chunk holds, of which those before `fresh` are overlap."""
    section_end = _section_end(window, fresh)
    rest = sum(unit.size for unit in window[:section_end])
    if rest > max_tokens:
        return _best_end(window, fresh, rest, max_tokens, overlap_tokens)
    if fresh == 0 and window[0].before == _Break.SECTION:
        return _merged_end(window, section_end, rest, max_tokens)
    return section_end


def _section_end(window: list[_Unit], start: int) -> int:
    """The index of the next section's first unit."""
    following = range(start + 1, len(window))
    return next((index for index in following if window[index].before == _Break.SECTION), len(window))


def _merged_end(window: list[_Unit], end: int, size: int, max_tokens: int) -> int:
    """Where a chunk of whole small sections ends: it takes in those that follow while they belong together and fit."""
    tiny = max_tokens // 4
    heading = next((unit.heading for unit in window[:end] if not unit.is_heading), window[0].heading)
    while end < len(window):
        next_end = _section_end(window, end)
        section = window[end:next_end]
        next_size = sum(unit.size for unit in section)
        only_heading = all(unit.is_heading for unit in section)
        belongs = only_heading or ((size < tiny or next_size < tiny) and _is_related(heading, section[0].heading))
        if size + next_size > max_tokens or not belongs:
            break
        size += next_size
        end = next_end
    return end


def _is_related(heading: str, following: str) -> bool:
    """Whether a section is a sibling of the one before it or lies inside it."""
    siblings = heading.rpartition(PATH_SEPARATOR)[0] == following.rpartition(PATH_SEPARATOR)[0]
    return siblings or not heading or following.startswith(heading + PATH_SEPARATOR)


def _best_end(window: list[_Unit], fresh: int, rest: int, max_tokens: int, overlap_tokens: int) -> int:
    """Where to end a chunk in a section of which `rest` tokens, more than fit, lie ahead."""
    goal, least, scale = max_tokens, 0, max_tokens
    if rest + overlap_tokens <= 2 * max_tokens:  # two more chunks: as long as each other, instead of a tiny last one
        goal = (rest + overlap_tokens) // 2
        least = rest + overlap_tokens - max_tokens
        scale = 2 * max_tokens  # it matters less by how much they differ
    best, best_cost = fresh + 1, float("inf")
    for end, size in enumerate(accumulate(unit.size for unit in window), start=1):
        if end <= fresh:
            continue
        if size > max_tokens or end == len(window):
            break
        cost = abs(size - goal) / scale + _PENALTIES[window[end].before] + (size < least)
        if cost <= best_cost:
            best, best_cost = end, cost
    return best


def _overlap(window: list[_Unit], end: int, max_tokens: int, overlap_tokens: int) -> int:
    """How many of the chunk's last units, all whole sentences, the next chunk repeats."""
    if end == len(window) or window[end].before == _Break.SECTION:
        return 0
    room = min(overlap_tokens, max_tokens - window[end].size)
    count = 0
    while count < end - 1:  # never the whole chunk
        unit = window[end - count - 1]
        room -= unit.size
        if room < 0 or not unit.is_sentence:
            break
        count += 1
    return count


def _verified(
    text: str, drafts: Iterable[tuple[int, int, str]], tokenizer: Tokenizer, max_tokens: int
) -> Iterator[_Span]:
    """The drafts with their exact tokens; one that counts more as a whole than in units is divided again."""
    batch: list[tuple[int, int, str]] = []
    for draft in drafts:
        batch.append(draft)
        if len(batch) == 64:
            yield from _counted_drafts(text, batch, tokenizer, max_tokens)
            batch = []
    yield from _counted_drafts(text, batch, tokenizer, max_tokens)


def _counted_drafts(
    text: str, drafts: list[tuple[int, int, str]], tokenizer: Tokenizer, max_tokens: int
) -> Iterator[_Span]:
    counts = tokenizer.counts([text[start:end] for start, end, _ in drafts])
    for (start, end, heading), tokens in zip(drafts, counts, strict=True):
        if tokens <= max_tokens:
            yield _Span(start, end, heading, tokens)
            continue
        for part_start, part_end, part_tokens in _fitting_spans(text, start, end, tokenizer, max_tokens):
            yield _Span(part_start, part_end, heading, part_tokens)


def _without_contained(spans: Iterable[_Span]) -> list[_Span]:
    """The spans that no other contains: where one was divided again, the overlap can hold all of its last part."""
    forward: list[_Span] = []
    for span in spans:
        if not forward or span.end > forward[-1].end:
            forward.append(span)
    kept: list[_Span] = []
    for span in reversed(forward):
        if not kept or span.start < kept[-1].start:
            kept.append(span)
    return kept[::-1]
