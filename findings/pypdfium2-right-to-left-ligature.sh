#!/usr/bin/env bash
# pypdfium2 5.15.2: a glyph that stands for two letters of a right-to-left script (an entry <06440627> of ToUnicode, lam and
# alef, as word processors write it for the ligature) comes with the two letters in reverse order.
# Expected: lam, alef, as the file says and as pypdf 7.1.1 reads it: the entry is in the order of the text.
# Seen: meem, alef, lam, noon, so that no search finds the word. With the presentation form U+FEFB in its place, which
# PDFium takes apart by itself, the order is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile pypdfium2==5.15.2 pypdf==7.1.1
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import io
from importlib.metadata import version

import pypdf
import pypdfium2


def stream(text):
    return f"<< /Length {len(text)} >>\nstream\n{text}\nendstream"


def page(ligature):
    """A PDF whose glyphs C, B, A, drawn from left to right, mean noon, the ligature and meem: one word read from the right."""
    meanings = {"A": "0645", "B": ligature, "C": "0646"}
    entries = "\n".join(f"<{ord(glyph):02X}> <{letters}>" for glyph, letters in meanings.items())
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        stream("BT /F 12 Tf 72 700 Td (CBA) Tj ET"),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
        stream(
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
            "1 begincodespacerange <00> <FF> endcodespacerange\n"
            f"{len(meanings)} beginbfchar\n{entries}\nendbfchar endcmap end end"
        ),
    ]
    body, places = "%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return (body + head + f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n").encode()


def by_pdfium(data):
    return pypdfium2.PdfDocument(data)[0].get_textpage().get_text_range().strip()


def by_pypdf(data):
    return pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text().strip()


def points(text):
    return " ".join(f"{ord(letter):04X}" for letter in text)


print("pypdfium2", version("pypdfium2"), "pypdf", version("pypdf"))
two_letters, one_form = page("06440627"), page("FEFB")
print("PDFium, two letters:      ", points(by_pdfium(two_letters)))
print("PDFium, presentation form:", points(by_pdfium(one_form)))
print("pypdf, two letters:       ", points(by_pypdf(two_letters)))
assert points(by_pdfium(two_letters)) == "0645 0627 0644 0646"
assert points(by_pdfium(one_form)) == points(by_pypdf(two_letters)) == "0645 0644 0627 0646"
PYTHON
