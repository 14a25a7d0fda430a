"""DeepSeek, through `ChatDeepSeek` and through `ChatOpenAI(base_url=...)`.

The cached tokens are within the prompt's, in a count of DeepSeek's own.
"""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Field, Provider, UsageSource

DEEPSEEK = Provider(
    name="deepseek",
    source="https://api-docs.deepseek.com/api/create-chat-completion",
    date="2026-11-24",
    llm_types=("chat-deepseek",),
    ls_providers=("deepseek",),
    hosts=("api.deepseek.com",),
    urls=("root_client.base_url", "root_async_client.base_url", "api_base"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    usage=(
        openai.TOKEN_USAGE,
        UsageSource(cache_read=("response_metadata.token_usage.prompt_cache_hit_tokens",)),
    ),
    finish_reasons={**openai.FINISH_REASONS, "insufficient_system_resource": "error"},
    error_texts=(openai.TOO_LONG,),
)
