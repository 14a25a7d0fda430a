"""A comparable project, measured in its own environment: `python -m bench.peer NAME WHAT ROUNDS`.

The bare call, the floor and Replymeter are measured in the same process, in the same rounds. Needs
no more than langchain-core, the OpenTelemetry SDK and the project. Prints JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from importlib.metadata import version
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from bench import imports
from bench.hops import per_chunk
from bench.layers import Discard, plain, providers
from bench.memory import retained
from bench.model import Model
from bench.page import PACKAGES
from bench.peers import PEERS
from bench.tasks import CALLS
from bench.timing import interleaved

if TYPE_CHECKING:
    from bench.layers import Layer

CALLS_OF_AN_ENDING = 500
PATIENCE = 15.0
"""Seconds in which a project that exports by itself has exported its first span."""
SETTLED = 1.0
"""Seconds in which a span that should not be is exported."""


def prove(layer: Layer) -> None:
    """Leave unless a call gives a span, also when switched on again, and none when switched off."""
    for _ in range(2):
        if not _exports(layer, PATIENCE):
            sys.exit("it is installed, and exports no span")
    if _exports(lambda: nullcontext(Model()), SETTLED):
        sys.exit("it exports spans when it is switched off, too")


def _exports(layer: Layer, seconds: float) -> bool:
    before, until = Discard.exported, monotonic() + seconds
    with layer() as model:
        model.invoke("x")
    while Discard.exported == before and monotonic() < until:
        sleep(0.1)
    return Discard.exported > before


def _imported(name: str, rounds: int) -> dict[str, float]:
    """Milliseconds that Replymeter takes to import, and the project after it."""
    steps = {"langchain-core": ("", imports.BASE), "replymeter": ("", "import replymeter")}
    steps[name] = ("", f"import {PEERS[name].module}")
    return {one: row["milliseconds"] for one, row in imports.measure(rounds, steps).items()}


def main() -> None:
    """Either times, hops to threads and the import, or what calls leave behind."""
    name, what, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    layer = PEERS[name].attach(*providers(batched=what == "times"))
    said: dict[str, Any] = {}
    if what == "times":
        layers = {**plain(), name: layer}
        said["times"] = interleaved(layers, CALLS, rounds)
        said["threads"] = {one: per_chunk(each) for one, each in layers.items()}
        said["import"] = _imported(name, rounds)
        said["versions"] = {package: version(package) for package in PACKAGES}
    else:
        prove(layer)
        said["retained"] = retained(layer, CALLS_OF_AN_ENDING)
    print(f"\n{json.dumps(said)}")


if __name__ == "__main__":
    main()
