"""The wrappers of a chat model class' provider methods, and how they are put on and taken off.

Only methods that LangChain documents as what a chat model implements are wrapped, and of those
only the ones that the class overrides: LangChain's own capability checks see no difference.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from langchain_core.language_models import BaseChatModel
from opentelemetry.context import attach, detach

from replymeter.call import Call, current_call, suppressed
from replymeter.marks import MARK, Instrumentation, Mark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Method = Callable[..., Any]
    Observe = Callable[[Call, Any], None]


class Wrapped:
    """What was done to one class: the methods it had, and who asked for it.

    `whole` is the instrumentation of every instance of the class; None when only marked
    instances are meant.
    """

    def __init__(self) -> None:
        self.replaced: dict[str, Any] = {}
        self.instrumentations: WeakSet[Instrumentation] = WeakSet()
        self.whole: Instrumentation | None = None

    def mark(self, model: BaseChatModel) -> Mark | None:
        """The active mark of *model*, made now when the whole class is instrumented."""
        mark: Mark | None = model.__dict__.get(MARK)
        if mark is not None and not mark.instrumentation.active:
            del model.__dict__[MARK]
            mark = None
        if mark is None and self.whole is not None:
            mark = model.__dict__[MARK] = Mark(type(model), self.whole)
        return mark

    def begin(self, model: BaseChatModel, args: Any, kwargs: Any, *, streamed: bool) -> Call | None:
        """The call that starts now; None when it is none of ours, or could not be started."""
        mark = self.mark(model)
        if mark is None:
            return None
        telemetry = mark.instrumentation.telemetry
        try:
            inside = current_call()
            entered = inside is not None and inside.model is model
            if entered or suppressed() or not telemetry.listening():
                return None
            call = Call(model, mark.instrumentation, mark.target or mark.aim(model), inside)
            stop = args[1] if len(args) > 1 else None
            call.start(kwargs if stop is None else {**kwargs, "stop": stop}, streamed=streamed)
        except Exception as error:  # noqa: BLE001
            telemetry.failed("begin", error)
            return None
        return call


_WRAPPED: dict[type[BaseChatModel], Wrapped] = {}
_ABSENT = object()


def wrap_class(model_class: type[BaseChatModel], instrumentation: Instrumentation) -> Wrapped:
    """Wrap *model_class* for *instrumentation*, once."""
    wrapped = _WRAPPED.get(model_class)
    if wrapped is None:
        wrapped = _WRAPPED[model_class] = Wrapped()
        for name, wrapper in WRAPPERS.items():
            method = getattr(model_class, name, None)
            if _overridden(name, method):
                wrapped.replaced[name] = model_class.__dict__.get(name, _ABSENT)
                original = getattr(method, "__wrapped_by_replymeter__", method)
                replacement = functools.wraps(original)(wrapper(original, wrapped))
                replacement.__wrapped_by_replymeter__ = original
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


def _entered(model: BaseChatModel) -> Call | None:
    """The call of *model* that runs already: a stream inside it is a part of it."""
    call = current_call()
    return call if call is not None and call.model is model else None


async def _aclose(steps: Any) -> None:
    # Where nobody instruments, the event loop closes it, and nobody sees what that raises.
    if hasattr(steps, "aclose"):
        with suppress(Exception):
            await steps.aclose()


def _generate(original: Method, wrapped: Wrapped) -> Method:
    def _generate(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        if MARK not in self.__dict__ and wrapped.whole is None:
            return original(self, *args, **kwargs)
        call = wrapped.begin(self, args, kwargs, streamed=False)
        if call is None:
            return original(self, *args, **kwargs)
        token = attach(call.context)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            call.raised(error)
            raise
        else:
            call.returned(result)
            return result
        finally:
            detach(token)

    return _generate


def _agenerate(original: Method, wrapped: Wrapped) -> Method:
    async def measured(self: BaseChatModel, args: Any, kwargs: Any) -> Any:
        call = wrapped.begin(self, args, kwargs, streamed=False)
        if call is None:
            return await original(self, *args, **kwargs)
        token = attach(call.context)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as error:
            call.raised(error)
            raise
        else:
            call.returned(result)
            return result
        finally:
            detach(token)

    def _agenerate(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        if MARK not in self.__dict__ and wrapped.whole is None:
            return original(self, *args, **kwargs)
        return measured(self, args, kwargs)

    return _agenerate


def _stream(original: Method, wrapped: Wrapped, observe: Observe = Call.chunk) -> Method:
    def measured(self: BaseChatModel, args: Any, kwargs: Any) -> Iterator[Any]:
        call = wrapped.begin(self, args, kwargs, streamed=True)
        if call is None:
            outer = _entered(self)
            for item in original(self, *args, **kwargs):
                if outer is not None:
                    observe(outer, item)
                yield item
            return
        steps: Any = None
        try:
            while True:
                token = attach(call.context)
                try:
                    if steps is None:
                        steps = iter(original(self, *args, **kwargs))
                    item = next(steps)
                except StopIteration:
                    break
                finally:
                    detach(token)
                observe(call, item)
                yield item
        except BaseException as error:
            call.raised(error)
            raise
        else:
            call.exhausted()

    def _stream(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        if MARK not in self.__dict__ and wrapped.whole is None:
            return original(self, *args, **kwargs)
        return measured(self, args, kwargs)

    return _stream


def _astream(original: Method, wrapped: Wrapped, observe: Observe = Call.chunk) -> Method:
    async def measured(self: BaseChatModel, args: Any, kwargs: Any) -> AsyncIterator[Any]:
        call = wrapped.begin(self, args, kwargs, streamed=True)
        if call is None:
            outer = _entered(self)
            async for item in original(self, *args, **kwargs):
                if outer is not None:
                    observe(outer, item)
                yield item
            return
        steps: Any = None
        try:
            while True:
                token = attach(call.context)
                try:
                    if steps is None:
                        steps = original(self, *args, **kwargs).__aiter__()
                    item = await steps.__anext__()
                except StopAsyncIteration:
                    break
                finally:
                    detach(token)
                observe(call, item)
                yield item
        except BaseException as error:
            call.raised(error)
            if isinstance(error, GeneratorExit):
                await _aclose(steps)
            raise
        else:
            call.exhausted()

    def _astream(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        if MARK not in self.__dict__ and wrapped.whole is None:
            return original(self, *args, **kwargs)
        return measured(self, args, kwargs)

    return _astream


WRAPPERS: dict[str, Callable[[Method, Wrapped], Method]] = {
    "_generate": _generate,
    "_agenerate": _agenerate,
    "_stream": _stream,
    "_astream": _astream,
    "_stream_chat_model_events": functools.partial(_stream, observe=Call.event),
    "_astream_chat_model_events": functools.partial(_astream, observe=Call.event),
}
