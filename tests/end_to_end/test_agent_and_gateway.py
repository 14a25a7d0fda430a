"""agent.yaml and gateway.yaml, running, with TLS and tokens between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from replymeter import conventions as names
from tests.end_to_end import certificates
from tests.end_to_end.calls_app import CANARY, HTTP_SPAN
from tests.end_to_end.chain import TOKEN, run_agent, run_gateway
from tests.end_to_end.conftest import Pipeline, finish
from tests.end_to_end.parts import eventually, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Collector, Prometheus

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]

PLAIN = ("openai/ok/invoke", "openai/ok/stream", "openai/tool_calls/invoke", "mistralai/ok/invoke")
KEPT = (
    "openai/length/invoke",
    "openai/content_filter/stream",
    "openai/refusal/invoke",
    "openai/error_429/invoke",
    "anthropic/length/stream",
    "bedrock_converse/guardrail_prompt/invoke",
    "bedrock_converse/guardrail_response/stream",
    "vertexai/blocked_prompt/invoke",
    "vertexai/safety/stream",
)
CERTIFICATE = {"private_key": "key.pem", "certificate_chain": "cert.pem"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's parts write, with certificates in `tls`."""
    folder = tmp_path_factory.mktemp("agent")
    certificates.write(folder / "tls")
    return folder


@pytest.fixture(scope="module")
def gateway(folder: Path, database: Prometheus) -> Iterator[Collector]:
    """The gateway, running."""
    (port,) = free_ports(1)
    with run_gateway(folder / "gateway", folder / "tls", database, port) as running:
        yield running


@pytest.fixture(scope="module")
def agent(folder: Path, gateway: Collector, database: Prometheus) -> Iterator[Pipeline]:
    """The agent, running."""
    with run_agent(folder / "agent", folder / "tls", gateway.grpc) as running:
        yield Pipeline(running, database)


@pytest.fixture(scope="module")
def made(agent: Pipeline, gateway: Collector, folder: Path) -> dict[str, Any]:
    """The spans that two workers made, by id, when they have all been judged."""
    files = [folder / f"made-{number}.json" for number in range(2)]
    apps = [
        agent.start_app("calls_app", "chain", *calls, "--spans", str(file), "--poison")
        for file, calls in zip(files, (PLAIN, KEPT), strict=True)
    ]
    for app in apps:
        finish(app)
    spans: dict[str, Any] = {}
    for file in files:
        spans |= json.loads(file.read_text())
    failed_http = 2
    eventually(lambda: len(gateway.span_ids()) >= len(KEPT) + failed_http)
    return spans


def values(span: dict[str, Any]) -> dict[str, Any]:
    """A span's attributes as Python has them."""
    return {one["key"]: _value(one["value"]) for one in span.get("attributes", ())}


def _value(value: dict[str, Any]) -> Any:
    ((kind, said),) = value.items()
    if kind == "arrayValue":
        return [_value(one) for one in said.get("values", ())]
    return int(said) if kind == "intValue" else said


def test_the_agent_drops_what_is_not_on_its_list(
    agent: Pipeline, made: dict[str, Any], folder: Path
) -> None:
    """The canary is in spans, events, statuses, scopes and the resource; nothing of it goes on."""
    arrived = agent.collector.spans()
    assert {span["spanId"] for span in arrived} == set(made)
    for file in (folder / "agent" / "spans.jsonl", folder / "gateway" / "spans.jsonl"):
        assert file.stat().st_size
        assert CANARY not in file.read_text()
    for log in folder.glob("*/collector.log"):
        assert CANARY not in log.read_text()


def test_the_agent_keeps_everything_of_ours(agent: Pipeline, made: dict[str, Any]) -> None:
    """Each attribute that Replymeter put on a span arrives with its value."""
    ours = set(names.ATTRIBUTES)
    for span in agent.collector.spans():
        if made[span["spanId"]]["name"] == "POST":
            continue
        want = {
            key: value for key, value in made[span["spanId"]]["attributes"].items() if key in ours
        }
        assert values(span) == want


def test_an_http_span_keeps_its_shape(agent: Pipeline, made: dict[str, Any]) -> None:
    """The stable HTTP attributes stay; the URL loses user and query, the status its text."""
    https = [span for span in agent.collector.spans() if span["name"] == "POST"]

    assert len(https) == 2
    for span in https:
        assert values(span) == {**HTTP_SPAN, "url.full": "https://example.com/v1/chat"}
        assert span["status"] == {"code": 2}
        assert [event["name"] for event in span["events"]] == ["exception"]


def test_the_resource_keeps_who_sent_it(agent: Pipeline, made: dict[str, Any]) -> None:
    """Service, instance and environment live; a key of nobody's does not."""
    for span in agent.collector.spans():
        keys = {one["key"] for one in span["resource"]}
        assert {"service.name", "service.instance.id", "deployment.environment.name"} <= keys
        assert "some.secret" not in keys


def test_the_gateway_keeps_errors_truncations_and_blocks(
    gateway: Collector, made: dict[str, Any]
) -> None:
    """With 0 % of the rest, what is kept is exactly what an operator must see."""
    kept = set(gateway.span_ids())
    plain = {
        span
        for span, said in made.items()
        if set(said["attributes"].get(names.FINISH_REASONS, ())) & {"stop", "tool_calls"}
    }

    assert len(plain) == len(PLAIN)
    assert kept == set(made) - plain


def test_two_workers_through_the_agent_stay_two_series(
    agent: Pipeline, made: dict[str, Any]
) -> None:
    """Each worker's calls are a series of its own, and their sums are exact."""
    series = f'{names.DURATION.prometheus}_count{{job="chain"}}'
    eventually(lambda: agent.prometheus.total(series) == len(PLAIN + KEPT))
    by_instance = agent.prometheus.series(f"sum by (instance) ({series})")

    assert sorted(by_instance.values()) == sorted([len(PLAIN), len(KEPT)])


def test_span_metrics_count_before_sampling(agent: Pipeline, made: dict[str, Any]) -> None:
    """What was dropped is counted: the gateway's own count of spans is that of the library."""
    calls = "traces_span_metrics_calls_total"
    ours = f'{calls}{{gen_ai_provider_name!="", service_name="chain"}}'
    eventually(lambda: agent.prometheus.total(ours) == len(PLAIN + KEPT))

    assert agent.prometheus.total(ours) == len(PLAIN + KEPT)


def test_nothing_that_they_use_is_deprecated(
    agent: Pipeline, gateway: Collector, made: dict[str, Any]
) -> None:
    """Neither logged a warning of a name or a setting that goes away, nor an error."""
    for running in (agent.collector, gateway):
        log = running.log.read_text()
        assert "deprecated" not in log.lower()
        assert "\terror\t" not in log


@pytest.mark.parametrize(
    ("token", "certificate", "answer"),
    [
        (TOKEN, CERTIFICATE, grpc.StatusCode.OK),
        ("another", CERTIFICATE, grpc.StatusCode.UNAUTHENTICATED),
        (None, CERTIFICATE, grpc.StatusCode.UNAUTHENTICATED),
        (TOKEN, {}, grpc.StatusCode.UNAVAILABLE),
    ],
    ids=["both", "wrong token", "no token", "no certificate"],
)
def test_the_gateway_asks_for_token_and_certificate(
    token: str | None, certificate: dict[str, str], answer: Any, gateway: Collector, folder: Path
) -> None:
    """With both it takes spans; without one of them it does not."""
    ca, cert, key = (
        (folder / "tls" / f"{name}.pem").read_bytes() for name in ("ca", "cert", "key")
    )
    own = {"private_key": key, "certificate_chain": cert} if certificate else {}
    credentials = grpc.ssl_channel_credentials(ca, **own)
    options = [("grpc.enable_http_proxy", 0)]
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.secure_channel(f"127.0.0.1:{gateway.grpc}", credentials, options) as channel:
        call = TraceServiceStub(channel).Export.future(  # type: ignore[no-untyped-call]
            ExportTraceServiceRequest(), metadata=metadata, timeout=10
        )
        assert call.code() is answer


def test_what_the_agent_took_survives_its_death(
    folder: Path, database: Prometheus, tmp_path: Path
) -> None:
    """No gateway, the app is gone, the agent is killed -9: all is there when both are back."""
    (port,) = free_ports(1)
    file, tls = tmp_path / "made.json", folder / "tls"
    with run_agent(tmp_path / "agent", tls, port) as running:
        app = Pipeline(running, database)
        app.run_app("calls_app", "survives", *KEPT, "--spans", str(file), "--poison")
        running.process.kill()
        running.process.wait(10)
    made = set(json.loads(file.read_text()))
    queued = b"".join(queue.read_bytes() for queue in (tmp_path / "agent" / "queue").iterdir())
    assert b"survives" in queued
    assert CANARY.encode() not in queued
    with (
        run_gateway(tmp_path / "gateway", tls, database, port) as gateway,
        run_agent(tmp_path / "agent", tls, port),
    ):
        eventually(lambda: made <= set(gateway.span_ids()), 60)
        series = f'{names.DURATION.prometheus}_count{{job="survives"}}'
        eventually(lambda: database.total(series) == len(KEPT))

        assert gateway.span_ids() == dict.fromkeys(made, 1)
        assert database.total(series) == len(KEPT)
