"""Where the time of a call goes: each step timed by itself, inside whole calls.

In a loop of its own a step would be quicker: there its code and data stay in the caches.
"""

from __future__ import annotations

from importlib import import_module
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from bench.layers import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.page import Table

CALLS = 3000
METRICS = "opentelemetry.sdk.metrics._internal."


class Step(NamedTuple):
    """A step, and the functions that are it, in words and as `module:name`; indented: a part."""

    what: str
    functions: tuple[str, ...]


STEPS = (
    Step("before the provider works", ("replymeter.wrappers:Wrapped.begin",)),
    Step("— read the request", ("replymeter.call:read_request",)),
    Step("— start the span: SDK", ("opentelemetry.sdk.trace:Tracer.start_span",)),
    Step("after it", ("replymeter.call:Call._end",)),
    Step("— read the reply", ("replymeter.call:Call._read",)),
    Step("— make the span's attributes", ("replymeter.call:attributes",)),
    Step("— set them: SDK", ("opentelemetry.sdk.trace:Span.set_attributes",)),
    Step("— make the measurements", ("replymeter.call:measurements",)),
    Step("— record them, with the labels", ("replymeter.telemetry:Telemetry.record",)),
    Step(
        "— — of that the SDK's greater part",
        (
            METRICS + "measurement:Measurement.__init__",
            METRICS + "measurement_consumer:SynchronousMeasurementConsumer.consume_measurement",
        ),
    ),
    Step("— end the span: SDK", ("opentelemetry.sdk.trace:Span.end",)),
)


def measure() -> Table:
    """Microseconds of each step in one `_generate`, of the floor and of Replymeter."""
    layers = {name: layer for name, layer in plain().items() if name != "none"}
    table: Table = {step.what: {} for step in STEPS}
    for name, layer in layers.items():
        with layer() as model:
            for step in STEPS:
                taken = sum(_timed(function, model) for function in step.functions)
                if taken:
                    table[step.what][name] = taken
    return table


def _timed(function: str, model: Any) -> float:
    """The median, over calls, of the microseconds that *function* takes in one."""
    module, _, name = function.partition(":")
    *classes, name = name.split(".")
    owner: Any = import_module(module)
    for one in classes:
        owner = getattr(owner, one)
    spent = [0]
    with patch.object(owner, name, _timing(getattr(owner, name), spent)):
        return median(_one_call(model, spent) for _ in range(CALLS)) / 1000


def _one_call(model: Any, spent: list[int]) -> int:
    spent[0] = 0
    model._generate([])
    return spent[0]


def _timing(function: Callable[..., Any], spent: list[int]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = perf_counter_ns()
        try:
            return function(*args, **kwargs)
        finally:
            spent[0] += perf_counter_ns() - started

    return timed
