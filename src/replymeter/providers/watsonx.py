"""IBM watsonx.ai by `ChatWatsonx`. A stream's errors carry their status in the text alone."""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import ErrorText, Field, Provider

_STATUSES = {
    400: "invalid_request",
    401: "authentication",
    403: "permission_denied",
    404: "not_found",
    429: "rate_limit",
    500: "server_error",
    503: "overloaded",
    504: "timeout",
}

WATSONX = Provider(
    name="ibm.watsonx.ai",
    source="https://cloud.ibm.com/apidocs/watsonx-ai#text-chat",
    date="2026-11-24",
    llm_types=("watsonx-chat",),
    ls_providers=("ibm",),
    hosts=("ml.cloud.ibm.com",),
    urls=(
        "watsonx_model._client.credentials.url",
        "watsonx_model_gateway._client.credentials.url",
    ),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    usage=(openai.TOKEN_USAGE,),
    finish_reasons={
        **openai.FINISH_REASONS,
        "time_limit": "other",
        "cancelled": "other",
        "error": "error",
    },
    error_texts=(
        ErrorText("cannot exceed the total tokens limit", "context_overflow"),
        *(
            ErrorText(shape.format(status), kind)
            for status, kind in _STATUSES.items()
            for shape in ("}} ({})", "}} {})")  # synchronous, and not
        ),
    ),
)
