"""What the shipped configurations say, read as data; the collector itself checks them, too."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from replymeter import conventions as names
from tests.end_to_end import certificates
from tests.end_to_end.parts import CONFIG, part
from tools import collector_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD_NAMES = {
    *("batch", "otlphttp", "spanmetrics", "loadbalancing", "resourcedetection"),
    *("prometheusremotewrite", "k8sattributes", "hostmetrics", "filelog", "memory_ballast"),
}
"""What the collector still takes under that name for a while, with a warning when it runs."""

COLLECTORS = ("laptop", "agent", "gateway", "agent-kafka", "gateway-kafka")
NEEDED = {
    "REPLYMETER_GATEWAY": "127.0.0.1:4317",
    "REPLYMETER_GATEWAY_TOKEN": "a-token",
    "REPLYMETER_GATEWAY_PEERS": "[127.0.0.1:4319]",
    "REPLYMETER_PROMETHEUS_URL": "http://127.0.0.1:9090",
    "REPLYMETER_PROMETHEUS_TOKEN": "a-token",
    "REPLYMETER_TRACE_STORE": "127.0.0.1:4317",
    "REPLYMETER_KAFKA_BROKERS": "[127.0.0.1:9092]",
    "REPLYMETER_KAFKA_USER": "user",
    "REPLYMETER_KAFKA_PASSWORD": "a-password",
}


def load(name: str) -> Any:
    """A configuration as data; `${env:...}` stays as it is."""
    return yaml.safe_load((CONFIG / f"{name}.yaml").read_text())


def leaves(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with the keys that lead to it."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, (*path, str(key)))
    elif isinstance(data, list):
        for value in data:
            yield from leaves(value, path)
    else:
        yield path, data


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_the_generated_lists_are_fresh(path: Path) -> None:
    """`make docs` would change nothing."""
    text = path.read_text()
    assert collector_config.written(text) == text


def test_the_list_holds_ours_and_no_content() -> None:
    """Every published attribute may pass, and none that carries prompts or exception texts."""
    allowed = set(collector_config.allowed_keys())

    assert set(names.ATTRIBUTES) <= allowed
    assert {"service.instance.id", "service.name", "http.response.status_code"} <= allowed
    content = re.compile(r"message|stacktrace|header|query\.text|url\.query|instructions|arguments")
    assert [key for key in allowed if content.search(key)] == []


@pytest.mark.parametrize("name", ["agent", "agent-kafka"])
def test_an_agent_redacts_in_each_pipeline_and_fails_closed(name: str) -> None:
    """Nothing gets around the list."""
    config = load(name)

    assert config["processors"]["redaction"]["allow_all_keys"] is False
    for pipeline in config["service"]["pipelines"].values():
        assert pipeline["processors"][-1] == "redaction"


@pytest.mark.parametrize("name", COLLECTORS)
def test_memory_is_limited_first(name: str) -> None:
    """Every pipeline from outside starts with the limiter."""
    config = load(name)

    for pipeline in config["service"]["pipelines"].values():
        if pipeline["receivers"] != ["span_metrics"]:
            assert pipeline["processors"][0] == "memory_limiter"


@pytest.mark.parametrize("name", COLLECTORS)
def test_no_component_has_its_old_name(name: str) -> None:
    """No name that goes away; `otlp` alone is a receiver, as an exporter it is `otlp_grpc`."""
    config = load(name)
    sections = ("extensions", "receivers", "processors", "connectors", "exporters")
    used = {key.partition("/")[0] for section in sections for key in config.get(section, {})}

    assert used & OLD_NAMES == set()
    assert "otlp" not in {key.partition("/")[0] for key in config["exporters"]}


@pytest.mark.parametrize("name", COLLECTORS)
def test_what_is_queued_is_never_given_up(name: str) -> None:
    """No exporter over the network drops what it could not send for a while."""
    for key, exporter in load(name)["exporters"].items():
        if key != "file":
            assert exporter["retry_on_failure"]["max_elapsed_time"] == 0
            kept = exporter["sending_queue"].get("storage") == "file_storage"
            assert kept or name == "laptop"


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_port_that_is_not_loopback_asks_for_a_certificate_and_a_token(name: str) -> None:
    """Whatever listens is on 127.0.0.1 unless a variable moves it; what agents reach has mTLS."""
    config = load(name)
    endpoints = [
        (path, value)
        for section in ("receivers", "extensions")
        for path, value in leaves(config.get(section, {}), (section,))
        if path[-1] == "endpoint"
    ]
    readers = config["service"]["telemetry"]["metrics"]["readers"]

    own = "${env:REPLYMETER_OWN_HOST:-127.0.0.1}"
    assert {value for path, value in leaves(readers) if path[-1] == "host"} == {own}
    for path, value in endpoints:
        assert value.startswith(("127.0.0.1:", f"{own}:", "${env:REPLYMETER_LISTEN:-127.0.0.1}:"))
        if "REPLYMETER_LISTEN" in value and name != "laptop":
            server = config[path[0]][path[1]]["protocols"]["grpc"]
            assert server["auth"] == {"authenticator": "bearertokenauth"}
            assert {"cert_file", "key_file", "client_ca_file"} <= set(server["tls"])


@pytest.mark.parametrize("name", COLLECTORS)
def test_secrets_come_from_the_environment(name: str) -> None:
    """No token, password or user stands in a file, and none has a default."""
    for path, value in leaves(load(name)):
        if path[-1] in ("token", "password", "username"):
            assert re.fullmatch(r"\$\{env:[A-Z_]+\}", value), path


@pytest.mark.parametrize("name", COLLECTORS)
def test_its_head_names_every_variable(name: str) -> None:
    """What can be set stands at the top of the file."""
    text = (CONFIG / f"{name}.yaml").read_text()
    head = text.partition("\nextensions:")[0]
    used = set(re.findall(r"\$\{env:([A-Z_]+)", text))

    assert used
    assert used <= set(re.findall(r"REPLYMETER_[A-Z_]+", head))


@pytest.mark.end_to_end
@pytest.mark.parametrize("name", COLLECTORS)
def test_the_collector_accepts_it(name: str, tmp_path: Path) -> None:
    """`validate` passes."""
    program = part("collector")
    certificates.write(tmp_path)
    env = {**os.environ, **NEEDED, "REPLYMETER_TLS_DIR": str(tmp_path)}
    command = [str(program), "validate", "--config", str(CONFIG / f"{name}.yaml")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.end_to_end
def test_the_gateway_does_not_start_without_its_secrets(tmp_path: Path) -> None:
    """A token that is not set is an error, not an open port."""
    program = part("collector")
    certificates.write(tmp_path)
    env = {**os.environ, **NEEDED, "REPLYMETER_TLS_DIR": str(tmp_path)}
    del env["REPLYMETER_GATEWAY_TOKEN"]
    command = [str(program), "validate", "--config", str(CONFIG / "gateway.yaml")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert "no bearer token" in done.stderr


@pytest.mark.end_to_end
def test_promtool_accepts_prometheus_yaml() -> None:
    """`promtool check config` passes."""
    program = str(part("prometheus") / "promtool")
    command = [program, "check", "config", str(CONFIG / "prometheus.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.end_to_end
def test_the_collectors_alerts_fire_and_stay_quiet() -> None:
    """`promtool test rules` passes."""
    program = str(part("prometheus") / "promtool")
    command = [program, "test", "rules", "collector.rules.test.yaml"]
    folder = CONFIG / "prometheus"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


RULES = CONFIG / "prometheus" / "collector.rules.yaml"


def alerts() -> list[dict[str, Any]]:
    """The alerts on the collector."""
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_of_the_collector_has_a_runbook_and_tests(alert: dict[str, Any]) -> None:
    """A heading in docs/deployment.md, and a test that it fires and one that it is quiet."""
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (CONFIG.parent / page).read_text(), re.MULTILINE)
    tested = RULES.with_name("collector.rules.test.yaml").read_text()

    assert alert["alert"] in headings
    assert anchor == alert["alert"].lower()
    assert f"alertname: {alert['alert']}," in tested
