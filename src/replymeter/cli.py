"""The command `replymeter`: each subcommand is imported when it is called."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: The command line without the program's name; None is the process' own.

    Returns:
        The process' exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("Stopped.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="replymeter", description="OpenTelemetry for LangChain chat models."
    )
    parser.add_argument("--version", action="version", version=f"replymeter {_version()}")
    commands = parser.add_subparsers(metavar="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="see it at work: no key, no network",
        description="Instrumented models of eight providers get recorded replies, and you see "
        "what the counters say. No key, no network. Exit code 1: the counters are not what the "
        "providers said; 2: nothing could be sent to --otlp.",
    )
    demo.add_argument(
        "--otlp", metavar="URL", help="send the same to a collector: http://localhost:4318"
    )
    demo.add_argument(
        "--seconds",
        type=float,
        help="how long the calls take together; 0: as fast as possible "
        "(default: 16 in a terminal, else 0)",
    )
    demo.set_defaults(run=_demo)
    check = commands.add_parser(
        "check",
        help="see whether telemetry arrives, and what to do if not",
        description="Sends one span and one metric as the OTEL_* variables say, and says in plain "
        "words what is wrong and what to do. Exit code 1: there is a problem.",
    )
    check.add_argument(
        "model",
        metavar="module:name",
        nargs="?",
        help="a chat model of yours, or what holds it: is it instrumented, whom does it call?",
    )
    check.set_defaults(run=_check)
    _add_dashboards(commands)
    return parser


def _add_dashboards(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    dashboards = commands.add_parser(
        "dashboards",
        help="put dashboards and alerts into Grafana, or write their files",
        description="Puts the dashboards and the alerts into a running Grafana, in a folder of "
        "their own; run it again after an upgrade. Exit code 1: that failed, and the line says "
        "why.",
    )
    dashboards.add_argument("--url", help="Grafana's base URL (default: GRAFANA_URL)")
    dashboards.add_argument(
        "--token",
        help="a service account's token (default: GRAFANA_TOKEN, which other users cannot see)",
    )
    dashboards.add_argument(
        "--export",
        metavar="DIR",
        type=Path,
        help="write the files instead: for import, provisioning, Prometheus, Kubernetes",
    )
    dashboards.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change the alerts: truncated_share=0.02, ReplymeterErrorRateHigh.for=10m (all of "
        "them: docs/alerts.md); again for another one",
    )
    dashboards.add_argument(
        "--no-alerts", dest="alerts", action="store_false", help="the dashboards alone"
    )
    dashboards.set_defaults(run=_dashboards)


def _version() -> str:
    try:
        return version("replymeter")
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "0"


def _demo(options: argparse.Namespace) -> int:
    from replymeter.demo.run import run

    return run(otlp=options.otlp, seconds=options.seconds)


def _check(options: argparse.Namespace) -> int:
    from replymeter.check.run import run

    return run(options.model)


def _dashboards(options: argparse.Namespace) -> int:
    from replymeter.dashboards.command import run

    return run(options)


if __name__ == "__main__":
    raise SystemExit(main())
