"""20,000 calls of every ending leave no object behind, and need no garbage collector."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import replymeter
from replymeter.postponed import settle
from tests.fakes import AsyncStreamModel, EventModel, chunk, script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

# The typed event streams are in beta.
pytestmark = pytest.mark.filterwarnings(
    "ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"
)

CALLS = 20_000
HELD = ("Call", "Context", "_Span")
"""What a call holds: none of them may outlive it."""


@pytest.fixture
def instrument() -> Iterator[Callable[..., Any]]:
    """`replymeter.instrument` with live metrics, and spans that nobody keeps or exports.

    Not `captured`: on Python 3.10 and 3.11 the SDK's simple processor, run by the garbage
    collector that closes a stream, can crash the interpreter (it sets a context variable).
    """
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    tracers = TracerProvider(shutdown_on_exit=False)
    made = []

    def instrument(llm: Any) -> Any:
        made.append(llm)
        return replymeter.instrument(llm, tracer_provider=tracers, meter_provider=meters)

    yield instrument
    replymeter.uninstrument(made)
    meters.shutdown()
    tracers.shutdown()


@pytest.fixture
def llm(instrument: Callable[..., Any]) -> AsyncStreamModel:
    """A model with every method."""
    model: AsyncStreamModel = instrument(AsyncStreamModel())
    return model


async def generate(llm: Any, error: type[BaseException] | None) -> None:
    """One `_generate`."""
    llm.errors = [] if error is None else [error]
    with suppress(BaseException):
        llm._generate([])


async def agenerate(llm: Any, error: type[BaseException] | None) -> None:
    """One `_agenerate`, dropped on the way when *error* is GeneratorExit."""
    if error is GeneratorExit:
        running: Coroutine[Any, Any, Any] = llm._agenerate([])
        running.send(None)
        running.close()
        return
    llm.errors = [] if error is None else [error]
    with suppress(BaseException):
        await llm._agenerate([])


async def stream(llm: Any, error: type[BaseException] | None) -> None:
    """One `_stream`, left after its first chunk when *error* is GeneratorExit."""
    steps: Iterator[Any] = llm._stream([])
    llm.chunks = script()
    if error is GeneratorExit:
        next(steps)
        return
    if error is not None:
        llm.chunks.append(error)
    with suppress(BaseException):
        for _ in steps:
            pass


async def astream(llm: Any, error: type[BaseException] | None) -> None:
    """One `_astream`, closed after its first chunk when *error* is GeneratorExit."""
    steps: AsyncIterator[Any] = llm._astream([])
    llm.chunks = script()
    if error is GeneratorExit:
        await anext(steps)
        await steps.aclose()  # type: ignore[attr-defined]
        return
    if error is not None:
        llm.chunks.append(error)
    with suppress(BaseException):
        async for _ in steps:
            pass


WAYS = (generate, agenerate, stream, astream)
# Classes: an error that a local variable holds is a cycle with its own traceback.
ENDINGS = (None, RuntimeError, asyncio.CancelledError, GeneratorExit)
ROUND = len(WAYS) * len(ENDINGS)


async def calls(llm: AsyncStreamModel, rounds: int) -> None:
    """Every way to call with every ending, *rounds* times."""
    for _ in range(rounds):
        for way in WAYS:
            for ending in ENDINGS:
                await way(llm, ending)


def population() -> Counter[str]:
    """How many objects of each type are alive; by name, as `isinstance` fills caches of its own."""
    return Counter(type(one).__qualname__ for one in gc.get_objects())


def census() -> list[int]:
    """How many of the objects that a call holds are alive."""
    settle()
    alive = population()
    return [alive[kind] for kind in HELD]


async def test_no_object_is_left_behind(llm: AsyncStreamModel) -> None:
    """20,000 calls add no object of any type; asyncio's own 36 come with the first of them."""
    await calls(llm, 100)
    gc.collect()
    before, held = population(), census()
    await calls(llm, CALLS // ROUND)
    gc.collect()
    grown = population() - before
    assert {kind: count for kind, count in grown.items() if count > 50} == {}
    assert census() == held


async def test_memory_is_flat(llm: AsyncStreamModel) -> None:
    """3,200 calls hold less than 16 KiB more than before: five bytes a call."""
    await calls(llm, 100)
    tracemalloc.start()
    try:
        await calls(llm, 20)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        await calls(llm, 200)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 16_384
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", ENDINGS, ids=["ok", "error", "cancelled", "abandoned"])
@pytest.mark.parametrize("way", WAYS)
async def test_calls_die_by_reference_count(
    way: Callable[..., Coroutine[Any, Any, None]],
    ending: type[BaseException] | None,
    llm: AsyncStreamModel,
) -> None:
    """With the collector off nothing of a call survives it: there are no cycles."""
    await way(llm, ending)
    gc.collect()
    gc.disable()
    try:
        before = census()
        for _ in range(20):
            await way(llm, ending)
        assert census() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_calls_through_langchain_leave_none_behind(mode: str, llm: AsyncStreamModel) -> None:
    """Neither do calls by LangChain's public methods, failed and left ones included."""
    held = census()
    for chunks in (script(), [chunk("one"), RuntimeError]):
        llm.chunks = chunks
        for _ in range(50):
            with suppress(RuntimeError):
                next(iter(getattr(llm, mode)("x")))
    gc.collect()
    assert census() == held


def test_native_event_streams_leave_none_behind(instrument: Callable[..., Any]) -> None:
    """Read to the end, and left at the start."""
    native, held = instrument(EventModel()), census()
    for _ in range(50):
        list(native.stream_events("x", version="v3"))
        next(iter(native.stream_events("x", version="v3")))
    gc.collect()
    assert census() == held
