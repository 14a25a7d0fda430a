"""Write the dashboards and the alerts again, below dashboards/, and the page of alerts."""

from __future__ import annotations

from pathlib import Path

from replymeter.alerts.files import files as alerts
from replymeter.alerts.files import page
from replymeter.dashboards.files import files as dashboards

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write every file."""
    for path, text in {**dashboards(), **alerts(), "docs/alerts.md": page()}.items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
