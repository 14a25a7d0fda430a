"""A short soak: threads and tasks, every ending, exact sums, nothing left behind, no log."""

from __future__ import annotations

from tests.soak import Soak, faults
from tests.soak_telemetry import telemetry

FLAVOURS = ("openai", "anthropic", "vertexai", "bedrock_converse")
CALLS = 60


def test_every_call_is_counted_and_none_is_kept() -> None:
    """Some 4,000 calls by 8 threads and 200 tasks: `make soak` does the same for ten minutes."""
    with telemetry() as running:
        soak = Soak(running, FLAVOURS)
        soak.run_each_once()
        for _ in range(4):
            soak.run_round(CALLS)
        assert faults(soak) == []
        assert min(soak.endings().values()) > 20
