"""Cohere. `ChatCohere` names no model, and disagrees with itself over the counts.

Invoked it hands over what the model read and wrote (`tokens`), streamed what is billed
(`billed_units`). What it hands over is what is reported; the two are never mixed.
"""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers.spec import ErrorText, Field, Provider, UsageSource

_COUNT = "response_metadata.token_count."

COHERE = Provider(
    name="cohere",
    source="https://docs.cohere.com/reference/chat",
    date="2026-11-24",
    llm_types=("cohere-chat",),
    ls_providers=("cohere",),
    hosts=("api.cohere.com", "api.cohere.ai"),
    urls=("client._client_wrapper._base_url", "base_url"),
    fields=(
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        Field(attribute=names.CITATIONS, path="response_metadata.citations.*", kind="count"),
    ),
    # A synchronous stream has no `usage_metadata`.
    usage=(
        UsageSource(
            input_tokens=(_COUNT + "input_tokens",),
            output_tokens=(_COUNT + "output_tokens",),
            total_tokens=(_COUNT + "total_tokens",),
        ),
    ),
    # The class fills in what the server did not count.
    invented_zeros=("input_tokens", "output_tokens"),
    # The last three: the first version's words.
    finish_reasons={
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_calls",
        "ERROR": "error",
        "TIMEOUT": "other",
        "ERROR_TOXIC": "content_filter",
        "ERROR_LIMIT": "length",
        "USER_CANCEL": "other",
    },
    error_texts=(ErrorText("too many tokens", "context_overflow"),),
)
