"""`log`, `explain` and `replay`: the questions that were kept, why one was answered so, and what it would find now."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rag.commands.ask import snippet
from sql.base.errors import EXIT_NOTHING_FOUND, EXIT_OK, UsageError
from sql.base.terminal import note, one_line, out, out_emphasized, out_json, shown_name
from sql.base.wording import counted

if TYPE_CHECKING:
    from argparse import Namespace

    from rag.evaluate.replay import Place, Replay
    from sql.engine.client import Row

SHOWN_OF_ID = 8  # characters of an id in a list: enough to name one
SNIPPET = 160


def log(options: Namespace) -> int:
    """Lists the newest questions that were kept (--log, RAG_LOG_QUERIES), or sets how long they are kept."""
    from sql.store import Store
    from sql.store.query_log import QueryLog

    if options.n < 1:
        raise UsageError(f"-n {options.n}: list at least 1 query")
    if options.keep is not None:
        return keep(options)
    with Store.open(options.db) as store:
        rows = QueryLog(store).newest(options.n)
    if options.json:
        out_json({"queries": [query_record(row) for row in rows]})
    else:
        for row in rows:
            what = row["kind"] if row["answered"] else f"{row['kind']}, nothing"
            out_emphasized(
                f"{str(row['query_id'])[:SHOWN_OF_ID]}  {asked_at(row)}  {what:15}{row['milliseconds']:8.0f} ms  ",
                one_line(row["question"]),
            )
        if not rows:
            out("No query was kept: --log or RAG_LOG_QUERIES=1 keeps those that are asked.")
    return EXIT_OK if rows else EXIT_NOTHING_FOUND


def keep(options: Namespace) -> int:
    """What `--keep` does: nothing of the documents is touched."""
    from sql.records.queries import Retention
    from sql.store import Store
    from sql.store.query_log import QueryLog

    if not options.keep:
        raise UsageError("--keep is empty: write 90d, 12h, 1000 (the newest) or all")
    Retention.from_text(options.keep)  # before a store is opened for writing
    with Store.open(options.db, write=True, announce=note) as store:
        forgotten = QueryLog(store).keep(options.keep)
    if options.json:
        out_json({"keep": options.keep, "forgotten": forgotten})
    else:
        out(f"queries are kept: {options.keep}; {forgotten} forgotten")
    return EXIT_OK


def asked_at(row: Row) -> str:
    """When a query was asked, in UTC."""
    return datetime.fromtimestamp(row["asked_milliseconds"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def query_record(row: Row) -> dict[str, Any]:
    """A kept query as JSON."""
    return {
        "query_id": str(row["query_id"]),
        "asked_at": datetime.fromtimestamp(row["asked_milliseconds"] / 1000, UTC).isoformat(),
        "kind": row["kind"],
        "question": row["question"],
        "request": json.loads(row["request"]),
        "epoch": row["epoch"],
        "hits": row["hit_count"],
        "answered": bool(row["answered"]),
        "answer": row["answer"],
        "confidence": row["confidence"],
        "milliseconds": row["milliseconds"],
    }


# explain


def explain_query(options: Namespace) -> int:
    """Shows why a kept question was answered as it was: its hits with the score of each stage, and where the time went."""
    from sql.store import Store
    from sql.store.query_log import QueryLog

    with Store.open(options.db) as store:
        kept = QueryLog(store)
        statement, rows = kept.explain(kept.find(options.id)["query_id"])
    if options.show_sql:
        (note if options.json else out)(f"{statement.as_script()}\n")
    if options.json:
        out_json(explained_record(rows))
    else:
        show_explained(rows)
    return EXIT_OK


def explained_record(rows: list[Row]) -> dict[str, Any]:
    """A query with its hits as JSON."""
    query = rows[0]
    hits = ("rank", "source", "heading", "line", "score", "vector_score", "bm25_score", "best_citation")
    return {
        "query_id": str(query["query_id"]),
        "asked_at": query["asked_at"].replace(tzinfo=query["asked_at"].tzinfo or UTC).isoformat(),
        "kind": query["kind"],
        "question": query["question"],
        "request": json.loads(query["request"]),
        "epoch": query["epoch"],
        "answered": bool(query["answered"]),
        "answer": query["answer"],
        "confidence": query["confidence"],
        "milliseconds": query["milliseconds"],
        "steps": [
            {"stage": stage, "milliseconds": milliseconds}
            for stage, milliseconds in zip(query["stages"], query["stage_milliseconds"], strict=True)
        ],
        "hits": [
            {name: row[name] for name in hits}
            | {"start": row["char_start"], "end": row["char_end"], "page": row["page"] or None, "text": row["text"]}
            for row in rows
            if row["rank"]
        ],
    }


def show_explained(rows: list[Row]) -> None:
    """The question, what was answered, where the time went, and a line of scores for each hit."""
    query = rows[0]
    asked = ", ".join(f"{name} {value}" for name, value in json.loads(query["request"]).items())
    out(one_line(query["question"]))
    out(f"{query['kind']} at epoch {query['epoch']}: {one_line(asked)}")
    spent = [
        f"{one_line(stage)} {ms:.1f}" for stage, ms in zip(query["stages"], query["stage_milliseconds"], strict=True)
    ]
    out(f"{query['milliseconds']:.1f} ms: {', '.join(spent)}")
    if query["confidence"] is not None:
        out(f"confidence {query['confidence']:.3f}")
    if query["kind"] == "ask":
        out(f"answer: {one_line(query['answer']) or 'none'}")
    out()
    out("rank   score    int8    bm25   cited")
    for row in rows:
        if row["rank"]:
            place = f"{shown_name(row['source'])}:{row['line']}"
            out_emphasized(f"{row['rank']:4}{scores(row)}  ", f"{place}  {one_line(row['heading'])}".rstrip())
            text = one_line(row["text"]) if row["text"] else "(its text is no longer kept)"
            out(f"        {snippet(text, SNIPPET)}")


def scores(row: Row) -> str:
    """The scores of a hit, a dash for one that it does not have."""
    return "".join(
        f"{'-' if row[name] is None else format(row[name], '.3f'):>8}"
        for name in ("score", "vector_score", "bm25_score", "best_citation")
    )


# replay


def replay(options: Namespace) -> int:
    """Asks a kept question again, at its own epoch while that is kept, or at the newest with --today, and shows what changed."""
    import rag.library
    from rag.evaluate.replay import replay_query

    with rag.library.open(options.db, compute=options.compute, log=False, announce=note) as library:
        found = replay_query(library, options.id, today=options.today, announce=note)
    if options.json:
        out_json(found.record())
    else:
        show_replay(found)
    return EXIT_OK


def show_replay(found: Replay) -> None:
    """What stayed, came and went, and both answers where they differ."""
    out(one_line(found.logged["question"]))
    out(f"epoch {found.logged['epoch']} then, {found.epoch} now")
    if found.same_hits:
        out(f"the same {counted(len(found.now), 'hit')} in the same order")
    else:
        moved = {place: (then, now) for place, then, now in found.kept}
        for rank, place in enumerate(found.now, start=1):
            then = moved[place][0] if place in moved else None
            mark = "new" if then is None else "same" if then == rank else f"was {then}"
            out(f"{rank:4}  {mark:7} {shown_span(place)}")
        for place, rank in found.gone:
            out(f"   -  was {rank:<4}{shown_span(place)}")
    if found.logged["kind"] != "ask":
        return
    if found.same_answer:
        out("the same answer")
    else:
        out(f"then: {one_line(found.logged['answer']) or 'no answer'}")
        out(f"now:  {one_line(found.answer_now) or 'no answer'}")


def shown_span(place: Place) -> str:
    """A place as people read it."""
    source, start, end = place
    return f"{shown_name(source)}, characters {start} to {end}"
