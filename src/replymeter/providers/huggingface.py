"""Hugging Face by `ChatHuggingFace` with an endpoint: what TGI and the router say.

The class hands back the request's model as the response's, which is the endpoint's URL where no
model was named, and no id. Its streams do not ask for usage unless `stream_usage=True`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import ErrorText, Provider, UsageSource

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def _stream_usage(model: BaseChatModel) -> str | None:
    if getattr(model, "stream_usage", None):
        return None
    return (
        f"{type(model).__name__} does not ask for usage in streams: create it with "
        f"stream_usage=True, or streamed calls count as {names.USAGE_MISSING.name}."
    )


HUGGINGFACE = Provider(
    name="huggingface",
    source="https://huggingface.co/docs/text-generation-inference/reference/api_reference",
    date="2026-11-24",
    llm_types=("huggingface-chat-wrapper",),
    ls_providers=("huggingface",),
    hosts=("router.huggingface.co", "endpoints.huggingface.cloud"),
    urls=("llm.endpoint_url",),
    fields=(openai.FINGERPRINT, openai.LOGPROB),
    usage=(
        UsageSource(
            input_tokens=("response_metadata.token_usage.prompt_tokens",),
            output_tokens=("response_metadata.token_usage.completion_tokens",),
            total_tokens=("response_metadata.token_usage.total_tokens",),
        ),
    ),
    finish_reasons={**openai.FINISH_REASONS, "eos_token": "stop", "stop_sequence": "stop"},
    # https://huggingface.co/docs/text-generation-inference/conceptual/streaming: no codes.
    error_texts=(
        ErrorText("Model is overloaded", "overloaded"),
        ErrorText("`inputs` must have less than", "context_overflow"),
        ErrorText("`inputs` tokens + `max_new_tokens` must be", "context_overflow"),
    ),
    advice=_stream_usage,
)
