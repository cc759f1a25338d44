"""The names of elements, by what HTML's parser does where one of them begins, ends or is open.

The sets are those of https://html.spec.whatwg.org/multipage/parsing.html.
"""

from __future__ import annotations

HTML, SVG, MATH = "", "svg", "math"  # the language that an element belongs to


def names(listed: str) -> frozenset[str]:
    """The names between the spaces."""
    return frozenset(listed.split())


# What these hold has no tags in it. In those of WITH_REFERENCES `&amp;` is a character all the same.
RAW = names("script style iframe noembed noframes noscript xmp title textarea")
WITH_REFERENCES = names("title textarea")
REST_IS_TEXT = "plaintext"
VOID = names("area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr")
IGNORED_STARTS = names("html head body frameset frame")  # their attributes matter to no text
FORMATTING = names("a b big code em font i nobr s small strike strong tt u")
HEADINGS = names("h1 h2 h3 h4 h5 h6")
SECTIONS = names("tbody tfoot thead")
CELLS = names("td th")
TABLE_PARTS = SECTIONS | CELLS | names("caption colgroup col tr")
MARKERS = CELLS | names("applet caption marquee object template")  # formatting outside is not opened again inside
ENDS_BLOCK = names(
    """address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer header
    hgroup listing main menu nav ol pre search section select summary ul"""
)
CLOSES_PARAGRAPH = (ENDS_BLOCK - {"button", "select"}) | HEADINGS | names("form hr li dd dt p plaintext xmp")
IMPLIED_ENDS = names("dd dt li optgroup option p rb rp rt rtc")
THOROUGH_ENDS = IMPLIED_ENDS | SECTIONS | CELLS | names("caption colgroup tr")
SPECIAL = (
    ENDS_BLOCK | HEADINGS | RAW | TABLE_PARTS | MARKERS | (VOID - {"basefont"})
    | names("basefont body dd dt form frameset head html li p plaintext table")
)  # fmt: skip
NOT_SPECIAL = frozenset(("option", "optgroup"))
ITEM_STOP_EXCEPTIONS = names("address div p")

# A scope ends at these; every scope also ends at the marks of FOREIGN_SCOPE.
SCOPE = names("applet caption html table td th marquee object select template")
FOREIGN_SCOPE = {MATH: names("mi mo mn ms mtext annotation-xml"), SVG: names("foreignobject desc title")}
LIST_SCOPE = names("ol ul")
TABLE_SCOPE = names("html table template")
TABLE_CONTEXT = TABLE_PARTS | names("html table template")
NO_TABLE = names("html template")
OUTSIDE_CELLS = SECTIONS | names("table tr colgroup")  # text that stands straight in one of these stands in no cell
LEVELS = {"table": 0, "caption": 1, "colgroup": 1, **dict.fromkeys(SECTIONS, 1), "tr": 2, "td": 3, "th": 3, "col": 2}

MATH_TEXT = names("mi mo mn ms mtext")
LEAVES_FOREIGN = names(
    """b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta
    nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"""
)
