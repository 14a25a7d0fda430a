"""An app whose clock is set: what takes minutes and days elsewhere takes seconds.

`python -m tests.end_to_end.gate_app JSON`: the calls are spread over exports that lie `interval`
seconds apart, the last of them at `end`; after that come exports without any traffic. Only the
SDK's clock is set; the library, its exporter and the calls are the real ones.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk import metrics as _loads_what_has_a_clock  # noqa: F401

import replymeter
from replymeter.demo.cases import load_case
from replymeter.demo.server import WireServer
from tests.end_to_end.ledger_app import App
from tests.end_to_end.truth import PROVIDERS, Truth
from tests.test_exactness import cases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.language_models import BaseChatModel

IDLE = 600  # seconds of exports after the last call


class Clock:
    """What the SDK's metrics take for the time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        for name, module in list(sys.modules.items()):
            if name.startswith("opentelemetry.sdk.metrics") and hasattr(module, "time_ns"):
                vars(module)["time_ns"] = lambda: int(self.seconds * 1e9)


class Calls(Truth):
    """Every call, with what the wire said of it and in which export it is."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[dict[str, Any]] = []

    def add(self, flavour: str, model: BaseChatModel, want: Mapping[str, Any], ending: str) -> None:
        """One call."""
        super().add(flavour, model, want, ending)
        name = str(model._get_ls_params()["ls_model_name"])
        self.made.append({"provider": PROVIDERS[flavour], "model": name, **want, "ending": ending})


def script(app: App, told: Mapping[str, Any]) -> list[tuple[Callable[[], None], dict[str, Any]]]:
    """Every call, mixed, with what the truth cannot say of it."""
    steps: list[tuple[Callable[[], None], dict[str, Any]]] = []

    def add(run: Callable[..., None], *given: str, mode: str, **beside: Any) -> None:
        beside = {"streamed": "stream" in mode, "limit": None, **beside}
        steps.append((lambda: run(*given), beside))

    for flavour, name, mode in (map(str, one.values) for one in cases()):
        if flavour in told["flavours"] and name in told.get("cases", [name]):
            if mode not in told["modes"] or name.startswith("secret"):
                continue
            request = load_case(flavour, name).get("request", {})
            limit = None if "n" in request else request.get("max_tokens", LIMITS.get(flavour))
            for _ in range(told["times"]):
                add(app.finish, flavour, name, mode, mode=mode, limit=limit)
    for flavour in told["flavours"] if told.get("given_up") else ():
        add(app.abandon, flavour, mode="stream")
        for mode in ("ainvoke", "astream") if app.cancellable(flavour) else ():
            add(app.cancel, flavour, mode, mode=mode)
    if told.get("given_up"):
        add(app.slow_stream, mode="stream", paced=True)
    random.Random(7).shuffle(steps)  # noqa: S311  # the same every time
    return steps


LIMITS = {"anthropic": 4096}
"""What the class sends where the request names no limit."""


def main() -> None:
    """Make the calls, and write each of them to the file."""
    told = json.loads(sys.argv[1])
    clock, interval = Clock(), told["interval"]
    clock.seconds = told["end"] - (told["exports"] - 0.5) * interval
    started = replymeter.start()
    assert started.meter_provider
    with WireServer() as wire:
        app = App(wire, None, told["options"])
        app.truth = truth = Calls()
        steps = script(app, told)
        for number in range(told["exports"]):
            at = told["end"] - (told["exports"] - 1 - number) * interval
            clock.seconds = at - interval / 2
            for run, beside in steps[number :: told["exports"]]:
                began = time.perf_counter()
                run()
                truth.made[-1] |= {**beside, "at": at, "seconds": time.perf_counter() - began}
            clock.seconds = at
            started.meter_provider.force_flush()
    for later in range(interval, IDLE + 1, interval):
        clock.seconds = told["end"] + later
        started.meter_provider.force_flush()
    Path(told["file"]).write_text(json.dumps(truth.made))
    started.shutdown()


if __name__ == "__main__":
    main()
