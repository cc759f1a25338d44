"""What the server costs and carries: its time over the library's own, many clients against one, memory over many requests.

    python benchmarks/serve.py --db .rag

The overhead is measured in one process, in which each question is asked of the library and of the server in turn. The load
comes from this process over real connections to a server in another one; questions are beginnings of the store's chunks,
each asked once. CPU time says what a loaded machine hides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import psutil

KINDS = ("embeddings", "search", "certified", "ask")


@dataclass(frozen=True)
class Load:
    """What came of some requests: seconds of all and of each, errors, and seconds of the server's processors."""

    seconds: float
    each: list[float]
    errors: int
    cpu: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.each) / self.seconds


def questions(texts: list[str], count: int, seed: int = 0) -> list[str]:
    """Different questions of five to twelve words from texts of the store."""
    drawn = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        words = drawn.choice(texts).split()
        first = drawn.randrange(max(1, len(words) - 12))
        found[" ".join(words[first : first + drawn.randint(5, 12)])[:300] + f" {len(found)}"] = None
    return list(found)


def body_of(kind: str, question: str, model: str) -> tuple[str, bytes]:
    """The path and the body of a request."""
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "embeddings": ("/v1/embeddings", {"model": model, "input": question, "encoding_format": "base64"}),
        "search": ("/v1/search", {"query": question, "certify": False}),
        "certified": ("/v1/search", {"query": question}),
        "ask": ("/v1/ask", {"question": question}),
    }
    path, body = bodies[kind]
    return path, json.dumps(body).encode()


# The load


async def post(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str, body: bytes) -> int:
    """One request over an open connection; its status."""
    reader, writer = connection
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    status = int((await reader.readline()).split()[1])
    length = 0
    while (line := await reader.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    await reader.readexactly(length)
    return status


async def run_load(port: int, requests: list[tuple[str, bytes]], clients: int, pid: int) -> Load:
    """Sends requests by so many clients, each the next as soon as it has its answer."""
    waiting, each, errors = list(reversed(requests)), list[float](), 0

    async def client() -> None:
        nonlocal errors
        connection = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            path, body = waiting.pop()
            started = time.perf_counter()
            errors += await post(connection, path, body) != 200
            each.append(time.perf_counter() - started)
        connection[1].close()

    used, started = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(time.perf_counter() - started, each, errors, cpu_seconds(pid) - used)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def percentile(values: list[float], share: float) -> float:
    """The value that so many lie below."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure_load(
    db: str, asked: list[str], model: str, clients: int, rounds: int, kinds: list[str]
) -> list[dict[str, Any]]:
    """One client and many in turn, for each kind of request."""
    rows = []
    with Serving(db) as server:
        for kind in kinds:
            of_kind = [body_of(kind, one, model) for one in asked]
            asyncio.run(run_load(server.port, of_kind[:5], 1, server.pid))  # loads what is loaded first
            share = len(of_kind) // (2 * rounds)
            alone, together = list[Load](), list[Load]()
            for number in range(rounds):
                first = 2 * number * share
                alone.append(asyncio.run(run_load(server.port, of_kind[first : first + share], 1, server.pid)))
                more = of_kind[first + share : first + 2 * share]
                together.append(asyncio.run(run_load(server.port, more, clients, server.pid)))
            times = [each for load in together for each in load.each]
            rows.append(
                {
                    "kind": kind,
                    "requests": 2 * rounds * share,
                    "errors": sum(load.errors for load in (*alone, *together)),
                    "one_per_second": statistics.median(load.rate for load in alone),
                    "many_per_second": statistics.median(load.rate for load in together),
                    "ratio": statistics.median(b.rate / a.rate for a, b in zip(alone, together, strict=True)),
                    "cpu_ms_one": 1000 * statistics.median(load.cpu / len(load.each) for load in alone),
                    "cpu_ms_many": 1000 * statistics.median(load.cpu / len(load.each) for load in together),
                    "p50_ms": 1000 * percentile(times, 0.5),
                    "p95_ms": 1000 * percentile(times, 0.95),
                }
            )
    return rows


def measure_memory(db: str, asked: list[str], model: str, count: int, clients: int) -> dict[str, Any]:
    """Memory of the server after a tenth of some searches by words and vectors, and after all of them."""
    kinds = ("embeddings", "search")
    bodies = [body_of(kinds[number % 2], asked[number % len(asked)], model) for number in range(count)]
    with Serving(db) as server:
        found = list[int]()
        for part in (bodies[: count // 10], bodies[count // 10 :]):
            asyncio.run(run_load(server.port, part, clients, server.pid))
            found.append(psutil.Process(server.pid).memory_info().rss)
    return {"requests": count, "mb_early": found[0] / 1e6, "mb_late": found[1] / 1e6, "growth": found[1] / found[0] - 1}


class Serving:
    """A server in a process of its own."""

    def __init__(self, db: str) -> None:
        words = [sys.executable, "-m", "rag", "serve", "--port", "0", "--db", db]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def __enter__(self) -> Serving:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if '"listening"' in line:
                self.port = int(json.loads(line)["listening"].rpartition(":")[2])
                break
        else:
            raise SystemExit("the server did not start")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        self.process.wait()


# The overhead


def measure_overhead(db: str, asked: list[str], kinds: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Each question of the library and of a server in the same process, in turn; and what the encoder is called."""
    from dataclasses import replace

    import rag
    from rag.serve.answers import answered, found
    from rag.serve.app import Service, make_app
    from rag.serve.batching import shared
    from rag.serve.bodies import AskBody, SearchBody
    from rag.serve.guard import Access
    from rag.serve.limits import Limits
    from rag.serve.run import listen, make_server
    from rag.serve.telemetry import Telemetry

    rows = []
    with rag.open(db) as library, listen("127.0.0.1", 0) as listener:
        telemetry = Telemetry(lambda line: None)
        encoder = library.document_encoder()
        plain = replace(library, source=lambda: encoder, _encoder=None)
        batched = shared(encoder, telemetry.batch)
        service = Service(replace(library, source=lambda: batched, _encoder=None), Limits(), telemetry)
        server = make_server(make_app(service, Access()), 10)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        port, model = listener.getsockname()[1], plain.encoder.config.model
        calls = {
            "embeddings": lambda text: plain.encoder.encode_documents([text]),
            "search": lambda text: found(plain, SearchBody(query=text, certify=False)),
            "certified": lambda text: found(plain, SearchBody(query=text)),
            "ask": lambda text: answered(plain, AskBody(question=text)),
        }
        for kind in kinds:
            turns = asyncio.run(in_turn(port, calls[kind], kind, asked, model))
            direct, served = ([seconds for seconds, _ in one] for one in turns)
            cpu = [statistics.mean(cpu for _, cpu in one) for one in turns]
            over = [1000 * (b - a) for a, b in zip(direct, served, strict=True)]
            rows.append(
                {
                    "kind": kind,
                    "library_ms": 1000 * statistics.median(direct),
                    "server_ms": 1000 * statistics.median(served),
                    "over_ms": statistics.median(over),
                    "library_cpu_ms": 1000 * cpu[0],
                    "over_cpu_ms": 1000 * (cpu[1] - cpu[0]),
                }
            )
        server.should_exit = True
        thread.join()
        batched.batcher.close()
    return rows, model


Turn = tuple[float, float]  # seconds by the clock, and of this process's processors


async def in_turn(port: int, call: Any, kind: str, asked: list[str], model: str) -> tuple[list[Turn], list[Turn]]:
    """What the library and the server took for each question, which of both is first by turns."""
    connection = await asyncio.open_connection("127.0.0.1", port)
    direct, served = list[Turn](), list[Turn]()

    async def of_library(text: str) -> None:
        started, used = time.perf_counter(), time.process_time()
        call(text)
        direct.append((time.perf_counter() - started, time.process_time() - used))

    async def of_server(text: str) -> None:
        started, used = time.perf_counter(), time.process_time()
        assert await post(connection, *body_of(kind, text, model)) == 200
        served.append((time.perf_counter() - started, time.process_time() - used))

    for number, text in enumerate(asked):
        for measure in (of_library, of_server) if number % 2 else (of_server, of_library):
            await measure(text)
    connection[1].close()
    return direct[3:], served[3:]  # the first ones load something


def main() -> None:
    """Measures and prints a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--db", default=".rag", help="a store with some hundred chunks or more (default %(default)s)")
    parser.add_argument("--clients", type=int, default=50, help="at a time (default %(default)s)")
    parser.add_argument("--requests", type=int, default=600, help="of each kind (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="one client and many in turn (default %(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument(
        "--overhead", type=int, default=60, help="questions for it; 0: not measured (default %(default)s)"
    )
    parser.add_argument(
        "--memory", type=int, default=0, help="requests to watch the memory over (default: not measured)"
    )
    options = parser.parse_args()
    import rag

    with rag.open(options.db) as library:
        texts = [text for _, text in library.store.snapshot().chunk_texts()]
        model = library.encoder.config.model
    asked = questions(texts, max(options.requests, options.overhead))
    print(f"{len(texts):,} chunks, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    if options.overhead:
        for row in measure_overhead(options.db, asked[: options.overhead], options.kinds)[0]:
            print("overhead", json.dumps({name: round(v, 2) if isinstance(v, float) else v for name, v in row.items()}))
    if options.requests:
        for row in measure_load(options.db, asked, model, options.clients, options.rounds, options.kinds):
            print("load", json.dumps({name: round(v, 2) if isinstance(v, float) else v for name, v in row.items()}))
    if options.memory:
        row = measure_memory(options.db, asked, model, options.memory, options.clients)
        print("memory", json.dumps({name: round(v, 3) if isinstance(v, float) else v for name, v in row.items()}))


if __name__ == "__main__":
    main()
