"""A process that makes calls at a rate, with a model that answers at once, and notes what it took.

`python -m bench.capacity.app FILE SETUP MODELS THREADS RATE SECONDS`: SETUP is `start` or `bare`,
which is not instrumented. Each of so many threads calls MODELS models in turn, each of which was
streamed first; RATE is calls a second in all, 0 is as fast as they go.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import replymeter
from bench.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.outputs import ChatGenerationChunk

LEAVES = 60.0  # seconds that what waits may take to be sent


class Slow(Model):
    """Streams for a tenth of a second and more: less has no output speed."""

    chunks: int = 2

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in self.pieces():
            yield chunk
            time.sleep(0.11)


def call(models: Sequence[Model], rate: float, seconds: float) -> int:
    """Call them in turn, and say how often."""
    begun, made = time.monotonic(), 0
    for model in cycle(models):
        now = time.monotonic()
        if now - begun >= seconds:
            break
        if rate and (early := begun + made / rate - now) > 0:
            time.sleep(early)
        model.invoke("hello")
        made += 1
    return made


def main() -> None:
    """Make the calls, note them, and leave."""
    file, setup, count, threads, rate, seconds = sys.argv[1:]
    models = [Slow(model_name=f"model-{number}") for number in range(int(count))]
    started: Any = None
    if setup == "start":
        started = replymeter.start()
        models = [replymeter.instrument(model) for model in models]
        for model in models:
            all(model.stream("hello"))
    before, begun = time.process_time(), time.monotonic()
    with ThreadPoolExecutor(int(threads)) as pool:
        each = (models, float(rate) / int(threads), float(seconds))
        made = sum(pool.map(lambda _: call(*each), range(int(threads))))
    took, cpu = time.monotonic() - begun, time.process_time() - before
    noted = {"made": made, "seconds": took, "cpu": cpu, "streamed": len(models), "waiting": 0}
    if started:
        (processor,) = started.tracer_provider._active_span_processor._span_processors
        noted["waiting"] = len(processor._batch_processor._queue)
        started.shutdown(LEAVES)
        noted["cpu"] = time.process_time() - before  # what waited was still to be sent
    Path(file).write_text(json.dumps(noted), encoding="utf-8")


if __name__ == "__main__":
    main()
