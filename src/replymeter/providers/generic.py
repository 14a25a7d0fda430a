"""A model of no known provider: what LangChain's common fields and the usual words say."""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers.openai import TOKEN_USAGE
from replymeter.providers.spec import Field, Provider

GENERIC = Provider(
    name="*",
    ls_providers=("*",),
    source="https://reference.langchain.com/python/langchain_core/messages/ai/",
    date="2026-11-24",
    urls=("base_url", "endpoint_url", "endpoint"),
    usage=(TOKEN_USAGE,),  # what LangChain's own callbacks read of `llm_output`
    finish_reason=(
        "response_metadata.finish_reason",
        "response_metadata.stop_reason",
        "response_metadata.stopReason",
        "response_metadata.done_reason",
    ),
    finish_reasons={
        "stop": "stop",
        "end_turn": "stop",
        "stop_sequence": "stop",
        "eos": "stop",
        "length": "length",
        "max_tokens": "length",
        "MAX_TOKENS": "length",
        "STOP": "stop",
        "tool_calls": "tool_calls",
        "function_call": "tool_calls",
        "tool_use": "tool_calls",
        "content_filter": "content_filter",
        "refusal": "refusal",
        "error": "error",
    },
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
    ),
)
