#!/usr/bin/env bash
# watchfiles 1.3.0 on Linux: a folder that is moved into the watched one is one change, of the folder. Its files are not told of,
# and neither are they when the folder moves away: whoever reads the files that changes name misses them all.
# Expected: a change for each file that has come or gone, as for a file that is written; at least a word that there are more.
# Seen: {added in/m} for a folder with a file and a folder with another, {deleted in/m} when it leaves. A file in it that is
# written later is told of.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile watchfiles==1.3.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import os
import threading
import time
from importlib.metadata import version
from pathlib import Path

from watchfiles import watch

print("watchfiles", version("watchfiles"))
watched, outside = Path("in").resolve(), Path("out").resolve()
watched.mkdir()
(outside / "m" / "deep").mkdir(parents=True)
(outside / "m" / "a.md").write_text("a")
(outside / "m" / "deep" / "b.md").write_text("b")
steps = [
    lambda: os.rename(outside / "m", watched / "m"),
    lambda: (watched / "m" / "deep" / "b.md").write_text("more"),
    lambda: os.rename(watched / "m", outside / "m"),
]
seen = [set()]
started, stop = threading.Event(), threading.Event()


def watch_it():
    for changes in watch(watched, stop_event=stop, yield_on_timeout=True, rust_timeout=200, debounce=200):
        started.set()
        for change, path in changes:
            seen[-1].add((change.name, Path(path).relative_to(watched).as_posix()))


thread = threading.Thread(target=watch_it)
thread.start()
started.wait()
for step in steps:
    step()
    time.sleep(1.5)  # until the changes of this step have been told
    seen.append(set())
stop.set()
thread.join()
for name, changes in zip(("moved in:", "written:", "moved out:"), seen):
    print(f"{name:11}", *sorted(changes))
assert seen[:3] == [{("added", "m")}, {("modified", "m/deep/b.md")}, {("deleted", "m")}]
PYTHON
