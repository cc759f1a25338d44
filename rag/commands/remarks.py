"""A question that got nothing in, why that may be out, as a remark on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sql.base.errors import to_run
from sql.base.terminal import note, one_line

if TYPE_CHECKING:
    from argparse import Namespace

    from rag.library import Library
    from sql.search.filters import Filter
    from sql.search.request import SearchRequest


def note_unanswered(library: Library, request: SearchRequest, options: Namespace) -> None:
    """Says why a question may have got no answer: nothing is there to find, or the documents are in another language."""
    from rag.text.analyser import detect_language
    from rag.text.languages import LANGUAGES

    if note_empty(library, request.filter, options):
        return
    languages = library.store.snapshot().text_statistics().languages
    asked, stored = detect_language(request.question, languages), languages[0]
    if asked != stored and {asked, stored} <= set(LANGUAGES):
        asked, stored = (LANGUAGES[code].stemmer.capitalize() for code in (asked, stored))
        note(
            f"the question is in {asked} and most documents are in {stored}: unless the model is a multilingual one, "
            f"ask in {stored}"
        )


def note_empty(library: Library, given: Filter | None, options: Namespace) -> bool:
    """Says so where nothing was found because nothing is there, or nothing that passes the filter; whether it did."""
    snapshot, location = library.store.snapshot(), library.store.client.location
    if snapshot.chunk_count() == 0:
        note(library.store.emptiness)
    elif given and not snapshot.passing_generations(given):
        shows = to_run("rag list", location)
        note(
            f"no document passes the filter {one_line(' '.join(options.filter))}: {shows} shows those that {location} has"
        )
    else:
        return False
    return True
