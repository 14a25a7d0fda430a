"""Write the dashboards again, below dashboards/."""

from __future__ import annotations

from pathlib import Path

from replymeter.dashboards.files import files

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write every file."""
    for path, text in files().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
