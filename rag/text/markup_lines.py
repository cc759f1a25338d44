"""Patterns of lines that mark up a text and say nothing themselves, in Markdown, reStructuredText and AsciiDoc."""

from __future__ import annotations

import re

_SHORTCODE = r"\{\{[<%](?:(?![>%]\}\})[^\r\n])*+[>%]\}\}|\{%(?:(?!%\})[^\r\n])*+%\}"
# A line that opens or closes a note or a tab: `:::tip Title` of many generators of pages, `!!! note "Title"` and
# `=== "Title"` of MkDocs, `/// note | Title` of its newer form, `{{< note >}}` of Hugo, `{% raw %}` of Jekyll. A line of Rust's
# documentation has words behind `/// note`.
NOTE = (
    r":{3,}|[!?]{3}\+?[ \t]+[\w\"]|={3}[!+]?[ \t]+\"|/{3,}(?=[ \t]*(?:\Z|[\r\n])|[ \t]+[\w-]+[ \t]*(?:\||\Z|[\r\n]))"
    rf"|(?:(?:{_SHORTCODE})[ \t]*+)++(?=\Z|[\r\n])"
)
# A directive of reStructuredText that has nothing behind it: what it is about stands below.
DIRECTIVE_ALONE = r"\.\.[ \t]+[\w:+-]+::(?=[ \t]*(?:\Z|[\r\n]))"
_LINK_TARGET = r"(?:`[^`\n]+`|[^\s:]+):"  # of reStructuredText, behind an underscore
_NAMED_TARGET = r"\.\.[ \t]+_(?:`[^`\n]+`|(?:\\.|[^`:\\\n])++):"  # whose name may have spaces where two dots begin it
_LINK_TITLE = r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?"
_DESCRIBED = r"(?:attribute|class|data|decorator|exception|function|method|module|property|summary)"  # in the code
_NAMES_WITHOUT_TEXT = (  # of directives that are about code, files, styles and the index
    r"(?:code-block|code|sourcecode|highlight|literalinclude|parsed-literal|include|rst-class|class|(?:py:)?(?:current)?module"
    r"|index|meta|default-role|role|contents|sectionauthor|codeauthor|only|tabularcolumns|container|[a-z]+:(?:example|run)"
    rf"|auto{_DESCRIBED})"
)
_NAMES_WITHOUT_BODY = (  # of those that have no text below them either
    r"(?:highlight|(?:py:)?(?:current)?module|index|meta|default-role|role|contents|sectionauthor|codeauthor|tabularcolumns)"
)
BLOCK_MARKS = ("--", "====", "****", "____")
"""The lines that begin and end a block of AsciiDoc; as underlines of titles they are mostly longer."""
_BLOCK_MARK = "|".join(map(re.escape, BLOCK_MARKS))
_OBJECT = r":::[ \t]+[A-Za-z_]\w*(?:\.\w+)*[ \t]*"  # of mkdocstrings, described in the code
_ATTRIBUTE = r"(?:source|listing|tabs|cols|options|%|\.|\#|\[)"  # what AsciiDoc's attributes of a block begin with

_SENTENCES = (
    r"\#{1,6}\s|```|~~~|[|\s:*_=+-]+$|<[^>]*>$",
    r"(?:<!--(?:[^-]|-(?!->))*+-->\s*)+$",
    NOTE,
    rf"(?:(?:{_NAMED_TARGET}|_{_LINK_TARGET})\s++\S++\s*+)+(?:\.\.)?$",
    rf"(?:\[(?!\^)[^\]\n]+\]:(?:\s+|(?=[#/<.]|[a-z]+://))<?(?:[a-z]+:|(?=[^\s/#.?]{{0,200}}[/#.?]))\S++{_LINK_TITLE}\s*+)+$",
    rf"(?:[^\n:]{{1,40}}::\s*\+\s*)?\[{_ATTRIBUTE}[^\]\n]*\]+\s*$",
    rf"{_NAMED_TARGET}\s*$",
    r"include::\S+\[[^\]\n]*\]\s*$",
    r"\S++\s*\n(?:\[(?!\^)[^\]\n]+\]:[ \t]+[a-z]+://\S++\s*+)+$",  # the end of an address that a chunk was cut in, and more
    rf"\.\.\s+(?:\|[^|\n]+\||[\w:+-]+::\s*$|{_NAMES_WITHOUT_TEXT}::)",
    r"\.\.\s+(?![\[_|])(?![\w.:+-]+::)",  # a comment of reStructuredText
)
MARKUP = re.compile(rf"\s*(?:{'|'.join(_SENTENCES)})")
"""What a sentence begins with that is nothing but markup: a heading, a fence, where a link leads, a directive."""
COMMENT = re.compile(
    r"^[ \t]*<!--.*?-->|<%#.*?%>|\{#(?![\w-]+\}).*?#\}|\{%-?[ \t]*comment[ \t]*-?%\}.*?\{%-?[ \t]*endcomment[ \t]*-?%\}",
    re.DOTALL | re.MULTILINE,
)
"""A comment of HTML or Markdown that begins a line, and one of a template."""
ABOVE_LISTING = re.compile(
    r"\.[^\s.]|\[[^\[\]]*\][ \t]*\Z|={4,}[ \t]*\Z|[ \t]*<(\w+)[^<>]*>[^<>]*</\1>[ \t]*\Z"
    rf"|--[ \t]*\Z|\+[ \t]*\Z|[^\s:][^:\n]{{0,40}}::[ \t]*\Z|[ \t]*(?:{NOTE})"
)
"""A line above the fence of code: its title, its attributes, an element of HTML, and what opens tabs or a note around it."""

MARKUP_LINE = re.compile(
    rf"[ \t]*(?:(?P<shortcode>(?:(?:{_SHORTCODE})[ \t]*+)++\Z)|(?P<described>\.\.[ \t]+auto{_DESCRIBED}::)"
    r"|(?P<elsewhere>\.\.[ \t]+(?:literal)?include::|:::[ \t]+\w+(?:\.\w+)+[ \t]*\Z|\.\.[ \t]+\w+(?::[\w+-]+)+::[ \t]+\S)"
    rf"|(?P<literal>::[ \t]*\Z)|(?:\+|{_BLOCK_MARK})[ \t]*\Z"
    rf"|\.\.[ \t]+{_NAMES_WITHOUT_BODY}::|\.\.[ \t]+\|[^|\n]+\||{_NAMED_TARGET}[ \t]*(?:\S+[ \t]*)?\Z)"
)
"""A line between a sentence and what it announces that is no part of it: what opens tabs, a label, a directive without text,
the plus that goes on with an item of AsciiDoc, and what begins and ends its blocks.

Below a `shortcode` anything may stand, and code below the `literal` colons of reStructuredText. What is `described` in the
code and what stands `elsewhere` may have a text below it beside its options (OPTION_LINE), and then says something. Whatever
is further in below the others is part of them.
"""
OPTION_LINE = re.compile(r"[ \t]+:[\w-]+:(?:[ \t]|\Z)")
"""An option of a directive: `   :members:`."""
DOMAIN_DIRECTIVE = re.compile(r"[ \t]*\.\.[ \t]+\w+(?::[\w+-]+)+::[ \t]+\S[^\r\n]*\Z")
"""A directive of some domain (`.. jinja:filters:: NAME`), which says nothing where nothing stands below it."""
OBJECT_OPTIONS = re.compile(
    rf"^{_OBJECT}(?:\r\n|\r|\n)[ \t]+(?:options|handler|selection|rendering|inventories|extra):[^\r\n]*+"
    r"(?:(?:[ \t]*+(?:\r\n|\r|\n))+[ \t]+[^\s][^\r\n]*+)*+",
    re.MULTILINE,
)
"""An object that mkdocstrings describes from the code, with its options."""
