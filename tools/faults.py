"""Run every row of the fault table, with real parts, and write docs/faults.md: `make faults`.

`python tools/faults.py ROW ...` runs only these, and prints what came of them. It takes minutes. A
run that did not measure every row is gone on with by the next one, from build/faults.jsonl.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.end_to_end.faults.rows import ROWS, Outcome, Row  # noqa: E402
from tests.end_to_end.faults.setups import SETUPS  # noqa: E402
from tests.end_to_end.faults.world import world  # noqa: E402
from tests.end_to_end.parts import prometheus  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.end_to_end.faults.world import World

PAGE = ROOT / "docs" / "faults.md"
NOTES = ROOT / "build" / "faults.jsonl"
LANES = 6  # rows at a time, but for those that need the machine for themselves
PACKAGES = (
    "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "gunicorn", "uvicorn",
    "pyuwsgi", "celery",
)  # fmt: skip
HEAD = """\
<!-- Written by `make faults` (tools/faults.py): do not edit. -->
# What faults cost

Every row is a run of real processes into a real fault: one with the set-up that OpenTelemetry's
documentation shows for Python, one with `replymeter.start()`, side by side, both with the same
instrumented model and every other setting at its default. What was made is noted by the process
itself; what arrived is read from Prometheus and from the gateway's span file, behind
`collector-config/agent.yaml` and `gateway.yaml`. Where the row is about an answer, a server on
loopback gives it, and counts what it accepted.

Below 0 means that more calls were counted than made; "said" that a log line of `start()` warned of
a loss: leaving takes 5 seconds at most, and on a busy machine that may not be enough for all that
waits. "Seconds to end" is from the last call, or from the signal, until the process had ended; the
servers finish requests meanwhile. Each cell is one run: what depends on the moment, like the spans
of a process that is killed, varies from run to run.

"""
COLUMNS = (
    "calls", "metrics lost: SDK", "metrics lost: `start()`", "spans lost: SDK",
    "spans lost: `start()`", "spans twice: `start()`", "seconds to end: SDK / `start()`",
)  # fmt: skip


def run(key: str, world: World, folder: Path) -> Mapping[str, Outcome] | None:
    """One row; None when it could not be run."""
    try:
        outcomes = ROWS[key].outcomes(world, folder / key, SETUPS)
    except Exception:  # noqa: BLE001  # an app that does not start must not end the other rows
        print(f"{key} was not measured: {traceback.format_exc()}", flush=True)
        return None
    for setup, outcome in outcomes.items():
        print(f"{key} {setup}: {outcome}", flush=True)
    return outcomes


def note(**what: object) -> None:
    """Note it for this page, which a later run may have to write."""
    NOTES.parent.mkdir(exist_ok=True)
    with NOTES.open("a") as file:
        file.write(f"{json.dumps(what)}\n")


def noted() -> tuple[list[float], dict[str, Mapping[str, Outcome]]]:
    """The load when each part of this run began, and what came of the rows in them."""
    lines = [json.loads(line) for line in NOTES.read_text().splitlines()]
    outcomes: dict[str, Mapping[str, Outcome]] = {
        one["key"]: {setup: Outcome(**value) for setup, value in one["outcomes"].items()}
        for one in lines
        if "key" in one
    }
    return [one["load"] for one in lines if "load" in one], outcomes


def run_all(keys: list[str], *, keep: bool) -> dict[str, Mapping[str, Outcome]]:
    """The rows of these keys, some at a time, then those that need the machine for themselves."""
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        with prometheus(folder / "prometheus") as database, world(folder, database) as there:

            def one(key: str) -> tuple[str, Mapping[str, Outcome] | None]:
                made = run(key, there, folder)
                if made and keep:
                    note(key=key, outcomes={setup: asdict(made[setup]) for setup in made})
                return key, made

            with ThreadPoolExecutor(LANES) as lanes:
                made = list(lanes.map(one, (key for key in keys if not ROWS[key].alone)))
            made += [one(key) for key in keys if ROWS[key].alone]
    return {key: outcomes for key, outcomes in made if outcomes}


def line(row: Row, outcomes: Mapping[str, Outcome]) -> str:
    """One line of the table."""
    sdk, ours = (outcomes[setup] for setup in SETUPS)
    said = " (said)" if ours.said_lost else ""
    cells = [
        f"{sdk.made:,} / {ours.made:,}",
        f"{sdk.metrics_lost:,}",
        f"**{ours.metrics_lost:,}**{said}",
        f"{sdk.spans_lost:,}",
        f"**{ours.spans_lost:,}**{said}",
        f"{ours.spans_twice:,}",
        f"{sdk.seconds:.1f} / {ours.seconds:.1f}",
    ]
    note = f" (may lose {row.may_lose})" if row.may_lose else ""
    return f"| {row.name}{note} | {' | '.join(cells)} |"


def unexplained(outcomes: Mapping[str, Mapping[str, Outcome]]) -> list[str]:
    """The rows in which `start()` lost what it must not lose."""
    return [
        key
        for key, by_setup in outcomes.items()
        if not ROWS[key].may_lose
        and (by_setup["start"].metrics_lost or by_setup["start"].spans_lost)
    ]


def page(outcomes: Mapping[str, Mapping[str, Outcome]], loads: list[float]) -> str:
    """The page."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    when = datetime.now(timezone.utc).strftime("%d %B %Y")
    missed = "; ".join(ROWS[key].name for key in unexplained(outcomes)) or "none"
    began = ", ".join(f"{load:.0f}" for load in loads)
    text = (
        f"{HEAD}Measured on {when}: {machine}, Python {platform.python_version()}, {versions}. The "
        f"run had {len(loads)} part(s); the load average when each began was {began}, the nice "
        f"value {os.nice(0)}.\n\n"
        f"**Rows in which `start()` lost what it must not lose:** {missed}.\n"
    )
    missing = [ROWS[key].name for key in ROWS if key not in outcomes]
    if missing:
        text += f"\n**Not measured in this run:** {'; '.join(missing)}.\n"
    for group, keys in groupby(
        (key for key in ROWS if key in outcomes), lambda key: ROWS[key].group
    ):
        text += f"\n## {group}\n\n| fault | {' | '.join(COLUMNS)} |\n"
        text += f"| --- |{' ---: |' * len(COLUMNS)}\n"
        text += "".join(f"{line(ROWS[key], outcomes[key])}\n" for key in keys)
    return text


def main() -> None:
    """Run, and write the page when it was all of them."""
    asked = sys.argv[1:]
    if asked:
        outcomes = run_all(asked, keep=False)
    else:
        note(load=os.getloadavg()[0])
        _, before = noted()
        run_all([key for key in ROWS if key not in before], keep=True)
        loads, outcomes = noted()
        PAGE.write_text(page(outcomes, loads), encoding="utf-8")
        if len(outcomes) == len(ROWS):
            NOTES.unlink()
    missed = [*unexplained(outcomes), *(key for key in asked or ROWS if key not in outcomes)]
    sys.exit(f"Lost something, or not measured: {', '.join(missed)}" if missed else None)


if __name__ == "__main__":
    main()
