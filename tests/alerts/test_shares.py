from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.alerts.cases import MODEL, SHARES, Load, Share
from tests.alerts.promtool import Scenario, check

if TYPE_CHECKING:
    from pathlib import Path


def _steady(case: Share, bad: float, whole: float, model: str = MODEL) -> Load:
    amounts = case.load(bad, whole, model)
    return {series: [(amount, case.minutes)] for series, amount in amounts.items()}


def _few(case: Share) -> Load:
    """Every event is bad, and they are too few."""
    once = case.minutes // case.low
    return {
        series: [(amount, 1), (0, once - 1)] * case.low
        for series, amount in case.load(1, 1, MODEL).items()
    }


def _reset(case: Share, bad: float, whole: float) -> Load:
    """The counters begin again at 0 in the midst of it."""
    half = case.minutes // 2
    amounts = case.load(bad, whole, MODEL)
    return {
        series: [(amount, half), 0, (amount, case.minutes - half - 1)]
        for series, amount in amounts.items()
    }


def _born(case: Share) -> Load:
    """Counters that are there all at once, with a past, and then grow by what is good."""
    past, good = case.load(1e6, 1e6, MODEL), case.load(0, 1000, MODEL)
    return {series: [past[series], (good[series], case.minutes)] for series in past}


def scenarios(case: Share) -> list[Scenario]:
    """Every scenario that an alert about a share must pass."""
    limit, minutes, labels = case.limit, case.minutes, case.labels
    other = _steady(case, 0, 1000, "other-model")

    def one(name: str, load: Load, *, fires: bool, says: str | None = None) -> Scenario:
        return Scenario(name, load, minutes, fires, says, labels)

    return [
        one("fires", _steady(case, 500, 1000) | other, fires=True, says=case.says),
        one("quiet", _steady(case, 0, 1000) | other, fires=False),
        one("low traffic", _few(case), fires=False),
        one("just below", _steady(case, 1000 * limit - 0.5, 1000), fires=False),
        one("just above", _steady(case, 1000 * limit + 0.5, 1000), fires=True),
        one("reset while bad", _reset(case, 500, 1000), fires=True),
        one("reset while good", _reset(case, 0, 1000), fires=False),
        one("born with a past", _born(case), fires=False),
        one("idle", {series: [0, (0, minutes)] for series in case.load(1, 1, MODEL)}, fires=False),
    ]


@pytest.mark.parametrize("alert", SHARES)
def test_an_alert_about_a_share(alert: str, tmp_path: Path) -> None:
    """It fires over its limit and says so; not below, in little traffic, or for a reset."""
    check(scenarios(SHARES[alert]), alert, tmp_path)
