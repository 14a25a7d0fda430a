"""compose.yaml and the Kubernetes files: read as data, and checked by the real programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.end_to_end import certificates
from tests.end_to_end.parts import CONFIG, part
from tools import collector_config

if TYPE_CHECKING:
    from pathlib import Path

ROOT = CONFIG.parent
KUBERNETES = CONFIG / "kubernetes"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
SIDECAR = yaml.safe_load((KUBERNETES / "agent" / "sidecar.yaml").read_text())
GATEWAY = {
    (one["kind"], one["metadata"]["name"]): one
    for one in yaml.safe_load_all((KUBERNETES / "gateway" / "gateway.yaml").read_text())
}
STATEFUL = GATEWAY["StatefulSet", "replymeter-gateway"]
CONTAINERS = {
    "agent": SIDECAR["spec"]["template"]["spec"]["initContainers"][0],
    "gateway": STATEFUL["spec"]["template"]["spec"]["containers"][0],
}
VERSION = yaml.safe_load((CONFIG / "builder" / "manifest.yaml").read_text())["dist"]["version"]


def run(*command: str, **variables: str) -> str:
    """What *command* prints; it must end well."""
    env = {**os.environ, **variables}
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted(collector_config.copies()))
def test_the_copies_are_fresh(path: str) -> None:
    """`make docs` would change nothing."""
    assert (CONFIG / path).read_text() == collector_config.copies()[path]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_of_compose(name: str) -> None:
    """Loopback ports only, an image with its version, no more rights than it needs."""
    service = SERVICES[name]

    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    for volume in service["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert volume.endswith(":ro")
            assert (ROOT / source).exists()
        else:
            assert source in COMPOSE["volumes"]


def test_what_can_be_asked_in_its_container_is_asked() -> None:
    """The images with a shell have a health check; the two without are said to have none."""
    asked = {name for name, service in SERVICES.items() if "healthcheck" in service}

    assert set(SERVICES) - asked == {"collector", "tempo"}


def test_grafana_has_a_password_and_no_guests() -> None:
    """The password has no default."""
    grafana = SERVICES["grafana"]["environment"]

    assert grafana["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


def test_the_collectors_are_of_the_version_that_is_tested() -> None:
    """The image's tag is the builder's version, everywhere."""
    image = f"otel/opentelemetry-collector-contrib:{VERSION}"
    images = {SERVICES["collector"]["image"]} | {one["image"] for one in CONTAINERS.values()}

    assert images == {image}


def test_prometheus_in_compose_has_the_flags_of_prometheus_yaml() -> None:
    """What its configuration needs to be exact is switched on."""
    text = (CONFIG / "prometheus.yaml").read_text()
    needed = re.findall(r"^# +(--(?:web\.enable|enable)\S+)$", text, re.MULTILINE)

    assert len(needed) == 2
    assert set(needed) <= set(SERVICES["prometheus"]["command"])


def environment(container: dict[str, Any]) -> dict[str, str]:
    """A container's variables, a secret's being some text."""
    values = {one["name"]: one.get("value", "a-text") for one in container["env"]}
    return {name: value.replace("$(POD_IP)", "127.0.0.1") for name, value in values.items()}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_in_kubernetes(name: str) -> None:
    """Probes, limits, no root, nothing to write to but its queue; its variables are known ones."""
    container = CONTAINERS[name]
    security = container["securityContext"]
    head = (CONFIG / f"{name}.yaml").read_text().partition("\nextensions:")[0]
    set_here = {one for one in environment(container) if one.startswith("REPLYMETER_")}
    needed = head.partition("What must be set")[2].partition("What may be set")[0]

    assert {"startupProbe", "livenessProbe"} <= set(container)
    assert "memory" in container["resources"]["limits"]
    assert (security["readOnlyRootFilesystem"], security["capabilities"]) == (
        True,
        {"drop": ["ALL"]},
    )
    assert set_here <= set(re.findall(r"REPLYMETER_[A-Z_]+", head))
    assert set(re.findall(r"REPLYMETER_[A-Z_]+", needed)) <= {*set_here, "REPLYMETER_TLS_DIR"}
    for one in container["env"]:
        if re.search("TOKEN|PASSWORD", one["name"]):
            assert "secretKeyRef" in one["valueFrom"]


def test_the_gateways_know_each_other() -> None:
    """As many peers as replicas, by the names that the headless service gives them."""
    peers = yaml.safe_load(environment(CONTAINERS["gateway"])["REPLYMETER_GATEWAY_PEERS"])
    service = STATEFUL["spec"]["serviceName"]

    assert GATEWAY["Service", service]["spec"]["clusterIP"] == "None"
    assert peers == [
        f"{STATEFUL['metadata']['name']}-{number}.{service}.replymeter.svc:4319"
        for number in range(STATEFUL["spec"]["replicas"])
    ]


def test_only_loopback_takes_what_is_not_redacted() -> None:
    """The sidecar's OTLP ports are not moved from 127.0.0.1."""
    assert "REPLYMETER_LISTEN" not in environment(CONTAINERS["agent"])


@pytest.mark.parametrize("name", ["gateway", "example"])
def test_the_manifests_are_valid(name: str) -> None:
    """What `kubectl kustomize` makes is what the API takes, and has the configuration in it."""
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl here")
    resources = list(yaml.safe_load_all(run("kubectl", "kustomize", str(KUBERNETES / name))))
    for resource in resources:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)

    config = "agent" if name == "example" else name
    (map_,) = (one for one in resources if one["kind"] == "ConfigMap")
    text = (CONFIG / f"{config}.yaml").read_text()
    assert map_["data"]["config.yaml"].endswith(text)
    assert map_["metadata"]["name"] in str([one["spec"] for one in resources if "spec" in one])


@pytest.mark.end_to_end
@pytest.mark.parametrize("name", CONTAINERS)
def test_the_collector_accepts_it_with_the_variables_of_kubernetes(
    name: str, tmp_path: Path
) -> None:
    """`validate` passes on the copy, with what the manifest sets."""
    certificates.write(tmp_path)
    variables = environment(CONTAINERS[name]) | {"REPLYMETER_TLS_DIR": str(tmp_path)}
    config = str(KUBERNETES / name / "config.yaml")
    run(str(part("collector")), "validate", "--config", config, **variables)


@pytest.mark.end_to_end
def test_the_collector_accepts_it_with_the_variables_of_compose() -> None:
    """`validate` passes on laptop.yaml, with what compose.yaml sets."""
    variables = SERVICES["collector"]["environment"]
    config = str(CONFIG / "laptop.yaml")
    run(str(part("collector")), "validate", "--config", config, **variables)


@pytest.mark.end_to_end
def test_promtool_accepts_the_configuration_of_compose() -> None:
    """`promtool check config` passes, with the rule files that it names."""
    promtool = str(part("prometheus") / "promtool")
    said = run(promtool, "check", "config", str(CONFIG / "compose" / "prometheus.yaml"))

    assert "collector.rules.yaml" in said


@pytest.mark.end_to_end
def test_compose_accepts_it_and_asks_for_the_password() -> None:
    """`docker compose config` passes with a password, and names it without one."""
    docker = ("docker", "compose")
    have = (
        shutil.which("docker")
        and not subprocess.run(
            [*docker, "version"], capture_output=True, timeout=30, check=False
        ).returncode
    )
    command = docker if have else (str(part("compose")),)
    made = yaml.safe_load(run(*command, "config", GRAFANA_ADMIN_PASSWORD="x"))
    assert set(made["services"]) == set(SERVICES)

    done = subprocess.run(
        [*command, "config", "--quiet"],
        cwd=ROOT,
        env={**os.environ, "GRAFANA_ADMIN_PASSWORD": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "GRAFANA_ADMIN_PASSWORD" in done.stderr
