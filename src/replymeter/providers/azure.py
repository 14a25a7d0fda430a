"""Azure OpenAI: `AzureChatOpenAI`, and `ChatOpenAI` at an Azure address.

The request's model is the deployment's name. A filtered answer is a `ValueError` when invoked, its
tokens lost, and an ordinary end in streams, where LangChain's package drops all filter results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Blocks, ErrorText, Field, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

# https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter-annotations,
# read 2026-11-24.
_BOTH = {
    "hate": "hate",
    "sexual": "sexual",
    "violence": "violence",
    "self_harm": "self_harm",
    "profanity": "blocklist",
    "custom_blocklists": "blocklist",
    "custom_blocklists.*": "blocklist",  # older: a list with the name of each one
}
_CATEGORIES = {
    "prompt": {**_BOTH, "jailbreak": "jailbreak", "indirect_attack": "jailbreak"},
    "response": {
        **_BOTH,
        "protected_material_text": "recitation",
        "protected_material_code": "recitation",
        "personally_identifiable_information": "pii",
    },
}


def _filters(results: str, stage: str) -> Iterator[Blocks]:
    """What filtered, of a dict of ratings; a rating that filtered nothing is no block."""
    for key, category in _CATEGORIES[stage].items():
        yield Blocks(
            path=f"{results}.{key}",
            stage=stage,
            said=key.partition(".")[0],
            when="filtered",
            default=category,
        )


AZURE = Provider(
    name="azure.ai.openai",
    price_list="azure",
    source="https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter",
    date="2026-11-24",
    llm_types=("azure-openai-chat",),
    ls_providers=("azure",),
    hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    urls=("root_client.base_url", "root_async_client.base_url", "azure_endpoint"),
    request_model=("deployment_name", "model_name", "model"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        Field(attribute=names.SERVICE_TIER, path="response_metadata.service_tier"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    usage=(openai.TOKEN_USAGE,),
    finish_reason=openai.REASON_PATHS,
    finish_reasons={**openai.FINISH_REASONS, **openai.RESPONSES_REASONS},
    blocks=(
        *_filters("response_metadata.prompt_filter_results.*.content_filter_results", "prompt"),
        *_filters("response_metadata.content_filter_results", "response"),
    ),
    error_texts=(
        ErrorText(
            "Azure has not provided the response due to a content filter",
            "content_filter",
            stage="response",
        ),
    ),
    error_blocks=(
        *_filters("body.innererror.content_filter_result", "prompt"),
        *_filters("body.content_filters.*.content_filter_results", "prompt"),
    ),
)
