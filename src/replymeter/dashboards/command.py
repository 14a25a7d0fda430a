"""`replymeter dashboards`: into a running Grafana, or into a folder as files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from replymeter.dashboards import DASHBOARDS, grafana
from replymeter.dashboards.files import files
from replymeter.dashboards.grafana import Grafana, GrafanaError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

_ROOT: Final = "dashboards/"
"""The files' folder in the repository."""


def run(options: argparse.Namespace) -> int:
    """Install the family, or write its files; the exit code, 1 when that failed."""
    try:
        for line in _export(options.export) if options.export else _install(options):
            print(line, flush=True)
    except (OSError, GrafanaError) as error:
        print(f"replymeter dashboards: {error}")
        return 1
    return 0


def _export(folder: Path) -> Iterator[str]:
    for path, text in files().items():
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


def _given(value: str | None, option: str, variable: str) -> str:
    found = value or os.environ.get(variable)
    if not found:
        raise GrafanaError(
            f"give {option} or the variable {variable}: the URL is like http://localhost:3000, "
            "the token a service account's. Or --export DIR, for files."
        )
    return found
