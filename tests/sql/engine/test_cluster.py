"""Two real shards: results equal those of one node, and a shard that is away loses nothing."""

from __future__ import annotations

import os
import threading
import time
import urllib.parse
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from server import MEMBERS, PASSWORD, Server, running_shards
from support import (
    DIMENSIONS,
    QUANTIZER,
    chunks_of,
    draft_document,
    identity,
    open_store,
    publish_document,
    search,
    source_document,
    vectors_of,
    visible_texts,
    way,
)

from rag.index.indexer import Indexer
from rag.int8.quantization import quantize_query, quantize_vectors, scores, vector_scheme
from rag.text.analyser import ANALYSER
from sql.base.errors import StoreError, StoreUnreachable, UsageError
from sql.engine.client import ENGINES_BY_NAME, Client
from sql.engine.statements import Statement, cluster_statements, local_statements, read_statement, schema_statements
from sql.records import Chunk, Outline, Section, WordQuery
from sql.records.calibration import Quantizer
from sql.records.places import Page, Place, Rectangle
from sql.records.queries import LoggedQuery
from sql.search.cells import cell_count
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Store
from sql.store.groups import DocumentGroups
from sql.store.query_log import QueryLog
from sql.upkeep.cells import maintain_cells
from sql.upkeep.transfer import export_store, import_store, read_export

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sql.records import Hit

MODES = (way("exact"), way("two-stage"))
FILTERS: tuple[dict[str, object] | None, ...] = (
    None,
    {"source": {"$glob": "*1*"}},
    {"format": "text", "line": {"$lt": 3}},
    {"path": "/3.txt"},
)
QUERY = quantize_query(np.linspace(-1, 1, DIMENSIONS, dtype=np.float32))


@pytest.fixture(scope="module")
def shards() -> Iterator[list[Server]]:
    with running_shards() as running:
        yield running


def cluster_dsn(shards: Sequence[Server], database: str, user: str = "maintainer", **options: object) -> str:
    hosts = ",".join(f"127.0.0.1:{shard.http}" for shard in shards)
    query = urllib.parse.urlencode({"cluster": "two"} | options)
    return f"clickhouse://{user}:{urllib.parse.quote(PASSWORD, safe='')}@{hosts}/{database}?{query}"


@pytest.fixture
def location(shards: list[Server], request: pytest.FixtureRequest) -> str:
    """A new cluster store; its databases are made by the store itself."""
    number = shards[0]._databases = shards[0]._databases + 1
    return cluster_dsn(shards, f"rag_cluster_{number}_")


def local(location: str) -> str:
    return f"{urllib.parse.urlsplit(location).path.strip('/')}_local"


def without_generation(hits: Sequence[Hit]) -> list[Hit]:
    """Hits without the one thing that is drawn."""
    return [replace(hit, generation=0) for hit in hits]


def write_library(store: Store) -> None:
    """New, changed and deleted documents."""
    for number in range(12):
        publish_document(store, f"{number}.txt", [f"{number} {part}" for part in range(number % 4 + 1)])
    store.writer.publish([draft_document(store, f"{number}.txt", [f"new {number}"]) for number in (1, 5)])
    store.writer.publish(
        [], [document for document in store.snapshot().documents() if document.source in {"2.txt", "7.txt"}]
    )


def test_a_filter_of_as_many_values_as_it_may_have_reaches_every_shard(location: str) -> None:
    with open_store(location) as cluster:
        for number in range(4):
            publish_document(cluster, f"{number}.txt", [f"text {number}"])
        names = [f"a folder with a long name/{number}.txt" for number in range(9_997)]
        for number in (0, 1, 3):
            names.insert(3_000 * number, f"{number}.txt")
        found = search(cluster, QUERY, 9, filter={"source": {"$in": names}})
        assert sorted(hit.text for hit in found) == ["text 0", "text 1", "text 3"]


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_two_shards_hold_a_part_each_and_give_the_results_of_one_node(
    location: str, shards: list[Server], server: Server, every: int
) -> None:
    with open_store(location) as cluster, open_store(server.dsn(server.new_database())) as single:
        for store in (cluster, single):
            write_library(store)
        assert visible_texts(cluster) == visible_texts(single)
        for case in list(product(MODES, FILTERS, (None, 1), (1, 4, 100)))[::every]:
            how, wanted, limit, k = case
            one, other = (
                without_generation(search(store, QUERY, k, filter=wanted, per_document=limit, **how))
                for store in (cluster, single)
            )
            assert one == other, case
        assert cluster.snapshot().hit_vectors(search(cluster, QUERY, 9)).codes.shape == (9, DIMENSIONS)
        assert cluster.snapshot().search_documents(QUERY, SearchRequest(k=5)) == single.snapshot().search_documents(
            QUERY, SearchRequest(k=5)
        )
        assert cluster.epoch() == single.epoch() == 14
        assert cluster.snapshot().chunk_count() == single.snapshot().chunk_count()
        assert cluster.snapshot().damaged_documents() == []
        old = cluster.epoch() - 2
        assert without_generation(search(cluster, QUERY, 100, old)) == without_generation(
            search(single, QUERY, 100, old)
        )
    parts = [int(shard.ask("SELECT count() FROM chunks", local(location))) for shard in shards]
    assert min(parts) > 0
    for shard in shards:  # a document's manifest rows are beside its chunks
        stray = "SELECT count() FROM chunks WHERE generation NOT IN (SELECT generation FROM manifest)"
        assert shard.ask(stray, local(location)) == "0"


@pytest.mark.slow
def test_codes_of_4_bits_are_read_from_two_shards_as_from_one_node(location: str, server: Server) -> None:
    vectors = np.random.default_rng(1).standard_normal((24, DIMENSIONS)).astype(np.float32)
    expected = quantize_vectors(vectors, vector_scheme(Quantizer("asymmetric", bits=4)))
    found = []
    for place in (location, server.dsn(server.new_database())):
        with Store.open(place, write=True) as store:
            store.prepare(identity(), Quantizer("asymmetric", bits=4).name, ANALYSER)
            indexer, drafts = Indexer(store, identity()), []
            for row, vector in enumerate(vectors):
                drafts.append(store.writer.begin(source_document(f"{row:02}.txt")))
                indexer.add([(drafts[-1], chunk) for chunk in chunks_of([f"row {row}"])], vector[None], ())
            store.writer.publish(drafts)
            rows = store.client.rows("SELECT codes, length(code_pairs) AS bytes FROM chunks ORDER BY source")
            assert [row["codes"] for row in rows] == expected.codes.tolist()
            assert {row["bytes"] for row in rows} == {(DIMENSIONS + 1) // 2}
            assert store.snapshot().damaged_documents() == []
            found.append([without_generation(search(store, QUERY, 10, **how)) for how in MODES])
    assert found[0] == found[1]
    truth = scores(QUERY, expected)
    assert [hit.score for hit in found[0][0]] == sorted(truth, reverse=True)[:10]


@pytest.mark.slow
def test_words_are_weighed_over_all_shards(location: str, server: Server) -> None:
    texts = {f"{number}.txt": [f"{'red ' * (number % 3)}fox {number}", "a blue hen"] for number in range(12)}
    with open_store(location) as cluster, open_store(server.dsn(server.new_database())) as single:
        found = []
        for store in (cluster, single):
            store.writer.publish([draft_document(store, path, words, language="en") for path, words in texts.items()])
            epoch, terms = store.epoch(), ("blue", "fox", "red")
            frequencies = store.snapshot(epoch).term_frequencies(terms)
            query = WordQuery(terms, tuple(1 / frequencies[term] for term in terms), 2.5, 9.0)
            request, snapshot = SearchRequest(k=1000), store.snapshot(epoch)
            scores = snapshot.rank_by_words(query, request)
            hits = snapshot.hybrid_hits(scores, QUERY, request, vector_share=0.5, most=9.0)
            found.append(
                (
                    store.snapshot(epoch).text_statistics(),
                    frequencies,
                    sorted(scores.values()),
                    without_generation(hits),
                )
            )
        assert found[0] == found[1]
        assert found[0][1] == {"blue": 12, "fox": 12, "red": 8}
        assert len(found[0][3]) == 24


@pytest.mark.slow
def test_every_node_and_every_rank_of_user_reads_the_same(location: str, shards: list[Server]) -> None:
    with open_store(location) as store:
        write_library(store)
        expected = visible_texts(store)
    hosts = [f"127.0.0.1:{shard.http}" for shard in shards]
    turned = location.replace(",".join(hosts), ",".join(reversed(hosts)))
    for place in (turned, location.replace("maintainer", "reader"), location.replace("maintainer", "writer")):
        with Store.open(place) as store:
            assert visible_texts(store) == expected
    with Store.open(location.replace("maintainer", "writer"), write=True) as store:
        store.prepare(identity(), QUANTIZER)
        publish_document(store, "0.txt", ["by the writer"])
        assert visible_texts(store)["0.txt"] == ["by the writer"]
        assert store.garbage.collect_superseded(grace_seconds=0) == 0


@pytest.mark.slow
def test_garbage_is_collected_on_every_shard(location: str, shards: list[Server]) -> None:
    with open_store(location) as store:
        write_library(store)
        before = visible_texts(store)
        assert store.garbage.collect_superseded(grace_seconds=0) == 4
        assert visible_texts(store) == before
        assert store.snapshot().damaged_documents() == []
    stored = [shard.ask("SELECT count() FROM chunks", local(location)) for shard in shards]
    assert sum(map(int, stored)) == sum(map(len, before.values()))


@pytest.mark.slow
def test_cells_are_trained_over_all_shards_and_documents_move_within_theirs(
    location: str, shards: list[Server]
) -> None:
    with open_store(location) as store:
        store.writer.publish(
            [draft_document(store, f"{n}.txt", [f"{n} {part}" for part in range(4)]) for n in range(60)]
        )
        before = without_generation(search(store, QUERY, 240))
        assert maintain_cells(store, least=100) == 60
        cells = store.writer.cells()
        assert cells is not None
        assert len(cells.centroids) == cell_count(240)
        everywhere = way("cells", probes=len(cells.centroids))
        for how in (*MODES, everywhere):
            assert [replace(hit, cell=0) for hit in without_generation(search(store, QUERY, 240, **how))] == before
        for shard in shards:
            stray = (
                "SELECT count() FROM chunks "
                "WHERE cell = 0 AND generation IN (SELECT max(generation) FROM manifest GROUP BY document_id)"
            )
            assert shard.ask(stray, local(location)) == "0"
        store.garbage.collect_superseded(grace_seconds=0)
        assert store.snapshot().damaged_documents() == []
        assert store.snapshot().chunk_count() == 240
    counts = [int(shard.ask("SELECT count() FROM chunks WHERE cell > 0", local(location))) for shard in shards]
    assert sum(counts) == 240
    assert min(counts) > 0
    with Store.open(location.replace("maintainer", "reader")) as store:
        near = search(store, QUERY, 5, **way("cells", probes=4))
        assert {hit.text for hit in near} <= {hit.text for hit in before}
        assert len(near) == 5


@pytest.mark.slow
def test_an_export_goes_from_a_cluster_to_a_folder_and_back_to_a_cluster(
    location: str, shards: list[Server], tmp_path: Path
) -> None:
    other = location.replace("rag_cluster_", "rag_cluster_again_")
    with open_store(location) as cluster:
        write_library(cluster)
        expected = without_generation(search(cluster, QUERY, 100))
        assert export_store(cluster, tmp_path / "of-cluster").chunks == len(expected)
    with open_store(str(tmp_path / "single")) as single:
        import_store(single, tmp_path / "of-cluster", read_export(tmp_path / "of-cluster"))
        assert without_generation(search(single, QUERY, 100)) == expected
        export_store(single, tmp_path / "of-folder")
    with Store.open(other, write=True) as cluster:
        assert import_store(cluster, tmp_path / "of-folder", read_export(tmp_path / "of-folder")).unchanged == 0
        assert without_generation(search(cluster, QUERY, 100)) == expected
        assert cluster.snapshot().damaged_documents() == []
        again = import_store(cluster, tmp_path / "of-cluster", read_export(tmp_path / "of-cluster"))
        assert (again.documents, again.unchanged) == (0, len(cluster.snapshot().documents()))
    assert min(int(shard.ask("SELECT count() FROM chunks", local(other))) for shard in shards) > 0


@pytest.mark.slow
def test_a_cluster_is_restored_from_a_backup_of_every_node(location: str, shards: list[Server]) -> None:
    with open_store(location) as store:
        write_library(store)
        before = visible_texts(store)
    databases = [local(location), local(location).removesuffix("_local")]  # the second one refers to the first
    for statement in (
        "BACKUP DATABASE {0} TO Disk('backups', '{0}')",
        "DROP DATABASE {0} SYNC",
        "RESTORE DATABASE {0} FROM Disk('backups', '{0}')",
    ):
        for shard, name in product(shards, databases):
            shard.ask(statement.format(name))
    with Store.open(location, write=True) as store:
        assert visible_texts(store) == before
        assert store.snapshot().damaged_documents() == []
        assert publish_document(store, "more.txt", ["more"]) == store.epoch()


def test_readers_see_nothing_of_an_epoch_whose_rows_have_not_reached_every_shard(location: str) -> None:
    with open_store(location) as store:
        publish_document(store, "a.txt", ["one"])
        store.writer._commit = lambda epoch: None  # type: ignore[method-assign]  # as if the run had been killed before it
        publish_document(store, "b.txt", ["two"])
        assert visible_texts(store) == {"a.txt": ["one"]}
    with open_store(location) as store:
        assert publish_document(store, "c.txt", ["three"]) == 3
        assert visible_texts(store) == {"a.txt": ["one"], "b.txt": ["two"], "c.txt": ["three"]}


@pytest.mark.slow
def test_runs_in_parallel_publish_one_after_another(location: str) -> None:
    with open_store(location):
        pass
    epochs: list[int] = []
    failures: list[BaseException] = []

    def publish(number: int) -> None:
        try:
            with Store.open(location, write=True) as store:
                epochs.extend(publish_document(store, f"{number} {part}.txt", ["words"]) for part in range(3))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, sorted(epochs)) == ([], list(range(1, 10)))
    with Store.open(location) as store:
        assert (len(store.snapshot().documents()), store.snapshot().damaged_documents()) == (9, [])


@pytest.mark.slow
def test_a_shard_that_is_away_is_a_clear_error_and_loses_nothing(location: str, shards: list[Server]) -> None:
    quick = f"{location}&timeout=20"
    with open_store(quick) as store:
        write_library(store)
        expected = visible_texts(store)
        shards[1].kill()
        try:
            for read in (
                lambda: store.snapshot().documents(),
                lambda: store.snapshot().chunk_texts(),
                lambda: search(store, QUERY, 3),
            ):
                with pytest.raises(StoreUnreachable, match="a node of the cluster cannot be reached: start it"):
                    read()
            with pytest.raises(StoreError, match=r"cannot be reached|nothing listens there"):
                publish_document(store, "new.txt", ["words"])
        finally:
            shards[1].start()
        assert visible_texts(store) == expected
        assert store.snapshot().damaged_documents() == []
        publish_document(store, "new.txt", ["words"])
        assert visible_texts(store) == expected | {"new.txt": ["words"]}


def test_a_cluster_that_is_not_known_or_named_by_halves_is_refused(shards: list[Server]) -> None:
    with pytest.raises(UsageError, match="the server does not know the cluster three"):
        open_store(cluster_dsn(shards, "rag_none", cluster="three"))
    three = [*shards, shards[0]]
    with pytest.raises(UsageError, match="names 3 nodes and the cluster two has 2: name every node, or only one"):
        open_store(cluster_dsn(three, "rag_none"))


def test_the_replicated_form_of_every_table_is_a_statement_the_engine_can_read(server: Server) -> None:
    """Replication itself needs Keeper, which this server has not; the definitions are parsed and no more."""
    seen = []
    real = Client._run

    class Recorder:
        def command(self, text: str, parameters: object) -> None:  # noqa: ARG002
            seen.append(text)

    with Store.open(server.dsn(server.new_database()), write=True) as store:
        store.client._run = lambda what, work, **options: work(Recorder())  # type: ignore[method-assign]
        names = (*schema_statements(), *local_statements())
        for name in names:
            store.client.create(name, {"dimensions": 8, "sign_bytes": 2}, engine="ReplicatedMergeTree")
        store.client._run = real.__get__(store.client)  # type: ignore[method-assign]
        tables = [text for text in seen if "CREATE TABLE" in text]
        assert len(tables) == sum(name.rpartition("/")[2] < "50" for name in names)
        for text in tables:
            assert ENGINES_BY_NAME["ReplicatedMergeTree"] in text
            server.ask("EXPLAIN AST " + text.replace("{dimensions:UInt16}", "8").replace("{sign_bytes:UInt16}", "2"))


@pytest.mark.keeper
@pytest.mark.skipif("RAG_TEST_KEEPER" not in os.environ, reason="RAG_TEST_KEEPER names no Keeper or ZooKeeper")
def test_replicated_tables_are_made_on_every_shard() -> None:
    """No more than that: a replica out of the chdb wheel never becomes active, so nothing can be written to it."""
    with running_shards(keeper=os.environ["RAG_TEST_KEEPER"]) as shards:
        location = cluster_dsn(shards, f"rag_replicated_{os.getpid()}", replicated=1)
        for _ in range(2):
            with Store.open(location, write=True) as store, pytest.raises(StoreError, match="is_active"):
                store.prepare(identity(), QUANTIZER)
        for shard in shards:
            made = "SELECT groupUniqArray(engine), count() > 8, uniq(extract(engine_full, '/clickhouse/[^\\']+')) = count() "
            made += f"FROM system.tables WHERE database = '{local(location)}' AND sorting_key != ''"
            assert shard.ask(made) == "['ReplicatedMergeTree']\t1\t1"


def test_every_definition_of_a_cluster_may_run_twice() -> None:
    for name in (*cluster_statements(), *local_statements(), *schema_statements()):
        assert "IF NOT EXISTS" in read_statement(name)


def test_the_epoch_of_a_cluster_is_read_from_the_commits(location: str) -> None:
    with open_store(location) as store:
        shown = store.snapshot(0).search_statements(QUERY, SearchRequest(k=1))[0]
        assert shown == Statement("epoch", variant="cluster")
        assert "FROM commits" in shown.as_script()
        assert store.writer.begin(source_document("a.txt")).generation >> 40 == 1


@pytest.mark.slow
def test_a_cluster_of_version_2_gets_outlines_and_places_on_every_node(location: str, shards: list[Server]) -> None:
    database = urllib.parse.urlsplit(location).path.strip("/")
    with open_store(location) as store:
        write_library(store)
        expected = visible_texts(store)
        for shard in shards:
            for name in (database, local(location)):
                shard.ask("ALTER TABLE chunks DROP COLUMN outline, DROP COLUMN place_name", name)
                shard.ask("ALTER TABLE manifest DROP COLUMN place_count, DROP COLUMN place_checksum", name)
                for table in ("places", "live_places", "highlights"):
                    shard.ask(f"DROP TABLE {table}", name)
        store.revise(schema_version=2)
    with Store.open(location, write=True) as store:
        outline = Outline((Section(0, 3, "New"),))
        places = [Place(0, 5, Page(1, "i")), Place(0, 3, Rectangle(1, 0.0, 0.0, 9.0, 9.0))]
        draft = store.writer.begin(source_document("new.md", places=places))
        chunk = Chunk(0, "New a", 0, 5, 1, 1, "", 1, outline, "page i")
        store.writer.insert(ChunkBatch([(draft, chunk)], vectors_of(["New a"])))
        store.writer.publish([draft])
        assert store.snapshot().span_places([(draft.generation, 0, 5)]) == [places]
        highlights = f"SELECT page, top FROM highlights(epoch = {store.epoch()}, source = 'new.md', start = 0, end = 1)"
        highlights += " SETTINGS distributed_product_mode = 'local'"
        assert [shard.ask(highlights, database) for shard in shards] == ["1\t9"] * len(shards)
        assert visible_texts(store) == expected | {"new.md": ["New a"]}
        assert store.snapshot().damaged_documents() == []
        hits = store.snapshot().with_outlines(search(store, QUERY, 100))
        assert [hit.outline for hit in hits if hit.source == "new.md"] == [outline]


@pytest.mark.slow
def test_queries_of_a_cluster_are_kept_explained_and_forgotten(location: str, shards: list[Server]) -> None:
    database = urllib.parse.urlsplit(location).path.strip("/")
    with open_store(location) as store:
        write_library(store)
        for shard in shards:  # as version 5 had them
            for name in (database, local(location)):
                shard.ask("DROP TABLE queries", name)
                shard.ask("ALTER TABLE collection DROP COLUMN log_keep", name)
        store.revise(schema_version=5)
    Store.open(location, write=True).close()
    with Store.open(location) as reader:
        hits = tuple(search(reader, QUERY, 100))
        asked = [
            LoggedQuery(
                "search", f"question {number}", {"k": 100}, reader.epoch(), hits, answered=True, milliseconds=1.0
            )
            for number in range(3)
        ]
        log = QueryLog(reader)
        for one in asked:
            assert log.write(one)
            time.sleep(0.002)
        _, rows = log.explain(asked[0].query_id)
        log.close()
    assert [(row["rank"], row["source"], row["text"]) for row in rows] == [
        (rank, hit.source, hit.text) for rank, hit in enumerate(hits, start=1)
    ]
    assert len({hit.source for hit in hits}) > 1
    with Store.open(location, write=True) as store:
        before = visible_texts(store)
        assert QueryLog(store).keep("1") == 2
        assert [row["question"] for row in QueryLog(store).newest(9)] == ["question 2"]
        assert visible_texts(store) == before
        assert store.client.query(Statement("forgotten_generations", {"epoch": store.epoch()})) == [{"forgotten": 0}]


@pytest.mark.slow
def test_policies_on_the_local_tables_keep_readers_of_the_cluster_to_their_groups(shards: list[Server]) -> None:
    groups = [["hr"], ["legal"], ["everyone"], []]
    documents = {f"{number}.txt": groups[number % 4] for number in range(12)}
    for shard in shards:
        shard.guard(cluster_dsn(shards, "rag_guarded"))
    with open_store(cluster_dsn(shards, "rag_guarded")) as store:
        store.writer.publish([draft_document(store, name, [f"cat {name}"], language="en") for name in documents])
        DocumentGroups(store).set({source_document(name).document_id: one for name, one in documents.items()})
        for user, own in {"anna": {"hr"}, "ben": {"hr", "legal"}, "carol": set[str]()}.items():
            assert set(MEMBERS[user]) == own
            allowed = {name for name, one in documents.items() if {*own, "everyone"} & set(one)}
            with Store.open(cluster_dsn(shards, "rag_guarded", user)) as reader:
                assert set(visible_texts(reader)) == allowed
                assert reader.snapshot().term_frequencies(["cat"]) == {"cat": len(allowed)}
                for mode in MODES:
                    assert {hit.source for hit in search(reader, QUERY, 20, **mode)} == allowed
        DocumentGroups(store).set({source_document(name).document_id: [] for name in documents})
    with Store.open(cluster_dsn(shards, "rag_guarded", "anna")) as reader:
        assert visible_texts(reader) == {}
