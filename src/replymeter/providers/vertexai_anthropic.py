"""Anthropic's models on Google VertexAI, by `ChatAnthropicVertex`.

The class converts by itself: a streamed answer loses its id, its tier, the category of a refusal
and the count of its thinking.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from replymeter.providers.anthropic import ANTHROPIC
from replymeter.providers.spec import UsageSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.reading import Reading


def no_early_zero(reading: Reading, choice: Mapping[str, Any]) -> Reading:
    """Drop the 0 that stands for the output of a stream until its last event counts it."""
    usage = reading.usage
    if usage is None or usage.output_tokens != 0 or "stop_reason" in choice["response_metadata"]:
        return reading
    return reading._replace(usage=usage._replace(output_tokens=None, total_tokens=None))


ANTHROPIC_ON_VERTEXAI = replace(
    ANTHROPIC,
    name="gcp.vertex_ai",
    price_list="google",
    source="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude",
    date="2026-11-24",
    llm_types=("anthropic-chat-vertexai",),
    ls_providers=("anthropicvertex",),
    hosts=(),
    urls=("client.base_url",),
    usage=(
        *ANTHROPIC.usage,
        UsageSource(reasoning=("response_metadata.usage.output_tokens_details.thinking_tokens",)),
    ),
    repair=no_early_zero,
)
