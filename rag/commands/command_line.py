"""The command line of `python -m rag`: words in, one of `rag/commands/` run, its exit code out."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, BooleanOptionalAction
from typing import TYPE_CHECKING

from rag.commands.acl import acl
from rag.commands.ask import ask, search
from rag.commands.chat import chat
from rag.commands.ddl import print_ddl
from rag.commands.documents import list_documents, remove
from rag.commands.evaluation import evaluate
from rag.commands.measure import diagnose, report, stats
from rag.commands.model import fetch_model, report_model, requantize, show_model_path, train_model
from rag.commands.options import (
    FormerRanking,
    FormerStrategy,
    add_compute_option,
    add_headed_model_options,
    add_language_option,
    add_model_option,
    add_prompt_options,
    add_reader_option,
    add_rerank_option,
)
from rag.commands.queries import explain_query, log, replay
from rag.commands.serve import serve, serve_protocol
from rag.commands.show import show
from rag.commands.store import backup, export, import_, migrate, restore
from sql.base.options import Parser, add_common_options, add_debug_option, given_path, program_version
from sql.base.settings import (
    DEFAULT_ANSWER_TOKENS,
    DEFAULT_K,
    DEFAULT_MIN_CONFIDENCE,
    DEFAULT_MODEL,
    RANKINGS,
    READER_MIN_CONFIDENCE,
    STRATEGIES,
    read_settings,
)
from sql.base.terminal import note, run_command
from sql.base.tracing import whole

if TYPE_CHECKING:
    import argparse
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from rag.commands.options import Options


def command(arguments: Sequence[str]) -> int:
    """Runs the command that was named."""
    options = make_parser().parse_args(arguments)
    run: Callable[[Namespace], int] = options.run
    try:
        with whole(f"rag {run.__name__}" if run in (ask, search) else None, note):
            return run(options)
    finally:
        if remarks := getattr(options, "remarks", []):
            sys.stdout.flush()  # they come last, where both go to one place too
            for remark in remarks:
                note(remark)


def make_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="python -m rag",
        description="Ask the documents in a store.",
        epilog="exit codes: 0 ok, 1 error, 2 wrong usage, 3 nothing found, 5 worse than before, 75 store in use, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=program_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    store = read_settings().store
    for name, run, text in (
        ("ask", ask, "answer a question with cited sentences"),
        ("search", search, "list the chunks that best match a query"),
        ("chat", chat, "ask one question after another, each understood together with those before it"),
    ):
        one = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        nargs = "?" if name == "search" else None  # --verify needs none
        if run is not chat:
            one.add_argument("question", nargs=nargs, help="in plain words, between quotes")
        one.add_argument("-k", type=int, default=DEFAULT_K, metavar="N", help="chunks to find (default %(default)s)")
        searching = one.add_argument_group("how chunks are found")
        written = one.add_argument_group("answers by a language model")
        encoding = one.add_argument_group("encoder")
        searching.add_argument(
            "--ranking",
            choices=RANKINGS,
            default=RANKINGS[0],
            help="rank by meaning (vector), by words, or by both (default %(default)s)",
        )
        searching.add_argument("--mode", dest="ranking", action=FormerRanking, help=SUPPRESS)
        add_language_option(searching, "the question")
        one.add_argument("--json", action="store_true", help="print JSON")
        if run is not chat:
            one.add_argument(
                "--show-sql", action="store_true", help="print the statements, ready to paste into a client"
            )
        one.add_argument(
            "--log", action="store_true", help="keep the question and its result in the store (RAG_LOG_QUERIES)"
        )
        add_rerank_option(searching, "cross-encoder that orders the chunks found")
        if run is not search:
            one.add_argument(
                "--min-confidence",
                type=float,
                metavar="P",
                help="withhold answers with a confidence below P, 0 to 1 "
                f"(default {DEFAULT_MIN_CONFIDENCE}; with a reader {READER_MIN_CONFIDENCE})",
            )
            add_reader_option(one, "model that marks the answer in the chunks found")
            add_language_model_options(written)
        if run is ask:
            one.add_argument(
                "--stream",
                action=BooleanOptionalAction,
                help="print the answer as it is written; with --json, one line per event (default: on a terminal)",
            )
        if name == "search":
            one.add_argument("--explain", action="store_true", help="print stages, times, scores and SQL")
            one.add_argument("--verify", action="store_true", help="measure the recall against exact search")
        one.add_argument(
            "--filter", action="append", metavar="F", help="only chunks with name=value, name>=3, name~path/*, or JSON"
        )
        searching.add_argument("--per-document", type=int, metavar="N", help="at most N chunks of one document")
        add_search_options(searching)
        add_model_option(encoding)
        add_prompt_options(encoding)
        add_compute_option(encoding)
        add_common_options(one, store)
        one.set_defaults(run=run)
    add_documents(commands, store)
    add_acl(commands, store)
    add_servers(commands, store)
    add_queries(commands, store)
    add_evaluation(commands)
    add_doctor(commands)
    add_report(commands)
    add_stats(commands, store)
    add_migrate(commands, store)
    add_transfers(commands, store)
    add_model_commands(commands)
    return parser


def add_language_model_options(parser: Options) -> None:
    """The options of an answer that a language model writes."""
    # The default itself is not shown: nothing of a URL is anybody else's business.
    parser.add_argument(
        "--llm",
        metavar="SPEC",
        help="let a language model write the answer: hf:FOLDER_OR_ID, openai:MODEL@URL, langchain:PACKAGE:MODEL or none "
        "(RAG_LLM; default: none)",
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=DEFAULT_ANSWER_TOKENS,
        metavar="N",
        help="longest answer of a language model, in tokens (default %(default)s)",
    )
    parser.add_argument(
        "--context",
        type=int,
        metavar="N",
        help="tokens it can read, including its answer (default: what it reports itself)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="leave out sentences that the passages do not support, instead of marking them",
    )


def add_search_options(one: Options) -> None:
    """How chunks are searched."""
    one.add_argument(
        "--strategy", choices=STRATEGIES, default=STRATEGIES[0], help="how vectors are searched (default %(default)s)"
    )
    one.add_argument("--search", dest="strategy", action=FormerStrategy, help=SUPPRESS)
    one.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help="how many chunks two-stage scores (default 300, or 15 per hit if that is more)",
    )
    one.add_argument("--probes", type=int, metavar="N", help="about how many cells to search (default 80)")


def add_documents(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`list`, `show` and `remove`."""
    one = commands.add_parser("list", help="list the documents of the store", description=list_documents.__doc__)
    one.add_argument(
        "paths",
        type=given_path,
        nargs="*",
        metavar="PATH",
        help="only this document or file, or those below this folder",
    )
    one.add_argument("--format", action="append", metavar="F", help="only documents of this format, such as pdf")
    one.add_argument(
        "--filter", action="append", metavar="F", help="only documents with chunks that match, as in a search"
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=list_documents)
    one = commands.add_parser("show", help="show one document or a page of it", description=show.__doc__)
    one.add_argument(
        "path",
        type=given_path,
        metavar="PATH",
        help="the document: its source or the path of its file, or PATH:LINE of a citation",
    )
    one.add_argument("--span", metavar="START:END", help="only this span, marked, with some text around it")
    one.add_argument("--page", metavar="N", help="only this page: its number, from 1, or its label")
    one.add_argument("--png", metavar="OUT", help="draw the page into this file instead, with the span marked")
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=show)
    one = commands.add_parser("remove", help="delete documents from the store", description=remove.__doc__)
    one.add_argument("paths", type=given_path, nargs="+", metavar="PATH", help="a document, a file, or a folder")
    one.add_argument("--dry-run", action="store_true", help="show what would be removed without removing it")
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=remove)


def add_acl(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`acl`."""
    one = commands.add_parser(
        "acl", help="show or set who may read which documents, on a server", description=acl.__doc__
    )
    one.add_argument(
        "paths",
        type=given_path,
        nargs="*",
        metavar="PATH",
        help="give this document, file or folder the groups in --groups",
    )
    one.add_argument("--groups", metavar="G,G", help="roles that may read it, or everyone; '' for nobody")
    one.add_argument(
        "--print-sql", action="store_true", help="print the row policies of the store, for whoever may create them"
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=acl)


def add_servers(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`serve`, `mcp` and `ddl`."""
    one = commands.add_parser("serve", help="answer over HTTP: REST, OpenAI's API and MCP", description=serve.__doc__)
    one.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen on (default %(default)s)")
    one.add_argument(
        "--port",
        type=int,
        default=8000,
        metavar="N",
        help="port to listen on, 0 for any free one (default %(default)s)",
    )
    one.add_argument(
        "--token",
        metavar="T",
        help="token that clients must send, or @FILE (RAG_TOKEN); required unless --host is this machine",
    )
    one.add_argument("--allow-host", action="append", metavar="NAME", help="a name by which clients call this server")
    one.add_argument("--allow-origin", action="append", metavar="URL", help="an origin whose pages may use this server")
    one.add_argument("--log-texts", action="store_true", help="also write questions to the log")
    add_server_options(one, store)
    one.set_defaults(run=serve)
    one = commands.add_parser("mcp", help="answer over MCP on stdin and stdout", description=serve_protocol.__doc__)
    add_server_options(one, store)
    one.set_defaults(run=serve_protocol)
    one = commands.add_parser(
        "ddl", help="print the SQL that lets ClickHouse query `serve`", description=print_ddl.__doc__
    )
    one.add_argument(
        "--url",
        default="http://127.0.0.1:8000",
        metavar="URL",
        help="address at which the database reaches the server (default %(default)s)",
    )
    one.add_argument("--token", metavar="T", help="the server's token, or @FILE (RAG_TOKEN); the output contains it")
    add_debug_option(one)
    one.set_defaults(run=print_ddl)


def add_server_options(one: Parser, store: str) -> None:
    """The options that `serve` and `mcp` share."""
    one.add_argument("--allow-sql", action="store_true", help="offer the MCP tool sql, which reads the tables")
    one.add_argument(
        "--llm", metavar="SPEC", help="let a language model write answers, as in ask (RAG_LLM; default: none)"
    )
    add_rerank_option(one, "cross-encoder that orders the chunks found")
    add_reader_option(one, "model that marks answers in the chunks found")
    add_language_option(one, "questions")
    add_model_option(one)
    add_prompt_options(one)
    add_compute_option(one)
    add_common_options(one, store)


def add_queries(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`log`, `explain` and `replay`."""
    one = commands.add_parser("log", help="list the questions that were kept", description=log.__doc__)
    one.add_argument("-n", type=int, default=20, metavar="N", help="how many, the newest first (default %(default)s)")
    one.add_argument(
        "--keep",
        metavar="HOW_LONG",
        help="keep only these and forget older ones, now and in future: 90d, 12h, 1000 (the newest) or all",
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=log)
    one = commands.add_parser(
        "explain", help="show why a kept question was answered as it was", description=explain_query.__doc__
    )
    one.add_argument("id", metavar="ID", help="its id, or the beginning of it")
    one.add_argument("--show-sql", action="store_true", help="print the statement, ready to paste into a client")
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=explain_query)
    one = commands.add_parser("replay", help="ask a kept question again", description=replay.__doc__)
    one.add_argument("id", metavar="ID", help="its id, or the beginning of it")
    one.add_argument("--today", action="store_true", help="ask today's documents, not those of that time")
    one.add_argument("--json", action="store_true", help="print JSON")
    add_compute_option(one)
    add_common_options(one, store)
    one.set_defaults(run=replay)


def add_evaluation(commands: argparse._SubParsersAction[Parser]) -> None:
    """`eval DIR`."""
    one = commands.add_parser("eval", help="measure the search on judged queries", description=evaluate.__doc__)
    one.add_argument(
        "folder",
        type=given_path,
        nargs="?",
        metavar="DIR",
        help="corpus.jsonl, queries.jsonl, qrels/test.tsv and optionally answers.jsonl",
    )
    one.add_argument(
        "--from-store",
        action="store_true",
        help="ask questions made from the store's own documents and query log; no DIR needed",
    )
    one.add_argument("--compare", choices=["fp32"], help="also measure the float32 model with float32 vectors")
    one.add_argument("--save", metavar="NAME", help="save the figures under this name, or to this file NAME.json")
    one.add_argument("--against", metavar="NAME", help="compare with a saved run; exit code 5 if significantly worse")
    one.add_argument("--worst", type=int, metavar="N", help="list the N questions that did worst, or lost most")
    one.add_argument("--plot", metavar="FILE.png", help="also draw the figures (needs matplotlib)")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument(
        "--db", metavar="D", help="keep the store here (default: a temporary one; with --from-store RAG_DB or .rag)"
    )
    add_search_options(one)
    add_rerank_option(one, "also measure the ranking of a cross-encoder")
    add_reader_option(one, "measure the answers that a model marks")
    add_model_option(one)
    add_prompt_options(one)
    add_compute_option(one)
    add_debug_option(one)
    one.set_defaults(run=evaluate)


def add_doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    """`doctor`."""
    one = commands.add_parser("doctor", help="show which arithmetic runs here and why", description=diagnose.__doc__)
    one.add_argument("--fresh", action="store_true", help="probe the CPU again instead of using the cached result")
    one.add_argument(
        "--drift",
        action="store_true",
        help="show how vectors have changed by day, folder and language, and what to do about it",
    )
    one.add_argument(
        "--sample", type=int, default=32, metavar="N", help="chunks to encode again for --drift (default %(default)s)"
    )
    one.add_argument(
        "--as",
        dest="user",
        metavar="USER",
        help="show what a user of the server can reach: documents, tables, and ways round the policies",
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    add_model_option(one)
    add_compute_option(one)
    add_common_options(one, read_settings().store)
    one.set_defaults(run=diagnose)


def add_report(commands: argparse._SubParsersAction[Parser]) -> None:
    """`report`."""
    one = commands.add_parser(
        "report", help="measure what int8 and the search cost, separately", description=report.__doc__
    )
    one.add_argument(
        "--eval", metavar="DIR", help="measure nDCG@10 on this folder in BEIR layout, which is indexed first"
    )
    one.add_argument(
        "--ladder", action="store_true", help="print what signs, 4 bits, 8 bits, candidates and cells find and cost"
    )
    one.add_argument("--sample", type=int, default=500, metavar="N", help="chunks to compare (default %(default)s)")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument(
        "--db", metavar="D", help="store: a folder or a DSN (RAG_DB; default: .rag, with --eval a temporary one)"
    )
    add_model_option(one)
    add_debug_option(one)
    one.set_defaults(run=report)


def add_stats(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`stats`."""
    one = commands.add_parser("stats", help="count rows, bytes and generations", description=stats.__doc__)
    one.add_argument("--json", action="store_true", help="print JSON")
    add_common_options(one, store)
    one.set_defaults(run=stats)


def add_migrate(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`migrate` and its options."""
    one = commands.add_parser(
        "migrate", help="bring a store made by an older version up to date", description=migrate.__doc__
    )
    one.set_defaults(run=migrate)
    add_language_option(one, "the documents, for a store without words")
    add_common_options(one, store)


def add_transfers(commands: argparse._SubParsersAction[Parser], store: str) -> None:
    """`export`, `import`, `backup` and `restore`, which have the same options."""
    for name, run, text in (
        ("export", export, "write the documents as Parquet files"),
        ("import", import_, "load the documents of an export"),
        ("backup", backup, "copy the folder of the store"),
        ("restore", restore, "copy a backup to a new store"),
    ):
        one = commands.add_parser(name, help=text, description=run.__doc__)
        one.set_defaults(run=run)
        one.add_argument("folder", type=given_path, metavar="FOLDER", help="the folder of the files")
        add_common_options(one, store)


def add_model_commands(commands: argparse._SubParsersAction[Parser]) -> None:
    """`model fetch`, `model path`, `model report`, `model quantize` and `model train`."""
    model = commands.add_parser(
        "model", help="the encoder's int8 checkpoint", description="The encoder's int8 checkpoint."
    )
    actions = model.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("fetch", fetch_model, "download and quantize it, so that later runs need no network"),
        ("path", show_model_path, "print its folder, which can be copied to another machine"),
    ):
        one = actions.add_parser(name, help=text, description=run.__doc__)
        add_model_option(one, DEFAULT_MODEL)
        add_headed_model_options(one)
        add_debug_option(one)
        one.set_defaults(run=run)
    add_model_report(actions)
    add_quantize(actions)
    add_train(actions)


def add_model_report(actions: argparse._SubParsersAction[Parser]) -> None:
    """`model report`."""
    one = actions.add_parser(
        "report", help="what quantizing it saves and what it costs", description=report_model.__doc__
    )
    one.add_argument(
        "--eval",
        metavar="DIR",
        nargs="+",
        default=[],
        help="also measure nDCG@10 on folders in BEIR layout, and use their texts for all measurements",
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument("--plot", metavar="FILE.png", help="also draw the figures (needs matplotlib)")
    one.add_argument(
        "--architecture",
        choices=["distilbert-base-uncased", "none"],
        default="distilbert-base-uncased",
        help="also show the sizes of this architecture, with random weights (default %(default)s)",
    )
    add_model_option(one, DEFAULT_MODEL)
    add_headed_model_options(one)
    add_debug_option(one)
    one.set_defaults(run=report_model)


def add_quantize(actions: argparse._SubParsersAction[Parser]) -> None:
    """`model quantize`."""
    one = actions.add_parser("quantize", help="quantize it differently", description=requantize.__doc__)
    add_recipe_options(one)
    one.add_argument(
        "--calibrate", nargs="+", metavar="PATH", help="take the ranges of activations from these documents"
    )
    add_summary_options(one)
    one.set_defaults(run=requantize)


def add_train(actions: argparse._SubParsersAction[Parser]) -> None:
    """`model train`."""
    one = actions.add_parser(
        "train", help="train it for its quantization, or to read or rerank", description=train_model.__doc__
    )
    one.add_argument(
        "paths",
        type=given_path,
        nargs="*",
        metavar="PATH",
        help="with --qat: documents, files, folders, a corpus.jsonl",
    )
    kind = one.add_mutually_exclusive_group(required=True)
    kind.add_argument("--qat", action="store_true", help="train it for its quantization, on documents without labels")
    kind.add_argument(
        "--reader", metavar="FILE", help="train it to read: questions and answers in the layout of SQuAD 2"
    )
    kind.add_argument("--rerank", metavar="FILE", help="train it to rerank: JSON lines of question, passage and label")
    add_recipe_options(one)
    one.add_argument(
        "--objective",
        choices=["distill", "contrastive"],
        help="with --qat: imitate the float32 model, or let headings find their passages (default distill)",
    )
    length = one.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, default=3, metavar="N", help="passes over the training data (default 3)")
    length.add_argument("--steps", type=int, metavar="N", help="batches to learn from, instead of --epochs")
    one.add_argument("--batch-size", type=int, default=16, metavar="N", help="texts in a batch (default %(default)s)")
    one.add_argument(
        "--learning-rate",
        type=float,
        metavar="R",
        help="highest learning rate (default 1e-4 to distill, 2e-5 contrastive, 2e-4 to read or rerank)",
    )
    one.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="tokens at which training texts are cut (default 128; 256 for a question with its passage)",
    )
    one.add_argument("--seed", type=int, default=0, metavar="N", help="order of the texts (default %(default)s)")
    one.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="default auto: cuda if there is one"
    )
    add_summary_options(one)
    one.set_defaults(run=train_model)


def add_recipe_options(one: Parser) -> None:
    """The form of the weights that `model quantize` and `model train` make, and where it goes."""
    one.add_argument(
        "--out", required=True, metavar="FOLDER", help="new folder for the checkpoint, to use with --model"
    )
    one.add_argument("--bits", type=int, choices=[8, 4], default=8, help="bits of a linear layer's weights (default 8)")
    one.add_argument(
        "--weights",
        choices=["per-channel", "per-tensor"],
        default="per-channel",
        help="numbers that share a scale (default %(default)s)",
    )
    one.add_argument(
        "--ranges",
        choices=["minmax", "percentile", "mse"],
        default="minmax",
        help="how the scales of weights are chosen (default %(default)s)",
    )


def add_summary_options(one: Parser) -> None:
    """What ends the list of options of both."""
    one.add_argument("--json", action="store_true", help="print the summary as JSON")
    add_model_option(one, DEFAULT_MODEL)
    add_debug_option(one)


def main() -> int:
    """Runs what `sys.argv` asks for."""
    return run_command(command)
