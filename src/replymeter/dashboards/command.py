"""`replymeter dashboards`: dashboards and alerts into a running Grafana, or into files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from replymeter.alerts import groups, parse
from replymeter.alerts.files import files as alert_files
from replymeter.alerts.render import grafana_rule_groups
from replymeter.dashboards import DASHBOARDS, grafana
from replymeter.dashboards.files import FOLDER_UID
from replymeter.dashboards.files import files as dashboard_files
from replymeter.dashboards.grafana import Grafana, GrafanaError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from replymeter.alerts import Settings

_ROOT: Final = "dashboards/"
"""The files' folder in the repository."""


def run(options: argparse.Namespace) -> int:
    """Install the family and its alerts, or write their files; the exit code, 1 when it failed."""
    try:
        settings = _settings(options)
        lines = _export(options, settings) if options.export else _install(options)
        for line in lines:
            print(line, flush=True)
    except (OSError, ValueError, GrafanaError) as error:
        print(f"replymeter dashboards: {error}")
        return 1
    return 0


def _settings(options: argparse.Namespace, *known: str) -> Settings:
    """What `--set` says, over what is *known* otherwise; a wrong one is an error at once."""
    if options.set and not options.alerts:
        raise ValueError("--set changes alerts, and --no-alerts wants none: leave one out.")
    settings = parse([*known, *options.set])
    groups(settings)
    return settings


def _export(options: argparse.Namespace, settings: Settings) -> Iterator[str]:
    folder: Path = options.export
    alerts = alert_files(settings) if options.alerts else {}
    for path, text in {**dashboard_files(), **alerts}.items():
        target = folder / path.removeprefix(_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        yield str(target)


def _install(options: argparse.Namespace) -> Iterator[str]:
    url = _given(options.url, "--url", "GRAFANA_URL")
    there = Grafana(url, _given(options.token, "--token", "GRAFANA_TOKEN"))
    yield grafana.folder(there)
    for board in DASHBOARDS:
        yield grafana.dashboard(there, board)
    if options.alerts:
        yield from grafana.alerts(there, grafana_rule_groups(_there(options, there), FOLDER_UID))


def _there(options: argparse.Namespace, there: Grafana) -> Settings:
    """The settings, with that Grafana's URL and data source where `--set` names none."""
    known = [f"grafana_url={there.url}"]
    if not any(one.partition("=")[0].strip() == "grafana_datasource" for one in options.set):
        known.append(f"grafana_datasource={grafana.prometheus(there)}")
    return _settings(options, *known)


def _given(value: str | None, option: str, variable: str) -> str:
    found = value or os.environ.get(variable)
    if not found:
        raise GrafanaError(
            f"give {option} or the variable {variable}: the URL is like http://localhost:3000, "
            "the token a service account's. Or --export DIR, for files."
        )
    return found
