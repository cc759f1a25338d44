"""How a quotation is read: prose on one line without the marks of quotes, code on its own lines, and every word of both."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rag.answer.shown import shown_text

CLICK = """@cli.command()
    @click.option('--count', default=1)
    def test(count):
        click.echo(f'Count: {count}')"""
DOCSTRING = """def cli():
        \"""
        This is a paragraph.
        \"""
        if now:
            pass"""
JAVA = "@Bean\npublic X y() {\n  A a = new A()\n  .master(1);\n  return a;\n}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("One sentence\n  on two lines.", "One sentence on two lines."),
        ("beyond\n> its range, it\n> stops.", "beyond its range, it stops."),
        ("> beyond\n> its range.", "beyond its range."),
        (">> beyond\n>> its range.", "beyond its range."),
        ("Adds one\n/// to a number.", "Adds one to a number."),
        ("is wrong if x\n> 3 holds.", "is wrong if x > 3 holds."),
        ("is wrong if x\n>= 3 holds.", "is wrong if x >= 3 holds."),
        ("beyond\n> its range, it\nstops.", "beyond > its range, it stops."),
        (
            "Prose (with a note)\nthat goes on (see below)\nand ends.",
            "Prose (with a note) that goes on (see below) and ends.",
        ),
        (
            "if you like it,\nclick on it; import it;\nor leave it.",
            "if you like it, click on it; import it; or leave it.",
        ),
    ],
)
def test_prose_is_on_one_line_without_the_marks_of_its_lines(text: str, shown: str) -> None:
    assert shown_text(text, lines=False) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (CLICK, CLICK.replace("\n    ", "\n")),
        (DOCSTRING, DOCSTRING.replace("\n    ", "\n")),
        (JAVA, JAVA),
        (
            "with a() as b:\n        return f(\n            b\n        )",
            "with a() as b:\n    return f(\n        b\n    )",
        ),
        ("f(\n        a,\n    )\n    g()", "f(\n    a,\n)\ng()"),
        (">>> x = 1\n>>> f(x)\n2", ">>> x = 1\n>>> f(x)\n2"),
        (
            'name, word = value\n    if word == "-":  # asked for\n        word = ask("Password")\n    return (name, word)',
            'name, word = value\nif word == "-":  # asked for\n    word = ask("Password")\nreturn (name, word)',
        ),
        (
            'jit.start(2) -- as O2\njit.start("a")\njit.start("b")',
            'jit.start(2) -- as O2\njit.start("a")\njit.start("b")',
        ),
    ],
)
def test_code_keeps_its_lines_and_their_indentation(text: str, shown: str) -> None:
    assert shown_text(text, lines=False) == shown_text(text, lines=True) == shown


def test_code_of_asciidoc_is_shown_without_the_fence_that_only_closes_it() -> None:
    assert shown_text("a();\n  b();\n}\n----", lines=False) == "a();\n  b();\n}"
    whole = "As follows:\n----\na();\nb();\n----"
    assert shown_text(whole, lines=True) == whole


def test_a_line_that_is_an_element_of_html_is_its_text() -> None:
    assert shown_text('So:\n<span class="f">File: a.rs</span>\n```\n<b>', lines=True) == "So:\nFile: a.rs\n```\n<b>"


@pytest.mark.parametrize(
    ("text", "lines", "shown"),
    [
        ("Write::\n\n    <title>Crane</title>\n\n    <p>So</p>\n", True, None),
        ("Write:\n\n\ta\n\n\tb", True, None),
        ("Write:\n\n```html\n<title>Crane</title>\n\n\n  <p>So</p>\n```", True, None),
        ("Write:\n\n----\n<title>Crane</title>\n\n- so\n----", True, None),
        ("Write::\n\n    {% for a in b %}\n        <li>{{ a }}</li>\n    {% endfor %}", True, None),
        (
            "a();\n\n    <b>one</b>\n\n    c();",
            True,
            "a();\n\n<b>one</b>\n\nc();",
        ),
        ("<li class=\"{{ cycle('odd') }}\">{{ row }}</li>", False, None),
        ('<p class="x">One of them</p>', False, None),
        ("<ul>\n      <li>one</li>\n    </ul>", False, "<ul>\n  <li>one</li>\n</ul>"),
    ],
)
def test_the_elements_and_blank_lines_of_code_are_shown(text: str, lines: bool, shown: str | None) -> None:
    """What a sentence announces stands right below it, otherwise all is as it was written."""
    assert shown_text(text, lines=lines) == (shown or text.replace("\n\n", "\n", 1).rstrip())


def test_a_row_of_several_lines_is_shown_as_one() -> None:
    row = "| `cycle`   | Goes on between |\n   |           | a list of pots. |"
    assert shown_text(row, lines=False) == "| `cycle` | Goes on between a list of pots. |"
    assert shown_text("|one\n|two", lines=False) == "|one |two"


def test_a_list_keeps_its_lines() -> None:
    assert shown_text("Such as:\n- one\n\n- two\n  lines", lines=True) == "Such as:\n- one\n- two\n  lines"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            'To run\nit:\n\n{{< tabs tabTotal="2">}}\n\n{{< tab tabID="a" >}}\n```sh\nls\n```',
            "To run\nit:\n```sh\nls\n```",
        ),
        (
            "These exist:\n\n.. contents:: All\n   :local:\n\n.. _heat:\n\n.. function:: heat(to)\n\n   It heats.",
            "These exist:\n.. function:: heat(to)\n   It heats.",
        ),
        ("Write::\n\n    {% raw %}\n    x", "Write::\n    {% raw %}\n    x"),
        ("Such as::\n\n   :local:\n   :all:", "Such as::\n   :local:\n   :all:"),
    ],
)
def test_markup_between_a_sentence_and_what_it_brings_along_is_not_shown(text: str, shown: str) -> None:
    assert shown_text(text, lines=True) == shown


@given(st.text(alphabet="ab>/ \n(){};=.:@|`-", max_size=60), st.booleans())
def test_no_word_is_lost(text: str, lines: bool) -> None:
    assume(not re.search(r"::|\.\.\s+\|", text))  # of a directive without a text no word is shown
    assert re.findall(r"\w+", shown_text(text, lines=lines)) == re.findall(r"\w+", text)
