"""What Prometheus says is what the wire said, and every span arrives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from replymeter import conventions as names
from tests.end_to_end.counted import counted, differences, words_of
from tests.end_to_end.parts import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Pipeline

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

SERVICE = "ledger"
TINY = 1e-12  # of a sum of dollars: the SDK adds some hundred floats, each exact to 2e-16 of it


@pytest.fixture(scope="module")
def truth(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the app made, after it sent everything and ended."""
    file: Path = tmp_path_factory.mktemp("ledger") / "truth.json"
    pipeline.run_app("ledger_app", SERVICE, str(file), seconds=240)
    told: dict[str, Any] = json.loads(file.read_text())
    calls = sum(value for key, value in told["series"] if key[0].endswith("duration_seconds_count"))
    count = f'sum({names.DURATION.prometheus}_count{{job="{SERVICE}"}})'
    eventually(lambda: pipeline.prometheus.total(count) >= calls)
    eventually(lambda: set(told["spans"]) <= set(pipeline.collector.span_ids()))
    return told


def test_every_series_equals_the_wire(pipeline: Pipeline, truth: dict[str, Any]) -> None:
    """Over 1,100 calls of every provider, mode and ending: the difference is 0 in every series."""
    want = {tuple(key): value for key, value in truth["series"]}

    assert len(truth["spans"]) > 1100
    assert differences(want, pipeline.prometheus, SERVICE) == {}


def test_every_dollar_equals_the_wires_tokens_at_their_prices(
    pipeline: Pipeline, truth: dict[str, Any]
) -> None:
    """By provider, model, part and reason, against exact decimals; calls not priced are above."""
    want = {tuple(key): float(value) for key, value in truth["cost"]}
    have = counted(pipeline.prometheus, names.COST_OF_CALLS.prometheus, SERVICE, words_of(want))

    assert len({part for *_, part in want}) == len(names.COST_PARTS)
    assert have == pytest.approx(want, rel=TINY, abs=0)
    unpriced = {key[-1] for key, _ in truth["series"] if key[0] == names.COST_MISSING.prometheus}
    assert unpriced == {f"why={reason}" for reason in names.COST_REASONS}


def test_every_span_is_in_the_collectors_file(
    pipeline: Pipeline, truth: dict[str, Any], record_property: Any
) -> None:
    """Missing 0; without a fault none comes twice either."""
    arrived = pipeline.collector.span_ids()
    made = set(truth["spans"])
    missing = made - set(arrived)
    duplicates = sum(arrived[span] - 1 for span in made & set(arrived))

    assert len(made) == len(truth["spans"])
    assert (len(missing), duplicates) == (0, 0)


def test_every_metric_has_the_name_that_conventions_give(
    pipeline: Pipeline, truth: dict[str, Any]
) -> None:
    """Prometheus knows each metric by the name that dashboards and alerts take from conventions."""
    known = set(pipeline.prometheus.ask("label/__name__/values"))
    suffixes = {"counter": ("",), "histogram": ("_bucket", "_sum", "_count")}
    wanted = {metric.prometheus + end for metric in names.METRICS for end in suffixes[metric.kind]}
    ours = {name for name in known if name.startswith(("gen_ai_", "replymeter_"))}

    assert ours == wanted


def test_the_environment_and_the_instance_are_labels(
    pipeline: Pipeline, truth: dict[str, Any]
) -> None:
    """`deployment.environment.name` is promoted, `service.instance.id` is `instance`."""
    query = f'{names.FINISH_REASON_COUNT.prometheus}{{job="{SERVICE}"}}'
    labels = [dict(labels) for labels in pipeline.prometheus.series(query)]

    assert {one["deployment_environment_name"] for one in labels} == {"test"}
    assert len({one["instance"] for one in labels}) == 1
    assert all(len(one["instance"]) == 36 for one in labels)


def test_an_exemplar_leads_to_a_span(pipeline: Pipeline, truth: dict[str, Any]) -> None:
    """The trace ids that Prometheus keeps with the durations are those of spans that arrived."""
    found = pipeline.prometheus.ask(
        "query_exemplars",
        query=f'{names.DURATION.prometheus}_bucket{{job="{SERVICE}"}}',
        start="0",
        end="9999999999",
    )
    traces = {
        exemplar["labels"]["trace_id"]
        for series in found
        for exemplar in series["exemplars"]
        if "trace_id" in exemplar["labels"]
    }

    assert traces
    assert traces <= {span["traceId"] for span in pipeline.collector.spans()}
