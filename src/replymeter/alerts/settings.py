"""What an alert compares with: every threshold once, and how it is changed."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from replymeter.conventions import LIMIT_BUCKETS, SECONDS_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+|0")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_URL = re.compile(r"[\w.:/%~+-]+")
_NAME = re.compile(r"[\w-]{1,40}")
SEVERITIES: Final = ("critical", "warning", "info")


def seconds(duration: str) -> float:
    """The seconds of a Prometheus duration (`1h30m`); raises ValueError for anything else."""
    if not _DURATION.fullmatch(duration):
        raise ValueError("is no duration: write it as 30s, 10m, 1h30m")
    return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("is no number") from None


def _between(low: float, high: float, what: str) -> Callable[[str], float]:
    def check(text: str) -> float:
        value = _number(text)
        if not low < value < high:
            raise ValueError(f"is not {what}: more than {low:g}, less than {high:g}")
        return value

    return check


def _one_of(values: Iterable[float]) -> Callable[[str], float]:
    def check(text: str) -> float:
        if _number(text) not in values:
            raise ValueError(f"is none of {', '.join(f'{value:g}' for value in values)}")
        return float(text)

    return check


def _text(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"is no {what}")
        return text.rstrip("/")

    return check


def _at_least(least: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if seconds(text) < seconds(least):
            raise ValueError(f"is less than {least}")
        return text

    return check


def _setting(default: Any, check: Callable[[str], Any], meaning: str) -> Any:
    return field(default=default, metadata={"check": check, "meaning": meaning})


_share = _between(0, 1, "a share")
_budget = _between(0, 0.06, "a budget")  # 14.4 times it is still a share.
_factor = _between(1, 1000, "a factor")
_count = _between(0, 1e9, "a count")
_money = _between(0, 1e9, "an amount")
_time = _between(0, SECONDS_BUCKETS[-1], "a time that the histogram's buckets can show")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every threshold, window and address in the alerts, and the changes to single alerts.

    `changes` has, by an alert's name, its new `for`, `severity` or `on`.
    """

    minimum_traffic: float = _setting(
        20, _count, "Replies or calls in the window, below which a share says nothing."
    )
    window: str = _setting("15m", _at_least("5m"), "What the short alerts look back on.")
    truncated_share: float = _setting(0.05, _share, "Replies cut off by length.")
    truncation_budget: float = _setting(
        0.01, _budget, "Replies that may be cut; the burn alerts fire at 14.4, 6 and 1 times it."
    )
    truncation_appeared: float = _setting(0.02, _share, "Replies cut now ...")
    truncation_absent: float = _setting(0.005, _share, "... and on the day before.")
    near_limit: float = _setting(
        0.9, _one_of(LIMIT_BUCKETS[:-1]), "A reply is near its limit from this part of it on."
    )
    near_limit_share: float = _setting(0.1, _share, "Replies near their limit.")
    blocked_share: float = _setting(0.02, _share, "Replies blocked for safety.")
    blocked_category_share: float = _setting(0.01, _share, "Blocks of one category a reply.")
    blocked_spike: float = _setting(3, _factor, "Blocked share, in times the day before.")
    blocked_spike_count: float = _setting(10, _count, "Blocked replies of a spike, at least.")
    prompt_attacks: float = _setting(5, _count, "Prompts blocked as an attack in 10 minutes.")
    given_up_share: float = _setting(0.1, _share, "Calls cancelled or abandoned.")
    error_share: float = _setting(0.1, _share, "Calls that failed; safety blocks are not failures.")
    rate_limited_share: float = _setting(0.05, _share, "Calls that ended in a rate limit.")
    auth_errors: float = _setting(3, _count, "Calls refused for their key or rights.")
    latency_p95: float = _setting(60, _time, "Seconds; 95 % of calls take less.")
    first_chunk_p95: float = _setting(10, _time, "Seconds to the first chunk, the same.")
    cost_per_hour: float = _setting(50, _money, "US dollars an hour, of one model in one job.")
    cost_spike: float = _setting(3, _factor, "Cost of an hour, in times the same one yesterday.")
    cost_spike_minimum: float = _setting(5, _money, "US dollars that make a spike, at least.")
    cost_missing_share: float = _setting(0.05, _share, "Calls that could not be priced.")
    cache_drop: float = _setting(0.5, _share, "Cache hits, as a part of the day before's.")
    cache_before: float = _setting(0.1, _share, "Hits of the day before that are worth a look.")
    cache_tokens: float = _setting(100000, _count, "Input tokens in the hour, at least.")
    usage_missing_share: float = _setting(0.05, _share, "Calls without reported usage.")
    unknown_reason_share: float = _setting(
        0.01, _share, "Replies without a finish reason, or with one that nobody knows."
    )
    absent_after: str = _setting("15m", _at_least("5m"), "How long a job must be silent.")
    evaluation_interval: str = _setting(
        "1m", _at_least("1s"), "How often alerts are evaluated; Grafana wants multiples of 10s."
    )
    grafana_url: str = _setting(
        "http://localhost:3000", _text(_URL, "URL"), "Where `dashboard_url` points."
    )
    runbook_url: str = _setting(
        "docs/runbooks.md", _text(_URL, "URL"), "The page that `runbook_url` points into."
    )
    grafana_datasource: str = _setting(
        "prometheus", _text(_NAME, "uid"), "The uid of Prometheus in Grafana's alert rules."
    )
    changes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def described() -> dict[str, tuple[Any, str]]:
    """Each setting's default and meaning, by its name."""
    return {
        one.name: (one.default, one.metadata["meaning"]) for one in fields(Settings) if one.metadata
    }


def parse(assignments: Iterable[str]) -> Settings:
    """Settings from `name=value` texts.

    A name is a setting's (`truncated_share=0.02`), or an alert's with what changes:
    `ReplymeterErrorRateHigh.for=1m`, `.severity=warning`, `.on=false`.

    Raises:
        ValueError: A text names no setting, or its value cannot be; says which and why.
    """
    values: dict[str, Any] = {}
    changes: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for text in assignments:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise ValueError(f"{text!r} is not of the form name=value.")
        alert, dot, key = name.partition(".")
        try:
            if dot:
                changes[alert][key] = _change(key, value)
            else:
                values[name] = _check(name)(value)
        except ValueError as error:
            raise ValueError(f"{name}={value}: {value!r} {error}.") from None
    return Settings(**values, changes=changes)


def _check(name: str) -> Callable[[str], Any]:
    checks = {one.name: one.metadata["check"] for one in fields(Settings) if one.metadata}
    if name not in checks:
        raise ValueError(f"has no setting to go to{meant(name, checks)}")
    check: Callable[[str], Any] = checks[name]
    return check


def _change(key: str, value: str) -> str:
    allowed = {"severity": SEVERITIES, "on": ("true", "false")}
    if key == "for":
        seconds(value)
    elif key not in allowed:
        raise ValueError("cannot be set: an alert has for, severity and on")
    elif value not in allowed[key]:
        raise ValueError(f"is none of {', '.join(allowed[key])}")
    return value


def meant(name: str, known: Iterable[str]) -> str:
    """What a misspelt name may have meant, as the end of a sentence."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
