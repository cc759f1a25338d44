"""Options that choose a model, its arithmetic and a language, and options that had other names before."""

from __future__ import annotations

from argparse import Action, ArgumentError
from typing import TYPE_CHECKING, Any, ClassVar

from sql.base.settings import COMPUTE_MODES, LANGUAGES, STRATEGIES

if TYPE_CHECKING:
    import argparse
    from argparse import Namespace
    from collections.abc import Mapping

    Options = argparse.ArgumentParser | argparse._ArgumentGroup


def add_model_option(parser: Options, default: str = "the store's own") -> None:
    """The option that names an encoder."""
    parser.add_argument("--model", metavar="M", help=f"encoder: a hub id or a folder (RAG_MODEL; default: {default})")


def add_prompt_options(parser: Options) -> None:
    """The options that name what is put before texts."""
    for name, texts in (("query", "questions"), ("document", "documents")):
        parser.add_argument(
            f"--{name}-prompt",
            metavar="TEXT",
            help=f"what the encoder reads before {texts} (default: the store's own, else the model's)",
        )


def add_rerank_option(parser: Options, what: str) -> None:
    """The option that names a cross-encoder."""
    parser.add_argument(
        "--rerank",
        metavar="M",
        help=f"{what}: a hub id, a folder or none (RAG_RERANK; default: none)",
    )


def add_reader_option(parser: Options, what: str) -> None:
    """The option that names a reader."""
    parser.add_argument("--reader", metavar="M", help=f"{what}: a hub id, a folder or none (RAG_READER; default: none)")


def add_headed_model_options(parser: Options) -> None:
    """The options that name a cross-encoder or a reader in place of an encoder."""
    parser.add_argument("--rerank", metavar="M", help="a cross-encoder instead: a hub id or a folder")
    parser.add_argument("--reader", metavar="M", help="a reader instead: a hub id or a folder")


def add_compute_option(parser: Options) -> None:
    """The option that chooses the encoder's arithmetic."""
    parser.add_argument(
        "--compute",
        choices=COMPUTE_MODES,
        help="the encoder's arithmetic (RAG_COMPUTE; default: auto, chosen for the CPU)",
    )


def add_language_option(parser: Options, what: str) -> None:
    """`--language`, for a command that looks at words."""
    parser.add_argument(
        "--language", choices=LANGUAGES, default="auto", help=f"language of {what} (default auto: detected; none: any)"
    )


class FormerOption(Action):
    """An option under the name that it had before, which still works in this version, with a note behind the output.

    A script that reads the first line finds there what it has always found.
    """

    now: ClassVar[str]
    values: ClassVar[Mapping[str, str]]  # each value under its former name

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: Namespace, value: Any, option: str | None = None
    ) -> None:
        """Sets what the new option sets."""
        if value not in self.values:
            raise ArgumentError(self, f"invalid choice: {value!r} (choose from {', '.join(self.values)})")
        remark = f"{option} {value} is called {self.now} {self.values[value]} now; the next version knows only that"
        namespace.remarks = [*getattr(namespace, "remarks", []), remark]
        setattr(namespace, self.dest, self.values[value])


class FormerRanking(FormerOption):
    """`--mode`, whose value for words was `bm25`."""

    now = "--ranking"
    values: ClassVar = {"hybrid": "hybrid", "vector": "vector", "bm25": "words"}


class FormerStrategy(FormerOption):
    """`--search`."""

    now = "--strategy"
    values: ClassVar = {name: name for name in STRATEGIES}
