"""Draw the dashboards for the documentation (`make pictures`).

The demo's calls go for ten minutes through the real collector into the real Prometheus, with the
shipped alert rules; the committed JSON and what Prometheus answers to its queries are drawn by
Grafana's own published components in a headless Chromium. It is no Grafana server: one cannot be
had from the package registries. Needs Go, node, npm and chromium.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.end_to_end.parts import Prometheus, collector, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BOARDS = sorted((ROOT / "dashboards" / "grafana").glob("*.json"))
WORK = Path.home() / ".cache" / "replymeter" / "pictures"
SECONDS = 600
STEP = 15
WIDTH, CELL, GAP, TOP = 1600, 30, 8, 64


def main() -> None:
    """Make traffic, ask, draw."""
    for program in ("npm", "chromium"):
        if shutil.which(program) is None:
            sys.exit(f"pictures: {program} is not here; on Debian: apt install {program}")
    bundle()
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with TemporaryDirectory() as folder:
        place = Path(folder)
        rules = str([str(ROOT / "dashboards" / "prometheus" / "*.rules.yaml")])
        with prometheus(place / "prometheus", rule_files=rules) as database:
            environment = {"REPLYMETER_PROMETHEUS_URL": database.url}
            with collector("laptop.yaml", place / "collector", environment) as collecting:
                make_traffic(collecting.url, seconds)
                for path in BOARDS:
                    draw(path, database, seconds)


def bundle() -> None:
    """Install Grafana's components and bundle the page, outside of the checkout."""
    lock = "package-lock.json"
    installed = (WORK / "node_modules").is_dir() and filecmp.cmp(HERE / lock, WORK / lock)
    shutil.copytree(HERE, WORK, dirs_exist_ok=True)
    quietly = ("--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund")
    if not installed:
        subprocess.run(["npm", "ci", *quietly], cwd=WORK, check=True)
    subprocess.run(
        [
            "node_modules/.bin/esbuild",
            "render.jsx",
            "--bundle",
            "--outfile=bundle.js",
            "--jsx=automatic",
            "--alias:react-custom-scrollbars-2=./scrollbars.js",
            "--define:global=window",
            '--define:process.env.NODE_ENV="production"',
            "--loader:.svg=dataurl",
            "--loader:.ttf=dataurl",
            "--minify",
            "--log-level=error",
        ],
        cwd=WORK,
        check=True,
    )


def make_traffic(url: str, seconds: int) -> None:
    """Play the demo's calls, with prices."""
    command = [sys.executable, "-m", "replymeter.cli", "demo", "--otlp", url]
    env = {**os.environ, "REPLYMETER_COST": "true"}
    subprocess.run(
        [*command, "--seconds", str(seconds)], env=env, check=True, stdout=subprocess.DEVNULL
    )
    time.sleep(5)


def draw(path: Path, database: Prometheus, seconds: int) -> None:
    """Draw one dashboard into docs/pictures."""
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    panels = list(flat(dashboard["panels"]))
    until = time.time()
    answers: dict[str, Any] = {"ALERTS": ask(database, "ALERTS", until, instant=True)}
    for panel in panels:
        for target in panel.get("targets", []):
            if "expr" in target:
                expr = filled(target["expr"], dashboard, seconds)
                answers[target["expr"]] = ask(
                    database, expr, until, seconds=seconds, instant=target["instant"]
                )
    board = {
        "dashboard": dashboard,
        "answers": answers,
        "from": 1000 * (until - seconds),
        "to": 1000 * until,
    }
    (WORK / "board.js").write_text(f"window.BOARD = {json.dumps(board)};", encoding="utf-8")
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    picture = ROOT / "docs" / "pictures" / f"{path.stem}.png"
    screenshot(picture, TOP + bottom * (CELL + GAP))
    print(picture.relative_to(ROOT))


def flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every panel, those in collapsed rows too."""
    for panel in panels:
        yield panel
        yield from flat(panel.get("panels", []))


def filled(expr: str, dashboard: dict[str, Any], seconds: int) -> str:
    """*expr* with Grafana's variables as they are when everything is chosen."""
    values = {"__rate_interval": "1m", "__range": f"{seconds}s"}
    for variable in dashboard["templating"]["list"]:
        custom = variable["type"] == "custom"
        values[variable["name"]] = variable["current"]["value"] if custom else ".*"
    for name, value in values.items():
        expr = expr.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return expr


def ask(
    database: Prometheus, expr: str, until: float, *, seconds: int = 0, instant: bool
) -> list[dict[str, Any]]:
    """What Prometheus answers, each series with its `values`."""
    if instant:
        result = database.ask("query", query=expr, time=str(until))["result"]
        return [{"metric": one["metric"], "values": [one["value"]]} for one in result]
    times = {"start": str(until - seconds), "end": str(until), "step": str(STEP)}
    return list(database.ask("query_range", query=expr, **times)["result"])


def screenshot(picture: Path, height: int) -> None:
    """What a headless Chromium shows."""
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
            "--virtual-time-budget=10000",
            f"--window-size={WIDTH},{height}",
            f"--screenshot={picture}",
            f"file://{WORK}/page.html",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
