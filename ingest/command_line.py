"""The command line of `python -m ingest`: paths in, one synchronization done and told of, its exit code out."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from ingest.options import make_parser
from ingest.shard import take_shard
from sql.base.errors import EXIT_OK, EXIT_SOME_FAILED, NoStore, UsageError
from sql.base.paths import expand_user, printable
from sql.base.settings import free_engine_memory_soon, read_settings
from sql.base.terminal import chunk_rate, note, one_line, out, out_json, progress_bar, run_command, shown_name
from sql.base.tracing import whole
from sql.base.wording import counted
from sql.engine.location import parse_location

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from pathlib import Path

    from ingest.acl import Acl
    from ingest.cutting import ChunkOptions
    from ingest.given_metadata import GivenMetadata
    from ingest.plan import SyncPlan
    from ingest.shard import Shard
    from ingest.synchronize import Summary
    from ingest.walk import LeftOut, Walk
    from sql.base.options import Parser

STDIN = "-"  # as a path: a list of paths is read from there
MOST_NAMED = 10  # skipped files, each on a line of its own; of more only the kinds are told


def command(arguments: Sequence[str]) -> int:
    """Plans or carries out one synchronization."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    with whole(None, note):
        return carry_out(parser, options)


def carry_out(parser: Parser, options: Namespace) -> int:
    """What the options ask for."""
    if options.budget is not None:
        check_budget(options)
    if options.word_vectors:
        check_word_vectors(options)
    if options.keep_floats < 0:
        raise UsageError(
            f"--keep-floats {options.keep_floats}: give 1 or more to keep one chunk in that many, or 0 for none"
        )
    if options.acl is not None:
        parse_location(options.db).require_policies()
    if options.reembed:
        return embed_again(options)
    if not options.paths:
        parser.error("the following arguments are required: PATH")
    if options.into:
        raise UsageError("--into says where the documents are embedded again: give --reembed too")
    if options.ray is not None:
        return command_on_ray(options)
    if options.watch:
        return watch_folders(options)
    found = find_files(options)
    if options.shard is not None:
        found = take_shard(found, options.shard)
    if options.dry_run:
        return show_plan(found, options)
    return finish(synchronize(found, options), options)


def check_budget(options: Namespace) -> None:
    """Refuses a budget that is none, before anything is done, and one beside what does not end with a whole store."""
    from rag.evaluate.budget import NO_BUDGET, Budget

    if options.dry_run or options.watch or options.reembed or options.shard is not None or options.ray is not None:
        raise UsageError(
            "--budget cannot be combined with --dry-run, --watch, --reembed, --shard or --ray: leave those out"
        )
    if options.budget != NO_BUDGET:
        Budget.parse(options.budget)


def check_word_vectors(options: Namespace) -> None:
    """Refuses vectors of words beside what does not end with a whole store."""
    if options.dry_run or options.reembed or options.shard is not None or options.ray is not None:
        raise UsageError(
            "--word-vectors cannot be combined with --dry-run, --reembed, --shard or --ray: leave those out (a store "
            "that has them keeps them when it is embedded again)"
        )


def watch_folders(options: Namespace) -> int:
    """Carries out one synchronization after another, until the user ends it."""
    if options.dry_run or options.recalibrate or options.shard is not None or STDIN in options.paths:
        raise UsageError(
            "--watch cannot be combined with --dry-run, --recalibrate, --shard or the PATH -: leave those out"
        )
    from ingest.watch import changes_below, run_again_and_again

    store = parse_location(options.db).real_folder
    folders = [expand_user(path, "PATH") for path in options.paths]
    runs = count()

    folders += [path for path, _ in said_files(options)]

    def run() -> None:
        summary = synchronize(find_files(options), options)
        if next(runs) == 0 or summary.indexed or summary.deleted or summary.failed:
            finish(summary, options)
            sys.stdout.flush()

    run_again_and_again(run, changes_below(folders, store), note)
    return EXIT_OK


def command_on_ray(options: Namespace) -> int:
    """Carries out one synchronization with workers of Ray."""
    if options.dry_run or options.shard is not None:
        raise UsageError("--ray divides the files itself: give neither --shard nor --dry-run with it")
    if options.ray < 1:
        raise UsageError(f"--ray {options.ray}: at least 1 worker is needed")
    if parse_location(options.db).server is None:
        raise UsageError("--ray needs a store on a server: one process at a time can write to an embedded store")
    from ingest.ray import ingest_shards

    return finish(ingest_shards(partial(ingest_shard, options), options.ray), options)


def ingest_shard(options: Namespace, shard: Shard) -> Summary:
    """What one worker does."""
    return synchronize(take_shard(find_files(options), shard), options)


def find_files(options: Namespace) -> Walk:
    """The files below the given paths that are wanted."""
    from ingest.selection import Selection
    from ingest.walk import walk

    paths = [path for given in options.paths for path in (listed_paths() if given == STDIN else [given])]
    store = parse_location(options.db).real_folder
    selection = Selection(tuple(options.include), tuple(options.exclude), not options.no_gitignore, store)
    return without_said_files(walk(paths, selection), said_files(options))


def said_files(options: Namespace) -> list[tuple[Path, str]]:
    """The files in which something is said of others, and what."""
    found = []
    if options.acl is not None:
        from ingest.acl import files_of_rules

        found += [(path, "access rules") for path in files_of_rules(options.acl)]
    if options.meta_file is not None:
        found.append((expand_user(options.meta_file, "--meta-file").resolve(), "metadata"))
    return found


def without_said_files(found: Walk, said: Sequence[tuple[Path, str]]) -> Walk:
    """What was found but for files in which something is said of others: one is a document only where it is given itself."""
    from ingest.walk import LeftOut

    for path, what in said:
        left_out = [
            file for file in found.files if file.name == path.name and file.path == path and file.root is not None
        ]
        if left_out:
            found.files = found.files.that(lambda file, left_out=left_out: file not in left_out)  # type: ignore[misc]
        found.skipped += [LeftOut(printable(file.source), f"the file of {what}", f"{what} file") for file in left_out]
    return found


def said_acl(options: Namespace) -> Acl | None:
    """What the options say of the groups of files; None where nothing."""
    if options.acl is None:
        return None
    from ingest.acl import Acl

    return Acl.parse(options.acl)


def said_metadata(options: Namespace) -> GivenMetadata:
    """What the options say of the metadata of files."""
    from ingest.given_metadata import GivenMetadata, parse_assignments
    from ingest.metadata_file import read_rules

    for_all = parse_assignments(options.meta) if options.meta else None
    return GivenMetadata.said(for_all, read_rules(options.meta_file) if options.meta_file is not None else None)


def finish(summary: Summary, options: Namespace) -> int:
    """Shows what was done; the exit code."""
    if options.json:
        out_json(summary_record(summary))
    else:
        show_summary(summary, options.db)
    return EXIT_SOME_FAILED if summary.failed else EXIT_OK


def listed_paths() -> list[str]:
    """The paths on stdin, one a line, or with NULs between them; names are bytes, as the system has them."""
    data = sys.stdin.buffer.read()
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    if not (paths := [os.fsdecode(name) for name in names if name]):
        raise UsageError("PATH - reads a list of files from stdin, and it held none: give one path per line")
    return paths


def synchronize(found: Walk, options: Namespace) -> Summary:
    """Opens the store, loads its encoder and brings both together."""
    import rag.library
    from ingest.synchronize import check_ocr, prepare, sync_walk

    check_ocr(ocr=options.ocr)
    said, acl = said_metadata(options), said_acl(options)
    with rag.library.open(
        options.db,
        write=True,
        model=options.model,
        compute=options.compute,
        language=options.language,
        query_prompt=options.query_prompt,
        document_prompt=options.document_prompt,
        announce=note,
    ) as library:
        prepare(library, options.quantizer, options.granularity, options.range, options.bits, files=len(found.files))
        with progress_bar(quiet=options.json) as progress:
            summary = sync_walk(
                library,
                found,
                progress,
                keep_floats=options.keep_floats,
                recalibrate=options.recalibrate,
                ocr=options.ocr,
                chunks=chunk_options(options),
                said=said,
                word_vectors=options.word_vectors,
                acl=acl,
            )
        for sentence in summary.notes:
            note(one_line(sentence))
        library.store.garbage.collect_at_once()
        if options.budget is not None:
            from rag.evaluate.budget import choose_search

            note(choose_search(library.store, options.budget))
    return summary


def chunk_options(options: Namespace) -> ChunkOptions:
    """What is asked of chunks."""
    from ingest.cutting import ChunkOptions

    return ChunkOptions(options.chunk_size, options.chunk_overlap, options.embed_headings)


def embed_again(options: Namespace) -> int:
    """Embeds the documents of the store with another model."""
    if not options.model:
        raise UsageError("--reembed needs the model to embed the documents with: give --model")
    if (
        options.paths
        or options.dry_run
        or options.recalibrate
        or options.keep_floats
        or options.meta
        or options.meta_file is not None
        or options.acl is not None
        or (options.chunk_size, options.chunk_overlap, options.embed_headings) != (None, None, None)
    ):
        raise UsageError(
            "--reembed embeds the documents that are in the store: it takes no PATH and changes none of them"
        )
    from ingest.reembed import reembed
    from rag.encoder.prompts import Prompts

    wanted = {
        "kind": options.quantizer,
        "granularity": options.granularity,
        "ranges": options.range,
        "bits": options.bits,
    }
    with progress_bar(quiet=options.json) as progress:
        done = reembed(
            read_settings(options.compute),
            options.model,
            options.db,
            options.into,
            quantizer=wanted,
            prompts=Prompts(options.query_prompt, options.document_prompt),
            announce=note,
            progress=lambda chunks: progress.advance(chunks=chunks),
        )
    if options.json:
        out_json(
            {
                "model": done.model,
                "store": done.store,
                "documents": done.documents,
                "chunks": done.chunks,
                "switched": done.switched,
                "seconds": round(done.seconds, 3),
            }
        )
    else:
        out(
            f"{counted(done.documents, 'document')}, {counted(done.chunks, 'chunk')} embedded with {done.model} "
            f"in {done.seconds:.1f} s, store {done.store}"
        )
    return EXIT_OK


def show_plan(found: Walk, options: Namespace) -> int:
    """Prints what a run would do; changes nothing, and loads neither the model nor, for a new store, the database."""
    from ingest.chunk import chunker_name
    from ingest.cutting import check_all_reached, chosen_settings
    from ingest.plan import NO_DOCUMENTS, make_plan
    from sql.store.windows import document_windows, some_metadata

    location, said, acl = parse_location(options.db), said_metadata(options), said_acl(options)
    with ExitStack() as opened:
        now = None
        if location.may_hold_store:
            from sql.store import Store

            with suppress(NoStore):  # a server has to be asked
                store = opened.enter_context(Store.open(location))
                now = store.snapshot()
                if acl is not None:
                    from ingest.acl import count_changes

                    changes = counted(count_changes(acl, found, store), "document")
                    note(f"would change the groups of {changes} in the store")
        stored = now.chunk_settings() if now else None
        settings = chosen_settings(chunk_options(options), stored)
        check_all_reached(found, document_windows(now) if now else NO_DOCUMENTS, stored, settings)
        plan = make_plan(
            found,
            document_windows(now) if now else NO_DOCUMENTS,
            all_again=options.recalibrate,
            ocr=options.ocr,
            said=said,
            metadata=partial(some_metadata, now) if now else lambda generations: {},
            chunker=chunker_name(settings),
        )
    if options.json:
        out_json(plan_record(plan))
        return EXIT_SOME_FAILED if plan.failed else EXIT_OK
    for word, names in (
        ("add", (file.source for file in plan.new)),
        ("replace", (file.source for file in plan.changed)),
        ("delete", plan.deleted),
    ):
        for name in names:
            out(f"{word:8}{shown_name(name)}")
    for word, kind in (("skip", plan.skipped), ("fail", plan.failed)):
        for left_out in kind:
            out(f"{word:8}{left_out_line(left_out)}")
    note_nothing_read(found)
    out(
        f"would add {len(plan.new)}, replace {len(plan.changed)}, delete {len(plan.deleted)} and leave "
        f"{len(plan.unchanged)} of {counted(len(found.files), 'file')} unchanged; nothing was changed"
    )
    return EXIT_SOME_FAILED if plan.failed else EXIT_OK


def show_summary(summary: Summary, store: str) -> None:
    """The run in a few lines; what went wrong on stderr, one line a file."""
    from ingest.walk import kinds_of

    kinds = kinds_of(summary.skipped)
    if len(summary.skipped) > MOST_NAMED:
        kinds += "; --dry-run names each"
    else:
        for left_out in summary.skipped:
            note(f"skipped {left_out_line(left_out)}")
    for left_out in summary.failed:
        note(f"failed {left_out_line(left_out)}")
    note_nothing_read(summary)
    skipped = f"{len(summary.skipped)} skipped" + (f" ({kinds})" if kinds else "")
    speed = chunk_rate(summary.chunks, summary.seconds)
    rate = f" ({speed})" if speed else ""
    out(
        f"{counted(summary.files, 'file')}: {summary.indexed} indexed, {summary.unchanged} unchanged, "
        f"{summary.deleted} deleted, {skipped}, {len(summary.failed)} failed; "
        f"{counted(summary.chunks, 'chunk')} in {summary.seconds:.1f} s{rate}, store {parse_location(store)}"
    )


def left_out_line(left_out: LeftOut) -> str:
    """A path that was left out, and why, on one line."""
    return f"{shown_name(left_out.path)}: {one_line(left_out.reason)}"


def note_nothing_read(found: Walk | Summary) -> None:
    """Says so where not one file is of a type that is read: the counts alone look like those of a run that did its work."""
    if found.files or found.failed:
        return
    from ingest.readers.table import readable_types
    from ingest.selection import EXCLUDED, NOT_INCLUDED

    why = f"none of what was found is {readable_types()}" if found.skipped else "no files were found"
    if any(one.kind in (NOT_INCLUDED, EXCLUDED) for one in found.skipped):
        why = "--include and --exclude leave out everything that could be read"
    note(f"nothing to index: {why}")


def summary_record(summary: Summary) -> dict[str, Any]:
    """The run as JSON."""
    return {
        "files": summary.files,
        "indexed": summary.indexed,
        "unchanged": summary.unchanged,
        "deleted": summary.deleted,
        "skipped": [left_out_record(one) for one in summary.skipped],
        "failed": [left_out_record(one) for one in summary.failed],
        "chunks": summary.chunks,
        "seconds": round(summary.seconds, 3),
    } | ({"word_vectors": asdict(summary.word_vectors)} if summary.word_vectors else {})


def plan_record(plan: SyncPlan) -> dict[str, Any]:
    """The plan as JSON."""
    return {
        "add": [file.source for file in plan.new],
        "replace": [file.source for file in plan.changed],
        "delete": list(plan.deleted),
        "unchanged": [file.source for file in plan.unchanged],
        "skipped": [left_out_record(one) for one in plan.skipped],
        "failed": [left_out_record(one) for one in plan.failed],
    }


def left_out_record(left_out: LeftOut) -> dict[str, str]:
    """A path that was left out, and why."""
    return {"path": left_out.path, "reason": left_out.reason}


def main() -> int:
    """Runs what `sys.argv` asks for."""
    free_engine_memory_soon()
    return run_command(command)
