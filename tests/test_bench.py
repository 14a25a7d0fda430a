"""What `make bench` compares is the same work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.floor import floor
from bench.model import Model
from replymeter import conventions as names
from replymeter.testing import Captured, capture_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCKS = {names.RESPONSE_TIME_TO_FIRST_CHUNK}
TIMED = {names.DURATION, names.TIME_TO_FIRST_CHUNK, names.TIME_PER_OUTPUT_CHUNK}


def said(captured: Captured) -> tuple[Any, ...]:
    """The span, and every series that is not 0; of a time only how often it was recorded."""
    (span,) = captured.spans
    attributes = {k: None if k in CLOCKS else v for k, v in (span.attributes or {}).items()}
    series = {
        (metric.name, *sorted(map(str, labels.items()))): (
            (point.count if metric in TIMED else getattr(point, "value", None) or point.sum),
            len(point.exemplars) > 0,
        )
        for metric in names.METRICS
        for labels, point in captured.points(metric.name)
        if getattr(point, "value", 1)
    }
    return span.name, span.kind, attributes, series


@pytest.mark.parametrize("chunk_timing", [False, True])
@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_the_floor_says_what_replymeter_says(
    method: str, instrument: Callable[..., Any], captured: Captured, *, chunk_timing: bool
) -> None:
    """The same span, the same attributes, the same records."""
    llm = instrument(Model(), chunk_timing=chunk_timing)
    with capture_telemetry() as by_hand:
        bare = floor(by_hand.tracer_provider, by_hand.meter_provider, chunk_timing=chunk_timing)
        for model in (llm, bare):
            list(getattr(model, method)("x"))

        assert said(captured) == said(by_hand)
