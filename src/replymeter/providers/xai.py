"""xAI, through `ChatXAI` and through `ChatOpenAI(base_url=...)`.

xAI counts reasoning beside the completion: `ChatXAI` adds the two up, `ChatOpenAI` does not, and
the total tells. A wrong key is an HTTP 400, a blocked prompt a 403 with the check that failed.
"""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import ErrorText, Field, Provider

XAI = Provider(
    name="x_ai",
    price_list="x-ai",
    source="https://docs.x.ai/docs/api-reference#chat-completions",
    date="2026-11-24",
    llm_types=("xai-chat",),
    ls_providers=("xai",),
    hosts=("api.x.ai",),
    urls=("root_client.base_url", "root_async_client.base_url", "xai_api_base"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        Field(attribute=names.CITATIONS, path="additional_kwargs.citations.*", kind="count"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    usage=(openai.TOKEN_USAGE,),
    finish_reason=openai.REASON_PATHS,
    finish_reasons={**openai.FINISH_REASONS, **openai.RESPONSES_REASONS},
    # Errors carry no code: https://github.com/UKGovernmentBEIS/inspect_ai/pull/2267 and /5208.
    error_texts=(
        ErrorText("Content violates usage guidelines", "content_filter"),
        ErrorText("maximum prompt length is", "context_overflow"),
        ErrorText("[input_too_large]", "context_overflow"),
        ErrorText("Incorrect API key provided", "authentication"),
    ),
)
