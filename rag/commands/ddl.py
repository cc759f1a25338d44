"""`ddl`: the statements with which a ClickHouse asks a running server, for any client to run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.commands.serve import read_token
from sql.base.errors import EXIT_OK, UsageError
from sql.base.terminal import out
from sql.engine.statements import statements_in, with_literals

if TYPE_CHECKING:
    from argparse import Namespace

ADDRESS = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?", re.ASCII)
HIGHEST_PORT = 65_535
NO_TOKEN = "none"  # noqa: S105 - what a server that wants no token is sent


def print_ddl(options: Namespace) -> int:
    """Print the statements that let ClickHouse query a running server: SELECT answer, citations FROM rag_answer(...)."""
    address = options.url.rstrip("/")
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        raise UsageError(f"--url {options.url}: give the address of the server alone, such as http://127.0.0.1:8000")
    if parts[2] is not None and not 0 < int(parts[2]) <= HIGHEST_PORT:
        raise UsageError(
            f"--url {options.url}: a port is 1 to {HIGHEST_PORT}: give the one that `python -m rag serve` says, such as 8000"
        )
    token = read_token(options.token) or NO_TOKEN
    values = {
        "authorization": f"Bearer {token}",
        "token": token,
        "chat_url": f"{address}/v1/chat/completions",
        "embed_url": f"{address}/v1/embeddings",
        "answers_url": f"{address}/v1/sql/answers",
        "hits_url": f"{address}/v1/sql/hits",
    }
    for name in statements_in("asking"):
        out(f"{with_literals(name, values)};\n")
    return EXIT_OK
