"""Every call ends exactly once, as what it was: ok, error, cancelled or abandoned."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from opentelemetry import trace
from pydantic import Field
from opentelemetry.context import get_current, get_value

import replymeter
from replymeter import call, conventions as names
from replymeter.conventions import SECONDS_BUCKETS, TOKEN_BUCKETS
from tests.fakes import (
    CANCELLED,
    FAILED,
    OK,
    AsyncModel,
    AsyncStreamModel,
    CallsSuper,
    Ended,
    EventModel,
    PerPrompt,
    Provider,
    Router,
    StreamModel,
    StreamsInside,
    SyncModel,
    chunk,
    endings,
    reply,
    result,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.language_models import BaseChatModel
    from langchain_core.outputs import ChatResult

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

MISSING = Ended("ok", ("stop",), None, None)


def attributes(captured: Captured) -> Mapping[str, Any]:
    """The attributes of the only span."""
    (span,) = captured.spans
    return span.attributes or {}


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


def test_a_thread_that_nobody_waits_for_ends_ok(
    instrument: Instrument, captured: Captured
) -> None:
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


def test_a_repeated_last_chunk_is_one_ending(instrument: Instrument, captured: Captured) -> None:
    """LangChain's merge says `stopstop` and `gptgpt`; the span and the labels do not."""
    last = chunk(finish_reason="stop", model_name="gpt")
    instrument(StreamModel(chunks=[chunk("hi", usage()), last, last])).invoke("x", stream=True)
    said = attributes(captured)
    assert said[names.RESPONSE_FINISH_REASONS] == ("stop",)
    assert said[names.RESPONSE_MODEL] == "gpt"
    assert endings(captured) == [OK]
    assert {labels[names.RESPONSE_MODEL] for labels, _ in captured.points(names.DURATION.name)} == {
        "gpt"
    }


@pytest.mark.parametrize(
    ("counts", "suspect"),
    [([(10, 1), (10, 2), (10, 3)], True), ([(10, 1), (0, 1), (0, 1)], None)],
    ids=["running totals", "deltas"],
)
def test_running_totals_are_not_added(
    counts: list[tuple[int, int]],
    suspect: bool | None,
    instrument: Instrument,
    captured: Captured,
) -> None:
    """The last of repeated totals counts, and is marked; deltas are added."""
    chunks = [chunk("word", usage(*count)) for count in counts]
    list(instrument(StreamModel(chunks=[*chunks, chunk(finish_reason="stop")])).stream("x"))
    assert endings(captured) == [Ended(read=10, written=3)]
    assert attributes(captured).get(names.USAGE_SUSPECT) is suspect


def test_a_cached_reply_is_no_call(instrument: Instrument, captured: Captured) -> None:
    """What LangChain's cache answers cost nothing: one span, counted once."""
    llm = instrument(SyncModel(cache=InMemoryCache()))
    llm.invoke("x")
    llm.invoke("x")
    assert endings(captured) == [OK]


def test_choices_share_one_usage(instrument: Instrument, captured: Captured) -> None:
    """Two choices with the same usage on both count it once, and each its own ending."""
    answer = result(reply(), reply(reason="length"))
    instrument(SyncModel(answer=answer)).invoke("x")
    assert endings(captured) == [Ended(reasons=("stop", "length"))]
    assert captured.total(names.OUTPUT_TOKENS_BY_REASON.name, finish_reason="mixed") == 20


TTL = {"cache_read": 800, "cache_creation": 0, "ephemeral_5m_input_tokens": 150}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (usage(1000, 5, input_token_details=TTL), (1000, 5, 800, 150, None)),
        (
            usage(17903, 5, input_token_details={"cache_read": 17817}),
            (17903, 5, 17817, None, None),
        ),
        (usage(41, 5, total_tokens=389), (41, 5, None, None, 343)),
        (usage(0, 0), (0, 0, None, None, None)),
    ],
    ids=["5m cache", "cache", "unattributed", "zeros"],
)
def test_counts_are_what_was_reported(
    counts: Any, told: tuple[int | None, ...], instrument: Instrument, captured: Captured
) -> None:
    """Input includes the cached; a zero that was reported is a zero; no sum is made up."""
    instrument(SyncModel(answer=result(reply(usage_metadata=counts)))).invoke("x")
    said = attributes(captured)
    on_span = (
        names.USAGE_INPUT_TOKENS,
        names.USAGE_OUTPUT_TOKENS,
        names.USAGE_CACHE_READ,
        names.USAGE_CACHE_WRITE,
        names.UNATTRIBUTED_TOKENS,
    )
    assert tuple(said.get(name) for name in on_span) == told
    assert endings(captured) == [Ended(read=told[0], written=told[1])]
    assert captured.total(names.CACHE_READ_TOKENS.name) == (told[2] or 0)
    assert captured.total(names.CACHE_WRITE_TOKENS.name) == (told[3] or 0)
    assert captured.total(names.USAGE_MISSING.name) == 0


def test_usage_that_was_not_reported_is_missing(
    instrument: Instrument, captured: Captured
) -> None:
    """No token attribute, no token series, one `usage_missing`."""
    instrument(SyncModel(answer=result(reply(usage_metadata=None)))).invoke("x")
    assert [name for name in attributes(captured) if "usage" in name] == []
    assert captured.points(names.INPUT_TOKENS.name) == []
    assert captured.total(names.USAGE_MISSING.name, outcome="ok") == 1
    assert endings(captured) == [MISSING]


@pytest.mark.parametrize(
    ("kind", "metadata", "reasons", "blocks"),
    [
        (
            "vertexai",
            {
                "prompt_feedback": {"block_reason": "SAFETY"},
                "safety_ratings": [
                    {"category": "HARM_CATEGORY_HARASSMENT", "probability_label": "NEGLIGIBLE"}
                ],
            },
            ("content_filter",),
            (("prompt", "other"),),
        ),
        (
            "openai-chat",
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            ("length",),
            (),
        ),
    ],
    ids=["blocked prompt", "Responses cut"],
)
def test_a_providers_own_way_to_end(
    kind: str,
    metadata: dict[str, Any],
    reasons: tuple[str, ...],
    blocks: tuple[tuple[str, str], ...],
    instrument: Instrument,
    captured: Captured,
) -> None:
    """A blocked prompt is no error, a rating that passed is no block, `incomplete` has a reason."""
    message = reply("", None, response_metadata=metadata)
    instrument(Provider(kind=kind, answer=result(message))).invoke("x")
    said = attributes(captured)
    told = zip(
        said.get(names.BLOCK_STAGES, ()), said.get(names.BLOCK_CATEGORIES, ()), strict=True
    )
    assert tuple(told) == blocks
    assert endings(captured) == [Ended(reasons=reasons)]
    assert captured.total(names.SAFETY_BLOCKS.name) == len(blocks)


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
    replies = [[item.content for item in llm.stream("x")][0] for _ in range(3)]
    assert replies == ["hi"] * 3
    assert len(captured.spans) == 3
    assert captured.total(names.INTERNAL_ERRORS.name, kind=step) == 3
    (record,) = caplog.records
    assert (record.name, "SECRET" in record.getMessage()) == ("replymeter", False)


def test_model_names_are_capped(instrument: Instrument, captured: Captured) -> None:
    """1,000 response models give the first 50 and `other`, and no overflow series."""
    llm = instrument(SyncModel())
    for number in range(1000):
        llm.answer = result(reply(response_metadata={"model_name": f"m-{number}"}))
        llm.invoke("x")
    models = {labels.get(names.RESPONSE_MODEL) for labels, _ in captured.points(names.DURATION.name)}
    assert models == {*(f"m-{number}" for number in range(50)), "other"}
    assert captured.total(names.INPUT_TOKENS.name) == 10_000


def test_big_numbers_keep_their_bucket(instrument: Instrument, captured: Captured) -> None:
    """200,000 tokens lie between two boundaries, not beyond the last."""
    instrument(SyncModel(answer=result(reply(usage_metadata=usage(200_000, 1))))).invoke("x")
    ((_, point),) = captured.points(names.INPUT_TOKENS_PER_CALL.name)
    bucket = point.bucket_counts.index(1)
    assert point.explicit_bounds == TOKEN_BUCKETS
    assert TOKEN_BUCKETS[bucket - 1] < 200_000 <= TOKEN_BUCKETS[bucket] < TOKEN_BUCKETS[-1]
    ((_, duration),) = captured.points(names.DURATION.name)
    assert duration.explicit_bounds == SECONDS_BUCKETS


def test_a_router_is_not_the_provider(instrument: Instrument, captured: Captured) -> None:
    """The model inside is the call that counts; the one around it keeps its span, without usage."""
    inner = instrument(SyncModel(model="inner"))
    instrument(Router(model="outer", inner=inner)).invoke("x")
    inside, around = captured.spans
    assert (inside.name, around.name) == ("chat inner", "chat outer")
    assert inside.parent == around.context
    assert [names.DELEGATED in (span.attributes or {}) for span in captured.spans] == [False, True]
    assert captured.count(names.DURATION.name) == 1
    assert captured.total(names.FINISH_REASON_COUNT.name) == 1
    assert captured.total(names.INPUT_TOKENS.name) == 10


def test_a_router_around_a_bare_model_counts(instrument: Instrument, captured: Captured) -> None:
    """What nobody instrumented inside cannot count, so the outer call does."""
    instrument(Router(model="outer")).invoke("x")
    assert endings(captured) == [OK]


def test_a_model_that_streams_inside_is_one_call(
    instrument: Instrument, captured: Captured
) -> None:
    """Its own `_stream` is a part of the call, and its chunks are seen."""
    instrument(StreamsInside()).invoke("x")
    assert endings(captured) == [OK]
    assert attributes(captured)[names.REQUEST_STREAM] is True
    assert captured.count(names.TIME_TO_FIRST_CHUNK.name) == 1


def test_a_model_that_calls_its_parent_is_one_call(
    instrument: Instrument, captured: Captured
) -> None:
    """`super()._generate` is a part of the call, also when the parent's class is wrapped."""
    instrument(SyncModel())
    instrument(CallsSuper()).invoke("x")
    assert endings(captured) == [OK]


def test_a_native_event_stream_ends_with_its_message(
    instrument: Instrument, captured: Captured
) -> None:
    """LangChain reads no further than `message-finish`: that is the end, and it is ok."""
    events = instrument(EventModel()).stream_events("x", version="v3")
    list(events)
    assert endings(captured) == [OK]
    assert captured.count(names.TIME_TO_FIRST_CHUNK.name) == 1


async def test_a_native_async_event_stream_is_one_call(
    instrument: Instrument, captured: Captured
) -> None:
    """The same for the asynchronous hook."""
    async for _ in await instrument(EventModel()).astream_events("x", version="v3"):
        pass
    assert endings(captured) == [OK]


def test_the_first_chunk_counts_even_when_empty(
    instrument: Instrument, captured: Captured
) -> None:
    """Time to first chunk is the time to the first chunk, also to one that says nothing."""
    instrument(StreamModel(chunks=[chunk(), chunk("hi", usage())])).invoke("x", stream=True)
    assert captured.count(names.TIME_TO_FIRST_CHUNK.name) == 1


def test_chunks_are_timed_when_asked(instrument: Instrument, captured: Captured) -> None:
    """Each chunk after the first is one record, only with `chunk_timing`."""
    list(instrument(StreamModel()).stream("x"))
    assert captured.count(names.TIME_PER_OUTPUT_CHUNK.name) == 0
    list(instrument(StreamModel(), chunk_timing=True).stream("x"))
    assert captured.count(names.TIME_PER_OUTPUT_CHUNK.name) == 2


class Instrumented(SyncModel):
    """Calls an SDK that OpenTelemetry's own instrumentation has patched."""

    handler: Any = None

    def _answer(self, messages: Any) -> ChatResult:
        with self.handler.inference("openai", request_model="fake-1") as inside:
            inside.input_tokens = 10
        return super()._answer(messages)


def test_official_instrumentation_underneath_folds_in(
    instrument: Instrument, captured: Captured
) -> None:
    """By itself it makes a span; below a call of ours it makes none, so nothing counts twice."""
    from opentelemetry.util.genai.handler import TelemetryHandler

    handler = TelemetryHandler(captured.tracer_provider, captured.meter_provider)
    llm = Instrumented(handler=handler)
    llm.invoke("x")
    instrument(llm).invoke("x")
    assert [span.instrumentation_scope.name for span in captured.spans if span.instrumentation_scope] == [
        "opentelemetry.util.genai.handler",
        "replymeter",
    ]


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_suppressed_instrumentation_emits_nothing(
    mode: str, instrument: Instrument, captured: Captured
) -> None:
    """`suppress_instrumentation` is for us, too."""
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    llm = instrument(StreamModel())
    with suppress_instrumentation():
        assert list(getattr(llm, mode)("x"))
    assert captured.spans == ()


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


def test_consumers_see_no_span_of_ours_between_chunks(instrument: Instrument) -> None:
    """The span is current while the provider works, not while the consumer does."""
    before = get_current()
    seen = [trace.get_current_span() for _ in instrument(StreamModel()).stream("x")]
    assert {span.get_span_context().is_valid for span in seen} == {False}
    assert get_current() is before


SCRIPT = """
import logging, sys
logging.basicConfig(format="%(levelname)s %(message)s")
import langchain_core.language_models, opentelemetry.trace, opentelemetry.metrics

import replymeter
from replymeter import instrument
loaded = {name.partition(".")[0] for name in sys.modules}
assert not {name for name in loaded if name.startswith("langchain_")} - {"langchain_core", "langchain_protocol"}

assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")]
from langchain_core.language_models import FakeListChatModel
llm = instrument(FakeListChatModel(responses=["hi"]))
print([llm.invoke("x").content for _ in "123"])
assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")]
"""


def test_without_an_sdk_everything_works_and_says_so_once() -> None:
    """Importing loads no SDK and no provider's package; calls pass, with one warning in all."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "['hi', 'hi', 'hi']\n"), ran.stderr
    assert ran.stderr.count("WARNING replymeter: no OpenTelemetry SDK") == 1
    assert ran.stderr.count("\n") == 1


def test_streams_of_openai_lookalikes_are_advised(
    instrument: Instrument, caplog: pytest.LogCaptureFixture
) -> None:
    """A ChatOpenAI that does not ask for usage in streams is told of at `instrument`, once."""
    from langchain_openai import ChatOpenAI

    server = {"base_url": "http://127.0.0.1:1", "api_key": "not-a-key"}
    instrument(ChatOpenAI(**server, stream_usage=True))
    assert caplog.records == []
    instrument(instrument(ChatOpenAI(**server)))
    (record,) = caplog.records
    assert "stream_usage=True" in record.getMessage()
