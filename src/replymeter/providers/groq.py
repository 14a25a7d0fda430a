"""Groq. `ChatGroq` hands back the request's model as the response's, and the requested tier."""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Field, Provider

_TIMES = "response_metadata.token_usage."

GROQ = Provider(
    name="groq",
    source="https://console.groq.com/docs/api-reference#chat-create",
    date="2026-11-24",
    llm_types=("groq-chat",),
    ls_providers=("groq",),
    hosts=("api.groq.com",),
    urls=("client._client.base_url", "async_client._client.base_url", "groq_api_base"),
    fields=(
        Field(attribute=names.QUEUE_TIME, path=_TIMES + "queue_time", kind="seconds"),
        Field(attribute=names.PROMPT_TIME, path=_TIMES + "prompt_time", kind="seconds"),
        Field(attribute=names.COMPLETION_TIME, path=_TIMES + "completion_time", kind="seconds"),
        Field(attribute=names.TOTAL_TIME, path=_TIMES + "total_time", kind="seconds"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    usage=(openai.TOKEN_USAGE,),
    finish_reasons=openai.FINISH_REASONS,
)
