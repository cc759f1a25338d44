"""Hostile text through every parameter: it is looked for, stored or refused, and never carried out."""

from __future__ import annotations

import random
import string
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import (
    DIMENSIONS,
    QUANTIZER,
    chunks_of,
    hash_encoder,
    identity,
    open_store,
    publish_document,
    search,
    source_document,
    vectors_of,
    way,
)
from test_server import what_is_stored

from rag.answer.answer import answer_question
from rag.int8.quantization import quantize_query
from sql.base.errors import RagError
from sql.records import QuantizedQuery
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server import Server

    from rag.text.tokenizer import Tokenizer

GOALS = (
    "DROP TABLE chunks",
    "DELETE FROM manifest WHERE 1",
    "INSERT INTO manifest SELECT * FROM manifest",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "TRUNCATE TABLE texts",
    "SET readonly = 0",
    "CREATE TABLE stolen ENGINE = Memory AS SELECT 1",
    "ALTER TABLE chunks UPDATE text = 'x' WHERE 1",
)
ESCAPES = (
    "'; {} --",
    "' OR 1 = 1; {}; --",
    "\\'; {} --",
    "\\\\'; {} /*",
    '"; {} --',
    "`; {} --",
    "x') UNION ALL SELECT ({}) --",
    "{{x:String}}'; {}",
    "{{query:Array(Int16)}} {}",
    "']; {} --",
    "1); {} /* ",
    "*/ {} /*",
    "\x00'; {}",
    "\n;\n{};\n",
    "\r\n\r\n{}",
    "%27%3B {}",
    "ʼ; {} ––",
    "＇；{}",
    "$$; {} $$",
    "\t\\N\t{}",
    "𝕊𝔼𝕃𝔼ℂ𝕋 {}",
    "&param_x=1&query={}",
)
EVERY_DAY, SOAK = 5, 200
QUERY = quantize_query(np.ones(DIMENSIONS, dtype=np.float32))


def payloads(count: int) -> Iterator[str]:
    """Attempts to leave a string, a parameter, a statement, an HTTP field; the last one is 1 MB long."""
    draw = random.Random(count)
    for number in range(count - 1):
        escape = ESCAPES[number % len(ESCAPES)].format(draw.choice(GOALS))
        noise = "".join(draw.choice(string.punctuation + "\n\\'\"` äж猫") for _ in range(draw.randint(0, 12)))
        yield noise + escape + (noise if number >= len(ESCAPES) else "")
    yield "'; DROP TABLE chunks; --" * 43_000


def hostile_filters(payload: str) -> Iterator[dict[str, object]]:
    """A payload in every place of a filter that finds nothing of its own."""
    yield {payload: 1}
    yield {f"metadata.{payload}": payload}
    yield {"source": payload}
    yield {"metadata.tags": [payload, 1]}
    yield {"path": {"$glob": f"{payload}*nothing"}}
    yield {"title": {"$like": f"{payload}%nothing"}}
    yield {"heading": {"$gt": f"~{payload}"}}
    yield {"source": {payload: "x"}}
    yield {"$and": [{"source": {"$in": [payload]}}, {"line": {"$gte": 0}}]}


@pytest.fixture
def database(server: Server) -> str:
    name = server.new_database()
    with open_store(server.dsn(name)) as store:
        publish_document(store, "a.txt", ["the cat sat", "the dog runs"])
    return name


COUNTS = [EVERY_DAY, pytest.param(SOAK, marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", COUNTS)
def test_no_question_number_or_model_name_changes_anything_for_a_reader(
    server: Server, database: str, tokenizer: Tokenizer, count: int
) -> None:
    encoder, _ = hash_encoder(tokenizer)
    before = what_is_stored(server, database)
    with Store.open(server.dsn(database, "reader")) as store:
        for number, payload in enumerate(payloads(count)):
            with suppress(RagError):  # a question that is too long is refused
                vector = encoder.encode_query(payload)
                hits = search(store, quantize_query(vector), 2)
                assert len(hits) == 2
                answer_question(payload, vector, hits, encoder)
            with pytest.raises((RagError, TypeError, ValueError)):
                search(store, QUERY, payload)  # type: ignore[arg-type]
            with pytest.raises((RagError, TypeError, ValueError)):
                store.snapshot(payload).documents()  # type: ignore[arg-type]
            for wanted in hostile_filters(payload):
                with suppress(RagError):  # what no name or pattern can be is refused
                    assert search(store, QUERY, 2, filter=wanted, **way(("exact", "two-stage")[number % 2])) == []
            with pytest.raises(RagError):
                store.made_with.check_encoder(identity(model=payload))
    assert what_is_stored(server, database) == before


@pytest.mark.parametrize("count", COUNTS)
def test_every_path_title_and_text_a_writer_stores_comes_back_as_it_was(
    server: Server, database: str, count: int
) -> None:
    with Store.open(server.dsn(database, "writer"), write=True) as store:
        store.prepare(identity(), QUANTIZER)
        sent = {f"{number} {payload}": payload for number, payload in enumerate(payloads(count))}
        drafts = []
        for path, payload in sent.items():
            draft = store.writer.begin(source_document(path, extracted_text=payload))
            store.writer.insert(
                ChunkBatch([(draft, chunk) for chunk in chunks_of([payload])], vectors_of([payload[:100]]))
            )
            drafts.append(draft)
        store.writer.publish(drafts)
        tables = server.ask(
            "SELECT groupArray(name) FROM (SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY 1)",
            database,
        )
        assert "stolen" not in tables
        assert {source: text for source, text in store.snapshot().chunk_texts() if source != "a.txt"} == sent
        assert {document.source for document in store.snapshot().documents()} == {"a.txt", *sent}
        assert store.snapshot().damaged_documents() == []
        query = QuantizedQuery(np.ones(DIMENSIONS, dtype=np.int16), 1.0)
        assert {hit.text for hit in search(store, query, 10_000)} == {*sent.values(), "the cat sat", "the dog runs"}
