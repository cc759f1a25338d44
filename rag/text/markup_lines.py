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
_LINK_TITLE = r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?"
_NAMES_WITHOUT_TEXT = (  # of directives that are about code, files, styles and the index
    r"(?:code-block|code|sourcecode|highlight|literalinclude|parsed-literal|include|rst-class|class|(?:py:)?(?:current)?module"
    r"|index|meta|default-role|role|contents|sectionauthor|codeauthor|only|tabularcolumns|container|[a-z]+:(?:example|run)"
    r"|auto(?:attribute|class|data|decorator|exception|function|method|module|property|summary))"  # described in the code
)
_ATTRIBUTE = r"(?:source|listing|tabs|cols|options|%|\.|\#|\[)"  # what AsciiDoc's attributes of a block begin with

_SENTENCES = (
    r"\#{1,6}\s|```|~~~|[|\s:*_=+-]+$|<[^>]*>$",
    r"(?:<!--(?:[^-]|-(?!->))*+-->\s*)+$",
    NOTE,
    rf"(?:\.\.\s+)?_{_LINK_TARGET}\s+\S+\s*(?:\.\.)?$",
    rf"(?:\[(?!\^)[^\]\n]+\]:\s+<?(?:[a-z]+:|(?=[^\s/#.?]{{0,200}}[/#.?]))\S++{_LINK_TITLE}\s*+)+$",
    rf"(?:[^\n:]{{1,40}}::\s*\+\s*)?\[{_ATTRIBUTE}[^\]\n]*\]+\s*$",
    rf"\.\.\s+(?:_{_LINK_TARGET}\s*$|\|[^|\n]+\||[\w:+-]+::\s*$|{_NAMES_WITHOUT_TEXT}::)",
    r"\.\.\s+(?![\[_|])(?![\w.:+-]+::)",  # a comment of reStructuredText
)
MARKUP = re.compile(rf"\s*(?:{'|'.join(_SENTENCES)})")
"""What a sentence begins with that is nothing but markup: a heading, a fence, where a link leads, a directive."""
COMMENT = re.compile(r"^[ \t]*<!--.*?-->", re.DOTALL | re.MULTILINE)
"""A comment of HTML or Markdown that begins a line."""
ABOVE_LISTING = re.compile(
    r"\.[^\s.]|\[[^\[\]]*\][ \t]*\Z|={4,}[ \t]*\Z|[ \t]*<(\w+)[^<>]*>[^<>]*</\1>[ \t]*\Z"
    rf"|--[ \t]*\Z|\+[ \t]*\Z|[^\s:][^:\n]{{0,40}}::[ \t]*\Z|[ \t]*(?:{NOTE})"
)
"""A line above the fence of code: its title, its attributes, an element of HTML, and what opens tabs or a note around it."""
