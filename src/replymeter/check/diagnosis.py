"""From what a server answered to a verdict."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from replymeter import otlp
from replymeter.check import probe, verdicts
from replymeter.check.sending import RESPONSES

if TYPE_CHECKING:
    from replymeter.check.sending import Answer, Target
    from replymeter.check.verdicts import Verdict

_LONGEST = 200  # characters of a server's text

_BY_STATUS: dict[int | str | None, Verdict] = {
    401: verdicts.AUTH_REFUSED,
    403: verdicts.AUTH_REFUSED,
    404: verdicts.WRONG_PATH,
    405: verdicts.WRONG_PATH,
    415: verdicts.NOT_OTLP,
    429: verdicts.BUSY,
    503: verdicts.BUSY,
    "UNAUTHENTICATED": verdicts.AUTH_REFUSED,
    "PERMISSION_DENIED": verdicts.AUTH_REFUSED,
    "UNIMPLEMENTED": verdicts.NO_SIGNAL,
    "RESOURCE_EXHAUSTED": verdicts.BUSY,
}
_OTHER_PORT = {otlp.GRPC: verdicts.GRPC_TO_HTTP, otlp.HTTP: verdicts.HTTP_TO_GRPC}
# OpenSSL's words, in the order in which they decide; the rest is about the client's certificate.
_TLS_WORDS = (
    (("mismatch", "not valid for"), verdicts.WRONG_NAME),
    (("expired", "not yet valid"), verdicts.CERTIFICATE),
    (("issuer", "self-signed", "self signed", "verify"), verdicts.UNKNOWN_CA),
)
_NO_ANSWER_AT_ALL = {"UNAVAILABLE", "UNKNOWN", "INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED"}


@dataclass(frozen=True)
class Finding:
    """A verdict and what fills its places."""

    verdict: Verdict
    values: dict[str, Any] = field(default_factory=dict)

    def says(self) -> str:
        """What is found."""
        return self.verdict.says.format_map(self.values)

    def remedy(self) -> str:
        """What to do."""
        return self.verdict.remedy.format_map(self.values)


def diagnose(target: Target, answer: Answer, seconds: float) -> Finding:
    """The verdict on *answer*, with a look at the port where there was none."""
    text = _text(answer)
    values: dict[str, Any] = {
        "url": target.url,
        "host": target.host,
        "port": target.port,
        "protocol": target.protocol,
        "signal": target.signal.lower(),
        "SIGNAL": target.signal,
        "seconds": seconds,
        "status": f"{answer.status} {answer.reason}".strip()[:_LONGEST],
        "location": answer.location,
        "path": f"/v1/{target.signal.lower()}",
        "text": text,
        "rejected": 0,
        "proxy": proxy_of(target),
    }
    if answer.status in (200, "OK"):
        return _taken(target, answer, values)
    unanswered = answer.status is None or answer.status in _NO_ANSWER_AT_ALL
    if values["proxy"] and (unanswered or _near(target)):
        return Finding(verdicts.PROXY, values)
    if unanswered:
        return _unanswered(target, values, seconds)
    return Finding(_by_status(target, answer, text), values)


def _taken(target: Target, answer: Answer, values: dict[str, Any]) -> Finding:
    try:
        message = answer.message or RESPONSES[target.signal].FromString(answer.body)
    except Exception:  # noqa: BLE001  # protobuf's DecodeError, whichever implementation it has
        return Finding(verdicts.NOT_OTLP, values)
    if "html" in answer.content_type:
        return Finding(verdicts.NOT_OTLP, values)
    part = message.partial_success
    traces = target.signal == otlp.TRACES
    rejected = part.rejected_spans if traces else part.rejected_data_points
    values |= {"text": part.error_message or "no message", "rejected": _count(rejected, traces)}
    if rejected:
        return Finding(verdicts.PARTIAL_SUCCESS, values)
    return Finding(verdicts.PARTIAL_WARNING if part.error_message else verdicts.SENT, values)


def _count(rejected: int, traces: bool) -> str:  # noqa: FBT001
    return f"{rejected} {'span' if traces else 'data point'}{'s' * (rejected != 1)}"


def _by_status(target: Target, answer: Answer, text: str) -> Verdict:
    if target.protocol == otlp.HTTP and str(answer.status).startswith("3"):
        return verdicts.REDIRECT
    if answer.status == 400 and "HTTPS server" in text:  # Go's words for it
        return verdicts.PLAIN_TO_TLS
    found = _BY_STATUS.get(answer.status, verdicts.REFUSED)
    if found is verdicts.WRONG_PATH and target.url.count("/v1/") > 1:
        return verdicts.DOUBLED_PATH
    return found


def _unanswered(target: Target, values: dict[str, Any], seconds: float) -> Finding:
    if not target.url.startswith(("http://", "https://")):
        return Finding(verdicts.NO_SCHEME, values)
    heard = probe.speaks(target, min(seconds, 3.0))
    found = {
        probe.NO_HOST: verdicts.NO_SUCH_HOST,
        probe.NOBODY: verdicts.NOTHING_LISTENS,
        probe.SILENT: verdicts.NO_ANSWER,
    }.get(heard)
    if found:
        return Finding(found, values)
    if heard == probe.TLS:
        return _behind_tls(target, values, seconds)
    if target.secure:
        return Finding(verdicts.TLS_TO_PLAIN, values)
    wanted = probe.HTTP2 if target.protocol == otlp.GRPC else probe.HTTP1
    if heard in (probe.HTTP1, probe.HTTP2) and heard != wanted:
        return Finding(_OTHER_PORT[target.protocol], values)
    timed_out = "DEADLINE" in values["status"] or "timed out" in values["text"]
    return Finding(verdicts.NO_ANSWER if timed_out else verdicts.BROKEN, values)


def _behind_tls(target: Target, values: dict[str, Any], seconds: float) -> Finding:
    if not target.secure:
        return Finding(verdicts.PLAIN_TO_TLS, values)
    error = probe.tls_error(target, min(seconds, 3.0))
    bundle = _other_bundle(target)
    if bundle and "CERTIFICATE_VERIFY_FAILED" in values["text"]:
        return Finding(verdicts.OTHER_BUNDLE, {**values, "variable": bundle})
    if error is None:
        return Finding(verdicts.BROKEN, values)
    low = error.lower().replace("_", " ")
    if "application protocol" in low:
        return Finding(_OTHER_PORT[target.protocol], values)
    found = next(
        (verdict for words, verdict in _TLS_WORDS if any(word in low for word in words)),
        verdicts.CLIENT_CERTIFICATE,
    )
    return Finding(found, {**values, "text": error})


def _other_bundle(target: Target) -> str | None:
    """The variable by which `requests` verifies instead of by the exporter's own setting."""
    if target.protocol != otlp.HTTP or target.ca is None:
        return None
    known = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return next((name for name in known if os.environ.get(name)), None)


def proxy_of(target: Target) -> str | None:
    """The proxy of the environment that *target* is reached through, None when it is direct."""
    if target.protocol == otlp.GRPC:
        return _grpc_proxy(target.host)
    from requests.utils import get_environ_proxies, select_proxy

    return select_proxy(target.url, get_environ_proxies(target.url, None))


def _grpc_proxy(host: str) -> str | None:
    # https://grpc.github.io/grpc/core/md_doc_environment_variables.html
    proxy, direct = (
        next((os.environ[name] for name in names if os.environ.get(name)), "")
        for names in (("grpc_proxy", "https_proxy", "http_proxy"), ("no_grpc_proxy", "no_proxy"))
    )
    ends = [end.strip() for end in direct.split(",") if end.strip()]
    return None if any(host.endswith(end) for end in ends) else proxy or None


def _near(target: Target) -> bool:
    try:
        return ip_address(target.host).is_loopback
    except ValueError:
        return target.host == "localhost"


def _text(answer: Answer) -> str:
    if answer.error is not None:
        return str(answer.error)[:_LONGEST]
    if answer.body:
        printable = "".join(filter(str.isprintable, answer.body.decode(errors="replace")))
        return printable[:_LONGEST]
    return "" if isinstance(answer.status, int) else answer.reason[:_LONGEST]
