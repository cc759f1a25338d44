"""What runs here and why: settings in, a few named findings out, each a sentence or a number for a person to read."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rag.compute.plan import check_mode
from rag.encoder.checkpoint import TOKENIZER_FILE, is_checkpoint, read_checkpoint
from rag.encoder.encoder import cached_checkpoint, choose_model
from rag.index.word_vectors import word_vectors_sentence
from rag.text.fit import WORST, tokenizer_fit
from rag.text.tokenizer import Tokenizer
from sql.base.errors import RagError
from sql.base.wording import counted
from sql.engine.statements import Statement
from sql.store import Store
from sql.store.word_vectors import WordVectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.text.fit import Fit
    from sql.base.settings import Settings


SAMPLED_TEXTS = 50  # of each language: some thousand words, whose pieces a word vary by a few percent


def examine(settings: Settings, wanted: str | None, location: str, *, fresh: bool = False) -> dict[str, Any]:
    """The findings by name, in the order in which they are to be shown: sentences, but for `tokenizer`, a record with one.

    Makes no store and converts no model.
    """
    from rag.encoder.probe import cached_findings

    mode = check_mode(settings.compute)
    found = cached_findings(settings.cache, fresh=fresh)
    store, model, fits = describe_store(location, settings, wanted)
    return {
        "processor": f"{found.processor}, {platform.machine()}, {counted(found.threads, 'thread')}",
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
        "tokenizer": fits_record(fits),
    }


def describe_product(name: str, *, saturates: bool) -> str:
    """The matrix product, and whether weights have to be made to fit it."""
    if name == "float":
        return "float arithmetic on the same codes: torch has no int8 product that computes rightly here"
    if saturates:
        return "oneDNN; it adds pairs of products in 16 bits, so codes and weights are made to fit"
    return "oneDNN; it adds products in 32 bits"


def describe_store(location: str, settings: Settings, wanted: str | None) -> tuple[str, str, list[Fit]]:
    """The store and the model it wants, each in a sentence, and how the model's tokenizer fits the store's languages."""
    try:
        with Store.open(location) as store:
            collection = store.collection()
            sentence = (
                f"{store.client.location}: {counted(store.snapshot().chunk_count(), 'chunk')}, epoch {store.epoch()}"
            )
            sentence += describe_word_vectors(store)
            model = choose_model(settings, wanted, collection)
            return sentence, describe_model(settings, model), language_fits(store, settings, model)
    except RagError as error:
        return str(error), describe_model(settings, choose_model(settings, wanted)), []


def describe_word_vectors(store: Store) -> str:
    """The vectors of words and what is wrong with them, to be added to a sentence; nothing of a store that has none."""
    table = WordVectors(store)
    if not table.exist:
        return ""
    counts, missing = table.counts(), len(table.missing_words())
    whole = table.whitening(store.snapshot().dimensions) is not None
    sentence = f"; {word_vectors_sentence(counts)}"
    if counts.damaged or missing or not whole:
        # a user with groups does not see those that only documents have
        seen = " that this user sees" if store.made_with.has_groups() else ""
        sentence += (
            f"; {counts.damaged:,} of them {'is' if counts.damaged == 1 else 'are'} damaged, "
            f"{counted(missing, 'word')} of the documents {'has' if missing == 1 else 'have'} none{seen}"
            f"{'' if whole else ', and how they are whitened is not known'}: the next ingest makes them"
        )
    return sentence


def language_fits(store: Store, settings: Settings, model: str) -> list[Fit]:
    """How a model's tokenizer fits each language of the stored texts; nothing where either is not at hand."""
    folder = cached_checkpoint(settings, model)
    if store.collection() is None or not is_checkpoint(folder):
        return []
    tokenizer = Tokenizer.from_file(folder / TOKENIZER_FILE, read_checkpoint(folder).config.max_tokens)
    values = {"epoch": store.snapshot().epoch, "rows": SAMPLED_TEXTS}
    texts: dict[str, list[str]] = {}
    for row in store.client.query(Statement("language_texts", values)):
        texts.setdefault(row["language"] or "unknown language", []).append(row["text"])
    fits = (tokenizer_fit(language, of_language, tokenizer) for language, of_language in texts.items())
    return [fit for fit in fits if fit is not None]


def fits_record(fits: Sequence[Fit]) -> dict[str, Any]:
    """What was found of the tokenizer, language by language, with a sentence that judges it."""
    return {"sentence": fits_sentence(fits), "languages": [asdict(fit) | {"fits": fit.grade} for fit in fits]}


def fits_sentence(fits: Sequence[Fit]) -> str:
    """How the tokenizer fits the store's languages, and what helps where it does not."""
    if not fits:
        return "no stored texts to look at"
    each = "; ".join(
        f"{fit.language}: {fit.pieces_per_word:.2f} pieces a word, {fit.unknown:.1%} unknown, fits {fit.grade}"
        for fit in fits
    )
    poor = [fit.language for fit in fits if fit.grade == WORST]
    if not poor:
        return each
    return (
        f"{each}. The model was probably not made for {', '.join(poor)}: a multilingual one will find more "
        "(`python -m ingest --reembed --model M`)"
    )


def describe_model(settings: Settings, model: str) -> str:
    """Whether a model's checkpoint is in the cache and sound."""
    folder = cached_checkpoint(settings, model)
    if not is_checkpoint(folder):
        return f"{model}: no int8 checkpoint yet; `python -m rag model fetch --model {model}` makes it"
    try:
        return f"{model}: {read_checkpoint(folder).nbytes / 1e6:.1f} MB in {folder}"
    except RagError as error:
        return str(error)
