"""Other layers that see the same call: the Anthropic SDK's own span, HTTP spans, exemplars."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

import replymeter
from replymeter import conventions as names
from replymeter.demo.models import chat_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

SDK = "com.anthropic.sdk.python"


@pytest.fixture
def as_global(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """`captured` is the global tracer provider, which the SDK's spans go to by default."""
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: captured.tracer_provider)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", captured.tracer_provider)


async def _astream(llm: Any) -> None:
    async for _ in llm.astream("x"):
        pass


CALLS: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda llm: llm.invoke("x"),
    "ainvoke": lambda llm: asyncio.run(llm.ainvoke("x")),
    "stream": lambda llm: list(llm.stream("x")),
    "astream": lambda llm: asyncio.run(_astream(llm)),
}


def _scopes(captured: Captured) -> list[str]:
    scopes = (span.instrumentation_scope for span in captured.spans)
    return sorted(scope.name for scope in scopes if scope)


@pytest.mark.usefixtures("as_global")
@pytest.mark.parametrize("mode", list(CALLS))
def test_the_anthropic_sdk_is_silent_inside_an_instrumented_call(
    mode: str, wire: WireServer, instrument: Callable[..., Any], captured: Captured
) -> None:
    """Summed over spans the tokens are the wire's: one span has them, in every mode."""
    llm = instrument(chat_model("anthropic", wire.url("anthropic", "ok")))

    CALLS[mode](llm)

    assert _scopes(captured) == ["replymeter"]
    tokens = [(span.attributes or {})[names.USAGE_INPUT_TOKENS] for span in captured.spans]
    assert tokens == [1117]


@pytest.mark.usefixtures("as_global")
@pytest.mark.parametrize("mode", list(CALLS))
def test_the_anthropic_sdk_goes_on_outside(
    mode: str, wire: WireServer, instrument: Callable[..., Any], captured: Captured
) -> None:
    """Where nothing is instrumented, before or after, the SDK's span is as it was."""
    bare = chat_model("anthropic", wire.url("anthropic", "ok"))
    llm = chat_model("anthropic", wire.url("anthropic", "ok"))
    instrument(llm)
    replymeter.uninstrument(llm)

    CALLS[mode](bare)
    CALLS[mode](llm)

    assert _scopes(captured) == [SDK, SDK]


def test_every_measurement_of_a_call_links_to_its_span(
    wire: WireServer, instrument: Callable[..., Any], captured: Captured
) -> None:
    """Exemplars carry the span's ids, also of metrics that are recorded after the reply came."""
    list(instrument(chat_model("openai", wire.url("openai", "ok"))).stream("x"))

    (span,) = captured.spans
    context = span.get_span_context()
    assert context is not None
    data = captured._reader.get_metrics_data()  # once: the next one has no exemplars any more
    assert data is not None
    linked = {
        metric.name: {(exemplar.trace_id, exemplar.span_id) for exemplar in point.exemplars}
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if getattr(point, "count", 0) or getattr(point, "value", 0)
    }
    assert names.DURATION.name in linked
    assert names.TIME_TO_FIRST_CHUNK.name in linked
    assert set(map(frozenset, linked.values())) == {
        frozenset({(context.trace_id, context.span_id)})
    }
