"""`show`: one document of the store, its text or a span or page of it; and a page of its file drawn with the span marked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.commands.documents import file_of, listed_record, named, unknown
from rag.text.sentences import line_spans
from sql.base.errors import EXIT_OK, DocumentChanged, StoreError, UsageError
from sql.base.paths import expand_user
from sql.base.terminal import one_line, out, out_json, shown_name
from sql.base.wording import counted

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from sql.records import ListedDocument, LiveDocument
    from sql.records.places import Place
    from sql.store import Snapshot

DRAWN_FORMAT = "pdf"  # the only one whose pages can be drawn
CONTEXT = 300  # characters shown on each side of a span
CITED_LINE = re.compile(r"(.+):([1-9]\d{0,8})", re.DOTALL)  # docs/garden.md:5, where `ask` says that a sentence stands
MARKS = "[[", "]]"  # what stands around a span


@dataclass(frozen=True, slots=True)
class Shown:
    """A document with what is shown of it: all of its text, or `span`, whose places are `places`."""

    listed: ListedDocument
    parts: tuple[str, ...]
    text: str
    span: tuple[int, int] | None
    places: tuple[Place, ...]

    @property
    def document(self) -> LiveDocument:
        """The document itself."""
        return self.listed.document


def show(options: Namespace) -> int:
    """Prints the stored text of a document with what is known about it, or draws a page of its file with a span marked."""
    from sql.store import Store

    if options.png and options.page is None and options.span is None:
        raise UsageError("--png needs a page: give --page N, or --span START:END of a citation")
    if options.page is not None and options.span is not None and not options.png:
        raise UsageError(
            "--page and --span are two things to show: give one of them, or --png FILE to draw the span there"
        )
    with Store.open(options.db) as store:
        shown = read_shown(store.snapshot(), options)
        page = wanted_page(store.snapshot(), shown, options) if options.page is not None or options.png else None
        if page is not None and not options.png and options.span is None:
            shown = on_page(store.snapshot(), shown, page)
    if options.png:
        draw(shown, page or 0, options)
    elif options.json:
        out_json(shown_record(shown, page_only=options.page is not None and options.span is None))
    else:
        show_header(shown)
        show_text(shown, marked=options.page is None)
    return EXIT_OK


# What is shown


def read_shown(snapshot: Snapshot, options: Namespace) -> Shown:
    """The document of that name; StoreError where there is none, or several, UsageError for a span it does not have."""
    listed = {one.document.path: one for one in snapshot.listed_documents()}
    documents = [one.document for one in listed.values()]
    found, line = named(options.path, documents), 0
    if not found and (cited := CITED_LINE.fullmatch(options.path)):
        found, line = named(cited[1], documents), int(cited[2])
    if not found:
        raise unknown(options.path, snapshot.client.location, documents)
    document = found[0]
    parts = tuple(one.source for one in file_of(document, documents).documents if one is not document)
    if len(found) > 1 and set(parts) != {one.source for one in found[1:]}:
        paths = ", ".join(shown_name(one.path) for one in found[:5])
        raise StoreError(f"{len(found)} documents are called {shown_name(options.path)}: name one by its path, {paths}")
    text = snapshot.document_text(document)
    span = parse_span(options.span) if options.span or not line else span_at(snapshot, document, text, line)
    if span is not None and not 0 <= span[0] < span[1] <= len(text):
        raise UsageError(
            f"--span {options.span}: a span of {shown_name(document.source)} lies within its {len(text):,} characters "
            "and has one or more of them"
        )
    places = places_of(snapshot, document, span) if span else ()
    return Shown(listed[document.path], parts, text, span, places)


def span_at(snapshot: Snapshot, document: LiveDocument, text: str, line: int) -> tuple[int, int] | None:
    """The span of a line of the file, as a citation names it; where its lines are not those of the stored text, or the line
    is empty, that of the chunk there, and None where the document has no chunk before. UsageError beyond the last line."""
    chunks = snapshot.document_chunks([document.document_id])
    if all(text.count("\n", 0, chunk.start) + 1 == chunk.line for chunk in chunks):
        lines = list(line_spans(text))
        if line > len(lines):
            raise UsageError(f"{shown_name(document.source)}:{line}: the text ends on line {len(lines):,}")
        start, end = lines[line - 1]
        if text[start:end].strip():
            return start, end
    before = [chunk for chunk in chunks if chunk.line <= line]
    return (before[-1].start, before[-1].end) if before else None


def parse_span(text: str | None) -> tuple[int, int] | None:
    """`START:END`, as a citation has them; UsageError for anything else."""
    if text is None:
        return None
    start, _, end = text.partition(":")
    if not (start.isdecimal() and end.isdecimal() and len(text) < 40):
        raise UsageError(f"--span {text}: write two offsets as START:END, such as 1200:1280")
    return int(start), int(end)


def places_of(snapshot: Snapshot, document: LiveDocument, span: tuple[int, int]) -> tuple[Place, ...]:
    """The places of a span in the original."""
    return tuple(snapshot.span_places([(document.generation, *span)])[0])


def wanted_page(snapshot: Snapshot, shown: Shown, options: Namespace) -> int:
    """The page that is asked for by its number or label, by default the one on which the span begins."""
    from sql.records.places import Page

    if options.page is None:
        page = first_page(shown.places)
        if page is None:
            raise UsageError(
                f"--span {options.span} is on no page of {shown_name(shown.document.source)}: give --page N"
            )
        return page
    if options.page.isdecimal() and len(options.page) < 10:
        return int(options.page)
    for place in snapshot.document_pages(shown.document):
        if isinstance(place.where, Page) and place.where.label == options.page:
            return place.where.number
    raise UsageError(
        f"--page {options.page}: no page of {shown_name(shown.document.source)} with text has that label: give its number"
    )


def first_page(places: Sequence[Place]) -> int | None:
    """The page on which the first of these places is; None where they are on none."""
    from sql.records.places import Page, Rectangle

    pages = [place.where.number for place in places if isinstance(place.where, Page)]
    pages += [place.where.page for place in places if isinstance(place.where, Rectangle)]
    return pages[0] if pages else None


def on_page(snapshot: Snapshot, shown: Shown, page: int) -> Shown:
    """Of a document the text of one page; UsageError where the store has none of it."""
    from sql.records.places import Page

    numbers = []
    for place in snapshot.document_pages(shown.document):
        if isinstance(place.where, Page) and place.where.number == page:
            span = place.start, place.end
            places = places_of(snapshot, shown.document, span)
            return Shown(shown.listed, shown.parts, shown.text, span, places)
        if isinstance(place.where, Page):
            numbers.append(place.where.number)
    there = f"its text is on pages {min(numbers)} to {max(numbers)}" if numbers else "it has no pages"
    raise UsageError(
        f"--page {page}: the store has no text for such a page of {shown_name(shown.document.source)}; {there}"
    )


# Printing


def show_header(shown: Shown) -> None:
    """What is known of the document, a line each."""
    from sql.records.places import place_name

    document = shown.document
    written = f"{shown.listed.written_at:%Y-%m-%d %H:%M} UTC"
    out(shown_name(document.source))
    out(f"path        {shown_name(document.path)}")
    out(f"format      {document.format}, {document.content_bytes:,} bytes, SHA-256 {document.content_sha256}")
    out(f"title       {one_line(document.title)}")
    out(
        f"stored      {written}, {counted(document.chunk_count, 'chunk')}, {counted(shown.listed.place_count, 'place')}"
    )
    if shown.listed.metadata:
        out(f"metadata    {json.dumps(dict(shown.listed.metadata), ensure_ascii=False)}")
    for part in shown.parts:
        out(f"beside it   {shown_name(part)}")
    if shown.span:
        name = place_name(shown.places)
        where = f", {one_line(name)}" if name else ""
        out(f"characters  {shown.span[0]}:{shown.span[1]} of {len(shown.text):,}{where}")
    out()


def show_text(shown: Shown, *, marked: bool) -> None:
    """The text, or its span, within what stands around it where it is to be marked."""
    if shown.span is None:
        out(shown.text)
        return
    before, text, after = around(shown)
    if len(before) == CONTEXT:  # from a whole word on, and to one
        before = before[before.find(" ") + 1 :]
    if len(after) == CONTEXT:
        after = after[: after.rfind(" ")]
    out(f"{before}{MARKS[0]}{text}{MARKS[1]}{after}" if marked else text)


def around(shown: Shown) -> tuple[str, str, str]:
    """Some text before the span, the span, and some text after it."""
    start, end = shown.span or (0, len(shown.text))
    return shown.text[max(0, start - CONTEXT) : start], shown.text[start:end], shown.text[end : end + CONTEXT]


def shown_record(shown: Shown, *, page_only: bool) -> dict[str, Any]:
    """A document as JSON; `text` is all of it, or that of the span or page that was asked for."""
    from sql.records.places import page_label, place_name

    record = listed_record(shown.listed) | {"parts": list(shown.parts)}
    if shown.span is None:
        return record | {"text": shown.text}
    before, text, after = around(shown)
    start, end = shown.span
    place = {
        "page_label": page_label(shown.places) or None,
        "place_name": place_name(shown.places) or None,
        "places": [place.record() for place in shown.places],
    }
    context = {} if page_only else {"before": before, "after": after}
    return record | {"start": start, "end": end, "text": text} | context | place


# Drawing


def draw(shown: Shown, page: int, options: Namespace) -> None:
    """Writes a picture of a page of the user's file, on which the rectangles of the span are marked."""
    from ingest.readers.pdf.picture import draw_page
    from sql.records.places import Rectangle

    document = shown.document
    data = unchanged_file(document)
    rectangles = [place.where for place in shown.places if isinstance(place.where, Rectangle)]
    try:
        picture = draw_page(data, page, rectangles, source=shown_name(document.source))
    except ValueError as error:
        raise UsageError(f"--page {options.page or page}: {error}") from error
    target = expand_user(options.png, "--png")
    try:
        target.write_bytes(picture)
    except OSError as error:
        raise UsageError(f"--png {target} cannot be written: {error.strerror}") from error
    here = sum(rectangle.page == page for rectangle in rectangles)
    marked = "1 rectangle marked" if here == 1 else f"{here or 'no'} rectangles marked"
    if options.json:
        out_json({"png": str(target), "source": document.source, "page": page, "rectangles": here})
    else:
        out(f"{shown_name(str(target))}: page {page} of {shown_name(document.source)}, {marked}")


def unchanged_file(document: LiveDocument) -> bytes:
    """The bytes of the file as they were when it was stored; DocumentChanged where they have changed since.

    UsageError for a document whose pages cannot be drawn, UnreadableDocument where its file is not to be read.
    """
    from ingest.document import PART_MARK
    from ingest.readers import file_bytes
    from ingest.readers.mail.reader import FORMAT as MAIL
    from ingest.readers.mail.reader import file_in
    from ingest.readers.raw_file import RawFile

    source = shown_name(document.source)
    if document.format != DRAWN_FORMAT:
        raise UsageError(f"{source} is {document.format}, and only pages of {DRAWN_FORMAT} files can be drawn")
    path = Path(file_of(document, [document]).path)
    data = file_bytes(path, source)
    if (now := sha256(data).hexdigest()) != document.content_sha256:
        raise DocumentChanged(
            f"{source} has changed since it was stored (SHA-256 {now[:12]}…, then {document.content_sha256[:12]}…), so the "
            "places of its text may have moved: ingest it again, and ask again"
        )
    part = document.path.removeprefix(str(path)).removeprefix(PART_MARK)
    return file_in(RawFile(path.name, source, MAIL, data), part).data if part else data
