"""`make bench`: what each layer adds to a call, in interleaved rounds, as medians and ratios.

Writes the tables of docs/benchmarks.md; those that were not asked for stay as they are.
"""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import hops, idle, imports, instructions, memory, page, peers, report, steps, targets
from bench.layers import layers, plain
from bench.tasks import CALLS, METHODS
from bench.timing import interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9


def main() -> None:
    """Measure, print each table, and write it into the page."""
    wanted = _arguments()
    load = page.load()
    parts = _ours(wanted.rounds)
    if wanted.callgrind:
        parts |= _counted()
    if wanted.peers:
        parts |= _others(wanted.rounds)
    where = page.caption(wanted.rounds, load)
    texts = {name: f"{text}\n\n{where}" for name, text in parts.items()}
    for name, text in texts.items():
        print(f"\n{name}\n\n{text}")
    page.write({name: partial(str, text) for name, text in texts.items()}, wanted.page)
    print(f"\nWritten into {wanted.page}.")


def _arguments() -> Any:
    parser = ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=ROUNDS)
    parser.add_argument("--peers", action="store_true", help="comparable projects, too")
    parser.add_argument("--callgrind", action="store_true", help="machine instructions, too")
    parser.add_argument("--page", type=Path, default=page.PAGE)
    return parser.parse_args()


def _ours(rounds: int) -> dict[str, str]:
    found = targets.Found(
        times=_step("times", lambda: interleaved(layers(), CALLS | METHODS, rounds)),
        idle=_step("a model that is not instrumented", lambda: idle.measure(rounds)),
        imports=_step("imports", lambda: imports.measure(rounds)),
        memory=_step("memory", memory.measure),
        hops=hops.per_chunk(plain()["replymeter"]),
    )
    return {
        "bench: targets": targets.rendered(found),
        "bench: times": report.times(found.times),
        "bench: steps": report.steps(_step("steps", steps.measure)),
        "bench: idle": report.beside("nanoseconds", found.idle, "forwarding"),
        "bench: imports": report.imports(found.imports),
        "bench: memory": report.memory(found.memory),
    }


def _counted() -> dict[str, str]:
    said = _step("instructions", instructions.measure)
    if isinstance(said, str):
        print(f"Skipped: instructions: {said}.")
        return {}
    return {"bench: instructions": report.beside("machine instructions", said, "floor")}


def _others(rounds: int) -> dict[str, str]:
    said: dict[str, Any] = {}
    skipped = []
    for name in peers.PEERS:
        one = _step(name, partial(peers.measure, name, rounds))
        if isinstance(one, str):
            print(f"Skipped: {name}: {one}")
            skipped.append(name)
        else:
            said[name] = one
    if not said:
        return {}
    missing = f"\n\nSkipped: {', '.join(skipped)}." if skipped else ""
    return {
        "bench: peers": report.peers(said) + missing,
        "bench: peers' memory": report.peers_memory(said),
    }


def _step(name: str, measure: Callable[[], Any]) -> Any:
    print(f"Measuring {name} ...", flush=True)
    return measure()


if __name__ == "__main__":
    main()
