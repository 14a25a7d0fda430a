"""What the demo plays: the same calls in the same order every time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PLAYED = (
    "openai",
    "openai_responses",
    "anthropic",
    "vertexai",
    "bedrock",
    "bedrock_converse",
    "mistralai",
    "groq",
    "together",
    "together_openai",
    "fireworks",
)
"""The flavours that the demo plays: eight providers, which load in a few seconds."""

MODES = ("invoke", "ainvoke", "stream", "astream")

SLOW = "slow"
"""The case whose reply does not come in time: it is waited for, and then cancelled."""

# How often each case is played for each flavour that has it: mostly good answers, as in life.
TIMES: Mapping[str, int] = {
    "ok": 10,
    "tool_calls": 2,
    "cache_read": 2,
    "cache_write": 1,
    "reasoning": 2,
    "stop_sequence": 1,
    "length": 2,
    "length_context": 1,
    "n2": 1,
    "content_filter": 1,
    "refusal": 1,
    "safety": 1,
    "safety_many": 1,
    "recitation": 1,
    "spii": 1,
    "blocklist": 1,
    "blocked_prompt": 1,
    "guardrail_prompt": 1,
    "guardrail_response": 1,
    "guardrail_intervened": 1,
    "error_429": 2,
    "error_500": 1,
    "context_overflow": 1,
    "stream_break": 1,
    "stream_no_usage": 1,
}
_ABANDONED = ("stream", "astream")
_CANCELLED = ("ainvoke", "astream")


@dataclass(frozen=True)
class Step:
    """One call, and what its caller does: `finish`, `abandon` (break) or `cancel` (wait_for)."""

    flavour: str
    case: str
    mode: str
    caller: str = "finish"

    @property
    def part(self) -> str:
        """The part of the case that this mode plays: `invoke` or `stream`."""
        return self.mode.removeprefix("a")


def demo_cases(names: Iterable[str]) -> list[str]:
    """Those of a flavour's cases that the demo plays, sorted."""
    return sorted(set(names) & TIMES.keys())


def script(cases: Mapping[str, Mapping[str, Any]], cancellable: Iterable[str]) -> list[Step]:
    """Every call, mixed, from *cases* by flavour and name.

    *cancellable* are the flavours whose calls really end when their caller stops waiting.
    """
    steps: list[Step] = []
    for flavour, known in cases.items():
        number = len(steps)  # so that a mode does not belong to a case
        for name in demo_cases(known):
            modes = [mode for mode in MODES if mode.removeprefix("a") in known[name]]
            for _ in range(TIMES[name]):
                steps.append(Step(flavour, name, modes[number % len(modes)]))
                number += 1
        steps += [Step(flavour, "ok", mode, "abandon") for mode in _ABANDONED]
    steps += [Step(flavour, SLOW, mode, "cancel") for flavour in cancellable for mode in _CANCELLED]
    random.Random(7).shuffle(steps)  # noqa: S311  # the same every time
    return steps
