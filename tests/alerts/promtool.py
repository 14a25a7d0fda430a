"""Runs the shipped rules over made series, with the real promtool."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from replymeter.alerts import groups, parse
from replymeter.alerts.links import panel_of
from replymeter.alerts.render import alert_groups, recording_groups
from tests.alerts.cases import WHO, Load, written
from tests.end_to_end.parts import part

if TYPE_CHECKING:
    from pathlib import Path

    from replymeter.alerts import Alert

ALERTS = {
    alert.name: alert
    for alerts in groups(parse(["ReplymeterTelemetryAbsent.on=true"])).values()
    for alert in alerts
}


@dataclass(frozen=True)
class Scenario:
    """Series, and whether the alert fires after so many minutes of them, and what it says."""

    name: str
    load: Load
    minutes: int
    fires: bool
    says: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=lambda: WHO)


def check(scenarios: list[Scenario], alert: str, folder: Path, *settings: str) -> None:
    """Assert that promtool finds every scenario as it says."""
    promtool = part("prometheus") / "promtool"
    groups = _rules(alert, settings)
    (folder / "rules.json").write_text(json.dumps({"groups": groups}))
    content = {
        "rule_files": ["rules.json"],
        "evaluation_interval": "1m",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [_test(scenario, ALERTS[alert]) for scenario in scenarios],
    }
    (folder / "test.json").write_text(json.dumps(content))
    done = subprocess.run(
        [str(promtool), "test", "rules", "test.json"],
        capture_output=True, text=True, timeout=100, check=False, cwd=folder,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def _rules(alert: str, settings: tuple[str, ...]) -> list[dict[str, Any]]:
    """The shipped groups, with this alert and what it reads: the others only take time."""
    recording = recording_groups()
    alerts = alert_groups(parse(["ReplymeterTelemetryAbsent.on=true", *settings]))
    for group in alerts:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] == alert]
    kept = [group for group in alerts if group["rules"]]
    expr = kept[0]["rules"][0]["expr"]
    for group in recording:
        group["rules"] = [rule for rule in group["rules"] if rule["record"] in expr]
    return [*(group for group in recording if group["rules"]), *kept]


def _test(scenario: Scenario, alert: Alert) -> dict[str, Any]:
    """Firing or not, by the series that alerts are; what it says, where that is given."""
    time = f"{scenario.minutes}m"
    labels = {"severity": alert.severity, "component": "replymeter"}
    labels |= scenario.who | scenario.labels
    state = {"__name__": "ALERTS", "alertname": alert.name, "alertstate": "firing"}
    expected = ", ".join(f'{key}="{value}"' for key, value in {**state, **labels}.items())
    firing = {
        "expr": f'ALERTS{{alertname="{alert.name}", alertstate="firing"}}',
        "eval_time": time,
        "exp_samples": [{"labels": f"{{{expected}}}", "value": 1}] if scenario.fires else [],
    }
    says = {
        "eval_time": time,
        "alertname": alert.name,
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": _annotations(scenario, alert)}],
    }
    return {
        "name": scenario.name,
        "interval": "1m",
        "input_series": [
            {"series": series, "values": written(pattern)}
            for series, pattern in scenario.load.items()
        ],
        "promql_expr_test": [firing],
        "alert_rule_test": [says] if scenario.says else [],
    }


def _annotations(scenario: Scenario, alert: Alert) -> dict[str, str]:
    dashboard, panel = panel_of(alert)
    variables = {
        "environment": "deployment_environment_name",
        "job": "job",
        "provider": "gen_ai_provider_name",
        "model": "gen_ai_request_model",
    }
    chosen = "".join(
        f"&var-{name}={quote_plus(scenario.who[label])}"
        for name, label in variables.items()
        if label in scenario.who
    )
    return {
        "summary": alert.summary,
        "description": scenario.says or "",
        "runbook_url": f"docs/runbooks.md#{alert.name.lower()}",
        "dashboard_url": f"http://localhost:3000/d/{dashboard}?viewPanel={panel}{chosen}",
    }
