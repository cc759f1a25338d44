"""The trees of documentation that benchmarks/documentation asks about: cloned, and the parts in question unpacked.

    python benchmarks/documentation_trees.py FOLDER [NAME ...] [--clones FOLDER]

The first line of each file of questions names the project on GitHub, the commit, its licence and the paths. Each tree is
unpacked as FOLDER/NAME. A clone that is there already, bare or not, is taken from `--clones`, where it is called OWNER+PROJECT;
else the project is cloned there, by default into a temporary folder. One that is unpacked already is left as it is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

QUESTIONS = Path(__file__).with_name("documentation")


def main() -> None:
    """Prints a line for each tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as `git` (default: all)")
    parser.add_argument("--clones", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.names or sorted(path.stem for path in QUESTIONS.glob("*.jsonl")):
            place = options.folder / name
            if not place.exists():
                unpack(about(name), options.clones or Path(scratch), place)
            print(f"{name:12} {sum(path.is_file() for path in place.rglob('*')):5} files", flush=True)


def about(name: str) -> dict[str, Any]:
    """The first line of a file of questions."""
    with (QUESTIONS / f"{name}.jsonl").open(encoding="utf-8") as lines:
        first: dict[str, Any] = json.loads(next(lines))
    return first


def unpack(tree: dict[str, Any], clones: Path, place: Path) -> None:
    """The paths of a commit as files; the project is cloned where that was not done yet."""
    clone = clones / tree["project"].replace("/", "+")
    if not clone.exists():
        subprocess.run(["git", "clone", "--bare", f"https://github.com/{tree['project']}", str(clone)], check=True)
    git = ["git", "-C", str(clone)]
    packed = subprocess.run([*git, "archive", tree["commit"], *tree["paths"]], stdout=subprocess.PIPE, check=True)
    place.mkdir(parents=True)
    subprocess.run(["tar", "x", "-C", str(place)], input=packed.stdout, check=True)


if __name__ == "__main__":
    main()
