from __future__ import annotations

import promql_parser
import pytest

from replymeter import conventions as names
from replymeter.conventions import DURATION, FINISH_REASON_COUNT
from replymeter.dashboards import promql

CUT = promql.equal(names.FINISH_REASON, "length")


def same(left: str, right: str) -> bool:
    """Whether both are one expression, whatever their blanks."""
    return str(promql_parser.parse(left)) == str(promql_parser.parse(right))


def test_a_selector_has_prometheus_names() -> None:
    """Dots of attributes become underscores, and a histogram's part is its suffix."""
    by_model = promql.any_of(names.REQUEST_MODEL, ("a", "b"))

    assert promql.select(FINISH_REASON_COUNT, CUT, promql.ANSWERED) == (
        'replymeter_finish_reasons_total{replymeter_finish_reason="length", '
        'replymeter_finish_reason!~"error|cancelled|abandoned"}'
    )
    assert promql.select(DURATION, by_model, part="bucket") == (
        'gen_ai_client_inference_duration_seconds_bucket{gen_ai_request_model=~"a|b"}'
    )
    assert promql.select(FINISH_REASON_COUNT) == "replymeter_finish_reasons_total"


def test_the_words_that_leave_endings_out_are_finish_reasons() -> None:
    """A reason that no reply can have would leave nothing out."""
    left_out = promql.ANSWERED.split('"')[1].split("|")

    assert set(left_out) <= set(names.REASONS)


def test_a_histogram_has_parts_and_a_counter_none() -> None:
    """The wrong one would be an empty panel."""
    with pytest.raises(ValueError, match="is a histogram"):
        promql.select(DURATION)
    with pytest.raises(ValueError, match="is a counter"):
        promql.select(FINISH_REASON_COUNT, part="count")


def test_a_share_keeps_who_has_no_part_and_drops_who_is_idle() -> None:
    """`or 0 *` keeps a model without a truncation; `> 0` drops one without traffic."""
    by = (promql.JOB, names.REQUEST_MODEL)
    cut = promql.total(promql.rate(promql.select(FINISH_REASON_COUNT, CUT), "5m"), *by)
    every = promql.total(promql.rate(promql.select(FINISH_REASON_COUNT), "5m"), *by)

    assert same(
        promql.share(cut, every),
        "(sum by (job, gen_ai_request_model) "
        '(rate(replymeter_finish_reasons_total{replymeter_finish_reason="length"}[5m]))'
        " or 0 * sum by (job, gen_ai_request_model) (rate(replymeter_finish_reasons_total[5m])))"
        " / (sum by (job, gen_ai_request_model) (rate(replymeter_finish_reasons_total[5m])) > 0)",
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum by (a) (rate(x[5m]))", "sum by (a) (rate(x[5m]))"),
        ('x{a=~"b|c-d", e!="f"}', 'x{a=~"b|c-d", e!="f"}'),
        ("a + b", "(a + b)"),
        ("sum(a) or sum(b)", "(sum(a) or sum(b))"),
        ("(a) - (b)", "((a) - (b))"),
        ("errors_and_more", "errors_and_more"),
    ],
)
def test_only_what_an_operator_could_tear_apart_is_put_in_parentheses(
    expression: str, expected: str
) -> None:
    """What is inside brackets of any kind holds together by itself."""
    assert promql.grouped(expression) == expected


def test_quantile_and_mean_are_gone_when_idle() -> None:
    """Both would be NaN, which a tile shows as a number."""
    assert same(
        promql.quantile(0.95, DURATION, window="5m", by=(promql.JOB,)),
        "histogram_quantile(0.95, sum by (le, job) "
        "(rate(gen_ai_client_inference_duration_seconds_bucket[5m]))) >= 0",
    )
    assert same(
        promql.mean(DURATION, window="5m"),
        "sum(rate(gen_ai_client_inference_duration_seconds_sum[5m]))"
        " / (sum(rate(gen_ai_client_inference_duration_seconds_count[5m])) > 0)",
    )
    assert same(
        promql.ratio(promql.increase("a_total", "1h"), "b - c"),
        "increase(a_total[1h]) / ((b - c) > 0)",
    )
