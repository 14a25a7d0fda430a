"""What Replymeter is held to, each as a row: the most that is allowed, and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bench.page import table
from bench.timing import added, ratios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.page import Table


class Found(NamedTuple):
    """What the parts of the benchmark gave: a row for each layer, of memory for each ending."""

    times: Table
    idle: Table
    imports: Table
    memory: dict[str, Table]
    hops: float


class Target(NamedTuple):
    """The most that each of the numbers may be that `measured` picks."""

    what: str
    most: float
    measured: Callable[[Found], Iterable[float]]


def _over_floor(found: Found, setting: str, columns: Iterable[str]) -> list[float]:
    extra = added(found.times)
    by = ratios(extra[f"replymeter{setting}"], extra[f"floor{setting}"])
    return [by[column] for column in columns if column in by]


def _added(found: Found, layer: str, columns: Iterable[str]) -> list[float]:
    row = added(found.times)[layer]
    return [row[column] for column in columns]


def _passing(found: Found) -> Iterable[float]:
    extra = added(found.idle)
    return ratios(extra["not instrumented"], extra["forwarding"]).values()


def _left(found: Found) -> list[float]:
    ours, bare = found.memory["replymeter"], found.memory["none"]
    return [max(row["objects"] - bare[ending]["objects"], 0) for ending, row in ours.items()]


CALLS = ("invoke", "ainvoke", "batch")
CHUNKS = ("stream", "astream")
QUIET = ("invoke", "ainvoke", "_generate")
"""Where a few microseconds can be seen: in a `batch`, its threads come and go by more."""
TARGETS = (
    Target(
        "`invoke`, `ainvoke`, `batch`: times the floor", 1.3, lambda it: _over_floor(it, "", CALLS)
    ),
    Target(
        "a chunk of `stream`, `astream`: microseconds",
        1.5,
        lambda it: _added(it, "replymeter", CHUNKS),
    ),
    Target(
        "the same with `chunk_timing`: times the floor",
        1.2,
        lambda it: _over_floor(it, ", chunk timing", CHUNKS),
    ),
    Target("no SDK: microseconds a call", 15, lambda it: _added(it, "replymeter, no SDK", QUIET)),
    Target("a model that is not instrumented: times a forwarding function", 1.5, _passing),
    Target(
        "`import replymeter`: milliseconds",
        15,
        lambda it: [it.imports["`import replymeter`"]["milliseconds"]],
    ),
    Target("objects that a call leaves behind, of every ending", 0.01, _left),
    Target("hand-overs of an `astream` chunk to another thread", 0, lambda it: [it.hops]),
)


def rendered(found: Found, targets: Iterable[Target] = TARGETS) -> str:
    """The table of *targets*."""
    rows = [_row(target, list(target.measured(found))) for target in targets]
    return table(("target", "at most", "measured", ""), rows)


def _row(target: Target, said: list[float]) -> tuple[str, ...]:
    if not said:
        return target.what, f"{target.most:g}", "below the noise", ""
    least, most = f"{min(said):.2f}", f"{max(said):.2f}"
    verdict = "met" if max(said) <= target.most else "**not met**"
    return (
        target.what,
        f"{target.most:g}",
        least if least == most else f"{least} to {most}",
        verdict,
    )
