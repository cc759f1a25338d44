"""Answers as they come: what is shown before the end is checked, and nothing broken is passed off as whole."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_models import EVENT_STREAM, Parrot, complete, completion, events
from work import growth

from rag.answer.check import NOT_SUPPORTED, check_answer, names_in
from rag.answer.events import AnswerStream, Finished, Passages, Token, in_pieces
from rag.answer.generation import Terms, generate_answer, stream_answer
from rag.answer.models.served import LARGEST_REPLY, ServedModel
from rag.answer.prompt import Prompt
from rag.answer.unfolding import Unfolding
from sql.base.errors import RagError, UsageError
from sql.records import Hit

if TYPE_CHECKING:
    from collections.abc import Callable

    from language_models import Request

PROMPT = Prompt("system text", "user text")


def hit(text: str, number: int) -> Hit:
    return Hit(f"docs/{number}.md", "T", "H", 7, 7 + len(text), 2, 0, text, UUID(int=number), number, 0.5)


HITS = [
    hit("Tomatoes want a litre of water every morning.", 1),
    hit("A hive holds 40,000 bees. See https://bees.example/hive for more. Josiah Spode made bone china.", 2),
    hit("The old wood is cut back in February.", 3),
]
ANSWER = "Tomatoes want a litre of water. [1] The moon is made of cheese. The old wood is cut back in February [3]."
MARKED = (
    "Tomatoes want a litre of water. [1] The moon is made of cheese. [not supported] "
    "The old wood is cut back in February [2]."
)


def heard(answer: str, piece: int = 3, **terms: Any) -> tuple[list[str], Finished]:
    """The pieces of an answer's text, and what came at the end."""
    first, *tokens, last = stream_answer(Parrot(answer, piece=piece), "q", HITS, Terms(**terms))
    assert isinstance(first, Passages)
    assert isinstance(last, Finished)
    return [token.text for token in tokens if isinstance(token, Token)], last


# Marks


def test_a_sentence_that_is_not_supported_is_marked_in_the_text() -> None:
    assert check_answer("m", "q", ANSWER, HITS).text == MARKED


def test_strict_leaves_it_out_and_numbers_what_is_left() -> None:
    written = "Bees sing loudly [2]. The old wood is cut back in February [3].\n\n- The moon is cheese.\n- Tomatoes want it [1]."
    answer = check_answer("m", "q", written, HITS, strict=True)
    assert answer.text == "The old wood is cut back in February [1].\n\n- Tomatoes want it [2]."
    assert [citation.source for citation in answer.citations] == ["docs/3.md", "docs/1.md"]
    assert [(each.supported, each.citations) for each in answer.sentences] == [
        (False, ()),
        (True, (1,)),
        (False, ()),
        (True, (2,)),
    ]


def test_an_answer_of_which_strict_leaves_nothing_is_none() -> None:
    answer = check_answer("m", "q", "The moon is made of cheese. Bees sing loudly [2].", HITS, strict=True)
    assert (answer.answered, answer.text, answer.citations) == (False, "", ())
    assert len(answer.sentences) == 2  # what was left out can be looked at


@pytest.mark.parametrize(
    ("sentence", "supported"),
    [
        ("Josiah Spode made bone china [2].", True),
        ("Bone china was made by Josiah Wedgwood [2].", False),  # most words are there, and the name is another one
        ("A hive holds 40,000 bees [2].", True),
        ("A hive holds 60,000 bees [2].", False),
        ("A hive in Kent holds 40,000 bees [2].", False),
        ("Bone china was made in part P-0137 [2].", False),
        ("A hive holds 40.000 bees [2].", True),
        ("A hive holds 40000 bees [2].", True),
        ("A hive holds 4 bees, not 0,000 [2].", False),
        ("A hive holds 40 000 bees [2].", True),
        ("Das Porzellan heißt bone china und Josiah Spode made it [2].", True),
    ],
)
def test_a_name_or_number_that_no_passage_holds_is_not_supported(sentence: str, supported: bool) -> None:
    (found,) = check_answer("m", "q", sentence, HITS).sentences
    assert found.supported is supported


def test_german_nouns_are_no_names_and_names_of_two_words_are() -> None:
    assert names_in("Der Ofen wird im Winter mit trockenem Holz geheizt.") == []
    assert names_in("Das Haus wurde von Marie Curie gebaut und steht noch.") == ["Marie", "Curie"]


def test_an_answer_that_was_cut_short_says_so() -> None:
    answer = generate_answer(Parrot("Tomatoes want a litre of", is_whole=False), "q", HITS, Terms())
    assert answer.is_cut
    assert answer.text.endswith(" …")


# The stream


@pytest.mark.parametrize("piece", [1, 3, 20, 1000])
def test_the_pieces_together_are_the_answer(piece: int) -> None:
    tokens, last = heard(ANSWER, piece)
    assert "".join(tokens) == last.answer.text == MARKED
    assert last.answer == generate_answer(Parrot(ANSWER), "q", HITS, Terms())
    assert len(tokens) > 5 or piece > 5


def test_strict_streams_only_whole_sentences_that_are_supported() -> None:
    tokens, last = heard(ANSWER, 1, strict=True)
    assert "".join(tokens) == last.answer.text
    assert tokens[0] == "Tomatoes want a litre of water. [1]"
    assert not any("moon" in token for token in tokens)


def test_what_is_no_tag_holds_nothing_back_and_open_code_does() -> None:
    unfolding = Unfolding("m", HITS)
    assert unfolding.more("Tomatoes want water [1]. If x < 5, the ") == "Tomatoes want water [1]. If x < 5, the"
    assert unfolding.more("old wood is cut, and ") == " old wood is cut, and"
    assert unfolding.more("`args[2] is ") == ""
    assert unfolding.more("it` then ") == " `args[2] is it` then"


def test_words_come_before_the_sentence_they_stand_in_has_ended() -> None:
    unfolding = Unfolding("m", HITS)
    assert unfolding.more("Tomatoes want water [1]. ") == ""  # until it is known that more is said than a refusal
    assert unfolding.more("The old ") == "Tomatoes want water [1]. The old"
    assert unfolding.more("wood i") == " wood"


@pytest.mark.parametrize(
    "refusal",
    ["NO ANSWER", "I cannot find this in the passages. Please ask again.", "Dazu steht in den Texten nichts."],
)
def test_nothing_is_shown_of_what_turns_out_to_be_no_answer(refusal: str) -> None:
    tokens, last = heard(refusal, 1)
    assert tokens == []
    assert not last.answer.answered


EVIL = "https://evil.example/c?d=1"
NASTY = [
    f"![chart]({EVIL})",
    f"[the page]({EVIL} 'a title')",
    f"<img src='{EVIL}' alt='a b'>",
    f"[1]: {EVIL}\n",
    f"{EVIL} and more",
    "<think>secret [2]</think>",
    "[1, 3]",
    "【2】",
    "[9]",
    "[see below]",
    "ht<b x=1>tps://evil.example/c</b>",
    "Tomatoes want a litre of water [1]. ",
    "The moon is cheese. ",
    "I cannot find this in the passages. ",
    "\n\n- ",
    "```\n",
    "2 < 3 ",
    "https://bees.example/hive ",
]


@given(st.lists(st.sampled_from(NASTY), min_size=1, max_size=6), st.integers(1, 30))
@settings(max_examples=60)
def test_no_piece_of_a_hostile_answer_holds_a_link_or_goes_beyond_the_answer(parts: list[str], size: int) -> None:
    written = " ".join(parts)
    unfolding = Unfolding("m", HITS)
    shown = "".join(unfolding.more(written[start : start + size]) for start in range(0, len(written), size))
    assert "evil" not in shown
    assert "secret" not in shown
    answer = check_answer("m", "q", written, HITS)
    shown += unfolding.rest(answer.text)
    assert "evil" not in shown
    if answer.answered and shown != answer.text:  # what came late has changed what came early, and nothing is added
        assert not answer.text.startswith(shown) or shown == ""


@pytest.mark.slow
def test_twice_the_answer_is_twice_the_work_of_streaming_it() -> None:
    def stream(text: str) -> str:
        unfolding = Unfolding("m", HITS)
        return "".join(unfolding.more(text[start : start + 4]) for start in range(0, len(text), 4))

    once, twice = growth(stream, lambda n: ("Tomatoes want water [1]. " * n)[:n], 1200)
    assert twice.is_about_twice(once), (once, twice)


def test_a_stream_of_a_book_is_refused_while_it_comes() -> None:
    with pytest.raises(RagError, match="more than the 100,000 of the longest answer"):
        list(stream_answer(Parrot("word " * 21_000, piece=50_000), "q", HITS, Terms()))


def test_the_terms_are_checked_where_they_are_made() -> None:
    with pytest.raises(UsageError, match="at least 1 token"):
        Terms(0)
    with pytest.raises(UsageError, match="context 512: it has to hold the 512 tokens"):
        Terms(512, context=512)


def test_a_smaller_context_leaves_passages_out_and_the_stream_names_them() -> None:
    model = Parrot("Tomatoes want water [1]. Yes.")
    generate_answer(model, "q", HITS, Terms(50))
    room = len(model.prompts[0].user) + 50 - 1
    first, *_ = stream_answer(model, "q", HITS, Terms(50, context=room))
    assert first == Passages(tuple(HITS[:2]), (HITS[2],))


# Ends


def test_a_cancelled_stream_ends_without_an_answer_and_the_model_stops() -> None:
    said: list[str] = []
    stopped = threading.Event()

    class Endless(Parrot):
        def write(self, prompt: Prompt, max_tokens: int, say: Callable[[str], None]) -> bool:  # noqa: ARG002
            try:
                while True:
                    said.append("word ")
                    say("Tomatoes want water [1]. ")
                    time.sleep(0.001)
            finally:
                stopped.set()

    stream = AnswerStream(lambda cancelled: stream_answer(Endless(""), "q", HITS, Terms(), cancelled=cancelled))
    found = []
    for event in stream:
        found.append(event)
        if len(found) == 5:
            threading.Thread(target=stream.cancel).start()
    assert not any(isinstance(event, Finished) for event in found)
    assert stopped.wait(5)
    assert list(stream) == []


def test_a_silent_model_does_not_keep_who_cancels_waiting() -> None:
    cancelled, released = threading.Event(), threading.Event()
    pieces = in_pieces(lambda say: released.wait(60), cancelled)
    threading.Timer(0.1, cancelled.set).start()
    assert list(pieces) == []
    released.set()


def test_what_a_model_raises_is_raised_where_it_is_listened_to() -> None:
    class Broken(Parrot):
        def write(self, prompt: Prompt, max_tokens: int, say: Callable[[str], None]) -> bool:  # noqa: ARG002
            say("Tomatoes want water [1]. The old wood ")
            raise RagError("the language model broke off")

    found = []
    with pytest.raises(RagError, match="broke off"):
        found.extend(stream_answer(Broken(""), "q", HITS, Terms()))
    assert not any(isinstance(event, Finished) for event in found)


# A served stream


def test_a_served_model_says_its_pieces_one_by_one(serve: Any) -> None:
    server = serve(lambda request: request.send(events(["In ", "Feb", "ruary."]), **EVENT_STREAM))
    said: list[str] = []
    assert ServedModel(server.spec).write(PROMPT, 5, said.append)
    assert said == ["In ", "Feb", "ruary."]
    assert server.seen[0][2]["stream"] is True


@pytest.mark.parametrize(
    ("reply", "is_whole"),
    [
        (events(["In"], "stop", done=False), True),  # some servers end without [DONE]
        (events(["In"], None), True),  # and some do not say why
        (events(["In"], "length"), False),
        (b": a comment\n\nevent: x\r\n" + events(["In"]).replace(b"\n", b"\r\n"), True),
        (events(["In"]).replace(b"data: [DONE]", b'data: {"choices": [], "usage": {}}\n\ndata: [DONE]'), True),
    ],
)
def test_the_ends_that_servers_send_are_understood(serve: Any, reply: bytes, is_whole: bool) -> None:
    server = serve(lambda request: request.send(reply, **EVENT_STREAM))
    said: list[str] = []
    assert ServedModel(server.spec).write(PROMPT, 5, said.append) is is_whole
    assert said == ["In"]


def test_a_server_that_does_not_stream_is_understood(serve: Any) -> None:
    server = serve(lambda request: request.send(completion("In February.")))
    assert complete(ServedModel(server.spec), PROMPT, 5) == "In February."


def break_off(request: Request) -> None:
    """Promises more than it sends."""
    content = events(["In ", "February"], None, done=False)
    request.send_response(200)
    for name, value in {"Content-Length": str(len(content) + 500), **EVENT_STREAM}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(content)


def flood(request: Request) -> None:
    request.send(events(["x" * 100_000] * (LARGEST_REPLY // 100_000)), **EVENT_STREAM)


BROKEN: dict[str, tuple[Callable[[Request], None], str]] = {
    "no end": (lambda r: r.send(events(["In "], None, done=False), **EVENT_STREAM), "broke off .* after 3 characters"),
    "cut connection": (break_off, "broke off its answer after 11 characters"),
    "an error": (
        lambda r: r.send(
            events(["In"], None, done=False) + b'data: {"error": {"message": "out of memory"}}\n\n', **EVENT_STREAM
        ),
        r"broke off its answer after 2 characters \(out of memory\)",
    ),
    "another shape": (lambda r: r.send(b'data: {"x": 1}\n\n', **EVENT_STREAM), "other than a chat completion"),
    "half an event": (lambda r: r.send(b'data: {"choices": [{', **EVENT_STREAM), "other than a chat completion"),
    "a flood": (flood, "sent more than 2,000,000 bytes"),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_an_error_and_no_answer(serve: Any, name: str) -> None:
    reply, message = BROKEN[name]
    with pytest.raises(RagError, match=message):
        generate_answer(ServedModel(serve(reply).spec), "q", HITS, Terms())


def test_whoever_stops_listening_to_a_served_model_closes_the_connection(serve: Any) -> None:
    gone = threading.Event()

    def go_on(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        try:
            while not request.server.leaving:
                request.wfile.write(events(["Tomatoes want water [1]. "], None, done=False))
                time.sleep(0.005)
        except (BrokenPipeError, ConnectionResetError):
            gone.set()

    model = ServedModel(serve(go_on).spec)
    stream = AnswerStream(lambda cancelled: stream_answer(model, "q", HITS, Terms(), cancelled=cancelled))
    with stream:
        next(stream)
        assert isinstance(next(stream), Token)
    assert list(stream) == []
    stream._events.close()  # type: ignore[attr-defined]
    assert gone.wait(10)


def test_marks_do_not_look_like_citations() -> None:
    again = check_answer("m", "q", check_answer("m", "q", ANSWER, HITS).text, HITS)
    assert again.text.count(NOT_SUPPORTED) == 2
    assert len(again.citations) == 2
