"""An app that makes the calls that it is told to, and notes the spans that it made.

`python -m tests.end_to_end.calls_app openai/ok/invoke ... [--spans FILE] [--poison]`; with
`--poison` each call's span, and an HTTP span inside of its trace, carry what must not leave.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Status, StatusCode

import replymeter
from replymeter.demo.cases import load_case
from replymeter.demo.models import chat_model
from replymeter.demo.server import WireServer
from tests.test_exactness import call

CANARY = "canary-7f3a"
HTTP_SPAN = {
    "http.request.method": "POST",
    "http.response.status_code": 503,
    "url.full": f"https://someone:{CANARY}@example.com/v1/chat?key={CANARY}#{CANARY}",
    "url.path": "/v1/chat",
    "server.address": "example.com",
    "server.port": 443,
    "error.type": "503",
    "network.protocol.version": "1.1",
}


class Notes(SpanProcessor):
    """Notes each span's trace, name and attributes by its id."""

    def __init__(self) -> None:
        self.spans: dict[str, Any] = {}

    def on_end(self, span: ReadableSpan) -> None:
        """Note one."""
        context = span.context
        assert context
        self.spans[f"{context.span_id:016x}"] = {
            "trace": f"{context.trace_id:032x}",
            "name": span.name,
            "attributes": dict(span.attributes or {}),
        }


class Poison(SpanProcessor):
    """Puts what must not leave into every span."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """Into one."""
        secrets = {"gen_ai.input.messages": CANARY, "some.header": CANARY, "prompt": CANARY}
        span.set_attributes(secrets)
        span.add_event("exception", {"exception.message": CANARY, "exception.type": "ValueError"})


def http_span() -> None:
    """A failed call as an HTTP client's instrumentation records it."""
    tracer = trace.get_tracer("http", attributes={"scope.secret": CANARY})
    with tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT) as span:
        span.set_attributes(HTTP_SPAN)  # type: ignore[arg-type]
        span.set_status(Status(StatusCode.ERROR, f"refused: {CANARY}"))


def main() -> None:
    """Make the calls."""
    arguments = sys.argv[1:]
    started = replymeter.start()
    notes = Notes()
    assert started.tracer_provider
    started.tracer_provider.add_span_processor(notes)
    if "--poison" in arguments:
        started.tracer_provider.add_span_processor(Poison())
    with WireServer() as wire:
        for told in arguments:
            if told.count("/") == 2 and not told.startswith("/"):
                flavour, name, mode = told.split("/")
                model = chat_model(flavour, wire.url(flavour, name))
                call(
                    replymeter.instrument(model),
                    mode,
                    **load_case(flavour, name).get("request", {}),
                )
        if "--poison" in arguments:
            http_span()
    if "--spans" in arguments:
        Path(arguments[arguments.index("--spans") + 1]).write_text(json.dumps(notes.spans))
    started.shutdown()


if __name__ == "__main__":
    main()
