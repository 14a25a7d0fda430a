"""OpenAI, chat completions and Responses; and the shapes of every server that speaks its protocol.

Streams of ChatOpenAI with a base URL or an HTTP client of its own report no usage unless
`stream_usage=True`: the class does not ask such a server for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from replymeter.providers.spec import ErrorText, Field, Parameter, Provider, UsageSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

_DETAILS = "response_metadata.token_usage."

TOKEN_USAGE = UsageSource(
    input_tokens=(_DETAILS + "prompt_tokens",),
    output_tokens=(_DETAILS + "completion_tokens",),
    total_tokens=(_DETAILS + "total_tokens",),
    cache_read=(_DETAILS + "prompt_tokens_details.cached_tokens",),
    cache_write=(_DETAILS + "prompt_tokens_details.cache_write_tokens",),
    reasoning=(_DETAILS + "completion_tokens_details.reasoning_tokens",),
)
"""The counts of a chat completion, as LangChain's packages hand them on in `llm_output`."""

FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
"""The words of a chat completion: https://platform.openai.com/docs/api-reference/chat/object."""

# https://platform.openai.com/docs/api-reference/responses/object, error.code.
_RESPONSE_CODES = {
    "server_error": "server_error",
    "rate_limit_exceeded": "rate_limit",
    "invalid_prompt": "content_filter",
    "bio_policy": "content_filter",
    "misalignment_policy_violation": "content_filter",
    "image_content_policy_violation": "content_filter",
}

TOO_LONG = ErrorText("maximum context length", "context_overflow")
"""What most compatible servers say, without OpenAI's code for it."""

# Responses has no finish reason: why it is incomplete, else its status.
REASON_PATHS = (
    "response_metadata.finish_reason",
    "response_metadata.incomplete_details.reason",
    "response_metadata.status",
)
RESPONSES_REASONS = {"completed": "stop", "max_output_tokens": "length"}
"""The words of Responses that other servers of it say, too."""

FINGERPRINT = Field(attribute=names.SYSTEM_FINGERPRINT, path="response_metadata.system_fingerprint")
LOGPROB = Field(
    attribute=names.MEAN_LOGPROB, path="response_metadata.logprobs.content.*.logprob", kind="mean"
)


def _api_type(choice: Mapping[str, Any]) -> Mapping[str, object]:
    metadata = choice["response_metadata"]
    responses = metadata.get("object") == "response" or "status" in metadata
    api = "responses" if responses else "chat_completions"
    return {names.API_TYPE: api}


def _stream_usage(model: BaseChatModel) -> str | None:
    if getattr(model, "stream_usage", None) or getattr(model, "use_responses_api", None):
        return None
    return (
        f"{type(model).__name__} with a base URL or an HTTP client of its own does not ask for "
        "usage in streams: create it with stream_usage=True, or streamed calls count as "
        f"{names.USAGE_MISSING.name}."
    )


OPENAI = Provider(
    name="openai",
    source="https://platform.openai.com/docs/api-reference/responses/object",
    date="2026-11-24",
    llm_types=("openai-chat",),
    ls_providers=("openai",),
    hosts=("api.openai.com",),
    speaks_for_hosts=True,
    urls=("root_client.base_url", "root_async_client.base_url", "openai_api_base"),
    parameters=(
        Parameter(
            attribute=names.OPENAI_REQUEST_SERVICE_TIER, paths=("service_tier",), unless="auto"
        ),
    ),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        Field(attribute=names.SERVICE_TIER, path="response_metadata.service_tier"),
        FINGERPRINT,
        LOGPROB,
    ),
    own_attributes={
        names.API_TYPE: names.OPENAI_API_TYPE,
        names.SERVICE_TIER: names.OPENAI_RESPONSE_SERVICE_TIER,
        names.SYSTEM_FINGERPRINT: names.OPENAI_RESPONSE_SYSTEM_FINGERPRINT,
    },
    usage=(TOKEN_USAGE,),
    finish_reason=REASON_PATHS,
    finish_reasons={
        **FINISH_REASONS,
        **RESPONSES_REASONS,
        "failed": "error",
        "cancelled": "other",
        "incomplete": "other",
        "max_messages": "other",
        "steered": "other",
    },
    error_codes=_RESPONSE_CODES,
    # A failed response is a bare ValueError: its code is in the text alone, in two shapes.
    error_texts=(
        *(
            ErrorText(shape.format(code), kind)
            for code, kind in _RESPONSE_CODES.items()
            for shape in ("ResponseError(code='{}'", "{}: ")
        ),
        TOO_LONG,
    ),
    describe=_api_type,
    advice=_stream_usage,
)
