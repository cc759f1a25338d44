"""A folder in, the seconds out that another program takes to read, cut, embed and store it; to be run by the peer's Python.

    PYTHON ingest_peers.py NAME MODEL FOLDER

MODEL is the folder of a sentence-transformers model: all peers get the same weights. They read with LangChain's loaders and
cut with its splitter as its documentation shows it. The model is loaded and warm when the clock starts. Prints JSON;
exits with a sentence where the peer is not installed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHARACTERS, OVERLAP = 1000, 200  # of a chunk, as in LangChain's tutorials
WARM_UP = ["warm up"] * 64
Texts = list[str]


def main() -> None:
    """Prints the seconds of the clock and of processors, the chunks with their characters, and the version of one peer."""
    warnings.simplefilter("ignore")
    name, model, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            version, store = PEERS[name](model, Path(scratch))
            read_texts(Path(folder) / "nothing")
        except ImportError as error:
            sys.exit(f"{name} is left out: {error}")
        store(WARM_UP)
        started, used = time.perf_counter(), time.process_time()
        texts = read_texts(Path(folder))
        store(texts)
        taken = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - used}
    characters = sum(map(len, texts))
    print(json.dumps({**taken, "chunks": len(texts), "characters": characters, "version": version}))


def read_texts(folder: Path) -> Texts:
    """The chunks of all files below a folder."""
    from langchain_community.document_loaders import BSHTMLLoader, Docx2txtLoader, PyPDFLoader, TextLoader
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    loaders: dict[str, Any] = {".md": TextLoader, ".html": BSHTMLLoader, ".pdf": PyPDFLoader, ".docx": Docx2txtLoader}
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=OVERLAP)
    documents = [
        document
        for path in sorted(folder.rglob("*"))
        if path.suffix in loaders
        for document in loaders[path.suffix](str(path)).load()
    ]
    return [document.page_content for document in splitter.split_documents(documents)]


def langchain(model: str, scratch: Path) -> tuple[str, Callable[[Texts], None]]:  # noqa: ARG001 - as every peer is called
    """HuggingFaceEmbeddings, which runs sentence-transformers, and the store in memory."""
    from importlib.metadata import version

    from langchain_core.vectorstores import InMemoryVectorStore
    from langchain_huggingface import HuggingFaceEmbeddings

    store = InMemoryVectorStore(HuggingFaceEmbeddings(model_name=model, model_kwargs={"device": "cpu"}))

    def add(texts: Texts) -> None:
        store.add_texts(texts)

    return version("langchain-huggingface"), add


def txtai(model: str, scratch: Path) -> tuple[str, Callable[[Texts], None]]:
    """Its embeddings with the texts beside them, saved."""
    from importlib.metadata import version

    import txtai as library

    embeddings = library.Embeddings(path=model, content=True, gpu=False)

    def store(texts: Texts) -> None:
        embeddings.index(enumerate(texts))
        embeddings.save(str(scratch / "index"))

    return version("txtai"), store


def chroma(model: str, scratch: Path) -> tuple[str, Callable[[Texts], None]]:
    """A collection on disk with its default embedding function, whose graph is made of the same weights."""
    import chromadb
    from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

    ONNXMiniLM_L6_V2.DOWNLOAD_PATH = scratch / "model"
    export_onnx(Path(model), scratch / "model" / ONNXMiniLM_L6_V2.EXTRACTED_FOLDER_NAME)
    client = chromadb.PersistentClient(str(scratch / "chroma"))
    collection = client.create_collection("passages", embedding_function=ONNXMiniLM_L6_V2())
    done = 0

    def store(texts: Texts) -> None:
        nonlocal done
        for first in range(0, len(texts), client.get_max_batch_size()):
            some = texts[first : first + client.get_max_batch_size()]
            collection.add(ids=[str(done + number) for number in range(len(some))], documents=some)
            done += len(some)

    return chromadb.__version__, store


def export_onnx(model: Path, folder: Path) -> None:
    """The files that Chroma downloads otherwise: the model as a graph, and its tokenizer."""
    import shutil

    import torch
    from transformers import AutoModel

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
            return self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    folder.mkdir(parents=True)
    for name in ("config.json", "special_tokens_map.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt"):
        shutil.copy(model / name, folder / name)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    ids = torch.randint(1, 1000, (3, 24))
    torch.onnx.export(
        Hidden(),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        str(folder / "model.onnx"),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in (*names, "last_hidden_state")},
        opset_version=17,
        dynamo=False,
    )


PEERS: dict[str, Callable[[str, Path], tuple[str, Callable[[Texts], None]]]] = {
    "langchain": langchain,
    "txtai": txtai,
    "chroma": chroma,
}


if __name__ == "__main__":
    main()
