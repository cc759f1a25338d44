"""Characters of the fonts Symbol and Wingdings in, those of Unicode that look like them out."""

from __future__ import annotations

_PRIVATE = 0xF000  # where Word keeps the characters of such fonts: 0xF061 is what the font has at 0x61
# From 0x20 on; a space stands for what has no equivalent.
_SYMBOL = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_ αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼ "
    "                                 ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…  ↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑"
)
_WINGDINGS = {
    0x22: "✂", 0x28: "☎", 0x2A: "✉", 0x3A: "💻", 0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑",
    0x75: "◆", 0x76: "❖", 0x77: "◆", 0x9F: "•", 0xA7: "▪", 0xA8: "□", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑",
    0xE2: "↓", 0xE8: "➔", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip


def symbol(code: int, font: str) -> str:
    """A character of a font by its code; "" where Unicode has none like it or the font is not known.

    >>> symbol(0xF061, "Symbol"), symbol(0xFE, "Wingdings"), symbol(0xF061, "Unknown"), symbol(0x2192, "Arial")
    ('α', '☑', '', '→')
    """
    low = code - _PRIVATE if _PRIVATE <= code < _PRIVATE + 0x100 else code
    name = font.lower()
    if name == "symbol" and 0x20 <= low < 0x20 + len(_SYMBOL):
        return _SYMBOL[low - 0x20].strip()
    if name.startswith("wingdings") and low < 0x100:
        return _WINGDINGS.get(low, "") if name == "wingdings" else ""
    is_character = low == code and 0x20 <= code < 0x110000 and not 0xD800 <= code < 0xF900
    return chr(code) if is_character else ""


def without_private(text: str, font: str) -> str:
    """Text whose characters of such a font are those that they look like."""
    if text.isascii() or not any(_PRIVATE <= ord(character) < _PRIVATE + 0x100 for character in text):
        return text
    return "".join(
        symbol(ord(character), font) or character if _PRIVATE <= ord(character) < _PRIVATE + 0x100 else character
        for character in text
    )
