"""A file's bytes in, its text and the name of its encoding out; what is not text is refused.

Certain knowledge comes first: a byte-order mark, then UTF-16 and UTF-32 that show themselves, then strict UTF-8, then
what an HTML file declares. Only then is a legacy encoding guessed, always the same one for the same bytes.

A NUL alone says nothing: logs, exports of fixed width and files that a crash has cut short hold some, and remain text.
"""

from __future__ import annotations

import codecs
import re

from sql.base.errors import UnreadableDocument

# Longest first: the mark of UTF-32-LE begins with that of UTF-16-LE.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FILE_SIGNATURES = {
    b"\x7fELF": "an ELF program",
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"SQLite format 3\x00": "an SQLite database",
}
# What may be guessed. The order decides between guesses that fit equally well: Western European first.
_LEGACY_ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "euc_jp", "gb18030", "big5", "cp949", "koi8_r", "cp1255",
    "cp1256",
)  # fmt: skip
# What an HTML file may declare, by codec name. Not every codec of Python: unicode_escape could make lone surrogates.
_DECLARABLE_ENCODINGS = {
    **{codecs.lookup(name).name: name for name in _LEGACY_ENCODINGS},
    **{codecs.lookup(f"iso8859-{part}").name: f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{codecs.lookup(f"cp{page}").name: f"cp{page}" for page in (866, 874, 1257, 1258)},
    # as browsers read them: a page that says Latin-1 or ASCII means Windows-1252, one that says GBK means its superset
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5hkscs": "big5hkscs", "koi8-u": "koi8_u", "iso2022_jp": "iso2022_jp",
    "mac-roman": "mac_roman",
}  # fmt: skip
_DECLARED_CHARSET = re.compile(
    rb"""<meta\b[^>]{0,400}?\bcharset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{1,40})"""
    rb"""|<\?xml\b[^>]{0,100}?\bencoding\s{0,9}=\s{0,9}["']([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_HEAD_BYTES = 4096  # where a declaration is looked for; browsers look at 1,024
_SAMPLE_BYTES = 64 * 1024  # what a guess is made from: the guesser reads about 1 MB/s
_UTF8_LIKE = re.compile(rb"[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}")
_CONTROL_BYTES = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1b"))
_ASCII, _BEYOND_ASCII = bytes(range(0x80)), bytes(range(0x80, 0x100))
_NULS, _CONTROLS = re.compile("\0+"), re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_INVISIBLE = re.compile(r"[\s\x00\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]+")


def decode_text(data: bytes, source: str, declared: str = "") -> tuple[str, str]:
    """The text of a file's bytes and the encoding they were in; UnreadableDocument, naming `source`, if they hold none.

    Newlines are kept as they are, and so are NULs and a byte-order mark, as U+FEFF. The text never holds a surrogate.
    """
    _refuse_known_binary(data, source)
    text, encoding = _decode(data, source, declared)
    if "\0" in text and not _is_text_between_nuls(text):
        raise UnreadableDocument(_not_text(source))
    return text, encoding


def declared_charset(data: bytes) -> str:
    """The encoding that a page or an XML document declares, or ""; believed only where the bytes are not Unicode."""
    match = _DECLARED_CHARSET.search(data[:_HEAD_BYTES])
    return (match[1] or match[2]).decode("ascii", "replace") if match else ""


def _not_text(source: str) -> str:
    return f"{source} holds NUL bytes and little that is text between them, so it is not a text file"


def _decode(data: bytes, source: str, declared: str) -> tuple[str, str]:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_marked(data, source, encoding), encoding
    if 0 in data and (encoding := _evident_wide_encoding(data)):
        return data.decode(encoding), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        return _decode_legacy(data, source, declared, error)


def _refuse_known_binary(data: bytes, source: str) -> None:
    for signature, name in _FILE_SIGNATURES.items():
        if data.startswith(signature):
            raise UnreadableDocument(f"{source} is {name} by its first bytes, not a text file as its name says")


def _decode_marked(data: bytes, source: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableDocument(
            f"{source} begins with the mark of {encoding} but is not {encoding} at byte {error.start}: save it as UTF-8"
        ) from error


def _is_text_between_nuls(text: str) -> bool:
    """Whether NULs, in runs of any length, stand between pieces of text and not within a program or a picture."""
    rest = len(text) - text.count("\0")
    runs = sum(1 for _ in _NULS.finditer(text))
    controls = sum(1 for _ in _CONTROLS.finditer(text))
    return 0 < 2 * runs <= rest and 50 * controls <= rest


def _evident_wide_encoding(data: bytes) -> str:
    """The UTF-16 or UTF-32 in which bytes with NULs, but without a mark, read as text; "" for none.

    Almost any even number of bytes can be read as UTF-16, most of them as Chinese. So it has to show itself: by units of
    Latin letters, each with a NUL of its own; or, where the bytes are not UTF-8 with some NULs either, by its spaces or
    its line ends.
    """
    for encoding in ("utf-32-le", "utf-32-be"):
        text = _decoded(data, encoding)
        if text and _mostly_visible(text):
            return encoding
    wide = [(encoding, text) for encoding in ("utf-16-le", "utf-16-be") if (text := _decoded(data, encoding))]
    for encoding, text in wide:
        units = len(text) - text.count("\0")
        latin = len(text.encode("latin-1", "ignore")) - text.count("\0")
        swapped = data[encoding == "utf-16-be" :: 2].count(0) - text.count("\0")  # units such as U+4E00
        if 5 * latin >= 2 * units and 10 * swapped <= units and _mostly_visible(text):
            return encoding
    narrow = _decoded(data, "utf-8")
    if narrow and _is_text_between_nuls(narrow):
        return ""
    readings = [(_shown_by_spaces(data, text), encoding) for encoding, text in wide]
    share, encoding = max(readings, default=(0, ""))
    return encoding if share > 0 else ""


def _decoded(data: bytes, encoding: str) -> str:
    """The text, "" where it is not in this encoding."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _mostly_visible(text: str) -> bool:
    """Whether hardly any character is a control or has no meaning, NULs between pieces of text left aside."""
    visible = _INVISIBLE.sub("", text)
    strange = len(visible) - len("".join(filter(str.isprintable, visible)))
    return (50 * strange <= len(visible) > 0) and ("\0" not in text or _is_text_between_nuls(text))


def _shown_by_spaces(data: bytes, text: str) -> int:
    """How many spaces and line ends text of few Latin letters has, 0 where they do not show that it is UTF-16.

    In UTF-16 a space or a line end is two bytes, and each of them alone hardly occurs; in 8-bit text it is the reverse.
    """
    if "\0" in text or not _INVISIBLE.sub("", text).isprintable():
        return 0
    counts = [(text.count(mark), data.count(mark.encode())) for mark in " \n"]
    return sum(wide for wide, _ in counts) if any(2 * wide >= single > 0 for wide, single in counts) else 0


def _decode_legacy(data: bytes, source: str, declared: str, error: UnicodeDecodeError) -> tuple[str, str]:
    """Text that is neither Unicode nor binary: as declared, as guessed, or as Windows-1252."""
    letters = data.translate(None, _CONTROL_BYTES)
    nuls = data.count(0)
    if (len(data) - len(letters) - nuls) * 50 > len(data) - nuls:
        raise UnreadableDocument(f"{source} is mostly control bytes, so it is not a text file")
    if _is_broken_utf8(data):
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableDocument(
            f"{source} is UTF-8 with a broken byte 0x{data[error.start]:02x} at byte {error.start} (line {line}): "
            "save it again as UTF-8"
        ) from error
    # Beside NULs, bytes that no guess fits and that are not mostly ASCII are numbers, not letters.
    is_western = not nuls or 2 * len(data.translate(None, _BEYOND_ASCII)) > len(data) + nuls
    last = "cp1252" if is_western else ""
    for encoding in (_declarable(declared), _guessed_encoding(data, error.start), last):
        try:
            if encoding:
                return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise UnreadableDocument(f"{source} is in no encoding that this program recognises: save it as UTF-8") from error


def _is_broken_utf8(data: bytes) -> bool:
    """Whether most bytes beyond ASCII form the sequences of UTF-8, overlong and surrogate ones included.

    Such a file read as Windows-1252 would be garbled throughout, and dropping its bad bytes would move every offset.
    """
    beyond_ascii = len(data.translate(None, _ASCII))
    return sum(map(len, _UTF8_LIKE.findall(data))) * 3 >= beyond_ascii * 2


def _declarable(label: str) -> str:
    """The encoding an HTML file means by its label, or "" for one that is unknown or unsafe."""
    try:
        return _DECLARABLE_ENCODINGS.get(codecs.lookup(label).name, "") if label else ""
    except LookupError:
        return ""


def _guessed_encoding(data: bytes, first_odd_byte: int) -> str:
    """The legacy encoding that makes the most sense of the bytes around the first one beyond ASCII, or ""."""
    from charset_normalizer import from_bytes

    line_start = max(data.rfind(b"\n", 0, first_odd_byte) + 1, first_odd_byte - 1000)
    sample = data[line_start : line_start + _SAMPLE_BYTES]
    if len(sample) == _SAMPLE_BYTES:
        sample = sample[: sample.rfind(b"\n") + 1] or sample  # whole lines, so that no character is cut in two
    guesses = []
    for match in from_bytes(sample, cp_isolation=list(_LEGACY_ENCODINGS)):
        same_text = [name for name in _LEGACY_ENCODINGS if name in match.could_be_from_charset]
        if same_text:
            rank = _LEGACY_ENCODINGS.index(same_text[0])
            guesses.append((round(match.chaos, 2), -round(match.coherence, 2), rank, same_text[0]))
    return min(guesses)[-1] if guesses else ""
