"""How many bytecodes Replymeter adds to a call: `make speed` fails when they grow by 10 %.

Not machine instructions: callgrind's differ by the build of Python and take minutes, and clocks
differ by what else runs; bytecodes are the same on every machine with the same Python and the
locked packages. Those of LangChain and of the OpenTelemetry SDK that an added record makes run
are counted, too. `make speed ARGS=--accept` writes what is measured as what is expected.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import replymeter
from bench.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

EXPECTED = Path(__file__).with_name("bytecodes.json")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
ALLOWED = 1.10


class Instrumented(Model):
    """A class of its own, so that wrapping it leaves the other bare."""


def count(work: Callable[[], object]) -> int:
    """The bytecodes that *work* executes in this thread, in whatever package."""
    executed = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal executed
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        executed += event == "opcode"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        work()
    finally:
        sys.settrace(before)
    return executed


async def _drain(model: Model) -> None:
    async for _ in model._astream([]):
        pass


def _invoke(model: Model) -> object:
    return model._generate([])


def _ainvoke(model: Model) -> object:
    return asyncio.run(model._agenerate([]))


def _stream(model: Model) -> object:
    return list(model._stream([]))


def _astream(model: Model) -> object:
    return asyncio.run(_drain(model))


def added(work: Callable[[Any], object], model: Model, bare: Model) -> int:
    """How many more bytecodes *work* takes with *model* than with *bare*, when both are warm."""
    random.seed(0)  # the SDK draws lots for exemplars
    for one in (model, bare):
        work(one)
        count(partial(work, one))  # Python 3.12 and later prepare code the first time it is traced.
    return count(partial(work, model)) - count(partial(work, bare))


def per_chunk(work: Callable[[Any], object], model: Model, bare: Model) -> float:
    """The same for one chunk more."""
    short, long = (
        added(work, model.model_copy(update={"chunks": n}), bare.model_copy(update={"chunks": n}))
        for n in (100, 1100)
    )
    return (long - short) / 1000


def measured() -> dict[str, float]:
    """What Replymeter adds to each kind of call, and to one that it does not instrument."""
    tracers = TracerProvider(shutdown_on_exit=False)
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    llm: Model = replymeter.instrument(
        Instrumented(), tracer_provider=tracers, meter_provider=meters
    )
    return {
        "invoke": added(_invoke, llm, Model()),
        "ainvoke": added(_ainvoke, llm, Model()),
        "stream, a chunk": per_chunk(_stream, llm, Model()),
        "astream, a chunk": per_chunk(_astream, llm, Model()),
        "invoke, not instrumented": added(_invoke, Instrumented(), Model()),
    }


def main() -> None:
    """Compare with what is expected, or, with `--accept`, write it."""
    known = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {}
    have = measured()
    if "--accept" in sys.argv:
        text = json.dumps({**known, VERSION: have}, indent=2, sort_keys=True)
        EXPECTED.write_text(text + "\n", encoding="utf-8")
    want = known.get(VERSION)
    if want is None:
        print(
            f"Skipped: {EXPECTED.name} has no numbers of Python {VERSION} to compare with. "
            "`make speed ARGS=--accept` on the code before your change writes them."
        )
        want = {}
    for name, number in have.items():
        print(f"{name:26} {number:8.0f} bytecodes, expected {want.get(name, number):8.0f}")
    grown = [name for name, number in have.items() if number > ALLOWED * want.get(name, number)]
    if grown and "--accept" not in sys.argv:
        sys.exit(
            f"More work than before: {', '.join(grown)}. Make it less, or accept it with "
            "`make speed ARGS=--accept` and commit bench/bytecodes.json."
        )


if __name__ == "__main__":
    main()
