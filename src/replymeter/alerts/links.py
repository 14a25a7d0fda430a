"""Where an alert leads: its panel and its runbook."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from replymeter.alerts.spec import KEEP
from replymeter.dashboards import DASHBOARDS, board, promql

if TYPE_CHECKING:
    from replymeter.alerts.settings import Settings
    from replymeter.alerts.spec import Alert

VARIABLES: Final = {one.label: one.name for one in board.VARIABLES}
"""The dashboards' variable of each label."""


@cache
def _panels(slug: str) -> tuple[str, dict[str, int]]:
    (dashboard,) = (one for one in DASHBOARDS if one.slug == slug)
    return dashboard.uid, {one.title: dashboard.panel_id(one.title) for one in dashboard.panels}


def panel_of(alert: Alert) -> tuple[str, int]:
    """The uid of the alert's dashboard, and the id of its panel there.

    Raises:
        KeyError: The dashboard has no panel of that title.
    """
    uid, panels = _panels(alert.dashboard)
    return uid, panels[alert.panel]


def dashboard_url(alert: Alert, settings: Settings) -> str:
    """Template: the panel, of the model that the alert is about."""
    dashboard, panel = panel_of(alert)
    variables = "".join(
        f"{{{{ with $labels.{promql.label(label)} }}}}&var-{VARIABLES[label]}="
        "{{ . | urlquery }}{{ end }}"
        for label in KEEP
    )
    return f"{settings.grafana_url}/d/{dashboard}?viewPanel={panel}{variables}"


def runbook_url(alert: Alert, settings: Settings) -> str:
    """The alert's heading on the page of runbooks."""
    return f"{settings.runbook_url}#{alert.name.lower()}"
