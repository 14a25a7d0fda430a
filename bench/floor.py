"""The floor: the same span and the same records as Replymeter's, by hand, for one shape of reply.

Values come from known keys, attribute dictionaries are built once, one method is wrapped. A test
holds that it says exactly what Replymeter says of the same call.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry import context, metrics, trace
from pydantic import PrivateAttr

from bench.model import Model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

_SERIES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
}
_ANSWERED = {**_SERIES, "gen_ai.response.model": "gpt-5-mini-2025-08-07"}
_TOKENS = {**_ANSWERED, "gen_ai.token.modality": "unknown"}
_STOP = {**_SERIES, "replymeter.finish_reason": "stop"}
_STREAMED = {**_SERIES, "gen_ai.request.stream": True}
_USAGE = "gen_ai.client.inference.usage."
_PER_CALL = "gen_ai.client.inference.operation."
_TOKEN_BUCKETS = [4**power for power in range(14)]
_TIME_BUCKETS = [0.01 * 2**power for power in range(16)]


class Instruments:
    """A tracer, and every instrument that the floor records with."""

    def __init__(
        self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None
    ) -> None:
        meter = metrics.get_meter("floor", meter_provider=meter_provider)
        counter, histogram = meter.create_counter, meter.create_histogram
        times: dict[str, Any] = {"unit": "s", "explicit_bucket_boundaries_advisory": _TIME_BUCKETS}
        tokens: dict[str, Any] = {"explicit_bucket_boundaries_advisory": _TOKEN_BUCKETS}
        self.tracer = trace.get_tracer("floor", tracer_provider=tracer_provider)
        self.duration = histogram("gen_ai.client.inference.duration", **times)
        self.first_chunk = histogram("gen_ai.client.inference.time_to_first_chunk", **times)
        self.chunk = histogram("gen_ai.client.inference.time_per_output_chunk", **times)
        self.read = counter(_USAGE + "input_tokens")
        self.written = counter(_USAGE + "output_tokens")
        self.cached = counter(_USAGE + "cache_read.input_tokens")
        self.reasoned = counter(_USAGE + "reasoning.output_tokens")
        self.read_per_call = histogram(_PER_CALL + "input_tokens", **tokens)
        self.written_per_call = histogram(_PER_CALL + "output_tokens", **tokens)
        self.reasons = counter("replymeter.finish_reasons")
        self.written_by_reason = counter("replymeter.output_tokens")
        self.utilization = histogram(
            "replymeter.output_limit.utilization",
            explicit_bucket_boundaries_advisory=[0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0],
        )

    def start(self, attributes: dict[str, Any]) -> Span:
        """The span of a call."""
        return self.tracer.start_span(
            "chat gpt-5-mini", kind=trace.SpanKind.CLIENT, attributes=attributes
        )

    def end(
        self, span: Span, seconds: float, usage: Any, said: dict[str, Any], first: float | None
    ) -> None:
        """The span's attributes, and every record while the span is current (exemplars)."""
        read, written = usage["input_tokens"], usage["output_tokens"]
        cached = usage["input_token_details"]["cache_read"]
        reasoned = usage["output_token_details"]["reasoning"]
        attributes = {
            "gen_ai.request.max_tokens": 1000,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.response.model": said["model_name"],
            "gen_ai.response.finish_reasons": (said["finish_reason"],),
            "openai.api.type": "chat_completions",
            "replymeter.outcome": "ok",
            "replymeter.finish_reasons": ("stop",),
            "gen_ai.usage.input_tokens": read,
            "gen_ai.usage.output_tokens": written,
            "gen_ai.usage.cache_read.input_tokens": cached,
            "gen_ai.usage.reasoning.output_tokens": reasoned,
        }
        if first is None:
            attributes["gen_ai.response.id"] = said["id"]
            attributes["openai.response.system_fingerprint"] = said["system_fingerprint"]
        else:
            attributes["gen_ai.request.stream"] = True
            attributes["gen_ai.response.time_to_first_chunk"] = first
            self.first_chunk.record(first, _ANSWERED)
        span.set_attributes(attributes)
        self.duration.record(seconds, _ANSWERED)
        self.read.add(read, _TOKENS)
        self.written.add(written, _TOKENS)
        self.cached.add(cached, _TOKENS)
        self.reasoned.add(reasoned, _TOKENS)
        self.read_per_call.record(read, _ANSWERED)
        self.written_per_call.record(written, _ANSWERED)
        self.reasons.add(1, _STOP)
        self.written_by_reason.add(written, _STOP)
        self.utilization.record(written / 1000, _SERIES)
        span.end()


class Floor(Model):
    """The model, instrumented by hand; made by `floor`. Of a call that fails it says nothing."""

    _made: Instruments = PrivateAttr()
    _chunk_timing: bool = False

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        started = perf_counter()
        span = self._made.start(_SERIES)
        token = context.attach(trace.set_span_in_context(span))
        try:
            result = super()._generate(*args, **kwargs)
            self._answered(span, started, result)
        finally:
            context.detach(token)
        return result

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        started = perf_counter()
        span = self._made.start(_SERIES)
        token = context.attach(trace.set_span_in_context(span))
        try:
            result = await super()._agenerate(*args, **kwargs)
            self._answered(span, started, result)
        finally:
            context.detach(token)
        return result

    def _answered(self, span: Span, started: float, result: ChatResult) -> None:
        choice: Any = result.generations[0]
        said = {**(result.llm_output or {}), **choice.generation_info}
        usage = choice.message.usage_metadata
        self._made.end(span, perf_counter() - started, usage, said, None)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        seen = Seen(self._made, self._chunk_timing)
        steps = super()._stream(*args, **kwargs)
        while True:
            token = context.attach(seen.current)
            try:
                chunk = next(steps, None)
            finally:
                context.detach(token)
            if chunk is None:
                break
            seen.take(chunk)
            yield chunk
        seen.end()

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        seen = Seen(self._made, self._chunk_timing)
        steps = super()._astream(*args, **kwargs)
        while True:
            token = context.attach(seen.current)
            try:
                chunk = await anext(steps, None)
            finally:
                context.detach(token)
            if chunk is None:
                break
            seen.take(chunk)
            yield chunk
        seen.end()


class Seen:
    """What the chunks of one stream have said so far."""

    __slots__ = ("chunk", "current", "first", "last", "made", "said", "span", "started", "usage")

    def __init__(self, made: Instruments, chunk_timing: bool) -> None:  # noqa: FBT001
        self.made = made
        self.chunk = made.chunk if chunk_timing else None
        self.started = perf_counter()
        self.span = made.start(_STREAMED)
        self.current = trace.set_span_in_context(self.span)
        self.first: float | None = None
        self.last = 0.0
        self.said: dict[str, Any] = {}
        self.usage: Any = None

    def take(self, chunk: Any) -> None:
        """One chunk: its time, its metadata, its usage."""
        now = perf_counter()
        if self.first is None:
            self.first = now - self.started
        elif self.chunk:
            self.chunk.record(now - self.last, _SERIES, self.current)
        self.last = now
        if chunk.generation_info:
            self.said.update(chunk.generation_info)
        if chunk.message.usage_metadata:
            self.usage = chunk.message.usage_metadata

    def end(self) -> None:
        """The stream gave all its chunks."""
        seconds = perf_counter() - self.started
        token = context.attach(self.current)
        self.made.end(self.span, seconds, self.usage, self.said, self.first)
        context.detach(token)


def floor(
    tracer_provider: TracerProvider | None,
    meter_provider: MeterProvider | None,
    *,
    chunk_timing: bool = False,
) -> Floor:
    """A model that is instrumented by hand."""
    model = Floor()
    model._made = Instruments(tracer_provider, meter_provider)
    model._chunk_timing = chunk_timing
    return model
