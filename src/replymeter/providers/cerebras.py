"""Cerebras. Errors of a synchronous stream of `ChatCerebras` are the SDK's own, unwrapped."""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Field, Provider

CEREBRAS = Provider(
    name="cerebras",
    source="https://inference-docs.cerebras.ai/api-reference/chat-completions",
    date="2026-11-24",
    llm_types=("cerebras-chat",),
    ls_providers=("cerebras",),
    hosts=("api.cerebras.ai",),
    urls=("root_client.base_url", "root_async_client.base_url", "cerebras_api_base"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    usage=(openai.TOKEN_USAGE,),
    finish_reasons=openai.FINISH_REASONS,
)
