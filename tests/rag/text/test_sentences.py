"""Sentences: where they end, where a dot ends none, and the laws of their spans."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.text.sentences import line_spans, split_sentences

HOSTILE = st.text(st.sampled_from("aB.!?…。[](){}\"'|`~#-=*>1 \t\n\r\u00a0\u2028\u0301\ufeff猫😀"), max_size=120)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def test_a_sentence_ends_at_a_stop_before_a_capital() -> None:
    assert sentences("It rains. Does it? Yes! So…") == ["It rains.", "Does it?", "Yes!", "So…"]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met Mr. J. R. R. Jones.",
        "We paid e.g. Anna, i.e. Bob, vs. Carl et al. (Miller).",
        "Das gilt z. B. für Berlin, d. h. auch für Prof. Dr. Weber bzw. Frau Meier.",
        "Siehe Nr. 5, Abb. 3 und Fig. 12 auf S. 7.",
        "Am 3. Mai im 19. Jahrhundert, genauer am 24. Dezember.",
        "Der 1. FC Köln spielt in der 2. Bundesliga und im 3. Bezirk.",
        "Die Fa. Meier zahlt die lfd. Nummer im 19. Jh. noch.",
        "The U.S. Government lives near St. Louis.",
        "Pi is 3.14 in version 1.2.3.",
        "See README.md and https://example.com/a.b?c=d.e for more.",
        "And so on... but not now.",
        '"Really?" he asked.',
        "The firm is Apple Inc. Germany.",
        "2. Install the package",
        ">>> kiln = (\n...     Kiln()\n... )",
        ".. highlight:: python",
        "of pots\n  .. Note: so it is.",
    ],
)
def test_no_sentence_ends_inside(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("(It rained.) We stayed.", ["(It rained.)", "We stayed."]),
        ("**It rained.** We stayed.", ["**It rained.**", "We stayed."]),
        ("It rained.[1] We stayed.[12]", ["It rained.[1]", "We stayed.[12]"]),
        ("He lives in the U.S. The law is old.", ["He lives in the U.S.", "The law is old."]),
        ("Wir kommen am 15. Bitte bringt Holz.", ["Wir kommen am 15.", "Bitte bringt Holz."]),
        ("I am 12. Then I was 13. Who knows.", ["I am 12.", "Then I was 13.", "Who knows."]),
        ("Es war im 19. Jh. Die Zahl blieb.", ["Es war im 19. Jh.", "Die Zahl blieb."]),
        ("He said no. Then he left.", ["He said no.", "Then he left."]),
        ("Er sagte: „Ja.“ Dann ging er.", ["Er sagte: „Ja.“", "Dann ging er."]),
        ("all in small letters. as in some corpora.", ["all in small letters.", "as in some corpora."]),
        ("这是一句。那是一句！对吗？", ["这是一句。", "那是一句！", "对吗？"]),
        ("「はい。」と言った。次。", ["「はい。」と言った。", "次。"]),
    ],
)
def test_a_sentence_ends_with_its_closing_marks(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_wrapped_line_continues_and_a_blank_line_ends(newline: str) -> None:
    text = newline.join(["It rained", "all day", "", "and", " \t", "night."])
    assert sentences(text) == [f"It rained{newline}all day", "and", "night."]


def test_each_structural_line_of_markdown_is_a_unit() -> None:
    text = (
        "# A. Title\nOne. Two\n- item. Next\n- other\n| a. B | c |\n|---|---|\n1. first\n2. second\n\nSetext\n===\nEnd"
    )
    assert sentences(text) == [
        "# A. Title",
        "One.",
        "Two",
        "- item.",
        "Next",
        "- other",
        "| a. B | c |",
        "|---|---|",
        "1. first",
        "2. second",
        "Setext\n===",
        "End",
    ]


def test_a_row_with_a_line_for_each_cell_is_one_sentence_where_a_blank_line_ends_it() -> None:
    text = "|===\n|Name\n|Meaning\n\n|port\n|The port that\nit listens on.\n|===\n\nAfter.\n| a | b |\n| c | d |"
    assert sentences(text) == [
        "|===",
        "|Name\n|Meaning",
        "|port\n|The port that\nit listens on.",
        "|===",
        "After.",
        "| a | b |",
        "| c | d |",
    ]
    many = [f"|cell {number}" for number in range(9)]
    assert sentences("\n".join(many)) == many  # rows that nothing divides


def test_each_line_of_a_fence_is_a_unit_and_a_fence_that_nothing_closes_is_one_line() -> None:
    assert sentences("```py\na = 1. B\n\n# x\n```\nOne. Two") == ["```py", "a = 1. B", "# x", "```", "One.", "Two"]
    assert sentences("b = 2\n```\nOne. Two") == ["b = 2", "```", "One.", "Two"]


def test_a_paragraph_above_a_rule_is_no_title() -> None:
    sentence = "It rained " + "all day " * 15 + "long."
    assert sentences(f"{sentence} {sentence}\n---\nEnd") == [sentence, sentence, "---", "End"]


def test_two_dashes_below_a_full_stop_end_a_block_and_underline_nothing() -> None:
    assert sentences("`gc`::\n+\n--\nIt runs daily. It waits.\n--\n+\nEnd") == [
        "`gc`::",
        "+",
        "--",
        "It runs daily.",
        "It waits.",
        "--",
        "+",
        "End",
    ]
    assert sentences("Daily runs\n--\nEnd") == ["Daily runs\n--", "End"]
    assert sentences("It is hot.\n====\nIt is dry.\n****") == ["It is hot.", "====", "It is dry.", "****"]
    long = "An open block says that pipes need much more heat than that"
    assert sentences(f"{long}\n--\n{long}\n====") == [long, "--", long, "===="]
    assert sentences("The kiln\n====\nEnd") == ["The kiln\n====", "End"]


def test_a_dot_begins_an_item_of_asciidoc() -> None:
    assert sentences("First:\n\n. Load it\n. Close the door\n. Fire it. Wait") == [
        "First:",
        ". Load it",
        ". Close the door",
        ". Fire it.",
        "Wait",
    ]


def test_each_option_and_command_of_a_programs_help_is_a_row_with_what_is_further_in() -> None:
    text = (
        "Usage::\n\n"
        "    kiln [command]\n\n"
        "    Commands:\n"
        "      fire          Fire the kiln\n"
        "      cool          Let it cool, slowly.\n"
        "                    It takes a night.\n"
        "      look in       See what it is like\n\n"
        "    Flags:\n"
        "      -h, --heat degrees    how hot it gets. (default: 1240)\n"
        "          --limit-wood n    logs an hour\n"
        "                            or less\n"
        "      --quiet\n"
        "            Say nothing. Not even at the end.\n"
        "      --verbose\n"
        "            Say more.\n"
        "    Ask for more.\n"
    )
    assert sentences(text) == [
        "Usage::",
        "kiln [command]",
        "Commands:",
        "fire          Fire the kiln",
        "cool          Let it cool, slowly.\n                    It takes a night.",
        "look in       See what it is like",
        "Flags:",
        "-h, --heat degrees    how hot it gets. (default: 1240)",
        "--limit-wood n    logs an hour\n                            or less",
        "--quiet\n            Say nothing. Not even at the end.",
        "--verbose\n            Say more.",
        "Ask for more.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fire it with the\n--quiet option and wait.", ["Fire it with the\n--quiet option and wait."]),
        ("Fire it with\n  --quiet\n  and wait.", ["Fire it with\n  --quiet\n  and wait."]),
        (
            "  kiln = 1    # the old one\n  heat = 2    # degrees",
            ["kiln = 1    # the old one\n  heat = 2    # degrees"],
        ),
        ("  It is so.   It was so,\n  and that.   What else", ["It is so.", "It was so,\n  and that.", "What else"]),
        (
            "  one word     far\n  two words   apart\n  and so  on",
            ["one word     far\n  two words   apart\n  and so  on"],
        ),
        ("Pass the\n--all to it.  It shows\nmore.", ["Pass the\n--all to it.", "It shows\nmore."]),
        ("Use `a\n  --b  c` now.", ["Use `a\n  --b  c` now."]),
        ("  int    a;\n  char   b;\n  float  c;", ["int    a;\n  char   b;\n  float  c;"]),
        ("  fire --hot   \\\n  --wet        \\\n  now    then", ["fire --hot   \\\n  --wet        \\\n  now    then"]),
        (
            "  E       assert 1\n  E       a = 3\n  E       b = 4",
            ["E       assert 1\n  E       a = 3\n  E       b = 4"],
        ),
        ("For example:\n\n  --fire=hot\n  or so.", ["For example:", "--fire=hot\n  or so."]),
    ],
)
def test_prose_and_code_that_look_like_help_are_no_rows(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_number_that_a_line_happens_to_begin_with_begins_no_list() -> None:
    assert sentences("Es war am\n5. Mai so. Ende.") == ["Es war am\n5. Mai so.", "Ende."]
    assert sentences("    Es war am\n    5. Mai so. Ende.") == ["Es war am\n    5. Mai so.", "Ende."]


def test_the_next_item_ends_one_whose_number_the_text_lacks() -> None:
    assert sentences("For example, as\n    wide as 4.\n9.  Say what\n    fits.") == [
        "For example, as\n    wide as 4.",
        "9.  Say what\n    fits.",
    ]


@settings(max_examples=400, deadline=None)
@given(HOSTILE)
def test_sentences_are_trimmed_ordered_and_hold_every_character_that_is_no_space(text: str) -> None:
    covered, position = set[int](), 0
    for start, end in split_sentences(text):
        assert position <= start < end <= len(text)
        assert text[start:end].strip() == text[start:end]
        covered.update(range(start, end))
        position = end
    assert {index for index, character in enumerate(text) if not character.isspace()} <= covered


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_the_lines_and_their_ends_are_the_text(text: str) -> None:
    spans = list(line_spans(text))
    ends = [text[end:start] for (_, end), (start, _) in pairwise(spans)]
    assert "".join(text[start:end] + mark for (start, end), mark in zip(spans, [*ends, ""], strict=True)) == text
    assert set(ends) <= {"\n", "\r", "\r\n"}
    assert not any(set(text[start:end]) & {"\n", "\r"} for start, end in spans)


@pytest.mark.parametrize(
    "opening",
    [
        ":::",
        "::: tip",
        ":::note[A title]",
        "!!! note",
        '??? tip "Why"',
        "???+ note",
        '=== "Linux"',
        "/// note",
        "/// tab | Linux",
        ".. note::",
        "{{< note >}}",
        "{{% /tab %}} {{< a b='c' >}}",
        "{% raw %}",
        "+",
    ],
)
def test_a_line_that_opens_a_note_or_a_tab_is_by_itself(opening: str) -> None:
    assert sentences(f"Before it\n{opening}\n    It is hot\n    here.\n") == [
        "Before it",
        opening,
        "It is hot\n    here.",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "::",
        "!!! ",
        "??? ",
        '== "a"',
        "=== a",
        "/// Returns the kiln.",
        ".. note:: Hot.",
        ".. image:: a.png",
        "{{< a >}} b {{< /a >}}",
        "{{ a }}",
    ],
)
def test_another_line_that_looks_like_it_is_text(line: str) -> None:
    assert len(sentences(f"Before it\n{line}\nit is hot\n")) == 1


def test_a_quotation_in_a_mail_and_the_reply_are_apart() -> None:
    assert sentences("Well\n\nHello\n> On Monday Ann wrote:\n> How hot\n> 5 kilns are\nAs hot\nas ever\n>> so") == [
        "Well",
        "Hello",
        "> On Monday Ann wrote:\n> How hot\n> 5 kilns are",
        "As hot\nas ever",
        ">> so",
    ]


@pytest.mark.parametrize(
    "text", ["of pots\n> 256 and so\non", "rest of it\n> goes on\n> here", ">>> a\n>>> b\nc", "a\n>= b"]
)
def test_what_is_no_change_of_a_quotation_divides_nothing(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "The mark is ``{# ... #}`` by default.",
        "The mark is `{# ... #}` by default.",
        "Paint it `(red ... )` in the plan.",
        "Call `f(a. B)` twice.",
        "See :ref:`Pots. Kilns <pots>` there.",
        "The mark is ``a`. B`` by default.",
        "Call `f(a.\nB)` twice.",
        "- Call `f(a. B)` twice.",
        "It is `` `a. B` `` by default.",
    ],
)
def test_no_sentence_ends_inside_code(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Press `. Then wait. Use the `a` key.", ["Press `.", "Then wait.", "Use the `a` key."]),
        ("Use the `foo key. Use the `bar` key.", ["Use the `foo key.", "Use the `bar` key."]),
        ("It is 5` long. Then use `x` here.", ["It is 5` long.", "Then use `x` here."]),
        (r"Type \`this. Then use `x` here.", [r"Type \`this.", "Then use `x` here."]),
        ("He said ``Stop. Then go'' twice. And ``Go.''", ["He said ``Stop.", "Then go'' twice.", "And ``Go.''"]),
        ("Use the `foo key. It is big.\n\nUse `x` here.", ["Use the `foo key.", "It is big.", "Use `x` here."]),
        ("`It rains.` We stayed.", ["`It rains.`", "We stayed."]),
        ("It is `a`. We `b` it.", ["It is `a`.", "We `b` it."]),
    ],
)
def test_a_backtick_that_opens_no_code_swallows_nothing(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_line_of_a_quotation_that_has_only_its_mark_ends_a_sentence() -> None:
    assert sentences("> Cooling\n>\n> It must\n> cool.\n> > \n> > So be it.") == [
        *("> Cooling", ">", "> It must\n> cool.", "> >", "> > So be it."),
    ]


GRID = "+---+----+\n| a | b  |\n+===+====+\n| c | d  |\n|   | e  |\n+---+----+\n| f | g  |\n+---+----+"


def test_the_lines_between_two_rulers_of_a_grid_are_one_row() -> None:
    ruler = "+---+----+"
    head = [ruler, "| a | b  |", "+===+====+"]
    assert sentences(GRID) == [*head, "| c | d  |\n|   | e  |", ruler, "| f | g  |", ruler]
    indented = GRID.replace("\n", "\n  ")
    assert "| c | d  |\n  |   | e  |" in sentences(indented)
    assert sentences(GRID.replace("|   | e", "| k | e"))[3] == "| c | d  |\n| k | e  |"


def test_each_line_is_a_row_where_a_table_has_rulers_only_around_its_header_and_its_end() -> None:
    table = "+---+---+\n| a | b |\n+---+---+\n| c | d |\n| e | f |\n+---+---+"
    assert sentences(table) == table.split("\n")


def test_a_line_without_a_first_cell_goes_on_with_the_row_above() -> None:
    ruler = "+---+---+"
    row = "| c | d |\n|   | e |"
    assert sentences(f"{ruler}\n| a | b |\n{ruler}\n{row}\n{ruler}") == [ruler, "| a | b |", ruler, row, ruler]
    assert sentences(row) == row.split("\n")  # no grid without a ruler


def test_the_rows_of_a_slice_of_a_grid_are_whole() -> None:
    rows = GRID.split("\n", 3)[-1].replace("+---+----+", "+---+----+\n| h | i  |", 1)
    assert "| c | d  |\n|   | e  |" in sentences(rows)


def test_what_comes_after_a_grid_is_no_part_of_its_row() -> None:
    text = "\n".join(GRID.split("\n")[:5])
    assert sentences(text + "\n\n| x | y |") == [*text.split("\n")[:3], "| c | d  |\n|   | e  |", "| x | y |"]
    assert sentences(text + "\nSo it is.")[-1] == "So it is."
