"""Google VertexAI by `ChatVertexAI`, which hands back the request's model as the response's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from replymeter.providers.spec import Blocks, ErrorText, Field, Provider, UsageSource
from replymeter.reading import Block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.reading import Reading

_USAGE = "response_metadata.usage_metadata."

CATEGORIES = {
    "HARM_CATEGORY_HATE_SPEECH": "hate",
    "HARM_CATEGORY_DANGEROUS_CONTENT": "dangerous",
    "HARM_CATEGORY_HARASSMENT": "harassment",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT": "sexual",
    "HARM_CATEGORY_CIVIC_INTEGRITY": "other",
    "HARM_CATEGORY_JAILBREAK": "jailbreak",
    "HARM_CATEGORY_IMAGE_HATE": "hate",
    "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT": "dangerous",
    "HARM_CATEGORY_IMAGE_HARASSMENT": "harassment",
    "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT": "sexual",
}
"""https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/HarmCategory."""

FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "OTHER": "other",
    "LANGUAGE": "other",
    "NO_IMAGE": "other",
    "IMAGE_OTHER": "other",
}
"""https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse."""

BLOCK_WORDS = {
    "RECITATION": ("response", "recitation"),
    "IMAGE_RECITATION": ("response", "recitation"),
    "BLOCKLIST": ("response", "blocklist"),
    "SPII": ("response", "pii"),
    "MODEL_ARMOR": ("response", "guardrail"),
}
"""What was blocked when no rating says so."""

# https://ai.google.dev/api/generate-content#BlockReason; the last two: VertexAI only.
_PROMPT_BLOCKS = {
    "SAFETY": "other",
    "OTHER": "other",
    "BLOCKLIST": "blocklist",
    "PROHIBITED_CONTENT": "other",
    "IMAGE_SAFETY": "other",
    "MODEL_ARMOR": "guardrail",
    "JAILBREAK": "jailbreak",
}


def _blocked_prompt(reading: Reading, choice: Mapping[str, Any]) -> Reading:
    # The class throws promptFeedback away. What is left of a blocked prompt is an answer without
    # a candidate: nothing in it, no finish reason, no output counted though input was.
    usage = reading.usage
    nothing = choice["empty"] and not choice["tool_calls"] and len(reading.choices) == 1
    if not nothing or usage is None or usage.output_tokens or reading.choices[0].raw:
        return reading
    if "finish_reason" in choice["response_metadata"]:
        return reading
    return reading._replace(
        blocks=(Block("prompt", "other"),),
        choices=(reading.choices[0]._replace(reason="content_filter"),),
    )


VERTEXAI = Provider(
    name="gcp.vertex_ai",
    price_list="google",
    source="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
    date="2026-11-24",
    llm_types=("vertexai",),
    ls_providers=("google_vertexai",),
    hosts=("aiplatform.googleapis.com", "*-aiplatform.googleapis.com"),
    urls=("api_endpoint",),
    fields=(
        Field(
            attribute=names.CITATIONS,
            path="response_metadata.citation_metadata.citations.*",
            kind="count",
        ),
        Field(attribute=names.MEAN_LOGPROB, path="response_metadata.avg_logprobs", kind="mean"),
    ),
    usage=(
        UsageSource(
            input_tokens=(_USAGE + "prompt_token_count",),
            output_tokens=((_USAGE + "candidates_token_count", _USAGE + "thoughts_token_count"),),
            total_tokens=(_USAGE + "total_token_count",),
            cache_read=(_USAGE + "cached_content_token_count",),
            reasoning=(_USAGE + "thoughts_token_count",),
        ),
    ),
    # Its protos have no "absent": every count that the server did not send is 0.
    invented_zeros=("input_tokens", "output_tokens", "cache_read", "reasoning"),
    finish_reasons=FINISH_REASONS,
    ignored_reasons=("FINISH_REASON_UNSPECIFIED",),
    blocks=(
        Blocks(
            path="response_metadata.safety_ratings.*",
            stage="response",
            word="category",
            when="blocked",
            categories=CATEGORIES,
        ),
        Blocks(
            path="response_metadata.prompt_feedback.block_reason",
            stage="prompt",
            categories=_PROMPT_BLOCKS,
        ),
    ),
    block_words=BLOCK_WORDS,
    error_codes={"GoogleAuthError": "authentication"},
    error_texts=(ErrorText("exceeds the maximum number of tokens", "context_overflow"),),
    repair=_blocked_prompt,
)
