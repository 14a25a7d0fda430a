"""Perplexity. `ChatPerplexity` drops the finish reason of what is invoked, and the id.

Chat completions and the Agent API, which `ChatPerplexity` takes for built-in tools, where the
status stands for the finish reason. Running totals are turned into differences by the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Field, Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.reading import Reading


def _beside_the_answer(reading: Reading, _: Mapping[str, Any]) -> Reading:
    # Deep research reasons through its material before it answers, and counts that beside the
    # completion and the total: https://docs.perplexity.ai/guides/pricing, read 2026-11-24.
    usage = reading.usage
    if usage is None or usage.output_tokens is None or not usage.reasoning:
        return reading
    output = usage.output_tokens + usage.reasoning
    return reading._replace(usage=usage._replace(output_tokens=output))


PERPLEXITY = Provider(
    name="perplexity",
    source="https://docs.perplexity.ai/api-reference/chat-completions-post",
    date="2026-11-24",
    llm_types=("perplexitychat",),
    ls_providers=("perplexity",),
    hosts=("api.perplexity.ai",),
    urls=("client.base_url", "async_client.base_url"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        Field(attribute=names.CITATIONS, path="additional_kwargs.citations.*", kind="count"),
    ),
    finish_reason=("response_metadata.finish_reason", "response_metadata.status"),
    finish_reasons={
        **openai.FINISH_REASONS,
        "completed": "stop",
        "requires_action": "tool_calls",
        "failed": "error",
    },
    repair=_beside_the_answer,
)
