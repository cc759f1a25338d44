"""What runs here and why: settings in, a few named findings out, each a sentence or a number for a person to read."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from rag.compute.plan import check_mode
from rag.encoder.checkpoint import is_checkpoint, read_checkpoint
from rag.encoder.encoder import cached_checkpoint, choose_model
from sql.base.errors import RagError
from sql.store import Store

if TYPE_CHECKING:
    from sql.base.settings import Settings


def examine(settings: Settings, wanted: str | None, location: str, *, fresh: bool = False) -> dict[str, str]:
    """The findings by name, in the order in which they are to be shown. Makes no store and converts no model."""
    from rag.encoder.probe import cached_findings

    mode = check_mode(settings.compute)
    found = cached_findings(settings.cache, fresh=fresh)
    store, model = describe_store(location, settings, wanted)
    return {
        "processor": f"{found.processor}, {platform.machine()}, {found.threads} threads",
        "instructions": f"{found.instructions} (as torch sees them)",
        "int8_product": describe_product(found.int8_product, saturates=found.saturates),
        "compute": f"{mode}: {found.plan(mode)}",
        "because": found.reason(mode),
        "one_question": "numpy int8, where torch is not loaded yet" if mode == "auto" else f"{found.plan(mode)}",
        "versions": ", ".join(
            f"{name} {version(name)}" for name in ("int8-rag", "torch", "chdb", "clickhouse-connect")
        ),
        "model": model,
        "store": store,
    }


def describe_product(name: str, *, saturates: bool) -> str:
    """The matrix product, and whether weights have to be made to fit it."""
    if name == "float":
        return "float arithmetic on the same codes: torch has no int8 product that computes rightly here"
    if saturates:
        return "oneDNN; it adds pairs of products in 16 bits, so codes and weights are made to fit"
    return "oneDNN; it adds products in 32 bits"


def describe_store(location: str, settings: Settings, wanted: str | None) -> tuple[str, str]:
    """The store and the model it wants, each in a sentence."""
    try:
        with Store.open(location) as store:
            collection = store.collection()
            sentence = f"{store.client.location}: {store.snapshot().chunk_count()} chunks, epoch {store.epoch()}"
            return sentence, describe_model(settings, choose_model(settings, wanted, collection))
    except RagError as error:
        return str(error), describe_model(settings, choose_model(settings, wanted))


def describe_model(settings: Settings, model: str) -> str:
    """Whether a model's checkpoint is in the cache and sound."""
    folder = cached_checkpoint(settings, model)
    if not is_checkpoint(folder):
        return f"{model}: no int8 checkpoint yet; `python -m rag model fetch --model {model}` makes it"
    try:
        return f"{model}: {read_checkpoint(folder).nbytes / 1e6:.1f} MB in {folder}"
    except RagError as error:
        return str(error)
