"""Every ending in every mode at once, by threads and tasks of one process: is every call counted?

`python -m tests.soak [--seconds 600]`, or `make soak`. The exit status is 1 when a series differs
from what was driven, when objects stay behind, or when something is logged a second time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.memory import resident
from replymeter.postponed import settle
from tests.soak_calls import ALL, TASKS, THREADS, cases, garbage_cases, hanging_cases
from tests.soak_telemetry import telemetry
from tests.test_leaks import population

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.end_to_end.counted import Series
    from tests.soak_calls import Case
    from tests.soak_telemetry import Telemetry

N_THREADS, N_TASKS = 8, 200
_NOTING = threading.Lock()
EACH = 400  # calls of a thread in a round
WARM = 2  # the first of the points at which the process is compared with itself
NOISE = 100, 1000
"""Objects more at the end: so many, and one in so many calls. A leak leaves some a call."""


class Left(NamedTuple):
    """What there is in the process after so many calls, while none runs."""

    calls: int
    objects: Counter[str]
    memory: int  # bytes
    threads: int
    files: int


class Soak:
    """Drives the calls of *flavours*, and keeps the ledger of them."""

    def __init__(self, telemetry: Telemetry, flavours: tuple[str, ...] = ALL) -> None:
        self.telemetry = telemetry
        make = telemetry.instrument
        self._sync = [*cases(make, THREADS, flavours), *garbage_cases(make)]
        self._async = [*cases(make, TASKS, flavours), *hanging_cases(make)]
        self._driven: Counter[int] = Counter()
        self._cases = {id(case): case for case in (*self._sync, *self._async)}
        self.points: list[Left] = []

    def run_each_once(self) -> None:
        """Make every series and fill every cache."""
        asyncio.run(self._tasks([self._async]))
        self._thread(self._sync)
        self._look()

    def run_round(self, each: int) -> None:
        """Make some calls, *each* thread so many and all tasks as many as five of them."""
        plans = [_plan(self._sync, each) for _ in range(N_THREADS)]
        tasks = [_plan(self._async, each * 5 // N_TASKS) for _ in range(N_TASKS)]
        with ThreadPoolExecutor(N_THREADS) as pool:
            threads = [pool.submit(self._thread, plan) for plan in plans]
            asyncio.run(self._tasks(tasks))
        for thread in threads:
            thread.result()
        self._look()

    def _thread(self, plan: Iterable[Case]) -> None:
        for case in plan:
            case.act()
        self._note(plan)

    async def _tasks(self, plans: list[list[Case]]) -> None:
        async def task(plan: list[Case]) -> None:
            for case in plan:
                await case.act()

        await asyncio.gather(*map(task, plans))
        await _idle()
        for plan in plans:
            self._note(plan)

    def _note(self, plan: Iterable[Case]) -> None:
        driven = Counter(map(id, plan))
        with _NOTING:
            self._driven += driven

    def _look(self) -> None:
        gc.collect()
        settle()
        self.telemetry.flush()
        gc.collect()  # what the export made
        calls = sum(self.endings().values())
        files = sum(1 for _ in Path("/dev/fd").iterdir())
        left = Left(calls, population(), resident(), threading.active_count(), files)
        if len(self.points) > WARM + 1:  # only the first and the last are compared by type
            self.points[-1].objects.clear()
        self.points.append(left)

    def endings(self) -> Counter[str]:
        """How many calls ended how."""
        calls: Counter[str] = Counter()
        for key, times in self._driven.items():
            case = self._cases[key]
            calls[case.ending] += times * case.calls
        return calls

    def want(self) -> Counter[Series]:
        """What must have been counted."""
        want: Counter[Series] = Counter()
        for key, times in self._driven.items():
            case = self._cases[key]
            for series, value in case.series.items():
                want[series] += value * case.calls * times
        return want


async def _idle() -> None:
    """Let the loop close the streams that were left: its end would cancel that."""
    passes = 0
    while passes < 3:  # closing one stream leaves the one inside of it
        await asyncio.sleep(0)
        passes = passes + 1 if len(asyncio.all_tasks()) == 1 else 0


def _plan(of: list[Case], calls: int) -> list[Case]:
    """Every ending as often as any other, whatever the number of cases that have it."""
    by_ending: dict[str, list[Case]] = {}
    for case in of:
        by_ending.setdefault(case.ending, []).append(case)
    endings = sorted(by_ending)
    return [random.choice(by_ending[random.choice(endings)]) for _ in range(calls)]  # noqa: S311


def memory_slope(points: list[Left]) -> float:
    """By how many MB 100,000 calls make the process grow, by least squares."""
    middle = sum(point.calls for point in points) / len(points)
    mean = sum(point.memory for point in points) / len(points)
    up = sum((point.calls - middle) * (point.memory - mean) for point in points)
    return up / sum((point.calls - middle) ** 2 for point in points) * 100_000 / 1e6


def _all(left: Left) -> int:
    return sum(left.objects.values())


def said(soak: Soak, seconds: float) -> dict[str, str]:
    """What came of it, for people."""
    first, last = soak.points[WARM], soak.points[-1]
    calls, lines = last.calls, soak.telemetry.log.lines
    endings = sorted(soak.endings().items(), key=lambda one: -one[1])
    changed = (last.threads - first.threads, last.files - first.files)
    return {
        "calls": f"{calls:,} in {seconds:.0f} s, {calls / seconds:.0f} a second; {N_THREADS} "
        f"threads and {N_TASKS} tasks at once",
        **{f"  {ending}": f"{number:,}" for ending, number in endings},
        "series": f"{len(soak.want()):,}, of which "
        f"{len(soak.telemetry.differences(soak.want())):,} differ, in metrics or spans",
        "objects": f"{_all(last):,}; "
        f"{1000 * (_all(last) - _all(first)) / (calls - first.calls):+.2f} a 1,000 calls",
        "resident memory": f"{last.memory / 1e6:.0f} MB; "
        f"{memory_slope(soak.points[WARM:]):+.2f} MB a 100,000 calls",
        "threads, files": "{:+d}, {:+d}; tasks {:,}".format(*changed, last.objects["Task"]),
        "log": f"{sum(lines.values())} lines, {sum(lines.values()) - len(lines)} of them repeated",
    }


def faults(soak: Soak) -> list[str]:
    """What is wrong, a line each."""
    first, last = soak.points[WARM], soak.points[-1]
    found = [
        f"{' '.join(series)}: driven, in metrics, in spans: {numbers}"
        for series, numbers in sorted(soak.telemetry.differences(soak.want()).items())
    ]
    if _all(last) - _all(first) > NOISE[0] + (last.calls - first.calls) / NOISE[1]:
        found.append(f"objects left behind: {(last.objects - first.objects).most_common(5)}")
    if (last.threads, last.files) != (first.threads, first.files) or last.objects["Task"]:
        found.append("threads, open files or tasks left behind")
    lines = soak.telemetry.log.lines
    return found + [f"logged {n} times: {line}" for line, n in lines.items() if n > 1]


def main() -> None:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=...")
    parser.add_argument("--seconds", type=float, default=600, help="how long, at least")
    seconds = parser.parse_args().seconds
    with telemetry() as running:
        begun = time.monotonic()
        soak = Soak(running)
        soak.run_each_once()
        while len(soak.points) < WARM + 3 or time.monotonic() - begun < seconds:
            soak.run_round(EACH)
        for name, value in said(soak, time.monotonic() - begun).items():
            sys.stdout.write(f"{name:24} {value}\n")
        found = faults(soak)
    sys.stdout.writelines(f"{one}\n" for one in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
