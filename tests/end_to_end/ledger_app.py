"""An app that makes every call that the wire has, and notes what must come of it.

`python -m tests.end_to_end.ledger_app FILE` writes to FILE `series`, the value that each series
in Prometheus must have, `cost`, the exact dollars of each, and `spans`, the id of every span that
was made.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor

import replymeter
from replymeter.demo.cases import expected, load_case
from replymeter.demo.grpc_server import GrpcServer
from replymeter.demo.models import chat_model
from replymeter.demo.server import WireServer
from tests.end_to_end.truth import PRICES, PROVIDERS, Truth, abandon, seen
from tests.test_exactness import HELLO, call, cases, shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel
    from opentelemetry.sdk.trace import ReadableSpan

NEVER = 60.0  # seconds that a reply takes which its caller does not wait for
PATIENCE = 0.3  # seconds that its caller waits


class Ids(SpanProcessor):
    """Notes the id of every span that ended."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Note one."""
        assert span.context
        self.made.append(f"{span.context.span_id:016x}")


class App:
    """The calls: every case of every flavour in every mode, and callers that go away."""

    def __init__(
        self, wire: WireServer, grpc: GrpcServer | None, options: Mapping[str, Any] | None = None
    ) -> None:
        self.truth = Truth()
        self._wire = wire
        self._grpc = grpc
        self._options = {"chunk_timing": True, "prices": PRICES} if options is None else options

    def model(self, flavour: str, name: str, mode: str) -> BaseChatModel:
        """The real class, instrumented; VertexAI's asynchronous side speaks gRPC only."""
        if flavour == "vertexai" and mode.startswith("a") and self._grpc:
            model = chat_model(flavour, self._grpc.url(name), transport="grpc")
        elif flavour == "fireworks" and mode.startswith("a"):  # its client keeps its event loop
            model = chat_model(flavour, self._wire.url(flavour, name))
        else:
            model = shared(flavour, self._wire.add(flavour, "current", load_case(flavour, name)))
        replymeter.instrument(model, **self._options)
        return model

    def finish(self, flavour: str, name: str, mode: str) -> None:
        """A call whose caller waits for its end."""
        case = load_case(flavour, name)
        grpc = flavour == "vertexai" and mode.startswith("a")
        want = expected(case, stream="stream" in mode, grpc=grpc)
        model = self.model(flavour, name, mode)
        call(model, mode, **case.get("request", {}))
        self.truth.add(flavour, model, want, "ok")

    def abandon(self, flavour: str) -> None:
        """A stream whose caller takes two chunks and goes away."""
        model = self.model(flavour, "ok", "stream")
        self.truth.add(flavour, model, abandon(model), "abandoned")

    def cancellable(self, flavour: str) -> bool:
        """Not where asynchronous calls run in a thread, which nobody can stop, or speak gRPC."""
        model = self.model(flavour, "ok", "invoke")
        native = getattr(model._agenerate, "__wrapped__", model._agenerate)
        in_a_thread = native.__qualname__.startswith("BaseChatModel.")
        return flavour != "vertexai" and not in_a_thread

    def cancel(self, flavour: str, mode: str) -> None:
        """A call that is cancelled before its reply, or before the stream's second chunk."""
        case = load_case(flavour, "ok")
        slow = {**case, "invoke": {"delay": NEVER, **case["invoke"]}}
        slow["stream"] = {"pause": NEVER, **case["stream"]}
        model = chat_model(flavour, self._wire.add(flavour, "slow", slow))
        replymeter.instrument(model, **self._options)
        chunks: list[Any] = []

        async def wait() -> None:
            if mode == "ainvoke":
                await model.ainvoke(HELLO)
                return
            stream: Any = model.astream(HELLO)
            async with aclosing(stream):
                async for chunk in stream:
                    chunks.append(chunk)  # noqa: PERF401  # what came before the end counts

        async def stop_waiting() -> None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(wait(), PATIENCE)

        asyncio.run(stop_waiting())
        self.truth.add(flavour, model, seen(chunks, "cancelled"), "cancelled")

    def slow_stream(self) -> None:
        """A stream that takes long enough to have a speed."""
        case = load_case("openai", "ok")
        slow = {**case, "stream": {"pause": 0.15, **case["stream"]}}
        model = chat_model("openai", self._wire.add("openai", "paced", slow))
        replymeter.instrument(model, **self._options)
        call(model, "stream")
        self.truth.add("openai", model, expected(case, stream=True), "ok")


def main() -> None:
    """Make the calls and write what must come of them."""
    started = replymeter.start()
    ids = Ids()
    assert started.tracer_provider
    started.tracer_provider.add_span_processor(ids)
    with WireServer() as wire, GrpcServer() as grpc:
        app = App(wire, grpc)
        for flavour, name, mode in (map(str, one.values) for one in cases()):
            if flavour in PROVIDERS:
                app.finish(flavour, name, mode)
        for flavour in PROVIDERS:
            app.abandon(flavour)
            for mode in ("ainvoke", "astream") if app.cancellable(flavour) else ():
                app.cancel(flavour, mode)
        app.slow_stream()
    series = [[list(key), value] for key, value in sorted(app.truth.series.items())]
    cost = [[list(key), str(value)] for key, value in sorted(app.truth.cost.items())]
    Path(sys.argv[1]).write_text(json.dumps({"series": series, "cost": cost, "spans": ids.made}))
    started.shutdown()


if __name__ == "__main__":
    main()
