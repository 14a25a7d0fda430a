"""`make capacity`: what one process, one agent and one Prometheus take; writes docs/capacity.md.

`python -m bench.capacity PART ...` measures only these (app, agent, database, growth), and prints.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.capacity import agent, database, growth, page, process  # noqa: E402
from bench.page import load, processor  # noqa: E402
from tests.end_to_end.parts import prometheus  # noqa: E402
from tools import components  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = ROOT / "docs" / "capacity.md"
PINS = (
    ("Collector", "builder/manifest.yaml", r"^  version: (\S+)"),
    ("Prometheus", "prometheus/go.mod", r"prometheus/prometheus v0\.(\d)(\d+)\.(\d+)"),
)
PACKAGES = "langchain-core", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"


def app_part(folder: Path) -> str:
    """One app process, and several."""
    with prometheus(folder / "prometheus") as there:
        return page.app(*process.measure(folder, there))


def growth_part(_: Path) -> str:
    """How cost grows."""
    units = [
        (one, size, one.grown(growth.bytecodes, size), one.grown(growth.microseconds, size))
        for one in growth.DIMENSIONS
        for size in one.sizes
    ]
    return page.growth(units, [growth.kept(models) for models in (1, 10, 50, 200)])


PARTS: dict[str, tuple[str, tuple[str, ...], Callable[[Path], str]]] = {
    "app": ("One app process", ("collector", "prometheus"), app_part),
    "agent": ("One agent", ("collector",), lambda folder: page.agent(*agent.measure(folder))),
    "database": (
        "One Prometheus",
        ("prometheus",),
        lambda folder: page.database(database.measure(folder)),
    ),
    "growth": ("How cost grows", (), growth_part),
}


def measured(key: str) -> tuple[str, bool]:
    """The section of a part, or why there is none; whether it failed."""
    title, needs, measure = PARTS[key]
    began, before = monotonic(), load()
    failed = False
    try:
        for need in needs:
            components.find(need)
        with tempfile.TemporaryDirectory(prefix="capacity-", ignore_cleanup_errors=True) as folder:
            text = measure(Path(folder))
    except components.MissingError as error:
        text = f"Not measured: {error}."
    except Exception as error:  # noqa: BLE001  # the other parts are worth their minutes
        failed, text = True, f"Not measured: {type(error).__name__}."
        print(traceback.format_exc(), file=sys.stderr)
    took = monotonic() - began
    text = text.rstrip() + f"\n\nTook {took:.0f} s; the load average before it was {before:.1f}.\n"
    text = f"\n## {title}\n\n{text}"
    print(text, flush=True)
    return text, failed


def machine() -> str:
    """What it was measured on, and with."""
    parts = f"{os.cpu_count()} cores of {processor()}, {platform.system()}"
    versions = [f"{name} {version(name)}" for name in PACKAGES]
    for name, file, pattern in PINS:
        found = re.search(pattern, (components.CONFIG / file).read_text(), re.MULTILINE)
        versions += [f"{name} {'.'.join(found.groups())}"] if found else []
    when = datetime.now(timezone.utc).strftime("%d %B %Y")
    python = platform.python_version()
    return page.prose(f"Measured on {when}: {parts}, Python {python}, {', '.join(versions)}.")


def main() -> None:
    """Measure, and write the page when it was all of it."""
    asked = sys.argv[1:]
    if unknown := set(asked) - set(PARTS):
        sys.exit(f"No part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    sections, failed = zip(*map(measured, asked or PARTS), strict=True)
    if not asked:
        PAGE.write_text(page.HEAD + machine() + page.USE + "".join(sections), encoding="utf-8")
    sys.exit(any(failed))


if __name__ == "__main__":
    main()
