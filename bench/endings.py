"""The ways in which a call ends, each as a function that makes a number of such calls."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

TOGETHER = 100
"""How many asynchronous calls run at the same time."""
STARTED = 0.2
"""Seconds in which that many calls come as far as the provider, on a busy machine too."""
SETTLED = 0.2
"""Seconds in which the event loop closes the last streams that were left."""


def ok(model: Any, calls: int) -> None:
    """`invoke` that is answered."""
    for _ in range(calls):
        model.invoke("x")


def failing(model: Any, calls: int) -> None:
    """`invoke` that raises."""
    for _ in range(calls):
        with suppress(RuntimeError):
            model.invoke("x")


def broken_stream(model: Any, calls: int) -> None:
    """`stream` that raises after its first chunk."""
    for _ in range(calls):
        with suppress(RuntimeError):
            list(model.stream("x"))


def abandoned_stream(model: Any, calls: int) -> None:
    """`stream` of which the first chunk is read and the rest is left to the garbage collector."""
    for _ in range(calls):
        next(model.stream("x"))


def abandoned_astream(model: Any, calls: int) -> None:
    """`astream`, the same."""

    async def leave(_: int) -> None:
        await anext(model.astream("x"))

    _gathered(leave, calls)


def ok_ainvoke(model: Any, calls: int) -> None:
    """`ainvoke` that is answered."""
    _gathered(lambda _: model.ainvoke("x"), calls)


def timed_out_ainvoke(model: Any, calls: int) -> None:
    """`ainvoke` that `asyncio.wait_for` gives up on."""

    async def wait(_: int) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(model.ainvoke("x"), STARTED)

    _gathered(wait, calls)


def cancelled_ainvoke(model: Any, calls: int) -> None:
    """`ainvoke` whose task is cancelled while it waits for the provider."""

    async def many() -> None:
        for _ in range(calls // TOGETHER):
            tasks = [asyncio.create_task(model.ainvoke("x")) for _ in range(TOGETHER)]
            await asyncio.sleep(STARTED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(many())


def _gathered(call: Callable[[int], Awaitable[object]], calls: int) -> None:
    async def many() -> None:
        for _ in range(calls // TOGETHER):
            await asyncio.gather(*map(call, range(TOGETHER)))
        await asyncio.sleep(SETTLED)

    asyncio.run(many())


ENDINGS: Mapping[str, tuple[Callable[[Any, int], None], Mapping[str, Any]]] = {
    "answered": (ok, {}),
    "answered, `ainvoke`": (ok_ainvoke, {}),
    "failed": (failing, {"fails": True}),
    "stream broken off by an error": (broken_stream, {"fails": True}),
    "stream abandoned": (abandoned_stream, {}),
    "`astream` abandoned": (abandoned_astream, {}),
    "`ainvoke` cancelled": (cancelled_ainvoke, {"waits": True}),
    "`ainvoke` timed out": (timed_out_ainvoke, {"waits": True}),
}
"""Each ending: what makes it, and the settings of the model that it needs."""
