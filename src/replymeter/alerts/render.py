"""The table of alerts as Prometheus, Kubernetes and Grafana read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from replymeter import alerts as table
from replymeter.alerts.links import dashboard_url, panel_of, runbook_url
from replymeter.alerts.settings import seconds
from replymeter.alerts.spec import RECORDED_EVERY, RECORDINGS
from replymeter.dashboards.files import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.alerts.settings import Settings
    from replymeter.alerts.spec import Alert

COMPONENT: Final = "replymeter"
QUERY, FIRES, CONDITION = "query", "fires", "condition"


def recording_groups() -> list[dict[str, Any]]:
    """The recording rules, as groups of a Prometheus rule file."""
    rules = [{"record": one.name, "expr": one.expr} for one in RECORDINGS]
    return [{"name": f"{COMPONENT}-recording", "interval": RECORDED_EVERY, "rules": rules}]


def alert_groups(settings: Settings) -> list[dict[str, Any]]:
    """The alerts, as groups of a Prometheus rule file."""
    return [
        {
            "name": f"{COMPONENT}-{topic}",
            "interval": settings.evaluation_interval,
            "rules": [_prometheus_rule(alert, settings) for alert in alerts],
        }
        for topic, alerts in _written(settings)
    ]


def _written(settings: Settings) -> Iterator[tuple[str, list[Alert]]]:
    for topic, alerts in table.groups(settings).items():
        written = [alert for alert in alerts if alert.on]
        if written:
            yield topic, written


def _prometheus_rule(alert: Alert, settings: Settings) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({} if seconds(alert.hold) == 0 else {"for": alert.hold}),
        "labels": _labels(alert),
        "annotations": _annotations(alert, settings),
    }


def _labels(alert: Alert) -> dict[str, str]:
    return {"severity": alert.severity, "component": COMPONENT}


def _annotations(alert: Alert, settings: Settings) -> dict[str, str]:
    return {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": runbook_url(alert, settings),
        "dashboard_url": dashboard_url(alert, settings),
    }


def prometheus_rule_object(settings: Settings) -> dict[str, Any]:
    """The same as an object of the Prometheus Operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": COMPONENT, "labels": {"app.kubernetes.io/name": COMPONENT}},
        "spec": {"groups": [*recording_groups(), *alert_groups(settings)]},
    }


def grafana_rule_groups(settings: Settings, folder_uid: str) -> list[dict[str, Any]]:
    """The alerts as rule groups of Grafana's provisioning API.

    Each is the body of `PUT /api/v1/provisioning/folder/{folder_uid}/rule-groups/{title}`. The
    recording rules are Prometheus' own: load replymeter.recording.rules.yaml there.
    """
    return [
        {
            "title": f"{COMPONENT}-{topic}",
            "folderUid": folder_uid,
            "interval": int(seconds(settings.evaluation_interval)),
            "rules": [
                {
                    **_grafana_rule(alert, settings),
                    "folderUID": folder_uid,
                    "ruleGroup": f"{COMPONENT}-{topic}",
                    "orgID": 1,
                }
                for alert in alerts
            ],
        }
        for topic, alerts in _written(settings)
    ]


def grafana_file(settings: Settings) -> dict[str, Any]:
    """The alerts as a file for Grafana's folder `provisioning/alerting`."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": f"{COMPONENT}-{topic}",
                "folder": FOLDER,
                "interval": settings.evaluation_interval,
                "rules": [_grafana_rule(alert, settings) for alert in alerts],
            }
            for topic, alerts in _written(settings)
        ],
    }


def _grafana_rule(alert: Alert, settings: Settings) -> dict[str, Any]:
    dashboard, panel = panel_of(alert)
    annotations = {
        **_annotations(alert, settings),
        "__dashboardUid__": dashboard,
        "__panelId__": str(panel),
    }
    return {
        "uid": re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert.name).lower(),
        "title": alert.name,
        "condition": CONDITION,
        "data": _grafana_queries(alert, settings),
        # The query has a series only for who is over the threshold: none is good news.
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.hold,
        "labels": _labels(alert),
        "annotations": {
            key: text.replace("$value", f"$values.{QUERY}.Value")
            for key, text in annotations.items()
        },
    }


def _grafana_queries(alert: Alert, settings: Settings) -> list[dict[str, Any]]:
    """The query and, since its value says nothing about firing, that there is one at all."""
    prometheus = settings.grafana_datasource
    query = {"expr": alert.expr, "instant": True, "range": False}
    fires = {"type": "math", "expression": f"is_number(${QUERY}) || is_inf(${QUERY})"}
    above = [{"evaluator": {"type": "gt", "params": [0]}}]
    condition = {"type": "threshold", "expression": FIRES, "conditions": above}
    return [
        _grafana_query(QUERY, prometheus, "prometheus", query),
        _grafana_query(FIRES, "__expr__", "__expr__", fires),
        _grafana_query(CONDITION, "__expr__", "__expr__", condition),
    ]


def _grafana_query(ref: str, uid: str, kind: str, model: dict[str, Any]) -> dict[str, Any]:
    return {
        "refId": ref,
        "relativeTimeRange": {"from": 600, "to": 0},
        "datasourceUid": uid,
        "model": {"refId": ref, "datasource": {"type": kind, "uid": uid}, **model},
    }
