"""Some workers, an agent, a gateway and Prometheus: is every call counted, and every span there?

`python -m tests.end_to_end.hundred_thousand [CALLS]`, or `make ledger`; 100,000 calls unless it is
told how many. The exit status is 1 when a series differs or a span is missing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.end_to_end.chain import run_agent
from tests.end_to_end.faults.world import world
from tests.end_to_end.load import Load
from tests.end_to_end.parts import eventually, prometheus

if TYPE_CHECKING:
    from tests.end_to_end.parts import Prometheus

WORKERS = 4


class Outcome(NamedTuple):
    """What came of a run: series that there are and that differ, spans, seconds."""

    series: int
    differences: int
    made: int
    missing: int
    twice: int
    calling: float
    arriving: float

    def __str__(self) -> str:
        return (
            f"{self.made:,} calls in {self.calling:.0f} s; after {self.arriving:.0f} s all of it "
            f"was there\n{self.series:,} series, {self.differences:,} of them differ\n"
            f"{self.missing:,} spans missing, {self.twice:,} twice"
        )


def run(calls: int, folder: Path, database: Prometheus) -> Outcome:
    """Make *calls*, by four workers, and count what arrives."""
    with ExitStack() as running:
        there = running.enter_context(world(folder, database))
        agent = running.enter_context(run_agent(folder / "agent", there.tls, there.gateway.grpc))
        load = Load("hundred-thousand", folder, database)
        for worker in range(WORKERS):
            load.start(agent, calls // WORKERS + (worker < calls % WORKERS))
        load.finish(seconds=1800)
        ended = time.monotonic()
        differences = load.differences()
        eventually(lambda: not load.missing(there.gateway.span_ids()))
        came = there.gateway.span_ids()
        for series, (made, counted) in sorted(differences.items()):
            sys.stderr.write(f"{' '.join(series)}: made {made}, counted {counted}\n")
        return Outcome(
            len(load.series), len(differences), len(load.spans), len(load.missing(came)),
            load.twice(came), load.seconds, time.monotonic() - ended,
        )  # fmt: skip


def main() -> None:
    """Run, and say what came of it."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="ledger-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        with prometheus(folder / "prometheus") as database:
            outcome = run(calls, folder, database)
    sys.stdout.write(f"{outcome}\n")
    sys.exit(bool(outcome.differences or outcome.missing))


if __name__ == "__main__":
    main()
