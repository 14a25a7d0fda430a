"""A comparable project, measured in its own environment: `python -m bench.peer NAME WHAT ROUNDS`.

The bare call, the floor and Replymeter are measured in the same process, in the same rounds. Needs
no more than langchain-core, the OpenTelemetry SDK and the project. Prints JSON.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from bench.hops import per_chunk
from bench.layers import Discard, plain, providers
from bench.memory import retained
from bench.page import PACKAGES
from bench.peers import PEERS
from bench.tasks import CALLS
from bench.timing import interleaved

if TYPE_CHECKING:
    from bench.layers import Layer

CALLS_OF_AN_ENDING = 500
PATIENCE = 15.0
"""Seconds in which a project that exports by itself has exported its first span."""


def prove(layer: Layer) -> None:
    """Leave when a call gives no span: then there is nothing to measure."""
    with layer() as model:
        model.invoke("x")
    until = monotonic() + PATIENCE
    while not Discard.exported:
        if monotonic() > until:
            sys.exit("it is installed, and exports no span")
        sleep(0.1)


def main() -> None:
    """Either times and hops to threads, or what calls leave behind."""
    name, what, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    layer = PEERS[name].attach(*providers(batched=what == "times"))
    prove(layer)
    said: dict[str, Any] = {}
    if what == "times":
        layers = {**plain(), name: layer}
        said["times"] = interleaved(layers, CALLS, rounds)
        said["hops"] = per_chunk(layer)
        said["versions"] = {package: version(package) for package in PACKAGES}
    else:
        said["retained"] = retained(layer, CALLS_OF_AN_ENDING)
    print(f"\n{json.dumps(said)}")


if __name__ == "__main__":
    main()
