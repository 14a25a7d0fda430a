"""What `replymeter check` can find, in plain words, and what to do about it. Data only."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Verdict:
    """One thing that is found; `says` and `remedy` have `{places}` for what was seen."""

    level: str
    says: str
    remedy: str = ""


SENT = Verdict(OK, "{url} took it ({protocol})")
INSTRUMENTED = Verdict(OK, "{model} is instrumented; provider {provider}, host {host}")
SDK_THERE = Verdict(OK, "importing {module} set up {provider}")

DISABLED = Verdict(
    PROBLEM,
    "OTEL_SDK_DISABLED=true switches all telemetry off",
    "Unset OTEL_SDK_DISABLED.",
)
SWITCHED_OFF = Verdict(
    WARNING,
    "{variable}=none: nothing is sent",
    "Unset {variable}, unless that is what you want.",
)
BAD_SETTING = Verdict(PROBLEM, "{text}", "Correct the variable; the SDK ignores it or fails.")
DELTA = Verdict(
    WARNING,
    "{variable}={value}: counters go as differences, which Prometheus drops without a word",
    "Unset it (cumulative is the default), or put the deltatocumulative processor before "
    "Prometheus.",
)
LONG_TIMEOUT = Verdict(
    WARNING,
    "{variable}={value} is {value} seconds: the Python SDK reads seconds, not milliseconds",
    "Give seconds: 10, or 60 to get over a collector's restart.",
)
NO_SCHEME = Verdict(
    PROBLEM,
    "{url} has no http:// or https:// in front",
    "Set the endpoint as a URL: http://localhost:4318.",
)

NO_SUCH_HOST = Verdict(
    PROBLEM,
    "the name {host} does not resolve",
    "Correct the host in OTEL_EXPORTER_OTLP_ENDPOINT; inside a container, localhost is the "
    "container, and a service is reached by its name.",
)
NOTHING_LISTENS = Verdict(
    PROBLEM,
    "nothing listens on {host}:{port}",
    "Start a collector there, or set OTEL_EXPORTER_OTLP_ENDPOINT to where it is "
    "(http/protobuf: port 4318, grpc: port 4317). A collector listens on its own localhost unless "
    "its `endpoint` says otherwise.",
)
NO_ANSWER = Verdict(
    PROBLEM,
    "{host}:{port} did not answer within {seconds:.0f} s",
    "Look for a firewall, a network policy or a wrong address; or the collector is stuck: read "
    "its log.",
)
BROKEN = Verdict(
    PROBLEM,
    "{host}:{port} ended the connection without an answer: {text}",
    "Read the log of what listens there; a proxy or a load balancer in between may have no "
    "backend.",
)
HTTP_TO_GRPC = Verdict(
    PROBLEM,
    "{host}:{port} speaks gRPC, and http/protobuf was sent",
    "Use the collector's HTTP port (4318), or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc.",
)
GRPC_TO_HTTP = Verdict(
    PROBLEM,
    "{host}:{port} speaks HTTP/1.1, and gRPC was sent",
    "Use the collector's gRPC port (4317), or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.",
)
PLAIN_TO_TLS = Verdict(
    PROBLEM,
    "{host}:{port} wants TLS, and plain text was sent",
    "Write https:// in the endpoint (and unset OTEL_EXPORTER_OTLP_INSECURE).",
)
TLS_TO_PLAIN = Verdict(
    PROBLEM,
    "{host}:{port} does not speak TLS, and TLS was sent",
    "Write http:// in the endpoint, if the way there is trusted; gRPC takes an endpoint without a "
    "scheme as TLS.",
)
UNKNOWN_CA = Verdict(
    PROBLEM,
    "the certificate of {host}:{port} is signed by nobody who is trusted here: {text}",
    "Set OTEL_EXPORTER_OTLP_CERTIFICATE to the file of the CA that signed it.",
)
OTHER_BUNDLE = Verdict(
    PROBLEM,
    "{variable} is set, and the HTTP client takes it instead of OTEL_EXPORTER_OTLP_CERTIFICATE; "
    "it does not hold the CA of {host}:{port}",
    "Add the CA to that file, unset {variable} for this program, or use grpc.",
)
WRONG_NAME = Verdict(
    PROBLEM,
    "the certificate of {host}:{port} is for another name: {text}",
    "Use a name that stands in the certificate, or give the collector one for {host}.",
)
CERTIFICATE = Verdict(
    PROBLEM,
    "the certificate of {host}:{port} is not valid: {text}",
    "Renew it, or look at this machine's clock.",
)
CLIENT_CERTIFICATE = Verdict(
    PROBLEM,
    "{host}:{port} wants a client certificate (mTLS), and takes none or not this one: {text}",
    "Set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY (for gRPC "
    "OTEL_EXPORTER_OTLP_CERTIFICATE too), signed by the collector's `client_ca_file`.",
)
PROXY = Verdict(
    PROBLEM,
    "{host} is reached through the proxy {proxy}, which did not get it there: {text}",
    "Add {host} to NO_PROXY (and no_proxy): localhost,127.0.0.1,...",
)

DOUBLED_PATH = Verdict(
    PROBLEM,
    "{url}: {status}, the path is there twice",
    "OTEL_EXPORTER_OTLP_ENDPOINT is the base: leave /v1/... out of it, the SDK adds it.",
)
WRONG_PATH = Verdict(
    PROBLEM,
    "{url}: {status}, no OTLP receiver has this path",
    "A collector's path is {path}. OTEL_EXPORTER_OTLP_{SIGNAL}_ENDPOINT is used as it is, so it "
    "must end in it; OTEL_EXPORTER_OTLP_ENDPOINT is the base. A store that takes only the other "
    "signal (Jaeger and Tempo take no metrics) needs a collector before it.",
)
NOT_OTLP = Verdict(
    PROBLEM,
    "{url} answers, but not as an OTLP receiver: {text}",
    "Correct the endpoint: a web page or another service is there.",
)
NO_SIGNAL = Verdict(
    PROBLEM,
    "{url} takes no {signal}: {text}",
    "Add a {signal} pipeline to the collector, or send this signal elsewhere with "
    "OTEL_EXPORTER_OTLP_{SIGNAL}_ENDPOINT.",
)
REDIRECT = Verdict(
    PROBLEM,
    "{url}: {status}, redirected to {location}; the SDK does not follow, and calls it success",
    "Set the endpoint to where it redirects.",
)
AUTH_REFUSED = Verdict(
    PROBLEM,
    "{url} refused who is asking: {status}",
    "Set OTEL_EXPORTER_OTLP_HEADERS to what it wants: authorization=Bearer%20<token> (a space is "
    "%20).",
)
PARTIAL_SUCCESS = Verdict(
    PROBLEM,
    "{url} rejected {rejected}: {text}; the SDK calls it success, and loses them",
    "Read the message; the collector's or the store's log says more.",
)
PARTIAL_WARNING = Verdict(
    WARNING, "{url} took it, and says: {text}", "Read the message; nothing is lost yet."
)
BUSY = Verdict(
    PROBLEM,
    "{url} takes nothing now: {status} {text}",
    "The collector is out of memory or its queue is full: look at its alerts, and at the store "
    "behind it. The SDK tries again for a while, then loses it.",
)
REFUSED = Verdict(PROBLEM, "{url}: {status} {text}", "The collector's log says why.")

NO_MODULE = Verdict(
    PROBLEM,
    "{given} cannot be imported: {text}",
    "Give module:name as Python would import it from this directory, with the environment that "
    "the application has.",
)
NO_MODEL = Verdict(
    PROBLEM,
    "{given} is a {type}, which is no chat model and holds none that can be found",
    "Name the model itself, or a runnable or list that holds it.",
)
NOT_INSTRUMENTED = Verdict(
    PROBLEM,
    "{model} is not instrumented; provider {provider}, host {host}",
    "Call replymeter.instrument(...) on it where it is made.",
)
STREAMS_WITHOUT_USAGE = Verdict(
    WARNING,
    "streamed calls report no usage: {text}",
    "Without it the tokens of streamed calls are in no number: they show as missing.",
)
NO_SDK = Verdict(
    WARNING,
    "importing {module} set up no OpenTelemetry SDK",
    "Call replymeter.start() at start-up, unless your program sets up an SDK later (or runs under "
    "opentelemetry-instrument).",
)

VERDICTS = {name: value for name, value in vars().copy().items() if isinstance(value, Verdict)}
"""Every verdict by its name, in order."""
