"""The chat models in what a user has: a model, a runnable around one, a list, a dict."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable

_PUBLIC = ("invoke", "ainvoke", "stream", "astream")
_MEASURED = {
    "super",
    *_PUBLIC,
    *("generate", "agenerate", "generate_prompt", "agenerate_prompt", "batch", "abatch"),
    *("_generate", "_agenerate", "_stream", "_astream"),
}
_MOST = 10_000  # places looked at: bounds the time that a huge chain costs


def models_in(root: object) -> list[BaseChatModel]:
    """Every chat model that *root* is or holds, each once, in order."""
    found: dict[int, BaseChatModel] = {}
    for place in islice(_places(root, set()), _MOST):
        if isinstance(place, BaseChatModel):
            found.setdefault(id(place), place)
    return list(found.values())


def _places(root: object, seen: set[int]) -> Iterator[object]:
    if id(root) in seen:
        return
    seen.add(id(root))
    yield root
    for inner in _inside(root):
        yield from _places(inner, seen)


def _inside(place: Any) -> Iterator[Any]:
    if isinstance(place, BaseChatModel):
        return  # what it holds is its own affair
    if isinstance(place, Mapping):
        yield from place.values()
    elif isinstance(place, (list, tuple, set)):
        yield from place
    elif isinstance(place, Runnable):
        yield from getattr(place, "__dict__", {}).values()


def bypassing(model_class: type[BaseChatModel]) -> Iterator[str]:
    """The public methods that *model_class* overrides without a way to the measured ones."""
    for name in _PUBLIC:
        method = inspect.unwrap(getattr(model_class, name))
        code = getattr(method, "__code__", None)
        own = method is not inspect.unwrap(getattr(BaseChatModel, name))
        if own and code is not None and not _MEASURED.intersection(code.co_names):
            yield name
