"""A prompt in, the text of a served language model out: any server that speaks OpenAI's chat completions.

llama.cpp's server, Ollama, vLLM, LM Studio and OpenAI itself do. The one door to HTTP. One request a question, never
repeated; bounded in time and size; the key is sent to that server alone and stands in no message.
"""

from __future__ import annotations

import json
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.answer.prompt import COMMON_CONTROLS
from sql.base.errors import RagError, UsageError

if TYPE_CHECKING:
    from rag.answer.prompt import Prompt

SECONDS = 300.0  # for a whole answer: a CPU writes a few tokens a second
CONNECT_SECONDS = 5.0
LARGEST_REPLY = 2_000_000  # bytes
FORM = "give openai:MODEL@URL, for example openai:qwen3@http://127.0.0.1:11434/v1"
STATUS_REMEDIES = {
    401: "put the key that it wants into RAG_LLM_KEY",
    403: "put the key that it wants into RAG_LLM_KEY",
    404: "check the model's name, and that the URL ends as the server's manual says, mostly with /v1",
    429: "wait a while, it has too much to do",
}


class ServedModel:
    """A language model behind a URL."""

    controls = COMMON_CONTROLS

    def __init__(self, served: str, key: str | None = None, seconds: float = SECONDS) -> None:
        """`served` is MODEL@URL; `seconds` the time a whole answer may take. Raises UsageError for what is neither."""
        self.model, self.url = parse_served(served)
        self.name = f"{self.model} at {self.url}"
        self._key, self.seconds = key, seconds
        if key and not self.url.startswith("https://") and not is_here(self.url):
            raise UsageError(
                f"the key in RAG_LLM_KEY would be sent unencrypted to {self.url}: use an https:// URL, or unset the key"
            )

    def fits(self, prompt: Prompt, max_tokens: int) -> bool:  # noqa: ARG002
        """True: a server does not say how long its context is, and refuses what is too long."""
        return True

    def complete(self, prompt: Prompt, max_tokens: int) -> str:
        """The first choice's text; raises RagError, with one sentence, for everything that can go wrong on the way."""
        import httpx2

        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": False,
        }
        try:
            status, content = self.post(body)
        except httpx2.TimeoutException as error:
            raise self.failed(
                f"did not answer within {self.seconds:g} seconds", "use a smaller --max-tokens"
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self.failed(f"cannot be reached ({error})", "start the server, or mend the URL") from error
        if status != 200:
            reason = refusal(content)
            raise self.failed(
                f"answered with status {status}" + (f" ({reason})" if reason else ""),
                STATUS_REMEDIES.get(status, "see the server's log"),
            )
        try:
            return written_text(content)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self.failed(
                "answered with something other than a chat completion", "check that the URL is that of its OpenAI API"
            ) from error

    def post(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and content of the reply to one request; no redirect is followed."""
        import httpx2

        deadline = time.monotonic() + self.seconds
        timeout = httpx2.Timeout(self.seconds, connect=min(CONNECT_SECONDS, self.seconds))
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # A server on this machine is never asked for through a proxy.
        with (
            httpx2.Client(timeout=timeout, follow_redirects=False, trust_env=not is_here(self.url)) as client,
            client.stream("POST", f"{self.url}/chat/completions", json=body, headers=headers) as reply,
        ):
            content = bytearray()
            for piece in reply.iter_bytes():
                content += piece
                if len(content) > LARGEST_REPLY:
                    raise self.failed(f"sent more than {LARGEST_REPLY:,} bytes", "use a smaller --max-tokens")
                if time.monotonic() > deadline:  # a byte now and then keeps every single read within its time
                    raise httpx2.ReadTimeout("the whole answer took too long")
        return reply.status_code, bytes(content)

    def failed(self, what: str, remedy: str) -> RagError:
        """The error for a request, without the key, which a server may well repeat."""
        sentence = f"the language model {self.name} {what}: {remedy}"
        return RagError(sentence.replace(self._key, "***") if self._key else sentence)


def parse_served(served: str) -> tuple[str, str]:
    """Model and URL of MODEL@URL; UsageError where one is missing or the URL holds a password.

    >>> parse_served("qwen3:8b@http://127.0.0.1:11434/v1/")
    ('qwen3:8b', 'http://127.0.0.1:11434/v1')
    """
    model, _, url = served.rpartition("@http")
    if not model.strip():
        raise UsageError(f"--llm openai:{served.split('@')[0]}...: {FORM}" if served else f"--llm openai: {FORM}")
    url = f"http{url}".rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"--llm openai:{model}@...: the part after @ is not a URL; {FORM}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"--llm openai:{model}@...: a URL here holds no user, password or query; RAG_LLM_KEY holds a key"
        )
    return model.strip(), url


def is_here(url: str) -> bool:
    """Whether a URL leads to this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def written_text(content: bytes) -> str:
    """The text in a chat completion; ValueError, LookupError or TypeError where it is none."""
    text = json.loads(content)["choices"][0]["message"]["content"]
    if text is None:  # a refusal, or a model that only thought
        return ""
    if not isinstance(text, str):
        raise TypeError(f"the content is a {type(text).__name__}")
    return text


def refusal(content: bytes) -> str:
    """What a server says about a request it refused, the beginning of it; empty where it says nothing readable."""
    try:
        error = json.loads(content)["error"]
        said = error["message"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError, RecursionError):
        said = content[:1000].decode("utf-8", "replace")
    return " ".join(str(said).split())[:200]
