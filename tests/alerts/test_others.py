"""The alerts that are not about one share: counts, comparisons with the day before, absence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replymeter import conventions as names
from replymeter.dashboards.promql import label
from tests.alerts.cases import BLOCK, SHARES, WHO, Load, calls, endings, series
from tests.alerts.promtool import ALERTS, Scenario, check

if TYPE_CHECKING:
    from pathlib import Path

DAY, HOUR, LONGER = 25 * 60, 66, 85
BEFORE = 3 * 60
"""Minutes of the day before: a share of them says as much as one of all, which takes long."""
CUT, STOP, BLOCKED = endings("length"), endings("stop"), endings("content_filter")
ATTACK = series(
    names.SAFETY_BLOCKS,
    **{label(names.BLOCK_STAGE): "prompt", label(names.BLOCK_CATEGORY): "jailbreak"},
)
REFUSED = calls("authentication")
COST = series(names.COST_OF_CALLS, **{label(names.COST_PART): "output"})
READ, INPUT = series(names.CACHE_READ_TOKENS), series(names.INPUT_TOKENS)
KIND = {label(names.ERROR_KIND): "read"}
BROKEN = series(names.INTERNAL_ERRORS, **KIND)
JOB = {key: WHO[key] for key in ("deployment_environment_name", "job")}


def _any() -> list[Scenario]:
    says = "100% of the replies of gpt-5-mini (openai) in shop in prod were cut off by length in "
    night: Load = {CUT: [(10, 1), (0, 2)], STOP: [(0, 3)]}
    return [
        Scenario("a nightly job, all cut", night, 10, fires=True, says=says + "the last hour."),
        Scenario("one of many", {CUT: [(0, 9), (1, 1)], STOP: [(500, 10)]}, 10, fires=True),
        Scenario("quiet", {CUT: [(0, 10)], STOP: [(500, 10)]}, 10, fires=False),
        Scenario("low traffic", {CUT: [(0, 10)], STOP: [(1, 1), (0, 9)]}, 10, fires=False),
        Scenario("over after an hour", {CUT: [(1, 1), (0, 70)], STOP: [(1, 71)]}, 70, fires=False),
        Scenario("reset", {CUT: [(0, 5), 0, (0, 9)], STOP: [(1, 5), 0, (1, 9)]}, 12, fires=False),
        Scenario("reset, then one", {CUT: [9.0, (0, 5), 0, (1, 3)], STOP: [(1, 9)]}, 9, fires=True),
        # What the series that are created at 0 are for, and the server's zero ingestion.
        Scenario("created at 0, then 1", {CUT: [(1, 1)], STOP: [(0, 1)]}, 1, fires=True),
        Scenario("born at 1", {CUT: [1.0, (0, 3)], STOP: [(1, 3)]}, 3, fires=False),
    ]


def _appeared() -> list[Scenario]:
    def one(name: str, before: float, now: float, whole: float = 100, *, fires: bool) -> Scenario:
        load: Load = {CUT: [(before, BEFORE), (now, HOUR)], STOP: [(whole, BEFORE + HOUR)]}
        return Scenario(name, load, BEFORE + HOUR, fires)

    says = (
        "8.333% of the replies of gpt-5-mini (openai) in shop in prod were cut off by length in "
        "the last hour, and less than 0.5% on the day before: did a prompt, a limit or the model "
        "change?"
    )
    born: Load = {CUT: [(0, BEFORE), 5000, (0, HOUR)], STOP: [(100, BEFORE + HOUR)]}
    reset: Load = {CUT: [(0, BEFORE + 60), 0, (0, 9)], STOP: [(99, BEFORE + 60), 0, (99, 9)]}
    new: Load = {CUT: [(10, HOUR)], STOP: [(90, HOUR)]}
    full: Load = {CUT: [(0, BEFORE), (100, HOUR)], STOP: [(1100, BEFORE + HOUR)]}
    long: Load = {CUT: [(0, 120), (99, 120), (0, DAY - 240), (9, HOUR)], STOP: [(99, DAY + HOUR)]}
    return [
        Scenario("fires", full, BEFORE + HOUR, fires=True, says=says),
        one("quiet", 0, 0, fires=False),
        Scenario("it was there a day before", long, DAY + HOUR, fires=False),
        one("just above", 0, 2.1, fires=True),
        one("just below", 0, 2, fires=False),
        one("low traffic", 0, 0.01, 0.3, fires=False),
        Scenario("reset", reset, BEFORE + HOUR, fires=False),
        Scenario("no day before", new, HOUR, fires=False),
        Scenario("a past at once", born | {CUT: [5000.0, (0, HOUR)]}, HOUR, fires=False),
    ]


def _spike() -> list[Scenario]:
    def one(name: str, before: float, now: float, whole: float = 100, *, fires: bool) -> Scenario:
        load: Load = {BLOCKED: [(before, BEFORE), (now, HOUR)], STOP: [(whole, BEFORE + HOUR)]}
        return Scenario(name, load, BEFORE + HOUR, fires)

    says = (
        "9.091% of the replies of gpt-5-mini (openai) in shop in prod were blocked in the last "
        "hour, more than 3 times the share of the day before."
    )
    steady: Load = {BLOCKED: [(1, BEFORE), (10, HOUR)], STOP: [(100, BEFORE + HOUR)]}
    reset: Load = {
        BLOCKED: [(1, BEFORE + 60), 0, (1, 9)],
        STOP: [(100, BEFORE + 60), 0, (100, 9)],
    }
    long: Load = {
        BLOCKED: [(0, 120), (99, 120), (0, DAY - 240), (9, HOUR)],
        STOP: [(99, DAY + HOUR)],
    }
    born: Load = {BLOCKED: [9000.0, (1, BEFORE + HOUR)], STOP: [(100, BEFORE + HOUR)]}
    return [
        Scenario("fires", steady, BEFORE + HOUR, fires=True, says=says),
        one("quiet", 1, 1, fires=False),
        Scenario("as many a day before", long, DAY + HOUR, fires=False),
        one("just below three times", 1, 2.9, fires=False),
        one("just above three times", 1, 3.4, fires=True),
        one("low traffic: nine blocks", 0, 0.15, fires=False),
        one("none before, eleven blocks", 0, 0.19, fires=True),
        Scenario("reset", reset, BEFORE + HOUR, fires=False),
        Scenario("a past at once", born, BEFORE + HOUR, fires=False),
        Scenario("no day before", {BLOCKED: [(50, HOUR)], STOP: [(50, HOUR)]}, HOUR, fires=False),
    ]


def _attacks() -> list[Scenario]:
    says = (
        "About 10 prompts to gpt-5-mini (openai) in shop in prod were blocked as a jailbreak or an "
        "injection in the last 10 minutes."
    )
    return [
        Scenario("fires", {ATTACK: [(1, 30)]}, 30, fires=True, says=says),
        Scenario("quiet", {ATTACK: [(0, 30)]}, 30, fires=False),
        Scenario("low traffic: one", {ATTACK: [(0, 25), (1, 1), (0, 5)]}, 30, fires=False),
        Scenario("just below", {ATTACK: [(0.49, 30)]}, 30, fires=False),
        Scenario("just above", {ATTACK: [(0.51, 30)]}, 30, fires=True),
        Scenario("another category", {series(names.SAFETY_BLOCKS, **BLOCK): [(9, 30)]}, 30,
                 fires=False),
        Scenario("reset", {ATTACK: [99.0, (0, 25), 0, (0, 5)]}, 30, fires=False),
        Scenario("reset in an attack", {ATTACK: [(1, 25), 0, (1, 5)]}, 30, fires=True),
        Scenario("born with a past", {ATTACK: [99.0, (0, 9)]}, 9, fires=False),
    ]  # fmt: skip


def _refused() -> list[Scenario]:
    says = (
        "About 15 calls of gpt-5-mini (openai) in shop in prod ended in authentication in the last "
        "15m."
    )
    kind = {"error_type": "authentication"}
    return [
        Scenario("fires", {REFUSED: [(1, 30)]}, 30, fires=True, says=says, labels=kind),
        Scenario("quiet", {REFUSED: [(0, 30)]}, 30, fires=False),
        Scenario("low traffic: one", {REFUSED: [(0, 20), (1, 1), (0, 9)]}, 30, fires=False),
        Scenario("just below", {REFUSED: [(0.19, 40)]}, 40, fires=False),
        Scenario("just above", {REFUSED: [(0.21, 40)]}, 40, fires=True, labels=kind),
        Scenario("another error", {calls("server_error"): [(9, 30)]}, 30, fires=False),
        Scenario("reset", {REFUSED: [99.0, (0, 25), 0, (0, 5)]}, 30, fires=False),
        Scenario("born with a past", {REFUSED: [99.0, (0, 9)]}, 9, fires=False),
    ]


def _cost_rate() -> list[Scenario]:
    says = "gpt-5-mini (openai) in shop in prod costs 60 US dollars an hour."
    return [
        Scenario("fires", {COST: [(1, 40)]}, 40, fires=True, says=says),
        Scenario("quiet", {COST: [(0, 40)]}, 40, fires=False),
        Scenario("low traffic: one dear call", {COST: [(5, 1), (0, 39)]}, 40, fires=False),
        Scenario("just below", {COST: [(49.9 / 60, 40)]}, 40, fires=False),
        Scenario("just above", {COST: [(50.1 / 60, 40)]}, 40, fires=True),
        Scenario("reset", {COST: [99.0, (0, 25), 0, (0, 15)]}, 40, fires=False),
        Scenario("born with a past", {COST: [99.0, (0, 40)]}, 40, fires=False),
    ]


def _cost_spike() -> list[Scenario]:
    def one(name: str, before: float, now: float, *, fires: bool) -> Scenario:
        return Scenario(name, {COST: [(before, DAY), (now, HOUR)]}, DAY + HOUR, fires)

    says = (
        "gpt-5-mini (openai) in shop in prod cost 60 US dollars in the last hour, more than 3 "
        "times the same hour yesterday."
    )
    full: Load = {COST: [(0.1, DAY), (1, HOUR)]}
    return [
        Scenario("fires", full, DAY + HOUR, fires=True, says=says),
        one("quiet", 1, 1, fires=False),
        one("just below", 0.1, 0.29, fires=False),
        one("just above", 0.1, 0.31, fires=True),
        one("low traffic: cheap", 0, 0.08, fires=False),
        Scenario("reset", {COST: [(1, DAY + 60), 0, (1, 9)]}, DAY + HOUR, fires=False),
        Scenario("no yesterday", {COST: [99.0, (1, HOUR)]}, HOUR, fires=False),
    ]


def _cache() -> list[Scenario]:
    def one(name: str, before: float, now: float, whole: float = 10000, *, fires: bool) -> Scenario:
        load: Load = {READ: [(before, BEFORE), (now, LONGER)], INPUT: [(whole, BEFORE + LONGER)]}
        return Scenario(name, load, BEFORE + LONGER, fires)

    says = (
        "10% of the input tokens of gpt-5-mini (openai) in shop in prod came from the provider's "
        "cache in the last hour, less than 0.5 of the share of the day before."
    )
    full: Load = {READ: [(5000, BEFORE), (1000, LONGER)], INPUT: [(10000, BEFORE + LONGER)]}
    reset: Load = {
        READ: [(5000, BEFORE + 60), 0, (5000, 9)],
        INPUT: [(9999, BEFORE + 60), 0, (9999, 9)],
    }
    long: Load = {
        READ: [(0, 120), (9999, 240), (900, DAY - 360), (0, LONGER)],
        INPUT: [(9999, DAY + LONGER)],
    }
    born: Load = {READ: [(0, LONGER)], INPUT: [9e9, (10000, LONGER)]}
    return [
        Scenario("fires", full, BEFORE + LONGER, fires=True, says=says),
        one("quiet", 5000, 5000, fires=False),
        one("just above half", 5000, 2550, fires=False),
        one("just below half", 5000, 2300, fires=True),
        one("low traffic", 500, 0, 1000, fires=False),
        one("never much", 900, 0, fires=False),
        Scenario("much a day before", long, DAY + LONGER, fires=True),
        Scenario("reset", reset, BEFORE + LONGER, fires=False),
        Scenario("born with a past", born, LONGER, fires=False),
    ]


def _internal() -> list[Scenario]:
    says = (
        "About 15 failures of Replymeter's own in the step read, for gpt-5-mini (openai) in shop "
        "in prod; the app's log has one line a kind."
    )
    return [
        Scenario("fires", {BROKEN: [(1, 30)]}, 30, fires=True, says=says, labels=KIND),
        Scenario("quiet", {BROKEN: [(0, 30)]}, 30, fires=False),
        Scenario("low traffic: one is enough", {BROKEN: [(0, 29), (1, 1)]}, 30, fires=True,
                 labels=KIND),
        Scenario("over after 15 minutes", {BROKEN: [(0, 9), (1, 1), (0, 20)]}, 30, fires=False),
        Scenario("reset", {BROKEN: [9.0, (0, 25), 0, (0, 5)]}, 30, fires=False),
        Scenario("born with a past", {BROKEN: [9.0, (0, 9)]}, 9, fires=False),
    ]  # fmt: skip


def _absent() -> list[Scenario]:
    says = "Nothing has come from shop in prod for 15m; an hour earlier it had sent."
    return [
        Scenario("fires", {STOP: [(1, 60)]}, 85, fires=True, says=says, who=JOB),
        Scenario("quiet", {STOP: [(1, 90)]}, 85, fires=False),
        Scenario("low traffic is there too", {STOP: [(0, 90)]}, 85, fires=False),
        Scenario("not long enough", {STOP: [(1, 60)]}, 78, fires=False),
        Scenario("reset", {STOP: [(1, 60), 0, (1, 30)]}, 85, fires=False),
        Scenario("born just now", {STOP: [9.0, (1, 9)]}, 9, fires=False),
    ]


def _overflow() -> list[Scenario]:
    point = f'{names.OUTPUT_TOKENS.prometheus}{{deployment_environment_name="prod", job="shop", '
    over: Load = {f'{point}otel_metric_overflow="true"}}': [(1, 30)]}
    model = series(names.FINISH_REASON_COUNT, "other", replymeter_finish_reason="stop")
    address = series(names.FINISH_REASON_COUNT, server_address="other")
    says = (
        "shop in prod has more models than `model_cap` says (50 unless set), more than 50 "
        "addresses, or more series than the SDK keeps apart: what is over is only in sums."
    )
    return [
        Scenario("the SDK's overflow", over, 30, fires=True, says=says, who=JOB),
        Scenario("models over the cap", {model: [(1, 30)]}, 30, fires=True, says=says, who=JOB),
        Scenario("addresses over the cap", {address: [(1, 30)]}, 30, fires=True, who=JOB),
        Scenario("quiet", {STOP: [(1, 30)]}, 30, fires=False),
        Scenario("low traffic: idle since", {model: [(1, 1), (0, 90)]}, 80, fires=False),
        Scenario("not long enough", {model: [(0, 26), (1, 4)]}, 30, fires=False),
        Scenario("reset", {model: [9.0, (0, 9), 0, (0, 21)]}, 30, fires=False),
        Scenario("born with a past", {model: [9.0, (0, 30)]}, 30, fires=False),
    ]


SCENARIOS = {
    "ReplymeterTruncationAny": _any,
    "ReplymeterTruncationAppeared": _appeared,
    "ReplymeterSafetyBlocksSpike": _spike,
    "ReplymeterPromptAttacks": _attacks,
    "ReplymeterAuthErrors": _refused,
    "ReplymeterCostRateHigh": _cost_rate,
    "ReplymeterCostSpike": _cost_spike,
    "ReplymeterCacheHitDropped": _cache,
    "ReplymeterInternalErrors": _internal,
    "ReplymeterTelemetryAbsent": _absent,
    "ReplymeterCardinalityOverflow": _overflow,
}


@pytest.mark.parametrize("alert", SCENARIOS)
def test_an_alert_of_its_own_kind(alert: str, tmp_path: Path) -> None:
    """It fires when it should and says so; not below, in little traffic, or for a reset."""
    check(SCENARIOS[alert](), alert, tmp_path)


def test_every_alert_has_its_scenarios() -> None:
    """A new alert needs a case among the shares, or scenarios of its own."""
    assert {*SHARES, *SCENARIOS} == set(ALERTS)


def test_a_burn_clears_when_the_cut_replies_end(tmp_path: Path) -> None:
    """The short window ends it, though the long one still holds the bad minutes."""
    load: Load = {CUT: [(500, 30), (0, 20)], STOP: [(500, 50)]}
    during = Scenario("during", load, 30, fires=True)
    after = Scenario("after", load, 45, fires=False)
    check([during, after], "ReplymeterTruncationBudgetBurnFast", tmp_path)


def test_a_short_burst_does_not_burn_the_budget_of_an_hour(tmp_path: Path) -> None:
    """The long window keeps five bad minutes from paging."""
    load: Load = {CUT: [(0, 60), (1000, 5)], STOP: [(1000, 60), (0, 5)]}
    check(
        [Scenario("burst", load, 65, fires=False)], "ReplymeterTruncationBudgetBurnFast", tmp_path
    )


def test_rate_limits_do_not_hide_truncation(tmp_path: Path) -> None:
    """A share of truncated replies is one of replies: failed and given-up calls are none."""
    storm: Load = {endings(reason): [(5000, 40)] for reason in ("error", "cancelled", "abandoned")}
    load: Load = {**storm, CUT: [(10, 40)], STOP: [(90, 40)]}
    check([Scenario("storm", load, 40, fires=True)], "ReplymeterTruncatedFinishesHigh", tmp_path)


def test_a_setting_moves_a_threshold(tmp_path: Path) -> None:
    """The same series, before and after."""
    load: Load = {CUT: [(30, 40)], STOP: [(970, 40)]}
    alert = "ReplymeterTruncatedFinishesHigh"
    check([Scenario("at 5 %", load, 40, fires=False)], alert, tmp_path)
    check([Scenario("at 2 %", load, 40, fires=True)], alert, tmp_path, "truncated_share=0.02")


def test_odd_names_are_escaped_in_the_link(tmp_path: Path) -> None:
    """A model's name can have a slash, a blank or an ampersand, and an environment none."""
    model = "meta/llama 3 & co"
    who = {key: value for key, value in WHO.items() if key != "deployment_environment_name"}
    who["gen_ai_request_model"] = model
    load: Load = {
        series(
            names.FINISH_REASON_COUNT, model, deployment_environment_name="",
            replymeter_finish_reason=reason,
        ): [(10, 3)]
        for reason in ("stop", "length")
    }  # fmt: skip
    says = (
        f"50% of the replies of {model} (openai) in shop were cut off by length in the last hour."
    )
    check(
        [Scenario("odd", load, 3, fires=True, says=says, who=who)],
        "ReplymeterTruncationAny",
        tmp_path,
    )
