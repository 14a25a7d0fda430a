"""`replymeter check`: each verdict against a real server on loopback that behaves so."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_openai import ChatOpenAI
from opentelemetry import metrics, trace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr

from replymeter import conventions as names
from replymeter import otlp
from replymeter.check import verdicts
from replymeter.check.models import findings
from replymeter.check.run import _sent, run
from tests import otlp_servers
from tests.end_to_end import certificates
from tests.end_to_end.parts import free_ports
from tests.otlp_servers import GrpcReply, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.check.diagnosis import Finding
    from replymeter.check.verdicts import Verdict

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
KEY = SecretStr("k")
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

Set = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def bare(monkeypatch: Set) -> None:
    """No variable of OpenTelemetry and no proxy."""
    for name in os.environ:
        if name.startswith("OTEL_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Where a test leaves its servers to be stopped."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of 127.0.0.1, good for a day."""
    folder = tmp_path_factory.mktemp("tls")
    certificates.write(folder)
    return folder


def sent(monkeypatch: Set, signal: str = otlp.TRACES, **variables: str) -> Finding:
    """What is found in the end of one signal, with these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    *_, last = _sent(signal)
    assert last.says()
    assert bool(last.remedy()) == (last.verdict.level != verdicts.OK)
    return last


def url(port: int, scheme: str = "http", host: str = "127.0.0.1") -> dict[str, str]:
    """The variable that sends there."""
    return {ENDPOINT: f"{scheme}://{host}:{port}"}


def test_http_takes_a_span_and_a_metric(stack: ExitStack, monkeypatch: Set) -> None:
    """Both arrive, with the application's resource and headers; the metric counts nothing."""
    reply = Reply()
    port = stack.enter_context(otlp_servers.http(reply))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "checked")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
    for signal in otlp.SIGNALS:
        assert sent(monkeypatch, signal, **url(port)).verdict is verdicts.SENT

    (path, headers, span), (metric_path, _, metric) = reply.asked
    (resource,) = ExportTraceServiceRequest.FromString(span).resource_spans
    assert (path, headers["authorization"]) == ("/v1/traces", "Bearer abc")
    assert [one.name for one in resource.scope_spans[0].spans] == ["replymeter check"]
    said = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert said["service.name"] == "checked"
    (measured,) = ExportMetricsServiceRequest.FromString(metric).resource_metrics
    (counter,) = measured.scope_metrics[0].metrics
    assert (metric_path, counter.name) == ("/v1/metrics", names.INTERNAL_ERRORS.name)
    assert [point.as_int for point in counter.sum.data_points] == [0]


def test_grpc_takes_a_span_and_a_metric(stack: ExitStack, monkeypatch: Set) -> None:
    """The same by gRPC."""
    port = stack.enter_context(otlp_servers.grpc_server(GrpcReply()))
    for signal in otlp.SIGNALS:
        assert sent(monkeypatch, signal, **GRPC, **url(port)).verdict is verdicts.SENT


@pytest.mark.parametrize("protocol", [{}, GRPC], ids=["http", "grpc"])
@pytest.mark.parametrize("mutual", ["", "mutual"], ids=["TLS", "mTLS"])
def test_tls_with_the_right_certificates(
    protocol: dict[str, str], mutual: str, stack: ExitStack, monkeypatch: Set, tls: Path
) -> None:
    """The variables' certificates are used."""
    port = stack.enter_context(served(protocol, tls, mutual=bool(mutual)))
    own = {"CERTIFICATE": "ca", "CLIENT_CERTIFICATE": "cert", "CLIENT_KEY": "key"}
    files = {f"OTEL_EXPORTER_OTLP_{key}": str(tls / f"{file}.pem") for key, file in own.items()}

    found = sent(monkeypatch, **protocol, **files, **url(port, "https"))

    assert found.verdict is verdicts.SENT


def served(protocol: dict[str, str], tls: Path | None, *, mutual: bool = False) -> Any:
    """A receiver of this protocol that answers well."""
    if protocol:
        return otlp_servers.grpc_server(GrpcReply(), tls, mutual=mutual)
    return otlp_servers.http(Reply(), tls, mutual=mutual)


PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=1, error_message="too old")
).SerializeToString()
MESSAGE = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(error_message="soon too old")
).SerializeToString()
HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("reply", "verdict", "words"),
    [
        (Reply(302, headers={"Location": "https://x/y"}), verdicts.REDIRECT, "https://x/y"),
        (Reply(401), verdicts.AUTH_REFUSED, "401 Unauthorized"),
        (Reply(403), verdicts.AUTH_REFUSED, "403 Forbidden"),
        (Reply(429), verdicts.BUSY, "429"),
        (Reply(503, b"data refused"), verdicts.BUSY, "data refused"),
        (Reply(500, b"oh"), verdicts.REFUSED, "500 Internal Server Error oh"),
        (Reply(405), verdicts.WRONG_PATH, "405"),
        (Reply(415), verdicts.NOT_OTLP, "answers"),
        (Reply(200, b"<html>hello", HTML), verdicts.NOT_OTLP, "<html>hello"),
        (Reply(200, b"", HTML), verdicts.NOT_OTLP, "answers"),
        (Reply(200, PARTIAL), verdicts.PARTIAL_SUCCESS, "rejected 1 span: too old"),
        (Reply(200, MESSAGE), verdicts.PARTIAL_WARNING, "soon too old"),
    ],
)
def test_what_http_answers(
    reply: Reply, verdict: Verdict, words: str, stack: ExitStack, monkeypatch: Set
) -> None:
    """Each status has its verdict, with what the server said, after one request only."""
    port = stack.enter_context(otlp_servers.http(reply))
    found = sent(monkeypatch, **url(port))

    assert found.verdict is verdict
    assert words in found.says()
    assert len(reply.asked) == 1


def test_rejected_data_points_are_counted(stack: ExitStack, monkeypatch: Set) -> None:
    """The metrics' partial success is read as well."""
    part = ExportMetricsPartialSuccess(rejected_data_points=2)
    body = ExportMetricsServiceResponse(partial_success=part).SerializeToString()
    port = stack.enter_context(otlp_servers.http(Reply(200, body)))
    found = sent(monkeypatch, otlp.METRICS, **url(port))

    assert found.verdict is verdicts.PARTIAL_SUCCESS
    assert "rejected 2 data points: no message" in found.says()


@pytest.mark.parametrize(
    ("reply", "verdict", "words"),
    [
        (GrpcReply(grpc.StatusCode.UNAUTHENTICATED, message="who"), verdicts.AUTH_REFUSED, "who"),
        (GrpcReply(grpc.StatusCode.PERMISSION_DENIED), verdicts.AUTH_REFUSED, "PERMISSION"),
        (GrpcReply(grpc.StatusCode.RESOURCE_EXHAUSTED, message="full"), verdicts.BUSY, "full"),
        (GrpcReply(grpc.StatusCode.INVALID_ARGUMENT, message="bad"), verdicts.REFUSED, "bad"),
        (GrpcReply(rejected=3, message="no"), verdicts.PARTIAL_SUCCESS, "rejected 3 spans: no"),
        (GrpcReply(message="careful"), verdicts.PARTIAL_WARNING, "careful"),
    ],
)
def test_what_grpc_answers(
    reply: GrpcReply, verdict: Verdict, words: str, stack: ExitStack, monkeypatch: Set
) -> None:
    """Each code has its verdict, with what the server said."""
    port = stack.enter_context(otlp_servers.grpc_server(reply))
    found = sent(monkeypatch, **GRPC, **url(port))

    assert found.verdict is verdict
    assert words in found.says()


def test_a_server_without_metrics(stack: ExitStack, monkeypatch: Set) -> None:
    """A store of traces only says so."""
    port = stack.enter_context(otlp_servers.grpc_server(GrpcReply(takes_metrics=False)))
    found = sent(monkeypatch, otlp.METRICS, **GRPC, **url(port))

    assert found.verdict is verdicts.NO_SIGNAL
    assert "takes no metrics" in found.says()


@pytest.mark.parametrize(
    ("variable", "path", "verdict"),
    [
        (ENDPOINT, "/v1/traces", verdicts.DOUBLED_PATH),
        (TRACES_ENDPOINT, "", verdicts.WRONG_PATH),
        (ENDPOINT, "/otlp", verdicts.WRONG_PATH),
    ],
)
def test_a_path_that_is_wrong(
    variable: str, path: str, verdict: Verdict, stack: ExitStack, monkeypatch: Set
) -> None:
    """A base with the path in it, a signal's endpoint without it, and another base."""
    port = stack.enter_context(otlp_servers.http(Reply()))
    found = sent(monkeypatch, **{variable: f"http://127.0.0.1:{port}{path}"})

    assert found.verdict is verdict
    assert verdict is verdicts.DOUBLED_PATH or TRACES_ENDPOINT in found.remedy()


@pytest.mark.parametrize("protocol", [{}, GRPC], ids=["http", "grpc"])
class TestNoAnswer:
    """What keeps an answer from coming, for both protocols."""

    def test_nothing_listens(self, protocol: dict[str, str], monkeypatch: Set) -> None:
        """A port without a server."""
        (port,) = free_ports(1)
        found = sent(monkeypatch, **protocol, **url(port))

        assert found.verdict is verdicts.NOTHING_LISTENS
        assert f"127.0.0.1:{port}" in found.says()

    def test_silence(self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set) -> None:
        """A server that takes the connection and says nothing."""
        port = stack.enter_context(otlp_servers.mute(closes=False))
        found = sent(monkeypatch, **protocol, **url(port), OTEL_EXPORTER_OTLP_TIMEOUT="0.5")

        assert found.verdict is verdicts.NO_ANSWER

    def test_a_broken_connection(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set
    ) -> None:
        """A server that hangs up."""
        port = stack.enter_context(otlp_servers.mute(closes=True))
        found = sent(monkeypatch, **protocol, **url(port), OTEL_EXPORTER_OTLP_TIMEOUT="2")

        assert found.verdict is verdicts.BROKEN

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_the_other_protocols_port(
        self,
        protocol: dict[str, str],
        scheme: str,
        stack: ExitStack,
        monkeypatch: Set,
        tls: Path,
    ) -> None:
        """GRPC to the HTTP port and the other way round."""
        other = {} if protocol else GRPC
        port = stack.enter_context(served(other, tls if scheme == "https" else None))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tls / "ca.pem"))
        found = sent(monkeypatch, **protocol, **url(port, scheme))

        assert found.verdict is (verdicts.GRPC_TO_HTTP if protocol else verdicts.HTTP_TO_GRPC)

    def test_plain_text_to_tls(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set, tls: Path
    ) -> None:
        """http:// where https:// is spoken."""
        port = stack.enter_context(served(protocol, tls))

        assert sent(monkeypatch, **protocol, **url(port)).verdict is verdicts.PLAIN_TO_TLS

    def test_tls_to_plain_text(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set
    ) -> None:
        """https:// where http:// is spoken."""
        port = stack.enter_context(served(protocol, None))
        found = sent(monkeypatch, **protocol, **url(port, "https"))

        assert found.verdict is verdicts.TLS_TO_PLAIN

    def test_an_unknown_authority(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set, tls: Path
    ) -> None:
        """A certificate that nobody here trusts."""
        port = stack.enter_context(served(protocol, tls))
        found = sent(monkeypatch, **protocol, **url(port, "https"))

        assert found.verdict is verdicts.UNKNOWN_CA

    def test_a_certificate_of_another_name(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set, tls: Path
    ) -> None:
        """It is 127.0.0.1's, and localhost was asked."""
        port = stack.enter_context(served(protocol, tls))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tls / "ca.pem"))
        found = sent(monkeypatch, **protocol, **url(port, "https", "localhost"))

        assert found.verdict is verdicts.WRONG_NAME

    def test_an_expired_certificate(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set, tmp_path: Path
    ) -> None:
        """It was good until yesterday."""
        certificates.write(tmp_path, days=-1)
        port = stack.enter_context(served(protocol, tmp_path))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "ca.pem"))
        found = sent(monkeypatch, **protocol, **url(port, "https"))

        assert found.verdict is verdicts.CERTIFICATE

    def test_no_client_certificate(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set, tls: Path
    ) -> None:
        """A server that asks for one."""
        port = stack.enter_context(served(protocol, tls, mutual=True))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tls / "ca.pem"))
        found = sent(monkeypatch, **protocol, **url(port, "https"))

        assert found.verdict is verdicts.CLIENT_CERTIFICATE

    def test_a_proxy_that_swallows_loopback(
        self, protocol: dict[str, str], stack: ExitStack, monkeypatch: Set
    ) -> None:
        """A proxy without NO_PROXY is asked for 127.0.0.1; with it all is well."""
        port = stack.enter_context(served(protocol, None))
        (nobody,) = free_ports(1)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{nobody}")

        assert sent(monkeypatch, **protocol, **url(port)).verdict is verdicts.PROXY
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert sent(monkeypatch, **protocol, **url(port)).verdict is verdicts.SENT


def test_a_bundle_that_wins_over_the_setting(
    stack: ExitStack, monkeypatch: Set, tls: Path, tmp_path: Path
) -> None:
    """`REQUESTS_CA_BUNDLE` makes the HTTP exporter forget its own certificate."""
    certificates.write(tmp_path)
    port = stack.enter_context(otlp_servers.http(Reply(), tls))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tls / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))

    assert sent(monkeypatch, **url(port, "https")).verdict is verdicts.OTHER_BUNDLE


def test_a_name_that_does_not_resolve(monkeypatch: Set) -> None:
    """The resolver says no; here it is never asked, so that nothing leaves the machine."""

    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = sent(monkeypatch, **url(4318, host="no-such-host.invalid"))

    assert found.verdict is verdicts.NO_SUCH_HOST
    assert "no-such-host.invalid" in found.says()


@pytest.mark.parametrize(
    ("insecure", "verdict"), [("", verdicts.TLS_TO_PLAIN), ("true", verdicts.SENT)]
)
def test_a_grpc_endpoint_without_a_scheme(
    insecure: str, verdict: Verdict, stack: ExitStack, monkeypatch: Set
) -> None:
    """It means TLS, unless `OTEL_EXPORTER_OTLP_INSECURE` says otherwise."""
    port = stack.enter_context(otlp_servers.grpc_server(GrpcReply()))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", insecure)
    found = sent(monkeypatch, **GRPC, **{ENDPOINT: f"127.0.0.1:{port}"})

    assert found.verdict is verdict


def test_an_endpoint_that_is_no_url(monkeypatch: Set) -> None:
    """What gRPC would take, HTTP cannot."""
    assert sent(monkeypatch, **{ENDPOINT: "collector:4318"}).verdict is verdicts.NO_SCHEME


@pytest.mark.parametrize(
    ("signal", "variable", "value", "verdict"),
    [
        (otlp.TRACES, "OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon", verdicts.BAD_SETTING),
        (otlp.TRACES, TRACES_ENDPOINT, "http://[::1", verdicts.BAD_SETTING),
        (otlp.METRICS, "OTEL_METRICS_EXPORTER", "none", verdicts.SWITCHED_OFF),
        (
            otlp.METRICS,
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "delta",
            verdicts.DELTA,
        ),
        (otlp.TRACES, "OTEL_EXPORTER_OTLP_TIMEOUT", "10000", verdicts.LONG_TIMEOUT),
    ],
)
def test_settings(
    signal: str, variable: str, value: str, verdict: Verdict, stack: ExitStack, monkeypatch: Set
) -> None:
    """What the variables alone tell."""
    port = stack.enter_context(otlp_servers.http(Reply()))
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{port}")
    monkeypatch.setenv(variable, value)
    first, *_ = _sent(signal)

    assert first.verdict is verdict
    assert variable in first.says() or verdict is verdicts.BAD_SETTING


@pytest.fixture
def module(monkeypatch: Set) -> Callable[..., str]:
    """Makes a module with these names in it, and gives its name."""

    def make(**contents: Any) -> str:
        made = ModuleType("checked_app")
        vars(made).update(contents)
        monkeypatch.setitem(sys.modules, "checked_app", made)
        return "checked_app"

    return make


def levels(given: str) -> list[Verdict]:
    """The verdicts on the models that *given* names."""
    found = list(findings(given))
    assert all(one.says() for one in found)
    return [one.verdict for one in found]


def test_an_instrumented_model(module: Callable[..., str], instrument: Any) -> None:
    """It is told which provider is found and where it is."""
    name = module(llm=instrument(ChatOpenAI(model="m", api_key=KEY)).bind(stop=["x"]))
    first, *_ = findings(f"{name}:llm")

    assert first.verdict is verdicts.INSTRUMENTED
    assert first.says() == ("ChatOpenAI is instrumented; provider openai, host api.openai.com:443")


def test_a_model_instrumented_by_its_class(module: Callable[..., str], instrument: Any) -> None:
    """The instance carries no mark before its first call; its class tells."""
    instrument(FakeListChatModel)

    assert levels(f"{module(llm=FakeListChatModel(responses=['x']))}:llm")[0] is (
        verdicts.INSTRUMENTED
    )


def test_a_model_that_is_not_instrumented(module: Callable[..., str]) -> None:
    """It says so, in a chain too."""
    name = module(chain=[FakeListChatModel(responses=["x"])])

    assert levels(f"{name}:chain")[0] is verdicts.NOT_INSTRUMENTED


def test_streams_without_usage(module: Callable[..., str], instrument: Any) -> None:
    """A base URL without `stream_usage`: what is lost, and what to write."""
    model = ChatOpenAI(model="m", api_key=KEY, base_url="http://127.0.0.1:1/v1")
    _, second, *_ = findings(f"{module(llm=instrument(model))}:llm")

    assert second.verdict is verdicts.STREAMS_WITHOUT_USAGE
    assert "stream_usage=True" in second.says()


@pytest.mark.parametrize("given", ["no_such_module:llm", "checked_app:absent", "checked_app"])
def test_what_cannot_be_imported(given: str, module: Callable[..., str]) -> None:
    """A module, a name, or the colon is missing."""
    module()

    assert levels(given) == [verdicts.NO_MODULE]


def test_what_is_no_model(module: Callable[..., str]) -> None:
    """Something else has that name."""
    assert levels(f"{module(llm=3)}:llm")[0] is verdicts.NO_MODEL


def test_whether_an_sdk_is_set_up(module: Callable[..., str], monkeypatch: Set) -> None:
    """None, and then both providers."""
    given = f"{module(llm=3)}:llm"
    assert levels(given)[-1] is verdicts.NO_SDK
    monkeypatch.setattr(
        trace, "get_tracer_provider", lambda: TracerProvider(shutdown_on_exit=False)
    )
    monkeypatch.setattr(
        metrics, "get_meter_provider", lambda: MeterProvider(shutdown_on_exit=False)
    )

    (*_, last) = findings(given)
    assert last.verdict is verdicts.SDK_THERE
    assert "TracerProvider and MeterProvider" in last.says()


def test_the_exit_code_and_the_lines(
    stack: ExitStack, monkeypatch: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when all is well or only warned of; 1 with a problem, whose remedy follows it."""
    port = stack.enter_context(otlp_servers.http(Reply()))
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{port}")
    assert run(None) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in out[:2]] == [["ok", "traces"], ["ok", "metrics"]]
    assert out[-1] == "0 problems, 0 warnings."

    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    assert run(None) == 0
    assert capsys.readouterr().out.endswith("0 problems, 1 warning.\n")

    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert run(None) == 1
    problem, remedy, *_ = capsys.readouterr().out.splitlines()
    assert problem.split(maxsplit=2) == ["problem", "settings", verdicts.DISABLED.says]
    assert remedy.strip() == f"-> {verdicts.DISABLED.remedy}"


def test_the_command(tmp_path: Path, stack: ExitStack) -> None:
    """`replymeter check app:llm`, as a user runs it in the application's directory."""
    app = """
from langchain_core.language_models import FakeListChatModel
import replymeter
replymeter.start()
llm = replymeter.instrument(FakeListChatModel(responses=["hi"]))
"""
    (tmp_path / "app.py").write_text(app)
    port = stack.enter_context(otlp_servers.http(Reply()))
    done = subprocess.run(
        [sys.executable, "-m", "replymeter.cli", "check", "app:llm"],
        env={**os.environ, **url(port), "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "FakeListChatModel is instrumented" in done.stdout
    assert "importing app set up TracerProvider and MeterProvider" in done.stdout
    assert done.stderr == ""


def test_every_verdict_is_tested() -> None:
    """Each one stands in this file, outside of this test."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [name for name in verdicts.VERDICTS if f"verdicts.{name}" not in text] == []
