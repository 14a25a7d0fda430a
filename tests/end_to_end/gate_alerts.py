"""For every alert: which models it must name by the ledger, and with which value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from replymeter import conventions as names
from tests.end_to_end.gate import (
    answers,
    blocks,
    by_model,
    cost,
    ends,
    failed,
    made,
    share,
    tokens,
    unpriced,
    unseen,
    well,
)
from tests.end_to_end.gate_panels import CACHED, ended, errors, of_type

if TYPE_CHECKING:
    from tests.end_to_end.gate import Calls, Fact, Said, Value

LEAST = 20
QUARTERS, POINTS = 4, 5
"""A quarter of an hour is a fourth of one; a call is in five of the rule's minutes."""


def over(part: Fact, whole: Fact, limit: float, least: float = LEAST) -> Fact:
    """The share, where it is over the limit and of at least so many; else nothing."""

    def fact(calls: Calls, *words: str) -> Value:
        found, of = share(part(calls, *words), whole(calls)), whole(calls)
        return found if found is not None and of >= least and found > limit else None

    return fact


def _at_least(fact: Fact, limit: float) -> Fact:
    def checked(calls: Calls, *words: str) -> Value:
        value = fact(calls, *words)
        return value if value is not None and value >= limit else None

    return checked


def shown(calls: Calls) -> dict[str, Said]:
    """The alerts that ask the metrics themselves."""
    refused = by_model(_at_least(of_type, 3), 1, ("authentication", "permission_denied"))(calls)
    return {
        "TruncatedFinishesHigh": by_model(over(ended("length"), answers, 0.05))(calls),
        "TruncationAny": by_model(over(ended("length"), answers, 0, 0))(calls),
        "OutputNearLimit": {},
        "CancelledOrAbandonedHigh": by_model(over(ended("cancelled", "abandoned"), ends, 0.1))(
            calls
        ),
        "ErrorRateHigh": by_model(over(failed, made, 0.1))(calls),
        "RateLimited": by_model(over(errors("rate_limit"), made, 0.05))(calls),
        "AuthErrors": {(kind, *who): value for (*who, kind), value in refused.items()},
        "LatencyHigh": {},
        "TimeToFirstChunkHigh": {},
        "SafetyBlocksHigh": by_model(over(ended("content_filter"), answers, 0.02))(calls),
        "SafetyBlocksByCategory": by_model(
            over(lambda some, kind, stage: blocks(some, stage, kind), answers, 0.01),
            1,
            names.CATEGORIES,
            names.STAGES,
        )(calls),
        "PromptAttacks": by_model(
            _at_least(lambda some: blocks(some, "prompt", "jailbreak"), 5)
        )(calls),
        "CostRateHigh": by_model(
            _at_least(lambda some: (cost(some) or 0) * QUARTERS, 50)
        )(calls),
        "CostIncomplete": by_model(over(unpriced, well, 0.05))(calls),
        "UsageMissing": by_model(over(unseen, well, 0.05))(calls),
        "UnknownFinishReason": by_model(over(ended("other", "missing"), answers, 0.01))(calls),
        "InternalErrors": {},
        "TelemetryAbsent": {},
        "CardinalityOverflow": {},
    }  # fmt: skip


def recorded(calls: Calls, before: Calls) -> dict[str, Said]:
    """Those that ask the recording rules, of calls that are there once a minute of the rule's."""
    enough = LEAST * POINTS
    old = dict.fromkeys(by_model(made)(before), True)

    def burn(limit: float) -> Said:
        return by_model(over(ended("length"), answers, limit, enough))(calls)

    def since(said: Said) -> Said:
        return {key: value for key, value in said.items() if key in old}

    return {
        "TruncationBudgetBurnFast": burn(14.4 * 0.01),
        "TruncationBudgetBurnMedium": burn(6 * 0.01),
        # Three days reach back: the day before nothing was cut.
        "TruncationBudgetBurnSlow": {
            key: (0.01, value) if old and value else value for key, value in burn(0.01).items()
        },
        "TruncationAppeared": since(by_model(over(ended("length"), answers, 0.02, enough))(calls)),
        "SafetyBlocksSpike": since(by_model(_spike)(calls)),
        "CostSpike": {},  # The day before had no prices.
        "CacheHitDropped": since(by_model(partial(_dropped, before=before))(calls)),
    }


def _spike(calls: Calls) -> Value:
    """The day before nothing was blocked."""
    blocked = ends(calls, "content_filter")
    return share(blocked, answers(calls)) if blocked / POINTS >= 10 else None


def _dropped(calls: Calls, before: Calls) -> Value:
    now, then = CACHED(calls), CACHED(before)
    much = tokens(calls, "input_tokens") / POINTS >= 100_000
    if not isinstance(now, float) or not isinstance(then, float):
        return None
    return now if much and now < 0.5 * then and then > 0.1 else None
