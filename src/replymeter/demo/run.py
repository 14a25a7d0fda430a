"""`replymeter demo`: plays the script against instrumented models and shows what is counted."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing, closing, suppress
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from replymeter import conventions as names
from replymeter.demo import report
from replymeter.demo.cast import Cast, Pace, absent_packages
from replymeter.demo.ledger import Ledger
from replymeter.demo.numbers import Numbers
from replymeter.demo.quiet import quiet
from replymeter.demo.script import PLAYED, SLOW, Step, script
from replymeter.demo.sending import Sending, Unreachable
from replymeter.demo.server import WireServer
from replymeter.demo.view import terminal, view
from replymeter.instrument import instrument, uninstrument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.language_models import BaseChatModel

    from replymeter.demo.view import View

DEFAULT_SECONDS = 16.0
_HELLO = [("user", "Tell me a story.")]
_AT_ONCE = 48
_PATIENCE = 1.0  # seconds that a caller waits for what does not come
_TAKEN = 2  # chunks that a caller takes before it goes away
_REFRESH = 0.25


def run(*, otlp: str | None = None, seconds: float | None = None) -> int:
    """Run the demo.

    Args:
        otlp: Base URL of a collector to send the same telemetry to (`http://host:4318`), or None.
        seconds: How long the calls take together; None is 16 where a person looks at it, and as
            long as they must elsewhere. 0 is as fast as possible.

    Returns:
        The exit code: 0; 1 when the wire and the counters differ; 2 when nothing could be sent
        to *otlp*.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if seconds is None:
        seconds = DEFAULT_SECONDS if terminal() else 0.0
    reader = InMemoryMetricReader()
    try:
        sending = Sending(reader, otlp)
    except Unreachable as error:
        print(f"replymeter demo: {error}")
        return 2
    _announce(otlp)
    with quiet() as logged:
        rows_differ = _Demo(sending, reader, seconds).run()
        lost = sending.finish()
    for line in logged:
        print(f"Logged by Replymeter: {line}")
    if lost:
        print(f"replymeter demo: {lost}")
        return 2
    if otlp:
        print(f"Sent to {otlp}.")
    return int(rows_differ)


def _announce(otlp: str | None) -> None:
    absent = absent_packages()
    if absent:
        print(f"Not installed, so recorded messages are replayed instead: {', '.join(absent)}.")
    if otlp:
        print(f"The same telemetry goes to {otlp}.")


class _Demo:
    """One run: the models, the script, the ledger and the view."""

    def __init__(self, sending: Sending, reader: InMemoryMetricReader, seconds: float) -> None:
        self._sending = sending
        self._reader = reader
        self._seconds = seconds
        self._ledger = Ledger()
        self._done = 0

    def run(self) -> bool:
        """Play everything; True when the wire and the counters differ."""
        with ExitStack() as stack:
            wire = stack.enter_context(WireServer())
            shown = stack.enter_context(view())
            pace = Pace(0.1, 0.04) if self._seconds else Pace()
            self._cast = Cast(self._instrument, wire, pace)
            stack.callback(lambda: uninstrument(self._cast.models))
            self._load(shown, stack)
            started = time.monotonic()
            asyncio.run(self._play_all(shown))
            took = time.monotonic() - started
            numbers = Numbers(self._reader)
            rows = self._ledger.rows(numbers)
            shown.summary(numbers, rows)
        return _verdict(report.differences(rows), numbers, took)

    def _instrument(self, model: BaseChatModel) -> None:
        instrument(
            model,
            tracer_provider=self._sending.tracer_provider,
            meter_provider=self._sending.meter_provider,
        )

    def _load(self, shown: View, stack: ExitStack) -> None:
        servers: list[Any] = []

        def grpc_url(case: str) -> str:
            if not servers:
                from replymeter.demo.grpc_server import GrpcServer

                servers.append(stack.enter_context(GrpcServer()))
            return str(servers[0].url(case))

        for number, flavour in enumerate(PLAYED):
            shown.loading(flavour, number, len(PLAYED))
            self._cast.load(flavour, grpc_url)

    async def _play_all(self, shown: View) -> None:
        steps = script(self._cast.cases, self._cast.cancellable)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_AT_ONCE))
        gate = asyncio.Semaphore(_AT_ONCE)

        async def play(number: int, step: Step) -> None:
            await asyncio.sleep(number * self._seconds / len(steps))
            async with gate:
                truth = await _play(self._cast, step)
            self._ledger.add(self._cast.provider(step), truth)
            self._done += 1

        async def show() -> None:
            while True:
                shown.playing(Numbers(self._reader), self._done, len(steps))
                await asyncio.sleep(_REFRESH)

        showing = asyncio.create_task(show())
        try:
            await asyncio.gather(*(play(number, step) for number, step in enumerate(steps)))
        finally:
            showing.cancel()
        shown.playing(Numbers(self._reader), self._done, len(steps))


def _verdict(differences: list[str], numbers: Numbers, took: float) -> bool:
    own = numbers.by(names.INTERNAL_ERRORS, names.ERROR_KIND)
    for line in differences:
        print(f"DIFFERENCE  {line}")
    if own:
        print(f"DIFFERENCE  Replymeter's own errors: {dict(own)}")
    if not differences and not own:
        tokens = numbers.total(names.INPUT_TOKENS) + numbers.total(names.OUTPUT_TOKENS)
        print(
            f"{numbers.calls():,} calls in {took:.1f} s, {tokens:,} tokens: "
            "the wire and the counters differ by 0."
        )
    return bool(differences or own)


async def _play(cast: Cast, step: Step) -> Mapping[str, Any]:
    """Make one call; what must have been counted for it."""
    chunks: list[Any] = []
    take = _TAKEN if step.caller == "abandon" else None
    async with cast.model(step) as model:
        call = _CALLS[step.mode](model, cast.request(step), chunks, take)
        with suppress(Exception):  # a failing reply fails, and its caller stops waiting
            await asyncio.wait_for(call, _PATIENCE if step.caller == "cancel" else None)
    if step.caller == "finish":
        return cast.truth(step)
    return _cut_short(step, chunks)


def _cut_short(step: Step, chunks: list[Any]) -> dict[str, Any]:
    """What the chunks say that the caller saw before it went away."""
    truth: dict[str, Any] = {
        "normalised": ["cancelled" if step.case == SLOW else "abandoned"],
        "input_tokens": 0,
        "output_tokens": 0,
    }
    for usage in filter(None, (chunk.usage_metadata for chunk in chunks)):
        truth["input_tokens"] += usage["input_tokens"]
        truth["output_tokens"] += usage["output_tokens"]
    return truth


async def _invoke(model: BaseChatModel, request: Any, _: list[Any], __: int | None) -> None:
    await asyncio.to_thread(model.invoke, _HELLO, **request)


async def _ainvoke(model: BaseChatModel, request: Any, _: list[Any], __: int | None) -> None:
    await model.ainvoke(_HELLO, **request)


async def _stream(model: BaseChatModel, request: Any, chunks: list[Any], take: int | None) -> None:
    def consume() -> None:
        stream: Any = model.stream(_HELLO, **request)
        with closing(stream):
            for chunk in stream:
                chunks.append(chunk)
                if len(chunks) == take:
                    break

    await asyncio.to_thread(consume)


async def _astream(model: BaseChatModel, request: Any, chunks: list[Any], take: int | None) -> None:
    stream: Any = model.astream(_HELLO, **request)
    async with aclosing(stream):
        async for chunk in stream:
            chunks.append(chunk)
            if len(chunks) == take:
                break


_CALLS: Mapping[str, Callable[..., Any]] = {
    "invoke": _invoke,
    "ainvoke": _ainvoke,
    "stream": _stream,
    "astream": _astream,
}
