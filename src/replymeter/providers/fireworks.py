"""FireworksAI. `ChatFireworks` hands back the request's model as the response's, and no id."""

from __future__ import annotations

from replymeter.providers import openai
from replymeter.providers.spec import Provider

FIREWORKS = Provider(
    name="fireworks",
    source="https://docs.fireworks.ai/api-reference/post-chatcompletions",
    date="2026-11-24",
    llm_types=("fireworks-chat",),
    ls_providers=("fireworks",),
    hosts=("api.fireworks.ai",),
    urls=("client._client.base_url", "async_client._client.base_url", "fireworks_api_base"),
    fields=(openai.FINGERPRINT, openai.LOGPROB),
    usage=(openai.TOKEN_USAGE,),
    finish_reasons={**openai.FINISH_REASONS, "error": "error"},
)
