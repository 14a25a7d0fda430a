"""Write what is generated in collector-config/.

The lists of allowed attributes come from `replymeter.conventions`; the configurations for compose
and Kubernetes are those of the same name, and differ from them in nothing that is not said here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = Path(__file__).parents[1] / "collector-config"
START, END = "# --- generated: allowed_keys (tools/collector_config.py)", "# --- end"

# What says who sent it. Without service.instance.id two workers' series would be one that jumps.
RESOURCE = [
    "cloud.account.id",
    "cloud.availability_zone",
    "cloud.platform",
    "cloud.provider",
    "cloud.region",
    "container.id",
    "container.image.name",
    "container.image.tags",
    "container.name",
    "deployment.environment.name",
    "host.arch",
    "host.id",
    "host.name",
    "host.type",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.daemonset.name",
    "k8s.deployment.name",
    "k8s.job.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
    "os.type",
    "os.version",
    "process.pid",
    "process.runtime.name",
    "process.runtime.version",
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "telemetry.distro.name",
    "telemetry.distro.version",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
]

# Stable conventions of what stands around a model's call, without what carries content: no
# headers, no queries, no exception text. `url.full` is cut before its query.
AROUND = [
    "http.request.method",
    "http.request.method_original",
    "http.request.resend_count",
    "http.request.body.size",
    "http.response.status_code",
    "http.response.body.size",
    "http.route",
    "network.protocol.name",
    "network.protocol.version",
    "network.transport",
    "network.type",
    "network.peer.address",
    "network.peer.port",
    "url.full",
    "url.path",
    "url.scheme",
    "url.template",
    "user_agent.original",
    "db.collection.name",
    "db.namespace",
    "db.operation.name",
    "db.query.summary",
    "db.response.status_code",
    "db.system.name",
    "messaging.destination.name",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "rpc.method",
    "rpc.response.status_code",
    "rpc.system.name",
    "code.function.name",
    "code.line.number",
    "thread.id",
    "thread.name",
    "exception.escaped",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.tool.name",
    "gen_ai.tool.type",
    "gen_ai.workflow.name",
]

# What carries what people and models wrote, whoever publishes it: it leaves the app's machine
# only by a decision made in the configuration.
CONTENT = {
    *names.CONTENT,
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
}


def allowed_keys() -> list[str]:
    """Every attribute that may leave the app's machine, sorted."""
    return sorted({*RESOURCE, *AROUND, *names.ATTRIBUTES} - CONTENT)


def written(text: str) -> str:
    """*text*, a configuration, with its list made new."""
    head, start, rest = text.partition(START)
    if not start:
        return text
    indent = head.rpartition("\n")[2]
    keys = "".join(f"\n{indent}- {key}" for key in allowed_keys())
    return f"{head}{start}{keys}\n{indent}{END}{rest.partition(END)[2]}"


HEAD = "# Generated from collector-config/{} by tools/collector_config.py (`make docs`).\n"
IN_COMPOSE = {
    "127.0.0.1:8888": "collector:8888",
    "[prometheus/*.rules.yaml, ../dashboards": "[../prometheus/*.rules.yaml, ../../dashboards",
    "\notlp:\n": (
        "\nalerting:\n  alertmanagers:\n    - static_configs:\n"
        '        - targets: ["alertmanager:9093"]\n\notlp:\n'
    ),
}


def in_compose(text: str) -> str:
    """*text*, prometheus.yaml, where the parts have their names in compose.yaml."""
    rest = text.partition("\nglobal:")[2]
    for here, there in IN_COMPOSE.items():
        assert here in rest, here  # noqa: S101  # else the copy would be wrong without a word
        rest = rest.replace(here, there)
    return f"global:{rest}"


def copies() -> dict[str, str]:
    """The files that are made from others, by their paths in collector-config/."""
    made: dict[str, tuple[str, Callable[[str], str]]] = {
        "compose/prometheus.yaml": ("prometheus.yaml", in_compose),
        "kubernetes/agent/config.yaml": ("agent.yaml", str),
        "kubernetes/gateway/config.yaml": ("gateway.yaml", str),
    }
    return {
        path: HEAD.format(source) + change((CONFIG / source).read_text(encoding="utf-8"))
        for path, (source, change) in made.items()
    }


def main() -> None:
    """Write the lists, then the copies."""
    for path in sorted(CONFIG.glob("*.yaml")):
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
    for name, text in copies().items():
        (CONFIG / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
