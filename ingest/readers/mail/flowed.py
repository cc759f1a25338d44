"""Text of a mail with `format=flowed` in (RFC 3676), its paragraphs as lines out."""

from __future__ import annotations

_SIGNATURE = "-- "


def unflowed(text: str, *, deletes_space: bool = False) -> str:
    """Text whose lines that end with a space are joined with the next, where that is quoted as deep.

    `deletes_space` is the parameter DelSp=yes: the space at the end of a line is none of the text.

    >>> unflowed("The quick \\nfox.\\n> quoted \\n> text\\n-- \\nAnn")
    'The quick fox.\\n> quoted text\\n-- \\nAnn'
    """
    lines: list[str] = []
    depth, is_open = 0, False
    pieces: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        content = line.lstrip(">")
        here = len(line) - len(content)
        content = content.removeprefix(
            " "
        )  # that was put there so that the line does not begin with what it should not
        if pieces and not (is_open and here == depth and content != _SIGNATURE):
            lines.append(_quoted(depth, "".join(pieces)))
            pieces = []
        is_open = content.endswith(" ") and content != _SIGNATURE
        pieces.append(content[:-1] if is_open and deletes_space else content)
        depth = here
    lines.append(_quoted(depth, "".join(pieces)))
    return "\n".join(lines)


def _quoted(depth: int, line: str) -> str:
    text = line if line == _SIGNATURE else line.rstrip(" ")
    return f"{'>' * depth} {text}".rstrip(" ") if depth else text
