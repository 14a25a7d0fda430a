"""A reply is cut, and somebody is told: app, Collector, Prometheus, Alertmanager, webhook."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from replymeter.alerts import groups, parse
from replymeter.alerts.files import files
from tests.end_to_end.conftest import Pipeline
from tests.end_to_end.parts import (
    answers,
    collector,
    eventually,
    free_ports,
    get,
    part,
    post,
    process,
    prometheus,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
# Only how long one waits; every query is the shipped one.
SETTINGS = ("evaluation_interval=1s", "ReplymeterTruncatedFinishesHigh.for=0s")


class Webhook(ThreadingHTTPServer):
    """Keeps the alerts that Alertmanager delivers, each with the path that it came to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Delivery)
        self.delivered: list[tuple[str, dict[str, Any]]] = []

    def of(self, alert: str, job: str) -> tuple[str, dict[str, Any]] | None:
        """The first delivery of an alert about a job."""
        for path, one in self.delivered:
            if (one["labels"]["alertname"], one["labels"].get("job")) == (alert, job):
                return path, one
        return None


class _Delivery(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        """Keep the alerts in one message."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.delivered += [(self.path, alert) for alert in body["alerts"]]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, Webhook]]:
    """The shipped rules and the sample alertmanager.yaml, running behind the pipeline."""
    folder = tmp_path_factory.mktemp("alerting")
    part("collector")
    (port,) = free_ports(1)
    for path, text in files(parse(SETTINGS)).items():
        if path.startswith("dashboards/prometheus/"):
            (folder / Path(path).name).write_text(text)
    targets = f"[{{static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]"
    rules = f"['*.rules.yaml']\nalerting: {{alertmanagers: {targets}}}"
    with ExitStack() as stack:
        webhook = stack.enter_context(Webhook())
        Thread(target=webhook.serve_forever, daemon=True).start()
        stack.callback(webhook.shutdown)
        stack.enter_context(_alertmanager(folder, port, webhook.server_port))
        database = stack.enter_context(prometheus(folder, rule_files=rules))
        environment = {"REPLYMETER_PROMETHEUS_URL": database.url}
        running = stack.enter_context(collector("laptop.yaml", folder / "laptop", environment))
        yield Pipeline(running, database), webhook


def _alertmanager(folder: Path, port: int, webhook: int) -> Any:
    text = (ROOT / "dashboards" / "prometheus" / "alertmanager.yaml").read_text()
    url = f"http://127.0.0.1:{webhook}"
    receiver = rf"  - name: \1\n    webhook_configs: [{{url: {url}/\1}}]"
    told, count = re.subn(r"^  - name: (\w+)$", receiver, text, flags=re.MULTILINE)
    assert count == 3
    config = folder / "alertmanager.yaml"
    config.write_text(told.replace("30s", "1s"))
    command = [
        str(part("alertmanager")),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    ready = answers(f"http://127.0.0.1:{port}/-/ready")
    return process(command, folder / "alertmanager.log", ready)


def test_many_cut_replies_reach_the_chat(alerting: tuple[Pipeline, Webhook]) -> None:
    """The alert fires and is delivered; it names the model, the share, the runbook, the panel."""
    pipeline, webhook = alerting
    name = "ReplymeterTruncatedFinishesHigh"
    calls = [*["openai/length/invoke"] * 12, *["openai/ok/invoke"] * 12]
    pipeline.run_app("calls_app", "cut", *calls)
    eventually(lambda: webhook.of(name, "cut"))
    firing = pipeline.prometheus.series(
        f'ALERTS{{alertname="{name}", alertstate="firing", job="cut"}}'
    )
    delivered = webhook.of(name, "cut")

    assert delivered
    assert len(firing) == 1
    path, alert = delivered
    model = alert["labels"]["gen_ai_request_model"]
    assert path == "/chat"
    assert alert["annotations"] == {
        "summary": "Many replies are cut off by length.",
        "description": f"50% of the replies of {model} (openai) in cut in test were cut off by "
        "length in the last 15m.",
        "runbook_url": f"docs/runbooks.md#{name.lower()}",
        "dashboard_url": alert["annotations"]["dashboard_url"],
    }
    assert alert["annotations"]["dashboard_url"].endswith(f"&var-model={model}")


def test_the_first_reply_of_a_process_is_cut(alerting: tuple[Pipeline, Webhook]) -> None:
    """One call, cut, and the process ends: that is told too, as the whole that it is."""
    pipeline, webhook = alerting
    pipeline.run_app("calls_app", "first-cut", "openai/length/invoke")
    eventually(lambda: webhook.of("ReplymeterTruncationAny", "first-cut"))
    delivered = webhook.of("ReplymeterTruncationAny", "first-cut")

    assert delivered
    assert delivered[0] == "/digest"
    assert delivered[1]["annotations"]["description"].startswith("100% of the replies of ")


def test_good_replies_tell_nobody(alerting: tuple[Pipeline, Webhook]) -> None:
    """The same app with whole replies raises nothing."""
    pipeline, webhook = alerting
    pipeline.run_app("calls_app", "whole", *["openai/ok/invoke"] * 24)
    count = 'replymeter_finish_reasons_total{job="whole", replymeter_finish_reason="stop"}'
    eventually(lambda: pipeline.prometheus.total(f"increase({count}[5m])") >= 20)
    eventually(lambda: any(one["labels"].get("job") == "whole" for _, one in webhook.delivered), 3)

    assert pipeline.prometheus.total(f"increase({count}[5m])") >= 20
    assert pipeline.prometheus.series('ALERTS{job="whole"}') == {}
    assert not any(one["labels"].get("job") == "whole" for _, one in webhook.delivered)


FAST, MEDIUM, SLOW = (f"TruncationBudgetBurn{speed}" for speed in ("Fast", "Medium", "Slow"))
TRUNCATED, ANY = "TruncatedFinishesHigh", "TruncationAny"
INHIBITED = {
    "all burns": ([FAST, MEDIUM, SLOW, TRUNCATED, ANY], [MEDIUM, SLOW, TRUNCATED, ANY]),
    "medium": ([MEDIUM, SLOW, TRUNCATED, ANY], [SLOW, TRUNCATED, ANY]),
    "high": ([SLOW, TRUNCATED, ANY], [ANY]),
    "refused": (["AuthErrors", "ErrorRateHigh"], ["ErrorRateHigh"]),
    "limited": (["RateLimited", "ErrorRateHigh"], []),
}
"""By the model: what fires, and what of it nobody is told."""


def test_one_thing_is_told_once(tmp_path: Path) -> None:
    """The real Alertmanager inhibits as the sample means it, model by model."""
    (port,) = free_ports(1)
    severity = {one.name: one.severity for alerts in groups().values() for one in alerts}
    alerts = [
        {
            "alertname": f"Replymeter{name}",
            "severity": severity[f"Replymeter{name}"],
            "job": "shop",
            "gen_ai_request_model": model,
        }
        for model, (firing, _) in INHIBITED.items()
        for name in firing
    ]
    with _alertmanager(tmp_path, port, 9):
        api = f"http://127.0.0.1:{port}/api/v2/alerts"
        post(api, [{"labels": labels} for labels in alerts])
        wanted = {
            (model, f"Replymeter{name}") for model, (_, out) in INHIBITED.items() for name in out
        }
        eventually(lambda: _silenced(api) == wanted)

        assert len(json.loads(get(api))) == len(alerts)
        assert _silenced(api) == wanted


def _silenced(api: str) -> set[tuple[str, str]]:
    return {
        (one["labels"]["gen_ai_request_model"], one["labels"]["alertname"])
        for one in json.loads(get(api))
        if one["status"]["inhibitedBy"]
    }
