"""`list`, `show` and `remove`: what a person sees of the documents of a store, and how one goes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from email.message import EmailMessage
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from support import draft_document, open_store, source_document, vectors_of, visible_texts

from rag.commands.command_line import command
from sql.base.errors import EXIT_NOTHING_FOUND, InvalidFilter, NoStore, RagError, StoreError, UsageError
from sql.records import Chunk
from sql.records.places import Page, Place, Rectangle
from sql.store import ChunkBatch, Store
from sql.store.snapshot import joined_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sql.records import SourceDocument

    Run = Callable[..., str]

REPORT = "the cat sat\n\fthe dog ran\n"
PLACES = (
    Place(0, 13, Page(1, "i")),
    Place(13, 25, Page(2, "ii")),
    Place(4, 7, Rectangle(1, 20.0, 50.0, 60.0, 70.0)),
    Place(13, 24, Rectangle(2, 20.0, 10.0, 60.0, 30.0)),
)
# Two pages of 200 by 100 points, empty; the reader finds the objects without a table of them.
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\n"
    b"4 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def stored(folder: Path, name: str, format_: str, **changes: Any) -> SourceDocument:
    """A document whose file lies in a folder, as ingesting it would name it."""
    return replace(source_document(name), path=str(folder / name), source=f"docs/{name}", format=format_, **changes)


def publish(store: Store, document: SourceDocument, chunks: Sequence[Chunk]) -> None:
    draft = store.writer.begin(document)
    if chunks:
        store.writer.insert(ChunkBatch([(draft, one) for one in chunks], vectors_of([one.text for one in chunks])))
    store.writer.publish([draft])


def make_store(folder: Path) -> None:
    """A paged document with its file, a plain one in two chunks, a mail with an attachment, and one of no folder."""
    docs = folder / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "report.pdf").write_bytes(PDF)
    (docs / "sub" / "plain.txt").write_text("one\n\n   two\n")
    with open_store(folder / "store") as store:
        paged = stored(
            docs,
            "report.pdf",
            "pdf",
            extracted_text=REPORT,
            places=PLACES,
            metadata={"year": 1998},
            content_sha256=sha256(PDF).hexdigest(),
            content_bytes=len(PDF),
        )
        publish(store, paged, [Chunk(0, REPORT[:-1], 0, 24, 1, 1, "", 6, place_name="pages i to ii")])
        plain = stored(docs, "sub/plain.txt", "text", title="Plain")
        publish(store, plain, [Chunk(0, "one", 0, 3, 1, 0, "", 1), Chunk(1, "two", 8, 11, 3, 0, "", 1)])
        publish(store, stored(docs, "a.eml", "mail", chunker="by hand, one of 2"), [])
        publish(store, stored(docs, "a.eml#plan", "text", chunker="by hand, part, one of 2"), [])
        store.writer.publish([draft_document(store, "else.txt", ["three"])])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    make_store(folder)
    return folder


@pytest.fixture
def run(made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command on the store that no test here changes; what it prints."""

    def run(*arguments: str, ends: int = 0) -> str:
        assert command([*arguments, "--db", str(made / "store")]) == ends
        return capsys.readouterr().out

    monkeypatch.chdir(made)
    return run


def listed(run: Run, *arguments: str) -> list[str]:
    return [one["source"] for one in json.loads(run("list", "--json", *arguments))["documents"]]


# list


def test_a_line_of_the_list_tells_format_chunks_bytes_age_and_source(run: Run) -> None:
    lines = [line.split() for line in run("list").splitlines()]
    assert lines[0] == ["format", "chunks", "bytes", "age", "source"]
    assert ["pdf", "1", str(len(PDF)), "0", "min", "docs/report.pdf", "year=1998"] in lines
    assert ["text", "2", "0", "0", "min", "docs/sub/plain.txt"] in lines
    assert len(lines) == 6


def test_the_list_as_json_tells_what_there_is_to_know(run: Run) -> None:
    documents = json.loads(run("list", "--json"))["documents"]
    (report,) = [one for one in documents if one["source"] == "docs/report.pdf"]
    assert (report["format"], report["chunks"], report["place_count"]) == ("pdf", 1, 4)
    assert report["sha256"] == sha256(PDF).hexdigest()
    assert report["metadata"] == {"year": 1998}
    assert report["written_at"].endswith("+00:00")


def test_the_list_can_be_of_a_folder_a_file_a_format_or_what_a_filter_passes(run: Run, made: Path) -> None:
    assert listed(run, "docs") == ["docs/a.eml", "docs/a.eml#plan", "docs/report.pdf", "docs/sub/plain.txt"]
    assert listed(run, "docs/sub", "docs/report.pdf") == ["docs/report.pdf", "docs/sub/plain.txt"]
    assert listed(run, str(made / "docs" / "a.eml")) == ["docs/a.eml", "docs/a.eml#plan"]
    assert listed(run, "--format", "pdf", "--format", "mail") == ["docs/a.eml", "docs/report.pdf"]
    assert listed(run, "--filter", "year>=1990") == ["docs/report.pdf"]
    with pytest.raises(InvalidFilter, match="chunks have no field yaer to filter by; the fields are source, "):
        run("list", "--filter", "yaer>=1990")
    assert run("list", "doc", ends=EXIT_NOTHING_FOUND) == "Nothing found.\n"  # is no folder of theirs


def test_a_name_of_which_the_list_has_nothing_is_told(run: Run, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["list", "docs/sub", "doc", "--db", str(made / "store")]) == 0
    told = capsys.readouterr()
    assert "docs/sub/plain.txt" in told.out
    assert told.err.startswith(
        f"{made / 'store'} has no document doc: `python -m rag list --db {made / 'store'}` shows"
    )


def test_a_filter_that_no_document_passes_is_told_with_one_of_those_that_there_are(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["list", "--filter", "source~sub/*", "--db", str(made / "store")]) == EXIT_NOTHING_FOUND
    told = capsys.readouterr()
    assert told.err == "no document passes the filter source~sub/*; the store has 5, such as docs/a.eml\n"


def test_a_format_of_which_there_is_nothing_is_told_with_those_that_there_are(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["list", "--format", "markdown", "--db", str(made / "store")]) == EXIT_NOTHING_FOUND
    told = capsys.readouterr()
    assert told.out == "Nothing found.\n"
    assert told.err == "no document is of the format markdown; there are 3 text, 1 mail, 1 pdf\n"


# show


def test_a_document_is_shown_with_its_stored_text_and_what_is_known_of_it(run: Run) -> None:
    shown = run("show", "docs/report.pdf")
    assert shown.startswith("docs/report.pdf\npath ")
    assert f"pdf, {len(PDF)} bytes, SHA-256 {sha256(PDF).hexdigest()}\n" in shown
    assert '{"year": 1998}\n' in shown
    assert "1 chunk, 4 places\n" in shown
    assert shown.endswith("\n\nthe cat sat\n\\u000cthe dog ran\n\n")
    record = json.loads(run("show", "docs/report.pdf", "--json"))
    assert (record["text"], record["metadata"]) == (REPORT, {"year": 1998})


def test_the_place_of_a_citation_can_be_pasted_to_see_the_line_there(run: Run) -> None:
    assert "[[   two]]" in run("show", "docs/sub/plain.txt:3")
    assert (
        json.loads(run("show", "docs/sub/plain.txt:2", "--json"))["text"] == "one"
    )  # of an empty line the chunk before
    assert json.loads(run("show", "docs/report.pdf:1", "--json"))["text"] == "the cat sat"
    with pytest.raises(UsageError, match=r"docs/sub/plain\.txt:9: the text ends on line 3"):
        run("show", "docs/sub/plain.txt:9")
    with pytest.raises(StoreError, match=r"has no document docs/sub/plain\.txt:0"):
        run("show", "docs/sub/plain.txt:0")


@pytest.mark.parametrize(
    ("name", "meant"), [("plain.txt", "docs/sub/plain.txt"), ("docs/reprot.pdf", "docs/report.pdf")]
)
def test_a_document_that_was_nearly_named_is_offered(run: Run, name: str, meant: str) -> None:
    with pytest.raises(StoreError, match=f"shows those it has; did you mean {meant}?"):
        run("show", name)


def test_a_page_and_a_span_are_two_things_to_show(run: Run) -> None:
    with pytest.raises(UsageError, match="--page and --span are two things to show"):
        run("show", "docs/report.pdf", "--page", "7", "--span", "0:5")


def test_what_a_plain_text_has_between_its_chunks_keeps_its_length(run: Run) -> None:
    record = json.loads(run("show", "docs/sub/plain.txt", "--json"))
    assert record["text"] == "one\n\n   two"
    assert [record["text"][start:end] for start, end in ((0, 3), (8, 11))] == ["one", "two"]


def test_chunks_that_overlap_are_joined_once() -> None:
    with_offsets = [("\ufeffab c", 0), ("b c d", 2), ("c", 4), ("x", 12)]

    class Piece:
        def __init__(self, text: str, start: int) -> None:
            self.text, self.start, self.end = text, start, start + len(text)

    assert joined_chunks([Piece(*one) for one in with_offsets]) == "\ufeffab c d\n\n   x"  # type: ignore[misc]


def test_a_file_is_shown_with_the_parts_it_gave_by_any_of_its_names(run: Run, made: Path) -> None:
    assert "beside it   docs/a.eml#plan\n" in run("show", "docs/a.eml")
    assert json.loads(run("show", str(made / "docs" / "a.eml#plan"), "--json"))["parts"] == ["docs/a.eml"]


def test_a_span_is_marked_within_what_stands_around_it(run: Run) -> None:
    shown = run("show", "docs/report.pdf", "--span", "4:7")
    assert "characters  4:7 of 25, page i\n" in shown
    assert shown.endswith("\n\nthe [[cat]] sat\n\\u000cthe dog ran\n\n")
    record = json.loads(run("show", "docs/report.pdf", "--span", "4:7", "--json"))
    assert (record["before"], record["text"], record["after"]) == ("the ", "cat", REPORT[7:])
    assert (record["page_label"], record["place_name"]) == ("i", "page i")
    assert [one["kind"] for one in record["places"]] == ["page", "rectangle"]


def test_a_page_is_shown_by_its_number_or_by_what_it_is_called(run: Run) -> None:
    for page in ("2", "ii"):
        shown = run("show", "docs/report.pdf", "--page", page)
        assert "characters  13:25 of 25, page ii\n" in shown
        assert shown.endswith("\n\nthe dog ran\n\n")
    assert json.loads(run("show", "docs/report.pdf", "--page", "i", "--json"))["text"] == REPORT[:13]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("docs/report.pdf", "--span", "7:4"), "--span 7:4: a span of docs/report.pdf lies within its 25 characters"),
        (("docs/report.pdf", "--span", "4:26"), "within its 25 characters"),
        (("docs/report.pdf", "--span", "four"), "--span four: write two offsets as START:END"),
        (("docs/report.pdf", "--page", "iv"), "--page iv: no page of docs/report.pdf with text has that label"),
        (
            ("docs/report.pdf", "--page", "3"),
            "--page 3: the store has no text for such a page of docs/report.pdf; its text is on pages 1 to 2",
        ),
        (("docs/sub/plain.txt", "--page", "1"), "such a page of docs/sub/plain.txt; it has no pages"),
        (("docs/report.pdf", "--png", "x.png"), "--png needs a page"),
        (("docs/report.pdf", "--png", "x.png", "--page", "3"), "--page 3: docs/report.pdf has pages 1 to 2, not 3"),
        (("docs/report.pdf", "--png", "no/x.png", "--page", "1"), "--png no/x.png cannot be written"),
        (("docs/sub/plain.txt", "--png", "x.png", "--page", "1"), "docs/sub/plain.txt is text, and only pages of pdf"),
        (("docs/sub/plain.txt", "--png", "x.png", "--span", "0:3"), "--span 0:3 is on no page of docs/sub/plain.txt"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_reason(run: Run, arguments: Sequence[str], reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        run("show", *arguments)
    assert reason in str(refused.value)


def test_a_name_that_means_no_document_is_an_error_that_says_where_to_look(run: Run) -> None:
    with pytest.raises(StoreError, match=r"has no document docs/none\.pdf: `python -m rag list --db \S+` shows"):
        run("show", "docs/none.pdf")


def marked_box(path: Path) -> list[float] | None:
    """Left, top, right and bottom of all that is not white, as shares of the width and height."""
    image = Image.open(BytesIO(path.read_bytes())).convert("RGB")
    box = Image.eval(image, lambda value: 255 - value).getbbox()
    return box and [side / whole for side, whole in zip(box, image.size * 2, strict=True)]


def test_a_page_of_the_file_is_drawn_with_the_span_marked_on_it(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "page.png"
    assert run("show", "docs/report.pdf", "--span", "4:7", "--png", str(out)).endswith(
        "page 1 of docs/report.pdf, 1 rectangle marked\n"
    )
    assert marked_box(out) == pytest.approx([0.1, 0.3, 0.3, 0.5], abs=0.02)
    assert "page 2 of docs/report.pdf, no rectangles marked" in run(
        "show", "docs/report.pdf", "--page", "ii", "--png", str(out)
    )
    assert marked_box(out) is None


def mail_with(*files: tuple[str, bytes]) -> bytes:
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "Plans", "ada@example.org"
    mail.set_content("See below.")
    for name, data in files:
        mail.add_attachment(data, maintype="application", subtype="pdf", filename=name)
    return bytes(mail)


@pytest.mark.everyday("forwarded")
@pytest.mark.parametrize("part", ["plan.pdf", "plan-2.pdf", "forwarded.eml/plan.pdf"])
def test_a_page_of_a_file_in_a_mail_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    other = PDF.replace(b"200 100", b"100 100")
    files = {"plan.pdf": ("plan.pdf", PDF), "plan-2.pdf": ("plan.pdf", other)}
    data = mail_with(*files.values(), ("forwarded.eml", mail_with(("plan.pdf", PDF))))
    (tmp_path / "mail.eml").write_bytes(data)
    with open_store(tmp_path / "store") as store:
        attached = stored(
            tmp_path,
            f"mail.eml#{part}",
            "pdf",
            chunker="by hand, part, one of 4",
            extracted_text=REPORT,
            places=PLACES,
            content_sha256=sha256(data).hexdigest(),
        )
        publish(store, attached, [Chunk(0, REPORT[:-1], 0, 24, 1, 1, "", 6)])
    monkeypatch.chdir(tmp_path)
    drawing = ["show", f"docs/mail.eml#{part}", "--span", "4:7", "--png", "x.png", "--db", str(tmp_path / "store")]
    assert command(drawing) == 0
    assert capsys.readouterr().out.endswith("1 rectangle marked\n")
    with Image.open(tmp_path / "x.png") as image:
        width, height = image.size
    assert width == (height if part == "plan-2.pdf" else 2 * height)
    (tmp_path / "mail.eml").write_bytes(data + b"\n")
    with pytest.raises(StoreError, match=r"mail\.eml#.*plan.* has changed since it was stored"):
        command(drawing)


def test_a_file_that_has_changed_since_or_is_gone_is_not_drawn(tmp_path: Path) -> None:
    make_store(tmp_path)
    drawing = [
        "show",
        "docs/report.pdf",
        "--page",
        "1",
        "--png",
        str(tmp_path / "x.png"),
        "--db",
        str(tmp_path / "store"),
    ]
    (tmp_path / "docs" / "report.pdf").write_bytes(PDF + b"%")
    with pytest.raises(StoreError, match=r"docs/report\.pdf has changed since it was stored .*ingest it again"):
        command(drawing)
    (tmp_path / "docs" / "report.pdf").unlink()
    with pytest.raises(RagError, match=r"docs/report\.pdf"):
        command(drawing)
    assert not (tmp_path / "x.png").exists()


# what all of them count


def test_one_chunk_of_one_document_is_never_counted_in_the_plural(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, copied = str(tmp_path / "store"), str(tmp_path / "copied")
    with open_store(store) as one:
        publish(one, stored(tmp_path, "a.txt", "text"), [Chunk(0, "one", 0, 3, 1, 0, "", 1)])
    for words in (
        ["show", "docs/a.txt"], ["stats"], ["migrate"], ["export", str(tmp_path / "out")], ["backup", str(tmp_path / "kept")]
    ):  # fmt: skip
        assert command([*words, "--db", store]) == 0
    assert command(["import", str(tmp_path / "out"), "--db", copied]) == 0
    said = capsys.readouterr()
    text = said.out + said.err
    assert "1 document, 1 chunk of" in text
    assert re.findall(r"(?<![\d.,])1 (?:documents|chunks|places|generations|files|rows)\b", text) == []


# remove


def test_what_is_removed_is_gone_from_the_store_and_its_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_store(tmp_path)
    monkeypatch.chdir(tmp_path)
    at = ["--db", str(tmp_path / "store")]
    assert command(["remove", "docs/report.pdf", "docs/sub", "--dry-run", *at]) == 0
    assert capsys.readouterr().out == "would remove docs/report.pdf\nwould remove docs/sub/plain.txt\n"
    with pytest.raises(StoreError, match=r"has no document docs/none\.md"):
        command(["remove", "docs/report.pdf", "docs/none.md", *at])
    with Store.open(str(tmp_path / "store")) as store:
        assert len(store.snapshot().documents()) == 5  # nothing, as one of the names is unknown
    assert command(["remove", "docs/report.pdf", "docs/a.eml", *at]) == 0
    said = capsys.readouterr()
    assert said.out == "removed docs/report.pdf\nremoved docs/a.eml\nremoved docs/a.eml#plan\n"
    assert said.err.startswith("documents: 3, chunks: ")
    assert "the file of 1 document is still there: the next ingest of its folder brings it back" in said.err
    assert command(["remove", "docs", "--json", *at]) == 0
    (removed,) = json.loads(capsys.readouterr().out)["removed"]
    assert (removed["source"], removed["chunks"], removed["file_exists"]) == ("docs/sub/plain.txt", 2, True)
    with Store.open(str(tmp_path / "store")) as store:
        assert visible_texts(store) == {"else.txt": ["three"]}
        assert store.client.text("SELECT count() FROM places", "TabSeparated") == b"0\n"
    assert (tmp_path / "docs" / "report.pdf").read_bytes() == PDF


def test_nothing_is_removed_where_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(NoStore):
        command(["remove", "a.md", "--db", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()
