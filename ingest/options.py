"""What can be said to `python -m ingest`: its options in groups."""

from __future__ import annotations

from argparse import BooleanOptionalAction

from ingest.shard import parse_shard
from rag.commands.options import add_compute_option, add_language_option, add_model_option, add_prompt_options
from sql.base.options import Parser, add_common_options, given_path, program_version
from sql.base.settings import CODE_BITS, GRANULARITIES, QUANTIZERS, RANGE_METHODS, read_settings


def make_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="python -m ingest",
        description="Make the store match the files below PATH: embed new and changed ones, remove those that are gone.",
        epilog="exit codes: 0 all done, 1 error, 2 wrong usage, 4 some files failed, 75 store in use, 130 interrupted",
    )
    parser.add_argument(
        "paths",
        type=given_path,
        nargs="*",
        metavar="PATH",
        help="a file or a folder; - reads a list of paths from stdin",
    )
    choosing = parser.add_argument_group("which files, and what is known about them")
    cutting = parser.add_argument_group("chunks and words")
    encoding = parser.add_argument_group("encoder")
    coding = parser.add_argument_group("vector codes")
    sharing = parser.add_argument_group("several processes")
    choosing.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="PATTERN",
        help="in folders, read only files that match, like *.md or manual/, and keep no others in the store; patterns "
        "as in .gitignore, repeatable",
    )
    choosing.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="in folders, leave out files and folders that match",
    )
    choosing.add_argument("--no-gitignore", action="store_true", help="also read what .gitignore files leave out")
    choosing.add_argument(
        "--meta",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="metadata to give every document, such as year=2024; repeat for more names",
    )
    choosing.add_argument(
        "--meta-file",
        metavar="FILE",
        help="metadata by path or pattern: CSV or TSV with a column named path, JSON or JSON Lines",
    )
    choosing.add_argument(
        "--acl",
        action="append",
        metavar="PATTERN=GROUPS",
        help="who may read which files, on a server: people/=hr,board, or a file with a pattern and groups on each line",
    )
    add_model_option(encoding)
    add_prompt_options(encoding)
    add_compute_option(encoding)
    coding.add_argument(
        "--quantizer",
        choices=QUANTIZERS,
        help="how vectors become codes, chosen once for a new store (default asymmetric)",
    )
    coding.add_argument(
        "--bits",
        type=int,
        choices=CODE_BITS,
        help="bits in a code, chosen once for a new store (default 8); 4 take half the bytes and find less",
    )
    coding.add_argument(
        "--granularity",
        choices=GRANULARITIES,
        help="what shares a scale and zero-point, chosen once for a new store (default vector)",
    )
    coding.add_argument(
        "--range",
        choices=RANGE_METHODS,
        help="how the range that codes cover is found, chosen once for a new store (default minmax, with --bits 4 mse)",
    )
    cutting.add_argument(
        "--chunk-size",
        type=int,
        metavar="N",
        help="most tokens in a chunk (default: the store's own, 200 in a new one)",
    )
    cutting.add_argument(
        "--chunk-overlap",
        type=int,
        metavar="N",
        help="how many of them a chunk may repeat from the one before (default: the store's own, 30 in a new one)",
    )
    cutting.add_argument(
        "--embed-headings",
        action=BooleanOptionalAction,
        help="embed the headings above a chunk with it (default: the store's own, yes in a new one)",
    )
    cutting.add_argument(
        "--ocr",
        action="store_true",
        help="recognise the text of PDF pages that are pictures (needs the extra `ocr`)",
    )
    coding.add_argument(
        "--recalibrate",
        action="store_true",
        help="fit the ranges per dimension or collection again, and code every document with them",
    )
    coding.add_argument(
        "--keep-floats",
        type=int,
        default=0,
        metavar="N",
        help="also keep the float32 vector of one chunk in N, for python -m rag report (default: none)",
    )
    parser.add_argument(
        "--word-vectors",
        action="store_true",
        help="also store a vector for every word, so that SQL can search for a text without this program; later runs keep "
        "doing so",
    )
    parser.add_argument(
        "--budget",
        metavar="B",
        help="choose how searches run: recall=0.99 for the cheapest way to find that much, ms=10 for the best within that "
        "time, or none",
    )
    encoding.add_argument(
        "--reembed",
        action="store_true",
        help="embed the store's documents again, with --model M; readers carry on until the store switches over in one step",
    )
    encoding.add_argument(
        "--into", metavar="E", help="with --reembed: fill the store E instead and leave the one in --db as it is"
    )
    add_language_option(cutting, "the documents being indexed")
    sharing.add_argument(
        "--shard",
        type=parse_shard,
        metavar="I/N",
        help="process only part I of N, for N processes that share a store on a server",
    )
    sharing.add_argument(
        "--ray", type=int, metavar="N", help="use N Ray workers, each with its own part (needs the extra `ray`)"
    )
    parser.add_argument(
        "--watch", action="store_true", help="keep running: ingest again whenever something below the folders changes"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done without doing it")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--version", action="version", version=program_version())
    add_common_options(parser, read_settings().store)
    return parser
