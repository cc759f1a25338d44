"""A page without text in, the pieces of text that are recognised in its picture out. Needs the extra `ocr`.

The models of RapidOCR come within its package, so that nothing is fetched. They read Latin letters and Chinese
characters; a page takes seconds.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.readers.pdf.pdfium import Box, picture_of
from ingest.readers.pdf.pieces import Piece, upright

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCALE = 200 / 72  # pixels a point: 200 dots an inch, as offices scan
_LETTERS = 0.75  # how high a letter's size is in the box around its line


def can_recognise() -> bool:
    """Whether the extra is installed."""
    return find_spec("rapidocr") is not None


def recognised(page: Any) -> list[Piece]:
    """The pieces of an open page as they are seen in its picture, lines of it or cells."""
    picture = picture_of(page, _SCALE)
    turn = page.get_rotation() // 90
    pieces = []
    for order, (text, corners) in enumerate(_seen(np.asarray(picture.image)[:, :, ::-1])):
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        box = Box(*(round(side, 2) for side in picture.box(left, top, right, bottom)))
        area = upright(box, turn)
        pieces.append(Piece(text, box, area, round(_LETTERS * (area.top - area.bottom)), False, order, turn))
    return pieces


def _seen(image: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.float32]]]:
    """The texts in an image of blue, green and red, each with the four corners around it, in pixels."""
    found = _engine()(image)
    if found.txts is None or found.boxes is None:
        return []
    pairs = [(" ".join(text.split()), corners) for text, corners in zip(found.txts, found.boxes, strict=True)]
    return [(text, corners) for text, corners in pairs if text]


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    # one thread: the encoder uses the other processors meanwhile
    return RapidOCR(params={"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": 1})
