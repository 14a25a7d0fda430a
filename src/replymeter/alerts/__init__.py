"""One table of alerts; Prometheus', Kubernetes' and Grafana's files are made from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from replymeter.alerts import blind, calls, safety, spend, truncation
from replymeter.alerts.settings import Settings, meant, parse
from replymeter.alerts.spec import Alert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Alert", "Settings", "groups", "parse"]

TOPICS: Final[dict[str, Callable[[Settings], Iterator[Alert]]]] = {
    "truncation": truncation.alerts,
    "safety": safety.alerts,
    "calls": calls.alerts,
    "spend": spend.alerts,
    "blind-spots": blind.alerts,
}


def groups(settings: Settings | None = None) -> dict[str, tuple[Alert, ...]]:
    """Every alert by its topic, as *settings* want it; those that are off too.

    Raises:
        ValueError: The settings change an alert that is not there.
    """
    settings = settings or Settings()
    table = {topic: tuple(alerts(settings)) for topic, alerts in TOPICS.items()}
    known = {alert.name for alerts in table.values() for alert in alerts}
    for name in settings.changes:
        if name not in known:
            raise ValueError(f"There is no alert {name}{meant(name, known)}.")
    return {
        topic: tuple(_changed(alert, settings) for alert in alerts)
        for topic, alerts in table.items()
    }


def _changed(alert: Alert, settings: Settings) -> Alert:
    changes = settings.changes.get(alert.name, {})
    return replace(
        alert,
        hold=changes.get("for", alert.hold),
        severity=changes.get("severity", alert.severity),
        on=changes["on"] == "true" if "on" in changes else alert.on,
    )
