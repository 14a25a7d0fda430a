"""What `import replymeter` adds to what every application with LangChain and telemetry imports.

Each round starts a new interpreter; the first, which writes byte code, does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.page import Table

LEAST = 11
BASE = "import langchain_core.language_models.chat_models\nfrom opentelemetry import metrics, trace"
STEPS = {
    "`langchain_core` and the OpenTelemetry API": ("", BASE),
    "`import replymeter`": ("", "import replymeter"),
    "`instrument` the first model": (
        "from bench.model import Model; model = Model()",
        "replymeter.instrument(model)",
    ),
}
"""What runs in one interpreter, one after another: what is not timed, and what is."""
PROGRAM = """
import json, sys
from time import process_time
taken = []
for before, statement in json.loads(sys.argv[1]):
    exec(before)
    started, modules = process_time(), len(sys.modules)
    exec(statement)
    taken.append((1e3 * (process_time() - started), len(sys.modules) - modules))
print(json.dumps(taken))
"""


def once(cache: str, steps: Iterable[tuple[str, str]]) -> list[tuple[float, int]]:
    """Milliseconds of CPU time and modules loaded, for each step, in a new interpreter."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = (sys.executable, "-c", PROGRAM, json.dumps(list(steps)))
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    taken: list[tuple[float, int]] = json.loads(done.stdout.splitlines()[-1])
    return taken


def measure(rounds: int, steps: Mapping[str, tuple[str, str]] = STEPS) -> Table:
    """The median of each of *steps*: milliseconds, and modules."""
    with TemporaryDirectory() as cache:
        once(cache, steps.values())
        taken = [once(cache, steps.values()) for _ in range(max(rounds, LEAST))]
    return {
        name: {
            "milliseconds": median(milliseconds for milliseconds, _ in row),
            "modules": median(modules for _, modules in row),
        }
        for name, row in zip(steps, zip(*taken, strict=True), strict=True)
    }
