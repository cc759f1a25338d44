"""What int8 weights change for a local language model: memory, seconds for a prompt, tokens a second, distance to float32.

The model is made at random with the architecture of a small Llama, so nothing is downloaded, and nothing is said about
the quality of answers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=576, help="width of the model (default %(default)s)")
    parser.add_argument("--layers", type=int, default=16, help="layers (default %(default)s)")
    parser.add_argument("--vocabulary", type=int, default=32_000, help="tokens of the vocabulary (default %(default)s)")
    parser.add_argument("--prompt", type=int, default=1024, help="tokens of the prompt (default %(default)s)")
    parser.add_argument("--tokens", type=int, default=32, help="tokens to generate (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts (default %(default)s)")
    parser.add_argument("--checking", action="store_true", help="measure only what the check of a stream costs")
    options = parser.parse_args()
    if options.checking:
        measure_checking(options.rounds)
        return

    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from rag.answer.models.language_model import load_torch_module, quantize_language_model

    torch.manual_seed(0)
    plain = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=options.vocabulary,
            hidden_size=options.hidden,
            intermediate_size=8 * options.hidden // 3 // 64 * 64,
            num_hidden_layers=options.layers,
            num_attention_heads=options.hidden // 64,
            num_key_value_heads=options.hidden // 64,
            max_position_embeddings=8192,
            eos_token_id=None,
            bos_token_id=None,
        )
    ).eval()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        plain.save_pretrained(folder / "float")
        PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0}, []))).save_pretrained(folder / "float")
        began = time.perf_counter()
        quantize_language_model(folder / "float", folder / "int8")
        quantizing = time.perf_counter() - began
        began = time.perf_counter()
        quantized = load_torch_module(folder / "int8")
        loading = time.perf_counter() - began
        size = {kind: megabytes(folder / kind) for kind in ("float", "int8")}
    ids = torch.randint(0, options.vocabulary, (1, options.prompt))
    print(f"{sum(p.numel() for p in plain.parameters()) / 1e6:.0f} million weights, quantized in {quantizing:.1f} s")
    print(f"the int8 checkpoint is read in {loading:.1f} s; {torch.get_num_threads()} threads")
    print(f"{'':10}{'on disk':>10}{'prompt':>10}{'then':>14}")
    prompts: dict[str, list[float]] = {"float": [], "int8": []}
    wholes: dict[str, list[float]] = {"float": [], "int8": []}
    for _ in range(options.rounds):
        for kind, model in (("float", plain), ("int8", quantized)):
            prompts[kind].append(seconds(lambda model=model: generate(model, ids, 1)))
            wholes[kind].append(seconds(lambda model=model: generate(model, ids, 1 + options.tokens)))
    for kind in ("float", "int8"):
        rate = options.tokens / (min(wholes[kind]) - min(prompts[kind]))
        print(f"{kind:10}{size[kind]:7.0f} MB{min(prompts[kind]):8.2f} s{rate:10.1f} t/s")
    with torch.inference_mode():
        logits = [model(input_ids=ids[:, :256]).logits[0] for model in (plain, quantized)]
    cosine = torch.nn.functional.cosine_similarity(*logits, dim=1)
    same = (logits[0].argmax(1) == logits[1].argmax(1)).float().mean()
    print(
        f"logits to float32: cosine mean {cosine.mean():.5f}, least {cosine.min():.5f}; the same first token {same:.1%}"
    )


def megabytes(folder: Path) -> float:
    """The weights of a folder in MB of 1,000,000 bytes."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6


def generate(model: Any, ids: Any, tokens: int) -> None:
    """The likeliest continuation, of exactly so many tokens."""
    import torch

    with torch.inference_mode():
        model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, pad_token_id=0
        )


def seconds(work: Callable[[], None]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure_checking(rounds: int) -> None:
    """Prints the processor time of checking answers of several lengths as they come, a word a piece, and at their end."""
    from uuid import UUID

    from rag.answer.check import check_answer
    from rag.answer.unfolding import Unfolding
    from sql.records import Hit

    sentence = "The kiln number {0} is fired at {0} degrees, and its door stays shut until the next morning. "
    texts = ["".join(sentence.format(1000 + 10 * number + part) for part in range(10)) for number in range(5)]
    hits = [Hit("k.md", "K", "K", 0, len(text), 1, 0, text, UUID(int=1), 0, 0.5) for text in texts]
    said = "".join(f"{sentence.format(1000 + part).strip()} [{part // 10 % 5 + 1}] " for part in range(50))
    for words in (64, 128, 256, 512, 1024):
        pieces = [f"{word} " for word in (said * 3).split()[:words]]
        streamed, whole = [], []
        for _ in range(rounds):
            unfolding, began = Unfolding("m", hits), time.process_time()
            for piece in pieces:
                unfolding.more(piece)
            streamed.append((time.process_time() - began) / words)
            began = time.process_time()
            check_answer("m", "q", "".join(pieces), hits)
            whole.append(time.process_time() - began)
        print(f"{words:5} words: {1000 * min(streamed):.2f} ms a word, {1000 * min(whole):.1f} ms for all at the end")


if __name__ == "__main__":
    main()
