"""Moonshot AI (Kimi), through `ChatOpenAI(base_url=...)`: OpenAI's protocol at its own hosts."""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import ErrorText, Field, Provider, UsageSource

MOONSHOT = Provider(
    name="moonshot_ai",
    source="https://platform.kimi.ai/docs/api/errors",
    date="2026-11-24",
    hosts=("api.moonshot.ai", "api.moonshot.cn"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
    ),
    usage=(UsageSource(cache_read=("response_metadata.token_usage.cached_tokens",)),),
    finish_reasons=openai.FINISH_REASONS,
    error_codes={
        "engine_overloaded_error": "overloaded",
        "exceeded_current_quota_error": "rate_limit",
    },
    error_texts=(ErrorText("exceeded model token limit", "context_overflow"),),
)
