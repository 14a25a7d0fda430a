"""The live gate: real library, Collector and Prometheus; what every panel and alert says is so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from replymeter import conventions as names
from replymeter.alerts import groups
from replymeter.alerts.spec import RECORDINGS
from replymeter.dashboards import DASHBOARDS
from tests.end_to_end.gate import (
    blocks,
    cost,
    differences,
    ends,
    limits,
    made,
    reported,
    tokens,
    unpriced,
    unseen,
)
from tests.end_to_end.gate_alerts import recorded, shown
from tests.end_to_end.gate_app import IDLE
from tests.end_to_end.gate_panels import INTERVAL, SUMMED
from tests.end_to_end.gate_runs import OTHERS, QUERIES, STEP, sent, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.gate import Said, Want
    from tests.end_to_end.gate_runs import Answer, Gate, Run

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

EXACT = 1e-6
"""Of a value: at the time of an export `increase` has nothing to extrapolate, from a counter's 0
on, so all that is left is the rounding of floating point."""
LOOKS_FURTHER = ("Truncation budget burn",)
"""Its windows reach back to the day before."""
SURVIVES = ("Cardinality overflow",)
"""It is silent without the metric, too."""
ABSENT = {
    "the first streamed call": (
        "First chunk, p95", "overview/Models: First chunk p95", "Time to first chunk",
        "Output speed, p50", "Calls with a speed", "Output speed",
    ),
    "the first streamed call with chunk_timing": ("Time between chunks, p95",),
    "the first call with prices": (
        "Cost", "Cost an hour", "overview/Models: Cost", "Month at this rate", "Cost a call",
        "Paid for unusable answers", "Priced", "Calls not priced", "Cost per hour by model",
        "Cost per hour by how the answer ended", "Cost per hour by part", "Cost a call by model",
        "Calls without a price", "tokens-cost/Models: Cost", "tokens-cost/Models: Cost a call",
        "environment_job_provider_model:replymeter_cost_USD:rate5m",
    ),
    "the first request with a limit": (
        "Near the limit", "Output limit used", "finish-reasons/Models: Near the limit",
        "Output limit used, all answers",
    ),
    "the first error of the kind": (
        "Errors by type", "Errors: Calls", "Requests at fault", "Rate limited", "Timed out or cut",
        "Keys and rights",
    ),
    "the first block": ("Blocks: Blocks", "Attacks on the prompt"),
    "the first overflow of an instrument": ("Cardinality overflow",),
}  # fmt: skip
"""Which queries have no data until what has happened; the panels then say so (`noValue`)."""
MUTATIONS = [
    ("Cut off", 'replymeter_finish_reason="length"', 'replymeter_finish_reason="stop"'),
    ("Cut off", ', replymeter_finish_reason="length"', ""),
    ("Cut off", ', replymeter_finish_reason!~"error|cancelled|abandoned"', ""),
    ("Failed", ', error_type!="content_filter"', ""),
    ("Usage coverage", ', error_type=""', ""),
    ("Tokens a minute", "60 *", "3600 *"),
    ("Near the limit", 'le="0.9"', 'le=~"1([.]0)?"'),
    ("Input from cache", "cache_read", "cache_write"),
    ("Cost per hour by part", "replymeter_cost_part", "replymeter_finish_reason"),
    ("Truncated share by model", "gen_ai_provider_name, ", ""),
    ("Prompts blocked", "prompt", "response"),
]
RAW: list[tuple[names.Metric, str, Any]] = [
    (names.DURATION, "_count", made),
    (names.FINISH_REASON_COUNT, "", ends),
    (names.INPUT_TOKENS, "", lambda calls: tokens(calls, "input_tokens")),
    (names.OUTPUT_TOKENS, "", lambda calls: tokens(calls, "output_tokens")),
    (names.OUTPUT_TOKENS_BY_REASON, "", lambda calls: tokens(calls, "output_tokens")),
    (names.CACHE_READ_TOKENS, "", lambda calls: tokens(calls, "cache_read")),
    (names.CACHE_WRITE_TOKENS, "", lambda calls: tokens(calls, "cache_write")),
    (names.REASONING_TOKENS, "", lambda calls: tokens(calls, "reasoning")),
    (names.INPUT_TOKENS_PER_CALL, "_sum", lambda calls: tokens(calls, "input_tokens")),
    (names.OUTPUT_TOKENS_PER_CALL, "_count", lambda calls: reported(calls, "output_tokens")),
    (names.SAFETY_BLOCKS, "", blocks),
    (names.USAGE_MISSING, "", unseen),
    (names.COST_OF_CALLS, "", cost),
    (names.COST_MISSING, "", unpriced),
    (names.OUTPUT_LIMIT_UTILIZATION, "_count", lambda calls: len(limits(calls))),
    (names.OUTPUT_LIMIT_UTILIZATION, "_sum", lambda calls: sum(limits(calls))),
    (names.INTERNAL_ERRORS, "", lambda calls: 0),
]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """Everything, sent and asked."""
    with sent(tmp_path_factory.mktemp("gate")) as gate:
        yield gate


@pytest.fixture(params=[15, 60], ids=["15s", "60s"])
def run(request: pytest.FixtureRequest, gate: Gate) -> Run:
    """Every scenario, exported at this interval."""
    return gate.runs[request.param]


def beyond(run: Run, title: str) -> bool:
    """Whether a panel looks back on calls that the ledger of the run does not have."""
    return run.history and title in LOOKS_FURTHER


def problems(run: Run, title: str, expr: str, want: Want, at: float | None = None) -> list[str]:
    """Where the answer at a time is not what the ledger says of the calls until then."""
    at = run.end if at is None else at
    return _differ(title, want([one for one in run.calls if one["at"] <= at]), run.ask(expr, at))


def _differ(title: str, want: Said, answer: Answer) -> list[str]:
    if answer and title in SUMMED:  # The ledger does not know the labels.
        answer = {(): sum(answer.values())}
    return differences(want, answer, EXACT)


def test_every_panel_says_what_the_ledger_says(run: Run) -> None:
    """Every query of every panel, at the end of the traffic, with *All* chosen."""
    wrong = {
        f"{title}{of}": found
        for title, of, target, want in QUERIES
        if not beyond(run, title) and (found := problems(run, title, target.expr, want))
    }
    assert wrong == {}


def test_series_over_time_say_it_from_the_first_export_on(run: Run) -> None:
    """At every step the rate's window holds all exports so far: no gap, no jump."""
    wrong = {}
    for title, of, target, want in QUERIES:
        for at, answer in {} if target.instant else run.over_time(target.expr).items():
            until = [one for one in run.calls if one["at"] <= at]
            if not beyond(run, title) and (found := _differ(title, want(until), answer)):
                wrong[f"{title}{of} {at - run.end}"] = found
    assert wrong == {}


def test_every_query_returns_data_or_is_listed(gate: Gate) -> None:
    """With every scenario only an overflow is missing; with plain calls what the list says."""
    plain = [name for some in ABSENT.values() for name in some]
    for run, listed in ((gate.runs[15], ["Cardinality overflow"]), (gate.before, plain)):
        silent = {f"{title}{of}" for title, of, one, _ in QUERIES if not run.ask(one.expr, run.end)}
        asked = {**{r.name: r.expr for r in RECORDINGS}, "versions": DASHBOARDS[0].deployments}
        silent |= {name for name, expr in asked.items() if not run.ask(expr, run.end)}
        silent |= {name for name, found in values(run, run.end).items() if not found}
        assert sorted(silent) == sorted(listed)


def test_every_alert_fires_as_the_ledger_says(gate: Gate) -> None:
    """For the models that it says, with the value that it says; quiet for all others."""
    wrong = {}
    for interval, run in gate.runs.items():
        before = gate.before.calls if interval == 60 else []
        minutes = range(run.end - INTERVAL + STEP, run.end + 1, STEP)
        weighed = [one for at in minutes for one in run.calls if one["at"] <= at]
        want = shown(run.calls) | recorded(weighed, before)
        for alert in (alert for alerts in groups().values() for alert in alerts):
            answer = {_who(key): value for key, value in run.ask(alert.expr, run.end).items()}
            found = differences(want[alert.name.removeprefix("Replymeter")], answer, EXACT)
            if found:
                wrong[f"{alert.name} {interval}"] = found
    assert wrong == {}


def _who(key: tuple[str, ...]) -> tuple[str, ...]:
    """Without the environment and the job, which all have."""
    return tuple(one for one in key if one not in ("test", "gate"))


def test_silence_is_told(gate: Gate) -> None:
    """An hour after a job was heard, and no more since."""
    (absent,) = (expr for name, expr in OTHERS.items() if name == "ReplymeterTelemetryAbsent")
    assert set(gate.runs[15].ask(absent, gate.runs[15].end + IDLE + 3000)) == {("test", "gate")}


def test_recording_rules_record_the_ledger(run: Run) -> None:
    """Summed over everything: what they are rates of."""
    grown = [300 * sum(run.ask(rule.expr, run.end).values()) for rule in RECORDINGS]
    facts = (
        ends(run.calls),
        cost(run.calls),
        *(tokens(run.calls, key) for key in ("input_tokens", "cache_read")),
    )
    assert grown == pytest.approx(facts, rel=EXACT)


def test_an_empty_prometheus_answers_nothing(gate: Gate) -> None:
    """Every query is understood, and every panel says that there is no traffic."""
    assert [name for name, answer in gate.empty.items() if answer] == []


def test_idle_is_no_traffic(run: Run) -> None:
    """The app lives, and nobody calls: counts are 0, and no share, quantile or mean is there."""
    for title, _, target, _ in QUERIES:
        if re.search(r"\[\d", target.expr):  # It looks back on the traffic.
            continue
        answer = run.ask(target.expr, run.end + IDLE, INTERVAL)
        ratio = "/" in target.expr or "quantile" in target.expr
        assert set(answer.values()) <= (set() if ratio else {0.0}), title


def test_raw_series_are_the_ledger(run: Run) -> None:
    """Counters and histograms by the names in conventions, to the last token."""
    for metric, ending, fact in RAW:
        name = f"{metric.prometheus}{ending}"
        have = sum(run.ask(f"sum({name})", run.end).values())
        assert have == pytest.approx(fact(run.calls), rel=1e-12), name


def test_prometheus_knows_every_metric_by_its_name(run: Run) -> None:
    """Those of the cost, too."""
    known = run.pipeline.prometheus.ask("label/__name__/values")
    ends = {"counter": ("",), "histogram": ("_bucket", "_sum", "_count")}
    wanted = {one.prometheus + end for one in names.METRICS for end in ends[one.kind]}
    assert {name for name in known if name.startswith(("gen_ai_", "replymeter_"))} == wanted
    assert {"replymeter_cost_USD_total", "replymeter_output_speed_per_second_sum"} <= wanted


@pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
def test_a_renamed_metric_is_seen(gate: Gate, metric: names.Metric) -> None:
    """Every panel that asks for it complains."""
    run = gate.runs[15]
    told = 0
    for title, of, target, want in QUERIES:
        renamed = re.sub(rf"\b{metric.prometheus}(?=[_{{])", f"{metric.prometheus}_x", target.expr)
        if renamed != target.expr and title not in SURVIVES:
            assert problems(run, title, renamed, want), f"{title}{of}"
            told += 1
    assert told


@pytest.mark.parametrize(("title", "old", "new"), MUTATIONS)
def test_a_wrong_query_is_seen(gate: Gate, title: str, old: str, new: str) -> None:
    """Another label, denominator, unit: the panel's numbers are not the ledger's."""
    for name, _, target, want in QUERIES:
        if name == title:
            assert old in target.expr
            assert problems(gate.runs[15], title, target.expr.replace(old, new), want)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("TruncatedFinishesHigh", "> 0.05", "> 0.5"),
        ("CancelledOrAbandonedHigh", "> 0.1", "> 0.01"),
        ("ErrorRateHigh", ">= 20", ">= 2000"),
        ("CostRateHigh", "3600", "60"),
        ("SafetyBlocksHigh", "content_filter", "refusal"),
    ],
)
def test_a_wrong_alert_is_seen(gate: Gate, name: str, old: str, new: str) -> None:
    """A swapped threshold fires for others than the ledger says."""
    run, expr = gate.runs[15], OTHERS[f"Replymeter{name}"]
    answer = run.ask(expr.replace(old, new), run.end)
    assert old in expr
    assert differences(
        shown(run.calls)[name], {_who(key): one for key, one in answer.items()}, 1e-6
    )
