"""The extractive answer: exact quotations with their places, or none at all."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest

from rag.answer.answer import (
    Answer,
    Citation,
    answer_question,
    apart,
    count_lines,
    judge_sentences,
    whole_list,
    with_leads,
    with_names_first,
    without_rivals,
)
from rag.answer.candidates import candidate_sentences
from rag.answer.evidence import gather_evidence, share_of_names, shared_words
from rag.answer.forms import ASKED, asked_form
from rag.answer.merit import FEATURES, FINER, NETWORK_INPUTS, WEIGHTS, Evidence, merits, strangeness, sums
from rag.answer.network import BEHIND, fitted_network
from rag.answer.quotation import Context
from rag.encoder.encoder import Encoder, load_encoder
from rag.retrieve.words import Rarities
from rag.text.analyser import stems
from rag.text.identifiers import folded, identifiers
from sql.base.settings import Settings
from sql.records import Hit, Lead, Outline, Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TEXT = (
    "# Visiting\n\n"
    "The museum opens at nine in the morning.\nTickets cost twelve euros, and children enter for free.\n\n"
    "The café on the roof serves soup until four o'clock. Dogs are not allowed anywhere in the building.\n"
)


@pytest.fixture(scope="module")
def encoder(model_cache: Path) -> Encoder:
    return load_encoder(Settings(store=".rag", model=None, cache=model_cache, offline=True))


def hit(text: str, start: int = 0, line: int = 1, score: float = 0.5, source: str = "visit.md") -> Hit:
    return Hit(source, "Visiting", "Visiting", start, start + len(text), line, 0, text, UUID(int=1), 0, score)


def ask(question: str, hits: Sequence[Hit], encoder: Encoder) -> Answer:
    query = encoder.encode_query(question)
    vectors = encoder.encode_documents([one.text for one in hits]) if hits else np.empty((0, 384), np.float32)
    scored = [replace(one, score=float(vector @ query)) for one, vector in zip(hits, vectors, strict=True)]
    return answer_question(question, query, scored, encoder)


@pytest.mark.parametrize(
    ("question", "sentence", "line"),
    [
        ("When does the museum open?", "The museum opens at nine in the morning.", 3),
        ("What is the price of a ticket?", "Tickets cost twelve euros, and children enter for free.", 4),
        ("Are dogs allowed in the museum?", "Dogs are not allowed anywhere in the building.", 6),
    ],
)
def test_the_sentence_that_answers_is_quoted_first_with_its_line(
    encoder: Encoder, question: str, sentence: str, line: int
) -> None:
    answer = ask(question, [hit(TEXT)], encoder)
    assert (answer.citations[0].text, answer.citations[0].line) == (sentence, line)
    assert answer.text.startswith(f"{sentence} [1]")


def test_what_two_documents_say_in_the_same_words_is_quoted_once() -> None:
    page = Citation("page.html", 10, 30, 1, 0, "", "It is “slow” at first.", 0.5)
    made_from = replace(page, source="page.rst", start=40, end=60, text='It is "slow"\nat first.')
    slower = replace(made_from, start=70, end=90, text='It is "slow" at last.')
    assert apart([page, made_from, slower]) == [page, slower]


def test_rows_of_the_same_words_under_other_headers_are_both_quoted() -> None:
    loss = Citation("a.md", 10, 30, 1, 0, "", "| -5 | 3 |", 0.5, Context(0, 9, "| low | high |"))
    others = (
        replace(loss, source="b.md", context=Context(0, 9, "| x | y |")),
        replace(loss, source="c.md", text="| 5 | 3 |"),
    )
    assert apart([loss, *others]) == [loss, *others]


def test_every_quotation_is_the_texts_own_at_its_offsets(encoder: Encoder) -> None:
    before = "x" * 100
    answer = ask("What does a ticket cost and when does the museum open?", [hit(TEXT, start=100, line=9)], encoder)
    assert answer.answered
    for citation in answer.citations:
        assert (before + TEXT)[citation.start : citation.end] == citation.text


@pytest.mark.parametrize(
    "question",
    [
        "Who discovered penicillin?",
        "How do I configure a Kubernetes ingress?",
        "asdf qwer zxcv",
        "???",
        "Was kostet ein Flug nach Lima?",
    ],
)
def test_a_question_that_the_documents_cannot_answer_gets_none(encoder: Encoder, question: str) -> None:
    answer = ask(question, [hit(TEXT)], encoder)
    assert not answer.answered
    assert answer.text == ""


def test_nothing_found_is_no_answer(encoder: Encoder) -> None:
    assert not ask("When does it open?", [], encoder).answered
    assert not ask("When does it open?", [hit("# Visiting"), hit("| --- | --- |")], encoder).answered


def test_overlapping_chunks_offer_a_sentence_once() -> None:
    second = TEXT.index("Tickets")
    found = candidate_sentences([hit(TEXT, score=0.9), hit(TEXT[second:], start=second, line=4, score=0.4)])
    assert len(found) == len({(one.quotation.start, one.quotation.end) for one in found}) == 4
    assert {one.hit.score for one in found} == {0.9}


def test_a_question_is_never_the_answer(encoder: Encoder) -> None:
    text = "When does the museum open?\n\n```\nask 'When does the museum open?'\n```\n\nThe museum opens at nine."
    answer = ask("When does the museum open?", [hit(text)], encoder)
    assert [citation.text for citation in answer.citations] == ["The museum opens at nine."]


@pytest.mark.parametrize(
    "question",
    ["opening hours", "The opening hours are", "The opening hours are nine to five.", "Opening hours?"],
)
def test_a_sentence_that_holds_the_very_words_of_the_question_answers_it(encoder: Encoder, question: str) -> None:
    text = "Tickets cost twelve euros.\n\nThe opening hours are nine to five. Dogs stay outside."
    answer = ask(question, [hit(text)], encoder)
    assert answer.citations[0].text == "The opening hours are nine to five."


def test_a_sentence_longer_than_the_encoder_reads_is_quoted_whole(encoder: Encoder) -> None:
    sentence = "The museum opens at nine " + "and then again at ten " * 100 + "in the morning."
    answer = ask("When does the museum open?", [hit(sentence[:700])], encoder)
    assert answer.citations[0].text == sentence[:700].strip()


def test_rare_words_count_more_than_common_ones() -> None:
    sentences = ["The cat is here.", "The dog is here.", "The parrot is here.", "It is the end."]
    scores = shared_words("Is the parrot here?", sentences)
    assert int(np.argmax(scores)) == 2
    assert scores[2] == pytest.approx(1)
    assert shared_words("?!", sentences).tolist() == [0, 0, 0, 0]


def test_words_that_are_rare_in_the_store_count_more_than_those_that_are_common_there() -> None:
    sentences = ["The kiln is hot.", "The glaze is hot."]
    assert shared_words("kiln glaze", sentences).tolist() == pytest.approx([0.5, 0.5])
    kiln, glaze = shared_words("kiln glaze", sentences, Rarities("en", {"kiln": 900, "glaze": 2}, 1000))
    assert kiln < 0.4 < 0.6 < glaze


def test_rows_of_a_table_do_not_make_stop_words_rare() -> None:
    sentences = [*(f"Firm {number};Town {number};{number * 137}" for number in range(40)), "The form is due in May."]
    with_stop_words = shared_words("Who is the pope?", sentences, Rarities("en", {"firm": 40}, 100))
    assert with_stop_words[-1] < 0.15
    of_rows = shared_words("In which town is firm 12?", sentences, Rarities("en", {"firm": 40, "town": 40}, 100))
    assert int(np.argmax(of_rows)) == 12
    assert of_rows[12] > 0.8


def test_numbers_are_compared_whole() -> None:
    assert shared_words("4711001", ["4711002", "4711001"]).tolist() == [0, 1]


def test_stems_ignore_case_and_endings() -> None:
    assert stems("Quantized QUANTIZATION") == {"quanti"}
    assert stems("dog dogs") == {"dog"}
    assert stems("open opens") == {"ope"}


def test_lines_are_counted_by_every_kind_of_line_end() -> None:
    assert count_lines("a\nb\r\nc\rd") == 3


# Exact names

PRICES = "| Part | Price |\n|---|---|\n" + "".join(f"| P-{n:04} | {3 * n} EUR |\n" for n in range(130, 145))
SETTINGS = "# Options\n\nAll of them may be left out.\n\n- `dedupingInterval: 2000`\n- `refreshInterval: 0`\n- `retryCount: 5`\n"
HOSTS = "The printer has the address 192.168.0.7 on every floor.\n\nThe scanner has the address 192.168.0.75 there.\n"


@pytest.mark.parametrize(
    ("question", "text", "quoted"),
    [
        ("P-0137", PRICES, "| P-0137 | 411 EUR |"),
        ("How much does part P-0137 cost?", PRICES, "| P-0137 | 411 EUR |"),
        ("price of p-0142", PRICES, "| P-0142 | 426 EUR |"),
        ("dedupingInterval", SETTINGS, "- `dedupingInterval: 2000`"),
        ("What is the default of retryCount?", SETTINGS, "- `retryCount: 5`"),
        ("What is 192.168.0.75?", HOSTS, "The scanner has the address 192.168.0.75 there."),
        ("192.168.0.7", HOSTS, "The printer has the address 192.168.0.7 on every floor."),
    ],
)
def test_an_exact_name_is_answered_by_what_holds_it_and_by_nothing_else(
    encoder: Encoder, question: str, text: str, quoted: str
) -> None:
    assert [citation.text for citation in ask(question, [hit(text)], encoder).citations] == [quoted]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How much does part P-9137 cost?", PRICES),
        ("P-013", PRICES),
        ("What is the default of cacheInterval?", SETTINGS),
        ("Which device has the address 192.168.0.8?", HOSTS),
    ],
)
def test_a_name_that_the_documents_do_not_hold_is_not_answered_by_another_one(
    encoder: Encoder, question: str, text: str
) -> None:
    assert not ask(question, [hit(text)], encoder).answered


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What does http.PoolTimeout mean?", "A `PoolTimeout` is raised when no line to the server is free."),
        ("Why does r.headers fail?", "Then `answer.headers` fails, since nothing was read."),
        ("Does v3 need a header?", "From version 3.0 on a header is needed."),
        ("Does v3.1 need a header?", "From version 3.1 on a header is needed."),
        ("What broke with v3 of the reader?", "Version 3 of the reader broke the import."),
        ("What was widened in 2.4.7?", "In v2.4.7 the flue was widened."),
        ("What does v2.4.7 widen?", "The flue is wider since 2.4.7 of it."),
        ("Does --no-verify wait?", "`--[no-]verify` says whether it waits."),
        ("Does --verify wait?", "`--[no-]verify` says whether it waits."),
        ("Does 2024-05-01-fire.md have a date?", "A file such as `2023-01-02-kiln.md` has the date of its name."),
        ("Which tool adds -kiln- to names?", "The tool `prefixer` adds what stands before names."),
        ("How is LINE_CLOSED cured?", "LINE_CLOSED comes late. Then set `line_timeout` to a larger number."),
    ],
)
def test_a_sentence_that_writes_a_name_otherwise_may_answer(question: str, text: str) -> None:
    found = candidate_sentences([hit(f"{text}\n\nCats purr.")])
    kept = [one.quotation.text for one in without_rivals(found, identifiers(question))]
    assert text in " ".join(kept)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What does http.PoolTimeout mean?", "A `pooltimeouts` list has all that were met."),
        ("Why does r.headers fail?", "All headers fail, since nothing was read."),
        ("Does v3 need a header?", "A header of 3 lines is needed from version 13 on, and from 3.1."),
        ("Does config.yaml have a date?", "The file `kiln.yaml` has a date."),
        ("When was v3 released?", "It was released as 2.3.0 in 2021 and answers at 10.3.0.1."),
        ("Which factor does v4 have?", "A safety factor of 4.0 is used for the crane."),
        ("What is removed in v2.1?", "It was removed in 4.2.1 of the kiln."),
        ("What is the default of kiln.executor.memory?", "`kiln.driver.memory` sets what is used, by default 1g."),
        ("When does glaze.service restart?", "The unit `kiln.service` restarts after five seconds."),
        ("What does branch.autoStash do?", "It says that it applied the autostash."),
        ("What does /etc/kiln/users.conf hold?", "The file /etc/kiln/rules.conf holds one rule on each line."),
        ("What does max_heat do?", "`max_load` says what to do."),
    ],
)
def test_what_only_looks_like_a_name_is_not_taken_for_it(question: str, text: str) -> None:
    assert without_rivals(candidate_sentences([hit(f"{text}\n\nCats purr.")]), identifiers(question)) == []


@pytest.mark.parametrize(
    ("asked", "near", "other"),
    [
        ("max_connections", "min_connections", "read_timeout"),
        ("--write-timeout", "--read-timeout", "--all"),
        ("maxHeat", "minHeat", "coolDown"),
        ("P-0137", "P-0191", "Q-0137"),
    ],
)
def test_a_sentence_about_a_name_of_the_same_kind_is_not_quoted_and_one_about_another_is(
    asked: str, near: str, other: str
) -> None:
    found = candidate_sentences(
        [hit(f"The default of {near} is five here. The default of {other} is six here. We know {asked} well enough.")]
    )
    kept = [one.quotation.text for one in without_rivals(found, identifiers(f"What is the default of {asked}?"))]
    assert kept == [f"The default of {other} is six here.", f"We know {asked} well enough."]


def test_of_the_help_of_a_program_the_row_of_the_option_is_quoted_and_no_other() -> None:
    text = (
        "  --quiet                say nothing while it fires\n"
        "  --heat degrees         how hot it gets. (default: 1240)\n"
        "  --wood\n"
        "        Fire it with wood. It takes longer.\n"
    )
    found = candidate_sentences([hit(text)])
    assert [one.quotation.is_row for one in found] == [True, True, True]
    kept = [one.quotation.text for one in without_rivals(found, identifiers("What does --heat do?"))]
    assert kept == ["--heat degrees         how hot it gets. (default: 1240)"]
    (wood,) = without_rivals(found, identifiers("What does --wood do?"))
    assert wood.quotation.text == "--wood\n        Fire it with wood. It takes longer."


@pytest.mark.parametrize(
    "question",
    ["What does roll_keep do?", "roll_keep", "what is the `roll_keep` setting for?", "Was bewirkt roll_keep?"],
)
def test_where_it_is_asked_what_a_name_is_the_sentence_that_begins_with_it_holds_more(question: str) -> None:
    text = (
        "- **roll_keep** is how many log files to keep.\n\n"
        "To disable `roll_keep` set it to 0, so that all are kept.\n\n"
        "- **roll_keep_for** is how long files are kept.\n"
    )
    found = candidate_sentences([hit(text)])
    assert share_of_names(question, identifiers(question), found).tolist() == [1.5, 1.0, 0.5]
    asked = "How do I disable roll_keep?"
    assert share_of_names(asked, identifiers(asked), found).tolist() == [1.0, 1.0, 0.5]


def test_a_row_below_that_of_the_name_asked_for_is_another_part() -> None:
    found = candidate_sentences(
        [hit("| part | price |\n|---|---|\n| P-0137 | 4.20 |\n| P-0191 | 5.20 |\n| P-0200 | 6.20 |\n")]
    )
    kept = [one.quotation.text for one in without_rivals(found, identifiers("What does P-0137 cost?"))]
    assert kept == ["| part | price |", "| P-0137 | 4.20 |"]


def test_only_sentences_with_the_member_are_left_where_none_has_the_whole_name() -> None:
    found = candidate_sentences([hit("Then `answer.headers` fails. The kiln is hot and dry.")])
    kept = [one.quotation.text for one in without_rivals(found, identifiers("Why does r.headers fail?"))]
    assert kept == ["Then `answer.headers` fails."]


def test_the_heading_above_may_hold_the_name_that_was_asked_for(encoder: Encoder) -> None:
    text = "## max_connections\n\nThe default is 100.\n\n## max_workers\n\nThe default is 8.\n"
    second = text.index("## max_workers")
    outline = Outline((Section(0, 18, "max_connections"), Section(second, second + 14, "max_workers")))
    (citation,) = ask("default of max_workers", [replace(hit(text), outline=outline)], encoder).citations
    assert (citation.text, citation.heading) == ("The default is 8.", "max_workers")


def test_a_sentence_of_a_converted_file_is_cited_with_its_own_line(encoder: Encoder) -> None:
    text = "The cat sat here.\n\nThe door is painted green."
    found = hit(text)
    at = found.start + text.index("The door")
    (plain,) = ask("Which color is the door painted?", [found], encoder).citations
    outline = Outline(lines=((found.start, found.line), (at, 486)))
    (citation,) = ask("Which color is the door painted?", [replace(found, outline=outline)], encoder).citations
    assert (plain.text, plain.line, citation.line) == ("The door is painted green.", found.line + 2, 486)


# What belongs to a sentence


def test_the_header_of_a_table_is_quoted_above_its_row(encoder: Encoder) -> None:
    header = "| Part | Price |"
    row = "| P-0137 | 411 EUR |"
    outline = Outline((), (Lead(500, 500 + len(PRICES), 40, 40 + len(header), header),))
    rows = PRICES[PRICES.index("| P-") :]
    answer = ask("P-0137", [replace(hit(rows, start=500), outline=outline)], encoder)
    assert answer.citations[0].context == Context(40, 40 + len(header), header)
    assert answer.text == f"{header}\n{row} [1]"


def test_two_rows_of_a_table_have_its_header_once() -> None:
    context = Context(0, 9, "| a | b |")
    rows = [Citation("t.md", n, n + 9, 1, 0, "", f"| {n} | 22 |", 1.0, context) for n in (10, 20)]
    assert Answer("?", tuple(rows)).text == "| a | b |\n| 10 | 22 | [1]\n| 20 | 22 | [2]"


def test_a_list_is_quoted_with_the_sentence_that_introduces_it_and_not_twice(encoder: Encoder) -> None:
    text = "Dogs bark.\n\nThe museum shows these things:\n\n- old coins\n- round stones\n- dried plants\n\nCats purr.\n"
    answer = ask("What does the museum show?", [hit(text)], encoder)
    assert [one.text for one in answer.citations] == [text[12:-13]]
    assert answer.text == "The museum shows these things:\n- old coins\n- round stones\n- dried plants [1]"


def test_several_items_of_a_list_are_quoted_as_the_list_that_they_are() -> None:
    lead = Context(0, 12, "It consists:")
    items = [Citation("a.md", n, n + 5, 1, 0, "", "- one", 0.9, lead) for n in (20, 14)]
    whole = Citation("a.md", 0, 25, 1, 0, "", "It consists:\n- two\n- one", 0.2, lines=True)
    assert whole_list(items[0], items, [*items, whole]) == replace(whole, score=0.9)
    assert whole_list(items[0], items[:1], [*items, whole]) == items[0]
    assert whole_list(items[0], items, items) == items[0]


def test_a_setting_is_a_line_of_its_own(encoder: Encoder) -> None:
    text = "dedupingInterval: 2000\nrefreshInterval: 0\nmax_connections = 100\n"
    (citation,) = ask("What is max_connections?", [hit(text)], encoder).citations
    assert citation.text == "max_connections = 100"


@pytest.mark.parametrize(
    "asked", ["## Do you ship to Norway?", "**Do you ship to Norway?**", "Q: Do you ship to Norway?"]
)
def test_the_answer_below_a_question_is_found_by_the_question(encoder: Encoder, asked: str) -> None:
    text = f"## How long does it take?\n\nThree days.\n\n{asked}\n\nNot at present.\n\n## Which cards are taken?\n\nNone.\n"
    assert ask("Do you ship to Norway?", [hit(text)], encoder).citations[0].text == "Not at present."


def test_chunks_that_hold_an_exact_name_come_before_those_that_hold_its_parts() -> None:
    texts = ["max and tokens", "--max-tokens-total", "`--max-tokens N`", "tokens", "--max-tokens 5"]
    found = with_names_first([hit(text) for text in texts], identifiers("What does --max-tokens do?"))
    assert [one.text for one in found] == [texts[2], texts[4], texts[0], texts[1], texts[3]]


def test_the_words_of_the_heading_count_for_the_sentences_below_it(encoder: Encoder) -> None:
    text = "## A served model\n\nStart one and give its URL.\n\n## A local model\n\nPut one and give its path.\n"
    sections = (Section(0, 17, "Models > A served model"), Section(48, 64, "Models > A local model"))
    found = ask("served model", [replace(hit(text), outline=Outline(sections))], encoder)
    assert found.citations[0].text == "Start one and give its URL."


@pytest.mark.parametrize(("typed", "written"), [("isiklar", "ışıklar"), ("lodz", "Łódź"), ("scoala", "Școala")])
def test_a_word_typed_without_accents_is_shared(typed: str, written: str) -> None:
    assert list(shared_words(typed, [f"Here {written} stands.", "Nothing here."])) == [1.0, 0.0]


@pytest.mark.parametrize("unseen", ["\u00ad", "\u2060", "\u200b", "\u200c", "\u200d", "\ufeff"])
def test_a_character_that_nobody_sees_divides_no_word_of_a_question_or_sentence(unseen: str) -> None:
    whole, divided = "thermocouple", f"thermo{unseen}couple"
    for typed, written in ((divided, whole), (whole, divided), (divided, divided)):
        assert list(shared_words(typed, [f"One {written} is enough.", "Nothing here."])) == [1.0, 0.0]
    assert [one.text for one in identifiers(f"P-01{unseen}37")] == ["p-0137"]
    assert identifiers("P-0137")[0].is_in(folded(f"Part P-0{unseen}137 is here."))


def test_a_word_in_the_heading_counts_half_of_one_in_the_sentence() -> None:
    sentences = ["The kiln takes nine hours.", "Nine hours are enough.", "Nine hours are enough."]
    own, around, neither = shared_words("kiln", sentences, headings=["Firing", "The kiln", "Firing"])
    assert (own, around, neither) == (1.0, 0.5, 0.0)


# What speaks for a sentence, and how sure the answer is


def evidence_of(question: str, text: str, encoder: Encoder) -> dict[str, list[float]]:
    candidates = candidate_sentences([hit(text)])
    found = gather_evidence(question, encoder.encode_query(question), candidates, encoder)
    return dict(zip(FEATURES, found.rows.T.tolist(), strict=True)) | {"missing": [found.missing_names]}


def test_a_sentence_is_read_within_its_chunk(encoder: Encoder) -> None:
    text = "The kettle stands on the stove. It boils in two minutes. The garden is green. It needs a lot of rain."
    found = evidence_of("How long does the kettle boil?", text, encoder)
    _, of_kettle, _, of_garden = found["meaning"]
    assert of_kettle > of_garden
    assert found["before"][1] > found["before"][3]
    assert found["after"][0] > 0
    assert found["number"] == [0, 1, 0, 0]
    assert found["passage"] == [found["passage"][0]] * 4
    assert found["leaning"] == [0, found["before"][1], 0, found["before"][3]]
    assert found["length"][0] == pytest.approx(math.log(8))  # seven tokens


def test_words_of_a_heading_are_not_the_sentences_own(encoder: Encoder) -> None:
    question = "How long does the kettle boil?"
    text = "It boils in two minutes. The garden is green."
    below, alone = (
        gather_evidence(question, encoder.encode_query(question), candidate_sentences([found]), encoder)
        for found in (replace(hit(text), heading="The kettle"), hit(text))
    )
    words, own = FEATURES.index("words"), FINER.index("own")
    assert alone.finer[:, own] == pytest.approx(alone.rows[:, words])
    assert (below.finer[:, own] < below.rows[:, words]).all()


def test_names_and_numbers_that_no_chunk_holds_are_missing(encoder: Encoder) -> None:
    asked = ("When does the Museum open?", "When does the Museum of Toledo open?", "Does Toledo have 7 rooms?")
    none, half, all_of_them = (evidence_of(question, TEXT, encoder)["missing"][0] for question in asked)
    assert (none, half, all_of_them) == (0, 0.5, 1)


def test_only_chunks_whose_sentences_can_win_are_read(encoder: Encoder) -> None:
    question = "When does the kettle boil in the kitchen?"
    far, near = (
        hit("The garden is green in May. It needs rain.", score=0.1, source="garden.md"),
        hit("The kettle boils in the kitchen at noon."),
    )
    found = gather_evidence(question, encoder.encode_query(question), candidate_sentences([far, near]), encoder)
    assert found.read.tolist() == [False, False, True]
    assert len(found.rows) == 1
    both = candidate_sentences([replace(far, score=0.4), near])
    assert gather_evidence("Dónde?", encoder.encode_query("Dónde?"), both, encoder).read.all()  # no words to go by


def test_the_scores_of_all_sentences_add_up_to_1(encoder: Encoder) -> None:
    query = encoder.encode_query("When does the museum open?")
    ranked, confidence = judge_sentences("When does the museum open?", query, [hit(TEXT)], encoder)
    assert sum(one.score for one in ranked) == pytest.approx(1)
    assert 0 < confidence < 1


def test_an_answer_is_surer_of_what_the_documents_hold_than_of_what_they_do_not(encoder: Encoder) -> None:
    asked = ("When does the museum open?", "When does the museum in Toledo sell its paintings?", "Who was Napoleon?")
    sure, less, least = (ask(question, [hit(TEXT)], encoder).confidence for question in asked)
    assert sure > less > least
    assert ask("Who was Napoleon?", [], encoder).confidence == 0


def test_an_answer_without_the_version_that_was_asked_for_is_less_sure(encoder: Encoder) -> None:
    with_one, without = "The kiln needs Python 3.9 or newer.", "The kiln needs Python in any newer version."
    which = "Which Python version does the kiln need?"
    sure, unsure = (ask(which, [hit(text)], encoder).confidence for text in (with_one, without))
    assert sure > unsure
    does = "Does the kiln need a Python version?"
    assert ask(does, [hit(without)], encoder).confidence > unsure


def test_every_feature_has_a_weight() -> None:
    assert tuple(WEIGHTS) == FEATURES
    network = fitted_network()
    assert network.inputs == NETWORK_INPUTS
    assert network.hidden.shape == (len(NETWORK_INPUTS), len(network.output))
    assert network.at_zero.shape == network.output.shape


@pytest.mark.parametrize(("pieces", "side"), [(1.0, 0), (2.0, 1), (3.0, 1)])
def test_the_more_pieces_the_words_of_a_question_have_the_more_the_second_weight_counts(
    pieces: float, side: int
) -> None:
    rows = np.eye(len(FEATURES))
    finer = np.zeros((len(rows), len(FINER)))
    found = sums(Evidence(rows, np.ones(len(rows), np.bool_), 0.0, pieces, "", finer, asked_form("")))
    assert found.tolist() == [both[side] for both in WEIGHTS.values()]


def test_the_network_adds_to_the_sum_what_its_units_make_of_each_sentence_and_of_the_best(encoder: Encoder) -> None:
    question = "When does the museum open?"
    candidates = candidate_sentences([hit(TEXT)])
    evidence = gather_evidence(question, encoder.encode_query(question), candidates, encoder)
    assert evidence.expected == "time"
    asked = {f"asked: {name}": value for name, value in zip(ASKED, evidence.asked, strict=True)}
    of_question = {"strange": strangeness(evidence.pieces), "asked: time": 1.0} | asked
    own = [
        dict(zip((*FEATURES, *FINER), [*row, *more], strict=True))
        for row, more in zip(evidence.rows.tolist(), evidence.finer.tolist(), strict=True)
    ]
    network = fitted_network()
    slow = []
    for one, total in zip(own, sums(evidence).tolist(), strict=True):
        for place, weight in enumerate(network.output.tolist()):
            unit = network.at_zero[place]
            for name, weights in zip(network.inputs, network.hidden, strict=True):
                if name.startswith(BEHIND):
                    part = name.removeprefix(BEHIND)
                    value = max(other[part] for other in own) - one[part]
                else:
                    value = (one | of_question).get(name, 0.0)
                unit += value * weights[place]
            total += max(unit, 0) * weight
        slow.append(total)
    assert len(slow) > 1
    assert merits(evidence) == pytest.approx(slow)


def test_a_sentence_with_an_open_pronoun_brings_the_one_before_as_its_context(encoder: Encoder) -> None:
    text = "The kettle stands on the stove. It boils in two minutes.\n\nThe garden is green."
    answer = ask("How many minutes until it boils?", [hit(text, start=10)], encoder)
    first = answer.citations[0]
    assert first.text == "It boils in two minutes."
    assert first.context == Context(10, 41, "The kettle stands on the stove.")
    assert answer.text.startswith("The kettle stands on the stove.\nIt boils in two minutes. [1]")


def test_a_pronoun_in_a_quotation_brings_the_sentence_before_it_of_the_same_paragraph() -> None:
    text = "> The kettle is old.\n> It boils slowly.\n>\n> They say so."
    old, boils, say = (
        Citation("visit.md", text.index(one), text.index(one) + len(one), 1, 0, "", one, 0.5)
        for one in ("The kettle is old.", "It boils slowly.", "They say so.")
    )
    assert with_leads([boils], [hit(text)], "en") == (replace(boils, context=Context(old.start, old.end, old.text)),)
    assert with_leads([say], [hit(text)], "en") == (say,)


def test_a_pronoun_brings_nothing_from_another_paragraph_and_nothing_that_is_shown() -> None:
    text = "The kettle is old.\n\nIt boils slowly. They say so."
    boils, say = (
        Citation("visit.md", text.index(one), text.index(one) + len(one), 1, 0, "", one, 0.5)
        for one in ("It boils slowly.", "They say so.")
    )
    assert with_leads([boils], [hit(text)], "en") == (boils,)
    assert with_leads([say], [hit(text)], "en") == (replace(say, context=Context(boils.start, boils.end, boils.text)),)
    assert with_leads([boils, say], [hit(text)], "en") == (boils, say)
