"""One provider call from start to end: clock, span, context, ending. One frame, no other state."""

from __future__ import annotations

from functools import partial
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode

from replymeter import conventions as names
from replymeter.content import Content
from replymeter.cost import NO_USAGE
from replymeter.emit import attributes, finish_reasons, measurements, sampled_attributes
from replymeter.events import chunk_of, is_last
from replymeter.failures import read_failure
from replymeter.fold import Fold
from replymeter.layers import around, span_of_another, util_genai_context
from replymeter.older import older_measurements
from replymeter.postponed import collecting, forks, postpone
from replymeter.read import choices_of, completed, read
from replymeter.reading import Cost, Ending, Failure, Reading, Request, Timing
from replymeter.request import conversation_id, read_request
from replymeter.switch import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from langchain_core.language_models import BaseChatModel
    from langchain_core.outputs import ChatResult
    from opentelemetry.trace import Span

    from replymeter.emit import Measurement
    from replymeter.marks import Instrumentation
    from replymeter.providers import Target
    from replymeter.telemetry import Series

    Take = Callable[[Any], object]

_CALL = create_key("replymeter-call")
WATCHED = create_key("replymeter-watched")
_UNREAD = Reading()


def current_call() -> Call | None:
    """The innermost call that runs here, None outside of one."""
    call = current().get(_CALL)
    return call if isinstance(call, Call) and not call.ended else None


def _ignore(_: Any) -> None: ...


class Call:
    """One call of one model, from `_generate` (or its kin) to its return, error or end.

    `context` is current while the provider works. Exactly one of `returned`,
    `exhausted` and `raised` ends it; none of them raises.
    """

    __slots__ = (
        "_content",
        "_delegated",
        "_fold",
        "_forks",
        "_last_chunk",
        "_outer",
        "_own_context",
        "_request",
        "_sampled",
        "_series",
        "_settings",
        "_span",
        "_started",
        "_target",
        "_telemetry",
        "context",
        "ended",
        "model",
    )

    def __init__(
        self,
        model: BaseChatModel,
        instrumentation: Instrumentation,
        target: Target,
        outer: Call | None,
    ) -> None:
        self.model = model
        self.ended = False
        self._settings = instrumentation.settings
        self._fold: Fold | None = None
        self._content: Content | None = None
        self._target = target
        self._telemetry = instrumentation.telemetry
        self._outer = outer
        self._delegated = False
        self._forks = forks()
        self._last_chunk: float | None = None

    def start(self, arguments: Mapping[str, Any], *, streamed: bool) -> None:
        """Start the span, with what samplers may look at."""
        provider = self._target.provider
        try:
            self._request = read_request(self.model, arguments, provider, streamed=streamed)
        except Exception as error:  # noqa: BLE001
            self._request = Request(streamed=streamed)
            self._telemetry.failed("request", error)
        model = self._request.model
        self._series: Series = self._telemetry.series(self._target, model, self._settings)
        self._sampled = sampled_attributes(self._target, self._request, self._settings.labels)
        if self._settings.own_span:
            # A sampler or processor of the application's may raise: the metrics count all the same.
            self._span = self._guarded("begin", INVALID_SPAN, self._start_span, model)
        else:
            self._span = span_of_another(arguments) or INVALID_SPAN
        if self._span.is_recording() or self._settings.content is not None:
            # Not where nobody would see it: it takes a search.
            self._guarded("request", None, self._add_conversation, arguments)
        ours = {_CALL: self, WATCHED: self if streamed else None, **util_genai_context()}
        self.context = around(self._span, ours)
        self._own_context = self.context
        self._started = perf_counter()

    def _guarded(self, step: str, otherwise: Any, function: Callable[..., Any], *given: Any) -> Any:
        """What *function* returns; when it raises, *otherwise*, and a failure is counted."""
        try:
            return function(*given)
        except Exception as broken:  # noqa: BLE001
            self._telemetry.failed(step, broken, self._series)
            return otherwise

    def _start_span(self, model: str | None) -> Span:
        name = f"{names.OPERATION} {model}" if model else names.OPERATION
        return self._telemetry.tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=self._sampled
        )

    def _add_conversation(self, arguments: Mapping[str, Any]) -> None:
        said = conversation_id(arguments, self._settings.conversation_keys)
        if said is not None:
            self._sampled[names.CONVERSATION_ID] = said
            self._span.set_attribute(names.CONVERSATION_ID, said)

    def capture(self, messages: Any, tools: Any) -> None:
        """Keep *messages*, the *tools* that are offered, and what comes, if that was asked for."""
        if self._settings.content:
            self._content = Content(self._settings.content, messages, tools, self._telemetry)

    def chunks(self) -> Take:
        """What takes each `ChatGenerationChunk`, as it comes."""
        take: Take = self._guarded("chunk", _ignore, self._taker)
        return take

    def _taker(self) -> Take:
        if self._fold is None:
            telemetry, series = self._telemetry, self._series
            self._fold = Fold(
                self._target.provider,
                self._request.choices,
                lambda error: telemetry.failed("chunk", error, series),
            )
        if self._settings.chunk_timing or self._content is not None:
            return self._look_closer
        return self._fold.take

    def events(self) -> Take:
        """What takes each event of a native event stream, until the message's end."""
        take = self.chunks()

        def event(item: Any) -> None:
            self._guarded("chunk", None, lambda: take(chunk_of(item)))
            if is_last(item):
                self.exhausted()  # LangChain reads no further

        return event

    def _look_closer(self, item: Any) -> None:
        now, before = perf_counter(), self._last_chunk
        self._last_chunk = now
        if self._settings.chunk_timing and before is not None:
            took = ((names.TIME_PER_OUTPUT_CHUNK, now - before, ()),)
            self._guarded("emit", None, self._record, took, None)
        if self._content is not None:
            self._guarded("content", None, self._content.take, item)
        if self._fold is not None:
            self._fold.take(item)

    def returned(self, result: ChatResult) -> None:
        """The call gave *result*; where it streamed inside, the chunks say more than it."""
        self._end("ok", None, result)

    def exhausted(self) -> None:
        """The stream gave all its chunks."""
        self._end("ok", None, None)

    def raised(self, error: BaseException) -> None:
        """The call ended by *error*: its own, a cancellation, or a consumer that went away."""
        if isinstance(error, Exception):
            self._end("error", error, None)
        else:
            self._end("abandoned" if isinstance(error, GeneratorExit) else "cancelled", None, None)

    def _end(self, outcome: str, error: Exception | None, result: ChatResult | None) -> None:
        if self.ended or self._forks != forks():
            return
        duration, now = perf_counter() - self._started, time_ns()
        self.ended = True
        if self._outer is not None and outcome != "error":  # it made the call, and counts it
            self._outer._delegated = True  # noqa: SLF001
        self._outer = None
        if collecting():
            postpone(partial(self._tell, outcome, error, result, duration, now))
        else:
            self._tell(outcome, error, result, duration, now)

    def _tell(
        self,
        outcome: str,
        error: Exception | None,
        result: ChatResult | None,
        duration: float,
        now: int,
    ) -> None:
        try:
            failure = None if error is None else self._failure(error)
            reading = self._guarded("read", _UNREAD, self._read, result)
            fold = self._fold
            timing = fold.timing(self._started, duration) if fold else Timing(duration)
            ending = Ending(
                outcome=outcome,
                reasons=finish_reasons(outcome, reading, failure),
                request=self._request,
                reading=reading,
                timing=timing,
                failure=failure,
                cost=self._cost(outcome, reading),
            )
            self._emit(ending, self._content.read(result, error) if self._content else {})
        except Exception as broken:  # noqa: BLE001
            self._telemetry.failed("end", broken, self._series)
        if self._settings.own_span:
            self._guarded("end", None, self._span.end, now)
        self.context = self._own_context = Context()  # they hold this call: no cycle may be left

    def _record(self, numbers: Iterable[Measurement], response_model: str | None) -> None:
        self._telemetry.record(self._series, numbers, response_model, self._own_context)

    def _failure(self, error: Exception) -> Failure:
        unread = Failure(type="_OTHER", exception=type(error).__qualname__)
        streamed = self._fold is not None and self._fold.first is not None
        failure: Failure = self._guarded(
            "read", unread, read_failure, error, self._target.provider, streamed
        )
        return failure

    def _read(self, result: ChatResult | None) -> Reading:
        provider, fold = self._target.provider, self._fold
        if fold is None or fold.first is None:
            return _UNREAD if result is None else read(choices_of(result), provider, "invoke")
        chunks = read(fold.choices(), provider, "stream", suspect=fold.running_totals)
        if result is None:
            return chunks
        return completed(chunks, read(choices_of(result), provider, "stream"))

    def _cost(self, outcome: str, reading: Reading) -> Cost | None:
        pricing = self._settings.pricing
        if pricing is None or self._delegated:
            return None
        if reading.usage is None:
            return None if outcome == "error" else NO_USAGE
        model = self._request.model
        cost: Cost | None = self._guarded(
            "cost", None, pricing.cost, self._target.provider, model, reading
        )
        return cost

    def _emit(self, ending: Ending, written: Mapping[str, Any]) -> None:
        if self._span.is_recording() or written:
            said = attributes(ending)
            if self._delegated:
                said = {k: v for k, v in said.items() if not k.startswith("gen_ai.usage.")}
                said[names.DELEGATED] = True
            if written and self._content:
                event = None if self._delegated else {**self._sampled, **said}
                said |= self._content.publish(written, event, self._own_context)
            if not self._settings.own_span:
                said = {**self._sampled, **said}
            self._span.set_attributes(said)
            if ending.failure and self._settings.own_span:
                self._span.set_status(Status(StatusCode.ERROR, ending.failure.type))
        if not self._delegated:
            self._record(measurements(ending), ending.reading.model)
            if self._settings.older_metrics:
                self._record(older_measurements(ending), ending.reading.model)
        for path in ending.reading.rejected:
            self._telemetry.count_failure("value", path, self._series)
