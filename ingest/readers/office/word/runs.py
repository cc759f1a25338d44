"""The content of a Word paragraph in, its text with marks out, and what hangs on it: text boxes, notes, drawings.

Wrappers of any name are looked into, so that no word is lost in a hyperlink, a smart tag or a content control; what is
known not to be text is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.readers.composition import add_marked, visible
from ingest.readers.html.notation import END, LINE_BREAK, LOWERED, NOTE, RAISED, line_mark
from ingest.readers.html.vocabulary import names
from ingest.readers.office.formula import formula_text
from ingest.readers.office.numbers import numeral
from ingest.readers.office.package import child_of, chosen, is_on, name_of, number, value_of
from ingest.readers.office.word.styles import Look, look_of
from ingest.readers.office.word.symbols import symbol, without_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.readers.office.word.styles import Styles
    from ingest.readers.xml_tree import Element

_SCRIPTS = {"raised": RAISED, "lowered": LOWERED}
# Properties, what a tracked change has taken away, and the instructions of fields, of which the result is the text.
_NO_TEXT = names(
    """w:pPr w:rPr w:sdtPr w:sdtEndPr w:smartTagPr w:customXmlPr w:fldData w:ffData w:del w:moveFrom w:delText w:instrText
    w:delInstrText w:footnoteRef w:endnoteRef w:annotationRef w:separator w:continuationSeparator w:proofErr
    w:softHyphen w:rubyPr"""
)
PLACEHOLDER = ("w:sdtPr", "w:showingPlcHdr")  # of a content control that nobody has filled in


@dataclass
class Inline:
    """What the content of a paragraph was read as; `boxes` and `drawings` are elements to be read after it."""

    pieces: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    drawings: list[tuple[str, Element]] = field(default_factory=list)

    def go_on(self, other: Inline) -> None:
        """The content of another one belongs to the same paragraph."""
        self.pieces += other.pieces
        self.boxes += other.boxes
        self.drawings += other.drawings


@dataclass
class Story:
    """Text that is read from its beginning to its end: that of the document, or of one note."""

    fields: list[str] = field(default_factory=list)  # of each open field "instruction" or "result"
    are_fields_closed: bool = True  # else nothing is hidden: what began and never ends would hide the rest
    page: int = 0  # 0 where pages are not known
    marked_page: int = 0


class Runs:
    """Reads the content of paragraphs one after another, for what is counted is counted through the document."""

    def __init__(self, styles: Styles, note_styles: dict[str, str]) -> None:
        self._styles = styles
        self._note_styles = note_styles  # the number format of footnotes and of endnotes
        self._note_counts = dict.fromkeys(note_styles, 0)
        self.notes: list[
            tuple[str, str, str]
        ] = []  # kind, id and label of those that were referred to and are not read
        self.comments: list[str] = []  # the ids of those that were referred to
        self.has_struck = False
        self.story = Story()
        self._inline = Inline()

    def read(self, paragraph: Element, style: str) -> Inline:
        """All that stands in a paragraph whose style has this id."""
        self._inline = Inline()
        self._walk(paragraph, self._styles.look(style))
        return self._inline

    def _walk(self, parent: Element, look: Look) -> None:
        for child in parent:
            name = name_of(child.tag)
            if name in _HANDLERS:
                _HANDLERS[name](self, child, look)
            elif name and name not in _NO_TEXT:
                self._walk(child, look)

    # Wrappers

    def _run(self, run: Element, look: Look) -> None:
        properties = child_of(run, "w:rPr")
        if properties is not None:
            style = child_of(properties, "w:rStyle")
            if style is not None:
                styled = self._styles.look(value_of(style, "w:val"))
                look = Look(
                    styled.script or look.script, styled.is_hidden or look.is_hidden, styled.is_struck or look.is_struck
                )
            look = look_of(properties, look)
        self.has_struck = self.has_struck or look.is_struck
        if not look.script or any(name_of(child.tag) in _REFERENCES for child in run):
            self._walk(run, look)
            return
        around, self._inline.pieces = self._inline.pieces, []
        self._walk(run, look)
        add_marked(around, _SCRIPTS[look.script], self._inline.pieces)
        self._inline.pieces = around

    def _alternatives(self, element: Element, look: Look) -> None:
        found = chosen(element)
        if found is not None:
            self._walk(found, look)

    def _control(self, control: Element, look: Look) -> None:
        if not is_on(control, *PLACEHOLDER):
            self._walk(control, look)

    def _box(self, box: Element, look: Look) -> None:  # noqa: ARG002 - all of _HANDLERS are called alike
        self._inline.boxes.append(box)

    def _drawing(self, element: Element, look: Look) -> None:  # noqa: ARG002
        self._inline.drawings.append((name_of(element.tag), element))

    # Text

    def _is_shown(self, look: Look) -> bool:
        if look.is_hidden or look.is_struck:
            return False
        return not self.story.are_fields_closed or "instruction" not in self.story.fields

    def _add(self, text: str, look: Look) -> None:
        if not text or not self._is_shown(look):
            return
        story = self.story
        if story.page != story.marked_page and not text.isspace():
            story.marked_page = story.page
            lead = len(text) - len(text.lstrip())
            text = text[:lead] + line_mark(story.page) + text[lead:]
        self._inline.pieces.append(visible(text))

    def _text(self, element: Element, look: Look) -> None:
        text = element.text or ""
        if not text.isascii():
            font = child_of(element.getparent(), "w:rPr", "w:rFonts")
            text = without_private(text, value_of(font, "w:ascii") if font is not None else "Wingdings")
        self._add(text, look)

    def _tab(self, element: Element, look: Look) -> None:  # noqa: ARG002
        self._add("\t", look)

    def _break(self, element: Element, look: Look) -> None:  # noqa: ARG002
        if self._is_shown(look):
            self._inline.pieces.append(LINE_BREAK)

    def _hyphen(self, element: Element, look: Look) -> None:  # noqa: ARG002
        self._add("-", look)

    def _symbol(self, element: Element, look: Look) -> None:
        try:
            code = int(value_of(element, "w:char")[:8], 16)
        except ValueError:
            return
        self._add(symbol(code, value_of(element, "w:font")), look)

    def _ruby(self, element: Element, look: Look) -> None:
        base, above = child_of(element, "w:rubyBase"), child_of(element, "w:rt")
        if base is not None and above is not None:
            self._walk(base, look)
            self._add("(", look)
            self._walk(above, look)
            self._add(")", look)

    def _formula(self, element: Element, look: Look) -> None:
        text = formula_text(element)
        pieces = self._inline.pieces
        if text and pieces and pieces[-1][-1:].isalnum() and text[0].isalnum():
            text = f" {text}"
        self._add(text, look)

    def _formula_line(self, element: Element, look: Look) -> None:
        self._break(element, look)
        for formula in element:
            if name_of(formula.tag) == "m:oMath":
                self._formula(formula, look)
                self._break(element, look)

    # What is counted

    def _field(self, element: Element, look: Look) -> None:  # noqa: ARG002
        kind, fields = value_of(element, "w:fldCharType"), self.story.fields
        if kind == "begin":
            fields.append("instruction")
        elif kind == "separate" and fields:
            fields[-1] = "result"
        elif kind == "end" and fields:
            fields.pop()

    def _page(self, element: Element, look: Look) -> None:  # noqa: ARG002
        self.story.page += self.story.page > 0

    def _note(self, element: Element, look: Look) -> None:
        kind = _REFERENCES[name_of(element.tag)]
        identifier = value_of(element, "w:id")
        if not self._is_shown(look):
            return
        label = ""
        if value_of(element, "w:customMarkFollows", "0") in ("0", "false", "off"):
            self._note_counts[kind] += 1
            label = numeral(self._note_counts[kind], self._note_styles[kind])
            self._inline.pieces += (NOTE, label, END)
        self.notes.append((kind, identifier, label))

    def _comment(self, element: Element, look: Look) -> None:  # noqa: ARG002
        self.comments.append(value_of(element, "w:id"))


_REFERENCES = {"w:footnoteReference": "footnote", "w:endnoteReference": "endnote"}
_HANDLERS: dict[str, Callable[[Runs, Element, Look], None]] = {
    "w:r": Runs._run,
    "mc:AlternateContent": Runs._alternatives,
    "w:sdt": Runs._control,
    "w:txbxContent": Runs._box,
    "dgm:relIds": Runs._drawing,
    "c:chart": Runs._drawing,
    "cx:chart": Runs._drawing,
    "w:t": Runs._text,
    "w:tab": Runs._tab,
    "w:ptab": Runs._tab,
    "w:br": Runs._break,
    "w:cr": Runs._break,
    "w:noBreakHyphen": Runs._hyphen,
    "w:sym": Runs._symbol,
    "w:ruby": Runs._ruby,
    "m:oMath": Runs._formula,
    "m:oMathPara": Runs._formula_line,
    "w:fldChar": Runs._field,
    "w:lastRenderedPageBreak": Runs._page,
    "w:footnoteReference": Runs._note,
    "w:endnoteReference": Runs._note,
    "w:commentReference": Runs._comment,
}


def are_fields_closed(root: Element) -> bool:
    """Whether as many fields end in a part as begin there."""
    kinds = [value_of(mark, "w:fldCharType") for mark in root.iter("{*}fldChar")]
    return kinds.count("begin") == kinds.count("end")


def page_count(properties: Element | None) -> int:
    """The pages that the program counted when it saved the file, 0 where it does not say."""
    found = properties.find("{*}Pages") if properties is not None else None
    return number(found.text or "") if found is not None else 0
