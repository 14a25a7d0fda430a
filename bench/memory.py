"""What a call leaves behind, by how it ended: Python objects that live on, and the process's bytes.

The SDK exports each span at once, so that none of them waits in a queue when objects are counted.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.endings import ENDINGS
from bench.layers import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.layers import Layer
    from bench.page import Table

CALLS = 2000
WARM = 200
STATM = Path("/proc/self/statm")


def resident() -> int:
    """The bytes of memory that the process occupies; 0 where the system does not say."""
    if not STATM.exists():
        return 0
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(work: Callable[[Any, int], None], model: Any, calls: int) -> tuple[float, float]:
    """Objects and bytes more for each of *calls*, once the garbage is collected."""
    work(model, min(WARM, calls))
    gc.collect()
    objects, size = len(gc.get_objects()), resident()
    work(model, calls)
    gc.collect()
    return (len(gc.get_objects()) - objects) / calls, (resident() - size) / calls


def retained(layer: Layer, calls: int = CALLS) -> Table:
    """Objects and bytes for every ending of a call of *layer*."""
    rows: Table = {}
    with layer() as model:
        for ending, (work, settings) in ENDINGS.items():
            objects, size = growth(work, model.model_copy(update=settings), calls)
            rows[ending] = {"objects": objects, "bytes": size}
    return rows


def measure() -> dict[str, Table]:
    """The same for each of the three layers, each in a process of its own."""
    return {name: _apart(name) for name in plain()}


def _apart(name: str) -> Table:
    command = (sys.executable, "-m", "bench.memory", name)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows: Table = json.loads(done.stdout)
    return rows


if __name__ == "__main__":
    print(json.dumps(retained(plain(batched=False)[sys.argv[1]])))
