"""The committed files of the alerts: text by path in the repository."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from replymeter import alerts as table
from replymeter.alerts import render
from replymeter.alerts.settings import Settings, described

if TYPE_CHECKING:
    from replymeter.alerts.spec import Alert

HEADER: Final = "Generated from src/replymeter/alerts by `make dashboards`: change it there."
PAGE: Final = """\
<!-- {header} -->

# Alerts

One table yields the same alerts for Prometheus (`dashboards/prometheus/*.rules.yaml`), for the
Prometheus Operator (`dashboards/kubernetes/`) and for Grafana
(`dashboards/grafana/provisioning/alerting/`). What each means and what to do:
[runbooks.md](runbooks.md). `for` is how long the condition holds before the alert fires.

{alerts}

Alerts that are off are not in the files until `<name>.on=true`. Cost alerts are silent without the
cost metrics.

## Load them

| into | by |
|---|---|
| Prometheus | `rule_files: [dashboards/prometheus/*.rules.yaml]` |
| the Prometheus Operator | `kubectl apply -f replymeter.prometheusrule.yaml`, of the folder above |
| Grafana | `replymeter dashboards`, with the dashboards, or its folder `provisioning/alerting` |

**Prometheus' or Grafana's, not both**: who loads both is told everything twice. If Prometheus has
them, use `replymeter dashboards --no-alerts`. Grafana's alerts about hours and days read
`replymeter.recording.rules.yaml`, which Prometheus must load for them. In Grafana's own pages these
rules cannot be edited; the next section says how they are changed.

`dashboards/prometheus/alertmanager.yaml` is a sample for Alertmanager: who is told of which
severity, and what is not said twice (a budget that burns silences the smaller alerts on the same
model's truncation; a refused key silences the error rate). A warning never silences a page: rate
limits do not silence the error rate. `compose.yaml` uses the same file.

**Late data.** What waited in a collector's queue is taken with its own time, but alerts are not
evaluated again for the past, and neither are the recording rules: an outage of the telemetry is a
hole in the alerts over hours and days (the burn alerts, *Appeared*, the spikes, the cache), though
the dashboards, which read the counters, fill it.

## Change them

Do not edit the files: the next version would undo it. Say what you want different, in Grafana or in
files:

```console
$ replymeter dashboards --set truncated_share=0.02 --set ReplymeterErrorRateHigh.for=10m
$ replymeter dashboards --export my-files --set ReplymeterTelemetryAbsent.on=true
```

A name is one of the settings below, or an alert's with `.for`, `.severity` (`critical`, `warning`,
`info`) or `.on` (`true`, `false`). A wrong name or a value that cannot be is an error that says so.
The command replaces whole groups in Grafana: an alert that is off now is gone there. Only a group
with none left stays; delete it by hand.

{settings}
"""


def files(settings: Settings | None = None) -> dict[str, str]:
    """Every file of the alerts, by its path in the repository.

    Raises:
        ValueError: The settings change an alert that is not there.
    """
    settings = settings or Settings()
    return {
        "dashboards/prometheus/replymeter.recording.rules.yaml": _yaml(
            {"groups": render.recording_groups()}
        ),
        "dashboards/prometheus/replymeter.rules.yaml": _yaml(
            {"groups": render.alert_groups(settings)}
        ),
        "dashboards/kubernetes/replymeter.prometheusrule.yaml": _yaml(
            render.prometheus_rule_object(settings)
        ),
        "dashboards/grafana/provisioning/alerting/replymeter.yaml": _yaml(
            render.grafana_file(settings)
        ),
        "dashboards/prometheus/alertmanager.yaml": f"# {HEADER}\n{_alertmanager()}",
    }


def _alertmanager() -> str:
    return (resources.files("replymeter.alerts") / "alertmanager.yaml").read_text(encoding="utf-8")


def _yaml(content: Any) -> str:
    import yaml  # noqa: PLC0415  # only who writes files needs it

    class Dumper(yaml.SafeDumper):
        """Keeps lines as lines, and writes no references."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    body = yaml.dump(content, Dumper=Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return f"# {HEADER}\n{body}"


def page(settings: Settings | None = None) -> str:
    """The page docs/alerts.md."""
    settings = settings or Settings()
    rows = ["| alert | severity | for | fires when | settings |", "|---|---|---|---|---|"]
    rows += [_row(alert) for alerts in table.groups(settings).values() for alert in alerts]
    knobs = ["| setting | default | what it is |", "|---|---|---|"]
    knobs += [
        f"| `{name}` | `{default:g}` | {meaning} |"
        if isinstance(default, float | int)
        else f"| `{name}` | `{default}` | {meaning} |"
        for name, (default, meaning) in described().items()
    ]
    return PAGE.format(header=HEADER, alerts="\n".join(rows), settings="\n".join(knobs))


def _row(alert: Alert) -> str:
    link = f"[{alert.name}](runbooks.md#{alert.name.lower()})"
    severity = alert.severity if alert.on else f"{alert.severity}, off"
    used = ", ".join(f"`{name}`" for name in alert.thresholds)
    return f"| {link} | {severity} | {alert.hold} | {alert.summary} | {used} |"
