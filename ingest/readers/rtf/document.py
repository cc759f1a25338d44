"""An RTF file in, its text out as it is shown: the numbers of lists, tables as rows, notes behind what refers to them.

A group is a stack's level: what its beginning sets, its end takes back. Groups that are no text (fonts, pictures, headers and
footers, instructions of fields, whatever begins with `\\*` and is not known) are passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.readers.composition import MAX_REPEATED, Cell, Composition, Table, add_marked, facts, listed, visible
from ingest.readers.html.notation import END, LINE_BREAK, LOWERED, NOTE, RAISED, collapsed, plain_text
from ingest.readers.html.vocabulary import names
from ingest.readers.office.word.symbols import symbol
from ingest.readers.rtf.codepages import SYMBOLS, WESTERN, charset_codec, page_codec
from ingest.readers.rtf.tokens import BYTES, CLOSE, OPEN, Token, tokens
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from sql.records.metadata import MetadataValue

COMMENTS = "Comments"
_BEGINNING = b"{\\rtf"
_MAX_DEPTH = 5000  # groups in groups
_MAX_HEADING = 400  # characters; a longer paragraph with an outline level is text
_PRIVATE = range(0xF000, 0xF100)  # where the bytes of symbol fonts stand in Unicode
_BULLETS = frozenset("o§")  # letters that are signs in the fonts of bullets; any other sign alone is one too
_HEADING_NAME = re.compile(r"heading ?([1-9])", re.IGNORECASE)
# Groups that are not the text of the document although they do not begin with \*.
_NO_TEXT = names(
    """colortbl pict header headerl headerr headerf footer footerl footerr footerf ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn
    nonesttables shprslt sp xe tc tcn txe rxe bkmkstart bkmkend filetbl revtbl rsidtbl private template operator upr
    fldinst listtable listoverridetable list listoverride pn pnseclvl themedata datafield objdata"""
)
_NO_TEXT_BYTES = dict.fromkeys([*range(9), *range(10, 32), 127])  # RTF has control words for what they would do
_TABLES = ("fonttbl", "stylesheet", "info")
_DATE, _DATES = ("yr", "mo", "dy", "hr", "min"), ("creatim", "revtim")
_UNICODE_AGAIN = "ud"  # holds what the rest of its group says for readers without Unicode
_WITH_STAR = names(
    "shpinst shptxt ud annotation atnauthor ftnalt fldrslt footnote"
)  # groups that are read all the same
_CHARACTERS = {
    "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•",
    "tab": "\t", "emspace": " ", "enspace": " ", "qmspace": " ", "~": "\u00a0", "_": "-", "|": "", "-": "", ":": "",
    "\t": "\t", "zwj": "\u200d", "zwnj": "\u200c", "ltrmark": "\u200e", "rtlmark": "\u200f", "{": "{", "}": "}", "\\": "\\",
}  # fmt: skip


def read(file: RawFile) -> Iterator[Document]:
    """The one document of an RTF file."""
    if not file.data.lstrip().startswith(_BEGINNING):
        raise UnreadableDocument(f"{file.source} does not begin with {{\\rtf, as an RTF file does")
    yield _Reader(file).document()


class _Font:
    """A font of the file's table; `codec` is "" for that of the file."""

    def __init__(self) -> None:
        self.codec, self.name, self.is_symbols = "", "", False


class _Style:
    """A style of paragraphs."""

    def __init__(self) -> None:
        self.name, self.level, self.base = "", -1, -1


class _Group:
    """What holds until the end of a group. `kind` says what its text is; "" is none.

    `has_begun` says that something stands in the group already: a `\\*` further on means nothing.
    """

    __slots__ = (
        "font", "has_begun", "is_deleted", "is_hidden", "is_struck", "kind", "script", "sink", "star", "unicode_skip",
    )  # fmt: skip

    def __init__(self, above: _Group | None = None) -> None:
        self.kind: str = above.kind if above else "body"
        self.sink: list[str] = above.sink if above else []
        self.font: int = above.font if above else -1
        self.script: str = above.script if above else ""
        self.is_hidden: bool = above.is_hidden if above else False
        self.is_struck: bool = above.is_struck if above else False
        self.is_deleted: bool = above.is_deleted if above else False
        self.unicode_skip: int = above.unicode_skip if above else 1
        self.star = self.has_begun = False


class _Reader:
    """Goes through the tokens of a file once."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._composition = Composition()
        self._group = _Group()
        self._body = self._group.sink  # of the paragraph that is being read
        self._stack: list[_Group] = []
        self._codec, self._default_font = WESTERN, -1
        self._fonts: dict[int, _Font] = {}
        self._styles: dict[int, _Style] = {}
        self._font, self._style = _Font(), _Style()  # the one whose definition is being read
        self._facts: dict[str, str] = {}
        self._date: dict[str, int] = {}
        self._raw = bytearray()  # bytes whose text is not known yet: a character may take several
        self._skip = 0  # characters that stand there for readers without Unicode
        self._high = 0  # the first half of a pair
        self._paragraph_style, self._level, self._in_table = -1, -1, False
        self._marker, self._depth = "", 0  # of an item of a list
        self._cells: list[str] = []
        self._merges: list[str] = []  # of the cells of this row: "first", "next" or ""
        self._merge = ""
        self._rows: list[tuple[list[str], list[str]]] = []
        self._note_number, self._label = 0, ""
        self._attached: list[str] = []  # notes and text boxes of the paragraph or cell that is being read
        self._waiting: list[str] = []  # those of items and cells that are read
        self._before_table = 0  # of these, those of what stands before the table
        self._author, self._comments = "", list[str]()
        self._has_struck = False
        self._title = ""

    def document(self) -> Document:
        """All that the file says."""
        for token in tokens(self._file.data):
            if token.kind == BYTES:
                self._take_bytes(token)
            else:
                self._take_bytes_end(token)
                if token.kind == OPEN:
                    self._open()
                elif token.kind == CLOSE:
                    self._close()
                else:
                    self._control(token)
        self._write_bytes()
        if self._high:
            self._write("\ufffd")
        while self._stack:
            self._close()
        self._end_paragraph()
        self._end_table()
        self._write_comments()
        remarks = ["text that is struck out is left out"] if self._has_struck else []
        title = self._facts.pop("title", "")
        return self._composition.document(self._file, title or self._title, self._metadata(), listed(remarks))

    def _metadata(self) -> dict[str, MetadataValue]:
        return facts(**self._facts)

    # Groups

    def _open(self) -> None:
        self._skip = 0
        if len(self._stack) >= _MAX_DEPTH:
            raise UnreadableDocument(f"{self._file.source} has more than {_MAX_DEPTH:,} groups in groups")
        self._stack.append(self._group)
        self._group = _Group(self._group)

    def _close(self) -> None:
        self._skip = 0
        if not self._stack:
            return
        closed, self._group = self._group, self._stack.pop()
        if closed.sink is not self._group.sink and closed.kind in _CLOSED:
            _CLOSED[closed.kind](self, closed.sink)

    def _enter(self, kind: str) -> None:
        """The rest of this group is text of another kind."""
        self._group.kind, self._group.sink = kind, []
        self._group.script, self._group.is_hidden = "", False

    # Text

    def _take_bytes(self, token: Token) -> None:
        data, self._group.has_begun = token.data, True
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._high and data:
            self._high = 0
            self._write("\ufffd")
        self._raw += data

    def _take_bytes_end(self, token: Token) -> None:
        """Before any other token the bytes so far become text."""
        if self._raw:
            self._write_bytes()
        if self._high and token.text != "u":
            self._high = 0
            self._write("\ufffd")

    def _write_bytes(self) -> None:
        data, self._raw = bytes(self._raw), bytearray()
        if not data or not self._group.kind:
            return
        font = self._fonts.get(self._group.font)
        if font is not None and font.is_symbols:
            text = "".join(
                symbol(0xF000 + byte, font.name) or bytes((byte,)).decode(WESTERN, "replace") for byte in data
            )
        else:
            text = data.decode((font.codec if font else "") or self._codec, "replace")
        self._write(text.translate(_NO_TEXT_BYTES))

    def _write(self, text: str) -> None:
        group = self._group
        if not group.kind or group.is_hidden or group.is_deleted or not text:
            return
        if group.is_struck:
            self._has_struck = True
            return
        if group.script:
            add_marked(group.sink, group.script, [visible(text)])
        else:
            group.sink.append(visible(text))

    def _unicode(self, number: int | None) -> None:
        code = (number or 0) & 0xFFFF
        self._skip = self._group.unicode_skip
        if 0xD800 <= code < 0xDC00:
            self._high = code
        elif 0xDC00 <= code < 0xE000:
            if self._high:
                code = 0x10000 + ((self._high - 0xD800) << 10) + code - 0xDC00
            self._high = 0
            self._write(chr(code) if code >= 0x10000 else "\ufffd")
        else:
            font = self._fonts.get(self._group.font)
            written = symbol(code, font.name if font else "") if code in _PRIVATE else chr(code)
            self._high = 0
            self._write(written.replace("\0", ""))

    # Control words

    def _control(self, token: Token) -> None:
        word, number, group = token.text, token.number, self._group
        if self._skip and word not in ("u", "bin"):
            self._skip -= 1
            return
        is_optional, group.star = group.star, word == "*" and not group.has_begun
        group.has_begun = True
        if is_optional and word not in _WITH_STAR:
            group.kind = ""
        elif word in _TABLES and group.kind:
            self._enter(word)
        elif word in _NO_TEXT:
            group.kind = ""
        elif word in _CHARACTERS:
            self._write(_CHARACTERS[word])
        elif word in _WORDS and (group.kind or word == _UNICODE_AGAIN):
            _WORDS[word](self, number)
        elif word in _FACTS and group.kind == "info":
            self._enter(word)
            self._date = {}
        elif word in _DATE and group.kind in _DATES:
            self._date[word] = number or 0

    def _new_lines(self, number: int | None) -> None:  # noqa: ARG002 - all of _WORDS are called alike
        if not (self._group.is_hidden or self._group.is_deleted):
            self._group.sink.append(LINE_BREAK)

    def _set_font(self, number: int | None) -> None:
        if self._group.kind == "fonttbl":
            self._close_font(self._group.sink)
            self._font = self._fonts[number or 0] = _Font()
            self._group.sink = []
        else:
            self._group.font = number or 0

    def _charset(self, number: int | None) -> None:
        if self._group.kind == "fonttbl":
            self._font.codec, self._font.is_symbols = charset_codec(number or 0), number == SYMBOLS

    def _font_page(self, number: int | None) -> None:
        if self._group.kind == "fonttbl":
            self._font.codec = page_codec(number or 0)

    def _page(self, number: int | None) -> None:
        self._codec = page_codec(number or 0)

    def _set_default_font(self, number: int | None) -> None:
        self._default_font = self._group.font = number or 0

    def _plain(self, number: int | None) -> None:  # noqa: ARG002
        group = self._group
        group.font, group.script = self._default_font, ""
        group.is_hidden = group.is_struck = group.is_deleted = False

    def _raise(self, number: int | None) -> None:
        self._group.script = RAISED if number != 0 else ""

    def _lower(self, number: int | None) -> None:
        self._group.script = LOWERED if number != 0 else ""

    def _no_script(self, number: int | None) -> None:  # noqa: ARG002
        self._group.script = ""

    def _hide(self, number: int | None) -> None:
        self._group.is_hidden = number != 0

    def _strike(self, number: int | None) -> None:
        self._group.is_struck = number != 0

    def _delete(self, number: int | None) -> None:
        self._group.is_deleted = number != 0

    def _skip_after_unicode(self, number: int | None) -> None:
        self._group.unicode_skip = max(number if number is not None else 1, 0)

    # Tables of the file

    def _set_style(self, number: int | None) -> None:
        if self._group.kind == "stylesheet":
            self._style = self._styles[number or 0] = _Style()
            self._group.sink = []
        else:
            self._paragraph_style = number or 0

    def _base(self, number: int | None) -> None:
        if self._group.kind == "stylesheet":
            self._style.base = number if number is not None else -1

    def _outline(self, number: int | None) -> None:
        if self._group.kind == "stylesheet":
            self._style.level = number or 0
        else:
            self._level = number or 0

    def _close_fact(self, name: str, sink: list[str]) -> None:
        if name in _DATES:
            parts = [self._date.get(part, 0) for part in _DATE]
            written = "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}".format(*parts)
            self._facts.setdefault(_FACTS[name], written if parts[0] else "")
        else:
            self._facts.setdefault(_FACTS[name], plain_text(collapsed("".join(sink))).text)

    # Paragraphs

    def _paragraph_defaults(self, number: int | None) -> None:  # noqa: ARG002
        if self._group.kind == "body":
            self._paragraph_style, self._level, self._in_table, self._depth = -1, -1, False, 0

    def _set_depth(self, number: int | None) -> None:
        self._depth = number or 0

    def _set_in_table(self, number: int | None) -> None:
        if self._group.kind == "body":
            self._in_table = number != 0

    def _paragraph_end(self, number: int | None) -> None:
        if self._group.kind != "body":
            self._new_lines(number)
        elif self._in_table:
            self._body.append(" ")
        elif not self._group.is_deleted:
            self._end_paragraph()

    def _end_paragraph(self) -> None:
        self._end_table()
        text = collapsed("".join(self._body))
        self._body.clear()
        marker, self._marker = self._marker, ""
        plain = plain_text(text).text
        level = self._heading_level()
        written = f"{marker} {text}" if marker else text
        if not plain:
            pass
        elif level is not None and len(plain) <= _MAX_HEADING:
            self._write_waiting()
            if level == 0:
                self._title = self._title or " ".join(plain.split())
            self._composition.heading(level, written)
        elif marker:
            self._composition.item(self._depth, written)
        else:
            self._write_waiting()
            self._composition.write("paragraph", text)
        self._waiting += self._attached
        self._attached.clear()
        if not marker:
            self._write_waiting()

    def _heading_level(self) -> int | None:
        """1 to 9 for a heading, 0 for the title of the document, None for other text."""
        if 0 <= self._level < 9:
            return self._level + 1
        number, seen = self._paragraph_style, 0
        while number in self._styles and seen < 10:
            style = self._styles[number]
            name = style.name.split(",")[0].strip()
            found = _HEADING_NAME.fullmatch(name)
            if found or name.lower() == "title":
                return int(found[1]) if found else 0
            if style.level >= 0:
                return style.level + 1 if style.level < 9 else None
            number, seen = style.base, seen + 1
        return None

    def _write_waiting(self) -> None:
        """The text boxes and notes of the paragraphs, items and cells that are written."""
        for text in self._waiting:
            self._composition.write("paragraph", text)
        self._waiting.clear()

    # Tables

    def _row_begins(self, number: int | None) -> None:  # noqa: ARG002
        self._merges, self._merge = [], ""

    def _cell_defined(self, number: int | None) -> None:  # noqa: ARG002
        self._merges.append(self._merge)
        self._merge = ""

    def _merge_first(self, number: int | None) -> None:  # noqa: ARG002
        self._merge = "first"

    def _merge_next(self, number: int | None) -> None:  # noqa: ARG002
        self._merge = "next"

    def _cell_ends(self, number: int | None) -> None:  # noqa: ARG002
        if self._group.kind != "body":
            self._group.sink.append(" ")
            return
        if not self._rows and not self._cells:
            self._before_table = len(self._waiting)
        self._waiting += self._attached
        self._attached.clear()
        marker, self._marker = self._marker, ""
        text = " ".join("".join(self._body).replace(LINE_BREAK, " ").split())
        self._body.clear()
        self._cells.append(f"{marker} {text}" if marker and text else text)

    def _row_ends(self, number: int | None) -> None:
        if self._group.kind != "body":
            self._new_lines(number)
            return
        if "".join(self._body).strip():
            self._cell_ends(None)
        self._rows.append((self._cells, self._merges))
        self._cells = []

    def _inner_cell_ends(self, number: int | None) -> None:  # noqa: ARG002
        self._group.sink.append(", ")

    def _inner_row_ends(self, number: int | None) -> None:  # noqa: ARG002
        self._group.sink.append("; ")

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        if self._cells:
            rows.append((self._cells, self._merges))
            self._cells = []
        if not rows:
            return
        table = Table(self._composition.copies)
        above: dict[int, str] = {}
        for texts, merges in rows:
            for column, merge in enumerate(merges[: len(texts)]):
                if merge == "next":
                    texts[column] = above.get(column, "") if self._composition.copies.take(1) else ""
                elif merge == "first":
                    plain = plain_text(texts[column]).text
                    above[column] = plain if len(plain) <= MAX_REPEATED else ""
            table.row([Cell(text) for text in texts])
        before, self._waiting = self._waiting[: self._before_table], self._waiting[self._before_table :]
        for note in before:
            self._composition.write("paragraph", note)
        self._composition.write("table", table.text)
        self._write_waiting()

    # Notes, comments, boxes, markers of lists

    def _note_mark(self, number: int | None) -> None:  # noqa: ARG002
        if self._group.kind == "body" and not (self._group.is_hidden or self._group.is_deleted):
            self._note_number += 1
            self._label = str(self._note_number)
            self._group.sink += (NOTE, self._label, END)

    def _footnote(self, number: int | None) -> None:  # noqa: ARG002
        is_shown = not (self._group.is_hidden or self._group.is_deleted)
        self._enter("footnote" if is_shown else "")

    def _close_note(self, sink: list[str]) -> None:
        text, label = collapsed("".join(sink)), self._label
        self._label = ""
        if plain_text(text).text:
            self._attached.append(f"[{label}] {text}" if label else text)

    def _close_comment(self, sink: list[str]) -> None:
        text, author = collapsed("".join(sink)), self._author
        self._author = ""
        if plain_text(text).text:
            self._comments.append(f"{author}: {text}" if author else text)

    def _close_author(self, sink: list[str]) -> None:
        self._author = plain_text(collapsed("".join(sink))).text

    def _close_box(self, sink: list[str]) -> None:
        self._attached += collapsed("".join(sink)).split("\n")

    def _close_marker(self, sink: list[str]) -> None:
        text = plain_text(collapsed("".join(sink))).text
        is_sign = len(text) == 1 and not text.isalnum()
        self._marker = "-" if is_sign or text in _BULLETS else text

    def _write_comments(self) -> None:
        if self._comments:
            self._composition.section(1, COMMENTS)
            for text in self._comments:
                self._composition.write("paragraph", text)

    def _unicode_again(self, number: int | None) -> None:  # noqa: ARG002
        """What is said in Unicode is text as it is outside of the group around it."""
        if len(self._stack) > 1:
            outside = self._stack[-2]
            self._group.kind, self._group.sink = outside.kind, outside.sink

    def _close_font(self, sink: list[str]) -> None:
        self._font.name = self._font.name or "".join(sink).strip(" ;")

    def _close_style(self, sink: list[str]) -> None:
        self._style.name = self._style.name or "".join(sink).strip(" ;")


def _entering(kind: str) -> Callable[[_Reader, int | None], None]:
    def enter(reader: _Reader, number: int | None) -> None:  # noqa: ARG001
        reader._enter(kind)

    return enter


def _closing_fact(name: str) -> Callable[[_Reader, list[str]], None]:
    def close(reader: _Reader, sink: list[str]) -> None:
        reader._close_fact(name, sink)

    return close


_FACTS = {"title": "title", "author": "author", "creatim": "created", "revtim": "modified"}
_WORDS: dict[str, Callable[[_Reader, int | None], None]] = {
    "u": _Reader._unicode, "uc": _Reader._skip_after_unicode, "f": _Reader._set_font, "deff": _Reader._set_default_font,
    "fcharset": _Reader._charset, "cpg": _Reader._font_page, "ansicpg": _Reader._page,
    "mac": lambda reader, number: reader._page(10000), "pc": lambda reader, number: reader._page(437),
    "pca": lambda reader, number: reader._page(850), "plain": _Reader._plain, "super": _Reader._raise, "up": _Reader._raise,
    "sub": _Reader._lower, "dn": _Reader._lower, "nosupersub": _Reader._no_script, "v": _Reader._hide,
    "strike": _Reader._strike, "striked": _Reader._strike, "deleted": _Reader._delete, "s": _Reader._set_style,
    "sbasedon": _Reader._base, "outlinelevel": _Reader._outline, "pard": _Reader._paragraph_defaults, "ilvl": _Reader._set_depth,
    "intbl": _Reader._set_in_table, "par": _Reader._paragraph_end, "sect": _Reader._paragraph_end, "\n": _Reader._paragraph_end,
    "\r": _Reader._paragraph_end, "page": _Reader._new_lines, "line": _Reader._new_lines, "lbr": _Reader._new_lines,
    "trowd": _Reader._row_begins, "cellx": _Reader._cell_defined, "clvmgf": _Reader._merge_first,
    "clvmrg": _Reader._merge_next, "cell": _Reader._cell_ends, "row": _Reader._row_ends, "nestcell": _Reader._inner_cell_ends,
    "nestrow": _Reader._inner_row_ends, "chftn": _Reader._note_mark, "footnote": _Reader._footnote,
    "annotation": _entering("annotation"), "atnauthor": _entering("atnauthor"), "shptxt": _entering("shptxt"),
    "listtext": _entering("listtext"), "pntext": _entering("listtext"), _UNICODE_AGAIN: _Reader._unicode_again,
}  # fmt: skip
_CLOSED: dict[str, Callable[[_Reader, list[str]], None]] = {
    "footnote": _Reader._close_note,
    "annotation": _Reader._close_comment,
    "atnauthor": _Reader._close_author,
    "shptxt": _Reader._close_box,
    "listtext": _Reader._close_marker,
    "fonttbl": _Reader._close_font,
    "stylesheet": _Reader._close_style,
    **{name: _closing_fact(name) for name in _FACTS},
}
