"""TogetherAI, through `ChatTogether` and through `ChatOpenAI(base_url=...)`."""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Field, Provider, UsageSource

TOGETHER = Provider(
    name="together",
    source="https://docs.together.ai/reference/chat-completions-1",
    date="2026-11-24",
    llm_types=("together-chat",),
    ls_providers=("together",),
    hosts=("api.together.xyz", "api.together.ai"),
    urls=("root_client.base_url", "root_async_client.base_url", "openai_api_base"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    usage=(
        openai.TOKEN_USAGE,
        UsageSource(cache_read=("response_metadata.token_usage.cached_tokens",)),
    ),
    finish_reasons={**openai.FINISH_REASONS, "eos": "stop"},
)
