"""Folders that are watched in, a run whenever something below them changes out; and now and then one for what was missed.

Notices of changes are hints: network drives and full queues lose some. What a run does is decided by the files' content,
so a run too many does nothing, and a sweep finds what no notice told of.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from watchfiles import watch

from sql.base.errors import RagError, StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from watchfiles import Change

SETTLE_MILLISECONDS = 1000  # within which changes belong together: an editor writes, renames and removes
SWEEP_SECONDS = 300.0
TICK_MILLISECONDS = 500  # how often we look whether a sweep is due


def changes_below(paths: Sequence[Path], besides: Path | None, sweep_seconds: float = SWEEP_SECONDS) -> Iterator[None]:
    """Yields as soon as these paths are watched, then when something below has changed, and every `sweep_seconds` anyway.

    What changes while the caller is at work is told of when it comes back. Hidden files and folders do
    not count, nor does what lies below `besides`: the store, which each run changes.
    """
    roots = [path.resolve() for path in paths]

    def counts(change: Change, path: str) -> bool:  # noqa: ARG001 - the library calls it so
        changed = Path(path)
        if besides is not None and changed.is_relative_to(besides):
            return False
        return not any(
            part.startswith(".") and part != ".gitignore"
            for root in roots
            if changed.is_relative_to(root)
            for part in changed.relative_to(root).parts
        )

    due = monotonic()
    for changes in watch(
        *roots,
        watch_filter=counts,
        debounce=SETTLE_MILLISECONDS,
        rust_timeout=TICK_MILLISECONDS,
        yield_on_timeout=True,
    ):
        if changes or monotonic() >= due:
            yield
            due = monotonic() + sweep_seconds


def run_again_and_again(run: Callable[[], None], changes: Iterator[None], tell: Callable[[str], None]) -> None:
    """Runs once, and again after each change; an error is told and is not the end, for the next run may mend it.

    The first run's error is raised: a wrong path or option is not mended by waiting.
    """
    next(changes)
    run()
    for _ in changes:
        try:
            run()
        except StoreBusy as busy:
            tell(f"{busy}; the next run tries again")
        except RagError as error:
            tell(f"{error}; watching goes on")
