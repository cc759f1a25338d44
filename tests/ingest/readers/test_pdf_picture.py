"""A page is drawn as it is shown, and what is marked on it is where the rectangle says."""

from __future__ import annotations

from io import BytesIO

import pytest
from pdf_writer import Page, pdf, text
from PIL import Image

from ingest.places import Rectangle
from ingest.readers.pdf.picture import draw_page
from sql.base.errors import UnreadableDocument

WHITE, MARKED = (255, 255, 255), (255, 235, 80)
SHEET = "[0 0 200 100]"
EMPTY = pdf([Page("", media_box=SHEET)])


def drawn(data: bytes, *rectangles: Rectangle, page: int = 1, scale: float = 1) -> Image.Image:
    return Image.open(BytesIO(draw_page(data, page, rectangles, scale)))


def marked_box(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of all that is not white."""
    return Image.eval(image.convert("RGB"), lambda value: 255 - value).getbbox()


@pytest.mark.parametrize(
    ("entries", "size", "expected"),
    [
        ("", (200, 100), (19, 49, 61, 71)),
        ("/Rotate 90", (100, 200), (29, 19, 51, 61)),
        ("/Rotate 180", (200, 100), (139, 29, 181, 51)),
        ("/Rotate 270", (100, 200), (49, 139, 71, 181)),
        ("/CropBox [10 20 110 90]", (100, 70), (9, 39, 51, 61)),
        ("/Rotate 90 /CropBox [10 20 110 90]", (70, 100), (9, 9, 31, 51)),
    ],
)
def test_a_rectangle_is_marked_where_the_turned_and_cropped_page_shows_it(
    entries: str, size: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    image = drawn(pdf([Page("", entries, media_box=SHEET)]), Rectangle(1, 20, 30, 60, 50))
    assert image.size == size
    assert image.getpixel(((expected[0] + expected[2]) // 2, (expected[1] + expected[3]) // 2)) == MARKED
    assert marked_box(image) == pytest.approx(expected, abs=1)


def test_letters_stay_black_under_the_marking() -> None:
    image = drawn(pdf([Page(text("HHHH", 20, 30, 20), media_box=SHEET)]), Rectangle(1, 10, 20, 100, 60))
    colours = {colour for _, colour in image.getcolors(10_000)}
    assert {(0, 0, 0), MARKED, WHITE} <= colours


def test_rectangles_of_other_pages_and_outside_of_the_page_mark_nothing() -> None:
    image = drawn(EMPTY, Rectangle(2, 20, 30, 60, 50), Rectangle(1, 500, 500, 600, 600), Rectangle(1, -50, -50, -9, -9))
    assert marked_box(image) is None


def test_a_page_is_drawn_with_the_number_of_pixels_asked_for_up_to_a_bound() -> None:
    assert drawn(EMPTY, scale=3).size == (600, 300)
    width, height = drawn(EMPTY, scale=1e6).size
    assert 39_000_000 < width * height < 41_000_000
    assert width == pytest.approx(2 * height, rel=0.01)


def test_there_is_no_page_0_nor_one_after_the_last_nor_a_scale_of_nothing() -> None:
    for page in (0, 2, -1):
        with pytest.raises(ValueError, match=f"has pages 1 to 1, not {page}"):
            draw_page(EMPTY, page)
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="above 0"):
            draw_page(EMPTY, 1, scale=scale)


@pytest.mark.parametrize(("data", "reason"), [(b"PK\3\4", "is not a PDF"), (b"%PDF-1.7 and no more", "damaged PDF")])
def test_what_is_no_pdf_is_refused_in_a_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=f"plan.pdf .*{reason}"):
        draw_page(data, 1, source="plan.pdf")
