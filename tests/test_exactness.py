"""Span = metric = wire, for each case of each provider in each call mode."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from replymeter import conventions as names
from replymeter.demo.cases import case_names, expected, load_case
from replymeter.demo.models import FLAVOURS, chat_model, installed
from tests.older import as_handed_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from langchain_core.language_models import BaseChatModel

    from replymeter.demo.grpc_server import GrpcServer
    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

MODES = ("invoke", "ainvoke", "stream", "astream")
HELLO = [("user", "Tell me a story.")]
KEEPS_LOOP = {"fireworks", "gemini", "gemini_vertex"}
"""Whose asynchronous client belongs to the event loop that it was first used in."""

# What the wire says, and where the span says it.
ON_SPAN = {
    "input_tokens": (names.USAGE_INPUT_TOKENS,),
    "output_tokens": (names.USAGE_OUTPUT_TOKENS,),
    "cache_read": (names.USAGE_CACHE_READ,),
    "cache_write": (names.USAGE_CACHE_WRITE,),
    "reasoning": (names.USAGE_REASONING,),
    "finish_reasons": (names.RESPONSE_FINISH_REASONS,),
    "normalised": (names.FINISH_REASONS,),
    "response_model": (names.RESPONSE_MODEL,),
    "response_id": (names.RESPONSE_ID,),
    "error_type": (names.ERROR_TYPE,),
    "service_tier": (names.SERVICE_TIER, names.OPENAI_RESPONSE_SERVICE_TIER),
    "system_fingerprint": (names.SYSTEM_FINGERPRINT, names.OPENAI_RESPONSE_SYSTEM_FINGERPRINT),
    "stop_sequence": (names.STOP_SEQUENCE,),
    "queue_time": (names.QUEUE_TIME,),
    "prompt_time": (names.PROMPT_TIME,),
    "completion_time": (names.COMPLETION_TIME,),
    "total_time": (names.TOTAL_TIME,),
    "mean_logprob": (names.MEAN_LOGPROB,),
    "citations": (names.CITATIONS,),
}
# What the wire says, and the metric whose sum must say it, too.
IN_METRIC = {
    "input_tokens": (names.INPUT_TOKENS, names.INPUT_TOKENS_PER_CALL),
    "output_tokens": (
        names.OUTPUT_TOKENS,
        names.OUTPUT_TOKENS_PER_CALL,
        names.OUTPUT_TOKENS_BY_REASON,
    ),
    "cache_read": (names.CACHE_READ_TOKENS,),
    "cache_write": (names.CACHE_WRITE_TOKENS,),
    "reasoning": (names.REASONING_TOKENS,),
}


def cases() -> Iterator[Any]:
    """Every flavour, case and mode that the wire has."""
    for flavour in FLAVOURS:
        for name in case_names(flavour):
            for mode in MODES:
                kind = "stream" if "stream" in mode else "invoke"
                if kind in load_case(flavour, name):
                    yield pytest.param(flavour, name, mode, id=f"{flavour}-{name}-{mode}")


@lru_cache
def shared(flavour: str, url: str) -> BaseChatModel:
    """One model a flavour: making its client takes longer than a call."""
    return chat_model(flavour, url)


@pytest.fixture
def model(wire: WireServer, grpc: GrpcServer) -> Callable[[str, str, str], BaseChatModel]:
    """The real class of a flavour, at the wire server; VertexAI's async side speaks gRPC only."""

    def model(flavour: str, name: str, mode: str) -> BaseChatModel:
        if not installed(flavour):
            pytest.skip(f"the package of {flavour} is not installed")
        if flavour == "vertexai" and mode.startswith("a"):
            return chat_model(flavour, grpc.url(name), transport="grpc")
        if flavour in KEEPS_LOOP and mode.startswith("a"):
            return chat_model(flavour, wire.url(flavour, name))
        return shared(flavour, wire.add(flavour, "current", load_case(flavour, name)))

    return model


def call(llm: BaseChatModel, mode: str, **kwargs: Any) -> None:
    """Call *llm* in *mode*; what it raises is the case's affair."""

    async def acall() -> None:
        if mode == "ainvoke":
            await llm.ainvoke(HELLO, **kwargs)
        else:
            async for _ in llm.astream(HELLO, **kwargs):
                pass

    with suppress(Exception):
        if mode == "invoke":
            llm.invoke(HELLO, **kwargs)
        elif mode == "stream":
            for _ in llm.stream(HELLO, **kwargs):
                pass
        else:
            asyncio.run(acall())


def on_span(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the span says, in the wire cases' words."""
    said: dict[str, Any] = {}
    for key, places in ON_SPAN.items():
        for name in places:
            if name in attributes:
                value = attributes[name]
                said[key] = list(value) if isinstance(value, tuple) else value
    if names.BLOCK_STAGES in attributes:
        pairs = zip(attributes[names.BLOCK_STAGES], attributes[names.BLOCK_CATEGORIES], strict=True)
        said["blocks"] = sorted(map(list, pairs))
    return said


def in_metrics(captured: Captured) -> dict[str, Any]:
    """What the metrics say, in the wire cases' words; a metric without a series says nothing."""
    said: dict[str, Any] = {}
    for key, metrics in IN_METRIC.items():
        totals = {captured.total(metric.name) for metric in metrics if captured.points(metric.name)}
        reported = captured.points(metrics[0].name)
        if reported:
            assert len(totals) == 1, f"{key}: {totals}"
            said[key] = totals.pop()
    counted = {
        labels[names.FINISH_REASON]: point.value
        for labels, point in captured.points(names.FINISH_REASON_COUNT.name)
        if point.value
    }
    said["normalised"] = sorted(Counter(counted).elements())
    blocked = [
        [labels[names.BLOCK_STAGE], labels[names.BLOCK_CATEGORY]]
        for labels, point in captured.points(names.SAFETY_BLOCKS.name)
        for _ in range(int(point.value))
    ]
    if blocked:
        said["blocks"] = sorted(blocked)
    errors = [
        labels[names.ERROR_TYPE]
        for labels, _ in captured.points(names.DURATION.name)
        if names.ERROR_TYPE in labels
    ]
    if errors:
        (said["error_type"],) = errors
    return said


@pytest.mark.parametrize(("flavour", "name", "mode"), list(cases()))
def test_span_metric_and_wire_say_the_same(
    flavour: str,
    name: str,
    mode: str,
    model: Callable[[str, str, str], BaseChatModel],
    instrument: Callable[..., Any],
    captured: Captured,
) -> None:
    """One call gives one span and the metrics that the wire's numbers ask for, and no others."""
    case = load_case(flavour, name)
    grpc = flavour == "vertexai" and mode.startswith("a")
    want = expected(case, stream="stream" in mode, grpc=grpc)
    want = as_handed_on(want, f"{flavour}-{name}-{mode}")
    if "blocks" in want:
        want["blocks"] = sorted(map(list, want["blocks"]))

    call(instrument(model(flavour, name, mode)), mode, **case.get("request", {}))

    (span,) = captured.spans
    assert want == on_span(span.attributes or {})
    metric_keys = {*IN_METRIC, "normalised", "blocks", "error_type"}
    in_metric = {key: value for key, value in want.items() if key in metric_keys}
    in_metric["normalised"] = sorted(want["normalised"])
    assert in_metric == in_metrics(captured)
    assert captured.total(names.INTERNAL_ERRORS.name) == 0
    assert captured.count(names.DURATION.name) == 1
    missing = "error_type" not in want and not {"input_tokens", "output_tokens"} & set(want)
    assert captured.total(names.USAGE_MISSING.name) == missing
