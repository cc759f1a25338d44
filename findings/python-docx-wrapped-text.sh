#!/usr/bin/env bash
# python-docx 1.2.0: words inside a content control, a tracked insertion or a simple field are missing from
# Paragraph.text, and a paragraph inside a content control is missing from Document.paragraphs. No error.
# Expected: the text that Word shows, or a word on what is left out.
# Seen: 'Pay  euros' for a paragraph that reads 'Pay 500 euros today, page 7', and nothing of the second paragraph.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile python-docx==1.2.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from docx import Document
from docx.oxml import parse_xml

MAIN = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


print("python-docx", version("python-docx"))
document = Document()
first = (
    f"<w:p {MAIN}>{run('Pay ')}<w:sdt><w:sdtContent>{run('500')}</w:sdtContent></w:sdt>{run(' euros')}"
    f'<w:ins w:id="1" w:author="A">{run(" today, page ")}</w:ins><w:fldSimple w:instr="PAGE">{run("7")}</w:fldSimple></w:p>'
)
second = f"<w:sdt {MAIN}><w:sdtContent><w:p>{run('A paragraph in a content control')}</w:p></w:sdtContent></w:sdt>"
for place, xml in enumerate((first, second)):
    document.element.body.insert(place, parse_xml(xml))
document.save("a.docx")
seen = [paragraph.text for paragraph in Document("a.docx").paragraphs]
print("paragraphs:", seen)
assert seen == ["Pay  euros"]
PYTHON
