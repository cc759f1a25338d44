"""A prompt in, the text of a language model with int8 weights out, computed in this process.

One of the doors to transformers, for the tokenizer, the chat template and the loop that generates.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rag.answer.models.language_model import language_model_checkpoint, load_torch_module, read_tokenizer
from rag.compute.torch_door import torch
from sql.base.errors import ModelError, one_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from rag.answer.prompt import Prompt
    from sql.base.settings import Settings

DEFAULT_CONTEXT = 2048  # tokens, for a model that does not say
SHORTEST_CONTROL = 3  # characters: a shorter special token is no word that a document would hold by design


class LocalModel:
    """A causal language model of transformers whose Linear layers and embeddings are int8."""

    def __init__(self, settings: Settings, name: str, announce: Callable[[str], None] = lambda sentence: None) -> None:
        """The model of a folder or a hub id; quantized on first use, which `announce` hears of."""
        self.name = name
        folder = language_model_checkpoint(settings, name, announce)
        self.module = load_torch_module(folder)
        rows = self.module.get_input_embeddings().num_embeddings
        self.tokenizer = read_tokenizer(folder, rows)
        special = {*self.tokenizer.all_special_tokens, *added_controls(self.tokenizer)}
        self.controls = tuple(sorted(token for token in special if len(token.strip()) >= SHORTEST_CONTROL))
        self.context: int | None = context_length(self.module.config)
        named = (settings_of_generation(folder), self.module.config.eos_token_id, self.tokenizer.eos_token_id)
        self.ends = end_tokens(named, rows)

    def count_tokens(self, prompt: Prompt) -> int:
        """How many tokens a prompt has in the model's chat template."""
        return int(self.tokens(prompt).shape[1])

    def write(self, prompt: Prompt, max_tokens: int, say: Callable[[str], None]) -> bool:
        """Says the likeliest continuation word by word, without the tokens that only structure the conversation.

        Returns whether it came to an end before the limit.
        """
        from transformers import GenerationConfig, TextStreamer

        class Words(TextStreamer):  # type: ignore[misc]
            def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: ARG002
                if text:
                    say(text)

        ids = self.tokens(prompt)
        plan = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_tokens,
            eos_token_id=self.ends or None,
            pad_token_id=self.ends[0] if self.ends else 0,
            bos_token_id=self.tokenizer.bos_token_id,
        )
        words = Words(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        with torch.inference_mode():
            written = self.module.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=plan, streamer=words
            )
        return int(written.shape[1] - ids.shape[1]) < max_tokens or int(written[0, -1]) in self.ends

    def tokens(self, prompt: Prompt) -> torch.Tensor:
        """A prompt's token ids, int64 (1, tokens): in the model's chat template where it has one."""
        if not self.tokenizer.chat_template:
            text = f"{prompt.system}\n\n{prompt.user}\n\nAnswer:"
            return torch.tensor([self.tokenizer(text, verbose=False)["input_ids"]])
        text = chat_text(self.tokenizer, prompt)
        # The template has written the special tokens already.
        return torch.tensor([self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]])


def chat_text(tokenizer: Any, prompt: Prompt) -> str:
    """The prompt in the model's chat template; without a system's turn where the template refuses one."""
    system, user = {"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}
    together = {"role": "user", "content": f"{prompt.system}\n\n{prompt.user}"}
    problem: Exception | None = None
    for messages in ([system, user], [together]):
        try:
            # A template is a program of the model's, which transformers runs in a sandbox.
            return str(
                tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
                )
            )
        except Exception as error:  # whatever a template raises
            problem = error
    raise ModelError(f"the model's chat template fails: {one_reason(problem or ValueError())}") from problem


def added_controls(tokenizer: Any) -> set[str]:
    """Special tokens that were added to the vocabulary and have no role of their own, such as those of chat turns."""
    return {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}


def context_length(config: Any) -> int:
    """The longest conversation, in tokens, that a model was made for."""
    length = getattr(config, "max_position_embeddings", None)
    return length if isinstance(length, int) and length > 0 else DEFAULT_CONTEXT


def settings_of_generation(folder: Path) -> Any:
    """The end tokens in a model's generation_config.json, which may name more than its config; None without one."""
    try:
        settings = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
        return settings.get("eos_token_id")
    except (OSError, ValueError, AttributeError):
        return None


def end_tokens(named: Iterable[Any], rows: int) -> list[int]:
    """The tokens that end an answer: numbers and lists of numbers, each once, as far as the model has rows for them."""
    found: list[Any] = []
    for ids in named:
        found += ids if isinstance(ids, list) else [ids]
    return sorted({number for number in found if isinstance(number, int) and 0 <= number < rows})
