"""Elements that begin and end in, the stack of those that are open, and the events of a page out."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

from ingest.readers.html.events import Element, Event, Kind
from ingest.readers.html.vocabulary import (
    FOREIGN_SCOPE,
    HTML,
    IMPLIED_ENDS,
    ITEM_STOP_EXCEPTIONS,
    LIST_SCOPE,
    MARKERS,
    MATH,
    MATH_TEXT,
    NOT_SPECIAL,
    SCOPE,
    SPECIAL,
    SVG,
    TABLE_CONTEXT,
    TABLE_SCOPE,
)


class OpenElements:
    """The stack of open elements; each that is put on it or taken off tells of it in `out`.

    Every question to the stack is answered without walking through it, else deep nesting would make the work quadratic:
    `places` knows where the elements of a name are, and each element where the scopes end below it.
    """

    def __init__(self) -> None:
        self.position = 0  # in the markup
        self.out: list[Event] = []
        self.stack: list[Element] = []
        self.places: defaultdict[str, list[int]] = defaultdict(list)
        self.formatting: list[Element | None] = []  # to be opened again in the next paragraph; None is a marker
        self._push(Element("html", "", 0))
        self.out.clear()

    def _push(self, element: Element) -> None:
        stack, name, space = self.stack, element.name, element.space
        index = len(stack)
        below = stack[-1] if stack else element
        element.index, element.is_open = index, True
        if space == HTML:
            is_special = name in SPECIAL and name not in NOT_SPECIAL
            ends_scope = name in SCOPE
            element.html_at = index
        else:
            is_special = ends_scope = name in FOREIGN_SCOPE[space]
            element.html_at = below.html_at
        is_html = space == HTML
        first = not stack
        element.special_at = index if is_special or first else below.special_at
        element.item_stop_at = (
            index if first or (is_special and not (is_html and name in ITEM_STOP_EXCEPTIONS)) else below.item_stop_at
        )
        element.scope_at = index if ends_scope or first else below.scope_at
        element.list_scope_at = index if ends_scope or (is_html and name in LIST_SCOPE) else below.list_scope_at
        element.button_scope_at = index if ends_scope or (is_html and name == "button") else below.button_scope_at
        element.table_scope_at = index if is_html and name in TABLE_SCOPE else below.table_scope_at
        element.table_context_at = index if is_html and name in TABLE_CONTEXT else below.table_context_at
        stack.append(element)
        self.places[name].append(index)
        self.out.append(Event(Kind.START, element, position=element.position))

    def _pop(self) -> None:
        self._pop_one()
        while not self.stack[-1].is_open:
            self._pop_one()

    def _pop_one(self) -> None:
        element = self.stack.pop()
        if element.is_open:
            self.places[element.name].pop()
            element.is_open = False
        self._tell_end(element)
        if element.space == HTML and element.name in MARKERS:
            self._drop_to_marker()

    def _pop_to(self, index: int) -> None:
        """Close the elements from the top of the stack to the one at this index."""
        while len(self.stack) > index:
            self._pop()

    def _forget(self, element: Element, *, is_over: bool) -> None:
        """Take an element out of the middle of the stack: its place stays, but no tag finds it any more."""
        indices = self.places[element.name]
        del indices[bisect_left(indices, element.index)]
        element.is_open = False
        if is_over:
            self._tell_end(element)

    def _tell_end(self, element: Element) -> None:
        if not element.is_over:
            self.out.append(Event(Kind.END, element, position=self.position))
            element.is_over = True

    def _place(self, name: str) -> int:
        """The index of the innermost open element of this name, -1 if there is none."""
        places = self.places[name]
        return places[-1] if places else -1

    def _in_scope(self, name: str) -> bool:
        return self._place(name) >= self.stack[-1].scope_at and self._place(name) > 0

    def _context(self) -> Element:
        """The innermost open element that is a part of a table, or the root."""
        return self.stack[self.stack[-1].table_context_at]

    def _is_html_here(self) -> bool:
        """Whether text or a start tag that comes now belongs to HTML, not to SVG or MathML."""
        top = self.stack[-1]
        if top.space == HTML:
            return True
        return top.name in MATH_TEXT if top.space == MATH else top.name in FOREIGN_SCOPE[SVG]

    def _imply_ends(self, besides: str = "", implied: frozenset[str] = IMPLIED_ENDS) -> None:
        while self.stack[-1].name in implied and self.stack[-1].name != besides and self.stack[-1].space == HTML:
            self._pop()

    def _close_paragraph(self) -> None:
        place = self._place("p")
        if place > 0 and place >= self.stack[-1].button_scope_at:
            self._pop_to(place)

    def _insert(self, name: str, attributes: str, position: int, space: str = HTML) -> Element:
        element = Element(name, attributes, position, space)
        self._push(element)
        return element

    def _drop_to_marker(self) -> None:
        while self.formatting and self.formatting.pop() is not None:
            pass
