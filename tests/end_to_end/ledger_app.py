"""An app that makes every call that the wire has, and notes what must come of it.

`python -m tests.end_to_end.ledger_app FILE` writes to FILE `series`, the value that each series
in Prometheus must have, `cost`, the exact dollars of each, and `spans`, the id of every span that
was made.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import aclosing, closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor

import replymeter
from replymeter import conventions as names
from replymeter.demo.cases import expected, load_case
from replymeter.demo.grpc_server import GrpcServer
from replymeter.demo.models import chat_model
from replymeter.demo.server import WireServer
from tests.test_exactness import HELLO, call, cases, shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel
    from opentelemetry.sdk.trace import ReadableSpan

COUNTED = {
    "input_tokens": (names.INPUT_TOKENS, names.INPUT_TOKENS_PER_CALL),
    "output_tokens": (names.OUTPUT_TOKENS, names.OUTPUT_TOKENS_PER_CALL),
    "cache_read": (names.CACHE_READ_TOKENS,),
    "cache_write": (names.CACHE_WRITE_TOKENS,),
    "reasoning": (names.REASONING_TOKENS,),
}
# Written here once more, not asked of the library: at a host of no known provider each class
# speaks for its own. These are the flavours on the ledger.
PROVIDERS = {
    "openai": "openai",
    "openai_responses": "openai",
    "anthropic": "anthropic",
    "vertexai": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "mistralai": "mistral_ai",
    "groq": "groq",
    "together": "together",
    "together_openai": "together",
    "fireworks": "fireworks",
}
# US dollars per million tokens, by decimals that no float has; one by its provider, and the models
# of Groq, Fireworks and Together left out.
PRICES = {
    "gpt-5-mini": {
        "input": Decimal("0.27"),
        "output": Decimal("2.03"),
        "cache_read": Decimal("0.031"),
    },
    "gemini-2.5-flash": {"input": Decimal("0.33"), "output": Decimal("2.53")},
    "anthropic.claude-haiku-4-5-20251001-v1:0": {"input": Decimal("1.1"), "output": Decimal("5.7")},
    "mistral-large-latest": {
        "input": Decimal("0.53"),
        "output": Decimal("1.57"),
        "cache_read": Decimal("0.057"),
    },
    "anthropic/claude-haiku-4-5": {
        "input": Decimal("3.1"),
        "output": Decimal("15.3"),
        "cache_read": Decimal("0.37"),
        "cache_write": Decimal("3.77"),
    },
}
NEVER = 60.0  # seconds that a reply takes which its caller does not wait for
PATIENCE = 0.3  # seconds that its caller waits
TAKEN = 2  # chunks that a caller takes before it goes away


class Truth:
    """What must be in Prometheus: the value of each series by its name and its labels."""

    def __init__(self) -> None:
        self.series: Counter[tuple[str, ...]] = Counter()
        self.cost: dict[tuple[str, ...], Decimal] = {}

    def add(self, flavour: str, model: BaseChatModel, want: Mapping[str, Any], ending: str) -> None:
        """One call of *flavour*, with a wire case's words for what must be read from it."""
        whose = (f"provider={PROVIDERS[flavour]}", f"model={_name(model)}")

        def count(name: str, value: int, *labels: str) -> None:
            if value:
                series = (name, *whose, *labels)
                self.series[series] += value

        error = want.get("error_type")
        failed = (f"error={error}",) if error else ()
        count(f"{names.DURATION.prometheus}_count", 1, *failed)
        for key, (counter, *histograms) in COUNTED.items():
            count(counter.prometheus, want.get(key, 0))
            for histogram in histograms:
                count(f"{histogram.prometheus}_sum", want.get(key, 0))
                count(f"{histogram.prometheus}_count", int(key in want))
        reasons = want["normalised"]
        for reason in reasons:
            count(names.FINISH_REASON_COUNT.prometheus, 1, f"reason={reason}")
        reason = reasons[0] if len(set(reasons)) == 1 else names.MIXED
        tokens = want.get("output_tokens", 0)
        count(names.OUTPUT_TOKENS_BY_REASON.prometheus, tokens, f"reason={reason}")
        for stage, category in want.get("blocks", ()):
            count(names.SAFETY_BLOCKS.prometheus, 1, f"stage={stage}", f"category={category}")
        if not error and not {"input_tokens", "output_tokens"} & set(want):
            count(names.USAGE_MISSING.prometheus, 1, f"outcome={ending}")
        parts, missing = _priced(PROVIDERS[flavour], _name(model), want)
        for part, dollars in parts.items():
            series = (names.COST_OF_CALLS.prometheus, *whose, f"reason={reason}", f"part={part}")
            self.cost[series] = self.cost.get(series, Decimal(0)) + dollars
        if missing:
            count(names.COST_MISSING.prometheus, 1, f"why={missing}")


def _priced(
    provider: str, model: str, want: Mapping[str, Any]
) -> tuple[dict[str, Decimal], str | None]:
    """What each part of a call cost, and why a part is not known."""
    known = {key: want[f"{key}_tokens"] for key in ("input", "output") if f"{key}_tokens" in want}
    if not known:
        return {}, None if "error_type" in want else "usage_missing"
    table = PRICES.get(f"{provider}/{model}") or PRICES.get(model)
    if table is None:
        return {}, "unknown_model"
    price = {kind: said / 10**6 for kind, said in table.items()}
    parts = {part: tokens * price[part] for part, tokens in known.items()}
    for kind in ("cache_read", "cache_write"):
        dearer = price.get(kind, price["input"]) - price["input"]
        if "input" in parts:
            parts["input"] += want.get(kind, 0) * dearer
    return {part: cost for part, cost in parts.items() if cost}, (
        None if len(known) == len(("input", "output")) else "usage_missing"
    )


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

    def __init__(self, wire: WireServer, grpc: GrpcServer) -> None:
        self.truth = Truth()
        self._wire = wire
        self._grpc = grpc

    def model(self, flavour: str, name: str, mode: str) -> BaseChatModel:
        """The real class, instrumented; VertexAI's asynchronous side speaks gRPC only."""
        if flavour == "vertexai" and mode.startswith("a"):
            model = chat_model(flavour, self._grpc.url(name), transport="grpc")
        elif flavour == "fireworks" and mode.startswith("a"):  # its client keeps its event loop
            model = chat_model(flavour, self._wire.url(flavour, name))
        else:
            model = shared(flavour, self._wire.add(flavour, "current", load_case(flavour, name)))
        replymeter.instrument(model, chunk_timing=True, prices=PRICES)
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
        chunks: list[Any] = []
        stream: Any = model.stream(HELLO)
        with closing(stream):
            for chunk in stream:
                chunks.append(chunk)
                if len(chunks) == TAKEN:
                    break
        self.truth.add(flavour, model, _seen(chunks, "abandoned"), "abandoned")

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
        replymeter.instrument(model, prices=PRICES)
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
        self.truth.add(flavour, model, _seen(chunks, "cancelled"), "cancelled")

    def slow_stream(self) -> None:
        """A stream that takes long enough to have a speed."""
        case = load_case("openai", "ok")
        slow = {**case, "stream": {"pause": 0.15, **case["stream"]}}
        model = chat_model("openai", self._wire.add("openai", "paced", slow))
        replymeter.instrument(model, prices=PRICES)
        call(model, "stream")
        self.truth.add("openai", model, expected(case, stream=True), "ok")


def _name(model: BaseChatModel) -> str:
    return str(model._get_ls_params()["ls_model_name"])


def _seen(chunks: list[Any], ending: str) -> dict[str, Any]:
    """What the chunks said that the caller saw before it went away."""
    want: dict[str, Any] = {"normalised": [ending]}
    for usage in filter(None, (chunk.usage_metadata for chunk in chunks)):
        for key in ("input_tokens", "output_tokens"):
            want[key] = want.get(key, 0) + usage[key]
    return want


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
