"""Content that the store holds is not embedded again: files that were moved or copied, and texts that occur twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from library import Library, counts
from support import QUANTIZER, hash_encoder, sync_with, visible_texts

from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

PER_DIMENSION = "asymmetric int8 per dimension"
TEXT = "# Kiln\n\nThe kiln cools for a day.\n\n# Glaze\n\n" + "Ash glaze runs when it is thick. " * 40


@pytest.fixture(params=[QUANTIZER, PER_DIMENSION])
def library(request: pytest.FixtureRequest, tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Library]:
    (tmp_path / "docs").mkdir()
    location = str(tmp_path / "store")
    with Store.open(location, write=True) as store:
        made = Library(tmp_path / "docs", location, tokenizer, store, hash_encoder(tokenizer)[1], request.param)
        yield made
        made.store.close()


def codes(library: Library) -> set[tuple[str, str]]:
    """Text and codes of every visible chunk, and how far these are from its vector."""
    sql = f"SELECT text, toString((codes, scale, zero_point, error)) AS vector FROM live_chunks(epoch = {library.store.epoch()})"
    return {tuple(line.split("\t")) for line in library.store.client.text(sql, "TSV").decode().splitlines()}  # type: ignore[misc]


@pytest.mark.everyday("per dimension")
def test_a_moved_file_keeps_its_codes_and_is_not_embedded(library: Library) -> None:
    old = library.write("a.md", TEXT)
    library.sync()
    before = codes(library)
    (library.folder / "sub").mkdir()
    old.rename(library.folder / "sub" / "b.md")
    assert counts(library.sync()) == (1, 1, 0, 1, 0)
    assert library.kernel.texts == 0
    assert (library.names(), codes(library)) == (["sub/b.md"], before)
    assert library.store.snapshot().damaged_documents() == []


@pytest.mark.everyday("per dimension")
def test_a_copy_of_a_file_in_the_store_is_not_embedded(library: Library) -> None:
    library.write("a.md", TEXT)
    library.sync()
    library.write("b.md", TEXT)
    assert counts(library.sync()) == (2, 1, 1, 0, 0)
    assert library.kernel.texts == 0
    assert library.text("a.md") == library.text("b.md")


def test_of_files_of_the_same_content_that_come_together_one_is_embedded(library: Library) -> None:
    library.write("a.md", TEXT)
    library.sync()
    alone = library.kernel.texts
    library.write("b.md", TEXT + "\n\nOne thing more.")
    library.write("c.md", TEXT + "\n\nOne thing more.")
    library.sync()
    assert 0 < library.kernel.texts <= alone
    assert library.text("b.md") == library.text("c.md")


@pytest.mark.everyday("per dimension")
def test_another_text_is_embedded_even_if_everything_else_is_said_to_be_the_same(library: Library) -> None:
    library.write("a.md", TEXT)
    library.sync()
    library.write("b.rst", TEXT)  # the same bytes in another format are other chunks
    library.sync()
    assert library.kernel.texts > 0
    assert library.store.snapshot().damaged_documents() == []


def test_the_same_text_under_another_heading_is_embedded_again(library: Library) -> None:
    """The headings are part of what is embedded, though not of the text that is stored."""
    text = "The kiln cools for a day. " * 40
    library.write("a.md", f"# Kiln\n\n{text}")
    library.write("b.md", f"# Oven\n\n{text}")
    library.sync()
    later = {(text, vector) for text, vector in codes(library) if "#" not in text}
    assert len({text for text, _ in later}) * 2 == len(later) > 0


@pytest.mark.everyday("per dimension")
def test_a_file_whose_title_is_its_name_keeps_its_codes_under_another_one(library: Library) -> None:
    library.write("kiln.md", "The kiln cools for a day. " * 40)
    library.sync()
    before = codes(library)
    (library.folder / "kiln.md").rename(library.folder / "oven.md")
    library.sync()
    assert (library.kernel.texts, codes(library)) == (0, before)


def test_ranges_that_are_fitted_again_are_not_mixed_with_old_codes(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text(TEXT)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        library = Library(folder, "", tokenizer, store, hash_encoder(tokenizer)[1], PER_DIMENSION)
        library.sync()
        first = library.kernel.texts
        library.write("b.md", TEXT)
        library.sync(recalibrate=True)
        assert library.kernel.texts == first  # the text of both files once, and none taken from the store
        assert set(visible_texts(store)) == {str(folder / "a.md"), str(folder / "b.md")}


def test_kept_floats_are_those_of_the_copy_too(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """Codes alone would leave the copy without its float vectors."""
    with Store.open(str(tmp_path / "store"), write=True) as store:
        library = Library(tmp_path / "docs", "", tokenizer, store, hash_encoder(tokenizer)[1])
        library.write("a.md", TEXT)
        library.sync()
        library.write("b.md", TEXT)
        encoder, kernel = hash_encoder(tokenizer)
        sync_with(store, encoder, library.found(), keep_floats=1)
        kept = store.client.text("SELECT count() FROM float_references", "TSV").decode()
        assert (kernel.texts > 0, int(kept) > 0) == (True, True)
