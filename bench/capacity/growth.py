"""How cost grows with models, classes, chunks, tasks and calls: a unit of each must cost the same.

By bytecodes, which are the same in every run, and by the clock. What C code does in one bytecode,
like the `in` of a list, only the clock sees.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import replymeter
from bench.bytecodes import added
from bench.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_core.outputs import ChatResult

ROUNDS = 7


class Waiting(Model):
    """Lets every other task begin before it answers, so that all are in flight at once."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(0)
        return self.answer()


class World:
    """An SDK, whose spans go nowhere, and models that are instrumented with it."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self._tracers = TracerProvider(shutdown_on_exit=False)
        self._meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def instrument(self, model: Model, **settings: Any) -> Model:
        """*model*, instrumented."""
        llm: Model = replymeter.instrument(
            model, tracer_provider=self._tracers, meter_provider=self._meters, **settings
        )
        return llm


class Sample(NamedTuple):
    """What is measured: *work* on what is instrumented and on what is bare; *units* are done."""

    work: Callable[[Any], object]
    ours: Any
    bare: Any
    units: int


def _class(base: type[Model] = Model) -> type[Model]:
    """A class of its own, so that wrapping it leaves the others bare."""
    return type("Instrumented", (base,), {})


def _named(count: int, make: type[Model]) -> Iterator[Model]:
    return (make(model_name=f"model-{number}") for number in range(count))


def _each(models: Iterable[Model]) -> None:
    for model in models:
        model._generate([])


def _stream(model: Model) -> object:
    return [None for _ in model._stream([])]


def models(count: int) -> Sample:
    """Calls of models, when so many are known."""
    world = World()
    ours = [world.instrument(model, model_cap=count) for model in _named(count, _class())]
    return _some(ours)


def classes(count: int) -> Sample:
    """Calls of classes, when so many are instrumented."""
    world = World()
    return _some([world.instrument(_class()()) for _ in range(count)])


def _some(ours: list[Model]) -> Sample:
    """Calls of the first ones and of the last ones: what is searched in order finds one late."""
    _each(ours)
    some = [*ours[:10], *ours[-10:]]
    return Sample(_each, some, [Model()] * len(some), len(some))


def chunks(count: int) -> Sample:
    """The chunks of one stream."""
    ours = World().instrument(_class()(chunks=count))
    return Sample(_stream, ours, Model(chunks=count), count + 1)


def tasks(count: int) -> Sample:
    """Calls that are all in flight at once, in one event loop."""

    async def gather(model: Model) -> None:
        await asyncio.gather(*(model._agenerate([]) for _ in range(count)))

    ours = World().instrument(_class(Waiting)())
    return Sample(lambda model: asyncio.run(gather(model)), ours, Waiting(), count)


def calls(count: int) -> Sample:
    """A call, when so many were made before."""
    llm = World().instrument(_class()())
    _each([llm] * count)
    return Sample(_each, [llm] * 10, [Model()] * 10, 10)


@dataclass(frozen=True)
class Dimension:
    """One way in which an app grows: a unit of it must cost the same at every size."""

    name: str
    unit: str
    sample: Callable[[int], Sample]
    sizes: tuple[int, ...]
    start: int | None = None
    """A size whose cost is a call's own, and is taken off."""

    def grown(self, measure: Callable[[Sample], float], size: int) -> float:
        """What a unit costs, by *measure*, at this *size*."""
        sample = self.sample(size)
        if self.start is None:
            return measure(sample) / sample.units
        call = self.sample(self.start)
        return (measure(sample) - measure(call)) / (sample.units - call.units)


DIMENSIONS = (
    Dimension("models in a process", "call", models, (1, 10, 50, 200)),
    Dimension("instrumented classes", "call", classes, (1, 10, 100)),
    Dimension("concurrent tasks", "call", tasks, (1, 10, 100, 1000)),
    Dimension("calls made before", "call", calls, (10, 100, 1000, 10_000)),
    Dimension("chunks of a stream", "chunk", chunks, (10, 100, 1000, 10_000), start=0),
)


def bytecodes(sample: Sample) -> float:
    """The bytecodes that are added."""
    return added(sample.work, sample.ours, sample.bare)


def microseconds(sample: Sample) -> float:
    """The CPU time of the process that is added; the median of some rounds."""

    def taken(model: Any) -> float:
        started = process_time()
        sample.work(model)
        return (process_time() - started) * 1e6

    repeat = max(1, 400 // sample.units)
    for model in (sample.ours, sample.bare):
        taken(model)
    return median(
        sum(taken(sample.ours) - taken(sample.bare) for _ in range(repeat)) / repeat
        for _ in range(ROUNDS)
    )


class Kept(NamedTuple):
    """What a process keeps, and sends in each export of metrics, with so many models."""

    models: int
    streams: int
    kilobytes: float  # of memory, beside the bare models
    sent: float  # kilobytes of one export
    milliseconds: float  # of CPU time, for one export


def kept(count: int) -> Kept:
    """With *count* models, each of which was called, and streamed, once."""
    world, make = World(), _class()
    World().instrument(make())  # so that the class is wrapped already
    bare, _ = _memory(lambda: used(count, Model))
    ours, _ = _memory(lambda: used(count, make, world.instrument))
    sizes, times = zip(*(_export(world.reader) for _ in range(ROUNDS)), strict=True)
    made = streams(world.reader)
    return Kept(count, made, (ours - bare) / 1e3, sizes[0] / 1e3, median(times) * 1e3)


def _export(reader: InMemoryMetricReader) -> tuple[int, float]:
    """The bytes of one export of metrics, and its CPU seconds."""
    started = process_time()
    data: Any = reader.get_metrics_data()
    body = encode_metrics(data).SerializeToString()
    return len(body), process_time() - started


def used(
    count: int, make: type[Model] = Model, ready: Callable[[Model], Model] = lambda model: model
) -> list[Model]:
    """So many models, made *ready*, each of which was called, and streamed, once."""
    made = [ready(make(model_name=f"model-{number}", chunks=2)) for number in range(count)]
    _each(made)
    for model in made:
        _stream(model)
    return made


def _memory(work: Callable[[], object]) -> tuple[int, object]:
    """The bytes that are kept with what *work* gives."""
    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[0], kept
    finally:
        tracemalloc.stop()


def streams(reader: InMemoryMetricReader) -> int:
    """The data points of one collection of the SDK: each is a series, a histogram one only."""
    data = reader.get_metrics_data()
    return sum(
        len(metric.data.data_points)
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
