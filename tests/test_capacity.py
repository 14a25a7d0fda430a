"""A call costs the same however much a process has grown, in bytecodes, never by a clock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bench.capacity.__main__ import measured
from bench.capacity.growth import DIMENSIONS, Dimension, World, bytecodes, streams, used
from tools import components

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {
    "models in a process": (10, 400),
    "instrumented classes": (10, 200),
    "concurrent tasks": (10, 100),
    "calls made before": (100, 1000),
    "chunks of a stream": (100, 1000),
}
ALLOWED = 1.03
"""Runs differ by less than 0.5 %; a search of 400 in order is 10 %."""


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda one: one.name)
def test_a_unit_costs_the_same_at_every_size(dimension: Dimension) -> None:
    """Nothing is searched one by one that grows with the app."""
    small, large = (dimension.grown(bytecodes, size) for size in SIZES[dimension.name])

    assert small > 0
    assert large <= ALLOWED * small


def series(models: int) -> int:
    """The data points of a process with so many models."""
    world = World()
    used(models, ready=world.instrument)
    return streams(world.reader)


def test_series_grow_in_a_line_with_models_until_the_cap() -> None:
    """Each model adds the same number of series, and there is an end to it."""
    ten, twenty, forty = (series(count) for count in (10, 20, 40))

    assert forty - twenty == 2 * (twenty - ten)
    assert series(60) == series(80)


@pytest.mark.parametrize("part", ["app", "agent", "database"])
def test_a_part_that_is_not_there_is_said_to_be_not_measured(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says why; that is no failure."""

    def find(name: str) -> Path:
        raise components.MissingError(f"{name} is not built")

    monkeypatch.setattr(components, "find", find)

    text, failed = measured(part)

    assert re.search(r"Not measured: \w+ is not built", text)
    assert not failed
