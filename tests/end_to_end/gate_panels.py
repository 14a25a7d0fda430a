"""For every query of every dashboard, in its order: what the ledger says that it must answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from replymeter import conventions as names
from tests.end_to_end.gate import (
    ANY,
    Calls,
    Fact,
    Said,
    Value,
    Want,
    alone,
    answers,
    blocks,
    by_model,
    by_word,
    cost,
    ends,
    failed,
    limits,
    made,
    near,
    priced_calls,
    reported,
    share,
    tokens,
    took,
    unpriced,
    unseen,
    well,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RANGE, INTERVAL = 1200, 240
"""Seconds of `$__range` and of `$__rate_interval`; the latter is four times the minimum step."""
PER_SECOND, PER_MINUTE, PER_HOUR = 1 / INTERVAL, 60 / INTERVAL, 3600 / INTERVAL


def of(part: Fact, whole: Fact) -> Fact:
    """The share of one fact in another."""
    return lambda calls: share(part(calls), whole(calls))


def ended(*reasons: str) -> Fact:
    """Choices that ended so."""
    return lambda calls: ends(calls, *reasons)


def counted(key: str) -> Fact:
    """Tokens of a kind; None where none were ever reported."""
    return lambda calls: tokens(calls, key) if reported(calls, key) else None


def spent(*reasons: str) -> Fact:
    """Output tokens of answers that ended so."""
    return lambda calls: tokens(calls, "output_tokens", *reasons)


def errors(*types: str) -> Fact:
    """Calls that failed so."""
    return lambda calls: failed(calls, *types)


def buckets(values: Callable[[Calls], list[float]], bounds: Sequence[float]) -> Want:
    """A histogram over time: how many a second were within each bound."""

    def want(calls: Calls) -> Said:
        found = values(calls)
        if not found:
            return {}
        within = {(f"{bound:g}",): sum(one <= bound for one in found) for bound in bounds}
        return {key: n * PER_SECOND for key, n in {**within, ("inf",): len(found)}.items()}

    return want


def per_call(key: str) -> Callable[[Calls], list[float]]:
    """The counts of the calls that reported it."""
    return lambda calls: [one[key] for one in calls if key in one]


def speed(calls: Calls) -> Value:
    """Bounds; on a busy machine an unpaced stream has a speed, too."""
    least = ANY if any(one.get("paced") for one in calls) else 0
    return (least, names.SPEED_BUCKETS[-1]) if any(one["streamed"] for one in calls) else None


def durations(calls: Calls) -> Said:
    """All calls in the last bucket, and no more of them in any other."""
    whole = len(calls) * PER_SECOND
    below: Said = {(f"{bound:g}",): (0, whole + 1e-9) for bound in names.SECONDS_BUCKETS}
    return {**below, ("inf",): whole} if calls else {}


def no_price(calls: Calls) -> Said:
    """Calls a minute without a price, by model and reason."""
    said = by_model(unpriced, PER_MINUTE, names.COST_REASONS)(calls)
    return {key[1:]: value for key, value in said.items()}


def failures(calls: Calls) -> Said:
    """Failed calls by type, provider and model."""
    said = by_model(of_type, 1, names.ERROR_TYPES)(calls)
    return {(kind, provider, model): value for (provider, model, kind), value in said.items()}


def of_type(calls: Calls, kind: str) -> float:
    """Calls that raised it; a block that came as an exception is here, too."""
    return len([call for call in calls if call.get("error_type") == kind])


def _slow(fraction: float, *, streamed: bool = False) -> Fact:
    return lambda calls: took(calls, fraction, streamed=streamed)


def _of_model(fact: Fact, scale: float = 1) -> tuple[Want, ...]:
    return (by_model(fact, scale),)


def _one(fact: Fact, scale: float = 1) -> tuple[Want, ...]:
    return (alone(fact, scale),)


CUT = of(ended("length"), answers)
BLOCKED = of(ended("content_filter"), answers)
REFUSED = of(ended("refusal"), answers)
GIVEN_UP = of(ended("cancelled", "abandoned"), ends)
UNKNOWN = of(ended("missing", "other"), answers)
FAILED = of(failed, made)
CACHED = of(counted("cache_read"), counted("input_tokens"))
REASONING = of(counted("reasoning"), counted("output_tokens"))
INPUT, OUTPUT = counted("input_tokens"), counted("output_tokens")
MEAN_IN = of(INPUT, partial(reported, key="input_tokens"))
MEAN_OUT = of(OUTPUT, partial(reported, key="output_tokens"))
BY_REASON = (*names.REASONS, names.MIXED)


def coverage(calls: Calls) -> Value:
    """The share of calls without an error that reported usage."""
    missing = share(unseen(calls), well(calls))
    return None if missing is None else 1 - missing


def priced(calls: Calls) -> Value:
    """The share of calls with usage whose model has a price."""
    missing = share(unpriced(calls, "unknown_model"), reported(calls, "input_tokens"))
    return None if missing is None else 1 - missing


def per_priced(calls: Calls) -> Value:
    """US dollars for a call with a price."""
    return share(cost(calls), priced_calls(calls))


def unusable(calls: Calls) -> Value:
    """The share of the bill for answers that were cut or blocked."""
    return share(cost(calls, "", "length", "content_filter"), cost(calls))


def all_tokens(calls: Calls) -> float:
    """Input and output."""
    return tokens(calls, "input_tokens") + tokens(calls, "output_tokens")


HEALTH: dict[str, tuple[Want, ...]] = {
    "Calls without usage": (by_word(unseen, names.OUTCOMES),),
    "Without a known finish reason": _one(UNKNOWN),
    "Calls not priced": (by_word(unpriced, names.COST_REASONS),),
    "Cardinality overflow": (lambda _: {},),
    "Models without a name": _one(of(lambda _: 0, ends)),
    "Last telemetry": (lambda _: {("gate",): 0.0},),
    "Internal errors": (by_word(lambda *_: 0.0, names.INTERNAL_STEPS),),
}

PANELS: dict[str, tuple[Want, ...]] = {
    **HEALTH,
    "Calls a minute": _one(made, 60 / RANGE),
    "Failed": _one(FAILED),
    "Cut off": _one(CUT),
    "Blocked": _one(BLOCKED),
    "Cancelled or abandoned": _one(GIVEN_UP),
    "Usage coverage": _one(coverage),
    "Duration, p95": _one(_slow(0.95)),
    "Duration, p50": _one(_slow(0.5)),
    "First chunk, p95": _one(_slow(0.95, streamed=True)),
    "Tokens a minute": _one(all_tokens, 60 / RANGE),
    "Input from cache": _one(CACHED),
    "Cost an hour": _one(cost, 3600 / RANGE),
    "Cost": _one(cost),
    "How calls end": (
        by_word(lambda calls, reason: share(ends(calls, reason), ends(calls)), names.REASONS),
    ),
    "overview/Models": (
        by_model(made), by_model(FAILED), by_model(CUT), by_model(BLOCKED), by_model(GIVEN_UP),
        by_model(_slow(0.95)), by_model(_slow(0.95, streamed=True)), by_model(MEAN_OUT),
        by_model(CACHED), by_model(cost), by_model(coverage),
    ),
    "Calls by model": _of_model(made, PER_SECOND),
    "Calls by service": (lambda calls: {("test", "gate"): len(calls) * PER_SECOND},),
    # Finish reasons
    "Answers cut off": _one(ended("length")),
    "Paid for cut answers": _one(of(spent("length"), spent())),
    "Near the limit": _one(near),
    "Without a reason": _one(of(ended("missing"), answers)),
    "Truncated share by model": _of_model(CUT),
    "Truncation budget burn": _one(CUT) * 3,
    "Output limit used": _of_model(lambda calls: within(limits(calls), ANY, 1)) * 2,
    "finish-reasons/Models": (
        by_model(answers), by_model(CUT), by_model(ended("length")), by_model(spent("length")),
        by_model(near), by_model(UNKNOWN), by_model(GIVEN_UP),
    ),
    "Output tokens by how the answer ended": (
        by_word(lambda calls, reason: spent(reason)(calls), BY_REASON, PER_SECOND),
    ),
    "Cancelled and abandoned share by model": _of_model(GIVEN_UP),
    "Unknown finish reasons": _of_model(UNKNOWN),
    "Output limit used, all answers": (buckets(limits, names.LIMIT_BUCKETS),),
    # Safety
    "Refused": _one(REFUSED),
    "Prompts blocked": _one(lambda calls: blocks(calls, "prompt")),
    "Responses blocked": _one(lambda calls: blocks(calls, "response")),
    "Attacks on the prompt": _one(lambda calls: blocks(calls, "", "jailbreak")),
    "Paid for blocked answers": _one(spent("content_filter", "refusal")),
    "Blocks by category": (
        by_word(lambda calls, kind: blocks(calls, "", kind), names.CATEGORIES, PER_MINUTE),
    ),
    "Blocks by stage": (by_word(blocks, names.STAGES, PER_MINUTE),),
    "Blocked share by model": _of_model(BLOCKED),
    "Refused share by model": _of_model(REFUSED),
    "Output tokens of blocked answers": _of_model(spent("content_filter", "refusal"), PER_SECOND),
    "Blocks": (
        by_model(lambda calls, kind, stage: blocks(calls, stage, kind), 1, names.CATEGORIES,
                 names.STAGES),
    ),
    # Tokens and cost
    "Month at this rate": _one(cost, 30),
    "Cost a call": _one(per_priced),
    "Paid for unusable answers": _one(unusable),
    "Priced": _one(priced),
    "Input tokens": _one(INPUT),
    "Output tokens": _one(OUTPUT),
    "Input written to cache": _one(of(counted("cache_write"), INPUT)),
    "Reasoning": _one(REASONING),
    "Output for input": _one(of(OUTPUT, INPUT)),
    "Cost per hour by model": _of_model(cost, PER_HOUR),
    "Cost per hour by how the answer ended": (
        by_word(lambda calls, reason: cost(calls, "", reason), BY_REASON, PER_HOUR),
    ),
    "Cost per hour by part": (by_word(cost, names.COST_PARTS, PER_HOUR),),
    "Cost a call by model": _of_model(per_priced),
    "Calls without a price": (no_price,),
    "tokens-cost/Models": (
        by_model(INPUT), by_model(OUTPUT), by_model(CACHED), by_model(REASONING),
        by_model(MEAN_IN), by_model(MEAN_OUT), by_model(cost), by_model(per_priced),
        by_model(coverage),
    ),
    "Tokens": _one(INPUT, PER_SECOND) + _one(OUTPUT, PER_SECOND),
    "Parts of them": tuple(
        alone(counted(key), PER_SECOND) for key in ("cache_read", "cache_write", "reasoning")
    ),
    "Tokens by modality": _one(INPUT, PER_SECOND) + _one(OUTPUT, PER_SECOND),
    "Cache hit ratio": _of_model(CACHED),
    "Input tokens of a call": (buckets(per_call("input_tokens"), names.TOKEN_BUCKETS),),
    "Output tokens of a call": (buckets(per_call("output_tokens"), names.TOKEN_BUCKETS),),
    # Latency and errors
    "Within $slo s": _one(of(made, made)),
    "Output speed, p50": _one(speed),
    "Calls with a speed": _one(speed),
    "Rate limited": _one(errors("rate_limit", "overloaded")),
    "Timed out or cut": _one(errors("timeout", "connection", "stream_broken")),
    "Keys and rights": _one(errors("authentication", "permission_denied")),
    "Requests at fault": _one(errors("not_found", "invalid_request", "context_overflow")),
    "Duration": _one(_slow(0.99)) + _one(_slow(0.95)) + _one(_slow(0.5)) + _one(_slow(1)),
    "Duration by model, p95": _of_model(_slow(0.95)),
    "Duration, all calls": (durations,),
    "Time to first chunk": _of_model(_slow(0.95, streamed=True)),
    "Output speed": _of_model(speed) * 2,
    "Time between chunks, p95": _of_model(_slow(1, streamed=True)),
    "Errors by type": (by_word(of_type, names.ERROR_TYPES, PER_MINUTE),),
    "Error share by model": _of_model(FAILED),
    "Errors": (failures,),
    "Which model answered": _one(made),
}  # fmt: skip

SUMMED = ("Tokens by modality", "Which model answered")
"""Panels whose labels the wire cases do not name: their values are added up."""
