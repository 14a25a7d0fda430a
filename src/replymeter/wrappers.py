"""The wrappers of a chat model's provider methods: one frame around one provider call.

A stream's provider steps each run with the span
current; between them the consumer's code runs in its own context.
"""

from __future__ import annotations

from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from opentelemetry.context import get_value, set_value

from replymeter.call import WATCHED, Call, current_call
from replymeter.layers import suppressed
from replymeter.marks import MARK, Instrumentation, Mark
from replymeter.switch import current, enter, leave, reset

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
    )

    from langchain_core.language_models import BaseChatModel

    Method = Callable[..., Any]
    Measured = Callable[[BaseChatModel, Any, Any], Any]
    Observe = Callable[[Call], Callable[[Any], object]]


_END = object()


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
            if model.__dict__.get(MARK) is mark:
                model.__dict__.pop(MARK, None)
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
            if mark.instrumentation.settings.content is not None:
                call.capture(args[0] if args else kwargs.get("messages"), kwargs.get("tools"))
        except Exception as error:  # noqa: BLE001
            telemetry.failed("begin", error)
            return None
        return call


def _within(call: Call, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    token = enter(call.context)
    try:
        return function(*args, **kwargs)
    finally:
        leave(token)


def _generate(original: Method, wrapped: Wrapped) -> Measured:
    def measured(self: BaseChatModel, args: Any, kwargs: Any) -> Any:
        call = wrapped.begin(self, args, kwargs, streamed=False)
        if call is None:
            return original(self, *args, **kwargs)
        try:
            result = _within(call, original, self, *args, **kwargs)
        except BaseException as error:
            call.raised(error)
            raise
        call.returned(result)
        return result

    return measured


def _agenerate(original: Method, wrapped: Wrapped) -> Measured:
    async def measured(self: BaseChatModel, args: Any, kwargs: Any) -> Any:
        call = wrapped.begin(self, args, kwargs, streamed=False)
        if call is None:
            return await original(self, *args, **kwargs)
        token = enter(call.context)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as error:
            call.raised(error)
            raise
        finally:
            leave(token)
        call.returned(result)
        return result

    return measured


def _stream(original: Method, wrapped: Wrapped, observe: Observe = Call.chunks) -> Measured:
    def measured(self: BaseChatModel, args: Any, kwargs: Any) -> Iterator[Any]:
        call = wrapped.begin(self, args, kwargs, streamed=True)
        if call is None:
            yield from _inside(self, original(self, *args, **kwargs), observe)
            return
        try:
            steps = iter(_within(call, original, self, *args, **kwargs))
            take, context = observe(call), call.context
            while True:
                token = enter(context)
                try:
                    item = next(steps, _END)
                finally:
                    context = current()  # what the provider made current is so in its next step
                    reset(token)
                if item is _END:
                    break
                take(item)
                yield item
        except BaseException as error:
            steps = iter(())  # or the error's traceback would keep the provider's stream open
            call.raised(error)
            raise
        call.exhausted()

    return measured


def _inside(model: BaseChatModel, items: Iterable[Any], observe: Observe) -> Iterator[Any]:
    outer = _unwatched(model)
    if outer is None:
        return (yield from items)
    steps, take = iter(items), observe(outer)
    while True:
        token = enter(set_value(WATCHED, outer))
        try:
            item = next(steps, _END)
        finally:
            leave(token)
        if item is _END:
            return None
        take(item)
        yield item


def _unwatched(model: BaseChatModel) -> Call | None:
    """The call of *model* that runs, unless its chunks are folded: a stream inside one is one."""
    call = current_call()
    entered = call is not None and call.model is model
    return call if entered and get_value(WATCHED) is not call else None


def _astream(  # noqa: PLR0915  # one frame for all: it runs once a chunk
    original: Method, wrapped: Wrapped, observe: Observe = Call.chunks
) -> Measured:
    async def measured(  # noqa: PLR0915
        self: BaseChatModel, args: Any, kwargs: Any
    ) -> AsyncIterator[Any]:
        call = wrapped.begin(self, args, kwargs, streamed=True)
        if call is None:
            async with aclosing(_ainside(self, original(self, *args, **kwargs), observe)) as items:
                async for item in items:
                    yield item
            return
        steps: Any = None
        try:
            steps = _within(call, original, self, *args, **kwargs).__aiter__()
            take, context = observe(call), call.context
            while True:
                token = enter(context)
                try:
                    item = await steps.__anext__()
                except StopAsyncIteration:
                    break
                finally:
                    context = current()
                    leave(token)
                take(item)
                yield item
        except BaseException as error:
            call.raised(error)
            raise
        else:
            call.exhausted()
        finally:
            await _aclose(steps)

    return measured


async def _ainside(
    model: BaseChatModel, items: AsyncIterable[Any], observe: Observe
) -> AsyncGenerator[Any, None]:
    outer = _unwatched(model)
    take = observe(outer) if outer is not None else None
    steps = items.__aiter__()
    try:
        while True:
            token = enter(set_value(WATCHED, outer)) if outer is not None else None
            try:
                item = await steps.__anext__()
            except StopAsyncIteration:
                return
            finally:
                if token is not None:
                    leave(token)
            if take is not None:
                take(item)
            yield item
    finally:
        await _aclose(steps)


async def _aclose(steps: Any) -> None:
    # When the consumer goes away. Where nobody instruments, the event loop closes it later, and
    # nobody sees what that raises.
    if hasattr(steps, "aclose"):
        with suppress(Exception):
            await steps.aclose()


WRAPPERS: dict[str, Callable[[Method, Wrapped], Measured]] = {
    "_generate": _generate,
    "_agenerate": _agenerate,
    "_stream": _stream,
    "_astream": _astream,
    "_stream_chat_model_events": partial(_stream, observe=Call.events),
    "_astream_chat_model_events": partial(_astream, observe=Call.events),
}
"""The methods that LangChain documents as what a chat model implements, and their wrappers."""
