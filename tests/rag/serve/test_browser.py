"""The page in a real Chromium without a window: what a person sees, with the mouse, the keyboard and a screen reader's eyes.

`make test-page` installs what it needs; where that is missing the tests are skipped.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from language_models import EVENT_STREAM, events, starting_servers
from serving import serving
from support import PATIENCE

from rag.serve.guard import Access
from sql.store import Store
from sql.store.query_log import QueryLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from language_models import Request
    from serving import Running

    from rag.library import Library

selenium = pytest.importorskip("selenium", reason="selenium is not installed: make test-page")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed: make test-page"),
    # The driver's own pipes are closed by a destructor.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
QUESTION = "The cat sat on the mat."  # the encoder of the tests finds what is the same


@dataclass
class Page:
    """The page in a browser."""

    browser: Any
    url: str

    def load(self, view: str = "") -> None:
        """A new page of a new visitor."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.url}/{view}")
        self.until(lambda: self.script("return document.documentElement.dataset.ready === 'yes'"))

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)  # type: ignore[no-any-return]

    def one(self, selector: str) -> Any:
        (found,) = self.all(selector)
        return found

    def script(self, text: str, *arguments: Any) -> Any:
        return self.browser.execute_script(text, *arguments)

    def until(self, holds: Callable[[], Any]) -> None:
        WebDriverWait(self.browser, PATIENCE, poll_frequency=0.05).until(lambda _: holds())

    def ask(self, question: str) -> None:
        """Asks and waits for the answer."""
        before = len(self.all(".turn"))
        self.one("#question").send_keys(question, Keys.ENTER)
        self.until(lambda: len(self.all(".turn")) > before and not self.all(".answer[aria-busy=true]"))

    def click(self, selector: str) -> None:
        """Clicks on the last of these, in the middle of the window, where nothing lies over it."""
        found = self.all(selector)[-1]
        self.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
        found.click()

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def running(page_library: Library, page_documents: Path) -> Iterator[Running]:
    with serving(page_library, page_documents) as one:
        yield one


@pytest.fixture
def page(browser: Any, running: Running) -> Iterator[Page]:
    """The page, loaded; at the end the browser has to have had nothing to complain of."""
    with opened(browser, running.url) as one:
        yield one


@contextmanager
def opened(browser: Any, url: str, *, may_complain: bool = False) -> Iterator[Page]:
    one = Page(browser, url)
    one.resize(1280, 900)
    one.load()
    browser.get_log("browser")
    yield one
    complaints = [entry["message"] for entry in browser.get_log("browser")]
    assert may_complain or complaints == []


# Asking


def test_an_answer_has_its_sources_beside_it_with_the_quotation_marked(page: Page) -> None:
    page.ask(QUESTION)
    assert page.one(".turn h2").text == QUESTION
    assert "The cat sat on the mat." in page.one(".answer").text
    page.until(lambda: page.all(".source .passage mark"))
    assert page.all(".source mark")[0].text == "The cat sat on the mat."
    page.until(lambda: "The dog runs here." in page.all(".source .passage")[0].text)  # what stands around it
    turn, aside = (page.one(f".turn > {part}").rect for part in (".said", "aside"))
    assert turn["x"] + turn["width"] <= aside["x"]
    assert page.one("#status").text.startswith("Answer with ")


def test_a_number_in_the_answer_leads_to_its_source(page: Page) -> None:
    page.ask(QUESTION)
    page.click(".cite")
    number = len(page.all(".cite"))
    focused = page.browser.switch_to.active_element
    assert focused.get_attribute("aria-label").startswith(f"Source {number}: ")
    assert "led" in focused.get_attribute("class")


def test_what_a_document_holds_is_shown_and_never_run(page: Page) -> None:
    page.ask("bird img src onerror script sang")
    page.until(lambda: any("onerror" in one.text for one in page.all(".source .passage")))
    assert "<script>" in page.one(".answer").text
    assert page.all("main img, main script") == []
    assert page.browser.title == "int8-rag: ask your documents"


def test_no_module_could_make_html_if_it_tried(page: Page) -> None:
    assert (
        page.script("try { document.body.innerHTML = '<b>x</b>'; return 'made' } catch (error) { return error.name }")
        == "TypeError"
    )
    page.browser.get_log("browser")  # which tells of it


def test_the_page_of_a_pdf_is_drawn_with_the_quotation_marked(page: Page) -> None:
    page.click("#filters-toggle")
    page.one(".condition .value").send_keys("**/plan.pdf")
    page.ask("the second kiln runs hot")
    assert page.all(".source .place")[0].text.strip() == "· page 2"
    first = page.all(".source")[0]
    next(one for one in first.find_elements(By.CSS_SELECTOR, "button") if one.text == "Show the page").click()
    page.until(lambda: page.all(".source canvas"))
    yellow = """
        const canvas = arguments[0], data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let found = 0;
        for (let at = 0; at < data.length; at += 4) found += data[at] === 255 && data[at + 1] === 235 && data[at + 2] === 80;
        return found;"""
    assert page.script(yellow, page.one(".source canvas")) > 500
    page.click(".source button.page")
    page.until(lambda: page.all("#sheet canvas"))
    assert page.one("#sheet-title").text.endswith("plan.pdf, page 2")
    page.one("#sheet-next").click()
    page.until(lambda: "has pages 1 to 2, not 3" in page.one("#sheet-note").text)
    page.browser.get_log("browser")  # which tells of the status 422
    page.one("#sheet-back").click()
    page.until(lambda: page.one("#sheet-title").text.endswith("plan.pdf, page 1"))
    page.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not page.one("#sheet").is_displayed()


def test_a_filter_narrows_what_is_read_and_stands_below_the_question(page: Page) -> None:
    page.click("#filters-toggle")
    page.one(".condition .value").send_keys("**/dog.txt")
    assert page.one("#filters-toggle").text == "Filters (1)"
    page.ask(QUESTION)
    assert page.one(".narrowed:not(.understood)").text == "Only where source matches **/dog.txt"
    assert {one.text for one in page.all(".source .where strong")} == {"dog.txt"}


def test_what_the_documents_do_not_answer_is_said_to_be_so(page: Page) -> None:
    page.click("#filters-toggle")
    page.one(".condition .value").send_keys("nowhere/**")
    page.ask(QUESTION)
    assert page.one(".nothing").text == "The documents do not answer this."
    assert "fewer filters" in page.one(".below-answer").text
    assert not page.one("aside").is_displayed()


def test_what_a_language_model_writes_is_shown_as_it_comes_and_can_be_stopped(
    browser: Any, page_library: Library, page_documents: Path
) -> None:
    gate = threading.Event()

    def write_slowly(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", EVENT_STREAM["Content-Type"])
        request.end_headers()
        request.wfile.write(events(["The cat sat on the mat [1]. ", "The dog"], finish=None, done=False))
        request.wfile.flush()
        gate.wait(PATIENCE)
        request.wfile.write(events([" runs here [1]."]))

    with starting_servers() as start:
        written = replace(page_library, llm=f"openai:{start(write_slowly).spec}", _encoder=page_library.encoder)
        with serving(written, page_documents) as running, opened(browser, running.url) as page:
            page.one("#question").send_keys(QUESTION, Keys.ENTER)
            page.until(lambda: "The cat sat on the mat" in page.one(".answer").text)
            assert page.one(".answer").get_attribute("aria-busy") == "true"
            page.one("#stop").click()
            page.until(lambda: page.all(".below-answer .note"))
            assert page.one(".below-answer .note").text == "Stopped. The answer above is incomplete."
            assert page.one("#send").is_displayed()
            gate.set()
            page.click(".below-answer button")
            page.until(lambda: page.all(".figures"))
            assert "The dog runs here" in page.one(".answer").text
            assert "written by m" in page.one(".figures").text


def test_what_cannot_be_asked_is_told_in_the_servers_sentence(page: Page) -> None:
    page.click("#filters-toggle")
    page.one(".condition .name").clear()
    page.one(".condition .name").send_keys("$bad")
    page.one(".condition .value").send_keys("x")
    page.ask(QUESTION)
    assert "$bad is in the place of a name" in page.one(".below-answer .note").text
    page.browser.get_log("browser")  # which tells of the status 422


def test_why_an_answer_came_out_so_stands_below_it(page: Page) -> None:
    page.ask(QUESTION)
    page.click("details summary")
    assert len(page.all("details tbody tr")) == 5
    assert [one.text for one in page.all("details th")] == ["Passage", "Score", "Meaning", "Words"]


def test_a_question_may_lean_on_the_one_before(page: Page) -> None:
    page.ask("Where sat the cat?")
    page.ask("And the dog?")
    assert page.all(".understood")[-1].text == "Understood as: Where sat the dog?"
    assert not page.all(".understood")[0].is_displayed()
    page.click("#fresh")
    assert page.all(".turn") == []
    page.ask("And the dog?")
    assert not page.one(".understood").is_displayed()


# Other views


def test_the_store_is_shown_with_its_bytes_and_documents(page: Page) -> None:
    page.click("nav a[href='#store']")
    page.until(lambda: "plan.pdf" in page.one("#store-body").text)
    assert page.all(".tiles > div")[0].text.split() == ["documents", "5"]
    assert page.all("nav a[aria-current=page]")[0].text == "Store"
    labels = [one.get_attribute("aria-label") for one in page.all("#store-body svg")]
    assert any("of the 32 of float32" in label for label in labels)


def test_the_ladder_is_measured_when_the_button_is_pressed_and_drawn(page: Page) -> None:
    page.load("#measure")
    page.until(lambda: page.all("#measure-body form"))
    assert page.all("#measure-body svg") == []
    page.all("#measure-body button")[0].click()
    page.until(lambda: page.all("#measure-body svg circle"))
    assert [row.text.split()[0] for row in page.all("#measure-body tbody tr")] == ["signs", "4", "8"]
    page.all("#measure-body button.primary")[1].click()
    page.until(lambda: page.all("#measure-body .note"))
    assert "keeps no float32 vectors" in page.one("#measure-body .note").text
    page.browser.get_log("browser")  # which tells of the status 503


def test_the_log_says_that_nothing_is_kept_or_why_each_answer_was_given(
    browser: Any, page_library: Library, page_documents: Path
) -> None:
    for kept in (False, True):
        with (
            closing(QueryLog(page_library.store)) as log,
            serving(
                replace(page_library, log=log if kept else None, _encoder=page_library.encoder), page_documents
            ) as running,
            opened(browser, running.url) as page,
        ):
            page.ask(QUESTION)
            page.click("nav a[href='#log']")
            page.until(lambda: page.all("#log-body > *"))
            assert bool(page.all("#log-body .note")) == (not kept)
            if kept:
                assert page.all(".log h2")[0].text == QUESTION
                page.all(".log summary")[0].click()
                page.until(lambda: page.all(".log tbody tr"))
                assert len(page.all(".log tbody tr")) == 5


# People


def test_the_page_can_be_used_without_a_mouse(page: Page) -> None:
    page.browser.switch_to.active_element.send_keys(QUESTION, Keys.ENTER)  # the question has the focus
    page.until(lambda: page.all(".source"))
    assert page.browser.switch_to.active_element.get_attribute("id") == "question"
    page.script("document.querySelector('.skip').focus()")
    names = []
    for _ in range(5):
        page.browser.switch_to.active_element.send_keys(Keys.TAB)
        names.append(page.browser.switch_to.active_element.accessible_name)
    assert names == ["Ask", "Store", "Measure", "Log", "Source 1"]
    outline = page.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_every_control_and_landmark_has_a_name(page: Page) -> None:
    page.ask(QUESTION)
    page.click("#filters-toggle")
    controls = [one for one in page.all("button, input, select, textarea, a, summary") if one.is_displayed()]
    assert len(controls) > 12
    assert [one.get_attribute("outerHTML") for one in controls if not one.accessible_name] == []
    roles = [one.aria_role for one in page.all("header, nav, main, aside")]
    assert roles == ["banner", "navigation", "main", "complementary"]
    assert page.one(".answer").get_attribute("aria-live") == "polite"
    assert page.script("return document.documentElement.lang") == "en"


CONTRAST = """
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = rgba(getComputedStyle(at).backgroundColor);
        if (colour[3] > 200) return colour;
      }
      return [255, 255, 255, 255];
    };
    const worst = [];
    for (const element of document.querySelectorAll("body *")) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (!own || !element.checkVisibility() || element.closest("svg, .unseen, noscript, :disabled")) continue;
      const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < 4.5) worst.push([element.className || element.tagName, ratio.toFixed(2)]);
    }
    return worst;"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(page: Page, dark: bool) -> None:
    page.resize(1280, 900, dark=dark)
    page.ask(QUESTION)
    page.click("#filters-toggle")
    page.click("details summary")
    assert page.script(CONTRAST) == []
    page.click("nav a[href='#store']")
    page.until(lambda: len(page.all("#store-body tbody tr")) > 5)
    assert page.script(CONTRAST) == []
    dark_paper = page.script("return getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, dark_paper[4:-1].split(","))) < 120) == dark


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(page: Page, width: int) -> None:
    page.resize(width, 760)
    for view in ("#ask", "#store", "#measure", "#log"):
        page.load(view)
        if view == "#ask":
            page.ask(QUESTION)
            page.click("#filters-toggle")
        page.until(lambda: not page.all("#store-body > .muted"))
        assert page.script("return document.documentElement.scrollWidth") <= width, view


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    page.ask(QUESTION)
    page.click("nav a[href='#store']")
    page.until(lambda: page.all("#store-body tbody tr"))
    names = page.script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(names) > 8
    assert [name for name in names if not name.startswith(page.url)] == []


# When something is not there


def test_a_token_is_asked_for_once_and_kept_until_the_tab_is_closed(
    browser: Any, page_library: Library, page_documents: Path
) -> None:
    with (
        serving(page_library, page_documents, Access(token="secret")) as running,  # noqa: S106
        opened(browser, running.url, may_complain=True) as page,
    ):
        field = page.one("#token-field")
        for given, asked_again in (("wrong", True), ("secret", False)):
            page.until(field.is_displayed)
            field.send_keys(given, Keys.ENTER)
            if asked_again:
                page.until(lambda: "not the right one" in page.one("#token-text").text)
        page.until(lambda: "5 documents" in page.one("#holding").text)
        page.load()
        page.until(lambda: "5 documents" in page.one("#holding").text)
        assert not page.one("#token").is_displayed()
        page.ask(QUESTION)
        assert page.all(".source")
        page.script("sessionStorage.clear()")


def test_a_server_that_has_gone_is_said_to_be_gone_and_to_be_back(
    browser: Any, page_library: Library, page_documents: Path
) -> None:
    with serving(page_library, page_documents) as running, opened(browser, running.url, may_complain=True) as page:
        page.ask(QUESTION)
        answer = page.one(".answer").text
        page.browser.set_network_conditions(offline=True, latency=0, throughput=0)
        page.ask("who runs here")
        assert "The server does not answer." in page.one("#gone").text
        assert "cannot be reached" in page.all(".below-answer .note")[-1].text
        assert page.all(".answer")[0].text == answer  # what was there stays
        page.browser.delete_network_conditions()
        page.until(lambda: not page.one("#gone").is_displayed())
        page.click(".below-answer button")
        page.until(lambda: len(page.all("aside .sources:not(:empty)")) == 2)


def test_only_the_view_that_is_shown_is_loaded(page: Page) -> None:
    kinds = page.script("return performance.getEntriesByType('resource').map((entry) => entry.name.split('/').pop())")
    assert {"ask.mjs", "sources.mjs"} <= set(kinds)
    assert not {"store.mjs", "plots.mjs", "measure.mjs", "log.mjs"} & set(kinds)


def test_an_empty_store_says_how_to_fill_it(page: Page, page_library: Library) -> None:
    with Store.open(
        str(page_library.store.client.location), write=True
    ) as store:  # the last test: nothing is left after it
        store.writer.publish([], page_library.documents())
    page.load()
    page.until(lambda: "The store is empty" in page.one("#holding").text)
    assert page.one("#holding code").text == "int8-rag-ingest FOLDER"
    page.click("nav a[href='#store']")
    page.until(lambda: "The store is empty" in page.one("#store-body").text)
