"""The command itself as a process: a server that answers beside an ingest, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from commands_here import run_main
from support import PATIENCE, PROJECT, run_python, write_tiny_checkpoint

from rag.commands import serve as command
from rag.commands.command_line import make_parser
from sql.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

# Options


def test_without_the_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else name)
    options = make_parser().parse_args(["serve"])
    with pytest.raises(UsageError, match=r'uvicorn missing\): install it with `pip install "int8-rag\[serve\]"`'):
        options.run(options)


def test_a_token_comes_from_the_option_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.delenv("RAG_TOKEN", raising=False)
    assert command.read_token(None) is None
    assert command.read_token("given") == "given"
    assert command.read_token(f"@{tmp_path / 'token'}") == "from-file"
    monkeypatch.setenv("RAG_TOKEN", f"@{tmp_path / 'token'}")
    assert command.read_token(None) == "from-file"


@pytest.mark.parametrize("token", ["", " ", "two words", "é", "line\n", "@/nowhere/token"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="--token"):
        command.read_token(token)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "localhost.example"])  # noqa: S104
def test_any_address_but_this_machines_needs_a_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAG_TOKEN", raising=False)
    options = make_parser().parse_args(["serve", "--host", host])
    with pytest.raises(UsageError, match="can be reached from elsewhere: set a token"):
        options.run(options)


def test_a_port_that_is_taken_is_named() -> None:
    from rag.serve.run import listen

    with listen("127.0.0.1", 0) as taken, pytest.raises(UsageError, match="cannot listen there"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_small_packets_are_not_held_back() -> None:
    from rag.serve.run import listen

    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # by which asyncio knows that it may turn the delay off


# The process


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of its own process, and its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    words = [sys.executable, "-m", "rag", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(words, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("{"), line
        yield process, json.loads(line)["listening"]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_server_answers_beside_an_ingest_follows_it_and_ends_well(tokenizer: Tokenizer, tmp_path: Path) -> None:
    model, place = str(write_tiny_checkpoint(tmp_path / "model", tokenizer)), str(tmp_path / "store")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "cat.md").write_text("The cat sat on the mat.\n")
    ingest = ("-m", "ingest", str(docs), "--db", place, "--model", model, "--json")
    assert run_python(*ingest).returncode == 0
    with started("--db", place, "--model", model) as (process, url), httpx2.Client(base_url=url, timeout=60) as http:

        def sources() -> set[str]:
            reply = http.post("/v1/search", json={"query": "the cat", "k": 50, "ranking": "words"})
            assert reply.status_code == 200, reply.text
            return {hit["source"].rpartition("/")[2] for hit in reply.json()["hits"]}

        assert sources() == {"cat.md"}
        for number in range(30):
            (docs / f"{number}.md").write_text(f"The cat runs here {number}.\n" * 20)
        ended, failed = threading.Event(), list[Any]()

        def ask() -> None:
            while not ended.is_set():
                try:
                    sources()
                except Exception as error:
                    failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        ran = run_python(*ingest)
        ended.set()
        asking.join()
        assert (ran.returncode, json.loads(ran.stdout)["indexed"], failed) == (0, 30, []), ran.stderr
        assert len(sources()) == 31

        found = list[Any]()
        slow = {"model": "tiny", "input": ["the cat runs here " * 50] * 2_000}
        last = threading.Thread(
            target=lambda: found.append(httpx2.post(f"{url}/v1/embeddings", json=slow, timeout=120))
        )
        last.start()
        while http.get("/metrics").text.find("rag_requests_taken 1.0") < 0:
            assert not found
        process.send_signal(signal.SIGTERM)
        last.join()
        assert (found[0].status_code, process.wait(PATIENCE)) == (200, 0)
        with pytest.raises(httpx2.ConnectError):
            http.get("/healthz")


@pytest.mark.slow
def test_a_server_goes_on_with_the_store_that_reembedding_has_put_in_the_place_of_its_own(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("one", "two"):
        write_tiny_checkpoint(tmp_path / "int8-rag" / "models" / name, tokenizer, model=name)
    place, docs = str(tmp_path / "store"), tmp_path / "docs"
    docs.mkdir()
    (docs / "cat.md").write_text("The cat sat on the mat.\n")
    assert run_python("-m", "ingest", str(docs), "--db", place, "--model", "one").returncode == 0
    with started("--db", place) as (_, url), httpx2.Client(base_url=url, timeout=60) as http:

        def search() -> list[str]:
            reply = http.post("/v1/search", json={"query": "the cat"})
            assert reply.status_code == 200, reply.text
            return [hit["text"] for hit in reply.json()["hits"]]

        def models() -> list[str]:
            return [one["id"] for one in http.get("/v1/models").json()["data"]]

        assert models() == ["int8-rag", "one"]
        before = search()
        ran = run_python("-m", "ingest", "--reembed", "--db", place, "--model", "two")
        assert ran.returncode == 0, ran.stderr
        assert search() == before
        assert http.get("/healthz").status_code == 200
        assert models() == ["int8-rag", "two"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_server_of_a_program_ends_at_a_signal_though_its_stdin_is_open(
    tokenizer: Tokenizer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    model, place = str(write_tiny_checkpoint(tmp_path / "model", tokenizer)), str(tmp_path / "store")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "cat.md").write_text("The cat sat on the mat.\n")
    assert run_main("ingest", str(tmp_path / "docs"), "--db", place, "--model", model).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "mcp", "--db", place, "--model", model],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["result"]["protocolVersion"] == "2024-11-05"
    process.send_signal(number)
    assert process.wait(PATIENCE) == code
    process.communicate()
