"""Writes what was measured into docs/benchmarks.md, each table between its markers."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tools.docs import filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    Table: TypeAlias = dict[str, dict[str, float]]

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
PACKAGES = ("langchain-core", "opentelemetry-sdk")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, whose cells after the first are numbers."""
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def numbers(name: str, row: Mapping[str, float], columns: Sequence[str], form: str) -> list[str]:
    """One row of a table; a column that *row* has not stays empty."""
    return [name, *(format(row[one], form) if one in row else "" for one in columns)]


def processor() -> str:
    """What the machine calls its processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def load() -> float:
    """How many processes wanted a processor in the last minute."""
    return os.getloadavg()[0]


def caption(rounds: int, load_before: float) -> str:
    """Where and when a table was measured, and what else the machine did."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    today = datetime.now(tz=timezone.utc).date().isoformat()
    return (
        f"Measured {today} on {processor()}, {os.cpu_count()} cores, load {load_before:.1f} before "
        f"and {load():.1f} after (of that one is this measurement); Python "
        f"{platform.python_version()}, {packages}; {rounds} rounds."
    )


def write(parts: Mapping[str, Callable[[], str]], page: Path = PAGE) -> None:
    """Fill the *parts* of the page that were measured; the others stay as they are."""
    page.write_text(filled(page.read_text(encoding="utf-8"), parts), encoding="utf-8")
