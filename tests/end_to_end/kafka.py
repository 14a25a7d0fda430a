"""The real broker: one node of Kafka with TLS and SCRAM, which can be killed and started again."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.end_to_end import certificates
from tests.end_to_end.chain import TOKEN
from tests.end_to_end.parts import collector, free_ports, part, process

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.end_to_end.parts import Collector

USER, PASSWORD = "replymeter", "a-password-of-this-test"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
SERVER = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=APPS://127.0.0.1:{apps},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=APPS://127.0.0.1:{apps},INSIDE://127.0.0.1:{inside}
listener.security.protocol.map=APPS:SASL_SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=INSIDE
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.apps.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
log.dirs={folder}/data
num.partitions=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
"""


class Broker:
    """One node, its data and its certificates (in `tls`) in *folder*; started by `start`."""

    def __init__(self, folder: Path) -> None:
        self._java = ["java", "-Xmx384m", "-cp", f"{part('kafka')}/*"]
        self._config, self._log = folder / "server.properties", folder / "broker.log"
        self._running = ExitStack()
        self._process: Any = None
        self.tls = folder / "tls"
        certificates.write(self.tls)
        apps, inside, controller = free_ports(3)
        self._address = f"127.0.0.1:{apps}"
        pem = (self.tls / "key.pem").read_text() + (self.tls / "cert.pem").read_text()
        (folder / "broker.pem").write_text(pem)
        settings = SERVER.format(apps=apps, inside=inside, controller=controller, folder=folder)
        self._config.write_text(settings)
        credentials = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._config)]
        command = [*self._java, *tool, "--add-scram", credentials]
        subprocess.run(command, check=True, timeout=60, capture_output=True)

    @property
    def secrets(self) -> dict[str, str]:
        """What agents and gateways need to know alike."""
        return {
            "REPLYMETER_KAFKA_BROKERS": f"[{self._address}]",
            "REPLYMETER_KAFKA_USER": USER,
            "REPLYMETER_KAFKA_PASSWORD": PASSWORD,
            "REPLYMETER_TLS_DIR": str(self.tls),
        }

    def start(self) -> None:
        """Start it."""
        self._log.write_text("")

        def ready() -> bool:
            return "Kafka Server started" in self._log.read_text()

        command = [*self._java, "kafka.Kafka", str(self._config)]
        self._process = self._running.enter_context(process(command, self._log, ready))

    def kill(self) -> None:
        """With -9."""
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        """Stop it well."""
        self._running.close()


def run_kafka_gateway(
    mine: Path, secrets: dict[str, str], prometheus: str, *overrides: str, **more: str
) -> AbstractContextManager[Collector]:
    """gateway-kafka.yaml, which keeps every trace; *more* are variables of it, and win."""
    environment = {
        **secrets,
        "REPLYMETER_PROMETHEUS_URL": prometheus,
        "REPLYMETER_PROMETHEUS_TOKEN": TOKEN,
        "REPLYMETER_TRACE_STORE": "127.0.0.1:1",
        "REPLYMETER_SAMPLING_PERCENTAGE": "100",
        "REPLYMETER_DECISION_WAIT": "1s",
        "REPLYMETER_SPAN_METRICS_INTERVAL": "1s",
        **more,
    }
    return collector("gateway-kafka.yaml", mine, environment, *overrides)
