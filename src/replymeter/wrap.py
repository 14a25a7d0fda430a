"""Puts the wrappers on a chat model class, and takes them off.

Only methods that the class overrides are wrapped: LangChain's own capability checks, which compare
them with `BaseChatModel`'s, see no difference.
"""

from __future__ import annotations

import inspect
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel

from replymeter import postponed
from replymeter.marks import MARK
from replymeter.wrappers import WRAPPERS, Wrapped

if TYPE_CHECKING:
    from replymeter.marks import Instrumentation, Mark
    from replymeter.wrappers import Measured

_WRAPPED: dict[type[BaseChatModel], Wrapped] = {}
_ABSENT = object()
_LOCK = RLock()
_BORN = "__pydantic_init_subclass__"
_ORIGINAL = "__replymeter_original__"


def wrap_class(model_class: type[BaseChatModel], instrumentation: Instrumentation) -> Wrapped:
    """Wrap *model_class* for *instrumentation*, once."""
    postponed.watch()
    with _LOCK:
        wrapped = _WRAPPED.setdefault(model_class, Wrapped())
        for name, wrapper in WRAPPERS.items():
            own: Any = model_class.__dict__.get(name, _ABSENT)
            method: Any = getattr(model_class, name, None)
            if _ours(own, model_class) or not _overridden(name, method):
                continue
            wrapped.replaced[name] = own
            if own is _ABSENT:
                measured = wrapper(_inherited(model_class, name, method), wrapped)
                passing = _passing_up(model_class, name, measured, wrapped)
            else:
                passing = _passing(method, wrapper(method, wrapped), wrapped)
            replacement = wraps(method)(passing)
            setattr(replacement, _ORIGINAL, (replacement, model_class))
            setattr(model_class, name, replacement)
        wrapped.instrumentations.add(instrumentation)
        return wrapped


def _inherited(model_class: type[BaseChatModel], name: str, method: Any) -> Any:
    """What *model_class* inherits, looked up at each call: by the instance's own MRO."""

    @wraps(method)
    def inherited(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        return getattr(super(model_class, self), name)(*args, **kwargs)

    return inherited


def _passing(original: Any, measured: Measured, wrapped: Wrapped) -> Any:
    """What stands in the class: instances that are not instrumented pass straight through."""

    def method(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        if MARK not in self.__dict__ and wrapped.whole is None:
            return original(self, *args, **kwargs)
        return measured(self, args, kwargs)

    return method


def _passing_up(
    model_class: type[BaseChatModel], name: str, measured: Measured, wrapped: Wrapped
) -> Any:
    """The same where the class inherits: without the frame of `_inherited`."""

    def method(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        if MARK not in self.__dict__ and wrapped.whole is None:
            return getattr(super(model_class, self), name)(*args, **kwargs)
        return measured(self, args, kwargs)

    return method


def _ours(method: Any, model_class: type[BaseChatModel]) -> bool:
    """Whether *method* is what `wrap_class` put there, not what copied its `__dict__`."""
    made = getattr(method, _ORIGINAL, None)
    return made is not None and made[0] is method and made[1] is model_class


def wrap_tree(model_class: type[BaseChatModel], instrumentation: Instrumentation) -> None:
    """Wrap *model_class* and its subclasses, also those to come, for every instance of theirs."""
    wrapped = wrap_class(model_class, instrumentation)
    wrapped.whole = instrumentation
    if _BORN not in wrapped.replaced:
        own = wrapped.replaced[_BORN] = model_class.__dict__.get(_BORN, _ABSENT)
        setattr(model_class, _BORN, classmethod(_born(model_class, own)))
    for subclass in model_class.__subclasses__():
        wrap_tree(subclass, instrumentation)


def _born(model_class: type[BaseChatModel], own: Any) -> Any:
    def born(subclass: type[BaseChatModel], **kwargs: Any) -> None:
        inherited = super(model_class, subclass)
        hook = getattr(inherited, _BORN) if own is _ABSENT else own.__get__(None, subclass)
        hook(**kwargs)
        wrapped = _WRAPPED.get(model_class)
        if wrapped is not None and wrapped.whole is not None and subclass not in _WRAPPED:
            wrap_tree(subclass, wrapped.whole)

    return born


def unwrap_tree(model_class: type[BaseChatModel]) -> None:
    """Switch off every instrumentation of *model_class* and its subclasses."""
    for subclass in model_class.__subclasses__():
        unwrap_tree(subclass)
    wrapped = _WRAPPED.get(model_class)
    if wrapped is not None:
        for instrumentation in tuple(wrapped.instrumentations):
            instrumentation.active = False
        _restore(model_class, wrapped)


def unwrap_class(model_class: type[BaseChatModel], instrumentation: Instrumentation) -> None:
    """Take *instrumentation* off *model_class*; with the last one the class is as it was."""
    with _LOCK:
        wrapped = _WRAPPED.get(model_class)
        if wrapped is None:
            return
        wrapped.instrumentations.discard(instrumentation)
        if not any(left.active for left in tuple(wrapped.instrumentations)):
            _restore(model_class, wrapped)


def _restore(model_class: type[BaseChatModel], wrapped: Wrapped) -> None:
    del _WRAPPED[model_class]
    wrapped.whole = None
    for name, method in wrapped.replaced.items():
        if name in WRAPPERS and not _ours(model_class.__dict__.get(name), model_class):
            continue  # somebody put theirs there since
        if method is _ABSENT:
            delattr(model_class, name)
        else:
            setattr(model_class, name, method)


def instrumented(model: BaseChatModel) -> Mark | None:
    """The mark of *model*, by itself or by its class; None when it is not instrumented."""
    wrapped = _WRAPPED.get(type(model))
    return wrapped.mark(model) if wrapped else None


def anything_wrapped() -> bool:
    """Whether any class is wrapped now."""
    return bool(_WRAPPED)


def _overridden(name: str, method: Any) -> bool:
    # What langchain-core implements by calling the others in a thread is no provider call.
    if not inspect.isfunction(method):
        return False
    if method is getattr(BaseChatModel, name, None):
        return False
    return name == "_generate" or method.__module__ != BaseChatModel.__module__
