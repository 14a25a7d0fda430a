"""Prompts and replies that were blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replymeter.alerts.spec import (
    ENDINGS,
    KEEP,
    NUMBER,
    SHARE,
    WHO,
    Alert,
    ended,
    enough,
    every,
    grown,
    over,
    recorded,
    recorded_growth,
)
from replymeter.conventions import BLOCK_CATEGORY, BLOCK_STAGE, FINISH_REASON_COUNT, SAFETY_BLOCKS
from replymeter.dashboards.promql import (
    ANSWERED,
    equal,
    increase,
    label,
    over_zero,
    ratio,
    select,
    share,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.alerts.settings import Settings

DASHBOARD: Final = "safety"
BLOCKED: Final = ended("content_filter")
STAGE: Final = f"{{{{ $labels.{label(BLOCK_STAGE)} }}}}"
CATEGORY: Final = f"{{{{ $labels.{label(BLOCK_CATEGORY)} }}}}"


def alerts(settings: Settings) -> Iterator[Alert]:
    """The alerts about safety."""
    yield _high(settings)
    yield _by_category(settings)
    yield _spike(settings)
    yield _attacks(settings)


def _high(settings: Settings) -> Alert:
    window = settings.window
    blocked = grown(FINISH_REASON_COUNT, BLOCKED, window=window)
    replies = grown(FINISH_REASON_COUNT, ANSWERED, window=window)
    return Alert(
        name="ReplymeterSafetyBlocksHigh",
        severity="warning",
        hold="10m",
        expr=over(settings, blocked, replies, settings.blocked_share),
        summary="Many replies are blocked for safety.",
        description=f"{SHARE} of the replies of {WHO} were blocked in the last {window}.",
        dashboard=DASHBOARD,
        panel="Blocked share by model",
        thresholds=("blocked_share", "window", "minimum_traffic"),
    )


def _by_category(settings: Settings) -> Alert:
    window, by = settings.window, (*KEEP, BLOCK_STAGE, BLOCK_CATEGORY)
    on = f"on ({', '.join(map(label, KEEP))})"
    blocks = total(increase(select(SAFETY_BLOCKS), window), *by)
    replies = grown(FINISH_REASON_COUNT, ANSWERED, window=window)
    return Alert(
        name="ReplymeterSafetyBlocksByCategory",
        severity="warning",
        hold="10m",
        expr=f"{blocks} / {on} group_left () {over_zero(replies)} "
        f"> {settings.blocked_category_share:g}\n"
        f"and {on}\n{enough(settings, replies)}",
        summary="One safety category blocks much.",
        description=f"Blocks of the category {CATEGORY} ({STAGE}) came to {SHARE} of the replies "
        f"of {WHO} in the last {window}.",
        dashboard=DASHBOARD,
        panel="Blocks by category",
        thresholds=("blocked_category_share", "window", "minimum_traffic"),
    )


def _spike(settings: Settings) -> Alert:
    now = ratio(recorded(ENDINGS, BLOCKED, window="1h"), recorded(ENDINGS, ANSWERED, window="1h"))
    before = share(
        recorded(ENDINGS, BLOCKED, window="1d", before="1h"),
        recorded(ENDINGS, ANSWERED, window="1d", before="1h"),
    )
    blocked = recorded_growth(ENDINGS, BLOCKED, window="1h")
    replies_before = recorded_growth(ENDINGS, ANSWERED, window="1d", before="1h")
    return Alert(
        name="ReplymeterSafetyBlocksSpike",
        severity="warning",
        hold="5m",
        expr=every(
            f"{now} > {settings.blocked_spike:g} * ({before})",
            f"{blocked} >= {settings.blocked_spike_count:g}",
            enough(settings, replies_before),
        ),
        summary="Safety blocks are far more frequent than on the day before.",
        description=f"{SHARE} of the replies of {WHO} were blocked in the last hour, more than "
        f"{settings.blocked_spike:g} times the share of the day before.",
        dashboard=DASHBOARD,
        panel="Blocked share by model",
        thresholds=("blocked_spike", "blocked_spike_count", "minimum_traffic"),
    )


def _attacks(settings: Settings) -> Alert:
    attack = (equal(BLOCK_STAGE, "prompt"), equal(BLOCK_CATEGORY, "jailbreak"))
    attacks = grown(SAFETY_BLOCKS, *attack, window="10m")
    return Alert(
        name="ReplymeterPromptAttacks",
        severity="warning",
        hold="0s",
        expr=f"{attacks} >= {settings.prompt_attacks:g}",
        summary="Prompts are blocked as attacks.",
        description=f"About {NUMBER} prompts to {WHO} were blocked as a jailbreak or an injection "
        "in the last 10 minutes.",
        dashboard=DASHBOARD,
        panel="Blocks by category",
        thresholds=("prompt_attacks",),
    )
