"""Documents with groups on a real server: what each user reaches, in every table, view, search and statistic."""

from __future__ import annotations

import random
import re
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest
from server import MEMBERS, PASSWORD, ROLES, Server, running_server
from support import (
    DIMENSIONS,
    chunks_of,
    open_store,
    publish_document,
    search,
    source_document,
    vectors_of,
    visible_texts,
)

from rag.commands.command_line import command
from rag.int8.quantization import quantize_query
from rag.library import Library
from rag.text.analyser import ANALYSER, chunk_words
from sql.base.errors import StoreError, UsageError
from sql.engine.location import parse_location
from sql.engine.statements import policy_statements, read_statement
from sql.records.choice import SearchChoice
from sql.records.places import Page, Place
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Store
from sql.store.groups import ALL_DOCUMENTS, DocumentGroups, policy_script
from sql.upkeep.reach import conditions, reach_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from sql.store import Draft

WORDS = ("cat", "dog", "mouse", "bird", "fish", "horse")
GROUPS = ("hr", "legal", "research", "everyone")
# Tables of whose rows a user has those of versions that he may read.
OWNED = ("document_groups", "manifest", "chunks", "texts", "places", "lengths", "postings", "float_references")
HIDDEN = ("cells", "queries")  # of which a user has no row at all
VECTOR = np.ones(DIMENSIONS, dtype=np.float32)
QUERY = quantize_query(VECTOR)
LITERAL = str(VECTOR.tolist())
VIEWS = {
    "live_documents(epoch = {epoch})": "source",
    "live_chunks(epoch = {epoch})": "source",
    "live_vectors(epoch = {epoch})": "source",
    "nearest_chunks(epoch = {epoch}, query = {vector})": "source",
    "certified_chunks(epoch = {epoch}, query = {vector}, k = 1000)": "source",
    "vector_drift(epoch = {epoch})": "folder",
    "score_drift(epoch = {epoch}, query = {vector})": "folder",
}


def write_document(store: Store, path: str, texts: Sequence[str]) -> Draft:
    """A draft with all that a document can have: chunks, words, an extracted text, a place and a float vector."""
    place = Place(0, 3, Page(1))
    draft = store.writer.begin(source_document(path, extracted_text=" ".join(texts), places=[place]))
    vectors = vectors_of(texts)
    batch = ChunkBatch(
        [(draft, chunk) for chunk in chunks_of(texts)],
        vectors,
        [chunk_words(text, "en") for text in texts],
        {0: vectors.dequantize()[0]},
    )
    store.writer.insert(batch)
    return draft


def roles_of(user: str, members: Mapping[str, Sequence[str]]) -> set[str]:
    """The model of who is in which group."""
    roles = set(members[user])
    while more := {other for role in roles for other in ROLES[role]} - roles:
        roles |= more
    return roles | {"everyone"}


class Model:
    """What is in a store, and who may read it, kept beside it in plain Python."""

    def __init__(self, store: Store, members: Mapping[str, Sequence[str]], drawn: random.Random) -> None:
        self.store, self.members, self.drawn = store, members, drawn
        self.texts: dict[str, list[str]] = {}
        self.groups: dict[str, set[str]] = {}
        self.ids: dict[str, UUID] = {}
        self.live: dict[str, int] = {}
        self.opened: dict[str, dict[int, set[str]]] = {}  # of each path every version with the groups that may read it

    def write(self, paths: Sequence[str]) -> None:
        """New versions of some documents."""
        drafts = []
        for path in paths:
            texts = [
                " ".join(self.drawn.choices(WORDS, k=self.drawn.randint(1, 5))) for _ in range(self.drawn.randint(1, 3))
            ]
            # one word of its own, so that a leak can be told by its word
            texts[0] += f" secret{path.replace('/', '').replace('.txt', '')}"
            drafts.append(write_document(self.store, path, texts))
            self.texts[path], self.ids[path] = texts, drafts[-1].document_id
            carried = self.groups[path] if path in self.live else set()
            self.live[path], self.groups[path] = drafts[-1].generation, set(carried)
            self.opened.setdefault(path, {})[drafts[-1].generation] = set(carried)
        self.store.writer.publish(drafts)

    def regroup(self, paths: Sequence[str]) -> None:
        """Other groups for some documents, perhaps none."""
        wanted = {path: set(self.drawn.sample(GROUPS, self.drawn.randint(0, 2))) for path in paths}
        DocumentGroups(self.store).set({self.ids[path]: groups for path, groups in wanted.items()})
        for path, groups in wanted.items():
            self.opened[path] = {version: old & groups for version, old in self.opened[path].items()}
            self.opened[path][self.live[path]] = groups
        self.groups |= wanted

    def remove(self, path: str) -> None:
        """A document that is not there any longer; if it comes back it belongs to nobody."""
        live = [one for one in self.store.snapshot().documents() if one.source == path]
        self.store.writer.publish([], live)
        del self.texts[path], self.live[path], self.groups[path]

    def readable(self, user: str) -> dict[str, list[str]]:
        """The documents that a user may read, with their texts."""
        own = roles_of(user, self.members)
        return {path: texts for path, texts in self.texts.items() if self.groups.get(path, set()) & own}

    def versions(self, user: str) -> tuple[set[int], set[int]]:
        """The versions that a user may read, and those of them that are the newest."""
        own = roles_of(user, self.members)
        allowed = {version for one in self.opened.values() for version, groups in one.items() if groups & own}
        return allowed, allowed & set(self.live.values())


def assert_reach(server: Server, database: str, user: str, model: Model, reader: Store, *, views: bool = True) -> None:
    """Everything that a user can ask gives exactly what he may read."""
    readable = model.readable(user)
    now = reader.snapshot()
    assert visible_texts(reader) == readable
    assert {one.source for one in now.documents()} == set(readable)
    allowed, live = model.versions(user)
    for table in OWNED:
        published = " WHERE kind = 'publish'" if table == "manifest" else ""
        found = set(map(int, server.ask(f"SELECT DISTINCT generation FROM {table}{published}", database, user).split()))
        assert live <= found <= allowed, (user, table)  # old versions are there until they are collected
    for table in HIDDEN:
        assert server.ask(f"SELECT count() FROM {table}", database, user) == "0"
    for view, column in VIEWS.items() if views else ():
        text = view.format(epoch=now.epoch, vector=LITERAL)
        found = set(server.ask(f"SELECT DISTINCT {column} FROM {text}", database, user).split())
        assert found == ({path.partition("/")[0] for path in readable} if column == "folder" else set(readable)), view
    assert_statistics(model, user, reader)
    assert_searches(model, user, reader)


def assert_statistics(model: Model, user: str, reader: Store) -> None:
    """Word statistics are those of a store that holds nothing else."""
    now, texts = reader.snapshot(), [text for texts in model.readable(user).values() for text in texts]
    counts = Counter(term for text in texts for term in chunk_words(text, "en").terms)
    lengths = [chunk_words(text, "en").length for text in texts]
    every = [term for texts in model.texts.values() for text in texts for term in chunk_words(text, "en").terms]
    assert now.term_frequencies(every) == dict(counts)
    statistics = now.text_statistics()
    assert (statistics.chunk_count, statistics.term_count) == (len(texts), sum(lengths))
    assert now.chunk_count() == len(texts)


def assert_searches(model: Model, user: str, reader: Store) -> None:
    """Each way of searching finds every chunk that may be read, k where k are there, and scores them as in such a store."""
    readable = model.readable(user)
    count = sum(len(texts) for texts in readable.values())
    exact = [(hit.source, hit.chunk_index) for hit in search(reader, QUERY, 1000, strategy="exact")]
    assert len(exact) == count
    for strategy in ("auto", "two-stage"):
        for k in (1, 3, 1000):
            hits = search(reader, QUERY, k, strategy=strategy, candidates=max(k, 2))
            assert len(hits) == min(k, count), (strategy, k)
            assert {hit.source for hit in hits} <= set(readable)
    library = Library(reader, None)
    for word in (*WORDS[:2], "secreta0", "secretb1"):
        holding = {path for path, texts in readable.items() if any(word in text.split() for text in texts)}
        assert {hit.source for hit in library.search(word, k=1000, ranking="words")} == holding
    now = reader.snapshot()
    everything = now.score_everything(QUERY, SearchRequest(k=5), list(WORDS))
    assert len(everything.chunks) == count


def play(server: Server, members: Mapping[str, Sequence[str]], seed: int, steps: int) -> None:
    """Random documents and groups; after each change every user is compared with the model, in a store that stays open."""
    drawn, database = random.Random(seed), server.guarded_database()
    with ExitStack() as stack:
        store = stack.enter_context(open_store(server.dsn(database)))
        store.revise(analyser=ANALYSER)
        model = Model(store, members, drawn)
        model.write([f"{folder}/{number}.txt" for folder in "ab" for number in range(3)])
        model.regroup(sorted(model.texts)[1:])
        readers = {user: stack.enter_context(Store.open(server.dsn(database, user))) for user in members}
        server.ask("INSERT INTO cells (version, cell) VALUES (1, 1)", database)
        server.ask("INSERT INTO queries (question, answer) VALUES ('who earns what?', 'secreta0')", database)
        for _ in range(steps):
            for user, reader in readers.items():
                assert_reach(server, database, user, model, reader, views=False)
            paths = sorted(model.texts)
            some = drawn.sample(paths, 3)
            for change in drawn.sample(("write", "regroup", "remove", "new"), 2):
                if change == "write":
                    model.write([path for path in some if path in model.texts])
                elif change == "regroup":
                    model.regroup([path for path in some if path in model.texts])
                elif change == "remove":
                    model.remove(some[0])
                    some = some[1:]
                else:
                    model.write([f"{drawn.choice('ab')}/{drawn.randint(0, 9)}.txt"])
            if drawn.random() < 0.3:
                store.garbage.collect_superseded(0)
        for user, reader in readers.items():
            assert_reach(server, database, user, model, reader)


def test_every_user_reaches_the_documents_of_his_groups_and_nothing_of_others(server: Server) -> None:
    play(server, {user: MEMBERS[user] for user in ("anna", "dora")}, seed=1, steps=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_with_users_of_random_roles_no_row_of_another_group_is_reached(seed: int) -> None:
    drawn = random.Random(seed)
    members = {f"user{number}": drawn.sample(sorted(ROLES), drawn.randint(0, 3)) for number in range(5)}
    with running_server(members) as server:
        for game in range(2):
            play(server, members, seed=100 * seed + game, steps=4)


def new_guarded(server: Server) -> str:
    """A database with row policies on it, and a store of two documents in it, of which hr has one and nobody the other."""
    name = server.guarded_database()
    with open_store(server.dsn(name)) as store:
        publish_document(store, "pay.txt", ["wages"])
        publish_document(store, "law.txt", ["rules"])
        DocumentGroups(store).set({source_document("pay.txt").document_id: ["hr"]})
    return name


@pytest.fixture
def guarded(server: Server) -> str:
    """Such a database for one test."""
    return new_guarded(server)


@pytest.fixture(scope="module")
def unchanged(server: Server) -> str:
    """Such a database for tests that leave it as it is."""
    return new_guarded(server)


def readable(server: Server, database: str, user: str) -> list[str]:
    """The sources of the chunks that a user finds in the table."""
    return server.ask("SELECT source FROM chunks ORDER BY source", database, user).split()


def test_groups_go_with_new_versions_until_a_document_is_deleted_and_with_garbage(server: Server, guarded: str) -> None:
    with open_store(server.dsn(guarded)) as store:
        publish_document(store, "pay.txt", ["higher wages"])
        store.garbage.collect_superseded(0)
        assert server.ask("SELECT text FROM chunks", guarded, "anna") == "higher wages"
        assert server.ask("SELECT count() FROM document_groups", guarded) == "1"
        now = store.snapshot().documents()
        store.writer.publish([], [one for one in now if one.source == "pay.txt"])
        with Store.open(server.dsn(guarded, "anna")) as reader:
            assert reader.snapshot().documents() == []
        publish_document(store, "pay.txt", ["wages of another file"])
        assert source_document("pay.txt").document_id not in DocumentGroups(store).of_documents()
    assert "wages of another file" not in server.ask("SELECT text FROM chunks", guarded, "anna")
    with Store.open(server.dsn(guarded, "anna")) as reader:
        assert reader.snapshot().documents() == []
    with open_store(server.dsn(guarded)) as store:
        now = store.snapshot().documents()
        store.writer.publish([], [one for one in now if one.source == "pay.txt"])
    # the row of a deletion has the title: of a version that she could never read it is none of hers
    assert server.ask("SELECT count() FROM manifest WHERE epoch > 4", guarded) == "2"
    assert server.ask("SELECT count() FROM manifest WHERE epoch > 4", guarded, "anna") == "0"


def test_an_open_reader_follows_each_change_of_groups_with_his_next_search(server: Server, guarded: str) -> None:
    law = source_document("law.txt").document_id
    with open_store(server.dsn(guarded)) as store, Store.open(server.dsn(guarded, "anna")) as reader:
        groups, before = DocumentGroups(store), reader.snapshot()
        assert reader.snapshot() is before
        assert groups.set({law: ["everyone", "hr"]}) == 1
        assert sorted(hit.source for hit in search(reader, QUERY, 5)) == ["law.txt", "pay.txt"]
        assert groups.set({law: []}) == 1
        assert [hit.source for hit in search(reader, QUERY, 5)] == ["pay.txt"]
        assert groups.set({law: []}) == 0
        assert reader.epoch() == before.epoch


@pytest.mark.slow
def test_a_budget_that_chose_cells_searches_otherwise_for_a_user_who_may_not_read_them(
    server: Server, guarded: str
) -> None:
    with open_store(server.dsn(guarded)) as store:
        store.revise(search_choice=SearchChoice("ms=10", "cells", None, 8, 0.99, 5.0, 2).to_json())
    with Store.open(server.dsn(guarded, "anna")) as reader:
        assert [hit.source for hit in search(reader, QUERY, 5)] == ["pay.txt"]


@pytest.mark.slow
def test_a_store_from_before_the_table_gets_it_with_its_first_groups(server: Server, guarded: str) -> None:
    server.ask("DROP TABLE document_groups SYNC", guarded)
    with open_store(server.dsn(guarded)) as store:
        assert DocumentGroups(store).of_documents() == {}
        publish_document(store, "new.txt", ["new"])
        DocumentGroups(store).set({source_document("new.txt").document_id: ["hr"]})
    assert readable(server, guarded, "anna") == ["new.txt"]


@pytest.mark.parametrize("name", ["", " hr", "a,b", "tab\there", "x" * 201, ALL_DOCUMENTS])
def test_what_is_no_role_is_refused_as_a_group(name: str) -> None:
    from sql.store.groups import check_group

    with pytest.raises(UsageError, match="is not a group: "):
        check_group(name)


def test_the_embedded_engine_is_refused_in_one_sentence_before_anything_is_made(tmp_path: Path) -> None:
    import ingest.command_line

    place = str(tmp_path / "store")
    for run, arguments in (
        (ingest.command_line.command, [str(tmp_path), "--acl", "*=hr"]),
        (command, ["acl"]),
        (command, ["acl", "--print-sql"]),
        (command, ["doctor", "--as", "anna"]),
    ):
        with pytest.raises(UsageError, match=r"the embedded engine \(chDB\) has no row policies"):
            run([*arguments, "--db", place])
    assert not (tmp_path / "store").exists()


# The SQL


def test_every_table_that_a_store_makes_has_a_policy_or_nothing_to_hide(server: Server, unchanged: str) -> None:
    tables = set(
        server.ask(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'", unchanged
        ).split()
    )
    assert tables - set(conditions()) == {"collection", "calibrations", "lease"}
    assert set(conditions()) - {"word_vectors"} == {*OWNED, *HIDDEN} <= tables


@pytest.mark.slow
def test_of_word_vectors_a_user_sees_those_of_the_vocabulary(server: Server, guarded: str) -> None:
    with open_store(server.dsn(guarded)) as store:
        store.client.create("word_vectors/10_word_vectors.sql", {"dimensions": DIMENSIONS})
        codes = [0] * DIMENSIONS
        server.ask(
            "INSERT INTO word_vectors (word, epoch, of_documents, forms, pieces, codes, scale, zero_point) VALUES "
            f"('cat', 1, 0, [], 1, {codes}, 1, 0), ('secret', 1, 1, [], 2, {codes}, 1, 0)",
            guarded,
        )
    assert server.ask("SELECT word FROM word_vectors", guarded, "anna") == "cat"


def test_the_printed_statements_name_the_database_and_can_be_run_again(server: Server, unchanged: str) -> None:
    script = policy_script(parse_location(server.dsn("rag_`strange")))
    assert script.count(";\n") == len(policy_statements()) - 1
    assert "ON `rag_\\`strange`.chunks" in script
    server.guard(server.dsn("rag_`strange"))
    policies = "SELECT name, database, table, select_filter FROM system.row_policies WHERE database = {!r} ORDER BY ALL"
    before = server.ask(policies.format(unchanged), user="admin")
    assert len(before.splitlines()) == 2 * len(conditions())
    server.guard(server.dsn(unchanged))
    assert server.ask(policies.format(unchanged), user="admin") == before
    assert readable(server, unchanged, "anna") == ["pay.txt"]
    local = policy_script(parse_location("clickhouse://h/docs?cluster=two"))
    assert "`docs_local`.chunks" in local


def test_the_role_for_all_documents_opens_every_table_that_a_policy_closes(server: Server, unchanged: str) -> None:
    # this engine is set up so that whoever no policy means sees nothing, as a server can be
    listed = {row.rpartition(".")[2] for row in placed_tables(read_statement("policies/60_all_documents.sql"))}
    assert listed == set(conditions())
    assert readable(server, unchanged, "maintainer") == ["law.txt", "pay.txt"]
    assert readable(server, unchanged, "reader") == []


def placed_tables(statement: str) -> list[str]:
    """The tables that a statement names."""
    return re.findall(r"\brag\.\w+", statement)


def test_a_user_who_is_made_and_given_a_role_by_statements_reaches_its_documents_at_once(
    server: Server, unchanged: str
) -> None:
    server.ask("CREATE ROLE interns", user="root")
    server.ask(f"CREATE USER otto IDENTIFIED BY '{PASSWORD}'", user="root")
    server.ask(f"GRANT SELECT ON {unchanged}.* TO interns", user="root")
    server.ask("GRANT interns TO otto", user="root")
    assert readable(server, unchanged, "otto") == []
    server.ask("GRANT hr TO interns", user="root")
    assert readable(server, unchanged, "otto") == ["pay.txt"]
    server.ask("REVOKE hr FROM interns", user="root")
    assert readable(server, unchanged, "otto") == []
    server.ask("DROP USER otto", user="root")
    server.ask("DROP ROLE interns", user="root")


# doctor --as


def test_doctor_says_what_each_user_reaches_and_finds_no_leak(
    server: Server, unchanged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = server.dsn(unchanged, "admin")
    assert command(["doctor", "--as", "anna", "--db", dsn]) == 0
    shown = capsys.readouterr().out
    assert "roles: hr" in shown
    assert "documents  1 of 2 (hr 1)" in shown
    assert "leaks      none" in shown
    with Store.open(dsn) as store:
        for user in ("carol", "dora"):
            reach = reach_of(user, store)
            assert reach.documents == len(readable(server, unchanged, user))
            assert set(reach.guarded) == {*OWNED, *HIDDEN}
            assert reach.leaks == ()
        with pytest.raises(UsageError, match="the server knows no such user"):
            reach_of("nobody", store)
    server.ask(f"REVOKE {ALL_DOCUMENTS} FROM admin", user="root")
    with Store.open(dsn) as store, pytest.raises(UsageError, match=f"GRANT {ALL_DOCUMENTS} TO admin"):
        reach_of("anna", store)
    server.ask(f"GRANT {ALL_DOCUMENTS} TO admin", user="root")


@pytest.mark.slow
def test_doctor_names_a_user_without_policies_rights_that_go_round_them_and_tables_that_have_none(
    server: Server, guarded: str
) -> None:
    server.ask("CREATE TABLE copies ENGINE = MergeTree ORDER BY tuple() AS SELECT text FROM chunks", guarded)
    server.ask(f"DROP ROW POLICY rag_groups ON {guarded}.texts", user="guard")
    with Store.open(server.dsn(guarded, "admin")) as store:
        assert reach_of("anna", store).leaks == (
            "copies has no row policy that holds for him: he reads all of it",
            "texts has no row policy that holds for him: he reads all of it",
        )
    server.guard(server.dsn(guarded))
    server.ask("CREATE USER OR REPLACE sam IDENTIFIED BY 'x'", user="root")
    server.ask(f"GRANT SELECT, INSERT, BACKUP ON {guarded}.* TO sam", user="root")
    with Store.open(server.dsn(guarded, "admin")) as store:
        found = " ".join(reach_of("sam", store).leaks)
        assert reach_of("maintainer", store).leaks == ()  # who has the role is meant to see everything
    server.ask("DROP USER sam", user="root")
    assert "he may insert into document_groups, and so open any document to himself" in found
    assert "may copy tables as a whole (BACKUP)" in found
    server.ask("DROP TABLE copies SYNC", guarded)
    elsewhere = server.new_database()
    source = f"SOURCE(CLICKHOUSE(DB '{guarded}' TABLE 'chunks' USER 'default'))"
    for database in (guarded, elsewhere):
        made = (
            f"CREATE DICTIONARY told (generation UInt64, text String) PRIMARY KEY generation {source} LAYOUT(DIRECT())"
        )
        server.ask(made, database)
    with Store.open(server.dsn(guarded, "admin")) as store:
        told = "told is a dictionary, for which no policy holds: he is told what those may read as whom it asks"
        assert reach_of("anna", store).leaks == tuple(f"{database}.{told}" for database in sorted((guarded, elsewhere)))
    for database in (guarded, elsewhere):
        server.ask("DROP DICTIONARY told", database)  # or the database that it reads could not be dropped
    with (
        Store.open(server.dsn(guarded)) as store,
        pytest.raises(StoreError, match="the user maintainer may not do this"),
    ):
        reach_of("anna", store)


# The commands


def test_acl_shows_and_changes_groups(server: Server, unchanged: str, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = server.dsn(unchanged)
    assert command(["acl", "law.txt", "--groups", "hr, legal", "--db", dsn]) == 0
    assert capsys.readouterr().out == "documents: 1, changed: 1, groups: hr, legal\n"
    assert readable(server, unchanged, "anna") == ["law.txt", "pay.txt"]
    assert command(["acl", "law.txt", "--groups", "", "--db", dsn]) == 0
    capsys.readouterr()
    assert command(["acl", "--json", "--db", dsn]) == 0
    assert capsys.readouterr().out == (
        '{"groups": [{"group": "hr", "documents": 1, "chunks": 1}], "without_group": 1}\n'
    )
    for wrong in (["--print-sql", "--json"], ["law.txt"], ["--groups", "hr"]):
        with pytest.raises(UsageError):
            command(["acl", *wrong, "--db", dsn])
