"""One provider call from start to end: clock, span, context, ending. One frame, no other state."""

from __future__ import annotations

from operator import attrgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context, create_key, get_current
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode

from replymeter import conventions as names
from replymeter.content import Content, as_text, emit_details
from replymeter.cost import NO_USAGE
from replymeter.emit import attributes, finish_reasons, measurements, sampled_attributes
from replymeter.events import is_last, message_and_info
from replymeter.failures import read_failure
from replymeter.fold import Fold
from replymeter.layers import around, span_of_another, util_genai_context
from replymeter.older import older_measurements
from replymeter.read import choices_of, completed, read
from replymeter.reading import Cost, Ending, Failure, Reading, Request, Timing
from replymeter.request import conversation_id, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from langchain_core.language_models import BaseChatModel
    from langchain_core.outputs import ChatResult
    from opentelemetry.trace import Span

    from replymeter.emit import Measurement
    from replymeter.marks import Instrumentation
    from replymeter.providers import Target
    from replymeter.telemetry import Series

    Look = Callable[[Any], tuple[Any, Any]]

_CALL = create_key("replymeter-call")
WATCHED = create_key("replymeter-watched")
_OF_CHUNK = attrgetter("message", "generation_info")


def current_call() -> Call | None:
    """The innermost call that runs here, None outside of one."""
    call = get_current().get(_CALL)
    return call if isinstance(call, Call) and not call.ended else None


class Call:
    """One call of one model, from `_generate` (or its kin) to its return, error or end.

    `context` is current while the provider works. Exactly one of `returned`,
    `exhausted` and `raised` ends it; none of them raises.
    """

    __slots__ = (
        "_content",
        "_delegated",
        "_fold",
        "_looks_closer",
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
        self._looks_closer = self._settings.chunk_timing or self._settings.content is not None

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
            name = f"{names.OPERATION} {model}" if model else names.OPERATION
            self._span = self._start_span(name)
        else:
            self._span = span_of_another(arguments) or INVALID_SPAN
        if self._span.is_recording() or self._settings.content is not None:
            self._add_conversation(arguments)  # not where nobody would see it: it takes a search
        ours = {_CALL: self, WATCHED: self if streamed else None}
        self.context = Context({**around(self._span), **ours, **util_genai_context()})
        self._own_context = self.context
        self._started = perf_counter()

    def _start_span(self, name: str) -> Span:
        try:
            return self._telemetry.tracer.start_span(
                name, kind=SpanKind.CLIENT, attributes=self._sampled
            )
        except Exception as broken:  # noqa: BLE001  # a sampler or processor of the application's
            self._telemetry.failed("begin", broken, self._series)
            return INVALID_SPAN  # the metrics are counted all the same

    def _add_conversation(self, arguments: Mapping[str, Any]) -> None:
        try:
            said = conversation_id(arguments, self._settings.conversation_keys)
            if said is not None:
                self._sampled[names.CONVERSATION_ID] = said
                self._span.set_attribute(names.CONVERSATION_ID, said)
        except Exception as error:  # noqa: BLE001
            self._telemetry.failed("request", error, self._series)

    def capture(self, messages: Any) -> None:
        """Keep *messages* and what comes, if that was asked for."""
        if self._settings.content:
            self._content = Content(self._settings.content, messages, self._telemetry)

    def chunk(self, item: Any, look: Look = _OF_CHUNK) -> None:
        """Take one `ChatGenerationChunk`, or what *look* sees as one: this runs once a chunk."""
        now = perf_counter()
        try:
            if self._looks_closer:
                self._look_closer(item, now)
            fold = self._fold
            if fold is None:
                fold = self._fold = Fold(self._target.provider, self._request.choices, now)
            fold.add(*look(item), now)
        except Exception as error:  # noqa: BLE001
            self._telemetry.failed("chunk", error, self._series)

    def event(self, event: Any) -> None:
        """Take one event of a native event stream; LangChain reads none after the message's end."""
        self.chunk(event, message_and_info)
        if is_last(event):
            self.exhausted()

    def _look_closer(self, item: Any, now: float) -> None:
        if self._settings.chunk_timing and self._fold is not None:
            took = now - self._fold.last
            try:
                self._record(((names.TIME_PER_OUTPUT_CHUNK, took, ()),), None)
            except Exception as error:  # noqa: BLE001
                self._telemetry.failed("emit", error, self._series)
        if self._content is not None:
            try:
                self._content.take(item)
            except Exception as error:  # noqa: BLE001
                self._telemetry.failed("content", error, self._series)

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
        if self.ended:
            return
        duration = perf_counter() - self._started
        self.ended = True
        if self._outer is not None and outcome != "error":  # it made the call, and counts it
            self._outer._delegated = True  # noqa: SLF001
        self._outer = None
        failure = None
        try:
            if error is not None:
                failure = self._failure(error)
            reading = self._reading(result)
            ending = Ending(
                outcome=outcome,
                reasons=finish_reasons(outcome, reading, failure),
                request=self._request,
                reading=reading,
                timing=self._timing(duration),
                failure=failure,
                cost=self._cost(outcome, reading),
            )
            self._emit(ending, self._content.read(result, error) if self._content else {})
        except Exception as broken:  # noqa: BLE001
            self._telemetry.failed("end", broken, self._series)
        try:
            if self._settings.own_span:
                self._span.end()
        except Exception as broken:  # noqa: BLE001  # a span processor of the application's
            self._telemetry.failed("end", broken, self._series)
        self.context = self._own_context = Context()  # they hold this call: no cycle may be left

    def _record(self, numbers: Iterable[Measurement], response_model: str | None) -> None:
        self._telemetry.record(self._series, numbers, response_model, self._own_context)

    def _failure(self, error: Exception) -> Failure:
        mid_stream = self._fold is not None
        try:
            return read_failure(error, self._target.provider, mid_stream=mid_stream)
        except Exception as broken:  # noqa: BLE001
            self._telemetry.failed("read", broken, self._series)
            return Failure(type="_OTHER", exception=type(error).__qualname__)

    def _reading(self, result: ChatResult | None) -> Reading:
        try:
            if self._fold is not None:
                choices, mode = self._fold.choices(), "stream"
            elif result is not None:
                choices, mode = choices_of(result), "invoke"
            else:
                return Reading()
            suspect = self._fold is not None and self._fold.running_totals
            reading = read(choices, self._target.provider, mode=mode, suspect=suspect)
            if self._fold is None or result is None:
                return reading
            return completed(reading, read(choices_of(result), self._target.provider, mode=mode))
        except Exception as broken:  # noqa: BLE001
            self._telemetry.failed("read", broken, self._series)
            return Reading()

    def _cost(self, outcome: str, reading: Reading) -> Cost | None:
        pricing = self._settings.pricing
        if pricing is None or self._delegated:
            return None
        if reading.usage is None:
            return None if outcome == "error" else NO_USAGE
        try:
            return pricing.cost(self._target.provider, self._request.model, reading)
        except Exception as broken:  # noqa: BLE001
            self._telemetry.failed("cost", broken, self._series)
            return None

    def _timing(self, duration: float) -> Timing:
        fold = self._fold
        if fold is None:
            return Timing(duration=duration)
        writing = None if fold.first_text is None else fold.last_text - fold.first_text
        return Timing(
            duration=duration, first_chunk=fold.first - self._started, writing=writing or None
        )

    def _publish(self, said: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, str]:
        """Send what was *written* on an event, give it for the span: each if it was asked for."""
        if (content := self._settings.content) is None:
            return {}
        if content.on_event and not self._delegated:
            emit_details(self._telemetry, {**said, **written}, self._own_context)
        return as_text(written) if content.on_span else {}

    def _emit(self, ending: Ending, written: Mapping[str, Any]) -> None:
        if self._span.is_recording() or written:
            said = attributes(ending)
            if self._delegated:
                said = {k: v for k, v in said.items() if not k.startswith("gen_ai.usage.")}
                said[names.DELEGATED] = True
            if written:
                said |= self._publish({**self._sampled, **said}, written)
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
