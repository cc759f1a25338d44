"""A prompt in, the text of a served language model out: any server that speaks OpenAI's chat completions.

llama.cpp's server, Ollama, vLLM, LM Studio and OpenAI itself do. The one door to HTTP. One request a question, never
repeated; bounded in time and size; the key is sent to that server alone and stands in no message. The reply is a stream
of server-sent events; a server that sends it in one piece is understood too, and a stream without an end is an error.
"""

from __future__ import annotations

import json
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.answer.prompt import COMMON_CONTROLS, estimated_tokens
from sql.base.errors import RagError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rag.answer.prompt import Prompt

SECONDS = 300.0  # for a whole answer: a CPU writes a few tokens a second
CONNECT_SECONDS = 5.0
LARGEST_REPLY = 2_000_000  # bytes; an event of one token has about 250
CUT_SHORT = {"length", "content_filter"}  # reasons to finish that leave an answer without its end
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
    context: int | None = None  # a server does not say, and refuses or cuts what is too long

    def __init__(self, served: str, key: str | None = None, seconds: float = SECONDS) -> None:
        """`served` is MODEL@URL; `seconds` the time a whole answer may take. Raises UsageError for what is neither."""
        self.model, self.url = parse_served(served)
        self.name = f"{self.model} at {self.url}"
        self._key, self.seconds = key, seconds
        if key and not self.url.startswith("https://") and not is_here(self.url):
            raise UsageError(
                f"the key in RAG_LLM_KEY would be sent unencrypted to {self.url}: use an https:// URL, or unset the key"
            )

    def count_tokens(self, prompt: Prompt) -> int:
        """An estimate: the server's tokenizer is not here."""
        return estimated_tokens(prompt)

    def write(self, prompt: Prompt, max_tokens: int, say: Callable[[str], None]) -> bool:
        """Says the first choice's text as it comes; whether it came to its end by itself.

        Raises RagError, with one sentence, for everything that can go wrong on the way.
        """
        import httpx2

        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
        }
        said = 0

        def say_and_count(piece: str) -> None:
            nonlocal said
            said += len(piece)
            say(piece)

        try:
            return self.post(body, say_and_count)
        except httpx2.TimeoutException as error:
            what = f"did not end its answer within {self.seconds:g} seconds"
            if not said:
                what = f"did not answer within {self.seconds:g} seconds"
            raise self.failed(what, "use a smaller --max-tokens") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            if said:
                raise self.broken_off(said, str(error)) from error
            raise self.failed(f"cannot be reached ({error})", "start the server, or mend the URL") from error
        except UnfinishedError as error:
            raise self.broken_off(said, str(error)) from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self.failed(
                "answered with something other than a chat completion", "check that the URL is that of its OpenAI API"
            ) from error

    def post(self, body: dict[str, Any], say: Callable[[str], None]) -> bool:
        """Sends one request and says what the reply brings; no redirect is followed."""
        import httpx2

        deadline = time.monotonic() + self.seconds
        timeout = httpx2.Timeout(self.seconds, connect=min(CONNECT_SECONDS, self.seconds))
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}

        def bounded(reply: httpx2.Response) -> Iterator[bytes]:
            size = 0
            for piece in reply.iter_bytes():
                size += len(piece)
                if size > LARGEST_REPLY:
                    raise self.failed(f"sent more than {LARGEST_REPLY:,} bytes", "use a smaller --max-tokens")
                if time.monotonic() > deadline:  # a byte now and then keeps every single read within its time
                    raise httpx2.ReadTimeout("the whole answer took too long")
                yield piece

        # A server on this machine is never asked for through a proxy.
        with (
            httpx2.Client(timeout=timeout, follow_redirects=False, trust_env=not is_here(self.url)) as client,
            client.stream("POST", f"{self.url}/chat/completions", json=body, headers=headers) as reply,
        ):
            if reply.status_code != 200:
                reason = refusal(b"".join(bounded(reply)))
                raise self.failed(
                    f"answered with status {reply.status_code}" + (f" ({reason})" if reason else ""),
                    STATUS_REMEDIES.get(reply.status_code, "see the server's log"),
                )
            if reply.headers.get("Content-Type", "").startswith("text/event-stream"):
                return say_events(bounded(reply), say)
            text, is_whole = written_text(b"".join(bounded(reply)))
            say(text)
            return is_whole

    def broken_off(self, said: int, why: str) -> RagError:
        """The error for an answer that has a beginning and no end."""
        return self.failed(
            f"broke off its answer after {said:,} characters ({why})", "ask again, or see the server's log"
        )

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


def written_text(content: bytes) -> tuple[str, bool]:
    """The text in a chat completion, and whether it has its end; ValueError, LookupError or TypeError where it is none."""
    choice = json.loads(content)["choices"][0]
    text = choice["message"]["content"]
    if text is None:  # a refusal, or a model that only thought
        text = ""
    if not isinstance(text, str):
        raise TypeError(f"the content is a {type(text).__name__}")
    return text, choice.get("finish_reason") not in CUT_SHORT


class UnfinishedError(Exception):
    """A stream of events ended before the answer did."""


def say_events(content: Iterator[bytes], say: Callable[[str], None]) -> bool:
    """Says the text of a stream of chunks of a completion; whether it has its end.

    Raises UnfinishedError where the stream ends without one or brings an error, ValueError, LookupError or TypeError for
    events of another kind.
    """
    finished = None
    for data in event_data(content):
        if data == b"[DONE]":
            return finished not in CUT_SHORT
        chunk = json.loads(data)
        if chunk.get("error"):
            raise UnfinishedError(refusal(data))
        for choice in chunk["choices"][:1]:  # none in an event that counts tokens
            text = choice["delta"].get("content")
            if text is not None and not isinstance(text, str):
                raise TypeError(f"the content is a {type(text).__name__}")
            if text:
                say(text)
            finished = choice.get("finish_reason") or finished
    if finished is None:
        raise UnfinishedError("the connection ended")
    return finished not in CUT_SHORT


def event_data(content: Iterator[bytes]) -> Iterator[bytes]:
    """The data of server-sent events, each of one line, as these servers send them."""
    rest = b""
    for piece in content:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[len(b"data:") :].strip()
    if rest.startswith(b"data:"):
        yield rest[len(b"data:") :].strip()


def refusal(content: bytes) -> str:
    """What a server says about a request it refused, the beginning of it; empty where it says nothing readable."""
    try:
        error = json.loads(content)["error"]
        said = error["message"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError, RecursionError):
        said = content[:1000].decode("utf-8", "replace")
    return " ".join(str(said).split())[:200]
