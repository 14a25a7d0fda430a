"""The table of alerts, and the files that come from it, held against what reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from replymeter import conventions as names
from replymeter.alerts import Alert, Settings, groups, parse
from replymeter.alerts.files import files, page
from replymeter.alerts.links import panel_of
from replymeter.alerts.render import grafana_rule_groups
from replymeter.alerts.settings import described
from replymeter.alerts.spec import KEEP, RECORDINGS
from replymeter.dashboards.promql import label
from tests.alerts.promtool import ALERTS
from tests.end_to_end.parts import part

ROOT = Path(__file__).parents[2]
FILES = {**files(), "docs/alerts.md": page()}
OF_JOBS = {"ReplymeterTelemetryAbsent", "ReplymeterCardinalityOverflow"}
every_alert = pytest.mark.parametrize("alert", ALERTS.values(), ids=lambda one: one.name)


def _read(path: str) -> Any:
    return yaml.safe_load(FILES[path])


@pytest.mark.parametrize("path", FILES)
def test_the_committed_files_are_the_generated_ones(path: str) -> None:
    """`make dashboards` changes nothing."""
    assert (ROOT / path).read_text(encoding="utf-8") == FILES[path]


@every_alert
def test_an_expression_parses_and_names_what_there_is(alert: Alert) -> None:
    """Every metric in it is one of the conventions', or recorded."""
    tree = promql_parser.parse(alert.expr)
    written = re.findall(
        r"(?<![\w:])((?:replymeter|gen_ai_client|environment_job)[\w:]+[A-Za-z0-9])\b", alert.expr
    )
    known = {one.name for one in RECORDINGS}
    for metric in names.METRICS:
        parts = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        known |= {metric.prometheus + part for part in parts}
    labels = set(map(label, names.ATTRIBUTES))

    assert tree.prettify()
    assert set(written) - labels <= known
    assert set(written) & known


@every_alert
def test_an_alert_keeps_its_labels_and_compares(alert: Alert) -> None:
    """Each aggregation keeps environment, job, provider and model."""
    kept = KEEP[:2] if alert.name in OF_JOBS else KEEP
    sums = re.findall(r"(?:sum|count) by \(([^)]*)\)", alert.expr)

    assert sums
    assert all({*map(label, kept)} <= set(one.split(", ")) for one in sums)
    assert re.search(r" (?:[<>]|>=) |unless", alert.expr)


@every_alert
def test_an_alert_has_a_sentence_a_runbook_and_a_panel(alert: Alert) -> None:
    """What is said names whom; the runbook has a heading; the panel is on the dashboard."""
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE)

    assert re.fullmatch(r"[A-Z][^{}]*\.", alert.summary)
    assert "$labels.job" in alert.description
    assert alert.name in OF_JOBS or "$labels.gen_ai_request_model" in alert.description
    assert alert.name in headings
    assert len(headings) == len(set(headings)) == len(ALERTS)
    assert panel_of(alert)[1] > 0
    assert set(alert.thresholds) <= set(described())


def test_every_setting_is_used() -> None:
    """A setting that changes no file is a lie."""
    used = {name for alert in ALERTS.values() for name in alert.thresholds}
    outside = {"evaluation_interval", "grafana_url", "runbook_url", "grafana_datasource"}

    assert used | outside == set(described())


def test_promtool_lints_the_rules() -> None:
    """`promtool check rules --lint=all`, where a warning is an error."""
    promtool = part("prometheus") / "promtool"
    rules = sorted(map(str, (ROOT / "dashboards/prometheus").glob("*.rules.yaml")))
    command = [str(promtool), "check", "rules", "--lint=all", "--lint-fatal", *rules]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert len(rules) == 2
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_accepts_the_sample_and_routes_by_severity() -> None:
    """`amtool check-config`, and who is told."""
    amtool, config = str(part("amtool")), str(ROOT / "dashboards/prometheus/alertmanager.yaml")
    routes = {
        severity: subprocess.run(
            [amtool, "config", "routes", "test", f"--config.file={config}",
             "component=replymeter", f"severity={severity}"],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout.strip()
        for severity in ("critical", "warning", "info")
    }  # fmt: skip

    subprocess.run([amtool, "check-config", config], timeout=60, check=True, capture_output=True)
    assert routes == {"critical": "page", "warning": "chat", "info": "digest"}


def test_inhibition_names_labels_and_alerts_that_there_are() -> None:
    """A misspelt one would inhibit nothing, or everything."""
    text = (ROOT / "dashboards/prometheus/alertmanager.yaml").read_text()
    rules = yaml.safe_load(text)["inhibit_rules"]
    patterns = [
        re.search(r'alertname=~?"([^"]+)"', matcher)
        for rule in rules
        for matcher in (rule["source_matchers"][0], rule["target_matchers"][0])
    ]

    collector = (ROOT / "collector-config/prometheus/collector.rules.yaml").read_text()
    known = {*ALERTS, *re.findall(r"- alert: (\w+)", collector)}

    for rule in rules:
        of_models = "Replymeter" in rule["source_matchers"][0]
        own = ["job", "instance", "exporter", "data_type"]
        assert rule["equal"] == (list(map(label, KEEP)) if of_models else own)
    assert all(one and any(re.fullmatch(one[1], name) for name in known) for one in patterns)


def test_the_operators_object_has_the_same_groups() -> None:
    """A PrometheusRule's `spec.groups` are the two rule files'."""
    rule = _read("dashboards/kubernetes/replymeter.prometheusrule.yaml")
    prometheus = [
        group
        for name in ("recording.rules", "rules")
        for group in _read(f"dashboards/prometheus/replymeter.{name}.yaml")["groups"]
    ]

    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert re.fullmatch(r"[a-z0-9-]+", rule["metadata"]["name"])
    assert rule["spec"] == {"groups": prometheus}


def test_grafanas_rules_survive_its_own_schema() -> None:
    """Grafana's builders know every key of a rule group; what they do not know would be lost."""
    alerting = pytest.importorskip("grafana_foundation_sdk.models.alerting")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    for group in grafana_rule_groups(Settings(), "folder"):
        read = alerting.RuleGroup.from_json(group)
        again = yaml.safe_load(JSONEncoder(sort_keys=True).encode(read))
        assert set(again) == set(group)
        for rule, kept in zip(group["rules"], again["rules"], strict=True):
            assert set(rule) <= set(kept)
            assert [one["refId"] for one in kept["data"]] == [one["refId"] for one in rule["data"]]


def test_grafanas_file_has_a_rule_an_alert_that_can_fire() -> None:
    """Unique uids of 40 characters at most; the condition is a query; no Prometheus `$value`."""
    rules = [
        rule
        for group in _read("dashboards/grafana/provisioning/alerting/replymeter.yaml")["groups"]
        for rule in group["rules"]
    ]
    uids = [rule["uid"] for rule in rules]

    assert [rule["title"] for rule in rules] == [
        one.name for alerts in groups().values() for one in alerts if one.on
    ]
    assert len(set(uids)) == len(uids)
    assert max(map(len, uids)) <= 40
    for rule in rules:
        alert = ALERTS[rule["title"]]
        assert rule["condition"] in [one["refId"] for one in rule["data"]]
        assert rule["data"][0]["model"]["expr"] == alert.expr
        assert int(rule["annotations"]["__panelId__"]) == panel_of(alert)[1]
        assert not re.search(r"\$value\b", rule["annotations"]["description"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("truncated_share", "not of the form name=value"),
        ("truncatd_share=0.1", "did you mean truncated_share?"),
        ("truncated_share=2", "is not a share: more than 0, less than 1"),
        ("truncated_share=much", "is no number"),
        ("window=soon", "is no duration"),
        ("window=1m", "is less than 5m"),
        ("near_limit=0.8", "is none of 0.1, 0.25"),
        ("latency_p95=400", "the histogram's buckets can show"),
        ("truncation_budget=0.2", "is not a budget"),
        ("ReplymeterTruncationAny.severity=page", "is none of critical, warning, info"),
        ("ReplymeterTruncationAny.for=x", "is no duration"),
        ("ReplymeterTruncationAny.expr=up", "has for, severity and on"),
        ("grafana_url=a b", "is no URL"),
    ],
)
def test_a_wrong_setting_is_a_clear_error(text: str, says: str) -> None:
    """It says which, and what could be."""
    with pytest.raises(ValueError, match=re.escape(says)):
        parse([text])


def test_an_alert_that_is_not_there_cannot_be_changed() -> None:
    """A misspelt name would change nothing."""
    with pytest.raises(ValueError, match=r"did you mean ReplymeterTruncationAny\?"):
        groups(parse(["ReplymeterTruncationAni.on=false"]))


def test_changes_of_an_alert_reach_the_file() -> None:
    """`for`, `severity` and `on`."""
    changed = files(
        parse(
            [
                "ReplymeterErrorRateHigh.for=1m",
                "ReplymeterErrorRateHigh.severity=info",
                "ReplymeterTruncationAny.on=false",
                "ReplymeterTelemetryAbsent.on=true",
            ]
        )
    )["dashboards/prometheus/replymeter.rules.yaml"]
    rules = {
        rule["alert"]: rule
        for group in yaml.safe_load(changed)["groups"]
        for rule in group["rules"]
    }

    assert rules["ReplymeterErrorRateHigh"]["for"] == "1m"
    assert rules["ReplymeterErrorRateHigh"]["labels"]["severity"] == "info"
    assert "ReplymeterTruncationAny" not in rules
    assert "ReplymeterTelemetryAbsent" in rules
