"""The tables of docs/benchmarks.md, from what was measured."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from bench.endings import ENDINGS
from bench.layers import SETTINGS
from bench.page import numbers, table
from bench.tasks import CALLS
from bench.timing import added, ratios

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.page import Table

NOISE = 0.1
"""The part of a bare call below which what the floor adds is noise: no ratio to it."""


def times(taken: Table) -> str:
    """Microseconds that each layer adds, and Replymeter's over the floor's."""
    columns = list(taken["none"])
    extra = added(taken)
    rows = [numbers("none (the bare call)", taken["none"], columns, ".1f")]
    for setting in SETTINGS:
        ours, floor = extra[f"replymeter{setting}"], extra[f"floor{setting}"]
        seen = _seen(floor, taken["none"])
        rows += [
            numbers(f"floor{setting}", floor, columns, "+.1f"),
            numbers(f"replymeter{setting}", ours, columns, "+.1f"),
            numbers(f"*times the floor{setting}*", ratios(ours, seen), columns, ".2f"),
        ]
    return table(("microseconds", *(f"`{column}`" for column in columns)), rows)


def _seen(floor: Mapping[str, float], bare: Mapping[str, float]) -> dict[str, float]:
    return {task: value for task, value in floor.items() if value > NOISE * bare[task]}


def steps(taken: Table) -> str:
    """Microseconds of each step, of the floor and of Replymeter."""
    columns = ("floor", "replymeter")
    rows = [numbers(step, row, columns, ".1f") for step, row in taken.items()]
    return table(("microseconds", *columns), rows)


def imports(taken: Table) -> str:
    """Milliseconds and modules of each step."""
    forms = {"milliseconds": ".1f", "modules": ".0f"}
    rows = [[name, *(format(row[one], forms[one]) for one in forms)] for name, row in taken.items()]
    return table(("", *forms), rows)


def beside(head: str, taken: Table, least: str, form: str = ",.0f") -> str:
    """The bare numbers, what each layer has more, and in brackets how often *least*'s."""
    columns = list(taken["none"])
    extra = added(taken)
    rows = [numbers("none", taken["none"], columns, form)]
    rows += [[name, *_cells(row, extra[least], form)] for name, row in extra.items()]
    return table((head, *columns), rows)


def _cells(row: Mapping[str, float], least: Mapping[str, float], form: str) -> list[str]:
    by = ratios(row, least)
    return [
        f"{value:+{form}} ({by[column]:.2f})" if column in by else f"{value:+{form}}"
        for column, value in row.items()
    ]


def memory(left: Mapping[str, Table]) -> str:
    """Objects and bytes that a call leaves, by its ending and layer."""
    kinds = (("objects", ".2f"), ("bytes", ".0f"))
    head = ("a call", *(f"{layer}: {kind}" for kind, _ in kinds for layer in left))
    rows = [
        [ending, *(_flat(left[one][ending][kind], form) for kind, form in kinds for one in left)]
        for ending in ENDINGS
    ]
    return table(head, rows)


def _flat(value: float, form: str) -> str:
    text = format(value, form)
    return text if float(text) else text.lstrip("-")  # No "-0.00".


def peers(said: Mapping[str, Any]) -> str:
    """What each project adds, and how often that is the floor's of the same rounds."""
    parts = [{**added(one["times"]), **one} for one in said.values()]
    middle = {
        layer: {task: median(part[layer][task] for part in parts) for task in CALLS}
        for layer in ("floor", "replymeter")
    }
    rows = []
    for name, row in middle.items():
        threads, once = (
            [part[what][name] for part in parts if name in part[what]]
            for what in ("threads", "import")
        )
        rows.append([name, *_cells(row, middle["floor"], ".1f"), *_rest(threads, once)])
    for name, part in zip(said, parts, strict=True):
        rest = _rest([part["threads"][name]], [part["import"][name]])
        floor = _seen(part["floor"], part["times"]["none"])
        rows.append([f"`{name}`", *_cells(part[name], floor, ".1f"), *rest])
    head = (*(f"`{task}`" for task in CALLS), "threads", "import, ms")
    return table(("microseconds", *head), rows)


def _rest(threads: list[float], once: list[float]) -> tuple[str, str]:
    return f"{median(threads):.2f}", f"{median(once):.1f}" if once else ""


def peers_memory(said: Mapping[str, Any]) -> str:
    """Objects that a call of each project leaves, by its ending."""
    rows = [
        [f"`{name}`", *(_flat(one["retained"][ending]["objects"], ".2f") for ending in ENDINGS)]
        for name, one in said.items()
    ]
    return table(("objects a call", *ENDINGS), rows)
