"""Puts the wrappers on a chat model class, and takes them off.

Only methods that the class overrides are wrapped: LangChain's own capability checks, which compare
them with `BaseChatModel`'s, see no difference.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel

from replymeter.wrappers import WRAPPERS, Wrapped

if TYPE_CHECKING:
    from replymeter.marks import Instrumentation

_WRAPPED: dict[type[BaseChatModel], Wrapped] = {}
_ABSENT = object()
_ORIGINAL = "__replymeter_original__"


def wrap_class(model_class: type[BaseChatModel], instrumentation: Instrumentation) -> Wrapped:
    """Wrap *model_class* for *instrumentation*, once."""
    wrapped = _WRAPPED.get(model_class)
    if wrapped is None:
        wrapped = _WRAPPED[model_class] = Wrapped()
        for name, wrapper in WRAPPERS.items():
            method: Any = getattr(model_class, name, None)
            if _overridden(name, method):
                wrapped.replaced[name] = model_class.__dict__.get(name, _ABSENT)
                original = getattr(method, _ORIGINAL, method)  # a base may be wrapped already
                replacement = wraps(original)(wrapper(original, wrapped))
                setattr(replacement, _ORIGINAL, original)
                setattr(model_class, name, replacement)
    wrapped.instrumentations.add(instrumentation)
    return wrapped


def unwrap_class(model_class: type[BaseChatModel], instrumentation: Instrumentation) -> None:
    """Take *instrumentation* off *model_class*; with the last one the class is as it was."""
    wrapped = _WRAPPED.get(model_class)
    if wrapped is None:
        return
    wrapped.instrumentations.discard(instrumentation)
    if wrapped.whole is instrumentation:
        wrapped.whole = None
    if any(left.active for left in wrapped.instrumentations):
        return
    del _WRAPPED[model_class]
    for name, method in wrapped.replaced.items():
        if method is _ABSENT:
            delattr(model_class, name)
        else:
            setattr(model_class, name, method)


def instrumentations(model_class: type[BaseChatModel]) -> tuple[Instrumentation, ...]:
    """Every live instrumentation of *model_class*."""
    wrapped = _WRAPPED.get(model_class)
    return tuple(wrapped.instrumentations) if wrapped else ()


def anything_wrapped() -> bool:
    """Whether any class is wrapped now."""
    return bool(_WRAPPED)


def _overridden(name: str, method: Any) -> bool:
    # What langchain-core implements by calling the others in a thread is no provider call.
    if not inspect.isfunction(method):
        return False
    return name == "_generate" or method.__module__ != BaseChatModel.__module__
