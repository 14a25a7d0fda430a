"""A worker that gives recorded replies again, call by call, and notes what must come of it.

`python -m tests.end_to_end.load_app FILE CALLS RATE`: CALLS calls, RATE of them a second; with a
RATE of 0 as fast as they go. Three calls in a row are one trace, and the workers of one service
make the same traces: each has spans of all of them. FILE gets `series`, as `ledger_app` has it,
and `spans`: by its id each call's `trace`, its `end`, and whether a gateway must `keep` it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.sdk.trace import SpanProcessor

import replymeter
from replymeter.demo.cases import expected
from replymeter.demo.replay import replay_model
from tests.end_to_end.truth import PRICES, PROVIDERS, Truth, abandon
from tests.test_exactness import MODES, call
from tools.recorded import RECORDINGS, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

CALLS_A_TRACE = 3
KEPT = {"length", "content_filter", "refusal"}
"""The finish reasons that gateway.yaml keeps, written here once more."""


class Notes(SpanProcessor):
    """Notes each span that ends."""

    def __init__(self) -> None:
        self.spans: dict[str, dict[str, Any]] = {}

    def on_end(self, span: ReadableSpan) -> None:
        """Note one."""
        assert span.context
        assert span.end_time
        said = {"trace": f"{span.context.trace_id:032x}", "end": span.end_time / 1e9}
        self.spans[f"{span.context.span_id:016x}"] = said


class Call:
    """One recorded answer, which can be given any number of times."""

    def __init__(self, recording: str, mode: str) -> None:
        self.flavour = recording.partition("/")[0]
        self._mode = mode
        told = load(recording)
        self._request = told.get("request", {})
        self._want = expected(told, stream="stream" in mode)
        self._model = replymeter.instrument(replay_model(told, told), prices=PRICES)

    def make(self, truth: Truth) -> bool:
        """Make the call, and note what must come of it; whether a gateway must keep its span."""
        want, ending = self._want, "ok"
        if self._mode == "abandon":
            want, ending = abandon(self._model), "abandoned"
        else:
            call(self._model, self._mode, **self._request)
        truth.add(self.flavour, self._model, want, ending)
        return "error_type" in want or bool(KEPT & set(want["normalised"])) or "blocks" in want


def recorded_calls() -> Iterator[Call]:
    """Every recording of the first providers in every mode, and streams that nobody finishes."""
    for recording in RECORDINGS:
        flavour, _, case = recording.partition("/")
        if flavour not in PROVIDERS:
            continue
        for mode in MODES:
            if mode.removeprefix("a") in load(recording):
                yield Call(recording, mode)
        if case == "ok":
            yield Call(recording, "abandon")


def enter_trace(number: int) -> None:
    """Make the calls that follow children of this service's trace of that *number*."""
    text = f"{os.environ['OTEL_SERVICE_NAME']}/{number}"
    trace_id = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    parent = trace.SpanContext(trace_id, number + 1, is_remote=True, trace_flags=flags)
    context.attach(trace.set_span_in_context(trace.NonRecordingSpan(parent), context.Context()))


def main() -> None:
    """Make the calls."""
    file, calls, rate = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    started = replymeter.start()
    notes, truth = Notes(), Truth()
    assert started.tracer_provider
    started.tracer_provider.add_span_processor(notes)
    begun = time.monotonic()
    for number, one in enumerate(islice(cycle(list(recorded_calls())), calls)):
        enter_trace(number // CALLS_A_TRACE)
        keep = one.make(truth)
        notes.spans[next(reversed(notes.spans))]["keep"] = keep
        if rate:
            time.sleep(max(0.0, begun + (number + 1) / rate - time.monotonic()))
    took = time.monotonic() - begun
    who = str(started.tracer_provider.resource.attributes["service.instance.id"])
    series = [[[*key, f"instance={who}"], value] for key, value in sorted(truth.series.items())]
    file.write_text(json.dumps({"series": series, "spans": notes.spans, "seconds": took}))
    started.shutdown(60)


if __name__ == "__main__":
    main()
