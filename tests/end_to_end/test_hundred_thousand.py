"""`make ledger`, with a tenth of the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hundred_thousand import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

CALLS = 10_000


def test_four_workers_lose_and_double_nothing(database: Prometheus, tmp_path: Path) -> None:
    """Every series of each worker is exact, and every span arrives, once."""
    outcome = run(CALLS, tmp_path, database)

    assert (outcome.made, outcome.differences) == (CALLS, 0)
    assert (outcome.missing, outcome.twice) == (0, 0)
    assert outcome.series > 1000
