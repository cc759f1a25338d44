"""An element in, how it is read out: by its name, and by what its attributes hide, strike through, raise or lower."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from ingest.readers.html.events import attributes_of
from ingest.readers.html.vocabulary import MATH, SVG

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.readers.html.events import Element

# How each element is read. One that is not listed is phrasing whose text is read as it stands: a abbr b bdi big cite
# code data dfn em font i ins kbd label map mark meter nobr output progress rb ruby samp small span strong time tt u var.
_READ_AS = {
    # Not shown by a browser, or only where something else is not: scripts off, a film that cannot be played. A list of
    # choices is not text of the page, nor are the labels of a drawing in a row. Of <del>, <s> and <strike> the page
    # itself says that it no longer holds: beside <ins> it would contradict. <rp> is there for readers without ruby.
    "omitted": """script style noscript iframe noembed noframes template object applet canvas audio video select
        datalist svg del s strike rp""",
    "block": """address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption
        figure footer form h1 h2 h3 h4 h5 h6 header hgroup legend li listing main menu nav ol option p plaintext pre
        search section summary table tbody tfoot thead td th tr ul xmp""",
    "raised": "sup",  # 10^6, 1st, [1]: see notation.py
    "lowered": "sub",
    "turned": "bdo",
    "break": "br",
    "rule": "hr",
    "image": "img",  # by its description
    "field": "input",  # by its value, if it is shown, as the text of a button and of a textarea is
    "title": "title",  # the page's, not a part of its text
    "formula": "math",  # x^2: see mathml.py
    "quoted": "q",  # browsers write the quotation marks
    "link": "a",  # the mark of a note, if it leads to one
    "annotated": "rt",  # in the parentheses that <rp> asks for
}
_KIND_OF = {name: kind for kind, listed in _READ_AS.items() for name in listed.split()}

# int() refuses such a number with a ValueError, which html.unescape lets through
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?")
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
# Attributes that can change how an element is read; to read them all would take half of the time.
_STYLED = re.compile(r"hidden|popover|style|\bopen\b|dialog", re.IGNORECASE)
_ANCHOR_LINK = re.compile(
    r"headerlink|header-?anchor|heading-?anchor|anchorjs-link|hash-?link|permalink", re.IGNORECASE
)
_WHOLE_NUMBER = re.compile(r"[\t\n\f\r ]*([-+]?[0-9]{1,9})")


def kind_of(element: Element) -> str:
    """How an element is read, by its name and by what its attributes hide, strike through, raise or lower."""
    is_html = element.space not in (SVG, MATH) or element.name == element.space
    kind = _KIND_OF.get(element.name, "") if is_html else ""
    if kind == "link" and _ANCHOR_LINK.search(value_of(element, "class")):
        return "omitted"  # the sign beside a heading that appears under the mouse, to link to it
    if element.attributes and kind != "omitted" and _STYLED.search(element.attributes):
        return _styled_kind(element, kind)
    return "omitted" if kind == "block" and element.name == "dialog" else kind


def _styled_kind(element: Element, kind: str) -> str:
    attributes = attributes_of(element.attributes)
    if attributes.get("hidden", "until-found").strip().lower() != "until-found" or "popover" in attributes:
        return "omitted"
    if element.name == "dialog" and "open" not in attributes:
        return "omitted"
    if attributes.get("aria-hidden", "").lower() == "true" and (
        element.name == "nobr" or "katex-html" in attributes.get("class", "")
    ):
        return "omitted"  # the drawing of a formula, in glued pieces, that stands beside the formula itself
    style = declarations(unescaped(attributes.get("style", "")))
    if any(_HIDING[name](value) for name, value in style.items() if name in _HIDING):
        return "omitted"
    return kind or _ALIGNED.get(style.get("vertical-align", ""), "")


def declarations(style: str) -> dict[str, str]:
    """The properties that a style attribute declares, in small letters; the last of a name counts."""
    declared: dict[str, str] = {}
    for declaration in _CSS_COMMENT.sub("", style).lower().split(";"):
        name, _, value = declaration.partition(":")
        declared[name.strip()] = value.replace("!important", "").strip()
    return declared


_ALIGNED = {"super": "raised", "sub": "lowered"}
_HIDING: dict[str, Callable[[str], bool]] = {
    "display": "none".__eq__,
    "visibility": ("hidden", "collapse").__contains__,
    "content-visibility": "hidden".__eq__,
    "text-decoration": lambda value: "line-through" in value,
    "text-decoration-line": lambda value: "line-through" in value,
}


def value_of(element: Element, name: str) -> str:
    """The value of an attribute, or ""."""
    if name not in element.attributes.lower():
        return ""
    return unescaped(attributes_of(element.attributes).get(name, ""))


def unescaped(text: str) -> str:
    """Text with its character references replaced; a number beyond every character becomes U+FFFD."""
    if "&" not in text:
        return text
    return html.unescape(_HUGE_REFERENCE.sub("\ufffd", text)).replace("\0", "\ufffd")


def whole_number(text: str, otherwise: int) -> int:
    """The whole number that an attribute begins with."""
    found = _WHOLE_NUMBER.match(text)
    return int(found[1]) if found else otherwise
