#!/usr/bin/env bash
# python-calamine 0.9.1: cells that hold an error (#N/A, #DIV/0!) come out as '', like empty ones, and a whole number as a
# float; and to_python leaves out the empty rows and columns before the first value, so that its first row need not be row 1.
# Expected: a value of its own for an error, as the Rust library beneath has one, 2024, and rows that count as in the sheet.
# Seen: [[2024.0, '', '', True]] for B3:E3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile python-calamine==0.9.1
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import io
import zipfile

from python_calamine import CalamineWorkbook

TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPES}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="r"/>'
    "</sheets></workbook>",
    "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData><row r="3"><c r="B3"><v>2024</v></c>'
    '<c r="C3" t="e"><v>#N/A</v></c><c r="D3" t="e"><v>#DIV/0!</v></c><c r="E3" t="b"><v>1</v></c></row></sheetData>'
    "</worksheet>",
}

print("python-calamine", version("python-calamine"))
book = io.BytesIO()
with zipfile.ZipFile(book, "w") as archive:
    for name, text in PARTS.items():
        archive.writestr(name, text)
book.seek(0)
seen = CalamineWorkbook.from_filelike(book).get_sheet_by_index(0).to_python()
print("rows:", seen)
assert seen == [[2024.0, "", "", True]]
assert isinstance(seen[0][0], float)
PYTHON
