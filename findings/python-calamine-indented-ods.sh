#!/usr/bin/env bash
# python-calamine 0.9.1: an ODS whose content.xml is indented, which the format allows and some programs write, cannot be
# opened, and the error tells nothing of it; nor can one that lacks the optional entry mimetype. Durations of a day and more
# come as the text of the attribute.
# Expected: the cells, as from the same file without white space between its elements, and a timedelta.
# Seen: 'Cannot detect file format' for both, and 'PT36H05M00S'.
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

from python_calamine import CalamineError, CalamineWorkbook

NAMES = "urn:oasis:names:tc:opendocument:xmlns"
KIND = "application/vnd.oasis.opendocument.spreadsheet"
MANIFEST = (
    f'<manifest:manifest xmlns:manifest="{NAMES}:manifest:1.0" manifest:version="1.3">'
    f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{KIND}"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
)
LINES = (
    f'<office:document-content xmlns:office="{NAMES}:office:1.0" xmlns:table="{NAMES}:table:1.0" xmlns:text="{NAMES}:text:1.0"'
    ' office:version="1.3">',
    "<office:body>", "<office:spreadsheet>", '<table:table table:name="S">', "<table:table-row>",
    '<table:table-cell office:value-type="string"><text:p>Ulm</text:p></table:table-cell>',
    '<table:table-cell office:value-type="time" office:time-value="PT36H05M00S"><text:p>36:05</text:p></table:table-cell>',
    "</table:table-row>", "</table:table>", "</office:spreadsheet>", "</office:body>", "</office:document-content>",
)  # fmt: skip


def opened(content: str, kind: str = KIND) -> object:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        if kind:
            archive.writestr("mimetype", kind)
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", content)
    kept.seek(0)
    try:
        return CalamineWorkbook.from_filelike(kept).get_sheet_by_index(0).to_python()
    except CalamineError as error:
        return str(error)


print("python-calamine", version("python-calamine"))
dense, indented, unnamed = opened("".join(LINES)), opened("\n".join(LINES)), opened("".join(LINES), "")
print("dense:", dense)
print("indented:", indented)
print("without mimetype:", unnamed)
assert dense == [["Ulm", "PT36H05M00S"]]
assert indented == unnamed == "Cannot detect file format"
PYTHON
