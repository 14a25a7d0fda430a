"""What is timed: one task is a second's fraction of calls in one mode; its result is CPU seconds.

CPU time of the process, all threads: other load on the machine is not counted.
"""

from __future__ import annotations

import asyncio
from time import process_time
from typing import TYPE_CHECKING, Any

CHUNKS = 2000
"""The chunks of a stream that is timed: so many that the call's own cost is small beside them."""

if TYPE_CHECKING:
    from collections.abc import Callable


def invoke(model: Any) -> float:
    """Microseconds of one `invoke`."""
    return _cpu(lambda: [model.invoke("x") for _ in range(100)], 100)


def ainvoke(model: Any) -> float:
    """Microseconds of one `ainvoke`, 100 at a time."""

    async def many() -> None:
        await asyncio.gather(*(model.ainvoke("x") for _ in range(100)))

    return _cpu(lambda: asyncio.run(many()), 100)


def stream(model: Any) -> float:
    """Microseconds of one chunk of `stream`, its share of the call with it."""
    long = _long(model)
    return _cpu(lambda: all(long.stream("x")), long.chunks + 1)


def astream(model: Any) -> float:
    """Microseconds of one chunk of `astream`, its share of the call with it."""
    long = _long(model)
    return _cpu(lambda: asyncio.run(drain(long)), long.chunks + 1)


async def drain(model: Any) -> None:
    """Read one `astream` to its end."""
    async for _ in model.astream("x"):
        pass


def batch(model: Any) -> float:
    """Microseconds of one input of a `batch` of 20, in threads."""
    return _cpu(lambda: [model.batch(["x"] * 20) for _ in range(10)], 200)


def method(model: Any) -> float:
    """Microseconds of one `_generate`, LangChain left out."""
    return _cpu(lambda: [model._generate([]) for _ in range(300)], 300)


def stream_method(model: Any) -> float:
    """Microseconds of one chunk of `_stream`, LangChain left out."""
    long = _long(model)
    return _cpu(lambda: [all(long._stream([])) for _ in range(2)], 2 * (long.chunks + 1))


def _long(model: Any) -> Any:
    return model.model_copy(update={"chunks": CHUNKS})


def _cpu(work: Callable[[], object], calls: int) -> float:
    started = process_time()
    work()
    return (process_time() - started) * 1e6 / calls


CALLS: dict[str, Callable[[Any], float]] = {
    "invoke": invoke,
    "ainvoke": ainvoke,
    "stream": stream,
    "astream": astream,
    "batch": batch,
}
"""What an application calls."""
METHODS: dict[str, Callable[[Any], float]] = {"_generate": method, "_stream": stream_method}
"""What a provider's package implements, LangChain's own cost left out."""
