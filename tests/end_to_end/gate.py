"""What every panel and alert must say, from the wire cases that were played; no PromQL in here."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Call: TypeAlias = dict[str, Any]
"""One call: a wire case's words, and `provider`, `model`, `ending`, `streamed`, `limit`, `at`
(the time of the export that it is in), `seconds` (how long its caller waited)."""
Calls: TypeAlias = "list[Call]"
Value: TypeAlias = Any
"""A float; the bounds of one that is measured; None where there must be none."""
Said: TypeAlias = "dict[tuple[str, ...], Value]"
"""Values by the values of their labels, in the order of the labels' names."""
Fact: TypeAlias = "Callable[..., Value]"
Want: TypeAlias = "Callable[[Calls], Said]"

ANY = 1e-9
"""What is measured is more than this: a bound of 0 is for what may be absent."""
NO_ANSWER = ("error", "cancelled", "abandoned")
PRICES: dict[str, dict[str, float]] = {
    "gpt-5-mini": {"input": 1000, "output": 4000, "cache_read": 100},
    "claude-haiku-4-5": {"input": 1, "output": 5, "cache_read": 0.1, "cache_write": 1.25},
}
"""US dollars per million tokens; Bedrock's model has no price."""

# --- facts ------------------------------------------------------------------------------------


def ends(calls: Calls, *reasons: str) -> float:
    """Choices that ended so; without reasons all."""
    every: Counter[str] = Counter(reason for call in calls for reason in call["normalised"])
    return sum(every[one] for one in reasons or every)


def answers(calls: Calls) -> float:
    """Choices of calls that got an answer."""
    return ends(calls) - ends(calls, *NO_ANSWER)


def made(calls: Calls) -> float:
    """Calls."""
    return len(calls)


def well(calls: Calls) -> float:
    """Calls without an error."""
    return sum("error_type" not in call for call in calls)


def failed(calls: Calls, *types: str) -> float:
    """Calls that failed for one of these; a block that came as an exception did not fail."""
    kinds: Counter[str] = Counter(call["error_type"] for call in calls if "error_type" in call)
    every = sum(kinds.values()) - kinds["content_filter"]
    return sum(kinds[kind] for kind in types) if types else every


def tokens(calls: Calls, key: str, *reasons: str) -> float:
    """The reported tokens, of calls that ended so."""
    counts: list[int] = [
        call.get(key, 0) for call in calls if not reasons or reason_of(call) in reasons
    ]
    return sum(counts)


def reason_of(call: Call) -> str:
    """How a call ended, when its choices agree."""
    reasons = set(call["normalised"])
    return reasons.pop() if len(reasons) == 1 else names.MIXED


def reported(calls: Calls, key: str) -> Value:
    """How many calls reported it; None when none did, for then there is no series."""
    return sum(key in call for call in calls) or None


def unseen(calls: Calls, *outcomes: str) -> float:
    """Calls without an error and without usage."""
    return sum(
        "error_type" not in call
        and not {"input_tokens", "output_tokens"} & set(call)
        and (not outcomes or call["ending"] in outcomes)
        for call in calls
    )


def cost(calls: Calls, part: str = "", *reasons: str) -> Value:
    """US dollars; None when no call has a price."""
    bills = [_bill(call) for call in calls if not reasons or reason_of(call) in reasons]
    parts = [bill[one] for bill in bills for one in bill if part in ("", one)]
    return math.fsum(parts) if parts else None


def _bill(call: Call) -> dict[str, float]:
    price: Mapping[str, float] = PRICES.get(call["model"], {})
    if not price:
        return {}
    bill = {}
    if "input_tokens" in call:
        read, written = call.get("cache_read", 0), call.get("cache_write", 0)
        rest = call["input_tokens"] - read - written
        bill["input"] = rest * price["input"] + read * price.get("cache_read", price["input"])
        bill["input"] += written * price.get("cache_write", price["input"])
    if "output_tokens" in call:
        bill["output"] = call["output_tokens"] * price["output"]
    return {part: amount / 1e6 for part, amount in bill.items()}


def unpriced(calls: Calls, why: str = "") -> float:
    """Calls without a price: of a model that has none, or without a number that it needs."""
    unknown = sum(call["model"] not in PRICES and "input_tokens" in call for call in calls)
    partly = sum(
        call["model"] in PRICES and ("input_tokens" in call) != ("output_tokens" in call)
        for call in calls
    )
    missing = unseen(calls) + partly
    return {"unknown_model": unknown, "usage_missing": missing}.get(why, unknown + missing)


def priced_calls(calls: Calls) -> float:
    """Calls with input tokens and a price."""
    return sum("input_tokens" in call and call["model"] in PRICES for call in calls)


def blocks(calls: Calls, stage: str = "", category: str = "") -> float:
    """Categories that blocked."""
    pairs = [pair for call in calls for pair in call.get("blocks", ())]
    return sum(stage in ("", one) and category in ("", other) for one, other in pairs)


def limits(calls: Calls) -> list[float]:
    """How much of its limit each answer used whose call had one."""
    return [
        call["output_tokens"] / call["limit"]
        for call in calls
        if call["limit"] and "output_tokens" in call and "error_type" not in call
    ]


def near(calls: Calls) -> Value:
    """The share of those over 0.9."""
    used = limits(calls)
    return share(sum(one > 0.9 for one in used), len(used))


def share(part: Value, whole: Value) -> Value:
    """A share; None without a whole, and without a part that was ever reported."""
    return part / whole if whole and part is not None else None


# --- over labels ------------------------------------------------------------------------------


def alone(fact: Fact, scale: float = 1) -> Want:
    """One value without labels."""
    return lambda calls: {(): _times(fact(calls), scale)}


def by_model(fact: Fact, scale: float = 1, *words: Iterable[str]) -> Want:
    """A value for each model; with *words* for each of those, too, behind the model."""

    def want(calls: Calls) -> Said:
        keys = sorted({(call["provider"], call["model"]) for call in calls})
        return {
            (*key, *word): _times(fact(_of(calls, *key), *word), scale)
            for key in keys
            for word in _product(words)
        }

    return want


def by_word(fact: Fact, words: Iterable[str], scale: float = 1) -> Want:
    """A value for each of the label's values."""
    return lambda calls: {(word,): _times(fact(calls, word), scale) for word in words}


def _product(words: tuple[Iterable[str], ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]
    for some in words:
        found = [(*left, one) for left in found for one in some]
    return found


def _of(calls: Calls, provider: str, model: str) -> Calls:
    return [one for one in calls if (one["provider"], one["model"]) == (provider, model)]


def _times(value: Value, scale: float) -> Value:
    return value * scale if value and not isinstance(value, tuple) else value


# --- what is measured -------------------------------------------------------------------------


def took(calls: Calls, fraction: float = 1, *, streamed: bool = False) -> Value:
    """Bounds of a quantile of the duration: no more than the next bucket of what callers saw."""
    waited = sorted(one["seconds"] for one in calls if one["streamed"] or not streamed)
    if not waited:
        return None
    slowest = waited[min(len(waited) - 1, math.ceil(fraction * len(waited)))]
    buckets = names.SECONDS_BUCKETS
    return (ANY, buckets[min(bisect_left(buckets, slowest), len(buckets) - 1)])


def within(values: list[float], low: float, high: float) -> Value:
    """Bounds, where there is anything at all."""
    return (low, high) if values else None


# --- the comparison ---------------------------------------------------------------------------


def differences(want: Said, have: Mapping[tuple[str, ...], float], within: float) -> list[str]:
    """Where Prometheus' answer is not what the ledger says, *within* so much of a value.

    A count of 0 (an int) may be absent, a share of 0.0 may not; nor may what must be absent be 0.
    """
    said = []
    for key in sorted({*want, *have}):
        wanted, got = want.get(key), have.get(key)
        good: bool
        if got is not None and not math.isfinite(got):
            good = False
        elif wanted is None:
            good = got is None or (key not in want and got == 0)
        elif isinstance(wanted, tuple):
            good = wanted[0] <= (got or 0) <= wanted[1]
        else:
            missing = got is None and (wanted != 0 or isinstance(wanted, float))
            good = not missing and math.isclose(got or 0, wanted, rel_tol=within, abs_tol=1e-9)
        if not good:
            said.append(f"{'/'.join(key) or 'value'}: {got} instead of {wanted}")
    return said
