"""MistralAI. `ChatMistralAI` names the response's model in streams, the request's elsewhere."""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Field, Provider, UsageSource

MISTRAL = Provider(
    name="mistral_ai",
    price_list="mistral",
    source="https://docs.mistral.ai/api/#tag/chat",
    date="2026-11-24",
    llm_types=("mistralai-chat",),
    ls_providers=("mistral",),
    hosts=("api.mistral.ai",),
    urls=("client.base_url", "async_client.base_url", "endpoint"),
    fields=(
        Field(
            attribute=names.RESPONSE_MODEL,
            path="response_metadata.model_name",
            kind="name",
            mode="stream",
        ),
    ),
    usage=(
        openai.TOKEN_USAGE,
        UsageSource(cache_read=("response_metadata.token_usage.num_cached_tokens",)),
    ),
    finish_reasons={**openai.FINISH_REASONS, "model_length": "length", "error": "error"},
)
