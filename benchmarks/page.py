"""How soon the page of a server can be used after a cold start of the browser, and how soon a streamed answer begins.

    python -m rag serve &
    python benchmarks/page.py --url http://127.0.0.1:8000

Each round starts Chromium with a new profile and loads the page: milliseconds from the navigation until its parts are there,
and until a question can be typed. Then the question is asked over and over in the last browser: milliseconds until the first
byte of the answer, the passages, and until the first piece of its text. It needs the extra `browser`, Chromium, and its driver.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
LOADED = """
    const done = arguments[0];
    const tell = () => {
      const ready = performance.getEntriesByName("ready")[0];
      if (!ready) return setTimeout(tell, 5);
      done([performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd, ready.startTime]);
    };
    tell();"""
ASKED = """
    const [question, token, done] = arguments, began = performance.now();
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const body = JSON.stringify({ question, stream: true });
    fetch("/v1/ask", { method: "POST", headers, body }).then(async (reply) => {
      const reader = reply.body.getReader(), decoder = new TextDecoder();
      let first = null, piece = null, text = "";
      for (;;) {
        const { done: ended, value } = await reader.read();
        if (ended) return done([first, piece]);
        first ??= performance.now() - began;
        text += decoder.decode(value, { stream: true });
        if (text.includes("event: token")) piece ??= performance.now() - began;
      }
    });"""


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium that nobody has used before."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory(prefix="int8-rag-page-", ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        started = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or ""))
        try:
            yield started
        finally:
            started.quit()


def show(name: str, times: Sequence[float]) -> None:
    """A line of the least, the middle and the greatest."""
    print(f"{name:34}{min(times):8.0f}{statistics.median(times):8.0f}{max(times):8.0f} ms")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default="", help="that the server wants")
    parser.add_argument("--rounds", type=int, default=5, help="cold starts (5)")
    parser.add_argument("--questions", type=int, default=30, help="times that the question is asked (30)")
    parser.add_argument("--question", default="How many bytes does one stored vector take?")
    options = parser.parse_args()
    parts, usable, asked = [], [], []
    for number in range(options.rounds):
        with browser() as one:
            one.get(options.url)
            loaded, ready = one.execute_async_script(LOADED)
            parts.append(loaded)
            usable.append(ready)
            if number == options.rounds - 1:
                for _ in range(options.questions + 3):
                    asked.append(one.execute_async_script(ASKED, options.question, options.token))
    warm = asked[3:]
    print(f"{'':34}{'least':>8}{'middle':>8}{'most':>8}")
    show("page: parts are there", parts)
    show("page: a question can be typed", usable)
    show("answer: first byte", [first for first, _ in warm])
    quoted = [piece for _, piece in warm if piece is not None]
    if quoted:
        show("answer: first piece of its text", quoted)


if __name__ == "__main__":
    main()
