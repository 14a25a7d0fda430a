"""What apps note while they make calls: the value that each series in Prometheus must have."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from tests.test_exactness import HELLO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

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
TAKEN = 2  # chunks that a caller takes before it goes away


class Truth:
    """What must be in Prometheus: the value of each series by its name and its labels."""

    def __init__(self) -> None:
        self.series: Counter[tuple[str, ...]] = Counter()
        self.cost: dict[tuple[str, ...], Decimal] = {}

    def add(self, flavour: str, model: BaseChatModel, want: Mapping[str, Any], ending: str) -> None:
        """One call of *flavour*, with a wire case's words for what must be read from it."""
        self.add_call(PROVIDERS[flavour], _name(model), want, ending)

    def add_call(self, provider: str, model: str, want: Mapping[str, Any], ending: str) -> None:
        """One call of *model* at *provider*, as they are called in Prometheus."""
        whose = (f"provider={provider}", f"model={model}")

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
        self._add_cost(provider, model, want, reason)

    def _add_cost(self, provider: str, model: str, want: Mapping[str, Any], reason: str) -> None:
        whose = (f"provider={provider}", f"model={model}")
        parts, missing = _priced(provider, model, want)
        for part, dollars in parts.items():
            series = (names.COST_OF_CALLS.prometheus, *whose, f"reason={reason}", f"part={part}")
            self.cost[series] = self.cost.get(series, Decimal(0)) + dollars
        if missing:
            self.series[names.COST_MISSING.prometheus, whose[0], whose[1], f"why={missing}"] += 1


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


def abandon(model: BaseChatModel) -> dict[str, Any]:
    """Take two chunks of a stream and go away; what the caller saw, in a wire case's words."""
    chunks: list[Any] = []
    stream: Any = model.stream(HELLO)
    with closing(stream):
        for chunk in stream:
            chunks.append(chunk)
            if len(chunks) == TAKEN:
                break
    return seen(chunks, "abandoned")


def _name(model: BaseChatModel) -> str:
    return str(model._get_ls_params()["ls_model_name"])


def seen(chunks: list[Any], ending: str) -> dict[str, Any]:
    """What the chunks said that the caller saw before it went away."""
    want: dict[str, Any] = {"normalised": [ending]}
    for usage in filter(None, (chunk.usage_metadata for chunk in chunks)):
        for key in ("input_tokens", "output_tokens"):
            want[key] = want.get(key, 0) + usage[key]
    return want
