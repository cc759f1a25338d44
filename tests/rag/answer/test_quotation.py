"""What can be quoted of a chunk: sentences with what they announce, cut between items, and never what only asks."""

from __future__ import annotations

from uuid import UUID

import pytest

from rag.answer.quotation import MOST_CHARACTERS, MOST_LINES, asks, carried, quotations, says_something
from sql.records import Hit, Lead, Outline, Section


def quoted(text: str, start: int = 0, outline: Outline | None = None) -> list[str]:
    """The texts of what can be quoted, each compared with the place it gives."""
    hit = Hit("a.md", "A", "A", start, start + len(text), 1, 0, text, UUID(int=1), 0, 0.5, outline=outline or Outline())
    found = list(quotations(hit))
    for one in found:
        assert text[one.start - start : one.end - start] == one.text
    return [one.text for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "When is it?",
        "何時ですか？",
        "متى يفتح المتحف؟",
        "Πότε ανοίγει;",
        "Πότε ανοίγει\u037e",
        "`ask 'When?'`",
        "Really?!",
        "**Why?** [3]",
    ],
)
def test_a_sentence_that_ends_with_a_question_mark_asks(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize(
    "text",
    ["When? At nine.", "| When does it open? | At nine. |", "Kiln temperature", "The kiln is hot;", "x = a ? b : c;"],
)
def test_no_other_sentence_asks(text: str) -> None:
    assert not asks(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("It takes:\n\n- a cup\n- a spoon\n\nThen wait.", "It takes:\n\n- a cup\n- a spoon"),
        ("It takes:\n1. a cup\n   of milk\n2. a spoon", "It takes:\n1. a cup\n   of milk\n2. a spoon"),
        (
            "Before you begin, you need\n\n- a cup\n- a spoon\n\nBye.",
            "Before you begin, you need\n\n- a cup\n- a spoon",
        ),
        (".. option:: --all\n\n   Shows all.\n\nBye.", ".. option:: --all\n\n   Shows all."),
        ("To see it, run\n\n```\nls\n```", "To see it, run\n\n```\nls\n```"),
        ("It takes these things.\n\n* a cup\n* a spoon\n", "It takes these things.\n\n* a cup\n* a spoon"),
        ("Run:\n\n```sh\nmake all\n\nmake test\n```\n\nDone.", "Run:\n\n```sh\nmake all\n\nmake test\n```"),
        ("Run::\n\n    make all\n    make test\n\nDone.", "Run::\n\n    make all\n    make test"),
        ("Skip it:\n\nSo:\n\n.. code:: sh\n\n    fire -n\n\nDone.", "Skip it:\n\nSo:\n\n.. code:: sh\n\n    fire -n"),
        ("Skip it:\n\nSo: now.\n\n    fire -n\n\nDone.", "Skip it:\n\nSo: now."),
        (
            "Add this line:\n\n::\n\n    Fire 60\n    Cool 240\n\nDone.",
            "Add this line:\n\n::\n\n    Fire 60\n    Cool 240",
        ),
        ("Prices:\n\n| a | b |\n|---|---|\n| c | 4 |\n\nBye.", "Prices:\n\n| a | b |\n|---|---|\n| c | 4 |"),
        (
            "The law reads:\n\nNobody may enter\nat night.\n\nIt is old.",
            "The law reads:\n\nNobody may enter\nat night.",
        ),
        (
            "Prices:\n\n====  ====\nPot   Sum\n====  ====\na     4\n====  ====\n\nBye.",
            "Prices:\n\n====  ====\nPot   Sum\n====  ====\na     4\n====  ====",
        ),
        ("Prices:\n\n  Pot   Sum\n  ----  ----\n  a     4\n\nBye.", "Prices:\n\n  Pot   Sum\n  ----  ----\n  a     4"),
        ("- Options:\n  - one\n  - two\n- Other", "- Options:\n  - one\n  - two"),
        ("It takes:\r\n\r\n- a cup\r\n- a spoon\r\n", "It takes:\r\n\r\n- a cup\r\n- a spoon"),
        ("You have to do it...\n\n```\nls\n```\n\nBye.", "You have to do it...\n\n```\nls\n```"),
        (
            "As follows:\n\n[source,java]\n----\n@Bean\n\n* x;\n----\n\nBye.",
            "As follows:\n\n[source,java]\n----\n@Bean\n\n* x;\n----",
        ),
        (
            "As follows:\n\n<span class='f'>File: a.rs</span>\n\n```rust\na();\n```\n\nBye.",
            "As follows:\n\n<span class='f'>File: a.rs</span>\n\n```rust\na();\n```",
        ),
        (
            "As follows:\n\n.Title\n====\n[source]\n----\na();\n----\n====\nBye.",
            "As follows:\n\n.Title\n====\n[source]\n----\na();\n----",
        ),
        (
            "As follows:\n\n--\n[tabs]\n======\nJava::\n+\n[source,java]\n----\na();\n----\n\nKotlin::\n======\n",
            "As follows:\n\n--\n[tabs]\n======\nJava::\n+\n[source,java]\n----\na();\n----",
        ),
        (
            'Run it:\n\n=== "Linux"\n\n    ```sh\n    ls\n    ```\n\nBye.',
            'Run it:\n\n=== "Linux"\n\n    ```sh\n    ls\n    ```',
        ),
        (
            "Run it:\n\n::: code-group\n\n```sh [npm]\nls\n```\n\n:::\n",
            "Run it:\n\n::: code-group\n\n```sh [npm]\nls\n```",
        ),
        ("Run it:\n\n//// tab | Linux\n\n```sh\nls\n```\n\n////\n", "Run it:\n\n//// tab | Linux\n\n```sh\nls\n```"),
        (
            "Run it:\n\n.. code-block:: console\n   :caption: x\n\n   $ ls\n\n   $ make\n\nBye.",
            "Run it:\n\n.. code-block:: console\n   :caption: x\n\n   $ ls\n\n   $ make",
        ),
        (
            'Run it:\n\n{{< tabs tabTotal="2">}}\n\n{{< tab tabID="a" >}}\n```sh\nls\n```\n{{< /tab >}}\n',
            'Run it:\n\n{{< tabs tabTotal="2">}}\n\n{{< tab tabID="a" >}}\n```sh\nls\n```',
        ),
        (
            "These functions exist:\n\n.. py:currentmodule:: kiln\n\n.. _heat:\n\n.. function:: heat(to)\n\n   It heats.\n\nBye.",
            "These functions exist:\n\n.. py:currentmodule:: kiln\n\n.. _heat:\n\n.. function:: heat(to)\n\n   It heats.",
        ),
        (
            "These functions exist:\n\n.. function:: heat(to)\n\n   It heats.\n\n.. function:: cool()\n\n   It cools.\n\nBye.",
            "These functions exist:\n\n.. function:: heat(to)\n\n   It heats.\n\n.. function:: cool()\n\n   It cools.",
        ),
        (
            "It takes:\n\n.. contents:: All of it\n   :local:\n\n- a cup\n- a spoon\n",
            "It takes:\n\n.. contents:: All of it\n   :local:\n\n- a cup\n- a spoon",
        ),
        (
            "The class is:\n\n.. autoclass:: Kiln\n   :members:\n\n   It heats.\n\nBye.",
            "The class is:\n\n.. autoclass:: Kiln\n   :members:\n\n   It heats.",
        ),
        ("Write::\n\n    {% raw %}\n    x\n\nBye.", "Write::\n\n    {% raw %}\n    x"),
        ("The size counts:\n+\nIt is ten.\n+\nEnd.", "The size counts:\n+\nIt is ten."),
        (
            "For each kiln:\n+\n--\n* `fire`: hourly.\n* `glaze`: daily.\n--\nEnd.",
            "For each kiln:\n+\n--\n* `fire`: hourly.\n* `glaze`: daily.",
        ),
        ("It takes:\n\n====\n* a cup\n* a spoon\n====\n", "It takes:\n\n====\n* a cup\n* a spoon"),
        ("It takes:\n\n. a cup\n. a spoon\n\nBye.", "It takes:\n\n. a cup\n. a spoon"),
        ("Mind this:\n\n.. note::\n\n   It is hot.\n\nBye.", "Mind this:\n\n.. note::\n\n   It is hot."),
        ("- Write::\n\n      {% raw %}\n      x\n\nBye.", "- Write::\n\n      {% raw %}\n      x"),
    ],
)
def test_what_a_sentence_announces_comes_along(text: str, whole: str) -> None:
    end = len(text.splitlines()[0])
    assert carried(text, 0, end) == (len(whole), False)
    assert whole in quoted(text) or len(whole.split()) < 3


@pytest.mark.parametrize(
    "text",
    [
        "It is hot.\n\n- a cup\n- a spoon",
        "It takes:\n\n# Next\n\nText.",
        "- first:\n- second",
        "It takes:",
        "| one | two | three |\n| four | five | six |",
        "make the whole thing\n```\n\nDone.",
        "Cups and spoons\n\nGo on.",
        "kiln: hot and dry\n- a cup",
        "It is hot. These follow:",
        ".. versionadded:: 2.0\n\nIt waits for a key.",
        "It is so.\n\n<b>Note</b>\n\n```\nls\n```",
        "It goes on...\n\n- a cup\n- a spoon",
        "It takes:\n\nNext\n----\n\nText.",
        "It takes:\n\n[[next]]\n== Next\n\nText.",
        "x = the kiln.heat of all\n\n.. versionadded:: 2.0\n\n   By Ann.",
        "It takes:\n\n.. _next:\n\nNext\n====\n\nText.",
        'Run it:\n\n{{< tabs tabTotal="2">}}\n\n{{< tab tabID="a" >}}\n',
        "These functions exist:\n\n.. autofunction:: kiln.heat\n\n.. autofunction:: kiln.cool\n\n\nNext\n----\n",
        "This function exists:\n\n.. autofunction:: kiln.heat\n   :noindex:\n\nKilns are hot.",
        "This is how:\n\n.. literalinclude:: kiln.py\n    :language: python\n\nAnd this is how:\n",
        "These nodes exist:\n\n.. kiln:nodes:: kiln.Node\n\nKilns are hot.",
        "This class exists:\n\n::: plant.Kiln\n    options:\n      heading_level: 5\n\nKilns are hot.",
        "It takes:\n\n.. py:currentmodule:: kiln\n",
        "For example, see the plan above.\n\n.. seealso::\n\n   Kilns in general.",
        "These are hot.\n\n.. note:: Wear gloves.",
        "These are hot.\n\n.. SeeAlso:: Gloves.",
        "...\n```\n\nYou can also wait.\n",
    ],
)
def test_nothing_else_comes_along(text: str) -> None:
    end = text.index("\n") if "\n" in text else len(text)
    assert carried(text, 0, end) == (end, False)


@pytest.mark.parametrize("code", ["```\nls\n\nls -l", "[source]\n----\nls\n\nls -l"])
def test_code_that_goes_on_in_the_next_chunk_is_marked_as_cut(code: str) -> None:
    text = f"Run:\n\n{code}"
    assert carried(text, 0, 4) == (len(text), True)
    closed = f"{text}\n{'```' if code.startswith('`') else '----'}"
    assert carried(closed, 0, 4) == (len(closed), False)


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("It takes:\n\n- a cup\n- a spoon", "\n- a pot"),
        ("It takes:\n\n- a cup\n- a spoon", "\n  of wood"),
        ("It takes:\n\n- a cup. One is enough.", " Two are better."),
        ("Run it so::\n\n    ls", "\n\n    make"),
        (".. option:: --all\n\n   Shows all.", "\n\n   Even those."),
        ("These exist:\n\n.. function:: heat(to)\n\n   It heats.", "\n\n.. function:: cool()"),
        ("Prices:\n\n| a | b |\n|---|---|\n| c | 4 |", "\n| d | 5 |"),
    ],
)
def test_what_goes_on_in_the_next_chunk_is_marked_as_cut(text: str, following: str) -> None:
    end = len(text.splitlines()[0])
    assert carried(text, 0, end, following) == (len(text), True)
    assert carried(text, 0, end) == (len(text), False)
    hit = Hit("a.md", "", "", 0, len(text), 1, 0, text, UUID(int=1), 0, 0.5, outline=Outline(following=following))
    assert next(iter(quotations(hit))).is_cut


@pytest.mark.parametrize("following", ["\n\nThen wait.", "\n\n# Next", "\n\n.. note::", ""])
def test_what_ends_with_its_chunk_is_not_marked_as_cut(following: str) -> None:
    text = "It takes:\n\n- a cup\n- a spoon"
    assert carried(text, 0, 9, following) == (len(text), False)


@pytest.mark.parametrize(("text", "following"), [("It takes:", "\n\n- a cup"), ("Run:\n\n```sh", "")])
def test_a_sentence_all_of_whose_list_or_code_is_in_the_next_chunk_is_cut_behind_it(text: str, following: str) -> None:
    end = len(text.splitlines()[0])
    assert carried(text, 0, end, following) == (end, True)


def test_a_long_list_is_cut_between_items() -> None:
    text = "It takes:\n\n" + "".join(f"- thing {n}\n" for n in range(100))
    end, is_cut = carried(text, 0, 9)
    assert is_cut
    assert text[:end].endswith(f"- thing {MOST_LINES - 1}")
    wide = "It takes:\n\n" + "".join(f"- {'thing ' * 60}{n}\n" for n in range(9))
    end, is_cut = carried(wide, 0, 9)
    assert is_cut
    assert wide[end] == "\n"
    assert 0 < end - 9 <= MOST_CHARACTERS + 2


@pytest.mark.parametrize(
    "text",
    [
        ".. _ItsDangerous: https://example.org/itsdangerous/",
        "_`a name`: https://example.org",
        "[docs]: https://example.org",
        ".. code-block:: python",
        ".. click:example:: of options",
        ".. autoclass:: signer.keys.TimestampSigner(secret)",
        ".. automodule:: signer.keys.rotation\n    :members: sign, unsign",
        ".. _the signing manual: https://example.org/manual",
        ".. _signing: https://example.org/signing\n.. _the other manual: https://example.org/other",
        "[signing]:#signing\n[the manual]: ../manual.md#of-it\n[the other manual]: #other",
        ".. signer:filters:: signer.defaults.DEFAULT_FILTERS",
        "::: signer.keys.TimestampSigner\n    options:\n        show_root_heading: false\n\n        members: [sign]",
    ],
)
def test_where_a_link_leads_and_what_code_is_in_are_no_sentences(text: str) -> None:
    assert quoted(f"It signs data.\n\n{text}\n") == ["It signs data."]


def test_what_is_said_below_the_name_of_something_described_in_the_code_is_quoted() -> None:
    text = ".. autoclass:: signer.keys.TimestampSigner(secret)\n   :members:\n\n   It signs data with the time.\n"
    assert quoted(text) == ["It signs data with the time."]


@pytest.mark.parametrize("text", ["| P-0137 | 4.20 |", "dedupingInterval: 2000", "retries = 5", "It rains here."])
def test_a_name_and_a_value_say_something(text: str) -> None:
    assert says_something(text)


@pytest.mark.parametrize("text", ["| P-0137 | |", "Nine hours", "Note:", "---", "| - | - |"])
def test_a_word_or_two_say_nothing_by_themselves(text: str) -> None:
    assert not says_something(text)


@pytest.mark.parametrize(
    "text",
    [
        "# How to open the door",
        "How to open it\n==============",
        "How to open it\n~~~~~~~~~~~~~~",
        "| --- | --- |",
        "```python",
    ],
)
def test_headings_and_rules_are_not_quoted(text: str) -> None:
    assert quoted(f"{text}\n\nTurn the round handle.") == ["Turn the round handle."]


def test_a_heading_without_markup_is_known_by_the_outline() -> None:
    text = "How to open the door\n\nTurn the round handle."
    assert quoted(text, 30, Outline((Section(30, 50, "How to open the door"),))) == ["Turn the round handle."]


CSV = 'name;city;sum\nAda;Bonn;1\n"Bob\nor Bo";Köln. Ost;2\n'


def test_rows_of_delimited_text_are_quoted_one_by_one_below_their_header() -> None:
    header = "name;city;sum"
    outline = Outline((), (Lead(len(header) + 1, len(CSV), 0, len(header), header),))
    assert quoted(CSV, 0, outline) == ["Ada;Bonn;1", '"Bob\nor Bo";Köln. Ost;2']
    later = CSV[len(header) + 1 :]
    outline = Outline((), (Lead(100, 100 + len(later), 7, 7 + len(header), header),))
    hit = Hit("a.csv", "", "", 100, 100 + len(later), 9, 0, later, UUID(int=1), 0, 0.5, outline=outline)
    found = list(quotations(hit))
    assert [one.text for one in found] == ["Ada;Bonn;1", '"Bob\nor Bo";Köln. Ost;2']
    assert {one.context.text if one.context else "" for one in found} == {header}
    assert all(one.is_row for one in found)


@pytest.mark.parametrize("lead", ["Take these, in this order:", "| name | city |", "name"])
def test_sentences_below_another_lead_are_no_rows(lead: str) -> None:
    text = "One line that\ngoes on. Two sentences."
    outline = Outline((), (Lead(50, 50 + len(text), 7, 7 + len(lead), lead),))
    assert quoted(text, 50, outline) == ["One line that\ngoes on.", "Two sentences."]


def answers(text: str, outline: Outline | None = None) -> list[tuple[str, str]]:
    """What can be quoted of a text, each with the question that it answers, if it answers one."""
    hit = Hit("a.md", "A", "A", 0, len(text), 1, 0, text, UUID(int=1), 0, 0.5, outline=outline or Outline())
    return [(one.question or (one.context.text if one.context else ""), one.text) for one in quotations(hit)]


@pytest.mark.parametrize(
    "text",
    [
        "## Do you ship to Norway?\n\nNot yet.\n\nWe ship to Sweden.",
        "## Do you ship to Norway? {#ship}\n\nNot yet.\n\nWe ship to Sweden.",
        "Do you ship to Norway?\r\n======================\r\n\r\nNot yet.\r\n\r\nWe ship to Sweden.",
        "Do you ship to Norway? Not yet.\n\nWe ship to Sweden.",
        "Do you ship to Norway?\nNot yet.\n\nWe ship to Sweden.",
    ],
)
def test_what_follows_a_question_answers_it_however_short(text: str) -> None:
    assert answers(text) == [("Do you ship to Norway?", "Not yet."), ("", "We ship to Sweden.")]


@pytest.mark.parametrize(
    "answer",
    ["**Yes**. Ask for a box.", "Yes! Surely.\nAsk for a box.", "> Yes. Ask for a box."],
)
def test_a_word_or_two_that_answer_are_quoted_with_the_sentence_after_them(answer: str) -> None:
    found = answers(f"## Do you ship?\n\n{answer} It is free there.")
    assert found == [("Do you ship?", answer.removeprefix("> ")), ("Do you ship?", "It is free there.")]


@pytest.mark.parametrize(
    "text",
    [
        "Why? Yes.\n\nAsk for a box.",
        "Why?\n\nYes.\n- Ask for a box.",
        "Why?\n\n| Yes. |\n| Ask for a box. |",
        "Why?\n\n- Yes.\n- Ask for a box.",
        "Why?\n\nYes. Or is it not so?\n\nAsk for a box.",
        "Why?\n\nYes.\n\n## Ask for a box.",
        "Such is life.\n\nYes. Ask for a box.",
    ],
)
def test_a_word_or_two_are_not_quoted_with_anything_else(text: str) -> None:
    assert not any("Yes" in one and "box" in one for one in quoted(text))


def test_the_items_of_a_list_below_a_question_answer_it() -> None:
    text = "## What do I need?\n\n- a cup\n\n- a spoon\n\nThen wait for it."
    assert [question for question, _ in answers(text)] == ["What do I need?", "What do I need?", ""]


def test_a_heading_ends_what_the_question_above_it_asks() -> None:
    assert answers("## Why?\n\n## Shipping abroad\n\nIt takes a week.") == [("", "It takes a week.")]


def test_a_question_in_a_heading_without_markup_is_known_by_the_outline() -> None:
    text = "Is it free?\n\nYes, for pupils."
    assert answers(text, Outline((Section(0, 11, "Is it free?"),))) == [("Is it free?", "Yes, for pupils.")]


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- md:version 9.4 -->\n<!-- md:flag of the page -->",
        "<!-- A comment of\nseveral lines. -->",
        "[tabs]: #navigation-tabs\n[the sections]: ../a.md 'A title'\n[c]: <https://a.example/b>",
        "::: details The whole story",
        '!!! note "All of the kilns"',
        '=== "All of the kilns"',
        ".. _`pip uninstall it`:",
        ".. highlight:: python of course",
        ".. |next| replace:: the next page",
        ".. This says nothing to those who read the page.",
        "[source,java,indent=0]",
        "<%# The password stands here. %>",
        "{# The password stands here. #}",
        "{% comment %} The password stands here. {% endcomment %}",
        "include::config/fetch.adoc[]",
        "-for-a-kiln#heat\n[kiln]: https://kiln.example/a#b\n[glaze]: https://glaze.example/c",
        "Java::\n+\n[source,java,indent=0]",
    ],
)
def test_what_no_reader_of_the_page_sees_is_not_quoted(markup: str) -> None:
    assert quoted(f"The kiln is hot.\n\n{markup}\n\nIt was fired today.") == ["The kiln is hot.", "It was fired today."]


@pytest.mark.parametrize(
    "text",
    [
        "[^1]: https://a.example/b tells the whole story.",
        "[Kiln]: it is hot.",
        ".. option:: --all of them",
        "[12]:00 is when it opens.",
        ".. [1] The note says so.",
        "<!-- x --> The kiln is hot.",
    ],
)
def test_what_only_looks_like_it_is_quoted(text: str) -> None:
    assert quoted(text) == [text]


def test_what_stands_in_a_note_is_not_taken_for_the_options_of_an_object() -> None:
    assert quoted("::: details\n    It is hot: very hot.") == ["It is hot: very hot."]


def test_no_paragraph_of_a_comment_is_quoted() -> None:
    text = "It is hot today.\n\n<!--\nNot yet written.\n\nNobody sees it at all. Really nobody.\n-->\n\nIt was cold before."
    assert quoted(text) == ["It is hot today.", "It was cold before."]
    assert "Nobody sees it at all." in quoted(text.replace("-->", ""))


def test_a_note_whose_title_asks_is_the_question_of_what_stands_in_it() -> None:
    hit_text = "::: details Why is it hot?\nIt was fired.\n:::\n"
    assert quoted(hit_text) == ["It was fired."]


def rows_of(table: str, header: str) -> list[tuple[str, str]]:
    """Of a text that ends with a table each quotation and its context."""
    text = f"The kiln is hot.\n\n{table}"
    begin = text.index(header)
    lead = Lead(begin + len(header), len(text), begin, begin + len(header), header)
    hit = Hit("a.md", "A", "A", 0, len(text), 1, 0, text, UUID(int=1), 0, 0.5, outline=Outline((), (lead,)))
    return [(one.text, one.context.text if one.context else "") for one in quotations(hit)]


@pytest.mark.parametrize(
    ("table", "header", "rows"),
    [
        (
            "====  =======\nPot   Use\n====  =======\na     It is. So.\nb     one\n      two\n====  =======",
            "Pot   Use",
            ["a     It is. So.", "b     one\n      two"],
        ),
        ("  Pot   Use\n-----  ----\n   12  a b\n    1  c", "Pot   Use", ["12  a b", "1  c"]),
        (
            "------------\nPot   Use\nname\n----- ------\na     one\n      two\n\nb     c d\n------------",
            "Pot   Use\nname",
            ["a     one\n      two", "b     c d"],
        ),
    ],
)
def test_each_row_of_columns_is_quoted_with_its_header(table: str, header: str, rows: list[str]) -> None:
    assert rows_of(table, header) == [("The kiln is hot.", ""), *((row, header) for row in rows)]


@pytest.mark.parametrize(
    ("text", "quotation"),
    [
        ("> **Cooling.**\n>\n> It must cool for hours.", "It must cool for hours."),
        ("> It must\n> cool for hours.", "It must\n> cool for hours."),
        (">> It must cool for hours.", "It must cool for hours."),
        ("> * It must cool for hours.", "* It must cool for hours."),
        (">>> it = must + cool", ">>> it = must + cool"),
        ("> 5 bar is too much.", "> 5 bar is too much."),
    ],
)
def test_the_mark_of_a_quotation_is_no_part_of_its_first_sentence(text: str, quotation: str) -> None:
    assert quoted(text) == [quotation]


def test_a_quotation_brings_along_only_the_next_paragraph() -> None:
    text = "> It takes these things:\n>\n> A cup.\n> A pot.\n>\n> Then wait for it."
    assert quoted(text)[0] == "It takes these things:\n>\n> A cup.\n> A pot."


def test_a_row_of_a_grid_is_quoted_with_all_its_lines() -> None:
    row = "| cycle | Goes on between   |\n|       | a list. See below |"
    ruler = "+-------+-------------------+"
    assert quoted(f"{ruler}\n{row}\n{ruler}\n{row}\n{ruler}\n| x     | y                 |\n{ruler}")[0] == row


def test_colons_by_themselves_open_code_also_where_it_is_further_out_than_the_sentence() -> None:
    text = ".. note:: It cools. Add this:\n\n::\n\n    Fire 60\n    Cool 240\n\nDone now and here."
    assert "Add this:\n\n::\n\n    Fire 60\n    Cool 240" in quoted(text)
    text = ".. note:: It cools.\n          Add this line now:\n\n    Fire 60 and more\n\nDone now and here."
    assert "Add this line now:" in quoted(text)
