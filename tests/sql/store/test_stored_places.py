"""Places in the store: they come and go with their document, and nothing of one is published that did not arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import chunks_of, open_store, publish_document, search, source_document, vectors_of, visible_texts

from rag.int8.quantization import quantize_query
from sql.base.errors import StoreError
from sql.records.places import (
    SLIDE,
    Cells,
    MailPart,
    NotebookCell,
    Page,
    Place,
    Rectangle,
    place_name,
)
from sql.store import ChunkBatch, Store
from sql.store.places import places_promise
from sql.upkeep.cells import maintain_cells
from sql.upkeep.transfer import export_store, import_store, read_export

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sql.store import Draft

TEXTS = ["the cat", "sat here"]  # offsets 0 to 7 and 8 to 16
PLACES = (
    Place(0, 8, Page(4, "iv")),
    Place(8, 16, Page(5)),
    Place(0, 3, Rectangle(4, 10.0, 700.5, 40.25, 712.0)),
    Place(4, 7, Rectangle(4, 45.0, 700.5, 60.0, 712.0)),
    Place(8, 16, Rectangle(5, 0.0, 0.0, 0.0, 0.0)),
)
ALL_KINDS = (
    Place(0, 1, Page(1, "A-1")),
    Place(1, 2, Page(2, "", SLIDE)),
    Place(2, 3, Rectangle(2, -1.5, -2.0, 1e300, 3.0)),
    Place(3, 4, Cells("Budget & Söhne", 2, 1, 7, 28)),
    Place(4, 5, NotebookCell(3)),
    Place(5, 6, MailPart("1.2")),
)
QUERY = quantize_query(np.arange(1, 9).astype(np.float32))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The engine in this process only: the statements are those of all back ends."""
    with open_store(tmp_path / "store") as opened:
        yield opened


def placed_draft(store: Store, path: str, places: Sequence[Place] = PLACES, texts: Sequence[str] = TEXTS) -> Draft:
    """A version of a document with places whose chunks are in the store."""
    draft = store.writer.begin(source_document(path, "\n".join(texts), "".join(texts), places=places))
    chunks = [
        (
            draft,
            replace(chunk, place_name=place_name([p for p in places if p.start < chunk.end and p.end > chunk.start])),
        )
        for chunk in chunks_of(texts)
    ]
    store.writer.insert(ChunkBatch(chunks, vectors_of(texts)))
    return draft


def stored(store: Store) -> list[str]:
    """What the view shows at the newest epoch, one line a row."""
    sql = (
        f"SELECT char_start, char_end, kind, page, page_label, left, top, sheet, last_column, notebook_cell, mail_part "
        f"FROM live_places(epoch = {store.epoch()}) ORDER BY char_start, char_end DESC, kind"
    )
    return store.client.text(sql, "TabSeparated").decode().splitlines()


def count(store: Store) -> int:
    return int(store.client.text("SELECT count() FROM places", "TabSeparated"))


# In and out


def test_places_are_seen_when_their_document_is_published_and_not_before(store: Store) -> None:
    draft = placed_draft(store, "a.pdf")
    assert count(store) == 0
    store.writer.publish([draft])
    assert stored(store) == [
        "0\t8\tpage\t4\tiv\t0\t0\t\t0\t0\t",
        "0\t3\trectangle\t4\t\t10\t712\t\t0\t0\t",
        "4\t7\trectangle\t4\t\t45\t712\t\t0\t0\t",
        "8\t16\tpage\t5\t\t0\t0\t\t0\t0\t",
        "8\t16\trectangle\t5\t\t0\t0\t\t0\t0\t",
    ]
    assert store.snapshot().damaged_documents() == []


def test_a_place_of_every_kind_has_its_columns_and_the_others_say_nothing(store: Store) -> None:
    store.writer.publish([placed_draft(store, "a.bin", ALL_KINDS, ["abcdef"])])
    assert stored(store) == [
        "0\t1\tpage\t1\tA-1\t0\t0\t\t0\t0\t",
        "1\t2\tslide\t2\t\t0\t0\t\t0\t0\t",
        "2\t3\trectangle\t2\t\t-1.5\t3\t\t0\t0\t",
        "3\t4\tcells\t0\t\t0\t0\tBudget & Söhne\t28\t0\t",
        "4\t5\tnotebook cell\t0\t\t0\t0\t\t0\t3\t",
        "5\t6\tmail part\t0\t\t0\t0\t\t0\t0\t1.2",
    ]


def test_a_name_that_is_no_name_does_not_fill_the_store_with_itself(store: Store) -> None:
    places = [Place(n, n + 1, Cells("S" * 10_000, n + 1, 1, n + 1, 1)) for n in range(3)]
    places = [*places, Place(3, 4, Page(1, "\ud800" + "P" * 10_000))]
    draft = placed_draft(store, "a.ods", places, ["abcd"])
    store.writer.publish([draft])
    ((*cells, page),) = store.snapshot().span_places([(draft.generation, 0, 4)])
    assert [len(one.where.sheet) for one in cells if isinstance(one.where, Cells)] == [200] * 3
    assert isinstance(page.where, Page)
    assert page.where.label == "?" + "P" * 198 + "…"
    assert len(search(store, QUERY, 1)[0].place_name) == 200
    assert store.snapshot().damaged_documents() == []


def test_a_row_beyond_all_sheets_is_the_last_that_can_be_stored(store: Store) -> None:
    draft = placed_draft(store, "a.ods", [Place(0, 1, Cells("One", 2**40, 1, 2**40, 1))], ["abcd"])
    store.writer.publish([draft])
    assert store.snapshot().span_places([(draft.generation, 0, 4)]) == [
        [Place(0, 1, Cells("One", 2**32 - 1, 1, 2**32 - 1, 1))]
    ]


def test_the_rectangles_of_a_span_are_one_statement(store: Store) -> None:
    store.writer.publish([placed_draft(store, "a.pdf"), placed_draft(store, "b.pdf")])
    found = []
    for start, end in ((0, 7), (5, 6), (3, 4), (6, 9)):
        sql = (
            f"SELECT page, left, bottom, right, top FROM highlights(epoch = 1, source = 'a.pdf', start = {start}, "
            f"end = {end}) ORDER BY char_start"
        )
        found.append(store.client.text(sql, "TabSeparated").decode().splitlines())
    first, second, third = "4\t10\t700.5\t40.25\t712", "4\t45\t700.5\t60\t712", "5\t0\t0\t0\t0"
    assert found == [[first, second], [second], [], [second, third]]


def test_a_hit_has_the_name_of_its_place(store: Store) -> None:
    store.writer.publish([placed_draft(store, "a.pdf")])
    publish_document(store, "b.txt", ["plain"])
    hits = search(store, QUERY, 5)
    assert {(hit.text, hit.place_name) for hit in hits} == {
        ("the cat", "page iv"),
        ("sat here", "page 5"),
        ("plain", ""),
    }


def test_the_hash_of_a_chunk_covers_the_name_of_its_place(store: Store) -> None:
    sums = [placed_draft(store, "a.pdf", places).row_hash_sum for places in ((), PLACES, PLACES[:1])]
    assert len(set(sums)) == 3


def test_the_places_of_several_spans_are_read_in_one_statement_for_each_span_its_own(store: Store) -> None:
    a, b = placed_draft(store, "a.pdf"), placed_draft(store, "b.bin", ALL_KINDS, ["abcdef"])
    store.writer.publish([a, b])
    spans = [(b.generation, 3, 6), (a.generation, 5, 6), (a.generation, 0, 9), (7, 0, 100), (a.generation, 5, 6)]
    found = store.snapshot().span_places(spans)
    assert found[0] == list(ALL_KINDS[3:])
    assert found[1] == found[4] == [PLACES[0], PLACES[3]]
    assert found[2] == [PLACES[0], PLACES[2], PLACES[3], PLACES[1], PLACES[4]]
    assert found[3] == []


def test_places_are_read_for_hits_that_have_some_and_for_no_others(store: Store) -> None:
    store.writer.publish([placed_draft(store, "a.pdf")])
    publish_document(store, "b.txt", ["plain"])
    hits = store.snapshot().with_places(search(store, QUERY, 5))
    assert {hit.text: (hit.page_label, hit.places) for hit in hits} == {
        "the cat": ("iv", (PLACES[0], PLACES[2], PLACES[3])),
        "sat here": ("5", (PLACES[1], PLACES[4])),
        "plain": ("", ()),
    }
    assert hits[0].place().keys() >= {"source", "start", "end", "line", "page", "page_label", "place_name", "places"}


# What does not arrive is not published


DAMAGE = [
    "DELETE FROM places WHERE char_start = 4 AND document_id = '{}'",
    "INSERT INTO places SELECT * FROM places WHERE document_id = '{}' LIMIT 1",
    "ALTER TABLE places UPDATE left = 11 WHERE char_start = 4 AND document_id = '{}' SETTINGS mutations_sync = 1",
    "ALTER TABLE places UPDATE page_label = 'v' WHERE kind = 'page' AND document_id = '{}' SETTINGS mutations_sync = 1",
    "ALTER TABLE places UPDATE char_end = 9 WHERE char_start = 4 AND document_id = '{}' SETTINGS mutations_sync = 1",
]


def test_documents_whose_places_were_lost_doubled_or_changed_are_called_damaged(store: Store) -> None:
    drafts = [placed_draft(store, f"{number}.pdf", texts=[]) for number in range(len(DAMAGE) + 1)]
    store.writer.publish(drafts)
    publish_document(store, "b.txt", ["plain"])
    for damage, draft in zip(DAMAGE, drafts, strict=False):
        store.client.text(damage.format(draft.document_id), None)
    assert store.snapshot().damaged_documents() == [f"/{number}.pdf" for number in range(len(DAMAGE))]


def test_a_draft_whose_places_arrived_twice_is_not_published(store: Store) -> None:
    draft = placed_draft(store, "a.pdf")
    store.writer._insert_places([draft])
    draft.place_count = draft.place_checksum = 0
    with pytest.raises(StoreError, match=r"a\.pdf: of its 5 places 10 arrived"):
        store.writer.publish([draft])
    assert store.snapshot().documents() == []


def test_more_places_than_one_insert_takes_arrive_and_are_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sql.store.writer.ROWS_PER_INSERT", 3)
    store.writer.publish([placed_draft(store, "a.pdf"), placed_draft(store, "b.pdf"), placed_draft(store, "c.txt", ())])
    assert count(store) == 10
    assert store.snapshot().damaged_documents() == []


def test_the_promise_of_places_depends_on_what_each_of_them_says_and_not_on_their_order() -> None:
    assert places_promise(PLACES) == places_promise(PLACES[::-1])
    changed = [
        (*PLACES[:4], Place(8, 16, where))
        for where in (Rectangle(5, 0.0, 0.0, 0.0, 0.5), Rectangle(6, 0.0, 0.0, 0.0, 0.0), NotebookCell(5))
    ]
    assert len({places_promise(PLACES), *(places_promise(places) for places in changed)}) == 4
    assert places_promise(()) == (0, 0)


# With the rest of the store


def test_places_of_replaced_and_deleted_documents_are_collected(store: Store) -> None:
    store.writer.publish([placed_draft(store, "a.pdf"), placed_draft(store, "b.pdf")])
    store.writer.publish([placed_draft(store, "a.pdf", PLACES[:1])])
    documents = store.snapshot().documents()
    store.writer.publish([], [one for one in documents if one.source == "b.pdf"])
    store.garbage.collect(grace_seconds=0)
    assert (count(store), len(stored(store))) == (1, 1)


def test_places_that_a_killed_run_left_behind_are_swept(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        draft = placed_draft(store, "a.pdf", texts=[])
        store.writer._insert_places([draft])
        assert count(store) == 5
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert count(store) == 0


def test_documents_that_move_into_cells_keep_their_places(store: Store) -> None:
    store.writer.publish([placed_draft(store, "a.pdf"), placed_draft(store, "b.pdf")])
    before = stored(store)
    assert maintain_cells(store, least=1) == 2
    store.garbage.collect(grace_seconds=0)
    assert stored(store) == before
    assert count(store) == len(before)
    assert store.snapshot().damaged_documents() == []
    assert {hit.place_name for hit in search(store, QUERY, 5)} == {"page iv", "page 5"}


def test_an_export_carries_places_into_another_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        store.writer.publish([placed_draft(store, "a.pdf"), placed_draft(store, "b.bin", ALL_KINDS, ["abcdef"])])
        publish_document(store, "c.txt", ["plain"])
        before = stored(store)
        export_store(store, tmp_path / "export")
    with Store.open(str(tmp_path / "other"), write=True) as store:
        import_store(store, tmp_path / "export", read_export(tmp_path / "export"))
        assert stored(store) == before
        assert store.snapshot().damaged_documents() == []
        assert {hit.place_name for hit in search(store, QUERY, 5)} >= {"page iv", "page 5", ""}


def test_a_document_with_damaged_places_is_not_exported(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        store.writer.publish([placed_draft(store, "a.pdf")])
        store.client.text("DELETE FROM places WHERE char_start = 4", None)
        with pytest.raises(StoreError, match=r"a\.pdf: its places are not what was stored"):
            export_store(store, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_a_document_without_places_is_as_it_was(store: Store) -> None:
    publish_document(store, "a.txt", TEXTS)
    assert (count(store), visible_texts(store)) == (0, {"a.txt": TEXTS})
