"""Chat models of LangChain by the name of their package: real classes of packages that the tests write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from language_models import EVENT_STREAM, complete, events

from rag.answer.models.chat_model import ChatModel, parse_chat_model
from rag.answer.models.choice import check_spec, load_language_model
from rag.answer.prompt import Prompt
from sql.base.errors import ModelError, RagError, UsageError
from sql.base.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

PROMPT = Prompt("Be brief.", "When is the wood cut?")
HEAD = """
from typing import Any
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.outputs import ChatGeneration
from pydantic import Field, SecretStr
SEEN = []
"""
ONE = """
class ChatOne(BaseChatModel):
    model_name: str = Field(alias="model")
    temperature: float = 1.0
    num_predict: int = 8
    num_ctx: int | None = None
    api_key: SecretStr = SecretStr("sk-very-secret")
    def _llm_type(self): return "one"
    _llm_type = property(_llm_type)
    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        SEEN.append((self, messages))
        raise AssertionError("it is streamed")
    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        SEEN.append((self, messages))
        words = ["In ", "February", " [1]."]
        for word in words:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
            if self.model_name == "broken":
                raise ValueError("the key sk-very-secret is used up")
        reason = {"finish_reason": "length"} if self.model_name == "short" else {"finish_reason": "stop"}
        yield ChatGenerationChunk(message=AIMessageChunk(content="", response_metadata=reason))
"""
TWO = (
    ONE
    + """
class ChatTwo(ChatOne):
    pass
__all__ = ["ChatOne", "ChatTwo"]
"""
)
STRICT = """
class ChatStrict(BaseChatModel):
    model: str
    needed: str
    def _llm_type(self): return "strict"
    _llm_type = property(_llm_type)
    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return ChatResult(generations=[])
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a package that can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, content: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(content)

    return write


def test_the_one_chat_model_of_a_package_answers_by_its_name(package: Callable[[str, str], None]) -> None:
    package("langchain_first", HEAD + ONE)
    model = load_language_model(Settings(".rag", None, Path(), True), "langchain:langchain_first:llama3:8b")
    assert model.name == "llama3:8b of langchain_first"
    said: list[str] = []
    assert model.write(PROMPT, 77, said.append)
    assert said == ["In ", "February", " [1]."]
    import langchain_first  # type: ignore[import-not-found]

    ((made, messages),) = langchain_first.SEEN
    assert (made.model_name, made.temperature, made.num_predict) == ("llama3:8b", 0, 77)
    assert [(type(one).__name__, one.content) for one in messages] == [
        ("SystemMessage", "Be brief."),
        ("HumanMessage", "When is the wood cut?"),
    ]


def test_of_several_one_is_named_and_the_error_lists_them(package: Callable[[str, str], None]) -> None:
    package("langchain_second", HEAD + TWO)
    with pytest.raises(
        ModelError, match=r"2 chat models.*langchain:langchain_second.ChatOne:MODEL, langchain:"
    ) as error:
        ChatModel("langchain_second:m")
    assert "\n" not in str(error.value)
    assert complete(ChatModel("langchain_second.ChatTwo:m"), PROMPT, 5) == "In February [1]."
    with pytest.raises(ModelError, match="has no chat model ChatThree: there are"):
        ChatModel("langchain_second.ChatThree:m")


def test_a_package_that_is_missing_is_named_as_pip_knows_it(package: Callable[[str, str], None]) -> None:
    with pytest.raises(
        ModelError, match=r"langchain_never_was .* not installed: run `pip install langchain-never-was`"
    ):
        ChatModel("langchain_never_was:m")
    package("langchain_needy", "import never_heard_of.parts\n")
    with pytest.raises(ModelError, match=r"langchain_needy needs never_heard_of.* run `pip install never-heard-of`"):
        ChatModel("langchain_needy:m")
    package("langchain_broken", "1 / 0\n")
    with pytest.raises(ModelError, match="langchain_broken cannot be imported: ZeroDivisionError"):
        ChatModel("langchain_broken:m")
    package("langchain_empty", "from langchain_core.language_models import FakeListChatModel\n")
    with pytest.raises(
        ModelError, match="langchain_empty has no chat models, no class of it is a LangChain chat model"
    ):
        ChatModel("langchain_empty:m")


def test_a_model_that_cannot_be_made_says_what_it_wants(package: Callable[[str, str], None]) -> None:
    package("langchain_strict", HEAD + STRICT)
    with pytest.raises(
        ModelError, match=r"langchain_strict cannot make the model m: .*needed.*Field required"
    ) as error:
        ChatModel("langchain_strict:m")
    assert "\n" not in str(error.value)


def test_what_breaks_off_is_an_error_without_the_key_and_what_is_short_says_so(
    package: Callable[[str, str], None],
) -> None:
    package("langchain_third", HEAD + ONE)
    said: list[str] = []
    with pytest.raises(
        RagError, match=r"broke off its answer after 3 characters: ValueError: the key \*\*\* is used up"
    ):
        ChatModel("langchain_third:broken").write(PROMPT, 5, said.append)
    assert not ChatModel("langchain_third:short").write(PROMPT, 5, said.append)


def test_the_context_is_the_one_its_package_knows(package: Callable[[str, str], None]) -> None:
    package("langchain_fourth", HEAD + ONE.replace("num_ctx: int | None = None", "num_ctx: int | None = 4096"))
    assert ChatModel("langchain_fourth:m").context == 4096


@pytest.mark.parametrize(
    "named", ["langchain:", "langchain:ollama", "langchain:a b:m", "langchain:a.:m", "langchain:os;x:m"]
)
def test_a_name_of_another_form_is_wrong_usage(named: str) -> None:
    with pytest.raises(UsageError, match="give langchain:PACKAGE:MODEL"):
        check_spec(named)


def test_a_model_may_hold_a_colon() -> None:
    assert parse_chat_model("langchain_ollama:qwen3:4b") == ("langchain_ollama", "qwen3:4b")


@pytest.mark.slow
def test_the_package_of_openai_streams_from_a_server_and_its_errors_hold_no_key(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai")
    server = serve(lambda request: request.send(events(["In ", "February."], "length"), **EVENT_STREAM))
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-very-secret-key")
    model = ChatModel("langchain_openai.ChatOpenAI:m")
    said: list[str] = []
    assert not model.write(PROMPT, 9, said.append)
    assert said == ["In ", "February."]
    body = server.seen[0][2]
    assert (body["model"], body["temperature"], body["stream"]) == ("m", 0, True)
    assert 9 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    server.reply = lambda request: request.send(b'{"error": {"message": "bad key sk-a-very-secret-key"}}', 401)
    with pytest.raises(RagError, match=r"gave no answer: .*bad key") as error:
        model.write(PROMPT, 9, said.append)
    assert "sk-a-very-secret-key" not in str(error.value)
