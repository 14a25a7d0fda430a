"""Every call ends exactly once, as what it was: ok, error, cancelled or abandoned."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from _thread import start_new_thread
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from pydantic import Field

from replymeter import call, postponed
from replymeter import conventions as names
from replymeter.postponed import collecting, postpone, settle
from replymeter.telemetry import Telemetry
from tests.fakes import (
    CANCELLED,
    FAILED,
    OK,
    AsyncModel,
    AsyncStreamModel,
    Ended,
    PerPrompt,
    StreamModel,
    SyncModel,
    chunk,
    endings,
    reply,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.language_models import BaseChatModel
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]


class ClosingModel(StreamModel):
    """Notes in *closed* that its stream was closed."""

    closed: list[bool] = Field(default_factory=list)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            yield from super()._stream(*args, **kwargs)
        finally:
            self.closed.append(True)


def live_calls() -> int:
    """How many calls are still held by something."""
    gc.collect()
    return sum(isinstance(one, call.Call) for one in gc.get_objects())


async def time_out(llm: BaseChatModel, seconds: float) -> None:
    """Wait for a reply, but not for long."""
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(llm.ainvoke("x"), seconds)


async def test_each_timeout_is_one_cancelled_call(
    instrument: Instrument, captured: Captured
) -> None:
    """200 `wait_for` timeouts give 200 cancelled spans and durations, and leave nothing alive."""
    llm = instrument(AsyncModel(seconds=5))
    await asyncio.gather(*(time_out(llm, 0.01) for _ in range(200)))
    assert endings(captured) == [CANCELLED] * 200
    assert captured.total(names.USAGE_MISSING.name, outcome="cancelled") == 200
    assert live_calls() == 0


class Held(SyncModel):
    """Answers when *gate* opens."""

    gate: Any = Field(default_factory=threading.Event)

    def _answer(self, messages: Any) -> ChatResult:
        self.gate.wait(10)
        return super()._answer(messages)


def test_a_thread_that_nobody_waits_for_ends_ok(instrument: Instrument, captured: Captured) -> None:
    """A class without `_agenerate` cannot be cut: 200 calls end later, ok, with their tokens."""
    llm = instrument(Held())

    async def time_out_all() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(200))
        await asyncio.gather(*(time_out(llm, 1) for _ in range(200)))
        assert captured.spans == ()
        llm.gate.set()

    asyncio.run(time_out_all())  # waits for the threads
    assert endings(captured) == [OK] * 200
    assert live_calls() == 0


def test_leaving_a_stream_is_abandoning_it(instrument: Instrument, captured: Captured) -> None:
    """`break` leaves the status unset, no exception event, and the usage that had come."""
    llm = instrument(StreamModel(chunks=[chunk("one", usage(10, 1)), chunk("two")]))
    for _ in llm.stream("x"):
        break
    assert endings(captured) == [Ended("abandoned", ("abandoned",), 10, 1)]
    assert live_calls() == 0


def test_leaving_an_async_stream_is_abandoning_it(
    instrument: Instrument, captured: Captured
) -> None:
    """The event loop closes what was left, and the span says so."""
    llm = instrument(AsyncStreamModel(chunks=[chunk("one", usage(10, 1)), chunk("two")]))

    async def leave() -> None:
        async for _ in llm.astream("x"):
            break

    asyncio.run(leave())
    assert endings(captured) == [Ended("abandoned", ("abandoned",), 10, 1)]
    assert live_calls() == 0


async def test_a_stream_cut_between_chunks_is_cancelled(
    instrument: Instrument, captured: Captured
) -> None:
    """A timeout while the provider is awaited is a cancellation, with what had come."""
    chunks = [chunk("one", usage(10, 1)), chunk("two")]
    llm = instrument(AsyncStreamModel(chunks=chunks, seconds=0.05))

    async def consume() -> None:
        async for _ in llm.astream("x"):
            llm.seconds = 5

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(consume(), 0.2)
    assert endings(captured) == [Ended("cancelled", ("cancelled",), 10, 1)]


async def test_cancelled_inside_the_model(instrument: Instrument, captured: Captured) -> None:
    """The caller sees what it sees without Replymeter, and the span ends once."""
    with pytest.raises(BaseException) as bare:  # noqa: PT011  # langchain-core decides which
        await AsyncModel(errors=[asyncio.CancelledError()]).ainvoke("x")
    with pytest.raises(type(bare.value)):
        await instrument(AsyncModel(errors=[asyncio.CancelledError()])).ainvoke("x")
    assert endings(captured) == [CANCELLED]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(2)])
def test_a_process_that_stops_cancels(
    error: BaseException, instrument: Instrument, captured: Captured
) -> None:
    """Ctrl-C and exit are no errors of the provider, and reach the caller as they are."""
    with pytest.raises(type(error)) as raised:
        instrument(SyncModel(errors=[error])).invoke("x")
    assert raised.value is error
    assert endings(captured) == [CANCELLED]


def test_an_error_in_the_middle_of_a_stream(instrument: Instrument, captured: Captured) -> None:
    """The error reaches the caller as it is; what had come is kept."""
    error = RuntimeError("cut")
    llm = instrument(StreamModel(chunks=[chunk("one", usage(10, 1)), error]))
    with pytest.raises(RuntimeError) as raised:
        list(llm.stream("x"))
    assert raised.value is error
    assert endings(captured) == [Ended("error", ("error",), 10, 1, "stream_broken", "ERROR")]


def test_a_task_dropped_with_its_loop_is_abandoned_in_silence(
    instrument: Instrument, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """A coroutine that is destroyed far from where it ran still ends its span, and logs nothing."""
    llm = instrument(AsyncModel(seconds=5))
    loop = asyncio.new_event_loop()
    task = loop.create_task(llm.ainvoke("x"))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    del task
    gc.collect()
    assert endings(captured) == [Ended("abandoned", ("abandoned",), None, None)]
    assert [one for one in caplog.records if one.name == "opentelemetry.context"] == []


def test_a_stream_closed_in_another_thread_is_abandoned_in_silence(
    instrument: Instrument, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a generator is closed does not matter."""
    stream = instrument(StreamModel()).stream("x")
    next(stream)
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join()
    assert endings(captured) == [Ended("abandoned", ("abandoned",), 10, 0)]
    assert caplog.records == []


def test_what_a_collection_closes_is_told_after_it(
    instrument: Instrument, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside one the SDK may hold the locks that recording needs: then it would wait for itself."""
    inside: list[bool] = []
    record = Telemetry.record

    def noting(self: Telemetry, *args: Any) -> None:
        inside.append(collecting())
        record(self, *args)

    stream = instrument(StreamModel()).stream("x")
    next(stream)
    circle: list[Any] = [stream]
    circle.append(circle)
    monkeypatch.setattr(Telemetry, "record", noting)
    del stream, circle
    gc.collect()
    assert endings(captured) == [Ended("abandoned", ("abandoned",), 10, 0)]
    assert inside == [False]


def test_an_error_thrown_into_a_stream_closes_the_providers_at_once(
    instrument: Instrument, captured: Captured
) -> None:
    """Also while somebody keeps the error, whose traceback has our frame."""
    llm = instrument(ClosingModel())
    stream = llm._stream([])
    next(stream)
    with pytest.raises(ValueError, match="thrown") as kept:
        stream.throw(ValueError("thrown"))
    assert kept.value.__traceback__ is not None
    assert llm.closed == [True]
    assert [one.outcome for one in endings(captured)] == ["error"]


def test_what_waits_for_the_end_of_a_collection_waits_in_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exporter may take long over a span: each collection meanwhile would start another."""
    told: list[str] = []
    begun, gate, start = threading.Event(), threading.Event(), Mock(wraps=start_new_thread)
    monkeypatch.setattr(postponed, "start_new_thread", start)

    def long() -> None:
        begun.set()
        gate.wait(10)

    postponed.watch()
    settle()
    postpone(long)
    while not begun.wait(0.1):  # a thread that is about to end starts no more
        gc.collect()
    postpone(lambda: told.append("after"))
    for _ in range(5):
        gc.collect()
    gate.set()
    settle()
    assert start.call_count <= 1
    assert told == ["after"]


def test_settling_comes_to_an_end() -> None:
    """Also while as much comes as is done: a flush at exit must not wait for it."""
    told: list[int] = []

    def again() -> None:
        told.append(1)
        if len(told) < 50:
            postpone(again)

    settle()
    postpone(again)
    settle()
    assert len(told) < 50
    while len(told) < 50:
        settle()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_call_that_was_open_at_a_fork_is_the_parents(
    instrument: Instrument, captured: Captured
) -> None:
    """Both processes close the stream; it is one call, told by one of them."""
    stream = instrument(StreamModel()).stream("x")
    next(stream)
    child = os.fork()
    if not child:
        stream.close()
        os._exit(len(captured.spans))
    assert os.waitpid(child, 0)[1] == 0
    stream.close()
    assert endings(captured) == [Ended("abandoned", ("abandoned",), 10, 0)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_waits_for_the_end_of_a_collection_is_the_parents() -> None:
    """A child that is forked meanwhile does not tell it a second time."""
    told: list[int] = []
    postpone(lambda: told.append(os.getpid()))
    child = os.fork()
    if not child:
        settle()
        os._exit(len(told))
    assert os.waitpid(child, 0)[1] == 0
    settle()
    assert told == [os.getpid()]


def test_a_retry_is_a_call_of_its_own(instrument: Instrument, captured: Captured) -> None:
    """An error, then a reply: two spans, one error counted, tokens once."""
    llm = SyncModel(errors=[RuntimeError("once")])
    instrument(llm.with_retry(wait_exponential_jitter=False)).invoke("x")
    assert endings(captured) == [FAILED, OK]
    assert captured.count(names.DURATION.name, error_type="_OTHER") == 1


def test_a_fallback_is_a_call_of_its_own(instrument: Instrument, captured: Captured) -> None:
    """The first model fails, the second answers, each on its own span."""
    first = SyncModel(model="first", errors=[RuntimeError("no")])
    instrument(first.with_fallbacks([SyncModel(model="second")])).invoke("x")
    assert endings(captured) == [FAILED, OK]
    assert [span.name for span in captured.spans] == ["chat first", "chat second"]


PROMPTS = {
    "a": reply(usage_metadata=usage(1, 2)),
    "b": reply(usage_metadata=usage(3, 4)),
    "c": RuntimeError("c"),
}
BY_PROMPT = [FAILED, Ended(read=1, written=2), Ended(read=3, written=4)]


async def test_each_prompt_of_a_batch_is_a_call(instrument: Instrument, captured: Captured) -> None:
    """One fails, the others have the usage that is theirs; sync and async alike."""
    llm = instrument(PerPrompt(answers=PROMPTS))
    llm.batch(["a", "b", "c"], return_exceptions=True)
    await llm.abatch(["a", "b", "c"], return_exceptions=True)
    by_outcome = sorted(endings(captured), key=lambda one: (one.outcome or "", one.read or 0))
    assert by_outcome == [one for one in BY_PROMPT for _ in "12"]


async def test_each_prompt_of_generate_is_a_call(
    instrument: Instrument, captured: Captured
) -> None:
    """`generate` and `agenerate` take several prompts: a span for each."""
    llm = instrument(PerPrompt(answers=PROMPTS))
    prompts = [[("user", "a")], [("user", "b")]]
    llm.generate([llm._convert_input(prompt).to_messages() for prompt in prompts])
    await llm.agenerate([llm._convert_input(prompt).to_messages() for prompt in prompts])
    assert sorted(endings(captured)) == sorted([*BY_PROMPT[1:], *BY_PROMPT[1:]])


def broken(*args: Any, **kwargs: Any) -> Any:
    """Stand in for a part of Replymeter that has a bug."""
    raise ZeroDivisionError("SECRET-7f3a")


@pytest.mark.parametrize(
    ("part", "step"),
    [("read", "read"), ("read_request", "request"), ("attributes", "end"), ("Fold", "chunk")],
)
def test_a_bug_of_ours_is_ours(
    part: str,
    step: str,
    instrument: Instrument,
    captured: Captured,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reply is intact, no span is lost, each failure is counted and the first logged."""
    monkeypatch.setattr(call, part, broken)
    llm = instrument(StreamModel(chunks=[chunk("hi", usage(), finish_reason="stop")]))
    replies = ["".join(item.content for item in llm.stream("x")) for _ in range(3)]
    assert replies == ["hi"] * 3
    assert len(captured.spans) == 3
    assert captured.total(names.INTERNAL_ERRORS.name, kind=step) == 3
    (record,) = caplog.records
    assert (record.name, "SECRET" in record.getMessage()) == ("replymeter", False)


class Failing(SpanProcessor):
    """A processor of the application's that has a bug."""

    def on_end(self, span: ReadableSpan) -> None:
        """Fail."""
        raise ZeroDivisionError


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_bug_of_a_span_processor_does_not_replace_the_reply(
    mode: str, instrument: Instrument, captured: Captured
) -> None:
    """What ends a span is the application's, but the reply is worth more than the span."""
    captured.tracer_provider.add_span_processor(Failing())
    llm = instrument(StreamModel())
    assert list(getattr(llm, mode)("x"))
    llm.errors = [KeyError("mine")]
    with pytest.raises(KeyError):
        list(getattr(llm, mode)("x"))
