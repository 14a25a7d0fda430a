"""Times layers beside each other: in every round each layer does the same task once.

A first round does not count. The garbage collector looks at what the calls make, not at the
modules: which call is met by a full collection of those is chance.
"""

from __future__ import annotations

import gc
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.layers import Layer
    from bench.page import Table


def interleaved(
    layers: Mapping[str, Layer], tasks: Mapping[str, Callable[[Any], float]], rounds: int
) -> Table:
    """The median of what each task says of each layer, by layer and task."""
    taken: Table = {name: {} for name in layers}
    gc.collect()
    gc.freeze()
    for task, measure in tasks.items():
        said: dict[str, list[float]] = {name: [] for name in layers}
        for _ in range(1 + rounds):
            for name, layer in layers.items():
                with layer() as model:
                    gc.collect()
                    said[name].append(measure(model))
        for name, (_, *values) in said.items():
            taken[name][task] = median(values)
    gc.unfreeze()
    return taken


def added(table: Table, bare: str = "none") -> Table:
    """What each other row has more than the *bare* one."""
    least = table[bare]
    return {
        name: {column: value - least[column] for column, value in row.items()}
        for name, row in table.items()
        if name != bare
    }


def ratios(row: Mapping[str, float], by: Mapping[str, float]) -> dict[str, float]:
    """*row* over *by*, column by column; nothing where *by* has nothing, as noise can have it."""
    return {name: value / by[name] for name, value in row.items() if by.get(name, 0) > 0}
