"""The numbers by which RTF names encodings in, the codecs that decode them out."""

from __future__ import annotations

import codecs

WESTERN = "cp1252"
SYMBOLS = 2  # the character set of fonts whose bytes are pictures
_OF_CHARSET = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "big5hkscs", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437",
    255: "cp850",
}  # fmt: skip
_OF_PAGE = {
    936: "gb18030", 950: "big5hkscs", 1361: "johab", 10000: "mac_roman", 10006: "mac_greek", 10007: "mac_cyrillic",
    10029: "mac_latin2", 10081: "mac_turkish", 65001: "utf-8", 0: WESTERN,
}  # fmt: skip


def charset_codec(charset: int) -> str:
    """The codec of a font's character set, "" for that of the file."""
    return _OF_CHARSET.get(charset, "")


def page_codec(page: int) -> str:
    """The codec of a code page; that of Windows in the West for one that nobody knows.

    >>> page_codec(1251), page_codec(65001), page_codec(4711)
    ('cp1251', 'utf-8', 'cp1252')
    """
    name = _OF_PAGE.get(page, f"cp{page}")
    try:
        codecs.lookup(name)
    except LookupError:
        return WESTERN
    return name
