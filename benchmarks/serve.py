"""What the server costs and carries: its time over the library's own, many clients against one, memory over many requests.

    python benchmarks/serve.py --db .rag

The overhead is measured in one process, in which each question is asked of the library and of the server in turn. The load
comes from this process over real connections to a server in another one; questions are beginnings of the store's chunks,
each asked once. CPU time says what a loaded machine hides.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

KINDS = ("embeddings", "search", "certified", "ask")
UNCOUNTED = 3  # questions of the overhead, and
WARMING = 5  # requests of a load: they load what is loaded first


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
            asyncio.run(run_load(server.port, of_kind[:WARMING], 1, server.pid))
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


def measure_sustained(
    db: str, asked: list[str], model: str, clients: int, rounds: int, kinds: list[str]
) -> list[dict[str, Any]]:
    """The same questions by one client and by many, each time of a server that has just been started.

    Neither meets what the other one's questions have left in memory, and the many have no end after every hundred requests.
    """
    rows = []
    for kind in kinds:
        requests, rates = [body_of(kind, one, model) for one in asked], dict[int, list[Load]]()
        for number in range(2 * rounds):
            count = (1, clients)[number % 2]
            with Serving(db) as server:
                asyncio.run(run_load(server.port, requests[:WARMING], 1, server.pid))
                load = asyncio.run(run_load(server.port, requests[WARMING:], count, server.pid))
                rates.setdefault(count, []).append(load)
        one, many = rates[1], rates[clients]
        rows.append(
            {
                "kind": kind,
                "requests": len(requests) - WARMING,
                "errors": sum(load.errors for load in (*one, *many)),
                "one_per_second": [round(load.rate, 1) for load in one],
                "many_per_second": [round(load.rate, 1) for load in many],
                "ratios": [round(b.rate / a.rate, 2) for a, b in zip(one, many, strict=True)],
                "cpu_ms_one": 1000 * statistics.median(load.cpu / len(load.each) for load in one),
                "cpu_ms_many": 1000 * statistics.median(load.cpu / len(load.each) for load in many),
            }
        )
    return rows


def measure_minute(
    db: str, asked: list[str], model: str, clients: int, seconds: float, kinds: list[str], beside: str | None
) -> dict[str, Any]:
    """Many clients for some time, each with requests of every kind in turn; perhaps beside an ingest that is run again
    and again. How fair the server is shows in the numbers of requests and the 95th percentiles of the clients."""
    with Serving(db) as server:
        asyncio.run(
            run_load(server.port, [body_of(kind, asked[0], model) for kind in kinds for _ in range(3)], 1, server.pid)
        )
        ingests = Ingests(beside, db) if beside else None
        used = cpu_seconds(server.pid)
        each, errors, took = asyncio.run(run_for(server.port, asked, model, clients, seconds, kinds))
        used = cpu_seconds(server.pid) - used
        ran = ingests.end() if ingests else {}
    shares = [percentile(times, 0.95) for times in each if times]
    every = [one for times in each for one in times]
    return {
        "clients": clients,
        "seconds": took,
        "requests": len(every),
        "errors": errors,
        "per_second": len(every) / took,
        "cpu_ms": 1000 * used / len(every),
        "p50_ms": 1000 * percentile(every, 0.5),
        "p95_ms": 1000 * percentile(every, 0.95),
        "p95_of_clients_ms": [1000 * min(shares), 1000 * max(shares)],
        "requests_of_clients": [min(map(len, each)), max(map(len, each))],
        **ran,
    }


async def run_for(
    port: int, asked: list[str], model: str, clients: int, seconds: float, kinds: list[str]
) -> tuple[list[list[float]], int, float]:
    """Each client's times, the number of errors, and how long all of it took."""
    each: list[list[float]] = [[] for _ in range(clients)]
    errors, started, numbers = 0, time.perf_counter(), itertools.count()

    async def client(number: int) -> None:
        nonlocal errors
        connection, turn = await asyncio.open_connection("127.0.0.1", port), number
        while time.perf_counter() - started < seconds:
            path, body = body_of(kinds[turn % len(kinds)], asked[next(numbers) % len(asked)], model)
            turn, begun = turn + 1, time.perf_counter()
            errors += await post(connection, path, body) != 200
            each[number].append(time.perf_counter() - begun)
        connection[1].close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return each, errors, time.perf_counter() - started


class Ingests:
    """Ingests of a folder, one after the other, for each of which a file of it is written anew."""

    def __init__(self, folder: str, db: str) -> None:
        self.words = [sys.executable, "-m", "ingest", folder, "--db", db, "--json"]
        self.file = Path(folder) / "changed.txt"
        self.codes: list[int] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        """Ingests until it is told to end."""
        while not self.ended.is_set():
            self.file.write_text(f"What has changed {len(self.codes)} times is read again.\n" * 20)
            self.codes.append(subprocess.run(self.words, capture_output=True).returncode)

    def end(self) -> dict[str, int]:
        """How many there were and how many of them have failed."""
        self.ended.set()
        self.thread.join()
        return {"ingests": len(self.codes), "failed_ingests": sum(map(bool, self.codes))}


def measure_memory(db: str, asked: list[str], model: str, count: int, clients: int, kinds: list[str]) -> dict[str, Any]:
    """Memory of the server after each tenth of some requests of every kind in turn.

    What it grows by is counted from the end of the second tenth: in the first ones caches are filled.
    """
    bodies = [body_of(kinds[number % len(kinds)], asked[number % len(asked)], model) for number in range(count)]
    errors, found = 0, list[float]()
    with Serving(db) as server:
        for tenth in range(10):
            part = bodies[tenth * count // 10 : (tenth + 1) * count // 10]
            errors += asyncio.run(run_load(server.port, part, clients, server.pid)).errors
            found.append(psutil.Process(server.pid).memory_info().rss / 1e6)
            print(f"memory after {(tenth + 1) * count // 10:,} requests: {found[-1]:,.0f} MB", flush=True)
    return {
        "requests": count,
        "errors": errors,
        "mb_early": found[1],
        "mb_late": found[-1],
        "growth": found[-1] / found[1] - 1,
    }


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
        batched.close()
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
    return direct[UNCOUNTED:], served[UNCOUNTED:]


def rounded(row: dict[str, Any]) -> str:
    """A row as JSON, its figures with two decimals."""
    return json.dumps({name: round(v, 2) if isinstance(v, float) else v for name, v in row.items()})


def check_numbers(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends with a sentence where there is too little to measure."""
    least = {
        "clients": 1,
        "rounds": 1,
        "overhead": UNCOUNTED + 1,
        "requests": 2 * options.rounds,
        "sustained": WARMING + 1,
        "seconds": 1,
        "memory": 10,
    }
    for name, few in least.items():
        given, left_out = getattr(options, name), name not in {"clients", "rounds"}
        if given < few and (given or not left_out):
            or_none = ", or 0 to leave it out" if left_out else ""
            parser.error(f"--{name} {given:g}: that is too little to measure, give {few} or more{or_none}")


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
        "--sustained",
        type=int,
        default=0,
        metavar="N",
        help="questions, the same by one client and by many, of fresh servers (default: not measured)",
    )
    parser.add_argument("--seconds", type=float, default=0, help="of many clients at a time (default: not measured)")
    parser.add_argument("--beside", metavar="FOLDER", help="with --seconds: ingested again and again meanwhile")
    parser.add_argument(
        "--memory", type=int, default=0, help="requests to watch the memory over (default: not measured)"
    )
    options = parser.parse_args()
    check_numbers(parser, options)
    import rag

    with rag.open(options.db) as library:
        texts = [text for _, text in library.store.snapshot().chunk_texts()]
        model = library.encoder.config.model
    asked = questions(
        texts,
        max(options.requests, options.overhead, options.sustained, 10_000 if options.seconds or options.memory else 0),
    )
    print(f"{len(texts):,} chunks, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    if options.overhead:
        for row in measure_overhead(options.db, asked[: options.overhead], options.kinds)[0]:
            print("overhead", rounded(row))
    if options.requests:
        for row in measure_load(options.db, asked, model, options.clients, options.rounds, options.kinds):
            print("load", rounded(row))
    if options.sustained:
        few = asked[: options.sustained]
        for row in measure_sustained(options.db, few, model, options.clients, options.rounds, options.kinds):
            print("sustained", rounded(row))
    if options.seconds:
        row = measure_minute(options.db, asked, model, options.clients, options.seconds, options.kinds, options.beside)
        print("minute", rounded(row))
    if options.memory:
        row = measure_memory(options.db, asked, model, options.memory, options.clients, options.kinds)
        print("memory", json.dumps({name: round(v, 3) if isinstance(v, float) else v for name, v in row.items()}))


if __name__ == "__main__":
    main()
