"""A prompt in, the text of a LangChain chat model out: `PACKAGE:MODEL`, such as `langchain_ollama:llama3`.

The package is imported by its name, so that a name is code that runs: it comes from the command line, from a program or
from RAG_LLM, and never from a request that somebody else sent. One of the doors to langchain_core.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from inspect import isabstract
from typing import TYPE_CHECKING, Any

from rag.answer.prompt import COMMON_CONTROLS, estimated_tokens
from sql.base.errors import ModelError, RagError, UsageError, one_reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from rag.answer.prompt import Prompt

SECONDS = 300  # for a whole answer, where a class has the field
FORM = "give langchain:PACKAGE:MODEL, for example langchain:langchain_ollama:llama3"
PACKAGE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
# What the packages call the same thing.
MODEL_FIELDS = ("model", "model_name", "model_id", "deployment_name")
LENGTH_FIELDS = ("max_tokens", "max_output_tokens", "num_predict", "max_new_tokens", "max_tokens_to_sample")
CONTEXT_FIELDS = ("num_ctx", "n_ctx")
CUT_SHORT = {"length", "max_tokens", "MAX_TOKENS", "content_filter"}  # reasons to finish that leave no whole answer


class ChatModel:
    """A chat model of LangChain; its package holds the key and says in its own variables where it is looked for."""

    controls = COMMON_CONTROLS

    def __init__(self, named: str) -> None:
        """`named` is PACKAGE:MODEL. Raises UsageError for another form, ModelError for what is not there."""
        package, model = parse_chat_model(named)
        self.name = f"{model} of {package}"
        made_by = chat_model_class(package)
        self.length_field = field_name(made_by, LENGTH_FIELDS)
        self.chat_model = make_chat_model(made_by, package, model)
        self.context = self.known_context()

    def known_context(self) -> int | None:
        """How many tokens the model reads, as far as its package knows."""
        given = [getattr(self.chat_model, name, None) for name in CONTEXT_FIELDS]
        profile = getattr(self.chat_model, "profile", None) or {}
        sizes = [size for size in (*given, profile.get("max_input_tokens")) if isinstance(size, int) and size > 0]
        return min(sizes, default=None)

    def count_tokens(self, prompt: Prompt) -> int:
        """An estimate: not every package brings a tokenizer, and LangChain's own would have to be downloaded."""
        return estimated_tokens(prompt)

    def write(self, prompt: Prompt, max_tokens: int, say: Callable[[str], None]) -> bool:
        """Says the answer as it comes; whether it came to its end by itself. Raises RagError where the package fails."""
        from langchain_core.messages import HumanMessage, SystemMessage

        chat_model = self.chat_model
        if self.length_field:
            chat_model = chat_model.model_copy(update={self.length_field: max_tokens})
        messages = [SystemMessage(prompt.system), HumanMessage(prompt.user)]
        said, finished = 0, None
        pieces = chat_model.stream(messages)
        while True:
            try:
                piece = next(pieces)
            except StopIteration:
                return finished not in CUT_SHORT
            except Exception as error:  # whatever a package raises
                raise self.failed(said, error) from error
            found = piece.response_metadata
            finished = found.get("finish_reason") or found.get("stop_reason") or found.get("done_reason") or finished
            if text := str(piece.text):
                said += len(text)
                say(text)

    def failed(self, said: int, error: Exception) -> RagError:
        """The error of an answer, without the keys that the package was given."""
        what = f"broke off its answer after {said:,} characters" if said else "gave no answer"
        sentence = f"the language model {self.name} {what}: {type(error).__name__}: {one_reason(error)}"
        for secret in secrets_of(self.chat_model):
            sentence = sentence.replace(secret, "***")
        return RagError(sentence)


def parse_chat_model(named: str) -> tuple[str, str]:
    """Package and model of PACKAGE:MODEL; UsageError where it is something else.

    >>> parse_chat_model("langchain_ollama.ChatOllama:llama3:8b")
    ('langchain_ollama.ChatOllama', 'llama3:8b')
    """
    package, _, model = named.partition(":")
    if not PACKAGE.fullmatch(package) or not model.strip():
        raise UsageError(f"--llm langchain:{named}: {FORM}")
    return package, model.strip()


def chat_model_class(package: str) -> type[Any]:
    """The chat model that a package offers, or the one that is named behind a dot.

    Raises ModelError where there is no such package or class, or several.
    """
    module, named = import_package(package)
    found = chat_model_classes(module)
    if named:
        if named not in found:
            raise ModelError(f"{module.__name__} has no chat model {named}: {offered(module.__name__, found)}")
        return found[named]
    if len(found) != 1:
        raise ModelError(
            f"{module.__name__} has {len(found) or 'no'} chat models{': name the one you mean, ' if found else ', '}"
            f"{offered(module.__name__, found)}"
        )
    return next(iter(found.values()))


def import_package(package: str) -> tuple[ModuleType, str]:
    """The module of that name and "", or the module around it and the last part of the name.

    Raises ModelError where it cannot be imported.
    """
    root = package.partition(".")[0]
    try:
        if find_spec(root) is None:
            raise ModelError(
                f"the package {root} of --llm langchain:{package} is not installed: run `pip install {pip_name(root)}`"
            )
        try:
            return import_module(package), ""
        except ModuleNotFoundError as error:
            around, _, last = package.rpartition(".")
            if not around or error.name != package:
                raise
            return import_module(around), last
    except ModelError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or root
        if missing.partition(".")[0] == root:
            raise ModelError(f"the package {root} has no module or class {missing}: {FORM}") from error
        raise ModelError(
            f"the package {root} needs {missing}, which is not installed: run `pip install {pip_name(missing)}`"
        ) from error
    except Exception as error:  # whatever the package does when it is imported
        raise ModelError(
            f"the package {root} cannot be imported: {type(error).__name__}: {one_reason(error)}"
        ) from error


def pip_name(module: str) -> str:
    """What the package of a module is mostly called where packages are installed from."""
    return module.partition(".")[0].replace("_", "-")


def chat_model_classes(module: ModuleType) -> dict[str, type[Any]]:
    """The chat models that a module offers, by their names: those of its own package that can be made."""
    from langchain_core.language_models import BaseChatModel

    root = module.__name__.partition(".")[0]
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = {name: getattr(module, name, None) for name in sorted(names)}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, type)
        and issubclass(value, BaseChatModel)
        and not isabstract(value)
        and value.__module__.partition(".")[0] == root
    }


def offered(package: str, classes: dict[str, type[Any]]) -> str:
    """What to write instead."""
    if not classes:
        return "no class of it is a LangChain chat model"
    return "there are " + ", ".join(f"langchain:{package}.{name}:MODEL" for name in classes)


def make_chat_model(made_by: type[Any], package: str, model: str) -> Any:
    """An instance for one model, that says its likeliest words, in so far as its class has fields for that."""
    chosen = field_name(made_by, MODEL_FIELDS)
    if chosen is None:
        raise ModelError(f"{package} has no field for the name of a model: none of {', '.join(MODEL_FIELDS)}")
    wanted: dict[str, Any] = {chosen: model}
    for name, value in (("temperature", 0), ("timeout", SECONDS)):
        if field := field_name(made_by, (name,)):
            wanted[field] = value
    try:
        return made_by(**{argument_name(made_by, name): value for name, value in wanted.items()})
    except Exception as error:  # a key that is missing, a model that is not known
        raise ModelError(f"{package} cannot make the model {model}: {readable(error)}") from error


def field_name(made_by: type[Any], names: tuple[str, ...]) -> str | None:
    """The first of some names that a class has a field for, as the class itself calls it."""
    fields = made_by.model_fields
    aliases = {field.alias: name for name, field in fields.items() if field.alias}
    return next((aliases.get(name, name) for name in names if name in fields or name in aliases), None)


def argument_name(made_by: type[Any], field: str) -> str:
    """What a field is called where an instance is made."""
    return str(made_by.model_fields[field].alias or field)


def readable(error: Exception) -> str:
    """What a class says of its arguments, on one line; of several lines the last that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "errors.pydantic.dev" not in line]
    return (" ".join(lines) or type(error).__name__)[:300]


def secrets_of(chat_model: Any) -> list[str]:
    """The keys that a model holds."""
    values: list[Any] = [getattr(chat_model, name, None) for name in type(chat_model).model_fields]
    found = [value.get_secret_value() for value in values if hasattr(value, "get_secret_value")]
    return [secret for secret in found if isinstance(secret, str) and secret]
