"""What went over the wire against what the counters say: the difference must be nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.demo.numbers import Numbers

_FACTS = (
    ("input tokens", names.INPUT_TOKENS, "input_tokens"),
    ("output tokens", names.OUTPUT_TOKENS, "output_tokens"),
    ("cached tokens read", names.CACHE_READ_TOKENS, "cache_read"),
    ("cached tokens written", names.CACHE_WRITE_TOKENS, "cache_write"),
    ("reasoning tokens", names.REASONING_TOKENS, "reasoning"),
)


@dataclass
class Entry:
    """One provider's facts by name, from one side."""

    facts: Counter[str] = field(default_factory=Counter)

    def add(self, truth: Mapping[str, Any]) -> None:
        """Add one call: its token counts, how it ended, what was blocked."""
        self.facts["calls"] += 1
        for fact, _, key in _FACTS:
            self.facts[fact] += truth.get(key, 0)
        for reason in truth["normalised"]:
            self.facts[f"ended {reason}"] += 1
        for stage, category in truth.get("blocks", ()):
            self.facts[f"blocked {stage} {category}"] += 1
        if "error_type" in truth:
            self.facts[f"failed {truth['error_type']}"] += 1


@dataclass(frozen=True)
class Row:
    """One provider's line of the ledger: both sides, and every fact in which they differ."""

    provider: str
    wire: Counter[str]
    counters: Counter[str]

    @property
    def differences(self) -> dict[str, tuple[int, int]]:
        """Of each fact that differs: what the wire said, and what the counters say."""
        facts = sorted({*self.wire, *self.counters})
        pairs = {fact: (self.wire[fact], self.counters[fact]) for fact in facts}
        return {fact: pair for fact, pair in pairs.items() if pair[0] != pair[1]}


class Ledger:
    """Collects the wire's side, call by call."""

    def __init__(self) -> None:
        self._wire: dict[str, Entry] = {}

    def add(self, provider: str, truth: Mapping[str, Any]) -> None:
        """Note one call of *provider*, with what must be read from it (a wire case's words)."""
        self._wire.setdefault(provider, Entry()).add(truth)

    def rows(self, numbers: Numbers) -> list[Row]:
        """Every provider's line, by name."""
        counted = _counted(numbers)
        providers = sorted({*self._wire, *counted})
        return [
            Row(name, self._wire.get(name, Entry()).facts, counted.get(name, Counter()))
            for name in providers
        ]


def _counted(numbers: Numbers) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = {}

    def count(metric: Any, fact: str, *labels: str) -> None:
        for point in numbers.points(metric):
            provider, _ = point.model
            if all(label in point.labels for label in labels):
                words = (fact, *(str(point.labels[label]) for label in labels))
                value = point.count or round(point.total)
                counted.setdefault(provider, Counter())[" ".join(words)] += value

    count(names.DURATION, "calls")
    count(names.DURATION, "failed", names.ERROR_TYPE)
    count(names.FINISH_REASON_COUNT, "ended", names.FINISH_REASON)
    count(names.SAFETY_BLOCKS, "blocked", names.BLOCK_STAGE, names.BLOCK_CATEGORY)
    for fact, metric, _ in _FACTS:
        count(metric, fact)
    return counted
