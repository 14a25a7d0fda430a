"""`make bench`: what each layer adds to a call, in interleaved rounds, as medians and ratios."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from statistics import median

from bench.layers import LAYERS
from bench.tasks import TASKS

ROUNDS = 9


def main() -> None:
    """Print a table of microseconds of CPU time that each layer adds, and of ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    models = {name: make() for name, make in LAYERS.items()}
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("langchain-core", "opentelemetry-sdk")
    )
    print(
        f"Python {platform.python_version()}, {packages}; {platform.machine()}, {rounds} rounds\n"
    )
    print("| added, microseconds |", " | ".join(TASKS), "|\n|---|" + "---|" * len(TASKS))
    costs: dict[str, list[float]] = {name: [] for name in models}
    for task in TASKS.values():
        for model in models.values():
            task(model)
        taken = [[task(model) for model in models.values()] for _ in range(rounds)]
        for name, values in zip(models, zip(*taken, strict=True), strict=True):
            costs[name].append(median(values))
    bare = costs.pop("none")
    print("| (the bare call) |", " | ".join(f"{cost:.1f}" for cost in bare), "|")
    extra = {
        name: [cost - least for cost, least in zip(row, bare, strict=True)]
        for name, row in costs.items()
    }
    for name, row in extra.items():
        print(f"| {name} |", " | ".join(f"{cost:.1f}" for cost in row), "|")
    for ours, floor in (
        ("replymeter", "floor"),
        ("replymeter, chunk timing", "floor, chunk timing"),
    ):
        ratios = (f"{a / b:.2f}" for a, b in zip(extra[ours], extra[floor], strict=True))
        print(f"| **{ours} / {floor}** |", " | ".join(ratios), "|")


if __name__ == "__main__":
    main()
