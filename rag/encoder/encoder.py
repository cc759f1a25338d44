"""Texts in, vectors out: tokenizes, batches texts of like length, runs a kernel, and puts the results in order.

encoder = load_encoder(read_settings())
encoder.encode(["How large is an int8 code?"]).shape        # (1, 384), float32, each of length 1
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.compute.plan import check_mode
from rag.compute.side_by_side import side_by_side
from rag.encoder.checkpoint import TOKENIZER_FILE, is_checkpoint, read_checkpoint, write_checkpoint
from rag.encoder.heads import TASKS
from rag.encoder.kernel import of_tokens
from rag.encoder.prompts import OWN_PROMPTS, Prompts, with_prompts
from rag.encoder.states import Remembered, TokenStates
from rag.encoder.weights import file_sha256, float_model
from rag.text.tokenizer import Tokenizer
from sql.base.errors import ModelError, RagError
from sql.base.paths import expand_user
from sql.base.settings import DEFAULT_MODEL
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.checkpoint import Checkpoint, EncoderConfig
    from rag.encoder.kernel import Kernel
    from sql.base.settings import Settings
    from sql.records import EncoderIdentity
    from sql.store import Collection

# Of a batch that one thread computes. Twice as many take more memory and gain little; half as many lose some percent.
TOKENS_PER_BATCH = 1024
LEAST_TOKENS_PER_BATCH = 64  # a batch reads all weights, however small it is
LENGTH_STEP = 16  # where a kernel pads: up to the next multiple, and only texts of one padded length share a batch


@dataclass(frozen=True)
class Encoder:
    """An encoder ready to run. A text's vector depends on the text alone, never on its neighbours in a batch."""

    config: EncoderConfig
    tokenizer: Tokenizer
    make_kernel: Callable[[], Kernel]
    make_for_many: Callable[[], Kernel] | None = field(default=None, repr=False, compare=False)
    _made: list[Kernel] = field(default_factory=list, init=False, repr=False, compare=False)
    _making: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)
    _remembered: Remembered = field(default_factory=Remembered, init=False, repr=False, compare=False)

    @property
    def kernel(self) -> Kernel:
        """What computes; made on first use, so that a run which finds nothing to encode never imports torch.

        Made once, whichever threads ask for it first; where that failed, the next to ask tries again.
        """
        if not self._made:
            with self._making:
                if not self._made:
                    self._made.append(self.make_kernel())
        return self._made[0]

    def make_kernel_ahead(self) -> None:
        """Begins to make the kernel, in a thread, while the caller does other things: importing torch takes seconds.

        What fails there is raised by whoever asks for the kernel, for whom it is tried again.
        """
        if not self._made:
            in_background("kernel", lambda: self.kernel)

    def expect_many_texts(self) -> None:
        """Where the kernel is the one for a few texts, begins to make that for many in a thread; it takes over when it is made.

        Reading 1,250 tokens takes 0.45 s without torch and 0.1 s with it.
        """
        from rag.encoder.kernel_numpy import NumpyKernel

        make = self.make_for_many
        if make is None or not isinstance(self.kernel, NumpyKernel):
            return

        def take_over() -> None:
            self._made[:] = [make()]  # where that fails, the one that is there goes on

        in_background("kernel for many texts", take_over)

    @property
    def identity(self) -> EncoderIdentity:
        """What a store remembers of this encoder."""
        return self.config.identity

    def encode_documents(
        self,
        texts: Sequence[str],
        progress: Callable[[int], None] = lambda count: None,
        give_way: Callable[[], None] = lambda: None,
    ) -> NDArray[np.float32]:
        """Vectors of passages, float32 (texts, dimensions); `progress` hears how many were done after each batch.

        Each thread that computes batches calls `give_way` before each, and goes on when it returns.
        """
        return self.encode([self.config.document_prompt + text for text in texts], progress, give_way)

    def encode_query(self, question: str) -> NDArray[np.float32]:
        """The vector of a question, float32 (dimensions,).

        Its tokens are remembered too, so that an answer does not have to read it again.
        """
        ((vector, states),) = self.read_questions([question])
        self._remembered.put(question, self.config.query_prompt, states)
        return vector

    def read_questions(self, questions: Sequence[str]) -> list[tuple[NDArray[np.float32], TokenStates]]:
        """The vector of each question, float32 (dimensions,), and those of its tokens, of one computation.

        Raises RagError for a question of more tokens than the encoder reads.
        """
        prompt = self.config.query_prompt
        encoded = self.tokenizer.encode_with_spans([prompt + question for question in questions])
        for question, (ids, _) in zip(questions, encoded, strict=True):
            self._check_length(prompt + question, ids)
        found: dict[int, tuple[NDArray[np.float32], TokenStates]] = {}

        def receive(rows: list[int], both: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
            vectors, states = both
            for row, vector, of_row in zip(rows, self._scaled(vectors), states, strict=True):
                ids, spans = encoded[row]
                found[row] = vector, TokenStates.of(spans - len(prompt), of_row[: len(ids)], 0)

        self.compute([ids for ids, _ in encoded], receive, forward=self.kernel.forward_both)
        return [found[row] for row in range(len(questions))]

    def encode_queries(self, questions: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of questions, float32 (questions, dimensions)."""
        return self.encode([self.config.query_prompt + question for question in questions])

    @cached_property
    def max_document_tokens(self) -> int:
        """The longest passage, in tokens, that is read whole behind the prompt of documents."""
        return self.tokenizer.max_text_tokens - self.tokenizer.count(self.config.document_prompt)

    def fitting_document(self, text: str) -> str:
        """The longest beginning of a passage that is read whole behind the prompt of documents."""
        return self.tokenizer.fitting(text, self.tokenizer.max_text_tokens, self.config.document_prompt)

    def reads_document(self, text: str) -> bool:
        """Whether a passage is read whole behind the prompt of documents."""
        return self.tokenizer.count(self.config.document_prompt + text) <= self.tokenizer.max_text_tokens

    def reads_below(self, above: str, text: str, tokens: int | None = None) -> bool:
        """Whether a passage is read whole on the lines below some text, which may be empty.

        `tokens` are those of the passage alone, where they are known: where a tokenizer divides at spaces they add up.
        """
        prompt = self.config.document_prompt
        if tokens is None or not self.tokenizer.divides_at_spaces or (prompt and not prompt[-1].isspace()):
            return self.reads_document(f"{above}\n{text}" if above else text)
        return self.tokenizer.count(prompt + above) + tokens <= self.tokenizer.max_text_tokens

    def fitting_before(self, lead: str, text: str) -> str:
        """The longest beginning of `lead` that is read whole on a line before a passage; empty where none has room."""
        room = self.tokenizer.max_text_tokens - self.tokenizer.count(f"{self.config.document_prompt}\n{text}")
        while room > 0:
            fitting = self.tokenizer.fitting(lead, room)
            if self.reads_document(f"{fitting}\n{text}"):
                return fitting
            room -= 1  # where tokens of two texts are more together than each by itself
        return ""

    @property
    def _of_tokens(self) -> Encoder:
        """This encoder with a vector for every token; it has the same kernel."""
        return Encoder(self.config, self.tokenizer, lambda: of_tokens(self.kernel))

    def token_states(self, texts: Sequence[str], prompt: str = "") -> list[TokenStates]:
        """What the last layer makes of every token of each text, read behind a prompt; a long text in several pieces.

        The texts that were read last are not read again.
        """
        known = {text: self._remembered.get(text, prompt) for text in texts}
        found = {text: states for text, states in known.items() if states is not None}
        new = [text for text in known if text not in found]
        for text, states in zip(new, self._read_tokens(new, prompt), strict=True):
            self._remembered.put(text, prompt, states)
            found[text] = states
        return [found[text] for text in texts]

    def _read_tokens(self, texts: Sequence[str], prompt: str) -> list[TokenStates]:
        if not texts:
            return []
        most = self.tokenizer.max_text_tokens
        pieces = [
            (number, start, text[start:end])
            for number, text in enumerate(texts)
            for start, end, tokens in self.tokenizer.windows(text, most, prompt)
            if tokens <= most
        ]
        encoded = self.tokenizer.encode_with_spans([prompt + piece for _, _, piece in pieces])
        found: list[list[TokenStates]] = [[] for _ in texts]

        def receive(rows: list[int], states: NDArray[np.float32]) -> None:
            for row, of_row in zip(rows, states, strict=True):
                (number, start, _), spans = pieces[row], encoded[row][1] - len(prompt)
                found[number].append(TokenStates.of(spans, of_row[: len(spans)], start))

        self._of_tokens.compute([ids for ids, _ in encoded], receive)
        return [TokenStates.joined(some, self.config.dimensions) for some in found]

    def encode(
        self,
        texts: Sequence[str],
        progress: Callable[[int], None] = lambda count: None,
        give_way: Callable[[], None] = lambda: None,
    ) -> NDArray[np.float32]:
        """Vectors of texts as they stand, float32 (texts, dimensions).

        Raises RagError for a text of more tokens than the encoder reads: none is ever cut.
        """
        ids = self.tokenizer.encode(texts)
        for text, tokens in zip(texts, ids, strict=True):
            self._check_length(text, tokens)
        vectors = np.empty((len(texts), self.config.dimensions), dtype=np.float32)
        if not ids:
            return vectors

        def receive(rows: list[int], found: NDArray[np.float32]) -> None:
            vectors[rows] = found
            progress(len(rows))

        self.compute(ids, receive, give_way=give_way)
        return self._scaled(vectors)

    def _check_length(self, text: str, tokens: Sequence[int]) -> None:
        if len(tokens) > self.config.max_tokens:
            raise RagError(
                f"a text of {counted(len(tokens), 'token')} ({text[:40]!r}...) is longer than the {self.config.max_tokens} "
                f"that {self.config.model} reads: shorten it"
            )

    def _scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors, of length 1 where the model gives such."""
        if self.config.normalized:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
        return vectors

    def compute(
        self,
        ids: Sequence[Sequence[int]],
        receive: Callable[[list[int], Any], None],
        types: Sequence[Sequence[int]] | None = None,
        give_way: Callable[[], None] = lambda: None,
        forward: Callable[..., Any] | None = None,
    ) -> None:
        """Hands over the rows of each batch with what the kernel gives, as batches are done; several are computed at once.

        `ids` are the tokens of each text, none longer than the encoder reads, and `types` those of its tokens. `forward` is
        by default that of the kernel, which gives vectors.
        """
        kernel, limit = self.kernel, self.config.max_tokens
        run = forward or kernel.forward
        groups = groups_of_like_length([len(tokens) for tokens in ids], limit, pads=kernel.pads, threads=kernel.threads)

        def compute(rows: list[int]) -> Any:
            give_way()
            padded = pad([ids[row] for row in rows], limit)
            if types is None:
                return run(*padded)
            return run(*padded, pad([types[row] for row in rows], limit)[0])

        workers = min(kernel.threads, len(groups))
        if workers < 2:
            with kernel.limited(kernel.threads):
                for rows in groups:
                    receive(rows, compute(rows))
            return
        side_by_side(compute, groups, receive, workers, lambda: kernel.limited(kernel.threads // workers))


def in_background(name: str, work: Callable[[], object]) -> None:
    """Begins some work in a thread; where it fails, its caller tries again or does without it."""

    def run() -> None:
        with suppress(Exception):
            work()

    # no daemon: the interpreter is not to end in the middle of an import
    Thread(target=run, name=name).start()


def padded_length(length: int, limit: int) -> int:
    """The length a text is padded to; a function of the text alone, so that its vector is one too."""
    return min(-(-length // LENGTH_STEP) * LENGTH_STEP, limit)


def groups_of_like_length(lengths: Sequence[int], limit: int, *, pads: bool, threads: int = 1) -> list[list[int]]:
    """Rows in groups of at most `tokens_per_batch`, longest first; where a kernel pads, all of a group have one length."""
    padded = [padded_length(length, limit) if pads else length for length in lengths]
    room = tokens_per_batch(sum(padded), threads)
    result: list[list[int]] = []
    last, tokens = 0, 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        length = padded[row]
        if not result or tokens + length > room or (pads and length != last):
            result.append([])
            tokens = 0
        result[-1].append(row)
        last, tokens = length, tokens + length
    return result


def tokens_per_batch(total: int, threads: int) -> int:
    """How many tokens a batch has, so that each of some threads gets as many batches as the others.

    >>> [tokens_per_batch(total, 2) for total in (100, 1000, 3000, 100_000)]
    [64, 500, 750, 1021]
    """
    if threads < 2:
        return TOKENS_PER_BATCH
    rounds = max(1, -(-total // (TOKENS_PER_BATCH * threads)))
    return max(LEAST_TOKENS_PER_BATCH, -(-total // (rounds * threads)))


def pad(ids: Sequence[Sequence[int]], limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids filled up with zeros (texts, padded length), and the true lengths (texts,)."""
    lengths = np.array([len(tokens) for tokens in ids], dtype=np.int64)
    padded = np.zeros((len(ids), padded_length(int(lengths.max()), limit)), dtype=np.int64)
    for row, tokens in enumerate(ids):
        padded[row, : len(tokens)] = tokens
    return padded, lengths


def choose_model(settings: Settings, wanted: str | None, collection: Collection | None = None) -> str:
    """The model asked for, else the one in the environment, else the one the store was built with, else the default."""
    return wanted or settings.model or (collection.encoder.model if collection else DEFAULT_MODEL)


def load_encoder(
    settings: Settings,
    model: str = DEFAULT_MODEL,
    *,
    prompts: Prompts = OWN_PROMPTS,
    few_texts: bool = False,
    compute: str | None = None,
    announce: Callable[[str], None] = lambda sentence: None,
) -> Encoder:
    """The int8 encoder of a model, from its checkpoint in the cache; made there first where it is missing.

    `prompts` take the place of the model's own. `compute` is one of `rag.compute.plan.MODES`, the settings' own unless
    given. With `few_texts`, `auto` takes the NumPy kernel unless torch is loaded anyway: for one question it is done before
    torch has been imported. `announce` hears of a conversion, which takes seconds. Raises ModelError where no source has the
    model, or its files are not what they should be, and UsageError for prompts that cannot be used.
    """
    folder = checkpoint_folder(settings, model, announce=announce)
    checkpoint = read_checkpoint(folder)
    check_task(checkpoint.config, None)
    encoder = encoder_of(checkpoint, folder, settings, few_texts=few_texts, compute=compute)
    return replace(encoder, config=with_prompts(encoder.config, prompts, encoder.tokenizer))


def encoder_of(
    checkpoint: Checkpoint, folder: Path, settings: Settings, *, few_texts: bool, compute: str | None
) -> Encoder:
    """The encoder that a checkpoint holds, with the tokenizer beside it; its kernel is made on first use."""
    tokenizer = Tokenizer.from_file(folder / TOKENIZER_FILE, checkpoint.config.max_tokens)
    mode = check_mode(compute or settings.compute)
    # Handed over and not kept: the kernel packs the codes for the CPU, and both would stay in memory.
    given = [checkpoint]

    def make_kernel() -> Kernel:
        kernel = choose_kernel(given[0], mode, settings.cache, few_texts=few_texts)
        given.clear()
        return kernel

    def make_for_many() -> Kernel:
        return choose_kernel(read_checkpoint(folder), mode, settings.cache, few_texts=False)

    return Encoder(checkpoint.config, tokenizer, make_kernel, make_for_many if few_texts else None)


def check_task(config: EncoderConfig, task: str | None) -> None:
    """Raises ModelError for a checkpoint of another kind of model than is wanted, with what it is."""
    if (config.head.task if config.head else None) == task:
        return
    found = config.head.description if config.head else "an encoder, which gives texts vectors"
    wanted = TASKS[task][2] if task else "an encoder, which gives texts vectors"
    raise ModelError(f"{config.model} is {found}; what is needed here is {wanted}")


def load_float_encoder(settings: Settings, encoder: Encoder) -> Encoder:
    """The same model in float32, to measure against; needs its float weights again."""
    from rag.encoder.kernel_float import FloatKernel

    with float_model(encoder.config.float_model or encoder.config.model, offline=settings.offline) as weights:
        kernel = FloatKernel(weights, encoder.config)
    return Encoder(encoder.config, encoder.tokenizer, lambda: kernel)


def choose_kernel(checkpoint: Checkpoint, mode: str, cache: Path, *, few_texts: bool) -> Kernel:
    """The kernel for a task: NumPy for a few texts in a process without torch, torch as the CPU wants it otherwise."""
    if few_texts and mode == "auto" and "torch" not in sys.modules:
        from rag.encoder.kernel_numpy import NumpyKernel

        return NumpyKernel(checkpoint)
    from rag.encoder.kernel_torch import TorchKernel
    from rag.encoder.probe import cached_findings

    return TorchKernel(checkpoint, cached_findings(cache).plan(mode))


def checkpoint_folder(
    settings: Settings,
    model: str,
    *,
    task: str | None = None,
    fetch: bool = False,
    announce: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """The folder with the int8 checkpoint of a model; converted from float weights on first use.

    With a `task` of rag/encoder/heads.py the model has a head that does it.
    """
    folder = cached_checkpoint(settings, model)
    if not is_checkpoint(folder):
        from rag.encoder.convert import quantize_model

        with float_model(model, offline=settings.offline, fetch=fetch) as weights:
            announce(f"quantizing {model} to int8 (once; kept in {folder})")
            checkpoint, tokenizer = quantize_model(weights, task=task)
        if checkpoint.config.tokenizer_warning:
            announce(checkpoint.config.tokenizer_warning)
        write_checkpoint(checkpoint, tokenizer, folder)
    return folder


def cached_checkpoint(settings: Settings, model: str) -> Path:
    """Where the checkpoint of a model is or would be: the folder itself that was named, or one in the cache."""
    given = expand_user(model, "--model")
    return given if is_checkpoint(given) else settings.cache / "models" / encoder_folder_name(given, model)


def encoder_folder_name(given: Path, model: str) -> str:
    """A folder name for a model: its hub id, or for a folder its name and a digest of its files."""
    if not given.is_dir():
        return re.sub(r"[^\w.-]+", "--", model)
    digest = sha256(str(given.resolve()).encode())
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if (given / name).is_file():
            digest.update(file_sha256(given / name).encode())
    return re.sub(r"[^\w.-]+", "-", given.resolve().name) + f"-{digest.hexdigest()[:16]}"
