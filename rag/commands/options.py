"""Options that choose a model, its arithmetic and a language, of every command that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sql.base.settings import COMPUTE_MODES, LANGUAGES

if TYPE_CHECKING:
    import argparse


def add_model_option(parser: argparse.ArgumentParser, default: str = "the store's own") -> None:
    """The option that names an encoder."""
    parser.add_argument("--model", metavar="M", help=f"encoder: a hub id or a folder (RAG_MODEL; default: {default})")


def add_compute_option(parser: argparse.ArgumentParser) -> None:
    """The option that chooses the encoder's arithmetic."""
    parser.add_argument(
        "--compute", choices=COMPUTE_MODES, help="the encoder's arithmetic (RAG_COMPUTE; default: auto, by the CPU)"
    )


def add_language_option(parser: argparse.ArgumentParser, what: str) -> None:
    """`--language`, for a command that looks at words."""
    parser.add_argument(
        "--language", choices=LANGUAGES, default="auto", help=f"language of {what} (default auto: found out; none: any)"
    )
