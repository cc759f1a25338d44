"""The library: a question in, an answer with citations out, without a command line.

    import rag

    with rag.open(".rag") as library:
        print(library.ask("How many bytes does one stored vector take?").text)

A Library is one store with the encoder it was made with. The commands, the evaluation and LangChain search through it, and
there is no other way from a question to its chunks.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from rag.answer.choices import Choices
from rag.compute.side_by_side import at_one_time
from rag.encoder.heads import READ, RERANK
from rag.encoder.prompts import OWN_PROMPTS, Prompts, choose_prompts
from rag.retrieve.certified import certify_hits
from rag.retrieve.questions import check_question
from rag.retrieve.rerank import CrossEncoder
from rag.retrieve.retriever import Retriever
from sql.base.errors import NoStore, UsageError
from sql.base.settings import DEFAULT_ANSWER_TOKENS, LANGUAGES, read_settings
from sql.engine.free_sql import refuse_files
from sql.engine.statements import PARAMETER
from sql.search.request import SearchRequest
from sql.store import Store
from sql.store.query_log import QueryLog
from sql.store.snapshot import unwatched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from rag.answer.answer import Answer
    from rag.answer.check import GeneratedAnswer
    from rag.answer.events import AnswerStream, Event
    from rag.answer.follow_up import Turn
    from rag.answer.generation import Terms
    from rag.answer.logged import Timekeeper
    from rag.answer.prompt import LanguageModel
    from rag.encoder.encoder import Encoder
    from rag.encoder.pairs import PairModel
    from rag.retrieve.retriever import Found
    from sql.base.settings import Settings
    from sql.engine.statements import Value
    from sql.records import Hit, LiveDocument
    from sql.records.queries import LoggedQuery
    from sql.search.certificate import Certificate
    from sql.store import Snapshot
    from sql.store.snapshot import Watch
    from sql.upkeep.stats import Stats


def unheard(query_id: UUID) -> None:
    """Nobody hears under which id a query was kept."""


def open(  # noqa: A001 - as `gzip.open` and `tarfile.open` are called
    location: str | None = None,
    *,
    write: bool = False,
    model: str | None = None,
    compute: str | None = None,
    language: str = LANGUAGES[0],
    llm: str | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    yields: bool = False,
    rerank: str | None = None,
    reader: str | None = None,
    log: bool | None = None,
    announce: Callable[[str], None] = lambda sentence: None,
) -> Library:
    """Opens the store at a folder or DSN, by default RAG_DB or `.rag`; with `write` it may be new, and can be filled.

    `model` is the encoder, a hub id or a folder, and `compute` its arithmetic; by default those of the store and of the
    CPU. `language` is that of questions and documents: a code such as `en`, `none`, or `auto` to find it out. `llm` names
    the language model that writes answers, `hf:FOLDER_OR_ID`, `openai:MODEL@URL` or `langchain:PACKAGE:MODEL`, whose
    package is imported; by default answers are quotations. `rerank` names a cross-encoder that orders what a search has
    found, and `reader` a model that marks the answer in it: hub ids or folders; by default there is neither.

    A library that `yields` gives the folder of a store to another process that wants to write, and reads through that one.
    `query_prompt` and `document_prompt` are put before questions and documents in place of the model's own; the store
    remembers them. With `log`, by default where RAG_LOG_QUERIES is 1, every question is kept in the store with its hits and
    its answer. `announce` is told in sentences what takes long or was left undone.

    Raises NoStore where there is none to read, StoreBusy where another process has it, StoreMismatch for another version's.
    """
    settings = read_settings(compute)
    store = Store.open(location or settings.store, write=write, yields=yields, announce=announce)
    prompts = Prompts(query_prompt, document_prompt)
    keeps = settings.log_queries if log is None else log
    return Library(
        store,
        settings=settings,
        model=model,
        prompts=prompts,
        language=language,
        llm=llm,
        rerank=rerank,
        reader=reader,
        log=QueryLog(store, announce) if keeps else None,
        announce=announce,
    )


class Log(Protocol):
    """Whatever can keep a query (sql/store/query_log.py)."""

    def write(self, query: LoggedQuery) -> bool:
        """Keeps a query; whether that was done."""

    def close(self) -> None:
        """Gives up what was opened to write."""


@dataclass
class Library:
    """Documents that can be asked. Safe to use from any thread; closed with the `with` statement or `close`.

    `encoder` is loaded when it is needed first. Each asynchronous method is its namesake without `a` in a thread.
    """

    store: Store
    source: Callable[[], Encoder] | None = (
        None  # of the encoder; by default the model the store was made with is loaded
    )
    settings: Settings = field(default_factory=read_settings)
    model: str | None = None
    prompts: Prompts = OWN_PROMPTS
    language: str = LANGUAGES[0]
    llm: str | None = None
    rerank: str | None = None
    reader: str | None = None
    log: Log | None = None  # that keeps what is asked
    announce: Callable[[str], None] = lambda sentence: None
    _encoder: Encoder | None = field(default=None, repr=False)
    _loading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _asked: int = field(default=0, repr=False)  # questions that were to be answered
    _language_models: dict[str, LanguageModel] = field(default_factory=dict, repr=False)
    _pair_models: dict[tuple[str, str], PairModel] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        # What looks for chunks; in a hybrid search it has to know how the encoder cuts words.
        self.retriever = Retriever(lambda: self.encoder.tokenizer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Gives the store back; another process can open it at once."""
        if self.log is not None:
            self.log.close()
        self.store.close()

    # Asking

    def ask(
        self,
        question: str | SearchRequest,
        *,
        llm: str | None = None,
        max_tokens: int = DEFAULT_ANSWER_TOKENS,
        context: int | None = None,
        strict: bool = False,
        min_confidence: float | None = None,
        rerank: str | None = None,
        reader: str | None = None,
        watch: Watch = unwatched,
        **options: Any,
    ) -> Answer | GeneratedAnswer:
        """Answers a question with quotations from the documents; `answered` is false where nothing fits it.

        `confidence` is the probability that the best sentence answers the question; an answer of less than
        `min_confidence`, by default DEFAULT_MIN_CONFIDENCE of sql.base.settings, is withheld. Its best sentence is `nearest`
        then.

        `options` are the fields of SearchRequest: `k`, `filter`, `ranking`... With `llm`, which goes before that of the
        library and may be `none`, a language model writes the answer from the same chunks, at most `max_tokens` long and
        with them in at most `context` tokens, and each of its sentences is checked against them: what they do not bear
        out is marked, or left out with `strict`. Where nothing fits the question, no model is asked to make something up.

        `rerank` and `reader` go before those of the library and may be `none` too. With a reader each quotation holds an
        answer that it has marked, and where it marks none nothing fits. An answer that was kept in the query log has its
        `query_id`.

        Raises UsageError for an empty question, an option there is not or a `min_confidence` that is no probability,
        NoStore for an empty store, ModelError for a model of another kind."""
        from rag.answer.answer import located
        from rag.answer.generation import Terms, generate_answer
        from rag.answer.logged import Timekeeper

        clock = Timekeeper(watch)
        spec, terms = self._checked_llm(llm), Terms(max_tokens, context, strict)
        choices = Choices(min_confidence, rerank or self.rerank, reader or self.reader)
        request = self.request(question, **options)
        sought, snapshot, hits = self._found_to_answer(request, choices, clock)
        quoted = self._quotation(sought, snapshot, hits, choices)
        answer: Answer | GeneratedAnswer = quoted
        if spec and quoted.answered:
            answer = generate_answer(self._language_model(spec), quoted.question, hits, terms, self.announce)
        answer = replace(answer, citations=located(snapshot, answer.citations), confidence=quoted.confidence)
        return self._kept(answer, request, snapshot, hits, clock, spec, choices)

    async def aask(self, question: str | SearchRequest, **options: Any) -> Answer | GeneratedAnswer:
        """`ask` in a thread."""
        return await asyncio.to_thread(lambda: self.ask(question, **options))

    def ask_stream(
        self,
        question: str | SearchRequest,
        *,
        llm: str | None = None,
        max_tokens: int = DEFAULT_ANSWER_TOKENS,
        context: int | None = None,
        strict: bool = False,
        min_confidence: float | None = None,
        rerank: str | None = None,
        reader: str | None = None,
        watch: Watch = unwatched,
        **options: Any,
    ) -> AnswerStream:
        """The same answer as it comes: its passages, its text in pieces that are checked already, at last all of it.

        Nothing happens before the first event is asked for. `cancel`, which the end of a `with` block calls too, ends the
        stream without its last event. A language model that fails or breaks off is a RagError, whatever came before.
        """
        from rag.answer.events import AnswerStream
        from rag.answer.generation import Terms

        spec, terms = self._checked_llm(llm), Terms(max_tokens, context, strict)
        choices = Choices(min_confidence, rerank or self.rerank, reader or self.reader)
        request = self.request(question, **options)
        return AnswerStream(lambda cancelled: self._events(request, spec, terms, choices, watch, cancelled))

    async def aask_stream(self, question: str | SearchRequest, **options: Any) -> AsyncIterator[Event]:
        """`ask_stream`, each event of which is waited for in a thread; it is cancelled with the task that listens."""
        with self.ask_stream(question, **options) as stream:
            while (event := await asyncio.to_thread(next, stream, None)) is not None:
                yield event

    def follow_up(self, question: str, turns: Sequence[Turn], *, llm: str | None = None) -> str:
        """A question as it has to be asked by itself, after the `turns` of a conversation, each a question and its answer.

        By rules, in English and German, which ask the encoder what is alike; with a language model by that, where the
        question leans on what was said. What needs no change comes back as it is.
        """
        from rag.answer.conversation import understood

        check_question(question)
        spec = self._checked_llm(llm)
        return understood(question, turns, self._likeness, self._language_model(spec) if spec and turns else None)

    async def afollow_up(self, question: str, turns: Sequence[Turn], **options: Any) -> str:
        """`follow_up` in a thread."""
        return await asyncio.to_thread(lambda: self.follow_up(question, turns, **options))

    def _likeness(self, text: str, phrases: Sequence[str]) -> list[float]:
        """How close the meaning of each of some phrases comes to that of a text: cosines."""
        vectors = self.encoder.encode_documents([text, *phrases])
        return [float(cosine) for cosine in vectors[1:] @ vectors[0]]

    def search(
        self,
        query: str | SearchRequest,
        *,
        rerank: str | None = None,
        watch: Watch = unwatched,
        logged: Callable[[UUID], None] = unheard,
        **options: Any,
    ) -> list[Hit]:
        """The chunks that fit a query best, best first; `options` are the fields of SearchRequest.

        `rerank` goes before the cross-encoder of the library, and `none` leaves the order to the search. `watch` hears of
        every statement that is run, `logged` the id under which the query was kept, if it was. A search by words loads no
        encoder, and its hits have no cosines, unless the request brings a vector. Raises UsageError for an empty query or
        an option there is not, InvalidFilter for a filter that nothing can pass, NoStore for an empty store.
        """
        return self._found(self.request(query, **options), rerank, watch, logged)[2].hits

    async def asearch(self, query: str | SearchRequest, **options: Any) -> list[Hit]:
        """`search` in a thread."""
        return await asyncio.to_thread(lambda: self.search(query, **options))

    def search_many(
        self,
        queries: Sequence[str | SearchRequest],
        *,
        rerank: str | None = None,
        watch: Watch = unwatched,
        **options: Any,
    ) -> list[list[Hit]]:
        """What `search` finds for each of several queries, in their order, in less time: they are encoded together, and share
        statements where the store is small. `watch` hears of a statement once for each that shares it.

        Raises the error of a query that has one; what shows in a request by itself is refused before anything is searched.
        """
        requests = [self.request(query, **options) for query in queries]
        unread = {
            place: one.question for place, one in enumerate(requests) if one.vector is None and one.ranking != "words"
        }
        if unread:
            questions = list(dict.fromkeys(unread.values()))
            vectors = dict(zip(questions, self.encoder.encode_queries(questions), strict=True))
            for place, question in unread.items():
                requests[place] = replace(requests[place], vector=vectors[question])
        return at_one_time(lambda request: self.search(request, rerank=rerank, watch=watch), requests)

    async def asearch_many(self, queries: Sequence[str | SearchRequest], **options: Any) -> list[list[Hit]]:
        """`search_many` in a thread."""
        return await asyncio.to_thread(lambda: self.search_many(queries, **options))

    def certified_search(
        self,
        query: str | SearchRequest,
        *,
        rerank: str | None = None,
        watch: Watch = unwatched,
        logged: Callable[[UUID], None] = unheard,
        **options: Any,
    ) -> tuple[list[Hit], Certificate]:
        """The same chunks, and what is proven of their order by float32 vectors, of which the store has only the codes.

        In a large store it takes one more look at every chunk. Raises UsageError where a reranker decides the order."""
        request, snapshot, found = self._found(self.request(query, **options), rerank, watch, logged)
        return found.hits, certify_hits(self.retriever, snapshot, request, found.hits, found.scored)

    async def acertified_search(self, query: str | SearchRequest, **options: Any) -> tuple[list[Hit], Certificate]:
        """`certified_search` in a thread."""
        return await asyncio.to_thread(lambda: self.certified_search(query, **options))

    def request(self, question: str | SearchRequest, **options: Any) -> SearchRequest:
        """What is asked for as a request: in words with options, or one that is made already, perhaps with changes."""
        if isinstance(question, SearchRequest):
            return replace(question, **options) if options else question
        check_question(question)
        try:
            return SearchRequest(question, **({"language": self.language} | options))
        except TypeError as error:
            known = ", ".join(name for name in SearchRequest.__slots__ if name not in {"question", "condition"})
            raise UsageError(f"{', '.join(options)}: not all are options of a search, which are {known}") from error

    # The encoder, and the chunks it finds

    @property
    def encoder(self) -> Encoder:
        """The encoder of the store, loaded on first use; StoreMismatch where another one is asked for."""
        with self._loading:
            if self._encoder is None:
                self._encoder = self.source() if self.source else self._load_encoder()
            return self._encoder

    def _load_encoder(self, *, few_texts: bool = True) -> Encoder:
        from rag.encoder.encoder import choose_model, load_encoder

        collection = self.store.collection()
        model, prompts = choose_model(self.settings, self.model, collection), choose_prompts(self.prompts, collection)
        encoder = load_encoder(self.settings, model, prompts=prompts, few_texts=few_texts, announce=self.announce)
        self.store.made_with.check_encoder(encoder.identity)
        return encoder

    def document_encoder(self) -> Encoder:
        """The same encoder made for many texts, which questions are encoded by from then on."""
        with self._loading:
            if self.source is None:
                encoder = self._load_encoder(few_texts=False)
                self.source, self._encoder = (lambda: encoder), encoder
        return self.encoder

    def _snapshot(self, request: SearchRequest) -> Snapshot:
        if self.store.collection() is None:
            raise NoStore(self.store.emptiness)
        return self.store.snapshot(request.epoch)

    def _found(
        self, request: SearchRequest, rerank: str | None, watch: Watch, logged: Callable[[UUID], None]
    ) -> tuple[SearchRequest, Snapshot, Found]:
        """What a request finds, with the request as it was searched with and the store as it was searched."""
        from rag.answer.logged import Timekeeper, logged_search

        clock, asked = Timekeeper(watch), request
        if request.vector is None and request.ranking != "words":
            request = replace(request, vector=self.encoder.encode_query(request.question))
            clock.done("encode")
        snapshot, request = self._snapshot(request), self._with_reranker(request, rerank)
        found = self.retriever.find(snapshot, request, clock.heard)
        hits = snapshot.with_places(found.hits)
        if self.log is not None and request.question:  # a bare vector could not be asked again
            query = logged_search(asked, snapshot.epoch, hits, clock, rerank=rerank or self.rerank)
            if self.log.write(query):
                logged(query.query_id)
        return request, snapshot, replace(found, hits=hits)

    def _kept(
        self,
        answer: Answer | GeneratedAnswer,
        request: SearchRequest,
        snapshot: Snapshot,
        hits: Sequence[Hit],
        clock: Timekeeper,
        llm: str | None,
        choices: Choices,
    ) -> Answer | GeneratedAnswer:
        """An answer, which is logged where that is wanted and then has the id under which it is."""
        from rag.answer.logged import logged_answer

        clock.done("answer")
        if self.log is None or not request.question:
            return answer
        # The address of a language model is nobody else's business.
        said = asdict(choices) | {"llm": llm.partition("@")[0] if llm else None}
        query = logged_answer(request, snapshot.epoch, hits, answer, clock, **said)
        return replace(answer, query_id=str(query.query_id)) if self.log.write(query) else answer

    def _found_to_answer(
        self, request: SearchRequest, choices: Choices, clock: Timekeeper
    ) -> tuple[SearchRequest, Snapshot, list[Hit]]:
        """A request with its vector, and the chunks that were found for it, without their places."""
        self._asked += 1
        if self._asked == 2:  # loading torch takes longer than one answer without it, not than several
            self.encoder.expect_many_texts()
        vector = self.encoder.encode_query(request.question) if request.vector is None else request.vector
        clock.done("encode")
        snapshot = self._snapshot(request)
        self._pair_model(choices.reader, READ)  # where it cannot be loaded, that is said before anything else
        request = self._with_reranker(replace(request, vector=vector), choices.rerank)
        return request, snapshot, snapshot.with_outlines(self._chunks_to_answer_from(snapshot, request, clock.heard))

    def _quotation(self, request: SearchRequest, snapshot: Snapshot, hits: list[Hit], choices: Choices) -> Answer:
        """The sentences of chunks that answer a question, without their places; a nearest one has them."""
        from rag.answer.answer import answer_question, with_nearest_located
        from rag.answer.reading import read_answer
        from rag.retrieve.words import word_rarities

        reader = self._pair_model(choices.reader, READ)
        if reader is not None:
            return read_answer(request.question, hits, reader, choices.min_confidence)
        assert request.vector is not None  # noqa: S101 - `_found_to_answer` has given it one
        rarities = word_rarities(snapshot, request.question, request.language)
        answer = answer_question(request.question, request.vector, hits, self.encoder, rarities, choices.min_confidence)
        return with_nearest_located(snapshot, answer)

    def _events(
        self,
        request: SearchRequest,
        spec: str | None,
        terms: Terms,
        choices: Choices,
        watch: Watch,
        cancelled: threading.Event,
    ) -> Iterator[Event]:
        """What `ask_stream` tells."""
        from rag.answer.answer import located
        from rag.answer.events import Finished, Passages, Token
        from rag.answer.generation import quoted_events, stream_answer
        from rag.answer.logged import Timekeeper

        clock = Timekeeper(watch)
        sought, snapshot, hits = self._found_to_answer(request, choices, clock)
        if not spec:  # which passages a language model is shown depends on its prompt
            yield Passages(tuple(snapshot.with_places(hits)))
        quoted = self._quotation(sought, snapshot, hits, choices)
        events = quoted_events(quoted, hits)
        if spec and quoted.answered and not cancelled.is_set():
            model = self._language_model(spec)
            events = stream_answer(model, quoted.question, hits, terms, self.announce, cancelled)
        for event in events:
            if isinstance(event, Passages) and spec:
                yield replace(event, hits=tuple(snapshot.with_places(event.hits)))
            elif isinstance(event, Finished):
                citations = located(snapshot, event.answer.citations)
                answer = replace(event.answer, citations=citations, confidence=quoted.confidence)
                yield Finished(self._kept(answer, request, snapshot, hits, clock, spec, choices))
            elif isinstance(event, Token):
                yield event

    def _chunks_to_answer_from(self, snapshot: Snapshot, request: SearchRequest, watch: Watch) -> list[Hit]:
        """Those that fit best, of which those first that tell by exact names and definitions."""
        from rag.answer.answer import looked_at, most_telling

        most = looked_at(request.question, request.k, is_reranked=request.reranker is not None)
        wanted = replace(request, k=most)
        return most_telling(request.question, self.retriever.retrieve(snapshot, wanted, watch))[: request.k]

    # Models of pairs, and language models

    def reranker(self, rerank: str | None = None) -> CrossEncoder | None:
        """The cross-encoder of a name, by default that of the library; None where neither names one."""
        model = self._pair_model(rerank or self.rerank, RERANK)
        return None if model is None else CrossEncoder(model)

    def _with_reranker(self, request: SearchRequest, rerank: str | None) -> SearchRequest:
        """The request with a cross-encoder as its reranker; as it is where it brings its own, or none is asked for."""
        found = None if request.reranker is not None else self.reranker(rerank)
        return request if found is None else replace(request, reranker=found)

    def _pair_model(self, name: str | None, task: str) -> PairModel | None:
        """The cross-encoder or reader of a name, loaded once; None for no name or `none`.

        What computes it is made in a thread: loading it takes longer than a search.
        """
        if name is None or name == "none":
            return None
        from rag.encoder.pairs import load_pair_model

        with self._loading:
            if (name, task) not in self._pair_models:
                model = load_pair_model(self.settings, name, task, announce=self.announce)
                model.encoder.make_kernel_ahead()
                self._pair_models[name, task] = model
        return self._pair_models[name, task]

    def _checked_llm(self, llm: str | None) -> str | None:
        """The language model to write with, checked as far as that goes without loading it; None for quotations."""
        spec = llm or self.llm
        if spec is None or spec == "none":
            return None
        from rag.answer.models.choice import check_spec

        check_spec(spec)
        return spec

    def _language_model(self, spec: str) -> LanguageModel:
        """The language model of that name, loaded when it is needed first."""
        from rag.answer.models.choice import load_language_model

        with self._loading:
            if spec not in self._language_models:
                self._language_models[spec] = load_language_model(self.settings, spec, announce=self.announce)
            return self._language_models[spec]

    # The store

    def documents(self) -> list[LiveDocument]:
        """Every document of the store, ordered by path."""
        return self.store.snapshot().documents() if self.store.collection() else []

    async def adocuments(self) -> list[LiveDocument]:
        """`documents` in a thread."""
        return await asyncio.to_thread(self.documents)

    def sql(
        self, statement: str, parameters: Mapping[str, Value] | None = None, *, query: str | None = None
    ) -> list[dict[str, Any]]:
        """What a statement of your own returns, a dict for each row; nothing is changed unless opened with `write`.

        `parameters` are the values of its `{name:Type}` places. `{epoch:UInt64}` is the newest epoch unless they say
        otherwise, and `{query:Array(Float32)}` the vector of the text `query`.
        Raises StoreError where the engine refuses the statement.
        """
        if self.store.client.read_only:
            refuse_files(statement, "write what it returns yourself")
        return self.store.client.rows(statement, self._bound(statement, parameters or {}, query))

    async def asql(
        self, statement: str, parameters: Mapping[str, Value] | None = None, *, query: str | None = None
    ) -> list[dict[str, Any]]:
        """`sql` in a thread."""
        return await asyncio.to_thread(lambda: self.sql(statement, parameters, query=query))

    def _bound(self, statement: str, given: Mapping[str, Value], query: str | None) -> dict[str, Value]:
        """The given values, and those of the places that have a meaning of their own."""
        places, values = {match[1] for match in PARAMETER.finditer(statement)}, dict(given)
        if query is not None and "query" not in places:
            raise UsageError("query gives {query:Array(Float32)} its value, and the statement does not have it")
        if "epoch" in places and "epoch" not in values:
            values["epoch"] = self.store.epoch()
        if query is not None:
            values["query"] = self.encoder.encode_query(query).tolist()
        return values

    def stats(self) -> Stats:
        """Rows, bytes and generations of the store, counted now."""
        from sql.upkeep.stats import read_stats

        return read_stats(self.store)

    async def astats(self) -> Stats:
        """`stats` in a thread."""
        return await asyncio.to_thread(self.stats)
