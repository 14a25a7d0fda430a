"""Calls inside of calls, what surrounds them, and what is loaded to make them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.context import get_current

from replymeter import conventions as names
from tests.fakes import (
    OK,
    AsyncStreamModel,
    CallsSuper,
    EventModel,
    Router,
    StreamModel,
    StreamsInside,
    SyncModel,
    endings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.outputs import ChatResult

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]


# The typed event streams are in beta.
pytestmark = pytest.mark.filterwarnings(
    "ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"
)


def attributes(captured: Captured) -> Mapping[str, Any]:
    """The attributes of the only span."""
    (span,) = captured.spans
    return span.attributes or {}


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
    assert [getattr(span.instrumentation_scope, "name", None) for span in captured.spans] == [
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


def test_consumers_see_no_span_of_ours_between_chunks(instrument: Instrument) -> None:
    """The span is current while the provider works, not while the consumer does."""
    before = get_current()
    seen = [trace.get_current_span() for _ in instrument(StreamModel()).stream("x")]
    assert {span.get_span_context().is_valid for span in seen} == {False}
    assert get_current() is before


SCRIPT = """
import logging, sys
logging.basicConfig(format="%(levelname)s %(message)s")
sys.modules["opentelemetry.sdk"] = None  # as if it were not installed
from langchain_core.language_models import BaseChatModel, FakeListChatModel
before = set(sys.modules)
import replymeter
llm = replymeter.instrument(FakeListChatModel(responses=["hi"]))
print([llm.invoke("x").content for _ in "123"])
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
assert not loaded & {"langchain_openai", "langchain_anthropic", "openai", "anthropic"}, loaded
"""


def test_without_an_sdk_everything_works_and_says_so_once() -> None:
    """It needs no SDK, loads no provider's package, and gives one warning in all."""
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

    server: dict[str, Any] = {"base_url": "http://127.0.0.1:1", "api_key": "not-a-key"}
    instrument(ChatOpenAI(**server, stream_usage=True))
    assert caplog.records == []
    instrument(instrument(ChatOpenAI(**server)))
    (record,) = caplog.records
    assert "stream_usage=True" in record.getMessage()


async def test_calls_at_top_level_are_traces_of_their_own(
    instrument: Instrument, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """Two calls, two traces; the current span and context are as they were, nothing is logged."""
    llm, before = instrument(AsyncStreamModel()), get_current()
    await llm.ainvoke("x")
    assert [_ async for _ in llm.astream("x")]
    assert get_current() is before
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert len({span.context.trace_id for span in captured.spans if span.context}) == 2
    assert caplog.records == []


class Traced(AsyncStreamModel):
    """Makes a span of its own for each request, as an HTTP client's instrumentation does."""

    tracer: Any = None

    def _fail(self) -> None:
        with self.tracer.start_as_current_span("POST"):
            pass


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream", "astream"])
async def test_spans_of_the_provider_call_are_children(
    mode: str, instrument: Instrument, captured: Captured
) -> None:
    """A request's span is a child of the call's, which is a child of the application's."""
    tracer = captured.tracer_provider.get_tracer("test")
    llm = instrument(Traced(tracer=tracer))
    with tracer.start_as_current_span("app"):
        called = getattr(llm, mode)("x")
        if mode == "ainvoke":
            await called
        elif mode == "astream":
            assert [_ async for _ in called]
        else:
            assert list(called)
    request, chat, application = captured.spans
    assert (request.name, chat.name, application.name) == ("POST", "chat fake-1", "app")
    assert (request.parent, chat.parent) == (chat.context, application.context)
