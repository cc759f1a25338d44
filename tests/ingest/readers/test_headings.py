"""Headings as a reader says them: what links, anchors and roles show, and nothing of how they are written."""

from __future__ import annotations

import pytest

from ingest.document import MAX_HEADING_CHARACTERS, plain_heading


@pytest.mark.parametrize(
    "written",
    [
        "Path parameters { #path-parameters }",
        "Path parameters {#path .wide}",
        "Path parameters {: #path }",
        "Path parameters [#path]",
        "[](){#path} Path parameters",
        "Path parameters [](){#path}",
        "Path parameters¶",
        "Path parameters ¶ {#path}",
        'Path parameters [¶](#path "Permalink")',
        '<a name="path"></a>Path parameters',
        "**Path** `parameters`",
        "[Path parameters][path]",
        ":ref:`Path parameters <path>`",
        "`Path parameters <https://path.example>`__",
    ],
)
def test_a_heading_is_what_its_markup_shows(written: str) -> None:
    assert plain_heading(written) == "Path parameters"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (":class:`Foo`", "Foo"),
        ("The :py:meth:`~flask.Flask.run` method", "The run method"),
        (":doc:`!index`", "index"),
        ("``literal`` text", "literal text"),
    ],
)
def test_a_role_shows_its_text_or_else_its_target(written: str, shown: str) -> None:
    assert plain_heading(written) == shown


@pytest.mark.parametrize(
    "title",
    [
        "{#each}",
        "List<String>",
        "C#",
        "a [b] c",
        "matrix[i][j]",
        "Array[#x] of",
        "At 10:30: lunch",
        "snake_case",
        "2 < 3 > 1",
    ],
)
def test_what_only_looks_like_markup_stays(title: str) -> None:
    assert plain_heading(title) == title


@pytest.mark.parametrize("piece", ["[", "{#", ":a:`", "`a <", " ", "¶", "<a ", "[#x]"])
def test_a_heading_of_a_million_marks_is_short(piece: str) -> None:
    assert len(plain_heading("x" + piece * 1_000_000)) <= MAX_HEADING_CHARACTERS
