"""The elements of a formula in, one line of text out, in which no number reads as another one.

A power is `x^2`, an index `x_i`, a fraction `(a+b)/2`, a root `√x` or `root(3)(x)`, a matrix `[a, b; c, d]`,
a number of combinations `(n; k)`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_DEPTH = 60  # of elements that are written by their own rule: what is nested deeper is written in sequence
# Operators that nobody sees; between two numbers they must not vanish without a trace.
_INVISIBLE = str.maketrans({"\u2061": "", "\u2062": " ", "\u2063": ",", "\u2064": " "})
_ONE_TOKEN = re.compile(r"[-+−]?\w+(?:[.,]\w+)?|[^\w\s]|\([^()]*\)|√\w+")
_SPACES = re.compile(r"\s+")
_SIGNED = re.compile(r"\w*[-+−–]|[-+−–]\w+|[*∗′″°⊤]+")
STACKED = "mfrac without a line"  # a number of combinations: one above the other, but not divided
_PRESCRIPTS = "\0"  # stands for <mprescripts/>: decoded text holds no NUL


class _Frame(NamedTuple):
    """An element that is being read, and what its children have become."""

    name: str
    children: list[str]


class Formula:
    """Gathers a formula from the starts, texts and ends of its elements, which are in balance."""

    def __init__(self) -> None:
        self._frames = [_Frame("math", [])]
        self._deeper = 0
        self.has_text = False

    def start(self, name: str) -> None:
        """An element begins."""
        if len(self._frames) >= _MAX_DEPTH:
            self._deeper += 1
        else:
            self._frames.append(_Frame(name, []))

    def text(self, text: str) -> None:
        """Text of the element that began last."""
        frame = self._frames[-1]
        content = _SPACES.sub(" ", text.translate(_INVISIBLE))
        if frame.name not in _TOKENS:
            content = content.strip()  # spaces between the elements mean nothing
        if content:
            frame.children.append(content)
            self.has_text = self.has_text or not content.isspace()

    def end(self) -> None:
        """The element that began last ends."""
        if self._deeper:
            self._deeper -= 1
        elif len(self._frames) > 1:
            frame = self._frames.pop()
            self._frames[-1].children.append(_written(frame))

    def line(self) -> str:
        """The whole formula."""
        while len(self._frames) > 1:
            self.end()
        return " ".join(_joined(self._frames[0].children).replace(_PRESCRIPTS, "").split())


_TOKENS = frozenset(("mi", "mn", "mo", "ms", "mtext"))


def _joined(parts: list[str]) -> str:
    """Parts in sequence, with a space where two numbers or words would become one."""
    joined: list[str] = []
    last = ""
    for part in filter(None, parts):
        if last and last[-1].isalnum() and part[0].isalnum() and not _is_product(last, part):
            joined.append(" ")
        joined.append(part)
        last = part
    return "".join(joined)


def _is_product(left: str, right: str) -> bool:
    """Whether two parts side by side are a product that is written without a sign: 2x, ab."""
    return not right[0].isdigit() and len(right) == 1 and (left.isdigit() or len(left) == 1)


def _grouped(part: str) -> str:
    return part if _ONE_TOKEN.fullmatch(part) else f"({part})"


def _base(part: str) -> str:
    """What a script stands at: a root in parentheses, for √2^3 would be the root of 8."""
    return f"({part})" if part.startswith("√") else _grouped(part)


def _script(part: str) -> str:
    return part if _SIGNED.fullmatch(part) else _grouped(part)


def _written(frame: _Frame) -> str:
    rule = _RULES.get(frame.name)
    if rule is None:
        return _joined(frame.children)
    return rule(frame.children)


def _child(children: list[str], index: int) -> str:
    return children[index] if index < len(children) else ""


def _token(children: list[str]) -> str:
    return " ".join("".join(children).split())


def _fraction(children: list[str]) -> str:
    return f"{_grouped(_child(children, 0))}/{_grouped(_child(children, 1))}"


def _power(children: list[str]) -> str:
    return _base(_child(children, 0)) + _scripts(["", _child(children, 1)])


def _index(children: list[str]) -> str:
    return _base(_child(children, 0)) + _scripts(children[1:2])


def _index_and_power(children: list[str]) -> str:
    return _base(_child(children, 0)) + _scripts(children[1:3])


def _column(children: list[str]) -> str:
    return "; ".join(children)


def _root(children: list[str]) -> str:
    return f"√{_grouped(_joined(children))}"


def _nth_root(children: list[str]) -> str:
    return f"root({_child(children, 1)})({_child(children, 0)})"


def _row(children: list[str]) -> str:
    return ", ".join(children)


def _table(children: list[str]) -> str:
    return f"[{'; '.join(children)}]"


def _many_scripts(children: list[str]) -> str:
    cut = children.index(_PRESCRIPTS) if _PRESCRIPTS in children else len(children)
    before, after = _scripts(children[cut + 1 :]), _scripts(children[1:cut])
    return f"{before} {_child(children, 0)}{after}" if before else f"{_child(children, 0)}{after}"


def _scripts(parts: list[str]) -> str:
    return "".join(f"{'_^'[index % 2]}{_script(part)}" for index, part in enumerate(parts) if part)


_RULES: dict[str, Callable[[list[str]], str]] = {
    **dict.fromkeys(_TOKENS, _token),
    "mfrac": _fraction,
    STACKED: _column,
    "msup": _power,
    "mover": _power,
    "msub": _index,
    "munder": _index,
    "msubsup": _index_and_power,
    "munderover": _index_and_power,
    "msqrt": _root,
    "mroot": _nth_root,
    "mtr": _row,
    "mlabeledtr": _row,
    "mtable": _table,
    "mmultiscripts": _many_scripts,
    "mfenced": lambda children: f"({', '.join(children)})",
    "mspace": lambda children: " ",
    "mprescripts": lambda children: _PRESCRIPTS,
    # the formula once more, in TeX; and what takes room without being seen
    **dict.fromkeys(("annotation", "annotation-xml", "mphantom", "none"), lambda children: ""),
}
