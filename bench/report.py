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

NOISE = 0.05
"""The part of a bare call below which what the floor adds is noise: no ratio to it."""


def times(taken: Table) -> str:
    """Microseconds that each layer adds, and Replymeter's over the floor's."""
    columns = list(taken["none"])
    extra = added(taken)
    rows = [numbers("none (the bare call)", taken["none"], columns, ".1f")]
    for setting in SETTINGS:
        ours, floor = extra[f"replymeter{setting}"], extra[f"floor{setting}"]
        seen = {one: value for one, value in floor.items() if value > NOISE * taken["none"][one]}
        rows += [
            numbers(f"floor{setting}", floor, columns, "+.1f"),
            numbers(f"replymeter{setting}", ours, columns, "+.1f"),
            numbers(f"*times the floor{setting}*", ratios(ours, seen), columns, ".2f"),
        ]
    return table(("microseconds", *(f"`{column}`" for column in columns)), rows)


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
    extra = {name: added(one["times"]) for name, one in said.items()}
    middle = {
        layer: {task: median(one[layer][task] for one in extra.values()) for task in CALLS}
        for layer in ("floor", "replymeter")
    }
    rows = [[name, *_cells(row, middle["floor"], ".1f"), "0.00"] for name, row in middle.items()]
    rows += [
        [f"`{name}`", *_cells(one[name], one["floor"], ".1f"), f"{said[name]['hops']:.2f}"]
        for name, one in extra.items()
    ]
    head = ("microseconds", *(f"`{task}`" for task in CALLS), "threads a chunk of `astream`")
    return table(head, rows)


def peers_memory(said: Mapping[str, Any]) -> str:
    """Objects that a call of each project leaves, by its ending."""
    rows = [
        [f"`{name}`", *(_flat(one["retained"][ending]["objects"], ".2f") for ending in ENDINGS)]
        for name, one in said.items()
    ]
    return table(("objects a call", *ENDINGS), rows)
