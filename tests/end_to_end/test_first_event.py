"""What happens once, and first, is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replymeter import conventions as names
from tests.end_to_end.conftest import finish
from tests.end_to_end.parts import eventually

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Pipeline

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]


def test_the_first_truncation_of_a_process_has_an_increase(pipeline: Pipeline) -> None:
    """One call, cut, and the process ends: 0 and 1 fall in one export, and `increase` sees it."""
    pipeline.run_app("calls_app", "first", "openai/length/invoke")
    name = names.FINISH_REASON_COUNT.prometheus
    cut = f'{name}{{job="first", replymeter_finish_reason="length"}}'
    eventually(lambda: pipeline.prometheus.total(cut) == 1)

    assert pipeline.prometheus.total(cut) == 1
    assert len(pipeline.prometheus.series(f"increase({cut}[5m]) > 0")) == 1


def test_the_first_error_of_a_process_has_an_increase(pipeline: Pipeline) -> None:
    """The series of an error is not created at 0: the start time that it carries is enough."""
    pipeline.run_app("calls_app", "first-error", "openai/error_429/invoke")
    count = f'{names.DURATION.prometheus}_count{{job="first-error", error_type="rate_limit"}}'
    eventually(lambda: pipeline.prometheus.total(count) == 1)

    assert len(pipeline.prometheus.series(f"increase({count}[5m]) > 0")) == 1


def test_grpc_arrives_too(pipeline: Pipeline) -> None:
    """The other protocol of `start()`: spans and counts, to the collector's other port."""
    app = pipeline.start_app(
        "calls_app",
        "by-grpc",
        "openai/ok/invoke",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{pipeline.collector.grpc}",
    )
    finish(app)
    count = f'{names.DURATION.prometheus}_count{{job="by-grpc"}}'
    eventually(lambda: pipeline.prometheus.total(count) == 1)
    services = [
        one["value"]["stringValue"]
        for span in pipeline.collector.spans()
        for one in span["resource"]
        if one["key"] == "service.name"
    ]

    assert pipeline.prometheus.total(count) == 1
    assert services.count("by-grpc") == 1


def test_two_workers_are_two_series_with_an_exact_sum(pipeline: Pipeline) -> None:
    """Two processes of one service at the same time: each has its own series."""
    calls = (3, 5)
    apps = [
        pipeline.start_app("calls_app", "pair", *["openai/ok/invoke"] * count) for count in calls
    ]
    for app in apps:
        finish(app)
    series = f'{names.FINISH_REASON_COUNT.prometheus}{{job="pair"}}'
    eventually(lambda: pipeline.prometheus.total(series) == sum(calls))
    by_instance = pipeline.prometheus.series(f"sum by (instance) ({series})")

    assert sorted(by_instance.values()) == sorted(calls)
