#!/usr/bin/env bash
# pypdfium2 5.15.2: a hyphen at the end of a line comes out as U+FFFE from get_text_range and as U+0002 from
# get_text_bounded, the line break after it is gone, and a hyphen that belongs to the word (well-known) gets the same mark as
# one that only divides it (evi-dence); before a digit it stays as it is, with its line break.
# Expected: the same text from both, and the hyphen that is printed.
# Seen: 'the evi\ufffedence is here' and 'the evi\x02dence is here', 'a well\ufffeknown rule', 'pages 12-\r\n14 are blank'.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile pypdfium2==5.15.2
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import pypdfium2


def page_of(first: str, second: str) -> bytes:
    """A PDF of one page with two lines."""
    content = f"BT /F 12 Tf 20 150 Td ({first}) Tj 0 -14 Td ({second}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return data + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(data),
    )


print("pypdfium2", version("pypdfium2"))
seen = []
for lines in (("the evi-", "dence is here"), ("a well-", "known rule"), ("pages 12-", "14 are blank")):
    text = pypdfium2.PdfDocument(page_of(*lines))[0].get_textpage()
    seen.append((text.get_text_range(), text.get_text_bounded()))
    print(lines, "->", *map(ascii, seen[-1]))
assert seen == [
    ("the evi\ufffedence is here", "the evi\x02dence is here"),
    ("a well\ufffeknown rule", "a well\x02known rule"),
    ("pages 12-\r\n14 are blank", "pages 12-\r\n14 are blank"),
]
PYTHON
