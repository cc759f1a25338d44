"""`chat`: questions one after the other, each understood with those before it.

Lines come from a person at a terminal or from a pipe, whose questions are repeated above their answers. Answers go to
stdout, all else to stderr; a line that begins with a
slash is a command. On a terminal an error is one sentence and the conversation goes on, and Ctrl-C stops one answer.
"""

from __future__ import annotations

import json
import re
import sys
from argparse import Namespace
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rag.commands.ask import (
    NO_ANSWER,
    ask_terms,
    is_written,
    open_library,
    read_request,
    show_citations,
    show_statements,
    show_whole,
    shown_place_and_heading,
    stream_answer,
    whole_record,
)
from rag.commands.chat_terminal import editing_terminal
from rag.commands.remarks import note_unanswered
from sql.base.errors import (
    EXIT_NOTHING_FOUND,
    EXIT_OK,
    RagError,
    UsageError,
)
from sql.base.paths import expand_user
from sql.base.settings import read_settings
from sql.base.terminal import is_typed, note, one_line, out, out_json, out_piece, take_lines, waiting
from sql.base.wording import counted
from sql.engine.location import parse_location
from sql.engine.wire import knocking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from rag.answer.answer import Answer
    from rag.answer.check import GeneratedAnswer
    from rag.answer.events import Event
    from rag.answer.follow_up import Turn
    from rag.library import Library
    from sql.search.search import Step

PROMPT = "? "
HELP = {
    "QUESTION": "ask; it may refer to earlier questions",
    "/sources [N]": "where the last answer comes from, or the text of its source N",
    "/filter [F]": "search only chunks such as name=value, name>=3, name~path/*; off removes it",
    "/k [N]": "how many chunks are found",
    "/sql": "the statements of the last search, ready to paste into a client",
    "/history": "the questions so far, as they were understood",
    "/save FILE": "write questions and answers to a new file, .jsonl as records, else as Markdown",
    "/new": "forget what was said",
    "/help": "show this list",
    "/quit": "leave, as Ctrl-D, quit and exit do",
}
LEAVE = {"/quit", "/exit"}
LEAVE_AT_TERMINAL = LEAVE | {"quit", "exit", "q", "bye"}  # which in a pipe are questions
COURTESIES = re.compile(  # a line of nothing else asks nothing
    r"\W*(?:(?:ok|okay|great|perfect|(?:(?:many )?thanks|thank you|thx)(?: a lot| (?:very|so) much)?(?: for (?:your|the) help)?"
    r"|hi|hello|hey|good (?:morning|day)|goodbye|bye|got it|i see|never ?mind|(?:vielen )?dank(?:e|eschön)?(?: (?:schön|sehr))?"
    r"|hallo|guten (?:tag|morgen)|tschüss|alles klar|verstanden)\b\W*)+",
    re.IGNORECASE,
)


def chat(options: Namespace) -> int:
    """Answers questions one after the other, from a terminal or a pipe, each understood with those before it."""
    for check in (ask_terms, read_request):  # before anything is loaded
        check(Namespace(**{**vars(options), "question": "any"}))
    with knocking(parse_location(options.db).real_folder):
        library = open_library(options, yields=True)  # a person may think for an hour
    with library:
        conversation = Chat(library, options)
        if is_typed():
            note(f"store {library.store.client.location}; /help lists the commands, Ctrl-D leaves")
            commands = [name.split()[0] for name in HELP if name.startswith("/")]
            with editing_terminal(read_settings().cache / "chat_history", commands) as read:
                conversation.talk(lambda: read(PROMPT))
            return EXIT_OK
        return conversation.work_off(sys.stdin)


@dataclass
class Chat:
    """A conversation: what was said, what the last answer was, and how the next one is searched for."""

    library: Library
    options: Namespace
    turns: list[Turn] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    answer: Answer | GeneratedAnswer | None = None
    steps: list[Step] = field(default_factory=list)
    failure: int = EXIT_OK

    # Lines

    def talk(self, read: Callable[[], str]) -> None:
        """Takes what a person types until they leave."""

        def next_line() -> str | None:
            line = read()
            said = line.strip().casefold()
            return None if said in LEAVE_AT_TERMINAL else "/help" if said in {"help", "?"} else line

        take_lines(next_line, self.take, interrupted=self.give_up)

    def give_up(self) -> None:
        """Stops the answer that is being looked for."""
        out()
        with suppress(RagError):  # where no statement is running any more
            self.library.store.client.cancel()

    def work_off(self, lines: Iterable[str]) -> int:
        """Takes the lines of a pipe to its end; the exit code is that of the first error, or 3 where nothing was answered."""
        for line in lines:
            if line.strip().casefold() in LEAVE:
                break
            try:
                self.take(line)
            except RagError as error:
                self.failure = self.failure or error.exit_code
                note(f"error: {one_line(str(error))}")
                if self.options.json and not line.lstrip().startswith("/"):
                    failed = {"code": error.code, "message": str(error)}
                    out_json({"question": line.strip(), "error": failed})
            out_piece("")  # whoever reads the other pipe wants each answer when it comes
        answered = [record["answered"] for record in self.records]
        return self.failure or (EXIT_NOTHING_FOUND if answered and not any(answered) else EXIT_OK)

    def take(self, line: str) -> None:
        """Answers a question or obeys a command; a mere `thanks` is no question, nor does the next one lean on it."""
        line = line.strip()
        if line.startswith("/"):
            self.obey(*line.split(None, 1))
        elif COURTESIES.fullmatch(line) and not self.options.json:  # there each line has its record
            note("ask a question about the documents; /help lists the commands")
        elif line:
            self.ask(line)

    # Questions

    def ask(self, line: str) -> None:
        """Shows the answer to a question as it has to be asked by itself."""
        from rag.answer.follow_up import Turn

        if not is_typed() and not self.options.json:
            out_piece(f"{PROMPT}{line}\n")  # an answer without its question cannot be read later
        question = self.library.follow_up(line, self.turns)
        if question != line and not self.options.json:
            note(f"asked as: {one_line(question)}")
        self.steps, self.answer = [], None
        request = read_request(Namespace(**{**vars(self.options), "question": question}))
        terms = ask_terms(self.options)
        if is_typed() and is_written(self.library) and not self.options.json:
            with self.library.ask_stream(request, watch=self.steps.append, **terms) as events, waiting() as heard:
                answer = stream_answer(until_heard(events, heard), as_json=False)
            out()
        else:
            with waiting() if is_typed() else nullcontext():
                answer = self.library.ask(request, watch=self.steps.append, **terms)
            if not self.options.json:
                show_whole(answer, as_json=False)
                out()
        if not answer.answered:
            note_unanswered(self.library, request, self.options)
        self.answer = answer
        self.turns.append(Turn(question, answer.text))
        self.records.append(whole_record(replace(answer, question=line)) | {"asked": question})
        if self.options.json:
            out_json(self.records[-1])

    # Commands

    def obey(self, name: str, argument: str = "") -> None:
        """Runs a command; UsageError for one there is not, or one that cannot do what it is told."""
        name, argument = name.casefold(), argument.strip()
        takes_one: dict[str, Callable[[str], None]] = {
            "/sources": self.show_sources,
            "/filter": self.set_filter,
            "/k": self.set_k,
            "/save": self.save,
        }
        takes_none: dict[str, Callable[[], None]] = {
            "/sql": self.show_sql,
            "/history": self.show_history,
            "/new": self.forget,
            "/help": show_help,
        }
        if name in takes_one:
            takes_one[name](argument)
        elif name not in takes_none:
            raise UsageError(f"there is no command {name}: /help lists them")
        elif argument:
            raise UsageError(f"{name} takes no argument, and was given {argument!r}")
        else:
            takes_none[name]()

    def show_sources(self, number: str) -> None:
        """Where the last answer stands, or the whole text of one of its sources."""
        if self.answer is None or not self.answer.answered:
            raise UsageError("there is no answer to show sources of: ask a question first")
        citations = self.answer.citations
        if not number:
            show_citations(self.answer)
            return
        if not number.isdecimal() or not 1 <= int(number) <= len(citations):
            raise UsageError(f"/sources {number}: the last answer has the sources 1 to {len(citations)}")
        citation = citations[int(number) - 1]
        out(shown_place_and_heading(citation))
        out()
        out(citation.text)

    def set_filter(self, text: str) -> None:
        """Restricts the search; without a text says how it is restricted. One that nothing can pass changes nothing."""
        if not text:
            self.note_filter()
            return
        wanted = None if text == "off" else [text]
        request = read_request(Namespace(**{**vars(self.options), "question": "any", "filter": wanted}))
        store = self.library.store
        if request.filter and store.collection() is not None:
            store.snapshot().refuse_hopeless(request.filter)  # before every question fails with it
        self.options.filter = wanted
        self.note_filter()

    def note_filter(self) -> None:
        """Says how the search is restricted."""
        note(f"filter: {one_line(' '.join(self.options.filter or ['none']))}")

    def set_k(self, number: str) -> None:
        """Sets how many chunks are found, and says how many; without a number only that."""
        if number and (not number.isdecimal() or int(number) < 1):
            raise UsageError(f"/k {number}: give the number of chunks to find, at least 1")
        self.options.k = int(number or self.options.k)
        note(f"k: {self.options.k}")

    def show_sql(self) -> None:
        """The statements that found the chunks of the last answer."""
        if not self.steps:
            raise UsageError("nothing has been searched for yet: ask a question first")
        show_statements(self.steps, Namespace(show_sql=True, json=self.options.json), self.library)

    def show_history(self) -> None:
        """The questions, as they were understood."""
        for number, turn in enumerate(self.turns, start=1):
            out(f"{number}. {one_line(turn.question)}")

    def forget(self) -> None:
        """Begins anew: the next question leans on nothing."""
        self.turns.clear()

    def save(self, name: str) -> None:
        """Writes what was asked and answered to a new file."""
        if not name:
            raise UsageError("/save FILE: name the file to write to")
        path = expand_user(name, "/save")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.writelines(saved_lines(self.records, path))
        except FileExistsError as error:
            raise UsageError(f"{name} exists already: name a new file") from error
        except (OSError, ValueError) as error:  # a folder that is not there, or a name that no file can have
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{name} cannot be written: {reason}") from error
        answers = "its answer" if len(self.records) == 1 else "their answers"
        note(f"wrote {counted(len(self.records), 'question')} with {answers} to {path}")


def until_heard(events: Iterable[Event], heard: Callable[[], None]) -> Iterator[Event]:
    """The events; `heard` is called before the first that shows something."""
    from rag.answer.events import Passages

    for event in events:
        if not isinstance(event, Passages):
            heard()
        yield event


def show_help() -> None:
    """Lists what can be typed."""
    for name, meaning in HELP.items():
        note(f"{name:14}{meaning}")


def saved_lines(records: Iterable[dict[str, Any]], path: Path) -> Iterator[str]:
    """A conversation as JSON Lines or as Markdown, by the suffix of its file."""
    for record in records:
        if path.suffix == ".jsonl":
            yield json.dumps(record, ensure_ascii=False) + "\n"
            continue
        yield f"## {one_line(record['question'])}\n\n"
        if record["asked"] != record["question"]:
            yield f"Asked as: {one_line(record['asked'])}\n\n"
        yield f"{record['answer'] or NO_ANSWER}\n\n"
        for number, citation in enumerate(record["citations"], start=1):
            place = f", {citation['place_name']}" if citation["place_name"] else f":{citation['line']}"
            yield f"- [{number}] {one_line(citation['source'])}{one_line(place)}\n"
        yield "\n"
