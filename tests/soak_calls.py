"""The calls of a soak: every ending in every mode, each with what must be counted for it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from replymeter import conventions as names
from replymeter.demo.cases import expected
from replymeter.demo.replay import replay_model
from tests.end_to_end.truth import PROVIDERS, TAKEN, Truth, seen
from tests.fakes import INPUT, OUTPUT, Provider, chunk, usage
from tests.garbage import GARBAGE, Raw, result_of
from tests.test_exactness import HELLO
from tools.recorded import RECORDINGS, load

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from tests.end_to_end.counted import Series

    Want = Mapping[str, Any]
    Instrument = Callable[[Any], Any]

BATCH = 3  # prompts
WAITED = 0.05  # seconds
OPENAI = "openai-chat"
VALUE_ERROR = names.INTERNAL_ERRORS.prometheus
PAID = {"input_tokens": INPUT, "output_tokens": OUTPUT}
# Where what stands, what must be read all the same, and how many values are refused.
SPOILT: tuple[tuple[str, str, Want, int], ...] = (
    ("usage_metadata.input_tokens", "negative", {"output_tokens": OUTPUT}, 1),
    ("usage_metadata.output_tokens", "huge int", {"input_tokens": INPUT}, 1),
    ("response_metadata.finish_reason", "deep", {**PAID, "normalised": ["missing"]}, 0),
    ("response_metadata.finish_reason", "huge text", {**PAID, "normalised": ["missing"]}, 0),
    ("response_metadata.safety_ratings", "huge list", PAID, 0),
    ("llm_output", "cyclic", PAID, 0),
)


class Case(NamedTuple):
    """One way to call; *act* makes *calls* calls, and *series* is what each of them counts.

    The *act* of a task makes a coroutine. What *act* raises is the case's affair.
    """

    ending: str
    act: Callable[[], Any]
    series: Counter[Series]
    calls: int = 1


class Ways(NamedTuple):
    """How threads call, or tasks; *left* are the ways to leave a stream, by their names."""

    invoke: Callable[..., Any]
    batch: Callable[..., Any]
    stream: Callable[..., Any]
    left: Mapping[str, Callable[[Any], Any]]


def cases(instrument: Instrument, ways: Ways, flavours: tuple[str, ...]) -> Iterator[Case]:
    """The recorded replies of *flavours*, in every mode, and plain streams that are left."""
    for recording in RECORDINGS:
        flavour, _, name = recording.partition("/")
        if flavour not in flavours:
            continue
        told = load(recording)
        bare, llm = replay_model(told, told), instrument(replay_model(told, told))
        request = told.get("request", {})
        if "invoke" in told:
            want = expected(told, stream=False)
            series = series_of(flavour, llm, want)
            yield Case(_ending(want), partial(ways.invoke, llm, request), series)
            yield Case("in a batch", partial(ways.batch, llm, request), series, BATCH)
        if "stream" in told:
            want = expected(told, stream=True)
            act = partial(ways.stream, llm, request)
            mid_stream = bool(told["stream"]["chunks"])
            yield Case(_ending(want, mid_stream=mid_stream), act, series_of(flavour, llm, want))
        if name == "ok":
            taken = list(islice(bare.stream(HELLO), TAKEN))
            series = series_of(flavour, llm, seen(taken, "abandoned"), "abandoned")
            for ending, leave in ways.left.items():
                yield Case(ending, partial(leave, llm), series)


def series_of(flavour: str, llm: Any, want: Want, ending: str = "ok") -> Counter[Series]:
    """What one call counts."""
    truth = Truth()
    truth.add(flavour, llm, want, ending)
    return truth.series


def _ending(want: Want, *, mid_stream: bool = False) -> str:
    if "error_type" in want:
        return "error in a stream" if mid_stream else "error"
    if {"content_filter", "refusal"} & {*want["normalised"]}:
        return "blocked"
    if len(want["normalised"]) > 1:
        return "several choices"
    if not {"input_tokens", "output_tokens"} & {*want}:
        return "no usage"
    return "length" if "length" in want["normalised"] else "ok"


def garbage_cases(instrument: Instrument) -> Iterator[Case]:
    """Replies that hold what should never stand in one."""
    for place, name, want, refused in SPOILT:
        llm = instrument(Raw(kind=OPENAI, answer=result_of(place, GARBAGE[name]())))
        series = series_of("openai", llm, {"normalised": ["stop"], **want})
        if refused:
            series[VALUE_ERROR, "provider=openai", f"model={llm.model}", "kind=value"] = refused
        yield Case("garbage", partial(_invoke, llm, {}), series)


class Hanging(Provider):
    """Never answers, or streams one chunk; *entered* is set when that is so."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        kwargs["entered"].set()
        await asyncio.Future()
        raise AssertionError

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        yield chunk("one", usage(INPUT, 1))
        kwargs["entered"].set()
        await asyncio.Future()


def hanging_cases(instrument: Instrument) -> Iterator[Case]:
    """Tasks that are cancelled, and calls that are not waited for any longer."""
    llm = instrument(Hanging(kind=OPENAI))
    nothing: Want = {"normalised": ["cancelled"]}
    some: Want = {**nothing, "input_tokens": INPUT, "output_tokens": 1}
    for call, want in ((_ainvoke, nothing), (_astream, some)):
        series = series_of("openai", llm, want, "cancelled")
        yield Case("task cancelled", partial(_cancel, call, llm), series)
        yield Case("wait_for timed out", partial(_time_out, call, llm), series)


def _invoke(llm: Any, request: Want) -> None:
    with suppress(Exception):
        llm.invoke(HELLO, **request)


def _batch(llm: Any, request: Want) -> None:
    llm.batch([HELLO] * BATCH, return_exceptions=True, **request)


def _stream(llm: Any, request: Want) -> None:
    with suppress(Exception):
        for _ in llm.stream(HELLO, **request):
            pass


def _break(llm: Any) -> None:
    for number, _ in enumerate(llm.stream(HELLO), 1):
        if number == TAKEN:
            break


def _close(llm: Any) -> None:
    with closing(llm.stream(HELLO)) as stream:
        for _ in range(TAKEN):
            next(stream)


def _lose(llm: Any) -> None:
    stream = llm.stream(HELLO)
    for _ in range(TAKEN):
        next(stream)
    circle = [stream]
    circle.append(circle)


async def _ainvoke(llm: Any, request: Want) -> None:
    with suppress(Exception):
        await llm.ainvoke(HELLO, **request)


async def _abatch(llm: Any, request: Want) -> None:
    await llm.abatch([HELLO] * BATCH, return_exceptions=True, **request)


async def _astream(llm: Any, request: Want) -> None:
    with suppress(Exception):
        async for _ in llm.astream(HELLO, **request):
            pass


async def _abreak(llm: Any) -> None:
    number = 0
    async for _ in llm.astream(HELLO):
        number += 1
        if number == TAKEN:
            break


async def _aclose(llm: Any) -> None:
    async with aclosing(llm.astream(HELLO)) as stream:
        for _ in range(TAKEN):
            await anext(stream)


async def _cancel(call: Callable[..., Any], llm: Any) -> None:
    entered = asyncio.Event()
    task = asyncio.create_task(call(llm, {"entered": entered}))
    await entered.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _time_out(call: Callable[..., Any], llm: Any) -> None:
    entered = asyncio.Event()
    while not entered.is_set():  # on a busy machine it may not even have begun
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(call(llm, {"entered": entered}), WAITED)


THREADS = Ways(
    _invoke,
    _batch,
    _stream,
    {"stream left by break": _break, "stream closed": _close, "stream collected": _lose},
)
TASKS = Ways(
    _ainvoke, _abatch, _astream, {"stream left by break": _abreak, "stream closed": _aclose}
)
ALL = tuple(PROVIDERS)
