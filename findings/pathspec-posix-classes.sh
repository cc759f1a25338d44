#!/usr/bin/env bash
# pathspec 1.1.1: classes of characters in a pattern of .gitignore, [[:digit:]] or [[:upper:]], match nothing of what git matches;
# the brackets go to Python's `re`, which warns of a "nested set" and looks for one of the letters and a ].
# Expected: the files that git ignores, or an error for what is not understood.
# Seen: `[[:digit:]]*.md` and `x[^[:alpha:]].md` match 1.md and x1.md in git, and neither in GitIgnoreSpec or PathSpec; [0-9]*.md
# matches 1.md in both. Pull request 128 of pathspec, which was merged later, adds the classes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile pathspec==1.1.1
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import subprocess
import warnings
from importlib.metadata import version

from pathspec import GitIgnoreSpec, PathSpec

print("pathspec", version("pathspec"))
warnings.simplefilter("ignore", FutureWarning)
subprocess.run(["git", "init", "--quiet", "."], check=True)
expected = {"[0-9]*.md": ("1.md", True), "[[:digit:]]*.md": ("1.md", False), "x[^[:alpha:]].md": ("x1.md", False)}
for pattern, (file, found) in expected.items():
    with open(".gitignore", "w") as patterns:
        patterns.write(pattern + "\n")
    git = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", file], check=False).returncode == 0
    specs = GitIgnoreSpec.from_lines([pattern]), PathSpec.from_lines("gitignore", [pattern])
    seen = [spec.match_file(file) for spec in specs]
    print(f"{pattern:18} {file:6} git ignores it: {git}, GitIgnoreSpec and PathSpec match: {seen}")
    assert git
    assert seen == [found, found]
PYTHON
