# ruff: noqa: T201
"""`python -m replymeter.alerts FOLDER [name=value ...]` writes the alerts with other settings."""

from __future__ import annotations

import sys
from pathlib import Path

from replymeter.alerts import parse
from replymeter.alerts.files import files


def main(arguments: list[str]) -> int:
    """Write the files below the folder that is named first; 2 and a reason when that fails."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        written = files(parse(arguments[1:]))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for path, text in written.items():
        target = Path(arguments[0], path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
