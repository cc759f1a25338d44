"""Notebooks: cells of every kind with their place in the notebook, in both formats that are in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ingest.readers import notebook
from ingest.readers.raw_file import RawFile
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from ingest.document import Document


def read(content: Any) -> Document:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (document,) = notebook.read(RawFile("a.ipynb", "a.ipynb", "notebook", data))
    held = "".join(document.text[block.start : block.end] for block in document.blocks)
    assert "".join(held.split()) == "".join(document.text.split())
    return document


def of_cells(*cells: dict[str, Any], **metadata: Any) -> Document:
    return read({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)})


def markdown(*lines: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": list(lines)}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": 7, "metadata": {}, "source": source, "outputs": list(outputs)}


def blocks(document: Document) -> list[tuple[str, str, str]]:
    return [(block.kind, document.text[block.start : block.end], block.heading) for block in document.blocks]


def test_cells_are_markdown_and_code_under_the_headings_above_them() -> None:
    document = of_cells(
        markdown("# Tea\n", "\n", "How to *brew*:\n"),
        code("boil()"),
        markdown("## Green\n"),
        code("wait(60)\n\npour()"),
        {"cell_type": "raw", "source": "as it is"},
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    assert blocks(document) == [
        ("heading", "# Tea", "Tea"),
        ("paragraph", "How to *brew*:", "Tea"),
        ("code", "boil()", "Tea"),
        ("heading", "## Green", "Tea > Green"),
        ("code", "wait(60)\n\npour()", "Tea > Green"),
        ("paragraph", "as it is", "Tea > Green"),
    ]
    assert (document.title, document.metadata) == ("Tea", {"language": "python", "kernel": "Python 3"})
    places = [(document.text[place.start : place.end], place.where.number) for place in document.places]  # type: ignore[union-attr]
    assert places == [
        ("# Tea\n\nHow to *brew*:", 1),
        ("boil()", 2),
        ("## Green", 3),
        ("wait(60)\n\npour()", 4),
        ("as it is", 5),
    ]


def test_outputs_that_are_text_are_read_and_belong_to_their_cell() -> None:
    document = of_cells(
        code(
            "brew()",
            {"output_type": "stream", "name": "stdout", "text": ["\x1b[31mhot\x1b[0m\n", "tea\n"]},
            {"output_type": "execute_result", "data": {"text/html": "<b>2</b>", "text/plain": ["2"]}},
            {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": "<Figure size 640x480>"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "cold", "traceback": ["..."]},
        )
    )
    assert [text for _, text, _ in blocks(document)] == ["brew()", "hot\ntea", "2", "ValueError: cold"]
    (place,) = document.places
    assert document.text[place.start : place.end] == document.text


def test_long_outputs_are_cut() -> None:
    document = of_cells(
        code("a", *[{"output_type": "stream", "text": "step\n" * 100_000}] * 10),
        code("b", {"output_type": "stream", "text": "x"}),
    )
    outputs = [text for _, text, _ in blocks(document)][1:-2]
    assert all(text.endswith("step …") and len(text) <= notebook.MAX_OUTPUT + 2 for text in outputs)
    assert len(document.text) < 10_000


def test_a_picture_within_markdown_is_no_text() -> None:
    document = of_cells(markdown(f"before ![a](data:image/png;base64,{'iVBORw0KGgo' * 100}) after"))
    assert document.text == "before ![a](data:) after"


def test_format_3_is_read_alike() -> None:
    document = read(
        {
            "nbformat": 3,
            "metadata": {"name": ""},
            "worksheets": [
                {
                    "cells": [
                        {"cell_type": "heading", "level": 2, "source": ["Tea"]},
                        {
                            "cell_type": "code",
                            "input": ["boil()\n", "pour()"],
                            "language": "python",
                            "prompt_number": 3,
                            "outputs": [
                                {"output_type": "pyout", "text": ["2"], "html": "<b>2</b>"},
                                {"output_type": "pyerr", "ename": "E", "evalue": "cold"},
                                {"output_type": "display_data", "png": "iVBOR"},
                            ],
                        },
                    ]
                },
                {"cells": [{"cell_type": "markdown", "source": "The end."}]},
            ],
        }
    )
    assert [text for _, text, _ in blocks(document)] == ["## Tea", "boil()\npour()", "2", "E: cold", "The end."]
    assert [str(place.where) for place in document.places] == [f"NotebookCell(number={number})" for number in (1, 2, 3)]
    assert document.metadata == {"language": "python"}


def test_empty_cells_count_but_have_no_place() -> None:
    document = of_cells(code(""), markdown(" \n"), code("a"))
    assert [str(place.where) for place in document.places] == ["NotebookCell(number=3)"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ({}, ""),
        ({"cell_type": "code", "source": None, "outputs": None}, ""),
        ({"cell_type": "code", "source": ["a", 3, None, "b"], "outputs": [3, {}, {"data": 3}]}, "ab"),
        ({"cell_type": "heading", "level": 99, "source": "Tea"}, "###### Tea"),
        ({"cell_type": "code", "source": "\0a\ud800"}, "\ufffda\ufffd"),
        ([], ""),
    ],
)
def test_what_is_odd_in_a_cell_harms_no_other(cell: Any, text: str) -> None:
    assert of_cells(cell, code("the end")).text == (f"{text}\n\nthe end" if text else "the end")


@pytest.mark.parametrize("data", [b"the cat", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [', b"[" * 200_000])
def test_what_is_no_notebook_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=r"^a\.ipynb is not a notebook: "):
        read(data)
